"""What scoring, distributions and sampling derive from the parameters of an n-gram model."""

from functools import cached_property

from .._kernels import _ngram

PARTS = ("analyzer", "tokenizer", "lowercase", "vocabulary_", "contexts_", "words_",
         "log_proba_", "log_backoff_")  # fmt: skip


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
