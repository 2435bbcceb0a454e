"""Where EM of a hidden Markov model starts."""

import numpy as np

from .._starts import RACE, race
from ._problem import part_of

# "segments" cuts each sequence into K pieces of equal length, one for each state in turn.
METHODS = ("auto", "kmeans", "k-means++", "whitened", "random", "random_from_data", "segments")
RACE_ROWS = 10_000


def start_of(problem, method, rng):
    """Parameters from which EM runs over all sequences."""
    K = problem.chain.n_states
    if K == 1 or (problem.labels is not None and (problem.labels >= 0).all()):
        return problem.start(weighted(problem, np.full((len(problem.rows), K), 1.0 / K)))
    if method == "segments" or (method == "auto" and not problem.chain.allowed.all()):
        # States that come in order are found by time, not by value.
        return problem.start(weighted(problem, segments(problem.sequences.offsets, K)))
    methods = RACE if method == "auto" else (method,)
    enough = max(RACE_ROWS, 50 * K * problem.rows.n_features)
    part = problem.on(*part_of(problem.sequences, problem.labels, enough, rng))
    return race(part, methods, K, rng)


def segments(offsets, n_states):
    """Indicators (n_rows, K) of the piece of its sequence in which a row is."""
    lengths = np.diff(offsets)
    time = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
    return np.eye(n_states)[time * n_states // np.repeat(lengths, lengths)]


def weighted(problem, resp):
    """Responsibilities times the weights of the rows."""
    weights = problem.rows.weights
    return resp if weights is None else resp * weights[:, None]
