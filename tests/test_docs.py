"""The examples of the README give what they say; the reference names everything that is public."""

import doctest
import re
import warnings
from importlib import import_module
from pathlib import Path

import pytest

import skgen

ROOT = Path(__file__).parents[1]
PAGES = [
    "README.md",
    "docs/quickstart.rst",
    "docs/migration.rst",
    "docs/guide/autoregressive.rst",
    "docs/guide/ngrams.rst",
    "docs/guide/hmm.rst",
]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def documented(module):
    """The names below `currentmodule` in the reference."""
    text = (ROOT / "docs" / "api.rst").read_text(encoding="utf-8")
    sections = re.split(r"\.\. currentmodule:: (\S+)", text)
    bodies = dict(zip(sections[1::2], sections[2::2], strict=True))
    return set(re.findall(r"^   (\w+)$", bodies[module], flags=re.MULTILINE))


@pytest.mark.parametrize("name", PAGES)
def test_examples_give_what_they_say(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = doctest.testfile(str(ROOT / name), module_relative=False, optionflags=FLAGS)
    assert found.attempted > 0
    assert found.failed == 0


@pytest.mark.parametrize("module", ["emissions", "plotting", "datasets", "testing"])
def test_the_reference_names_all_of_a_module(module):
    assert documented(f"skgen.{module}") == set(import_module(f"skgen.{module}").__all__)


def test_the_reference_names_all_at_the_top():
    modules = {"__version__", *skgen._MODULES}
    assert documented("skgen") == set(skgen.__all__) - modules


def test_the_changelog_has_the_version():
    version = skgen.__version__.split(".dev")[0]
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
