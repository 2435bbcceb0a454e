import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

def lagged_gram(x: Floats, offsets: Ints, p: int, weights: Floats | None = None) -> Floats: ...
def centred(x: Floats) -> tuple[Floats, float, float]: ...
def autocovariances(x: Floats, offsets: Ints, p: int, weights: Floats | None = None) -> Floats: ...
def levinson(c: Floats, most: float = 1.0) -> tuple[Floats, Floats, Floats]: ...
def burg(
    x: Floats, offsets: Ints, p: int, weights: Floats | None = None
) -> tuple[Floats, Floats, Floats]: ...
def each_recursion(
    x: Floats, offsets: Ints, p: int, by_burg: bool, n_threads: int | None = None
) -> tuple[Floats, Floats, Floats]: ...
def least_squares(
    x: Floats,
    offsets: Ints,
    p: int,
    floor: Floats,
    *,
    weights: Floats | None = None,
    constant: bool = True,
    price: Floats | None = None,
    each: bool = False,
    n_threads: int | None = None,
) -> tuple[Floats, Ints, Floats, Floats, Floats]: ...
