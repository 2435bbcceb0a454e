"""Truths about autoregressions of one column."""

import re

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from series import ar_series, covariance, log_density, with_gaps
from sklearn.exceptions import ConvergenceWarning

from skgen import AR

COEF = np.array([0.5, -0.3, 0.2])


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def x(rng):
    return ar_series(COEF, 120, rng, mean=5.0)


# ---- the likelihood ----------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7])
def test_the_likelihood_is_the_normal_density_with_a_toeplitz_covariance(x, rng, share):
    x = with_gaps(x, share, rng)
    model = AR(3).fit(x)
    assert_allclose(model.log_lik_, log_density(model, x), rtol=1e-12)
    assert_allclose(model.score_samples(x).sum(), model.log_lik_, rtol=1e-12)


@pytest.mark.parametrize("share", [0.0, 0.3])
@pytest.mark.parametrize("order", [3, [1, 3], 0])
def test_no_other_parameters_are_more_likely(x, rng, share, order):
    x = with_gaps(x, share, rng)
    model = AR(order).fit(x)
    best = model.score_samples(x).sum()
    for scale in (1e-3, 1e-2) * 20:
        other = AR(order).fit(x)
        active = other.coef_ != 0
        other.coef_ = other.coef_ + scale * active * rng.standard_normal(len(active))
        other.intercept_ += scale * rng.standard_normal()
        other.noise_variance_ *= 1 + scale * rng.standard_normal()
        assert other.score_samples(x).sum() < best


def test_a_row_without_a_value_has_density_one(x):
    x[40:60] = np.nan
    log_prob = AR(2).fit(x).score_samples(x)
    assert_array_equal(log_prob[40:60], 0)
    assert (log_prob[:40] != 0).all()


def test_half_of_the_values_suffice(rng):
    x = with_gaps(ar_series([0.9], 40_000, rng), 0.5, rng)
    assert_allclose(AR(1).fit(x).coef_, 0.9, atol=0.01)


@pytest.mark.parametrize("share", [0.0, 0.2])
def test_an_order_with_a_zero_last_coefficient_is_the_order_below(x, rng, share):
    x = with_gaps(x, share, rng)
    low, high = AR(2).fit(x), AR([1, 2]).fit(x)
    assert_allclose(high.coef_, low.coef_, atol=1e-6)
    assert_allclose(high.log_lik_, low.log_lik_, rtol=1e-10)


def test_the_likelihood_of_sequences_adds_up(rng):
    X = [with_gaps(ar_series(COEF, n, rng, mean=2.0), 0.2, rng) for n in (40, 2, 70, 1, 3)]
    model = AR(3).fit(X)
    each = [log_density(model, x) for x in X]
    assert_allclose(model.score_samples(X), each, rtol=1e-11)
    assert_allclose(model.log_lik_, sum(each), rtol=1e-12)


@pytest.mark.parametrize("share", [0.0, 0.2])
@pytest.mark.parametrize("method", ["exact", "conditional", "yule-walker", "burg"])
def test_a_sequence_of_weight_two_is_there_twice(rng, share, method):
    if share and method != "exact":
        pytest.skip("complete sequences only")
    X = [with_gaps(ar_series(COEF, n, rng), share, rng) for n in (40, 60)]
    twice = AR(2, method=method).fit([X[0], X[1], X[1]])
    weighted = AR(2, method=method).fit(X, sample_weight=[1, 2])
    assert_allclose(weighted.coef_, twice.coef_, atol=1e-7)
    assert_allclose(weighted.noise_variance_, twice.noise_variance_, rtol=1e-7)
    # The centre of the first is the mean of rows without weights, which is no matter.
    assert_allclose(weighted.mean_, twice.mean_, atol=1e-6)


def test_units_do_not_matter(x):
    model, other = AR(2).fit(x), AR(2).fit(1e-6 * x + 1e8 * 1e-6)
    assert_allclose(other.coef_, model.coef_, atol=1e-4)
    shifted = AR(2).fit(x + 1e8)
    assert_allclose(shifted.coef_, model.coef_, atol=1e-5)
    assert_allclose(shifted.noise_variance_, model.noise_variance_, rtol=1e-5)


# ---- other methods -----------------------------------------------------------------------------


def design(x, p):
    rows = [np.r_[1, x[t - p : t][::-1]] for t in range(p, len(x))]
    return np.array(rows), x[p:]


@pytest.mark.parametrize("p", [1, 3, 8])
def test_conditional_fits_are_least_squares(x, p):
    model = AR(p, method="conditional").fit(x)
    rows, target = design(x[:, 0], p)
    beta, rss = np.linalg.lstsq(rows, target, rcond=None)[:2]
    assert_allclose(np.r_[model.intercept_, model.coef_], beta, rtol=1e-9)
    assert_allclose(model.noise_variance_, rss[0] / len(target), rtol=1e-9)


def test_every_order_comes_from_one_pass(x):
    model = AR("bic", method="conditional", max_order=6).fit(x)
    for k in range(7):
        rows, target = design(x[:, 0], 6)
        beta, *_ = np.linalg.lstsq(rows[:, : k + 1], target, rcond=None)
        rss = np.sum((target - rows[:, : k + 1] @ beta) ** 2)
        n = len(target)
        assert_allclose(
            model.loglik_path_[k], -0.5 * n * (np.log(2 * np.pi * rss / n) + 1), rtol=1e-10
        )
        if k:
            assert_allclose(model.pacf_[k - 1], beta[-1], rtol=1e-8)
    assert model.order_ == np.argmin(model.bic_path_)


def test_pooled_moments_are_those_of_all_rows_with_a_past(rng):
    X = [ar_series(COEF, n, rng, mean=1.0) for n in (30, 50, 20)]
    model = AR(2, method="conditional").fit(X)
    parts = [design(x[:, 0], 2) for x in X]
    rows, target = (np.concatenate(each) for each in zip(*parts, strict=True))
    beta = np.linalg.lstsq(rows, target, rcond=None)[0]
    assert_allclose(np.r_[model.intercept_, model.coef_], beta, rtol=1e-9)


def test_burg_is_the_recursion_on_forward_and_backward_errors(rng):
    X = [ar_series(COEF, n, rng) for n in (60, 35)]
    mean = np.concatenate(X).mean()
    f, b = ([x[:, 0] - mean for x in X] for _ in range(2))
    model = AR(4, method="burg").fit(X)
    for k in range(4):
        forth, back = [x[1:] for x in f], [x[:-1] for x in b]
        num = sum(2 * x @ y for x, y in zip(forth, back, strict=True))
        den = sum(x @ x + y @ y for x, y in zip(forth, back, strict=True))
        assert_allclose(model.pacf_[k], num / den, rtol=1e-10)
        f = [x - num / den * y for x, y in zip(forth, back, strict=True)]
        b = [y - num / den * x for x, y in zip(forth, back, strict=True)]
    square = sum(x @ x for x in (*f, *b)) / sum(len(x) for x in (*f, *b))
    assert_allclose(model.noise_variance_, square, rtol=1e-10)


def test_yule_walker_solves_its_equations(x):
    model = AR(3, method="yule-walker").fit(x)
    u = x[:, 0] - x.mean()
    gamma = np.array([u[h:] @ u[: len(u) - h] for h in range(4)]) / len(u)
    assert_allclose(model.autocovariance(3), gamma, rtol=1e-10)


# ---- hard series -------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["exact", "conditional", "yule-walker", "burg"])
def test_a_random_walk_is_fitted(rng, method):
    x = np.cumsum(rng.standard_normal((2000, 1)), axis=0)
    model = AR(2, method=method).fit(x)
    assert_allclose(model.coef_.sum(), 1, atol=0.02)
    if method != "yule-walker":  # whose products miss the ends, which is much of a random walk
        assert_allclose(model.noise_variance_, 1, atol=0.1)
    assert np.isfinite(model.score_samples(x)).all()
    assert model.converged_


@pytest.mark.parametrize("n", [500, 100_000])
def test_a_series_that_is_twice_integrated_is_fitted(rng, n):
    x = np.cumsum(np.cumsum(rng.standard_normal((n, 1)), axis=0), axis=0)
    for method in ("exact", "conditional"):
        model = AR(2, method=method).fit(x)
        assert_allclose(model.coef_, [2, -1], atol=0.05)
        assert_allclose(model.noise_variance_, 1, atol=0.15)


@pytest.mark.parametrize("method", ["exact", "conditional", "yule-walker", "burg"])
def test_a_constant_series_is_told(method):
    with pytest.warns(ConvergenceWarning, match="column 0"):
        model = AR(1, method=method).fit(np.full((50, 1), 7.0))
    assert_allclose(model.predict(np.full((3, 1), 7.0)), 7.0)


def test_an_order_that_the_series_cannot_tell_is_refused(x):
    for method in ("exact", "conditional", "yule-walker", "burg"):
        with pytest.raises(ValueError, match="order=5 needs more"):
            AR(5, method=method).fit(x[:4])


def test_missing_values_are_refused_by_methods_that_cannot_take_them(x):
    x[3] = np.nan
    for method in ("conditional", "yule-walker", "burg"):
        with pytest.raises(ValueError, match='method="exact"'):
            AR(1, method=method).fit(x)


# ---- prediction --------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_predictions_are_conditional_means_given_the_rows_before(x, rng, share):
    x = with_gaps(x[:30], share, rng)
    model = AR(3).fit(x)
    V, u = covariance(model, 30), (x - model.mean_)[:, 0]
    predicted = model.predict(x)
    assert predicted.shape == x.shape
    for t in range(30):
        past = np.flatnonzero(~np.isnan(u[:t]))
        weights = np.linalg.solve(V[np.ix_(past, past)], V[past, t])
        assert_allclose(predicted[t, 0], model.mean_ + weights @ u[past], rtol=1e-9)


def test_predictions_do_not_look_ahead(x):
    model = AR(3).fit(x)
    other = x.copy()
    other[60:] += 100
    assert_array_equal(model.predict(x)[:61], model.predict(other)[:61])


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_forecasts_are_conditional_given_the_context(x, rng, share):
    x = with_gaps(x[:40], share, rng)
    x[-1] = np.nan if share else x[-1]
    model = AR(3).fit(x)
    V, u = covariance(model, 46), (x - model.mean_)[:, 0]
    past, ahead = np.flatnonzero(~np.isnan(u)), np.arange(40, 46)
    weights = np.linalg.solve(V[np.ix_(past, past)], V[np.ix_(past, ahead)])
    forecast = model.forecast(6, x)
    assert_allclose(forecast.mean[:, 0], model.mean_ + weights.T @ u[past], rtol=1e-9)
    rest = V[np.ix_(ahead, ahead)] - weights.T @ V[np.ix_(past, ahead)]
    assert_allclose(forecast.std[:, 0] ** 2, np.diag(rest), rtol=1e-9)
    paths = forecast.sample(40_000, random_state=0)[:, :, 0]
    assert_allclose(paths.mean(axis=0), forecast.mean[:, 0], atol=0.05)
    assert_allclose(np.cov(paths.T), rest, atol=0.08)
    assert_allclose(model.forecast(6).mean, forecast.mean)  # what was fitted is continued


def test_the_forecast_of_nothing_is_the_stationary_law(x):
    model = AR(2).fit([x])
    forecast = model.forecast(3)
    assert_allclose(forecast.mean, model.mean_)
    assert_allclose(forecast.std[:, 0] ** 2, model.autocovariance(0)[0])


@pytest.mark.parametrize("method", ["analytic", "bootstrap", "conformal"])
def test_intervals_cover_as_often_as_they_say(rng, method):
    hits = []
    for _ in range(60):
        x = ar_series(COEF, 420, rng, mean=3.0)
        model = AR(3, method="conditional").fit(x[:300])
        for end in range(300, 420, 30):
            lower, upper = model.forecast(5, x[:end]).interval(0.95, method, random_state=0)
            hits.append((x[end : end + 5] > lower) & (x[end : end + 5] < upper))
    assert 0.93 < np.mean(hits) < 0.97


def test_a_model_that_is_not_stationary_goes_on_from_where_it_is(rng):
    x = np.cumsum(0.5 + rng.standard_normal((400, 1)), axis=0)
    model = AR(1, method="conditional").fit(x)
    model.coef_, model.intercept_ = np.array([1.0]), 0.5
    forecast = model.forecast(10)
    assert_allclose(forecast.mean[:, 0], x[-1, 0] + 0.5 * np.arange(1, 11))
    assert_allclose(forecast.std[:, 0] ** 2, model.noise_variance_ * np.arange(1, 11))
    assert_allclose(model.predict(x)[1:], x[:-1] + 0.5)
    drawn = model.sample(300, random_state=0)
    assert_allclose(np.diff(drawn, axis=0).mean(), 0.5, atol=0.2)


# ---- given the whole sequence ------------------------------------------------------------------


def test_gaps_are_filled_by_conditional_means(x, rng):
    x = with_gaps(x[:50], 0.4, rng)
    model = AR(3).fit(x)
    V, u = covariance(model, 50), (x - model.mean_)[:, 0]
    seen, gone = ~np.isnan(u), np.isnan(u)
    weights = np.linalg.solve(V[np.ix_(seen, seen)], V[np.ix_(seen, gone)])
    mean, std = model.smooth(x)
    assert_allclose(mean[gone, 0], model.mean_ + weights.T @ u[seen], rtol=1e-9)
    rest = V[np.ix_(gone, gone)] - weights.T @ V[np.ix_(seen, gone)]
    assert_allclose(std[gone, 0] ** 2, np.diag(rest), rtol=1e-9)
    assert_array_equal(mean[seen], x[seen])
    assert_array_equal(std[seen], 0)
    assert_allclose(model.impute(x), mean)
    draws = np.array([model.impute(x, "draw", random_state=s)[gone, 0] for s in range(3000)])
    assert_allclose(np.cov(draws.T), rest, atol=0.2)


def test_short_sequences_are_stretches_of_long_ones(rng):
    model = AR(4).fit(ar_series([0.5, 0.1, -0.2, 0.1], 300, rng))
    short = np.array([[1.0], [np.nan]])
    long = np.concatenate([short, np.full((8, 1), np.nan)])
    assert_allclose(model.smooth(short)[0], model.smooth(long)[0][:2])
    assert_allclose(model.smooth(short)[1], model.smooth(long)[1][:2])


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_innovations_are_white_and_lead_back(rng, share):
    x = with_gaps(ar_series(COEF, 4000, rng, mean=1.0), share, rng)
    model = AR(3).fit(x)
    scaled = model.transform(x)
    assert_allclose(model.inverse_transform(scaled), x, atol=1e-10)
    seen = scaled[~np.isnan(scaled)]
    assert_allclose([seen.mean(), seen.std()], [0, 1], atol=0.02)


def test_samples_have_the_moments_of_the_model(x):
    model = AR(3).fit(x)
    drawn = model.sample(200_000, random_state=0)[:, 0]
    u = drawn - drawn.mean()
    own = [u[h:] @ u[: len(u) - h] / len(u) for h in range(5)]
    assert_allclose(own, model.autocovariance(4), atol=0.03 * own[0])
    assert_allclose(drawn.mean(), model.mean_, atol=0.03)


def test_lengths_to_draw_are_positive_integers(x):
    for length in (0, 2.5, [3, 4, 5]):
        with pytest.raises(ValueError, match=rf"length={re.escape(repr(length))} must be one"):
            AR(1).fit(x).sample(2, length=length)


def test_the_spectrum_integrates_to_the_variance(x):
    model = AR(3).fit(x)
    f, density = model.spectrum(20_001)
    assert_allclose(2 * np.trapezoid(density, f), model.autocovariance(0)[0], rtol=1e-6)


def test_impulse_responses_are_the_moving_average(x):
    model = AR(3).fit(x)
    psi = model.impulse_response(400)
    assert_allclose(model.noise_variance_ * psi @ psi, model.autocovariance(0)[0], rtol=1e-9)


# ---- trend, seasons, exogenous columns ---------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {"trend": "linear"},
        {"trend": "quadratic"},
        {"trend": None, "period": 4},
        {"period": 4},
        {"period": 12.5, "harmonics": 2},
        {"trend": None},
    ],
    ids=str,
)
@pytest.mark.parametrize("share", [0.0, 0.2])
def test_regression_on_time_is_generalised_least_squares(x, rng, settings, share):
    x = with_gaps(x, share, rng)
    model = AR(2, **settings).fit(x)
    D = model._terms().design(0, len(x))
    seen = ~np.isnan(x[:, 0])
    V = covariance(model, len(x))[np.ix_(seen, seen)]
    weights = np.linalg.solve(V, D[seen])
    beta = np.linalg.lstsq(weights.T @ D[seen], weights.T @ x[seen, 0], rcond=None)[0]
    u = x[seen, 0] - D[seen] @ beta
    log_lik = -0.5 * (
        u @ np.linalg.solve(V, u) + np.linalg.slogdet(V)[1] + len(u) * np.log(2 * np.pi)
    )
    assert_allclose(model.log_lik_, log_lik, rtol=1e-10)
    assert_allclose(model.score_samples(x).sum(), log_lik, rtol=1e-10)


def test_conditional_fits_with_terms_are_least_squares(x):
    model = AR(2, trend="linear", period=4, method="conditional").fit(x)
    rows = np.c_[model._terms().design(0, len(x))[2:], x[1:-1], x[:-2]]
    beta, rss = np.linalg.lstsq(rows, x[2:, 0], rcond=None)[:2]
    own = np.r_[model.intercept_, model.trend_coef_, model.coef_]
    assert_allclose(own, beta, rtol=1e-6, atol=1e-9)
    assert_allclose(model.noise_variance_, rss[0] / (len(x) - 2))


def test_a_trend_goes_on_in_the_forecast(rng):
    t = np.arange(1, 301.0)
    x = (2 + 0.1 * t + 3 * np.cos(2 * np.pi * t / 12))[:, None] + 0.1 * ar_series([0.5], 300, rng)
    model = AR(1, trend="linear", period=12, harmonics=1).fit(x)
    ahead = np.arange(301, 325.0)
    expected = 2 + 0.1 * ahead + 3 * np.cos(2 * np.pi * ahead / 12)
    assert_allclose(model.forecast(24).mean[:, 0], expected, atol=0.3)
    assert_allclose(model.forecast(24, x).mean, model.forecast(24).mean)


def test_long_series_are_continued_at_their_time(rng):
    t = np.arange(1, 1502.0)
    x = (0.01 * t + np.sin(2 * np.pi * t / 7))[:, None] + 0.1 * ar_series([0.5], 1501, rng)
    model = AR(1, trend="linear", period=7, method="conditional").fit(x)
    assert len(model.context_) < model.n_steps_ == 1501
    assert_allclose(model.forecast(9).mean, model.forecast(9, x).mean, rtol=1e-9)


def test_conditional_fits_of_some_lags_are_least_squares(x):
    model = AR([1, 4], method="conditional").fit(x)
    rows, target = design(x[:, 0], 4)
    beta = np.linalg.lstsq(rows[:, [0, 1, 4]], target, rcond=None)[0]
    own = [model.intercept_, model.coef_[0], model.coef_[3]]
    assert_allclose(own, beta, rtol=1e-9)
    assert_array_equal(model.coef_[1:3], 0)


def test_weights_count_in_fits_with_a_trend(rng):
    X = [ar_series(COEF, n, rng) for n in (40, 60)]
    for method in ("exact", "conditional", "yule-walker"):
        settings = {"method": method, "trend": "linear"}
        twice = AR(2, **settings).fit([X[0], X[1], X[1]])
        weighted = AR(2, **settings).fit(X, sample_weight=[1, 2])
        assert_allclose(weighted.coef_, twice.coef_, atol=1e-7)
        assert_allclose(weighted.trend_coef_, twice.trend_coef_, atol=1e-7)


def test_an_exogenous_column_with_gaps_is_named(rng):
    X = rng.normal(size=(60, 3))
    X[7, 2] = np.nan
    with pytest.raises(ValueError, match="column 2, an exogenous one, has missing entries"):
        AR(1, exog=[1, 2]).fit(X)


def test_exogenous_columns_explain_and_are_given_for_the_future(rng):
    z = rng.standard_normal((400, 2))
    x = ar_series([0.7], 400, rng) + z @ [[2.0], [-1.0]]
    X = np.c_[z[:, 0], x, z[:, 1]]
    model = AR(1, exog=[0, 2]).fit(X)
    assert_allclose(model.exog_coef_, [2, -1], atol=0.15)
    assert_allclose(model.score_samples(X).sum(), model.log_lik_, rtol=1e-10)
    assert model.predict(X).shape == (400, 1)
    zero, one = (model.forecast(1, X, exog=e).mean for e in (np.zeros((1, 2)), [[1.0, 0.0]]))
    assert_allclose(one - zero, model.exog_coef_[0])
    with pytest.raises(ValueError, match="pass exog of shape"):
        model.forecast(1, X)
    with pytest.raises(ValueError, match=r"exog has shape \(2, 2\)"):
        model.forecast(1, X, exog=np.zeros((2, 2)))


def test_a_prior_draws_to_zero(x):
    sizes = [np.abs(AR(3, prior=prior).fit(x).coef_).sum() for prior in (0, 10, 100, 1e6)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < 1e-3
    own = AR(3, method="conditional", prior=50.0).fit(x).coef_
    assert_allclose(own, AR(3, prior=50.0).fit(x).coef_, atol=0.03)


def test_a_criterion_and_a_prior_go_together_in_exact_fits_only(x):
    with pytest.raises(ValueError, match="order='bic' compares fits without a prior"):
        AR("bic", method="conditional", prior=1.0).fit(x)
    assert AR("bic", prior=1e6, max_order=3).fit(x).order_ == 0


@pytest.mark.parametrize(
    ("settings", "X"),
    [
        ({}, np.ones((30, 1))),
        ({"max_iter": 1, "order": 2}, np.random.default_rng(0).standard_normal((40, 2)).cumsum(0)),
        ({"pooled": False, "method": "burg"}, [np.ones((30, 1))]),
    ],
)
def test_warnings_are_about_the_line_that_called_fit(settings, X):
    with pytest.warns(ConvergenceWarning) as told:
        AR(**settings).fit(X)
    assert {each.filename for each in told} == {__file__}
