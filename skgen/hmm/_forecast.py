"""What a hidden Markov model says of the steps to come."""

import numpy as np

from .._forecast import StepForecast
from .._kernels import _hmm_draws
from .._random import uniforms
from .._sequences import Rows

BISECTIONS = 60


class Forecast(StepForecast):
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

    def _quantile(self, q):
        # By bisection.
        low, high = self._bracket(q)
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            below = self._cdf(middle) < q
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        whole = np.floor(high)  # where the values are whole numbers, this is one of them
        return np.where(self._cdf(whole) >= q, whole, high)

    def _log_prob(self, x):
        rows = Rows(x)
        log_lik = self._emission.log_likelihood(self._params.emission, rows)
        with np.errstate(divide="ignore"):
            return np.logaddexp.reduce(log_lik + np.log(self.states), axis=1)

    def _paths(self, n, rng):
        h = self._horizon
        offsets = np.arange(n + 1) * h
        start, transmat = np.ascontiguousarray(self.states[0]), self._params.chain.transmat
        states = _hmm_draws.sample_chain(offsets, start, transmat, uniforms(rng, (n * h,)))
        drawn = self._emission.sample(self._params.emission, states, rng)
        return drawn.reshape(n, h, -1)

    @property
    def _horizon(self):
        return len(self.states)

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
