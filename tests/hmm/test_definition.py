"""All that a hidden Markov model says follows from the sum over all paths of its states."""

from itertools import product

import numpy as np
import pytest
from chains import EMISSIONS, all_paths, enumerated, make_model, make_sequences, table
from numpy.testing import assert_allclose, assert_array_equal
from scipy import integrate, stats
from scipy.special import logsumexp

from skgen import HMM, GaussianHMM, Mixture, PoissonHMM, emissions
from skgen._sequences import Rows

each_emission = pytest.mark.parametrize("case", EMISSIONS.values(), ids=EMISSIONS)
with_gaps = pytest.mark.parametrize("gaps", [0.0, 0.3], ids=["complete", "gaps"])


@pytest.fixture
def made(case, gaps, rng):
    """A model with three states and sequences that it did not see."""
    return make_model(case, rng, 3), make_sequences(case, rng, gaps)


@each_emission
@with_gaps
def test_scores_and_posteriors_are_sums_over_all_paths(made):
    model, X = made
    results = zip(X, model.score_samples(X), model.predict_proba(X), model.filter(X), strict=True)
    for x, log_prob, smoothed, filtered in results:
        want = enumerated(model, x)
        assert_allclose(log_prob, want["log_prob"], rtol=1e-9)
        assert_allclose(smoothed, want["resp"], atol=1e-9)
        assert_allclose(filtered, want["filtered"], atol=1e-9)
        assert_allclose(model.score_samples(x), want["step"], rtol=1e-8, atol=1e-9)


@each_emission
@with_gaps
def test_decoded_paths_are_the_most_probable_of_all(made):
    model, X = made
    best, (paths, log_probs) = model.predict(X), model.decode(X, k=5)
    for x, path, found, values in zip(X, best, paths, log_probs, strict=True):
        every, log_joint = all_paths(model, x)
        order = np.argsort(-log_joint)[:5]
        assert_allclose(values, log_joint[order], rtol=1e-9)
        mine = [log_joint[(every == p).all(axis=1)].item() for p in (path, *found)]
        assert_allclose(mine, [log_joint[order[0]], *log_joint[order]], rtol=1e-9)


@each_emission
@with_gaps
def test_imputed_means_are_averages_over_all_paths(made):
    model, X = made
    emission, own = model._emission(), model._params().emission
    for x, filled in zip(X, model.impute(X), strict=True):
        by_state = np.array([emission.complete(own, Rows(x), k) for k in range(3)])
        want = np.einsum("tk,ktj->tj", enumerated(model, x)["resp"], by_state)
        assert_allclose(filled, np.where(np.isnan(x), want, x), rtol=1e-8, atol=1e-9)


@each_emission
@with_gaps
def test_modes_are_filled_in_along_the_best_path(made):
    model, X = made
    emission, own = model._emission(), model._params().emission
    for x, path, filled in zip(X, model.predict(X), model.impute(X, "mode"), strict=True):
        assert_array_equal(filled, emission.complete(own, Rows(x), path, "mode"))


@each_emission
@with_gaps
def test_a_forecast_is_the_density_of_one_step_more(made):
    model, X = made
    probe = X[4][:1]
    for x in X[:3]:
        ahead = model.forecast(2, x)
        missing = np.full_like(probe, np.nan)
        for h, between in enumerate(([], [missing])):
            longer = np.concatenate([x, *between, probe])
            want = enumerated(model, longer)["log_prob"] - enumerated(model, x)["log_prob"]
            log_prob = ahead.log_prob(np.repeat(probe, 2, axis=0))
            assert_allclose(log_prob[h], want, rtol=1e-8, atol=1e-9)


def two_states(**options):
    """A chain between two normal distributions, set by hand."""
    model = GaussianHMM(2, **options)
    model.startprob_, model.transmat_ = np.array([0.3, 0.7]), np.array([[0.9, 0.1], [0.4, 0.6]])
    model.means_, model.covariances_ = np.array([[0.0], [3.0]]), np.array([[1.0], [0.25]])
    model.n_features_in_ = 1
    return model


def test_a_model_set_by_hand_scores_and_samples():
    model, x = two_states(), np.array([[0.1], [2.5], [3.1]])
    assert_allclose(model.score_samples([x]), enumerated(model, x)["log_prob"], rtol=1e-12)
    assert model.sample(7, random_state=0)[0].shape == (7, 1)
    assert [len(x) for x in model.sample(2, random_state=0, length=4)[0]] == [4, 4]


def test_the_density_of_sequences_integrates_to_one():
    model = two_states()
    line = np.linspace(-7, 10, 101)
    grid = np.array(list(product(line, line)))[:, :, None]
    density = np.exp(model.score_samples(grid)).reshape(101, 101)
    total = integrate.simpson(integrate.simpson(density, x=line), x=line)
    assert total == pytest.approx(1.0, abs=1e-6)


def test_an_hmm_with_equal_rows_is_a_mixture(rng):
    X = rng.normal(size=(40, 2))
    mixture = Mixture(emissions.Gaussian("diag"), 3, random_state=0).fit(X)
    model = GaussianHMM(3)
    model.n_features_in_ = 2
    model.startprob_, model.transmat_ = mixture.weights_, np.tile(mixture.weights_, (3, 1))
    model.means_, model.covariances_ = mixture.means_, mixture.covariances_
    assert_allclose(model.score_samples(X), mixture.score_samples(X), rtol=1e-11)
    for method in ("predict_proba", "filter"):
        got = getattr(model, method)(X)
        assert_allclose(got, mixture.predict_proba(X), atol=1e-11)
    assert_array_equal(model.predict(X), mixture.predict(X))


def test_steps_of_one_sequence_add_up_to_its_score(rng):
    model, x = two_states(), rng.normal(size=(50, 1))
    assert_allclose(model.score_samples(x).sum(), model.score_samples([x])[0], rtol=1e-12)
    assert_allclose(model.score(x) * 50, model.score([x]), rtol=1e-12)


def test_drawn_paths_follow_the_posterior():
    model, x = two_states(), np.array([[0.5], [np.nan], [2.0]])
    draws = model.sample_states(x, 40_000, random_state=0)
    paths, log_joint = all_paths(model, x)
    shares = [(draws == path).all(axis=1).mean() for path in paths]
    assert_allclose(shares, np.exp(log_joint - logsumexp(log_joint)), atol=0.01)
    several = model.sample_states([x, x[:1]], 3, random_state=0)
    assert [piece.shape for piece in several] == [(3, 3), (3, 1)]


def test_samples_follow_the_chain_and_the_emissions():
    model = two_states()
    X, states = model.sample(30_000, random_state=0, length=2)
    x, z = np.stack(X)[:, :, 0], np.stack(states)
    shares = np.bincount(z[:, 0] * 2 + z[:, 1], minlength=4) / len(z)
    assert_allclose(shares, [0.27, 0.03, 0.28, 0.42], atol=0.01)
    for k, (mean, variance) in enumerate([(0.0, 1.0), (3.0, 0.25)]):
        assert stats.kstest(x[z == k], stats.norm(mean, variance**0.5).cdf).pvalue > 1e-3


def test_drawn_entries_have_their_conditional_distribution():
    model, x = two_states(), np.array([[0.5], [np.nan], [2.9]])
    draws = np.stack(model.impute([x] * 3000, "draw", random_state=0))[:, 1, 0]
    resp = enumerated(model, x)["resp"][1]

    def cdf(value):
        return resp @ stats.norm([[0.0], [3.0]], [[1.0], [0.5]]).cdf(value)

    assert stats.kstest(draws, cdf).pvalue > 1e-3


# ---- forecasts and residuals -----------------------------------------------------------------


def test_the_quantiles_of_a_forecast_invert_its_distribution(rng):
    ahead = two_states().forecast(4, rng.normal(size=(6, 1)))
    for q in (0.001, 0.3, 0.9):
        value = ahead.quantile(q)[:, 0]
        cdf = ahead.states @ stats.norm([[0.0], [3.0]], [[1.0], [0.5]]).cdf(value)
        assert_allclose(np.diag(cdf), q, atol=1e-12)
    low, high = ahead.interval(0.5)
    assert_allclose([low, high], [ahead.quantile(0.25), ahead.quantile(0.75)])
    assert_allclose(ahead.mean[:, 0], ahead.states @ [0.0, 3.0])


def test_the_quantiles_of_counts_are_counts():
    model = PoissonHMM(2)
    model.startprob_, model.transmat_ = np.array([0.5, 0.5]), np.full((2, 2), 0.5)
    model.rates_, model.n_features_in_ = np.array([[1.0], [6.0]]), 1
    ahead = model.forecast(1)
    for q in (0.05, 0.5, 0.975):
        cdf = 0.5 * stats.poisson([[1.0], [6.0]]).cdf(np.arange(40)).sum(axis=0)
        assert ahead.quantile(q)[0, 0] == (cdf >= q).argmax()


def test_intervals_hold_what_they_promise():
    model = two_states()
    X, _ = model.sample(2000, random_state=0, length=8)
    inside = [
        (low <= x[5:]) & (x[5:] <= high)
        for x, ahead in zip(X, model.forecast(3, [x[:5] for x in X]), strict=True)
        for low, high in [ahead.interval(0.8)]
    ]
    assert_allclose(np.mean(inside, axis=0), 0.8, atol=0.05)


def test_sampled_futures_follow_the_forecast():
    ahead = two_states().forecast(3, np.array([[3.0]]))
    draws = ahead.sample(20_000, random_state=0)
    assert draws.shape == (20_000, 3, 1)
    assert_allclose(draws.mean(axis=0), ahead.mean, atol=0.05)
    low = ahead.quantile(0.2)
    assert_allclose((draws <= low).mean(axis=0), 0.2, atol=0.015)


def test_a_forecast_from_nothing_begins_the_chain():
    ahead = two_states().forecast(2)
    assert_allclose(ahead.states, [[0.3, 0.7], [0.55, 0.45]])


def test_residuals_of_the_true_model_are_standard_normal():
    model = two_states()
    X, _ = model.sample(200, random_state=0, length=20)
    residuals = np.concatenate(model.pseudo_residuals(X)).ravel()
    assert stats.kstest(residuals, stats.norm.cdf).pvalue > 1e-3
    wrong = two_states()
    wrong.means_ = wrong.means_ + 0.3
    residuals = np.concatenate(wrong.pseudo_residuals(X)).ravel()
    assert stats.kstest(residuals, stats.norm.cdf).pvalue < 1e-6


def test_residuals_of_first_steps_are_those_of_the_first_states(rng):
    x = rng.normal(size=(3, 2, 1))
    first = np.stack(two_states().pseudo_residuals(x))[:, 0, 0]
    cdf = [0.3, 0.7] @ stats.norm([[0.0], [3.0]], [[1.0], [0.5]]).cdf(x[:, 0, 0])
    assert_allclose(stats.norm.cdf(first), cdf, rtol=1e-9)


def test_sampled_sequences_are_as_long_as_those_of_the_fit(rng):
    X = [rng.normal(size=(n, 1)) for n in (4, 9)]
    model = GaussianHMM(1).fit(X)
    assert {len(x) for x in model.sample(50, random_state=0)[0]} == {4, 9}
    assert model.fit(X[1]).sample(50, random_state=0)[0].shape == (50, 1)


def test_residuals_of_gaps_are_gaps(rng):
    x = rng.normal(size=(9, 1))
    x[4] = np.nan
    residuals = two_states().pseudo_residuals(x)
    assert_array_equal(np.isnan(residuals), np.isnan(x))


@each_emission
def test_the_marginal_model_is_that_of_the_remaining_columns(case, rng):
    model, X = make_model(case, rng, 2), make_sequences(case, rng)
    if X[0].shape[1] == 1:
        pytest.skip("one column")
    part = model.marginal([0])
    gone = [np.where(np.arange(x.shape[1]) > 0, np.nan, x) for x in X]
    if isinstance(case.emission, emissions.Multinomial):
        pytest.skip("a marginal of counts with a known total has no total")
    assert_allclose(part.score_samples([x[:, :1] for x in X]), model.score_samples(gone), rtol=1e-9)


@each_emission
def test_the_number_of_parameters_counts_the_chain_and_the_states(case, rng):
    model = make_model(case, rng, 3)
    of_states = model._emission().n_parameters(model._params().emission)
    X = make_sequences(case, rng)
    total, n = model.score_samples(X).sum(), sum(map(len, X))
    assert_allclose(model.aic(X), -2 * total + 2 * (2 + 6 + of_states))
    assert_allclose(model.bic(X), -2 * total + np.log(n) * (2 + 6 + of_states))


def test_the_time_spent_in_each_state():
    model = two_states()
    assert_allclose(model.stationary_distribution_, [0.8, 0.2], rtol=1e-12)


def test_a_default_emission_is_a_full_gaussian(rng):
    X = rng.normal(size=(30, 2))
    assert HMM(n_components=1).fit(X).covariances_.shape == (1, 2, 2)


@each_emission
def test_tables_and_sources_of_the_kernels_agree(case, rng):
    """One path per model: with one state the score is the sum of log densities."""
    model = make_model(case, rng, 1)
    for gaps in (0.0, 0.3):
        X = make_sequences(case, rng, gaps)
        want = [table(model, x).sum() for x in X]
        assert_allclose(model.score_samples(X), want, rtol=1e-9)
