"""Outputs that the guard of the Fourier kernel does not vouch for, computed again.

A float32 block with many of them in float64; single outputs by the direct sum in doubles; integers by the direct sum.
What is done with a block depends on that block alone, however blocks were batched.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from firconv.spectra import FourierTaps

#: Up to this many products, single outputs are summed directly at once rather than their block in double precision.
FEW = 1 << 22

#: Outputs of a line that are summed at once.
RUN = 256


def in_double(taps: FourierTaps, blocks: np.ndarray, out: np.ndarray, unsure: np.ndarray) -> np.ndarray:
    """The blocks with many unsure outputs once more in double precision; returns what is still unsure."""
    from firconv.kernels import fourier

    double = np.dtype(np.float64 if taps.work == np.float32 else np.complex128)
    lead = out.ndim - len(taps.axes) - 1
    left = unsure.copy()
    work = unsure.sum(axis=tuple(range(lead, out.ndim))) * taps.dense().weights[0].size
    for place in np.argwhere(work > FEW):  # block by block, however they were batched
        at = tuple(place)
        again = np.empty(out[at].shape, double)
        still = fourier.correlate(taps.spectrum(double), blocks[at].astype(double), again, tau=taps.tau)
        with np.errstate(over="ignore", under="ignore"):
            np.copyto(out[at], again, where=unsure[at], casting="same_kind")
        left[at] = False if still is None else unsure[at] & still
    return left


def directly(taps: FourierTaps, blocks: np.ndarray, out: np.ndarray, unsure: np.ndarray) -> None:
    """Single outputs by the direct sum in double precision."""
    from firconv.kernels import direct

    taps_ = taps.dense()
    lead = out.ndim - len(taps.axes) - 1
    for place in np.argwhere(unsure.any(axis=tuple(range(lead + 1, out.ndim)))):
        at, o = tuple(place[:-1]), place[-1]
        block = np.ascontiguousarray(blocks[at])
        stored = np.ones(taps_.weights.shape[1:], bool) if taps_.support is None else taps_.support[o]
        where = np.flatnonzero(unsure[(*at, o)])
        if stored.all() and block.shape[:-1] == (1,):
            lo, hi = _present(block[0])
            if 2 * _met(lo, hi, stored.size, where) < stored.size * where.size:  # most products are with zeros outside
                line(block[0, lo:hi], taps_.weights[o, 0], -lo, out[(*at, o)], where)
                continue
        index = np.unravel_index(where, out.shape[lead + 1 :])
        start = np.ravel_multi_index(index, block.shape[1:]).astype(np.int64)
        offsets = np.ravel_multi_index(np.nonzero(stored), block.shape).astype(np.int64)
        values = _dot(direct.points, block.ravel(), start, taps_.weights[o][stored], offsets)
        with np.errstate(over="ignore", under="ignore"):
            out[(*at, o, *index)] = values


def _present(x: np.ndarray) -> tuple[int, int]:
    """From where to where there are samples other than zero."""
    there = x != 0
    lo = int(there.argmax())
    return (lo, x.size - int(there[::-1].argmax())) if there[lo] else (0, 0)


def _met(lo: int, hi: int, taps: int, at: np.ndarray) -> int:
    """Products of the taps that begin at these positions with samples lo … hi − 1."""
    return int(np.maximum(0, np.minimum(hi, at + taps) - np.maximum(lo, at)).sum())


def _dot(points: Any, x: np.ndarray, start: np.ndarray, weights: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    def real(part: np.ndarray, w: np.ndarray) -> np.ndarray:
        y = np.empty(start.size)
        points(np.ascontiguousarray(part), start, np.ascontiguousarray(w, np.float64), offsets, y)
        return y

    if x.dtype.kind != "c":
        return real(x, weights)
    y = real(x.real, weights.real) + 1j * real(x.imag, weights.real)
    if weights.dtype.kind == "c":
        y += 1j * real(x.real, weights.imag) - real(x.imag, weights.imag)
    return y


def integers(taps: FourierTaps, blocks: np.ndarray, out: np.ndarray, unsure: np.ndarray) -> None:
    """The blocks whose rounding is not proven, by the direct sum of integers."""
    from firconv.kernels import direct

    found = taps.dense()
    lead = out.ndim - len(taps.axes) - 1
    unsure = np.broadcast_to(unsure, (*out.shape[: lead + 1], *unsure.shape[lead + 1 :]))
    for place in np.argwhere(unsure.any(axis=tuple(range(lead + 1, unsure.ndim)))):
        at, o = tuple(place[:-1]), place[-1]
        block = np.ascontiguousarray(blocks[at]).astype(np.int64)
        stored = np.ones(found.weights.shape[1:], bool) if found.support is None else found.support[o]
        offsets = np.ravel_multi_index(np.nonzero(stored), block.shape).astype(np.int64)
        y: np.ndarray = np.empty(out.shape[lead + 1 :], np.int64)
        index = np.indices(y.shape[:-1]).reshape(y.ndim - 1, y.size // y.shape[-1])
        rows = (
            np.ravel_multi_index((*index, np.zeros(index.shape[1], np.int64)), block.shape[1:]).astype(np.int64)
            if index.size
            else np.zeros(1, np.int64)
        )
        to = np.arange(rows.size, dtype=np.int64) * y.shape[-1]
        first, last = np.zeros(rows.size, np.int64), np.full(rows.size, offsets.size, np.int64)
        direct.rows(
            block.ravel(),
            y.ravel(),
            rows,
            to,
            y.shape[-1],
            found.weights[o][stored].astype(np.int64),
            offsets,
            first,
            last,
        )
        out[(*at, o)] = y


def products(samples: int, taps: int, start: int, doubt: np.ndarray) -> int:
    """Products in the direct sums of the marked outputs of a line, over the samples that exist."""
    return _met(0, samples, taps, start + np.flatnonzero(doubt))


def line(x: np.ndarray, w: np.ndarray, start: int, out: np.ndarray, where: np.ndarray) -> None:
    """Single outputs of a line by the direct sum in double precision, over the samples that exist."""
    wide = np.result_type(out.dtype, np.float64)
    for run in np.split(where, np.flatnonzero(np.diff(where) != 1) + 1):
        for first in range(int(run[0]), int(run[-1]) + 1, RUN):
            last = min(first + RUN, int(run[-1]) + 1)
            with np.errstate(over="ignore", under="ignore"):
                out[first:last] = _run(x, w, start, first, last, wide)


def _run(x: np.ndarray, w: np.ndarray, start: int, first: int, last: int, wide: np.dtype) -> np.ndarray:
    """Outputs first … last − 1 of a line, from the taps that meet samples for any of them."""
    lo, hi = max(0, start + first), min(x.size, start + last - 1 + w.size)
    k_lo, k_hi = max(0, lo - start - last + 1), min(w.size, hi - start - first)
    if lo >= hi or k_lo >= k_hi:
        return np.zeros(last - first, wide)
    segment = np.zeros(last - first + k_hi - k_lo - 1, wide)
    at = start + first + k_lo
    begin, end = max(0, at), min(x.size, at + segment.size)
    segment[begin - at : end - at] = x[begin:end]
    return np.correlate(segment, np.conj(w[k_lo:k_hi]).astype(wide), "valid")
