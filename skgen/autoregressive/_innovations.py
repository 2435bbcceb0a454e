"""Laws of innovations: a normal distribution, or one around each of many residuals.

A bootstrap has to have a density: each residual stands for a narrow normal distribution about it,
and all of them together have the covariance of the residuals (a smoothed bootstrap). With one
centre, at zero, this is the normal law.
"""

from typing import NamedTuple, Self

import numpy as np
from scipy.special import log_ndtr, logsumexp, ndtri_exp

from ..emissions._base import log_sum

LOG_2PI = np.log(2 * np.pi)
MAX_CENTRES = 1000
BLOCK = 1 << 21  # entries of an array of rows times centres
BISECTIONS = 60


class Innovations(NamedTuple):
    """The normal distributions with these means and weights, and one covariance for all."""

    centres: np.ndarray  # (m, d)
    log_weights: np.ndarray  # (m,)
    chol: np.ndarray  # (d, d), lower factor of the covariance of each

    @classmethod
    def normal(cls, covariance) -> Self:
        """One normal distribution with mean zero."""
        d = len(covariance)
        return cls(np.zeros((1, d)), np.zeros(1), np.linalg.cholesky(covariance))

    @classmethod
    def around(cls, residuals, covariance) -> Self:
        """The smoothed bootstrap of residuals (m, d) whose mean is zero, with this covariance."""
        m, d = residuals.shape
        width = m ** (-1 / (d + 4))  # Scott's rule
        chol = np.linalg.cholesky(covariance)
        return cls(np.sqrt(1 - width**2) * residuals, np.full(m, -np.log(m)), width * chol)

    def marginal(self, entries) -> Self:
        """The law of some of the columns."""
        if len(entries) == len(self.chol):
            return self
        half = self.chol[entries]
        return type(self)(
            self.centres[:, entries], self.log_weights, np.linalg.cholesky(half @ half.T)
        )

    def log_prob(self, e):
        """Log densities of rows e (n, d), of shape (n,)."""
        return self._by_block(e, lambda rows: log_sum(self._by_centre(rows)))

    def draw(self, n, rng):
        """N rows."""
        k = rng.choice(len(self.centres), n, p=np.exp(self.log_weights))
        return self.centres[k] + rng.standard_normal((n, len(self.chol))) @ self.chol.T

    def fill(self, e, gone, rng):
        """Rows e (n, d) whose columns `gone` are drawn given the others."""
        d, out = len(self.chol), e.copy()
        if len(gone) == d:
            return self.draw(len(e), rng)
        seen = np.setdiff1d(np.arange(d), gone)
        covariance = self.chol @ self.chol.T
        gain = np.linalg.solve(covariance[np.ix_(seen, seen)], covariance[np.ix_(seen, gone)])
        rest = covariance[np.ix_(gone, gone)] - covariance[np.ix_(gone, seen)] @ gain
        marginal, chol = self.marginal(seen), np.linalg.cholesky(rest)

        def drawn(rows):
            k = self._pick(marginal._by_centre(rows[:, seen]), rng)
            mean = self.centres[k][:, gone] + (rows[:, seen] - self.centres[k][:, seen]) @ gain
            return mean + rng.standard_normal(mean.shape) @ chol.T

        out[:, gone] = self._by_block(e, drawn)
        return out

    def normal_scores(self, e, scale, log_weights):
        """Standard normal scores (n, d) of rows of which there are k guesses with weights.

        Parameters
        ----------
        e : ndarray of shape (n, k, d)
            The innovations that each guess makes of the row.
        scale : ndarray of shape (n, k, d)
            How much an innovation adds to the row.
        log_weights : ndarray of shape (n, k)

        Returns
        -------
        ndarray of shape (n, d)
            Each entry given the entries before it.
        """
        if e.shape[1] == len(self.centres) == 1:
            return self._white(e[:, 0] - self.centres[0])
        out = np.empty((e.shape[0], e.shape[2]))
        size = max(1, BLOCK // (e.shape[1] * len(self.centres)))
        for a in range(0, len(e), size):
            part = slice(a, a + size)
            out[part] = self._scores(e[part], scale[part], log_weights[part])
        return out

    def _scores(self, e, scale, log_weights):
        y = self._white(e)[..., None, :] - self._white(self.centres)
        weights, out = log_weights[..., None] + self.log_weights, np.empty((len(e), e.shape[2]))
        for j in range(e.shape[2]):
            total = logsumexp(weights, axis=(1, 2))
            below = logsumexp(weights + log_ndtr(y[..., j]), axis=(1, 2)) - total
            above = logsumexp(weights + log_ndtr(-y[..., j]), axis=(1, 2)) - total
            # The smaller tail has the digits.
            out[:, j] = np.where(
                below < above, ndtri_exp(np.minimum(below, 0)), -ndtri_exp(np.minimum(above, 0))
            )
            weights = weights - 0.5 * y[..., j] ** 2 - np.log(scale[..., None, j])
        return out

    def from_normal(self, z):
        """The rows that have these standard normal scores (n, d)."""
        if len(self.centres) == 1:
            return self.centres[0] + z @ self.chol.T
        return self._by_block(z, self._from_normal)

    def _from_normal(self, z):
        centres, y = self._white(self.centres), np.empty_like(z)
        weights = np.broadcast_to(self.log_weights, (len(z), len(centres)))
        for j in range(z.shape[1]):
            y[:, j] = _quantile(
                centres[:, j], np.exp(weights - weights.max(axis=1)[:, None]), z[:, j]
            )
            weights = weights - 0.5 * (y[:, j, None] - centres[:, j]) ** 2
        return y @ self.chol.T

    def _white(self, e):
        """Coordinates in which each of the distributions is spherical, of rows (..., d)."""
        flat = e.reshape(-1, e.shape[-1])
        # Not by scipy's triangular solver: its BLAS wakes threads, of milliseconds, for a few rows.
        return np.linalg.solve(self.chol, flat.T).T.reshape(e.shape)

    def _by_centre(self, e):
        """Weighted log densities of rows (n, d) by centre, of shape (n, m)."""
        y, centres = self._white(e), self._white(self.centres)
        squares = np.einsum("nd,nd->n", y, y)[:, None] - 2 * y @ centres.T
        squares += np.einsum("md,md->m", centres, centres)
        constant = 0.5 * len(self.chol) * LOG_2PI + np.log(np.diag(self.chol)).sum()
        return self.log_weights - 0.5 * squares - constant

    def _pick(self, log_weights, rng):
        """A centre for each row of log weights (n, m)."""
        if len(self.centres) == 1:
            return np.zeros(len(log_weights), dtype=np.intp)
        weights = np.exp(log_weights - log_weights.max(axis=1)[:, None])
        total = weights.cumsum(axis=1)
        return (total < (rng.random(len(total)) * total[:, -1])[:, None]).sum(axis=1)

    def _by_block(self, rows, function):
        size = max(1, BLOCK // len(self.centres))
        if len(rows) <= size:
            return function(rows)
        return np.concatenate([function(rows[a : a + size]) for a in range(0, len(rows), size)])


def _quantile(centres, weights, z):
    """Where mixtures of unit normals about centres (m,), weighted by row (n, m), have scores z."""
    low, high = centres.min() + z, centres.max() + z
    p = np.exp(log_ndtr(z))
    share = weights / weights.sum(axis=1)[:, None]
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        below = np.einsum("nm,nm->n", share, np.exp(log_ndtr(middle[:, None] - centres))) < p
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return (low + high) / 2


def spread(residuals, weights):
    """At most a thousand of the residuals (n, d), evenly spread over their ranks in column 0."""
    order, m = np.argsort(residuals[:, 0], kind="stable"), min(len(residuals), MAX_CENTRES)
    share = np.cumsum(weights[order]) / weights.sum()
    ranks = np.searchsorted(share, (np.arange(m) + 0.5) / m)
    chosen = residuals[order[np.minimum(ranks, len(order) - 1)]]
    return chosen - chosen.mean(axis=0)
