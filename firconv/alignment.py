"""By how much is one of them shifted? Alignment of two results by normalised correlation.

Two results of the same filter in two libraries differ by a lag, a sign, a gain, or a reversal more often than by
anything else. `align` finds these, and says what remains.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from firconv.convolution import correlate

__all__ = ["Alignment", "align"]


# ── align ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Alignment:
    """b[n + lag] ≈ gain·a'[n], where a' is `a`, reversed if `flip` and conjugated if `conjugate`.

    Attributes
    ----------
    lag : int or tuple of int
        How far b lies behind a; a float with ``subsample=True``.
    gain : float or complex
        Least squares on the overlap; negative for a change of sign.
    flip, conjugate : bool
    correlation : float
        |⟨a', b⟩| / (‖a'‖·‖b‖) on the overlap: 1 if nothing remains.
    remainder : float
        Largest |b − gain·a'| on the overlap, relative to the largest |b| there.
    overlap : tuple of int
        Lengths of the part that both cover.
    outside : float
        Largest |b| outside the overlap, relative to the largest |b|: what `a` says nothing about.
    """

    lag: Any
    gain: Any
    flip: bool
    conjugate: bool
    correlation: float
    remainder: float
    overlap: tuple[int, ...]
    outside: float

    @property
    def sign(self) -> int:
        """−1 if the result is turned over, else 1."""
        return -1 if complex(self.gain).real < 0 else 1

    def __str__(self) -> str:
        size = "×".join(map(str, self.overlap))
        words = (
            ["reversed"] * self.flip + ["conjugated"] * self.conjugate + [f"times {self.gain:.6g}"] * (self.gain != 1)
        )
        change = f", {', '.join(words)}" if words else ""
        lag = f"{self.lag:.6g}" if isinstance(self.lag, float) else self.lag
        return (
            f"b is a shifted by {lag}{change}\n  correlation {self.correlation:.6f} on {size} samples, "
            f"what remains there {self.remainder:.1e}, outside {self.outside:.1e}"
        )


def align(a: ArrayLike, b: ArrayLike, *, flip: bool = True, subsample: bool = False, overlap: float = 0.5) -> Alignment:
    """Lag, sign, gain and reversal that turn one result into the other: the largest |normalised correlation|.

    ρ(l) = Σ conj(a[n])·b[n + l] / √(Σ|a[n]|²·Σ|b[n + l]|²), sums over the n that both cover. The search is by FFT;
    the best lags are then summed directly, so that the peak is exact. Of equally good lags the one with the larger
    overlap is taken, then the one nearer to zero.

    Parameters
    ----------
    a, b : array_like
        Of the same number of dimensions; the lengths may differ.
    flip : bool
        Also try `a` reversed along all axes. A symmetric `a` is reported as not reversed.
    subsample : bool
        Refine the lag of 1-D signals below one sample, by the phase of their spectra: right for band-limited signals
        that fade at both ends.
    overlap : float
        Least part of the shorter array, per axis, that must overlap.

    Returns
    -------
    Alignment

    Raises
    ------
    ValueError
        For arrays of different dimensions, of zeros, with NaN or Inf; for subsample=True in more than one dimension.

    Examples
    --------
    >>> import numpy as np
    >>> a = np.random.default_rng(0).standard_normal(50)
    >>> found = align(a, -2 * np.roll(a, 3)[3:])
    >>> found.lag, found.gain, found.remainder
    (0, -2.0, 0.0)
    >>> align(np.convolve(a, [1, 2, 1, 5]), np.convolve(a, [1, 2, 1, 5], "same")).lag
    -1
    """
    first, second = (_checked(name, v) for name, v in (("a", a), ("b", b)))
    if first.ndim != second.ndim:
        raise ValueError(
            f"align(a, b): a has {first.ndim} dimensions and b has {second.ndim}: give two of the same kind"
        )
    if subsample and first.ndim != 1:
        raise ValueError(
            "align(a, b, subsample=True): lags below one sample are for 1-D signals; align the rows one by one"
        )
    if not 0 < overlap <= 1:
        raise ValueError(f"align(a, b, overlap=): {overlap!r} is no part: give a number above 0, at most 1")
    best = None
    for conjugate in (False, True) if first.dtype.kind == second.dtype.kind == "c" else (False,):
        for turned in (False, True) if flip else (False,):
            changed = _turned(first, turned, conjugate)
            rho, lag = _best_lag(changed, second, overlap)
            if best is None or rho > best[0] + 1e-9:
                best = rho, lag, turned, conjugate
    assert best is not None
    return _aligned(first, second, *best[1:], subsample)


def _checked(name: str, value: ArrayLike) -> np.ndarray:
    array = np.asarray(value)
    if array.dtype.kind not in "biufc" or array.size == 0 or array.ndim == 0:
        raise ValueError(f"align(a, b): {name} is no array of numbers (dtype {array.dtype}, shape {array.shape})")
    array = array.astype(np.result_type(array.dtype, np.float64))
    if not np.isfinite(array).all():
        raise ValueError(f"align(a, b): {name} holds NaN or Inf: compare the finite part")
    if not array.any():
        raise ValueError(f"align(a, b): {name} is zero everywhere, so no lag is better than another")
    return array


def _power(a: np.ndarray) -> float:
    """The power of two next to the largest sample."""
    return float(2.0 ** np.clip(np.frexp(np.abs(a).max())[1], -1000, 1000))


def _turned(a: np.ndarray, flip: bool, conjugate: bool) -> np.ndarray:
    a = a[(slice(None, None, -1),) * a.ndim] if flip else a
    return a.conj() if conjugate else a


def _best_lag(a: np.ndarray, b: np.ndarray, overlap: float) -> tuple[float, tuple[int, ...]]:
    """(|ρ|, lag) of the best lag: candidates by FFT, then exact sums."""
    ones_a, ones_b = np.ones(a.shape), np.ones(b.shape)
    a, b = a / np.abs(a).max(), b / np.abs(b).max()
    product = np.abs(correlate(b, a, method="fft"))
    energy = np.maximum(correlate(ones_b, np.abs(a) ** 2, method="fft"), 0) * np.maximum(
        correlate(np.abs(b) ** 2, ones_a, method="fft"), 0
    )
    least = [max(1, int(np.ceil(overlap * min(n, m)))) for n, m in zip(a.shape, b.shape, strict=True)]
    enough = _enough(a.shape, b.shape, least)
    floor = 1e-12 * energy[enough].max(initial=0)
    rho = np.where(enough & (energy > floor), product / np.sqrt(np.maximum(energy, floor or 1.0)), 0)
    near = np.argwhere(rho >= rho.max() - 1e-7)
    near = near[np.argsort(-rho[tuple(near.T)], kind="stable")][:64]
    lags = [tuple(int(i) - (n - 1) for i, n in zip(at, a.shape, strict=True)) for at in near]
    return max(((_rho(a, b, lag), lag) for lag in lags), key=lambda c: _rank(c, a.shape, b.shape))


def _enough(n: tuple[int, ...], m: tuple[int, ...], least: list[int]) -> np.ndarray:
    """Where the full correlation has at least this overlap along every axis."""
    enough = np.ones((1,) * len(n), bool)
    for axis, (na, nb, smallest) in enumerate(zip(n, m, least, strict=True)):
        lags = np.arange(-(na - 1), nb)
        mask = np.minimum(na, nb - lags) - np.maximum(0, -lags) >= smallest
        enough = enough & mask.reshape((-1,) + (1,) * (len(n) - 1 - axis))
    return enough


def _rank(candidate: tuple[float, tuple[int, ...]], n: tuple[int, ...], m: tuple[int, ...]) -> tuple[float, int, int]:
    rho, lag = candidate
    size = int(np.prod([min(na, nb - v) - max(0, -v) for na, nb, v in zip(n, m, lag, strict=True)]))
    return round(rho, 9), size, -sum(map(abs, lag))


def _parts(a: np.ndarray, b: np.ndarray, lag: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The samples of a and b that meet at this lag."""
    spans = [(max(0, -v), min(n, m - v)) for n, m, v in zip(a.shape, b.shape, lag, strict=True)]
    return (
        a[tuple(slice(lo, hi) for lo, hi in spans)],
        b[tuple(slice(lo + v, hi + v) for (lo, hi), v in zip(spans, lag, strict=True))],
    )


def _rho(a: np.ndarray, b: np.ndarray, lag: tuple[int, ...]) -> float:
    p, q = _parts(a, b, lag)
    size = float(np.linalg.norm(p) * np.linalg.norm(q))
    return float(abs(np.vdot(p, q))) / size if size else 0.0


def _aligned(
    a: np.ndarray, b: np.ndarray, lag: tuple[int, ...], flip: bool, conjugate: bool, subsample: bool
) -> Alignment:
    a = _turned(a, flip, conjugate)
    unit = _power(b) / _power(a)
    a, b = a / _power(a), b / _power(b)  # squares neither vanish nor overflow, and nothing is rounded
    p, q = _parts(a, b, lag)
    gain = np.vdot(p, q) / np.vdot(p, p)
    outside = np.abs(b).copy()
    _parts(a, outside, lag)[1][...] = 0
    shown: Any = lag[0] if len(lag) == 1 else lag
    rho, rest = _rho(a, b, lag), q - gain * p
    if subsample:
        fraction, gain, rest = _refined(p, q)
        shown = lag[0] + fraction
        rho = float(np.sqrt(max(0.0, 1 - np.vdot(rest, rest).real / np.vdot(q, q).real)))
    top = float(np.abs(b).max())
    here = float(np.abs(q).max()) or 1.0
    gain = gain * unit
    number = complex(gain) if b.dtype.kind == "c" or a.dtype.kind == "c" else float(np.real(gain))
    return Alignment(
        shown,
        number,
        flip,
        conjugate,
        min(rho, 1.0),
        float(np.abs(rest).max()) / here,
        p.shape,
        float(outside.max()) / top,
    )


# ── below one sample ──────────────────────────────────────────────────────────────────────────────────────────────────


def _refined(p: np.ndarray, q: np.ndarray) -> tuple[float, Any, np.ndarray]:
    """(fraction of a sample, gain, what remains): the delay that maximises |correlation|, by golden section and Newton.

    Both parts are padded with zeros to twice their length, so that a delay does not wrap round.
    """
    size = 2 * len(p)
    frequency = np.fft.fftfreq(size)
    spectrum = np.fft.fft(p, size)
    cross = spectrum.conj() * np.fft.fft(q, size)

    def score(delay: float) -> float:
        return float(abs(_real_if(np.sum(cross * np.exp(2j * np.pi * frequency * delay)), p, q)))

    low, high, golden = -1.0, 1.0, (5**0.5 - 1) / 2
    for _ in range(30):
        left, right = high - golden * (high - low), low + golden * (high - low)
        low, high = (low, right) if score(left) >= score(right) else (left, high)
    delay = _newton(cross, 2j * np.pi * frequency, (low + high) / 2, p, q)
    moved: np.ndarray = np.fft.ifft(spectrum * np.exp(-2j * np.pi * frequency * delay))[: len(p)]
    moved = moved if p.dtype.kind == "c" else moved.real
    gain = np.vdot(moved, q) / np.vdot(moved, moved)
    return delay, gain, q - gain * moved


def _newton(cross: np.ndarray, slope: np.ndarray, delay: float, p: np.ndarray, q: np.ndarray) -> float:
    """The zero of the derivative of |S(τ)|², S(τ) = Σ cross·e^{slope·τ}, near `delay`."""
    for _ in range(4):
        phase = cross * np.exp(slope * delay)
        s, s1, s2 = (_real_if(np.sum(phase * slope**n), p, q) for n in range(3))
        curvature = abs(s1) ** 2 + (np.conj(s) * s2).real
        if curvature >= 0:
            break
        delay -= float((np.conj(s) * s1).real / curvature)
    return delay


def _real_if(value: complex, p: np.ndarray, q: np.ndarray) -> complex:
    return value if p.dtype.kind == "c" or q.dtype.kind == "c" else value.real
