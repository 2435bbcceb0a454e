import numpy as np
import pytest
from numpy.testing import assert_allclose
from reference import bernoulli_log_likelihood
from scipy import stats
from scipy.spatial.distance import pdist

from skgen._sequences import Rows
from skgen.emissions import Bernoulli, Categorical
from skgen.emissions.bernoulli import BernoulliParams
from skgen.emissions.categorical import CategoricalParams


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def bits(rng, n=50, d=3, share=0.3):
    X = rng.integers(2, size=(n, d)).astype(float)
    X[rng.random(X.shape) < share] = np.nan
    return X


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_log_likelihood_is_that_of_independent_bernoulli_columns(rng, share):
    probs = np.array([[0.2, 1e-12, 0.4], [0.5, 1 - 1e-12, 0.9]])
    X = bits(rng, share=share)
    got = Bernoulli().log_likelihood(BernoulliParams(probs), Rows(X))
    assert_allclose(got, bernoulli_log_likelihood(X, probs), rtol=1e-12, atol=1e-14)


def test_certain_columns_make_other_rows_next_to_impossible():
    params = BernoulliParams(np.array([[0.0, 1.0, 0.5]]))
    X = np.array([[0.0, 1, 1], [1, 1, 1], [0, 0, 1], [1, 0, np.nan], [0, 1, np.nan]])
    got = Bernoulli().log_likelihood(params, Rows(X))[:, 0]
    never, half = np.log(1e-300), np.log(0.5)
    assert_allclose(got, [half, never + half, never + half, 2 * never, 0.0], rtol=1e-12)


def test_it_is_a_categorical_with_two_categories(rng):
    X, resp = bits(rng), rng.dirichlet(np.ones(2), 50)
    ones, codes = Bernoulli(alpha=2.0, beta=2.0), Categorical(2, concentration=2.0).adapt(Rows(X))
    p, q = (
        e.maximize(e.statistics(e.initialize(Rows(X), resp), Rows(X), resp)) for e in (ones, codes)
    )
    assert_allclose(q.probs[..., 1], p.probs, rtol=1e-12)
    assert_allclose(ones.log_likelihood(p, Rows(X)), codes.log_likelihood(q, Rows(X)), rtol=1e-11)
    assert_allclose(ones.regularizer(p), codes.regularizer(q), rtol=1e-12)
    two = CategoricalParams(np.stack([1 - p.probs, p.probs], axis=-1))
    assert_allclose(ones.log_likelihood(p, Rows(X)), codes.log_likelihood(two, Rows(X)), rtol=1e-11)


def test_exchanging_zeros_and_ones_exchanges_the_probabilities(rng):
    X, resp = bits(rng), rng.dirichlet(np.ones(2), 50)
    X[:, 0] = 1.0  # a column without zeros: its probability is one, to the last bit
    fitted = [
        Bernoulli(*prior).maximize(Bernoulli().statistics(None, Rows(x), resp)).probs
        for x, prior in ((X, (1.0, 1.0)), (1 - X, (1.0, 1.0)), (X, (3.0, 2.0)), (1 - X, (2.0, 3.0)))
    ]
    assert np.all(fitted[0][:, 0] == 1.0)
    assert np.all(fitted[1][:, 0] == 0.0)
    assert_allclose(fitted[0], 1 - fitted[1], rtol=1e-12)
    assert_allclose(fitted[2], 1 - fitted[3], rtol=1e-12)


def test_the_map_probability_is_the_mode_of_the_beta_posterior():
    x = np.array([[1.0], [1.0], [0.0], [1.0], [np.nan]])
    emission = Bernoulli(alpha=5.0, beta=2.0)
    p = emission.maximize(emission.statistics(None, Rows(x), np.ones((5, 1)))).probs[0, 0]
    posterior = stats.beta(5 + 3, 2 + 1)
    assert np.all(posterior.pdf(p) >= posterior.pdf(p + np.array([-1e-3, 1e-3])))
    assert_allclose(p, (8 - 1) / (8 + 3 - 2), rtol=1e-14)


def test_a_start_is_inside():
    X = np.array([[0.0, 1, 0], [0, 1, 1], [0, 1, np.nan]])
    probs = Bernoulli().initialize(Rows(X), np.eye(3)).probs
    assert np.all((probs > 0) & (probs < 1))


def test_values_other_than_zero_and_one_have_no_density():
    X = np.array([[0.5, 1], [2, 1], [-1, 1], [np.nan, 1], [1, np.nan]])
    params = BernoulliParams(np.array([[0.25, 0.5]]))
    got = Bernoulli().log_likelihood(params, Rows(X))[:, 0]
    assert_allclose(got, [-np.inf] * 3 + np.log([0.5, 0.25]).tolist())


@pytest.mark.parametrize("bad", [-1.0, 0.5, 2.0])
def test_what_is_no_bit_is_refused_with_its_place(bad):
    X = np.array([[1.0, 0.0], [np.nan, bad]])
    with pytest.raises(ValueError, match=rf"X has {bad:.6g} in row 1, column 1, but Bernoulli"):
        Bernoulli().adapt(Rows(X))


@pytest.mark.parametrize("name", ["alpha", "beta"])
def test_impossible_priors_are_refused(name):
    with pytest.raises(ValueError, match=f"'{name}' parameter of Bernoulli .* Got 0.5"):
        Bernoulli(**{name: 0.5}).adapt(Rows(np.ones((2, 1))))


def test_distances_for_clustering_count_the_entries_that_differ(rng):
    X = bits(rng, share=0.0)
    points = Bernoulli().embed(Rows(X))
    assert_allclose(pdist(points, "sqeuclidean"), 3 * pdist(X, "hamming"), atol=1e-12)
    gone = np.where(np.arange(50)[:, None] < 10, np.nan, X)
    assert_allclose(Bernoulli().embed(Rows(gone))[:10], 0.0, atol=0)
