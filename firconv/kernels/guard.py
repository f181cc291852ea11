"""What an FFT may vouch for: the guard of the Fourier kernel, and the footprints of samples that are not finite.

An FFT spreads its rounding errors evenly over a block, a direct sum does not: next to a loud sample a quiet one drowns.
With u the unit roundoff, N the points of a block and x its samples over all channels, every output of the kernel obeys

    |ŷ − y|[n] ≤ c · u · log₂N · ‖x‖₂ · ‖h‖₂                                                                   (1)

so the promise |ŷ − y|[n] ≤ τ · ‖h‖₂ · S[n], S[n] = ‖x on the footprint of output n‖₂, holds wherever

    S[n] ≥ (c · u · log₂N / τ) · ‖x‖₂.                                                                         (2)

(1) follows from the normwise bound of the transforms. Cauchy and Schwarz carry it to each sample: with relative errors
δX, δH of the two spectra, |Σ δX·H + X·δH| / N ≤ (‖δX‖₂·‖H‖₂ + ‖X‖₂·‖δH‖₂) / N, and ‖X‖₂ = √N·‖x‖₂. The inverse adds
γ · Σ|X·H| / N ≤ γ · ‖x‖₂·‖h‖₂. Butterflies of radix 2, 3, 4, 5 cost at most 7.5·u for each unit of log₂N (Higham 2002,
theorem 24.2; Brisebarre et al. 2020 for the twiddles), hence c = 23 to first order in u, `PROVEN`, for lengths without
prime factors above 5. Double precision uses it. Single precision uses `MARGIN`, which rests on measurement.

`survey` measures all blocks in one pass, and nearly always that settles it. For the others `Footprints` single out the
outputs that an FFT cannot vouch for. `overlay` repairs NaN and Inf.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce
from typing import Any

import numpy as np
import scipy
from numba import types
from numpy.typing import NDArray

from firconv.kernels.compiled import compiled, const, mutable
from firconv.kernels.lanes import item, number

#: Runs a function on every item, in any order; and what correlates one line, x behind so many zeros, into an array.
Parallel = Callable[[Callable[[Any], None], Iterable[Any]], None]
Transform = Callable[[NDArray[Any], NDArray[Any], int, NDArray[Any], Parallel], None]
PROVEN = 23.0  # c of equation (1) by proof, for any data
MARGIN = 4.0  # c used in single precision, not proven: a search over tones, chirps, matched taps, … found 0.86 at most
RANGE = 20.0  # log2 of C(x)·C(h) up to which an FFT is trusted, C(v) = max|v| / geometric mean of |v| ≠ 0
SAFE = {4: (2.0**-30, 2.0**30), 8: (2.0**-300, 2.0**300)}  # by bytes: largest samples that need no scaling
SUBNORMAL = 1.25  # a logarithm read from the bits errs by less than this factor, subnormal samples included


# --- one pass over all samples ----------------------------------------------------------------------------------------


@compiled(reassociate=True, references=False)
def _read_bits(bits: Any, at: int, n: int) -> Any:
    whole = bits.dtype.type
    log, count, top = whole(0), whole(0), whole(0)
    mask = whole((1 << (8 * bits.itemsize - 1)) - 1)
    for t in range(at, at + n):
        a = whole(item(bits, t) & mask)
        log = whole(log + whole(a >> whole(16)))
        count = whole(count + whole(a != 0))
        top = a if a > top else top
    return log, count, top


@compiled(reassociate=True, references=False)
def _add_squares(x: Any, at: int, n: int, into: Any, more: Any) -> None:
    if more:
        for t in range(n):
            into[t] += item(x, at + t) * item(x, at + t)
    else:
        for t in range(n):
            into[t] = item(x, at + t) * item(x, at + t)


@compiled(reassociate=True, references=False)
def _sum(x: Any, begin: int, end: int) -> Any:
    total = x.dtype.type(0)
    for t in range(begin, end):
        total += item(x, t)
    return total


@compiled(reassociate=True, references=False)
def _squares(x: Any, begin: int, end: int) -> Any:
    total = x.dtype.type(0)
    for t in range(begin, end):
        total += item(x, t) * item(x, t)
    return total


@compiled(reassociate=True, references=False)
def measure(
    x: Any, bits: Any, start: int, rows: Any, first: Any, windows: Any, inside: Any, length: int, m: int, limits: Any,
    column: Any, energy: Any, found: Any, b: int,
) -> int:  # fmt: skip
    """Measure block b in one pass: found[b] = energy, lower bound of S², largest magnitude, spread.

    Returns 1 if it is not ordinary by `limits`: least and largest peak, lower bound over energy, spread.

    The block is the rows x[start + rows[r] : … + length]. Rows first[g] … first[g+1] − 1 form one group; its sub-blocks
    are m columns wide. Window w is the sub-blocks windows[w] + inside. Magnitudes are read as integers: the bits of a
    float are a piecewise linear log2 of it, never too large for a normal number, and their order is that of the
    magnitudes, with Inf and NaN on top. `column` and `energy` are room for the columns of a pass and the sub-blocks.
    """
    small = x.itemsize == 4
    unit, bias = (2.0**-7, 127.0) if small else (2.0**-36, 1023.0)
    width, columns = column.size // m * m if column.size >= m else column.size, (length + m - 1) // m
    highest, logs, many, total, low = bits.dtype.type(0), 0.0, 0, 0.0, np.inf
    for g in range(first.size - 1):
        for left in range(0, length, width):
            n = width if left + width < length else length - left
            single = first[g + 1] - first[g] == 1
            for r in range(first[g], first[g + 1]):
                at = start + rows[r] + left
                if not single:
                    _add_squares(x, at, n, column, r > first[g])
                log, count, high = _read_bits(bits, at, n)
                logs, many, highest = logs + log, many + count, high if high > highest else highest
            at, e = start + rows[first[g]] + left, g * columns + left // m
            for j in range(0, n, m):
                end = j + m if j + m < n else n
                energy[e] = _squares(x, at + j, at + end) if single else _sum(column, j, end)
                e += 1
    for e in range(energy.size):
        total += energy[e]
    for w in range(windows.size):
        here = 0.0
        for i in range(inside.size):
            here += energy[windows[w] + inside[i]]
        low = here if here < low else low
    peak = float(number(highest, x))
    known = peak < np.inf
    spread = math.log2(peak) - (logs * unit / many - bias) if many > 0 and known else 0.0
    found[b, 0], found[b, 1], found[b, 2], found[b, 3] = total, low, peak if known else np.inf, spread
    plain = peak == 0 or (peak >= limits[0] and peak <= limits[1])
    return 0 if plain and low >= limits[2] * total and spread <= limits[3] else 1


def scan_types(t: types.Type) -> tuple[types.Type, ...]:
    """Types of the arguments of `measure` from the rows on, without the number of the block."""
    index = const(types.int64)
    room = mutable(t), mutable(types.float64), mutable(types.float64, 2)
    return (*(index,) * 4, types.int64, types.int64, const(types.float64), *room)


def bits_type(t: types.Type) -> types.Type:
    """Type of a line of floats read as integers."""
    return const(types.int32 if t == types.float32 else types.int64)


@compiled(
    lambda t: (const(t), bits_type(t), const(types.int64), *scan_types(t)), ("float32", "float64"), reassociate=True
)
def _scan(
    x: Any, bits: Any, starts: Any, rows: Any, first: Any, windows: Any, inside: Any, length: Any, m: Any, limits: Any,
    column: Any, energy: Any, found: Any,
) -> int:  # fmt: skip
    """Measure blocks; returns how many of them are not ordinary."""
    odd = 0
    for b in range(starts.size):
        odd += measure(
            x, bits, starts[b], rows, first, windows, inside, length, m, limits, column, energy, found, b
        )
    return odd


@dataclass(frozen=True, slots=True)
class Limits:
    """What makes a block ordinary: `low` ≥ share · `energy`, `spread` ≤ room, and a largest sample in `SAFE`."""

    share: float = 0.0
    room: float = math.inf


@dataclass(frozen=True, slots=True)
class Survey:
    """What one pass over a batch of blocks found, flat over the batch.

    `energy` ‖x‖₂² of each block, `low` ≤ S[n]² for every output, `peak` the largest magnitude (Inf if any sample is not
    finite), `spread` ≥ log2 C(x) up to the factor `SUBNORMAL`. `odd` blocks are not ordinary.
    """

    energy: NDArray[np.float64]
    low: NDArray[np.float64]
    peak: NDArray[np.float64]
    spread: NDArray[np.float64]
    odd: int


ORDINARY = Limits()


def survey(
    blocks: NDArray[Any], taps: tuple[int, ...], wanted: tuple[int, ...], limits: Limits = ORDINARY
) -> Survey:
    """Measure blocks (..., I, *N) of floats or complex numbers for taps of the given lengths and `wanted` outputs."""
    line, strides = flat(blocks)
    parts = 2 if blocks.dtype.kind == "c" else 1
    line = line.view(np.dtype(line.real.dtype))
    bits, starts, scan = arguments(line, blocks.shape, strides, taps, wanted, limits, parts)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        return named(scan[-1], _scan(line, bits, starts, *scan))


def arguments(
    line: NDArray[Any], shape: tuple[int, ...], strides: tuple[int, ...], taps: tuple[int, ...],
    wanted: tuple[int, ...], limits: Limits, parts: int = 1,
) -> tuple[NDArray[Any], NDArray[np.int64], tuple[Any, ...]]:  # fmt: skip
    """What `measure` wants to know of blocks in a line of real numbers: its bits, where they start, and the rest.

    A sample is so many `parts` of the line.
    """
    starts, *layout = _layout(shape, strides, taps, wanted, parts)
    least, most = SAFE[line.itemsize]
    border = np.array((least, most, limits.share, limits.room))
    kind = np.int32 if line.itemsize == 4 else np.int64
    _, first, _, _, length, m = layout
    column = np.empty(min(m * max(1, 4096 // m), length), line.dtype)
    energy = np.empty((len(first) - 1) * -(-length // m))
    return line.view(kind), starts, (*layout, border, column, energy, np.empty((len(starts), 4)))


def named(found: NDArray[np.float64], odd: int) -> Survey:
    """What `measure` found of every block."""
    return Survey(found[:, 0], found[:, 1], found[:, 2], found[:, 3], odd)


def factor(dtype: np.dtype[Any], levels: float, tau: float) -> float:
    """c · u · log₂N / τ of equation (2), for blocks of a real or complex dtype with log₂N = `levels`."""
    single = dtype.char in "fF"
    return (MARGIN * 2.0**-24 if single else PROVEN * 2.0**-53) * levels / tau


def flat(blocks: NDArray[Any], writeable: bool = False) -> tuple[NDArray[Any], tuple[int, ...]]:
    """Return the memory that a view spans as one line, and its strides in elements.

    Views that kernels cannot walk are copied; what is to be written must not be such a one.
    """
    size = blocks.itemsize
    if blocks.strides[-1] != size or min(blocks.strides) < 0 or any(s % size for s in blocks.strides):
        blocks = np.ascontiguousarray(blocks)
    strides = tuple(s // size for s in blocks.strides)
    if blocks.flags.c_contiguous:
        return blocks.reshape(-1), strides
    span = 1 + sum((n - 1) * s for n, s in zip(blocks.shape, strides, strict=True))
    return np.lib.stride_tricks.as_strided(blocks, (span,), (size,), writeable=writeable), strides


@lru_cache(maxsize=64)
def _layout(
    shape: tuple[int, ...], strides: tuple[int, ...], taps: tuple[int, ...], wanted: tuple[int, ...], parts: int
) -> tuple[Any, ...]:
    """Arguments of `_scan`: where blocks and rows begin, groups of rows, windows of sub-blocks, columns.

    All in real numbers, of which a complex sample has two. Any run of k samples holds (k + 1)//m − 1 whole sub-blocks
    of m samples, wherever it starts; the window of output n begins with the first sub-block that begins at n or later.
    """
    batch = len(shape) - len(taps) - 1
    lengths = (*shape[batch + 1 : -1], shape[-1] * parts)
    taps = (*taps[:-1], taps[-1] * parts)
    lasts = (*(n - 1 for n in wanted[:-1]), (wanted[-1] - 1) * parts)
    sizes = [-(-k // 4) for k in taps]
    if max(sizes[:-1], default=1) == 1:
        sizes[-1] = _width(taps[-1])
    grid = [-(-n // m) for n, m in zip(lengths, sizes, strict=True)]
    steps = [math.prod(grid[a + 1 :]) for a in range(len(grid))]
    windows = offsets([-(-n // m) + 1 for n, m in zip(lasts, sizes, strict=True)], steps)
    inside = offsets([(k + 1) // m - 1 for k, m in zip(taps, sizes, strict=True)], steps)
    places = [np.zeros(shape[batch], np.int64), *(np.arange(n) // m for n, m in zip(lengths[:-1], sizes, strict=False))]
    group = reduce(lambda done, axis: np.add.outer(done * (axis[-1] + 1), axis).ravel(), places)
    first = np.concatenate(([0], np.cumsum(np.bincount(group)))).astype(np.int64)
    rows = offsets(shape[batch:-1], strides[batch:-1])[np.argsort(group, kind="stable")] * parts
    return offsets(shape[:batch], strides[:batch]) * parts, rows, first, windows, inside, lengths[-1], sizes[-1]


def _width(k: int) -> int:
    """Columns of a sub-block of one row: a quarter of the taps, in whole vectors where they are long enough."""
    return min(8 * max(2, k // 32), 4096) if k >= 31 else (k + 1) // 2


def offsets(shape: Sequence[int], strides: Sequence[int]) -> NDArray[np.int64]:
    """Σ index · stride for all indices below `shape`, in order."""
    total = np.zeros(1, np.int64)
    for n, s in zip(shape, strides, strict=True):
        total = np.add.outer(total, np.arange(n, dtype=np.int64) * s).ravel()
    return total


# --- exact answers, for the blocks that need them ---------------------------------------------------------------------


def crop(wanted: tuple[int, ...]) -> Any:
    """Index of the first `wanted` places of the trailing axes."""
    return (..., *(slice(n) for n in wanted))


def spread(values: NDArray[Any]) -> float:
    """Log2 of C(v) = max|v| / geometric mean of |v| ≠ 0, over real and imaginary parts; 0 if all are 0."""
    v = np.ascontiguousarray(values)
    v = np.abs(v.view(v.real.dtype)).ravel()
    v = v[v > 0].astype(np.float64)
    return float(np.log2(v.max()) - np.log2(v).mean()) if v.size else 0.0


def lattice(support: NDArray[np.bool_] | None, taps: tuple[int, ...]) -> tuple[int, ...] | None:
    """Steps per axis if the stored taps, alike in all channels, are every step-th from the first to the last."""
    if support is None:
        return (1,) * len(taps)
    used = [np.any(support, axis=tuple(a for a in range(support.ndim) if a != axis)) for axis in range(2, support.ndim)]
    steps = []
    for along in used:
        gaps = np.diff(np.flatnonzero(along))
        steps.append(int(gaps[0]) if gaps.size else 1)
        if not along[0] or not along[-1] or (gaps != steps[-1]).any():
            return None
    inner = support[(slice(None), slice(None), *(slice(None, None, d) for d in steps))]
    return tuple(steps) if inner.all() else None


@compiled(lambda t: (const(t, 3), types.int64, types.int64, mutable(t, 3)), ("float64",))
def _windows(x: Any, k: Any, step: Any, out: Any) -> None:
    """out[a, n, b] = Σ x[a, n + j·step, b], j = 0 … k − 1: the end of one run of k and the begin of the next.

    Nothing is ever subtracted, so a small sum next to large ones keeps its digits.
    """
    outer, length, inner = x.shape
    ahead, behind = np.empty((length, inner)), np.empty((length, inner))
    turn = np.empty(length, np.int64)  # (n // step) % k, counted: a division costs more than the sums
    within = place = 0
    for n in range(length):
        turn[n] = place
        within += 1
        if within == step:
            within = 0
            place = place + 1 if place + 1 < k else 0
    for a in range(outer):
        for n in range(length):
            if turn[n] != 0:
                for b in range(inner):
                    behind[n, b] = x[a, n, b] + behind[n - step, b]
            else:
                for b in range(inner):
                    behind[n, b] = x[a, n, b]
        for n in range(length - 1, -1, -1):
            if turn[n] != k - 1 and n + step < length:
                for b in range(inner):
                    ahead[n, b] = x[a, n, b] + ahead[n + step, b]
            else:
                for b in range(inner):
                    ahead[n, b] = x[a, n, b]
        for n in range(out.shape[1]):
            if turn[n] != 0:
                for b in range(inner):
                    out[a, n, b] = ahead[n, b] + behind[n + (k - 1) * step, b]
            else:
                for b in range(inner):
                    out[a, n, b] = ahead[n, b]


@dataclass(frozen=True, slots=True, eq=False)
class Footprints:
    """Sums over the samples under the taps of each output, (blocks, O or 1, *L).

    `steps` of a lattice of stored taps, or None for any `support` (O, I, *K).
    """

    support: NDArray[np.bool_]
    steps: tuple[int, ...] | None
    wanted: tuple[int, ...]

    def sums(self, values: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Sum values (blocks, I, *N) over each footprint; return the sums and bounds of their errors (blocks, 1, …)."""
        dims = len(self.wanted)
        if self.steps is None:
            size = np.sqrt(np.square(values).sum(axis=tuple(range(1, dims + 2)), keepdims=True))
            points = math.prod(values.shape[1:])
            slack = PROVEN * 2.0**-53 * (np.log2(points) + 1) * np.sqrt(self.support[0].size) * size
            sums = _circular(values, self.support, dims)[crop(self.wanted)]
            return sums, slack
        total = values.sum(axis=1, keepdims=True, dtype=np.float64)
        for axis, (step, n) in enumerate(zip(self.steps, self.wanted, strict=True), start=2):
            k = (self.support.shape[axis] - 1) // step + 1
            shape = total.shape
            used = n + (k - 1) * step
            x = total.reshape(math.prod(shape[:axis]), shape[axis], -1)[:, :used]
            out = np.empty((len(x), n, x.shape[2]))
            _windows(np.ascontiguousarray(x), k, step, out)
            total = out.reshape(*shape[:axis], n, *shape[axis + 1 :])
        return total, np.zeros((len(values), *[1] * (dims + 1)))

    def judge(
        self, x: NDArray[Any], present: NDArray[np.bool_], factor: float, wild: NDArray[np.bool_], spread: float
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return which outputs of blocks (blocks, I, *N) fail, and which see no sample `present`.

        An output passes if S[n] ≥ factor · ‖x‖₂ and, in the blocks marked wild, if S[n] over the geometric mean of the
        samples ≠ 0 under its taps, which is at least C of them, times the taps' C stays in range.
        """
        shape = (-1, *[1] * (x.ndim - 1))
        whole = tuple(range(1, x.ndim))
        peak = np.maximum(np.abs(x.real).max(axis=whole), np.abs(x.imag).max(axis=whole))
        exponent = np.frexp(peak)[1].reshape(shape)
        pieces = (x.real, x.imag) if x.dtype.kind == "c" else (x,)
        parts = [np.abs(np.ldexp(p.astype(np.float64), -exponent)) for p in pieces]
        power = np.asarray(np.sum([np.square(p) for p in parts], axis=0))
        energy, slack = self.sums(power)
        need = 1.001 * factor**2 * power.sum(axis=whole).reshape(shape)
        failed = energy - slack < need
        silent = np.zeros(failed.shape, bool)
        if failed.any() or wild.any():
            silent = self._count([present]) == 0
        if wild.any():
            failed[wild] |= self._wild([p[wild] for p in parts], (energy + slack)[wild], spread)
        return failed & ~silent, silent

    def _count(self, parts: list[NDArray[Any]]) -> NDArray[np.float64]:
        """Numbers ≠ 0 under the taps of each output."""
        return np.rint(self.sums(np.asarray(np.sum([p != 0 for p in parts], axis=0, dtype=np.float64)))[0])

    def _wild(self, parts: list[NDArray[np.float64]], energy: NDArray[np.float64], spread: float) -> NDArray[np.bool_]:
        many = np.maximum(self._count(parts), 1)
        total, slack = self.sums(np.asarray(np.sum([np.log2(np.where(p == 0, 1, p)) for p in parts], axis=0)))
        above = 0.5 * np.log2(np.maximum(energy, 1e-300)) - (total - slack) / many
        return above + spread > RANGE


def judge_near(
    x: NDArray[Any], given: NDArray[Any], taps: tuple[int, ...], wanted: tuple[int, ...], factor: float
) -> tuple[tuple[slice, ...], NDArray[np.bool_], NDArray[np.bool_]]:
    """`Footprints.judge` for a block (I, *N) and taps (*K,), all stored: a box of outputs, and both answers for these.

    Sub-blocks of a quarter of the taps vouch for most outputs, as in `measure`, and smaller ones for most of the rest;
    only what is left then is looked at.
    """
    power = np.square(x.real, dtype=np.float64).sum(axis=0)
    if x.dtype.kind == "c":
        power += np.square(x.imag, dtype=np.float64).sum(axis=0)
    need, box = 1.001 * factor**2 * power.sum(), tuple(slice(0, n) for n in wanted)
    for parts in 4, 32:
        box = _weak(power, taps, box, need, parts)
        if any(b.start >= b.stop for b in box):
            return tuple(slice(0, 0) for _ in taps), *np.zeros((2, *(0 for _ in taps)), bool)
    reads = tuple(slice(b.start, b.stop + k - 1) for b, k in zip(box, taps, strict=True))

    def sums(values: NDArray[np.float64]) -> NDArray[np.float64]:
        for axis, (b, k) in enumerate(zip(box, taps, strict=True)):
            values = _runs(values, k, b.stop - b.start, axis)
        return values

    failed = sums(power[reads]) < need
    silent = np.zeros(failed.shape, bool)
    if failed.any():
        near = given[(slice(None), *reads)]
        silent = sums((np.isfinite(near) & (near != 0)).sum(axis=0, dtype=np.float64)) == 0
    return box, failed & ~silent, silent


def _weak(
    power: NDArray[np.float64], taps: tuple[int, ...], box: tuple[slice, ...], need: float, parts: int
) -> tuple[slice, ...]:
    """The part of a box of outputs that sub-blocks of so many parts of the taps do not vouch for."""
    sizes = [-(-k // parts) for k in taps]
    coarse = power[tuple(slice(b.start, b.stop + k - 1) for b, k in zip(box, taps, strict=True))]
    for axis, (m, k, b) in enumerate(zip(sizes, taps, box, strict=True)):
        coarse = np.add.reduceat(coarse, np.arange(0, coarse.shape[axis], m), axis=axis)
        coarse = _runs(coarse, (k + 1) // m - 1, -(-(b.stop - b.start - 1) // m) + 1, axis)
    weak = np.nonzero(coarse < need)
    if not weak[0].size:
        return tuple(slice(0, 0) for _ in taps)
    return tuple(
        slice(b.start + max(0, (int(w.min()) - 1) * m + 1), min(b.stop, b.start + int(w.max()) * m + 1))
        for w, m, b in zip(weak, sizes, box, strict=True)
    )


def _runs(x: NDArray[np.float64], k: int, n: int, axis: int) -> NDArray[np.float64]:
    """Sums of the n runs of k numbers along an axis: a part that some share, what is before it and what is behind.

    Nothing is ever subtracted, so a small sum next to large ones keeps its digits.
    """
    x = x.swapaxes(0, axis)
    if k <= 8:
        return sum((x[j : j + n] for j in range(k)), np.zeros((n, *x.shape[1:]))).swapaxes(0, axis)
    out = np.empty((n, *x.shape[1:]))
    for first in range(0, n, k):
        count = min(k, n - first)
        run, core = x[first : first + count + k - 1], count - 1
        sums = out[first : first + count]
        sums[:] = run[core:k].sum(axis=0)
        sums[:core] += np.cumsum(run[:core][::-1], axis=0)[::-1]
        sums[1:] += np.cumsum(run[k:], axis=0)
    return out.swapaxes(0, axis)


def _circular(x: NDArray[Any], taps: NDArray[Any], dims: int) -> NDArray[np.float64]:
    """Correlation of (…, I, *N) with (O, I, *K) in double precision, wrapped around, summed over I."""
    axes = tuple(range(-dims, 0))
    lengths = x.shape[-dims:]
    signal = scipy.fft.rfftn(x.astype(np.float64), axes=axes)
    weights = np.conj(scipy.fft.rfftn(taps.astype(np.float64), lengths, axes=axes))
    signal = np.expand_dims(signal, -dims - 2)
    return scipy.fft.irfftn((signal * weights).sum(axis=-dims - 1), lengths, axes=axes)


# --- samples that are not finite --------------------------------------------------------------------------------------


def overlay(x: NDArray[Any], weights: NDArray[Any], support: NDArray[np.bool_] | None, out: NDArray[Any]) -> None:
    """Write NaN and ±Inf into `out` exactly where the direct sum over non-finite samples gives them.

    A NaN under any stored tap gives NaN, an Inf under a tap of 0 or against an Inf of the other sign too, any other Inf
    keeps its sign times that of the tap. Complex outputs become NaN.

    Parameters
    ----------
    x
        Block (I, *N), real or complex.
    weights
        Finite taps (O, I, *K).
    support
        Which of them are stored (same shape), None for all. A stored 0 is a term of the sum, a hole is not.
    out
        Outputs (O, *L) of the finite samples, changed in place; L ≤ N − K + 1.
    """
    stored = np.ones(weights.shape, bool) if support is None else support
    if out.dtype.kind == "c":
        out[_count(out.shape, [(~np.isfinite(x), stored)]) > 0] = complex(np.nan, np.nan)
        return
    up, down = np.isposinf(x), np.isneginf(x)
    rising, falling, still = stored & (weights > 0), stored & (weights < 0), stored & (weights == 0)
    plus = _count(out.shape, [(up, rising), (down, falling)]) > 0
    minus = _count(out.shape, [(up, falling), (down, rising)]) > 0
    bad = _count(out.shape, [(np.isnan(x), stored), (up | down, still)]) > 0
    out[plus] = np.inf
    out[minus] = -np.inf
    out[bad | (plus & minus)] = np.nan


def _count(shape: tuple[int, ...], pairs: list[tuple[NDArray[np.bool_], NDArray[np.bool_]]]) -> NDArray[np.float64]:
    """Σ over pairs of the valid correlation of marks (I, *N) with marks (O, I, *K), exactly."""
    total = np.zeros(shape)
    for samples, taps in pairs:
        marked = np.argwhere(samples)
        if not len(marked) or not taps.any():
            continue
        if len(marked) * taps.size <= 16 * samples.size * max(1, len(taps)):
            _scatter(total, marked, taps)
        else:
            total += np.rint(_circular(samples, taps, samples.ndim - 1)[crop(shape[1:])])
    return total


def _scatter(total: NDArray[np.float64], marked: NDArray[np.int64], taps: NDArray[np.bool_]) -> None:
    lengths = taps.shape[2:]
    mirrored = np.flip(taps, axis=tuple(range(2, taps.ndim)))
    for channel, *place in marked:
        into, of = [], []
        for p, k, n in zip(place, lengths, total.shape[1:], strict=True):
            lo, hi = max(0, p - k + 1), min(n, p + 1)
            into.append(slice(lo, max(lo, hi)))
            of.append(slice(lo - (p - k + 1), max(lo, hi) - (p - k + 1)))
        total[(slice(None), *into)] += mirrored[(slice(None), channel, *of)]
