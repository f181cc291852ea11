"""Sequences as stems under each other, what an exponential becomes, and what lies beyond the ends of a signal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from firconv import boundary, response
from firconv.convolution import convolve
from firconv.plots.panels import one_dimensional
from firconv.plots.style import GREY, dress, frequency_text, line, marks, new_figure, whole_numbers
from firconv.systems import FIR

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def sequences(named: Mapping[str, Any], *, start: int | Mapping[str, int] = 0, ylabel: str = "value",
              shared: bool = False) -> Figure:
    """Sequences as stems, a panel each under a common axis of samples.

    Parameters
    ----------
    named : mapping of name to array_like, real, 1-D
    start : int, or mapping of name to int
        Position of the first sample, for all or by name (else 0).
    ylabel : str
    shared : bool
        One scale of values for all panels.

    Raises
    ------
    ValueError
        Nothing, or what is no real sequence.

    Examples
    --------
    >>> figure = sequences({"x": [1, 2], "y": [1, 3, 2]}, start={"y": -1})
    >>> figure.axes[1].get_title("left"), figure.axes[1].lines[0].get_xdata().tolist()
    ('y', [-1, 0, 1])
    """
    arrays = checked(named, "sequences")
    figure = new_figure(8, 0.6 + 1.75 * len(arrays))
    axes = figure.subplots(len(arrays), 1, sharex=True, sharey=shared, squeeze=False)[:, 0]
    for index, (ax, (name, values)) in enumerate(zip(axes, arrays.items(), strict=True)):
        first = start.get(name, 0) if isinstance(start, Mapping) else start
        stems(ax, first + np.arange(values.size), values, index)
        dress(ax, name, "n (samples)" if index == len(arrays) - 1 else "", ylabel)
    whole_numbers(axes[-1].xaxis)
    return figure


def checked(named: Mapping[str, Any], call: str) -> dict[str, np.ndarray]:
    """The sequences as arrays."""
    arrays = {name: np.asarray(values) for name, values in named.items()}
    if not arrays or any(v.ndim != 1 or v.dtype.kind not in "biuf" for v in arrays.values()):
        shapes = {name: f"{v.dtype} {v.shape}" for name, v in arrays.items()}
        raise ValueError(f"{call}(named): {shapes}; give at least one real sequence")
    return arrays


def stems(ax: Axes, n: Any, values: Any, index: int = 0, label: str = "") -> None:
    """One sequence as stems over the positions n; the index chooses colour and marker."""
    colour, size = line(ax, index)["color"], float(np.clip(200 / max(len(n), 1), 1.2, 5))
    ax.vlines(n, 0, values, color=colour, linewidth=min(size / 3, 1.3))
    ax.plot(n, values, "osD^v*"[index % 6], color=colour, markersize=size, label=label)
    ax.axhline(0, color=GREY, linewidth=0.8, zorder=0)


def exponential(system: Any, f: float, n: int = 48) -> Figure:
    """A complex exponential that begins at 0, and the output: after the transient it is the input times H(f).

    e^{jωn} → H(ω)·e^{jωn}, ω = 2πf/fs: the exponential is an eigenvector, the response its eigenvalue.

    Parameters
    ----------
    system : FIR (causal), IIR or array_like
    f : float
        In the unit of fs.
    n : int
        Samples shown.

    Raises
    ------
    ValueError
        For a system that answers before the input begins.

    Examples
    --------
    >>> figure = exponential([0.5, 0.5], 0.25)
    >>> figure.axes[2].get_title("left")
    'output: |H| = 0.7071, phase −0.7854 rad'
    """
    system = one_dimensional(system, "exponential")
    if isinstance(system, FIR) and system.origin > 0:
        raise ValueError(f"exponential(system, f): origin {system.origin} needs later samples; delay({system.origin})")
    t = np.arange(n)
    wave = np.exp(2j * np.pi * f / system.fs * t)
    gain = complex(response.frequency_response(system, [f])[1][0])
    y = system(wave.real) + 1j * system(wave.imag)
    figure = new_figure(8.5, 5.4)
    axes = figure.subplots(2, 2, sharex=True)
    size, phase = abs(gain), float(np.angle(gain))
    titles = (f"input $e^{{j\\omega n}}$, f = {frequency_text(f, system.fs)}",
              f"output: |H| = {size:.4g}, phase {phase:.4g} rad".replace("-", "−"))
    for row, (values, expected, title) in enumerate(((wave, wave, titles[0]), (y, gain * wave, titles[1]))):
        for ax, part, name in zip(axes[row], (np.real, np.imag), ("real part", "imaginary part"), strict=True):
            ax.plot(t, part(expected), label="H · input" if row else "", **(line(ax, 1) | {"linewidth": 1.0}))
            stems(ax, t, part(values), 0, "output" if row else "")
            dress(ax, title if name == "real part" else "", "n (samples)" if row else "", name)
    figure.legend(*axes[1, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def extensions(x: Any, margin: int, boundaries: Sequence[Any] | None = None) -> Figure:
    """A signal or an image with what every boundary puts beyond its ends: a panel each.

    Parameters
    ----------
    x : array_like, real, 1-D or 2-D
    margin : int
        Samples shown beyond each end.
    boundaries : sequence of boundaries
        Default all of them; the constant is half the largest sample.

    Raises
    ------
    ValueError
        Other dimensions, complex samples, or a margin below 1.

    Examples
    --------
    >>> figure = extensions([1, 2, 3], 2, ["edge", "wrap"])
    >>> [ax.get_title("left") for ax in figure.axes], figure.axes[1].lines[0].get_ydata().tolist()
    (['edge', 'wrap'], [2, 3, 1, 2, 3, 1, 2])
    """
    x = np.asarray(x)
    if x.ndim not in (1, 2) or x.dtype.kind not in "biuf" or margin < 1:
        raise ValueError(f"extensions(x, {margin!r}): {x.dtype} of shape {x.shape}; give a real signal or plane, and a "
                         "margin of 1 or more")
    if boundaries is None:
        boundaries = [("constant", x.max() / 2) if name == "constant" else name for name in boundary.NAMES]
    columns = min(3, len(boundaries))
    rows = -(-len(boundaries) // columns)
    tall = 1.9 if x.ndim == 1 else 3.5 * (x.shape[0] + 2 * margin) / (x.shape[1] + 2 * margin) + 0.2
    figure = new_figure(3.6 * columns, tall * rows + 0.4)
    axes = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for ax, rule in zip(axes.ravel(), boundaries, strict=False):
        (_extended if x.ndim == 1 else _framed)(ax, x, margin, rule)
        low, high = boundary.parse(rule, 1, f"extensions(x, {margin!r})")[0]
        ax.set_title(f"{low}" if low == high else f"{low} | {high}", loc="left", fontsize="medium")
    for ax in axes.ravel()[len(boundaries):]:
        ax.remove()
    if x.ndim == 1:
        whole_numbers(axes[0, 0].xaxis)
        figure.supxlabel("n (samples)", fontsize="medium")
    return figure


def extended(x: Any, margin: int, rule: Any) -> np.ndarray:
    """The samples −margin … N + margin − 1 of x̃; where "omit" has none, NaN."""
    x = np.asarray(x)
    window = [(-margin, size + margin) for size in x.shape]
    if rule == "omit":
        return np.pad(x.astype(float), margin, constant_values=np.nan)
    return convolve(x, np.ones((1,) * x.ndim, x.dtype), window, boundary=rule, method="direct")


def _extended(ax: Axes, x: np.ndarray, margin: int, rule: Any) -> None:
    every, n = extended(x, margin, rule), np.arange(-margin, x.size + margin)
    ax.plot(n, every, "o", color=line(ax, 1)["color"], markersize=4.5, markerfacecolor="none")
    ax.vlines(n, 0, every, color=line(ax, 1)["color"], linewidth=1, linestyles="dotted")
    inside = slice(margin, margin + x.size)
    ax.vlines(n[inside], 0, every[inside], color=line(ax, 0)["color"], linewidth=1.3)
    ax.plot(n[inside], every[inside], "o", color=line(ax, 0)["color"], markersize=4.5)
    for edge in (-0.5, x.size - 0.5):
        ax.axvline(edge, color=GREY, linewidth=1, linestyle="--")
    ax.axhline(0, color=GREY, linewidth=0.8, zorder=0)
    ax.grid(True, alpha=0.25, linewidth=0.6)


def _framed(ax: Axes, x: np.ndarray, margin: int, rule: Any) -> None:
    every = extended(x, margin, rule)
    rows, columns = x.shape
    extent = (-margin - 0.5, columns + margin - 0.5, rows + margin - 0.5, -margin - 0.5)
    ax.imshow(every, cmap="gray", vmin=float(x.min()), vmax=float(x.max()), extent=extent, interpolation="nearest")
    ax.set_facecolor("#c9d6e2")
    ax.plot([-0.5, columns - 0.5, columns - 0.5, -0.5, -0.5], [-0.5, -0.5, rows - 0.5, rows - 0.5, -0.5],
            color="white", linewidth=2.2)
    ax.plot([-0.5, columns - 0.5, columns - 0.5, -0.5, -0.5], [-0.5, -0.5, rows - 0.5, rows - 0.5, -0.5],
            color="black", linewidth=1.0)
    ax.tick_params(labelsize=7)




def lines(named: Mapping[str, Any], *, start: int | Mapping[str, int] = 0, title: str = "",
          xlabel: str = "n (samples)", ylabel: str = "value", fs: float = 1.0) -> Figure:
    """Signals as lines in one panel; each has its own dash and marker.

    Parameters
    ----------
    named, start : as in `sequences`
    title, xlabel, ylabel : str
    fs : float
        Samples per unit of the horizontal axis.

    Raises
    ------
    ValueError
        Nothing, or what is no real sequence.

    Examples
    --------
    >>> figure = lines({"x": [1, 2, 4], "mean": [1, 1.5, 3]}, fs=2)
    >>> figure.axes[0].lines[1].get_xdata().tolist()
    [0.0, 0.5, 1.0]
    """
    arrays = checked(named, "lines")
    figure = new_figure(8.5, 4.2)
    ax = figure.subplots()
    for index, (name, values) in enumerate(arrays.items()):
        first = start.get(name, 0) if isinstance(start, Mapping) else start
        look: dict[str, Any] = line(ax, index) | marks(index, values.size)
        ax.plot((first + np.arange(values.size)) / fs, values, label=name, **look)
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize="small", handlelength=4)
    ax.margins(x=0.01)
    if fs == 1:
        whole_numbers(ax.xaxis)
    dress(ax, title, xlabel, ylabel)
    return figure
