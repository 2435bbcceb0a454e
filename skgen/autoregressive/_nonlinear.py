"""Autoregressions whose mean is any regressor of scikit-learn."""

from numbers import Integral
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import is_classifier
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import has_fit_parameter

from .._random import make_rng
from ._base import warn_if_degenerate
from ._lags import as_lags, elapsed, lagged
from ._particles import Recursion
from ._regression import fit_targets, folds, predict_targets, seeded, unseen_predictions
from ._simulated import SimulatedAutoregression, interpolated, start_law

RESIDUALS = ("gaussian", "bootstrap", "heteroscedastic")
# Squares of residuals below this share of their mean are raised to it before the logarithm.
LEAST_SQUARE = 1e-4


class NonlinearAR(SimulatedAutoregression):
    r"""Autoregression whose one-step mean is any regressor.

    .. math:: x_t = f(x_{t-1}, ..., x_{t-p}) + s_t e_t

    with independent innovations e, and s = 1 unless their size is to depend on the past.

    X is one array of shape (n_steps, n_features), whose rows are the samples, or a list of such
    arrays, of any lengths, of which each is a sample and which share f. NaN marks a missing entry.

    Parameters
    ----------
    regressor : estimator
        Clones of it are fitted to the lagged values: one of them if it takes several targets at
        once, else one for each column.
    order : int or list of int, default=1
        The number of lags, or the lags themselves, such as ``[1, 12]``.
    residuals : {"gaussian", "bootstrap", "heteroscedastic"}, default="gaussian"
        The law of the innovations:

        - "gaussian": normal;
        - "bootstrap": the residuals themselves, each as the centre of a narrow normal
          distribution (a smoothed bootstrap), so that there is a density;
        - "heteroscedastic": normal, times a scale that a second regressor learns from the
          logarithms of squared residuals.
    scale_regressor : estimator, default=None
        For "heteroscedastic"; None for clones of ``regressor``.
    cv : int, splitter or None, default=5
        Folds from which residuals are taken, as a regressor is too good at the rows that it has
        seen: a number of stretches of neighbouring steps, or a splitter of the samples (the rows of
        an array, the sequences of a list). None takes the residuals of the fit itself, which is
        right for regressors with few parameters only.
    exog : int, str or list of these, default=None
        Columns of X that are not modelled, but whose present values are inputs of the regressor
        beside the lags of the others. They may not be missing.
    n_refits : int, default=10
        Where entries are missing: number of fits, each to a new draw of them. The mean of the
        second half of these fits is kept.
    n_particles : int, default=200
        Draws of what is missing.
    n_paths : int, default=2000
        Of a forecast.
    random_state : int, RandomState or None, default=None
        For ``sample``, draws of ``impute``, fits to missing entries, and what the regressor's own
        ``random_state`` leaves open. Scores, predictions and forecasts draw from a fixed seed.

    Attributes
    ----------
    regressors_ : list of lists of fitted estimators
        One list for each fit of which the mean is taken: one, unless entries are missing. In it
        one estimator, or one for each column.
    scale_regressors_ : list of fitted estimators
        For "heteroscedastic", with ``log_variance_slope_`` and ``log_variance_range_``.
    noise_variance_ : float, or ndarray of shape (d, d)
        Variance of the innovations e, or their covariance.
    residuals_ : ndarray of shape (at most 1000, d)
        The centres of "bootstrap".
    lags_ : ndarray
    order_ : int
        The longest lag.
    location_, scale_ : ndarray of shape (d,)
        Mean and standard deviation of the fit's rows.
    context_ : ndarray of shape (at most 1000, n_features)
        The last rows of the fit, where it was one array, which ``forecast`` continues.
    n_steps_ : int
        Number of rows of the fit before the steps that ``forecast`` gives.
    lengths_ : ndarray of shape (n_sequences,)
        Number of steps of the sequences of the fit.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Where X had names.

    Notes
    -----
    The first ``order_`` rows of a sequence are independent normal with ``location_`` and
    ``scale_``: what the stationary law is cannot be told. Given them the density of complete
    sequences is exact. To compare orders, cross-validate over parts that are long.

    The regressor is never given NaN, even if it would take it. A missing target is no response.
    Missing lags are drawn given all that is observed, by particles that the regressor moves and
    observed values weigh, and the regressor is fitted again (stochastic EM). Densities then are
    estimates with an error of about one over the root of ``n_particles``; a gap costs a call
    of ``regressor.predict`` a step, whatever the number of gaps.

    The scale of "heteroscedastic" is :math:`s = \exp(b g / 2)`, where g is a regression of the
    logarithms of squared residuals, and the slope b, at most 1, that of these logarithms on what g
    says of rows that it has not seen: a g that follows noise counts less. Such a g lies below the
    logarithm of the variance (by 1.27 if innovations are normal): ``noise_variance_``, the variance
    of the residuals over s, takes that back. Outside of the range that g has on the data, s stays
    as it is at its limits.

    References
    ----------
    Bergmeir, Hyndman, Koo (2018). A note on the validity of cross-validation for evaluating
    autoregressive time series prediction. Comput. Stat. Data Anal. 120. Silverman, Young (1987).
    The bootstrap: to smooth or not to smooth? Biometrika 74(3). Gordon, Salmond, Smith (1993).
    Novel approach to nonlinear/non-Gaussian Bayesian state estimation. IEE Proc. F 140(2). Celeux,
    Diebolt (1985). The SEM algorithm. Comput. Stat. Quarterly 2.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.ensemble import HistGradientBoostingRegressor
    >>> from skgen import NonlinearAR
    >>> rng = np.random.default_rng(0)
    >>> x = np.zeros((1000, 1))
    >>> for t in range(1, 1000):  # a threshold
    ...     x[t] = (0.9 if x[t - 1] < 0 else -0.5) * x[t - 1] + rng.normal()
    >>> model = NonlinearAR(HistGradientBoostingRegressor(max_iter=50)).fit(x)
    >>> model.predict(np.array([[-3.0], [0.0]]))[1].round()  # the truth is -2.7
    array([-3.])
    >>> model.forecast(5).interval(0.9)[0].shape
    (5, 1)
    """

    _fitted = ("regressors_",)
    _parameter_constraints: dict = {
        "regressor": [HasMethods(["fit", "predict"])],
        "order": [Interval(Integral, 0, None, closed="left"), "array-like"],
        "residuals": [StrOptions(set(RESIDUALS))],
        "scale_regressor": [HasMethods(["fit", "predict"]), None],
        "cv": ["cv_object"],
        "exog": [Integral, str, "array-like", None],
        "n_refits": [Interval(Integral, 1, None, closed="left")],
        "n_particles": [Interval(Integral, 2, None, closed="left")],
        "n_paths": [Interval(Integral, 2, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        regressor,
        order=1,
        *,
        residuals="gaussian",
        scale_regressor=None,
        cv=5,
        exog=None,
        n_refits=10,
        n_particles=200,
        n_paths=2000,
        random_state=None,
    ) -> None:
        self.regressor = regressor
        self.order = order
        self.residuals = residuals
        self.scale_regressor = scale_regressor
        self.cv = cv
        self.exog = exog
        self.n_refits = n_refits
        self.n_particles = n_particles
        self.n_paths = n_paths
        self.random_state = random_state

    # ---- fitting ----------------------------------------------------------------------------

    def fit(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the regressor to the lags of one sequence or several.

        Parameters
        ----------
        X : list of array-like of shape (n_steps, n_features), or one such array
            NaN marks a missing entry.
        y : ignored
        sample_weight : array-like of shape (n_samples,), default=None
            A weight for each sequence, or of each row of an array as a target. For regressors whose
            fit takes it.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For infinite values, and an order that is longer than the sequences can tell.
        TypeError
            For weights that the regressor does not take.
        """
        return self._watched_fit(X, y, sample_weight)

    def _fit(self, sequences):
        rng = make_rng(self.random_state)
        self._check_regressors()
        self.lags_ = as_lags("order", self.order)
        self.order_ = int(self.lags_.max(initial=0))
        x, exog = self._data(sequences)
        weights = self._checked_weights(sequences.rows.weights)
        self.location_, self.scale_, floor = start_law(x, weights)
        used = elapsed(sequences.offsets) >= self.order_
        used &= ~np.isnan(x).all(axis=1) & (True if weights is None else weights > 0)
        self._check_rows(int(used.sum()), len(x), exog.shape[1])
        prototypes = [seeded(each, rng) for each in self._prototypes()]
        task = Task(x, exog, sequences.offsets, weights, used, floor, prototypes, sequences.single)
        if np.isnan(x).any() and self.order_:
            self._fit_to_draws(task, rng)
        else:
            self._fit_to(task, x)
        warn_if_degenerate(self, np.atleast_2d(self.noise_variance_), floor)

    def _check_regressors(self):
        for regressor in self._prototypes():
            if is_classifier(regressor):
                raise TypeError(
                    f"regressor={regressor!r} predicts classes, but the next step is a number; "
                    "pass a regressor, such as Ridge()."
                )

    def _checked_weights(self, weights):
        for regressor in self._prototypes():
            if weights is not None and not has_fit_parameter(regressor, "sample_weight"):
                raise TypeError(
                    f"sample_weight was given, but {type(regressor).__name__}.fit does not take "
                    "it; leave it out."
                )
        return weights

    def _prototypes(self):
        """The regressor of the mean, and that of the scale if there is one."""
        if self.residuals != "heteroscedastic":
            return [self.regressor]
        own = self.scale_regressor
        return [self.regressor, self.regressor if own is None else own]

    def _check_rows(self, n, n_rows, n_exog):
        if len(self.lags_) == 0 and n_exog == 0:
            raise ValueError(
                f"order={self.order!r} leaves the regressor without inputs; use 1 or more, or exog."
            )
        if n < 2:
            raise ValueError(
                f"order={self.order!r} leaves {n} of n_samples={n_rows} rows to fit; pass longer "
                "sequences or a lower order."
            )

    def _fit_to(self, task, x, used=None):
        """Regressors and law, where x has the values of the lags."""
        used = task.used if used is None else used
        inputs = np.concatenate([lagged(x, task.offsets, self.lags_), task.exog], axis=1)[used]
        targets = task.x[used]
        weights = None if task.weights is None else task.weights[used]
        fitted = fit_targets(task.prototypes[0], inputs, targets, weights)
        self.regressors_ = [fitted]
        pairs = None if self.cv is None else list(folds(self.cv, used, task.offsets, task.single))
        if pairs is None:
            guess = predict_targets(fitted, inputs)
        else:
            guess = unseen_predictions(task.prototypes[0], inputs, targets, weights, pairs)
        e = targets - guess
        if self.residuals == "heteroscedastic":
            e = e / self._fit_scale(task.prototypes[1], inputs, e, weights, pairs)
        self._fit_law(e, weights, task.floor)

    def _fit_scale(self, prototype, inputs, e, weights, pairs):
        """The scale of each residual, by a regressor of its logarithm that has not seen it."""
        squares = e**2
        least = np.maximum(LEAST_SQUARE * np.nanmean(squares, axis=0), np.finfo(float).tiny)
        logs = np.log(np.maximum(squares, least))
        self.scale_regressors_ = fit_targets(prototype, inputs, logs, weights)
        guess = seen = predict_targets(self.scale_regressors_, inputs)
        if pairs is not None:
            guess = unseen_predictions(prototype, inputs, logs, weights, pairs)
        self.log_variance_range_ = np.array([seen.min(axis=0), seen.max(axis=0)])
        self.log_variance_slope_ = np.array(
            [slope(*columns, weights) for columns in zip(guess.T, logs.T, strict=True)]
        )
        return scale_of(self, guess)

    def _fit_to_draws(self, task, rng):
        """Stochastic EM: draws of what is missing, a fit to them, and again."""
        self._fit_to(task, *self._first_guess(task))
        kept = []
        for _ in range(self.n_refits):
            self._fit_to(task, self._drawn(task.x, task.exog, task.offsets, rng)[0])
            kept.append((self.regressors_[0], self.noise_variance_))
        kept = kept[len(kept) // 2 :]
        self.regressors_ = [regressors for regressors, _ in kept]
        variance = np.mean([variance for _, variance in kept], axis=0)
        self.noise_variance_ = variance if np.ndim(variance) else float(variance)

    def _first_guess(self, task):
        """Rows whose past is known, if these are enough; else all, with lines through the gaps."""
        inputs = lagged(task.x, task.offsets, self.lags_)
        known = task.used & ~np.isnan(inputs).any(axis=1)
        enough = max(20, 3 * inputs.shape[1])
        if (np.sum(~np.isnan(task.x[known]), axis=0) >= enough).all():
            return task.x, known
        return interpolated(task.x), task.used

    def _recursion(self):
        self._check_fitted()
        return RegressorRecursion(self)

    def _n_lags(self):
        return self.order_

    def _n_parameters(self):
        raise AttributeError(
            "a regressor has no number of parameters that could be counted; choose the order by "
            "cross-validation of score."
        )


class Task(NamedTuple):
    """What is to be fitted."""

    x: np.ndarray  # (n, d), sequences end to end, NaN where missing
    exog: np.ndarray  # (n, m)
    offsets: np.ndarray
    weights: np.ndarray | None  # (n,)
    used: np.ndarray  # (n,), rows that are targets
    floor: np.ndarray  # (d,), least variances
    prototypes: list  # of the mean and the scale
    single: bool  # whether there is one sequence, whose rows are the samples


class RegressorRecursion(Recursion):
    """The recursion of a fitted :class:`NonlinearAR`."""

    def __init__(self, model) -> None:
        n_exog = len(model._exog())
        super().__init__(model.order_, model.location_, model.scale_, model._law(), n_exog)
        self.lags, self.regressors = model.lags_, model.regressors_
        self.model = model

    def advance(self, past, state, exog):
        lags = past[:, self.lags - 1].reshape(len(past), -1)
        if not np.isfinite(lags).all():
            raise ValueError(
                "a simulated path left the finite numbers: the regressor lets it explode. Use "
                "fewer lags, a shorter horizon, or a regressor that does not extrapolate."
            )
        with np.errstate(over="ignore", invalid="ignore"):  # told at the next step
            return self._predict(np.concatenate([lags, exog], axis=1))

    def whole(self, x, exog, offsets):
        inputs = np.concatenate([lagged(x, offsets, self.lags), exog], axis=1)
        mean, scale = np.full((2, *x.shape), np.nan)
        known = ~np.isnan(inputs).any(axis=1)
        if known.any():
            mean[known], scale[known] = self._predict(inputs[known])
        return mean, scale

    def _predict(self, inputs):
        mean = np.mean([predict_targets(each, inputs) for each in self.regressors], axis=0)
        if self.model.residuals != "heteroscedastic":
            return mean, np.ones_like(mean)
        return mean, scale_of(self.model, predict_targets(self.model.scale_regressors_, inputs))


def scale_of(model, logs):
    """The scale s by predicted logarithms of squares (n, d)."""
    return np.exp(0.5 * model.log_variance_slope_ * np.clip(logs, *model.log_variance_range_))


def slope(guess, logs, weights):
    """Of the regression of logarithms on guesses of them, between 0 and 1."""
    known = ~np.isnan(guess + logs)
    guess, logs = guess[known], logs[known]
    w = np.ones(len(guess)) if weights is None else weights[known]
    guess = guess - np.average(guess, weights=w)
    squares = w @ guess**2
    return float(np.clip((w * guess) @ logs / squares, 0, 1)) if squares > 0 else 0.0
