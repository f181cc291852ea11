"""Layers without a window: functions of one sample, affine maps of channels, dense layers, and reshaping."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from firconv import boundary as bd
from firconv.nn import words
from firconv.nn.layer import Layer, Reach, Shape, size
from firconv.nn.values import Valued, frozen, frozen_bias
from firconv.nn.windows import frozen_words, written

__all__ = ["Affine", "Dense", "FUNCTIONS", "Flatten", "Pad", "Pointwise", "ReLU"]


@dataclass(frozen=True, repr=False)
class ReLU(Layer):
    """max(x, slope·x), or with `top` no more than that: ReLU, leaky ReLU, ReLU6.

    Examples
    --------
    >>> ReLU(top=6.0)([[[-1.0, 3.0, 9.0]]])
    array([[[0., 3., 6.]]])
    """

    slope: float = 0.0
    top: float | None = None

    def __repr__(self) -> str:
        return written(self)

    def forward(self, x: np.ndarray) -> np.ndarray:
        """The rectified samples, of the same type."""
        y = np.maximum(x, x.dtype.type(0)) if self.slope == 0 else np.where(x > 0, x, x * x.dtype.type(self.slope))
        return y if self.top is None else np.minimum(y, x.dtype.type(self.top))


def _sigmoid(x: np.ndarray) -> np.ndarray:
    e = np.exp(-np.abs(x))  # never overflows
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e))


def _gelu(x: np.ndarray) -> np.ndarray:
    from scipy.special import erf

    return (x * (1 + erf(x / np.sqrt(2)))) / 2


def _softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


FUNCTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "sigmoid": _sigmoid,
    "tanh": np.tanh,
    "silu": lambda x: x * _sigmoid(x),
    "gelu": _gelu,
    "hard_sigmoid": lambda x: np.clip(x / 6 + 0.5, 0, 1),
    "hard_swish": lambda x: x * np.clip(x + 3, 0, 6) / 6,
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "softplus": lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))),
    "softmax": _softmax,
}


@dataclass(frozen=True)
class Pointwise(Layer):
    """A function of every sample, by name; "softmax" is over the channels.

    Raises
    ------
    ValueError
        For a name that is none of `FUNCTIONS`.

    Examples
    --------
    >>> Pointwise("sigmoid")([[[0.0]]])
    array([[[0.5]]])
    """

    function: str

    def __post_init__(self) -> None:
        if self.function not in FUNCTIONS:
            raise ValueError(f"Pointwise({self.function!r}): no such function; use {', '.join(FUNCTIONS)}")

    @property
    def label(self) -> str:
        """The function's name."""
        return self.function.upper()

    def forward(self, x: np.ndarray) -> np.ndarray:
        """The function of every sample, of the same type."""
        return FUNCTIONS[self.function](x).astype(x.dtype, copy=False)


@dataclass(frozen=True, eq=False, repr=False)
class Affine(Valued):
    """y = scale·x + shift per channel: what batch normalisation is after training.

    Examples
    --------
    >>> Affine([2.0], [1.0])([[[1.0, 3.0]]])
    array([[[3., 7.]]])
    """

    scale: np.ndarray
    shift: np.ndarray

    def __post_init__(self) -> None:
        object.__setattr__(self, "scale", frozen(self.scale, "Affine(scale, shift)", "scale", 1))
        object.__setattr__(self, "shift", frozen_bias(self.shift, "Affine(scale, shift)", self.scale.size, "shift"))
        if self.shift is None:
            raise TypeError("Affine(scale, shift): shift=None is no number per channel: give zeros for none")

    @property
    def parameters(self) -> int:  # type: ignore[override]
        """Scales and shifts."""
        return 2 * self.scale.size

    def forward(self, x: np.ndarray) -> np.ndarray:
        """The scaled and shifted channels."""
        column = (-1,) + (1,) * (x.ndim - 2)
        return x * self.scale.reshape(column) + self.shift.reshape(column)

    def multiplications(self, shape: Sequence[int]) -> int:
        """One per sample."""
        return size(shape)


@dataclass(frozen=True, eq=False, repr=False)
class Dense(Valued):
    """y = W·x + b on flat features: every output reads the whole input.

    Parameters
    ----------
    w : array_like, shape (outputs, inputs)
    bias : array_like, shape (outputs,), optional

    Raises
    ------
    ValueError
        For weights that are no matrix, and an input of another number of features.

    Examples
    --------
    >>> Dense([[1.0, 2.0]], [0.5])([[1.0, 1.0]])
    array([[3.5]])
    """

    w: np.ndarray
    bias: np.ndarray | None = None

    whole = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "w", frozen(self.w, "Dense(w)", "w", 2))
        if self.w.ndim != 2:
            raise ValueError(f"Dense(w): w has shape {self.w.shape}; give a matrix (outputs, inputs)")
        object.__setattr__(self, "bias", frozen_bias(self.bias, "Dense(w)", self.w.shape[0]))

    @property
    def label(self) -> str:
        """FC-3: the outputs."""
        return f"FC-{self.w.shape[0]}"

    @property
    def parameters(self) -> int:  # type: ignore[override]
        """Weights and biases."""
        return self.w.size + (0 if self.bias is None else self.bias.size)

    def forward(self, x: np.ndarray) -> np.ndarray:
        """The outputs for a batch (N, inputs); floats by matrix product, integers exactly."""
        self.output_shape(x.shape[1:])
        if x.dtype.kind in "iub" and self.w.dtype.kind in "iu":
            from firconv.nn import operations

            return operations.conv(x[..., None], self.w[..., None], self.bias)[..., 0]
        y = x @ self.w.T
        return y if self.bias is None else y + self.bias

    def output_shape(self, shape: Sequence[int]) -> Shape:
        """(outputs,) for (inputs,)."""
        if tuple(shape) != (self.w.shape[1],):
            raise ValueError(f"{self.label}: takes {self.w.shape[1]} features, the input has shape {tuple(shape)} "
                             "after the batch; put a Flatten before it, or give w that many columns")
        return (self.w.shape[0],)

    def multiplications(self, shape: Sequence[int]) -> int:
        """One per weight."""
        return self.w.size


@dataclass(frozen=True)
class Flatten(Layer):
    """Channels and positions in one row, channel by channel.

    Examples
    --------
    >>> import numpy as np
    >>> Flatten()(np.zeros((2, 3, 4, 5))).shape
    (2, 60)
    """

    def forward(self, x: np.ndarray) -> np.ndarray:
        """(N, C·positions)."""
        return x.reshape(x.shape[0], -1)

    def output_shape(self, shape: Sequence[int]) -> Shape:
        """(C·positions,)."""
        return (prod(shape),)


@dataclass(frozen=True, repr=False)
class Pad(Layer):
    """Samples beyond the ends of every spatial axis, by any boundary of firconv.

    Parameters
    ----------
    padding : int, one per axis, or (low, high) pairs
    boundary : a name, ("constant", c), or as in `firconv.convolve`

    Examples
    --------
    >>> import numpy as np
    >>> Pad(2, "reflect")(np.array([[[1.0, 2, 3]]]))
    array([[[3., 2., 1., 2., 3., 2., 1.]]])
    """

    padding: Any
    boundary: Any = "zero"

    def __post_init__(self) -> None:
        object.__setattr__(self, "ndim", frozen_words(self, ()))
        bd.parse(self.boundary, self.ndim or 1, "Pad(…)")
        if isinstance(self.padding, str) or "omit" in str(self.boundary):
            raise ValueError(f"Pad({self.padding!r}, {self.boundary!r}): give numbers of samples, and a boundary that "
                             "has samples (not 'omit')")

    def __repr__(self) -> str:
        return written(self, "padding")

    def _pads(self, ndim: int) -> words.Pads:
        return words.pads("Pad", self.padding, (1,) * ndim, (1,) * ndim, (1,) * ndim)

    def forward(self, x: np.ndarray) -> np.ndarray:
        """The extended maps."""
        ndim = x.ndim - 2
        box = tuple((-lo, n + hi) for (lo, hi), n in zip(self._pads(ndim), x.shape[2:], strict=True))
        return bd.read(x, bd.parse(self.boundary, ndim, "Pad(…)"), box, skip=2)

    def reaches(self, ndim: int, lengths: Shape | None = None) -> tuple[Reach, ...]:
        """What one output reads, per axis."""
        return tuple(Reach(low=lo, high=hi) for lo, hi in self._pads(ndim))

    def output_shape(self, shape: Sequence[int]) -> Shape:
        """(C, low + length + high …)."""
        return (shape[0], *(lo + n + hi for (lo, hi), n in zip(self._pads(len(shape) - 1), shape[1:], strict=True)))
