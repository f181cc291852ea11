"""The figures of ``firconv demo``: before, after, and what the filter does to each frequency."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from firconv.cli.demo import EEG_RATE, Case
from firconv.files import whole

_BEFORE, _AFTER, _PALE = "#8a8f98", "#1f5fbf", "#d9e4f5"
_STYLE = {
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#555555",
    "axes.grid": False,
    "figure.dpi": 150,
    "figure.constrained_layout.use": True,
}
_FLOOR = -80.0  # dB


def draw(done: list[Case], folder: Path) -> list[Path]:
    """One figure per signal, and all of them in one; the paths."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    painters = {"eeg": _eeg, "mri": _image, "photo": _image}
    made = []
    with matplotlib.rc_context({**matplotlib.rcParamsDefault, "backend": matplotlib.get_backend(auto_select=False), **_STYLE}):
        for case in done:
            figure = Figure(figsize=(12, 4.0))
            painters[case.name](figure.subplots(1, 3, width_ratios=_widths(case)), case, figure)
            made.append(_saved(FigureCanvasAgg(figure), folder / f"{case.name}.png"))
        figure = Figure(figsize=(12, 4.0 * len(done)))
        for part, case in zip(figure.subfigures(len(done), 1), done, strict=True):
            painters[case.name](part.subplots(1, 3, width_ratios=_widths(case)), case, part)
        made.append(_saved(FigureCanvasAgg(figure), folder / "overview.png"))
    return made


def _saved(canvas: Any, path: Path) -> Path:
    with whole(path) as part:
        canvas.print_figure(part, format="png")
    return path


def _widths(case: Case) -> tuple[float, ...]:
    return (1.0, 1.0, 1.0)


# ── EEG ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _eeg(axes: Any, case: Case, figure: Any) -> None:
    before, after, response = axes
    _traces(before, case.x, _BEFORE, f"{case.title}: before")
    _traces(after, case.y, _AFTER, "After")
    _spectrum(response, case)


def _traces(ax: Any, x: np.ndarray, colour: str, title: str) -> None:
    """Channels above one another, on one scale, which a bar shows."""
    seconds = np.arange(len(x)) / EEG_RATE
    step = 1.1 * float(np.ptp(x - x.mean(0), axis=0).max())
    for channel, trace in enumerate(x.T):
        ax.plot(seconds, trace - trace.mean() - channel * step, color=colour, lw=0.9)
    ax.set(title=title, xlabel="time (s)", xlim=(0, seconds[-1]), yticks=-step * np.arange(x.shape[1]))
    ax.set_yticklabels([f"ch {channel + 1}" for channel in range(x.shape[1])])
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)


def _spectrum(ax: Any, case: Case) -> None:
    f = np.fft.rfftfreq(4096, 1 / EEG_RATE)
    gain = _decibels(np.abs(np.fft.rfft(case.fir.taps, 4096)))
    power = np.abs(np.fft.rfft((case.x - case.x.mean(0)) * np.hanning(len(case.x))[:, None], axis=0)).mean(1)
    ax.fill_between(np.fft.rfftfreq(len(case.x), 1 / EEG_RATE), _FLOOR, _decibels(power / power.max()), color=_PALE, lw=0)
    ax.plot(f, gain, color=_AFTER, lw=1.5)
    ax.set(title=f"Frequency response: {case.doing}", xlabel="frequency (Hz)", ylabel="gain (dB)", xlim=(0, EEG_RATE / 2), ylim=(_FLOOR, 5))


def _decibels(magnitude: np.ndarray) -> np.ndarray:
    return 20 * np.log10(np.maximum(magnitude, 10 ** (_FLOOR / 20 - 1)))


# ── images ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _image(axes: Any, case: Case, figure: Any) -> None:
    before, after, response = axes
    limits = (0, 255) if case.x.dtype == np.uint8 else (0, float(case.x.max()))
    for ax, picture, title in ((before, case.x, f"{case.title}: before"), (after, case.y, "After")):
        ax.imshow(np.clip(picture, *limits) / limits[1], cmap="gray", vmin=0, vmax=1)
        ax.set(title=title, xticks=[], yticks=[])
        for spine in ax.spines.values():
            spine.set_visible(False)
    _response(response, case, figure)


def _response(ax: Any, case: Case, figure: Any) -> None:
    """|H| over both frequencies, the mean in the middle."""
    gain = np.fft.fftshift(np.abs(np.fft.fft2(case.fir.taps, (257, 257))))
    picture = ax.imshow(gain, extent=(-0.5, 0.5, 0.5, -0.5), cmap="viridis", vmin=0)
    ax.contour(np.linspace(-0.5, 0.5, 257), np.linspace(-0.5, 0.5, 257), gain, levels=[(gain.max() + gain.min()) / 2], colors="white", linewidths=1)
    ax.set(title=f"Gain: {case.doing}", xlabel="cycles per pixel, across", ylabel="cycles per pixel, down")
    figure.colorbar(picture, ax=ax, shrink=0.9)
