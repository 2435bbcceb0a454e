"""What is shipped: a source archive that builds, a wheel that holds what it needs and no more."""

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[1]
BUILT = {".c", ".so", ".pyd", ".pyc", ".html"}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def call_backend(step, folder):
    """Run one step of the build backend in a folder; the file that it made."""
    subprocess.run(
        [sys.executable, "-c", f"from setuptools import build_meta; build_meta.{step}('dist')"],
        check=True,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        env=os.environ | {"SKGEN_DEBUG": "1", "SKGEN_NO_OPENMP": "1"},
    )
    return max((folder / "dist").iterdir(), key=lambda path: path.stat().st_mtime_ns)


@pytest.fixture(scope="module")
def sdist(tmp_path_factory):
    """The source archive of a copy of this tree, unpacked."""
    pytest.importorskip("Cython")
    pytest.importorskip("setuptools")
    if not (ROOT / "setup.py").exists():
        pytest.skip("needs the source tree")
    tree = tmp_path_factory.mktemp("tree")
    for name in ("setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree)
    ignored = shutil.ignore_patterns("__pycache__", *(f"*{suffix}" for suffix in BUILT))
    shutil.copytree(ROOT / "skgen", tree / "skgen", ignore=ignored)
    with tarfile.open(call_backend("build_sdist", tree)) as archive:
        archive.extractall(tree / "unpacked", filter="data")
    return next((tree / "unpacked").iterdir())


@pytest.fixture(scope="module")
def installed(sdist, tmp_path_factory):
    """A folder with the contents of the wheel that was built from the source archive."""
    folder = tmp_path_factory.mktemp("installed")
    with ZipFile(call_backend("build_wheel", sdist)) as wheel:
        wheel.extractall(folder)
    return folder


def names(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_the_wheel_holds_every_file_of_the_package(installed):
    own = {name for name in names(ROOT / "skgen") if Path(name).suffix not in BUILT}
    assert sorted(own - names(installed / "skgen")) == []


def test_the_wheel_holds_the_package_alone(installed):
    top = {path.name.split("-")[0] for path in installed.iterdir()}
    assert top == {"skgen"}
    assert not list(installed.rglob("*.c"))


def test_the_wheel_runs_without_openmp(installed):
    code = (
        "import skgen\n"
        "from skgen._kernels import _threads\n"
        "print(skgen.__file__, _threads.openmp_enabled(), _threads.team_size())"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], check=True, text=True, cwd=installed, stdout=subprocess.PIPE
    ).stdout
    assert output.split() == [str(installed / "skgen" / "__init__.py"), "False", "1"]
