"""The same user code with scikit-learn's GaussianMixture and with ours."""

import os
import signal
import threading
import time
import tracemalloc

import numpy as np
import pytest
from joblib import Parallel, delayed, parallel_config
from numpy.testing import assert_allclose
from sklearn import mixture as peer
from sklearn.base import clone
from sklearn.datasets import load_iris, make_blobs
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skgen

BOTH = pytest.mark.parametrize("GaussianMixture", [peer.GaussianMixture, skgen.GaussianMixture])


@pytest.fixture(scope="module")
def blobs():
    return make_blobs(600, 3, centers=3, cluster_std=1.0, random_state=0)


@BOTH
def test_clustering(GaussianMixture, blobs):
    X, y = blobs
    labels = GaussianMixture(n_components=3, random_state=0).fit_predict(X)
    assert adjusted_rand_score(y, labels) > 0.9


@BOTH
def test_a_pipeline_scores_and_samples(GaussianMixture, blobs):
    X, _ = blobs
    pipe = make_pipeline(StandardScaler(), GaussianMixture(n_components=3, random_state=0)).fit(X)
    assert pipe.score_samples(X).shape == (600,)
    assert_allclose(pipe.score(X), pipe.score_samples(X).mean())
    assert pipe.predict_proba(X).shape == (600, 3)
    drawn, labels = pipe[-1].sample(10)
    assert drawn.shape == (10, 3)
    assert labels.shape == (10,)


@BOTH
@pytest.mark.parametrize("criterion", ["likelihood", "BIC"])
def test_a_grid_finds_the_number_of_components(GaussianMixture, criterion, blobs):
    X, _ = blobs
    scoring = (lambda estimator, X, y=None: -estimator.bic(X)) if criterion == "BIC" else None
    grid = {"n_components": [1, 2, 3, 4], "covariance_type": ["full", "spherical"]}
    search = GridSearchCV(GaussianMixture(random_state=0), grid, scoring=scoring, n_jobs=2, cv=3)
    assert search.fit(X).best_params_["n_components"] == 3


@BOTH
def test_cross_validation_in_a_pipeline(GaussianMixture, blobs):
    X, _ = blobs
    pipe = make_pipeline(StandardScaler(), GaussianMixture(n_components=2, random_state=0))
    scores = cross_val_score(pipe, X, cv=4)
    assert scores.shape == (4,)
    assert np.isfinite(scores).all()


@BOTH
def test_threads_of_joblib(GaussianMixture, blobs):
    X, _ = blobs
    models = [GaussianMixture(n_components=k, random_state=0) for k in (2, 3) * 8]
    with parallel_config(backend="threading", n_jobs=8):
        scores = Parallel()(delayed(lambda m: m.fit(X).score(X))(m) for m in models)
    assert_allclose(scores, [clone(m).fit(X).score(X) for m in models], rtol=1e-12)


@BOTH
def test_every_public_attribute_is_there(GaussianMixture):
    model = GaussianMixture(n_components=2, random_state=0).fit(load_iris().data)
    names = [
        "weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_", "converged_",
        "n_iter_", "lower_bound_", "lower_bounds_", "n_features_in_",
    ]  # fmt: skip
    shapes = {name: np.shape(getattr(model, name)) for name in names if name != "lower_bounds_"}
    assert shapes["means_"] == (2, 4)
    assert shapes["covariances_"] == shapes["precisions_"] == shapes["precisions_cholesky_"]
    assert_allclose(
        model.covariances_ @ model.precisions_, np.tile(np.eye(4), (2, 1, 1)), atol=1e-6
    )


def test_every_parameter_of_scikit_learn_is_taken():
    theirs, ours = peer.GaussianMixture().get_params(), skgen.GaussianMixture().get_params()
    assert set(theirs) <= set(ours)


def test_processes_and_threads_do_not_change_a_bit(blobs):
    X = np.tile(blobs[0], (20, 1)) + np.random.default_rng(0).normal(size=(12_000, 3))
    fit = delayed(lambda seed: skgen.GaussianMixture(3, random_state=seed).fit(X).means_)
    alone = [fit(seed)[0](seed) for seed in range(3)]
    for backend in ("loky", "threading"):
        with parallel_config(backend=backend, n_jobs=2):
            assert np.array_equal(Parallel()(fit(seed) for seed in range(3)), alone)


def test_ctrl_c_ends_a_long_fit_and_keeps_what_was_reached():
    """Measured, not judged: how long the signal takes is for the benchmarks."""
    X = np.random.default_rng(0).normal(size=(200_000, 12))
    model = skgen.GaussianMixture(
        20, random_state=0, tol=0, max_iter=100_000, init_params="random_from_data"
    )
    timer = threading.Timer(1.5, os.kill, (os.getpid(), signal.SIGINT))
    # A job in the background of a shell starts with Ctrl-C ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        timer.start()
        began = time.perf_counter()
        with pytest.raises(KeyboardInterrupt):
            model.fit(X)
    finally:
        signal.signal(signal.SIGINT, before)
    assert time.perf_counter() - began < 60  # it would run for hours
    assert not model.converged_
    assert np.isfinite(model.score(X[:100]))


def test_a_fit_holds_no_array_of_rows_by_components():
    X = np.random.default_rng(0).normal(size=(1_000_000, 2))
    model = skgen.GaussianMixture(8, random_state=0, max_iter=2, tol=0)
    tracemalloc.start()
    with pytest.warns(match="max_iter=2"):
        model.fit(X)
    fit_peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    model.score_samples(X)
    score_peak = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    assert fit_peak < 16e6  # 64 MB for rows by components
    assert score_peak < 8e6 + 1e6  # the output
