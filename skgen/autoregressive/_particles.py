"""Recursions of any form, and particles that walk through what is missing of their sequences.

x[t] = mean(past, state) + scale(past, state) * e[t],   e ~ Innovations

Rows whose past is known need no particles. The others form segments, from a missing row up to
where the past is known again; these are independent of each other given what was observed, and all
of them advance together, with one call of the recursion a step:

            segment 1      segment 2
    . . . . ? . . o . . .  ? ? . . o . .       p = 3: o is the first row with a known past
"""

from typing import NamedTuple

import numpy as np

from ..emissions._base import log_sum
from ._innovations import Innovations
from ._lags import elapsed

BLOCK = 200_000  # particles that advance together


class Recursion:
    """A model of the next row, given the rows before it.

    Parameters
    ----------
    order : int
        Number of rows before that matter.
    location, scale : ndarray of shape (d,)
        Of the normal law of the first `order` rows of a sequence.
    innovations : Innovations
    n_exog : int, default=0
    """

    n_states = 0  # numbers that are carried along besides the past

    def __init__(self, order, location, scale, innovations, n_exog=0) -> None:
        self.order, self.location, self.scale = order, location, scale
        self.innovations, self.n_exog = innovations, n_exog
        self.start = Innovations.normal(np.eye(len(location)))

    @property
    def d(self):
        """Number of columns."""
        return len(self.location)

    def advance(self, past, state, exog):
        """Mean and scale (n, d) of the next row; `state` (n, n_states) is updated in place.

        Parameters
        ----------
        past : ndarray of shape (n, order, d)
            The latest row first.
        exog : ndarray of shape (n, n_exog)
        """
        raise NotImplementedError

    def first_state(self, first):
        """States (n, n_states) from the first rows (n, order, d), in the order of time."""
        return np.empty((len(first), 0))

    def after(self, x, exog):
        """The past (1, order, d) and the state (1, n_states) of the row after complete rows x."""
        return x[len(x) - self.order :][None, ::-1].copy(), np.empty((1, 0))

    def whole(self, x, exog, offsets):
        """Mean and scale (n, d) of the rows of sequences; anything where the past is missing."""
        raise NotImplementedError

    def simulate(self, past, state, noise, exog):
        """Paths, their means and scales (n, horizon, d) after pasts (n, order, d).

        `noise` (n, horizon, d) are the innovations, `exog` has shape (n or 1, horizon, n_exog).
        """
        out, past, state = np.empty((3, *noise.shape)), past.copy(), state.copy()
        n, horizon, _ = noise.shape
        for h in range(horizon):
            known = np.broadcast_to(exog[:, h], (n, exog.shape[2]))
            out[1, :, h], out[2, :, h] = self.advance(past, state, known)
            out[0, :, h] = out[1, :, h] + out[2, :, h] * noise[:, h]
            push(past, out[0, :, h])
        return tuple(out)


def push(past, row):
    """Put the newest row in front."""
    if past.shape[-2]:
        past[..., 1:, :] = past[..., :-1, :].copy()
        past[..., 0, :] = row


class Steps(NamedTuple):
    """What is said of each row by the rows before it; NaN or 0 where nothing is asked."""

    mean: np.ndarray  # (n, d)
    scaled: np.ndarray  # (n, d)
    log_prob: np.ndarray  # (n,)


def one_step(recursion, x, exog, offsets, n_particles, rng, *, scores=False):
    """Means, log densities and, if asked, standard normal scores of all rows, as `Steps`."""
    mean, scale = recursion.whole(x, exog, offsets)
    time = elapsed(offsets)
    first = time < recursion.order
    mean[first], scale[first] = recursion.location, recursion.scale
    out = Steps(mean, np.full_like(x, np.nan), np.zeros(len(x)))
    segments = find_segments(recursion, x, offsets)
    plain = np.ones(len(x), dtype=bool)
    for a, b in segments.T[:2].T:
        plain[a:b] = False
    for law, of_law in ((recursion.start, first), (recursion.innovations, ~first)):
        rows = np.flatnonzero(plain & of_law)
        e = (x[rows] - mean[rows]) / scale[rows]
        out.log_prob[rows] = law.log_prob(e) - np.log(scale[rows]).sum(axis=1)
        if scores:
            known = np.ones((len(e), 1, recursion.d)), np.zeros((len(e), 1))
            out.scaled[rows] = law.normal_scores(e[:, None], *known)
    for block in blocks(segments, n_particles):
        Walk(recursion, x, exog, block, n_particles, rng).through(out, scores=scores)
    return out


def by_pattern(x, rows):
    """The rows with the same entries missing, the columns observed and those that are not."""
    gone = np.isnan(x[rows])
    if len(gone) and (len(gone) == 1 or not gone.any()):
        yield rows, np.flatnonzero(~gone[0]), np.flatnonzero(gone[0])
    elif len(gone):
        patterns, which = np.unique(gone, axis=0, return_inverse=True)
        for k, pattern in enumerate(patterns):
            yield rows[which.ravel() == k], np.flatnonzero(~pattern), np.flatnonzero(pattern)


def find_segments(recursion, x, offsets):
    """First row, end, and first row of the sequence, (n_segments, 3), the longest first.

    A recursion with states never knows its past again after a gap, and its particles start with
    the sequence.
    """
    missing = np.flatnonzero(np.isnan(x).any(axis=1))
    if len(missing) == 0:
        return np.empty((0, 3), dtype=np.intp)
    sequence = np.searchsorted(offsets, missing, side="right") - 1
    begins, ends = offsets[sequence], offsets[sequence + 1]
    if recursion.n_states:
        out = np.unique(np.column_stack([begins, ends, begins]), axis=0)
    else:
        stop = np.minimum(missing + recursion.order + 1, ends)
        # A gap that begins before the last one's rows are all known again belongs to its segment.
        new = np.ones(len(missing), dtype=bool)
        new[1:] = missing[1:] >= stop[:-1]
        last = np.append(np.flatnonzero(new)[1:] - 1, len(missing) - 1)
        out = np.column_stack([missing[new], stop[last], begins[new]])
    return out[np.argsort(out[:, 0] - out[:, 1], kind="stable")]


def blocks(segments, n_particles):
    """The segments in groups that are advanced together."""
    size = max(1, BLOCK // n_particles)
    for a in range(0, len(segments), size):
        yield segments[a : a + size]


class Walk:
    """Particles that go through segments side by side.

    Parameters
    ----------
    recursion : Recursion
    x : ndarray of shape (n_rows, d)
    exog : ndarray of shape (n_rows, n_exog)
    segments : ndarray of shape (n_segments, 3)
        The longest first; see :func:`find_segments`.
    n : int
        Particles for each segment.
    rng : Generator
    keep : bool, default=False
        Whether paths are to be traced back.
    """

    def __init__(self, recursion, x, exog, segments, n, rng, *, keep=False) -> None:
        self.recursion, self.x, self.exog = recursion, x, exog
        self.segments, self.n, self.rng, self.keep = segments, n, rng, keep
        S, p, d = len(segments), recursion.order, recursion.d
        self.past = np.zeros((S, n, p, d))
        begin, _, start = segments.T
        for lag in range(1, p + 1):
            known = begin - lag >= start
            self.past[known, :, lag - 1] = x[begin[known] - lag][:, None]
        self.state = np.zeros((S, n, recursion.n_states))
        self.log_weights = np.full((S, n), -np.log(n))
        self.values: list = []  # of each step, (n_active, n, d)
        self.ancestors: list = []

    def through(self, out=None, *, scores=False):
        """All steps of all segments; what is said of their rows is written into `out`."""
        begin, end, start = self.segments.T
        for k in range(int((end - begin).max())):
            active = int(np.sum(end - begin > k))  # the first ones
            rows = begin[:active] + k
            self._step(rows, rows - start[:active], out, scores)
            self._resample(active)
        return self

    def _step(self, rows, time, out, scores):
        active, p = len(rows), self.recursion.order
        first = time < p
        mean, scale = self._predict(rows, time)
        if out is not None:
            out.mean[rows] = np.einsum("sn,snd->sd", np.exp(self.log_weights[:active]), mean)
        values = np.repeat(self.x[rows][:, None], self.n, axis=1)
        for law, of_law in ((self.recursion.start, first), (self.recursion.innovations, ~first)):
            for own, seen, gone in by_pattern(self.x[rows], np.flatnonzero(of_law)):
                at = own, rows[own], seen, gone
                self._meet(*at, law, mean[own], scale[own], values, out, scores)
        push(self.past[:active], values)
        if self.keep:
            self.values.append(values)

    def _predict(self, rows, time):
        """Mean and scale (n_active, n, d) of the particles' next rows."""
        recursion, active = self.recursion, len(rows)
        mean, scale = np.empty((2, active, self.n, recursion.d))
        mean[:], scale[:] = recursion.location, recursion.scale
        fresh = np.flatnonzero(time == recursion.order)
        if recursion.n_states and len(fresh):
            first = self.past[fresh][:, :, ::-1]
            first = first.reshape(len(fresh) * self.n, recursion.order, recursion.d)
            self.state[fresh] = recursion.first_state(first).reshape(len(fresh), self.n, -1)
        on = np.flatnonzero(time >= recursion.order)
        if len(on):
            past = self.past[on].reshape(len(on) * self.n, recursion.order, recursion.d)
            state = self.state[on].reshape(len(on) * self.n, -1)
            known = np.repeat(self.exog[rows[on]], self.n, axis=0)
            own = recursion.advance(past, state, known)
            mean[on], scale[on] = (np.reshape(each, (len(on), self.n, -1)) for each in own)
            self.state[on] = state.reshape(len(on), self.n, -1)
        return mean, scale

    def _meet(self, own, rows, seen, gone, law, mean, scale, values, out, scores):
        """Weigh the particles of some segments by what is observed, and draw what is not."""
        shape, d = mean.shape[:2], mean.shape[2]
        e = (self.x[rows][:, None] - mean) / scale
        if len(seen):
            marginal = law.marginal(seen)
            if out is not None and scores:
                known = np.ascontiguousarray(e[..., seen]), scale[..., seen], self.log_weights[own]
                out.scaled[np.ix_(rows, seen)] = marginal.normal_scores(*known)
            gain = marginal.log_prob(e[..., seen].reshape(-1, len(seen))).reshape(shape)
            weights = self.log_weights[own] + gain - np.log(scale[..., seen]).sum(axis=-1)
            total = log_sum(weights)
            if out is not None:
                out.log_prob[rows] = total
            self.log_weights[own] = weights - total[:, None]
        if len(gone):
            full = law.fill(e.reshape(-1, d), gone, self.rng).reshape(e.shape)
            drawn = mean[..., gone] + scale[..., gone] * full[..., gone]
            part = values[own]
            part[..., gone] = drawn
            values[own] = part

    def _resample(self, active):
        """Where few particles have the weight, draw them anew by it (systematic resampling)."""
        weights = np.exp(self.log_weights[:active])
        poor = np.flatnonzero(1 / np.sum(weights**2, axis=1) < self.n / 2)
        ancestors = np.broadcast_to(np.arange(self.n), (active, self.n))
        if len(poor):
            chosen = systematic(weights[poor], self.rng)
            self.past[poor] = np.take_along_axis(self.past[poor], chosen[..., None, None], axis=1)
            self.state[poor] = np.take_along_axis(self.state[poor], chosen[..., None], axis=1)
            self.log_weights[poor] = -np.log(self.n)
            ancestors = ancestors.copy()
            ancestors[poor] = chosen
        if self.keep:
            self.ancestors.append(ancestors.astype(np.int32))

    def traced(self, last):
        """Paths that end in particles `last` (n_segments, m): rows and their values (_, m, d)."""
        begin, index = self.segments[:, 0], last
        for k in range(len(self.values) - 1, -1, -1):
            active = len(self.values[k])
            now = np.take_along_axis(self.ancestors[k], index[:active], axis=1)
            index = np.concatenate([now, index[active:]])
            yield begin[:active] + k, np.take_along_axis(self.values[k], now[..., None], axis=1)


def systematic(weights, rng, n=None):
    """Indices (s, n) drawn by the weights (s, m), each as often as its weight says, up to one."""
    s, m = weights.shape
    n = m if n is None else n
    total = weights.cumsum(axis=1)
    total /= total[:, -1:]
    points = (rng.random((s, 1)) + np.arange(n)) / n
    shift = 2.0 * np.arange(s)[:, None]
    index = np.searchsorted((total + shift).ravel(), (points + shift).ravel(), side="right")
    return np.clip(index.reshape(s, n) - m * np.arange(s)[:, None], 0, m - 1)
