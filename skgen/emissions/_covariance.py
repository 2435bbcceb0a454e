"""Covariance matrices: floors that come from the data, conditional moments."""

from functools import lru_cache

import numpy as np
from scipy.linalg import cho_factor, cho_solve, eigh

from .._kernels._gaussian import mixture_pass

# The floor is this share of a column's variance but, where there are several components, not less
# than the variance of rounding to the distance between neighbouring values of the column.
RELATIVE_FLOOR = 1e-8
RESOLUTION_ROWS = 4096
BLOCK_ENTRIES = 1 << 16


def column_moments(rows):
    """Mean and standard deviation of each column's observed entries; 1 where that is zero.

    The standard deviation is infinite where its square is beyond the range of floats.
    """
    X = rows.values
    # About a first guess: the mean of numbers around 1e8 has no digits left for their variance.
    guess = np.array([_first_observed(X[:, j]) for j in range(X.shape[1])], dtype=np.float64)
    total, first, second = _sums_about(guess, rows)
    mean = first / total
    variance = np.where(np.isfinite(second), second / total - mean**2, np.inf)
    scale = np.sqrt(np.maximum(variance, 0.0))
    tiny = 1e-7 * np.abs(mean)  # the second moment about a bad guess has lost these digits
    if (scale <= tiny).any():
        scale = np.where(scale <= tiny, np.nanstd(X, axis=0), scale)
    return guess + mean, np.where(scale > 0, scale, 1.0)


def _sums_about(guess, rows):
    """Weight, first and second moment of each column about a guess, of shape (3, d).

    They are the statistics of a mixture of one; those of float32 rows are taken in float64, by
    blocks of half a megabyte.
    """
    X, weights, sums = rows.values, rows.weights, 0.0
    size = len(X) if X.dtype == np.float64 else max(1, BLOCK_ENTRIES // X.shape[1])
    for start in range(0, len(X), size):
        block = slice(start, start + size)
        _, _, (_, first, second, seen) = mixture_pass(
            X[block].astype(np.float64, copy=False),
            np.zeros(1),
            guess[None],
            np.ones((1, len(guess))),
            weights=None if weights is None else weights[block],
            masked=rows.has_missing,
            moments=True,
        )
        sums = sums + np.concatenate([seen, first, second])
    return sums


def _first_observed(column):
    if column[0] == column[0]:
        return column[0]
    return column[np.isfinite(column).argmax()]


def variance_floor(rows, center, scale, resolution=True):
    """Least variance of each column, (d,): see :data:`RELATIVE_FLOOR`.

    Data recorded in steps of h cannot tell a variance below h^2 / 12 from zero, and of several
    components one may shrink to a single step: `resolution` is off where there is only one. The
    step of a column is the (weighted) median distance of an entry to the nearest different value,
    in at most `RESOLUTION_ROWS` of the rows.
    """
    stride = -(-len(rows) // RESOLUTION_ROWS)
    X = rows.values[::stride]
    weights = None if rows.weights is None else rows.weights[::stride]
    steps = np.array([_step(X[:, j], weights) for j in range(X.shape[1])])
    floor = RELATIVE_FLOOR * scale**2
    if resolution:
        floor = np.maximum(floor, steps**2 / 12)
    constant = steps == 0
    # A constant column has no scale but its own value.
    floor[constant] = np.where(center[constant] == 0, 1.0, (1e-3 * center[constant]) ** 2)
    return floor


def _step(column, weights):
    """Median over entries of the distance to the nearest different value; 0 if there is none."""
    observed = column == column
    if weights is None:
        values, mass = np.unique(column[observed], return_counts=True)
    else:
        values, index = np.unique(column[observed], return_inverse=True)
        mass = np.bincount(index, weights[observed])
    if len(values) < 2:
        return 0.0
    gaps = np.diff(values.astype(np.float64))
    nearest = np.minimum(np.append(gaps, np.inf), np.append(np.inf, gaps))
    order = np.argsort(nearest)
    cumulated = np.cumsum(mass[order])
    return nearest[order[np.searchsorted(cumulated, cumulated[-1] / 2)]]


def overall_covariance(rows, center, scale):
    """Covariance of all rows (d, d): the columns' variances, and correlations of filled columns.

    Missing entries are filled with the mean, so that the matrix is positive semidefinite.
    """
    z = (rows.values - center) / scale
    if rows.has_missing:
        z[rows.missing] = 0.0
    weighted = z if rows.weights is None else z * rows.weights[:, None]
    products = weighted.T @ z
    root = np.sqrt(products.diagonal())
    root[root == 0] = 1.0
    return products / root / root[:, None] * scale * scale[:, None]


@lru_cache(maxsize=8)
def lower_triangle(d):
    """Row and column indices of the lower triangle; NumPy makes them anew in 20 us."""
    return np.tril_indices(d)


def all_above(covariances, floor):
    """Whether all eigenvalues in units of the floor are above one: one factorisation tells."""
    root = np.sqrt(floor)
    try:
        np.linalg.cholesky(covariances / root / root[:, None] - np.eye(len(root)))
    except np.linalg.LinAlgError:
        return False
    return True


def lowest(covariance, floor):
    """The least eigenvalue of a covariance matrix in units of the floor."""
    root = np.sqrt(floor)
    return np.linalg.eigvalsh(covariance / root / root[:, None])[0]


def raised(covariance, floor):
    """The covariance with its eigenvalues, in units of the floor, raised to one.

    Of all covariances above the floor this one has the largest likelihood, so an M-step that
    ends with it keeps EM monotone.
    """
    root = np.sqrt(floor)
    values, vectors = eigh(covariance / root / root[:, None])
    if values[0] >= 1:
        return covariance
    vectors *= root[:, None]
    return (vectors * np.maximum(values, 1.0)) @ vectors.T


def conditional_moments(covariance, seen, gone):
    """Regression of the columns `gone` on `seen`: coefficients (n_gone, n_seen), covariance."""
    inner = covariance[np.ix_(gone, gone)]
    if len(seen) == 0:
        return np.zeros((len(gone), 0)), inner
    cross = covariance[np.ix_(seen, gone)]
    slope = cho_solve(cho_factor(covariance[np.ix_(seen, seen)], lower=True), cross).T
    conditional = inner - slope @ cross
    return slope, (conditional + conditional.T) / 2
