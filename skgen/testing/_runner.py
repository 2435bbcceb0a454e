"""Runs the checks: one density, a pytest parametrization, a scoreboard of several densities."""

from dataclasses import dataclass, field
from unittest import SkipTest

# Importing a module registers its checks.
from . import (  # noqa: F401
    _definition,
    _degenerate,
    _equivalence,
    _inputs,
    _interrupt,
    _life,
    _missing,
)
from ._case import DensityCase, as_case
from ._registry import CHECKS, checks_for


@dataclass(frozen=True)
class CheckResult:
    """What one check said of one density.

    Attributes
    ----------
    check : str
        Name of the check.
    status : {"passed", "failed", "expected", "skipped"}
        "expected" is a failure that was declared; "skipped" a check that is not called for.
    reason : str
        What failed, why the failure was expected, or why the check was skipped.
    error : Exception or None
        What the failed check raised.
    """

    check: str
    status: str
    reason: str = ""
    error: Exception | None = field(default=None, repr=False, compare=False)


def density_checks(density=None):
    """The checks that a density calls for; all of them for None.

    Parameters
    ----------
    density : DensityCase, callable or estimator, optional
        The density whose tags and signatures choose the checks.

    Returns
    -------
    list of callable
        Each takes a density and raises `AssertionError` where the density breaks the truth that
        the docstring of the check states.

    Examples
    --------
    >>> from skgen.testing import density_checks
    >>> density_checks()[1].__doc__
    'A density of one column integrates to one, or sums to one over its support.'
    """
    return list(CHECKS.values()) if density is None else checks_for(_known(as_case(density)))


def check_density(density, *, on_fail="raise"):
    """Run every check that a density calls for.

    Parameters
    ----------
    density : DensityCase, callable or estimator
        A constructor without arguments, an unfitted density, or a case that says more of it.
    on_fail : {"raise", None}, default="raise"
        Whether the first failure that was not expected is raised, or only reported.

    Returns
    -------
    list of CheckResult
        One for each check in the order of `density_checks()`.

    Raises
    ------
    AssertionError
        With on_fail="raise", for the first check that fails and was not expected to.

    Examples
    --------
    >>> from sklearn.neighbors import KernelDensity
    >>> from skgen.testing import DensityCase, check_density
    >>> results = check_density(DensityCase(KernelDensity(), units="fixed"), on_fail=None)
    >>> [result.check for result in results if result.status == "failed"][:1]
    ['check_score_is_the_mean_of_score_samples']
    """
    if on_fail not in ("raise", None):
        raise ValueError(f'on_fail={on_fail!r} must be "raise" or None.')
    case = _known(as_case(density))
    results = []
    for check in CHECKS.values():
        results.append(_run(check, case))
        if on_fail == "raise" and results[-1].status == "failed":
            truth = f"{check.__name__}: {check.__doc__}"
            raise AssertionError(f"{truth} But {results[-1].reason}") from results[-1].error
    return results


def _run(check, case):
    """The result of one check."""
    missing = [need for need in check.needs if not case.offers(need)]
    if missing:
        return CheckResult(check.__name__, "skipped", f"not offered: {', '.join(missing)}")
    expected = case.expected_failed_checks.get(check.__name__)
    try:
        check(case)
    except SkipTest as skip:
        return CheckResult(check.__name__, "skipped", str(skip))
    except Exception as error:
        if expected is not None:
            return CheckResult(check.__name__, "expected", expected)
        return CheckResult(check.__name__, "failed", f"{type(error).__name__}: {error}", error)
    if expected is not None:
        reason = f"it passes, though expected to fail ({expected}); take it off the list."
        return CheckResult(check.__name__, "failed", reason)
    return CheckResult(check.__name__, "passed")


def _known(case):
    unknown = set(case.expected_failed_checks) - set(CHECKS)
    if unknown:
        raise ValueError(
            f"expected_failed_checks names {sorted(unknown)}, which are no checks; "
            "density_checks() lists those there are."
        )
    return case


def parametrize_with_density_checks(constructors):
    """A pytest decorator that runs a test for every density and every check that it calls for.

    Parameters
    ----------
    constructors : dict of str to DensityCase, callable or estimator
        The densities under the names by which the tests are to be known.

    Returns
    -------
    pytest.MarkDecorator
        Gives the test function the arguments `density` and `check`. A check among the
        `expected_failed_checks` of a `DensityCase` is marked as a strict expected failure.

    Examples
    --------
    >>> from sklearn.mixture import GaussianMixture
    >>> from skgen.testing import parametrize_with_density_checks
    >>> @parametrize_with_density_checks({"gaussian": lambda: GaussianMixture(1)})
    ... def test_density(density, check):
    ...     check(density)
    """
    import pytest

    params = []
    for name, density in constructors.items():
        case = _known(as_case(density))
        for check in checks_for(case):
            reason = case.expected_failed_checks.get(check.__name__)
            marks = [] if reason is None else [pytest.mark.xfail(reason=reason, strict=True)]
            params.append(pytest.param(case, check, marks=marks, id=f"{name}-{check.__name__}"))
    return pytest.mark.parametrize(("density", "check"), params)


MARKS = {"passed": "ok", "failed": "FAILS", "expected": "fails", "skipped": "-"}


class Scoreboard:
    """The results of several densities side by side; prints as a table.

    Attributes
    ----------
    results : dict of str to list of CheckResult
        The results under the name of each density.
    """

    def __init__(self, results):
        self.results = results

    @property
    def failures(self):
        """Name of a density -> {name of a failed check: what failed}."""
        return {
            name: {r.check: r.reason for r in results if r.status in ("failed", "expected")}
            for name, results in self.results.items()
        }

    @property
    def totals(self):
        """Name of a density -> (checks passed, checks called for)."""
        return {
            name: (
                sum(r.status == "passed" for r in results),
                sum(r.status != "skipped" for r in results),
            )
            for name, results in self.results.items()
        }

    def __str__(self):
        names = list(self.results)
        rows = [["check", *names]]
        for row in zip(*self.results.values(), strict=True):
            rows.append([row[0].check, *(MARKS[result.status] for result in row)])
        for status in MARKS:
            counts = [sum(r.status == status for r in rs) for rs in self.results.values()]
            rows.append([f"{status} ({MARKS[status]})", *map(str, counts)])
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        rule = "-" * max(map(len, lines))
        return "\n".join([lines[0], rule, *lines[1:-4], rule, *lines[-4:]])

    __repr__ = __str__


def density_scoreboard(constructors):
    """Run the checks over several densities and set the results side by side.

    Parameters
    ----------
    constructors : dict of str to DensityCase, callable or estimator
        The densities under the names that head the columns.

    Returns
    -------
    Scoreboard
        Prints as a table of checks against densities; `failures` says what failed, `totals` how
        many checks passed.

    Examples
    --------
    >>> from sklearn.mixture import GaussianMixture
    >>> from skgen.testing import density_scoreboard
    >>> board = density_scoreboard({"GaussianMixture": GaussianMixture(2)})
    >>> "check_scale_equivariance" in board.failures["GaussianMixture"]
    True
    """
    return Scoreboard({n: check_density(d, on_fail=None) for n, d in constructors.items()})


def sklearn_scoreboard():
    """The scoreboard of scikit-learn's own densities.

    Returns
    -------
    Scoreboard
        Of `GaussianMixture` (full and diagonal), `BayesianGaussianMixture` and `KernelDensity`,
        with the versions installed here.

    Examples
    --------
    >>> from skgen.testing import sklearn_scoreboard
    >>> print(sklearn_scoreboard())
    check                                                 full   diag   Bayesian  KDE
    ...
    check_integrates_to_one_in_2d                         ok     ok     FAILS     ok
    ...
    """
    from sklearn.mixture import BayesianGaussianMixture, GaussianMixture
    from sklearn.neighbors import KernelDensity

    return density_scoreboard(
        {
            "full": GaussianMixture(2),
            "diag": GaussianMixture(2, covariance_type="diag"),
            "Bayesian": DensityCase(
                BayesianGaussianMixture(n_components=2),
                expected_failed_checks={
                    "check_order_of_components": "the sticks that are broken have an order"
                },
            ),
            "KDE": DensityCase(KernelDensity(), units="fixed"),
        }
    )
