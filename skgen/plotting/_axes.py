"""What all displays need of matplotlib."""


def pyplot():
    """The module, or an error that says how to get it."""
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError(
            'Drawing needs matplotlib, which is not installed: pip install "skgen[plot]".'
        ) from error
    return pyplot


def check_has(estimator, method, examples):
    """Raise where an estimator has not the method whose results are drawn."""
    if not hasattr(estimator, method):
        raise TypeError(
            f"estimator={estimator!r} has no {method}, so there is nothing to draw; pass a fitted "
            f"model that has it, such as {examples}."
        )


def axes(ax):
    """The axes to draw on: those given, or new ones."""
    return pyplot().subplots(layout="constrained")[1] if ax is None else ax
