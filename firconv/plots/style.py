"""How figures look: lines that differ without colour, axes with units. Nothing here changes matplotlib's settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Even in lightness, and the same for colour-blind eyes.
PLANE = "cividis"
#: For signed values, with 0 in the middle; lightness falls to both sides, so a sign needs a second mark.
SIGNED = "RdBu_r"
GREY = "#8a8a8a"

_COLOURS = ("", "#D55E00", "#0072B2", "#8a8a8a", "#CC79A7", "#009E73")  # Okabe and Ito's; the first is the text's
_DASHES = ("-", "--", "-.", ":", (0, (7, 1, 1, 1, 1, 1)), (0, (10, 3)), (0, (1, 1)))
_MARKERS = ("o", "s", "^", "D", "v", "x", "*", "P", "<", ">", "+")


def new_figure(width: float, height: float) -> Figure:
    """A figure that no window manager knows."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    layout: Any = figure.get_layout_engine()
    layout.set(w_pad=0.08, h_pad=0.08, wspace=0.03, hspace=0.03)
    return figure


def on(ax: Axes | None, width: float = 5.5, height: float = 3.6) -> Axes:
    """The axes given, or those of a new figure."""
    return new_figure(width, height).subplots() if ax is None else ax


def ink(ax: Axes) -> Any:
    """The colour of the text: what stands out on this background."""
    return ax.xaxis.label.get_color()


def line(ax: Axes, index: int) -> dict[str, Any]:
    """Colour and dash of the line number `index`; eleven and more lines still differ in dash or marker."""
    return {"color": _COLOURS[index % 6] or ink(ax), "linestyle": _DASHES[index % 7], "linewidth": 1.4}


def marks(index: int, count: int, span: int = 0) -> dict[str, Any]:
    """A marker on every twelfth part of `span` (default `count`) points, elsewhere for every line."""
    every = max(max(span, count) // 12, 1)
    first = min(index * every // 3 % every, count // 2)
    return {"marker": _MARKERS[index % 11], "markersize": 4.5, "markevery": (first, every)}


def dress(ax: Axes, title: str, xlabel: str, ylabel: str) -> Axes:
    """Title, labels and a faint grid."""
    ax.set_title(title, loc="left", fontsize="medium")
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.grid(True, alpha=0.25, linewidth=0.6)
    ax.set_axisbelow(True)
    return ax


def frequency_label(fs: float, name: str = "frequency") -> str:
    """The name of a frequency axis with its unit.

    >>> frequency_label(1.0), frequency_label(44100.0, "frequency down")
    ('frequency (cycles/sample)', 'frequency down (Hz)')
    """
    return f"{name} (cycles/sample)" if fs == 1 else f"{name} (Hz)"


def frequency_text(f: float, fs: float) -> str:
    """A frequency with its unit, for titles and legends."""
    return f"{f:g} cycles/sample" if fs == 1 else f"{f:g} Hz"


def whole_numbers(*axes: Any) -> None:
    """Ticks of these axes (ax.xaxis, ax.yaxis) at integers only."""
    from matplotlib.ticker import MaxNLocator

    for axis in axes:
        axis.set_major_locator(MaxNLocator("auto", integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))


def decibels(magnitude: Any) -> np.ndarray:
    """20·log₁₀, with −400 dB for what is zero, so that lines leave the frame instead of breaking."""
    return 20 * np.log10(np.maximum(np.abs(magnitude), 1e-20))
