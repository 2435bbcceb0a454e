"""Display classes in scikit-learn's manner; matplotlib is imported when something is drawn."""

from ._convergence import ConvergenceDisplay
from ._density import DensityDisplay
from ._forecast import ForecastDisplay, SpectrumDisplay
from ._state_path import StatePathDisplay
from ._transition_graph import TransitionGraphDisplay

__all__ = [
    "ConvergenceDisplay",
    "DensityDisplay",
    "ForecastDisplay",
    "SpectrumDisplay",
    "StatePathDisplay",
    "TransitionGraphDisplay",
]
