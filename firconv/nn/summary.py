"""The table of a network: what every layer puts out, holds, multiplies and sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from firconv.nn.layer import Layer, Shape, shape_of, size
from firconv.nn.networks import as_layer
from firconv.nn.receptive import LayerField, receptive_field, word

__all__ = ["LayerRow", "Summary", "summary"]

Counts = tuple[str, Shape, int, int, int]

_HEAD = ("layer", "output", "activations", "parameters", "multiplications", "field")


@dataclass(frozen=True)
class LayerRow:
    """One layer of a network.

    Attributes
    ----------
    label : of the layer
    output : (C, *spatial)
    activations : numbers in the output
    parameters : learned numbers
    multiplications : of the defining sum, for one input
    field : the receptive field at its output
    """

    label: str
    output: Shape
    activations: int
    parameters: int
    multiplications: int
    field: LayerField


@dataclass(frozen=True)
class Summary:
    """The rows of a network, and their sums; prints itself as a table, spatial axes first: 28×28×10.

    Attributes
    ----------
    input : (C, *spatial)
    rows : one LayerRow per layer
    """

    input: Shape
    rows: tuple[LayerRow, ...]

    @property
    def parameters(self) -> int:
        """Learned numbers in all."""
        return sum(row.parameters for row in self.rows)

    @property
    def multiplications(self) -> int:
        """Multiplications of the defining sums in all, for one input."""
        return sum(row.multiplications for row in self.rows)

    def __str__(self) -> str:
        cells = [_HEAD, ("INPUT", _shape(self.input), f"{size(self.input):,}", "", "", "1"),
                 *(_cells(row) for row in self.rows),
                 ("sum", "", "", f"{self.parameters:,}", f"{self.multiplications:,}", "")]
        widths = [max(len(row[i]) for row in cells) for i in range(len(_HEAD))]
        lines = [_line(row, widths) for row in cells]
        rule = "─" * len(lines[1])
        return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1]])


def _cells(row: LayerRow) -> tuple[str, ...]:
    return ("  " * row.field.depth + row.label, _shape(row.output), f"{row.activations:,}", f"{row.parameters:,}",
            f"{row.multiplications:,}", "all" if row.field.whole else word(row.field.size))


def _shape(shape: Shape) -> str:
    return "×".join(map(str, (*shape[1:], shape[0])))


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = (f"{cell:{'<' if i == 0 else '>'}{w}}" for i, (cell, w) in enumerate(zip(row, widths, strict=True)))
    return "  ".join([first, *rest]).rstrip()


def summary(layers: Any, input_shape: Sequence[int]) -> Summary:
    """The table of a network for one input of shape (C, *spatial).

    Parameters
    ----------
    layers : Layer, or a sequence of them
    input_shape : (C, *spatial), or (features,) of a network of dense layers

    Raises
    ------
    ValueError
        For a shape that a layer does not take.

    Examples
    --------
    >>> import numpy as np
    >>> from firconv import nn
    >>> net = nn.Sequential(nn.Conv(np.zeros((10, 1, 3, 3)), np.zeros(10), padding=1), nn.MaxPool(2))
    >>> print(net.summary((1, 28, 28)))
    layer       output  activations  parameters  multiplications  field
    ───────────────────────────────────────────────────────────────────
    INPUT      28×28×1          784                                   1
    CONV3-10  28×28×10        7,840         100           70,560      3
    POOL2     14×14×10        1,960           0                0      4
    ───────────────────────────────────────────────────────────────────
    sum                                     100           70,560
    """
    net = as_layer(layers, "summary")
    shape = shape_of("summary(layers)", input_shape)
    rows: list[Counts] = []
    try:
        net.fold(lambda layer, s: _step(rows, layer, s), lambda layer, s: _join(rows, layer, s), shape)
    except ValueError as error:
        raise ValueError(
            f"summary(layers, input_shape={shape}): {error} (input_shape is that of one input without the batch, "
            "(channels, *lengths))"
        ) from None
    fields = receptive_field(net, shape).layers
    return Summary(shape, tuple(LayerRow(*row, field=field) for row, field in zip(rows, fields, strict=True)))


def _step(rows: list[Counts], layer: Layer, shape: Shape) -> Shape:
    out = layer.output_shape(shape)
    rows.append((layer.label, out, size(out), layer.parameters, layer.multiplications(shape)))
    return out


def _join(rows: list[Counts], layer: Any, shapes: list[Shape]) -> Shape:
    out = layer.joined_shape(shapes)
    rows.append((layer.label, out, size(out), 0, size(out) if layer.label == "MULTIPLY" else 0))
    return out
