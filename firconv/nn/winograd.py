"""Layers of stride one by Winograd's minimal filtering: for 3 × 3 taps 36 multiplications instead of 144 (F(4, 3)).

A dilated layer is a plain one on every phase. More taps are cut into segments of three, summed like further channels.

float32 only. The sums are regrouped, so the promise is weaker than the direct method's: |ŷ − y| ≤ 1e-5 × the largest
(|w| * |x|) of a tile, over all its outputs and channels. It is a matter of the weights too: a sample whose own taps
are tiny beside their neighbours is summed with the neighbours' rounding errors. `objection` looks for such taps, and
these layers stay with the other methods. Outputs whose samples are all zero are exactly the bias; blocks with an output
that is not finite are summed directly.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from firconv import threads
from firconv.nn import costs
from firconv.nn.dense import Dense, aligned
from firconv.nn.geometry import TASKS, Axis, Block, Geometry, Maps, plain, selected
from firconv.planner import Candidate
from firconv.problem import Ints, Problem

BOUND = "1e-5·max (|w|*|x|)"
#: How much smaller than a channel's largest tap the largest weights of another of its taps may be. A sample that only
#: the small tap meets carries the rounding of the large ones: the error grows with the ratio, to half the promise at 8.
SPREAD = 8.0
TILES = 48  # tiles of a block: enough to read the weights for
SIZES = (4, 2)
MOST = 12  # taps of an axis


def serves(problem: Problem) -> bool:
    """True for float32 layers whose last one or two axes have 3 taps or more, stride one and ends that select."""
    rank = len(problem.signal) - 1
    kinds = {problem.signal_dtype, problem.taps_dtype, problem.dtype}
    low, last = (1, *problem.taps[1:])[-2:]
    if rank > 2 or kinds != {np.dtype(np.float32)} or not 3 <= last <= MOST or low not in (1, *range(3, MOST + 1)):
        return False
    if set(problem.up + problem.down) != {1}:
        return False
    axes = Geometry(problem).axes
    omitted = any(rule.name == "omit" for ends in problem.boundary for rule in ends)
    return not omitted and Maps.of(axes) is not None


def candidate(problem: Problem) -> Candidate | None:
    """What the cheaper of F(4, 3) and F(2, 3) costs for a layer, or None where neither applies."""
    if not serves(problem):
        return None
    m = size(problem)
    seconds, products, room, shared = costs.winograd(problem, m, Blocks(problem, m))
    return Candidate("winograd", seconds, products, room, BOUND, shared=shared * (1 + 1 / TASKS))


def size(problem: Problem) -> int:
    """m of the F(m, 3) that is cheaper."""
    return min(SIZES, key=lambda m: costs.winograd(problem, m, Blocks(problem, m))[0])


def objection(weights: np.ndarray) -> str:
    """Why weights (groups, O, I, *K) forbid the promise: the largest of some tap, over the outputs, is small; or "".

    Only taps of one segment are compared: a sample carries no rounding of a segment that none of its taps belong to.
    """
    taps = np.abs(weights).max(axis=1)
    taps = taps.reshape(-1, *((1,) * (4 - taps.ndim)), *taps.shape[2:])
    taps = np.ascontiguousarray(np.moveaxis(taps, 0, -1))
    for low, lows in segments(taps.shape[0]):
        for first, count in segments(taps.shape[1]):
            own = taps[low : low + lows, first : first + count].reshape(lows * count, -1)
            if (own.min(axis=0) * SPREAD < own.max(axis=0)).any():
                return "some taps are small"
    return ""


def segments(taps: int) -> list[tuple[int, int]]:
    """(first, taps) of the segments of an axis: of three taps, and of two where these do not come out.

    The third tap of the latter is zero. The one sample that meets no other is multiplied by zero alone, so nothing of
    it is left in the outputs; with two zeros this would not be so.
    """
    count = -(-taps // 3)
    twos = 3 * count - taps
    sizes = [taps] if taps < 3 else [3] * (count - twos) + [2] * twos
    return [(sum(sizes[:i]), n) for i, n in enumerate(sizes)]


# ── blocks of tiles ───────────────────────────────────────────────────────────────────────────────────────────────────


class Blocks:
    """The tiles of a layer cut into blocks: `rows` lines by `columns` columns of tiles.

    The last ones are shared by the workers, panel by panel of sixteen outputs; each transforms the samples for itself.

    Dilated layers are as many plain ones as the dilation has phases. Their tiles lie interleaved: a line is a row of
    tiles of one phase, and a column is one tile of every phase across, so what is read and written lies together.
    """

    def __init__(self, problem: Problem, m: int):
        self.axes = Geometry(problem).axes
        low, last = self.axes[1:]
        self.down, self.across = (m if a.lattice.taps > 1 else 1 for a in (low, last))
        self.gaps = tuple(a.lattice.dilation if a.lattice.taps > 1 else 1 for a in (low, last))
        self.lines, self.tiles = _tiles(low, self.down, self.gaps[0]), _tiles(last, self.across, self.gaps[1])
        self.wide, self.images, self.groups = -(-self.tiles // self.gaps[1]), problem.signal[0], problem.groups
        self.every = self.lines * self.images
        self.segments = [(a, b) for a, _ in segments(low.lattice.taps) for b, _ in segments(last.lattice.taps)]
        a1, a2 = self.down + 2 if self.down > 1 else 1, self.across + 2
        self.points = a1 * a2
        short = self.lines - _whole(low, self.down, self.gaps[0]), self.tiles - _whole(last, self.across, self.gaps[1])
        #: The share of all products that is computed: an output that does not exist leaves out the last point.
        self.needed = (1 - short[0] / (self.lines * a1)) * (1 - short[1] / (self.tiles * a2))
        room = TILES * max(1, 36 // (self.points * len(self.segments)))  # one axis: fewer points, more tiles
        room = max(TILES, min(room, self.every * self.tiles // TASKS))
        self.all_panels = -(-problem.channels_out // 16)
        self.columns = -(-self.wide // -(-self.tiles // room))
        most = max(1, room // (self.columns * self.gaps[1]))
        self.rows = min(range(1, min(self.every, most) + 1), key=self._waste)
        self.count = self._count(self.rows)

    def _count(self, rows: int) -> int:
        """Blocks of so many lines."""
        return self.groups * -(-self.every // rows) * -(-self.wide // self.columns)

    def _waste(self, rows: int) -> float:
        """Relative time of two workers with blocks of so many lines: tiles filled up, weights read again.

        The last block is shared, so one without a partner is not waited for, but its samples are transformed twice.
        """
        width = min(self.columns * self.gaps[1], self.tiles)
        full, last = (costs.filled(n * width) + 3 for n in (rows, (self.every - 1) % rows + 1))
        count, several = self._count(rows), -(-self.every // rows) > 1
        alone = last if several else full
        whole = (count - 1) * full + alone
        return (max(whole, count // 2 * 2 * full if count < 4 * TASKS else 0) + alone / 4) / (self.every * width)

    def boxes(self, workers: int) -> list[Ints]:
        """The numbers of every block, for the kernel; bits do not depend on how blocks are shared."""
        blocks = [
            (g, i, min(i + self.rows, self.every), j, min(j + self.columns, self.wide))
            for g in range(self.groups)
            for i in range(0, self.every, self.rows)
            for j in range(0, self.wide, self.columns)
        ]
        whole = self.count - max(1, self.count % workers) if workers > 1 else self.count
        panels = -(-self.all_panels // (16 * workers))
        shares = [(o, min(o + panels, self.all_panels)) for o in range(0, self.all_panels, panels)]
        return [
            *((*block, 0, self.all_panels) for block in blocks[:whole]),
            *((*block, *share) for block in blocks[whole:] for share in shares),
        ]


def _tiles(axis: Axis, m: int, gap: int) -> int:
    """Tiles of an axis with an output: of the last `gap` that lie interleaved maybe not all."""
    whole = (axis.outputs - 1) // (m * gap)
    return whole * gap + min(gap, axis.outputs - whole * m * gap)


def _whole(axis: Axis, m: int, gap: int) -> int:
    """Those of them with all their outputs."""
    count, rest = divmod(axis.outputs, m * gap)
    return count * gap + min(gap, max(0, rest - (m - 1) * gap))


class Winograd:
    """A layer's transformed weights and blocks; see `firconv.nn.methods` for how it is called.

    With other weights a call returns whether `objection` allows them.
    """

    def __init__(self, problem: Problem, weights: np.ndarray, m: int | None = None):
        from firconv.kernels import winograd as kernel

        self.problem, self.raw, self.blocks = problem, weights, Blocks(problem, size(problem) if m is None else m)
        b, axes = self.blocks, self.blocks.axes
        self._transformed: np.ndarray | None = None
        self._none = np.empty(0, np.float32)
        taps = (axes[1].lattice.taps, axes[2].lattice.taps)
        #: Other weights are transformed on the way, where each is once.
        self.reads = b.count == b.groups and len(b.segments) == 1 and (b.down, b.across, *taps) == (2, 2, 3, 3)
        last = b.segments[-1]
        rows = index(axes[1], (b.down * -(-b.lines // b.gaps[0]) + last[0] + 2) * b.gaps[0])
        columns = index(axes[2], (b.across * b.wide + last[1] + 2) * b.gaps[1])
        ends = inside(columns)
        shape = np.array([
            problem.channels_in, axes[1].signal, axes[2].signal, problem.channels_out, axes[1].outputs,
            axes[2].outputs, b.down, b.across, *b.gaps, b.lines, b.tiles, *ends, problem.groups,
            axes[1].lattice.taps, axes[2].lattice.taps,
        ], np.int64)  # fmt: skip
        self.room = kernel.room(b.rows, b.columns, problem.channels_in, b.down, b.across, b.gaps[1], b.segments)
        self._tables = rows, columns, np.array(b.segments, np.int64).reshape(-1), shape
        self._kernel, self._boxes = kernel.fill.version(np.float32), dict[int, np.ndarray]()
        self._rooms: list[tuple[np.ndarray, np.ndarray]] = []
        self._direct: Dense | None = None

    def _prepared(self) -> np.ndarray:
        """The transformed weights, made once."""
        from firconv.kernels import minimal_taps as kernel

        if self._transformed is None:
            b = self.blocks
            found = [kernel.weights(w, b.down, b.across) for w in _segmented(self.raw)]
            self._transformed = aligned(len(found) * found[0].size, found[0].dtype).reshape(len(found), -1)
            np.stack(found, out=self._transformed)
        return self._transformed

    def __call__(
        self, x: np.ndarray, out: np.ndarray, bias: np.ndarray | None, workers: int, weights: np.ndarray | None = None
    ) -> bool:
        x, p = x if x.flags.c_contiguous else np.ascontiguousarray(x), self.problem
        biases = np.zeros((p.groups, self.blocks.all_panels * 16), np.float32)
        if bias is not None:
            biases[:, : p.channels_out] = bias.reshape(p.groups, -1)
        boxes = self._boxes.get(workers)
        if boxes is None:
            boxes = self._boxes[workers] = np.array(self.blocks.boxes(workers), np.int64)
        bad = np.zeros(len(boxes) + 1, bool)
        source, target, count = x.reshape(-1), out.reshape(-1), min(workers, len(boxes))
        size, given = (0, self._none) if weights is None else (self.raw[:, 0].size, weights.reshape(-1))
        ready = self._prepared() if weights is None else self._none.reshape(p.groups, 0)
        tops = np.zeros((count, size), np.float32)

        def work(number: int, counter: np.ndarray) -> None:
            room = threads.taken(self._rooms) or self._fresh()
            self._kernel(
                source, given, tops, number, ready, biases, *self._tables, boxes, counter, bad, *room, target
            )
            self._rooms.append(room)

        threads.share(work, count, len(boxes))
        if bad[-1]:
            return False
        if bad.any():
            self._repair(boxes[bad[:-1]].tolist(), x, out, bias, workers, weights)
        return True

    def _fresh(self) -> tuple[np.ndarray, np.ndarray]:
        b = self.blocks
        quiet = np.empty(b.rows * b.columns * b.down * b.across * b.gaps[1], np.int64)
        return aligned(self.room, np.dtype(np.float32)), quiet

    def _repair(
        self, flags: list[list[int]], x: np.ndarray, out: np.ndarray, bias: np.ndarray | None, workers: int,
        weights: np.ndarray | None,
    ) -> None:  # fmt: skip
        """Sum directly what lies in or beside blocks with an output that is not finite; more than these tiles."""
        if self._direct is None:
            self._direct = Dense(self.problem, self.raw)
        b, exact, (low, gap) = self.blocks, self._direct, self.blocks.gaps
        width = b.across * gap
        bad = np.zeros((x.shape[0], self.problem.groups, b.down * (b.lines + low), b.wide * width), bool)
        for group, first, last, left, right, *_ in flags:
            for line in range(first, last):
                image, i = divmod(line, b.lines)
                row = i // low * b.down * low + i % low
                bad[image, group, row : row + b.down * low : low, left * width : right * width] = True
        cut = exact.cut(TASKS)  # whatever the workers: what is summed again may not depend on them
        again = [number for number, c in enumerate(cut.blocks) if bad[_region(c)].any()]
        exact.run(cut, again, x, out, bias, workers, weights)


def _region(block: Block) -> tuple[Any, ...]:
    rows, columns = (slice(lo, lo + n) for lo, n in zip(block.first[1:], block.count[1:], strict=True))
    return slice(*block.images), block.group, rows, columns


def _segmented(weights: np.ndarray) -> np.ndarray:
    """Weights (groups, O, I, *K) with the segments as further channels: (groups, O, segments·I, 3 or 1, 3)."""
    w = weights.reshape(*weights.shape[:3], *((1,) * (5 - weights.ndim)), *weights.shape[3:])
    if max(w.shape[3:]) <= 3:
        return w
    parts = []
    for low, lows in segments(w.shape[3]):
        for first, count in segments(w.shape[4]):
            part = np.zeros((*w.shape[:2], -(-w.shape[2] // 8) * 8, min(3, w.shape[3]), 3), w.dtype)
            part[:, :, : w.shape[2], :lows, :count] = w[..., low : low + lows, first : first + count]
            parts.append(part)
    return np.concatenate(parts, axis=2)


def index(axis: Axis, count: int) -> np.ndarray:
    """Which sample lies at every place that the tiles of an axis read; −1 where it is absent."""
    places = np.arange(count, dtype=np.int64) + axis.lattice.base
    reach = axis.lattice.base + axis.places  # beyond the last output: read by tiles, used by none
    index = selected(axis.ends, axis.signal, np.minimum(places, reach - 1))
    assert index is not None
    return np.where(places < reach, index, -1)


def inside(columns: np.ndarray) -> Ints:
    """From where to where columns follow each other."""
    lo, hi = plain(columns[None], 1)
    return int(lo), int(hi)
