"""Row transformers over sequences."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.decomposition import PCA
from sklearn.feature_selection import SelectKBest
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skgen import SequenceTransformer, to_sequences


@pytest.fixture
def pieces():
    rng = np.random.default_rng(0)
    return [rng.normal(loc=i, scale=2.0, size=(n, 2)) for i, n in enumerate([3, 5, 1, 4])]


def test_every_step_is_transformed_as_a_row_of_all(pieces):
    found = SequenceTransformer(StandardScaler()).fit_transform(pieces)
    assert isinstance(found, np.ndarray)
    assert found.dtype == object
    assert [len(x) for x in found] == [3, 5, 1, 4]
    rows = StandardScaler().fit_transform(np.concatenate(pieces))
    assert_array_equal(np.concatenate(list(found)), rows)


def test_sequences_of_equal_length_stay_a_set(pieces):
    cube = np.array([piece[:1] for piece in pieces])
    found = SequenceTransformer(StandardScaler()).fit_transform(cube)
    assert found.shape == (4,)
    assert_array_equal(np.concatenate(list(found)), StandardScaler().fit_transform(cube[:, 0]))


def test_one_sequence_gives_an_array(pieces):
    model = SequenceTransformer(StandardScaler()).fit(pieces)
    assert_array_equal(model.transform(pieces[1]), model.transform(pieces)[1])


def test_the_inverse_gives_the_sequences_back(pieces):
    model = SequenceTransformer(StandardScaler()).fit(pieces)
    back = model.inverse_transform(model.transform(pieces))
    for x, y in zip(pieces, back, strict=True):
        assert_allclose(y, x, rtol=1e-12)
    assert not hasattr(SequenceTransformer(SelectRows()), "inverse_transform")


class SelectRows(BaseEstimator):
    """A transformer without an inverse."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X


def test_missing_entries_pass_through(pieces):
    pieces[1][2, 0] = np.nan
    found = SequenceTransformer(StandardScaler()).fit_transform(pieces)
    assert np.isnan(found[1][2, 0])
    assert sum(np.isnan(x).sum() for x in found) == 1


def test_series_of_numbers_have_one_feature():
    found = SequenceTransformer(StandardScaler()).fit_transform([[1.0, 2.0], [3.0, 4.0, 5.0]])
    assert [x.shape for x in found] == [(2, 1), (3, 1)]


def test_names_come_from_the_transformer(pieces):
    frames = [pd.DataFrame(x, columns=["a", "b"]) for x in pieces]
    model = SequenceTransformer(PCA(1)).fit(frames)
    assert_array_equal(model.feature_names_in_, ["a", "b"])
    assert_array_equal(model.get_feature_names_out(), ["pca0"])


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_come_out_where_they_are_asked_for(pieces, library):
    if library == "pandas":
        frames = [pd.DataFrame(x, columns=["a", "b"]) for x in pieces]
    else:
        frames = [pl.DataFrame(x, ["a", "b"]) for x in pieces]
    model = SequenceTransformer(StandardScaler())
    arrays = model.fit_transform(frames)
    model.set_output(transform=library)
    found = model.fit(frames).transform(frames)
    assert type(found[0]) is type(frames[0])
    assert list(found[2].columns) == ["a", "b"]
    for x, y in zip(arrays, found, strict=True):
        assert_array_equal(x, y)


def test_stacked_frames_are_cut_by_their_column():
    frame = pd.DataFrame({"id": [1, 1, 2, 2, 2], "x": [1.0, 2.0, 3.0, 4.0, 5.0]})
    found = SequenceTransformer(StandardScaler()).fit_transform(to_sequences(frame, by="id"))
    assert [len(x) for x in found] == [2, 3]


class MeanSign(ClassifierMixin, BaseEstimator):
    """A toy classifier of sequences: the sign of the mean of the first feature."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.array([int(x[:, 0].mean() > 0) for x in X])


def test_it_stands_before_a_model_of_sequences():
    rng = np.random.default_rng(0)
    y = np.arange(40) % 2
    X = [rng.normal(5 + label, 0.2, size=(rng.integers(2, 9), 3)) for label in y]
    model = make_pipeline(SequenceTransformer(StandardScaler()), MeanSign())
    assert_array_equal(cross_val_predict(model, X, y), y)
    grid = {"sequencetransformer__transformer__with_mean": [True, False]}
    search = GridSearchCV(model, grid).fit(X, y)
    assert search.best_params_["sequencetransformer__transformer__with_mean"] is True


def test_a_weight_counts_for_all_steps_of_its_sequence(pieces):
    weights = [2, 0, 1, 3]
    weighted = SequenceTransformer(StandardScaler()).fit(pieces, sample_weight=weights)
    rows = np.concatenate(pieces)
    expected = np.average(rows, axis=0, weights=np.repeat(weights, [3, 5, 1, 4]))
    assert_allclose(weighted.transformer_.mean_, expected, rtol=1e-12)


def test_targets_are_handed_on_by_row(pieces):
    labels = np.array([0, 1, 0, 1])
    lengths = [3, 5, 1, 4]
    by_row = SelectKBest(k=1).fit(np.concatenate(pieces), np.repeat(labels, lengths))
    for y in (labels, [np.full(n, label) for n, label in zip(lengths, labels, strict=True)]):
        found = SequenceTransformer(SelectKBest(k=1)).fit(pieces, y).transformer_
        assert_array_equal(found.scores_, by_row.scores_)
    with pytest.raises(ValueError, match="y has 3 entries, but X has 4"):
        SequenceTransformer(SelectKBest(k=1)).fit(pieces, labels[:3])


def test_sequences_with_other_columns_are_refused(pieces):
    with pytest.raises(ValueError, match="sequence 4 has columns 1, but sequence 0 has 2"):
        SequenceTransformer(StandardScaler()).fit([*pieces, np.ones((2, 1))])
    with pytest.raises(ValueError, match="no sequence"):
        SequenceTransformer(StandardScaler()).fit([])


def test_sparse_output_is_refused_with_a_remedy():
    words = [np.array([["a"], ["b"]]), np.array([["a"]])]
    with pytest.raises(TypeError, match="sparse_output=False"):
        SequenceTransformer(OneHotEncoder()).fit_transform(words)
    found = SequenceTransformer(OneHotEncoder(sparse_output=False)).fit_transform(words)
    assert_array_equal(found[0], np.eye(2))
