"""Models that predict each step from the steps before it."""

from ._ngram import NGramLM
from ._ngram_mixture import NGramMixture

__all__ = ["NGramLM", "NGramMixture"]
"""Autoregressive models of sequences."""

from ._ar import AR
from ._forecast import Forecast
from ._signal import Diagnostics, lpc

__all__ = ["AR", "Diagnostics", "Forecast", "lpc"]
