"""Hidden Markov models against hmmlearn's, in both of its modes."""

from functools import partial
from typing import Any, NamedTuple

import hmmlearn.hmm
import numpy as np

import skgen
from skgen._kernels import _hmm, _hmm_draws

from ._memory import peak_memory
from ._report import Table
from ._runner import Case, quiet
from .gaussian import agree


class Shape(NamedTuple):
    """A case: states, features or symbols, lengths, and how many times faster ours should be."""

    K: int
    d: int
    length: int | tuple[int, int]  # of each sequence, or its least and largest
    n: int  # rows
    em: dict  # targets, by hmmlearn's mode
    score: float  # target against "scaling"
    path: float  # target against the quicker mode
    symbols: bool = False

    def __str__(self):
        size = f"{self.d} symbols" if self.symbols else f"d={self.d}"
        low, high = self.length if isinstance(self.length, tuple) else (self.length,) * 2
        return f"K={self.K}, {size}, length {low:,}" + (f" to {high:,}" if high > low else "")


SHAPES = {
    "A": Shape(4, 2, 1_000_000, 1_000_000, {"log": 60, "scaling": 20}, 35, 50),
    "B": Shape(16, 8, 1000, 1_000_000, {"log": 100, "scaling": 24}, 40, 24),
    "C": Shape(64, 4, 100_000, 100_000, {"log": 180, "scaling": 35}, 45, 12),
    "D": Shape(8, 64, 1_000_000, 1_000_000, {"log": 200, "scaling": 26}, 20, 14, symbols=True),
    "E": Shape(5, 2, (20, 80), 1_000_000, {"log": 250, "scaling": 65}, 100, 150),
}
MODES = ("log", "scaling")


class Fit(NamedTuple):
    """Data, and both libraries at the same parameters."""

    X: np.ndarray
    lengths: np.ndarray
    problem: Any  # our EM step, bound to the sequences
    params: Any  # our parameters
    ours: Any
    theirs: Any
    start: dict  # hmmlearn's parameters, by attribute


def tables(run):
    """All tables of the family."""
    for make in (steps, scores, paths, posteriors, lists, samples, memory):
        table = make(run)
        if table is not None:
            yield table


# ---- data and models at a start --------------------------------------------------------------


def draw_lengths(shape, n, rng):
    """Lengths of sequences that hold n rows together."""
    if not isinstance(shape.length, tuple):
        return np.full(max(1, n // shape.length), min(n, shape.length))
    low, high = shape.length
    lengths = rng.integers(low, high + 1, size=n // low)
    lengths = lengths[: np.searchsorted(lengths.cumsum(), n)]
    return np.append(lengths, n - lengths.sum())


def parameters(shape, rng):
    """A chain that stays in its state in 8 of 10 steps, and emissions that overlap."""
    K, d = shape.K, shape.d
    chain = np.full(K, 1 / K), 0.2 * rng.dirichlet(np.ones(K), size=K) + 0.8 * np.eye(K)
    if shape.symbols:
        return *chain, (rng.dirichlet(np.full(d, 0.5), size=K),)
    return *chain, (2.0 * rng.normal(size=(K, d)), (0.5 + rng.random((K, d))) ** 2)


def draw_rows(shape, states, emission, rng):
    """A row from each state."""
    if shape.symbols:
        cumulative = emission[0].cumsum(axis=1)[states]
        return np.minimum((rng.random((len(states), 1)) > cumulative).sum(axis=1), shape.d - 1)
    means, variances = emission
    noise = rng.standard_normal((len(states), shape.d))
    return means[states] + np.sqrt(variances)[states] * noise


def make_fit(shape, n, mode="scaling"):
    """Data, and both libraries at the truth."""
    rng = np.random.default_rng(0)
    lengths = draw_lengths(shape, n, rng)
    startprob, transmat, emission = parameters(shape, rng)
    offsets = np.concatenate([[0], lengths.cumsum()])
    states = _hmm_draws.sample_chain(offsets, startprob, transmat, rng.random(offsets[-1]))
    X = draw_rows(shape, states, emission, rng)
    if shape.symbols:
        X[: shape.d] = np.arange(shape.d)  # each symbol is there
        X = X[:, None]
    ours, theirs, start = both_models(shape, startprob, transmat, emission, mode)
    data = X if len(lengths) == 1 else np.split(X, offsets[1:-1])
    problem = ours._problem(ours._sequences(data, reset=True), None)
    ours._single = len(lengths) == 1
    return Fit(X, lengths, problem, ours._params(), ours, theirs, start)


def both_models(shape, startprob, transmat, emission, mode):
    """Both estimators, and hmmlearn's parameters; its prior of variances is switched off."""
    start = {"startprob_": startprob, "transmat_": transmat}
    settings = {"implementation": mode, "init_params": ""}
    if shape.symbols:
        ours = skgen.CategoricalHMM(shape.K)
        theirs = hmmlearn.hmm.CategoricalHMM(shape.K, n_features=shape.d, **settings)
        own, start["emissionprob_"] = {"probs_": emission[0][:, None]}, emission[0]
    else:
        ours = skgen.GaussianHMM(shape.K, covariance_type="diag")
        theirs = hmmlearn.hmm.GaussianHMM(shape.K, covars_prior=0.0, **settings)
        own = dict(zip(("means_", "covariances_"), emission, strict=True))
        start |= dict(zip(("means_", "_covars_"), emission, strict=True))
        theirs.n_features = shape.d
    vars(ours).update(startprob_=startprob, transmat_=transmat, **own)
    return ours, theirs, start


def reset(fit):
    """The model of hmmlearn at its start."""
    vars(fit.theirs).update(fit.start)
    return fit.theirs


# ---- time of an iteration --------------------------------------------------------------------


def our_step(fit):
    """Parameters and log-likelihood of one EM iteration."""
    ahead, value = fit.problem.step(fit.params)
    return value * len(fit.X), *ahead.chain, *(x.squeeze() for x in ahead.emission)


def their_step(fit):
    """The same by hmmlearn, with the calls that its fit makes."""
    model = reset(fit)
    statistics, value = model._do_estep(fit.X, fit.lengths)
    model._do_mstep(statistics)
    return value, *(getattr(model, name) for name in fit.start)


def cases(calls, target, modes=MODES, tolerance=1e-8):
    """A case for each shape and mode; target is a function of shape and mode."""
    return [
        Case(f"{name}: {shape} ({mode})", partial(make_fit, shape, mode=mode), shape.n, *calls,
             partial(agree, tolerance=tolerance), target=target(shape, mode))
        for name, shape in SHAPES.items()
        for mode in modes
    ]  # fmt: skip


def steps(run):
    """An EM iteration."""
    note = (
        "E-step, M-step and log-likelihood from the same parameters, against both modes of "
        "hmmlearn: log is its default, scaling the quicker one."
    )
    compared = cases((our_step, their_step), lambda shape, mode: shape.em[mode])
    return run.timing_table("EM iteration", note, compared, ("skgen", "hmmlearn"))


# ---- what a fitted model is asked ------------------------------------------------------------


def our_score(fit):
    return fit.problem.expectation(fit.params, statistics=False).log_lik


def their_score(fit):
    return reset(fit).score(fit.X, fit.lengths)


def our_paths(fit):
    offsets = fit.problem.sequences.offsets
    path, log_prob = np.empty(len(fit.X), dtype=np.intp), np.empty(len(offsets) - 1)
    _hmm.viterbi(fit.problem.source(fit.params), offsets, *fit.params.chain, path, log_prob)
    return path


def their_paths(fit):
    return reset(fit).predict(fit.X, fit.lengths)


def our_posteriors(fit):
    return fit.ours._state_proba(fit.problem.sequences, "resp")


def their_posteriors(fit):
    return reset(fit).predict_proba(fit.X, fit.lengths)


STACKED = "All rows are at hand in one array, with the lengths of the sequences."


def scores(run):
    """The log-likelihood."""
    compared = cases(
        (our_score, their_score), lambda shape, mode: shape.score if mode == "scaling" else None
    )
    return run.timing_table("log-likelihood", STACKED, compared, ("skgen", "hmmlearn"))


def paths(run):
    """The most probable paths."""
    compared = cases((our_paths, their_paths), lambda shape, mode: shape.path)
    note = f"Viterbi; the same paths, step by step. {STACKED}"
    return run.timing_table("most probable path", note, compared, ("skgen", "hmmlearn"))


def posteriors(run):
    """Probabilities of states."""
    compared = cases((our_posteriors, their_posteriors), lambda shape, mode: None, tolerance=1e-6)
    return run.timing_table("probabilities of states", STACKED, compared, ("skgen", "hmmlearn"))


def our_public_scores(fit):
    return fit.ours.score_samples(as_list(fit)).sum()


def as_list(fit):
    """The sequences as the user of skgen has them."""
    return fit.X if len(fit.lengths) == 1 else np.split(fit.X, fit.lengths[:-1].cumsum())


def lists(run):
    """``score_samples`` from a list of arrays."""
    note = (
        "The public method, with everything that is made of the list: sequences checked and put "
        "together. hmmlearn is given one array and lengths."
    )
    compared = [
        Case(f"{name}: {SHAPES[name]}", partial(make_fit, SHAPES[name]), SHAPES[name].n,
             our_public_scores, their_score, agree)
        for name in "ABE"
    ]  # fmt: skip
    return run.timing_table("score_samples of a list", note, compared, ("skgen", "hmmlearn"))


# ---- sampling --------------------------------------------------------------------------------


def our_sample(fit):
    return fit.ours.sample(len(fit.X), random_state=0)[0]


def their_sample(fit):
    return reset(fit).sample(len(fit.X), random_state=0)[0]


def samples(run):
    """Drawing rows."""
    note = "One sequence with its states."
    compared = [
        Case(f"{name}: {SHAPES[name]}", partial(make_fit, SHAPES[name]._replace(length=10**6)),
             10_000, our_sample, their_sample, target=500)
        for name in "ACD"
    ]  # fmt: skip
    return run.timing_table("sample", note, compared, ("skgen", "hmmlearn"))


# ---- memory ----------------------------------------------------------------------------------


def memory(run):
    """Peak memory of an EM iteration."""
    note = "Peak in MB beyond the data; at most 10 MB in case A is the aim."
    rows = []
    for name, shape in SHAPES.items():
        if run.wants("peak memory", name):
            run.progress("peak memory", name)
            n = 20_000 if run.quick else shape.n
            peaks = [peak_memory(partial(make_fit, shape), n, call) for call in STEPS]
            megabytes = [None if peak is None else peak / 2**20 for peak in peaks]
            rows.append([f"{name}: {shape}", *megabytes])
    columns = ["case", "skgen", "hmmlearn (scaling)"]
    return Table("peak memory", note, columns, rows) if rows else None


STEPS = (partial(quiet, our_step), partial(quiet, their_step))
