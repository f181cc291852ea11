"""`IIR`: the rational system, as a delay and a cascade of second-order sections; scipy.signal does the filtering.

    H(z) = z^−lag · ∏ₛ (b₀ + b₁z⁻¹ + b₂z⁻²) / (1 + a₁z⁻¹ + a₂z⁻²)

The zeros and poles at z = 0 that scipy's polynomial forms lose are kept, in `lag`: a negative lag is an advance, and
the system is not causal.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from firconv.systems import FIR

#: Longest impulse response that `truncate` writes out.
LONGEST = 1 << 22


@dataclass(frozen=True)
class Truncation:
    """What cutting an impulse response left out.

    Attributes
    ----------
    taps : number kept
    tol : fraction of the energy that was allowed to go
    missing : upper bound of the fraction of the energy that went; also the mean squared error of the response over
        frequency, relative to the mean of |H|² (Parseval)
    """

    taps: int
    tol: float
    missing: float

    def __str__(self) -> str:
        return (f"truncated to {self.taps} taps: at most {self.missing:.2e} of the energy is missing "
                f"(asked: {self.tol:.0e})")


class IIR:
    """A rational discrete-time system, immutable and hashable, one-dimensional and real.

    Σₖ a[k]·y[n − k] = Σₖ b[k]·x[n − k]

    Parameters
    ----------
    b, a : array_like, 1-D
        Coefficients of z⁰, z⁻¹, …; leading zeros are delays (of b) or advances (of a).
    fs : float
        Samples per unit.

    Raises
    ------
    ValueError
        Complex, empty, all-zero or non-finite coefficients; fs ≤ 0.

    Examples
    --------
    >>> leaky = IIR([1.0], [1.0, -0.5])
    >>> leaky([1, 1, 1, 0])
    array([1.   , 1.5  , 1.75 , 0.875])
    >>> leaky.poles, leaky.stable
    (array([0.5]), True)
    """

    __array_ufunc__ = None
    ndim = 1
    sos: np.ndarray
    lag: int
    fs: float

    def __init__(self, b: Any, a: Any = (1.0,), fs: float = 1.0) -> None:
        b, lag_b = _polynomial(b, "b")
        a, lag_a = _polynomial(a, "a")
        self._set(np.roots(b), np.roots(a), b[0] / a[0], lag_b - lag_a, fs)

    @classmethod
    def from_zpk(cls, z: Any, p: Any, k: float, fs: float = 1.0) -> IIR:
        """From H(z) = k·∏(z − zᵢ) / ∏(z − pᵢ); every pole more than zeros is a sample of delay.

        >>> IIR.from_zpk([], [0.5], 1.0)([1, 0, 0])
        array([0. , 1. , 0.5])
        """
        zeros, poles = (_roots(v, name) for v, name in ((z, "zeros"), (p, "poles")))
        if isinstance(k, complex) or not np.isfinite(k) or k == 0:
            raise ValueError(f"IIR.from_zpk(…, k={k!r}): the gain is a real number, not zero")
        system = cls.__new__(cls)
        system._set(zeros[zeros != 0], poles[poles != 0], float(k), len(poles) - len(zeros), fs)
        return system

    @classmethod
    def from_sos(cls, sos: Any, fs: float = 1.0, lag: int = 0) -> IIR:
        """From second-order sections (b₀ b₁ b₂ a₀ a₁ a₂), as `scipy.signal` designs them, and a delay.

        >>> IIR.from_sos([[1, 0, 0, 1, -0.5, 0]])([1, 0, 0])
        array([1.  , 0.5 , 0.25])
        """
        array = np.array(sos)
        if array.ndim != 2 or array.shape[1] != 6 or array.dtype.kind not in "iuf" or not np.isfinite(array).all():
            raise ValueError(f"IIR.from_sos(sos): shape {array.shape}, dtype {array.dtype}; give real, finite rows of "
                             "six")
        if not array[:, 3].all():
            raise ValueError("IIR.from_sos(sos): a section has a₀ = 0; divide the delay out and pass it as lag")
        system = cls.__new__(cls)
        system._freeze(array / array[:, 3:4], lag, fs)
        return system

    @classmethod
    def from_fir(cls, fir: FIR) -> IIR:
        """The same system as sections. For more than 64 taps the roots lose digits: that raises."""
        if fir.ndim != 1 or fir.taps.dtype.kind == "c" or fir.taps.size > 64:
            raise ValueError(f"IIR.from_fir: {fir.taps.size} {fir.taps.dtype} taps in {fir.ndim} dimensions; sections "
                             "hold a real 1-D system of up to 64 taps. Apply the two systems one after the other")
        return cls(fir.taps, fs=fir.fs).delay(-fir.origin)

    def _set(self, z: np.ndarray, p: np.ndarray, k: float, lag: int, fs: float) -> None:
        from scipy.signal import zpk2sos

        self._freeze(zpk2sos(z, p, k), lag, fs)

    def _freeze(self, sos: np.ndarray, lag: int, fs: float) -> None:
        if not (isinstance(fs, (int, float, np.number)) and np.isfinite(fs) and fs > 0):
            raise ValueError(f"IIR(…, fs=): {fs!r} is not a rate; give a positive number of samples per unit")
        sos = np.array(sos, float)
        sos.flags.writeable = False
        self.__dict__.update(sos=sos, lag=operator.index(lag), fs=float(fs))

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"IIR is immutable: build a new one instead of setting {name}")

    # ---- value -------------------------------------------------------------------------------------------------

    @cached_property
    def _key(self) -> tuple[Any, ...]:
        return tuple(self.sos.ravel().tolist()), self.lag, self.fs

    def __eq__(self, other: object) -> bool:
        return self._key == other._key if isinstance(other, IIR) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key)

    def __repr__(self) -> str:
        return f"IIR.from_sos({self.sos.tolist()}, fs={self.fs:g}, lag={self.lag})"

    def __str__(self) -> str:
        kind = "stable" if self.stable else "UNSTABLE"
        return f"IIR, {len(self.sos)} sections, {kind}, largest pole {self.radius:.6g}, lag {self.lag}, fs {self.fs:g}"

    @cached_property
    def _ba(self) -> tuple[np.ndarray, np.ndarray]:
        from scipy.signal import sos2tf

        b, a = (np.trim_zeros(np.asarray(c), "b") for c in sos2tf(self.sos))
        return b, a

    @property
    def b(self) -> np.ndarray:
        """Numerator in z⁻¹, without the lag."""
        return self._ba[0]

    @property
    def a(self) -> np.ndarray:
        """Denominator in z⁻¹, a[0] = 1, without the lag."""
        return self._ba[1]

    def _finite_roots(self, columns: slice) -> np.ndarray:
        """Roots in z of every section's polynomial, without those at zero."""
        rows = [np.roots(np.trim_zeros(row, "b")) for row in self.sos[:, columns]]
        return np.concatenate(rows) if rows else np.zeros(0)

    @property
    def zeros(self) -> np.ndarray:
        """Zeros in the z-plane, also those at z = 0; leading zero coefficients are infinite zeros and do not count."""
        return self._with_origin(slice(0, 3), +1)

    @property
    def poles(self) -> np.ndarray:
        """Poles in the z-plane, also those at z = 0."""
        return self._with_origin(slice(3, 6), -1)

    def _with_origin(self, columns: slice, side: int) -> np.ndarray:
        roots = self._finite_roots(columns)
        excess = len(self._finite_roots(slice(3, 6))) - len(self._finite_roots(slice(0, 3)))
        lost = sum(len(row) - len(np.trim_zeros(row, "f")) for row in self.sos[:, :3])  # b₀ = 0 is a delay too
        at_zero = side * (excess - self.lag - lost)
        return np.concatenate([roots, np.zeros(max(at_zero, 0))])

    @cached_property
    def radius(self) -> float:
        """Modulus of the largest pole."""
        return float(np.abs(self._finite_roots(slice(3, 6))).max(initial=0.0))

    @property
    def stable(self) -> bool:
        """True if every pole lies inside the unit circle, i.e. Σ|h[n]| is finite."""
        return self.radius < 1

    @property
    def causal(self) -> bool:
        """True if no output needs later samples."""
        return self.lag >= 0

    # ---- filtering ---------------------------------------------------------------------------------------------

    def __call__(self, x: Any, mode: Any = "same", boundary: str = "zero", *, axis: int = -1) -> np.ndarray:
        """Filter along `axis`, starting at rest: `scipy.signal.sosfilt`, with the lag.

        Parameters
        ----------
        mode : "same" or (start, stop)
            Outputs t = 0 … N − 1, or any window of positions.
        boundary : "zero"
            The signal is zero before and after; other extensions have no end under an infinite response.

        Raises
        ------
        ValueError
            Another mode ("full" never ends) or boundary.
        """
        if boundary != "zero":
            raise ValueError(f"iir(x, boundary={boundary!r}): an infinite response reads infinitely far; only 'zero' "
                             "is defined. Truncate to an FIR, or use zero_phase")
        x = np.asarray(x)
        if x.ndim == 0 or x.size == 0 or x.dtype.kind not in "buifc":
            raise ValueError(f"iir(x): {x.dtype} of shape {x.shape} holds no samples; give an array of numbers")
        x = np.moveaxis(x, axis, -1)
        start, stop = self._window(mode, x.shape[-1])
        need = max(stop - self.lag, 0)
        x = x[..., :need]
        padded = np.concatenate([x, np.zeros((*x.shape[:-1], need - x.shape[-1]), x.dtype)], axis=-1)
        y = _run(self.sos, padded)
        before = min(max(self.lag - start, 0), stop - start)
        y = np.concatenate([np.zeros((*y.shape[:-1], before), y.dtype), y[..., max(start - self.lag, 0):]], axis=-1)
        return np.moveaxis(y, -1, axis)

    @staticmethod
    def _window(mode: Any, n: int) -> tuple[int, int]:
        if mode == "same":
            return 0, n
        if isinstance(mode, tuple) and len(mode) == 2 and mode[0] < mode[1]:
            return operator.index(mode[0]), operator.index(mode[1])
        raise ValueError(f"iir(x, mode={mode!r}): use 'same' or a window (start, stop); a full response never ends")

    def zero_phase(self, x: Any, *, axis: int = -1, **keywords: Any) -> np.ndarray:
        """Forward and backward, `scipy.signal.sosfiltfilt`: no delay, response |H|²; unstable systems raise."""
        from scipy.signal import sosfiltfilt

        if not self.stable:
            raise ValueError(f"zero_phase: the system is unstable (largest pole {self.radius:.6g})")
        return sosfiltfilt(self.sos.copy(), x, axis=axis, **keywords)

    def truncate(self, tol: float = 1e-12) -> FIR:
        """The shortest FIR that holds all but the fraction `tol` of the impulse response's energy.

        The energy beyond K samples is x_Kᵀ·Q·x_K with the state x_K and the observability Gramian Q = AᵀQA + CᵀC, so
        the bound is that of the infinite tail. It is in ``.report``.

        Raises
        ------
        ValueError
            An unstable system, tol outside [1e-15, 1), or more than 2²² taps.

        Examples
        --------
        >>> fir = IIR([1.0], [1.0, -0.5]).truncate(1e-3)
        >>> fir
        FIR([1.    , 0.5   , 0.25  , 0.125 , 0.0625], origin=0, fs=1)
        >>> print(fir.report)
        truncated to 5 taps: at most 9.77e-04 of the energy is missing (asked: 1e-03)
        """
        from firconv.systems import FIR

        if not self.stable:
            raise ValueError(f"truncate: the system is unstable (largest pole {self.radius:.6g}); its energy is "
                             "infinite")
        if not 1e-15 <= tol < 1:
            raise ValueError(f"truncate({tol!r}): the tolerance is a fraction of the energy, 1e-15 ≤ tol < 1")
        count, missing = _cut(self.sos, tol)
        taps = _run(self.sos, np.eye(1, count)[0])
        return FIR(taps, -self.lag, self.fs, Truncation(count, tol, missing))

    # ---- algebra -----------------------------------------------------------------------------------------------

    def _other(self, other: Any, sign: str) -> IIR | None:
        from firconv.systems import FIR

        if isinstance(other, FIR):
            other = IIR.from_fir(other)
        if not isinstance(other, IIR):
            return None
        if other.fs != self.fs:
            raise ValueError(f"a {sign} b: the systems run at fs={self.fs:g} and fs={other.fs:g}; "
                             "resample, or replace one fs")
        return other

    def __matmul__(self, other: Any) -> IIR:
        """Series: the sections of both, lags added."""
        other = self._other(other, "@")
        if other is None:
            return NotImplemented
        return IIR.from_sos(np.concatenate([self.sos, other.sos]), self.fs, self.lag + other.lag)

    __rmatmul__ = __matmul__  # series systems commute

    def __add__(self, other: Any) -> IIR:
        """Parallel: over the common denominator."""
        other = self._other(other, "+")
        if other is None:
            return NotImplemented
        lag = min(self.lag, other.lag)
        terms = [np.concatenate([np.zeros(p.lag - lag), np.convolve(p.b, q.a)])
                 for p, q in ((self, other), (other, self))]
        b = np.zeros(max(map(len, terms)))
        for term in terms:
            b[:len(term)] += term
        return IIR(b, np.convolve(self.a, other.a), self.fs).delay(lag)

    __radd__ = __add__

    def __mul__(self, gain: Any) -> IIR:
        if not np.isscalar(gain) or np.iscomplexobj(gain):
            return NotImplemented
        sos = self.sos.copy()
        sos[0, :3] *= gain
        return IIR.from_sos(sos, self.fs, self.lag)

    __rmul__ = __mul__

    def __truediv__(self, gain: Any) -> IIR:
        if not isinstance(gain, (int, float, np.integer, np.floating)):
            return NotImplemented
        if gain == 0:
            raise ValueError(f"iir / {gain!r}: the gain is zero; divide by another number")
        return self * (1 / float(gain))

    def __pow__(self, n: int) -> IIR:
        """The system n times in series; n = 0 is the identity."""
        if not isinstance(n, (int, np.integer)) or n < 0:
            raise ValueError(f"iir ** {n!r}: the power of a system is an integer, zero or more")
        sections = np.tile(self.sos, (n, 1)) if n else np.eye(1, 6) + np.eye(1, 6, 3)
        return IIR.from_sos(sections, self.fs, n * self.lag)

    def __neg__(self) -> IIR:
        return self * -1.0

    def __sub__(self, other: Any) -> IIR:
        return NotImplemented if self._other(other, "-") is None else self + -other

    def __rsub__(self, other: Any) -> IIR:
        return NotImplemented if self._other(other, "-") is None else -self + other

    def delay(self, n: int) -> IIR:
        """Later by `n` samples."""
        return IIR.from_sos(self.sos, self.fs, self.lag + operator.index(n))


def _polynomial(c: Any, name: str) -> tuple[np.ndarray, int]:
    """Coefficients without outer zeros, and how many led."""
    array = np.atleast_1d(np.asarray(c))
    if array.dtype.kind not in "iuf" or array.ndim != 1 or not np.isfinite(array).all() or not array.any():
        raise ValueError(f"IIR(b, a): {name}={c!r}; give real, finite coefficients, 1-D and not all zero")
    lead = int(np.flatnonzero(array)[0])
    return np.trim_zeros(array.astype(float)), lead


def _roots(values: Any, name: str) -> np.ndarray:
    array = np.atleast_1d(np.asarray(values, complex))
    unpaired = np.sort_complex(array) - np.sort_complex(array.conj())
    if array.ndim != 1 or not np.isfinite(array).all() or np.abs(unpaired).max(initial=0) > 1e-8:
        raise ValueError(f"IIR.from_zpk: the {name} {values!r} must be finite and come in conjugate pairs")
    return array


def _run(sos: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The cascade along the last axis, from rest (scipy's loop wants sections that it could write to)."""
    from scipy.signal import sosfilt

    return sosfilt(sos.copy(), x, axis=-1)


def _cut(sos: np.ndarray, tol: float) -> tuple[int, float]:
    """(K, fraction of the energy beyond K samples), K minimal for `tol`: bisection over powers of the state matrix."""
    from scipy.linalg import solve_discrete_lyapunov

    A, B, C, D = _state_space(sos)
    Q = solve_discrete_lyapunov(A.T, np.outer(C, C))
    total = float(D * D + B @ Q @ B)

    def left(state: np.ndarray) -> float:
        return max(float(state @ Q @ state), 0.0) / total if total else 0.0

    if left(B) <= tol:
        return 1, left(B)
    powers = [A]
    while left(powers[-1] @ B) > tol:
        if 1 << len(powers) > LONGEST:
            raise ValueError(f"truncate({tol!r}): more than {LONGEST:,} taps are needed; raise tol")
        powers.append(powers[-1] @ powers[-1])
    state, count = B, 1  # the largest count that is known to be too small, and its state
    for j in reversed(range(len(powers))):
        later = powers[j] @ state
        if left(later) > tol:
            state, count = later, count + (1 << j)
    return count + 1, left(A @ state)


def _state_space(sos: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """The cascade as x' = Ax + Bu, y = Cx + Du, two states a section (transposed direct form II)."""
    n = 2 * len(sos)
    A, B, C, D = np.zeros((n, n)), np.zeros(n), np.zeros(n), 1.0
    for i, (b0, b1, b2, _, a1, a2) in enumerate(sos):
        s = slice(2 * i, 2 * i + 2)
        drive = np.array([b1 - a1 * b0, b2 - a2 * b0])
        A[s, s] = [[-a1, 1], [-a2, 0]]
        A[s] += np.outer(drive, C)  # the section's input is the output so far
        B[s] = drive * D
        C, D = b0 * C, b0 * D
        C[2 * i] += 1
    return A, B, C, D
