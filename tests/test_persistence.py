"""Fitted estimators survive every way of writing them down, bit by bit."""

import io
import pickle

import joblib
import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.preprocessing import StandardScaler

import skgen
from skgen.emissions import Bernoulli, Categorical, Poisson

X, Y = load_iris(return_X_y=True)
COUNTS, BITS = X.round(), (X.mean(axis=0) < X).astype(float)
GAPS = np.where(np.random.default_rng(0).random(X.shape) < 0.1, np.nan, X)
TWO = skgen.GaussianMixture(2, covariance_type="tied", random_state=0)
# fitted estimator, data, method whose output must not change
CASES = {
    "Gaussian": (skgen.Gaussian(), GAPS, "score_samples"),
    **{
        f"GaussianMixture, {kind}": (
            skgen.GaussianMixture(2, covariance_type=kind, random_state=0),
            GAPS,
            "score_samples",
        )
        for kind in ("full", "tied", "diag", "spherical")
    },
    "Mixture of Poisson": (skgen.Mixture(Poisson(), 2, random_state=0), COUNTS, "score_samples"),
    "Mixture of Bernoulli": (skgen.Mixture(Bernoulli(), 2, random_state=0), BITS, "score_samples"),
    "Mixture of categorical": (
        skgen.Mixture(Categorical(), 2, random_state=0),
        COUNTS,
        "score_samples",
    ),
    "outliers": (skgen.DensityOutlierDetector(TWO), GAPS, "decision_function"),
    "imputer": (skgen.DensityImputer(TWO), GAPS, "transform"),
    "classifier": (skgen.GenerativeClassifier(TWO), GAPS, "predict_proba"),
    "regressor": (skgen.DensityRegressor(TWO), GAPS[:, :2], "predict"),
    "transformer": (skgen.SequenceTransformer(StandardScaler()), X, "transform"),
    "transformed": (
        skgen.TransformedSequence(StandardScaler(), skgen.AR()),
        X,
        "score_samples",
    ),
}


def by_pickle(model):
    return pickle.loads(pickle.dumps(model))


def by_joblib(model):
    file = io.BytesIO()
    joblib.dump(model, file)
    return joblib.load(io.BytesIO(file.getvalue()))


def by_skops(model):
    skops = pytest.importorskip("skops.io")
    data = skops.dumps(model)
    foreign = skops.get_untrusted_types(data=data)
    assert all(name.startswith("skgen.") for name in foreign), foreign
    return skops.loads(data, trusted=foreign)


@pytest.mark.parametrize("way", [by_pickle, by_joblib, by_skops])
@pytest.mark.parametrize("name", CASES)
def test_a_fitted_estimator_survives(name, way):
    model, data, method = CASES[name]
    fitted = model.fit(data, X[:, 2] if name == "regressor" else Y)
    assert np.array_equal(getattr(way(fitted), method)(data), getattr(fitted, method)(data))


def test_one_name_is_all_that_skops_must_trust():
    skops = pytest.importorskip("skops.io")
    model = skgen.GaussianMixture(2, random_state=0).fit(X)
    assert len(skops.get_untrusted_types(data=skops.dumps(model))) == 1
