"""Multinomial emissions: how the counts of a row share out its total."""

from numbers import Integral, Real
from typing import ClassVar, NamedTuple

import numpy as np
from scipy.special import bdtr, gammaln
from sklearn.utils._param_validation import Interval

from .._kernels import _counts
from .._simplex import Simplex
from . import _columns
from ._base import Emission

LEAST_SHARE = 1e-200  # of the observed cells of a row: its inverse times any count is finite
NO_REST = 1e-9  # what probabilities that add up to one leave to cells outside the table


class MultinomialParams(NamedTuple):
    """Probabilities of the cells, and totals of rows; a marginal leaves a rest of probability."""

    probs: np.ndarray  # (K, d)
    totals: np.ndarray  # (K,)


class MultinomialStatistics(NamedTuple):
    """Sums over rows: ``total / exposure`` is proportional to the probabilities."""

    total: np.ndarray  # (K, d) sum of resp * x
    exposure: np.ndarray  # (K, d) sum of resp * (estimated total), where the cell is observed
    rows: np.ndarray  # (K,) sum of resp
    trials: np.ndarray  # (K,) sum of resp * (estimated total)


class Multinomial(Emission):
    r"""Rows of counts, given how many there are in the row: words of a text, baskets, votes.

    .. math:: p(x \mid n, k) = \frac{n!}{\prod_j x_j!} \prod_j p_{kj}^{x_j},
        \qquad n = \sum_j x_j

    The total says nothing about the component. The prior of the probabilities is a Dirichlet
    distribution, :math:`p(p) \propto \prod_j p_j^{a - 1}`; the default is flat and gives maximum
    likelihood.

    Parameters
    ----------
    n_trials : int, default=None
        The total of every row. None: each row has its own, whose distribution is not modelled.
    concentration : float, default=1.0
        The :math:`a` of the prior, 1 or more. Counts as ``concentration - 1`` additional counts
        in each cell.

    Notes
    -----
    *Missing cells.* With ``n_trials`` the counts that are missing are known together: they are
    what the others leave of the total, and cells are summed over exactly. Without, the total of a
    row with a gap is unknown and has no distribution, so there is nothing to sum over. What is
    defined then is the distribution of the observed cells given *their* total, a multinomial with
    the probabilities :math:`p_j / \sum_{i\,\text{observed}} p_i`. It is that of the complete row
    conditioned on the missing cells, whatever these are; the fit maximises it, each step being a
    minorisation [1]_. Imputation needs ``n_trials``.

    *Totals.* ``totals_`` is ``n_trials``, or the mean total of the rows of a component, which
    serves only to draw samples.

    A cell that is 0 in all rows of a component gets the probability 0 without a prior. It counts
    as 1e-300 in log densities, which are thus very low but finite. A component without any weight
    gets the frequencies of all rows together.

    References
    ----------
    .. [1] Hunter (2004). MM algorithms for generalized Bradley-Terry models. Annals of Statistics
       32(1).

    Examples
    --------
    >>> import numpy as np
    >>> from skgen import Mixture
    >>> from skgen.emissions import Multinomial
    >>> X = np.array([[3.0, 1, 0], [1, 1, 2], [np.nan, 2, 2]])
    >>> Mixture(Multinomial(), n_components=1).fit(X).probs_.round(3)
    array([[0.5 , 0.25, 0.25]])
    """

    params_type = MultinomialParams
    _parameter_constraints: ClassVar = {
        "n_trials": [Interval(Integral, 1, None, closed="left"), None],
        "concentration": [Interval(Real, 1, None, closed="left")],
    }

    def __init__(self, n_trials=None, concentration=1.0):
        self.n_trials = n_trials
        self.concentration = concentration

    def adapt(self, rows, n_components=1):
        """Itself, if ``rows`` are counts that go with ``n_trials``."""
        self._validate_params()
        takes = "Multinomial emissions take counts 0, 1, 2, ... or NaN"
        _columns.check_counts(rows, _columns.MAX_COUNT, takes)
        if self.n_trials is not None:
            found = _columns.zero_filled(rows).sum(axis=1)
            wrong = (found > self.n_trials) | (_complete(rows) & (found < self.n_trials))
            if wrong.any():
                i = int(wrong.argmax())
                raise ValueError(
                    f"The columns of row {i} of X add up to {found[i]:.6g}, but n_trials is "
                    f"{self.n_trials}; set n_trials=None for rows with totals of their own."
                )
        return self

    def initialize(self, rows, resp):
        """Probabilities near those of the responsibilities, above 0 for all cells."""
        K, d = resp.shape[1], rows.n_features
        even = MultinomialParams(np.full((K, d), 1.0 / d), np.full(K, float(self.n_trials or 0)))
        found = self.statistics(even, rows, resp)
        for _ in range(3 if rows.has_missing else 1):
            params = self.maximize(found)
            probs = _columns.start_counts(params.probs[:, None])[:, 0]
            params = params._replace(probs=probs / probs.sum(axis=1, keepdims=True))
            found = self.statistics(params, rows, resp)
        return params

    def log_likelihood(self, params, rows):
        """Log p(observed cells of row i | total, k), of shape (n_rows, K)."""
        x = _columns.zero_filled(rows)
        n = x.sum(axis=1, dtype=np.float64)[:, None]
        out = x @ _columns.log(params.probs).T - _counts.log_factorials(rows.values)[:, None]
        if self.n_trials is None:
            out += gammaln(n + 1) - n * _columns.log(_observed(params, rows))
        else:
            left = params.totals - n
            out += gammaln(params.totals + 1) - gammaln(np.maximum(left, 0.0) + 1)
            out += np.maximum(left, 0.0) * _columns.log(_unobserved(params, rows))
            closed = _complete(rows)[:, None] & (_rest(params) == 0)
            out[(left < 0) | (closed & (left > 0))] = -np.inf
        out[_columns.outside_support(rows, _columns.MAX_COUNT)] = -np.inf
        return out

    def statistics(self, params, rows, resp):
        """Counts, and what makes frequencies of them where cells are missing."""
        x = _columns.zero_filled(rows)
        n = x.sum(axis=1, dtype=np.float64)[:, None]
        seen = _columns.observed_weight
        total, weight = resp.T @ x, resp.sum(axis=0)
        if rows.has_missing:
            weight = resp.T @ ~rows.missing.all(axis=1)
        if self.n_trials is None:
            trials = resp * (n / np.maximum(_observed(params, rows), LEAST_SHARE))
            return MultinomialStatistics(total, seen(rows, trials), weight, trials.sum(axis=0))
        trials = resp * float(self.n_trials)
        if rows.has_missing:  # missing cells share what is left of the trials
            share = np.maximum(_unobserved(params, rows), LEAST_SHARE)
            total = total + params.probs * ((resp * (self.n_trials - n) / share).T @ rows.missing)
        exposure = np.repeat(trials.sum(axis=0)[:, None], rows.n_features, axis=1)
        return MultinomialStatistics(total, exposure, weight, trials.sum(axis=0))

    def maximize(self, statistics):
        """The mode of the Dirichlet posterior, or a step towards it where totals are unknown."""
        s, extra = statistics, self.concentration - 1.0
        rates = np.empty(s.total.shape)
        rates[:] = _ratio(s.total.sum(axis=0), s.exposure.sum(axis=0), 1.0 / rates.shape[1])
        exposure = s.exposure + extra * rates.shape[1]
        np.divide(s.total + extra, exposure, out=rates, where=exposure > 0)
        probs = Simplex().maximize(rates)
        if self.n_trials is not None:
            return MultinomialParams(probs, np.full(len(probs), float(self.n_trials)))
        overall = _ratio(s.trials.sum(), s.rows.sum(), 0.0)
        return MultinomialParams(probs, _ratio(s.trials, s.rows, overall))

    def regularizer(self, params):
        """The log prior without its constant."""
        return Simplex(self.concentration).regularizer(params.probs)

    def cdf(self, params, values):
        """P(X_j <= value_ij | k) of each cell by itself, of shape (n, d, K)."""
        if self.n_trials is None:
            return super().cdf(params, values)
        x, totals = np.floor(values)[:, :, None], np.rint(params.totals)
        inside = bdtr(np.clip(x, 0, totals), totals.astype(np.int64), params.probs.T)
        return np.where(x < 0, 0.0, np.where(x >= totals, 1.0, inside))

    def sample(self, params, components, rng):
        """One row of counts from each of ``components``, of n_trials or their mean total."""
        totals = np.rint(params.totals).astype(np.int64)[components]
        return rng.multinomial(totals, _cells(params)[components])[:, :-1].astype(np.float64)

    def complete(self, params, rows, component, how="mean", rng=None):
        """``rows`` with what is left of ``n_trials`` shared out to the missing cells."""
        if self.n_trials is None:
            raise ValueError(
                "Multinomial emissions with n_trials=None say nothing of missing counts, as the "
                "total of the row is unknown; set n_trials to the total of all rows."
            )
        left, cells = self._open(params, rows, component)
        if how == "draw":
            filled = rng.multinomial(np.rint(left).astype(np.int64), cells)
        else:
            filled = left[:, None] * cells if how == "mean" else _mode(left, cells)
        return _columns.filled(rows, filled[:, :-1][rows.missing])

    def variance(self, params, rows, component):
        """Variances of the missing cells, of a multinomial of what is left; None if unknown."""
        if self.n_trials is None:
            return None
        left, cells = self._open(params, rows, component)
        cells = cells[:, :-1]
        return np.where(rows.missing, left[:, None] * cells * (1.0 - cells), 0.0)

    def _open(self, params, rows, component):
        """What the observed cells leave of the total, and who shares it; the last is the rest."""
        component = np.broadcast_to(component, len(rows))
        rest = np.ones((len(rows), 1), dtype=bool)
        cells = _cells(params)[component] * np.concatenate([rows.missing, rest], axis=1)
        left = params.totals[component] - _columns.zero_filled(rows).sum(axis=1, dtype=np.float64)
        return np.maximum(left, 0.0), Simplex().maximize(cells)

    def marginal(self, params, features):
        """The probabilities of some cells; with ``n_trials`` the others become the rest."""
        return MultinomialParams(params.probs[:, features], params.totals)

    def conditional(self, params, row, free):
        """The cells ``free`` share what the others leave of ``n_trials``."""
        if self.n_trials is None:
            return self.marginal(params, free)
        probs = (
            params.probs[:, free] / np.maximum(_unobserved(params, row)[0], LEAST_SHARE)[:, None]
        )
        left = params.totals - _columns.zero_filled(row).sum()
        return MultinomialParams(probs, np.maximum(left, 0.0))

    def n_parameters(self, params):
        """Cells less one for each component."""
        return params.probs.size - int((_rest(params) == 0).sum())

    def embed(self, rows):
        """Square roots of the shares of a row, in which distances are those of Hellinger."""
        total = np.maximum(_columns.zero_filled(rows).sum(axis=1, keepdims=True), 1.0)
        return _columns.centred(np.sqrt(rows.values / total, dtype=np.float64), rows)

    def pack(self, params):
        """Square roots, which are finite for a probability of zero as logarithms are not."""
        return np.sqrt(params.probs).ravel()

    def unpack(self, vector, like):
        """The inverse of :meth:`pack`."""
        squares = np.maximum(np.square(vector).reshape(like.probs.shape), _columns.TINY)
        return like._replace(probs=squares / squares.sum(axis=1, keepdims=True))


def _complete(rows):
    """Which rows have no missing cell."""
    return ~rows.missing.any(axis=1) if rows.has_missing else np.ones(len(rows), dtype=bool)


def _rest(params):
    """What the probabilities leave to cells that a marginal does not have, of shape (K,)."""
    rest = 1.0 - params.probs.sum(axis=1)
    return np.where(rest > NO_REST, rest, 0.0)


def _cells(params):
    """The probabilities of all cells and, last, of the rest; (K, d + 1)."""
    return Simplex().maximize(np.column_stack([params.probs, _rest(params)]))


def _observed(params, rows):
    """The probability of the observed cells of each row, of shape (n_rows or 1, K)."""
    if rows.has_missing:
        return ~rows.missing @ params.probs.T
    return params.probs.sum(axis=1)[None]


def _unobserved(params, rows):
    """The probability of the other cells of each row, of shape (n_rows or 1, K)."""
    rest = _rest(params)
    return rows.missing @ params.probs.T + rest if rows.has_missing else rest[None]


def _ratio(a, b, otherwise):
    """A / b, and `otherwise` where b is zero."""
    out = np.array(np.broadcast_to(otherwise, np.shape(b)), dtype=np.float64)
    return np.divide(a, b, out=out, where=np.asarray(b) > 0)


def _mode(totals, cells):
    """The likeliest counts of each row: whole shares first, then one by one what gains most."""
    counts = np.floor(totals[:, None] * cells)
    for _ in range(cells.shape[1]):
        open_rows = np.flatnonzero(counts.sum(axis=1) < totals)
        if len(open_rows) == 0:
            break
        best = (cells[open_rows] / (counts[open_rows] + 1)).argmax(axis=1)
        counts[open_rows, best] += 1
    return counts
