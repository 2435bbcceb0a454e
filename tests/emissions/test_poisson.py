import numpy as np
import pytest
from numpy.testing import assert_allclose
from reference import poisson_log_likelihood
from scipy import stats

from skgen._sequences import Rows
from skgen.emissions import Poisson
from skgen.emissions.poisson import PoissonParams


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_log_likelihood_is_that_of_independent_poisson_columns(rng):
    rates = np.array([[0.3, 2.0, 900.0], [4.0, 1e-3, 2000.0]])
    X = rng.poisson(rates[rng.integers(2, size=50)]).astype(float)
    X[rng.random(X.shape) < 0.3] = np.nan
    got = Poisson().log_likelihood(PoissonParams(rates), Rows(X))
    assert_allclose(got, poisson_log_likelihood(X, rates), rtol=1e-12, atol=1e-12)


def test_counts_in_the_millions_keep_their_digits():
    X = np.array([[1e6 + 3], [123_456_789.0]])
    got = Poisson().log_likelihood(PoissonParams(np.array([[1e6]])), Rows(X))
    assert_allclose(got, poisson_log_likelihood(X, np.array([[1e6]])), rtol=1e-12)


def test_a_rate_of_zero_makes_counts_next_to_impossible():
    params = PoissonParams(np.array([[0.0, 2.0]]))
    X = np.array([[0.0, 1.0], [3.0, 1.0], [np.nan, 1.0], [0.0, np.nan]])
    one = stats.poisson(2).logpmf(1)
    assert_allclose(
        Poisson().log_likelihood(params, Rows(X))[:, 0],
        [one, 3 * np.log(1e-300) - np.log(6) + one, one, 0.0],
        rtol=1e-12,
    )


def test_values_that_are_no_counts_have_no_density():
    X = np.array([[-1.0], [2.5], [np.nan], [3.0]])
    got = Poisson().log_likelihood(PoissonParams(np.array([[2.0]])), Rows(X))[:, 0]
    assert_allclose(got, [-np.inf, -np.inf, 0.0, stats.poisson(2).logpmf(3)])


def test_the_map_rate_is_the_mode_of_the_gamma_posterior(rng):
    x = rng.poisson(3.0, size=(40, 1)).astype(float)
    emission = Poisson(shape=5.0, rate=0.5)
    resp = np.ones((40, 1))
    rate = emission.maximize(emission.statistics(None, Rows(x), resp)).rates[0, 0]
    posterior = stats.gamma(5.0 + x.sum(), scale=1 / (40.5))
    assert_allclose(rate, (posterior.args[0] - 1) * posterior.kwds["scale"], rtol=1e-12)


def test_a_start_has_no_rate_of_zero(rng):
    X = np.array([[0.0, 3.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, np.nan]])
    assert np.all(Poisson().initialize(Rows(X), np.eye(3)).rates > 0)


@pytest.mark.parametrize("bad", [-1.0, 0.5, 2.0**53])
def test_what_is_no_count_is_refused_with_its_place(bad):
    X = np.array([[1.0, 2.0], [np.nan, bad]])
    with pytest.raises(
        ValueError, match=rf"X has {bad:.6g}.* in row 1, column 1".replace("+", ".")
    ):
        Poisson().adapt(Rows(X))


@pytest.mark.parametrize("name", ["shape", "rate"])
def test_impossible_priors_are_refused(name):
    with pytest.raises(ValueError, match=f"'{name}' parameter of Poisson .* Got -1"):
        Poisson(**{name: -1}).adapt(Rows(np.ones((2, 1))))


def test_points_for_clustering_have_the_same_noise_at_every_rate(rng):
    X = rng.poisson([4.0, 400.0], size=(4000, 2)).astype(float)
    assert_allclose(Poisson().embed(Rows(X)).std(axis=0), 0.5, rtol=0.1)
