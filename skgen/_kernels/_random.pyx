"""Random numbers of the kernels, and categories drawn by them."""

import numpy as np

from libc.stdint cimport uint64_t


def uniforms(uint64_t seed, Py_ssize_t n):
    """Numbers of [0, 1) with 53 bits each, in half of the time that a generator of NumPy takes.

    Parameters
    ----------
    seed : int
        Of 64 bits; that of a generator of numbers as good as random, as they begin a stream each.
    n : int

    Returns
    -------
    ndarray of shape (n,)
    """
    cdef double[::1] out = np.empty(n)  # OUT
    cdef Py_ssize_t i
    with nogil:
        for i in range(n):
            out[i] = sk_uniform(&seed)
    return np.asarray(out)


def make_guide(const double[:, ::1] cumulated, Py_ssize_t places):
    """Where to start looking for the index that u draws, by the place of u in [0, 1).

    With many places to an index most draws are there at once, and the next draw of a chain need
    not wait for comparisons, whose outcome is guessed right [1]_. Made in O(m n places), where
    :func:`draw_index` takes O(log n) a draw.

    Parameters
    ----------
    cumulated : ndarray of shape (m, n)
        Sums of weights along the last axis; the last one is positive.
    places : int
        To an index, at least.

    Returns
    -------
    ndarray of shape (n_guide, m), int32
        The index that u = g / n_guide draws from each row; n_guide is a power of two, so that
        u * n_guide is exact and no u from there on draws an index before it.

    References
    ----------
    .. [1] Chen and Asau (1974). On generating random variates from an empirical distribution. AIIE
       Transactions 6.
    """
    cdef Py_ssize_t m = cumulated.shape[0], n = cumulated.shape[1], n_guide = 1, k, g, i
    cdef double step
    while n_guide < places * n:
        n_guide *= 2
    step = 1.0 / n_guide
    cdef int[:, ::1] out = np.empty((n_guide, m), dtype=np.intc)  # OUT
    with nogil:
        for k in range(m):
            i = 0
            for g in range(n_guide):
                out[g, k] = i = draw_onwards(&cumulated[k, 0], i, n, g * step)
    return np.asarray(out)


def alias_tables(const double[:, ::1] weights):
    """Tables by which a category is drawn at once, without a search [1]_.

    Parameters
    ----------
    weights : ndarray of shape (m, C)
        Of the categories of each of m distributions, not negative; their sums are positive.

    Returns
    -------
    ndarray of shape (m, C, 3)
        A number u of [0, 1) draws from a distribution: with j and f the integer part and the rest
        of C u, category ``[j, 1]``, which is j, where f is less than ``[j, 0]``, and else
        ``[j, 2]``.

    References
    ----------
    .. [1] Vose (1991). A linear algorithm for generating random numbers with a given distribution.
       IEEE Transactions on Software Engineering 17.
    """
    cdef Py_ssize_t m = weights.shape[0], C = weights.shape[1], k
    cdef double[:, :, ::1] tables = np.empty((m, C, 3))  # OUT
    cdef int[::1] waiting = np.empty(C, dtype=np.intc)
    with nogil:
        for k in range(m):
            fill_alias_table(&weights[k, 0], C, &tables[k, 0, 0], &waiting[0])
    return np.asarray(tables)


cdef void fill_alias_table(
    const double* weights, Py_ssize_t C, double* table, int* waiting
) noexcept nogil:
    """The table of one distribution; `waiting` is room for C numbers."""
    cdef Py_ssize_t n_small = 0, first_large = C, j, small, large, heaviest = 0
    cdef double total = 0.0, share
    for j in range(C):
        total += weights[j]
        if weights[j] > weights[heaviest]:
            heaviest = j
    for j in range(C):  # shares of 1 / C each, of which some have too little and some too much
        share = weights[j] / total * C
        table[3 * j], table[3 * j + 1], table[3 * j + 2] = share, <double>j, <double>j
        if share < 1.0:
            waiting[n_small] = <int>j
            n_small += 1
        else:
            first_large -= 1
            waiting[first_large] = <int>j
    while n_small and first_large < C:
        n_small -= 1
        small, large = waiting[n_small], waiting[first_large]
        table[3 * small + 2] = <double>large
        table[3 * large] = (table[3 * large] + table[3 * small]) - 1.0
        if table[3 * large] < 1.0:
            waiting[n_small] = <int>large
            n_small += 1
            first_large += 1
    for j in range(n_small):  # left over by rounding
        small = waiting[j]
        if weights[small] == 0.0:
            table[3 * small + 2] = <double>heaviest


def draw(
    const double[:, :, ::1] weights, const Py_ssize_t[::1] which, const double[:, ::1] uniforms
):
    """Categories drawn in each of d columns, as floats.

    Parameters
    ----------
    weights : ndarray of shape (K, d, C)
        As for :func:`alias_tables`.
    which : ndarray of shape (n,), intp
        The distribution of each draw, from 0 to K - 1.
    uniforms : ndarray of shape (n, d)
        Independent draws from [0, 1).

    Returns
    -------
    ndarray of shape (n, d)
    """
    cdef Py_ssize_t n = uniforms.shape[0], d = uniforms.shape[1], K = weights.shape[0]
    cdef Py_ssize_t C = weights.shape[2], i, j, k, g
    if not (which.shape[0] == n and weights.shape[1] == d and C > 0):
        raise ValueError("arrays of inconsistent shape")
    cdef double[:, ::1] out = np.empty((n, d))  # OUT
    cdef double[:, :, :, ::1] tables = np.empty((K, d, C, 3))
    cdef unsigned char[::1] made = np.zeros(K, dtype=np.uint8)
    cdef int[::1] waiting = np.empty(C, dtype=np.intc)
    cdef double x
    cdef const double* at
    with nogil:
        for i in range(n):
            k = which[i]
            if not 0 <= k < K:
                with gil:
                    raise ValueError(f"which[{i}]={k} must be from 0 to {K - 1}.")
            if not made[k]:
                made[k] = 1
                for j in range(d):
                    fill_alias_table(&weights[k, j, 0], C, &tables[k, j, 0, 0], &waiting[0])
            for j in range(d):
                x = uniforms[i, j] * C
                g = <Py_ssize_t>x
                at = &tables[k, j, g, 0]
                out[i, j] = at[2 - sk_is_negative((x - g) - at[0])]
    return np.asarray(out)
