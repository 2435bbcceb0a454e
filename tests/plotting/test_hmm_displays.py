"""Displays of hidden Markov models show what the models say."""

import datetime

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skgen import GaussianHMM, PoissonHMM
from skgen.datasets import load_earthquakes
from skgen.plotting import StatePathDisplay, TransitionGraphDisplay
from skgen.plotting._transition_graph import APART, RADIUS, between, ring

pyplot = pytest.importorskip("matplotlib.pyplot")
YEARS, COUNTS = load_earthquakes().data.T
X = COUNTS[:, None]


@pytest.fixture(scope="module")
def model():
    return PoissonHMM(3, random_state=0).fit(X)


@pytest.fixture(autouse=True)
def closed():
    yield
    pyplot.close("all")


def covered(area, time):
    """The share of the height that an area covers at a time."""
    heights = np.linspace(0.0005, 0.9995, 1000)
    points = np.column_stack([np.full(1000, time), heights])
    inside = [path.contains_points(points) for path in area.get_paths()]
    return np.any(inside, axis=0).mean() if inside else 0.0


def test_bands_are_the_path(model):
    display = StatePathDisplay.from_estimator(model, X, dates=YEARS)
    shown = [[covered(area, year) for area in display.areas_] for year in YEARS]
    assert_array_equal(np.argmax(shown, axis=1), model.predict(X))
    assert_array_equal(np.sum(shown, axis=1), 1.0)
    assert_array_equal(display.lines_[0].get_ydata(), COUNTS)


@pytest.mark.parametrize(
    ("kind", "method"), [("smoothed", "predict_proba"), ("filtered", "filter")]
)
def test_areas_are_the_probabilities(model, kind, method):
    display = StatePathDisplay.from_estimator(model, X, kind=kind, dates=YEARS)
    shown = [[covered(area, year) for area in display.areas_] for year in YEARS]
    expected = model.predict_proba(X) if kind == "smoothed" else model.filter(X)
    assert_allclose(shown, expected, atol=2e-3)


@pytest.mark.parametrize("kind", ["path", "smoothed"])
def test_the_background_leaves_the_scale_of_the_series(model, kind):
    display = StatePathDisplay.from_estimator(model, X, kind=kind, series=COUNTS + 1000)
    low, high = display.ax_.get_ylim()
    assert low > 990
    assert high < 1050


def test_gaps_stay_gaps(model):
    gaps = np.where(COUNTS > 30, np.nan, COUNTS)
    display = StatePathDisplay.from_estimator(model, gaps[:, None])
    assert_array_equal(np.isnan(display.lines_[0].get_ydata()), COUNTS > 30)


def test_dates_of_an_index_are_those_of_the_axis():
    pandas = pytest.importorskip("pandas")
    days = pandas.date_range("2020-01-31", periods=60, freq="D", tz="Europe/Zurich")
    frame = pandas.DataFrame({"level": np.repeat([0.0, 5.0], 30)}, index=days)
    frame["level"] += np.random.default_rng(0).normal(0, 0.5, 60)
    model = GaussianHMM(2, random_state=0).fit(frame)
    ax = StatePathDisplay.from_estimator(model, frame).ax_
    assert ax.get_ylabel() == "level"
    ax.figure.canvas.draw()
    assert any("Mar" in label.get_text() for label in ax.get_xticklabels())
    periods = frame.tz_localize(None).to_period("D")
    by_period = StatePathDisplay.from_estimator(model, periods)
    plain = [datetime.date(2020, 1, 31) + datetime.timedelta(i) for i in range(60)]
    by_date = StatePathDisplay.from_estimator(model, frame, dates=plain)
    assert_array_equal(by_period.lines_[0].get_xdata(), by_date.lines_[0].get_xdata())


def test_another_series_can_be_drawn():
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    returns = rng.normal(0, np.repeat([1.0, 4.0], 50))[:, None]
    model = GaussianHMM(2, random_state=0).fit(returns)
    index = pandas.period_range("2001-01", periods=100, freq="M")
    series = pandas.Series(returns.cumsum(), index=index, name="price")
    display = StatePathDisplay.from_estimator(model, [returns], series=series)
    assert_array_equal(display.lines_[0].get_ydata(), series)
    assert display.ax_.get_ylabel() == "price"
    with pytest.raises(ValueError, match="series has 99 steps"):
        StatePathDisplay.from_estimator(model, returns, series=series[1:])


def test_columns_and_states_are_named(model):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(np.random.default_rng(0).normal(size=(40, 2)), columns=["u", "v"])
    fitted = GaussianHMM(2, random_state=0).fit(frame)
    display = StatePathDisplay.from_estimator(fitted, frame, labels=["calm", "wild"])
    names = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert names == ["calm", "wild", "u", "v"]
    fitted = GaussianHMM(2, random_state=0).fit(frame.to_numpy())
    plain = StatePathDisplay.from_estimator(fitted, frame.to_numpy())
    assert [text.get_text() for text in plain.ax_.get_legend().get_texts()] == [
        "state 0",
        "state 1",
    ]


def test_one_step_is_enough(model):
    display = StatePathDisplay.from_estimator(model, X[:1])
    assert_array_equal(display.ax_.get_xlim(), [-0.5, 0.5])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "viterbi"}, "kind='viterbi'"),
        ({"labels": ["a"]}, "labels has 1 names, but there are 3 states"),
        ({"colors": ["red"]}, "colors has 1 colours"),
        ({"dates": YEARS[:5]}, r"dates has shape \(5,\)"),
    ],
)
def test_mistakes_are_named(model, options, message):
    with pytest.raises(ValueError, match=message):
        StatePathDisplay.from_estimator(model, X, **options)


def test_one_sequence_is_drawn_at_a_time(model):
    with pytest.raises(ValueError, match="X holds 2 sequences"):
        StatePathDisplay.from_estimator(model, [X, X])


def test_arrows_are_the_transitions(model):
    display = TransitionGraphDisplay.from_estimator(model, smallest=0.04)
    assert set(display.arrows_) == set(map(tuple, np.argwhere(model.transmat_ >= 0.04).tolist()))
    everything = TransitionGraphDisplay.from_estimator(model, smallest=0.0)
    assert len(everything.arrows_) == (model.transmat_ > 0).sum()
    widths = {move: arrow.get_linewidth() for move, arrow in everything.arrows_.items()}
    ordered = sorted(widths, key=lambda move: model.transmat_[move])
    assert sorted(widths.values()) == [widths[move] for move in ordered]


def test_circles_hold_share_and_mean(model):
    display = TransitionGraphDisplay.from_estimator(model, labels=["a", "b", "c"])
    for k, text in enumerate(display.texts):
        share, mean = model.stationary_distribution_[k], model.rates_[k, 0]
        assert text == f"{'abc'[k]}\n{share:.0%}\nmean {mean:.3g}"
    bare = TransitionGraphDisplay.from_estimator(model, feature=None)
    assert bare.texts[0].count("\n") == 1


def test_chains_that_never_return_stand_in_a_row():
    rng = np.random.default_rng(0)
    sequences = [rng.normal(np.repeat([0, 4, 8], 10), 1.0)[:, None] for _ in range(5)]
    model = GaussianHMM(3, topology="linear", random_state=0).fit(sequences)
    display = TransitionGraphDisplay.from_estimator(model)
    centres = np.array([circle.center for circle in display.circles_])
    assert_array_equal(centres[:, 1], 0.0)
    assert_allclose(np.diff(centres[:, 0]), APART)
    assert display.shares is None  # all time is spent in the last state in the long run
    assert not any("%" in text for text in display.texts)


@pytest.mark.parametrize("n_states", range(1, 9))
def test_circles_of_a_ring_do_not_touch(n_states):
    places = ring(n_states)
    apart = np.linalg.norm(places[:, None] - places[None], axis=-1)
    assert (apart[~np.eye(n_states, dtype=bool)] > 2 * RADIUS + 0.5).all()


def test_arrows_begin_and_end_at_the_rims():
    one, other = np.array([0.0, 0.0]), np.array([2.0, 1.0])
    start, stop, _ = between(one, other, 0.3)
    for end, centre in ((start, one), (stop, other)):
        assert RADIUS < np.linalg.norm(end - centre) < RADIUS + 0.05
    assert np.linalg.norm(stop - start) < np.linalg.norm(other - one) - 1.7 * RADIUS
