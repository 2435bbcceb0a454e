"""Hidden Markov models over any emission."""

import warnings
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri
from sklearn.callback import with_callbacks
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Interval, StrOptions

from .._density import RandomState, SequenceDensity, make_rng
from .._em import warn_unconverged
from .._kernels import _hmm
from .._monitors import FitMonitor
from .._sequences import object_array
from .._starts import runs_from_starts
from .._validation import check_features, check_memory
from ..emissions import Emission
from ..emissions._argument import EmissionArgument
from ..emissions._base import complete_mixture
from ._chain import TOPOLOGIES, Chain, ChainParams, stationary_distribution
from ._forecast import Forecast
from ._labels import known_states
from ._problem import HMMParams, HMMProblem, source
from ._starts import METHODS, start_of


class HMM(EmissionArgument, SequenceDensity):
    r"""Hidden Markov model of sequences of any lengths, with any emission.

    .. math:: p(x_{1:T}) = \sum_{z_{1:T}} \pi_{z_1} p(x_1 | z_1)
              \prod_{t=2}^{T} A_{z_{t-1} z_t}\, p(x_t | z_t)

    X is a list of arrays of shape (n_steps, n_features), of any lengths, of which each is a
    sample; or one such array, whose rows are the samples: ``score_samples`` then gives
    :math:`\log p(x_t | x_1, ..., x_{t-1})`, which add up to the log-likelihood. A 3-D array or
    an object array of arrays is a list; see :func:`~skgen.to_sequences` for stacked tables.

    Parameters
    ----------
    emission : Emission, default=None
        The distribution of a step given its state, such as ``skgen.emissions.Poisson()``; None
        for ``skgen.emissions.Gaussian()``.
    n_components : int, default=1
        Number of states, K.
    topology : {"ergodic", "left-right", "linear"} or array-like of bool, default="ergodic"
        Which transitions are allowed. "left-right": to the state itself and all later ones;
        "linear": to itself and the next one; both begin in the first state. A mask of shape
        (K, K) allows any others.
    stationary : bool, default=False
        Whether the first state follows the stationary distribution of the transitions.
    startprob_prior, transmat_prior : float or array-like, default=1.0
        Concentrations of the Dirichlet priors; 1 is maximum likelihood.
    startprob_init, transmat_init : array-like of shape (K,) and (K, K), default=None
        Where EM starts. Zeros stay zeros without a prior.
    emission_init : dict, default=None
        Parameters of the emission by name from which EM starts, e.g. ``{"means": ...}``. What is
        not given is looked for as ``init_params`` says, with what is given held.
    fixed : sequence of str, default=()
        Parameters that stay as they are at the start: "startprob", "transmat" and those of the
        emission, such as "means".
    transmat_shared : array-like of int of shape (K, K), default=None
        Transitions with the same positive number have the same probability.
    transmat_held : array-like of bool of shape (K, K), default=None
        Transitions that keep their probability in ``transmat_init``.
    tol : float, default=1e-6
        EM stops when the gain in log-likelihood per step that is left, as extrapolated from the
        last iterations, is below this.
    max_iter : int, default=500
    n_init : int, default=1
        Number of starts, each run to its end; the best fit is kept.
    init_params : str, default="auto"
        Where EM starts: from the rows by "kmeans", "k-means++", "whitened", "subspace", "random"
        or "random_from_data"; from "windows", k-means of level and scatter in the neighbourhood
        of each row; from "segments", each sequence cut into K pieces of equal length; or "auto",
        the best of a dozen of these after some iterations on up to 10,000 rows. Where not all
        transitions are allowed, states are numbered in the order of time; where some states are
        known, as these are.
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
    startprob_ : ndarray of shape (n_components,)
    transmat_ : ndarray of shape (n_components, n_components)
        From the state of the row to that of the column.
    converged_ : bool
    n_iter_ : int
    lower_bound_ : float
        Objective per step at the fitted parameters: the log-likelihood plus the log prior,
        divided by the number of steps.
    lower_bounds_ : list of float
        The objective after each iteration; it never falls.
    lengths_ : ndarray of shape (n_sequences,)
        Number of steps of the sequences of the fit, from which those of samples are drawn.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Where X had names.

    See Also
    --------
    GaussianHMM, GMMHMM, CategoricalHMM, MultinomialHMM, PoissonHMM : Forms with a fixed emission.

    Notes
    -----
    The parameters of the emission become attributes with an underscore (``means_``, ``rates_``).
    NaN entries are marginalised; a step without any observed entry keeps its place. An iteration
    takes O(n K^2) time, on two threads or more, and for Gaussian emissions (with diagonal
    covariances also where entries are missing) and one categorical column O(K^2) memory besides
    X, otherwise O(n K). States that no sequence visits keep their probabilities.

    References
    ----------
    Rabiner (1989). A tutorial on hidden Markov models and selected applications in speech
    recognition. Proceedings of the IEEE 77(2). Zucchini, MacDonald, Langrock (2016). Hidden
    Markov Models for Time Series. CRC Press.

    Examples
    --------
    >>> import numpy as np
    >>> from skgen import HMM
    >>> from skgen.emissions import Poisson
    >>> rng = np.random.default_rng(0)
    >>> quiet, busy = rng.poisson(2, (60, 1)), rng.poisson(12, (30, 1))
    >>> X = [np.concatenate([quiet, busy]), np.concatenate([busy[:20], quiet[:25]])]
    >>> model = HMM(Poisson(), n_components=2, random_state=0).fit(X)
    >>> [round(float(rate), 1) for rate in sorted(model.rates_[:, 0])]
    [2.1, 12.8]
    >>> model.predict(X)[0].shape
    (90,)
    """

    _fitted = ("transmat_",)
    _single = True  # whether fit was given one array, until fit tells
    _parameter_constraints: dict = {
        "emission": [Emission, None],
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "topology": [StrOptions(set(TOPOLOGIES)), "array-like"],
        "stationary": ["boolean"],
        "startprob_prior": [Interval(Real, 1, None, closed="left"), "array-like"],
        "transmat_prior": [Interval(Real, 1, None, closed="left"), "array-like"],
        "startprob_init": ["array-like", None],
        "transmat_init": ["array-like", None],
        "emission_init": [dict, None],
        "fixed": [tuple, list],
        "transmat_shared": ["array-like", None],
        "transmat_held": ["array-like", None],
        "tol": [Interval(Real, 0.0, None, closed="left")],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "init_params": [StrOptions(set(METHODS))],
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
        topology="ergodic",
        stationary=False,
        startprob_prior=1.0,
        transmat_prior=1.0,
        startprob_init=None,
        transmat_init=None,
        emission_init=None,
        fixed=(),
        transmat_shared=None,
        transmat_held=None,
        tol=1e-6,
        max_iter=500,
        n_init=1,
        init_params="auto",
        acceleration=True,
        random_state=None,
        warm_start=False,
        verbose=0,
        verbose_interval=10,
    ) -> None:
        self.emission = emission
        self.n_components = n_components
        self.topology = topology
        self.stationary = stationary
        self.startprob_prior = startprob_prior
        self.transmat_prior = transmat_prior
        self.startprob_init = startprob_init
        self.transmat_init = transmat_init
        self.emission_init = emission_init
        self.fixed = fixed
        self.transmat_shared = transmat_shared
        self.transmat_held = transmat_held
        self.tol = tol
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.acceleration = acceleration
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.verbose_interval = verbose_interval

    # ---- fitting ----------------------------------------------------------------------------

    @with_callbacks
    def fit(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> Self:
        """Fit by expectation-maximization (Baum-Welch).

        Parameters
        ----------
        X : list of array-like of shape (n_steps, n_features), or one such array
            NaN marks a missing entry.
        y : list of array-like of int of shape (n_steps,), default=None
            Known states, -1 for those that are not known; with all of them known the fit is one
            of counting. Only a list with one array per sequence is taken so (``fit([X], [y])``
            for one sequence); any other y is ignored, as by all densities.
        sample_weight : array-like of shape (n_samples,), default=None
            A sequence of weight 2 counts as two, one of weight 0 is not there. Where X is one
            array, a row of weight 2 counts as two from the same state, and one of weight 0 as not
            observed.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For infinite values, fewer steps than states, values that the emission cannot emit,
            labels that are no states, or sequences that the topology makes impossible.
        """
        self._validate_params()
        n_starts = 1 if self._warm() else self.n_init
        monitor = FitMonitor(self, X, y, sample_weight, self._attributes, n_starts)
        with self._all_or_nothing():
            sequences = self._sequences(X, reset=True, sample_weight=sample_weight)
            problem = self._problem(sequences, known_states(X, y, self.n_components, sample_weight))
            rng = make_rng(self.random_state)
            runs, interrupted = runs_from_starts(lambda: self._run(problem, monitor, rng), monitor)
            self.lengths_, self._single = sequences.lengths, sequences.single
            self._finish(problem, max(runs, key=problem.rank))
            if not interrupted:
                monitor.end_fit()
        if interrupted:
            raise KeyboardInterrupt
        return self

    def _run(self, problem, monitor, rng):
        """EM from one start."""
        start = self._start(problem, rng)
        run = problem.run(
            start, self.max_iter, self.tol, monitor.loop, accelerated=self.acceleration
        )
        if run.start == -np.inf and not run.interrupted:
            _refuse_impossible(problem, start)
        return run

    def _problem(self, sequences, labels):
        """The EM problem; raises where it makes no sense."""
        K, rows = self.n_components, sequences.rows
        steps = len(rows) if rows.weights is None else int((rows.weights > 0).sum())
        if steps < K:
            raise ValueError(
                f"X has {steps} steps in all, which is less than n_components={K}; pass more "
                "data or use fewer states."
            )
        check_memory(
            24.0 * K * K, f"n_components={K} with a transition matrix", "use fewer components"
        )
        chain = Chain(
            K,
            self.topology,
            self.stationary,
            self.startprob_prior,
            self.transmat_prior,
            self.startprob_init,
            self.transmat_init,
            self.transmat_shared,
            self.transmat_held,
        )
        emission = self._emission().adapt(rows, K)
        own = emission.params_type._fields
        _check_names("emission_init", self.emission_init or (), own)
        _check_names("fixed", self.fixed, (*ChainParams._fields, *own))
        if self.stationary and "startprob" in self.fixed:
            raise ValueError(
                'fixed has "startprob", which with stationary=True follows from the transitions; '
                'use fixed=["transmat"] or stationary=False.'
            )
        given = {**chain.given, **(self.emission_init or {})}
        return HMMProblem(emission, chain, sequences, labels, given, self.fixed)

    def _warm(self):
        """Whether to go on from the fitted parameters."""
        return self.warm_start and hasattr(self, "transmat_")

    def _start(self, problem, rng):
        """Parameters from which EM runs over all sequences."""
        if not self._warm():
            return start_of(problem, self.init_params, rng)
        start = self._params()
        problem.check_shapes(start)
        return start

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
            "startprob_": params.chain.startprob,
            "transmat_": params.chain.transmat,
            **own,
            "converged_": converged,
            "n_iter_": len(objective),
            "lower_bound_": objective[-1] if objective else -np.inf,
            "lower_bounds_": list(objective),
        }

    def fit_predict(
        self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None
    ) -> np.ndarray:
        """Fit, and give the most probable path of states of each sequence.

        Parameters
        ----------
        X, y, sample_weight : as for :meth:`fit`

        Returns
        -------
        object array of arrays, or array of shape (n_steps,)
        """
        return self.fit(X, y, sample_weight=sample_weight).predict(X)

    # ---- use --------------------------------------------------------------------------------

    def score_samples(self, X: ArrayLike) -> np.ndarray:
        """Log density of each sequence; for one array, of each row given the rows before it.

        Parameters
        ----------
        X : list of array-like of shape (n_steps, n_features), or one such array

        Returns
        -------
        ndarray of shape (n_samples,)
            Nats; -inf for what the model cannot emit, 0 where nothing is observed.
        """
        sequences = self._sequences(X)
        out = np.empty(len(sequences.rows) if sequences.single else len(sequences))
        name = "step_log_prob" if sequences.single else "log_prob"
        self._forward_backward(sequences, **{name: out})
        return out

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Most probable path of states (Viterbi).

        Parameters
        ----------
        X : list of array-like of shape (n_steps, n_features), or one such array

        Returns
        -------
        object array of arrays, or array of shape (n_steps,), intp
        """
        sequences = self._sequences(X)
        return self._per_step(sequences, self._best_path(sequences))

    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Probability of each state given the whole sequence (smoothing).

        Parameters
        ----------
        X : list of array-like of shape (n_steps, n_features), or one such array

        Returns
        -------
        object array of arrays, or array of shape (n_steps, n_components)
        """
        sequences = self._sequences(X)
        return self._per_step(sequences, self._state_proba(sequences, "resp"))

    def filter(self, X: ArrayLike) -> np.ndarray:
        """Probability of each state given the sequence up to its step (causal).

        Parameters
        ----------
        X : list of array-like of shape (n_steps, n_features), or one such array

        Returns
        -------
        object array of arrays, or array of shape (n_steps, n_components)
        """
        sequences = self._sequences(X)
        return self._per_step(sequences, self._state_proba(sequences, "filtered"))

    def decode(self, X: ArrayLike, k: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """The k most probable paths of states and their joint log density with X.

        Parameters
        ----------
        X : list of array-like of shape (n_steps, n_features), or one such array
        k : int, default=1

        Returns
        -------
        paths : array of shape (n_paths, n_steps), or object array with one for each sequence
            The most probable path first. Fewer than k where no more are possible.
        log_prob : array of shape (n_paths,), or object array with one for each sequence
            Nats.
        """
        if not (isinstance(k, Integral) and k >= 1):
            raise ValueError(f"k={k!r} must be a positive integer, the number of paths.")
        sequences, params = self._sequences(X), self._params()
        table = self._emission().log_likelihood(params.emission, sequences.rows)
        found = [_hmm.best_paths(piece, *params.chain, k) for piece in sequences.split(table)]
        _refuse(sequences, np.array([len(paths) - 1.0 for paths, _ in found]), below=0.0)
        if sequences.single:
            return found[0]
        return object_array([f[0] for f in found]), object_array([f[1] for f in found])

    def sample(
        self, n_samples: int = 1, random_state: RandomState = None, *, length: Any = None
    ) -> Any:
        """Draw sequences and their states.

        Parameters
        ----------
        n_samples : int, default=1
            Number of steps of one sequence, if fit was given one array and ``length`` is None;
            else number of sequences.
        random_state : int, RandomState or None, default=None
            None draws from the estimator's own ``random_state``.
        length : int or array-like of shape (n_samples,), default=None
            Number of steps of each sequence; None draws them from ``lengths_``.

        Returns
        -------
        X : array of shape (n_samples, n_features), or object array of sequences
        states : array of shape (n_samples,), or object array of arrays
        """
        rng = self._sampling_rng(n_samples, random_state)
        X, states = self._draw(n_samples, rng, length)
        if isinstance(X, list):
            return object_array([self._like_fit(x) for x in X]), object_array(states)
        return self._like_fit(X), states

    def sample_states(
        self, X: ArrayLike, n_samples: int = 1, random_state: RandomState = None
    ) -> np.ndarray:
        """Draw paths of states from their distribution given the whole sequence.

        Parameters
        ----------
        X : list of array-like of shape (n_steps, n_features), or one such array
        n_samples : int, default=1
        random_state : int, RandomState or None, default=None

        Returns
        -------
        array of shape (n_samples, n_steps), or object array with one for each sequence, intp
        """
        sequences = self._sequences(X)
        rng = self._sampling_rng(n_samples, random_state)
        paths = self._paths(sequences, n_samples, rng)
        if sequences.single:
            return paths
        return object_array([piece.T for piece in sequences.split(paths.T)])

    def forecast(self, horizon: int, context: Any = None) -> Any:
        """The distribution of the steps that follow.

        Parameters
        ----------
        horizon : int
            How many.
        context : list of array-like of shape (n_steps, n_features), or one such array
            What came before; None for the beginning of a sequence.

        Returns
        -------
        Forecast, or object array with one for each sequence
            With ``mean``, ``interval``, ``quantile``, ``sample``, ``log_prob`` and ``states``.
        """
        self._check_fitted()
        if not (isinstance(horizon, Integral) and horizon >= 1):
            raise ValueError(f"horizon={horizon!r} must be a positive integer, in steps.")
        params = self._params()
        more = (self._emission(), params, self.n_features_in_)
        if context is None:
            return Forecast(*more, params.chain.startprob, horizon)
        sequences = self._sequences(context)
        last = self._state_proba(sequences, "filtered")[sequences.offsets[1:] - 1]
        found = [Forecast(*more, now, horizon) for now in last @ params.chain.transmat]
        return found[0] if sequences.single else object_array(found)

    def pseudo_residuals(self, X: ArrayLike) -> np.ndarray:
        """Normal scores of each entry given the steps before it: N(0, 1) where the model is true.

        Parameters
        ----------
        X : list of array-like of shape (n_steps, n_features), or one such array

        Returns
        -------
        object array of arrays, or array of shape (n_steps, n_features)
            NaN where the entry is missing. For counts the middle of their step.

        References
        ----------
        Zucchini, MacDonald, Langrock (2016). Hidden Markov Models for Time Series, section 6.2.
        """
        sequences, params = self._sequences(X), self._params()
        ahead = np.empty((len(sequences.rows), len(params.chain.startprob)))
        ahead[1:] = self._state_proba(sequences, "filtered")[:-1] @ params.chain.transmat
        ahead[sequences.offsets[:-1]] = params.chain.startprob
        values = sequences.rows.values.astype(np.float64)
        below = np.nextafter(values, -np.inf)
        cdf = [self._emission().cdf(params.emission, x) for x in (values, below)]
        middle = np.einsum("tjk,tk->tj", cdf[0] + cdf[1], ahead) / 2
        return self._per_step(sequences, ndtri(np.clip(middle, 1e-300, 1 - 1e-16)))

    def marginal(self, features: Any) -> Self:
        """The model of some features.

        Parameters
        ----------
        features : int, str, or array-like of int, str or bool

        Returns
        -------
        fitted estimator of the same class over these features
        """
        self._check_fitted()
        chosen, params = check_features(self, features), self._params()
        part = self._part(
            chosen, params._replace(emission=self._emission().marginal(params.emission, chosen))
        )
        part.lengths_, part._single = self.lengths_, self._single
        return part

    @property
    def stationary_distribution_(self) -> np.ndarray:
        """The share of time spent in each state in the long run, of shape (n_components,)."""
        return stationary_distribution(self._params().chain.transmat)

    def _sequences(self, X, **options):
        """X through the door, as the emission reads it."""
        sequences = super()._sequences(X, **options)
        sequences.rows = self._emission().recoded(sequences.rows)
        return sequences

    # ---- parameters -------------------------------------------------------------------------

    def _emission(self):
        return self._inner.resolve(getattr(self, "feature_names_in_", None))

    def _params(self):
        """The fitted attributes as parameters."""
        kind = self._emission().params_type
        own = kind(*[_array(getattr(self, f"{name}_")) for name in kind._fields])
        return HMMParams(ChainParams(_array(self.startprob_), _array(self.transmat_)), own)

    def _store(self, params):
        for name, value in self._attributes(params, []).items():
            setattr(self, name, value)

    def _forward_backward(self, sequences, **outputs):
        params = self._params()
        given = source(self._emission(), params.emission, sequences)
        _hmm.forward_backward(given, sequences.offsets, *params.chain, **outputs)

    def _state_proba(self, sequences, kind):
        """Probabilities of the states, "resp" or "filtered", of shape (n_steps, K)."""
        out = np.empty((len(sequences.rows), len(self.startprob_)))
        log_prob = np.empty(len(sequences))
        self._forward_backward(sequences, log_prob=log_prob, **{kind: out})
        _refuse(sequences, log_prob)
        return out

    def _best_path(self, sequences):
        """The most probable state of each step along the most probable path of its sequence."""
        path, log_prob = np.empty(len(sequences.rows), dtype=np.intp), np.empty(len(sequences))
        params = self._params()
        given = source(self._emission(), params.emission, sequences)
        startprob, transmat = params.chain
        _hmm.viterbi(given, sequences.offsets, startprob, transmat, path, log_prob)
        _refuse(sequences, log_prob)
        return path

    def _paths(self, sequences, n_samples, rng):
        """Draws of the states given the sequences, of shape (n_samples, n_steps)."""
        filtered = self._state_proba(sequences, "filtered")
        uniforms = rng.random((len(filtered), n_samples))
        transmat = self._params().chain.transmat
        return _hmm.sample_paths(filtered, sequences.offsets, transmat, uniforms)

    def _draw(self, n_samples, rng, length=None):
        """Rows and states: arrays of n rows of one sequence, or lists of n sequences."""
        one = length is None and self._single
        if one:
            lengths = np.array([n_samples])
        elif length is None:
            lengths = rng.choice(self.lengths_, n_samples)
        else:
            lengths = _lengths(length, n_samples)
        offsets, params = np.concatenate([[0], np.cumsum(lengths)]), self._params()
        states = _hmm.sample_chain(offsets, *params.chain, rng.random(offsets[-1]))
        X = self._emission().sample(params.emission, states, rng)
        if one:
            return X, states
        return np.split(X, offsets[1:-1]), np.split(states, offsets[1:-1])

    def _complete(self, sequences, method, rng):
        """All steps with their gaps filled."""
        params, emission, rows = self._params(), self._emission(), sequences.rows
        if method == "draw":
            path = self._paths(sequences, 1, rng)[0]
            return emission.complete(params.emission, rows, path, "draw", rng)
        if method == "mode":
            path = self._best_path(sequences)
            return emission.complete(params.emission, rows, path, "mode", rng)
        resp = self._state_proba(sequences, "resp")
        return complete_mixture(emission, params.emission, rows, resp, 0, "mean", rng)

    def _n_parameters(self):
        params = self._params()
        chain = Chain(
            len(params.chain.startprob),
            self.topology,
            self.stationary,
            shared=self.transmat_shared,
            held=self.transmat_held,
        )
        return chain.n_parameters(params.chain) + self._emission().n_parameters(params.emission)


def _check_names(argument, names, known):
    """Raise where an argument names what is no parameter."""
    for name in names:
        if name not in known:
            raise ValueError(f"{argument} has {name!r}, which is no parameter; they are {known}.")


def _lengths(length, n_samples):
    """Numbers of steps of the sequences to draw."""
    lengths = np.asarray(length)
    right = lengths.shape in ((), (n_samples,)) and lengths.dtype.kind in "iu"
    if not right or (lengths < 1).any():
        raise ValueError(
            f"length={length!r} must be one positive integer, or one for each of the "
            f"n_samples={n_samples} sequences."
        )
    return np.broadcast_to(lengths, (n_samples,))


def _refuse(sequences, log_prob, below=-np.inf):
    """Raise where a sequence cannot come from the model."""
    wrong = log_prob <= below if below == -np.inf else log_prob < below
    if wrong.any():
        raise ValueError(
            f"sequence {int(wrong.argmax())} has probability zero under the model, so that its "
            "states are undefined; see score_samples, or fit with a prior such as "
            "transmat_prior=1.1."
        )


def _refuse_impossible(problem, start):
    """Raise where the start cannot emit a sequence of the fit."""
    log_prob = np.empty(len(problem.sequences))
    _hmm.forward_backward(
        problem.source(start), problem.sequences.offsets, *start.chain, log_prob=log_prob
    )
    s = int((log_prob == -np.inf).argmax())
    raise ValueError(
        f"sequence {s} is impossible: no path that topology, the known states and the zeros of "
        "startprob_init and transmat_init allow can emit it; allow more transitions."
    )


def _array(value):
    """A parameter as the kernels want it; users set attributes by hand."""
    return np.ascontiguousarray(value, dtype=np.float64)
