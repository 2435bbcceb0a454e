"""What emissions with independent columns share: sums by column, starts, rows without density."""

import numpy as np

from .._kernels import _counts

MAX_COUNT = 2.0**52  # beyond, float64 has no odd numbers
# Stands for a probability of zero in logarithms, which stay finite (-691) for impossible rows.
TINY = 1e-300
POOLED = 0.01  # the share of the pooled data in each component of a start


def zero_filled(rows):
    """The values of rows, with zeros where they are missing."""
    return np.where(rows.missing, 0.0, rows.values) if rows.has_missing else rows.values


def filled(rows, replacement):
    """The values of rows as float64, with `replacement` for the missing entries in their order."""
    out = rows.values.astype(np.float64)
    out[rows.missing] = replacement
    return out


def linear(rows, slope, offset):
    """Sum over the observed columns j of slope[k, j] * x[i, j] + offset[k, j], of shape (n, K)."""
    seen = ~rows.missing @ offset.T if rows.has_missing else offset.sum(axis=1)
    return zero_filled(rows) @ slope.T + seen


def log(probs):
    """Logarithms of probabilities or rates, finite where these are zero."""
    return np.log(np.maximum(probs, TINY))


def observed_weight(rows, resp):
    """Responsibilities summed over the observed entries of each column, of shape (K, d)."""
    if rows.has_missing:
        return resp.T @ ~rows.missing
    return np.repeat(resp.sum(axis=0)[:, None], rows.n_features, axis=1)


def pooled_frequencies(counts):
    """Relative frequencies over all components, of shape (d, C) for counts (K, d, C)."""
    pooled = counts.sum(axis=0)
    total = pooled.sum(axis=-1, keepdims=True)
    uniform = np.full(pooled.shape, 1.0 / pooled.shape[-1])
    return np.divide(pooled, total, out=uniform, where=total > 0)


def start_counts(counts, exists=1.0):
    """Counts (K, d, C) of a start: moved a little towards the frequencies in all components.

    These are in turn moved towards all categories that exist (d, C), for a start may be made from
    some of the rows only: EM never leaves a probability of zero.
    """
    uniform = np.broadcast_to(exists, counts.shape[1:])
    uniform = uniform / uniform.sum(axis=-1, keepdims=True)
    pooled = (1.0 - POOLED) * pooled_frequencies(counts) + POOLED * uniform
    return (1.0 - POOLED) * counts + POOLED * counts.sum(axis=-1, keepdims=True) * pooled


def centred(values, rows):
    """Values about their weighted mean by column, with zeros where rows are missing."""
    weights = np.ones(len(rows)) if rows.weights is None else rows.weights
    if not rows.has_missing:
        return values - np.average(values, axis=0, weights=weights)
    values, seen = np.where(rows.missing, 0.0, values), ~rows.missing
    total = weights @ seen
    mean = np.divide(weights @ values, total, out=np.zeros(len(total)), where=total > 0)
    return np.where(seen, values - mean, 0.0)


def check_counts(rows, upper, takes):
    """Raise where an entry is no integer from 0 to `upper`, and say where it is."""
    i, j = _counts.first_outside(rows.values, upper)
    if i >= 0:
        raise ValueError(f"X has {rows.values[i, j]:.6g} in {rows.where(i, j)}, but {takes}.")


def outside_support(rows, upper):
    """Which rows have an entry that is no integer from 0 to `upper`."""
    if _counts.first_outside(rows.values, upper)[0] < 0:
        return np.zeros(len(rows), dtype=bool)
    x = rows.values
    return (((x < 0) | (x > upper) | (x != np.floor(x))) & ~rows.missing).any(axis=1)


def check_positive(rows, takes, *, zero=False):
    """Raise where an entry is not positive (with `zero`: negative), and say where it is."""
    bad = rows.values < 0 if zero else rows.values <= 0
    if bad.any():
        i, j = map(int, np.unravel_index(bad.argmax(), bad.shape))
        raise ValueError(f"X has {rows.values[i, j]:.6g} in {rows.where(i, j)}, but {takes}.")


def pooled_means(weight, total, otherwise=1.0):
    """The means of all components together, `otherwise` where nothing of a column is observed."""
    weight, total = weight.sum(axis=0), total.sum(axis=0)
    return np.divide(total, weight, out=np.full(len(total), otherwise), where=weight > 0)


def means(weight, total, otherwise=1.0):
    """Means of the columns (K, d); of all components together where one has no weight."""
    out = np.array(np.broadcast_to(pooled_means(weight, total, otherwise), total.shape))
    return np.divide(total, weight, out=out, where=weight > 0)
