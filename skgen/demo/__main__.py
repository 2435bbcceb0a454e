"""Segments, odd customers, a model chosen by cross-validation, gaps filled: on real data.

    python -m skgen.demo [--output FOLDER]

Prints short tables and, where matplotlib is installed, saves two figures.
"""

import argparse
import time
from pathlib import Path

from skgen.datasets import load_airquality, load_cdnow, load_penguins

from . import _choice, _customers, _gaps


def main(arguments=None):
    """Run the demonstration."""
    parser = argparse.ArgumentParser(
        prog="python -m skgen.demo", description=__doc__.split("\n")[0]
    )
    parser.add_argument(
        "--output", type=Path, default=Path("demo_output"), help="folder for the figures"
    )
    folder = parser.parse_args(arguments).output
    started = time.perf_counter()
    customers = load_cdnow().data[:, :2]  # dollars, CDs
    model = _customers.show_segments(customers)
    naive = _customers.show_collapse(customers, model)
    odd = _customers.show_oddest(customers)
    _choice.show_choice(load_penguins())
    gaps = _gaps.show_gaps(load_airquality())
    save_figures(
        folder,
        {
            "customers.png": lambda axes: _customers.draw(axes, customers, model, naive, odd),
            "gaps.png": lambda axes: _gaps.draw(axes, *gaps),
        },
    )
    print(f"Done in {time.perf_counter() - started:.0f} seconds.")


def save_figures(folder, drawings):
    """Save each drawing under its name, or say why there are none."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        print('No figures: they need matplotlib (pip install "skgen[plot]").')
        return
    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in drawings.items():
        figure = Figure(figsize=(11, 4.6), dpi=110, layout="constrained")
        draw(figure.subplots(1, 2, width_ratios=(3, 2)))
        figure.savefig(folder / name)
        print(f"Figure: {folder / name}")


if __name__ == "__main__":
    main()
