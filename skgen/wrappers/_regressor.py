"""Regression by the joint density of features and targets."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import RegressorMixin, _fit_context
from sklearn.utils._param_validation import HasMethods
from sklearn.utils.validation import _check_y, check_consistent_length, check_is_fitted

from .._sequences import Rows
from .._validation import check_rows, check_weights
from ..emissions._base import mixture_variance
from ..gaussian import Gaussian, Mixture
from ._base import Wrapper, check_count


class DensityRegressor(RegressorMixin, Wrapper):
    r"""Regression by a joint density, :math:`\mathrm{E}[y | x]` under :math:`p(x, y)`.

    Parameters
    ----------
    density : estimator, default=None
        Fitted to the features and targets side by side; needs a method ``impute``. None for
        ``Gaussian()``, whose regression is linear; with a ``GaussianMixture`` it is a smooth
        mixture of linear regressions.

    Attributes
    ----------
    density_ : fitted estimator
        Of the features, followed by the targets.
    n_outputs_ : int
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Where X had names.

    See Also
    --------
    GenerativeClassifier : Predicts classes by one density for each.

    Notes
    -----
    Features may miss entries, in ``fit`` and in ``predict``: the mean is then that given the
    observed ones. A prediction costs O(K (d + t)^2) for K components, d features and t targets.

    References
    ----------
    Ghahramani, Jordan (1994). Supervised learning from incomplete data via an EM approach. NIPS 6.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgen import DensityRegressor, GaussianMixture
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = DensityRegressor(GaussianMixture(covariance_type="full")).fit(X, y)
    >>> round(model.score(X, y), 4)  # that of linear regression
    0.5177
    >>> X[:, 2] = float("nan")
    >>> mean, std = model.predict(X[:1], return_std=True)
    >>> mean.round(1), std.round(1)
    (array([179.4]), array([57.1]))
    """

    _parameter_constraints: dict = {"density": [HasMethods(["fit", "impute"]), None]}

    def __init__(self, density=None) -> None:
        self.density = density

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: ArrayLike, y: Any, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the joint density.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            NaN marks a missing entry.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        self
        """
        if y is None:
            raise ValueError("DensityRegressor requires y to be passed, but the target y is None.")
        context = self._init_callback_context(max_subtasks=1)
        context.call_on_fit_task_begin(estimator=self, X=X, y=y)
        with self._all_or_nothing():
            rows = check_rows(self, X, reset=True)
            y = _check_y(y, multi_output=True, y_numeric=True, estimator=self)
            if y.dtype.kind not in "fiub":
                raise ValueError(f"y holds {y.flat[0]!r}; a target must be a number.")
            check_consistent_length(X, y)
            weights = self._passed_on(check_weights(sample_weight, len(y)))
            joint = np.column_stack([rows.values, y])
            self.density_ = self._fit_inner(context.subcontext("fit-density"), joint, weights)
            self.n_outputs_, self._flat = joint.shape[1] - rows.n_features, y.ndim == 1
        context.call_on_fit_task_end(estimator=self, X=X, y=y)
        return self

    def predict(self, X: ArrayLike, return_std: bool = False) -> Any:
        """Mean of the targets given the observed features.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        return_std : bool, default=False
            Whether to give the standard deviations, too. The density must be a Gaussian, or a
            mixture of any emissions but categorical ones.

        Returns
        -------
        mean : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        std : ndarray of the same shape
            With ``return_std=True``.
        """
        joint = self._open(X)
        mean = self._targets(self.density_.impute(joint))
        if not return_std:
            return mean
        variance = conditional_variance(self.density_, Rows(joint), self.n_outputs_)
        return mean, np.sqrt(variance).reshape(mean.shape)

    def sample_y(self, X, n_samples=1, random_state=None):
        """Draw targets given the observed features.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
        n_samples : int, default=1
        random_state : int, RandomState or None, default=None

        Returns
        -------
        ndarray of shape (n_rows, n_samples) or (n_rows, n_outputs, n_samples)
        """
        check_count("n_samples", n_samples)
        joint = np.repeat(self._open(X), n_samples, axis=0)
        drawn = self._targets(self.density_.impute(joint, "draw", random_state))
        drawn = drawn.reshape(-1, n_samples, *drawn.shape[1:])
        return drawn if self._flat else drawn.transpose(0, 2, 1)

    def _open(self, X):
        """The features with missing targets."""
        check_is_fitted(self)
        values = check_rows(self, X, reset=False).values
        return np.column_stack([values, np.full((len(values), self.n_outputs_), np.nan)])

    def _targets(self, joint):
        targets = np.asarray(joint)[:, -self.n_outputs_ :]
        return targets[:, 0] if self._flat else targets

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def conditional_variance(density, rows, n_targets):
    """Variance of the last columns, which are missing, given the observed entries of each row."""
    emission, params, resp = _components(density, rows)
    variance = mixture_variance(emission, params, rows, resp)
    if variance is None:
        raise _unknown(f"mixture of {type(emission).__name__} emissions")
    return variance[:, -n_targets:]


def _components(density, rows):
    """Emission and parameters of the components, and their probabilities given each row."""
    if isinstance(density, Gaussian):
        return density._emission(), density._params(), np.ones((len(rows), 1))
    if isinstance(density, Mixture):
        return density._emission(), density._params().emission, density._resp(rows)
    raise _unknown(type(density).__name__)


def _unknown(what):
    """The error of a density whose conditional variances are not known."""
    return TypeError(
        f"return_std=True needs conditional variances, which a {what} does not give; look at the "
        "spread of sample_y(X, n_samples)."
    )
