"""Dense layers by blocks of outputs: what a block reads is copied once, then six output channels at a time are summed.

A matrix product without its matrix: the copy is no larger than what a block reads, a tap is an offset into it. Steps
(`up`, `down`) become parts, as everywhere. The order of a sum is that of the taps, whatever the block.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from firconv import threads
from firconv.nn import costs
from firconv.nn.geometry import AXES, NEAR, TASKS, Block, Geometry, Maps, blocks, read, reading
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


@dataclass(frozen=True, eq=False)
class Cut:
    """One block for the kernels, made once.

    Attributes
    ----------
    size, bases, run, filled : samples of an image; where runs begin; their length, and that filled up to vectors
    outs, shape : output channels at a time; where ``deliver`` writes
    parts : for each part of the output its number, offsets, and (first, last, box) of its channels
    reading : how the samples are read
    """

    images: range
    size: int
    bases: np.ndarray
    run: int
    filled: int
    outs: int
    shape: np.ndarray
    parts: list[Any]
    reading: Any


class Dense:
    """A layer's weights and blocks; see `firconv.nn.methods` for how it is called."""

    def __init__(self, problem: Problem, weights: np.ndarray):
        self.problem, self.geometry = problem, Geometry(problem)
        self.blocks = blocks(self.geometry)
        self.maps = Maps.of(self.geometry.axes)
        self.weights = [[self.geometry.weights(part, w) for part in self.geometry.parts] for w in weights]
        self._tables: dict[Any, np.ndarray] = {}
        self._cuts: dict[Block, Cut] = {}
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

        if self._in_place(block):
            self._pointwise(block, x.reshape(-1), out.reshape(-1), bias)
            return
        p, room = self.problem, self._rooms.pop() if self._rooms else {}
        cut = self._cuts.get(block) or self._cuts.setdefault(block, self._cut(block))
        flat = _array(room, "samples", len(cut.images) * cut.size + LANES, p.dtype)
        read(self.geometry, self.maps, block, (0, p.channels_in), x, flat, cut.reading)
        sums = _array(room, "sums", cut.outs * cut.filled * len(cut.bases), p.dtype)
        target, bias = (a.reshape(-1)[s:] for a, s in self._group(block.group, out, bias))
        for part, offsets, boxes in cut.parts:
            if not offsets.size:  # outputs that only meet stuffed zeros
                sums[:] = 0
            weights = self.weights[block.group][part]
            for o, last, box in boxes:
                kernel.products(flat, weights, offsets, cut.bases, cut.run, o, last, sums)
                kernel.deliver(sums, bias, cut.shape, box, target)
        self._rooms.append(room)

    def _cut(self, block: Block) -> Cut:
        """What a block needs beside its samples, made once."""
        p, places = self.problem, self.geometry.places(block)
        run = (block.count[1] - 1) * places[2] + block.count[2]
        filled = _whole(run, LANES // p.dtype.itemsize)
        size, images = p.channels_in * self.geometry.phases * prod(places), range(*block.images)
        starts = [(n - images[0]) * size + i * places[1] * places[2] for n in images for i in range(block.count[0])]
        outs = max(1, NEAR // (filled * len(starts) * p.dtype.itemsize * 6)) * 6
        parts = []
        for number, part in enumerate(self.geometry.parts):
            box = self._outputs(block, part)
            cuts = range(block.channels[0], block.channels[1], outs) if box else ()
            ends = [(o, min(o + outs, block.channels[1])) for o in cuts]
            boxes = [(o, last, np.array([*block.images, o, last, *box], np.int64)) for o, last in ends]
            parts.append((number, self._offsets(part, places), boxes))
        shape = self._delivery(block, len(starts), filled, places[2])
        outs = min(outs, _whole(p.channels_out, 6))
        known = None if self.maps is None else reading(self.geometry, self.maps, block, (0, p.channels_in))
        return Cut(images, size, np.array(starts, np.int64), run, filled, outs, shape, parts, known)

    def _offsets(self, part: Ints, places: Ints) -> np.ndarray:
        found = self._tables.get((part, places))
        if found is None:
            found = self.geometry.offsets(part, self.problem.channels_in, places)
            self._tables[part, places] = found
        return found

    # ── one tap: nothing is copied ──

    def _in_place(self, block: Block) -> bool:
        """True for layers with one tap whose channels do not share a few lines of the cache."""
        size, whole = self.problem.dtype.itemsize, self.geometry.signal[2]
        return not self.geometry.busy and block.count[2] * size >= LANES and whole * size % 1024 != 0

    def _pointwise(self, block: Block, x: np.ndarray, out: np.ndarray, bias: np.ndarray) -> None:
        from firconv.kernels import dense as kernel

        p, whole, (_, _, first) = self.problem, self.geometry.signal[2], block.first
        offsets = self._offsets((0, 0, 0), (1, 1, whole))
        for n in range(*block.images):
            bank = n * p.groups + block.group
            kernel.pointwise(
                x, self.weights[block.group][0], offsets, bias[block.group * p.channels_out :],
                bank * p.channels_in * whole + first, block.count[2], whole, *block.channels,
                out[bank * p.channels_out * whole + first :],
            )  # fmt: skip

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
