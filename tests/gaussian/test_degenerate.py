"""Columns without variance of their own: what the fit says, and what helps."""

import numpy as np
import pytest
from gaussians import NAN, correlated, with_gaps
from sklearn.exceptions import ConvergenceWarning

from skgen import Gaussian


def degenerate(rng, fault):
    X = correlated(rng, 50)
    if fault == "constant":
        X[:, 1] = 5.0
    elif fault == "copied":
        X[:, 2] = 1e3 * X[:, 0] - 7
    elif fault == "sum":
        X = np.column_stack([X, X[:, 0] + X[:, 2]])
    elif fault == "one row":
        X = X[:1]
    return X


FAULTS = {
    "constant": "column 1 does not vary; leave it out",
    "copied": "some combination of column 0, column 2 does not vary; leave one out",
    "sum": "some combination of column 0, column 2, column 3 does not vary; leave one out",
    "one row": "column 2 does not vary, as they are observed together in 1 rows only; pass more",
}


@pytest.mark.parametrize("gaps", [0.0, 0.2])
@pytest.mark.parametrize("fault", FAULTS)
def test_columns_without_variance_are_told_by_name_and_the_fit_is_finite(rng, fault, gaps):
    X = degenerate(rng, fault)
    X = with_gaps(X, rng, gaps if len(X) > 1 else 0)
    with pytest.warns(ConvergenceWarning, match=FAULTS[fault]) as told:
        model = Gaussian().fit(X)
    assert told[0].filename == __file__
    assert np.isfinite(model.score_samples(X)).all()
    assert np.isfinite(model.impute(np.full_like(X[:3], NAN), "draw", 0)).all()
    np.linalg.cholesky(model.covariance_)


@pytest.mark.parametrize("fault", FAULTS)
def test_shrinkage_by_nothing_is_the_plain_fit(rng, fault):
    X = degenerate(rng, fault)
    with pytest.warns(ConvergenceWarning, match=FAULTS[fault]):
        plain = Gaussian().fit(X)
    with pytest.warns(ConvergenceWarning, match=FAULTS[fault]):
        model = Gaussian(shrinkage=0.0).fit(X)
    np.testing.assert_allclose(model.covariance_, plain.covariance_, rtol=1e-9)


@pytest.mark.filterwarnings("ignore:EM did not converge")
def test_features_that_are_seldom_observed_together_are_told(rng):
    X = with_gaps(rng.standard_normal((30, 10)), rng, 0.2)
    cause = r"does not vary, as they are observed together in \d rows only; pass more.*shrinkage"
    with pytest.warns(ConvergenceWarning, match=cause):
        model = Gaussian(tol=1e-6).fit(X)
    remedied = Gaussian(shrinkage="oas", tol=1e-6).fit(X)
    test = rng.standard_normal((100, 10))
    assert remedied.score(test) > -20 > model.score(test)


@pytest.mark.parametrize("kind", ["diag", "spherical"])
def test_a_constant_column_is_told_where_it_matters(rng, kind):
    X = degenerate(rng, "constant")
    if kind == "diag":
        with pytest.warns(ConvergenceWarning, match="column 1 does not vary"):
            Gaussian(kind).fit(X)
    else:
        Gaussian(kind).fit(X)  # the other columns give the variance
        with pytest.warns(ConvergenceWarning, match="column 0 does not vary"):
            Gaussian(kind).fit(X[:, [1]])


@pytest.mark.parametrize("settings", [{"shrinkage": 0.1}, {"shrinkage": "oas"}, {"reg_covar": 0.1}])
@pytest.mark.parametrize("fault", FAULTS)
def test_the_remedies_of_the_warning_help(rng, fault, settings):
    X = degenerate(rng, fault)
    if fault == "one row" and "shrinkage" in settings:
        pytest.skip("without any variance there is nothing to shrink to")
    model = Gaussian(**settings).fit(X)
    assert np.linalg.cond(model.covariance_) < 1e9
