"""Exact maximum likelihood of several columns, with missing entries anywhere.

The likelihood is that of the filled sequences, corrected for what was filled (see _ar_exact.pyx);
its gradient is the expectation of the complete data's, given what is observed (Fisher's identity).
The first p rows have the stationary law, whose covariance solves P = F P F' + Q with F the
companion matrix: what the likelihood owes to P is taken back through that equation.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy.linalg import solve_discrete_lyapunov

from . import _least_squares as least_squares
from ._minimize import minimize
from ._model import LEAST, ARParams, Smoother, companion, floored, is_stationary, start_covariance

# Of an innovation's deviation, what those of the columns before leave: less than any floor does.
LEAST_SHARE = 0.5 * LEAST**0.5


class Point(NamedTuple):
    """Parameters, and the gradient by them."""

    coef: np.ndarray  # (p, d, d)
    beta: np.ndarray  # (r + m, d), of terms and exogenous columns, in the mean
    chol: np.ndarray  # (d, d), lower factor of sigma


class Likelihood:
    """The log-likelihood of a task as a function of its parameters."""

    def __init__(self, task, order):
        self.weights, self.prior, self.diff = task.weights, task.prior, task.diff
        self.least = np.sqrt(task.floor)
        x, self.offsets, entries, starts = task.hidden()
        self.x = np.nan_to_num(x, nan=0.0)
        self.entries = np.split(entries, starts[1:-1])
        self.known = np.concatenate([task.terms, task.exog], axis=1)
        d = task.shape[0]
        self.order, self.active = order, np.ones((order, 1, 1))
        if task.lags is not None:
            self.active = np.isin(np.arange(1, order + 1), task.lags)[:, None, None]
        observed = np.diff(self.offsets) * d - np.diff(starts)
        self.n_obs = float(self._weights() @ observed)
        self.n_rows = self.n_obs / d
        self.ratio = np.ones((d, d))

    def _weights(self):
        return np.ones(len(self.offsets) - 1) if self.weights is None else self.weights

    def params(self, point):
        """In the form of the model, as deviations from the mean."""
        d = point.chol.shape[0]
        sigma = point.chol @ point.chol.T
        nothing = np.empty((0, d))
        return ARParams(
            point.coef, nothing, nothing, sigma, np.zeros(d), np.ones(d), int(self.diff)
        )

    def __call__(self, point):
        """The log-likelihood and its gradient; -inf where the model is not stationary."""
        size = np.linalg.norm(point.chol, axis=1)
        enough = (size >= self.least) & (np.diag(point.chol) > LEAST_SHARE * size)
        if not enough.all() or not is_stationary(point.coef):
            return -np.inf, None
        params = self.params(point)
        try:
            smoother = Smoother(params)
        except np.linalg.LinAlgError:  # so near to a unit root that its variance has no digits
            return -np.inf, None
        u = self.x - self.known @ point.beta
        p, d = params.shape
        totals = _Totals(p, d)
        slope_beta = np.zeros_like(point.beta)
        for s, (a, b) in enumerate(pairwise(self.offsets)):
            w = self._weights()[s]
            pull = totals.add(smoother, u[a:b], self.entries[s], w)
            slope_beta += w * self.known[a:b].T @ pull[: b - a]
        value = totals.log_lik(params, smoother, self.n_obs)
        coef, chol = totals.slope(params, smoother, point)
        coef = coef[: self.order]
        if self.prior:
            value, coef = self._with_prior(point, value, coef)
        return value, Point(coef, slope_beta, chol)

    def _with_prior(self, point, value, coef):
        squared = self.prior * np.arange(1, self.order + 1)[:, None, None] ** 2 * self.ratio
        return value - 0.5 * (squared * point.coef**2).sum(), coef - squared * point.coef


class _Totals:
    """Sums over sequences of what the likelihood and its gradient need."""

    def __init__(self, p, d):
        q = (p + 1) * d
        self.gram, self.head = np.zeros((q, q)), np.zeros((p * d, p * d))
        self.plain = np.zeros((p * d, p * d))  # head without the covariances
        self.squares = np.zeros((d, d))
        self.log_det = self.n = self.n_sequences = 0.0

    def add(self, smoother, x, entries, w):
        """One sequence, of which entries are missing; gives the precision matrix times it."""
        (p, d), diff, log_det = smoother.params.shape, smoother.params.diff, 0.0
        short = p - len(x)
        if short > 0:
            beyond = (len(x) + diff) * d
            entries = np.append(entries, np.arange(beyond, beyond + short * d))
            x = np.concatenate([x, np.zeros((short, d))])
        if len(entries):
            shift = np.zeros((len(x) + diff, d))
            outputs = {"gram": self.gram, "head": self.head, "weight": w}
            shift.ravel()[entries], log_det = smoother(x, entries, **outputs)
            x = x + (np.diff(shift, axis=0) if diff else shift)
        lagged = np.concatenate([x[p - a : len(x) - a] for a in range(p + 1)], axis=1)
        self.gram += w * lagged.T @ lagged
        errors = lagged @ smoother.flat_wide
        self.squares += w * errors.T @ errors
        first = np.outer(x[:p].ravel(), x[:p].ravel())
        self.head += w * first
        self.plain += w * first
        self.log_det += w * log_det
        self.n += w * (len(x) - p)
        self.n_sequences += w
        return smoother._pull(x)

    def log_lik(self, params, smoother, n_obs):
        quadratic = np.sum(smoother.inverse * self.squares) + np.sum(smoother.start * self.plain)
        log_dets = self.n * np.linalg.slogdet(params.sigma)[1] + self.log_det
        log_dets -= self.n_sequences * np.linalg.slogdet(smoother.start)[1]
        return -0.5 * (n_obs * np.log(2 * np.pi) + quadratic + log_dets)

    def slope(self, params, smoother, point):
        """By the coefficients and by the Cholesky factor of sigma."""
        p, d = params.shape
        wide = smoother.flat_wide  # ((p + 1) d, d): errors are lagged rows times it
        by_coef = smoother.inverse @ (wide.T @ self.gram[:, d:])
        squares = wide.T @ self.gram @ wide
        by_sigma = 0.5 * smoother.inverse @ (squares - self.n * params.sigma) @ smoother.inverse
        start = _latest_first(smoother.start, p, d)
        pull = 0.5 * (start @ _latest_first(self.head, p, d) @ start - self.n_sequences * start)
        step = companion(params.lags())
        back = solve_discrete_lyapunov(step.T, (pull + pull.T) / 2)
        by_coef += (2 * back @ step @ start_covariance(params._replace(diff=0)))[:d]
        by_sigma += back[:d, :d]
        by_chol = np.tril((by_sigma + by_sigma.T) @ point.chol)
        return by_coef.reshape(d, p, d).transpose(1, 0, 2), by_chol


def _latest_first(matrix, p, d):
    return matrix.reshape(p, d, p, d)[::-1, :, ::-1].reshape(p * d, p * d)


class _Coordinates:
    """Deviations from a start in units in which the likelihood is about round."""

    def __init__(self, start, gram, known, n, active):
        self.start, self.n = start, n
        d = start.chol.shape[0]
        self.columns = np.flatnonzero(np.repeat(active.ravel(), d))  # of the lags in use
        own = gram[np.ix_(self.columns, self.columns)]
        self.lags = np.linalg.inv(np.linalg.cholesky(definite(own)).T) if len(own) else own
        self.known = np.linalg.inv(np.linalg.cholesky(definite(known.T @ known)).T)
        gain = np.eye(d) - start.coef.sum(axis=0)
        self.level = np.linalg.lstsq(gain, start.chol, rcond=1e-6)[0]
        self.corner = np.tril_indices(d)

    def point(self, theta):
        p, d = self.start.coef.shape[:2]
        k = len(self.columns)
        wide, beta, corner = np.split(theta, np.cumsum([k * d, self.start.beta.size]))
        change = np.zeros((d, p * d))
        change[:, self.columns] = self.start.chol @ wide.reshape(d, k) @ self.lags.T
        factor = np.eye(d)
        factor[self.corner] += corner / np.sqrt(self.n)
        return Point(
            self.start.coef + change.reshape(d, p, d).transpose(1, 0, 2),
            self.start.beta + self.known @ beta.reshape(-1, d) @ self.level.T,
            self.start.chol @ factor,
        )

    def gradient(self, slope):
        p, d = self.start.coef.shape[:2]
        wide = slope.coef.transpose(1, 0, 2).reshape(d, p * d)[:, self.columns]
        corner = self.start.chol.T @ slope.chol
        parts = [
            self.start.chol.T @ wide @ self.lags,
            self.known.T @ slope.beta @ self.level,
            corner[self.corner] / np.sqrt(self.n),
        ]
        return np.concatenate([part.ravel() for part in parts])


def definite(matrix):
    """The matrix with a little of its diagonal added."""
    diagonal = np.diag(matrix)
    return matrix + 1e-10 * np.diag(np.maximum(diagonal, 1e-10 * max(diagonal.max(initial=0), 1)))


def maximize(task, order):
    """The maximum of the exact likelihood at one order: point, log-likelihood, run."""
    likelihood = Likelihood(task, order)
    start, gram = _start(task, likelihood, order)
    variance = np.sum(start.chol**2, axis=1)
    likelihood.ratio = variance / variance[:, None]  # the prior's units, not moved by the fit
    coordinates = _Coordinates(start, gram, likelihood.known, likelihood.n_rows, likelihood.active)

    def function(theta):
        value, slope = likelihood(coordinates.point(theta))
        return -value, None if slope is None else -coordinates.gradient(slope)

    size = len(coordinates.columns) * task.shape[0] + start.beta.size
    size += len(coordinates.corner[0])
    run = minimize(function, np.zeros(size), size=likelihood.n_obs, max_iter=task.max_iter)
    return coordinates.point(run.x), -run.value, run


def _start(task, likelihood, order):
    """Yule-Walker's fit to sequences with means in their gaps, and the Gram matrix of its lags."""
    d = task.shape[0]
    seen = ~np.isnan(task.x)
    beta = np.zeros((likelihood.known.shape[1], d))
    for j in range(d):
        rows = seen[:, j]
        if beta.size:
            beta[:, j] = np.linalg.lstsq(likelihood.known[rows], task.x[rows, j], rcond=None)[0]
    u = np.where(seen, task.x - likelihood.known @ beta, 0.0)
    gamma = least_squares.autocovariance_matrices(u, task.offsets, task.weights, order)
    # What is missing makes covariances small: each by the share of the pairs that were seen.
    share = seen.mean(axis=0)
    gamma = gamma / np.minimum(np.sqrt(np.outer(share, share)), 1.0)
    orders, errors = least_squares.whittle(gamma)
    coef, sigma = orders[-1], errors[-1]
    if task.lags is not None:
        coef = coef * likelihood.active
    while not is_stationary(coef):
        coef = 0.8 * coef
    sigma = floored(sigma, np.maximum(1e-6 * np.diag(gamma[0]), 4 * task.floor))
    gram = np.empty((order, d, order, d))
    for i in range(order):
        for j in range(order):
            gram[i, :, j] = gamma[j - i] if j >= i else gamma[i - j].T
    gram = likelihood.n_rows * gram.reshape(order * d, order * d)
    return Point(coef, beta, np.linalg.cholesky(sigma)), gram
