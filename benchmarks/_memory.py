"""The peak memory of a call, in a process of its own."""

import ctypes
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def peak_memory(make, n, call, small=2000):
    """Bytes that ``call(make(n))`` takes at its peak, beyond its argument and its result.

    Parameters
    ----------
    make : picklable callable, int -> data
    n : int
    call : picklable callable, data -> result
    small : int
        Before, the call is made with this size: what libraries load and keep is not counted.

    Returns
    -------
    int or None
        None where the system does not tell (the peak can be reset on Linux only).
    """
    if not CLEAR.exists():
        return None
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(_measure, make, n, call, small).result()


def _measure(make, n, call, small):
    call(make(small))
    data = make(n)
    _trim()
    CLEAR.write_text("5")  # the peak is set to what is resident now
    before = _status("VmRSS")
    result = call(data)
    return _status("VmHWM") - before - getattr(result, "nbytes", 0)


def _trim():
    """Give freed memory back to the system, where the C library can."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _status(name):
    """A size in /proc/self/status, in bytes."""
    for line in STATUS.read_text(encoding="ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise KeyError(name)
