"""The Gaussian family: a single Gaussian, and mixtures of any emission."""

from ._gaussian import Gaussian
from ._gaussian_mixture import GaussianMixture
from ._mixture import Mixture

__all__ = ["Gaussian", "GaussianMixture", "Mixture"]
