"""
How many components?
====================

344 penguins of three species, four measurements each, a few of them missing. How many groups does a
mixture of Gaussians find, and of which form?
"""

# %%
# Three criteria
# --------------
#
# BIC asks for a good description of the density, ICL for groups that can be told apart, and the
# likelihood of held-out birds for a model that predicts.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import KFold, cross_val_score

from skgen import GaussianMixture
from skgen.datasets import load_penguins
from skgen.plotting import DensityDisplay

penguins = load_penguins(as_frame=True)
X = penguins.data
folds = KFold(5, shuffle=True, random_state=0)
numbers = range(1, 7)

figure, axes = plt.subplots(1, 3, figsize=(11, 3.6), layout="constrained")
for kind in ("full", "tied"):
    models = [GaussianMixture(k, covariance_type=kind, random_state=0) for k in numbers]
    held_out = [cross_val_score(model, X, cv=folds).mean() for model in models]
    fitted = [model.fit(X) for model in models]
    axes[0].plot(numbers, [model.bic(X) for model in fitted], "o-", label=kind)
    axes[1].plot(numbers, [model.icl(X) for model in fitted], "o-", label=kind)
    axes[2].plot(numbers, held_out, "o-", label=kind)
for ax, name in zip(axes, ("BIC", "ICL", "held-out log-likelihood"), strict=True):
    ax.set(xlabel="components", title=name)
axes[0].legend(title="covariances", frameon=False)

# %%
# With one covariance for all (tied), ICL chooses three components, BIC and the held-out likelihood
# four. The four beside the species, which the model was not told:

model = GaussianMixture(4, covariance_type="tied", random_state=0).fit(X)
labels = model.predict(X)
for species, name in enumerate(penguins.target_names):
    print(f"{name:10s}", np.bincount(labels[penguins.target == species], minlength=4))

# %%
# The fourth component divides the Adelie penguins by size: their sexes. The density of two of the
# measurements, the others integrated out:

figure, ax = plt.subplots(figsize=(6, 4.5), layout="constrained")
DensityDisplay.from_estimator(model, X, features=["bill_length_mm", "body_mass_g"], ax=ax)
