"""Mixtures: what EM promises, what the parameters mean, and what bad input is told."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp
from sklearn import mixture as peer
from sklearn.base import clone
from sklearn.datasets import load_iris, make_blobs
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from skgen import Gaussian as SingleGaussian
from skgen import GaussianMixture, Mixture
from skgen._starts import responsibilities
from skgen.emissions import Bernoulli, Categorical, Gaussian, Poisson

TYPES = ("full", "tied", "diag", "spherical")
EMISSIONS = {
    **{kind: Gaussian(kind) for kind in TYPES},
    "poisson": Poisson(),
    "bernoulli": Bernoulli(),
    "categorical": Categorical(),
}


def overlapping(rng, n=400, d=3):
    """Two groups that overlap, in ``d`` columns."""
    return rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + 2.5 * rng.integers(0, 2, (n, 1))


def data(name, rng, share=0.0):
    if name in TYPES:
        X = overlapping(rng)
    elif name == "poisson":
        X = rng.poisson(rng.choice([2.0, 6.0], (400, 1)) * np.ones(3)).astype(float)
    else:
        X = (rng.random((400, 5)) < rng.choice([0.25, 0.7], (400, 1))).astype(float)
    X[rng.random(X.shape) < share] = np.nan
    return X


def weighted_start(X, kind, K=3):
    """A start that both packages take, from arbitrary responsibilities."""
    resp = np.random.default_rng(1).dirichlet(np.ones(K), len(X))
    first = peer.GaussianMixture(K, covariance_type=kind)
    weights, means, covariances = peer._gaussian_mixture._estimate_gaussian_parameters(
        X, resp, 1e-6, kind
    )
    precisions = np.linalg.inv(covariances) if kind in ("full", "tied") else 1 / covariances
    weights_init = weights / weights.sum()
    return {"weights_init": weights_init, "means_init": means, "precisions_init": precisions}, first


# ---- EM -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", TYPES)
def test_each_iteration_is_scikit_learn_s_from_the_same_start(kind):
    X = load_iris().data
    start, _ = weighted_start(X, kind)
    for n_iter in (1, 2, 7, 30):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            ours = GaussianMixture(
                3, covariance_type=kind, reg_covar=1e-6, tol=0.0, max_iter=n_iter,
                acceleration=False, **start,
            ).fit(X)  # fmt: skip
            theirs = peer.GaussianMixture(
                3, covariance_type=kind, tol=0.0, max_iter=n_iter, **start
            ).fit(X)
        assert_allclose(ours.weights_, theirs.weights_, rtol=1e-9)
        assert_allclose(ours.means_, theirs.means_, rtol=1e-9)
        assert_allclose(ours.covariances_, theirs.covariances_, rtol=1e-8, atol=1e-12)
        assert_allclose(ours.precisions_, theirs.precisions_, rtol=1e-6, atol=1e-8)
        assert_allclose(
            ours.precisions_cholesky_, theirs.precisions_cholesky_, rtol=1e-6, atol=1e-8
        )
        assert_allclose(ours.score_samples(X), theirs.score_samples(X), rtol=1e-8)
        assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-8)
        assert_allclose(ours.bic(X), theirs.bic(X), rtol=1e-9)
        assert_allclose(ours.aic(X), theirs.aic(X), rtol=1e-9)


@pytest.mark.parametrize("share", [0.0, 0.25])
@pytest.mark.parametrize("name", EMISSIONS)
def test_em_never_lowers_its_objective_and_reports_it(rng, name, share):
    X = data(name, rng, share)
    model = Mixture(EMISSIONS[name], 3, random_state=0, tol=1e-9, max_iter=5000).fit(X)
    assert len(model.lower_bounds_) == model.n_iter_ > 3
    assert np.diff(model.lower_bounds_).min() > -1e-12
    assert_allclose(model.lower_bound_, model.score(X), rtol=1e-11)


@pytest.mark.parametrize("name", EMISSIONS)
def test_with_priors_the_objective_is_the_log_posterior(rng, name):
    X = data(name, rng, 0.2)
    prior = {
        "poisson": {"shape": 3.0, "rate": 1.0},
        "bernoulli": {"alpha": 2.0, "beta": 3.0},
        "categorical": {"concentration": 2.0},
    }.get(name, {"covariance_prior": "auto", "mean_precision_prior": 0.1})
    emission = clone(EMISSIONS[name]).set_params(**prior)
    model = Mixture(emission, 3, weight_concentration_prior=2.0, random_state=0).fit(X)
    assert np.diff(model.lower_bounds_).min() > -1e-12
    assert model.lower_bound_ != pytest.approx(model.score(X), rel=1e-9)


@pytest.mark.parametrize("name", EMISSIONS)
def test_acceleration_finds_the_same_optimum(rng, name):
    X = data(name, rng, 0.1)
    long = {"tol": 1e-10, "max_iter": 20_000, "init_params": "random", "random_state": 0}
    fits = [Mixture(EMISSIONS[name], 2, acceleration=flag, **long).fit(X) for flag in (True, False)]
    assert_allclose(fits[0].lower_bound_, fits[1].lower_bound_, rtol=1e-8)
    assert fits[0].n_iter_ <= fits[1].n_iter_


def test_the_stopping_rule_is_honest(rng):
    """On a slow problem little is left to gain, although each step gains next to nothing."""
    X = rng.normal(size=(2000, 1)) + 2.0 * rng.integers(0, 2, (2000, 1))
    model = GaussianMixture(2, tol=1e-5, max_iter=10_000, acceleration=False, random_state=0).fit(X)
    best = GaussianMixture(2, tol=1e-13, max_iter=50_000, random_state=0, warm_start=True)
    best.weights_, best.means_, best.covariances_ = model.weights_, model.means_, model.covariances_
    assert best.fit(X).lower_bound_ - model.lower_bound_ < 5e-5


def test_a_mixture_of_one_is_its_component(rng):
    X = overlapping(rng)
    model = GaussianMixture(1, random_state=0).fit(X)
    assert_allclose(model.means_[0], X.mean(axis=0), rtol=1e-12)
    assert_allclose(model.covariances_[0], np.cov(X.T, bias=True), rtol=1e-11)
    assert_allclose(model.predict_proba(X), 1.0)


def test_equal_components_are_one(rng):
    X = overlapping(rng)
    one = GaussianMixture(1).fit(X)
    two = GaussianMixture(2)
    two.weights_, two.means_ = np.array([0.3, 0.7]), np.repeat(one.means_, 2, axis=0)
    two.covariances_ = np.repeat(one.covariances_, 2, axis=0)
    assert_allclose(two.score_samples(X), one.score_samples(X), rtol=1e-12)


def test_the_density_is_the_weighted_sum_of_its_components(rng):
    X = overlapping(rng)
    model = GaussianMixture(3, random_state=0).fit(X)
    parts = []
    for k in range(3):
        part = GaussianMixture(1)
        part.weights_, part.means_ = np.ones(1), model.means_[[k]]
        part.covariances_ = model.covariances_[[k]]
        parts.append(part.score_samples(X) + np.log(model.weights_[k]))
    assert_allclose(model.score_samples(X), logsumexp(parts, axis=0), rtol=1e-11)


# ---- numbers --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("offset", [0.0, 1e8])
def test_a_mean_of_1e8_costs_no_digits_of_the_variance(kind, offset):
    X = np.random.default_rng(3).normal(0.0, np.sqrt(0.95), size=(4000, 2))
    X += offset - X.mean(axis=0)
    held = X - offset  # what float64 holds of the rows at this offset
    model = GaussianMixture(1, covariance_type=kind).fit(X)
    variances = np.atleast_1d(model._emission().matrix(model._params().emission, 0).diagonal())
    want = held.var(axis=0) if kind != "spherical" else np.full(2, held.var(axis=0).mean())
    assert_allclose(variances, want, rtol=1e-6)
    assert_allclose(model.means_[0] - offset, held.mean(axis=0), atol=1e-6)


@pytest.mark.parametrize("kind", TYPES)
def test_float32_rows_are_fitted_as_they_are(rng, kind):
    X = overlapping(rng).astype(np.float32)
    single = GaussianMixture(2, covariance_type=kind, random_state=0).fit(X + np.float32(1000))
    double = GaussianMixture(2, covariance_type=kind, random_state=0).fit(X.astype(float))
    assert_allclose(single.lower_bound_, double.lower_bound_, rtol=1e-4)


@pytest.mark.parametrize("kind", TYPES)
def test_the_fit_does_not_depend_on_the_units(rng, kind):
    X = overlapping(rng)
    X[rng.random(X.shape) < 0.1] = np.nan
    factors = np.array([1.0, 1.0, 1.0]) if kind == "spherical" else np.array([1e-90, 1e3, 1e60])
    plain = GaussianMixture(3, covariance_type=kind, random_state=0).fit(X)
    scaled = GaussianMixture(3, covariance_type=kind, random_state=0).fit(X * factors)
    seen = ~np.isnan(X) @ np.log(factors)
    assert_allclose(scaled.score_samples(X * factors) + seen, plain.score_samples(X), atol=1e-6)


# ---- collapse -------------------------------------------------------------------------------


def test_a_pile_of_equal_rows_does_not_swallow_the_fit():
    """A third of the rows are equal, as customers who bought once: no component gets no width."""
    rng = np.random.default_rng(0)
    items = np.where(rng.random(2000) < 0.3, 1, rng.geometric(0.1, 2000))
    amount = items * np.exp(rng.normal(2.7, 0.4, 2000))
    X = np.log(np.column_stack([amount, items]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = GaussianMixture(3, random_state=0).fit(X)
        naive = peer.GaussianMixture(3, random_state=0).fit(X)
    assert np.linalg.eigvalsh(naive.covariances_).min() < 1e-5
    assert np.linalg.eigvalsh(model.covariances_).min() > 1e-3


def test_a_degenerate_fit_names_the_component(rng):
    X = np.concatenate([rng.normal(size=(50, 2)), np.full((50, 2), 5.0)])
    with pytest.warns(ConvergenceWarning, match=r"component \d has no variance .* use fewer"):
        GaussianMixture(2, random_state=0).fit(X)


def test_a_lone_degenerate_component_is_not_numbered(rng):
    X = rng.normal(size=(50, 2))[:, [0, 1, 0]]
    with pytest.warns(ConvergenceWarning, match=r"the only component has no variance .* leave out"):
        GaussianMixture(random_state=0).fit(X)
    for model in (SingleGaussian(reg_covar=0.0), GaussianMixture(reg_covar=0.0)):
        with pytest.raises(ValueError, match=r"^The covariance is not positive definite; raise"):
            model.fit(0.0 * X)


@pytest.mark.parametrize("kind", TYPES)
def test_constant_and_equal_columns_have_a_finite_density(rng, kind):
    X = rng.normal(size=(60, 4))
    X[:, 1], X[:, 3] = 3.0, X[:, 2]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = GaussianMixture(2, covariance_type=kind, random_state=0).fit(X)
    assert np.isfinite(model.score_samples(X)).all()


# ---- starts ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "method",
    ["auto", "kmeans", "k-means++", "whitened", "subspace", "random", "random_from_data"],
)
def test_every_start_takes_gaps_and_weights(rng, method):
    X, _ = make_blobs(300, 3, centers=3, random_state=0, cluster_std=0.5)
    X[rng.random(X.shape) < 0.2] = np.nan
    repeats = rng.integers(0, 3, 300)
    weighted = GaussianMixture(3, init_params=method, random_state=0, max_iter=2000)
    repeated = clone(weighted).fit(np.repeat(X, repeats, axis=0))
    weighted.fit(X, sample_weight=repeats)
    assert_allclose(weighted.score_samples(X), repeated.score_samples(X), rtol=1e-5, atol=1e-5)


def test_more_races_never_end_lower(rng):
    X, _ = make_blobs(300, 2, centers=4, random_state=1)
    scores = [
        GaussianMixture(4, n_init=n_init, random_state=0, tol=1e-8, max_iter=5000)
        .fit(X)
        .lower_bound_
        for n_init in (1, 3)
    ]
    assert scores[1] >= scores[0] - 1e-9


def test_some_columns_show_groups_that_all_of_them_hide(rng):
    groups = rng.integers(0, 3, 1000)
    points = rng.normal(size=(1000, 4))
    points[:, 2] = rng.normal(4.0 * groups, 0.5) / 3.3

    def agreement(method):
        """That of the best of twenty starts with the groups."""
        starts = (responsibilities(method, points, np.ones(1000), 3, rng) for _ in range(20))
        return max(adjusted_rand_score(groups, start.argmax(axis=1)) for start in starts)

    assert agreement("kmeans") < 0.7
    assert agreement("subspace") > 0.95


def test_the_race_does_not_depend_on_the_order_of_columns(rng):
    X = rng.normal(size=(500, 4)) ** 3
    order = [2, 0, 3, 1]
    scores = [
        responsibilities("subspace", points, np.ones(500), 3, np.random.default_rng(5))
        for points in (X, X[:, order])
    ]
    assert_array_equal(*scores)


def test_a_start_that_collapses_does_not_end_the_fit():
    """Without regularization most starts lead to a singular covariance here."""
    X = np.random.default_rng(0).normal(size=(60, 4))
    lone = {"reg_covar": 0.0, "random_state": 0, "n_components": 5}
    with pytest.raises(ValueError, match=r"component [0-4] is not positive definite"):
        GaussianMixture(init_params="kmeans", **lone).fit(X)
    assert np.isfinite(GaussianMixture(**lone).fit(X).score(X))
    assert np.isfinite(GaussianMixture(init_params="kmeans", n_init=20, **lone).fit(X).score(X))


def test_where_all_starts_collapse_the_error_says_what_to_do():
    X = np.repeat(np.eye(3), 5, axis=0)
    with pytest.raises(ValueError, match="not positive definite; use fewer components, raise reg"):
        GaussianMixture(3, reg_covar=0.0, random_state=0).fit(X)


def test_given_means_are_where_em_starts():
    X, _ = make_blobs(200, 2, centers=[[0, 0], [9, 9]], random_state=0)
    for order in ([0, 1], [1, 0]):
        means = np.array([[0.0, 0.0], [9.0, 9.0]])[order]
        model = GaussianMixture(2, means_init=means, random_state=0).fit(X)
        assert_allclose(model.means_, means, atol=0.5)


def test_warm_start_goes_on(rng):
    X = overlapping(rng)
    model = GaussianMixture(3, random_state=0, warm_start=True, max_iter=3, tol=1e-12)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        first = model.fit(X).lower_bound_
        assert model.fit(X).lower_bounds_[0] >= first


def test_no_iterations_give_the_start(rng):
    X, means = overlapping(rng), rng.normal(size=(2, 3))
    model = GaussianMixture(2, max_iter=0, means_init=means, random_state=0).fit(X)
    assert_allclose(model.means_, means)
    assert_allclose(model.lower_bound_, model.score(X))


# ---- conditional, marginal, imputation ------------------------------------------------------


@pytest.mark.parametrize("kind", TYPES)
def test_joint_is_marginal_times_conditional(rng, kind):
    X = overlapping(rng)
    model = GaussianMixture(3, covariance_type=kind, random_state=0).fit(X)
    x = X[0]
    conditional = model.conditional([x[0], np.nan, x[2]])
    marginal = model.marginal([0, 2])
    joint = model.score_samples(x[None])
    split = marginal.score_samples(x[None, [0, 2]]) + conditional.score_samples(x[None, [1]])
    assert_allclose(split, joint, rtol=1e-10)


@pytest.mark.parametrize("name", EMISSIONS)
def test_the_marginal_is_what_gaps_score(rng, name):
    X = data(name, rng)
    model = Mixture(EMISSIONS[name], 2, random_state=0).fit(X)
    gaps = X.copy()
    gaps[:, 1] = np.nan
    kept = [j for j in range(X.shape[1]) if j != 1]
    assert_allclose(
        model.marginal(kept).score_samples(X[:, kept]), model.score_samples(gaps), rtol=1e-9
    )


@pytest.mark.parametrize("kind", TYPES)
def test_imputed_means_are_conditional_means(rng, kind):
    X = overlapping(rng)
    model = GaussianMixture(3, covariance_type=kind, random_state=0).fit(X)
    x = np.array([X[0, 0], np.nan, X[0, 2]])
    given = model.conditional(x)
    assert_allclose(model.impute(x[None])[0, 1], given.weights_ @ given.means_[:, 0], rtol=1e-10)


def test_draws_follow_the_conditional(rng):
    X = overlapping(rng)
    model = GaussianMixture(2, random_state=0).fit(X)
    rows = np.tile([X[0, 0], np.nan, np.nan], (20_000, 1))
    drawn = model.impute(rows, method="draw", random_state=0)[:, 1:]
    fresh, _ = model.conditional(rows[0]).sample(20_000, random_state=1)
    assert_allclose(drawn.mean(axis=0), fresh.mean(axis=0), atol=0.06)
    assert_allclose(np.cov(drawn.T), np.cov(fresh.T), rtol=0.06, atol=0.02)


def test_icl_adds_the_entropy(rng):
    X = overlapping(rng)
    model = GaussianMixture(2, random_state=0).fit(X)
    p = model.predict_proba(X)
    assert_allclose(model.icl(X), model.bic(X) - 2 * (p * np.log(p)).sum(), rtol=1e-12)


# ---- life of the object ---------------------------------------------------------------------


def test_precisions_can_be_set_by_hand(rng):
    X = overlapping(rng)
    for kind in TYPES:
        model = GaussianMixture(2, covariance_type=kind, random_state=0).fit(X)
        other = GaussianMixture(2, covariance_type=kind)
        other.weights_, other.means_ = model.weights_, model.means_
        other.precisions_cholesky_ = model.precisions_cholesky_
        assert_allclose(other.score_samples(X), model.score_samples(X), rtol=1e-9)


def test_pickles_hold_the_parameters_and_little_else(rng):
    model = GaussianMixture(2, random_state=0).fit(rng.normal(size=(10_000, 2)))
    assert len(pickle.dumps(model)) < 5000


def test_frames_come_back_as_frames(rng):
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    X = overlapping(rng)
    for library in (pandas, polars):
        frame = library.DataFrame({name: X[:, j] for j, name in enumerate("abc")})
        model = GaussianMixture(2, random_state=0).fit(frame)
        drawn, labels = model.sample(5)
        assert isinstance(drawn, library.DataFrame)
        assert list(drawn.columns) == list("abc")
        assert labels.shape == (5,)
        assert isinstance(model.impute(frame), library.DataFrame)
        assert isinstance(model.set_output(transform="default").sample(2)[0], np.ndarray) is False
        assert list(model.marginal(["c", "a"]).feature_names_in_) == ["c", "a"]
    assert isinstance(model.set_output(transform="pandas").sample(2)[0], pandas.DataFrame)


# ---- entries that only the pass has seen -----------------------------------------------------


@pytest.mark.parametrize("method", ["score_samples", "predict", "predict_proba"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("d", [1, 3, 6, 17])
@pytest.mark.parametrize("kind", TYPES)
def test_the_pass_notices_what_is_not_finite(rng, kind, d, dtype, method):
    X = overlapping(rng, 2500, d).astype(dtype)
    model = GaussianMixture(2, covariance_type=kind, tol=1e-2, random_state=0).fit(X)
    complete = getattr(model, method)(X)
    X[2400, d // 2] = np.nan
    assert_allclose(getattr(model, method)(X)[:2400], complete[:2400], rtol=1e-4, atol=1e-4)
    assert np.isfinite(getattr(model, method)(X)).all()
    X[2400, d // 2] = -np.inf
    with pytest.raises(ValueError, match=f"infinite value in row 2400, column {d // 2}"):
        getattr(model, method)(X)


def test_a_row_beyond_any_density_is_no_error(rng):
    X = overlapping(rng)
    model = GaussianMixture(2, random_state=0).fit(X)
    X[7] = 1e200
    assert model.score_samples(X)[7] == -np.inf


# ---- bad input ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "X", "message"),
    [
        ({"n_components": 9}, np.ones((5, 2)), "n_samples=5 is less than n_components=9"),
        ({}, [[0.0, 1], [np.inf, 2]], "infinite value in row 1, column 0"),
        ({}, [[0.0, np.nan], [1, np.nan]], "no observed value in column 1"),
        ({"weights_init": [0.5, 0.6], "n_components": 2}, np.eye(4), "adds up to 1.1"),
        ({"means_init": [[0.0]], "n_components": 2}, np.eye(4), r"means_init has shape \(1, 1\)"),
        (
            {"precisions_init": -np.ones((2, 4)), "n_components": 2, "covariance_type": "diag"},
            np.eye(4),
            "positive definite",
        ),
        ({"covariance_type": "round"}, np.eye(4), "covariance_type"),
        ({"tol": -1.0}, np.eye(4), "tol"),
    ],
)
def test_mistakes_are_named(parameters, X, message):
    with pytest.raises(ValueError, match=message):
        GaussianMixture(**parameters).fit(X)


@pytest.mark.parametrize("weights", [[1, -1, 1, 1], [0, 0, 0, 0], [1, 1], [1, np.nan, 1, 1]])
def test_impossible_weights_are_refused(weights):
    with pytest.raises(ValueError, match="sample_weight"):
        GaussianMixture().fit(np.eye(4), sample_weight=weights)


def test_numbers_whose_squares_are_infinite_are_refused(rng):
    X = rng.normal(size=(50, 2)) * [1.0, 1e160]
    with pytest.raises(ValueError, match=r"e\+160 in row \d+, column 1, of which the square"):
        GaussianMixture(2, random_state=0).fit(X)


def test_values_may_be_given_by_name(rng):
    frame = pd.DataFrame(overlapping(rng), columns=["a", "b", "c"])
    model = GaussianMixture(2, random_state=0).fit(frame)
    expected = model.conditional([1.0, np.nan, 2.0]).means_
    for values in ({"a": 1.0, "c": 2.0}, pd.Series({"c": 2.0, "b": np.nan, "a": 1.0})):
        assert_array_equal(model.conditional(values).means_, expected)
    with pytest.raises(ValueError, match=r"values has 'q', .* of the fit: \['a', 'b', 'c'\]"):
        model.conditional({"q": 1.0})
    with pytest.raises(ValueError, match="values must hold numbers: could not convert"):
        model.conditional({"a": "red"})


def test_a_model_too_large_for_memory_is_refused():
    with pytest.raises(MemoryError, match=r"n_components=50000.*fewer"):
        GaussianMixture(50_000).fit(np.random.default_rng(0).normal(size=(50_000, 300)))


def test_impossible_requests_are_named(rng):
    model = GaussianMixture(2, random_state=0).fit(overlapping(rng))
    for call, message in [
        (lambda: model.sample(0), "n_samples=0 must be a positive"),
        (lambda: model.impute(np.ones((2, 3)), method="median"), "method='median'"),
        (lambda: model.conditional([1.0, 2.0, 3.0]), "no NaN"),
        (lambda: model.marginal([7]), "index 7"),
        (lambda: model.score_samples(np.ones((2, 5))), "5 features"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()


@parametrize_with_checks(
    [
        Mixture(random_state=0),
        *(GaussianMixture(2, covariance_type=kind, random_state=0) for kind in TYPES),
    ]
)
def test_scikit_learn_s_contract(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        check(estimator)
