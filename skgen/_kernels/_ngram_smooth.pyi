import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]
Bytes = NDArray[np.uint8]
Singles = NDArray[np.float32]
Doubles = NDArray[np.float64]

def adjusted_counts(low: Bytes, carried: Ints, suffixes: Ints) -> tuple[Bytes, Ints]: ...
def counts_of_counts(low: Bytes) -> NDArray[np.int64]: ...
def interpolate(
    low: Bytes,
    carried: Ints,
    contexts: Ints,
    suffixes: Ints,
    lower: Singles,
    minus: Doubles,
    plus: Doubles,
    prior: float,
    kept: Bytes,
) -> tuple[Singles, Singles]: ...
