"""Circular correlation of real blocks by remainders of polynomials: vectors throughout, nothing is reordered.

A block of N = 2M samples is the polynomial x(t) = Σ_{n<M} (x[n] + i·x[n + M])·tⁿ modulo t^M − i: there t^N = −1, so a
product wraps around with a minus sign and the N − K + 1 outputs that do not wrap are those of the correlation. The
modulus splits, t^{2m} − c² = (t^m − c)·(t^m + c), and so on down to leaves of L coefficients, L the samples in one
vector; in a leaf two polynomials are multiplied as they stand. One split is a butterfly with one twiddle c for a whole
node,

    (a, b) → (a + c·b, a − c·b)         a, b the lower and upper half of the coefficients

whose loop runs over neighbouring samples, and the way back is 2a = p + q, 2b = c̄·(p − q). The product in a leaf is
y = Σ_j x[j]·r_j with r_j the taps' coefficients turned by j places, c·h beyond the end: a window that slides over 2L
numbers. The order of the leaves is the order of the splits, and nobody needs to know it.

Rounding, with u the unit roundoff and P = M/L leaves: a split errs by (1 + √2)·u of its norm and as much as u for its
twiddle, a step back by 4·u, a leaf by 10·u·‖x‖·‖h‖ in each part. Taps and block go down, the product comes up:

    |ŷ − y|[n] ≤ (10.9·log₂P + 14.2) · u · ‖x‖₂ · ‖h‖₂                                                          (1)

to first order, which is below 11 · u · log₂N · ‖x‖₂ · ‖h‖₂ since log₂N ≥ log₂P + 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numba import int64
from numpy.typing import NDArray

from firconv.kernels import guard
from firconv.kernels.compiled import compiled, const, mutable
from firconv.kernels.lanes import BYTES, lanes, spread
from firconv.kernels.splits import gather, halve, quarter, roots, turn, unite

INDEX = const(int64)
LEAST = 1 << 7  # samples of the smallest block


@dataclass(frozen=True, slots=True, eq=False)
class Tree:
    """Taps ready for blocks of one size: their leaves, doubled for the sliding window, and the twiddles."""

    leaves: NDArray[Any]
    twiddles: NDArray[Any]
    length: int

    def correlate(self, x: NDArray[Any], out: NDArray[Any] | None, wanted: int) -> NDArray[Any]:
        """Filter blocks (…, N), any strided view, into `out` (…, wanted), or into a new array where that cannot be."""
        line, strides = guard.flat(x)
        starts = _offsets(x.shape[:-1], strides[:-1])
        if out is None or not _reachable(out, x.dtype):
            out = np.empty((*x.shape[:-1], wanted), x.dtype)
        target, steps = guard.flat(out, writeable=True)
        places = _offsets(out.shape[:-1], steps[:-1])
        blocks(line, starts, target, places, wanted, self.leaves, self.twiddles, self.length // 2)
        return out


def serves(length: int, dtype: np.dtype[Any]) -> bool:
    """True for real blocks whose length is a power of two."""
    return dtype.char in "fd" and length >= LEAST and length & (length - 1) == 0


def prepare(weights: NDArray[Any], length: int, dtype: np.dtype[Any]) -> Tree:
    """Split taps (K,), in the order of a correlation, K ≤ N; computed in double precision, with 1/P inside."""
    leaf = BYTES // dtype.itemsize
    line = np.zeros(length)
    line[0] = weights[0]
    line[length - len(weights) + 1 :] = -weights[:0:-1]
    windows = np.empty(2 * length)
    spread_out(line, windows, roots(length, "d", leaf), leaf)
    return Tree(windows.astype(dtype, copy=False), roots(length, dtype.char, leaf), length)


_offsets = lru_cache(maxsize=64)(guard.offsets)  # shapes recur from task to task


def _reachable(out: NDArray[Any], dtype: np.dtype[Any]) -> bool:
    """Whether the kernel can write into this view: samples next to each other, blocks any whole distance apart."""
    size = out.itemsize
    return out.dtype == dtype and out.strides[-1] == size and all(s >= 0 and s % size == 0 for s in out.strides)


# --- blocks -----------------------------------------------------------------------------------------------------------


@compiled()
def _multiply(x: Any, half: int, leaves: Any, zero: Any) -> None:
    """Multiply every leaf of x by that of the taps, in place."""
    for p in range(0, half, lanes(x)):
        turn(x, p, half, leaves, 4 * p + lanes(x), zero)


@compiled(lambda t: (mutable(t), mutable(t), const(t), int64), ("float64",))
def spread_out(line: Any, windows: Any, twiddles: Any, leaf: int) -> None:
    """Split taps down to their leaves, over P and each behind c times itself: re c·h, re h, im c·h, im h in turn.

    The four leaves of the last split have c, −c, ic and −ic of its twiddle c.
    """
    zero, half = spread(line.dtype.type(0), 1, 1), line.size // 2
    t, m = 0, half
    if half // leaf & 0x55555555 == 0:  # an odd number of levels
        halve(line, 0, line, 0, half // 2, half, twiddles[0], twiddles[1], zero)
        t, m = 2, half // 2
    while m > leaf:
        for p in range(0, half, m):
            quarter(line, p, line, p, 0, m // 4, m // 4, half, twiddles, t, zero)
            t += 4
        m //= 4
    t -= half // leaf
    scale = leaf / half
    for p in range(0, half, leaf):
        k = p // leaf
        cr, ci = twiddles[t + 4 * (k // 4)], twiddles[t + 4 * (k // 4) + 1]
        if k % 4 >= 2:
            cr, ci = -ci, cr
        if k % 2:
            cr, ci = -cr, -ci
        for j in range(leaf):
            re, im, h = scale * line[p + j], scale * line[p + half + j], 4 * p + j
            windows[h], windows[h + leaf] = cr * re - ci * im, re
            windows[h + 2 * leaf], windows[h + 3 * leaf] = cr * im + ci * re, im


@compiled(lambda t: (const(t), INDEX, mutable(t), INDEX, int64, const(t), const(t), int64), ("float32", "float64"))
def blocks(x: Any, starts: Any, out: Any, places: Any, wanted: int, leaves: Any, twiddles: Any, half: int) -> None:
    """Correlate blocks of 2·half samples from x[starts[b]] on; `wanted` outputs each go to out[places[b]] on."""
    size = lanes(x)
    zero = spread(x.dtype.type(0), 1, 1)
    work = np.empty(2 * half, x.dtype)
    levels = 0
    while half >> (levels + 1) >= size:
        levels += 1
    for b in range(len(starts)):
        at, t, m = starts[b], 0, half
        if levels % 2:
            halve(x, at, work, 0, half // 2, half, twiddles[0], twiddles[1], zero)
            t, m = 2, half // 2
        else:
            m = half // 4
            quarter(x, at, work, 0, 0, m, m, half, twiddles, 0, zero)
            t = 4
        while m > size:
            for p in range(0, half, m):
                quarter(work, p, work, p, 0, m // 4, m // 4, half, twiddles, t, zero)
                t += 4
            m //= 4
        _multiply(work, half, leaves, zero)
        m = size
        last = half // 2 if levels % 2 else half
        while 4 * m <= last:
            t -= 4 * (half // (4 * m))
            for k in range(half // (4 * m)):
                gather(work, 4 * m * k, 0, m, m, half, twiddles, t + 4 * k, zero)
            m *= 4
        if levels % 2:
            unite(work, 0, half // 2, half, twiddles[0], twiddles[1], zero)
        to = places[b]
        for n in range(wanted):
            out[to + n] = work[n]
