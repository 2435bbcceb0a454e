"""Densities with one fault each, and the checks that each fault must fail."""

import copy
import signal
import time

import numpy as np
from plain_densities import PlainComplete, PlainFramed, PlainMixture, PlainPoisson
from scipy.special import logsumexp, softmax
from sklearn.exceptions import NotFittedError
from sklearn.utils import check_random_state
from threadpoolctl import threadpool_info

BROKEN = {}  # name of a check -> densities that it must find at fault


def fails(*checks):
    """Say which checks the fault of a class must fail."""

    def register(density):
        for check in checks:
            BROKEN.setdefault(f"check_{check}", []).append(density)
        return density

    return register


# What it is: scores, samples, criteria.


@fails("integrates_to_one_in_1d", "integrates_to_one_in_2d")
class Unnormalised(PlainMixture):
    def score_samples(self, X):
        return super().score_samples(X) + 0.01


@fails("scores_are_one_finite_float_per_row")
class ColumnOfScores(PlainMixture):
    def score_samples(self, X):
        return super().score_samples(X)[:, None]


@fails("samples_follow_the_density_in_1d", "samples_have_the_entropy_of_the_density")
class WideSamples(PlainMixture):
    def _draw(self, labels, rng):
        center = self.means_[labels]
        return center + 1.2 * (super()._draw(labels, rng) - center)


@fails("sample_has_the_shape_of_the_data")
class GarbageSamples(PlainMixture):
    def sample(self, n_samples=1, random_state=None):
        return np.full((n_samples, 7), np.nan)


@fails("labels_of_samples_are_their_components")
class ShuffledLabels(PlainMixture):
    def sample(self, n_samples=1, random_state=None):
        X, labels = super().sample(n_samples, random_state)
        return X, labels[::-1]


@fails("score_is_the_mean_of_score_samples", "score_takes_sample_weight")
class SummedScore(PlainMixture):
    def score(self, X, y=None):
        return float(self.score_samples(X).sum())


@fails("score_takes_sample_weight")
class UnweightedScore(PlainMixture):
    def score(self, X, y=None, sample_weight=None):
        return super().score(X)


@fails("a_row_scores_alone_as_in_a_batch")
class BatchCentred(PlainMixture):
    def score_samples(self, X):
        scores = super().score_samples(X)
        return scores - 1e-9 * (scores - scores.mean())


@fails("far_rows_have_a_finite_log_density")
class Underflows(PlainMixture):
    def score_samples(self, X):
        with np.errstate(divide="ignore"):
            return np.log(np.exp(self._asked(X)).sum(axis=1))


@fails("predict_is_the_most_probable_component")
class PredictsTheLeast(PlainMixture):
    def predict(self, X):
        return self.predict_proba(X).argmin(axis=1)


@fails("predict_is_the_most_probable_component")
class UnnormalisedProbabilities(PlainMixture):
    def predict_proba(self, X):
        return super().predict_proba(X) * 1.001


@fails("information_criteria_count_parameters")
class HalfAParameter(PlainMixture):
    def _count(self):
        return super()._count() + 0.5


@fails("information_criteria_count_parameters")
class PenaltyOfColumns(PlainMixture):
    def bic(self, X):
        return self.aic(X) + (np.log(X.shape[1]) - 2) * self._count()


@fails("em_never_lowers_its_objective")
class Overshoots(PlainMixture):
    def _maximize(self, X, resp):
        before = getattr(self, "means_", None)
        super()._maximize(X, resp)
        if np.shape(before) == self.means_.shape:
            self.means_ += 2.5 * (self.means_ - before)


# Missing entries.


@fails("nan_scores_the_marginal", "an_empty_row_scores_zero")
class FillsWithTheMean(PlainMixture):
    def _asked(self, X):
        X = self._rows(X)
        return self._log_joint(np.where(np.isnan(X), self.center_, X))


@fails("an_empty_row_scores_zero")
class DropsEmptyRows(PlainMixture):
    def score_samples(self, X):
        X = self._rows(X)
        return super().score_samples(X[~np.isnan(X).all(axis=1)])


@fails("fit_takes_missing_entries", "an_empty_row_teaches_nothing")
class FillsWithZero(PlainMixture):
    def _rows(self, X, reset=False):
        X = super()._rows(X, reset)
        return np.nan_to_num(X) if reset else X


@fails("nan_is_refused_by_name")
class SilentAboutNan(PlainComplete):
    def _rows(self, X, reset=False):
        return PlainMixture._rows(self, np.nan_to_num(X), reset)


@fails("impute_leaves_the_observed_alone")
class ImputesEverything(PlainMixture):
    def impute(self, X, method="mean", random_state=None):
        return np.repeat(self.center_[None], len(X), axis=0)


@fails(
    "imputed_mean_is_the_conditional_mean",
    "imputed_mode_is_the_most_probable_value",
    "imputed_draws_follow_the_conditional",
)
class ImputesTheMarginalMean(PlainMixture):
    def impute(self, X, method="mean", random_state=None):
        return np.where(np.isnan(X), self.weights_ @ self.means_, X)


@fails("marginal_is_the_score_of_the_others_missing")
class SortsTheFeatures(PlainMixture):
    def marginal(self, features):
        return super().marginal(sorted(features))


@fails("conditional_is_the_joint_over_the_marginal", "draws_of_the_conditional_follow_it")
class ConditionalIgnoresTheGiven(PlainMixture):
    def conditional(self, values):
        return self.marginal(np.flatnonzero(np.isnan(values)))


# What must not matter.


@fails(
    "weights_equal_repetition",
    "weight_zero_is_absence",
    "impossible_weights_are_refused_by_name",
)
class IgnoresWeights(PlainMixture):
    def _weights(self, X, sample_weight):
        return np.ones(len(X))


@fails("scale_equivariance", "column_scale_equivariance")
class AbsoluteFloor(PlainMixture):
    def _maximize(self, X, resp):
        super()._maximize(X, resp)
        self.variances_ += 1e-6


@fails("shift_equivariance")
class RawMoments(PlainMixture):
    def _maximize(self, X, resp):
        super()._maximize(X, resp)
        self.variances_ = resp.T @ X**2 / resp.sum(axis=0)[:, None] - self.means_**2
        self.variances_ = np.maximum(self.variances_, self.floor_)


@fails("order_of_rows")
class LearnsFromTheFirstRows(PlainMixture):
    def _rows(self, X, reset=False):
        X = super()._rows(X, reset)
        return X[: len(X) // 2 + 1] if reset else X

    def _weights(self, X, sample_weight):
        return np.ones(len(X))


@fails("order_of_features")
class FavoursTheFirstColumn(PlainMixture):
    def _maximize(self, X, resp):
        super()._maximize(X, resp)
        self.variances_[:, 0] *= 1.01


@fails("order_of_components")
class ScoresFromACache(PlainMixture):
    def fit(self, X, y=None, sample_weight=None):
        super().fit(X, y, sample_weight)
        self._cached_means = self.means_
        return self

    def score_samples(self, X):
        twin = copy.copy(self)
        twin.means_ = self._cached_means
        return PlainMixture.score_samples(twin, X)


# The door.


@fails("float32")
class HalfPrecision(PlainMixture):
    def _rows(self, X, reset=False):
        X = X.astype(np.float16) if getattr(X, "dtype", None) == np.float32 else X
        return super()._rows(X, reset)


@fails("float32_far_from_zero")
class ExpandsTheSquare(PlainMixture):
    def score_samples(self, X):
        if getattr(X, "dtype", None) != np.float32:
            return super().score_samples(X)
        centre = self.means_[0].astype(np.float32)
        twin = copy.copy(self)
        twin.means_ = self.means_ - centre
        squares = X**2 - 2 * X * centre + centre**2
        return PlainMixture.score_samples(twin, np.sign(X - centre) * np.sqrt(np.abs(squares)))


@fails("memory_layout")
class ReadsTheBuffer(PlainMixture):
    def _rows(self, X, reset=False):
        X = np.asarray(X)
        return super()._rows(np.ravel(X, order="K").reshape(X.shape), reset)


@fails("read_only_rows", "rows_are_not_changed")
class WritesIntoTheRows(PlainMixture):
    def _rows(self, X, reset=False):
        X = super()._rows(X, reset)
        X[np.isnan(X)] = np.nan
        X += 1
        return X


@fails("later_changes_of_the_rows_change_nothing")
class KeepsAReference(PlainMixture):
    def fit(self, X, y=None, sample_weight=None):
        super().fit(X, y, sample_weight)
        self._training_rows = X
        return self

    def score_samples(self, X):
        return super().score_samples(X) + 1e-9 * np.nanmean(self._training_rows)


@fails("integer_rows")
class RefusesIntegers(PlainPoisson):
    def _rows(self, X, reset=False):
        if getattr(X, "dtype", None) == np.int64:
            raise TypeError("X must be float.")
        return super()._rows(X, reset)


@fails("values_outside_the_support_are_refused")
class CountsAnything(PlainPoisson):
    def _rows(self, X, reset=False):
        return np.abs(PlainMixture._rows(self, X, reset))


@fails("values_outside_the_support_are_refused")
class ScoresAnything(PlainPoisson):
    def _rows(self, X, reset=False):
        rows = super()._rows if reset else super(PlainPoisson, self)._rows
        return rows(X, reset)

    def _log_joint(self, X):
        return super()._log_joint(np.abs(X))


@fails(
    "pandas",
    "polars",
    "infinite_values_are_refused_by_name",
    "number_of_features_is_compared",
    "empty_input_is_refused",
    "sparse_rows_are_refused",
)
class NoDoor(PlainMixture):
    def _rows(self, X, reset=False):
        X = np.asarray(X)
        self.n_features_in_ = X.shape[1]
        return X


@fails("samples_come_as_the_data_came")
class LosesTheNames(PlainFramed):
    def sample(self, n_samples=1, random_state=None):
        X, labels = super().sample(n_samples, random_state)
        return getattr(X, "to_numpy", lambda: X)(), labels


@fails("an_unfitted_density_says_so")
class ScoresUnfitted(PlainMixture):
    def score_samples(self, X):
        try:
            return super().score_samples(X)
        except NotFittedError:
            return np.zeros(len(X))


# The life of the object.


@fails("pickled_copies_score_the_same")
class LosesState(PlainMixture):
    def __getstate__(self):
        state = super().__getstate__().copy()
        if "means_" in state:
            state["means_"] = state["means_"].astype(np.float32)
        return state


@fails("clone_forgets_the_fit_and_keeps_the_parameters")
class ClonesTheFit(PlainMixture):
    def __sklearn_clone__(self):
        return copy.deepcopy(self)


@fails("a_second_fit_is_like_the_first")
class Accumulates(PlainMixture):
    def fit(self, X, y=None, sample_weight=None):
        earlier = getattr(self, "_earlier", X[:0])
        everything = np.concatenate([earlier, X]) if X.shape[1] == earlier.shape[1] else X
        super().fit(everything)
        self._earlier = everything
        return self


@fails("fit_and_scoring_leave_the_parameters_alone")
class ChangesItsParameter(PlainMixture):
    def fit(self, X, y=None, sample_weight=None):
        self.tol = max(self.tol, 1e-11)
        return super().fit(X, y, sample_weight)


@fails("scoring_changes_nothing")
class Drifts(PlainMixture):
    def score_samples(self, X):
        scores = super().score_samples(X)
        self.means_ = self.means_ + 1e-9
        return scores


@fails("number_of_threads")
class CountsThreads(PlainMixture):
    def score_samples(self, X):
        n = max(pool["num_threads"] for pool in threadpool_info())
        return super().score_samples(X) * (1 + n * 1e-15)


@fails("scoring_from_many_threads")
class SharedWorkspace(PlainMixture):
    def score_samples(self, X):
        self._workspace = self._asked(X)
        time.sleep(1e-4)
        return logsumexp(self._workspace, axis=1)


@fails("fit_in_a_thread")
class NeedsTheMainThread(PlainMixture):
    def fit(self, X, y=None, sample_weight=None):
        signal.signal(signal.SIGINT, signal.getsignal(signal.SIGINT))
        return super().fit(X, y, sample_weight)


@fails("sample_takes_a_random_state")
class SampleWithoutSeed(PlainMixture):
    def __init__(self, n_components=2, tol=1e-12, random_state=None):
        super().__init__(n_components, tol)
        self.random_state = random_state

    def sample(self, n_samples=1):
        return super().sample(n_samples, self.random_state)


@fails("seeds_of_samples")
class IgnoresTheSeed(PlainMixture):
    def sample(self, n_samples=1, random_state=None):
        return super().sample(n_samples, 0)


@fails("seeds_of_fits")
class DrawsGlobally(PlainMixture):
    def _start(self, X, weights):
        noise = check_random_state(None).random((len(X), self.n_components))
        return softmax(super()._start(X, weights) + noise, axis=1)


@fails("interrupted_fit_leaves_a_usable_model")
class FitsInPlace(PlainMixture):
    def fit(self, X, y=None, sample_weight=None):
        return self._fit(X, sample_weight)


@fails("interrupting_callback_leaves_a_usable_model")
class FinishesLate(FitsInPlace):
    def fit(self, X, y=None, sample_weight=None):
        super().fit(X, y, sample_weight)
        self.offset_ = 0.0
        return self

    def score_samples(self, X):
        return super().score_samples(X) + self.offset_


# Small and degenerate data.


@fails("fewer_rows_than_components_is_refused")
class TakesFewRows(PlainMixture):
    def _rows(self, X, reset=False):
        X = super()._rows(X, reset)
        return np.repeat(X, 5, axis=0) if reset else X


@fails("one_row", "constant_column")
class NoFloor(PlainMixture):
    def __init__(self, n_components=1, tol=1e-12):
        super().__init__(n_components, tol)

    def _learn_floor(self, X, weights):
        super()._learn_floor(X, weights)
        self.floor_ = 0 * self.floor_

    def _log_joint(self, X):
        with np.errstate(all="ignore"):
            return super()._log_joint(X) + 0 * np.log(self.variances_).sum()


@fails("more_columns_than_rows", "duplicate_rows", "collinear_columns")
class NeedsFullRank(PlainMixture):
    def _rows(self, X, reset=False):
        X = super()._rows(X, reset)
        if reset and np.linalg.matrix_rank(X - X.mean(axis=0)) < X.shape[1]:
            raise np.linalg.LinAlgError("singular matrix")
        return X
