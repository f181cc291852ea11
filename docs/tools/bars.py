"""Lets docstrings write magnitudes as |x|, which reStructuredText would take for substitutions (none is used here)."""

from __future__ import annotations

import re
from typing import Any

LITERAL = re.compile(r"(``.*?``|`.*?`)")


def escaped(lines: list[str]) -> list[str]:
    """The lines with every bar outside literals and examples escaped."""
    out, example = [], False
    for line in lines:
        example = line.lstrip().startswith(">>>") or (example and bool(line.strip()))
        parts = LITERAL.split(line)
        out.append(line if example else "".join(p if p.startswith("`") else p.replace("|", r"\|") for p in parts))
    return out


def process(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Called with each docstring, before numpydoc."""
    lines[:] = escaped(lines)


def setup(app: Any) -> dict[str, bool]:
    app.connect("autodoc-process-docstring", process, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
