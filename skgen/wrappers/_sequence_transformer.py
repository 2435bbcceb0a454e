"""Transformers of rows, applied to every step of sequences."""

from typing import Any, Self

import narwhals as nw
import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.base import TransformerMixin, _fit_context
from sklearn.utils._param_validation import HasMethods
from sklearn.utils._set_output import _safe_set_output
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _num_samples, check_is_fitted

from .._sequences import is_frame, is_list, object_array, to_sequences
from .._validation import check_weights
from ._base import Wrapper


def _transformer_has(name):
    """Whether the transformer has this method."""
    return lambda self: hasattr(getattr(self, "transformer_", self.transformer), name)


class SequenceTransformer(TransformerMixin, Wrapper, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """Applies a transformer of rows to every step of every sequence.

    Parameters
    ----------
    transformer : estimator
        A clone of it is fitted to the rows of all sequences together.

    Attributes
    ----------
    transformer_ : fitted estimator
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Where X had names.

    Notes
    -----
    A list of sequences, an object array of them, or an array of shape (n_sequences, n_steps,
    n_features) gives an object array with one array per sequence; one sequence of shape (n_steps,
    n_features) gives an array. Frames stay frames if the transformer was told so by
    ``set_output``. Missing entries are handed to the transformer as they are.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skgen import SequenceTransformer
    >>> X = [np.array([[1.0], [2.0]]), np.array([[3.0], [4.0], [np.nan]])]
    >>> scaled = SequenceTransformer(StandardScaler()).fit_transform(X)
    >>> scaled[0].round(2)
    array([[-1.34],
           [-0.45]])
    >>> [len(x) for x in scaled]
    [2, 3]
    """

    _wrapped = "transformer"
    _parameter_constraints: dict = {"transformer": [HasMethods(["fit", "transform"])]}

    def __init__(self, transformer) -> None:
        self.transformer = transformer

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the transformer to the rows of all sequences.

        Parameters
        ----------
        X : list of sequences, or one sequence of shape (n_steps, n_features)
        y : array-like, default=None
            One target for each sequence, or a list with an array for each; handed to the
            transformer by row.
        sample_weight : array-like, default=None
            A weight for each sequence; for each row of a single one.

        Returns
        -------
        self
        """
        context = self._init_callback_context(max_subtasks=1)
        context.call_on_fit_task_begin(estimator=self)
        unit = "sequence" if _is_set(X) else "row"
        weights = self._passed_on(check_weights(sample_weight, _num_samples(X), unit))
        if _is_set(X):
            pieces = to_sequences(X)
            X, lengths = _stacked(pieces), [len(piece) for piece in pieces]
            y = None if y is None else _by_row(y, lengths)
            weights = None if weights is None else np.repeat(weights, lengths)
        self.transformer_ = self._fit_inner(context.subcontext("fit-transformer"), X, weights, y=y)
        self._adopt_features(self.transformer_)
        context.call_on_fit_task_end(estimator=self)
        return self

    def transform(self, X: ArrayLike) -> Any:
        """Transform every sequence.

        Parameters
        ----------
        X : list of sequences, or one sequence of shape (n_steps, n_features)

        Returns
        -------
        object array of arrays, or array of shape (n_steps, n_features_out)
        """
        return self._by_step("transform", X)

    @available_if(_transformer_has("inverse_transform"))
    def inverse_transform(self, X: ArrayLike) -> Any:
        """Undo the transformation of every sequence.

        Parameters
        ----------
        X : list of sequences, or one sequence of shape (n_steps, n_features_out)

        Returns
        -------
        object array of arrays, or array of shape (n_steps, n_features)
        """
        return self._by_step("inverse_transform", X)

    @available_if(_transformer_has("get_feature_names_out"))
    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the features that come out.

        Parameters
        ----------
        input_features : array-like of str, default=None

        Returns
        -------
        ndarray of str
        """
        check_is_fitted(self)
        return self.transformer_.get_feature_names_out(input_features)

    def set_output(self, *, transform: str | None = None) -> Self:
        """Choose the container of each transformed sequence.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"} or None, default=None
            None changes nothing.

        Returns
        -------
        self
        """
        for estimator in (self.transformer, getattr(self, "transformer_", None)):
            if estimator is not None:
                _safe_set_output(estimator, transform=transform)
        return self

    def _by_step(self, method, X):
        """What the transformer's method gives for X, cut where X is cut."""
        check_is_fitted(self)
        method = getattr(self.transformer_, method)
        if not _is_set(X):
            return method(X)
        pieces = to_sequences(X)
        rows = method(_stacked(pieces))
        if sparse.issparse(rows):
            raise TypeError(
                f"{type(self.transformer_).__name__} gives sparse matrices, which cannot hold "
                "sequences; make its output dense, e.g. with sparse_output=False."
            )
        return object_array(to_sequences(rows, lengths=[len(piece) for piece in pieces]))


def _is_set(X):
    """Whether X is a set of sequences rather than one."""
    return is_list(X) or (isinstance(X, np.ndarray) and X.ndim == 3)


def _stacked(pieces):
    """All sequences end to end, as an array or a frame."""
    if not pieces:
        raise ValueError("X has no sequence; pass at least one.")
    columns = [list(x.columns) if is_frame(x) else x.shape[1] for x in pieces]
    for s, found in enumerate(columns):
        if found != columns[0]:
            raise ValueError(
                f"sequence {s} has columns {found}, but sequence 0 has {columns[0]}; all "
                "sequences must have the same columns in the same order."
            )
    if not is_frame(pieces[0]):
        return np.concatenate(pieces)
    return nw.concat([nw.from_native(x) for x in pieces]).to_native()


def _by_row(y, lengths):
    """One target for each row, from one for each sequence or from arrays of them."""
    if len(y) != len(lengths):
        raise ValueError(f"y has {len(y)} entries, but X has {len(lengths)} sequences.")
    if is_list(y) and np.ndim(y[0]) > 0:
        return np.concatenate(y)
    return np.repeat(np.asarray(y), lengths)
