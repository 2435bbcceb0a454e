"""Gamma emissions: independent columns of positive numbers."""

import copy
from numbers import Real
from typing import ClassVar, NamedTuple

import numpy as np
from scipy.special import gammainc
from sklearn.utils._param_validation import Interval

from .._sequences import Rows
from . import _columns
from ._base import Emission
from ._covariance import column_moments, variance_floor
from ._gamma import inverse_digamma, log_peak, shape_of

SHAPE_RANGE = (1e-3, 1e8)
CONSTANT_SHAPE = 1e6  # of a column with a single value


class GammaParams(NamedTuple):
    """Shapes, and scales: the mean is shape * scale, the variance shape * scale^2."""

    shapes: np.ndarray  # (K, d)
    scales: np.ndarray  # (K, d)


class GammaStatistics(NamedTuple):
    """Sums over the rows in which a column is observed."""

    weight: np.ndarray  # (K, d) sum of resp
    total: np.ndarray  # (K, d) sum of resp * x
    logs: np.ndarray  # (K, d) sum of resp * log x


class Gamma(Emission):
    r"""Independent positive numbers: amounts, durations, rainfall.

    .. math:: p(x \mid k) = \prod_j \frac{x_j^{a_{kj} - 1} e^{-x_j / \theta_{kj}}}
        {\Gamma(a_{kj})\, \theta_{kj}^{a_{kj}}}

    The mean is :math:`a \theta`, the standard deviation the mean divided by :math:`\sqrt a`.

    Parameters
    ----------
    shape : float, default=None
        The shape :math:`a` of all columns and components; None: estimated for each. 1 gives
        exponential distributions.

    Notes
    -----
    The shape solves :math:`\log a - \psi(a) = \log \bar x - \overline{\log x}` by Newton's method.
    It is kept below a bound that comes from the data: data that are recorded in steps cannot tell
    whether a component is narrower than a step. A component without any weight gets the fit to
    all rows together. Values that are not positive are refused in fit and have log density -inf
    afterwards. A density with a shape of 1 or less has no mode; imputation then takes the mean,
    which is the mode of the logarithm.

    References
    ----------
    Minka (2002). Estimating a gamma distribution. Technical report, Microsoft Research.

    Examples
    --------
    >>> import numpy as np
    >>> from skgen import Mixture
    >>> from skgen.emissions import Gamma
    >>> X = np.random.default_rng(0).gamma(3.0, 2.0, (5000, 1))
    >>> model = Mixture(Gamma(), n_components=1).fit(X)
    >>> model.shapes_.round(1), model.scales_.round(1)
    (array([[3.]]), array([[2.]]))
    """

    params_type = GammaParams
    _largest = SHAPE_RANGE[1]  # by column, once adapted
    _parameter_constraints: ClassVar = {"shape": [Interval(Real, 0, None, closed="neither"), None]}

    def __init__(self, shape=None):
        self.shape = shape

    def adapt(self, rows, n_components=1):
        """A copy with bounds of the shapes by column of ``rows``."""
        self._validate_params()
        _columns.check_positive(rows, "Gamma emissions take positive numbers or NaN")
        logs = Rows(np.log(rows.values, dtype=np.float64), rows.weights)
        center, scale = column_moments(logs)
        # The variance of log x is 1 / shape where that is large.
        floor = variance_floor(logs, center, scale, n_components > 1)
        constant = np.fmax.reduce(logs.values) == np.fmin.reduce(logs.values)
        adapted = copy.copy(self)
        adapted._largest = np.where(constant, CONSTANT_SHAPE, np.minimum(1 / floor, SHAPE_RANGE[1]))
        return adapted

    def initialize(self, rows, resp):
        """The fit to given responsibilities."""
        return self.maximize(self.statistics(None, rows, resp))

    def log_likelihood(self, params, rows):
        """Log p(observed entries of row i | k), of shape (n_rows, K)."""
        x = np.where(rows.values > 0, rows.values, 1.0).astype(np.float64)
        logs, peaks = np.log(x), log_peak(params.shapes)
        out = np.empty((len(rows), len(peaks)))
        for k, mean in enumerate(params.shapes * params.scales):
            # About the mean, as the large terms of a narrow density cancel there.
            off = (x - mean) / mean
            log_ratio = np.where(off < -0.5, logs - np.log(mean), np.log1p(np.maximum(off, -0.5)))
            terms = params.shapes[k] * (log_ratio - off) + peaks[k] - logs
            out[:, k] = np.where(rows.missing, 0.0, terms).sum(axis=1)
        out[(rows.values <= 0).any(axis=1)] = -np.inf
        return out

    def statistics(self, params, rows, resp):
        """The weight, sum and sum of logarithms of the observed entries of each column."""
        x = rows.values.astype(np.float64)
        logs = np.log(x)
        if rows.has_missing:
            x, logs = (np.where(rows.missing, 0.0, values) for values in (x, logs))
        return GammaStatistics(_columns.observed_weight(rows, resp), resp.T @ x, resp.T @ logs)

    def maximize(self, statistics):
        """The shapes and scales of maximum likelihood."""
        weight, total, logs = statistics
        means = _columns.means(weight, total)
        if self.shape is not None:
            shapes = np.full(means.shape, float(self.shape))
        else:
            gap = np.log(means) - _columns.means(weight, logs, 0.0)
            shapes = shape_of(gap, SHAPE_RANGE[0], self._largest)
        return GammaParams(shapes, means / shapes)

    def maximize_held(self, statistics, last, held):
        """The M-step in which the scales go with given shapes, or the shapes with given scales."""
        weight, total, logs = statistics
        shapes, scales = last
        if "shapes" not in held and "scales" not in held:
            return self.maximize(statistics)
        if "scales" not in held:
            scales = _columns.means(weight, total) / shapes
        elif "shapes" not in held and self.shape is None:
            gap = _columns.means(weight, logs, 0.0) - np.log(scales)
            shapes = np.clip(inverse_digamma(gap), SHAPE_RANGE[0], self._largest)
        return GammaParams(shapes, scales)

    def cdf(self, params, values):
        """P(X_j <= value_ij | k), of shape (n, d, K)."""
        return gammainc(params.shapes.T, np.maximum(values[:, :, None], 0.0) / params.scales.T)

    def sample(self, params, components, rng):
        """One row of positive numbers from each of ``components``."""
        return _draws(params.shapes[components], params.scales[components], rng)

    def complete(self, params, rows, component, how="mean", rng=None):
        """``rows`` with missing entries replaced by means, modes or draws."""
        shape = rows.values.shape
        shapes = np.broadcast_to(params.shapes[component], shape)[rows.missing]
        scales = np.broadcast_to(params.scales[component], shape)[rows.missing]
        if how == "draw":
            return _columns.filled(rows, _draws(shapes, scales, rng))
        mode = (how == "mode") & (shapes > 1)
        return _columns.filled(rows, np.where(mode, shapes - 1, shapes) * scales)

    def variance(self, params, rows, component):
        """Variances of the missing entries: the shapes times the squared scales."""
        variance = params.shapes[component] * params.scales[component] ** 2
        return np.where(rows.missing, variance, 0.0)

    def marginal(self, params, features):
        """The shapes and scales of some features."""
        return GammaParams(params.shapes[:, features], params.scales[:, features])

    def n_parameters(self, params):
        """A scale for each component and feature, and a shape where that is estimated."""
        return (2 if self.shape is None else 1) * params.shapes.size

    def embed(self, rows):
        """Standardised logarithms."""
        logs = np.log(rows.values, dtype=np.float64)
        return super().embed(Rows(logs, rows.weights))

    def pack(self, params):
        """Logarithms of the means, and of the shapes."""
        means = np.log(params.shapes * params.scales).ravel()
        return np.concatenate(
            [means, np.log(params.shapes).ravel()] if self.shape is None else [means]
        )

    def unpack(self, vector, like):
        """The inverse of :meth:`pack`, within the bounds."""
        means, shapes = vector, like.shapes
        if self.shape is None:
            means, logs = vector.reshape(2, -1)
            low, high = np.log(SHAPE_RANGE[0]), np.log(self._largest)
            shapes = np.exp(np.clip(logs.reshape(shapes.shape), low, high))
        return GammaParams(shapes, np.exp(means.reshape(shapes.shape)) / shapes)

    def degenerate(self, params):
        """Components which are as narrow as the bound of the shape lets them be."""
        if self.shape is not None:
            return {}
        found = {}
        for k, j in np.argwhere(params.shapes >= self._largest * (1 - 1e-6)).tolist():
            found.setdefault(
                k, f"component {k} has no variance in column {j}; use fewer components."
            )
        return found


def _draws(shapes, scales, rng):
    """Gamma draws; those too small for a float64 become the smallest one."""
    return np.maximum(rng.standard_gamma(shapes) * scales, np.finfo(np.float64).tiny)
