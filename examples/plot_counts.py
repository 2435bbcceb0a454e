"""
Counts: a mixture of Poisson distributions
==========================================

How often does a customer come back? The orders after the first of 23,570 customers are counts, and
a mixture of Poisson distributions describes them without any logarithm or bin.
"""

# %%
# One rate is not enough
# ----------------------
#
# With one rate for all, customers who never return and customers who come every week would both be
# next to impossible. Each further rate improves BIC, the later ones by little.

import matplotlib.pyplot as plt
import numpy as np

from skgen import Mixture
from skgen.datasets import load_cdnow
from skgen.emissions import Poisson

orders = load_cdnow().data[:, [2]] - 1  # orders after the first
models = {k: Mixture(Poisson(), n_components=k, random_state=0).fit(orders) for k in range(1, 7)}
for k, model in models.items():
    print(f"{k} components: BIC {model.bic(orders):9.0f}")

# %%
# Four kinds of customers, by how often they are expected to come back in 18 months:

model = models[4]
for k in np.argsort(model.rates_[:, 0]):
    print(f"{model.weights_[k]:6.1%} of the customers: {model.rates_[k, 0]:5.1f} further orders")

# %%
# Does it fit?
# ------------

counts = np.arange(31)
seen = np.array([(orders == n).sum() for n in counts])
figure, ax = plt.subplots(figsize=(7, 4.2), layout="constrained")
ax.bar(counts, seen, color="0.8", label="customers")
for k, style in ((1, "C1:"), (2, "C2--"), (4, "C0-")):
    expected = len(orders) * np.exp(models[k].score_samples(counts[:, None]))
    ax.plot(counts, expected, style, lw=1.5, label=f"{k} component{'s' * (k > 1)}")
ax.set(yscale="log", ylim=(1, 3e4), xlabel="further orders", ylabel="customers")
ax.legend(frameon=False)

# %%
# A customer with nine further orders: which kind?

chances = model.predict_proba([[9]])[0]
for k in np.argsort(-chances)[:2]:
    print(f"{chances[k]:.0%} the kind with {model.rates_[k, 0]:.1f} further orders")
