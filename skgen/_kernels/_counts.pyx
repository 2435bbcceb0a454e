"""Passes over matrices of counts and of category codes, in which NaN is a missing entry."""

import numpy as np

from cython cimport floating
from libc.math cimport INFINITY, lgamma

# 2^52: adding it to a smaller positive number and taking it away again rounds to an integer.
cdef double ROUND = 4503599627370496.0
cdef enum:
    N_LOG_FACTORIALS = 1024
cdef double MOST_CODE = 2147483647.0
cdef double[N_LOG_FACTORIALS] LOG_FACTORIAL

for _i in range(N_LOG_FACTORIALS):
    LOG_FACTORIAL[_i] = lgamma(_i + 1.0)


cdef inline bint is_count(double x, double upper) noexcept nogil:
    """Whether x is an integer from 0 to upper."""
    return x >= 0 and x <= upper and (x + ROUND) - ROUND == x


def first_outside(const floating[:, ::1] X, double upper):
    """Row and column of the first entry which is no integer from 0 to `upper`, or -1, -1.

    `upper` is 2^52 at most.
    """
    cdef Py_ssize_t n = X.shape[0], d = X.shape[1], i, j, n_outside
    with nogil:
        for i in range(n):
            n_outside = 0
            for j in range(d):  # no branch, so that it vectorises
                n_outside += (not is_count(X[i, j], upper)) & (X[i, j] == X[i, j])
            if n_outside > 0:
                break
        else:
            i = -1
    if i < 0:
        return -1, -1
    row = np.asarray(X[i])
    return i, next(j for j, x in enumerate(row) if x == x and not is_count(x, upper))


def codes(const floating[:, ::1] X):
    """The first column as int32, -1 for a missing entry and -2 for what is no count below 2^31.

    Returns the codes (n,), the lowest and the highest of them.
    """
    cdef Py_ssize_t n = X.shape[0], i
    cdef int code, lowest = 0, highest = -1
    cdef double x
    cdef int[::1] out = np.empty(n, dtype=np.intc)  # OUT
    with nogil:
        for i in range(n):
            x = X[i, 0]
            code = <int>x if is_count(x, MOST_CODE) else (-1 if x != x else -2)
            lowest = min(lowest, code)
            highest = max(highest, code)
            out[i] = code
    return np.asarray(out), lowest, highest


def log_factorials(const floating[:, ::1] X):
    """Sum over the observed entries of each row of log x!; infinite where one is no count."""
    cdef Py_ssize_t n = X.shape[0], d = X.shape[1], i, j
    cdef double total, x
    cdef double[::1] out = np.empty(n)  # OUT
    with nogil:
        for i in range(n):
            total = 0.0
            for j in range(d):
                x = X[i, j]
                if x != x:
                    continue
                if not is_count(x, ROUND):
                    total = INFINITY
                elif x < N_LOG_FACTORIALS:
                    total += LOG_FACTORIAL[<Py_ssize_t>x]
                else:
                    total += lgamma(x + 1.0)
            out[i] = total
    return np.asarray(out)


def first_unknown(const floating[:, ::1] X, const unsigned char[:, ::1] known):
    """Row and column of the first entry that is not the code of a known category, or -1, -1.

    Parameters
    ----------
    X : ndarray of shape (n, d)
    known : ndarray of shape (d, n_categories), uint8
        Whether column j has category c.
    """
    cdef Py_ssize_t n = X.shape[0], d = X.shape[1], i, j
    cdef double x, upper = known.shape[1] - 1
    with nogil:
        for i in range(n):
            for j in range(d):
                x = X[i, j]
                if x == x and not (is_count(x, upper) and known[j, <Py_ssize_t>x]):
                    with gil:
                        return i, j
    return -1, -1


cdef inline void add(double* total, const double* x, Py_ssize_t K) noexcept nogil:
    cdef Py_ssize_t k
    for k in range(K):
        total[k] += x[k]


def gather(const floating[:, ::1] X, const double[:, :, ::1] table):
    """Sum over the columns j of table[j, X[i, j]]; missing and unknown codes add nothing.

    Parameters
    ----------
    X : ndarray of shape (n, d)
    table : ndarray of shape (d, n_categories, K)

    Returns
    -------
    ndarray of shape (n, K)
        In O(n d K) time with no other memory.
    """
    cdef Py_ssize_t n = X.shape[0], d = X.shape[1], K = table.shape[2], i, j
    cdef double upper = table.shape[1] - 1
    cdef double[:, ::1] out = np.zeros((n, K))  # OUT
    with nogil:
        for i in range(n):
            for j in range(d):
                if not is_count(X[i, j], upper):
                    continue
                add(&out[i, 0], &table[j, <Py_ssize_t>X[i, j], 0], K)
    return np.asarray(out)


def scatter(const floating[:, ::1] X, const double[:, ::1] resp, Py_ssize_t n_categories):
    """Sum over the rows of resp[i] by column and category, the transpose of :func:`gather`.

    Parameters
    ----------
    X : ndarray of shape (n, d)
    resp : ndarray of shape (n, K)
    n_categories : int

    Returns
    -------
    ndarray of shape (d, n_categories, K)
    """
    cdef Py_ssize_t n = X.shape[0], d = X.shape[1], K = resp.shape[1], i, j
    cdef double upper = n_categories - 1
    cdef double[:, :, ::1] out = np.zeros((d, n_categories, K))  # OUT
    with nogil:
        for i in range(n):
            for j in range(d):
                if not is_count(X[i, j], upper):
                    continue
                add(&out[j, <Py_ssize_t>X[i, j], 0], &resp[i, 0], K)
    return np.asarray(out)
