from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

def forward_backward(
    source: dict[str, Any],
    offsets: Ints,
    startprob: Floats,
    transmat: Floats,
    *,
    weights: Floats | None = None,
    log_prob: Floats | None = None,
    step_log_prob: Floats | None = None,
    filtered: Floats | None = None,
    resp: Floats | None = None,
    statistics: bool = False,
) -> tuple[float, Floats | None, Floats | None, Any]: ...
def viterbi(
    source: dict[str, Any],
    offsets: Ints,
    startprob: Floats,
    transmat: Floats,
    path: Ints,
    log_prob: Floats,
) -> None: ...
def best_paths(
    log_lik: Floats, startprob: Floats, transmat: Floats, k: int
) -> tuple[Ints, Floats]: ...
