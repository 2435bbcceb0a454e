import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import optimize, stats

from skgen import GaussianMixture, Mixture
from skgen._sequences import Rows
from skgen.emissions import Gaussian, StudentT
from skgen.emissions._gamma import log_minus_digamma, log_rising, shape_of
from skgen.emissions.gaussian import GaussianParams
from skgen.emissions.student import StudentTParams


@pytest.fixture
def rng():
    return np.random.default_rng(0)


FULL = StudentTParams(
    np.array([[1.0, -2.0, 0.5], [0.0, 3.0, 1.0]]),
    np.array([[[2.0, 0.5, 0.1], [0.5, 1.0, -0.3], [0.1, -0.3, 0.7]], np.diag([1.0, 4.0, 0.2])]),
    np.array([2.5, 30.0]),
)


def log_density(X, params):
    """log p(observed entries of row i | k) by scipy, one row at a time."""
    out = np.zeros((len(X), len(params.means)))
    for i, x in enumerate(X):
        seen = ~np.isnan(x)
        for k, (mean, scale, dof) in enumerate(zip(*params, strict=True)):
            if seen.any():
                inner = scale[np.ix_(seen, seen)]
                out[i, k] = stats.multivariate_t(mean[seen], inner, dof).logpdf(x[seen])
    return out


def with_gaps(X, rng, share=0.3):
    return np.where(rng.random(X.shape) < share, np.nan, X)


@pytest.mark.parametrize("share", [0.0, 0.4])
def test_log_likelihood_is_that_of_the_multivariate_t(rng, share):
    X = with_gaps(5 * rng.standard_normal((60, 3)), rng, share)
    assert_allclose(StudentT().log_likelihood(FULL, Rows(X)), log_density(X, FULL), rtol=1e-11)
    tied = FULL._replace(scales=FULL.scales[0])
    expected = log_density(X, FULL._replace(scales=FULL.scales[[0, 0]]))
    assert_allclose(StudentT("tied").log_likelihood(tied, Rows(X)), expected, rtol=1e-11)
    diag = FULL._replace(scales=np.array([*map(np.diag, FULL.scales)]))
    expected = log_density(X, FULL._replace(scales=np.array([*map(np.diag, diag.scales)])))
    assert_allclose(StudentT("diag").log_likelihood(diag, Rows(X)), expected, rtol=1e-11)


def test_with_many_degrees_of_freedom_it_is_the_normal_distribution(rng):
    X = with_gaps(rng.standard_normal((50, 3)), rng)
    params = FULL._replace(dofs=np.array([1e12, 1e12]))
    expected = Gaussian().log_likelihood(GaussianParams(*params[:2]), Rows(X))
    assert_allclose(StudentT().log_likelihood(params, Rows(X)), expected, rtol=1e-9)


def test_the_fit_is_the_maximum_that_a_general_optimiser_finds(rng):
    x = stats.t(3.0, 5.0, 2.0).rvs(400, random_state=rng)
    model = Mixture(StudentT(), n_components=1, tol=1e-12).fit(x[:, None])
    found = [model.dofs_[0], model.means_[0, 0], np.sqrt(model.scales_[0, 0, 0])]
    best = optimize.minimize(
        lambda p: -stats.t(p[0], p[1], p[2]).logpdf(x).sum(),
        [5.0, 4.0, 1.0],
        method="Nelder-Mead",
        options={"xatol": 1e-8, "fatol": 1e-10, "maxiter": 5000},
    )
    assert_allclose(found, best.x, rtol=1e-4)
    assert -best.fun / 400 - model.score(x[:, None]) < 1e-9


@pytest.mark.parametrize("kind", ["full", "tied", "diag"])
@pytest.mark.parametrize("dof", [None, 3.0])
def test_em_climbs_with_and_without_gaps(rng, kind, dof):
    groups = rng.integers(0, 2, 300)
    X = rng.standard_t(2.0, (300, 3)) @ [[1, 0.5, 0], [0, 1, 0.3], [0, 0, 1]] + 3 * groups[:, None]
    for rows in (X, with_gaps(X, rng)):
        emission = StudentT(kind, dof=dof)
        model = Mixture(emission, 2, acceleration=False, tol=1e-8, random_state=0).fit(rows)
        assert np.diff(model.lower_bounds_).min() > -1e-11


def test_outliers_hardly_move_it(rng):
    X = rng.standard_normal((200, 2))
    spoilt = np.vstack([X, np.full((10, 2), 1e3)])
    model = Mixture(StudentT(), 1).fit(spoilt)
    assert np.abs(model.means_).max() < 0.3
    assert np.abs(GaussianMixture().fit(spoilt).means_).max() > 10


def test_light_tails_reach_the_bound_of_the_degrees_of_freedom(rng):
    model = Mixture(StudentT(), 1, tol=1e-10).fit(rng.uniform(-1, 1, (500, 1)))
    assert 50 < model.dofs_[0] <= 1000


def test_a_conditional_has_more_degrees_of_freedom_and_the_joint_density(rng):
    for kind in ("full", "tied", "diag"):
        X = rng.standard_t(3.0, (300, 3)) @ [[1, 0.5, 0], [0, 1, 0.3], [0, 0, 1]]
        model = Mixture(StudentT(kind), 2, random_state=0).fit(X)
        given = np.array([np.nan, 4.0, -1.0])
        joint = np.column_stack([X[:, 0], np.full(300, 4.0), np.full(300, -1.0)])
        conditional = model.conditional(given)
        expected = model.score_samples(joint) - model.score_samples(given[None])
        assert_allclose(conditional.score_samples(X[:, :1]), expected, rtol=1e-9, atol=1e-9)
        assert_allclose(conditional.dofs_, model.dofs_ + 2)


def test_a_pile_of_equal_rows_stops_at_the_floor(rng):
    X = np.vstack([np.zeros((50, 2)), rng.standard_normal((50, 2)) + 9])
    with pytest.warns(match="no variance in some direction"):
        model = Mixture(StudentT(), 2, random_state=0).fit(X)
    assert np.diff(model.lower_bounds_).min() > -1e-10
    assert np.isfinite(model.score_samples(X)).all()


@pytest.mark.parametrize("kind", ["full", "diag", "tied"])
def test_em_climbs_to_the_optimum_above_the_floor(rng, kind):
    X, resp = rng.standard_t(1.5, (200, 2)), rng.dirichlet([1, 1], 200)
    emission, rows = StudentT(kind).adapt(Rows(X), 2), Rows(X)
    emission._adapted._bound = emission._adapted._bound._replace(floor=np.array([4.0, 0.1]))

    def objective(params):
        return (resp * emission.log_likelihood(params, rows)).sum()

    params, values = emission.initialize(rows, resp), []
    for _ in range(400):
        params = emission.maximize(emission.statistics(params, rows, resp))
        values.append(objective(params))
    assert np.diff(values).min() > -1e-10
    assert emission.degenerate(params)
    for size in (1e-4, 1e-2):
        for _ in range(40):
            vector = emission.pack(params)
            other = emission.unpack(vector + size * rng.standard_normal(vector.shape), params)
            assert objective(other) < values[-1] + 1e-8


@pytest.mark.parametrize(("name", "value"), [("dof", 0), ("covariance_type", "spherical")])
def test_impossible_hyperparameters_are_refused(name, value):
    with pytest.raises(ValueError, match=f"'{name}' parameter of StudentT"):
        Mixture(StudentT(**{name: value})).fit(np.ones((3, 1)))


def test_the_rising_product_is_a_sum_of_logarithms():
    for z in (0.3, 7.0, 99.9, 100.1, 1e4, 1e9):
        for n in (0, 1, 2, 57):
            expected = np.log1p(np.arange(n) / z).sum()
            assert_allclose(log_rising(z, n), expected, rtol=1e-11, atol=1e-13)


def test_the_shape_solves_its_equation():
    x = np.array([1e-3, 0.1, 1.0, 17.0, 1e3, 1e7])
    gap, slope = log_minus_digamma(x)
    assert_allclose(shape_of(gap, 1e-6, 1e8), x, rtol=1e-9)
    step = 1e-5
    numeric = (log_minus_digamma(x * (1 - step))[0] - log_minus_digamma(x * (1 + step))[0]) / (
        2 * step * x
    )
    assert_allclose(slope, numeric, rtol=1e-6)
    assert_allclose(shape_of(np.array([0.0, -1.0, 50.0]), 0.05, 500.0), [500.0, 500.0, 0.05])
