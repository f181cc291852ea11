"""H(f) = Σₖ h[k]·exp(−2πj·f·(k − c)) at many frequencies: the arithmetic under `response`, f in cycles per sample.

Four ways, by what the frequencies are:

- `circle`: all N points k/N. For N ≫ K a pruned DFT: with N = R·L and L ≥ K, point r + R·q is the q-th output of an
  L-point DFT of h[n]·W_N^{nr}, so R short transforms replace one long one, and for real taps half of them by symmetry.
- `zoom`: P points f₀ + k·Δ, by the chirp-z transform in blocks of about 3·K outputs that share one chirp.
- `points`: any frequencies. Few: blocked Horner, i.e. powers z⁰ … z^{B−1} of a chunk of points, one matrix product with
  the taps as rows of B, then Horner in z^B over the rows. Many: a table of H and eight derivatives on a circle so fine
  that the Taylor remainder is below an ulp; then a point costs nine terms whatever K is.
- `plane`: n-D on a grid of per-axis frequencies, one small matrix product per axis, or an FFT where the taps are many.

All phases are reduced modulo one turn before the exponential, so that long taps lose no digits. Blocks go to the
library's own threads; no value depends on their number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil, factorial, log2, pi, prod

import numpy as np

from firconv import threads

#: Points k/N are worth pruning from this many on; below, one FFT does.
PRUNE_FROM = 1 << 14
#: Columns of one batch of short transforms; 32 columns of 2,048 complex numbers are 1 MB.
COLUMNS = 32
#: Points of one chunk of `points`: powers and partial sums stay in the L2 cache. A table takes more at once, because
#: its few steps are so short that threads would wait for the interpreter.
CHUNK, GATHERED = 2048, 1 << 14
#: Taylor terms after the value, and table points per tap: remainder (π/64)⁹/9! = 5e-18 of Σ|h|.
TERMS, FINE = 8, 32
#: Taps along an axis from which an FFT beats the matrix product on a plane.
MANY = 24
#: Largest table: 75 MB.
LARGEST = 1 << 19
#: Multiply-adds of one real BLAS call: up to here OpenBLAS stays on one thread. Its threads spin, and on busy cores a
#: product of 32 × 32 × 4,096 took 12 ms instead of 0.3.
BLAS = 1 << 18


def _turns(m: np.ndarray, f: np.ndarray | float) -> np.ndarray:
    """m·f modulo 1, to an ulp of one, for integers |m| < 2⁵² and any f (broadcast)."""
    low = np.fmod(m, 1 << 26)  # fmod, because f mod 1 is inexact for a small negative f
    high = (m - low) >> 26
    turns = _product(low, np.fmod(f, 1.0))
    return turns + _product(high, np.fmod(np.multiply(f, 1 << 26), 1.0)) if np.any(high) else turns


def _product(m: np.ndarray, f: np.ndarray) -> np.ndarray:
    """m·f mod 1 for |m| ≤ 2²⁶, |f| < 1: the product with f's first 26 bits is exact, the rest is below one."""
    top = np.floor(f * (1 << 26)) / (1 << 26)
    return (m * top) % 1.0 + m * (f - top)


def _wave(turns: np.ndarray) -> np.ndarray:
    """exp(−2πj·turns)."""
    angle = turns * (2 * np.pi)
    wave = np.empty(np.shape(angle), complex)
    np.cos(angle, out=wave.real)
    np.sin(angle, out=wave.imag)
    return np.conj(wave, out=wave)


def wave(f: np.ndarray) -> np.ndarray:
    """exp(−2πj·f)."""
    return _wave(np.fmod(f, 1.0))


# ---- all points of the circle ------------------------------------------------------------------------------------

def circle(taps: np.ndarray, origin: int, period: int, count: int, workers: int = 1) -> np.ndarray:
    """H at k/period for k = 0 … count − 1 (count ≤ period)."""
    from scipy import fft

    length = _split(taps.size, period) if period >= PRUNE_FROM else 0
    if length:
        half = taps.dtype.kind != "c" and 2 * count <= period + 2 and length % 2 == 0
        out = _pruned(taps, origin, period, length, half, workers)
        if count > out.size:  # the point period/2 of real taps is Σ h·(−1)ⁿ
            out = np.append(out, complex((1.0 - 2.0 * ((np.arange(taps.size) - origin) % 2)) @ taps))
        return out[:count]
    folded = np.zeros(period, np.result_type(taps.dtype, float))
    np.add.at(folded, (np.arange(taps.size) - origin) % period, taps)
    if taps.dtype.kind != "c" and count <= period // 2 + 1:
        return fft.rfft(folded)[:count]
    return fft.fft(folded)[:count]


def _split(k: int, period: int) -> int:
    """A divisor L of the period for the short transforms: even, 5-smooth, at least K and at most period/64, or 0."""
    best = 0
    for two in range(1, 40):
        for three in range(12):
            base = 2**two * 3**three
            if base > period // 64:
                break
            for five in range(10):
                length = base * 5**five
                if max(k, 512) <= length <= period // 64 and period % length == 0 and (not best or length < best):
                    best = length
    return best


def _pruned(taps: np.ndarray, origin: int, period: int, length: int, half: bool,
            workers: int) -> np.ndarray:
    """The circle, or its first half, by transforms of `length`; column r holds the points r + R·q.

    For real taps point (R − r) + R·(L − 1 − q) is the conjugate of r + R·q, so columns up to R/2 suffice.
    """
    from scipy import fft

    stride, n = period // length, np.arange(taps.size) - origin
    rows = length // 2 if half else length
    last = stride // 2 if half else stride - 1
    out = np.empty((rows, stride), complex)
    step = _wave((n[:, None] * np.arange(COLUMNS)) % period / period)
    place = n % length

    def columns(r: int) -> None:
        block = np.zeros((length, COLUMNS), complex)
        block[place] = step * (taps * _wave((n * r) % period / period))[:, None]
        found = fft.fft(block, axis=0, overwrite_x=True)
        end = min(r + COLUMNS, last + 1)
        out[:, r:end] = found[:rows, :end - r]
        lo, hi = max(r, 1), min(end - 1, (stride - 1) // 2)
        if half and hi >= lo:
            mirrored = found[:rows - 1:-1, lo - r:hi - r + 1]
            np.conj(mirrored[:, ::-1], out=out[:, stride - hi:stride - lo + 1])

    threads.run(columns, range(0, last + 1, COLUMNS), workers)
    return out.reshape(-1)


# ---- a band ------------------------------------------------------------------------------------------------------

def zoom(taps: np.ndarray, origin: int, start: float, step: float, count: int, workers: int = 1) -> np.ndarray:
    """H at start + k·step for k = 0 … count − 1, by chirp-z: nk = (n² + k² − (k − n)²)/2 makes it a convolution.

    Every block of outputs has its own start, which only modulates the taps, so the chirp's transform is shared.
    """
    from scipy import fft

    size = taps.size
    length = fft.next_fast_len(max(min(4 * size, size + count), 64))
    block = length - size + 1
    chirp = _wave(_turns(np.arange(max(block, size), dtype=np.int64) ** 2, step / 2))
    ring = np.zeros(length, complex)
    ring[:block] = chirp[:block].conj()
    ring[length - size + 1:] = chirp[size - 1:0:-1].conj()
    ring = fft.fft(ring)
    n = np.arange(size) - origin
    shaped = taps * chirp[:size] * _wave(_turns(n, start))
    finish = chirp[:block] * _wave(_turns(-origin * np.arange(block), step))
    out = np.empty(count, complex)
    near = [_wave(_turns(n * (b * block), step)) for b in range(min(16, -(-count // block)))]

    def sixteen(first: int) -> None:
        base = shaped * _wave(_turns(n * first, step))
        for k, turn in zip(range(first, count, block), near, strict=False):
            have = min(block, count - k)
            y = fft.fft(base * turn, length, overwrite_x=True)
            y *= ring
            y = fft.ifft(y, overwrite_x=True)
            np.multiply(y[:have], finish[:have], out=out[k:k + have])

    threads.run(sixteen, range(0, count, 16 * block), workers)
    return out


# ---- any points --------------------------------------------------------------------------------------------------

def points(taps: np.ndarray, origin: int, f: np.ndarray, workers: int = 1) -> np.ndarray:
    """H at the frequencies f (1-D): by Taylor's series where it repays its table, else by blocked Horner."""
    f = np.ascontiguousarray(f, float)
    out = np.empty(f.size, complex)
    reach = max(abs(origin), abs(taps.size - 1 - origin), 1)
    grid = 1 << ceil(log2(2 * FINE * reach))
    if reach <= taps.size and grid <= LARGEST and f.size * taps.size > 128 * grid:
        part, size = _taylor(taps, origin, reach, grid), GATHERED
    else:
        part, size = _horner(taps, origin), CHUNK

    def chunk(lo: int) -> None:
        out[lo:lo + size] = part(f[lo:lo + size])

    threads.run(chunk, range(0, f.size, size), workers)
    return out


def _taylor(taps: np.ndarray, origin: int, reach: int, grid: int) -> Callable[[np.ndarray], np.ndarray]:
    """H(ω_g + δ) = Σₘ D_m[g]·(reach·δ)ᵐ with D_m the transform of (−j·n/reach)ᵐ·h[n]/m!."""
    from scipy import fft

    n = np.arange(taps.size) - origin
    table = np.zeros((TERMS + 1, grid), complex)
    for m, row in enumerate(table):
        row[n % grid] = taps * (-1j * n / reach) ** m / factorial(m)
    # the terms of a point are neighbours: two or three cache lines
    terms = np.ascontiguousarray(fft.fft(table, axis=1, overwrite_x=True).T)

    def part(f: np.ndarray) -> np.ndarray:
        at = np.fmod(f, 1.0) * grid
        near = np.rint(at)
        delta = (at - near) * (2 * pi * reach / grid)
        own = terms.take(near.astype(np.intp) & (grid - 1), axis=0)
        total = own[:, TERMS].copy()
        for m in reversed(range(TERMS)):
            total *= delta
            total += own[:, m]
        return total

    return part


def _horner(taps: np.ndarray, origin: int) -> Callable[[np.ndarray], np.ndarray]:
    """H(z) = Σ_r z^{Br}·(Σ_b h[Br + b]·z^b): the inner sums of a chunk of points are one matrix product."""
    width = 1 << max(2, ceil(log2(taps.size) / 2))
    rows = -(-taps.size // width)
    table = np.zeros((rows, width), np.result_type(taps.dtype, float))
    table.reshape(-1)[:taps.size] = taps

    def part(f: np.ndarray) -> np.ndarray:
        powers = np.empty((width, f.size), complex)
        powers[0] = 1
        z, filled = _wave(np.fmod(f, 1.0)), 1
        while filled < width:  # z^filled comes from squaring, at most log₂ B roundings
            np.multiply(powers[:filled], z, out=powers[filled:2 * filled])
            z, filled = z * z, 2 * filled
        sums = _product_of(table, powers)
        step, total = _wave(np.fmod(f * width, 1.0)), sums[-1]
        for row in sums[-2::-1]:
            total *= step
            total += row
        return total * _wave(_turns(np.full(1, -origin), f)) if origin else total

    return part


def _product_of(a: np.ndarray, b: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """a @ b for complex b as real products, in tiles that BLAS does on one thread.

    The real and imaginary columns of b are neighbours in memory; a complex a is [Re a, Im a] times [b; j·b].
    """
    out = np.empty((len(a), b.shape[1]), complex) if out is None else out
    if a.dtype.kind == "c":
        a, b = np.concatenate([a.real, a.imag], axis=1), np.concatenate([b, 1j * b])
    right, result, k = b.view(float), out.view(float), a.shape[1]
    rows = max(1, min(len(a), 64, BLAS // (8 * k)))
    columns = max(8, BLAS // (rows * k))
    for i in range(0, len(a), rows):
        for j in range(0, right.shape[1], columns):
            np.matmul(a[i:i + rows], right[:, j:j + columns], out=result[i:i + rows, j:j + columns])
    return out


# ---- a plane -----------------------------------------------------------------------------------------------------

def plane(taps: np.ndarray, origins: Sequence[int], f: Sequence[np.ndarray], workers: int = 1,
          centred: bool = False) -> np.ndarray:
    """H on the grid of the 1-D arrays f: Σ_k E[i, k]·h[k, …] axis by axis, the last axis first.

    `centred` says that every f is (i − N//2)/N, so that an FFT may serve.
    """
    if centred and max(taps.shape) > MANY:
        for axis in reversed(range(taps.ndim)):
            taps = _transformed(taps, axis, origins[axis], len(f[axis]), workers)
        return taps
    waves = [_wave(_turns(np.arange(k) - c, np.asarray(v, float)[:, None]))
             for k, c, v in zip(taps.shape, origins, f, strict=True)]
    rows = _product_of(taps.reshape(-1, taps.shape[-1]), np.ascontiguousarray(waves[-1].T))
    out = rows.reshape(taps.shape[:-1] + (-1,))
    for axis in reversed(range(taps.ndim - 1)):
        out = _along(waves[axis], out, axis, workers)
    return out


def _transformed(x: np.ndarray, axis: int, origin: int, count: int, workers: int) -> np.ndarray:
    """One axis by FFT; the centre of the grid comes from modulating the taps."""
    from scipy import fft

    n = np.arange(x.shape[axis]) - origin
    x = np.moveaxis(x, axis, 0)
    turned = x * _wave(-(n * (count // 2)) % count / count).reshape((-1,) + (1,) * (x.ndim - 1))
    ring = np.zeros((count, *x.shape[1:]), complex)
    for lo in range(0, len(n), count):  # longer taps wrap around
        ring[n[lo:lo + count] % count] += turned[lo:lo + count]
    return np.moveaxis(fft.fft(ring, axis=0, overwrite_x=True, workers=workers), 0, axis)


def _along(waves: np.ndarray, x: np.ndarray, axis: int, workers: int) -> np.ndarray:
    """One axis, of which the leading ones are still taps: blocks of outputs go to the threads."""
    lead, k, rest = prod(x.shape[:axis]), x.shape[axis], prod(x.shape[axis + 1:])
    x3, out = x.reshape(lead, k, rest), np.empty((lead, len(waves), rest), complex)

    def block(task: tuple[int, int]) -> None:
        i, row = task
        _product_of(waves[row:row + 64], x3[i], out[i, row:row + 64])

    threads.run(block, [(i, row) for i in range(lead) for row in range(0, len(waves), 64)], workers)
    return out.reshape(x.shape[:axis] + (len(waves),) + x.shape[axis + 1:])
