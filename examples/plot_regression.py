"""
Regression by a mixture
=======================

The joint density of features and targets holds the regression of one on the other, with a spread
that changes from place to place, and it takes features that are missing.
"""

# %%
# The waiting time until the next eruption of the Old Faithful geyser, by the length of the last
# one. With one Gaussian the conditional mean is a line; with two, slope and spread follow the data.

import matplotlib.pyplot as plt
import numpy as np

from skgen import DensityRegressor, Gaussian, GaussianMixture
from skgen.datasets import load_faithful

X, y = np.split(load_faithful().data, 2, axis=1)
y = y[:, 0]
grid = np.linspace(1.5, 5.2, 200)[:, None]

figure, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
densities = {"one Gaussian": Gaussian(), "two Gaussians": GaussianMixture(2, random_state=0)}
for ax, (name, density) in zip(axes, densities.items(), strict=True):
    regressor = DensityRegressor(density).fit(X, y)
    mean, std = regressor.predict(grid, return_std=True)
    ax.scatter(X[:, 0], y, s=8, color="0.6")
    ax.plot(grid[:, 0], mean, "C0", lw=2)
    ax.fill_between(grid[:, 0], mean - 2 * std, mean + 2 * std, color="C0", alpha=0.2, lw=0)
    ax.set(title=name, xlabel="length of the eruption, minutes")
axes[0].set_ylabel("waiting time, minutes")

# %%
# Held-out accuracy
# -----------------

from sklearn.model_selection import cross_val_score

for name, density in densities.items():
    r2 = cross_val_score(DensityRegressor(density), X, y, cv=10).mean()
    print(f"{name}: R^2 {r2:.3f}")

# %%
# Missing features
# ----------------
#
# Some of the features of a table are hidden at random, in the rows of the fit and in the rows to be
# predicted. The regression uses what is left.

from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

X, y = load_diabetes(return_X_y=True)
rng = np.random.default_rng(0)
for share in (0.0, 0.1, 0.3):
    gaps = np.where(rng.random(X.shape) < share, np.nan, X)
    train, test, y_train, y_test = train_test_split(gaps, y, random_state=0)
    r2 = DensityRegressor().fit(train, y_train).score(test, y_test)
    print(f"{share:.0%} missing: R^2 {r2:.2f}")
