cdef inline Py_ssize_t draw_index(const double* cumulated, Py_ssize_t n, double u) noexcept nogil:
    """An index drawn by u from [0, 1), given sums of weights: never one of weight zero.

    Without branches: which way the search goes cannot be foretold.
    """
    cdef const double* low = cumulated
    cdef double target = u * cumulated[n - 1]
    cdef Py_ssize_t half
    while n > 1:
        half = n >> 1
        low += half * (low[half - 1] <= target)
        n -= half
    return low - cumulated


cdef inline Py_ssize_t draw_guided(
    const double* cumulated, const int* guide, Py_ssize_t n, Py_ssize_t n_guide, double u
) noexcept nogil:
    """The same index, looked for from where the guide to these sums says; see make_guide."""
    cdef Py_ssize_t i = guide[<Py_ssize_t>(u * n_guide)]
    cdef double target = u * cumulated[n - 1]
    while i < n - 1 and cumulated[i] <= target:
        i += 1
    return i
