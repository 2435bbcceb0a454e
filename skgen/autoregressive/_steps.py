"""Levels of integrated processes and their steps; what is missing of sequences end to end."""

import numpy as np

from .._sequences import offsets_of


def filled(u, offsets, diff):
    """A copy of u (n, d) without NaN, and where it had some, of shape (n, d).

    Missing entries become zero, or for an integrated process what lies on the line between their
    neighbours in the sequence, so that steps stay small. There the first entry of a column that
    has none counts as observed: nothing depends on its level.
    """
    gone, x = np.isnan(u), np.array(u)
    if not diff:
        x[gone] = 0.0
        return x, gone
    at, lengths = np.arange(len(u)), np.diff(offsets)
    begin, end = np.repeat(offsets[:-1], lengths), np.repeat(offsets[1:], lengths)
    for j in np.flatnonzero(gone.any(axis=0)):
        before = np.maximum.accumulate(np.where(gone[:, j], -1, at))
        after = np.minimum.accumulate(np.where(gone[:, j], len(u), at)[::-1])[::-1]
        afloat = (before < begin) & (after >= end)
        x[afloat, j], before[afloat], after[afloat] = 0.0, begin[afloat], begin[afloat]
        gone[:, j] &= ~afloat | (at > begin)
        low = np.where(before < begin, after, before)
        high = np.where(after >= end, low, after)
        share = (at - low) / np.maximum(high - low, 1)
        x[:, j] = x[low, j] + share * (x[high, j] - x[low, j])
    return x, gone


def steps(x, offsets):
    """The rows but for the first of each sequence, minus those before them; and their offsets."""
    return after_first(np.diff(x, axis=0, prepend=0.0), offsets), offsets - np.arange(len(offsets))


def after_first(values, offsets):
    """Values of all rows but the first of each sequence."""
    if len(offsets) == 2:
        return values[1:]
    return np.delete(values, offsets[:-1], axis=0)


def missing(gone, offsets):
    """What is missing of each sequence: numbers of its entries, and where those of each begin."""
    d, entries = gone.shape[1], np.flatnonzero(gone)
    starts = np.searchsorted(entries, offsets * d).astype(np.intp)
    return entries - np.repeat(offsets[:-1] * d, np.diff(starts)), starts


def at_least(length, values, offsets):
    """Values (n, d) and offsets of longer sequences: the shorter ones are followed by NaN."""
    lengths = np.diff(offsets)
    if lengths.min() >= length:
        return np.ascontiguousarray(values), offsets
    longer = offsets_of(np.maximum(lengths, length))
    out = np.full((longer[-1], values.shape[1]), np.nan)
    for a, b, to in zip(offsets[:-1], offsets[1:], longer[:-1], strict=True):
        out[to : to + b - a] = values[a:b]
    return out, longer
