"""The shipped tables are what SOURCES.md says they are."""

import pickle

import numpy as np
import pytest

from skgen import datasets

MISSING = {
    "airquality": 44,
    "apple": 6,
    "cdnow": 0,
    "cement": 15,
    "earthquakes": 0,
    "faithful": 0,
    "fed_funds": 0,
    "galaxies": 0,
    "penguins": 8,
    "sunspots": 0,
}


def load(name, **options):
    return getattr(datasets, f"load_{name}")(**options)


def test_every_public_loader_is_tested():
    tested = [f"load_{name}" for name in (*MISSING, "japanese_vowels", "kjv")]
    assert sorted(datasets.__all__) == sorted(tested)


@pytest.mark.parametrize("name", MISSING)
def test_a_table_has_its_shape_its_gaps_and_its_source(name):
    bunch = load(name)
    assert f"shape {bunch.data.shape}" in getattr(datasets, f"load_{name}").__doc__
    assert bunch.data.dtype == np.float64
    assert bunch.data.flags.c_contiguous
    assert np.isnan(bunch.data).sum() == MISSING[name]
    assert "Source: " in bunch.DESCR
    assert "licence" in bunch.DESCR.lower()
    assert all(f"`{column}`" in bunch.DESCR for column in bunch.feature_names)


@pytest.mark.parametrize("name", MISSING)
def test_a_frame_holds_the_same_numbers(name):
    pd = pytest.importorskip("pandas")
    plain, framed = load(name), load(name, as_frame=True)
    assert plain.frame is None
    assert list(framed.data.columns) == plain.feature_names
    np.testing.assert_array_equal(framed.data.to_numpy(), plain.data)
    columns = plain.feature_names + (["species"] if name == "penguins" else [])
    assert list(framed.frame.columns) == columns
    assert isinstance(framed.frame, pd.DataFrame)


@pytest.mark.parametrize("name", MISSING)
def test_a_loader_pickles(name):
    loader = getattr(datasets, f"load_{name}")
    assert pickle.loads(pickle.dumps(loader)) is loader


def test_cdnow_sums_up_the_transactions_of_the_source():
    bunch = datasets.load_cdnow()
    amount, items, purchases, first, last = bunch.data.T
    assert purchases.sum() == 69_659
    assert items.sum() == 167_881
    assert round(100 * amount.sum()) == 250_031_563
    assert (items == 1).mean() == pytest.approx(0.289, abs=5e-4)
    assert (items >= purchases).all()
    assert (first <= last).all()
    assert (first[purchases == 1] == last[purchases == 1]).all()


def test_penguins_of_a_species_are_as_many_as_published():
    bunch = datasets.load_penguins()
    assert dict(zip(bunch.target_names, np.bincount(bunch.target), strict=True)) == {
        "Adelie": 152,
        "Chinstrap": 68,
        "Gentoo": 124,
    }


def test_apple_gives_the_published_mean():
    """Little and Rubin: with one column complete, the mean is a regression on it."""
    size, wormy = datasets.load_apple().data.T
    seen = ~np.isnan(wormy)
    slope = np.polyfit(size[seen], wormy[seen], 1)[0]
    mean = wormy[seen].mean() + slope * (size.mean() - size[seen].mean())
    assert [size.mean(), mean] == pytest.approx([14.7222, 49.3333], abs=5e-5)


def test_japanese_vowels_are_as_many_as_published():
    every, train, test = (
        datasets.load_japanese_vowels(subset=subset) for subset in ("all", "train", "test")
    )
    assert np.bincount(train.target).tolist() == [30] * 9
    assert np.bincount(test.target).tolist() == [31, 35, 88, 44, 29, 24, 40, 50, 29]
    assert [len(x) for x in every.data] == [len(x) for x in train.data + test.data]
    assert [min(map(len, every.data)), max(map(len, every.data))] == [7, 29]
    assert sum(len(x) for x in every.data) == 9961
    assert all(x.shape[1] == 12 and np.isfinite(x).all() for x in every.data)
    assert train.data[0][0, :2].tolist() == [1.8609, -0.2074]
    assert "Licence: BSD-3-Clause" in every.DESCR
    with pytest.raises(ValueError, match="subset='validation'"):
        datasets.load_japanese_vowels(subset="validation")


def test_the_bible_has_all_verses_and_the_tokens_of_the_published_figures():
    bunch = datasets.load_kjv()
    assert [len(bunch.data), len(bunch.train), len(bunch.test)] == [31_103, 27_993, 3_110]
    assert sum(len(verse.split()) for verse in bunch.train) == 822_599
    assert len({word for verse in bunch.train for word in verse.split()}) == 12_414
    assert bunch.data[-1] == "the grace of our lord jesus christ be with you all . amen ."
    assert "Source: " in bunch.DESCR
