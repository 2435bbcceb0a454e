"""Recursions of the user's own, against their definitions in plain Python and linear models."""

import pickle

import numba
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from recursions import (
    first_value,
    garch,
    garch_series,
    linear,
    linear_two_lags,
    logistic,
    simulated,
    smoothing,
    threshold,
)
from scipy.stats import norm
from series import ar_series, var_series, with_gaps
from sklearn.exceptions import ConvergenceWarning

from skgen import AR, RecursiveModel
from skgen.autoregressive._lags import elapsed
from skgen.autoregressive._minimize import with_slopes
from skgen.autoregressive._recursive import FORBIDDEN, Search

GARCH = {"params": [0.1, 0.1, 0.8], "state": [1.0], "bounds": [(1e-6, 10), (0, 1), (0, 1)]}


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def fitted(step, params, x, **more):
    """A model with these very parameters."""
    model = RecursiveModel(step, params, max_iter=1, **more)
    with pytest.warns(ConvergenceWarning):
        model.fit(x)
    model.params_ = np.asarray(params, dtype=float)
    return model


def garch_log_prob(x, params, state):
    """By its definition; the first row is given."""
    out, variance = np.zeros(len(x)), state
    for t in range(1, len(x)):
        variance = params[0] + params[1] * x[t - 1] ** 2 + params[2] * variance
        out[t] = norm.logpdf(x[t], 0, np.sqrt(variance))
    return out


def test_a_linear_step_is_least_squares(rng):
    x = ar_series([0.5, 0.3], 400, rng, mean=10.0)
    linear_fit = AR(2, method="conditional").fit(x)
    model = RecursiveModel(linear_two_lags, [1.0, 0.1, 0.1], order=2).fit(x)
    expected = [linear_fit.intercept_, *linear_fit.coef_]
    assert_allclose(model.params_, expected, rtol=1e-4)
    assert_allclose(model.noise_variance_, linear_fit.noise_variance_, rtol=1e-7)
    assert_allclose(model.log_lik_, linear_fit.log_lik_, rtol=1e-9)
    assert_allclose(model.score_samples(x)[2:].sum(), model.log_lik_, rtol=1e-12)
    assert_allclose(model.forecast(5).mean, linear_fit.forecast(5).mean, rtol=1e-5)
    lags = np.column_stack([np.ones(398), x[1:-1], x[:-2]])
    errors = np.sqrt(np.diag(np.linalg.inv(lags.T @ lags)) * model.noise_variance_)
    assert_allclose(model.standard_errors_, errors, rtol=1e-3)
    assert_allclose(model.bic(x) - model.aic(x), 4 * (np.log(400) - 2))


def test_a_garch_has_its_definition_s_likelihood_and_variance(rng):
    x = garch_series([0.05, 0.15, 0.8], 3000, rng)
    model = RecursiveModel(garch, **GARCH).fit(x)
    assert_allclose(model.params_, [0.05, 0.15, 0.8], atol=0.04)
    assert np.abs((model.params_ - [0.05, 0.15, 0.8]) / model.standard_errors_).max() < 3
    expected = garch_log_prob(x[:, 0], model.params_, 1.0)
    assert_allclose(model.score_samples(x)[1:], expected[1:], rtol=1e-12)
    assert_allclose(model.log_lik_, expected.sum(), rtol=1e-12)
    for shift in 1e-3 * np.eye(3):
        assert garch_log_prob(x[:, 0], model.params_ + shift, 1.0).sum() < model.log_lik_
    # E of the variance h steps ahead goes to its mean by the factor alpha + beta a step.
    omega, alpha, beta = model.params_
    ahead = model.forecast(10)
    first = (np.diff(ahead.interval(2 * norm.cdf(1) - 1), axis=0).ravel()[0] / 2) ** 2
    mean = omega / (1 - alpha - beta)
    expected = mean + (alpha + beta) ** np.arange(10) * (first - mean)
    assert_allclose(ahead.std[:, 0] ** 2, expected, rtol=0.15)


def test_a_threshold_is_found(rng):
    x = simulated(threshold, [0.5, 0.9, -0.5, 0.3], 3000, rng)
    model = RecursiveModel(threshold, [0.0, 0.1, 0.1, 0.0], solver="Powell").fit(x)
    assert_allclose(model.params_, [0.5, 0.9, -0.5, 0.3], atol=0.1)
    truth = fitted(threshold, [0.5, 0.9, -0.5, 0.3], x)
    assert model.log_lik_ > truth.score_samples(x)[1:].sum()


def test_a_chaotic_map_is_found(rng):
    x = simulated(logistic, [3.8], 500, rng, scale=0.0) + 0.5
    x[0] = 0.3
    for t in range(1, 500):
        x[t] = logistic(x[t - 1], [3.8]) + 0.005 * rng.standard_normal()
    model = RecursiveModel(logistic, [3.5], bounds=[(0, 4)]).fit(x)
    assert_allclose(model.params_, 3.8, atol=3 * model.standard_errors_[0])
    assert_allclose(np.sqrt(model.noise_variance_), 0.005, rtol=0.1)


def test_exponential_smoothing_begins_where_it_is_told(rng):
    level = np.cumsum(0.3 * rng.standard_normal(500))
    X = [(level + rng.standard_normal(500))[:, None], np.array([[5.0], [6.0], [7.0]])]
    model = RecursiveModel(smoothing, [0.5], state=first_value, bounds=[(0, 1)]).fit(X)
    assert 0.1 < model.params_[0] < 0.5
    expected = [5.0, 5.0 + model.params_[0]]
    assert_allclose(model.predict(X)[1][1:, 0], expected, rtol=1e-12)
    ahead = model.forecast(3, X[1]).mean[0, 0]
    assert_allclose(ahead, expected[1] + model.params_[0] * (7 - expected[1]), rtol=1e-12)
    assert_allclose(model.score_samples(X)[0], model.score_samples(X[0]).sum())


def test_two_columns(rng):
    x = var_series(300, rng)
    model = RecursiveModel(linear, [0.0, 0.5]).fit(x)
    errors = x[1:] - model.params_[0] - model.params_[1] * x[:-1]
    assert_allclose(model.predict(x)[1:], x[1:] - errors, rtol=1e-12)
    assert_allclose(model.noise_variance_, errors.T @ errors / 299, rtol=1e-9)
    assert_allclose(model.score_samples(x)[1:].sum(), model.log_lik_, rtol=1e-12)


def test_missing_rows_are_integrated_out(rng):
    x = ar_series([0.9], 400, rng)
    exact = AR(1, method="conditional").fit(x)
    model = RecursiveModel(linear, [0.0, 0.5], n_particles=1000).fit(x)
    x = with_gaps(x, 0.3, rng)
    x[0] = 0.0
    assert_allclose(model.score_samples(x)[1:], exact.score_samples(x)[1:], atol=0.15)
    assert_allclose(model.smooth(x)[0][1:], exact.smooth(x)[0][1:], atol=0.25)


def test_particles_carry_the_state_along(rng):
    x = garch_series([0.05, 0.15, 0.8], 30, rng)
    model = fitted(garch, [0.05, 0.15, 0.8], x, state=[1.0], n_particles=20_000)
    x[1] = np.nan
    # One missing value, over which the definition is averaged by quadrature.
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    first = np.sqrt(0.05 + 0.15 * x[0, 0] ** 2 + 0.8)
    filled = np.repeat(x[:, 0][None], 40, axis=0)
    filled[:, 1] = nodes * first
    logs = [garch_log_prob(row, [0.05, 0.15, 0.8], 1.0)[2:].sum() for row in filled]
    expected = np.log(weights / weights.sum() @ np.exp(logs))
    assert_allclose(model.score_samples(x)[1:].sum(), expected, atol=0.01)


def test_parameters_are_found_with_values_missing(rng):
    x = with_gaps(ar_series([0.9], 5000, rng), 0.5, rng)
    model = RecursiveModel(linear, [0.0, 0.5], n_refits=6, random_state=0).fit(x)
    assert_allclose(model.params_, [0.0, 0.9], atol=0.03)
    assert_allclose(model.noise_variance_, 1.0, atol=0.08)
    assert np.isnan(model.standard_errors_).all()
    assert np.isnan(model.log_lik_)


def test_without_a_past_gaps_are_skipped_exactly(rng):
    def trend(past, state, params):
        state[0] += params[0]
        return state[0]

    x = (0.5 * np.arange(1, 201) + rng.standard_normal(200))[:, None]
    x[rng.random(200) < 0.3] = np.nan
    model = RecursiveModel(trend, [0.1], order=0, state=[0.0]).fit(x)
    mean = model.params_[0] * np.arange(1, 201)
    assert_allclose(model.predict(x)[:, 0], mean, rtol=1e-10)
    e = x[:, 0] - mean
    assert_allclose(model.noise_variance_, np.nanmean(e**2), rtol=1e-9)
    expected = np.nan_to_num(norm.logpdf(e, 0, np.sqrt(model.noise_variance_)))
    assert_allclose(model.score_samples(x), expected, atol=1e-9)
    assert_allclose(model.log_lik_, expected.sum(), rtol=1e-10)


def test_innovations_and_sequences_tell_the_same(rng):
    X = [garch_series([0.05, 0.15, 0.8], n, rng) for n in (200, 1, 50)]
    for residuals in ("gaussian", "bootstrap"):
        model = RecursiveModel(garch, **GARCH, residuals=residuals).fit(X)
        back = model.inverse_transform(model.transform(X))
        for x, own in zip(X, back, strict=True):
            assert_allclose(own, x, atol=1e-8)
        assert model.sample(3, 0, length=5)[2].shape == (5, 1)


def test_a_state_continues_over_the_whole_past(rng):
    x = np.cumsum(rng.standard_normal((1500, 1)), axis=0)
    model = RecursiveModel(smoothing, [0.001], state=first_value, bounds=[(0, 1)], max_iter=1)
    with pytest.warns(ConvergenceWarning):
        model.fit(x)
    assert_array_equal(model.forecast(2).mean, model.forecast(2, x).mean)


@pytest.mark.parametrize("central", [False, True])
@pytest.mark.parametrize("bounds", [None, [(0, 3), (-2, -1), (0.5, 0.5), (1, np.inf)]])
def test_slopes_are_differences_within_the_bounds(central, bounds):
    x, bounds = np.array([0.0, -1.0, 0.5, 2.0]), None if bounds is None else np.array(bounds)

    def function(points):
        if bounds is not None:
            assert ((points >= bounds[:, 0]) & (points <= bounds[:, 1])).all()
        return np.exp(points).sum(axis=1) + points[:, 0] * points[:, 1]

    value, slopes = with_slopes(function, bounds, central)(x)
    expected = np.exp(x) - np.eye(4)[0]
    expected[2] *= bounds is None  # cannot move
    assert value == function(x[None])[0]
    assert_allclose(slopes, expected, rtol=0, atol=2e-9 if central else 3e-7)


def test_likelihoods_of_many_parameters_are_those_of_each(rng):
    X = [garch_series([0.05, 0.15, 0.8], n, rng) for n in (50, 1, 30)]
    x, offsets = np.concatenate(X), np.array([0, 50, 51, 81])
    model = RecursiveModel(garch, **GARCH).fit(X)
    search = Search(model, x, offsets, 1.0 * (elapsed(offsets) > 0), np.full(1, 1e-300))
    params = np.array([[0.05, 0.15, 0.8], [-1.0, 0.1, 0.1], [0.1, 0.2, 0.3]])
    found = search.values(x[None], params)
    assert_array_equal(found, [search.value(x[None], own) for own in params])
    assert found[1] == 78 * FORBIDDEN
    expected = [-garch_log_prob(own[:, 0], params[2], 1.0).sum() for own in X]
    assert_allclose(found[2], sum(expected), rtol=1e-12)


def test_weights_of_sequences_are_repetitions(rng):
    X = [ar_series([0.5], n, rng) for n in (50, 30, 40)]
    weighted = RecursiveModel(linear, [0.0, 0.1]).fit(X, sample_weight=[1, 2, 0])
    repeated = RecursiveModel(linear, [0.0, 0.1]).fit([X[0], X[1], X[1]])
    assert_allclose(weighted.params_, repeated.params_, rtol=1e-5)
    assert_allclose(weighted.log_lik_, repeated.log_lik_, rtol=1e-9)


def test_a_compiled_function_is_taken_and_the_model_is_pickled(rng):
    x = ar_series([0.5], 100, rng)
    model = RecursiveModel(linear, [0.0, 0.1]).fit(x)
    own = RecursiveModel(numba.njit(linear), [0.0, 0.1]).fit(x)
    assert_array_equal(own.params_, model.params_)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.score_samples(x), model.score_samples(x))


def unknown(past, params):
    return object_of_nobody(past)  # noqa: F821


def opened(past, params):
    with open("nothing") as file:
        return float(file.read())


def keyed(past, params):
    return {"a": object(), 1: params[0]}["a"]


def triple(past, params):
    return past[0], params[0], 1.0


def beyond(past, params):
    return params[7]


def negative(past, params):
    return 0.0, params[0]


def doubling(past, params):
    return params[0] * past[0] ** 3


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((unknown, [0.1]), ValueError, "step raised NameError"),
        ((opened, [0.1]), ValueError, "step raised FileNotFoundError"),
        ((keyed, [0.1]), TypeError, "step=keyed cannot be compiled by numba: .*"),
        ((triple, [0.1]), TypeError, "return a mean, or a mean and a scale"),
        ((beyond, [0.1]), ValueError, "step raised IndexError"),
        ((negative, [-0.1]), ValueError, "not positive, with params=.-0.1"),
        ((linear, [0.1, np.nan]), ValueError, "params is nan"),
        ((linear, ["a"]), ValueError, "params must be an array of numbers"),
        ((linear, [0.1, 0.1], [(0, 1)]), ValueError, "bounds has shape"),
        ((linear, [0.1, 2.0], [(0, 1), (0, None)]), None, ""),
        ((linear, [0.1, -2.0], [(0, 1), (0, None)]), ValueError, "not within bounds"),
    ],
)
def test_mistakes_are_told(rng, arguments, error, message):
    step, params, *bounds = arguments
    model = RecursiveModel(step, params, bounds=bounds[0] if bounds else None)
    x = ar_series([0.5], 50, rng)
    if error is None:
        model.fit(x)
        return
    with pytest.raises(error, match=message) as told:
        model.fit(x)
    assert "\n" not in str(told.value)


def test_a_recursion_that_explodes_is_told(rng):
    model = RecursiveModel(doubling, [0.1]).fit(ar_series([0.5], 50, rng))
    with pytest.raises(ValueError, match="explodes"):
        model.forecast(50, np.array([[100.0]]))
    with pytest.raises(ValueError, match="n_samples=2"):
        model.fit(np.zeros((2, 1)))
