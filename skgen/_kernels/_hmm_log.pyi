import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

def forward_backward(
    log_lik: Floats,
    startprob: Floats,
    transmat: Floats,
    weight: float = 1.0,
    *,
    step_log_prob: Floats | None = None,
    filtered: Floats | None = None,
    resp: Floats | None = None,
    start_counts: Floats | None = None,
    transition_counts: Floats | None = None,
) -> float: ...
def best_paths(
    log_lik: Floats, startprob: Floats, transmat: Floats, k: int
) -> tuple[NDArray[np.intp], Floats]: ...
