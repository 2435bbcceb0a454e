"""
A panel of thousands of series
==============================

Five thousand short series, each with its own dynamics, some with gaps: a model for each of them is
fitted in one call, by exact maximum likelihood.
"""

# %%
# Fit all of them
# ---------------
#
# Each series follows its own autoregression of two lags. A tenth of the values is missing.

import time

import matplotlib.pyplot as plt
import numpy as np

from skgen import AR

rng = np.random.default_rng(0)
n_series, n_steps = 5000, 120
persistence, period = rng.uniform(0.5, 0.95, n_series), rng.uniform(6, 24, n_series)
coef = np.column_stack([2 * persistence * np.cos(2 * np.pi / period), -(persistence**2)])
x = np.zeros((n_series, n_steps + 200))
for t in range(2, x.shape[1]):
    x[:, t] = coef[:, 0] * x[:, t - 1] + coef[:, 1] * x[:, t - 2] + rng.normal(size=n_series)
x = x[:, 200:]
x[rng.random(x.shape) < 0.1] = np.nan
panel = [row[:, None] for row in x]

start = time.perf_counter()
model = AR(order=2, pooled=False).fit(panel)
print(f"{n_series} models in {time.perf_counter() - start:.2f} s")

# %%
# What was found
# --------------
#
# A pair of complex roots is a damped cycle: its period follows from the coefficients.

figure, ax = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
ax[0].plot(coef[:, 1], model.coef_[:, 1], ".", ms=2, alpha=0.4)
ax[0].plot([-1, 0], [-1, 0], color="0.3", lw=0.8)
ax[0].set(xlabel="true second coefficient", ylabel="fitted")
ratio = model.coef_[:, 0] / (2 * np.sqrt(np.maximum(-model.coef_[:, 1], 1e-9)))
cyclic = np.abs(ratio) < 1
ax[1].plot(period[cyclic], 2 * np.pi / np.arccos(ratio[cyclic]), ".", ms=2, alpha=0.4)
ax[1].plot([6, 24], [6, 24], color="0.3", lw=0.8)
ax[1].set(xlabel="true period", ylabel="fitted", ylim=(0, 50))

# %%
# Gaps and the future of one of them
# ----------------------------------

mean, std = model.smooth(panel)
forecast = model.forecast(12, panel)[0]
low, high = forecast.interval(0.9)
gaps = np.isnan(panel[0][:, 0])
figure, ax = plt.subplots(figsize=(9, 3.5), layout="constrained")
ax.plot(panel[0], ".-", color="0.4", lw=0.8, label="observed")
error = 1.64 * std[0][gaps, 0]
ax.errorbar(np.flatnonzero(gaps), mean[0][gaps, 0], error, fmt="o", ms=4, lw=1, label="gaps")
ahead = n_steps + np.arange(12)
ax.fill_between(ahead, low[:, 0], high[:, 0], alpha=0.3, lw=0)
ax.plot(ahead, forecast.mean, label="forecast")
ax.legend(frameon=False)
