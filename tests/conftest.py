"""What all tests share."""

import os

os.environ.setdefault("MPLBACKEND", "agg")
# Before OpenMP is loaded: idle threads that spin for long take the processors from other tests.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

import numpy as np
import pytest


@pytest.fixture
def rng():
    """A seeded generator, new for each test."""
    return np.random.default_rng(0)
