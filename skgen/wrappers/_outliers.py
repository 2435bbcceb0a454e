"""Anomalies: the samples that are unlikely under a density fitted to the others."""

from numbers import Real
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import OutlierMixin, _fit_context, clone
from sklearn.utils import get_tags
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.stats import _weighted_percentile
from sklearn.utils.validation import check_is_fitted

from .._density import RandomState
from ..gaussian import GaussianMixture
from ._base import Wrapper, asking_for_weights
from ._guard import guarded_fit
from ._samples import last_step, samples_of

# contamination="auto": the share of rows without anomalies that is flagged all the same.
FALSE_ALARMS = 0.01
# A sample lies near the others if its density is no less than a hundredth of the threshold.
NEAR = np.log(100.0)
# The default density has fewer components where the rows are fewer than this for each.
ROWS_A_COMPONENT = 20


class DensityOutlierDetector(OutlierMixin, Wrapper):
    """Flags rows, or sequences, that are unlikely under a density fitted to the others.

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

    A density of sequences (:class:`~skgen.HMM`, :class:`~skgen.AR`, :class:`~skgen.NGramLM`) finds
    anomalies among the sequences of a list, whose score is their log density per observed step,
    as long sequences are never as likely as short ones; and among the steps of one array, each
    given those before it. Steps that are left out of a fit are missing in it, so that the others
    keep their places in time.

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

    def _prototype(self, samples):
        """The density to clone; the default one with the number of components of the best BIC.

        More than the rows call for would learn where the least likely ones were left out.
        """
        density = self._inner()
        if self.density is not None:
            return density
        X, weights = samples.part(samples.weights)
        weights = weights if samples.weighted else None
        most = max(1, min(density.n_components, len(X) // ROWS_A_COMPONENT))
        fits = [
            clone(density).set_params(n_components=K).fit(X, sample_weight=weights)
            for K in range(1, most + 1)
        ]
        best = min(fits, key=lambda fit: fit.bic(X, weights))
        return density.set_params(n_components=best.n_components)

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the density to the samples that are not the least likely, and choose the threshold.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or list of sequences
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
            samples = samples_of(self, self._inner(), X, reset=True, sample_weight=sample_weight)
            if self.trim > 0 and samples.unit == "steps":
                self._check_takes_missing()
            self.density_, scores = self._fit_guarded(context, samples)
            self.offset_ = self._threshold(samples, scores)
            self._unit = samples.unit
            if samples.unit != "rows":
                self._adopt_features(self.density_)
        context.call_on_fit_task_end(estimator=self, X=X)
        return self

    def _check_takes_missing(self):
        density = last_step(self._inner())
        if not get_tags(density).input_tags.allow_nan:
            raise ValueError(
                f"trim={self.trim} turns steps of the series into missing ones, which "
                f"{type(density).__name__} as it is set cannot take; use trim=0."
            )

    def _fit_guarded(self, context, samples):
        """The density fitted to the likely samples, and the scores of all samples."""
        given = samples.weights if samples.weighted else None
        passed_on, prototype = self._passed_on(given), self._prototype(samples)
        # The row at the edge of the likely ones counts in part, where the density knows weights.
        weighted = passed_on is not None if samples.weighted else self._inner_takes_weights()

        def fit(kept):
            X, weights = samples.part(kept)
            own = weights if weighted and (weights != 1).any() else None
            return self._fit_inner(context.subcontext("fit-density"), X, own, prototype)

        def least(density, scores):
            return expected_threshold(density, samples, scores) - NEAR / samples.mean_length

        drawable = hasattr(self._inner(), "sample")
        return guarded_fit(
            fit, samples.scores, least if drawable else None, samples.weights, self.trim
        )

    def _threshold(self, samples, scores):
        """The score below which a sample is flagged."""
        if self.contamination != "auto":
            return float(_quantile(scores, samples.weights, self.contamination))
        if not hasattr(self.density_, "sample"):
            raise TypeError(
                f'contamination="auto" looks at {samples.unit} drawn from the density, but '
                f"{type(self.density_).__name__} has no method sample; give a share as "
                "contamination."
            )
        return expected_threshold(self.density_, samples, scores)

    def score_samples(self, X: ArrayLike) -> np.ndarray:
        """How likely each row or sequence is.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or list of sequences

        Returns
        -------
        ndarray of shape (n_samples,)
            Log density in nats, to which a missing entry adds what is to be expected of it; of a
            sequence in a list, per step.
        """
        check_is_fitted(self)
        samples = samples_of(self, self.density_, X)
        if samples.unit != self._unit:
            raise ValueError(
                f"the detector was fitted to {self._unit}, but X holds {samples.unit}; pass X in "
                "the form in which fit was given it."
            )
        return samples.scores(self.density_)

    def decision_function(self, X: ArrayLike) -> np.ndarray:
        """The score of each sample less the threshold.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or list of sequences

        Returns
        -------
        ndarray of shape (n_samples,)
            Nats; negative for what is flagged.
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Whether each sample is flagged.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or list of sequences

        Returns
        -------
        ndarray of shape (n_samples,), int
            -1 for samples that are flagged, 1 for the others.
        """
        return np.where(self.decision_function(X) >= 0, 1, -1)


def expected_threshold(density, samples, scores):
    """The score that all but a few samples pass if the density is theirs."""
    low, middle, high = np.quantile(samples.expected(density), [FALSE_ALARMS, 0.5, 0.75])
    own_middle, own_high = (_quantile(scores, samples.weights, q) for q in (0.5, 0.75))
    stretch = (own_high - own_middle) / (high - middle) if high > middle else 1.0
    return float(own_middle - stretch * (middle - low))


def _quantile(values, weights, share):
    """The value below which this share of the weight lies; between two where that is possible."""
    return _weighted_percentile(values, weights, 100 * share, average=True)
