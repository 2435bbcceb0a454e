"""What every autoregression can do: one step ahead, densities, forecasts, draws."""

import sys
import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.callback import with_callbacks
from sklearn.exceptions import ConvergenceWarning

from .._density import RandomState, TransformingDensity
from .._forecast import check_horizon, check_level, presented
from .._sequences import cut, object_array, offsets_of
from .._validation import check_features, column_label
from ._model import LEAST
from ._signal import Diagnostics, diagnose

CONTEXT = 1000  # last rows of the fit that are kept, to continue from


def warn_of_fit(message):
    """A ConvergenceWarning about the line outside of the package and scikit-learn that led here."""
    level, frame = 1, sys._getframe()
    while frame is not None and frame.f_globals["__name__"].startswith(("skgen.", "sklearn.")):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, ConvergenceWarning, stacklevel=level)


def warn_if_degenerate(model, variance, floor):
    """Say where nothing is left to chance."""
    reason = degeneracy(model, variance, floor)
    if reason is not None:
        warn_of_fit(f"Degenerate fit: {reason}.")


def degeneracy(model, variance, floor):
    """What leaves nothing to chance of innovations with this variance, or None."""
    labels = [column_label(model, j) for j in model._outputs()]
    constant = variance.diagonal() < 2 * floor
    if constant.any():
        return f"the past says all of {labels[constant.argmax()]}, as of a constant; leave it out"
    if len(variance) == 1:
        return None
    deviation = np.sqrt(variance.diagonal())
    correlation = variance / np.outer(deviation, deviation)
    left = 1 / np.linalg.inv(correlation).diagonal()  # of each variance, by the other columns
    if left.min() >= 10 * LEAST:
        return None
    told = ", ".join(labels[j] for j in np.flatnonzero(left < 1000 * LEAST))
    return f"{told} determine each other within a step; leave one of them out"


class Autoregression(TransformingDensity, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """A distribution of sequences by what each step owes to those before it.

    A subclass gives ``_fit(sequences)``; of sequences end to end, ``_log_prob``, ``_means``,
    ``_scaled`` (standardised innovations) and ``_unscaled`` (the way back), ``_smoothed`` (mean and
    deviation given all); ``_random(lengths, rng)``; ``_continued(s, past, first, horizon, exog)``,
    the forecast of model s after a past which begins at time ``first`` + 1; and ``_n_lags()``.
    """

    _pooled = True  # one model for all sequences
    _forgets = True  # what is long past does not matter
    exog: Any = None

    # ---- fitting ----------------------------------------------------------------------------

    @with_callbacks
    def _watched_fit(self, X, y, sample_weight):
        """What ``fit`` does in every family; ``_fit(sequences)`` is their own."""
        self._validate_params()
        context = None
        if "_skl_callbacks" in self.__dict__ or hasattr(self, "_parent_callback_ctx"):
            context = self._init_callback_context(max_subtasks=0)
            context.call_on_fit_task_begin(estimator=self, X=X, y=y)
        with self._all_or_nothing():
            sequences = self._sequences(X, reset=True, sample_weight=sample_weight)
            self._fit(sequences)
            self._remember(sequences)
            if context is not None:
                context.call_on_fit_task_end(estimator=self)
        return self

    # ---- one step after the other -----------------------------------------------------------

    def score_samples(self, X: ArrayLike) -> np.ndarray:
        """Log density of each sequence; for one array, of each row given the rows before it.

        Parameters
        ----------
        X : list of array-like of shape (n_steps, n_features), or one such array

        Returns
        -------
        ndarray of shape (n_samples,)
            Nats; 0 where nothing is observed. Of :class:`AR` the first rows have the stationary
            law; with ``diff=1`` the first observed entry of each column is given, and tells 0 nats.
        """
        sequences = self._sequences(X)
        out = self._log_prob(sequences)
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
        return self._per_step(sequences, self._means(sequences), self._like_outputs)

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
        return self._per_step(sequences, self._scaled(sequences), self._like_outputs)

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
        return self._per_step(sequences, self._unscaled(sequences), self._like_outputs)

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
        mean, std = self._smoothed(sequences)
        return tuple(self._per_step(sequences, each, self._like_outputs) for each in (mean, std))

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
        return diagnose(pieces, n_lags, self._n_lags())

    # ---- the future, and draws --------------------------------------------------------------

    def forecast(
        self, horizon: int, context: Any = None, exog: Any = None, level: float = 0.95
    ) -> Any:
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
        level : float in (0, 1), default=0.95
            Probability of intervals that are not asked for with another one.

        Returns
        -------
        Forecast, or object array with one for each sequence
            With ``mean``, ``interval``, ``quantile``, ``sample``, ``log_prob``.
        """
        self._check_fitted()
        check_horizon(horizon)
        check_level(level)
        names = getattr(self, "feature_names_in_", None)
        names = None if names is None else names[self._outputs()]
        return presented(self._forecasts(horizon, context, exog), level, names)

    def _forecasts(self, horizon, context, exog):
        if context is None and not self._pooled:
            raise ValueError("context=None with pooled=False; pass the sequences to continue.")
        if context is None:
            past = getattr(self, "context_", np.empty((0, self.n_features_in_)))
            first = getattr(self, "n_steps_", 0) - len(past)
            return self._continued(None, past, first, horizon, exog)
        sequences = self._sequences(context)
        if sequences.single:
            return self._continued(None, sequences[0], 0, horizon, exog)
        given = [None] * len(sequences) if exog is None else exog
        if len(given) != len(sequences):
            raise ValueError(
                f"exog has {len(given)} entries, but there are {len(sequences)} contexts; give "
                "one for each."
            )
        return object_array(self._each_continued(sequences, horizon, given))

    def _each_continued(self, sequences, horizon, exog):
        """A list of the forecasts of each."""
        return [self._continued(s, sequences[s], 0, horizon, own) for s, own in enumerate(exog)]

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
        lengths, one = self._lengths_to_draw(n_samples, rng, length)
        x = self._random(lengths, rng)
        return (x if one else cut(x, offsets_of(lengths))), None

    # ---- inside -----------------------------------------------------------------------------

    def _remember(self, sequences):
        for name in ("context_", "n_steps_"):
            self.__dict__.pop(name, None)
        self.lengths_, self._single = sequences.lengths, sequences.single
        if sequences.single:
            kept = slice(-CONTEXT if self._forgets else None, None)
            self.context_ = np.array(sequences[0][kept], dtype=np.float64)
            self.n_steps_ = len(sequences[0])

    def _empty(self, sequences):
        return np.empty((len(sequences.rows), len(self._outputs())))

    def _exog(self):
        """Indices of the exogenous columns."""
        if self.exog is None:
            return np.empty(0, dtype=np.intp)
        return check_features(self, self.exog, "exog")

    def _outputs(self):
        every = super()._outputs()
        return every if self.exog is None else np.setdiff1d(every, self._exog())

    def _fit(self, sequences):
        raise NotImplementedError

    def _log_prob(self, sequences):
        raise NotImplementedError

    def _means(self, sequences):
        raise NotImplementedError

    def _scaled(self, sequences):
        raise NotImplementedError

    def _unscaled(self, sequences):
        raise NotImplementedError

    def _smoothed(self, sequences):
        raise NotImplementedError

    def _random(self, lengths, rng):
        raise NotImplementedError

    def _continued(self, s, past, first, horizon, exog):
        raise NotImplementedError

    def _n_lags(self):
        raise NotImplementedError
