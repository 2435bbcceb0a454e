"""The Markov chain of a model as a graph."""

from typing import Any, Self

import numpy as np

from ._axes import axes
from ._states import state_colours, state_labels, state_means

RADIUS = 0.36  # of the circles
APART = 1.35  # distance of neighbours
LOOP = 0.4  # half the angle, in radians, that a loop takes of its circle


class TransitionGraphDisplay:
    """States as circles, transitions as arrows with their probabilities.

    The filled part of a circle is the share of time that the chain spends in this state in the long
    run. States of which none leads back to an earlier one stand in a row, without shares.

    Use :meth:`from_estimator` to make one.

    Parameters
    ----------
    transmat : ndarray of shape (n_components, n_components)
    shares : ndarray of shape (n_components,) or None
        The stationary distribution.
    texts : list of str
        What is written into the circles.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    circles_ : list of matplotlib Circle
    arrows_ : dict of (int, int) to matplotlib FancyArrowPatch
        By the states from which and to which they go.

    Examples
    --------
    >>> from skgen import PoissonHMM
    >>> from skgen.datasets import load_earthquakes
    >>> from skgen.plotting import TransitionGraphDisplay
    >>> model = PoissonHMM(2, random_state=0).fit(load_earthquakes().data[:, 1:])
    >>> display = TransitionGraphDisplay.from_estimator(model)
    >>> sorted(display.arrows_)
    [(0, 0), (0, 1), (1, 0), (1, 1)]
    """

    def __init__(self, transmat, shares, texts) -> None:
        self.transmat, self.texts = np.asarray(transmat), list(texts)
        self.shares = None if shares is None else np.asarray(shares)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        labels: Any = None,
        feature: Any = 0,
        means: Any = None,
        ax: Any = None,
        **kwargs,
    ) -> Self:
        """Draw the chain of a fitted model.

        Parameters
        ----------
        estimator : fitted :class:`~skgen.HMM`
        labels : list of str of length n_components, default=None
            Names of the states.
        feature : int or None, default=0
            The feature whose mean stands in the circles; None for none.
        means : list of str of length n_components, default=None
            What to write in place of the means.
        ax : matplotlib Axes, default=None
        **kwargs : passed to :meth:`plot`

        Returns
        -------
        TransitionGraphDisplay
        """
        found = state_means(estimator)
        transmat, K = estimator.transmat_, len(found)
        shares = None if only_forward(transmat) else estimator.stationary_distribution_
        if means is None and feature is not None:
            means = [f"mean {value:.3g}" for value in found[:, feature]]
        lines = [state_labels(labels, K)]
        if shares is not None:
            lines.append([f"{share:.0%}" for share in shares])
        if means is not None:
            lines.append(state_labels(means, K))
        texts = ["\n".join(words) for words in zip(*lines, strict=True)]
        return cls(transmat, shares, texts).plot(ax=ax, **kwargs)

    def plot(
        self, *, ax: Any = None, colors: Any = None, smallest: float = 0.01, fontsize: float = 9
    ) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
        colors : list of matplotlib colours of length n_components, default=None
        smallest : float, default=0.01
            Transitions with less probability are left out.
        fontsize : float, default=9

        Returns
        -------
        self
        """
        ax, K = axes(ax), len(self.transmat)
        colours = state_colours(colors, K)
        in_row = only_forward(self.transmat)
        places = row(K) if in_row else ring(K)
        shares = np.zeros(K) if self.shares is None else self.shares
        self.circles_ = [
            _circle(ax, place, share, colour)
            for place, share, colour in zip(places, shares, colours, strict=True)
        ]
        moves = np.argwhere((self.transmat >= smallest) & (self.transmat > 0)).tolist()
        self.arrows_ = {
            (i, j): self._arrow(ax, i, j, places, in_row, colours[i], fontsize - 1)
            for i, j in moves
        }
        for place, text in zip(places, self.texts, strict=True):
            ax.text(*place, text, ha="center", va="center", fontsize=fontsize, zorder=4)
        _frame(ax, places)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _arrow(self, ax, i, j, places, in_row, colour, fontsize):
        """Draw the transition from state i to j with its probability."""
        p, K = self.transmat[i, j], len(places)
        if i == j:
            start, stop, bend = loop(places[i], in_row)
        else:
            start, stop, bend = between(places[i], places[j], self._bend(i, j, in_row))
        # Where arrows cross, half way, there is no room for their labels.
        crossing = i != j and not in_row and (i - j) % K not in (1, K - 1)
        text = label_place(start, stop, bend, 0.35 if crossing else 0.5, 0.12 if i == j else 0.08)
        _write(ax, text, probability(p), colour, fontsize)
        return _arrow(ax, start, stop, bend, p, colour)

    def _bend(self, i, j, in_row):
        """How far the arrow from i to j leaves the straight line, as a share of its length."""
        if in_row:
            return 0.0 if j == i + 1 else 0.45
        return 0.22 if self.transmat[j, i] > 0 else 0.0


def only_forward(transmat):
    """Whether a chain never returns to a state that it left for a later one."""
    return len(transmat) > 1 and not np.tril(transmat, -1).any()


def ring(n_states):
    """Places on a circle, of shape (n_states, 2), clockwise from the left or the top."""
    if n_states == 1:
        return np.zeros((1, 2))
    apart = APART if n_states < 4 else 1.35 * APART  # arrows cross: their labels need room
    radius = apart / (2 * np.sin(np.pi / n_states))
    first = np.pi if n_states == 2 else np.pi / 2
    angle = first - 2 * np.pi * np.arange(n_states) / n_states
    return radius * np.column_stack([np.cos(angle), np.sin(angle)])


def row(n_states):
    """Places side by side, of shape (n_states, 2)."""
    return np.column_stack([APART * np.arange(n_states), np.zeros(n_states)])


def loop(place, in_row):
    """Ends and bend of the arrow from a state to itself, on the outer side of its circle."""
    up = in_row or not place.any()
    outward = np.pi / 2 if up else np.arctan2(place[1], place[0])
    start, stop = (
        place + RADIUS * np.array([np.cos(angle), np.sin(angle)])
        for angle in (outward + LOOP, outward - LOOP)
    )
    return start, stop, -1.9


def between(one, other, bend):
    """Ends and bend of the arrow from the rim of one circle to that of another."""
    angle = np.arctan2(*(other - one)[::-1])
    # The arrow leaves the circle in the direction of its bend.
    tilt = np.arctan(2 * bend) * 0.6
    out, back = angle - tilt, angle + np.pi + tilt
    rim = RADIUS + 0.02
    return (
        one + rim * np.array([np.cos(out), np.sin(out)]),
        other + rim * np.array([np.cos(back), np.sin(back)]),
        bend,
    )


def label_place(start, stop, bend, t, away):
    """The point at t of the curve that matplotlib's "arc3" draws, pushed outwards."""
    step = stop - start
    side = np.array([step[1], -step[0]])
    control = (start + stop) / 2 + bend * side
    point = (1 - t) ** 2 * start + 2 * t * (1 - t) * control + t**2 * stop
    return point + np.sign(bend) * away * side / np.linalg.norm(side)


def probability(p):
    """A probability in two digits, or three where two would be 0.00 or 1.00."""
    if 0 < p < 0.0005:
        return "<0.001"
    return f"{p:.3f}" if 0 < p < 0.005 or 0.995 <= p < 1 else f"{p:.2f}"


def _circle(ax, place, share, colour):
    """The outline of a state, filled by its share."""
    from matplotlib.patches import Circle

    radius = RADIUS * np.sqrt(share)
    ax.add_patch(Circle(place, radius, facecolor=colour, alpha=0.35, lw=0, zorder=3))
    outline = {"facecolor": "none", "edgecolor": colour, "lw": 1.8}
    return ax.add_patch(Circle(place, RADIUS, zorder=3, **outline))


def _arrow(ax, start, stop, bend, p, colour):
    """An arrow as thick as its probability is high."""
    from matplotlib.patches import FancyArrowPatch

    style = {"arrowstyle": "-|>", "connectionstyle": f"arc3,rad={bend}", "shrinkA": 0, "shrinkB": 0}
    look = {"lw": 0.8 + 2.2 * p, "mutation_scale": 10 + 6 * p, "color": colour, "zorder": 2}
    return ax.add_patch(FancyArrowPatch(start, stop, **style, **look))


def _write(ax, place, text, colour, fontsize):
    """A label on white ground."""
    ground = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 0.6}
    look = {"color": colour, "fontsize": fontsize, "bbox": ground, "zorder": 3.5}
    ax.text(*place, text, ha="center", va="center", **look)


def _frame(ax, places):
    """Limits around the drawing, equal scales, no axis."""
    margin = RADIUS + 0.5
    low, high = places.min(axis=0) - margin, places.max(axis=0) + margin
    ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")
    ax.axis("off")
