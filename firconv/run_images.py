"""Steps 4 and 5 for the direct sum on images: one call of the kernel for each worker, which takes bands of rows.

An image runs along the last two filtered axes. Positions and taps along the other axes make images and slices of their
own, found by tables of where these begin; samples beyond the ends are found by maps of rows and columns.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from firconv import boundary as bd
from firconv import threads, tiles
from firconv.problem import Ints, Lattice
from firconv.run_direct import DirectTaps, as_pairs

#: Rules whose samples beyond the ends are samples of the signal, or absent.
MAPPED = ("zero", "edge", "symmetric", "reflect", "wrap")

#: Outputs of a band; fewer where several slices add to what is there.
BAND, SLICED = 1 << 16, 1 << 14


def serves(taps: DirectTaps, boundary: tuple[bd.Ends, ...]) -> bool:
    """True for images whose samples beyond the ends can be found by maps."""
    return taps.row_axis is not None and all(rule.name in MAPPED for ends in boundary for rule in ends)


class Images:
    """Images through the direct sum or a column and a row, all bands of them one task that its workers share.

    Parameters
    ----------
    tiled : a runner for the same problem, for arrays that the kernels cannot walk through
    taps : all taps, those of complex samples with an axis for their pairs
    passes : a column (ky, 1) and a row whose product the taps are, or None
    """

    def __init__(self, tiled: Any, taps: DirectTaps, pairs: bool, passes: tuple[np.ndarray, np.ndarray] | None):
        self.tiled, self.taps, self.pairs, self.passes, self.dtype = tiled, taps, pairs, passes, tiled.dtype
        self._tables: dict[Any, Tables] = {}

    def boxes(self, grid: tiles.Grid) -> list[tiles.Box]:
        return [grid.everything()]

    def fill(self, grid: tiles.Grid, box: tiles.Box, x: np.ndarray, out: np.ndarray) -> None:
        tables = self._tables_for(grid, x, out)
        if tables is None:
            by_tiles(self.tiled, grid, x, out)
            return
        if self.pairs:
            x, out = as_pairs(x), as_pairs(out)
        from firconv.kernels import images  # compiled: loaded when first needed

        kernel, taps = (images.images, tables.taps) if self.passes is None else (images.passes, self.passes)
        memory, target = tiles.flat(x), tiles.flat(out)
        count = max(prod(t.shape[-2:]) for t in taps)
        workers = min(grid.workers, tables.tasks)

        def work(number: int, counter: np.ndarray) -> None:
            room = np.empty(tables.room, self.taps.weights.dtype)
            places = np.empty(count, np.int64)
            kernel(memory, target, *tables.where, *taps, *tables.sizes, room, room, places, counter, number)

        threads.share(work, workers, tables.tasks)

    def _tables_for(self, grid: tiles.Grid, x: np.ndarray, out: np.ndarray) -> Tables | None:
        """Tables for arrays like these, or None where the kernel cannot walk through them."""
        if self.pairs:
            if x.strides[-1] != x.itemsize or out.strides[-1] != out.itemsize:
                return None
            x, out = as_pairs(x), as_pairs(out)
        run = 1 + self.taps.run_axis
        if not (tiles.is_flat(x, run) and tiles.is_flat(out, run)):
            return None
        key = (x.strides, out.strides)
        found = self._tables.get(key)
        if found is None:
            if len(self._tables) > 16:
                self._tables.clear()
            boundary = grid.problem.boundary + ((bd.Rule("zero"), bd.Rule("zero")),) * self.pairs
            steps = tiles.steps(x), tiles.steps(out)
            found = self._tables[key] = Tables(self.taps, boundary, x.shape[1:], out.shape[1:], *steps)
        return None if self.passes is not None and not found.joined else found


def by_tiles(tiled: Any, grid: tiles.Grid, x: np.ndarray, out: np.ndarray) -> None:
    """All outputs by another runner, in its tasks."""

    def fill(tile: tiles.Box) -> None:
        tiled.fill(grid, tile, x, out[(slice(None), *grid.outputs(tile))])

    threads.run(fill, tiled.boxes(grid), grid.workers)


class Tables:
    """What the kernels are told about arrays with these steps in elements: x (I, *signal), out (O, *outputs).

    Attributes
    ----------
    where, sizes : arguments of both kernels; between them stand the taps
    taps : those of `images`
    tasks : number of bands of all images
    room : samples of the largest part that a worker copies, and two vectors
    joined : True if all columns that are read lie among those that need no extension, as `passes` wants them
    """

    def __init__(
        self, taps: DirectTaps, boundary: tuple[bd.Ends, ...], signal: Ints, outputs: Ints, x_steps: Ints, steps: Ints
    ):
        row, run = taps.row_axis or 0, taps.run_axis
        around = [a for a in range(run) if a != row]
        maps = [_map(*axis) for axis in zip(taps.lattices, boundary, signal, outputs, strict=True)]
        behind = prod(outputs[run + 1 :])
        starts = _starts(taps, maps, around, outputs, x_steps)
        weights = _slices(taps, around)
        along = (steps[0], len(taps.weights)), *((steps[1 + a], outputs[a]) for a in around)
        to = np.asarray(sum(np.ix_(*(step * np.arange(n) for step, n in along))), np.int64).ravel()
        lo, hi = tiles.inside(taps.lattices[row], signal[row], outputs[row])
        left, right = (behind * q for q in tiles.inside(taps.lattices[run], signal[run], outputs[run]))
        wide = outputs[run] * behind
        bands = _bands(lo, hi, outputs[row], (BAND if starts.shape[1] == 1 else SLICED) // wide)
        numbers = [lo, hi, left, right, x_steps[1 + row], behind, steps[1 + row], wide]
        self.room = _room(bands, numbers, weights.shape[1] - 1, (weights.shape[2] - 1) * behind)
        first = np.repeat(np.arange(len(taps.weights)) * starts.shape[1], len(starts))
        place = maps[run][:, None]
        columns = np.where(place < 0, -1, place * behind + np.arange(behind))
        self.tasks = to.size * (bands.size - 1)
        self.where = (np.tile(starts, (len(taps.weights), 1)), to)
        self.taps = (first, weights)
        self.sizes = (maps[row], columns.ravel(), bands, np.array(numbers, np.int64))
        present = maps[run][maps[run] >= 0]
        last = right // behind + weights.shape[2] - 2
        self.joined = left < right and bool(
            maps[run][left // behind] <= present.min() and present.max() <= maps[run][last]
        )


def _map(a: Lattice, ends: bd.Ends, n: int, count: int) -> np.ndarray:
    """Which sample every place is that the outputs of an axis read; −1 for none."""
    terms = bd.extension(ends, n, *a.span(0, count))
    return terms.index.astype(np.int64) if terms.absent is None else np.where(terms.absent, -1, terms.index)


def _starts(taps: DirectTaps, maps: list[np.ndarray], around: list[int], outputs: Ints, steps: Ints) -> np.ndarray:
    """Where in x the image of each position and slice begins; −1 where it is absent."""
    positions, slices = prod(outputs[a] for a in around), prod(taps.weights.shape[2 + a] for a in around)
    total: Any = np.zeros((1, 1), np.int64)
    absent: Any = np.zeros((1, 1), bool)
    for a in around:
        k, dilation = taps.weights.shape[2 + a], taps.lattices[a].dilation
        place = maps[a][np.arange(outputs[a])[:, None] + dilation * np.arange(k)]
        shape = total.shape[0] * len(place), total.shape[1] * k
        total = (total[:, None, :, None] + (place * steps[1 + a])[None, :, None, :]).reshape(shape)
        absent = (absent[:, None, :, None] | (place < 0)[None, :, None, :]).reshape(shape)
    channels = steps[0] * np.arange(taps.weights.shape[1])
    every = channels[:, None] + np.where(absent, 0, total)[:, None, :]
    every[np.broadcast_to(absent[:, None, :], every.shape)] = -1
    return np.ascontiguousarray(every.reshape(positions, channels.size * slices))


def _slices(taps: DirectTaps, around: list[int]) -> np.ndarray:
    """The taps (O · slices, ky, kx), in the order of `_starts`."""
    row, run = 2 + (taps.row_axis or 0), 2 + taps.run_axis
    rest = [a for a in range(run + 1, taps.weights.ndim)]
    w = taps.weights.transpose(0, 1, *(2 + a for a in around), row, run, *rest)
    return np.ascontiguousarray(w.reshape(-1, taps.weights.shape[row], taps.weights.shape[run]))


def _bands(lo: int, hi: int, count: int, rows: int) -> np.ndarray:
    """Where bands of an even number of rows begin, and the number of rows; none lies on both sides of lo or hi."""
    rows, found = max(2, rows // 2 * 2), []
    for first, last in ((0, lo), (lo, hi), (hi, count)) if lo < hi else ((0, count),):
        found += list(range(first, last, rows))
    return np.array([*found, count], np.int64)


def _room(bands: np.ndarray, numbers: list[int], more_rows: int, more: int) -> int:
    """Samples of the largest part that the kernel copies, and two vectors that it may read behind them."""
    lo, hi, left, right, *_, wide = numbers
    largest = 0
    for first, last in zip(bands[:-1].tolist(), bands[1:].tolist(), strict=True):
        inside = lo <= first and last <= hi and left < right
        part = max(left, wide - right) if inside else wide
        largest = max(largest, (last - first + more_rows) * (part + more))
    return largest + 64
