"""The adjoint of an extension: what was read beyond the ends is added to the samples that stood there.

An extended signal is x̃ = E·x with at most three terms a row; its adjoint Eᵀ keeps the signal's own samples and adds the
strips beyond the ends to those that they are copies of.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array, csr_array

from firconv import boundary as bd
from firconv.problem import Problem

__all__ = ["Fold", "Strip", "reads"]


class Strip:
    """Samples lo … hi of the extended signal, beyond one end, and the samples that they are copies of."""

    def __init__(self, ends: bd.Ends, n: int, lo: int, hi: int) -> None:
        row, column, factor = bd.matrix(ends, n, lo, hi)
        self.box = lo, hi
        self.touched, column = np.unique(column, return_inverse=True)
        self.transposed = coo_array((factor, (column, row)), shape=(self.touched.size, hi - lo)).tocsr()
        self.copied = _stretch(self.touched, row, column, factor)

    def fold(self, g: np.ndarray, x: np.ndarray, axis: int) -> None:
        """Add Eᵀ·g to x along an axis."""
        g, x = np.moveaxis(g, axis, 0), np.moveaxis(x, axis, 0)
        if self.copied is not None:
            samples, order = self.copied
            x[samples] += g[order]
            return
        back = self._in(g.real.dtype) @ g.reshape(len(g), -1)
        x[self.touched] += back.reshape((self.touched.size, *x.shape[1:]))

    def _in(self, kind: np.dtype) -> csr_array:
        if self.transposed.dtype != kind:
            self.transposed = self.transposed.astype(kind)
        return self.transposed


def _stretch(touched: np.ndarray, row: np.ndarray, column: np.ndarray,
             factor: np.ndarray) -> tuple[slice, slice] | None:
    """(samples, order) of a strip that is a stretch of the signal, forwards or backwards; None for any other."""
    n = touched.size
    if not (n and row.size == n and np.all(factor == 1) and touched[-1] - touched[0] == n - 1):
        return None
    at = column[np.argsort(row)]
    samples = slice(int(touched[0]), int(touched[-1]) + 1)
    if np.array_equal(at, np.arange(n)):
        return samples, slice(None)
    return (samples, slice(None, None, -1)) if np.array_equal(at, np.arange(n)[::-1]) else None


class Fold:
    """Eᵀ of one axis, with samples lo … hi of the extended signal read by any tap; none beyond a `closed` axis."""

    def __init__(self, problem: Problem, axis: int, closed: bool = False) -> None:
        ends, n = problem.boundary[axis], problem.signal[axis]
        first, last = reads(problem, axis)
        self.n = n
        self.lo = 0 if ends[0].absent or closed else min(first, 0)
        self.hi = n if ends[1].absent or closed else max(last + 1, n)
        self.strips = [Strip(ends, n, lo, hi) for lo, hi in ((self.lo, 0), (n, self.hi)) if lo < hi]

    def __call__(self, g: np.ndarray, axis: int) -> np.ndarray:
        """The signal's samples, a view, with the strips added to them, of an array that holds all of lo … hi."""

        def part(lo: int, hi: int) -> np.ndarray:
            return g[(slice(None),) * axis + (slice(lo - self.lo, hi - self.lo),)]

        x = part(0, self.n)
        for strip in self.strips:
            strip.fold(part(*strip.box), x, axis)
        return x


def reads(problem: Problem, axis: int) -> tuple[int, int]:
    """First and last sample of the extended signal that any tap of any output may meet."""
    start, up = -problem.pad[axis], problem.up[axis]
    stop = start + (problem.outputs[axis] - 1) * problem.down[axis] + (problem.taps[axis] - 1) * problem.dilation[axis]
    return -(-start // up), stop // up
