"""Bayes' rule over densities."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.datasets import load_iris
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skgen import Gaussian, GaussianMixture, GenerativeClassifier

X, Y = load_iris(return_X_y=True)
DIAG = GaussianMixture(covariance_type="diag", reg_covar=0.0)
FULL = GaussianMixture(covariance_type="full", reg_covar=0.0)
PRIORS = [0.2, 0.3, 0.5]


def members(k):
    return k == Y


@pytest.fixture(scope="module")
def iris():
    return GenerativeClassifier(FULL).fit(X, Y)


@pytest.mark.parametrize("density", [DIAG, Gaussian("diag", reg_covar=0.0)])
@pytest.mark.parametrize("priors", [None, PRIORS])
@pytest.mark.parametrize("weights", [None, 1.0 + np.arange(150) % 4])
def test_diagonal_gaussians_are_gaussian_naive_bayes(density, priors, weights):
    ours = GenerativeClassifier(density, priors=priors).fit(X, Y, sample_weight=weights)
    peer = GaussianNB(priors=priors, var_smoothing=0.0).fit(X, Y, sample_weight=weights)
    assert_allclose(ours.class_prior_, peer.class_prior_, rtol=1e-12)
    joint = peer.predict_joint_log_proba(X)
    assert_allclose(ours.predict_joint_log_proba(X), joint, rtol=1e-8, atol=1e-8)
    assert_allclose(ours.predict_proba(X), peer.predict_proba(X), rtol=1e-8, atol=1e-8)
    assert_array_equal(ours.predict(X), peer.predict(X))


@pytest.mark.parametrize("density", [FULL, Gaussian(reg_covar=0.0)])
@pytest.mark.parametrize("priors", [None, PRIORS])
def test_full_gaussians_are_quadratic_discriminant_analysis(density, priors):
    ours = GenerativeClassifier(density, priors=priors).fit(X, Y)
    peer = QuadraticDiscriminantAnalysis(priors=priors).fit(X, Y)
    assert_allclose(ours.predict_log_proba(X), peer.predict_log_proba(X), rtol=1e-8, atol=1e-8)
    assert_allclose(ours.predict_proba(X), peer.predict_proba(X), rtol=1e-8, atol=1e-8)


def test_the_joint_density_is_prior_times_density_of_the_class(iris):
    for k, density in enumerate(iris.densities_):
        alone = FULL.fit(X[members(k)])
        assert_allclose(density.score_samples(X), alone.score_samples(X), rtol=1e-12)
        expected = alone.score_samples(X) + np.log(1 / 3)
        assert_allclose(iris.predict_joint_log_proba(X)[:, k], expected, rtol=1e-12)


def test_the_density_of_a_row_is_the_sum_over_classes(iris):
    joint = iris.predict_joint_log_proba(X)
    assert_allclose(iris.score_samples(X), logsumexp(joint, axis=1), rtol=1e-12)
    given = joint - iris.score_samples(X)[:, None]
    assert_allclose(iris.predict_log_proba(X), given, rtol=1e-12)


def test_a_missing_entry_is_marginalised(iris):
    gaps = X.copy()
    gaps[:, [0, 2]] = np.nan
    parts = [density.marginal([1, 3]).score_samples(X[:, [1, 3]]) for density in iris.densities_]
    expected = np.column_stack(parts) + np.log(1 / 3)
    assert_allclose(iris.predict_joint_log_proba(gaps), expected, rtol=1e-10)


def test_a_row_that_tells_nothing_has_the_priors_as_its_probabilities():
    model = GenerativeClassifier(FULL, priors=PRIORS).fit(X, Y)
    assert_allclose(model.predict_proba(np.full((1, 4), np.nan))[0], PRIORS, rtol=1e-12)
    tophat = GenerativeClassifier(KernelDensity(kernel="tophat"), priors=PRIORS).fit(X, Y)
    nowhere = np.full((1, 4), 1e3)
    assert tophat.score_samples(nowhere)[0] == -np.inf
    assert_allclose(tophat.predict_proba(nowhere)[0], PRIORS, rtol=1e-12)
    assert tophat.predict(nowhere)[0] == 2


def test_a_class_of_prior_zero_is_never_predicted():
    model = GenerativeClassifier(FULL, priors=[0.5, 0.0, 0.5]).fit(X, Y)
    assert_array_equal(model.predict_proba(X)[:, 1], 0.0)
    assert set(model.predict(X)) == {0, 2}


def test_a_class_without_weight_is_not_there():
    labels = np.array(["setosa", "versicolor", "virginica"])[Y]
    model = GenerativeClassifier(FULL).fit(X, labels, sample_weight=(Y != 1) * 2.0)
    assert_array_equal(model.classes_, ["setosa", "virginica"])
    assert_array_equal(model.class_count_, [100.0, 100.0])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_class_that_cannot_be_fitted_is_named():
    keep = np.concatenate([np.arange(100), [100, 101]])
    labels = np.array(["setosa", "versicolor", "virginica"])[Y]
    with pytest.raises(ValueError, match=r"class 'virginica', which has 2 samples: n_samples=2"):
        GenerativeClassifier(GaussianMixture(3)).fit(X[keep], labels[keep])


@pytest.mark.parametrize(
    ("priors", "message"),
    [([0.5, 0.5], r"shape \(3,\)"), ([0.5, 0.7, -0.2], "nonnegative"), ([0.5, 0.1, 0.1], "0.7")],
)
def test_impossible_priors_are_refused(priors, message):
    with pytest.raises(ValueError, match=message):
        GenerativeClassifier(FULL, priors=priors).fit(X, Y)


def test_samples_follow_priors_and_densities():
    model = GenerativeClassifier(FULL, priors=PRIORS).fit(X, Y)
    drawn, labels = model.sample(20_000, random_state=0)
    assert_allclose(np.bincount(labels) / 20_000, PRIORS, atol=0.01)
    for k, density in enumerate(model.densities_):
        assert_allclose(drawn[labels == k].mean(axis=0), density.means_[0], atol=0.03)
    assert (labels[:50] != labels[0]).any()  # classes come mixed
    again = model.sample(20_000, random_state=0)
    assert_array_equal(again[0], drawn)


def test_samples_come_in_the_container_of_the_fit():
    frame, labels = load_iris(return_X_y=True, as_frame=True)
    drawn, _ = GenerativeClassifier(FULL).fit(frame, labels).sample(3, random_state=0)
    assert isinstance(drawn, pd.DataFrame)
    assert_array_equal(drawn.columns, frame.columns)


def test_threads_change_nothing(iris):
    parallel = GenerativeClassifier(FULL, n_jobs=2).fit(X, Y)
    assert_array_equal(parallel.predict_log_proba(X), iris.predict_log_proba(X))


def test_a_pipeline_is_a_density():
    inside = GenerativeClassifier(make_pipeline(StandardScaler(), FULL)).fit(X, Y)
    assert cross_val_score(inside, X, Y).mean() > 0.95
    # The scaler of each class has its own units: log densities differ by its Jacobian.
    scales = np.array([X[members(k)].std(axis=0) for k in range(3)])
    plain = GenerativeClassifier(FULL).fit(X, Y).predict_joint_log_proba(X)
    shifted = inside.predict_joint_log_proba(X) - np.log(scales).sum(axis=1)
    assert_allclose(shifted, plain, rtol=1e-8)


def test_parameters_of_the_density_are_searched():
    grid = {"density__covariance_type": ["spherical", "full"]}
    search = GridSearchCV(GenerativeClassifier(GaussianMixture()), grid, n_jobs=2).fit(X, Y)
    assert search.best_params_ == {"density__covariance_type": "full"}
    assert search.best_score_ > 0.97


class Steps(DensityMixin, BaseEstimator):
    """A toy density of sequences: independent normal steps, lengths as they were seen."""

    def fit(self, X, y=None, sample_weight=None):
        lengths = [len(x) for x in X]
        weights = np.ones(len(X)) if sample_weight is None else sample_weight
        self.rows_ = Gaussian().fit(np.concatenate(X), sample_weight=np.repeat(weights, lengths))
        self.lengths_ = np.array(lengths)
        return self

    def score_samples(self, X):
        return np.array([self.rows_.score_samples(x).sum() for x in X])

    def sample(self, n_samples=1, random_state=None):
        rng = np.random.default_rng(random_state)
        lengths = rng.choice(self.lengths_, n_samples)
        rows = self.rows_.sample(lengths.sum(), random_state=random_state)
        return np.split(rows, np.cumsum(lengths)[:-1])


@pytest.fixture
def sequences():
    rng = np.random.default_rng(0)
    labels = np.array(["slow", "fast"])[np.arange(40) % 2]
    lengths = rng.integers(3, 9, size=40)
    scales = np.where(labels == "slow", 1.0, 4.0)
    steps = zip(lengths, scales, strict=True)
    return [rng.normal(size=(n, 2)) * scale for n, scale in steps], labels


@pytest.mark.parametrize("as_objects", [False, True])
def test_sequences_are_classified(sequences, as_objects):
    pieces, labels = sequences
    if as_objects:
        objects = np.empty(len(pieces), dtype=object)
        objects[:] = pieces
        pieces = objects
    model = GenerativeClassifier(Steps()).fit(pieces, labels)
    joint = model.predict_joint_log_proba(pieces)
    for k, label in enumerate(model.classes_):
        own = [x for x, y in zip(pieces, labels, strict=True) if y == label]
        expected = Steps().fit(own).score_samples(pieces) + np.log(0.5)
        assert_allclose(joint[:, k], expected, rtol=1e-12)
    assert model.score(pieces, labels) > 0.9
    assert (cross_val_predict(GenerativeClassifier(Steps()), pieces, labels) == labels).mean() > 0.9


def test_sequences_are_drawn(sequences):
    pieces, labels = sequences
    drawn, classes = GenerativeClassifier(Steps()).fit(pieces, labels).sample(300, random_state=0)
    assert drawn.dtype == object
    assert len(drawn) == len(classes) == 300
    spread = {name: np.concatenate(list(drawn[classes == name])).std() for name in ("slow", "fast")}
    assert spread["slow"] == pytest.approx(1.0, abs=0.2)
    assert spread["fast"] == pytest.approx(4.0, abs=0.5)


def test_sequences_have_weights(sequences):
    pieces, labels = sequences
    weights = np.arange(40) // 2 % 3
    weighted = GenerativeClassifier(Steps()).fit(pieces, labels, sample_weight=weights)
    often = np.repeat(np.arange(40), weights)
    repeated = GenerativeClassifier(Steps()).fit([pieces[i] for i in often], labels[often])
    joint = repeated.predict_joint_log_proba(pieces)
    assert_allclose(weighted.predict_joint_log_proba(pieces), joint, rtol=1e-9)


def test_no_samples_are_refused():
    with pytest.raises(ValueError, match="no samples"):
        GenerativeClassifier().fit(np.empty((0, 2)), [])
