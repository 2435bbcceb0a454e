"""What watches a fit: its progress line, scikit-learn's callbacks, and callbacks that need no y.

The tasks of a fit, as callbacks see them (there is no level of starts where there is one start):

    fit, alone or as a task of a Pipeline or a search > start 0, 1, ... > iteration 0, 1, ...
"""

import os
import sys
import time
from copy import copy
from functools import partial
from numbers import Integral, Real
from pathlib import Path
from shutil import get_terminal_size
from uuid import uuid4

import joblib
import numpy as np
from sklearn.callback import ScoringMonitor
from sklearn.utils._param_validation import Interval, validate_params


class FitMonitor:
    """Tells callbacks and the progress line of one fit.

    Parameters
    ----------
    estimator : estimator with callback support and ``max_iter``
        ``verbose`` and ``verbose_interval`` are used where it has them.
    X, y, sample_weight : as given to ``fit``
    attributes : callable, (params, objectives) -> dict
        The fitted attributes for some parameters; called only where a callback asks.
    n_starts : int
    """

    def __init__(self, estimator, X, y, sample_weight, attributes, n_starts=1):
        self.estimator, self.attributes, self.n_starts = estimator, attributes, n_starts
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        self.given = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
        n_tasks = estimator.max_iter if n_starts == 1 else n_starts
        self.fit = self.start = estimator._init_callback_context(max_subtasks=n_tasks)
        # scikit-learn has no public word for this; a task costs more than EM of a few rows.
        self.heard = bool(getattr(estimator, "_skl_callbacks", ()))
        self.line = ProgressLine(estimator, n_starts) if getattr(estimator, "verbose", 0) else None
        self.fit.call_on_fit_task_begin(**self.given)

    @property
    def loop(self):
        """What the EM loop should tell of its iterations: None where nobody listens."""
        return self if self.heard or self.line else None

    def begin_start(self):
        """Called before a starting point is looked for."""
        if self.line:
            self.line.begin_start()
        if self.n_starts > 1:
            self.start = self.fit.subcontext("start", max_subtasks=self.estimator.max_iter)
            self.start.call_on_fit_task_begin(**self.given)

    def begin(self, params, values):
        """Called before each iteration, with the objectives before the first and after each."""
        if self.heard:
            self.iteration = self.start.subcontext("iteration")
            self.iteration.call_on_fit_task_begin(**self.given, **self._fitted(params, values))

    def end(self, params, values):
        """Called after each iteration; whether a callback asks to stop."""
        if self.line:
            self.line.update(values)
        if not self.heard:
            return False
        fitted = self._fitted(params, values)
        return self.iteration.call_on_fit_task_end(**self.given, **fitted)

    def end_start(self, run):
        """Called after each run of EM; whether it is the last: by Ctrl-C, or a callback asks."""
        values = [run.start, *run.objective]
        if self.line:
            self.line.end_start(values, run.end)
        if run.interrupted or self.n_starts == 1:
            return run.interrupted
        return self.start.call_on_fit_task_end(**self.given, **self._fitted(run.params, values))

    def end_fit(self):
        """Called when the estimator has its fitted attributes."""
        self.fit.call_on_fit_task_end(**self.given, reconstruction_attributes={})

    def _fitted(self, params, values):
        def attributes():
            return self.attributes(params, values[1:]) | {"lower_bound_": values[-1]}

        return {"reconstruction_attributes": attributes}


class ProgressLine:
    """A line that a terminal renews in place, and that is repeated where there is no terminal."""

    def __init__(self, estimator, n_starts):
        self.name, self.interval = type(estimator).__name__, estimator.verbose_interval
        self.n_starts, self.start, self.since = n_starts, 0, time.perf_counter()

    def begin_start(self):
        self.start += 1

    def update(self, values):
        if (len(values) - 1) % self.interval == 0:
            self._write(self._text(values), end="")

    def end_start(self, values, reason):
        """The last state of a run, which stays on the screen."""
        reason = {"max_iter": "not converged", "nan": "not a number"}.get(reason, reason)
        self._write(f"{self._text(values)}, {reason}", end="\n")

    def _text(self, values):
        start = f", start {self.start}/{self.n_starts}" if self.n_starts > 1 else ""
        gain = f" (+{values[-1] - values[-2]:.1e})" if len(values) > 1 else ""
        return (
            f"{self.name}{start}: iteration {len(values) - 1}, objective {values[-1]:.6f}{gain}, "
            f"{time.perf_counter() - self.since:.1f} s"
        )

    def _write(self, text, end):
        if sys.stdout.isatty():  # to the first column, clear, and stay within the line
            text = f"\r\x1b[K{text[: get_terminal_size().columns - 1]}{end}"
        else:
            text = f"{text}\n"
        sys.stdout.write(text)
        sys.stdout.flush()


class LikelihoodMonitor(ScoringMonitor):
    """Callback that records the objective of each iteration, and the score of other rows.

    Parameters
    ----------
    X_val : array-like of shape (n_samples, n_features), default=None
        Rows to score after each iteration, as the estimator that holds the callback sees them:
        in a pipeline, after the steps before it.

    See Also
    --------
    sklearn.callback.ScoringMonitor : Records scores for which ``fit`` must be given y.

    Notes
    -----
    ``get_logs()`` gives the records of the last fit, ``get_logs("all")`` of all fits: ``data`` is
    a list of dicts and ``data_as_pandas`` a frame, with one row for each iteration:
    ``task_id_path`` tells the iteration apart from those of other starts and folds,
    ``objective`` is that of the model, per row, ``validation`` the score of ``X_val``. The
    callback may be set on an estimator inside of a search with processes.

    Examples
    --------
    >>> import numpy as np
    >>> from skgen import GaussianMixture, LikelihoodMonitor
    >>> X = np.random.default_rng(0).laplace(size=(300, 2))
    >>> monitor = LikelihoodMonitor(X_val=X[:100])
    >>> model = GaussianMixture(2, random_state=0).set_callbacks(monitor).fit(X[100:])
    >>> curve = [row["objective"] for row in monitor.get_logs().data]
    >>> curve == model.lower_bounds_
    True
    """

    def __init__(self, X_val=None):
        self.X_val = X_val
        super().__init__(scoring=partial(_likelihoods, X_val=X_val))

    def on_fit_task_end(self, estimator, context, *, X=None, metadata=None, fitted_estimator=None):
        """Record an iteration."""
        if context.max_subtasks == 0:
            given = {"X": X, "y": (), "metadata": metadata, "fitted_estimator": fitted_estimator}
            super().on_fit_task_end(estimator, context, **given)


class EarlyStopping:
    """Callback that stops a fit which no longer gets better.

    Parameters
    ----------
    patience : int, default=10
        Iterations without improvement after which the fit stops.
    min_delta : float, default=0.0
        What counts as improvement: more than this above the best value so far, in nats per row.
    X_val : array-like of shape (n_samples, n_features), default=None
        Rows whose score is watched, as the estimator sees them; None watches the objective.

    Notes
    -----
    The estimator keeps the parameters of its last iteration, and ``converged_`` is False. With
    several starts each is stopped on its own.

    Examples
    --------
    >>> import numpy as np
    >>> from skgen import EarlyStopping, GaussianMixture
    >>> X = np.random.default_rng(0).laplace(size=(300, 2))
    >>> model = GaussianMixture(5, init_params="random", random_state=0)
    >>> model.set_callbacks(EarlyStopping(patience=3, X_val=X[:100])).fit(X[100:]).converged_
    False
    """

    @validate_params(
        {
            "patience": [Interval(Integral, 1, None, closed="left")],
            "min_delta": [Interval(Real, 0, None, closed="left")],
            "X_val": ["array-like", None],
        },
        prefer_skip_nested_validation=True,
    )
    def __init__(self, patience=10, min_delta=0.0, X_val=None):
        self.patience = patience
        self.min_delta = min_delta
        self.X_val = X_val
        self._runs = {}  # id of an estimator that is being fitted -> (best value, time without)

    def setup(self, estimator, context):
        """Begin a fit."""

    def teardown(self, estimator, context):
        """End a fit."""
        self._runs.pop(id(estimator), None)

    def on_fit_task_begin(self, estimator, context):
        """Begin anew for each start."""
        if context.max_subtasks != 0:
            self._runs[id(estimator)] = -np.inf, 0

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        """Whether patience is at its end."""
        if context.max_subtasks != 0 or fitted_estimator is None:
            return False
        values = _likelihoods(fitted_estimator, X_val=self.X_val)
        value = values["objective" if self.X_val is None else "validation"]
        best, waited = self._runs[id(estimator)]
        better = value > best + self.min_delta
        self._runs[id(estimator)] = (value, 0) if better else (best, waited + 1)
        return not better and waited + 1 >= self.patience


class TimeLimit:
    """Callback that ends a fit after some time, with the parameters reached by then.

    Parameters
    ----------
    seconds : float
        For each fit, all its starts together. Looked at after each iteration: the search for a
        starting point is not cut short.

    Examples
    --------
    >>> import numpy as np
    >>> from skgen import GaussianMixture, TimeLimit
    >>> X = np.random.default_rng(0).laplace(size=(300, 2))
    >>> GaussianMixture(2, random_state=0).set_callbacks(TimeLimit(1e-9)).fit(X).n_iter_
    1
    """

    @validate_params(
        {"seconds": [Interval(Real, 0, None, closed="neither")]},
        prefer_skip_nested_validation=True,
    )
    def __init__(self, seconds):
        self.seconds = seconds
        self._ends = {}  # id of an estimator that is being fitted -> time

    def setup(self, estimator, context):
        """Start the clock."""
        self._ends[id(estimator)] = time.monotonic() + self.seconds

    def teardown(self, estimator, context):
        """Forget the fit."""
        self._ends.pop(id(estimator), None)

    def on_fit_task_begin(self, estimator, context):
        """Tasks begin unwatched."""

    def on_fit_task_end(self, estimator, context):
        """Whether time is up."""
        return time.monotonic() >= self._ends[id(estimator)]


class Checkpoint:
    """Callback that writes the best model so far to a file, so that a long fit can be gone on with.

    Parameters
    ----------
    path : str or path-like
        A file that is replaced each time, in one step: it is complete at any moment. Fits in
        parallel would replace each other's.
    every : int, default=10
        Iterations from one time to the next. The file is also written at the end of the fit, by
        whatever it ends: Ctrl-C and exceptions included.

    Notes
    -----
    The file is written with joblib: as with any pickle, load only files which you trust. The
    estimator in it has no callbacks.

    Examples
    --------
    >>> import numpy as np, os, tempfile
    >>> from skgen import Checkpoint, GaussianMixture
    >>> X = np.random.default_rng(0).laplace(size=(300, 2))
    >>> path = os.path.join(tempfile.mkdtemp(), "model.joblib")
    >>> model = GaussianMixture(2, random_state=0).set_callbacks(Checkpoint(path)).fit(X)
    >>> on = Checkpoint.load(path).set_params(warm_start=True).fit(X)
    >>> bool(on.lower_bound_ >= model.lower_bound_)
    True
    """

    @validate_params(
        {"path": [str, os.PathLike], "every": [Interval(Integral, 1, None, closed="left")]},
        prefer_skip_nested_validation=True,
    )
    def __init__(self, path, every=10):
        self.path = path
        self.every = every
        self._fits = {}  # id of an estimator that is being fitted -> _Best

    @staticmethod
    def load(path):
        """The fitted estimator in a file; with ``warm_start=True`` its ``fit`` goes on from there.

        Parameters
        ----------
        path : str or path-like

        Returns
        -------
        fitted estimator
        """
        return joblib.load(path)

    def setup(self, estimator, context):
        """Begin a fit, if there is a folder to write to."""
        folder = Path(self.path).absolute().parent
        if not folder.is_dir():
            raise FileNotFoundError(f"path={self.path!r}: there is no folder {folder}; make it.")
        self._fits[id(estimator)] = _Best(context)

    def teardown(self, estimator, context):
        """Write what has not been written yet."""
        best = self._fits.pop(id(estimator), None)
        if best is not None:  # there was a folder
            self._write(best)

    def on_fit_task_begin(self, estimator, context):
        """Tasks begin unwatched."""

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        """Keep the model if it is the best so far, and write the best when it is time."""
        if fitted_estimator is None:
            return
        best = self._fits[id(estimator)]
        if context is best.fit or fitted_estimator.lower_bound_ > best.value:
            best.value, best.unwritten = fitted_estimator.lower_bound_, fitted_estimator
        if context.max_subtasks == 0 and (context.task_id + 1) % self.every == 0:
            self._write(best)

    def _write(self, best):
        """Write to a new file in the same folder, which then takes the place of the old."""
        model, best.unwritten = best.unwritten, None
        if model is None:
            return
        model = copy(model)  # other callbacks look at the same object
        model.__dict__ = {k: v for k, v in vars(model).items() if "callback" not in k}
        path = Path(self.path)
        new = path.with_name(f"{path.name}.{uuid4().hex}.tmp")
        try:
            with open(new, "wb") as file:
                joblib.dump(model, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(new, path)
        finally:
            new.unlink(missing_ok=True)


class _Best:
    """The best model of one fit so far, until it is written."""

    def __init__(self, fit):
        self.fit, self.value, self.unwritten = fit, -np.inf, None


def _likelihoods(model, X=None, y=None, *, X_val=None, **metadata):
    """Objective per row of a fitted model, which is its score of X where it has none."""
    objective = getattr(model, "lower_bound_", None)
    values = {"objective": model.score(X, **metadata) if objective is None else float(objective)}
    if X_val is not None:
        values["validation"] = float(model.score(X_val))
    return values
