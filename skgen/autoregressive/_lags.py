"""Earlier values of sequences as columns."""

from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from .._density import Density, SequenceDensity


def as_lags(name, value, least=1):
    """Lags in ascending order, from their number or from themselves."""
    if isinstance(value, Integral) and not isinstance(value, bool):
        return np.arange(1, value + 1)
    lags = np.unique(np.asarray(value))
    if lags.dtype.kind not in "iu" or len(lags) != np.size(value) or (lags < least).any():
        kind = "positive integers" if least else "integers that are not negative"
        raise ValueError(f"{name}={value!r} must be lags that are different {kind}.")
    return lags.astype(np.intp)


def lagged(x, offsets, lags):
    """Rows that are `lags` steps earlier in their sequence, side by side; NaN before its start.

    Parameters
    ----------
    x : ndarray of shape (n, d)
    offsets : ndarray of shape (n_sequences + 1,)
    lags : ndarray of shape (n_lags,)

    Returns
    -------
    ndarray of shape (n, n_lags * d)
        All columns of a lag are neighbours.
    """
    n, d = x.shape
    time = elapsed(offsets)
    out = np.full((n, len(lags), d), np.nan)
    for k, lag in enumerate(lags):
        known = np.flatnonzero(time >= lag)
        out[known, k] = x[known - lag]
    return out.reshape(n, len(lags) * d)


def elapsed(offsets):
    """How many rows of its sequence are before each row."""
    return np.arange(offsets[-1]) - np.repeat(offsets[:-1], np.diff(offsets))


class LagFeatures(TransformerMixin, BaseEstimator, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """Columns of values a number of steps ago, for any regressor.

    Parameters
    ----------
    lags : int or list of int, default=1
        The number of lags, from 1 on, or the lags themselves, such as ``[0, 1, 12]``; 0 is the
        present value.

    Attributes
    ----------
    lags_ : ndarray of shape (n_lags,)
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Where X had names.

    See Also
    --------
    NonlinearAR : A density and forecasts of many steps from such a regressor.

    Notes
    -----
    X is one sequence, whose rows are its steps, or a list of sequences. Length and order of the
    rows are kept. What was before the start of a sequence is NaN, as is what is missing: a
    regressor such as ``HistGradientBoostingRegressor`` takes it. A part of a sequence is a
    sequence: the first rows of the test part of a split do not see the training part.

    Examples
    --------
    >>> import numpy as np
    >>> from skgen import LagFeatures
    >>> x = np.array([[1.0], [2.0], [3.0]])
    >>> lags = LagFeatures(2)
    >>> lags.fit_transform(x)
    array([[nan, nan],
           [ 1., nan],
           [ 2.,  1.]])
    >>> lags.get_feature_names_out()
    array(['x0_lag1', 'x0_lag2'], dtype=object)
    """

    _parameter_constraints: dict = {
        "lags": [Interval(Integral, 1, None, closed="left"), "array-like"]
    }
    _doc_link_module = Density._doc_link_module
    _doc_link_template = Density._doc_link_template
    set_output = Density.set_output
    _sequences = SequenceDensity._sequences
    _per_step = SequenceDensity._per_step
    _like_fit = Density._like_fit

    def __init__(self, lags=1) -> None:
        self.lags = lags

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Learn the columns.

        Parameters
        ----------
        X : list of array-like of shape (n_steps, n_features), or one such array
        y : ignored

        Returns
        -------
        self
        """
        self.lags_ = as_lags("lags", self.lags, least=0)
        self._sequences(X, reset=True)
        return self

    def transform(self, X: ArrayLike) -> Any:
        """The values before each row.

        Parameters
        ----------
        X : list of array-like of shape (n_steps, n_features), or one such array

        Returns
        -------
        object array of arrays, or array of shape (n_steps, n_lags * n_features)
            A frame where fit was given one, or as ``set_output`` says.
        """
        sequences = self._sequences(X)
        values = lagged(sequences.rows.values, sequences.offsets, self.lags_)
        names = self.get_feature_names_out()
        return self._per_step(sequences, values, lambda piece: self._like_fit(piece, names))

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the columns.

        Parameters
        ----------
        input_features : array-like of str, default=None

        Returns
        -------
        ndarray of str
            Such as "sales_lag12": all columns by the first lag, then by the second.
        """
        check_is_fitted(self)
        names = _check_feature_names_in(self, input_features)
        return np.array([f"{name}_lag{lag}" for lag in self.lags_ for name in names], dtype=object)

    def _check_fitted(self):
        check_is_fitted(self)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags
