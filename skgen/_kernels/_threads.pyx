"""The number of threads, in one place for all kernels.

A kernel asks for threads when it opens a parallel region, and Python threads that run kernels at
the same time share the processors instead of each taking all of them.
"""

from contextlib import contextmanager

from joblib import cpu_count

cdef extern from "threads.h" nogil:
    const int SK_OPENMP
    int sk_cpu_count
    int sk_thread_limit
    int sk_max_threads()
    int sk_enter(int wanted)
    void sk_leave()
    void sk_forget_pool()
    int sk_count_team(int n)


# Respects affinity and the quota of a container; read once, as it opens files.
sk_cpu_count = cpu_count()


cdef int sk_enter_parallel(int wanted) noexcept nogil:
    """Threads for a region that opens now: `wanted` at most, or any number for wanted < 1."""
    return sk_enter(wanted)


cdef void sk_leave_parallel() noexcept nogil:
    """Close the region that the calling thread opened."""
    sk_leave()


def openmp_enabled():
    """Whether the kernels were built with OpenMP."""
    return bool(SK_OPENMP)


def effective_n_threads(n_threads=None):
    """Number of threads that a lone kernel uses.

    Parameters
    ----------
    n_threads : int or None, default=None
        The number asked for; None asks for all.

    Returns
    -------
    int
        At most the processors that the process may run on and OpenMP's own limit; 1 in the child
        of a fork under GNU OpenMP, whose thread pool is lost there.

    Raises
    ------
    ValueError
        If `n_threads` is below 1.
    """
    return _checked(n_threads) or sk_max_threads()


def team_size(n_threads=None):
    """Number of threads that take part in a parallel region opened now."""
    cdef int n = sk_enter_parallel(_checked(n_threads))
    try:
        return sk_count_team(n)
    finally:
        sk_leave_parallel()


@contextmanager
def parallel_region(n_threads=None):
    """Hold a region open and give the number of threads it may use."""
    cdef int n = sk_enter_parallel(_checked(n_threads))
    try:
        yield n
    finally:
        sk_leave_parallel()


@contextmanager
def limit_threads(int n_threads):
    """Let n threads stand for the machine's, more than it has if need be, in the whole process."""
    global sk_thread_limit
    cdef int before = sk_thread_limit
    sk_thread_limit = _checked(n_threads, False)
    try:
        yield
    finally:
        sk_thread_limit = before


def forget_pool():
    """Use one thread from now on; for the child of a fork."""
    sk_forget_pool()


def _checked(n_threads, bint clip=True):
    """The request as an int, 0 for None, and no more than the most there is."""
    if n_threads is None:
        return 0
    if n_threads < 1:
        raise ValueError(f"n_threads={n_threads} must be at least 1, or None for all processors.")
    return min(n_threads, sk_max_threads()) if clip else n_threads
