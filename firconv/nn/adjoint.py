"""The adjoint of a layer as a problem of its own, over all that the layer reads, and the fold that follows it.

    gx = Eᵀ·Wᵀ·Dᵀ·gy      E extends, W weighs and selects, D renormalises (boundary "omit" only)

Wᵀ is the engine on reversed weights with `up` and `down` exchanged; nothing is conjugated.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from firconv import boundary as bd
from firconv.problem import Problem, signal_adjoint

if TYPE_CHECKING:
    from firconv.folding import Fold


@dataclass(frozen=True, eq=False)
class Adjoint:
    """Wᵀ over samples lo … hi of the extended signal, and the axes whose strips beyond the ends are folded back."""

    problem: Problem
    folds: tuple[tuple[int, Fold], ...]

    def fold(self, g: np.ndarray) -> np.ndarray:
        """Eᵀ: the signal's own samples of g (N, C, *extended), with what lies beyond the ends added to them."""
        for axis, fold in self.folds:
            g = fold(g, axis + 1)
        return g


def adjoint(forward: Problem, kind: np.dtype) -> Adjoint:
    """The problem from a layer's output gradient, of this dtype, to its input's.

    Raises
    ------
    ValueError
        Where a boundary is a constant other than zero, which is affine and has no adjoint.
    """
    whole = signal_adjoint(replace(forward, boundary=(_ABSENT,) * len(forward.signal), signal_dtype=kind))
    whole = replace(whole, signal_dtype=kind)
    if all(rule.absent for ends in forward.boundary for rule in ends):
        return Adjoint(whole, ())
    from firconv.folding import Fold

    folds = [Fold(forward, axis) for axis in range(len(forward.signal))]
    pad = tuple(p - f.lo * d for p, f, d in zip(whole.pad, folds, whole.down, strict=True))
    problem = replace(whole, pad=pad, outputs=tuple(f.hi - f.lo for f in folds))
    return Adjoint(problem, tuple((axis, f) for axis, f in enumerate(folds) if f.strips))


_ABSENT = (bd.Rule("zero"), bd.Rule("zero"))


def linear(forward: Problem) -> Problem:
    """The layer without the constants of its boundary: its derivative with respect to x."""
    zero = bd.Rule("zero")
    low, high = (
        [zero if ends[i].name == "constant" else ends[i] for ends in forward.boundary] for i in range(2)
    )
    rules = tuple(zip(low, high, strict=True))
    return replace(forward, boundary=rules)


def exchanged(weights: np.ndarray) -> np.ndarray:
    """Weights (groups, O, I, *K) as the adjoint's (groups, I, O, *K), reversed along the taps."""
    return np.ascontiguousarray(np.flip(weights.swapaxes(1, 2), tuple(range(3, weights.ndim))))
