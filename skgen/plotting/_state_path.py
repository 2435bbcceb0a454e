"""A series on the background of its states."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from ._axes import axes
from ._dates import dates_of, on_axis
from ._states import as_columns, one_sequence, state_colours, state_labels

KINDS = ("path", "smoothed", "filtered")


class StatePathDisplay:
    """A series, with the states it went through as the colour of the background.

    Use :meth:`from_estimator` to make one.

    Parameters
    ----------
    time : array-like of shape (n_steps,)
        Numbers or dates, ascending.
    series : ndarray of shape (n_steps, n_lines)
        What is drawn as lines; NaN leaves a gap.
    states : ndarray of int of shape (n_steps,), or of float of shape (n_steps, n_components)
        A path, or the probabilities of the states.
    names : list of str or None
        Names of the lines.
    labels : list of str
        Names of the states.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    lines_ : list of matplotlib Line2D
    areas_ : list of matplotlib PolyCollection
        The background of each state.

    Examples
    --------
    >>> from skgen import PoissonHMM
    >>> from skgen.datasets import load_earthquakes
    >>> from skgen.plotting import StatePathDisplay
    >>> years, counts = load_earthquakes().data.T
    >>> model = PoissonHMM(3, random_state=0).fit(counts[:, None])
    >>> display = StatePathDisplay.from_estimator(model, counts[:, None], dates=years)
    >>> len(display.areas_)
    3
    """

    def __init__(self, time, series, states, names=None, labels=None) -> None:
        self.time, self.series, self.states = time, series, np.asarray(states)
        n_states = int(self.states.max()) + 1 if self.states.ndim == 1 else self.states.shape[1]
        self.names = names
        self.labels = [f"state {k}" for k in range(n_states)] if labels is None else list(labels)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike,
        *,
        kind: str = "path",
        series: ArrayLike | None = None,
        dates: ArrayLike | None = None,
        labels: Any = None,
        ax: Any = None,
        **kwargs,
    ) -> Self:
        """Draw one sequence.

        Parameters
        ----------
        estimator : fitted :class:`~skgen.HMM`
        X : array-like or frame of shape (n_steps, n_features)
            The dates of a frame that is indexed by dates are those of the axis.
        kind : {"path", "smoothed", "filtered"}, default="path"
            The most probable path as bands, or the probabilities of the states as stacked areas:
            given the whole sequence, or given what was known at each step.
        series : array-like or frame of shape (n_steps,) or (n_steps, n_lines), default=None
            What to draw in place of X, such as the prices of which X holds the returns.
        dates : array-like of shape (n_steps,), default=None
            Dates or numbers of the steps; None for those of X or ``series``, or else 0, 1, 2, ...
        labels : list of str of length n_components, default=None
            Names of the states.
        ax : matplotlib Axes, default=None
        **kwargs : passed to :meth:`plot`

        Returns
        -------
        StatePathDisplay
        """
        if kind not in KINDS:
            raise ValueError(f"kind={kind!r} must be one of {KINDS}.")
        X = one_sequence(X)
        drawn, names = as_columns(X if series is None else series)
        method = {"path": "predict", "smoothed": "predict_proba", "filtered": "filter"}[kind]
        states = getattr(estimator, method)(X)
        if len(drawn) != len(states):
            raise ValueError(f"series has {len(drawn)} steps, but X has {len(states)}.")
        time = _times(dates_of(X, series) if dates is None else dates, len(drawn))
        labels = state_labels(labels, len(estimator.transmat_))
        return cls(time, drawn, states, names, labels).plot(ax=ax, **kwargs)

    def plot(
        self,
        *,
        ax: Any = None,
        colors: Any = None,
        alpha: float = 0.35,
        legend: bool = True,
        **kwargs,
    ) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
        colors : list of matplotlib colours of length n_components, default=None
        alpha : float, default=0.35
            Opacity of the background.
        legend : bool, default=True
            Whether to name the states above the axes.
        **kwargs : passed to ``Axes.plot`` for the lines

        Returns
        -------
        self
        """
        ax, colours = axes(ax), state_colours(colors, len(self.labels))
        time = on_axis(ax, self.time)
        self.lines_ = self._lines(ax, time, kwargs)
        style = {"transform": ax.get_xaxis_transform(), "alpha": alpha, "lw": 0, "zorder": 0.5}
        draw = _bands if self.states.ndim == 1 else _areas
        self.areas_ = draw(ax, _edges(time), self.states, colours, self.labels, style)
        ax.set_xlim(_edges(time)[[0, -1]])
        if len(self.lines_) == 1 and self.names is not None:
            ax.set_ylabel(self.names[0])
        if legend:
            named = self.names is not None and len(self.lines_) > 1
            _legend(ax, [*self.areas_, *self.lines_] if named else self.areas_)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _lines(self, ax, time, style):
        """The series, in shades of grey."""
        shades = np.linspace(0.15, 0.6, self.series.shape[1])
        names = [None] * len(shades) if self.names is None else self.names
        return [
            ax.plot(time, column, **{"color": str(shade), "lw": 0.9, "label": name, **style})[0]
            for column, shade, name in zip(self.series.T, shades, names, strict=True)
        ]


def _times(dates, n_steps):
    """Dates, or the numbers of the steps where there are none."""
    time = np.arange(n_steps) if dates is None else np.asarray(dates)
    if time.shape != (n_steps,):
        raise ValueError(f"dates has shape {time.shape}; pass one for each of {n_steps} steps.")
    return time


def _edges(time):
    """Where each step begins and ends, of shape (n_steps + 1,)."""
    if len(time) == 1:
        return time[0] + np.array([-0.5, 0.5])
    middle = (time[:-1] + time[1:]) / 2
    return np.concatenate([[2 * time[0] - middle[0]], middle, [2 * time[-1] - middle[-1]]])


def _bands(ax, edges, path, colours, labels, style):
    """One collection of bars for each state."""
    starts = np.flatnonzero(np.concatenate([[True], path[1:] != path[:-1]]))
    stops = np.append(starts[1:], len(path))
    areas = []
    for k, (colour, label) in enumerate(zip(colours, labels, strict=True)):
        mine = path[starts] == k
        left, right = edges[starts[mine]], edges[stops[mine]]
        bars = list(zip(left, right - left, strict=True))
        areas.append(ax.broken_barh(bars, (0, 1), color=colour, label=label, **style))
    return areas


def _areas(ax, edges, proba, colours, labels, style):
    """One area for each state, on top of each other."""
    bounds = np.concatenate([np.zeros((len(proba), 1)), proba.cumsum(axis=1)], axis=1)
    bounds = np.concatenate([bounds, bounds[-1:]])  # the last step ends with the axis
    return [
        ax.fill_between(
            edges, bounds[:, k], bounds[:, k + 1], step="post", color=colour, label=label, **style
        )
        for k, (colour, label) in enumerate(zip(colours, labels, strict=True))
    ]


def _legend(ax, shown):
    """The names of the states above the axes."""
    place = {"loc": "lower left", "bbox_to_anchor": (0, 1.0), "ncols": min(len(shown), 6)}
    ax.legend(handles=shown, frameon=False, borderaxespad=0.2, **place)
