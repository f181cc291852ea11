"""Dense layers by blocks of outputs: what a block reads is copied once, then six output channels at a time are summed.

A matrix product without its matrix: the copy is no larger than what a block reads, a tap is an offset into it. Steps
(`up`, `down`) become parts, as everywhere. The order of a sum is that of the taps, whatever the block.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from firconv import threads
from firconv.nn import costs
from firconv.nn.geometry import AXES, NEAR, TASKS, Block, Geometry, Maps, blocks, read
from firconv.planner import Candidate
from firconv.problem import Ints, Problem

LANES = 64  # bytes of two vectors


def candidate(problem: Problem) -> Candidate | None:
    """What the method costs for a layer, or None where it does not apply."""
    if not serves(problem):
        return None
    seconds, macs = costs.dense(problem)
    room = 2 * NEAR if problem.dtype.itemsize == 4 else 3 * NEAR
    return Candidate("gemm", seconds, macs, room, "γ_K·(|w| * |x|)", shared=seconds * (1 + 1 / TASKS))


def serves(problem: Problem) -> bool:
    """True for real floating-point layers of up to three axes whose ends divide by nothing."""
    kinds = {problem.signal_dtype, problem.taps_dtype, problem.dtype}
    omitted = any(rule.name == "omit" for ends in problem.boundary for rule in ends)
    return kinds in ({np.dtype(np.float32)}, {np.dtype(np.float64)}) and len(problem.signal) <= AXES + 1 and not omitted


class Dense:
    """A layer's weights and blocks; see `firconv.nn.methods` for how it is called."""

    def __init__(self, problem: Problem, weights: np.ndarray):
        self.problem, self.geometry = problem, Geometry(problem)
        self.blocks = blocks(self.geometry)
        self.maps = Maps.of(self.geometry.axes)
        self.weights = [[self.geometry.weights(part, w) for part in self.geometry.parts] for w in weights]
        self._tables: dict[Any, np.ndarray] = {}
        self._rooms: list[dict[str, np.ndarray]] = []

    def __call__(self, x: np.ndarray, out: np.ndarray, bias: np.ndarray | None, workers: int) -> None:
        self.run(self.blocks, np.ascontiguousarray(x), out, bias, workers)

    def run(
        self, some: list[Block], x: np.ndarray, out: np.ndarray, bias: np.ndarray | None, workers: int
    ) -> None:
        """Compute some of the blocks."""
        b = np.zeros(out.shape[1], out.dtype) if bias is None else bias
        threads.run(lambda block: self.fill(block, x, out, b), some, workers)

    def fill(self, block: Block, x: np.ndarray, out: np.ndarray, bias: np.ndarray) -> None:
        """Compute one block of outputs; `out` (N, O, *outputs) is contiguous."""
        from firconv.kernels import dense as kernel

        p, room = self.problem, self._rooms.pop() if self._rooms else {}
        flat, places, starts = self._samples(block, x, room)
        run = (block.count[1] - 1) * places[2] + block.count[2]
        filled = _whole(run, LANES // p.dtype.itemsize)
        bases = np.array([s + i * places[1] * places[2] for s in starts for i in range(block.count[0])], np.int64)
        outs = max(1, NEAR // (filled * len(bases) * p.dtype.itemsize * 6)) * 6
        sums = _array(room, "sums", min(outs, _whole(p.channels_out, 6)) * filled * len(bases), p.dtype)
        target, bias = (a.reshape(-1)[s:] for a, s in self._group(block.group, out, bias))
        shape = self._delivery(block, len(bases), filled, places[2])
        for part, weights in zip(self.geometry.parts, self.weights[block.group], strict=True):
            box = self._outputs(block, part)
            offsets = self._offsets(part, places)
            if not offsets.size:  # outputs that only meet stuffed zeros
                sums[:] = 0
            for o in range(block.channels[0], block.channels[1], outs) if box else ():
                last = min(o + outs, block.channels[1])
                kernel.products(flat, weights, offsets, bases, run, o, last, sums)
                kernel.deliver(sums, bias, shape, np.array([*block.images, o, last, *box], np.int64), target)
        self._rooms.append(room)

    # ── what a block reads ──

    def _samples(self, block: Block, x: np.ndarray, room: Any) -> tuple[np.ndarray, Ints, list[int]]:
        """Flat memory, its places per axis, and where the images begin: x itself where its rows can be read in full."""
        p, geometry = self.problem, self.geometry
        if not geometry.busy and self._in_place(block, x):
            whole = geometry.signal[2]
            starts = [(n * p.groups + block.group) * p.channels_in * whole for n in range(*block.images)]
            return x.reshape(-1), (1, 1, whole), [s + block.first[2] for s in starts]
        places = geometry.places(block)
        size = p.channels_in * geometry.phases * int(np.prod(places))
        images = block.images[1] - block.images[0]
        flat = _array(room, "samples", images * size + LANES, p.dtype)
        read(geometry, self.maps, block, (0, p.channels_in), x, flat)
        return flat, places, [n * size for n in range(images)]

    def _in_place(self, block: Block, x: np.ndarray) -> bool:
        """True where whole vectors end inside x, and channels do not share a few lines of the cache."""
        whole, size = self.geometry.signal[2], x.itemsize
        last = block.images[1] == x.shape[0] and block.group == self.problem.groups - 1
        fits = not last or block.first[2] + _whole(block.count[2], LANES // size) <= whole
        return fits and whole * size % 1024 != 0

    def _offsets(self, part: Ints, places: Ints) -> np.ndarray:
        found = self._tables.get((part, places))
        if found is None:
            found = self.geometry.offsets(part, self.problem.channels_in, places)
            self._tables[part, places] = found
        return found

    # ── where its outputs go ──

    def _group(self, group: int, out: np.ndarray, bias: np.ndarray) -> tuple[tuple[np.ndarray, int], ...]:
        first = group * self.problem.channels_out
        return (out, first * int(np.prod(self.geometry.outputs))), (bias, first)

    def _delivery(self, block: Block, bases: int, filled: int, row: int) -> np.ndarray:
        p, (planes, rows, columns) = self.problem, self.geometry.outputs
        channel = planes * rows * columns
        steps = [a.lattice.out_parts for a in self.geometry.axes]
        sums = [bases * filled, block.count[0] * filled, filled, row]
        image = p.groups * p.channels_out * channel
        return np.array([image, channel, rows * columns, columns, *steps, *sums], np.int64)

    def _outputs(self, block: Block, part: Ints) -> list[int]:
        """First output and number of outputs of one part, per axis; empty where there are none."""
        box: list[int] = []
        for axis, r, lo, n in zip(self.geometry.axes, part, block.first, block.count, strict=True):
            step = axis.lattice.out_parts
            count = min(n, -(-(axis.outputs - r) // step) - lo)
            if count <= 0:
                return []
            box += [lo * step + r, count]
        return box


def _whole(n: int, unit: int) -> int:
    return -(-n // unit) * unit


def _array(room: dict[str, np.ndarray], name: str, size: int, dtype: np.dtype) -> np.ndarray:
    """Memory of at least this size, kept for the next block."""
    if name not in room or room[name].size < size:
        room[name] = np.zeros(size, dtype)
    return room[name]
