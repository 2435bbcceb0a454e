"""Compiled kernels: arrays in, arrays out; they know nothing of the rest of skgen."""

import os
from contextlib import contextmanager

SPINS = "GOMP_SPINCOUNT"


@contextmanager
def _short_spins():
    """Load GNU OpenMP, which reads this once, such that idle threads go to sleep early.

    By default the thread that ends a region waits for the others in a loop of some milliseconds,
    on the very processor on which one of them may have been woken: a pass of 0.3 ms after a pause
    took 7 ms, and takes 0.9 ms with short loops. The environment is left as it was.
    """
    if SPINS in os.environ or "OMP_WAIT_POLICY" in os.environ:
        yield
        return
    os.environ[SPINS] = "1000"
    try:
        yield
    finally:
        del os.environ[SPINS]


with _short_spins():
    from skgen._kernels import _threads

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_threads.forget_pool)
