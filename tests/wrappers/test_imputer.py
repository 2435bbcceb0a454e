"""Missing entries filled from a density."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LinearRegression
from sklearn.mixture import GaussianMixture as PeerMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skgen import DensityImputer, Gaussian, GaussianMixture

NAN = np.nan


@pytest.fixture
def complete():
    rng = np.random.default_rng(0)
    return rng.normal(size=(300, 3)) @ np.array([[1, 0.8, 0.3], [0, 1, -0.5], [0, 0, 1]]) + 5


@pytest.fixture
def X(complete):
    return np.where(np.random.default_rng(1).random(complete.shape) < 0.2, NAN, complete)


@pytest.fixture
def monotone(complete):
    """Rows of which the last half miss the last column."""
    X = complete[:100, :2].copy()
    X[50:, 1] = NAN
    return X


@pytest.mark.parametrize("method", ["mean", "mode", "draw"])
def test_observed_entries_stay_and_no_entry_is_missing(X, method):
    density = GaussianMixture(2, random_state=0)
    filled = DensityImputer(density, method=method, random_state=0).fit_transform(X)
    assert_array_equal(filled[~np.isnan(X)], X[~np.isnan(X)])
    assert np.isfinite(filled).all()


def test_the_mean_is_the_conditional_mean_of_the_density(X):
    imputer = DensityImputer(GaussianMixture(2, random_state=0)).fit(X)
    filled = imputer.transform(X)
    for i in np.flatnonzero(np.isnan(X).any(axis=1) & ~np.isnan(X).all(axis=1))[:20]:
        part = imputer.density_.conditional(X[i])
        assert_allclose(filled[i, np.isnan(X[i])], part.weights_ @ part.means_, rtol=1e-10)


def test_the_mean_of_a_gaussian_is_the_regression_on_what_is_observed(monotone):
    # Missing entries below observed ones: the likelihood factors, so EM's limit is least squares.
    seen, gone = monotone[:50], monotone[50:]
    line = LinearRegression().fit(seen[:, :1], seen[:, 1])
    filled = DensityImputer(Gaussian(tol=1e-14, reg_covar=0.0)).fit_transform(monotone)
    assert_allclose(filled[50:, 1], line.predict(gone[:, :1]), rtol=1e-6)


def test_the_mode_lies_in_one_component_and_the_mean_between_them():
    rng = np.random.default_rng(0)
    centers = np.repeat([[0.0, -10.0], [0.0, 10.0]], [120, 80], axis=0)
    X = centers + rng.normal(size=(200, 2)) * 0.1
    row = [[0.0, NAN]]
    density = GaussianMixture(2, covariance_type="diag", random_state=0)
    mean = DensityImputer(density).fit(X).transform(row)[0, 1]
    mode = DensityImputer(density, method="mode").fit(X).transform(row)[0, 1]
    assert mode == pytest.approx(-10, abs=0.1)
    assert -8 < mean < 0


def test_draws_have_the_spread_of_the_conditional_distribution(monotone):
    imputer = DensityImputer(method="draw", random_state=0).fit(monotone)
    row = np.tile(monotone[60], (20_000, 1))
    part = imputer.density_.conditional(monotone[60])
    drawn = imputer.transform(row)[:, 1]
    assert drawn.mean() == pytest.approx(part.mean_[0], abs=0.03)
    assert drawn.var() == pytest.approx(part.covariance_[0, 0], rel=0.05)
    assert_array_equal(imputer.transform(row)[:, 1], drawn)


def test_random_state_none_draws_anew(X):
    imputer = DensityImputer(method="draw").fit(X)
    assert not np.array_equal(imputer.transform(X), imputer.transform(X))


def test_multiple_gives_as_many_tables_as_it_is_asked_for(X):
    imputer = DensityImputer(n_imputations=3, random_state=0).fit(X)
    assert len(imputer.densities_) == 3
    assert len(imputer.multiple(X)) == 3
    assert len(imputer.multiple(X, 7)) == 7
    assert len(DensityImputer().fit(X).multiple(X, 4)) == 4


def test_multiple_tables_differ_where_entries_are_missing_only(X):
    tables = np.array(DensityImputer(random_state=0).fit(X).multiple(X, 5))
    assert_array_equal(np.ptp(tables, axis=0) > 0, np.isnan(X))


def test_multiple_repeats_with_its_seed(X):
    imputer = DensityImputer(n_imputations=2, random_state=0).fit(X)
    assert_array_equal(imputer.multiple(X), imputer.multiple(X))
    assert not np.array_equal(imputer.multiple(X), imputer.multiple(X, random_state=1))


def variance_among(imputer, X, m):
    """Variance of the mean of the last column among m completed tables."""
    return np.var([table[:, 1].mean() for table in imputer.fit(X).multiple(X, m)], ddof=1)


def test_the_variance_among_tables_is_that_of_rubin(monotone):
    """The mean of a column which is missing in part, given the other column: Rubin (1987), 5.3.

    Among proper imputations it varies by the noise of the new entries and by what the observed
    rows leave open about the regression; from one fit, by the noise alone.
    """
    x, n_gone = monotone[:, 0], 50
    seen, gone = monotone[:50], monotone[50:]
    residuals = seen[:, 1] - LinearRegression().fit(seen[:, :1], seen[:, 1]).predict(seen[:, :1])
    variance = residuals @ residuals / 50
    leverage = (gone[:, 0].mean() - seen[:, 0].mean()) ** 2 / (50 * seen[:, 0].var())
    share = (n_gone / len(x)) ** 2
    noise = share * variance / n_gone
    proper = noise + share * variance * (1 / 50 + leverage)
    refitted, once = (
        DensityImputer(n_imputations=200, random_state=0),
        DensityImputer(random_state=0),
    )
    assert variance_among(refitted, monotone, 1000) == pytest.approx(proper, rel=0.15)
    assert variance_among(once, monotone, 1000) == pytest.approx(noise, rel=0.15)
    assert proper > 1.8 * noise


def test_rubins_rules_give_the_variance_over_data_sets():
    rng, m = np.random.default_rng(0), 4
    estimates, variances = [], []
    for _ in range(120):
        X = rng.normal(size=(90, 2)) @ np.array([[1.0, 0.4], [0.0, 0.9]])
        X[30:, 1] = NAN
        imputer = DensityImputer(n_imputations=m, random_state=int(rng.integers(2**31))).fit(X)
        tables = imputer.multiple(X)
        means = [table[:, 1].mean() for table in tables]
        within = np.mean([table[:, 1].var(ddof=1) / 90 for table in tables])
        estimates.append(np.mean(means))
        variances.append(within + (1 + 1 / m) * np.var(means, ddof=1))
    assert np.mean(variances) == pytest.approx(np.var(estimates), rel=0.25)


def test_threads_change_nothing(X):
    one, two = (DensityImputer(n_imputations=4, random_state=0, n_jobs=n).fit(X) for n in (1, 2))
    assert_array_equal(one.multiple(X), two.multiple(X))


def test_weights_count_in_the_further_densities(X):
    weights = np.where(np.arange(len(X)) < 150, 1.0, 0.0)
    X[150:] += 100.0
    imputer = DensityImputer(n_imputations=2, random_state=0).fit(X, sample_weight=weights)
    for density in imputer.densities_:
        assert_allclose(density.mean_, np.nanmean(X[:150], axis=0), atol=0.5)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_the_output_is_an_array_unless_a_frame_is_asked_for(X, library):
    names = ["a", "b", "c"]
    frame = pd.DataFrame(X, columns=names) if library == "pandas" else pl.DataFrame(X, names)
    imputer = DensityImputer().fit(frame)
    assert type(imputer.transform(frame)) is np.ndarray
    found = imputer.set_output(transform=library).transform(frame)
    assert type(found) is type(frame)
    assert list(found.columns) == ["a", "b", "c"]
    assert_array_equal(imputer.get_feature_names_out(), ["a", "b", "c"])


def test_it_works_within_pipelines_and_column_transformers(X, complete):
    frame = pd.DataFrame(X, columns=["a", "b", "c"]).assign(kind="k")
    columns = ColumnTransformer(
        [("gaps", DensityImputer(), ["a", "b", "c"])], remainder="passthrough"
    ).set_output(transform="pandas")
    found = columns.fit_transform(frame)
    assert list(found.columns) == ["gaps__a", "gaps__b", "gaps__c", "remainder__kind"]
    model = make_pipeline(StandardScaler(), DensityImputer(), LinearRegression())
    assert model.fit(X, complete.sum(axis=1)).score(X, complete.sum(axis=1)) > 0.8


def test_further_densities_need_one_that_takes_weights(X):
    class Unweighted(Gaussian):
        def fit(self, X, y=None):
            return super().fit(X)

    with pytest.raises(TypeError, match="n_imputations=1"):
        DensityImputer(Unweighted(), n_imputations=2).fit(X)


def test_a_density_must_impute(X):
    with pytest.raises(ValueError, match="'impute'"):
        DensityImputer(PeerMixture()).fit(X)
