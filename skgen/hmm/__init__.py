"""Hidden Markov models."""

from ._forecast import Forecast
from ._hmm import HMM
from ._named import CategoricalHMM, GaussianHMM, PoissonHMM

__all__ = ["HMM", "CategoricalHMM", "Forecast", "GaussianHMM", "PoissonHMM"]
