"""Display classes in scikit-learn's manner; matplotlib is imported when something is drawn."""

from ._convergence import ConvergenceDisplay
from ._density import DensityDisplay

__all__ = ["ConvergenceDisplay", "DensityDisplay"]
