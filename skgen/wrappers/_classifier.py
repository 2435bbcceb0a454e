"""A classifier by Bayes' rule, over any density."""

from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import logsumexp
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.utils import _safe_indexing, indexable
from sklearn.utils._param_validation import HasMethods
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import _check_y, check_is_fitted

from .._density import RandomState, sample_rows
from .._random import make_rng
from .._sequences import is_list, object_array
from .._validation import check_array_parameter, check_weights
from ._base import Wrapper, check_count


class GenerativeClassifier(ClassifierMixin, Wrapper):
    r"""Bayes' rule over one density per class, :math:`p(y | x) \propto \pi_y\, p(x | y)`.

    Parameters
    ----------
    density : estimator, default=None
        A clone of it is fitted to the rows of each class. None for ``Gaussian()``. Any estimator
        with ``fit`` and ``score_samples`` will do, also one of sequences, with a list of sequences
        as X.
    priors : array-like of shape (n_classes,), default=None
        Probabilities of the classes, in sorted order; None for their shares of the rows.
    n_jobs : int, default=None
        Classes fitted at the same time, in threads.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    class_prior_ : ndarray of shape (n_classes,)
    class_count_ : ndarray of shape (n_classes,)
        Rows of each class, by weight.
    densities_ : list of fitted estimators
        One for each class.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Where X had names.

    See Also
    --------
    DensityRegressor : Predicts numbers by the joint density of features and targets.

    Notes
    -----
    A missing entry is left out of every class's density, so that the rule is Bayes' rule given
    the observed entries, and a row without any has the priors as its probabilities. Whether NaN
    is allowed depends on the density. A class all of whose rows have weight zero is not there.

    With ``GaussianMixture(covariance_type="diag", reg_covar=0.0)`` this is Gaussian naive Bayes
    without smoothing, with ``covariance_type="full"`` quadratic discriminant analysis with the
    covariances of maximum likelihood.

    References
    ----------
    Hastie, Tibshirani (1996). Discriminant analysis by Gaussian mixtures. JRSS B 58(1).

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skgen import GaussianMixture, GenerativeClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = GenerativeClassifier(GaussianMixture(covariance_type="full")).fit(X, y)
    >>> model.score(X, y)
    0.98
    >>> model.predict([[5.0, float("nan"), 1.4, float("nan")]])
    array([0])
    """

    _parameter_constraints: dict = {
        "density": [HasMethods(["fit", "score_samples"]), None],
        "priors": ["array-like", None],
        "n_jobs": [Integral, None],
    }

    def __init__(self, density=None, *, priors=None, n_jobs=None) -> None:
        self.density = density
        self.priors = priors
        self.n_jobs = n_jobs

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: ArrayLike, y: Any, sample_weight: ArrayLike | None = None) -> Self:
        """Fit one density to the rows of each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or list of sequences
        y : array-like of shape (n_samples,)
        sample_weight : array-like of shape (n_samples,), default=None
            Counts in the densities and in the shares of the classes.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            Where the density cannot be fitted to the rows of a class, which is named.
        """
        X, y = indexable(X, y)
        y = _check_y(y, estimator=self)
        check_classification_targets(y)
        if len(y) == 0:
            raise ValueError("X has no samples; pass at least one of each class.")
        weights = check_weights(sample_weight, len(y))
        present = np.ones(len(y), dtype=bool) if weights is None else weights > 0
        classes, labels = np.unique(y[present], return_inverse=True)
        count = np.bincount(labels, None if weights is None else weights[present])
        prior = self._prior(count)
        members = [np.flatnonzero((y == label) & present) for label in classes]
        self.densities_ = self._fit_classes(X, classes, members, self._passed_on(weights))
        self.classes_, self.class_count_, self.class_prior_ = classes, count, prior
        self._adopt_features(self.densities_[0])
        return self

    def _prior(self, count):
        if self.priors is None:
            return count / count.sum()
        prior = check_array_parameter("priors", self.priors, count.shape)
        if (prior < 0).any() or abs(prior.sum() - 1) > 1e-6:
            raise ValueError(
                f"priors={self.priors} must be nonnegative and add up to 1, but they add up to "
                f"{prior.sum():.6g}."
            )
        return prior / prior.sum()

    def _fit_classes(self, X, classes, members, weights):
        """A fitted density for each class."""
        context = self._init_callback_context(max_subtasks=len(classes), sequential_subtasks=False)
        context.call_on_fit_task_begin(estimator=self)
        fitted = Parallel(n_jobs=self.n_jobs, prefer="threads")(
            delayed(self._fit_class)(context.subcontext("fit-class", k), X, label, rows, weights)
            for k, (label, rows) in enumerate(zip(classes.tolist(), members, strict=True))
        )
        context.call_on_fit_task_end(estimator=self)
        return fitted

    def _fit_class(self, context, X, label, rows, weights):
        own = None if weights is None else weights[rows]
        try:
            return self._fit_inner(context, _safe_indexing(X, rows), own)
        except (TypeError, ValueError) as error:
            raise type(error)(f"class {label!r}, which has {len(rows)} samples: {error}") from error

    def predict_joint_log_proba(self, X: ArrayLike) -> np.ndarray:
        """Log of the joint density of each row and each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or list of sequences

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Nats; -inf where the class cannot emit the row.
        """
        check_is_fitted(self)
        with np.errstate(divide="ignore"):
            log_prior = np.log(self.class_prior_)
        return np.column_stack([d.score_samples(X) for d in self.densities_]) + log_prior

    def score_samples(self, X: ArrayLike) -> np.ndarray:
        """Log density of each row, whatever its class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or list of sequences

        Returns
        -------
        ndarray of shape (n_samples,)
            Nats.
        """
        return logsumexp(self.predict_joint_log_proba(X), axis=1)

    def predict_log_proba(self, X: ArrayLike) -> np.ndarray:
        """Log probability of each class given the row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or list of sequences

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        joint = self.predict_joint_log_proba(X)
        impossible = (joint == -np.inf).all(axis=1)
        with np.errstate(divide="ignore"):  # no class can emit such a row: it tells nothing
            joint[impossible] = np.log(self.class_prior_)
        return joint - logsumexp(joint, axis=1, keepdims=True)

    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Probability of each class given the row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or list of sequences

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        return np.exp(self.predict_log_proba(X))

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Most probable class of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or list of sequences

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        check_is_fitted(self)
        return self.classes_[self.predict_log_proba(X).argmax(axis=1)]

    def sample(self, n_samples: int = 1, random_state: RandomState = None) -> Any:
        """Draw rows and their classes.

        Parameters
        ----------
        n_samples : int, default=1
        random_state : int, RandomState or None, default=None

        Returns
        -------
        X : array or frame of shape (n_samples, n_features), or object array of sequences
            A frame where fit was given one.
        y : ndarray of shape (n_samples,)
        """
        check_is_fitted(self)
        check_count("n_samples", n_samples)
        rng = make_rng(random_state)
        labels = rng.choice(len(self.classes_), n_samples, p=self.class_prior_)
        drawn, order = [], []
        for k in np.unique(labels):
            mine = np.flatnonzero(labels == k)
            seed = int(rng.integers(2**31 - 1))
            drawn.append(sample_rows(self.densities_[k], len(mine), seed))
            order.append(mine)
        place = np.argsort(np.concatenate(order))
        return self._assemble(drawn, place), self.classes_[labels]

    def _assemble(self, drawn, place):
        """The draws of all classes, in this order, in the container of the fit."""
        if is_list(drawn[0]):
            return object_array([piece for pieces in drawn for piece in pieces])[place]
        X = np.concatenate(drawn)[place]
        like_fit = getattr(self.densities_[0], "_like_fit", None)
        return X if like_fit is None else like_fit(X)
