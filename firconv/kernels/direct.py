"""The defining sum on blocks: valid correlation by tables of offsets, for images, for tiny calls, for single outputs.

In ``rows``, ``grid`` and ``line`` every output is the chain

    acc = 0;  acc = fma(w[0], x[0], acc);  acc = fma(w[1], x[1], acc);  …        taps in the order of their table

one rounding per tap, whichever loop, width or neighbour computed it. So the bits of an output do not depend on how
the work was cut into rows, blocks and threads, a NaN or infinity stays among the outputs whose taps touch it, and
|ŷ − y| ≤ γ_K · (|w| * |x|). Integers wrap. No index is checked: the tables are the caller's word.
"""

from __future__ import annotations

from typing import Any

from numba import boolean, float64, int64

from firconv.kernels.compiled import compiled, const, mutable
from firconv.kernels.lanes import fma, lanes, load, spread, store

INDEX = const(int64)


@compiled()
def _row(x: Any, out: Any, at: int, to: int, n: int, weights: Any, offsets: Any, first: int, last: int) -> None:
    """One row of outputs: eight machine vectors at a time, then one, then samples."""
    zero = weights.dtype.type(0)
    one = lanes(x)
    j = 0
    while j + 8 * one <= n:
        acc = spread(zero, 8)
        for c in range(first, last):
            acc = fma(weights[c], load(x, at + offsets[c] + j, 8), acc)
        store(out, to + j, acc)
        j += 8 * one
    while j + one <= n:
        short = spread(zero, 1)
        for c in range(first, last):
            short = fma(weights[c], load(x, at + offsets[c] + j, 1), short)
        store(out, to + j, short)
        j += one
    while j < n:
        s = zero
        for c in range(first, last):
            s = fma(weights[c], x[at + offsets[c] + j], s)
        out[to + j] = s
        j += 1


@compiled(lambda t: (const(t), mutable(t), INDEX, INDEX, int64, const(t), INDEX, INDEX, INDEX))
def rows(
    x: Any, out: Any, x_row: Any, out_row: Any, n: int, weights: Any, offsets: Any, first: Any, last: Any
) -> None:
    """Rows of outputs by a table: out[out_row[r] + j] = Σ_c weights[c] · x[x_row[r] + offsets[c] + j].

    x, out are flat memory; x_row, out_row, first, last have one entry per row, and c runs over first[r] … last[r] − 1
    (none gives zeros); j runs over 0 … n − 1.
    """
    for r in range(len(x_row)):
        _row(x, out, x_row[r], out_row[r], n, weights, offsets, first[r], last[r])


@compiled(
    lambda t: (const(t), mutable(t), int64, int64, int64, int64, int64, const(t, 2), int64, int64, boolean),
)
def grid(
    x: Any,
    out: Any,
    x_row: int,
    out_row: int,
    count: int,
    out_pitch: int,
    n: int,
    weights: Any,
    pitch: int,
    step: int,
    accumulate: bool,
) -> None:
    """An image: out[out_row + r·out_pitch + j] = Σ_ky Σ_kx weights[ky, kx] · x[x_row + (r + ky)·pitch + kx·step + j].

    r runs over 0 … count − 1 and j over 0 … n − 1; step is 1 for grey images, the number of channels for interleaved
    ones. With `accumulate` the sum goes on from what `out` holds.
    """
    zero = weights.dtype.type(0)
    one = lanes(x)
    for r in range(count):
        at, to = x_row + r * pitch, out_row + r * out_pitch
        j = 0
        while j + 4 * one <= n:
            acc = load(out, to + j, 4) if accumulate else spread(zero, 4)
            for ky in range(weights.shape[0]):
                for kx in range(weights.shape[1]):
                    acc = fma(weights[ky, kx], load(x, at + ky * pitch + kx * step + j, 4), acc)
            store(out, to + j, acc)
            j += 4 * one
        while j < n:
            s = out[to + j] if accumulate else zero
            for ky in range(weights.shape[0]):
                for kx in range(weights.shape[1]):
                    s = fma(weights[ky, kx], x[at + ky * pitch + kx * step + j], s)
            out[to + j] = s
            j += 1


@compiled(lambda t: (const(t), const(t), mutable(t), int64))
def line(x: Any, weights: Any, out: Any, pad: int) -> None:
    """A whole small signal with zeros beyond its ends: out[j] = Σ_k weights[k] · x[j + k − pad], absent terms skipped."""
    for j in range(len(out)):
        s = weights.dtype.type(0)
        for k in range(max(0, pad - j), min(len(weights), len(x) + pad - j)):
            s = fma(weights[k], x[j + k - pad], s)
        out[j] = s


@compiled(
    lambda t: (const(t), INDEX, const(float64), INDEX, mutable(float64)), ("float32", "float64"), reassociate=True
)
def points(x: Any, start: Any, weights: Any, offsets: Any, out: Any) -> None:
    """Single outputs in float64: out[i] = Σ_c weights[c] · x[start[i] + offsets[c]], in any order of summation."""
    for i in range(len(start)):
        s = 0.0
        for c in range(len(weights)):
            s += weights[c] * x[start[i] + offsets[c]]
        out[i] = s
