"""An estimator among scikit-learn's tools: checks, searches, pipelines, copies, callbacks."""

import io
import os
import pickle
import re
import signal
import threading
import time
import tracemalloc
import warnings

import joblib
import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import (
    GridSearchCV,
    TimeSeriesSplit,
    cross_val_predict,
    cross_val_score,
    train_test_split,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from skgen import (
    GMMHMM,
    HMM,
    Checkpoint,
    DensityImputer,
    DensityOutlierDetector,
    EarlyStopping,
    GaussianHMM,
    GenerativeClassifier,
    LikelihoodMonitor,
    PoissonHMM,
    SequenceTransformer,
    TimeLimit,
    emissions,
)
from skgen._kernels._threads import limit_threads


@parametrize_with_checks(
    [
        HMM(),
        GaussianHMM(),
        GaussianHMM(covariance_type="full"),
        GMMHMM(n_mix=2),
        HMM(emissions.StudentT(dof=4.0)),
    ]
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore:.*SCIPY_ARRAY_API")
def test_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


ORDER = "a repeated row is another step of the chain, and rows in another order another sequence"


@parametrize_with_checks(
    [HMM(n_components=2), GaussianHMM(2, topology="left-right")],
    expected_failed_checks=lambda _: {"check_sample_weight_equivalence_on_dense_data": ORDER},
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore:.*SCIPY_ARRAY_API")
def test_the_checks_of_scikit_learn_of_several_states(estimator, check):
    check(estimator)


def make(rng, n=12, length=(20, 40)):
    """Sequences of two regimes, of different lengths."""
    X = []
    for _ in range(n):
        z = np.repeat(rng.permutation(2), rng.integers(*length) // 2)
        X.append(rng.normal(size=(len(z), 2)) + 3.0 * z[:, None])
    return X


@pytest.fixture
def X(rng):
    return make(rng)


# ---- model selection -------------------------------------------------------------------------


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_a_grid_over_states_and_covariances(X, n_jobs):
    grid = {"n_components": [1, 2], "emission__covariance_type": ["full", "diag"]}
    model = HMM(emissions.Gaussian(), random_state=0)
    search = GridSearchCV(model, grid, cv=3, n_jobs=n_jobs).fit(X)
    assert search.best_params_["n_components"] == 2
    assert search.best_estimator_.transmat_.shape == (2, 2)
    assert_allclose(search.score(X), search.best_estimator_.score(X))


def test_cross_validation_takes_sequences_as_samples(X):
    model = GaussianHMM(2, random_state=0)
    scores = cross_val_score(model, X, cv=4)
    assert scores.shape == (4,)
    states = cross_val_predict(model, X, cv=3)
    assert [len(z) for z in states] == [len(x) for x in X]
    probs = cross_val_predict(model, X, cv=3, method="predict_proba")
    assert [p.shape for p in probs] == [(len(x), 2) for x in X]
    train, test = train_test_split(X, random_state=0)
    assert np.isfinite(model.fit(train).score(test))


def test_labels_travel_through_a_search(X):
    y = [np.repeat([0, 1], [5, len(x) - 5]) for x in X]
    fitted = GridSearchCV(GaussianHMM(2), {"transmat_prior": [1.0, 2.0]}, cv=3).fit(X, y)
    assert_allclose(fitted.best_estimator_.startprob_, [1.0, 0.0])


def test_a_pipeline_scales_the_steps(X):
    pipe = make_pipeline(SequenceTransformer(StandardScaler()), GaussianHMM(2, random_state=0))
    classes = [0, 1] * 6  # y of a pipeline may mean anything
    pipe.fit(X, classes)
    stacked = np.concatenate(X)
    scaled = [(x - stacked.mean(axis=0)) / stacked.std(axis=0) for x in X]
    assert_allclose(pipe.score_samples(X), pipe[-1].score_samples(scaled))
    assert_allclose(pipe.score(X), pipe.score_samples(X).mean())
    assert cross_val_score(pipe, X, classes, cv=3).shape == (3,)
    assert [len(z) for z in pipe.predict(X)] == [len(x) for x in X]


def test_weights_are_routed_to_the_model(X):
    weights = np.array([0.0] * 6 + [1.0] * 6)
    with sklearn.config_context(enable_metadata_routing=True):
        model = GaussianHMM(2, random_state=0).set_fit_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        scale = SequenceTransformer(scaler).set_fit_request(sample_weight=False)
        make_pipeline(scale, model).fit(X, sample_weight=weights)
    assert_array_equal(model.lengths_, [len(x) for x in X[6:]])


def test_one_long_series_is_split_in_time(X):
    series = np.concatenate(X)
    model = GaussianHMM(2, random_state=0)
    scores = cross_val_score(model, series, cv=TimeSeriesSplit(3))
    assert np.isfinite(scores).all()
    search = GridSearchCV(model, {"n_components": [1, 2]}, cv=TimeSeriesSplit(3)).fit(series)
    assert search.best_params_ == {"n_components": 2}
    assert search.predict(series).shape == (len(series),)


# ---- wrappers --------------------------------------------------------------------------------


def test_a_classifier_of_sequences(rng):
    slow = make(rng, 20)
    fast = [x[rng.permutation(len(x))] for x in make(rng, 20)]  # the same rows, no regimes
    y = np.repeat(["slow", "fast"], 20)
    model = GenerativeClassifier(GaussianHMM(2, random_state=0))
    assert cross_val_score(model, slow + fast, y, cv=4).mean() > 0.95
    model.fit(slow + fast, y)
    assert_allclose(model.predict_proba(slow + fast).sum(axis=1), 1.0)
    drawn, labels = model.sample(4, random_state=0)
    assert len(drawn) == len(labels) == 4


def test_outliers_of_one_series(rng):
    series = np.concatenate(make(rng, 10))
    series[50] += 25.0
    detector = DensityOutlierDetector(GaussianHMM(2, random_state=0)).fit(series)
    assert detector.predict(series)[50] == -1


def test_gaps_of_one_series_are_filled_from_their_neighbours(rng):
    series = np.concatenate(make(rng, 10))
    gap = np.where(np.arange(len(series)) % 9 == 4)[0]
    broken = series.copy()
    broken[gap] = np.nan
    with_chain = DensityImputer(GaussianHMM(2, random_state=0)).fit_transform(broken)
    with_mean = np.where(np.isnan(broken), np.nanmean(broken, axis=0), broken)
    assert ((with_chain - series) ** 2).sum() < 0.6 * ((with_mean - series) ** 2).sum()


# ---- the same again --------------------------------------------------------------------------


def test_fitting_twice_gives_the_same_model(X):
    model = GaussianHMM(2, random_state=0).fit(X)
    means, score = model.means_.copy(), model.score_samples(X)
    assert_array_equal(model.fit(X).means_, means)
    assert_array_equal(clone(model).fit(X).score_samples(X), score)


def test_threads_do_not_change_a_bit(rng):
    X = make(rng, 40, (100, 300))
    results = []
    for n in (1, 2):
        with limit_threads(n):
            model = GaussianHMM(3, random_state=0, max_iter=30, tol=0.0)
            with pytest.warns(ConvergenceWarning):
                model.fit(X)
            results.append([model.transmat_, model.means_, model.score_samples(X),
                            np.concatenate(model.predict(X)),
                            np.concatenate(model.predict_proba(X))])  # fmt: skip
    for one, two in zip(*results, strict=True):
        assert_array_equal(one, two)


def test_arguments_set_later_take_effect(X):
    model = GaussianHMM(2, random_state=0).fit(X)
    model.set_params(n_components=3, covariance_type="full", max_iter=2, tol=0.0)
    with pytest.warns(ConvergenceWarning, match="max_iter=2"):
        model.fit(X)
    assert model.covariances_.shape == (3, 2, 2)
    assert model.n_iter_ == 2


def test_a_warm_start_goes_on(X):
    options = {"random_state": 0, "acceleration": False, "tol": 0.0, "init_params": "random"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        through = GaussianHMM(2, max_iter=10, **options).fit(X)
        model = GaussianHMM(2, max_iter=5, warm_start=True, **options).fit(X).fit(X)
    assert_allclose(model.lower_bounds_, through.lower_bounds_[5:], rtol=1e-12)
    assert_allclose(model.means_, through.means_, rtol=1e-10)


@pytest.mark.parametrize("change", [{"n_components": 3}, {"covariance_type": "full"}])
def test_a_warm_start_from_another_model_is_refused(X, change):
    model = GaussianHMM(2, random_state=0, warm_start=True).fit(X)
    with pytest.raises(ValueError, match="warm_start"):
        model.set_params(**change).fit(X)
    with pytest.raises(ValueError, match="warm_start"):
        GaussianHMM(2, random_state=0, warm_start=True).fit(X).fit([x[:, :1] for x in X])


def test_several_starts_keep_the_best(X):
    options = {"init_params": "random_from_data", "random_state": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        one = GaussianHMM(4, **options).fit(X)
        best = GaussianHMM(4, n_init=8, **options).fit(X)
    assert best.lower_bound_ >= one.lower_bound_


# ---- files -----------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["pickle", "joblib", "skops", "clone"])
def test_a_fitted_model_survives(X, how):
    models = [
        GaussianHMM(2, random_state=0).fit(X),
        HMM(emissions.Mixture(emissions.Gaussian("diag")), 2, random_state=0).fit(X),
        PoissonHMM(2, random_state=0).fit(X[0].astype(int).clip(0)),
    ]
    for model in models:
        data = X[0].astype(int).clip(0) if isinstance(model, PoissonHMM) else X
        if how == "clone":
            same = clone(model).fit(data)
        elif how == "pickle":
            same = pickle.loads(pickle.dumps(model))
        elif how == "joblib":
            file = io.BytesIO()
            joblib.dump(model, file)
            same = joblib.load(file)
        else:
            skops = pytest.importorskip("skops.io")
            dumped = skops.dumps(model)
            unknown = skops.get_untrusted_types(data=dumped)
            assert all(name.startswith("skgen.") for name in unknown)
            same = skops.loads(dumped, trusted=unknown)
        assert_array_equal(same.score_samples(data), model.score_samples(data))
        drawn = [m.sample(2, random_state=0)[0] for m in (same, model)]
        assert_array_equal(np.concatenate(drawn[0]), np.concatenate(drawn[1]))


def test_a_fitted_model_is_small(rng):
    model = GaussianHMM(2, random_state=0).fit(rng.normal(size=(20_000, 2)))
    assert len(pickle.dumps(model)) < 5000


# ---- a fit and those who watch it ------------------------------------------------------------


def test_warnings_point_at_the_call(X):
    with pytest.warns(ConvergenceWarning, match="max_iter=1") as caught:
        GaussianHMM(3, max_iter=1, random_state=0).fit(X)
    assert caught[0].filename == __file__
    constant = [np.repeat([[0.0], [5.0], [0.0]], 9, axis=0)]
    with pytest.warns(ConvergenceWarning, match="Degenerate fit: component . has no variance") as c:
        GaussianHMM(2, random_state=0).fit(constant)
    assert c[0].filename == __file__


def test_a_line_of_progress(X, capsys):
    GaussianHMM(2, random_state=0, verbose=1, verbose_interval=2).fit(X)
    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"GaussianHMM: iteration 2, objective -\d\.\d+ \(\+.*\), .* s", lines[0])
    assert lines[-1].endswith("converged")


def test_early_stopping_watches_other_sequences(X):
    callback = EarlyStopping(patience=2, X_val=X[:3])
    model = GaussianHMM(6, random_state=0, tol=0.0).set_callbacks(callback).fit(X[3:])
    assert model.n_iter_ < 500
    monitor = LikelihoodMonitor(X_val=X[:3])
    model = GaussianHMM(2, random_state=0).set_callbacks(monitor).fit(X[3:])
    rows = monitor.get_logs().data
    assert [row["objective"] for row in rows] == model.lower_bounds_
    assert_allclose(rows[-1]["validation"], model.score(X[:3]))


def test_a_checkpoint_is_gone_on_with(X, tmp_path):
    path = tmp_path / "model.joblib"
    model = GaussianHMM(3, random_state=0, max_iter=4, tol=0.0, init_params="random")
    with pytest.warns(ConvergenceWarning):
        model.set_callbacks(Checkpoint(path, every=2)).fit(X)
    loaded = Checkpoint.load(path)
    assert_array_equal(loaded.means_, model.means_)
    assert_array_equal(loaded.score_samples(X), model.score_samples(X))
    further = loaded.set_params(warm_start=True, max_iter=100, tol=1e-6).fit(X)
    assert further.lower_bound_ >= model.lower_bound_


def test_a_time_limit(X):
    model = GaussianHMM(3, random_state=0, tol=0.0).set_callbacks(TimeLimit(1e-9)).fit(X)
    assert model.n_iter_ == 1


def test_ctrl_c_ends_a_long_fit_and_keeps_what_was_reached(rng):
    X = rng.normal(size=(60_000, 4))
    model = GaussianHMM(12, random_state=0, tol=0, max_iter=100_000, init_params="random")
    timer = threading.Timer(2.0, os.kill, (os.getpid(), signal.SIGINT))
    # A job in the background of a shell starts with Ctrl-C ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        timer.start()
        began = time.perf_counter()
        with pytest.raises(KeyboardInterrupt):
            model.fit(X)
    finally:
        signal.signal(signal.SIGINT, before)
    assert time.perf_counter() - began < 60
    assert not model.converged_
    assert np.isfinite(model.score(X[:100]))


@pytest.mark.parametrize("kind", ["full", "diag"])
def test_a_fit_holds_no_array_of_steps_by_states(kind):
    X = np.random.default_rng(0).normal(size=(400_000, 1))
    model = GaussianHMM(8, covariance_type=kind, random_state=0, max_iter=1, tol=0)
    tracemalloc.start()
    with pytest.warns(ConvergenceWarning):
        model.fit(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 18e6  # 26 MB for steps by states
