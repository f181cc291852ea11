"""Layers with channels, groups, stride, padding and dilation, through an implementation's own layer functions."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from firconv.identities.calls import Calls
from firconv.identities.draws import Draw
from firconv.identities.law import Sides
from firconv.identities.values import Value, granted, inner, total, wide

Array = np.ndarray
_LONGEST = {1: 24, 2: 7, 3: 4}


@dataclass(frozen=True)
class Net:
    """A random layer: x (C, *lengths), w (O, C/groups, *K), and its words."""

    f: Calls
    x: Value
    w: Value
    stride: int
    padding: int
    dilation: int
    groups: int

    @property
    def words(self) -> dict[str, Any]:
        """As the layer functions take them."""
        return {"stride": self.stride, "padding": self.padding, "dilation": self.dilation, "groups": self.groups}

    @property
    def axes(self) -> int:
        """Number of spatial axes."""
        return self.x.ndim - 1

    def ask(self, name: str, a: Value, b: Value, *shape: Any, **words: Any) -> Value:
        """One function of the implementation, on a batch of one; w has no batch."""
        first = a.array[None]
        second = b.array[None] if name == "conv_weight_gradient" else b.array
        y = np.asarray(getattr(self.f.layers, name)(first, second, *shape, **{**self.words, **words}))
        points = prod(n + 2 * self.padding + 16 for n in self.x.shape)
        return Value(y if name == "conv_weight_gradient" else y[0], granted(a.array, b.array, points))

    def conv(self, x: Value, w: Value) -> Value:
        """The layer."""
        return self.ask("conv", x, w)

    def input_gradient(self, g: Value) -> Value:
        """With respect to x."""
        return self.ask("conv_input_gradient", g, self.w, (1, *self.x.shape))

    def weight_gradient(self, g: Value) -> Value:
        """With respect to w."""
        return self.ask("conv_weight_gradient", g, self.x, self.w.shape)

    def transposed(self, g: Value) -> Value:
        """The transposed layer, with as many samples at the end as the stride left over."""
        reach = [(k - 1) * self.dilation + 1 for k in self.w.shape[2:]]
        left = [(n + 2 * self.padding - e) % self.stride for n, e in zip(self.x.shape[1:], reach, strict=True)]
        return self.ask("conv_transpose", g, self.w, output_padding=tuple(left))

    # ---- by single channels --------------------------------------------------------------------------------------

    def signal(self, i: int) -> Value:
        """Channel i between the zeros that padding adds."""
        pads = [self.padding] * self.axes
        return self.x[i].pad(pads, pads)

    def taps(self, o: int, i: int) -> Value:
        """The weights from channel i of its group to channel o, with the zeros that dilation adds."""
        return stuffed(self.w[o, i], self.dilation)

    def pairs(self, o: int) -> list[tuple[int, int]]:
        """(channel, channel within the group) of all that channel o reads."""
        size = self.w.shape[1]
        group = o // (self.w.shape[0] // self.groups)
        return [(group * size + i, i) for i in range(size)]

    def every(self, v: Value) -> Value:
        """↓stride."""
        return v[(slice(None, None, self.stride),) * self.axes]


def stuffed(v: Value, step: int) -> Value:
    """step − 1 zeros between neighbours, along all axes."""
    y = np.zeros([(n - 1) * step + 1 for n in v.shape], v.array.dtype)
    y[(slice(None, None, step),) * v.ndim] = v.array
    return Value(y, v.error)


def net(f: Calls, p: Draw) -> Net:
    """A random layer."""
    axes, longest = range(p.ndim), _LONGEST[p.ndim]
    n = [p.size(f"n{a}", 1, longest) for a in axes]
    k = [p.size(f"k{a}", 1, 4) for a in axes]
    stride, dilation = p.size("stride", 1, 3), p.size("dilation", 1, 2)
    padding, groups = p.choice("padding", (0, 1, 2)), p.size("groups", 1, 2)
    p.need(all((b - 1) * dilation < a + 2 * padding for a, b in zip(n, k, strict=True)))
    into, out = p.size("in", 1, 3), p.size("out", 1, 2)
    x, w = p.numbers("x", (groups * into, *n)), p.numbers("w", (groups * out, into, *k))
    return Net(f, x, w, stride, padding, dilation, groups)


def forward(f: Calls, p: Draw) -> Sides:
    """The layer is its sum, the correlations of its channels, and convolutions with weights turned round."""
    layer = net(f, p)
    y = layer.conv(layer.x, layer.w)
    for o in range(layer.w.shape[0]):
        pairs = [(layer.signal(c), layer.taps(o, i)) for c, i in layer.pairs(o)]
        yield y[o], sum(products(x, w, layer.stride) for x, w in pairs)
        yield y[o], total([layer.every(f.correlate(x, w.conj(), "valid")) for x, w in pairs])
        yield y[o], total([layer.every(f.convolve(x, w.flip(), "valid")) for x, w in pairs])


def products(x: Value, w: Value, step: int) -> Any:
    """Products of windows with weights, without a flip and without a conjugate."""
    found = np.lib.stride_tricks.sliding_window_view(x.array, w.shape)[(slice(None, None, step),) * x.ndim]
    return np.tensordot(wide(found), wide(w.array), x.ndim)


def transposed(f: Calls, p: Draw) -> Sides:
    """⟨conv(x), g⟩ = ⟨x, conv_transpose(g)⟩, without conjugates."""
    layer = net(f, p)
    y = layer.conv(layer.x, layer.w)
    g = p.numbers("g", y.shape)
    yield inner(y.conj(), g), inner(layer.x.conj(), layer.transposed(g))


def input_gradient(f: Calls, p: Draw) -> Sides:
    """⟨g, conv(v, w)⟩ = ⟨gradient, v⟩ for any v; and channel by channel the adjoint problem, ↑stride then convolve."""
    layer = net(f, p)
    v = p.like("v", layer.x)
    y = layer.conv(v, layer.w)
    g = p.numbers("g", y.shape)
    found = layer.input_gradient(g)
    yield inner(g.conj(), y), inner(found.conj(), v)
    for c in range(layer.x.shape[0]):
        parts = [_back(layer, g[o], layer.taps(o, i)) for o in range(len(y.array)) for d, i in layer.pairs(o) if c == d]
        yield found[c], total(parts)


def _back(layer: Net, g: Value, w: Value) -> Value:
    """↑stride g * w, without what lies in the padding."""
    y = layer.f.convolve(stuffed(g, layer.stride), w)
    sizes, pad = layer.x.shape[1:], layer.padding
    y = y.pad([0] * y.ndim, [max(0, n + pad - m) for n, m in zip(sizes, y.shape, strict=True)])
    return y[tuple(slice(pad, pad + n) for n in sizes)]


def weight_gradient(f: Calls, p: Draw) -> Sides:
    """⟨g, conv(x, v)⟩ = ⟨gradient, v⟩ for any v; and the other adjoint problem: correlate with ↑stride g, ↓dilation."""
    layer = net(f, p)
    v = p.like("v", layer.w)
    y = layer.conv(layer.x, v)
    g = p.numbers("g", y.shape)
    found = layer.weight_gradient(g)
    yield inner(g.conj(), y), inner(found.conj(), v)
    cut = tuple(slice(0, (k - 1) * layer.dilation + 1, layer.dilation) for k in layer.w.shape[2:])
    for o in range(len(y.array)):
        for c, i in layer.pairs(o):
            yield found[o, i], f.correlate(layer.signal(c), stuffed(g[o], layer.stride).conj(), "valid")[cut]


def pooled(f: Calls, name: str, x: Value, size: int, step: int) -> Value:
    """A pool of one channel of real numbers; sums of averages are rounded once more than a filter's."""
    y = np.asarray(getattr(f.layers, name)(x.array[None, None], size, stride=step))[0, 0]
    box = np.ones((size,) * x.ndim, x.array.dtype)
    return Value(y, granted(x.array, box / box.dtype.type(box.size), prod(x.shape)) if name == "avg_pool" else 0.0)
