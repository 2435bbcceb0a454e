import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from skgen._simplex import Simplex


@pytest.mark.parametrize("concentration", [1.0, 1.5, [1.0, 2.0, 4.0]])
def test_maximize_beats_every_other_row(concentration):
    rng = np.random.default_rng(0)
    counts, simplex = np.array([[5.0, 0.5, 3.0], [1.0, 2.0, 2.0]]), Simplex(concentration)

    def objective(probs):
        return (counts * simplex.log_probs(probs)).sum() + simplex.regularizer(probs)

    best = simplex.maximize(counts)
    assert_allclose(best.sum(axis=1), 1.0, rtol=1e-15)
    for size in (1e-3, 1e-1, 1.0):
        for _ in range(50):
            other = best * np.exp(size * rng.standard_normal(best.shape))
            assert objective(other / other.sum(axis=1, keepdims=True)) < objective(best)


def test_without_a_prior_it_gives_relative_frequencies():
    simplex = Simplex()
    assert_allclose(simplex.maximize(np.array([[2.0, 0, 6]])), [[0.25, 0, 0.75]])
    assert simplex.regularizer(np.array([[0.25, 0, 0.75]])) == 0.0


def test_a_row_without_counts_stays_what_it_was():
    counts, before = np.array([[0.0, 0.0], [1.0, 3.0]]), np.array([[0.9, 0.1], [0.5, 0.5]])
    assert_allclose(Simplex().maximize(counts, before), [[0.9, 0.1], [0.25, 0.75]])
    assert_allclose(Simplex().maximize(counts), [[0.5, 0.5], [0.25, 0.75]])
    assert_allclose(Simplex(2.0).maximize(counts, before)[0], [0.5, 0.5])
    assert_allclose(before, [[0.9, 0.1], [0.5, 0.5]], atol=0)


def test_the_regularizer_is_the_log_prior_up_to_its_constant():
    rng, alpha = np.random.default_rng(1), np.array([1.5, 2.0, 4.0])
    a, b = rng.dirichlet(np.ones(3), 2)
    prior = stats.dirichlet(alpha)
    assert_allclose(
        Simplex(alpha).regularizer(a) - Simplex(alpha).regularizer(b),
        prior.logpdf(a) - prior.logpdf(b),
        rtol=1e-12,
    )


def test_a_probability_of_zero_has_log_minus_infinity_without_a_warning():
    assert_allclose(Simplex().log_probs(np.array([0.0, 1.0])), [-np.inf, 0.0])
    assert Simplex([1.0, 3.0]).regularizer(np.array([0.0, 1.0])) == 0.0


@pytest.mark.parametrize("concentration", [0.5, [2.0, 0.0], np.nan])
def test_a_concentration_below_one_is_refused(concentration):
    with pytest.raises(ValueError, match=r"concentration=.* must be 1 or more"):
        Simplex(concentration)
