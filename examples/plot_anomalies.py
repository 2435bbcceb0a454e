"""
Anomaly scores
==============

Among 357 benign breast tumours 20 malignant ones are hidden, described by 30 measurements. Nobody
is told which they are: who finds them?
"""

# %%
# ``DensityOutlierDetector`` scores rows by their log density. It fits the density anew without the
# least likely rows, so that the anomalies do not teach it that they are normal.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import IsolationForest
from sklearn.metrics import RocCurveDisplay, roc_auc_score

from skgen import DensityOutlierDetector, Gaussian, GaussianMixture

X, benign = load_breast_cancer(return_X_y=True)
rng = np.random.default_rng(0)
malignant = rng.choice(np.flatnonzero(benign == 0), 20, replace=False)
rows = np.concatenate([np.flatnonzero(benign), malignant])
X, odd = X[rows], benign[rows] == 0

# %%
# Beside the default, a mixture of Gaussians with one covariance, stand a detector with a single
# Gaussian, an isolation forest, and the naive way: a mixture of five Gaussians that is fitted to
# everything, anomalies included, and asked for its densities.

detectors = {
    "DensityOutlierDetector": DensityOutlierDetector(random_state=0),
    "with one Gaussian": DensityOutlierDetector(Gaussian()),
    "IsolationForest": IsolationForest(random_state=0),
    "naive: 5 Gaussians": GaussianMixture(5, random_state=0),
}
scores = {name: detector.fit(X).score_samples(X) for name, detector in detectors.items()}

figure, ax = plt.subplots(figsize=(5.5, 5), layout="constrained")
for name, score in scores.items():
    RocCurveDisplay.from_predictions(odd, -score, name=name, ax=ax)
    print(f"{name:24s} {roc_auc_score(odd, -score):.3f}")
ax.set(xlabel="benign tumours flagged", ylabel="malignant tumours found")

# %%
# Why is a tumour odd?
# --------------------
#
# What one measurement adds to the anomaly is seen by hiding it: the log density of a row less that
# of the row with the measurement missing is the log density of this measurement given all others.

detector = detectors["DensityOutlierDetector"]
oddest = np.argmin(scores["DensityOutlierDetector"])
names = load_breast_cancer().feature_names
hidden = np.repeat(X[[oddest]], X.shape[1], axis=0)
np.fill_diagonal(hidden, np.nan)
density = detector.density_
surprise = density.score_samples(hidden) - density.score_samples(X[[oddest]])
expected = density.impute(hidden).diagonal()
for j in np.argsort(-surprise)[:3]:
    print(f"{names[j]:24s} is {X[oddest, j]:8.4g}, by the other measurements {expected[j]:8.4g}")
