"""What a fitted autoregression can do, pooled over its sequences or one for each of them."""

from itertools import pairwise
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import TransformerMixin

from .._density import RandomState, SequenceDensity
from .._sequences import object_array
from .._validation import check_features
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
from ._signal import Diagnostics, diagnose
from ._terms import Terms


class Autoregression(TransformerMixin, SequenceDensity, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """Prediction, density, draws and spectrum, from the fitted attributes of :class:`AR`."""

    # ---- densities and one step ahead -------------------------------------------------------

    def score_samples(self, X: ArrayLike) -> np.ndarray:
        """Log density of each sequence; for one array, of each row given the rows before it.

        Parameters
        ----------
        X : list of array-like of shape (n_steps, n_features), or one such array

        Returns
        -------
        ndarray of shape (n_samples,)
            Nats; 0 where nothing is observed. The first rows have the stationary law.
        """
        sequences = self._sequences(X)
        out = np.empty(len(sequences.rows))
        for part in self._parts(sequences):
            part.filter(log_prob=out[part.rows])
        return out if sequences.single else np.add.reduceat(out, sequences.offsets[:-1])

    def predict(self, X: ArrayLike) -> Any:
        """Expected value of each row given the rows before it.

        Parameters
        ----------
        X : list of array-like of shape (n_steps, n_features), or one such array

        Returns
        -------
        object array of arrays, or array of shape (n_steps, n_outputs)
            For the columns that are not exogenous; as long as X.
        """
        sequences = self._sequences(X)
        out = self._empty(sequences)
        for part in self._parts(sequences):
            part.filter(mean=out[part.rows])
            out[part.rows] += part.mean
        return self._per_step(sequences, out, self._like_outputs)

    def transform(self, X: ArrayLike) -> Any:
        """Standardised innovations: independent and standard normal if the model is true.

        Parameters
        ----------
        X : list of array-like of shape (n_steps, n_features), or one such array

        Returns
        -------
        object array of arrays, or array of shape (n_steps, n_outputs)
            Each entry given the rows before, and the entries before it in its row; NaN where it is
            missing.
        """
        sequences = self._sequences(X)
        out = self._empty(sequences)
        for part in self._parts(sequences):
            part.filter(scaled=out[part.rows])
        return self._per_step(sequences, out, self._like_outputs)

    def inverse_transform(self, X: ArrayLike) -> Any:
        """The sequences that have these innovations.

        Parameters
        ----------
        X : list of array-like of shape (n_steps, n_features), or one such array
            Innovations, and exogenous columns if there are any.

        Returns
        -------
        object array of arrays, or array of shape (n_steps, n_outputs)
        """
        sequences = self._sequences(X)
        out = self._empty(sequences)
        for part in self._parts(sequences):
            out[part.rows] = part.mean + run_inverse(part.params, part.x, part.offsets)
        return self._per_step(sequences, out, self._like_outputs)

    # ---- given the whole sequence -----------------------------------------------------------

    def smooth(self, X: ArrayLike) -> tuple[Any, Any]:
        """Mean and standard deviation of each entry given all that is observed of its sequence.

        Parameters
        ----------
        X : list of array-like of shape (n_steps, n_features), or one such array

        Returns
        -------
        mean, std : object array of arrays, or array of shape (n_steps, n_outputs)
            Observed entries are known: their standard deviation is 0.
        """
        sequences = self._sequences(X)
        mean, std = self._empty(sequences), self._empty(sequences)
        for part in self._parts(sequences):
            smoother = Smoother(part.params)
            for rows, u, own in part.pieces():
                mean[rows] = own + smoother.fill(u)
                std[rows] = smoother.deviations(u)
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

    def diagnose(self, X: ArrayLike, n_lags: int = 20) -> Diagnostics:
        """What the innovations of X tell against the model.

        Parameters
        ----------
        X : list of array-like of shape (n_steps, n_features), or one such array
        n_lags : int, default=20

        Returns
        -------
        Diagnostics
            Autocorrelations; the tests of Ljung and Box, of McLeod and Li, of Jarque and Bera.
        """
        scaled = self.transform(X)
        pieces = [scaled] if getattr(scaled, "ndim", 2) == 2 else list(scaled)
        pieces = [np.asarray(piece) for piece in pieces]
        fitted = self._params(0).shape[0] if len(self._params(0).coef) else 0
        return diagnose(pieces, n_lags, fitted)

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

    # ---- the future, and draws --------------------------------------------------------------

    def forecast(self, horizon: int, context: Any = None, exog: Any = None) -> Any:
        """The distribution of the steps that follow.

        Parameters
        ----------
        horizon : int
            How many.
        context : list of array-like of shape (n_steps, n_features), or one such array
            What came before. None for what was fitted, if it was one array; for the beginning of a
            sequence if it was a list.
        exog : array-like of shape (horizon, n_exog), default=None
            The exogenous columns of the steps to come; a list of them for a list of contexts.

        Returns
        -------
        Forecast, or object array with one for each sequence
            With ``mean``, ``interval``, ``quantile``, ``sample``, ``log_prob``.
        """
        self._check_fitted()
        if not (isinstance(horizon, Integral) and horizon >= 1):
            raise ValueError(f"horizon={horizon!r} must be a positive integer, in steps.")
        if context is None and not self._pooled:
            raise ValueError("context=None with pooled=False; pass the sequences to continue.")
        if context is None:
            past = getattr(self, "context_", np.empty((0, self.n_features_in_)))
            first = getattr(self, "n_steps_", 0) - len(past)
            return self._continued(self._params(), past, first, horizon, exog)
        sequences = self._sequences(context)
        if sequences.single:
            return self._continued(self._params(), sequences[0], 0, horizon, exog)
        given = [None] * len(sequences) if exog is None else exog
        if len(given) != len(sequences):
            raise ValueError(
                f"exog has {len(given)} entries, but there are {len(sequences)} contexts; give "
                "one for each."
            )
        return object_array(
            [
                self._continued(self._params(s), sequences[s], 0, horizon, own)
                for s, own in enumerate(given)
            ]
        )

    def _continued(self, params, past, first, horizon, exog):
        """The forecast after one past, which begins at time `first` + 1."""
        past = np.asarray(past, dtype=np.float64)
        columns, own = self._exog(), self._checked_exog(exog, horizon)
        known = None if own is None else np.concatenate([past[:, columns], own])
        mean = mean_path(params, self._terms(), [len(past) + horizon], known, first)
        u = past[:, self._outputs()] - mean[: len(past)]
        return Forecast(params, u, mean[len(past) :])

    def _checked_exog(self, exog, horizon):
        n = len(self._exog())
        if n == 0:
            if exog is not None:
                raise ValueError("exog was given, but the model was fitted without; leave it out.")
            return None
        if exog is None:
            raise ValueError(
                f"the model has {n} exogenous columns; pass exog of shape ({horizon}, {n}) for the "
                "steps to come."
            )
        exog = np.asarray(exog, dtype=np.float64)
        exog = exog.reshape(-1, n) if exog.ndim == 1 else exog
        if exog.shape != (horizon, n):
            raise ValueError(f"exog has shape {exog.shape}; pass shape ({horizon}, {n}).")
        if not np.isfinite(exog).all():
            raise ValueError("exog is not finite; exogenous values must be known.")
        return exog

    def sample(
        self, n_samples: int = 1, random_state: RandomState = None, *, length: Any = None
    ) -> Any:
        """Draw sequences.

        Parameters
        ----------
        n_samples : int, default=1
            Number of steps of one sequence, if fit was given one array and ``length`` is None;
            else number of sequences.
        random_state : int, RandomState or None, default=None
            None draws from the estimator's own ``random_state``.
        length : int or array-like of shape (n_samples,), default=None
            Number of steps of each sequence; None draws them from ``lengths_``.

        Returns
        -------
        array of shape (n_samples, n_outputs), or object array of sequences

        See Also
        --------
        forecast : Its ``sample`` draws paths that continue a context.
        """
        rng = self._sampling_rng(n_samples, random_state)
        drawn = self._draw(n_samples, rng, length)[0]
        if isinstance(drawn, list):
            return object_array([self._like_outputs(x) for x in drawn])
        return self._like_outputs(drawn)

    def _draw(self, n_samples, rng, length=None):
        """One sequence or a list of them, and nothing else."""
        if len(self._exog()):
            raise ValueError(
                "a model with exogenous columns draws paths with forecast(...).sample."
            )
        single = length is None and getattr(self, "_single", True)
        if single:
            lengths = np.array([n_samples])
        elif length is None:
            lengths = rng.choice(self.lengths_, n_samples)
        else:
            lengths = np.broadcast_to(np.asarray(length, dtype=np.intp), n_samples)
        params = self._params(0)
        scaled = rng.standard_normal((int(lengths.sum()), params.shape[1]))
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        x = run_inverse(params, scaled, offsets) + mean_path(params, self._terms(), lengths)
        return (x if single else np.split(x, offsets[1:-1])), None

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
        coef, d = params.coef, params.shape[1]
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

    def _empty(self, sequences):
        return np.empty((len(sequences.rows), len(self._outputs())))

    def _like_outputs(self, values):
        """In the container of the fit, where every column is an output."""
        return values if len(self._exog()) else self._like_fit(values)

    def _terms(self):
        return Terms.of(self.trend, self.period, self.harmonics)

    def _exog(self):
        """Indices of the exogenous columns."""
        if self.exog is None:
            return np.empty(0, dtype=np.intp)
        return check_features(self, self.exog)

    def _outputs(self):
        """Indices of the columns that are modelled."""
        return np.setdiff1d(np.arange(self.n_features_in_), self._exog())

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
        self.params, self.offsets, self.rows = params, offsets, rows
        self.x = np.ascontiguousarray(x[:, model._outputs()])
        exog = x[:, model._exog()] if len(model._exog()) else None
        self.mean = mean_path(params, model._terms(), np.diff(offsets), exog)

    def filter(self, **outputs):
        run_filter(self.params, self.x - self.mean, self.offsets, **outputs)

    def pieces(self):
        """Where each sequence is, its deviations and its mean."""
        first = self.rows.start or 0
        for a, b in pairwise(self.offsets):
            mean = self.mean[a:b]
            yield slice(first + a, first + b), self.x[a:b] - mean, mean
