"""Checks of small and degenerate data: a finite density or an error that says why not."""

import numpy as np

from ._registry import assert_names, assert_refused, density_check, error_of


def assert_fits_or_explains(case, X, *hints):
    """The fit gives finite scores, or a ValueError that has one of the hints."""
    density = case.build()
    error = error_of(lambda: density.fit(X))
    if error is not None:
        assert_names(error, hints)
        return
    scores = density.score_samples(X)
    assert np.isfinite(scores).all(), f"scores are not finite: {scores[~np.isfinite(scores)][:3]}."


@density_check("components")
def check_fewer_rows_than_components_is_refused(case):
    """With fewer rows than components the error names both numbers."""
    density = case.build().set_params(n_components=5)
    X = case.rows(3)
    for hint in ("n_components", "5", "3"):
        assert_refused(lambda: density.fit(X), hint)


@density_check()
def check_one_row(case):
    """One row gives a finite density or an error about the number of rows."""
    assert_fits_or_explains(case, case.rows(1), "n_samples", "sample")


@density_check()
def check_more_columns_than_rows(case):
    """Five rows of twelve columns give a finite density or an error about the number of rows."""
    assert_fits_or_explains(case, case.rows(5, 12), "n_samples", "sample")


@density_check()
def check_constant_column(case):
    """A column of one value gives a finite density or an error that speaks of the column."""
    X = case.rows()
    X[:, 0] = X[0, 0]
    assert_fits_or_explains(case, X, "constant", "column", "feature")
    assert_fits_or_explains(case, X[:, :1], "constant", "column", "feature")


@density_check()
def check_duplicate_rows(case):
    """One point more than components, each 30 times, is fitted or the error speaks of it."""
    X = np.repeat(case.rows(case.n_groups + 1), 30, axis=0)
    assert_fits_or_explains(case, X, "distinct", "duplicate", "identical")


@density_check()
def check_collinear_columns(case):
    """Columns that repeat each other give a finite density or an error that speaks of them."""
    X = case.rows()
    X = np.hstack([X, X[:, :1]])
    assert_fits_or_explains(case, X, "collinear", "singular", "column", "feature")
