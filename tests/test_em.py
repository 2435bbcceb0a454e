"""The EM loop: it climbs, it ends where it says, and the acceleration goes to the same summit."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning

from skgen import GaussianMixture, Mixture
from skgen._em import Anderson, EMResult, climb, run_em, warn_unconverged
from skgen.emissions import Bernoulli

SAME = (lambda x: x, lambda vector, like: vector)  # parameters that are vectors already


def bowl(rates, curvature=1.0):
    """EM of a concave quadratic: each coordinate keeps this share of its error in each step."""
    rates = np.asarray(rates, dtype=float)

    def step(x):
        return rates * x, -0.5 * curvature * float(x @ x)

    return step


def saddle(x):
    """Small steps up y^2 / 2 - y^4 / 4 - x^2 / 2: a saddle at 0, summits of 1/4 at y = 1, -1."""
    slope = np.array([-x[0], x[1] - x[1] ** 3])
    return x + 0.02 * slope, float(-0.5 * x[0] ** 2 + 0.5 * x[1] ** 2 - 0.25 * x[1] ** 4)


def counted(step):
    """The same step, which counts its calls."""

    def count(params):
        count.calls += 1
        return step(params)

    count.calls = 0
    return count


def overlapping(kind, d, apart, rng, n=2000, K=3):
    """A mixture of Gaussians that overlap, and the EM problem and start of a fit to its rows."""
    X = rng.normal(size=(K, d))[rng.integers(K, size=n)] * apart + rng.normal(size=(n, d))
    return problem_of(GaussianMixture(K, covariance_type=kind), X, rng)


def binary(rng, K=4):
    chances = rng.beta(2, 2, size=(K, 8))[rng.integers(K, size=2000)]
    return problem_of(Mixture(Bernoulli(), K), (rng.random((2000, 8)) < chances).astype(float), rng)


def problem_of(model, X, rng):
    problem = model._problem(model._rows(X, reset=True))
    chosen = X[rng.choice(len(X), model.n_components, replace=False)]
    nearest = ((X[:, None] - chosen) ** 2).sum(axis=2).argmin(axis=1)
    return problem, problem.start(np.eye(model.n_components)[nearest])


SLOW = {  # plain EM needs hundreds of iterations or more
    "full": lambda rng: overlapping("full", 2, 2.0, rng),
    "tied": lambda rng: overlapping("tied", 2, 1.0, rng),
    "diag": lambda rng: overlapping("diag", 2, 2.0, rng),
    "spherical": lambda rng: overlapping("spherical", 3, 1.0, rng),
    "bernoulli": binary,
}


@pytest.fixture(params=SLOW)
def slow(request, rng):
    return SLOW[request.param](rng)


def accelerated(problem, start, **how):
    return run_em(problem.step, start, vector=(problem.pack, problem.unpack), **how)


# ---- climbing -------------------------------------------------------------------------------


def test_without_acceleration_the_iterates_are_those_of_the_step():
    rates = np.array([0.3, 0.8])
    result = run_em(bowl(rates), np.ones(2), max_iter=5, tol=-1)
    assert_allclose(result.params, rates**5, rtol=1e-15)
    expected = [-0.5 * float((rates**t) @ (rates**t)) for t in range(6)]
    assert_allclose([result.start, *result.objective], expected, rtol=1e-15)


@pytest.mark.parametrize("fast", [False, True])
def test_the_objective_belongs_to_the_parameters(slow, fast):
    problem, start = slow
    vector = (problem.pack, problem.unpack) if fast else None
    result = run_em(problem.step, start, max_iter=25, tol=-1, vector=vector)
    assert problem.objective(result.params) == result.objective[-1]
    assert problem.objective(start) == result.start


@pytest.mark.parametrize("fast", [False, True])
def test_the_objective_never_falls(slow, fast):
    problem, start = slow
    vector = (problem.pack, problem.unpack) if fast else None
    result = run_em(problem.step, start, max_iter=150, tol=-1, vector=vector)
    assert np.diff([result.start, *result.objective]).min() >= -1e-14


def test_extrapolations_that_lead_down_are_not_taken(rng):
    """With an unpack that leads anywhere, the iterates stay those of the step."""
    wild = (SAME[0], lambda vector, like: like + rng.normal(size=2) + 5)
    expected = run_em(bowl([0.5, 0.9]), np.ones(2), max_iter=20, tol=-1)
    result = run_em(bowl([0.5, 0.9]), np.ones(2), max_iter=20, tol=-1, vector=wild)
    assert_array_equal(result.params, expected.params)
    assert result.objective == expected.objective


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e4])
def test_extrapolations_out_of_this_world_are_not_taken(bad):
    nowhere = (SAME[0], lambda vector, like: np.exp(bad + 0 * like))
    result = run_em(bowl([0.5, 0.9]), np.ones(2), max_iter=8, tol=-1, vector=nowhere)
    assert_allclose(result.params, [0.5**8, 0.9**8], rtol=1e-15)


@pytest.mark.parametrize(
    "vector",
    [
        (lambda x: None, SAME[1]),
        (lambda x: x if x[0] > 0.4 else None, lambda vector, like: None),
        (lambda x: x if x[0] > 0.4 else x * np.inf, lambda vector, like: None),
        (SAME[0], lambda vector, like: None),
    ],
    ids=["nothing packed", "no longer packed", "packed as infinite", "not unpacked"],
)
def test_what_cannot_be_packed_is_not_accelerated(vector):
    result = run_em(bowl([0.5, 0.9]), np.ones(2), max_iter=8, tol=-1, vector=vector)
    assert_allclose(result.params, [0.5**8, 0.9**8], rtol=1e-15)


# ---- acceleration ---------------------------------------------------------------------------


def test_a_linear_map_of_p_rates_is_solved_in_about_p_steps():
    rates = [0.1, 0.5, 0.9, 0.999]
    result = run_em(bowl(rates), np.ones(4), max_iter=8, tol=-1, vector=SAME)
    assert result.objective[-1] > -1e-10
    assert run_em(bowl(rates), np.ones(4), max_iter=8, tol=-1).objective[-1] < -0.4


def test_a_saddle_does_not_hold_the_acceleration():
    """Where mixing of residuals to zero would end at the saddle, which plain EM leaves slowly."""
    start = np.array([1.0, 1e-4])
    plain = run_em(saddle, start, max_iter=5000, tol=1e-10)
    fast = run_em(saddle, start, max_iter=5000, tol=1e-10, vector=SAME)
    assert_allclose(plain.objective[-1], 0.25, rtol=1e-9)
    assert_allclose(fast.objective[-1], 0.25, rtol=1e-9)
    assert len(fast.objective) < len(plain.objective) / 5


def test_acceleration_reaches_the_summit_of_plain_em_in_a_third_of_the_passes(slow):
    problem, start = slow
    plain = run_em(problem.step, start, max_iter=2000, tol=1e-6)
    step = counted(problem.step)
    vector = (problem.pack, problem.unpack)
    fast = run_em(step, start, max_iter=5000, tol=1e-6, vector=vector)
    assert fast.converged
    assert fast.objective[-1] >= plain.objective[-1] - 1e-6
    assert step.calls < len(plain.objective) / 3


@pytest.mark.parametrize("change", [0.0, np.nan, np.inf])
def test_secants_that_say_nothing_give_no_step(change):
    assert climb(np.ones((2, 3)), np.full((2, 3), change), np.ones(3)) is None


def test_acceleration_forgets_what_misled_it():
    mixer = Anderson(*SAME)
    step = bowl([0.5, 0.9])
    x = np.ones(2)
    for _ in range(2):
        proposed = mixer.propose(x, step(x)[0])
        x = step(x)[0]
    assert proposed is not None
    mixer.forget()
    assert not mixer.moves
    assert mixer.propose(x, step(x)[0]) is not None  # one step back is enough to go on


# ---- the end --------------------------------------------------------------------------------


@pytest.mark.parametrize("tol", [1e-4, 1e-6, 1e-8])
@pytest.mark.parametrize("rates", [[0.9], [0.999], [0.3, 0.99], [0.5, 0.9, 0.995]])
def test_a_slow_climb_is_not_taken_for_its_summit(rates, tol):
    result = run_em(bowl(rates), np.ones(len(rates)), max_iter=20_000, tol=tol)
    assert result.converged
    assert result.objective[-1] > -tol  # the summit is 0


@pytest.mark.parametrize("tol", [1e-6, 1e-8])
def test_a_slow_climb_begun_near_its_summit_is_seen(tol):
    """Gains far below ``tol`` from the first iteration on, but shrinking hardly at all."""
    start = np.full(1, np.sqrt(100 * tol))
    result = run_em(bowl([0.9999]), start, max_iter=200_000, tol=tol)
    assert result.converged
    assert result.objective[-1] > -tol


def test_mixtures_end_within_tol_of_the_summit(slow):
    problem, start = slow
    result = accelerated(problem, start, max_iter=2000, tol=1e-6)
    assert result.converged
    further = accelerated(problem, result.params, max_iter=300, tol=-1)
    assert further.objective[-1] - result.objective[-1] < 1e-6


def test_a_start_at_the_summit_ends_at_once():
    result = run_em(bowl([0.5]), np.zeros(1), max_iter=100, tol=1e-6)
    assert result.converged
    assert len(result.objective) == 2


def test_one_iteration_without_gain_is_not_the_end():
    values = [0.0, 1.0, 2.0, 2.0, 3.0, 4.0, 4.0, 4.0]
    result = run_em(lambda t: (t + 1, values[t]), 0, max_iter=7, tol=1e-6)
    assert result.converged
    assert result.objective == values[1:]


@pytest.mark.parametrize("tol", [0.0, 1e-12, 1e-6])
def test_noise_of_single_precision_does_not_go_on_forever(tol, rng):
    exact = bowl([0.9])

    def step(x):
        ahead, value = exact(x)
        return ahead, value + 1e-7 * rng.normal()

    for vector in (None, SAME):
        result = run_em(step, np.ones(1), max_iter=2000, tol=tol, vector=vector, rounding=1e-7)
        assert result.converged
        assert len(result.objective) < 200
        assert exact(result.params)[1] > -1e-5


def test_negative_tol_never_ends_before_max_iter():
    result = run_em(bowl([0.0]), np.zeros(1), max_iter=30, tol=-1)
    assert result.end == "max_iter"
    assert len(result.objective) == 30


def test_no_iterations_leave_the_start():
    result = run_em(bowl([0.5]), np.ones(1), max_iter=0, tol=1e-6)
    assert result == EMResult(np.ones(1), [], "max_iter", -0.5)


def test_a_start_of_density_zero_is_left():
    def step(x):
        ahead, value = bowl([0.5])(x)
        return ahead, -np.inf if x > 0.3 else value

    for vector in (None, SAME):
        result = run_em(step, np.ones(1), max_iter=100, tol=1e-6, vector=vector)
        assert result.start == -np.inf
        assert result.converged
        assert result.objective[-1] > -1e-6


@pytest.mark.parametrize("after", [0, 1, 4])
def test_nan_ends_at_the_last_good_parameters(after):
    def step(x):
        return x + 1, float(x[0]) if x < after else np.nan

    result = run_em(step, np.zeros(1), max_iter=10, tol=-1)
    assert result.end == "nan"
    assert result.params == max(after - 1, 0)
    assert result.objective == [float(t) for t in range(1, after)]


# ---- interrupts and monitors ----------------------------------------------------------------


@pytest.mark.parametrize("vector", [None, SAME], ids=["plain", "accelerated"])
@pytest.mark.parametrize("at", [1, 2, 3, 7])
def test_ctrl_c_gives_the_parameters_reached_before(at, vector):
    exact = counted(bowl([0.5, 0.9]))

    def step(x):
        if exact.calls + 1 == at:
            raise KeyboardInterrupt
        return exact(x)

    result = run_em(step, np.ones(2), max_iter=20, tol=-1, vector=vector)
    assert result.interrupted
    assert not result.converged
    n = len(result.objective)
    assert n == max(at - 2, 0) or vector
    expected = run_em(exact, np.ones(2), max_iter=n, tol=-1, vector=vector)
    assert_array_equal(result.params, expected.params)
    assert result.objective == expected.objective


class Notes:
    """A monitor that writes down what it is told, and stops after some iterations."""

    def __init__(self, last=np.inf):
        self.last, self.told = last, []

    def begin(self, params, values):
        self.told.append(("begin", params.copy(), list(values)))

    def end(self, params, values):
        self.told.append(("end", params.copy(), list(values)))
        return len(values) - 1 >= self.last


def test_a_monitor_is_told_before_and_after_each_iteration():
    notes = Notes()
    result = run_em(bowl([0.5]), np.ones(1), max_iter=3, tol=-1, monitor=notes)
    assert [what for what, _, _ in notes.told] == ["begin", "end"] * 3
    assert [float(params[0]) for _, params, _ in notes.told] == [1, 0.5, 0.5, 0.25, 0.25, 0.125]
    assert [len(values) for *_, values in notes.told] == [1, 2, 2, 3, 3, 4]
    assert notes.told[-1][-1] == [result.start, *result.objective]


def test_a_monitor_stops_the_loop():
    result = run_em(bowl([0.99]), np.ones(1), max_iter=50, tol=1e-9, monitor=Notes(last=4))
    assert result.end == "stopped"
    assert not result.converged
    assert len(result.objective) == 4


def test_what_has_converged_was_not_stopped():
    result = run_em(bowl([0.5]), np.zeros(1), max_iter=50, tol=1e-9, monitor=Notes(last=2))
    assert result.converged


# ---- warnings -------------------------------------------------------------------------------


def test_the_warning_tells_how_much_was_still_gained():
    result = run_em(bowl([0.99]), np.ones(1), max_iter=30, tol=1e-6)
    gain = result.objective[-1] - result.objective[-11]
    with pytest.warns(ConvergenceWarning, match=f"max_iter=30 .*{gain:.2g} in the last 10; raise"):
        warn_unconverged(result, 30)


@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_the_warning_tells_of_an_objective_that_is_no_number(value):
    result = run_em(lambda x: (x, value), np.ones(1), max_iter=3, tol=1e-6)
    with pytest.warns(ConvergenceWarning, match=f"the objective was {value}"):
        warn_unconverged(result, 3)


@pytest.mark.parametrize("end", ["converged", "stopped", "interrupted"])
def test_no_warning_where_nothing_is_wrong(end):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_unconverged(EMResult(None, [1.0, 2.0], end, 0.0), 2)
        warn_unconverged(EMResult(None, [], "max_iter", 0.0), 0)


def test_an_extrapolation_out_of_reach_is_not_tried():
    mixer = Anderson(lambda params: params, lambda vector, like: vector)
    mixer.propose(np.array([0.0, 0.0]), np.array([1.0, 0.0]))
    far = mixer.propose(np.array([0.0, 1e50]), np.array([1.001, 1e50]))
    assert np.abs(far).max() > 1e52
    mixer.forget()
    mixer.propose(np.array([0.0, 0.0]), np.array([1.0, 0.0]))
    assert mixer.propose(np.array([0.0, 1e120]), np.array([1.001, 1e120])) is None
