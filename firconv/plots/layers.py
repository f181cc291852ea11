"""Layers of networks as filter banks: weights and responses, gain, receptive fields, what a stride folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from firconv.nn import effective, gains, receptive
from firconv.nn.aliasing import Aliasing
from firconv.nn.layers import Conv
from firconv.plots.planes import _signs
from firconv.plots.style import GREY, PLANE, SIGNED, dress, frequency_label, line, marks, new_figure, on, whole_numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLUMNS, _MOST = 6, 12
_LEVELS = np.array([0.25, 0.5, 0.75])


# ---- filters and responses -----------------------------------------------------------------------------------------

def layer_bank(layer: Conv, pairs: Sequence[tuple[int, int]] | None = None) -> Figure:
    """Weights of a layer, each over the magnitude of its frequency response, in one figure with shared scales.

    Parameters
    ----------
    layer : Conv with one or two spatial axes, real weights
    pairs : (o, i) channels, optional
        Default, for each of the first twelve output channels, the input channel that weighs most.

    Raises
    ------
    ValueError
        More than two axes, complex weights, no pairs.

    Examples
    --------
    >>> from firconv import nn
    >>> figure = layer_bank(nn.Conv([[[[0, 1], [-1, 0]]], [[[1, 1], [1, 1]]]]))
    >>> [ax.get_title() for ax in figure.axes[:4]]
    ['0 → 0', '0 → 1', '', '']
    """
    _drawable(layer, "layer_bank")
    chosen = _strongest(layer) if pairs is None else [(int(o), int(i)) for o, i in pairs]
    if not chosen:
        raise ValueError("layer_bank(layer, pairs=[]): there is nothing to draw; give pairs (o, i) of channels")
    columns = min(len(chosen), _COLUMNS)
    blocks = -(-len(chosen) // columns)
    figure = new_figure(2.4 + 1.75 * columns, 0.7 + 3.3 * blocks)
    axes = figure.subplots(2 * blocks, columns, squeeze=False)
    rows = [axes[2 * b:2 * b + 2, c] for b in range(blocks) for c in range(columns)]
    for pair in rows[len(chosen):]:
        for ax in pair:
            ax.set_axis_off()
    (_lines if layer.ndim == 1 else _planes)(figure, layer, chosen, rows)
    for index, (pair, (o, i)) in enumerate(zip(rows, chosen, strict=False)):
        pair[0].set_title(f"{i} → {o}", fontsize="small")
        for ax in pair:
            ax.tick_params(labelsize=7)
            if index % columns:
                ax.set_ylabel("")
                ax.tick_params(labelleft=False)
    figure.suptitle(f"{layer.label}: weights, input → output channel, and their frequency responses", fontsize="medium")
    return figure


def _drawable(layer: Conv, name: str) -> None:
    if layer.ndim > 2 or np.iscomplexobj(layer.w):
        raise ValueError(f"{name}(layer): {layer.w.dtype} weights in {layer.ndim} dimensions; give real ones in one or "
                         "two")


def _strongest(layer: Conv) -> list[tuple[int, int]]:
    energy = (layer.w.astype(float) ** 2).reshape(*layer.w.shape[:2], -1).sum(2)
    own, outs = layer.w.shape[1], layer.channels[0] // layer.groups
    return [(o, int(energy[o].argmax()) + o // outs * own) for o in range(min(layer.channels[0], _MOST))]


def _lines(figure: Figure, layer: Conv, chosen: list[tuple[int, int]], rows: list[Any]) -> None:
    f, H = layer.frequency_response(band=(0, 0.5), n=257)
    reach = layer.reaches(1)[0]
    at = np.arange(reach.taps) * reach.dilation - reach.low
    top = max(float(np.abs(H[o, i]).max()) for o, i in chosen) or 1.0
    limits = [v for o, i in chosen for v in _weights(layer, o, i)] + [0.0]
    room = 0.08 * (max(limits) - min(limits)) or 1.0
    for pair, (o, i) in zip(rows, chosen, strict=False):
        w = _weights(layer, o, i)
        pair[0].plot(at, w, "o", markersize=3.5, color=line(pair[0], 0)["color"])
        pair[0].vlines(at, 0, w, linewidth=1, color=line(pair[0], 0)["color"])
        pair[0].axhline(0, color=GREY, linewidth=0.8, zorder=0)
        pair[0].set_ylim(min(limits) - room, max(limits) + room)
        dress(pair[0], "", "sample", "weight")
        whole_numbers(pair[0].xaxis)
        pair[1].plot(f, np.abs(H[o, i]), **line(pair[1], 0))
        dress(pair[1], "", "frequency\n(cycles/sample)", "magnitude")
        pair[1].set(xlim=(0, 0.5), ylim=(0, 1.05 * top))
        for ax in pair:
            ax.xaxis.label.set_fontsize(8)


def _weights(layer: Conv, o: int, i: int) -> np.ndarray:
    return np.flip(layer.fir(o, i).taps)[tuple(slice(None, None, r.dilation) for r in layer.reaches(layer.ndim))]


def _planes(figure: Figure, layer: Conv, chosen: list[tuple[int, int]], rows: list[Any]) -> None:
    f = np.linspace(-0.5, 0.5, 65)
    _, H = layer.frequency_response((f, f))
    top = max(float(np.abs(_weights(layer, o, i)).max()) for o, i in chosen) or 1.0
    peak = max(float(np.abs(H[o, i]).max()) for o, i in chosen) or 1.0
    down, across = (np.arange(k) for k in layer.size)
    for pair, (o, i) in zip(rows, chosen, strict=False):
        w = _weights(layer, o, i)
        taps = pair[0].imshow(w, cmap=SIGNED, vmin=-top, vmax=top, interpolation="nearest")
        _signs(pair[0], w / 4, down, across, top / 4)
        planes = pair[1].imshow(np.abs(H[o, i]), cmap=PLANE, vmin=0, vmax=peak, interpolation="bilinear",
                                extent=(-0.5, 0.5, 0.5, -0.5))
        pair[0].set(xticks=[], yticks=[], ylabel="weights")
        pair[1].set(xticks=(-0.5, 0, 0.5), yticks=(-0.5, 0, 0.5), xlabel="across", ylabel="down (cycles/sample)")
        for label in (pair[1].xaxis.label, pair[1].yaxis.label):
            label.set_fontsize(8)
    everything = [ax for pair in rows for ax in pair]
    figure.colorbar(taps, ax=everything, label="weight (− marks negative)", fraction=0.04, aspect=30)
    figure.colorbar(planes, ax=everything, label="magnitude", fraction=0.04, aspect=30)


# ---- gain ------------------------------------------------------------------------------------------------------------

def layer_gain(layer: Conv, ax: Axes | None = None, *, n: int | None = None) -> Axes:
    """The largest singular value of H over the frequencies, before any decimation, with its peak marked.

    Parameters
    ----------
    layer : Conv with one or two spatial axes
    n : int
        Points per axis, odd so that zero frequency is one of them; default 513 on a line, 65 in a plane.

    Raises
    ------
    ValueError
        More than two axes.

    Examples
    --------
    >>> from firconv import nn
    >>> ax = layer_gain(nn.Conv([[[1.0, 2, 1]]]))
    >>> ax.get_ylabel(), float(ax.lines[0].get_ydata().max())
    ('largest singular value', 4.0)
    """
    if layer.ndim > 2:
        raise ValueError(f"layer_gain(layer): {layer.ndim} spatial axes; a picture has one or two")
    ax = on(ax, 5, 4.4)
    n = n or (513 if layer.ndim == 1 else 65)
    f = np.linspace(-0.5, 0.5, n)
    values = gains.gain(layer, [g.ravel() for g in np.meshgrid(*(f,) * layer.ndim, indexing="ij")])
    if layer.ndim == 1:
        return _gain_line(ax, f, values)
    return _gain_plane(ax, f, values.reshape(n, n))


def _gain_line(ax: Axes, f: np.ndarray, values: np.ndarray) -> Axes:
    ax.plot(f, values, **line(ax, 0))
    top = int(values.argmax())
    ax.plot(f[top], values[top], "o", markersize=7, fillstyle="none", color=line(ax, 1)["color"],
            label=f"peak {values[top]:.4g}")
    ax.set(xlim=(f[0], f[-1]), ylim=(0, 1.18 * values[top] or 1.0))
    ax.legend(fontsize="small")
    return dress(ax, "Gain of the layer", frequency_label(1.0), "largest singular value")


def _gain_plane(ax: Axes, f: np.ndarray, values: np.ndarray) -> Axes:
    half = (f[1] - f[0]) / 2 if f.size > 1 else 0.5
    extent = (f[0] - half, f[-1] + half, f[-1] + half, f[0] - half)
    picture = ax.imshow(values, cmap=PLANE, vmin=0, extent=extent, interpolation="nearest")
    ax.figure.colorbar(picture, ax=ax, label="largest singular value")
    low, high = float(values.min()), float(values.max())
    if high - low > 1e-9 * high:
        lines = ax.contour(f, f, values, levels=low + (high - low) * _LEVELS, colors="white", linewidths=0.9,
                           linestyles=("dotted", "dashed", "solid"))
        for text in ax.clabel(lines, fmt="%.3g", fontsize=8):
            text.set_bbox({"facecolor": "black", "alpha": 0.55, "pad": 0.6, "edgecolor": "none"})
    top = np.unravel_index(int(values.argmax()), values.shape)
    ax.plot(f[top[1]], f[top[0]], "o", markersize=9, fillstyle="none", color="black", markeredgewidth=2,
            label=f"peak {high:.4g}")
    ax.legend(fontsize="small", loc="upper right")
    dress(ax, "Gain of the layer", frequency_label(1.0, "frequency across"), frequency_label(1.0, "frequency down"))
    ax.grid(False)
    return ax


# ---- receptive fields ------------------------------------------------------------------------------------------------

def field_growth(networks: Any, ax: Axes | None = None, *, axis: int = -1) -> Axes:
    """The receptive field behind every layer, and dashed what holds some 95 % of its energy: four standard deviations.

    Parameters
    ----------
    networks : layers as in `firconv.nn.receptive_field`, or a mapping of names to them
    axis : int
        Which spatial axis.

    Raises
    ------
    ValueError
        Layers without any map.

    Examples
    --------
    >>> from firconv import nn
    >>> ax = field_growth({"3×3": [nn.Window(3)] * 4})
    >>> ax.lines[0].get_ydata().tolist(), ax.get_ylabel()
    ([1, 3, 5, 7, 9], 'receptive field (samples)')
    """
    ax = on(ax)
    named = networks if isinstance(networks, Mapping) else {"": networks}
    for index, (name, layers) in enumerate(named.items()):
        sizes, spread = _growth(layers, axis)
        if len(sizes) < 2:
            raise ValueError(f"field_growth(networks): {name or 'the network'} has no layer with a map; give layers "
                             "with windows")
        style, label = line(ax, index), f"{name}: {sizes[-1]}" if name else f"field: {sizes[-1]}"
        ax.plot(range(len(sizes)), sizes, drawstyle="steps-post", label=label,
                **style | {"linestyle": "-"} | marks(index, len(sizes)))
        ax.plot(range(1, len(sizes)), spread, label=f"4σ of its energy: {spread[-1]:.3g}",
                **style | {"linestyle": "--", "linewidth": 1.1} | marks(index, len(spread)) | {"fillstyle": "none"})
    ax.set_yscale("log", base=2)
    ax.yaxis.set_major_formatter("{x:g}")
    ax.set_ylim(bottom=0.8)
    whole_numbers(ax.xaxis)
    ax.legend(fontsize="small")
    return dress(ax, "Growth of the receptive field", "layers (branches count as one)", "receptive field (samples)")


def _growth(layers: Any, axis: int) -> tuple[list[int], list[float]]:
    """Sizes from the input on, and 4σ from the first layer on, of layers outside of branches."""
    rows = receptive.receptive_field(layers).layers
    kept = [i for i, row in enumerate(rows) if row.depth == 0 and not row.whole]
    fields = effective.growth(layers)
    return [1] + [rows[i].sizes[axis] for i in kept], [4 * fields[i].deviations[axis] for i in kept]


# ---- aliasing --------------------------------------------------------------------------------------------------------

def layer_aliasing(layer: Conv, stride: Any = None, ax: Axes | None = None, *, blur: int = 3, n: int = 64) -> Axes:
    """Which part of the energy behind a stride is aliased, per frequency of the last axis, without and with a blur.

    Parameters
    ----------
    layer, stride, blur, n : as `firconv.nn.Conv.aliasing`

    Examples
    --------
    >>> from firconv import nn
    >>> ax = layer_aliasing(nn.Conv([[[1.0]]]), 2)
    >>> [curve.get_label() for curve in ax.lines]
    ['stride 2: 50 % in all', 'binomial filter of 3 taps, stride 2: 7.57 % in all']
    """
    ax = on(ax)
    fold = layer.aliasing(stride, blur=blur, n=n)
    f, before, after = _shares(fold)
    size = "×".join(map(str, fold.stride)) if len(set(fold.stride)) > 1 else str(fold.stride[0])
    ax.plot(f, 100 * before, label=f"stride {size}: {100 * fold.total:.3g} % in all", **line(ax, 0))
    ax.plot(f, 100 * after, **line(ax, 1), **marks(1, f.size),
            label=f"binomial filter of {blur} taps, stride {size}: {100 * fold.blurred_total:.3g} % in all")
    ax.set(xlim=(f[0], f[-1]), ylim=(0, 1.25 * max(100 * float(np.nanmax(before)), 1.0)))
    ax.legend(fontsize="small", loc="upper left")
    label = frequency_label(1.0, "frequency across" if layer.ndim > 1 else "frequency")
    return dress(ax, f"Aliasing by a stride of {size}", label, "aliased share of the energy (%)")


def _shares(fold: Aliasing) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Frequencies from zero on, and the shares summed over the other axes."""
    others = tuple(range(fold.wanted.ndim - 1))
    kept = fold.f[-1] >= 0

    def share(wanted: np.ndarray, folded: np.ndarray) -> np.ndarray:
        total = (wanted + folded).sum(others)[kept]
        with np.errstate(invalid="ignore", divide="ignore"):
            return folded.sum(others)[kept] / total

    return fold.f[-1][kept], share(fold.wanted, fold.folded), share(fold.blurred_wanted, fold.blurred_folded)
