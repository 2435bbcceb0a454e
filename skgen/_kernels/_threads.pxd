"""For kernels: enclose each parallel region in these two calls.

    n = sk_enter_parallel(n_threads)   # threads this region may use now
    ...                                # prange(..., num_threads=n)
    sk_leave_parallel()                # on the same thread
"""

cdef int sk_enter_parallel(int wanted) noexcept nogil
cdef void sk_leave_parallel() noexcept nogil
