"""
Segments of customers
=====================

Dollars spent and CDs bought by the 23,570 customers of an online music shop: the classic example of
a segmentation, and of a mixture that collapses, because 29 % of the customers bought just one CD.
"""

# %%
# The data
# --------
#
# Both columns are skew and positive, so they are looked at on log scales.

import warnings

import matplotlib.pyplot as plt
import numpy as np

from skgen import GaussianMixture
from skgen.datasets import load_cdnow

customers = load_cdnow().data[:, :2]  # dollars, CDs
X = np.log1p(customers)
print(f"{len(X)} customers, {np.mean(customers[:, 1] == 1):.1%} of them bought one CD")

# %%
# Three segments
# --------------
#
# The fit warns that one component has no variance in some direction. It is the component of the
# customers with one CD: a column that is constant in a group has no variance there, and skgen keeps
# the variance at what rounding to whole numbers brings.

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    model = GaussianMixture(n_components=3, random_state=0).fit(X)
print(caught[0].message)

# %%
# Who are they? The segments from few to many CDs, with their share of all money:

labels = model.predict(X)
order = np.argsort([np.median(customers[labels == k, 1]) for k in range(3)])
for k in order:
    group = customers[labels == k]
    low, high = np.quantile(group[:, 1], [0.1, 0.9])
    print(
        f"{len(group):5d} customers, {low:2.0f} to {high:2.0f} CDs, "
        f"typically ${np.median(group[:, 0]):3.0f}, "
        f"{group[:, 0].sum() / customers[:, 0].sum():3.0%} of all money"
    )

# %%

rng = np.random.default_rng(0)
jitter = np.exp(rng.uniform(-0.12, 0.12, len(X)) / np.sqrt(customers[:, 1]))
figure, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
for k, color, name in zip(order, ("C1", "C0", "C2"), ("one", "a few", "many"), strict=True):
    mine = labels == k
    ax.scatter(
        customers[mine, 1] * jitter[mine], customers[mine, 0], s=3, alpha=0.3, color=color, lw=0
    )
    ax.scatter([], [], s=30, color=color, label=f"{name}: {mine.sum():,} customers")
ax.set(xscale="log", yscale="log", ylim=(1, None), xlabel="CDs bought", ylabel="dollars spent")
ax.legend(frameon=False, loc="lower right")

# %%
# What a constant floor does
# --------------------------
#
# scikit-learn adds ``reg_covar`` to all variances. The component of the customers with one CD
# shrinks until this constant stops it, and the constant decides the likelihood. So BIC, which is to
# compare models, compares constants:

from sklearn.mixture import GaussianMixture as Naive

for reg_covar in (1e-4, 1e-6, 1e-8):
    naive = Naive(3, reg_covar=reg_covar, random_state=0).fit(X)
    spread = np.sqrt(naive.covariances_[:, 1, 1].min())
    print(f"reg_covar={reg_covar:g}: spread {spread:.4f}, BIC {naive.bic(X):8.0f}")
spread = np.sqrt(model.covariances_[:, 1, 1].min())
print(f"skgen: spread {spread:.4f}, BIC {model.bic(X):8.0f}")
