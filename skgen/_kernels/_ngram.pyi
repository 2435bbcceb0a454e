from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]
Floats = NDArray[np.float64]

def single_words(tokens: Ints, counts: Ints) -> Ints: ...
def count_order(
    tokens: Ints,
    ends: Ints,
    begin: int,
    lower_counts: Ints,
    known: tuple[Ints, Ints, Ints, Ints],
    share: float,
) -> tuple[Ints, Ints, Ints, Ints]: ...
def counts_of_counts(counts: Ints) -> NDArray[np.int64]: ...
def find_suffixes(
    contexts: Ints, words: Ints, lower_suffixes: Ints, lower: tuple[Ints, Ints]
) -> Ints: ...
def adjusted_counts(counts: Ints, suffixes: Ints) -> Ints: ...
def interpolate(
    counts: Ints,
    contexts: Ints,
    suffixes: Ints,
    lower: NDArray[np.float32],
    minus: Floats,
    plus: Floats,
    prior: float,
    kept: NDArray[np.uint8],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]: ...
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
