"""The weights' gradient of layers with 3 × 3 taps by minimal filtering: 16 multiplications instead of 36.

The sums of a tile are regrouped as in `firconv.nn.winograd`, so the promise is like a layer's: an error of at most
1e-5 × the largest Σ|gy|·|x| over the taps and channels of a group. F(2, 3) keeps it, whose errors are about those of
plain sums, unless loud samples and loud gradients lie in the same tiles and meet under no tap. Therefore the kernel
sums norms of neighbouring tiles too, a bound of the error. Where this is out of proportion, or where a sum is not
finite, the gradient is taken by the tiled product.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import prod

import numpy as np

from firconv import threads
from firconv.nn import costs, outer, winograd
from firconv.nn.dense import aligned
from firconv.nn.geometry import TASKS
from firconv.planner import Candidate
from firconv.problem import Ints, Problem

BOUND = "1e-5·max (|gy| * |x|)"
#: How many times Σ|gy|·|x| the sum of norms may be: about 2.5 for noise, 8 where nine of ten gradients are zero. The
#: error is below 4e-7 × the norms of any tile, and below 1e-6 × their sum where all tiles are the same noise.
SPREAD = 10.0
LEAST = 1e-30  # smaller sums lose digits to the underflow of their products
MOST = 1e36  # the transforms of larger samples might overflow
TILES = 56  # of a block: their transforms stay in the second-level cache
WIDEST = 128  # channels of a share
CHAIN = 64  # blocks of a part: longer chains would lose digits
SHARES = 4  # tasks at the least


def serves(problem: Problem) -> bool:
    """True for those layers of `firconv.nn.winograd` that have 3 × 3 taps."""
    return problem.taps[1:] == (3, 3) and problem.channels_out >= outer.FEW and winograd.serves(problem)


def candidate(problem: Problem) -> Candidate | None:
    """What the method costs for a layer's gradient, or None where it does not apply."""
    cut = best(problem) if serves(problem) else None
    if cut is None:
        return None
    seconds = costs.winograd_gradient(problem, cut)
    return Candidate("winograd", seconds, cut.products, 1 << 22, BOUND, shared=seconds * (1 + 1 / TASKS))


# ── cutting ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Cut:
    """A layer's tiles and channels (g, x), and how they are cut: channels of a share, parts of the lines of tiles."""

    tiles: winograd.Blocks
    channels: tuple[int, int]
    steps: tuple[int, int]
    parts: int

    @property
    def lines(self) -> int:
        """Lines of tiles of a part."""
        return -(-self.tiles.every // self.parts)

    @property
    def columns(self) -> int:
        """Of a block."""
        return -(-self.tiles.wide // -(-self.tiles.tiles // TILES))

    @property
    def deep(self) -> int:
        """Lines of a block."""
        most = max(1, TILES // min(self.columns * self.tiles.gaps[1], self.tiles.tiles))
        return -(-self.lines // -(-self.lines // most))

    @property
    def chain(self) -> int:
        """Blocks of a part."""
        return -(-self.lines // self.deep) * -(-self.tiles.wide // self.columns)

    @property
    def shares(self) -> tuple[int, int]:
        """Into how many pieces the channels are cut."""
        return -(-self.channels[0] // self.steps[0]), -(-self.channels[1] // self.steps[1])

    @property
    def tasks(self) -> int:
        return self.tiles.groups * prod(self.shares) * self.parts

    @property
    def products(self) -> float:
        """Multiplications."""
        return float(self.points * prod(self.channels))

    @property
    def points(self) -> int:
        """Of all tiles of all groups, for one channel."""
        return 16 * self.tiles.groups * self.tiles.every * self.tiles.tiles

    @property
    def transformed(self) -> float:
        """Points of tiles of all channels, for every share again."""
        return float(self.points * (self.channels[0] * self.shares[1] + self.channels[1] * self.shares[0]))

    @property
    def cost(self) -> float:
        """Relative time: products, transforms, the sums of every part, and an uneven end."""
        added = 350.0 * self.parts * self.tiles.groups * prod(self.channels)
        uneven = self.lines * self.parts / self.tiles.every + 0.3 / self.tasks
        return (self.products + 12 * self.transformed + added) * uneven


def best(problem: Problem) -> Cut | None:
    """The cheapest way to cut a layer that makes some tasks, of chains that are short enough."""
    tiles, channels = winograd.Blocks(problem, 2), (problem.channels_out, problem.channels_in)
    whole = 40 * prod(channels) * problem.groups  # bytes of the sums of a part: nine taps and a norm
    most = min(tiles.every, max(1, outer.TOTALS // whole))
    few = -(-Cut(tiles, channels, channels, 1).chain // CHAIN)
    steps = product(_pieces(channels[0], 16), _pieces(channels[1], 6))
    found = [Cut(tiles, channels, s, parts) for s in steps for parts in range(few, min(few + TASKS, most) + 1)]
    found = [cut for cut in found if cut.chain <= CHAIN]
    some = [cut for cut in found if cut.tasks >= SHARES]
    return min(some or found, key=lambda cut: cut.cost, default=None)


def _pieces(channels: int, unit: int) -> list[int]:
    """Channels of a share: all, halves, and so on, in whole units."""
    least = -(-channels // WIDEST)
    return sorted({-(-channels // (n * unit)) * unit for n in range(least, least + 4)})


# ── a layer ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class Gradient:
    """How one layer's gradient is cut, as rows of numbers for ``kernels.winograd_gradient``, which names them.

    Called, it fills gw (O, C/groups, 3, 3), and says whether it is known to be finite.
    """

    def __init__(self, problem: Problem):
        from firconv.kernels import winograd_gradient as kernel

        cut = best(problem)
        assert cut is not None
        self.problem, self.cut = problem, cut
        tiles, (_, low, last) = cut.tiles, cut.tiles.axes
        high, wide = 2 * -(-tiles.lines // tiles.gaps[0]) + 2, 2 * tiles.wide + 2
        high, wide = high * tiles.gaps[0], wide * tiles.gaps[1]
        self.index = (
            winograd.index(low, high), winograd.index(last, wide), _present(low.outputs, high),
            _present(last.outputs, wide),
        )  # fmt: skip
        ends = [*winograd.inside(self.index[1]), *winograd.inside(self.index[3])]
        self.sides, self.tasks = self._rows((low.signal, last.signal), (low.outputs, last.outputs), ends)
        steps = [min(n, -(-c // u) * u) for n, c, u in zip(cut.steps, cut.channels, (16, 6), strict=True)]
        self.room = kernel.room(cut.deep, cut.columns, tiles.gaps[1], steps[1], steps[0])
        self.total = 10 * sum(-(-t[kernel.SOME] // 16) * 16 * t[kernel.INS] for t in self.tasks.tolist())
        self._rooms: list[np.ndarray] = []
        self._totals: list[np.ndarray] = []
        self._exact: outer.Outer | None = None

    def _rows(self, lengths: Ints, outputs: Ints, ends: list[int]) -> tuple[np.ndarray, np.ndarray]:
        """The numbers of all sides and tasks."""
        p, cut = self.problem, self.cut
        outs, ins = cut.channels
        sides, tasks, total = [], [], 0
        shares = product(range(p.groups), range(0, outs, cut.steps[0]), range(0, ins, cut.steps[1]))
        for share, (group, o, i) in enumerate(shares):
            some, few = min(cut.steps[0], outs - o), min(cut.steps[1], ins - i)
            for count, size, every, (lo, hi) in ((few, lengths, ins, ends[:2]), (some, outputs, outs, ends[2:])):
                sides.append([
                    count, *size, p.groups * every, *outputs, 2, 2, *cut.tiles.gaps, cut.tiles.lines, cut.tiles.tiles,
                    lo, hi,
                ])  # fmt: skip
            target = ((group * outs + o) * ins + i) * 9
            parts = range(0, cut.tiles.every, cut.lines)
            for part, line in enumerate(parts):
                tasks.append([
                    group * outs + o, some, group * ins + i, few, line, min(line + cut.lines, cut.tiles.every),
                    cut.deep, cut.columns, share, part, len(parts), total, target, 9 * ins, p.signal[0],
                ])  # fmt: skip
                total += 10 * -(-some // 16) * 16 * few
        return np.array(sides, np.int64), np.array(tasks, np.int64)

    # ── running ──

    def __call__(self, gy: np.ndarray, x: np.ndarray, gw: np.ndarray, workers: int) -> bool:
        from firconv.kernels import winograd_gradient as kernel

        ended = np.zeros(len(self.sides) // 2, np.int64)
        found, arrays = np.zeros((len(ended), 2)), [a.reshape(-1) for a in (x, gy)]
        totals = threads.taken(self._totals)
        totals = aligned(self.total, gw.dtype) if totals is None else totals

        def work(number: int, counter: np.ndarray) -> None:
            room = threads.taken(self._rooms)
            room = aligned(self.room, gw.dtype) if room is None else room
            kernel.fill(
                *arrays, *self.index, self.sides, self.tasks, counter, number, ended, room, totals, found,
                gw.reshape(-1),
            )  # fmt: skip
            self._rooms.append(room)

        threads.share(work, min(workers, len(self.tasks)), len(self.tasks))
        self._totals.append(totals)
        if reliable(found):
            return True
        self._exact = self._exact or outer.Outer(self.problem)
        return self._exact(gy, x, gw, workers)


def reliable(found: np.ndarray) -> bool:
    """Whether the promise is kept by all shares, each with (sum of norms, Σ|gy|·|x|).

    False where anything is not finite or might have overflown on the way, and where norms have underflown: they are
    at least the sum.
    """
    return all(
        norms <= min(SPREAD * terms, MOST) and terms <= 2 * norms and (terms >= LEAST or norms == 0)
        for norms, terms in found.tolist()
    )


def _present(outputs: int, count: int) -> np.ndarray:
    """Which output gradient lies at every place: itself, −1 behind the last."""
    at = np.arange(count, dtype=np.int64)
    return np.where(at < outputs, at, -1)
