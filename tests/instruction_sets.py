"""Tests in a process whose kernels use narrower vectors than the machine has."""

import os
import subprocess
import sys

import pytest


def passes_with_isa(isa, path):
    """Run a file of tests with another instruction set; its tests must pass."""
    env = {**os.environ, "SKGEN_ISA": isa}
    ask = "from skgen._kernels import _gaussian; print(_gaussian.instruction_set())"
    told = subprocess.run(
        [sys.executable, "-c", ask], env=env, capture_output=True, text=True, check=True
    )
    if told.stdout.strip() != isa:
        pytest.skip(f"this machine has no {isa}")
    if os.environ.get("SKGEN_ISA"):
        pytest.skip("already in such a process")
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", str(path)]
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]
