import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]
Bytes = NDArray[np.uint8]
Order = tuple[Ints, Ints, Bytes, Ints, Ints]

CARRIED: int

def single_words(tokens: Ints, low: Bytes) -> Ints: ...
def count_order(
    tokens: Ints,
    ends: Ints,
    begin: int,
    lower_low: Bytes,
    known: Order,
    share: float,
    last: bool = False,
) -> Order: ...
def find_suffixes(
    contexts: Ints, words: Ints, lower_suffixes: Ints, lower: tuple[Ints, Ints]
) -> Ints: ...
