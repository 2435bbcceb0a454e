"""Fans of forecasts, and spectra."""

from typing import Any, Self

import numpy as np

from ._axes import axes, check_has
from ._dates import dates_ahead, dates_of, on_axis


class ForecastDisplay:
    """What was seen of a sequence, and the intervals of the steps to come.

    Use :meth:`from_estimator` to make one.

    Parameters
    ----------
    past : array-like of shape (n_steps,)
    mean : ndarray of shape (horizon,)
    intervals : dict of float to (lower, upper)
        By level, arrays of shape (horizon,).
    times : array-like of shape (n_steps + horizon,), default=None
        Numbers or dates; None counts the steps from the last one of the past.
    name : str, default=None
        Of what is drawn.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    line_, mean_line_ : matplotlib Line2D
    bands_ : list of matplotlib collections
        The widest first.

    Examples
    --------
    >>> from skgen import AR
    >>> from skgen.datasets import load_sunspots
    >>> from skgen.plotting import ForecastDisplay
    >>> spots = load_sunspots().data[:, 1:]
    >>> model = AR(order=9).fit(spots)
    >>> display = ForecastDisplay.from_estimator(model, spots, horizon=22)
    >>> len(display.bands_)
    2
    """

    def __init__(self, past, mean, intervals, times=None, name=None) -> None:
        self.past, self.mean, self.intervals = np.asarray(past, dtype=float), mean, intervals
        self.times, self.name = times, name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        *,
        horizon: int,
        levels: Any = (0.5, 0.95),
        column: int = 0,
        exog: Any = None,
        method: str | None = None,
        ax: Any = None,
        **kwargs,
    ) -> Self:
        """Draw the forecast of a fitted model of sequences.

        Parameters
        ----------
        estimator : fitted estimator with ``forecast``
        X : array-like of shape (n_steps, n_features)
            The sequence to continue. The dates of a frame that is indexed by dates are those of
            the axis, and go on at their rhythm.
        horizon : int
        levels : sequence of float, default=(0.5, 0.95)
        column : int, default=0
            Of what is forecast.
        exog : array-like, default=None
            Exogenous columns of the steps to come, where the model has any.
        method : str, default=None
            Of the intervals, where the forecast has several.
        ax : matplotlib Axes, default=None
        **kwargs : passed to :meth:`plot`

        Returns
        -------
        ForecastDisplay
        """
        check_has(estimator, "forecast", "AR or HMM")
        more = {} if exog is None else {"exog": exog}
        forecast = estimator.forecast(horizon, X, **more)
        how = {} if method is None else {"method": method}
        intervals = {
            level: [limit[:, column] for limit in forecast.interval(level, **how)]
            for level in levels
        }
        outputs = getattr(estimator, "_outputs", lambda: np.arange(np.shape(X)[1]))()
        past = np.asarray(X, dtype=float)[:, outputs[column]]
        ahead, times = dates_ahead(X, horizon), None
        if ahead is not None:
            times = np.concatenate([dates_of(X), ahead])
        name = str(X.columns[outputs[column]]) if hasattr(X, "columns") else None
        return cls(past, forecast.mean[:, column], intervals, times, name).plot(ax=ax, **kwargs)

    def plot(self, *, n_past: int | None = None, color: str = "C0", ax: Any = None) -> Self:
        """Draw.

        Parameters
        ----------
        n_past : int, default=None
            Steps of the past to show; None for three times the horizon.
        color : matplotlib colour, default="C0"
            Of the forecast.
        ax : matplotlib Axes, default=None

        Returns
        -------
        self
        """
        ax, h = axes(ax), len(self.mean)
        n = min(len(self.past), 3 * h if n_past is None else n_past)
        steps = np.arange(1 - len(self.past), h + 1) if self.times is None else self.times
        before, ahead = np.split(on_axis(ax, steps)[len(self.past) - n :], [n])
        (self.line_,) = ax.plot(before, self.past[len(self.past) - n :], color="0.3", lw=1)
        self.bands_ = [
            ax.fill_between(ahead, *self.intervals[level], color=color, alpha=0.25, lw=0)
            for level in sorted(self.intervals, reverse=True)
        ]
        (self.mean_line_,) = ax.plot(ahead, self.mean, color=color, lw=1.5)
        if self.times is None:
            ax.set_xlabel("Step")
        ax.set_ylabel(self.name)
        self.ax_, self.figure_ = ax, ax.figure
        return self


class SpectrumDisplay:
    """Spectral densities of models of one column.

    Use :meth:`from_estimator` to make one.

    Parameters
    ----------
    curves : dict of str to (frequencies, density)
        By label; frequencies in cycles per step.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    lines_ : list of matplotlib Line2D

    Examples
    --------
    >>> from skgen import AR
    >>> from skgen.datasets import load_sunspots
    >>> from skgen.plotting import SpectrumDisplay
    >>> model = AR(order=9).fit(load_sunspots().data[:, 1:])
    >>> display = SpectrumDisplay.from_estimator(model)
    >>> display.ax_.get_xlabel()
    'Frequency (cycles per step)'
    """

    def __init__(self, curves) -> None:
        self.curves = curves

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, frequencies: Any = 512, ax: Any = None, **kwargs
    ) -> Self:
        """Draw the spectrum of one fitted estimator, or of several.

        Parameters
        ----------
        estimator : fitted estimator with ``spectrum``, or dict of them by label
        frequencies : int or array-like, default=512
        ax : matplotlib Axes, default=None
        **kwargs : passed to ``Axes.plot``

        Returns
        -------
        SpectrumDisplay
        """
        named = estimator if isinstance(estimator, dict) else {type(estimator).__name__: estimator}
        for model in named.values():
            check_has(model, "spectrum", "AR")
        curves = {label: model.spectrum(frequencies) for label, model in named.items()}
        for label, (_, density) in curves.items():
            if np.ndim(density) != 1:
                raise ValueError(f"{label} is a model of several columns; draw one of them.")
        return cls(curves).plot(ax=ax, **kwargs)

    def plot(self, *, ax: Any = None, **kwargs) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
        **kwargs : passed to ``Axes.plot``

        Returns
        -------
        self
        """
        ax, self.lines_ = axes(ax), []
        for label, (frequencies, density) in self.curves.items():
            self.lines_ += ax.plot(frequencies, density, **{"label": label, **kwargs})
        ax.set(xlabel="Frequency (cycles per step)", ylabel="Spectral density", yscale="log")
        if len(self.curves) > 1:
            ax.legend(frameon=False)
        self.ax_, self.figure_ = ax, ax.figure
        return self
