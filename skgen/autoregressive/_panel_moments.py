"""Least squares, Yule-Walker and Burg for each series of a panel, all series at once."""

import numpy as np

from .._kernels import _ar
from . import _steps as steps
from ._fit import LOG_2PI, prices
from ._model import partial_to_coef


def fit_moments(model, sequences, x):
    """Fit one column with at most a constant; False where it takes more care than is taken here."""
    constant, lengths = model._terms().constant, sequences.lengths - model.diff
    model._check_data(x, np.empty((len(x), 0)), sequences.rows.has_missing)
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
    price = None
    if criterion is not None:
        price = np.array([prices(n)[criterion] for n in rows])
    fit = _least_squares if model.method == "conditional" else _recursion
    coef, rest, variance, orders, rows = fit(u, offsets, order, constant, price, floor[:, 0], model)
    if (orders < 0).any() or (variance <= floor[:, 0]).any():
        return False
    model.coef_, model.intercept_ = coef, rest + centre * (1 - coef.sum(axis=1))
    model.noise_variance_, model.log_lik_ = variance, _log_liks(variance, rows, floor[:, 0])
    model.trend_coef_, model.exog_coef_ = np.empty((2, len(coef), 0))
    model.location_, model.scale_ = location, np.where(scale > 0, scale, 1.0)
    model.order_, model.lags_ = orders, None
    model.n_iter_, model.converged_ = np.ones(len(coef), dtype=int), np.ones(len(coef), dtype=bool)
    return True


def _log_liks(variance, n, floor):
    return -0.5 * n * (np.log(np.maximum(variance, floor)) + LOG_2PI + 1)


def _least_squares(u, offsets, p, constant, price, floor, model):
    """Coefficients, constants, innovation variances, orders and numbers of rows, by series."""
    coef, orders, found, _, _ = _ar.least_squares(
        u, offsets, p, floor, constant=constant, price=price, each=True
    )
    rows, squares = found.T
    return coef[:, 1:], coef[:, 0], squares / rows, orders, rows


def _recursion(u, offsets, p, constant, price, floor, model):
    """The same by Yule-Walker and Burg."""
    _, partial, variance = _ar.each_recursion(u, offsets, p, model.method == "burg")
    each, rows, orders = np.arange(len(partial)), np.diff(offsets), np.full(len(partial), p)
    if price is not None:
        log_liks = _log_liks(variance, rows[:, None], floor[:, None])
        orders = np.argmin(price[:, None] * np.arange(p + 1) - 2 * log_liks, axis=1)
    partial = np.where(np.arange(p) < orders[:, None], partial, 0.0)
    coef = partial_to_coef(partial)
    return coef, np.zeros(len(coef)), variance[each, orders], orders, rows


def moments(x, offsets):
    """Mean and standard deviation of each sequence, of shape (n_sequences, 1)."""
    seen = ~np.isnan(x)
    n = np.add.reduceat(seen, offsets[:-1])
    mean = np.add.reduceat(np.where(seen, x, 0.0), offsets[:-1]) / n
    rest = np.where(seen, x - np.repeat(mean, np.diff(offsets)), 0.0)
    return mean[:, None], np.sqrt(np.add.reduceat(rest**2, offsets[:-1]) / n)[:, None]
