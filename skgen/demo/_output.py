"""Short tables on the terminal, and figures where matplotlib is there."""

import textwrap
import warnings


def fitted(estimator, X):
    """The estimator fitted to X, and what it warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimator.fit(X)
    return estimator, sorted({str(warning.message) for warning in caught})


def title(heading, text):
    """Print a section's heading and its introduction."""
    print(f"\n{heading}\n{'=' * len(heading)}")
    say(text)


def say(text):
    """Print a paragraph."""
    print(textwrap.fill(text, 92), end="\n\n")


def table(header, rows):
    """Print rows of strings under a header, the first column to the left."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for row in (header, ["-" * width for width in widths], *rows):
        first, *rest = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        print("  " + "   ".join([first.strip().ljust(widths[0]), *rest]))
    print()


def share(part, whole):
    """A share in per cent."""
    return f"{part / whole:.0%}"
