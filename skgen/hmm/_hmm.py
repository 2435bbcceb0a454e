"""Hidden Markov models over any emission."""

import warnings
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.callback import with_callbacks
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Interval, StrOptions

from .._em import warn_unconverged
from .._kernels import _hmm
from .._monitors import FitMonitor
from .._random import make_rng
from .._starts import runs_from_starts
from .._validation import check_memory
from ..emissions import Emission
from ._chain import TOPOLOGIES, Chain, ChainParams
from ._labels import known_states
from ._markov import MarkovModel
from ._problem import HMMProblem
from ._starts import METHODS, start_of


class HMM(MarkovModel):
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
            for one sequence); any other y with one entry per sample is ignored, as by all
            densities.
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


def _check_names(argument, names, known):
    """Raise where an argument names what is no parameter."""
    for name in names:
        if name not in known:
            raise ValueError(f"{argument} has {name!r}, which is no parameter; they are {known}.")


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
