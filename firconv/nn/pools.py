"""Pooling layers. Average and blur pooling are FIR filters and a decimator; max pooling is not linear."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from firconv import boundary as bd
from firconv import filters
from firconv.convolution import correlate
from firconv.nn import words
from firconv.nn.layer import Layer, Reach, Shape, size
from firconv.nn.windows import frozen_words, reaches, size_word, stride_word, written
from firconv.systems import FIR

__all__ = ["AvgPool", "BlurPool", "GlobalAvgPool", "GlobalMaxPool", "MaxPool"]


@dataclass(frozen=True, repr=False)
class _Pool(Layer):
    """What both pools share."""

    size: Any
    stride: Any = field(default=None, kw_only=True)
    padding: Any = field(default=0, kw_only=True)
    dilation: Any = field(default=1, kw_only=True)
    ceil_mode: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        if self.stride is None:
            object.__setattr__(self, "stride", self.size)
        object.__setattr__(self, "ndim", frozen_words(self, ("size", "stride", "dilation")))
        for name in ("ceil_mode", "count_include_pad"):
            if hasattr(self, name):
                object.__setattr__(self, name, words.truth(f"{type(self).__name__}(…)", name, getattr(self, name)))

    def __repr__(self) -> str:
        return written(self, "size", skip={"stride"} if self.stride == self.size else ())

    def _label(self, name: str) -> str:
        stride = "" if self.stride == self.size else stride_word(self.stride)
        return name + size_word(self.size) + stride

    def reaches(self, ndim: int, lengths: Shape | None = None) -> tuple[Reach, ...]:
        """What one output reads, per axis."""
        return reaches(self, ndim, lengths)

    def output_shape(self, shape: Sequence[int]) -> Shape:
        """(C, *outputs) for an input (C, *lengths)."""
        spans = self.reaches(len(shape) - 1, tuple(shape[1:]))
        return (shape[0], *(_outputs(n, r, self.ceil_mode) for n, r in zip(shape[1:], spans, strict=True)))

    def _words(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("stride", "padding", "dilation", "ceil_mode")}


def _outputs(n: int, r: Reach, ceil: bool) -> int:
    """Windows that fit, and with `ceil` one that hangs over the end, if it starts inside."""
    room = n + r.low + r.high - r.extent
    count = (room + (r.stride - 1 if ceil else 0)) // r.stride + 1
    return count - 1 if ceil and (count - 1) * r.stride >= n + r.low else count


@dataclass(frozen=True, repr=False)
class MaxPool(_Pool):
    """The largest sample of every window; see `firconv.nn.max_pool`.

    Parameters
    ----------
    size : int or one per axis
    stride : default the size
    padding, dilation, ceil_mode : as `firconv.nn.max_pool`

    Examples
    --------
    >>> import numpy as np
    >>> MaxPool(2)(np.array([[[1.0, 3, 2, 0]]]))
    array([[[3., 2.]]])
    """

    @property
    def label(self) -> str:
        """POOL2; POOL3/2 where the stride is not the size."""
        return self._label("POOL")

    def forward(self, x: np.ndarray) -> np.ndarray:
        """The maxima."""
        from firconv.nn import pooling

        return pooling.max_pool(x, self.size, **self._words())


@dataclass(frozen=True, repr=False)
class AvgPool(_Pool):
    """The mean of every window: a box filter, decimated; see `firconv.nn.avg_pool`.

    Parameters
    ----------
    size : int or one per axis
    stride : default the size
    padding, dilation, ceil_mode, count_include_pad : as `firconv.nn.avg_pool`

    Examples
    --------
    >>> import numpy as np
    >>> AvgPool(2)(np.array([[[1.0, 3, 2, 0]]]))
    array([[[2., 1.]]])
    """

    count_include_pad: bool = field(default=True, kw_only=True)

    @property
    def label(self) -> str:
        """AVGPOOL2; AVGPOOL3/2 where the stride is not the size."""
        return self._label("AVGPOOL")

    def forward(self, x: np.ndarray) -> np.ndarray:
        """The means."""
        from firconv.nn import pooling

        return pooling.avg_pool(x, self.size, count_include_pad=self.count_include_pad, **self._words())

    def multiplications(self, shape: Sequence[int]) -> int:
        """One per output: the sum is scaled once."""
        return size(self.output_shape(shape))

    def energy(self, ndim: int) -> np.ndarray:
        """Squared weight of every tap."""
        return super().energy(ndim) ** 2


@dataclass(frozen=True, repr=False)
class BlurPool(Layer):
    """A binomial filter of `size` taps per axis before a stride: |H(ω)| = cosᵐ(ω/2), m = size − 1, per axis.

    ⌈length/stride⌉ outputs; for even sizes the extra sample of padding is at the end.

    Parameters
    ----------
    size : int
    stride : int or one per axis
    boundary : what lies beyond the ends, as in `firconv.convolve`

    Raises
    ------
    ValueError, TypeError
        Sizes or strides under 1.

    Examples
    --------
    >>> import numpy as np
    >>> BlurPool(3)(np.array([[[1.0, -1, 1, -1, 1]]]))  # what a stride of 2 alone would make a constant
    array([[[0., 0., 0.]]])
    """

    size: int = 3
    stride: Any = field(default=2, kw_only=True)
    boundary: Any = field(default="reflect", kw_only=True)

    def __post_init__(self) -> None:
        words.integer("BlurPool(…)", "size", self.size, 1)
        object.__setattr__(self, "padding", "same")
        object.__setattr__(self, "dilation", 1)
        object.__setattr__(self, "ndim", frozen_words(self, ("stride",)))
        bd.parse(self.boundary, self.ndim or 1, "BlurPool(…)")

    def __repr__(self) -> str:
        return written(self, "size")

    @property
    def label(self) -> str:
        """BLURPOOL3/2."""
        return f"BLURPOOL{self.size}{stride_word(self.stride)}"

    def fir(self, ndim: int = 1) -> FIR:
        """The filter before the stride.

        Examples
        --------
        >>> BlurPool(3).fir()
        FIR([0.25, 0.5 , 0.25], origin=1, fs=1)
        """
        return FIR(filters.binomial(self.size - 1, ndim).taps, (self.size // 2,) * ndim)

    def forward(self, x: np.ndarray) -> np.ndarray:
        """The blurred samples at the stride."""
        ndim = x.ndim - 2
        taps = self.fir(ndim).taps.astype(x.dtype if x.dtype.kind == "f" else float)
        steps = words.per_axis(self.label, "stride", self.stride, ndim)
        return correlate(x, taps, "same", axes=tuple(range(2, x.ndim)), origin=((self.size - 1) // 2,) * ndim,
                         boundary=self.boundary, down=steps)

    def reaches(self, ndim: int, lengths: Shape | None = None) -> tuple[Reach, ...]:
        """What one output reads, per axis."""
        low, steps = (self.size - 1) // 2, words.per_axis(self.label, "stride", self.stride, ndim)
        return tuple(Reach(self.size, s, 1, low, self.size - 1 - low) for s in steps)

    def output_shape(self, shape: Sequence[int]) -> Shape:
        """(C, ⌈length/stride⌉ …)."""
        steps = words.per_axis(self.label, "stride", self.stride, len(shape) - 1)
        return (shape[0], *(-(-n // s) for n, s in zip(shape[1:], steps, strict=True)))

    def multiplications(self, shape: Sequence[int]) -> int:
        """Multiplications of the defining sum."""
        return size(self.output_shape(shape)) * self.size ** (len(shape) - 1)

    def energy(self, ndim: int) -> np.ndarray:
        """Squared weight of every tap."""
        return self.fir(ndim).taps ** 2


@dataclass(frozen=True)
class _Global(Layer):
    """What global pools share."""

    keepdims: bool = True

    whole = True

    def __post_init__(self) -> None:
        words.truth(f"{type(self).__name__}(…)", "keepdims", self.keepdims)

    def _shaped(self, y: np.ndarray) -> np.ndarray:
        return y if self.keepdims else y.reshape(y.shape[:2])

    def output_shape(self, shape: Sequence[int]) -> Shape:
        """(C, 1 …), or (C,) without `keepdims`."""
        return (shape[0], *(1,) * (len(shape) - 1 if self.keepdims else 0))


@dataclass(frozen=True)
class GlobalAvgPool(_Global):
    """The mean of every channel's map.

    The feature of a circularly shifted image is that of the image, if the layers before it are circular too.

    Parameters
    ----------
    keepdims : bool
        Keep spatial axes of length one.

    Examples
    --------
    >>> import numpy as np
    >>> GlobalAvgPool()(np.array([[[1.0, 3.0]]]))
    array([[[2.]]])
    """

    def forward(self, x: np.ndarray) -> np.ndarray:
        """The means."""
        from firconv.nn import pooling

        return self._shaped(pooling.global_avg_pool(x))

    def multiplications(self, shape: Sequence[int]) -> int:
        """One per channel."""
        return int(shape[0])


@dataclass(frozen=True)
class GlobalMaxPool(_Global):
    """The maximum of every channel's map.

    Examples
    --------
    >>> import numpy as np
    >>> GlobalMaxPool(keepdims=False)(np.array([[[1.0, 3.0]]]))
    array([[3.]])
    """

    def forward(self, x: np.ndarray) -> np.ndarray:
        """The maxima."""
        from firconv.nn import pooling

        return self._shaped(pooling.global_max_pool(x))
