"""What displays of hidden Markov models read of them."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._sequences import is_list
from ._axes import check_has


def one_sequence(X):
    """X itself where it is one sequence, or the only element of a list."""
    if not is_list(X):
        return X
    if len(X) != 1:
        raise ValueError(f"X holds {len(X)} sequences, but one can be drawn; pass one, e.g. X[0].")
    return X[0]


def state_means(estimator):
    """The mean of each state and feature, of shape (n_components, n_features)."""
    check_has(estimator, "decode", "HMM")
    check_is_fitted(estimator, "transmat_")
    return estimator.forecast(1)._means()


def state_labels(labels, n_states):
    """A name for each state."""
    if labels is None:
        return [f"state {k}" for k in range(n_states)]
    if len(labels) != n_states:
        raise ValueError(f"labels has {len(labels)} names, but there are {n_states} states.")
    return [str(label) for label in labels]


def state_colours(colours, n_states):
    """A colour for each state: those given, or matplotlib's cycle."""
    if colours is None:
        return [f"C{k % 10}" for k in range(n_states)]
    if len(colours) != n_states:
        raise ValueError(f"colors has {len(colours)} colours, but there are {n_states} states.")
    return list(colours)


def as_columns(values):
    """An array of shape (n_steps, n_columns) and the names of its columns, or None."""
    names = getattr(values, "columns", None)
    if names is None and getattr(values, "name", None) is not None:
        names = [values.name]
    values = np.asarray(values, dtype=np.float64)
    return values.reshape(len(values), -1), None if names is None else [str(n) for n in names]
