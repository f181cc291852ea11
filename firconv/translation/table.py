"""The table of conventions, written from what `translate` says: nothing in it is kept by hand."""

from __future__ import annotations

from firconv.boundary import NAMES
from firconv.conventions import PICTURES, boundary_names
from firconv.describe import PRESETS, preset
from firconv.translation import SYSTEMS, translate

#: The calls that the table translates.
CALLS = (
    "convolve(x, h)",
    'convolve(x, h, "same")',
    'convolve(x, h, "valid")',
    'correlate(x, h, "same")',
    'convolve(x, h, "same", origin="causal")',
    'convolve(x, h, "same", origin="ndimage", boundary="edge")',
    'convolve(x, h, "same", boundary="symmetric")',
    'correlate(x, h, "same", boundary="reflect")',
    'correlate(x, h, "same", boundary="wrap")',
    'correlate(x, h, "same", boundary="omit")',
    "convolve(x, h, up=3, down=2)",
    'correlate(x, h, "valid", down=2)',
    'correlate(x, h, "same", origin="torch", dilation=2)',
    "convolve(x, h, up=2)",
    'convolve(x, h, "full", boundary="antireflect")',
)
PLANES = (
    'convolve(x, h, "same")',
    'correlate(x, h, "same", origin="opencv", boundary="reflect")',
    'correlate(x, h, "same", boundary="symmetric", origin="scipy2d")',
    'correlate(x, h, "valid", down=(2, 2))',
    'convolve(x, h, "same", boundary="edge")',
)
HEAD = """\
# Table of conventions

Written by `python -m firconv.translation`; a test compares this file with what that prints. Every translation in it is
executed in the tests where the system is installed (NumPy, SciPy, torch, OpenCV). K is the number of taps; `K//2`
rounds down. N is the number of samples.
"""


def text() -> str:
    """The whole page."""
    parts = [HEAD, *_origins(), *_boundaries(), *_calls("One axis", CALLS, 1), *_calls("Two axes", PLANES, 2)]
    return "\n".join(parts).rstrip() + "\n"


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |"


def _head(cells: list[str]) -> list[str]:
    return [_row(cells), "|" + "---|" * len(cells)]


def _origins() -> list[str]:
    lines = [
        "## Which tap lies at displacement zero",
        "",
        "Index of the tap for K = 4 and K = 5, in convolution and correlation.",
        "",
        *_head(["`origin=`", "convolve, 4", "convolve, 5", "correlate, 4", "correlate, 5"]),
    ]
    for name in PRESETS:
        lines.append(
            _row([f'`"{name}"`', *(str(preset(name, op, k)) for op in ("convolve", "correlate") for k in (4, 5))])
        )
    return [*lines, ""]


def _boundaries() -> list[str]:
    systems = ["numpy", "scipy", "ndimage", "cv2", "torch", "matlab", "julia"]
    titles = ["numpy.pad", "scipy.signal (upfirdn)", "scipy.ndimage", "OpenCV", "torch", "MATLAB", "ImageFiltering.jl"]
    lines = ["## What lies beyond the ends", "", *_head(["here", "picture", *titles])]
    for name in NAMES:
        words = boundary_names(name)
        lines.append(_row([f"`{name}`", f"`{PICTURES[name]}`", *(words.get(s, "–") for s in systems)]))
    return [*lines, ""]


def _calls(title: str, calls: tuple[str, ...], ndim: int) -> list[str]:
    lines = [f"## {title}", ""]
    for call in calls:
        lines += [f"### `{call}`", ""]
        for system in SYSTEMS:
            found = translate(call, system, ndim=ndim)
            lines += (
                [f"**{system}**", "", f"```{'matlab' if system == 'matlab' else 'python'}", found.code, "```", ""]
                if found
                else [f"**{system}**: no. {found.reason[:1].upper()}{found.reason[1:]}.", ""]
            )
    return lines
