"""Depthwise layers: every channel has filters of its own, and all planes go through one compiled kernel."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from firconv import boundary as bd
from firconv import cost, planner, threads
from firconv.planner import Candidate
from firconv.problem import Problem, extent

#: Rules that map every sample beyond the end to one sample or none.
RULES = ("zero", "edge", "symmetric", "reflect", "wrap", "antisymmetric")
#: Samples of a workspace, of the longest row, and multiply-adds of a task.
ROOM, LONGEST, TASK = 1 << 15, 1 << 16, 1 << 18


def candidate(problem: Problem) -> Candidate | None:
    """What the depthwise kernel would cost, or None where it does not apply: one channel per group, one or two axes."""
    kind = problem.dtype
    if problem.channels_in != 1 or kind not in (np.float32, np.float64) or len(problem.signal) > 3:
        return None
    if problem.signal_dtype != kind or problem.taps_dtype != kind or max(problem.up) > 1:
        return None
    if any(rule.name not in RULES for ends in problem.boundary for rule in ends):
        return None
    shape = _Shape(problem)
    if shape.columns > LONGEST or max(problem.pad) > LONGEST:
        return None
    m, real = cost.machine(), kind.name
    macs = float(problem.multiplications)
    copies = problem.groups * problem.signal[0] * shape.columns * shape.rows
    waste = _summed(shape.outputs[1], 32 // kind.itemsize) / shape.outputs[1]
    moved = copies + 2 * problem.channels_out * problem.groups * prod(problem.outputs)
    seconds = macs * m.mac(real) * waste + moved * m.copy(real) + m.tile
    bound = f"{planner.gamma(planner.terms(problem) + 1, planner.UNIT[real]):.1e}·(|h|*|x|)"
    tasks = float(len(_boxes(problem, shape)))
    shared = seconds if seconds < 2e-4 else seconds * (1 + 1 / tasks)
    return Candidate("depthwise", seconds, macs, 4 * ROOM * kind.itemsize, bound, "", shared)


def _summed(columns: int, lanes: int) -> int:
    """Columns of the tiles that a row of outputs is cut into: even numbers of vectors, or 7 for the last ones."""
    vectors = -(-columns // lanes)
    return (vectors if vectors % 6 == 1 and vectors > 1 else vectors + vectors % 2) * lanes


class _Shape:
    """The two spatial axes of a problem, a single one as columns of one row."""

    def __init__(self, problem: Problem):
        lead: Any = (1,) * (3 - len(problem.signal))
        self.signal, self.outputs = (lead + axes[1:] for axes in (problem.signal, problem.outputs))
        self.taps, self.stride, self.dilation = (
            lead + axes[1:] for axes in (problem.taps, problem.down, problem.dilation)
        )
        self.pad = (0,) * len(lead) + problem.pad[1:]
        self.boundary = ((bd.Rule("zero"),) * 2,) * len(lead) + problem.boundary[1:]
        self.rows, self.columns = (
            (n - 1) * s + extent(k, d)
            for n, s, k, d in zip(self.outputs, self.stride, self.taps, self.dilation, strict=True)
        )

    @property
    def pitch(self) -> int:
        """Samples of one part of a row in the workspace."""
        return -(-self.columns // self.stride[1])


def _boxes(problem: Problem, shape: _Shape) -> list[np.ndarray]:
    """Planes as tasks of some 2²⁰ multiply-adds, or the rows of one where its workspace would not fit the cache."""
    count, height = problem.groups * problem.signal[0], shape.outputs[0]
    each = prod(shape.outputs) * prod(shape.taps) * problem.channels_out
    row = shape.pitch * shape.stride[1] * shape.stride[0]
    band = max(2, (ROOM - (shape.rows - (height - 1) * shape.stride[0]) * shape.pitch * shape.stride[1]) // row)
    if band >= height and (count >= 8 or each <= TASK):
        step = max(1, min(-(-TASK // each), -(-count // 8)))
        return [np.array([p, min(p + step, count), 0, height]) for p in range(0, count, step)]
    band = min(band, max(2, TASK * height // each))
    band += band % 2
    return [np.array([p, p + 1, r, min(r + band, height)]) for p in range(count) for r in range(0, height, band)]


class Depthwise:
    """Filters (channels, multiplier, 1, *K) prepared for one problem."""

    def __init__(self, problem: Problem, weights: np.ndarray):
        shape = _Shape(problem)
        self._weights = np.ascontiguousarray(weights, dtype=problem.dtype).reshape(-1)
        row_at, self._row_sign = _line(shape, 0, problem.dtype)
        self._row_at = np.where(row_at < 0, -1, row_at * shape.signal[1])
        self._col_at, self._col_sign = _line(shape, 1, problem.dtype)
        first, last = (max(0, min(shape.columns, c)) for c in (shape.pad[1], shape.pad[1] + shape.signal[1]))
        self._sizes = np.array([
            shape.columns, shape.stride[1], first, last, shape.pitch, *shape.taps, shape.stride[0], *shape.dilation,
            prod(shape.signal), problem.channels_out, *shape.outputs, problem.groups * problem.channels_out,
            *_present(self._row_at), *_present(self._col_at),
        ])  # fmt: skip
        self._boxes = np.array(_boxes(problem, shape))
        self._none = np.empty(0, problem.dtype)
        from firconv.kernels import depthwise

        self._kernel = depthwise.planes.version(problem.dtype)

    def __call__(self, x: np.ndarray, out: np.ndarray, bias: np.ndarray | None, workers: int) -> None:
        x = x if x.flags.c_contiguous else np.ascontiguousarray(x)
        flat, target = x.reshape(-1), out.reshape(-1)
        plus = self._none if bias is None else bias

        def work(number: int, counter: np.ndarray) -> None:
            self._kernel(flat, target, self._weights, plus, self._boxes, counter, number, self._sizes,
                         self._row_at, self._row_sign, self._col_at, self._col_sign)  # fmt: skip

        threads.share(work, min(workers, len(self._boxes)), len(self._boxes))


def _present(at: np.ndarray) -> tuple[int, int]:
    """The first place that is not absent, and the end of the last one."""
    found = np.flatnonzero(at >= 0)
    return (int(found[0]), int(found[-1]) + 1) if found.size else (0, 0)


def _line(shape: _Shape, axis: int, kind: np.dtype) -> tuple[np.ndarray, np.ndarray]:
    """Which sample every extended one along an axis is, −1 where it is absent; and the signs."""
    count, lo = (shape.rows, shape.columns)[axis], shape.pad[axis]
    found = bd.extension(shape.boundary[axis], shape.signal[axis], -lo, count - lo)
    at = found.index.astype(np.int64)
    if found.absent is not None:
        at = np.where(found.absent, -1, at)
    return at, (np.ones(count, np.int8) if found.sign is None else found.sign).astype(kind)
