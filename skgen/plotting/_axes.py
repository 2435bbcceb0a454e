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


def axes(ax):
    """The axes to draw on: those given, or new ones."""
    return pyplot().subplots(layout="constrained")[1] if ax is None else ax
