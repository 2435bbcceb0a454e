"""Covariances that are shrunk, from complete rows and from rows with gaps."""

import numpy as np
import pytest
from gaussians import COVARIANCE, MEAN, NAN, by_hand, correlated, with_gaps
from sklearn.covariance import OAS, LedoitWolf, ShrunkCovariance

from skgen import Gaussian
from skgen._sequences import Rows
from skgen.gaussian._shrinkage import effective_rows, mean_fourth_power


@pytest.mark.parametrize(("n", "d"), [(60, 4), (10, 30), (50, 1)])
@pytest.mark.parametrize(
    ("shrinkage", "peer"),
    [("ledoit_wolf", LedoitWolf()), ("oas", OAS()), (0.3, ShrunkCovariance(shrinkage=0.3))],
)
def test_shrinkage_of_complete_rows_is_that_of_scikit_learn(rng, n, d, shrinkage, peer):
    X = correlated(rng, n, d)
    model, peer = Gaussian(shrinkage=shrinkage).fit(X), peer.fit(X)
    np.testing.assert_allclose(model.covariance_, peer.covariance_, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(model.mean_, peer.location_, rtol=1e-12)
    assert model.lower_bound_ == pytest.approx(model.score(X), rel=1e-12)
    if d > 1:
        share = getattr(peer, "shrinkage_", shrinkage)
        np.testing.assert_allclose(model.shrinkage_, share, rtol=1e-12)


def test_reg_covar_is_added_to_what_was_shrunk(rng):
    X = correlated(rng, 10, 30)
    plain, more, none = (
        Gaussian(shrinkage=0.3, reg_covar=reg_covar).fit(X) for reg_covar in ("auto", 2.0, 0.0)
    )
    np.testing.assert_allclose(more.covariance_, plain.covariance_ + 2 * np.eye(30), atol=1e-12)
    np.testing.assert_allclose(none.covariance_, plain.covariance_, atol=1e-12)


@pytest.mark.parametrize("gaps", [0.0, 0.3])
@pytest.mark.parametrize("shrinkage", ["ledoit_wolf", "oas"])
def test_weights_are_repetitions_to_the_shrinkage(rng, shrinkage, gaps):
    X = with_gaps(correlated(rng, 40), rng, gaps)
    times = rng.integers(1, 4, len(X))
    weighted = Gaussian(shrinkage=shrinkage).fit(X, sample_weight=times)
    repeated = Gaussian(shrinkage=shrinkage).fit(np.repeat(X, times, axis=0))
    np.testing.assert_allclose(weighted.shrinkage_, repeated.shrinkage_, rtol=1e-6)
    assert 0.01 < weighted.shrinkage_ < 1


def test_complete_rows_count_each_and_rows_with_gaps_less(rng):
    X = correlated(rng, 50)
    assert effective_rows(Rows(X), COVARIANCE) == 50
    X[:, 0] = NAN  # an unobserved column leaves one row's worth of knowledge about itself
    assert 1 < effective_rows(Rows(X), COVARIANCE) < 10
    X = np.vstack([correlated(rng, 50), np.full((20, 3), NAN)])
    assert effective_rows(Rows(X), COVARIANCE) == pytest.approx(50, rel=1e-12)


def test_the_expected_fourth_power_is_the_mean_over_draws_of_the_missing():
    model = by_hand(MEAN, COVARIANCE)
    X = np.array([[4.0, NAN, NAN], [NAN, NAN, 9.0], [NAN, 2.0, -1.0], [1.0, 0.0, 1.0], [NAN] * 3])
    expected = mean_fourth_power(Rows(X), MEAN, COVARIANCE, unit=1.7)
    many = np.repeat(X[:4], 100_000, axis=0)  # the empty row does not count
    powers = ((model.impute(many, "draw", 0) - MEAN) ** 2).sum(axis=1) ** 2 / 1.7**2
    error = powers.reshape(4, -1).std(axis=1).mean() / 400_000**0.5
    assert expected == pytest.approx(powers.mean(), abs=5 * error)


@pytest.mark.parametrize("shrinkage", ["ledoit_wolf", "oas"])
def test_gaps_call_for_more_shrinkage_and_empty_rows_for_none(rng, shrinkage):
    X = correlated(rng, 60, 5)
    holed = with_gaps(X, rng, 0.3)
    complete, model = (Gaussian(shrinkage=shrinkage).fit(data) for data in (X, holed))
    assert complete.shrinkage_ < model.shrinkage_ < 1
    again = Gaussian(shrinkage=shrinkage).fit(np.vstack([holed, np.full((30, 5), NAN)]))
    np.testing.assert_allclose(again.shrinkage_, model.shrinkage_, rtol=1e-6)


def test_shrinkage_helps_where_rows_are_few(rng):
    truth = by_hand(np.zeros(20), 0.3 ** abs(np.subtract.outer(np.arange(20), np.arange(20))))
    X, test = truth.sample(80, random_state=1), truth.sample(500, random_state=2)
    for data in (X, with_gaps(X, rng, 0.1)):
        plain = Gaussian(tol=1e-3).fit(data).score(test)
        for shrinkage in ("ledoit_wolf", "oas"):
            assert Gaussian(shrinkage=shrinkage, tol=1e-3).fit(data).score(test) > plain + 1
