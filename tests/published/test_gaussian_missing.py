"""Exact maximum likelihood of one Gaussian with missing entries: published and independent fits."""

import numpy as np
import pytest

from skgen import Gaussian
from skgen.datasets import load_airquality, load_apple, load_cement, load_penguins

# Log-likelihood and mean; the tolerances are half a unit of the last digit given.
FITS = {
    # Little and Rubin (1987), Statistical Analysis with Missing Data
    "apple": (load_apple().data, -101.785632, [14.7222, 49.3333]),
    "cement": (load_cement().data, -132.925250, [6.6552, 49.9653, 11.7692, 27.0471, 95.4231]),
    "airquality": (
        load_airquality().data[:, :4],
        -2326.697383,
        [41.87117, 184.84681, 9.95752, 77.88235],
    ),
    "penguins": (load_penguins().data, -5520.4030, None),
}
DIGITS = {"apple": (6, 4), "cement": (6, 4), "airquality": (6, 5), "penguins": (4, None)}


@pytest.mark.parametrize("name", FITS)
def test_the_fit_with_gaps_is_the_published_one(name):
    X, log_likelihood, mean = FITS[name]
    model = Gaussian().fit(X)
    assert model.converged_
    digits, digits_of_mean = DIGITS[name]
    found = model.score_samples(X).sum()
    np.testing.assert_allclose(found, log_likelihood, rtol=0, atol=0.51 * 10.0**-digits)
    if mean is not None:
        np.testing.assert_allclose(model.mean_, mean, rtol=0, atol=0.51 * 10.0**-digits_of_mean)


def test_the_covariance_of_the_apple_crops_is_that_of_little_and_rubin():
    covariance = Gaussian().fit(load_apple().data).covariance_
    expected = [[89.5340, -90.6967], [-90.6967, 114.6950]]
    np.testing.assert_allclose(covariance, expected, rtol=0, atol=0.51e-4)


def test_the_apple_crops_equal_the_closed_form_of_their_monotone_gaps():
    """Where one column is complete, the likelihood factors into a mean and a regression."""
    X = load_apple().data
    size, both = X[:, 0], X[~np.isnan(X).any(axis=1)]
    slope, intercept = np.polyfit(both[:, 0], both[:, 1], 1)
    noise = np.var(both[:, 1] - slope * both[:, 0] - intercept)
    model = Gaussian().fit(X)
    mean = [size.mean(), intercept + slope * size.mean()]
    cross = slope * size.var()
    covariance = [[size.var(), cross], [cross, noise + slope * cross]]
    np.testing.assert_allclose(model.mean_, mean, rtol=1e-7)
    np.testing.assert_allclose(model.covariance_, covariance, rtol=1e-6)
