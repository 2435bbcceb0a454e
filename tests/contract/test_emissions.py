"""What is true of every emission. A new emission joins by one entry in CASES."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
from numpy.testing import assert_allclose
from reference import grid
from sklearn.base import clone

import skgen
from skgen._sequences import Rows
from skgen.emissions import (
    Bernoulli,
    Categorical,
    Emission,
    Exponential,
    Gamma,
    Gaussian,
    Mixture,
    Multinomial,
    NegativeBinomial,
    Poisson,
    Product,
    StudentT,
)
from skgen.emissions._base import add


class Case(NamedTuple):
    """An emission, data that it can have emitted, and what there is to sum over."""

    emission: Emission
    data: Callable  # (rng, n) -> complete rows (n, d) in two groups of unlike rows
    lines: list  # for each column, values that hold all of the probability, and their masses
    float32_rtol: float = 1e-12


def counts(rng, n):
    return rng.poisson(rng.choice([0.5, 1.0], (n, 1)) * [4.0, 9.0]).astype(float)


def scattered(rng, n):
    mean = rng.choice([0.5, 1.0], (n, 1)) * [4.0, 9.0]
    return rng.poisson(mean * rng.gamma(2.0, 0.5, (n, 2))).astype(float)


def positive(rng, n):
    group = rng.integers(0, 2, (n, 1))
    return rng.gamma(np.where(group, [2.0, 1.5], [4.0, 3.0])) * [1.0, 30.0]


def bits(rng, n):
    p = np.where(rng.random((n, 1)) < 0.5, [0.2, 0.7, 0.4], [0.8, 0.6, 0.1])
    return (rng.random(p.shape) < p).astype(float)


def codes(rng, n):
    u = rng.random((n, 3)) ** rng.choice([0.5, 2.0], (n, 1))
    return np.floor(u * [2, 4, 3])


def reals(rng, n):
    group = rng.integers(0, 2, (n, 1))
    shape = np.where(group[..., None], [[1.0, 0.0], [0.6, 0.8]], [[0.7, 0.0], [-0.9, 1.2]])
    return (shape @ rng.standard_normal((n, 2, 1)))[..., 0] + group * [3.0, -2.0]


def shares(rng, n):
    p = np.where(rng.random((n, 1)) < 0.5, [0.2, 0.3, 0.5], [0.6, 0.3, 0.1])
    return rng.multinomial(9, p).astype(float)


def mixed(rng, n):
    X = reals(rng, n)
    return np.column_stack([X[:, 0], X.sum(axis=1) > 0.5, X[:, 1]])


def heavy(rng, n):
    return reals(rng, n) / np.sqrt(rng.gamma(1.5, 1 / 1.5, (n, 1)))


def even(values):
    """Equally spaced points and the masses that make a sum over them an integral."""
    points = np.array(values, dtype=float)
    return points, np.full(len(points), points[1] - points[0])


def wide(scale, size):
    """Points out to 1e5 scales on both sides, dense around zero."""
    u, step = np.linspace(-12, 12, size, retstep=True)
    return scale * np.sinh(u), scale * np.cosh(u) * step


def span(low, high, size):
    """Points from low to high, dense around zero."""
    u, step = np.linspace(np.log(low), np.log(high), size, retstep=True)
    return np.exp(u), np.exp(u) * step


LINE = even(np.linspace(-16, 16, 321))
WIDE, SPAN = wide(1.0, 241), span(1e-12, 1e4, 301)
REALS = [LINE, LINE]
PRIOR = {"mean_precision_prior": 0.5, "covariance_prior": "auto"}
COUNTS, BITS, CODES = (
    [even(range(60))] * 2,
    [even(range(2))] * 3,
    [*map(even, map(range, (2, 4, 3)))],
)
SHARES = [even(range(10))] * 3
MIXED = Product([("kind", Categorical(), 1), ("size", Gaussian(), [0, 2])])
MIXED_LINES = [LINE, even(range(2)), LINE]
CASES = {
    **{
        f"gaussian-{kind}": Case(Gaussian(kind), reals, REALS, 1e-5)
        for kind in ("full", "tied", "diag", "spherical")
    },
    **{
        f"gaussian-{kind}-map": Case(Gaussian(kind, **PRIOR), reals, REALS, 1e-5)
        for kind in ("full", "tied", "diag", "spherical")
    },
    "gaussian-ridge": Case(Gaussian(reg_covar=0.0), reals, REALS, 1e-5),
    "poisson": Case(Poisson(), counts, COUNTS),
    "poisson-map": Case(Poisson(shape=3.0, rate=2.0), counts, COUNTS),
    "multinomial": Case(Multinomial(9), shares, SHARES),
    "multinomial-map": Case(Multinomial(9, concentration=3.0), shares, SHARES),
    "bernoulli": Case(Bernoulli(), bits, BITS),
    "bernoulli-map": Case(Bernoulli(alpha=2.0, beta=4.0), bits, BITS),
    "categorical": Case(Categorical(), codes, CODES),
    "categorical-map": Case(Categorical(concentration=3.0), codes, CODES),
    **{
        f"mixture-gaussian-{kind}": Case(Mixture(Gaussian(kind)), reals, REALS, 1e-5)
        for kind in ("full", "tied", "diag")
    },
    "mixture-poisson": Case(Mixture(Poisson(), 3, weight_concentration_prior=2.0), counts, COUNTS),
    "product": Case(MIXED, mixed, MIXED_LINES, 1e-5),
    "product-of-a-mixture": Case(
        Product([("both", Mixture(Gaussian("tied")), [1, 0])]), reals, REALS, 1e-5
    ),
    "mixture-of-a-product": Case(Mixture(MIXED), mixed, MIXED_LINES, 1e-5),
    **{
        f"student-{kind}": Case(StudentT(kind), heavy, [WIDE, WIDE], 1e-5)
        for kind in ("full", "diag")
    },
    "student-tied": Case(StudentT("tied", dof=5.0), heavy, [WIDE, WIDE], 1e-5),
    "student-fixed": Case(StudentT(dof=5.0), heavy, [WIDE, WIDE], 1e-5),
    "negative-binomial": Case(NegativeBinomial(), scattered, [even(range(400))] * 2),
    "gamma": Case(Gamma(), positive, [SPAN, SPAN], 1e-5),
    "gamma-fixed": Case(Gamma(shape=2.5), positive, [SPAN, SPAN], 1e-5),
    "exponential": Case(Exponential(), positive, [SPAN, SPAN], 1e-5),
    "exponential-map": Case(Exponential(shape=3.0, rate=2.0), positive, [SPAN, SPAN], 1e-5),
    "mixture-of-one": Case(Mixture(Categorical(), 1), codes, CODES),
}


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def with_gaps(X, rng, share=0.3):
    return np.where(rng.random(X.shape) < share, np.nan, X)


def fixed_point(emission, params, rows, resp, steps=2000):
    """Parameters at the optimum for given responsibilities: with gaps, EM over the gaps."""
    for _ in range(steps):
        before, params = params, emission.maximize(emission.statistics(params, rows, resp))
        moved = zip(before, params, strict=True)
        if all(np.allclose(a, b, rtol=1e-13, atol=1e-14) for a, b in moved):
            break
    return params


def start(case, rng, n=60):
    """An adapted emission, data, responsibilities and parameters of two components."""
    X, resp = case.data(rng, n), rng.dirichlet(np.ones(2), n)
    emission = case.emission.adapt(Rows(X))
    return emission, X, resp, emission.initialize(Rows(X), resp)


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_the_m_step_beats_every_other_point(case, rng, share):
    emission, X, resp, params = start(case, rng)
    rows = Rows(with_gaps(X, rng, share))

    def objective(params):
        return (resp * emission.log_likelihood(params, rows)).sum() + emission.regularizer(params)

    best = fixed_point(emission, params, rows, resp)
    vector = emission.pack(best)
    for size in (1e-4, 1e-2, 1.0):
        for _ in range(30):
            other = emission.unpack(vector + size * rng.standard_normal(vector.shape), best)
            assert other is None or objective(other) <= objective(best) + 1e-9


def test_with_a_field_held_the_m_step_climbs_to_the_best_others(case, rng):
    emission, X, resp, start_params = start(case, rng)
    rows = Rows(with_gaps(X, rng))

    def objective(params):
        return (resp * emission.log_likelihood(params, rows)).sum() + emission.regularizer(params)

    for name in start_params._fields:
        params, held = start_params, {name}
        fixed = {name: getattr(params, name)}
        values = [objective(params)]
        for _ in range(1000):
            found = emission.statistics(params, rows, resp)
            params = emission.maximize_held(found, params, held)
            assert_allclose(getattr(params, name), fixed[name], atol=0)
            values.append(objective(params))
            if values[-1] - values[-2] < 1e-11:
                break
        assert np.diff(values).min() > -1e-9
        vector = emission.pack(params)
        for _ in range(30):
            other = emission.unpack(vector + 1e-4 * rng.standard_normal(vector.shape), params)
            assert objective(other._replace(**fixed)) <= objective(params) + 1e-6


def test_the_distribution_function_is_the_sum_of_the_density(case, rng):
    emission, _, _, params = start(case, rng)
    x = emission.sample(params, np.array([0, 1] * 4), rng)
    try:
        cdf = emission.cdf(params, x)
    except NotImplementedError:
        pytest.skip("no distribution function")
    assert cdf.shape == (*x.shape, 2)
    assert np.isnan(emission.cdf(params, np.full_like(x, np.nan))).all()
    for j, (points, masses) in enumerate(case.lines):
        part = emission.restricted([j]), emission.marginal(params, np.array([j]))
        step = 0.0 if (masses == 1).all() else 1e-5 * np.abs(x[:, [j]])
        low, high = (np.repeat(x[:, [j]] + s, x.shape[1], axis=1) for s in (-step, step))
        found = emission.cdf(params, high)[:, j] - emission.cdf(params, np.nextafter(low, -9))[:, j]
        width = 2 * step if np.ndim(step) else 1.0
        density = np.exp(part[0].log_likelihood(part[1], Rows(x[:, [j]])))
        assert_allclose(found, density * width, rtol=1e-4, atol=1e-11)
        ends = np.array([points[0] - 1, points[-1] + 1])[:, None].repeat(x.shape[1], axis=1)
        assert_allclose(emission.cdf(params, ends)[:, j], [[0, 0], [1, 1]], atol=1e-9)


def test_the_statistics_of_two_halves_add_up(case, rng):
    emission, X, resp, params = start(case, rng)
    X = with_gaps(X, rng)
    whole = emission.statistics(params, Rows(X), resp)
    halves = [emission.statistics(params, Rows(X[h]), resp[h]) for h in np.split(np.arange(60), 2)]
    summed = emission.maximize(add(*halves))
    for a, b in zip(emission.maximize(whole), summed, strict=True):
        assert_allclose(a, b, rtol=1e-11, atol=1e-13)


def test_an_empty_row_carries_no_information(case, rng):
    emission, X, resp, params = start(case, rng)
    empty = np.full((1, X.shape[1]), np.nan)
    assert_allclose(emission.log_likelihood(params, Rows(empty)), 0.0, atol=0)
    with_empty = Rows(np.concatenate([X, empty])), np.concatenate([resp, [[0.4, 0.6]]])
    without = fixed_point(emission, params, Rows(X), resp)
    for a, b in zip(fixed_point(emission, params, *with_empty), without, strict=True):
        assert_allclose(a, b, rtol=1e-11)


def test_the_density_sums_to_one(case, rng):
    emission, _, _, params = start(case, rng)
    points, masses = (grid(axes) for axes in zip(*case.lines, strict=True))
    log_prob = emission.log_likelihood(params, Rows(points))
    assert_allclose(masses.prod(axis=1) @ np.exp(log_prob), 1.0, rtol=1e-9)


def test_a_missing_entry_is_summed_over(case, rng):
    emission, X, _, params = start(case, rng, n=20)
    for j, line in enumerate(case.lines):
        gone = X.copy()
        gone[:, j] = np.nan
        total = 0.0
        for x, mass in zip(*line, strict=True):
            gone_filled = gone.copy()
            gone_filled[:, j] = x
            total = total + mass * np.exp(emission.log_likelihood(params, Rows(gone_filled)))
        assert_allclose(np.exp(emission.log_likelihood(params, Rows(gone))), total, rtol=1e-9)


def test_a_marginal_is_the_density_of_the_observed_columns(case, rng):
    emission, X, _, params = start(case, rng)
    for features in ([0], [1, 0]):
        gone = np.full_like(X, np.nan)
        gone[:, features] = X[:, features]
        marginal = emission.marginal(params, np.array(features))
        got = emission.restricted(features).log_likelihood(marginal, Rows(X[:, features]))
        assert_allclose(got, emission.log_likelihood(params, Rows(gone)), rtol=1e-11)


def test_samples_come_from_the_density(case, rng):
    n = 40_000
    emission, _, _, params = start(case, rng)
    components = rng.integers(2, size=n)
    rows = Rows(emission.sample(params, components, rng))
    refit = fixed_point(emission, params, rows, np.eye(2)[components], steps=300)
    fresh = Rows(emission.sample(params, components, rng))
    log_ratio = emission.log_likelihood(params, fresh) - emission.log_likelihood(refit, fresh)
    divergence = log_ratio[np.arange(n), components].mean()
    assert abs(divergence) < 5 * emission.n_parameters(params) / n


def test_weights_count_as_repetitions(case, rng):
    emission, X, resp, params = start(case, rng)
    X, repeats = with_gaps(X, rng), rng.integers(0, 4, 60)
    weighted = emission.statistics(params, Rows(X), resp * repeats[:, None])
    repeated = emission.statistics(
        params, Rows(np.repeat(X, repeats, axis=0)), np.repeat(resp, repeats, axis=0)
    )
    for a, b in zip(emission.maximize(weighted), emission.maximize(repeated), strict=True):
        assert_allclose(a, b, rtol=1e-11, atol=1e-13)


def test_a_start_does_not_depend_on_how_weights_are_written(case, rng):
    emission, X, resp, _ = start(case, rng)
    repeats = rng.integers(1, 4, 60)
    weighted = emission.initialize(Rows(X, repeats), resp * repeats[:, None])
    repeated = emission.initialize(
        Rows(np.repeat(X, repeats, axis=0)), np.repeat(resp, repeats, axis=0)
    )
    for a, b in zip(weighted, repeated, strict=True):
        assert_allclose(a, b, rtol=1e-11, atol=1e-13)


def test_unpack_inverts_pack(case, rng):
    emission, _, _, params = start(case, rng)
    vector = emission.pack(params)
    assert vector.ndim == 1
    again = emission.unpack(vector, params)
    assert type(again) is type(params)
    for a, b in zip(again, params, strict=True):
        assert_allclose(a, b, rtol=1e-13, atol=1e-15)


def test_n_parameters_counts_the_directions_in_which_the_density_moves(case, rng):
    emission, _, _, params = start(case, rng)
    rows = Rows(emission.sample(params, rng.integers(2, size=300), rng))
    vector, step = emission.pack(params), 1e-6

    def moved(direction):
        log_prob = emission.log_likelihood(emission.unpack(vector + direction, params), rows)
        return log_prob.ravel()

    directions = step * np.eye(len(vector))
    slopes = np.array([(moved(e) - moved(-e)) / (2 * step) for e in directions])
    assert np.linalg.matrix_rank(slopes, rtol=1e-7) == emission.n_parameters(params)


def conditional_moments(case, emission, params, X, j):
    """Mean and variance of column j given the others, (n, K) each, by a sum over its values."""
    gone = X.copy()
    weight = first = second = 0.0
    for x, mass in zip(*case.lines[j], strict=True):
        gone[:, j] = x
        p = mass * np.exp(emission.log_likelihood(params, Rows(gone)))
        weight, first, second = weight + p, first + x * p, second + x * x * p
    return first / weight, second / weight - (first / weight) ** 2


def test_complete_gives_the_conditional_mean(case, rng):
    emission, X, _, params = start(case, rng, n=12)
    components = rng.integers(2, size=12)
    for j in range(len(case.lines)):
        gone = X.copy()
        gone[:, j] = np.nan
        mean, _ = conditional_moments(case, emission, params, X, j)
        completed = emission.complete(params, Rows(gone), components)
        assert_allclose(completed[:, j], mean[np.arange(12), components], rtol=1e-9)
        assert_allclose(np.delete(completed, j, axis=1), np.delete(X, j, axis=1), atol=0)
        assert_allclose(emission.complete(params, Rows(gone), 1)[:, j], mean[:, 1], rtol=1e-9)


def test_the_variance_is_that_of_the_conditional(case, rng):
    emission, X, _, params = start(case, rng, n=12)
    for j in range(len(case.lines)):
        gone = X.copy()
        gone[:, j] = np.nan
        _, variance = conditional_moments(case, emission, params, X, j)
        found = [emission.variance(params, Rows(gone), k) for k in (0, 1)]
        if found[0] is None:
            pytest.skip("the variances of codes mean nothing")
        assert_allclose(np.transpose([own[:, j] for own in found]), variance, rtol=1e-6, atol=1e-12)
        assert not np.delete(found, j, axis=2).any()


def test_completing_at_random_draws_from_the_conditional(case, rng):
    emission, X, _, params = start(case, rng)
    rows = Rows(np.repeat(with_gaps(X[:1], rng, 0.6), 20_000, axis=0))
    mean = emission.complete(params, rows, 1)
    draws = emission.complete(params, rows, 1, "draw", rng)
    errors = 5 * draws.std(axis=0) / np.sqrt(len(draws)) + 1e-11
    assert np.all(np.abs(draws.mean(axis=0) - mean[0]) <= errors)
    both = np.concatenate([draws, emission.sample(params, np.ones(20_000, dtype=int), rng)])
    if rows.missing[0].all():
        assert_allclose(both[:20_000].std(axis=0), both[20_000:].std(axis=0), rtol=0.05)
    assert_allclose(draws[:, ~rows.missing[0]], rows.values[:, ~rows.missing[0]], atol=0)


def test_the_order_of_components_does_not_matter(case, rng):
    emission, X, resp, params = start(case, rng)
    rows = Rows(with_gaps(X, rng))
    swapped = emission.initialize(Rows(X), resp[:, ::-1])
    assert_allclose(
        emission.log_likelihood(swapped, rows),
        emission.log_likelihood(params, rows)[:, ::-1],
        rtol=1e-11,
    )


def test_float32_rows_give_the_same_numbers(case, rng):
    emission, X, resp, params = start(case, rng)
    single = with_gaps(X, rng).astype(np.float32)
    for a, b in [
        (emission.log_likelihood(params, Rows(x)) for x in (single, single.astype(np.float64))),
        (
            np.concatenate(
                [p.ravel() for p in emission.maximize(emission.statistics(params, Rows(x), resp))]
            )
            for x in (single, single.astype(np.float64))
        ),
    ]:
        assert a.dtype == np.float64
        assert_allclose(a, b, rtol=case.float32_rtol)


def test_a_component_without_weight_has_parameters(case, rng):
    emission, X, _, params = start(case, rng)
    resp = np.tile([1.0, 0.0], (60, 1))
    unobserved = X.copy()
    unobserved[:, 0] = np.nan
    for rows in (Rows(X), Rows(with_gaps(X, rng)), Rows(unobserved)):
        empty = emission.maximize(emission.statistics(params, rows, resp))
        assert all(np.isfinite(p).all() for p in empty)
        assert np.isfinite(emission.log_likelihood(empty, rows)).all()


def test_points_for_clustering_are_finite_and_do_not_depend_on_how_weights_are_written(case, rng):
    emission, X, _, _ = start(case, rng)
    X, repeats = with_gaps(X, rng), rng.integers(1, 4, 60)
    points = emission.embed(Rows(X, repeats))
    assert len(points) == 60
    assert np.isfinite(points).all()
    repeated = emission.embed(Rows(np.repeat(X, repeats, axis=0)))
    assert_allclose(repeated, np.repeat(points, repeats, axis=0), rtol=1e-10, atol=1e-12)


def test_an_emission_is_its_hyperparameters(case, rng):
    emission, X, resp, params = start(case, rng)
    again = clone(emission)
    assert repr(again) == repr(emission)
    before = repr(case.emission)
    again.adapt(Rows(X)).initialize(Rows(X), resp)
    assert repr(case.emission) == before
    adapted = clone(case.emission).adapt(Rows(X))
    for a, b in zip(adapted.initialize(Rows(X), resp), params, strict=True):
        assert_allclose(a, b, rtol=0)


def test_a_sound_component_is_not_called_degenerate(case, rng):
    emission, _, _, params = start(case, rng)
    assert emission.degenerate(params) == {}


@pytest.mark.parametrize("make", [skgen.HMM, skgen.Mixture, Mixture])
def test_parameters_of_the_emission_that_none_stands_for_can_be_set(make):
    model = clone(make(n_components=2)).set_params(emission__covariance_type="diag")
    assert model.emission.covariance_type == "diag"
    assert make().emission is None
    with pytest.raises(ValueError, match="Invalid parameter 'kind'"):
        make().set_params(emission__kind=1)


def test_a_form_with_a_name_has_no_emission_to_set():
    with pytest.raises(ValueError, match="Invalid parameter 'emission'"):
        skgen.GaussianHMM(2).set_params(emission__covariance_type="diag")
