"""Single panels of a one-dimensional system: each draws on an `Axes` and returns it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from firconv import response
from firconv.plots.style import GREY, decibels, dress, frequency_label, line, on, whole_numbers
from firconv.systems import FIR, IIR

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SHOWN = 1e-6  # fraction of the energy of an infinite response that is not drawn
_QUIET = 1e-2  # of the peak magnitude: below it, phase and delay are drawn faintly
_HATCH: dict[str, Any] = {"facecolor": "none", "edgecolor": "#b4b4b4", "hatch": "////", "linewidth": 0.0, "zorder": 0.5}


# ---- time --------------------------------------------------------------------------------------------------------

def impulse(system: Any, ax: Axes | None = None, *, n: int | None = None) -> Axes:
    """The impulse response as stems over the displacement in samples; complex taps as two families of stems.

    Parameters
    ----------
    system : FIR, IIR or array_like
    ax : Axes, optional
        Where to draw; default a new figure.
    n : int, optional
        Samples shown; default all taps, and of an IIR all but 10⁻⁶ of the energy.

    Examples
    --------
    >>> ax = impulse(FIR([1, 2, 1], origin=1))
    >>> ax.get_xlabel(), ax.lines[0].get_xydata().tolist()
    ('displacement (samples)', [[-1.0, 1.0], [0.0, 2.0], [1.0, 1.0]])
    """
    system, ax = one_dimensional(system, "impulse"), on(ax)
    t, h = response.impulse_response(system, count(system, n))
    parts = [("real", h.real), ("imaginary", h.imag)] if np.iscomplexobj(h) else [("", h)]
    for index, (name, values) in enumerate(parts):
        _stems(ax, t, values, index, name)
    if len(parts) > 1:
        ax.legend()
    ax.axhline(0, color=GREY, linewidth=0.8, zorder=0)
    edge = max(0.6, 0.03 * np.ptp(t))
    ax.set_xlim(t[0] - edge, t[-1] + edge)
    whole_numbers(ax.xaxis)
    what = "Impulse response (taps)" if isinstance(system, FIR) else "Impulse response"
    return dress(ax, what, "displacement (samples)", "value")


def _stems(ax: Axes, t: np.ndarray, values: np.ndarray, index: int, name: str) -> None:
    colour = line(ax, index)["color"]
    size = float(np.clip(150 / max(t.size, 1), 1.2, 5))
    face = colour if index == 0 else "none"
    ax.plot(t, values, "os"[index], color=colour, markersize=size, markerfacecolor=face, label=name)
    ax.vlines(t, 0, values, color=colour, linewidth=min(size / 3, 1.2), linestyles=("solid", "dashed")[index])


def step(system: Any, ax: Axes | None = None, *, n: int | None = None) -> Axes:
    """The step response, a running sum of the impulse response, as a staircase.

    Examples
    --------
    >>> step([1, 2, 1]).lines[0].get_ydata().tolist()
    [0, 1, 3, 4, 4, 4]
    """
    system, ax = one_dimensional(system, "step"), on(ax)
    shown = count(system, n) or len(system.taps) + 1
    t, s = response.step_response(system, shown)
    t = np.concatenate([[t[0] - 1], t, [t[-1] + 1]])  # one sample before, at rest, and one after
    s = np.concatenate([[0], s, [s[-1]]])
    ax.plot(t, s.real, drawstyle="steps-post", label="real", **line(ax, 0))
    if np.iscomplexobj(s):
        ax.plot(t, s.imag, drawstyle="steps-post", label="imaginary", **line(ax, 1))
        ax.legend()
    ax.axhline(0, color=GREY, linewidth=0.8, zorder=0)
    whole_numbers(ax.xaxis)
    return dress(ax, "Step response", "time (samples)", "value")


def count(system: FIR | IIR, n: int | None) -> int | None:
    """How many samples of the impulse response to draw."""
    if n is not None or isinstance(system, FIR):
        return n
    return int(np.clip(system.truncate(_SHOWN).taps.size, 8, 4096)) if system.stable else 64


# ---- frequency ---------------------------------------------------------------------------------------------------

def magnitude(system: Any, ax: Axes | None = None, *, floor: float | None = None, mask: bool = True) -> Axes:
    """The magnitude in dB over frequency; a designed filter shows the mask of its specification, hatched.

    Parameters
    ----------
    system, ax : as in `impulse`
    floor : float, optional
        Lowest dB shown; default 40 dB below the asked attenuation, else at most 100 dB below the peak.
    mask : bool
        Draw what the specification in ``system.report`` forbids.

    Examples
    --------
    >>> ax = magnitude(FIR([0.5, 0.5], fs=8000))
    >>> ax.get_xlabel(), ax.get_ylabel(), ax.lines[0].get_ydata()[0]
    ('frequency (Hz)', 'magnitude (dB)', np.float64(0.0))
    """
    system, ax = one_dimensional(system, "magnitude"), on(ax)
    f = frequencies(system)
    db = decibels(response.frequency_response(system, band=(f[0], f[-1]), n=f.size)[1])
    bands = specification(system) if mask else ()
    low, high = _frame(db, bands, floor)
    ax.plot(f, db, zorder=3, **line(ax, 0) | {"linewidth": 1.1})
    draw_mask(ax, bands, low, high)
    ax.set(xlim=(f[0], f[-1]), ylim=(low, high))
    return dress(ax, "Magnitude", frequency_label(system.fs), "magnitude (dB)")


def _frame(db: np.ndarray, bands: Any, floor: float | None) -> tuple[float, float]:
    peak = float(db.max())
    high = peak + (10 if bands else 5)
    if floor is not None:
        return floor, high
    asked = [20 * np.log10(b.deviation) for b in bands if b.stop]
    lowest = max(float(db.min()) - 5, peak - 100)
    return (float(10 * np.floor(min(asked) / 10)) - 40 if asked else lowest), high


def draw_mask(ax: Axes, bands: Any, low: float, high: float) -> None:
    """Hatch what the bands forbid, between the levels low and high in dB, with a line at each limit."""
    for band in bands:
        f = np.linspace(band.lo, band.hi, 2 if band.gain[0] == band.gain[1] else 257)
        gain = np.interp(f, (band.lo, band.hi), band.gain)
        room = band.deviation * (gain if band.relative else 1.0)
        upper, lower = decibels(gain + room), decibels(np.maximum(gain - room, 0))
        limits = [(upper, high)] if band.stop else [(upper, high), (lower, low)]
        for limit, end in limits:
            ax.fill_between(f, np.clip(limit, low, high), end, **_HATCH)
            ax.plot(f, limit, color=GREY, linewidth=1.0, linestyle="--")


def pass_band(system: FIR, ax: Axes | None = None) -> Axes:
    """The gain relative to the asked one, in the pass bands of a designed filter, between its limits.

    Raises
    ------
    ValueError
        For a system without a specification, or with no pass band in it.

    Examples
    --------
    >>> from firconv import design
    >>> ax = pass_band(design.lowpass(0.1, 0.2, 0.5, 40))
    >>> ax.get_ylabel(), bool(abs(ax.lines[0].get_ydata()).max() <= 0.25)
    ('gain / asked gain (dB)', True)
    """
    bands = [b for b in specification(system) if not b.stop]
    if not bands:
        raise ValueError("pass_band(system): it carries no specification with a pass band; make it by firconv.design")
    ax, limit = on(ax), 0.0
    for band in bands:
        f = np.linspace(band.lo, band.hi, max(257, 16 * system.taps.size))
        asked = np.interp(f, (band.lo, band.hi), band.gain)
        f, asked = f[asked != 0], asked[asked != 0]
        gain = decibels(np.abs(response.frequency_response(system, f)[1]) / np.abs(asked))
        ax.plot(f, gain, **line(ax, 0) | {"linewidth": 1.1})
        share = band.deviation / (np.ones_like(f) if band.relative else np.abs(asked))  # wider where less is asked
        low, high = decibels(np.maximum(1 - share, 0.0)), decibels(1 + share)
        limit = max(limit, float(high.min()), min(float(max(high.max(), np.abs(gain).max())), 20.0))
        for inside, outside in ((low, -1e3), (high, 1e3)):
            ax.plot(f, inside, color=GREY, linestyle="--", linewidth=1.0)
            ax.fill_between(f, inside, outside, **_HATCH)
    ax.set_ylim(-1.5 * limit, 1.5 * limit)
    ends = min(b.lo for b in bands), max(b.hi for b in bands)
    ax.set_xlim(*ends)
    ax.locator_params(axis="x", nbins=6)
    title = "Pass band" if len(bands) == 1 else "Pass bands"
    return dress(ax, title, frequency_label(system.fs), "gain / asked gain (dB)")


def phase(system: Any, ax: Axes | None = None) -> Axes:
    """The phase in radians, unwrapped, about the origin of the system; faint below −40 dB of the peak magnitude.

    It begins between −π and π, where whole turns make no difference.

    Examples
    --------
    >>> ax = phase([1, 2, 1])
    >>> ax.get_ylabel(), ax.get_title("left"), float(ax.lines[0].get_ydata()[512].round(6))
    ('phase (rad)', 'Phase: linear, type I', -1.570796)
    """
    system, ax = one_dimensional(system, "phase"), on(ax)
    f = frequencies(system)
    phi = response.phase_response(system, band=(f[0], f[-1]), n=f.size)[1]
    loud = heard(system, f)
    phi = first_turn(phi, loud)
    _faint(ax, f, phi, loud)
    low, high = float(phi[loud].min()), float(phi[loud].max())
    room = max(0.1 * (high - low), (2.2 * np.pi - (high - low)) / 2)
    ax.set_ylim(low - room, high + room)
    linear = response.linear_phase(system)
    if high - low + 2 * room < 10 * np.pi:
        _in_turns(ax)
    title = "Phase" if linear is None else f"Phase: linear, type {linear.type}"
    return dress(ax, title, frequency_label(system.fs), "phase (rad)")


def first_turn(phi: np.ndarray, loud: np.ndarray) -> np.ndarray:
    """The phase less as many whole turns as let it begin between −π and π."""
    return phi - 2 * np.pi * np.round(phi[np.argmax(loud)] / (2 * np.pi))


def _in_turns(ax: Axes) -> None:
    """Ticks at multiples of π/2 or π."""
    from matplotlib.ticker import FuncFormatter, MultipleLocator

    unit = np.pi / 2 if np.ptp(ax.get_ylim()) < 3 * np.pi else np.pi

    def word(value: float, position: Any = None) -> str:
        halves = round(2 * value / np.pi)
        top, below = (halves, "/2") if halves % 2 else (halves // 2, "")
        sign = "−" if top < 0 else ""
        return f"{sign}{'' if abs(top) == 1 else abs(top)}π{below}" if top else "0"

    ax.yaxis.set_major_locator(MultipleLocator(unit))
    ax.yaxis.set_major_formatter(FuncFormatter(word))


def delay(system: Any, ax: Axes | None = None) -> Axes:
    """The group delay in samples about the origin; for linear phase it is one exact number, and the title says which.

    The frame holds what frequencies above −40 dB of the peak do; below, the line is faint and may leave it.

    Examples
    --------
    >>> ax = delay([1, 0, 0, 0, 1])
    >>> ax.get_title("left"), set(ax.lines[0].get_ydata().tolist())
    ('Group delay: exactly 2 samples', {2.0})
    """
    system, ax = one_dimensional(system, "delay"), on(ax)
    f = frequencies(system)
    tau = response.group_delay(system, band=(f[0], f[-1]), n=f.size)[1]
    linear = response.linear_phase(system)
    loud = heard(system, f) if linear is None else np.full(f.shape, True)
    _faint(ax, f, tau, loud)
    ax.set_ylim(*delay_frame(tau, loud))
    title = "Group delay" if linear is None else f"Group delay: exactly {_samples(linear.delay, system.fs)}"
    return dress(ax, title, frequency_label(system.fs), "group delay (samples)")


def _samples(value: float, fs: float) -> str:
    unit = "sample" if abs(value) == 1 else "samples"
    time = f" ({1e3 * value / fs:.4g} ms)" if fs != 1 and value else ""
    return f"{value:g} {unit}{time}".replace("-", "−")


def _faint(ax: Axes, f: np.ndarray, values: np.ndarray, loud: np.ndarray) -> None:
    """All of a line thin and grey, and what is loud on top of it."""
    ax.plot(f, values, color="#b4b4b4", linewidth=0.6)
    ax.plot(f, np.where(loud, values, np.nan), **line(ax, 0))
    ax.set_xlim(f[0], f[-1])


def heard(system: FIR | IIR, f: np.ndarray) -> np.ndarray:
    """Where on a uniform grid the magnitude exceeds −40 dB of its peak."""
    size = np.abs(response.frequency_response(system, band=(f[0], f[-1]), n=f.size)[1])
    return size > _QUIET * size.max() if size.any() else size >= 0


def delay_frame(tau: np.ndarray, loud: np.ndarray) -> tuple[float, float]:
    """Limits of the delay axis."""
    shown = tau[loud & np.isfinite(tau)]
    low, high = (float(shown.min()), float(shown.max())) if shown.size else (-1.0, 1.0)
    room = max(0.1 * (high - low), 1.0 if high - low < 0.5 else 0.1)
    return low - room, high + room


# ---- what is drawn -----------------------------------------------------------------------------------------------

def one_dimensional(system: Any, name: str) -> FIR | IIR:
    """The system; bare taps become an FIR with origin 0."""
    if not isinstance(system, (FIR, IIR)):
        system = FIR(system)
    if system.ndim != 1:
        raise ValueError(f"{name}(system): the taps have {system.ndim} dimensions; draw them with kernel2d")
    return system


def frequencies(system: FIR | IIR) -> np.ndarray:
    """From 0 to fs/2, or the whole circle for complex taps, dense enough for every lobe."""
    taps = 64 if isinstance(system, IIR) else system.taps.size
    two_sided = isinstance(system, FIR) and np.iscomplexobj(system.taps)
    return np.linspace(-system.fs / 2 if two_sided else 0.0, system.fs / 2, int(np.clip(16 * taps, 1024, 1 << 16)) + 1)


def specification(system: Any) -> tuple[Any, ...]:
    """The bands that a designed filter carries."""
    return tuple(getattr(getattr(system, "report", None), "bands", ()))
