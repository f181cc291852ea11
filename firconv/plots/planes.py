"""Two-dimensional filters: taps as a picture, the magnitude over both frequencies, along radii and around circles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from firconv import response
from firconv.plots.style import (
    GREY,
    PLANE,
    SIGNED,
    dress,
    frequency_label,
    frequency_text,
    line,
    marks,
    new_figure,
    on,
    whole_numbers,
)
from firconv.systems import FIR

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ANGLES = np.arange(0, 181, 3.0)
_ANNOTATED = 81  # cells: as many numbers as one can read
_SIGNS = 4096  # cells: as many minus signs as one can see


def kernel2d(fir: Any) -> Figure:
    """A two-dimensional filter: its taps, the magnitude plane, the radial profile, the gain by direction.

    Parameters
    ----------
    fir : FIR or array_like, 2-D

    Raises
    ------
    ValueError
        Another number of dimensions, or complex taps.

    Examples
    --------
    >>> from firconv import filters
    >>> figure = kernel2d(filters.sobel(axis=1, integer=True))
    >>> [ax.get_title("left") for ax in figure.axes[:4]]
    ['Taps (convolution)', 'Magnitude', 'Radial profile', 'Gain by direction']
    """
    fir = _plane(fir, "kernel2d")
    figure = new_figure(11.5, 9)
    axes = figure.subplots(2, 2)
    taps_image(fir, axes[0, 0])
    magnitude_plane(fir, axes[0, 1])
    radial_profile(fir, axes[1, 0])
    angular_profile(fir, axes[1, 1])
    rate = "fs 1" if fir.fs == 1 else f"fs {fir.fs:g} Hz"
    total = fir.taps.sum() if abs(fir.taps.sum()) > 1e-12 * np.abs(fir.taps).sum() else 0
    size = f"{fir.shape[0]}×{fir.shape[1]} taps"
    figure.suptitle(f"FIR, {size}, origin {fir.origin}, {rate}, sum {total:.4g}".replace("-", "−"))
    return figure


def taps_image(fir: Any, ax: Axes | None = None) -> Axes:
    """The taps as a picture over displacements, with numbers up to 81 cells; larger kernels mark negative taps by a −.

    Colours are centred at zero. The tap at displacement zero has a frame. Axis 0 points down.

    Examples
    --------
    >>> ax = taps_image(FIR([[1, 2], [3, -4]], origin=(0, 0)))
    >>> [text.get_text() for text in ax.texts]
    ['1', '2', '3', '−4']
    """
    fir, ax = _plane(fir, "taps_image"), on(ax, 5, 4.4)
    top = float(np.abs(fir.taps).max()) or 1.0
    down, across = (np.arange(k) - c for k, c in zip(fir.shape, fir.origins, strict=True))
    extent = (across[0] - 0.5, across[-1] + 0.5, down[-1] + 0.5, down[0] - 0.5)
    picture = ax.imshow(fir.taps, cmap=SIGNED, vmin=-top, vmax=top, extent=extent, interpolation="nearest")
    ax.figure.colorbar(picture, ax=ax, label="value")
    if fir.taps.size <= _ANNOTATED:
        _numbers(ax, fir.taps, down, across, top)
    else:
        _signs(ax, fir.taps, down, across, top)
    ax.plot([-0.5, 0.5, 0.5, -0.5, -0.5], [-0.5, -0.5, 0.5, 0.5, -0.5], color="black", linewidth=1.8)
    ax.set(xlim=extent[:2], ylim=extent[2:])
    whole_numbers(ax.xaxis, ax.yaxis)
    dress(ax, "Taps (convolution)", "displacement across (samples)", "displacement down (samples)")
    ax.grid(False)
    return ax


def _numbers(ax: Axes, taps: np.ndarray, down: np.ndarray, across: np.ndarray, top: float) -> None:
    widest = max(taps.shape)
    size = float(np.clip(72 / widest, 5.5, 12))
    for (i, j), value in np.ndenumerate(taps):
        colour = "white" if abs(value) > 0.6 * top else "black"
        place = float(across[j]), float(down[i])
        ax.text(*place, _word(value, top), ha="center", va="center", fontsize=size, color=colour)


def _word(value: float, top: float) -> str:
    """A tap in three digits of the largest one; a dot is too small for them, but not zero or its rounding."""
    value = 0.0 if abs(value) < 1e-14 * top else value
    if value == int(value) and top < 1e4:
        return f"{int(value)}".replace("-", "−")
    digits = max(2 - int(np.floor(np.log10(top))), 0)
    word = f"{abs(value):.{digits}f}"
    if float(word) == 0 or digits > 6:
        return "·" if abs(value) < 1e-3 * top else f"{value:.1e}".replace("-", "−")
    return ("−" if value < 0 else "") + (word.removeprefix("0") if digits else word)


def _signs(ax: Axes, taps: np.ndarray, down: np.ndarray, across: np.ndarray, top: float) -> None:
    """Both sides of the colour map turn dark: without colour, the minus signs tell them apart."""
    size = float(np.clip(130 / max(taps.shape), 1.5, 7))
    pale, dark = (taps < -5e-3 * top) & (taps > -0.6 * top), taps <= -0.6 * top
    for cells, colour in ((pale, "black"), (dark, "white")):
        i, j = np.nonzero(cells & (taps.size <= _SIGNS))
        ax.plot(across[j], down[i], "_", color=colour, markersize=size, markeredgewidth=max(size / 7, 0.5))


def magnitude_plane(fir: Any, ax: Axes | None = None, *, n: int = 193) -> Axes:
    """The magnitude over both frequencies, zero in the middle, with labelled contours.

    Parameters
    ----------
    n : int
        Points per axis, odd so that zero frequency is one of them.

    Examples
    --------
    >>> ax = magnitude_plane(FIR([[1, 1], [1, 1]], fs=2.0), n=65)
    >>> ax.get_xlabel(), float(ax.images[0].get_array().max())
    ('frequency across (Hz)', 4.0)
    """
    fir, ax = _plane(fir, "magnitude_plane"), on(ax, 5, 4.4)
    f = np.linspace(-fir.fs / 2, fir.fs / 2, n)
    gain = np.abs(response.frequency_response(fir, (f, f))[1])
    half = fir.fs / (n - 1) / 2
    extent = (f[0] - half, f[-1] + half, f[-1] + half, f[0] - half)
    picture = ax.imshow(gain, cmap=PLANE, vmin=0, extent=extent, interpolation="nearest")
    ax.figure.colorbar(picture, ax=ax, label="magnitude")
    low, high = float(gain.min()), float(gain.max())
    if high - low > 1e-9 * high:
        levels = low + (high - low) * np.array([0.25, 0.5, 0.75])
        dashes = ("dotted", "dashed", "solid")
        lines = ax.contour(f, f, gain, levels=levels, colors="white", linewidths=0.9, linestyles=dashes)
        for text in ax.clabel(lines, fmt="%.3g", fontsize=8):
            text.set_bbox({"facecolor": "black", "alpha": 0.55, "pad": 0.6, "edgecolor": "none"})
    dress(ax, "Magnitude", frequency_label(fir.fs, "frequency across"), frequency_label(fir.fs, "frequency down"))
    ax.grid(False)
    return ax


def radial_profile(fir: Any, ax: Axes | None = None) -> Axes:
    """The magnitude along the radius: mean over all directions, the range, and the two axes.

    Examples
    --------
    >>> ax = radial_profile([[0, 1, 0], [1, -4, 1], [0, 1, 0]])
    >>> [line.get_label() for line in ax.lines]
    ['mean', 'across', 'down', 'diagonal']
    """
    fir, ax = _plane(fir, "radial_profile"), on(ax)
    r = np.linspace(0, fir.fs / 2, 129)
    gain = _polar(fir, r, _ANGLES[:-1])
    ax.fill_between(r, gain.min(1), gain.max(1), color=GREY, alpha=0.3, linewidth=0, label="range over directions")
    ax.plot(r, gain.mean(1), label="mean", **line(ax, 0))
    for index, (angle, name) in enumerate(((0.0, "across"), (90.0, "down"), (45.0, "diagonal")), 1):
        ax.plot(r, _polar(fir, r, np.array([angle]))[:, 0], label=name, **line(ax, index), **marks(index, r.size))
    ax.set_xlim(0, fir.fs / 2)
    ax.set_ylim(bottom=0)
    ax.legend(fontsize="small")
    return dress(ax, "Radial profile", frequency_label(fir.fs, "radial frequency"), "magnitude")


def angular_profile(fir: Any, ax: Axes | None = None) -> Axes:
    """The magnitude around circles: flat lines are isotropic. Angles are counter-clockwise from the right.

    The legend gives the anisotropy of every circle, (max − min)/(max + min).

    Examples
    --------
    >>> ax = angular_profile(FIR([[1.0]]))
    >>> ax.get_xlabel(), ax.lines[0].get_label()
    ('direction (degrees)', '0.0625 cycles/sample: anisotropy 0 %')
    """
    fir, ax = _plane(fir, "angular_profile"), on(ax)
    radii = fir.fs * np.array([1 / 16, 1 / 8, 1 / 4, 3 / 8])
    for index, (r, gain) in enumerate(zip(radii, _polar(fir, radii, _ANGLES), strict=True)):
        total = float(gain.max() + gain.min())
        share = float(np.ptp(gain)) / total if total else 0.0
        label = f"{frequency_text(r, fir.fs)}: anisotropy {100 * share:.3g} %"
        ax.plot(_ANGLES, gain, label=label, **line(ax, index), **marks(index, gain.size))
    ax.set(xlim=(0, 180), xticks=range(0, 181, 45))
    ax.set_ylim(0, 1.6 * ax.get_ylim()[1])  # room for the legend
    ax.legend(fontsize="small", loc="upper center")
    return dress(ax, "Gain by direction", "direction (degrees)", "magnitude")


def _polar(fir: FIR, radii: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    """|H| at radius (rows) and angle (columns); a picture's 90° points up, where rows decrease."""
    turn = np.deg2rad(degrees)
    places = (np.multiply.outer(radii / fir.fs, v).ravel() for v in (-np.sin(turn), np.cos(turn)))
    waves = [np.exp(-2j * np.pi * np.multiply.outer(f, np.arange(k))) for f, k in zip(places, fir.shape, strict=True)]
    total = ((waves[0] @ fir.taps) * waves[1]).sum(1)  # H(f₀, f₁) = Σ e₀(k₀)·Σ h[k₀, k₁]·e₁(k₁)
    return np.abs(total).reshape(radii.size, turn.size)


def _plane(fir: Any, name: str) -> FIR:
    fir = fir if isinstance(fir, FIR) else FIR(fir)
    if fir.ndim != 2 or np.iscomplexobj(fir.taps):
        raise ValueError(f"{name}(fir): {fir.taps.dtype} taps in {fir.ndim} dimensions; give real taps in two")
    return fir
