"""States that the user knows."""

import numpy as np

from .._sequences import is_list, to_sequences
from .._validation import check_weights, refuse_lengths


def known_states(X, y, n_states, sample_weight=None):
    """The known states of all rows, -1 where unknown, or None where y says nothing of states.

    Parameters
    ----------
    X : list of sequences, or one 2-D array
    y : list of arrays of int, or anything else
        What is no list with an array in it is not meant for us: pipelines and searches pass on
        whatever they were given.
    n_states : int
    sample_weight : array-like of shape (n_sequences,), default=None
        Sequences of weight zero are left out.

    Returns
    -------
    ndarray of shape (n_rows,), intp, or None
    """
    if not is_list(y) or len(y) == 0 or np.ndim(y[0]) == 0:
        refuse_lengths(X, y)
        return None
    lengths = [len(x) for x in to_sequences(X)]
    if len(y) != len(lengths):
        raise ValueError(
            f"y has the states of {len(y)} sequences, but X has {len(lengths)}; pass one array of "
            "states for each."
        )
    weights = check_weights(sample_weight, len(lengths), "sequence")
    kept = np.ones(len(lengths), dtype=bool) if weights is None else weights > 0
    checked = [_checked(y[s], s, length, n_states) for s, length in enumerate(lengths)]
    return np.concatenate([states for states, keep in zip(checked, kept, strict=True) if keep])


def _checked(states, s, length, n_states):
    """The states of sequence s."""
    states = np.asarray(states)
    if states.shape != (length,):
        raise ValueError(
            f"y[{s}] has shape {states.shape}, but sequence {s} has {length} steps; pass one state "
            "for each step, -1 where it is unknown."
        )
    whole = states.dtype.kind in "iu" or (
        states.dtype.kind == "f" and (states == np.floor(states)).all()
    )
    if not whole:
        raise ValueError(f"y[{s}] must hold integers, states or -1, but has dtype {states.dtype}.")
    outside = (states < -1) | (states >= n_states)
    if outside.any():
        t = int(outside.argmax())
        raise ValueError(
            f"y[{s}] is {states[t]} at step {t}, but with n_components={n_states} states are 0 to "
            f"{n_states - 1}, and -1 where they are unknown."
        )
    return states.astype(np.intp)
