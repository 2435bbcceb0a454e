"""Where EM of a hidden Markov model starts."""

import numpy as np
from scipy.optimize import linear_sum_assignment

from .._starts import METHODS as OF_ROWS
from .._starts import best_of, clusters, emphasis, responsibilities, whitened
from ._problem import part_of

# "segments" cuts each sequence into K pieces of equal length, one for each state in turn;
# "windows" clusters the rows by level and scatter in their neighbourhood.
METHODS = (*OF_ROWS, "segments", "windows")
# What the race of init_params="auto" sends off. States may differ by what is near in time alone.
# Numbers are rows on either side of a window.
WIDTHS = (1, 2, 4, 8, 16, 32)
RACE = ("kmeans", "whitened", *("k-means++", "random_from_data") * 2, *WIDTHS)
RACE_ROWS = 10_000
LEAST_SCATTER = 0.01  # of a window, as a share of the variance of all rows


def start_of(problem, method, rng):
    """Parameters from which EM runs over all sequences."""
    K, labels = problem.chain.n_states, problem.labels
    if K == 1:
        return problem.start(np.ones((len(problem.rows), 1)))
    enough = max(RACE_ROWS, 50 * K * problem.rows.n_features)
    part = problem.on(*part_of(problem.sequences, labels, enough, rng))
    if problem.all_given or problem.all_known:  # nothing is left to find, or counting will tell
        return part.start(np.full((len(part.rows), K), 1.0 / K))
    methods = (method,)
    if method == "auto":
        methods = RACE if problem.chain.allowed.all() else ("segments", *RACE)
    return best_of(part, lambda name: part.start(states_of(part, name, rng)), methods)


def states_of(problem, method, rng):
    """Responsibilities (n_rows, K), without the weights of the rows."""
    offsets, K = problem.sequences.offsets, problem.chain.n_states
    if method == "segments":
        return segments(offsets, K)
    weights = problem.rows.weights
    present = np.ones(len(problem.rows)) if weights is None else weights
    if method in ("random", "random_from_data", "k-means++"):
        resp = responsibilities(method, problem.points, present, K, rng)
        resp /= np.where(present > 0, present, 1.0)[:, None]
    else:
        features, seed = features_of(problem, method, rng), int(rng.integers(2**31))
        resp = np.eye(K)[clusters(features, present, K, seed)]
    if problem.labels is not None:
        resp = resp[:, like_labels(resp, problem.labels)]
    elif not problem.chain.allowed.all():
        resp = resp[:, in_time(resp, offsets)]
    return np.ascontiguousarray(resp)


def features_of(problem, method, rng):
    """What is clustered: the rows as points, or what is around them."""
    points, ones = problem.points, np.ones(len(problem.points))
    if method == "kmeans":
        return points
    if method == "whitened":
        return whitened(points, ones)
    if method == "subspace":
        return points * emphasis(points, ones, rng)
    half = rng.choice(WIDTHS) if method == "windows" else method
    return windows(points, problem.sequences.offsets, half)


def segments(offsets, n_states):
    """Indicators (n_rows, K) of the piece of its sequence in which a row is."""
    return np.eye(n_states)[(time_of(offsets) * n_states).astype(np.intp)]


def time_of(offsets):
    """How much of its sequence is over at each row, in [0, 1)."""
    lengths = np.diff(offsets)
    return (np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)) / np.repeat(lengths, lengths)


def in_time(resp, offsets):
    """The order (K,) in which clusters appear in the sequences."""
    return np.argsort(time_of(offsets) @ resp / np.maximum(resp.sum(axis=0), 1e-300))


def like_labels(resp, labels):
    """The clusters (K,) that agree best with the known states."""
    known, K = labels >= 0, resp.shape[1]
    agreement = resp[known].T @ np.eye(K)[labels[known]]
    clusters, states = linear_sum_assignment(agreement, maximize=True)
    return clusters[np.argsort(states)]


def windows(points, offsets, half):
    """Levels and logarithms of variances (n_rows, 2p) in windows around each row, whitened."""
    row, lengths = np.arange(len(points)), np.diff(offsets)
    first = np.maximum(row - half, np.repeat(offsets[:-1], lengths))
    last = np.minimum(row + half + 1, np.repeat(offsets[1:], lengths))

    def means(values):
        total = np.concatenate([np.zeros((1, values.shape[1])), values.cumsum(axis=0)])
        return (total[last] - total[first]) / (last - first)[:, None]

    level = means(points)
    scatter = np.log(np.maximum(means(points**2) - level**2, LEAST_SCATTER))
    return whitened(np.hstack([level, scatter]), np.ones(len(points)))
