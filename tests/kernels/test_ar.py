"""The sums over time of autoregressions are what their definitions say."""

import numpy as np
import pytest
from instruction_sets import passes_with_isa
from numpy.testing import assert_allclose

from skgen._kernels import _ar, _rows

# One lag; every mixture of tiles of lags, for vectors of 2, 4 and 8 numbers.
ORDERS = [0, 1, 3, 4, 7, 8, 12, 15, 16, 23, 32, 45, 70]
LENGTHS = [1, 5, 33, 1100, 2500]


@pytest.mark.parametrize("p", ORDERS)
def test_the_gram_matrix_is_that_of_lagged_values(p):
    rng = np.random.default_rng(p)
    x, weights = rng.standard_normal(sum(LENGTHS)), rng.random(len(LENGTHS))
    offsets = np.concatenate([[0], np.cumsum(LENGTHS)])
    rows, w = [], []
    for a, b, weight in zip(offsets[:-1], offsets[1:], weights, strict=True):
        for t in range(a + p, b):
            rows.append([1.0, *x[t - p : t][::-1], x[t]])
            w.append(weight)
    rows = np.array(rows)
    expected = rows.T @ (rows * np.array(w)[:, None])
    assert_allclose(_ar.lagged_gram(x, offsets, p, weights), expected, rtol=1e-12, atol=1e-10)


@pytest.mark.parametrize("p", ORDERS)
def test_autocovariances_are_sums_of_products(p):
    rng = np.random.default_rng(p)
    x, weights = rng.standard_normal(sum(LENGTHS)), rng.random(len(LENGTHS))
    offsets = np.concatenate([[0], np.cumsum(LENGTHS)])
    expected = [
        sum(w * (y[h:] @ y[: max(len(y) - h, 0)])
            for w, y in zip(weights, np.split(x, offsets[1:-1]), strict=True))
        for h in range(p + 1)
    ]  # fmt: skip
    assert_allclose(_ar.autocovariances(x, offsets, p, weights), expected, rtol=1e-12, atol=1e-10)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n", [1, 31, 64, 1025])
def test_one_entry_that_is_not_finite_is_seen_wherever_it_is(dtype, n):
    for i in range(n):
        X = np.ones((n, 1), dtype=dtype)
        X[i] = np.nan
        assert _rows.scan(X) == (1, -1, -1)
        X[i] = np.inf
        assert _rows.scan(X) == (0, i, 0)


@pytest.mark.parametrize("isa", ["baseline", "avx2"])
def test_other_instruction_sets_agree(isa):
    """The tests above, in a process that uses narrower vectors."""
    passes_with_isa(isa, __file__)
