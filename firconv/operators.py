"""An FIR system on signals of one shape as a linear map: sparse matrix, and operator with the exact adjoint.

A filtered signal is y = D·W·E·x: E extends x beyond its ends, W weighs and selects, D renormalises (boundary "omit"
only, else the identity). The matrix multiplies these out; the operator asks the engine for W·E, and its adjoint
Eᴴ·Wᴴ·Dᴴ is the engine on the conjugated, reversed taps with `up` and `down` exchanged, over all positions that W
reads, whose part beyond the ends is then folded back by Eᵀ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import coo_array, csr_array
from scipy.sparse.linalg import LinearOperator

from firconv import boundary as bd
from firconv import describe
from firconv.convolution import convolve, plan
from firconv.folding import Fold
from firconv.problem import Ints, Problem

if TYPE_CHECKING:
    from firconv.systems import FIR

__all__ = ["FIROperator", "build", "matrix"]

#: Samples from which the adjoint takes the strips beyond the ends in calls of their own.
SMALL = 1 << 18


def matrix(fir: FIR, shape: int | Sequence[int], mode: Any = "same", boundary: Any = "zero",
           **keywords: Any) -> csr_array:
    """The sparse matrix of `fir` on signals of `shape`; see `FIR.matrix`."""
    problem, _ = _described("matrix", fir, shape, mode, boundary, keywords, np.dtype(float))
    outputs, taps, samples, factors = terms(problem, range(len(problem.signal)))
    weights = np.flip(fir.taps).ravel()  # correlation taps
    values = weights[taps] * (factors.astype(weights.dtype) if weights.dtype.kind in "iu" else factors)
    ratios = _ratios(fir, problem, mode, keywords)
    if ratios is not None:
        values = values * ratios.ravel()[outputs]
    size = int(np.prod(problem.outputs)), int(np.prod(problem.signal))
    return coo_array((values, (outputs, samples)), shape=size).tocsr()


def build(fir: FIR, shape: int | Sequence[int], mode: Any = "same", boundary: Any = "zero", *, method: str = "auto",
          dtype: Any = None, workers: int | None = None, **keywords: Any) -> FIROperator:
    """The operator of `fir` on signals of `shape`; see `FIR.operator`."""
    kind = np.dtype(np.result_type(fir.taps.dtype, np.float64) if dtype is None else dtype)
    if kind.kind not in "fc":
        raise ValueError(f"operator(…, dtype={dtype!r}): a linear operator works on floats; use float32, float64 or "
                         "complex")
    return FIROperator(fir, shape, mode, boundary, keywords, kind, method, workers)


class FIROperator(LinearOperator):
    """``A @ x.ravel()`` is ``fir(x, …).ravel()``; ``A.H`` is its exact adjoint, boundary included.

    Attributes
    ----------
    signal, outputs : shapes of x and of y
    """

    def __init__(self, fir: FIR, shape: int | Sequence[int], mode: Any, boundary: Any, keywords: dict[str, Any],
                 kind: np.dtype, method: str, workers: int | None) -> None:
        self._problem, layout = _described("operator", fir, shape, mode, boundary, keywords, kind)
        self.signal, self.outputs = self._problem.signal, self._problem.outputs
        self._starts, self._ratio = layout.starts, _ratios(fir, self._problem, mode, keywords)
        self._method, self._workers, self._boundary = method, workers, boundary
        self._kind, self._fir, self._mode, self._keywords = kind, fir, mode, keywords
        self._circles = [_circular(self._problem, axis) for axis in range(len(self.signal))]
        self._folds = [Fold(self._problem, axis, circle) for axis, circle in enumerate(self._circles)]
        self._plans: dict[Any, Callable[..., np.ndarray]] = {}
        super().__init__(np.result_type(kind, fir.taps.dtype), (int(np.prod(self.outputs)), int(np.prod(self.signal))))

    def _array(self, x: np.ndarray, shape: Ints) -> np.ndarray:
        kind = np.result_type(self._kind, np.complex64) if x.dtype.kind == "c" else self._kind
        return np.ascontiguousarray(x, dtype=kind).reshape(shape)

    def _matvec(self, x: np.ndarray) -> np.ndarray:
        x = self._array(x, self.signal)
        forward = self._plans.get(("forward", x.dtype))
        if forward is None:
            forward = self._plans["forward", x.dtype] = plan(
                (x.shape, x.dtype), self._fir.taps, self._mode, self._method, boundary=self._boundary,
                origin=self._fir.origins, **self._keywords)
        return forward(x, workers=self._workers).ravel()

    def _rmatvec(self, y: np.ndarray) -> np.ndarray:
        y = self._array(y, self.outputs)
        if self._ratio is not None:
            y = y * self._ratio.conj()
        adjoint = self._plans.get(("adjoint", y.dtype))
        if adjoint is None:
            adjoint = self._plans["adjoint", y.dtype] = self._exchanged(y.shape, y.dtype)
        return adjoint(y)

    def _exchanged(self, shape: Ints, kind: np.dtype) -> Callable[..., np.ndarray]:
        """Eᴴ·Wᴴ: the signal's own samples in one call, and every strip beyond an end in a small one that is folded.

        The strips of axis a hold, of the axes before it, only the signal's samples, and of those after it, all that is
        read, which is folded first: so every sample of the extended signal comes in once. A signal
        of fewer than SMALL samples is not worth the calls: all that is read comes in one, and is folded and copied.
        A circular axis needs neither: the outputs repeat as the signal does.
        """
        inside = [(0, n) for n in self.signal]
        read = [(fold.lo, fold.hi) for fold in self._folds]
        if np.prod(self.signal) < SMALL:
            return self._in_one(self._window(shape, kind, read))
        whole = self._window(shape, kind, inside)
        strips = [(axis, strip, self._strip(shape, kind, axis, [*inside[:axis], strip.box, *read[axis + 1:]]))
                  for axis, fold in enumerate(self._folds) for strip in fold.strips]

        def adjoint(y: np.ndarray) -> np.ndarray:
            x = whole(y, workers=self._workers)
            for axis, strip, part in strips:
                g = part(y)
                if g is None:
                    continue
                for later in range(axis + 1, g.ndim):
                    g = self._folds[later](g, later)
                strip.fold(g, x, axis)
            return x.ravel()

        return adjoint

    def _in_one(self, whole: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
        def adjoint(y: np.ndarray) -> np.ndarray:
            x = whole(y, workers=self._workers)
            for axis, fold in enumerate(self._folds):
                x = fold(x, axis)
            return x.ravel()

        return adjoint

    def _window(self, shape: Ints, kind: np.dtype, box: list[tuple[int, int]], turn: Ints = (), first: int = 0,
                ) -> Callable[..., np.ndarray]:
        """Wᴴ for samples of the extended signal: sample s is position s·up − start of the exchanged problem.

        `turn` is an order of the axes, for outputs that come in it and begin with number `first` along its first.
        """
        p, h, turn = self._problem, self._fir.H, turn or tuple(range(len(box)))
        windows = [(lo * u - t, (hi - 1) * u - t + 1) for (lo, hi), u, t in zip(box, p.up, self._starts, strict=True)]
        skip = first * p.down[turn[0]]
        windows[turn[0]] = windows[turn[0]][0] - skip, windows[turn[0]][1] - skip
        ends = ["wrap" if circle else "zero" for circle in self._circles]
        turned = [[v[a] for a in turn] for v in (windows, h.origins, p.down, p.up, p.dilation, ends)]
        return plan((shape, kind), h.taps.transpose(turn), turned[0], self._method, origin=turned[1], up=turned[2],
                    down=turned[3], dilation=turned[4], boundary=turned[5])

    def _strip(self, shape: Ints, kind: np.dtype, axis: int, box: list[tuple[int, int]]) -> Callable[..., Any]:
        """Wᴴ for a strip along an axis, of the few outputs that read it, with that axis first: no row is short."""
        p, (lo, hi) = self._problem, box[axis]
        reach = (p.taps[axis] - 1) * p.dilation[axis]
        first = max(-((reach - lo * p.up[axis] - p.pad[axis]) // p.down[axis]), 0)
        last = min(((hi - 1) * p.up[axis] + p.pad[axis]) // p.down[axis] + 1, shape[axis])
        if first >= last:
            return lambda y: None
        turn = axis, *(a for a in range(len(shape)) if a != axis)
        part = self._window((last - first, *(shape[a] for a in turn[1:])), kind, box, turn, first)

        def strip(y: np.ndarray) -> np.ndarray:
            few = np.ascontiguousarray(np.moveaxis(y, axis, 0)[first:last])
            return np.moveaxis(part(few, workers=1), 0, axis)

        return strip


def _circular(problem: Problem, axis: int) -> bool:
    """True where wrapping around makes one period of outputs of one of samples: Eᴴ·Wᴴ is a circular filter itself."""
    wraps = all(rule.name == "wrap" for rule in problem.boundary[axis])
    return wraps and problem.up[axis] == problem.down[axis] == 1 and problem.outputs[axis] == problem.signal[axis]


def _described(name: str, fir: FIR, shape: int | Sequence[int], mode: Any, boundary: Any, keywords: dict[str, Any],
               kind: np.dtype) -> tuple[Problem, describe.Layout]:
    asked = np.atleast_1d(np.asarray(shape))
    lengths = tuple(map(int, asked)) if asked.dtype.kind in "iu" else ()
    if len(lengths) != fir.ndim or min(lengths) < 1:
        raise ValueError(f"{name}(shape={shape!r}): give one positive length for each of the {fir.ndim} axes of the "
                         "taps")
    call = describe.Call("convolve", mode, boundary, None, fir.origins, **keywords)
    problem, layout = describe.describe(call, lengths, kind, fir.shape, fir.taps.dtype)
    if any(rule.name == "constant" for ends in problem.boundary for rule in ends):
        raise ValueError(f"{name}(boundary={boundary!r}): a constant boundary other than zero is affine, not linear, "
                         "and has no matrix or adjoint; use 'zero' and add the response to the constant")
    return problem, layout


def terms(problem: Problem, axes: Iterable[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(output, tap, sample, factor) of every term of the sum over some axes, as indices of raveled arrays."""
    outputs, taps, samples, factors = (np.zeros(1, int),) * 3 + (np.ones(1),)
    for axis in axes:
        more = _entries(problem, axis)
        sizes = problem.outputs[axis], problem.taps[axis], problem.signal[axis]
        outputs, taps, samples = ((old[:, None] * size + new).ravel()
                                  for old, new, size in zip((outputs, taps, samples), more, sizes, strict=False))
        factors = np.multiply.outer(factors, more[3]).ravel()
    return outputs, taps, samples, factors


def _entries(problem: Problem, axis: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(output, tap, sample, factor) of every term of one axis."""
    n, k = np.indices((problem.outputs[axis], problem.taps[axis])).reshape(2, -1)
    at = n * problem.down[axis] + k * problem.dilation[axis] - problem.pad[axis]
    meets = at % problem.up[axis] == 0
    n, k, m = n[meets], k[meets], at[meets] // problem.up[axis]
    if m.size == 0:
        return n, k, m, np.zeros(0)
    lo, hi = int(m.min()), int(m.max()) + 1
    row, column, factor = bd.matrix(problem.boundary[axis], problem.signal[axis], lo, hi)
    order = np.argsort(row, kind="stable")
    row, column, factor = row[order], column[order], factor[order]
    first, count = np.searchsorted(row, m - lo), np.bincount(row, minlength=hi - lo)[m - lo]
    each = np.repeat(np.arange(m.size), count)
    term = first[each] + np.arange(each.size) - np.repeat(np.cumsum(count) - count, count)
    return n[each], k[each], column[term], factor[term]


def _ratios(fir: FIR, problem: Problem, mode: Any, keywords: dict[str, Any]) -> np.ndarray | None:
    """D: what boundary "omit" multiplies every output by, or None.

    Filtered ones are Σh of the taps that meet any sample where the boundary is "edge", and Σ inside where it is "zero".
    """
    if not any(rule.name == "omit" for ends in problem.boundary for rule in ends):
        return None
    edge = bd.Rule("edge")
    inside = [tuple(bd.Rule("zero") if rule.name == "omit" else edge for rule in ends) for ends in problem.boundary]
    ones = np.ones(problem.signal)
    plan((ones.shape, ones.dtype), fir.taps, mode, boundary=list(problem.boundary), origin=fir.origins, **keywords)
    sums = [convolve(ones, fir.taps, mode, boundary=b, origin=fir.origins, **keywords) for b in (edge, inside)]
    return sums[0] / sums[1]
