"""Hidden Markov models."""

from ._forecast import Forecast
from ._hmm import HMM
from ._named import GMMHMM, CategoricalHMM, GaussianHMM, MultinomialHMM, PoissonHMM

__all__ = [
    "GMMHMM",
    "HMM",
    "CategoricalHMM",
    "Forecast",
    "GaussianHMM",
    "MultinomialHMM",
    "PoissonHMM",
]
