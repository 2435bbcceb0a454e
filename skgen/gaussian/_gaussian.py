"""The multivariate normal distribution: one mean, one covariance."""

import warnings
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.callback import with_callbacks
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Interval, StrOptions

from .. import emissions
from .._density import Density
from .._em import EMResult, warn_unconverged
from .._monitors import FitMonitor
from .._sequences import Rows
from .._validation import check_features, column_label
from ..emissions._covariance import raised
from ..emissions.gaussian import GaussianParams
from ._gaussian_mixture import inverse
from ._mixture import MixtureParams, em_problem
from ._shrinkage import ledoit_wolf, oas, shrunk

RULES = {"ledoit_wolf": ledoit_wolf, "oas": oas}


class Gaussian(Density):
    r"""Multivariate normal, :math:`p(x) = \mathcal{N}(x; \mu, \Sigma)`.

    Parameters
    ----------
    covariance_type : {"full", "diag", "spherical"}, default="full"
        A covariance matrix, a variance per feature, or one variance.
    shrinkage : {"ledoit_wolf", "oas"}, float or None, default=None
        Share, between 0 and 1, of the way that the full covariance is moved to the mean variance
        times the identity; or the rule that finds this share. Worth having where the rows are few
        for the number of features. It depends on the units: bring columns to one scale first.
    reg_covar : "auto" or float, default="auto"
        A float is added to all variances. "auto" is a floor that does not depend on the units; see
        :class:`skgen.emissions.Gaussian`.
    mean_prior, mean_precision_prior, covariance_prior, degrees_of_freedom_prior
        The normal-inverse-Wishart prior, of which the fit is then the posterior mode; see
        :class:`skgen.emissions.Gaussian`. Not together with ``shrinkage``.
    tol : float, default=1e-10
        EM stops when the gain in log-likelihood per row that is left, as extrapolated from the
        last iterations, is below this.
    max_iter : int, default=1000
    random_state : int, RandomState or None, default=None
        For ``sample`` and ``impute``; the fit draws nothing.

    Attributes
    ----------
    mean_ : ndarray of shape (n_features,)
    covariance_ : ndarray or float
        (d, d), (d,) or one variance for full, diag and spherical.
    precision_ : ndarray or float
        The inverse of ``covariance_``.
    shrinkage_ : float
        The share by which the covariance was shrunk.
    converged_ : bool
    n_iter_ : int
        Iterations of EM; 1 where the fit is a closed form.
    lower_bound_ : float
        Objective per row at the fitted parameters: the mean log-likelihood, plus the log prior
        divided by the number of rows.
    lower_bounds_ : list of float
        The objective after each iteration, before the covariance is shrunk; it never falls.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Where X had names.

    See Also
    --------
    GaussianMixture : Several of them.

    Notes
    -----
    A closed form in O(n d^2), but for a full covariance of rows with missing entries: there EM
    finds the maximum of the exact likelihood of what was observed, at O(n d^2 + P d^3) an
    iteration for P missingness patterns.

    Where no more rows than features observe some features together, the likelihood has no bound; a
    warning names the features, and shrinkage is the remedy.

    With missing entries the shrinkage rules are applied to the covariance and the fourth moment
    which are expected given the observed entries, and to the number of complete rows that would
    tell as much of the covariance. Without any they equal scikit-learn's.

    References
    ----------
    Little, Rubin (2019). Statistical Analysis with Missing Data. Wiley. Ledoit, Wolf (2004). A
    well-conditioned estimator for large-dimensional covariance matrices. J. Multivar. Anal. 88(2).
    Chen, Wiesel, Eldar, Hero (2010). Shrinkage algorithms for MMSE covariance estimation. IEEE
    Trans. Signal Process. 58(10).

    Examples
    --------
    >>> from skgen import Gaussian
    >>> from skgen.datasets import load_apple
    >>> apple = load_apple().data  # the last 6 of 18 trees miss the second column
    >>> model = Gaussian().fit(apple)
    >>> model.mean_.round(4)
    array([14.7222, 49.3333])
    >>> model.conditional([20, float("nan")]).mean_.round(3)  # the share of wormy fruits, times 100
    array([43.987])
    """

    _fitted = ("mean_",)
    _parameter_constraints: dict = {
        **emissions.Gaussian._parameter_constraints,
        "covariance_type": [StrOptions({"full", "diag", "spherical"})],
        "shrinkage": [StrOptions(set(RULES)), Interval(Real, 0, 1, closed="both"), None],
        "tol": [Interval(Real, 0.0, None, closed="left")],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        covariance_type="full",
        *,
        shrinkage=None,
        reg_covar="auto",
        mean_prior=None,
        mean_precision_prior=0.0,
        covariance_prior=None,
        degrees_of_freedom_prior=None,
        tol=1e-10,
        max_iter=1000,
        random_state=None,
    ) -> None:
        self.covariance_type = covariance_type
        self.shrinkage = shrinkage
        self.reg_covar = reg_covar
        self.mean_prior = mean_prior
        self.mean_precision_prior = mean_precision_prior
        self.covariance_prior = covariance_prior
        self.degrees_of_freedom_prior = degrees_of_freedom_prior
        self.tol = tol
        self.max_iter = max_iter
        self.random_state = random_state

    # ---- fitting ----------------------------------------------------------------------------

    @with_callbacks
    def fit(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> Self:
        """Fit by maximum likelihood, shrunk maximum likelihood or to the posterior mode.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            NaN marks a missing entry.
        y : ignored
        sample_weight : array-like of shape (n_samples,), default=None
            A row of weight 2 counts as two rows, one of weight 0 is not there.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For infinite values, columns without any value, or arguments that exclude each other.
        """
        self._validate_params()
        self._check_shrinkage()
        monitor = FitMonitor(self, X, y, sample_weight, self._attributes)
        with self._all_or_nothing():
            rows = self._rows(X, reset=True, sample_weight=sample_weight)
            problem = em_problem(self._emission(), rows)
            run, share = self._optimum(problem, monitor), 0.0
            if self.shrinkage is not None and not run.interrupted:
                run, share = self._shrink(problem, run)
            self._finish(problem, run, share)
            if not run.interrupted:
                monitor.end_fit()
        if run.interrupted:
            raise KeyboardInterrupt
        return self

    def _check_shrinkage(self):
        if self.shrinkage is None:
            return
        if self.covariance_type != "full":
            raise ValueError(
                f"shrinkage={self.shrinkage!r} with covariance_type={self.covariance_type!r}: only "
                'a full covariance is shrunk; use covariance_type="full" or shrinkage=None.'
            )
        if self.covariance_prior is not None or self.mean_precision_prior > 0:
            prior = "mean_precision_prior" if self.covariance_prior is None else "covariance_prior"
            raise ValueError(
                f"shrinkage={self.shrinkage!r} and {prior} were both given; shrinkage takes the "
                "place of a prior, pass one of them."
            )

    def _optimum(self, problem, monitor):
        """The maximum of the likelihood or of the posterior."""
        rows, emission = problem.rows, problem.emission
        weights = np.ones(len(rows)) if rows.weights is None else rows.weights
        start = problem.start(weights[:, None])
        if rows.has_missing and emission.dense:
            return problem.run(start, self.max_iter, self.tol, monitor.loop)
        value = problem.objective(start)
        monitor.begin(start, [value])
        monitor.end(start, [value, value])
        return EMResult(start, [value], "converged", value)

    def _shrink(self, problem, run):
        """The optimum with its covariance shrunk, and by which share."""
        mean, covariance = expected_moments(problem, run.params.emission)
        share = self.shrinkage
        if share in RULES:
            model = run.params.emission.covariances[0]
            share = RULES[share](problem.rows, mean, covariance, model)
        covariance = shrunk(covariance, share)
        if self.reg_covar == "auto":
            covariance = raised(covariance, problem.emission._bound.floor)
        else:
            covariance += self.reg_covar * np.eye(len(mean))
        params = run.params._replace(emission=GaussianParams(mean[None], covariance[None]))
        return run._replace(params=params), float(share)

    def _finish(self, problem, run, share):
        """Attributes and warnings."""
        for name, value in self._attributes(run.params, run.objective, run.converged).items():
            setattr(self, name, value)
        self.shrinkage_ = share
        if self.shrinkage is not None or not run.objective:
            self.lower_bound_ = problem.objective(run.params)
        if self.max_iter > 0:
            warn_unconverged(run, self.max_iter, stacklevel=5)
        columns = degenerate_columns(problem.emission, run.params.emission)
        if len(columns):
            warnings.warn(
                f"Degenerate fit: {self._without_variance(columns, problem.rows)}, or use "
                "shrinkage, covariance_prior or reg_covar.",
                ConvergenceWarning,
                stacklevel=4,
            )

    def _without_variance(self, columns, rows):
        """What does not vary, and what to do about it."""
        labels = [column_label(self, j) for j in columns[:8]]
        if len(labels) == 1:
            return f"{labels[0]} does not vary; leave it out"
        more = f" and {len(columns) - 8} more" if len(columns) > 8 else ""
        sentence = f"some combination of {', '.join(labels)}{more} does not vary"
        n_seen = int((~rows.missing[:, columns]).all(axis=1).sum())
        if n_seen > len(columns):
            return f"{sentence}; leave one out"
        return f"{sentence}, as they are observed together in {n_seen} rows only; pass more"

    def _attributes(self, params, objective, converged=False):
        """The fitted attributes that belong to these parameters."""
        mean, covariance = (value[0] for value in params.emission)
        return {
            "mean_": mean,
            "covariance_": covariance if covariance.ndim else float(covariance),
            "converged_": converged,
            "n_iter_": len(objective),
            "lower_bound_": objective[-1] if objective else -np.inf,
            "lower_bounds_": list(objective),
        }

    # ---- use --------------------------------------------------------------------------------

    def score_samples(self, X: ArrayLike) -> np.ndarray:
        """Log density of the observed entries of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
            Nats; 0 for a row without any observed entry.
        """
        rows = self._rows(X)
        return self._log_prob(rows)

    def mahalanobis(self, X: ArrayLike) -> np.ndarray:
        """Squared Mahalanobis distance of the observed entries of each row to the mean.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
            For rows drawn from the model it follows a chi-square distribution with as many
            degrees of freedom as the row has observed entries, which is also its mean: compare
            rows by ``scipy.stats.chi2.sf(distance, n_observed)``.
        """
        rows = self._rows(X)
        order, starts, masks = rows.sorted_patterns
        # Twice the fall of the log density from its peak, which each pattern has at the mean.
        peaks = self._log_prob(Rows(np.where(masks, self.mean_, np.nan)))
        distances = -2.0 * self._log_prob(rows)
        distances[order] += 2.0 * np.repeat(peaks, np.diff(starts))
        return np.maximum(distances, 0.0)

    def conditional(self, values: ArrayLike) -> Any:
        """The distribution of some features given values of the others.

        Its covariance is the same for all values; ``impute(X)`` gives its mean for many rows.

        Parameters
        ----------
        values : array-like of shape (n_features,), or dict
            NaN where a feature is left free; a dict has those that are given, by name.

        Returns
        -------
        Gaussian
            Over the free features.
        """
        rows, free = self._given_and_free(values)
        return self._part(free, self._emission().conditional(self._params(), rows, free))

    def marginal(self, features: Any) -> Self:
        """The distribution of some features.

        Parameters
        ----------
        features : int, str, or array-like of int, str or bool

        Returns
        -------
        Gaussian
            Over these features.
        """
        self._check_fitted()
        chosen = check_features(self, features)
        return self._part(chosen, self._emission().marginal(self._params(), chosen))

    def entropy(self) -> float:
        """Differential entropy, in nats.

        Returns
        -------
        float
        """
        self._check_fitted()
        d = len(self.mean_)
        return float(0.5 * (d * np.log(2 * np.pi * np.e) + log_determinant(self._matrix())))

    def kl_divergence(self, other: Any) -> float:
        """Kullback-Leibler divergence of another Gaussian from this one, in nats.

        Parameters
        ----------
        other : Gaussian
            Fitted, over the same features.

        Returns
        -------
        float
            The mean of log p(x) - log q(x) over x from p, where p is this distribution.
        """
        if not isinstance(other, Gaussian):
            raise TypeError(f"other must be a fitted Gaussian, not a {type(other).__name__}.")
        self._check_fitted()
        other._check_fitted()
        if len(other.mean_) != len(self.mean_):
            raise ValueError(
                f"other has {len(other.mean_)} features, but this Gaussian {len(self.mean_)}."
            )
        own, its = self._matrix(), other._matrix()
        shift = np.asarray(self.mean_) - other.mean_
        value = np.trace(np.linalg.solve(its, own)) - len(shift)
        value += shift @ np.linalg.solve(its, shift)
        return float(0.5 * (value + log_determinant(its) - log_determinant(own)))

    @property
    def precision_(self):
        """The inverse of ``covariance_``."""
        self._check_fitted()
        return inverse(np.asarray(self.covariance_, np.float64), self._emission().dense)

    # ---- parameters -------------------------------------------------------------------------

    def _check_fitted(self):
        super()._check_fitted()
        if "n_features_in_" not in self.__dict__:  # the parameters were set by hand
            self.n_features_in_ = len(self.mean_)

    def _emission(self):
        # What is shrunk is the plain covariance; the floor is for the EM before.
        return emissions.Gaussian(
            self.covariance_type,
            self.reg_covar if self.shrinkage is None else "auto",
            mean_prior=self.mean_prior,
            mean_precision_prior=self.mean_precision_prior,
            covariance_prior=self.covariance_prior,
            degrees_of_freedom_prior=self.degrees_of_freedom_prior,
        )

    def _params(self):
        """The fitted attributes as parameters of the emission."""
        fitted = (self.mean_, self.covariance_)
        return GaussianParams(*(np.array(value, np.float64, order="C")[None] for value in fitted))

    def _store(self, params):
        for name, value in self._attributes(MixtureParams(np.ones(1), params), []).items():
            setattr(self, name, value)

    def _matrix(self):
        return self._emission().matrix(self._params(), 0)

    def _log_prob(self, rows):
        return self._emission().log_likelihood(self._params(), rows)[:, 0]

    def _draw(self, n_samples, rng):
        components = np.zeros(n_samples, dtype=np.intp)
        return self._emission().sample(self._params(), components, rng), components

    def _complete(self, rows, method, rng):
        """Rows with their gaps filled."""
        return self._emission().complete(self._params(), rows, 0, method, rng)

    def _n_parameters(self):
        return self._emission().n_parameters(self._params())


def expected_moments(problem, params):
    """Mean and covariance of the rows, missing entries completed in expectation; no floor."""
    rows = problem.rows
    weights = np.ones(len(rows)) if rows.weights is None else rows.weights
    found = problem.emission.statistics(params, rows, weights[:, None])
    shift = found.first[0] / found.weight[0]
    return found.origin[0] + shift, found.second[0] / found.weight[0] - np.outer(shift, shift)


def degenerate_columns(emission, params):
    """Columns that share in directions whose variance is at the floor of the emission."""
    floor, covariance = emission._bound.floor, emission.matrix(params, 0)
    if floor is None:
        return []
    spherical = emission.covariance_type == "spherical"
    root = np.sqrt(np.full_like(floor, floor.mean()) if spherical else floor)
    values, vectors = np.linalg.eigh(covariance / root / root[:, None])
    flat = vectors[:, values <= 1 + 1e-3]
    share = np.abs(flat) * (np.sqrt(np.diag(covariance)) / root)[:, None]
    return np.flatnonzero((share > 1e-3 * share.max(axis=0)).any(axis=1))


def log_determinant(matrix):
    """The logarithm of the determinant of a positive definite matrix."""
    return np.linalg.slogdet(matrix)[1]
