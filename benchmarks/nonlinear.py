"""Nonlinear autoregressions against plain Python loops, and where it is installed against arch."""

import warnings
from importlib import import_module
from importlib.util import find_spec

import numpy as np
from numpy.testing import assert_allclose
from scipy.optimize import minimize
from sklearn.ensemble import HistGradientBoostingRegressor

from skgen import NonlinearAR, RecursiveModel

from ._runner import Case

NOTE = """\
The same model by the loop that one would write: over rows for the likelihood of a GARCH(1, 1) and
its maximum, over paths for forecasts of boosted trees (1 path a call of `predict` against all of
them). *rows* counts steps, or paths of 10 steps. Ours was compiled before; that takes some seconds
once."""
ARCH_NOTE = """\
The fit of a GARCH(1, 1) with a constant mean, by maximum likelihood; ours is checked to be at least
as likely by the same definition. *rows* counts steps."""
START = [0.05, 0.1, 0.1, 0.8]
BOUNDS = [(None, None), (1e-6, None), (0, 1), (0, 1)]


def tables(run):
    """One table for each peer."""
    table = run.timing_table("against a plain loop", NOTE, list(loops()), ("skgen", "loop"))
    if table is not None:
        yield table
    if find_spec("arch") is None:
        run.progress("arch is not installed")
        return
    table = run.timing_table("against arch", ARCH_NOTE, list(garch_fits()), ("skgen", "arch"))
    if table is not None:
        yield table


def garch(past, state, params):
    state[0] = params[1] + params[2] * (past[0] - params[0]) ** 2 + params[3] * state[0]
    return params[0], np.sqrt(state[0])


def series(n):
    """Volatile for a while, calm for a while."""
    rng, x, variance = np.random.default_rng(0), np.zeros(n), 1.0
    for t in range(1, n):
        variance = 0.05 + 0.1 * x[t - 1] ** 2 + 0.85 * variance
        x[t] = np.sqrt(variance) * rng.standard_normal()
    return x


def model(x):
    return RecursiveModel(garch, START, state=[x.var()], bounds=BOUNDS)


def plain_log_lik(params, x):
    """The definition, given the first row."""
    state, total = [x.var()], 0.0
    for t in range(1, len(x)):
        mean, scale = garch(x[t - 1 : t], state, params)
        total -= np.log(scale) + 0.5 * ((x[t] - mean) / scale) ** 2
    return total - 0.5 * (len(x) - 1) * np.log(2 * np.pi)


def loops():
    """What is compiled, and what is done in one call."""
    yield Case("log densities, GARCH(1, 1)", fitted, 10_000, score, plain_score, close)
    yield Case("fit, GARCH(1, 1)", series, 2000, fit, plain_fit, as_likely, quick=500)
    yield Case("paths of boosted trees", trees, 100, paths, one_path_a_call, quick=10)


def fitted(n):
    x = series(n)
    return model(x).fit(x[:, None]), x


def score(data):
    own, x = data
    return own.score_samples(x[:, None])[1:].sum()


def plain_score(data):
    own, x = data
    return plain_log_lik(own.params_, x)


def close(a, b):
    assert_allclose(a, b, rtol=1e-9)


def fit(x):
    return model(x).fit(x[:, None]).log_lik_


def plain_fit(x):
    found = minimize(
        lambda params: -plain_log_lik(params, x) / len(x), START, method="L-BFGS-B", bounds=BOUNDS
    )
    return -found.fun * len(x)


def as_likely(a, b):
    assert a > b - 0.01


def trees(n):
    x = series(1000)[:, None]
    regressor = HistGradientBoostingRegressor(max_iter=50, random_state=0)
    return NonlinearAR(regressor, 3, n_paths=2).fit(x), x, n


def paths(data):
    own, x, n = data
    return own.forecast(10, x[-10:]).sample(n, 0)


def one_path_a_call(data):
    own, x, n = data
    rng, regressor = np.random.default_rng(0), own.regressors_[0][0]
    out = np.empty((n, 10, 1))
    for path in out:
        past = list(x[:-4:-1, 0])
        for h in range(10):
            mean = regressor.predict([past[:3]])[0]
            path[h] = mean + np.sqrt(own.noise_variance_) * rng.standard_normal()
            past.insert(0, path[h, 0])
    return out


def garch_fits():
    """Of one series."""
    for n in (1000, 10_000):
        yield Case(f"fit, {n} steps", series, n, fit_params, arch_params, likely, quick=500)


def fit_params(x):
    return x, model(x).fit(x[:, None]).params_


def arch_params(x):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        own = import_module("arch").arch_model(x, mean="Constant", rescale=False)
        return x, own.fit(disp="off").params.to_numpy()


def likely(a, b):
    """By our definition, whose first variance is the sample's; the peer has another one."""
    assert plain_log_lik(a[1], a[0]) > plain_log_lik(b[1], b[0]) - 0.01
