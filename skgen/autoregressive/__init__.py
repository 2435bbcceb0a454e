"""Models that predict each step of a sequence from the steps before it."""

from ._ar import AR
from ._forecast import Forecast
from ._lags import LagFeatures
from ._ngram import NGramLM
from ._ngram_mixture import NGramMixture
from ._nonlinear import NonlinearAR
from ._recursive import RecursiveModel
from ._signal import Diagnostics, lpc
from ._simulated import PathForecast

__all__ = [
    "AR",
    "Diagnostics",
    "Forecast",
    "LagFeatures",
    "NGramLM",
    "NGramMixture",
    "NonlinearAR",
    "PathForecast",
    "RecursiveModel",
    "lpc",
]
