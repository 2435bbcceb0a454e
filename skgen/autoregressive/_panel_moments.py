"""Least squares, Yule-Walker and Burg for each series of a panel, all series at once."""

import numpy as np

from .._kernels import _ar
from . import _steps as steps
from ._fit import LOG_2PI, prices
from ._least_squares import SMALL_PIVOT


def fit_moments(model, sequences, x):
    """Fit one column with at most a constant; False where it takes more care than is taken here."""
    constant, lengths = model._terms().constant, sequences.lengths - model.diff
    model._check_data(x, np.empty((len(x), 0)))
    _, order, criterion = model._order(lengths, x)
    rows = lengths - order if model.method == "conditional" else lengths
    if (rows < order + 1 + constant).any() or (lengths <= order).any():
        return False  # which will say what is wrong
    location, scale = moments(x[:, 0], sequences.offsets)
    floor = np.maximum(np.finfo(float).eps ** 2 * (location**2 + scale**2), 1e-300)
    x, offsets = steps.steps(x, sequences.offsets) if model.diff else (x, sequences.offsets)
    u, centre = np.ascontiguousarray(x[:, 0]), np.zeros(len(lengths))
    if constant:
        centre = moments(u, offsets)[0][:, 0]
        u = u - np.repeat(centre, lengths)
    fit = _LeastSquares if model.method == "conditional" else _Recursion
    try:
        fits = fit(u, offsets, order, constant, model.method)
        orders = np.full(len(lengths), order)
        if criterion is not None:
            price = np.array([prices(n)[criterion] for n in rows])[:, None]
            log_liks = _log_liks(fits.variance, rows[:, None], floor)
            orders = np.argmin(price * np.arange(order + 1) - 2 * log_liks, axis=1)
        coef, rest, variance, rows = fits.of_order(orders)
    except np.linalg.LinAlgError:
        return False
    if (variance <= floor[:, 0]).any():
        return False
    log_lik = _log_liks(variance, rows, floor[:, 0])
    model.coef_, model.intercept_ = coef, rest + centre * (1 - coef.sum(axis=1))
    model.noise_variance_, model.log_lik_ = variance, log_lik
    model.trend_coef_, model.exog_coef_ = np.empty((2, len(coef), 0))
    model.location_, model.scale_ = location, np.where(scale > 0, scale, 1.0)
    model.order_, model.lags_ = orders, None
    model.n_iter_, model.converged_ = np.ones(len(coef), dtype=int), np.ones(len(coef), dtype=bool)
    return True


def _log_liks(variance, n, floor):
    return -0.5 * n * (np.log(np.maximum(variance, floor)) + LOG_2PI + 1)


class _Recursion:
    """Yule-Walker's and Burg's fits of every order: ``variance`` (n_series, p + 1)."""

    def __init__(self, u, offsets, order, constant, method):
        _, self.partial, self.variance = _ar.each_recursion(u, offsets, order, method == "burg")
        self.rows = np.diff(offsets)

    def of_order(self, orders):
        """Coefficients, constants, innovation variances and numbers of rows, by series."""
        p = self.partial.shape[1]
        partial = np.where(np.arange(p) < orders[:, None], self.partial, 0.0)
        coef = np.zeros(partial.shape)
        for k in range(p):
            last = partial[:, k : k + 1]
            coef[:, :k] -= last * coef[:, :k][:, ::-1]
            coef[:, k] = last[:, 0]
        each = np.arange(len(orders))
        return coef, np.zeros(len(orders)), self.variance[each, orders], self.rows


class _LeastSquares:
    """Conditional fits; ``variance`` (n_series, p + 1) of every order on the same rows."""

    def __init__(self, u, offsets, order, constant, method):
        self.u, self.offsets, self.order, self.constant = u, offsets, order, constant
        self.factor = self._factor(u, offsets, order)
        last = self.factor[:, -1, int(constant) :]
        rows = np.diff(offsets)[:, None] - order
        self.variance = np.cumsum(last[:, ::-1] ** 2, axis=1)[:, ::-1] / rows

    def _factor(self, u, offsets, p):
        """The lower triangular factors of the Gram matrices of 1, lags and series."""
        first = 1 - int(self.constant)
        gram = _ar.each_gram(u, offsets, p)[:, first:, first:]
        factor = np.linalg.cholesky(gram)
        pivots, sizes = (np.einsum("sjj->sj", each) for each in (factor, gram))
        if (pivots**2 <= SMALL_PIVOT * sizes).any():
            raise np.linalg.LinAlgError
        return factor

    def of_order(self, orders):
        """Coefficients, constants, innovation variances and numbers of rows, by series."""
        coef, rest = np.zeros((len(orders), self.order)), np.zeros(len(orders))
        lengths, variance, r = np.diff(self.offsets), np.empty(len(orders)), int(self.constant)
        for k in np.unique(orders):
            own = orders == k
            factor = self.factor[own]
            if k < self.order:  # which has more rows
                ends = np.concatenate([[0], np.cumsum(lengths[own])])
                factor = self._factor(self.u[np.repeat(own, lengths)], ends, k)
            triangle, right = factor[:, :-1, :-1].transpose(0, 2, 1), factor[:, -1, :-1, None]
            beta = np.linalg.solve(triangle, right)[:, :, 0]
            coef[own, :k], rest[own] = beta[:, r:], beta[:, 0] if r else 0.0
            variance[own] = factor[:, -1, -1] ** 2 / (lengths[own] - k)
        return coef, rest, variance, lengths - orders


def moments(x, offsets):
    """Mean and standard deviation of each sequence, of shape (n_sequences, 1)."""
    seen = ~np.isnan(x)
    n = np.add.reduceat(seen, offsets[:-1])
    mean = np.add.reduceat(np.where(seen, x, 0.0), offsets[:-1]) / n
    rest = np.where(seen, x - np.repeat(mean, np.diff(offsets)), 0.0)
    return mean[:, None], np.sqrt(np.add.reduceat(rest**2, offsets[:-1]) / n)[:, None]
