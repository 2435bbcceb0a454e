import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

def sample_paths(filtered: Floats, offsets: Ints, transmat: Floats, uniforms: Floats) -> Ints: ...
def sample_chain(offsets: Ints, startprob: Floats, transmat: Floats, uniforms: Floats) -> Ints: ...
