"""
How a fit converges
===================

EM climbs slowly where components overlap. What is left to gain after each iteration shows how far a
rule that looks at the last step would have been deceived, and what acceleration brings.
"""

# %%
# Plain and accelerated
# ---------------------
#
# Both fits begin at the same point and go on for as long as there is anything to gain.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone

from skgen import GaussianMixture
from skgen.datasets import load_faithful
from skgen.plotting import ConvergenceDisplay

X = load_faithful().data
means = X[np.random.default_rng(0).choice(len(X), 3, replace=False)]
mixture = GaussianMixture(3, covariance_type="tied", means_init=means, max_iter=5000, tol=0.0)
fits = {
    "plain": clone(mixture).set_params(acceleration=False).fit(X),
    "accelerated": clone(mixture).fit(X),
}
figure, ax = plt.subplots(figsize=(7, 4.2), layout="constrained")
ConvergenceDisplay.from_estimator(fits, gap=True, ax=ax)
for name, model in fits.items():
    print(f"{name:12s} {model.n_iter_:5d} iterations, objective {model.lower_bound_:.9f}")

# %%
# When to stop
# ------------
#
# A rule that stops when one iteration gains less than 0.001 would have stopped early. The rule of
# skgen looks at the last third of the iterations, and at what is still to come.

curve = np.array(fits["plain"].lower_bounds_)
naive = np.argmax(np.diff(curve) < 1e-3)
print(f"gain below 1e-3 after {naive + 1} iterations: {curve[-1] - curve[naive]:.4f} nats left")
model = clone(mixture).set_params(tol=1e-6).fit(X)
left = max(fit.lower_bound_ for fit in fits.values()) - model.lower_bound_
print(f"skgen, tol=1e-6: stops after {model.n_iter_} iterations, {left:.1e} nats left")
