"""Steps 4 and 5 for the direct sum: tables of offsets from polyphase parts, and tiles through the compiled kernels.

Whatever the call (n-D, strided, stuffed, dilated, channels, complex), the kernel sees rows
out[to + j] = Σ_c w[c]·x[at + offset[c] + j] over flat memory.
"""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any, NamedTuple

import numpy as np

from firconv import tiles
from firconv.problem import Lattice

#: Unfiltered samples behind the last filtered axis that make a row of their own, so that its taps make columns.
WIDE = 32


class Table(NamedTuple):
    """The taps of every (output channel, output part) as one list of weights and memory offsets."""

    weights: np.ndarray
    offsets: np.ndarray
    first: np.ndarray
    last: np.ndarray


class Rows(NamedTuple):
    """Where the rows of a tile start in memory, and which taps each takes."""

    x_row: np.ndarray
    out_row: np.ndarray
    run: int
    table: Table
    first: np.ndarray
    last: np.ndarray


class DirectTaps:
    """Correlation taps (O, I, *K) of a real dtype, ready for the direct kernels; tables are made once a layout.

    A row of a kernel runs along `run_axis` and everything behind it, which must lie joined in memory.
    """

    def __init__(self, weights: np.ndarray, lattices: tuple[Lattice, ...], outputs: tuple[int, ...]):
        self.weights, self.lattices = np.ascontiguousarray(weights), lattices
        self.plain = all(a.up == a.down == 1 for a in lattices)  # equal steps are one part, with taps left out
        last = max((i for i, a in enumerate(lattices) if not a.idle), default=len(lattices) - 1)
        self.run_axis = last + (prod(outputs[last + 1 :]) >= WIDE)
        self.row_axis = self._image_axis()
        self._tables: dict[Any, Any] = {}

    def _image_axis(self) -> int | None:
        """The filtered axis that makes images with the run axis: both plain, and neighbouring taps one sample apart."""
        axes = [i for i, a in enumerate(self.lattices) if a.taps > 1 and i < self.run_axis]
        if not self.plain or not axes or max(self.lattices[a].dilation for a in (self.run_axis, axes[-1])) > 1:
            return None
        return axes[-1]

    def images(self, x: np.ndarray, out: np.ndarray) -> list[tuple[Any, ...]]:
        """The arguments of every call of `images.grid` for a tile, taps in their order; arrays as for `rows`."""
        key = (x.strides, out.strides, out.shape, "images")
        found = self._tables.get(key)
        if found is None:
            if len(self._tables) > 64:
                self._tables.clear()
            found = self._tables[key] = self._images(tiles.steps(x), tiles.steps(out), out.shape)
        return found

    def _images(self, xs: tuple[int, ...], os: tuple[int, ...], shape: tuple[int, ...]) -> list[tuple[Any, ...]]:
        d, row, run = len(self.lattices), self.row_axis or 0, self.run_axis
        first = d + 1
        outer = [a for a in range(run) if a != row]
        n = int(np.prod(shape[first + run :]))
        calls = []
        for o in range(shape[0]):
            for at in product(*(range(shape[first + a]) for a in outer)):
                start = sum(i * xs[first + a] for i, a in zip(at, outer, strict=True))
                to = o * os[0] + sum(i * os[first + a] for i, a in zip(at, outer, strict=True))
                for more, (offset, weights) in enumerate(self._slices(o, xs, outer)):
                    calls.append(
                        (
                            start + offset,
                            to,
                            shape[first + row],
                            os[first + row],
                            n,
                            weights,
                            xs[first + row],
                            xs[first + run],
                            more > 0,
                        )
                    )
        return calls

    def _slices(self, o: int, xs: tuple[int, ...], outer: list[int]) -> list[tuple[int, np.ndarray]]:
        """(memory offset, weights (K_row, K_run)) for every input channel and tap of the outer axes, in order."""
        first, found = len(self.lattices) + 1, []
        for i in range(self.weights.shape[1]):
            for k in product(*(range(self.lattices[a].taps) for a in outer)):
                index: list[Any] = [slice(None) if a in (self.row_axis, self.run_axis) else 0 for a in range(first - 1)]
                for a, tap in zip(outer, k, strict=True):
                    index[a] = tap
                offset = sum(tap * self.lattices[a].dilation * xs[first + a] for a, tap in zip(outer, k, strict=True))
                found.append((i * xs[0] + offset, np.ascontiguousarray(self.weights[(o, i, *index)])))
        return found

    def table(self, strides: tuple[int, ...]) -> Table:
        """Offsets for a block (I, *in_parts, *periods) with these strides in elements."""
        d = len(self.lattices)
        channel, part, step = strides[0], strides[1 : d + 1], strides[d + 1 :]
        weights, offsets = [], []
        for o in range(self.weights.shape[0]):
            for r in np.ndindex(*(a.out_parts for a in self.lattices)):
                entries = [a.entries(i) for a, i in zip(self.lattices, r, strict=True)]
                where = (
                    np.arange(self.weights.shape[1]) * channel,
                    *(s * p + a * q for (_, s, a), p, q in zip(entries, part, step, strict=True)),
                )
                grid = np.zeros((1,) * (d + 1), np.int64)
                for axis, values in enumerate(where):
                    grid = grid + values.reshape((-1,) + (1,) * (d - axis))
                picked = self.weights[(o, *np.ix_(np.arange(self.weights.shape[1]), *(k for k, _, _ in entries)))]
                weights.append(picked.ravel())
                offsets.append(grid.ravel())
        ends = np.cumsum([w.size for w in weights], dtype=np.int64)
        return Table(np.concatenate(weights), np.concatenate(offsets), np.concatenate([[0], ends[:-1]]), ends)

    def rows(self, x: np.ndarray, out: np.ndarray) -> Rows:
        """The rows of a tile; x (I, *in_parts, *periods), out (O, *out_parts, *periods)."""
        key = (x.strides, out.strides, out.shape)
        found = self._tables.get(key)
        if found is None:
            if len(self._tables) > 64:
                self._tables.clear()
            found = self._tables[key] = self._rows(tiles.steps(x), tiles.steps(out), out.shape)
        return found

    def _rows(self, xs: tuple[int, ...], os: tuple[int, ...], shape: tuple[int, ...]) -> Rows:
        d = len(self.lattices)
        run = d + 1 + self.run_axis
        table = self.table(xs)
        lead = shape[: d + 1]
        at, to = np.zeros(lead + shape[d + 1 : run], np.int64), np.zeros(lead + shape[d + 1 : run], np.int64)
        for axis in range(run):
            ramp = np.arange(shape[axis]).reshape((-1,) + (1,) * (run - axis - 1))
            to += ramp * os[axis]
            if axis > d:
                at += ramp * xs[axis]
        filters = np.broadcast_to(np.arange(int(np.prod(lead))).reshape(lead + (1,) * (run - d - 1)), to.shape).ravel()
        return Rows(at.ravel(), to.ravel(), int(np.prod(shape[run:])), table, table.first[filters], table.last[filters])


def as_pairs(a: np.ndarray) -> np.ndarray:
    """A complex array as real pairs on a last axis of two, without a copy."""
    real = a.real.dtype
    return np.lib.stride_tricks.as_strided(a.view(real), (*a.shape, 2), (*a.strides, real.itemsize))


def correlate(taps: DirectTaps, block: np.ndarray, out: np.ndarray) -> None:
    """The direct sum of one tile: block (I, *samples) as `tiles.Grid.span` gives them, into out (O, *outputs)."""
    d = len(taps.lattices)
    x = _parts(block, taps)
    parts = tuple(a.out_parts for a in taps.lattices)
    whole = all(p == 1 for p in parts)
    if whole and tiles.is_flat(out, 1 + taps.run_axis):
        _run(taps, x, out[(slice(None),) + (None,) * d])
        return
    counts = tuple(-(-n // p) for n, p in zip(out.shape[1:], parts, strict=True))
    target = np.empty((out.shape[0], *parts, *counts), out.dtype)
    _run(taps, x, target)
    _join(target, out)


def _parts(block: np.ndarray, taps: DirectTaps) -> np.ndarray:
    """(I, *samples) as (I, *in_parts, *periods), a view where there is one part and the memory can be walked."""
    d = len(taps.lattices)
    if all(a.in_parts == 1 for a in taps.lattices):
        if not tiles.is_flat(block, 1 + taps.run_axis):
            block = np.ascontiguousarray(block)
        return block[(slice(None),) + (None,) * d]
    shape: list[int] = [block.shape[0]]
    for a, n in zip(taps.lattices, block.shape[1:], strict=True):
        shape += [n // a.in_parts, a.in_parts]
    order = (0, *range(2, 2 * d + 1, 2), *range(1, 2 * d + 1, 2))
    return np.ascontiguousarray(block.reshape(shape).transpose(order))


def _join(parts: np.ndarray, out: np.ndarray) -> None:
    """(O, *out_parts, *periods) interleaved into (O, *outputs)."""
    d = out.ndim - 1
    order = [0]
    for axis in range(d):
        order += [d + 1 + axis, 1 + axis]
    whole = parts.transpose(order).reshape(
        [parts.shape[0]] + [parts.shape[1 + a] * parts.shape[d + 1 + a] for a in range(d)]
    )
    out[...] = whole[tuple(map(slice, out.shape))]


def _run(taps: DirectTaps, x: np.ndarray, out: np.ndarray) -> None:
    memory, target = tiles.flat(x), tiles.flat(out)
    if taps.row_axis is not None and out.shape[len(taps.lattices) + 1 + taps.row_axis] > 1:
        from firconv.kernels import images  # compiled: loaded when first needed

        _images(images.grid, taps, x, out, memory, target)
        return
    from firconv.kernels import direct

    r = taps.rows(x, out)
    direct.rows(memory, target, r.x_row, r.out_row, r.run, r.table.weights, r.table.offsets, r.first, r.last)


def _images(
    grid: Any, taps: DirectTaps, x: np.ndarray, out: np.ndarray, memory: np.ndarray, target: np.ndarray
) -> None:
    """Rows along the last two filtered axes as images, one call for each image and tap of the axes around them."""
    offsets = np.empty(taps.weights[0, 0].size, np.int64)
    for call in taps.images(x, out):
        grid(memory, target, *call, offsets)
