"""What all language models share: scores from the log probabilities of tokens."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, DensityMixin

from .._density import Density
from .._sequences import object_array
from .._validation import check_weights
from ._ngram_text import UNKNOWN


class LanguageModel(DensityMixin, BaseEstimator):
    """A distribution of sentences, token by token.

    A subclass gives ``fit``, ``predict_proba``, ``sample`` and ``_score(X)``: X as a
    :class:`Corpus`, and the log probability of each of its tokens.
    """

    _doc_link_module = Density._doc_link_module
    _doc_link_template = Density._doc_link_template
    _all_or_nothing = Density._all_or_nothing

    def score_samples(self, X: Any) -> np.ndarray:
        """Log probability of each sentence, its end included.

        Parameters
        ----------
        X : list of sentences
            As for `fit`.

        Returns
        -------
        ndarray of shape (n_sentences,)
            Nats.
        """
        corpus, log_proba = self._score(X)
        return np.add.reduceat(log_proba, corpus.offsets[:-1])

    def token_log_proba(self, X: Any) -> np.ndarray:
        """Log probability of each token given those before it in its sentence.

        Parameters
        ----------
        X : list of sentences
            As for `fit`.

        Returns
        -------
        object array of shape (n_sentences,)
            For each sentence an array with one number, in nats, for each token and a last one for
            its end.
        """
        corpus, log_proba = self._score(X)
        bounds = zip(corpus.offsets[:-1] + 1, corpus.offsets[1:], strict=True)
        return object_array([log_proba[start:stop] for start, stop in bounds])

    def score(self, X: Any, y: Any = None, sample_weight: ArrayLike | None = None) -> float:
        """Mean log probability of a token, the ends of sentences among them.

        Parameters
        ----------
        X : list of sentences
            As for `fit`.
        y : ignored
        sample_weight : array-like of shape (n_sentences,), default=None

        Returns
        -------
        float
            Nats per token, which models of different orders can be compared by.
        """
        corpus, log_proba = self._score(X)
        weights = check_weights(sample_weight, len(corpus), "sentence")
        lengths = np.diff(corpus.offsets)
        if weights is None:
            return float(log_proba.sum() / (lengths - 1).sum())
        used = np.repeat(weights > 0, lengths)
        total = log_proba[used] @ np.repeat(weights, lengths)[used]
        return float(total / (weights @ (lengths - 1)))

    def perplexity(self, X: Any, *, unknown: bool = True) -> float:
        """Among how many equally likely tokens each one might as well have been chosen.

        Parameters
        ----------
        X : list of sentences
            As for `fit`.
        unknown : bool, default=True
            Whether tokens count that are not in the vocabulary.

        Returns
        -------
        float
            exp of minus the mean log probability of a token, the ends of sentences among them.
        """
        corpus, log_proba = self._score(X)
        counted = np.ones(len(log_proba), dtype=bool)
        counted[corpus.offsets[:-1]] = False
        if not unknown:
            counted &= corpus.tokens != UNKNOWN
        return float(np.exp(-log_proba[counted].mean()))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        return tags
