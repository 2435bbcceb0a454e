"""Counts of n-grams, and probabilities from them by each kind of smoothing."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from .._kernels import _ngram_count, _ngram_smooth, _text
from .._kernels._scratch import cut
from ._ngram_text import BEGIN

# Discounts where the counts of counts give none, as for letters, each of which is frequent.
FALLBACK_DISCOUNTS = (0.5, 1.0, 1.5)
CARRY = _ngram_count.CARRIED
# About how many n-grams that may come again are different: of two tokens, and of more.
SHARES = 1 / 6, 3 / 8
BLOCK = 1 << 14  # logarithms taken at a time, in double precision
MOVED = 1 << 20  # numbers


class Counts(NamedTuple):
    """Counts of a byte each: CARRY is to be added as often as a place is in the list.

    What is less than CARRY stands in the byte; other bytes are CARRY at least.
    """

    low: np.ndarray  # (n_ngrams,) uint8
    carried: np.ndarray  # (n_carried,) int32, ascending

    @classmethod
    def of(cls, counts):
        """An array of integers in this form."""
        carries = np.maximum(counts // CARRY - 1, 0)
        places = np.arange(len(counts), dtype=np.int32)
        return cls((counts - CARRY * carries).astype(np.uint8), np.repeat(places, carries))

    def whole(self):
        """The counts as an array of int32."""
        counts = self.low.astype(np.int32)
        np.add.at(counts, self.carried, np.int32(CARRY))
        return counts

    def part(self, start, stop):
        """Those from one place to another."""
        first, last = np.searchsorted(self.carried, (start, stop))
        return Counts(self.low[start:stop], self.carried[first:last] - np.int32(start))

    def kept(self, kept):
        """Those that are to stay, as a mask says."""
        places = np.cumsum(kept, dtype=np.int32) - 1
        return Counts(self.low[kept], places[self.carried[kept[self.carried]]])


NO_COUNTS = Counts(np.empty(0, dtype=np.uint8), np.empty(0, dtype=np.int32))


class Order(NamedTuple):
    """The n-grams of one order, each the number of its context in the order below and a word."""

    contexts: np.ndarray  # (n_ngrams,) int32
    words: np.ndarray  # (n_ngrams,) int32
    counts: Counts
    suffixes: np.ndarray  # (n_ngrams,) int32, of each n-gram in the order below

    def __len__(self):
        return len(self.words)


NOTHING = Order(NO_COUNTS.carried, NO_COUNTS.carried, NO_COUNTS, NO_COUNTS.carried)


class Smoothed(NamedTuple):
    """Probabilities of the n-grams of one order, and the back-off weights of their contexts."""

    log_proba: np.ndarray  # (n_ngrams,) float32
    log_left: np.ndarray  # (n_lower,) float32, of the contexts, which are of the order below
    discounts: np.ndarray  # (3,)


def unigrams(counts):
    """The lowest order, of every word of the vocabulary."""
    words = np.arange(len(counts.low), dtype=np.int32)
    none = np.full(len(words), -1, dtype=np.int32)
    return Order(none, words, counts, none.copy())


def count(corpus, n_words, order, known=None):
    """All n-grams up to an order, as a list of :class:`Order`.

    Parameters
    ----------
    corpus : Corpus
        It is lost: the n-grams of the highest order take its memory.
    n_words : int
        Size of the vocabulary.
    order : int
    known : iterator of Order, default=None
        Counts to which those of the corpus are added; the vocabulary may have grown since.
    """
    if len(corpus.tokens) >= 2**31:
        raise MemoryError(
            f"X has {len(corpus.tokens)} tokens, more than one pass can number; use partial_fit."
        )
    counts = _text.occurrences(corpus.tokens, n_words)
    known = iter(()) if known is None else known
    least = next(known, NOTHING).counts.whole()
    counts[: len(least)] += least
    orders = [unigrams(Counts.of(counts))]
    ends = _ngram_count.single_words(corpus.tokens, orders[0].counts.low)
    for n in range(1, order):
        contexts, words, before, suffixes = next(known, NOTHING)
        contexts, words, low, carried, suffixes = _ngram_count.count_order(
            corpus.tokens, ends, BEGIN, orders[-1].counts.low,
            (contexts, words, *before, suffixes), SHARES[n > 1], last=n == order - 1,
        )  # fmt: skip
        orders.append(Order(contexts, words, Counts(low, carried), suffixes))
    if (size := sum(map(len, orders))) >= 2**31:
        raise MemoryError(
            f"X has {size} n-grams of order={order} and below, more than have numbers; use a lower "
            "order."
        )
    return orders


def smooth(orders, smoothing, prune):
    """Probabilities of all orders, as a list of :class:`Smoothed`.

    Parameters
    ----------
    orders : list of Order
        Their suffixes are lost: the probabilities take their memory.
    smoothing : str
        A key of ``RULES``.
    prune : sequence of int
        For each order, n-grams that were seen at most so often leave their part to the lower one.
    """
    smoothed = []
    for n, now in enumerate(orders):
        above = orders[n + 1] if n + 1 < len(orders) else None
        counts, minus, plus, prior = RULES[smoothing](now, above, len(orders[0]) - 1)
        if n == 0:
            proba, left = _unigram_proba(counts, minus, plus, prior), np.ones(1, np.float32)
        else:
            lower = smoothed[-1].log_proba
            kept = now.counts.whole() > prune[n] if prune[n] else np.empty(0, dtype=bool)
            proba, left = _ngram_smooth.interpolate(
                *counts, now.contexts, now.suffixes, lower, minus, plus, prior, kept.view(np.uint8)
            )
            _take_logarithms(lower)
        smoothed.append(Smoothed(proba, left, minus[1:]))
        _take_logarithms(left)
    _take_logarithms(proba)
    return smoothed


def _take_logarithms(values):
    """Replace values of single precision, which is that of the tables for scoring."""
    with np.errstate(divide="ignore"):
        for start in range(0, len(values), BLOCK):
            part = values[start : start + BLOCK]
            part[:] = np.log(part, dtype=np.float64)


def _unigram_proba(counts, minus, plus, prior):
    """The lowest order, interpolated with the uniform distribution."""
    counts = counts.whole()
    counts[BEGIN] = 0  # never predicted
    kind = np.minimum(counts, 3)
    own = counts - minus[kind]
    left = prior + plus[kind].sum()
    proba = (own + left / (len(counts) - 1)) / (own.sum() + left)
    proba[BEGIN] = 0.0
    return proba.astype(np.float32)


# ---- rules: counts, what is taken from each, what each gives to the lower order, prior -------


def _modified_kneser_ney(now, above, n_predicted):
    """Three discounts; below the highest order, in how many different contexts a word was seen."""
    counts = now.counts
    if above is not None:
        counts = Counts(*_ngram_smooth.adjusted_counts(*counts, above.suffixes))
    discounts = np.array([0.0, *_discounts(_counts_of_counts(counts, now))])
    return counts, discounts, discounts, 0.0


def _absolute(now, above, n_predicted):
    """One discount, of the counts as they are."""
    n = _counts_of_counts(now.counts, now)
    discount = n[1] / (n[1] + 2 * n[2]) if n[1] and n[2] else FALLBACK_DISCOUNTS[0]
    discounts = np.array([0.0, discount, discount, discount])
    return now.counts, discounts, discounts, 0.0


def _witten_bell(now, above, n_predicted):
    """As much for new words as there were different words after the context."""
    return now.counts, np.zeros(4), np.array([0.0, 1.0, 1.0, 1.0]), 0.0


def _laplace(now, above, n_predicted):
    """Every word once more after each whole context; shorter ones tell nothing."""
    counts = now.counts
    if above is not None:
        none = Counts(np.zeros_like(counts.low), NO_COUNTS.carried)
        begins = _ngram_smooth.adjusted_counts(*none, above.suffixes)[0] == 0
        counts = Counts(counts.low * begins, counts.carried[begins[counts.carried]])
    return counts, np.zeros(4), np.zeros(4), float(n_predicted)


RULES = {
    "modified-kneser-ney": _modified_kneser_ney,
    "witten-bell": _witten_bell,
    "absolute": _absolute,
    "laplace": _laplace,
}


def _counts_of_counts(counts, now):
    """How many n-grams have count 0 to 4; the last place has all others."""
    few = _ngram_smooth.counts_of_counts(counts.low)
    if len(now) and now.contexts[0] < 0:  # the begin of a sentence is never predicted
        few[min(counts.low[BEGIN], 5)] -= 1
    return few


def _discounts(n):
    """Chen and Goodman (1998), equation 26, from the counts of counts."""
    if not n[1:4].all():
        return FALLBACK_DISCOUNTS
    share = n[1] / (n[1] + 2 * n[2])
    discounts = [k - (k + 1) * share * n[k + 1] / n[k] for k in (1, 2, 3)]
    usable = all(0 <= d <= k for k, d in enumerate(discounts, start=1))
    return discounts if usable else FALLBACK_DISCOUNTS


# ---- the parameters of a model ---------------------------------------------------------------


class Parameters(NamedTuple):
    """The n-grams of all orders one after the other, from the unigrams of all words up."""

    sizes: np.ndarray  # (order,) intp, how many there are of each order
    contexts: np.ndarray  # (n_entries,) int32, the entry of all words but the last, or -1
    words: np.ndarray  # (n_entries,) int32, the last word
    counts: Counts | None  # of the n_entries
    log_proba: np.ndarray  # (n_entries,) float32
    log_backoff: np.ndarray  # (n_entries below the highest order,) float32


def parameters(orders, smoothed, prune):
    """Parameters from counts and probabilities, without the n-grams that are pruned.

    Both lists are emptied on the way: each array goes as soon as it has found its place.
    """
    contexts, words = [now.contexts for now in orders], [now.words for now in orders]
    counts, log_proba = [now.counts for now in orders], [now.log_proba for now in smoothed]
    log_left = [now.log_left for now in smoothed[1:]]
    orders.clear()
    smoothed.clear()
    for n in range(1, len(words)):
        if prune[n]:
            kept = counts[n].whole() > prune[n]
            counts[n] = counts[n].kept(kept)
            for parts in (contexts, words, log_proba):
                parts[n] = parts[n][kept]
            if n + 1 < len(words):
                contexts[n + 1] = (np.cumsum(kept, dtype=np.int32) - 1)[contexts[n + 1]]
                log_left[n] = log_left[n][kept]
    sizes = np.array([len(part) for part in words], dtype=np.intp)
    starts = np.cumsum([0, *sizes], dtype=np.int32)
    for n in range(2, len(words)):
        contexts[n] += starts[n - 1]
    carried = [own.carried + start for own, start in zip(counts, starts, strict=False)]
    low = [own.low for own in counts]
    counts.clear()
    counts = Counts(_joined(low), _joined(carried))
    log_left.append(np.empty(0, dtype=np.float32))
    contexts, words, log_proba = map(_joined, (contexts, words, log_proba))
    return Parameters(sizes, contexts, words, counts, log_proba, _joined(log_left))


def _joined(parts):
    """The parts one after the other; the memory of what has been copied is given back."""
    stop = sum(map(len, parts))
    joined = np.empty(stop, dtype=parts[0].dtype)
    while parts:
        part = parts.pop()
        while len(part):
            left = max(0, len(part) - MOVED)
            start = stop - len(part) + left
            joined[start:stop] = part[left:]
            part, stop = cut(part, left), start
    return joined


def orders_of(params):
    """The counts from which parameters were made: an :class:`Order` for each, when it is needed."""
    starts, lower = np.cumsum([0, *params.sizes]), None
    for n, (start, stop) in enumerate(pairwise(starts)):
        words, counts = params.words[start:stop], params.counts.part(start, stop)
        if lower is None:
            lower = unigrams(counts)
        else:
            contexts = params.contexts[start:stop] - np.int32(starts[n - 1])
            suffixes = words
            if n > 1:
                suffixes = _ngram_count.find_suffixes(contexts, words, lower.suffixes, lower[:2])
            lower = Order(contexts, words, counts, suffixes)
        yield lower
