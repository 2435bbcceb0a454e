"""n-gram language models."""

from collections.abc import Iterable
from functools import partial
from itertools import pairwise
from numbers import Integral, Real
from os import PathLike
from typing import Any, Self

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval, StrOptions, validate_params
from sklearn.utils.validation import check_is_fitted

from .._density import RandomState
from .._random import make_rng
from .._validation import check_memory
from ._ngram_arpa import read_arpa, write_arpa
from ._ngram_base import LanguageModel
from ._ngram_counts import RULES, Parameters, count, orders_of, parameters, smooth
from ._ngram_search import Search
from ._ngram_text import MARKS, Encoder, without_rare

MOST_ORDERS = 60  # of which the kernels can keep a path
SAMPLE_CONSTRAINTS: dict = {
    "n_samples": [Interval(Integral, 1, None, closed="left")],
    "temperature": [Interval(Real, 0, None, closed="neither")],
    "top_k": [Interval(Integral, 1, None, closed="left"), None],
    "top_p": [Interval(Real, 0, 1, closed="right"), None],
    "max_length": [Interval(Integral, 1, None, closed="left")],
}
checked = partial(validate_params, prefer_skip_nested_validation=True)


class NGramLM(LanguageModel):
    r"""A language model of n-grams.

    .. math:: p(w) = \prod_t p(w_t | w_{t-n+1}, ..., w_{t-1})

    Parameters
    ----------
    order : int, default=5
        Length :math:`n` of the longest n-grams, up to 60.
    smoothing : {"modified-kneser-ney", "witten-bell", "absolute", "laplace"}
        How the probability of what was not seen is found. All but "laplace" mix each order with the
        one below; "laplace" adds one to each count after the whole context, and is poor.
    analyzer : {"word", "char"} or callable, default="word"
        What the tokens of a string are: what stands between blanks, single characters, or what the
        callable makes of the string.
    tokenizer : callable, default=None
        Cuts a string into words in place of splitting at blanks.
    lowercase : bool, default=False
        Whether strings are put in lower case first.
    min_count : int, default=1
        Tokens that are rarer in X become unknown ones.
    vocabulary : iterable of str or of int, default=None
        All tokens that the model shall know; None for those of X.
    prune : int or sequence of int, default=0
        Leave out n-grams that were seen at most so often: of two tokens and more, or one number for
        each order, the last one for all longer ones, such as (0, 0, 1).
    random_state : int, RandomState or None, default=None
        For `sample`.

    Attributes
    ----------
    vocabulary_ : ndarray of shape (n_tokens,), object
        All tokens. The first three are ``"<unk>"`` for tokens that are not known, ``"<s>"``, which
        begins each sentence, and ``"</s>"``, which ends it.
    n_ngrams_ : ndarray of shape (order,)
        n-grams of each order.
    contexts_, words_ : ndarray of shape (n_entries,), int32
        The n-grams of all orders one after the other: each is the one of all its tokens but the
        last, at ``contexts_``, and the token with the place ``words_`` in the vocabulary. The first
        ones are single tokens in the order of the vocabulary, with context -1.
    counts_ : ndarray of shape (n_entries,), int32
        How often each was seen, or None for a model from a file. The model keeps a byte of each
        and what large ones are more; the array is made when it is asked for.
    log_proba_ : ndarray of shape (n_entries,), float32
        Natural logarithm of the probability of the last token after the others.
    log_backoff_ : ndarray of shape (n_entries of orders below the highest,), float32
        Natural logarithm of the weight with which the n-gram as a context leaves tokens that were
        not seen after it to the next shorter context.
    discounts_ : ndarray of shape (order, 3)
        What was taken off counts of 1, 2 and 3 or more.

    See Also
    --------
    NGramMixture : Several language models in one.
    GenerativeClassifier : With a model for each class, classifies text.

    Notes
    -----
    A sentence is scored with its end. A token that is not in the vocabulary is scored as the mark
    of unknown ones, which has the probability of one word that the vocabulary has and X has not.

    Modified Kneser-Ney smoothing and the treatment of unknown words and of the begin of sentences
    are those of KenLM, whose probabilities it has to six digits. Where the counts of counts give no
    discounts, as for letters, these are 0.5, 1 and 1.5.

    Training is one pass over the tokens for each order, scoring one for all orders, with memory
    accesses that are asked for ahead. The model has 13 bytes for an n-gram of the highest order and
    17 for the others. Training to order 5 on much text takes less than 16 for each at its peak,
    beside the text and four bytes for each of its tokens. Of short n-grams there are fewer, and a
    table of those that come again, of 32 bytes for each, is what takes most.

    The first call that scores makes a hash table of 32 bytes an n-gram, the first draw makes
    others; they are not pickled.

    References
    ----------
    Chen, Goodman (1998). An empirical study of smoothing techniques for language modeling.
    Heafield, Pouzyrevsky, Clark, Koehn (2013). Scalable modified Kneser-Ney language model
    estimation. ACL.

    Examples
    --------
    >>> from skgen import NGramLM
    >>> from skgen.datasets import load_kjv
    >>> bible = load_kjv()
    >>> model = NGramLM(order=3).fit(bible.train)
    >>> round(model.perplexity(bible.test), 4)
    47.0478
    >>> model.sample(1, random_state=0, context="in the beginning")
    ['in the beginning ...']
    >>> proba = model.predict_proba(["in the beginning god"])[0]
    >>> model.vocabulary_[proba.argsort()[:-4:-1]].tolist()
    ['created', ',', '.']
    """

    _parameter_constraints: dict = {
        "order": [Interval(Integral, 1, MOST_ORDERS, closed="both")],
        "smoothing": [StrOptions(set(RULES))],
        "analyzer": [StrOptions({"word", "char"}), callable],
        "tokenizer": [callable, None],
        "lowercase": ["boolean"],
        "min_count": [Interval(Integral, 1, None, closed="left")],
        "vocabulary": [Iterable, None],
        "prune": [Interval(Integral, 0, None, closed="left"), "array-like"],
    }

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
            orders = count(corpus, len(words), self.order)
            del corpus  # smoothing needs the memory
            self._estimate(orders, words)
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
        if self._counts is None or len(self.n_ngrams_) != self.order:
            raise ValueError(
                f"the model has no counts for order={self.order}, because it was read from a file "
                "or fitted with another order; use fit."
            )
        with self._all_or_nothing():
            encoder = self._encoder(self.vocabulary_)
            corpus = encoder.encode(X, grow=self.vocabulary is None)
            words = encoder.vocabulary
            orders = count(corpus, len(words), self.order, orders_of(self._params()))
            del corpus
            self._estimate(orders, words)
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
        self.contexts_, self.words_, self._counts = params.contexts, params.words, params.counts
        self.log_proba_, self.log_backoff_ = params.log_proba, params.log_backoff

    @property
    def counts_(self) -> np.ndarray | None:
        """How often each n-gram was seen."""
        return None if self._counts is None else self._counts.whole()

    def _params(self):
        return Parameters(
            self.n_ngrams_,
            self.contexts_,
            self.words_,
            self._counts,
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
        if len(read.sizes) > MOST_ORDERS:
            raise ValueError(
                f"{path} has n-grams of order {len(read.sizes)}, but NGramLM knows no more than "
                f"{MOST_ORDERS}."
            )
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
        begun = search.encoder.encode(contexts).without_ends()
        check_memory(
            8 * len(begun) * search.n_words,
            f"the probabilities of {search.n_words} tokens after {len(begun)} contexts",
            "pass fewer contexts at a time",
        )
        return search.distributions(begun)

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
        words, offsets = search.draw(begun, n_samples, rng, temperature, top, max_length)
        tokens = self.vocabulary_[words].tolist()
        return [self._sentence(first + tokens[i:j]) for i, j in pairwise(offsets.tolist())]

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


def _container(X):
    """What kind of sentences these are: text, lists, or arrays."""
    first = next(iter(X))
    if isinstance(first, str):
        return "text"
    return "array" if isinstance(first, np.ndarray) else "list"
