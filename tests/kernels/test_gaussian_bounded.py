"""Log densities of which only those that count are finished, against all of them finished."""

import numpy as np
import pytest
from instruction_sets import passes_with_isa
from numpy.testing import assert_allclose, assert_array_equal

from skgen._kernels import _gaussian
from skgen._kernels._threads import limit_threads
from skgen._sequences import Rows

D, K, N = 35, 9, 2500  # neither fills tiles; strips and blocks are left over


def model(rng, spread):
    shapes = rng.normal(size=(K, D, 2 * D)) / np.sqrt(2 * D)
    covariances = shapes @ shapes.transpose(0, 2, 1)
    return np.log(rng.dirichlet(np.full(K, 3.0))), spread * rng.normal(size=(K, D)), covariances


def draw(rng, means, covariances):
    labels = rng.integers(K, size=N)
    factors = np.linalg.cholesky(covariances)[labels]
    return means[labels] + np.einsum("nij,nj->ni", factors, rng.normal(size=(N, D)))


def separated(rng):
    params = model(rng, 4.0)
    return params, draw(rng, *params[1:])


def overlapping(rng):
    params = model(rng, 0.1)
    return params, draw(rng, *params[1:])


def two_together(rng):
    params = model(rng, 4.0)
    params[1][-1] = params[1][-2] + 0.1 * rng.normal(size=D)
    return params, draw(rng, *params[1:])


def two_alike(rng):
    params = model(rng, 4.0)
    for values in params:
        values[-1] = values[-2]  # of which the labels are ties
    return params, draw(rng, *params[1:])


def turning(rng):
    """Rows that all components reach, and rows that one of them does."""
    params, X = separated(rng)
    X[600:1900] = params[1].mean(axis=0)
    return params, X


def outlying(rng):
    params, X = separated(rng)
    X[::7] *= 1e5
    X[3] = 1e12
    return params, X


def all_at_one_place(rng):
    params = model(rng, 0.0)  # there is no direction towards the middle
    return params, draw(rng, *params[1:])


def a_component_without_weight(rng):
    params, X = separated(rng)
    params[0][2] = -np.inf
    return params, X


MAKERS = [
    separated, overlapping, two_together, two_alike, turning, outlying, all_at_one_place,
    a_component_without_weight,
]  # fmt: skip


def run(params, X, finished, **options):
    """Log densities and labels; with all pairs finished where their log densities are wanted."""
    rows, out = Rows(X), {"log_prob": np.empty(len(X)), "labels": np.empty(len(X), dtype=np.intp)}
    values = rows.values
    if rows.has_missing:
        values, options["patterns"] = rows.by_pattern
    if finished:
        options["log_joint"] = np.empty((len(X), K))
    log_lik, failed, _ = _gaussian.mixture_pass(values, *params, **out, **options)
    assert failed == -1
    return out["log_prob"], out["labels"], log_lik


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("make", MAKERS)
def test_what_is_left_out_is_not_missed(rng, make, dtype):
    params, X = make(rng)
    X, weights = X.astype(dtype), rng.random(len(X))
    got = run(params, X, finished=False, weights=weights)
    want = run(params, X, finished=True, weights=weights)
    rtol = 4 * np.finfo(dtype).eps
    assert_allclose(got[0], want[0], rtol=rtol)
    assert_array_equal(got[1], want[1])
    assert_allclose(got[2], want[2], rtol=rtol)


def test_the_same_of_rows_with_gaps(rng):
    params, X = separated(rng)
    X[:900, :3] = np.nan
    X[900:1700, 2:20] = np.nan  # too few columns are left to look first
    X[1700:1720, ::2] = np.nan  # too few rows for a block
    got, want = (run(params, X, finished=finished) for finished in (False, True))
    assert_allclose(got[0], want[0], rtol=1e-14)
    assert_array_equal(got[1], want[1])


@pytest.mark.parametrize("make", [separated, overlapping, turning])
def test_the_bits_are_the_same_for_any_number_of_threads(rng, make):
    params, X = make(rng)
    X = np.tile(X, (20, 1))
    found = []
    for threads in (1, 2, 8):
        with limit_threads(threads):
            found.append(run(params, X, finished=False))
    for other in found[1:]:
        assert_array_equal(other[0], found[0][0])
        assert other[2] == found[0][2]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("column", [0, D - 1])
def test_a_row_that_is_not_finite_is_seen(rng, column, value):
    params, X = separated(rng)
    X[1234, column] = value
    out = np.empty(len(X))
    assert _gaussian.mixture_pass(X, *params, log_prob=out, unseen=True)[1] == _gaussian.NOT_FINITE


@pytest.mark.parametrize("isa", ["baseline", "avx2"])
def test_other_instruction_sets_agree(isa):
    """The tests above, in a process that uses narrower vectors."""
    passes_with_isa(isa, __file__)
