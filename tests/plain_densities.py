"""Densities written for clarity that pass every check."""

import copy

import numpy as np
import pandas as pd
from scipy.special import gammaln, logsumexp, softmax
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data


class PlainMixture(CallbackSupportMixin, DensityMixin, BaseEstimator):
    """Mixture of Gaussians with diagonal covariances, weights and missing entries, by EM."""

    def __init__(self, n_components=2, tol=1e-12):
        self.n_components = n_components
        self.tol = tol

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    # The door.

    def _rows(self, X, reset=False):
        finite = "allow-nan" if self.__sklearn_tags__().input_tags.allow_nan else True
        return validate_data(self, X, dtype=np.float64, ensure_all_finite=finite, reset=reset)

    def _weights(self, X, sample_weight):
        return _check_sample_weight(
            sample_weight, X, ensure_non_negative=True, allow_all_zero_weights=False
        )

    # Fit.

    @with_callbacks
    def fit(self, X, y=None, sample_weight=None):
        before = dict(vars(self))
        try:
            return self._fit(X, sample_weight)
        except BaseException:
            for name in set(vars(self)) - set(before):
                if name.endswith("_"):
                    delattr(self, name)
            vars(self).update(before)
            raise

    def _fit(self, X, sample_weight):
        X = self._rows(X, reset=True)
        weights = self._weights(X, sample_weight)
        kept = (weights > 0) & ~np.isnan(X).all(axis=1)
        X, weights = X[kept], weights[kept]
        if len(X) < self.n_components:
            raise ValueError(f"n_samples={len(X)} is less than n_components={self.n_components}.")
        context = self._init_callback_context(max_subtasks=None)
        context.call_on_fit_task_begin(estimator=self)
        self._em(X, weights, context)
        context.call_on_fit_task_end(estimator=self)
        return self

    def _em(self, X, weights, context):
        self._learn_floor(X, weights)
        resp = self._start(X, weights)
        bounds = []
        while len(bounds) < 500:
            task = context.subcontext(task_name="iteration")
            task.call_on_fit_task_begin(estimator=self)
            self._maximize(X, resp * weights[:, None])
            log_joint = self._log_joint(X)
            resp = softmax(log_joint, axis=1)
            bounds.append(np.average(logsumexp(log_joint, axis=1), weights=weights))
            task.call_on_fit_task_end(estimator=self)
            if len(bounds) > 1 and bounds[-1] - bounds[-2] < self.tol:
                break
        self.lower_bounds_ = bounds

    def _learn_floor(self, X, weights):
        """The smallest variance of a column: a share of its variance over all rows."""
        observed = ~np.isnan(X) * weights[:, None]
        filled = np.nan_to_num(X)
        mean = (observed * filled).sum(axis=0) / observed.sum(axis=0)
        variance = (observed * (filled - mean) ** 2).sum(axis=0) / observed.sum(axis=0)
        self.center_, self.floor_ = mean, 1e-9 * variance + 1e-300

    def _start(self, X, weights):
        """Rows in the order of their mean z-score, cut into equal parts."""
        spread = np.sqrt(np.nanmean((X - self.center_) ** 2, axis=0)) + 1e-150
        order = np.argsort(np.nanmean((X - self.center_) / spread, axis=1), kind="stable")
        rank = np.empty(len(X))
        rank[order] = np.cumsum(weights[order]) - weights[order] / 2
        part = (rank / weights.sum() * self.n_components).astype(int)
        return np.eye(self.n_components)[np.minimum(part, self.n_components - 1)]

    def _maximize(self, X, resp):
        observed, filled = ~np.isnan(X), np.nan_to_num(X)
        count = resp.T @ observed + 1e-300
        self.weights_ = resp.sum(axis=0) / resp.sum()
        # Sums about the center: raw sums lose the digits of data far from zero.
        self.means_ = self.center_ + resp.T @ (observed * (filled - self.center_)) / count
        squares = [
            (r[:, None] * observed * (filled - mean) ** 2).sum(axis=0)
            for r, mean in zip(resp.T, self.means_, strict=True)
        ]
        self.variances_ = np.maximum(np.array(squares) / count, self.floor_)

    # What is asked of a fitted model.

    def _log_joint(self, X):
        z = (X[:, None, :] - self.means_) / np.sqrt(self.variances_)
        terms = -0.5 * (z**2 + np.log(2 * np.pi * self.variances_))
        return np.where(np.isnan(z), 0, terms).sum(axis=2) + np.log(self.weights_ + 1e-300)

    def _asked(self, X):
        check_is_fitted(self)
        return self._log_joint(self._rows(X))

    def score_samples(self, X):
        return logsumexp(self._asked(X), axis=1)

    def score(self, X, y=None, sample_weight=None):
        return float(np.average(self.score_samples(X), weights=sample_weight))

    def predict_proba(self, X):
        return softmax(self._asked(X), axis=1)

    def predict(self, X):
        return self.predict_proba(X).argmax(axis=1)

    def _count(self):
        return len(self.weights_) - 1 + 2 * self.means_.size

    def aic(self, X):
        return -2 * self.score_samples(X).sum() + 2 * self._count()

    def bic(self, X):
        return -2 * self.score_samples(X).sum() + np.log(len(X)) * self._count()

    def sample(self, n_samples=1, random_state=None):
        check_is_fitted(self)
        rng = check_random_state(random_state)
        labels = rng.choice(len(self.weights_), n_samples, p=self.weights_)
        return self._draw(labels, rng), labels

    def _draw(self, labels, rng):
        noise = rng.standard_normal((len(labels), self.n_features_in_))
        return self.means_[labels] + np.sqrt(self.variances_[labels]) * noise

    def impute(self, X, method="mean", random_state=None):
        resp = softmax(self._asked(X), axis=1)
        X = self._rows(X)
        if method == "mean":
            filling = resp @ self.means_
        elif method == "draw":
            rng = check_random_state(random_state)
            chosen = (resp.cumsum(axis=1) < rng.random((len(X), 1))).sum(axis=1)
            filling = self._draw(chosen, rng)
        else:
            return self._climb(X)
        return np.where(np.isnan(X), filling, X)

    def _climb(self, X):
        """The best of the modes that are reached from the mean of each component."""
        tops = []
        for mean in self.means_:
            top = np.where(np.isnan(X), mean, X)
            for _ in range(300):
                pull = softmax(self._log_joint(top), axis=1) @ (1 / self.variances_)
                moved = softmax(self._log_joint(top), axis=1) @ (self.means_ / self.variances_)
                top = np.where(np.isnan(X), moved / pull, X)
            tops.append(top)
        best = np.argmax([logsumexp(self._log_joint(top), axis=1) for top in tops], axis=0)
        return np.array(tops)[best, np.arange(len(X))]

    def marginal(self, features):
        return self._part(features, self.weights_)

    def conditional(self, values):
        weights = softmax(self._asked(np.reshape(values, (1, -1))), axis=1)[0]
        return self._part(np.flatnonzero(np.isnan(values)), weights)

    def _part(self, features, weights):
        part = copy.copy(self)
        part.n_features_in_ = len(features)
        part.weights_ = weights
        part.means_, part.variances_ = self.means_[:, features], self.variances_[:, features]
        return part


class PlainFramed(PlainMixture):
    """The same, whose samples are frames where the data was one or `set_output` asks for it."""

    def set_output(self, *, transform=None):
        self._frame = pd.DataFrame if transform == "pandas" else np.asarray
        return self

    def fit(self, X, y=None, sample_weight=None):
        self._frame = type(X) if isinstance(X, pd.DataFrame) else np.asarray
        return super().fit(X, y, sample_weight)

    def sample(self, n_samples=1, random_state=None):
        X, labels = super().sample(n_samples, random_state)
        names = getattr(self, "feature_names_in_", None)
        if self._frame is pd.DataFrame:
            return pd.DataFrame(X, columns=names), labels
        return X, labels


class PlainPoisson(PlainMixture):
    """Mixture of independent Poisson counts."""

    impute = marginal = conditional = property()  # those of the parent are Gaussian

    def _rows(self, X, reset=False):
        X = super()._rows(X, reset)
        wrong = ~(np.isnan(X) | ((X >= 0) & (np.floor(X) == X)))
        if wrong.any():
            raise ValueError(f"X has {X[wrong][0]:g}; counts are 0, 1, 2, ...")
        return X

    def _maximize(self, X, resp):
        super()._maximize(X, resp)
        self.means_ = np.maximum(self.means_, 1e-300)

    def _log_joint(self, X):
        counts = X[:, None, :]
        terms = counts * np.log(self.means_) - self.means_ - gammaln(counts + 1)
        return np.where(np.isnan(terms), 0, terms).sum(axis=2) + np.log(self.weights_)

    def _draw(self, labels, rng):
        return rng.poisson(self.means_[labels]).astype(float)


class PlainComplete(PlainMixture):
    """The same without a rule for missing entries."""

    impute = marginal = conditional = property()

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = False
        return tags
