"""A vector autoregression as arrays, and what follows from them. One series has d = 1.

x[t] = m[t] + u[t],   u[t] = coef[0] u[t-1] + ... + coef[p-1] u[t-p] + e[t],   e ~ N(0, sigma)
"""

from typing import NamedTuple

import numpy as np
from scipy.linalg import solve_discrete_lyapunov

from .._kernels import _ar_filter, _ar_smooth

# Beyond this modulus of a root a model counts as not stationary: its variance has no digits.
LARGEST_ROOT = 1 - 1e-9


class ARParams(NamedTuple):
    """All that a fitted model knows."""

    coef: np.ndarray  # (p, d, d)
    terms: np.ndarray  # (r, d), of deterministic terms, in the recursion
    exog: np.ndarray  # (m, d), of exogenous columns, in the mean
    sigma: np.ndarray  # (d, d)
    location: np.ndarray  # (d,) and
    scale: np.ndarray  # (d,) of the first rows of a model that is not stationary

    @property
    def shape(self):
        """Number of lags, at least one, and of columns."""
        return max(1, len(self.coef)), self.sigma.shape[0]

    def lags(self):
        """The coefficients of one lag at least, C-contiguous."""
        d = self.shape[1]
        return np.ascontiguousarray(self.coef if len(self.coef) else np.zeros((1, d, d)))


def levels(coef):
    """Step-down recursion of (p,) coefficients: those of order 0 .. p, and partial ones, or None.

    None where the model is not stationary.
    """
    own, partial = [np.asarray(coef, dtype=np.float64)], []
    for _ in range(len(coef)):
        a, k = own[-1], own[-1][-1]
        if not abs(k) < 1:
            return None
        partial.append(k)
        own.append((a[:-1] + k * a[-2::-1]) / (1 - k * k) if len(a) > 1 else a[:0])
    return own[::-1], np.array(partial[::-1])


def partial_to_coef(partial):
    """Coefficients (p,) from partial autocorrelations."""
    a = np.empty(0)
    for k in partial:
        a = np.append(a - k * a[::-1], k)
    return a


def companion(coef):
    """The matrix (p d, p d) that takes p rows, the latest first, one step on."""
    p, d = coef.shape[:2]
    out = np.eye(p * d, k=-d)
    out[:d] = coef.transpose(1, 0, 2).reshape(d, p * d)
    return out


def is_stationary(coef):
    """Whether all roots lie within the unit circle."""
    if len(coef) == 0:
        return True
    if coef.shape[1] == 1:
        found = levels(coef[:, 0, 0])
        return found is not None and np.abs(found[1]).max() < LARGEST_ROOT
    return np.abs(np.linalg.eigvals(companion(coef))).max() < LARGEST_ROOT


def autocovariances(coef, sigma, n):
    """Covariances of x[t] and x[t - h] of a stationary model, h < n, of shape (n, d, d)."""
    d = sigma.shape[0]
    if d == 1:
        return _scalar_autocovariances(coef[:, 0, 0], sigma[0, 0], n)[:, None, None]
    p = max(1, len(coef))
    coef = coef if len(coef) else np.zeros((1, d, d))
    noise = np.zeros((p * d, p * d))
    noise[:d, :d] = sigma
    state = solve_discrete_lyapunov(companion(coef), noise)
    out = [state[:d, h * d : (h + 1) * d] for h in range(min(p, n))]
    for h in range(p, n):
        out.append(sum(coef[j] @ out[h - 1 - j] for j in range(p)))
    return np.array(out)


def _scalar_autocovariances(coef, variance, n):
    """By Levinson's recursion read backwards, which has no system to solve."""
    orders, partial = levels(coef)
    error = variance / np.prod(1 - partial**2)
    out = [error]
    for h in range(1, n):
        own = orders[min(h - 1, len(coef))]
        value = own @ np.array(out[::-1][: len(own)])
        if h <= len(coef):
            value += partial[h - 1] * error
            error *= 1 - partial[h - 1] ** 2
        out.append(value)
    return np.array(out)


def start_covariance(params):
    """Covariance (p d, p d) of p rows before which nothing is known."""
    p, d = params.shape
    if not is_stationary(params.coef):
        return np.diag(np.tile(params.scale**2, p))
    gamma = autocovariances(params.coef, params.sigma, p)
    out = np.empty((p, d, p, d))
    for i in range(p):
        for j in range(p):  # the latest row first: row i is j - i steps after row j
            out[i, :, j] = gamma[j - i] if j >= i else gamma[i - j].T
    return out.reshape(p * d, p * d)


def start_precision(params):
    """The inverse of :func:`start_covariance`, but in order of time."""
    p, d = params.shape
    if d == 1 and is_stationary(params.coef):
        return _scalar_precision(params.coef[:, 0, 0], params.sigma[0, 0], p)
    in_time = start_covariance(params).reshape(p, d, p, d)[::-1, :, ::-1].reshape(p * d, p * d)
    return np.linalg.inv(in_time)


def _scalar_precision(coef, variance, p):
    """From the errors of prediction by the values before, which are independent."""
    orders, partial = levels(coef)
    errors = variance / np.concatenate([np.cumprod(1 - partial[::-1] ** 2)[::-1], [1.0]])
    rows = np.eye(p)
    for i in range(min(p, len(coef) + 1)):
        rows[i, :i] = -orders[i][::-1]
    weights = errors[np.minimum(np.arange(p), len(errors) - 1)]
    return rows.T @ (rows / weights[:, None])


def mean_path(params, terms, lengths, exog=None, first=0):
    """The mean m (n, d) of sequences end to end whose first step has the time `first` + 1."""
    d = params.shape[1]
    if is_stationary(params.coef):
        r = terms.n_terms
        beta = terms.of_mean(params.coef, params.terms) if r else np.zeros((1, d))
        if not terms.varies:
            out = np.broadcast_to(beta, (int(np.sum(lengths)), d))
        else:
            out = terms.stacked(lengths, first) @ beta
    else:
        out = _recursive_mean(params, terms, lengths, first)
    return out if exog is None else out + exog @ params.exog


def _recursive_mean(params, terms, lengths, first):
    """Without stationarity: the recursion without noise, from the location of the fit."""
    n, d = int(np.max(lengths)), params.shape[1]
    coef, drift = params.lags(), terms.design(first, n) @ params.terms
    path = np.tile(params.location, (1, len(coef) + n, 1))
    _ar_filter.simulate(coef, path, np.ascontiguousarray(drift).reshape(1, n, d))
    # The first rows have no past: each of them has the location and scale of the fit.
    out = path[0, len(coef) :]
    return np.concatenate([out[:length] for length in lengths])


def run_filter(params, u, offsets, **outputs):
    """See the kernel."""
    _ar_filter.run_filter(
        u,
        offsets,
        params.lags(),
        np.ascontiguousarray(params.sigma),
        start_covariance(params),
        **outputs,
    )


def run_inverse(params, scaled, offsets):
    """Deviations from the mean that have these innovations."""
    u = np.empty_like(scaled)
    sigma = np.ascontiguousarray(params.sigma)
    _ar_filter.run_inverse(scaled, offsets, params.lags(), sigma, start_covariance(params), u)
    return u


class Smoother:
    """Sequences given all that is observed of them."""

    def __init__(self, params):
        self.params = params
        coef = params.lags()
        p, d = params.shape
        self.A = np.concatenate([np.eye(d)[None], -coef])
        self.inverse = np.linalg.inv(params.sigma)
        products = np.einsum("aki,kl,blj->abij", self.A, self.inverse, self.A)
        self.sums = np.zeros((p + 1, p + 2, d, d))
        for h in range(p + 1):
            diagonal = [products[a, a + h] for a in range(p + 1 - h)]
            self.sums[h, 1 : p + 2 - h] = np.cumsum(diagonal, axis=0)
            self.sums[h, p + 2 - h :] = self.sums[h, p + 1 - h]
        self.start = np.ascontiguousarray(start_precision(params))
        self.flat = np.ascontiguousarray(self.A.reshape((p + 1) * d, d))
        # Errors are rows [u[t], ..., u[t - p]] times this.
        self.flat_wide = self.A.transpose(0, 2, 1).reshape((p + 1) * d, d)

    def padded(self, u):
        """At least p rows: a longer stretch of the process, of which the rest is missing."""
        p, d = self.params.shape
        short = p - len(u)
        return u if short <= 0 else np.concatenate([u, np.full((short, d), np.nan)])

    def __call__(self, u, **outputs):
        """P rows or more filled with conditional means, and log|precision| of what was missing.

        For further outputs see the kernel; entries are those of ``np.flatnonzero(np.isnan(u))``.
        """
        entries, x = np.flatnonzero(np.isnan(u)), np.nan_to_num(u, nan=0.0)
        pull = self._pull(x).ravel()[entries]
        log_det = _ar_smooth.smooth(x, entries, self.flat, self.sums, self.start, pull, **outputs)
        return x, log_det

    def deviations(self, u):
        """Standard deviation of each entry given all that is observed: 0 for these."""
        u, rows = self.padded(u), len(u)
        gone = np.isnan(u)
        out, variance = np.zeros(u.shape), np.empty(int(gone.sum()))
        self(u, variance=variance)
        out[gone] = np.sqrt(variance)
        return out[:rows]

    def draw(self, u, rng, n_draws=1):
        """Completed copies of u, of shape (n_draws, T, d)."""
        u, rows = self.padded(u), len(u)
        gone = np.isnan(u)
        normals = rng.standard_normal((n_draws, int(gone.sum())))
        draws = np.empty_like(normals)
        filled, _ = self(u, normals=normals, draws=draws)
        out = np.repeat(filled[None], n_draws, axis=0)
        out[:, gone] += draws
        return out[:, :rows]

    def fill(self, u):
        """Conditional means in the place of missing entries."""
        return self(self.padded(u))[0][: len(u)]

    def denoise(self, y, noise):
        """Mean of u where y = u + white noise of these variances (d,) was seen."""
        y, rows = self.padded(y), len(y)
        seen = ~np.isnan(y)
        ridge = np.where(seen, 1.0 / noise, 0.0)
        x = np.zeros_like(y)
        pull = -(ridge * np.where(seen, y, 0.0)).ravel()
        _ar_smooth.smooth(
            x,
            np.arange(x.size),
            self.flat,
            self.sums,
            self.start,
            pull,
            ridge=ridge.ravel(),
        )
        return x[:rows]

    def _pull(self, x):
        """The precision matrix times x."""
        p, d = self.params.shape
        out = np.zeros_like(x)
        weighted = self.residuals(x) @ self.inverse
        for a in range(p + 1):
            out[p - a : len(x) - a] += weighted @ self.A[a]
        out[:p] += (self.start @ x[:p].ravel()).reshape(p, d)
        return out

    def residuals(self, x):
        """Errors of the rows from p on."""
        p = self.params.shape[0]
        return sum(x[p - a : len(x) - a] @ self.A[a].T for a in range(p + 1))
