"""Dates on the axis of time."""

import numpy as np


def dates_of(*candidates):
    """The first index of dates among arrays and frames, or None."""
    index = _index_of(*candidates)
    return None if index is None else _plain(index)


def dates_ahead(frame, horizon):
    """The dates of the steps that follow those of a frame, or None where it has no dates."""
    index = _index_of(frame)
    if index is None or len(index) < 2:
        return None
    rhythm = getattr(index, "freq", None) or getattr(index, "inferred_freq", None)
    if rhythm is None:  # no calendar's: go on as the last step went
        last = _plain(index)[-2:]
        return last[1] + (last[1] - last[0]) * np.arange(1, horizon + 1)
    import pandas as pd

    if hasattr(index, "to_timestamp"):
        return _plain(pd.period_range(index[-1], periods=horizon + 1, freq=rhythm)[1:])
    return _plain(pd.date_range(index[-1], periods=horizon + 1, freq=rhythm)[1:])


def on_axis(ax, time):
    """Times as numbers; where they are dates, the axis shows dates."""
    time = np.asarray(time)
    if time.dtype.kind in "iuf":
        return time.astype(np.float64)
    from matplotlib import dates

    locator = dates.AutoDateLocator()
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))
    return dates.date2num(time.astype("datetime64[us]"))


def _index_of(*candidates):
    """The first pandas index of periods or dates."""
    for candidate in candidates:
        index = getattr(candidate, "index", None)
        if hasattr(index, "to_timestamp") or (
            hasattr(index, "tz_localize") and hasattr(index, "tz")
        ):
            return index
    return None


def _plain(index):
    """An index of periods or dates as an array of dates."""
    if hasattr(index, "to_timestamp"):
        index = index.to_timestamp()
    return index.tz_localize(None).to_numpy()
