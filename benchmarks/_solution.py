"""How long two libraries take to the optimum of a mixture of Gaussians, initialisation included."""

import time

import numpy as np
import sklearn.mixture

import skgen

from ._runner import quiet

WITHIN = 1e-6  # nats a row from the optimum
PATIENCE = 500  # iterations that scikit-learn has for that; its default is 100


def race(X, K):
    """Seconds and shortfalls of both, and how many times faster ours is."""
    seconds, score = time_of_ours(X, K)
    *long, theirs = long_runs(X, K)
    best = max(score, theirs, *long)
    ours = seconds if score >= best - WITHIN else None
    # Plain EM of ours takes scikit-learn's path: where it is too long there is no waiting.
    peer = time_of_theirs(X, K, best - WITHIN) if theirs >= best - WITHIN else None
    ratio = peer / ours if ours and peer else None
    return [ours, f"{best - score:.1e}", peer, f"{best - theirs:.1e}", ratio, 50]


def long_runs(X, K):
    """Log-likelihoods per row: long runs from our start and scikit-learn's; plain EM from that."""
    theirs = quiet(sklearn.mixture.GaussianMixture(K, max_iter=0, random_state=0).fit, X)
    start = {
        "weights_init": theirs.weights_,
        "means_init": theirs.means_,
        "precisions_init": theirs.precisions_,
    }
    long = {"tol": 1e-10, "max_iter": 2000, "random_state": 0}
    plain = {"tol": 0.0, "max_iter": PATIENCE, "acceleration": False}
    runs = (long, {**long, **start}, {**plain, **start})
    return [quiet(skgen.GaussianMixture(K, **how).fit, X).score(X) for how in runs]


def time_of_ours(X, K):
    """Seconds of a fit, and what it reached."""
    start = time.perf_counter()
    fit = quiet(skgen.GaussianMixture(K, tol=1e-7, max_iter=5000, random_state=0).fit, X)
    return time.perf_counter() - start, fit.score(X)


def time_of_theirs(X, K, goal):
    """Seconds until the goal is reached."""
    model = Watched(K, tol=0.0, max_iter=100_000, random_state=0)
    model.goal = goal
    start = time.perf_counter()
    try:
        model.fit(X)
    except Reached:
        return time.perf_counter() - start
    raise AssertionError("the fit ended before the goal was reached")


class Reached(Exception):
    """The goal is reached."""


class Watched(sklearn.mixture.GaussianMixture):
    """scikit-learn's mixture, stopped at the first iteration whose likelihood reaches a goal."""

    goal = np.inf

    def _compute_lower_bound(self, log_resp, log_prob_norm):
        if log_prob_norm >= self.goal:
            raise Reached
        return super()._compute_lower_bound(log_resp, log_prob_norm)
