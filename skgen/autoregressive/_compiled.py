"""A user's recursion compiled by Numba into the loops over rows, particles and paths.

Numba is imported when the first model is fitted. Compiled code does not check indices, which would
make it six times slower: a fit begins with some rows in plain Python, which does.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np


class Loops(NamedTuple):
    """The compiled loops; `past` has the latest row first, outputs are written in place."""

    has_scale: bool
    run: Any  # (x, offsets, order, states, params, mean, scale)
    totals: Any  # (x, offsets, order, states, params, weights, logs, scatter), of all params
    advance: Any  # (past, states, params, mean, scale)
    simulate: Any  # (past, states, params, noise, paths, mean, scale)
    start: Any  # (first, params, states), None where the first state is given


@lru_cache(maxsize=64)
def compile_loops(step, start, one, with_state):
    """The loops around a step and the function of its first state, or None for it.

    Parameters
    ----------
    step, start : callable
    one : bool
        Whether there is one column, so that `past` has one dimension.
    with_state : bool
    """
    import numba

    vector = numba.float64[::1]
    past = vector if one else numba.float64[:, ::1]
    types = (past, vector, vector) if with_state else (past, vector)
    step, given = _compiled(numba, "step", step, types)
    has_scale = isinstance(given, numba.types.BaseTuple) and len(given) == 2
    parts = list(given) if has_scale else [given]
    allowed = numba.types.Number | numba.types.Boolean | numba.types.Array
    if not all(isinstance(part, allowed) for part in parts):
        raise TypeError(f"step gives {given}; return a mean, or a mean and a scale.")
    number = one and not any(isinstance(part, numba.types.Array) for part in parts)
    if start is not None:
        start, given = _compiled(numba, "state", start, (past, vector))
        if not isinstance(given, numba.types.Array):
            raise TypeError(f"state gives {given}; return an array of shape (n_states,).")
    return _loops(
        numba.njit(nogil=True, error_model="numpy"), step, start, one, with_state, has_scale, number
    )


def _compiled(numba, name, function, types):
    """The function compiled for these types, and the type that it returns."""
    if not isinstance(function, numba.core.dispatcher.Dispatcher):
        function = numba.njit(nogil=True, error_model="numpy")(function)
    try:
        function.compile(types)
    except (numba.core.errors.NumbaError, NotImplementedError) as error:
        raise TypeError(
            f"{name}={function.py_func.__qualname__} cannot be compiled by numba: {_gist(error)}"
        ) from error
    return function, function.overloads[types].signature.return_type


def _gist(error):
    """What matters of a message of numba, in one line."""
    lines = [line.strip() for line in str(error).splitlines()]
    lines = [line for line in lines if line and not line.startswith(("Failed in", "-", "^"))]
    where = next((line for line in lines if line.startswith("File ")), "")
    return " ".join(filter(None, [lines[0] if lines else type(error).__name__, where.rstrip(":")]))


def _loops(njit, step, start, one, with_state, has_scale, number):
    """See `Loops`. Views are made once a sequence: in each step they would cost more than it."""
    if one:
        view = njit(lambda past: past.reshape(past.shape[0]))
    else:
        view = njit(lambda past: past)
    call = step if with_state else njit(lambda past, state, params: step(past, params))

    if number:

        @njit
        def store(out, value):
            out[0] = value

    else:

        @njit
        def store(out, value):
            out[:] = value

    if has_scale:

        @njit
        def evaluate(past, state, params, mean, scale):
            own = call(past, state, params)
            store(mean, own[0])
            store(scale, own[1])

    else:

        @njit
        def evaluate(past, state, params, mean, scale):
            store(mean, call(past, state, params))
            scale[:] = 1.0

    @njit
    def push(past, row):
        for j in range(past.shape[1]):
            for lag in range(len(past) - 1, 0, -1):
                past[lag, j] = past[lag - 1, j]
            if len(past):
                past[0, j] = row[j]

    @njit
    def run(x, offsets, order, states, params, mean, scale):
        past = np.zeros((order, x.shape[1]))
        seen = view(past)
        for s in range(len(offsets) - 1):
            state = states[s]
            for t in range(offsets[s], offsets[s + 1]):
                if t - offsets[s] >= order:
                    evaluate(seen, state, params, mean[t], scale[t])
                push(past, x[t])

    # All parameters in one pass: their recursions do not wait for each other.
    @njit
    def totals(x, offsets, order, states, params, weights, logs, scatter):
        d = x.shape[1]
        past, mean, scale, e = np.zeros((order, d)), np.empty(d), np.empty(d), np.empty(d)
        seen = view(past)
        for s in range(len(offsets) - 1):
            for t in range(offsets[s], offsets[s + 1]):
                for i in range(len(params) if t - offsets[s] >= order else 0):
                    evaluate(seen, states[i, s], params[i], mean, scale)
                    if weights[t] > 0:
                        for j in range(d):
                            if not scale[j] > 0:
                                logs[i] = np.nan
                            if has_scale:
                                logs[i] += weights[t] * np.log(scale[j])
                            e[j] = (x[t, j] - mean[j]) / scale[j]
                            for k in range(j + 1):
                                scatter[i, j, k] += weights[t] * e[j] * e[k]
                push(past, x[t])

    @njit
    def advance(past, states, params, mean, scale):
        for i in range(len(past)):
            evaluate(view(past[i]), states[i], params, mean[i], scale[i])

    @njit
    def simulate(past, states, params, noise, paths, mean, scale):
        for i in range(len(past)):
            own, state = past[i], states[i]
            seen = view(own)
            for h in range(noise.shape[1]):
                evaluate(seen, state, params, mean[i, h], scale[i, h])
                for j in range(noise.shape[2]):
                    paths[i, h, j] = mean[i, h, j] + scale[i, h, j] * noise[i, h, j]
                push(own, paths[i, h])

    begin = None
    if start is not None:

        @njit
        def begin(first, params, states):
            for i in range(len(first)):
                states[i] = start(view(first[i]), params)

    return Loops(has_scale, run, totals, advance, simulate, begin)
