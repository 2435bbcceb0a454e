"""n-gram language models."""

from collections.abc import Iterable
from numbers import Integral, Real
from os import PathLike
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, DensityMixin, _fit_context
from sklearn.utils._param_validation import Interval, StrOptions, validate_params
from sklearn.utils.validation import check_is_fitted

from .._density import Density, RandomState, make_rng
from .._sequences import object_array
from .._validation import check_weights
from ._ngram_arpa import read_arpa, write_arpa
from ._ngram_counts import RULES, Parameters, count, orders_of, parameters, smooth
from ._ngram_search import Search
from ._ngram_text import MARKS, UNKNOWN, Encoder, without_rare


class NGramLM(DensityMixin, BaseEstimator):
    r"""A language model of n-grams: each token given the ones before it, up to :math:`n - 1`."""

    _parameter_constraints: dict = {
        "order": [Interval(Integral, 1, None, closed="left")],
        "smoothing": [StrOptions(set(RULES))],
        "analyzer": [StrOptions({"word", "char"}), callable],
        "tokenizer": [callable, None],
        "lowercase": ["boolean"],
        "min_count": [Interval(Integral, 1, None, closed="left")],
        "vocabulary": [Iterable, None],
        "prune": [Interval(Integral, 0, None, closed="left"), "array-like"],
    }
    _doc_link_module = Density._doc_link_module
    _doc_link_template = Density._doc_link_template
    _all_or_nothing = Density._all_or_nothing

    def __init__(
        self,
        order=5,
        *,
        smoothing="modified-kneser-ney",
        analyzer="word",
        tokenizer=None,
        lowercase=False,
        min_count=1,
        vocabulary=None,
        prune=0,
        random_state=None,
    ) -> None:
        self.order = order
        self.smoothing = smoothing
        self.analyzer = analyzer
        self.tokenizer = tokenizer
        self.lowercase = lowercase
        self.min_count = min_count
        self.vocabulary = vocabulary
        self.prune = prune
        self.random_state = random_state

    # ---- fitting -----------------------------------------------------------------------------

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Count the n-grams of X and smooth the counts.

        Parameters
        ----------
        X : list of str, of lists of tokens, or of arrays of int; or an array of such
            One entry for each sentence.
        y : ignored

        Returns
        -------
        self
        """
        with self._all_or_nothing():
            encoder = self._encoder(self._first_vocabulary())
            corpus = encoder.encode(X, grow=self.vocabulary is None)
            if corpus.n_words == 0:
                raise ValueError(
                    f"X has no tokens in its {len(corpus)} sentences; pass some text that is more "
                    "than blanks."
                )
            self._container = _container(X)
            words = encoder.vocabulary
            if self.min_count > 1 and self.vocabulary is None:
                corpus, words = without_rare(corpus, words, self.min_count)
            self._estimate(count(corpus, len(words), self.order), words)
        return self

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Add the n-grams of X to those counted so far.

        Parameters
        ----------
        X : list of sentences
            As for `fit`. Every call takes time in proportion to the n-grams known by then, so that
            large parts are better than small ones.
        y : ignored

        Returns
        -------
        self
            The model that `fit` would give for all sentences together.
        """
        if self.min_count > 1 or any(self._thresholds()):
            raise ValueError(
                f"partial_fit adds counts, of which min_count={self.min_count} and "
                f"prune={self.prune} leave some out; set them to 1 and 0."
            )
        if not hasattr(self, "vocabulary_"):
            return self.fit(X)
        if self.counts_ is None or len(self.n_ngrams_) != self.order:
            raise ValueError(
                f"the model has no counts for order={self.order}, because it was read from a file "
                "or fitted with another order; use fit."
            )
        with self._all_or_nothing():
            encoder = self._encoder(self.vocabulary_)
            corpus = encoder.encode(X, grow=self.vocabulary is None)
            words, known = encoder.vocabulary, orders_of(self._params())
            self._estimate(count(corpus, len(words), self.order, known), words)
        return self

    def _first_vocabulary(self):
        """The marks, and the tokens that are given."""
        if self.vocabulary is None:
            return list(MARKS)
        given = [token for token in self.vocabulary if token not in MARKS]
        if len(set(given)) < len(given):
            twice = next(token for token in given if given.count(token) > 1)
            raise ValueError(f"vocabulary has {twice!r} twice; name each token once.")
        return [*MARKS, *given]

    def _encoder(self, vocabulary):
        return Encoder(self.analyzer, self.tokenizer, self.lowercase, vocabulary)

    def _estimate(self, orders, words):
        """Take parameters from the counts."""
        prune = self._thresholds()
        smoothed = smooth(orders, self.smoothing, prune)
        self.discounts_ = np.array([now.discounts for now in smoothed])
        self._store(parameters(orders, smoothed, prune), words)

    def _thresholds(self):
        """For each order, the counts up to which n-grams are pruned."""
        given = [0, self.prune] if isinstance(self.prune, Integral) else list(self.prune)
        thresholds = (given + given[-1:] * self.order)[: self.order]
        if thresholds[0] != 0 or thresholds != sorted(thresholds):
            raise ValueError(
                f"prune={self.prune} must begin with 0, as words are left out by min_count, and "
                "never descend, as no n-gram can stay without its parts; e.g. (0, 0, 1)."
            )
        return thresholds

    def _store(self, params, words):
        vocabulary = np.empty(len(words), dtype=object)
        vocabulary[:] = words
        self.vocabulary_, self.n_ngrams_ = vocabulary, params.sizes
        self.contexts_, self.words_, self.counts_ = params.contexts, params.words, params.counts
        self.log_proba_, self.log_backoff_ = params.log_proba, params.log_backoff

    def _params(self):
        return Parameters(
            self.n_ngrams_,
            self.contexts_,
            self.words_,
            self.counts_,
            self.log_proba_,
            self.log_backoff_,
        )

    @classmethod
    def from_arpa(cls, path: str | PathLike, **params: Any) -> Self:
        """Read a model from an ARPA file, as KenLM and SRILM write them.

        Parameters
        ----------
        path : str or path-like
            Compressed if the name ends in .gz.
        **params
            Arguments of the constructor other than `order`, such as ``analyzer``.

        Returns
        -------
        NGramLM
            Without counts: it scores, predicts and samples, but `partial_fit` cannot add to it.

        Raises
        ------
        ValueError
            Where the file is broken, with the line and what is wrong there.
        """
        blanks = params.get("analyzer") == "char"
        words, read = read_arpa(path, blanks=blanks)
        model = cls(order=len(read.sizes), **params)
        model._store(read, words)
        return model

    def to_arpa(self, path: str | PathLike) -> None:
        """Write the model to an ARPA file, which KenLM, SRILM and others read.

        Parameters
        ----------
        path : str or path-like
            Compressed if the name ends in .gz. A token that is a blank is written as U+2581.
        """
        check_is_fitted(self)
        write_arpa(path, self._params(), self.vocabulary_)

    # ---- scoring -----------------------------------------------------------------------------

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
        """exp of minus the mean log probability of a token: as if among so many equally likely.

        Parameters
        ----------
        X : list of sentences
            As for `fit`.
        unknown : bool, default=True
            Whether tokens count that are not in the vocabulary.

        Returns
        -------
        float
        """
        corpus, log_proba = self._score(X)
        counted = np.ones(len(log_proba), dtype=bool)
        counted[corpus.offsets[:-1]] = False
        if not unknown:
            counted &= corpus.tokens != UNKNOWN
        return float(np.exp(-log_proba[counted].mean()))

    # ---- distributions and draws -------------------------------------------------------------

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
        search = self._search()
        return search.distributions(search.encoder.encode(contexts).without_ends())

    @validate_params(
        {
            "n_samples": [Interval(Integral, 1, None, closed="left")],
            "temperature": [Interval(Real, 0, None, closed="neither")],
            "top_k": [Interval(Integral, 1, None, closed="left"), None],
            "top_p": [Interval(Real, 0, 1, closed="right"), None],
            "max_length": [Interval(Integral, 1, None, closed="left")],
        },
        prefer_skip_nested_validation=True,
    )
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
        """Draw sentences.

        Parameters
        ----------
        n_samples : int, default=1
        random_state : int, RandomState or None, default=None
            None draws from the estimator's own ``random_state``.
        context : sentence, default=None
            How each of them begins: a string, a list of tokens or an array of int.
        temperature : float, default=1.0
            Probabilities are taken to the power 1 / temperature: below one, likely tokens become
            likelier yet.
        top_k : int, default=None
            Draw each token among so many of the most probable ones.
        top_p : float, default=None
            Draw each token among the fewest that have this share of the probability together; with
            `top_k`, of the probability of those.
        max_length : int, default=1000
            Tokens after the context at which a sentence that does not end is cut.

        Returns
        -------
        list of str, of lists of tokens, or of arrays of int
            Whole sentences of the kind that `fit` was given, the context included. Tokens are drawn
            given that they are in the vocabulary.
        """
        search = self._search()
        first = [] if context is None else search.encoder.tokens(0, context)
        begun = search.encoder.encode([first]).without_ends()
        top = None if top_k is None and top_p is None else (top_k or search.n_words, top_p or 1.0)
        rng = make_rng(self.random_state if random_state is None else random_state)
        drawn = search.draw(begun, n_samples, rng, temperature, top, max_length)
        return [self._sentence(first + self.vocabulary_[words].tolist()) for words in drawn]

    def _sentence(self, tokens):
        """Tokens as a sentence of the kind that fit was given."""
        kind = getattr(self, "_container", "text")
        if kind == "text":
            return self._search().encoder.joined(tokens)
        return np.array(tokens) if kind == "array" else tokens

    def _score(self, X):
        """X as numbers, and the log probability of each of them."""
        search = self._search()
        corpus = search.encoder.encode(X)
        return corpus, search.score(corpus)[0]

    def _search(self):
        """What is derived from the parameters, made anew where they are others."""
        check_is_fitted(self)
        cached = self.__dict__.get("_cached_search")
        if cached is None or not cached.belongs_to(self):
            cached = self._cached_search = Search(self)
        return cached

    def __getstate__(self):
        state = super().__getstate__()
        return {key: value for key, value in state.items() if key != "_cached_search"}

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        return tags


def _container(X):
    """What kind of sentences these are: text, lists, or arrays."""
    first = next(iter(X))
    if isinstance(first, str):
        return "text"
    return "array" if isinstance(first, np.ndarray) else "list"
