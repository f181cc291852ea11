"""What an FFT may vouch for: the guard of the Fourier kernel, and the footprints of samples that are not finite.

An FFT spreads its rounding errors evenly over a block, a direct sum does not: next to a loud sample a quiet one drowns.
With u the unit roundoff, N the points of a block and x its samples over all channels, every output of the kernel obeys

    |ŷ − y|[n] ≤ c · u · log₂N · ‖x‖₂ · ‖h‖₂                                                                   (1)

so the promise |ŷ − y|[n] ≤ τ · ‖h‖₂ · S[n], S[n] = ‖x on the footprint of output n‖₂, holds wherever

    S[n] ≥ (c · u · log₂N / τ) · ‖x‖₂.                                                                         (2)

(1) follows from the normwise bound of the transforms. Cauchy and Schwarz carry it to each sample: with relative errors
δX, δH of the two spectra, |Σ δX·H + X·δH| / N ≤ (‖δX‖₂·‖H‖₂ + ‖X‖₂·‖δH‖₂) / N, and ‖X‖₂ = √N·‖x‖₂. The inverse adds
γ · Σ|X·H| / N ≤ γ · ‖x‖₂·‖h‖₂. Butterflies of radix 2, 3, 4, 5 cost at most 7.5·u for each unit of log₂N (Higham 2002,
theorem 24.2; Brisebarre et al. 2020 for the twiddles), hence c = 23 proven. `MARGIN` says which c is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray
from scipy import fft

from .compiled import compiled, const, mutable

PROVEN = 23.0  # c of equation (1) by proof, for any data
MARGIN = {"float32": 4.0, "float64": PROVEN}  # c used; single precision: eight times the worst that a search found
RANGE = 20.0  # log2 of C(x)·C(h) up to which an FFT is trusted, C(v) = max|v| / geometric mean of |v| ≠ 0
SAFE = {"float32": (-30, 30), "float64": (-300, 300)}  # exponents of the largest sample that need no scaling
SUBNORMAL = 1.25  # a logarithm read from the bits errs by less than this factor, subnormal samples included


# --- one pass over all samples ----------------------------------------------------------------------------------------


def _scan_types(t: types.Type) -> tuple[types.Type, ...]:
    bits = types.int32 if t == types.float32 else types.int64
    index, count = const(types.int64), types.int64
    results = mutable(t, 3), mutable(bits), mutable(types.int64, 2)
    return (const(t), const(bits), index, index, index, count, count, *results)


@compiled(_scan_types, ("float32", "float64"), reassociate=True)
def _scan(
    x: Any, bits: Any, starts: Any, rows: Any, first: Any, length: Any, m: Any, energy: Any, peak: Any, logs: Any
) -> None:
    """Energies of sub-blocks, the largest magnitude, the sum of logarithms and the number of samples ≠ 0, per block.

    Block b is the rows x[starts[b] + rows[r] : … + length]. Rows first[g] … first[g+1] − 1 form one group; its
    sub-blocks are m columns wide. Magnitudes are read as integers: the bits of a float are a piecewise linear log2 of
    it, never too large for a normal number, and their order is that of the magnitudes, with Inf and NaN on top.
    """
    whole, one = bits.dtype.type, x.dtype.type
    mask = whole(2147483647 if x.itemsize == 4 else 9223372036854775807)
    shift = whole(16 if x.itemsize == 4 else 32)
    width = m * max(1, 4096 // m)
    column = np.empty(min(width, length), x.dtype)
    for b in range(starts.size):
        top, total, many = whole(0), 0, 0
        for g in range(first.size - 1):
            for left in range(0, length, width):
                n = min(width, length - left)
                into = column[:n]
                for r in range(first[g], first[g + 1]):
                    at = starts[b] + rows[r] + left
                    values, words = x[at : at + n], bits[at : at + n]
                    log, count = whole(0), whole(0)
                    fresh = r == first[g]
                    for t in range(n):
                        v = values[t]
                        a = whole(words[t] & mask)
                        into[t] = v * v if fresh else into[t] + v * v
                        log = whole(log + whole(a >> shift))
                        count = whole(count + whole(a != 0))
                        top = whole(max(top, a))
                    total += log
                    many += count
                for j in range(0, n, m):
                    part = into[j : min(j + m, n)]
                    e = one(0)
                    for t in range(part.size):
                        e += part[t]
                    energy[b, g, (left + j) // m] = e
        peak[b] = top
        logs[b, 0] = total
        logs[b, 1] = many


@dataclass(frozen=True, slots=True)
class Survey:
    """What one pass over a batch of blocks found, flat over the batch.

    `energy` ‖x‖₂² of each block, `low` ≤ S[n]² for every output, `peak` the largest magnitude (Inf if any sample is not
    finite), `spread` ≥ log2 C(x) up to the factor `SUBNORMAL`.
    """

    energy: NDArray[np.float64]
    low: NDArray[np.float64]
    peak: NDArray[np.floating]
    spread: NDArray[np.float64]


def survey(blocks: NDArray[Any], taps: tuple[int, ...], wanted: tuple[int, ...]) -> Survey:
    """Measure blocks (..., I, *N) of floats or complex numbers for taps of the given lengths and `wanted` outputs."""
    dims = len(taps)
    parts = 2 if blocks.dtype.kind == "c" else 1
    flat, strides = _flatten(blocks)
    real = flat.view(flat.real.dtype)
    bits = real.view(f"i{real.itemsize}")
    starts = _offsets(blocks.shape[: -dims - 1], strides[: -dims - 1]) * parts
    sizes = _sub_blocks(taps, parts)
    rows, first = _groups(blocks.shape[-dims - 1 : -1], strides[-dims - 1 : -1], sizes[:-1])
    length, m = blocks.shape[-1] * parts, sizes[-1]
    count, columns = starts.size, -(-length // m)
    energy = np.empty((count, first.size - 1, columns), real.dtype)
    peak, logs = np.empty(count, bits.dtype), np.empty((count, 2), np.int64)
    _scan(real, bits, starts, rows * parts, first, length, m, energy, peak, logs)
    grid = tuple(-(-n // s) for n, s in zip(blocks.shape[-dims:-1], sizes[:-1], strict=True)) + (columns,)
    energy = energy.reshape(count, *grid)
    top = peak.view(real.dtype)
    return Survey(
        energy.sum(axis=tuple(range(1, dims + 1)), dtype=np.float64),
        _lower_bound(energy, taps[:-1] + (taps[-1] * parts,), wanted[:-1] + (parts * (wanted[-1] - 1) + 1,), sizes),
        np.where(np.isnan(top), np.inf, top),
        _spread(top, logs),
    )


def _sub_blocks(taps: tuple[int, ...], parts: int) -> tuple[int, ...]:
    """Lengths of sub-blocks of which at least one lies whole in every run of K samples, wherever the run starts."""
    *outer, last = taps
    last *= parts
    wide = 8 * max(2, last // 32)
    inner = min(wide, 4096) if last >= 31 else (last + 1) // 2
    return (*(max(1, -(-k // 4)) for k in outer), inner)


def _lower_bound(
    energy: NDArray[Any], taps: tuple[int, ...], wanted: tuple[int, ...], sizes: tuple[int, ...]
) -> NDArray[np.float64]:
    """Smallest energy of the whole sub-blocks inside the footprint of any wanted output."""
    e = energy.astype(np.float64)
    for axis, (k, n, m) in enumerate(zip(taps, wanted, sizes, strict=True), start=1):
        inside = (k + 1) // m - 1  # whole sub-blocks in k samples at the worst alignment
        last = -(-(n - 1) // m)  # first sub-block of the last output
        e = np.moveaxis(e, axis, 0)
        e = np.moveaxis(sum(e[i : i + last + 1] for i in range(inside)), 0, axis)
    return e.min(axis=tuple(range(1, e.ndim)))


def _spread(top: NDArray[Any], logs: NDArray[np.int64]) -> NDArray[np.float64]:
    """Log2 of the largest magnitude over the geometric mean of those ≠ 0."""
    steps, bias = (128.0, 127.0) if top.itemsize == 4 else (2.0**20, 1023.0)
    mean = logs[:, 0] / np.maximum(logs[:, 1], 1) / steps - bias
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(logs[:, 1] > 0, np.log2(top.astype(np.float64)) - mean, 0.0)


def _flatten(blocks: NDArray[Any]) -> tuple[NDArray[Any], tuple[int, ...]]:
    """Return the memory that a view spans as one read-only line, and its strides in elements."""
    size = blocks.itemsize
    if blocks.strides[-1] != size or min(blocks.strides) < 0 or any(s % size for s in blocks.strides):
        blocks = np.ascontiguousarray(blocks)
    span = 1 + sum((n - 1) * s // size for n, s in zip(blocks.shape, blocks.strides, strict=True))
    line = np.lib.stride_tricks.as_strided(blocks, (span,), (size,), writeable=False)
    return line, tuple(s // size for s in blocks.strides)


@lru_cache(maxsize=64)
def _offsets(shape: tuple[int, ...], strides: tuple[int, ...]) -> NDArray[np.int64]:
    total = np.zeros((), np.int64)
    for n, s in zip(shape, strides, strict=True):
        total = np.add.outer(total, np.arange(n, dtype=np.int64) * s)
    return np.ascontiguousarray(total.ravel())


@lru_cache(maxsize=64)
def _groups(
    shape: tuple[int, ...], strides: tuple[int, ...], sizes: tuple[int, ...]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Offsets of all rows of a block ordered by the sub-block they belong to, and where each sub-block's rows begin."""
    group = np.zeros(shape[:1], np.int64)
    for n, m in zip(shape[1:], sizes, strict=True):
        group = group[..., None] * -(-n // m) + np.arange(n) // m
    order = np.argsort(group.ravel(), kind="stable")
    counts = np.bincount(group.ravel())
    return _offsets(shape, strides)[order], np.concatenate(([0], np.cumsum(counts))).astype(np.int64)


# --- exact answers, for the blocks that need them ---------------------------------------------------------------------


def spread(values: NDArray[Any]) -> float:
    """Log2 of C(v) = max|v| / geometric mean of |v| ≠ 0, over real and imaginary parts; 0 if all are 0."""
    v = np.ascontiguousarray(values)
    v = np.abs(v.view(v.real.dtype)).ravel()
    v = v[v > 0].astype(np.longdouble)
    return float(np.log2(v.max()) - np.log2(v).mean()) if v.size else 0.0


def footprint_energy(
    x: NDArray[Any], support: NDArray[np.bool_], wanted: tuple[int, ...]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Lower bound of S[n]², and where all samples of the footprint are 0.

    Shapes: x (I, *N), support (O or 1, I or 1, *K), results (O or 1, *L).
    """
    power = np.square(x.real, dtype=np.float64)
    if x.dtype.kind == "c":
        power += np.square(x.imag, dtype=np.float64)
    parts = (x.real != 0) | (x.imag != 0)
    axes = tuple(range(-power.ndim + 1, 0))
    points = np.log2(power[0].size) + 1
    slack = PROVEN * 2.0**-53 * points * np.sqrt(np.square(power).sum() * support[0].size * len(x))
    energy = _circular(power, support, axes)
    count = _circular(parts, support, axes)
    keep = (..., *(slice(n) for n in wanted))
    return np.maximum(energy[keep] - slack, 0.0), np.rint(count[keep]) == 0


def _circular(x: NDArray[Any], taps: NDArray[Any], axes: tuple[int, ...]) -> NDArray[np.float64]:
    """Correlation of (I, *N) with (O, I, *K) in double precision, wrapped around."""
    lengths = tuple(x.shape[a] for a in axes)
    signal = fft.rfftn(x.astype(np.float64), axes=axes)
    weights = np.conj(fft.rfftn(taps.astype(np.float64), lengths, axes=axes))
    return fft.irfftn((signal * weights).sum(axis=1), lengths, axes=axes)


# --- samples that are not finite --------------------------------------------------------------------------------------


def overlay(x: NDArray[Any], weights: NDArray[Any], support: NDArray[np.bool_] | None, out: NDArray[Any]) -> None:
    """Write NaN and ±Inf into `out` exactly where the direct sum over non-finite samples gives them.

    A NaN under any stored tap gives NaN, an Inf under a tap of 0 or against an Inf of the other sign too, any other Inf
    keeps its sign times that of the tap. Complex outputs become NaN.

    Parameters
    ----------
    x
        Block (I, *N), real or complex.
    weights
        Finite taps (O, I, *K).
    support
        Which of them are stored (same shape), None for all. A stored 0 is a term of the sum, a hole is not.
    out
        Outputs (O, *L) of the finite samples, changed in place; L ≤ N − K + 1.
    """
    stored = np.ones(weights.shape, bool) if support is None else support
    if out.dtype.kind == "c":
        out[_count(out.shape, [(~np.isfinite(x), stored)]) > 0] = complex(np.nan, np.nan)
        return
    up, down = np.isposinf(x), np.isneginf(x)
    rising, falling, still = stored & (weights > 0), stored & (weights < 0), stored & (weights == 0)
    plus = _count(out.shape, [(up, rising), (down, falling)]) > 0
    minus = _count(out.shape, [(up, falling), (down, rising)]) > 0
    bad = _count(out.shape, [(np.isnan(x), stored), (up | down, still)]) > 0
    out[plus] = np.inf
    out[minus] = -np.inf
    out[bad | (plus & minus)] = np.nan


def _count(shape: tuple[int, ...], pairs: list[tuple[NDArray[np.bool_], NDArray[np.bool_]]]) -> NDArray[np.float64]:
    """Σ over pairs of the valid correlation of marks (I, *N) with marks (O, I, *K), exactly."""
    total = np.zeros(shape)
    for samples, taps in pairs:
        marked = np.argwhere(samples)
        if not len(marked) or not taps.any():
            continue
        if len(marked) * taps.size <= 16 * samples.size * max(1, len(taps)):
            _scatter(total, marked, taps)
        else:
            axes = tuple(range(-samples.ndim + 1, 0))
            total += np.rint(_circular(samples, taps, axes)[(..., *(slice(n) for n in shape[1:]))])
    return total


def _scatter(total: NDArray[np.float64], marked: NDArray[np.int64], taps: NDArray[np.bool_]) -> None:
    lengths = taps.shape[2:]
    mirrored = np.flip(taps, axis=tuple(range(2, taps.ndim)))
    for channel, *place in marked:
        into, of = [], []
        for p, k, n in zip(place, lengths, total.shape[1:], strict=True):
            lo, hi = max(0, p - k + 1), min(n, p + 1)
            into.append(slice(lo, max(lo, hi)))
            of.append(slice(lo - (p - k + 1), max(lo, hi) - (p - k + 1)))
        total[(slice(None), *into)] += mirrored[(slice(None), channel, *of)]
