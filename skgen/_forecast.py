"""What forecasts of all models of sequences share: the questions and their checks."""

from contextlib import suppress
from numbers import Integral, Real
from typing import Any

import numpy as np

from ._density import RandomState
from ._random import make_rng

SHOWN = 12  # lines of the table of a forecast


def check_horizon(horizon):
    """Raise where this is no number of steps to come."""
    if not (isinstance(horizon, Integral) and horizon >= 1):
        raise ValueError(f"horizon={horizon!r} must be a positive integer, in steps.")


def check_level(level):
    """Raise where this is no probability of an interval."""
    if not (isinstance(level, Real) and 0 < level < 1):
        raise ValueError(f"level={level!r} must be a number between 0 and 1, such as 0.95.")


def presented(found, level, names=None):
    """A forecast, or an object array of them, with this level, and names of columns to print."""
    for forecast in found if isinstance(found, np.ndarray) else [found]:
        forecast._own_level, forecast._names = level, names
    return found


class StepForecast:
    """The distribution of the steps to come.

    A subclass gives ``_quantile(q)``, ``_log_prob(x)`` of an array (horizon, n_features), and
    ``_paths(n, rng)``.
    """

    _own_level = 0.95
    _names = None

    @property
    def level(self) -> float:
        """Probability of intervals that are not asked for with another one."""
        return self._own_level

    def interval(self, level: float | None = None) -> tuple[np.ndarray, np.ndarray]:
        """The limits between which each value lies with this probability.

        Parameters
        ----------
        level : float in (0, 1), default=None
            None for that of ``forecast``.

        Returns
        -------
        lower, upper : ndarray of shape (horizon, n_features)
            Quantiles of each step and feature.
        """
        level = self._level(level)
        return self.quantile((1 - level) / 2), self.quantile((1 + level) / 2)

    def quantile(self, q: float) -> np.ndarray:
        """The least values that are not exceeded with probability q.

        Parameters
        ----------
        q : float in (0, 1)

        Returns
        -------
        ndarray of shape (horizon, n_features)
        """
        if not 0 < q < 1:
            raise ValueError(f"q={q!r} must be a probability between 0 and 1.")
        return self._quantile(q)

    def log_prob(self, X: Any) -> np.ndarray:
        """Log density of the observed entries of each step by itself.

        Parameters
        ----------
        X : array-like of shape (horizon, n_features)

        Returns
        -------
        ndarray of shape (horizon,)
            Nats.
        """
        x = np.asarray(X, dtype=np.float64)
        return self._log_prob(x.reshape(self._horizon, -1))

    def sample(self, n_samples: int = 1, random_state: RandomState = None) -> np.ndarray:
        """Draw paths.

        Parameters
        ----------
        n_samples : int, default=1
        random_state : int, RandomState or None, default=None

        Returns
        -------
        ndarray of shape (n_samples, horizon, n_features)
        """
        self._check_paths(n_samples)
        return self._paths(n_samples, make_rng(random_state))

    def _check_paths(self, n_samples):
        if not (isinstance(n_samples, Integral) and n_samples >= 1):
            raise ValueError(f"n_samples={n_samples!r} must be a positive integer.")

    def __repr__(self) -> str:
        return self._table()

    def _table(self):
        """Means and limits by step."""
        columns, title = {"mean": self.mean}, f"{type(self).__name__} of {self._horizon} steps"
        with suppress(NotImplementedError):  # symbols have no quantiles
            columns["lower"], columns["upper"] = self.interval()
            title += f", {100 * self.level:.4g} % intervals"
        names = range(self.mean.shape[1]) if self._names is None else self._names
        steps = [
            (str(h + 1), str(names[j]), *(f"{values[h, j]:.4g}" for values in columns.values()))
            for h, j in np.ndindex(self.mean.shape)
        ]
        shown = [("step", "column", *columns), *steps[:SHOWN]]
        if self.mean.shape[1] == 1:
            shown = [(step, *rest) for step, _, *rest in shown]
        width = max(11, 2 + max(len(row[1]) for row in shown))
        widths = [11, width] + [11] * len(columns)
        rows = ["".join(f"{x:>{w}}" for x, w in zip(row, widths, strict=False)) for row in shown]
        return "\n".join([title, *rows, *["        ..."] * (len(steps) > SHOWN)])

    def _level(self, level):
        level = self.level if level is None else level
        check_level(level)
        return level

    @property
    def _horizon(self):
        return len(self.mean)

    def _quantile(self, q):
        raise NotImplementedError

    def _log_prob(self, x):
        raise NotImplementedError

    def _paths(self, n, rng):
        raise NotImplementedError
