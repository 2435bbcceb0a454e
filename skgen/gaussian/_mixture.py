"""Finite mixtures of any emission, fitted by expectation-maximization."""

import warnings
from functools import cached_property
from numbers import Integral, Real
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import xlogy
from sklearn.callback import with_callbacks
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Interval, StrOptions

from .._density import Density, RandomState
from .._em import ROUNDING, run_em, warn_unconverged
from .._monitors import FitMonitor
from .._random import make_rng
from .._simplex import Simplex
from .._starts import METHODS, RACE, race, runs_from_starts, subsample
from .._validation import check_array_parameter, check_features, check_memory
from ..emissions import Emission
from ..emissions._argument import EmissionArgument
from ..emissions._base import complete_mixture

SMALLEST_LOG = np.log(1e-300)


class MixtureParams(NamedTuple):
    """Weights (K,) and the parameters of the emission."""

    weights: np.ndarray
    emission: NamedTuple


class EMProblem:
    """One mixture, its hyperparameters bound to the data, and the rows it is fitted to."""

    def __init__(self, emission, simplex, rows) -> None:
        self.emission, self.simplex, self.rows = emission, simplex, rows
        self.total_weight = rows.total_weight

    @cached_property
    def points(self):
        """The rows as points for k-means."""
        return self.emission.embed(self.rows)

    def on(self, rows):
        """The same problem on other rows."""
        return self if rows is self.rows else EMProblem(self.emission, self.simplex, rows)

    def start(self, resp):
        """Parameters for given responsibilities."""
        weights = self.simplex.maximize(resp.sum(axis=0))
        return MixtureParams(weights, self.emission.initialize(self.rows, resp))

    def step(self, params):
        """The parameters after one step of EM, and the objective before it."""
        found = self.expectation(params)
        ahead = MixtureParams(
            self.simplex.maximize(found.weight), self.emission.maximize(found.statistics)
        )
        return ahead, (found.log_lik + self.regularizer(params)) / self.total_weight

    def objective(self, params):
        """The objective per row: log-likelihood plus log prior."""
        found = self.expectation(params, statistics=False)
        return (found.log_lik + self.regularizer(params)) / self.total_weight

    def expectation(self, params, **wanted):
        """The E-step."""
        weights = log_weights(params.weights)
        return self.emission.expectation(weights, params.emission, self.rows, **wanted)

    def run(self, start, max_iter, tol, monitor=None, *, accelerated=True):
        """EM over all rows, an :class:`~skgen._em.EMResult`."""
        single = self.rows.values.dtype == np.float32
        return run_em(
            self.step,
            start,
            max_iter=max_iter,
            tol=tol,
            vector=(self.pack, self.unpack) if accelerated else None,
            monitor=monitor,
            rounding=1e-7 if single else ROUNDING,
        )

    def regularizer(self, params):
        """The log prior of the parameters."""
        return self.simplex.regularizer(params.weights) + self.emission.regularizer(params.emission)

    def pack(self, params):
        """Parameters as an unconstrained vector, or None."""
        vector = self.emission.pack(params.emission)
        return None if vector is None else np.concatenate([log_weights(params.weights), vector])

    def unpack(self, vector, like):
        """The inverse of :meth:`pack`, or None where the vector is out of reach."""
        K = len(like.weights)
        weights = np.exp(vector[:K] - vector[:K].max())
        emission = self.emission.unpack(vector[K:], like.emission)
        return None if emission is None else MixtureParams(weights / weights.sum(), emission)

    def rank(self, run):
        """The higher objective comes first, but runs with a spurious spike come last.

        That is a collapsed component held up by no more rows than one more than there are
        features, the fewest that need not be in a plane: among many some few are nearly in one,
        and its likelihood says nothing. A pile of equal rows is a fact of the data.
        """
        value = run.objective[-1] if run.objective else run.start
        value = -np.inf if np.isnan(value) else value
        rows = run.params.weights * self.total_weight
        collapsed = self.emission.degenerate(run.params.emission)
        few = self.rows.n_features + 1.5  # heavy tails add a little to the rows that hold it up
        return -sum(rows[k] < few for k in collapsed), value


def em_problem(emission, rows, n_components=1, concentration=1.0):
    """The EM problem of a mixture on rows; refused where its parameters would not fit in memory."""
    K, d = n_components, rows.n_features
    size = K * d * (d if getattr(emission, "dense", False) else 1) * 8
    components = f"n_components={K} in " if K > 1 else ""
    check_memory(
        6 * size,  # parameters, statistics and one slot per chunk of the pass, at the least
        f"fitting {components}{d} features",
        'use fewer components, fewer features, or covariance_type="diag"',
    )
    return EMProblem(emission.adapt(rows, K), Simplex(concentration), rows)


def log_weights(weights):
    """Logarithms; a weight of zero becomes a very small one."""
    return np.log(np.maximum(weights, 1e-300))


class Mixture(EmissionArgument, Density):
    r"""Mixture of any emission, :math:`p(x) = \sum_k \pi_k\, p(x | k)`.

    Parameters
    ----------
    emission : Emission, default=None
        The distribution of the components, such as ``skgen.emissions.Poisson()``; None for
        ``skgen.emissions.Gaussian()``.
    n_components : int, default=1
    weight_concentration_prior : float, default=1.0
        Of the Dirichlet prior of the weights; 1 is maximum likelihood.
    tol : float, default=1e-6
        EM stops when the gain in log-likelihood per row that is left, as extrapolated from the
        last iterations, is below this.
    max_iter : int, default=500
    n_init : int, default=1
        Number of races of starting points, each run to its end; the best fit is kept.
    init_params : str, default="auto"
        Where EM starts: "auto", "kmeans", "k-means++", "whitened", "subspace", "random" or
        "random_from_data". "auto" sends several of the others off on part of the rows, where
        these are many, and goes on with the best. Missing values and weights count in all of
        them; columns are standardised.
    weights_init : array-like of shape (n_components,), default=None
    acceleration : bool, default=True
        Anderson acceleration of EM, where the emission supports it.
    random_state : int, RandomState or None, default=None
    warm_start : bool, default=False
        Start from the fitted parameters.
    verbose : int, default=0
        1 shows a line of progress.
    verbose_interval : int, default=10
        Iterations between two updates of that line.

    Attributes
    ----------
    weights_ : ndarray of shape (n_components,)
    converged_ : bool
    n_iter_ : int
        Iterations of EM over all rows, in the best run.
    lower_bound_ : float
        Objective per row at the fitted parameters: the mean log-likelihood, plus the log prior
        divided by the number of rows.
    lower_bounds_ : list of float
        The objective after each iteration; it never falls.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Where X had names.

    See Also
    --------
    GaussianMixture : The mixture of Gaussians, with scikit-learn's parameters.

    Notes
    -----
    The parameters of the emission become attributes with an underscore (``rates_``, ``means_``).
    NaN entries are marginalised: a row without any observed entry has log density 0. Time is that
    of the emission's pass over the rows for each iteration; the pass holds no n x K array.

    References
    ----------
    McLachlan, Peel (2000). Finite Mixture Models. Wiley.

    Examples
    --------
    >>> import numpy as np
    >>> from skgen import Mixture
    >>> from skgen.emissions import Poisson
    >>> rng = np.random.default_rng(0)
    >>> visits = rng.poisson(np.where(rng.random(500) < 0.7, 2.0, 20.0))[:, None]
    >>> model = Mixture(Poisson(), n_components=2, random_state=0).fit(visits)
    >>> [round(float(rate), 1) for rate in sorted(model.rates_[:, 0])]
    [2.0, 19.6]
    """

    _fitted = ("weights_",)
    _parameter_constraints: dict = {
        "emission": [Emission, None],
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "weight_concentration_prior": [Interval(Real, 1, None, closed="left")],
        "tol": [Interval(Real, 0.0, None, closed="left")],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "init_params": [StrOptions(set(METHODS))],
        "weights_init": ["array-like", None],
        "acceleration": ["boolean"],
        "random_state": ["random_state"],
        "warm_start": ["boolean"],
        "verbose": ["verbose"],
        "verbose_interval": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        emission=None,
        n_components=1,
        *,
        weight_concentration_prior=1.0,
        tol=1e-6,
        max_iter=500,
        n_init=1,
        init_params="auto",
        weights_init=None,
        acceleration=True,
        random_state=None,
        warm_start=False,
        verbose=0,
        verbose_interval=10,
    ) -> None:
        self.emission = emission
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

    # ---- fitting ----------------------------------------------------------------------------

    @with_callbacks
    def fit(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> Self:
        """Fit by expectation-maximization.

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
            For infinite values, fewer rows than components, or values that the emission cannot
            emit.
        """
        self._validate_params()
        n_starts = 1 if self._warm() or self._all_given() else self.n_init
        monitor = FitMonitor(self, X, y, sample_weight, self._attributes, n_starts)
        with self._all_or_nothing():
            rows = self._rows(X, reset=True, sample_weight=sample_weight)
            problem = self._problem(rows)
            rng = make_rng(self.random_state)
            runs, interrupted = runs_from_starts(lambda: self._run(problem, monitor, rng), monitor)
            self._finish(problem, max(runs, key=problem.rank))
            if not interrupted:
                monitor.end_fit()
        if interrupted:
            raise KeyboardInterrupt
        return self

    def _run(self, problem, monitor, rng):
        """EM from one start."""
        start = self._start(problem, rng)
        return problem.run(
            start, self.max_iter, self.tol, monitor.loop, accelerated=self.acceleration
        )

    def _problem(self, rows):
        """The EM problem; raises where it makes no sense."""
        K = self.n_components
        if len(rows) < K:
            raise ValueError(
                f"n_samples={len(rows)} is less than n_components={K}; pass more rows or use "
                "fewer components."
            )
        return em_problem(self._emission(), rows, K, self.weight_concentration_prior)

    def _warm(self):
        """Whether to go on from the fitted parameters."""
        return self.warm_start and hasattr(self, "weights_")

    def _start(self, problem, rng):
        """Parameters from which EM runs over all rows."""
        if self._warm():
            return self._params()
        if self._all_given():
            start = problem.start(np.full((len(problem.rows), self.n_components), 1.0))
            return self._given(problem, start)
        part = problem.on(subsample(problem.rows, self.n_components, rng))
        methods = RACE if self.init_params == "auto" else (self.init_params,)
        if self.n_components == 1:
            methods = ("random",)
        return self._given(problem, race(part, methods, self.n_components, rng))

    def _all_given(self):
        """Whether nothing is left for a start to find out."""
        return False

    def _given(self, problem, start):
        """The start with what the user gave in place of what was found."""
        if self.weights_init is None:
            return start
        weights = check_array_parameter("weights_init", self.weights_init, (self.n_components,))
        if (weights < 0).any() or abs(weights.sum() - 1) > 1e-6:
            raise ValueError(
                f"weights_init={self.weights_init} must be nonnegative and add up to 1, but "
                f"adds up to {weights.sum():.6g}."
            )
        return start._replace(weights=weights / weights.sum())

    def _finish(self, problem, run):
        """Attributes and warnings."""
        for name, value in self._attributes(run.params, run.objective, run.converged).items():
            setattr(self, name, value)
        if not run.objective:
            self.lower_bound_ = run.start
        warn_unconverged(run, self.max_iter, stacklevel=5)
        for sentence in problem.emission.degenerate(run.params.emission).values():
            warnings.warn(f"Degenerate fit: {sentence}", ConvergenceWarning, stacklevel=4)

    def _attributes(self, params, objective, converged=False):
        """The fitted attributes that belong to these parameters."""
        own = {f"{name}_": value for name, value in params.emission._asdict().items()}
        return {
            "weights_": params.weights,
            **own,
            "converged_": converged,
            "n_iter_": len(objective),
            "lower_bound_": objective[-1] if objective else -np.inf,
            "lower_bounds_": list(objective),
        }

    def fit_predict(
        self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None
    ) -> np.ndarray:
        """Fit, and give the most probable component of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : ignored
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        return self.fit(X, y, sample_weight=sample_weight).predict(X)

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
        log_prob = np.empty(len(rows))
        self._expect(rows, log_prob=log_prob)
        return log_prob

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Most probable component of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,), intp
        """
        rows = self._rows(X)
        labels = np.empty(len(rows), dtype=np.intp)
        self._expect(rows, labels=labels)
        return labels

    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Probability of each component given the observed entries of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_components)
        """
        rows = self._rows(X)
        return self._resp(rows)

    def sample(self, n_samples: int = 1, random_state: RandomState = None) -> Any:
        """Draw rows and the components they come from.

        Parameters
        ----------
        n_samples : int, default=1
        random_state : int, RandomState or None, default=None
            None draws from the estimator's own ``random_state``.

        Returns
        -------
        X : array or frame of shape (n_samples, n_features)
        labels : ndarray of shape (n_samples,)
        """
        rng = self._sampling_rng(n_samples, random_state)
        X, labels = self._draw(n_samples, rng)
        return self._like_fit(X), labels

    def conditional(self, values: ArrayLike) -> Any:
        """The distribution of some features given values of the others.

        Parameters
        ----------
        values : array-like of shape (n_features,), or dict
            NaN where a feature is left free; a dict has those that are given, by name.

        Returns
        -------
        fitted estimator of the same class over the free features
        """
        rows, free = self._given_and_free(values)
        params, emission = self._params(), self._emission()
        weights = self._resp(rows)[0]
        return self._part(
            free, MixtureParams(weights, emission.conditional(params.emission, rows, free))
        )

    def marginal(self, features: Any) -> Self:
        """The distribution of some features.

        Parameters
        ----------
        features : int, str, or array-like of int, str or bool

        Returns
        -------
        fitted estimator of the same class over these features
        """
        self._check_fitted()
        chosen = check_features(self, features)
        params, emission = self._params(), self._emission()
        return self._part(
            chosen, MixtureParams(params.weights, emission.marginal(params.emission, chosen))
        )

    def icl(self, X: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Integrated completed likelihood: BIC plus twice the entropy of the assignments.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        float
            The lower the better; it prefers components that do not overlap.

        References
        ----------
        Biernacki, Celeux, Govaert (2000). Assessing a mixture model for clustering with the
        integrated completed likelihood. IEEE PAMI 22(7).
        """
        resp = self.predict_proba(X)
        entropy = -xlogy(resp, resp).sum(axis=1)
        weights = 1.0 if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
        return self.bic(X, sample_weight) + 2.0 * float((entropy * weights).sum())

    def _rows(self, X, **options):
        """X through the door, as the emission reads it."""
        rows = super()._rows(X, **options)
        # On the hot road of small Gaussian mixtures, which have nothing to recode.
        return rows if getattr(self, "emission", None) is None else self._emission().recoded(rows)

    # ---- parameters -------------------------------------------------------------------------

    def _emission(self):
        return self._inner.resolve(getattr(self, "feature_names_in_", None))

    def _params(self, emission=None):
        """The fitted attributes as parameters."""
        kind = (emission or self._emission()).params_type
        own = kind(*[_array(getattr(self, f"{name}_")) for name in kind._fields])
        return MixtureParams(_array(self.weights_), own)

    def _store(self, params):
        for name, value in self._attributes(params, []).items():
            setattr(self, name, value)

    def _expect(self, rows, **outputs):
        emission = self._emission()  # to make it takes a twentieth of scoring 150 rows
        params = self._params(emission)
        emission.expectation(
            log_weights(params.weights), params.emission, rows, statistics=False, **outputs
        )

    def _resp(self, rows):
        resp = np.empty((len(rows), len(self.weights_)))
        self._expect(rows, resp=resp)
        return resp

    def _draw(self, n_samples, rng):
        params = self._params()
        labels = rng.choice(len(params.weights), n_samples, p=params.weights / params.weights.sum())
        return self._emission().sample(params.emission, labels, rng), labels

    def _complete(self, rows, method, rng):
        """Rows with their gaps filled."""
        params, emission, resp = self._params(), self._emission(), self._resp(rows)
        return complete_mixture(emission, params.emission, rows, resp, 0, method, rng)

    def _n_parameters(self):
        params = self._params()
        return len(params.weights) - 1 + self._emission().n_parameters(params.emission)


def _array(value):
    """A parameter as the kernels want it; users set attributes by hand."""
    return np.ascontiguousarray(value, dtype=np.float64)
