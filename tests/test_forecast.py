"""Forecasts of all models of sequences: their intervals, and how they print."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import PowerTransformer

from skgen import AR, CategoricalHMM, GaussianHMM, NonlinearAR, TransformedSequence
from skgen.datasets import load_sunspots

MODELS = [
    AR(2),
    NonlinearAR(LinearRegression(), order=2),
    GaussianHMM(2, random_state=0),
    TransformedSequence(PowerTransformer(), AR(2)),
]


@pytest.fixture(scope="module")
def spots():
    return load_sunspots().data[:, 1:]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_the_level_of_a_forecast_is_that_of_its_intervals(model, spots):
    model.fit(spots)
    forecast = model.forecast(3, spots, level=0.5)
    assert_array_equal(forecast.interval(), forecast.interval(0.5))
    several = model.forecast(3, [spots, spots[:99]], level=0.5)
    assert [own.level for own in several] == [0.5, 0.5]
    assert model.forecast(3, spots).level == 0.95
    for level in (0, 1.5, "high"):
        with pytest.raises(ValueError, match="level="):
            model.forecast(3, spots, level=level)


def test_a_forecast_prints_its_means_and_limits(spots):
    forecast = AR(9).fit(spots).forecast(2, level=0.9)
    title, names, *rows = str(forecast).splitlines()
    assert title == "Forecast of 2 steps, 90 % intervals"
    assert names.split() == ["step", "mean", "lower", "upper"]
    lower, upper = forecast.interval(0.9)
    expected = np.column_stack([[1, 2], forecast.mean, lower, upper])
    np.testing.assert_allclose(
        [[float(cell) for cell in row.split()] for row in rows], expected, 1e-3
    )


def test_long_and_wide_forecasts_are_cut(spots):
    forecast = AR(1).fit(np.column_stack([spots, spots[::-1]])).forecast(7)
    _, names, *rows, rest = str(forecast).splitlines()
    assert names.split()[:2] == ["step", "column"]
    assert [row.split()[:2] for row in rows][-1] == ["6", "1"]
    assert rest.strip() == "..."


def test_symbols_have_no_limits():
    symbols = np.random.default_rng(0).integers(0, 3, (100, 1))
    forecast = CategoricalHMM(2, random_state=0).fit(symbols).forecast(2)
    assert str(forecast).splitlines()[0] == "Forecast of 2 steps"


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_forecasts_of_frames_print_names_of_columns(model, spots):
    frame = pd.DataFrame({"the number of spots": spots[:, 0], "later": spots[::-1, 0]})
    printed = repr(model.fit(frame).forecast(2, frame)).splitlines()
    assert [line[11:32].strip() for line in printed[2:]] == list(frame.columns) * 2
    assert len({len(line) for line in printed[1:]}) == 1


def test_printed_names_leave_out_exogenous_columns(spots):
    frame = pd.DataFrame({"z": np.arange(289.0), "a": spots[:, 0], "b": spots[::-1, 0]})
    printed = repr(AR(1, exog="z").fit(frame).forecast(1, exog=[[289.0]]))
    assert [line.split()[1] for line in printed.splitlines()[2:]] == ["a", "b"]
