"""Definitions, written for clarity: enumeration and integration, one entry at a time."""

import itertools

import numpy as np
from scipy import stats


def missing_patterns(X):
    """Row indices by pattern, as {observed features: [rows]}."""
    patterns = {}
    for i, row in enumerate(X):
        seen = tuple(j for j, x in enumerate(row) if not np.isnan(x))
        patterns.setdefault(seen, []).append(i)
    return patterns


def product_log_likelihood(X, log_pmf, K):
    """log p(observed entries of row i | k) for independent columns, log_pmf(x, k, j) of each."""
    out = np.zeros((len(X), K))
    for (i, j), x in np.ndenumerate(X):
        if not np.isnan(x):
            out[i] += [log_pmf(x, k, j) for k in range(K)]
    return out


def poisson_log_likelihood(X, rates):
    """Independent Poisson columns, rates of shape (K, d)."""
    return product_log_likelihood(
        X, lambda x, k, j: stats.poisson(rates[k, j]).logpmf(x), len(rates)
    )


def bernoulli_log_likelihood(X, probs):
    """Independent columns of zeros and ones, probabilities of a one of shape (K, d)."""
    return product_log_likelihood(
        X, lambda x, k, j: stats.bernoulli(probs[k, j]).logpmf(x), len(probs)
    )


def categorical_log_likelihood(X, probs):
    """Independent columns of codes, probs of shape (K, d, C)."""
    with np.errstate(divide="ignore"):
        log_probs = np.log(probs)
    return product_log_likelihood(X, lambda x, k, j: log_probs[k, j, int(x)], len(probs))


def grid(lines):
    """All rows with entries from the given values of each column, of shape (n_rows, d)."""
    return np.array(list(itertools.product(*lines)), dtype=float)


def normal_log_density(x, mean, covariance):
    """log N(observed entries of x; mean, covariance), 0 for a row without any."""
    seen = ~np.isnan(x)
    if not seen.any():
        return 0.0
    inner = covariance[np.ix_(seen, seen)]
    return stats.multivariate_normal(mean[seen], inner).logpdf(x[seen])


def normal_moments(x, mean, covariance):
    """E[x - mean] and E[(x - mean)(x - mean)'] given the observed entries of x."""
    seen = ~np.isnan(x)
    z, second = np.zeros(len(x)), np.zeros(covariance.shape)
    z[seen] = (x - mean)[seen]
    slope = np.linalg.solve(covariance[np.ix_(seen, seen)], covariance[np.ix_(seen, ~seen)])
    z[~seen] = z[seen] @ slope
    inner = covariance[np.ix_(~seen, seen)] @ slope
    second[np.ix_(~seen, ~seen)] = covariance[np.ix_(~seen, ~seen)] - inner
    return z, second + np.outer(z, z)


def gaussian_pass(X, log_weights, means, covariances, weights):
    """Everything that one pass of a Gaussian mixture gives, one row at a time."""
    K = len(means)
    log_joint = np.array(
        [
            [log_weights[k] + normal_log_density(x, means[k], covariances[k]) for k in range(K)]
            for x in X
        ]
    )
    log_sum = np.logaddexp.reduce(log_joint, axis=1)
    empty = np.isnan(X).all(axis=1)
    log_prob = np.where(empty, 0.0, log_sum)
    resp = np.exp(log_joint - log_sum[:, None]) * weights[:, None]
    weight, first, second = np.zeros(K), np.zeros(means.shape), np.zeros(covariances.shape)
    for i, k in itertools.product(np.flatnonzero(~empty), range(K)):
        z, zz = normal_moments(X[i], means[k], covariances[k])
        weight[k] += resp[i, k]
        first[k] += resp[i, k] * z
        second[k] += resp[i, k] * zz
    return {
        "log_joint": log_joint,
        "log_prob": log_prob,
        "resp": resp,
        "labels": log_joint.argmax(axis=1),
        "log_lik": log_prob @ weights,
        "moments": (weight, first, second),
    }
