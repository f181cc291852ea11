"""Pictures beside each other: images by name, and an image through each of several filters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from firconv import response
from firconv.plots.style import PLANE, SIGNED, new_figure
from firconv.systems import FIR

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ABREAST = 6  # filters in one figure


def gallery(images: Mapping[str, Any], *, columns: int = 4, shared: bool = False, width: float = 2.7) -> Figure:
    """Images with their names; each on its own grey scale, on which 0 is middle grey if values of both signs matter.

    Parameters
    ----------
    images : mapping of name to array_like
        Planes, or planes with colours last (between 0 and 1, or uint8).
    columns : int
    shared : bool
        One grey scale for all, from the smallest to the largest value of the first.
    width : float
        Of a picture, in inches.

    Raises
    ------
    ValueError
        No image, or one of other dimensions.

    Examples
    --------
    >>> figure = gallery({"a": np.eye(4), "b": -np.eye(4)})
    >>> [ax.get_title("left") for ax in figure.axes], figure.axes[1].images[0].get_clim()
    (['a', 'b'], (-1.0, -0.0))
    """
    arrays = {name: np.asarray(image) for name, image in images.items()}
    if not arrays or any(v.ndim not in (2, 3) for v in arrays.values()):
        raise ValueError(f"gallery(images): { {name: v.shape for name, v in arrays.items()} }; give at least one image "
                         "of two dimensions, or three with colours last")
    columns = min(columns, len(arrays))
    rows = -(-len(arrays) // columns)
    first = next(iter(arrays.values()))
    figure = new_figure(width * columns, (width * min(first.shape[0] / first.shape[1], 2) + 0.25) * rows)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax, (name, image) in zip(axes, arrays.items(), strict=False):
        picture(ax, image, scale(first if shared else image))
        ax.set_title(name, loc="left", fontsize="small")
    for ax in axes[len(arrays):]:
        ax.remove()
    return figure


def scale(image: np.ndarray) -> tuple[float, float]:
    """The grey scale of an image: its own, about 0 if both signs matter, or that of uint8."""
    if image.dtype == np.uint8:
        return 0.0, 255.0
    low, high = float(np.nanmin(image)), float(np.nanmax(image))
    signed = low < 0 < high and min(-low, high) > 0.1 * max(-low, high)
    top = float(np.nanquantile(np.abs(image), 0.999)) if signed else 0.0
    return (-top, top) if signed and top else (low, high)


def picture(ax: Axes, image: np.ndarray, limits: tuple[float, float]) -> None:
    """An image without ticks."""
    if image.ndim == 3:
        ax.imshow(image, interpolation="nearest")
    else:
        ax.imshow(image, cmap="gray", vmin=limits[0], vmax=limits[1], interpolation="nearest")
    ax.set(xticks=[], yticks=[])


def filtered(image: Any, filters: Mapping[str, FIR], boundary: Any = "reflect") -> Figure:
    """An image through each of several filters: a column of taps, result and magnitude response per filter.

    Colours of taps are centred at 0 (blue negative, red positive; a − marks the sign). Results have the grey scale of
    the image, or, for taps that nearly sum to 0, their own with 0 in middle grey. The responses run over −fs/2 … fs/2
    on both axes, zero frequency in the middle, from 0 (dark) to their largest value (bright), which is written below.

    Parameters
    ----------
    image : array_like, 2-D
    filters : mapping of name to FIR
        One to six, two-dimensional, real.
    boundary : as in `firconv.convolve`

    Raises
    ------
    ValueError
        None, more than six, or other dimensions.

    Examples
    --------
    >>> from firconv import filters
    >>> figure = filtered(np.eye(16), {"box": filters.box((3, 3)), "sobel": filters.sobel()})
    >>> [ax.get_title("left") for ax in figure.axes[:2]], figure.axes[4].get_xlabel()
    (['box', 'sobel'], 'largest 1')
    """
    image = np.asarray(image)
    if not 1 <= len(filters) <= _ABREAST or image.ndim != 2 or any(fir.ndim != 2 for fir in filters.values()):
        raise ValueError(f"filtered(image, filters): image of shape {image.shape}, {len(filters)} filters of "
                         f"{[fir.ndim for fir in filters.values()]} dimensions; give a plane and 1 to {_ABREAST} "
                         "two-dimensional filters")
    tall = image.shape[0] / image.shape[1]
    figure = new_figure(2.3 * len(filters) + 0.3, 2.2 * (2 + tall) + 0.5)
    axes = figure.subplots(3, len(filters), squeeze=False, height_ratios=(1, tall, 1))
    for column, (name, fir) in zip(axes.T, filters.items(), strict=True):
        _taps(column[0], fir)
        column[0].set_title(name, loc="left", fontsize="medium")
        result = fir(image, boundary=boundary)
        blind = abs(fir.taps.sum()) < 0.05 * np.abs(fir.taps).sum()  # a constant image all but vanishes
        limits = scale(result) if blind else (float(image.min()), float(image.max()))
        picture(column[1], result, limits)
        _response(column[2], fir)
    for ax, label in zip(axes[:, 0], ("taps", "result", "|H| over f (cycles/sample)"), strict=True):
        ax.set_ylabel(label)
    return figure


def _taps(ax: Axes, fir: FIR) -> None:
    top = float(np.abs(fir.taps).max())
    ax.imshow(fir.taps, cmap=SIGNED, vmin=-top, vmax=top, interpolation="nearest")
    i, j = np.nonzero(fir.taps < -5e-3 * top)
    size = float(np.clip(60 / max(fir.shape), 1.0, 8))
    for chosen, colour in ((fir.taps[i, j] > -0.6 * top, "black"), (fir.taps[i, j] <= -0.6 * top, "white")):
        ax.plot(j[chosen], i[chosen], "_", color=colour, markersize=size, markeredgewidth=max(size / 6, 0.4))
    ax.set(xticks=[], yticks=[], xlim=(-0.5, fir.shape[1] - 0.5), ylim=(fir.shape[0] - 0.5, -0.5))
    ax.set_xlabel(f"{fir.shape[0]}×{fir.shape[1]}", fontsize="small")


def _response(ax: Axes, fir: FIR) -> None:
    f = np.linspace(-0.5, 0.5, 97) * fir.fs
    gain = np.abs(response.frequency_response(fir, (f, f))[1])
    ax.imshow(gain, cmap=PLANE, vmin=0, vmax=float(gain.max()), extent=(-0.5, 0.5, 0.5, -0.5))
    ax.set(xticks=(-0.5, 0, 0.5), yticks=(-0.5, 0, 0.5))
    ax.tick_params(labelsize=7)
    ax.set_xlabel(f"largest {gain.max():.3g}", fontsize="small")
