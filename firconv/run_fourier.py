"""Steps 4 and 5 for the Fourier methods: blocks of the extended signal through `kernels.fourier`, and what it cannot
vouch for again: a float32 block in float64, then single outputs by the direct sum.

Blocks lie on a grid that starts at output 0 (period 0), so the bits of an output do not depend on how a signal was cut.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from firconv import boundary as bd
from firconv import threads, tiles
from firconv.problem import Lattice


#: Samples of blocks in one call of the kernel, and the fewest blocks that fill SIMD lanes, by size of a sample.
BATCH = 1 << 17
LANES = {4: 4, 8: 2, 16: 2}

#: Up to this many products, single outputs are summed directly at once rather than their block in double precision.
FEW = 1 << 22


@dataclass(frozen=True, eq=False)
class Dense:
    """Polyphase parts as channels: taps (O·out_parts, I·in_parts, *reach), and which of them are stored."""

    weights: np.ndarray
    support: np.ndarray | None


def dense(weights: np.ndarray, lattices: tuple[Lattice, ...]) -> Dense:
    """Correlation taps (O, I, *K) as unit-stride taps between parts; dilation leaves holes."""
    d = len(lattices)
    outs, ins = [a.out_parts for a in lattices], [a.in_parts for a in lattices]
    lead = (weights.shape[0], *outs, weights.shape[1], *ins)
    full = np.zeros(lead + tuple(a.reach for a in lattices), weights.dtype)
    support = np.zeros(full.shape[1:1 + d] + full.shape[2 + d:], bool)
    for r in np.ndindex(*outs):
        entries = [a.entries(i) for a, i in zip(lattices, r, strict=True)]
        k, s, a = ([e[j] for e in entries] for j in range(3))
        for i in range(weights.shape[1]):
            picked: Any = (slice(None), i, *np.ix_(*k))
            full[(slice(None), *r, i, *_open(s), *_open(a))] = weights[picked]
        support[(*r, *_open(s), *_open(a))] = True
    reach = full.shape[2 + 2 * d:]
    full = full.reshape((weights.shape[0] * int(np.prod(outs)), weights.shape[1] * int(np.prod(ins)), *reach))
    if support.all():
        return Dense(full, None)
    shape = (weights.shape[0], *outs, weights.shape[1], *ins, *reach)
    stored = np.broadcast_to(support.reshape((1, *outs, 1, *ins, *reach)), shape)
    return Dense(full, np.ascontiguousarray(stored.reshape(full.shape)))


def _open(arrays: list[np.ndarray]) -> tuple[np.ndarray, ...]:
    return np.ix_(*arrays)


class FourierTaps:
    """Taps (O, I, *K) ready for blocks of given FFT lengths; spectra are made on first use, once.

    Parameters
    ----------
    lengths : FFT length per axis, 1 on unfiltered ones
    work : dtype of the blocks' arithmetic
    tau : the accuracy promised (semantics 17), or None
    """

    def __init__(self, weights: np.ndarray, lattices: tuple[Lattice, ...], lengths: tuple[int, ...], work: np.dtype,
                 tau: float | None):
        self.lattices, self.work, self.tau = lattices, work, tau
        self.axes = tuple(i for i, n in enumerate(lengths) if n > 1) or (len(lengths) - 1,)
        self.lengths = tuple(lengths[a] for a in self.axes)
        self._weights, self._lock = weights, threading.Lock()
        self._cache: dict[Any, Any] = {}
        self.steps = tuple(n - lattices[a].reach + 1 for a, n in zip(self.axes, self.lengths, strict=True))

    def dense(self) -> Dense:
        """Taps between parts, with only the filtered axes."""
        return self._once("dense", self._dense)

    def _dense(self) -> Dense:
        found = dense(self._weights, self.lattices)
        drop = tuple(2 + i for i in range(len(self.lattices)) if i not in self.axes)
        return Dense(found.weights.squeeze(drop), None if found.support is None else found.support.squeeze(drop))

    def spectrum(self, dtype: np.dtype) -> Any:
        """The transformed taps for blocks of `dtype`."""
        from firconv.kernels import fourier

        taps = self.dense()
        return self._once(dtype, lambda: fourier.prepare(taps.weights, taps.support, self.lengths, dtype))

    def _once(self, key: Any, make: Callable[[], Any]) -> Any:
        if key not in self._cache:
            with self._lock:
                if key not in self._cache:
                    self._cache[key] = make()
        return self._cache[key]


def tasks(grid: tiles.Grid, taps: FourierTaps) -> list[tiles.Box]:
    """Boxes of periods made of whole blocks, about `BATCH` samples of blocks to a task; those at the ends apart."""
    counts = grid.periods
    batch = max(LANES[taps.work.itemsize], BATCH // prod(taps.lengths))
    filtered: list[tuple[list[tuple[int, int]], int]] = [([], 1)]
    for i, axis in reversed(list(enumerate(taps.axes))):
        runs = []
        for inner, blocks in filtered:
            for lo, hi in _runs(grid.lattices[axis], grid.problem.signal[axis], counts[axis], taps.steps[i], taps.lengths[i],
                                max(1, batch // blocks)):
                runs.append(([(lo, hi), *inner], blocks * -(-(hi - lo) // taps.steps[i])))
        filtered = runs
    idle = [a for a in range(len(counts)) if a not in taps.axes]
    return [box for ends, blocks in filtered for box in _spread(counts, idle, taps.axes, ends, max(1, batch // blocks))]


def _spread(counts: tuple[int, ...], idle: list[int], axes: tuple[int, ...], ends: list[tuple[int, int]],
            room: int) -> Iterator[tiles.Box]:
    """The given ends of the filtered axes for every `room` lines along the others."""
    box = [(0, n) for n in counts]
    tile = list(counts)
    for axis, piece in zip(axes, ends, strict=True):
        box[axis] = piece
    for axis in reversed(idle):
        tile[axis] = min(counts[axis], room)
        room = max(1, room // tile[axis])
    return tiles.split(tuple(box), tuple(t if a in idle else hi - lo for a, (t, (lo, hi)) in
                                         enumerate(zip(tile, box, strict=True))))


def _runs(a: Lattice, n: int, count: int, step: int, length: int, batch: int) -> list[tuple[int, int]]:
    """Runs of blocks along one axis: those at the ends apart from those that need no extension."""
    blocks = -(-count // step)
    lo = min(blocks, max(0, -(-(-a.base) // step)))
    hi = max(lo, min(count // step, (n // a.in_parts - a.base - length) // step + 1))
    batch = min(batch, max(4, -(-(hi - lo) // 8)))
    cuts = [*range(0, lo), *range(lo, hi, batch), *range(hi, blocks)]
    return [(c * step, min(e * step, count)) for c, e in zip(cuts, [*cuts[1:], blocks], strict=True)]


def correlate(taps: FourierTaps, grid: tiles.Grid, box: tiles.Box, x: np.ndarray, out: np.ndarray) -> None:
    """Fill out (O, *outputs of the box) from x (I, *signal)."""
    blocks = _read(taps, grid, box, x)
    parts = [taps.lattices[a].out_parts for a in taps.axes]
    view = _as_blocks(taps, out, box) if all(p == 1 for p in parts) else None
    if view is not None:
        _filter(taps, blocks, view)
        return
    y = np.empty(blocks.shape[:len(blocks.shape) - len(taps.axes) - 1]
                 + (out.shape[0] * int(np.prod(parts)),) + taps.steps, _filter_dtype(taps, out))
    _filter(taps, blocks, y)
    _join(taps, y, out)


def _filter_dtype(taps: FourierTaps, out: np.ndarray) -> np.dtype:
    return out.dtype if out.dtype.kind in "iu" else taps.work


def _read(taps: FourierTaps, grid: tiles.Grid, box: tiles.Box, x: np.ndarray) -> np.ndarray:
    """The samples of a box of blocks as (*unfiltered, *blocks, I·parts, *lengths), a view where they lie inside."""
    spans = []
    for axis, (a, (lo, hi)) in enumerate(zip(grid.lattices, box, strict=True)):
        if axis in taps.axes:
            i = taps.axes.index(axis)
            last = lo + (-(-(hi - lo) // taps.steps[i]) - 1) * taps.steps[i]
            spans.append((a.in_parts * (lo + a.base), a.in_parts * (last + a.base + taps.lengths[i])))
        else:
            spans.append(a.span(lo, hi))
    region = bd.read(x, grid.problem.boundary, tuple(spans), taps.work, skip=1)
    idle = [i for i in range(len(box)) if i not in taps.axes]
    lead = [region.shape[1 + i] for i in idle]
    strides = region.strides
    shape, stride, parts, part_strides, inner, inner_strides = [], [], [], [], [], []
    for i, axis in enumerate(taps.axes):
        a, s = taps.lattices[axis], strides[1 + axis]
        shape.append(-(-(box[axis][1] - box[axis][0]) // taps.steps[i]))
        stride.append(taps.steps[i] * a.in_parts * s)
        parts.append(a.in_parts)
        part_strides.append(s)
        inner.append(taps.lengths[i])
        inner_strides.append(a.in_parts * s)
    view = np.lib.stride_tricks.as_strided(
        region, (*lead, *shape, region.shape[0], *parts, *inner),
        (*(strides[1 + i] for i in idle), *stride, strides[0], *part_strides, *inner_strides), writeable=False)
    channels = region.shape[0] * int(np.prod(parts))
    if view.shape[len(lead) + len(shape):-len(inner)] == (channels,):
        return view
    return view.reshape((*lead, *shape, channels, *inner))


def _as_blocks(taps: FourierTaps, out: np.ndarray, box: tiles.Box) -> np.ndarray | None:
    """`out` seen as (*unfiltered, *blocks, O, *steps), where it is made of whole blocks of the right type."""
    lengths = [box[a][1] - box[a][0] for a in taps.axes]
    fits = all(length % n == 0 or length < n for length, n in zip(lengths, taps.steps, strict=True))
    if not fits or (out.dtype != taps.work and out.dtype.kind not in "iu"):
        return None
    idle = [i for i in range(len(box)) if i not in taps.axes]
    counts = [-(-(box[a][1] - box[a][0]) // n) for a, n in zip(taps.axes, taps.steps, strict=True)]
    inner = [min(n, box[a][1] - box[a][0]) for a, n in zip(taps.axes, taps.steps, strict=True)]
    s = out.strides
    return np.lib.stride_tricks.as_strided(
        out, (*(out.shape[1 + i] for i in idle), *counts, out.shape[0], *inner),
        (*(s[1 + i] for i in idle), *(s[1 + a] * n for a, n in zip(taps.axes, taps.steps, strict=True)), s[0],
         *(s[1 + a] for a in taps.axes)))


def _join(taps: FourierTaps, y: np.ndarray, out: np.ndarray) -> None:
    """(*unfiltered, *blocks, O·parts, *steps) put in place in out (O, *outputs), cropped."""
    d, n = len(taps.axes), out.ndim - 1
    idle = [i for i in range(n) if i not in taps.axes]
    parts = [taps.lattices[a].out_parts for a in taps.axes]
    lead = len(idle)
    y = y.reshape(y.shape[:lead + d] + (out.shape[0], *parts) + taps.steps)
    order, shape = [lead + d], [out.shape[0]]
    for axis in range(n):
        if axis in taps.axes:
            i = taps.axes.index(axis)
            group = [lead + i, lead + d + 1 + d + i, lead + d + 1 + i]     # block, step, part
            order += group
            shape.append(int(np.prod([y.shape[g] for g in group])))
        else:
            order.append(idle.index(axis))
            shape.append(y.shape[idle.index(axis)])
    out[...] = y.transpose(order).reshape(shape)[tuple(map(slice, out.shape))]


def _filter(taps: FourierTaps, blocks: np.ndarray, out: np.ndarray) -> None:
    from firconv.kernels import fourier

    if out.dtype.kind in "iu":
        unsure = fourier.correlate_integers(taps.spectrum(np.dtype(np.float64)), blocks, out)
        if unsure is not None:
            _integers_again(taps, blocks, out, unsure)
        return
    unsure = fourier.correlate(taps.spectrum(taps.work), blocks, out, tau=taps.tau)
    if unsure is None:
        return
    unsure = np.broadcast_to(unsure, out.shape)
    if taps.work in (np.float32, np.complex64):
        unsure = _in_double(taps, blocks, out, unsure)
    _directly(taps, blocks, out, unsure)


def _in_double(taps: FourierTaps, blocks: np.ndarray, out: np.ndarray, unsure: np.ndarray) -> np.ndarray:
    """The blocks with many unsure outputs once more in double precision; returns what is still unsure."""
    from firconv.kernels import fourier

    double = np.dtype(np.float64 if taps.work == np.float32 else np.complex128)
    lead = out.ndim - len(taps.axes) - 1
    left = unsure.copy()
    work = unsure.sum(axis=tuple(range(lead, out.ndim))) * taps.dense().weights[0].size
    for place in np.argwhere(work > FEW):                                 # block by block, however they were batched
        at = tuple(place)
        again = np.empty(out[at].shape, double)
        still = fourier.correlate(taps.spectrum(double), blocks[at].astype(double), again, tau=taps.tau)
        with np.errstate(over="ignore", under="ignore"):
            np.copyto(out[at], again, where=unsure[at], casting="same_kind")
        left[at] = False if still is None else unsure[at] & still
    return left


def _directly(taps: FourierTaps, blocks: np.ndarray, out: np.ndarray, unsure: np.ndarray) -> None:
    """Single outputs by the direct sum in double precision."""
    from firconv.kernels import direct

    taps_ = taps.dense()
    lead = out.ndim - len(taps.axes) - 1
    for place in np.argwhere(unsure.any(axis=tuple(range(lead + 1, out.ndim)))):
        at, o = tuple(place[:-1]), place[-1]
        block = np.ascontiguousarray(blocks[at])
        stored = np.ones(taps_.weights.shape[1:], bool) if taps_.support is None else taps_.support[o]
        where = np.flatnonzero(unsure[(*at, o)])
        index = np.unravel_index(where, out.shape[lead + 1:])
        start = np.ravel_multi_index(index, block.shape[1:]).astype(np.int64)
        offsets = np.ravel_multi_index(np.nonzero(stored), block.shape).astype(np.int64)
        values = _dot(direct.points, block.ravel(), start, taps_.weights[o][stored], offsets)
        with np.errstate(over="ignore", under="ignore"):
            out[(*at, o, *index)] = values


def _dot(points: Any, x: np.ndarray, start: np.ndarray, weights: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    def real(part: np.ndarray, w: np.ndarray) -> np.ndarray:
        y = np.empty(start.size)
        points(np.ascontiguousarray(part), start, np.ascontiguousarray(w, np.float64), offsets, y)
        return y

    if x.dtype.kind != "c":
        return real(x, weights)
    y = real(x.real, weights.real) + 1j * real(x.imag, weights.real)
    if weights.dtype.kind == "c":
        y += 1j * real(x.real, weights.imag) - real(x.imag, weights.imag)
    return y


def _integers_again(taps: FourierTaps, blocks: np.ndarray, out: np.ndarray, unsure: np.ndarray) -> None:
    """The blocks whose rounding is not proven, by the direct sum of integers."""
    from firconv.kernels import direct

    found = taps.dense()
    lead = out.ndim - len(taps.axes) - 1
    unsure = np.broadcast_to(unsure, (*out.shape[:lead + 1], *unsure.shape[lead + 1:]))
    for place in np.argwhere(unsure.any(axis=tuple(range(lead + 1, unsure.ndim)))):
        at, o = tuple(place[:-1]), place[-1]
        block = np.ascontiguousarray(blocks[at]).astype(np.int64)
        stored = np.ones(found.weights.shape[1:], bool) if found.support is None else found.support[o]
        offsets = np.ravel_multi_index(np.nonzero(stored), block.shape).astype(np.int64)
        y: np.ndarray = np.empty(out.shape[lead + 1:], np.int64)
        index = np.indices(y.shape[:-1]).reshape(y.ndim - 1, y.size // y.shape[-1])
        rows = (np.ravel_multi_index((*index, np.zeros(index.shape[1], np.int64)), block.shape[1:]).astype(np.int64)
                if index.size else np.zeros(1, np.int64))
        to = np.arange(rows.size, dtype=np.int64) * y.shape[-1]
        first, last = np.zeros(rows.size, np.int64), np.full(rows.size, offsets.size, np.int64)
        direct.rows(block.ravel(), y.ravel(), rows, to, y.shape[-1], found.weights[o][stored].astype(np.int64), offsets,
                    first, last)
        out[(*at, o)] = y


def long(grid: tiles.Grid, box: tiles.Box, x: np.ndarray, w: np.ndarray, out: np.ndarray, tau: float | None) -> None:
    """One line by one transform; what the guard does not vouch for again in double precision, then output by output."""
    from firconv.kernels import fourstep

    axis = grid.problem.filtered[0]
    start = grid.span(box)[axis][0]
    if all(rule.absent for rule in grid.problem.boundary[axis]):
        line = x[(0, *(slice(None) if a == axis else lo for a, (lo, _) in enumerate(box)))].astype(out.dtype, copy=False)
    else:
        line, start = grid.read(x, box, out.dtype).reshape(-1), 0

    def parallel(function: Any, items: Any) -> None:
        threads.run(function, items, grid.workers)

    y = out if out.flags.c_contiguous else np.empty(out.shape, out.dtype)
    unsure = fourstep.correlate(line, w, start, y, tau=tau, parallel=parallel)
    if unsure is not None and out.dtype in (np.float32, np.complex64) and int(unsure.sum()) * w.size > FEW << 4:
        double = np.dtype(np.float64 if out.dtype == np.float32 else np.complex128)
        again = np.empty(out.shape, double)
        still = fourstep.correlate(line.astype(double), w.astype(double), start, again, tau=tau, parallel=parallel)
        with np.errstate(over="ignore", under="ignore"):
            np.copyto(y, again, where=unsure, casting="same_kind")
        unsure = None if still is None else unsure & still
    if unsure is not None:
        _long_directly(line, w, start, y, np.flatnonzero(unsure))
    if y is not out:
        out[...] = y


def _long_directly(x: np.ndarray, w: np.ndarray, start: int, out: np.ndarray, where: np.ndarray) -> None:
    """Single outputs of a line by the direct sum in double precision, over the samples that exist."""
    wide = np.result_type(out.dtype, np.float64)
    for n in where:
        lo, hi = max(0, start + n), min(x.size, start + n + w.size)
        with np.errstate(over="ignore", under="ignore"):
            out[n] = np.dot(x[lo:hi].astype(wide), w[lo - start - n:hi - start - n].astype(wide)) if lo < hi else 0


def overlay(found: Dense, lattices: tuple[Lattice, ...], block: np.ndarray, out: np.ndarray) -> None:
    """Put the NaN and Inf that the direct sum gives into out (1, *outputs), from a block as `tiles.Grid.read` gives it."""
    from firconv.kernels import guard

    shape: list[int] = []
    for a, n in zip(lattices, block.shape[1:], strict=True):
        shape += [n // a.in_parts, a.in_parts]
    d = len(lattices)
    parts = block.reshape(block.shape[:1] + tuple(shape)).transpose(0, *range(2, 2 * d + 1, 2), *range(1, 2 * d + 1, 2))
    channels = parts.reshape((-1, *parts.shape[d + 1:]))
    counts = [-(-n // a.out_parts) for n, a in zip(out.shape[1:], lattices, strict=True)]
    y = np.zeros((found.weights.shape[0], *counts), out.dtype)
    guard.overlay(channels, found.weights, found.support, y)
    order, joined = [0], [1]
    y = y.reshape((1, *(a.out_parts for a in lattices), *counts))
    for i, a in enumerate(lattices):
        order += [d + 1 + i, 1 + i]
        joined.append(counts[i] * a.out_parts)
    y = y.transpose(order).reshape(joined)[tuple(map(slice, out.shape))]
    np.copyto(out, y, where=~np.isfinite(y))
