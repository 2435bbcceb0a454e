"""The little Markdown that this repository uses, as reStructuredText."""

import re

RULES = {"# ": "=", "## ": "-", "### ": "~"}


def to_rst(markdown):
    """Headings, code (indented or fenced), `names` and [links](...)."""
    lines, code = [], None  # how the code that is being read was marked
    for line in markdown.splitlines():
        if line.startswith("```"):
            lines += [""] if code else ["::", ""]
            code = None if code else "fence"
        elif code == "fence":
            lines.append("    " + line)
        elif line.startswith("    ") and (code or not (lines and lines[-1])):
            lines += [line] if code else ["::", "", line]
            code = "indent"
        else:
            code = code if not line else None  # code may have empty lines
            lines += heading(line) or [inline(line)]
    return "\n".join(lines) + "\n"


def heading(line):
    """An underlined heading, or None."""
    for mark, rule in RULES.items():
        if line.startswith(mark):
            text = inline(line.removeprefix(mark))
            return [text, rule * len(text)]
    return None


def inline(line):
    """One line with names and links in the other notation."""
    line = re.sub(r"(?<!`)`([^`]+)`(?!`)", r"``\1``", line)
    return re.sub(r"\[([^\]]+)\]\(([^)]+)\)", r"`\1 <\2>`__", line)
