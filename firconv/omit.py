"""The omit boundary: weights renormalised over the taps that meet samples.

    y[n] = (Σ inside h·x) · Σh / Σ inside h

Along one axis the taps that meet samples are a run of the entries of one polyphase part, so the sums over all boxes of
taps are differences of cumulative sums, axis by axis.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from firconv.problem import Lattice, Problem
from firconv.tiles import Grid


@dataclass(frozen=True, eq=False)
class Ratios:
    """Σh / Σ inside h: `table` (O, distinct₀, distinct₁, …), looked up by `index` per axis and output."""

    table: np.ndarray
    index: tuple[np.ndarray, ...]

    def at(self, where: tuple[slice, ...]) -> np.ndarray | None:
        """The ratios of some outputs, (O, *outputs), or None where all are one."""
        picked = [i[s] for i, s in zip(self.index, where, strict=True)]
        where_in_table: Any = (slice(None), *np.ix_(*picked))
        values = self.table[where_in_table]
        return None if np.all(values == 1) else values


def ratios(grid: Grid, weights: np.ndarray, call: str) -> Ratios:
    """The ratios of a problem with correlation taps (O, 1, *K).

    Raises
    ------
    ValueError
        Where the taps, or those of them that meet samples, sum to nothing that could be renormalised.
    """
    wide = np.clongdouble if weights.dtype.kind == "c" else np.longdouble
    partial = total = weights[:, 0].astype(wide)
    index = []
    for axis, a in enumerate(grid.lattices):
        runs, where = _runs(grid.problem, axis, a)
        index.append(where)
        partial = _sums(partial, axis + 1, a, runs)
        total = _sums(total, axis + 1, a, [(r, 0, len(a.entries(r)[0])) for r, _, _ in runs])
    unit = np.finfo(np.result_type(weights.dtype, np.float32)).eps / 2 if weights.dtype.kind in "fc" else 0.0
    least = weights[0, 0].size * unit * float(np.abs(weights).sum(axis=tuple(range(1, weights.ndim))).max())
    if np.any(np.abs(partial) <= least) or np.any(np.abs(total) <= least):
        raise ValueError(
            f"{call}: boundary='omit' divides by the sum of the taps inside the signal, and that is zero "
            "(to rounding) for some output: use another boundary for taps that sum to zero"
        )
    table = np.where(partial == total, 1, total / partial)
    return Ratios(table.astype(np.result_type(weights.dtype, np.float64)), tuple(index))


def _runs(problem: Problem, axis: int, a: Lattice) -> tuple[list[tuple[int, int, int]], np.ndarray]:
    """Distinct (part, first, last) runs of entries that meet samples, and which of them each output has."""
    low, high = (rule.name == "omit" for rule in problem.boundary[axis])
    q, r = np.divmod(np.arange(problem.outputs[axis]), a.out_parts)
    found = np.empty((problem.outputs[axis], 3), np.int64)
    for part in range(a.out_parts):
        _, s, d = a.entries(part)
        first = (a.base + d) * a.in_parts + s  # sample of each entry at q = 0, increasing
        mine = r == part
        at = q[mine] * a.in_parts
        found[mine, 0] = part
        found[mine, 1] = np.searchsorted(first, -at, side="left") if low else 0
        found[mine, 2] = np.searchsorted(first, problem.signal[axis] - at, side="left") if high else len(first)
    runs, where = np.unique(found, axis=0, return_inverse=True)
    return [tuple(map(int, run)) for run in runs], where.ravel()  # type: ignore[misc]


def _sums(values: np.ndarray, axis: int, a: Lattice, runs: list[tuple[int, int, int]]) -> np.ndarray:
    """Sums over runs of entries along one axis."""
    rows = np.moveaxis(values, axis, 0)
    out = np.empty((len(runs), *rows.shape[1:]), rows.dtype)
    sums = [
        np.concatenate([np.zeros((1, *rows.shape[1:]), rows.dtype), np.cumsum(rows[k], axis=0)])
        for k, _, _ in map(a.entries, range(a.out_parts))
    ]
    for i, (r, lo, hi) in enumerate(runs):
        out[i] = sums[r][max(hi, lo)] - sums[r][lo]
    return np.moveaxis(out, 0, axis)
