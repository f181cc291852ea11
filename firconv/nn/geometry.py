"""The geometry of a dense layer: axes, their parts, blocks of outputs, and what a block reads.

Every layer is one of three spatial axes here; with fewer, axes of length one stand in front.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from itertools import product
from math import prod
from typing import Any

import numpy as np

from firconv import boundary as bd
from firconv.nn import costs
from firconv.problem import IDLE, Ints, Lattice, Problem

AXES = 3
SAMPLES = 1 << 20  # bytes of a block's samples: of these, some channels at a time
TASKS = 8  # pieces of the weights' gradient at the least, so that threads share evenly
LEAST = 96  # positions of a block worth reading all the weights for


# ── one axis ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, eq=False)
class Axis:
    """One spatial axis: which samples its places are, part by part.

    Attributes
    ----------
    phases : parts of the signal that any tap reads
    places : periods of the output and reach − 1 more
    index : (phases, places) sample at each place, −1 where it is absent; None for rules that are no selection
    """

    lattice: Lattice
    signal: int
    outputs: int
    ends: bd.Ends

    @property
    def periods(self) -> int:
        return -(-self.outputs // self.lattice.out_parts)

    @cached_property
    def phases(self) -> Ints:
        used = {int(s) for r in range(self.lattice.out_parts) for s in self.lattice.entries(r)[1]}
        return tuple(sorted(used)) or (0,)

    @property
    def places(self) -> int:
        return self.periods + self.lattice.reach - 1

    @cached_property
    def index(self) -> np.ndarray | None:
        return selected(self.ends, self.signal, self.at(0, self.places))

    def at(self, first: int, count: int) -> np.ndarray:
        """Positions in the extended signal of some places, (phases, count)."""
        p = np.arange(first, first + count, dtype=np.int64) + self.lattice.base
        return p * self.lattice.in_parts + np.array(self.phases, np.int64)[:, None]

    def entries(self, r: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Taps of output part r, the index of their phase, and their place behind the period."""
        k, s, a = self.lattice.entries(r)
        return k, np.searchsorted(np.array(self.phases), s), a


def selected(ends: bd.Ends, n: int, positions: np.ndarray) -> np.ndarray | None:
    """Which sample lies at each position, −1 for none; None if a rule does more than select."""
    lo, hi = int(positions.min()), int(positions.max()) + 1
    terms = bd.extension(ends, n, min(lo, 0), max(hi, n))
    if any(column is not None for column in (terms.sign, terms.first, terms.last, terms.value)):
        return None
    index = terms.index if terms.absent is None else np.where(terms.absent, -1, terms.index)
    return np.ascontiguousarray(index[positions - min(lo, 0)], dtype=np.int64)


def plain(index: np.ndarray, step: int) -> np.ndarray:
    """For each row of an index the places lo, hi between which it grows by `step` and nothing is absent."""
    found = []
    for row in index:
        inside = np.flatnonzero(row >= 0)
        steps = np.flatnonzero((np.diff(row) != step) | (row[1:] < 0) | (row[:-1] < 0))
        cuts = np.concatenate([[-1], steps, [len(row) - 1]])
        longest = int(np.argmax(np.diff(cuts)))
        lo, hi = int(cuts[longest]) + 1, int(cuts[longest + 1]) + 1
        found.append((lo, hi) if inside.size and row[lo] >= 0 else (0, 0))
    return np.array(found, np.int64).ravel()


# ── a layer ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, eq=False)
class Geometry:
    """A layer's problem as three spatial axes; axes along which nothing is filtered are joined."""

    problem: Problem

    @cached_property
    def axes(self) -> tuple[Axis, ...]:
        p = self.problem
        idle = (bd.Rule("zero"), bd.Rule("zero"))
        if not self.busy:
            joined = prod(p.signal[1:])
            return (*(Axis(IDLE, 1, 1, idle),) * 2, Axis(IDLE, joined, joined, idle))
        found = [Axis(a, n, m, e) for a, n, m, e in zip(p.lattices, p.signal, p.outputs, p.boundary, strict=True)][1:]
        return (*(Axis(IDLE, 1, 1, idle),) * (AXES - len(found)), *found)

    @property
    def busy(self) -> bool:
        """True unless every output is a sum over channels of one sample each."""
        return any(a > 0 for a in self.problem.filtered)

    @property
    def signal(self) -> Ints:
        return tuple(a.signal for a in self.axes)

    @property
    def outputs(self) -> Ints:
        return tuple(a.outputs for a in self.axes)

    @property
    def phases(self) -> int:
        return prod(len(a.phases) for a in self.axes)

    @property
    def parts(self) -> list[Ints]:
        """The parts of the output, each a unit-stride sum."""
        return list(product(*(range(a.lattice.out_parts) for a in self.axes)))

    def places(self, block: Block) -> Ints:
        """How many places of each axis a block reads."""
        return tuple(n + a.lattice.reach - 1 for n, a in zip(block.count, self.axes, strict=True))

    def offsets(self, part: Ints, channels: int, places: Ints) -> np.ndarray:
        """Where the taps of one output part lie in the strip of a block, channels first."""
        taps: Any = np.zeros(1, np.int64)
        phase: Any = np.zeros(1, np.int64)
        for axis, r, n in zip(self.axes, part, places, strict=True):
            _, s, a = axis.entries(r)
            taps = (taps[:, None] * n + a).ravel()
            phase = (phase[:, None] * len(axis.phases) + s).ravel()
        size = prod(places)
        return (np.arange(channels)[:, None] * (size * self.phases) + phase * size + taps).ravel()

    def weights(self, part: Ints, w: np.ndarray) -> np.ndarray:
        """The weights (O, I, *K) of one output part, in the order of its offsets: (O · I · taps,)."""
        w = w.reshape(*w.shape[:2], *(1,) * (AXES - len(self.problem.taps) + 1), *w.shape[2:])
        if self.busy:
            for axis, (a, r) in enumerate(zip(self.axes, part, strict=True), start=2):
                k = a.entries(r)[0]
                if len(k) != w.shape[axis]:
                    w = np.take(w, k, axis=axis)
        return np.ascontiguousarray(w).reshape(-1)


@dataclass(frozen=True)
class Block:
    """Images n0 … n1, periods of the three axes (first and count), channels o0 … o1 of one group."""

    group: int
    images: tuple[int, int]
    first: Ints
    count: Ints
    channels: tuple[int, int]


def blocks(geometry: Geometry, workers: int) -> list[Block]:
    """All outputs cut into blocks that fit the cache, so that workers share evenly.

    Where positions are too few for that, channels are shared; each share then reads the samples for itself.
    """
    p = geometry.problem
    lengths = (p.signal[0], *(a.periods for a in geometry.axes))
    tile = _tile(geometry, lengths, workers)
    count = p.groups * prod(-(-n // t) for n, t in zip(lengths, tile, strict=True))
    shares = min(-(-workers // count), -(-p.channels_out // 24))
    outs = -(-p.channels_out // (8 * shares)) * 8
    cuts = [[(lo, min(t, n - lo)) for lo in range(0, n, t)] for n, t in zip(lengths, tile, strict=True)]
    return [
        Block(g, (n[0], n[0] + n[1]), (a[0], b[0], c[0]), (a[1], b[1], c[1]), (o, min(o + outs, p.channels_out)))
        for g in range(p.groups)
        for o in range(0, p.channels_out, outs)
        for n, a, b, c in product(*cuts)
    ]


def _tile(geometry: Geometry, lengths: Ints, workers: int) -> list[int]:
    """Images, planes, rows and columns of a block: whole rows if they fit, then rows, and so on."""
    p = geometry.problem
    room = max(256, SAMPLES // (p.dtype.itemsize * p.channels_in * geometry.phases))
    reach, found = [0, *(a.lattice.reach - 1 for a in geometry.axes)], [1, 1, 1, 1]
    for axis in (3, 2, 1, 0):
        inner = prod(t + r for t, r in zip(found[axis + 1 :], reach[axis + 1 :], strict=True))
        most = max(1, room // inner - (reach[axis] if axis else 0))
        unit = costs.TILE // p.dtype.itemsize if axis == 3 else 1
        outer = p.groups * prod(lengths[:axis])
        cost = partial(_cost, lengths[axis], prod(found[axis + 1 :]), reach[axis], outer, workers, p.dtype)
        pieces = range(-(-lengths[axis] // most), -(-lengths[axis] // most) + 8 * workers)
        lengths_of = {min(lengths[axis], _whole(-(-lengths[axis] // n), unit)) for n in pieces}
        found[axis] = min(sorted(lengths_of, reverse=True), key=cost)
        if found[axis] < lengths[axis]:
            break
    return found


def _cost(whole: int, inner: int, reach: int, outer: int, workers: int, dtype: np.dtype, t: int) -> float:
    """Relative time with an axis cut into pieces of t.

    Samples are read twice near the ends of a piece; tiles are filled up; weights are read for every piece; and the
    workers' shares are uneven.
    """
    count, filled = outer * -(-whole // t), costs.tiled(t * inner, dtype)
    few = 1 + (0.0 if t == whole else max(0.0, LEAST / (t * inner) - 1))
    share = min(-(-count // workers) * t, outer * whole) * workers / (outer * whole)
    return (1 + 0.15 * reach / t) * filled * few * share * (1 + 0.25 / count)


def tile(geometry: Geometry, lengths: Ints, room: int) -> list[int]:
    """Images, planes, rows and columns that make about `room` places: whole rows if they fit, then rows, and so on."""
    reach, found = [0, *(a.lattice.reach - 1 for a in geometry.axes)], [1, 1, 1, 1]
    for axis in (3, 2, 1, 0):
        inner = prod(t + r for t, r in zip(found[axis + 1 :], reach[axis + 1 :], strict=True))
        found[axis] = _even(lengths[axis], max(1, room // inner - (reach[axis] if axis == 3 else 0)))
        if found[axis] < lengths[axis]:
            break
    return found


def _whole(n: int, unit: int) -> int:
    return -(-n // unit) * unit


def _even(n: int, most: int) -> int:
    """The length of equal pieces of n that are no longer than `most`."""
    pieces = -(-n // max(1, most))
    return -(-n // pieces)


# ── what a block reads ────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, eq=False)
class Maps:
    """For the places of the three axes, which sample: the arguments of ``kernels.strips``."""

    index: tuple[np.ndarray, ...]
    plain: np.ndarray
    step: int

    @classmethod
    def of(cls, axes: tuple[Axis, ...]) -> Maps | None:
        """Of whole axes; None where a rule does more than select samples."""
        found = [a.index for a in axes]
        kept = tuple(i for i in found if i is not None)
        step = axes[-1].lattice.in_parts
        return cls(kept, plain(kept[-1], step), step) if len(kept) == AXES else None

    @classmethod
    def beyond(cls, geometry: Geometry, block: Block) -> Maps:
        """Of the extended signal that a block reads: no sample is absent."""
        steps = [a.lattice.in_parts for a in geometry.axes]
        index = tuple(
            np.array(a.phases)[:, None] + np.arange(n) * s
            for a, n, s in zip(geometry.axes, geometry.places(block), steps, strict=True)
        )
        return cls(index, plain(index[-1], steps[-1]), steps[-1])


def reading(geometry: Geometry, maps: Any, block: Block, channels: tuple[int, int]) -> tuple[Any, ...]:
    """All arguments of ``kernels.strips`` but its arrays, for channels c0 … c1 of a block's group."""
    p, signal = geometry.problem, geometry.signal
    low, count = block.group * p.channels_in + channels[0], channels[1] - channels[0]
    return arguments(geometry, maps, (p.groups * p.channels_in, *signal), block.images, (low, low + count), block)


def arguments(
    geometry: Geometry, maps: Maps, shape: Ints, images: Ints, channels: Ints, block: Block, first: Ints | None = None
) -> tuple[Any, ...]:
    """All arguments of ``kernels.strips`` but its arrays, for images and channels of a signal (channels, *lengths)."""
    places, signal = geometry.places(block), shape[1:]
    size = prod(places) * geometry.phases
    numbers = [
        prod(shape), prod(signal), signal[1] * signal[2], signal[2], *(len(a.phases) for a in geometry.axes),
        maps.step, (channels[1] - channels[0]) * size, size, *(i.shape[1] for i in maps.index),
    ]  # fmt: skip
    box = [*images, *channels, *places, *(block.first if first is None else first)]
    return (*(i.reshape(-1) for i in maps.index), maps.plain, np.array(numbers, np.int64), np.array(box, np.int64))


def extended(
    geometry: Geometry, block: Block, channels: tuple[int, int], x: np.ndarray
) -> tuple[np.ndarray, tuple[Any, ...]]:
    """For rules that are no selection: what a block reads, extended, and how ``kernels.strips`` then reads it."""
    low, count = block.group * geometry.problem.channels_in + channels[0], channels[1] - channels[0]
    x, maps = _extended(geometry, block, low, count, x), Maps.beyond(geometry, block)
    return x, arguments(geometry, maps, x.shape[1:], (0, x.shape[0]), (0, count), block, (0,) * AXES)


def _extended(geometry: Geometry, block: Block, low: int, count: int, x: np.ndarray) -> np.ndarray:
    """The extended signal over all that a block reads."""
    axes = geometry.axes
    x = x.reshape(*x.shape[:2], *geometry.signal)[block.images[0] : block.images[1], low : low + count]
    span = tuple(a.lattice.span(lo, lo + n) for a, lo, n in zip(axes, block.first, block.count, strict=True))
    return np.ascontiguousarray(bd.read(x, tuple(a.ends for a in axes), span, x.dtype, skip=2))
