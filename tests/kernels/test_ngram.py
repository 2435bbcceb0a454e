"""The passes over n-grams against plain dicts and loops."""

import sys
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skgen._kernels import _draws, _ngram, _ngram_count, _ngram_smooth, _text
from skgen._kernels._threads import limit_threads

MARKS = 0, 1, 2
NONE = np.empty(0, dtype=np.int32)
NOTHING = NONE, NONE, NONE.astype(np.uint8), NONE, NONE


def sentences(rng, n, n_words=20, longest=12):
    """Tokens 3 and up between the marks 1 and 2, and where each sentence begins."""
    parts = [[1, *rng.integers(3, n_words, rng.integers(0, longest)), 2] for _ in range(n)]
    return np.concatenate(parts).astype(np.int32), np.cumsum([0, *map(len, parts)])


def unigram_bytes(tokens):
    """What the passes look at: which words were seen once."""
    return np.minimum(_text.occurrences(tokens, 20), 255).astype(np.uint8)


def whole(low, carried):
    return low + 128 * np.bincount(carried, minlength=len(low))


def spelled(order, lower, words):
    """The tuple of words of each n-gram of an order."""
    return [(*lower[c], int(w)) for c, w in zip(order[0], order[1], strict=True)]


def assert_ends(ends, grams, counts, tokens):
    """The n-gram that ends at each token, with the mark if it was seen once."""
    for i, end in enumerate(ends.tolist()):
        if end == -1:
            assert 1 in tokens[max(0, i - len(grams[0]) + 2) : i + 1]
            continue
        gram = end if end >= 0 else -2 - end
        assert grams[gram] == tuple(tokens[i + 1 - len(grams[gram]) : i + 1])
        assert (counts[gram] == 1) == (end < 0)


# Few tokens, and so many that tables grow and counts pass a byte; parts that are known beforehand.
SIZES = [(3, 0), (200, 0), (200, 90), (6000, 3000), (20_000, 0)]


@pytest.mark.parametrize(("n", "known"), SIZES)
def test_ngrams_are_counted_as_in_a_dict(n, known, rng):
    tokens, offsets = sentences(rng, n)
    cut = offsets[known]
    lower, old = [(w,) for w in range(20)], (None, None, unigram_bytes(tokens[:cut]))
    low = unigram_bytes(tokens)
    before = _ngram_count.single_words(tokens[:cut], old[2])
    ends = _ngram_count.single_words(tokens[cut:], low)
    for order in (2, 3, 4):
        old = _ngram_count.count_order(tokens[:cut], before, 1, old[2], NOTHING, 0.1)
        found = _ngram_count.count_order(tokens[cut:], ends, 1, low, old, 0.1)
        grams, counts = spelled(found, lower, tokens), whole(*found[2:4])
        assert_ends(ends, grams, counts, tokens[cut:])
        expected = Counter()
        for start, stop in pairwise(offsets):
            sentence = tuple(tokens[start:stop].tolist())
            expected.update(sentence[i : i + order] for i in range(len(sentence) - order + 1))
        assert dict(zip(grams, counts.tolist(), strict=True)) == expected
        assert [lower[s] for s in found[4]] == [gram[1:] for gram in grams]
        lower, low = grams, found[2]


@pytest.mark.parametrize(("n", "known"), SIZES)
def test_the_last_order_is_counted_like_others(n, known, rng):
    """Where tokens and ends are, while the passes go on."""
    tokens, offsets = sentences(rng, n)
    first, second = np.split(tokens, offsets[[known]])
    low = unigram_bytes(first), unigram_bytes(tokens)
    old_ends, ends = (
        _ngram_count.single_words(first, low[0]),
        _ngram_count.single_words(second, low[1]),
    )
    for _ in range(3):
        old = _ngram_count.count_order(first, old_ends, 1, low[0], NOTHING, 0.1)
        lost = second.copy(), ends.copy()
        found = _ngram_count.count_order(second, ends, 1, low[1], old, 0.1)
        again = _ngram_count.count_order(*lost, 1, low[1], old, 0.1, last=True)
        for field, expected in zip(again, found, strict=True):
            assert_array_equal(field, expected)
        assert known or np.shares_memory(again[1], lost[0])
        low = old[2], found[2]


def test_suffixes_are_found_again(rng):
    tokens, _ = sentences(rng, 300)
    ends = _ngram_count.single_words(tokens, unigram_bytes(tokens))
    two = _ngram_count.count_order(tokens, ends, 1, unigram_bytes(tokens), NOTHING, 0.1)
    three = _ngram_count.count_order(tokens, ends, 1, two[2], NOTHING, 0.1)
    found = _ngram_count.find_suffixes(three[0], three[1], two[4], two[:2])
    assert_array_equal(found, three[4])


@pytest.mark.parametrize("n_lower", [1, 700, 1_300_000])
def test_probabilities_are_interpolated_context_by_context(n_lower, rng):
    """As by the formula, also where there are so many contexts that they are taken in parts."""
    n, prior = n_lower * 3 // 2, 0.5
    counts = rng.geometric(0.01, n)
    contexts, suffixes = rng.integers(0, n_lower, (2, n), dtype=np.int32)
    lower = rng.random(n_lower, dtype=np.float32)
    minus, plus = np.array([0, 0.5, 0.9, 1.3]), np.array([0, 1.5, 0.9, 1.3])
    kept, kind = rng.random(n) < 0.7, np.minimum(counts, 3)
    own = counts - minus[kind]
    total = prior + np.bincount(contexts, own + plus[kind], n_lower)
    left = prior + np.bincount(contexts, plus[kind] + np.where(kept, 0, own), n_lower)
    carries = np.maximum(counts // 128 - 1, 0)
    carried = np.repeat(np.arange(n, dtype=np.int32), carries)
    found = _ngram_smooth.interpolate(
        (counts - 128 * carries).astype(np.uint8), carried, contexts, suffixes.copy(), lower,
        minus, plus, prior, kept.view(np.uint8),
    )  # fmt: skip
    seen = np.bincount(contexts, minlength=n_lower) > 0
    weight = np.where(seen, left / total, 1.0)
    assert_allclose(found[0], own / total[contexts] + weight[contexts] * lower[suffixes], rtol=1e-6)
    assert_allclose(found[1], weight, rtol=1e-6)


def random_model(rng, n_words=8):
    """Arrays of a model of four orders, with made-up numbers; many suffixes are not there."""
    tokens, _ = sentences(rng, 100, n_words)
    orders = [(None, None, unigram_bytes(tokens))]
    ends = _ngram_count.single_words(tokens, orders[0][2])
    for _ in range(3):
        orders.append(_ngram_count.count_order(tokens, ends, 1, orders[-1][2], NOTHING, 0.1))
    needed, parts = np.empty(0, dtype=int), []
    for contexts, words, *_ in orders[:0:-1]:  # a context must stay as long as it is one
        kept = np.union1d(needed, np.flatnonzero(rng.random(len(words)) < 0.5))
        if parts:
            parts[0] = np.searchsorted(kept, parts[0][0]), parts[0][1]
        parts.insert(0, (contexts[kept], words[kept]))
        needed = np.unique(contexts[kept])
    starts = np.cumsum([0, n_words, *(len(words) for _, words in parts)])
    own = [part[0] + start for part, start in zip(parts, starts, strict=False)]
    contexts = np.concatenate([np.full(n_words, -1), *own]).astype(np.int32)
    words = np.concatenate([np.arange(n_words), *(words for _, words in parts)]).astype(np.int32)
    log_proba = -rng.random(len(words)) * 5
    log_backoff = np.where(rng.random(starts[3]) < 0.3, 0.0, -rng.random(starts[3]))
    return contexts, words, log_proba.astype(np.float32), log_backoff.astype(np.float32)


def scores_by_definition(model, tokens):
    """The longest n-gram that is there, after the back-off weights of longer contexts."""
    contexts, words, log_proba, log_backoff = model
    spelled = []
    for c, w in zip(contexts.tolist(), words.tolist(), strict=True):
        spelled.append((*(() if c < 0 else spelled[c]), w))
    names = {gram: entry for entry, gram in enumerate(spelled)}
    out = [0.0]
    for i in range(1, len(tokens)):
        context, total = tuple(tokens[max(0, i - 3) : i]), 0.0
        while (*context, tokens[i]) not in names:
            if context in names:
                total += log_backoff[names[context]]
            context = context[1:]
        out.append(total + log_proba[names[(*context, tokens[i])]])
    return out


@pytest.mark.parametrize("n", [0, 1, 5, 700])
def test_scores_are_those_of_the_definition(n, rng):
    model = random_model(rng)
    tokens, offsets = sentences(rng, max(n, 1), 8)
    tokens, offsets = tokens[: offsets[n]], offsets[: n + 1]
    index = _ngram.make_index(*model, 8)
    found, states = _ngram.score(tokens, offsets, index)
    assert len(states) == n
    for s in range(min(n, 20)):
        sentence = slice(offsets[s], offsets[s + 1])
        expected = scores_by_definition(model, tokens[sentence].tolist())
        assert_allclose(found[sentence], expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("power", [1.0, 0.6, 2.0])
def test_own_and_other_words_of_a_state_have_all_of_its_weight(power, rng):
    contexts, words, log_proba, log_backoff = model = random_model(rng)
    index = _ngram.make_index(*model, 8)
    states = np.arange(len(log_backoff) + 1, dtype=np.uint32)
    order = np.argsort(-log_proba, kind="stable")

    def children(power):
        weights = np.exp(power * log_proba.astype(float))
        backoff = np.exp(power * log_backoff.astype(float))
        return _draws.make_children(contexts, words, order, weights, backoff, index)

    backoff = np.exp(log_backoff.astype(float))
    proba = _draws.distributions(states, children(1.0), index, backoff, 8)
    starts, _, _, sums, rest, _ = children(power)
    own = np.where(np.diff(starts) > 0, sums[starts[1:] - 1], 0.0)
    assert_allclose(own + rest, (proba**power).sum(axis=1), rtol=1e-10)


def test_threads_give_the_same_bits(rng):
    index = _ngram.make_index(*random_model(rng), 8)
    tokens, offsets = sentences(rng, 3000, 8)
    results = []
    for n_threads in (1, 3):
        with limit_threads(n_threads):
            results.append(_ngram.score(tokens, offsets, index))
    assert_array_equal(results[0][0], results[1][0])
    assert_array_equal(results[0][1], results[1][1])


def test_an_ngram_that_stands_twice_is_refused(rng):
    contexts, words, log_proba, log_backoff = random_model(rng)
    contexts[9], words[9] = contexts[8], words[8]
    with pytest.raises(ValueError, match="twice"):
        _ngram.make_index(contexts, words, log_proba, log_backoff, 8)


def test_a_vocabulary_grows_beyond_its_first_table(rng):
    texts = [" ".join(f"w{x}" for x in rng.integers(0, 20_000, 200)) for _ in range(300)]
    words = ["<unk>", "<s>", "</s>"]
    tokens, offsets, table = _text.encode(texts, _text.word_table(words), words, True, False, MARKS)
    assert [words[t] for t in tokens[offsets[7] + 1 : offsets[8] - 1]] == texts[7].split()
    assert len(set(words)) == len(words)
    again, _, _ = _text.encode(texts, table, words, False, False, MARKS)
    fresh, _, _ = _text.encode(texts, _text.word_table(words), words, False, False, MARKS)
    assert_array_equal(again, tokens)
    assert_array_equal(fresh, tokens)


def test_a_word_has_one_number_in_texts_of_any_width():
    plain = ["", "a", "aa", "seven77", "eight888", "nine99999", "sixteen161616161", "x" * 40, "ÿé"]
    wide = ["ša", "Ελλάς", "日本語のとても長い文", "ﬀ" * 4, "🎈", "a🎈", "é\u0100", "\ud800"]
    words = ["<unk>", "<s>", "</s>"]
    texts = [" ".join(plain), " ".join(plain + wide[:3]), *wide, " ".join(plain + wide)]
    tokens, offsets, _ = _text.encode(texts, _text.word_table(words), words, True, False, MARKS)
    assert words[3:] == plain[1:] + wide
    spelled = [[words[t] for t in tokens[i + 1 : j - 1]] for i, j in pairwise(offsets)]
    assert spelled == [text.split() for text in texts]
    given, _, _ = _text.encode(texts, _text.word_table(words), words, False, False, MARKS)
    assert_array_equal(given, tokens)


def test_all_blanks_of_python_split():
    blanks = [chr(c) for c in range(sys.maxunicode + 1) if chr(c).isspace()]
    others = [chr(c) for c in range(0x3000) if not chr(c).isspace()]
    words = ["<unk>", "<s>", "</s>"]
    texts = [f"{first}{end}{blank}b{blank}{blank}" for blank in blanks for first in others[::37]
             for end in ("", "c", "123456", "12345678", "日", "🎈")]  # fmt: skip
    tokens, offsets, _ = _text.encode(texts, _text.word_table(words), words, True, False, MARKS)
    spelled = [[words[t] for t in tokens[i + 1 : j - 1]] for i, j in pairwise(offsets)]
    assert spelled == [text.split() for text in texts]


def test_what_is_no_string_is_refused():
    with pytest.raises(TypeError):
        _text.encode([3], _text.word_table([]), [], True, False, MARKS)
