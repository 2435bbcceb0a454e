import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.validation import check_is_fitted

from skgen import Gaussian, _validation
from skgen._validation import (
    check_array_parameter,
    check_features,
    check_memory,
    check_rows,
    check_sequences,
)

NAMES = ["age", "amount", "items"]


class Means(DensityMixin, BaseEstimator):
    """The plainest estimator that enters by the door: squared distances from the means."""

    def fit(self, X, y=None, sample_weight=None):
        rows = check_rows(self, X, reset=True, sample_weight=sample_weight)
        weights = np.ones(len(rows)) if rows.weights is None else rows.weights
        seen = weights[:, None] * ~rows.missing
        self.means_ = (seen * np.nan_to_num(rows.values)).sum(axis=0) / seen.sum(axis=0)
        return self

    def score_samples(self, X):
        check_is_fitted(self)
        rows = check_rows(self, X, reset=False)
        return -np.nansum((rows.values - self.means_) ** 2, axis=1)

    def score(self, X, y=None):
        return float(self.score_samples(X).mean())

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


@parametrize_with_checks([Means()])
def test_the_door_satisfies_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.fixture
def X():
    return np.random.default_rng(0).normal(size=(6, 3))


@pytest.fixture
def fitted(X):
    return Means().fit(X)


# --- rows ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("reset", [True, False])
def test_float_arrays_pass_without_a_copy(X, fitted, dtype, reset):
    X = X.astype(dtype)
    X.flags.writeable = False
    rows = check_rows(fitted, X, reset=reset)
    assert rows.values is X
    assert rows.weights is None
    assert not rows.has_missing


@pytest.mark.parametrize("reset", [True, False])
@pytest.mark.parametrize(
    "form",
    [
        np.asfortranarray,
        lambda X: X.tolist(),
        lambda X: X.astype(object),
        lambda X: X.astype(">f8"),
        lambda X: np.repeat(X, 2, axis=0)[::2],
        lambda X: np.frombuffer(b"0" + X.tobytes(), np.float64, X.size, 1).reshape(X.shape),
    ],
)
def test_every_form_of_a_matrix_gives_the_same_rows(X, fitted, form, reset):
    X[2, 1] = np.nan
    rows = check_rows(fitted, form(X), reset=reset)
    assert rows.values.dtype == np.float64
    assert rows.values.flags.c_contiguous
    assert rows.values.flags.aligned
    assert rows.has_missing
    assert_array_equal(rows.values, X)


def test_integers_and_booleans_become_float64(fitted):
    for X in (np.ones((4, 3), dtype=int), np.ones((4, 3), dtype=bool), np.ones((4, 3), np.float16)):
        assert check_rows(fitted, X, reset=False).values.dtype == np.float64


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_frames_are_read_with_their_names_and_gaps(frame):
    X = frame({"a": [1, None, 3], "b": [1.0, 2.0, 3.0]})
    estimator = Means()
    rows = check_rows(estimator, X, reset=True)
    assert_array_equal(rows.values, [[1, 1], [np.nan, 2], [3, 3]])
    assert estimator.feature_names_in_.tolist() == ["a", "b"]
    with pytest.raises(ValueError, match="feature names should match"):
        check_rows(estimator, X[["b", "a"]], reset=False)


def test_an_array_for_an_estimator_fitted_on_a_frame_is_remarked(X):
    named = Means().fit(pd.DataFrame(X, columns=NAMES))
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        check_rows(named, X, reset=False)


def test_nullable_pandas_columns_have_gaps(fitted):
    X = pd.DataFrame({name: pd.array([1, None], dtype="Int64") for name in "abc"})
    with pytest.warns(UserWarning, match="fitted without feature names"):
        rows = check_rows(fitted, X, reset=False)
    assert_array_equal(np.isnan(rows.values), [[False] * 3, [True] * 3])


@pytest.mark.parametrize("reset", [True, False])
@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_an_infinite_value_is_refused_with_its_place(X, fitted, value, reset):
    X[3, 1] = value
    X[1, 0] = np.nan
    with pytest.raises(ValueError, match=r"infinite value in row 3, column 1; NaN marks a missing"):
        _ = check_rows(fitted, X, reset=reset).values
    named = Means().fit(pd.DataFrame(np.ones((2, 3)), columns=NAMES))
    with pytest.raises(ValueError, match='infinite value in row 3, column "amount"'):
        _ = check_rows(named, pd.DataFrame(X, columns=NAMES), reset=reset).has_missing


def test_a_column_without_values_is_refused_at_fit_only(X, fitted):
    X[:, 2] = np.nan
    with pytest.raises(ValueError, match='no observed value in column "items"'):
        check_rows(Means(), pd.DataFrame(X, columns=NAMES), reset=True)
    assert check_rows(fitted, X, reset=False).has_missing
    X[4, 2] = 1.0  # observed, but in a row without weight
    check_rows(fitted, X, reset=True)
    with pytest.raises(ValueError, match="no observed value in column 2"):
        check_rows(fitted, X, reset=True, sample_weight=[1, 1, 1, 1, 0, 1])


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_text_is_refused_with_its_place(frame):
    X = frame({"age": [1.0, 2.0], "amount": ["3", "many"], "items": [1, 2]})
    with pytest.raises(ValueError, match=r"'many' in row 1, column \"amount\".*OrdinalEncoder"):
        check_rows(Means(), X, reset=True)


@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        (sparse.csr_matrix(np.eye(3)), TypeError, "Sparse data .*toarray"),
        (np.ones((2, 3)) * 1j, ValueError, "Complex data not supported"),
        (np.ones((0, 3)), ValueError, "0 sample"),
        (np.ones((3, 0)), ValueError, "0 feature"),
        (np.ones(3), ValueError, "Expected 2D array, got 1D"),
        (np.ones((2, 3, 1)), ValueError, "dim 3"),
        (np.ones((2, 4)), ValueError, "X has 4 features, but Means is expecting 3 features"),
        ([[1, 2, {}]], TypeError, r"X has \{\} in row 0, column 2, which is not a number"),
    ],
)
def test_what_is_no_matrix_is_refused(fitted, bad, error, message):
    with pytest.raises(error, match=message):
        check_rows(fitted, bad, reset=False)


def test_too_few_rows_are_refused(X):
    with pytest.raises(ValueError, match=r"6 sample\(s\).*minimum of 7"):
        check_rows(Means(), X, reset=True, min_rows=7)


# --- weights ------------------------------------------------------------------------------------
def test_rows_without_weight_are_left_out(X, fitted):
    rows = check_rows(fitted, X, reset=True, sample_weight=[0, 1, 2, 0, 0.5, 0])
    assert_array_equal(rows.values, X[[1, 2, 4]])
    assert_array_equal(rows.weights, [1, 2, 0.5])


def test_weights_of_one_are_no_weights(X, fitted):
    for weight in (1, np.ones(6), [1] * 6):
        assert check_rows(fitted, X, reset=True, sample_weight=weight).weights is None
    assert_array_equal(check_rows(fitted, X, reset=True, sample_weight=2.0).weights, [2.0] * 6)


@pytest.mark.parametrize(
    ("weight", "error", "message"),
    [
        ([1, 1, -0.5, 1, 1, 1], ValueError, "sample_weight is -0.5 in row 2"),
        ([1, np.nan, 1, 1, 1, 1], ValueError, "sample_weight is nan in row 1"),
        ([1, 1, 1, 1, 1, np.inf], ValueError, "sample_weight is inf in row 5"),
        ([0] * 6, ValueError, "sample_weight is zero for every row"),
        (0, ValueError, "sample_weight is zero for every row"),
        ([1, 1], ValueError, r"shape \(2,\), but X has 6 rows"),
        (np.ones((6, 1)), ValueError, r"shape \(6, 1\), but X has 6 rows"),
        (["a"] * 6, ValueError, "sample_weight must hold numbers"),
        ({}, TypeError, "sample_weight must hold numbers"),
    ],
)
def test_impossible_weights_are_refused(X, fitted, weight, error, message):
    with pytest.raises(error, match=message):
        check_rows(fitted, X, reset=True, sample_weight=weight)


# --- sequences ----------------------------------------------------------------------------------
def test_sequences_come_end_to_end(X):
    sequences = check_sequences(Means(), [X[:1], X[1:4], X[4:]], reset=True)
    assert_array_equal(sequences.rows.values, X)
    assert_array_equal(sequences.offsets, [0, 1, 4, 6])
    assert sequences.weights is None
    assert not sequences.single


def test_a_matrix_is_one_sequence_whose_rows_are_samples(X):
    for one in (X, pd.DataFrame(X), X.astype(object)):
        sequences = check_sequences(Means(), one, reset=True)
        assert sequences.single
        assert_array_equal(sequences.offsets, [0, 6])
        assert_array_equal(sequences.rows.values, X)
    assert not check_sequences(Means(), [X], reset=True).single


def test_only_float32_sequences_stay_float32(X):
    single = X.astype(np.float32)
    assert check_sequences(Means(), [single, single], reset=True).rows.values.dtype == np.float32
    assert check_sequences(Means(), [single, X], reset=True).rows.values.dtype == np.float64


def test_sequences_of_frames_set_and_keep_names(X):
    frames = [pd.DataFrame(x, columns=NAMES) for x in (X[:2], X[2:])]
    estimator = Means()
    assert_array_equal(check_sequences(estimator, frames, reset=True).rows.values, X)
    assert estimator.feature_names_in_.tolist() == NAMES
    with pytest.raises(ValueError, match=r"sequence 1 has columns .* but sequence 0 has \['age'"):
        check_sequences(estimator, [frames[0], frames[1][NAMES[::-1]]], reset=True)
    with pytest.raises(ValueError, match="feature names should match"):
        check_sequences(estimator, [f[NAMES[::-1]] for f in frames], reset=False)


def test_the_weight_of_a_sequence_is_that_of_its_rows(X):
    sequences = check_sequences(
        Means(), [X[:1], X[1:4], X[4:]], reset=True, sample_weight=[2.0, 0.0, 0.5]
    )
    assert_array_equal(sequences.rows.values, X[[0, 4, 5]])
    assert_array_equal(sequences.rows.weights, [2.0, 0.5, 0.5])
    assert_array_equal(sequences.weights, [2.0, 0.5])
    assert_array_equal(sequences.offsets, [0, 1, 3])


def pieces(bad):
    return [np.ones((3, 3)), bad]


@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        ([], ValueError, "X has no sequence"),
        (pieces(np.ones((2, 2))), ValueError, "sequence 1 has columns 2, but sequence 0 has 3"),
        (pieces(np.ones((0, 3))), ValueError, "sequence 1: .*0 sample"),
        (pieces([["a", "b", "c"]]), ValueError, "sequence 1: X has .*'a'.* in row 0, column 0"),
        (pieces(np.full((2, 3), np.inf)), ValueError, "infinite value in row 0 of sequence 1"),
        (np.full((2, 3), np.inf), ValueError, "infinite value in row 0, column 0"),
        ([np.ones((2, 4))], ValueError, "X has 4 features, but Means is expecting 3"),
        (np.ones((2, 4)), ValueError, "X has 4 features, but Means is expecting 3"),
        (np.ones(4), ValueError, r"reshape\(-1, 1\)"),
    ],
)
def test_what_is_no_set_of_sequences_is_refused(fitted, bad, error, message):
    with pytest.raises(error, match=message):
        check_sequences(fitted, bad, reset=False)


def test_a_column_that_no_sequence_observes_is_refused_at_fit(fitted):
    X = pieces(np.ones((2, 3)))
    X[1][:, 0] = np.nan
    check_sequences(fitted, X, reset=True)
    X[0][:, 0] = np.nan
    check_sequences(fitted, X, reset=False)
    with pytest.raises(ValueError, match="no observed value in column 0"):
        check_sequences(fitted, X, reset=True)


def test_errors_count_the_sequences_without_weight(fitted):
    X = [np.ones((2, 3)), np.ones((1, 3)), np.full((1, 3), np.inf)]
    with pytest.raises(ValueError, match="row 0 of sequence 2"):
        check_sequences(fitted, X, reset=False, sample_weight=[1, 0, 1])


def test_weights_are_one_per_sequence(fitted):
    with pytest.raises(ValueError, match="but X has 2 sequences; pass one weight for each seq"):
        check_sequences(fitted, pieces(np.ones((2, 3))), reset=True, sample_weight=np.ones(5))


# --- features, memory, parameters ---------------------------------------------------------------
def test_features_are_given_by_index_name_or_mask(X):
    estimator = Means().fit(pd.DataFrame(X, columns=NAMES))
    for features in ([2, 0], [-1, -3], ["items", "age"], np.array(["items", "age"], dtype=object)):
        chosen = check_features(estimator, features)
        assert chosen.dtype == np.intp
        assert_array_equal(chosen, [2, 0])
    assert_array_equal(check_features(estimator, "amount"), [1])
    assert_array_equal(check_features(estimator, 1), [1])
    assert_array_equal(check_features(estimator, [True, False, True]), [0, 2])
    assert_array_equal(check_features(estimator, pd.Index(["items"])), [2])


@pytest.mark.parametrize(
    ("features", "error", "message"),
    [
        (["age"], ValueError, "fitted without feature names"),
        ([0, 3], ValueError, "index 3, but Means was fitted with 3 features: 0 to 2"),
        ([0, -4], ValueError, "index -4"),
        ([0, 0], ValueError, "names a feature twice"),
        ([0, -3], ValueError, "names a feature twice"),
        ([True, False], TypeError, "mask with one entry for each of the 3"),
        ([0.5], TypeError, "indices, names, or a mask"),
        (None, TypeError, "indices, names, or a mask"),
    ],
)
def test_impossible_features_are_refused(fitted, features, error, message):
    with pytest.raises(error, match=message):
        check_features(fitted, features)


def test_an_unknown_name_is_refused_with_the_known_ones(X):
    estimator = Means().fit(pd.DataFrame(X, columns=NAMES))
    with pytest.raises(ValueError, match=r"'price', which is not .*\['age', 'amount', 'items'\]"):
        check_features(estimator, ["age", "price"])


def test_what_does_not_fit_in_memory_is_refused(monkeypatch):
    assert _validation.available_memory() > 2**20
    monkeypatch.setattr(_validation, "available_memory", lambda: 3 * 2**30)
    check_memory(3 * 2**30, "a table", "shrink it")
    with pytest.raises(MemoryError, match=r"a table would take 6 GiB, but 3 GiB .*; shrink it"):
        check_memory(6 * 2**30, "a table", "shrink it")


def test_given_arrays_are_checked():
    start = check_array_parameter("means_init", [[1, 2], [3, 4]], (2, 2))
    assert start.dtype == np.float64
    assert check_array_parameter("scale", 2, ()).shape == ()
    for value, error, message in (
        (np.ones(3), ValueError, r"means_init has shape \(3,\); pass an array of shape \(2, 2\)"),
        ([[1, 2], [np.nan, 4]], ValueError, r"means_init is nan at \(1, 0\)"),
        ("many", ValueError, "means_init must be an array of numbers"),
        ([{}], TypeError, "means_init must be an array of numbers"),
    ):
        with pytest.raises(error, match=message):
            check_array_parameter("means_init", value, (2, 2))


def test_dates_are_refused_by_name():
    frame = pd.DataFrame({"size": [1.0, 2.0], "day": pd.Timestamp("2020-01-01")})
    with pytest.raises(
        TypeError, match=r'Timestamp.* in row 0, column "day", which is not a number'
    ):
        Gaussian().fit(frame)
