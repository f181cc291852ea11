"""The convolution sum, drawn: flip the taps, slide them along the signal, multiply, add."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from firconv.convolution import convolve
from firconv.plots.style import GREY, dress, line, new_figure

if TYPE_CHECKING:
    from matplotlib.animation import FuncAnimation
    from matplotlib.figure import Figure

_LONGEST = 64  # samples of signal or taps: a frame must be readable
_TERMS = 4  # products that are written out


class FlipAndSlide:
    """An animation of y[n] = Σₖ x[k]·h[n − k]: one frame per output, after one that shows the flip.

    Made by `flip_and_slide`. Shows itself in a notebook.

    Attributes
    ----------
    x, h, y : arrays, the signal, the taps and the full convolution
    interval : milliseconds per frame
    """

    def __init__(self, x: Any, h: Any, interval: float) -> None:
        self.x, self.h = _short(x, "x"), _short(h, "h")
        self.y = convolve(self.x, self.h, method="direct")
        if not (np.isfinite(interval) and interval > 0):
            raise ValueError(f"flip_and_slide(…, interval={interval!r}): give milliseconds per frame, above 0")
        self.interval = float(interval)

    def __len__(self) -> int:
        return self.y.size + 1

    def frame(self, index: int) -> Figure:
        """The figure of frame 0, the flip, or of frame n + 1, which computes y[n]."""
        figure = new_figure(7.5, 6.2)
        self._draw(figure, range(len(self))[index])
        return figure

    def animation(self) -> FuncAnimation:
        """The frames as matplotlib's animation object."""
        from matplotlib.animation import FuncAnimation

        figure = new_figure(7.5, 6.2)
        return FuncAnimation(figure, lambda index: self._draw(figure, index), frames=len(self), interval=self.interval,
                             init_func=lambda: [], repeat=True)

    def to_html(self) -> str:
        """A fragment of HTML with the frames inside it and buttons to play and step."""
        return self.animation().to_jshtml(default_mode="loop")

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
        axes = figure.subplots(3, 1, sharex=True)
        draw_output(axes, self.x, self.h, self.y, index - 1 if index else None)
        return []


def flip_and_slide(x: Any, h: Any, *, interval: float = 900.0) -> FlipAndSlide:
    """The convolution of two short real sequences as an animation, y[n] = Σₖ x[k]·h[n − k] for every n.

    Parameters
    ----------
    x, h : array_like, 1-D, at most 64 samples
        Signal from k = 0 on, taps from 0 on.
    interval : float
        Milliseconds per frame.

    Returns
    -------
    FlipAndSlide
        With ``to_html()``, ``save("x.gif")``, ``frame(i)`` and ``animation()``.

    Raises
    ------
    ValueError
        Empty, longer, complex, non-finite or not one-dimensional sequences.

    Examples
    --------
    >>> film = flip_and_slide([1, 2, 3], [1, 1])
    >>> len(film), film.y.tolist(), film.frame(2).axes[1].get_title("left")
    (5, [1, 3, 5, 3], 'multiply and add: y[1] = 1·1 + 2·1 = 3')
    """
    return FlipAndSlide(x, h, interval)


def flip_and_slide_frames(x: Any, h: Any, outputs: Sequence[int] | None = None) -> Figure:
    """Frames of `flip_and_slide` side by side, for print.

    Parameters
    ----------
    x, h : as in `flip_and_slide`
    outputs : sequence of int, optional
        Which n of the full convolution, one column each; default up to four, evenly spread.

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
    film = FlipAndSlide(x, h, 1.0)
    last = film.y.size - 1
    chosen = sorted({round(i) for i in np.linspace(0, last, min(4, last + 1))}) if outputs is None else list(outputs)
    if not 1 <= len(chosen) <= 8 or not all(0 <= n <= last for n in chosen):
        raise ValueError(f"flip_and_slide_frames(…, outputs={chosen!r}): give one to eight indices from 0 to {last}")
    figure = new_figure(3.6 * len(chosen) + 0.4, 6.2)
    axes = figure.subplots(3, len(chosen), sharex=True, sharey="row", squeeze=False)
    for column, n in zip(axes.T, chosen, strict=True):
        draw_output(column, film.x, film.h, film.y, n, narrow=True)
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
    axes[0].xaxis.get_major_locator().set_params(integer=True)


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


def _short(values: Any, name: str) -> np.ndarray:
    array = np.asarray(values)
    if array.ndim != 1 or not 1 <= array.size <= _LONGEST or array.dtype.kind not in "buif":
        raise ValueError(f"flip_and_slide(x, h): {name} is {array.dtype} of shape {array.shape}; give a real sequence "
                         f"of 1 to {_LONGEST} samples")
    if not np.isfinite(array).all():
        raise ValueError(f"flip_and_slide(x, h): {name} has NaN or infinite samples; replace them")
    return array
