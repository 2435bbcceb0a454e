"""The layers of the package, the cost of its import, and texts that hold on any machine."""

import ast
import importlib
import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "skgen"

# Each layer imports only the ones before it; modules of one layer know nothing of each other.
LAYERS = [
    {"_kernels"},
    {"_sequences", "_em", "_train", "_simplex", "_starts", "_validation", "_monitors", "_random"},
    {"emissions"},
    {"_density"},
    {"_forecast"},
    {"gaussian", "hmm", "autoregressive", "probabilistic", "flows"},
    {"wrappers", "plotting", "distributed"},
    {"testing", "datasets", "demo"},
]
# The core may call each other, and the demo shows everything.
FRIENDLY = [LAYERS[1], LAYERS[-1]]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}

SOURCES = sorted(
    path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.stem[:2] != "__"
)
KERNELS = sorted([*PACKAGE.rglob("*.pyx"), *PACKAGE.rglob("*.pxd")])


def part(module):
    """The part of the package a dotted name belongs to: skgen.gaussian._mixture -> gaussian."""
    return module.split(".")[1] if "." in module else "skgen"


def own_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_modules(path):
    """Modules of skgen that a file imports, also inside functions."""
    package = own_name(path).split(".")[: None if path.stem == "__init__" else -1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*above, *filter(None, [node.module])])
            # `from skgen import _em` names a module, `from skgen import Gaussian` the package.
            inside = [f"skgen.{a.name}" if a.name in LEVEL else "skgen" for a in node.names]
            names = inside if module == "skgen" else [module]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] == "skgen")


def may_import(importer, imported):
    """Whether one part of the package may import another."""
    if importer == imported:
        return True
    if imported == "skgen":  # the public names, which are above all layers but the last
        return importer in LAYERS[-1]
    together = any(importer in layer and imported in layer for layer in FRIENDLY)
    return together or LEVEL[imported] < LEVEL[importer]


@pytest.mark.parametrize("path", SOURCES, ids=own_name)
def test_imports_point_down_the_layers(path):
    importer = part(own_name(path))
    assert importer in LEVEL, f"{importer} has no place in the table of layers"
    wrong = [name for name in imported_modules(path) if not may_import(importer, part(name))]
    assert not wrong


@pytest.mark.parametrize("path", KERNELS, ids=lambda path: path.name)
def test_kernels_import_only_kernels(path):
    found = re.findall(r"^\s*(?:from|c?import)\s+(skgen[\w.]*)", path.read_text("utf-8"), re.M)
    assert {part(name) for name in found} <= {"_kernels"}


def loaded_after(statement):
    """Names in sys.modules once a new interpreter has run the statement."""
    code = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    output = subprocess.run(
        [sys.executable, "-c", code], check=True, text=True, stdout=subprocess.PIPE
    ).stdout
    return set(json.loads(output))


@pytest.mark.parametrize(
    "statement",
    ["import skgen", "import skgen\nfor name in skgen.__all__: getattr(skgen, name)"],
    ids=["package", "every public name"],
)
def test_import_leaves_the_heavy_libraries_alone(statement):
    heavy = {"numba", "torch", "matplotlib", "pandas", "polars", "dask"}
    loaded_by_scikit_learn = loaded_after("import sklearn.utils.fixes")  # pandas, where it is
    assert not heavy & loaded_after(statement) - loaded_by_scikit_learn


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.pyx")), ids=lambda path: path.stem)
def test_stubs_of_kernels_have_their_arguments(path):
    module = importlib.import_module(f"skgen._kernels.{path.stem}")
    stub = ast.parse(path.with_suffix(".pyi").read_text(encoding="utf-8"))
    told = {
        node.name: [one.arg for one in (*node.args.args, *node.args.kwonlyargs)]
        for node in stub.body
        if isinstance(node, ast.FunctionDef)
    }
    own = {
        name: list(inspect.signature(function).parameters)
        for name, function in vars(module).items()
        if name in told or getattr(function, "__module__", None) == module.__name__
        if callable(function) and not isinstance(function, type) and not name.startswith("_")
    }
    assert told == own


def test_import_of_the_package_loads_none_of_its_parts():
    assert not {f"skgen.{name}" for name in LEVEL} & loaded_after("import skgen")


def repository_texts():
    """Files that git knows or would add."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        names = subprocess.run(command, check=True, capture_output=True, cwd=ROOT).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs a git checkout")
    for name in filter(None, names.decode().split("\0")):
        try:
            yield name, (ROOT / name).read_text(encoding="utf-8")
        except (
            UnicodeDecodeError,
            FileNotFoundError,
        ):  # an image, or deleted and not yet committed
            continue


def test_no_text_names_a_path_of_one_machine():
    folders = "|".join(["work", "root", "home/[a-z]", "Users/[A-Za-z]", "tmp/[a-z]"])
    path = re.compile(rf"(?<![\w.~)}}/-])/(?:{folders})\b/?")
    found = [
        f"{name}: {m.group()}" for name, text in repository_texts() for m in path.finditer(text)
    ]
    assert not found
