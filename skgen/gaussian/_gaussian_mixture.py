"""The mixture of Gaussians, with scikit-learn's parameters and attributes."""

import numpy as np

from .._validation import check_array_parameter
from ..emissions import Gaussian
from ..emissions.gaussian import GaussianParams
from ._mixture import Mixture, MixtureParams


class GaussianMixture(Mixture):
    r"""Mixture of Gaussians, :math:`p(x) = \sum_k \pi_k\, \mathcal{N}(x; \mu_k, \Sigma_k)`.

    Takes the place of :class:`sklearn.mixture.GaussianMixture`: parameters and attributes have the
    same names and meanings. Rows may miss entries and have weights.

    Parameters
    ----------
    n_components : int, default=1
    covariance_type : {"full", "tied", "diag", "spherical"}, default="full"
    tol : float, default=1e-6
        EM stops when the gain in log-likelihood per row that is left, as extrapolated from the
        last iterations, is below this.
    reg_covar : "auto" or float, default="auto"
        A float is added to all variances, as in scikit-learn. "auto" is a floor that does not
        depend on the units; see :class:`skgen.emissions.Gaussian`.
    max_iter : int, default=500
    n_init : int, default=1
        Number of races of starting points, each run to its end; the best fit is kept.
    init_params : str, default="auto"
        Where EM starts: "auto", "kmeans", "k-means++", "whitened", "subspace", "random" or
        "random_from_data". "auto" sends several of the others off on part of the rows, where
        these are many, and goes on with the best. Missing values and weights count in all of
        them; columns are standardised.
    weights_init : array-like of shape (n_components,), default=None
    means_init : array-like of shape (n_components, n_features), default=None
    precisions_init : array-like, default=None
        Inverse covariances to start from; shaped as ``covariances_``.
    random_state : int, RandomState or None, default=None
    warm_start : bool, default=False
        Start from the fitted parameters.
    verbose : int, default=0
        1 shows a line of progress.
    verbose_interval : int, default=10
    weight_concentration_prior : float, default=1.0
        Of the Dirichlet prior of the weights; 1 is maximum likelihood.
    mean_precision_prior, mean_prior, covariance_prior, degrees_of_freedom_prior
        The normal-inverse-Wishart prior of the components; see :class:`skgen.emissions.Gaussian`.
    acceleration : bool, default=True
        Anderson acceleration of EM.

    Attributes
    ----------
    weights_ : ndarray of shape (n_components,)
    means_ : ndarray of shape (n_components, n_features)
    covariances_ : ndarray
        (K, d, d), (d, d), (K, d) or (K,) for full, tied, diag and spherical.
    precisions_ : ndarray
        Inverse covariances.
    precisions_cholesky_ : ndarray
        Upper triangular U with U U' the precision (its square root for diag and spherical).
    converged_ : bool
    n_iter_ : int
    lower_bound_ : float
        Objective per row at the fitted parameters: the mean log-likelihood, plus the log prior
        divided by the number of rows.
    lower_bounds_ : list of float
        The objective after each iteration; it never falls.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)

    See Also
    --------
    Mixture : Mixtures of any emission.

    Notes
    -----
    An iteration is one pass over the rows, O(n K d^2), in compiled code that holds no n x K array;
    float32 data are taken as they are. With missing entries the pass costs O(P K d^3) more for P
    missingness patterns (dense types).

    References
    ----------
    Dempster, Laird, Rubin (1977). Maximum likelihood from incomplete data via the EM algorithm.
    JRSS B 39(1). Ghahramani, Jordan (1994). Supervised learning from incomplete data via an EM
    approach. NIPS 6.

    Examples
    --------
    >>> import numpy as np
    >>> from skgen import GaussianMixture
    >>> X = np.array([[0, 2], [1, 4], [2, np.nan], [9, 2], [10, 4], [11, 0]])
    >>> model = GaussianMixture(2, covariance_type="diag", random_state=0).fit(X)
    >>> sorted(model.means_[:, 0].round(3).tolist())
    [1.0, 10.0]
    >>> model.predict([[0, np.nan]]) == model.predict([[1, 3]])
    array([ True])
    """

    _parameter_constraints: dict = {
        **{k: v for k, v in Mixture._parameter_constraints.items() if k != "emission"},
        **Gaussian._parameter_constraints,
        "means_init": ["array-like", None],
        "precisions_init": ["array-like", None],
    }

    def __init__(
        self,
        n_components=1,
        *,
        covariance_type="full",
        tol=1e-6,
        reg_covar="auto",
        max_iter=500,
        n_init=1,
        init_params="auto",
        weights_init=None,
        means_init=None,
        precisions_init=None,
        random_state=None,
        warm_start=False,
        verbose=0,
        verbose_interval=10,
        weight_concentration_prior=1.0,
        mean_precision_prior=0.0,
        mean_prior=None,
        covariance_prior=None,
        degrees_of_freedom_prior=None,
        acceleration=True,
    ) -> None:
        self.n_components = n_components
        self.weight_concentration_prior = weight_concentration_prior
        self.tol = tol
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.weights_init = weights_init
        self.acceleration = acceleration
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.verbose_interval = verbose_interval
        self.covariance_type = covariance_type
        self.reg_covar = reg_covar
        self.means_init = means_init
        self.precisions_init = precisions_init
        self.mean_precision_prior = mean_precision_prior
        self.mean_prior = mean_prior
        self.covariance_prior = covariance_prior
        self.degrees_of_freedom_prior = degrees_of_freedom_prior

    def _emission(self):
        return Gaussian(
            self.covariance_type,
            self.reg_covar,
            mean_prior=self.mean_prior,
            mean_precision_prior=self.mean_precision_prior,
            covariance_prior=self.covariance_prior,
            degrees_of_freedom_prior=self.degrees_of_freedom_prior,
        )

    @property
    def precisions_(self):
        """Inverse covariances."""
        upper = self.precisions_cholesky_
        return upper @ np.swapaxes(upper, -1, -2) if self._emission().dense else upper**2

    @precisions_.setter
    def precisions_(self, precisions):
        self.covariances_ = inverse(_floats(precisions), self._emission().dense)

    @property
    def precisions_cholesky_(self):
        """Upper triangular U with U U' the precision; 1 / sd for diag and spherical."""
        covariances = _floats(self.covariances_)
        if not self._emission().dense:
            return 1.0 / np.sqrt(covariances)
        return np.swapaxes(np.linalg.inv(np.linalg.cholesky(covariances)), -1, -2)

    @precisions_cholesky_.setter
    def precisions_cholesky_(self, upper):
        upper = _floats(upper)
        dense = self._emission().dense
        self.precisions_ = upper @ np.swapaxes(upper, -1, -2) if dense else upper**2

    def _all_given(self):
        starts = (self.weights_init, self.means_init, self.precisions_init)
        return all(start is not None for start in starts)

    def _given(self, problem, start):
        start = super()._given(problem, start)
        K, d = self.n_components, problem.rows.n_features
        params = start.emission
        if self.means_init is not None:
            means = check_array_parameter("means_init", self.means_init, (K, d))
            params = self._around(problem, means) if not self._all_given() else params
            params = params._replace(means=means)
        if self.precisions_init is not None:
            shape = params.covariances.shape
            precisions = check_array_parameter("precisions_init", self.precisions_init, shape)
            params = params._replace(covariances=covariances_of(precisions, self._emission().dense))
        return MixtureParams(start.weights, params)

    def _around(self, problem, means):
        """Parameters of the clusters of rows nearest to given means."""
        emission, rows = problem.emission, problem.rows
        spread = np.tile(emission._bound.scale**2, (len(means), 1))
        wide = GaussianParams(means, spread)
        resp = np.empty((len(rows), len(means)))
        Gaussian("diag").expectation(np.zeros(len(means)), wide, rows, statistics=False, resp=resp)
        hard = np.zeros_like(resp)
        weights = 1.0 if rows.weights is None else rows.weights
        hard[np.arange(len(resp)), resp.argmax(axis=1)] = weights
        return emission.initialize(rows, hard)


def covariances_of(precisions, dense):
    """Inverses of precisions that the user gave; raises where they are not positive definite."""
    try:
        if dense:
            if not np.allclose(precisions, np.swapaxes(precisions, -1, -2)):
                raise np.linalg.LinAlgError
            np.linalg.cholesky(precisions)
        elif not (precisions > 0).all():
            raise np.linalg.LinAlgError
    except np.linalg.LinAlgError:
        raise ValueError(
            "precisions_init must be symmetric and positive definite (positive for diag and "
            "spherical); pass the inverses of covariance matrices."
        ) from None
    return inverse(precisions, dense)


def inverse(matrices, dense):
    """Inverses of matrices along the last two axes, or reciprocals."""
    if not dense:
        return 1.0 / matrices
    inverses = np.linalg.inv(matrices)
    return (inverses + np.swapaxes(inverses, -1, -2)) / 2


def _floats(value):
    return np.asarray(value, dtype=np.float64)
