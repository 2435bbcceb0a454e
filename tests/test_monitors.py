"""What callbacks see of a fit, and how they end it."""

import re
import sys
import warnings
from itertools import pairwise

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from witnesses import PLAIN, Notes, Witness, path

from skgen import (
    Gaussian,
    GaussianMixture,
    Mixture,
)
from skgen import _monitors as monitors
from skgen.emissions import Poisson

pytestmark = pytest.mark.filterwarnings("ignore:EM did not converge")


@pytest.fixture
def X(rng):
    """Rows of two groups that overlap."""
    return rng.normal(size=(300, 2)) + 1.5 * rng.integers(0, 2, (300, 1))


# ---- tasks ----------------------------------------------------------------------------------


def test_tasks_of_a_fit_from_one_start(X):
    notes = Notes()
    GaussianMixture(2, max_iter=2, **PLAIN).set_callbacks(notes).fit(X)
    assert notes.told == [
        ("setup", "fit"),
        ("begin", "fit 0"),
        ("begin", "iteration 0"),
        ("end", "iteration 0"),
        ("begin", "iteration 1"),
        ("end", "iteration 1"),
        ("end", "fit 0"),
        ("teardown", "fit"),
    ]


def test_tasks_of_a_fit_from_several_starts(X):
    notes = Notes()
    GaussianMixture(2, max_iter=1, n_init=2, **PLAIN).set_callbacks(notes).fit(X)
    assert notes.told[1:-1] == [
        ("begin", "fit 0"),
        ("begin", "start 0"),
        ("begin", "iteration 0"),
        ("end", "iteration 0"),
        ("end", "start 0"),
        ("begin", "start 1"),
        ("begin", "iteration 0"),
        ("end", "iteration 0"),
        ("end", "start 1"),
        ("end", "fit 0"),
    ]
    assert path(notes.contexts[-3]) == [("fit", 0), ("start", 1), ("iteration", 0)]
    levels = {context.task_name: context.max_subtasks for context in notes.contexts}
    assert levels == {"fit": 2, "start": 1, "iteration": 0}


@pytest.mark.parametrize("max_iter", [0, 7])
def test_the_number_of_iterations_is_announced(X, max_iter):
    notes = Notes()
    GaussianMixture(2, max_iter=max_iter, **PLAIN).set_callbacks(notes).fit(X)
    assert notes.contexts[0].max_subtasks == max_iter
    assert len(notes.told) == 4 + 2 * max_iter


def test_a_warm_start_is_one_start(X):
    model = GaussianMixture(2, n_init=3, random_state=0).fit(X)
    notes = Notes()
    model.set_params(warm_start=True).set_callbacks(notes).fit(X)
    assert {context.task_name for context in notes.contexts} == {"fit", "iteration"}


@pytest.mark.parametrize(
    "model",
    [Gaussian(), GaussianMixture(2, random_state=0), Mixture(Poisson(), 2, random_state=0)],
    ids=lambda model: type(model).__name__,
)
def test_models_given_to_callbacks_are_those_of_the_iterations(model, X):
    witness, X = Witness(), np.round(np.abs(X))
    weight = np.linspace(1, 2, len(X))
    model = clone(model).set_callbacks(witness).fit(X, sample_weight=weight)
    after = [fitted.score(X, sample_weight=weight) for fitted in witness.models("end")]
    np.testing.assert_allclose(after, model.lower_bounds_, rtol=1e-12)
    assert [fitted.lower_bound_ for fitted in witness.models("end")] == model.lower_bounds_
    before = [fitted.lower_bound_ for fitted in witness.models("begin")]
    assert before[1:] == model.lower_bounds_[:-1]
    np.testing.assert_allclose(
        witness.models("begin")[0].score(X, sample_weight=weight), before[0], rtol=1e-12
    )
    (final,) = witness.models("end", "fit")
    assert final.converged_ == model.converged_
    np.testing.assert_array_equal(final.score_samples(X), model.score_samples(X))


def test_models_of_several_starts_are_the_last_of_each(X):
    witness = Witness()
    GaussianMixture(2, n_init=2, random_state=0).set_callbacks(witness).fit(X)
    ends = [now for now, then in pairwise(witness.given) if then[:2] == ("end", "start")]
    for last, start in zip(ends, witness.models("end", "start"), strict=True):
        assert start.lower_bound_ == last[-1].lower_bound_


def test_callbacks_are_given_the_data_of_the_fit(X):
    witness, y, weight = Witness(), np.arange(300), np.full(300, 2.0)
    model = GaussianMixture(2, max_iter=2, n_init=2, **PLAIN).set_callbacks(witness)
    model.fit(X, y, sample_weight=weight)
    for _, _, *data, metadata, _ in witness.given:
        assert [id(array) for array in data] == [id(X), id(y)]
        assert metadata == {"sample_weight": weight}
    witness.given.clear()
    model.fit(X)
    assert {metadata for *_, metadata, _ in witness.given} == {None}


def test_attributes_are_made_only_where_a_callback_asks(X):
    model = GaussianMixture(2, max_iter=3, **PLAIN)
    made = []
    attributes = model._attributes
    model._attributes = lambda *args: made.append(1) or attributes(*args)
    model.set_callbacks(Notes()).fit(X)
    assert len(made) == 1  # those of the estimator itself


def test_nobody_is_told_where_nobody_listens(X):
    model = GaussianMixture(2)
    assert monitors.FitMonitor(model, X, None, None, model._attributes).loop is None
    model.set_callbacks(Notes())
    assert monitors.FitMonitor(model, X, None, None, model._attributes).loop is not None
    model.set_callbacks().set_params(verbose=1)
    assert monitors.FitMonitor(model, X, None, None, model._attributes).loop is not None


# ---- inside of scikit-learn -----------------------------------------------------------------


class Travelling(Notes):
    """A callback that is set on the outermost estimator."""

    max_propagation_depth = None


def test_a_fit_in_a_pipeline_is_a_task_of_the_pipeline(X):
    notes = Travelling()
    model = make_pipeline(StandardScaler(), GaussianMixture(2, max_iter=1, **PLAIN))
    model.set_callbacks(notes).fit(X)
    iteration = next(context for context in notes.contexts if context.task_name == "iteration")
    assert path(iteration) == [("fit", 0), ("fit", 1), ("iteration", 0)]
    assert iteration.parent.source_task_name == "fit-final-estimator"
    assert [what for what, _ in notes.told].count("teardown") == 1


def test_fits_in_a_search_are_tasks_of_the_search(X):
    notes = Travelling()
    model = GaussianMixture(max_iter=1, n_init=2, **PLAIN)
    GridSearchCV(model, {"n_components": [1, 2]}, cv=2).set_callbacks(notes).fit(X)
    depths = [len(path(c)) for c in notes.contexts if c.task_name == "iteration"]
    assert depths == [5] * 16 + [4] * 4  # twice each: search > fold > start, refit > start


def test_scikit_learn_s_scoring_monitor_works(X):
    def scores(model, X, y, sample_weight=None):
        return {"score": model.score(X, sample_weight=sample_weight)}

    monitor = ScoringMonitor(scoring=scores)
    model = GaussianMixture(2, random_state=0).set_callbacks(monitor)
    model.fit(X, np.zeros(300), sample_weight=np.arange(300.0))
    seen = [row["score"] for row in monitor.get_logs().data if row["task_name"] == "iteration"]
    np.testing.assert_allclose(seen, model.lower_bounds_, rtol=1e-12)


@pytest.mark.parametrize("n_init", [1, 2])
def test_scikit_learn_s_progress_bar_works(n_init, X, capsys):
    pytest.importorskip("rich")
    model = GaussianMixture(2, n_init=n_init, random_state=0)
    model.set_callbacks(ProgressBar()).fit(X)
    shown = capsys.readouterr().out
    assert "GaussianMixture - fit" in shown
    assert ("GaussianMixture - start #1" in shown) == (n_init == 2)
    assert set(re.findall(r"(\d+)%", shown)) == {"100"}


# ---- ends -----------------------------------------------------------------------------------


def test_a_callback_ends_the_iterations(X):
    """What was reached by then is the model, and no warning gives advice about max_iter."""
    notes = Notes(at=("end", "iteration 2"), by=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = GaussianMixture(2, max_iter=50, **PLAIN).set_callbacks(notes).fit(X)
    expected = GaussianMixture(2, max_iter=3, **PLAIN).fit(X)
    assert model.n_iter_ == 3
    assert not model.converged_
    np.testing.assert_array_equal(model.means_, expected.means_)
    assert notes.told[-3:] == [("end", "iteration 2"), ("end", "fit 0"), ("teardown", "fit")]


def test_a_callback_ends_one_start_and_the_next_begins(X):
    notes = Notes(at=("end", "iteration 1"), by=True)
    GaussianMixture(2, n_init=2, **PLAIN).set_callbacks(notes).fit(X)
    assert notes.told.count(("end", "iteration 1")) == 2
    assert ("begin", "iteration 2") not in notes.told


def test_a_callback_ends_the_starts(X):
    notes = Notes(at=("end", "start 0"), by=True)
    GaussianMixture(2, n_init=3, random_state=0).set_callbacks(notes).fit(X)
    assert ("begin", "start 1") not in notes.told
    assert notes.told[-2] == ("end", "fit 0")


@pytest.mark.parametrize("at", [("begin", "fit 0"), ("end", "iteration 1"), ("end", "fit 0")])
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_callbacks_are_torn_down_whatever_comes(at, error, X):
    notes = Notes(at=at, by=error)
    with pytest.raises(error):
        GaussianMixture(2, **PLAIN).set_callbacks(notes).fit(X)
    assert notes.told[-1] == ("teardown", "fit")
    assert notes.told[-2] == at


def test_an_error_of_a_callback_leaves_no_model(X):
    model = GaussianMixture(2, **PLAIN)
    with pytest.raises(RuntimeError, match="by a callback"):
        model.set_callbacks(Notes(("end", "iteration 1"), RuntimeError)).fit(X)
    with pytest.raises(NotFittedError):
        model.score(X)


def test_bad_data_tear_callbacks_down(X):
    notes = Notes()
    with pytest.raises(ValueError, match="infinite"):
        GaussianMixture(2).set_callbacks(notes).fit(np.full((5, 2), np.inf))
    assert notes.told == [("setup", "fit"), ("begin", "fit 0"), ("teardown", "fit")]


def test_ctrl_c_in_an_iteration_keeps_what_was_reached(X):
    notes = Notes(at=("end", "iteration 3"), by=KeyboardInterrupt)
    model = GaussianMixture(2, **PLAIN).set_callbacks(notes)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X)
    assert model.n_iter_ == 4
    assert not model.converged_
    assert model.score(X) == pytest.approx(model.lower_bound_, rel=1e-12)


class SecondStart(Notes):
    """Ctrl-C in the first iteration of the second start."""

    def _note(self, hook, context):
        super()._note(hook, context)
        if hook == "end" and path(context)[-2:] == [("start", 1), ("iteration", 0)]:
            raise KeyboardInterrupt


@pytest.mark.parametrize(
    "interrupt",
    [
        Notes(("end", "start 0"), KeyboardInterrupt),
        Notes(("begin", "start 1"), KeyboardInterrupt),
        SecondStart(),
    ],
    ids=["at the end of the first", "before the second", "in the second"],
)
def test_ctrl_c_keeps_the_best_of_the_starts(interrupt, X):
    model = GaussianMixture(2, n_init=3, random_state=0)
    expected = clone(model).set_params(n_init=1).fit(X)
    with pytest.raises(KeyboardInterrupt):
        model.set_callbacks(interrupt).fit(X)
    assert model.lower_bound_ >= expected.lower_bound_
    assert model.score(X) == pytest.approx(model.lower_bound_, rel=1e-12)
    tasks = {("end", "start 1"), ("begin", "start 2"), ("end", "fit 0")}
    assert not tasks & set(interrupt.told)


# ---- progress -------------------------------------------------------------------------------

LINE = (
    r"GaussianMixture(?P<start>, start \d/\d)?: iteration (?P<n>\d+), objective -\d\.\d{6} "
    r"\(\+\d\.\de[+-]\d\d\), \d\.\d s(?P<end>, .+)?"
)


def test_progress_is_printed_in_lines_where_there_is_no_terminal(X, capsys):
    model = GaussianMixture(2, verbose=1, verbose_interval=3, max_iter=8, **PLAIN)
    model.fit(X)
    lines = [re.fullmatch(LINE, line) for line in capsys.readouterr().out.splitlines()]
    assert [int(line["n"]) for line in lines] == [3, 6, 8]
    assert [line["end"] for line in lines] == [None, None, ", not converged"]
    assert not any(line["start"] for line in lines)


def test_progress_names_the_start(X, capsys):
    GaussianMixture(2, verbose=1, verbose_interval=10**6, n_init=2, random_state=0).fit(X)
    lines = [re.fullmatch(LINE, line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["start"], line["end"]) for line in lines] == [
        (", start 1/2", ", converged"),
        (", start 2/2", ", converged"),
    ]


def test_progress_is_renewed_in_place_in_a_terminal(X, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(monitors, "get_terminal_size", lambda: type("size", (), {"columns": 40}))
    model = GaussianMixture(2, verbose=1, verbose_interval=1, max_iter=3, **PLAIN)
    model.fit(X)
    shown = capsys.readouterr().out
    assert shown.count("\n") == 1
    assert shown.endswith("\n")
    texts = shown.rstrip("\n").split("\r\x1b[K")[1:]
    assert [len(text) for text in texts] == [39] * 4  # so that a line stays a line


def test_without_verbose_nothing_is_printed(X, capsys):
    GaussianMixture(2, random_state=0).fit(X)
    assert capsys.readouterr().out == ""


def test_progress_tells_of_callbacks_and_ctrl_c(X, capsys):
    model = GaussianMixture(2, verbose=1, verbose_interval=100, **PLAIN)
    model.set_callbacks(Notes(("end", "iteration 3"), True)).fit(X)
    assert capsys.readouterr().out.endswith("s, stopped\n")
    with pytest.raises(KeyboardInterrupt):
        model.set_callbacks(Notes(("end", "iteration 3"), KeyboardInterrupt)).fit(X)
    assert capsys.readouterr().out.endswith("s, interrupted\n")
