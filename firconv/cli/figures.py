"""The figures of ``firconv demo``: before, after, and what the filter does to each frequency."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from firconv.cli.samples import EEG_RATE, Case
from firconv.files import whole

_BEFORE, _AFTER, _PALE = "#7d828b", "#1f5fbf", "#d3d7de"
_STYLE = {
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.labelcolor": "#333333",
    "axes.edgecolor": "#777777",
    "xtick.color": "#555555",
    "ytick.color": "#555555",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.dpi": 150,
}
_PADS = {"w_pad": 0.12, "h_pad": 0.12, "wspace": 0.03, "hspace": 0.03}  # inches, inches, shares of an axes
_FLOOR = -80.0  # dB
_POINTS = 257  # of a response along each axis: odd, so that zero frequency is one of them


def draw(done: list[Case], folder: Path) -> list[Path]:
    """One figure per signal, and all of them in one; the paths."""
    import matplotlib
    from matplotlib.figure import Figure

    plain: dict[Any, Any] = dict(matplotlib.rcParamsDefault)
    plain = {name: value for name, value in plain.items() if not name.startswith("backend")}
    made = []
    with matplotlib.rc_context(plain | _STYLE):  # under the user's own style it would be another figure
        for case in done:
            figure = Figure(figsize=(12, 4.1), layout="constrained")
            _row(figure, case)
            made.append(_saved(figure, folder / f"{case.name}.png"))
        figure = Figure(figsize=(12, 4.1 * len(done)), layout="constrained")
        parts: Any = figure.subfigures(len(done), 1)
        for part, case in zip(parts, done, strict=True):
            _row(part, case)
        made.append(_saved(figure, folder / "overview.png"))
    return made


def _saved(figure: Any, path: Path) -> Path:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure.get_layout_engine().set(**_PADS)
    with whole(path) as part:
        FigureCanvasAgg(figure).print_figure(part, format="png")
    return path


def _row(figure: Any, case: Case) -> None:
    axes = figure.subplots(1, 3)
    if case.fir.ndim == 1:
        _traces(axes, case)
        _spectrum(axes[2], case)
    else:
        _pictures(axes, case)
        _response(axes[2], case, figure)


# ── EEG ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _traces(axes: Any, case: Case) -> None:
    """Channels above one another, before and after on one scale."""
    seconds = np.arange(len(case.x)) / EEG_RATE
    step = 1.05 * float(np.ptp(case.x - case.x.mean(0), axis=0).max())
    heights = -step * np.arange(case.x.shape[1])
    pairs = ((axes[0], case.x, _BEFORE, f"{case.title}: before"), (axes[1], case.y, _AFTER, "After, on the same scale"))
    for ax, traces, colour, title in pairs:
        ax.plot(seconds, traces - traces.mean(0) + heights, color=colour, lw=0.9)
        ax.set(title=title, xlabel="time (s)", xlim=(0, seconds[-1]), ylim=(heights[-1] - step / 1.6, step / 1.6))
        ax.set_yticks(heights, [f"ch {channel + 1}" for channel in range(len(heights))])
        ax.spines["left"].set_visible(False)
        ax.tick_params(axis="y", length=0)


def _spectrum(ax: Any, case: Case) -> None:
    """The gain, over the spectrum of the signal before and after (mean over channels, largest value 0 dB)."""
    f = np.fft.rfftfreq(len(case.x), 1 / EEG_RATE)
    before, after = (_power(signal) for signal in (case.x, case.y))
    ax.fill_between(f, _FLOOR, _decibels(before / before.max()), color=_PALE, lw=0, label="EEG before")
    ax.fill_between(f, _FLOOR, _decibels(after / before.max()), color=_AFTER, alpha=0.35, lw=0, label="EEG after")
    gain = _decibels(np.abs(np.fft.rfft(case.fir.taps, 4096)))
    ax.plot(np.fft.rfftfreq(4096, 1 / EEG_RATE), gain, color=_AFTER, lw=1.4, label="gain of the filter")
    ax.set(title=_capital(case.doing), xlabel="frequency (Hz)", ylabel="dB", xlim=(0, EEG_RATE / 2), ylim=(_FLOOR, 5))
    ax.legend(loc="upper right", frameon=False, fontsize=9, handlelength=1.4)


def _power(x: np.ndarray) -> np.ndarray:
    """Magnitude over frequency, averaged over channels and smoothed over a quarter of a hertz for the eye."""
    magnitude = np.abs(np.fft.rfft((x - x.mean(0)) * np.hanning(len(x))[:, None], axis=0)).mean(1)
    return np.convolve(np.pad(magnitude, 2, mode="edge"), np.full(5, 0.2), "valid")


def _decibels(magnitude: np.ndarray) -> np.ndarray:
    return 20 * np.log10(np.maximum(magnitude, 10 ** (_FLOOR / 20 - 1)))


# ── images ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _pictures(axes: Any, case: Case) -> None:
    white = 255.0 if case.x.dtype == np.uint8 else float(case.x.max())
    for ax, picture, title in ((axes[0], case.x, f"{case.title}: before"), (axes[1], case.y, "After")):
        ax.imshow(np.clip(picture / white, 0, 1), cmap="gray", vmin=0, vmax=1)
        ax.set(title=title, xticks=[], yticks=[])
        ax.spines[:].set_visible(False)


def _response(ax: Any, case: Case, figure: Any) -> None:
    """The gain over both frequencies, the mean in the middle, with one contour half way between its extremes."""
    gain = np.fft.fftshift(np.abs(np.fft.fft2(case.fir.taps, (_POINTS, _POINTS))))
    f = np.fft.fftshift(np.fft.fftfreq(_POINTS))
    picture = ax.imshow(gain, extent=(-0.5, 0.5, 0.5, -0.5), cmap="viridis", vmin=0)
    lines = ax.contour(f, f, gain, levels=[(gain.max() + gain.min()) / 2], colors="white", linewidths=1)
    ax.clabel(lines, fmt="%.2f", fontsize=8)
    ax.set(title=_capital(case.doing), xlabel="frequency across (cycles per pixel)", ylabel="frequency down")
    figure.colorbar(picture, ax=ax, label="gain", shrink=0.9)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
