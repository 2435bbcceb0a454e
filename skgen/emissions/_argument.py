"""What takes an emission as its argument ``emission``."""

from typing import Any, Self

from .gaussian import Gaussian


class EmissionArgument:
    """Emits by ``emission``, or by a Gaussian with full covariances where that is None."""

    emission: Any

    @property
    def _inner(self):
        return Gaussian() if self.emission is None else self.emission

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
