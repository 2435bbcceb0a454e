import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

def smooth(
    n_rows: int,
    entries: Ints,
    A: Floats,
    sums: Floats,
    start: Floats,
    pull: Floats,
    shift: Floats,
    *,
    diff: bool = False,
    ridge: Floats | None = None,
    variance: Floats | None = None,
    normals: Floats | None = None,
    draws: Floats | None = None,
    gram: Floats | None = None,
    head: Floats | None = None,
    weight: float = 1.0,
) -> float: ...
