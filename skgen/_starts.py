"""Starting points of EM: several kinds, raced on part of the rows."""

import numpy as np
from sklearn.cluster import KMeans, kmeans_plusplus

from ._em import run_em
from ._sequences import Rows

# What the race of init_params="auto" sends off.
RACE = ("kmeans", "whitened", *("k-means++", "random_from_data") * 4)
METHODS = ("auto", "kmeans", "k-means++", "whitened", "random", "random_from_data")
RACE_STEPS = 12
SUBSAMPLE = 10_000


def subsample(rows, n_components, rng):
    """Enough rows to tell one start from another: distinct, in ascending order, with weights.

    In this form neither the order of the rows nor repetition in place of weights changes a start.
    """
    enough = max(SUBSAMPLE, 50 * n_components * rows.n_features)
    if len(rows) > enough:
        rows = rows.take(np.sort(rng.choice(len(rows), enough, replace=False)))
    keys = np.where(rows.missing, np.inf, rows.values) if rows.has_missing else rows.values
    _, first, which = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    return Rows(rows.values[first], np.bincount(which.ravel(), rows.weights).astype(np.float64))


def responsibilities(method, points, weights, n_components, rng):
    """Soft or hard assignments of points (n, p) to components, times weights; (n, K).

    Parameters
    ----------
    method : str
        "kmeans": clusters of k-means; "whitened": of the points with unit covariance;
        "k-means++" and "random_from_data": nearest of K chosen points; "random": random rows.
    """
    n = len(points)
    if method == "random":
        resp = rng.random((n, n_components))
        resp /= resp.sum(axis=1, keepdims=True)
        return resp * weights[:, None]
    if method == "whitened":
        points = whitened(points, weights)
    seed = int(rng.integers(2**31))
    if n <= n_components:
        labels = np.arange(n)  # fewer distinct rows than components
    elif method in ("kmeans", "whitened"):
        model = KMeans(n_components, n_init=1, random_state=seed)
        labels = model.fit(points, sample_weight=weights).labels_
    elif method == "k-means++":
        centers, _ = kmeans_plusplus(points, n_components, sample_weight=weights, random_state=seed)
        labels = nearest(points, centers)
    else:
        chosen = rng.choice(n, n_components, replace=False, p=weights / weights.sum())
        labels = nearest(points, points[chosen])
    resp = np.zeros((n, n_components))
    resp[np.arange(n), labels] = weights
    return resp


def nearest(points, centers):
    """Index of the nearest center of each point."""
    return (0.5 * (centers**2).sum(axis=1) - points @ centers.T).argmin(axis=1)


def whitened(points, weights):
    """Points with unit covariance; directions without variance stay as they are."""
    centered = points - np.average(points, axis=0, weights=weights)
    values, vectors = np.linalg.eigh((centered * weights[:, None]).T @ centered / weights.sum())
    kept = values > 1e-10 * max(values[-1], 1e-300)
    return points @ (vectors[:, kept] / np.sqrt(values[kept])) if kept.any() else points


def runs_from_starts(new_run, monitor):
    """The runs of EM from one start after another, and whether Ctrl-C came.

    Parameters
    ----------
    new_run : callable without arguments, giving an EMResult
    monitor : FitMonitor
    """
    runs = []
    try:
        for _ in range(monitor.n_starts):
            monitor.begin_start()
            runs.append(new_run())
            if monitor.end_start(runs[-1]):
                break
    except KeyboardInterrupt:
        if not runs:
            raise
        return runs, True
    return runs, runs[-1].interrupted


def race(problem, methods, n_components, rng):
    """The best of several short runs, as parameters.

    Parameters
    ----------
    problem : the EM problem on the rows of the race
        With ``points``, ``rows``, ``start(resp)``, ``step``, ``rank(result)``.
    methods : sequence of str
    """
    weights = problem.rows.weights
    weights = np.ones(len(problem.rows)) if weights is None else weights
    starts = (
        problem.start(responsibilities(method, problem.points, weights, n_components, rng))
        for method in methods
    )
    return next(starts) if len(methods) == 1 else best_of(problem, starts)


def best_of(problem, starts, legs=((RACE_STEPS, 1),)):
    """The parameters that lead the others after some steps of EM.

    Parameters
    ----------
    problem : the EM problem on the rows of the race
    starts : iterable of parameters
    legs : sequence of (n_steps, n_left)
        How far each leg of the race goes, and how many go on after it.
    """
    for n_steps, n_left in legs:
        runs = []
        for start in starts:
            runs.append(run_em(problem.step, start, max_iter=n_steps, tol=-1))
            if runs[-1].interrupted:
                raise KeyboardInterrupt
        runs = sorted(runs, key=problem.rank, reverse=True)[:n_left]
        starts = [run.params for run in runs]
    return starts[0]
