"""Large arrays whose memory is taken where it is written to, and given back as soon as they go.

The C library keeps freed blocks of up to 32 MB for later. Where arrays are made and dropped one
after the other, that is as much again as the arrays that are needed.
"""

import mmap
from contextlib import suppress

import numpy as np

LARGE = 1 << 24  # bytes; less is left to the C library, which has it at hand
PRIVATE = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_PRIVATE") else {}


def scratch(size, dtype):
    """A vector of any numbers."""
    n_bytes = size * np.dtype(dtype).itemsize
    if n_bytes < LARGE:
        return np.empty(size, dtype=dtype)
    memory = mmap.mmap(-1, n_bytes, **PRIVATE)
    if hasattr(mmap, "MADV_HUGEPAGE"):  # pages of 2 MB, as numpy asks for
        with suppress(OSError):  # a system without such pages
            memory.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(memory, dtype=dtype, count=size)


def new_slots(size):
    """A hash table of so many slots, any numbers; see ngram.h."""
    if size >= 2**32:
        raise MemoryError(f"{size:.0f} slots are more than a table can have; use a lower order.")
    return scratch(2 * int(size), np.uint64).reshape(-1, 2)


def cut(array, size):
    """The first entries of a vector, which is lost; the others' memory goes back where it can."""
    if array.flags.owndata:
        array.resize(size, refcheck=False)
        return array
    whole = array
    while isinstance(whole.base, np.ndarray):
        whole = whole.base
    memory = getattr(whole.base, "obj", None)
    begins = whole.ctypes.data == array.ctypes.data
    if begins and isinstance(memory, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        start = -(-size * array.itemsize // mmap.PAGESIZE) * mmap.PAGESIZE
        if start < len(memory):
            memory.madvise(mmap.MADV_DONTNEED, start, len(memory) - start)
    return array[:size]
