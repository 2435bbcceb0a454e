"""What forecasts of all models of sequences share: the questions and their checks."""

from numbers import Integral
from typing import Any

import numpy as np

from ._density import RandomState, make_rng


def check_horizon(horizon):
    """Raise where this is no number of steps to come."""
    if not (isinstance(horizon, Integral) and horizon >= 1):
        raise ValueError(f"horizon={horizon!r} must be a positive integer, in steps.")


class StepForecast:
    """The distribution of the steps to come.

    A subclass gives ``_quantile(q)``, ``_log_prob(x)`` of an array (horizon, n_features), and
    ``_paths(n, rng)``.
    """

    def interval(self, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """The limits between which each value lies with this probability.

        Parameters
        ----------
        level : float in (0, 1), default=0.95

        Returns
        -------
        lower, upper : ndarray of shape (horizon, n_features)
            Quantiles of each step and feature.
        """
        if not 0 < level < 1:
            raise ValueError(f"level={level!r} must be a number between 0 and 1, such as 0.95.")
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

    @property
    def _horizon(self):
        return len(self.mean)

    def _quantile(self, q):
        raise NotImplementedError

    def _log_prob(self, x):
        raise NotImplementedError

    def _paths(self, n, rng):
        raise NotImplementedError
