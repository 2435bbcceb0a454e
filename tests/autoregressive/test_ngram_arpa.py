"""Models go to ARPA files and come back; KenLM reads the same scores from them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skgen import NGramLM
from skgen.datasets import load_kjv

TEXT = ["a b a b c", "a b b", "c a b a", "b", "a a c b a b", "c c a ü", "b a c a b a b c"]

# Without </s> behind "b", and with a bigram whose context has no back-off weight.
BACKOFF = """
\\data\\
ngram 1=5
ngram 2=2

\\1-grams:
-0.5\ta\t-0.25
-1\tb
-99\t<s>\t-0.125
-0.75\t</s>
-2\t<unk>

\\2-grams:
-0.1\t<s> a
-0.2\ta b

\\end\\
"""


def written(tmp_path, text):
    path = tmp_path / "model.arpa"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("order", [1, 2, 4])
@pytest.mark.parametrize("name", ["model.arpa", "model.arpa.gz"])
def test_a_model_comes_back_from_its_file(tmp_path, name, order):
    model = NGramLM(order).fit(TEXT)
    model.to_arpa(tmp_path / name)
    back = NGramLM.from_arpa(tmp_path / name)
    assert back.order == order
    assert_array_equal(back.vocabulary_, model.vocabulary_)
    assert_array_equal(back.n_ngrams_, model.n_ngrams_)
    assert_allclose(back.score_samples(TEXT), model.score_samples(TEXT), rtol=1e-6)
    contexts = ["a b", "", "x"]
    assert_allclose(back.predict_proba(contexts), model.predict_proba(contexts), rtol=1e-5)
    assert back.sample(2, 0) == model.sample(2, 0)


def test_letters_go_to_a_file_with_their_blanks(tmp_path):
    text = ["to be", "or not", "to be or"]
    model = NGramLM(3, analyzer="char").fit(text)
    model.to_arpa(tmp_path / "model.arpa")
    assert "t o \u2581" in (tmp_path / "model.arpa").read_text(encoding="utf-8")
    back = NGramLM.from_arpa(tmp_path / "model.arpa", analyzer="char")
    assert_allclose(back.score_samples(text), model.score_samples(text), rtol=1e-6)
    with pytest.raises(ValueError, match=r"the token '\\t' cannot be written"):
        NGramLM(2, analyzer="char").fit(["a\tb"]).to_arpa(tmp_path / "model.arpa")


@pytest.mark.parametrize("separator", ["\t", " "])
def test_a_file_is_read_by_its_definition(tmp_path, separator):
    """Sums of log10: own probabilities where the n-gram is there, else back-off and unigram."""
    model = NGramLM.from_arpa(written(tmp_path, BACKOFF.replace("\t", separator)))
    found = model.token_log_proba(["a b", "b a", "x a"])
    expected = [
        [-0.1, -0.2, -0.75],
        [-0.125 - 1, -0.5, -0.25 - 0.75],
        [-0.125 - 2, -0.5, -0.25 - 0.75],
    ]
    assert_allclose(np.stack(list(found)), np.log(10) * np.array(expected), rtol=1e-6)


def test_shorter_ngrams_may_be_missing(tmp_path):
    """Of "a b c" without "b c", the probability of c after "a b" is its own."""
    text = """\\data\\
ngram 1=5
ngram 2=1
ngram 3=1

\\1-grams:
-0.5 a -0.25
-1 b -0.5
-1 c
-0.7 </s>
-99 <s>

\\2-grams:
-0.1 a b -0.3

\\3-grams:
-0.2 a b c
\\end\\
"""
    model = NGramLM.from_arpa(written(tmp_path, text))
    expected = [-0.5, -0.1, -0.2, -0.7]
    assert_allclose(model.token_log_proba(["a b c"])[0], np.log(10) * np.array(expected), rtol=1e-6)
    place = list(model.vocabulary_).index("c")
    proba = model.predict_proba(["a b", "c a b", "a b a b b"])[:, place]
    assert_allclose(np.log10(proba), [-0.2, -0.2, -0.5 - 1], rtol=1e-6)
    assert model.score_samples(["unheard"]) == -np.inf  # there is no <unk>


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("\\data\\", "data", "line 2: 'data' stands where"),
        ("ngram 2=2", "ngram 3=2", "line 4: 'ngram 3=2' should be 'ngram 2=COUNT'"),
        ("ngram 1=5\nngram 2=2\n", "", "no line 'ngram 1=COUNT'"),
        ("ngram 1=5", "ngram 1=4", "'-2.*<unk>' stands where .*2-grams:"),
        ("ngram 1=5", "ngram 1=6", "should be a logarithm, 1 words"),
        ("-0.5\ta", "much\ta", "line 7: 'much.*should be a logarithm"),
        ("-0.5\ta", "0.5\ta", "line 7: 0.5 is no logarithm"),
        ("-0.5\ta", "nan\ta", "nan is no logarithm"),
        ("-0.2\ta b", "-0.2\ta b c", "should be a logarithm, 2 words"),
        ("-0.2\ta b", "-0.2\tq b", "not its first 1 words"),
        ("-0.2\ta b", "-0.2\ta q", "not its first 1 words or its last"),
        ("-0.2\ta b", "-0.1\t<s> a", "stands there twice"),
        ("-1\tb", "-1\ta", "the word 'a' stands there twice"),
        ("\n\\end\\", "", "the file ends before"),
        ("\\2-grams:\n", "", "stands where '.*2-grams:' should be"),
    ],
)
def test_a_broken_file_is_refused_with_the_line(tmp_path, old, new, message):
    assert BACKOFF.count(old) == 1
    path = written(tmp_path, BACKOFF.replace(old, new))
    with pytest.raises(ValueError, match=message) as caught:
        NGramLM.from_arpa(path)
    assert str(path) in str(caught.value)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "model.arpa"
    path.write_bytes(b"\\data\\\n\xff\xfe")
    with pytest.raises(ValueError, match="not UTF-8"):
        NGramLM.from_arpa(path)


def test_a_model_from_a_file_has_no_counts_to_add_to(tmp_path):
    with pytest.raises(ValueError, match="no counts"):
        NGramLM.from_arpa(written(tmp_path, BACKOFF)).partial_fit(TEXT)


@pytest.mark.parametrize("prune", [0, (0, 0, 1), (0, 1, 1, 3)], ids=str)
@pytest.mark.parametrize("smoothing", ["modified-kneser-ney", "witten-bell", "absolute", "laplace"])
def test_kenlm_reads_the_same_scores(tmp_path, smoothing, prune):
    kenlm = pytest.importorskip("kenlm", reason="KenLM's Python package is the one compared with")
    bunch = load_kjv()
    model = NGramLM(4, smoothing=smoothing, prune=prune).fit(bunch.train[:3000])
    model.to_arpa(tmp_path / "model.arpa")
    theirs = kenlm.Model(str(tmp_path / "model.arpa"))
    for sentence, ours in zip(
        bunch.test[:200], model.token_log_proba(bunch.test[:200]), strict=True
    ):
        expected = [score for score, _, _ in theirs.full_scores(sentence)]
        assert_allclose(ours, np.log(10) * np.array(expected), atol=2e-6, rtol=2e-6)
