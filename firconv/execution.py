"""Steps 3 to 6 for one set of taps: prepare, then every task of the grid through its kernel, and deliver.

A `Runner` owns prepared taps and knows three things: which boxes of outputs make good tasks, in which dtype it
computes, and how to fill one box. Everything about threads, casts and renormalisation is the same for all of them.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from firconv import boundary as bd
from firconv import run_direct, run_fourier, run_images, run_rates, spectra, tiles
from firconv.planner import Decision, is_long
from firconv.problem import IDLE, Lattice, Problem

COMPLEX: dict[str, np.dtype[Any]] = {
    "float32": np.dtype(np.complex64),
    "float64": np.dtype(np.complex128),
    "longdouble": np.dtype(np.clongdouble),
}


class Runner(Protocol):
    """Prepared taps of one set of output channels."""

    dtype: np.dtype

    def boxes(self, grid: tiles.Grid) -> list[tiles.Box]:
        """The outputs cut into tasks."""
        ...

    def fill(self, grid: tiles.Grid, box: tiles.Box, x: np.ndarray, out: np.ndarray) -> None:
        """Compute the outputs of a box from x (I, *signal) into out (O, *outputs), of `dtype`."""
        ...


def runner(
    problem: Problem, decision: Decision, weights: np.ndarray, work: str, factors: Any = None, target: Any = None
) -> Runner:
    """Prepare correlation taps (O, I, *K) for the decided method in the real dtype `work`.

    `target` is the type of an array of all outputs that tasks may write to as they are, or None if there is none.
    """
    if decision.method == "reference":
        return Reference(problem, weights)
    if decision.method == "shifted" or work == "object":
        return Shifted(problem, weights, work)
    if decision.method == "separable":
        return _separable(problem, factors, work, target)
    if work == "int64":  # also where an FFT was asked for: see exact_work
        return Direct(problem.lattices, problem.outputs, False, weights, work)
    if decision.method == "fft" and is_long(problem, decision.lengths):
        return LongFourier(problem, decision, weights, work)
    if decision.method in ("fft", "overlap_save"):
        return Fourier(problem, decision, weights, work)
    found = Direct(problem.lattices, problem.outputs, problem.signal_dtype.kind == "c", weights, work)
    return _shared(found, problem, found, target)


def _separable(problem: Problem, factors: list[list[np.ndarray]], work: str, target: Any) -> Runner:
    """One pass per axis; of a column and a row as images, if what is known beyond their ends can be found by maps."""
    tiled = Separable(problem, factors, work)
    if len(factors) > 1 or len(problem.filtered) != 2 or target != tiled.dtype:
        return tiled
    taps = _outer_sum(factors, problem.taps, list(problem.filtered))
    dense = Direct(problem.lattices, problem.outputs, problem.signal_dtype.kind == "c", taps, work)
    if len(tiled.terms[0]) != 2 or dense.taps.weights.shape[2 + dense.taps.run_axis] == 1:
        return tiled
    column, row = (direct.taps.weights.ravel() for _, direct in tiled.terms[0])
    return _shared(tiled, problem, dense, target, (np.ascontiguousarray(column[:, None]), row))


def _shared(tiled: Runner, problem: Problem, dense: Direct, target: Any, passes: Any = None) -> Runner:
    """A runner whose workers share images or a line's pieces, where its tasks need no casts; else `tiled`."""
    direct = not (dense.planes_in or dense.planes_out)
    if direct and target == dense.dtype and problem.signal_dtype == dense.block:
        if run_images.serves(dense.taps, problem.boundary):
            return run_images.Images(tiled, dense.taps, dense.pairs, passes)
        if tiled is dense and run_rates.serves(dense.taps, dense.pairs):
            return run_rates.Rates(dense, dense.taps, dense.pairs)
    return tiled


# ── direct ────────────────────────────────────────────────────────────────────────────────────────────────────────────


class Direct:
    """The direct sum through compiled kernels; complex numbers as pairs or planes of real ones."""

    def __init__(
        self, lattices: tuple[Lattice, ...], outputs: tuple[int, ...], signal: bool, weights: np.ndarray, work: str
    ):
        self.lattices = lattices
        taps = weights.dtype.kind == "c"
        real = np.dtype(work)
        self.dtype: np.dtype[Any] = COMPLEX[work] if signal or taps else real
        self.block: np.dtype[Any] = COMPLEX[work] if signal else real
        self.pairs, self.planes_in, self.planes_out = signal and not taps, signal and taps, taps
        w = np.concatenate([weights.real, weights.imag]) if taps else weights
        if self.planes_in:
            w = np.concatenate([w, np.concatenate([-weights.imag, weights.real])], axis=1)
        inner = (IDLE,) if self.pairs else ()
        w = w[..., None] if self.pairs else w
        self.taps = run_direct.DirectTaps(_as_integers(w, real), lattices + inner, outputs + (2,) * self.pairs)

    def boxes(self, grid: tiles.Grid) -> list[tiles.Box]:
        return tiles.tasks(grid, min(self.taps.run_axis, len(grid.lattices) - 1))

    def fill(self, grid: tiles.Grid, box: tiles.Box, x: np.ndarray, out: np.ndarray) -> None:
        self.correlate(grid.read(x, box, self.block), out)

    def correlate(self, block: np.ndarray, out: np.ndarray) -> None:
        """The sum of one block, real or complex."""
        if self.pairs:
            block = block if block.strides[-1] == block.itemsize else np.ascontiguousarray(block)
            if out.strides[-1] == out.itemsize:
                run_direct.correlate(self.taps, run_direct.as_pairs(block), run_direct.as_pairs(out))
            else:
                y = np.empty(out.shape, out.dtype)
                run_direct.correlate(self.taps, run_direct.as_pairs(block), run_direct.as_pairs(y))
                out[...] = y
            return
        if self.planes_in:
            block = np.concatenate([block.real, block.imag])
        if not self.planes_out:
            run_direct.correlate(self.taps, block, out)
            return
        y = np.empty((2 * out.shape[0], *out.shape[1:]), block.dtype)
        run_direct.correlate(self.taps, block, y)
        out.real, out.imag = y[: out.shape[0]], y[out.shape[0] :]


def _as_integers(w: np.ndarray, work: np.dtype) -> np.ndarray:
    """Taps in the working type; unsigned 64-bit ones keep their bits, because the sum wraps anyway."""
    return w.view(np.int64) if work == np.int64 and w.dtype == np.uint64 else w.astype(work)


# ── separable ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class Separable:
    """One pass per filtered axis and term, rows last so that the final pass writes the output."""

    def __init__(self, problem: Problem, terms: list[list[np.ndarray]], work: str):
        self.lattices = problem.lattices
        filtered = [i for i, k in enumerate(problem.taps) if k > 1]
        self.terms = [self._passes(problem, filtered, factors, work) for factors in terms]
        self.dtype, self.block = self.terms[0][-1][1].dtype, self.terms[0][0][1].block
        self.kernel = None if len(terms) == 1 else _outer_sum(terms, problem.taps, filtered)

    def _passes(
        self, problem: Problem, filtered: list[int], factors: list[np.ndarray], work: str
    ) -> list[tuple[int, Direct]]:
        passes: list[tuple[int, Direct]] = []
        others = [i for i, a in enumerate(self.lattices) if i not in filtered and not a.idle]
        for axis, factor in [*((i, None) for i in others), *zip(filtered, factors, strict=True)]:
            lattices = tuple(a if i == axis else IDLE for i, a in enumerate(self.lattices))
            f = np.ones(1, problem.taps_dtype) if factor is None else factor
            weights = f.reshape((1, 1) + tuple(f.size if i == axis else 1 for i in range(len(lattices))))
            is_complex = problem.signal_dtype.kind == "c" or bool(passes) and passes[-1][1].dtype.kind == "c"
            passes.append((axis, Direct(lattices, problem.outputs, is_complex, weights, work)))
        return passes

    def boxes(self, grid: tiles.Grid) -> list[tiles.Box]:
        last = len(grid.lattices) - 1  # where equal steps leave one tap of every axis, all are idle
        return tiles.tasks(grid, max((i for i, a in enumerate(grid.lattices) if not a.idle), default=last))

    def fill(self, grid: tiles.Grid, box: tiles.Box, x: np.ndarray, out: np.ndarray) -> None:
        block = grid.read(x, box, self.block)
        self._term(self.terms[0], block, out)
        for term in self.terms[1:]:
            more = np.empty(out.shape, out.dtype)
            self._term(term, block, more)
            with np.errstate(invalid="ignore", over="ignore"):  # Inf - Inf, which the repair below takes out
                out += more
        if self.kernel is not None and not np.isfinite(block).all():
            self._repair(block, out)

    def _term(self, passes: list[tuple[int, Direct]], block: np.ndarray, out: np.ndarray) -> None:
        for axis, direct in passes[:-1]:
            shape = list(block.shape)
            shape[1 + axis] = out.shape[1 + axis]
            y = np.empty(shape, direct.dtype)
            direct.correlate(block, y)
            block = y
        passes[-1][1].correlate(block, out)

    def _repair(self, block: np.ndarray, out: np.ndarray) -> None:
        """A sum of several terms makes Inf − Inf where the direct sum has Inf: overlay the footprint of the taps."""
        finite = np.where(np.isfinite(block), block, 0)
        for i, term in enumerate(self.terms):
            more = np.empty(out.shape, out.dtype)
            self._term(term, finite, more)
            out[...] = more if i == 0 else out + more
        assert self.kernel is not None
        dense = spectra.dense(self.kernel, self.lattices)
        spectra.overlay(dense, self.lattices, block, out)


def _outer_sum(terms: list[list[np.ndarray]], taps: tuple[int, ...], filtered: list[int]) -> np.ndarray:
    total: Any = 0
    for factors in terms:
        product = factors[0]
        for f in factors[1:]:
            product = np.multiply.outer(product, f)
        total = total + product
    return total.reshape((1, 1, *(k if i in filtered else 1 for i, k in enumerate(taps))))


# ── Fourier ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class Fourier:
    """Blocks through scipy.fft, repaired and guarded."""

    def __init__(self, problem: Problem, decision: Decision, weights: np.ndarray, work: str):
        integer = problem.dtype.kind in "iu"
        is_complex = "c" in (problem.signal_dtype.kind, weights.dtype.kind)
        block: np.dtype[Any] = np.dtype(np.float64) if integer else COMPLEX[work] if is_complex else np.dtype(work)
        self.dtype: np.dtype[Any] = np.dtype(np.int64) if integer else block
        self.taps = spectra.FourierTaps(weights.astype(block), problem.lattices, decision.lengths, block, decision.tau)

    def boxes(self, grid: tiles.Grid) -> list[tiles.Box]:
        return run_fourier.tasks(grid, self.taps)

    def fill(self, grid: tiles.Grid, box: tiles.Box, x: np.ndarray, out: np.ndarray) -> None:
        run_fourier.correlate(self.taps, grid, box, x, out)


class LongFourier:
    """One transform of a whole line with many taps, in steps that use every core."""

    def __init__(self, problem: Problem, decision: Decision, weights: np.ndarray, work: str):
        is_complex = "c" in (problem.signal_dtype.kind, weights.dtype.kind)
        self.dtype: np.dtype[Any] = COMPLEX[work] if is_complex else np.dtype(work)
        self.axis, self.tau = problem.filtered[0], decision.tau
        self.taps = weights.astype(self.dtype)

    def boxes(self, grid: tiles.Grid) -> list[tiles.Box]:
        lines = tuple(n if axis == self.axis else 1 for axis, n in enumerate(grid.periods))
        return list(tiles.split(grid.everything(), lines))

    def fill(self, grid: tiles.Grid, box: tiles.Box, x: np.ndarray, out: np.ndarray) -> None:
        for o in range(out.shape[0]):
            run_fourier.long(grid, box, x, self.taps[o].ravel(), out[o].reshape(-1), self.tau)


# ── NumPy and plain Python ────────────────────────────────────────────────────────────────────────────────────────────


class Shifted:
    """Shifted slices: long doubles, Python integers, and taps that are not finite."""

    def __init__(self, problem: Problem, weights: np.ndarray, work: str):
        kind = problem.dtype.kind
        real = problem.dtype if work == "exact" else np.dtype(work)
        self.dtype: np.dtype[Any] = COMPLEX[work] if kind == "c" else real
        self.weights = weights.astype(self.dtype)

    def boxes(self, grid: tiles.Grid) -> list[tiles.Box]:
        return [grid.everything()]

    def fill(self, grid: tiles.Grid, box: tiles.Box, x: np.ndarray, out: np.ndarray) -> None:
        from firconv.kernels import shifted

        block, start = _present(grid, box, x, self.dtype)
        with np.errstate(invalid="ignore", over="ignore"):
            shifted.correlate(self.weights, grid.lattices, block, start, out)


class Reference:
    """The defining sum in plain loops."""

    def __init__(self, problem: Problem, weights: np.ndarray):
        self.dtype = np.dtype(np.float32) if problem.dtype == np.float16 else problem.dtype
        self.weights = weights.astype(self.dtype)

    def boxes(self, grid: tiles.Grid) -> list[tiles.Box]:
        return [grid.everything()]

    def fill(self, grid: tiles.Grid, box: tiles.Box, x: np.ndarray, out: np.ndarray) -> None:
        from firconv.kernels import reference

        problem, span = grid.problem, grid.span(box)
        block = grid.read(x, box, self.dtype)
        present = bd.read(np.ones(problem.signal, bool), _marks(problem), span, np.dtype(bool))
        with np.errstate(invalid="ignore", over="ignore"):
            reference.correlate(problem, self.weights, block, present, tuple(lo for lo, _ in span), out)


def _marks(problem: Problem) -> tuple[bd.Ends, ...]:
    """Rules under which an array of True stays True wherever a sample exists."""
    zero, edge = bd.Rule("zero"), bd.Rule("edge")
    return tuple((zero if a.absent else edge, zero if b.absent else edge) for a, b in problem.boundary)


def _present(grid: tiles.Grid, box: tiles.Box, x: np.ndarray, dtype: np.dtype) -> tuple[np.ndarray, tuple[int, ...]]:
    """The extended signal over a box without the absent samples, and where it starts."""
    kept = []
    problem = grid.problem
    for (lo, hi), ends, n in zip(grid.span(box), problem.boundary, problem.signal, strict=True):
        lo = max(lo, 0) if ends[0].absent else min(lo, n - 1)
        hi = min(hi, n) if ends[1].absent else max(hi, 1)
        kept.append((lo, max(hi, lo + 1)))
    return bd.read(x, problem.boundary, tuple(kept), dtype, skip=1), tuple(lo for lo, _ in kept)
