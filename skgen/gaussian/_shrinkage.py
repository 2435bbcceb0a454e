r"""How far to shrink a covariance :math:`S` towards :math:`m I`, where :math:`m = tr(S) / d`.

Both rules estimate the share :math:`\delta` for which :math:`(1 - \delta) S + \delta m I` has the
least expected squared distance to the true covariance,

.. math:: \delta = \frac{E \|S - \Sigma\|^2}{\|S - m I\|^2}, \qquad
          E \|S - \Sigma\|^2 \approx \frac{1}{n} \Big( \overline{\|x x'\|^2} - \|S\|^2 \Big)

from the spread of the products of the entries of a row. Ledoit and Wolf take that spread from the
data, OAS computes it from S as for normal rows.

With missing entries S is the covariance expected under the model, the mean of E[x x' | observed],
and so is the mean of ||x x'||^2 = ||x||^4 (:func:`mean_fourth_power`). An entry of S is told by the
rows that observe both of its columns, so n becomes the number of complete rows which would bring
the same total variance (:func:`effective_rows`). All is computed in units of m, as fourth powers
overflow.
"""

import numpy as np

from ..emissions._covariance import conditional_moments

BLOCK_ROWS = 4096


def shrunk(covariance, share):
    """The covariance moved by a share of the way to its mean variance times the identity."""
    d = len(covariance)
    return (1 - share) * covariance + share * np.trace(covariance) / d * np.eye(d)


def ledoit_wolf(rows, mean, covariance, model):
    """The share by Ledoit and Wolf (2004), between 0 and 1.

    Parameters
    ----------
    rows : Rows
    mean : ndarray of shape (d,)
    covariance : ndarray of shape (d, d)
        Maximum likelihood, singular or not.
    model : ndarray of shape (d, d)
        The covariance by which missing entries are completed, positive definite.
    """
    unit = np.trace(covariance) / len(mean)
    squares = _squared_norm(covariance, unit)
    if not squares > len(mean):  # already a multiple of the identity, or nothing varies
        return 0.0
    spread = mean_fourth_power(rows, mean, model, unit) - squares
    share = spread / effective_rows(rows, covariance) / (squares - len(mean))
    return float(np.clip(share, 0.0, 1.0))


def oas(rows, mean, covariance, model):
    """The share by oracle approximating shrinkage, Chen et al. (2010) eq. 23, between 0 and 1.

    The parameters are those of :func:`ledoit_wolf`.
    """
    d, unit = len(mean), np.trace(covariance) / len(mean)
    squares = _squared_norm(covariance, unit)
    if d == 1 or unit == 0:
        return 0.0
    if not squares > d:
        return 1.0
    share = (squares + d**2) / (effective_rows(rows, covariance) + 1) / (squares - d)
    return float(min(share, 1.0))


def _squared_norm(covariance, unit):
    """The sum of the squared entries in these units; 0 without any variance."""
    return ((covariance / unit) ** 2).sum() if unit > 0 else 0.0


def effective_rows(rows, covariance):
    """Weight of complete rows whose covariance would vary as much as that of these rows.

    For normal rows the entry S_jl varies by (S_jj S_ll + S_jl^2) / n_jl, where n_jl is the weight
    of the rows that observe both columns (one, if none does). The result is the n which
    gives the same sum: a harmonic mean of the n_jl.
    """
    if not rows.has_missing:
        return rows.total_weight
    order, starts, masks = rows.sorted_patterns
    weights = np.ones(len(rows)) if rows.weights is None else rows.weights[order]
    together = masks.T @ (np.add.reduceat(weights, starts[:-1])[:, None] * masks)
    covariance = covariance / np.trace(covariance)
    variances = np.diag(covariance)
    spread = np.outer(variances, variances) + covariance**2
    return spread.sum() / (spread / np.maximum(together, 1.0)).sum()


def mean_fourth_power(rows, mean, covariance, unit):
    """Mean over rows of E[ ||x - mean||^4 | observed ] under the model, in units of unit^2.

    With m the completed row and V its conditional covariance, this is
    (m'm + tr V)^2 + 4 m' V m + 2 ||V||^2. Rows without any observed entry do not count.
    """
    total = weight = 0.0
    covariance = covariance / unit
    for where, seen in rows.patterns:
        if len(seen) == 0:
            continue
        gone = np.setdiff1d(np.arange(len(mean)), seen)
        slope, inner = conditional_moments(covariance, seen, gone)
        part = rows if isinstance(where, slice) else rows.take(where)
        for block in part.blocks(BLOCK_ROWS):
            z = (block.values[:, seen] - mean[seen]) / np.sqrt(unit)
            m = z @ slope.T
            power = ((z**2).sum(axis=1) + (m**2).sum(axis=1) + np.trace(inner)) ** 2
            power += 4 * ((m @ inner) * m).sum(axis=1) + 2 * (inner**2).sum()
            total += power.sum() if block.weights is None else power @ block.weights
            weight += block.total_weight
    return total / weight
