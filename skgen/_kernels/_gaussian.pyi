import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

NOT_FINITE: int

def instruction_set() -> str: ...
def mixture_pass(
    X: NDArray[np.float64] | NDArray[np.float32],
    log_weights: Floats,
    means: Floats,
    covariances: Floats,
    *,
    weights: Floats | None = None,
    patterns: tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.uint8]] | None = None,
    masked: bool = False,
    given: Floats | None = None,
    log_prob: Floats | None = None,
    resp: Floats | None = None,
    log_joint: Floats | None = None,
    labels: NDArray[np.intp] | None = None,
    moments: bool = False,
    unseen: bool = False,
) -> tuple[float, int, tuple[Floats, ...] | None]: ...
def maximize(
    weight: Floats,
    first: Floats,
    second: Floats,
    origin: Floats,
    *,
    seen: Floats | None = None,
    ridge: float = 0.0,
    floor: Floats | None = None,
    prior_mean: Floats | None = None,
    prior_precision: float = 0.0,
    prior_scatter: Floats | None = None,
    prior_weight: float = 0.0,
) -> tuple[Floats, Floats, list[int], list[int]]: ...
