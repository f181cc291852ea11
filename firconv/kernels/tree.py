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
from firconv.kernels.lanes import BYTES, copy, lanes, prefetch, spread
from firconv.kernels.splits import ascend, descend, gather, halve, multiply, quarter, roots, unite

INDEX = const(int64)
LEAST = 1 << 7  # samples of the smallest block
BRANCH = 1 << 13  # bytes of the real parts of the largest node that is finished before the next is begun


@dataclass(frozen=True, slots=True, eq=False)
class Tree:
    """Taps ready for blocks of one size: their leaves, doubled for the sliding window, and the twiddles."""

    leaves: NDArray[Any]
    twiddles: NDArray[Any]
    length: int

    def correlate(self, x: NDArray[Any], out: NDArray[Any] | None, wanted: int) -> NDArray[Any]:
        """Filter blocks (…, N), any strided view, into `out` (…, wanted), or into a new array where that cannot be."""
        if out is None or not _reachable(out, x.dtype):
            out = np.empty((*x.shape[:-1], wanted), x.dtype)
        self._run(x[..., None, :], out, (1,), guard.ORDINARY, False)
        return out

    def survey(
        self, x: NDArray[Any], out: NDArray[Any], taps: tuple[int, ...], limits: guard.Limits
    ) -> guard.Survey | None:
        """Filter blocks (…, 1, N) into `out` and measure them on the way; None where `out` cannot be written."""
        return self._run(x, out, taps, limits, True) if _reachable(out, x.dtype) else None

    def _run(
        self, x: NDArray[Any], out: NDArray[Any], taps: tuple[int, ...], limits: guard.Limits, measured: bool
    ) -> guard.Survey:
        line, strides = guard.flat(x)
        wanted = out.shape[-1]
        bits, starts, scan = guard.arguments(line, x.shape, strides, taps, (wanted,), limits)
        found = scan[-1] if measured else scan[-1][:0]
        target, steps = guard.flat(out, writeable=True)
        places = _offsets(out.shape[:-1], steps[:-1])
        work = np.empty(self.length, x.dtype)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            odd = blocks(
                line, bits, starts, target, places, wanted, self.leaves, self.twiddles, work, *scan[:-1], found
            )
        return guard.named(found, odd)


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


@compiled(
    lambda t: (
        const(t), guard.bits_type(t), INDEX, mutable(t), INDEX, int64, const(t), const(t), mutable(t),
        *guard.scan_types(t)
    ),
    ("float32", "float64"),
)  # fmt: skip
def blocks(
    x: Any, bits: Any, starts: Any, out: Any, places: Any, wanted: int, leaves: Any, twiddles: Any, work: Any,
    rows: Any, first: Any, windows: Any, inside: Any, length: int, columns: int, limits: Any, column: Any, energy: Any,
    found: Any,
) -> int:  # fmt: skip
    """Correlate blocks of `length` samples from x[starts[b]] on; `wanted` outputs each go to out[places[b]] on.

    The arguments from `rows` on, and what is returned, are those of `guard.measure`: a block is measured before it is
    filtered, and the next one is on its way to the cache meanwhile. Nothing is measured where `found` is empty.
    """
    size, zero, half, odd = lanes(x), spread(x.dtype.type(0), 1, 1), length // 2, 0
    uneven = half // size & 0x55555555 == 0  # an odd number of levels: the root is split in two
    last = half // 2 if uneven else half // 4
    branch = last
    while branch > size and branch * x.itemsize > BRANCH:
        branch //= 4
    for b in range(starts.size):
        at, then = starts[b], starts[b + 1 if b + 1 < starts.size else b]
        if found.size:
            odd += guard.measure(
                x, bits, at, rows, first, windows, inside, length, columns, limits, column, energy, found, b
            )
        if uneven:
            halve(x, at, work, 0, half // 2, half, twiddles[0], twiddles[1], zero)
        else:
            quarter(x, at, work, 0, 0, half // 4, half // 4, half, twiddles, 0, zero)
        inner = leaf = 2 if uneven else 4
        for p in range(0, half, last):
            inner = descend(work, p, last, branch, half, twiddles, 2 if uneven else 4, zero)
        for p in range(0, half, branch):
            leaf = descend(work, p, branch, size, half, twiddles, inner, zero)
            for q in range(p, p + branch, size):
                prefetch(x, then + 2 * q)
                multiply(work, q, half, leaves, 4 * q + size, zero)
            ascend(work, p, branch, size, half, twiddles, leaf, zero)
        for p in range(0, half, last):
            ascend(work, p, last, branch, half, twiddles, inner, zero)
        if uneven:
            unite(work, 0, half // 2, half, twiddles[0], twiddles[1], zero)
        else:
            gather(work, 0, 0, half // 4, half // 4, half, twiddles, 0, zero)
        copy(work, 0, wanted, out, places[b])
    return odd
