"""A density together with what it declares: the data it models, its units, what it offers."""

from dataclasses import dataclass, field
from inspect import signature

import numpy as np
from sklearn.base import clone
from sklearn.utils import get_tags

from ._data import KINDS, grid, make_rows

UNITS = ("each", "common", "fixed")


@dataclass(frozen=True)
class DensityCase:
    """A density to be checked and what is true of it.

    Parameters
    ----------
    constructor : callable or estimator
        A callable without arguments that makes an unfitted density, or an unfitted density, which
        is cloned.
    data : {"real", "positive", "counts", "trials", "binary", "categories"}, default="real"
        What a column holds: real numbers, positive numbers, counts 0, 1, 2, ..., counts that add
        up to 20 in every row, the values 0 and 1, or the codes 0, 1, 2 of three categories.
    units : {"each", "common", "fixed"} or None, default=None
        For real data, the changes of unit that the model follows: of each column by itself; of all
        columns together only (a spherical covariance); none, because a hyperparameter carries the
        unit (a bandwidth). None takes "common" where a parameter `covariance_type` says
        "spherical" and "each" elsewhere.
    tolerance : float, default=1e-6
        How far two log densities (in nats, relative above 1) may lie apart that are equal in
        theory but come from two fits. For an iterative fit, what its stopping rule leaves.
    expected_failed_checks : dict of str to str, optional
        Names of checks that are known to fail, each with the reason.

    Examples
    --------
    >>> from sklearn.mixture import GaussianMixture
    >>> from skgen.testing import DensityCase
    >>> case = DensityCase(GaussianMixture(2, covariance_type="spherical"))
    >>> case.offers("sample"), case.offers("nan"), case.offers("column_units")
    (True, False, False)
    """

    constructor: object
    data: str = "real"
    units: str | None = None
    tolerance: float = 1e-6
    expected_failed_checks: dict = field(default_factory=dict)

    def __post_init__(self):
        if self.data not in KINDS:
            raise ValueError(f"data={self.data!r} must be one of {', '.join(map(repr, KINDS))}.")
        if self.units is not None and self.units not in UNITS:
            raise ValueError(f"units={self.units!r} must be None or one of {UNITS}.")

    @property
    def kind(self):
        return KINDS[self.data]

    @property
    def n_groups(self):
        """The number of clusters in the data: what the density looks for."""
        return self.build().get_params().get("n_components", 1)

    def build(self):
        """A new unfitted density, its unset random states set to 0."""
        build = self.constructor
        unfitted = hasattr(build, "get_params") and not isinstance(build, type)
        density = clone(build) if unfitted else build()
        params = density.get_params()
        seeds = [p for p in params if p.split("__")[-1] == "random_state" and params[p] is None]
        return density.set_params(**dict.fromkeys(seeds, 0))

    def rows(self, n=200, n_features=None, *, apart=12.0, seed=0):
        """Rows to fit; with apart=12 the clusters do not touch and the best fit is plain."""
        n_features = n_features or self.kind.n_features
        return make_rows(self.kind, n, n_features, self.n_groups, apart, seed)

    def fit(self, X, **fit_params):
        return self.build().fit(X, **fit_params)

    def space(self, X, size):
        """Points that cover the space of the rows and the log weights that make sums integrals."""
        return grid([self.kind.axis(column, size) for column in X.T])

    def offers(self, capability):
        """Whether tags and signatures say that the density has this capability."""
        return bool(CAPABILITIES[capability](self))


def as_case(density):
    """The case itself, or the case that declares nothing beyond the constructor."""
    return density if isinstance(density, DensityCase) else DensityCase(density)


def has_parameter(density, method, name):
    """Whether the method takes an argument of this name."""
    method = getattr(density, method, None)
    return method is not None and name in signature(method).parameters


def draw(model, n, seed):
    """Sampled rows, n of them, and their labels or None, seeded in either way there is."""
    if has_parameter(model, "sample", "random_state"):
        drawn = model.sample(n, random_state=seed)
    else:
        drawn = _draw_with_own_seed(model, n, seed)
    X, labels = split_sample(drawn)
    return np.asarray(X), labels


def split_sample(drawn):
    """The rows and the labels, or None, of what `sample` returned."""
    return drawn if isinstance(drawn, tuple) else (drawn, None)


def _draw_with_own_seed(model, n, seed):
    before = {p: v for p, v in model.get_params().items() if p == "random_state"}
    try:
        return model.set_params(**dict.fromkeys(before, seed)).sample(n)
    finally:
        model.set_params(**before)


def _follows(case, *units):
    """Whether the scores of real data follow these changes of unit."""
    density = case.build()
    kinds = [v for p, v in density.get_params().items() if p.split("__")[-1] == "covariance_type"]
    derived = "common" if "spherical" in kinds else "each"
    return case.data == "real" and (case.units or derived) in units


def _method(name):
    return lambda case: hasattr(case.build(), name)


# What a check may need -> whether a case has it.
CAPABILITIES = {
    "real": lambda case: case.data == "real",
    "discrete": lambda case: case.kind.discrete,
    "unbounded": lambda case: case.data in ("real", "counts"),
    "bounded": lambda case: case.kind.outside is not None,
    "units": lambda case: _follows(case, "each", "common"),
    "column_units": lambda case: _follows(case, "each"),
    "nan": lambda case: get_tags(case.build()).input_tags.allow_nan,
    "no_nan": lambda case: not case.offers("nan"),
    "weights": lambda case: has_parameter(case.build(), "fit", "sample_weight"),
    "components": lambda case: "n_components" in case.build().get_params(),
    "several_components": lambda case: case.n_groups > 1,
    "sample": _method("sample"),
    "predict": _method("predict"),
    "predict_proba": _method("predict_proba"),
    "information_criteria": lambda case: (
        hasattr(case.build(), "aic") and hasattr(case.build(), "bic")
    ),
    "impute": _method("impute"),
    "conditional": _method("conditional"),
    "marginal": _method("marginal"),
    "set_output": _method("set_output"),
    "callbacks": _method("set_callbacks"),
}
