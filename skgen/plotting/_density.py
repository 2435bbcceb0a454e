"""Contours of a density over two features, with the ellipses of its components."""

from typing import Any, Self

import numpy as np
from scipy.stats import chi2

from .._density import sample_rows
from .._validation import check_features
from ._axes import axes, pyplot

# Shares of the probability that contour lines and ellipses enclose.
LEVELS = (0.5, 0.9, 0.99)
GRID = 120


class DensityDisplay:
    """Contours of the density of two features, rows as points, components as ellipses.

    Use :meth:`from_estimator` to make one.

    Parameters
    ----------
    x, y : ndarray of shape (n_grid,)
        The grid.
    log_density : ndarray of shape (n_grid, n_grid)
        In nats, by y and x.
    names : (str, str)
    components : list of (mean (2,), covariance (2, 2), weight)
        Gaussian components; empty for other emissions.
    points : ndarray of shape (n, 2) or None
    labels : ndarray of shape (n,) or None
        Component of each point.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    contours_ : matplotlib QuadContourSet
    ellipses_ : list of matplotlib Ellipse

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skgen import GaussianMixture
    >>> from skgen.plotting import DensityDisplay
    >>> X = load_iris().data
    >>> model = GaussianMixture(3, random_state=0).fit(X)
    >>> display = DensityDisplay.from_estimator(model, X, features=[2, 3])
    >>> len(display.ellipses_)
    3
    """

    def __init__(self, x, y, log_density, names, components=(), points=None, labels=None):
        self.x, self.y, self.log_density = x, y, log_density
        self.names, self.components = names, components
        self.points, self.labels = points, labels

    @classmethod
    def from_estimator(cls, estimator, X=None, *, features=(0, 1), ax=None, **kwargs):
        """Draw the density of two features; the others are integrated out.

        Parameters
        ----------
        estimator : fitted density
            With more than two features, one that has ``marginal``.
        X : array-like of shape (n_samples, n_features), default=None
            Rows to show; those that miss one of the two features are left out.
        features : two of int or str, default=(0, 1)
        ax : matplotlib Axes, default=None
        **kwargs : passed to :meth:`plot`

        Returns
        -------
        DensityDisplay
        """
        chosen = check_features(estimator, list(features))
        if len(chosen) != 2:
            raise ValueError(f"features={features!r} must name two features.")
        density = estimator
        if estimator.n_features_in_ > 2 or list(chosen) != [0, 1]:
            density = estimator.marginal(chosen)
        points = labels = None
        if X is not None:
            values = np.asarray(X, dtype=float)[:, chosen]
            kept = ~np.isnan(values).any(axis=1)
            points = values[kept]
            labels = estimator.predict(X)[kept] if hasattr(estimator, "predict") else None
        components = gaussian_components(density)
        x, y = _grid(points, components, density)
        log_density = density.score_samples(_named(density, x, y)).reshape(len(y), len(x))
        known = getattr(estimator, "feature_names_in_", None)
        names = [f"Feature {j}" if known is None else str(known[j]) for j in chosen]
        display = cls(x, y, log_density, names, components, points, labels)
        return display.plot(ax=ax, **kwargs)

    def plot(self, *, ax: Any = None, ellipses: bool = True, cmap: str = "Blues") -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
        ellipses : bool, default=True
            Whether to draw the 90 % ellipse of each Gaussian component.
        cmap : str, default="Blues"
            Colours of the contours.

        Returns
        -------
        self
        """
        ax = axes(ax)
        levels = enclosing_levels(self.log_density)[::-1]
        floor = np.maximum(self.log_density, levels[0] - 1e3)  # no contour around -inf
        levels = np.unique(np.append(levels, self.log_density.max() + 1e-9))
        self.contours_ = ax.contourf(
            self.x, self.y, floor, levels=levels, cmap=cmap, alpha=0.7, zorder=0
        )
        if self.points is not None:
            colours = "0.25" if self.labels is None else [f"C{k % 10}" for k in self.labels]
            size = float(np.clip(4000 / max(len(self.points), 1), 2, 16))
            ax.scatter(*self.points.T, c=colours, s=size, linewidths=0, zorder=1)
        self.ellipses_ = [
            ax.add_patch(_ellipse(mean, covariance, f"C{k % 10}"))
            for k, (mean, covariance, _) in enumerate(self.components if ellipses else ())
        ]
        ax.set(xlabel=self.names[0], ylabel=self.names[1])
        ax.set(xlim=self.x[[0, -1]], ylim=self.y[[0, -1]])
        self.ax_, self.figure_ = ax, ax.figure
        return self


def gaussian_components(density):
    """Mean, covariance matrix and weight of each Gaussian component; empty where there is none."""
    means = getattr(density, "means_", None)
    if means is None and hasattr(density, "mean_"):
        means, weights = density.mean_[None], [1.0]
        covariances = np.asarray(density.covariance_)[None]
    elif means is None or not hasattr(density, "covariances_"):
        return []
    else:
        weights, covariances = density.weights_, np.asarray(density.covariances_)
    K, d = np.shape(means)
    if covariances.shape == (d, d) and (
        d != K or getattr(density, "covariance_type", "") == "tied"
    ):
        covariances = np.broadcast_to(covariances, (K, d, d))
    return [
        (mean, c if np.ndim(c) == 2 else np.diag(np.broadcast_to(c, d)), weight)
        for mean, c, weight in zip(means, covariances, weights, strict=True)
    ]


def enclosing_levels(log_density, shares=LEVELS):
    """Log densities of the contour lines that enclose these shares of the probability."""
    ordered = np.sort(log_density.ravel())[::-1]
    mass = np.cumsum(np.exp(ordered - ordered[0]))
    return ordered[np.searchsorted(mass / mass[-1], shares).clip(max=len(ordered) - 1)]


def _grid(points, components, density):
    """Values of both features that cover rows and components."""
    if points is None:
        points = sample_rows(density, 2000, random_state=0)
    low, high = points.min(axis=0), points.max(axis=0)
    if np.isneginf(density.score_samples(_named(density, points[:1, 0] + 0.5, points[:1, 1]))):
        return (np.arange(a, b + 1) for a, b in zip(low, high, strict=True))  # counts, codes
    for mean, covariance, _ in components:
        reach = 2.5 * np.sqrt(covariance.diagonal())
        low, high = np.minimum(low, mean - reach), np.maximum(high, mean + reach)
    margin = 0.03 * (high - low)
    return (np.linspace(a, b, GRID) for a, b in zip(low - margin, high + margin, strict=True))


def _named(density, x, y):
    """The points of the grid, in the container that the density was fitted with."""
    points = np.column_stack([axis.ravel() for axis in np.meshgrid(x, y)])
    return density._like_fit(points) if hasattr(density, "feature_names_in_") else points


def _ellipse(mean, covariance, colour):
    """The ellipse that holds 90 % of a Gaussian."""
    pyplot()
    from matplotlib.patches import Ellipse

    values, vectors = np.linalg.eigh(covariance)
    width, height = 2 * np.sqrt(np.maximum(values, 0) * chi2(2).ppf(0.9))
    angle = np.degrees(np.arctan2(vectors[1, 0], vectors[0, 0]))
    return Ellipse(
        mean, width, height, angle=angle, fill=False, color=colour, linewidth=1.8, zorder=2
    )
