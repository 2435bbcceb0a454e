from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]
Floats = NDArray[np.float64]

def count_order(
    tokens: Ints,
    ends: Ints,
    begin: int,
    known: tuple[Ints, Ints, Ints, Ints],
    guess: int,
    space: NDArray[np.uint64],
) -> tuple[Ints, Ints, Ints, Ints]: ...
def table_space(n: int) -> NDArray[np.uint64]: ...
def counts_of_counts(counts: Ints) -> NDArray[np.int64]: ...
def find_suffixes(
    contexts: Ints, words: Ints, lower_suffixes: Ints, lower: tuple[Ints, Ints]
) -> Ints: ...
def adjusted_counts(counts: Ints, begins: NDArray[np.uint8], suffixes: Ints) -> Ints: ...
def interpolate(
    counts: Ints,
    contexts: Ints,
    suffixes: Ints,
    lower: Floats,
    minus: Floats,
    plus: Floats,
    prior: float,
    kept: NDArray[np.uint8],
) -> tuple[Floats, Floats]: ...
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
