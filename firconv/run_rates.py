"""Steps 4 and 5 for the direct sum along one axis with `up` or `down`: tables for `kernels.rates`.

A period of the kernel is some periods of the lattice, enough for whole vectors of outputs. Ends that need samples from
beyond the signal are copied; all the rest is one task, whose pieces the workers share.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from firconv import threads, tiles
from firconv.problem import Lattice
from firconv.run_direct import DirectTaps, as_pairs
from firconv.run_images import by_tiles

#: Outputs of a piece, and the part of a period that may be computed twice so that vectors fill it.
PIECE, TWICE = 1 << 15, 0.07
#: Bytes of a vector (`kernels.lanes.BYTES`), and periods that the kernel takes at once.
BYTES, SIDE = 32, 8


def serves(taps: DirectTaps, pairs: bool) -> bool:
    """True for one filter along the last axis, with `up` or `down`, whose outputs read samples one after the other."""
    lattices = taps.lattices[: len(taps.lattices) - pairs]
    if taps.weights.shape[:2] != (1, 1) or not lattices or not all(_untouched(a) for a in lattices[:-1]):
        return False
    return not lattices[-1].plain and lattices[-1].up % lattices[-1].dilation == 0


def _untouched(a: Lattice) -> bool:
    """True for an axis of unit stride with one tap; where up equals down, some taps meet samples and others none."""
    return a.idle and a.taps == a.up == a.down == 1


class Tables:
    """What the kernel is told of taps: see there."""

    def __init__(self, a: Lattice, w: np.ndarray, pairs: bool):
        step, size = 1 + pairs, BYTES // w.itemsize
        outs = a.out_parts * step
        many = next(m for m in range(1, size + 1) if -(-m * outs // size) * size <= (1 + TWICE) * m * outs)
        first, count, taps = [], [], []
        for part in range(a.out_parts):
            k, s, p = a.entries(part)
            first.append(int(p[0] * a.in_parts + s[0]) if k.size else 0)
            count.append(k.size)
            taps.append(w[k])
        self.step, self.far, self.wide = step, many * a.in_parts * step, many * outs
        begin = np.concatenate([[0], np.cumsum(count)])[:-1]
        n, c = np.divmod(np.arange(self.wide), step)
        q, r = np.divmod(n, a.out_parts)
        begins, number = (np.array(first)[r] + q * a.in_parts) * step + c, np.array(count)[r]
        self.taps = np.ascontiguousarray(np.concatenate(taps))
        self.singles = np.stack([begins, begin[r], number], axis=1).ravel()
        starts = [*range(0, self.wide - size, size), self.wide - size]
        self._vectors([slice(s, s + size) for s in starts], begins, begin[r], number)

    def _vectors(self, groups: list[slice], place: np.ndarray, begin: np.ndarray, number: np.ndarray) -> None:
        weights, vectors, total, ends = [], [], 0, [0, 0]
        for at in groups:
            size, some = at.stop - at.start, number[at] > 0
            lead = place[at] - np.arange(size)
            start = int(lead[some].min()) if some.any() else 0
            shift = np.where(some, (lead - start) // self.step, 0)
            stop = shift + number[at]
            last = int(stop.max())
            head, tail = (int(shift.max()), int(stop.min())) if some.all() else (last, last)
            head, tail = (head, tail) if head <= tail else (last, last)
            tap = np.arange(last)[:, None] - shift
            there = (tap >= 0) & (tap < number[at])
            weights.append((np.where(there, self.taps[np.where(there, begin[at] + tap, 0)], 0), there))
            vectors.append((start, at.start, total, head, tail, last))
            total += last * size
            ends = [min(ends[0], start), max(ends[1], start + (last - 1) * self.step + size)]
        self.weights, self.marks = (np.concatenate([w[i].ravel() for w in weights]) for i in (0, 1))
        self.weights, self.marks = (m.astype(self.taps.dtype) for m in (self.weights, self.marks))
        self.vectors, self.ends = np.array(vectors, np.int64).ravel(), ends

    def arguments(self, n: int) -> tuple[np.ndarray, ...]:
        """Arguments of the kernel from the taps on, for rows of n numbers."""
        piece = max(1, PIECE // (SIDE * self.wide)) * SIDE
        sizes = np.array((n, piece, self.far, self.wide, self.step, *self.ends), np.int64)
        return self.weights, self.marks, self.vectors, self.taps, self.singles, sizes

    def tasks(self, rows: int, n: int) -> int:
        """Pieces of so many rows of n numbers."""
        piece = max(1, PIECE // (SIDE * self.wide)) * SIDE
        return rows * -(-n // (self.wide * piece))


class Rates:
    """One filter with `up` or `down` along the last axis; `tiled` serves arrays that the kernel cannot walk through."""

    def __init__(self, tiled: Any, taps: DirectTaps, pairs: bool):
        self.tiled, self.pairs, self.dtype, self.block = tiled, pairs, tiled.dtype, tiled.block
        self.axis = len(taps.lattices) - 1 - pairs
        self.tables = Tables(taps.lattices[self.axis], taps.weights.ravel(), pairs)

    def boxes(self, grid: tiles.Grid) -> list[tiles.Box]:
        return [grid.everything()]

    def fill(self, grid: tiles.Grid, box: tiles.Box, x: np.ndarray, out: np.ndarray) -> None:
        if not (_walkable(x) and _walkable(out)):
            by_tiles(self.tiled, grid, x, out)
            return
        a, n, count = grid.lattices[self.axis], grid.problem.signal[self.axis], grid.periods[self.axis]
        lo, hi = tiles.inside(a, n, count) if n > tiles.SMALL else (0, 0)
        ends = [(0, lo), (hi, count)] if lo < hi else [(0, count)]
        lead = box[: self.axis]
        tasks: list[Any] = [partial(self._end, grid, (*lead, some), x, out) for some in ends if some[0] < some[1]]
        if lo < hi:
            where = grid.outputs((*lead, (lo, hi)))[self.axis]
            tasks += self._calls(x, a.in_parts * (lo + a.base), out[..., where], grid.workers)
        threads.run(lambda task: task(), tasks, grid.workers)

    def _end(self, grid: tiles.Grid, box: tiles.Box, x: np.ndarray, out: np.ndarray) -> None:
        """Outputs that need more than the signal, from a copy between zeros that vectors may read."""
        block, before, after = grid.read(x, box, self.block), -self.tables.ends[0], self.tables.ends[1]
        n = block.shape[-1]
        room = np.zeros((*block.shape[:-1], before + n + after), block.dtype)
        room[..., before : before + n] = block
        for call in self._calls(room, before, out[(slice(None), *grid.outputs(box))], 1):
            call()

    def _calls(self, x: np.ndarray, skip: int, out: np.ndarray, workers: int) -> list[Any]:
        """Calls of the kernel, for one worker each, for outputs of which the first period reads at sample `skip`."""
        from firconv.kernels import rates  # compiled: loaded when first needed

        n, step = out.shape[-1] * self.tables.step, self.tables.step
        x, out = (as_pairs(v) if self.pairs else v for v in (x, out))
        x_row, out_row = (_starts(v, self.axis + 1) for v in (x, out))
        arrays = tiles.flat(x), tiles.flat(out), x_row + skip * step, out_row
        call = partial(rates.resample, *arrays, *self.tables.arguments(n), np.zeros(1, np.int64))
        return [call] * min(workers, self.tables.tasks(out_row.size, n))


def _walkable(x: np.ndarray) -> bool:
    return x.strides[-1] == x.itemsize and tiles.is_flat(x, x.ndim - 1)


def _starts(x: np.ndarray, axes: int) -> np.ndarray:
    """Where rows begin in memory, in numbers."""
    total = np.zeros((1,) * axes, np.int64)
    for axis, (n, s) in enumerate(zip(x.shape[:axes], tiles.steps(x), strict=False)):
        total = total + (s * np.arange(n)).reshape((-1,) + (1,) * (axes - axis - 1))
    return total.ravel()
