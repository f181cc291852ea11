"""Problem: one validated description of a filtering task, without arrays.

Everything in this library is the same sum. Per spatial axis, with w the *correlation* taps,

    y[o, n] = Σ_i Σ_k w[o, i, k] · x̃[i, n·down + k·dilation − pad]    x̃ extended, then zero-stuffed by up

so convolution, correlation, decimation, interpolation, dilated and transposed layers are values of (up, down, dilation,
pad, outputs). An axis along which nothing is filtered is an axis with one tap.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
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

    @cached_property
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


@dataclass(frozen=True)
class Lattice:
    """One axis as unit-stride sums between parts of the signal and parts of the output.

    Output n = q·out_parts + r and sample m = p·in_parts + s. Then y_r[q] = Σ w[k]·x_s[q + base + a] over the entries
    (k, s, a) of part r; taps that only ever meet stuffed zeros have no entry.

    Attributes
    ----------
    taps, up, down, dilation, pad : of the axis
    out_parts, in_parts : up/gcd(up, down), down/gcd(up, down)
    first : smallest p − q of any entry
    reach : number of different p − q, so a ∈ [0, reach)
    base : `first`, less where the samples at hand start (a stream's window)
    """

    taps: int
    up: int
    down: int
    dilation: int
    pad: int
    out_parts: int
    in_parts: int
    first: int
    reach: int
    base: int

    @property
    def plain(self) -> bool:
        """True where signal and output need no splitting."""
        return self.out_parts == self.in_parts == 1

    @property
    def idle(self) -> bool:
        """True where output n is a multiple of sample n: nothing is filtered along this axis."""
        return self.plain and self.reach == 1 and self.base == 0

    def entries(self, r: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The arrays (k, s, a) of output part r, in the order of the taps."""
        k, p = _meetings(self.taps, self.up, self.down, self.dilation, self.pad, r)
        p, s = np.divmod(p, self.in_parts)
        return k, s, p - self.first

    def span(self, q_lo: int, q_hi: int) -> tuple[int, int]:
        """The samples [lo, hi) that periods q_lo … q_hi of the output read; lo is a multiple of in_parts."""
        return self.in_parts * (q_lo + self.base), self.in_parts * (q_hi + self.base + self.reach - 1)


IDLE = Lattice(1, 1, 1, 1, 0, 1, 1, 0, 1, 0)


def _meetings(k: int, up: int, down: int, dilation: int, pad: int, r: int) -> tuple[np.ndarray, np.ndarray]:
    """The taps that meet samples for output r, and which samples."""
    taps = np.arange(k, dtype=np.int64)
    at = r * down + taps * dilation - pad
    if up == 1:
        return taps, at
    meets = at % up == 0
    return taps[meets], at[meets] // up


@lru_cache(maxsize=256)
def lattice(k: int, up: int, down: int, dilation: int, pad: int) -> Lattice:
    """The polyphase decomposition of one axis (n·down + k·dilation − pad must be a multiple of up to meet a sample)."""
    if up == down == 1:
        return Lattice(k, 1, 1, dilation, pad, 1, 1, -pad, extent(k, dilation), -pad)
    common = gcd(up, down)
    out_parts, in_parts = up // common, down // common
    ends = []
    for r in range(out_parts):
        _, p = _meetings(k, up, down, dilation, pad, r)
        if p.size:
            ends.append((int(p[0]) // in_parts, int(p[-1]) // in_parts))
    first = min((lo for lo, _ in ends), default=0)
    reach = max((hi for _, hi in ends), default=0) - first + 1
    return Lattice(k, up, down, dilation, pad, out_parts, in_parts, first, reach, first)


# ── the two adjoints: transposed convolution and both gradients are problems again ────────────────────────────────────


def signal_adjoint(problem: Problem) -> Problem:
    """The problem that maps an output gradient to the signal's: up and down swap, pad → (K−1)·dilation − pad.

    Its taps are those of `problem` reversed along the spatial axes, conjugated, and with in and out channels exchanged.
    The zero boundary is assumed; another one is folded back afterwards with the transpose of its extension.
    """
    pad = tuple(e - 1 - p for e, p in zip(map(extent, problem.taps, problem.dilation), problem.pad, strict=True))
    return replace(
        problem,
        signal=problem.outputs,
        outputs=problem.signal,
        pad=pad,
        up=problem.down,
        down=problem.up,
        channels_in=problem.channels_out,
        channels_out=problem.channels_in,
        signal_dtype=problem.dtype,
    )


def taps_adjoint(problem: Problem) -> Problem:
    """The problem that maps an output gradient, used as taps on the same signal, to the taps' gradient.

    dilation and down swap: gw[k] = Σ_n conj(gy[n])·x̃[n·down + k·dilation − pad].
    """
    return replace(
        problem,
        taps=problem.outputs,
        outputs=problem.taps,
        down=problem.dilation,
        dilation=problem.down,
        taps_dtype=problem.dtype,
    )


def size(lengths: Ints) -> int:
    """Number of elements of an array of these lengths."""
    return prod(lengths)
