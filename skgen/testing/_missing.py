"""Checks of missing entries: NaN is marginalised, imputed values come from the conditional."""

import numpy as np

from ._case import draw
from ._data import with_holes
from ._definition import assert_follows, log_total
from ._registry import assert_close, assert_refused, density_check


def slices(case, X, j, size):
    """For three rows: the row, and its copies with column j moved along the axis of the column."""
    points, log_weights = case.kind.axis(X[:, j], size)
    for row in X[:3]:
        line = np.repeat(row[None], len(points), axis=0)
        line[:, j] = points
        yield row, line, log_weights


def conditionals(case, model, X, j, size=2001):
    """For three rows: the row without entry j, points for the entry, its conditional mass there."""
    for row, line, log_weights in slices(case, X, j, size):
        log_mass = model.score_samples(line) + log_weights
        asked = row[None].copy()
        asked[0, j] = np.nan
        yield asked, line, np.exp(log_mass - np.logaddexp.reduce(log_mass))


@density_check("nan")
def check_nan_scores_the_marginal(case):
    """A row with NaN has the log density of its other entries: the missing integrated out."""
    X = case.rows(apart=3)
    model = case.fit(X)
    n_features = X.shape[1]
    for j in range(n_features):
        # One entry missing, then two: the second integral goes over scores with one NaN.
        for also in (None, (j + 1) % n_features):
            rows = X.copy()
            if also is not None:
                rows[:, also] = np.nan
            for row, line, log_weights in slices(case, rows, j, 1001):
                row = np.where(np.arange(n_features) == j, np.nan, row)
                expected = log_total(model.score_samples(line), log_weights)
                actual = model.score_samples(row[None])[0]
                assert_close(actual, expected, 1e-5, f"score of {row} against the integral")


@density_check("nan")
def check_an_empty_row_scores_zero(case):
    """A row with nothing observed has log density 0, and the rows around it keep their places."""
    X = case.rows()
    model = case.fit(X)
    expected = model.score_samples(X[:6])
    expected[[0, 3, 5]] = 0
    X = X[:6].copy()
    X[[0, 3, 5]] = np.nan
    assert_close(model.score_samples(X), expected, 1e-12, "scores with empty rows")
    assert_close(model.score_samples(X[[0]]), np.zeros(1), 1e-12, "score of one empty row")


@density_check("nan")
def check_fit_takes_missing_entries(case):
    """A fit to rows with NaN gives finite scores, near those of the fit to the complete rows."""
    X = case.rows(400)
    complete = case.fit(X).score_samples(X)
    holed = case.fit(with_holes(X)).score_samples(X)
    assert np.isfinite(holed).all(), "the fit to rows with NaN gives scores that are not finite."
    loss = complete.mean() - holed.mean()
    assert loss < 0.25, f"missing entries cost {loss:.3g} nats a row."


@density_check("nan")
def check_an_empty_row_teaches_nothing(case):
    """A fit is the same with and without rows in which nothing is observed."""
    X = case.rows()
    empty = np.full((20, X.shape[1]), np.nan)
    expected = case.fit(X).score_samples(X)
    actual = case.fit(np.concatenate([empty, X])).score_samples(X)
    assert_close(actual, expected, case.tolerance, "scores after a fit with empty rows")


@density_check("no_nan")
def check_nan_is_refused_by_name(case):
    """A density without a rule for NaN says so, in fit and in scoring."""
    X = case.rows()
    holed = with_holes(X)
    assert_refused(lambda: case.fit(holed), "nan", "missing")
    model = case.fit(X)
    assert_refused(lambda: model.score_samples(holed), "nan", "missing")


@density_check("impute")
def check_impute_leaves_the_observed_alone(case):
    """`impute` fills every NaN and changes no other entry, nor its input."""
    X = case.rows()
    holed = with_holes(X)
    before = holed.copy()
    filled = np.asarray(case.fit(X).impute(holed))
    assert_close(holed, before, 0, "the input of impute")
    assert np.isfinite(filled).all(), "impute leaves entries that are not finite."
    assert_close(np.where(np.isnan(holed), np.nan, filled), holed, 0, "observed entries")


@density_check("impute")
def check_imputed_mean_is_the_conditional_mean(case):
    """`impute(X, method="mean")` is the mean of the density along the missing entry."""
    X = case.rows(apart=3)
    model = case.fit(X)
    for j in range(X.shape[1]):
        for asked, line, mass in conditionals(case, model, X, j):
            actual = model.impute(asked, method="mean")
            assert_close(np.asarray(actual)[0, j], mass @ line[:, j], 1e-4, "imputed mean")


@density_check("impute")
def check_imputed_mode_is_the_most_probable_value(case):
    """Where no other cluster is near, `impute(X, method="mode")` maximises the density."""
    X = case.rows()
    model = case.fit(X)
    for j in range(X.shape[1]):
        for asked, line, _ in conditionals(case, model, X, j):
            reached = model.score_samples(np.asarray(model.impute(asked, method="mode")))[0]
            short = model.score_samples(line).max() - reached
            assert short < 1e-6, f"the imputed mode is {short:.3g} nats below a better value."


@density_check("impute")
def check_imputed_draws_follow_the_conditional(case):
    """`impute(X, method="draw")` draws the missing entry from the density given the others."""
    X = case.rows(apart=3)
    model = case.fit(X)
    j = 1
    for seed, (asked, line, mass) in enumerate(conditionals(case, model, X, j)):
        many = np.repeat(asked, 2_000, axis=0)
        drawn = np.asarray(model.impute(many, method="draw", random_state=seed))[:, j]
        assert_follows(drawn, line[:, j], mass, case.kind.discrete, "imputed draws")


@density_check("marginal")
def check_marginal_is_the_score_of_the_others_missing(case):
    """`marginal(features)` scores the columns as the density scores rows with the others NaN."""
    X = case.rows(apart=3)
    model = case.fit(X)
    for features in ([0], [2, 0]):
        holed = np.full_like(X, np.nan)
        holed[:, features] = X[:, features]
        actual = model.marginal(features).score_samples(X[:, features])
        assert_close(actual, model.score_samples(holed), 1e-9, f"marginal of {features}")


@density_check("conditional")
def check_conditional_is_the_joint_over_the_marginal(case):
    """`conditional(values)` has the density p(free, given) / p(given)."""
    X = case.rows(apart=3)
    model = case.fit(X)
    for free in ([1], [0, 2]):
        given = X[0].copy()
        given[free] = np.nan
        joint = np.repeat(X[:1], len(X), axis=0)
        joint[:, free] = X[:, free]
        expected = model.score_samples(joint) - model.score_samples(given[None])
        actual = model.conditional(given).score_samples(X[:, free])
        assert_close(actual, expected, 1e-9, f"conditional of {free}")


@density_check("conditional", "sample")
def check_draws_of_the_conditional_follow_it(case):
    """Samples of `conditional(values)` follow the density along the free entry."""
    X = case.rows(apart=3)
    model = case.fit(X)
    for asked, line, mass in conditionals(case, model, X, 1):
        drawn, _ = draw(model.conditional(asked[0]), 2_000, 0)
        assert_follows(drawn[:, 0], line[:, 1], mass, case.kind.discrete, "conditional draws")
