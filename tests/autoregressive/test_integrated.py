"""Truths about integrated autoregressions: levels whose steps follow the recursion."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import multivariate_normal
from series import ar_series, covariance, var_series, with_gaps

from skgen import AR

COEF = np.array([0.5, -0.3])


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def walk(n, rng, d=1, drift=0.3):
    steps = ar_series(COEF, n, rng, mean=drift) if d == 1 else var_series(n, rng, mean=(0.3, -0.2))
    return 50.0 + np.cumsum(steps, axis=0)


def law(model, n, mean_step=None):
    """Mean and covariance (n d,) of levels relative to the first row."""
    d = np.atleast_2d(model.noise_variance_).shape[0]
    steps = np.broadcast_to(model.mean_ if mean_step is None else mean_step, (n - 1, d))
    summed = np.kron(np.tril(np.ones((n, n - 1)), -1), np.eye(d))
    return summed @ steps.ravel(), summed @ covariance(model, n - 1) @ summed.T


def given_the_first(x, mean, V):
    """What is observed less the first entry of its column, with mean and covariance."""
    n, d = x.shape
    seen = ~np.isnan(x).ravel()
    relative = np.eye(n * d)
    drop = []
    for j in range(d):
        own = np.flatnonzero(~np.isnan(x[:, j]))
        if len(own) == 0:
            continue
        relative[np.arange(j, n * d, d), own[0] * d + j] -= 1
        drop.append(own[0] * d + j)
    seen[drop] = False
    relative = relative[seen]
    return relative @ np.nan_to_num(x).ravel(), relative @ mean, relative @ V @ relative.T


def log_density(model, x, mean_step=None):
    if len(x) == 1:
        return 0.0
    z, mean, V = given_the_first(x, *law(model, len(x), mean_step))
    return multivariate_normal(mean, V).logpdf(z) if len(z) else 0.0


def gappy(x, rng, share=0.3):
    x = with_gaps(x, share, rng)
    x[:4] = x[30:38] = x[-3:] = np.nan
    x[3, -1] = 48.0  # of several columns the last is seen first
    return x


# ---- the likelihood ----------------------------------------------------------------------------


@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("d", [1, 2])
@pytest.mark.parametrize("order", [0, 2, [2]], ids=str)
def test_the_likelihood_is_that_of_the_observed_given_the_first_of_them(rng, d, gaps, order):
    x = walk(70, rng, d)
    x = gappy(x, rng) if gaps else x
    model = AR(order, diff=1).fit(x)
    assert_allclose(model.log_lik_, log_density(model, x), rtol=1e-10)
    assert_allclose(model.score_samples(x).sum(), model.log_lik_, rtol=1e-10)
    first = [np.flatnonzero(~np.isnan(x[:, j]))[0] for j in range(d)]
    if d == 1:
        assert_array_equal(model.score_samples(x)[: first[0] + 1], 0)


@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("d", [1, 2])
def test_no_other_parameters_are_more_likely(rng, d, gaps):
    x = gappy(walk(70, rng, d), rng) if gaps else walk(70, rng, d)
    model = AR(2, diff=1).fit(x)
    best = model.score_samples(x).sum()
    for scale in (1e-3, 1e-2) * 15:
        other = AR(2, diff=1).fit(x)
        other.coef_ = other.coef_ + scale * rng.standard_normal(np.shape(other.coef_))
        other.intercept_ = other.intercept_ + scale * rng.standard_normal(np.shape(model.mean_))
        other.noise_variance_ = other.noise_variance_ * (1 + scale * rng.standard_normal())
        assert other.score_samples(x).sum() < best


@pytest.mark.parametrize("method", ["exact", "conditional", "yule-walker", "burg"])
def test_complete_levels_are_fitted_by_their_steps(rng, method):
    X = [walk(n, rng) for n in (40, 1, 60)]
    settings = {"order": "bic", "max_order": 4, "method": method}
    model = AR(diff=1, **settings).fit(X)
    steps = AR(**settings).fit([np.diff(x, axis=0) for x in X if len(x) > 1])
    assert_allclose(model.coef_, steps.coef_, atol=1e-7)
    assert_allclose(model.mean_, steps.mean_, rtol=1e-6)
    assert_allclose(model.log_lik_, steps.log_lik_, rtol=1e-10)
    assert_allclose(model.bic_path_, steps.bic_path_, rtol=1e-9)


def test_all_orders_are_compared_on_the_same_rows(rng):
    x = gappy(walk(120, rng), rng, 0.2)
    model = AR("aic", diff=1, max_order=5).fit(x)
    for order in range(6):
        own = AR(order, diff=1).fit(x)
        assert_allclose(model.loglik_path_[order], own.log_lik_, rtol=1e-9)


@pytest.mark.parametrize("d", [1, 2])
def test_the_level_does_not_matter(rng, d):
    x = gappy(walk(90, rng, d), rng)
    model, other = AR(2, diff=1).fit(x), AR(2, diff=1).fit(x + 1e8)
    assert_allclose(other.coef_, model.coef_, atol=1e-5)
    assert_allclose(other.log_lik_, model.log_lik_, rtol=1e-6)
    moved = [x, x + 1000.0]
    assert_allclose(np.ptp(model.score_samples(moved)), 0, atol=1e-7)


@pytest.mark.parametrize("d", [1, 2])
def test_sequences_of_all_lengths_add_up(rng, d):
    X = [walk(n, rng, d) for n in (60, 1, 45, 2, 3, 20)]
    X = [with_gaps(x, 0.2, rng) if len(x) > 3 else x for x in X]
    X[5][:] = np.nan  # a sequence of which nothing is known
    X[2][:, 0] = np.nan if d == 2 else X[2][:, 0]
    model = AR(2, diff=1).fit(X)
    each = [log_density(model, x) for x in X]
    assert_allclose(model.score_samples(X), each, rtol=1e-9, atol=1e-9)
    assert_allclose(model.log_lik_, sum(each), rtol=1e-10)
    twice = AR(2, diff=1).fit([*X, X[0]])
    weighted = AR(2, diff=1).fit(X, sample_weight=[2, 1, 1, 1, 1, 1])
    assert_allclose(weighted.coef_, twice.coef_, atol=1e-6)


@pytest.mark.parametrize("settings", [{"trend": "linear"}, {"period": 4}, {"trend": None}], ids=str)
@pytest.mark.parametrize("gaps", [False, True])
def test_terms_are_those_of_the_steps(rng, settings, gaps):
    x = gappy(walk(80, rng), rng) if gaps else walk(80, rng)
    model = AR(1, diff=1, **settings).fit(x)
    D = model._terms().design(0, len(x))[1:]
    unit, V = law_of_terms(model, D)
    z, _, own = given_the_first(x, np.zeros(len(x)), V)
    pick = [given_the_first(x, column, V)[1] for column in unit.T]
    if pick:
        A = np.array(pick).T
        weights = np.linalg.solve(own, A)
        beta = np.linalg.lstsq(weights.T @ A, weights.T @ z, rcond=None)[0]
        z = z - A @ beta
    log_lik = multivariate_normal(np.zeros(len(z)), own).logpdf(z)
    assert_allclose(model.log_lik_, log_lik, rtol=1e-9)
    assert_allclose(model.score_samples(x).sum(), log_lik, rtol=1e-9)


def law_of_terms(model, D):
    n = len(D) + 1
    summed = np.tril(np.ones((n, n - 1)), -1)
    return summed @ D, summed @ covariance(model, n - 1) @ summed.T


def test_exogenous_columns_explain_levels(rng):
    z = np.cumsum(rng.standard_normal((300, 1)), axis=0)
    x = walk(300, rng) + 2.0 * z
    x[50:60] = x[200] = np.nan
    X = np.c_[x, z]
    model = AR(2, diff=1, exog=1).fit(X)
    assert_allclose(model.exog_coef_, 2, atol=0.2)
    rest = x - model.exog_coef_ * z
    assert_allclose(model.log_lik_, log_density(model, rest), rtol=1e-9)
    assert_allclose(model.score_samples(X).sum(), model.log_lik_, rtol=1e-9)
    assert_allclose(model.predict(X)[0], np.nanmean(x) + (z[0] - z.mean()) * model.exog_coef_)
    zero, one = (model.forecast(1, X, exog=[[e]]).mean for e in (0.0, 1.0))
    assert_allclose(one - zero, model.exog_coef_[0])


@pytest.mark.parametrize("gaps", [False, True])
def test_statsmodels_finds_the_same_with_a_diffuse_level(rng, gaps):
    SARIMAX = pytest.importorskip("statsmodels.tsa.statespace.sarimax").SARIMAX
    x = gappy(walk(100, rng), rng) if gaps else walk(100, rng)
    model = AR(2, diff=1).fit(x)
    t = np.arange(100.0)[:, None]  # whose coefficient is the drift
    other = SARIMAX(x[:, 0], exog=t, order=(2, 1, 0), use_exact_diffuse=True)
    own = other.smooth([model.mean_, *model.coef_, model.noise_variance_])
    # There the first value has the density of a standard normal one at zero.
    assert_allclose(model.log_lik_, own.llf + 0.5 * np.log(2 * np.pi), rtol=1e-9)
    ahead = own.get_forecast(5, exog=np.arange(100.0, 105)[:, None])
    assert_allclose(model.forecast(5).mean[:, 0], ahead.predicted_mean, rtol=1e-9)
    assert_allclose(model.forecast(5).std[:, 0], ahead.se_mean, rtol=1e-9)


# ---- prediction, and what is missing -----------------------------------------------------------


@pytest.mark.parametrize("d", [1, 2])
def test_what_is_not_known_has_its_conditional_law(rng, d):
    x = gappy(walk(45, rng, d), rng)
    model = AR(2, diff=1).fit(x)
    h, n = 4, len(x)
    longer = np.concatenate([x, np.full((h, d), np.nan)])
    mean, V = law(model, n + h)
    z, z_mean, z_V = given_the_first(longer, mean, V)
    # Every entry relative to the first observed one of its column.
    first = np.array([np.flatnonzero(~np.isnan(x[:, j]))[0] for j in range(d)])
    anchor = (first * d + np.arange(d))[np.tile(np.arange(d), n + h)]
    relative = np.eye((n + h) * d)
    relative -= relative[anchor]
    seen = ~np.isnan(longer).ravel()
    seen[first * d + np.arange(d)] = False
    cross = relative @ V @ relative[seen].T
    weights = np.linalg.solve(z_V, cross.T)
    level = np.tile(x[first, np.arange(d)], n + h)
    expected = level + relative @ mean + weights.T @ (z - z_mean)
    variance = np.diag(relative @ V @ relative.T - weights.T @ cross.T)
    smooth, std = model.smooth(x)
    assert_allclose(smooth.ravel(), expected[: n * d], rtol=1e-8)
    assert_allclose(std.ravel() ** 2, variance[: n * d], atol=1e-8)
    forecast = model.forecast(h, x)
    assert_allclose(forecast.mean.ravel(), expected[n * d :], rtol=1e-9)
    assert_allclose(forecast.std.ravel() ** 2, variance[n * d :], rtol=1e-8)
    assert_allclose(model.forecast(h).mean, forecast.mean)
    draws = np.array([model.impute(x, "draw", random_state=s) for s in range(3000)])
    assert_allclose(draws.mean(axis=0), smooth, atol=0.2)
    assert_allclose(draws.std(axis=0), std, rtol=0.06, atol=1e-9)
    paths = forecast.sample(20_000, random_state=0)
    assert_allclose(paths.std(axis=0), forecast.std, rtol=0.05)


@pytest.mark.parametrize("d", [1, 2])
def test_predictions_are_forecasts_of_one_step(rng, d):
    x = gappy(walk(40, rng, d), rng)
    model = AR(2, diff=1).fit(x)
    predicted, log_prob = model.predict(x), model.score_samples(x)
    known = np.flatnonzero(~np.isnan(x).any(axis=1))[0] + 1
    for t in range(known, 40):
        ahead = model.forecast(1, x[:t])
        assert_allclose(predicted[t], ahead.mean[0], rtol=1e-10)
        assert_allclose(log_prob[t], ahead.log_prob(x[t : t + 1])[0], rtol=1e-8, atol=1e-10)
    assert_allclose(predicted[0], model.location_)  # nothing is known yet


@pytest.mark.parametrize("d", [1, 2])
@pytest.mark.parametrize("gaps", [False, True])
def test_innovations_are_white_and_lead_back(rng, d, gaps):
    x = gappy(walk(3000, rng, d), rng) if gaps else walk(3000, rng, d)
    model = AR(2, diff=1).fit(x)
    scaled = model.transform(x)
    assert_allclose(model.inverse_transform(scaled), x, atol=1e-8)
    seen = scaled[~np.isnan(scaled)]
    assert_allclose([seen.mean(), seen.std()], [0, 1], atol=0.05)


def test_samples_are_walks(rng):
    model = AR(2, diff=1).fit(walk(400, rng))
    drawn = model.sample(50_000, random_state=0)
    other = AR(2).fit(np.diff(drawn, axis=0))
    assert_allclose(other.coef_, model.coef_, atol=0.02)
    assert_allclose(other.mean_, model.mean_, atol=0.03)
    starts = [x[0, 0] for x in model.sample(4000, random_state=0, length=1)]
    assert_allclose(np.mean(starts), model.location_[0], atol=0.1 * model.scale_[0])
    assert_allclose(np.std(starts), model.scale_[0], rtol=0.05)


@pytest.mark.parametrize("method", ["analytic", "bootstrap", "conformal"])
def test_intervals_cover_as_often_as_they_say(rng, method):
    hits = []
    for _ in range(60):
        x = walk(420, rng)
        model = AR(2, diff=1, method="conditional").fit(x[:300])
        for end in range(300, 420, 30):
            lower, upper = model.forecast(5, x[:end]).interval(0.95, method, random_state=0)
            hits.append((x[end : end + 5] > lower) & (x[end : end + 5] < upper))
    assert 0.93 < np.mean(hits) < 0.97


def test_impulses_stay_in_the_level(rng):
    model = AR(2, diff=1).fit(walk(400, rng))
    steps = AR(2).fit(np.diff(walk(400, np.random.default_rng(0)), axis=0))
    assert_allclose(model.impulse_response(9), np.cumsum(steps.impulse_response(9)), rtol=1e-6)
    assert_allclose(model.spectrum(9)[1], steps.spectrum(9)[1], rtol=1e-6)
    assert model.is_stationary_  # the steps are


def test_noise_is_taken_out_of_levels(rng):
    x = walk(60, rng)
    model = AR(2, diff=1).fit(x)
    seen = x + 0.7 * rng.standard_normal(x.shape)
    seen[20:25] = np.nan
    out = model.denoise(seen, 0.49)
    mean, V = law(model, 60)
    known = ~np.isnan(seen[:, 0])
    V = V + 1e8  # an unknown level
    weights = np.linalg.solve((V + 0.49 * np.eye(60))[np.ix_(known, known)], V[known])
    expected = mean + weights.T @ (seen[known, 0] - mean[known])
    assert_allclose(out[:, 0], expected, atol=1e-4)


@pytest.mark.parametrize("order", [0, 2, "aic"])
def test_a_panel_is_a_fit_of_each(rng, order):
    X = [with_gaps(walk(n, rng), 0.1, rng) for n in (90, 60, 120)]
    X[0][:3] = X[1][-2:] = np.nan
    model = AR(order, diff=1, max_order=3, pooled=False).fit(X)
    for s, x in enumerate(X):
        own = AR(order, diff=1, max_order=3).fit(x)
        p = len(own.coef_)
        assert_allclose(model.coef_[s][:p], own.coef_, atol=1e-6)
        assert_allclose(model.log_lik_[s], own.log_lik_, rtol=1e-10)
        assert_allclose(model.forecast(3, X)[s].mean, own.forecast(3, x).mean, atol=1e-5)
    assert_allclose(model.score_samples(X), model.log_lik_, rtol=1e-10)
    other = AR(1, diff=1, trend="linear", pooled=False).fit(X)
    assert_allclose(other.score_samples(X), other.log_lik_, rtol=1e-9)


def test_steps_that_are_not_stationary_make_a_model_of_levels(rng):
    x = np.cumsum(np.cumsum(np.cumsum(rng.standard_normal((300, 1)), axis=0), axis=0), axis=0)
    model = AR(2, diff=1, method="conditional").fit(x)
    model.coef_, model.intercept_ = np.array([2.0, -1.0]), 0.0
    assert not model.is_stationary_
    assert_allclose(model.predict(x)[3:], 3 * x[2:-1] - 3 * x[1:-2] + x[:-3], rtol=1e-6, atol=1e-3)
    ahead = model.forecast(2, x).mean
    assert_allclose(ahead[0], 3 * x[-1] - 3 * x[-2] + x[-3], rtol=1e-6)


def test_too_few_levels_are_refused(rng):
    with pytest.raises(ValueError, match="order=3 needs more than n_samples=4"):
        AR(3, diff=1).fit(walk(4, rng))
    with pytest.raises(ValueError, match="needs more than n_samples=1"):
        AR(0, diff=1).fit(walk(1, rng))
    with pytest.raises(ValueError, match="diff"):
        AR(1, diff=2).fit(walk(9, rng))
