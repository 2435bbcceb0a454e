"""EM of hidden Markov models: its iterates, its optimum, its priors, structure and weights."""

import warnings

import numpy as np
import pytest
from chains import EMISSIONS, all_paths, enumerated, make_model, make_sequences, table
from numpy.testing import assert_allclose, assert_array_equal
from reference import chain_posterior, chain_recursion
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning

from skgen import HMM, CategoricalHMM, GaussianHMM, PoissonHMM
from skgen._sequences import Rows, Sequences
from skgen.emissions import Gaussian, Mixture
from skgen.hmm import _problem
from skgen.hmm._chain import Chain, grouped_rows
from skgen.hmm._problem import HMMProblem

each_emission = pytest.mark.parametrize("case", EMISSIONS.values(), ids=EMISSIONS)
with_gaps = pytest.mark.parametrize("gaps", [0.0, 0.3], ids=["complete", "gaps"])
RING = np.eye(3) + np.eye(3)[[1, 2, 0]]
SHARED = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]  # all states last equally long


def climbing(model, X, y=None, **fit_params):
    """The objectives of some iterations, from the start on."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        start = (
            HMM(**model.get_params(deep=False))
            if type(model) is HMM
            else type(model)(**model.get_params(deep=False))
        )
        start.set_params(max_iter=0).fit(X, y, **fit_params)
        model.set_params(max_iter=25, tol=0.0).fit(X, y, **fit_params)
    return np.array([start.lower_bound_, *model.lower_bounds_])


def assert_climbs(values):
    assert len(values) > 1
    assert np.isfinite(values).all()
    assert (np.diff(values) >= -1e-12 * (1 + np.abs(values[1:]))).all()


# ---- one step, and many ----------------------------------------------------------------------


@each_emission
@with_gaps
def test_a_step_takes_expected_counts_over_all_paths(case, gaps, rng):
    X = make_sequences(case, rng, gaps)
    options = {"init_params": "random", "random_state": 0, "acceleration": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        before = HMM(case.emission, 2, max_iter=0, **options).fit(X)
        after = HMM(case.emission, 2, max_iter=1, **options).fit(X)
    said = [enumerated(before, x) for x in X]
    starts = sum(s["resp"][0] for s in said)
    pairs = sum(s["pairs"] for s in said)
    assert_allclose(after.startprob_, starts / starts.sum(), rtol=1e-8)
    assert_allclose(after.transmat_, pairs / pairs.sum(axis=1, keepdims=True), rtol=1e-8)
    rows = Rows(np.concatenate(X))
    emission, own = before._emission().adapt(rows, 2), before._params().emission
    resp = np.concatenate([s["resp"] for s in said])
    resp[rows.missing.all(axis=1)] = 0.0  # which say nothing of what a state emits
    want = emission.maximize(emission.statistics(own, rows, resp))
    for got, right in zip(after._params().emission, want, strict=True):
        assert_allclose(got, right, rtol=1e-7, atol=1e-9)


@each_emission
@with_gaps
def test_em_never_falls(case, gaps, rng):
    if case.emission.get_params().get("reg_covar") == 0.0:
        pytest.skip("without a floor for variances there is no maximum")
    X = make_sequences(case, rng, gaps, [30, 1, 45, 2])
    for acceleration in (False, True):
        options = {"acceleration": acceleration, "init_params": "k-means++", "random_state": 0}
        model = HMM(case.emission, 3, **options)
        assert_climbs(climbing(model, X))


@each_emission
def test_em_never_falls_whatever_is_fixed(case, rng):
    X = make_sequences(case, rng, 0.2, [30, 1, 45, 2])
    for name in ("startprob", "transmat", *case.emission.params_type._fields):
        model = HMM(case.emission, 2, fixed=(name,), init_params="random", random_state=0)
        assert_climbs(climbing(model, X))
        held = getattr(model, f"{name}_")
        start = HMM(**{**model.get_params(deep=False), "max_iter": 0}).fit(X)
        assert_array_equal(held, getattr(start, f"{name}_"))


STRUCTURES = {
    "priors": {"startprob_prior": 2.0, "transmat_prior": [[3, 1, 1], [1, 3, 1], [1, 1, 3]]},
    "left-right": {"topology": "left-right"},
    "linear": {"topology": "linear"},
    "ring": {"topology": RING},
    "stationary": {"stationary": True},
    "stationary ring": {"topology": RING, "stationary": True, "transmat_prior": 1.5},
    "shared": {"transmat_shared": SHARED},
    "shared and a prior": {"transmat_shared": SHARED, "transmat_prior": 2.0},
    "held": {
        "transmat_held": np.eye(3),
        "transmat_init": [[0.5, 0.3, 0.2], [0.2, 0.6, 0.2], [0.1, 0.2, 0.7]],
    },
    "stationary and fixed": {
        "stationary": True,
        "fixed": ["transmat"],
        "transmat_init": [[0.5, 0.3, 0.2], [0.2, 0.6, 0.2], [0.1, 0.2, 0.7]],
    },
}


@pytest.mark.parametrize("acceleration", [False, True])
@pytest.mark.parametrize("structure", STRUCTURES.values(), ids=STRUCTURES)
def test_em_never_falls_with_any_structure(rng, structure, acceleration):
    X = [rng.normal([[0.0, 2.0]] * n) + rng.choice([0.0, 3.0], (n, 1)) for n in (30, 5, 60)]
    X[0][3:5] = np.nan
    model = GaussianHMM(3, acceleration=acceleration, random_state=0, **structure)
    assert_climbs(climbing(model, X))
    assert_allclose(model.transmat_.sum(axis=1), 1.0, rtol=1e-12)
    assert_allclose(model.startprob_.sum(), 1.0, rtol=1e-12)
    topology = structure.get("topology", "ergodic")
    if not isinstance(topology, str):
        assert (model.transmat_[RING == 0] == 0).all()
    elif topology != "ergodic":
        assert_array_equal(model.startprob_, [1, 0, 0])
        assert (np.tril(model.transmat_, -1) == 0).all()
    if "transmat_shared" in structure:
        assert_allclose(np.diag(model.transmat_), model.transmat_[0, 0], rtol=1e-12)
    if "transmat_held" in structure:
        assert_allclose(np.diag(model.transmat_), [0.5, 0.6, 0.7], rtol=1e-12)
    if model.stationary:
        assert_allclose(model.startprob_ @ model.transmat_, model.startprob_, rtol=1e-9)


def test_the_mean_prior_holds_for_fixed_means(rng):
    X = [rng.normal(size=(40, 2)) * [1, 3] + [[5.0, 1.0]]]
    for kind in ("full", "tied", "diag", "spherical"):
        model = GaussianHMM(2, covariance_type=kind, mean_precision_prior=4.0,
                            covariance_prior="auto", fixed=["means"], random_state=0,
                            emission_init={"means": [[4.0, 1.0], [6.0, 0.0]]})  # fmt: skip
        assert_climbs(climbing(model, X))


def test_the_optimum_is_that_of_a_numeric_optimiser(rng):
    """All paths of a tiny problem, and no EM."""
    X = [rng.poisson(np.repeat([1, 6, 2], n))[:, None] for n in ([2, 3, 1], [1, 2, 2], [3, 2, 0])]
    model = PoissonHMM(2, random_state=0, tol=1e-14, max_iter=5000, n_init=3).fit(X)

    def loss(v):
        m = PoissonHMM(2)
        odds = np.exp(v[:3])
        p = odds / (1 + odds)
        m.startprob_ = np.array([p[0], 1 - p[0]])
        m.transmat_ = np.array([[p[1], 1 - p[1]], [p[2], 1 - p[2]]])
        m.rates_, m.n_features_in_ = np.exp(v[3:])[:, None], 1
        return -sum(enumerated(m, x)["log_prob"] for x in X)

    starts = [[0, 1, -1, 0, 2], [0, 1, -1, 2, 0], [0, 0, 0, 1, 1.2]]
    best = min(minimize(loss, s, method="Nelder-Mead",
                        options={"maxiter": 4000, "xatol": 1e-7, "fatol": 1e-11}).fun
               for s in starts)  # fmt: skip
    assert_allclose(-model.score_samples(X).sum(), best, rtol=1e-6)


def test_a_stationary_chain_is_at_the_maximum(rng):
    X = [rng.normal(np.repeat([0.0, 3.0, 0.0], 12))[:, None] for _ in range(3)]
    fixed = {"emission_init": {"means": [[0.0], [3.0]], "covariances": [[1.0], [1.0]]},
             "fixed": ["means", "covariances"]}  # fmt: skip
    model = GaussianHMM(2, stationary=True, tol=1e-13, max_iter=2000, **fixed).fit(X)
    best = model.score(X)
    for step in (-1e-3, 1e-3):
        for i in range(2):
            other = GaussianHMM(2)
            other.__dict__.update(model.__dict__)
            transmat = model.transmat_.copy()
            transmat[i] += [step, -step]
            other.transmat_ = transmat
            other.startprob_ = other.stationary_distribution_
            assert other.score(X) < best


def test_shared_entries_leave_rows_of_probabilities(rng):
    """Also where the last Newton steps change the value by its rounding alone."""
    groups = np.array([[1, 2, 3], [4, 1, 5], [6, 7, 1]])
    for counts in rng.gamma(1.0, 30.0, (200, 3, 3)):
        rows = grouped_rows(counts, groups, np.full((3, 3), 1 / 3))
        assert_allclose(rows.sum(axis=1), 1.0, rtol=1e-12)


def test_shared_and_held_entries_are_at_the_maximum(rng):
    """Moves within the constraints lower the expected log-likelihood."""
    X = rng.normal(np.repeat([0.0, 3.0, 6.0, 0.0], 30))[:, None]
    shared = [[0, 1, 0], [0, 0, 1], [1, 0, 0]]
    init = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]])
    held = np.zeros((3, 3))
    held[0, 0] = 1
    model = GaussianHMM(3, transmat_shared=shared, transmat_held=held, transmat_init=init,
                        tol=1e-13, max_iter=3000, random_state=0).fit([X])  # fmt: skip
    A = model.transmat_
    assert A[0, 0] == 0.8
    assert A[0, 1] == A[1, 2] == A[2, 0]
    best = model.score([X])
    for move in ([[0, 1, -1], [-1, 0, 1], [1, -1, 0]], [[0, 0, 0], [1, -1, 0], [0, 0, 0]]):
        for step in (-1e-3, 1e-3):
            other = GaussianHMM(3)
            other.__dict__.update(model.__dict__)
            other.transmat_ = A + step * np.array(move)
            if (other.transmat_ >= 0).all():
                assert other.score([X]) <= best


# ---- recovery --------------------------------------------------------------------------------


def test_a_sampled_model_is_found_again():
    true = GaussianHMM(3, covariance_type="full")
    true.startprob_ = np.full(3, 1 / 3)
    true.transmat_ = np.array([[0.9, 0.05, 0.05], [0.1, 0.8, 0.1], [0.0, 0.3, 0.7]])
    true.means_ = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 3.0]])
    true.covariances_ = np.array([np.eye(2), [[1.0, 0.5], [0.5, 1.0]], 0.5 * np.eye(2)])
    true.n_features_in_ = 2
    X, _ = true.sample(20, random_state=0, length=400)
    model = GaussianHMM(3, covariance_type="full", random_state=0).fit(X)
    order = [np.linalg.norm(model.means_ - m, axis=1).argmin() for m in true.means_]
    assert_allclose(model.means_[order], true.means_, atol=0.12)
    assert_allclose(model.covariances_[order], true.covariances_, atol=0.15)
    assert_allclose(model.transmat_[np.ix_(order, order)], true.transmat_, atol=0.04)
    assert model.score(X) >= true.score(X)


@pytest.mark.parametrize("spread", [[1.0, 3.0], [1.0, 2.5, 6.0]])
def test_states_that_differ_in_scatter_alone_are_found(spread):
    K = len(spread)
    true = GaussianHMM(K)
    true.startprob_ = np.full(K, 1 / K)
    true.transmat_ = 0.97 * np.eye(K) + 0.03 / K
    true.means_, true.covariances_ = np.zeros((K, 1)), np.square(spread)[:, None]
    true.n_features_in_ = 1
    X, _ = true.sample(1500, random_state=0)
    for seed in range(3):
        model = GaussianHMM(K, random_state=seed).fit(X)
        assert model.score(X) >= true.score(X)


# ---- weights ---------------------------------------------------------------------------------


@each_emission
@with_gaps
def test_a_weight_is_a_number_of_copies(case, gaps, rng):
    X = make_sequences(case, rng, gaps)
    weights = np.array([1.0, 2.0, 0.0, 3.0, 1.0, 1.0])
    times = weights.astype(int)
    options = {"random_state": 0, "emission_init": None}
    first = make_model(case, rng, 2)
    start = {
        "startprob_init": first.startprob_, "transmat_init": first.transmat_,
        "emission_init": first._params().emission._asdict(), "max_iter": 5, "tol": 0.0,
    }  # fmt: skip
    copies = [x for x, n in zip(X, times, strict=True) for _ in range(n)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        one = HMM(case.emission, 2, **{**options, **start}).fit(X, sample_weight=weights)
        two = HMM(case.emission, 2, **{**options, **start}).fit(copies)
    assert_allclose(one.lower_bounds_, two.lower_bounds_, rtol=1e-8)
    assert_allclose(one.transmat_, two.transmat_, rtol=1e-6, atol=1e-10)
    kept = [i for i, n in enumerate(times) if n]
    assert_array_equal(one.lengths_, [len(X[i]) for i in kept])
    assert_allclose(one.score(X, sample_weight=weights), two.score(copies), rtol=1e-8)
    assert_allclose(one.bic(X, sample_weight=weights), two.bic(copies), rtol=1e-8)


def test_a_row_of_weight_zero_is_not_observed(rng):
    X = rng.normal(size=(50, 2))
    weights = np.ones(50)
    weights[10:14] = 0.0
    gone = X.copy()
    gone[10:14] = np.nan
    start = {"startprob_init": [0.5, 0.5], "transmat_init": [[0.8, 0.2], [0.3, 0.7]], "tol": 0.0,
             "emission_init": {"means": [[-1.0, 0], [1, 0]], "covariances": np.ones((2, 2))},
             "acceleration": False, "max_iter": 5, "reg_covar": 0.0}  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        one = GaussianHMM(2, **start).fit(X, sample_weight=weights)
        two = GaussianHMM(2, **start).fit(gone)
    assert_allclose(one.means_, two.means_, rtol=1e-10)
    assert_allclose(one.transmat_, two.transmat_, rtol=1e-10)


def test_a_row_of_weight_two_is_two_rows_of_one_state(rng):
    """Enumeration with squared densities."""
    X = rng.normal(size=(5, 1))
    w = np.array([1.0, 2.0, 1.0, 0.5, 1.0])
    given = {"startprob_init": [0.5, 0.5], "transmat_init": [[0.8, 0.2], [0.3, 0.7]],
             "emission_init": {"means": [[-1.0], [1]], "covariances": np.ones((2, 1))}}  # fmt: skip
    start = GaussianHMM(2, max_iter=0, **given).fit(X)
    want = chain_posterior(w[:, None] * table(start, X), start.startprob_, start.transmat_)
    weighted = GaussianHMM(2, max_iter=0, **given).fit(X, sample_weight=w)
    assert_allclose(weighted.lower_bound_ * w.sum(), want["log_prob"], rtol=1e-12)


def test_steps_without_any_entry_teach_states_nothing(rng):
    """With one state, order and length do not matter."""
    X = rng.normal(size=(60, 2))
    broken = np.insert(X, np.repeat([0, 7, 60], 20), np.nan, axis=0)
    for emission in (Mixture(Gaussian("full")), Gaussian("full")):
        for max_iter in (0, 500):
            options = {"random_state": 0, "tol": 1e-12, "max_iter": max_iter}
            one, two = (HMM(emission, **options).fit([x]) for x in (X, broken))
            assert_allclose(one.means_, two.means_, rtol=1e-4)
            assert_allclose(one.covariances_, two.covariances_, rtol=1e-3)


# ---- known states ----------------------------------------------------------------------------


def labelled(rng):
    y = [np.array([0, 0, 1, 1, 2, 2, 2]), np.array([1, 1, 2, 0]), np.array([0, 2])]
    return [rng.normal(3.0 * z)[:, None] for z in y], y


def test_known_states_are_counted(rng):
    X, y = labelled(rng)
    model = GaussianHMM(3, transmat_prior=1.5, startprob_prior=2.0, reg_covar=0.0).fit(X, y)
    assert model.converged_
    assert_allclose(model.startprob_, np.array([3, 2, 1]) / 6)
    counts = np.array([[1, 1, 1], [0, 2, 2], [1, 0, 2]]) + 0.5
    assert_allclose(model.transmat_, counts / counts.sum(axis=1, keepdims=True))
    rows, states = np.concatenate(X)[:, 0], np.concatenate(y)
    assert_allclose(model.means_[:, 0], [rows[states == k].mean() for k in range(3)])
    assert_allclose(model.covariances_[:, 0], [rows[states == k].var() for k in range(3)])


def test_counting_is_the_e_step_of_known_states(rng, monkeypatch):
    monkeypatch.setattr(_problem, "BLOCK_ROWS", 4)
    monkeypatch.setattr(_problem, "TABLE", 15)  # blocks of five rows
    X, y = labelled(rng)
    X[0][2] = np.nan
    rows = Rows(np.concatenate(X), np.repeat([1.0, 2.5, 0.5], [len(x) for x in X]))
    sequences = Sequences(rows, np.cumsum([0, *(len(x) for x in X)]))
    problem = HMMProblem(Gaussian("diag").adapt(rows, 3), Chain(3), sequences, np.concatenate(y))
    params = problem.start(np.full((len(rows), 3), 1 / 3))
    counted = problem.expectation(params)
    problem.all_known = False  # as if the recursions were needed
    run = problem.expectation(params)
    assert_allclose(counted.log_lik, run.log_lik, rtol=1e-13)
    assert_allclose(counted.start_counts, run.start_counts, atol=1e-13)
    assert_allclose(counted.counts, run.counts, atol=1e-13)
    for one, other in zip(counted.emission, run.emission, strict=True):
        assert_allclose(one, other, atol=1e-12)


def test_some_known_states_tell_the_states_apart(rng):
    """The states have the numbers of the labels, and the known ones are theirs for certain."""
    z = [np.repeat([2, 0, 1], 20), np.repeat([1, 2, 0, 2], 10)]
    X = [rng.normal(4.0 * s)[:, None] for s in z]
    y = [np.where(np.arange(len(s)) % 10 == 3, s, -1) for s in z]
    for seed in range(5):
        model = GaussianHMM(3, random_state=seed).fit(X, y)
        assert_allclose(model.means_[:, 0], [0, 4, 8], atol=0.6)
    with_labels = climbing(GaussianHMM(3, random_state=0), X, y)
    assert_climbs(with_labels)


def test_the_objective_with_known_states_sums_over_paths_that_agree(rng):
    X, y = labelled(rng)
    y[0][2:5] = -1
    y[1][:] = -1
    model = GaussianHMM(3, max_iter=0, random_state=0).fit(X, y)
    total = 0.0
    for x, states in zip(X, y, strict=True):
        paths, log_joint = all_paths(model, x)
        agree = ((paths == states) | (states < 0)).all(axis=1)
        total += np.logaddexp.reduce(log_joint[agree])
    assert_allclose(model.lower_bound_ * 13, total, rtol=1e-12)


def test_a_label_that_never_comes_leaves_a_valid_state(rng):
    X, y = labelled(rng)
    model = GaussianHMM(4).fit(X, y)
    assert_allclose(model.transmat_.sum(axis=1), 1.0)
    assert model.startprob_[3] == 0
    assert np.isfinite(model.means_).all()
    assert np.isfinite(model.score_samples(X)).all()


def test_labels_of_left_out_sequences_do_not_count(rng):
    X, y = labelled(rng)
    one = GaussianHMM(3).fit(X, y, sample_weight=[1, 0, 1])
    two = GaussianHMM(3).fit([X[0], X[2]], [y[0], y[2]])
    assert_allclose(one.transmat_, two.transmat_)
    assert_allclose(one.means_, two.means_)


@pytest.mark.parametrize("y", [None, [0, 1, 0], np.array([0.5, 2.0, 1.0]), ["a", "b", "c"]])
def test_other_y_is_ignored(rng, y):
    X, _ = labelled(rng)
    with_y, without = (GaussianHMM(2, random_state=0).fit(X, t) for t in (y, None))
    assert_array_equal(with_y.means_, without.means_)


# ---- zeros and states without visitors -------------------------------------------------------


def test_zeros_of_the_start_stay(rng):
    X = [rng.normal(size=(40, 1)) for _ in range(3)]
    transmat = np.array([[0.5, 0.5, 0.0], [0.0, 0.5, 0.5], [0.5, 0.0, 0.5]])
    model = GaussianHMM(3, transmat_init=transmat, startprob_init=[1, 0, 0], random_state=0).fit(X)
    assert ((model.transmat_ == 0) == (transmat == 0)).all()
    assert_array_equal(model.startprob_, [1, 0, 0])


def test_more_states_than_are_visited_do_no_harm(rng):
    X = [rng.normal(size=(n, 2)) for n in (3, 4, 3)]
    for topology in ("left-right", "linear", "ergodic"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = GaussianHMM(9, topology=topology, random_state=0).fit(X)
        assert np.isfinite(model.score_samples(X)).all()
        assert_allclose(model.transmat_.sum(axis=1), 1.0)
        assert (model.covariances_ > 0).all()
        assert len(model.predict(X)) == 3


def test_a_chain_that_hardly_moves(rng):
    """Transition probabilities of 1e-12 stay exact in a long sequence."""
    x = np.concatenate([rng.normal(0, 1, 3000), rng.normal(1, 1, 3000)])[:, None]
    rare = 1e-12
    given = {"startprob_init": [0.5, 0.5], "transmat_init": [[1 - rare, rare], [rare, 1 - rare]],
             "emission_init": {"means": [[0.0], [1]], "covariances": np.ones((2, 1))}}  # fmt: skip
    model = GaussianHMM(2, max_iter=0, **given).fit([x])
    want = chain_recursion(table(model, x), model.startprob_, model.transmat_)
    assert_allclose(model.score_samples([x])[0], want["log_prob"], rtol=1e-12)
    assert_allclose(model.predict_proba(x), want["resp"], atol=1e-8)
    assert_climbs(climbing(GaussianHMM(2, **given), [x]))


def test_one_wild_row_stops_nothing(rng):
    x = rng.normal(size=(300, 1))
    x[150] = 1e6
    for K in (1, 2, 3):
        for kind in ("full", "tied", "diag", "spherical"):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                model = GaussianHMM(K, covariance_type=kind, random_state=0).fit([x])
            assert np.isfinite(model.score([x]))
    model = GaussianHMM(2, random_state=0).fit([np.delete(x, 150, axis=0)])
    assert np.isfinite(model.score([x]))
    assert np.isfinite(model.predict_proba(x)).all()
    assert len(model.predict(x)) == 300


# ---- hmmlearn --------------------------------------------------------------------------------

hmmlearn = pytest.importorskip("hmmlearn.hmm")
STARTPROB, TRANSMAT = (
    np.array([0.6, 0.3, 0.1]),
    np.array([[0.7, 0.2, 0.1], [0.3, 0.5, 0.2], [0.2, 0.2, 0.6]]),
)


def assert_the_same(ours, theirs, X, emission):
    """EM iterates, scores, paths and posteriors from the same start."""
    lengths, stacked = [len(x) for x in X], np.concatenate(X)
    theirs.startprob_, theirs.transmat_ = STARTPROB, TRANSMAT
    theirs.fit(stacked, lengths)
    ours.set_params(startprob_init=STARTPROB, transmat_init=TRANSMAT, emission_init=emission,
                    tol=0.0, max_iter=theirs.n_iter, acceleration=False)  # fmt: skip
    with pytest.warns(ConvergenceWarning):
        ours.fit(X)
    n = len(stacked)
    history = np.array(theirs.monitor_.history) / n
    assert_allclose(ours.lower_bounds_[:-1], history[1:], rtol=1e-9)
    assert_allclose(ours.transmat_, theirs.transmat_, rtol=1e-6, atol=1e-9)
    assert_allclose(ours.startprob_, theirs.startprob_, rtol=1e-6, atol=1e-9)
    assert_allclose(ours.score_samples(X).sum(), theirs.score(stacked, lengths), rtol=1e-9)
    posteriors = np.concatenate(ours.predict_proba(X))
    assert_allclose(posteriors, theirs.predict_proba(stacked, lengths), atol=1e-7)
    log_prob, path = theirs.decode(stacked, lengths)
    paths, log_probs = ours.decode(X)
    assert_array_equal(np.concatenate([p[0] for p in paths]), path)
    assert_allclose(sum(p[0] for p in log_probs), log_prob, rtol=1e-9)


@pytest.mark.parametrize("kind", ["full", "tied", "diag", "spherical"])
def test_gaussian_parity(rng, kind):
    X = [rng.normal(size=(n, 2)) + rng.choice([0, 2], (n, 1)) for n in (60, 25, 40)]
    theirs = hmmlearn.GaussianHMM(3, covariance_type=kind, n_iter=8, tol=-np.inf, init_params="",
                                  covars_prior=0.0, covars_weight=1 if kind == "full" else 0,
                                  means_weight=0.0, min_covar=0.0)  # fmt: skip
    if kind in ("full", "tied"):
        theirs.covars_weight = 0.0
        theirs.covars_prior = 0.0
    means = np.array([[0.0, 0.0], [2.0, 1.0], [1.0, 2.0]])
    wide = {"full": np.tile(np.eye(2), (3, 1, 1)), "tied": np.eye(2), "diag": np.ones((3, 2)),
            "spherical": np.ones(3)}[kind]  # fmt: skip
    theirs.means_, theirs.covars_ = means, wide
    ours = GaussianHMM(3, covariance_type=kind, reg_covar=0.0)
    assert_the_same(ours, theirs, X, {"means": means, "covariances": wide})


def test_poisson_parity(rng):
    X = [rng.poisson(rng.choice([1, 5], (n, 1)) * [1.0, 2.0]).astype(float) for n in (60, 25, 40)]
    rates = np.array([[1.0, 2.0], [5.0, 9.0], [3.0, 3.0]])
    theirs = hmmlearn.PoissonHMM(3, n_iter=8, tol=-np.inf, init_params="", lambdas_prior=0.0,
                                 lambdas_weight=0.0)  # fmt: skip
    theirs.lambdas_ = rates
    assert_the_same(PoissonHMM(3), theirs, [x.astype(int) for x in X], {"rates": rates})


def test_categorical_parity(rng):
    X = [rng.integers(4, size=(n, 1)) for n in (60, 25, 40)]
    probs = rng.dirichlet(np.ones(4), 3)
    theirs = hmmlearn.CategoricalHMM(3, n_iter=8, tol=-np.inf, init_params="")
    theirs.emissionprob_ = probs
    assert_the_same(CategoricalHMM(3), theirs, X, {"probs": probs[:, None]})
