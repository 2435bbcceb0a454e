"""The door: whatever the user passes as data becomes Rows or Sequences here, or an error.

Past this point arrays are float64 or float32, C-contiguous, finite or NaN for missing, and
nothing checks them again. What a distribution cannot emit is refused by ``Emission.adapt``.
"""

import os
from collections.abc import Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import narwhals as nw
import numpy as np
from sklearn.utils.validation import check_array, validate_data

from . import _sequences
from ._kernels import _rows
from ._sequences import Rows, Sequences, UnseenRows, is_list, is_plain, offsets_of, to_sequences

FLOATS = [np.float64, np.float32]
# Infinite entries are found, and told from missing ones, by a scan of our own.
CHECKS_OF_ENTRIES = {"dtype": FLOATS, "order": "C", "ensure_all_finite": False}
CONVERSION_ERRORS = (
    "could not convert string to float",
    "float() argument must be",
    "could not be promoted",  # of dates
)


def check_rows(estimator, X, *, reset, sample_weight=None, min_rows=1):
    """The rows of X, which fit (``reset=True``) or a later method was given.

    Parameters
    ----------
    estimator : estimator
        ``n_features_in_`` and ``feature_names_in_`` are set if ``reset``, else compared.
    X : array-like or frame of shape (n_samples, n_features)
        float64 or float32 data are kept without a copy if they are C-contiguous.
    reset : bool
        Whether this is a fit.
    sample_weight : array-like of shape (n_samples,), default=None
        Rows of weight zero are left out.
    min_rows : int, default=1

    Returns
    -------
    Rows
        After the fit, ``UnseenRows``: infinite entries raise when the rows are first looked at.
    """
    ready = not reset and _is_ready(estimator, X)
    values = X if ready else _as_matrix(estimator, X, reset, min_rows)
    names = getattr(estimator, "feature_names_in_", None)
    if not reset and sample_weight is None:
        rows = UnseenRows(values, partial(_check_finite, estimator))
        rows.names = names
        return rows
    rows = Rows(values, has_missing=_check_finite(estimator, values) > 0)
    rows.names = names
    weights = check_weights(sample_weight, len(rows))
    if weights is not None:
        rows.weights = weights
        rows = rows if weights.all() else rows.take(weights > 0)
    if reset and rows.has_missing:
        _check_columns(estimator, rows.values)
    return rows


def check_sequences(estimator, X, *, reset, sample_weight=None):
    """The sequences of X, in any form that :func:`~skgen.to_sequences` takes.

    The parameters are those of :func:`check_rows`, with one weight per sequence; one per row,
    which keeps its place even with weight zero, where X is a single 2-D array.

    Returns
    -------
    Sequences
    """
    values, lengths, single = _end_to_end(estimator, X, reset)
    offsets = offsets_of(lengths)
    rows = Rows(values, has_missing=_check_finite(estimator, values, offsets) > 0)
    rows.names = getattr(estimator, "feature_names_in_", None)
    if single:
        rows.weights = check_weights(sample_weight, len(values))
    elif (weights := check_weights(sample_weight, len(lengths), unit="sequence")) is not None:
        rows.weights = np.repeat(weights, lengths)
        if not weights.all():
            rows, offsets = rows.take(rows.weights > 0), offsets_of(lengths[weights > 0])
    if reset and rows.has_missing:
        _check_columns(estimator, rows.values)
    return Sequences(rows, offsets, single=single)


def check_weights(sample_weight, n, unit="row"):
    """The weights of n rows or sequences as float64, or None where all of them are one."""
    if sample_weight is None:
        return None
    try:
        weights = np.asarray(sample_weight, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise type(error)(f"sample_weight must hold numbers: {error}") from error
    if weights.ndim == 0:
        weights = np.full(n, weights)
    if weights.shape != (n,):
        raise ValueError(
            f"sample_weight has shape {weights.shape}, but X has {n} {unit}s; pass one weight "
            f"for each {unit}: shape ({n},)."
        )
    for wrong, remedy in (
        (~np.isfinite(weights), f"give this {unit} a finite weight, 0 to leave it out"),
        (weights < 0, f"give this {unit} weight 0 to leave it out"),
    ):
        if wrong.any():
            i = int(wrong.argmax())
            raise ValueError(f"sample_weight is {weights[i]} in {unit} {i}; {remedy}.")
    if not weights.any():
        raise ValueError(
            f"sample_weight is zero for every {unit}; give at least one {unit} a positive weight."
        )
    return None if (weights == 1).all() else weights


def refuse_lengths(X, y):
    """Raise where y cannot belong to the samples: lengths of sequences, most likely."""
    n_samples = len(X) if is_list(X) else len(np.asarray(X))
    shape = np.asarray(y, dtype=object).shape
    if len(shape) == 1 and shape[0] != n_samples:
        raise ValueError(
            f"y has {shape[0]} entries, but X has {n_samples} samples. If they are the lengths of "
            "sequences that X holds end to end, pass X=to_sequences(X, lengths=y); if they are "
            "known states, pass a list with one array of them per sequence."
        )


def check_features(estimator, features, argument="features"):
    """Indices of features which were given by index, by name, or as a mask.

    Parameters
    ----------
    estimator : fitted estimator
    features : int, str, or array-like of int, str or bool
    argument : str
        Its name, for errors.

    Returns
    -------
    ndarray of shape (n_chosen,), intp
        In the order in which they were given.
    """
    n, chosen = estimator.n_features_in_, np.atleast_1d(features)
    if chosen.ndim == 1 and all(isinstance(name, str) for name in chosen):
        indices = _indices_of_names(estimator, chosen.tolist(), argument)
    elif chosen.dtype == bool and chosen.shape == (n,):
        indices = np.flatnonzero(chosen)
    elif chosen.dtype.kind in "iu" and chosen.ndim == 1:
        indices = chosen.astype(np.intp)
    else:
        raise TypeError(
            f"{argument}={features!r} must be indices, names, or a mask with one entry for each "
            f"of the {n} features."
        )
    outside = (indices < -n) | (indices >= n)
    if outside.any():
        raise ValueError(
            f"{argument} has index {indices[outside][0]}, but {type(estimator).__name__} was "
            f"fitted with {n} features: 0 to {n - 1}."
        )
    indices = indices % n
    if len(np.unique(indices)) < len(indices):
        raise ValueError(f"{argument}={features!r} names a feature twice; name each once.")
    return indices


def check_memory(n_bytes, what, remedy):
    """Refuse an allocation that would not fit.

    Parameters
    ----------
    n_bytes : int
    what : str
        What needs the memory, e.g. ``"covariances of shape (100, 5000, 5000)"``.
    remedy : str
        What to do, e.g. ``'use covariance_type="diag"'``.
    """
    free = available_memory()
    if n_bytes > free:
        raise MemoryError(
            f"{what} would take {n_bytes / 2**30:.3g} GiB, but {free / 2**30:.3g} GiB of memory "
            f"are available; {remedy}."
        )


def available_memory():
    """Bytes that can be allocated without swapping, infinite where it cannot be told."""
    limits = [float("inf")]
    try:  # Linux: what the kernel could give, caches included, and the limit of a container
        facts = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
        limits.append(int(facts["MemAvailable"].split()[0]) * 1024)
        limits.append(int(Path("/sys/fs/cgroup/memory.max").read_text()))
    except (OSError, KeyError, ValueError):
        pass
    if len(limits) == 1 and "SC_PHYS_PAGES" in getattr(os, "sysconf_names", {}):
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return min(limits)


def check_array_parameter(name, value, shape):
    """A parameter such as a given start as a float64 array, of exactly this shape and finite."""
    try:
        array = np.ascontiguousarray(value, dtype=np.float64).reshape(np.shape(value))
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name} must be an array of numbers: {error}") from error
    if array.shape != tuple(shape):
        raise ValueError(f"{name} has shape {array.shape}; pass an array of shape {tuple(shape)}.")
    if not np.isfinite(array).all():
        where = tuple(map(int, np.argwhere(~np.isfinite(array))[0]))
        raise ValueError(f"{name} is {array[where]} at {where}; pass finite numbers.")
    return array


def column_label(estimator, j):
    """How errors call column j of what the estimator is fitted to."""
    return _sequences.column_label(getattr(estimator, "feature_names_in_", None), j)


def check_values(estimator, values):
    """One value for each feature, of shape (1, n_features); NaN where a mapping has none.

    Parameters
    ----------
    estimator : fitted estimator
    values : array-like of shape (n_features,), or mapping or series from names to values
    """
    named = isinstance(values, Mapping) or _is_named_series(estimator, values)
    if named:
        names = list(values.keys())
        indices = _indices_of_names(estimator, names, "values")
        values = [values[name] for name in names]
    try:
        row = np.array(values, dtype=np.float64).reshape(1, -1)
    except (TypeError, ValueError) as error:
        raise type(error)(f"values must hold numbers: {error}") from error
    if not named:
        return row
    whole = np.full((1, estimator.n_features_in_), np.nan)
    whole[:, indices] = row
    return whole


def _is_named_series(estimator, values):
    """Whether values are a pandas series whose index names features."""
    return (
        hasattr(estimator, "feature_names_in_")
        and nw.dependencies.is_pandas_series(values)
        and all(isinstance(name, str) for name in values.index)
    )


def _is_ready(estimator, X):
    """Whether X can be used as it is, which costs a microsecond to see."""
    return (
        is_plain(X)
        and X.ndim == 2
        and len(X) > 0
        and X.shape[1] == getattr(estimator, "n_features_in_", None)
        and not hasattr(estimator, "feature_names_in_")
    )


def _is_single(X):
    """Whether X is one sequence: a frame, or anything of two dimensions but a list."""
    return not is_list(X) and (nw.dependencies.is_into_dataframe(X) or np.asarray(X).ndim == 2)


def _as_matrix(estimator, X, reset, min_rows=1):
    """X as a C-contiguous float matrix, by the rules and in the words of scikit-learn."""
    if _is_ready(estimator, X):
        return X
    if reset and is_plain(X) and X.ndim == 2 and len(X) >= min_rows and X.shape[1] > 0:
        estimator.__dict__.pop("feature_names_in_", None)  # as scikit-learn would do, much slower
        estimator.n_features_in_ = X.shape[1]
        return X
    with _explained(lambda j: column_label(estimator, j), X):
        values = validate_data(
            estimator, X, reset=reset, ensure_min_samples=min_rows, **CHECKS_OF_ENTRIES
        )
    return np.require(values, requirements="CA")


def _end_to_end(estimator, X, reset):
    """The sequences of X in one matrix, their lengths, and whether X is one sequence."""
    alike = _rows.end_to_end(list(X)) if is_list(X) else None
    if alike is not None:
        validate_data(estimator, X[0], reset=reset, skip_check_array=True)
        return *alike, False
    plain = is_plain(X) and X.ndim == 2
    pieces, single = [X] if plain else to_sequences(X), plain or _is_single(X)
    if single:
        arrays = [_as_matrix(estimator, pieces[0], reset)]
    else:
        arrays = _as_matrices(estimator, pieces, reset)
    values = np.ascontiguousarray(np.concatenate(arrays) if len(arrays) > 1 else arrays[0])
    return values, np.array([len(x) for x in arrays]), single


def _as_matrices(estimator, pieces, reset):
    """Each sequence as a C-contiguous float matrix, all with the same columns."""
    if not pieces:
        raise ValueError("X has no sequence; pass at least one.")
    validate_data(estimator, pieces[0], reset=reset, skip_check_array=True)
    columns, arrays = _columns(pieces[0]), []
    for s, x in enumerate(pieces):
        if _columns(x) != columns:
            raise ValueError(
                f"sequence {s} has columns {_columns(x)}, but sequence 0 has {columns}; all "
                "sequences must have the same columns in the same order."
            )
        arrays.append(_as_sequence(estimator, x, s))
    return arrays


def _columns(x):
    """The names of the columns of a frame; how many columns an array has."""
    return x.shape[1] if isinstance(x, np.ndarray) else list(x.columns)


def _as_sequence(estimator, x, s):
    """Sequence s as a C-contiguous float matrix; errors say which sequence they are about."""
    if type(x) is np.ndarray and x.dtype in FLOATS and len(x) > 0:
        return x
    try:
        with _explained(lambda j: column_label(estimator, j), x):
            return check_array(x, estimator=estimator, **CHECKS_OF_ENTRIES)
    except (TypeError, ValueError) as error:
        raise type(error)(f"sequence {s}: {error}") from error


@contextmanager
def _explained(label, X):
    """Say where an entry is that cannot be made a number."""
    try:
        yield
    except (TypeError, ValueError) as error:
        if not any(words in str(error) for words in CONVERSION_ERRORS):
            raise
        for (i, j), entry in np.ndenumerate(np.asarray(X, dtype=object)):
            try:
                float(entry)
            except (TypeError, ValueError) as why:
                raise type(why)(
                    f"X has {entry!r} in row {i}, {label(j)}, which is not a number ({why}); "
                    "leave this column out or encode it, e.g. with OrdinalEncoder."
                ) from error
        raise


def _check_finite(estimator, values, offsets=None):
    """The number of missing entries; raises where an entry is infinite."""
    n_missing, row, column = _rows.scan(values)
    if row < 0:
        return n_missing
    raise ValueError(
        f"X has an infinite value in {_sequences.row_label(offsets, row)}, "
        f"{column_label(estimator, column)}; NaN marks a missing entry, replace or clip infinities."
    )


def _check_columns(estimator, values):
    """Raise where nothing in a column is observed."""
    for j in np.flatnonzero(np.isnan(values[0])):
        if np.isnan(values[:, j]).all():
            raise ValueError(
                f"X has no observed value in {column_label(estimator, j)}, so nothing can be "
                "learnt about it; leave this column out."
            )


def _indices_of_names(estimator, names, argument="features"):
    """Indices of features given by name."""
    known = getattr(estimator, "feature_names_in_", None)
    if known is None:
        raise ValueError(
            f"{argument} has the names {names}, but {type(estimator).__name__} was fitted "
            "without feature names; pass indices or fit on a frame."
        )
    index = {name: j for j, name in enumerate(known)}
    for name in names:
        if name not in index:
            raise ValueError(
                f"{argument} has {name!r}, which is not among the features of the fit: "
                f"{known.tolist()}."
            )
    return np.array([index[name] for name in names], dtype=np.intp)
