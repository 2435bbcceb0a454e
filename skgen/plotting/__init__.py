"""Display classes in scikit-learn's manner; matplotlib is imported when something is drawn."""

from ._convergence import ConvergenceDisplay
from ._density import DensityDisplay
from ._forecast import ForecastDisplay, SpectrumDisplay

__all__ = ["ConvergenceDisplay", "DensityDisplay", "ForecastDisplay", "SpectrumDisplay"]
