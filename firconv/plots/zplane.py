"""The z-plane panel: zeros and poles about the unit circle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from firconv.plots.panels import one_dimensional
from firconv.plots.roots import zeros_and_poles
from firconv.plots.style import GREY, dress, ink, on
from firconv.systems import FIR, IIR

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FAR = 2.2


def zeros_poles(system: Any, ax: Axes | None = None) -> Axes:
    """Zeros (rings) and poles (crosses) in the z-plane, with the unit circle; a number is a multiplicity.

    Roots farther out than 2.2 are counted in the title instead of shrinking the circle. More than 512 taps are not
    factored, and the panel says so.

    Examples
    --------
    >>> ax = zeros_poles([1, 2, 1])
    >>> ax.lines[1].get_xydata().round(6).tolist(), [text.get_text() for text in ax.texts]
    ([[-1.0, 0.0]], ['2', '2'])
    """
    system, ax = one_dimensional(system, "zeros_poles"), on(ax, 4.2, 4.2)
    turn = np.exp(2j * np.pi * np.linspace(0, 1, 257))
    ax.plot(turn.real, turn.imag, color=GREY, linewidth=1.0)
    families, title = _families(ax, system)
    reach = 1.15 * max([1.0, *(abs(z) for roots in families for z, _ in roots if abs(z) < _FAR)])
    beyond = 0
    for roots, marker in zip(families, "ox", strict=True):
        _roots(ax, [(z, m) for z, m in roots if abs(z) < reach], marker)
        beyond += sum(m for z, m in roots if abs(z) >= reach)
    ax.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    return dress(ax, f"{title}, {beyond} out of view" if beyond else title, "real part", "imaginary part")


def _families(ax: Axes, system: FIR | IIR) -> tuple[Any, str]:
    """Zeros and poles, and the title that counts them."""
    try:
        families = zeros_and_poles(system)
    except ValueError as reason:
        ax.text(0, 0, str(reason).replace(": ", ":\n"), ha="center", va="center", fontsize="small")
        return ([], []), "Zeros and poles"
    counts = [sum(m for _, m in roots) for roots in families]
    words = [name if n != 1 else name[:-1] for n, name in zip(counts, ("zeros", "poles"), strict=True)]
    return families, f"{counts[0]} {words[0]} (○), {counts[1]} {words[1]} (×)"


def _roots(ax: Axes, roots: list[tuple[complex, int]], marker: str) -> None:
    if not roots:
        return
    z = np.array([root for root, _ in roots])
    size = 6.5 if z.size < 80 else 3.5
    ax.plot(z.real, z.imag, marker, color=ink(ax), markerfacecolor="none", markersize=size)
    for root, m in roots:
        if m > 1:
            place = (4, 4) if marker == "o" else (4, -11)
            ax.annotate(str(m), (root.real, root.imag), place, textcoords="offset points", fontsize="small")
