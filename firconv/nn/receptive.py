"""Receptive fields: which samples of the input an output can depend on, layer by layer, through branches.

Along one axis the field of output n of a layer is the interval of samples from the first to the last that any path
reaches. Where layer l reads m = n·s + k·d − p, sizes and strides multiply along the network:

    size_l = size_{l−1} + (K − 1)·d·stride_{l−1}      stride_l = s·stride_{l−1}
    padding_l = padding_{l−1} + p·stride_{l−1}        offset_l = (size_l − 1)/2 − padding_l

Output n is centred at offset + n·stride. After a transposed layer the fields of neighbouring outputs differ and repeat
with its stride; they are followed one by one, the size is that of the largest. Source: Araujo, Norris, Sim, "Computing
Receptive Fields of Convolutional Neural Networks", Distill 2019.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import gcd, lcm
from typing import Any

from firconv.nn.layer import Layer, Reach, Shape, shape_of
from firconv.nn.networks import as_layer

__all__ = ["LayerField", "ReceptiveField", "receptive_field"]

Interval = tuple[int, int]


@dataclass(frozen=True)
class Fields:
    """The fields of all outputs along one axis: output q·period + r reads samples first + q·step … last + q·step.

    `cells[r]` is (first, last), or None for an output that reads nothing (a transposed layer with gaps).
    """

    cells: tuple[Interval | None, ...] = ((0, 0),)
    step: int = 1

    @property
    def stride(self) -> Fraction:
        """Samples between the centres of neighbouring outputs."""
        return Fraction(self.step, len(self.cells))

    @property
    def size(self) -> int:
        """Samples in the largest field."""
        return max(cell[1] - cell[0] + 1 for cell in self.cells if cell)

    @property
    def first(self) -> Interval:
        """The field of output 0, or of the first after it that reads anything."""
        return next(cell for cell in self.cells if cell)

    @property
    def centre(self) -> Fraction:
        """Mean over a period of the distance between the centre of output n and n·stride."""
        at = [Fraction(sum(cell), 2) - r * self.stride for r, cell in enumerate(self.cells) if cell]
        return sum(at, Fraction(0)) / len(at)

    def of(self, m: int) -> Interval | None:
        """The field of output m."""
        q, r = divmod(m, len(self.cells))
        cell = self.cells[r]
        return cell and (cell[0] + q * self.step, cell[1] + q * self.step)

    def through(self, reach: Reach) -> Fields:
        """The fields behind a layer that reads these outputs."""
        turns = len(self.cells) // gcd(len(self.cells), reach.stride)  # outputs per whole number of periods
        period, step = turns * reach.up, turns * reach.stride * self.step // len(self.cells)
        return Fields(tuple(self._hull(n, reach) for n in range(period)), step)

    def _hull(self, n: int, reach: Reach) -> Interval | None:
        at = (n * reach.stride + k * reach.dilation - reach.low for k in range(reach.taps))
        return hull([self.of(m // reach.up) for m in at if m % reach.up == 0])

    def union(self, other: Fields) -> Fields:
        """The hulls of the fields of equal outputs; the strides agree."""
        period = lcm(len(self.cells), len(other.cells))
        cells = tuple(hull([self.of(n), other.of(n)]) for n in range(period))
        return Fields(cells, int(period * self.stride))


def hull(cells: Sequence[Interval | None]) -> Interval | None:
    """The smallest interval that holds all, or None if there are none."""
    found = [cell for cell in cells if cell]
    return (min(a for a, _ in found), max(b for _, b in found)) if found else None


@dataclass(frozen=True)
class LayerField:
    """The receptive field at one layer's output.

    Attributes
    ----------
    label : of the layer
    sizes, strides, paddings, offsets : per axis, in samples of the input; empty where an output reads the whole input
    depth : number of branches around the layer
    """

    label: str
    sizes: tuple[int, ...] = ()
    strides: tuple[float, ...] = ()
    paddings: tuple[int, ...] = ()
    offsets: tuple[float, ...] = ()
    depth: int = 0

    @property
    def whole(self) -> bool:
        """True if every output reads the whole input."""
        return not self.sizes

    @property
    def size(self) -> Any:
        """Samples from the first to the last that an output reads; one number where all axes agree."""
        return merged(self.sizes)

    @property
    def stride(self) -> Any:
        """Samples of the input between neighbouring outputs; a fraction behind transposed layers."""
        return merged(self.strides)

    @property
    def padding(self) -> Any:
        """How far before the input the field of output 0 starts."""
        return merged(self.paddings)

    @property
    def offset(self) -> Any:
        """Where output 0 is centred: (size − 1)/2 − padding."""
        return merged(self.offsets)


@dataclass(frozen=True)
class ReceptiveField(LayerField):
    """The field of a network's last map, and of every layer; prints itself as a table.

    Attributes
    ----------
    layers : a LayerField for every layer, in the order of the network
    """

    layers: tuple[LayerField, ...] = ()

    def __str__(self) -> str:
        width = max(12, *(len(row.label) + 2 * row.depth for row in self.layers)) if self.layers else 12
        head = f"{'layer':{width}}  {'size':>9}  {'stride':>7}  {'padding':>9}  {'offset':>9}"
        return "\n".join([head, *(_line(row, width) for row in self.layers)])


def _line(row: LayerField, width: int) -> str:
    name = f"{'  ' * row.depth + row.label:{width}}"
    if row.whole:
        return f"{name}  {'all':>9}"
    columns = ((row.size, 9), (row.stride, 7), (row.padding, 9), (row.offset, 9))
    return name + "".join(f"  {word(value):>{w}}" for value, w in columns)


def word(value: Any) -> str:
    """A number, or numbers per axis, for a table."""
    values = value if isinstance(value, tuple) else (value,)
    return "×".join(f"{v:g}" for v in values).replace("-", "−")


def merged(values: tuple[Any, ...]) -> Any:
    """One number where all axes agree, else the tuple."""
    return values[0] if len(set(values)) == 1 else values


def receptive_field(layers: Any, input_shape: Sequence[int] | None = None) -> ReceptiveField:
    """Size, stride, padding and offset of the receptive field of a network, in samples of its input.

    Parameters
    ----------
    layers : Layer, or a sequence of them (a network in a row)
        A layer without numbers is a `Window`; branches are an `Add` or a `Concat` of sequences.
    input_shape : (C, *spatial), optional
        Needed by padding "same" with a stride, whose padding depends on the length.

    Returns
    -------
    ReceptiveField
        Of the last map: layers that read all of it (Flatten, Dense, global pools) stand in `layers` only. One number
        per quantity where all axes agree, else a tuple.

    Raises
    ------
    ValueError
        For branches that are misaligned: other strides, or other centres, so that they meet with a shift.

    Examples
    --------
    >>> from firconv.nn import Add, Window, receptive_field
    >>> block = Add([Window(3, stride=2, padding=1), Window(3, padding=1)], [Window(1, stride=2)])
    >>> print(receptive_field([Window(7, stride=2, padding=3), block]))
    layer              size   stride    padding     offset
    WINDOW7/2             7        2          3          0
      WINDOW3/2          11        4          5          0
      WINDOW3            19        4          9          0
      WINDOW1/2           7        4          3          0
    ADD                  19        4          9          0
    """
    return _receptive_field(as_layer(layers, "receptive_field"), input_shape)


def _receptive_field(net: Layer, input_shape: Sequence[int] | None) -> ReceptiveField:
    shape = None if input_shape is None else shape_of("receptive_field(layers)", input_shape)
    ndim = net.ndim or (len(shape) - 1 if shape else 1)
    walk = _Walk(ndim)
    net.fold(walk.step, walk.join, _State((Fields(),) * ndim, shape))
    rows = tuple(walk.rows)
    last = next((row for row in reversed(rows) if not row.whole), _row("INPUT", (Fields(),) * ndim))
    return ReceptiveField(last.label, last.sizes, last.strides, last.paddings, last.offsets, 0, rows)


@dataclass(frozen=True)
class _State:
    """What is known between two layers: fields per axis (None: all of the input), and the shape if it was given."""

    fields: tuple[Fields, ...] | None
    shape: Shape | None


class _Walk:
    """The fold that writes a row for every layer."""

    def __init__(self, ndim: int) -> None:
        self.ndim = ndim
        self.rows: list[LayerField] = []

    def step(self, layer: Layer, state: _State) -> _State:
        shape = None if state.shape is None else layer.output_shape(state.shape)
        fields = None
        if state.fields is not None and not layer.whole:
            reaches = layer.reaches(self.ndim, None if state.shape is None else state.shape[1:])
            fields = tuple(f.through(r) for f, r in zip(state.fields, reaches, strict=True))
        return self._noted(layer, _State(fields, shape))

    def join(self, layer: Any, states: list[_State]) -> _State:
        shapes = [s.shape for s in states if s.shape is not None]
        shape = layer.joined_shape(shapes) if shapes else None
        fields = [s.fields for s in states if s.fields is not None]
        joined = None if len(fields) < len(states) else tuple(
            _aligned(layer.label, [f[a] for f in fields]) for a in range(self.ndim))
        inside = slice(len(self.rows) + 1 - layer.rows, None)
        self.rows[inside] = [replace(row, depth=row.depth + 1) for row in self.rows[inside]]
        return self._noted(layer, _State(joined, shape))

    def _noted(self, layer: Layer, state: _State) -> _State:
        self.rows.append(_row(layer.label, state.fields))
        return state


def _aligned(label: str, branches: list[Fields]) -> Fields:
    first = branches[0]
    for index, other in enumerate(branches[1:], 1):
        if (other.stride, other.centre) != (first.stride, first.centre):
            raise ValueError(f"receptive_field(layers): the branches of {label} are misaligned: output n of branch 0 "
                             f"is centred at {_centre(first)}, of branch {index} at {_centre(other)}; change strides "
                             "or paddings so that they agree")
        first = first.union(other)
    return first


def _centre(fields: Fields) -> str:
    return f"{_number(fields.centre):g} + {_number(fields.stride):g}·n"


def _row(label: str, fields: tuple[Fields, ...] | None) -> LayerField:
    if fields is None:
        return LayerField(label)
    return LayerField(label, tuple(f.size for f in fields), tuple(_number(f.stride) for f in fields),
                      tuple(-f.first[0] for f in fields), tuple(_number(Fraction(sum(f.first), 2)) for f in fields))


def _number(value: Fraction) -> Any:
    return int(value) if value.denominator == 1 else float(value)
