# Random numbers, and an index drawn by one of them.

from libc.stdint cimport uint64_t

cdef extern from "random.h" nogil:
    double sk_uniform(uint64_t* state)
    uint64_t sk_is_negative(double x)


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


cdef inline Py_ssize_t draw_onwards(
    const double* cumulated, Py_ssize_t i, Py_ssize_t n, double u
) noexcept nogil:
    """The same index, looked for from i on; see make_guide. The sum of all weights is positive.

    It ends there: u is less than 1 by 2^-53 at least, and the product less than the sum.
    """
    cdef double target = u * cumulated[n - 1]
    while cumulated[i] <= target:
        i += 1
    return i
