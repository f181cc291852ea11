"""The weights' gradient of dense layers: products of output gradients and samples, summed over positions.

    gw[o, i, k] = Σ_n Σ_t gy[n, o, t]·x̃[n, i, t·stride + k·dilation − lo]

A task owns some output channels, some input channels and a part of the positions, through which it walks block by
block. The parts are few, the same for any number of workers, and added in their order. A layer with one tap is read in
place, and the one of its arrays is turned that has fewer channels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import prod

import numpy as np

from firconv import threads
from firconv.nn import costs
from firconv.nn.dense import LANES, aligned, serves
from firconv.nn.geometry import TASKS, Block, Geometry, Maps, arguments, extended, tile
from firconv.planner import Candidate
from firconv.problem import Ints, Problem

FEW = 4  # output channels of a group, below which the vectors would be nearly empty
SAMPLES = 1 << 19  # bytes that a block reads
TOTALS = 1 << 23  # bytes of the sums of all parts; a gradient of which two do not fit has one part
PARTS = (1, 2, 4, 8)  # of the positions


def candidate(problem: Problem) -> Candidate | None:
    """What the method costs for a layer's gradient, or None where it does not apply."""
    if not serves(problem) or max(problem.up) > 1 or problem.channels_out < FEW:
        return None
    seconds, macs = costs.dense(problem)
    return Candidate("gemm", seconds, macs, 1 << 20, "γ_N·(|gy| * |x|)", shared=seconds * (1 + 1 / TASKS))


# ── cutting ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Shares:
    """Into how many pieces the turned channels, the other channels and the positions are cut at most."""

    turned: int
    others: int
    parts: int


class Outer:
    """How one layer's gradient is cut, as rows of numbers for ``kernels.outer``, which names them.

    Called, it fills gw (O, C/groups, *K), and says that it does not know whether gw is finite. Samples between two rows
    are in no sum, so NaN stays with the weights that meet it.
    """

    def __init__(self, problem: Problem):
        self.problem, self.geometry = problem, Geometry(problem)
        p, shaped, self.panel = problem, self.geometry, LANES // problem.dtype.itemsize
        # `outs` are the channels that are turned, `ins` the others: those of gy and of x, or the other way round
        self.swapped = not shaped.busy and p.channels_in < p.channels_out and p.channels_in % self.panel == 0
        self.outs, self.ins = (p.channels_out, p.channels_in)[:: -1 if self.swapped else 1]
        self.taps = prod(p.taps[1:])
        self.lengths = p.signal[0], *shaped.outputs
        every = Block(0, (0, p.signal[0]), (0, 0, 0), shaped.outputs, (0, self.outs))
        self._every, known = every, Maps.of(shaped.axes)
        self.extended = known is None
        self.maps = Maps.beyond(shaped, every) if known is None else known
        self.signal = shaped.signal if known is not None else tuple(
            n * a.lattice.in_parts for n, a in zip(shaped.places(every), shaped.axes, strict=True)
        )  # fmt: skip
        self.shares = min(self._ways(), key=self._cost)
        self._tables: list[np.ndarray] = []
        self._starts: dict[tuple[int, int, Ints], tuple[int, int, int, int]] = {}
        self.most = self.total = 0
        self._cut()
        self._rooms: list[tuple[np.ndarray, ...]] = []
        self._totals: list[np.ndarray] = []

    def _ways(self) -> Iterator[Shares]:
        """Ways to cut that make enough tasks."""
        p, panels = self.problem, -(-self.outs // self.panel)
        whole = self.outs * self.ins * self.taps * p.groups * p.dtype.itemsize
        for parts in PARTS:
            if parts == 1 or parts * whole <= TOTALS:
                made = p.groups * len(_parts(self.lengths, parts))
                for turned in range(1, min(panels, TASKS) + 1):
                    yield Shares(turned, min(self.ins, -(-TASKS // (made * turned))), parts)

    def _cost(self, shares: Shares) -> float:
        """Relative time: products, samples copied and turned for every share, sums of the parts, an uneven end."""
        shaped, positions = self.geometry, prod(self.lengths)
        outs, ins = self._steps(shares)
        parts = _parts(self.lengths, shares.parts)
        tasks = self.problem.groups * len(parts) * -(-self.outs // outs) * -(-self.ins // ins)
        read = 3 * -(-self.outs // outs) * self.ins * shaped.phases if shaped.busy else 0
        turned = 3 * -(-self.ins // ins) * self.outs
        added = 4 * len(parts) * self.outs * self.ins * self.taps / positions if len(parts) > 1 else 0
        largest = max(prod(count) for _, count in parts) * outs * ins
        uneven = largest * tasks / (positions * self.problem.groups * self.outs * self.ins) + 0.5 / tasks
        return (self.outs * self.ins * self.taps / 8 + read + turned + added) * uneven

    def _steps(self, shares: Shares) -> tuple[int, int]:
        """Channels of a task."""
        panels = -(-self.outs // self.panel)
        return -(-panels // shares.turned) * self.panel, -(-self.ins // shares.others)

    def _cut(self) -> None:
        """The numbers of all blocks and tasks."""
        p = self.problem
        outs, ins = self._steps(self.shares)
        parts = [self._blocks(*part, ins) for part in _parts(self.lengths, self.shares.parts)]
        rows: list[list[int]] = []
        tasks: list[list[int]] = []
        along, across = (1, self.outs) if self.swapped else (self.ins * self.taps, 1)
        gap = prod(self.geometry.outputs)
        share = 0
        for group, i in product(range(p.groups), range(0, self.ins, ins)):
            bounds = []
            for blocks in parts:
                bounds.append((len(rows), len(rows) + len(blocks)))
                rows += [self._row(group, (i, min(i + ins, self.ins)), *block) for block in blocks]
            for o in range(0, self.outs, outs):
                some, taps = min(outs, self.outs - o), min(ins, self.ins - i) * self.taps
                size = -(-some // self.panel) * self.panel * taps
                target = group * self.outs * self.ins * self.taps + o * along + i * self.taps * across
                for part, (first, last) in enumerate(bounds):
                    tasks.append([
                        first, last, (group * self.outs + o) * gap, some, taps, share, part, len(parts),
                        self.total if len(parts) > 1 else 0, target,
                    ])  # fmt: skip
                    self.total = self.total + size if len(parts) > 1 else max(self.total, size)
                share += 1
        self.blocks, self.tasks, self.count = np.array(rows, np.int64), np.array(tasks, np.int64), share
        self.table = np.concatenate(self._tables)
        self.shape = np.array([gap, along, across], np.int64)

    def _blocks(self, first: Ints, count: Ints, ins: int) -> list[tuple[Ints, Ints]]:
        """(first, count) of the blocks of a part: images, planes, rows and columns."""
        room = SAMPLES // (self.problem.dtype.itemsize * ins * self.geometry.phases)
        sizes = tile(self.geometry, count, max(room, 256))
        cuts = [
            [(f + lo, min(t, n - lo)) for lo in range(0, n, t)] for f, n, t in zip(first, count, sizes, strict=True)
        ]
        return [(tuple(a for a, _ in box), tuple(n for _, n in box)) for box in product(*cuts)]

    def _row(self, group: int, ins: tuple[int, int], first: Ints, count: Ints) -> list[int]:
        """The numbers of a block."""
        p, signal, (_, rows, columns) = self.problem, self.geometry.signal, self.geometry.outputs
        block = Block(group, (first[0], first[0] + count[0]), first[1:], count[1:], (0, self.outs))
        numbers, channels = [0] * 23, p.groups * self.ins
        low = group * self.ins + ins[0]
        if self.geometry.busy:
            whole = (low, low + ins[1] - ins[0])
            *_, shape, box = arguments(self.geometry, self.maps, (channels, *self.signal), block.images, whole, block)
            numbers, source = [*shape, *box], 0
            self.most = max(self.most, count[0] * (ins[1] - ins[0]) * self._size(block))
        else:
            source = (first[0] * channels + low) * signal[2] + first[3]
        at = ((first[0] * p.groups * self.outs * self.geometry.outputs[0] + first[1]) * rows + first[2]) * columns
        return [*numbers, at + first[3], source, *self._table(block, ins[1] - ins[0])]

    def _size(self, block: Block) -> int:
        """Samples that a block reads of one channel and image."""
        return self.geometry.phases * prod(self.geometry.places(block))

    def _table(self, block: Block, ins: int) -> tuple[int, int, int, int]:
        """Where the offsets and the runs of a block begin, the number of runs, and their positions."""
        images, (planes, rows, columns) = block.images[1] - block.images[0], block.count
        key = ins, images, block.count
        if key in self._starts:
            return self._starts[key]
        shaped, p = self.geometry, self.problem
        steps = np.array([p.groups * self.outs * prod(shaped.outputs), *(prod(shaped.outputs[n:]) for n in (1, 2))])
        if shaped.busy:
            places = shaped.places(block)
            offsets = shaped.offsets((0, 0, 0), ins, places)
            reads = np.array([ins * self._size(block), places[1] * places[2], places[2]])
            joined = places[2] == columns == shaped.outputs[2]  # nothing lies between its rows, here and in gy
        else:
            offsets = np.arange(ins, dtype=np.int64) * shaped.signal[2]
            reads, joined = np.array([p.groups * self.ins * shaped.signal[2], 0, 0]), True
        at = np.stack(np.meshgrid(*(np.arange(n) for n in (images, planes, 1 if joined else rows)), indexing="ij"), -1)
        runs = np.stack([at @ reads, at @ steps], -1).reshape(-1).astype(np.int64)
        begin = sum(t.size for t in self._tables)
        self._tables += [offsets, runs]
        found = begin, begin + offsets.size, runs.size // 2, rows * columns if joined else columns
        self._starts[key] = found
        return found

    # ── running ──

    def __call__(self, gy: np.ndarray, x: np.ndarray, gw: np.ndarray, workers: int) -> bool:
        from firconv.kernels import outer as kernel

        if self.extended:
            x = extended(self.geometry, self._every, (0, x.shape[1]), x)[0]
        gy, x, out = gy.reshape(-1), x.reshape(-1), gw.reshape(-1)
        gy, x = (x, gy) if self.swapped else (gy, x)
        maps = *(i.reshape(-1) for i in self.maps.index), self.maps.plain
        ended = np.zeros(self.count, np.int64)
        parted = int(self.tasks[0, kernel.PARTS]) > 1
        totals = threads.taken(self._totals) if parted else None
        if parted and totals is None:
            totals = aligned(self.total, gw.dtype)

        def work(number: int, counter: np.ndarray) -> None:
            room = threads.taken(self._rooms) or self._room(parted)
            samples, panel, own = room
            kernel.fill(
                x, gy, *maps, self.shape, self.table, self.blocks, self.tasks, counter, number, ended,
                samples if self.geometry.busy else x, samples, panel, own if totals is None else totals, out,
            )  # fmt: skip
            self._rooms.append(room)

        threads.share(work, min(workers, len(self.tasks)), len(self.tasks))
        if totals is not None:
            self._totals.append(totals)
        return False

    def _room(self, parted: bool) -> tuple[np.ndarray, ...]:
        """Samples of a block, a panel, and the sums of a task, for one worker."""
        from firconv.kernels import outer as kernel

        most = self.most + self.panel if self.geometry.busy else 0
        sizes = most, kernel.CHAIN * self.panel, 0 if parted else self.total
        return tuple(aligned(n, self.problem.dtype) for n in sizes)


def _parts(lengths: Ints, parts: int) -> list[tuple[Ints, Ints]]:
    """(first, count) of about so many parts of the positions: of images, or of planes, and so on."""
    cuts = []
    for n in lengths:
        size = -(-n // min(n, parts))
        cuts.append([(lo, min(size, n - lo)) for lo in range(0, n, size)])
        parts = -(-parts // len(cuts[-1]))
    return [(tuple(a for a, _ in box), tuple(n for _, n in box)) for box in product(*cuts)]
