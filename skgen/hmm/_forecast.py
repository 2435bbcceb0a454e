"""What a hidden Markov model says of the steps to come."""

from typing import Any

import numpy as np

from .._density import RandomState, make_rng
from .._kernels import _hmm
from .._sequences import Rows

BISECTIONS = 60


class Forecast:
    r"""The next steps of a sequence: at each of them a mixture of the states' distributions.

    Parameters
    ----------
    emission : Emission
    params : HMMParams
    n_features : int
    now : ndarray of shape (n_components,)
        Probabilities of the state of the first step to come.
    horizon : int

    Attributes
    ----------
    states : ndarray of shape (horizon, n_components)
        Probabilities of the state of each step.

    Notes
    -----
    Step h has the density :math:`\sum_k (a P^{h-1})_k\, p(x | k)`, where a is ``now`` and P the
    transition matrix. The steps are not independent of each other: :meth:`sample` draws paths.
    """

    def __init__(self, emission, params, n_features, now, horizon) -> None:
        self._emission, self._params, self._n_features = emission, params, n_features
        states = [now]
        for _ in range(horizon - 1):
            states.append(states[-1] @ params.chain.transmat)
        self.states = np.array(states)

    @property
    def mean(self) -> np.ndarray:
        """Expected values, of shape (horizon, n_features)."""
        return self.states @ self._means()

    def interval(self, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """The limits between which each value lies with this probability.

        Parameters
        ----------
        level : float in (0, 1), default=0.95

        Returns
        -------
        lower, upper : ndarray of shape (horizon, n_features)
            Quantiles of the mixture of each step and feature.
        """
        if not 0 < level < 1:
            raise ValueError(f"level={level!r} must be a number between 0 and 1, such as 0.95.")
        return self.quantile((1 - level) / 2), self.quantile((1 + level) / 2)

    def quantile(self, q: float) -> np.ndarray:
        """The least values that are not exceeded with probability q, by bisection.

        Parameters
        ----------
        q : float in (0, 1)

        Returns
        -------
        ndarray of shape (horizon, n_features)
        """
        if not 0 < q < 1:
            raise ValueError(f"q={q!r} must be a probability between 0 and 1.")
        low, high = self._bracket(q)
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            below = self._cdf(middle) < q
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        whole = np.floor(high)  # where the values are whole numbers, this is one of them
        return np.where(self._cdf(whole) >= q, whole, high)

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
        rows = Rows(np.asarray(X, dtype=np.float64).reshape(len(self.states), -1))
        log_lik = self._emission.log_likelihood(self._params.emission, rows)
        with np.errstate(divide="ignore"):
            return np.logaddexp.reduce(log_lik + np.log(self.states), axis=1)

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
        rng, (h, _) = make_rng(random_state), self.states.shape
        offsets = np.arange(n_samples + 1) * h
        start, transmat = np.ascontiguousarray(self.states[0]), self._params.chain.transmat
        states = _hmm.sample_chain(offsets, start, transmat, rng.random(n_samples * h))
        drawn = self._emission.sample(self._params.emission, states, rng)
        return drawn.reshape(n_samples, h, -1)

    def _means(self):
        """The mean of each state, of shape (n_components, n_features)."""
        K = self.states.shape[1]
        gaps = Rows(np.full((K, self._n_features), np.nan))
        return self._emission.complete(self._params.emission, gaps, np.arange(K))

    def _cdf(self, values):
        """P(X_hj <= value_hj), of shape (horizon, n_features)."""
        cdf = self._emission.cdf(self._params.emission, values)
        return np.einsum("hjk,hk->hj", cdf, self.states)

    def _bracket(self, q):
        """Values below and above the quantile."""
        middle = self.mean
        width = 1.0 + np.abs(middle)
        low, high = middle - width, middle + width
        for _ in range(1100):
            outside = self._cdf(low) >= q
            if not outside.any():
                break
            low = np.where(outside, middle - 2 * (middle - low), low)
        for _ in range(1100):
            outside = self._cdf(high) < q
            if not outside.any():
                break
            high = np.where(outside, middle + 2 * (high - middle), high)
        return low, high
