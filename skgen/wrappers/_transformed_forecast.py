"""What a forecast of transformed steps says in the units before the transformation."""

import numpy as np
from scipy.special import ndtr

from .._density import RandomState
from .._forecast import StepForecast
from ._columnwise import backward, forward, is_affine, log_slopes, mean_of


class Outputs:
    """The transformation of those columns that are modelled, by themselves."""

    def __init__(self, transformer, indices, n_columns):
        self.transformer, self.affine = transformer, is_affine(transformer)
        self.indices, self.n_columns = indices, n_columns

    def _with(self, function, values):
        wide = np.full((len(values), self.n_columns), np.nan)
        wide[:, self.indices] = values
        return function(self.transformer, wide)[:, self.indices]

    def forward(self, x):
        return self._with(forward, x)

    def backward(self, z):
        return self._with(backward, z)

    def log_slopes(self, x):
        return self._with(log_slopes, x)

    def moments(self, mean, std):
        """Of what becomes of normal values."""
        if self.affine:  # exact
            return self.backward(mean), np.abs(self.backward(mean + std) - self.backward(mean))
        return mean_of(self.backward, lambda z: mean + z * std)


class TransformedForecast(StepForecast):
    """The steps to come, in the units of the user.

    Parameters
    ----------
    inner : forecast of the transformed steps
    outputs : Outputs

    Attributes
    ----------
    inner : forecast of the transformed steps

    Notes
    -----
    Quantiles, and with them intervals, are exact: those of the transformed steps, taken back. Means
    and standard deviations are integrals over the quantiles by the trapezoidal rule in the normal
    score.
    """

    def __init__(self, inner, outputs) -> None:
        self.inner, self._map = inner, outputs

    @property
    def _names(self):
        return getattr(self.inner, "_names", None)

    @property
    def mean(self) -> np.ndarray:
        """Expected values, of shape (horizon, n_features)."""
        if self._map.affine:
            return self._map.backward(self.inner.mean)
        return self._moments()[0]

    @property
    def std(self) -> np.ndarray:
        """Standard deviations, of shape (horizon, n_features)."""
        return self._moments()[1]

    def _moments(self):
        return mean_of(self._map.backward, lambda z: self.inner.quantile(float(ndtr(z))))

    @property
    def level(self) -> float:
        """Probability of intervals that are not asked for with another one."""
        return self.inner.level

    def interval(self, level: float | None = None, **how) -> tuple[np.ndarray, np.ndarray]:
        """The limits between which each value lies with this probability.

        Parameters
        ----------
        level : float in (0, 1), default=None
            None for that of ``forecast``.
        **how
            Passed to the forecast of the transformed steps, such as ``method="bootstrap"``.

        Returns
        -------
        lower, upper : ndarray of shape (horizon, n_features)
        """
        limits = [self._map.backward(limit) for limit in self.inner.interval(level, **how)]
        return np.minimum(*limits), np.maximum(*limits)

    def sample(self, n_samples: int = 1, random_state: RandomState = None, **how) -> np.ndarray:
        """Draw paths.

        Parameters
        ----------
        n_samples : int, default=1
        random_state : int, RandomState or None, default=None
        **how
            Passed to the forecast of the transformed steps.

        Returns
        -------
        ndarray of shape (n_samples, horizon, n_features)
        """
        paths = self.inner.sample(n_samples, random_state, **how)
        return self._map.backward(paths.reshape(-1, paths.shape[-1])).reshape(paths.shape)

    def _quantile(self, q):
        own, other = (self._map.backward(self.inner.quantile(p)) for p in (q, 1 - q))
        low, high = (self._map.backward(self.inner.quantile(p)) for p in (0.25, 0.75))
        return np.where(low <= high, own, other)  # a falling transformation turns them round

    def _log_prob(self, x):
        return self.inner.log_prob(self._map.forward(x)) + self._map.log_slopes(x).sum(axis=1)

    @property
    def _horizon(self):
        return len(self.inner.mean)
