"""Gaussians, and rows of correlated columns, whole and with gaps."""

import numpy as np

from skgen import Gaussian

NAN = np.nan
MEAN = np.array([1.0, -2.0, 0.5])
COVARIANCE = np.array([[2.0, 0.8, -0.3], [0.8, 1.0, 0.2], [-0.3, 0.2, 1.5]])


def correlated(rng, n=200, d=3):
    """Rows of columns which differ in mean and variance and are correlated."""
    mixing = np.tril(rng.standard_normal((d, d))) + np.diag(np.arange(1.0, d + 1))
    return rng.standard_normal((n, d)) @ mixing.T + np.arange(d)


def with_gaps(X, rng, share=0.25):
    """A copy with missing entries, and something observed in each row."""
    gaps = rng.random(X.shape) < share
    gaps[gaps.all(axis=1), 0] = False
    return np.where(gaps, NAN, X)


def by_hand(mean, covariance, covariance_type="full"):
    """A model whose parameters were set, not fitted."""
    model = Gaussian(covariance_type)
    model.mean_, model.covariance_ = mean, covariance
    return model
