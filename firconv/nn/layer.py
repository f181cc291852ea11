"""What a layer is: a value that can be called, counted, and asked which samples its outputs read.

A network is a tree of layers. Everything that is computed along it (its output, its shapes, its receptive field) is one
`fold`: a step for every leaf, a join where branches meet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from firconv import describe

if TYPE_CHECKING:
    from firconv.nn.summary import Summary

Value = TypeVar("Value")
Shape = tuple[int, ...]


class Reach(NamedTuple):
    """Which samples output n of one axis reads: those m with m·up = n·stride + k·dilation − low, k = 0 … taps − 1."""

    taps: int = 1
    stride: int = 1
    dilation: int = 1
    low: int = 0
    high: int = 0
    up: int = 1

    @property
    def extent(self) -> int:
        """(taps − 1)·dilation + 1 samples."""
        return (self.taps - 1) * self.dilation + 1


class Layer:
    """Base of all layers: immutable, callable on arrays (N, C, *spatial), equal where words and numbers are equal."""

    #: Number of spatial axes, or None where any will do.
    ndim: int | None = None
    #: True where every output reads the whole map.
    whole = False
    #: Learned numbers.
    parameters = 0
    #: Rows in a table.
    rows = 1

    @property
    def label(self) -> str:
        """The short name in tables."""
        return type(self).__name__.upper()

    def __call__(self, x: Any) -> np.ndarray:
        """The layer's output for a batch of shape (N, C, *spatial)."""
        return self.fold(_forward, _combine, batch(f"{type(self).__name__}(…)(x)", x))

    def forward(self, x: np.ndarray) -> np.ndarray:
        """The output of this leaf."""
        raise TypeError(f"{self.label}(x): this layer only says what it reads and has no numbers to compute with; "
                        "use Conv, MaxPool or AvgPool")

    def fold(self, step: Callable[[Layer, Value], Value], join: Callable[[Layer, list[Value]], Value],
             value: Value) -> Value:
        """The value at the output: `step` at every leaf, `join` where branches meet."""
        return step(self, value)

    def reaches(self, ndim: int, lengths: Shape | None = None) -> tuple[Reach, ...]:
        """What one output reads, per axis; padding "same" with a stride asks for the lengths."""
        return (Reach(),) * ndim

    def energy(self, ndim: int) -> np.ndarray:
        """Squared weight of every tap, over all channels that an output reads, as an array of `ndim` axes."""
        sizes = [reach.taps for reach in self.reaches(ndim, (1,) * ndim)]
        return np.full(sizes, 1 / prod(sizes))

    def output_shape(self, shape: Sequence[int]) -> Shape:
        """(C, *spatial) of the output of this leaf, for an input of that form."""
        return tuple(shape)

    def multiplications(self, shape: Sequence[int]) -> int:
        """Multiplications of the defining sum for one input of shape (C, *spatial)."""
        return 0

    def summary(self, input_shape: Sequence[int]) -> Summary:
        """The table of layers for one input of shape (C, *spatial): outputs, parameters, multiplications, field."""
        from firconv.nn.summary import summary

        return summary(self, input_shape)


def batch(call: str, x: Any) -> np.ndarray:
    """An array of numbers with a batch axis, and at least one more.

    Raises
    ------
    TypeError, ValueError
        For anything else.
    """
    describe.refuse_masks(call, "x", x)
    try:
        x = np.asarray(x)
    except ValueError as error:
        raise ValueError(f"{call}: x={x!r} is no array ({error}): give numbers (N, C, *spatial)") from error
    if x.dtype.kind not in "biufc":
        raise TypeError(f"{call}: x has dtype {x.dtype}, which holds no numbers: give numbers (N, C, *spatial)")
    if x.ndim < 2:
        raise ValueError(f"{call}: x has shape {x.shape}: give a batch, (N, C, *spatial) or (N, features)")
    return x


def shape_of(call: str, value: Any) -> Shape:
    """A shape (C, *spatial), or (features,).

    Raises
    ------
    TypeError, ValueError
        For anything else.
    """
    from firconv.nn import words

    return words.shape(call, "input_shape", tuple(value.shape) if isinstance(value, np.ndarray) else value)


def _forward(layer: Layer, x: np.ndarray) -> np.ndarray:
    return layer.forward(x)


def _combine(layer: Layer, parts: list[np.ndarray]) -> np.ndarray:
    combine: Any = layer
    return combine.combine(parts)


def size(shape: Sequence[int]) -> int:
    """Number of elements of an array of this shape."""
    return prod(shape)
