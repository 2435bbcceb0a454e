"""One Gaussian: maximum likelihood, shrinkage, priors, missing entries, use."""

import numpy as np
import pytest
from gaussians import COVARIANCE, MEAN, NAN, by_hand, correlated, with_gaps
from scipy import integrate, stats
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.estimator_checks import parametrize_with_checks

from skgen import Gaussian, GaussianMixture, emissions
from skgen._sequences import Rows
from skgen.gaussian import _mixture

TYPES = ("full", "diag", "spherical")
PRIOR = {"mean_precision_prior": 0.5, "covariance_prior": "auto"}


def moments(X, weights=None):
    mean = np.average(X, axis=0, weights=weights)
    return mean, np.cov(X.T, aweights=weights, bias=True)


@pytest.fixture
def model():
    return by_hand(MEAN, COVARIANCE)


# ---- estimators -------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:Degenerate fit")  # fifteen rows of thirty columns
@parametrize_with_checks(
    [
        *(Gaussian(kind) for kind in TYPES),
        Gaussian(shrinkage="ledoit_wolf"),
        Gaussian(shrinkage="oas"),
        Gaussian(**PRIOR),
    ]
)
def test_scikit_learn_conventions(estimator, check):
    check(estimator)


# ---- maximum likelihood -----------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", TYPES)
def test_the_fit_to_complete_rows_is_their_moments(rng, kind, weighted):
    X = correlated(rng)
    weights = rng.random(len(X)) + 0.1 if weighted else None
    mean, covariance = moments(X, weights)
    expected = {
        "full": covariance,
        "diag": np.diag(covariance),
        "spherical": np.diag(covariance).mean(),
    }[kind]
    model = Gaussian(kind).fit(X, sample_weight=weights)
    np.testing.assert_allclose(model.mean_, mean, rtol=1e-12)
    np.testing.assert_allclose(model.covariance_, expected, rtol=1e-12)
    assert np.shape(model.covariance_) == np.shape(expected)
    assert (model.n_iter_, model.converged_, model.shrinkage_) == (1, True, 0.0)


@pytest.mark.parametrize("kind", TYPES)
def test_the_log_density_is_that_of_scipy(rng, kind):
    X = correlated(rng)
    model = Gaussian(kind).fit(X)
    matrix = model.covariance_ if kind == "full" else model.covariance_ * np.eye(3)
    expected = stats.multivariate_normal(model.mean_, matrix).logpdf(X)
    np.testing.assert_allclose(model.score_samples(X), expected, rtol=1e-12)
    np.testing.assert_allclose(model.lower_bound_, expected.mean(), rtol=1e-12)


@pytest.mark.parametrize("kind", TYPES)
def test_no_perturbation_of_the_fit_with_gaps_raises_the_likelihood(rng, kind):
    X = with_gaps(correlated(rng), rng)
    model = Gaussian(kind, tol=0).fit(X)
    best = model.score(X)
    for _ in range(30):
        turn = np.eye(3) + 1e-3 * rng.standard_normal((3, 3))
        covariance = {
            "full": lambda turn=turn: turn @ model.covariance_ @ turn.T,
            "diag": lambda turn=turn: model.covariance_ * np.diag(turn),
            "spherical": lambda turn=turn: model.covariance_ * turn[0, 0],
        }[kind]()
        mean = model.mean_ + 1e-3 * rng.standard_normal(3)
        assert by_hand(mean, covariance, kind).score(X) < best


@pytest.mark.parametrize("kind", ["diag", "spherical"])
def test_uncorrelated_columns_are_fitted_in_one_pass_whatever_is_missing(rng, kind):
    X = with_gaps(correlated(rng), rng)
    model = Gaussian(kind).fit(X)
    deviations = X - np.nanmean(X, axis=0)
    expected = np.nanmean(deviations**2, axis=0 if kind == "diag" else None)
    np.testing.assert_allclose(model.covariance_, expected, rtol=1e-12)
    assert model.n_iter_ == 1


def test_em_never_lowers_the_likelihood_and_ends_where_the_mixture_of_one_does(rng):
    X = with_gaps(correlated(rng), rng, 0.5)
    model = Gaussian().fit(X)
    assert (np.diff(model.lower_bounds_) >= -1e-14 * abs(model.lower_bound_)).all()
    assert model.lower_bounds_[-1] == pytest.approx(model.score(X), rel=1e-13)
    assert len(model.lower_bounds_) == model.n_iter_ > 1
    mixture = GaussianMixture(tol=1e-10).fit(X)
    np.testing.assert_allclose(mixture.covariances_[0], model.covariance_, rtol=1e-4)


def test_too_few_iterations_are_told(rng):
    X = with_gaps(correlated(rng), rng, 0.5)
    with pytest.warns(ConvergenceWarning, match=r"max_iter=2.*raise max_iter or tol") as told:
        model = Gaussian(max_iter=2).fit(X)
    assert (model.n_iter_, model.converged_) == (2, False)
    assert told[0].filename == __file__


@pytest.mark.parametrize("reg_covar", ["auto", 0.0, 1e-8])
def test_extrapolations_have_a_covariance_or_are_none(rng, reg_covar):
    X = correlated(rng)
    emission = emissions.Gaussian("full", reg_covar).adapt(Rows(X))
    params = emission.initialize(Rows(X), np.ones((len(X), 1)))
    vector = emission.pack(params)
    for step in np.logspace(-1, 4, 40):
        far = emission.unpack(vector + step * rng.standard_normal(len(vector)), params)
        if far is not None:
            assert np.isfinite(emission.log_likelihood(far, Rows(X))).all()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("reg_covar", ["auto", 1e-8])
def test_few_rows_with_many_gaps_have_a_fit(rng, reg_covar):
    """The likelihood has no maximum inside; the accelerated steps lead far out."""
    for n, d in [(30, 10), (12, 10), (15, 4)] * 2:
        X = with_gaps(rng.standard_normal((n, d)), rng, 0.3)
        model = Gaussian(reg_covar=reg_covar, tol=1e-6, max_iter=200).fit(X)
        assert np.isfinite(model.score_samples(X)).all()


# ---- numbers far from one ---------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.0, 0.25])
def test_a_mean_of_1e8_leaves_the_variance_its_digits(rng, share):
    z = correlated(rng, 1000, 2)
    z = np.sqrt(0.95) * (z - z.mean(axis=0)) / z.std(axis=0)
    X = z + 1e8
    holes = np.isnan(with_gaps(X, rng, share))
    model, near = (Gaussian().fit(np.where(holes, NAN, data)) for data in (X, X - 1e8))
    np.testing.assert_allclose(model.covariance_, near.covariance_, atol=1e-6)
    if share == 0:
        np.testing.assert_allclose(np.diag(model.covariance_), 0.95, atol=1e-6)


@pytest.mark.parametrize("kind", TYPES)
def test_a_mean_of_1e8_standard_deviations(rng, kind):
    steps = np.round(rng.standard_normal((500, 2)) * 2**10) / 2**10  # exact where it is moved to
    near, far = (Gaussian(kind).fit(steps + shift) for shift in (0.0, 2.0**27))
    np.testing.assert_allclose(far.covariance_, near.covariance_, rtol=1e-7)
    np.testing.assert_allclose(far.mean_ - 2.0**27, near.mean_, atol=2.0**-25)


@pytest.mark.parametrize(
    "settings", [{}, {"shrinkage": "oas"}, {"shrinkage": "ledoit_wolf"}, PRIOR]
)
@pytest.mark.parametrize("gaps", [0.0, 0.2])
@pytest.mark.parametrize("unit", [1e-100, 1e-30, 1e30, 1e100])
def test_the_unit_does_not_matter(rng, unit, gaps, settings):
    X = with_gaps(correlated(rng), rng, gaps)
    model, scaled = Gaussian(**settings).fit(X), Gaussian(**settings).fit(unit * X)
    np.testing.assert_allclose(scaled.mean_ / unit, model.mean_, rtol=1e-5)
    np.testing.assert_allclose(scaled.covariance_ / unit / unit, model.covariance_, rtol=1e-5)
    np.testing.assert_allclose(scaled.shrinkage_, model.shrinkage_, rtol=1e-5)
    np.testing.assert_allclose(scaled.mahalanobis(unit * X), model.mahalanobis(X), rtol=1e-5)


# ---- the posterior mode -----------------------------------------------------------------------


def log_posterior(kind, mean, covariance, X, prior):
    """Log-likelihood plus log density of the normal-inverse-Wishart prior."""
    value = by_hand(mean, covariance, kind).score_samples(X).sum()
    center, strength, scatter, dof = prior
    if kind == "diag":  # independent normal-inverse-gamma priors
        value += stats.norm(center, np.sqrt(covariance / strength)).logpdf(mean).sum()
        scale = np.diag(scatter) / 2
        return value + stats.invgamma(dof / 2, scale=scale).logpdf(covariance).sum()
    value += stats.multivariate_normal(center, covariance / strength).logpdf(mean)
    return value + stats.invwishart(dof, scatter).logpdf(covariance)


@pytest.mark.parametrize("kind", ["full", "diag"])
@pytest.mark.parametrize("gaps", [0.0, 0.3])
def test_the_fit_with_a_prior_is_the_mode_of_the_posterior(rng, gaps, kind):
    X = with_gaps(correlated(rng, 20), rng, gaps)
    prior = (np.array([3.0, 0.0, -3.0]), 4.0, 5 * COVARIANCE, 7.0)
    names = "mean_prior", "mean_precision_prior", "covariance_prior", "degrees_of_freedom_prior"
    model = Gaussian(kind, tol=0, **dict(zip(names, prior, strict=True))).fit(X)
    best = log_posterior(kind, model.mean_, model.covariance_, X, prior)
    for _ in range(30):
        turn = np.eye(3) + 1e-3 * rng.standard_normal((3, 3))
        full = kind == "full"
        covariance = turn @ model.covariance_ @ turn.T if full else model.covariance_ * turn[0]
        covariance = covariance if full else model.covariance_ * np.diag(turn)
        mean = model.mean_ + 1e-3 * rng.standard_normal(3)
        assert log_posterior(kind, mean, covariance, X, prior) < best


# ---- missing entries --------------------------------------------------------------------------


def test_a_missing_entry_is_integrated_out(model):
    row = np.array([0.3, NAN, 1.2])

    def filled(x):
        return np.where(np.isnan(row), x, row)[None]

    total, _ = integrate.quad(lambda x: np.exp(model.score_samples(filled(x))[0]), -20, 20)
    assert np.exp(model.score_samples(row[None])[0]) == pytest.approx(total, rel=1e-9)
    assert model.score_samples([[NAN, NAN, NAN]]) == [0.0]


def test_conditional_is_the_textbook_formula_and_the_quotient_of_densities(model):
    given, x = model.conditional([NAN, -1.0, 2.0]), np.array([-1.0, 2.0])
    slope = COVARIANCE[0, 1:] @ np.linalg.inv(COVARIANCE[1:, 1:])
    np.testing.assert_allclose(given.mean_, [MEAN[0] + slope @ (x - MEAN[1:])], rtol=1e-12)
    variance = COVARIANCE[0, 0] - slope @ COVARIANCE[1:, 0]
    np.testing.assert_allclose(given.covariance_, [[variance]], rtol=1e-12)

    def joint(a):
        return np.exp(model.score_samples([[a, *x]])[0])

    total, _ = integrate.quad(joint, -20, 20)
    mean, _ = integrate.quad(lambda a: a * joint(a) / total, -20, 20)
    assert given.mean_[0] == pytest.approx(mean, rel=1e-8)
    assert np.exp(given.score_samples([[0.7]])[0]) == pytest.approx(joint(0.7) / total, rel=1e-8)


@pytest.mark.parametrize("kind", TYPES)
def test_marginal_has_the_moments_of_its_features(rng, kind):
    X = correlated(rng)
    model = Gaussian(kind).fit(X)
    part = model.marginal([2, 0])
    expected = Gaussian(kind).fit(X[:, [2, 0]])
    np.testing.assert_allclose(part.mean_, expected.mean_, rtol=1e-12)
    if kind == "spherical":  # the variance is that of all columns
        assert part.covariance_ == model.covariance_
    else:
        np.testing.assert_allclose(part.covariance_, expected.covariance_, rtol=1e-12)


def test_impute_gives_conditional_means_and_draws(model):
    X = np.array([[0.0, NAN, 1.0], [NAN, NAN, 2.0], [1.0, 2.0, 3.0]])
    filled = model.impute(X)
    np.testing.assert_array_equal(filled, model.impute(X, method="mode"))
    np.testing.assert_array_equal(filled[2], X[2])
    for row, full in zip(X[:2], filled, strict=False):
        np.testing.assert_allclose(full[np.isnan(row)], model.conditional(row).mean_, rtol=1e-12)
    draws = model.impute(np.repeat(X[[1]], 20_000, axis=0), method="draw", random_state=0)[:, :2]
    given = model.conditional(X[1])
    np.testing.assert_allclose(draws.mean(axis=0), given.mean_, atol=0.05)
    np.testing.assert_allclose(np.cov(draws.T), given.covariance_, atol=0.05)


# ---- use --------------------------------------------------------------------------------------


def test_samples_have_the_moments_of_the_model(model):
    X = model.sample(50_000, random_state=0)
    np.testing.assert_allclose(X.mean(axis=0), MEAN, atol=0.03)
    np.testing.assert_allclose(np.cov(X.T), COVARIANCE, atol=0.05)


@pytest.mark.parametrize("kind", TYPES)
def test_mahalanobis_is_the_distance_of_what_is_observed(rng, kind):
    X = correlated(rng)
    model = Gaussian(kind).fit(X)
    holed = with_gaps(X, rng)
    matrix = model.covariance_ if kind == "full" else model.covariance_ * np.eye(3)
    for row, distance in zip(holed, model.mahalanobis(holed), strict=True):
        seen = ~np.isnan(row)
        z = row[seen] - model.mean_[seen]
        assert distance == pytest.approx(z @ np.linalg.solve(matrix[np.ix_(seen, seen)], z))
    np.testing.assert_array_equal(model.mahalanobis([model.mean_, [NAN] * 3]), [0, 0])


def test_mahalanobis_distances_are_chi_square_with_the_observed_entries_as_freedom(model, rng):
    X = with_gaps(model.sample(4000, random_state=0), rng)
    n_observed = (~np.isnan(X)).sum(axis=1)
    p = stats.chi2.sf(model.mahalanobis(X), n_observed)
    assert stats.kstest(p, "uniform").pvalue > 1e-3


@pytest.mark.parametrize("kind", TYPES)
def test_precision_is_the_inverse_of_the_covariance(rng, kind):
    model = Gaussian(kind).fit(correlated(rng))
    product = model.precision_ @ model.covariance_ if kind == "full" else None
    if kind == "full":
        np.testing.assert_allclose(product, np.eye(3), atol=1e-12)
    else:
        np.testing.assert_allclose(model.precision_ * model.covariance_, 1, rtol=1e-12)


def test_entropy_and_divergence_are_means_of_log_densities():
    p, q = by_hand([1.0], [[2.0]]), by_hand([-0.5], [[0.7]])

    def mean(f):
        return integrate.quad(lambda x: np.exp(p.score([[x]])) * f(x), -25, 25)[0]

    assert p.entropy() == pytest.approx(mean(lambda x: -p.score([[x]])), rel=1e-9)
    difference = mean(lambda x: p.score([[x]]) - q.score([[x]]))
    assert p.kl_divergence(q) == pytest.approx(difference, rel=1e-9)


def test_entropy_and_divergence_add_up_over_independent_features(model):
    other = by_hand([0.0, 1.0, 2.0], [1.0, 2.0, 3.0], "diag")
    parts = [other.marginal(j) for j in range(3)]
    assert other.entropy() == pytest.approx(sum(part.entropy() for part in parts), rel=1e-12)
    assert model.kl_divergence(model) == pytest.approx(0, abs=1e-12)
    draws = model.sample(200_000, random_state=0)
    gap = model.score_samples(draws) - other.score_samples(draws)
    assert model.kl_divergence(other) == pytest.approx(gap.mean(), abs=6 * gap.std() / 200_000**0.5)


def test_information_criteria_count_the_free_scalars(rng):
    X = correlated(rng)
    for kind, count in (("full", 9), ("diag", 6), ("spherical", 4)):
        model = Gaussian(kind).fit(X)
        assert model.aic(X) == pytest.approx(2 * count - 2 * 200 * model.score(X), rel=1e-12)


@pytest.mark.parametrize(
    ("kind", "covariance"),
    [("full", [[2, 0.5], [0.5, 1]]), ("diag", [2, 1]), ("spherical", 2)],
)
def test_a_model_set_by_hand_can_be_used(kind, covariance):
    model = by_hand([0, 1], covariance, kind)
    matrix = np.asarray(covariance) if kind == "full" else covariance * np.eye(2)
    expected = stats.multivariate_normal([0, 1], matrix).logpdf([[1, 1], [0, 3]])
    np.testing.assert_allclose(model.score_samples([[1, 1], [0, 3]]), expected, rtol=1e-12)
    assert model.sample(3, random_state=0).shape == (3, 2)
    assert model.conditional([NAN, 1]).mean_ == [0]
    np.testing.assert_allclose(model.marginal(1).mean_, [1])


def test_names_are_kept(rng):
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame(correlated(rng), columns=["a", "b", "c"])
    model = Gaussian().fit(X)
    given = model.conditional([NAN, 1.0, NAN])
    assert list(given.sample(2).columns) == ["a", "c"]
    row = X.iloc[[0]].assign(a=NAN)
    np.testing.assert_allclose(model.conditional(row).mean_, model.impute(row).loc[0, "a"])
    with pytest.raises(ValueError, match="feature names"):
        model.conditional(row[["c", "b", "a"]])
    assert list(model.marginal("c").feature_names_in_) == ["c"]


# ---- bad input --------------------------------------------------------------------------------

COMPLETE = np.arange(12.0).reshape(4, 3) ** 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"shrinkage": 1.5}, "'shrinkage' parameter"),
        ({"shrinkage": "mcd"}, "'shrinkage' parameter"),
        ({"covariance_type": "tied"}, "'covariance_type' parameter"),
        ({"reg_covar": -1.0}, "'reg_covar' parameter"),
        ({"tol": -1.0}, "'tol' parameter"),
        ({"shrinkage": 0.1, "covariance_type": "diag"}, r"shrinkage=0\.1 .*'diag'.*only a full"),
        ({"shrinkage": "oas", "covariance_prior": "auto"}, "'oas' and covariance_prior were both"),
        ({"shrinkage": "oas", "mean_precision_prior": 1.0}, "mean_precision_prior were both"),
        (
            {"mean_prior": [0.0], "mean_precision_prior": 1.0},
            r"mean_prior has shape \(1,\).*\(3,\)",
        ),
        ({"covariance_prior": np.eye(2)}, r"covariance_prior has shape \(2, 2\).*\(3, 3\)"),
    ],
)
def test_impossible_arguments_are_refused_by_name(settings, message):
    with pytest.raises(ValueError, match=message):
        Gaussian(**settings).fit(COMPLETE)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.where(COMPLETE == 4, np.inf, COMPLETE), "infinite value in row 0, column 2"),
        (np.where(np.arange(3) == 1, NAN, COMPLETE), "no observed value in column 1"),
        (COMPLETE[0], "Expected 2D array"),
        (COMPLETE[:0], "0 sample"),
        ([["a", 1.0]], "'a' in row 0, column 0"),
    ],
)
def test_impossible_data_are_refused_by_place(X, message):
    with pytest.raises(ValueError, match=message):
        Gaussian().fit(X)


@pytest.mark.parametrize(
    ("action", "error", "message"),
    [
        (lambda model: model.score([[1.0]]), ValueError, "1 features.*expecting 3"),
        (lambda model: model.conditional([1, 2, 3]), ValueError, "values has no NaN"),
        (lambda model: model.conditional([1, NAN]), ValueError, "values has 2 entries.*3 features"),
        (lambda model: model.conditional([1, NAN, np.inf]), ValueError, "values is infinite at 2"),
        (lambda model: model.marginal(3), ValueError, "features has index 3"),
        (lambda model: model.impute(COMPLETE, "median"), ValueError, "method='median'"),
        (lambda model: model.sample(0), ValueError, "n_samples=0"),
        (
            lambda model: model.kl_divergence(1),
            TypeError,
            "other must be a fitted Gaussian, not a i",
        ),
        (lambda model: model.kl_divergence(model.marginal(0)), ValueError, "other has 1 features"),
    ],
)
def test_impossible_questions_are_refused_by_name(model, action, error, message):
    with pytest.raises(error, match=message):
        action(model)


def test_a_covariance_that_does_not_fit_in_memory_is_refused():
    with pytest.raises(MemoryError, match=r'300000 features would take .*covariance_type="diag"'):
        Gaussian().fit(np.ones((2, 300_000)))


# ---- interrupts -------------------------------------------------------------------------------


def interrupt_at(monkeypatch, call):
    """Ctrl-C in this step of EM."""
    calls, step = [], _mixture.EMProblem.step

    def interrupted(problem, params):
        calls.append(params)
        if len(calls) == call:
            raise KeyboardInterrupt
        return step(problem, params)

    monkeypatch.setattr(_mixture.EMProblem, "step", interrupted)


def test_an_interrupted_em_leaves_the_parameters_reached(rng, monkeypatch):
    X = with_gaps(correlated(rng), rng, 0.5)
    expected = Gaussian().fit(X)
    model = Gaussian()
    with monkeypatch.context() as patch:
        interrupt_at(patch, 4)
        with pytest.raises(KeyboardInterrupt):
            model.fit(X)
    assert (model.n_iter_, model.converged_) == (2, False)
    assert model.lower_bounds_[0] < model.score(X) < expected.score(X)
    np.testing.assert_array_equal(model.fit(X).covariance_, expected.covariance_)


def test_an_interrupted_pass_leaves_the_old_model(rng, monkeypatch):
    X = correlated(rng)
    model = Gaussian().fit(X)
    before = model.score_samples(X)

    def interrupted(problem, params):
        raise KeyboardInterrupt

    monkeypatch.setattr(_mixture.EMProblem, "objective", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X[:, :2])
    np.testing.assert_array_equal(model.score_samples(X), before)


@pytest.mark.parametrize("kind", ["full", "diag", "spherical"])
def test_an_automatic_prior_takes_nothing_from_a_single_covariance(kind):
    X = np.random.default_rng(0).normal(size=(15, 3))
    plain, auto = (Gaussian(kind, covariance_prior=prior).fit(X) for prior in (None, "auto"))
    np.testing.assert_allclose(auto.covariance_, plain.covariance_, rtol=1e-12)


def test_information_criteria_are_plain_floats(rng):
    X = rng.standard_normal((20, 2))
    model = Gaussian().fit(X)
    assert type(model.aic(X)) is type(model.bic(X)) is float
