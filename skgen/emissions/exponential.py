"""Exponential emissions: independent columns of waiting times."""

import copy
from numbers import Real
from typing import ClassVar, NamedTuple

import numpy as np
from sklearn.utils._param_validation import Interval

from .._sequences import Rows
from . import _columns
from ._base import Emission

LEAST_SCALE = 1e-8  # of a component, in units of the mean of the column


class ExponentialParams(NamedTuple):
    """Means."""

    scales: np.ndarray  # (K, d)


class ExponentialStatistics(NamedTuple):
    """Sums over the rows in which a column is observed."""

    weight: np.ndarray  # (K, d) sum of resp
    total: np.ndarray  # (K, d) sum of resp * x


class Exponential(Emission):
    r"""Independent numbers from zero on, of which the small ones are the likeliest.

    .. math:: p(x \mid k) = \prod_j \lambda_{kj} e^{-\lambda_{kj} x_j},
        \qquad \lambda = 1 / \text{scale}

    The scale is the mean. The prior of each :math:`\lambda` is a gamma distribution,
    :math:`p(\lambda) \propto \lambda^{a - 1} e^{-b \lambda}`; the default is flat and gives maximum
    likelihood.

    Parameters
    ----------
    shape : float, default=1.0
        The :math:`a` of the prior, 1 or more. Counts as ``shape - 1`` additional rows.
    rate : float, default=0.0
        The :math:`b` of the prior, in units of the data: what those rows add up to.

    Notes
    -----
    Scales are kept above 1e-8 of the mean of the column, as the density of a component with only
    zeros would be infinite. A component without any weight gets the scales of all rows together.
    Negative values are refused in fit and have log density -inf afterwards.

    Examples
    --------
    >>> import numpy as np
    >>> from skgen import Mixture
    >>> from skgen.emissions import Exponential
    >>> X = np.array([[0.5, 2], [1, 3], [3, 2], [np.nan, 1]])
    >>> Mixture(Exponential(), n_components=1).fit(X).scales_
    array([[1.5, 2. ]])
    """

    params_type = ExponentialParams
    _least = 0.0  # the least scales by column, once adapted
    _parameter_constraints: ClassVar = {
        "shape": [Interval(Real, 1, None, closed="left")],
        "rate": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(self, shape=1.0, rate=0.0):
        self.shape = shape
        self.rate = rate

    def adapt(self, rows, n_components=1):
        """A copy with the least scales of the columns of ``rows``."""
        self._validate_params()
        takes = "Exponential emissions take numbers from 0 on, or NaN"
        _columns.check_positive(rows, takes, zero=True)
        weights = np.ones((len(rows), 1)) if rows.weights is None else rows.weights[:, None]
        means = _columns.pooled_means(*self.statistics(None, rows, weights))
        adapted = copy.copy(self)
        adapted._least = LEAST_SCALE * np.where(means > 0, means, 1.0)
        return adapted

    def initialize(self, rows, resp):
        """The scales of given responsibilities."""
        return self.maximize(self.statistics(None, rows, resp))

    def log_likelihood(self, params, rows):
        """Log p(observed entries of row i | k), of shape (n_rows, K)."""
        out = _columns.linear(rows, -1.0 / params.scales, -np.log(params.scales))
        out[(rows.values < 0).any(axis=1)] = -np.inf
        return out

    def statistics(self, params, rows, resp):
        """The weight and the weighted sum of the observed entries of each column."""
        weight = _columns.observed_weight(rows, resp)
        return ExponentialStatistics(weight, resp.T @ _columns.zero_filled(rows))

    def maximize(self, statistics):
        """The modes of the gamma posteriors of the rates, as scales."""
        scales = _columns.means(*statistics)
        weight, total = statistics.weight + (self.shape - 1.0), statistics.total + self.rate
        np.divide(total, weight, out=scales, where=weight > 0)
        return ExponentialParams(np.maximum(scales, self._least))

    def regularizer(self, params):
        """The log prior without its constant."""
        log_prior = (1.0 - self.shape) * np.log(params.scales) - self.rate / params.scales
        return float(log_prior.sum())

    def cdf(self, params, values):
        """P(X_j <= value_ij | k), of shape (n, d, K)."""
        return -np.expm1(-np.maximum(values[:, :, None], 0.0) / params.scales.T)

    def sample(self, params, components, rng):
        """One row from each of ``components``."""
        return rng.exponential(params.scales[components])

    def complete(self, params, rows, component, how="mean", rng=None):
        """``rows`` with missing entries replaced by the scales, by zeros (the mode), or draws."""
        scales = np.broadcast_to(params.scales[component], rows.values.shape)[rows.missing]
        if how == "draw":
            scales = rng.exponential(scales)
        return _columns.filled(rows, 0.0 if how == "mode" else scales)

    def variance(self, params, rows, component):
        """Variances of the missing entries: the squared scales."""
        return np.where(rows.missing, params.scales[component] ** 2, 0.0)

    def marginal(self, params, features):
        """The scales of some features."""
        return ExponentialParams(params.scales[:, features])

    def n_parameters(self, params):
        """One scale for each component and feature."""
        return params.scales.size

    def embed(self, rows):
        """Cube roots, whose distribution is near a normal one, as points of one scale."""
        return super().embed(Rows(np.cbrt(rows.values, dtype=np.float64), rows.weights))

    def pack(self, params):
        """Logarithms of the scales."""
        return np.log(params.scales).ravel()

    def unpack(self, vector, like):
        """The inverse of :meth:`pack`, within the bounds."""
        return ExponentialParams(np.maximum(np.exp(vector.reshape(like.scales.shape)), self._least))

    def degenerate(self, params):
        """Components that have only zeros in a column."""
        found = {}
        for k, j in np.argwhere(params.scales <= self._least * (1 + 1e-6)).tolist():
            found.setdefault(
                k,
                f"component {k} has only zeros in column {j}; use fewer components, or a prior: "
                "rate > 0.",
            )
        return found
