"""The transposed convolutional layer: the adjoint of a convolutional one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from firconv.nn import words
from firconv.nn.layer import Reach, Shape
from firconv.nn.layers import Conv, Convolution
from firconv.nn.windows import size_word, stride_word, unpadded
from firconv.problem import Problem, signal_adjoint
from firconv.systems import FIR

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from firconv.nn.gains import SingularValues

__all__ = ["ConvTranspose"]


@dataclass(frozen=True, eq=False, repr=False)
class ConvTranspose(Convolution):
    """A transposed layer with its weights: the adjoint of the `Conv` with the same words.

    Parameters
    ----------
    w : array_like, shape (I, O/groups, *K)
    bias : array_like, shape (O,), optional
    stride, padding, output_padding, dilation, groups, boundary
        As `firconv.nn.conv_transpose`.

    Examples
    --------
    >>> import numpy as np
    >>> ConvTranspose([[[1.0, 10]]], stride=2)(np.array([[[1.0, 2]]]))
    array([[[ 1., 10.,  2., 20.]]])
    """

    output_padding: Any = field(default=0, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        call = words.Words("ConvTranspose", output_padding=self.output_padding)
        steps = (words.per_axis(call, name, getattr(self, name), self.ndim) for name in ("stride", "dilation"))
        words.output_padding(call, *steps)

    @property
    def channels(self) -> tuple[int, int]:
        """(out, in)."""
        return self.w.shape[1] * self.groups, self.w.shape[0]

    @property
    def label(self) -> str:
        """UPCONV3-64/2: taps, output channels, stride."""
        return f"UPCONV{size_word(self.size)}-{self.channels[0]}{stride_word(self.stride)}{self._grouped()}"

    def forward(self, x: np.ndarray) -> np.ndarray:
        """The layer's output for a batch."""
        from firconv.nn import plans

        def make(x: np.ndarray) -> Any:
            return plans.plan(x, self.w, self.bias, op="conv_transpose", output_padding=self.output_padding,
                              **self._words())

        return self._plans.get(x, make)(x)  # type: ignore[attr-defined]

    def reaches(self, ndim: int, lengths: Shape | None = None) -> tuple[Reach, ...]:
        """What one output reads, per axis."""
        spans = unpadded(self)
        many = tuple(r.extent + 1 for r in spans) if lengths is None else lengths
        pads = self._problem((self.w.shape[0], *many)).pad[1:]
        return tuple(Reach(r.taps, 1, r.dilation, r.extent - 1 - lo, 0, r.stride)
                     for r, lo in zip(spans, pads, strict=True))

    def output_shape(self, shape: Sequence[int]) -> Shape:
        """(O, *outputs) for an input (I, *lengths)."""
        return (self.channels[0], *self._problem(shape).signal[1:])

    def multiplications(self, shape: Sequence[int]) -> int:
        """Multiplications of the defining sum: stuffed zeros are not counted."""
        return signal_adjoint(self._problem(shape)).multiplications

    def _problem(self, shape: Sequence[int]) -> Problem:
        """The layer of which this is the adjoint, as the engine has it."""
        call = words.Words("conv_transpose", self.stride, self.padding, self.dilation, self.groups, self.boundary,
                           self.output_padding)
        return words.transposed(call, (1, *shape), self.w.shape, (self.w.dtype, self.w.dtype))

    # ---- as a filter bank --------------------------------------------------------------------------------------

    def adjoint(self, shape: Sequence[int]) -> Conv:
        """The `Conv` whose adjoint this is, for inputs here of these lengths.

        Examples
        --------
        >>> ConvTranspose([[[1.0, 10]]], stride=2).adjoint([3]).label
        'CONV2-1/2'
        """
        p = self._problem((self.w.shape[0], *shape))
        spans = zip(p.outputs[1:], p.down[1:], unpadded(self), p.pad[1:], p.signal[1:], strict=True)
        pads = tuple((lo, max((m - 1) * s + r.extent - lo - n, 0)) for m, s, r, lo, n in spans)
        return Conv(self.w, stride=self.stride, padding=pads, dilation=self.dilation, groups=self.groups,
                    boundary=self.boundary)

    def fir(self, o: int, i: int) -> FIR:
        """The system from input channel i, stuffed with zeros, to output channel o: the weights themselves.

        Examples
        --------
        >>> ConvTranspose([[[1, 2, 3]]], stride=2, padding=1).fir(0, 0)
        FIR([1, 2, 3], origin=1, fs=1)
        """
        reaches = self.reaches(self.ndim)
        system = Conv(self.w, dilation=self.dilation, groups=self.groups).fir(i, o).H
        taps = np.conj(system.taps)
        return FIR(taps, [r.extent - 1 - r.low for r in reaches])

    def matrix(self, shape: Sequence[int]) -> csr_array:
        """The sparse matrix for inputs of these lengths: the transpose of the `Conv`'s."""
        p = self._problem((self.w.shape[0], *shape))
        return self.adjoint(shape).matrix(p.signal[1:]).T.tocsr()

    def singular_values(self, shape: Sequence[int], count: int = 6) -> SingularValues:
        """The gains for inputs of these lengths: those of the `Conv`.

        Examples
        --------
        >>> up = ConvTranspose([[[1.0, 1]]], stride=2)
        >>> round(up.singular_values([4]).largest ** 2, 12)
        2.0
        """
        p = self._problem((self.w.shape[0], *shape))
        return self.adjoint(shape).singular_values(p.signal[1:], count=count)
