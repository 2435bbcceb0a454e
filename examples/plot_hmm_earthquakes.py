"""
Earthquakes: counts with states
===============================

The number of major earthquakes in each year from 1900 to 2006 varies more than a Poisson
distribution allows, and active years come in groups. A Poisson hidden Markov model describes both,
and says what the next years may bring.
"""

# %%
# How many states?
# ----------------
#
# With one state the model is a Poisson distribution. The variance of the counts is 2.7 times their
# mean, which it cannot be.

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import norm

from skgen import PoissonHMM
from skgen.datasets import load_earthquakes
from skgen.plotting import ForecastDisplay, StatePathDisplay

years, counts = load_earthquakes().data.T
X = counts[:, None]
print(f"mean {counts.mean():.1f}, variance {counts.var(ddof=1):.1f}")
models = {k: PoissonHMM(k, n_init=5, random_state=0, tol=1e-9).fit(X) for k in range(1, 5)}
for k, model in models.items():
    total = model.score_samples(X).sum()
    print(
        f"{k} states: log-likelihood {total:8.3f}, AIC {model.aic(X):.1f}, BIC {model.bic(X):.1f}"
    )

# %%
# The log-likelihoods of two and three states are those that Zucchini, MacDonald and Langrock print
# (Hidden Markov Models for Time Series, 2016). AIC prefers three states, BIC two; we take three.

model = models[3]
order = np.argsort(model.rates_[:, 0])
labels, colors = np.empty((2, 3), dtype=object)
labels[order] = [f"{rate:.0f} a year" for rate in model.rates_[order, 0]]
colors[order] = ["C0", "C1", "C3"]

figure, axes = plt.subplots(2, 1, figsize=(9, 5), sharex=True, layout="constrained")
StatePathDisplay.from_estimator(
    model, X, dates=years, labels=labels, colors=colors, ax=axes[0], marker="."
)
axes[0].step(years, model.rates_[model.predict(X), 0], "k--", where="mid", lw=0.8)
axes[0].set_ylabel("earthquakes, path")
StatePathDisplay.from_estimator(
    model, X, kind="smoothed", dates=years, colors=colors, ax=axes[1], legend=False, marker="."
)
axes[1].set_ylabel("earthquakes, probabilities")

# %%
# The years to come
# -----------------
#
# A forecast is a mixture of the states, with the probabilities that they have so many years on. It
# goes over into the stationary distribution.

figure, ax = plt.subplots(figsize=(9, 3.4), layout="constrained")
ForecastDisplay.from_estimator(model, X, horizon=20, levels=[0.5, 0.9], ax=ax)
ax.set(xlabel="years from 2006", ylabel="earthquakes")

forecast = model.forecast(10, X)
low, high = forecast.interval(0.9)
print("          mean  90 % interval  " + "  ".join(labels[order]))
for h in (0, 1, 4, 9):
    states = "".join(f"{p:11.0%}" for p in forecast.states[h, order])
    print(
        f"in {2007 + h}:  {forecast.mean[h, 0]:.1f}  {low[h, 0]:5.0f} to {high[h, 0]:.0f}  {states}"
    )

# %%
# Does the model fit?
# -------------------
#
# Pseudo-residuals say how each count compares with what was expected after the years before: under
# a true model they are standard normal and independent of each other. Those of one Poisson
# distribution are neither; with three states little is left.

figure, axes = plt.subplots(1, 3, figsize=(11, 3.6), layout="constrained")
grid = norm.ppf((np.arange(len(X)) + 0.5) / len(X))
for k, color in ((1, "0.6"), (3, "C0")):
    residuals = models[k].pseudo_residuals(X)[:, 0]
    label = f"{k} state{'s' * (k > 1)}"
    axes[0].plot(years, residuals, ".", color=color, label=label)
    axes[1].plot(grid, np.sort(residuals), ".", color=color)
    centred = residuals - residuals.mean()
    correlation = [centred[lag:] @ centred[:-lag] / (centred @ centred) for lag in range(1, 11)]
    axes[2].bar(np.arange(1, 11) + (k - 2) * 0.2, correlation, 0.35, color=color)
    print(f"{label}: standard deviation {residuals.std():.2f}, correlation {correlation[0]:.2f}")
axes[0].set(xlabel="year", ylabel="pseudo-residual")
axes[0].axhspan(-1.96, 1.96, color="0.95", zorder=0)
axes[0].legend(frameon=False)
axes[1].axline((0, 0), slope=1, color="k", lw=0.8)
axes[1].set(xlabel="standard normal", ylabel="pseudo-residual")
axes[2].axhline(1.96 / np.sqrt(len(X)), color="k", lw=0.8, ls=":")
axes[2].set(xlabel="years apart", ylabel="autocorrelation")
