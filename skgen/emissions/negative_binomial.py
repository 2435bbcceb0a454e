"""Negative binomial emissions: counts that vary more than Poisson counts do."""

import copy
from typing import ClassVar, NamedTuple

import numpy as np
from scipy.special import betainc

from .._kernels import _counts
from .._validation import check_memory
from . import _columns
from ._base import Emission
from ._gamma import log_minus_digamma, log_rising

# From the Poisson limit, which is exact to 1e-12 here, to counts that are nearly all zero.
DISPERSION_RANGE = (1e-12, 1e6)
UNIT_NODES = 128  # counts up to here have a cell each
WIDTH = 16  # cells of larger counts are this share of their first count wide
START_DISPERSION = 0.1
NEWTON_STEPS = 80
SMALL = 1e-2


class NegativeBinomialParams(NamedTuple):
    """Means, and dispersions: the variance is mean + dispersion * mean^2."""

    means: np.ndarray  # (K, d)
    dispersions: np.ndarray  # (K, d)


class NegativeBinomialStatistics(NamedTuple):
    """Sums over the rows in which a column is observed."""

    weight: np.ndarray  # (K, d) sum of resp
    total: np.ndarray  # (K, d) sum of resp * x
    above: np.ndarray  # (K, d, C) sum of resp over the counts m < x in each cell; see `statistics`


class NegativeBinomial(Emission):
    r"""Independent counts whose variance exceeds their mean.

    .. math:: p(x \mid k) = \prod_j \frac{\Gamma(x_j + r_{kj})}{\Gamma(r_{kj})\, x_j!}
        \frac{(\alpha_{kj} \mu_{kj})^{x_j}}{(1 + \alpha_{kj} \mu_{kj})^{x_j + r_{kj}}},
        \qquad r = 1 / \alpha

    These are Poisson counts whose rates are gamma distributed: the mean is :math:`\mu`, the
    variance :math:`\mu + \alpha \mu^2`. With the dispersion :math:`\alpha \to 0` they are Poisson
    counts.

    Notes
    -----
    The maximum of the likelihood is found exactly in each step where no count is above 128, and
    nearly so for larger ones, which share cells; EM is monotone in any case. The dispersion is
    kept between 1e-12, where counts vary no more than Poisson counts, and 1e6. A component without
    any weight gets the means of all rows together.

    References
    ----------
    Lawless (1987). Negative binomial and mixed Poisson regression. Canadian Journal of Statistics
    15(3).

    Examples
    --------
    >>> import numpy as np
    >>> from skgen import Mixture
    >>> from skgen.emissions import NegativeBinomial
    >>> X = np.random.default_rng(0).negative_binomial(2, 0.25, (5000, 1))
    >>> model = Mixture(NegativeBinomial(), n_components=1).fit(X)
    >>> model.means_.round(1), model.dispersions_.round(1)
    (array([[6.]]), array([[0.5]]))
    """

    params_type = NegativeBinomialParams
    _nodes = None  # the first count of each cell, once adapted
    _parameter_constraints: ClassVar[dict] = {}

    def adapt(self, rows, n_components=1):
        """A copy with cells for the counts of ``rows``."""
        takes = "NegativeBinomial emissions take counts 0, 1, 2, ... or NaN"
        _columns.check_counts(rows, _columns.MAX_COUNT, takes)
        adapted = copy.copy(self)
        adapted._nodes = _nodes(np.fmax.reduce(rows.values, axis=None, initial=0))
        check_memory(
            24.0 * n_components * rows.n_features * len(adapted._nodes),
            f"n_components={n_components} in {rows.n_features} columns of counts",
            "use fewer components or columns",
        )
        return adapted

    def initialize(self, rows, resp):
        """Means and dispersions near those of the responsibilities, with means above zero."""
        even = np.full((resp.shape[1], rows.n_features), START_DISPERSION)
        found = self.statistics(NegativeBinomialParams(even, even), rows, resp)
        weight, total, above = found
        pooled = np.maximum(_columns.pooled_means(weight, total), _columns.POOLED)
        near = (1.0 - _columns.POOLED) * total + _columns.POOLED * weight * pooled
        started = self.maximize(NegativeBinomialStatistics(weight, near, above))
        return started._replace(dispersions=np.maximum(started.dispersions, 1e-3))

    def log_likelihood(self, params, rows):
        """Log p(observed entries of row i | k), of shape (n_rows, K)."""
        means, r = np.maximum(params.means, _columns.TINY), 1.0 / params.dispersions
        log_spread = np.log1p(params.dispersions * means)
        out = _columns.linear(rows, np.log(means) - log_spread, -r * log_spread)
        few = np.moveaxis(log_rising(r[..., None], np.arange(UNIT_NODES + 1)), 0, -1)
        out += _counts.gather(rows.values, np.ascontiguousarray(few))
        for i, j, x in _large(rows):
            np.add.at(out, i, log_rising(r[:, j], x[:, None]))
        out -= _counts.log_factorials(rows.values)[:, None]
        return out

    def statistics(self, params, rows, resp):
        """How often each factor of the rising product r (r + 1) ... (r + x - 1) occurs.

        The likelihood needs the sum of log(r + m) over the counts m < x, thus the number of rows
        with x > m. A cell of counts m = a, ..., b - 1 is bounded from below by its first one,
        log(r + m) >= w log(r + a) + constant, with the w = (r + a) / (r + m) of the current r, for
        which both sides agree in value and slope; the sum of w stands for the number. A cell of
        one count is exact.
        """
        weight = _columns.observed_weight(rows, resp)
        total = resp.T @ _columns.zero_filled(rows)
        found = _counts.scatter(rows.values, np.ascontiguousarray(resp, np.float64), UNIT_NODES + 1)
        exact = found[:, ::-1].cumsum(axis=1)[:, -2::-1]  # rows with x > m, of those up to 128
        above = np.zeros((*weight.shape, len(self._nodes)))
        size = min(UNIT_NODES, len(self._nodes))
        above[:, :, :size] = np.moveaxis(exact[:, :size], -1, 0)
        for i, j, x in _large(rows):
            above[:, j] += self._tails(1.0 / params.dispersions[:, j], x, resp[i])
        return NegativeBinomialStatistics(weight, total, above)

    def _tails(self, r, x, resp):
        """What large counts x (n,) of one column add to `above`, of shape (K, C)."""
        nodes = self._nodes
        cell = np.minimum(np.searchsorted(nodes, x, side="left") - 1, len(nodes) - 1)
        sizes = np.zeros((len(r), len(nodes)))
        last = np.zeros_like(sizes)
        np.add.at(sizes.T, cell, resp)
        within = _share(r[:, None], nodes[cell], x)  # of the cell in which x ends
        np.add.at(last.T, cell, resp * within.T)
        passed = sizes.sum(axis=1, keepdims=True) - sizes.cumsum(axis=1)
        whole = np.zeros_like(sizes)
        whole[:, :-1] = _share(r[:, None], nodes[:-1], nodes[1:])
        return passed * whole + last

    def maximize(self, statistics):
        """Means, and dispersions at which the derivative of the bound is zero."""
        means = _columns.means(statistics.weight, statistics.total)
        return NegativeBinomialParams(means, self._dispersions(statistics, means))

    def _dispersions(self, statistics, means):
        """The dispersions that go with given means."""
        weight = np.where(statistics.weight > 0, statistics.weight, 1.0)
        total, above = statistics.total / weight, statistics.above / weight[..., None]
        return _dispersion(means, total, above, self._nodes)

    def maximize_held(self, statistics, last, held):
        """The M-step, in which the dispersions go with the means that there will be."""
        if "means" not in held or "dispersions" in held:
            return super().maximize_held(statistics, last, held)
        return NegativeBinomialParams(last.means, self._dispersions(statistics, last.means))

    def cdf(self, params, values):
        """P(X_j <= value_ij | k), of shape (n, d, K)."""
        x, share = np.floor(values)[:, :, None], 1.0 / (1.0 + params.dispersions * params.means)
        found = betainc(1.0 / params.dispersions.T, np.maximum(x, 0.0) + 1.0, share.T)
        return np.where(x < 0, 0.0, found)

    def sample(self, params, components, rng):
        """One row of counts from each of ``components``."""
        return _draws(params.means[components], params.dispersions[components], rng)

    def complete(self, params, rows, component, how="mean", rng=None):
        """``rows`` with missing counts replaced by their means, the likeliest counts, or draws."""
        shape = rows.values.shape
        means = np.broadcast_to(params.means[component], shape)[rows.missing]
        dispersions = np.broadcast_to(params.dispersions[component], shape)[rows.missing]
        if how == "draw":
            means = _draws(means, dispersions, rng)
        elif how == "mode":
            means = np.floor(means * np.maximum(1.0 - dispersions, 0.0))
        return _columns.filled(rows, means)

    def variance(self, params, rows, component):
        """Variances of the missing counts: mean + dispersion * mean^2."""
        means = params.means[component]
        variance = means + params.dispersions[component] * means**2
        return np.where(rows.missing, variance, 0.0)

    def marginal(self, params, features):
        """The means and dispersions of some features."""
        return NegativeBinomialParams(params.means[:, features], params.dispersions[:, features])

    def n_parameters(self, params):
        """A mean and a dispersion for each component and feature."""
        return 2 * params.means.size

    def embed(self, rows):
        """Logarithms of the counts, whose variance depends little on the mean."""
        return _columns.centred(np.log(rows.values + 0.5, dtype=np.float64), rows)

    def pack(self, params):
        """Square roots of the means, and logarithms of the dispersions."""
        return np.concatenate([np.sqrt(params.means).ravel(), np.log(params.dispersions).ravel()])

    def unpack(self, vector, like):
        """The inverse of :meth:`pack`, within the bounds."""
        means, logs = vector.reshape(2, *like.means.shape)
        low, high = np.log(DISPERSION_RANGE)
        return NegativeBinomialParams(np.square(means), np.exp(np.clip(logs, low, high)))


def _nodes(largest):
    """First counts of the cells: 0, 1, 2, ..., 128, 136, ...; below the largest count."""
    nodes = list(range(int(min(max(largest, 1), UNIT_NODES))))
    a = UNIT_NODES
    while a < largest:
        nodes.append(a)
        a += a // WIDTH
    return np.array(nodes, dtype=np.float64)


def _large(rows):
    """By column j: the rows (i,) whose counts x (i,) are above those with a cell each."""
    for j, column in enumerate(rows.values.T):
        i = np.flatnonzero(column > UNIT_NODES)
        if len(i):
            yield i, j, column[i].astype(np.float64)


def _share(r, a, b):
    """The sum of (r + a) / (r + m) over the counts m = a, ..., b - 1, for r + a of 128 or more."""
    low, high = r + a, r + b
    difference = log_minus_digamma(low)[0] - log_minus_digamma(high)[0]
    return low * (np.log1p((b - a) / low) + difference)


def _dispersion(means, total, above, nodes):
    """Where the derivative of the bound by log alpha is zero: Newton's method, kept in brackets.

    Per unit of weight that is, with the cells c and their first counts a,

        g = sum_c above_c alpha a_c / (1 + alpha a_c) + (total - sum_c above_c)
            - mean + log(1 + alpha mean) / alpha - (total - mean) alpha mean / (1 + alpha mean)
    """
    gain = np.maximum(total - above.sum(axis=-1), 0.0)
    off = np.where(total > 0, total - means, 0.0)

    def derivative(place):
        alpha = np.exp(place)
        part = alpha[..., None] * nodes
        part /= 1.0 + part
        lack, slope = _lack(alpha * means)
        spread = alpha * means / (1.0 + alpha * means)
        value = (above * part).sum(axis=-1) + gain - means * lack - off * spread
        ahead = (above * part * (1.0 - part)).sum(axis=-1) - means * slope
        return value, ahead - off * spread * (1.0 - spread)

    low, high = (np.full(means.shape, np.log(value)) for value in DISPERSION_RANGE)
    at_low, at_high = derivative(low)[0] <= 0, derivative(high)[0] >= 0
    place = np.where(at_low, low, np.where(at_high, high, np.log(START_DISPERSION)))
    settled = at_low | at_high
    for _ in range(NEWTON_STEPS):
        if settled.all():
            break
        value, slope = derivative(place)
        low, high = np.where(value > 0, place, low), np.where(value > 0, high, place)
        ahead = place - np.divide(value, slope, out=np.full(means.shape, np.inf), where=slope < 0)
        ahead = np.where((ahead > low) & (ahead < high), ahead, (low + high) / 2)
        moved, place = np.abs(ahead - place), np.where(settled, place, ahead)
        settled |= moved < 1e-14
    return np.exp(place)


def _lack(x):
    """1 - log(1 + x) / x, and x times its derivative, with all digits for small x."""
    small = np.minimum(x, SMALL)
    large = np.maximum(x, SMALL)
    log = np.log1p(large) / large
    powers = small[..., None] ** np.arange(1, 8) * [
        1 / 2,
        -1 / 3,
        1 / 4,
        -1 / 5,
        1 / 6,
        -1 / 7,
        1 / 8,
    ]
    value = np.where(x < SMALL, powers.sum(axis=-1), 1.0 - log)
    slope = np.where(x < SMALL, powers @ np.arange(1.0, 8), log - 1.0 / (1.0 + large))
    return value, slope


def _draws(means, dispersions, rng):
    """Poisson counts whose rates are gamma distributed."""
    rates = means * rng.standard_gamma(1.0 / dispersions) * dispersions
    return rng.poisson(rates).astype(np.float64)
