"""Displays of sequences show what the models say."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from skgen import AR, GaussianMixture
from skgen.datasets import load_sunspots
from skgen.plotting import ForecastDisplay, SpectrumDisplay, TransitionGraphDisplay

num2date = pytest.importorskip("matplotlib.dates").num2date


@pytest.fixture(scope="module")
def spots():
    return load_sunspots().data


@pytest.fixture(scope="module")
def model(spots):
    return AR(9).fit(spots[:, 1:])


def test_models_that_cannot_be_drawn_are_named():
    rows = GaussianMixture().fit(np.random.default_rng(0).normal(size=(20, 2)))
    draws = {
        "forecast": lambda: ForecastDisplay.from_estimator(rows, np.eye(3), horizon=2),
        "spectrum": lambda: SpectrumDisplay.from_estimator(rows),
        "decode": lambda: TransitionGraphDisplay.from_estimator(rows),
    }
    for method, draw in draws.items():
        with pytest.raises(TypeError, match=f"GaussianMixture.* has no {method}.*such as"):
            draw()


def test_the_bands_are_the_intervals(model, spots):
    display = ForecastDisplay.from_estimator(model, spots[:, 1:], horizon=11, levels=[0.9, 0.5])
    forecast = model.forecast(11, spots[:, 1:])
    assert_allclose(display.mean_line_.get_ydata(), forecast.mean[:, 0])
    assert_allclose(display.line_.get_ydata(), spots[-33:, 1])
    for band, level in zip(display.bands_, [0.9, 0.5], strict=True):
        heights = band.get_paths()[0].vertices[:, 1]
        lower, upper = forecast.interval(level)
        assert_allclose([heights.min(), heights.max()], [lower.min(), upper.max()])


def test_one_of_several_columns_is_drawn(spots):
    noise = np.random.default_rng(0).standard_normal(len(spots))
    X = np.column_stack([spots, spots[:, 1] + 20 * noise])
    model = AR(2, exog=0).fit(X)
    ahead = np.arange(1989.0, 1994.0)[:, None]
    display = ForecastDisplay.from_estimator(
        model, X, horizon=5, column=1, exog=ahead, method="bootstrap"
    )
    assert_allclose(display.line_.get_ydata(), X[-15:, 2])
    assert_allclose(display.mean, model.forecast(5, X, exog=ahead).mean[:, 1])


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        (pd.date_range("2020-01-31", periods=60, freq="ME"), ["2025-01-31", "2025-02-28"]),
        (pd.period_range("2020-01", periods=60, freq="M"), ["2025-01-01", "2025-02-01"]),
        (
            pd.to_datetime(["2020-01-01"] * 58 + ["2020-02-01", "2020-02-04"]),
            ["2020-02-07", "2020-02-10"],
        ),
    ],
    ids=["months", "periods", "no rhythm"],
)
def test_dates_of_frames_go_on_at_their_rhythm(index, expected):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"sales": rng.standard_normal(60)}, index=index)
    display = ForecastDisplay.from_estimator(AR(1).fit(frame), frame, horizon=2)
    ahead = num2date(display.mean_line_.get_xdata())
    assert [str(date.date()) for date in ahead] == expected
    assert display.ax_.get_ylabel() == "sales"
    assert len(display.line_.get_xdata()) == 6


def test_the_curve_is_the_spectrum(model, spots):
    display = SpectrumDisplay.from_estimator({"a": model, "b": model}, frequencies=64)
    assert_allclose(display.lines_[0].get_ydata(), model.spectrum(64)[1])
    peak = display.lines_[0].get_xdata()[np.argmax(display.lines_[0].get_ydata())]
    assert 10 < 1 / peak < 11.5  # years
    with pytest.raises(ValueError, match="several columns"):
        SpectrumDisplay.from_estimator(
            AR(1, method="conditional").fit(np.c_[spots[:, 1], spots[::-1, 1]])
        )
