"""Checks of interrupts: after Ctrl-C in a fit there is a model, old or new, or none; not half."""

import sys
from inspect import CO_GENERATOR

import numpy as np
from sklearn import config_context
from sklearn.exceptions import NotFittedError

from ._definition import log_total
from ._registry import assert_identical, density_check


def package_of(module):
    return module.split(".")[0]


def is_plain_function(code):
    """Whether an error raised at its call reaches the caller; a generator may be just closing."""
    return not code.co_flags & CO_GENERATOR and code.co_name != "__del__"


def run_interrupted(action, packages, at):
    """Run with Ctrl-C at the at-th call of a function of the packages; return the calls seen."""
    calls = 0

    def count(frame, event, arg):
        nonlocal calls
        inside = package_of(frame.f_globals.get("__name__", "")) in packages
        if event == "call" and inside and is_plain_function(frame.f_code):
            calls += 1
            if calls == at:
                raise KeyboardInterrupt

    before = sys.getprofile()
    with config_context():  # scikit-learn may be interrupted where it puts its settings back
        sys.setprofile(count)
        try:
            action()
        except KeyboardInterrupt:
            pass
        finally:
            sys.setprofile(before)
    return calls


def assert_usable(case, density, old, rows, what):
    """The density is unfitted, or the old model, or a density of the rows; nothing in between."""
    try:
        if old is not None and np.array_equal(density.score_samples(old[0]), old[1]):
            return
    except Exception:
        pass  # it is not the old model
    try:
        assert np.isfinite(density.score_samples(rows)).all(), f"{what}: scores are not finite."
        points, log_weights = case.space(rows, 91)
        total = np.exp(log_total(density.score_samples(points), log_weights))
    except NotFittedError:
        return
    except Exception as error:
        raise AssertionError(f"{what}: half a model; {type(error).__name__}: {error}") from error
    assert abs(total - 1) < 1e-2, f"{what}: half a model; it sums to {total:.4g}."


def _assert_survives(case, interrupted_fit, what):
    """Interrupt the first fit and a later one: the object stays usable and can be fitted again."""
    d = case.kind.n_features - 1
    X, Y = case.rows(n_features=d + 1, apart=3), case.rows(150, d, apart=3, seed=1)
    density = case.build()
    interrupted_fit(density, Y)
    assert_usable(case, density, None, Y, f"first fit, {what}")
    old = X, density.fit(X).score_samples(X)
    interrupted_fit(density, Y)
    assert_usable(case, density, old, Y, f"second fit, {what}")
    expected = case.fit(Y).score_samples(Y)
    assert_identical(density.fit(Y).score_samples(Y), expected, "scores of the fit after Ctrl-C")


@density_check()
def check_interrupted_fit_leaves_a_usable_model(case):
    """Ctrl-C in `fit` leaves no half of a model: the old one, none, or a density of the rows."""
    packages = {package_of(cls.__module__) for cls in type(case.build()).__mro__}
    X = case.rows(apart=3)
    calls = run_interrupted(lambda: case.build().fit(X), packages, 0)
    for share in (0.1, 0.5, 0.9):
        at = 1 + int(share * calls)

        def interrupted_fit(density, rows, at=at):
            run_interrupted(lambda: density.fit(rows), packages, at)

        _assert_survives(case, interrupted_fit, f"call {at} of {calls}")


class _CtrlC:
    """A callback that interrupts at the end of the first task inside of fit."""

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        raise KeyboardInterrupt


@density_check("callbacks")
def check_interrupting_callback_leaves_a_usable_model(case):
    """Ctrl-C in a callback leaves the old model, none, or a density of the rows."""

    def interrupted_fit(density, rows):
        density.set_callbacks(_CtrlC())
        try:
            density.fit(rows)
        except KeyboardInterrupt:
            pass
        finally:
            density.set_callbacks()

    _assert_survives(case, interrupted_fit, "by a callback")
