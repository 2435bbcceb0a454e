from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]
Floats = NDArray[np.float64]
Tables = tuple[Any, ...]

def make_children(
    contexts: Ints,
    words: Ints,
    order: NDArray[np.int64],
    weights: Floats,
    backoff: Floats,
    index: Tables,
) -> Tables: ...
def distributions(
    states: NDArray[np.uint32], children: Tables, index: Tables, backoff: Floats, n_words: int
) -> Floats: ...
def draw_sentences(
    state: int,
    n: int,
    end: int,
    longest: int,
    children: Tables,
    index: Tables,
    seed: int,
    powers: Floats,
    top: tuple[int, float] | None = None,
) -> tuple[Ints, NDArray[np.int64]]: ...
