"""Checks that a density estimator is a density, for scikit-learn's estimators, ours and yours.

scikit-learn's own checks look at the interface; a density that does not integrate to one, whose
samples are garbage and that ignores its weights passes them all. These checks state what must be
true of the numbers. A check that the declared nature of a density does not call for is not run.

In a test suite:

>>> from sklearn.mixture import GaussianMixture
>>> from skgen.testing import DensityCase, parametrize_with_density_checks
>>> DENSITIES = {
...     "one gaussian": lambda: GaussianMixture(),
...     "two spheres": DensityCase(GaussianMixture(2, covariance_type="spherical"), tolerance=1e-4),
... }
>>> @parametrize_with_density_checks(DENSITIES)
... def test_density(density, check):
...     check(density)
"""

from ._case import DensityCase
from ._runner import (
    CheckResult,
    Scoreboard,
    check_density,
    density_checks,
    density_scoreboard,
    parametrize_with_density_checks,
    sklearn_scoreboard,
)

__all__ = [
    "CheckResult",
    "DensityCase",
    "Scoreboard",
    "check_density",
    "density_checks",
    "density_scoreboard",
    "parametrize_with_density_checks",
    "sklearn_scoreboard",
]
