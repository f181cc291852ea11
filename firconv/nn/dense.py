"""Dense layers by blocks of outputs: what a block reads is copied once, then four output channels at a time are summed.

A matrix product without its matrix: the copy is no larger than what a block reads, a tap is an offset into it. Steps
(`up`, `down`) become parts, as everywhere. The order of a sum is that of the taps, whatever the block.

A block is a line of numbers for the kernel, and each worker calls it once.
"""

from __future__ import annotations

import numpy as np

from firconv import threads
from firconv.nn import costs
from firconv.nn.cuts import Cut
from firconv.nn.geometry import AXES, SAMPLES, TASKS, Geometry, Maps, extended
from firconv.planner import Candidate
from firconv.problem import Problem

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
    """A layer's weights and blocks; see `firconv.nn.methods` for how it is called.

    Other weights that are not finite show in every output of their channel; then a call returns False.
    """

    def __init__(self, problem: Problem, weights: np.ndarray):
        from firconv.kernels import dense as kernel

        self.problem, self.geometry, self._kernel = problem, Geometry(problem), kernel.fill.version(problem.dtype)
        self.maps, self.in_place = Maps.of(self.geometry.axes), not self.geometry.busy
        self._tables = () if self.maps is None else (*(i.reshape(-1) for i in self.maps.index), self.maps.plain)
        parts = self.geometry.parts
        found = [self.geometry.weights(part, w) for part in parts for w in weights]
        self.reads = len(parts) == 1  # the weights are used in the order in which they are given
        self.weights = weights.reshape(-1) if self.reads else np.concatenate(found)
        self.starts = np.cumsum([0, *(w.size for w in found)])
        self._cuts: dict[int, Cut] = {}

    def __call__(
        self, x: np.ndarray, out: np.ndarray, bias: np.ndarray | None, workers: int, weights: np.ndarray | None = None
    ) -> bool:
        x = x if x.flags.c_contiguous else np.ascontiguousarray(x)
        self.run(self.cut(workers), None, x, out, bias, workers, weights)
        return weights is None or bool(np.isfinite(out.reshape(*out.shape[:2], -1)[0, :, 0]).all())

    def cut(self, workers: int) -> Cut:
        """The layer's blocks for so many workers, made once."""
        found = self._cuts.get(workers)
        if found is None:
            found = self._cuts[workers] = Cut(self.geometry, self.maps, self.starts, workers)
        return found

    def run(
        self, cut: Cut, some: list[int] | None, x: np.ndarray, out: np.ndarray, bias: np.ndarray | None, workers: int,
        weights: np.ndarray | None = None,
    ) -> None:  # fmt: skip
        """Compute all or some of the blocks of outputs; `out` (N, O, *outputs) is contiguous."""
        w = self.weights if weights is None else weights.reshape(-1)
        b = np.zeros(out.shape[1], out.dtype) if bias is None else bias
        if self.maps is None:
            every = range(len(cut.blocks)) if some is None else some
            threads.run(lambda number: self._extended(cut, number, x, w, out, b), every, workers)
            return
        table = cut.table if some is None else cut.table[some]

        def work(number: int, counter: np.ndarray) -> None:
            self._work(cut, x, w, b, self._tables, table, counter, number, out)

        threads.share(work, min(workers, len(table)), len(table))

    def _work(
        self, cut: Cut, x: np.ndarray, w: np.ndarray, bias: np.ndarray, maps: tuple[np.ndarray, ...],
        table: np.ndarray, counter: np.ndarray, number: int, out: np.ndarray,
    ) -> None:  # fmt: skip
        """Take blocks of a table until there are no more."""
        room, samples = threads.taken(cut.rooms) or self._room(cut), x.reshape(-1)
        self._kernel(
            samples, w, bias, *maps, cut.offsets, table, cut.parts, counter, number,
            samples if self.in_place else room[0], *room, out.reshape(-1),
        )  # fmt: skip
        cut.rooms.append(room)

    def _extended(
        self, cut: Cut, number: int, x: np.ndarray, w: np.ndarray, out: np.ndarray, bias: np.ndarray
    ) -> None:
        """One block whose samples are extended by the general rules first."""
        x, (*maps, shape, box) = extended(self.geometry, cut.blocks[number], (0, self.problem.channels_in), x)
        table = np.array([[*shape, *box, *cut.table[number, -2:]]], np.int64)
        self._work(cut, x, w, bias, tuple(maps), table, np.zeros(4, np.int64), 0, out)

    def _room(self, cut: Cut) -> tuple[np.ndarray, ...]:
        """Samples of a block, panels, sums, and tiles, for one worker."""
        from firconv.kernels import dense as kernel

        p, lanes = self.problem, LANES // self.problem.dtype.itemsize
        most = 0 if self.in_place else cut.samples + lanes
        tile = kernel.VECTORS * lanes // 2
        sizes = most, kernel.TILES * kernel.CHUNK * tile + lanes, p.channels_out * kernel.TILES * tile
        return *(aligned(n, p.dtype) for n in sizes), np.zeros(kernel.TILES * kernel.TILE, np.int64)


def aligned(size: int, dtype: np.dtype) -> np.ndarray:
    """Zeros that begin on a line of the cache."""
    raw = np.zeros(size * dtype.itemsize + LANES, np.uint8)
    first = -raw.ctypes.data % LANES
    return raw[first : first + size * dtype.itemsize].view(dtype)
