"""
A table with gaps
=================

153 days of air quality in New York, with 37 missing values of ozone and 7 of solar radiation. A
Gaussian is fitted to the rows as they are, and says what the missing values may have been.
"""

# %%
# Fit and fill
# ------------
#
# Ozone is positive and skew: its logarithm is modelled. ``DensityImputer`` with several imputations
# fits several models, each to rows with other random weights, and draws the gaps anew from each.
# What the tables differ by is what the data leave open.

import matplotlib.pyplot as plt
import numpy as np

from skgen import DensityImputer
from skgen.datasets import load_airquality

air = load_airquality().data[:, :5]  # ozone, solar radiation, wind, temperature, month
X = np.column_stack([np.log(air[:, 0]), air[:, 1:]])
imputer = DensityImputer(n_imputations=20, random_state=0).fit(X)
ozone = np.exp([table[:, 0] for table in imputer.multiple(X, 100)])
low, value, high = np.quantile(ozone, [0.05, 0.5, 0.95], axis=0)

# %%

gaps, days = np.isnan(air[:, 0]), np.arange(len(air))
figure, ax = plt.subplots(figsize=(9, 4), layout="constrained")
ax.plot(days, air[:, 0], ".-", color="0.6", lw=0.8, label="measured")
bars = [(value - low)[gaps], (high - value)[gaps]]
ax.errorbar(days[gaps], value[gaps], bars, fmt="o", ms=4, lw=1, label="filled in, 90 % range")
ax.set(xlabel="days since 1 May 1973", ylabel="ozone, ppb", ylim=(0, 250))
ax.legend(frameon=False)

# %%
# How good is it?
# ---------------
#
# A tenth of the measured days is hidden, ten times, and compared with what is filled in.

rng = np.random.default_rng(0)
errors, inside = {"mean": [], "skgen": []}, []
for _ in range(10):
    hidden = ~gaps & (rng.random(len(X)) < 0.1)
    known = X.copy()
    known[hidden, 0] = np.nan
    fitted = DensityImputer(n_imputations=20, random_state=0).fit(known)
    drawn = np.exp([table[hidden, 0] for table in fitted.multiple(known, 100)])
    truth = air[hidden, 0]
    errors["mean"].append((np.nanmean(np.exp(known[:, 0])) - truth) ** 2)
    errors["skgen"].append((drawn.mean(axis=0) - truth) ** 2)
    bounds = np.quantile(drawn, [0.05, 0.95], axis=0)
    inside.append((bounds[0] <= truth) & (truth <= bounds[1]))

for name, squares in errors.items():
    print(f"filled by {name}: off by {np.sqrt(np.mean(np.concatenate(squares))):.0f} ppb")
print(f"{np.mean(np.concatenate(inside)):.0%} of the hidden values lie in their 90 % range")

# %%
# An analysis of the filled tables
# --------------------------------
#
# By how much does ozone rise with temperature? Each table gives an estimate; their mean is the
# answer, and their spread is what the gaps add to its uncertainty.

slopes = [np.polyfit(table[:, 3], table[:, 0], 1)[0] for table in imputer.multiple(X)]
print(f"{np.mean(slopes):.1%} a degree, give or take {np.std(slopes):.1%} for the gaps")
