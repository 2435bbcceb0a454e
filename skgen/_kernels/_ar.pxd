"""Least squares for other kernels."""

cdef void add_gram(
    const double* x, Py_ssize_t n, Py_ssize_t p, double weight, double* c, double* G
) noexcept nogil
cdef bint factorize(double* A, Py_ssize_t q) noexcept nogil
