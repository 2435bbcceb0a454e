"""Callbacks that write down what a fit tells them, and the plain fits they listen to."""

# Plain EM from one start, which goes on until it is told to stop.
PLAIN = {"init_params": "kmeans", "acceleration": False, "tol": 0.0, "random_state": 0}


class Notes:
    """A callback that writes down the hooks called, and may end the fit at a task."""

    def __init__(self, at=None, by=None):
        self.at, self.by, self.told, self.contexts = at, by, [], []

    def setup(self, estimator, context):
        self.told.append(("setup", context.task_name))

    def teardown(self, estimator, context):
        self.told.append(("teardown", context.task_name))

    def on_fit_task_begin(self, estimator, context, **given):
        return self._note("begin", context)

    def on_fit_task_end(self, estimator, context, **given):
        return self._note("end", context)

    def _note(self, hook, context):
        self.contexts.append(context)
        self.told.append((hook, f"{context.task_name} {context.task_id}"))
        if self.told[-1] != self.at:
            return None
        if isinstance(self.by, type):
            raise self.by("by a callback")
        return self.by


class Witness(Notes):
    """Also keeps what the hooks are given."""

    def __init__(self):
        super().__init__()
        self.given = []

    def on_fit_task_begin(
        self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None
    ):
        self._keep("begin", context, X, y, metadata, fitted_estimator)

    def on_fit_task_end(
        self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None
    ):
        self._keep("end", context, X, y, metadata, fitted_estimator)

    def _keep(self, hook, context, X, y, metadata, fitted):
        self._note(hook, context)
        self.given.append((hook, context.task_name, X, y, metadata, fitted))

    def models(self, hook, task="iteration"):
        return [fitted for h, name, *_, fitted in self.given if (h, name) == (hook, task)]


def path(context):
    """Names and numbers of the tasks from the root to this one."""
    here = [(context.task_name, context.task_id)]
    return here if context.parent is None else [*path(context.parent), *here]
