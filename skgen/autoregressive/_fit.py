"""Fits of one autoregression to a set of sequences, by every method."""

from math import log
from typing import NamedTuple

import numpy as np

from .._kernels import _ar, _ar_exact
from . import _least_squares as least_squares
from . import _steps as steps
from ._model import ARParams, floored, is_stationary, partial_to_coef
from ._var import maximize

LOG_2PI = log(2 * np.pi)


class Task(NamedTuple):
    """What is to be fitted to what."""

    x: np.ndarray  # (n, d), sequences end to end, centred; the steps of an integrated process
    terms: np.ndarray  # (n, r)
    exog: np.ndarray  # (n, m)
    offsets: np.ndarray  # (n_sequences + 1,)
    weights: np.ndarray | None  # (n_sequences,)
    time: object  # Terms
    lags: np.ndarray | None  # those of a subset, None for all up to `order`
    order: int
    criterion: str | None  # which chooses an order up to `order`
    prior: float
    floor: np.ndarray  # (d,) least innovation variances
    max_iter: int
    gone: np.ndarray | None = None  # (n_levels, d) missing levels of an integrated process

    @property
    def diff(self):
        """Whether x has the steps of an integrated process."""
        return self.gone is not None

    def hidden(self, length=0):
        """x, padded to sequences of this length, their offsets, and what is missing of them.

        That is numbers of entries within their sequence, and where those of each sequence begin;
        of levels for an integrated process, whose x has anything in their place.
        """
        x, offsets = steps.at_least(length, self.x, self.offsets)
        if not self.diff:
            return x, offsets, *steps.missing(np.isnan(x), offsets)
        ends = self.offsets + np.arange(len(offsets))
        marks, ends = steps.at_least(length + 1, np.where(self.gone, np.nan, 0.0), ends)
        return np.nan_to_num(x, nan=0.0), offsets, *steps.missing(np.isnan(marks), ends)

    @property
    def shape(self):
        """Columns of x, of the terms and of the exogenous ones."""
        return self.x.shape[1], self.terms.shape[1], self.exog.shape[1]

    @property
    def plain(self):
        """Whether the terms are a constant or nothing."""
        return not self.time.varies

    @property
    def lengths(self):
        """Rows of each sequence."""
        return self.offsets[1:] - self.offsets[:-1]

    def n_rows(self, skipped=0, weighted=True):
        """Rows but for the first ones of each sequence."""
        lengths = np.maximum(self.lengths - skipped, 0)
        known = self.weights is None or not weighted
        return float(lengths.sum() if known else self.weights @ lengths)


class Found(NamedTuple):
    """A fit: the recursion about the centre of the task's x."""

    coef: np.ndarray  # (p, d, d)
    terms: np.ndarray  # (r, d)
    exog: np.ndarray  # (m, d)
    sigma: np.ndarray  # (d, d)
    log_lik: float
    paths: dict | None = None  # log-likelihood and criteria of order 0, 1, ..., if all were fitted
    last: np.ndarray | None = None  # (P, d, d) last coefficient of each order
    n_iter: int = 1
    converged: bool = True


def choose(task, log_liks, n):
    """The order to take; Akaike's, Bayes', Hannan and Quinn's criterion of order 0, 1, ..."""
    d, r, m = task.shape
    size = np.arange(len(log_liks)) * d * d + ((r + m) * d + d * (d + 1) // 2)
    price = prices(n)
    values = np.outer(list(price.values()), size) - 2 * log_liks
    paths = dict(zip(price, values, strict=True), loglik=log_liks)
    return (task.order if task.criterion is None else int(paths[task.criterion].argmin())), paths


def prices(n):
    """What a parameter costs by each criterion, of n rows."""
    return {"aic": 2.0, "bic": log(n), "hqic": 2 * log(log(max(n, 3.0)))}


def gaussian_log_liks(scatter, n, floor):
    """Of residual scatters (..., d, d) of n rows, at their best."""
    d = scatter.shape[-1]
    sigma = floored(scatter / n, floor)
    log_det = np.log(sigma[..., 0, 0]) if d == 1 else np.linalg.slogdet(sigma)[1]
    return -0.5 * n * (log_det + d * (LOG_2PI + 1))


# ---- conditional least squares -----------------------------------------------------------------


def fit_conditional(task):
    """Least squares given the first rows of each sequence."""
    d, r, _ = task.shape
    every = task.lags is None and not task.prior  # order is fitted
    found = _one_series(task) if every and task.plain and d == 1 else None
    if found is not None:
        return found
    factor, order, path = _factor(task, task.order), task.order, {}
    if every:
        n = task.n_rows(task.order)
        fits = least_squares.all_orders(factor, r, d, n)
        order, paths = choose(task, gaussian_log_liks(fits.scatter, n, task.floor), n)
        path = {"paths": paths, "last": fits.last}
        if order < task.order:
            factor = _shorter(task, factor, order)
    return _least_squares(task, factor, order)._replace(**path)


def _one_series(task):
    """One column with at most a constant, in one compiled call; None where digits are lost."""
    r, n, price = task.terms.shape[1], task.n_rows(task.order), None
    if task.criterion is not None:
        price = np.array([prices(n)[task.criterion]])
    coef, order, found, scatter, last = _ar.least_squares(
        task.x[:, 0],
        task.offsets,
        task.order,
        task.floor,
        weights=task.weights,
        constant=r > 0,
        price=price,
    )
    k, (rows, squares) = int(order[0]), found[0]
    if k < 0:
        return None
    _, paths = choose(task, gaussian_log_liks(scatter[0, :, None, None], n, task.floor), n)
    sigma = floored(np.array([[squares / rows]]), task.floor)
    log_lik = float(gaussian_log_liks(squares[None, None], rows, task.floor))
    exog = np.zeros((task.exog.shape[1], 1))
    terms, coef = coef[:, :r].T, coef[0, 1 : k + 1, None, None]
    return Found(coef, terms, exog, sigma, log_lik, paths, last[0, :, None, None])


def _factor(task, order):
    return least_squares.triangular(
        task.x, task.terms, task.offsets, task.weights, order, plain=task.plain
    )


def _shorter(task, factor, order):
    """The factor of fewer lags, for which there are more rows, without another pass over them."""
    own = None
    if task.plain:
        given = task.x, task.offsets, task.weights
        own = least_squares.shorter(factor, task.terms.shape[1], *given, task.order, order)
    return _factor(task, order) if own is None else own


def _least_squares(task, factor, order):
    d, r, m = task.shape
    n = task.n_rows(order)
    if task.lags is not None:
        factor = least_squares.chosen_lags(factor, r, d, task.lags)
    terms, own, scatter = least_squares.solution(factor, r, d, task.prior, n)
    coef = own
    if task.lags is not None:
        coef = np.zeros((order, d, d))
        coef[task.lags - 1] = own
    sigma = floored(scatter / n, task.floor)
    log_lik = float(gaussian_log_liks(scatter, n, task.floor))
    return Found(coef, terms, np.zeros((m, d)), sigma, log_lik)


# ---- moments -----------------------------------------------------------------------------------


def fit_yule_walker(task):
    """Autocovariances of the deviations from the terms; the fit is stationary."""
    beta, u = _deviations(task)
    gamma = least_squares.autocovariance_matrices(u, task.offsets, task.weights, task.order)
    if u.shape[1] == 1:
        _, partial, errors = _ar.levinson(gamma[:, 0, 0])
        return _by_order(task, beta, partial, errors)
    orders, errors = least_squares.whittle(gamma)
    last = np.array([own[-1] for own in orders[1:]]).reshape(-1, *gamma.shape[1:])
    return _best_of(task, beta, orders.__getitem__, errors, last)


def fit_burg(task):
    """Burg's reflection coefficients, of one series; the fit is stationary."""
    beta, u = _deviations(task)
    _, partial, errors = _ar.burg(u[:, 0], task.offsets, task.order, task.weights)
    return _by_order(task, beta, partial, errors)


def _by_order(task, beta, partial, errors):
    """Of one series, from what Levinson's recursion found."""

    def coef(order):
        return partial_to_coef(partial[:order])[:, None, None]

    return _best_of(task, beta, coef, errors[:, None, None], partial[:, None, None])


def _best_of(task, beta, coef_of, errors, last):
    n = task.n_rows()
    sigma = floored(errors, task.floor)
    log_liks = gaussian_log_liks(errors * n, n, task.floor)
    order, paths = choose(task, log_liks, n)
    coef = coef_of(order)
    terms = task.time.of_recursion(coef, beta) if len(beta) else beta
    exog = np.zeros((task.exog.shape[1], beta.shape[1]))
    return Found(coef, terms, exog, sigma[order], float(log_liks[order]), paths, last)


def _deviations(task):
    """Coefficients of the terms by least squares, and what they leave."""
    r, d = task.terms.shape[1], task.x.shape[1]
    if r == 0 or (task.plain and task.weights is None):  # x has mean zero
        return np.zeros((r, d)), task.x
    w = 1.0 if task.weights is None else np.repeat(task.weights, task.lengths)[:, None]
    if task.plain:
        beta = np.average(task.x, axis=0, weights=w[:, 0])[None]
        return beta, task.x - beta
    beta = np.linalg.lstsq(task.terms * np.sqrt(w), task.x * np.sqrt(w), rcond=None)[0]
    return beta, np.ascontiguousarray(task.x - task.terms @ beta)


# ---- exact maximum likelihood ------------------------------------------------------------------


def fit_exact(task):
    """Maximum likelihood of all rows, the first ones included; the fit is stationary."""
    if task.x.shape[1] > 1:
        return _exact_columns(task)
    return _Exact(task).best()


def _exact_columns(task):
    """Several columns."""
    r = task.shape[1]
    sizes = [task.order] if task.criterion is None else range(task.order + 1)
    runs = [maximize(task, size) for size in sizes]
    order, path = task.order, {}
    if task.criterion is not None:
        log_liks = np.array([log_lik for _, log_lik, _ in runs])
        order, paths = choose(task, log_liks, task.n_rows())
        path = {"paths": paths, "last": np.array([point.coef[-1] for point, _, _ in runs[1:]])}
    point, log_lik, run = runs[-1 if task.criterion is None else order]
    terms = task.time.of_recursion(point.coef, point.beta[:r]) if r else point.beta[:0]
    sigma = floored(point.chol @ point.chol.T, task.floor)
    return Found(
        point.coef,
        terms,
        point.beta[r:],
        sigma,
        log_lik,
        n_iter=run.n_iter,
        converged=run.converged,
        **path,
    )


class _Exact:
    """One series: the kernel's view of a task, shared by all orders."""

    def __init__(self, task):
        self.task = task
        x, self.offsets, entries, self.gaps = task.hidden(task.order)
        counts = np.diff(self.gaps)
        self.missing = entries + np.repeat(self.offsets[:-1], counts)
        weights = np.ones(len(counts)) if task.weights is None else task.weights
        self.n_obs = float(weights @ (np.diff(self.offsets) - counts))
        self.z, self.factor, self.known = x.reshape(1, -1), self._factor(x), 0.0
        if self.factor is None:
            known = np.concatenate([task.terms, task.exog], axis=1)
            known = np.nan_to_num(steps.at_least(task.order, known, task.offsets)[0])
            gone = np.isnan(x[:, 0])
            # What plain least squares explains is left out: squares of it would drown the rest.
            self.known = np.linalg.lstsq(known[~gone], x[~gone], rcond=None)[0]
            columns = [x - known @ self.known, known]
            self.z = np.ascontiguousarray(np.concatenate(columns, axis=1).T)
            self.z[:, gone] = 0.0

    def _factor(self, x):
        """The data in O(p^2) numbers, where nothing is missing."""
        task = self.task
        if len(self.missing) or not task.plain or task.exog.shape[1]:
            return None
        gram = _ar.lagged_gram(x[:, 0], self.offsets, task.order, task.weights)
        factor = least_squares.safe_cholesky(gram)
        return None if factor is None else np.ascontiguousarray(factor.T)

    def run(self, size=None, lags=None, start=None):
        """The optimum, of some of the lags."""
        task = self.task
        return _ar_exact.fit(
            self.z,
            self.offsets,
            task.order,
            factor=self.factor,
            constant=task.terms.shape[1] > 0,
            missing=self.missing,
            gaps=self.gaps,
            weights=task.weights,
            lags=lags,
            size=size,
            n_obs=self.n_obs,
            prior=task.prior,
            floor=float(task.floor[0]),
            start=start,
            diff=task.diff,
        )

    def best(self):
        task = self.task
        if task.lags is not None:
            return self._found(self.run(lags=task.lags.astype(np.intp)), task.order)
        if task.criterion is None:
            return self._found(self.run(), task.order)
        runs, start = [], np.empty(0)
        for size in range(task.order + 1):
            run = self.run(size=size, start=None if size == 0 else np.append(start, 0.0))
            start = np.clip(run["coordinates"], -3, 3)
            runs.append(run)
        log_liks = np.array([run["log_lik"] for run in runs])
        order, paths = choose(task, log_liks, self.n_obs)
        last = np.array([run["coef"][k] for k, run in enumerate(runs[1:])])
        found = self._found(runs[order], order)
        return found._replace(paths=paths, last=last[:, None, None])

    def _found(self, run, order):
        r = self.task.terms.shape[1]
        coef, beta = run["coef"][:order, None, None], run["beta"][:, None] + self.known
        terms = self.task.time.of_recursion(coef, beta[:r]) if r else beta[:0]
        sigma = np.array([[run["sigma2"]]])
        return Found(
            coef,
            terms,
            beta[r:],
            sigma,
            run["log_lik"],
            None,
            None,
            run["n_iter"],
            run["converged"],
        )


FITS = {
    "exact": fit_exact,
    "conditional": fit_conditional,
    "yule-walker": fit_yule_walker,
    "burg": fit_burg,
}


def params_of(task, found, centre, location, scale):
    """The fitted model in the units of the data, of which the task had `centre` removed."""
    terms = found.terms
    if task.time.constant:
        total = found.coef.sum(axis=0) if len(found.coef) else 0.0
        terms = terms.copy()
        terms[0] += centre - (total @ centre if len(found.coef) else 0.0)
    diff = int(task.diff)
    return ARParams(found.coef, terms, found.exog, found.sigma, location, scale, diff)


__all__ = ["FITS", "Found", "Task", "is_stationary", "params_of"]
