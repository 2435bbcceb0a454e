"""Autoregressions of one column or several."""

from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils._param_validation import Interval, StrOptions

from .._kernels import _ar
from .._validation import column_label
from . import _steps as steps
from ._base import warn_if_degenerate, warn_of_fit
from ._fit import FITS, Task, params_of
from ._lags import as_lags
from ._least_squares import column_sums
from ._linear import LinearAutoregression
from ._model import ARParams, levels
from ._panel import fit_each
from ._terms import DEGREES

CRITERIA = ("aic", "bic", "hqic")


class AR(LinearAutoregression):
    r"""Autoregression of one column, or vector autoregression of several.

    .. math:: x_t = m_t + u_t, \quad u_t = \sum_{j=1}^p \Phi_j u_{t-j} + e_t, \quad
              e_t \sim \mathcal{N}(0, \Sigma)

    where the mean m is a trend, seasons and a regression on exogenous columns.

    X is one array of shape (n_steps, n_features), whose rows are the samples: ``score_samples``
    gives :math:`\log p(x_t | x_1, ..., x_{t-1})`, which add up to the log-likelihood; or a list
    of such arrays, of any lengths, of which each is a sample. NaN marks a missing entry.

    Parameters
    ----------
    order : int, list of int, or {"aic", "bic", "hqic"}, default=1
        The number of lags; the lags themselves, such as ``[1, 12]``; or the criterion that chooses
        the number, up to ``max_order``.
    max_order : int, default=None
        None for :math:`10 \log_{10}` of the length of the longest sequence, or a sixth of the
        number of entries per parameter of a lag if that is less.
    method : {"exact", "conditional", "yule-walker", "burg"}, default="exact"
        - "exact": maximum likelihood of all rows, which keeps the model stationary; missing
          entries and sequences shorter than the order count as what they tell;
        - "conditional": least squares given the first rows; the model need not be stationary;
        - "yule-walker": from autocovariances; stationary;
        - "burg": from forward and backward errors; stationary; one column.
    trend : {"constant", "linear", "quadratic"}, int or None, default="constant"
        Polynomial in the time t = 1, 2, ... of a step in its sequence, or its degree.
    period : float, default=None
        Steps in a season: a dummy for each of them, or Fourier terms.
    harmonics : int, default=0
        Number of pairs of Fourier terms, in place of dummies.
    exog : int, str or list of these, default=None
        Columns of X that are not modelled but explain the others: x minus its regression on them
        follows the autoregression (regression with autoregressive errors). They may not be
        missing, and need method "exact".
    diff : {0, 1}, default=0
        1 for an integrated process: the steps :math:`x_t - x_{t-1}` follow the autoregression, and
        the constant is a drift. Nothing is known of the level, so that densities are given the
        first observed entry of each column. Missing entries are taken as for 0.
    prior : float, default=0.0
        Precision of a normal prior around zero of the coefficients of lag 1, in units of the
        innovations' standard deviations; those of lag j have j squared times it. For "exact" and
        "conditional".
    pooled : bool, default=True
        Whether the sequences of a list share one model. False fits one to each, thousands of them
        in one compiled call: attributes get a leading axis, and X must have the same sequences in
        the same order wherever it is given.
    max_iter : int, default=200
        For the exact likelihood of several columns.
    random_state : int, RandomState or None, default=None
        For ``sample`` and draws of ``impute``; the fit draws nothing.

    Attributes
    ----------
    coef_ : ndarray of shape (p,), or (p, d, d) for several columns
        By lag; element [j, i, k] is what column k, j + 1 steps before, adds to column i.
    intercept_ : float, or ndarray of shape (d,)
        The constant in :math:`x_t = c + \sum_j \Phi_j x_{t-j} + e_t`; 0 without trend.
    noise_variance_ : float, or ndarray of shape (d, d)
        Variance of the innovations, or their covariance.
    mean_ : float, or ndarray of shape (d,)
        The stationary mean, where the trend is a constant; with ``diff=1`` that of a step.
    trend_coef_ : ndarray of shape (n_terms,), or (n_terms, d)
        Coefficients of the other powers of time, then of seasons, in the same recursion.
    exog_coef_ : ndarray of shape (n_exog,), or (n_exog, d)
    order_ : int
        The longest lag.
    lags_ : ndarray or None
        The lags of a subset.
    log_lik_ : float
        Log-likelihood of what was fitted, in nats; conditional on the first rows for
        "conditional", without them for "yule-walker" and "burg".
    loglik_path_, aic_path_, bic_path_, hqic_path_ : ndarray of shape (max_order + 1,)
        Of order 0, 1, ..., of the same rows, where all of them were fitted: when a criterion
        chooses, and for any order by all methods but "exact".
    pacf_ : ndarray of shape (max_order,), or (max_order, d, d)
        Partial autocorrelations: the last coefficient of each order.
    location_, scale_ : ndarray of shape (d,)
        Mean and standard deviation of the fit's rows: the law of the first rows of a model that is
        not stationary, and of the first row with ``diff=1`` in ``sample``, ``predict`` and
        ``transform``.
    converged_ : bool
    n_iter_ : int
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
    All orders come from one pass: n p products give the Gram matrix of lagged values, whose
    Cholesky factor has the residual sums of squares of every order. With it an evaluation of the
    exact likelihood costs O(p^2) whatever n. Missing values cost one banded system an evaluation.
    Where products would lose half of the digits, orthogonal factorizations take their place.

    With ``diff=1`` coefficients, ``mean_``, ``spectrum`` and ``autocovariance`` are those of the
    steps; ``impulse_response`` is that of x. Of the steps across a gap the sum is known, and this
    is what counts: the precision matrix of levels is banded, too.

    Times count from the first row of each sequence: to score a later window of a model with a
    trend or seasons, pass the sequence from its beginning.

    References
    ----------
    Brockwell, Davis (2016). Introduction to Time Series and Forecasting. Springer. Lütkepohl
    (2005). New Introduction to Multiple Time Series Analysis. Springer. Siddiqui (1958). On the
    inversion of the sample covariance matrix in a stationary autoregressive process. Ann. Math.
    Statist. 29(2).

    Examples
    --------
    >>> import numpy as np
    >>> from skgen import AR
    >>> rng = np.random.default_rng(0)
    >>> x = np.zeros((2000, 1))
    >>> for t in range(1, 2000):
    ...     x[t] = 0.9 * x[t - 1] + rng.normal()
    >>> x[rng.random(2000) < 0.5] = np.nan  # half of the values are not observed
    >>> model = AR(order=1).fit(x)
    >>> model.coef_.round(2)
    array([0.9])
    >>> model.mean_ == float(model.forecast(1000).mean[-1, 0])
    True
    """

    _fitted = ("coef_",)
    _parameter_constraints: dict = {
        "order": [
            Interval(Integral, 0, None, closed="left"),
            "array-like",
            StrOptions(set(CRITERIA)),
        ],
        "max_order": [Interval(Integral, 0, None, closed="left"), None],
        "method": [StrOptions(set(FITS))],
        "trend": [StrOptions(set(DEGREES)), Interval(Integral, 0, None, closed="left"), None],
        "period": [Interval(Real, 1, None, closed="neither"), None],
        "harmonics": [Interval(Integral, 0, None, closed="left")],
        "exog": [Integral, str, "array-like", None],
        "diff": [Interval(Integral, 0, 1, closed="both")],
        "prior": [Interval(Real, 0, None, closed="left")],
        "pooled": ["boolean"],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        order=1,
        *,
        max_order=None,
        method="exact",
        trend="constant",
        period=None,
        harmonics=0,
        exog=None,
        diff=0,
        prior=0.0,
        pooled=True,
        max_iter=200,
        random_state=None,
    ) -> None:
        self.order = order
        self.max_order = max_order
        self.method = method
        self.trend = trend
        self.period = period
        self.harmonics = harmonics
        self.exog = exog
        self.diff = diff
        self.prior = prior
        self.pooled = pooled
        self.max_iter = max_iter
        self.random_state = random_state

    # ---- fitting ----------------------------------------------------------------------------

    def fit(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> Self:
        """Fit to one sequence or several.

        Parameters
        ----------
        X : list of array-like of shape (n_steps, n_features), or one such array
            NaN marks a missing entry, which method "exact" takes.
        y : ignored
        sample_weight : array-like of shape (n_samples,), default=None
            A sequence of weight 2 counts as two, one of weight 0 is not there. Rows of one array
            cannot be weighted.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For infinite values, an order that is longer than the sequences can tell, and missing
            entries with another method.
        """
        return self._watched_fit(X, y, sample_weight)

    def _refuse_weighted_rows(self, sequences):
        weights = sequences.rows.weights
        if sequences.single and weights is not None and np.ptp(weights) > 0:
            raise ValueError(
                "sample_weight differs between rows of one sequence, which depend on each other; "
                "weight the sequences of a list."
            )

    def _fit(self, sequences):
        self._refuse_weighted_rows(sequences)
        if not self.pooled:
            fit_each(self, sequences)
            return
        task, found, params = self._fitted_to(sequences)
        self._warn(task, found)
        self._store(params)
        self.lags_ = task.lags
        self.order_ = len(found.coef)
        self.log_lik_, self.converged_, self.n_iter_ = (
            found.log_lik,
            found.converged,
            found.n_iter,
        )
        self._store_paths(task, found)

    def _fitted_to(self, sequences):
        """What is fitted, what was found, and the model in the units of the data."""
        task, centre, location, scale = self._task(sequences)
        found = FITS[self.method](task)
        if task.diff:  # the level is that of what the exogenous columns leave
            exog = sequences.rows.values[:, self._exog()]
            location = location - exog.mean(axis=0) @ found.exog
        return task, found, params_of(task, found, centre, location, scale)

    def _task(self, sequences):
        """The fit as arrays, what was taken from its x, and the location and scale of the rows."""
        terms, columns = self._terms(), self._outputs()
        x = np.asarray(sequences.rows.values, dtype=np.float64)
        exog = np.empty((len(x), 0)) if self.exog is None else x[:, self._exog()]
        x = x[:, columns] if exog.shape[1] else x
        self._check_data(x, exog, sequences.rows.has_missing)
        lags, order, criterion = self._order(sequences.lengths - self.diff, x)
        location, scale, size, centred = _moments(x, sequences.rows.has_missing)
        floor = np.maximum((np.finfo(float).eps * size) ** 2, 1e-300)
        offsets, design, gone = sequences.offsets, terms.stacked(sequences.lengths), None
        centre = location
        if self.diff:
            x, gone = steps.filled(x, offsets, self.diff)
            exog, design = steps.steps(exog, offsets)[0], steps.after_first(design, offsets)
            x, offsets = steps.steps(x, offsets)
            centre = x.mean(axis=0) if len(x) else 0 * location
            centred = x - centre
        weights = sequences.weights
        if sequences.single:  # one sequence, whose rows weigh the same
            weights = None if weights is None else weights[:1]
        task = Task(
            centred if terms.constant else np.ascontiguousarray(x),
            design,
            exog,
            offsets,
            weights,
            terms,
            lags,
            order,
            criterion,
            float(self.prior),
            floor,
            self.max_iter,
            gone,
        )
        self._check_length(task)
        return task, centre, location, scale

    def _check_data(self, x, exog, has_missing):
        if x.shape[1] == 0:
            raise ValueError(
                f"exog={self.exog!r} takes all columns of X; leave one to be modelled."
            )
        if x.shape[1] > 1 and self.method == "burg":
            raise ValueError(
                f'method="burg" is for one column, but X has {x.shape[1]}; use "yule-walker".'
            )
        if self.method != "exact":
            if has_missing and np.isnan(x).any():
                raise ValueError(
                    f"X has missing entries (NaN), which method={self.method!r} cannot take; use "
                    'method="exact".'
                )
            if exog.shape[1]:
                raise ValueError(f'exog needs method="exact", but method={self.method!r}.')
        if self.prior and self.method in ("yule-walker", "burg"):
            raise ValueError(f"prior={self.prior} is not for method={self.method!r}.")
        if self.prior and self.method == "conditional" and isinstance(self.order, str):
            raise ValueError(
                f"order={self.order!r} compares fits without a prior, but prior={self.prior}; give "
                'the order, or use method="exact".'
            )
        if has_missing and np.isnan(exog).any():
            j = self._exog()[np.isnan(exog).any(axis=0).argmax()]
            raise ValueError(
                f"{column_label(self, j)}, an exogenous one, has missing entries; fill them first."
            )

    def _order(self, lengths, x):
        """Lags of a subset or None, the longest lag, and the criterion or None."""
        if isinstance(self.order, str):
            return None, self._max_order(lengths, x), self.order
        if isinstance(self.order, Integral):
            return None, int(self.order), None
        lags = as_lags("order", self.order)
        if self.method in ("yule-walker", "burg"):
            raise ValueError(
                f"order={self.order!r} is a subset of lags, which method={self.method!r} cannot "
                'fit; use "exact" or "conditional".'
            )
        return lags, int(lags[-1]), None

    def _max_order(self, lengths, x):
        if self.max_order is not None:
            return int(self.max_order)
        longest = int(lengths.max())
        enough = int(np.sum(~np.isnan(x))) // (6 * x.shape[1] ** 2)
        return max(0, min(int(10 * np.log10(max(longest, 1))), enough, longest - 1))

    def _check_length(self, task):
        """Refuse orders that the sequences cannot tell."""
        d, r, m = task.shape
        free = task.order if task.lags is None else len(task.lags)
        needed = free * d + r + m + 1
        skipped = task.order if self.method == "conditional" else 0
        lengths = task.lengths
        rows = seen = int(task.n_rows(skipped, weighted=False))
        if self.method == "exact":
            gone = int(task.gone.sum() if task.diff else np.isnan(task.x).sum())
            seen = (task.x.size - gone) // d
        n_rows = len(task.gone if task.diff else task.x)
        if min(rows, seen) < needed or (
            (d > 1 or self.method != "exact") and (lengths.max() <= task.order)
        ):
            raise ValueError(
                f"order={self.order!r} needs more than n_samples={n_rows}, of which "
                f"{min(rows, seen)} tell of {needed} parameters for each column; pass longer "
                "sequences or a lower order."
            )

    def _store_paths(self, task, found):
        for name in (*CRITERIA, "loglik"):
            self.__dict__.pop(f"{name}_path_", None)
        for name, path in (found.paths or {}).items():
            setattr(self, f"{name}_path_", path)
        d = task.shape[0]
        last = found.last
        if last is None and d == 1:
            own = levels(found.coef[:, 0, 0])
            last = None if own is None else own[1]
        elif last is not None and d == 1:
            last = last[:, 0, 0]
        self.pacf_ = last

    def _warn(self, task, found):
        if not found.converged:
            warn_of_fit(
                f"The likelihood was still growing after {found.n_iter} iterations; a lower order "
                "or a prior would help."
            )
        warn_if_degenerate(self, found.sigma, task.floor)

    # ---- parameters -------------------------------------------------------------------------

    @property
    def _pooled(self):
        return self.pooled

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.method == "exact"
        return tags

    def _check_fitted(self):
        super()._check_fitted()
        if "n_features_in_" not in self.__dict__:  # the parameters were set by hand
            self.n_features_in_ = 1 if np.ndim(self.coef_) == 1 else np.shape(self.coef_)[-1]

    def _store(self, params):
        """Parameters as public attributes."""
        d = params.shape[1]
        one = d == 1
        constant = self._terms().constant
        intercept = params.terms[0] if constant else np.zeros(d)
        self.coef_ = params.coef[:, 0, 0] if one else params.coef
        self.intercept_ = float(intercept[0]) if one else intercept
        self.trend_coef_ = (
            params.terms[int(constant) :, 0] if one else params.terms[int(constant) :]
        )
        self.exog_coef_ = params.exog[:, 0] if one else params.exog
        self.noise_variance_ = float(params.sigma[0, 0]) if one else params.sigma
        self.location_, self.scale_ = params.location, params.scale

    def _params(self, s=None):
        """The public attributes as parameters, of model s if there are several."""
        self._check_fitted()
        own = {}
        for name in ("coef_", "intercept_", "noise_variance_"):
            own[name] = np.asarray(getattr(self, name), dtype=np.float64)
        d = len(self._outputs())
        r = self._terms().n_terms - int(self._terms().constant)
        own["trend_coef_"] = np.asarray(getattr(self, "trend_coef_", np.zeros((r, d))), np.float64)
        own["exog_coef_"] = np.asarray(getattr(self, "exog_coef_", np.zeros((0, d))), np.float64)
        own["location_"] = np.asarray(getattr(self, "location_", np.zeros(d)), np.float64)
        own["scale_"] = np.asarray(getattr(self, "scale_", np.ones(d)), np.float64)
        if not self.pooled:
            if s is None:
                raise ValueError(
                    "with pooled=False there is a model for each sequence; this is for one model."
                )
            own = {name: value[s] for name, value in own.items()}
        terms = own["trend_coef_"].reshape(-1, d)
        if self._terms().constant:
            terms = np.concatenate([own["intercept_"].reshape(1, d), terms])
        return ARParams(
            np.ascontiguousarray(own["coef_"].reshape(-1, d, d)),
            terms,
            own["exog_coef_"].reshape(-1, d),
            own["noise_variance_"].reshape(d, d),
            own["location_"],
            own["scale_"],
            int(self.diff),
        )


def _moments(x, has_missing):
    """Mean, standard deviation, root mean square of the observed entries; what the mean leaves."""
    if has_missing:
        location = np.nanmean(x, axis=0)
        centred = x - location
        variance = np.nanmean(centred**2, axis=0)
    elif x.shape[1] == 1:
        values, mean, square = _ar.centred(x[:, 0])
        location, variance, centred = np.array([mean]), np.array([square]), values[:, None]
    else:
        location = column_sums(x) / len(x)
        centred = x - location
        rest = column_sums(centred) / len(x)  # what rounding left
        centred -= rest
        location += rest
        variance = np.einsum("ij,ij->j", centred, centred) / len(x)
    size = np.sqrt(location**2 + variance)
    scale = np.sqrt(variance)
    return location, np.where(scale > 0, scale, np.maximum(size, 1.0)), size, centred
