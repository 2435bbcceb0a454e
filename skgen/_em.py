"""Expectation-maximization, for every model in the package that has latent variables.

One loop serves maximum likelihood, MAP and variational Bayes; it alone knows of convergence,
acceleration, monitors and interrupts. A model gives it a function

    step(params) -> (next_params, objective of params)

which is one E-step and the M-step after it. The objective is a mean per row: a log-likelihood, a
log-posterior or an evidence lower bound. EM never lowers it.
"""

import math
import warnings
from typing import Any, NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning

# Steps that the acceleration remembers; their Gram matrix is singular up to this ridge.
MEMORY = 6
RIDGE = 1e-12
# An extrapolation that leads further is none: parameters made of its squares would be infinite.
FAR = 1e100
# Convergence is judged by this share of the iterations, but by no fewer than so many.
WINDOW = 1 / 3
LEAST_WINDOW = 3
# An objective is a sum of rounded terms: a change of this share of its size is none.
ROUNDING = 1e-15


class EMResult(NamedTuple):
    """Where EM came to, and why it ended there."""

    params: Any
    objective: list  # after each iteration; the last one belongs to `params`
    end: str  # "converged", "max_iter", "stopped" by a monitor, "interrupted" or "nan"
    start: float = -np.inf  # the objective before the first iteration

    @property
    def converged(self):
        return self.end == "converged"

    @property
    def interrupted(self):
        return self.end == "interrupted"


def run_em(step, params, *, max_iter, tol, vector=None, monitor=None, rounding=ROUNDING):
    """Iterate ``step`` until no more than ``tol`` is left to gain.

    With ``vector`` the iterates are extrapolated; where that lowers the objective, the plain step
    is taken instead, so that the objective never falls.

    Parameters
    ----------
    step : callable, params -> (next_params, objective)
    params : the starting point
    max_iter : int
        An iteration is one pass over the data, or two where an extrapolation was in vain.
    tol : float
        On the objective per row. Negative: never stop before ``max_iter``.
    vector : (pack, unpack) or None
        Parameters to an unconstrained vector and back; each gives None where it cannot.
    monitor : object or None
        Its ``begin(params, values)`` and ``end(params, values)`` surround each iteration, where
        ``values`` are the objectives so far; a true answer of ``end`` stops the loop.
    rounding : float
        Error of the objective, as a share of 1 + its size.

    Returns
    -------
    EMResult
        Where Ctrl-C came or the objective became NaN: what was reached before.
    """
    values, end = [], "max_iter"
    mixer = None if vector is None else Anderson(*vector)
    try:
        ahead, value = step(params)
        values.append(value)
        for _ in range(max_iter):
            if monitor is not None:
                monitor.begin(params, values)
            reached, further, value = _advance(step, params, ahead, value, mixer, rounding)
            if math.isnan(value):
                end = "nan"
                break
            params, ahead = reached, further
            values.append(value)
            stop = monitor is not None and monitor.end(params, values)
            settled = _settled(values, tol)
            if settled or stop:
                end = "converged" if settled else "stopped"
                break
    except KeyboardInterrupt:
        end = "interrupted"
    return EMResult(params, values[1:], end, values[0] if values else -np.inf)


def _advance(step, params, ahead, current, mixer, rounding):
    """The next parameters, those one step ahead of them, and their objective."""
    if mixer is not None:
        with np.errstate(all="ignore"):  # an extrapolation may lead anywhere
            candidate = mixer.propose(params, ahead)
            if candidate is not None:
                further, value = _attempt(step, candidate)
                if value >= current - rounding * (1.0 + abs(current)):
                    return candidate, further, value
                mixer.forget()
    return ahead, *step(ahead)


def _attempt(step, candidate):
    """The step from an extrapolation; the objective is NaN where it led to a singular matrix."""
    try:
        return step(candidate)
    except np.linalg.LinAlgError:
        return None, math.nan


def _settled(values, tol):
    """Whether no more than ``tol`` is left to gain.

    The last third of the iterations brought no more than that, nor would all that is to come if
    gains go on to shrink as they did between the third before and the last (Aitken). Single gains
    would not do: they are irregular with acceleration, noisy in single precision, and tiny on the
    slow climbs that follow when the fast directions are done.
    """
    n = len(values) - 1
    if tol < 0 or n < 2:
        return False
    visible = ROUNDING * (1.0 + abs(values[-1]))
    if abs(values[-1] - values[-2]) <= visible and abs(values[-2] - values[-3]) <= visible:
        return True
    window = max(LEAST_WINDOW, int(WINDOW * n))
    if n < 2 * window:
        return False
    late = values[-1] - values[-1 - window]
    early = values[-1 - window] - values[-1 - 2 * window]
    return late <= 0 or (late <= tol and late * late <= tol * (early - late))


class Anderson:
    r"""Anderson mixing of a fixed-point iteration :math:`x \leftarrow f(x)`, made to climb.

    Past moves :math:`\Delta x` changed the residual :math:`r = f(x) - x` by :math:`\Delta r`;
    their combination that takes r to zero is the step. But residuals also vanish at saddles and
    slow EM down for long in their neighbourhood, where that step would lead back to the saddle.
    As r points uphill, each principal direction is followed in the sense in which it agrees with
    r: a saddle repels as a maximum attracts.

    References
    ----------
    Walker, Ni (2011). Anderson acceleration for fixed-point iterations. SIAM J. Numer. Anal.
    49(4). Henderson, Varadhan (2019). Damped Anderson acceleration with restarts and monotonicity
    control for accelerating EM and EM-like algorithms. J. Comput. Graph. Stat. 28(4). Dauphin et
    al. (2014). Identifying and attacking the saddle point problem in high-dimensional non-convex
    optimization. NIPS 27.
    """

    def __init__(self, pack, unpack):
        self.pack, self.unpack = pack, unpack
        self.last = None
        self.forget()

    def forget(self):
        self.moves, self.changes = [], []

    def propose(self, params, ahead):
        """Parameters that may be better than ``ahead``, or None."""
        x, image = self.pack(params), self.pack(ahead)
        if x is None or image is None:
            return None
        residual = image - x
        if self.last is not None:
            self.moves = [*self.moves[1 - MEMORY :], x - self.last[0]]
            self.changes = [*self.changes[1 - MEMORY :], residual - self.last[1]]
        self.last = x, residual
        step = climb(np.array(self.moves), np.array(self.changes), residual) if self.moves else None
        if step is None or not (np.abs(x + step) < FAR).all():
            return None
        return self.unpack(x + step, ahead)


def climb(moves, changes, residual):
    """The step (p,) that past moves (m, p) and their changes of the residual suggest, or None."""
    gram = changes @ changes.T
    if not 0 < gram.trace() < np.inf:
        return None
    values, vectors = np.linalg.eigh(gram)
    mix = vectors.T @ (changes @ residual) / (values + RIDGE * values[-1])
    uphill = vectors.T @ (moves @ residual)
    rest = residual - (vectors @ mix) @ changes
    return (vectors @ np.copysign(mix, uphill)) @ moves + rest


def warn_unconverged(result, max_iter, stacklevel=3):
    """Warn where EM ended with something left to gain."""
    n, values = len(result.objective), [result.start, *result.objective]
    if result.end == "nan" or (n > 0 and not math.isfinite(values[-1])):
        problem = f"EM ended after {n} iterations, as the objective was {values[-1]}"
        remedy = "scale the data, raise the regularization or use fewer components"
    elif result.end == "max_iter" and n > 0:
        last = min(n, max(LEAST_WINDOW, int(WINDOW * n)))
        gain = values[-1] - values[-1 - last]
        problem = (
            f"EM did not converge in max_iter={max_iter} iterations: the objective per row grew "
            f"by {gain:.2g} in the last {last}"
        )
        remedy = "raise max_iter or tol"
    else:
        return
    warnings.warn(f"{problem}; {remedy}.", ConvergenceWarning, stacklevel=stacklevel)
