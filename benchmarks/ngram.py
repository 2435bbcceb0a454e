"""n-gram language models on the King James Bible, against KenLM and NLTK.

KenLM's Python package scores what was trained elsewhere: it reads the ARPA file that skgen wrote.
Its trainer, lmplz, is a program of its own; it is timed if it is on the path. Without the packages
kenlm or nltk, which only these tables need, their cases are left out:

    pip install kenlm==0.3.0 nltk
"""

import pickle
import shutil
import subprocess
import tempfile
import time
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.testing import assert_allclose

from skgen import NGramLM
from skgen.datasets import load_kjv

from ._memory import peak_memory
from ._report import Table
from ._runner import Case

LOG_10 = np.log(10.0)
QUICK = 1000  # verses to train from in a quick run
DRAWN = 3000  # sentences
LARGE = 300_000  # sentences drawn to train from
CONTEXTS = ["in the beginning", "and the lord said unto moses ,", "the", ""]


class Task(NamedTuple):
    """Verses to train from and to score, and the fitted models."""

    train: list
    test: list
    ours: NGramLM
    theirs: Any = None


def tables(run):
    """All tables of the family."""
    for make in (training, scoring, next_words, sampling, memory):
        table = make(run)
        if table is not None:
            yield table


@cache
def bible():
    return load_kjv()


def verses(n):
    """The first n verses to train from."""
    return bible().train[:n]


def case(name, make, ours, theirs, agree=None, **settings):
    return Case(name, make, len(bible().train), ours, theirs, agree, quick=QUICK, **settings)


# ---- training --------------------------------------------------------------------------------


def training(run):
    """From a list of strings to a model."""
    cases = []
    if shutil.which("lmplz"):
        cases += [
            case(f"lmplz, order {order}", partial(unfitted, order), our_fit, lmplz, target=8)
            for order in (3, 5)
        ]
    if find_spec("nltk"):
        cases.append(case("NLTK, order 3", partial(unfitted, 3), our_fit, nltk_fit, target=200))
    note = (
        "Modified Kneser-Ney smoothing from the strings of the verses. lmplz has one file of them "
        "and writes an ARPA file, with 100 MB to sort in, as more makes it slower; NLTK's "
        "Kneser-Ney smoothing has one discount, and its fit counts."
    )
    return run.timing_table("training", note, cases, ("skgen", "peer")) if cases else None


def unfitted(order, n):
    return Task(verses(n), [], NGramLM(order))


def our_fit(task):
    return task.ours.fit(task.train)


def lmplz(task):
    with tempfile.TemporaryDirectory() as folder:
        text, arpa = Path(folder, "text"), Path(folder, "arpa")
        text.write_text("\n".join(task.train) + "\n", encoding="utf-8")
        settings = ["-o", str(task.ours.order), "-S", "100M"]
        command = ["lmplz", *settings, "--text", text, "--arpa", arpa]
        subprocess.run(command, check=True, capture_output=True)


def nltk_fit(task):
    from nltk.lm import KneserNeyInterpolated
    from nltk.lm.preprocessing import padded_everygram_pipeline

    order = task.ours.order
    sentences, words = padded_everygram_pipeline(order, [verse.split() for verse in task.train])
    model = KneserNeyInterpolated(order)
    model.fit(sentences, words)
    return model


# ---- scoring ---------------------------------------------------------------------------------


def scoring(run):
    """Held-out verses."""
    if not find_spec("kenlm"):
        return None
    cases = [
        case(f"order {order}", partial(both_fitted, order), our_scores, kenlm_scores, same_scores,
             target=2)
        for order in (3, 5)
    ]  # fmt: skip
    note = "The held-out verses, from strings to a score for each. KenLM: one call for each verse."
    return run.timing_table("scoring", note, cases, ("skgen", "KenLM"))


def both_fitted(order, n):
    import kenlm

    ours = NGramLM(order).fit(verses(n))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.arpa")
        ours.to_arpa(path)
        return Task([], bible().test, ours, kenlm.Model(str(path)))


def our_scores(task):
    return task.ours.score_samples(task.test)


def kenlm_scores(task):
    score = task.theirs.score
    return [score(verse) for verse in task.test]


def same_scores(ours, theirs):
    assert_allclose(ours, LOG_10 * np.array(theirs), rtol=1e-5)


# ---- the next word ---------------------------------------------------------------------------


def next_words(run):
    """Distributions over the vocabulary."""
    if not find_spec("kenlm"):
        return None
    cases = [
        case("order 5", partial(both_fitted, 5), our_next, kenlm_next, same_next, target=100)
    ]  # fmt: skip
    note = (
        "The probability of every word after each of four beginnings of sentences. KenLM: a loop "
        "over the vocabulary with its functions for states."
    )
    return run.timing_table("next word", note, cases, ("skgen", "KenLM"))


def our_next(task):
    return task.ours.predict_proba(CONTEXTS)


def kenlm_next(task):
    import kenlm

    score, words = task.theirs.BaseScore, task.ours.vocabulary_.tolist()
    out = []
    for context in CONTEXTS:
        state, after = kenlm.State(), kenlm.State()
        task.theirs.BeginSentenceWrite(state)
        for word in context.split():
            score(state, word, after)
            state, after = after, state
        out.append([score(state, word, after) for word in words])
    return out


def same_next(ours, theirs):
    known = np.arange(ours.shape[1]) != 1  # KenLM gives the mark of the begin a score, too
    assert_allclose(ours[:, known], 10.0 ** np.array(theirs)[:, known], rtol=1e-4)


# ---- sampling, memory ------------------------------------------------------------------------


def sampling(run):
    """Tokens a second."""
    title, rows = "sampling", []
    settings = ({}, {"temperature": 0.7}, {"top_k": 40}, {"top_p": 0.9})
    model = NGramLM(5).fit(verses(QUICK if run.quick else None))
    for setting in settings:
        name = ", ".join(f"{key}={value}" for key, value in setting.items()) or "plain"
        if run.wants(title, name):
            run.progress(title, name)
            rows.append([name, *tokens_a_second(model, setting, 2 if run.quick else run.rounds)])
    note = (
        f"{DRAWN:,} sentences of order 5 as strings; millions of tokens a second, the ends of "
        "sentences among them. Tables for the temperature are made beforehand. The target is "
        "for plain draws. KenLM draws nothing, NLTK takes seconds for a word."
    )
    columns = ["case", "best", "median", "target"]
    return Table(title, note, columns, rows) if rows else None


def tokens_a_second(model, setting, rounds):
    model.sample(1, 0, **setting)
    speeds = []
    for seed in range(rounds):
        start = time.perf_counter()
        drawn = model.sample(DRAWN, seed, **setting)
        seconds = time.perf_counter() - start
        speeds.append(sum(len(s.split()) + 1 for s in drawn) / seconds / 1e6)
    return max(speeds), float(np.median(speeds)), None if setting else 1.0


def memory(run):
    """Peak memory of training."""
    title, rows = "peak memory", []
    fits = [our_fit, nltk_fit] if find_spec("nltk") else [our_fit]
    verses = len(bible().train)
    for name, make, n, compared in (
        ("order 3", partial(unfitted, 3), verses, fits),
        ("order 5", partial(unfitted, 5), verses, fits),
        ("order 5, larger text", partial(drawn, 5), LARGE, [our_fit]),
    ):
        if run.wants(title, name):
            run.progress(title, name)
            rows.append([name, *bytes_taken(make, QUICK if run.quick else n, compared, fits)])
    note = (
        "Of fit beyond the strings, the fitted model included: MB, and bytes an n-gram. Then the "
        "bytes an n-gram that the numbers of the tokens have of these, and those of the model as "
        f"it is pickled. The larger text is {LARGE:,} sentences drawn from a model of order 2. "
        "NLTK keeps the counts alone."
    )
    names = ["skgen", "NLTK"][: len(fits)]
    each = [f"{name}, an n-gram" for name in (*names, "tokens", "model")]
    return Table(title, note, ["case", "n-grams", *names, *each], rows) if rows else None


def drawn(order, n):
    """A text of its own, of many n-grams."""
    return Task(NGramLM(2).fit(bible().train).sample(n, 0), [], NGramLM(order))


def bytes_taken(make, n, compared, fits):
    """The number of n-grams, and what the note says."""
    task = make(n)
    model = our_fit(task)
    size = int(model.n_ngrams_.sum())
    peaks = [peak_memory(make, n, fit, small=QUICK // 2) for fit in compared]
    peaks += [None] * (len(fits) - len(compared))
    tokens = 4 * sum(len(sentence.split()) + 2 for sentence in task.train)
    own = [*peaks, tokens, len(pickle.dumps(model))]
    return size, *(peak and peak / 2**20 for peak in peaks), *(x and x / size for x in own)
