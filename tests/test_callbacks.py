"""The callbacks that need no y: likelihood, patience, time and checkpoints."""

import pickle
import threading

import joblib
import numpy as np
import pytest
from sklearn.callback import FitCallback
from sklearn.model_selection import GridSearchCV
from witnesses import PLAIN, Notes, Witness

from skgen import (
    Checkpoint,
    EarlyStopping,
    GaussianMixture,
    LikelihoodMonitor,
    TimeLimit,
)
from skgen import _monitors as monitors

pytestmark = pytest.mark.filterwarnings("ignore:EM did not converge")


@pytest.fixture
def X(rng):
    """Rows of two groups that overlap."""
    return rng.normal(size=(300, 2)) + 1.5 * rng.integers(0, 2, (300, 1))


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
