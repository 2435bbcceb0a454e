from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]
Floats = NDArray[np.float64]

def make_index(
    contexts: Ints,
    words: Ints,
    log_proba: NDArray[np.float32],
    log_backoff: NDArray[np.float32],
    n_words: int,
) -> tuple[Any, ...]: ...
def score(
    tokens: Ints, offsets: NDArray[np.int64], index: tuple[Any, ...]
) -> tuple[Floats, NDArray[np.uint32]]: ...
