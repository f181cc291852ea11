"""Writes docs/api/: one page per room with every name in its ``__all__``. Run by conf.py, so no page can lag behind."""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path

# Module → title of its page, in the order of the contents.
ROOMS = {
    "firconv": "Convolution",
    "firconv.streaming": "Streams",
    "firconv.signal": "SciPy's names",
    "firconv.systems": "Systems",
    "firconv.response": "Responses",
    "firconv.design": "Filter design",
    "firconv.filters": "Named kernels",
    "firconv.operators": "Matrices and operators",
    "firconv.matching": "Matching",
    "firconv.nn": "Layers",
    "firconv.plots": "Figures",
    "firconv.files": "Files",
    "firconv.identities": "Laws",
    "firconv.identification": "Identification",
    "firconv.translation": "Translation",
    "firconv.alignment": "Alignment",
    "firconv.interop": "Other libraries",
}
EXTRA = {"firconv.streaming": ["Stream"]}  # public names of rooms without __all__
ELSEWHERE = {  # names that have their entry in another room
    "firconv.FIR": "firconv.systems.FIR",
    "firconv.IIR": "firconv.systems.IIR",
    "firconv.align": "firconv.alignment.align",
    "firconv.identify": "firconv.identification.identify",
    "firconv.normalized_correlate": "firconv.matching.normalized_correlate",
    "firconv.translate": "firconv.translation.translate",
    "firconv.interop.Implementation": "firconv.identities.Implementation",
}


def names(module: str) -> list[str]:
    """The names that the page of `module` documents: modules have pages of their own."""
    room = import_module(module)
    listed = EXTRA.get(module) or [name for name in room.__all__ if not name.startswith("__")]
    return [name for name in listed if not inspect.ismodule(getattr(room, name))]


def page(module: str, title: str) -> str:
    """The page as reStructuredText: what the room is, a table of its names, then each of them."""
    room, listed = import_module(module), names(module)
    elsewhere = {name: ELSEWHERE[f"{module}.{name}"] for name in listed if f"{module}.{name}" in ELSEWHERE}
    links = [f"~{elsewhere[name].removeprefix(module + '.')}" if name in elsewhere else name for name in listed]
    table = ".. autosummary::\n   :nosignatures:\n\n   " + "\n   ".join(links)
    parts = [f"{title}\n{'=' * len(title)}", f".. automodule:: {module}", table]
    for name in [name for name in listed if name not in elsewhere]:
        value = getattr(room, name)
        kind = "class" if inspect.isclass(value) else "function" if callable(value) else "data"
        parts.append(f".. auto{kind}:: {module}.{name}" + "\n   :members:" * (kind == "class"))
    return "\n\n".join(parts) + "\n"


def write(folder: Path) -> None:
    """Write every page; a page that has not changed keeps its time, so that a second build is quick."""
    folder.mkdir(exist_ok=True)
    for module, title in ROOMS.items():
        target, text = folder / f"{module.rpartition('.')[2]}.rst", page(module, title)
        if not target.exists() or target.read_text(encoding="utf-8") != text:
            target.write_text(text, encoding="utf-8")
