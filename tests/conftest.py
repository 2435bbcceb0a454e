"""What all tests share."""

import os

os.environ.setdefault("MPLBACKEND", "agg")

import numpy as np
import pytest


@pytest.fixture
def rng():
    """A seeded generator, new for each test."""
    return np.random.default_rng(0)
