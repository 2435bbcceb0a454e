"""What scoring, distributions and sampling derive from the parameters of an n-gram model."""

from functools import cached_property
from typing import NamedTuple

import numpy as np

from .._kernels import _draws, _ngram
from ._ngram_text import END, UNKNOWN

PARTS = ("analyzer", "tokenizer", "lowercase", "vocabulary_", "contexts_", "words_",
         "log_proba_", "log_backoff_")  # fmt: skip


class Children(NamedTuple):
    """The words that were seen after each state, for one temperature."""

    power: float  # one by the temperature
    arrays: tuple
    backoff: np.ndarray  # (n_contexts,) powers of the back-off weights


class Search:
    """Tables made from a model when they are first needed, and only read afterwards.

    Parameters
    ----------
    model : NGramLM
    """

    def __init__(self, model):
        self._parts = [getattr(model, name) for name in PARTS]
        self.n_words = len(model.vocabulary_)
        self.encoder = model._encoder(model.vocabulary_)

    def belongs_to(self, model):
        """Whether this was made from the parameters that the model has now."""
        return all(
            mine is getattr(model, name) for mine, name in zip(self._parts, PARTS, strict=True)
        )

    @cached_property
    def index(self):
        """What looks up n-grams."""
        return _ngram.make_index(*self._parts[4:], self.n_words)

    def score(self, corpus):
        """Log probability of each token, and the state in which each sentence ends."""
        return _ngram.score(corpus.tokens, corpus.offsets, self.index)

    def distributions(self, corpus):
        """Probability of every word after each unfinished sentence."""
        states, children = self.score(corpus)[1], self._plain_children
        return _draws.distributions(
            states, children.arrays, self.index, children.backoff, self.n_words
        )

    def draw(self, corpus, n, rng, temperature, top, max_length):
        """Endings of one unfinished sentence, as words one after the other and offsets."""
        state, children = int(self.score(corpus)[1][0]), self._children(1.0 / temperature)
        return _draws.draw_sentences(
            state, n, END, max_length, children.arrays, self.index,
            int(rng.integers(2**64, dtype=np.uint64)), children.backoff, top,
        )  # fmt: skip

    def _children(self, power):
        """Children to draw from, which are kept until those for another power are asked for."""
        last = self.__dict__.get("_last_children")
        if last is None or last.power != power:
            last = self._last_children = self._make_children(power, unknown=False)
        return last

    @cached_property
    def _plain_children(self):
        return self._make_children(1.0, unknown=True)

    @cached_property
    def _descending(self):
        """The entries from the most probable down."""
        return np.argsort(-self._parts[6], kind="stable")

    def _make_children(self, power, unknown):
        contexts, words, log_proba, log_backoff = self._parts[4:]
        weights = np.exp(power * log_proba.astype(np.float64))
        if not unknown:  # what is unknown cannot be drawn
            weights[words == UNKNOWN] = 0.0
        backoff = np.exp(power * log_backoff.astype(np.float64))
        arrays = _draws.make_children(
            contexts, words, self._descending, weights, backoff, self.index
        )
        return Children(power, arrays, backoff)
