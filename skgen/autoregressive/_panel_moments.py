"""Least squares, Yule-Walker and Burg for each series of a panel, all series at once."""

import numpy as np

from .._kernels import _ar
from . import _steps as steps
from ._fit import LOG_2PI, prices
from ._model import partial_to_coef

SMALL_SHARE = 1e-4  # of a column that the others leave: less asks for more care


def fit_moments(model, sequences, x, p, criterion, fits):
    """Fit one column: what is told of each sequence into `fits`, but where it takes more care."""
    terms, lengths = model._terms(), sequences.lengths - model.diff
    rows = lengths - p if model.method == "conditional" else lengths
    if (rows < p + 1 + terms.n_terms).any() or (lengths <= p).any():
        return  # fits one by one will say what is wrong
    fits.location[:], fits.scale[:], floor = moments(x, sequences.offsets)
    x, offsets = steps.steps(x, sequences.offsets) if model.diff else (x, sequences.offsets)
    price = None if criterion is None else np.array([prices(n)[criterion] for n in rows])
    beta, u = _deviations(terms, x, offsets, model.diff)
    fit = _least_squares if model.method == "conditional" else _recursion
    given = u, offsets, p, price, floor
    coef, rest, variance, orders, rows = fit(*given, terms, model)
    fits.coef[:, :, 0, 0], fits.sigma[:, 0, 0] = coef, variance
    fits.terms[:] = terms.of_recursion(fits.coef, beta) + rest
    fits.log_lik[:] = _log_liks(variance, rows, floor)
    fits.order[:] = np.where(variance >= 2 * floor, orders, -1)


def _deviations(terms, x, offsets, first):
    """Coefficients (S, r, 1) of the terms by least squares, and what they leave, of shape (n,)."""
    beta, u = np.zeros((len(offsets) - 1, terms.n_terms, 1)), x[:, 0].copy()
    if terms.constant:
        beta[:, 0] = moments(x, offsets)[0]
        u -= np.repeat(beta[:, 0, 0], np.diff(offsets))
    if not terms.varies:
        return beta, u
    for n, own, at in _of_equal_length(offsets):
        design = terms.design(first, n)
        more = np.linalg.lstsq(design, u[at].T, rcond=None)[0].T
        beta[own, :, 0] += more
        u[at] -= more @ design.T
    return beta, u


def _of_equal_length(offsets):
    """Each length with the sequences that have it, and where their entries are, (S', n)."""
    lengths = np.diff(offsets)
    for n in np.unique(lengths):
        own = np.flatnonzero(lengths == n)
        yield int(n), own, offsets[own, None] + np.arange(n)


def _log_liks(variance, n, floor):
    return -0.5 * n * (np.log(np.maximum(variance, floor)) + LOG_2PI + 1)


def _least_squares(u, offsets, p, price, floor, terms, model):
    """Coefficients, those of terms, innovation variances, orders, rows, by series."""
    if terms.varies:
        return _with_terms(u, offsets, p, price, floor, terms, model.diff)
    coef, orders, found, _, _ = _ar.least_squares(
        u, offsets, p, floor, constant=terms.constant, price=price, each=True
    )
    rows, squares = found.T
    return coef[:, 1:], coef[:, : terms.n_terms, None], squares / rows, orders, rows


def _recursion(u, offsets, p, price, floor, terms, model):
    """The same by Yule-Walker and Burg."""
    _, partial, variance = _ar.each_recursion(u, offsets, p, model.method == "burg")
    each, rows, orders = np.arange(len(partial)), np.diff(offsets), np.full(len(partial), p)
    if price is not None:
        log_liks = _log_liks(variance, rows[:, None], floor[:, None])
        orders = np.argmin(price[:, None] * np.arange(p + 1) - 2 * log_liks, axis=1)
    partial = np.where(np.arange(p) < orders[:, None], partial, 0.0)
    return partial_to_coef(partial), 0.0, variance[each, orders], orders, rows


def moments(x, offsets):
    """Mean and standard deviation of each sequence, (S, 1), and the least variance of an error."""
    x = x[:, 0]  # numpy repeats and adds up rows of one entry slowly
    seen = ~np.isnan(x)
    n = np.add.reduceat(seen, offsets[:-1])
    mean = np.add.reduceat(np.where(seen, x, 0.0), offsets[:-1]) / n
    rest = np.where(seen, x - np.repeat(mean, np.diff(offsets)), 0.0)
    variance = np.add.reduceat(rest**2, offsets[:-1]) / n
    size, scale = np.sqrt(mean**2 + variance), np.sqrt(variance)
    scale = np.where(scale > 0, scale, np.maximum(size, 1.0))
    return mean[:, None], scale[:, None], np.maximum((np.finfo(float).eps * size) ** 2, 1e-300)


# ---- least squares with terms ------------------------------------------------------------------


def _with_terms(u, offsets, p, price, floor, terms, first):
    """Least squares of lags and terms, which series of the same length have in common."""
    n_seq = len(offsets) - 1
    coef, rest = np.zeros((n_seq, p)), np.zeros((n_seq, terms.n_terms, 1))
    variance, orders = np.zeros(n_seq), np.full(n_seq, -1)
    for n, own, at in _of_equal_length(offsets):
        design, values = terms.design(first, n), u[at]
        factor = _factor(values, design, p)
        good, k = _told(factor), np.full(len(own), p)
        if price is not None:
            squares = np.cumsum(factor[:, ::-1, -1] ** 2, axis=1)[:, ::-1]
            deviance = -2 * _log_liks(squares / (n - p), n - p, floor[own, None])
            k = np.argmin(price[own, None] * np.arange(p + 1) + deviance, axis=1)
        for order in np.unique(k[good]):
            chosen = good & (k == order)
            s, values_s = own[chosen], values[chosen]
            short = factor[chosen] if order == p else _factor(values_s, design, order)
            coef[s, :order], rest[s, :, 0], squares = _solution(short, values_s, design)
            variance[s], orders[s] = squares / (n - order), np.where(_told(short), order, -1)
    return coef, rest, variance, orders, np.diff(offsets) - np.maximum(orders, 0)


def _windows(values, p):
    """Lags 1 .. p and the values (S, n) themselves, of shape (S, n - p, p + 1)."""
    order = [*range(p - 1, -1, -1), p]
    return np.lib.stride_tricks.sliding_window_view(values, p + 1, axis=1)[..., order]


def _factor(values, design, p):
    """The triangular factors (S, p + 1, p + 1) of lags and values, what terms explain taken out."""
    size = np.sqrt(np.sum(design[p:] ** 2, axis=0))
    basis, share, _ = np.linalg.svd(design[p:] / np.where(size > 0, size, 1.0), full_matrices=False)
    basis = basis[:, share > 1e-12 * share[0]]
    rows = _windows(values, p)
    return np.linalg.qr(rows - basis @ (basis.T @ rows), mode="r")


def _told(factor):
    """Whether the lags are told apart from each other and from the terms."""
    squares = np.sum(factor**2, axis=1)[:, :-1]
    left = np.einsum("sjj->sj", factor)[:, :-1] ** 2
    return (left > SMALL_SHARE**2 * squares).all(axis=1)


def _solution(factor, values, design):
    """Coefficients (S, p) and of terms (S, r), and the sums of squares that are left."""
    p = factor.shape[1] - 1
    coef = np.linalg.solve(factor[:, :p, :p], factor[:, :p, p:])[..., 0]
    errors = values[:, p:] - np.einsum("sti,si->st", _windows(values, p)[..., :p], coef)
    rest = np.linalg.lstsq(design[p:], errors.T, rcond=None)[0].T
    return coef, rest, factor[:, p, p] ** 2
