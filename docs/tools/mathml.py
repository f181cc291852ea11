"""Equations of the site as MathML, made while it is built: no script and no server is needed to read them.

TeX that is not understood stops the build. The font, STIX Two Math, comes with ziamath and is copied into the site.
"""

from __future__ import annotations

import shutil
from importlib.resources import files
from pathlib import Path
from typing import Any

from docutils import nodes
from math_core import LatexToMathML

CONVERTER = LatexToMathML(fancy_error=False)


def inline(writer: Any, node: nodes.Element) -> None:
    """$…$ in a line of text."""
    writer.body.append(CONVERTER.convert_with_local_state(node.astext(), displaystyle=False))
    raise nodes.SkipNode


def block(writer: Any, node: nodes.Element) -> None:
    """$$…$$ on lines of its own, which scrolls where a screen is narrow."""
    equation = CONVERTER.convert_with_local_state(node.astext(), displaystyle=True)
    writer.body.append(f'<div class="math">{equation}</div>')
    raise nodes.SkipNode


def copy_font(app: Any, error: Exception | None) -> None:
    """Put the font beside the style sheet that names it."""
    if error is None and app.builder.format == "html":
        font = files("ziamath") / "fonts" / "STIXTwoMath-Regular.ttf"
        shutil.copyfile(str(font), Path(app.outdir) / "_static" / "STIXTwoMath.ttf")


def setup(app: Any) -> dict[str, bool]:
    """Register the renderer under the name that conf.py asks for."""
    app.add_html_math_renderer("mathml", inline_renderers=(inline, None), block_renderers=(block, None))
    app.connect("build-finished", copy_font)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
