"""What the machine is, and what it can do at most."""

import os
import platform
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import joblib
import numpy as np
import threadpoolctl

# Environment variables that change how fast a library is.
SETTINGS = ("OMP_", "OPENBLAS_", "MKL_", "BLIS_", "GOTO_", "NPY_", "SKGEN_")
PACKAGES = ("skgen", "numpy", "scipy", "scikit-learn", "hmmlearn")
GEMM_SIZE = 1200
SWEEP_BYTES = 1 << 28  # several times the last-level cache


def facts():
    """Machine and versions, as a dict of strings and numbers."""
    from skgen._kernels._gaussian import instruction_set
    from skgen._kernels._threads import effective_n_threads

    blas = [lib for lib in threadpoolctl.threadpool_info() if lib["user_api"] == "blas"]
    return {
        "date": time.strftime("%Y-%m-%d"),
        "cpu": _cpu_name(),
        "cores": joblib.cpu_count(),
        "threads": effective_n_threads(),
        "instruction_set": instruction_set(),
        "blas": [f"{b['internal_api']} {b['version']} {b.get('architecture', '')}" for b in blas],
        "blas_threads": [b["num_threads"] for b in blas],
        "load_average": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "environment": {k: v for k, v in sorted(os.environ.items()) if k.startswith(SETTINGS)},
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": _versions(),
    }


def _cpu_name():
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    info = dict(line.split(":", 1) for line in lines if ":" in line)
    info = {key.strip(): value.strip() for key, value in info.items()}
    name = info.get("model name", platform.machine())
    return f"{name} (family {info.get('cpu family', '?')}, model {info.get('model', '?')})"


def _versions():
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


class Probes:
    """Two calls that show what the machine gives at this moment: arithmetic and memory.

    A matrix product of the BLAS is the fastest arithmetic that a user can buy; a dot product of a
    long vector with itself reads memory as fast as the threads can.
    """

    def __init__(self):
        rng = np.random.default_rng(0)
        self.a, self.b = rng.random((2, GEMM_SIZE, GEMM_SIZE))
        self.out = np.empty_like(self.a)
        self.vector = np.ones(SWEEP_BYTES // 8)

    def product(self):
        """A matrix product."""
        np.matmul(self.a, self.b, out=self.out)

    def sweep(self):
        """One reading of a long vector."""
        return self.vector @ self.vector

    def limit(self, flops, n_bytes, product_seconds, sweep_seconds):
        """The least seconds for so many operations and bytes, at the speed of the two calls."""
        arithmetic = flops * product_seconds / (2.0 * GEMM_SIZE**3)
        memory = n_bytes * sweep_seconds / self.vector.nbytes
        return np.maximum(arithmetic, memory)
