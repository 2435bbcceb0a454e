"""Rows with missing entries, and sequences of varying lengths, as the models see them.

Rows        values (n, d)            x x .      pattern 1 1 0  <- order[starts[p]:starts[p + 1]]
            NaN is missing           . x x      pattern 0 1 1     are the rows of pattern p,
                                     x x .                        masks[p] what they observe

Sequences   rows, end to end         | s = 0 | s = 1      | s = 2 |
            offsets                  0       3            8       11
"""

from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import narwhals as nw
import numpy as np
from scipy import sparse

from ._kernels import _counts, _rows


class Patterns(NamedTuple):
    """The rows grouped by which of their entries are observed.

    The rows of pattern p are ``order[starts[p]:starts[p + 1]]``, in ascending order; patterns
    ascend as binary numbers with a one for each missing entry, so that complete rows come first.
    """

    order: np.ndarray  # (n,) intp
    starts: np.ndarray  # (n_patterns + 1,) intp
    masks: np.ndarray  # (n_patterns, d) bool, True where observed


NATIVE_FLOATS = (np.dtype(np.float64), np.dtype(np.float32))


def is_plain(values):
    """Whether values are a C-contiguous array of float64 or float32; a small fraction of a us."""
    if type(values) is not np.ndarray or values.dtype not in NATIVE_FLOATS:
        return False
    flags = values.flags
    return flags.c_contiguous and flags.aligned


class Rows:
    """A matrix of observations in which NaN marks a missing entry.

    Parameters
    ----------
    values : array-like of shape (n_rows, n_features)
        Kept without a copy if it is C-contiguous and float64 or float32.
    weights : array-like of shape (n_rows,), default=None
        Positive weights, None for ones.
    has_missing : bool, default=None
        Whether there is a NaN in ``values``, where this is known.

    Attributes
    ----------
    values : ndarray of shape (n_rows, n_features), float64 or float32, C-contiguous
    weights : ndarray of shape (n_rows,), float64, or None
    names : array-like of str, or None
        Names of the columns, for errors.
    first : int
        The index of the first row among those of which these are a block.
    starts : ndarray of shape (n_sequences + 1,), or None
        Where sequences begin among those, for errors.
    """

    examined = True  # entries are known to be finite or NaN
    names = None
    first = 0
    starts = None

    def __init__(self, values, weights=None, *, has_missing=None):
        if not is_plain(values):
            values = np.asarray(values)
            dtype = values.dtype if values.dtype in (np.float64, np.float32) else np.float64
            values = np.ascontiguousarray(values, dtype)
        self.values = values
        self.weights = weights if weights is None else np.asarray(weights, dtype=np.float64)
        if has_missing is not None:
            self.has_missing = has_missing

    def __len__(self):
        return len(self.values)

    @property
    def n_features(self):
        """Number of columns."""
        return self.values.shape[1]

    @property
    def total_weight(self):
        """The sum of the weights: the number of rows where they are not weighted."""
        return float(len(self)) if self.weights is None else float(self.weights.sum())

    @cached_property
    def has_missing(self):
        """Whether any entry is missing."""
        return _rows.scan(self.values)[0] > 0

    @cached_property
    def missing(self):
        """Where entries are missing, of shape (n_rows, n_features)."""
        return np.isnan(self.values)

    @cached_property
    def sorted_patterns(self):
        """The rows grouped by which of their entries are observed, as :class:`Patterns`."""
        n, d = self.values.shape
        if not self.has_missing:
            return Patterns(np.arange(n), np.array([0, n]), np.ones((1, d), dtype=bool))
        ids, first = _rows.pattern_ids(self.values)
        gone = np.isnan(self.values[first])
        ascending = np.lexsort(gone.T)
        sizes = np.bincount(ids, minlength=len(first))[ascending]
        starts = offsets_of(sizes)
        position = np.empty_like(ascending)
        position[ascending] = starts[:-1]
        return Patterns(_rows.grouped(ids, position), starts, ~gone[ascending])

    @cached_property
    def by_pattern(self):
        """The values in the order of their patterns, and ``(order, starts, masks)`` for kernels."""
        order, starts, masks = self.sorted_patterns
        return self.values[order], (order, starts, masks.astype(np.uint8))

    @cached_property
    def patterns(self):
        """The rows of each pattern, an index array or a slice, with the features they observe."""
        order, starts, masks = self.sorted_patterns
        features = [np.flatnonzero(mask) for mask in masks]
        if len(masks) == 1:
            return [(slice(None), features[0])]
        return list(zip(np.split(order, starts[1:-1]), features, strict=True))

    @cached_property
    def codes(self):
        """The first column as integers, -1 where missing and -2 where none; lowest and highest."""
        return _counts.codes(self.values)

    def block(self, start, stop):
        """Rows ``start`` to ``stop - 1``, without a copy."""
        return self._part(slice(start, stop))

    def blocks(self, size):
        """All rows, as blocks of ``size`` rows one after the other."""
        for start in range(0, len(self), size):
            yield self.block(start, start + size)

    def take(self, indices):
        """The rows with these indices, or those for which a mask is true."""
        return self._part(np.asarray(indices))

    def _part(self, where):
        weights = None if self.weights is None else self.weights[where]
        # A part of complete rows is complete; of others it is found out when it is asked for.
        complete = self.__dict__.get("has_missing") is False
        part = Rows(self.values[where], weights, has_missing=False if complete else None)
        part.names, part.starts = self.names, self.starts
        if isinstance(where, slice):
            part.first = self.first + (where.start or 0)
        return part

    def columns(self, indices):
        """Some of the columns of these rows."""
        complete = self.__dict__.get("has_missing") is False
        return self.with_values(self.values[:, indices], indices, False if complete else None)

    def with_values(self, values, columns=slice(None), has_missing=None):
        """These rows with other values, which stand for some or all of their columns."""
        other = Rows(values, self.weights, has_missing=has_missing)
        other.names = None if self.names is None else np.asarray(self.names)[columns]
        other.first, other.starts = self.first, self.starts
        return other

    def where(self, i, j):
        """How errors call the place of an entry."""
        return f"{row_label(self.starts, self.first + i)}, {column_label(self.names, j)}"


def row_label(starts, i):
    """How errors call row i: by its place in its sequence where there are several."""
    if starts is None or len(starts) <= 2:
        return f"row {i}"
    s = int(np.searchsorted(starts, i, side="right")) - 1
    return f"row {i - starts[s]} of sequence {s}"


def column_label(names, j):
    """How errors call column j: by its name where the columns have names."""
    return f"column {j}" if names is None else f'column "{names[j]}"'


class UnseenRows(Rows):
    """Rows without weights at whose entries nobody has looked yet.

    Whoever asks for ``values`` or ``has_missing`` has them examined before. Reading a large matrix
    takes as long as scoring it, so a pass that notices by itself whether an entry is not finite
    may take ``unseen`` instead, and then ``vouch`` for the rows or ``examine`` them.

    Parameters
    ----------
    unseen : ndarray of shape (n_rows, n_features), float64 or float32, C-contiguous
    count_missing : callable, ndarray -> int
        Raises where an entry is infinite.
    """

    def __init__(self, unseen, count_missing):
        self.unseen, self.count_missing, self.weights = unseen, count_missing, None

    def __len__(self):
        return len(self.unseen)

    @property
    def n_features(self):
        """Number of columns."""
        return self.unseen.shape[1]

    @property
    def examined(self):
        """Whether the entries are known to be finite or NaN."""
        return "has_missing" in self.__dict__

    def examine(self):
        """Look at the entries; raises where one is infinite."""
        return self.has_missing

    def vouch(self):
        """Take the word of a pass that all entries are finite."""
        self.has_missing = False

    @cached_property
    def has_missing(self):
        """Whether any entry is missing."""
        return self.count_missing(self.unseen) > 0

    @cached_property
    def values(self):
        """The entries, finite or NaN."""
        self.examine()
        return self.unseen


class Sequences:
    """Sequences of varying lengths, stored end to end.

    Parameters
    ----------
    rows : Rows of n_steps rows
    offsets : ndarray of shape (n_sequences + 1,), intp
        Sequence ``s`` is ``rows.values[offsets[s]:offsets[s + 1]]``.
    single : bool, default=False
        Whether the user gave one 2-D array, of which each row is a sample.
    """

    def __init__(self, rows, offsets, *, single=False):
        self.rows = rows
        self.offsets = rows.starts = np.ascontiguousarray(offsets, dtype=np.intp)
        self.single = single

    def __len__(self):
        return len(self.offsets) - 1

    def __getitem__(self, s):
        s = range(len(self))[s]
        return self.rows.values[self.offsets[s] : self.offsets[s + 1]]

    @property
    def lengths(self):
        """Number of steps of each sequence."""
        return self.offsets[1:] - self.offsets[:-1]

    @property
    def weights(self):
        """The weight of each sequence, which its rows have too; None for ones.

        Where the user gave one 2-D array, its rows have weights of their own instead.
        """
        if self.single or self.rows.weights is None:
            return None
        return self.rows.weights[self.offsets[:-1]]

    def split(self, per_row):
        """Cut an array with one entry per row into a list with one array per sequence."""
        return cut(per_row, self.offsets)


def offsets_of(lengths):
    """Where sequences of these lengths begin and end, end to end."""
    offsets = np.zeros(len(lengths) + 1, dtype=np.intp)
    np.add.accumulate(lengths, out=offsets[1:])
    return offsets


def cut(values, offsets):
    """Rows offsets[s] to offsets[s + 1] - 1 for each s; np.split takes four times as long."""
    return [values[a:b] for a, b in pairwise(np.asarray(offsets).tolist())]


def to_sequences(X, lengths=None, by=None):
    """A list with one array, or one frame, per sequence.

    The sequence models take such a list as X, and so do ``cross_val_score``, ``GridSearchCV`` and
    ``train_test_split``: each sequence is one sample.

    Parameters
    ----------
    X : array-like or frame
        - with ``lengths``: all sequences end to end, of shape (n_steps, n_features);
        - with ``by``: a pandas or polars frame with one row per step;
        - otherwise: a list (or object array) with one array-like of shape (n_steps, n_features)
          or (n_steps,) per sequence, an array of shape (n_sequences, n_steps, n_features), or one
          sequence of shape (n_steps, n_features).
    lengths : array-like of int, default=None
        Number of steps of each sequence, for a stacked X.
    by : str, default=None
        The column that tells to which sequence a row belongs. It is left out of the sequences,
        which come in the order of their first rows; rows keep their order within a sequence.

    Returns
    -------
    list of ndarray or of frames, each of shape (n_steps, n_features)

    Raises
    ------
    ValueError
        If an element is not a sequence (the message says which), the lengths do not add up to the
        number of rows, or ``by`` is not a column or is missing in a row.
    TypeError
        If ``by`` is given and X is not a frame.

    Examples
    --------
    >>> import numpy as np
    >>> from skgen import to_sequences
    >>> X = np.arange(10.0).reshape(5, 2)
    >>> [x.shape for x in to_sequences(X, lengths=[2, 3])]
    [(2, 2), (3, 2)]
    """
    if lengths is not None and by is not None:
        raise ValueError(f"lengths and by={by!r} were both given; pass one of them.")
    if by is not None:
        return _grouped_by(X, by)
    if lengths is not None:
        return _stacked(X, lengths)
    if is_list(X):
        return [_steps(x, s) for s, x in enumerate(X)]
    if nw.dependencies.is_into_dataframe(X):
        return [X]
    X = _dense(X, "X")
    if X.ndim not in (2, 3):
        raise ValueError(
            f"X is a {X.ndim}D array of shape {X.shape}; pass a list with one array per sequence, "
            "an array of shape (n_sequences, n_steps, n_features), or one sequence of shape "
            "(n_steps, n_features). Reshape your data by X.reshape(-1, 1) if it is one series of "
            "numbers (X.to_frame() of a Series), and by X.reshape(1, -1) if it is one step."
        )
    return list(X) if X.ndim == 3 else [X]


def is_frame(X):
    """The library whose frame X is, "pandas" or "polars"; False for everything else."""
    if type(X) is np.ndarray:
        return False
    if nw.dependencies.is_pandas_dataframe(X):
        return "pandas"
    return "polars" if nw.dependencies.is_polars_dataframe(X) else False


def make_frame(library, values, names):
    """A frame of this library with these columns."""
    columns = {str(name): values[:, j] for j, name in enumerate(names)}
    return nw.from_dict(columns, backend=library).to_native()


def is_list(X):
    """Whether X is a list with one sequence per element; an object array of arrays is one."""
    ragged = isinstance(X, np.ndarray) and X.dtype.kind == "O" and X.ndim == 1
    return ragged or isinstance(X, list | tuple)


def object_array(pieces):
    """An object array with one array or frame per element, for sets of sequences."""
    out = np.empty(len(pieces), dtype=object)
    for i, piece in enumerate(pieces):
        out[i] = piece
    return out


def _steps(x, s):
    """Sequence s as it is if it is a frame, else as an array of shape (n_steps, n_features)."""
    if isinstance(x, np.ndarray) and x.ndim == 2:
        return x
    if nw.dependencies.is_into_dataframe(x):
        return x
    try:
        x = _dense(x, f"sequence {s}")
    except ValueError as error:
        raise ValueError(f"sequence {s} is not an array: {error}") from error
    if x.ndim not in (1, 2):
        raise ValueError(
            f"sequence {s} has shape {x.shape}; each must have shape (n_steps, n_features), or "
            "(n_steps,) for one feature. Put a list of numbers that is one sequence into a list: "
            "[X]."
        )
    return x.reshape(len(x), -1)


def _dense(X, name):
    """X as an array, or an error where it is sparse."""
    if sparse.issparse(X):
        raise TypeError(
            f"{name} is a sparse matrix, but sequences must be dense; convert it by .toarray()."
        )
    return np.asarray(X)


def _stacked(X, lengths):
    """X cut into pieces of these lengths."""
    lengths, n = np.asarray(lengths), X.shape[0] if hasattr(X, "shape") else len(X)
    if lengths.ndim != 1 or lengths.dtype.kind not in "iu" or (lengths <= 0).any():
        raise ValueError(f"lengths={lengths!r} must be positive integers, one per sequence.")
    if lengths.sum() != n:
        raise ValueError(
            f"lengths add up to {lengths.sum()}, but X has {n} rows; they must be equal."
        )
    frame = nw.dependencies.is_into_dataframe(X)
    X = X if frame else np.asarray(X)
    stops = np.cumsum(lengths).tolist()
    cut = X.iloc.__getitem__ if hasattr(X, "iloc") else X.__getitem__
    return [cut(slice(a, b)) for a, b in zip([0, *stops[:-1]], stops, strict=True)]


def _grouped_by(X, by):
    """A frame cut where its column `by` takes another value, after a stable sort."""
    if not nw.dependencies.is_into_dataframe(X):
        raise TypeError(
            f"by={by!r} needs a frame with a column of this name, but X is a "
            f"{type(X).__name__}; use lengths for stacked arrays."
        )
    frame = nw.from_native(X, eager_only=True)
    if by not in frame.columns:
        raise ValueError(f"by={by!r} is not a column of X; its columns are {frame.columns}.")
    ids = frame[by]
    if ids.is_null().any():
        row = int(ids.is_null().arg_true()[0])
        raise ValueError(f"by={by!r} is missing in row {row}; give each row its sequence.")
    _, first, which = np.unique(ids.to_numpy(), return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))[which]
    order = np.argsort(rank, kind="stable")
    stacked = frame.drop(by)[order].to_native()
    return _stacked(stacked, np.bincount(rank))
