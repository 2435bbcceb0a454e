"""The fused Gaussian pass against its definition, on every instruction set of the machine."""

import numpy as np
import pytest
from instruction_sets import passes_with_isa
from numpy.testing import assert_allclose
from reference import gaussian_pass

from skgen._kernels import _gaussian
from skgen._kernels._threads import limit_threads
from skgen._sequences import Rows

# (n, d, K): below and above the unrolled sizes, blocks and lanes not filled, one of each
SHAPES = [(1, 1, 1), (150, 1, 2), (70, 2, 3), (65, 3, 1), (150, 4, 3), (130, 5, 9), (90, 11, 17)]
# Diagonal ones whose columns fill vectors: by pairs of columns or of rows, components left over.
FULL = [(129, 8, 9), (131, 16, 11), (70, 48, 10)]
RTOL = {np.float64: 1e-12, np.float32: 1e-4}


def model(rng, d, K):
    """Parameters of a mixture whose components overlap."""
    shapes = rng.normal(size=(K, d, 2 * d + 2))
    covariances = shapes @ shapes.transpose(0, 2, 1) / d
    log_weights = np.log(rng.dirichlet(np.ones(K)))
    return log_weights, 3.0 + 2.0 * rng.normal(size=(K, d)), covariances


def outputs(n, K):
    return {
        "log_prob": np.empty(n),
        "resp": np.empty((n, K)),
        "log_joint": np.empty((n, K)),
        "labels": np.empty(n, dtype=np.intp),
    }


def run(X, log_weights, means, covariances, weights=None, **options):
    """The kernel as emissions call it: all outputs and moments in one dict."""
    rows, out = Rows(X), outputs(len(X), len(means))
    values = rows.values
    if rows.has_missing and covariances.ndim == 3:
        values, options["patterns"] = rows.by_pattern
    log_lik, failed, moments = _gaussian.mixture_pass(
        values, log_weights, means, covariances, weights=weights, masked=rows.has_missing,
        moments=True, **out, **options,
    )  # fmt: skip
    assert failed == -1
    return {**out, "log_lik": log_lik, "moments": moments}


def assert_same(got, want, rtol):
    scale = max(1.0, np.abs(want["log_joint"]).max())
    for name in ("log_joint", "log_prob", "resp"):
        assert_allclose(got[name], want[name], rtol=0, atol=rtol * scale, err_msg=name)
    assert_allclose(got["log_lik"], want["log_lik"], rtol=rtol, atol=rtol)
    assert np.array_equal(got["labels"], want["labels"])
    for a, b in zip(got["moments"], want["moments"], strict=False):
        assert_allclose(a, b, rtol=0, atol=rtol * np.abs(b).max())


@pytest.mark.parametrize("dtype", RTOL)
@pytest.mark.parametrize("share", [0.0, 0.3])
@pytest.mark.parametrize(("n", "d", "K"), SHAPES)
def test_the_dense_pass_is_its_definition(rng, n, d, K, share, dtype):
    log_weights, means, covariances = model(rng, d, K)
    X = (3.0 + 2.0 * rng.normal(size=(n, d))).astype(dtype)
    X[rng.random(X.shape) < share] = np.nan
    weights = rng.random(n) + 0.5
    want = gaussian_pass(X.astype(float), log_weights, means, covariances, weights)
    assert_same(run(X, log_weights, means, covariances, weights), want, RTOL[dtype])


@pytest.mark.parametrize("dtype", RTOL)
@pytest.mark.parametrize("share", [0.0, 0.3])
@pytest.mark.parametrize(("n", "d", "K"), SHAPES + FULL)
def test_the_diagonal_pass_is_its_definition(rng, n, d, K, share, dtype):
    log_weights, means, covariances = model(rng, d, K)
    variances = np.ascontiguousarray(np.einsum("kii->ki", covariances))
    X = (3.0 + 2.0 * rng.normal(size=(n, d))).astype(dtype)
    X[rng.random(X.shape) < share] = np.nan
    X[0] = 3.0  # the masked pass counts rows without any entry as well
    X = X[~np.isnan(X).all(axis=1)]
    weights = rng.random(len(X)) + 0.5
    dense = np.array([np.diag(v) for v in variances])
    want = gaussian_pass(X.astype(float), log_weights, means, dense, weights)
    got = run(X, log_weights, means, variances, weights)
    seen = want["resp"].T @ ~np.isnan(X)
    gone = want["moments"][0][:, None] - seen  # the definition completes, the kernel leaves out
    second = np.einsum("kii->ki", want["moments"][2]) - gone * variances
    want["moments"] = (*want["moments"][:2], second, seen)
    assert_same(got, want, RTOL[dtype])


@pytest.mark.parametrize("dtype", RTOL)
@pytest.mark.parametrize("K", [1, 2, 3, 4, 5])
def test_log_densities_alone_are_those_beside_responsibilities(rng, K, dtype):
    log_weights, means, covariances = model(rng, 2, K)
    X = (3.0 + 2.0 * rng.normal(size=(300, 2))).astype(dtype)
    X[:2] = np.finfo(dtype).max / 4, 40.0  # of density zero, and far from all components
    want, alone = run(X, log_weights, means, covariances)["log_prob"], np.empty(300)
    _gaussian.mixture_pass(X, log_weights, means, covariances, log_prob=alone)
    assert_allclose(alone, want, rtol=8 * np.finfo(dtype).eps, atol=4 * np.finfo(dtype).eps)


def test_the_logarithm_of_a_sum_is_right_to_the_last_places():
    X, means, ones, got = np.zeros((1, 1)), np.zeros((2, 1)), np.ones((2, 1, 1)), np.empty(1)
    for log_ratio in np.append(np.log(np.linspace(1e-3, 1.0, 500)), np.linspace(-36.0, -7.0, 50)):
        log_weights = 0.5 * np.log(2 * np.pi) + np.array([0.0, log_ratio])
        _gaussian.mixture_pass(X, log_weights, means, ones, log_prob=got)
        assert_allclose(got, np.log1p(np.exp(log_ratio)), rtol=0, atol=4e-16)


def test_long_runs_of_a_pattern_take_the_same_sums_as_short_ones(rng):
    log_weights, means, covariances = model(rng, 3, 2)
    X = 3.0 + 2.0 * rng.normal(size=(400, 3))
    X[:150, 0] = X[100:130, 1] = X[300:302, 2] = np.nan
    want = gaussian_pass(X, log_weights, means, covariances, np.ones(400))
    assert_same(run(X, log_weights, means, covariances), want, 1e-12)


@pytest.mark.parametrize("share", [0.0, 0.2])
def test_given_responsibilities_take_the_place_of_the_model_s(rng, share):
    log_weights, means, covariances = model(rng, 6, 3)
    X = 3.0 + 2.0 * rng.normal(size=(500, 6))
    X[rng.random(X.shape) < share] = np.nan
    X = X[~np.isnan(X).all(axis=1)]
    own = run(X, log_weights, means, covariances)
    given = run(X, log_weights, means, covariances, given=own["resp"])
    for a, b in zip(given["moments"], own["moments"], strict=True):
        assert_allclose(a, b, rtol=1e-12, atol=1e-12 * np.abs(b).max())


def separated(rng, n=1500, d=9, K=6):
    """Rows of components far apart, most of whose responsibilities are next to nothing."""
    log_weights, _, covariances = model(rng, d, K)
    means = 4.0 * rng.normal(size=(K, d))
    X = means[rng.integers(K, size=n)] + rng.normal(size=(n, d))
    return X, log_weights, means, covariances


def dying(rng):
    """A component without a row of its own."""
    X, log_weights, means, covariances = separated(rng)
    means[-1] = means[0] + 9.0 / np.sqrt(9)
    covariances[:] = np.eye(9)
    log_weights[-1] = -40.0
    X = X[np.linalg.norm(X - means[-1], axis=1) > 6.0]
    return X, log_weights, means, covariances


def outlier(rng):
    """A row so far from two components of nearly one mean that e**-44 of it is of one of them."""
    X, log_weights, means, covariances = separated(rng)
    covariances[:2] = np.eye(9)
    covariances[2:] = 0.1 * np.eye(9)
    means[:2], log_weights[:] = 0.0, -np.log(6)
    means[1, 0] = -44 / 3e6
    X[700] = 3e6 * np.eye(9)[0]
    return X, log_weights, means, covariances


def half_apart(rng):
    """Blocks of overlapping rows among those of separated ones."""
    X, log_weights, means, covariances = separated(rng, n=4000)
    X[1000:2500] = rng.normal(size=(1500, 9))
    means[3:] = 0.3 * rng.normal(size=(3, 9))
    return X, log_weights, means, covariances


def assert_moments_of_each(got, want, rtol):
    """Equal moments, each component by its own size: also those of next to no weight."""
    assert_allclose(got[0], want[0], rtol=rtol)
    spread = np.sqrt(np.einsum("kii->ki", want[2]) * want[0][:, None])
    assert_allclose(got[1] / spread, want[1] / spread, rtol=0, atol=rtol)
    scale = np.sqrt(np.einsum("kii->ki", want[2]))
    scale = scale[:, :, None] * scale[:, None]
    assert_allclose(got[2] / scale, want[2] / scale, rtol=0, atol=rtol)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("make", [separated, dying, outlier, half_apart])
def test_what_is_left_out_of_the_moments_is_below_rounding(rng, make, weighted):
    X, log_weights, means, covariances = make(rng)
    weights = rng.uniform(0.0, 1e6, len(X)) ** 3 if weighted else np.ones(len(X))
    want = gaussian_pass(X, log_weights, means, covariances, weights)
    got = run(X, log_weights, means, covariances, weights if weighted else None)
    assert_moments_of_each(got["moments"], want["moments"], 1e-11)


@pytest.mark.parametrize("make", [separated, half_apart])
def test_the_same_of_float32(rng, make):
    X, log_weights, means, covariances = make(rng)
    X = X.astype(np.float32)
    want = gaussian_pass(X.astype(float), log_weights, means, covariances, np.ones(len(X)))
    got = run(X, log_weights, means, covariances)
    assert_moments_of_each(got["moments"], want["moments"], 1e-4)


def test_the_same_of_rows_with_gaps(rng):
    X, log_weights, means, covariances = separated(rng)
    X[:900, 2] = X[700:1000, 5] = np.nan
    want = gaussian_pass(X, log_weights, means, covariances, np.ones(len(X)))
    got = run(X, log_weights, means, covariances)
    assert_moments_of_each(got["moments"], want["moments"], 1e-11)


def test_given_labels_are_sums_over_the_rows_of_each(rng):
    X, log_weights, means, covariances = separated(rng)
    given = np.eye(6)[rng.integers(6, size=len(X))]
    got = run(X, log_weights, means, covariances, given=given)["moments"]
    z = X - means[:, None]
    assert_allclose(got[0], given.sum(axis=0), rtol=1e-15)
    assert_allclose(got[1], np.einsum("nk,knj->kj", given, z), rtol=1e-10)
    assert_allclose(got[2], np.einsum("nk,kni,knj->kij", given, z, z), rtol=1e-10, atol=1e-9)


@pytest.mark.parametrize(("n", "d", "K"), FULL)
def test_diagonal_moments_of_float32_are_about_the_means_wherever_these_are(rng, n, d, K):
    log_weights, means, covariances = model(rng, d, K)
    variances = np.ascontiguousarray(np.einsum("kii->ki", covariances))
    X = np.round(2.0 * rng.normal(size=(n, d)), 1).astype(np.float32)
    far = (X + 4096.0).astype(np.float32)  # rounded, as the means are
    want = run((far - 4096.0).astype(np.float32), log_weights, means, variances)
    assert_same(run(far, log_weights, means + 4096.0, variances), want, 1e-5)


@pytest.mark.parametrize("share", [0.0, 0.2])
@pytest.mark.parametrize(
    ("d", "K", "dense"), [(5, 4, True), (10, 6, True), (5, 4, False), (16, 8, False)]
)
def test_sums_have_the_same_bits_for_any_number_of_threads(rng, d, K, dense, share):
    X, log_weights, means, covariances = separated(rng, 40_000, d, K)
    if not dense:
        covariances = np.ascontiguousarray(np.einsum("kii->ki", covariances))
    X[rng.random(X.shape) < share] = np.nan
    results = []
    for n_threads in (1, 2, 8):
        with limit_threads(n_threads):
            results.append(run(X, log_weights, means, covariances))
    for other in results[1:]:
        assert other["log_lik"] == results[0]["log_lik"]
        assert all(map(np.array_equal, other["moments"], results[0]["moments"]))


@pytest.mark.parametrize("scale", [1e-150, 1e-30, 1e30, 1e150])
@pytest.mark.parametrize(("d", "K", "dense"), [(3, 2, True), (16, 8, False)])
def test_no_square_leaves_the_range_of_numbers(rng, d, K, dense, scale):
    log_weights, means, covariances = model(rng, d, K)
    if not dense:
        covariances = np.ascontiguousarray(np.einsum("kii->ki", covariances))
    X = 3.0 + 2.0 * rng.normal(size=(100, d))
    plain = run(X, log_weights, means, covariances)
    scaled = run(X * scale, log_weights, means * scale, covariances * scale * scale)
    assert_allclose(scaled["log_prob"], plain["log_prob"] - d * np.log(scale), rtol=1e-12)
    assert_allclose(scaled["moments"][2] / scale / scale, plain["moments"][2], rtol=1e-11)


@pytest.mark.parametrize("scale", [2.0**-70, 2.0**70])
@pytest.mark.parametrize("d", [3, 16])
def test_no_square_of_float32_leaves_the_range_of_numbers(rng, d, scale):
    log_weights, means, covariances = model(rng, d, 8)
    variances = np.ascontiguousarray(np.einsum("kii->ki", covariances))
    X = (3.0 + 2.0 * rng.normal(size=(100, d))).astype(np.float32)
    plain = run(X, log_weights, means, variances)
    X = (X * scale).astype(np.float32)
    scaled = run(X, log_weights, means * scale, variances * scale * scale)
    assert_allclose(
        scaled["moments"][2] / scale / scale, plain["moments"][2], rtol=RTOL[np.float32]
    )


@pytest.mark.parametrize("dtype", RTOL)
def test_an_outlier_stops_nothing(rng, dtype):
    log_weights, means, covariances = model(rng, 2, 3)
    X = (3.0 + 2.0 * rng.normal(size=(50, 2))).astype(dtype)
    alone = run(X[1:], log_weights, means, covariances)
    X[0] = np.finfo(dtype).max / 4
    got = run(X, log_weights, means, covariances)
    assert got["log_prob"][0] == -np.inf
    assert_allclose(got["resp"][0].sum(), 1.0, rtol=1e-5)
    assert_allclose(got["log_prob"][1:], alone["log_prob"], rtol=1e-6)


def test_a_covariance_that_is_none_is_named(rng):
    log_weights, means, covariances = model(rng, 3, 4)
    covariances[2, 0, 1] = covariances[2, 1, 0] = 1e6
    X = rng.normal(size=(10, 3))
    failed = _gaussian.mixture_pass(X, log_weights, means, covariances)[1]
    assert failed == 2
    variances = np.ones((4, 3))
    variances[1, 2] = 0.0
    assert _gaussian.mixture_pass(X, log_weights, means, variances)[1] == 1


@pytest.mark.parametrize("wrong", ["X", "covariances", "weights", "log_prob"])
def test_arrays_of_another_shape_are_refused(rng, wrong):
    log_weights, means, covariances = model(rng, 3, 2)
    arrays = {"X": np.ones((9, 3)), "covariances": covariances, "weights": np.ones(9)}
    arrays["log_prob"] = np.empty(9)
    arrays[wrong] = arrays[wrong][..., :-1].copy()
    X, covariances = arrays.pop("X"), arrays.pop("covariances")
    with pytest.raises(ValueError, match="array"):
        _gaussian.mixture_pass(X, log_weights, means, covariances, **arrays)


@pytest.mark.parametrize("isa", ["baseline", "avx2"])
def test_other_instruction_sets_agree(isa):
    """The tests above, in a process that uses narrower vectors."""
    passes_with_isa(isa, __file__)


def test_maximize_is_the_textbook_m_step(rng):
    resp, X = rng.random((40, 2)), rng.normal(size=(40, 3))
    origin = rng.normal(size=(2, 3))
    z = X - origin[:, None]
    first = np.einsum("nk,knj->kj", resp, z)
    second = np.einsum("nk,kni,knj->kij", resp, z, z)
    means, covariances, low, empty = _gaussian.maximize(
        resp.sum(axis=0), first, second, origin, ridge=0.25, floor=np.full(3, 1e-3)
    )
    assert low == empty == []
    for k in range(2):
        assert_allclose(means[k], np.average(X, axis=0, weights=resp[:, k]), rtol=1e-12)
        want = np.cov(X.T, aweights=resp[:, k], bias=True) + 0.25 * np.eye(3)
        assert_allclose(covariances[k], want, rtol=1e-12)


def test_maximize_names_the_components_below_the_floor():
    second = np.array([np.diag([2.0, 1.0]), np.diag([2.0, 0.01]), [[1.0, 0.999], [0.999, 1.0]]])
    weight, first, origin = np.ones(3), np.zeros((3, 2)), np.zeros((3, 2))
    low = _gaussian.maximize(weight, first, second, origin, floor=np.array([0.1, 0.1]))[2]
    assert low == [1, 2]


def test_maximize_names_the_components_without_weight():
    moments = np.array([2.0, 0.0]), np.zeros((2, 3)), np.stack([np.eye(3), np.zeros((3, 3))])
    assert _gaussian.maximize(*moments, np.zeros((2, 3)))[3] == [1]
