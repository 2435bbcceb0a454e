"""Minimisation of a smooth function that is infinite outside of a region; and differences."""

from typing import NamedTuple

import numpy as np

MEMORY = 20
ROUNDING = 1e-15
STALLED = 4  # iterations within rounding, after which there is nothing left to gain


class Minimum(NamedTuple):
    """Where the minimum is."""

    x: np.ndarray
    value: float
    n_iter: int
    converged: bool


def minimize(function, x, *, size, max_iter, flat=1e-12):
    """L-BFGS from x, which is about as far from the minimum in every direction.

    Parameters
    ----------
    function : callable, x -> (value, gradient)
        The value is infinite outside of the region.
    size : float
        Number of terms that the value is the sum of, for its rounding error.
    flat : float
        The gain, to first order, that may be left.
    """
    value, gradient = function(x)
    moves, changes, stalled = [], [], 0
    for n_iter in range(max_iter):
        step = -_inverse_hessian(gradient, moves, changes)
        slope = step @ gradient
        if not slope < 0:
            step, slope, moves, changes = -gradient, -gradient @ gradient, [], []
        rounding = ROUNDING * (abs(value) + size)
        if -slope <= max(flat, rounding):
            return Minimum(x, value, n_iter, True)
        found = _search(function, x, value, step, slope, rounding)
        if found is None:
            return Minimum(x, value, n_iter, -slope < 1e6 * rounding)
        further, reached, steeper = found
        stalled = stalled + 1 if value - reached <= rounding else 0
        value = reached
        move, change = further - x, steeper - gradient
        if move @ change > 1e-12 * np.linalg.norm(move) * np.linalg.norm(change):
            moves, changes = [*moves[1 - MEMORY :], move], [*changes[1 - MEMORY :], change]
        x, gradient = further, steeper
        if stalled == STALLED:
            return Minimum(x, value, n_iter + 1, True)
    return Minimum(x, value, max_iter, False)


def _search(function, x, value, step, slope, rounding):
    """A point along the step that is low enough, with its value and gradient, or None."""
    t = min(1.0, 30.0 / np.abs(step).max())
    for _ in range(40):
        trial, gradient = function(x + t * step)
        if trial <= value + 1e-4 * t * slope + rounding:
            return x + t * step, trial, gradient
        curved = trial - value - slope * t
        t *= 0.3 if not np.isfinite(trial) else np.clip(-0.5 * slope * t / curved, 0.1, 0.5)
    return None


def _inverse_hessian(gradient, moves, changes):
    """The inverse Hessian that the moves suggest, times the gradient (two loops)."""
    out, shares = gradient.copy(), []
    for move, change in zip(moves[::-1], changes[::-1], strict=True):
        shares.append(move @ out / (move @ change))
        out -= shares[-1] * change
    for move, change, share in zip(moves, changes, shares[::-1], strict=True):
        out += (share - change @ out / (move @ change)) * move
    return out


def with_slopes(function, bounds, central):
    """The value and gradient at x, by one call of a function of many points (m, k).

    Differences do not leave the bounds (k, 2); where ``central`` would, it looks twice to one side.
    """
    low, high = (-np.inf, np.inf) if bounds is None else bounds.T

    def both(x):
        size = np.finfo(float).eps ** (1 / 3 if central else 1 / 2) * np.maximum(1, np.abs(x))
        size = np.minimum(size, (high - low) / 4)
        side = np.where(x < 0, -1.0, 1.0)
        side = np.where(x + 2 * size > high, -1.0, np.where(x - 2 * size < low, 1.0, side))
        if not central:
            steps = side[None]
        else:
            inside = (x - size >= low) & (x + size <= high)
            steps = np.array([side, np.where(inside, -side, 2 * side)])
        points = x + (steps * size)[:, :, None] * np.eye(len(x))
        moved = np.einsum("skk->sk", points) - x
        values = function(np.concatenate([x[None], points.reshape(-1, len(x))]))
        gains = values[1:].reshape(moved.shape) - values[0]
        with np.errstate(invalid="ignore"):  # a parameter that cannot move has no slope
            if not central:
                slopes = gains[0] / moved[0]
            else:  # of the parabola through the three points
                (a, b), (f, g) = moved, gains
                slopes = (f * b**2 - g * a**2) / (a * b * (b - a))
        return values[0], np.where(size > 0, slopes, 0.0)

    return both
