"""Regressors of several targets of which some are missing, and their errors on rows not seen."""

from numbers import Integral

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import KFold, check_cv
from sklearn.utils import get_tags


def fit_targets(prototype, inputs, targets, weights=None):
    """Clones fitted to targets (n, d), NaN where missing: one for all columns, or one for each."""
    if targets.shape[1] > 1 and get_tags(prototype).target_tags.multi_output:
        return [_fitted(prototype, inputs, targets, weights)]
    return [_fitted(prototype, inputs, targets[:, [j]], weights) for j in range(targets.shape[1])]


def seeded(prototype, rng):
    """A clone whose unset random states are set."""
    out = clone(prototype)
    params = out.get_params()
    unset = [p for p in params if p.split("__")[-1] == "random_state" and params[p] is None]
    return out.set_params(**{name: int(rng.integers(2**31)) for name in sorted(unset)})


def _fitted(prototype, inputs, targets, weights):
    seen = ~np.isnan(targets).any(axis=1)
    more = {} if weights is None else {"sample_weight": weights[seen]}
    targets = targets[seen]
    y = targets[:, 0] if targets.shape[1] == 1 else targets
    return clone(prototype).fit(inputs[seen], y, **more)


def predict_targets(fitted, inputs):
    """Predictions (n, d) of such a list."""
    return np.concatenate(
        [np.reshape(each.predict(inputs), (len(inputs), -1)) for each in fitted], axis=1
    )


def folds(cv, used, offsets, single):
    """Pairs of train and test indices into the used rows, (n,) of bool.

    A number means as many stretches of neighbours in time; a splitter gets the samples: the rows
    of one sequence, or the sequences.
    """
    if isinstance(cv, Integral):
        yield from KFold(min(cv, int(used.sum()))).split(np.flatnonzero(used))
        return
    n = offsets[-1] if single else len(offsets) - 1
    sample = np.arange(n) if single else np.repeat(np.arange(n), np.diff(offsets))
    for pair in check_cv(cv).split(np.arange(n)[:, None]):
        yield tuple(np.flatnonzero(np.isin(sample, part)[used]) for part in pair)


def unseen_predictions(prototype, inputs, targets, weights, pairs):
    """Predictions (n, d) of each row by a fit without its fold; NaN for rows of no fold."""
    out = np.full_like(targets, np.nan)
    for train, test in pairs:
        if len(test) == 0:
            continue
        own = None if weights is None else weights[train]
        fitted = fit_targets(prototype, inputs[train], targets[train], own)
        out[test] = predict_targets(fitted, inputs[test])
    return out
