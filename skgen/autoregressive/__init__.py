"""Models that predict each step of a sequence from the steps before it."""

from ._ar import AR
from ._forecast import Forecast
from ._ngram import NGramLM
from ._ngram_mixture import NGramMixture
from ._signal import Diagnostics, lpc

__all__ = ["AR", "Diagnostics", "Forecast", "NGramLM", "NGramMixture", "lpc"]
