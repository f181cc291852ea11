"""Ways to compute a convolution by hand, as pictures: the products, where they are added, and the matrix of the sum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from firconv import byhand
from firconv.convolution import convolve
from firconv.plots.stepping import grid
from firconv.plots.style import GREY, SIGNED, dress, line, new_figure, on, whole_numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SAMPLES = 8  # of signal or taps whose products are written out
_ROWS = 16  # of a table drawn as stems
_NUMBERS = 400  # cells of a matrix: as many as one can read


def five_ways(x: Any, h: Any) -> Figure:
    """Five ways to convolve two short sequences, side by side: the same products, added along other lines.

    Flip and slide adds the products along rows, the table of shifted impulses down columns, the polynomial product
    along the diagonals of equal power; the Toeplitz matrix holds the taps before they meet the signal, and the DFT
    multiplies one pair of numbers per frequency. The last panel has the five results.

    Parameters
    ----------
    x, h : array_like, real, 1-D
        At most 8 samples each.

    Raises
    ------
    ValueError
        Longer ones, or other dimensions.

    Examples
    --------
    >>> [ax.get_title("left") for ax in five_ways([1, 2, 3], [1, 1]).axes]
    ['1  flip and slide: add along rows', '2  shifted impulses: add down columns', '3  Toeplitz matrix times x',
     '4  polynomials: add along diagonals', '5  DFT: multiply per frequency', 'y, five times']
    """
    x, h = np.asarray(x), np.asarray(h)
    if x.ndim != 1 or h.ndim != 1 or not 1 <= max(x.size, h.size) <= _SAMPLES:
        raise ValueError(f"five_ways(x, h): shapes {x.shape} and {h.shape}; give two sequences of 1 to {_SAMPLES}")
    figure = new_figure(13, 8)
    axes = figure.subplots(2, 3).ravel()
    table, y = byhand.shifted_impulses(x, h), byhand.sliding(x, h)
    _cells(axes[0], np.column_stack([_shown(table.T), y]), "1  flip and slide: add along rows",
           [f"{k}" for k in range(x.size)] + ["y"], "n", "k")
    _cells(axes[1], np.vstack([_shown(table), y]), "2  shifted impulses: add down columns", None, "k", "n",
           [f"{k}" for k in range(x.size)] + ["y"])
    matrix(byhand.toeplitz(h, x.size), axes[2], title="3  Toeplitz matrix times x")
    _cells(axes[3], np.multiply.outer(x, h).astype(float), "4  polynomials: add along diagonals", None, "i", "j")
    axes[3].images[0].set_alpha(0)
    _powers(axes[3], x.size, h.size)
    _spectra(axes[4], x, h)
    _results(axes[5], x, h)
    return figure


def _shown(table: Any) -> Any:
    """Products that exist; the others are empty cells."""
    return np.where(table != 0, table.astype(float), np.nan)


def _cells(ax: Axes, values: Any, title: str, columns: Sequence[str] | None, down: str, across: str,
           rows: Sequence[str] | None = None) -> None:
    grid(ax, values, (0, 0))
    for names, axis in ((columns, "x"), (rows, "y")):
        if names is not None:
            ax.set(**{f"{axis}ticks": range(len(names)), f"{axis}ticklabels": names})
    height, width = values.shape
    if columns is not None:
        ax.plot((width - 1.5,) * 2, (-0.5, height - 0.5), color="black", linewidth=2.2)
    if rows is not None:
        ax.plot((-0.5, width - 0.5), (height - 1.5,) * 2, color="black", linewidth=2.2)
    dress(ax, title, across, down).grid(False)


def _powers(ax: Axes, n: int, k: int) -> None:
    """Bands through the products of equal power, cut between the numbers, with the coefficient at their upper end."""
    for power in range(n + k - 1):
        lo, hi = max(0, power - n + 1), min(power, k - 1)
        ends = np.array([lo - 0.3, hi + 0.3])
        ax.plot(ends, power - ends, color=GREY, linewidth=11, alpha=0.25, solid_capstyle="round", zorder=1.5)
        ax.text(hi + 0.72, power - hi - 0.72, f"y[{power}]", fontsize=8, ha="center", va="center", zorder=3)
    ax.set(xlim=(-0.5, k + 0.1), ylim=(n - 0.5, -1.1), xticks=range(k), yticks=range(n))


def _spectra(ax: Axes, x: Any, h: Any) -> None:
    n = x.size + h.size - 1
    both = [np.fft.fft(v, n) for v in (x, h)]
    for index, (name, values) in enumerate((("|X|", both[0]), ("|H|", both[1]), ("|Y| = |X|·|H|", both[0] * both[1]))):
        at, size = np.arange(n) + 0.16 * (index - 1), np.abs(values)
        look = line(ax, index)["color"]
        ax.vlines(at, 0, size, color=look, linewidth=1.4)
        ax.plot(at, size, "os^"[index], color=look, markerfacecolor=("none", "none", look)[index], label=name)
    ax.legend(fontsize="small")
    whole_numbers(ax.xaxis)
    dress(ax, "5  DFT: multiply per frequency", f"frequency (cycles per {n} samples)", "magnitude")


def _results(ax: Axes, x: Any, h: Any) -> None:
    for index, way in enumerate(byhand.WAYS):
        y = byhand.convolve_by(way, x, h)
        look = {"color": line(ax, index)["color"], "markerfacecolor": "none", "markersize": 4 + 3 * index}
        ax.plot(np.arange(y.size), y, "osD^v"[index], label=way, **look)
    ax.vlines(np.arange(y.size), 0, y, color=GREY, linewidth=1, zorder=0)
    ax.axhline(0, color=GREY, linewidth=0.8, zorder=0)
    ax.legend(fontsize="small")
    ax.margins(y=0.12)
    whole_numbers(ax.xaxis)
    dress(ax, "y, five times", "n (samples)", "y[n]")


def shifted_impulses(x: Any, h: Any) -> Figure:
    """The table of shifted impulse responses as stems: a panel per sample of x, and their sum.

    Parameters
    ----------
    x, h : array_like, real, 1-D
        At most 16 samples in x.

    Raises
    ------
    ValueError
        More, or other dimensions.

    Examples
    --------
    >>> figure = shifted_impulses([1, 2], [3, 1])
    >>> [ax.get_ylabel() for ax in figure.axes]
    ['1·h[n]', '2·h[n − 1]', 'sum: y[n]']
    """
    x, h = np.asarray(x), np.asarray(h)
    if x.ndim != 1 or h.ndim != 1 or x.size > _ROWS:
        raise ValueError(f"shifted_impulses(x, h): shapes {x.shape} and {h.shape}; give sequences, x of 1 to {_ROWS}")
    table = byhand.shifted_impulses(x, h)
    figure = new_figure(7.5, 1.0 + 0.95 * (x.size + 1))
    axes = figure.subplots(x.size + 1, 1, sharex=True, squeeze=False)[:, 0]
    names = [f"{v:g}·h[n{f' − {k}' if k else ''}]".replace("-", "−") for k, v in enumerate(x.tolist())]
    n = np.arange(table.shape[1])
    for k, (ax, row, name) in enumerate(zip(axes, [*table, table.sum(0)], [*names, "sum: y[n]"], strict=True)):
        total = k == x.size
        inside = np.full(n.size, True) if total else (n >= k) & (n < k + h.size)
        _stem(ax, n[inside], row[inside], 0 if total else 2)
        ax.set_ylim(*_limits(table.sum(0) if total else table))
        dress(ax, "", "n (samples)" if total else "", name)
        ax.set_ylabel(name, rotation=0, ha="right", va="center")
    axes[0].set_title("One scaled, shifted copy of the taps per sample", loc="left", fontsize="medium")
    axes[0].set_xlim(-0.5, n.size - 0.5)
    whole_numbers(axes[-1].xaxis)
    return figure


def _stem(ax: Axes, n: Any, values: Any, index: int) -> None:
    colour = line(ax, index)["color"]
    ax.vlines(n, 0, values, color=colour, linewidth=1.4)
    ax.plot(n, values, "o", color=colour, markersize=5)
    ax.axhline(0, color=GREY, linewidth=0.8, zorder=0)


def _limits(values: Any) -> tuple[float, float]:
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    room = 0.18 * (high - low) or 1.0
    return low - room, high + room


def matrix(a: Any, ax: Axes | None = None, *, blocks: tuple[int, int] | None = None, title: str = "Matrix",
           xlabel: str = "sample", ylabel: str = "output") -> Axes:
    """A matrix as a picture, 0 in white, with numbers up to 400 cells and a − on what is negative.

    Parameters
    ----------
    a : array_like or sparse array, real, 2-D
    ax : Axes, optional
    blocks : (rows, columns), optional
        Lines after every so many, for the blocks of a doubly-block Toeplitz matrix.
    title, xlabel, ylabel : str

    Raises
    ------
    ValueError
        Other dimensions, or complex values.

    Examples
    --------
    >>> from firconv import byhand
    >>> ax = matrix(byhand.toeplitz([1, -2], 3))
    >>> len(ax.texts), ax.texts[0].get_text()
    (6, '1')
    """
    a = np.asarray(a.toarray() if hasattr(a, "toarray") else a)
    if a.ndim != 2 or a.dtype.kind not in "biuf":
        raise ValueError(f"matrix(a): {a.dtype} of shape {a.shape}; give a real matrix")
    ax, top = on(ax, 5.4, 5.0), float(np.abs(a).max()) or 1.0
    ax.imshow(a, cmap=SIGNED, vmin=-1.6 * top, vmax=1.6 * top, interpolation="nearest", aspect="equal")
    if a.size <= _NUMBERS:
        for i, j in np.argwhere(a):
            ax.text(j, i, f"{a[i, j]:.3g}".replace("-", "−"), ha="center", va="center",
                    fontsize=float(np.clip(110 / max(a.shape), 6, 11)))
    else:
        i, j = np.nonzero(a < 0)
        ax.plot(j, i, "_", color="black", markersize=float(np.clip(220 / max(a.shape), 0.8, 6)), markeredgewidth=0.6)
    if blocks is not None:
        ax.hlines(np.arange(blocks[0], a.shape[0], blocks[0]) - 0.5, -0.5, a.shape[1] - 0.5, color=GREY, linewidth=1)
        ax.vlines(np.arange(blocks[1], a.shape[1], blocks[1]) - 0.5, -0.5, a.shape[0] - 0.5, color=GREY, linewidth=1)
    whole_numbers(ax.xaxis, ax.yaxis)
    dress(ax, title, xlabel, ylabel).grid(False)
    return ax


def shifted_images(x: Any, h: Any) -> Figure:
    """The convolution of an image as a sum of shifted, scaled copies: one picture per tap, and their sum.

    Parameters
    ----------
    x, h : array_like, real, 2-D
        At most 25 taps.

    Raises
    ------
    ValueError
        More taps, or other dimensions.

    Examples
    --------
    >>> figure = shifted_images(np.eye(3), [[1, 2]])
    >>> [ax.get_title("left") for ax in figure.axes]
    ['1 · x shifted by (0, 0)', '2 · x shifted by (0, 1)', 'sum: x * h']
    """
    x, h = np.asarray(x), np.asarray(h)
    if x.ndim != 2 or h.ndim != 2 or h.size > 25:
        raise ValueError(f"shifted_images(x, h): shapes {x.shape} and {h.shape}; give two planes, h of 25 taps at most")
    parts, y = byhand.shifted_signals(x, h), convolve(x, h)
    columns = min(h.shape[1] if h.shape[0] > 1 else h.size + 1, 5)
    rows = -(-(h.size + 1) // columns)
    figure = new_figure(2.5 * columns + 0.5, 2.5 * rows + 0.3)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    top = float(np.abs(parts).max()) or 1.0
    shifts = list(np.ndindex(h.shape))
    names = [f"{h[k]:g} · x shifted by {k}".replace("-", "−") for k in shifts] + ["sum: x * h"]
    for ax, part, name in zip(axes, [*parts, y], names, strict=False):
        most = top if part is not y else float(np.abs(y).max()) or 1.0
        ax.imshow(part, cmap="gray", vmin=-most, vmax=most, interpolation="nearest")
        ax.set_title(name, loc="left", fontsize="small")
        ax.tick_params(labelsize=7)
    for ax in axes[len(names):]:
        ax.remove()
    return figure


def matrices(named: Mapping[str, Any]) -> Figure:
    """Matrices beside each other, each as `matrix` draws it.

    Examples
    --------
    >>> figure = matrices({"identity": np.eye(2), "exchange": np.eye(2)[::-1]})
    >>> [ax.get_title("left") for ax in figure.axes]
    ['identity', 'exchange']
    """
    figure = new_figure(4.2 * len(named), 4.2)
    for ax, (name, a) in zip(figure.subplots(1, len(named), squeeze=False)[0], named.items(), strict=True):
        matrix(a, ax, title=name)
    return figure
