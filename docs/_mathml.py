"""Equations as MathML, which browsers draw by themselves: nothing is loaded from elsewhere."""

from docutils.nodes import SkipNode
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util.logging import getLogger


def to_mathml(node, as_block):
    """The equation of a node; as TeX, with a warning, where docutils cannot read it."""
    try:
        return tex2mathml(node.astext(), as_block=as_block)
    except MathError as error:
        getLogger(__name__).warning("%s", error, location=node)
        return f"<code>{node.astext()}</code>"


def inline(translator, node):
    """An equation in a line of text."""
    translator.body.append(to_mathml(node, as_block=False))
    raise SkipNode


def display(translator, node):
    """An equation by itself."""
    translator.body.append(f'<div class="math">{to_mathml(node, as_block=True)}</div>')
    raise SkipNode


def setup(app):
    """Register the renderer."""
    app.add_html_math_renderer("mathml", (inline, None), (display, None))
    return {"parallel_read_safe": True}
