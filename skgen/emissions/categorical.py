"""Categorical emissions: independent columns of category codes."""

from copy import copy
from numbers import Integral, Real
from typing import ClassVar, NamedTuple

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from .._kernels import _counts, _random
from .._random import uniforms
from .._sequences import Rows
from .._simplex import Simplex
from .._validation import check_memory
from . import _columns
from ._base import Emission

MOST_INDICATORS = 32  # per column, in the points for k-means


class CategoricalParams(NamedTuple):
    """Probabilities of the categories; zero means that a column has no such category."""

    probs: np.ndarray  # (K, d, C), C the largest number of categories of a column


class CategoricalStatistics(NamedTuple):
    """Responsibilities summed over the rows of each category."""

    counts: np.ndarray  # (K, d, C)


class Categorical(Emission):
    r"""Independent columns of category codes 0, 1, 2, ..., as ``OrdinalEncoder`` makes them.

    .. math:: p(x \mid k) = \prod_j p_{k j x_j}

    A mixture of these is a latent class model. The prior of the probabilities of a column is a
    Dirichlet distribution, :math:`p(p) \propto \prod_c p_c^{a - 1}`; the default is flat and gives
    maximum likelihood.

    Parameters
    ----------
    n_categories : int, array-like of int of shape (n_features,), or None, default=None
        Number of categories of all columns or of each; None for one more than the largest code in
        the data.
    concentration : float, default=1.0
        The :math:`a` of the prior, 1 or more. Counts as ``concentration - 1`` additional rows in
        each category.
    unknown : {"error", "ignore"}, default="error"
        What to do after fit with a value that is not one of the categories. "ignore" treats it as
        missing.
    missing_code : int, default=None
        What marks a missing entry besides NaN, which integers do not have, e.g. -1.

    Notes
    -----
    A category that a component has no row of gets the probability 1e-300 there without a prior:
    log densities are then very low, but finite. A component without any weight gets the
    frequencies of all rows together. A probability of 0 says that a column has no such category.

    Examples
    --------
    >>> import numpy as np
    >>> from skgen import Mixture
    >>> from skgen.emissions import Categorical
    >>> X = np.array([[0.0, 2], [1, 0], [1, 1], [np.nan, 2], [1, 0]])
    >>> Mixture(Categorical(), n_components=1).fit(X).probs_[0]
    array([[0.25, 0.75, 0.  ],
           [0.4 , 0.2 , 0.4 ]])
    """

    params_type = CategoricalParams
    _sizes = None  # the number of categories of each column, once adapted
    _parameter_constraints: ClassVar = {
        "n_categories": [Interval(Integral, 1, None, closed="left"), "array-like", None],
        "concentration": [Interval(Real, 1, None, closed="left")],
        "unknown": [StrOptions({"error", "ignore"})],
        "missing_code": [Integral, None],
    }

    def __init__(self, n_categories=None, concentration=1.0, unknown="error", missing_code=None):
        self.n_categories = n_categories
        self.concentration = concentration
        self.unknown = unknown
        self.missing_code = missing_code

    def recoded(self, rows):
        """Rows with NaN in place of ``missing_code``."""
        if self.missing_code is None:
            return rows
        gone = rows.values == self.missing_code
        return rows.with_values(np.where(gone, np.nan, rows.values)) if gone.any() else rows

    def adapt(self, rows, n_components=1):
        """A copy which knows the number of categories of each column of ``rows``."""
        self._validate_params()
        takes = "Categorical emissions take codes 0, 1, 2, ... or NaN; encode with OrdinalEncoder"
        _columns.check_counts(rows, _columns.MAX_COUNT, takes)
        sizes = 1 + np.fmax.reduce(rows.values, axis=0, initial=0).astype(np.intp)
        if self.n_categories is not None:
            given = _per_column(self.n_categories, rows.n_features)
            if self.unknown == "error" and (sizes > given).any():
                j = int((sizes > given).argmax())
                i = int(np.nanargmax(rows.values[:, j]))
                raise ValueError(
                    f"X has code {sizes[j] - 1} in {rows.where(i, j)}, but n_categories is "
                    f'{given[j]} for this column; raise n_categories, or set unknown="ignore".'
                )
            sizes = given
        check_memory(
            24.0 * n_components * rows.n_features * int(sizes.max()),
            f"n_components={n_components} in {rows.n_features} columns of {sizes.max()} categories",
            "encode the columns with OrdinalEncoder, or merge rare categories",
        )
        adapted = copy(self)
        adapted._sizes = sizes
        return adapted

    def initialize(self, rows, resp):
        """Probabilities near those of the responsibilities, above 0 for all categories."""
        exists = self._exists(self._sizes.max())
        counts = self.statistics(CategoricalParams(exists[None]), rows, resp).counts
        return self.maximize(CategoricalStatistics(_columns.start_counts(counts, exists)))

    def log_likelihood(self, params, rows):
        """Log p(observed entries of row i | k), of shape (n_rows, K)."""
        known = _known(params)
        if self.unknown == "error":
            self._refuse_unknown(rows, known)
        log_probs = np.where(known, _columns.log(params.probs), 0.0)  # unknown: as if missing
        return _counts.gather(rows.values, np.ascontiguousarray(np.moveaxis(log_probs, 0, -1)))

    def source(self, params, rows):
        """The codes of one column and their log probabilities; a table for several columns."""
        if rows.n_features > 1:
            return super().source(params, rows)
        known, (codes, lowest, highest) = _known(params), rows.codes
        if lowest < -1 or highest >= known.shape[1] or not known.all():
            if self.unknown == "error":
                self._refuse_unknown(rows, known)
            recognised = (codes >= 0) & (codes < known.shape[1])
            recognised[recognised] = known[0, codes[recognised]]
            codes = np.where(recognised, codes, -1)
        return {"symbols": (codes, np.where(known, _columns.log(params.probs), 0.0)[:, 0])}

    def from_moments(self, params, moments):
        """Statistics from counts (K, C)."""
        return CategoricalStatistics(moments[:, None] * _known(params))

    def _exists(self, C):
        """Which of the codes 0, ..., C - 1 the columns of the fit have, of shape (d, C)."""
        return np.arange(C) < self._sizes[:, None]

    def _refuse_unknown(self, rows, known):
        i, j = _counts.first_unknown(rows.values, known.view(np.uint8))
        if i >= 0:
            raise ValueError(
                f"X has {rows.values[i, j]:.6g} in {rows.where(i, j)}, but the categories of this "
                f'column are {np.flatnonzero(known[j]).tolist()}. Set unknown="ignore" to treat '
                "it as missing, or n_categories and concentration > 1 to give a probability to "
                "categories that fit does not see."
            )

    def statistics(self, params, rows, resp):
        """The weighted number of rows of each category, by column."""
        resp = np.ascontiguousarray(resp, dtype=np.float64)
        counts = _counts.scatter(rows.values, resp, params.probs.shape[2])
        return CategoricalStatistics(np.moveaxis(counts, -1, 0) * _known(params))

    def maximize(self, statistics):
        """The modes of the Dirichlet posteriors of the probabilities."""
        counts, exists = statistics.counts, self._exists(statistics.counts.shape[2])
        prior = Simplex(np.where(exists, self.concentration, 1.0))
        probs = prior.maximize(counts, otherwise=_columns.pooled_frequencies(counts))
        return CategoricalParams(np.where(exists, np.maximum(probs, _columns.TINY), 0.0))

    def regularizer(self, params):
        """The log prior without its constant."""
        prior = Simplex(np.where(_known(params), self.concentration, 1.0))
        return prior.regularizer(params.probs)

    def sample(self, params, components, rng):
        """One row of codes from each of ``components``."""
        u = uniforms(rng, (len(components), params.probs.shape[1]))
        which = np.ascontiguousarray(components, dtype=np.intp)
        return _random.draw(np.ascontiguousarray(params.probs), which, u)

    def complete(self, params, rows, component, how="mean", rng=None):
        """``rows`` with missing codes replaced by their means, the likeliest codes, or draws.

        A mean of codes says something only where the codes are in order.
        """
        if how == "draw":
            codes = self.sample(params, np.broadcast_to(component, len(rows)), rng)
        else:
            ordered = params.probs @ np.arange(params.probs.shape[2])
            codes = ordered if how == "mean" else params.probs.argmax(axis=2)
            codes = np.broadcast_to(codes[component], rows.values.shape)
        return _columns.filled(rows, codes[rows.missing])

    def marginal(self, params, features):
        """The probabilities of some features."""
        return CategoricalParams(params.probs[:, features])

    def n_parameters(self, params):
        """Categories less one, for each component and feature."""
        return int(len(params.probs) * (_known(params).sum(axis=1) - 1).sum())

    def embed(self, rows):
        """Indicators of the most frequent categories: distances count the entries that differ."""
        columns = [_indicators(codes, rows.weights) for codes in rows.values.T]
        indicators = Rows(np.concatenate(columns, axis=1), rows.weights)
        return _columns.centred(indicators.values, indicators)

    def pack(self, params):
        """Square roots, which are finite for a probability of zero as logarithms are not."""
        return np.sqrt(params.probs).ravel()

    def unpack(self, vector, like):
        """The inverse of :meth:`pack`."""
        squares = np.maximum(np.square(vector).reshape(like.probs.shape), _columns.TINY)
        squares = np.where(_known(like), squares, 0.0)
        return CategoricalParams(squares / squares.sum(axis=-1, keepdims=True))


def _known(params):
    """The categories that each column has, of shape (d, C): all have a probability."""
    return (params.probs > 0).any(axis=0)


def _per_column(n_categories, d):
    """The number of categories of each of d columns, as integers."""
    sizes = np.asarray(n_categories)
    if sizes.dtype.kind not in "iu" or sizes.shape not in ((), (d,)) or (sizes < 1).any():
        raise ValueError(
            f"n_categories={n_categories!r} must be a positive integer, or one for each of the "
            f"{d} columns."
        )
    return np.broadcast_to(sizes, d)


def _indicators(codes, weights):
    """One column for each of the most frequent codes of a column, NaN where it is missing."""
    seen = ~np.isnan(codes)
    found, which = np.unique(codes[seen], return_inverse=True)
    sizes = np.bincount(which, None if weights is None else weights[seen])
    kept = found[np.argsort(-sizes, kind="stable")[:MOST_INDICATORS]]
    return np.where(seen[:, None], codes[:, None] == kept, np.nan)
