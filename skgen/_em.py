"""Expectation-maximization, for every model in the package that has latent variables.

One loop serves maximum likelihood, MAP and variational Bayes; it alone knows of convergence,
acceleration, monitors and interrupts. A model gives it a function

    step(params) -> (next_params, objective of params)

which is one E-step and the M-step after it. The objective is a mean per row: a log-likelihood, a
log-posterior or an evidence lower bound. EM never lowers it.
"""

import warnings
from typing import Any, NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning

# Anderson acceleration: residuals remembered, and plain steps before the first accelerated one.
MEMORY = 6
PLAIN_STEPS = 3
# An objective is a sum of rounded terms: a fall below this share of its size is none.
ROUNDING = 1e-12


class EMResult(NamedTuple):
    params: Any
    objective: list  # after each iteration; the last one belongs to `params`
    converged: bool
    interrupted: bool = False
    start: float = -np.inf  # the objective before the first iteration


def run_em(step, params, *, max_iter, tol, vector=None, monitor=None, rounding=ROUNDING):
    """Iterate ``step`` until no more than ``tol`` is left to gain.

    The gain that is left is extrapolated (Aitken) from the last gains: a slow climb is not taken
    for its summit. With ``vector`` the iterates are combined by Anderson acceleration; where that
    lowers the objective, the plain step is taken instead, so that the objective never falls.

    Parameters
    ----------
    step : callable, params -> (next_params, objective)
    params : the starting point
    max_iter : int
        Number of steps; each is one pass over the data.
    tol : float
        On the objective per row. Negative: never stop before ``max_iter``.
    vector : (pack, unpack) or None
        Parameters to an unconstrained vector and back.
    monitor : callable, (n_iter, params, objective) -> bool, or None
        Called after each iteration; true stops the loop.
    rounding : float
        Relative size of the objective's rounding error.

    Returns
    -------
    EMResult
        Where Ctrl-C came, the parameters reached so far.
    """
    objectives, converged, calls = [], False, 0
    start = -np.inf
    try:
        ahead, current = step(params)
        start = current
        mixer = None if vector is None else _Anderson(*vector)
        while calls < max_iter and not converged:
            candidate = ahead if mixer is None else mixer.propose(params, ahead)
            further, value = step(candidate)
            calls += 1
            if candidate is not ahead and not value >= current - rounding * abs(current):
                mixer.restart()  # the guard: back to the plain step, which cannot fall
                candidate = ahead
                further, value = step(candidate)
                calls += 1
            params, ahead, current = candidate, further, value
            objectives.append(value)
            if monitor is not None and monitor(len(objectives), params, objectives):
                break
            converged = _settled(start, objectives, tol, rounding)
    except KeyboardInterrupt:
        return EMResult(params, objectives, False, True, start)
    return EMResult(params, objectives, converged, False, start)


def _settled(start, objectives, tol, rounding):
    """Whether the gain that is left, by the last three gains, is below ``tol``."""
    values = [start, *objectives[-3:]] if len(objectives) < 4 else objectives[-4:]
    gain = values[-1] - values[-2]
    if tol < 0 or not np.isfinite(gain):
        return False
    if abs(gain) <= 4 * rounding * abs(values[-1]):
        return True
    if len(values) < 3 or gain > tol:
        return False
    # Geometric gains g, g r, g r^2, ... add up to g r / (1 - r) after the last. The ratio is the
    # largest of the last two, as accelerated gains are irregular; without one it is cautious.
    gains = np.diff(values)
    ratios = [b / a for a, b in zip(gains, gains[1:], strict=False) if a > 0]
    ratio = min(max(ratios, default=0.9), 0.999)
    return gain * ratio / (1 - ratio) <= tol if ratio > 0 else True


class _Anderson:
    """Anderson mixing of a fixed-point iteration x <- f(x), type II.

    References
    ----------
    Walker, Ni (2011). Anderson acceleration for fixed-point iterations. SIAM J. Numer. Anal.
    49(4). Henderson, Varadhan (2019). Damped Anderson acceleration with restarts and monotonicity
    control for accelerating EM and EM-like algorithms. J. Comput. Graph. Stat. 28(4).
    """

    def __init__(self, pack, unpack):
        self.pack, self.unpack = pack, unpack
        self.plain = PLAIN_STEPS
        self.images, self.residuals = [], []

    def restart(self):
        self.plain, self.images, self.residuals = 1, self.images[-1:], self.residuals[-1:]

    def propose(self, params, ahead):
        """The combination of past steps whose residual is least, or ``ahead`` itself."""
        image = self.pack(ahead)
        if image is None:
            return ahead
        self.images = [*self.images[-MEMORY:], image]
        self.residuals = [*self.residuals[-MEMORY:], image - self.pack(params)]
        if self.plain > 0 or len(self.images) < 2 or not np.isfinite(self.residuals[-1]).all():
            self.plain -= 1
            return ahead
        steps = np.diff(self.residuals, axis=0).T
        u, s, vt = np.linalg.svd(steps, full_matrices=False)
        if not s[0] > 0:
            return ahead
        damped = s / (s**2 + 1e-12 * s[0] ** 2)  # the steps become parallel: a ridge
        mix = vt.T @ (damped * (u.T @ self.residuals[-1]))
        vector = image - np.diff(self.images, axis=0).T @ mix
        candidate = self.unpack(vector, ahead) if np.isfinite(vector).all() else None
        return ahead if candidate is None else candidate


def warn_unconverged(result, max_iter, stacklevel=3):
    """Warn where EM stopped at ``max_iter`` with something left to gain."""
    if not result.converged and not result.interrupted and len(result.objective) > 0:
        gain = result.objective[-1] - ([result.start, *result.objective])[-2]
        warnings.warn(
            f"EM stopped after {len(result.objective)} iterations (max_iter={max_iter}) while the "
            f"objective still grew by {gain:.2g} per row; raise max_iter or tol.",
            ConvergenceWarning,
            stacklevel=stacklevel,
        )
