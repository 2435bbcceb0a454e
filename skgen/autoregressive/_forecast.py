"""What an autoregression says of the steps to come."""

import numpy as np
from scipy.special import ndtri

from .._density import RandomState
from .._forecast import StepForecast
from .._kernels import _ar_filter
from .._random import make_rng
from ._model import Smoother, run_filter

METHODS = ("analytic", "bootstrap", "conformal")
LEAST_ERRORS = 20  # from which quantiles of errors are taken


class Forecast(StepForecast):
    r"""The next steps of a sequence, which are jointly normal.

    Parameters
    ----------
    params : ARParams
    past : ndarray of shape (n_steps, n_features)
        Deviations of the context from its mean, NaN where missing.
    ahead : ndarray of shape (horizon, n_features)
        The mean of the steps to come before anything of the sequence is known.

    Attributes
    ----------
    mean : ndarray of shape (horizon, n_features)
        Expected values.
    covariance : ndarray of shape (horizon, n_features, n_features)
        Of each step by itself.

    Notes
    -----
    What is not known of the parameters is not counted: of a model fitted to few steps the analytic
    intervals are too narrow. Bootstrap paths are made of the standardised innovations of the
    context in place of normal ones. Conformal intervals are the quantiles of the errors that
    forecasts of as many steps ahead made within the context; they cover whatever the distribution,
    as far as the future is like the context, and best if the model was not fitted to it.

    References
    ----------
    Brockwell, Davis (2016). Introduction to Time Series and Forecasting. Springer. Vovk,
    Gammerman, Shafer (2005). Algorithmic Learning in a Random World. Springer.
    """

    def __init__(self, params, past, ahead) -> None:
        self._params, self._past, self._ahead = params, past, ahead
        h, d = ahead.shape
        self._recursion = params.recursion()
        self._n_lags = len(self._recursion)
        u = np.concatenate([self._recent(), np.full((h, d), np.nan)])
        mean, covariance = np.empty_like(u), np.empty((len(u), d, d))
        run_filter(params, u, np.array([0, len(u)]), mean=mean, covariance=covariance)
        self.mean = mean[len(u) - h :] + ahead
        self.covariance = covariance[len(u) - h :]

    @property
    def std(self) -> np.ndarray:
        """Standard deviations, of shape (horizon, n_features)."""
        return np.sqrt(np.einsum("hjj->hj", self.covariance))

    def interval(
        self,
        level: float | None = None,
        method: str = "analytic",
        n_samples: int = 2000,
        random_state: RandomState = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """The limits between which each value lies with this probability.

        Parameters
        ----------
        level : float in (0, 1), default=None
            None for that of ``forecast``.
        method : {"analytic", "bootstrap", "conformal"}, default="analytic"
            Normal; quantiles of paths made of the context's innovations; the errors of forecasts
            within the context.
        n_samples : int, default=2000
            Number of bootstrap paths.
        random_state : int, RandomState or None, default=None

        Returns
        -------
        lower, upper : ndarray of shape (horizon, n_features)
        """
        if method not in METHODS:
            raise ValueError(f"method={method!r} must be one of {METHODS}.")
        level = self._level(level)
        analytic = super().interval(level)
        if method == "analytic":
            return analytic
        if method == "conformal":
            width = self._conformal(level)
            return self.mean - width, self.mean + width
        paths = self.sample(n_samples, random_state, innovations="bootstrap")
        lower, upper = np.quantile(paths, [(1 - level) / 2, (1 + level) / 2], axis=0)
        return lower, upper

    def _quantile(self, q):
        return self.mean + ndtri(q) * self.std

    def _log_prob(self, x):
        out = np.empty(len(x))
        for h, row in enumerate(x - self.mean):
            seen = ~np.isnan(row)
            own = self.covariance[h][np.ix_(seen, seen)]
            squares = row[seen] @ np.linalg.solve(own, row[seen]) if seen.any() else 0.0
            log_det = np.linalg.slogdet(own)[1] if seen.any() else 0.0
            out[h] = -0.5 * (squares + log_det + seen.sum() * np.log(2 * np.pi))
        return out

    def sample(
        self,
        n_samples: int = 1,
        random_state: RandomState = None,
        *,
        innovations: str = "normal",
    ) -> np.ndarray:
        """Draw paths.

        Parameters
        ----------
        n_samples : int, default=1
        random_state : int, RandomState or None, default=None
        innovations : {"normal", "bootstrap"}, default="normal"
            From the model, or drawn from those of the context.

        Returns
        -------
        ndarray of shape (n_samples, horizon, n_features)
        """
        self._check_paths(n_samples)
        rng, (h, d) = make_rng(random_state), self.mean.shape
        if innovations == "bootstrap":
            pool = self._innovations()
            scaled = pool[rng.integers(len(pool), size=(n_samples, h))]
        else:
            scaled = rng.standard_normal((n_samples, h, d))
        noise = scaled @ np.linalg.cholesky(self._params.sigma).T
        paths = np.empty((n_samples, self._n_lags + h, d))
        paths[:, : self._n_lags] = self._recent_paths(n_samples, rng)
        _ar_filter.simulate(self._recursion, paths, np.ascontiguousarray(noise))
        return paths[:, self._n_lags :] + self._ahead

    def _recent(self):
        """The end of the past, from the last complete rows on that determine what follows."""
        p, seen = self._n_lags, 0
        complete = ~np.isnan(self._past).any(axis=1)
        for t in range(len(complete) - 1, -1, -1):
            seen = seen + 1 if complete[t] else 0
            if seen == p:
                return self._past[t:]
        return self._past

    def _recent_paths(self, n, rng):
        """The last p rows, drawn where they are not known, of shape (n or 1, p, d)."""
        p, d = self._n_lags, self.mean.shape[1]
        u = np.concatenate([np.full((p, d), np.nan), self._recent()])
        if not np.isnan(u[-p:]).any():
            return u[-p:]
        return Smoother(self._params).draw(u, rng, n)[:, -p:]

    def _innovations(self):
        """Standardised innovations of the context, with mean zero and variance one."""
        p = self._n_lags
        u = np.ascontiguousarray(self._past)
        scaled = np.empty_like(u)
        run_filter(self._params, u, np.array([0, len(u)]), scaled=scaled)
        pool = scaled[p:][~np.isnan(scaled[p:]).any(axis=1)]
        self._enough(len(pool), "bootstrap")
        return (pool - pool.mean(axis=0)) / pool.std(axis=0)

    def _conformal(self, level):
        """Half the width of the interval of each step."""
        (h, d), p = self.mean.shape, self._n_lags
        coef, past, n = self._recursion, self._past, len(self._past)
        steps = [past[p - 1 - j : n - j if j else None] for j in range(p)]  # latest first
        width = np.empty((h, d))
        for k in range(h):
            ahead = sum(own @ coef[j].T for j, own in enumerate(steps[:p]))
            steps = [ahead, *steps]
            errors = np.abs(past[p + k :] - ahead[: n - p - k])
            for j in range(d):
                own = errors[~np.isnan(errors[:, j]), j]
                self._enough(len(own), "conformal")
                rank = min(1.0, np.ceil((len(own) + 1) * level) / len(own))
                width[k, j] = np.quantile(own, rank, method="higher")
        return width

    def _enough(self, n, method):
        if n < LEAST_ERRORS:
            raise ValueError(
                f"method={method!r} needs {LEAST_ERRORS} errors within the context, but there are "
                f'{n}; pass a longer context or use method="analytic".'
            )
