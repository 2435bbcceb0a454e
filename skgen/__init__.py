"""Generative models in the manner of scikit-learn.

Names are loaded when they are first used, so that ``import skgen`` stays quick.
"""

from importlib import import_module

__version__ = "0.1.0"

_HOME = {
    "AR": "autoregressive",
    "CategoricalHMM": "hmm",
    "Checkpoint": "_monitors",
    "DensityImputer": "wrappers",
    "DensityOutlierDetector": "wrappers",
    "DensityRegressor": "wrappers",
    "EarlyStopping": "_monitors",
    "GMMHMM": "hmm",
    "Gaussian": "gaussian",
    "GaussianHMM": "hmm",
    "GaussianMixture": "gaussian",
    "GenerativeClassifier": "wrappers",
    "HMM": "hmm",
    "LagFeatures": "autoregressive",
    "LikelihoodMonitor": "_monitors",
    "Mixture": "gaussian",
    "MultinomialHMM": "hmm",
    "NGramLM": "autoregressive",
    "NGramMixture": "autoregressive",
    "NonlinearAR": "autoregressive",
    "PoissonHMM": "hmm",
    "RecursiveModel": "autoregressive",
    "SequenceTransformer": "wrappers",
    "TimeLimit": "_monitors",
    "TransformedSequence": "wrappers",
    "lpc": "autoregressive",
    "to_sequences": "_sequences",
}
_MODULES = (
    "autoregressive",
    "datasets",
    "emissions",
    "gaussian",
    "hmm",
    "plotting",
    "testing",
    "wrappers",
)

__all__ = ["__version__", *_MODULES, *_HOME]


def __getattr__(name):
    if name in _HOME:
        return getattr(import_module(f"skgen.{_HOME[name]}"), name)
    if name in _MODULES:
        return import_module(f"skgen.{name}")
    raise AttributeError(f"module 'skgen' has no attribute {name!r}")


def __dir__():
    return __all__
