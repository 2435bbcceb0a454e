from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

def fit(
    z: Floats,
    offsets: Ints,
    order: int,
    *,
    factor: Floats | None = None,
    constant: bool = False,
    missing: Ints | None = None,
    gaps: Ints | None = None,
    weights: Floats | None = None,
    lags: Ints | None = None,
    size: int | None = None,
    n_obs: float,
    prior: float = 0.0,
    floor: float = 1e-300,
    start: Floats | None = None,
    diff: bool = False,
) -> dict[str, Any]: ...
def fit_panel(
    x: Floats,
    offsets: Ints,
    p: int,
    terms: Floats,
    floor: Floats,
    *,
    exog: Floats | None = None,
    plain: bool = False,
    lags: Ints | None = None,
    missing: Ints | None = None,
    gaps: Ints | None = None,
    diff: bool = False,
    criterion: int = 0,
    prior: float = 0.0,
    n_threads: int | None = None,
) -> tuple[Floats, Floats, Floats, NDArray[np.intc]]: ...
