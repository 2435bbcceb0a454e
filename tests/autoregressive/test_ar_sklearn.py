"""Autoregressions as estimators of scikit-learn."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from series import ar_series, var_series, with_gaps
from sklearn.base import clone
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, KFold, TimeSeriesSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from skgen import AR, GenerativeClassifier, NonlinearAR, SequenceTransformer, TransformedSequence

IN_ORDER = "rows of one sequence depend on those before"
WEIGHTS = "rows of one sequence cannot be weighted"
EXPECTED = {
    "check_methods_sample_order_invariance": IN_ORDER,
    "check_methods_subset_invariance": IN_ORDER,
    "check_transformer_data_not_an_array": "a list is a list of sequences",
    "check_sample_weights_not_overwritten": WEIGHTS,
    "check_sample_weight_equivalence_on_dense_data": WEIGHTS,
}


FITTED = {"check_estimators_nan_inf": "only the fit of this method refuses missing entries"}


@parametrize_with_checks(
    [AR(), AR(diff=1), AR(method="conditional"), AR(2, method="yule-walker")],
    expected_failed_checks=lambda model: EXPECTED | (FITTED if model.method != "exact" else {}),
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_orders_are_chosen_by_cross_validation_over_time(rng):
    x = with_gaps(ar_series([0.5, 0.3], 400, rng, mean=10.0), 0.1, rng)
    pipeline = make_pipeline(StandardScaler(), AR())
    search = GridSearchCV(pipeline, {"ar__order": [0, 1, 2]}, cv=TimeSeriesSplit(4), n_jobs=2)
    search.fit(x)
    assert search.best_params_ == {"ar__order": 2}
    assert_allclose(search.best_estimator_[-1].coef_, AR(2).fit(x).coef_, atol=1e-5)


def test_lists_of_sequences_are_split_as_samples(rng):
    X = [ar_series([0.5, 0.3], n, rng) for n in rng.integers(5, 60, size=30)]
    scores = cross_val_score(AR(2), X, cv=KFold(5))
    model = AR(2).fit(X[6:])
    assert_allclose(scores[0], model.score_samples(X[:6]).mean())
    search = GridSearchCV(AR(), {"order": [0, 2]}, cv=3, n_jobs=2).fit(X)
    assert search.best_params_ == {"order": 2}


@pytest.mark.parametrize("pooled", [True, False])
def test_models_are_copied_and_written(rng, pooled):
    X = [ar_series([0.5], n, rng) for n in (30, 20)]
    model = AR(1, pooled=pooled).fit(X)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.score_samples(X), model.score_samples(X))
    assert len(pickle.dumps(model)) < 3000
    assert not hasattr(clone(model), "coef_")


def test_a_model_whose_parameters_were_set_by_hand_works(rng):
    model = AR(1)
    model.coef_, model.intercept_, model.noise_variance_ = np.array([0.5]), 1.0, 4.0
    assert model.mean_ == 2.0
    assert_allclose(model.predict(np.array([[2.0], [4.0], [0.0]])), [[2.0], [2.0], [3.0]])
    assert_allclose(model.forecast(1, np.array([[4.0]])).std, 2.0)


def test_frames_stay_frames(rng):
    frame = pd.DataFrame(with_gaps(var_series(50, rng), 0.1, rng), columns=["a", "b"])
    model = AR(1).fit(frame)
    for out in (model.predict(frame), model.impute(frame), model.transform(frame), model.sample(3)):
        assert list(out.columns) == ["a", "b"]
    other = AR(1, exog="b").fit(frame.fillna(0.0))
    assert other.coef_.shape == (1,)


def test_fits_leave_the_data_alone(rng):
    x = with_gaps(ar_series([0.5], 50, rng), 0.2, rng)
    before = x.copy()
    x.flags.writeable = False
    for trend in (None, "constant"):
        model = AR(1, trend=trend).fit(x)
        model.predict(x), model.impute(x), model.forecast(2).sample(2)
    assert_array_equal(x, before)


def test_a_failed_fit_leaves_the_model_as_it_was(rng):
    model = AR(1).fit(ar_series([0.5], 50, rng))
    coef = model.coef_
    with pytest.raises(ValueError, match="needs more"):
        model.set_params(order=30).fit(np.zeros((3, 1)))
    assert model.coef_ is coef


def test_single_precision_is_taken(rng):
    x = ar_series([0.5], 200, rng)
    assert_allclose(AR(1).fit(x.astype(np.float32)).coef_, AR(1).fit(x).coef_, atol=1e-5)


def test_classes_of_sequences_are_told_apart(rng):
    X = [ar_series([c], 60, rng) for c in (0.8, -0.8) * 20]
    y = ["slow", "fast"] * 20
    model = GenerativeClassifier(AR(1)).fit(X[:20], y[:20])
    assert model.score(X[20:], y[20:]) > 0.95


def test_steps_are_scaled_alike(rng):
    X = [ar_series([0.5], n, rng, mean=7.0) for n in (40, 30)]
    pipeline = make_pipeline(SequenceTransformer(StandardScaler()), AR(1)).fit(X)
    assert_allclose(pipeline[-1].coef_, AR(1).fit(X).coef_, atol=1e-6)


def test_rows_of_one_sequence_cannot_be_weighted(rng):
    x = ar_series([0.5], 20, rng)
    with pytest.raises(ValueError, match="weight the sequences"):
        AR(1).fit(x, sample_weight=np.arange(20.0))


@pytest.mark.parametrize(
    "model",
    [
        AR(exog="b"),
        NonlinearAR(LinearRegression(), exog="b"),
        TransformedSequence(StandardScaler(), AR(exog="b")),
    ],
    ids=lambda model: type(model).__name__,
)
def test_pipelines_hand_frames_through(model, rng):
    frame = pd.DataFrame(rng.standard_normal((60, 3)), columns=["a", "b", "c"])
    pipeline = make_pipeline(StandardScaler(), model).set_output(transform="pandas")
    whitened = pipeline.fit(frame).transform(frame)
    assert whitened.columns.tolist() == ["a", "c"]
    assert pipeline.get_feature_names_out().tolist() == ["a", "c"]
    scaled = StandardScaler().set_output(transform="pandas").fit_transform(frame)
    assert_array_equal(clone(model).fit(scaled).transform(scaled), whitened)
    model = model.fit(frame)
    assert model.predict(frame).columns.tolist() == ["a", "c"]
    pieces = model.fit([frame, frame[:9]]).transform([frame, frame[:9]])
    assert pieces[1].columns.tolist() == ["a", "c"]
