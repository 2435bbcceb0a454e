import numpy as np
from numpy.typing import NDArray

def word_table(words: list) -> NDArray[np.uint64]: ...
def are_texts(sentences: list) -> bool: ...
def encode(
    texts: list,
    table: NDArray[np.uint64],
    words: list,
    grow: bool,
    chars: bool,
    marks: tuple[int, int, int],
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.uint64]]: ...
def occurrences(tokens: NDArray[np.int32], n: int) -> NDArray[np.int64]: ...
