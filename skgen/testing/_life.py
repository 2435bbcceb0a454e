"""Checks of the life of an object: copies, refits, seeds, threads, interrupts."""

import copy
import pickle
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import joblib
import numpy as np
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from threadpoolctl import threadpool_limits

from ._case import draw, has_parameter
from ._registry import assert_identical, density_check


@density_check()
def check_pickled_copies_score_the_same(case):
    """pickle, deepcopy and joblib, also with memory-mapped arrays, keep every bit."""
    X = case.rows()
    model = case.fit(X)
    expected = model.score_samples(X)
    copies = {
        "a pickled copy": pickle.loads(pickle.dumps(model)),
        "a deep copy": copy.deepcopy(model),
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.joblib")
        joblib.dump(model, path)
        copies["a copy by joblib"] = joblib.load(path)
        copies["a memory-mapped copy"] = joblib.load(path, mmap_mode="r")
        for what, twin in copies.items():
            assert_identical(twin.score_samples(X), expected, f"scores of {what}")
        del copies, twin


@density_check()
def check_clone_forgets_the_fit_and_keeps_the_parameters(case):
    """A clone of a fitted density is unfitted and its fit gives the same bits."""
    X = case.rows(apart=3)
    model = case.fit(X)
    twin = clone(model)
    try:
        twin.score_samples(X)
    except NotFittedError:
        pass
    else:
        raise AssertionError("a clone scores before it is fitted.")
    assert_identical(twin.fit(X).score_samples(X), model.score_samples(X), "scores of the clone")


@density_check()
def check_a_second_fit_is_like_the_first(case):
    """`fit` starts from the constructor's arguments: nothing of an earlier fit is left."""
    X, other = case.rows(apart=3), case.rows(150, 2, apart=3, seed=1)
    expected = case.fit(X).score_samples(X)
    model = case.fit(X)
    assert model.fit(X) is model, "fit does not return the estimator itself."
    assert_identical(model.score_samples(X), expected, "scores after fitting twice")
    assert_identical(model.fit(other).fit(X).score_samples(X), expected, "after other data")


@density_check()
def check_fit_and_scoring_leave_the_parameters_alone(case):
    """The constructor's arguments are the same objects with the same values after use."""
    X = case.rows()
    density = case.build()
    before = density.get_params()
    values = copy.deepcopy(before)
    density.fit(X).score_samples(X)
    after = density.get_params()
    changed = [p for p in before if p not in after or repr(after[p]) != repr(values[p])]
    assert not changed, f"fit changes the parameters {changed}."


@density_check()
def check_scoring_changes_nothing(case):
    """Scoring twice gives the same bits; scoring other rows, or sampling, changes no score."""
    X = case.rows()
    model = case.fit(X)
    expected = model.score_samples(X)
    model.score_samples(X[::2])
    if case.offers("sample"):
        draw(model, 5, 0)
    assert_identical(model.score_samples(X), expected, "scores the second time")


def limit_threads(n):
    """A context in which own kernels, OpenMP and BLAS use n threads."""
    stack = ExitStack()
    stack.enter_context(threadpool_limits(n))
    try:
        from skgen._kernels._threads import limit_threads as limit_kernels
    except ImportError:
        return stack
    stack.enter_context(limit_kernels(n))
    return stack


@density_check()
def check_number_of_threads(case):
    """1, 2 and 8 threads give the same bits, in fit and in scoring."""
    many = case.rows(16_000, 16)  # small work is done by one thread
    density = case.build()
    if "max_iter" in density.get_params():
        density.set_params(max_iter=3)
    small, large = clone(density).fit(many[:200]), clone(density)
    seen = {}
    for n in (1, 2, 8):
        with limit_threads(n):
            # Memory-based densities pay rows times rows: only one of the two may be many.
            seen[n] = small.score_samples(many), large.fit(many).score_samples(many[:200])
    for n in (2, 8):
        assert_identical(seen[n][0], seen[1][0], f"scores with {n} threads")
        assert_identical(seen[n][1], seen[1][1], f"scores after a fit with {n} threads")


@density_check()
def check_scoring_from_many_threads(case):
    """Eight threads that score with one object at the same time do not disturb each other."""
    X = case.rows(400)
    model = case.fit(X[:100])
    parts = [X[start : start + 50] for start in range(0, 400, 50)] * 4
    expected = [model.score_samples(part) for part in parts]
    with ThreadPoolExecutor(8) as pool:
        actual = list(pool.map(model.score_samples, parts))
    assert_identical(np.concatenate(actual), np.concatenate(expected), "scores from threads")


@density_check()
def check_fit_in_a_thread(case):
    """A fit outside the main thread gives the same bits."""
    X = case.rows(apart=3)
    with ThreadPoolExecutor(1) as pool:
        model = pool.submit(case.fit, X).result()
    assert_identical(model.score_samples(X), case.fit(X).score_samples(X), "scores")


@density_check("sample")
def check_sample_takes_a_random_state(case):
    """`sample` has an argument `random_state`, so that drawing does not change the object."""
    assert has_parameter(case.build(), "sample", "random_state"), "sample takes no random_state."


@density_check("sample")
def check_seeds_of_samples(case):
    """The same seed draws the same rows, another seed draws others."""
    model = case.fit(case.rows())
    first, again, other = (draw(model, 200, seed)[0] for seed in (3, 3, 4))
    assert_identical(first, again, "samples of the same seed")
    assert not np.array_equal(first, other), "another seed draws the same rows."


@density_check()
def check_seeds_of_fits(case):
    """The same `random_state` gives the same fit, and the global generator is left alone."""
    X = case.rows(apart=2)
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    expected = case.fit(X).score_samples(X)
    assert_identical(np.random.get_state()[1], before, "the state of numpy.random")  # noqa: NPY002
    np.random.random()  # noqa: NPY002
    assert_identical(case.fit(X).score_samples(X), expected, "scores of the same seed")
