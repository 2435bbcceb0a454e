"""Transformers that take each column by itself: their slopes, and means of what they undo.

The density of x is that of z = T(x) times the slope of T. Slopes are known for the scalers and
power transformations of scikit-learn, and found by differences of fourth order for others.
"""

import warnings

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    PowerTransformer,
    RobustScaler,
    StandardScaler,
)

STEP = np.finfo(float).eps ** 0.2  # of differences of fourth order, by the size of the argument
SMALL = 1e-3  # of the spread of a column, below which arguments count as of that size
ROUNDING = 1e-10  # of a difference, relative, that is as good as any
PROBES = 5  # rows by which it is seen whether columns are independent
NODES = np.linspace(-8, 8, 129)  # normal scores; the trapezoidal rule converges geometrically
SHARES = np.exp(-0.5 * NODES**2) / np.exp(-0.5 * NODES**2).sum()


def fitted(transformer, x):
    """The transformer fitted to x, and seen to take each column by itself and to be undone."""
    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        # FunctionTransformer warns of NaN, which is never equal to what comes back.
        warnings.filterwarnings("ignore", "The provided functions are not strictly inverse")
        transformer.fit(x)
    _check_columnwise(transformer, x)
    return transformer


def forward(transformer, x):
    """T(x) as an array of the shape of x; NaN stays NaN."""
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.asarray(transformer.transform(x), dtype=np.float64)
    if z.shape != np.shape(x):
        raise ValueError(
            f"{type(transformer).__name__} gives shape {z.shape} for shape {np.shape(x)}; the "
            "transformer must give one column for each."
        )
    return z


def backward(transformer, z):
    """The values that T takes to z."""
    return np.asarray(transformer.inverse_transform(z), dtype=np.float64)


def is_affine(transformer):
    """Whether means are taken to means."""
    if isinstance(transformer, Pipeline):
        return all(is_affine(step) for _, step in transformer.steps)
    return isinstance(transformer, StandardScaler | MinMaxScaler | MaxAbsScaler | RobustScaler)


def _check_columnwise(transformer, x):
    """Raise where a column of T(x) depends on another column of x, or T is not undone."""
    complete = x[~np.isnan(x).any(axis=1)]
    rows = complete[:: max(1, len(complete) // PROBES)][:PROBES]
    if len(rows) == 0:
        return
    base = forward(transformer, rows)
    if np.isfinite(base).all() and not np.allclose(backward(transformer, base), rows, rtol=1e-3):
        raise ValueError(
            f"inverse_transform of {type(transformer).__name__} does not undo its transform; for "
            "a FunctionTransformer give inverse_func."
        )
    for j in range(x.shape[1] if x.shape[1] > 1 else 0):
        moved = rows.copy()
        moved[:, j] = np.roll(moved[:, j], 1) + STEP * np.abs(moved[:, j])
        others = np.arange(x.shape[1]) != j
        if not np.allclose(forward(transformer, moved)[:, others], base[:, others], equal_nan=True):
            raise ValueError(
                f"{type(transformer).__name__} mixes columns: column {j} changes others. Give a "
                "transformer that takes each column by itself, such as a scaler."
            )


def log_slopes(transformer, x):
    """Log |dT/dx| of each entry, of the shape of x; 0 where it is missing."""
    if isinstance(transformer, Pipeline):
        total = np.zeros(x.shape)
        for _, step in transformer.steps:
            if step not in (None, "passthrough"):
                total += log_slopes(step, x)
                x = forward(step, x)
        return total
    slopes = _constant_slopes(transformer)
    if slopes is not None:
        out = np.broadcast_to(np.log(np.abs(slopes)), x.shape)
    elif isinstance(transformer, PowerTransformer):
        out = _power_slopes(transformer, x)
    else:
        out = _numerical_slopes(transformer, x)
    return np.where(np.isnan(x), 0.0, out)


def _constant_slopes(transformer):
    """Of a scaler, of shape (n_features,) or (); else None."""
    if isinstance(transformer, MinMaxScaler):
        return transformer.scale_
    if isinstance(transformer, StandardScaler | MaxAbsScaler | RobustScaler):
        scale = transformer.scale_
        return 1.0 if scale is None else 1.0 / scale
    return None


def _power_slopes(transformer, x):
    """Of Box and Cox's or of Yeo and Johnson's transformation, and of the scaling after it."""
    power = transformer.lambdas_ - 1
    with np.errstate(divide="ignore", invalid="ignore"):
        if transformer.method == "box-cox":
            out = power * np.log(x)
        else:
            out = power * np.sign(x) * np.log1p(np.abs(x))
    return out - np.log(transformer._scaler.scale_) if transformer.standardize else out


def _numerical_slopes(transformer, x):
    """By steps in proportion to the entry, or to the column where these drown in rounding."""
    seen = ~np.isnan(x)
    spread = np.max(x, axis=0, where=seen, initial=-np.inf)
    spread = spread - np.min(x, axis=0, where=seen, initial=np.inf)
    wide = STEP * np.maximum(np.abs(x), SMALL * np.where(spread > 0, spread, 1.0))
    near = STEP * np.abs(x)
    slopes, other = _differences(transformer, x, near), _differences(transformer, x, wide)
    rounding = np.finfo(float).eps * np.abs(forward(transformer, x))
    good = (rounding < ROUNDING * near * np.abs(slopes)) | ~np.isfinite(other)
    with np.errstate(divide="ignore"):
        return np.log(np.abs(np.where(good, slopes, other)))


def _differences(transformer, x, h):
    at = [forward(transformer, x + k * h) for k in (-2, -1, 1, 2)]
    with np.errstate(invalid="ignore", divide="ignore"):
        return (at[0] - 8 * at[1] + 8 * at[2] - at[3]) / (12 * h)


def mean_of(undo, at):
    """Mean and standard deviation of undo(Z), where ``at(z)`` is Z at the normal score z.

    By the trapezoidal rule in the normal score. Where Z is outside of what can be undone, what can
    be counts.
    """
    origin = np.nan_to_num(undo(at(0.0)))  # squares about zero would lose the digits of the spread
    total, squares, weight = (np.zeros(origin.shape) for _ in range(3))
    for z, share in zip(NODES, SHARES, strict=True):
        rest = undo(at(z)) - origin
        seen = np.isfinite(rest)
        rest = np.where(seen, rest, 0.0)
        total, squares, weight = (
            sum_ + share * value
            for sum_, value in ((total, rest), (squares, rest**2), (weight, seen))
        )
    weight = np.where(weight > 0, weight, np.nan)
    mean = total / weight
    return origin + mean, np.sqrt(np.maximum(squares / weight - mean**2, 0.0))
