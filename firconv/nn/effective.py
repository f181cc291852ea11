"""The effective receptive field: how much of an output's energy comes from which sample of the input.

If the signs of the weights are independent, the expected square of the derivative of an output by a sample is the sum
over all paths of the product of squared weights: the squared taps of the layers convolved, each spread by the strides
before it. n layers of K equal taps give a bell of standard deviation √(n·(K² − 1)/12), which grows with √n where the
field itself grows with n. Source: Luo, Li, Urtasun, Zemel, NeurIPS 2016.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from firconv.convolution import convolve
from firconv.nn.layer import Layer
from firconv.nn.networks import as_layer
from firconv.nn.receptive import merged

__all__ = ["EffectiveField", "effective_field"]


@dataclass(frozen=True, eq=False)
class EffectiveField:
    """The share of every input sample in the energy of output 0.

    Attributes
    ----------
    share : array, one axis per spatial axis, sums to one
    first : per axis, the sample that entry 0 stands for; negative ones lie in the padding
    """

    share: np.ndarray
    first: tuple[int, ...]

    @property
    def positions(self) -> tuple[np.ndarray, ...]:
        """The samples along each axis."""
        return tuple(a + np.arange(n) for a, n in zip(self.first, self.share.shape, strict=True))

    @property
    def centres(self) -> tuple[float, ...]:
        """Mean position per axis."""
        return tuple(float(x @ p) for x, p in zip(self.positions, self.marginals, strict=True))

    @property
    def marginals(self) -> tuple[np.ndarray, ...]:
        """The shares along each axis, summed over the others."""
        axes = range(self.share.ndim)
        return tuple(self.share.sum(tuple(b for b in axes if b != a)) for a in axes)

    @property
    def deviations(self) -> tuple[float, ...]:
        """Standard deviation per axis, in samples."""
        rows = zip(self.positions, self.centres, self.marginals, strict=True)
        return tuple(float(np.sqrt((x - c) ** 2 @ p)) for x, c, p in rows)

    @property
    def deviation(self) -> Any:
        """Standard deviation in samples; one number where all axes agree."""
        values = self.deviations
        return values[0] if np.ptp(values) <= 1e-12 * values[0] else merged(values)


def effective_field(layers: Any, ndim: int | None = None) -> EffectiveField:
    """The energy field of output 0 of the last map of a network.

    Convolutions weigh with their own squared weights, a `Window` and a max pool with equal shares.

    Parameters
    ----------
    layers : Layer, or a sequence of them, as in `receptive_field`
    ndim : int, optional
        Number of axes, where the layers leave it open; default 1.

    Raises
    ------
    ValueError
        For transposed layers, whose outputs have different fields.

    Examples
    --------
    >>> from firconv.nn import Window, effective_field
    >>> field = effective_field([Window(3)] * 6)
    >>> field.share.size, round(field.deviation, 12)
    (13, 2.0)
    """
    return _walked(layers, ndim)[1].field


def growth(layers: Any, ndim: int | None = None) -> tuple[EffectiveField, ...]:
    """The energy field behind every layer, in the order of ``receptive_field(layers).layers``."""
    return tuple(spread.field for spread in _walked(layers, ndim)[0])


def _walked(layers: Any, ndim: int | None) -> tuple[list[_Spread], _Spread]:
    net = as_layer(layers, "effective_field")
    axes = net.ndim or ndim or 1
    walk = _Walk(axes)
    last = net.fold(walk.step, walk.join, _Spread(np.ones((1,) * axes), (0,) * axes, (1,) * axes))
    return walk.spreads, last


@dataclass(frozen=True, eq=False)
class _Spread:
    """Energy of the samples that output 0 reads, and the stride so far; `whole` once a layer reads all of the map."""

    energy: np.ndarray
    first: tuple[int, ...]
    stride: tuple[int, ...]
    whole: bool = False

    @property
    def field(self) -> EffectiveField:
        return EffectiveField(self.energy / self.energy.sum(), self.first)


class _Walk:
    """The fold that convolves squared taps, and notes what is behind every layer."""

    def __init__(self, ndim: int) -> None:
        self.ndim = ndim
        self.spreads: list[_Spread] = []

    def step(self, layer: Layer, spread: _Spread) -> _Spread:
        self.spreads.append(self._through(layer, spread))
        return self.spreads[-1]

    def join(self, layer: Layer, spreads: list[_Spread]) -> _Spread:
        self.spreads.append(self._sum(layer, spreads))
        return self.spreads[-1]

    def _through(self, layer: Layer, spread: _Spread) -> _Spread:
        if layer.whole or spread.whole:
            return _Spread(spread.energy, spread.first, spread.stride, True)
        reaches = layer.reaches(self.ndim)
        if any(reach.up > 1 for reach in reaches):
            raise ValueError(f"effective_field(layers): outputs of {layer.label} have different fields; end the "
                             "network before the transposed layer")
        taps = layer.energy(self.ndim)
        spacing = [r.dilation * s for r, s in zip(reaches, spread.stride, strict=True)]
        energy = convolve(spread.energy, taps, dilation=spacing, method="direct") if taps.size > 1 else \
            spread.energy * taps
        first = tuple(a - r.low * s for a, r, s in zip(spread.first, reaches, spread.stride, strict=True))
        return _Spread(energy, first, tuple(r.stride * s for r, s in zip(reaches, spread.stride, strict=True)))

    def _sum(self, layer: Layer, spreads: list[_Spread]) -> _Spread:
        spreads = [s for s in spreads if not s.whole] or spreads[:1]
        if len({s.stride for s in spreads}) > 1:
            raise ValueError(f"effective_field(layers): the branches of {layer.label} are misaligned, with strides "
                             f"{' and '.join(str(merged(s.stride)) for s in spreads)}; make them equal")
        first = tuple(min(s.first[a] for s in spreads) for a in range(self.ndim))
        last = [max(s.first[a] + s.energy.shape[a] for s in spreads) for a in range(self.ndim)]
        energy = np.zeros([b - a for a, b in zip(first, last, strict=True)])
        for s in spreads:
            energy[tuple(slice(f - a, f - a + n) for f, a, n in zip(s.first, first, s.energy.shape, strict=True))] \
                += s.energy
        return _Spread(energy, first, spreads[0].stride)
