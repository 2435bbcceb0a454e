"""What a fitted linear autoregression can do, pooled over sequences or one for each of them."""

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._sequences import offsets_of
from ._base import Autoregression
from ._forecast import Forecast
from ._model import (
    ARParams,
    Smoother,
    autocovariances,
    is_stationary,
    mean_path,
    run_filter,
    run_inverse,
)
from ._terms import Terms


class LinearAutoregression(Autoregression):
    """Densities, smoothing and spectrum, from the fitted attributes of :class:`AR`."""

    def predict(self, X: ArrayLike, return_std: bool = False) -> Any:
        """Expected value of each row given the rows before it.

        Parameters
        ----------
        X : list of array-like of shape (n_steps, n_features), or one such array
        return_std : bool, default=False
            Whether standard deviations are wanted, too.

        Returns
        -------
        mean : object array of arrays, or array of shape (n_steps, n_outputs)
            For the columns that are not exogenous; as long as X.
        std : the same
            If ``return_std``.
        """
        if not return_std:
            return super().predict(X)
        sequences, d = self._sequences(X), len(self._outputs())
        covariance = np.empty((len(sequences.rows), d, d))
        mean = self._means(sequences, covariance)
        std = np.sqrt(np.einsum("tjj->tj", covariance))
        return tuple(self._per_step(sequences, each, self._like_outputs) for each in (mean, std))

    def denoise(self, X: ArrayLike, noise_variance: Any) -> Any:
        """Expected values of sequences that were seen with white noise added to them.

        Parameters
        ----------
        X : list of array-like of shape (n_steps, n_features), or one such array
            The model's sequences plus noise; NaN where nothing was seen.
        noise_variance : float or array-like of shape (n_outputs,)
            Positive.

        Returns
        -------
        object array of arrays, or array of shape (n_steps, n_outputs)
        """
        sequences, outputs = self._sequences(X), self._outputs()
        noise = np.broadcast_to(np.asarray(noise_variance, dtype=np.float64), len(outputs))
        if not (noise > 0).all():
            raise ValueError(f"noise_variance={noise_variance!r} must be positive.")
        out = self._empty(sequences)
        for part in self._parts(sequences):
            smoother = Smoother(part.params)
            for rows, u, mean in part.pieces():
                out[rows] = mean + smoother.denoise(u, noise)
        return self._per_step(sequences, out, self._like_outputs)

    # ---- properties of the process ----------------------------------------------------------

    def spectrum(self, frequencies: Any = 256) -> tuple[np.ndarray, np.ndarray]:
        """Spectral density.

        Parameters
        ----------
        frequencies : int or array-like, default=256
            In cycles per step, or how many of them from 0 to 1/2.

        Returns
        -------
        frequencies : ndarray of shape (n_frequencies,)
        density : ndarray of shape (n_frequencies,), or (n_frequencies, d, d) complex
            Integrates to the variance over the frequencies from -1/2 to 1/2.
        """
        params = self._params()
        f = (
            np.linspace(0, 0.5, frequencies)
            if np.ndim(frequencies) == 0
            else np.asarray(frequencies)
        )
        d = params.shape[1]
        powers = np.exp(-2j * np.pi * np.outer(f, np.arange(1, len(params.coef) + 1)))
        polynomial = np.eye(d) - np.einsum("fp,pij->fij", powers, params.coef)
        if d == 1:
            return f, params.sigma[0, 0] / np.abs(polynomial[:, 0, 0]) ** 2
        inverse = np.linalg.inv(polynomial)
        return f, inverse @ params.sigma @ inverse.conj().transpose(0, 2, 1)

    def impulse_response(self, horizon: int, orthogonal: bool = False) -> np.ndarray:
        """What an innovation adds to the steps after it.

        Parameters
        ----------
        horizon : int
        orthogonal : bool, default=False
            Whether innovations of one standard deviation, each without what the columns before it
            tell of it, are meant, instead of innovations of size 1.

        Returns
        -------
        ndarray of shape (horizon + 1,), or (horizon + 1, d, d)
            Of column i to an innovation in column j at [h, i, j].
        """
        params = self._params()
        coef, d = params.recursion(), params.shape[1]
        out = [np.eye(d)]
        for h in range(1, horizon + 1):
            out.append(
                sum((coef[j] @ out[h - 1 - j] for j in range(min(h, len(coef)))), 0 * out[0])
            )
        response = np.array(out)
        if orthogonal:
            response = response @ np.linalg.cholesky(params.sigma)
        return response[:, 0, 0] if d == 1 else response

    def autocovariance(self, n_lags: int) -> np.ndarray:
        """Covariances of steps 0, 1, ..., n_lags apart in a stationary model.

        Parameters
        ----------
        n_lags : int

        Returns
        -------
        ndarray of shape (n_lags + 1,), or (n_lags + 1, d, d)
        """
        params = self._params()
        if not is_stationary(params.coef):
            raise ValueError("the model is not stationary, so that its variance is infinite.")
        out = autocovariances(params.coef, params.sigma, n_lags + 1)
        return out[:, 0, 0] if params.shape[1] == 1 else out

    @property
    def is_stationary_(self) -> bool:
        """Whether all roots of the recursion lie within the unit circle."""
        return is_stationary(self._params().coef)

    @property
    def mean_(self) -> Any:
        """The stationary mean, but for trend, seasons and exogenous columns."""
        params, terms = self._params(), self._terms()
        if not terms.constant or terms.varies:
            raise AttributeError("mean_ is there for a trend that is a constant.")
        mean = terms.of_mean(params.coef, params.terms)[0]
        return float(mean[0]) if len(mean) == 1 else mean

    def hqic(self, X: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Hannan and Quinn's criterion on X, in nats times two; the lower the better.

        Parameters
        ----------
        X : list of array-like of shape (n_steps, n_features), or one such array
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        float
        """
        total, n = self._total(X, sample_weight)
        return -2.0 * total + 2.0 * self._n_parameters() * np.log(np.log(n))

    # ---- inside -----------------------------------------------------------------------------

    def _log_prob(self, sequences):
        out = np.empty(len(sequences.rows))
        for part in self._parts(sequences):
            part.filter(log_prob=out[part.rows])
        return out

    def _means(self, sequences, covariance=None):
        out = self._empty(sequences)
        for part in self._parts(sequences):
            wanted = {} if covariance is None else {"covariance": covariance[part.rows]}
            part.filter(mean=out[part.rows], **wanted)
            out[part.rows] += part.mean
        return out

    def _scaled(self, sequences):
        out = self._empty(sequences)
        for part in self._parts(sequences):
            part.filter(scaled=out[part.rows])
        return out

    def _unscaled(self, sequences):
        out = self._empty(sequences)
        for part in self._parts(sequences):
            out[part.rows] = part.mean + run_inverse(part.params, part.x, part.offsets)
        return out

    def _smoothed(self, sequences):
        mean, std = self._empty(sequences), self._empty(sequences)
        for part in self._parts(sequences):
            smoother = Smoother(part.params)
            for rows, u, own in part.pieces():
                mean[rows] = own + smoother.fill(u)
                std[rows] = smoother.deviations(u)
        return mean, std

    def _complete(self, sequences, method, rng):
        values = np.array(sequences.rows.values, dtype=np.float64)
        outputs = self._outputs()
        for part in self._parts(sequences):
            smoother = Smoother(part.params)
            for rows, u, mean in part.pieces():
                if np.isnan(u).any():
                    full = smoother.draw(u, rng)[0] if method == "draw" else smoother.fill(u)
                    block = values[rows]
                    block[:, outputs] = np.where(np.isnan(u), mean + full, block[:, outputs])
                    values[rows] = block
        return values

    def _continued(self, s, past, first, horizon, exog):
        past, params = np.asarray(past, dtype=np.float64), self._params(s).process()
        columns, own = self._exog(), self._checked_exog(exog, horizon)
        known = None if own is None else np.concatenate([past[:, columns], own])
        mean = mean_path(params, self._terms(), [len(past) + horizon], known, first)
        u = past[:, self._outputs()] - mean[: len(past)]
        return Forecast(params, u, mean[len(past) :])

    def _random(self, lengths, rng):
        params = self._params(0).process()
        scaled = rng.standard_normal((int(lengths.sum()), params.shape[1]))
        offsets = offsets_of(lengths)
        return run_inverse(params, scaled, offsets) + mean_path(params, self._terms(), lengths)

    def _n_lags(self):
        params = self._params(0)
        return params.shape[0] if len(params.coef) else 0

    def _is_given(self, values, offsets):
        """Entries that `score_samples` takes as given."""
        given = np.zeros(values.shape, dtype=bool)
        if not self.diff:
            return given
        for s, (a, b) in enumerate(pairwise(offsets)):
            if self._params(None if self._pooled else s).process().diff:
                seen = ~np.isnan(values[a:b])
                given[a:b] = seen & (np.cumsum(seen, axis=0) == 1)
        return given

    def _parts(self, sequences):
        """What shares a model: all sequences, or each of them."""
        x = np.asarray(sequences.rows.values, dtype=np.float64)
        if self._pooled:
            yield Part(self, self._params(), x, sequences.offsets, slice(None))
            return
        if len(sequences) != len(self.coef_):
            raise ValueError(
                f"X has {len(sequences)} sequences, but {len(self.coef_)} models were fitted; with "
                "pooled=False pass the same sequences in the same order."
            )
        for s in range(len(sequences)):
            rows = slice(*sequences.offsets[s : s + 2])
            ends = np.array([0, rows.stop - rows.start])
            yield Part(self, self._params(s), x[rows], ends, rows)

    def _terms(self):
        return Terms.of(self.trend, self.period, self.harmonics)

    def _n_parameters(self):
        params = self._params(0)
        d = params.shape[1]
        free = len(params.coef) if self.lags_ is None else len(self.lags_)
        own = free * d * d + params.terms.size + params.exog.size + d * (d + 1) // 2
        return own if self._pooled else own * len(self.coef_)

    def _params(self, s=None) -> ARParams:
        raise NotImplementedError


class Part:
    """Sequences of one model, as deviations from its mean."""

    def __init__(self, model, params, x, offsets, rows):
        self.params, self.offsets, self.rows = params.process(), offsets, rows
        self.x = np.ascontiguousarray(x[:, model._outputs()])
        exog = x[:, model._exog()] if len(model._exog()) else None
        self.mean = mean_path(self.params, model._terms(), np.diff(offsets), exog)

    def filter(self, **outputs):
        run_filter(self.params, self.x - self.mean, self.offsets, **outputs)

    def pieces(self):
        """Where each sequence is, its deviations and its mean."""
        first = self.rows.start or 0
        for a, b in pairwise(self.offsets):
            mean = self.mean[a:b]
            yield slice(first + a, first + b), self.x[a:b] - mean, mean
