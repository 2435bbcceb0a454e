"""Student-t emissions: elliptical clouds with heavy tails, with missing entries."""

import copy
from numbers import Real
from typing import ClassVar, NamedTuple

import numpy as np
from scipy.special import digamma, stdtr
from sklearn.utils._param_validation import Interval, StrOptions

from .._sequences import Rows
from ._base import Emission
from ._covariance import all_above, raised
from ._gamma import log_rising, shape_of
from .gaussian import Gaussian, GaussianParams

DOF_RANGE = (0.1, 1000.0)  # of estimates; beyond, nobody can tell it from a normal distribution
START_DOF = 8.0


class StudentTParams(NamedTuple):
    """Means (K, d); scales (K, d, d), (d, d) or (K, d) by ``covariance_type``; dofs (K,)."""

    means: np.ndarray
    scales: np.ndarray
    dofs: np.ndarray


class StudentTStatistics(NamedTuple):
    """Moments about ``origin`` in which a row has the weight u, and sums of u and log u."""

    origin: np.ndarray  # (K, d)
    rows: np.ndarray  # (K,) sum of resp
    weight: np.ndarray  # (K,) sum of resp * u
    log_weight: np.ndarray  # (K,) sum of resp * E[log u]
    first: np.ndarray  # (K, d)
    second: np.ndarray  # (K, d, d) or (K, d)
    seen: np.ndarray  # (K, d) sum of resp where the column is observed
    seen_weight: np.ndarray  # (K, d) sum of resp * u where the column is observed


class StudentT(Emission):
    r"""Multivariate Student's t: as a normal distribution, but outliers hardly move it.

    .. math:: p(x \mid k) = \int \mathcal{N}(x; \mu_k, \Sigma_k / u)\,
        \mathrm{Gamma}(u; \tfrac{\nu_k}{2}, \tfrac{\nu_k}{2})\, du

    The mean is :math:`\mu_k` where :math:`\nu_k > 1`, and the covariance :math:`\Sigma_k \nu_k /
    (\nu_k - 2)` where :math:`\nu_k > 2`. Rows far from a component get a small weight u in it.

    Parameters
    ----------
    covariance_type : {"full", "tied", "diag"}, default="full"
        Full: a scale matrix :math:`\Sigma` per component; tied: one for all; diag: diagonal ones,
        with which columns are uncorrelated, though not independent.
    dof : float, default=None
        Degrees of freedom :math:`\nu` of all components; None: estimated for each, between 0.1
        and 1000.
    reg_covar : "auto" or float, default="auto"
        What keeps the scales from collapsing; see :class:`Gaussian`.

    Notes
    -----
    The marginal of a t is a t with the same degrees of freedom, so a row with gaps has the density
    of its observed entries, by pattern as for the normal distribution. EM takes u as missing as
    well, with the expansion of [2]_ (but for tied scales), which needs far fewer iterations.

    References
    ----------
    .. [1] Peel, McLachlan (2000). Robust mixture modelling using the t distribution. Statistics
       and Computing 10.
    .. [2] Liu, Rubin, Wu (1998). Parameter expansion to accelerate EM: the PX-EM algorithm.
       Biometrika 85(4).

    Examples
    --------
    >>> import numpy as np
    >>> from skgen import Mixture
    >>> from skgen.emissions import StudentT
    >>> X = np.random.default_rng(0).standard_t(3.0, (5000, 1))
    >>> model = Mixture(StudentT(), n_components=1).fit(X)
    >>> model.dofs_.round(1), model.scales_.ravel().round(1)
    (array([3.]), array([1.]))
    """

    params_type = StudentTParams
    _adapted = None  # the normal emission with the floor of the data
    _parameter_constraints: ClassVar = {
        "covariance_type": [StrOptions({"full", "tied", "diag"})],
        "dof": [Interval(Real, 0, None, closed="neither"), None],
        "reg_covar": [StrOptions({"auto"}), Interval(Real, 0, None, closed="left")],
    }

    def __init__(self, covariance_type="full", dof=None, reg_covar="auto"):
        self.covariance_type = covariance_type
        self.dof = dof
        self.reg_covar = reg_covar

    @property
    def dense(self):
        """Whether components have scale matrices rather than their diagonals."""
        return self.covariance_type != "diag"

    @property
    def shared(self):
        """A tied scale matrix is that of all components."""
        return ("scales",) if self.covariance_type == "tied" else ()

    # ---- the normal distribution within ------------------------------------------------------

    def _normal(self, params=None):
        """The normal emission of these scales; conditionals of tied ones differ by component."""
        if params is not None and self.covariance_type == "tied" and params.scales.ndim == 3:
            return Gaussian("full")
        return self._adapted or Gaussian(self.covariance_type, self.reg_covar)

    def _latent(self, params, rows):
        """What rows say of u: squared distances, their numbers of entries, log density at 0.

        All of shape (n_rows, K), but the numbers (n_rows, 1). The compiled pass gives normal log
        densities; those of the means themselves, one row for each pattern, make distances of them.
        """
        normal, K = self._normal(params), len(params.means)
        log_lik = normal.log_likelihood(_gaussian(params), rows)
        patterns, which = _patterns(rows)
        at_zero = GaussianParams(np.zeros((K, rows.n_features)), params.scales)
        peak = normal.log_likelihood(at_zero, patterns)[which]
        n_seen = (~patterns.missing).sum(axis=1)[which, None]
        return np.maximum(2.0 * (peak - log_lik), 0.0), n_seen, peak

    # ---- the contract -----------------------------------------------------------------------

    def adapt(self, rows, n_components=1):
        """A copy with the floor of the scales computed from ``rows``."""
        self._validate_params()
        adapted = copy.copy(self)
        adapted._adapted = Gaussian(self.covariance_type, self.reg_covar).adapt(rows, n_components)
        return adapted

    def initialize(self, rows, resp):
        """The normal distribution under given responsibilities, with heavier tails."""
        means, covariances = self._normal().initialize(rows, resp)
        dof = START_DOF if self.dof is None else float(self.dof)
        shrink = (dof - 2.0) / dof if dof > 4.0 else 0.5
        return StudentTParams(means, shrink * covariances, np.full(len(means), dof))

    def log_likelihood(self, params, rows):
        """Log p(observed entries of row i | k), of shape (n_rows, K)."""
        distance, n_seen, peak = self._latent(params, rows)
        sizes = np.arange(rows.n_features + 1)[:, None]
        peak += log_rising(params.dofs / 2, sizes / 2)[n_seen[:, 0]]
        peak -= (params.dofs + n_seen) / 2 * np.log1p(distance / params.dofs)
        return peak

    def statistics(self, params, rows, resp):
        """Moments of the rows with their weights, under given responsibilities."""
        if rows.has_missing:
            resp = np.where(rows.missing.all(axis=1)[:, None], 0.0, resp)
        distance, n_seen, _ = self._latent(params, rows)
        dof = params.dofs
        u = (dof + n_seen) / (dof + distance)
        log_u = digamma((dof + n_seen) / 2) - np.log((dof + distance) / 2)
        normal, found = self._normal(params), _gaussian(params)
        moments = normal.statistics(found, rows, resp * u)
        second = moments.second
        if self.dense and rows.has_missing:
            # Given u, what is missing varies by 1 / u: its share of the moment has no factor u.
            patterns, which = _patterns(rows)
            lack = np.zeros((len(patterns), resp.shape[1]))
            np.add.at(lack, which, resp * (1.0 - u))
            at_zero = found._replace(means=np.zeros_like(found.means))
            second = second + normal.statistics(at_zero, patterns, lack).second
        seen = ~rows.missing if rows.has_missing else np.ones(rows.values.shape)
        return StudentTStatistics(
            origin=params.means,
            rows=resp.sum(axis=0),
            weight=(resp * u).sum(axis=0),
            log_weight=(resp * log_u).sum(axis=0),
            first=moments.first,
            second=second,
            seen=resp.T @ seen,
            seen_weight=(resp * u).T @ seen,
        )

    def maximize(self, statistics):
        """Means, scales above the floor, and degrees of freedom."""
        s, empty = statistics, statistics.rows <= 0
        rows = np.where(empty, 1.0, s.rows)
        weight = np.where(empty, 1.0, s.weight)
        by = np.broadcast_to(weight[:, None], s.first.shape) if self.dense else s.seen_weight
        shift = np.divide(s.first, by, out=np.zeros(s.first.shape), where=by > 0)
        scales, mean_weight = self._scales(s, shift, rows, weight)
        dofs = _dofs(mean_weight, s.log_weight, rows, weight)
        if self.dof is not None:
            dofs = np.full(len(rows), float(self.dof))
        if empty.any():
            wide = self._normal()._bound.scale ** 2
            dofs[empty] = START_DOF if self.dof is None else self.dof
            if self.covariance_type != "tied":
                scales[empty] = np.diag(wide) if self.dense else wide
        return StudentTParams(s.origin + shift, scales, dofs)

    def maximize_held(self, statistics, last, held):
        """The M-step; scales are about the means that there will be, dofs go with the scales."""
        s = statistics
        if "means" in held:
            s = s._replace(first=np.zeros_like(s.first), origin=last.means)
        found = self.maximize(s)
        if "scales" in held and self.dof is None:  # which the expansion cannot divide
            seen = s.rows > 0
            ones = np.ones(seen.sum())
            found.dofs[seen] = _dofs(ones, s.log_weight[seen], s.rows[seen], s.weight[seen])
        return found._replace(**{name: getattr(last, name) for name in held & {*last._fields}})

    def _scales(self, s, shift, rows, weight):
        """The scales, and the mean of the weights u (K,) that they are divided by.

        That is a parameter of the expanded model. It stays 1 where scales are tied, and where the
        floor holds them up: the floor is one of scales, not of scales times a mean.
        """
        bound = self._normal()._bound
        ridge = bound.ridge * (np.eye(shift.shape[1]) if self.dense else 1.0)
        if self.covariance_type == "diag":
            scatter = np.maximum(s.second - shift * s.first, 0.0) / np.maximum(s.seen, 1e-300)
            never = s.seen <= 0
            scatter[never] = np.broadcast_to(bound.scale**2, shift.shape)[never]
        else:
            scatter = s.second - shift[:, :, None] * s.first[:, None, :]
        if self.covariance_type == "tied":
            tied = scatter.sum(axis=0) / rows.sum() + ridge
            return _raised(tied, bound.floor), np.ones(len(rows))
        if self.covariance_type == "full":
            scatter /= rows[:, None, None]
        mean_weight, scales = weight / rows, np.empty(scatter.shape)
        for k, plain in enumerate(scatter):
            scales[k] = plain / mean_weight[k] + ridge
            if not _above(scales[k], bound.floor):
                scales[k], mean_weight[k] = _raised(plain, bound.floor), 1.0
        return scales, mean_weight

    def cdf(self, params, values):
        """P(X_j <= value_ij | k) of each feature by itself, of shape (n, d, K)."""
        scales = self._normal(params).expand(_gaussian(params))
        if self.dense:
            scales = np.einsum("kii->ki", scales)
        return stdtr(params.dofs, (values[:, :, None] - params.means.T) / np.sqrt(scales.T))

    def sample(self, params, components, rng):
        """One row drawn from each of ``components``."""
        at_zero = GaussianParams(np.zeros_like(params.means), params.scales)
        z = self._normal(params).sample(at_zero, components, rng)
        dof = params.dofs[components]
        return params.means[components] + z / np.sqrt(rng.chisquare(dof) / dof)[:, None]

    def complete(self, params, rows, component, how="mean", rng=None):
        """``rows`` with gaps filled by regression on the observed entries, or by draws."""
        normal, found = self._normal(params), _gaussian(params)
        center = normal.complete(found, rows, component)
        if how != "draw":
            return center
        noise = normal.complete(found, rows, component, "draw", rng) - center
        distance, n_seen, _ = self._latent(params, rows)
        dof = params.dofs[np.broadcast_to(component, len(rows))]
        distance = np.take_along_axis(
            distance, np.broadcast_to(component, len(rows))[:, None], axis=1
        )
        u = rng.chisquare(dof + n_seen[:, 0]) / (dof + distance[:, 0])
        return center + noise / np.sqrt(u)[:, None]

    def variance(self, params, rows, component):
        """Variances of the missing entries: wider, the further off the observed ones are."""
        scale = self._normal(params).variance(_gaussian(params), rows, component)
        distance, n_seen, _ = self._latent(params, rows)
        dof = params.dofs[component] + n_seen[:, 0]
        spread = np.full(len(rows), np.inf)
        np.divide(
            params.dofs[component] + distance[:, component], dof - 2.0, out=spread, where=dof > 2
        )
        return np.where(rows.missing, spread[:, None] * scale, 0.0)

    def marginal(self, params, features):
        """Means, scales and degrees of freedom of some features."""
        part = self._normal(params).marginal(_gaussian(params), features)
        return StudentTParams(*part, params.dofs)

    def conditional(self, params, row, free):
        """The t of the features ``free``: wider, the further off the others are."""
        normal = self._normal(params)
        found = GaussianParams(params.means, normal.expand(_gaussian(params)))
        part = Gaussian("full" if self.dense else "diag").conditional(found, row, free)
        distance, n_seen, _ = self._latent(params, row)
        dofs = params.dofs + n_seen[0]
        factor = (params.dofs + distance[0]) / dofs
        scales = part.covariances * factor.reshape(-1, *[1] * (part.covariances.ndim - 1))
        return StudentTParams(part.means, scales, dofs)

    def n_parameters(self, params):
        """Those of the normal distribution, and the degrees of freedom that are estimated."""
        own = 0 if self.dof is not None else len(params.dofs)
        return own + self._normal(params).n_parameters(_gaussian(params))

    def pack(self, params):
        """The vector of the normal distribution, and the logarithms of the degrees of freedom."""
        vector = self._normal(params).pack(_gaussian(params))
        if vector is None or self.dof is not None:
            return vector
        return np.concatenate([vector, np.log(params.dofs)])

    def unpack(self, vector, like):
        """The inverse of :meth:`pack`, within the bounds; None where it is out of reach."""
        dofs, n = like.dofs, 0 if self.dof is not None else len(like.dofs)
        if n:
            low, high = np.log(DOF_RANGE)
            vector, dofs = vector[:-n], np.exp(np.clip(vector[-n:], low, high))
        found = self._normal(like).unpack(vector, _gaussian(like))
        return None if found is None else StudentTParams(*found, dofs)

    def degenerate(self, params):
        """Components whose scale the floor alone keeps from being singular."""
        return self._normal(params).degenerate(_gaussian(params))


def _dofs(mean_weight, log_weight, rows, weight):
    """Degrees of freedom of weights u with a given mean: half of them is the shape of a gamma."""
    gap = weight / rows / mean_weight - 1.0 + np.log(mean_weight) - log_weight / rows
    return 2.0 * shape_of(gap, DOF_RANGE[0] / 2, DOF_RANGE[1] / 2)


def _above(scale, floor):
    """Whether a scale matrix, or its diagonal, is above the floor."""
    if floor is None:
        return True
    return (scale >= floor).all() if scale.ndim == 1 else all_above(scale, floor)


def _raised(scale, floor):
    """The likeliest scale that is."""
    if floor is None:
        return scale
    return np.maximum(scale, floor) if scale.ndim == 1 else raised(scale, floor)


def _gaussian(params):
    """The parameters as those of a normal distribution."""
    return GaussianParams(params.means, params.scales)


def _patterns(rows):
    """A row of zeros for each pattern of missing entries, and which pattern each row has."""
    order, starts, masks = rows.sorted_patterns
    which = np.empty(len(rows), dtype=np.intp)
    which[order] = np.repeat(np.arange(len(masks)), np.diff(starts))
    return Rows(np.where(masks, 0.0, np.nan)), which
