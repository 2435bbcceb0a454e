"""Regression by joint densities."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import integrate
from sklearn.linear_model import LinearRegression

from skgen import DensityRegressor, Gaussian, GaussianMixture, Mixture, emissions

NAN = np.nan
EXACT = Gaussian(reg_covar=0.0)


@pytest.fixture
def X():
    return np.random.default_rng(0).normal(size=(200, 3)) @ np.diag([1.0, 2.0, 0.5])


@pytest.fixture
def y(X):
    noise = np.random.default_rng(1).normal(size=200)
    return np.where(X[:, 0] > 0, 2 * X[:, 0], -X[:, 1]) + 0.3 * noise


@pytest.fixture
def curved(X, y):
    return DensityRegressor(GaussianMixture(3, random_state=0)).fit(X, y)


@pytest.mark.parametrize("weights", [None, np.arange(200) % 3])
def test_a_gaussian_gives_linear_regression(X, y, weights):
    ours = DensityRegressor(EXACT).fit(X, y, sample_weight=weights)
    peer = LinearRegression().fit(X, y, sample_weight=weights)
    assert_allclose(ours.predict(X), peer.predict(X), rtol=1e-8, atol=1e-8)


def test_the_standard_deviation_of_a_gaussian_is_that_of_the_residuals(X, y):
    mean, std = DensityRegressor(EXACT).fit(X, y).predict(X, return_std=True)
    assert_allclose(std, np.sqrt(np.mean((y - mean) ** 2)), rtol=1e-9)


def test_several_targets_are_several_regressions(X, y):
    Y = np.column_stack([y, X[:, 0] * X[:, 1]])
    both = DensityRegressor(EXACT).fit(X, Y)
    mean, std = both.predict(X, return_std=True)
    assert mean.shape == std.shape == (200, 2)
    for j in range(2):
        alone = DensityRegressor(EXACT).fit(X, Y[:, j]).predict(X, return_std=True)
        assert_allclose(mean[:, j], alone[0], rtol=1e-8, atol=1e-8)
        assert_allclose(std[:, j], alone[1], rtol=1e-8)
    assert DensityRegressor(EXACT).fit(X, Y[:, :1]).predict(X).shape == (200, 1)


def test_mean_and_deviation_are_those_of_the_conditional_density(curved, X):
    rows = X[:20].copy()
    rows[5:10, 0] = NAN
    rows[10:15, 1:] = NAN
    mean, std = curved.predict(rows, return_std=True)
    for i, row in enumerate(rows):
        part = curved.density_.conditional([*row, NAN])
        last = part.means_[:, -1]
        expected = part.weights_ @ last
        second = part.weights_ @ (part.covariances_[:, -1, -1] + last**2)
        assert mean[i] == pytest.approx(expected, rel=1e-9)
        assert std[i] == pytest.approx(np.sqrt(second - expected**2), rel=1e-9)


def test_the_mean_is_the_integral_over_the_joint_density(curved, X):
    grid = np.linspace(-30, 30, 6001)
    joint = np.column_stack([np.tile(X[3], (len(grid), 1)), grid])
    density = np.exp(curved.density_.score_samples(joint))
    mass = integrate.trapezoid(density, grid)
    mean = integrate.trapezoid(density * grid, grid) / mass
    variance = integrate.trapezoid(density * (grid - mean) ** 2, grid) / mass
    found = curved.predict(X[3:4], return_std=True)
    assert found[0][0] == pytest.approx(mean, rel=1e-6)
    assert found[1][0] == pytest.approx(np.sqrt(variance), rel=1e-6)


def test_several_components_follow_a_bend(curved, X, y):
    assert curved.score(X, y) > LinearRegression().fit(X, y).score(X, y) + 0.2


def test_missing_features_are_regressed_on_the_others(X, y):
    model = DensityRegressor(EXACT).fit(X, y)
    gaps = X.copy()
    gaps[:, 1] = NAN
    without = DensityRegressor(EXACT).fit(X[:, [0, 2]], y)
    for found, expected in zip(
        model.predict(gaps, return_std=True),
        without.predict(X[:, [0, 2]], return_std=True),
        strict=True,
    ):
        assert_allclose(found, expected, rtol=1e-8, atol=1e-8)


def test_features_may_be_missing_in_the_fit(X, y):
    gaps = np.where(np.random.default_rng(2).random(X.shape) < 0.2, NAN, X)
    linear = X @ [1.0, -2.0, 0.5] + 0.1 * np.random.default_rng(3).normal(size=200)
    found = DensityRegressor().fit(gaps, linear).predict(np.eye(3))
    assert_allclose(found, [1.0, -2.0, 0.5], atol=0.1)


def test_draws_have_the_predicted_mean_and_deviation(curved, X):
    drawn = curved.sample_y(X[:5], 200_000, random_state=0)
    mean, std = curved.predict(X[:5], return_std=True)
    assert drawn.shape == (5, 200_000)
    assert_allclose(drawn.mean(axis=1), mean, atol=0.05)
    assert_allclose(drawn.std(axis=1), std, rtol=0.03)
    assert_array_equal(curved.sample_y(X[:5], 200_000, random_state=0), drawn)
    assert not np.array_equal(curved.sample_y(X[:5], 200_000, random_state=1), drawn)


def test_draws_of_several_targets_keep_their_relation(X, y):
    noise = 0.01 * np.random.default_rng(2).normal(size=200)
    model = DensityRegressor().fit(X, np.column_stack([y, 2 * y + 1 + noise]))
    drawn = model.sample_y(X[:4], 50, random_state=0)
    assert drawn.shape == (4, 2, 50)
    assert_allclose(drawn[:, 1], 2 * drawn[:, 0] + 1, atol=0.05)


def test_counts_are_regressed():
    rng = np.random.default_rng(0)
    group = rng.random(400) < 0.5
    X, y = rng.poisson(np.where(group, 1.0, 20.0))[:, None], rng.poisson(np.where(group, 50.0, 5.0))
    model = DensityRegressor(Mixture(emissions.Poisson(), 2, random_state=0)).fit(X, y)
    assert_allclose(model.predict([[1], [22]]), [50, 5], rtol=0.05)


@pytest.mark.parametrize(
    ("y", "message"),
    [(None, "target y is None"), (np.full(200, NAN), "NaN"), (np.ones(3), "inconsistent")],
)
def test_targets_are_complete(X, y, message):
    with pytest.raises(ValueError, match=message):
        DensityRegressor().fit(X, y)


@pytest.mark.parametrize(
    ("emission", "values"), [(emissions.Poisson(), range(120)), (emissions.Bernoulli(), (0, 1))]
)
def test_deviations_of_counts_are_those_of_the_joint_density(emission, values):
    rng = np.random.default_rng(0)
    group, values = rng.integers(0, 2, 300), np.array(values, dtype=float)
    rates = np.array([[0.2, 0.7, 0.4], [0.8, 0.1, 0.9]]) * (20 if len(values) > 2 else 1)
    drawn = rng.poisson(rates[group]) if len(values) > 2 else rng.random((300, 3)) < rates[group]
    X, y = drawn[:, :2].astype(float), drawn[:, 2].astype(float)
    model = DensityRegressor(Mixture(emission, 2, random_state=0)).fit(X, y)
    rows = np.array([X[0], [NAN, X[1, 1]]])
    for row, mean, std in zip(rows, *model.predict(rows, return_std=True), strict=True):
        joint = np.column_stack([np.tile(row, (len(values), 1)), values])
        mass = np.exp(model.density_.score_samples(joint))
        mass /= mass.sum()
        assert mean == pytest.approx(mass @ values, rel=1e-9)
        assert std == pytest.approx(np.sqrt(mass @ (values - mean) ** 2), rel=1e-9)


def test_a_density_without_conditional_variances_is_named():
    X, y = np.arange(20)[:, None] % 3, np.arange(20) % 2
    model = DensityRegressor(Mixture(emissions.Categorical(), 2, random_state=0)).fit(X, y)
    with pytest.raises(TypeError, match=r"mixture of Categorical emissions .* sample_y"):
        model.predict(X, return_std=True)


def test_targets_that_are_no_numbers_are_refused(X):
    with pytest.raises(ValueError, match=r"y holds .*'red'.*; a target must be a number"):
        DensityRegressor().fit(X, ["red"] * len(X))
