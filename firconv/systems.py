"""Linear shift-invariant systems as values: `FIR` (taps, origin, rate) and, from `rational`, `IIR`.

An FIR system is its impulse response: taps h[k], of which tap `origin` sits at displacement zero,

    y[t] = Σₖ h[k]·x̃[t + (c − k)]          c = origin, per axis

so `origin` 0 is causal and (K − 1)/2 is centred. A system knows no algorithm: calling it asks the engine. `down` > 1 or
`up` > 1 make the call periodically shift-varying; they are keywords of the call, not of the system.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from firconv.convolution import convolve, plan
from firconv.describe import PRESETS, preset
from firconv.plans import Plan
from firconv.rational import IIR

if TYPE_CHECKING:
    from scipy.sparse import csr_array
    from scipy.sparse.linalg import LinearOperator

__all__ = ["FIR", "IIR", "delta"]


@dataclass(frozen=True, eq=False, repr=False)
class FIR:
    """A finite impulse response in any number of dimensions, immutable and hashable.

    y[t] = Σₖ taps[k]·x̃[t + origin − k], per axis.

    Parameters
    ----------
    taps : array_like, shape (K₀, K₁, …)
        Copied and frozen; integers stay integers, so that an integer filter on integer samples is exact.
    origin : int, tuple of int, or preset
        Index of the tap at displacement zero, per axis; any integer, also outside the taps. A word names another
        system's place: "numpy", "scipy", "scipy2d", "opencv" (K−1)//2; "ndimage", "torch", "matlab" K//2; "causal" 0.
        "center" is (K−1)/2 and demands odd lengths.
    fs : float
        Samples per unit, the same in design, responses and plots; frequencies are in its unit.
    report : object, optional
        What a design achieved or a truncation dropped; printed with the system, no part of its identity.

    Raises
    ------
    ValueError
        No taps, taps that are not finite, an unknown preset, an origin of the wrong length, fs ≤ 0.
    TypeError
        Taps that are not numbers.

    Examples
    --------
    >>> smooth = FIR([0.25, 0.5, 0.25], origin=1)
    >>> smooth([0, 0, 4, 0, 0])
    array([0., 1., 2., 1., 0.])
    >>> smooth @ smooth == smooth ** 2
    True
    """

    taps: np.ndarray
    origin: Any = 0
    fs: float = 1.0
    report: Any = field(default=None)

    __array_ufunc__ = None  # NumPy scalars leave `2.0 * fir` to us

    def __post_init__(self) -> None:
        taps = _frozen(self.taps)
        if not (isinstance(self.fs, (int, float, np.number)) and np.isfinite(self.fs) and self.fs > 0):
            raise ValueError(f"FIR(…, fs=): {self.fs!r} is not a rate; give a positive number of samples per unit")
        object.__setattr__(self, "taps", taps)
        object.__setattr__(self, "origin", _origin(self.origin, taps.shape))
        object.__setattr__(self, "fs", float(self.fs))

    # ---- value -------------------------------------------------------------------------------------------------

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return self.taps.ndim

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of taps per axis."""
        return self.taps.shape

    @property
    def origins(self) -> tuple[int, ...]:
        """The origin as one integer per axis."""
        return (self.origin,) if self.ndim == 1 else self.origin

    @cached_property
    def _key(self) -> tuple[Any, ...]:
        return self.shape, self.taps.dtype.str, self.origin, self.fs, tuple(self.taps.ravel().tolist())

    def __eq__(self, other: object) -> bool:
        return self._key == other._key if isinstance(other, FIR) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key)

    def __repr__(self) -> str:
        taps = np.array2string(self.taps, separator=", ", threshold=16, edgeitems=3, precision=6)
        return f"FIR({taps}, origin={self.origin}, fs={self.fs:g})"

    def __str__(self) -> str:
        size = "×".join(map(str, self.shape))
        head = f"FIR, {size} taps ({self.taps.dtype}), origin {self.origin}, fs {self.fs:g}"
        return head if self.report is None else f"{head}\n{self.report}"

    # ---- filtering ---------------------------------------------------------------------------------------------

    def __call__(self, x: Any, mode: Any = "same", boundary: Any = "zero", **keywords: Any) -> np.ndarray:
        """Filter `x`: `firconv.convolve` with these taps and this origin, and its other keywords.

        Examples
        --------
        >>> FIR([1, -1])([1, 4, 9, 16])
        array([1, 3, 5, 7])
        """
        return convolve(x, self.taps, mode, boundary=boundary, origin=self.origin, **keywords)

    def plan(self, x: Any, mode: Any = "same", boundary: Any = "zero", **keywords: Any) -> Plan:
        """The plan of the call with the same arguments, by `firconv.plan`: print it to see what is chosen, and why.

        Parameters
        ----------
        x : array_like, or (shape, dtype)

        Examples
        --------
        >>> FIR([1.0, -1]).plan(((1000,), float)).method
        'direct'
        """
        return plan(x, self.taps, mode, boundary=boundary, origin=self.origin, **keywords)

    def zero_phase(self, x: Any, boundary: Any = "zero", *, method: str = "auto", **keywords: Any) -> np.ndarray:
        """Filter without delay in one call; the output is as long as `x`.

        Symmetric taps of odd length have a real response about their middle: they are applied *once*, with the origin
        moved there, and the response is the signed amplitude A(f). All others go forward and back, h then its adjoint
        in one pass, and the response is |H(f)|².

        Parameters
        ----------
        x : array_like
        boundary : as in the call
        method : {"auto", "origin", "twice"}
            Force one of the two ways.

        Raises
        ------
        ValueError
            "origin" for taps that are not symmetric about a tap, or an unknown method.

        Examples
        --------
        >>> FIR([1, 2, 1]).zero_phase([0, 0, 1, 0, 0])
        array([0, 1, 2, 1, 0])
        >>> FIR([1, 1]).zero_phase([0, 0, 1, 0, 0])
        array([0, 1, 2, 1, 0])
        """
        from firconv.response import linear_phase

        if method not in ("auto", "origin", "twice"):
            raise ValueError(f"zero_phase(method={method!r}): use 'auto', 'origin' or 'twice'")
        phase = linear_phase(self) if method != "twice" and self.taps.any() else None
        centred = phase is not None and phase.symmetric and all(float(d).is_integer() for d in phase.delays)
        if method == "origin" and not centred:
            raise ValueError("zero_phase(method='origin'): the taps are not symmetric about a tap; use 'twice'")
        if centred and phase is not None:
            shifted = [c + int(d) for c, d in zip(self.origins, phase.delays, strict=True)]
            return replace(self, origin=shifted)(x, "same", boundary, **keywords)
        return (self.H @ self)(x, "same", boundary, **keywords)

    # ---- algebra -----------------------------------------------------------------------------------------------

    def _like(self, taps: np.ndarray, origin: Sequence[int]) -> FIR:
        return FIR(taps, origin, self.fs)

    def _check(self, other: FIR, sign: str) -> None:
        if other.fs != self.fs:
            raise ValueError(f"a {sign} b: the systems run at fs={self.fs:g} and fs={other.fs:g}; "
                             "resample, or replace one fs")
        if other.ndim != self.ndim:
            raise ValueError(f"a {sign} b: the systems have {self.ndim} and {other.ndim} dimensions; "
                             "use .outer to build the separable one")

    def __matmul__(self, other: Any) -> Any:
        """Series: taps convolved, origins added."""
        if isinstance(other, IIR):
            return IIR.from_fir(self) @ other
        if not isinstance(other, FIR):
            return NotImplemented
        self._check(other, "@")
        taps = convolve(self.taps, other.taps, "full", method="direct")
        return self._like(taps, [a + b for a, b in zip(self.origins, other.origins, strict=True)])

    def __add__(self, other: Any) -> Any:
        """Parallel: taps added at equal displacements."""
        if isinstance(other, IIR):
            return IIR.from_fir(self) + other
        if not isinstance(other, FIR):
            return NotImplemented
        self._check(other, "+")
        pairs = list(zip(self.origins, other.origins, strict=True))
        origin = [max(pair) for pair in pairs]
        shifts = [[c - o for c, o in zip(origin, system.origins, strict=True)] for system in (self, other)]
        shape = [max(i + n, j + m) for i, n, j, m in zip(shifts[0], self.shape, shifts[1], other.shape, strict=True)]
        taps = np.zeros(shape, np.result_type(self.taps, other.taps))
        for system, shift in zip((self, other), shifts, strict=True):
            taps[tuple(slice(i, i + n) for i, n in zip(shift, system.shape, strict=True))] += system.taps
        return self._like(taps, origin)

    def __mul__(self, gain: Any) -> FIR:
        """Gain: every tap times one number."""
        if not (np.isscalar(gain) or (isinstance(gain, np.ndarray) and gain.ndim == 0)):
            return NotImplemented
        return self._like(self.taps * gain, self.origins)

    __rmul__ = __mul__

    def __truediv__(self, gain: Any) -> FIR:
        if not np.isscalar(gain):
            return NotImplemented
        if gain == 0:
            raise ValueError(f"fir / {gain!r}: the gain is zero; divide by another number")
        return self._like(self.taps / gain, self.origins)

    def __neg__(self) -> FIR:
        return self * -1

    def __sub__(self, other: Any) -> Any:
        return self + -other if isinstance(other, (FIR, IIR)) else NotImplemented

    def __pow__(self, n: int) -> FIR:
        """The system n times in series; n = 0 is the identity."""
        if not isinstance(n, (int, np.integer)) or n < 0:
            raise ValueError(f"fir ** {n!r}: the power of a system is an integer, zero or more")
        result = self._like(np.ones((1,) * self.ndim, self.taps.dtype), (0,) * self.ndim)
        for _ in range(n):
            result = result @ self
        return result

    @property
    def H(self) -> FIR:
        """The adjoint, ⟨h∗x, y⟩ = ⟨x, h.H∗y⟩: conjugated and reversed, i.e. correlation with the same taps."""
        return self._like(np.flip(self.taps).conj(), [k - 1 - c for k, c in zip(self.shape, self.origins, strict=True)])

    def flip(self) -> FIR:
        """Time reversal h[−n], without conjugation."""
        return self._like(np.flip(self.taps), [k - 1 - c for k, c in zip(self.shape, self.origins, strict=True)])

    def delay(self, n: int | Sequence[int]) -> FIR:
        """Later by `n` samples, per axis: the same taps, origin − n.

        >>> FIR([1]).delay(2)([1, 2, 3, 4])
        array([0, 0, 1, 2])
        """
        steps = _per_axis(n, self.ndim, "delay")
        return self._like(self.taps, [c - d for c, d in zip(self.origins, steps, strict=True)])

    def dilate(self, d: int | Sequence[int]) -> FIR:
        """H(z^d): d − 1 zeros between the taps, per axis; the rate stays.

        >>> FIR([1, 2, 3], origin=1).dilate(2)
        FIR([1, 0, 2, 0, 3], origin=2, fs=1)
        """
        steps = _per_axis(d, self.ndim, "dilate")
        if min(steps) < 1:
            raise ValueError(f"dilate({d!r}): the factor is at least 1")
        taps = np.zeros([(k - 1) * s + 1 for k, s in zip(self.shape, steps, strict=True)], self.taps.dtype)
        taps[tuple(slice(None, None, s) for s in steps)] = self.taps
        return self._like(taps, [c * s for c, s in zip(self.origins, steps, strict=True)])

    def polyphase(self, factor: int | Sequence[int]) -> tuple[FIR, ...]:
        """The M phases by displacement: phase p holds h at displacements m·M + p.

        H(z) = Σₚ z^−p·Eₚ(z^M), so ``sum of e.dilate(M).delay(p)`` is the system again. Several axes give ∏M phases in
        C order of (p₀, p₁, …). `fs` is kept; a phase that runs behind a decimator runs at fs/M.

        >>> FIR([1, 2, 3, 4, 5], origin=1).polyphase(2)
        (FIR([2, 4], origin=0, fs=1), FIR([1, 3, 5], origin=1, fs=1))
        """
        steps = _per_axis(factor, self.ndim, "polyphase")
        if min(steps) < 1:
            raise ValueError(f"polyphase({factor!r}): the factor is at least 1")
        return tuple(self._phase(p, steps) for p in np.ndindex(*steps))

    def _phase(self, p: tuple[int, ...], steps: tuple[int, ...]) -> FIR:
        taps, origin = self.taps, []
        for axis, (phase, step, c) in enumerate(zip(p, steps, self.origins, strict=True)):
            start = (phase + c) % step  # first index k with k − c ≡ phase (mod step)
            taps = taps[(slice(None),) * axis + (slice(start, None, step),)]
            origin.append((phase + c - start) // step)
        if taps.size == 0:  # no tap at these displacements
            return self._like(np.zeros((1,) * self.ndim, self.taps.dtype), (0,) * self.ndim)
        return self._like(taps, origin)

    def outer(self, other: FIR) -> FIR:
        """The separable system h₁[n]·h₂[m]: the axes of `self`, then those of `other`.

        >>> FIR([1, 2], origin=1).outer(FIR([1, 0, -1], origin=1)).taps
        array([[ 1,  0, -1],
               [ 2,  0, -2]])
        """
        if not isinstance(other, FIR):
            raise TypeError(f"a.outer({other!r}): give an FIR; FIR(taps, origin) makes one of taps")
        if other.fs != self.fs:
            raise ValueError(f"a.outer(b): fs={self.fs:g} and fs={other.fs:g} differ; replace one")
        return self._like(np.multiply.outer(self.taps, other.taps), self.origins + other.origins)

    def crop(self, tol: float = 0.0) -> FIR:
        """Without outer taps (rows, columns) that are nowhere larger than tol·max|h|; the origin moves along.

        The response changes by at most the sum of the dropped magnitudes. A zero system becomes one zero tap.

        >>> FIR([0, 0, 1, 2, 0], origin=2).crop()
        FIR([1, 2], origin=0, fs=1)
        """
        if not 0 <= tol < 1:
            raise ValueError(f"crop({tol!r}): the tolerance is relative to the largest tap, 0 ≤ tol < 1")
        size = np.abs(self.taps)
        kept = np.nonzero(size > tol * size.max())
        if kept[0].size == 0:
            return self._like(np.zeros((1,) * self.ndim, self.taps.dtype), (0,) * self.ndim)
        lo = [int(i.min()) for i in kept]
        box = tuple(slice(a, int(i.max()) + 1) for a, i in zip(lo, kept, strict=True))
        return self._like(self.taps[box], [c - a for c, a in zip(self.origins, lo, strict=True)])

    # ---- as a linear map ---------------------------------------------------------------------------------------

    def matrix(self, shape: int | Sequence[int], mode: Any = "same", boundary: Any = "zero", *, up: Any = 1,
               down: Any = 1, dilation: Any = 1) -> csr_array:
        """The sparse matrix that takes ``x.ravel()`` to ``self(x, mode, boundary, …).ravel()``.

        Doubly-block Toeplitz where the boundary is zero; other boundaries put their samples into the same columns.

        Parameters
        ----------
        shape : int or tuple of int
            Of the signal, one length per axis of the taps.

        Raises
        ------
        ValueError
            For a non-zero constant boundary, which is affine.

        Examples
        --------
        >>> FIR([1, 2, 3], origin=1).matrix(4).toarray()
        array([[2, 1, 0, 0],
               [3, 2, 1, 0],
               [0, 3, 2, 1],
               [0, 0, 3, 2]])
        """
        from firconv.operators import matrix

        return matrix(self, shape, mode, boundary, up=up, down=down, dilation=dilation)

    def operator(self, shape: int | Sequence[int], mode: Any = "same", boundary: Any = "zero", *, up: Any = 1,
                 down: Any = 1, dilation: Any = 1, method: str = "auto", dtype: Any = None,
                 workers: int | None = None) -> LinearOperator:
        """The same map as a `scipy.sparse.linalg.LinearOperator`, by the engine; its adjoint is exact.

        Examples
        --------
        >>> A = FIR([1.0, 2.0, 3.0], origin=1).operator(4, boundary="wrap")
        >>> A @ [1.0, 0.0, 0.0, 0.0]
        array([2., 3., 0., 1.])
        >>> A.H @ [1.0, 0.0, 0.0, 0.0]
        array([2., 1., 0., 3.])
        """
        from firconv.operators import build

        return build(self, shape, mode, boundary, up=up, down=down, dilation=dilation, method=method, dtype=dtype,
                     workers=workers)


def delta(ndim: int = 1, fs: float = 1.0) -> FIR:
    """The identity system: one tap of one at the origin.

    >>> delta()([3, 1, 2])
    array([3, 1, 2])
    """
    return FIR(np.ones((1,) * ndim, np.int64), (0,) * ndim, fs)


def _frozen(taps: Any) -> np.ndarray:
    array = np.array(taps)
    if array.dtype == bool:
        array = array.astype(np.int64)
    if array.dtype.kind not in "iufc":
        raise TypeError(f"FIR(taps): dtype {array.dtype} is not a number type; give an array of numbers")
    if array.ndim == 0 or array.size == 0:
        raise ValueError(f"FIR(taps): shape {array.shape} holds no taps; give at least one, in an array")
    if not np.isfinite(array).all():
        raise ValueError("FIR(taps): taps must be finite; replace the NaN or infinite ones")
    array.flags.writeable = False
    return array


def _origin(origin: Any, shape: tuple[int, ...]) -> Any:
    if isinstance(origin, str):
        if origin == "center" and any(k % 2 == 0 for k in shape):
            raise ValueError(f"FIR(…, origin='center'): lengths {shape} have no middle tap; give an index")
        if origin not in (*PRESETS, "center"):
            raise ValueError(f"FIR(…, origin={origin!r}): no such preset; use 'center' or one of {', '.join(PRESETS)}")
        places = tuple(preset(origin if origin != "center" else "numpy", "convolve", k) for k in shape)
    else:
        places = _per_axis(origin, len(shape), "origin", same=len(shape) == 1 or origin == 0)
    return places[0] if len(shape) == 1 else places


def _per_axis(value: Any, ndim: int, name: str, same: bool = True) -> tuple[int, ...]:
    """One integer per axis, from one integer (for all) or a sequence."""
    try:
        values = (operator.index(value),) * ndim if same and np.ndim(value) == 0 else tuple(map(operator.index, value))
    except TypeError:
        values = ()
    if len(values) != ndim:
        raise ValueError(f"{name}={value!r}: give one integer for each of the {ndim} axes of the taps")
    return values
