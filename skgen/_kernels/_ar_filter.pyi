import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

def run_filter(
    u: Floats,
    offsets: Ints,
    phi: Floats,
    sigma: Floats,
    start: Floats,
    *,
    mean: Floats | None = None,
    covariance: Floats | None = None,
    log_prob: Floats | None = None,
    scaled: Floats | None = None,
    state: Floats | None = None,
    state_covariance: Floats | None = None,
    level: Floats | None = None,
) -> None: ...
def run_inverse(
    scaled: Floats,
    offsets: Ints,
    phi: Floats,
    sigma: Floats,
    start: Floats,
    u: Floats,
    *,
    level: Floats | None = None,
) -> None: ...
def simulate(phi: Floats, paths: Floats, noise: Floats) -> None: ...
