"""The site: ``make docs`` builds it in docs/_build/html; warnings are errors."""

import doctest
import os
import re
import sys
from pathlib import Path

import skgen

sys.path.insert(0, str(Path(__file__).parent))  # for _markdown and _mathml
os.environ["MPLBACKEND"] = "agg"

from _markdown import to_rst

project = "skgen"
author = "the skgen developers"
copyright = "the skgen developers, BSD 3-Clause licence"
release = version = skgen.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.doctest",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
    "_mathml",
]
templates_path = ["_templates"]
exclude_patterns = ["_build"]
nitpicky = False
default_role = "code"
highlight_language = "text"

# ---- API reference --------------------------------------------------------------------------

autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False  # the template lists them
numpydoc_class_members_toctree = False
add_module_names = False


def skip_member(app, what, name, member, skip, options):
    """What comes from scikit-learn's base classes is described in its own documentation."""
    function = getattr(member, "fget", member)
    inherited = getattr(function, "__module__", None) or ""
    return skip or inherited.startswith("sklearn.") or bool(re.fullmatch("set_.*_request", name))


def quote_shapes(app, what, name, member, options, lines):
    """A shape such as (n_features_in_,) would be read as a link."""
    lines[:] = [re.sub(r"\((\w+_),\)", r"(``\1``,)", line) for line in lines]


# ---- doctests -------------------------------------------------------------------------------

doctest_test_doctest_blocks = "default"
doctest_default_flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

# ---- gallery --------------------------------------------------------------------------------

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"/plot_",
    "abort_on_example_error": True,
    "backreferences_dir": "generated/backreferences",
    "capture_repr": (),
    "doc_module": ("skgen",),
    "download_all_examples": False,
    "min_reported_time": 1e9,  # pages do not depend on how fast they were made
    "plot_gallery": True,
    "reset_modules": ("matplotlib",),
    "show_memory": False,
    "show_signature": False,
    "within_subsection_order": "FileNameSortKey",
    "write_computation_times": False,
}

# ---- pages ----------------------------------------------------------------------------------

html_math_renderer = "mathml"
html_theme = "pydata_sphinx_theme"
html_title = "skgen"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_theme_options = {
    "header_links_before_dropdown": 4,
    "navbar_end": ["theme-switcher"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "show_prev_next": True,
    "secondary_sidebar_items": ["page-toc"],
    "pygments_light_style": "tango",
}
ALONE = ("architecture", "changelog", "contributing", "installation", "migration", "quickstart")
html_sidebars = {page: [] for page in ALONE}

ROOT = Path(__file__).parents[1]
MARKDOWN = {"changelog": "CHANGELOG.md", "contributing": "CONTRIBUTING.md"}


def include_markdown(app, docname, source):
    """The pages that are Markdown files of the repository."""
    if docname in MARKDOWN:
        source[0] = to_rst((ROOT / MARKDOWN[docname]).read_text(encoding="utf-8"))


def setup(app):
    app.connect("autodoc-process-docstring", quote_shapes, priority=100)  # before numpydoc
    app.connect("autodoc-skip-member", skip_member)
    app.connect("source-read", include_markdown)
