"""The convolutional layer: weights, and the words of `conv`; immutable, prepared once per input shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from firconv import boundary as bd
from firconv.nn import words
from firconv.nn.layer import Reach, Shape
from firconv.nn.values import Plans, Valued, frozen, frozen_bias
from firconv.nn.windows import frozen_words, reaches, size_word, stride_word
from firconv.systems import FIR

if TYPE_CHECKING:
    from scipy.sparse import csr_array
    from scipy.sparse.linalg import LinearOperator

    from firconv.nn.aliasing import Aliasing
    from firconv.nn.gains import SingularValues

__all__ = ["Conv", "Convolution"]


@dataclass(frozen=True, eq=False, repr=False)
class Convolution(Valued):
    """What a layer and its transpose share."""

    w: np.ndarray
    bias: np.ndarray | None = None
    stride: Any = field(default=1, kw_only=True)
    padding: Any = field(default=0, kw_only=True)
    dilation: Any = field(default=1, kw_only=True)
    groups: int = field(default=1, kw_only=True)
    boundary: Any = field(default="zero", kw_only=True)

    def __post_init__(self) -> None:
        call = f"{type(self).__name__}(w, …)"
        object.__setattr__(self, "w", frozen(self.w, call, "w", 3))
        object.__setattr__(self, "groups", words.integer(call, "groups", self.groups, 1))
        object.__setattr__(self, "boundary", list(self.boundary) if isinstance(self.boundary, list) else self.boundary)
        if self.w.shape[0] % self.groups:
            fits = ", ".join(str(g) for g in range(1, self.w.shape[0] + 1) if self.w.shape[0] % g == 0)
            raise ValueError(f"{call}: {self.w.shape[0]} channels (w.shape[0]) do not divide into "
                             f"groups={self.groups}: groups may be {fits}")
        for name in ("stride", "dilation"):
            words.per_axis(call, name, getattr(self, name), self.ndim)
        count = frozen_words(self, ("stride", "dilation"))
        if count not in (None, self.ndim):
            raise ValueError(f"{call}: padding={self.padding!r} has {count} pairs for {self.ndim} spatial axes; give "
                             "one pair per axis")
        bd.parse(self.boundary, self.ndim, call)
        object.__setattr__(self, "bias", frozen_bias(self.bias, call, self.channels[0]))
        object.__setattr__(self, "_plans", Plans())

    @property
    def ndim(self) -> int:  # type: ignore[override]
        """Number of spatial axes."""
        return self.w.ndim - 2

    @property
    def channels(self) -> tuple[int, int]:
        """(out, in)."""
        raise NotImplementedError("channels: a convolution or its transpose says which")

    @property
    def size(self) -> Shape:
        """Taps per axis."""
        return self.w.shape[2:]

    @property
    def parameters(self) -> int:  # type: ignore[override]
        """Weights and biases."""
        return self.w.size + (0 if self.bias is None else self.bias.size)

    def _words(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("stride", "padding", "dilation", "groups", "boundary")}

    def _grouped(self) -> str:
        return f" g{self.groups}" if self.groups > 1 else ""

    def energy(self, ndim: int) -> np.ndarray:
        """Squared weight of every tap, summed over the channels that an output reads, mean over outputs."""
        return (np.abs(self.w.astype(float if self.w.dtype.kind != "c" else complex)) ** 2).sum((0, 1)) \
            / self.channels[0]


@dataclass(frozen=True, eq=False, repr=False)
class Conv(Convolution):
    """A convolutional layer: y[n, o, t] = b[o] + Σ_i Σ_k w[o, i, k]·x̃[n, i, t·stride + k·dilation − lo].

    Parameters
    ----------
    w : array_like, shape (O, I/groups, *K)
    bias : array_like, shape (O,), optional
    stride, padding, dilation, groups, boundary
        As `firconv.nn.conv`.

    Notes
    -----
    Immutable: w and bias are read-only copies. Two layers are equal, and hash alike, where their words and the bits of
    their arrays are equal. Calling one prepares the weights once for every shape and dtype of input, of which the
    latest eight are kept; threads may share a layer.

    Raises
    ------
    ValueError, TypeError
        Weights of fewer than three dimensions, channels that do not divide, and words as in `conv`.

    Examples
    --------
    >>> import numpy as np
    >>> from firconv import nn
    >>> layer = nn.Conv([[[1.0, 2, 3]]], padding=1)
    >>> layer(np.array([[[1.0, 0, 0, 1]]]))
    array([[[2., 1., 3., 2.]]])
    >>> layer.fir(0, 0)
    FIR([3., 2., 1.], origin=1, fs=1)
    """

    @property
    def channels(self) -> tuple[int, int]:
        """(out, in)."""
        return self.w.shape[0], self.w.shape[1] * self.groups

    @property
    def label(self) -> str:
        """CONV3-64/2: taps, output channels, stride."""
        return f"CONV{size_word(self.size)}-{self.w.shape[0]}{stride_word(self.stride)}{self._grouped()}"

    def forward(self, x: np.ndarray) -> np.ndarray:
        """The layer's output for a batch."""
        from firconv.nn import plans

        plan = self._plans.get(x, lambda x: plans.plan(x, self.w, self.bias, **self._words()))  # type: ignore[attr-defined]
        return plan(x)

    def reaches(self, ndim: int, lengths: Shape | None = None) -> tuple[Reach, ...]:
        """What one output reads, per axis."""
        return reaches(self, ndim, lengths, self.size)

    def output_shape(self, shape: Sequence[int]) -> Shape:
        """(O, *outputs) for an input (I, *lengths)."""
        return (self.w.shape[0], *self._problem(shape).outputs[1:])

    def multiplications(self, shape: Sequence[int]) -> int:
        """Multiplications of the defining sum."""
        return self._problem(shape).multiplications

    def _problem(self, shape: Sequence[int]) -> Any:
        call = words.Words("conv", self.stride, self.padding, self.dilation, self.groups, self.boundary)
        return words.forward(call, (1, *shape), self.w.shape, (self.w.dtype, self.w.dtype))

    # ---- as a filter bank --------------------------------------------------------------------------------------

    def fir(self, o: int, i: int) -> FIR:
        """The system from input channel i to output channel o: the flipped weights, at the origin of the padding.

        ``fir(x, "same", boundary, down=stride)`` summed over i is channel o of the layer without bias, where the
        padding is "same". Channels of different groups have a filter of zeros.

        Examples
        --------
        >>> Conv([[[1, 2, 3, 4]]], padding=(2, 1)).fir(0, 0)
        FIR([4, 3, 2, 1], origin=1, fs=1)
        """
        from firconv.nn import bank

        return bank.fir(self, o, i)

    def frequency_response(self, freqs: Any = None, *, n: Any = None, band: Any = None,
                           whole: bool = False) -> tuple[Any, np.ndarray]:
        """(f, H): the matrix H[o, i] at every frequency, before any decimation, in cycles per sample.

        Parameters
        ----------
        freqs, n, band, whole
            Where, as in `firconv.response.frequency_response`.

        Returns
        -------
        f : array, or a tuple of one per axis
        H : complex array, shape (O, I, *points)

        Examples
        --------
        >>> f, H = Conv([[[1.0, 2, 1]], [[-1, 0, 1]]], padding=1).frequency_response([0, 0.25])
        >>> H[:, 0].round(6) + 0
        array([[4.+0.j, 2.+0.j],
               [0.+0.j, 0.+2.j]])
        """
        from firconv.nn import bank

        return bank.frequency_response(self, freqs, n=n, band=band, whole=whole)

    def singular_values(self, shape: Sequence[int], boundary: Any = None, count: int = 6) -> SingularValues:
        """The gains of the layer without bias on maps of one shape, largest first.

        Exact for boundary "wrap" with as many outputs as samples, by the frequencies of the ring; else from the matrix,
        or for large maps the `count` largest by iteration, with a bound that is certain.

        Parameters
        ----------
        shape : lengths of the spatial axes
        boundary : optional, in place of the layer's own

        Raises
        ------
        ValueError
            For "omit" and constants, under which the layer is not linear, or not one matrix for all channels.

        Examples
        --------
        >>> laplacian = Conv([[[[0.0, -1, 0], [-1, 4, -1], [0, -1, 0]]]], padding=1)
        >>> print(laplacian.singular_values((8, 8), "wrap"))
        64 singular values 8 … 0 (exact, from the frequencies of the ring); none above 8
        >>> gains = laplacian.singular_values((8, 8))
        >>> round(gains.largest, 12), round(gains.smallest, 12), gains.bound >= gains.largest
        (7.758770483144, 0.241229516856, True)
        """
        from firconv.nn import gains

        return gains.singular_values(self, shape, boundary, count)

    def lipschitz(self, shape: Sequence[int] | None = None, boundary: Any = None, tol: float = 1e-2) -> float:
        """A bound of ‖y₁ − y₂‖/‖x₁ − x₂‖ that no pair of inputs exceeds.

        For one shape the bound of `singular_values`; without it sup_f σ_max(H(f)), for maps of any shape with zeros or
        "wrap" beyond the ends. The supremum is between the largest sample on a grid and that times 1 + `tol`
        (a trigonometric polynomial of degree m exceeds its M samples at most by 1/cos(π·m/2M)); the upper one is
        returned.

        Examples
        --------
        >>> 4 <= Conv([[[1.0, 2, 1]]], padding=1).lipschitz() <= 4 * 1.01
        True
        """
        from firconv.nn import gains

        return gains.lipschitz(self, shape, boundary, tol)

    def aliasing(self, stride: Any = None, *, blur: int = 3, n: int = 64) -> Aliasing:
        """How much energy a stride folds, per frequency, without and with a binomial filter of `blur` taps before it.

        Parameters
        ----------
        stride : int or one per axis, optional
            Default the layer's own.
        n : frequencies per axis

        Examples
        --------
        >>> print(Conv([[[1.0]]]).aliasing(2))
        stride 2 folds 50 % of the output's energy, with a binomial filter of 3 taps before it 7.57 %
        """
        from firconv.nn import aliasing

        return aliasing.aliasing(self, stride, blur=blur, n=n)

    def matrix(self, shape: Sequence[int], boundary: Any = None) -> csr_array:
        """The sparse matrix from x.ravel() to the output's, for one map of I channels of this shape, without bias.

        Weight sharing made visible: every row of an output channel holds the same weights, shifted.

        Examples
        --------
        >>> Conv([[[1, 2, 3]]], padding=1).matrix([4]).toarray()
        array([[2, 3, 0, 0],
               [1, 2, 3, 0],
               [0, 1, 2, 3],
               [0, 0, 1, 2]])
        """
        from firconv.nn import bank

        return bank.matrix(self, shape, boundary)

    def operator(self, shape: Sequence[int], boundary: Any = None) -> LinearOperator:
        """The same map as a `scipy.sparse.linalg.LinearOperator`, by the engine, with its exact adjoint."""
        from firconv.nn.operator import LayerOperator

        return LayerOperator(self, shape, boundary)
