"""The textbook EM iteration of a Gaussian mixture with missing entries, in NumPy."""

import numpy as np
from scipy.special import logsumexp


def step(X, patterns, weights, means, covariances):
    """Log-likelihood per row, and the parameters after one iteration.

    Parameters
    ----------
    X : ndarray of shape (n, d)
    patterns : list of (rows, observed columns)
    weights, means, covariances : ndarray of shape (K,), (K, d), (K, d, d)

    References
    ----------
    Ghahramani, Jordan (1994). Supervised learning from incomplete data via an EM approach. NIPS 6.
    """
    K, d = means.shape
    count, first, second, total = np.zeros(K), np.zeros((K, d)), np.zeros((K, d, d)), 0.0
    for rows, seen in patterns:
        if len(seen) == 0:
            continue  # says nothing about the parameters
        block = X[rows][:, seen]
        log_joint = [
            np.log(weights[k])
            + log_density(block, means[k, seen], covariances[k][np.ix_(seen, seen)])
            for k in range(K)
        ]
        log_prob = logsumexp(log_joint, axis=0)
        resp = np.exp(log_joint - log_prob)
        total += log_prob.sum()
        for k in range(K):
            z, conditional = completed(block - means[k, seen], covariances[k], seen)
            count[k] += resp[k].sum()
            first[k] += resp[k] @ z
            second[k] += (resp[k][:, None] * z).T @ z + resp[k].sum() * conditional
    shift = first / count[:, None]
    covariances = second / count[:, None, None] - shift[:, :, None] * shift[:, None, :]
    return total / len(X), count / count.sum(), means + shift, covariances


def log_density(X, mean, covariance):
    """Log N(x; mean, covariance), of shape (n,)."""
    factor = np.linalg.cholesky(covariance)
    y = np.linalg.solve(factor, (X - mean).T)
    constant = np.log(np.diag(factor)).sum() + 0.5 * len(mean) * np.log(2 * np.pi)
    return -0.5 * (y**2).sum(axis=0) - constant


def completed(z, covariance, seen):
    """Centred rows with missing entries replaced by conditional means; what these leave open."""
    gone = np.setdiff1d(np.arange(len(covariance)), seen)
    full, conditional = np.zeros((len(z), len(covariance))), np.zeros_like(covariance)
    cross = covariance[np.ix_(seen, gone)]
    slope = np.linalg.solve(covariance[np.ix_(seen, seen)], cross)
    full[:, seen], full[:, gone] = z, z @ slope
    conditional[np.ix_(gone, gone)] = covariance[np.ix_(gone, gone)] - slope.T @ cross
    return full, conditional
