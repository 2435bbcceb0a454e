"""Differences of gamma functions that keep their digits, and the equation of a gamma's shape."""

import numpy as np
from scipy.special import digamma, gammaln, polygamma

LARGE = 100.0  # from here on the asymptotic series below are exact in float64
NEWTON_STEPS = 8


def log_rising(z, n):
    """Log of Gamma(z + n) / (Gamma(z) z^n), which goes to 0 as z grows.

    For a count n it is the sum of log(1 + m / z) over m = 0, ..., n - 1.
    """
    z, n = np.broadcast_arrays(np.asarray(z, dtype=np.float64), n)
    small = np.minimum(z, LARGE)
    plain = gammaln(small + n) - gammaln(small) - n * np.log(small)
    x = np.maximum(z, LARGE)
    stirling = (x + n - 0.5) * np.log1p(n / x) - n + _stirling(x + n) - _stirling(x)
    return np.where(z < LARGE, plain, stirling)


def _stirling(x):
    """What Stirling's formula leaves of log Gamma(x)."""
    square = 1.0 / (x * x)
    return (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square / 1680))) / x


def log_peak(x):
    """The value x log x - x - log Gamma(x): log density of a gamma's logarithm at its mode."""
    small, large = np.minimum(x, LARGE), np.maximum(x, LARGE)
    plain = small * (np.log(small) - 1.0) - gammaln(small)
    return np.where(x < LARGE, plain, 0.5 * np.log(large / (2 * np.pi)) - _stirling(large))


def log_minus_digamma(x):
    """Log x - digamma(x), which is positive, and minus its slope."""
    small, large = np.minimum(x, LARGE), np.maximum(x, LARGE)
    r = 1.0 / large
    s = r * r
    value = r / 2 + s * (1 / 12 - s * (1 / 120 - s / 252))
    slope = s / 2 + r * s * (1 / 6 - s * (1 / 30 - s / 42))
    return (
        np.where(x < LARGE, np.log(small) - digamma(small), value),
        np.where(x < LARGE, polygamma(1, small) - 1.0 / small, slope),
    )


def inverse_digamma(value):
    """The x with digamma(x) = value, by Newton's method from Minka's approximation."""
    low = -1.0 / np.minimum(value - digamma(1.0), -1e-3)
    x = np.where(value >= -2.22, np.exp(np.maximum(value, -2.22)) + 0.5, low)
    for _ in range(NEWTON_STEPS):
        x = x - (digamma(x) - value) / polygamma(1, x)
    return x


def shape_of(gap, low, high):
    """The shape x with log x - digamma(x) = gap, between the bounds: Newton in 1 / x.

    For gamma variables the gap is the log of their mean less the mean of their logs; the smaller
    it is, the larger the shape.

    References
    ----------
    Minka (2002). Estimating a gamma distribution. Technical report, Microsoft Research.
    """
    gap = np.maximum(gap, 0.4 / high)  # log x - digamma(x) is between 1 / (2 x) and 1 / x
    x = (3.0 - gap + np.sqrt((gap - 3.0) ** 2 + 24.0 * gap)) / (12.0 * gap)
    for _ in range(NEWTON_STEPS):
        value, slope = log_minus_digamma(x)
        inverse = 1.0 / x - (value - gap) / (x * x * slope)
        x = 1.0 / np.maximum(inverse, 0.5 / x)
    return np.clip(x, low, high)
