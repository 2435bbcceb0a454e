"""Autoregressions around any regressor, against linear ones whose answers are exact."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from recursions import simulated, threshold
from scipy.stats import kstest
from series import ar_series, var_series, with_gaps
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import KFold, TimeSeriesSplit
from sklearn.neighbors import KNeighborsRegressor
from sklearn.svm import SVR
from sklearn.tree import DecisionTreeRegressor

from skgen import AR, NonlinearAR

LAWS = ["gaussian", "bootstrap", "heteroscedastic"]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def series(d, n, rng):
    return ar_series([0.5, 0.3], n, rng, mean=10.0) if d == 1 else var_series(n, rng)


def pair(x, order=2, **params):
    """A linear model in both forms; the first rows, whose laws differ, left out of comparisons."""
    ours = NonlinearAR(LinearRegression(), order, cv=None, **params).fit(x)
    return ours, AR(order, method="conditional").fit(x)


def same_linear(model, linear):
    """The model with the parameters of a fitted AR."""
    d = model.n_features_in_
    regressor = model.regressors_[0][0]
    coef = np.reshape(linear.coef_, (-1, d, d)).transpose(1, 0, 2).reshape(d, -1)
    regressor.coef_, regressor.intercept_ = coef[0] if d == 1 else coef, linear.intercept_
    model.regressors_ = [[regressor]]
    model.noise_variance_ = linear.noise_variance_
    return model


@pytest.mark.parametrize("d", [1, 2])
@pytest.mark.parametrize("order", [2, [1, 3]])
def test_a_linear_regressor_makes_least_squares_given_the_first_rows(rng, d, order):
    x = series(d, 300, rng)
    ours, linear = pair(x, order)
    first = ours.order_
    assert_allclose(ours.noise_variance_, linear.noise_variance_, rtol=1e-10)
    assert_allclose(ours.predict(x)[first:], linear.predict(x)[first:], rtol=1e-9)
    assert_allclose(ours.score_samples(x)[first:], linear.score_samples(x)[first:], rtol=1e-8)
    assert_allclose(ours.score_samples(x)[first:].sum(), linear.log_lik_, rtol=1e-10)
    assert_allclose(ours.transform(x)[first:], linear.transform(x)[first:], atol=1e-8)
    # Paths come in pairs with opposite innovations: of a linear model their mean is exact.
    assert_allclose(ours.forecast(6).mean, linear.forecast(6).mean, rtol=1e-9)
    assert_allclose(ours.forecast(6, x[:50]).mean, linear.forecast(6, x[:50]).mean, rtol=1e-9)


def test_the_first_rows_have_location_and_scale_of_the_fit(rng):
    x = series(1, 300, rng)
    model, _ = pair(x)
    z = (x[:2, 0] - x.mean()) / x.std()
    expected = -0.5 * z**2 - np.log(x.std() * np.sqrt(2 * np.pi))
    assert_allclose(model.score_samples(x)[:2], expected, rtol=1e-12)
    assert_allclose(model.predict(x)[:2], x.mean(), rtol=1e-12)
    assert_allclose(model.forecast(2, x[:1]).mean[0, 0], x.mean(), rtol=1e-12)


@pytest.mark.parametrize("d", [1, 2])
def test_paths_follow_the_forecast_that_is_known(rng, d):
    x = series(d, 300, rng)
    ours, linear = pair(x, n_paths=20_000)
    found, known = ours.forecast(8), linear.forecast(8)
    assert_allclose(found.std, known.std, rtol=0.03)
    for q in (0.05, 0.5, 0.9):
        assert_allclose(found.quantile(q), known.quantile(q), atol=0.06)
    for limits in zip(found.interval(0.9), known.interval(0.9), strict=True):
        assert_allclose(*limits, atol=0.06)
    future = known.sample(1, 0)[0]
    assert_allclose(found.log_prob(future), known.log_prob(future), atol=0.02)
    z = (ours.forecast(8).sample(5000, 1)[:, -1, 0] - known.mean[-1, 0]) / known.std[-1, 0]
    assert kstest(z, "norm").pvalue > 1e-3


@pytest.mark.parametrize("d", [1, 2])
def test_particles_estimate_what_the_kalman_filter_knows(rng, d):
    x = with_gaps(series(d, 400, rng), 0.3, rng)
    x[:5] = series(d, 5, rng)
    exact = AR(2).fit(x)
    model = NonlinearAR(LinearRegression(), 2, cv=None, n_particles=1000, n_refits=1)
    model = same_linear(model.fit(x), exact)
    rows = slice(5, None)
    assert_allclose(
        model.score_samples(x)[rows].sum(), exact.score_samples(x)[rows].sum(), atol=1.5
    )
    assert_allclose(model.score_samples(x)[rows], exact.score_samples(x)[rows], atol=0.15)
    assert_allclose(model.predict(x)[rows], exact.predict(x)[rows], atol=0.15)
    assert_allclose(model.transform(x)[rows], exact.transform(x)[rows], atol=0.15)
    for ours, theirs in zip(model.smooth(x), exact.smooth(x), strict=True):
        assert np.abs(ours - theirs)[rows].max() < 0.3
        assert np.abs(ours - theirs)[rows].mean() < 0.02
    draws = [model.impute(x, "draw", random_state=seed) for seed in range(50)]
    gone = np.isnan(x)
    assert_array_equal(draws[0][~gone], x[~gone])
    assert_allclose(np.std(draws, axis=0)[gone].mean(), exact.smooth(x)[1][gone].mean(), rtol=0.1)
    x[-1] = np.nan
    ahead = model.forecast(3, x), exact.forecast(3, x)
    assert_allclose(ahead[0].mean, ahead[1].mean, atol=0.12)
    assert_allclose(ahead[0].std, ahead[1].std, rtol=0.1)


def test_half_of_the_values_can_be_missing(rng):
    x = with_gaps(ar_series([0.9], 10_000, rng), 0.5, rng)
    model = NonlinearAR(LinearRegression(), cv=None, random_state=0).fit(x)
    found = np.mean([fit[0].coef_[0] for fit in model.regressors_])
    assert_allclose(found, 0.9, atol=0.01)
    assert_allclose(model.noise_variance_, 1.0, atol=0.05)


def test_gaps_wider_than_what_is_known_are_learnt_from(rng):
    x = with_gaps(ar_series([0.5, 0.3], 300, rng), 0.7, rng)
    model = NonlinearAR(LinearRegression(), 2, cv=None, random_state=0).fit(x)
    assert abs(model.score(x) - AR(2).fit(x).score(x)) < 0.03


@pytest.mark.parametrize("residuals", ["gaussian", "bootstrap"])
@pytest.mark.parametrize(
    "regressor",
    [HistGradientBoostingRegressor(random_state=0), RandomForestRegressor(30, random_state=0)],
    ids=["boosting", "forest"],
)
def test_intervals_cover_what_they_promise(regressor, residuals):
    hits, seen = [], []
    for seed in range(3):
        x = simulated(threshold, [0.0, 0.9, -0.5, 0.0], 3000, np.random.default_rng(seed))
        model = NonlinearAR(regressor, residuals=residuals, random_state=0).fit(x[:1000])
        hits.append(np.abs(model.transform(x[1000:])) < 1.96)
        model.set_params(cv=None).fit(x[:1000])
        seen.append(np.abs(model.transform(x[1000:])) < 1.96)
    assert 0.93 < np.mean(hits) < 0.97
    assert np.mean(seen) < 0.93  # residuals of rows that the regressor has seen are too small


def test_intervals_of_many_steps_cover(rng):
    x = simulated(threshold, [0.0, 0.9, -0.5, 0.0], 4000, rng)
    model = NonlinearAR(HistGradientBoostingRegressor(random_state=0), n_paths=400).fit(x[:1500])
    contexts = [x[t - 5 : t] for t in range(1510, 3990, 20)]
    limits = [forecast.interval(0.95) for forecast in model.forecast(5, contexts)]
    future = np.array([x[t : t + 5] for t in range(1510, 3990, 20)])
    low, high = np.array(limits).transpose(1, 0, 2, 3)
    assert 0.93 < np.mean((low <= future) & (future <= high)) < 0.97


def test_a_scale_that_depends_on_the_past_is_learnt(rng):
    x = np.zeros((3000, 1))
    for t in range(1, len(x)):
        x[t] = 0.5 * x[t - 1] + (0.3 + 0.5 * abs(x[t - 1, 0])) * rng.standard_normal()
    boosting = HistGradientBoostingRegressor(max_depth=3, random_state=0)
    plain = NonlinearAR(LinearRegression()).fit(x[:2000])
    scaled = NonlinearAR(LinearRegression(), residuals="heteroscedastic", scale_regressor=boosting)
    scaled.fit(x[:2000])
    assert scaled.score(x[2000:]) > plain.score(x[2000:]) + 0.05
    limits = [scaled.forecast(1, np.array([[v]])).interval() for v in (0.0, 2.0)]
    calm, wild = np.diff(limits, axis=1).ravel()
    assert_allclose([calm, wild], 2 * 1.96 * np.array([0.3, 1.3]), rtol=0.25)


def test_a_scale_that_follows_noise_counts_less(rng):
    x = ar_series([0.5], 500, rng)
    tree = DecisionTreeRegressor(random_state=0)
    model = NonlinearAR(LinearRegression(), residuals="heteroscedastic", scale_regressor=tree)
    assert model.fit(x).log_variance_slope_ < 0.2


@pytest.mark.parametrize("residuals", LAWS)
@pytest.mark.parametrize("d", [1, 2])
def test_innovations_and_sequences_tell_the_same(rng, residuals, d):
    X = [series(d, n, rng) for n in (80, 1, 40)]
    model = NonlinearAR(Ridge(), 2, residuals=residuals).fit(X)
    Z = model.transform(X)
    for x, back in zip(X, model.inverse_transform(Z), strict=True):
        assert_allclose(back, x, atol=1e-8)
    z = np.concatenate(list(model.transform(model.sample(40, 0, length=60))))
    assert_allclose(np.cov(z.T), np.eye(d).squeeze(), atol=0.1)
    assert kstest(z.ravel(), "norm").pvalue > 1e-3


@pytest.mark.parametrize("residuals", LAWS)
def test_the_density_integrates_to_one_and_a_missing_entry_is_integrated_out(rng, residuals):
    x = series(2, 200, rng)
    model = NonlinearAR(Ridge(), residuals=residuals).fit(x)
    grid = np.linspace(-12, 12, 241)
    rows = np.stack(np.meshgrid(grid + x[1, 0], grid + x[1, 1], indexing="ij"), axis=-1)
    ends = [np.stack([x[0], row]) for row in rows.reshape(-1, 2)]
    log_prob = model.score_samples(ends) - model.score_samples(x[:1])[0]
    density = np.exp(log_prob).reshape(241, 241)
    assert_allclose(density.sum() * 0.1**2, 1, atol=1e-4)
    half = np.stack([x[0], [np.nan, x[1, 1]]])
    marginal = np.exp(model.score_samples(half)[1])
    assert_allclose(density[:, 120].sum() * 0.1, marginal, rtol=1e-3)


@pytest.mark.parametrize("residuals", LAWS)
def test_draws_given_a_part_of_a_row_follow_the_joint_density(rng, residuals):
    x = series(2, 200, rng)
    model = NonlinearAR(Ridge(), residuals=residuals, n_particles=20_000).fit(x)
    half = np.stack([x[0], [np.nan, x[1, 1] + 1.0]])
    mean, std = model.smooth(half)
    grid = np.linspace(-12, 12, 2401) + mean[1, 0]
    ends = [np.stack([x[0], [v, half[1, 1]]]) for v in grid]
    weights = np.exp(model.score_samples(ends) - model.score_samples(half).sum())
    assert_allclose(weights.sum() * 0.01, 1, rtol=1e-3)
    assert_allclose(mean[1, 0], weights @ grid * 0.01, atol=0.03)
    assert_allclose(std[1, 0] ** 2, weights @ (grid - mean[1, 0]) ** 2 * 0.01, rtol=0.05)


def test_sequences_of_a_list_share_the_regressor(rng):
    X = [series(1, n, rng) for n in (50, 2, 80)]
    model = NonlinearAR(LinearRegression(), cv=None).fit(X)
    pairs = np.concatenate([np.column_stack([x[:-1], x[1:]]) for x in X])
    assert_allclose(model.regressors_[0][0].coef_, np.polyfit(*pairs.T, 1)[:1])
    assert_allclose(model.score_samples(X)[0], model.score_samples(X[0]).sum())
    split = NonlinearAR(LinearRegression(), cv=KFold(3)).fit(X)
    assert split.noise_variance_ > model.noise_variance_


def test_a_sequence_of_weight_two_is_two(rng):
    X = [series(1, n, rng) for n in (50, 20, 80)]
    weighted = NonlinearAR(LinearRegression(), cv=None).fit(X, sample_weight=[1, 2, 0])
    repeated = NonlinearAR(LinearRegression(), cv=None).fit([X[0], X[1], X[1]])
    assert_allclose(weighted.score_samples(X), repeated.score_samples(X), rtol=1e-9)
    with pytest.raises(TypeError, match=r"KNeighborsRegressor\.fit does not take it"):
        NonlinearAR(KNeighborsRegressor()).fit(X, sample_weight=[1, 2, 0])


@pytest.mark.parametrize("regressor", [DecisionTreeRegressor(max_depth=3), SVR()])
def test_one_clone_for_all_columns_or_for_each(rng, regressor):
    x = series(2, 200, rng)
    model = NonlinearAR(regressor, random_state=0).fit(x)
    assert len(model.regressors_[0]) == (2 if isinstance(regressor, SVR) else 1)
    assert model.predict(x).shape == x.shape


def test_exogenous_columns_are_inputs(rng):
    z = rng.standard_normal((800, 1))
    x = np.zeros((800, 1))
    for t in range(1, 800):
        x[t] = 0.5 * x[t - 1] + 2.0 * z[t] + 0.1 * rng.standard_normal()
    model = NonlinearAR(LinearRegression(), exog=1).fit(np.column_stack([x, z]))
    assert_allclose(model.regressors_[0][0].coef_, [0.5, 2.0], atol=0.02)
    ahead = model.forecast(2, exog=[[1.0], [-1.0]]).mean[:, 0]
    step = 0.5 * x[-1, 0] + 2
    assert_allclose(ahead, [step, 0.5 * step - 2], atol=0.05)
    with pytest.raises(ValueError, match="pass exog"):
        model.forecast(2)


class Counting(RegressorMixin, BaseEstimator):
    """The last value; counts the calls."""

    calls = 0

    def fit(self, X, y):
        self.fitted_ = True
        return self

    def predict(self, X):
        assert np.isfinite(X).all()
        type(self).calls += 1
        return 0.9 * X[:, 0]


def test_all_paths_and_all_gaps_advance_in_one_call(rng):
    x = ar_series([0.9], 200, rng)
    model = NonlinearAR(Counting(), cv=None).fit(x)
    for question, calls in (
        (lambda: model.forecast(7), 7),
        (lambda: model.forecast(3).sample(500), 6),
        (lambda: model.score(x), 1),
    ):
        Counting.calls = 0
        question()
        assert Counting.calls == calls
    x[20::20] = np.nan
    Counting.calls = 0
    model.score(x)
    assert Counting.calls == 3  # the known rows, the missing ones, those that follow


def test_the_same_question_has_the_same_answer(rng):
    x = with_gaps(series(1, 200, rng), 0.2, rng)
    model = NonlinearAR(Ridge(), 2, random_state=0).fit(x)
    assert_array_equal(model.score_samples(x), model.score_samples(x))
    assert_array_equal(model.forecast(3).mean, model.forecast(3).mean)
    again = NonlinearAR(Ridge(), 2, random_state=0).fit(x)
    assert_array_equal(model.score_samples(x), again.score_samples(x))


@pytest.mark.parametrize("residuals", LAWS)
def test_forecasts_of_many_contexts_are_those_of_each(rng, residuals, monkeypatch):
    monkeypatch.setattr("skgen.autoregressive._simulated.ABREAST", 150)  # three contexts at a time
    X = [var_series(n, rng) for n in (40, 1, 30, 2, 50)]
    X[2][-1] = np.nan  # particles
    model = NonlinearAR(
        Ridge(), 2, residuals=residuals, exog=[1], n_paths=50, n_particles=50, random_state=0
    ).fit(X[0])
    X[2][-1, 1] = 0.5
    exog = list(rng.standard_normal((5, 4, 1)))
    together = model.forecast(4, X, exog)
    for x, own, ahead in zip(X, exog, together, strict=True):
        alone = model.forecast(4, x, own)
        assert_allclose(ahead.paths, alone.paths, rtol=1e-12)
        assert_allclose(ahead.mean, alone.mean, rtol=1e-12)
        assert_allclose(ahead.std, alone.std, rtol=1e-12)
        assert_allclose(ahead.log_prob(ahead.mean), alone.log_prob(ahead.mean), rtol=1e-9)
        assert_allclose(ahead.sample(3, 1), alone.sample(3, 1), rtol=1e-12)


def test_contexts_share_the_calls_of_the_regressor(rng):
    X = [ar_series([0.5], n, rng) for n in (30, 40, 50)]
    model = NonlinearAR(Counting(), n_paths=50).fit(X)
    Counting.calls = 0
    model.forecast(6, X)
    assert Counting.calls == 6


def test_a_forecast_continues_what_was_fitted_or_what_is_given(rng):
    x = series(1, 100, rng)
    model = NonlinearAR(Ridge(), 3).fit(x)
    assert_array_equal(model.forecast(4).mean, model.forecast(4, x).mean)
    short = model.forecast(4, x[:1])
    assert short.mean.shape == (4, 1)
    assert short.sample(3).shape == (3, 4, 1)
    assert_allclose(short.mean[:2, 0], x.mean())
    assert len(model.forecast(2, [x[:5], x[:9]])) == 2
    assert_array_equal(model.forecast(1, x[:40]).mean[0], model.predict(x[:41])[40])


def test_innovations_of_a_wrong_model_are_told(rng):
    x = simulated(threshold, [0.0, 0.9, -0.9, 0.0], 2000, rng)
    right = NonlinearAR(HistGradientBoostingRegressor(random_state=0)).fit(x)
    assert right.diagnose(x).autocorrelation.shape == (20, 1)
    wrong = NonlinearAR(LinearRegression()).fit(np.abs(x))
    assert wrong.diagnose(np.abs(x)).jarque_bera_pvalue[0] < 1e-6


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m, x: NonlinearAR(Ridge(), 0).fit(x), "without inputs"),
        (lambda m, x: NonlinearAR(Ridge(), 99).fit(x), "n_samples=100"),
        (lambda m, x: NonlinearAR(Ridge(), [0]).fit(x), "order"),
        (lambda m, x: m.fit(np.full_like(x, np.inf)), "infinite"),
        (lambda m, x: m.forecast(0), "horizon=0"),
        (lambda m, x: m.forecast(2).interval(2), "level=2"),
        (lambda m, x: m.forecast(2).quantile(0), "q=0"),
        (lambda m, x: m.forecast(2).sample(0), "n_samples=0"),
        (lambda m, x: m.impute(np.where(x > 10, np.nan, x), "mode"), "mode"),
        (lambda m, x: m.inverse_transform(np.full_like(x, np.nan)), "missing"),
    ],
)
def test_mistakes_are_told(rng, call, message):
    x = series(1, 100, rng)
    with pytest.raises(ValueError, match=message):
        call(NonlinearAR(Ridge()).fit(x), x)


def test_paths_that_explode_are_told():
    growing = NonlinearAR(LinearRegression(), cv=None).fit(2.0 ** np.arange(40.0)[:, None])
    with pytest.raises(ValueError, match="explode"):
        growing.forecast(2000)


def test_a_number_of_parameters_is_not_made_up(rng):
    model = NonlinearAR(Ridge()).fit(series(1, 50, rng))
    with pytest.raises(AttributeError, match="cross-validation"):
        model.aic(series(1, 50, rng))


def test_constant_series_are_told():
    from sklearn.exceptions import ConvergenceWarning

    with pytest.warns(ConvergenceWarning, match="constant"):
        model = NonlinearAR(Ridge()).fit(np.full((50, 1), 3.0))
    assert_allclose(model.forecast(2).mean, 3.0)


def test_a_splitter_of_time_leaves_rows_without_residuals(rng):
    x = series(1, 200, rng)
    model = NonlinearAR(LinearRegression(), cv=TimeSeriesSplit(3)).fit(x)
    assert_allclose(model.noise_variance_, 1, atol=0.3)
