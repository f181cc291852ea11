"""Dense layers by blocks of outputs: what a block reads is copied once, then six output channels at a time are summed.

A matrix product without its matrix: the copy is no larger than what a block reads, a tap is an offset into it. Steps
(`up`, `down`) become parts, as everywhere. The order of a sum is that of the taps, whatever the block.

A block is a line of numbers for the kernel, and each worker calls it once.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from firconv import threads
from firconv.nn import costs
from firconv.nn.geometry import AXES, SAMPLES, TASKS, Block, Geometry, Maps, blocks, extended, reading
from firconv.planner import Candidate
from firconv.problem import Ints, Problem

LANES = 64  # bytes of two vectors


def candidate(problem: Problem) -> Candidate | None:
    """What the method costs for a layer, or None where it does not apply."""
    if not serves(problem):
        return None
    seconds, macs = costs.dense(problem)
    return Candidate("gemm", seconds, macs, 2 * SAMPLES, "γ_K·(|w| * |x|)", shared=seconds * (1 + 1 / TASKS))


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
        self.maps, self.in_place = Maps.of(self.geometry.axes), not self.geometry.busy
        found = [self.geometry.weights(part, w) for part in self.geometry.parts for w in weights]
        self.weights = np.ascontiguousarray(weights).reshape(-1) if len(self.geometry.parts) == 1 else np.concatenate(found)
        self._starts = np.cumsum([0, *(w.size for w in found)])
        self._offsets: dict[tuple[Ints, Ints], int] = {}
        self._tables: list[np.ndarray] = [np.zeros(0, np.int64)]
        self._parts: list[list[int]] = []
        self._rows = {block: self._row(block) for block in self.blocks}
        self.offsets, self.parts = np.concatenate(self._tables), np.array(self._parts, np.int64)
        self._rooms: list[tuple[np.ndarray, ...]] = []

    def __call__(self, x: np.ndarray, out: np.ndarray, bias: np.ndarray | None, workers: int) -> None:
        self.run(self.blocks, np.ascontiguousarray(x), out, bias, workers)

    def run(
        self, some: list[Block], x: np.ndarray, out: np.ndarray, bias: np.ndarray | None, workers: int
    ) -> None:
        """Compute some of the blocks of outputs; `out` (N, O, *outputs) is contiguous."""
        b = np.zeros(out.shape[1], out.dtype) if bias is None else bias
        if self.maps is None:
            threads.run(lambda block: self._extended(block, x, out, b), some, workers)
            return
        table = np.array([self._rows[block] for block in some], np.int64).reshape(len(some), -1)
        maps = *(i.reshape(-1) for i in self.maps.index), self.maps.plain
        counter = np.zeros(1, np.int64)
        threads.run(lambda _: self._work(x, b, maps, table, counter, out), range(min(workers, len(some))), workers)

    def _work(
        self, x: np.ndarray, bias: np.ndarray, maps: tuple[np.ndarray, ...], table: np.ndarray, counter: np.ndarray,
        out: np.ndarray,
    ) -> None:  # fmt: skip
        """Take blocks of a table until there are no more."""
        from firconv.kernels import dense as kernel

        room = self._rooms.pop() if self._rooms else self._room()
        kernel.fill(
            x.reshape(-1), self.weights, bias, *maps, self.offsets, table, self.parts, self.in_place, counter, *room,
            out.reshape(-1),
        )  # fmt: skip
        self._rooms.append(room)

    def _extended(self, block: Block, x: np.ndarray, out: np.ndarray, bias: np.ndarray) -> None:
        """One block whose samples are extended by the general rules first."""
        x, (*maps, shape, box) = extended(self.geometry, block, (0, self.problem.channels_in), x)
        table = np.array([[*shape, *box, *self._rows[block][-2:]]], np.int64)
        self._work(x, bias, tuple(maps), table, np.zeros(1, np.int64), out)

    def _room(self) -> tuple[np.ndarray, ...]:
        """Samples of a block, panels, sums, and tiles, for one worker."""
        from firconv.kernels import dense as kernel

        p, lanes = self.problem, LANES // self.problem.dtype.itemsize
        most = 0 if self.in_place else max((b.images[1] - b.images[0]) * self._size(b) for b in self.blocks) + lanes
        tile = kernel.VECTORS * lanes // 2
        sizes = most, kernel.TILES * kernel.CHUNK * tile + lanes, p.channels_out * kernel.TILES * tile
        return *(_aligned(n, p.dtype) for n in sizes), np.zeros(kernel.TILES * kernel.TILE, np.int64)

    # ── what the kernel is told ──

    def _size(self, block: Block) -> int:
        """Samples that a block reads of one image."""
        return self.problem.channels_in * self.geometry.phases * prod(self.geometry.places(block))

    def _row(self, block: Block) -> list[int]:
        """The numbers of a block, and those of its parts."""
        first, numbers = len(self._parts), [0] * 23
        if self.maps is not None and not self.in_place:
            *_, shape, box = reading(self.geometry, self.maps, block, (0, self.problem.channels_in))
            numbers = [*shape, *box]
        for number, part in enumerate(self.geometry.parts):
            box = self._outputs(block, part)
            if box:
                self._parts.append(self._part(block, number, part, box))
        return [*numbers, first, len(self._parts)]

    def _part(self, block: Block, number: int, part: Ints, box: list[int]) -> list[int]:
        p, outs = self.problem, self.problem.channels_out
        weights = number * p.groups + block.group
        taps = int(self._starts[weights + 1] - self._starts[weights]) // outs
        counts = [block.images[1] - block.images[0], *box[1::2]]
        return [
            self._table(part, block), taps, int(self._starts[weights]), *block.channels, block.group * outs, *counts,
            *self._sources(block), *self._targets(block, box[::2]), prod(self.geometry.outputs),
        ]  # fmt: skip

    def _table(self, part: Ints, block: Block) -> int:
        """Where the offsets of a part for blocks of this shape begin."""
        places = self.geometry.places(block) if not self.in_place else (1, 1, self.geometry.signal[2])
        if (part, places) not in self._offsets:
            self._offsets[part, places] = sum(t.size for t in self._tables)
            self._tables.append(self.geometry.offsets(part, self.problem.channels_in, places))
        return self._offsets[part, places]

    def _sources(self, block: Block) -> Ints:
        """The first sample of a block, and steps along images, planes and rows."""
        _, rows, columns = self.geometry.places(block)
        if not self.in_place:
            return 0, self._size(block), rows * columns, columns
        p, whole = self.problem, self.geometry.signal[2]
        image = p.channels_in * whole
        first = (block.images[0] * p.groups + block.group) * image + block.first[2]
        return first, p.groups * image, 0, 0

    def _targets(self, block: Block, first: list[int]) -> Ints:
        """The first output of a part, and steps along images, planes, rows and columns."""
        p, (_, rows, columns) = self.problem, self.geometry.outputs
        image = p.channels_out * prod(self.geometry.outputs)
        steps = [n * a.lattice.out_parts for n, a in zip((rows * columns, columns, 1), self.geometry.axes, strict=True)]
        at = (block.images[0] * p.groups + block.group) * image
        at += first[0] * rows * columns + first[1] * columns + first[2]
        return at, p.groups * image, *steps

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


def _aligned(size: int, dtype: np.dtype) -> np.ndarray:
    """Zeros that begin on a line of the cache."""
    raw = np.zeros(size * dtype.itemsize + LANES, np.uint8)
    first = -raw.ctypes.data % LANES
    return raw[first : first + size * dtype.itemsize].view(dtype)
