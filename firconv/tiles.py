"""Cutting the outputs into tasks: where the signal's ends matter, and blocks that fit the cache.

Positions are counted in periods q of the output (see `problem.Lattice`); for a plain filter a period is one output.
The cut depends on the problem and the plan only, never on the number of workers.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np

from firconv.problem import Lattice, Problem

Box = tuple[tuple[int, int], ...]


def periods(problem: Problem, lattices: tuple[Lattice, ...]) -> tuple[int, ...]:
    """Number of periods per axis, the last perhaps incomplete."""
    return tuple(-(-n // a.out_parts) for n, a in zip(problem.outputs, lattices, strict=True))


def inside(a: Lattice, n: int, count: int) -> tuple[int, int]:
    """The periods [lo, hi) whose every sample lies in a signal of n samples; (0, 0) where there are none."""
    lo = max(0, -a.base)
    hi = min(count, n // a.in_parts - a.base - a.reach + 1)
    return (lo, hi) if lo < hi else (0, 0)


def regions(problem: Problem, lattices: tuple[Lattice, ...]) -> Iterator[Box]:
    """Boxes of periods that cover all outputs: slabs at the ends of each axis, then the inside that needs no extension."""
    counts = periods(problem, lattices)
    box = [(0, c) for c in counts]
    for axis, (a, n, count) in enumerate(zip(lattices, problem.signal, counts, strict=True)):
        lo, hi = inside(a, n, count)
        for ends in ((0, lo), (hi, count)):
            if ends[0] < ends[1]:
                yield (*box[:axis], ends, *box[axis + 1:])
        if lo >= hi:
            return
        box[axis] = (lo, hi)
    yield tuple(box)


def split(box: Box, tile: tuple[int, ...]) -> Iterator[Box]:
    """The box cut into tiles of at most these lengths."""
    pieces = [[(lo, min(lo + t, hi)) for lo in range(lo0, hi, t)] for (lo0, hi), t in zip(box, tile, strict=True)]
    return product(*pieces)


def span(lattices: tuple[Lattice, ...], box: Box) -> Box:
    """The samples that a box of periods reads."""
    return tuple(a.span(*ends) for a, ends in zip(lattices, box, strict=True))


def outputs(problem: Problem, lattices: tuple[Lattice, ...], box: Box) -> tuple[slice, ...]:
    """The outputs of a box of periods."""
    return tuple(slice(lo * a.out_parts, min(hi * a.out_parts, n))
                 for a, (lo, hi), n in zip(lattices, box, problem.outputs, strict=True))


def flat(block: np.ndarray) -> np.ndarray:
    """The memory that an array spans, as one contiguous vector from its first element (strides not negative)."""
    item = block.itemsize
    length = 1 + sum((n - 1) * (s // item) for n, s in zip(block.shape, block.strides, strict=True))
    return np.lib.stride_tricks.as_strided(block, (length,), (item,))


def steps(block: np.ndarray) -> tuple[int, ...]:
    """Strides in elements."""
    return tuple(s // block.itemsize for s in block.strides)


def is_flat(block: np.ndarray, run: int) -> bool:
    """True if kernels can walk this memory: aligned, no negative or odd strides, and the axes from `run` on joined."""
    strides = block.strides
    expected = block.itemsize
    for n, s in zip(block.shape[:run - 1:-1], strides[:run - 1:-1], strict=True):
        if s != expected and n > 1:
            return False
        expected *= n
    return block.flags.aligned and all(s >= 0 and s % block.itemsize == 0 for s in strides)
