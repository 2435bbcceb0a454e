"""A mixture of language models is their weighted mean, token by token."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from skgen import Gaussian, NGramLM, NGramMixture
from skgen.datasets import load_kjv


@pytest.fixture(scope="module")
def verses():
    return load_kjv().data[:600]


def models():
    return [NGramLM(1), NGramLM(2), NGramLM(4, smoothing="witten-bell")]


def test_token_probabilities_are_weighted_means(verses):
    mixture = NGramMixture(models(), weights=[0.5, 0.2, 0.3]).fit(verses[:500])
    parts = [m.token_log_proba(verses[500:]) for m in mixture.models_]
    for ours, *theirs in zip(mixture.token_log_proba(verses[500:]), *parts, strict=True):
        assert_allclose(np.exp(ours), [0.5, 0.2, 0.3] @ np.exp(theirs), rtol=1e-12)
    proba = mixture.predict_proba(verses[:3])
    assert_allclose(proba, sum(w * m.predict_proba(verses[:3]) for w, m in zip(
        [0.5, 0.2, 0.3], mixture.models_, strict=True)), rtol=1e-12)  # fmt: skip


def test_weights_are_the_best_for_the_sentences_held_out(verses):
    mixture = NGramMixture(models(), held_out=0.2, tol=1e-9).fit(verses)
    own = [x for i, x in enumerate(verses) if i % 5 != 4]
    parts = [clone(m).fit(own).token_log_proba(verses[4::5]) for m in models()]
    proba = np.exp([np.concatenate(part) for part in parts])
    best = minimize(
        lambda w: -np.log(w @ proba).mean(), np.full(3, 1 / 3), bounds=[(1e-9, 1)] * 3,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1}, tol=1e-12,
    )  # fmt: skip
    assert_allclose(mixture.weights_, best.x, atol=2e-3)
    assert mixture.n_iter_ > 0
    assert_array_equal(
        mixture.models_[1].score_samples(verses), models()[1].fit(verses).score_samples(verses)
    )


def test_a_model_alone_is_the_mixture(verses):
    mixture = NGramMixture([NGramLM(3)]).fit(verses)
    alone = NGramLM(3).fit(verses)
    assert mixture.perplexity(verses) == pytest.approx(alone.perplexity(verses), rel=1e-12)


def test_frozen_models_stay_and_need_the_same_tokens(verses):
    vocabulary = sorted({word for verse in verses for word in verse.split()})[::-1]
    old = NGramLM(2, vocabulary=vocabulary).fit(verses[300:])
    mixture = NGramMixture([NGramLM(3), FrozenEstimator(old)], weights=[0.5, 0.5])
    with pytest.raises(ValueError, match=r"models\[1\] and models\[0\] have not the same tokens"):
        mixture.fit(verses[:300])
    mixture.set_params(models=[NGramLM(3, vocabulary=vocabulary[::-1]), FrozenEstimator(old)])
    mixture.fit(verses[:300])
    assert mixture.models_[1] is old
    proba = mixture.predict_proba(verses[:2])  # the columns are in the order of the first model
    own = [list(mixture.vocabulary_).index(w) for w in old.vocabulary_]
    expected = (
        mixture.models_[0].predict_proba(verses[:2])[:, own] + old.predict_proba(verses[:2])
    ) / 2
    assert_allclose(proba[:, own], expected, rtol=1e-12)


def test_draws_follow_the_mixture():
    text = ["a b", "a a b", "b a", "b b b a", "a b a b", "b a a", "a", "c a b"]
    mixture = NGramMixture([NGramLM(1), NGramLM(3)], weights=[0.4, 0.6], random_state=0).fit(text)
    drawn = mixture.sample(3000, context="a", max_length=1)
    expected = mixture.predict_proba(["a"])[0]
    expected = expected[1:] / expected[1:].sum()
    for token, p in zip(mixture.vocabulary_[1:], expected, strict=True):
        count = sum(s == (f"a {token}" if token != "</s>" else "a") for s in drawn)
        assert abs(count - 3000 * p) <= 4.5 * np.sqrt(3000 * p * (1 - p))
    likeliest = mixture.vocabulary_[1:][expected.argmax()]
    for settings in ({"top_k": 1}, {"top_p": 1e-6}, {"temperature": 0.01}):
        assert mixture.sample(20, context="a", max_length=1, **settings) == [f"a {likeliest}"] * 20


def test_a_mixture_clones_and_pickles(verses):
    mixture = NGramMixture(models()).fit(verses)
    again = pickle.loads(pickle.dumps(mixture))
    assert_array_equal(again.score_samples(verses[:9]), mixture.score_samples(verses[:9]))
    fresh = clone(mixture)
    assert [m.order for m in fresh.models] == [1, 2, 4]
    assert not hasattr(fresh, "weights_")


def test_unusable_parameters_are_refused(verses):
    with pytest.raises(ValueError, match="models is empty"):
        NGramMixture([]).fit(verses)
    with pytest.raises(ValueError, match=r"they add up to 0\.9"):
        NGramMixture(models(), weights=[0.3, 0.3, 0.3]).fit(verses)
    with pytest.raises(ValueError, match="leaves no sentence of 5"):
        NGramMixture(models()).fit(verses[:5])


@pytest.mark.parametrize("model", [("name", NGramLM(2)), FrozenEstimator(Gaussian())], ids=repr)
def test_what_is_no_language_model_is_refused(model):
    with pytest.raises(TypeError, match=r"models\[1\] is .*, but must be a language model"):
        NGramMixture([NGramLM(2), model]).fit(["a b"] * 20)
