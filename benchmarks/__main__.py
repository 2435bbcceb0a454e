"""Run the benchmarks of some families, or of all; see the package's docstring."""

import argparse
from importlib import import_module
from pathlib import Path

from . import FAMILIES, _report
from ._machine import facts
from ._runner import Run


def main(arguments=None):
    """Parse the command line, run, print, save."""
    options = _parse(arguments)
    machine = facts()
    print(_report.machine_line(machine), end="\n\n", flush=True)
    for family in options.families or FAMILIES:
        tables = []
        run = Run(options.quick, options.only)
        for table in import_module(f"{__package__}.{family}").tables(run):
            print(table.markdown(), flush=True)
            tables.append(table)
        folder = _report.RESULTS if options.write_readme else options.json
        _report.save(folder / f"{family}.json", family, machine, tables)
    if options.write_readme:
        _report.write_readme(FAMILIES)


def _parse(arguments):
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    parser.add_argument("families", nargs="*", metavar="family", help=f"of {', '.join(FAMILIES)}")
    parser.add_argument("--quick", action="store_true", help="small data and few rounds")
    parser.add_argument(
        "--only", default="", metavar="REGEX", help='of "title of the table, name of the case"'
    )
    parser.add_argument(
        "--json",
        type=Path,
        default=Path("build/benchmarks"),
        metavar="FOLDER",
        help="where results are saved (default: %(default)s)",
    )
    parser.add_argument(
        "--write-readme", action="store_true", help="put the tables into benchmarks/README.md"
    )
    options = parser.parse_args(arguments)
    unknown = set(options.families) - set(FAMILIES)
    if unknown:
        parser.error(f"family {min(unknown)!r} is not one of {', '.join(FAMILIES)}")
    if options.write_readme and (options.quick or options.only):
        parser.error("--write-readme needs a full run, without --quick and --only")
    return options


if __name__ == "__main__":
    main()
