"""What a filter did to a signal or an image: before and after, in time or space and in frequency."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from firconv.plots.style import PLANE, dress, frequency_label, ink, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_RANGE = 80.0  # dB of a spectrum that are shown
_ENVELOPE = 4000  # samples: longer lines are drawn as lowest and highest value of pieces
_LEVEL = "level (dB re strongest before)"
_BEFORE = "#9db4cc"  # lighter than any text: a wide pale line under a thin dark one
_COLUMNS = 1500  # frames of a spectrogram at most


def before_after(x: Any, y: Any, fs: float = 1.0, *, start: int = 0) -> Figure:
    """A signal or an image before and after, with spectra (and spectrograms of a signal), on common scales.

    Parameters
    ----------
    x, y : array_like
        One dimension: signals, whose lengths may differ. Two, or three with colours last: images.
    fs : float
        Samples per second; 1 labels the axes in samples and cycles/sample.
    start : int
        Position of the first sample of `y` on the axis of `x`: −origin for mode "full".

    Returns
    -------
    matplotlib.figure.Figure
        Levels are in dB relative to the strongest frequency before.

    Raises
    ------
    ValueError
        Different or other dimensions, fewer than 2 samples, complex or non-finite values.

    Examples
    --------
    >>> x = np.sin(0.3 * np.arange(400))
    >>> [ax.get_title("left") for ax in before_after(x, 0.5 * x, fs=100).axes][:4]
    ['Signal', 'Spectra', 'Spectrogram before', 'Spectrogram after']
    """
    x, y = _checked(x), _checked(y)
    if x.ndim != y.ndim:
        raise ValueError(f"before_after(x, y): {x.ndim} and {y.ndim} dimensions; give two signals or two images")
    if not (np.isfinite(fs) and fs > 0):
        raise ValueError(f"before_after(…, fs={fs!r}): the rate is a positive number")
    return _signals(x, y, float(fs), start) if x.ndim == 1 else _images(x, y, float(fs))


def _checked(v: Any) -> np.ndarray:
    v = np.asarray(v)
    if v.dtype.kind not in "buif" or v.ndim not in (1, 2, 3) or (v.ndim == 3 and v.shape[2] not in (3, 4)):
        raise ValueError(f"before_after(x, y): {v.dtype} of shape {v.shape}; give a real signal of one dimension, or "
                         "an image of two, or of three with its colours last")
    if min(v.shape[:2]) < 2 or not np.isfinite(v).all():
        raise ValueError(f"before_after(x, y): shape {v.shape}; give at least 2 samples per axis, all finite")
    return v


# ---- signals -----------------------------------------------------------------------------------------------------

def _signals(x: np.ndarray, y: np.ndarray, fs: float, start: int) -> Figure:
    figure = new_figure(12, 7.8)
    axes = figure.subplot_mosaic([["signal", "spectra", "spectra"], ["before", "after", "bar"]],
                                 width_ratios=(1, 1, 0.035))
    pairs = ((x, 0, "before"), (y, start, "after"))
    for index, (v, first, name) in enumerate(pairs):
        _wave(axes["signal"], v, first / fs, fs, index, name)
    axes["signal"].margins(x=0)
    figure.legend(*axes["signal"].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    unit = "samples" if fs == 1 else "s"
    dress(axes["signal"], "Signal", f"time ({unit})", "value")
    size = int(2 ** np.clip(np.floor(np.log2(min(x.size, y.size) / 4 + 1)), 3, 10))
    maps = [_frames(v, size) for v, *_ in pairs]
    strongest = float(maps[0].mean(1).max()) or 1.0
    _spectra(axes["spectra"], [m.mean(1) / strongest for m in maps], fs)
    top = 10 * np.log10(max(float(m.max()) for m in maps) / strongest or 1.0)
    for power, (v, first, name) in zip(maps, pairs, strict=True):
        ax = axes[name]
        picture = ax.imshow(_decibels(power / strongest), origin="lower", aspect="auto", cmap=PLANE, vmax=top,
                            vmin=top - _RANGE, extent=(first / fs, (first + v.size) / fs, 0, fs / 2))
        dress(ax, f"Spectrogram {name}", f"time ({unit})", frequency_label(fs))
        ax.grid(False)
    figure.colorbar(picture, cax=axes["bar"], label=_LEVEL)
    return figure


def _wave(ax: Axes, v: np.ndarray, first: float, fs: float, index: int, name: str) -> None:
    """A line; a long one as the band between the lowest and highest value of short pieces, the second on the first."""
    look: dict[str, Any] = {"color": (_BEFORE, ink(ax))[index], "label": name, "zorder": 2 + index}
    if v.size <= _ENVELOPE:
        look |= {"linewidth": (2.4, 1.0)[index]}
        ax.plot(first + np.arange(v.size) / fs, v, **look)
        return
    piece = -(-v.size // (_ENVELOPE // 4))
    edges = np.arange(0, v.size, piece)
    ax.fill_between(first + edges / fs, np.minimum.reduceat(v, edges), np.maximum.reduceat(v, edges), linewidth=0.4,
                    step="post", **look)


def _spectra(ax: Axes, powers: list[np.ndarray], fs: float) -> None:
    f = np.linspace(0, fs / 2, powers[0].size)
    for index, (power, name) in enumerate(zip(powers, ("before", "after"), strict=True)):
        look: dict[str, Any] = {"color": (_BEFORE, ink(ax))[index], "linewidth": (2.4, 1.0)[index], "label": name}
        ax.plot(f, _decibels(power), **look)
    high = max(float(_decibels(power).max()) for power in powers)
    ax.set(xlim=(0, fs / 2), ylim=(high - _RANGE - 20, high + 5))
    dress(ax, "Spectra", frequency_label(fs), _LEVEL)


def _frames(v: np.ndarray, size: int) -> np.ndarray:
    """Power of (frequency, frame): Hann windows of `size` samples, half overlapping or sparser."""
    v = v.astype(np.float64)
    if v.size < size:
        v = np.pad(v, (0, size - v.size))
    hop = max(size // 2, v.size // _COLUMNS)
    pieces = np.lib.stride_tricks.sliding_window_view(v, size)[::hop]
    return np.abs(np.fft.rfft(pieces * np.hanning(size + 2)[1:-1], axis=1)).T ** 2


def _decibels(power: np.ndarray) -> np.ndarray:
    return 10 * np.log10(np.maximum(power, 1e-30))


# ---- images ------------------------------------------------------------------------------------------------------

def _images(x: np.ndarray, y: np.ndarray, fs: float) -> Figure:
    shape = float(np.clip(x.shape[0] / x.shape[1], 0.3, 2))
    figure = new_figure(11, 1.8 + 3.7 * (1 + shape))
    axes = figure.subplots(2, 2, height_ratios=(shape, 1))
    low, high = (0, 255) if x.dtype == np.uint8 else (float(x.min()), float(x.max()))
    for ax, v, name in ((axes[0, 0], x, "before"), (axes[0, 1], y, "after")):
        _picture(ax, v, float(low), float(high), name)
    levels = [_plane(v) for v in (x, y)]
    top = float(levels[0].max())
    for ax, level, name in zip(axes[1], levels, ("before", "after"), strict=True):
        picture = ax.imshow(level - top, cmap=PLANE, vmin=-_RANGE, vmax=0, aspect="auto",
                            extent=(-fs / 2, fs / 2, fs / 2, -fs / 2))
        ax.set_box_aspect(1)
        figure.colorbar(picture, ax=ax, label=_LEVEL)
        dress(ax, f"Spectrum {name}", frequency_label(fs, "frequency across"), frequency_label(fs, "frequency down"))
        ax.grid(False)
    return figure


def _picture(ax: Axes, v: np.ndarray, low: float, high: float, name: str) -> None:
    """On the scale of the image before; a result that leaves it has its own, with 0 in middle grey if it is signed."""
    title = f"Image {name}"
    if v.ndim == 3:
        ax.imshow(np.clip((v - low) / (high - low or 1), 0, 1), interpolation="nearest")
    else:
        room, least, most = 0.05 * (high - low), float(v.min()), float(v.max())
        look: dict[str, Any] = {"cmap": "gray", "vmin": low, "vmax": high}
        if least < low - room or most > high + room:
            top = max(-least, most)
            low, high = (-top, top) if least < 0 < most else (least, most)
            look, title = {"cmap": "gray", "vmin": low, "vmax": high}, f"{title} (its own scale)"
        ax.figure.colorbar(ax.imshow(v, interpolation="nearest", **look), ax=ax, label="value")
    dress(ax, title, "across (samples)", "down (samples)").grid(False)


def _plane(v: np.ndarray) -> np.ndarray:
    """dB over both frequencies, zero in the middle, of the mean colour under a Hann window."""
    v = v[..., :3].mean(2) if v.ndim == 3 else v.astype(np.float64)
    windows = [np.hanning(k + 2)[1:-1] for k in v.shape]
    return _decibels(np.fft.fftshift(np.abs(np.fft.fft2(v * np.multiply.outer(*windows)))) ** 2)
