"""The weights' gradient of dense layers: products of output gradients and samples, summed over blocks of positions.

    gw[o, i, k] = Σ_n Σ_t gy[n, o, t]·x̃[n, i, t·stride + k·dilation − lo]

A task owns some input and output channels of the gradient and walks through all positions, block by block: the sums of
a block are added to those before, so the order does not depend on the workers. A layer with one tap is read in place.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import prod
from typing import Any

import numpy as np

from firconv import threads
from firconv.nn import costs
from firconv.nn.dense import serves
from firconv.nn.geometry import TASKS, Block, Geometry, Maps, read, reading, tile
from firconv.planner import Candidate
from firconv.problem import Ints, Problem

FEW = 4  # output channels of a group, below which the vectors would be nearly empty
POSITIONS = 512, 2048  # of a block, at least and at most: many, so that little Python runs between the kernels
SAMPLES = 1 << 20  # bytes that a block of more than the least positions reads
KEPT = 256  # steps of all tasks together, up to which they are remembered


def candidate(problem: Problem) -> Candidate | None:
    """What the method costs for a layer's gradient, or None where it does not apply."""
    if not serves(problem) or max(problem.up) > 1 or problem.channels_out < FEW:
        return None
    seconds, macs = costs.dense(problem)
    return Candidate("gemm", seconds, macs, 1 << 20, "γ_N·(|gy| * |x|)", shared=seconds * (1 + 1 / TASKS))


def run(problem: Problem, gy: np.ndarray, x: np.ndarray, gw: np.ndarray, workers: int) -> None:
    """Fill gw (O, C/groups, *K); samples between two rows are in no sum, so NaN stays with the weights that meet it."""
    arrays = np.ascontiguousarray(gy), np.ascontiguousarray(x), gw
    with np.errstate(all="ignore"):
        _outer(problem)(*arrays, workers)


@dataclass(frozen=True, eq=False)
class Step:
    """A block of positions in a task: the arguments of the kernels.

    Attributes
    ----------
    samples, turned : key and size of the arrays for the samples (None: x itself) and for the output gradients
    reading, turning : arguments of ``kernels.strips`` (None for the general rules) and ``channels_last``
    offsets, bases, count : arguments of ``kernels.outer``
    """

    block: Block
    samples: tuple[Any, int] | None
    reading: tuple[Any, ...] | None
    turned: tuple[Any, int]
    turning: tuple[np.ndarray, np.ndarray]
    offsets: np.ndarray
    bases: np.ndarray
    count: int


class Outer:
    """How one layer's gradient is cut."""

    def __init__(self, problem: Problem):
        self.problem, self.geometry = problem, Geometry(problem)
        self.maps, self.panel = Maps.of(self.geometry.axes), 64 // problem.dtype.itemsize
        self.positions = _positions(self.geometry)
        self.ins, self.outs = _shares(problem, self.geometry.phases, self.panel)
        self._rooms: list[dict[Any, np.ndarray]] = []
        self._tables: dict[Any, np.ndarray] = {}
        self._known: dict[Any, list[Step]] = {}

    def __call__(self, gy: np.ndarray, x: np.ndarray, gw: np.ndarray, workers: int) -> None:
        p = self.problem
        tasks = [
            (g, (i, min(i + self.ins, p.channels_in)), (o, min(o + self.outs, p.channels_out)))
            for g in range(p.groups)
            for o in range(0, p.channels_out, self.outs)
            for i in range(0, p.channels_in, self.ins)
        ]
        threads.run(lambda task: self._task(task, gy, x, gw), tasks, workers)

    def _task(self, task: Any, gy: np.ndarray, x: np.ndarray, gw: np.ndarray) -> None:
        from firconv.kernels import outer as kernel

        p, (group, ins, outs) = self.problem, task
        room = self._rooms.pop() if self._rooms else {}
        panels, taps = -(-(outs[1] - outs[0]) // self.panel), prod(p.taps[1:]) * (ins[1] - ins[0])
        total = np.zeros(panels * taps * self.panel, p.dtype)
        gy, flat = gy.reshape(-1), x.reshape(-1)
        for step in self._steps(task):
            samples = flat
            if step.samples is not None:
                samples = _room(room, *step.samples, x.dtype)
                read(self.geometry, self.maps, step.block, ins, x, samples, step.reading)
            turned = _room(room, *step.turned, x.dtype)
            kernel.channels_last(gy, *step.turning, turned)
            kernel.outer(samples, turned, step.offsets, step.bases, step.count, panels, total)
        row = p.channels_in * prod(p.taps[1:])
        first = (group * p.channels_out + outs[0]) * row + ins[0] * prod(p.taps[1:])
        kernel.channels_first(total, taps, outs[1] - outs[0], row, gw.reshape(-1)[first:])
        self._rooms.append(room)

    def _steps(self, task: Any) -> Iterable[Step]:
        """The blocks of a task; those of a small layer are remembered."""
        group, ins, outs = task
        made = (self._step(Block(group, *block, outs), ins) for block in self.positions)
        p = self.problem
        tasks = p.groups * -(-p.channels_out // self.outs) * -(-p.channels_in // self.ins)
        if tasks * len(self.positions) > KEPT:
            return made
        found = self._known.get(task)
        if found is None:
            found = self._known[task] = list(made)
        return found

    def _step(self, block: Block, ins: tuple[int, int]) -> Step:
        """One block of positions: a run for each row, or for each plane if no samples lie between its rows."""
        places, panel, channels = self.geometry.places(block), self.panel, ins[1] - ins[0]
        images, (planes, rows, columns) = block.images[1] - block.images[0], block.count
        joined = places[2] == columns
        count = rows * columns if joined else columns
        panels = -(-(block.channels[1] - block.channels[0]) // panel)
        runs = images * planes * (1 if joined else rows)
        key = ("g", count, runs, panels, block.channels[1])
        turned = key, panels * runs * count * panel
        turning = self._turning(block, count, runs)
        if not self.geometry.busy:
            offsets, bases = self._in_place(block, ins)
            return Step(block, None, None, turned, turning, offsets, bases, count)
        size = self._size(places, ins)
        steps = [(size, images), (places[1] * places[2], planes)] + ([] if joined else [(places[2], rows)])
        bases = np.array([sum(i) for i in product(*(range(0, n * s, s) for s, n in steps))], np.int64)
        known = None if self.maps is None else reading(self.geometry, self.maps, block, ins)
        samples = ("x", channels, places, images), size * images
        return Step(block, samples, known, turned, turning, self._offsets(channels, places), bases, count)

    def _in_place(self, block: Block, ins: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """Where the channels, and the images, of a block lie in x, for a layer with one tap."""
        p, length = self.problem, self.geometry.signal[2]
        first = (block.group * p.channels_in + ins[0]) * length + block.first[2]
        images = np.arange(*block.images, dtype=np.int64) * (p.groups * p.channels_in * length)
        return np.arange(ins[1] - ins[0], dtype=np.int64) * length, images + first

    def _offsets(self, channels: int, places: Ints) -> np.ndarray:
        found = self._tables.get((channels, places))
        if found is None:
            found = self._tables[channels, places] = self.geometry.offsets((0, 0, 0), channels, places)
        return found

    def _size(self, places: Ints, ins: tuple[int, int]) -> int:
        return (ins[1] - ins[0]) * self.geometry.phases * prod(places)

    def _turning(self, block: Block, count: int, runs: int) -> tuple[np.ndarray, np.ndarray]:
        p, (planes, rows, columns) = self.problem, self.geometry.outputs
        channel = planes * rows * columns
        plane = block.count[1] * block.count[2]
        shape = [
            p.groups * p.channels_out * channel, channel, rows * columns, columns,
            runs * count, plane * block.count[0], plane, block.count[2],
        ]  # fmt: skip
        outs = [block.group * p.channels_out + o for o in block.channels]
        ranges = [v for pair in zip(block.first, block.count, strict=True) for v in pair]
        return np.array(shape, np.int64), np.array([*block.images, *outs, *ranges], np.int64)


_outer = lru_cache(maxsize=64)(Outer)


def _room(room: dict[Any, np.ndarray], key: Any, size: int, dtype: np.dtype) -> np.ndarray:
    """Zeros that this block's shape has to itself: what is not written stays zero."""
    if key not in room:
        if len(room) > 8:
            room.clear()
        room[key] = np.zeros(size, dtype)
    return room[key]


def _positions(geometry: Geometry) -> list[tuple[tuple[int, int], Ints, Ints]]:
    """(images, first, count) of blocks of positions, whose samples take about SAMPLES bytes."""
    p = geometry.problem
    lengths = (p.signal[0], *geometry.outputs)
    room = SAMPLES // (p.dtype.itemsize * p.channels_in * geometry.phases)
    sizes = tile(geometry, lengths, min(max(room, POSITIONS[0]), POSITIONS[1]))
    cuts = [[(lo, min(t, n - lo)) for lo in range(0, n, t)] for n, t in zip(lengths, sizes, strict=True)]
    return [((n[0], n[0] + n[1]), (a[0], b[0], c[0]), (a[1], b[1], c[1])) for n, a, b, c in product(*cuts)]


def _shares(problem: Problem, phases: int, panel: int) -> tuple[int, int]:
    """Input and output channels of a task: the cut that copies least."""
    ins, outs = problem.channels_in, problem.channels_out
    wanted = max(1, TASKS // problem.groups)

    def copied(pieces: int) -> float:
        """Samples copied for each position with so many pieces of the input channels."""
        others = min(-(-wanted // pieces), -(-outs // panel))
        return 1.5 * outs * pieces + ins * phases * others + 64 * ins * outs / panel * (pieces * others < wanted)

    pieces = min(range(1, min(wanted, ins) + 1), key=copied)
    others = min(-(-wanted // pieces), -(-outs // panel))
    panels = -(-outs // panel)
    return -(-ins // pieces), -(-panels // others) * panel
