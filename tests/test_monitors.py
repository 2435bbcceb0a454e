"""What callbacks see of a fit, how they end it, and the callbacks that need no y."""

import pickle
import re
import sys
import threading
import warnings
from itertools import pairwise

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.callback import FitCallback, ProgressBar, ScoringMonitor
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skgen import (
    Checkpoint,
    EarlyStopping,
    Gaussian,
    GaussianMixture,
    LikelihoodMonitor,
    Mixture,
    TimeLimit,
)
from skgen import _monitors as monitors
from skgen.emissions import Poisson

pytestmark = pytest.mark.filterwarnings("ignore:EM did not converge")

# Plain EM from one start, which goes on until it is told to stop.
PLAIN = {"init_params": "kmeans", "acceleration": False, "tol": 0.0, "random_state": 0}


@pytest.fixture
def X(rng):
    """Rows of two groups that overlap."""
    return rng.normal(size=(300, 2)) + 1.5 * rng.integers(0, 2, (300, 1))


class Notes:
    """A callback that writes down the hooks called, and may end the fit at a task."""

    def __init__(self, at=None, by=None):
        self.at, self.by, self.told, self.contexts = at, by, [], []

    def setup(self, estimator, context):
        self.told.append(("setup", context.task_name))

    def teardown(self, estimator, context):
        self.told.append(("teardown", context.task_name))

    def on_fit_task_begin(self, estimator, context, **given):
        return self._note("begin", context)

    def on_fit_task_end(self, estimator, context, **given):
        return self._note("end", context)

    def _note(self, hook, context):
        self.contexts.append(context)
        self.told.append((hook, f"{context.task_name} {context.task_id}"))
        if self.told[-1] != self.at:
            return None
        if isinstance(self.by, type):
            raise self.by("by a callback")
        return self.by


class Witness(Notes):
    """Also keeps what the hooks are given."""

    def __init__(self):
        super().__init__()
        self.given = []

    def on_fit_task_begin(
        self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None
    ):
        self._keep("begin", context, X, y, metadata, fitted_estimator)

    def on_fit_task_end(
        self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None
    ):
        self._keep("end", context, X, y, metadata, fitted_estimator)

    def _keep(self, hook, context, X, y, metadata, fitted):
        self._note(hook, context)
        self.given.append((hook, context.task_name, X, y, metadata, fitted))

    def models(self, hook, task="iteration"):
        return [fitted for h, name, *_, fitted in self.given if (h, name) == (hook, task)]


def path(context):
    """Names and numbers of the tasks from the root to this one."""
    here = [(context.task_name, context.task_id)]
    return here if context.parent is None else [*path(context.parent), *here]


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


# ---- callbacks that need no y ---------------------------------------------------------------

CALLBACKS = {
    "likelihood": lambda folder: LikelihoodMonitor(X_val=np.zeros((3, 2))),
    "patience": lambda folder: EarlyStopping(X_val=np.zeros((3, 2))),
    "time": lambda folder: TimeLimit(60),
    "checkpoint": lambda folder: Checkpoint(folder / "model.joblib"),
}


@pytest.mark.parametrize("name", CALLBACKS)
def test_callbacks_follow_scikit_learn_s_protocol_and_pickle(name, X, tmp_path):
    callback = pickle.loads(pickle.dumps(CALLBACKS[name](tmp_path)))
    assert isinstance(callback, FitCallback)
    model = GaussianMixture(2, random_state=0).set_callbacks(callback).fit(X)
    again = pickle.loads(pickle.dumps(model)).fit(X)  # the callback goes with the model
    np.testing.assert_array_equal(again.means_, model.means_)


@pytest.mark.parametrize("name", CALLBACKS)
def test_callbacks_keep_nothing_of_a_fit_that_failed(name, X, tmp_path):
    callback = CALLBACKS[name](tmp_path)
    broken = Notes(("end", "iteration 2"), RuntimeError)
    with pytest.raises(RuntimeError):
        GaussianMixture(2, **PLAIN).set_callbacks(callback, broken).fit(X)
    assert not any(getattr(callback, kept, None) for kept in ("_runs", "_ends", "_fits"))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: EarlyStopping(patience=0),
        lambda: EarlyStopping(min_delta=-1.0),
        lambda: TimeLimit(0),
        lambda: Checkpoint("model", every=0),
    ],
)
def test_impossible_arguments_are_refused(wrong):
    with pytest.raises(ValueError, match=r"The '\w+' parameter of [\w.]+ must be"):
        wrong()


def test_likelihood_monitor_records_the_objective(X):
    monitor = LikelihoodMonitor()
    model = GaussianMixture(2, random_state=0).set_callbacks(monitor).fit(X)
    assert [row["objective"] for row in monitor.get_logs().data] == model.lower_bounds_
    model.fit(X[:200])
    assert [row["objective"] for row in monitor.get_logs().data] == model.lower_bounds_
    assert len(monitor.get_logs("all")) == 2


def test_likelihood_monitor_scores_other_rows(X):
    monitor, witness = LikelihoodMonitor(X_val=X[:100]), Witness()
    GaussianMixture(2, random_state=0).set_callbacks(monitor, witness).fit(X[100:])
    seen = [row["validation"] for row in monitor.get_logs().data]
    assert seen == [fitted.score(X[:100]) for fitted in witness.models("end")]


def test_likelihood_monitor_tells_starts_apart(X):
    monitor = LikelihoodMonitor()
    model = GaussianMixture(2, n_init=3, random_state=0).set_callbacks(monitor).fit(X)
    curves = {}
    for row in monitor.get_logs().data:
        curves.setdefault(row["parent_task_id_path"], []).append(row["objective"])
    assert list(curves) == [(0, 0), (0, 1), (0, 2)]
    assert model.lower_bounds_ in list(curves.values())


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_likelihood_monitor_hears_of_parallel_fits(backend, X):
    monitor = LikelihoodMonitor(X_val=X)
    model = GaussianMixture(random_state=0).set_callbacks(monitor)
    search = GridSearchCV(model, {"n_components": [1, 2]}, cv=2, n_jobs=2)
    with joblib.parallel_backend(backend):
        search.fit(X)
    rows = monitor.get_logs().data
    assert {row["parent_task_id_path"] for row in rows} == {
        (0, 1),
        *((0, 0, fold) for fold in range(4)),
    }
    best = [row["objective"] for row in rows if row["parent_task_id_path"] == (0, 1)]
    assert best == search.best_estimator_.lower_bounds_


def test_likelihood_monitor_scores_models_without_an_objective(X):
    class Model:
        def score(self, X, sample_weight=None):
            return float(np.sum(sample_weight))

    values = monitors._likelihoods(Model(), X, None, sample_weight=np.ones(3))
    assert values == {"objective": 3.0}


class Curve:
    """What stands for a fitted model: its objective, and its score of any rows."""

    def __init__(self, objective, validation=np.nan):
        self.lower_bound_, self.validation = objective, validation

    def score(self, X):
        return self.validation


def stopped_at(callback, models):
    """The number of the model at which a callback asks to stop, or None."""

    class Task:
        def __init__(self, max_subtasks):
            self.max_subtasks = max_subtasks

    callback.setup("estimator", Task(5))
    callback.on_fit_task_begin("estimator", Task(5))
    for n, model in enumerate(models):
        callback.on_fit_task_begin("estimator", Task(0))
        if callback.on_fit_task_end("estimator", Task(0), fitted_estimator=model):
            return n
    return None


def test_patience_counts_iterations_without_improvement():
    curve = [0.0, 1.0, 1.0, 0.5, 1.1, 1.1, 1.1, 1.1, 1.1]
    models = [Curve(value) for value in curve]
    assert stopped_at(EarlyStopping(patience=1), models) == 2
    assert stopped_at(EarlyStopping(patience=2), models) == 3
    assert stopped_at(EarlyStopping(patience=3), models) == 7
    assert stopped_at(EarlyStopping(patience=5), models) is None
    assert stopped_at(EarlyStopping(patience=3, min_delta=0.2), models) == 4


def test_patience_is_with_the_validation_score_where_there_are_rows_for_it():
    models = [Curve(n, -n) for n in range(5)]
    assert stopped_at(EarlyStopping(patience=2), models) is None
    assert stopped_at(EarlyStopping(patience=2, X_val=[[0.0]]), models) == 2


def test_patience_begins_anew_with_each_start(X):
    callback, notes = EarlyStopping(patience=4, min_delta=100.0), Notes()
    GaussianMixture(2, n_init=2, **PLAIN).set_callbacks(callback, notes).fit(X)
    told = [name for hook, name in notes.told if hook == "end"]
    starts = [[*(f"iteration {n}" for n in range(5)), f"start {start}"] for start in range(2)]
    assert told == [*starts[0], *starts[1], "fit 0"]


def test_patience_of_fits_in_threads_is_their_own(X):
    callback = EarlyStopping(patience=3, min_delta=100.0)
    model = GaussianMixture(**PLAIN).set_callbacks(callback)
    search = GridSearchCV(model, {"n_components": [2, 3, 4]}, cv=3, n_jobs=4, refit=False)
    lengths = []
    finish = GaussianMixture._finish
    with pytest.MonkeyPatch.context() as patch, joblib.parallel_backend("threading"):
        patch.setattr(
            GaussianMixture,
            "_finish",
            lambda self, *args: (finish(self, *args), lengths.append(self.n_iter_)),
        )
        search.fit(X)
    assert lengths == [4] * 9


def test_a_time_limit_ends_all_starts(X, monkeypatch):
    now = iter(range(1000))
    monkeypatch.setattr(monitors.time, "monotonic", lambda: next(now))
    notes = Notes()
    model = GaussianMixture(2, n_init=3, **PLAIN).set_callbacks(notes, TimeLimit(4)).fit(X)
    assert model.n_iter_ == 4  # one second each
    assert not model.converged_
    assert ("begin", "start 1") not in notes.told


def test_a_time_limit_is_that_of_each_fit(X, monkeypatch):
    now = iter(range(1000))
    monkeypatch.setattr(monitors.time, "monotonic", lambda: next(now))
    model = GaussianMixture(2, **PLAIN).set_callbacks(TimeLimit(4))
    assert [model.fit(X).n_iter_ for _ in range(2)] == [4, 4]


# ---- checkpoints ----------------------------------------------------------------------------


def written(folder, monkeypatch):
    """The numbers of iterations of the models, as they are written."""
    seen = []
    replace = monitors.os.replace

    def note(new, path):
        seen.append(joblib.load(new).n_iter_)
        replace(new, path)

    monkeypatch.setattr(monitors.os, "replace", note)
    return seen


def test_checkpoints_come_at_intervals_and_at_the_end(X, tmp_path, monkeypatch):
    seen = written(tmp_path, monkeypatch)
    stop = Notes(("end", "iteration 9"), True)
    model = GaussianMixture(2, **PLAIN)
    model.set_callbacks(Checkpoint(tmp_path / "model", every=4), stop).fit(X)
    assert seen == [4, 8, 10]
    loaded = Checkpoint.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.score_samples(X), model.score_samples(X))
    assert [file.name for file in tmp_path.iterdir()] == ["model"]


def test_a_fit_that_comes_to_its_end_is_written_as_such(X, tmp_path):
    model = GaussianMixture(2, random_state=0).set_callbacks(Checkpoint(tmp_path / "model")).fit(X)
    loaded = Checkpoint.load(tmp_path / "model")
    assert loaded.converged_
    assert loaded.lower_bounds_ == model.lower_bounds_


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_a_fit_that_breaks_off_leaves_its_last_model(error, X, tmp_path, monkeypatch):
    seen = written(tmp_path, monkeypatch)
    callbacks = Checkpoint(str(tmp_path / "model"), every=4), Notes(("end", "iteration 5"), error)
    with pytest.raises(error):
        GaussianMixture(2, **PLAIN).set_callbacks(*callbacks).fit(X)
    assert seen == [4, 6]


def test_the_best_start_is_kept(tmp_path, rng):
    """A later start that is worse does not take the place of an earlier one."""
    X, witness = rng.normal(size=(200, 2)), Witness()
    model = GaussianMixture(3, n_init=3, init_params="random_from_data", random_state=1, tol=1e-3)
    broken = Notes(("end", "start 2"), RuntimeError)
    model.set_callbacks(Checkpoint(tmp_path / "model", every=1), witness, broken)
    with pytest.raises(RuntimeError):
        model.fit(X)
    values = [fitted.lower_bound_ for fitted in witness.models("end", "start")]
    assert np.argmax(values) == 1
    assert Checkpoint.load(tmp_path / "model").lower_bound_ == values[1]


def test_a_loaded_model_goes_on(X, tmp_path):
    stop, witness = Notes(("end", "iteration 4"), True), Witness()
    model = GaussianMixture(2, **PLAIN)
    model.set_callbacks(Checkpoint(tmp_path / "model", every=2), stop, witness).fit(X)
    loaded = Checkpoint.load(tmp_path / "model").set_params(warm_start=True, max_iter=1)
    loaded.fit(X)
    assert loaded.lower_bound_ > model.lower_bound_
    assert not hasattr(loaded, "_skl_callbacks")
    assert all(hasattr(fitted, "_skl_callbacks") for fitted in witness.models("end"))


def test_a_write_that_fails_leaves_the_old_file(X, tmp_path, monkeypatch):
    GaussianMixture(2, random_state=0).set_callbacks(Checkpoint(tmp_path / "model")).fit(X)
    before = (tmp_path / "model").read_bytes()

    def full(model, file):
        file.write(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(monitors.joblib, "dump", full)
    with pytest.raises(OSError, match="No space"):
        GaussianMixture(3, random_state=0).set_callbacks(Checkpoint(tmp_path / "model")).fit(X)
    assert (tmp_path / "model").read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["model"]


def test_a_folder_that_is_not_there_is_told_before_the_fit(X, tmp_path):
    notes = Notes()
    model = GaussianMixture(2).set_callbacks(notes, Checkpoint(tmp_path / "no" / "model"))
    with pytest.raises(FileNotFoundError, match=r"path=.*there is no folder .*; make it"):
        model.fit(X)
    assert notes.told == [("setup", "fit"), ("teardown", "fit")]


def test_checkpoints_in_threads_do_not_mix(X, tmp_path):
    models = [GaussianMixture(k, random_state=0) for k in (2, 3)]
    for k, model in enumerate(models):
        model.set_callbacks(Checkpoint(tmp_path / str(k), every=1))
    threads = [threading.Thread(target=model.fit, args=(X,)) for model in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [Checkpoint.load(tmp_path / str(k)).n_components for k in range(2)] == [2, 3]
