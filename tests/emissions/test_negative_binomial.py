import numpy as np
import pytest
from numpy.testing import assert_allclose
from reference import product_log_likelihood
from scipy import optimize, stats

from skgen import Mixture
from skgen._sequences import Rows
from skgen.emissions import NegativeBinomial, Poisson
from skgen.emissions.negative_binomial import NegativeBinomialParams
from skgen.emissions.poisson import PoissonParams


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def draws(rng, mean, dispersion, n):
    return rng.negative_binomial(1 / dispersion, 1 / (1 + dispersion * mean), (n, 1)).astype(float)


def log_pmf(x, mean, dispersion):
    return stats.nbinom(1 / dispersion, 1 / (1 + dispersion * mean)).logpmf(x)


def best_by_search(x):
    """The largest log-likelihood of counts, and its dispersion."""
    found = optimize.minimize_scalar(
        lambda log: -log_pmf(x, x.mean(), np.exp(log)).sum(),
        bounds=(-12, 5),
        method="bounded",
        options={"xatol": 1e-10},
    )
    return -found.fun, np.exp(found.x)


def test_log_likelihood_is_that_of_independent_columns(rng):
    means = np.array([[0.3, 20.0, 900.0], [4.0, 1e-3, 2000.0]])
    dispersions = np.array([[2.0, 0.1, 0.01], [50.0, 1.0, 0.5]])
    X = rng.poisson(means[rng.integers(2, size=60)]).astype(float)
    X[rng.random(X.shape) < 0.3] = np.nan
    got = NegativeBinomial().log_likelihood(NegativeBinomialParams(means, dispersions), Rows(X))
    expected = product_log_likelihood(
        X, lambda x, k, j: log_pmf(x, means[k, j], dispersions[k, j]), 2
    )
    assert_allclose(got, expected, rtol=1e-10)


def test_without_dispersion_counts_are_poisson(rng):
    means = np.array([[0.3, 20.0], [400.0, 7.0]])
    X = rng.poisson(means[rng.integers(2, size=60)]).astype(float)
    params = NegativeBinomialParams(means, np.full((2, 2), 1e-12))
    got = NegativeBinomial().log_likelihood(params, Rows(X))
    expected = Poisson().log_likelihood(PoissonParams(means), Rows(X))
    assert_allclose(got, expected, rtol=1e-7)


def test_the_mites_of_bliss_and_fisher():
    # Red mites on 150 apple leaves; k = 1.02459 is the maximum likelihood estimate in Bliss,
    # Fisher (1953), Fitting the negative binomial distribution to biological data, Biometrics 9.
    mites = np.repeat(np.arange(8.0), [70, 38, 17, 10, 9, 3, 2, 1])[:, None]
    model = Mixture(NegativeBinomial(), n_components=1).fit(mites)
    assert_allclose(1 / model.dispersions_, 1.02459, rtol=1e-5)
    assert_allclose(model.means_, 172 / 150, rtol=1e-12)


@pytest.mark.parametrize(
    ("mean", "dispersion"), [(5, 0.5), (80, 2), (1e3, 0.01), (1e3, 0.001), (3e5, 0.3)]
)
def test_the_fit_is_the_maximum_for_small_and_large_counts(rng, mean, dispersion):
    x = draws(rng, mean, dispersion, 400)
    model = Mixture(NegativeBinomial(), n_components=1, tol=1e-12, max_iter=2000).fit(x)
    best, found = best_by_search(x)
    assert model.score(x) * 400 > best - 1e-6
    assert_allclose(model.dispersions_, found, rtol=1e-3)
    assert np.diff(model.lower_bounds_).min(initial=0) > -1e-14 * max(mean, 1e3)


@pytest.mark.parametrize("mean", [0.01, 3.0, 100.0, 5000.0])
def test_counts_that_vary_less_than_poisson_counts_get_no_dispersion(rng, mean):
    x = rng.binomial(int(2 * mean) + 1, 0.5, (300, 1)).astype(float)
    model = Mixture(NegativeBinomial(), n_components=1).fit(x)
    poisson = Mixture(Poisson(), n_components=1).fit(x)
    assert model.dispersions_[0, 0] * mean < 1e-3
    assert_allclose(model.score(x), poisson.score(x), rtol=1e-4)


def test_small_counts_are_fitted_in_one_step(rng):
    X, resp = draws(rng, 20.0, 0.7, 200), rng.random((200, 2))
    emission = NegativeBinomial().adapt(Rows(X))
    params = emission.initialize(Rows(X), resp)
    once = emission.maximize(emission.statistics(params, Rows(X), resp))
    twice = emission.maximize(emission.statistics(once, Rows(X), resp))
    assert_allclose(once.dispersions, twice.dispersions, rtol=1e-12)


def test_the_step_climbs_where_counts_share_cells(rng):
    X, resp = draws(rng, 3000.0, 0.2, 200), rng.random((200, 2))
    emission = NegativeBinomial().adapt(Rows(X))
    params = NegativeBinomialParams(np.full((2, 1), 500.0), np.full((2, 1), 8.0))
    values = []
    for _ in range(30):
        values.append((resp * emission.log_likelihood(params, Rows(X))).sum())
        params = emission.maximize(emission.statistics(params, Rows(X), resp))
    assert np.diff(values).min() > -1e-8
    slope = [
        (resp * emission.log_likelihood(params._replace(dispersions=d), Rows(X))).sum()
        for d in (params.dispersions * 0.999, params.dispersions * 1.001)
    ]
    assert max(slope) < values[-1]


@pytest.mark.parametrize(("mean", "dispersion"), [(0.5, 0.1), (7.3, 0.4), (7.3, 1.5), (51, 0.02)])
def test_the_mode_is_the_likeliest_count(mean, dispersion):
    params = NegativeBinomialParams(np.array([[mean]]), np.array([[dispersion]]))
    mode = NegativeBinomial().complete(params, Rows(np.array([[np.nan]])), 0, "mode")
    assert mode == log_pmf(np.arange(200), mean, dispersion).argmax()


def test_columns_of_zeros_have_parameters():
    X = np.column_stack([np.zeros(6), [0.0, 1, 2, 9, 0, 1]])
    model = Mixture(NegativeBinomial(), n_components=1).fit(X)
    assert model.means_[0, 0] == 0
    assert np.isfinite(model.score_samples(X)).all()
    assert np.isfinite(model.score_samples([[3.0, 1.0]])).all()


def test_values_that_are_no_counts_have_no_density():
    X = np.array([[-1.0], [2.5], [1000.5], [np.nan], [300.0]])
    params = NegativeBinomialParams(np.array([[2.0]]), np.array([[0.3]]))
    got = NegativeBinomial().log_likelihood(params, Rows(X))[:, 0]
    assert np.isneginf(got[:3]).all()
    assert got[3] == 0
    assert_allclose(got[4], log_pmf(300, 2.0, 0.3), rtol=1e-10)
    with pytest.raises(ValueError, match=r"X has 2.5 in row 1, column 0, but NegativeBinomial"):
        NegativeBinomial().adapt(Rows(np.array([[3.0], [2.5]])))
