"""Nonlinear autoregressions as estimators of scikit-learn."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from recursions import linear, simulated, threshold
from series import ar_series, var_series, with_gaps
from sklearn.base import clone
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold, TimeSeriesSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor
from sklearn.utils.estimator_checks import parametrize_with_checks

from skgen import GenerativeClassifier, NonlinearAR, RecursiveModel

IN_ORDER = "rows of one sequence depend on those before"
EXPECTED = {
    "check_methods_sample_order_invariance": IN_ORDER,
    "check_methods_subset_invariance": IN_ORDER,
    "check_sample_weight_equivalence_on_dense_data": "a row of weight zero is others' past",
    "check_transformer_data_not_an_array": "a list is a list of sequences",
}
TREE = DecisionTreeRegressor(max_depth=3)


@parametrize_with_checks(
    [
        NonlinearAR(LinearRegression(), cv=None),
        NonlinearAR(TREE, residuals="heteroscedastic"),
        NonlinearAR(LinearRegression(), residuals="bootstrap"),
        RecursiveModel(linear, [0.0, 0.1]),
    ],
    expected_failed_checks=lambda _: EXPECTED,
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_orders_are_chosen_by_cross_validation_over_time(rng):
    x = with_gaps(ar_series([0.0, 0.8], 600, rng, mean=10.0), 0.02, rng)
    pipeline = make_pipeline(StandardScaler(), NonlinearAR(LinearRegression(), n_refits=2))
    grid = {"nonlinearar__order": [1, 2]}
    search = GridSearchCV(pipeline, grid, cv=TimeSeriesSplit(4), n_jobs=2).fit(x)
    assert search.best_params_ == {"nonlinearar__order": 2}


def test_parameters_of_the_regressor_are_searched(rng):
    x = simulated(threshold, [0.0, 0.9, -0.9, 0.0], 600, rng)
    grid = {"regressor__max_depth": [1, 4]}
    search = GridSearchCV(NonlinearAR(TREE, random_state=0), grid, cv=TimeSeriesSplit(3)).fit(x)
    assert search.best_params_ == {"regressor__max_depth": 4}


@pytest.mark.parametrize(
    "model", [NonlinearAR(LinearRegression(), 2, cv=None), RecursiveModel(linear, [0.0, 0.1])]
)
def test_lists_of_sequences_are_split_as_samples(rng, model):
    X = [ar_series([0.5, 0.3], n, rng) for n in rng.integers(5, 60, size=30)]
    scores = cross_val_score(model, X, cv=KFold(5), n_jobs=2)
    assert_allclose(scores[0], clone(model).fit(X[6:]).score_samples(X[:6]).mean())


@pytest.mark.parametrize(
    "model", [NonlinearAR(TREE, random_state=0), RecursiveModel(linear, [0.0, 0.1])]
)
def test_models_are_copied_and_written(rng, model):
    x = ar_series([0.5], 100, rng)
    model = clone(model).fit(x)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.score_samples(x), model.score_samples(x))
    assert not hasattr(clone(model), "location_")


def test_frames_stay_frames(rng):
    frame = pd.DataFrame(with_gaps(var_series(60, rng), 0.05, rng), columns=["a", "b"])
    model = NonlinearAR(LinearRegression(), n_refits=1).fit(frame)
    for out in (model.predict(frame), model.impute(frame), model.transform(frame), model.sample(3)):
        assert list(out.columns) == ["a", "b"]
    with_exog = NonlinearAR(LinearRegression(), exog="b").fit(frame.ffill())
    assert with_exog.predict(frame.ffill()).shape == (60, 1)


def test_fits_leave_the_data_alone(rng):
    x = with_gaps(ar_series([0.5], 80, rng), 0.1, rng)
    before = x.copy()
    x.flags.writeable = False
    for model in (NonlinearAR(TREE, n_refits=1), RecursiveModel(linear, [0.0, 0.1], n_refits=1)):
        model.fit(x)
        model.predict(x), model.impute(x), model.forecast(2).sample(2)
    assert_array_equal(x, before)


def test_a_failed_fit_leaves_the_model_as_it_was(rng):
    model = NonlinearAR(TREE).fit(ar_series([0.5], 50, rng))
    kept = model.regressors_
    with pytest.raises(ValueError, match="n_samples=3"):
        model.set_params(order=30).fit(np.zeros((3, 1)))
    assert model.regressors_ is kept


def test_classes_of_sequences_are_told_apart(rng):
    steps = [[0.0, 0.9, -0.9, 0.0], [0.0, -0.9, 0.9, 0.0]]
    X = [simulated(threshold, params, 60, rng) for params in steps * 20]
    y = ["down", "up"] * 20
    model = GenerativeClassifier(NonlinearAR(TREE)).fit(X[:20], y[:20])
    assert model.score(X[20:], y[20:]) > 0.9


def test_classifiers_are_refused():
    with pytest.raises(TypeError, match=r"regressor=LogisticRegression\(\) predicts classes"):
        NonlinearAR(LogisticRegression()).fit(np.arange(50.0)[:, None] ** 2)
