"""Displays show what the models say."""

import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import load_iris

from skgen import GaussianMixture, Mixture
from skgen.emissions import Poisson
from skgen.plotting import ConvergenceDisplay, DensityDisplay
from skgen.plotting._density import enclosing_levels

pytest.importorskip("matplotlib")
TYPES = ("full", "tied", "diag", "spherical")


@pytest.fixture(scope="module")
def X():
    return load_iris().data


@pytest.mark.parametrize("kind", TYPES)
def test_contours_are_the_marginal_density(X, kind):
    model = GaussianMixture(3, covariance_type=kind, random_state=0).fit(X)
    display = DensityDisplay.from_estimator(model, X, features=[2, 0])
    point = [[display.x[10], display.y[20]]]
    assert_allclose(display.log_density[20, 10], model.marginal([2, 0]).score_samples(point)[0])
    assert len(display.ellipses_) == 3


def test_ellipses_hold_nine_tenths_of_their_component(X):
    model = GaussianMixture(1).fit(X[:, :2])
    ellipse = DensityDisplay.from_estimator(model).ellipses_[0]
    drawn = model.sample(20_000, random_state=0)[0]
    inside = ellipse.get_patch_transform().inverted().transform(drawn)
    assert abs(((inside**2).sum(axis=1) < 1).mean() - 0.9) < 0.01


def test_levels_enclose_their_share():
    x = np.linspace(-6, 6, 400)
    log_density = -0.5 * (x**2 + x[:, None] ** 2)
    radius = np.sqrt(-2 * enclosing_levels(log_density))
    assert_allclose(1 - np.exp(-(radius**2) / 2), [0.5, 0.9, 0.99], atol=5e-3)


def test_names_of_features_are_names_of_axes(X):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("abcd"))
    frame.iloc[3, 0] = np.nan
    model = GaussianMixture(2, random_state=0).fit(frame)
    display = DensityDisplay.from_estimator(model, frame, features=["c", "a"])
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("c", "a")
    assert len(display.points) == 149


def test_emissions_without_covariances_have_no_ellipses():
    counts = np.random.default_rng(0).poisson([3.0, 6.0], (200, 2)).astype(float)
    display = DensityDisplay.from_estimator(Mixture(Poisson(), 1).fit(counts), counts)
    assert display.ellipses_ == []


def test_two_features_are_asked_for(X):
    with pytest.raises(ValueError, match="two features"):
        DensityDisplay.from_estimator(GaussianMixture(1).fit(X), features=[1])


def test_curves_are_the_objective(X):
    models = {
        k: GaussianMixture(3, random_state=0, acceleration=k == "on").fit(X) for k in ("on", "off")
    }
    display = ConvergenceDisplay.from_estimator(models)
    for line, model in zip(display.lines_, models.values(), strict=True):
        assert_allclose(line.get_ydata(), model.lower_bounds_)
    gaps = ConvergenceDisplay.from_estimator(models, gap=True)
    assert gaps.ax_.get_yscale() == "log"
    assert np.nanmin(gaps.lines_[0].get_ydata()) > 0


def test_without_matplotlib_the_remedy_is_told(X, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"skgen\[plot\]"):
        ConvergenceDisplay({"a": [1.0]}).plot()
