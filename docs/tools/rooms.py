"""Writes docs/api/: one page per room with every name in its ``__all__``. Run by conf.py, so no page can lag behind."""

from __future__ import annotations

import inspect
import pkgutil
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import firconv

# Module → title of its page. A module with public names that stands neither here nor below gets a page of its own.
ROOMS = {
    "firconv": "Convolution",
    "firconv.alignment": "Alignment",
    "firconv.byhand": "By hand",
    "firconv.design": "Filter design",
    "firconv.files": "Files",
    "firconv.filters": "Named kernels",
    "firconv.identification": "Identification",
    "firconv.identities": "Laws",
    "firconv.interop": "Other libraries",
    "firconv.matching": "Matching",
    "firconv.nn": "Layers",
    "firconv.nn.aliasing": "Layers: aliasing",
    "firconv.nn.bank": "Layers: filter banks",
    "firconv.nn.effective": "Layers: effective fields",
    "firconv.nn.gains": "Layers: gains",
    "firconv.nn.receptive": "Layers: receptive fields",
    "firconv.nn.summary": "Layers: summary",
    "firconv.operators": "Matrices and operators",
    "firconv.plots": "Figures",
    "firconv.response": "Responses",
    "firconv.signal": "SciPy's names",
    "firconv.streaming": "Streams",
    "firconv.systems": "Systems",
    "firconv.translation": "Translation",
}
FACADES = {"firconv", "firconv.nn", "firconv.interop"}  # their names have their entries in the rooms they come from
INTERNAL = {"firconv.folding", "firconv.nn.layers", "firconv.nn.networks", "firconv.nn.pointwise"}  # no rooms of theirs
EXTRA = {"firconv.streaming": ["Stream"]}  # public names of rooms without __all__


def names(module: str) -> list[str]:
    """The public names of a module that are no modules."""
    room = import_module(module)
    listed = EXTRA.get(module) or [name for name in getattr(room, "__all__", ()) if not name.startswith("__")]
    return [name for name in listed if not inspect.ismodule(getattr(room, name))]


@cache
def owners() -> dict[int, str]:
    """The full name under which an object has its entry, by its identity."""
    found: dict[int, str] = {}
    known = [*sorted(ROOMS, key=FACADES.__contains__), *sorted(_others())]
    for module in [module for module in known if module not in INTERNAL]:
        for name in names(module):
            found.setdefault(id(getattr(import_module(module), name)), f"{module}.{name}")
    return found


def _others() -> list[str]:
    walked = (found.name for found in pkgutil.walk_packages(firconv.__path__, "firconv."))
    return [name for name in walked if name not in ROOMS and not name.endswith("__main__")]


def rooms() -> dict[str, str]:
    """Module → title of every page."""
    entries = [owner.rpartition(".")[0] for owner in owners().values()]
    return ROOMS | {module: module for module in entries if module not in ROOMS}


def page(module: str, title: str) -> str:
    """The page as reStructuredText: what the room is, a table of its names, then each of them."""
    room = import_module(module)
    values: dict[str, Any] = {name: getattr(room, name) for name in names(module)}
    links = [_link(module, name, value) for name, value in values.items()]
    table = ".. autosummary::\n   :nosignatures:\n\n   " + "\n   ".join(links)
    parts = [f"{title}\n{'=' * len(title)}", f".. automodule:: {module}", table]
    for name, value in values.items():
        if owners()[id(value)] == f"{module}.{name}":
            kind = "class" if inspect.isclass(value) else "function" if callable(value) else "data"
            parts.append(f".. auto{kind}:: {module}.{name}" + "\n   :members:" * (kind == "class"))
    return "\n\n".join(parts) + "\n"


def _link(module: str, name: str, value: Any) -> str:
    owner = owners()[id(value)]
    return name if owner == f"{module}.{name}" else f"~{owner.removeprefix(module + '.')}"


def write(folder: Path) -> None:
    """Write every page; a page that has not changed keeps its time, so that a second build is quick."""
    folder.mkdir(exist_ok=True)
    wanted = {folder / f"{name.removeprefix('firconv.')}.rst": page(name, title) for name, title in rooms().items()}
    for old in set(folder.glob("*.rst")) - set(wanted):
        old.unlink()
    for target, text in wanted.items():
        if not target.exists() or target.read_text(encoding="utf-8") != text:
            target.write_text(text, encoding="utf-8")
