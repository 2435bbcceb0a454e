"""Where EM starts: clusters."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.cluster import KMeans

from skgen._starts import clusters, lloyd


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def inertia(points, weights, labels):
    """Weighted squares of the distances to the means of the clusters."""
    means = {
        k: np.average(points[labels == k], axis=0, weights=weights[labels == k]) for k in labels
    }
    return weights @ ((points - np.array([means[k] for k in labels])) ** 2).sum(axis=1)


@pytest.mark.parametrize("seed", range(5))
def test_clusters_are_those_of_k_means(rng, seed):
    points, weights = rng.normal(size=(800, 3)), rng.random(800)
    labels = clusters(points, weights, 6, seed)
    peer = KMeans(6, n_init=1, random_state=seed, tol=0.0).fit(points, sample_weight=weights)
    assert_allclose(inertia(points, weights, labels), peer.inertia_, rtol=0.02)


def test_weights_are_repetitions(rng):
    points, repeats = rng.normal(size=(60, 2)), rng.integers(1, 4, 60) ** 3
    start = np.arange(60) % 3
    weighted = lloyd(points, repeats.astype(float), start)
    copies = lloyd(
        np.repeat(points, repeats, axis=0), np.ones(repeats.sum()), start.repeat(repeats)
    )
    assert_array_equal(weighted.repeat(repeats), copies)


def test_no_cluster_gets_lost():
    """Both means are the same, and the third row would go to the first one."""
    labels = lloyd(np.array([[0.0], [2.0], [1.0]]), np.ones(3), np.array([4, 4, 7]))
    assert_array_equal(labels, [4, 4, 7])


def test_clusters_of_equal_points_are_fewer():
    points = np.repeat([[0.0], [1.0]], 5, axis=0)
    labels = clusters(points, np.ones(10), 4, seed=0)
    assert len(np.unique(labels)) == 2
    assert labels[0] != labels[-1]
