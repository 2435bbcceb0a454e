"""Anomalies under guarded densities."""

from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import chi2
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.metrics import roc_auc_score
from sklearn.mixture import GaussianMixture as PeerMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skgen import (
    AR,
    DensityOutlierDetector,
    Gaussian,
    GaussianHMM,
    GaussianMixture,
    Mixture,
    NGramLM,
    SequenceTransformer,
    TransformedSequence,
    emissions,
)
from skgen._sequences import Rows
from skgen.wrappers._guard import guarded_fit, most_likely, without_light_components
from skgen.wrappers._samples import RowSamples

NAN = np.nan
PEER = PeerMixture(3, random_state=0)
DENSITIES = {"default": None, "gaussian": Gaussian(), "scikit-learn's": PEER}
each_density = pytest.mark.parametrize("density", DENSITIES.values(), ids=DENSITIES)


@pytest.fixture
def normal():
    mixing = np.array([[1.0, 0.8, 0.0], [0.0, 1.0, -0.5], [0.0, 0.0, 2.0]])
    return np.random.default_rng(0).normal(size=(400, 3)) @ mixing


@pytest.fixture
def planted(normal):
    """The rows with 24 anomalies in a small cloud at the end."""
    return np.concatenate([normal, np.random.default_rng(1).normal(9, 0.2, size=(24, 3))])


@each_density
def test_planted_anomalies_are_flagged(density, planted):
    detector = DensityOutlierDetector(density, random_state=0).fit(planted)
    flagged = detector.predict(planted) == -1
    assert flagged[400:].all()
    assert flagged[:400].mean() < 0.06


def test_a_component_does_not_swallow_the_anomalies(planted):
    mixture = GaussianMixture(3, random_state=0)
    anomaly = np.arange(424) >= 400
    plain = roc_auc_score(anomaly, -mixture.fit(planted).score_samples(planted))
    guarded = DensityOutlierDetector(mixture).fit(planted)
    assert plain < 0.5
    assert roc_auc_score(anomaly, -guarded.score_samples(planted)) == 1.0


@pytest.mark.parametrize("n_features", [1, 3, 10])
@pytest.mark.parametrize("trim", [0.0, 0.1, 0.3])
def test_auto_flags_one_percent_of_normal_rows(n_features, trim):
    rng = np.random.default_rng(0)
    fitted, new = rng.normal(size=(2, 5000, n_features))
    detector = DensityOutlierDetector(Gaussian(), trim=trim).fit(fitted)
    assert (detector.predict(new) == -1).mean() == pytest.approx(0.01, abs=0.004)


def test_auto_flags_the_anomalies_whatever_their_number(normal):
    rng = np.random.default_rng(1)
    for n in (1, 10, 40):
        X = np.concatenate([normal, rng.normal(12, 1, size=(n, 3))])
        flagged = DensityOutlierDetector(Gaussian()).fit_predict(X) == -1
        assert flagged[400:].all()
        assert flagged[:400].mean() < 0.03


@each_density
@pytest.mark.parametrize("contamination", [0.01, 0.1, 0.25, 0.5])
def test_contamination_is_the_share_that_is_flagged(density, contamination, planted):
    detector = DensityOutlierDetector(density, contamination=contamination, random_state=0)
    assert (detector.fit_predict(planted) == -1).sum() == int(contamination * len(planted))


def test_contamination_is_a_share_of_the_weight(normal):
    weights = 1.0 + np.arange(400) % 3
    detector = DensityOutlierDetector(Gaussian(), contamination=0.2)
    flagged = detector.fit(normal, sample_weight=weights).predict(normal) == -1
    assert weights[flagged].sum() == pytest.approx(0.2 * weights.sum(), abs=3)


def test_scores_of_complete_rows_are_log_densities(planted):
    detector = DensityOutlierDetector(Gaussian()).fit(planted)
    expected = detector.density_.score_samples(planted)
    assert_array_equal(detector.score_samples(planted), expected)
    assert_array_equal(detector.decision_function(planted), expected - detector.offset_)


def test_without_trimming_the_density_is_that_of_all_rows(planted):
    detector = DensityOutlierDetector(GaussianMixture(2, random_state=0), trim=0.0).fit(planted)
    plain = GaussianMixture(2, random_state=0).fit(planted)
    assert_array_equal(detector.density_.means_, plain.means_)
    assert_array_equal(detector.density_.weights_, plain.weights_)


def test_the_threshold_of_a_gaussian_is_a_quantile_of_chi_square():
    X = np.random.default_rng(0).normal(size=(20_000, 4))
    detector = DensityOutlierDetector(Gaussian(), trim=0.0).fit(X)
    edge = -0.5 * (chi2.ppf(0.99, 4) + 4 * np.log(2 * np.pi))
    assert detector.offset_ == pytest.approx(edge, abs=0.3)


def test_a_missing_entry_counts_with_what_is_to_be_expected_of_it(normal):
    """For a Gaussian that is minus the entropy of the missing entries given the observed ones."""
    density = Gaussian().fit(normal)
    rows = np.array([[0.5, NAN, 1.0], [NAN, NAN, 0.3], [NAN, NAN, NAN], [1.0, 2.0, 3.0]])
    found = RowSamples(Rows(rows)).scores(density)
    entropies = [density.conditional(row).entropy() for row in rows[:3]]
    expected = density.score_samples(rows) - [*entropies, 0.0]
    assert_allclose(found, expected, atol=0.06)


def test_a_row_of_which_nothing_is_known_is_no_anomaly(normal):
    gaps = np.where(np.random.default_rng(1).random(normal.shape) < 0.3, NAN, normal)
    detector = DensityOutlierDetector(random_state=0).fit(gaps)
    assert detector.predict(np.full((1, 3), NAN))[0] == 1
    assert (detector.predict(gaps) == -1).mean() < 0.06
    assert detector.predict([[12.0, NAN, NAN]])[0] == -1
    assert detector.predict([[NAN, NAN, 20.0]])[0] == -1


def test_weights_are_repetitions(planted):
    weights = np.random.default_rng(2).integers(0, 4, size=len(planted))
    weighted = DensityOutlierDetector(Gaussian()).fit(planted, sample_weight=weights)
    repeated = DensityOutlierDetector(Gaussian()).fit(np.repeat(planted, weights, axis=0))
    assert_allclose(
        weighted.decision_function(planted), repeated.decision_function(planted), rtol=1e-7
    )


def test_counts_have_anomalies():
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.poisson([3.0, 8.0], size=(300, 2)), [[30, 8], [3, 40]]])
    detector = DensityOutlierDetector(Mixture(emissions.Poisson())).fit(X)
    assert_array_equal(detector.predict([[30, 8], [3, 40], [3, 8]]), [-1, -1, 1])


def test_the_default_density_has_as_many_components_as_the_rows_call_for(normal):
    groups = normal + 9.0 * (np.arange(400)[:, None] % 4)
    for X, n_components in ((normal[:8], 1), (normal, 1), (groups, 4), (groups[:40], 2)):
        detector = DensityOutlierDetector(random_state=0, trim=0.0).fit(X)
        assert len(detector.density_.weights_) == n_components


@pytest.mark.parametrize("n_features", [1, 2, 10])
@pytest.mark.parametrize("n", [200, 2000])
def test_auto_flags_few_normal_rows_by_the_default_density(n, n_features):
    rng = np.random.default_rng(0)
    fitted, new = rng.normal(size=(n, n_features)), rng.normal(size=(2000, n_features))
    detector = DensityOutlierDetector(random_state=0).fit(fitted)
    assert (detector.predict(fitted) == -1).mean() < 0.025
    assert (detector.predict(new) == -1).mean() < 0.035


def test_it_ends_a_pipeline(planted):
    model = make_pipeline(StandardScaler(), DensityOutlierDetector(random_state=0))
    assert (model.fit(planted).predict(planted[400:]) == -1).all()


class Unsampled(DensityMixin, BaseEstimator):
    """A density of which nothing can be drawn and which knows no weights."""

    def fit(self, X, y=None):
        self.inner_ = Gaussian().fit(X)
        return self

    def score_samples(self, X):
        return self.inner_.score_samples(X)


def test_auto_needs_a_density_that_can_be_drawn_from(planted):
    with pytest.raises(TypeError, match="give a share as contamination"):
        DensityOutlierDetector(Unsampled()).fit(planted)
    detector = DensityOutlierDetector(Unsampled(), contamination=0.05).fit(planted)
    assert (detector.predict(planted) == -1).sum() == 21


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 1.0])
def test_the_most_likely_rows_keep_their_share_of_the_weight(share):
    scores, weights = np.array([3.0, -1.0, 2.0, 0.0]), np.array([1.0, 2.0, 3.0, 4.0])
    left = most_likely(scores, weights, share)
    assert left.sum() == pytest.approx(share * 10)
    best_first = left[[0, 2, 3, 1]] / weights[[0, 2, 3, 1]]
    assert (np.diff(best_first) <= 0).all()
    assert ((best_first > 0) & (best_first < 1)).sum() <= 1


def test_light_components_do_not_count():
    mixture = GaussianMixture(4)
    mixture.weights_ = np.array([0.5, 0.04, 0.4, 0.06])
    kept = without_light_components(mixture, 0.1)
    assert_allclose(kept.weights_, [5 / 9, 0, 4 / 9, 0], atol=1e-300)
    lightest = without_light_components(mixture, 0.05).weights_
    assert_allclose(lightest, np.array([0.5, 0, 0.4, 0.06]) / 0.96, atol=1e-300)
    assert_array_equal(mixture.weights_, [0.5, 0.04, 0.4, 0.06])
    assert without_light_components(mixture, 0.0) is mixture


def test_fits_end_when_the_likely_rows_stay_the_same():
    calls = []

    def fit(weights):
        calls.append(weights)
        return "density"

    scores = np.arange(10.0)
    density, found = guarded_fit(fit, lambda _: scores, None, np.ones(10), 0.2)
    assert density == "density"
    assert_array_equal(found, scores)
    assert len(calls) == 2
    assert_array_equal(calls[1], [0, 0, *np.ones(8)])


def test_the_last_fit_takes_back_the_rows_near_the_others():
    calls = []
    scores = np.array([0.0, -1.0, -6.0, -100.0])
    guarded_fit(calls.append, lambda _: scores, lambda *_: -6.0, np.ones(4), 0.5)
    assert_array_equal(calls[-1], [1, 1, 1, 0])


def test_light_components_do_not_count_in_any_round():
    seen = []

    def fit(_):
        return SimpleNamespace(weights_=np.array([0.95, 0.05]))

    def score(density):
        seen.append(density.weights_[1])
        return np.arange(10.0) * (-1) ** len(seen)

    guarded_fit(fit, score, None, np.ones(10), 0.1)
    assert len(seen) > 1
    assert max(seen) < 1e-300


# ---- sequences -------------------------------------------------------------------------------


@pytest.fixture
def walks():
    """190 sequences that change between two states, and 10 that stay in a place of their own."""
    rng = np.random.default_rng(0)
    model = GaussianHMM(2)
    model.startprob_, model.transmat_ = np.array([0.5, 0.5]), np.array([[0.9, 0.1], [0.1, 0.9]])
    model.means_, model.covariances_ = np.array([[0.0, 0.0], [5.0, 5.0]]), np.ones((2, 2))
    lengths = rng.integers(10, 80, 200)
    normal = list(model.sample(190, random_state=0, length=lengths[:190])[0])
    return normal + [rng.normal([0.0, 5.0], 1.0, (n, 2)) for n in lengths[190:]]


@pytest.fixture
def series():
    """An autoregression with coefficient 0.9, and where 8 was added to it."""
    rng = np.random.default_rng(0)
    x = np.zeros((2000, 1))
    for t in range(1, 2000):
        x[t] = 0.9 * x[t - 1] + rng.normal()
    where = rng.choice(2000, 20, replace=False)
    x[where] += 8.0
    return x, where


@pytest.mark.parametrize("contamination", ["auto", 0.05])
@pytest.mark.parametrize("scaled", [False, True])
def test_sequences_of_another_kind_are_flagged(walks, contamination, scaled):
    density = GaussianHMM(2, random_state=0)
    if scaled and contamination != "auto":  # a Pipeline cannot draw
        density = make_pipeline(SequenceTransformer(StandardScaler()), density)
    detector = DensityOutlierDetector(density, contamination=contamination)
    flagged = detector.fit_predict(walks) == -1
    assert flagged[190:].all()
    assert flagged[:190].mean() < 0.06


@pytest.mark.parametrize("inner", [AR(1), GaussianHMM(2, random_state=0)], ids=["AR", "HMM"])
def test_transformed_sequences_have_anomalies(walks, inner):
    walks = [x[:, 1:] for x in walks]
    walks[190:] = [10.0 * x for x in walks[190:]]
    density = TransformedSequence(StandardScaler(), inner, pooled=True)
    flagged = DensityOutlierDetector(density).fit_predict(walks) == -1
    assert flagged[190:].all()
    assert flagged[:190].mean() < 0.1


def test_the_score_of_a_sequence_is_its_log_density_per_observed_step(walks):
    detector = DensityOutlierDetector(GaussianHMM(2, random_state=0)).fit(walks)
    gappy = np.concatenate([walks[0], np.full((50, 2), NAN)])
    expected = detector.density_.score_samples(walks[:1])[0] / len(walks[0])
    assert_allclose(detector.score_samples([walks[0], gappy]), [expected, expected])


def test_a_sequence_of_weight_zero_is_not_there(walks):
    density = GaussianHMM(2, random_state=0)
    weights = np.arange(200.0) < 190
    weighted = DensityOutlierDetector(density).fit(walks, sample_weight=weights)
    without = DensityOutlierDetector(density).fit(walks[:190])
    assert weighted.offset_ == without.offset_


@pytest.mark.parametrize("share_missing", [0.0, 0.1])
def test_anomalous_steps_of_a_series_do_not_spoil_its_autoregression(series, share_missing):
    x, where = series
    x = np.where(np.random.default_rng(1).random(x.shape) < share_missing, NAN, x)
    where = where[~np.isnan(x[where, 0])]
    detector = DensityOutlierDetector(AR(1)).fit(x)
    assert abs(AR(1).fit(x).coef_[0] - 0.9) > 0.08
    assert abs(detector.density_.coef_[0] - 0.9) < 0.02
    flagged = detector.predict(x) == -1
    assert flagged[where].all()
    assert flagged.mean() < 0.04


def test_a_step_with_missing_entries_is_comparable():
    x = np.random.default_rng(0).normal(size=(3000, 3))
    detector = DensityOutlierDetector(AR(0), trim=0.0).fit(x)
    gappy = x.copy()
    gappy[::2, :2] = NAN
    scores = detector.score_samples(gappy)
    assert scores[::2].mean() == pytest.approx(scores[1::2].mean(), abs=0.1)


def test_sentences_in_unknown_words_are_flagged():
    text = ["the cat sat on the mat", "a dog ran far", "the dog sat"] * 30 + ["zork blip frotz"]
    detector = DensityOutlierDetector(NGramLM(order=2), contamination=0.02).fit(text)
    assert_array_equal(np.flatnonzero(detector.predict(text) == -1), [90])


def test_what_cannot_be_compared_is_refused(walks, series):
    detector = DensityOutlierDetector(GaussianHMM(2, random_state=0)).fit(walks)
    with pytest.raises(ValueError, match="fitted to sequences, but X holds steps"):
        detector.predict(walks[0])
    with pytest.raises(ValueError, match=r"trim=0\.15 .* use trim=0"):
        DensityOutlierDetector(AR(1, method="burg")).fit(series[0])
