"""The defining sum as shifted slices in NumPy, one tap at a time: any dtype that NumPy can multiply.

Serves what compiled kernels do not take: longdouble, Python integers of any size, and taps with NaN or Inf, for which
absent terms (zeros beyond the ends, stuffed zeros) must not become 0·Inf.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from firconv.problem import Lattice


def correlate(
    weights: np.ndarray, lattices: tuple[Lattice, ...], x: np.ndarray, start: tuple[int, ...], out: np.ndarray
) -> None:
    """out[o, n] = Σ_i Σ_k w[o, i, k]·x[i, m(n, k) − start] over the samples that exist.

    Parameters
    ----------
    weights : (O, I, *K)
    x : (I, *M), samples start … start + M − 1 of the extended signal; what lies outside is absent
    out : (O, *n), overwritten
    """
    out[...] = 0
    for part in product(*(range(a.out_parts) for a in lattices)):
        steps = [list(zip(*a.entries(r), strict=True)) for a, r in zip(lattices, part, strict=True)]
        target = out[(slice(None),) + tuple(slice(r, None, a.out_parts) for a, r in zip(lattices, part, strict=True))]
        for taps in product(*steps):
            index: Any = (slice(None), slice(None), *(int(k) for k, _, _ in taps))
            ranges = [
                _overlap(a, int(s), int(d), lo, n, m)
                for a, (_, s, d), lo, n, m in zip(lattices, taps, start, target.shape[1:], x.shape[1:], strict=True)
            ]
            if all(to.start < to.stop for to, _ in ranges):
                _add(weights[index], x, target, ranges)


def _overlap(a: Lattice, s: int, d: int, start: int, outputs: int, samples: int) -> tuple[slice, slice]:
    """The outputs q whose sample p(q)·in_parts + s exists, and these samples."""
    first = (a.base + d) * a.in_parts + s - start  # sample of q = 0
    q_lo = max(0, -(first // a.in_parts))
    q_hi = min(outputs, (samples - 1 - first) // a.in_parts + 1)
    at = first + q_lo * a.in_parts
    return slice(q_lo, max(q_lo, q_hi)), slice(at, at + max(0, q_hi - q_lo) * a.in_parts, a.in_parts)


def _add(w: np.ndarray, x: np.ndarray, out: np.ndarray, ranges: list[tuple[slice, slice]]) -> None:
    to, at = (tuple(pair[i] for pair in ranges) for i in (0, 1))
    for o in range(w.shape[0]):
        for i in range(w.shape[1]):
            here: Any = (o, *to)
            there: Any = (i, *at)
            out[here] += w[o, i] * x[there]
