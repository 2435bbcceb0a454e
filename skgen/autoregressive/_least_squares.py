"""Conditional least squares and Yule-Walker, of all orders up to one, for any number of columns.

With the columns in the order terms, lag 1, ..., lag p, x the triangular factor of [regressors,
x] holds the residual sums of squares of every order in its last columns.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy.linalg.lapack import dpotrf

from .._kernels import _ar
from .._sequences import offsets_of

# A pivot below this share of its column has lost half of its digits to the products.
SMALL_PIVOT = 1e-8
CHUNK = 8192  # rows that are orthogonalised together
CACHED = 32768  # values that stay in the second-level cache
PRIOR_STEPS = 5  # between the innovations' variance, in which the prior is told, and the fit


class Fits(NamedTuple):
    """Models of order 0, 1, ..., P of the same rows."""

    scatter: np.ndarray  # (P + 1, d, d) residual sums of squares
    last: np.ndarray  # (P,) last coefficient of each order; (P, d, d) for several columns
    n: float  # rows, weighted


def triangular(x, terms, offsets, weights, p, *, plain):
    """The upper triangular factor (q, q) of the rows t >= p of [terms, lag 1 .. p, x].

    ``plain``: the terms are a constant or nothing, and x has about mean zero.
    """
    if plain:
        gram = _gram(x, offsets, weights, p)
        factor = safe_cholesky(gram if terms.shape[1] else gram[1:, 1:])
        if factor is not None:
            return factor
    return _orthogonalized(x, terms, offsets, weights, p)


def shorter(factor, r, x, offsets, weights, p, k):
    """The factor of k lags from that of p: row t of a sequence, k <= t < p, counts, too.

    None where too many digits would be lost. The terms are a constant or nothing.
    """
    d = x.shape[1]
    chosen = factor[:, [*range(r + k * d), *range(len(factor) - d, len(factor))]]
    lengths = np.minimum(offsets[1:] - offsets[:-1], p)
    ends = offsets_of(lengths)
    first = x[np.repeat(offsets[:-1] - ends[:-1], lengths) + np.arange(ends[-1])]
    gram = _gram(first, ends, weights, k)
    return safe_cholesky(gram[1 - r :, 1 - r :] + chosen.T @ chosen)


def safe_cholesky(gram):
    """The upper triangular factor, or None where it would lose half of its digits."""
    factor, info = dpotrf(gram, clean=1)
    if info != 0:
        return None
    share = factor.diagonal() ** 2 / gram.diagonal()
    return factor if share.min(initial=1.0) > SMALL_PIVOT else None


def _gram(x, offsets, weights, p):
    """Products of 1, lag 1 .. p, x."""
    if x.shape[1] == 1:
        return _ar.lagged_gram(x[:, 0], offsets, p, weights)
    q = 1 + (p + 1) * x.shape[1]
    total = np.zeros((q, q))
    for s, (a, b) in enumerate(pairwise(offsets)):
        if b - a > p:
            total += (1.0 if weights is None else weights[s]) * _gram_of_one(x[a:b], p)
    return total


def _gram_of_one(x, p):
    """Of one sequence of several columns: only products with the present are summed over it."""
    (T, d), q = x.shape, p + 1
    sums = np.zeros((q, q, d, d))  # [i, j]: x[t-i] x[t-j]'
    sums[0] = _lagged_products(x, p)
    for i in range(1, q):
        for j in range(i, q):
            sums[i, j] = (
                sums[i - 1, j - 1] + np.outer(x[p - i], x[p - j]) - np.outer(x[T - i], x[T - j])
            )
    for i in range(q):
        for j in range(i):
            sums[i, j] = sums[j, i].T
    first = [column_sums(x[p:])]
    for i in range(1, q):
        first.append(first[-1] + x[p - i] - x[T - i])
    arranged = [*range(1, q), 0]
    out = np.empty((1 + q * d, 1 + q * d))
    out[0, 0] = T - p
    out[0, 1:] = out[1:, 0] = np.array(first)[arranged].ravel()
    inner = sums[np.ix_(arranged, arranged)]
    out[1:, 1:] = inner.transpose(0, 2, 1, 3).reshape(q * d, q * d)
    return out


def _lagged_products(x, p):
    """Products x[t] x[t-j]' summed over t >= p, j = 0 .. p, of shape (p + 1, d, d).

    A window of p + 1 steps is a row of x seen as a matrix of wider rows, and so are those that
    begin 1, 2, ..., p steps later: a few products of matrices that stay in the cache.
    """
    (T, d), q = x.shape, p + 1
    size = q * max(1, CACHED // (q * d))
    out = np.zeros((d, q * d))
    for start in range(0, T - p, size):
        for first in range(start, min(start + q, T - p)):
            n = min(size, T - first) // q
            windows = x[first : first + n * q].reshape(n, q * d)
            out += windows[:, -d:].T @ windows
    return out.reshape(d, q, d).transpose(1, 0, 2)[::-1]


def column_sums(x):
    """By rows of many steps: numpy adds short rows slowly, and BLAS wakes its threads for them."""
    n, d = x.shape
    k = max(1, 512 // d)
    whole = x[: n // k * k].reshape(-1, k * d).sum(axis=0).reshape(k, d)
    return whole.sum(axis=0) + x[n // k * k :].sum(axis=0)


def _orthogonalized(x, terms, offsets, weights, order):
    """The factor by QR of chunks of rows, in bounded memory."""
    factor = np.empty((0, terms.shape[1] + (order + 1) * x.shape[1]))
    for s, (a, b) in enumerate(pairwise(offsets)):
        w = 1.0 if weights is None else np.sqrt(weights[s])
        for first in range(a + order, b, CHUNK):
            t = np.arange(first, min(first + CHUNK, b))
            lagged = [x[t - j] for j in range(1, order + 1)]
            rows = w * np.concatenate([terms[t], *lagged, x[t]], axis=1)
            factor = np.linalg.qr(np.concatenate([factor, rows]), mode="r")
    short = factor.shape[1] - len(factor)
    if short > 0:
        factor = np.concatenate([factor, np.zeros((short, factor.shape[1]))])
    return factor


def all_orders(factor, r, d, n):
    """What the factor tells of every order."""
    P = (len(factor) - r) // d - 1
    right = factor[r:, -d:].reshape(P + 1, d, d)  # blocks of rows: lag 1 .. P, rest
    squares = np.einsum("kij,kil->kjl", right, right)
    scatter = np.cumsum(squares[::-1], axis=0)[::-1]
    blocks = factor[r:, r:].reshape(P + 1, d, P + 1, d)[range(P), :, range(P)]
    return Fits(scatter, _last_coefficients(blocks, right[:P]), n)


def _last_coefficients(blocks, right):
    """Solutions of triangular systems (P, d, d), zero where the lags before leave nothing."""
    if blocks.shape[-1] == 1:
        return np.divide(right, blocks, out=np.zeros_like(right), where=blocks != 0)
    diagonal = np.einsum("kjj->kj", blocks)
    alive = (np.abs(diagonal) > 0).all(axis=1)
    out = np.zeros_like(right)
    out[alive] = np.linalg.solve(blocks[alive], right[alive]).transpose(0, 2, 1)
    return out


def solution(factor, r, d, precision=0.0, n=1.0):
    """Coefficients of the terms (r, d) and of the lags (p, d, d), and the residual scatter."""
    k, drawn = len(factor) - d, with_prior(factor, r, d, precision, n)
    found = _solve(drawn[:k, :k], drawn[:k, k:])
    rest = np.concatenate([factor[:k, k:] - factor[:k, :k] @ found, factor[k:, k:]])
    coef = found[r:].reshape(-1, d, d).transpose(0, 2, 1)
    return found[:r], coef, rest.T @ rest


def chosen_lags(factor, r, d, lags):
    """The factor of a subset of the lags."""
    columns = [np.arange(r), *[r + (lag - 1) * d + np.arange(d) for lag in lags]]
    columns = np.concatenate([*columns, np.arange(len(factor) - d, len(factor))])
    return np.linalg.qr(factor[:, columns], mode="r")


def with_prior(factor, r, d, precision, n):
    """The factor with rows that draw the coefficients to zero.

    The coefficient of lag l and column j has the standard deviation 1 / (l sqrt(precision)), times
    that of the innovations of its equation over that of those of column j.
    """
    found, k = factor, len(factor) - d
    lags = np.repeat(np.arange(1, (k - r) // d + 1), d)
    for _ in range(PRIOR_STEPS if precision else 0):
        beta = _solve(found[:k, :k], found[:k, k:])
        rest = np.concatenate([factor[:k, k:] - factor[:k, :k] @ beta, factor[k:, k:]])
        deviation = np.sqrt(np.sum(rest**2, axis=0) / n)
        rows = np.zeros((k - r, len(factor)))
        rows[:, r:k] = np.diag(np.sqrt(precision) * lags * np.tile(deviation, (k - r) // d))
        found = np.linalg.qr(np.concatenate([factor, rows]), mode="r")
    return found


def _solve(triangle, right):
    """Back substitution, with zeros for what the columns before explain."""
    if len(triangle) == 0:
        return right
    diagonal = np.abs(triangle.diagonal())
    if diagonal.min() <= 1e-13 * max(diagonal.max(), 1e-300):
        return np.linalg.lstsq(triangle, right, rcond=1e-13)[0]
    # Not by scipy's triangular solver: its BLAS wakes threads, of milliseconds, for a few rows.
    return np.linalg.solve(triangle, right)


def autocovariance_matrices(x, offsets, weights, p):
    """Mean products of x[t] and x[t - h], h = 0 .. p, of shape (p + 1, d, d): positive definite."""
    d = x.shape[1]
    if d == 1:
        sums = _ar.autocovariances(x[:, 0], offsets, p, weights).reshape(-1, 1, 1)
    else:
        sums = np.zeros((p + 1, d, d))
        for s, (a, b) in enumerate(pairwise(offsets)):
            w = 1.0 if weights is None else weights[s]
            for h in range(min(p, b - a - 1) + 1):
                sums[h] += w * x[a + h : b].T @ x[a : b - h]
    lengths = np.diff(offsets)
    return sums / (lengths.sum() if weights is None else weights @ lengths)


def whittle(gamma):
    """Yule-Walker's equations of all orders: coefficients by order, and innovation covariances.

    References
    ----------
    Whittle (1963). On the fitting of multivariate autoregressions, and the approximate canonical
    factorization of a spectral density matrix. Biometrika 50.
    """
    d = gamma.shape[1]
    forth, back = np.zeros((0, d, d)), np.zeros((0, d, d))
    error, mirror = gamma[0], gamma[0]
    orders, errors = [forth], [error]
    for k in range(1, len(gamma)):
        rest = gamma[k] - sum(forth[j] @ gamma[k - 1 - j] for j in range(k - 1))
        own = np.linalg.lstsq(mirror.T, rest.T, rcond=None)[0].T
        other = np.linalg.lstsq(error.T, rest, rcond=None)[0].T
        forth, back = (
            np.concatenate([forth - own @ back[::-1], own[None]]),
            np.concatenate([back - other @ forth[::-1], other[None]]),
        )
        error = error - own @ rest.T
        mirror = mirror - other @ rest
        orders.append(forth)
        errors.append(error)
    return orders, np.array(errors)
