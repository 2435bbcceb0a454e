"""Fits that anomalies among the rows do not spoil.

A density that is fitted to all rows learns the anomalies, too: a component of a mixture may
settle on a handful of them and call them likely. Two guards: rows that are least likely do not
take part in the next fit, and components that are light take no part in the scores. A last fit
takes back the rows that turned out to lie near the others.
"""

import copy

import numpy as np

MAX_REFITS = 3


def guarded_fit(fit, score, least, weights, share):
    """A density fitted without the least likely share of the rows.

    Parameters
    ----------
    fit : callable, weights of the rows -> fitted density
        Rows of weight zero are left out.
    score : callable, density -> ndarray of shape (n_rows,)
        How likely each row is, in nats.
    least : callable, (density, scores) -> float, or None
        The score of the rows that lie near the others. None: the last fit is left out.
    weights : ndarray of shape (n_rows,)
    share : float
        Of the weight of the rows, and the largest that light components hold together.

    Returns
    -------
    fitted density, and the scores of the rows under it
    """
    kept = weights
    for _ in range(1 + MAX_REFITS):
        density = without_light_components(fit(kept), share)
        scores = score(density)
        likely = most_likely(scores, weights, 1.0 - share)
        if np.array_equal(likely, kept):
            break
        kept = likely
    if least is not None and share > 0:
        near = scores >= least(density, scores)
        density = without_light_components(fit(weights * near), share)
        scores = score(density)
    return density, scores


def most_likely(scores, weights, share):
    """The weights that are left where only the most likely share counts; of the last row, a part.

    A row of weight two is thus treated like two rows.
    """
    order = np.argsort(-scores, kind="stable")
    before = np.cumsum(weights[order]) - weights[order]
    left = np.empty_like(weights)
    left[order] = np.clip(share * weights.sum() - before, 0.0, weights[order])
    return left


def without_light_components(density, share):
    """The density less its lightest components, which hold at most this share of the weight."""
    weights = getattr(density, "weights_", None)
    if np.ndim(weights) != 1 or share == 0:
        return density
    order = np.argsort(weights)
    light = order[np.cumsum(weights[order]) <= share]
    kept = np.array(weights)
    kept[light] = np.finfo(float).tiny  # the logarithm of zero is a warning in some densities
    density = copy.copy(density)
    density.weights_ = kept / kept.sum()
    return density
