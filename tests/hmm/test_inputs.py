"""The same numbers in every form of input, and what is turned away with which words."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from skgen import GMMHMM, HMM, CategoricalHMM, GaussianHMM, MultinomialHMM, PoissonHMM, to_sequences
from skgen.emissions import Bernoulli, Categorical, Gamma, Gaussian, Product

LENGTHS = [7, 12, 5, 9]


@pytest.fixture
def X(rng):
    return [rng.normal(size=(n, 2)) + rng.choice([0, 4], (n, 1)) for n in LENGTHS]


@pytest.fixture
def fitted(X):
    return GaussianHMM(2, random_state=0).fit(X)


def stacked(X):
    frame = pd.DataFrame(np.concatenate(X), columns=["a", "b"])
    return frame.assign(id=np.repeat(["x", "c", "b", "d"], LENGTHS))


def ragged(X):
    out = np.empty(len(X), dtype=object)
    out[:] = X
    return out


FORMS = {
    "tuple": tuple,
    "object array": ragged,
    "nested lists": lambda X: [x.tolist() for x in X],
    "Fortran": lambda X: [np.asfortranarray(x) for x in X],
    "big-endian": lambda X: [x.astype(">f8") for x in X],
    "strided": lambda X: [np.repeat(x, 2, axis=0)[::2] for x in X],
    "read-only": lambda X: [np.frombuffer(x.tobytes()).reshape(x.shape) for x in X],
    "lengths": lambda X: to_sequences(np.concatenate(X), lengths=LENGTHS),
    "pandas": lambda X: [pd.DataFrame(x, columns=["a", "b"]) for x in X],
    "polars": lambda X: [pl.DataFrame(x, schema=["a", "b"]) for x in X],
    "pandas by": lambda X: to_sequences(stacked(X), by="id"),
    "polars by": lambda X: to_sequences(pl.DataFrame(stacked(X).to_dict("list")), by="id"),
    "pandas lengths": lambda X: to_sequences(stacked(X)[["a", "b"]], lengths=LENGTHS),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_every_form_gives_the_same_numbers(X, fitted, form):
    given = form(X)
    model = GaussianHMM(2, random_state=0).fit(given)
    assert_array_equal(model.means_, fitted.means_)
    assert_array_equal(model.score_samples(given), fitted.score_samples(X))
    for got, want in zip(model.predict_proba(given), fitted.predict_proba(X), strict=True):
        assert_array_equal(got, want)


def test_a_cube_is_a_list(X):
    cube = np.stack([x[:5] for x in X])
    one, two = (GaussianHMM(2, random_state=0).fit(form) for form in (cube, list(cube)))
    assert_array_equal(one.means_, two.means_)
    assert_array_equal(one.score_samples(cube), two.score_samples(list(cube)))


@pytest.mark.parametrize("container", [pd.DataFrame, pl.DataFrame], ids=["pandas", "polars"])
def test_a_frame_is_one_sequence(X, container):
    frame = container({"a": X[1][:, 0], "b": X[1][:, 1]})
    one, two = (GaussianHMM(2, random_state=0).fit(form) for form in (frame, X[1]))
    assert_array_equal(one.score_samples(frame), two.score_samples(X[1]))
    assert_array_equal(one.feature_names_in_, ["a", "b"])
    assert isinstance(one.sample(3, random_state=0)[0], container)
    frame = frame.copy() if container is pd.DataFrame else frame
    assert isinstance(one.impute(frame), container)
    with pytest.raises(ValueError, match="feature names should match"):
        one.score_samples(frame[["b", "a"]])


def test_one_series_may_be_a_list_of_numbers(rng):
    series = [rng.normal(size=n) for n in (5, 8)]
    one = GaussianHMM(2, random_state=0).fit(series)
    two = GaussianHMM(2, random_state=0).fit([x[:, None] for x in series])
    assert_array_equal(one.means_, two.means_)


def test_float32_comes_in(X, fitted):
    single = [x.astype(np.float32) for x in X]
    assert_allclose(fitted.score_samples(single), fitted.score_samples(X), rtol=1e-5)
    model = GaussianHMM(2, random_state=0).fit(single)
    assert model.means_.dtype == np.float64
    assert_allclose(model.score(single), fitted.score(X), rtol=1e-5)


def test_lists_come_out_as_object_arrays(X, fitted):
    for method in ("predict", "predict_proba", "filter", "impute", "pseudo_residuals"):
        out = getattr(fitted, method)(X)
        assert isinstance(out, np.ndarray)
        assert out.dtype == object
        assert [len(x) for x in out] == LENGTHS
        assert out[np.array([2, 0])].shape == (2,)
        single = getattr(fitted, method)(X[0])
        assert_array_equal(single, out[0])
        same = getattr(fitted, method)(np.stack([x[:5] for x in X]))
        assert same.shape == (4,)
    assert fitted.score_samples(X).shape == (4,)
    assert fitted.score_samples(X[1]).shape == (12,)


def test_frames_come_out_where_frames_were_fitted(X):
    frames = [pd.DataFrame(x, columns=["a", "b"]) for x in X]
    frames[1].iloc[3, 0] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = GaussianHMM(2, random_state=0).fit(frames)
        for method in ("mean", "mode", "draw"):
            out = model.impute(frames, method, random_state=0)
            assert all(isinstance(x, pd.DataFrame) for x in out)
            assert list(out[1].columns) == ["a", "b"]
            assert not out[1].isna().any().any()
        drawn, _ = model.sample(2, random_state=0)
    assert list(drawn[0].columns) == ["a", "b"]


def test_input_is_not_changed(X):
    X[1][3] = np.nan
    before = [x.copy() for x in X]
    y = [np.full(n, -1) for n in LENGTHS]
    GaussianHMM(2, random_state=0).fit(X, y, sample_weight=[1, 2, 0, 1]).impute(X)
    for x, was in zip(X, before, strict=True):
        assert_array_equal(x, was)
    assert all((states == -1).all() for states in y)


def test_missing_symbols_may_have_a_code():
    X = [np.array([0, 1, 2, -1, 1, 0]), np.array([-1, 2, 2, 0])]
    coded = CategoricalHMM(2, missing_code=-1, random_state=0).fit(X)
    gaps = [np.where(x < 0, np.nan, x) for x in X]
    plain = CategoricalHMM(2, random_state=0).fit(gaps)
    assert_array_equal(coded.probs_, plain.probs_)
    assert_array_equal(coded.score_samples(X), plain.score_samples(gaps))


def test_unseen_symbols_are_refused_or_ignored():
    X, new = [np.array([0, 1, 2, 1, 1, 0])], [np.array([0, 7, 1])]
    with pytest.raises(ValueError, match=r"7.*unknown=\"ignore\""):
        CategoricalHMM(2, random_state=0).fit(X).score_samples(new)
    model = CategoricalHMM(2, random_state=0, unknown="ignore").fit(X)
    assert_allclose(model.score_samples(new), model.score_samples([np.array([0, np.nan, 1])]))
    more = CategoricalHMM(2, n_categories=8, concentration=1.5, random_state=0).fit(X)
    assert np.isfinite(more.score_samples(new)).all()


@pytest.mark.parametrize(("emission", "bad"), [(Categorical(), 7.0), (Gamma(), -1.0)])
def test_errors_say_where_in_which_sequence(emission, bad):
    X = [pd.DataFrame({"size": np.arange(1.0, n)}) for n in (4, 6, 5)]
    model = HMM(emission, random_state=0).fit(X)
    X[1].loc[3, "size"] = bad
    with pytest.raises(ValueError, match=rf'X has {bad:g} in row 3 of sequence 1, column "size"'):
        model.score_samples(X) if bad > 0 else model.fit(X)


def test_mixed_columns_have_emissions_of_their_own(rng):
    frame = pd.DataFrame({"size": rng.normal(size=30), "kind": rng.integers(3, size=30)})
    frame.loc[4, "kind"] = np.nan
    emission = Product([("size", Gaussian(), ["size"]), ("kind", Categorical(), ["kind"])])
    model = HMM(emission, 2, random_state=0).fit([frame])
    assert model.size__means_.shape == (2, 1)
    assert model.impute([frame])[0].shape == (30, 2)
    assert model.marginal(["kind"]).score_samples([frame[["kind"]]]).shape == (1,)


# ---- what is turned away ---------------------------------------------------------------------

ONE = np.array([[0.0, 1.0], [2.0, 3.0], [1.0, 1.0], [0.5, 0.2]])
GOOD = [ONE, ONE[::-1].copy()]
CODES = [np.array([0, 1, 0, 1])]
BAD_X = {
    "no sequence": ([], "X has no sequence"),
    "an empty sequence": ([ONE, ONE[:0]], "sequence 1.*0 sample"),
    "an empty array": (ONE[:0], "0 sample"),
    "no column": (ONE[:, :0], "0 feature"),
    "one dimension": (ONE[:, 0], "Reshape your data"),
    "four dimensions": (ONE[None, None], "4D array"),
    "mixed widths": ([ONE, ONE[:, :1]], "sequence 1 has columns 1, but sequence 0 has columns 2"
                                        "|sequence 1 has columns 1, but sequence 0 has 2"),
    "words": ([ONE, np.array([["a", "b"]])], "sequence 1.*'a'"),
    "a cube in a list": ([ONE[None]], "sequence 0 has shape"),
    "infinite": ([ONE, np.where(ONE == 3, np.inf, ONE)], "infinite value in row 1 of sequence 1"),
    "nothing of a column": ([np.where([False, True], np.nan, ONE)], "no observed value in col.* 1"),
    "objects": ([ONE, None], "sequence 1"),
    "too short": ([ONE[:1]], "1 steps in all.*n_components=2"),
}  # fmt: skip


@pytest.mark.parametrize(("X", "words"), BAD_X.values(), ids=BAD_X)
def test_bad_data_is_refused_in_fit(X, words):
    with pytest.raises((ValueError, TypeError), match=words):
        GaussianHMM(2).fit(X)


@pytest.mark.parametrize(
    "name", [n for n in BAD_X if n not in ("nothing of a column", "too short")]
)
def test_bad_data_is_refused_in_use(name):
    X, _ = BAD_X[name]
    model = GaussianHMM(2, random_state=0).fit(GOOD)
    for method in ("score_samples", "predict", "predict_proba", "filter", "decode", "impute"):
        with pytest.raises((ValueError, TypeError)):
            getattr(model, method)(X)


@pytest.mark.parametrize("make", [sparse.csr_array, sparse.csc_matrix])
def test_sparse_data_is_refused_by_name(make):
    model = GaussianHMM(2, random_state=0).fit(GOOD)
    for action in (model.fit, model.predict, lambda X: model.fit([X])):
        with pytest.raises(TypeError, match=r"sparse.*toarray"):
            action(make(ONE))


@pytest.mark.parametrize(
    ("model", "X", "words"),
    [
        (PoissonHMM(2), [ONE - 5], "-5"),
        (PoissonHMM(2), [ONE + 0.5], r"0\.5"),
        (CategoricalHMM(2), [np.array([0.0, -1.0, 2.0])], "-1"),
        (CategoricalHMM(2), [np.array([0.0, 0.5, 2.0])], r"0\.5"),
        (MultinomialHMM(2), [ONE - 5], "-5"),
        (HMM(Bernoulli(), 2), [ONE], "2|3"),
    ],
)
def test_values_that_the_emission_cannot_emit_are_named(model, X, words):
    with pytest.raises(ValueError, match=words):
        model.fit(X)


@pytest.mark.parametrize("form", [list, np.array, pd.Series])
def test_lengths_in_the_place_of_known_states_are_refused(X, form):
    with pytest.raises(ValueError, match=r"y has 4 entries, but X has 33.*to_sequences"):
        GaussianHMM(2).fit(np.concatenate(X), form(LENGTHS))
    with pytest.raises(ValueError, match=r"y has 4 entries, but X has 33.*to_sequences"):
        GaussianHMM(2).fit(X).score(np.concatenate(X), form(LENGTHS))


BAD_Y = {
    "too few": ([[0, 1, 0, 1]], "y has the states of 1 sequences, but X has 2"),
    "too short": ([[0, 1, 0, 1], [0, 1]], r"y\[1\] has shape \(2,\), but sequence 1 has 4 steps"),
    "out of range": ([[0, 1, 0, 2], [0] * 4], r"y\[0\] is 2 at step 3.*0 to 1"),
    "negative": ([[0, 1, 0, -2], [0] * 4], r"y\[0\] is -2 at step 3"),
    "not whole": ([[0, 1, 0, 0.5], [0] * 4], r"y\[0\] must hold integers"),
    "missing": ([[0, 1, 0, np.nan], [0] * 4], r"y\[0\] must hold integers"),
}


@pytest.mark.parametrize(("y", "words"), BAD_Y.values(), ids=BAD_Y)
def test_bad_labels_are_refused(y, words):
    with pytest.raises(ValueError, match=words):
        GaussianHMM(2).fit(GOOD, y)


IMPOSSIBLE = "sequence 0 is impossible"
BAD_OPTIONS = {
    "topology name": ({"topology": "circle"}, "topology"),
    "topology shape": ({"topology": np.ones((2, 2))}, r"topology has shape \(2, 2\)"),
    "topology dead end": ({"topology": np.diag([1, 0, 1])}, "no transition from state 1"),
    "startprob shape": ({"startprob_init": [0.5, 0.5]}, r"startprob_init has shape \(2,\)"),
    "startprob sum": ({"startprob_init": [0.5, 0.5, 0.5]}, "add up to 1"),
    "startprob negative": ({"startprob_init": [1.5, -0.5, 0.0]}, "lowest entry -0.5"),
    "startprob place": (
        {"startprob_init": [0.5, 0.5, 0.0], "topology": "linear"},
        "begins in states in which topology does not",
    ),
    "startprob stationary": (
        {"startprob_init": [1, 0, 0], "stationary": True},
        "follows from transmat_init",
    ),
    "transmat sum": ({"transmat_init": np.eye(3) * 0.9}, "add up to 1"),
    "transmat place": (
        {"transmat_init": np.full((3, 3), 1 / 3), "topology": "linear"},
        r"at \(0, 2\), a transition that topology does not allow",
    ),
    "transmat NaN": ({"transmat_init": np.full((3, 3), np.nan)}, "transmat_init is nan"),
    "prior below one": ({"transmat_prior": 0.5}, "transmat_prior"),
    "prior array below one": ({"transmat_prior": np.full((3, 3), 0.5)}, "must be 1 or more"),
    "prior shape": ({"startprob_prior": [2.0, 2.0]}, r"startprob_prior has shape \(2,\)"),
    "stationary left-right": ({"topology": "left-right", "stationary": True}, "stationary=True"),
    "stationary fixed startprob": ({"fixed": ["startprob"], "stationary": True}, "stationary=True"),
    "held without": ({"transmat_held": np.eye(3)}, "transmat_held needs transmat_init"),
    "held beyond one": (
        {
            "transmat_held": np.eye(3),
            "transmat_init": [[0.6, 0.2, 0.2], [0.2, 0.6, 0.2], [0.2, 0.2, 0.6]],
            "transmat_shared": [[0, 1, 1], [1, 0, 2], [2, 2, 0]],
        },
        None,
    ),
    "shared that cannot add up": (
        {"transmat_shared": [[1, 1, 1], [1, 1, 2], [0, 0, 0]]},
        None,
    ),
    "emission parameter": ({"emission_init": {"rates": [1.0]}}, "emission_init has 'rates'"),
    "emission shape": (
        {"emission_init": {"means": [[0.0]]}},
        r"emission_init\['means'\] has shape",
    ),
    "fixed name": ({"fixed": ["mean"]}, "fixed has 'mean', which is no parameter"),
    "fixed type": ({"fixed": "means"}, "fixed"),
    "n_components": ({"n_components": 0}, "n_components"),
    "init_params": ({"init_params": "best"}, "init_params"),
    "tol": ({"tol": -1.0}, "tol"),
    "weights": ({}, "sample_weight"),
}


@pytest.mark.parametrize(("options", "words"), BAD_OPTIONS.values(), ids=BAD_OPTIONS)
def test_bad_options_are_refused(options, words, rng):
    X = [rng.normal(size=(9, 2))]
    model = GaussianHMM(**{"n_components": 3, "random_state": 0, **options})
    weights = [-1.0] if words == "sample_weight" else None
    if words is None:  # odd, but there are such probabilities
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            assert_allclose(model.fit(X).transmat_.sum(axis=1), 1.0)
        return
    with pytest.raises((ValueError, TypeError), match=words):
        model.fit(X, sample_weight=weights)


def test_a_structure_that_makes_the_data_impossible_is_refused(rng):
    X = [rng.normal(size=(4, 1))]
    y = [np.array([1, 0, 0, 0])]
    with pytest.raises(ValueError, match="sequence 0 is impossible"):
        GaussianHMM(2, topology="left-right").fit(X, y)
    with pytest.raises(ValueError, match="sequence 0 is impossible"):
        GaussianHMM(2, startprob_init=[1, 0], fixed=["startprob"]).fit(X, y)


def test_a_sequence_that_the_model_cannot_emit(rng):
    """Its distance from all means, squared, is beyond the range of numbers."""
    model = GaussianHMM(1).fit([rng.normal(size=(9, 1))])
    X = [np.zeros((3, 1)), np.array([[0.0], [1e200], [0.0]])]
    assert_array_equal(np.isfinite(model.score_samples(X)), [True, False])
    for method in ("predict", "predict_proba", "filter", "decode", "sample_states"):
        with pytest.raises(ValueError, match="sequence 1 has probability zero under the model"):
            getattr(model, method)(X)
    with pytest.raises(ValueError, match="sequence 1 has probability zero under the model"):
        model.forecast(2, X)


@pytest.mark.parametrize("kind", ["full", "tied"])
def test_covariances_that_are_none_are_refused(kind):
    model = GaussianHMM(2, covariance_type=kind, random_state=0).fit(GOOD)
    model.covariances_ = -model.covariances_
    with pytest.raises(ValueError, match="not positive definite"):
        model.score_samples(GOOD)


def test_other_methods_name_their_bad_arguments(fitted, X):
    for action, words in (
        (lambda: fitted.forecast(0, X), "horizon=0"),
        (lambda: fitted.forecast(1).interval(95), "level=95"),
        (lambda: fitted.forecast(1).quantile(0.0), r"q=0\.0"),
        (lambda: fitted.forecast(2).log_prob(np.ones((3, 2))), "horizon|shape"),
        (lambda: fitted.decode(X, k=0), "k=0"),
        (lambda: fitted.sample(0), "n_samples=0"),
        (lambda: fitted.sample(3, length=0), "length=0"),
        (lambda: fitted.sample(3, length=[1, 2]), r"length=\[1, 2\]"),
        (lambda: fitted.sample_states(X, 0), "n_samples=0"),
        (lambda: fitted.impute(X, "median"), "method='median'"),
        (lambda: fitted.marginal([5]), "features has index 5"),
    ):
        with pytest.raises(ValueError, match=words):
            action()


def test_a_model_without_a_distribution_function_says_so():
    model = CategoricalHMM(2, random_state=0).fit(CODES)
    for action in (lambda: model.forecast(1).interval(), lambda: model.pseudo_residuals(CODES)):
        with pytest.raises(NotImplementedError, match="distribution function"):
            action()


@pytest.mark.parametrize(
    "method",
    ["score_samples", "score", "predict", "predict_proba", "filter", "decode", "aic", "bic",
     "impute", "sample_states", "pseudo_residuals"],
)  # fmt: skip
def test_a_model_before_its_fit_says_so(method):
    for model in (HMM(), GMMHMM(), MultinomialHMM()):
        with pytest.raises(NotFittedError):
            getattr(model, method)(GOOD)
    for action in (lambda: HMM().sample(), lambda: HMM().forecast(1), lambda: HMM().marginal([0])):
        with pytest.raises(NotFittedError):
            action()
    with pytest.raises(AttributeError):
        HMM().stationary_distribution_


def test_a_failed_fit_leaves_the_model_as_it_was(fitted, X):
    before = dict(vars(fitted))
    with pytest.raises(ValueError, match="infinite"):
        fitted.fit([np.full((3, 2), np.inf)])
    assert vars(fitted) == before
