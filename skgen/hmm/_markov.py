"""What a fitted hidden Markov model can do."""

from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from .._density import RandomState, SequenceDensity
from .._forecast import check_horizon, check_level, presented
from .._kernels import _hmm, _hmm_draws
from .._random import uniforms
from .._sequences import cut, object_array, offsets_of
from .._validation import check_features
from ..emissions._argument import EmissionArgument
from ..emissions._base import complete_mixture
from ._chain import Chain, ChainParams, stationary_distribution
from ._forecast import Forecast
from ._problem import HMMParams, source


class MarkovModel(EmissionArgument, SequenceDensity):
    """Densities, states and forecasts, from the fitted attributes of :class:`HMM`."""

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

    def forecast(self, horizon: int, context: Any = None, level: float = 0.95) -> Any:
        """The distribution of the steps that follow.

        Parameters
        ----------
        horizon : int
            How many.
        context : list of array-like of shape (n_steps, n_features), or one such array
            What came before; None for the beginning of a sequence.
        level : float in (0, 1), default=0.95
            Probability of intervals that are not asked for with another one.

        Returns
        -------
        Forecast, or object array with one for each sequence
            With ``mean``, ``interval``, ``quantile``, ``sample``, ``log_prob`` and ``states``.
        """
        self._check_fitted()
        check_horizon(horizon)
        check_level(level)
        names = getattr(self, "feature_names_in_", None)
        return presented(self._forecasts(horizon, context), level, names)

    def _forecasts(self, horizon, context):
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
        u = uniforms(rng, (len(filtered), n_samples))
        transmat = self._params().chain.transmat
        return _hmm_draws.sample_paths(filtered, sequences.offsets, transmat, u)

    def _draw(self, n_samples, rng, length=None):
        """Rows and states: arrays of n rows of one sequence, or lists of n sequences."""
        lengths, one = self._lengths_to_draw(n_samples, rng, length)
        offsets, params = offsets_of(lengths), self._params()
        states = _hmm_draws.sample_chain(offsets, *params.chain, uniforms(rng, offsets[-1:]))
        X = self._emission().sample(params.emission, states, rng)
        if one:
            return X, states
        return cut(X, offsets), cut(states, offsets)

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


def _refuse(sequences, log_prob, below=-np.inf):
    """Raise where a sequence cannot come from the model."""
    wrong = log_prob <= below if below == -np.inf else log_prob < below
    if wrong.any():
        raise ValueError(
            f"sequence {int(wrong.argmax())} has probability zero under the model, so that its "
            "states are undefined; see score_samples, or fit with a prior such as "
            "transmat_prior=1.1."
        )


def _array(value):
    """A parameter as the kernels want it; users set attributes by hand."""
    return np.ascontiguousarray(value, dtype=np.float64)
