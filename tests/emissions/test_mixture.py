import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.model_selection import GridSearchCV

import skgen
from skgen._sequences import Rows
from skgen.emissions import Categorical, Gaussian, Mixture, Poisson
from skgen.emissions._base import Emission
from skgen.emissions.mixture import split


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def four_groups(rng, n=400):
    X = rng.standard_normal((n, 2)) + np.array([[-9, 0], [-9, 6], [9, 0], [9, 6]])[np.arange(n) % 4]
    return np.where(rng.random(X.shape) < 0.1, np.nan, X)


def fitted(rng, emission, n_components=2):
    X = four_groups(rng)
    rows, resp = Rows(X), np.eye(n_components)[(X[:, 0] > 0).astype(int) % n_components]
    emission = emission.adapt(rows, n_components)
    return emission, rows, emission.initialize(rows, resp), resp


@pytest.mark.parametrize("kind", ["full", "tied", "diag", "spherical"])
def test_log_likelihood_is_the_weighted_sum_over_parts(rng, kind):
    emission, rows, params, _ = fitted(rng, Mixture(Gaussian(kind)))
    inner = Gaussian(kind)
    flat = emission._flat(params)
    parts = inner.log_likelihood(flat, rows).reshape(-1, 2, 2) + np.log(params.inner_weights)
    expected = np.logaddexp.reduce(parts, axis=2)
    expected[rows.missing.all(axis=1)] = 0
    assert_allclose(emission.log_likelihood(params, rows), expected, rtol=1e-12, atol=1e-13)


def test_parameters_have_the_parts_as_second_axis(rng):
    shapes = {"full": (2, 3, 2, 2), "tied": (2, 2), "diag": (2, 3, 2), "spherical": (2, 3)}
    for kind, shape in shapes.items():
        _, _, params, _ = fitted(rng, Mixture(Gaussian(kind), 3))
        assert params.inner_weights.shape == (2, 3)
        assert params.means.shape == (2, 3, 2)
        assert params.covariances.shape == shape


def test_the_parts_start_as_the_groups_within_a_component(rng):
    _, _, params, _ = fitted(rng, Mixture(Gaussian()))
    heights = np.sort(params.means[..., 1], axis=1)
    assert_allclose(heights, [[0, 6], [0, 6]], atol=1)


def test_a_model_of_one_component_is_the_mixture(rng):
    X = four_groups(rng)
    nested = skgen.Mixture(Mixture(Gaussian(), 4), n_components=1, tol=1e-10).fit(X)
    plain = skgen.Mixture(Gaussian(), n_components=4, tol=1e-10, random_state=0).fit(X)
    assert_allclose(nested.score(X), plain.score(X), rtol=1e-7)
    assert nested.bic(X) == pytest.approx(plain.bic(X), rel=1e-7)
    assert_allclose(nested.impute(X), plain.impute(X), rtol=1e-3, atol=1e-3)


def test_mixtures_of_one_part_are_the_emission(rng):
    X = four_groups(rng)
    nested = skgen.Mixture(Mixture(Gaussian(), 1), n_components=2, random_state=0).fit(X)
    plain = skgen.Mixture(Gaussian(), n_components=2, random_state=0).fit(X)
    assert_allclose(nested.means_[:, 0], plain.means_, rtol=1e-6)
    assert_allclose(nested.score_samples(X), plain.score_samples(X), rtol=1e-6)


@pytest.mark.parametrize("inner", [Gaussian(), Gaussian("tied"), Poisson()])
def test_the_compiled_pass_gives_what_the_plain_one_gives(rng, inner):
    X = rng.poisson(4.0, (200, 3)).astype(float)
    X[rng.random(X.shape) < 0.2] = np.nan
    X[3] = np.nan
    rows, resp = Rows(X, rng.random(200)), rng.dirichlet([1, 1], 200)
    emission = Mixture(inner).adapt(rows, 2)
    params, log_weights = emission.initialize(rows, resp), np.log([0.3, 0.7])
    fused = emission.expectation(log_weights, params, rows)
    plain = Emission.expectation(emission, log_weights, params, rows)
    assert_allclose(fused.log_lik, plain.log_lik, rtol=1e-12)
    assert_allclose(fused.weight, plain.weight, rtol=1e-12)
    ahead = zip(
        emission.maximize(fused.statistics), emission.maximize(plain.statistics), strict=True
    )
    for a, b in ahead:
        assert_allclose(a, b, rtol=1e-10)


def test_clusters_do_not_depend_on_how_weights_are_written(rng):
    points, repeats = rng.standard_normal((60, 2)), rng.integers(0, 4, 60)
    weighted = split(points, repeats.astype(float), 3)
    copies = split(np.repeat(points, repeats, axis=0), np.ones(repeats.sum()), 3)
    assert_array_equal(copies, np.repeat(weighted, repeats))
    assert len(np.unique(copies)) == 3


def test_more_parts_than_distinct_rows_have_parameters():
    X = np.repeat([[0.0], [1.0]], 5, axis=0)
    model = skgen.Mixture(Mixture(Gaussian(reg_covar=0.1), 4), n_components=1).fit(X)
    assert np.isfinite(model.means_).all()
    start = model._emission().adapt(Rows(X)).initialize(Rows(X), np.ones((10, 1)))
    assert start.inner_weights.min() > 0.01  # EM leaves a weight of zero as it is
    assert_allclose(model.inner_weights_.sum(axis=1), 1)


def test_hyperparameters_within_are_reached_by_a_search(rng):
    X = np.nan_to_num(four_groups(rng, 80))
    model = skgen.Mixture(Mixture(Gaussian()), random_state=0)
    grid = {"emission__n_components": [1, 4], "emission__emission__covariance_type": ["spherical"]}
    search = GridSearchCV(model, grid, cv=2).fit(X)
    assert search.best_params_["emission__n_components"] == 4


def test_a_collapsed_part_is_named():
    X = np.concatenate([np.zeros(20), np.linspace(5, 6, 20)])[:, None]
    emission = Mixture(Gaussian()).adapt(Rows(X), 1)
    params = emission.initialize(Rows(X), np.ones((40, 1)))
    params.covariances[0, 1] = emission._inner._bound.floor
    found = emission.degenerate(params)
    assert found[0].startswith("part 1 of component 0 has no variance")


def test_a_mixture_of_a_mixture_is_refused():
    with pytest.raises(ValueError, match="raise n_components instead"):
        Mixture(Mixture(Categorical())).adapt(Rows(np.zeros((3, 1))))


@pytest.mark.parametrize("given", [skgen.Gaussian(), Poisson, "poisson"], ids=repr)
@pytest.mark.parametrize("model", [skgen.Mixture, skgen.HMM, lambda e: skgen.Mixture(Mixture(e))])
def test_what_is_no_emission_is_refused_with_its_class(model, given):
    kind = given if isinstance(given, type) else type(given)
    words = rf"such as skgen\.emissions\.Gaussian\(\), or None.*{kind.__module__}"
    with pytest.raises(ValueError, match=words):
        model(given).fit(np.eye(3))
