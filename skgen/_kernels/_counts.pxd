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
