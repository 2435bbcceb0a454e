"""Tasks over any density: anomalies, gaps, classes, targets; and transformers over sequences."""

from ._classifier import GenerativeClassifier
from ._imputer import DensityImputer
from ._outliers import DensityOutlierDetector
from ._regressor import DensityRegressor
from ._sequence_transformer import SequenceTransformer
from ._transformed_forecast import TransformedForecast
from ._transformed_sequence import TransformedSequence

__all__ = [
    "DensityImputer",
    "DensityOutlierDetector",
    "DensityRegressor",
    "GenerativeClassifier",
    "SequenceTransformer",
    "TransformedForecast",
    "TransformedSequence",
]
