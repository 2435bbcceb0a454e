"""Laws of innovations."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import norm

from skgen.autoregressive._innovations import Innovations


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_a_smoothed_bootstrap_has_the_covariance_of_the_residuals(rng):
    residuals = rng.exponential(size=(50, 2)) @ [[1.0, 0.5], [0.0, 2.0]]
    residuals -= residuals.mean(axis=0)
    covariance = residuals.T @ residuals / 50
    law = Innovations.around(residuals, covariance)
    found = law.centres.T @ law.centres / 50 + law.chol @ law.chol.T
    assert_allclose(found, covariance, rtol=1e-12)
    assert_allclose(np.cov(law.draw(200_000, rng).T), covariance, rtol=0.05)


def test_scores_of_a_row_weigh_its_guesses_by_the_entries_before(rng):
    """Two guesses of mean and scale: the row's law is a mixture of two normal ones."""
    mean, scale = np.array([[0.0, 1.0], [2.0, -1.0]]), np.array([[1.0, 2.0], [3.0, 0.5]])
    x, weights = np.array([0.7, 0.3]), np.array([0.4, 0.6])
    law = Innovations.normal(np.eye(2))
    z = law.normal_scores(((x - mean) / scale)[None], scale[None], np.log(weights)[None])[0]
    first = weights @ norm.cdf(x[0], mean[:, 0], scale[:, 0])
    given = weights * norm.pdf(x[0], mean[:, 0], scale[:, 0])
    second = given / given.sum() @ norm.cdf(x[1], mean[:, 1], scale[:, 1])
    assert_allclose(norm.cdf(z), [first, second], rtol=1e-10)


def test_rows_come_back_from_their_scores(rng):
    residuals = rng.standard_normal((30, 2)) ** 3
    law = Innovations.around(residuals - residuals.mean(axis=0), np.cov(residuals.T))
    z = np.concatenate([rng.standard_normal((20, 2)), [[-6.0, 6.0]]])
    e = law.from_normal(z)
    again = law.normal_scores(e[:, None], np.ones((21, 1, 2)), np.zeros((21, 1)))
    assert_allclose(again, z, atol=1e-8)
