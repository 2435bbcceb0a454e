"""Densities of sequences after a transformation of their columns, in the units before it."""

from inspect import signature
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import _fit_context, clone
from sklearn.utils._param_validation import HasMethods
from sklearn.utils.metaestimators import available_if

from .._density import RandomState, TransformingDensity
from .._random import make_rng
from .._sequences import is_list, make_frame, object_array
from .._validation import check_weights
from ._base import Wrapper
from ._columnwise import fitted, forward, is_affine
from ._transformed_forecast import Outputs, TransformedForecast

DRAWS = 200  # for the mean of entries of which an estimator gives no spread


def _estimator_has(name):
    return lambda self: hasattr(getattr(self, "estimator_", self.estimator), name)


class TransformedSequence(Wrapper, TransformingDensity, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    r"""A density of sequences whose columns were transformed, in the units before that.

    .. math:: p(x) = p_\text{estimator}(T(x)) \prod_{t, j} |T_j'(x_{tj})|

    Parameters
    ----------
    transformer : estimator
        With ``transform`` and ``inverse_transform``, which takes each column by itself and keeps
        their number: a scaler, ``PowerTransformer``, ``FunctionTransformer(np.log, np.exp)``, or a
        Pipeline of such.
    estimator : estimator
        A density of sequences such as :class:`AR` or :class:`HMM`.
    pooled : bool, default=False
        Whether the sequences of a list share one transformer, fitted to all of their rows. By
        default a clone is fitted to each sequence; X must then have the same sequences in the same
        order wherever it is given.

    Attributes
    ----------
    estimator_ : fitted estimator
        Of the transformed sequences.
    transformers_ : list of fitted estimators
        One for each sequence; one if they share it or if X was one array.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Where X had names.

    Notes
    -----
    The slopes :math:`T_j'` of scalers and of ``PowerTransformer`` are known; those of other
    transformers are differences of fourth order, right to about ten digits. Densities can thus be
    compared between transformations. They do not count the parameters of the transformers.

    Quantiles, intervals and draws are those of the transformed sequences, taken back. Expected
    values are not: those of forecasts, ``predict``, ``smooth`` and ``impute`` are integrals over
    the normal law that an :class:`AR` gives in the transformed units, by the trapezoidal rule; for
    forecasts of any other estimator over its quantiles. An estimator which gives no standard
    deviations has the mean of 200 draws imputed, and ``predict`` takes its value back as it is.

    Missing entries are handed to the transformer as NaN and stay missing.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.preprocessing import FunctionTransformer
    >>> from skgen import AR, TransformedSequence
    >>> rng = np.random.default_rng(0)
    >>> price = np.exp(np.cumsum(0.02 * rng.standard_normal((500, 1)), axis=0))
    >>> log = FunctionTransformer(np.log, np.exp)
    >>> model = TransformedSequence(log, AR(1, diff=1)).fit(price)
    >>> ahead = model.forecast(20)
    >>> bool((ahead.mean > ahead.quantile(0.5)).all())  # of a log-normal law
    True
    """

    _wrapped = "estimator"
    _fitted = ("estimator_",)
    _parameter_constraints: dict = {
        "transformer": [HasMethods(["fit", "transform", "inverse_transform"])],
        "estimator": [HasMethods(["fit", "score_samples"])],
        "pooled": ["boolean"],
    }

    def __init__(self, transformer, estimator, *, pooled=False) -> None:
        self.transformer = transformer
        self.estimator = estimator
        self.pooled = pooled

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the transformers, and the estimator to what they give.

        Parameters
        ----------
        X : list of array-like of shape (n_steps, n_features), or one such array
            NaN marks a missing entry.
        y : ignored
        sample_weight : array-like of shape (n_samples,), default=None
            Handed to the estimator.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For a transformer that mixes columns, has no inverse, or gives infinite values.
        """
        context = self._init_callback_context(max_subtasks=1)
        context.call_on_fit_task_begin(estimator=self)
        with self._all_or_nothing():
            self.__dict__.pop("estimator_", None)
            sequences = self._sequences(X, reset=True)
            weights = self._passed_on(
                check_weights(sample_weight, len(sequences.rows if sequences.single else sequences))
            )
            self._single = sequences.single
            shared = self.pooled or sequences.single
            pieces = (
                [sequences.rows.values] if shared else [*sequences.split(sequences.rows.values)]
            )
            self.transformers_ = [fitted(clone(self.transformer), x) for x in pieces]
            z = self._forward(sequences)
            self.estimator_ = self._fit_inner(context.subcontext("fit-estimator"), z, weights)
        context.call_on_fit_task_end(estimator=self)
        return self

    # ---- densities --------------------------------------------------------------------------

    def score_samples(self, X: ArrayLike) -> np.ndarray:
        """Log density of each sequence; for one array, of each row given the rows before it.

        Parameters
        ----------
        X : list of array-like of shape (n_steps, n_features), or one such array

        Returns
        -------
        ndarray of shape (n_samples,)
            Nats, in the units of X.
        """
        sequences = self._sequences(X)
        own, outputs = self.estimator_.score_samples(self._forward(sequences)), self._outputs()
        x = sequences.rows.values[:, outputs]
        slopes = self._each(sequences, x, Outputs.log_slopes)
        if hasattr(self.estimator_, "_is_given"):
            slopes[self.estimator_._is_given(x, sequences.offsets)] = 0.0
        slopes = slopes.sum(axis=1)
        return own + (
            slopes if sequences.single else np.add.reduceat(slopes, sequences.offsets[:-1])
        )

    def _n_parameters(self):
        return self.estimator_._n_parameters()

    # ---- steps and gaps ---------------------------------------------------------------------

    @available_if(_estimator_has("predict"))
    def predict(self, X: ArrayLike) -> Any:
        """What the estimator predicts: expected values in the units of X, or states as they are.

        Parameters
        ----------
        X : list of array-like of shape (n_steps, n_features), or one such array

        Returns
        -------
        object array of arrays, or array of n_steps rows
        """
        sequences = self._sequences(X)
        predict, z = self.estimator_.predict, self._forward(sequences)
        if "return_std" in signature(predict).parameters:
            mean, std = (self._rows_of(found) for found in predict(z, return_std=True))
            values = self._each(sequences, mean, lambda own, m, s: own.moments(m, s)[0], std)
            return self._per_step(sequences, values, self._like_outputs)
        found = predict(z)
        if self._rows_of(found).ndim == 1:
            return found
        values = self._each(sequences, self._rows_of(found), Outputs.backward)
        return self._per_step(sequences, values, self._like_outputs)

    @available_if(_estimator_has("predict_proba"))
    def predict_proba(self, X: ArrayLike) -> Any:
        """Probabilities of the estimator's states.

        Parameters
        ----------
        X : list of array-like of shape (n_steps, n_features), or one such array

        Returns
        -------
        object array of arrays, or array of shape (n_steps, n_components)
        """
        return self.estimator_.predict_proba(self._forward(self._sequences(X)))

    @available_if(_estimator_has("transform"))
    def transform(self, X: ArrayLike) -> Any:
        """What the estimator makes of the transformed sequences, such as innovations.

        Parameters
        ----------
        X : list of array-like of shape (n_steps, n_features), or one such array

        Returns
        -------
        object array of arrays, or array of shape (n_steps, n_outputs)
        """
        sequences = self._sequences(X)
        values = self._rows_of(self.estimator_.transform(self._forward(sequences)))
        return self._per_step(sequences, values, self._like_outputs)

    @available_if(_estimator_has("inverse_transform"))
    def inverse_transform(self, X: ArrayLike) -> Any:
        """The sequences of which the estimator makes this, such as those with these innovations.

        Parameters
        ----------
        X : list of array-like of shape (n_steps, n_features), or one such array
            As ``transform`` gives it.

        Returns
        -------
        object array of arrays, or array of shape (n_steps, n_outputs)
        """
        sequences = self._sequences(X)
        found = self._rows_of(self.estimator_.inverse_transform(X))
        values = self._each(sequences, found, Outputs.backward)
        return self._per_step(sequences, values, self._like_outputs)

    @available_if(_estimator_has("smooth"))
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
        return tuple(
            self._per_step(sequences, each, self._like_outputs)
            for each in self._smoothed(sequences)
        )

    def _smoothed(self, sequences):
        """Means and standard deviations of all rows."""
        found = self.estimator_.smooth(self._forward(sequences))
        mean, std = (self._rows_of(each) for each in found)
        x = sequences.rows.values[:, self._outputs()]
        both = [
            self._each(sequences, mean, lambda own, m, s, k=k: own.moments(m, s)[k], std)
            for k in (0, 1)
        ]
        seen = ~np.isnan(x)
        return np.where(seen, x, both[0]), np.where(seen, 0.0, both[1])

    def _complete(self, sequences, method, rng):
        values, outputs = np.array(sequences.rows.values, dtype=np.float64), self._outputs()
        x = values[:, outputs]
        if method == "mean" and hasattr(self.estimator_, "smooth"):
            full = self._smoothed(sequences)[0]
        elif method == "mean" and not all(is_affine(each) for each in self.transformers_):
            full = np.mean([self._imputed(sequences, "draw", rng) for _ in range(DRAWS)], axis=0)
        else:
            full = self._imputed(sequences, method, rng)
        values[:, outputs] = np.where(np.isnan(x), full, x)
        return values

    def _imputed(self, sequences, method, rng):
        seed = int(rng.integers(2**31 - 1))
        found = self._rows_of(self.estimator_.impute(self._forward(sequences), method, seed))
        return self._each(sequences, found[:, self._outputs()], Outputs.backward)

    # ---- the future, and draws --------------------------------------------------------------

    @available_if(_estimator_has("forecast"))
    def forecast(self, horizon: int, context: Any = None, **given) -> Any:
        """The distribution of the steps that follow.

        Parameters
        ----------
        horizon : int
            How many.
        context : list of array-like of shape (n_steps, n_features), or one such array
            What came before. None as for the estimator.
        **given
            Passed to the estimator; ``exog`` in the units of X.

        Returns
        -------
        TransformedForecast, or object array with one for each sequence
            With ``mean``, ``std``, ``interval``, ``quantile``, ``sample``, ``log_prob``.
        """
        self._check_fitted()
        exog = given.pop("exog", None)
        if context is None:
            self._one_transformer("context=None")
            given |= {} if exog is None else {"exog": self._exog_forward(0, exog)}
            found = self.estimator_.forecast(horizon, None, **given)
            return TransformedForecast(found, self._output_map(0))
        sequences = self._sequences(context)
        if exog is not None:
            every = [exog] if sequences.single else exog
            every = [self._exog_forward(s, own) for s, own in enumerate(every)]
            given["exog"] = every[0] if sequences.single else every
        found = self.estimator_.forecast(horizon, self._forward(sequences), **given)
        if sequences.single:
            return TransformedForecast(found, self._output_map(0))
        return object_array(
            [TransformedForecast(own, self._output_map(s)) for s, own in enumerate(found)]
        )

    def _exog_forward(self, s, exog):
        """The columns that are not outputs, transformed."""
        columns = np.setdiff1d(np.arange(self.n_features_in_), self._outputs())
        if exog is None or len(columns) == 0:
            return exog  # for the estimator to refuse
        own = Outputs(self._transformer(s), columns, self.n_features_in_)
        return own.forward(np.asarray(exog, dtype=np.float64).reshape(-1, len(columns)))

    def sample(self, n_samples: int = 1, random_state: RandomState = None, **how) -> Any:
        """Draw sequences, as the estimator does.

        Parameters
        ----------
        n_samples : int, default=1
        random_state : int, RandomState or None, default=None
        **how
            Passed to the estimator, such as ``length``.

        Returns
        -------
        array of shape (n_samples, n_outputs), or object array of sequences
            With several transformers each sequence gets one of them at random. Where the
            estimator gives the states with its draws, a pair: draws and states.
        """
        self._check_fitted()
        found = self.estimator_.sample(n_samples, random_state, **how)
        if isinstance(found, tuple):  # with their states
            return self._drawn_back(found[0], random_state), *found[1:]
        return self._drawn_back(found, random_state)

    def _drawn_back(self, found, random_state):
        if not is_list(found):
            self._one_transformer("one sequence")
            return self._like_outputs(self._output_map(0).backward(np.asarray(found)))
        which = make_rng(random_state).integers(len(self.transformers_), size=len(found))
        return object_array(
            [
                self._like_outputs(self._output_map(s).backward(np.asarray(z)))
                for s, z in zip(which, found, strict=True)
            ]
        )

    def _draw(self, n_samples, rng, length=None):
        seed = int(rng.integers(2**31 - 1))
        found = self.sample(n_samples, seed, **({} if length is None else {"length": length}))
        found = found[0] if isinstance(found, tuple) else found
        return ([np.asarray(x) for x in found] if is_list(found) else np.asarray(found)), None

    # ---- inside -----------------------------------------------------------------------------

    def _outputs(self):
        return getattr(self.estimator_, "_outputs", super()._outputs)()

    def _framed(self, x):
        """Rows in the kind of container that was given to fit: the estimator may want names."""
        if not hasattr(self, "feature_names_in_"):
            return x
        return make_frame(self._container, np.asarray(x), self.feature_names_in_)

    def _one_transformer(self, what):
        if len(self.transformers_) > 1:
            raise ValueError(
                f"{what} with pooled=False: each sequence has a transformer of its own. Pass the "
                "sequences, or fit with pooled=True."
            )

    def _transformer(self, s):
        return self.transformers_[s if len(self.transformers_) > 1 else 0]

    def _output_map(self, s):
        return Outputs(self._transformer(s), self._outputs(), self.n_features_in_)

    def _groups(self, sequences):
        """The rows that share a transformer."""
        n = len(self.transformers_)
        if n == 1:
            return [slice(None)]
        if n != len(sequences):
            raise ValueError(
                f"X has {len(sequences)} sequences, but {n} transformers were fitted; with "
                "pooled=False pass the same sequences in the same order, or fit with pooled=True."
            )
        return [slice(*sequences.offsets[s : s + 2]) for s in range(n)]

    def _each(self, sequences, values, function, *more):
        """A function of the map of outputs, and of the rows of values that belong to it."""
        parts = [
            function(self._output_map(s), values[rows], *[other[rows] for other in more])
            for s, rows in enumerate(self._groups(sequences))
        ]
        return np.concatenate(parts)

    def _forward(self, sequences):
        """The transformed sequences, in the form in which X was given."""
        x, parts = sequences.rows.values, []
        for s, rows in enumerate(self._groups(sequences)):
            parts.append(forward(self._transformer(s), x[rows]))
        z = np.concatenate(parts)
        lost = np.isinf(z) | (np.isnan(z) & ~np.isnan(x))
        if lost.any():
            i, j = np.argwhere(lost)[0]
            raise ValueError(
                f"{type(self.transformer).__name__} makes {x[i, j]} in "
                f"{sequences.rows.where(i, j)} {'infinite' if np.isinf(z[i, j]) else 'NaN'}; it is "
                "outside of what can be transformed. Give a transformer that takes it, such as "
                "log1p in place of log for zeros, or mark it as missing by NaN."
            )
        return self._per_step(sequences, z, self._framed)

    @staticmethod
    def _rows_of(found):
        """Sequences end to end."""
        return (
            np.concatenate([np.asarray(x) for x in found]) if is_list(found) else np.asarray(found)
        )
