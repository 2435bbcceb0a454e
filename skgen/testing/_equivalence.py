"""Checks of what must not matter: weights against copies, units, origin, order."""

import numpy as np

from ._registry import assert_close, assert_refused, density_check


@density_check("weights")
def check_weights_equal_repetition(case):
    """A row of weight 3 is three copies of the row."""
    X = case.rows()
    times = 1 + np.arange(len(X)) % 3
    weighted = case.fit(X, sample_weight=times.astype(float)).score_samples(X)
    repeated = case.fit(np.repeat(X, times, axis=0)).score_samples(X)
    assert_close(weighted, repeated, case.tolerance, "scores after the weighted fit")


@density_check("weights")
def check_weight_zero_is_absence(case):
    """A row of weight zero is not there, whatever it holds."""
    X = case.rows()
    wild = X[:20].copy()
    if case.data in ("real", "counts"):
        wild = wild + 1000
    everything = np.concatenate([wild, X])
    weights = np.repeat([0.0, 1.0], [len(wild), len(X)])
    weighted = case.fit(everything, sample_weight=weights).score_samples(X)
    assert_close(weighted, case.fit(X).score_samples(X), case.tolerance, "scores")


@density_check("weights")
def check_impossible_weights_are_refused_by_name(case):
    """Weights that are negative, NaN, all zero or too few are refused as `sample_weight`."""
    X = case.rows()
    ones = np.ones(len(X))
    bad = {"negative": -ones, "NaN": ones * np.nan, "all zero": 0 * ones, "too few": ones[:-1]}
    for fault, weights in bad.items():
        try:
            assert_refused(lambda w=weights: case.fit(X, sample_weight=w), "weight")
        except AssertionError as error:
            raise AssertionError(f"weights that are {fault}: {error}") from None


def _assert_equivariant(case, factor, shift, tolerance, what):
    """Scores of factor * X + shift are those of X minus the logarithm of the volume's change."""
    X = case.rows()
    moved = X * factor + shift
    change = np.log(np.broadcast_to(factor, X.shape[1])).sum()
    expected = case.fit(X).score_samples(X) - change
    assert_close(case.fit(moved).score_samples(moved), expected, tolerance, what)


@density_check("units")
def check_scale_equivariance(case):
    """The unit does not matter, from 1e-100 to 1e100: the density follows the change of volume."""
    for exponent in (7, -7, 27, -27, 332, -332):  # powers of two: the data is scaled exactly
        _assert_equivariant(case, 2.0**exponent, 0.0, case.tolerance, f"unit 2^{exponent}")


@density_check("units")
def check_shift_equivariance(case):
    """The origin does not matter, up to 1e8 standard deviations away."""
    for exponent in (7, 17, 27):  # the data is shifted exactly, so only the mean is rounded
        tolerance = max(case.tolerance, 256 * np.finfo(float).eps * 2.0**exponent)
        _assert_equivariant(case, 1.0, 2.0**exponent, tolerance, f"origin at 2^{exponent}")


@density_check("column_units")
def check_column_scale_equivariance(case):
    """The unit of each column does not matter by itself."""
    _assert_equivariant(case, 2.0 ** np.array([-12, 1, 14]), 0.0, case.tolerance, "column units")


@density_check()
def check_order_of_rows(case):
    """Rows are exchangeable: their order changes neither the fit nor the scores."""
    X = case.rows()
    order = np.random.default_rng(3).permutation(len(X))
    expected = case.fit(X).score_samples(X)
    assert_close(case.fit(X[order]).score_samples(X), expected, case.tolerance, "scores")


@density_check()
def check_order_of_features(case):
    """Columns have no order: the density of permuted columns is the same."""
    X = case.rows()
    turned = np.roll(X, 1, axis=1)
    expected = case.fit(X).score_samples(X)
    assert_close(case.fit(turned).score_samples(turned), expected, case.tolerance, "scores")


def _relabelled(value, order):
    """The fitted value with its first axis reordered where that axis is the components."""
    if isinstance(value, tuple):
        parts = [_relabelled(part, order) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    if isinstance(value, dict):
        return {key: _relabelled(part, order) for key, part in value.items()}
    if isinstance(value, np.ndarray) and value.ndim and len(value) == len(order):
        return value[order]
    return value


@density_check("several_components")
def check_order_of_components(case):
    """Relabelling the components in the fitted attributes leaves the density as it is."""
    k = case.n_groups
    # No other axis may be as long as that of the components.
    X = case.rows(n_features=case.kind.n_features + (case.kind.n_features == k), apart=3)
    model = case.fit(X)
    expected, order = model.score_samples(X), np.roll(np.arange(k), 1)
    for name, value in vars(model).items():
        if name.endswith("_") and not name.startswith("_"):
            setattr(model, name, _relabelled(value, order))
    assert_close(model.score_samples(X), expected, 1e-9, "scores after relabelling")
