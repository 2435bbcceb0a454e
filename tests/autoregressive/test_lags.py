"""Lagged values as columns."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from series import var_series, with_gaps
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import TimeSeriesSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from skgen import LagFeatures

IN_ORDER = "a row is made of the rows before it"
EXPECTED = {
    "check_methods_sample_order_invariance": IN_ORDER,
    "check_methods_subset_invariance": IN_ORDER,
    "check_transformer_data_not_an_array": "a list is a list of sequences",
}


@parametrize_with_checks([LagFeatures(2)], expected_failed_checks=lambda _: EXPECTED)
def test_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_each_row_holds_the_rows_before_it(rng):
    x = var_series(30, rng)
    out = LagFeatures([1, 3]).fit_transform(x)
    assert_array_equal(out[3:], np.column_stack([x[2:-1], x[:-3]]))
    assert_array_equal(np.isnan(out[:3]).sum(axis=1), [4, 2, 2])


def test_lag_zero_is_the_row_itself(rng):
    x = with_gaps(var_series(30, rng), 0.2, rng)
    assert_array_equal(LagFeatures([0]).fit_transform(x), x)


def test_sequences_know_nothing_of_each_other(rng):
    X = [var_series(n, rng) for n in (5, 1, 8)]
    lags = LagFeatures(2).fit(X)
    for each, own in zip(lags.transform(X), X, strict=True):
        assert_array_equal(each, lags.transform(own))


def test_columns_are_named_in_their_order(rng):
    frame = pd.DataFrame(var_series(9, rng), columns=["a", "b"])
    lags = LagFeatures([1, 2]).fit(frame)
    assert lags.get_feature_names_out().tolist() == ["a_lag1", "b_lag1", "a_lag2", "b_lag2"]
    out = lags.transform(frame)
    assert_array_equal(out["b_lag2"][2:], frame["b"][:-2])
    array = lags.set_output(transform="default").transform(frame)
    assert isinstance(array, pd.DataFrame)  # "default" gives what fit was given
    pieces = LagFeatures().set_output(transform="pandas").fit_transform([[1.0, 2.0], [3.0]])
    assert [list(piece.columns) for piece in pieces] == [["x0_lag1"]] * 2


def test_a_regressor_of_lags_is_validated_over_time(rng):
    x = np.cumsum(rng.standard_normal((600, 1)), axis=0)
    pipeline = make_pipeline(LagFeatures(3), HistGradientBoostingRegressor(random_state=0))
    scores = cross_val_score(pipeline, x, x[:, 0], cv=TimeSeriesSplit(3))
    assert scores.shape == (3,)
    assert np.isfinite(scores).all()
    assert_allclose(pipeline.fit(x, x[:, 0]).score(x, x[:, 0]), 1, atol=0.05)


@pytest.mark.parametrize("lags", [0, [-1], [1, 1], [1.5]])
def test_lags_that_are_none_are_refused(lags):
    with pytest.raises(ValueError, match="lags"):
        LagFeatures(lags).fit(np.zeros((5, 1)))
