import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

def smooth(
    u: Floats,
    entries: Ints,
    A: Floats,
    sums: Floats,
    start: Floats,
    pull: Floats,
    *,
    ridge: Floats | None = None,
    variance: Floats | None = None,
    normals: Floats | None = None,
    draws: Floats | None = None,
    gram: Floats | None = None,
    head: Floats | None = None,
    weight: float = 1.0,
) -> float: ...
