"""Series and definitions that the tests of autoregressions share."""

import numpy as np
from scipy.stats import multivariate_normal

FEEDBACK = np.array([[[0.5, 0.2], [-0.3, 0.4]], [[-0.2, 0.0], [0.1, 0.2]]])
NOISE = np.array([[1.0, 0.0], [0.5, 0.8]])


def ar_series(coef, n, rng, mean=0.0, burn=500):
    """One column."""
    coef = np.asarray(coef)
    x, noise = np.zeros(n + burn), rng.standard_normal(n + burn)
    for t in range(len(coef), n + burn):
        x[t] = coef @ x[t - len(coef) : t][::-1] + noise[t]
    return x[burn:, None] + mean


def var_series(n, rng, mean=(3.0, -1.0)):
    """Two columns with two lags."""
    x = np.zeros((n + 100, 2))
    for t in range(2, n + 100):
        x[t] = FEEDBACK[0] @ x[t - 1] + FEEDBACK[1] @ x[t - 2] + NOISE @ rng.standard_normal(2)
    return x[100:] + mean


def with_gaps(x, share, rng):
    x = x.copy()
    x[rng.random(x.shape) < share] = np.nan
    return x


def covariance(model, n):
    """Of n steps end to end: block Toeplitz."""
    d = np.atleast_2d(model.noise_variance_).shape[0]
    gamma = model.autocovariance(n - 1).reshape(n, d, d)
    out = np.empty((n, d, n, d))
    for i in range(n):
        for j in range(n):
            out[i, :, j] = gamma[i - j] if i >= j else gamma[j - i].T
    return out.reshape(n * d, n * d)


def log_density(model, x):
    """Of what is observed of x, as one draw of a multivariate normal distribution."""
    u, V = (x - model.mean_).ravel(), covariance(model, len(x))
    seen = ~np.isnan(u)
    return multivariate_normal(cov=V[np.ix_(seen, seen)]).logpdf(u[seen])
