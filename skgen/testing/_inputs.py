"""Checks of the door: the same numbers in another container, and what must be turned away."""

import tempfile
from pathlib import Path

import numpy as np
from scipy import sparse
from sklearn.exceptions import NotFittedError

from ._case import split_sample
from ._registry import (
    assert_close,
    assert_identical,
    assert_refused,
    density_check,
    require,
)


def _assert_same_in(case, container, tolerance=1e-12):
    """The rows in this container are fitted and scored as the plain array is."""
    X = case.rows()
    model = case.fit(X)
    expected = model.score_samples(X)
    packed = container(X)
    refitted = case.fit(packed)
    plain = "score_samples of the packed rows", model.score_samples(packed)
    both = "fit to the packed rows", refitted.score_samples(packed)
    for what, actual in (plain, both):
        assert_close(actual, expected, tolerance, what)
    return refitted


@density_check()
def check_float32(case):
    """float32 rows give the scores that the same numbers give in float64."""
    _assert_same_in(case, lambda X: X.astype(np.float32), 1e-4)


@density_check("real")
def check_float32_far_from_zero(case):
    """float32 rows whose mean is a thousand standard deviations lose no more than others."""
    X = case.rows() + 2.0**10
    expected = case.fit(X).score_samples(X)
    X = X.astype(np.float32)
    assert_close(case.fit(X).score_samples(X), expected, 2e-3, "scores of float32 rows")


@density_check()
def check_memory_layout(case):
    """Fortran order, strides, reversed views and nested lists change nothing."""
    _assert_same_in(case, np.asfortranarray)
    _assert_same_in(case, lambda X: np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)[::2, ::3])
    _assert_same_in(case, lambda X: X[::-1].copy()[::-1])
    _assert_same_in(case, np.ndarray.tolist)


@density_check()
def check_read_only_rows(case):
    """Rows that may not be written to, in memory or mapped from a file, change nothing."""

    def locked(X):
        X = X.copy()
        X.flags.writeable = False
        return X

    _assert_same_in(case, locked)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rows.npy")

        def mapped(X):
            np.save(path, X)
            return np.load(path, mmap_mode="r")

        _assert_same_in(case, mapped)


@density_check("discrete")
def check_integer_rows(case):
    """Discrete data may come as integers."""
    _assert_same_in(case, lambda X: X.astype(np.int64))


def _check_frame(case, make):
    names = [f"column {j}" for j in range(case.kind.n_features)]
    model = _assert_same_in(case, lambda X: make(X, names))
    seen = list(model.feature_names_in_)
    assert seen == names, f"feature_names_in_ is {seen}, not {names}."
    turned = make(case.rows()[:, ::-1], names[::-1])
    assert_refused(lambda: model.score_samples(turned), "feature names")


@density_check()
def check_pandas(case):
    """A pandas frame is its values, and its columns in another order are refused."""
    pandas = require("pandas")
    _check_frame(case, lambda X, names: pandas.DataFrame(X, columns=names))


@density_check()
def check_polars(case):
    """A polars frame is its values, and its columns in another order are refused."""
    polars = require("polars")
    _check_frame(case, lambda X, names: polars.DataFrame(X, schema=names))


@density_check("sample", "set_output")
def check_samples_come_as_the_data_came(case):
    """A fit to a frame samples frames with its columns; `set_output` asks for them otherwise."""
    pandas = require("pandas")
    X = case.rows()
    frame = pandas.DataFrame(X).add_prefix("column ")
    framed, _ = split_sample(case.fit(frame).sample(3))
    assert isinstance(framed, pandas.DataFrame), f"a fit to a frame samples a {type(framed)}."
    assert list(framed) == list(frame), f"the columns {list(frame)} become {list(framed)}."
    plain, _ = split_sample(case.fit(X).sample(3))
    assert isinstance(plain, np.ndarray), f"a fit to an array samples a {type(plain)}."
    asked, _ = split_sample(case.fit(X).set_output(transform="pandas").sample(3))
    assert isinstance(asked, pandas.DataFrame), f"set_output asked for a frame, not {type(asked)}."


@density_check()
def check_rows_are_not_changed(case):
    """Neither fit nor scoring writes into the rows that it is given."""
    X = case.rows()
    before = X.copy()
    case.fit(X).score_samples(X)
    assert_identical(X, before, "the rows after fit and score_samples")


@density_check()
def check_later_changes_of_the_rows_change_nothing(case):
    """Writing into the rows after fit does not reach the model."""
    X, asked = case.rows(), case.rows(50, seed=1)
    model = case.fit(X)
    expected = model.score_samples(asked)
    X[:] = X[::-1] * 0 + 1
    assert_identical(model.score_samples(asked), expected, "scores after X was overwritten")


@density_check()
def check_infinite_values_are_refused_by_name(case):
    """An infinite value is named as such, in fit and in scoring."""
    X = case.rows()
    model = case.fit(X)
    for value in (np.inf, -np.inf):
        bad = X.copy()
        bad[3, 0] = value
        assert_refused(lambda rows=bad: case.fit(rows), "inf")
        assert_refused(lambda rows=bad: model.score_samples(rows), "inf")


@density_check("bounded")
def check_values_outside_the_support_are_refused(case):
    """A value that the data can not take is refused in fit, and scores -inf or is refused."""
    X = case.rows()
    model = case.fit(X)
    for value in (case.kind.outside, 0.5) if case.kind.discrete else (case.kind.outside,):
        bad = X.copy()
        bad[3, 0] = value
        assert_refused(lambda rows=bad: case.fit(rows), f"{value:g}")
        try:
            score = model.score_samples(bad)[3]
        except ValueError:
            continue
        assert score == -np.inf, f"a row with the impossible value {value} scores {score}."


@density_check()
def check_number_of_features_is_compared(case):
    """Rows with another number of columns than in fit are refused; both numbers are named."""
    X = case.rows()
    model = case.fit(X)
    for wrong in (X[:, :-1], np.hstack([X, X[:, :1]])):
        hint = f"{wrong.shape[1]} features"
        assert_refused(lambda rows=wrong: model.score_samples(rows), hint)
        assert_refused(lambda rows=wrong: model.score_samples(rows), f"{X.shape[1]} features")


@density_check()
def check_empty_input_is_refused(case):
    """No rows, no columns, one dimension too few or too many: an error that says which."""
    X = case.rows()
    for bad, hint in (
        (X[:0], "0 sample"),
        (X[:, :0], "0 feature"),
        (X[:, 0], "1D"),
        (X[None], "3"),
    ):
        assert_refused(lambda rows=bad: case.fit(rows), hint)
    assert_refused(lambda: case.fit(X).score_samples(X[0]), "1D")


@density_check()
def check_sparse_rows_are_refused(case):
    """A sparse matrix is refused by name, in fit and in scoring."""
    X = case.rows()
    model = case.fit(X)
    error = (TypeError, ValueError)
    for matrix in (sparse.csr_array(X), sparse.csc_matrix(X)):
        assert_refused(lambda rows=matrix: case.fit(rows), "sparse", error=error)
        assert_refused(lambda rows=matrix: model.score_samples(rows), "sparse", error=error)


@density_check()
def check_an_unfitted_density_says_so(case):
    """Before fit, every method raises `NotFittedError`."""
    X = case.rows()
    names = ("score_samples", "score", "predict", "predict_proba", "aic", "bic", "impute")
    density = case.build()
    for name in names:
        if hasattr(density, name):
            assert_refused(lambda method=name: getattr(density, method)(X), error=NotFittedError)
    if case.offers("sample"):
        assert_refused(lambda: density.sample(), error=NotFittedError)
