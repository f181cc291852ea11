"""Problem: one validated description of a filtering task, without arrays.

Everything in this library is the same sum. Per spatial axis, with w the *correlation* taps,

    y[o, n] = Σ_i Σ_k w[o, i, k] · x̃[i, n·down + k·dilation − pad]      x̃ extended beyond its ends, then zero-stuffed by up

so convolution, correlation, decimation, interpolation, dilated and transposed layers are values of (up, down, dilation,
pad, outputs). An axis along which nothing is filtered is an axis with one tap.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from math import gcd, prod

import numpy as np

from firconv.boundary import Ends

Ints = tuple[int, ...]


@dataclass(frozen=True)
class Problem:
    """What is to be computed; hashable, and independent of how.

    Attributes
    ----------
    signal, taps, outputs : lengths N, K and number of outputs, per axis
    pad : per axis, how far before the first sample the first tap of output 0 reads (in the zero-stuffed signal)
    up, down, dilation : per axis
    boundary : (low, high) rules per axis
    groups : independent sets of channels
    channels_in, channels_out : per group
    signal_dtype, taps_dtype, dtype : of the signal, of the taps, and of the defining sum's result
    """

    signal: Ints
    taps: Ints
    outputs: Ints
    pad: Ints
    up: Ints
    down: Ints
    dilation: Ints
    boundary: tuple[Ends, ...]
    groups: int
    channels_in: int
    channels_out: int
    signal_dtype: np.dtype
    taps_dtype: np.dtype
    dtype: np.dtype

    @property
    def filtered(self) -> Ints:
        """The axes with anything to do: more than one tap, a stride, or a window that is not the identity."""
        return tuple(a for a in range(len(self.signal)) if not self._idle(a))

    def _idle(self, a: int) -> bool:
        plain = self.taps[a] == self.up[a] == self.down[a] == 1
        return plain and self.pad[a] == 0 and self.outputs[a] == self.signal[a]

    @property
    def lattices(self) -> tuple[Lattice, ...]:
        """The polyphase decomposition of every axis."""
        return tuple(map(lattice, self.taps, self.up, self.down, self.dilation, self.pad))

    @property
    def multiplications(self) -> int:
        """Multiplications of the defining sum: stuffed zeros and discarded outputs are not counted."""
        spatial = 1.0
        for n, k, u in zip(self.outputs, self.taps, self.up, strict=True):
            spatial *= n * k / u
        return round(spatial) * self.groups * self.channels_in * self.channels_out


# ── windows: which outputs ────────────────────────────────────────────────────────────────────────────────────────────

def extent(k: int, dilation: int) -> int:
    """E = (K−1)·dilation + 1, the width of the footprint."""
    return (k - 1) * dilation + 1


def stuffed(n: int, up: int) -> int:
    """M = (N−1)·up + 1, the length of the zero-stuffed signal."""
    return (n - 1) * up + 1


def window(mode: str, n: int, k: int, reach: int, up: int, down: int, dilation: int) -> tuple[int, int]:
    """(t of output 0, number of outputs) of a named mode.

    Parameters
    ----------
    reach : displacement of the first correlation tap below position t, so that output t reads from t − reach.
    """
    e, m = extent(k, dilation), stuffed(n, up)
    if mode == "full":
        return reach - e + 1, (m + e - 2) // down + 1
    if mode == "same":
        return 0, -(-n * up // down)
    return reach, (m - e) // down + 1


# ── polyphase: up, down and dilation become parts with unit stride ────────────────────────────────────────────────────

@dataclass(frozen=True, eq=False)
class Lattice:
    """One axis as unit-stride sums between parts of the signal and parts of the output.

    Output n = q·out_parts + r and sample m = p·in_parts + s. Then y_r[q] = Σ w[k]·x_s[q + base + a] over the entries
    (k, s, a) of part r; taps that only ever meet stuffed zeros have no entry.

    Attributes
    ----------
    out_parts, in_parts : up/gcd(up, down), down/gcd(up, down)
    base : smallest p − q of any entry
    reach : number of different p − q, so a ∈ [0, reach)
    entries : per r, three arrays (k, s, a)
    """

    out_parts: int
    in_parts: int
    base: int
    reach: int
    entries: tuple[tuple[np.ndarray, np.ndarray, np.ndarray], ...]

    @property
    def plain(self) -> bool:
        """True where signal and output need no splitting."""
        return self.out_parts == self.in_parts == 1

    def span(self, q_lo: int, q_hi: int) -> tuple[int, int]:
        """The samples [lo, hi) that periods q_lo … q_hi of the output read; lo is a multiple of in_parts."""
        return self.in_parts * (q_lo + self.base), self.in_parts * (q_hi + self.base + self.reach - 1)


@lru_cache(maxsize=256)
def lattice(k: int, up: int, down: int, dilation: int, pad: int) -> Lattice:
    """The polyphase decomposition of one axis (n·down + k·dilation − pad must be a multiple of up)."""
    common = gcd(up, down)
    out_parts, in_parts = up // common, down // common
    taps = np.arange(k, dtype=np.int64)
    found = []
    for r in range(out_parts):
        at = r * down + taps * dilation - pad
        meets = at % up == 0
        p, s = np.divmod(at[meets] // up, in_parts)
        found.append((taps[meets], s, p))
    used = [p for _, _, p in found if p.size]
    base = min((int(p.min()) for p in used), default=0)
    reach = max((int(p.max()) for p in used), default=0) - base + 1
    return Lattice(out_parts, in_parts, base, reach, tuple((t, s, p - base) for t, s, p in found))


# ── the two adjoints: transposed convolution and both gradients are problems again ────────────────────────────────────

def signal_adjoint(problem: Problem) -> Problem:
    """The problem that maps an output gradient to the signal's: up and down swap, pad → (K−1)·dilation − pad.

    Its taps are those of `problem` reversed along the spatial axes, conjugated, and with in and out channels exchanged.
    The zero boundary is assumed; another one is folded back afterwards with the transpose of its extension.
    """
    pad = tuple(e - 1 - p for e, p in zip(map(extent, problem.taps, problem.dilation), problem.pad, strict=True))
    return replace(problem, signal=problem.outputs, outputs=problem.signal, pad=pad, up=problem.down, down=problem.up,
                   channels_in=problem.channels_out, channels_out=problem.channels_in, signal_dtype=problem.dtype)


def taps_adjoint(problem: Problem) -> Problem:
    """The problem that maps an output gradient, used as taps on the same signal, to the taps' gradient.

    dilation and down swap: gw[k] = Σ_n conj(gy[n])·x̃[n·down + k·dilation − pad].
    """
    return replace(problem, taps=problem.outputs, outputs=problem.taps, down=problem.dilation, dilation=problem.down,
                   taps_dtype=problem.dtype)


def size(lengths: Ints) -> int:
    """Number of elements of an array of these lengths."""
    return prod(lengths)
