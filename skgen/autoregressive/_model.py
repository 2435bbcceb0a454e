"""A vector autoregression as arrays, and what follows from them. One series has d = 1.

x[t] = m[t] + u[t],   u[t] = coef[0] u[t-1] + ... + coef[p-1] u[t-p] + e[t],   e ~ N(0, sigma)

Of an integrated process (diff = 1) these are the steps x[t] - x[t-1]. Nothing is known of its level
before the first observed entry of a column; where a law is needed, it is N(location, scale^2).
"""

from typing import NamedTuple

import numpy as np
from scipy.linalg import solve_discrete_lyapunov

from .._kernels import _ar_filter, _ar_smooth
from .._sequences import offsets_of
from . import _steps as steps

# The least eigenvalue of innovations' correlations. Columns that determine each other have an
# infinite likelihood, of which less would leave no digits.
LEAST = 4e-12

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
    diff: int = 0  # 1 where steps follow the recursion; their model is stationary

    @property
    def shape(self):
        """Number of lags, at least one, and of columns."""
        return max(1, len(self.coef)), self.sigma.shape[0]

    def lags(self):
        """The coefficients of one lag at least, C-contiguous."""
        d = self.shape[1]
        return np.ascontiguousarray(self.coef if len(self.coef) else np.zeros((1, d, d)))

    def recursion(self):
        """Those by which rows follow from the rows before them."""
        if not self.diff:
            return self.lags()
        ahead, d = np.zeros((len(self.coef) + 1, *self.sigma.shape)), self.shape[1]
        ahead[0] = np.eye(d)
        ahead[:-1] += self.coef
        ahead[1:] -= self.coef
        return ahead

    def process(self):
        """The model, or where its steps are not stationary what it says of the rows."""
        if not self.diff or is_stationary(self.coef):
            return self
        return self._replace(coef=self.recursion(), diff=0)

    @property
    def level(self):
        """Deviations of the level of an integrated process, else None."""
        return np.ascontiguousarray(self.scale) if self.diff else None


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
    """Coefficients (..., p) from partial autocorrelations."""
    coef = np.zeros(partial.shape)
    for k in range(partial.shape[-1]):
        last = partial[..., k : k + 1]
        coef[..., :k] -= last * coef[..., :k][..., ::-1]
        coef[..., k : k + 1] = last
    return coef


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
    """Covariance of as many rows as the recursion has lags, before which nothing is known.

    Of an integrated process it is relative to the level of the latest of them.
    """
    if params.diff:
        return _integrated_covariance(params)
    p, d = params.shape
    if not is_stationary(params.coef):
        return np.diag(np.tile(params.scale**2, p))
    gamma = autocovariances(params.coef, params.sigma, p)
    out = np.empty((p, d, p, d))
    for i in range(p):
        for j in range(p):  # the latest row first: row i is j - i steps after row j
            out[i, :, j] = gamma[j - i] if j >= i else gamma[i - j].T
    return out.reshape(p * d, p * d)


def _integrated_covariance(params):
    """Of sums of the last 0, 1, ..., p steps."""
    p, d = len(params.coef), params.shape[1]
    out = np.zeros((p + 1, d, p + 1, d))
    if p:
        own = start_covariance(params._replace(diff=0)).reshape(p, d, p, d)
        out[1:, :, 1:] = own.cumsum(axis=0).cumsum(axis=2)
    return out.reshape((p + 1) * d, (p + 1) * d)


def start_precision(params):
    """The inverse of :func:`start_covariance`, but in order of time, and of steps."""
    params = params._replace(diff=0)
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
        if params.diff:
            out = _summed(out, lengths) + params.location
    else:
        out = _recursive_mean(params, terms, lengths, first)
    return out if exog is None else out + exog @ params.exog


def _summed(rises, lengths):
    """Levels that rise so, from zero in the first row of each sequence."""
    out = np.cumsum(rises, axis=0)
    first = offsets_of(lengths)[:-1]
    return out - np.repeat(out[first], lengths, axis=0)


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
        params.recursion(),
        np.ascontiguousarray(params.sigma),
        start_covariance(params),
        level=params.level,
        **outputs,
    )


def run_inverse(params, scaled, offsets):
    """Deviations from the mean that have these innovations."""
    u = np.empty_like(scaled)
    sigma = np.ascontiguousarray(params.sigma)
    recursion, start = params.recursion(), start_covariance(params)
    _ar_filter.run_inverse(scaled, offsets, recursion, sigma, start, u, level=params.level)
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
        short = p + self.params.diff - len(u)
        return u if short <= 0 else np.concatenate([u, np.full((short, d), np.nan)])

    def __call__(self, x, entries, **outputs):
        """What must be added to missing entries, and log|precision| of them.

        Parameters
        ----------
        x : ndarray of shape (T, d)
            P rows or more with anything in the place of missing entries; steps of an integrated
            process.
        entries : ndarray of shape (m,), intp
            As numbers of a flat array, of rows or of levels; ascending.
        outputs
            For further outputs see the kernel.
        """
        pull, diff = self._pull(x), bool(self.params.diff)
        pull = (-np.diff(pull, axis=0, prepend=0, append=0) if diff else pull).ravel()[entries]
        return self._solved(len(x), entries, pull, diff=diff, **outputs)

    def _solved(self, n, entries, pull, **outputs):
        shift = np.empty(len(entries))
        log_det = _ar_smooth.smooth(
            n, entries, self.flat, self.sums, self.start, pull, shift, **outputs
        )
        return shift, log_det

    def filled(self, u, **outputs):
        """U, of p rows or more, with conditional means in the place of missing entries."""
        x, entries = self._known(u)
        rows = np.diff(x, axis=0) if self.params.diff else x
        x.ravel()[entries] += self(rows, entries, **outputs)[0]
        return x

    def _known(self, u):
        """U without NaN, and the numbers of the entries that are missing."""
        x, gone = steps.filled(u, np.array([0, len(u)]), self.params.diff)
        return x, np.flatnonzero(gone)

    def deviations(self, u):
        """Standard deviation of each entry given all that is observed: 0 for these."""
        u, rows = self.padded(u), len(u)
        entries = self._known(u)[1]
        out, variance = np.zeros(u.shape), np.empty(len(entries))
        self.filled(u, variance=variance)
        out.ravel()[entries] = variance
        afloat = self._afloat(u)
        out[:, afloat] += self.params.scale[afloat] ** 2
        return np.sqrt(out[:rows])

    def draw(self, u, rng, n_draws=1):
        """Completed copies of u, of shape (n_draws, T, d)."""
        u, rows = self.padded(u), len(u)
        entries = self._known(u)[1]
        normals = rng.standard_normal((n_draws, len(entries)))
        draws = np.empty_like(normals)
        filled = self.filled(u, normals=normals, draws=draws)
        out = np.repeat(filled[None], n_draws, axis=0)
        out.reshape(n_draws, -1)[:, entries] += draws
        afloat = self._afloat(u)
        if afloat.any():
            levels = rng.standard_normal((n_draws, 1, int(afloat.sum())))
            out[:, :, afloat] += levels * self.params.scale[afloat]
        return out[:, :rows]

    def _afloat(self, u):
        """Columns of whose level nothing is known."""
        return np.isnan(u).all(axis=0) & bool(self.params.diff)

    def fill(self, u):
        """Conditional means in the place of missing entries."""
        return self.filled(self.padded(u))[: len(u)]

    def denoise(self, y, noise):
        """Mean of u where y = u + white noise of these variances (d,) was seen."""
        y, rows = self.padded(y), len(y)
        seen, diff = ~np.isnan(y), self.params.diff
        entries = np.arange(y.size)
        if diff:  # a level of which nothing is known stays where it is
            entries = entries[np.tile(seen.any(axis=0), len(y)) | (entries >= y.shape[1])]
        ridge = np.where(seen, 1.0 / noise, 0.0).ravel()
        pull, x = -(ridge * np.where(seen, y, 0.0).ravel()), np.zeros(y.shape)
        ridge, pull = ridge[entries], pull[entries]
        x.ravel()[entries] = self._solved(
            len(y) - diff, entries, pull, ridge=ridge, diff=bool(diff)
        )[0]
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


def floored(sigma, floor):
    """Covariances with no variance below the floor, and no column that the others determine."""
    d = sigma.shape[-1]
    if d == 1:
        return np.maximum(sigma, floor)
    sigma, each = (sigma + np.swapaxes(sigma, -1, -2)) / 2, range(d)
    sigma[..., each, each] = variance = np.maximum(sigma[..., each, each], floor)
    scale = np.sqrt(variance)
    units = scale[..., :, None] * scale[..., None, :]
    values, vectors = np.linalg.eigh(sigma / units)
    raised = (vectors * np.maximum(values, LEAST)[..., None, :]) @ np.swapaxes(vectors, -1, -2)
    return np.where(values[..., :1, None] < LEAST, raised * units, sigma)
