"""Truths about panels: a model for each series."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from series import ar_series, with_gaps
from sklearn.exceptions import ConvergenceWarning

from skgen import AR

COEF = np.array([0.5, -0.3, 0.2])


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("order", [0, 2, "aic", "bic", "hqic", [2]])
def test_a_panel_is_a_fit_of_each(rng, order):
    X = [with_gaps(ar_series(COEF, n, rng, mean=n), 0.1, rng) for n in (90, 60, 120)]
    model = AR(order, max_order=4, pooled=False).fit(X)
    for s, x in enumerate(X):
        own = AR(order, max_order=4).fit(x)
        p = len(own.coef_)
        assert_allclose(model.coef_[s][:p], own.coef_, atol=1e-6)
        assert_allclose(model.coef_[s][p:], 0)
        assert_allclose(model.log_lik_[s], own.log_lik_, rtol=1e-10)
        assert_allclose(model.forecast(3, X)[s].mean, own.forecast(3, x).mean, atol=1e-5)
        assert_allclose(model.predict(X)[s], own.predict(x), atol=1e-5)
    assert_allclose(model.score_samples(X), model.log_lik_, rtol=1e-10)
    with pytest.raises(ValueError, match="2 sequences, but 3 models"):
        model.predict(X[:2])


@pytest.mark.parametrize(
    "settings",
    [
        *[
            {"method": method, "order": order, "trend": trend}
            for method in ("conditional", "yule-walker", "burg")
            for order in (0, 2, "aic", "bic", "hqic")
            for trend in ("constant", None)
        ],
        {"method": "conditional", "order": 2, "diff": 1},
        {"method": "burg", "order": "bic", "diff": 1},
        {"method": "conditional", "order": [2]},
        {"method": "conditional", "order": 2, "prior": 1.0},
        {"order": 2, "trend": "linear"},
    ],
    ids=str,
)
def test_a_panel_takes_all_settings(rng, settings):
    X = [ar_series(COEF, n, rng, mean=n / 10) for n in (90, 60, 200, 75)]
    model = AR(max_order=6, pooled=False, **settings).fit(X)
    for s, x in enumerate(X):
        own = AR(max_order=6, **settings).fit(x)
        p = len(own.coef_)
        assert_allclose(model.coef_[s][:p], own.coef_, rtol=1e-8, atol=1e-10)
        assert_allclose(model.coef_[s][p:], 0)
        for name in ("intercept_", "noise_variance_", "log_lik_", "order_", "location_", "scale_"):
            found, expected = getattr(model, name)[s], getattr(own, name)
            assert_allclose(found, expected, rtol=1e-8, atol=1e-10, err_msg=name)


@pytest.mark.parametrize("method", ["conditional", "yule-walker", "burg"])
def test_a_panel_with_a_series_that_takes_more_care_is_a_fit_of_each(rng, method):
    X = [ar_series(COEF, 90, rng), np.arange(50.0)[:, None], np.full((40, 1), 3.0)]
    with pytest.warns(ConvergenceWarning, match="column 0"):
        model = AR(2, method=method, pooled=False).fit(X)
    assert_allclose(model.coef_[0], AR(2, method=method).fit(X[0]).coef_)
    with pytest.raises(ValueError, match="order=9 needs more"):
        AR(9, method=method, pooled=False).fit([X[0], X[1][:5]])


@pytest.mark.parametrize("criterion", ["aic", "bic", "hqic"])
def test_a_panel_chooses_as_each_would(rng, criterion):
    X = [ar_series(COEF, n, rng) for n in rng.integers(18, 30, size=150)]
    settings = {"order": criterion, "max_order": 5, "method": "conditional"}
    model = AR(pooled=False, **settings).fit(X)
    assert_array_equal(model.order_, [AR(**settings).fit(x).order_ for x in X])


def test_a_panel_keeps_the_digits_of_smooth_series(rng):
    smooth = rng.standard_normal((3000, 1))
    for _ in range(3):
        smooth = np.cumsum(smooth, axis=0)
    model = AR(3, method="conditional", pooled=False).fit([smooth, smooth[:500]])
    own = AR(3, method="conditional").fit(smooth)
    assert_allclose(model.coef_[0], own.coef_, rtol=1e-9)
    assert_allclose(own.coef_, [3, -3, 1], atol=0.1)


# ---- trends, seasons and exogenous columns -----------------------------------------------------

TERMS = {
    "trend": {"trend": "quadratic"},
    "no trend": {"trend": None, "period": 4},
    "seasons": {"period": 4},
    "harmonics": {"trend": "linear", "period": 12, "harmonics": 2},
}
MORE = {
    "exact": [
        {"order": 2},
        {"order": 0},
        {"order": "aic", "max_order": 3},
        {"order": [1, 4]},
        {"order": 2, "prior": 5.0},
        {"order": 2, "diff": 1},
    ],
    "conditional": [{"order": 2}, {"order": 0}, {"order": "bic", "max_order": 5}, {"diff": 1}],
    "yule-walker": [{"order": 2}, {"order": "hqic", "max_order": 5}],
    "burg": [{"order": 2}, {"order": "aic", "max_order": 5}, {"diff": 1}],
}
SETTINGS = [
    {"method": method, **own, **terms}
    for method, settings in MORE.items()
    for own in settings
    for terms in TERMS.values()
]


def with_terms(n, rng):
    t = np.arange(n)[:, None]
    return ar_series(COEF, n, rng, mean=n) + 0.05 * t + 2 * (t % 4 == 1)


def assert_fit_of_each(settings, X, atol=1e-10):
    """Each model of the panel is what its series gives by itself."""
    model = AR(pooled=False, **settings).fit(X)
    for s, x in enumerate(X):
        own = AR(**settings).fit(x)
        p = len(own.coef_)
        assert_allclose(model.coef_[s][:p], own.coef_, atol=atol)
        assert_allclose(model.coef_[s][p:], 0)
        for name in ("log_lik_", "order_", "location_", "scale_"):
            assert_allclose(getattr(model, name)[s], getattr(own, name), rtol=1e-9, err_msg=name)
        for name in ("intercept_", "trend_coef_", "exog_coef_", "noise_variance_"):
            found, expected = getattr(model, name)[s], getattr(own, name)
            assert_allclose(found, expected, rtol=1e4 * atol, atol=1e4 * atol, err_msg=name)
    return model


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_a_panel_with_terms_is_a_fit_of_each(rng, settings):
    X = [with_terms(n, rng) for n in (60, 90, 60, 30)]
    assert_fit_of_each(settings, X, 1e-7 if settings["method"] == "exact" else 1e-10)


@pytest.mark.parametrize("settings", [{**own, "trend": "linear"} for own in MORE["exact"]], ids=str)
@pytest.mark.parametrize("exog", [None, [1]])
def test_a_panel_with_gaps_terms_and_exogenous_columns_is_a_fit_of_each(rng, settings, exog):
    X = []
    for n in (60, 90, 60, 14):
        z = rng.standard_normal((n, 1))
        x = with_gaps(with_terms(n, rng) + (exog is not None) * 3 * z, 0.1, rng)
        X.append(x if exog is None else np.column_stack([x, z]))
    X[1][:3, 0] = X[0][-2:, 0] = np.nan
    model = assert_fit_of_each({**settings, "exog": exog}, X, 1e-6)
    assert_allclose(model.score_samples(X), model.log_lik_, rtol=1e-9)


def test_short_series_are_fitted_or_named(rng):
    X = [with_terms(n, rng) for n in (40, 6)]
    assert_fit_of_each({"order": 1, "trend": "linear"}, X, 1e-6)
    with pytest.raises(ValueError, match="sequence 1 has 4 values for 6 parameters"):
        AR(3, trend="linear", pooled=False).fit([X[0], X[1][:4]])
    with pytest.raises(ValueError, match="sequence 1: order=3 needs more than n_samples=6"):
        AR(3, trend="linear", method="conditional", pooled=False).fit(X)


@pytest.mark.parametrize("method", list(MORE))
@pytest.mark.parametrize("trend", ["constant", "linear"])
@pytest.mark.filterwarnings("ignore:Degenerate fit. the past")
def test_series_without_chance_are_named(rng, method, trend):
    X = [with_terms(40, rng), np.full((40, 1), 3.0), with_terms(50, rng), np.zeros((30, 1))]
    with pytest.warns(ConvergenceWarning, match="of sequence 1, one of 2 such sequences: the past"):
        assert_fit_of_each({"order": 1, "trend": trend, "method": method}, X, 1e-7)


def test_regressors_that_determine_each_other_are_fitted_as_alone(rng):
    X = [np.column_stack([with_terms(60, rng), own]) for own in rng.standard_normal((2, 60))]
    X[1][:, 1] = 7.0  # a second constant
    settings = {"order": 1, "exog": [1]}
    model = AR(pooled=False, **settings).fit(X)
    own = AR(**settings).fit(X[1])
    assert_allclose(model.log_lik_[1], own.log_lik_, rtol=1e-12)
    assert_allclose(model.predict(X)[1], own.predict(X[1]), rtol=1e-9)


def test_a_panel_with_terms_keeps_the_digits_of_offsets(rng):
    X = [with_terms(80, rng) for _ in range(2)]
    for method in MORE:
        settings = {"order": 2, "trend": "linear", "method": method, "pooled": False}
        low, high = (AR(**settings).fit([x + shift for x in X]) for shift in (0, 2.0**27))
        assert_allclose(high.coef_, low.coef_, atol=1e-6)
        assert_allclose(high.trend_coef_, low.trend_coef_, atol=1e-6)
