"""One figure of a filter, and one of several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from firconv import response
from firconv.plots import panels
from firconv.plots.planes import kernel2d
from firconv.plots.style import decibels, dress, frequency_label, line, marks, new_figure, whole_numbers
from firconv.plots.zplane import zeros_poles
from firconv.systems import FIR, IIR

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def overview(system: Any) -> Figure:
    """Everything about a filter in one figure.

    Impulse response, magnitude in dB with the mask of the specification if it was designed to one, its pass band (else
    the step response), phase, group delay with the exact constant for linear phase, zeros and poles. Two-dimensional
    taps give `kernel2d`.

    Parameters
    ----------
    system : FIR, IIR or array_like

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        More than two dimensions, or taps that are all zero.

    Examples
    --------
    >>> [ax.get_title("left") for ax in overview([1, 2, 1]).axes]
    ['Impulse response (taps)', 'Magnitude', 'Step response', 'Phase: linear, type I', 'Group delay: exactly 1 sample',
     '2 zeros (○), 2 poles (×)']
    """
    system = system if isinstance(system, (FIR, IIR)) else FIR(system)
    if isinstance(system, FIR) and not system.taps.any():
        raise ValueError("overview(system): all taps are zero; there is nothing to show")
    if system.ndim > 2:
        raise ValueError(f"overview(system): the taps have {system.ndim} dimensions; give one or two")
    if system.ndim == 2:
        return kernel2d(system)
    figure = new_figure(13, 7.4)
    axes = figure.subplots(2, 3)
    passes = any(not band.stop for band in panels.specification(system))
    panels.impulse(system, axes[0, 0])
    panels.magnitude(system, axes[0, 1])
    (panels.pass_band if passes else panels.step)(system, axes[0, 2])
    panels.phase(system, axes[1, 0])
    panels.delay(system, axes[1, 1])
    zeros_poles(system, axes[1, 2])
    figure.suptitle(headline(system))
    return figure


def headline(system: FIR | IIR) -> str:
    """The system in one line.

    >>> headline(FIR([1, 2, 1], origin=1, fs=8000))
    'FIR, 3 taps, origin 1, fs 8000 Hz'
    """
    rate = "fs 1" if system.fs == 1 else f"fs {system.fs:g} Hz"
    if isinstance(system, IIR):
        sections = _counted(len(system.sos), "second-order section")
        stability = "stable" if system.stable else "UNSTABLE"
        return f"IIR, {sections}, {stability}, largest pole {system.radius:.4g}, {rate}"
    size = "×".join(map(str, system.shape))
    origin = ", ".join(map(str, system.origins))
    taps = _counted(1, "tap") if size == "1" else f"{size} taps"
    text = f"FIR, {taps}, origin {origin}, {rate}"
    if not panels.specification(system):
        return text
    report = system.report
    verdict = "meets" if report.meets else "MISSES"
    head = f"{report.kind}, {report.method}, {size} taps, origin {origin}, {rate}"
    return f"{head}: {verdict} its specification, margin {report.margin_db:+.2f} dB"


def _counted(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def compare(filters: Sequence[Any] | Mapping[str, Any], labels: Sequence[str] | None = None) -> Figure:
    """Several filters on common axes: impulse responses, magnitudes, and phases and group delays above −40 dB.

    Every line has its own dash and marker. A specification that all of them share is drawn as a mask.

    Parameters
    ----------
    filters : sequence of systems, or mapping of name to system
        One-dimensional, of one fs.
    labels : sequence of str, optional
        Names for the legend; default numbers with the size.

    Raises
    ------
    ValueError
        No filter, other rates or dimensions, as many labels as there are not filters.

    Examples
    --------
    >>> figure = compare({"mean": [0.5, 0.5], "binomial": [0.25, 0.5, 0.25]})
    >>> [text.get_text() for text in figure.legends[0].get_texts()]
    ['mean', 'binomial']
    """
    names, systems = _named(filters, labels)
    figure = new_figure(12, 7.6)
    axes = figure.subplots(2, 2)
    drawn = [_compared(axes, index, system) for index, system in enumerate(systems)]
    _mark_impulses(axes[0, 0])
    peak = max(top for top, _ in drawn)
    bands = panels.specification(systems[0])
    shared = bands and all(_asked(panels.specification(s)) == _asked(bands) for s in systems)
    asked = [20 * np.log10(b.deviation) for s in systems for b in panels.specification(s) if b.stop]
    low = min(asked) - 40 if asked else peak - 100
    if shared:
        panels.draw_mask(axes[0, 1], bands, low, peak + 10)
    axes[0, 1].set_ylim(low, peak + 10)
    frames = np.array([frame for _, frame in drawn])
    axes[1, 1].set_ylim(frames[:, 0].min(), frames[:, 1].max())
    f = frequency_label(systems[0].fs)
    dress(axes[0, 0], "Impulse responses", "displacement (samples)", "value")
    dress(axes[0, 1], "Magnitudes", f, "magnitude (dB)")
    dress(axes[1, 0], "Phases", f, "phase (rad)")
    dress(axes[1, 1], "Group delays", f, "group delay (samples)")
    handles = [next(h for h in axes[0, 1].lines if h.get_gid() == str(i)) for i in range(len(names))]
    figure.legend(handles, names, loc="outside upper center", ncols=min(len(names), 4), handlelength=4)
    return figure


def _named(filters: Any, labels: Sequence[str] | None) -> tuple[list[str], list[FIR | IIR]]:
    if isinstance(filters, Mapping):
        labels, filters = list(filters) if labels is None else labels, list(filters.values())
    systems = [panels.one_dimensional(system, "compare") for system in filters]
    if not systems:
        raise ValueError("compare(filters): there is no filter in it; give at least one")
    rates = sorted({system.fs for system in systems})
    if len(rates) > 1:
        raise ValueError(f"compare(filters): they run at fs={rates[0]:g} and fs={rates[1]:g}; replace one fs")
    if labels is None:
        sizes = [", ".join(headline(system).split(", ")[:2]) for system in systems]
        labels = [f"{i}: {size}" for i, size in enumerate(sizes, 1)]
    if len(labels) != len(systems):
        raise ValueError(f"compare(filters, labels={list(labels)!r}): {len(labels)} labels for {len(systems)} filters")
    return list(labels), systems


def _asked(bands: Any) -> list[tuple[Any, ...]]:
    return [(b.lo, b.hi, b.gain, b.deviation, b.relative) for b in bands]


def _compared(axes: Any, index: int, system: FIR | IIR) -> tuple[float, tuple[float, float]]:
    """Draw one filter; its peak in dB and the frame of its delay."""
    f = panels.frequencies(system)
    where: dict[str, Any] = {"band": (f[0], f[-1]), "n": f.size}
    t, h = response.impulse_response(system, panels.count(system, None))
    db = decibels(response.frequency_response(system, **where)[1])
    tau = response.group_delay(system, **where)[1]
    loud = panels.heard(system, f)
    phi = panels.first_turn(response.phase_response(system, **where)[1], loud)
    phase, delay = (np.where(loud, v, np.nan) for v in (phi, tau))
    curves = ((axes[0, 0], t, h.real), (axes[0, 1], f, db), (axes[1, 0], f, phase), (axes[1, 1], f, delay))
    for ax, x, y in curves:
        ax.plot(x, y, gid=str(index), **line(ax, index), **marks(index, len(x)))
    for ax in (axes[0, 1], axes[1, 0], axes[1, 1]):
        ax.set_xlim(f[0], f[-1])
    return float(db.max()), panels.delay_frame(tau, loud)


def _mark_impulses(ax: Any) -> None:
    """Markers of responses of different length, equally far apart."""
    span = max(len(curve.get_xdata()) for curve in ax.lines)
    for index, curve in enumerate(ax.lines):
        curve.set_markevery(marks(index, len(curve.get_xdata()), span)["markevery"])
    whole_numbers(ax.xaxis)
