"""Gaussian mixtures against scikit-learn's."""

import subprocess
import sys
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import sklearn.mixture
from numpy.testing import assert_allclose
from sklearn.mixture._gaussian_mixture import _compute_precision_cholesky

import skgen

from . import _numpy_em, _panel
from ._memory import peak_memory
from ._report import Table
from ._runner import Case, quiet
from ._solution import PATIENCE, WITHIN, race

# Operations of an exp: a polynomial of degree 11, multiplications and additions.
EXP_FLOPS = 22


class Shape(NamedTuple):
    """A case: rows, features, components, and how many times faster ours should be."""

    n: int
    d: int
    K: int
    covariance_type: str
    step_target: float = 0
    score_target: float = 0

    def __str__(self):
        return f"d={self.d}, K={self.K}, {self.covariance_type}"

    def work(self, moments):
        """Operations and bytes a row of one pass, with or without the sums of the M-step."""
        if self.n < 1000:
            return {}  # the calls take longer than their arithmetic
        d, dense = self.d, self.covariance_type == "full"
        flops = (d * (d + 1) + 3 * d if dense else 4 * d) + EXP_FLOPS
        if moments:
            flops += d * (d + 1) + 2 * d if dense else 4 * d
        return {"flops": self.K * flops, "bytes": 8 * d + (0 if moments else 8)}


SHAPES = {
    "A": Shape(1_000_000, 4, 8, "full", 55, 50),
    "B": Shape(1_000_000, 16, 16, "full", 25, 23),
    "C": Shape(200_000, 64, 8, "full", 7.5, 15),
    "D": Shape(1_000_000, 16, 16, "diag", 30, 20),
    "E": Shape(100_000, 2, 3, "full", 60, 70),
    "F": Shape(150, 4, 3, "full", 20, 16),
}


class Fit(NamedTuple):
    """Data, and both libraries at the same parameters."""

    X: np.ndarray
    problem: Any  # our EM step, bound to the rows
    params: Any  # our parameters
    ours: skgen.GaussianMixture
    theirs: sklearn.mixture.GaussianMixture
    start: dict  # scikit-learn's parameters, by attribute


def tables(run):
    """All tables of the family."""
    for make in (steps, scores, single, missing, missing_peer, memory, solution, panel, imports):
        table = make(run)
        if table is not None:
            yield table


# ---- data and models at a start --------------------------------------------------------------


def mixture(shape, n, seed=0, spread=1.5):
    """Parameters of overlapping components, and rows drawn from them."""
    rng = np.random.default_rng(seed)
    K, d = shape.K, shape.d
    means = rng.normal(scale=spread, size=(K, d))
    factors = rng.normal(size=(K, d, 2 * d)) / np.sqrt(2 * d)
    covariances = factors @ factors.transpose(0, 2, 1) + 0.05 * np.eye(d)
    if shape.covariance_type == "diag":
        covariances = np.einsum("kii->ki", covariances).copy()
        factors = np.sqrt(covariances)[:, :, None] * np.eye(d)
    else:
        factors = np.linalg.cholesky(covariances)
    weights = rng.dirichlet(np.full(K, 5.0))
    labels = rng.choice(K, n, p=weights)
    X = rng.standard_normal((n, d))
    for k in range(K):
        rows = labels == k
        X[rows] = X[rows] @ factors[k].T + means[k]
    return X, weights, means, covariances


def make_fit(shape, n, dtype=np.float64, gaps=0.0):
    """Data, and both libraries halfway to a fit: at the truth, each mean off by some noise."""
    X, weights, means, covariances = mixture(shape, n)
    rng = np.random.default_rng(1)
    means = means + 0.1 * rng.standard_normal(means.shape)
    X[rng.random(X.shape) < gaps] = np.nan
    X = X.astype(dtype, copy=False)
    ours = skgen.GaussianMixture(shape.K, covariance_type=shape.covariance_type)
    problem = ours._problem(ours._rows(X, reset=True))
    ours.weights_, ours.means_, ours.covariances_ = weights, means, covariances
    theirs = sklearn.mixture.GaussianMixture(
        shape.K, covariance_type=shape.covariance_type, reg_covar=0.0
    )
    start = {
        "weights_": weights,
        "means_": means,
        "covariances_": covariances,
        "precisions_cholesky_": _compute_precision_cholesky(covariances, shape.covariance_type),
    }
    return Fit(X, problem, ours._params(), ours, theirs, start)


def our_step(fit):
    """Parameters and log-likelihood per row of one EM iteration."""
    ahead, value = fit.problem.step(fit.params)
    return value, ahead.weights, *ahead.emission


def their_step(fit):
    """The same by scikit-learn, with the calls that its fit makes."""
    model = fit.theirs
    vars(model).update(fit.start)
    log_prob_norm, log_resp = model._e_step(fit.X)
    model._m_step(fit.X, log_resp)
    value = model._compute_lower_bound(log_resp, log_prob_norm)
    return value, model.weights_, model.means_, model.covariances_


def our_scores(fit):
    return fit.ours.score_samples(fit.X)


def their_scores(fit):
    vars(fit.theirs).update(fit.start)
    return fit.theirs.score_samples(fit.X)


def agree(ours, theirs, tolerance=1e-8):
    """Equal arrays, or tuples of them, each relative to its own size."""
    if not isinstance(ours, tuple):
        ours, theirs = (ours,), (theirs,)
    for a, b in zip(ours, theirs, strict=True):
        assert_allclose(a, b, rtol=tolerance, atol=tolerance * np.abs(b).max())


# ---- time of an iteration --------------------------------------------------------------------


def steps(run):
    """An EM iteration."""
    note = (
        "E-step, M-step and log-likelihood from the same parameters, full data in float64. "
        "Operations counted for a row and a component: d(d+1) for the triangular product, 3d for "
        "centring and the square, d(d+1) + 2d for the moments, 22 for exp; diagonal: 8d + 22."
    )
    cases = [
        Case(f"{name}: {shape}", partial(make_fit, shape), shape.n, our_step, their_step, agree,
             target=shape.step_target, **shape.work(moments=True))
        for name, shape in SHAPES.items()
    ]  # fmt: skip
    return run.timing_table("EM iteration", note, cases)


def scores(run):
    """``score_samples``."""
    note = "The public method on both sides, validation of the input included."
    cases = [
        Case(f"{name}: {shape}", partial(make_fit, shape), shape.n, our_scores, their_scores, agree,
             target=shape.score_target, **shape.work(moments=False))
        for name, shape in SHAPES.items()
    ]  # fmt: skip
    return run.timing_table("score_samples", note, cases)


def single(run):
    """Our iteration on float32 data against float64."""
    note = "Our EM iteration on the same data as float32, which is kept without a copy."
    cases = [
        Case(f"{name}: {SHAPES[name]}", partial(both_precisions, SHAPES[name]), SHAPES[name].n,
             first_step, second_step, partial(agree, tolerance=1e-3), target=1.6)
        for name in "ABCD"
    ]  # fmt: skip
    return run.timing_table("float32", note, cases, ("float32", "float64"))


def first_step(fits):
    return our_step(fits[0])


def second_step(fits):
    return our_step(fits[1])


def both_precisions(shape, n):
    return make_fit(shape, n, np.float32), make_fit(shape, n)


# ---- missing data ----------------------------------------------------------------------------

GAPS = 0.2
GAPPY = (
    (Shape(1_000_000, 4, 8, "full"), 1.3),
    (Shape(200_000, 16, 16, "full"), 10.0),
)


def missing(run):
    """Our iteration with missing entries against complete data."""
    title, timings = "missing data", []
    note = "One of our EM iterations with 20 % of the entries missing against complete rows."
    for shape, target in GAPPY:
        case = Case(
            f"{shape}", partial(gappy_and_complete, shape), shape.n, first_step, second_step
        )
        if run.wants(title, case.name):
            run.progress(title, case.name)
            timings.append((run.compare(case), target))
    columns = ["case", "rows", "missing ms", "complete ms", "times as long", "at most"]
    rows = [
        [t.case.name, f"{t.n:,}", *np.median([t.ours, t.theirs], axis=1) * 1e3, 1 / t.ratio, target]
        for t, target in timings
    ]
    return Table(title, note, columns, rows, [t.summary() for t, _ in timings]) if rows else None


def gappy_and_complete(shape, n):
    return make_fit(shape, n, gaps=GAPS), make_fit(shape, n)


def missing_peer(run):
    """Our iteration with missing entries against NumPy."""
    note = (
        "20 % of the entries missing. The peer is the textbook algorithm in NumPy: for each "
        "missingness pattern and component a Cholesky factor and a regression."
    )
    shapes = [Shape(200_000, 4, 8, "full", 50), Shape(20_000, 16, 4, "full", 50)]
    cases = [
        Case(f"{shape}", partial(make_fit, shape, gaps=GAPS), shape.n, our_step, numpy_step, agree,
             target=shape.step_target)
        for shape in shapes
    ]  # fmt: skip
    return run.timing_table("missing data, NumPy", note, cases, ("skgen", "NumPy by pattern"))


def numpy_step(fit):
    """An EM iteration by pattern, with the patterns found beforehand as ours are."""
    start = fit.start["weights_"], fit.start["means_"], fit.start["covariances_"]
    return _numpy_em.step(fit.X, fit.problem.rows.patterns, *start)


# ---- memory ----------------------------------------------------------------------------------


def memory(run):
    """Peak memory of fit and score_samples."""
    note = (
        "Peak in MB beyond X and the result; at most 16 MB is the aim. Fit: three iterations from "
        "the default start."
    )
    rows = []
    for name in "AB":
        shape, n = SHAPES[name], 20_000 if run.quick else SHAPES[name].n
        for what, make, calls in (
            ("fit", make_unfitted, (our_fit, their_fit)),
            ("score_samples", make_fit, (our_scores, their_scores)),
        ):
            if run.wants("peak memory", name, what):
                run.progress("peak memory", name, what)
                peaks = [peak_memory(partial(make, shape), n, call) for call in calls]
                megabytes = [None if peak is None else peak / 2**20 for peak in peaks]
                rows.append([f"{name}: {shape}, {what}", *megabytes])
    columns = ["case", "skgen", "scikit-learn"]
    return Table("peak memory", note, columns, rows) if rows else None


def make_unfitted(shape, n):
    """Data, and both libraries' estimators before a short fit."""
    settings = {"covariance_type": shape.covariance_type, "max_iter": 3, "random_state": 0}
    ours = skgen.GaussianMixture(shape.K, **settings)
    theirs = sklearn.mixture.GaussianMixture(shape.K, **settings)
    return Fit(mixture(shape, n)[0], None, None, ours, theirs, {})


def our_fit(fit):
    return quiet(fit.ours.fit, fit.X)


def their_fit(fit):
    return quiet(fit.theirs.fit, fit.X)


# ---- time to a solution ----------------------------------------------------------------------


def solution(run):
    """Time to a solution."""
    title, rows = "time to a solution", []
    shape = SHAPES["A"]._replace(n=5000) if run.quick else SHAPES["A"]
    for seed in range(1 if run.quick else 4):
        if run.wants(title, f"seed {seed}"):
            run.progress(title, f"seed {seed}")
            rows.append([seed, *race(mixture(shape, shape.n, seed, spread=2.5)[0], shape.K)])
    note = (
        f"Overlapping components, {shape.n:,} x {shape.d}, K={shape.K}: seconds until the "
        f"log-likelihood is within {WITHIN:g} nats a row of the optimum, initialisation included. "
        "The optimum is the best of long runs from both starts. skgen: a whole fit with tol=1e-7, "
        "its stopping rule included; scikit-learn: until the first iteration that is close enough. "
        f"A dash: not reached, by scikit-learn in {PATIENCE} iterations; the shortfall is what is "
        "missing to the optimum then."
    )
    columns = ["seed of the data", "skgen s", "shortfall", "scikit-learn s", "shortfall"]
    return Table(title, note, [*columns, "times faster", "target"], rows) if rows else None


# ---- quality ---------------------------------------------------------------------------------


def panel(run):
    """Likelihoods."""
    title, rows = "likelihood", []
    for name, make in _panel.DATA_SETS.items():
        if run.wants(title, name):
            run.progress(title, name)
            rows.append(_panel.compare(name, *make(), seeds=1 if run.quick else 5))
    return Table(title, _panel.NOTE, _panel.COLUMNS, rows) if rows else None


# ---- import ----------------------------------------------------------------------------------


def imports(run):
    """Time of the first import."""
    title = "import"
    if not run.wants(title):
        return None
    statements = {"skgen": "import skgen; skgen.GaussianMixture", "peer": "import sklearn.mixture"}
    seconds = {name: [] for name in statements}
    for _ in range(2 if run.quick else run.rounds):
        for name, statement in statements.items():
            seconds[name].append(import_seconds(statement))
    ours, theirs = (float(np.median(seconds[name])) for name in ("skgen", "peer"))
    note = "Seconds in a new process, the median; skgen imports scikit-learn as well."
    columns = ["skgen", "sklearn.mixture", "beyond", "at most"]
    return Table(title, note, columns, [[ours, theirs, ours - theirs, 0.2]])


def import_seconds(statement):
    """Seconds of an import statement in a new process."""
    code = f"import time; t = time.perf_counter(); {statement}; print(time.perf_counter() - t)"
    output = subprocess.run(
        [sys.executable, "-c", code], check=True, text=True, capture_output=True
    )
    return float(output.stdout)
