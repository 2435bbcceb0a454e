"""Vector autoregressions given all that is observed: the missing entries of a sequence.

The precision matrix of a sequence is banded; its rows and columns that belong to missing entries
are solved for them. The covariances that statistics need lie in the same band. Where the sequence
is that of the steps of levels, of which some are missing, the matrix is D'QD (see _ar_likelihood).
"""

import numpy as np

cimport numpy as cnp
from libc.math cimport log, sqrt

cnp.import_array()

cdef struct Smoother:
    Py_ssize_t p, d, T, m, diff
    const double* A  # (p + 1, d, d): I, -Phi
    const double* sums  # (p + 1, p + 2, d, d) of A[a]' S A[a + h] over a < i
    const double* start  # (p d, p d) precision of the first p rows, in order of time
    const Py_ssize_t* entries  # (m,) t d + j, ascending
    Py_ssize_t* first
    Py_ssize_t* place
    const double* ridge  # (m,), or NULL
    double* L
    double* Z
    double* pivots


cdef double of_rows(
    const Smoother* q, Py_ssize_t t, Py_ssize_t i, Py_ssize_t s, Py_ssize_t j
) noexcept nogil:
    """Entry ((t, i), (s, j)) of the precision matrix of T rows, t >= s."""
    cdef Py_ssize_t d = q.d, p = q.p, h = t - s
    cdef Py_ssize_t low = max(0, p - t), high = min(p - h, q.T - 1 - t) + 1
    cdef double value = 0.0
    cdef const double* row = q.sums + h * (p + 2) * d * d + i * d + j
    if high > low:
        value = row[high * d * d] - row[low * d * d]
    if t < p:
        value += q.start[(t * d + i) * p * d + s * d + j]
    return value


cdef double entry(const Smoother* q, Py_ssize_t e, Py_ssize_t g) noexcept nogil:
    """Of the precision matrix of what is missing, e >= g."""
    cdef Py_ssize_t t = e // q.d, i = e % q.d, s = g // q.d, j = g % q.d, a, c
    cdef double own, value = 0.0
    if not q.diff:
        return of_rows(q, t, i, s, j)
    for a in range(max(t - 1, 0), min(t + 1, q.T)):  # step a goes from level a to level a + 1
        for c in range(max(s - 1, 0), min(s + 1, q.T)):
            if a - c <= q.p and c - a <= q.p:
                own = of_rows(q, a, i, c, j) if a >= c else of_rows(q, c, j, a, i)
                value += own if (a == t) == (c == s) else -own
    return value


cdef double factorize_missing(Smoother* q) noexcept nogil:
    """Envelope L D L' of the precision matrix of missing entries; its log determinant."""
    cdef Py_ssize_t i, j, k, r = 0
    cdef double value, log_det = 0.0
    cdef double* row
    j = 0
    for i in range(q.m):
        while q.entries[i] // q.d - q.entries[j] // q.d > q.p + q.diff:
            j += 1
        q.first[i] = j
        q.place[i] = r - j
        r += i - j + 1
    for i in range(q.m):
        row = q.L + q.place[i]
        for j in range(q.first[i], i + 1):
            value = entry(q, q.entries[i], q.entries[j])
            if j < i:
                for k in range(max(q.first[i], q.first[j]), j):
                    value -= row[k] * q.L[q.place[j] + k]
            row[j] = value
        if q.ridge != NULL:
            row[i] += q.ridge[i]
        for j in range(q.first[i], i):
            value = row[j] / q.pivots[j]
            row[i] -= value * row[j]
            row[j] = value
        q.pivots[i] = max(row[i], 1e-300)
        log_det += log(q.pivots[i])
    return log_det


cdef void solve_missing(Smoother* q, double* x) noexcept nogil:
    cdef Py_ssize_t i, j
    for i in range(q.m):
        for j in range(q.first[i], i):
            x[i] -= q.L[q.place[i] + j] * x[j]
    for i in range(q.m):
        x[i] /= q.pivots[i]
    back_substitute(q, x)


cdef void back_substitute(Smoother* q, double* x) noexcept nogil:
    cdef Py_ssize_t i, j
    for i in range(q.m - 1, -1, -1):
        for j in range(q.first[i], i):
            x[j] -= q.L[q.place[i] + j] * x[i]


cdef void invert_missing(Smoother* q) noexcept nogil:
    """The entries of the inverse that lie in the envelope (Takahashi)."""
    cdef Py_ssize_t i, j, k, last = q.m - 1
    cdef double value
    for j in range(q.m - 1, -1, -1):
        while q.first[last] > j:
            last -= 1
        for i in range(last, j, -1):
            value = 0.0
            for k in range(j + 1, last + 1):
                value -= q.L[q.place[k] + j] * q.Z[q.place[max(i, k)] + min(i, k)]
            q.Z[q.place[i] + j] = value
        value = 1.0 / q.pivots[j]
        for k in range(j + 1, last + 1):
            value -= q.L[q.place[k] + j] * q.Z[q.place[k] + j]
        q.Z[q.place[j] + j] = value


def smooth(
    Py_ssize_t n_rows, const Py_ssize_t[::1] entries, const double[:, ::1] A,
    const double[:, :, :, ::1] sums, const double[:, ::1] start, const double[::1] pull,
    double[::1] shift, *, bint diff=False, const double[::1] ridge=None,
    double[::1] variance=None, const double[:, ::1] normals=None, double[:, ::1] draws=None,
    double[:, ::1] gram=None, double[:, ::1] head=None, double weight=1.0,
):
    """The conditional mean of the missing entries of one sequence of p rows or more.

    O(m w^2) for m missing entries of which w at most are within p rows of each other.

    Parameters
    ----------
    n_rows : int
        T, of the sequence; with `diff` there are T + 1 levels, of which it has the steps.
    entries : ndarray of shape (m,), intp  # IN
        The missing ones, t d + j, ascending.
    A : ndarray of shape ((p + 1) d, d)  # IN
        I, -Phi[0], ..., -Phi[p - 1].
    sums : ndarray of shape (p + 1, p + 2, d, d)  # IN
        Of A[a]' S A[a + h] over a < i at [h, i], S the inverse of Sigma.
    start : ndarray of shape (p d, p d)  # IN
        Precision of the first p rows, in order of time.
    pull : ndarray of shape (m,)  # IN
        Rows of the precision matrix times the sequence with anything in the place of what is
        missing, at the missing entries.
    shift : ndarray of shape (m,)  # OUT
        What must be added there.
    ridge : ndarray of shape (m,)  # IN
        Added to the diagonal of the precision matrix.
    variance : ndarray of shape (m,)  # OUT
        Of the missing entries, given the observed ones.
    normals, draws : ndarray of shape (n_draws, m)  # IN, OUT
        Draws of deviations from the mean, made from standard normals.
    gram, head : ndarray of shape ((p + 1) d, (p + 1) d), (p d, p d)  # IN and OUT
        Covariances of the rows t, t - 1, ..., t - p given the observed entries, summed over t >=
        p, and those of the first p rows, are added, times `weight`.

    Returns
    -------
    float
        Log determinant of the precision matrix of the missing entries.
    """
    cdef Smoother q
    cdef Py_ssize_t m = entries.shape[0], i, j, r, size = 0, d = A.shape[1]
    cdef Py_ssize_t p = sums.shape[0] - 1
    cdef double log_det
    if m == 0:
        return 0.0
    j = 0
    for i in range(m):
        while entries[i] // d - entries[j] // d > p + diff:
            j += 1
        size += i - j + 1
    cdef double[::1] arena = np.empty(2 * size + m)
    cdef Py_ssize_t[::1] places = np.empty(2 * m, dtype=np.intp)
    q.p, q.d, q.T, q.m, q.diff = p, d, n_rows, m, diff
    q.A, q.sums, q.entries = &A[0, 0], &sums[0, 0, 0, 0], &entries[0]
    q.start = &start[0, 0] if p else NULL
    q.ridge = NULL
    if ridge is not None:
        q.ridge = &ridge[0]
    q.L = &arena[0]
    q.Z = q.L + size
    q.pivots = q.Z + size
    cdef double* x = &shift[0]
    q.first = &places[0]
    q.place = q.first + m
    with nogil:
        log_det = factorize_missing(&q)
        for i in range(m):
            x[i] = -pull[i]
        solve_missing(&q, x)
        if draws is not None:
            for r in range(draws.shape[0]):
                for i in range(m):
                    draws[r, i] = normals[r, i] / sqrt(q.pivots[i])
                back_substitute(&q, &draws[r, 0])
        if variance is not None or gram is not None:
            invert_missing(&q)
        if variance is not None:
            for i in range(m):
                variance[i] = q.Z[q.place[i] + i]
        if gram is not None:
            add_covariances(&q, gram, head, weight)
    return log_det


cdef void add_covariances(
    Smoother* q, double[:, ::1] gram, double[:, ::1] head, double weight
) noexcept nogil:
    cdef Py_ssize_t i, j, a, c, t, s, k, o
    cdef double value
    for i in range(q.m):
        t, k = q.entries[i] // q.d, q.entries[i] % q.d
        for j in range(q.first[i], i + 1):
            s, o = q.entries[j] // q.d, q.entries[j] % q.d
            value = weight * q.Z[q.place[i] + j]
            if not q.diff:
                add_covariance(q, gram, head, t, k, s, o, value)
                if i != j:
                    add_covariance(q, gram, head, s, o, t, k, value)
                continue
            for a in range(max(t - 1, 0), min(t + 1, q.T)):  # as in `entry`
                for c in range(max(s - 1, 0), min(s + 1, q.T)):
                    if (a == t) != (c == s):
                        add_covariance(q, gram, head, a, k, c, o, -value)
                        if i != j:
                            add_covariance(q, gram, head, c, o, a, k, -value)
                    else:
                        add_covariance(q, gram, head, a, k, c, o, value)
                        if i != j:
                            add_covariance(q, gram, head, c, o, a, k, value)


cdef void add_covariance(
    Smoother* q, double[:, ::1] gram, double[:, ::1] head, Py_ssize_t t, Py_ssize_t k,
    Py_ssize_t s, Py_ssize_t o, double value,
) noexcept nogil:
    """That of ((t, k), (s, o)): rows t and s as lags of every row that has both."""
    cdef Py_ssize_t d = q.d, p = q.p, now
    for now in range(max(p, max(t, s)), min(q.T, min(t, s) + p + 1)):
        gram[(now - t) * d + k, (now - s) * d + o] += value
    if t < p and s < p:
        head[t * d + k, s * d + o] += value
