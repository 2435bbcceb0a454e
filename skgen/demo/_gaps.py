"""A table with genuine gaps, filled in, and how good the filling is."""

from typing import NamedTuple

import numpy as np

from skgen import DensityImputer

from ._output import say, table, title

SEED = 0
COLUMNS = ("ozone", "sun", "wind", "temperature", "month")
SHOWN = [0, 9, 18, 27, 36]  # which of the days without ozone are printed
REPEATS = 10
DRAWN = 4  # of these trials are in the figure


class Filling(NamedTuple):
    """A table without gaps: expected values and the bounds of their 90 % ranges."""

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray


def show_gaps(air):
    """Fill a table with genuine gaps; gives the table, its filling, and a trial of known cells."""
    X = air.data[:, : len(COLUMNS)]
    title(
        "Filling gaps",
        f"{len(X)} days of air quality in New York with {np.isnan(X).sum()} genuine gaps. A "
        "Gaussian (ozone on a log scale) is fitted to the incomplete rows; it gives each gap a "
        "value and a 90 % range:",
    )
    filling = fill(X)
    table(
        ["day", "wind, mph", "temperature, F", "ozone, ppb", "90 % range"],
        [day_row(air.data[i], filling, i) for i in np.flatnonzero(np.isnan(X[:, 0]))[SHOWN]],
    )
    say(
        f"How good is this? A tenth of the known values was hidden, {REPEATS} times; the root mean "
        "squared errors:"
    )
    hidden, mean, trial = hide_and_fill(X)
    table(["column", "filled by the mean", "filled by skgen"], error_rows(X, hidden, mean, trial))
    inside = (trial.low <= X) & (trial.high >= X)
    say(f"{inside[hidden].mean():.0%} of the hidden values lie in their 90 % range.")
    return X, filling, hidden, trial


def day_row(day, filling, i):
    """A day without ozone, and what is said of it."""
    _, _, wind, temperature, month, date = day
    low, value, high = filling.low[i, 0], filling.value[i, 0], filling.high[i, 0]
    return [
        f"{month:.0f}/{date:.0f}",
        f"{wind:.0f}",
        f"{temperature:.0f}",
        f"{value:.0f}",
        f"{low:.0f} to {high:.0f}",
    ]


def fill(X, n_tables=100):
    """The filling of a table: multiple imputations by a Gaussian."""
    Z = np.column_stack([np.log(X[:, 0]), X[:, 1:]])
    imputer = DensityImputer(n_imputations=20, random_state=SEED).fit(Z)
    tables = np.array(imputer.multiple(Z, n_tables))
    tables[:, :, 0] = np.exp(tables[:, :, 0])
    return Filling(tables.mean(axis=0), *np.quantile(tables, [0.05, 0.95], axis=0))


def hide_and_fill(X):
    """What was hidden (repeats, n, d), the means of what was left, and the fillings."""
    rng = np.random.default_rng(SEED)
    hidden = ~np.isnan(X) & (rng.random((REPEATS, *X.shape)) < 0.1)
    known = np.where(hidden, np.nan, X)
    mean = np.nanmean(known, axis=1, keepdims=True)
    return hidden, mean, Filling(*map(np.array, zip(*map(fill, known), strict=True)))


def error_rows(X, hidden, mean, trial):
    """Root mean squared error of each column for both ways of filling."""
    errors = [
        np.sqrt(np.nanmean(np.where(hidden, value - X, np.nan) ** 2, axis=(0, 1)))
        for value in (mean, trial.value)
    ]
    return [[name, f"{a:.1f}", f"{b:.1f}"] for name, a, b in zip(COLUMNS, *errors, strict=True)]


# ---- the figure -----------------------------------------------------------------------------


def draw(axes, X, filling, hidden, trial):
    """Ozone day by day with its gaps filled; hidden values against what was filled in."""
    draw_series(axes[0], X[:, 0], *(part[:, 0] for part in filling))
    some = hidden[:DRAWN, :, 0]
    truth = np.broadcast_to(X[:, 0], some.shape)[some]
    draw_trial(axes[1], truth, *(part[:DRAWN, :, 0][some] for part in trial))


def draw_series(ax, ozone, value, low, high):
    """Measured days as a line, gaps as points with their ranges."""
    days, gaps = np.arange(len(ozone)), np.isnan(ozone)
    ax.plot(days, ozone, ".-", color="0.6", lw=0.8, ms=3, label="measured")
    errors = [(value - low)[gaps], (high - value)[gaps]]
    style = {"fmt": "o", "ms": 3.5, "lw": 0.8, "color": "#0072b2"}
    ax.errorbar(days[gaps], value[gaps], errors, label="filled in, with 90 % range", **style)
    ax.set(xlabel="days since 1 May", ylabel="ozone, ppb", ylim=(0, 1.25 * high[gaps].max()))
    ax.set_title("Ozone in New York, 1973")
    ax.legend(loc="upper right", frameon=False)


def draw_trial(ax, truth, value, low, high):
    """Measured values that were hidden against what was filled in."""
    ax.plot([5, 200], [5, 200], color="0.6", lw=0.8)
    style = {"fmt": "o", "ms": 3.5, "lw": 0.8, "color": "#0072b2", "alpha": 0.7}
    ax.errorbar(truth, value, [value - low, high - value], **style)
    ax.set(xscale="log", yscale="log", xlabel="measured, then hidden", ylabel="filled in")
    ax.set_title("Known days as a trial: ozone, ppb")
