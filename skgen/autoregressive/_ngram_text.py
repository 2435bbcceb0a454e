"""Sentences as numbers and back: what a token is, and which ones a model knows.

A sentence of tokens a b is held as ``<s> a b </s>``, its tokens by their places in the vocabulary,
of which the first three are the marks. All sentences stand in one array, one after the other:

tokens    1 7 4 2 1 5 2        <s> a b </s> <s> c </s>
offsets   0       4     7
"""

from collections.abc import Hashable
from numbers import Integral
from typing import NamedTuple

import numpy as np

from .._kernels import _text

UNKNOWN, BEGIN, END = 0, 1, 2
MARKS = ("<unk>", "<s>", "</s>")


class Corpus(NamedTuple):
    """Sentences, each from the mark of its begin to that of its end."""

    tokens: np.ndarray  # (n_tokens,) int32
    offsets: np.ndarray  # (n_sentences + 1,) int64

    def __len__(self):
        return len(self.offsets) - 1

    @property
    def n_words(self):
        """How many tokens there are without the marks of begin and end."""
        return len(self.tokens) - 2 * len(self)

    def without_ends(self):
        """The same sentences unfinished."""
        kept = np.delete(self.tokens, self.offsets[1:] - 1)
        return Corpus(kept, self.offsets - np.arange(len(self.offsets)))


class Encoder:
    """A vocabulary and the way to its numbers.

    Parameters
    ----------
    analyzer, tokenizer, lowercase
        As in :class:`NGramLM`.
    vocabulary : iterable
        All tokens, the marks first.
    """

    def __init__(self, analyzer, tokenizer, lowercase, vocabulary=MARKS):
        self.analyzer, self.tokenizer, self.lowercase = analyzer, tokenizer, lowercase
        self.vocabulary = list(vocabulary)
        self._table = self._numbers = None

    def encode(self, X, *, grow=False):
        """A :class:`Corpus`; unknown tokens are learnt, or become the mark of unknown ones."""
        sentences = as_sentences(X)
        compiled = not callable(self.analyzer) and self.tokenizer is None
        if compiled and self._kind is not Integral and _text.are_texts(sentences):
            return self._encode_text(sentences, grow)
        return self._encode_tokens([self.tokens(s, x) for s, x in enumerate(sentences)], grow)

    @property
    def _kind(self):
        """Whether the tokens that are known are strings, integers or something else."""
        if len(self.vocabulary) == len(MARKS):
            return None
        first = self.vocabulary[len(MARKS)]
        return next((kind for kind in (str, Integral) if isinstance(first, kind)), object)

    def _encode_text(self, texts, grow):
        if self.lowercase:
            texts = [text.lower() for text in texts]
        if self._table is None:
            self._table = _text.word_table(self.vocabulary)
        tokens, offsets, self._table = _text.encode(
            texts, self._table, self.vocabulary, grow, self.analyzer == "char",
            (UNKNOWN, BEGIN, END),
        )  # fmt: skip
        if grow:
            self._numbers = None
        return _without_marks(Corpus(tokens, offsets))

    def tokens(self, s, sentence):
        """The tokens of sentence number s: as they are, or of a text."""
        if not isinstance(sentence, str):
            return _listed(s, sentence)
        if callable(self.analyzer):
            return list(self.analyzer(sentence))
        text = sentence.lower() if self.lowercase else sentence
        if self.analyzer == "char":
            return list(text)
        return list(self.tokenizer(text)) if self.tokenizer is not None else text.split()

    def _encode_tokens(self, sentences, grow):
        numbers, parts, lengths = self._known(), [], [0]
        for s, tokens in enumerate(sentences):
            self._check_tokens(s, tokens)
            if grow:
                self._learn(tokens, numbers)
            parts += [BEGIN, *[numbers.get(token, UNKNOWN) for token in tokens], END]
            lengths.append(len(tokens) + 2)
        if grow:
            self._table = None
        return _without_marks(
            Corpus(np.array(parts, dtype=np.int32), np.cumsum(lengths, dtype=np.int64))
        )

    def _learn(self, tokens, numbers):
        for token in tokens:
            if token not in numbers:
                numbers[token] = len(self.vocabulary)
                self.vocabulary.append(token)

    def _check_tokens(self, s, tokens):
        """Raise where numbers meet words, or where a token cannot be one."""
        kind = self._kind
        for token in tokens:
            if not isinstance(token, Hashable):
                raise TypeError(
                    f"sentence {s} has the token {token!r}, which is no token because it cannot be "
                    "hashed; pass strings or integers."
                )
            if (kind is str and isinstance(token, Integral)) or (
                kind is Integral and isinstance(token, str) and token not in MARKS
            ):
                raise TypeError(
                    f"sentence {s} has the token {token!r}, a {type(token).__name__}, but the "
                    f"tokens of the model are like {self.vocabulary[len(MARKS)]!r}; pass the same "
                    "kind."
                )

    def _known(self):
        if self._numbers is None:
            self._numbers = {token: i for i, token in enumerate(self.vocabulary)}
        return self._numbers

    def joined(self, tokens):
        """Tokens as the text they would come from."""
        return ("" if self.analyzer == "char" else " ").join(map(str, tokens))


def as_sentences(X):
    """X as a list of sentences."""
    if isinstance(X, str):
        raise ValueError("X is one string; pass a list of sentences, e.g. text.splitlines().")
    if hasattr(X, "columns") or getattr(X, "ndim", 1) > 2:
        raise TypeError(
            f"X is a {type(X).__name__}, but must be a list of sentences: strings, lists of "
            "tokens or arrays of integers; of a table, pass the column with the texts."
        )
    sentences = X.tolist() if isinstance(X, np.ndarray) and X.dtype.kind in "UT" else list(X)
    if not sentences:
        raise ValueError("X has no sentence; pass at least one.")
    return sentences


def _listed(s, sentence):
    """The tokens of a sentence that is not a string."""
    if isinstance(sentence, np.ndarray):
        if sentence.ndim != 1 or sentence.dtype.kind == "f":
            raise TypeError(
                f"sentence {s} is an array of shape {sentence.shape} of {sentence.dtype}; pass a "
                "string, a list of tokens or a vector of integers."
            )
        return sentence.tolist()
    try:
        return list(sentence)
    except TypeError:
        raise TypeError(
            f"sentence {s} is {sentence!r}, but must be a string, a list of tokens or an array of "
            "integers."
        ) from None


def _without_marks(corpus):
    """The corpus, which must not hold a mark of begin or end within a sentence."""
    _, n_begins, n_ends = _text.occurrences(corpus.tokens, len(MARKS)).tolist()
    if n_begins + n_ends == 2 * len(corpus):
        return corpus
    marked = (corpus.tokens == BEGIN) | (corpus.tokens == END)
    inside = np.setdiff1d(
        np.flatnonzero(marked), np.r_[corpus.offsets[:-1], corpus.offsets[1:] - 1]
    )
    s = int(np.searchsorted(corpus.offsets, inside[0], side="right")) - 1
    raise ValueError(
        f"sentence {s} contains {MARKS[corpus.tokens[inside[0]]]!r}, which marks the begin or the "
        "end of a sentence and is added by the model; remove it from the text."
    )


def without_rare(corpus, words, min_count):
    """A corpus in which words that are rarer are unknown, and the words that are left."""
    counts = _text.occurrences(corpus.tokens, len(words))
    kept = counts >= min_count
    kept[: len(MARKS)] = True
    numbers = np.where(kept, np.cumsum(kept) - 1, UNKNOWN).astype(np.int32)
    left = [word for word, stays in zip(words, kept, strict=True) if stays]
    return Corpus(numbers[corpus.tokens], corpus.offsets), left
