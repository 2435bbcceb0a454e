"""How a check is written: a function of a case that raises where the density breaks a truth."""

import warnings
from functools import wraps
from unittest import SkipTest

import numpy as np

from ._case import CAPABILITIES, as_case

CHECKS: dict = {}  # name -> check, in the order in which they are listed and run


def density_check(*needs):
    """Register a check that is called for by densities with these capabilities.

    The check takes a density or a `DensityCase`, returns nothing, raises `AssertionError` where
    the density breaks the truth that the docstring states, and `unittest.SkipTest` where only the
    fit shows that it is not called for.
    """
    assert set(needs) <= set(CAPABILITIES)

    def register(function):
        @wraps(function)
        def check(density):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                function(as_case(density))

        check.needs = needs
        CHECKS[check.__name__] = check
        return check

    return register


def checks_for(case):
    """The checks that the declared nature of the density calls for."""
    return [check for check in CHECKS.values() if all(map(case.offers, check.needs))]


def assert_close(actual, expected, tolerance, what):
    """Equal within the tolerance, which is relative above 1; infinities and NaN must match."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape, f"{what}: shape {actual.shape}, not {expected.shape}."
    if np.allclose(actual, expected, rtol=tolerance, atol=tolerance, equal_nan=True):
        return
    with np.errstate(invalid="ignore"):
        gap = np.nanmax(np.abs(actual - expected) / np.maximum(1, np.abs(expected)), initial=0)
    raise AssertionError(f"{what}: differs by {gap:.3g}, more than {tolerance:.3g} allows.")


def assert_identical(actual, expected, what):
    """Equal to the last bit."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert np.array_equal(actual, expected, equal_nan=True), f"{what}: not the same bits."


def assert_refused(action, *hints, error=ValueError):
    """Raises an error of this type whose message has one of the hints."""
    raised = error_of(action, error)
    assert raised is not None, f"accepted, where an error that names one of {hints} was due."
    assert_names(raised, hints)


def error_of(action, error=ValueError):
    """The error of this type that the action raises, or None."""
    try:
        action()
    except error as raised:
        return raised
    return None


def assert_names(error, hints):
    """The message has one of the hints, if there are any, and is not one of LAPACK's."""
    message = str(error)
    told = not hints or any(hint.lower() in message.lower() for hint in hints)
    told &= not isinstance(error, np.linalg.LinAlgError)
    assert told, f"{type(error).__name__} names none of {hints}: {message}"


def require(package):
    """The imported package, or a skip."""
    try:
        return __import__(package)
    except ImportError:
        raise SkipTest(f"{package} is not installed") from None
