"""Random numbers of fits and samples."""

import math

import numpy as np
from sklearn.utils import check_random_state

from ._kernels import _random


def make_rng(random_state):
    """The one generator of a fit or a sample."""
    return np.random.default_rng(check_random_state(random_state).randint(2**31 - 1))


def uniforms(rng, shape):
    """Numbers of [0, 1), of a stream that begins where ``rng`` says."""
    return _random.uniforms(int(rng.bit_generator.random_raw()), math.prod(shape)).reshape(shape)
