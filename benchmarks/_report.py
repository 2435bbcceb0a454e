"""Tables as text, JSON and README."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "results"  # of the last full run of each family
README = FOLDER / "README.md"

HEAD = """\
# Benchmarks

`python -m benchmarks` runs all of this, `python -m benchmarks gaussian` one family; `--quick` takes
small data, `--only REGEX` some of the cases, `--write-readme` renews this page. Run it on an idle
machine.

The two sides of a comparison get the same data and the same start, are first checked to give the
same numbers, and then take turns in one process, each with all threads, by blocks of calls: a rest
in which the threads of the other side fall asleep, one call that is not timed, then calls in a row
for at least 0.1 s. So the time is that of one of many, an iteration of a fit, and not of waking
threads. Times are given as the least and the median of the rounds; *times faster* is the median of
the ratios of the rounds.

*Limit* is the time that the operations of the algorithm would take at the speed of the BLAS's
matrix product, or that reading the data takes at the speed of a plain sweep over memory, whichever
is longer; both are measured in the same rounds, with the same threads. *Share of limit* is the
limit divided by our time. Peak memory is measured in a process of its own, beyond argument and
result.
"""


@dataclass
class Table:
    """A titled table; `raw` is what is saved beside the cells."""

    title: str
    note: str
    columns: list
    rows: list
    raw: list = field(default_factory=list)

    def markdown(self):
        """The table with its note."""
        cells = [self.columns, *([text(cell) for cell in row] for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in cells]
        lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
        return "\n".join([f"### {self.title}", "", self.note.strip(), "", *lines, ""])


def text(cell):
    """A cell as it is shown: three digits of a float, a dash for None."""
    if cell is None:
        return "–"
    return f"{cell:.3g}" if isinstance(cell, float) and abs(cell) < 1000 else str(_whole(cell))


def _whole(cell):
    return round(cell) if isinstance(cell, float) else cell


def save(path, family, facts, tables):
    """Write what a family found as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    found = {"family": family, "machine": facts, "tables": [asdict(table) for table in tables]}
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def machine_line(facts):
    """Machine and versions in one sentence."""
    versions = ", ".join(f"{name} {number}" for name, number in facts["versions"].items())
    settings = ", ".join(f"{name}={value}" for name, value in facts["environment"].items())
    return (
        f"{facts['date']}: {facts['cpu']}, {facts['cores']} cores, {facts['threads']} threads, "
        f"kernels for {facts['instruction_set']}; BLAS {', '.join(facts['blas'])}; "
        f"Python {facts['python']}, {versions}; environment: {settings or 'nothing set'}; "
        f"load average before {facts['load_average']}."
    )


def write_readme(order):
    """Render the saved results of all families."""
    parts = [HEAD]
    for family in order:
        path = RESULTS / f"{family}.json"
        if path.is_file():
            found = json.loads(path.read_text(encoding="utf-8"))
            parts += [f"## {family}", machine_line(found["machine"])]
            parts += [Table(**table).markdown() for table in found["tables"]]
    README.write_text("\n\n".join(part.strip() for part in parts) + "\n", encoding="utf-8")
