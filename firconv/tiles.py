"""Cutting the outputs into tasks: where the signal's ends matter, and blocks that fit the cache.

Positions are counted in periods q of the output (see `problem.Lattice`); for a plain filter a period is one output.
The cut depends on the problem and the plan only, never on the number of workers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import prod

import numpy as np

from firconv import boundary as bd
from firconv.problem import Lattice, Problem

Box = tuple[tuple[int, int], ...]

#: Up to this many samples along the filtered axes a padded copy costs less than the calls for five regions.
SMALL = 1 << 14


@dataclass(frozen=True, eq=False)
class Grid:
    """A problem with the lattices of its axes: boxes of periods, the samples they read, the outputs they are.

    `workers` is the number of threads that a task may use by itself, where it is the only one.
    """

    problem: Problem
    lattices: tuple[Lattice, ...]
    workers: int = 1

    @property
    def periods(self) -> tuple[int, ...]:
        """Number of periods per axis, the last perhaps incomplete."""
        return tuple(-(-n // a.out_parts) for n, a in zip(self.problem.outputs, self.lattices, strict=True))

    def everything(self) -> Box:
        """The box of all outputs."""
        return tuple((0, n) for n in self.periods)

    def regions(self) -> Iterator[Box]:
        """Boxes that cover all outputs: slabs at the ends of each axis, then the inside that needs no extension."""
        counts = self.periods
        busy = [i for i, a in enumerate(self.lattices) if not a.idle]
        if prod(hi - lo for i, (lo, hi) in enumerate(self.span(self.everything())) if i in busy) <= SMALL:
            yield self.everything()
            return
        box = [(0, c) for c in counts]
        for axis, (a, n, count) in enumerate(zip(self.lattices, self.problem.signal, counts, strict=True)):
            lo, hi = inside(a, n, count)
            for ends in ((0, lo), (hi, count)):
                if ends[0] < ends[1]:
                    yield (*box[:axis], ends, *box[axis + 1 :])
            if lo >= hi:
                return
            box[axis] = (lo, hi)
        yield tuple(box)

    def span(self, box: Box) -> Box:
        """The samples that a box reads."""
        return tuple(a.span(*ends) for a, ends in zip(self.lattices, box, strict=True))

    def outputs(self, box: Box) -> tuple[slice, ...]:
        """The outputs of a box."""
        return tuple(
            slice(lo * a.out_parts, min(hi * a.out_parts, n))
            for a, (lo, hi), n in zip(self.lattices, box, self.problem.outputs, strict=True)
        )

    def read(self, x: np.ndarray, box: Box, dtype: np.dtype) -> np.ndarray:
        """The samples that a box reads, from x (I, *signal), extended and cast; a view where it can be."""
        return bd.read(x, self.problem.boundary, self.span(box), dtype, skip=1)


def inside(a: Lattice, n: int, count: int) -> tuple[int, int]:
    """The periods [lo, hi) whose every sample lies in a signal of n samples; (0, 0) where there are none."""
    lo = max(0, -a.base)
    hi = min(count, n // a.in_parts - a.base - a.reach + 1)
    return (lo, hi) if lo < hi else (0, 0)


def split(box: Box, tile: tuple[int, ...]) -> Iterator[Box]:
    """The box cut into tiles of at most these lengths."""
    pieces = [[(lo, min(lo + t, hi)) for lo in range(lo0, hi, t)] for (lo0, hi), t in zip(box, tile, strict=True)]
    return product(*pieces)


def tasks(grid: Grid, run: int) -> list[Box]:
    """Every region cut into tiles of whole rows, some 2¹⁴ to 2¹⁸ outputs each, an eighth of all if that is less."""
    room = max(1 << 14, min(1 << 18, prod(grid.problem.outputs) // 8))
    return [tile for box in grid.regions() for tile in split(box, _shape(grid, box, run, room))]


def _shape(grid: Grid, box: Box, run: int, room: int) -> tuple[int, ...]:
    """Lengths of a tile in periods that holds about `room` outputs."""
    counts = [hi - lo for lo, hi in box]
    room //= max(1, prod(counts[run + 1 :]))
    tile = list(counts)
    for axis in range(run, -1, -1):
        room = max(1, room // grid.lattices[axis].out_parts)
        tile[axis] = max(1, min(counts[axis], room))
        room = max(1, room // tile[axis])
    return tuple(tile)


def flat(block: np.ndarray) -> np.ndarray:
    """The memory that an array spans, as one contiguous vector from its first element (strides not negative)."""
    if block.flags.c_contiguous:
        return block.reshape(-1)
    item, span = block.itemsize, 0
    for n, s in zip(block.shape, block.strides, strict=True):
        span += (n - 1) * s
    return strided(block, (span // item + 1,), None)


def strided(block: np.ndarray, shape: tuple[int, ...], strides: tuple[int, ...] | None) -> np.ndarray:
    """A view from the first element of `block` on, as by ``as_strided`` without its checks, dearer than a row."""
    return np.asarray(_Memory(block, shape, strides))


class _Memory:
    """An array interface onto the memory of an array."""

    __slots__ = ("__array_interface__", "_base")

    def __init__(self, base: np.ndarray, shape: tuple[int, ...], strides: tuple[int, ...] | None):
        interface = base.__array_interface__
        self.__array_interface__ = {
            "shape": shape,
            "typestr": interface["typestr"],
            "data": interface["data"],
            "strides": strides,
            "version": 3,
        }
        self._base = base


def steps(block: np.ndarray) -> tuple[int, ...]:
    """Strides in elements."""
    return tuple(s // block.itemsize for s in block.strides)


def is_flat(block: np.ndarray, run: int) -> bool:
    """True if kernels can walk this memory: aligned, no negative or odd strides, and the axes from `run` on joined."""
    if block.flags.c_contiguous:
        return block.flags.aligned
    strides, item = block.strides, block.itemsize
    expected = item
    for n, s in zip(block.shape[: run - 1 : -1], strides[: run - 1 : -1], strict=True):
        if s != expected and n > 1:
            return False
        expected *= n
    for s in strides:
        if s < 0 or s % item:
            return False
    return block.flags.aligned
