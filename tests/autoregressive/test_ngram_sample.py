"""Sentences are drawn from the model's own distribution, as temperature and cuts change it."""

from collections import Counter

import numpy as np
import pytest
from scipy import stats

from skgen import NGramLM

TEXT = ["a b a b c", "a b b", "c a b a", "b", "a a c b a b", "c c a", "b a c a b a b c", "d a b"]


def changed(proba, temperature=1.0, top_k=None, top_p=None):
    """The distribution after temperature, then top_k, then top_p, by sorting."""
    proba = proba ** (1 / temperature) * (np.arange(len(proba)) > 0)  # never <unk>
    order = np.argsort(-proba, kind="stable")[:top_k]
    kept = proba[order] / proba[order].sum()
    if top_p is not None:
        n = int(np.searchsorted(np.cumsum(kept), top_p * (1 - 1e-12))) + 1
        order, kept = order[:n], kept[:n]
    out = np.zeros_like(proba)
    out[order] = kept / kept.sum()
    return out


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"temperature": 0.5},
        {"temperature": 3.0},
        {"top_k": 3},
        {"top_p": 0.7},
        {"top_k": 4, "top_p": 0.6, "temperature": 1.5},
    ],
    ids=str,
)
@pytest.mark.parametrize("smoothing", ["modified-kneser-ney", "witten-bell"])
@pytest.mark.parametrize("context", ["", "c a", "f f a b", "b b b b"])
def test_draws_have_the_distribution_of_the_next_token(context, smoothing, settings, rng):
    words = rng.choice(list("abcdef"), p=np.arange(1, 7) / 21, size=2000)
    text = [" ".join(part) for part in np.split(words, np.cumsum(rng.integers(0, 9, 400)))]
    model = NGramLM(4, smoothing=smoothing).fit(text)
    n, begun = 20_000, context.split()
    drawn = model.sample(n, 0, context=begun, max_length=1, **settings)
    found = Counter(s.split()[len(begun)] if s != context else "</s>" for s in drawn)
    expected = n * changed(model.predict_proba([context])[0], **settings)
    observed = np.array([found[token] for token in model.vocabulary_])
    assert observed[expected == 0].sum() == 0
    possible = expected > 0
    if possible.sum() > 1:
        assert stats.chisquare(observed[possible], expected[possible]).pvalue > 1e-4


def known_proba(model, sentence):
    """The probability of a sentence given that all of its tokens are known."""
    tokens = [*sentence.split(), "</s>"]
    proba = model.predict_proba([tokens[:i] for i in range(len(tokens))])
    columns = [list(model.vocabulary_).index(token) for token in tokens]
    return np.prod(proba[np.arange(len(tokens)), columns] / (1 - proba[:, 0]))


def with_gaps(model, path, rng):
    """The model without many of the n-grams that are no contexts of others."""
    model.to_arpa(path)
    parts = path.read_text().split("\n\n")
    needed, kept = set(), []
    for part in parts[:0:-1]:
        lines = part.split("\n")
        if "\\1-grams" not in part:
            own = [line.split("\t")[1] if "\t" in line else "" for line in lines]
            lines = [
                line for line, gram in zip(lines, own, strict=True)
                if not gram or gram in needed or rng.random() < 0.5
            ]  # fmt: skip
            needed = {line.split("\t")[1].rpartition(" ")[0] for line in lines if "\t" in line}
        kept.insert(0, lines)
    sizes = [sum("\t" in line for line in lines) for lines in kept if "\t" in "".join(lines)]
    head = ["\\data\\", *(f"ngram {n}={size}" for n, size in enumerate(sizes, start=1))]
    path.write_text("\n".join(line for lines in [head, *kept] for line in lines) + "\n")
    return NGramLM.from_arpa(path)


def assert_drawn_in_proportion(model, contexts, **settings):
    """Words after each context against the model's own distribution, whatever its sum."""
    n = 20_000
    for context in contexts:
        drawn = Counter(model.sample(n, 0, context=context, max_length=1, **settings))
        expected = n * changed(model.predict_proba([context])[0], **settings)
        names = [f"{context} {token}".removesuffix(" </s>") for token in model.vocabulary_]
        observed = np.array([drawn[name] for name in names])
        possible = expected > 0
        assert observed[~possible].sum() == 0
        assert stats.chisquare(observed[possible], expected[possible]).pvalue > 1e-4


@pytest.mark.parametrize("settings", [{}, {"temperature": 1.7}, {"top_k": 4}], ids=str)
def test_draws_follow_models_from_which_shorter_ngrams_are_missing(tmp_path, settings, rng):
    """Their probabilities do not sum to one, and are taken in proportion."""
    words = rng.choice(list("abcdef"), p=np.arange(1, 7) / 21, size=600)
    text = [" ".join(part) for part in np.split(words, np.cumsum(rng.integers(0, 9, 120)))]
    whole = NGramLM(5).fit(text)
    model = with_gaps(whole, tmp_path / "model.arpa", rng)
    assert model.n_ngrams_.sum() < 0.8 * whole.n_ngrams_.sum()
    assert_drawn_in_proportion(model, ["a b f e", "f f f", "e d f", "f d e c"], **settings)


@pytest.mark.parametrize("settings", [{"top_k": 3}, {"top_p": 0.6}], ids=str)
def test_draws_follow_models_in_which_longer_ngrams_may_be_less_probable(settings, rng):
    """As in those that back off, where no probability has a part of the shorter n-gram's."""
    words = rng.choice(list("abcdef"), p=np.arange(1, 7) / 21, size=600)
    model = NGramLM(3).fit([" ".join(part) for part in words.reshape(-1, 6)])
    lighter = rng.uniform(0.5, 1.5, len(model.words_)).astype(np.float32)  # and none the same
    lighter[: model.n_ngrams_[0]] = 0.0
    model.log_proba_ = model.log_proba_ - lighter
    model.log_backoff_ = np.zeros_like(model.log_backoff_)
    assert_drawn_in_proportion(model, ["a b f", "f f", "e d f", "f d e c"], **settings)


def test_sentences_are_drawn_as_often_as_they_are_probable():
    model, n = NGramLM(3).fit(TEXT), 20_000
    for sentence, count in Counter(model.sample(n, 1)).most_common(20):
        p = known_proba(model, sentence)
        assert abs(count - n * p) < 4.5 * np.sqrt(n * p * (1 - p))


def test_draws_begin_with_the_context_and_are_of_the_kind_of_the_fit():
    model = NGramLM(3).fit(TEXT)
    assert all(s.startswith("c a") for s in model.sample(20, 0, context="c a"))
    assert model.sample(3, 0) == model.sample(3, 0) != model.sample(3, 1)
    letters = NGramLM(3, analyzer="char").fit(["abab", "ba b"])
    assert all(
        s.startswith("ba") and set(s) <= set("ab ") for s in letters.sample(9, 0, context="ba")
    )
    lists = NGramLM(3).fit([s.split() for s in TEXT]).sample(3, 0, context=["c"])
    assert all(isinstance(s, list) and s[0] == "c" for s in lists)
    arrays = NGramLM(3).fit([np.array([5, 6, 5]), np.array([6, 6])]).sample(3, 0)
    assert all(isinstance(s, np.ndarray) and set(s) <= {5, 6} for s in arrays)


def test_the_own_random_state_is_used():
    model = NGramLM(3, random_state=3).fit(TEXT)
    assert model.sample(5) == model.sample(5) == model.sample(5, 3)


def test_a_sentence_that_does_not_end_is_cut():
    model = NGramLM(2).fit(["a a a a a a a a a a a a a a a a a"])
    drawn = model.sample(50, 0, max_length=4)
    assert max(len(s.split()) for s in drawn) == 4


@pytest.mark.parametrize(
    "wrong",
    [{"temperature": 0}, {"top_k": 0}, {"top_p": 0.0}, {"top_p": 1.5}, {"max_length": 0}],
)
def test_unusable_settings_are_refused(wrong):
    with pytest.raises(ValueError, match=f"'{next(iter(wrong))}' parameter"):
        NGramLM(2).fit(TEXT).sample(**wrong)


def test_a_model_without_anything_to_draw_ends_its_sentences(tmp_path):
    path = tmp_path / "model.arpa"
    path.write_text("\\data\\\nngram 1=2\n\\1-grams:\n-99 <s>\n-0.1 <unk>\n\\end\\\n")
    model = NGramLM.from_arpa(path)
    for settings in ({}, {"top_k": 3}, {"top_p": 0.5}):
        assert model.sample(3, 0, **settings) == ["", "", ""]
