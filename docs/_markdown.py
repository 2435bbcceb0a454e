"""The little Markdown that this repository uses, as reStructuredText."""

import re

RULES = {"# ": "=", "## ": "-", "### ": "~"}


def to_rst(markdown):
    """Headings, code (indented or fenced), `names` and [links](...)."""
    lines, in_fence = [], False
    for line in markdown.splitlines():
        if line.startswith("```"):
            in_fence = not in_fence
            lines += ["", "::", ""] if in_fence else [""]
        elif in_fence:
            lines.append("    " + line)
        elif line.startswith("    ") and not (lines and lines[-1].strip()):
            lines += [*opening(lines), line]
        else:
            lines += heading(line) or [inline(line)]
    return "\n".join(lines) + "\n"


def opening(lines):
    """The mark before an indented block, unless the block goes on after an empty line."""
    before = next((line for line in reversed(lines) if line.strip()), "")
    return [] if before.startswith("    ") else ["::", ""]


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
