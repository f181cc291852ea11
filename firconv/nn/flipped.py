"""A layer that really convolves, beside `Conv`, which correlates as all networks do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firconv.convolution import convolve
from firconv.nn.backward import Step, backward
from firconv.nn.layers import Conv

__all__ = ["FlippedConv"]


@dataclass(frozen=True, eq=False, repr=False)
class FlippedConv(Conv):
    """True convolution as a layer: y[n, o] = b[o] + Σ_i w[o, i] * x[n, i], the weights reversed before they slide.

    The same as `Conv` with every weight reversed along its axes, for the same outputs. It is computed by
    `firconv.convolve`, a channel at a time: for comparing, not for speed.

    Parameters
    ----------
    w, bias, stride, padding, dilation, groups, boundary
        As `Conv`.

    Examples
    --------
    >>> import numpy as np
    >>> from firconv import nn
    >>> x = np.array([[[0.0, 1, 0, 0]]])
    >>> nn.FlippedConv([[[1.0, 2, 3]]], padding=1)(x), nn.Conv([[[1.0, 2, 3]]], padding=1)(x)
    (array([[[1., 2., 3., 0.]]]), array([[[3., 2., 1., 0.]]]))
    """

    def forward(self, x: np.ndarray) -> np.ndarray:
        """The layer's output for a batch."""
        spans = self.reaches(self.ndim, x.shape[2:])
        counts = self.output_shape(x.shape[1:])[1:]
        window = [(s.extent - 1 - s.low, s.extent - s.low + (n - 1) * s.stride)
                  for s, n in zip(spans, counts, strict=True)]
        y = np.zeros((x.shape[0], self.w.shape[0], *counts), np.result_type(x, self.w))
        inside = self.w.shape[1]
        for o, i in np.ndindex(*self.w.shape[:2]):
            channel = o // (self.w.shape[0] // self.groups) * inside + i
            y[:, o] += convolve(x[:, channel], self.w[o, i], window, axes=tuple(range(1, x.ndim - 1)), origin=0,
                                boundary=self.boundary, down=[s.stride for s in spans],
                                dilation=[s.dilation for s in spans])
        return y if self.bias is None else y + self.bias.reshape(-1, *(1,) * self.ndim)

    def reversed(self) -> Conv:
        """The layer that correlates and does the same."""
        axes = tuple(range(2, self.w.ndim))
        call = {name: getattr(self, name) for name in ("stride", "padding", "dilation", "groups", "boundary")}
        return Conv(np.flip(self.w, axes), self.bias, **call)


@backward.register
def _flipped(layer: FlippedConv, x: np.ndarray, gy: np.ndarray) -> Step:
    gx, own = backward(layer.reversed(), x, gy)
    if own is None:
        return gx, own
    return gx, (np.flip(own[0], tuple(range(2, x.ndim))), own[1])

