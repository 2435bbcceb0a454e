"""What a density may model: how rows are drawn, and the points over which its space is summed.

Every kind of data gives points and the logarithm of what each point weighs, so that one sum

    sum_i exp(score_samples(points)_i + log_weights_i) = 1

is an integral for real data and the sum over the support for discrete data.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

# Values are multiples of 2^-12 below 2^10: exact in float32, and after a shift by 2^27.
STEP = 2.0**-12
TRIALS = 20  # the total of every row of the kind "trials"


class Kind(NamedTuple):
    """One kind of data."""

    discrete: bool
    n_features: int
    draw: Callable  # (rng, labels, n_features, apart) -> X
    axis: Callable  # (column, size) -> points, log weights
    outside: float | None  # a finite value that the data can not take


def make_rows(kind, n, n_features, groups, apart, seed):
    """Rows of shape (n, n_features) in clusters; with apart=12 no row lies between two of them."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n) % groups)
    return np.ascontiguousarray(kind.draw(rng, labels, n_features, apart), dtype=np.float64)


def with_holes(X, share=0.15, seed=1):
    """A copy with this share of its entries missing, at least one entry left in every row."""
    rng = np.random.default_rng(seed)
    holes = rng.random(X.shape) < share
    holes[np.arange(len(X)), rng.integers(X.shape[1], size=len(X))] = False
    return np.where(holes, np.nan, X)


def grid(axes):
    """The product of axes: points of shape (m, d) and log weights of shape (m,)."""
    points = np.meshgrid(*(points for points, _ in axes), indexing="ij")
    weights = np.meshgrid(*(log_weights for _, log_weights in axes), indexing="ij")
    return np.stack([p.ravel() for p in points], axis=1), sum(w.ravel() for w in weights)


def _draw_real(rng, labels, n_features, apart):
    z = rng.standard_normal((len(labels), n_features))
    z[:, 1:] += 0.6 * z[:, :-1]
    z = (1 + 0.3 * labels)[:, None] * z + apart * labels[:, None]
    return np.round(z / STEP) * STEP


def _draw_counts(rng, labels, n_features, apart):
    # The square root of a Poisson count has standard deviation 1/2 whatever its mean.
    root = 2 + apart / 2 * labels[:, None] + 0.25 * np.arange(n_features)
    return rng.poisson(root**2)


def _draw_codes(n_codes):
    def draw(rng, labels, n_features, apart):
        shape, column = (len(labels), n_features), np.arange(n_features)
        usual = (labels[:, None] + column % 2 * (labels[:, None] // n_codes)) % n_codes
        other = (usual + rng.integers(1, n_codes, shape)) % n_codes
        X = np.where(rng.random(shape) < 0.5 * np.exp(-apart / 3), other, usual)
        for code in range(n_codes):  # every column shows every code among its first rows
            X[(code + n_codes * column) % len(X), column] = code
        return X

    return draw


def _draw_trials(rng, labels, n_features, apart):
    usual = np.arange(n_features) % (labels.max() + 1) == labels[:, None]
    odds = np.where(usual, np.exp(apart / 4), 1.0)
    return rng.multinomial(TRIALS, odds / odds.sum(axis=1, keepdims=True))


def _draw_positive(rng, labels, n_features, apart):
    shape = (len(labels), n_features)
    return rng.gamma(16.0, 1 / 16, shape) * np.exp(apart * labels)[:, None]


def _real_axis(column, size):
    """Points dense where the data is and out to thousands of its ranges, for heavy tails."""
    low, high = np.min(column), np.max(column)
    scale = (high - low + 1) / 8
    u, step = np.linspace(-10, 10, size, retstep=True)
    points = (low + high) / 2 + scale * np.sinh(u)
    return points, np.log(scale * np.cosh(u) * step)


def _positive_axis(column, size):
    """Points dense near zero in logarithms, as far as any density of a mean can matter."""
    u, step = np.linspace(
        np.log(np.min(column)) - 25, np.log(np.max(column)) + 5, size, retstep=True
    )
    return np.exp(u), u + np.log(step)


def _count_axis(column, size):
    top = int(np.max(column))
    points = np.arange(top + 12 * np.sqrt(top) + 30)
    return points, np.zeros(len(points))


def _trial_axis(column, size):
    return np.arange(TRIALS + 1.0), np.zeros(TRIALS + 1)


def _code_axis(n_codes):
    def axis(column, size):
        return np.arange(float(n_codes)), np.zeros(n_codes)

    return axis


KINDS = {
    "real": Kind(False, 3, _draw_real, _real_axis, None),
    "positive": Kind(False, 3, _draw_positive, _positive_axis, -1.0),
    "counts": Kind(True, 3, _draw_counts, _count_axis, -1.0),
    "trials": Kind(True, 3, _draw_trials, _trial_axis, -1.0),
    "binary": Kind(True, 6, _draw_codes(2), _code_axis(2), 2.0),
    "categories": Kind(True, 6, _draw_codes(3), _code_axis(3), -1.0),
}
