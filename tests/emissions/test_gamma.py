import numpy as np
import pytest
from numpy.testing import assert_allclose
from reference import product_log_likelihood
from scipy import stats

from skgen import Mixture
from skgen._sequences import Rows
from skgen.emissions import Exponential, Gamma
from skgen.emissions.exponential import ExponentialParams
from skgen.emissions.gamma import GammaParams


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def with_gaps(X, rng, share=0.3):
    return np.where(rng.random(X.shape) < share, np.nan, X)


def test_log_likelihood_is_that_of_independent_columns(rng):
    shapes = np.array([[0.02, 3.0, 900.0], [1.0, 99.0, 40.0]])
    scales = np.array([[50.0, 2.0, 1e-3], [1e5, 0.1, 0.02]])
    X = with_gaps(rng.gamma(shapes[0], scales[0], (60, 3)) + 1e-9, rng)
    got = Gamma().log_likelihood(GammaParams(shapes, scales), Rows(X))
    expected = product_log_likelihood(
        X, lambda x, k, j: stats.gamma(shapes[k, j], scale=scales[k, j]).logpdf(x), 2
    )
    assert_allclose(got, expected, rtol=1e-11, atol=1e-11)


def test_a_large_shape_is_a_normal_distribution():
    x = np.linspace(0.9997, 1.0003, 7)[:, None]
    got = Gamma().log_likelihood(GammaParams(np.array([[1e8]]), np.array([[1e-8]])), Rows(x))
    assert_allclose(got, stats.norm(1, 1e-4).logpdf(x), atol=2e-3)
    assert_allclose(got[3], 0.5 * np.log(1e8 / (2 * np.pi)), atol=1e-8)


def test_the_fit_is_that_of_scipy(rng):
    for shape in (0.05, 1.0, 7.0, 1e4):
        x = rng.gamma(shape, 3.0, 500)
        model = Mixture(Gamma(), n_components=1).fit(x[:, None])
        a, _, scale = stats.gamma.fit(x, floc=0)
        assert_allclose([model.shapes_[0, 0], model.scales_[0, 0]], [a, scale], rtol=1e-6)


def test_the_shape_solves_the_equation_of_its_likelihood(rng):
    # Minka (2002), equation 1: log a - digamma(a) = log mean(x) - mean(log x).
    x = rng.gamma(7.3, 1 / 4.52, (100, 1))
    model = Mixture(Gamma(), n_components=1).fit(x)
    a = model.shapes_[0, 0]
    assert_allclose(stats.gamma(a).expect(np.log), np.log(x).mean() + np.log(a / x.mean()))


def test_the_unit_does_not_matter(rng):
    X = with_gaps(rng.gamma([[2.0, 9.0]], size=(100, 2)), rng)
    model = Mixture(Gamma(), 2, random_state=0).fit(X)
    for unit in (1e-150, 1e150):
        scaled = Mixture(Gamma(), 2, random_state=0).fit(unit * X)
        assert_allclose(scaled.shapes_, model.shapes_, rtol=1e-6)
        assert_allclose(scaled.scales_ / unit, model.scales_, rtol=1e-6)


def test_a_fixed_shape_of_one_is_the_exponential_distribution(rng):
    X = with_gaps(rng.exponential([3.0, 50.0], (200, 2)), rng)
    gamma = Mixture(Gamma(shape=1), 2, tol=1e-10, random_state=0).fit(X)
    params = ExponentialParams(gamma.scales_)
    assert_allclose(
        Exponential().log_likelihood(params, Rows(X)),
        gamma._emission().log_likelihood(gamma._params().emission, Rows(X)),
        rtol=1e-10,
        atol=1e-10,
    )
    assert gamma._n_parameters() == 5


def test_a_component_of_equal_values_stops_at_the_bound_and_is_named(rng):
    X = np.concatenate([np.full(50, 7.0), rng.gamma(3.0, size=50)])[:, None]
    with pytest.warns(match="no variance in column 0"):
        model = Mixture(Gamma(), 2, random_state=0).fit(X)
    assert model.shapes_.max() < 1e6  # steps of the logarithms of the others say how narrow
    assert np.isfinite(model.score_samples(X)).all()
    assert np.diff(model.lower_bounds_).min() > -1e-10


def test_a_constant_column_has_a_narrow_density():
    model = Mixture(Gamma(), 1)
    with pytest.warns(match="no variance in column 0"):
        model.fit(np.full((5, 1), 3.0))
    assert_allclose(model.shapes_ * model.scales_, 3.0)


def test_imputed_values_are_positive(rng):
    X = np.column_stack([rng.gamma(0.1, size=200), rng.gamma(5.0, size=200)])
    X = with_gaps(X, rng)
    model = Mixture(Gamma(), 1).fit(X)
    for method in ("mean", "mode", "draw"):
        assert (model.impute(X, method, random_state=0) > 0).all()


def test_exponential_log_likelihood_is_that_of_independent_columns(rng):
    scales = np.array([[0.1, 7.0], [1e4, 2.0]])
    X = with_gaps(rng.exponential(scales[0], (60, 2)), rng)
    X[0, 0] = 0.0
    expected = product_log_likelihood(X, lambda x, k, j: stats.expon(0, scales[k, j]).logpdf(x), 2)
    got = Exponential().log_likelihood(ExponentialParams(scales), Rows(X))
    assert_allclose(got, expected, rtol=1e-12, atol=1e-12)


def test_the_map_scale_is_the_mode_of_the_gamma_posterior_of_the_rate(rng):
    x = rng.exponential(3.0, (40, 1))
    model = Mixture(Exponential(shape=5.0, rate=2.0), 1).fit(x)
    posterior = stats.gamma(5.0 + 40, scale=1 / (2.0 + x.sum()))
    rate = (posterior.args[0] - 1) * posterior.kwds["scale"]
    assert_allclose(model.scales_, 1 / rate, rtol=1e-12)


def test_a_component_of_zeros_is_named_and_has_a_finite_density():
    X = np.concatenate([np.zeros(50), np.linspace(5, 50, 50)])[:, None]
    with pytest.warns(match="only zeros in column 0; .* rate > 0"):
        model = Mixture(Exponential(), 2, random_state=0).fit(X)
    assert np.isfinite(model.score_samples(X)).all()
    Mixture(Exponential(shape=2.0, rate=1.0), 2, random_state=0).fit(X)


@pytest.mark.parametrize(
    ("emission", "bad"), [(Gamma(), 0.0), (Gamma(), -1.0), (Exponential(), -1.0)]
)
def test_values_outside_the_support_are_refused_or_have_no_density(emission, bad):
    X = np.array([[1.0, 2.0], [3.0, bad], [np.nan, 5.0]])
    name = type(emission).__name__
    with pytest.raises(ValueError, match=f"X has {bad:g} in row 1, column 1, but {name}"):
        emission.adapt(Rows(X))
    params = Mixture(emission, 1).fit([[1.0, 2.0], [2.0, 1.0]])._params().emission
    got = emission.log_likelihood(params, Rows(X))
    assert np.isneginf(got[1, 0])
    assert np.isfinite(got[[0, 2]]).all()


@pytest.mark.parametrize("emission", [Gamma(shape=0), Exponential(shape=0.5), Exponential(rate=-1)])
def test_impossible_hyperparameters_are_refused(emission):
    with pytest.raises(ValueError, match=f"parameter of {type(emission).__name__} must be"):
        emission.adapt(Rows(np.ones((2, 1))))
