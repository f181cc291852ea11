"""The convolution sum, drawn: flip the taps, slide them along the signal or over the image, multiply, add."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from firconv.convolution import convolve
from firconv.plots.frames import contained
from firconv.plots.stepping import draw_step
from firconv.plots.style import GREY, dress, line, new_figure, whole_numbers

if TYPE_CHECKING:
    from matplotlib.animation import FuncAnimation
    from matplotlib.figure import Figure

_LONGEST = 64  # samples of signal or taps: a frame must be readable
_CELLS = (12, 5)  # per axis of an image and of its taps
_TERMS = 4  # products that are written out


class FlipAndSlide:
    """An animation of y[n] = Σₖ x[k]·h[n − k]: one frame per output, after one that shows the taps before the flip.

    Made by `flip_and_slide`. Shows itself in a notebook.

    Attributes
    ----------
    x, h, y : arrays, the signal, the taps and the full convolution
    outputs : the index of every output that is shown, a list of tuples
    interval : milliseconds per frame

    Examples
    --------
    >>> from firconv import plots
    >>> film = plots.flip_and_slide([1, 2, 3], [1, 1], mode="valid")
    >>> film.outputs, film.y.tolist()
    ([(1,), (2,)], [1, 3, 5, 3])
    """

    def __init__(self, x: Any, h: Any, mode: str, interval: float) -> None:
        self.x, self.h = _short(x, "x", _CELLS[0]), _short(h, "h", _CELLS[1])
        if self.x.ndim != self.h.ndim:
            raise ValueError(f"flip_and_slide(x, h): {self.x.ndim} and {self.h.ndim} dimensions; give the same number")
        self.y = convolve(self.x, self.h, method="direct")
        self.outputs = _outputs(self.x.shape, self.h.shape, mode)
        if not (np.isfinite(interval) and interval > 0):
            raise ValueError(f"flip_and_slide(…, interval={interval!r}): give milliseconds per frame, above 0")
        self.interval = float(interval)

    def __len__(self) -> int:
        return len(self.outputs) + 1

    def frame(self, index: int) -> Figure:
        """The figure of frame 0, before the flip, or of frame i + 1, which computes ``y[outputs[i]]``."""
        figure = new_figure(*self._size)
        self._draw(figure, range(len(self))[index])
        return figure

    def animation(self) -> FuncAnimation:
        """The frames as matplotlib's animation object."""
        from matplotlib.animation import FuncAnimation

        figure = new_figure(*self._size)
        return FuncAnimation(figure, lambda index: self._draw(figure, index), frames=len(self), interval=self.interval,
                             init_func=lambda: [], repeat=True)

    def to_html(self) -> str:
        """A fragment of HTML with the frames inside it and buttons to play and step; nothing is loaded."""
        return contained(self.animation().to_jshtml(default_mode="loop"))

    def _repr_html_(self) -> str:
        return self.to_html()

    def save(self, path: str | os.PathLike[str], *, dpi: int = 100) -> None:
        """Write a ``.gif`` (by Pillow) or ``.html`` file, which is in place only when it is whole.

        Raises
        ------
        ValueError
            Another suffix.
        """
        target = Path(path)
        if target.suffix.lower() not in (".gif", ".html"):
            raise ValueError(f"flip_and_slide(…).save({str(path)!r}): write .gif or .html")
        part = target.with_name(f".firconv-{secrets.token_hex(6)}{target.suffix.lower()}")
        try:
            if part.suffix == ".html":
                part.write_text(f"<!DOCTYPE html>\n<meta charset='utf-8'>\n{self.to_html()}", encoding="utf-8")
            else:
                self.animation().save(part, writer="pillow", dpi=dpi)
            os.replace(part, target)
        finally:
            part.unlink(missing_ok=True)

    def _draw(self, figure: Figure, index: int) -> list[Any]:
        figure.clear()
        axes = figure.subplots(3, 1, sharex=True) if self.x.ndim == 1 else figure.subplots(1, 3)
        self.draw(axes, index - 1 if index else None)
        return []

    @property
    def _size(self) -> tuple[float, float]:
        return (7.5, 6.2) if self.x.ndim == 1 else (12.0, self.row)

    @property
    def row(self) -> float:
        """Height of three panels of cells side by side: as much as the tallest of them needs."""
        sizes = self.x.shape, self.h.shape, self.y.shape
        padded = [n + 2 * (k - 1) for n, k in zip(*sizes[:2], strict=True)]
        return 1.0 + 3.4 * float(np.clip(max(r / c for r, c in (padded, *sizes[1:])), 0.45, 1.2))

    def draw(self, axes: Any, index: int | None, narrow: bool = False) -> None:
        """Draw the output number `index` on three axes; None is the frame before the flip."""
        n = None if index is None else self.outputs[index]
        if self.x.ndim == 1:
            draw_output(axes, self.x, self.h, self.y, None if n is None else n[0], narrow)
        else:
            draw_step(axes, self.x, self.h, self.y, n, () if index is None else self.outputs[:index + 1])


def flip_and_slide(x: Any, h: Any, *, mode: str = "full", interval: float = 900.0) -> FlipAndSlide:
    """The convolution of short real sequences or small images as an animation, y[n] = Σₖ x[k]·h[n − k] for every n.

    Parameters
    ----------
    x, h : array_like, both 1-D or 2-D
        Signal and taps from index 0 on: at most 64 samples, or 12×12 and 5×5.
    mode : {"full", "valid"}
        Every output, or those whose taps all lie on the signal; n counts the full outputs in both.
    interval : float
        Milliseconds per frame.

    Returns
    -------
    FlipAndSlide
        With ``to_html()``, ``save("x.gif")``, ``frame(i)`` and ``animation()``.

    Raises
    ------
    ValueError
        Empty, larger, complex or non-finite arrays, other or different dimensions, no valid output, another mode.

    Examples
    --------
    >>> film = flip_and_slide([1, 2, 3], [1, 1])
    >>> len(film), film.y.tolist(), film.frame(2).axes[1].get_title("left")
    (5, [1, 3, 5, 3], 'multiply and add: y[1] = 1·1 + 2·1 = 3')
    """
    return FlipAndSlide(x, h, mode, interval)


def flip_and_slide_frames(x: Any, h: Any, outputs: Sequence[Any] | None = None) -> Figure:
    """Frames of `flip_and_slide` for print: a column per output, or a row in two dimensions.

    Parameters
    ----------
    x, h : as in `flip_and_slide`
    outputs : sequence of int, or of pairs of int, optional
        Which n of the full convolution; default up to four, evenly spread.

    Raises
    ------
    ValueError
        No output, one that does not exist, or more than eight.

    Examples
    --------
    >>> figure = flip_and_slide_frames([1, 2, 3], [1, 1], outputs=[0, 3])
    >>> [ax.get_title("left") for ax in figure.axes[2:4]]
    ['y[0] = 1·1 = 1', 'y[3] = 3·1 = 3']
    """
    film = FlipAndSlide(x, h, "full", 1.0)
    last = len(film.outputs) - 1
    chosen = np.unique(np.linspace(0, last, min(4, last + 1)).round().astype(int)).tolist()
    if outputs is not None:
        asked = [tuple(np.atleast_1d(n).tolist()) for n in outputs]
        if not 1 <= len(asked) <= 8 or not set(asked) <= set(film.outputs):
            raise ValueError(f"flip_and_slide_frames(…, outputs={outputs!r}): give one to eight of its outputs, "
                             f"{film.outputs[0]} to {film.outputs[-1]}")
        chosen = [film.outputs.index(n) for n in asked]
    return _columns(film, chosen) if film.x.ndim == 1 else _rows(film, chosen)


def _rows(film: FlipAndSlide, chosen: list[int]) -> Figure:
    figure = new_figure(12, film.row * len(chosen))
    for row, index in zip(figure.subplots(len(chosen), 3, squeeze=False), chosen, strict=True):
        film.draw(row, index)
    return figure


def _columns(film: FlipAndSlide, chosen: list[int]) -> Figure:
    figure = new_figure(3.6 * len(chosen) + 0.4, 6.2)
    axes = figure.subplots(3, len(chosen), sharex=True, sharey="row", squeeze=False)
    for column, index in zip(axes.T, chosen, strict=True):
        film.draw(column, index, narrow=True)
    for ax in axes[:, 1:].ravel():
        ax.set_ylabel("")
    for ax in axes[0, 1:]:
        ax.get_legend().remove()
    return figure


def draw_output(axes: Any, x: np.ndarray, h: np.ndarray, y: np.ndarray, n: int | None, narrow: bool = False) -> None:
    """Three panels: signal and shifted taps, their products, the outputs so far; n None shows the taps as they are."""
    lo, hi = -h.size + 0.5, y.size - 0.5
    k = np.arange(x.size)
    at = np.arange(h.size) if n is None else n - np.arange(h.size)
    name = "h[k], before the flip" if n is None else "h[n − k]" if narrow else f"h[{n} − k]"
    _stems(axes[0], k, x, 0, "x[k]")
    _stems(axes[0], at + 0.12, h, 1, name)  # beside each other, not on top
    axes[0].legend(loc="upper right", fontsize="small", ncols=1 if narrow else 2)
    low, high = _room(np.concatenate([x, h]))
    axes[0].set(xlim=(lo, hi), ylim=(low, high + (0.45 if narrow else 0.25) * (high - low)))
    if n is not None:
        _stems(axes[1], k, _products(x, h, n), 2, "")
    every = [_products(x, h, m) for m in range(y.size)]
    axes[1].set_ylim(*_room(np.concatenate(every)))
    done = np.arange(0 if n is None else n + 1)
    _stems(axes[2], done, y[done], 0, "")
    if n is not None:
        axes[2].plot([n], [y[n]], "o", markersize=12, markerfacecolor="none", color=line(axes[2], 0)["color"])
    axes[2].set_ylim(*_room(y))
    titles = _titles(x, h, y, n, narrow)
    labels = ("value", "product", "y[n]")
    for ax, title, label, below in zip(axes, titles, labels, ("", "k (samples)", "n (samples)"), strict=True):
        dress(ax, title, below, label)
    axes[0].tick_params(labelbottom=True)
    axes[1].tick_params(labelbottom=True)
    whole_numbers(axes[0].xaxis)


def _titles(x: np.ndarray, h: np.ndarray, y: np.ndarray, n: int | None, narrow: bool) -> tuple[str, str, str]:
    if n is None:
        return "signal x[k] and taps h[k]", "next: flip the taps, then slide them", "outputs"
    text = equation(x, h, y, n)
    if narrow:
        return f"n = {n}", text, ""
    return f"flip and slide: n = {n}", f"multiply and add: {text}", f"output: y[{n}] = {_number(y[n])}"


def equation(x: np.ndarray, h: np.ndarray, y: np.ndarray, n: int) -> str:
    """The sum that makes one output, in digits if it has few terms.

    >>> equation(np.array([1, 2]), np.array([3, -4]), np.array([3, 2, -8]), 1)
    'y[1] = 1·(−4) + 2·3 = 2'
    """
    inside = [i for i in range(x.size) if 0 <= n - i < h.size]
    terms = [f"{_factor(x[i])}·{_factor(h[n - i])}" for i in inside]
    if len(terms) > _TERMS or sum(map(len, terms)) > 24:
        return f"y[{n}] = sum of {len(terms)} products = {_number(y[n])}"
    return f"y[{n}] = {' + '.join(terms)} = {_number(y[n])}"


def _number(value: Any) -> str:
    return f"{value:.4g}".replace("-", "−")


def _factor(value: Any) -> str:
    return f"({_number(value)})" if value < 0 else _number(value)


def _products(x: np.ndarray, h: np.ndarray, n: int) -> np.ndarray:
    """x[k]·h[n − k] for every k of the signal."""
    k = n - np.arange(x.size)
    return np.where((k >= 0) & (k < h.size), x * h[np.clip(k, 0, h.size - 1)], 0)


def _room(values: np.ndarray) -> tuple[float, float]:
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    edge = 0.15 * (high - low) or 1.0
    return low - edge, high + edge


def _stems(ax: Any, at: np.ndarray, values: np.ndarray, index: int, label: str) -> None:
    look = line(ax, index)
    face = look["color"] if index != 1 else "none"
    ax.vlines(at, 0, values, color=look["color"], linewidth=1.4, linestyles=("solid", "dashed", "solid")[index])
    size = (6, 8, 6)[index]
    ax.plot(at, values, "osD"[index], color=look["color"], markerfacecolor=face, markersize=size, label=label)
    ax.axhline(0, color=GREY, linewidth=0.8, zorder=0)


def _outputs(x: tuple[int, ...], h: tuple[int, ...], mode: str) -> list[tuple[int, ...]]:
    """Indices of the outputs in the full convolution, the last axis fastest."""
    if mode not in ("full", "valid"):
        raise ValueError(f"flip_and_slide(…, mode={mode!r}): use 'full' or 'valid'")
    first = [k - 1 if mode == "valid" else 0 for k in h]
    sizes = [n - k + 1 if mode == "valid" else n + k - 1 for n, k in zip(x, h, strict=True)]
    if min(sizes) < 1:
        raise ValueError(f"flip_and_slide(x, h, mode='valid'): taps {h} have no valid output on {x}; use 'full'")
    return [tuple(i + f for i, f in zip(index, first, strict=True)) for index in np.ndindex(*sizes)]


def _short(values: Any, name: str, cells: int) -> np.ndarray:
    array = np.asarray(values)
    call = f"flip_and_slide(x, h): {name} is {array.dtype} of shape {array.shape}"
    if array.ndim not in (1, 2) or array.size == 0 or array.dtype.kind not in "buif":
        raise ValueError(f"{call}; give real numbers in one or two dimensions")
    if max(array.shape) > (_LONGEST if array.ndim == 1 else cells):
        raise ValueError(f"{call}; a frame holds 1 to {_LONGEST} samples, or {cells} × {cells}")
    if not np.isfinite(array).all():
        raise ValueError(f"flip_and_slide(x, h): {name} has NaN or infinite samples; replace them")
    return array
