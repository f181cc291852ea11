"""One step of a two-dimensional convolution: the window on the image, its products, the outputs so far."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from firconv.plots.style import dress, whole_numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GREYS = "Greys"
_TOP = 2.2  # of the largest value: the greys under black numbers stay light


def draw_step(axes: Any, x: np.ndarray, h: np.ndarray, y: np.ndarray, n: tuple[int, ...] | None, done: Any) -> None:
    """Image with the window, products x·h or (n None) the taps as they are, and those outputs in `done`."""
    rows, columns = h.shape
    padded = np.pad(x.astype(float), [(k - 1, k - 1) for k in h.shape], constant_values=np.nan)
    grid(axes[0], padded, (1 - rows, 1 - columns))
    so_far = np.full(y.shape, np.nan)
    for place in done:
        so_far[place] = y[place]
    grid(axes[2], so_far, (0, 0))
    if n is None:
        grid(axes[1], h.astype(float), (0, 0))
        titles = "image x", "taps h, before the flip", "output y"
    else:
        first = n[0] - rows + 1, n[1] - columns + 1
        _window(axes[0], first, h.shape)
        _window(axes[2], n, (1, 1))
        total = f"{float(y[n]):.4g}".replace("-", "−")
        _products(axes[1], x, h, n, first)
        titles = "image x and the window", f"flip, multiply, add: {total}", f"output y[{n[0]}, {n[1]}] = {total}"
    for ax, title in zip(axes, titles, strict=True):
        dress(ax, title, "across (samples)", "down (samples)").grid(False)


def grid(ax: Axes, values: np.ndarray, first: tuple[int, int]) -> None:
    """Cells with their numbers; what is not a number is an empty cell."""
    known = values[np.isfinite(values)]
    top = _TOP * (float(np.abs(known).max()) if known.size else 1.0) or 1.0
    ends = first[0] + values.shape[0], first[1] + values.shape[1]
    extent = (first[1] - 0.5, ends[1] - 0.5, ends[0] - 0.5, first[0] - 0.5)
    ax.imshow(np.abs(values), cmap=_GREYS, vmin=0, vmax=top, extent=extent, interpolation="nearest")
    for (i, j), value in np.ndenumerate(values):
        if np.isfinite(value):
            _text(ax, first[0] + i, first[1] + j, f"{value:.3g}".replace("-", "−"), max(values.shape))
    for k in range(first[0], ends[0] + 1):
        ax.plot(extent[:2], (k - 0.5, k - 0.5), color="#c8c8c8", linewidth=0.5)
    for k in range(first[1], ends[1] + 1):
        ax.plot((k - 0.5, k - 0.5), extent[2:], color="#c8c8c8", linewidth=0.5)
    ax.set(xlim=extent[:2], ylim=extent[2:])
    whole_numbers(ax.xaxis, ax.yaxis)


def _text(ax: Axes, row: float, column: float, word: str, cells: int) -> None:
    size = min(11.0, 95 / cells, 95 / cells * 4 / max(len(word), 1))
    ax.text(column, row, word, ha="center", va="center", fontsize=size, color="black")


def _window(ax: Axes, first: tuple[int, ...], shape: tuple[int, ...]) -> None:
    top, left = first[0] - 0.5, first[1] - 0.5
    bottom, right = top + shape[0], left + shape[1]
    corners = [left, right, right, left, left], [top, top, bottom, bottom, top]
    ax.plot(*corners, color="black", linewidth=2.2, clip_on=False)


def _products(ax: Axes, x: np.ndarray, h: np.ndarray, n: tuple[int, ...], first: tuple[int, int]) -> None:
    """x[k]·h[n − k] in every cell of the window, written out; cells beyond the image are empty."""
    flipped = np.flip(h)
    cells = np.full(h.shape, np.nan)
    for (i, j), tap in np.ndenumerate(flipped):
        k = first[0] + i, first[1] + j
        if all(0 <= p < size for p, size in zip(k, x.shape, strict=True)):
            cells[i, j] = x[k] * tap
    grid(ax, np.full(h.shape, np.nan), first)
    top = _TOP * (float(np.nanmax(np.abs(cells))) or 1.0)
    ax.images[0].set(data=np.abs(cells), clim=(0, top))
    for i, j in np.argwhere(np.isfinite(cells)):
        tap = f"{float(flipped[i, j]):.3g}".replace("-", "−")
        word = f"{float(x[first[0] + i, first[1] + j]):.3g}·{f'({tap})' if tap[0] == '−' else tap}".replace("-", "−")
        _text(ax, first[0] + i, first[1] + j, word, max(h.shape))
