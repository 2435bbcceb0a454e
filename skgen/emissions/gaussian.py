"""Gaussian emissions: full, tied, diagonal and spherical covariances, with missing entries."""

import copy
from numbers import Real
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr
from sklearn.utils._param_validation import Interval, StrOptions

from .._kernels import _gaussian
from .._validation import check_array_parameter
from ._base import Emission, Expectation
from ._covariance import (
    all_above,
    column_moments,
    conditional_moments,
    lower_triangle,
    lowest,
    overall_covariance,
    raised,
    variance_floor,
)

COVARIANCE_TYPES = ("full", "tied", "diag", "spherical")


class GaussianParams(NamedTuple):
    """Means (K, d); covariances (K, d, d), (d, d), (K, d) or (K,) by ``covariance_type``."""

    means: np.ndarray
    covariances: np.ndarray


class GaussianStatistics(NamedTuple):
    """Moments about ``origin``: raw second moments lose every digit once mean / sd reaches 1e8.

    Dense types: missing entries are completed in expectation. Diagonal types: moments of observed
    entries, with ``seen`` the responsibility by column.
    """

    origin: np.ndarray  # (K, d)
    weight: np.ndarray  # (K,)
    first: np.ndarray  # (K, d)
    second: np.ndarray  # (K, d, d) or (K, d)
    seen: np.ndarray  # (K, d)


class _Bound(NamedTuple):
    """What the hyperparameters mean for the data at hand."""

    center: np.ndarray  # (d,)
    scale: np.ndarray  # (d,)
    floor: np.ndarray | None  # (d,) least variances
    ridge: float
    mean_prior: dict  # keyword arguments of the kernel; empty for maximum likelihood
    covariance_prior: dict


class Gaussian(Emission):
    r"""Multivariate normal, :math:`p(x | k) = \mathcal{N}(x; \mu_k, \Sigma_k)`.

    Parameters
    ----------
    covariance_type : {"full", "tied", "diag", "spherical"}, default="full"
        Full: a covariance matrix per component; tied: one for all; diag: a variance per component
        and feature; spherical: a variance per component.
    reg_covar : "auto" or float, default="auto"
        A float is added to all variances, in squared units of the data. "auto" keeps covariances
        above a floor that comes from the data: in every direction no less than 1e-8 of the
        variance of a column and, with several components, no less than rounding to the typical
        distance between its neighbouring values brings. The floor does not touch fits that stay
        above it, does not depend on the units, and keeps EM monotone.
    mean_prior : array-like of shape (n_features,), default=None
        Mean of the prior of the means; None for the mean of the data.
    mean_precision_prior : float, default=0
        Weight of ``mean_prior``, in rows.
    covariance_prior : "auto" or array-like, default=None
        Scatter matrix of the inverse-Wishart prior, (n_features, n_features) or (n_features,) for
        its diagonal. "auto" is the covariance of the data divided by ``K ** (2 / n_features)``
        [1]_; for a single component it is no prior, as that would only make the covariance of
        the data smaller. None: maximum likelihood.
    degrees_of_freedom_prior : float, default=None
        Degrees of freedom of that prior; None for n_features + 2.

    Notes
    -----
    With a prior the estimates are modes of the normal-inverse-Wishart posterior. One pass costs
    O(n K d^2) (dense) or O(n K d), and O(P K d^3) for P missingness patterns of dense types.

    References
    ----------
    .. [1] Fraley, Raftery (2007). Bayesian regularization for normal mixture estimation and
       model-based clustering. Journal of Classification 24(2).
    """

    params_type = GaussianParams
    _parameter_constraints = {
        "covariance_type": [StrOptions(set(COVARIANCE_TYPES))],
        "reg_covar": [StrOptions({"auto"}), Interval(Real, 0, None, closed="left")],
        "mean_prior": [None, "array-like"],
        "mean_precision_prior": [Interval(Real, 0, None, closed="left")],
        "covariance_prior": [None, StrOptions({"auto"}), "array-like"],
        "degrees_of_freedom_prior": [None, Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self,
        covariance_type="full",
        reg_covar="auto",
        *,
        mean_prior=None,
        mean_precision_prior=0.0,
        covariance_prior=None,
        degrees_of_freedom_prior=None,
    ):
        self.covariance_type = covariance_type
        self.reg_covar = reg_covar
        self.mean_prior = mean_prior
        self.mean_precision_prior = mean_precision_prior
        self.covariance_prior = covariance_prior
        self.degrees_of_freedom_prior = degrees_of_freedom_prior

    @property
    def dense(self):
        """Whether components have covariance matrices rather than variances."""
        return self.covariance_type in ("full", "tied")

    @property
    def shared(self):
        """A tied covariance is that of all components."""
        return ("covariances",) if self.covariance_type == "tied" else ()

    # ---- hyperparameters and data -----------------------------------------------------------

    def adapt(self, rows, n_components=1):
        """Itself, with floor and priors computed from ``rows``."""
        self._validate_params()
        center, scale = self._moments(rows)
        bound = copy.copy(self)
        auto = self.reg_covar == "auto"
        bound._bound = _Bound(
            center=center,
            scale=scale,
            floor=variance_floor(rows, center, scale, n_components > 1) if auto else None,
            ridge=0.0 if auto else float(self.reg_covar),
            mean_prior=self._mean_prior(center),
            covariance_prior=self._covariance_prior(rows, center, scale, n_components),
        )
        return bound

    def _moments(self, rows):
        """Means and standard deviations of the columns; refused where squares are infinite."""
        with np.errstate(over="ignore", invalid="ignore"):
            center, scale = column_moments(rows)
        for j in np.flatnonzero(scale == np.inf)[:1]:
            i = int(np.nanargmax(np.abs(rows.values[:, j])))
            raise ValueError(
                f"X has {rows.values[i, j]:.3g} in {rows.where(i, j)}, of which the square is "
                "beyond the range of floats; scale this column."
            )
        return center, scale

    def _mean_prior(self, center):
        if self.mean_precision_prior == 0:
            return {}
        mean = center if self.mean_prior is None else self.mean_prior
        mean = check_array_parameter("mean_prior", mean, center.shape)
        return {"prior_mean": mean, "prior_precision": float(self.mean_precision_prior)}

    def _covariance_prior(self, rows, center, scale, n_components):
        auto = isinstance(self.covariance_prior, str)
        if self.covariance_prior is None or (auto and n_components == 1):
            return {}
        scatter, d = self.covariance_prior, rows.n_features
        if auto:
            scatter = overall_covariance(rows, center, scale) / n_components ** (2 / d)
        elif np.ndim(scatter) == 1:
            scatter = np.diag(check_array_parameter("covariance_prior", scatter, (d,)))
        scatter = check_array_parameter("covariance_prior", scatter, (d, d))
        dof = self.degrees_of_freedom_prior
        if not self.dense:  # each variance has an inverse gamma prior: d = 1 in what follows
            scatter, d = np.ascontiguousarray(np.diag(scatter)), 1
        # The mode divides by dof + d + 1, and by one more where the mean has a prior as well.
        weight = (d + 2 if dof is None else dof) + d + 1 + (self.mean_precision_prior > 0)
        return {"prior_scatter": scatter, "prior_weight": float(weight)}

    # ---- the contract -----------------------------------------------------------------------

    def initialize(self, rows, resp):
        """Moments of the rows under given responsibilities."""
        origin = np.tile(self._bound.center, (resp.shape[1], 1))
        wide = np.diag(self._bound.scale**2)
        start = GaussianParams(origin, np.tile(wide, (len(origin), 1, 1)))
        params = self.maximize(
            self._statistics(start, rows, resp, "full" if self.dense else "diag")
        )
        if rows.has_missing and self.dense:
            # Entries were completed by the overall mean and variance: once more by components.
            params = self.maximize(self.statistics(params, rows, resp))
        return params

    def log_likelihood(self, params, rows):
        """Log p(observed entries of row i | k), of shape (n_rows, K)."""
        out = np.empty((len(rows), len(params.means)))
        self._pass(np.zeros(len(params.means)), params, rows, log_joint=out)
        if not self.dense and rows.has_missing:
            out[rows.missing.all(axis=1)] = 0.0
        return out

    def statistics(self, params, rows, resp):
        """Moments about the means in ``params``, under given responsibilities."""
        return self._statistics(params, rows, resp, self.covariance_type)

    def _statistics(self, params, rows, resp, covariance_type):
        given = np.ascontiguousarray(resp, dtype=np.float64)
        log_weights = np.zeros(len(params.means))
        passed = self._pass(log_weights, params, rows, covariance_type, given=given, moments=True)
        return passed[1]

    def expectation(self, log_weights, params, rows, *, statistics=True, **outputs):
        """The E-step in one compiled pass that holds no n x K array."""
        log_lik, moments = self._pass(log_weights, params, rows, moments=statistics, **outputs)
        if not self.dense and rows.has_missing and "log_prob" in outputs:
            outputs["log_prob"][rows.missing.all(axis=1)] = 0.0  # the sum of the weights, rounded
        return Expectation(log_lik, None if moments is None else moments.weight, moments)

    def source(self, params, rows):
        """Means and covariances, but a table where full covariances meet missing entries."""
        if self.dense and rows.has_missing:
            return super().source(params, rows)
        return {"gaussian": (rows.values, params.means, self.expand(params), rows.has_missing)}

    def from_moments(self, params, moments):
        """Statistics from the moments of a kernel."""
        return GaussianStatistics(params.means, *moments, *[None] * (4 - len(moments)))

    def cdf(self, params, values):
        """P(X_j <= value_ij | k) of each feature by itself, of shape (n, d, K)."""
        variances = self.expand(params)
        if self.dense:
            variances = np.einsum("kii->ki", variances)
        return ndtr((values[:, :, None] - params.means.T) / np.sqrt(variances.T))

    def maximize(self, statistics):
        """Maximum likelihood, or the mode of the posterior, above the floor."""
        s, bound = statistics, self._bound
        moments = (s.weight, s.first, s.second, s.origin)
        if self.covariance_type in ("tied", "spherical"):
            means, covariances, *_ = _gaussian.maximize(*moments, seen=s.seen, **bound.mean_prior)
            return GaussianParams(means, self._pool(covariances, s))
        means, covariances, low, empty = _gaussian.maximize(
            *moments,
            seen=s.seen,
            ridge=bound.ridge,
            floor=bound.floor,
            **bound.mean_prior,
            **bound.covariance_prior,
        )
        for k in low:
            covariances[k] = raised(covariances[k], bound.floor)
        for k in empty:  # no data say how wide it is
            covariances[k] = np.diag(bound.scale**2) if self.dense else bound.scale**2
        return GaussianParams(means, covariances)

    def maximize_held(self, statistics, last, held):
        """The M-step; covariances are about the means that there will be."""
        if "means" not in held or "covariances" in held:
            return super().maximize_held(statistics, last, held)
        second, alone = statistics.second, copy.copy(self)
        if prior := self._bound.mean_prior:
            b = last.means - prior["prior_mean"]
            outer = b[:, :, None] * b[:, None] if second.ndim == 3 else b**2
            second = second + prior["prior_precision"] * outer
            alone._bound = self._bound._replace(mean_prior={})
        first = np.zeros_like(statistics.first)
        held_fast = statistics._replace(first=first, second=second, origin=last.means)
        return alone.maximize(held_fast)._replace(means=last.means)

    def _pool(self, covariances, s):
        """One covariance for all components, or one variance for all features."""
        bound, prior = self._bound, self._bound.covariance_prior
        scatter, extra = prior.get("prior_scatter", 0.0), prior.get("prior_weight", 0.0)
        if self.covariance_type == "tied":
            tied = np.tensordot(s.weight, covariances, axes=1) + scatter
            tied = tied / (s.weight.sum() + extra) + bound.ridge * np.eye(len(tied))
            return tied if bound.floor is None else raised(tied, bound.floor)
        total = (s.seen * covariances + scatter).sum(axis=1)
        variances = total / (s.seen + extra).sum(axis=1).clip(1e-300) + bound.ridge
        return variances if bound.floor is None else np.maximum(variances, bound.floor.mean())

    def sample(self, params, components, rng):
        """One row drawn from each of ``components``."""
        d = params.means.shape[1]
        z = rng.standard_normal((len(components), d))
        if not self.dense:
            return params.means[components] + np.sqrt(self.expand(params))[components] * z
        factors = np.linalg.cholesky(self.expand(params))
        out = params.means[components]
        for k in np.unique(components):
            rows = components == k
            out[rows] += z[rows] @ factors[k].T
        return out

    def n_parameters(self, params):
        """Means, and the free entries of the covariances."""
        K, d = params.means.shape
        covariance = {"full": K * d * (d + 1) // 2, "tied": d * (d + 1) // 2}
        return K * d + covariance.get(self.covariance_type, params.covariances.size)

    def complete(self, params, rows, component, how="mean", rng=None):
        """``rows`` with gaps filled by regression on the observed entries, or by draws."""
        out = np.array(rows.values, dtype=np.float64)
        component = np.broadcast_to(component, len(rows))
        noise = rng.standard_normal(out.shape) if how == "draw" else None
        for where, seen in rows.patterns:
            gone = np.setdiff1d(np.arange(out.shape[1]), seen)
            members = np.arange(len(rows))[where] if len(gone) else []
            for k in np.unique(component[members]):
                mine = members[component[members] == k]
                self._fill(params, k, out, mine, seen, gone, noise)
        return out

    def variance(self, params, rows, component):
        """Variances of the missing entries given the observed ones and the component."""
        out, matrix = np.zeros(rows.values.shape), self.matrix(params, component)
        for where, seen in rows.patterns:
            gone = np.setdiff1d(np.arange(rows.n_features), seen)
            inner = np.zeros(rows.n_features)
            inner[gone] = np.diag(conditional_moments(matrix, seen, gone)[1])
            out[where] = inner
        return out

    def _fill(self, params, k, out, mine, seen, gone, noise):
        """The columns `gone` of the rows `mine`, given their columns `seen` and component k."""
        mean = params.means[k]
        slope, inner = conditional_moments(self.matrix(params, k), seen, gone)
        out[np.ix_(mine, gone)] = mean[gone] + (out[np.ix_(mine, seen)] - mean[seen]) @ slope.T
        if noise is not None:
            out[np.ix_(mine, gone)] += noise[np.ix_(mine, gone)] @ np.linalg.cholesky(inner).T

    def marginal(self, params, features):
        """Means and covariances of some features."""
        covariances, block = params.covariances, np.ix_(features, features)
        if self.dense:
            covariances = covariances[(..., *block)]
        elif self.covariance_type == "diag":
            covariances = covariances[:, features]
        return GaussianParams(*map(np.ascontiguousarray, (params.means[:, features], covariances)))

    def conditional(self, params, row, free):
        """Means and covariances of the features ``free`` given the others in ``row``."""
        if not self.dense:
            return self.marginal(params, free)
        seen, x = np.setdiff1d(np.arange(row.n_features), free), row.values[0]
        means, covariances = params.means[:, free].copy(), []
        for k, covariance in enumerate(self.expand(params)):
            slope, inner = conditional_moments(covariance, seen, free)
            means[k] += slope @ (x[seen] - params.means[k, seen])
            covariances.append(inner)
        tied = self.covariance_type == "tied"
        return GaussianParams(means, covariances[0] if tied else np.array(covariances))

    def regularizer(self, params):
        """Log density of the prior up to a constant."""
        of_mean, of_covariance = self._bound.mean_prior, self._bound.covariance_prior
        value, K = 0.0, len(params.means)
        covariances = [self.matrix(params, k) for k in range(K)] if of_mean or of_covariance else []
        if of_mean:
            for mean, covariance in zip(params.means, covariances, strict=True):
                b = mean - of_mean["prior_mean"]
                value -= 0.5 * of_mean["prior_precision"] * (b @ np.linalg.solve(covariance, b))
        if of_covariance:
            scatter = of_covariance["prior_scatter"]
            scatter = scatter if self.dense else np.diag(scatter)
            weight = of_covariance["prior_weight"]
            for covariance in covariances[: 1 if self.covariance_type == "tied" else K]:
                value -= 0.5 * weight * np.linalg.slogdet(covariance)[1]
                value -= 0.5 * np.trace(np.linalg.solve(covariance, scatter))
        return float(value)

    def pack(self, params):
        """Standardised means, and log variances or Cholesky factors with a log diagonal."""
        center, scale = self._bound.center, self._bound.scale
        means = (params.means - center) / scale
        if not self.dense:
            unit = scale**2 if self.covariance_type == "diag" else (scale**2).mean()
            return np.concatenate([means.ravel(), np.log(params.covariances / unit).ravel()])
        covariances = np.atleast_3d(params.covariances.T).T / np.outer(scale, scale)
        try:
            factors = np.linalg.cholesky(covariances)
        except np.linalg.LinAlgError:
            return None
        diagonal = np.einsum("kii->ki", factors)
        diagonal[:] = np.log(diagonal)
        lower = lower_triangle(len(scale))
        return np.concatenate([means.ravel(), factors[:, lower[0], lower[1]].ravel()])

    def unpack(self, vector, like):
        """The inverse of :meth:`pack`, above the floor; None where it is out of reach."""
        center, scale = self._bound.center, self._bound.scale
        K, d = like.means.shape
        means, rest = vector[: K * d].reshape(K, d) * scale + center, vector[K * d :]
        if np.abs(rest).max() > 300:
            return None
        if not self.dense:
            unit = scale**2 if self.covariance_type == "diag" else (scale**2).mean()
            covariances = np.exp(rest.reshape(like.covariances.shape)) * unit
            return GaussianParams(means, self._kept(covariances))
        lower = lower_triangle(d)
        factors = np.zeros((1 if self.covariance_type == "tied" else K, d, d))
        factors[:, lower[0], lower[1]] = rest.reshape(len(factors), -1)
        diagonal = np.einsum("kii->ki", factors)
        diagonal[:] = np.exp(diagonal)
        plain = np.diagonal(like.covariances, axis1=-2, axis2=-1) / scale**2
        if ((factors**2).sum(axis=2) > 100 * plain).any():
            return None  # so far out that rounding could leave no positive definite matrix
        covariances = factors @ factors.transpose(0, 2, 1) * np.outer(scale, scale)
        return GaussianParams(means, self._kept(covariances.reshape(like.covariances.shape)))

    def _kept(self, covariances):
        """Covariances no lower than those of the M-step; an accelerated step may lead there."""
        bound, floor = self._bound, self._bound.floor
        if floor is None:
            floor = np.maximum(bound.ridge, 1e-11 * bound.scale**2)
        if self.covariance_type == "diag":
            return np.maximum(covariances, floor)
        if self.covariance_type == "spherical":
            return np.maximum(covariances, floor.mean())
        if all_above(covariances, floor):
            return covariances
        if self.covariance_type == "tied":
            return raised(covariances, floor)
        return np.array([raised(c, floor) for c in covariances])

    def degenerate(self, params):
        """Components whose covariance the floor alone keeps from being singular."""
        floor, lone = self._bound.floor, len(params.means) == 1
        if floor is None:
            return {}
        if self.covariance_type == "spherical":
            floor = floor.mean()
        remedy = "leave out columns that others determine" if lone else "use fewer components"
        found = {}
        for k, covariance in enumerate(self.expand(params)):
            ratio = lowest(covariance, floor) if self.dense else (covariance / floor).min()
            if ratio <= 1 + 1e-6:
                which = "the only component" if lone else f"component {k}"
                what = f"{which} has no variance in some direction"
                found[k] = f"{what}; {remedy} or raise reg_covar."
        return found

    # ---- shapes and the kernel --------------------------------------------------------------

    def expand(self, params):
        """Covariances as (K, d, d) for dense types and (K, d) for diagonal ones."""
        K, d = params.means.shape
        if self.covariance_type == "tied":
            return np.ascontiguousarray(np.broadcast_to(params.covariances, (K, d, d)))
        if self.covariance_type == "spherical":
            return np.ascontiguousarray(np.broadcast_to(params.covariances[:, None], (K, d)))
        return params.covariances

    def matrix(self, params, component):
        """The covariance matrix of one component, of shape (d, d)."""
        covariance = self.expand(params)[component]
        return covariance if self.dense else np.diag(covariance)

    def _pass(self, log_weights, params, rows, covariance_type=None, moments=False, **arrays):
        """The kernel over rows: (log_lik, statistics or None)."""
        covariances = (
            params.covariances if covariance_type in ("full", "diag") else self.expand(params)
        )
        if covariance_type == "diag" and covariances.ndim == 3:
            covariances = np.ascontiguousarray(np.einsum("kii->ki", covariances))
        unseen = not (rows.examined or moments)
        values, patterns = rows.unseen if unseen else rows.values, None
        if not unseen and rows.has_missing and covariances.ndim == 3:
            values, patterns = rows.by_pattern
        log_lik, failed, found = _gaussian.mixture_pass(
            values,
            log_weights,
            params.means,
            covariances,
            weights=None if "given" in arrays else rows.weights,
            patterns=patterns,
            masked=not unseen and rows.has_missing,
            unseen=unseen,
            moments=moments,
            **arrays,
        )
        if failed == _gaussian.NOT_FINITE:
            rows.examine()
            return self._pass(log_weights, params, rows, covariance_type, **arrays)
        if failed >= 0:
            raise np.linalg.LinAlgError(_singular(failed, len(params.means)))
        if unseen:
            rows.vouch()
        return log_lik, None if found is None else self.from_moments(params, found)


def _singular(k, n_components):
    """What to say where the covariance of component k has no Cholesky factor."""
    if n_components == 1:
        return (
            "The covariance is not positive definite; raise reg_covar, scale the data, or leave "
            "out columns that others determine."
        )
    return (
        f"The covariance of component {k} is not positive definite; use fewer components, raise "
        "reg_covar, or scale the data."
    )
