"""The chain kernels against enumeration of all paths, and plain recursions in logarithms."""

import math
from itertools import pairwise

import numpy as np
import pytest
from instruction_sets import passes_with_isa
from numpy.testing import assert_allclose
from reference import (
    chain_best_path,
    chain_paths,
    chain_posterior,
    chain_recursion,
)
from scipy import stats

from skgen._kernels import _gaussian, _hmm, _hmm_draws, _hmm_log
from skgen._kernels._threads import limit_threads

SHORT = [3, 1, 5, 2, 4, 1]
KINDS = ["log_lik", "diagonal", "full", "symbols"]


def offsets_of(lengths):
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.intp)


def make_chain(rng, K, zeros=0.0):
    """Start and transition probabilities, some of them exactly zero."""
    startprob, transmat = rng.dirichlet(np.ones(K)), rng.dirichlet(np.ones(K), size=K)
    startprob[1:][rng.random(K - 1) < zeros] = 0.0
    transmat[(rng.random((K, K)) < zeros) & ~np.eye(K, dtype=bool)] = 0.0
    return startprob / startprob.sum(), transmat / transmat.sum(axis=1, keepdims=True)


def make_source(rng, kind, n, K, gaps=0.0, d=3, M=5):
    """A source, and its log densities by definition."""
    if kind == "log_lik":
        log_lik = 3.0 * rng.normal(size=(n, K)) - 2.0
        log_lik[rng.random((n, K)) < gaps / 2] = -np.inf
        log_lik[rng.random(n) < gaps] = 0.0
        return {kind: log_lik}, log_lik
    if kind == "symbols":
        codes = rng.integers(M, size=n, dtype=np.intc)
        log_probs = np.log(rng.dirichlet(np.ones(M), size=K))
        log_probs[0, 0] = -np.inf
        codes[rng.random(n) < gaps] = -1
        table = np.column_stack([log_probs, np.zeros(K)])  # a missing code takes the last column
        return {kind: (codes, log_probs)}, table.T[codes]
    values, means = 2.0 * rng.normal(size=(n, d)), rng.normal(size=(K, d))
    if kind == "diagonal":
        values[rng.random((n, d)) < gaps] = np.nan
        covariances = rng.random((K, d)) + 0.3
        of_cells = stats.norm(means[:, None], np.sqrt(covariances)[:, None]).logpdf(values)
        return {"gaussian": (values, means, covariances)}, np.nansum(of_cells, axis=2).T.copy()
    factors = rng.normal(size=(K, d, 2 * d)) / 2
    covariances = factors @ factors.transpose(0, 2, 1)
    states = map(stats.multivariate_normal, means, covariances)
    log_lik = [np.atleast_1d(state.logpdf(values)) for state in states]
    return {"gaussian": (values, means, covariances)}, np.array(log_lik).T.copy()


def run(source, offsets, startprob, transmat, weights=None):
    """All outputs of a forward-backward pass in one dict."""
    n, K = offsets[-1], len(startprob)
    out = {"log_prob": np.empty(len(offsets) - 1), "step_log_prob": np.empty(n),
           "filtered": np.empty((n, K)), "resp": np.empty((n, K))}  # fmt: skip
    total, starts, pairs, moments = _hmm.forward_backward(
        source, offsets, startprob, transmat, weights=weights, statistics=True, **out
    )
    return {**out, "total": total, "starts": starts, "pairs": pairs, "moments": moments}


def assert_same(got, define, log_lik, offsets, startprob, transmat, weights, atol=1e-12):
    """The outputs are those of a definition, sequence by sequence."""
    total, starts, pairs = 0.0, np.zeros_like(startprob), np.zeros_like(transmat)
    for s, (a, b) in enumerate(pairwise(offsets)):
        want = define(log_lik[a:b], startprob, transmat)
        total += weights[s] * want["log_prob"]
        assert_allclose(got["log_prob"][s], want["log_prob"], rtol=1e-12, atol=atol)
        if want["log_prob"] == -np.inf:
            assert np.isnan(got["resp"][a:b]).all()
            continue
        assert_allclose(got["step_log_prob"][a:b], want["step"], rtol=1e-12, atol=atol)
        assert_allclose(got["filtered"][a:b], want["filtered"], rtol=0, atol=atol)
        assert_allclose(got["resp"][a:b], want["resp"] * weights[s], rtol=0, atol=atol)
        starts += weights[s] * want["resp"][0]
        pairs += weights[s] * want["pairs"]
    assert_allclose(got["total"], total, rtol=1e-12)
    assert_allclose(got["starts"], starts, rtol=0, atol=atol * len(offsets))
    assert_allclose(got["pairs"], pairs, rtol=1e-9, atol=atol)
    assert (got["pairs"][transmat == 0] == 0).all()


@pytest.mark.filterwarnings("ignore:invalid value")  # the definition of an impossible sequence
@pytest.mark.parametrize("gaps", [0.0, 0.3])
@pytest.mark.parametrize("zeros", [0.0, 0.3])
@pytest.mark.parametrize("K", [1, 2, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_posteriors_are_sums_over_all_paths(rng, kind, K, zeros, gaps):
    offsets, weights = offsets_of(SHORT), rng.random(len(SHORT)) + 0.5
    startprob, transmat = make_chain(rng, K, zeros)
    source, log_lik = make_source(rng, kind, offsets[-1], K, gaps)
    got = run(source, offsets, startprob, transmat, weights)
    assert_same(got, chain_posterior, log_lik, offsets, startprob, transmat, weights)


@pytest.mark.parametrize("zeros", [0.0, 0.3])
@pytest.mark.parametrize("kind", KINDS)
def test_the_best_path_is_the_largest_of_all(rng, kind, zeros):
    offsets = offsets_of(SHORT)
    startprob, transmat = make_chain(rng, 3, zeros)
    source, log_lik = make_source(rng, kind, offsets[-1], 3, 0.2)
    path, log_prob = np.empty(offsets[-1], dtype=np.intp), np.empty(len(SHORT))
    _hmm.viterbi(source, offsets, startprob, transmat, path, log_prob)
    for s, (a, b) in enumerate(pairwise(offsets)):
        paths, log_joint = chain_paths(log_lik[a:b], startprob, transmat)
        assert_allclose(log_prob[s], log_joint.max(), rtol=1e-12)
        if log_joint.max() == -np.inf:
            assert (path[a:b] == -1).all()
        else:
            mine = (paths == path[a:b]).all(axis=1)
            assert_allclose(log_joint[mine], log_joint.max(), rtol=1e-12)


@pytest.mark.parametrize("zeros", [0.0, 0.4])
@pytest.mark.parametrize("k", [1, 4, 1000])
def test_the_k_best_paths_are_the_largest_of_all(rng, k, zeros):
    startprob, transmat = make_chain(rng, 3, zeros)
    log_lik = rng.normal(size=(5, 3))
    paths, log_joint = chain_paths(log_lik, startprob, transmat)
    got, log_probs = _hmm.best_paths(log_lik, startprob, transmat, k)
    order = np.argsort(-log_joint)[: min(k, np.isfinite(log_joint).sum())]
    assert_allclose(log_probs, log_joint[order], rtol=1e-12)
    assert np.array_equal(got, paths[order])


def test_an_impossible_sequence_disturbs_no_other(rng):
    offsets = offsets_of([4, 3, 5])
    startprob, transmat = make_chain(rng, 3)
    _, log_lik = make_source(rng, "log_lik", 12, 3)
    log_lik[5] = -np.inf
    got = run({"log_lik": log_lik}, offsets, startprob, transmat)
    rest = np.r_[0:4, 7:12]
    alone = run({"log_lik": log_lik[rest]}, offsets_of([4, 5]), startprob, transmat)
    assert got["total"] == got["log_prob"][1] == -np.inf
    assert got["step_log_prob"][5] == -np.inf
    assert np.isnan(got["step_log_prob"][6])
    assert np.isnan(got["resp"][4:7]).all()
    assert np.isfinite(got["filtered"][4]).all()  # a filter knows nothing of what comes
    assert np.isnan(got["filtered"][5:7]).all()
    for name in ("step_log_prob", "filtered", "resp"):
        assert_allclose(got[name][rest], alone[name], rtol=1e-12)
    for name in ("starts", "pairs"):
        assert_allclose(got[name], alone[name], rtol=1e-12)
    path, log_prob = np.empty(12, dtype=np.intp), np.empty(3)
    _hmm.viterbi({"log_lik": log_lik}, offsets, startprob, transmat, path, log_prob)
    assert log_prob[1] == -np.inf
    assert (path[4:7] == -1).all()
    assert (path[rest] >= 0).all()


def test_empty_sequences_are_certain(rng):
    offsets = offsets_of([0, 4, 0, 0, 3, 0])
    startprob, transmat = make_chain(rng, 3)
    _, log_lik = make_source(rng, "log_lik", 7, 3)
    got = run({"log_lik": log_lik}, offsets, startprob, transmat)
    alone = run({"log_lik": log_lik}, offsets_of([4, 3]), startprob, transmat)
    assert (got["log_prob"][[0, 2, 3, 5]] == 0).all()
    assert_allclose(got["log_prob"][[1, 4]], alone["log_prob"], rtol=1e-14)
    assert_allclose(got["resp"], alone["resp"], rtol=1e-14)


def test_a_weight_of_zero_leaves_a_sequence_out(rng):
    offsets = offsets_of([4, 3])
    startprob, transmat = make_chain(rng, 2)
    _, log_lik = make_source(rng, "log_lik", 7, 2)
    log_lik[5] = -np.inf
    got = run({"log_lik": log_lik}, offsets, startprob, transmat, np.array([2.0, 0.0]))
    assert_allclose(got["total"], 2.0 * got["log_prob"][0], rtol=1e-14)
    assert_allclose(got["pairs"].sum(), 6.0, rtol=1e-14)


@pytest.mark.parametrize("share", [0.0, 0.2])
@pytest.mark.parametrize("kind", ["diagonal", "full", "symbols"])
def test_moments_are_those_under_the_posteriors(rng, kind, share):
    offsets, weights = offsets_of([200, 1, 75, 300]), np.array([1.0, 2.0, 0.5, 3.0])
    startprob, transmat = make_chain(rng, 3)
    source, _ = make_source(rng, kind, offsets[-1], 3, share)
    got = run(source, offsets, startprob, transmat, weights)
    if kind == "symbols":
        codes, log_probs = source["symbols"]
        for m in range(log_probs.shape[1]):
            assert_allclose(got["moments"][:, m], got["resp"][codes == m].sum(axis=0), rtol=1e-12)
        return
    values, means, covariances = source["gaussian"]
    want = _gaussian.mixture_pass(
        values, np.zeros(3), means, covariances, given=got["resp"], moments=True,
        masked=covariances.ndim == 2,
    )[2]  # fmt: skip
    for a, b in zip(got["moments"], want, strict=True):
        assert_allclose(a, b, rtol=1e-11, atol=1e-11 * np.abs(b).max())


# ---- long, sticky, and far out ---------------------------------------------------------------


def left_right(K, stay=0.9):
    """A chain that starts in the first state and only moves on."""
    transmat = stay * np.eye(K) + (1 - stay) * np.eye(K, k=1)
    transmat[-1, -1] = 1.0
    return np.eye(K)[0], transmat


CHAINS = {
    "mixing": lambda rng: make_chain(rng, 3),
    "zeros": lambda rng: make_chain(rng, 3, 0.4),
    "sticky": lambda rng: (np.full(3, 1 / 3), 0.97 * np.eye(3) + 0.01),
    "near identity": lambda rng: (np.full(3, 1 / 3), (1 - 3e-9) * np.eye(3) + 1e-9),
    "identity": lambda rng: (np.array([0.5, 0.3, 0.2]), np.eye(3)),
    "periodic": lambda rng: (np.array([1.0, 0.0, 0.0]), np.eye(3)[[1, 2, 0]]),
    "left-right": lambda rng: left_right(3),
}
LENGTHS = {"one": [1500], "ragged": [700, 1, 2, 64, 65, 63, 5, 600], "short": [8] * 150}
SETTINGS = [("log_lik", name) for name in CHAINS] + [(kind, "mixing") for kind in KINDS[1:]]


@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize(("kind", "name"), SETTINGS)
def test_long_sequences_follow_the_recursions(rng, kind, name, lengths):
    offsets = offsets_of(LENGTHS[lengths])
    startprob, transmat = CHAINS[name](rng)
    source, log_lik = make_source(rng, kind, offsets[-1], 3, 0.1 if kind == "diagonal" else 0.0)
    if kind == "symbols":  # a state that cannot emit a symbol would make most of them impossible
        codes, log_probs = source[kind]
        log_probs = np.log(np.exp(log_probs) * 0.9 + 0.02)
        source, log_lik = {kind: (codes, log_probs)}, log_probs.T[codes]
    weights = rng.random(len(offsets) - 1) + 0.5
    got = run(source, offsets, startprob, transmat, weights)
    assert_same(got, chain_recursion, log_lik, offsets, startprob, transmat, weights, atol=1e-10)


@pytest.mark.parametrize("zeros", [0.0, 0.4])
@pytest.mark.parametrize("K", [1, 2, 4, 5, 6, 7, 8, 9, 16, 19])
def test_any_number_of_states_follows_the_recursions(rng, K, zeros):
    offsets = offsets_of([130, 1, 300])
    startprob, transmat = make_chain(rng, K, zeros)
    source, log_lik = make_source(rng, "log_lik", offsets[-1], K)
    got = run(source, offsets, startprob, transmat)
    assert_same(got, chain_recursion, log_lik, offsets, startprob, transmat, np.ones(3), 1e-10)
    path, log_prob = np.empty(offsets[-1], dtype=np.intp), np.empty(3)
    _hmm.viterbi(source, offsets, startprob, transmat, path, log_prob)
    for a, b in pairwise(offsets):
        assert np.array_equal(path[a:b], chain_best_path(log_lik[a:b], startprob, transmat)[0])


def by_logarithms(log_lik, offsets, startprob, transmat):
    """Outputs of the slow road, which the tests above hold to its definition as well."""
    n, K = log_lik.shape
    out = {"step_log_prob": np.empty(n), "filtered": np.empty((n, K)), "resp": np.empty((n, K))}
    pairs = np.zeros((K, K))
    for a, b in pairwise(offsets):
        parts = {name: array[a:b] for name, array in out.items()}
        _hmm_log.forward_backward(
            log_lik[a:b], startprob, transmat, transition_counts=pairs, **parts
        )
    return {**out, "pairs": pairs}


@pytest.mark.parametrize("lengths", [[80_000], [30_000, 1, 49_999], [40] * 2000])
@pytest.mark.parametrize("name", CHAINS)
def test_sequences_over_many_segments_follow_the_recursions(rng, name, lengths):
    """Segments meet inside of sequences, also of those that never forget where they started."""
    offsets = offsets_of(lengths)
    startprob, transmat = CHAINS[name](rng)
    log_lik = 0.3 * rng.normal(size=(offsets[-1], 3))
    log_lik[1000:3000] = 0.0  # a gap, after which the state is found anew
    got = run({"log_lik": log_lik}, offsets, startprob, transmat)
    want = by_logarithms(log_lik, offsets, startprob, transmat)
    for output in ("step_log_prob", "filtered", "resp"):
        assert_allclose(got[output], want[output], rtol=0, atol=1e-9, err_msg=output)
    assert_allclose(got["pairs"], want["pairs"], rtol=1e-9, atol=1e-13 * len(log_lik))
    path, log_prob = np.empty(offsets[-1], dtype=np.intp), np.empty(len(lengths))
    _hmm.viterbi({"log_lik": log_lik}, offsets, startprob, transmat, path, log_prob)
    for s, (a, b) in list(enumerate(pairwise(offsets)))[:3]:
        want = _hmm_log.best_paths(log_lik[a:b], startprob, transmat, 1)[0][0]
        assert np.array_equal(path[a:b], want)
        terms = [log_lik[range(a, b), want], np.log(transmat[want[:-1], want[1:]])]
        value = np.log(startprob[want[0]]) + math.fsum(np.concatenate(terms))
        assert_allclose(log_prob[s], value, rtol=1e-13)


def extended_log_likelihood(log_lik, startprob, transmat):
    """The scaled recursion in extended precision, densities given in double."""
    wide = log_lik.astype(np.longdouble)
    shift = wide.max(axis=1)
    densities, state, total = np.exp(wide - shift[:, None]), startprob, shift.sum()
    for t, density in enumerate(densities):
        state = (state if t == 0 else state @ transmat) * density
        total += np.log(state.sum())
        state = state / state.sum()
    return total


def test_no_digit_of_a_long_sum_is_lost(rng):
    n = 50_000
    startprob, transmat = make_chain(rng, 3)
    _, log_lik = make_source(rng, "log_lik", n, 3)
    log_lik -= 100.0
    got = run({"log_lik": log_lik}, offsets_of([n]), startprob, transmat)["total"]
    want = extended_log_likelihood(log_lik, startprob, transmat.astype(np.longdouble))
    assert abs(got - want) <= 1e-15 * abs(want)


@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize("name", CHAINS)
def test_paths_of_long_sequences_are_optimal(rng, name, lengths):
    offsets = offsets_of(LENGTHS[lengths])
    startprob, transmat = CHAINS[name](rng)
    source, log_lik = make_source(rng, "diagonal", offsets[-1], 3, 0.1)
    path, log_prob = np.empty(offsets[-1], dtype=np.intp), np.empty(len(offsets) - 1)
    _hmm.viterbi(source, offsets, startprob, transmat, path, log_prob)
    for s, (a, b) in enumerate(pairwise(offsets)):
        want, value = chain_best_path(log_lik[a:b], startprob, transmat)
        assert np.array_equal(path[a:b], want)
        assert_allclose(log_prob[s], value, rtol=1e-12)


@pytest.mark.parametrize("far", [50.0, 400.0, 800.0, 1e5])
@pytest.mark.parametrize("name", CHAINS)
def test_no_density_is_too_small(rng, name, far):
    """Steps that a state the chain cannot be in explains better by `far` nats, and outliers."""
    offsets = offsets_of([60, 1, 500, 80])
    startprob, transmat = CHAINS[name](rng)
    _, log_lik = make_source(rng, "log_lik", offsets[-1], 3)
    for t in range(0, offsets[-1], 7):
        log_lik[t, rng.integers(3)] += far
    log_lik[30] -= 1e6
    weights = np.ones(4)
    got = run({"log_lik": log_lik}, offsets, startprob, transmat)
    assert_same(got, chain_recursion, log_lik, offsets, startprob, transmat, weights, atol=1e-9)


def test_a_state_that_looked_lost_for_long_may_win():
    """Evidence against a state piles up beyond the range of numbers, slowly, then turns."""
    log_lik = np.zeros((1200, 2))
    log_lik[:400, 1], log_lik[400:, 0] = -5.0, -5.0
    startprob, transmat = np.array([0.5, 0.5]), np.eye(2)
    got = run({"log_lik": log_lik}, offsets_of([1200]), startprob, transmat)
    assert_allclose(got["total"], np.log(0.5) - 2000.0, rtol=1e-13)
    assert_allclose(got["resp"][:, 1], 1.0)


def test_sums_have_the_same_bits_for_any_number_of_threads(rng):
    offsets = offsets_of([30_000, 40, 500, 7_000, 12_000])
    startprob, transmat = make_chain(rng, 3)
    source, _ = make_source(rng, "diagonal", offsets[-1], 3, 0.05)
    results = []
    for n_threads in (1, 2, 8):
        with limit_threads(n_threads):
            results.append(run(source, offsets, startprob, transmat))
    for other in results[1:]:
        for name in ("total", "log_prob", "step_log_prob", "filtered", "resp", "starts", "pairs"):
            assert np.array_equal(other[name], results[0][name])
        assert all(map(np.array_equal, other["moments"], results[0]["moments"]))


def test_float32_values_are_taken_as_they_are(rng):
    offsets = offsets_of([500, 20])
    startprob, transmat = make_chain(rng, 3)
    source, _ = make_source(rng, "diagonal", 520, 3, 0.1)
    values, *params = source["gaussian"]
    single = values.astype(np.float32)
    got = run({"gaussian": (single, *params)}, offsets, startprob, transmat)
    want = run({"gaussian": (single.astype(float), *params)}, offsets, startprob, transmat)
    assert got["total"] == want["total"]
    assert all(map(np.array_equal, got["moments"], want["moments"]))


def test_a_covariance_that_is_none_is_named(rng):
    startprob, transmat = make_chain(rng, 3)
    values, means, covariances = make_source(rng, "full", 9, 3)[0]["gaussian"]
    covariances[1] = -np.eye(3)
    given = {"gaussian": (values, means, covariances)}
    with pytest.raises(ValueError, match="component 1"):
        _hmm.forward_backward(given, offsets_of([9]), startprob, transmat)


def test_codes_beyond_the_table_are_missing(rng):
    startprob, transmat = make_chain(rng, 2)
    log_probs = np.log(rng.dirichlet(np.ones(3), size=2))
    codes = np.array([[0, 3, -7, 2], [0, -1, -1, 2]], dtype=np.intc)
    sources = ({"symbols": (row, log_probs)} for row in codes)
    got, want = (run(source, offsets_of([4]), startprob, transmat) for source in sources)
    assert np.array_equal(got["resp"], want["resp"])
    assert np.array_equal(got["moments"], want["moments"])


def test_more_states_than_a_link_can_tell(rng):
    startprob, transmat = make_chain(rng, 300)
    log_lik = rng.normal(size=(5, 300))
    path, log_prob = np.empty(5, dtype=np.intp), np.empty(1)
    _hmm.viterbi({"log_lik": log_lik}, offsets_of([5]), startprob, transmat, path, log_prob)
    assert np.array_equal(path, chain_best_path(log_lik, startprob, transmat)[0])


@pytest.mark.parametrize("isa", ["baseline", "avx2"])
def test_other_instruction_sets_agree(isa):
    """The tests of this file, in a process that uses narrower vectors."""
    passes_with_isa(isa, __file__)


# ---- draws -----------------------------------------------------------------------------------


def test_drawn_paths_follow_the_posterior(rng):
    offsets = offsets_of([3, 2])
    startprob, transmat = make_chain(rng, 2)
    _, log_lik = make_source(rng, "log_lik", 5, 2)
    filtered = run({"log_lik": log_lik}, offsets, startprob, transmat)["filtered"]
    draws = _hmm_draws.sample_paths(filtered, offsets, transmat, rng.random((5, 200_000)))
    paths, log_joint = chain_paths(log_lik[:3], startprob, transmat)
    probs = np.exp(log_joint - np.logaddexp.reduce(log_joint))
    for path, p in zip(paths, probs, strict=True):
        share = (draws[:, :3] == path).all(axis=1).mean()
        assert abs(share - p) < 5 * np.sqrt(p * (1 - p) / len(draws))


def test_drawn_paths_of_an_impossible_sequence_are_marked(rng):
    filtered = np.array([[0.5, 0.5], [np.nan, np.nan], [1.0, 0.0]])
    draws = _hmm_draws.sample_paths(filtered, offsets_of([2, 1]), np.eye(2), rng.random((3, 4)))
    assert (draws[:, :2] == -1).all()
    assert (draws[:, 2] == 0).all()


def test_a_drawn_chain_has_its_probabilities(rng):
    startprob, transmat = make_chain(rng, 3, 0.3)
    n = 100_000
    states = _hmm_draws.sample_chain(offsets_of([2] * n), startprob, transmat, rng.random(2 * n))
    first, second = states.reshape(n, 2).T
    counts = np.zeros((3, 3))
    np.add.at(counts, (first, second), 1.0)
    p = startprob[:, None] * transmat
    assert (np.abs(counts / n - p) <= 5 * np.sqrt(p * (1 - p) / n)).all()


@pytest.mark.parametrize("draws", [0.5, 2, 20])
@pytest.mark.parametrize("K", [1, 2, 3, 8, 17])
def test_a_long_chain_inverts_its_distribution_functions(rng, K, draws):
    startprob, transmat = make_chain(rng, K, 0.3)
    uniforms = rng.random(int(draws * K * K) + 3)
    uniforms[1:3] = 0.0, np.nextafter(1.0, 0.0)
    states = _hmm_draws.sample_chain(offsets_of([len(uniforms)]), startprob, transmat, uniforms)
    following = transmat.cumsum(axis=1)
    for before, after, u in zip(states[:-1], states[1:], uniforms[1:], strict=True):
        row = following[before]
        assert after == np.searchsorted(row, u * row[-1], "right")
    assert (transmat[states[:-1], states[1:]] > 0).all()


def test_the_largest_uniform_draws_no_impossible_state():
    startprob, transmat = np.array([1.0, 0.0]), np.array([[1.0, 0.0], [0.5, 0.5]])
    uniforms = np.full(5, np.nextafter(1.0, 0.0))
    assert (_hmm_draws.sample_chain(offsets_of([5]), startprob, transmat, uniforms) == 0).all()


@pytest.mark.parametrize(
    "row", [[0.0, 0.0], [np.inf, 1.0], [5e-324, 0.0], [np.nan, 1.0], [-1.0, 0]]
)
def test_rows_that_are_no_probabilities_lead_to_some_state(row):
    uniforms = np.full(200, np.nextafter(1.0, 0.0))
    states = _hmm_draws.sample_chain(
        offsets_of([200]), np.array([0.5, 0.5]), np.array([row, row]), uniforms
    )
    assert np.isin(states, [0, 1]).all()


@pytest.mark.parametrize("wrong", ["offsets", "transmat", "source", "resp"])
def test_arrays_of_another_shape_are_refused(rng, wrong):
    startprob, transmat = make_chain(rng, 3)
    arrays = {"source": {"log_lik": np.zeros((6, 3))}, "offsets": offsets_of([2, 4]),
              "startprob": startprob, "transmat": transmat}  # fmt: skip
    change = {"offsets": offsets_of([2, 5]), "transmat": np.eye(2),
              "source": {"log_lik": np.zeros((6, 2))}, "resp": np.empty((6, 2))}  # fmt: skip
    arrays[wrong] = change[wrong]
    with pytest.raises(ValueError, match="of"):
        _hmm.forward_backward(**arrays)


def test_an_unknown_source_is_named():
    with pytest.raises(ValueError, match="densities"):
        _hmm.forward_backward({"densities": 0}, offsets_of([1]), np.ones(1), np.ones((1, 1)))
