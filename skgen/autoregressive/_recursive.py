"""Recursions that the user writes, compiled."""

from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import OptimizeResult, minimize
from sklearn.utils._param_validation import Interval, StrOptions

from .._random import make_rng
from .._validation import check_array_parameter
from ._base import warn_if_degenerate, warn_of_fit
from ._compiled import compile_loops
from ._fit import LOG_2PI
from ._lags import elapsed
from ._minimize import with_slopes
from ._model import floored
from ._particles import Recursion
from ._simulated import SimulatedAutoregression, interpolated, start_law

FLAT = 1e-6  # nats per row, by a change of a parameter as large as its start
TOLERANCES = {  # of the log-likelihood per row, and of parameters in units of their start
    "L-BFGS-B": {"ftol": 1e-15, "gtol": 1e-8},
    "Nelder-Mead": {"fatol": 1e-10, "xatol": 1e-7},
    "Powell": {"ftol": 1e-12, "xtol": 1e-7},
}
N_TRIED = 100  # rows in plain Python
CURVATURE_STEP = 1e-4  # in units of the parameters
N_DRAWS = 10  # completed copies of the sequences for each fit, where entries are missing
FORBIDDEN = 1e10  # of parameters with which the recursion is not finite


class RecursiveModel(SimulatedAutoregression):
    r"""A recursion of the user's own, compiled by Numba.

    .. math:: x_t = m_t + s_t e_t, \quad (m_t, s_t) = \mathrm{step}(x_{t-1}, ..., x_{t-p};\
              \theta)

    with independent normal innovations e: threshold autoregressions, chaotic maps, volatility,
    exponential smoothing, in a few lines of Python that run as fast as C.

    X is one array of shape (n_steps, n_features), whose rows are the samples, or a list of such
    arrays, of any lengths, of which each is a sample. NaN marks a missing entry.

    Parameters
    ----------
    step : callable
        ``step(past, params)``, or ``step(past, state, params)`` where there is a ``state``, gives
        the mean of the next row, or ``(mean, scale)``. ``past[0]`` is the row before, ``past[1]``
        the one before that: numbers if X has one column, else rows. ``state`` holds what else is
        to be remembered: ``step`` reads what it wrote a step ago and writes in place what the next
        step is to find. It must be a function that Numba compiles in nopython mode.
    params : array-like of shape (n_params,)
        Where the search of the parameters starts.
    order : int, default=1
        The number of rows in ``past``.
    state : array-like of shape (n_states,) or callable, default=None
        The state before row ``order``, or a function ``state(first, params)`` which gives it as an
        array; ``first`` are the first ``order`` rows, in the order of time.
    bounds : sequence of (low, high), default=None
        One pair for each parameter, with None where there is no limit.
    residuals : {"gaussian", "bootstrap"}, default="gaussian"
        The law of the innovations of what was fitted: normal, or a smoothed bootstrap of the
        residuals. The parameters maximise the normal likelihood in both cases.
    solver : {"L-BFGS-B", "Nelder-Mead", "Powell"}, default="L-BFGS-B"
        Of ``scipy.optimize.minimize``. The last two are for likelihoods with steps, such as those
        of a threshold.
    max_iter : int, default=500
        Iterations of the solver.
    n_refits : int, default=10
        Where entries are missing: number of fits, each to new draws of them.
    n_particles : int, default=200
        Draws of what is missing.
    n_paths : int, default=2000
        Of a forecast.
    random_state : int, RandomState or None, default=None
        For ``sample``, draws of ``impute``, and fits to missing entries. Scores, predictions and
        forecasts draw from a fixed seed.

    Attributes
    ----------
    params_ : ndarray of shape (n_params,)
    standard_errors_ : ndarray of shape (n_params,)
        From the curvature of the log-likelihood; NaN where it has none, at a bound, and where
        entries are missing.
    noise_variance_ : float, or ndarray of shape (d, d)
        Variance of the innovations, or their covariance; 1 where ``step`` gives a scale.
    residuals_ : ndarray of shape (at most 1000, d)
        The centres of "bootstrap".
    log_lik_ : float
        Of the rows after the first ``order``, given these, in nats; NaN where entries are missing.
    location_, scale_ : ndarray of shape (d,)
        Mean and standard deviation of the fit's rows.
    n_iter_ : int
    converged_ : bool
    context_ : ndarray of shape (n_steps, n_features)
        The rows of the fit, where it was one array, which ``forecast`` continues; the last 1000
        without ``state``.
    n_steps_ : int
        Number of rows of the fit before the steps that ``forecast`` gives.
    lengths_ : ndarray of shape (n_sequences,)
        Number of steps of the sequences of the fit.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Where X had names.

    Raises
    ------
    TypeError
        By ``fit``, where Numba cannot compile a function; the message says why.

    See Also
    --------
    NonlinearAR : The same of any regressor.

    Notes
    -----
    The first ``order`` rows of a sequence are independent normal with ``location_`` and
    ``scale_``. Given them the density of complete sequences is exact. Without a scale the
    covariance of the innovations is profiled out; the likelihood is a compiled loop, its gradient
    is by differences.

    Missing rows are drawn given all that is observed, by particles, and the parameters are fitted
    to the draws, of which only observed rows count as targets; the mean of the second half of
    these fits is kept. Densities then are estimates with an error of about one over the root of
    ``n_particles``; with ``order=0`` nothing depends on what is missing, and they are exact.

    The first fit of a function takes some seconds in which it is compiled. ``params[0]`` is faster
    than to unpack more than three parameters. Compiled code does not
    check indices: the fit begins with a hundred rows in plain Python, which does. A model can be
    pickled if its functions can: those of a module.

    References
    ----------
    Bollerslev (1986). Generalized autoregressive conditional heteroskedasticity. J. Econometrics
    31(3). Tong (1990). Non-linear Time Series. Oxford. Hyndman, Koehler, Ord, Snyder (2008).
    Forecasting with Exponential Smoothing. Springer. Wei, Tanner (1990). A Monte Carlo
    implementation of the EM algorithm. JASA 85(411).

    Examples
    --------
    >>> import numpy as np
    >>> from skgen import RecursiveModel
    >>> def garch(past, state, params):
    ...     omega, alpha, beta = params
    ...     state[0] = omega + alpha * past[0] ** 2 + beta * state[0]
    ...     return 0.0, np.sqrt(state[0])
    >>> model = RecursiveModel(garch, params=[0.1, 0.1, 0.8], state=[1.0], bounds=[(1e-6, 1)] * 3)
    >>> rng = np.random.default_rng(0)
    >>> x, variance = np.zeros((5000, 1)), 1.0
    >>> for t in range(1, 5000):
    ...     variance = 0.05 + 0.15 * x[t - 1, 0] ** 2 + 0.8 * variance
    ...     x[t] = np.sqrt(variance) * rng.normal()
    >>> model.fit(x).params_.round(2)
    array([0.04, 0.14, 0.82])
    """

    _fitted = ("params_",)
    _parameter_constraints: dict = {
        "step": [callable],
        "params": ["array-like"],
        "order": [Interval(Integral, 0, None, closed="left")],
        "state": [callable, "array-like", None],
        "bounds": ["array-like", None],
        "residuals": [StrOptions({"gaussian", "bootstrap"})],
        "solver": [StrOptions(set(TOLERANCES))],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "n_refits": [Interval(Integral, 1, None, closed="left")],
        "n_particles": [Interval(Integral, 2, None, closed="left")],
        "n_paths": [Interval(Integral, 2, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        step,
        params,
        *,
        order=1,
        state=None,
        bounds=None,
        residuals="gaussian",
        solver="L-BFGS-B",
        max_iter=500,
        n_refits=10,
        n_particles=200,
        n_paths=2000,
        random_state=None,
    ) -> None:
        self.step = step
        self.params = params
        self.order = order
        self.state = state
        self.bounds = bounds
        self.residuals = residuals
        self.solver = solver
        self.max_iter = max_iter
        self.n_refits = n_refits
        self.n_particles = n_particles
        self.n_paths = n_paths
        self.random_state = random_state

    # ---- fitting ----------------------------------------------------------------------------

    def fit(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> Self:
        """Find the parameters of maximum likelihood for one sequence or several.

        Parameters
        ----------
        X : list of array-like of shape (n_steps, n_features), or one such array
            NaN marks a missing entry.
        y : ignored
        sample_weight : array-like of shape (n_samples,), default=None
            A weight for each sequence, or of each row of an array as a target.

        Returns
        -------
        self

        Raises
        ------
        TypeError
            Where Numba cannot compile ``step`` or ``state``.
        ValueError
            For sequences that are too short, bounds that do not hold ``params``, and a ``step``
            that raises, or gives what is not finite, at the start.
        """
        return self._watched_fit(X, y, sample_weight)

    def _fit(self, sequences):
        x, _ = self._data(sequences)
        self.location_, self.scale_, floor = start_law(x, sequences.rows.weights)
        weights = np.ones(len(x)) if sequences.rows.weights is None else sequences.rows.weights
        weights = weights * (elapsed(sequences.offsets) >= self.order) * ~np.isnan(x).any(axis=1)
        self._check_rows(weights, x)
        search = Search(self, x, sequences.offsets, weights, floor)
        if np.isnan(x).any() and self.order:
            self._fit_to_draws(search)
        else:
            found = search.maximize(x[None], search.start)
            self.params_, self.n_iter_, self.converged_ = found.x, found.nit, found.success
            self._fit_innovations(search, x[None])
            self.log_lik_ = -search.value(x[None], found.x)
            self.standard_errors_ = search.standard_errors(x[None], found.x)
        if not self.converged_:
            warn_of_fit(
                f"solver={self.solver!r} stopped before it found the maximum; begin with other "
                "params, set bounds, or try another solver."
            )
        warn_if_degenerate(self, np.atleast_2d(self.noise_variance_), floor)

    def _check_rows(self, weights, x):
        n, needed = int((weights > 0).sum()), np.size(self.params) + 1
        if n < needed:
            raise ValueError(
                f"order={self.order} leaves {n} of n_samples={len(x)} rows to fit "
                f"{needed - 1} parameters; pass longer sequences."
            )

    def _fit_to_draws(self, search):
        """Monte Carlo EM: draws of what is missing, a fit to them, and again."""
        rng, x = make_rng(self.random_state), search.x
        self.params_ = search.maximize(search.filled, search.start, exact=False).x
        self._fit_innovations(search, search.filled)
        kept = []
        for k in range(1, self.n_refits + 1):
            draws = self._drawn(x, np.empty((len(x), 0)), search.offsets, rng, N_DRAWS)
            found = search.maximize(draws, self.params_, exact=k == self.n_refits)
            self.params_ = found.x
            self._fit_innovations(search, draws)
            kept.append((found.x, self.noise_variance_))
        kept = kept[len(kept) // 2 :]
        self.params_ = np.mean([params for params, _ in kept], axis=0)
        variance = np.mean([variance for _, variance in kept], axis=0)
        self.noise_variance_ = variance if np.ndim(variance) else float(variance)
        self.n_iter_, self.converged_ = self.n_refits, bool(found.success)
        self.log_lik_ = np.nan
        self.standard_errors_ = np.full(len(self.params_), np.nan)

    def _fit_innovations(self, search, draws):
        """The law of the innovations, of the parameters that were found."""
        copies, offsets, weights = search.stacked(draws)
        mean, scale = search.run(copies, offsets, self.params_)
        used = weights > 0
        self._fit_law((copies - mean)[used] / scale[used], weights[used], search.floor)
        if search.loops.has_scale:
            d = copies.shape[1]
            self.noise_variance_ = 1.0 if d == 1 else np.eye(d)

    # ---- parts ------------------------------------------------------------------------------

    @property
    def _forgets(self):
        return self.state is None

    def _loops(self):
        start = self.state if callable(self.state) else None
        one = self.n_features_in_ == 1
        return compile_loops(self.step, start, one, self.state is not None)

    def _recursion(self):
        self._check_fitted()
        return CompiledRecursion(self)

    def _n_lags(self):
        return self.order

    def _n_parameters(self):
        d = self.n_features_in_
        return len(self.params_) + (0 if self._loops().has_scale else d * (d + 1) // 2)


class Search:
    """The likelihood of parameters, and where it is greatest.

    ``draws`` are completed copies of the rows, of shape (n_draws, n, d): one if nothing is missing.
    """

    def __init__(self, model, x, offsets, weights, floor) -> None:
        self.model, self.x, self.offsets = model, x, offsets
        self.weights, self.floor, self.filled = weights, floor, interpolated(x)[None]
        self.start = check_array_parameter("params", model.params, (np.size(model.params),))
        self.bounds = self._checked_bounds(model.bounds)
        self.unit = np.where(self.start == 0, 1.0, np.abs(self.start))
        self._try(model)
        self.loops = model._loops()
        if not np.isfinite(self._totals(self.filled, self.start[None])[0][0]):
            raise ValueError(
                f"step gives values that are not finite, or a scale that is not positive, with "
                f"params={self.start.tolist()}; start from other ones."
            )

    def _checked_bounds(self, bounds):
        if bounds is None:
            return None
        limits = np.array(bounds, dtype=np.float64)  # None is NaN
        if limits.shape != (len(self.start), 2):
            raise ValueError(
                f"bounds has shape {limits.shape}; pass a pair (low, high) for each of the "
                f"{len(self.start)} params."
            )
        limits = np.where(np.isnan(limits), [-np.inf, np.inf], limits)
        outside = (self.start < limits[:, 0]) | (self.start > limits[:, 1])
        if outside.any():
            i = int(outside.argmax())
            raise ValueError(
                f"params has {self.start[i]} at {i}, which is not within bounds {bounds[i]!r}."
            )
        return limits

    def _try(self, model):
        """Some steps in plain Python, which checks indices, and whose errors say more."""
        x, p = self.filled[0, : model.order + N_TRIED], model.order
        x = x[:, 0] if self.x.shape[1] == 1 else x
        name, params = "state", self.start.copy()
        try:
            with np.errstate(all="ignore"):
                more = ()
                if model.state is not None:
                    own = model.state
                    own = plain(own)(x[:p], params) if callable(own) else own
                    more = (np.array(own, dtype=np.float64),)
                name = "step"
                for t in range(p, len(x)):
                    plain(model.step)(x[t - p : t][::-1].copy(), *more, params)
        except Exception as error:
            raise ValueError(
                f"{name} raised {type(error).__name__} with params={self.start.tolist()}: {error}"
            ) from error

    def stacked(self, draws):
        """Copies end to end, their offsets and weights."""
        m, n, d = draws.shape
        offsets = np.concatenate([self.offsets[:-1] + k * n for k in range(m)] + [[m * n]])
        return draws.reshape(-1, d), offsets, np.tile(self.weights / m, m)

    def run(self, x, offsets, params):
        """Mean and scale of all rows."""
        states = first_states(self.model, self.loops, x, offsets, params)
        mean, scale = np.full((2, *x.shape), np.nan)
        self.loops.run(x, offsets, self.model.order, states, params, mean, scale)
        return mean, scale

    def _totals(self, draws, params):
        """Sums of the logarithms of the scales (m,), and the innovations' scatters (m, d, d)."""
        x, offsets, weights = self.stacked(draws)
        states = [first_states(self.model, self.loops, x, offsets, own) for own in params]
        logs, half = np.zeros(len(params)), np.zeros((len(params), x.shape[1], x.shape[1]))
        self.loops.totals(
            x, offsets, self.model.order, np.array(states), params, weights, logs, half
        )
        logs[~np.isfinite(half).all(axis=(1, 2))] = np.nan
        return logs, half + np.tril(half, -1).swapaxes(1, 2)

    def values(self, draws, params):
        """Negative log-likelihoods (m,) of the rows that are targets, in nats, by parameters."""
        logs, scatter = self._totals(draws, np.ascontiguousarray(params))
        n, d = self.weights.sum(), scatter.shape[1]
        possible = np.isfinite(logs)
        scatter[~possible] = np.eye(d)
        if self.loops.has_scale:
            out = logs + 0.5 * np.trace(scatter, axis1=1, axis2=2) + 0.5 * n * d * LOG_2PI
        else:
            log_det = np.linalg.slogdet(floored(scatter / n, self.floor))[1]
            out = 0.5 * n * (log_det + d * (1 + LOG_2PI))
        return np.where(possible, out, FORBIDDEN * n)

    def value(self, draws, params):
        """That of one of them."""
        return float(self.values(draws, params[None])[0])

    def maximize(self, draws, start, *, exact=True):
        """The solver's result, in the units of the parameters; `exact` to the last digits."""
        if len(start) == 0:
            return OptimizeResult(x=start, nit=0, success=True)
        n, bounds, solver = self.weights.sum(), self.bounds, self.model.solver
        z, n_iter, success = start / self.unit, 0, False
        bounds = None if bounds is None else bounds / self.unit[:, None]

        def function(points):
            return self.values(draws, points * self.unit) / n

        # Central differences cost twice as much, and are for the last digits.
        ways = (False, True) if solver == "L-BFGS-B" else (None,)
        for central in ways if exact else ways[:1]:
            slopes = None if central is None else with_slopes(function, bounds, central)
            found = minimize(
                slopes or (lambda z: function(z[None])[0]),
                z,
                method=solver,
                jac=None if slopes is None else True,
                bounds=bounds,
                options={"maxiter": self.model.max_iter, **TOLERANCES[solver]},
            )
            # A search that ends because the last digits are lost in rounding is at its end, too.
            flat = slopes is not None and _slope(found, self.bounds, self.unit) < FLAT
            z, n_iter, success = found.x, n_iter + found.nit, success or found.success or flat
        found.x, found.nit, found.success = z * self.unit, n_iter, success
        if not (np.isfinite(found.x).all() and found.fun < FORBIDDEN):
            found.x, found.success = start, False
        return found

    def standard_errors(self, draws, params):
        """From second differences of the log-likelihood; NaN where they tell nothing."""
        k = len(params)
        step = CURVATURE_STEP * np.where(params == 0, 1.0, np.abs(params))
        out, inside = np.full(k, np.nan), np.ones(k, dtype=bool)
        if self.bounds is not None:
            low, high = self.bounds.T
            inside = (params - 2 * step > low) & (params + 2 * step < high)
        free = np.flatnonzero(inside)
        moves = np.diag(step)[free]
        i, j = np.tril_indices(len(free))
        a, b = moves[i], moves[j]
        around = params + np.concatenate([a + b, a - b, b - a, -a - b])
        values = self.values(draws, around).reshape(4, -1) if len(free) else np.empty((4, 0))
        hessian = np.empty((len(free), len(free)))
        hessian[i, j] = hessian[j, i] = np.array([1, -1, -1, 1]) @ values
        hessian /= 4 * np.outer(step[free], step[free])
        if len(free) and np.isfinite(hessian).all() and np.linalg.eigvalsh(hessian).min() > 0:
            out[free] = np.sqrt(np.diag(np.linalg.inv(hessian)))
        return out


def _slope(found, bounds, unit):
    """The largest derivative along which the search could go on."""
    slope = np.array(found.jac)
    if bounds is not None:
        low, high = (bounds / unit[:, None]).T
        slope[((found.x <= low) & (slope > 0)) | ((found.x >= high) & (slope < 0))] = 0.0
    return np.abs(slope).max()


class CompiledRecursion(Recursion):
    """The recursion of a fitted :class:`RecursiveModel`."""

    def __init__(self, model) -> None:
        super().__init__(model.order, model.location_, model.scale_, model._law())
        self.model, self.loops = model, model._loops()
        self.params = np.array(model.params_, dtype=np.float64)
        if model.state is not None:
            self.n_states = self.first_state(np.zeros((1, self.order, self.d))).shape[1]

    def first_state(self, first):
        offsets = np.arange(len(first) + 1) * self.order
        return first_states(self.model, self.loops, first.reshape(-1, self.d), offsets, self.params)

    def advance(self, past, state, exog):
        mean, scale = np.empty((2, len(past), self.d))
        self.loops.advance(past, state, self.params, mean, scale)
        return check_finite(mean, scale)

    def whole(self, x, exog, offsets):
        mean, scale = np.full((2, *x.shape), np.nan)
        states = first_states(self.model, self.loops, x, offsets, self.params)
        self.loops.run(x, offsets, self.order, states, self.params, mean, scale)
        used = elapsed(offsets) >= self.order
        if not np.isnan(x).any():
            check_finite(mean[used], scale[used])
        return mean, scale

    def after(self, x, exog):
        offsets = np.array([0, len(x)])
        states = first_states(self.model, self.loops, x, offsets, self.params)
        mean, scale = np.empty((2, *x.shape))
        self.loops.run(x, offsets, self.order, states, self.params, mean, scale)
        return super().after(x, exog)[0], states

    def simulate(self, past, state, noise, exog):
        paths, mean, scale = np.empty((3, *noise.shape))
        past, state = past.copy(), state.copy()
        self.loops.simulate(past, state, self.params, noise, paths, mean, scale)
        check_finite(mean, scale)
        return paths, mean, scale


def plain(function):
    """What Numba compiles, if it was given compiled."""
    return getattr(function, "py_func", function)


def first_states(model, loops, x, offsets, params):
    """States (n_sequences, n_states) before row `order` of each sequence."""
    n, p = len(offsets) - 1, model.order
    if not callable(model.state):
        own = np.empty(0) if model.state is None else np.asarray(model.state, dtype=np.float64)
        return np.tile(own.ravel(), (n, 1))
    first = np.zeros((n, p, x.shape[1]))
    long = np.flatnonzero(np.diff(offsets) >= p)
    first[long] = x[offsets[long][:, None] + np.arange(p)]
    size = np.size(plain(model.state)(first[0, :, 0] if x.shape[1] == 1 else first[0], params))
    states = np.empty((n, size))
    loops.start(first, params, states)
    return states


def check_finite(mean, scale):
    """Mean and scale, or an error."""
    if not np.isfinite(mean).all():
        raise ValueError(
            "step gives a mean that is not finite; the recursion explodes, or is not defined for "
            "all values that the innovations make possible. Let step limit them."
        )
    if not ((scale > 0) & np.isfinite(scale)).all():
        raise ValueError("step gives a scale that is not a positive number; let step limit it.")
    return mean, scale
