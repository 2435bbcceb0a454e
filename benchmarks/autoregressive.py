"""Autoregressions against statsmodels, and where they are installed statsforecast and librosa."""

import warnings
from functools import partial
from importlib import import_module
from importlib.util import find_spec

import numpy as np
from numpy.testing import assert_allclose
from scipy.signal import lfilter

from skgen import AR, lpc
from skgen._kernels import _ar

from ._runner import Case

NOTE = """\
The same numbers from the same series: by least squares given the first values, by Burg's method,
and by maximum likelihood, whose peers search by finite differences and stop short of the optimum;
there ours is checked to be at least as likely. *rows* counts steps, series or frames. Ours is
called as an estimator, with validation, on two-dimensional arrays, but where a line says
*computation alone*."""
COEF = [0.5, -0.3, 0.2]


def tables(run):
    """One table for each peer."""
    peers = {
        "statsmodels": (one_series, several_columns, gaps),
        "statsforecast": (panels,),
        "librosa": (frames,),
    }
    for peer, makers in peers.items():
        if find_spec(peer) is None:
            run.progress(f"{peer} is not installed")
            continue
        cases = [case for make in makers for case in make()]
        table = run.timing_table(f"against {peer}", NOTE, cases, ("skgen", peer))
        if table is not None:
            yield table


def series(n, seed=0, burn=1000):
    """One stationary series of three lags."""
    noise = np.random.default_rng(seed).standard_normal(n + burn)
    return lfilter([1.0], [1.0, *np.negative(COEF)], noise)[burn:]


def many(n, share=0.0, length=200):
    """Series of two hundred steps, of which a share is missing."""
    X = [series(length, seed)[:, None] for seed in range(n)]
    rng = np.random.default_rng(0)
    for x in X:
        x[rng.random(x.shape) < share] = np.nan
    return X


def one_series():
    """Least squares and Burg's method."""
    for n, p in ((1000, 4), (1000, 32), (1_000_000, 4), (1_000_000, 32)):
        yield Case(
            f"AutoReg, {p} lags",
            series,
            n,
            partial(ours, p, "conditional"),
            partial(autoreg, p),
            lambda a, b: assert_allclose(a, b, rtol=1e-6, atol=1e-9),
            quick=1000,
            target=1000 if (n, p) == (1_000_000, 32) else None,
        )
    for name, mine in (("estimator", choose), ("computation alone", choose_without_door)):
        yield Case(
            f"ar_select_order, 30 lags: {name}",
            series,
            10_000,
            mine,
            select_order,
            same,
            target=5000,
        )
    for n in (100_000, 1_000_000):
        yield Case("burg, 32 lags", series, n, partial(ours, 32, "burg"), burg, close)


def ours(p, method, x):
    model = AR(p, method=method).fit(x[:, None])
    return np.r_[model.intercept_, model.coef_] if method == "conditional" else model.coef_


def autoreg(p, x):
    return import_module("statsmodels.tsa.ar_model").AutoReg(x, p).fit().params


def choose(x):
    return AR("aic", max_order=30, method="conditional").fit(x[:, None]).order_


def choose_without_door(x):
    """What the estimator computes: the mean, all orders, the choice and its coefficients.

    Without validation, criteria of all orders and attributes, which take as long for any series.
    """
    floor, price, offsets = np.full(1, 1e-300), np.full(1, 2.0), np.array([0, len(x)])
    values, _, _ = _ar.centred(x)
    return _ar.least_squares(values, offsets, 30, floor, price=price)[1][0]


def select_order(x):
    lags = import_module("statsmodels.tsa.ar_model").ar_select_order(x, 30, ic="aic").ar_lags
    return lags[-1] if lags else 0


def burg(x):
    return import_module("statsmodels.regression.linear_model").burg(x, 32)[0]


def same(a, b):
    assert a == b


def close(a, b):
    assert_allclose(a, b, rtol=1e-7, atol=1e-9)


def several_columns():
    """The choice of an order of vector autoregressions."""
    yield Case(
        "VAR.select_order, 8 columns, 12 lags",
        columns,
        100_000,
        lambda x: AR("aic", max_order=12, method="conditional").fit(x).order_,
        lambda x: import_module("statsmodels.tsa.api").VAR(x).select_order(12).aic,
        same,
        target=200,
    )


def columns(n):
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((n + 1000, 8)) @ (np.eye(8) + 0.3 * rng.standard_normal((8, 8)))
    return lfilter([1.0], [1.0, -0.6, 0.3, -0.1, 0.05], noise, axis=0)[1000:]


def gaps():
    """Maximum likelihood with a tenth of the values missing, or with a trend."""
    for p, n in ((4, 10), (12, 3)):
        yield Case(
            f"ARIMA({p}, 0, 0) of series of 200, 10 % missing",
            partial(many, share=0.1),
            n,
            partial(panel, p),
            partial(arima, p),
            as_likely,
            quick=2,
            target=400 if p == 4 else None,
        )
    yield Case(
        "ARIMA(4, 0, 0) with a linear trend, series of 200",
        many,
        10,
        partial(panel, 4, trend="linear"),
        partial(arima, 4, trend="ct"),
        as_likely,
        quick=2,
    )


def panel(p, X, **terms):
    return AR(p, pooled=False, **terms).fit(X).log_lik_


def arima(p, X, trend="c"):
    model = import_module("statsmodels.tsa.arima.model").ARIMA
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [model(x[:, 0], order=(p, 0, 0), trend=trend).fit().llf for x in X]


def as_likely(mine, theirs):
    assert (np.asarray(mine) > np.asarray(theirs) - 1e-3).all()


def panels():
    """Maximum likelihood of many series."""
    for p, n in ((4, 100), (12, 20)):
        yield Case(
            f"ARIMA({p}, 0, 0) of series of 200",
            many,
            n,
            partial(panel, p),
            partial(statsforecast, p),
            as_likely,
            quick=5,
            target=1000 if p == 4 else None,
        )


def statsforecast(p, X):
    arima = import_module("statsforecast.arima").arima
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [arima(x[:, 0], order=(p, 0, 0), method="ML")["loglik"] for x in X]


def frames():
    """Linear prediction of a long signal, and of frames of 400 samples."""
    yield Case(
        "lpc of one signal, 16 lags",
        series,
        1_000_000,
        partial(lpc, order=16),
        signal,
        close,
        target=50,
    )
    yield Case(
        "lpc of frames of 400, 16 lags", framed, 998, partial(lpc, order=16), signal, close,
        target=10,
    )  # fmt: skip


def framed(n):
    return np.stack([series(400, seed) for seed in range(n)])


def signal(x):
    return import_module("librosa").lpc(x, order=16)
