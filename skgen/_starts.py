"""Starting points of EM: several kinds, raced on part of the rows."""

import numpy as np
from sklearn.cluster import kmeans_plusplus

from ._em import run_em
from ._sequences import Rows

# What the race of init_params="auto" sends off.
RACE = ("kmeans", "whitened", *("k-means++", "random_from_data", "subspace") * 4)
METHODS = ("auto", "kmeans", "k-means++", "whitened", "subspace", "random", "random_from_data")
# All run a few plain steps; the best of them a few accelerated ones.
HEAT_STEPS = 12
FINALISTS, FINAL_STEPS, FINAL_TOL = 3, 40, 1e-6
SUBSAMPLE = 10_000
LLOYD_STEPS = 30
# The weight of the columns that do not count for much in a start of the kind "subspace".
FAINT = 0.05


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
        "kmeans": clusters of k-means; "whitened": of the points with unit covariance; "subspace":
        where some columns, drawn at random, count for more than the others; "k-means++" and
        "random_from_data": nearest of K chosen points; "random": random rows.
    """
    n = len(points)
    if method == "random":
        resp = rng.random((n, n_components))
        resp /= resp.sum(axis=1, keepdims=True)
        return resp * weights[:, None]
    if method == "whitened":
        points = whitened(points, weights)
    elif method == "subspace":
        points = points * emphasis(points, weights, rng)
    seed = int(rng.integers(2**31))
    if n <= n_components:
        labels = np.arange(n)  # fewer distinct rows than components
    elif method in ("kmeans", "whitened", "subspace"):
        labels = clusters(points, weights, n_components, seed)
    elif method == "k-means++":
        labels = spread(points, weights, n_components, seed)
    else:
        chosen = rng.choice(n, n_components, replace=False, p=weights / weights.sum())
        labels = nearest(points, points[chosen])
    resp = np.zeros((n, n_components))
    resp[np.arange(n), labels] = weights
    return resp


def spread(points, weights, n_clusters, seed):
    """Labels (n,) of the clusters around the centers of k-means++."""
    centers, _ = kmeans_plusplus(points, n_clusters, sample_weight=weights, random_state=seed)
    return nearest(points, centers)


def clusters(points, weights, n_clusters, seed):
    """Labels (n,) of clusters, roughly those of k-means.

    In one thread: those of scikit-learn's KMeans wait for each other, and where the processors
    have other work to do as well, that takes ten times as long as the sums.
    """
    return lloyd(points, weights, spread(points, weights, n_clusters, seed))


def lloyd(points, weights, labels):
    """Labels (n,) after some steps of k-means, which end before a cluster would get lost."""
    names, labels = np.unique(labels, return_inverse=True)
    for _ in range(LLOYD_STEPS):
        member = np.eye(len(names))[labels] * weights[:, None]
        mass = member.sum(axis=0)
        ahead = nearest(points, member.T @ points / np.maximum(mass, 1e-300)[:, None])
        if np.array_equal(ahead, labels) or not np.bincount(ahead, weights, len(names)).all():
            break
        labels = ahead
    return names[labels]


def nearest(points, centers):
    """Index of the nearest center of each point."""
    return (0.5 * (centers**2).sum(axis=1) - points @ centers.T).argmin(axis=1)


def whitened(points, weights):
    """Points with unit covariance; directions without variance stay as they are."""
    centered = points - np.average(points, axis=0, weights=weights)
    values, vectors = np.linalg.eigh((centered * weights[:, None]).T @ centered / weights.sum())
    kept = values > 1e-10 * max(values[-1], 1e-300)
    return points @ (vectors[:, kept] / np.sqrt(values[kept])) if kept.any() else points


def emphasis(points, weights, rng):
    """Factors (p,): 1 for one to half of the columns, drawn at random, and little for the others.

    Groups may show in few columns, but ties are to be broken. The draw is from the columns in the
    order of their fourth moments, so that it is the same however they are arranged.
    """
    p = points.shape[1]
    chosen = rng.permutation(p)[: rng.integers(1, (p + 1) // 2 + 1)]
    factors = np.full(p, FAINT)
    factors[np.argsort(weights @ points**4)[chosen]] = 1.0
    return factors


def runs_from_starts(new_run, monitor):
    """The runs of EM from one start after another, and whether Ctrl-C came.

    A start that leads to a singular matrix is passed over; the error is raised where all do.

    Parameters
    ----------
    new_run : callable without arguments, giving an EMResult
    monitor : FitMonitor
    """
    runs, failure = [], None
    try:
        for _ in range(monitor.n_starts):
            monitor.begin_start()
            try:
                runs.append(new_run())
            except np.linalg.LinAlgError as error:
                failure = error
                continue
            if monitor.end_start(runs[-1]):
                break
    except KeyboardInterrupt:
        if not runs:
            raise
        return runs, True
    if not runs:
        raise failure
    return runs, runs[-1].interrupted


def race(problem, methods, n_components, rng):
    """The best of several short runs, as parameters.

    Parameters
    ----------
    problem : the EM problem on the rows of the race
        With ``points``, ``rows``, ``start(resp)``, ``step``, ``run`` and ``rank(result)``.
    methods : sequence of str
    """
    weights = problem.rows.weights
    weights = np.ones(len(problem.rows)) if weights is None else weights

    def start(method):
        resp = responsibilities(method, problem.points, weights, n_components, rng)
        return problem.start(resp)

    return best_of(problem, start, methods)


def best_of(problem, start, methods):
    """The parameters that lead after a race: heats of all starts, then finals of the best.

    Parameters
    ----------
    problem : the EM problem on the rows of the race
    start : callable, method -> parameters
    methods : sequence
    """

    def heat(method):
        return run_em(problem.step, start(method), max_iter=HEAT_STEPS, tol=-1)

    def final(run):
        return problem.run(run.params, FINAL_STEPS, FINAL_TOL)

    if len(methods) == 1:
        return start(methods[0])
    heats = ranked(heat, methods, problem.rank, len(methods))
    return ranked(final, heats, problem.rank, FINALISTS)[0].params


def ranked(run_from, starts, rank, n_runs):
    """So many runs, the best one first; starts that lead to a singular matrix are passed over."""
    runs, failure = [], None
    for start in starts:
        try:
            with np.errstate(all="ignore"):  # a bad start may lead anywhere
                runs.append(run_from(start))
        except np.linalg.LinAlgError as error:
            failure = error
            continue
        if runs[-1].interrupted:
            raise KeyboardInterrupt
        if len(runs) == n_runs:
            break
    if not runs:
        raise failure
    return sorted(runs, key=rank, reverse=True)
