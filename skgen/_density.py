"""What every density estimator in the package shares."""

from contextlib import contextmanager
from functools import cache, lru_cache
from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, DensityMixin, TransformerMixin
from sklearn.callback import CallbackSupportMixin
from sklearn.utils._param_validation import make_constraint
from sklearn.utils._set_output import _get_output_config
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from ._random import make_rng
from ._sequences import Rows, is_frame, is_list, make_frame, object_array
from ._validation import (
    check_rows,
    check_sequences,
    check_values,
    check_weights,
    refuse_lengths,
)

RandomState = int | np.random.RandomState | None  # what scikit-learn takes as random_state


@cache
def _constraints(estimator):
    """What the arguments of a class of estimators may be, by name."""
    return {
        name: [make_constraint(one) for one in allowed]
        for name, allowed in estimator._parameter_constraints.items()
        if allowed != "no_validation"
    }


def _is_allowed(estimator, name, value):
    """Whether an argument of a class of estimators may have this value."""
    return any(constraint.is_satisfied_by(value) for constraint in _constraints(estimator)[name])


# Of values that cannot change; asking scikit-learn again takes ten times as long.
_is_known_to_be_allowed = lru_cache(maxsize=4096, typed=True)(_is_allowed)
UNCHANGING = (int, float, str, bool, type(None))


class Density(CallbackSupportMixin, DensityMixin, BaseEstimator):
    """A distribution of rows: what follows from ``score_samples`` and the fitted parameters.

    A subclass gives ``fit``, ``score_samples``, ``_draw(n, rng)``, ``_n_parameters()`` and, for
    ``impute``, ``_complete(rows, method, rng)``; its fitted parameters are the public attributes
    named in ``_fitted`` and nothing else is kept.
    """

    _doc_link_module = "skgen"
    _doc_link_template = (
        "https://skgen.readthedocs.io/en/stable/generated/skgen.{estimator_name}.html"
    )

    def score(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> float:
        """Mean log density of the rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            NaN marks a missing entry.
        y : ignored
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        float
            Nats per row.
        """
        log_prob = self.score_samples(X)
        weights = check_weights(sample_weight, len(log_prob))
        if weights is None:
            return float(log_prob.mean())
        used = weights > 0  # a row of weight zero counts for nothing, even at density zero
        return float(np.average(log_prob[used], weights=weights[used]))

    def aic(self, X: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Akaike's criterion on X, in nats times two; the lower the better.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        float
        """
        total, _ = self._total(X, sample_weight)
        return -2.0 * total + 2.0 * self._n_parameters()

    def bic(self, X: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Bayesian information criterion on X, in nats times two; the lower the better.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        float
        """
        total, n = self._total(X, sample_weight)
        return float(-2.0 * total + self._n_parameters() * np.log(n))

    def _total(self, X, sample_weight):
        """Log-likelihood of X and the number of rows, both weighted."""
        log_prob = self.score_samples(X)
        weights = check_weights(sample_weight, len(log_prob))
        if weights is None:
            return float(log_prob.sum()), len(log_prob)
        return float(log_prob[weights > 0] @ weights[weights > 0]), float(weights.sum())

    def sample(self, n_samples: int = 1, random_state: RandomState = None) -> Any:
        """Draw rows.

        Parameters
        ----------
        n_samples : int, default=1
        random_state : int, RandomState or None, default=None
            None draws from the estimator's own ``random_state``.

        Returns
        -------
        array or frame of shape (n_samples, n_features)
            A frame where fit was given one, or as ``set_output`` says.
        """
        rng = self._sampling_rng(n_samples, random_state)
        return self._like_fit(self._draw(n_samples, rng)[0])

    def impute(self, X: ArrayLike, method: str = "mean", random_state: RandomState = None) -> Any:
        """Replace missing entries by what the model says of them given the observed ones.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        method : {"mean", "mode", "draw"}, default="mean"
            Conditional mean; most probable value, which is in a mixture the conditional mean
            within the most probable component; a draw from the conditional distribution.
        random_state : int, RandomState or None, default=None

        Returns
        -------
        array or frame of shape (n_samples, n_features)
        """
        if method not in ("mean", "mode", "draw"):
            raise ValueError(f"method={method!r} must be 'mean', 'mode' or 'draw'.")
        rows = self._rows(X)
        out = np.array(rows.values, dtype=np.float64)
        gaps = np.flatnonzero(np.isnan(out).any(axis=1))
        if len(gaps):
            rng = self._sampling_rng(1, random_state)
            out[gaps] = self._complete(rows.take(gaps), method, rng)
        return self._like_fit(out)

    def set_output(self, *, transform: str | None = None) -> Self:
        """Choose the container of sampled and imputed rows.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"} or None, default=None
            "default" gives what fit was given; None changes nothing.

        Returns
        -------
        self
        """
        if transform is not None:
            self._sklearn_output_config = {"transform": transform}
        return self

    def _sampling_rng(self, n_samples, random_state):
        self._check_fitted()
        if not (isinstance(n_samples, Integral) and n_samples >= 1):
            raise ValueError(f"n_samples={n_samples!r} must be a positive integer.")
        seed = getattr(self, "random_state", None) if random_state is None else random_state
        # Through a RandomState, as everywhere else, a seed costs as much as 3000 draws.
        return np.random.default_rng(seed) if isinstance(seed, Integral) else make_rng(seed)

    @contextmanager
    def _all_or_nothing(self):
        """A block of `fit` which, where it raises or Ctrl-C comes, leaves the object as it was."""
        before = dict(self.__dict__)
        try:
            yield
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            raise

    def _validate_params(self):
        """Check the arguments of the constructor, in a few microseconds where they are right."""
        own = type(self)
        for name in _constraints(own):
            value = getattr(self, name)
            allowed = _is_known_to_be_allowed if type(value) in UNCHANGING else _is_allowed
            if not allowed(own, name, value):
                super()._validate_params()  # which says what is wrong

    def _check_fitted(self):
        if self._fitted[0] not in self.__dict__:
            check_is_fitted(self, list(self._fitted))

    def _rows(self, X, *, reset=False, sample_weight=None, min_rows=1):
        """X through the door."""
        if not reset:
            self._check_fitted()
        rows = check_rows(self, X, reset=reset, sample_weight=sample_weight, min_rows=min_rows)
        if reset:
            self._container = is_frame(X) or "default"
        return rows

    def _given_and_free(self, values):
        """One row in which some features are given, and the indices of the others."""
        self._check_fitted()
        rows = self._rows(values) if is_frame(values) else Rows(self._vector(values))
        if len(rows) != 1:
            raise ValueError(f"values has {len(rows)} rows; give the values of one.")
        free = np.flatnonzero(rows.missing[0])
        if len(free) == 0:
            raise ValueError("values has no NaN: no feature is left to have a distribution.")
        return rows, free

    def _vector(self, values):
        """One value for each feature, of shape (1, n_features)."""
        row = check_values(self, values)
        if row.shape[1] != self.n_features_in_:
            raise ValueError(
                f"values has {row.shape[1]} entries, but {type(self).__name__} was fitted with "
                f"{self.n_features_in_} features; give one for each, NaN where it is free."
            )
        if np.isinf(row).any():
            j = int(np.isinf(row[0]).argmax())
            raise ValueError(f"values is infinite at {j}; give finite values or NaN.")
        return row

    def _like_fit(self, X, names=None):
        """An array of rows in the container in which the user wants it."""
        container = _get_output_config("transform", self)["dense"]
        if container == "default":
            container = getattr(self, "_container", "default")
        if container == "default":
            return X
        if names is None:
            names = getattr(self, "feature_names_in_", [f"x{j}" for j in range(X.shape[1])])
        return make_frame(container, X, names)

    def _part(self, features, params):
        """A fitted copy over some of the features, with these parameters."""
        part = type(self)(**self.get_params(deep=False))
        if hasattr(self, "emission"):
            emission = self._emission()
            restricted = emission.restricted(features)
            part.emission = self.emission if restricted is emission else restricted
        part._store(params)
        part.n_features_in_ = len(features)
        part._container = getattr(self, "_container", "default")
        if hasattr(self, "feature_names_in_"):
            part.feature_names_in_ = self.feature_names_in_[features]
        if hasattr(self, "_sklearn_output_config"):
            part._sklearn_output_config = dict(self._sklearn_output_config)
        return part

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


class SequenceDensity(Density):
    """A distribution of sequences: one 2-D array is one of them, whose rows are the samples.

    A subclass gives ``score_samples`` and ``_draw(n, rng)``, of n rows or of n sequences as
    ``_single`` tells, and ``_complete(sequences, method, rng)``.
    """

    _single = True  # whether fit was given one array, until fit tells

    def score(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> float:
        """Mean log density: of the sequences, or of the rows of one sequence given those before.

        Parameters
        ----------
        X : list of array-like of shape (n_steps, n_features), or one such array
            NaN marks a missing entry.
        y : ignored
            But for one that cannot belong to the samples.
        sample_weight : array-like of shape (n_samples,), default=None
            One weight for each sequence of a list, or for each row of an array.

        Returns
        -------
        float
            Nats per sequence, or per row.
        """
        if y is not None:
            refuse_lengths(X, y)
        return super().score(X, y, sample_weight)

    def _total(self, X, sample_weight):
        """Log-likelihood of X and the number of its steps, both weighted."""
        log_prob, sequences = self.score_samples(X), self._sequences(X)
        steps = np.ones(len(log_prob)) if sequences.single else sequences.lengths
        weights = check_weights(sample_weight, len(log_prob))
        weights = np.ones(len(log_prob)) if weights is None else weights
        return float(log_prob[weights > 0] @ weights[weights > 0]), float(weights @ steps)

    def impute(self, X: ArrayLike, method: str = "mean", random_state: RandomState = None) -> Any:
        """Replace missing entries by what the model says of them given the whole sequence.

        Parameters
        ----------
        X : list of array-like of shape (n_steps, n_features), or one such array
        method : {"mean", "mode", "draw"}, default="mean"
            Conditional mean; most probable value along the most probable path; a draw from the
            conditional distribution.
        random_state : int, RandomState or None, default=None

        Returns
        -------
        object array of arrays, or array of shape (n_steps, n_features)
        """
        if method not in ("mean", "mode", "draw"):
            raise ValueError(f"method={method!r} must be 'mean', 'mode' or 'draw'.")
        sequences = self._sequences(X)
        values = np.array(sequences.rows.values, dtype=np.float64)
        if sequences.rows.has_missing:
            values = self._complete(sequences, method, self._sampling_rng(1, random_state))
        return self._per_step(sequences, values, self._like_fit)

    def _lengths_to_draw(self, n_samples, rng, length):
        """Numbers of steps of what is drawn, and whether it is one sequence of `n_samples` rows."""
        if length is not None:
            return _drawn_lengths(length, n_samples), False
        if self._single:
            return np.array([n_samples]), True
        return rng.choice(self.lengths_, n_samples), False

    def _sequences(self, X, *, reset=False, sample_weight=None):
        """X through the door."""
        if not reset:
            self._check_fitted()
        sequences = check_sequences(self, X, reset=reset, sample_weight=sample_weight)
        if reset:
            self._container = is_frame(X[0] if is_list(X) else X) or "default"
        return sequences

    def _per_step(self, sequences, values, container=None):
        """Values of every step, cut as X is: in an object array, or as they are for one array."""
        if sequences.single:
            return container(values) if container else values
        pieces = sequences.split(values)
        return object_array([container(x) for x in pieces] if container else pieces)


def _drawn_lengths(length, n_samples):
    """Numbers of steps of the sequences to draw."""
    lengths = np.asarray(length)
    right = lengths.shape in ((), (n_samples,)) and lengths.dtype.kind in "iu"
    if not right or (lengths < 1).any():
        raise ValueError(
            f"length={length!r} must be one positive integer, or one for each of the "
            f"n_samples={n_samples} sequences."
        )
    return np.broadcast_to(lengths, (n_samples,))


def sample_rows(density, n_samples, random_state=None):
    """Rows drawn from any fitted density, ours or scikit-learn's; sequences as a list."""
    if isinstance(density, Density):
        return density._draw(n_samples, density._sampling_rng(n_samples, random_state))[0]
    try:
        drawn = density.sample(n_samples, random_state=random_state)
    except TypeError:  # scikit-learn's mixtures draw from their own random_state
        drawn = density.sample(n_samples)
    drawn = drawn[0] if isinstance(drawn, tuple) else drawn
    return drawn if is_list(drawn) else np.asarray(drawn)


class TransformingDensity(TransformerMixin, SequenceDensity, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """A density of sequences with ``transform``, which gives the columns of ``_outputs()``."""

    set_output = Density.set_output

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the columns that ``transform`` gives.

        Parameters
        ----------
        input_features : array-like of str, default=None
            None for those of the fit.

        Returns
        -------
        ndarray of str
            All that are not exogenous.
        """
        self._check_fitted()
        return _check_feature_names_in(self, input_features)[self._outputs()]

    def _outputs(self):
        """Indices of the columns that are modelled."""
        return np.arange(self.n_features_in_)

    def _like_outputs(self, values):
        """Values of the outputs in the container in which the user wants them."""
        if values.shape[1] == self.n_features_in_:
            return self._like_fit(values)
        return self._like_fit(values, self.get_feature_names_out())
