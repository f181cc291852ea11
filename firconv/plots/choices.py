"""What the planner weighs, and how overlap-save cuts a signal: figures of fast convolution."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from firconv.plots.style import GREY, dress, line, marks, new_figure, whole_numbers

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SHOWN = 6  # blocks
_METHODS = ("direct", "separable", "overlap_save", "fft", "gemm", "winograd")


def costs(plans: Mapping[float, Any], xlabel: str = "taps", title: str = "Predicted time on one core") -> Figure:
    """The predicted time of every method over some size, with a ring on the method that was chosen.

    Parameters
    ----------
    plans : mapping of number to Plan, or to a plan of a layer
        Of one kind of problem, by the size that varies: what stands on the horizontal axis.
    xlabel, title : str

    Raises
    ------
    ValueError
        Fewer than two plans.

    Examples
    --------
    >>> import firconv
    >>> made = {k: firconv.plan(((4096,), float), np.ones(k)) for k in (2, 32, 512)}
    >>> [curve.get_label() for curve in costs(made).axes[0].lines]
    ['direct', 'overlap_save', 'fft', 'chosen']
    """
    if len(plans) < 2:
        raise ValueError(f"costs(plans): {len(plans)} plans make no line; give at least two")
    figure = new_figure(7.5, 4.4)
    ax = figure.subplots()
    every = {size: getattr(plan, "candidates", None) or plan.decision.candidates for size, plan in plans.items()}
    found = {c.method for candidates in every.values() for c in candidates if c.seconds}
    for index, name in enumerate(sorted(found, key=_rank)):
        points = [(size, c.seconds) for size, candidates in every.items() for c in candidates
                  if c.method == name and c.seconds]
        ax.plot(*zip(*points, strict=True), label=name, **(line(ax, index) | marks(index, len(points))))
    chosen = [next(c.seconds for c in every[size] if c.method == plan.method) for size, plan in plans.items()]
    ax.plot(list(plans), chosen, "o", color="black", markersize=11, markerfacecolor="none", label="chosen")
    ax.set(xscale="log", yscale="log")
    if len(plans) <= 8:
        ax.set_xticks(list(plans), [f"{size:g}" for size in plans])
        ax.set_xticks([], minor=True)
    ax.legend(fontsize="small", handlelength=4)
    dress(ax, title, xlabel, "time (s)")
    return figure


def _rank(method: str) -> tuple[int, str]:
    """Methods in the order in which they are explained, others behind."""
    return _METHODS.index(method) if method in _METHODS else len(_METHODS), method


def overlap_save(samples: int, taps: int, length: int) -> Figure:
    """How overlap-save cuts a signal: blocks of `length` samples, each `taps` − 1 samples into the one before.

    A block's circular convolution is right from its sample `taps` − 1 on; the first ones (hatched) are thrown away.

    Parameters
    ----------
    samples, taps, length : int
        The block must be longer than the taps.

    Raises
    ------
    ValueError
        A block that has no output to keep.

    Examples
    --------
    >>> overlap_save(100, 9, 32).axes[0].get_title("left")
    'Blocks of 32: 24 outputs kept, 8 thrown away'
    """
    keep = length - taps + 1
    if keep < 1:
        raise ValueError(f"overlap_save({samples}, {taps}, {length}): a block holds no output that is right; "
                         "make it longer than the taps")
    figure = new_figure(8.5, 3.6)
    ax = figure.subplots()
    count = min(-(-samples // keep), _SHOWN)
    colour: Any = line(ax, 2)["color"]
    for k in range(count):
        start = k * keep - (taps - 1)
        ax.barh(k, taps - 1, left=start, height=0.62, facecolor="none", edgecolor=GREY, hatch="////")
        ax.barh(k, keep, left=k * keep, height=0.62, facecolor=colour, edgecolor="black", alpha=0.55)
        ax.text(k * keep + keep / 2, k, f"outputs {k * keep} to {k * keep + keep - 1}", ha="center", va="center",
                fontsize=8)
    ax.axvline(0, color="black", linewidth=1, linestyle="--")
    ax.set(ylim=(count - 0.4, -0.6), xlim=(-taps, count * keep + 1))
    whole_numbers(ax.yaxis)
    dress(ax, f"Blocks of {length}: {keep} outputs kept, {taps - 1} thrown away", "position (samples)", "block")
    return figure


def footprint(named: Mapping[str, Any], *, title: str = "") -> Figure:
    """Where results are not finite: a row per result, black for NaN and infinity.

    Parameters
    ----------
    named : mapping of name to array_like, 1-D
    title : str

    Examples
    --------
    >>> figure = footprint({"y": [1.0, np.nan, 2.0]})
    >>> figure.axes[0].images[0].get_array().tolist()
    [[0, 1, 0]]
    """
    figure = new_figure(8.5, 0.9 + 0.5 * len(named))
    ax = figure.subplots()
    rows = np.array([~np.isfinite(np.asarray(values)) for values in named.values()], int)
    ax.imshow(rows, cmap="Greys", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    ax.set_yticks(range(len(named)), list(named))
    ax.hlines(np.arange(1, len(named)) - 0.5, -0.5, rows.shape[1] - 0.5, color=GREY, linewidth=1)
    dress(ax, title, "n (samples); black: not finite", "").grid(False)
    return figure
