"""The density checks: sound densities pass them all, and every check finds a fault."""

from unittest import SkipTest

import pytest
from broken_densities import BROKEN, Unnormalised
from plain_densities import PlainComplete, PlainFramed, PlainMixture, PlainPoisson
from sklearn.exceptions import NotFittedError
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture
from sklearn.neighbors import KernelDensity

from skgen.testing import (
    DensityCase,
    check_density,
    density_checks,
    density_scoreboard,
    parametrize_with_density_checks,
)

CHECKS = {check.__name__: check for check in density_checks()}
SOUND = {
    "mixture": PlainMixture,
    "one component": lambda: PlainMixture(1),
    "three components": PlainMixture(3),
    "complete": PlainComplete(),
    "framed": PlainFramed(),
    "counts": DensityCase(PlainPoisson, data="counts"),
}
INTEGRALS = ("check_integrates_to_one_in_1d", "check_integrates_to_one_in_2d")


@parametrize_with_density_checks(SOUND)
def test_sound_densities_pass(density, check):
    check(density)


def test_every_check_is_called_for_by_a_sound_density():
    called_for = {check for density in SOUND.values() for check in density_checks(density)}
    assert called_for == set(CHECKS.values())


def test_every_check_has_a_density_that_must_fail_it():
    assert set(BROKEN) == set(CHECKS)


def finds_a_fault(check, density):
    """Whether the check is called for and fails."""
    try:
        check(density)
    except SkipTest:
        return False
    except Exception:
        return check in density_checks(density)
    return False


@pytest.mark.parametrize(
    ("name", "density"),
    [
        pytest.param(name, density, id=f"{density.__name__}-{name}")
        for name, densities in BROKEN.items()
        for density in densities
    ],
)
def test_the_check_finds_the_fault(name, density):
    data = "counts" if issubclass(density, PlainPoisson) else "real"
    assert finds_a_fault(CHECKS[name], DensityCase(density, data=data))


def test_every_check_states_a_truth():
    assert all(check.__doc__.endswith(".") for check in CHECKS.values())
    assert len({check.__doc__ for check in CHECKS.values()}) == len(CHECKS)


def test_the_first_failure_is_raised_with_the_truth_it_breaks():
    with pytest.raises(AssertionError, match=r"column integrates to one.*1\.01005"):
        check_density(Unnormalised)


def test_results_come_for_every_check_and_name_the_failures():
    results = check_density(Unnormalised, on_fail=None)
    assert [result.check for result in results] == list(CHECKS)
    failed = {result.check for result in results if result.status == "failed"}
    assert set(INTEGRALS) <= failed


def test_expected_failures_are_told_apart():
    case = DensityCase(Unnormalised, expected_failed_checks=dict.fromkeys(INTEGRALS, "known"))
    results = {result.check: result for result in check_density(case, on_fail=None)}
    assert {(results[name].status, results[name].reason) for name in INTEGRALS} == {
        ("expected", "known")
    }


def test_a_failure_that_was_expected_and_does_not_come_is_a_failure():
    case = DensityCase(PlainMixture, expected_failed_checks={INTEGRALS[0]: "known"})
    with pytest.raises(AssertionError, match=r"it passes, though .*known"):
        check_density(case)
    results = {result.check: result.status for result in check_density(case, on_fail=None)}
    assert results[INTEGRALS[0]] == "failed"


def test_expected_failures_are_strict_marks_in_pytest():
    case = DensityCase(Unnormalised, expected_failed_checks=dict.fromkeys(INTEGRALS, "known"))
    params = parametrize_with_density_checks({"broken": case}).args[1]
    marks = {param.id: [(m.name, m.kwargs) for m in param.marks] for param in params}
    marked = {name: found for name, found in marks.items() if found}
    expected = [("xfail", {"reason": "known", "strict": True})]
    assert marked == {f"broken-{name}": expected for name in INTEGRALS}


def test_names_that_are_no_checks_are_refused():
    case = DensityCase(PlainMixture, expected_failed_checks={"check_nothing": "typo"})
    for use in (check_density, density_checks, lambda c: parametrize_with_density_checks({"": c})):
        with pytest.raises(ValueError, match="check_nothing"):
            use(case)


def test_what_to_do_on_failure_is_one_of_the_choices():
    with pytest.raises(ValueError, match="on_fail='warn'"):
        check_density(PlainMixture, on_fail="warn")


@pytest.mark.parametrize("wrong", [{"data": "words"}, {"units": "metres"}], ids=str)
def test_what_is_declared_is_one_of_the_choices(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong.values()))):
        DensityCase(PlainMixture, **wrong)


def test_an_estimator_is_cloned_and_its_seed_is_set():
    estimator = GaussianMixture(2)
    case = DensityCase(estimator)
    assert case.build() is not case.build()
    assert case.build().random_state == 0
    case.fit(case.rows())
    assert estimator.random_state is None
    with pytest.raises(NotFittedError):
        estimator.score_samples(case.rows())


def test_checks_that_a_density_does_not_call_for_are_not_run():
    called_for = {check.__name__ for check in density_checks(GaussianMixture(2))}
    assert "check_nan_scores_the_marginal" not in called_for
    assert "check_weights_equal_repetition" not in called_for
    assert "check_nan_is_refused_by_name" in called_for
    spherical = density_checks(GaussianMixture(2, covariance_type="spherical"))
    without = called_for - {check.__name__ for check in spherical}
    assert without == {"check_column_scale_equivariance"}


def test_the_scoreboard_sets_densities_side_by_side():
    case = DensityCase(Unnormalised, expected_failed_checks={INTEGRALS[0]: "known"})
    board = density_scoreboard({"sound": PlainMixture, "broken": case})
    passed, called_for = board.totals["sound"]
    assert passed == called_for
    assert board.failures["sound"] == {}
    assert board.failures["broken"][INTEGRALS[0]] == "known"
    lines = {line.split()[0]: line.split()[1:] for line in str(board).splitlines()}
    assert lines["check"] == ["sound", "broken"]
    assert lines[INTEGRALS[0]] == ["ok", "fails"]
    assert lines[INTEGRALS[1]] == ["ok", "FAILS"]


BAYESIAN = BayesianGaussianMixture(n_components=2)
KERNELS = DensityCase(KernelDensity(), units="fixed")


@pytest.mark.parametrize(
    ("name", "density"),
    [
        # reg_covar is added in the units of the data.
        ("check_scale_equivariance", GaussianMixture(2)),
        # Squares are expanded about zero, in the precision of the data.
        ("check_float32_far_from_zero", GaussianMixture(2, covariance_type="diag")),
        # Expectations of logarithms under the posterior do not belong to a normalised density.
        ("check_integrates_to_one_in_1d", BAYESIAN),
        ("check_integrates_to_one_in_2d", BAYESIAN),
        # The score of a kernel density is a sum, and its tree keeps the rows of the user.
        ("check_score_is_the_mean_of_score_samples", KERNELS),
        ("check_later_changes_of_the_rows_change_nothing", KERNELS),
    ],
)
def test_the_checks_find_what_is_known_of_scikit_learn(name, density):
    assert finds_a_fault(CHECKS[name], density)
