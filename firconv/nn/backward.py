"""The way back through a layer: the gradients of its input and of what it learned, from that of its output.

For a convolutional layer both are convolutions again (`conv_input_gradient`, `conv_weight_gradient`); those of average
and blur pooling are the adjoints of a filter and a decimator; max pooling sends each gradient to the sample it took.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import singledispatch
from itertools import product
from math import prod
from typing import Any

import numpy as np

from firconv.nn import operations, words
from firconv.nn.layer import Layer
from firconv.nn.layers import Conv
from firconv.nn.networks import Identity
from firconv.nn.pointwise import Dense, Flatten, ReLU
from firconv.nn.pools import AvgPool, BlurPool, GlobalAvgPool, MaxPool

__all__ = ["backward"]

Array = np.ndarray
Step = tuple[Array, tuple[Array, Array | None] | None]  # gradient of the input, those of w and bias


@singledispatch
def backward(layer: Layer, x: Array, gy: Array) -> Step:
    """The gradients of a layer for input x and output gradient gy: (of the input, (of w, of bias) or None).

    Raises
    ------
    TypeError
        For a layer whose gradient is not written here.

    Examples
    --------
    >>> from firconv import nn
    >>> gx, (gw, gb) = backward(nn.Conv([[[1.0, 2.0]]]), np.array([[[1.0, 3.0, 5.0]]]), np.array([[[1.0, 0.0]]]))
    >>> gx, gw, gb
    (array([[[1., 2., 0.]]]), array([[[1., 3.]]]), None)
    """
    raise TypeError(f"backward({type(layer).__name__}): no gradient is written for this layer; train with Conv, Dense, "
                    "ReLU, MaxPool, AvgPool, BlurPool, GlobalAvgPool and Flatten")


@backward.register
def _conv(layer: Conv, x: Array, gy: Array) -> Step:
    call = layer._words()
    gw = operations.conv_weight_gradient(gy, x, layer.w.shape, **call)
    gb = None if layer.bias is None else operations.conv_bias_gradient(gy)
    return operations.conv_input_gradient(gy, layer.w, x.shape, **call), (gw, gb)


@backward.register
def _dense(layer: Dense, x: Array, gy: Array) -> Step:
    return gy @ layer.w, (gy.T @ x, None if layer.bias is None else gy.sum(0))


@backward.register
def _relu(layer: ReLU, x: Array, gy: Array) -> Step:
    gx = np.where(x > 0, gy, gy * layer.slope)
    return (gx if layer.top is None else np.where(x < layer.top, gx, 0)), None


@backward.register
def _flatten(layer: Flatten, x: Array, gy: Array) -> Step:
    return gy.reshape(x.shape), None


@backward.register
def _identity(layer: Identity, x: Array, gy: Array) -> Step:
    return gy, None


@backward.register
def _global(layer: GlobalAvgPool, x: Array, gy: Array) -> Step:
    axes = x.shape[2:]
    column = gy.reshape(*x.shape[:2], *(1,) * len(axes))
    return np.broadcast_to(column / prod(axes), x.shape).copy(), None


@backward.register
def _max_pool(layer: MaxPool, x: Array, gy: Array) -> Step:
    """To the first largest sample of every window, as torch does."""
    steps = list(_window(layer, x))
    y, gx = layer.forward(x), np.zeros_like(x, np.result_type(x, gy))
    taken = np.zeros(y.shape, bool)
    for part in steps:
        first = (x[part] == y) & ~taken
        gx[part] += np.where(first, gy, 0)
        taken |= first
    return gx, None


def _window(layer: MaxPool, x: Array) -> Iterator[tuple[Any, ...]]:
    """For every place in the window, the slices of x that hold it for all outputs."""
    spans = layer.reaches(x.ndim - 2, x.shape[2:])
    if layer.ceil_mode or any(span.low or span.high for span in spans):
        raise ValueError(f"backward({layer!r}): windows over the ends have no gradient here; use padding=0 and "
                         "ceil_mode=False")
    counts = layer.output_shape(x.shape[1:])[1:]
    for k in product(*(range(span.taps) for span in spans)):
        yield (..., *(slice(i * s.dilation, i * s.dilation + (n - 1) * s.stride + 1, s.stride)
                      for i, s, n in zip(k, spans, counts, strict=True)))


@backward.register
def _avg_pool(layer: AvgPool, x: Array, gy: Array) -> Step:
    """The adjoint of a box filter and a decimator."""
    spans = layer.reaches(x.ndim - 2, x.shape[2:])
    if layer.ceil_mode or (not layer.count_include_pad and any(span.low or span.high for span in spans)):
        raise ValueError(f"backward({layer!r}): windows with fewer samples have no gradient here; use "
                         "count_include_pad=True and ceil_mode=False")
    sizes = [span.taps for span in spans]
    box = np.full(sizes, 1 / prod(sizes))
    return _spread(box, spans, x, gy, layer.dilation, "zero"), None


@backward.register
def _blur_pool(layer: BlurPool, x: Array, gy: Array) -> Step:
    ndim = x.ndim - 2
    return _spread(layer.fir(ndim).taps, layer.reaches(ndim), x, gy, 1, layer.boundary), None


def _spread(taps: Array, spans: Any, x: Array, gy: Array, dilation: Any, boundary: Any) -> Array:
    """The adjoint of one filter for every channel."""
    w = np.broadcast_to(taps.astype(gy.dtype), (x.shape[1], 1, *taps.shape))
    pads = [(span.low, span.high) for span in spans]
    return operations.conv_input_gradient(gy, w, x.shape, stride=[span.stride for span in spans], padding=pads,
                                          dilation=words.per_axis("backward", "dilation", dilation, len(pads)),
                                          groups=x.shape[1], boundary=boundary)
