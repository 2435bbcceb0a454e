"""What takes an emission as its argument ``emission``."""

from typing import Any, Self

from sklearn.utils._param_validation import InvalidParameterError

from ._base import Emission
from .gaussian import Gaussian


class EmissionArgument:
    """Emits by ``emission``, or by a Gaussian with full covariances where that is None."""

    emission: Any

    @property
    def _inner(self):
        _check_emission(self)
        return Gaussian() if self.emission is None else self.emission

    def _validate_params(self):
        _check_emission(self)
        super()._validate_params()  # type: ignore[misc]

    def set_params(self, **params: Any) -> Self:
        """Set parameters of this object and, as ``emission__<name>``, of its emission.

        Parameters
        ----------
        **params : dict
            By name.

        Returns
        -------
        self
        """
        inner = any(name.startswith("emission__") for name in params)
        if inner and getattr(self, "emission", False) is None:
            self.emission = self._inner
        return super().set_params(**params)  # type: ignore[misc]


def _check_emission(estimator):
    """Raise where the argument is none; ``skgen.Gaussian()`` prints as the emission does."""
    given = getattr(estimator, "emission", None)
    if given is None or isinstance(given, Emission):
        return
    kind = given if isinstance(given, type) else type(given)
    raise InvalidParameterError(
        f"The 'emission' parameter of {type(estimator).__name__} must be an object of a class of "
        f"skgen.emissions, such as skgen.emissions.Gaussian(), or None. Got {given!r} "
        f"({kind.__module__}.{kind.__qualname__}) instead."
    )
