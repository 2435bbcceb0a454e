"""Compiled kernels: arrays in, arrays out; they know nothing of the rest of skgen."""

import os

from skgen._kernels import _threads

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_threads.forget_pool)
