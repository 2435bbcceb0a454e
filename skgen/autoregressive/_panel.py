"""A model for each sequence: thousands of them in one compiled call."""

from itertools import pairwise

import numpy as np

from .._kernels import _ar_exact
from .._sequences import Sequences
from . import _steps as steps
from ._base import warn_of_fit
from ._model import ARParams
from ._panel_moments import fit_moments, moments

CRITERIA = (None, "aic", "bic", "hqic")


def fit_each(model, sequences):
    """Fit a model to each sequence and store their attributes with a leading axis."""
    x = np.asarray(sequences.rows.values, dtype=np.float64)
    terms = model._terms()
    plain = x.shape[1] == 1 and not terms.varies and np.ndim(model.order) == 0
    if plain and model.method == "exact":
        _fit_compiled(model, sequences, x[:, 0])
    elif not (plain and not model.prior and fit_moments(model, sequences, x)):
        _fit_one_by_one(model, sequences)
    late = np.flatnonzero(~model.converged_)
    if len(late):
        warn_of_fit(
            f"The likelihood of {len(late)} sequences was still growing at the end, the first of "
            f"them sequence {late[0]}; a lower order or a prior would help."
        )


def _fit_compiled(model, sequences, x):
    """One column, exact maximum likelihood with at most a constant."""
    _, order, criterion = model._order(sequences.lengths - model.diff, x[:, None])
    _check_lengths(model, sequences, x, 0 if criterion else order)
    ends = sequences.offsets
    model.location_, model.scale_ = moments(x, ends)
    x, ends = steps.at_least(max(order, 1) + model.diff, x[:, None], ends)
    values, gone = steps.filled(x, ends, model.diff) if model.diff else (x, np.isnan(x))
    missing, gaps = steps.missing(gone, ends)
    values, offsets = steps.steps(values, ends) if model.diff else (x, ends)
    coef, found, n_iter = _ar_exact.fit_panel(
        np.ascontiguousarray(values[:, 0]),
        offsets,
        order,
        model._terms().constant,
        missing=missing,
        gaps=gaps,
        diff=bool(model.diff),
        criterion=CRITERIA.index(criterion),
        prior=float(model.prior),
    )
    mean, sigma2, log_lik, orders = found.T
    model.coef_ = coef
    model.intercept_ = mean * (1 - coef.sum(axis=1))
    model.noise_variance_ = sigma2
    model.trend_coef_, model.exog_coef_ = np.empty((2, len(coef), 0))
    model.log_lik_, model.order_, model.lags_ = log_lik, orders.astype(np.intp), None
    model.n_iter_, model.converged_ = np.where(n_iter < 0, -n_iter - 1, n_iter), n_iter >= 0


def _check_lengths(model, sequences, x, order):
    """Refuse sequences with fewer values than parameters."""
    seen = np.add.reduceat(~np.isnan(x), sequences.offsets[:-1])
    needed = order + 1 + int(model._terms().constant) + model.diff
    if (seen < needed).any():
        s = int((seen < needed).argmax())
        raise ValueError(
            f"order={model.order!r} with pooled=False: sequence {s} has {seen[s]} values for "
            f"{needed} parameters; leave it out or use a lower order."
        )


def _fit_one_by_one(model, sequences):
    """Whatever the settings."""
    fits = []
    for a, b in pairwise(sequences.offsets):
        rows = sequences.rows.block(a, b)
        task, found, own = model._fitted_to(Sequences(rows, [0, len(rows)], single=True))
        facts = found.log_lik, len(found.coef), found.n_iter, found.converged
        fits.append((own, *facts))
    params, log_lik, orders, n_iter, converged = zip(*fits, strict=True)
    p, d = max(orders), params[0].shape[1]
    coef = np.zeros((len(params), p, d, d))
    for each, one in zip(coef, params, strict=True):
        each[: len(one.coef)] = one.coef
    stacked = ARParams(
        coef, *[np.array(values) for values in zip(*[one[1:7] for one in params], strict=True)]
    )
    first = int(model._terms().constant)
    squeeze = (lambda a: a[..., 0]) if d == 1 else (lambda a: a)
    model.coef_ = coef[:, :, 0, 0] if d == 1 else coef
    model.intercept_ = squeeze(stacked.terms[:, 0] if first else np.zeros((len(params), d)))
    model.trend_coef_ = squeeze(stacked.terms[:, first:])
    model.exog_coef_ = squeeze(stacked.exog)
    model.noise_variance_ = stacked.sigma[:, 0, 0] if d == 1 else stacked.sigma
    model.location_, model.scale_ = stacked.location, stacked.scale
    model.log_lik_, model.order_, model.lags_ = np.array(log_lik), np.array(orders), task.lags
    model.n_iter_, model.converged_ = np.array(n_iter), np.array(converged)
