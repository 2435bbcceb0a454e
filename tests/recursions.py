"""Steps of recursive models, in a module so that models with them can be pickled."""

import numpy as np


def linear(past, params):
    return params[0] + params[1] * past[0]


def linear_two_lags(past, params):
    return params[0] + params[1] * past[0] + params[2] * past[1]


def threshold(past, params):
    return params[0] + params[1] * past[0] if past[0] < params[3] else params[2] * past[0]


def logistic(past, params):
    inside = min(max(past[0], 0.0), 1.0)
    return params[0] * inside * (1 - inside)


def garch(past, state, params):
    state[0] = params[0] + params[1] * past[0] ** 2 + params[2] * state[0]
    return 0.0, np.sqrt(state[0])


def smoothing(past, state, params):
    state[0] += params[0] * (past[0] - state[0])
    return state[0]


def first_value(first, params):
    return first[:1].copy()


def simulated(step, params, n, rng, scale=1.0, order=1):
    """One column from a step without state."""
    x = np.zeros(n + order)
    for t in range(order, len(x)):
        x[t] = step(x[t - order : t][::-1], params) + scale * rng.standard_normal()
    return x[order:, None]


def garch_series(params, n, rng):
    x, variance = np.zeros(n), params[0] / (1 - params[1] - params[2])
    for t in range(1, n):
        variance = params[0] + params[1] * x[t - 1] ** 2 + params[2] * variance
        x[t] = np.sqrt(variance) * rng.standard_normal()
    return x[:, None]
