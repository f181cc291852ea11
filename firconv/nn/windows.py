"""Which samples a sliding window reads: size, stride, padding and dilation, and not what it does with them."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from firconv.nn import words
from firconv.nn.layer import Layer, Reach, Shape


@dataclass(frozen=True, repr=False)
class Window(Layer):
    """A layer known only by what it reads, to state a network without numbers for `receptive_field`.

    Output n reads the samples m with m·up = n·stride + k·dilation − padding, k = 0 … size − 1, per axis. (A transposed
    layer of stride `up` that takes p samples away has here the padding (size − 1)·dilation − p.)

    Parameters
    ----------
    size : int or one per axis
        One number serves any number of axes.
    stride, dilation, up : int or one per axis
    padding : int, one per axis, (low, high) pairs, or "valid", "same", "same_lower", "causal"

    Raises
    ------
    ValueError
        Sizes, strides or dilations under 1, entries that disagree in number, an unknown padding word.

    Examples
    --------
    >>> from firconv import nn
    >>> nn.receptive_field([nn.Window(3, padding=1), nn.Window(2, stride=2), nn.Window(3, padding=1)]).size
    8
    """

    size: Any
    stride: Any = 1
    padding: Any = 0
    dilation: Any = 1
    up: Any = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "ndim", frozen_words(self, ("size", "stride", "dilation", "up")))

    def __repr__(self) -> str:
        return written(self, "size")

    @property
    def label(self) -> str:
        """WINDOW3, WINDOW3/2 with a stride."""
        return "WINDOW" + size_word(self.size) + stride_word(self.stride)

    def reaches(self, ndim: int, lengths: Shape | None = None) -> tuple[Reach, ...]:
        """What one output reads, per axis."""
        return reaches(self, ndim, lengths)

    def output_shape(self, shape: Sequence[int]) -> Shape:
        """(C, *outputs) for an input (C, *lengths)."""
        spans = self.reaches(len(shape) - 1, tuple(shape[1:]))
        stuffed = ((n - 1) * r.up + 1 for n, r in zip(shape[1:], spans, strict=True))
        return (shape[0], *((m + r.low + r.high - r.extent) // r.stride + 1
                            for m, r in zip(stuffed, spans, strict=True)))


def frozen_words(layer: Any, names: Sequence[str]) -> int | None:
    """Make ints and tuples of a layer's words; returns the number of axes that they say, or None."""
    call = f"{type(layer).__name__}(…)"
    counts = set()
    for name in names:
        value = getattr(layer, name)
        if isinstance(value, (tuple, list)) and not value:
            raise ValueError(f"{call}: {name}={value!r} is empty: give a whole number, or one per axis")
        entries = words.per_axis(call, name, value, np.size(value))
        object.__setattr__(layer, name, entries[0] if np.ndim(value) == 0 else entries)
        counts |= {len(entries)} if np.ndim(value) else set()
    object.__setattr__(layer, "padding", _padding(call, layer.padding))
    if isinstance(layer.padding, tuple) and isinstance(layer.padding[0], tuple):
        counts.add(len(layer.padding))
    if len(counts) > 1:
        raise ValueError(f"{call}: entries for {' and '.join(map(str, sorted(counts)))} axes; give one number for all "
                         "axes, or as many entries everywhere")
    return counts.pop() if counts else None


def _padding(call: str, value: Any) -> Any:
    """A word, an int, or a tuple of ints or of (low, high) pairs, checked."""
    if isinstance(value, str) or np.ndim(value) == 0:
        pairs = words.pads(call, value, (1,), (1,), (1,))
        return value if isinstance(value, str) else pairs[0][0]
    entries = tuple(tuple(v) if isinstance(v, (tuple, list, np.ndarray)) else v for v in value)
    words.pads(call, entries, (1,) * len(entries), (1,) * len(entries), (1,) * len(entries))
    return tuple((int(v[0]), int(v[1])) if isinstance(v, tuple) else int(v) for v in entries)


def reaches(layer: Any, ndim: int, lengths: Shape | None, sizes: Any = None) -> tuple[Reach, ...]:
    """The reach of anything that has size, stride, padding, dilation and perhaps up, per axis."""
    call = f"{layer.label}"
    k, s, d, u = (words.per_axis(call, name, value, ndim) for name, value in (
        ("size", layer.size if sizes is None else sizes), ("stride", layer.stride), ("dilation", layer.dilation),
        ("up", getattr(layer, "up", 1))))
    if lengths is None and layer.padding in ("same", "same_lower") and max(s) > 1:
        raise ValueError(f"{call}: padding={layer.padding!r} with stride {layer.stride} depends on the length; "
                         "write the padding in numbers, or give input_shape=")
    extents = tuple((a - 1) * b + 1 for a, b in zip(k, d, strict=True))
    pads = words.pads(call, layer.padding, lengths or (1,) * ndim, extents, s)
    return tuple(Reach(k[a], s[a], d[a], *pads[a], u[a]) for a in range(ndim))


def unpadded(layer: Any) -> tuple[Reach, ...]:
    """The reach per axis of a layer with weights, where the padding does not matter."""
    k = layer.w.shape[2:]
    s, d = (words.per_axis(layer.label, name, getattr(layer, name), len(k)) for name in ("stride", "dilation"))
    return tuple(map(Reach, k, s, d))


def written(layer: Any, *always: str, skip: Container[str] = ()) -> str:
    """The call that makes this layer, without defaults."""
    fields = [f for f in layer.__dataclass_fields__.values() if f.repr and f.name not in skip]
    shown = [f"{f.name}={getattr(layer, f.name)!r}" if f.name not in always else repr(getattr(layer, f.name))
             for f in fields if f.name in always or getattr(layer, f.name) != f.default]
    return f"{type(layer).__name__}({', '.join(shown)})"


def size_word(size: Any) -> str:
    """3 for 3 or (3, 3), else 3×5."""
    values = (size,) if isinstance(size, int) else tuple(size)
    return str(values[0]) if len(set(values)) == 1 else "×".join(map(str, values))


def stride_word(stride: Any) -> str:
    """/2 for a stride of 2, nothing for 1."""
    word = size_word(stride)
    return "" if word == "1" else f"/{word}"
