"""Curves of the objective of EM."""

from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ._axes import axes


class ConvergenceDisplay:
    """The objective of EM over its iterations.

    Use :meth:`from_estimator` to make one.

    Parameters
    ----------
    curves : dict of str to array-like of shape (n_iter,)
        Objective per row after each iteration, by label.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    lines_ : list of matplotlib Line2D

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skgen import GaussianMixture
    >>> from skgen.plotting import ConvergenceDisplay
    >>> model = GaussianMixture(3, random_state=0).fit(load_iris().data)
    >>> display = ConvergenceDisplay.from_estimator(model)
    >>> display.ax_.get_xlabel()
    'Iteration'
    """

    def __init__(self, curves) -> None:
        self.curves = {label: np.asarray(curve, dtype=float) for label, curve in curves.items()}

    @classmethod
    def from_estimator(cls, estimator: Any, *, gap: bool = False, ax: Any = None, **kwargs) -> Self:
        """Draw the curve of one fitted estimator, or of several.

        Parameters
        ----------
        estimator : fitted estimator with ``lower_bounds_``, or dict of them by label
        gap : bool, default=False
            Draw what was left to gain, on a logarithmic scale, in place of the objective.
        ax : matplotlib Axes, default=None
        **kwargs : passed to ``Axes.plot``

        Returns
        -------
        ConvergenceDisplay
        """
        named = estimator if isinstance(estimator, dict) else {type(estimator).__name__: estimator}
        for model in named.values():
            check_is_fitted(model, "lower_bounds_")
        curves = {label: model.lower_bounds_ for label, model in named.items()}
        return cls(curves).plot(gap=gap, ax=ax, **kwargs)

    def plot(self, *, gap: bool = False, ax: Any = None, **kwargs) -> Self:
        """Draw.

        Parameters
        ----------
        gap : bool, default=False
            Draw what was left to gain, on a logarithmic scale, in place of the objective.
        ax : matplotlib Axes, default=None
        **kwargs : passed to ``Axes.plot``

        Returns
        -------
        self
        """
        ax, best = axes(ax), max(curve.max() for curve in self.curves.values())
        self.lines_ = []
        for label, curve in self.curves.items():
            # The best value has no gap to show; an objective does not tell rounding from zero.
            values = np.where(best - curve > 1e-15, best - curve, np.nan) if gap else curve
            style = {"marker": ".", "label": label, **kwargs}
            self.lines_ += ax.plot(np.arange(1, len(curve) + 1), values, **style)
        ax.set_xlabel("Iteration")
        ax.set_ylabel("Left to gain (nats per row)" if gap else "Objective (nats per row)")
        if gap:
            ax.set_yscale("log")
        if len(self.curves) > 1:
            ax.legend(frameon=False)
        self.ax_, self.figure_ = ax, ax.figure
        return self
