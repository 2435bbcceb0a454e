"""n-gram models are what their smoothing says, and find the published figures of KenLM."""

import pickle
import tracemalloc
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from reference import ngram_proba
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score

from skgen import GenerativeClassifier, NGramLM
from skgen.datasets import load_kjv

SMOOTHINGS = ["modified-kneser-ney", "witten-bell", "absolute", "laplace"]
MARKS = ["<unk>", "<s>", "</s>"]


@pytest.fixture(scope="module")
def kjv():
    return load_kjv()


@pytest.fixture(scope="module", params=[3, 5])
def kjv_model(request, kjv):
    return NGramLM(request.param).fit(kjv.train)


def random_text(rng, n_sentences=60, letters="abcdefg"):
    """Sentences over few words, with habits, so that long n-grams recur; one is empty."""
    habits = rng.dirichlet(np.full(len(letters), 0.3), len(letters))
    text = []
    for _ in range(n_sentences):
        word, sentence = rng.integers(len(letters)), []
        for _ in range(rng.integers(0, 9)):
            word = rng.choice(len(letters), p=habits[word])
            sentence.append(letters[word])
        text.append(" ".join(sentence))
    return text


# ---- definition ------------------------------------------------------------------------------


@pytest.mark.parametrize("order", range(1, 8))
@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_probabilities_are_those_of_the_definition(smoothing, order, rng):
    text = random_text(rng)
    model = NGramLM(order, smoothing=smoothing).fit(text)
    predicted = [token for token in model.vocabulary_ if token != "<s>"]
    proba = ngram_proba([s.split() for s in text], order, smoothing, predicted)
    for sentence in ["a b c d e f g a", "g g g g g g g g g", "a new b", "", text[3]]:
        tokens = [t if t in predicted else "<unk>" for t in sentence.split()]
        path = ["<s>", *tokens, "</s>"]
        expected = [np.log(proba(path[i], tuple(path[:i]))) for i in range(1, len(path))]
        assert_allclose(model.token_log_proba([sentence])[0], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_what_is_seen_very_often_has_the_probability_of_the_definition(smoothing, rng):
    """More often than a byte can tell; what precedes is seen as often, or with many words."""
    many = [f"x{i} f g" for i in range(200)]
    text = [*random_text(rng), *["a b c d"] * 300, *["g a"] * 129, *many, *many]
    model = NGramLM(3, smoothing=smoothing).fit(text)
    predicted = [token for token in model.vocabulary_ if token != "<s>"]
    proba = ngram_proba([s.split() for s in text], 3, smoothing, predicted)
    for sentence in ["a b c d", "g a g a b c", "x7 f g f", "f g c d"]:
        path = ["<s>", *sentence.split(), "</s>"]
        expected = [np.log(proba(path[i], tuple(path[:i]))) for i in range(1, len(path))]
        assert_allclose(model.token_log_proba([sentence])[0], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("order", [1, 2, 5])
@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_the_probabilities_of_the_next_token_sum_to_one(smoothing, order, rng):
    text = random_text(rng)
    model = NGramLM(order, smoothing=smoothing).fit(text[:40])
    contexts = [*text[40:], "", "a", "unheard of", "a a a a a a a"]
    proba = model.predict_proba(contexts)
    assert_allclose(proba.sum(axis=1), 1.0, rtol=1e-6)
    assert (proba[:, 1] == 0).all()  # nothing is followed by the begin of a sentence


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_next_token_distributions_are_the_probabilities_of_tokens(smoothing, rng):
    text = random_text(rng)
    model = NGramLM(4, smoothing=smoothing).fit(text[:40])
    place = {token: j for j, token in enumerate(model.vocabulary_)}
    for sentence in [*text[40:], "x a b x"]:
        tokens = sentence.split()
        begun = [tokens[:i] for i in range(len(tokens) + 1)]
        columns = [place.get(t, 0) for t in [*tokens, "</s>"]]
        expected = np.log(model.predict_proba(begun)[np.arange(len(columns)), columns])
        assert_allclose(model.token_log_proba([sentence])[0], expected, rtol=1e-10)


def test_pruned_ngrams_leave_their_part_to_shorter_ones(rng):
    text = random_text(rng, 200)
    whole, pruned = (NGramLM(4, prune=prune).fit(text) for prune in (0, (0, 1, 2)))
    assert pruned.n_ngrams_[0] == whole.n_ngrams_[0]
    assert (pruned.n_ngrams_[1:] < whole.n_ngrams_[1:]).all()
    ends = np.cumsum(pruned.n_ngrams_)
    for least, (start, stop) in zip([2, 3, 3], pairwise(ends), strict=True):
        assert pruned.counts_[start:stop].min() == least
    assert_allclose(pruned.predict_proba(text[:30]).sum(axis=1), 1.0, rtol=1e-6)


@pytest.mark.parametrize("prune", [(0, 1), (0, 0, 1), (0, 1, 3)], ids=str)
@pytest.mark.parametrize("smoothing", SMOOTHINGS[:3])
def test_pruned_probabilities_are_those_of_the_definition(smoothing, prune, rng):
    text = random_text(rng)
    model = NGramLM(4, smoothing=smoothing, prune=prune).fit(text)
    assert model.n_ngrams_[3] < NGramLM(4).fit(text).n_ngrams_[3]
    predicted = [token for token in model.vocabulary_ if token != "<s>"]
    proba = ngram_proba([s.split() for s in text], 4, smoothing, predicted, prune)
    for sentence in ["a b c d e f g a", "g g g g g", "a new b", "", *text[:5]]:
        tokens = [t if t in predicted else "<unk>" for t in sentence.split()]
        path = ["<s>", *tokens, "</s>"]
        expected = [np.log(proba(path[i], tuple(path[:i]))) for i in range(1, len(path))]
        assert_allclose(model.token_log_proba([sentence])[0], expected, rtol=1e-5, atol=1e-6)


def test_rare_words_are_unknown(rng):
    text = [*random_text(rng), "once upon a time"]
    model = NGramLM(3, min_count=2).fit(text)
    assert not {"once", "upon", "time"} & set(model.vocabulary_)
    replaced = [s.replace("once upon a time", "<unk> <unk> a <unk>") for s in text]
    same = NGramLM(3).fit(replaced)
    assert_allclose(model.score_samples(text), same.score_samples(replaced), rtol=1e-6)


def test_a_given_vocabulary_is_kept(rng):
    text = random_text(rng)
    model = NGramLM(3, vocabulary=["g", "a", "z"]).fit(text)
    assert list(model.vocabulary_) == [*MARKS, "g", "a", "z"]
    assert_allclose(model.predict_proba(["a g", "b b z"]).sum(axis=1), 1.0, rtol=1e-6)
    assert model.counts_[0] == sum(len(s.split()) for s in text) - model.counts_[3:5].sum()


# ---- identities ------------------------------------------------------------------------------


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_counts_of_parts_add_up(smoothing, rng):
    text = [*random_text(rng), *random_text(rng, letters="cdefxyz")]
    whole, parts = NGramLM(4, smoothing=smoothing).fit(text), NGramLM(4, smoothing=smoothing)
    for part in (text[:10], text[10:11], text[11:]):
        parts.partial_fit(part)
    assert_array_equal(parts.n_ngrams_, whole.n_ngrams_)
    assert_array_equal(parts.score_samples(text), whole.score_samples(text))


OFTEN = [1, 2, 127, 128, 129, 255, 256, 257, 300, 383, 384, 385, 70_000]


def named_counts(model):
    """How often each n-gram was seen, by its tokens."""
    names = []
    for context, word in zip(model.contexts_.tolist(), model.words_.tolist(), strict=True):
        before = () if context < 0 else names[context]
        names.append((*before, model.vocabulary_[word]))
    return dict(zip(names, model.counts_.tolist(), strict=True))


@pytest.mark.parametrize("n_parts", [1, 2, 7])
def test_counts_are_exact_however_large(n_parts, rng):
    text = [f"w{n} x y" for n in OFTEN for _ in range(n)]
    parts = np.array_split(rng.permutation(np.array(text, dtype=object)), n_parts)
    model = NGramLM(3).fit(parts[0])
    for part in parts[1:]:
        model.partial_fit(part)
    counts = named_counts(pickle.loads(pickle.dumps(model)))
    assert model.counts_.dtype == np.int32
    for n in OFTEN:
        assert counts[f"w{n}",] == counts[f"w{n}", "x"] == counts["<s>", f"w{n}", "x"] == n
    assert counts["x",] == counts["x", "y"] == counts["x", "y", "</s>"] == sum(OFTEN)


def test_what_is_pruned_leaves_the_counts_of_the_others():
    text = [f"w{n} x y" for n in OFTEN for _ in range(n)]
    whole = named_counts(NGramLM(3).fit(text))
    pruned = named_counts(NGramLM(3, prune=(0, 1, 256)).fit(text))
    least = {1: -1, 2: 1, 3: 256}
    assert pruned == {gram: n for gram, n in whole.items() if n > least[len(gram)]}


def test_the_same_tokens_in_any_container_give_the_same_model(rng):
    text = random_text(rng)
    expected = NGramLM(3).fit(text).score_samples(text)
    lists = [s.split() for s in text]
    arrays = [np.array([ord(t) for t in s], dtype=np.uint8) for s in lists]
    for X in (
        lists,
        arrays,
        np.array(text),
        np.array(text, dtype=object),
        tuple(map(tuple, lists)),
    ):
        assert_array_equal(NGramLM(3).fit(X).score_samples(X), expected)
    spaced = [" \t" + s.replace(" ", " \u3000 ") + "\n" for s in text]
    assert_array_equal(NGramLM(3).fit(spaced).score_samples(spaced), expected)
    assert_array_equal(NGramLM(3).fit(text).score_samples(lists), expected)
    assert_array_equal(NGramLM(3).fit(lists).score_samples(text), expected)


def test_characters_are_tokens(rng):
    text = ["weiß", "Ελλάς και", "", "日本語 🎈🎈", "añb"]
    model = NGramLM(3, analyzer="char").fit(text)
    assert set(model.vocabulary_) == {*MARKS, *"".join(text)}
    same = NGramLM(3).fit([list(s) for s in text])
    assert_array_equal(model.score_samples(text), same.score_samples([list(s) for s in text]))


def test_texts_are_split_as_python_splits_them():
    text = ["a\x1cb\x85c\xa0d\u2003e\u200bf  g\r\n", "\t", "naïve café ÿ", "𝔘 𝔫𝔦 ✓✓ a"]
    model = NGramLM(2).fit(text)
    assert list(model.vocabulary_[3:]) == list(dict.fromkeys(t for s in text for t in s.split()))
    assert [len(x) - 1 for x in model.token_log_proba(text)] == [len(s.split()) for s in text]


def test_tokens_come_from_the_users_functions():
    text = ["One, two; THREE", "two"]
    words = NGramLM(2, tokenizer=lambda s: s.replace(",", "").split(), lowercase=True).fit(text)
    assert list(words.vocabulary_[3:]) == ["one", "two;", "three", "two"]
    pairs = NGramLM(2, analyzer=lambda s: [s[i : i + 2] for i in range(0, len(s), 2)]).fit(text)
    assert list(pairs.vocabulary_[3:6]) == ["On", "e,", " t"]


def test_a_score_is_a_sum_over_its_tokens(rng):
    text = random_text(rng)
    model = NGramLM(3).fit(text)
    tokens = model.token_log_proba(text)
    assert_allclose(model.score_samples(text), [t.sum() for t in tokens], rtol=1e-12)
    assert model.score(text) == pytest.approx(np.concatenate(tokens).mean(), rel=1e-12)
    assert model.perplexity(text) == pytest.approx(np.exp(-model.score(text)), rel=1e-12)
    weights = rng.integers(0, 3, len(text)).astype(float)
    repeated = [s for s, w in zip(text, weights, strict=True) for _ in range(int(w))]
    assert model.score(text, sample_weight=weights) == pytest.approx(model.score(repeated))


def test_sentences_are_scored_alike_alone_and_among_many(rng):
    text = random_text(rng, 2000)
    model = NGramLM(4).fit(text[:300])
    together = model.score_samples(text)
    assert_array_equal(together[:50], [model.score_samples([s])[0] for s in text[:50]])


# ---- published numbers -----------------------------------------------------------------------


def test_the_counts_and_discounts_are_those_of_kenlm(kjv_model):
    order = kjv_model.order
    assert list(kjv_model.n_ngrams_) == [12417, 133658, 369359, 558352, 645455][:order]
    top = {3: [0.749417, 1.17203, 1.46059], 5: [0.883828, 1.39382, 1.60762]}[order]
    expected = [[0.567213, 0.997153, 1.59605], [0.694329, 1.10113, 1.49307], top]
    assert_allclose(kjv_model.discounts_[[0, 1, -1]], expected, rtol=5e-6)


def test_the_perplexities_are_those_of_kenlm(kjv_model, kjv):
    expected = {3: (47.04778, 44.80458), 5: (39.54359, 37.63659)}[kjv_model.order]
    found = [kjv_model.perplexity(kjv.test, unknown=unknown) for unknown in (True, False)]
    assert found == pytest.approx(expected, abs=6e-6)


def test_every_token_has_the_probability_that_kenlm_gives_it(kjv_model, kjv):
    """Of every fourth held-out verse; the perplexities are of all of them."""
    with np.load(Path(__file__).with_name("kjv_kenlm.npz")) as file:
        expected = file[f"order{kjv_model.order}"].astype(float) * np.log(10)
    found = np.concatenate(kjv_model.token_log_proba(kjv.test[::4]))
    assert_allclose(found, expected, rtol=0, atol=3e-6)


@pytest.mark.parametrize(
    ("prune", "n_ngrams", "perplexity"),
    [
        ((0, 0, 1), [12417, 133658, 94550], 50.64084),
        ((0, 1, 1), [12417, 56459, 94550], 53.82999),
        ((0, 0, 1, 1, 2), [12417, 133658, 94550, 82719, 18016], 45.98832),
    ],
    ids=str,
)
def test_pruned_models_are_those_of_kenlm(kjv, prune, n_ngrams, perplexity):
    """What lmplz --prune finds, as KenLM scores it."""
    model = NGramLM(len(prune), prune=prune).fit(kjv.train)
    assert model.n_ngrams_.tolist() == n_ngrams
    assert model.perplexity(kjv.test) == pytest.approx(perplexity, abs=1e-5)


def test_letters_of_the_bible_take_the_published_bits(kjv):
    model = NGramLM(6, analyzer="char").fit(kjv.train)
    assert -model.score(kjv.test) / np.log(2) == pytest.approx(1.470, abs=5e-4)


# ---- scikit-learn ----------------------------------------------------------------------------


def test_a_grid_chooses_the_order(rng):
    text = random_text(rng, 300)
    search = GridSearchCV(NGramLM(), {"order": [1, 2, 3]}, cv=KFold(3), n_jobs=2).fit(text)
    assert search.best_params_["order"] >= 2
    assert search.score(text) == search.best_estimator_.score(text)
    assert len(cross_val_score(NGramLM(2), np.array(text, dtype=object), cv=3)) == 3


def test_training_takes_little_more_memory_than_the_model(rng):
    words = np.minimum(rng.zipf(1.3, 300_000), 1000).astype(str)
    text = [" ".join(part) for part in np.split(words, np.arange(20, len(words), 20))]
    tracemalloc.start()
    model = NGramLM(5).fit(text)
    size, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    n_ngrams, n_tokens = model.n_ngrams_.sum(), len(words) + 2 * len(text)
    assert size < 16 * n_ngrams
    assert peak - 4 * n_tokens < 19 * n_ngrams  # 16 where there are more, see the benchmarks


def test_a_model_clones_and_pickles_small(rng):
    text = random_text(rng)
    model = NGramLM(3, smoothing="witten-bell").fit(text)
    small = len(pickle.dumps(model))
    expected = model.score_samples(text)
    model.predict_proba(text[:2])
    assert len(pickle.dumps(model)) == small  # nothing that is derived
    assert_array_equal(pickle.loads(pickle.dumps(model)).score_samples(text), expected)
    assert clone(model).get_params() == model.get_params()
    assert not hasattr(clone(model), "vocabulary_")
    assert "NGramLM" in model._repr_html_()


def test_parameters_set_by_hand_are_used(rng):
    text = random_text(rng)
    model = NGramLM(2).fit(text)
    before = model.predict_proba(["a"])
    model.log_proba_ = model.log_proba_ - np.float32(1)
    assert_allclose(model.predict_proba(["a"]), before * np.exp(-1), rtol=1e-5)


def test_it_classifies_text(kjv):
    """Verses of the books of Moses against those of the gospels."""
    old, new = kjv.data[:5000], kjv.data[24000:27000]
    X, y = old[::2] + new[::2], ["old"] * len(old[::2]) + ["new"] * len(new[::2])
    model = GenerativeClassifier(NGramLM(3)).fit(X, y)
    assert model.score(old[1::2] + new[1::2], ["old"] * 2500 + ["new"] * 1500) > 0.95
    drawn, labels = model.sample(5, random_state=0)
    assert len(drawn) == len(labels) == 5
    assert all(isinstance(s, str) for s in drawn)


# ---- errors ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        ("a text", ValueError, "X is one string"),
        ([], ValueError, "X has no sentence"),
        (["", " \n"], ValueError, "X has no tokens in its 2 sentences"),
        ([["a"], 3], TypeError, "sentence 1 is 3"),
        (np.zeros((2, 3)), TypeError, "sentence 0 is an array of shape \\(3,\\) of float64"),
        (["a </s> b"], ValueError, "sentence 0 contains '</s>'"),
        ([["a"], ["<s>"]], ValueError, "sentence 1 contains '<s>'"),
        ([[["a"]]], TypeError, "cannot be hashed"),
    ],
)
def test_what_is_no_text_is_refused(X, error, message):
    with pytest.raises(error, match=message):
        NGramLM(2).fit(X)


def test_tokens_of_another_kind_are_refused():
    with pytest.raises(TypeError, match="sentence 0 has the token 3, a int"):
        NGramLM(2).fit(["a b"]).score([[3]])
    with pytest.raises(TypeError, match="sentence 0 has the token 'a', a str"):
        NGramLM(2).fit([[1, 2]]).score(["a"])


def test_unusable_parameters_are_refused(rng):
    text = random_text(rng)
    with pytest.raises(ValueError, match="must begin with 0"):
        NGramLM(3, prune=(1, 1)).fit(text)
    with pytest.raises(ValueError, match="never descend"):
        NGramLM(3, prune=(0, 2, 1)).fit(text)
    with pytest.raises(ValueError, match="'a' twice"):
        NGramLM(3, vocabulary=["a", "a"]).fit(text)
    with pytest.raises(ValueError, match="partial_fit adds counts"):
        NGramLM(3, min_count=2).partial_fit(text)
    with pytest.raises(ValueError, match="fitted with another order"):
        NGramLM(3).fit(text).set_params(order=2).partial_fit(text)
