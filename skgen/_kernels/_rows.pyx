"""One pass over a matrix of observations: missing and infinite entries, missingness patterns."""

import numpy as np

cimport numpy as cnp
from cython cimport floating
from libc.stdint cimport uint64_t
from libc.string cimport memcpy

cnp.import_array()

cdef extern from "rows.h" nogil:
    bint sk_all_finite_f64(const double *x, Py_ssize_t n)
    bint sk_all_finite_f32(const float *x, Py_ssize_t n)

cdef Py_ssize_t BLOCK = 1024  # entries looked at together, a quarter of the L1 cache
cdef uint64_t MIX = 0x9E3779B97F4A7C15  # odd, close to 2^64 / golden ratio: spreads the keys


def scan(cnp.ndarray X not None):
    """Count the missing entries of X and find its first infinite one.

    The entries are taken a block at a time, which is looked at closely only where it holds
    something that is not finite. No memory is allocated.

    Returns
    -------
    n_missing : int
        Number of NaN entries, up to the first infinite one if there is any.
    row, column : int
        Where the first infinite entry is; -1, -1 if all are finite or NaN.
    """
    cdef Py_ssize_t size = cnp.PyArray_SIZE(X), found, n_missing = 0
    cdef void* x = cnp.PyArray_DATA(X)
    if X.ndim != 2 or not cnp.PyArray_IS_C_CONTIGUOUS(X):
        raise ValueError("expected a C-contiguous matrix")
    # By hand: choosing a fused type takes longer than a small matrix.
    if cnp.PyArray_TYPE(X) == cnp.NPY_FLOAT64:
        with nogil:
            found = first_infinite(<const double*>x, size, &n_missing)
    elif cnp.PyArray_TYPE(X) == cnp.NPY_FLOAT32:
        with nogil:
            found = first_infinite(<const float*>x, size, &n_missing)
    else:
        raise ValueError("expected float64 or float32")
    if found < 0:
        return n_missing, -1, -1
    return n_missing, found // X.shape[1], found % X.shape[1]


cdef Py_ssize_t first_infinite(
    const floating* x, Py_ssize_t size, Py_ssize_t* n_missing
) noexcept nogil:
    """Position of the first infinite entry, or -1; adds the NaN entries before it to n_missing."""
    cdef Py_ssize_t start = 0, found = -1
    while start < size and found < 0:
        found = scan_block(x + start, min(BLOCK, size - start), n_missing)
        start += BLOCK
    return found if found < 0 else found + start - BLOCK


cdef inline Py_ssize_t scan_block(
    const floating* x, Py_ssize_t size, Py_ssize_t* n_missing
) noexcept nogil:
    """Add the NaN entries of x to n_missing; the position of the first infinite one, or -1."""
    cdef Py_ssize_t i
    cdef Py_ssize_t n_bad = 0, n_nan = 0
    if floating is double:
        if sk_all_finite_f64(x, size):
            return -1
    elif sk_all_finite_f32(x, size):
        return -1
    for i in range(size):
        n_bad += x[i] - x[i] != 0  # zero for finite x, NaN for the rest
        n_nan += x[i] != x[i]
    n_missing[0] += n_nan
    if n_nan == n_bad:
        return -1
    for i in range(size):
        if x[i] - x[i] != 0 and x[i] == x[i]:
            return i
    return -1


def end_to_end(list pieces not None):
    """Matrices in one matrix, and how many rows each has.

    Returns
    -------
    values : ndarray of shape (n_rows, d)
    lengths : ndarray of shape (len(pieces),), intp
        None in place of both unless all pieces are C-contiguous arrays of float64, or all of
        float32, with the same number of columns and one row or more.
    """
    cdef Py_ssize_t n = 0, i
    cdef cnp.ndarray first, x, values
    cdef char* out
    if not pieces or not cnp.PyArray_CheckExact(pieces[0]):
        return None
    first = pieces[0]
    lengths = np.empty(len(pieces), dtype=np.intp)
    cdef Py_ssize_t[::1] n_rows = lengths  # OUT
    if cnp.PyArray_TYPE(first) not in (cnp.NPY_FLOAT64, cnp.NPY_FLOAT32):
        return None
    for i in range(n_rows.shape[0]):
        if not (cnp.PyArray_CheckExact(pieces[i]) and is_like(pieces[i], first)):
            return None
        n_rows[i] = cnp.PyArray_DIM(pieces[i], 0)
        n += n_rows[i]
    values = np.empty((n, first.shape[1]), dtype=first.dtype)
    out = <char*>cnp.PyArray_DATA(values)
    for i in range(n_rows.shape[0]):
        x = pieces[i]
        memcpy(out, cnp.PyArray_DATA(x), cnp.PyArray_NBYTES(x))
        out += cnp.PyArray_NBYTES(x)
    return values, lengths


cdef inline bint is_like(cnp.ndarray x, cnp.ndarray first):
    """Whether a matrix has rows, and as many columns of the same type as the first one."""
    return (
        cnp.PyArray_ISCARRAY_RO(x)
        and cnp.PyArray_TYPE(x) == cnp.PyArray_TYPE(first)
        and cnp.PyArray_NDIM(x) == 2
        and cnp.PyArray_SIZE(x) > 0
        and cnp.PyArray_DIM(x, 1) == cnp.PyArray_DIM(first, 1)
    )


def pattern_ids(const floating[:, ::1] X):
    """Number the missingness patterns of the rows of X in order of first appearance.

    Open addressing over 64-bit keys, in O(n d) whatever the number of patterns. Up to 64 features
    the key is the pattern itself; beyond, rows of equal key are compared entry by entry.

    Returns
    -------
    ids : ndarray of shape (n,), intp
        The number of the pattern of each row.
    first : ndarray of shape (n_patterns,), intp
        The first row that has each pattern.
    """
    cdef Py_ssize_t n = X.shape[0], size = 1024, n_patterns = 0, row = 0, p, slot
    cdef uint64_t key
    cdef Py_ssize_t[::1] ids = np.empty(n, dtype=np.intp)  # OUT
    cdef Py_ssize_t[::1] first = np.empty(n, dtype=np.intp)  # OUT, n_patterns are used
    cdef uint64_t[::1] keys = np.empty(n, dtype=np.uint64)  # of each pattern
    cdef Py_ssize_t[::1] slots  # 1 + number of a pattern, 0 if free
    while row < n:
        slots = np.zeros(size, dtype=np.intp)
        with nogil:
            for p in range(n_patterns):
                slots[find(X, first[p], keys[p], keys, first, slots)] = p + 1
            while row < n and 2 * n_patterns < size:  # beyond, the probes grow long
                key = pattern_key(X, row)
                slot = find(X, row, key, keys, first, slots)
                if slots[slot] == 0:
                    keys[n_patterns] = key
                    first[n_patterns] = row
                    n_patterns += 1
                    slots[slot] = n_patterns
                ids[row] = slots[slot] - 1
                row += 1
        size *= 8
    return np.asarray(ids), np.asarray(first[:n_patterns]).copy()


cdef inline Py_ssize_t find(
    const floating[:, ::1] X,
    Py_ssize_t row,
    uint64_t key,
    uint64_t[::1] keys,
    Py_ssize_t[::1] first,
    Py_ssize_t[::1] slots,
) noexcept nogil:
    """The slot that holds the pattern of a row, or the free slot where it belongs."""
    cdef Py_ssize_t mask = slots.shape[0] - 1, p
    cdef Py_ssize_t slot = <Py_ssize_t>((key * MIX) >> 32) & mask
    while slots[slot] != 0:
        p = slots[slot] - 1
        if keys[p] == key and (X.shape[1] <= 64 or same_pattern(X, row, first[p])):
            break
        slot = (slot + 1) & mask
    return slot


cdef inline uint64_t pattern_key(const floating[:, ::1] X, Py_ssize_t row) noexcept nogil:
    """The missing entries of a row as bits; several words of them are mixed into one."""
    cdef uint64_t key = 0, word
    cdef Py_ssize_t start, j
    for start in range(0, X.shape[1], 64):
        word = 0
        for j in range(start, min(start + 64, X.shape[1])):
            word = 2 * word + (X[row, j] != X[row, j])
        key = key * MIX + word
    return key


cdef inline bint same_pattern(
    const floating[:, ::1] X, Py_ssize_t a, Py_ssize_t b
) noexcept nogil:
    cdef Py_ssize_t j
    for j in range(X.shape[1]):
        if (X[a, j] != X[a, j]) != (X[b, j] != X[b, j]):
            return False
    return True


def grouped(const Py_ssize_t[::1] ids, Py_ssize_t[::1] position):
    """Row indices ordered by group, in their own order within a group: a counting sort.

    Parameters
    ----------
    ids : ndarray of shape (n,), intp
        Group of each row.
    position : ndarray of shape (n_groups,), intp
        Where each group starts in the result. Moved to where it ends.
    """
    cdef Py_ssize_t i
    cdef Py_ssize_t[::1] order = np.empty(ids.shape[0], dtype=np.intp)  # OUT
    with nogil:
        for i in range(ids.shape[0]):
            order[position[ids[i]]] = i
            position[ids[i]] += 1
    return np.asarray(order)
