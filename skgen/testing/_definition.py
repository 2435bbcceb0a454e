"""Checks of what a density is: it sums to one, its samples follow it, its numbers fit together."""

from unittest import SkipTest

import numpy as np

from ._case import draw, has_parameter, split_sample
from ._data import with_holes
from ._registry import assert_close, assert_identical, density_check


def log_total(log_density, log_weights):
    """The logarithm of the integral, or of the sum over the support."""
    return np.logaddexp.reduce(log_density + log_weights)


def ks_distance(values, points, mass, discrete):
    """Largest gap between the shares of values and of mass up to each of the ordered points."""
    share = np.cumsum(mass)
    if not discrete:
        share -= mass / 2  # a node of a grid stands for a cell with itself in the middle
    seen = np.searchsorted(np.sort(values), points, side="right") / len(values)
    return np.abs(share - seen).max()


def assert_follows(values, points, mass, discrete, what):
    """The values could be draws from the mass on the points: chance goes further 1 time in 10^4."""
    limit = 2.2 / np.sqrt(len(values))
    gap = ks_distance(values, points, mass, discrete)
    assert gap < limit, f"{what}: Kolmogorov-Smirnov distance {gap:.3g} is above {limit:.3g}."


@density_check()
def check_scores_are_one_finite_float_per_row(case):
    """`score_samples` gives a float64 vector, one finite log density per training row."""
    X = case.rows()
    scores = case.fit(X).score_samples(X)
    assert isinstance(scores, np.ndarray), f"score_samples gave a {type(scores).__name__}."
    assert scores.shape == (len(X),), f"shape {scores.shape} for {len(X)} rows."
    assert scores.dtype == np.float64, f"dtype {scores.dtype}."
    assert np.isfinite(scores).all(), "a training row has a log density that is not finite."


def _assert_normalised(case, n_features, size):
    X = case.rows(n_features=n_features, apart=4)
    points, log_weights = case.space(X, size)
    total = np.exp(log_total(case.fit(X).score_samples(points), log_weights))
    assert abs(total - 1) < 1e-5, f"the density sums to {total:.6g}, not to 1."


@density_check()
def check_integrates_to_one_in_1d(case):
    """A density of one column integrates to one, or sums to one over its support."""
    _assert_normalised(case, 1, 2001)


@density_check()
def check_integrates_to_one_in_2d(case):
    """A density of two columns integrates to one, or sums to one over its support."""
    _assert_normalised(case, 2, 181)


@density_check("sample")
def check_samples_follow_the_density_in_1d(case):
    """The share of samples below any point is the integral of the density up to it."""
    X = case.rows(n_features=1, apart=4)
    model = case.fit(X)
    points, log_weights = case.space(X, 2001)
    mass = np.exp(model.score_samples(points) + log_weights)
    drawn, _ = draw(model, 10_000, 1)
    assert_follows(drawn[:, 0], points[:, 0], mass, case.kind.discrete, "samples")


@density_check("sample")
def check_samples_have_the_entropy_of_the_density(case):
    """The mean log density of samples of two columns is minus the entropy, got by integration."""
    X = case.rows(n_features=2, apart=4)
    model = case.fit(X)
    points, log_weights = case.space(X, 181)
    log_density = model.score_samples(points)
    mass = np.exp(log_density + log_weights)
    finite = np.where(mass > 0, log_density, 0)
    mean, square = mass @ finite, mass @ finite**2
    seen = model.score_samples(draw(model, 5_000, 1)[0]).mean()
    error = np.sqrt(max(square - mean**2, 0) / 5_000)
    assert abs(seen - mean) < 5 * error + 1e-5, (
        f"mean log density of samples {seen:.4f}, of the density {mean:.4f} (error {error:.2g})."
    )


@density_check("sample")
def check_sample_has_the_shape_of_the_data(case):
    """`sample(n)` gives n finite rows with the columns of the data; `sample()` gives one."""
    model = case.fit(case.rows())
    for n in (1, 7):
        drawn, labels = draw(model, n, 0)
        assert drawn.shape == (n, case.kind.n_features), f"sample({n}) has shape {drawn.shape}."
        assert np.isfinite(drawn).all(), f"sample({n}) has values that are not finite."
        assert labels is None or np.shape(labels) == (n,), f"labels of shape {np.shape(labels)}."
    drawn, _ = split_sample(model.sample())
    assert np.shape(drawn) == (1, case.kind.n_features), f"sample() has shape {np.shape(drawn)}."


@density_check("sample", "predict")
def check_labels_of_samples_are_their_components(case):
    """Where clusters do not touch, `predict` names the component that a sample came from."""
    model = case.fit(case.rows())
    drawn, labels = draw(model, 500, 0)
    if labels is None:
        raise SkipTest("sample gives no labels")
    agreement = np.mean(model.predict(drawn) == labels)
    assert agreement > 0.98, f"predict agrees with the labels of {agreement:.0%} of the samples."


@density_check()
def check_score_is_the_mean_of_score_samples(case):
    """`score(X)` is the mean of `score_samples(X)`, a float."""
    X = case.rows()
    model = case.fit(X)
    score = model.score(X)
    assert isinstance(score, float), f"score gave a {type(score).__name__}."
    assert_close(score, model.score_samples(X).mean(), 1e-12, "score")


@density_check("weights")
def check_score_takes_sample_weight(case):
    """`score(X, y, sample_weight=w)` is the weighted mean of `score_samples(X)`."""
    X = case.rows()
    model = case.fit(X)
    weights = np.arange(len(X)) % 4.0
    assert has_parameter(model, "score", "sample_weight"), "score takes no sample_weight."
    expected = np.average(model.score_samples(X), weights=weights)
    assert_close(model.score(X, None, sample_weight=weights), expected, 1e-12, "weighted score")


@density_check()
def check_a_row_scores_alone_as_in_a_batch(case):
    """The log density of a row does not depend on the rows that are scored with it."""
    X = case.rows(701)
    model = case.fit(X[:100])
    whole = model.score_samples(X)
    for size in (1, 7, 64, 650):
        part = slice(3, 3 + size)
        assert_close(model.score_samples(X[part]), whole[part], 1e-12, f"{size} rows alone")


@density_check("unbounded")
def check_far_rows_have_a_finite_log_density(case):
    """A row ten thousand ranges from the data is improbable, not impossible, and never NaN."""
    X = case.rows()
    model = case.fit(X)
    far = X[:4] + 1e4 * (1 + np.ptp(X))
    scores = model.score_samples(far)
    assert np.isfinite(scores).all(), f"far rows score {scores}."
    assert scores.max() < model.score_samples(X).min(), "far rows are more probable than the data."
    if case.offers("predict_proba"):
        assert_close(model.predict_proba(far).sum(1), np.ones(4), 1e-9, "predict_proba of far rows")


@density_check("predict", "predict_proba")
def check_predict_is_the_most_probable_component(case):
    """Rows of `predict_proba` are probabilities that sum to one; `predict` is the largest."""
    X = case.rows(apart=3)
    model = case.fit(X)
    proba = model.predict_proba(X)
    assert proba.shape[0] == len(X), f"predict_proba has shape {proba.shape} for {len(X)} rows."
    assert (proba >= 0).all(), "predict_proba has negative entries."
    assert_close(proba.sum(axis=1), np.ones(len(X)), 1e-9, "sum of a row of predict_proba")
    assert_identical(model.predict(X), proba.argmax(axis=1), "predict against predict_proba")


@density_check("information_criteria")
def check_information_criteria_count_parameters(case):
    """AIC = -2 n score + 2 p, BIC = -2 n score + p log n, and p is one whole number for all X."""
    X = case.rows()
    model = case.fit(X)
    for rows in (X, X[:57]):
        deviance = -2 * model.score_samples(rows).sum()
        p = (model.aic(rows) - deviance) / 2
        assert p > 0.5, f"aic counts {p:.3g} parameters."
        assert_close(p, np.round(p), 1e-6, "number of parameters in aic")
        penalty = model.bic(rows) - deviance
        assert_close(penalty, np.round(p) * np.log(len(rows)), 1e-6, "penalty of bic")


@density_check()
def check_em_never_lowers_its_objective(case):
    """`lower_bounds_` never falls, on overlapping clusters that take many iterations."""
    X = case.rows(300, apart=2)
    for rows in (X, with_holes(X)) if case.offers("nan") else (X,):
        model = case.fit(rows)
        if not hasattr(model, "lower_bounds_"):
            raise SkipTest("no lower_bounds_")
        bounds = np.asarray(model.lower_bounds_)
        finite = len(bounds) > 0 and np.isfinite(bounds).all()
        assert finite, f"lower_bounds_ is {bounds}."
        fall = np.max(-np.diff(bounds), initial=0)
        assert fall <= 1e-10 * np.abs(bounds).max(), f"the objective falls by {fall:.3g}."
