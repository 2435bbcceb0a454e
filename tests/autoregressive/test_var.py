"""Truths about autoregressions of several columns."""

import copy

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from series import ar_series, covariance, log_density, var_series, with_gaps
from sklearn.exceptions import ConvergenceWarning

from skgen import AR
from skgen.autoregressive._fit import _exact_columns
from skgen.autoregressive._least_squares import _lagged_products


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("share", [0.0, 0.3])
@pytest.mark.parametrize("order", [2, 0, [2]])
def test_the_likelihood_is_the_normal_density_with_a_block_toeplitz_covariance(rng, order, share):
    x = with_gaps(var_series(60, rng), share, rng)
    if share:
        x[10:13] = np.nan
    model = AR(order).fit(x)
    assert model.converged_
    assert_allclose(model.log_lik_, log_density(model, x), rtol=1e-11)
    assert_allclose(model.score_samples(x).sum(), model.log_lik_, rtol=1e-11)


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_no_other_parameters_are_more_likely(rng, share):
    x = with_gaps(var_series(80, rng), share, rng)
    model = AR(2).fit(x)
    for scale in (1e-3, 1e-2) * 20:
        other = copy.deepcopy(model)
        other.coef_ = model.coef_ + scale * rng.standard_normal(model.coef_.shape)
        other.intercept_ = model.intercept_ + scale * rng.standard_normal(2)
        factor = np.linalg.cholesky(model.noise_variance_)
        factor = factor @ (np.eye(2) + scale * np.tril(rng.standard_normal((2, 2))))
        other.noise_variance_ = factor @ factor.T
        assert other.score_samples(x).sum() < model.log_lik_


def test_one_column_is_the_case_of_several(rng):
    x = with_gaps(ar_series([0.5, -0.3], 100, rng), 0.2, rng)
    model = AR(2, trend="linear").fit(x)
    task, *_ = model._task(model._sequences(x))
    found = _exact_columns(task)
    assert_allclose(found.log_lik, model.log_lik_, rtol=1e-11)
    assert_allclose(found.coef[:, 0, 0], model.coef_, atol=1e-5)


def test_sequences_of_any_length_add_up(rng):
    X = [with_gaps(var_series(n, rng), 0.2, rng) for n in (30, 50, 3, 2, 1)]
    model = AR(2).fit(X)
    assert_allclose(model.score_samples(X), [log_density(model, x) for x in X], rtol=1e-9)
    assert_allclose(model.log_lik_, model.score_samples(X).sum(), rtol=1e-11)


def design(x, p, skip):
    rows = [np.r_[1, x[t - p : t][::-1].ravel()] for t in range(skip, len(x))]
    return np.array(rows), x[skip:]


@pytest.mark.parametrize("p", [1, 3])
def test_conditional_fits_are_least_squares_of_every_order(rng, p):
    X = [var_series(60, rng), var_series(40, rng)]
    model = AR(p, method="conditional").fit(X)
    for k in range(p + 1):
        parts = [design(x, k, p) for x in X]
        rows, target = (np.concatenate(each) for each in zip(*parts, strict=True))
        beta = np.linalg.lstsq(rows, target, rcond=None)[0]
        rest = target - rows @ beta
        sigma = rest.T @ rest / len(rest)
        log_lik = -0.5 * len(rest) * (np.linalg.slogdet(2 * np.pi * sigma)[1] + 2)
        assert_allclose(model.loglik_path_[k], log_lik, rtol=1e-9)
    assert_allclose(model.intercept_, beta[0], rtol=1e-8)
    assert_allclose(model.coef_, beta[1:].reshape(p, 2, 2).transpose(0, 2, 1), rtol=1e-7)
    assert_allclose(model.pacf_[-1], model.coef_[-1], rtol=1e-7)
    assert_allclose(model.noise_variance_, sigma, rtol=1e-8)


@pytest.mark.parametrize("columns", [1, 2])
@pytest.mark.parametrize("trend", ["constant", None, "linear"])
def test_the_fit_of_a_chosen_order_is_the_fit_of_that_order(rng, columns, trend):
    X = [var_series(n, rng)[:, :columns] + 1.0 for n in (60, 4, 50)]
    settings = {"method": "conditional", "trend": trend, "max_order": 6}
    chosen = AR("bic", **settings).fit(X, sample_weight=[1.0, 3.0, 0.5])
    assert 0 < chosen.order_ < 6
    own = AR(chosen.order_, **settings).fit(X, sample_weight=[1.0, 3.0, 0.5])
    for name in ("coef_", "intercept_", "trend_coef_", "noise_variance_", "log_lik_"):
        assert_allclose(getattr(chosen, name), getattr(own, name), rtol=1e-9, err_msg=name)


@pytest.mark.parametrize("p", [0, 1, 4])
def test_lagged_products_are_sums_over_all_rows(rng, p):
    for n in (p + 1, p + 2, 37, 13_000):  # the last one in several blocks
        x = rng.standard_normal((n, 3))
        expected = [x[p:].T @ x[p - j : n - j] for j in range(p + 1)]
        assert_allclose(_lagged_products(x, p), expected, rtol=1e-10, atol=1e-9)


def test_yule_walker_solves_its_equations(rng):
    x = var_series(80, rng)
    model = AR(2, method="yule-walker").fit(x)
    u = x - x.mean(axis=0)
    gamma = [u[h:].T @ u[: len(u) - h] / len(u) for h in range(3)]
    assert model.is_stationary_
    assert_allclose(model.autocovariance(2), gamma, rtol=1e-9)


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_everything_is_conditioning_of_one_normal_distribution(rng, share):
    x = with_gaps(var_series(30, rng), share, rng)
    model = AR(2).fit(x)
    V, u = covariance(model, 34), (x - model.mean_).ravel()
    seen = np.flatnonzero(~np.isnan(u))

    def given(past, wanted):
        weights = np.linalg.solve(V[np.ix_(past, past)], V[np.ix_(past, wanted)])
        rest = V[np.ix_(wanted, wanted)] - weights.T @ V[np.ix_(past, wanted)]
        return weights.T @ u[past], rest

    ahead, rest = given(seen, np.arange(60, 68))
    forecast = model.forecast(4, x)
    assert_allclose(forecast.mean - model.mean_, ahead.reshape(4, 2), atol=1e-9)
    assert_allclose(forecast.std.ravel() ** 2, np.diag(rest), rtol=1e-9)
    for t in (0, 1, 2, 15):
        predicted, _ = given(seen[seen < 2 * t], np.arange(2 * t, 2 * t + 2))
        assert_allclose(model.predict(x)[t] - model.mean_, predicted, atol=1e-9)
    if share:
        gone = np.flatnonzero(np.isnan(u))
        filled, rest = given(seen, gone)
        mean, std = model.smooth(x)
        assert_allclose((mean - model.mean_).ravel()[gone], filled, atol=1e-9)
        assert_allclose(std.ravel()[gone] ** 2, np.diag(rest), rtol=1e-9)
    assert_allclose(model.inverse_transform(model.transform(x)), x, atol=1e-10)


def test_innovations_are_white(rng):
    x = var_series(20_000, rng)
    model = AR(2, method="conditional").fit(x)
    scaled = model.transform(x)
    assert_allclose(np.cov(scaled.T), np.eye(2), atol=0.02)
    assert_allclose(scaled[1:].T @ scaled[:-1] / len(x), 0, atol=0.02)


def test_the_spectrum_integrates_to_the_covariance(rng):
    model = AR(2).fit(var_series(100, rng))
    f, density = model.spectrum(np.linspace(-0.5, 0.5, 2001))
    variance = np.trapezoid(density, f, axis=0)
    assert_allclose(variance, model.autocovariance(0)[0], atol=1e-6)
    psi = model.impulse_response(300, orthogonal=True)
    assert_allclose(np.einsum("hij,hkj->ik", psi, psi), model.autocovariance(0)[0], rtol=1e-8)


@pytest.mark.parametrize("method", ["exact", "conditional"])
def test_a_prior_has_no_units(rng, method):
    x, units = var_series(60, rng), np.array([1.0, 100.0])
    model = AR(2, method=method, prior=20.0).fit(x)
    other = AR(2, method=method, prior=20.0).fit(x * units)
    assert_allclose(other.coef_ * units / units[:, None], model.coef_, atol=1e-5)
    free = AR(2, method=method).fit(x)
    assert np.abs(model.coef_).sum() < 0.9 * np.abs(free.coef_).sum()


@pytest.mark.parametrize("diff", [0, 1])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore::scipy.linalg.LinAlgWarning")  # near a unit root
def test_columns_that_determine_each_other_are_fitted(diff):
    x = np.array([[0.0, 1.0], [0.0, 1.0], [1.0, -3.0], [0.0, 1.0]] * 3)
    x = np.cumsum(x, axis=0) if diff else x
    model = AR(1, diff=diff).fit(x)
    assert np.isfinite(model.score_samples(x)).all()


@pytest.mark.parametrize("method", ["exact", "conditional", "yule-walker"])
@pytest.mark.parametrize("order", [0, 1])
def test_columns_that_tell_each_other_are_named(rng, method, order):
    x = rng.normal(size=(50, 2))
    x = np.column_stack([x[:, 0], x @ [1.0, 2.0], x[:, 1]])
    with pytest.warns(ConvergenceWarning, match="column 0, column 1, column 2 determine"):
        model = AR(order, method=method).fit(x)
    with pytest.warns(ConvergenceWarning, match='column "a", column "b", column "c" determine'):
        AR(order, method=method).fit(pd.DataFrame(x, columns=list("abc")))
    other = AR(order, method=method).fit(x[:, [0, 2]])
    assert_allclose(model.predict(x) @ [1.0, -1.0, 2.0], 0.0, atol=1e-4)
    assert model.score(x) > other.score(x[:, [0, 2]]) + 5  # and the rest is off by next to nothing


@pytest.mark.parametrize("method", ["exact", "conditional", "yule-walker"])
@pytest.mark.parametrize("order", [0, 1])
def test_a_constant_column_is_named(rng, method, order):
    x = np.column_stack([rng.normal(size=50), np.full(50, 3.0)])
    with pytest.warns(ConvergenceWarning, match="all of column 1, as of a constant"):
        model = AR(order, method=method).fit(x)
    assert np.isfinite(model.log_lik_)
    assert_allclose(model.predict(x)[:, 1], 3.0)


def test_the_name_of_a_constant_column_is_its_own_beside_exogenous_ones(rng):
    x = np.column_stack([rng.normal(size=(50, 2)), np.full(50, 3.0)])
    with pytest.warns(ConvergenceWarning, match='all of column "c", as of a constant'):
        AR(1, exog="a").fit(pd.DataFrame(x, columns=list("abc")))
