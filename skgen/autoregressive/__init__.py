"""Models that predict each step from the steps before it."""

from ._ngram import NGramLM
from ._ngram_mixture import NGramMixture

__all__ = ["NGramLM", "NGramMixture"]
