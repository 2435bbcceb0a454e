"""Mixtures of language models, token by token."""

from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from scipy.special import logsumexp, softmax
from sklearn.base import _fit_context, clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from .._density import RandomState
from .._em import run_em, warn_unconverged
from .._random import make_rng
from .._validation import check_array_parameter
from ._ngram import SAMPLE_CONSTRAINTS, checked
from ._ngram_base import LanguageModel
from ._ngram_text import BEGIN, UNKNOWN, as_sentences

# Sentences drawn at the same time: each has the probabilities of the whole vocabulary.
DRAWN_TOGETHER = 32


class NGramMixture(LanguageModel):
    r"""Several language models in one, :math:`p(w | c) = \sum_m \lambda_m\, p_m(w | c)`.

    Parameters
    ----------
    models : list of NGramLM
        Clones of them are fitted. One inside :class:`sklearn.frozen.FrozenEstimator` is used as it
        was fitted, such as a model of a large general text.
    weights : array-like of shape (n_models,), default=None
        None for those under which held-out sentences are most probable.
    held_out : float, default=0.1
        Share of the sentences from which weights are learnt, taken at even distances.
    max_iter : int, default=200
    tol : float, default=1e-6
        EM stops when less is left to gain for a token, in nats.
    random_state : int, RandomState or None, default=None
        For `sample`.

    Attributes
    ----------
    models_ : list of NGramLM
        Fitted to all sentences.
    weights_ : ndarray of shape (n_models,)
    vocabulary_ : ndarray of shape (n_tokens,), object
    n_iter_ : int
        Iterations of EM, 0 where `weights` was given.

    See Also
    --------
    NGramLM : One language model.

    Notes
    -----
    The models must have the same tokens; models fitted to the same text with the same analyzer do,
    for others give them the same `vocabulary`. Weights are found by EM over the tokens of the
    held-out sentences, from models fitted to the others; then all models are fitted to everything.

    References
    ----------
    Jelinek, Mercer (1980). Interpolated estimation of Markov source parameters from sparse data.

    Examples
    --------
    >>> from skgen import NGramLM, NGramMixture
    >>> from skgen.datasets import load_kjv
    >>> verses = load_kjv().train[:5000]
    >>> models = [NGramLM(3), NGramLM(3, smoothing="witten-bell"), NGramLM(1)]
    >>> mixture = NGramMixture(models).fit(verses)
    >>> mixture.weights_.round(2)
    array([0.83, 0.17, 0.  ])
    """

    _parameter_constraints: dict = {
        "models": [list],
        "weights": ["array-like", None],
        "held_out": [Interval(Real, 0, 0.5, closed="right")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self, models, *, weights=None, held_out=0.1, max_iter=200, tol=1e-6, random_state=None
    ) -> None:
        self.models = models
        self.weights = weights
        self.held_out = held_out
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit the models and their weights.

        Parameters
        ----------
        X : list of sentences
            As for :meth:`NGramLM.fit`.
        y : ignored

        Returns
        -------
        self
        """
        if not self.models:
            raise ValueError("models is empty; pass at least one language model.")
        for m, model in enumerate(self.models):
            inner = getattr(model, "estimator", model)  # of a FrozenEstimator
            if not hasattr(inner, "token_log_proba"):
                raise TypeError(
                    f"models[{m}] is {model!r}, but must be a language model, such as NGramLM(4), "
                    "or a FrozenEstimator of one; models have no names."
                )
        sentences = as_sentences(X)
        with self._all_or_nothing():
            self.n_iter_ = 0
            self.weights_ = self._given_weights()
            if self.weights_ is None:
                self.weights_ = self._learnt_weights(sentences)
            self.models_ = self._fitted_models(sentences)
            self.vocabulary_ = self.models_[0].vocabulary_
        return self

    def _given_weights(self):
        if self.weights is None:
            return None
        weights = check_array_parameter("weights", self.weights, (len(self.models),))
        if (weights < 0).any() or abs(weights.sum() - 1) > 1e-6:
            raise ValueError(
                f"weights={self.weights} must be nonnegative and add up to 1, but they add up to "
                f"{weights.sum():.6g}."
            )
        return weights / weights.sum()

    def _learnt_weights(self, sentences):
        """The weights under which some sentences are most probable, given the others."""
        every = round(1 / self.held_out)
        own = [x for i, x in enumerate(sentences) if i % every != every - 1]
        others = sentences[every - 1 :: every]
        if not others:
            raise ValueError(
                f"held_out={self.held_out} leaves no sentence of {len(sentences)} to learn weights "
                "from; pass more sentences, a larger share or weights."
            )
        corpus, log_proba = _all_scores(self._fitted_models(own), others)
        log_proba = log_proba[corpus.tokens != BEGIN]

        def step(weights):
            with np.errstate(divide="ignore"):
                joint = log_proba + np.log(weights)
            total = logsumexp(joint, axis=1, keepdims=True)
            return np.exp(joint - total).mean(axis=0), float(total.mean())

        start = np.full(len(self.models), 1 / len(self.models))
        way = _logarithms, _weights
        result = run_em(step, start, max_iter=self.max_iter, tol=self.tol, vector=way)
        self.n_iter_ = len(result.objective)
        if not result.converged:
            warn_unconverged(result, self.max_iter)
        return result.params

    def _fitted_models(self, sentences):
        """The models, fitted to these sentences unless they are frozen."""
        fitted = [
            model.estimator if isinstance(model, FrozenEstimator) else clone(model).fit(sentences)
            for model in self.models
        ]
        tokens = set(fitted[0].vocabulary_)
        for m, model in enumerate(fitted):
            if set(model.vocabulary_) != tokens:
                token = next(iter(set(model.vocabulary_) ^ tokens))
                raise ValueError(
                    f"models[{m}] and models[0] have not the same tokens: {token!r} is in one of "
                    "them only. Give all of them the same analyzer and the same vocabulary."
                )
        return fitted

    def _score(self, X):
        """X as numbers, and the log probability of each of them."""
        check_is_fitted(self)
        corpus, log_proba = _all_scores(self.models_, X)
        with np.errstate(divide="ignore"):
            return corpus, logsumexp(log_proba + np.log(self.weights_), axis=1)

    def predict_proba(self, contexts: Any) -> np.ndarray:
        """Probability of every token after the beginnings of sentences.

        Parameters
        ----------
        contexts : list of sentences
            As for `fit`, but unfinished; an empty one asks for the first token.

        Returns
        -------
        ndarray of shape (n_contexts, n_tokens)
            Column j is of ``vocabulary_[j]``; rows sum to one.
        """
        check_is_fitted(self)
        total = self.weights_[0] * self.models_[0].predict_proba(contexts)
        for weight, model in zip(self.weights_[1:], self.models_[1:], strict=True):
            place = {token: j for j, token in enumerate(model.vocabulary_)}
            columns = [place[token] for token in self.vocabulary_]
            total += weight * model.predict_proba(contexts)[:, columns]
        return total

    @checked(SAMPLE_CONSTRAINTS)
    def sample(
        self,
        n_samples: int = 1,
        random_state: RandomState = None,
        *,
        context: Any = None,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        max_length: int = 1000,
    ) -> list:
        """Draw sentences, which takes time in proportion to the vocabulary for each token.

        Parameters
        ----------
        n_samples : int, default=1
        random_state : int, RandomState or None, default=None
        context : sentence, default=None
        temperature : float, default=1.0
        top_k : int, default=None
        top_p : float, default=None
        max_length : int, default=1000
            All as for :meth:`NGramLM.sample`.

        Returns
        -------
        list of str, of lists of tokens, or of arrays of int
            Of the kind that the first model was fitted to.
        """
        check_is_fitted(self)
        first = self.models_[0]
        begun = [] if context is None else first._search().encoder.tokens(0, context)
        rng = make_rng(self.random_state if random_state is None else random_state)
        drawn: list = []
        while len(drawn) < n_samples:
            n = min(DRAWN_TOGETHER, n_samples - len(drawn))
            sentences = [list(begun) for _ in range(n)]
            self._continue(sentences, rng, (temperature, top_k, top_p), max_length)
            drawn += sentences
        return [first._sentence(tokens) for tokens in drawn]

    def _continue(self, sentences, rng, settings, max_length):
        """Append tokens to the sentences until all have ended."""
        active = sentences
        for _ in range(max_length):
            proba = _changed(self.predict_proba(active), *settings)
            chosen = [self.vocabulary_[rng.choice(len(p), p=p)] for p in proba]
            for sentence, token in zip(active, chosen, strict=True):
                if token != "</s>":
                    sentence.append(token)
            active = [s for s, t in zip(active, chosen, strict=True) if t != "</s>"]
            if not active:
                break


def _logarithms(weights):
    """Weights as a vector without bounds, or None where one of them is zero."""
    return np.log(weights) if weights.all() else None


def _weights(vector, ahead):
    """Weights from a vector; `ahead` are those after a plain step."""
    return softmax(vector)


def _all_scores(models, X):
    """X as numbers of the first model, and what each model gives each token, in columns."""
    scored = [model._score(X) for model in models]
    return scored[0][0], np.column_stack([log_proba for _, log_proba in scored])


def _changed(proba, temperature, top_k, top_p):
    """Distributions without unknown tokens, after a temperature and cuts to the most probable."""
    proba = proba ** (1.0 / temperature)
    proba[:, UNKNOWN] = 0.0
    if top_k is not None or top_p is not None:
        order = np.argsort(-proba, axis=1, kind="stable")
        ranked = np.take_along_axis(proba, order, axis=1)
        ranked[:, slice(top_k or len(ranked[0]), None)] = 0.0
        before = np.cumsum(ranked, axis=1) - ranked
        ranked[before >= (top_p or 1.0) * ranked.sum(axis=1, keepdims=True)] = 0.0
        np.put_along_axis(proba, order, ranked, axis=1)
    return proba / proba.sum(axis=1, keepdims=True)
