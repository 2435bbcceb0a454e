"""Anomalies: the rows that are unlikely under a density fitted to the others."""

from numbers import Real
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import OutlierMixin, _fit_context, clone
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.stats import _weighted_percentile
from sklearn.utils.validation import check_is_fitted

from .._density import RandomState, sample_rows
from .._sequences import Rows
from .._validation import check_rows
from ..gaussian import GaussianMixture
from ._base import Wrapper, asking_for_weights
from ._guard import guarded_fit

# contamination="auto": the share of rows without anomalies that is flagged all the same.
FALSE_ALARMS = 0.01
# Rows drawn from the density to learn what log densities to expect; scored by pattern of missing
# entries, they are fewer where the patterns are many.
DRAWS = 20_000
DRAWS_OF_PATTERNS = 1_000_000
SEED = 0
# The default density has fewer components where the rows are fewer than this for each.
ROWS_A_COMPONENT = 20


class DensityOutlierDetector(OutlierMixin, Wrapper):
    """Flags rows that are unlikely under a density fitted to the other rows.

    Parameters
    ----------
    density : estimator, default=None
        What describes the normal rows. None for a mixture of up to five Gaussians with one
        covariance, as many as has the best BIC.
    contamination : "auto" or float in (0, 0.5], default="auto"
        Which rows are flagged. A float is their share of the rows of the fit. "auto" flags what
        the density itself would hardly ever give: 1 % of rows without anomalies, if they follow
        the density, and all anomalies, however many they are.
    trim : float in [0, 0.5), default=0.15
        Share of the rows, the least likely ones, from which nothing is learnt; and the largest
        share of components that do not count because they are light. At least the share of
        anomalies that is feared. 0 for rows that are known to be normal.
    random_state : int, RandomState or None, default=None
        Of the default density.

    Attributes
    ----------
    density_ : fitted estimator
    offset_ : float
        The score, in nats, below which a row is flagged.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Where X had names.

    See Also
    --------
    sklearn.ensemble.IsolationForest : Anomalies by random cuts.
    sklearn.covariance.EllipticEnvelope : One robust Gaussian.

    Notes
    -----
    The density is fitted to all rows, then anew without the least likely ones, until these are
    the same or three times; a last fit takes back those of them that lie near the others. A
    component of a mixture that settles on the anomalies would call them likely, so components
    that together hold no more than ``trim`` of the weight are left out of the scores.

    A missing entry counts with the log density that is to be expected of it, so that rows with
    few observed entries are comparable to complete ones; complete rows have their log density.

    "auto" puts the threshold at the quantile of 1 % of the scores of rows drawn from the density,
    after bringing their median and upper quartile to those of the rows of the fit: a density that
    was fitted without the least likely rows is narrower than the rows are, as is known of robust
    covariances [1]_. Of normal rows in one to ten columns the default density flags 1 to 2 % where
    they are 1000. Rows with heavier tails than its components have look like anomalies: of rows
    drawn from Student's distribution with 3 degrees of freedom 7 to 11 % are flagged, of
    log-normal ones 13 to 20 %. Transform such columns, give a density that has such tails, or
    choose the share that is flagged by ``contamination``.

    References
    ----------
    .. [1] Rousseeuw, Van Driessen (1999). A fast algorithm for the minimum covariance determinant
       estimator. Technometrics 41(3).

    Examples
    --------
    >>> import numpy as np
    >>> from skgen import DensityOutlierDetector
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.normal(size=(200, 2)), rng.normal(8, 0.1, size=(10, 2))])
    >>> detector = DensityOutlierDetector(random_state=0).fit(X)
    >>> detector.predict(X[-10:])
    array([-1, -1, -1, -1, -1, -1, -1, -1, -1, -1])
    >>> detector.predict([[0.5, np.nan], [9.0, np.nan]])
    array([ 1, -1])
    """

    _parameter_constraints: dict = {
        "density": [HasMethods(["fit", "score_samples"]), None],
        "contamination": [StrOptions({"auto"}), Interval(Real, 0, 0.5, closed="right")],
        "trim": [Interval(Real, 0, 0.5, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self, density=None, *, contamination="auto", trim=0.15, random_state: RandomState = None
    ) -> None:
        self.density = density
        self.contamination = contamination
        self.trim = trim
        self.random_state = random_state

    def _default(self):
        default = GaussianMixture(5, covariance_type="tied", random_state=self.random_state)
        return asking_for_weights(default)

    def _prototype(self, rows):
        """The density to clone; the default one with the number of components of the best BIC.

        More than the rows call for would learn where the least likely ones were left out.
        """
        density = self._inner()
        if self.density is not None:
            return density
        most = max(1, min(density.n_components, len(rows) // ROWS_A_COMPONENT))
        fits = [
            clone(density).set_params(n_components=K).fit(rows.values, sample_weight=rows.weights)
            for K in range(1, most + 1)
        ]
        best = min(fits, key=lambda fit: fit.bic(rows.values, rows.weights))
        return density.set_params(n_components=best.n_components)

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the density to the rows that are not the least likely, and choose the threshold.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            NaN marks a missing entry, where the density allows it.
        y : ignored
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        self
        """
        context = self._init_callback_context(max_subtasks=None)
        context.call_on_fit_task_begin(estimator=self, X=X)
        with self._all_or_nothing():
            rows = check_rows(self, X, reset=True, sample_weight=sample_weight)
            self.density_, scores = self._fit_guarded(context, rows)
            self.offset_ = self._threshold(rows, scores)
        context.call_on_fit_task_end(estimator=self, X=X)
        return self

    def _fit_guarded(self, context, rows):
        """The density fitted to the likely rows, and the scores of all rows."""
        passed_on, prototype = self._passed_on(rows.weights), self._prototype(rows)
        # The row at the edge of the likely ones counts in part, where the density knows weights.
        weighted = self._inner_takes_weights() if rows.weights is None else passed_on is not None

        def fit(kept):
            used = kept > 0
            own = kept[used] if weighted and (kept[used] != 1).any() else None
            task = context.subcontext("fit-density")
            return self._fit_inner(task, rows.values[used], own, prototype)

        def score(density):
            return comparable_scores(density, rows)

        def threshold(density, scores):
            return expected_threshold(density, rows, scores)

        drawable = hasattr(self._inner(), "sample")
        weights = _weights(rows)
        return guarded_fit(fit, score, threshold if drawable else None, weights, self.trim)

    def _threshold(self, rows, scores):
        """The score below which a row is flagged."""
        if self.contamination != "auto":
            return float(_quantile(scores, _weights(rows), self.contamination))
        if not hasattr(self.density_, "sample"):
            raise TypeError(
                f'contamination="auto" looks at rows drawn from the density, but '
                f"{type(self.density_).__name__} has no method sample; give a share as "
                "contamination."
            )
        return expected_threshold(self.density_, rows, scores)

    def score_samples(self, X: ArrayLike) -> np.ndarray:
        """How likely each row is.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
            Log density in nats, to which a missing entry adds what is to be expected of it.
        """
        check_is_fitted(self)
        return comparable_scores(self.density_, check_rows(self, X, reset=False))

    def decision_function(self, X: ArrayLike) -> np.ndarray:
        """The score of each row less the threshold.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
            Nats; negative for rows that are flagged.
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Whether each row is flagged.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,), int
            -1 for rows that are flagged, 1 for the others.
        """
        return np.where(self.decision_function(X) >= 0, 1, -1)


def comparable_scores(density, rows):
    """Log densities, to which missing entries add what is to be expected of them.

    That is the mean of log p(missing | observed) over rows drawn from the density, one number for
    each pattern of missing entries.
    """
    scores = np.asarray(density.score_samples(rows.values), dtype=np.float64)
    if not rows.has_missing:
        return scores
    order, starts, masks = rows.sorted_patterns
    drawn = sample_rows(density, max(64, min(4096, DRAWS_OF_PATTERNS // len(masks))), SEED)
    complete = density.score_samples(drawn).mean()
    parts = [density.score_samples(np.where(mask, drawn, np.nan)).mean() for mask in masks]
    scores[order] += np.repeat(complete - np.array(parts), np.diff(starts))
    return scores


def expected_threshold(density, rows, scores):
    """The score that all but a few rows pass if the density is that of the rows."""
    expected = comparable_scores(density, drawn_like(rows, density))
    low, middle, high = np.quantile(expected, [FALSE_ALARMS, 0.5, 0.75])
    own_middle, own_high = (_quantile(scores, _weights(rows), q) for q in (0.5, 0.75))
    stretch = (own_high - own_middle) / (high - middle) if high > middle else 1.0
    return float(own_middle - stretch * (middle - low))


def drawn_like(rows, density):
    """Rows drawn from the density, with entries missing as in these rows."""
    drawn = sample_rows(density, DRAWS, SEED)
    order, starts, masks = rows.sorted_patterns
    mass = np.cumsum(np.add.reduceat(_weights(rows)[order], starts[:-1]))
    stops = np.rint(mass / mass[-1] * DRAWS).astype(int)
    masks = np.repeat(masks, np.diff(stops, prepend=0), axis=0)
    return Rows(np.where(masks, drawn, np.nan))


def _weights(rows):
    return np.ones(len(rows)) if rows.weights is None else rows.weights


def _quantile(values, weights, share):
    """The value below which this share of the weight lies; between two where that is possible."""
    return _weighted_percentile(values, weights, 100 * share, average=True)
