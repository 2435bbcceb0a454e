"""Where EM starts: what the user gave stays, states come in order, and the race is worth it."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning

from skgen import GaussianHMM, PoissonHMM
from skgen._sequences import Rows, Sequences
from skgen.hmm._problem import part_of
from skgen.hmm._starts import METHODS, in_time, like_labels, segments, windows

MEANS = [[0.0], [1.5], [3.0]]


def start(X, **options):
    return GaussianHMM(3, max_iter=0, random_state=0, **options).fit(X)


@pytest.fixture
def X(rng):
    return [rng.normal(np.repeat(rng.permutation(3), 20))[:, None] for _ in range(5)]


def test_a_start_that_is_given_in_full_is_the_start(X):
    given = {"startprob_init": [0.2, 0.3, 0.5], "transmat_init": np.full((3, 3), 1 / 3),
             "emission_init": {"means": MEANS, "covariances": np.ones((3, 1))}}  # fmt: skip
    model = start(X, **given)
    assert_array_equal(model.startprob_, [0.2, 0.3, 0.5])
    assert_array_equal(model.transmat_, np.full((3, 3), 1 / 3))
    assert_array_equal(model.means_, MEANS)
    assert_array_equal(model.covariances_, np.ones((3, 1)))


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1]])
def test_what_is_not_given_goes_with_what_is(order):
    """Three levels of unlike width: the widths find the means that they belong to."""
    rng = np.random.default_rng(0)
    z = np.tile(np.repeat([0, 1, 2], 30), 5)
    X = [(np.array([0.0, 10.0, 20.0])[z] + np.array([0.1, 1.0, 3.0])[z] * rng.normal(size=450))]
    model = start(X, emission_init={"means": np.array([[0.0], [10.0], [20.0]])[order]})
    assert_array_equal(model.means_[:, 0], np.array([0.0, 10.0, 20.0])[order])
    assert_allclose(model.covariances_[:, 0], np.array([0.01, 1.0, 9.0])[order], rtol=0.4)
    assert (np.diag(model.transmat_) > 0.9).all()


@pytest.mark.parametrize("method", METHODS)
def test_every_method_gives_a_start_from_which_em_climbs(X, method):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = GaussianHMM(3, init_params=method, random_state=0, max_iter=5, tol=0.0).fit(X)
    assert (np.diff(model.lower_bounds_) >= -1e-12).all()


def test_states_in_order_are_found_by_time(rng):
    """Levels that come in the order 1, 0, 2 are states 0, 1, 2."""
    X = [rng.normal(4.0 * np.repeat([1, 0, 2], rng.integers(4, 30, 3)))[:, None] for _ in range(20)]
    for topology in ("left-right", "linear"):
        model = GaussianHMM(3, topology=topology, random_state=0).fit(X)
        assert_allclose(model.means_[:, 0], [4.0, 0.0, 8.0], atol=0.4)


def test_the_race_finds_what_single_starts_miss():
    """Calm, nervous and wild times of the same level."""
    true = GaussianHMM(3)
    true.startprob_, true.transmat_ = np.full(3, 1 / 3), 0.97 * np.eye(3) + 0.01
    true.means_, true.covariances_ = np.zeros((3, 1)), np.array([[1.0], [6.0], [36.0]])
    true.n_features_in_ = 1
    x, _ = true.sample(1500, random_state=0)
    scores = [GaussianHMM(3, random_state=seed).fit(x).score(x) for seed in range(6)]
    assert_allclose(scores, max(scores), atol=1e-4)
    assert min(scores) > true.score(x)


def test_default_fits_are_no_worse_than_the_best_of_hmmlearn(rng):
    peer = pytest.importorskip("hmmlearn.hmm")
    z = np.tile(np.repeat([0, 1, 0, 2], 15), 8)
    x = np.array([[0.0, 0.0], [1.0, 1.5], [2.0, 0.0]])[z] + rng.normal(size=(480, 2))
    theirs = []
    for seed in range(10):
        model = peer.GaussianHMM(3, n_iter=500, tol=1e-5, random_state=seed)
        theirs.append(model.fit(x).score(x))
    for seed in range(5):
        ours = GaussianHMM(3, random_state=seed).fit(x).score_samples(x).sum()
        assert ours > max(theirs) - 0.05


# ---- the parts -------------------------------------------------------------------------------


def test_segments_cut_each_sequence_into_equal_pieces():
    labels = segments(np.array([0, 4, 10]), 2).argmax(axis=1)
    assert_array_equal(labels, [0, 0, 1, 1, 0, 0, 0, 1, 1, 1])


def test_windows_end_with_their_sequence(rng):
    points = np.concatenate([np.zeros((10, 1)), np.full((10, 1), 5.0)])
    features = windows(points, np.array([0, 10, 20]), 4)
    assert_allclose(features[:10], features[:1].repeat(10, axis=0), atol=1e-9)
    assert_allclose(features[10:], features[10:11].repeat(10, axis=0), atol=1e-9)


def test_clusters_are_ordered_by_time_and_by_labels():
    resp = np.eye(3)[[2, 2, 0, 0, 1, 1]]
    assert_array_equal(in_time(resp, np.array([0, 6])), [2, 0, 1])
    labels = np.array([1, -1, 2, -1, -1, 0])
    assert_array_equal(resp[:, like_labels(resp, labels)].argmax(axis=1), [1, 1, 2, 2, 0, 0])


def test_the_race_looks_at_a_part_of_long_data(rng):
    values = np.arange(50_000.0)[:, None]
    sequences = Sequences(Rows(values), [0, 3, 30_000, 50_000])
    part, labels = part_of(sequences, values[:, 0].astype(int), 5000, rng)
    assert 5000 <= len(part.rows) <= 7000
    assert_array_equal(part.rows.values[:, 0], labels)
    assert part.lengths.max() <= 2000
    inside = np.concatenate([np.diff(x) for x in part.split(labels)])
    assert (inside == 1).all()  # pieces are runs of steps
    assert part_of(sequences, None, 50_000, rng)[0] is sequences


def test_counts_are_found_by_their_neighbourhood(rng):
    rates = np.tile(np.repeat([2.0, 4.0], 100), 10)
    x = rng.poisson(rates)[:, None]
    model = PoissonHMM(2, random_state=0).fit(x)
    assert_allclose(np.sort(model.rates_[:, 0]), [2.0, 4.0], atol=0.3)
    assert (np.diag(model.transmat_) > 0.95).all()


def test_clusters_of_a_start_take_the_numbers_of_known_states(rng):
    z = np.repeat([1, 0, 2], 20)
    X = [rng.normal(6.0 * z)[:, None]]
    y = [np.where(np.arange(60) % 20 == 5, 2 - z, -1)]  # the highest is state 0
    for seed in range(4):
        options = {"init_params": "kmeans", "random_state": seed}
        model = GaussianHMM(3, max_iter=0, **options).fit(X, y)
        assert_allclose(model.means_[:, 0], [12.0, 6.0, 0.0], atol=0.6)


def test_clusters_of_a_start_come_in_order(rng):
    X = [rng.normal(6.0 * np.repeat([1, 0, 2], 15))[:, None] for _ in range(4)]
    for seed in range(4):
        options = {"topology": "left-right", "init_params": "kmeans", "random_state": seed}
        model = GaussianHMM(3, max_iter=0, **options).fit(X)
        assert_allclose(model.means_[:, 0], [6.0, 0.0, 12.0], atol=0.6)
