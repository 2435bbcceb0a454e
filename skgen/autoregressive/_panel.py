"""A model for each sequence: thousands of them in one compiled call."""

from typing import NamedTuple

import numpy as np

from .._kernels import _ar_exact
from .._sequences import Sequences
from . import _steps as steps
from ._base import degeneracy, warn_of_fit
from ._panel_moments import fit_moments, moments

CRITERIA = (None, "aic", "bic", "hqic")


class Fits(NamedTuple):
    """A model for each of S sequences; an order of -1 asks for a fit by itself."""

    coef: np.ndarray  # (S, p, d, d)
    terms: np.ndarray  # (S, r, d), in the recursion
    exog: np.ndarray  # (S, m, d)
    sigma: np.ndarray  # (S, d, d)
    location: np.ndarray  # (S, d)
    scale: np.ndarray  # (S, d)
    log_lik: np.ndarray  # (S,)
    order: np.ndarray  # (S,)
    n_iter: np.ndarray  # (S,)
    converged: np.ndarray  # (S,)

    @classmethod
    def none(cls, n_seq, p, r, m, d):
        """All of them still to be fitted."""
        shapes = (p, d, d), (r, d), (m, d), (d, d), (d,), (d,), (), (), (), ()
        fits = cls(*[np.zeros((n_seq, *shape)) for shape in shapes])
        return fits._replace(
            order=np.full(n_seq, -1), n_iter=np.ones(n_seq, int), converged=np.ones(n_seq, bool)
        )


def fit_each(model, sequences):
    """Fit a model to each sequence and store their attributes with a leading axis."""
    values = np.asarray(sequences.rows.values, dtype=np.float64)
    x, exog = values[:, model._outputs()], values[:, model._exog()]
    model._check_data(x, exog, sequences.rows.has_missing)
    lags, p, criterion = model._order(sequences.lengths - model.diff, x)
    sizes = len(sequences), p, model._terms().n_terms, exog.shape[1], x.shape[1]
    fits = Fits.none(*sizes)
    if x.shape[1] == 1 and model.method == "exact":
        _fit_compiled(model, sequences, x, exog, lags, p, criterion, fits)
    elif x.shape[1] == 1 and not model.prior and lags is None:
        fit_moments(model, sequences, x, p, criterion, fits)
    told = [(s, _fit_alone(model, sequences, s, fits)) for s in np.flatnonzero(fits.order < 0)]
    _warn([(s, reason) for s, reason in told if reason], fits.converged)
    if criterion:
        fits = fits._replace(coef=fits.coef[:, : fits.order.max()])
    model.lags_ = lags
    _store(model, fits)


def _warn(degenerate, converged):
    """One warning of each kind, about the first sequence."""
    if degenerate:
        s, reason = degenerate[0]
        more = f", one of {len(degenerate)} such sequences" if len(degenerate) > 1 else ""
        warn_of_fit(f"Degenerate fit of sequence {s}{more}: {reason}.")
    late = np.flatnonzero(~converged)
    if len(late):
        warn_of_fit(
            f"The likelihood of {len(late)} sequences was still growing at the end, the first of "
            f"them sequence {late[0]}; a lower order or a prior would help."
        )


def _fit_alone(model, sequences, s, fits):
    """A fit with whatever settings, into `fits`; what is degenerate about it, or None."""
    rows = sequences.rows.block(*sequences.offsets[s : s + 2])
    try:
        task, found, own = model._fitted_to(Sequences(rows, [0, len(rows)], single=True))
    except ValueError as error:
        raise ValueError(f"with pooled=False, sequence {s}: {error}") from error
    fits.coef[s, : len(own.coef)] = own.coef
    for name in ("terms", "exog", "sigma", "location", "scale"):
        getattr(fits, name)[s] = getattr(own, name)
    facts = found.log_lik, len(found.coef), found.n_iter, found.converged
    for name, value in zip(("log_lik", "order", "n_iter", "converged"), facts, strict=True):
        getattr(fits, name)[s] = value
    return degeneracy(model, found.sigma, task.floor)


def _store(model, fits):
    """The models as public attributes."""
    one, first = fits.sigma.shape[1] == 1, int(model._terms().constant)
    intercept = fits.terms[:, 0] if first else np.zeros_like(fits.location)
    model.coef_ = fits.coef[..., 0, 0] if one else fits.coef
    model.intercept_ = intercept[:, 0] if one else intercept
    model.trend_coef_ = fits.terms[:, first:, 0] if one else fits.terms[:, first:]
    model.exog_coef_ = fits.exog[..., 0] if one else fits.exog
    model.noise_variance_ = fits.sigma[:, 0, 0] if one else fits.sigma
    for name in ("location", "scale", "log_lik", "order", "n_iter", "converged"):
        setattr(model, f"{name}_", getattr(fits, name))


def _fit_compiled(model, sequences, x, exog, lags, p, criterion, fits):
    """One column, exact maximum likelihood: what is told of each sequence into `fits`."""
    terms, diff, m = model._terms(), model.diff, exog.shape[1]
    free = (0 if criterion else p) if lags is None else len(lags)
    _check_lengths(model, sequences, x, free + 1 + terms.n_terms + m + diff)
    fits.location[:], fits.scale[:], floor = moments(x, sequences.offsets)
    exog_means = np.add.reduceat(exog, sequences.offsets[:-1]) / sequences.lengths[:, None]
    values, ends = steps.at_least(
        max(p, 1) + diff, np.concatenate([x, exog], axis=1), sequences.offsets
    )
    x, exog = values[:, :1], np.nan_to_num(values[:, 1:])
    filled, gone = steps.filled(x, ends, diff) if diff else (x, np.isnan(x))
    missing, gaps = steps.missing(gone, ends)
    if diff:
        exog = steps.steps(exog, ends)[0]
        filled, ends = steps.steps(filled, ends)
    design = terms.design(diff, int(np.diff(ends).max()))
    coef, beta, found, n_iter = _ar_exact.fit_panel(
        np.ascontiguousarray(filled[:, 0]),
        ends,
        p,
        np.ascontiguousarray(design.T),
        floor,
        exog=np.ascontiguousarray(exog.T),
        plain=not (terms.varies or m),
        lags=None if lags is None else lags.astype(np.intp),
        missing=missing,
        gaps=gaps,
        diff=bool(diff),
        criterion=CRITERIA.index(criterion),
        prior=float(model.prior),
    )
    fits.coef[:, :, 0, 0], fits.sigma[:, 0, 0], fits.log_lik[:] = coef, found[:, 0], found[:, 1]
    fits.exog[:, :, 0] = beta[:, terms.n_terms :]
    fits.terms[:] = terms.of_recursion(fits.coef, beta[:, : terms.n_terms, None])
    if diff:  # the level is that of what the exogenous columns leave
        fits.location[:] -= np.einsum("sm,smd->sd", exog_means, fits.exog)
    told = (found[:, 2] >= 0) & (found[:, 0] >= 2 * floor)
    fits.order[told] = found[told, 2] if lags is None else p
    fits.n_iter[:], fits.converged[:] = np.where(n_iter < 0, -n_iter - 1, n_iter), n_iter >= 0


def _check_lengths(model, sequences, x, needed):
    """Refuse sequences with fewer values than parameters."""
    seen = np.add.reduceat(~np.isnan(x[:, 0]), sequences.offsets[:-1])
    if (seen < needed).any():
        s = int((seen < needed).argmax())
        raise ValueError(
            f"order={model.order!r} with pooled=False: sequence {s} has {seen[s]} values for "
            f"{needed} parameters; leave it out or use a lower order."
        )
