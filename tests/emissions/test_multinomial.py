import numpy as np
import pytest
from numpy.testing import assert_allclose
from reference import grid
from scipy import stats

from skgen import Mixture
from skgen._sequences import Rows
from skgen.emissions import Multinomial, Poisson
from skgen.emissions.multinomial import MultinomialParams
from skgen.emissions.poisson import PoissonParams

PROBS = np.array([[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]])
KNOWN = MultinomialParams(PROBS, np.array([9.0, 9.0]))


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def draws(rng, n, p=PROBS[0]):
    return rng.multinomial(rng.integers(1, 12, n), p).astype(float)


def with_gaps(X, rng, share=0.3):
    return np.where(rng.random(X.shape) < share, np.nan, X)


def test_log_likelihood_is_that_of_the_multinomial_distribution(rng):
    X = draws(rng, 50)
    expected = [[stats.multinomial(x.sum(), p).logpmf(x) for p in PROBS] for x in X]
    assert_allclose(Multinomial().log_likelihood(KNOWN, Rows(X)), expected, rtol=1e-11)


def test_it_is_independent_poisson_counts_given_their_total(rng):
    X = with_gaps(draws(rng, 50), rng)
    rates = 7.0 * PROBS
    joint = Poisson().log_likelihood(PoissonParams(rates), Rows(X))
    observed = ~np.isnan(X) @ rates.T
    total = stats.poisson(observed).logpmf(np.nansum(X, axis=1)[:, None])
    assert_allclose(Multinomial().log_likelihood(KNOWN, Rows(X)), joint - total, atol=1e-11)


def test_cells_are_summed_over_where_the_total_is_known():
    emission, every = Multinomial(9), grid([range(10)] * 3)
    density = np.exp(emission.log_likelihood(KNOWN, Rows(every)))
    for x in (2.0, 9.0):
        alone = emission.log_likelihood(KNOWN, Rows(np.array([[np.nan, x, np.nan]])))
        assert_allclose(np.exp(alone[0]), density[every[:, 1] == x].sum(axis=0), rtol=1e-12)


@pytest.mark.parametrize("concentration", [1.0, 2.5])
def test_without_totals_the_step_climbs_to_the_optimum(rng, concentration):
    X, resp = with_gaps(draws(rng, 80), rng), rng.dirichlet([1.0, 1.0], 80)
    emission, rows = Multinomial(concentration=concentration), Rows(X)

    def objective(params):
        return (resp * emission.log_likelihood(params, rows)).sum() + emission.regularizer(params)

    params, values = KNOWN._replace(probs=np.full((2, 3), 1 / 3)), []
    for _ in range(200):
        values.append(objective(params))
        params = emission.maximize(emission.statistics(params, rows, resp))
    assert np.diff(values).min() > -1e-10
    assert values[-1] > values[0] + 1e-3
    for size in (1e-4, 1e-2, 1.0):
        for _ in range(30):
            moved = emission.pack(params) + size * rng.standard_normal(6)
            assert objective(emission.unpack(moved, params)) <= values[-1] + 1e-10


def test_frequencies_are_the_estimate_of_complete_rows(rng):
    X = draws(rng, 40)
    model = Mixture(Multinomial(), n_components=1).fit(X)
    assert_allclose(model.probs_[0], X.sum(axis=0) / X.sum(), rtol=1e-12)
    assert_allclose(model.totals_, X.sum(axis=1).mean(), rtol=1e-12)


def test_the_probabilities_are_found_where_a_third_is_missing(rng):
    X = with_gaps(rng.multinomial(50, PROBS[0], size=4000).astype(float), rng)
    for emission in (Multinomial(), Multinomial(50)):
        model = Mixture(emission, n_components=1).fit(X)
        assert_allclose(model.probs_[0], PROBS[0], atol=0.005)


def test_a_row_of_another_total_is_refused_or_has_no_density(rng):
    X = np.array([[4.0, 3, 2], [1, np.nan, 9]])
    with pytest.raises(ValueError, match=r"row 1 of X add up to 10, but n_trials is 9; .*=None"):
        Multinomial(9).adapt(Rows(X))
    got = Multinomial(9).log_likelihood(KNOWN, Rows(np.vstack([X, [[1, 1, 1]]])))
    assert np.isfinite(got[0]).all()
    assert np.isneginf(got[1:]).all()


def test_missing_counts_have_no_distribution_without_a_total():
    model = Mixture(Multinomial(), n_components=1).fit([[3, 1], [2, 2]])
    with pytest.raises(ValueError, match="set n_trials"):
        model.impute([[1, np.nan]])
    model.set_params(emission__n_trials=4)
    assert_allclose(model.impute([[1, np.nan]]), [[1, 3]])


def test_the_mode_of_what_is_left_is_the_likeliest_of_all_divisions():
    every = grid([range(10)] * 3)
    for row in ([np.nan] * 3, [np.nan, 2, np.nan], [1, np.nan, np.nan]):
        rows = Rows(np.array([row]))
        for k in (0, 1):
            fits = every[((every == row) | np.isnan(row)).all(axis=1)]
            best = Multinomial(9).log_likelihood(KNOWN, Rows(fits))[:, k].max()
            mode = Multinomial(9).complete(KNOWN, rows, k, "mode")
            got = Multinomial(9).log_likelihood(KNOWN, Rows(mode))[0, k]
            assert_allclose(got, best, rtol=1e-12)


def test_a_cell_that_was_never_seen_is_next_to_impossible():
    params = Mixture(Multinomial(), n_components=1).fit([[3, 0], [2, 0]])._params().emission
    got = Multinomial().log_likelihood(params, Rows(np.array([[1.0, 1.0]])))
    assert_allclose(got, np.log(2) + np.log(1e-300))


@pytest.mark.parametrize("bad", [-1.0, 0.5])
def test_what_is_no_count_is_refused_with_its_place(bad):
    with pytest.raises(ValueError, match=f"X has {bad:g} in row 0, column 1, but Multinomial"):
        Multinomial().adapt(Rows(np.array([[1.0, bad]])))
