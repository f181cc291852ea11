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

An image of N₁ × N₂ samples is the polynomial Σ (x[r, n] + i·x[r + N₁/2, n])·sʳ·tⁿ modulo s^{N₁/2} − i and t^{N₂} + 1.
It is split along s down to single rows, and these along t as a block is. In memory a node of rows is one run of
numbers, so the same functions do both; a block of one axis is an image with one row of M coefficients, modulo t^M − i.

Rounding, with u the unit roundoff and P = M/L leaves: a split errs by (1 + √2)·u of its norm and as much as u for its
twiddle, a step back by 4·u, a leaf by 10·u·‖x‖·‖h‖ in each part. Taps and block go down, the product comes up:

    |ŷ − y|[n] ≤ (10.9·log₂P + 14.2) · u · ‖x‖₂ · ‖h‖₂                                                          (1)

to first order, which is below 11 · u · log₂N · ‖x‖₂ · ‖h‖₂ since log₂N ≥ log₂P + 3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numba import int64
from numpy.typing import NDArray

from firconv.kernels import guard
from firconv.kernels.compiled import compiled, const, mutable
from firconv.kernels.lanes import BYTES, copy, item, lanes, prefetch, spread
from firconv.kernels.splits import EVEN, ascend, descend, levels, multiply, roots

INDEX = const(int64)
LEAST = 1 << 7  # samples of the smallest block of one axis
PLANE = 1 << 4, 1 << 6  # and of two
BRANCH = 1 << 13  # bytes of the real parts of the largest node that is finished before the next is begun


@dataclass(frozen=True, slots=True, eq=False)
class Tree:
    """Taps ready for blocks of one size: leaves, doubled for the sliding window, and twiddles of both axes."""

    leaves: NDArray[Any]
    down: NDArray[Any]
    across: NDArray[Any]
    lengths: tuple[int, ...]

    def correlate(self, x: NDArray[Any], out: NDArray[Any] | None, wanted: tuple[int, ...]) -> NDArray[Any]:
        """Filter blocks (…, *N), any strided view, into `out` (…, *wanted), or a new array where that cannot be."""
        if out is None or not _reachable(out, x.dtype):
            out = np.empty((*x.shape[: -len(wanted)], *wanted), x.dtype)
        one = (..., None, *(slice(None) for _ in wanted))
        self._run(x[one], out[one], (1,) * len(wanted), guard.ORDINARY, False)
        return out

    def survey(
        self, x: NDArray[Any], out: NDArray[Any], taps: tuple[int, ...], limits: guard.Limits
    ) -> guard.Survey | None:
        """Filter blocks (…, 1, *N) into `out` and measure them on the way; None where `out` cannot be written."""
        return self._run(x, out, taps, limits, True) if _reachable(out, x.dtype) else None

    def _run(
        self, x: NDArray[Any], out: NDArray[Any], taps: tuple[int, ...], limits: guard.Limits, measured: bool
    ) -> guard.Survey:
        line, strides = guard.flat(x)
        target, steps = guard.flat(out, writeable=True)
        d = len(taps)
        bits, starts, scan = guard.arguments(line, x.shape, strides, taps, out.shape[-d:], limits)
        found = scan[-1] if measured else scan[-1][:0]
        reading = _offsets(x.shape[-d:-1], strides[-d:-1])
        places, writing = _offsets(out.shape[:-d], steps[:-d]), _offsets(out.shape[-d:-1], steps[-d:-1])
        work, row = np.empty(math.prod(self.lengths), x.dtype), _row(self.lengths)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            odd = blocks(
                line, bits, starts, reading, target, places, writing, out.shape[-1], row, self.leaves, self.down,
                self.across, work, *scan[:-1], found,
            )  # fmt: skip
        return guard.named(found, odd)


def serves(lengths: tuple[int, ...], dtype: np.dtype[Any]) -> bool:
    """True for real blocks of one or two axes whose lengths are powers of two."""
    least = (LEAST,) if len(lengths) == 1 else PLANE
    if dtype.char not in "fd" or len(lengths) != len(least):
        return False
    return all(n >= m and n & (n - 1) == 0 for n, m in zip(lengths, least, strict=True))


def prepare(weights: NDArray[Any], lengths: tuple[int, ...], dtype: np.dtype[Any]) -> Tree:
    """Split taps (*K,), in the order of a correlation, K ≤ N; computed in double precision, with 1/P inside."""
    leaf = BYTES // dtype.itemsize
    plane, signed = np.zeros(lengths), np.array(weights, np.float64)
    for axis in range(len(lengths)):
        signed[(slice(None),) * axis + (slice(1, None),)] *= -1
    plane[np.ix_(*(-np.arange(k) % n for k, n in zip(weights.shape, lengths, strict=True)))] = signed
    row, angle = _row(lengths), _angle(lengths)
    pairs = plane.reshape(2, -1, row // leaf, leaf)
    z = np.empty(pairs.shape[1:], complex)
    z.real, z.imag = pairs
    h = _remainders(_remainders(z, 0, math.pi / 2), 1, angle)
    turned = _points(row // leaf, angle)[0][:, None] * h
    windows = np.stack([turned.real, h.real, turned.imag, h.imag], axis=2, dtype=dtype, casting="same_kind").reshape(-1)
    return Tree(windows, *_twiddles(lengths, dtype.char, leaf), tuple(lengths))


def _remainders(z: NDArray[Any], axis: int, angle: float) -> NDArray[Any]:
    """Σ_q z[q]·c^q / P for all c with c^P = exp(i·angle), in the order of the splits: a DFT of z times powers."""
    if z.shape[axis] == 1:
        return z
    _, powers, order = _points(z.shape[axis], angle)
    powers = powers.reshape(-1, *(1,) * (z.ndim - 1 - axis))
    return np.fft.ifft(z * powers, axis=axis).take(order, axis)


@lru_cache(maxsize=64)
def _points(count: int, angle: float) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """The c, the powers of the first of them, and which bin of the DFT is at each."""
    angles = levels(count, angle)[-1]
    order = np.rint((count * angles - angle) / (2 * np.pi)).astype(np.intp) % count
    return np.exp(1j * angles), np.exp(1j * angle / count * np.arange(count)), order


def _row(lengths: tuple[int, ...]) -> int:
    """Coefficients of a row."""
    return lengths[0] // 2 if len(lengths) == 1 else lengths[1]


def _angle(lengths: tuple[int, ...]) -> float:
    """Of what a row is split modulo: t^row = exp(i·angle)."""
    return math.pi / 2 if len(lengths) == 1 else math.pi


def _twiddles(lengths: tuple[int, ...], char: str, leaf: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Along the rows' axis, and along a row."""
    down = 2 if len(lengths) == 1 else lengths[0]
    return roots(down, char, 1), roots(2 * _row(lengths), char, leaf, _angle(lengths))


_offsets = lru_cache(maxsize=64)(guard.offsets)  # shapes recur from task to task


def _reachable(out: NDArray[Any], dtype: np.dtype[Any]) -> bool:
    """Whether the kernel can write into this view: samples next to each other, blocks any whole distance apart."""
    size = out.itemsize
    return out.dtype == dtype and out.strides[-1] == size and all(s >= 0 and s % size == 0 for s in out.strides)


# --- blocks -----------------------------------------------------------------------------------------------------------


@compiled(
    lambda t: (
        const(t), guard.bits_type(t), INDEX, INDEX, mutable(t), INDEX, INDEX, int64, int64, const(t), const(t),
        const(t), mutable(t), *guard.scan_types(t)
    ),
    ("float32", "float64"),
)  # fmt: skip
def blocks(
    x: Any, bits: Any, starts: Any, reading: Any, out: Any, places: Any, writing: Any, wanted: int, row: int,
    leaves: Any, down: Any, across: Any, work: Any,
    rows: Any, first: Any, windows: Any, inside: Any, length: int, columns: int, limits: Any, column: Any, energy: Any,
    found: Any,
) -> int:  # fmt: skip
    """Correlate the blocks whose lines of `length` samples begin at x[starts[b] + reading[r]].

    Of the first len(writing) lines of the result, `wanted` samples each go to out[places[b] + writing[r]]. The
    arguments from `rows` on, and what is returned, are those of `guard.measure`: a block is measured before it is
    filtered, and the next one is on its way to the cache meanwhile. Nothing is measured where `found` is empty.
    """
    size, zero, half, odd = lanes(x), spread(x.dtype.type(0), 1, 1), work.size // 2, 0
    root = half - half  # no literal: a part is compiled once for all its calls
    upper, lower, shift = _branch(half, row, x.itemsize), _branch(row, size, x.itemsize), 0
    while length >> (shift + 1):
        shift += 1
    for b in range(starts.size):
        at, then = starts[b], starts[b + 1 if b + 1 < starts.size else b]
        if found.size:
            odd += guard.measure(
                x, bits, at, rows, first, windows, inside, length, columns, limits, column, energy, found, b
            )
        for r in range(reading.size):
            copy(x, at + item(reading, r), length, work, r * length)
        t = descend(work, root, half, upper, half, half, down, root, root)
        for p in range(0, half, upper):
            s = descend(work, p, upper, row, half, half, down, t, p // upper)
            for q in range(p, p + upper, row):
                v = descend(work, q, row, lower, row, half, across, root, root)
                for k in range(row // lower):
                    u = q + k * lower
                    leaf = descend(work, u, lower, size, row, half, across, v, k)
                    for z in range(u, u + lower, size):
                        prefetch(x, then + item(reading, (2 * z) >> shift) + ((2 * z) & (length - 1)))
                        multiply(work, z, half, leaves, 4 * z + size, zero)
                    ascend(work, u, lower, size, row, half, across, leaf, k)
                ascend(work, q, row, lower, row, half, across, v, root)
            ascend(work, p, upper, row, half, half, down, s, p // upper)
        ascend(work, root, half, upper, half, half, down, t, root)
        for r in range(writing.size):
            copy(work, r * length, wanted, out, places[b] + item(writing, r))
    return odd


@compiled(references=False)
def _branch(count: int, least: int, itemsize: int) -> int:
    """The largest nodes on the way from `count` coefficients to `least` that are finished one by one."""
    if count * itemsize <= BRANCH or count == least:
        return count
    m = count // 2 if count // least & EVEN == 0 else count // 4
    while m * itemsize > BRANCH and m > least:
        m //= 4
    return m
