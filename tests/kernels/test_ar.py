"""The sums over time of autoregressions are what their definitions say."""

from itertools import pairwise

import numpy as np
import pytest
from instruction_sets import passes_with_isa
from numpy.testing import assert_allclose

from skgen._kernels import _ar, _rows

# One lag; every mixture of tiles of lags, for vectors of 2, 4 and 8 numbers.
ORDERS = [0, 1, 3, 4, 7, 8, 12, 15, 16, 23, 32, 45, 70]
LENGTHS = [1, 5, 33, 1100, 2500]


def lagged_rows(x, offsets, weights, p):
    """1, x[t-1], ..., x[t-p], x[t] for t >= p of each sequence, and the weight of each row."""
    rows, w = [], []
    for (a, b), weight in zip(pairwise(offsets), weights, strict=True):
        for t in range(a + p, b):
            rows.append([1.0, *x[t - p : t][::-1], x[t]])
            w.append(weight)
    return np.array(rows), np.array(w)


@pytest.mark.parametrize("p", ORDERS)
def test_the_gram_matrix_is_that_of_lagged_values(p):
    rng = np.random.default_rng(p)
    x, weights = rng.standard_normal(sum(LENGTHS)), rng.random(len(LENGTHS))
    offsets = np.concatenate([[0], np.cumsum(LENGTHS)])
    rows, w = lagged_rows(x, offsets, weights, p)
    expected = rows.T @ (rows * w[:, None])
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


@pytest.mark.parametrize("constant", [True, False])
@pytest.mark.parametrize("order", [0, 2, 6])
def test_least_squares_of_every_order_are_those_of_the_rows(order, constant):
    p, rng = 6, np.random.default_rng(order)
    x, weights = rng.standard_normal(160) + 0.2, rng.random(3)
    offsets = np.array([0, 100, 104, 160])  # one is shorter than the highest order
    first = 1 - constant

    def fit(k, rows, w):
        columns = rows[:, first : k + 1] * np.sqrt(w)[:, None]
        beta, *_ = np.linalg.lstsq(columns, rows[:, -1] * np.sqrt(w), rcond=None)
        return beta, w @ (rows[:, -1] - rows[:, first : k + 1] @ beta) ** 2

    price = np.array([{0: 1e9, 2: 3.0, 6: 0.0}[order]])
    coef, best, found, scatter, last = _ar.least_squares(
        x, offsets, p, np.zeros(1), weights=weights, constant=constant, price=price
    )
    rows, w = lagged_rows(x, offsets, weights, p)
    expected = [fit(k, rows, w) for k in range(p + 1)]
    assert_allclose(scatter[0], [squares for _, squares in expected], rtol=1e-10)
    assert_allclose(last[0], [beta[-1] for beta, _ in expected[1:]], rtol=1e-9)
    deviance = w.sum() * np.log(scatter[0] / w.sum()) + price * np.arange(p + 1)
    k = int(best[0])
    assert k == deviance.argmin()
    rows, w = lagged_rows(x, offsets, weights, k)
    beta, squares = fit(k, rows, w)
    assert_allclose(found[0], [w.sum(), squares], rtol=1e-10)
    assert_allclose(coef[0], [*[0.0] * first, *beta, *[0.0] * (p - k)], rtol=1e-9, atol=1e-12)


def test_least_squares_of_each_sequence_are_those_of_it_alone():
    rng = np.random.default_rng(0)
    lengths = rng.integers(60, 90, 40)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    x, price = rng.standard_normal(offsets[-1]), np.full(len(lengths), 2.0)
    x[offsets[3] : offsets[4]] = 0.0  # nothing can be told of it
    every = _ar.least_squares(x, offsets, 5, 0 * price, price=price, each=True, n_threads=2)
    assert len(set(every[1])) > 2
    assert every[1][3] == -1
    for s, (a, b) in enumerate(pairwise(offsets)):
        own = _ar.least_squares(x[a:b], np.array([0, b - a]), 5, np.zeros(1), price=price[:1])
        for all_of_them, alone in zip(every, own, strict=True):
            if s != 3:
                assert (all_of_them[s] == alone[0]).all()


@pytest.mark.parametrize("offset", [0.0, 1e8, -3e12])
def test_a_series_is_centred_to_its_last_digit(offset):
    x = np.random.default_rng(0).standard_normal(5001) + offset
    values, mean, variance = _ar.centred(x)
    exact = x.astype(np.longdouble)
    assert_allclose(mean, float(exact.mean()), rtol=1e-15, atol=1e-15)
    assert_allclose(values, (exact - exact.mean()).astype(float), atol=1e-15 + 1e-20 * abs(offset))
    assert_allclose(variance, float(exact.var()), rtol=1e-12)


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
