"""Models that predict each step from the steps before it."""

from ._ngram import NGramLM

__all__ = ["NGramLM"]
