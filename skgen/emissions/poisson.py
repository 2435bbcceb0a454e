"""Poisson emissions: independent counts."""

from numbers import Real
from typing import ClassVar, NamedTuple

import numpy as np
from scipy.special import pdtr, xlogy
from sklearn.utils._param_validation import Interval

from .._kernels import _counts
from . import _columns
from ._base import Emission


class PoissonParams(NamedTuple):
    """Expected counts."""

    rates: np.ndarray  # (K, d)


class PoissonStatistics(NamedTuple):
    """Sums over the rows in which a column is observed."""

    weight: np.ndarray  # (K, d) sum of resp
    total: np.ndarray  # (K, d) sum of resp * x


class Poisson(Emission):
    r"""Independent counts.

    .. math:: p(x \mid k) = \prod_j \lambda_{kj}^{x_j} e^{-\lambda_{kj}} / x_j!

    The prior of each rate is a gamma distribution, :math:`p(\lambda) \propto \lambda^{a - 1}
    e^{-b \lambda}`; the default is flat and gives maximum likelihood.

    Parameters
    ----------
    shape : float, default=1.0
        The :math:`a` of the prior, 1 or more. Counts as ``shape - 1`` additional events.
    rate : float, default=0.0
        The :math:`b` of the prior. Counts as ``rate`` additional rows.

    Notes
    -----
    A component that has only zeros in a column gets the rate 0 there without a prior. It counts as
    1e-300 in log densities, which are thus very low but finite for rows with a positive count.
    A component without any weight gets the rates of all rows together. Values that are no counts
    (negative, fractional, above 2^52) are refused in fit and have log density -inf afterwards.

    Examples
    --------
    >>> import numpy as np
    >>> from skgen import Mixture
    >>> from skgen.emissions import Poisson
    >>> X = np.array([[0.0, 2], [1, 3], [9, 2], [np.nan, 3], [11, 1]])
    >>> float(Mixture(Poisson(), n_components=1).fit(X).rates_[0, 0])
    5.25
    """

    params_type = PoissonParams
    _parameter_constraints: ClassVar = {
        "shape": [Interval(Real, 1, None, closed="left")],
        "rate": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(self, shape=1.0, rate=0.0):
        self.shape = shape
        self.rate = rate

    def adapt(self, rows, n_components=1):
        """Itself, if ``rows`` are counts."""
        self._validate_params()
        _columns.check_counts(
            rows, _columns.MAX_COUNT, "Poisson emissions take counts 0, 1, 2, ... or NaN"
        )
        return self

    def initialize(self, rows, resp):
        """Rates near those of the responsibilities, but never zero, which EM does not leave."""
        weight, total = self.statistics(None, rows, resp)
        pooled = np.maximum(_columns.pooled_means(weight, total), _columns.POOLED)
        near = (1.0 - _columns.POOLED) * total + _columns.POOLED * weight * pooled
        return self.maximize(PoissonStatistics(weight, near))

    def log_likelihood(self, params, rows):
        """Log p(observed entries of row i | k), of shape (n_rows, K)."""
        out = _columns.linear(rows, _columns.log(params.rates), -params.rates)
        out -= _counts.log_factorials(rows.values)[:, None]
        return out

    def statistics(self, params, rows, resp):
        """The weight and the weighted sum of the observed entries of each column."""
        weight = _columns.observed_weight(rows, resp)
        return PoissonStatistics(weight, resp.T @ _columns.zero_filled(rows))

    def maximize(self, statistics):
        """The modes of the gamma posteriors of the rates."""
        weight, total = statistics
        rates = np.array(np.broadcast_to(_columns.pooled_means(weight, total), total.shape))
        weight, total = weight + self.rate, total + (self.shape - 1.0)
        return PoissonParams(np.divide(total, weight, out=rates, where=weight > 0))

    def regularizer(self, params):
        """The log prior without its constant."""
        log_prior = xlogy(self.shape - 1.0, params.rates) - self.rate * params.rates
        return float(log_prior.sum())

    def cdf(self, params, values):
        """P(X_j <= value_ij | k), of shape (n, d, K)."""
        x = np.floor(values)[:, :, None]
        return np.where(x < 0, 0.0, pdtr(np.maximum(x, 0.0), params.rates.T))

    def sample(self, params, components, rng):
        """One row of counts from each of ``components``."""
        return rng.poisson(params.rates[components]).astype(np.float64)

    def complete(self, params, rows, component, how="mean", rng=None):
        """``rows`` with missing counts replaced by their rates, the likeliest counts, or draws."""
        rates = np.broadcast_to(params.rates[component], rows.values.shape)[rows.missing]
        if how == "draw":
            rates = rng.poisson(rates)
        return _columns.filled(rows, np.floor(rates) if how == "mode" else rates)

    def variance(self, params, rows, component):
        """Variances of the missing counts: their rates."""
        return np.where(rows.missing, params.rates[component], 0.0)

    def marginal(self, params, features):
        """The rates of some features."""
        return PoissonParams(params.rates[:, features])

    def n_parameters(self, params):
        """One rate for each component and feature."""
        return params.rates.size

    def embed(self, rows):
        """Square roots of the counts (Anscombe's), whose variance does not depend on the rate."""
        return _columns.centred(np.sqrt(rows.values + 0.375, dtype=np.float64), rows)

    def pack(self, params):
        """Square roots, which are finite for a rate of zero as logarithms are not."""
        return np.sqrt(params.rates).ravel()

    def unpack(self, vector, like):
        """The inverse of :meth:`pack`."""
        return PoissonParams(np.square(vector).reshape(like.rates.shape))
