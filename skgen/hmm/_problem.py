"""The EM problem of a hidden Markov model: sequences, expectation, maximization."""

from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from scipy.special import xlogy

from .._em import ROUNDING, run_em
from .._kernels import _hmm
from .._sequences import Sequences, offsets_of
from .._validation import check_array_parameter
from ..emissions._base import BLOCK_ROWS, add
from ._chain import ChainParams

# Responsibilities of a start are drawn towards uniform: EM leaves no probability of zero.
SMOOTHING = 0.01
# Entries of the table (n_rows, K) of a block of rows whose states are known: 16 MB.
TABLE = 2_000_000


class HMMParams(NamedTuple):
    """The chain, and the parameters of the emission."""

    chain: ChainParams
    emission: NamedTuple


class ChainStatistics(NamedTuple):
    """Expected counts of first states (K,) and transitions (K, K), and the emission's."""

    log_lik: float
    start_counts: np.ndarray | None
    counts: np.ndarray | None
    emission: Any


class HMMProblem:
    """One model, its hyperparameters bound to the data, and the sequences it is fitted to.

    ``labels`` (n_rows,) hold known states, -1 where they are unknown. ``given`` has what the user
    gave of the start, by name: "startprob", "transmat", fields of the emission's parameters.
    ``held`` names what EM leaves as it was at the start.
    """

    def __init__(self, emission, chain, sequences, labels=None, given=None, held=()):
        self.emission, self.chain, self.sequences = emission, chain, sequences
        self.labels, self.given, self.held = labels, given or {}, frozenset(held)
        self.rows, self.total_weight = sequences.rows, sequences.rows.total_weight

    @cached_property
    def points(self):
        """The rows as points for k-means."""
        return self.emission.embed(self.rows)

    @cached_property
    def all_known(self):
        """Whether the states of all rows are known."""
        return self.labels is not None and bool((self.labels >= 0).all())

    @property
    def all_given(self):
        """Whether the user gave the whole start."""
        return {*ChainParams._fields, *self.emission.params_type._fields} <= self.given.keys()

    def on(self, sequences, labels):
        """The same problem on other sequences, where to look for what the user did not give."""
        held = self.held | self.given.keys()
        return HMMProblem(self.emission, self.chain, sequences, labels, self.given, held)

    def source(self, params):
        """What the recursions read of the emission, as keyword arguments of their kernels."""
        return source(self.emission, params.emission, self.sequences, self.labels)

    def start(self, resp):
        """Parameters for given probabilities of the states, (n_rows, K)."""
        if self.labels is not None:
            known = self.labels >= 0
            resp[known] = np.eye(resp.shape[1])[self.labels[known]]
        if self.rows.weights is not None:
            resp = resp * self.rows.weights[:, None]
        chain = self.chain_of(resp)
        emission = self.emission.initialize(self.rows, self._where_seen(resp))
        return HMMParams(chain, self._as_given(emission))

    def _where_seen(self, resp):
        """Responsibilities of the rows that observe anything; the others tell nothing."""
        return resp if self._empty is None else np.where(self._empty[:, None], 0.0, resp)

    @cached_property
    def _empty(self):
        """Which rows observe nothing, or None where all observe anything."""
        empty = self.rows.missing.all(axis=1) if self.rows.has_missing else np.zeros(1, bool)
        return empty if empty.any() else None

    def _as_given(self, start):
        """The emission's parameters with what the user gave in their place."""
        given = {
            name: check_array_parameter(f"emission_init[{name!r}]", value, np.shape(old))
            for name, old in start._asdict().items()
            if (value := self.given.get(name)) is not None
        }
        return start._replace(**given)

    def check_shapes(self, params):
        """Raise where fitted parameters, to go on from, are those of another model."""
        K, chain = self.chain.n_states, params.chain
        like = self.emission.initialize(self.rows.block(0, 1), np.ones((1, K)))
        expected = {"startprob": (K,), **{name: x.shape for name, x in like._asdict().items()}}
        for name, value in {"startprob": chain.startprob, **params.emission._asdict()}.items():
            if value.shape != expected[name]:
                raise ValueError(
                    f"{name}_ has shape {value.shape}, from which warm_start=True cannot go on: "
                    f"this model and X need {expected[name]}; set warm_start=False."
                )

    def chain_of(self, resp):
        """A chain from the responsibilities of neighbouring rows, drawn towards uniform."""
        offsets, before, uniform = self.sequences.offsets, self._followed, self.chain.uniform()
        counts = (resp[before].T @ resp[before + 1]) * self.chain.allowed
        size = np.maximum(counts.sum(axis=1, keepdims=True), 1.0)
        counts = counts + SMOOTHING * size * uniform.transmat
        first = (resp[offsets[:-1]].sum(axis=0) + uniform.startprob) * self.chain.first
        given = {name: self.given[name] for name in ChainParams._fields if name in self.given}
        return self.chain.maximize(first, counts, uniform._replace(**given), given)

    @cached_property
    def _followed(self):
        """The rows that another row of their sequence follows."""
        within = np.ones(len(self.rows), dtype=bool)
        within[self.sequences.offsets[1:] - 1] = False
        return np.flatnonzero(within)

    def step(self, params):
        """The parameters after one step of EM, and the objective before it."""
        found = self.expectation(params)
        chain = self.chain.maximize(found.start_counts, found.counts, params.chain, self.held)
        if self.held:
            emission = self.emission.maximize_held(found.emission, params.emission, self.held)
        else:
            emission = self.emission.maximize(found.emission)
        return HMMParams(chain, emission), self._per_row(params, found.log_lik)

    def objective(self, params):
        """The objective per row: log-likelihood plus log prior."""
        return self._per_row(params, self.expectation(params, statistics=False).log_lik)

    def _per_row(self, params, log_lik):
        prior = self.chain.regularizer(params.chain) + self.emission.regularizer(params.emission)
        return (log_lik + prior) / self.total_weight

    def expectation(self, params, statistics=True):
        """The E-step: one pass of the forward-backward recursions over all sequences."""
        if self.all_known:
            return self._counted(params, statistics)
        given, rows = self.source(params), self.rows
        resp = None
        if statistics and "log_lik" in given:
            resp = np.empty((len(rows), self.chain.n_states))
        log_lik, start, counts, moments = _hmm.forward_backward(
            given,
            self.sequences.offsets,
            *params.chain,
            weights=self.sequences.weights,
            resp=resp,
            statistics=statistics,
        )
        if not statistics:
            return ChainStatistics(log_lik, None, None, None)
        if resp is None:
            return ChainStatistics(
                log_lik, start, counts, self.emission.from_moments(params.emission, moments)
            )
        if self.sequences.single and rows.weights is not None:
            resp *= rows.weights[:, None]
        np.nan_to_num(resp, copy=False)  # a sequence of probability zero tells nothing
        found = self.emission.statistics(params.emission, rows, self._where_seen(resp))
        return ChainStatistics(log_lik, start, counts, found)

    def _counted(self, params, statistics):
        """The E-step where all states are known: counting, by blocks of rows."""
        rows, labels, K, found = self.rows, self.labels, self.chain.n_states, None
        offsets, before = self.sequences.offsets, self._followed
        weights = np.ones(len(rows)) if rows.weights is None else rows.weights
        start = np.bincount(labels[offsets[:-1]], weights[offsets[:-1]], K)
        pairs = labels[before] * K + labels[before + 1]
        counts = np.bincount(pairs, weights[before], K * K).reshape(K, K)
        log_lik = xlogy(start, params.chain.startprob).sum()
        log_lik += xlogy(counts, params.chain.transmat).sum()
        size = max(BLOCK_ROWS, TABLE // K)  # each block costs a pass over the parameters
        for first in range(0, len(rows), size):
            part = slice(first, first + size)
            block, resp = rows.block(first, part.stop), np.eye(K)[labels[part]]
            log_densities = self.emission.log_likelihood(params.emission, block)
            log_lik += log_densities[resp > 0] @ weights[part]
            if statistics:
                resp *= weights[part, None]
                if self._empty is not None:
                    resp[self._empty[part]] = 0.0
                of_block = self.emission.statistics(params.emission, block, resp)
                found = of_block if found is None else add(found, of_block)
        return ChainStatistics(float(log_lik), start, counts, found)

    def run(self, start, max_iter, tol, monitor=None, *, accelerated=True):
        """EM over all sequences, an :class:`~skgen._em.EMResult`."""
        accelerated = accelerated and not self.held and self.pack(start) is not None
        return run_em(
            self.step,
            start,
            max_iter=max_iter,
            tol=tol,
            vector=(self.pack, self.unpack) if accelerated else None,
            monitor=monitor,
            rounding=ROUNDING,
        )

    def pack(self, params):
        """Parameters as an unconstrained vector, or None."""
        chain, emission = self.chain.pack(params.chain), self.emission.pack(params.emission)
        return None if chain is None or emission is None else np.concatenate([chain, emission])

    def unpack(self, vector, like):
        """The inverse of :meth:`pack`, or None where the vector is out of reach."""
        n = self.chain.packed_size
        emission = self.emission.unpack(vector[n:], like.emission)
        return None if emission is None else HMMParams(self.chain.unpack(vector[:n]), emission)

    def rank(self, run):
        """The higher objective comes first, but runs with collapsed states come last."""
        value = run.objective[-1] if run.objective else run.start
        value = -np.inf if np.isnan(value) else value
        return -len(self.emission.degenerate(run.params.emission)), value


def source(emission, params, sequences, labels=None):
    """The densities of the rows, as keyword arguments of the kernels.

    Known states and the weights of the rows of one sequence need a table (n_rows, K): states that
    are known not to be get -inf, and a row of weight w counts as w rows from the same state.
    """
    rows = sequences.rows
    weights = rows.weights if sequences.single else None
    if labels is None and weights is None:
        return emission.source(params, rows)
    table = emission.log_likelihood(params, rows)
    if weights is not None:
        with np.errstate(invalid="ignore"):
            table = np.where(weights[:, None] > 0, table * weights[:, None], 0.0)
    if labels is not None:
        known = np.flatnonzero(labels >= 0)
        kept = table[known, labels[known]]
        table[known] = -np.inf
        table[known, labels[known]] = kept
    return {"log_lik": table}


def part_of(sequences, labels, enough, rng, piece=2000):
    """Sequences with about ``enough`` rows in all, long ones cut, with their labels."""
    n = len(sequences.rows)
    if n <= enough:
        return sequences, labels
    starts = np.concatenate([np.arange(a, b, piece) for a, b in pairwise(sequences.offsets)])
    stops = np.append(starts[1:], n)
    order = rng.permutation(len(starts))
    count = int(np.searchsorted(np.cumsum((stops - starts)[order]), enough)) + 1
    kept = np.sort(order[:count])
    where = np.concatenate([np.arange(starts[i], stops[i]) for i in kept])
    offsets = offsets_of((stops - starts)[kept])
    rows = sequences.rows.take(where)
    labels = None if labels is None else labels[where]
    return Sequences(rows, offsets, single=sequences.single), labels
