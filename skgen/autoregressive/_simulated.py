"""Autoregressions of any form: exact where the past is known, else by draws."""

import numpy as np

from .._forecast import StepForecast
from .._sequences import offsets_of
from ..emissions._base import log_sum
from ._base import Autoregression
from ._innovations import Innovations, spread
from ._lags import elapsed
from ._model import floored
from ._particles import Walk, blocks, find_segments, one_step, systematic
from ._var import definite

ABREAST = 20_000  # paths that advance together
SEED = 0  # of all that is simulated to score or to predict: the same question, the same answer


class SimulatedAutoregression(Autoregression):
    """Densities, paths and gaps, from a :class:`~._particles.Recursion`.

    A subclass gives ``_recursion()``; it has the parameters ``n_particles`` and ``n_paths``.
    """

    def _recursion(self):
        raise NotImplementedError

    def _data(self, sequences):
        """Columns that are modelled, and exogenous ones."""
        x = np.asarray(sequences.rows.values, dtype=np.float64)
        exog = x[:, self._exog()]
        if np.isnan(exog).any():
            raise ValueError("an exogenous column has missing entries; fill them first.")
        return np.ascontiguousarray(x[:, self._outputs()]), exog

    def _steps(self, sequences, **asked):
        x, exog = self._data(sequences)
        rng = np.random.default_rng(SEED)
        return one_step(
            self._recursion(), x, exog, sequences.offsets, self.n_particles, rng, **asked
        )

    def _log_prob(self, sequences):
        return self._steps(sequences).log_prob

    def _means(self, sequences):
        return self._steps(sequences).mean

    def _scaled(self, sequences):
        return self._steps(sequences, scores=True).scaled

    def _unscaled(self, sequences):
        z, exog = self._data(sequences)
        if np.isnan(z).any():
            raise ValueError("innovations are missing (NaN); no sequence follows from them.")
        return paths_of(self._recursion(), z, exog, sequences.lengths)

    def _random(self, lengths, rng):
        z = rng.standard_normal((int(np.sum(lengths)), len(self._outputs())))
        return paths_of(self._recursion(), z, np.empty((len(z), 0)), lengths)

    def _smoothed(self, sequences):
        x, exog = self._data(sequences)
        mean, std = x.copy(), np.zeros_like(x)
        gone = np.isnan(x)
        for walk in self._walks(x, exog, sequences.offsets, np.random.default_rng(SEED)):
            everyone = np.tile(np.arange(walk.n), (len(walk.segments), 1))
            for rows, values in walk.traced(everyone):
                weights = np.exp(walk.log_weights[: len(rows)])
                center = np.einsum("sn,snd->sd", weights, values)
                variance = np.einsum("sn,snd->sd", weights, (values - center[:, None]) ** 2)
                mean[rows] = np.where(gone[rows], center, mean[rows])
                std[rows] = np.where(gone[rows], np.sqrt(variance), 0.0)
        return mean, std

    def _complete(self, sequences, method, rng):
        if method == "mode":
            raise ValueError(
                'method="mode" is not there for values that are simulated; use "mean" or "draw".'
            )
        values = np.array(sequences.rows.values, dtype=np.float64)
        if method == "mean":
            values[:, self._outputs()] = self._smoothed(sequences)[0]
        else:
            x, exog = self._data(sequences)
            values[:, self._outputs()] = self._drawn(x, exog, sequences.offsets, rng)[0]
        return values

    def _drawn(self, x, exog, offsets, rng, n_draws=1):
        """Completed copies (n_draws, n, d) of x, drawn given all that is observed."""
        out = np.repeat(x[None], n_draws, axis=0)
        for walk in self._walks(x, exog, offsets, rng):
            last = systematic(np.exp(walk.log_weights), rng, n_draws)
            for rows, values in walk.traced(last):
                out[:, rows] = values.transpose(1, 0, 2)
        return out

    def _walks(self, x, exog, offsets, rng):
        recursion = self._recursion()
        segments = find_segments(recursion, x, offsets)
        for block in blocks(segments, self.n_particles):
            yield Walk(recursion, x, exog, block, self.n_particles, rng, keep=True).through()

    def _continued(self, s, past, first, horizon, exog):
        return self._each_continued([past], horizon, [exog])[0]

    def _each_continued(self, sequences, horizon, exog):
        recursion, forecasts = self._recursion(), []
        for past, own in zip(sequences, exog, strict=True):
            given = *self._around(np.asarray(past, dtype=np.float64), horizon, own), horizon
            forecasts.append(PathForecast(recursion, *given, self.n_particles))
        side_by_side(forecasts, self.n_paths)
        return forecasts

    def _around(self, past, horizon, exog):
        """What came before, and the exogenous columns (n + horizon, m) up to the end."""
        columns = self._exog()
        own = self._checked_exog(exog, horizon)
        known = past[:, columns] if own is None else np.concatenate([past[:, columns], own])
        known = np.concatenate([known, np.empty((len(past) + horizon - len(known), len(columns)))])
        return np.ascontiguousarray(past[:, self._outputs()]), known

    def _fit_law(self, e, weights, floor):
        """The attributes of the law of innovations, from some of them (n, d), NaN where missing."""
        known = ~np.isnan(e).any(axis=1)
        e, w = e[known], np.ones(int(known.sum())) if weights is None else weights[known]
        d = e.shape[1]
        if len(e) < max(2, d):
            raise ValueError(
                f"n_samples with all columns observed and a known past are {len(e)}, which cannot "
                f"tell the covariance of {d} columns; pass longer sequences, or fewer columns."
            )
        variance = floored((e * w[:, None]).T @ e / w.sum(), floor)
        size = np.sqrt(np.diag(variance))
        if np.linalg.eigvalsh(variance / np.outer(size, size))[0] < 1e-12:
            variance = definite(variance)
        self.noise_variance_ = float(variance[0, 0]) if d == 1 else variance
        if self.residuals == "bootstrap":
            self.residuals_ = spread(e - np.average(e, axis=0, weights=w), w)

    def _law(self):
        """The innovations, from the fitted attributes."""
        covariance = np.atleast_2d(self.noise_variance_)
        if self.residuals == "bootstrap":
            return Innovations.around(self.residuals_, covariance)
        return Innovations.normal(covariance)


def start_law(x, weights):
    """Location and scale (d,) of the first rows, and the least variances of innovations."""
    seen = ~np.isnan(x)
    share = seen if weights is None else seen * weights[:, None]
    total, filled = share.sum(axis=0), np.where(seen, x, 0.0)
    location = (share * filled).sum(axis=0) / total
    scale = np.sqrt((share * (filled - location) ** 2).sum(axis=0) / total)
    size = np.sqrt(location**2 + scale**2)
    floor = np.maximum((np.finfo(float).eps * size) ** 2, 1e-300)
    return location, np.where(scale > np.sqrt(floor), scale, np.maximum(size, 1.0)), floor


def interpolated(x):
    """Lines through the gaps, as a start."""
    if not np.isnan(x).any():
        return x
    out = x.copy()
    for column in out.T:
        gone = np.isnan(column)
        column[gone] = np.interp(np.flatnonzero(gone), np.flatnonzero(~gone), column[~gone])
    return out


def paths_of(recursion, z, exog, lengths):
    """Sequences end to end that have these standard normal scores (n, d)."""
    p, longest = recursion.order, int(np.max(lengths))
    offsets = offsets_of(lengths)
    time, which = elapsed(offsets), np.repeat(np.arange(len(lengths)), lengths)
    paths = np.zeros((len(lengths), longest, recursion.d))
    known = np.zeros((len(lengths), longest, exog.shape[1]))
    first = time < p
    paths[which[first], time[first]] = recursion.location + recursion.scale * z[first]
    paths[which[~first], time[~first]] = recursion.innovations.from_normal(z[~first])
    known[which, time] = exog
    if longest > p:
        past = np.ascontiguousarray(paths[:, :p][:, ::-1])
        state = recursion.first_state(np.ascontiguousarray(paths[:, :p]))
        noise = np.ascontiguousarray(paths[:, p:])
        paths[:, p:] = recursion.simulate(past, state, noise, known[:, p:])[0]
    return paths[which, time]


def side_by_side(forecasts, n):
    """Simulate the n paths of each, those of many contexts in one call of the model a step."""
    size = max(1, ABREAST // n)
    for a in range(0, len(forecasts), size):
        block = forecasts[a : a + size]
        drawn = simulated(block, n, [np.random.default_rng(SEED) for _ in block], pairs=True)
        for forecast, own in zip(block, drawn, strict=True):
            forecast.paths, forecast._means, forecast._scales = own
            forecast.mean = own[1].mean(axis=0)


def simulated(forecasts, n, rngs, pairs=False):
    """Paths with their means and scales, (3, n, horizon, d) of each forecast.

    Where the law is symmetric, innovations of `pairs` are opposite: what is linear in them has no
    error in the mean.
    """
    begun = [own._begun(n, rng, pairs) for own, rng in zip(forecasts, rngs, strict=True)]
    recursion, ahead = forecasts[0]._recursion, np.array([own._remaining for own in forecasts])
    out = [own._first_rows(past) for own, (past, *_) in zip(forecasts, begun, strict=True)]
    for remaining in np.unique(ahead[ahead > 0]):
        chosen = np.flatnonzero(ahead == remaining)
        past, state, noise, exog = map(
            np.concatenate, zip(*[begun[i] for i in chosen], strict=True)
        )
        drawn = np.stack(recursion.simulate(past, state, noise, exog))
        for k, i in enumerate(chosen):
            out[i][:, :, -remaining:] = drawn[:, k * n : (k + 1) * n]
    return out


class PathForecast(StepForecast):
    r"""The next steps of a sequence, from simulated paths.

    Parameters
    ----------
    recursion : Recursion
    past : ndarray of shape (n_steps, n_features)
        The context, NaN where missing.
    exog : ndarray of shape (n_steps + horizon, n_exog)
    horizon : int
    n_particles : int
        That stand for what is missing of the context.

    Attributes
    ----------
    mean : ndarray of shape (horizon, n_features)
        Expected values: of the first step exactly, where its past is known.
    paths : ndarray of shape (n_paths, horizon, n_features)
        From a fixed seed; quantiles are theirs.

    Notes
    -----
    All paths, of many contexts, advance together, with one call of the regressor a step. The
    density of a step is the mean over the paths of its density given the steps before.
    """

    # Of each forecast by `side_by_side`.
    paths: np.ndarray
    mean: np.ndarray
    _means: np.ndarray
    _scales: np.ndarray

    def __init__(self, recursion, past, exog, horizon, n_particles) -> None:
        self._recursion, self._exog, self._n = recursion, exog, len(past)
        # Rows that have no past yet are drawn like missing ones.
        self._n_first = min(horizon, max(0, recursion.order - len(past)))
        self._remaining = horizon - self._n_first
        self._after = self._context(past, n_particles, np.random.default_rng(SEED))

    @property
    def std(self) -> np.ndarray:
        """Standard deviations, of shape (horizon, n_features)."""
        return self.paths.std(axis=0)

    def _context(self, past, n_particles, rng):
        """Particles that stand for the end of the context: pasts, states and weights."""
        recursion, p = self._recursion, self._recursion.order
        x = np.concatenate([past, np.full((self._n_first, recursion.d), np.nan)])
        if not np.isnan(x if recursion.n_states else x[len(x) - min(p, len(x)) :]).any():
            return *recursion.after(x, self._exog[: len(x)]), np.ones(1)
        segments = find_segments(recursion, x, np.array([0, len(x)]))
        last = segments[segments[:, 1] == len(x)]
        walk = Walk(recursion, x, self._exog[: len(x)], last, n_particles, rng).through()
        state = walk.state[0]
        if len(x) == p:
            state = recursion.first_state(np.ascontiguousarray(walk.past[0][:, ::-1]))
        return walk.past[0], state, np.exp(walk.log_weights[0])

    def _begun(self, n, rng, pairs):
        """Pasts, states, innovations and exogenous columns of n paths."""
        past, state, weights = self._after
        chosen, half = rng.choice(len(weights), n, p=weights / weights.sum()), n // 2
        chosen[half : 2 * half] = chosen[:half] if pairs else chosen[half : 2 * half]
        innovations, remaining = self._recursion.innovations, self._remaining
        noise = innovations.draw(n * remaining, rng).reshape(n, remaining, self._recursion.d)
        if pairs and len(innovations.centres) == 1:
            noise[half : 2 * half] = -noise[:half]
        exog = self._exog[self._n + self._n_first :]
        return past[chosen], state[chosen], noise, np.broadcast_to(exog, (n, *exog.shape))

    def _first_rows(self, past):
        """Paths, means and scales, of which the first rows are those of the pasts."""
        recursion, first = self._recursion, self._n_first
        out = np.empty((3, len(past), first + self._remaining, recursion.d))
        out[0, :, :first] = past[:, :first][:, ::-1]
        out[1, :, :first], out[2, :, :first] = recursion.location, recursion.scale
        return out

    def _quantile(self, q):
        return np.quantile(self.paths, q, axis=0)

    def _log_prob(self, x):
        out = np.zeros(len(x))
        for h, row in enumerate(x):
            seen = np.flatnonzero(~np.isnan(row))
            first = h < self._n_first
            law = self._recursion.start if first else self._recursion.innovations
            if len(seen):
                scale = self._scales[:, h, seen]
                e = (row[seen] - self._means[:, h, seen]) / scale
                own = law.marginal(seen).log_prob(e) - np.log(scale).sum(axis=1)
                out[h] = log_sum(own) - np.log(len(own))
        return out

    def _paths(self, n, rng):
        return simulated([self], n, [rng])[0][0]
