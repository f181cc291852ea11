"""Lets docstrings write magnitudes as |x| and shapes as (N, C, *lengths), which reStructuredText would take for markup.

Substitutions are used nowhere here, and emphasis never ends at a bracket that it did not open.
"""

from __future__ import annotations

import re
from typing import Any

LITERAL = re.compile(r"(``.*?``|`.*?`)")
MARKUP = re.compile(r"\||(?<=[ (])\*(?=\w+[,)\]])")


def escaped(lines: list[str]) -> list[str]:
    """The lines with bars and stars outside literals and examples escaped."""
    out, example = [], False
    for line in lines:
        example = line.lstrip().startswith(">>>") or (example and bool(line.strip()))
        parts = LITERAL.split(line)
        out.append(line if example else "".join(p if p.startswith("`") else MARKUP.sub(r"\\\g<0>", p) for p in parts))
    return out


def process(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Called with each docstring, before numpydoc."""
    lines[:] = escaped(lines)


def setup(app: Any) -> dict[str, bool]:
    """Ask for every docstring."""
    app.connect("autodoc-process-docstring", process, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
