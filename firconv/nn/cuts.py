"""What the kernel of dense layers is told: blocks of outputs, their parts and offsets, as rows of numbers.

The names of the numbers are in ``kernels.dense``.
"""

from __future__ import annotations

from math import prod

import numpy as np

from firconv.nn.geometry import Block, Geometry, Maps, blocks, reading
from firconv.problem import Ints


class Cut:
    """A layer's blocks for some number of workers.

    Attributes
    ----------
    blocks, table : each block, and its numbers
    parts, offsets : numbers of the parts of all blocks; where taps lie in the samples of a block
    samples : of the largest block
    rooms : what workers that have ended leave to the next
    """

    def __init__(self, geometry: Geometry, maps: Maps | None, weights: np.ndarray, workers: int):
        self.geometry, self._maps, self._weights = geometry, maps, weights
        self.blocks = blocks(geometry, workers)
        self._starts: dict[tuple[Ints, Ints], int] = {}
        self._tables: list[np.ndarray] = [np.zeros(0, np.int64)]
        self._parts: list[list[int]] = []
        self.table = np.array([self._row(block) for block in self.blocks], np.int64)
        self.parts, self.offsets = np.array(self._parts, np.int64), np.concatenate(self._tables)
        self.samples = max((b.images[1] - b.images[0]) * self._size(b) for b in self.blocks)
        self.rooms: list[tuple[np.ndarray, ...]] = []

    def _size(self, block: Block) -> int:
        """Samples that a block reads of one image."""
        return self.geometry.problem.channels_in * self.geometry.phases * prod(self.geometry.places(block))

    def _row(self, block: Block) -> list[int]:
        """The numbers of a block, and those of its parts."""
        first, numbers = len(self._parts), [0] * 23
        if self._maps is not None and self.geometry.busy:
            *_, shape, box = reading(self.geometry, self._maps, block, (0, self.geometry.problem.channels_in))
            numbers = [*shape, *box]
        for number, part in enumerate(self.geometry.parts):
            box = self._outputs(block, part)
            if box:
                self._parts.append(self._part(block, number, part, box))
        return [*numbers, first, len(self._parts)]

    def _part(self, block: Block, number: int, part: Ints, box: list[int]) -> list[int]:
        p = self.geometry.problem
        outs = p.channels_out
        weights = number * p.groups + block.group
        taps = int(self._weights[weights + 1] - self._weights[weights]) // outs
        counts = [block.images[1] - block.images[0], *box[1::2]]
        return [
            self._table(part, block), taps, int(self._weights[weights]), *block.channels, block.group * outs, *counts,
            *self._sources(block), *self._targets(block, box[::2]), prod(self.geometry.outputs),
        ]  # fmt: skip

    def _table(self, part: Ints, block: Block) -> int:
        """Where the offsets of a part for blocks of this shape begin."""
        places = self.geometry.places(block) if self.geometry.busy else (1, 1, self.geometry.signal[2])
        if (part, places) not in self._starts:
            self._starts[part, places] = sum(t.size for t in self._tables)
            self._tables.append(self.geometry.offsets(part, self.geometry.problem.channels_in, places))
        return self._starts[part, places]

    def _sources(self, block: Block) -> Ints:
        """The first sample of a block, and steps along images, planes and rows."""
        _, rows, columns = self.geometry.places(block)
        if self.geometry.busy:
            return 0, self._size(block), rows * columns, columns
        p, whole = self.geometry.problem, self.geometry.signal[2]
        image = p.channels_in * whole
        first = (block.images[0] * p.groups + block.group) * image + block.first[2]
        return first, p.groups * image, 0, 0

    def _targets(self, block: Block, first: list[int]) -> Ints:
        """The first output of a part, and steps along images, planes, rows and columns."""
        p, (_, rows, columns) = self.geometry.problem, self.geometry.outputs
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
