"""
Sunspots with forecast fans
===========================

Yearly numbers of sunspots since 1700. An autoregression of which a criterion chooses the order
finds the cycle of eleven years, and says how far ahead it is of use.
"""

# %%
# The order
# ---------
#
# Square roots of the numbers have about the same variance at high and low activity. All orders are
# fitted by exact maximum likelihood; their likelihoods are of the same rows.

import matplotlib.pyplot as plt
import numpy as np

from skgen import AR
from skgen.datasets import load_sunspots
from skgen.plotting import ForecastDisplay, SpectrumDisplay

year, spots = load_sunspots().data.T
roots = np.sqrt(spots)[:, None]
past, future = roots[:-22], roots[-22:]
model = AR(order="aic", max_order=25).fit(past)
print(f"order {model.order_} by AIC, {np.argmin(model.bic_path_)} by BIC")

# %%
# The forecast
# ------------
#
# The last 22 years were kept back. The fan holds half and 95 % of the probability.

figure, ax = plt.subplots(figsize=(9, 4), layout="constrained")
ForecastDisplay.from_estimator(model, past, horizon=22, ax=ax)
ax.plot(np.arange(1, 23), future[:, 0], ".k", ms=5)
ax.set(ylabel="square root of sunspots", xlabel="years after 1966")

# %%
# How far is it of use?
# ---------------------
#
# Forecasts from every year after 1850, by a model of the years before 1850: root mean squared error
# of forecasts one to twelve years ahead, and that of the mean.

early = AR(order=model.order_).fit(roots[year < 1850])
starts = np.flatnonzero(year >= 1850)[:-12]
errors = np.array([early.forecast(12, roots[:t]).mean[:, 0] - roots[t : t + 12, 0] for t in starts])
print("years ahead:", *range(1, 13))
print("error:      ", *np.sqrt((errors**2).mean(axis=0)).round(1))
print("of the mean:", np.std(roots).round(1))

# %%
# The cycle
# ---------

display = SpectrumDisplay.from_estimator(
    {"exact": model, "Burg": AR(order=model.order_, method="burg").fit(past)}
)
peak = display.lines_[0].get_xdata()[np.argmax(display.lines_[0].get_ydata())]
display.ax_.axvline(peak, color="0.7", lw=0.8, zorder=0)
print(f"a cycle of {1 / peak:.1f} years")
