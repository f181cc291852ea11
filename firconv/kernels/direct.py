"""The defining sum on blocks: valid correlation by tables of offsets, for tiny calls, for single outputs.

In ``rows``, ``line`` and the kernels of ``images`` every output is the chain

    acc = 0;  acc = fma(w[0], x[0], acc);  acc = fma(w[1], x[1], acc);  …        taps in the order of their table

one rounding per tap, whichever loop, width or neighbour computed it. So the bits of an output do not depend on how
the work was cut into rows, blocks and threads, a NaN or infinity stays among the outputs whose taps touch it, and
|ŷ − y| ≤ γ_K · (|w| * |x|). Integers wrap. No index is checked: the tables are the caller's word.

What bounds the speed is not arithmetic but loads: two per cycle, and one that straddles a cache line counts twice.
So sums stay in registers over all taps, and a vector of samples, once loaded, serves two of them, a and b. Two outputs
meet the same samples at different taps, so a runs ahead of b by the lag between these taps, and each still adds its
own taps in order: neighbouring vectors of one row (``rows``, the lag is the taps that fill a vector) or two rows of an
image (``images``, the lag is one row of taps).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import float64, int64

from firconv.kernels.compiled import compiled, const, mutable
from firconv.kernels.lanes import fma, fma2, item, lanes, load, spread, store, store_part, width

INDEX = const(int64)
LAGS = 2  # a run of so many lags is worth the taps that each of the two sums adds alone


# --- a pair of sums -------------------------------------------------------------------------------------------------


@compiled()
def pair(
    x: Any, p: int, q: int, weights: Any, offsets: Any, first: int, last: int, lag: int, a: Any, b: Any
) -> Any:
    """Add taps first … last − 1 to the outputs a, that read at p, and b, that read at q.

    0 < lag says that offsets[c + lag] − offsets[c] = q − p for all these taps while c + lag < last; 0 says nothing.
    """
    if lag == 0 or lag > last - first:
        for c in range(first, last):
            w, o = item(weights, c), item(offsets, c)
            a = fma(w, load(x, p + o, a), a)
            b = fma(w, load(x, q + o, b), b)
        return a, b
    for c in range(first, first + lag):
        a = fma(item(weights, c), load(x, p + item(offsets, c), a), a)
    for c in range(first + lag, last):
        a, b = fma2(x, p + item(offsets, c), item(weights, c), a, item(weights, c - lag), b)
    for c in range(last - lag, last):
        b = fma(item(weights, c), load(x, q + item(offsets, c), b), b)
    return a, b


@compiled()
def sample(x: Any, p: int, weights: Any, offsets: Any, first: int, last: int, acc: Any) -> Any:
    """Add taps first … last − 1 to one output."""
    for c in range(first, last):
        acc = fma(item(weights, c), item(x, p + item(offsets, c)), acc)
    return acc


@compiled()
def furthest(offsets: Any) -> int:
    """The largest offset, and 0 of none."""
    far = 0
    for c in range(len(offsets)):
        far = max(far, offsets[c])
    return far


# --- rows -----------------------------------------------------------------------------------------------------------


@compiled()
def segments(offsets: Any, one: int) -> Any:
    """Cut a table where its spacing changes: for each tap the end of its segment, and the lag there, or 0.

    A segment is a run of offsets 1, 2 or 4 apart that is long enough to have a lag, or all that lies between such runs.
    """
    count = len(offsets)
    ends, lags = np.empty(count, np.int64), np.empty(count, np.int64)
    c = 0
    plain = 0  # where the current segment without lag begins
    while c < count:
        end = min(c + 2, count)
        step = offsets[end - 1] - offsets[c]
        while end < count and offsets[end] - offsets[end - 1] == step:
            end += 1
        lag = one // step if step == 1 or step == 2 or step == 4 else 0
        if lag > 0 and end - c >= LAGS * lag:
            for k in range(plain, c):
                ends[k], lags[k] = c, 0
            for k in range(c, end):
                ends[k], lags[k] = end, lag
            plain = c = end
        else:
            c = max(c + 1, end - 1)  # the last tap of this run may begin the next one
    for k in range(plain, count):
        ends[k], lags[k] = count, 0
    return ends, lags


@compiled()
def _strip(
    x: Any, out: Any, at: int, to: int, begin: int, n: int, shift: int,
    weights: Any, offsets: Any, ends: Any, lags: Any, scale: int, first: int, last: int, zero: Any,
) -> None:  # fmt: skip
    """Outputs begin … n − 1 of a row by blocks of two sums `shift` apart; the last block ends with the row.

    scale is the vectors in `shift`, 0 if these do not count.
    """
    size = 2 * width(zero)
    for start in range(begin, n, size):
        j = max(0, min(start, n - size))
        p = at + j
        a = b = zero
        c = first
        while c < last:
            end = min(item(ends, c), last)
            a, b = pair(x, p, p + shift, weights, offsets, c, end, scale * item(lags, c), a, b)
            c = end
        store(out, to + j, a)
        store(out, to + j + shift, b)


@compiled()
def _short(
    x: Any, out: Any, at: int, to: int, n: int, weights: Any, offsets: Any, first: int, last: int, zero: Any
) -> None:
    """A row shorter than `zero`: reads and computes on beyond its end, and keeps n outputs."""
    acc = zero
    for c in range(first, last):
        acc = fma(item(weights, c), load(x, at + item(offsets, c), zero), acc)
    store_part(out, to, acc, n)


@compiled()
def row(
    x: Any, out: Any, at: int, to: int, n: int,
    weights: Any, offsets: Any, ends: Any, lags: Any, reach: int, a: int, b: int,
) -> None:  # fmt: skip
    """One row: out[to + j] = Σ_c weights[c] · x[at + offsets[c] + j] for c from a to b − 1, j from 0 to n − 1.

    ends, lags, reach : of `segments` and `furthest`. A rest that fills no whole block is computed by a block that ends
    with the row: it writes some outputs a second time, with the same bits.
    """
    one, zero = lanes(x), weights.dtype.type(0)
    wide, narrow = spread(zero, 6, 2), spread(zero, 2, 1)
    done = 0
    if n >= 12 * one:
        done = n if n % (12 * one) > 4 * one else n - n % (12 * one)
        _strip(x, out, at, to, 0, done, one, weights, offsets, ends, lags, 1, a, b, wide)
    if n >= 2 * one:
        near = n >= 4 * one  # otherwise the two sums overlap
        shift = 2 * one if near else n - 2 * one
        _strip(x, out, at, to, done, n, shift, weights, offsets, ends, lags, 2 if near else 0, a, b, narrow)
    elif at + reach + 2 * one <= len(x):
        _short(x, out, at, to, n, weights, offsets, a, b, narrow)
    else:
        for j in range(n):
            out[to + j] = sample(x, at + j, weights, offsets, a, b, zero)


@compiled(lambda t: (const(t), mutable(t), INDEX, INDEX, int64, const(t), INDEX, INDEX, INDEX))
def rows(
    x: Any, out: Any, x_row: Any, out_row: Any, n: int, weights: Any, offsets: Any, first: Any, last: Any
) -> None:
    """Rows of outputs by a table: out[out_row[r] + j] = Σ_c weights[c] · x[x_row[r] + offsets[c] + j].

    x, out are flat memory; x_row, out_row, first, last have one entry per row, and c runs over first[r] … last[r] − 1
    (none gives zeros); j runs over 0 … n − 1. Two rows of outputs must not overlap.
    """
    ends, lags = segments(offsets, lanes(x))
    reach = furthest(offsets)
    for r in range(len(x_row)):
        row(x, out, x_row[r], out_row[r], n, weights, offsets, ends, lags, reach, first[r], last[r])


# --- a small signal -------------------------------------------------------------------------------------------------


@compiled(lambda t: (const(t), const(t), mutable(t), int64))
def line(x: Any, weights: Any, out: Any, pad: int) -> None:
    """A whole small signal with zeros beyond its ends: out[j] = Σ_k weights[k] · x[j + k − pad].

    Absent terms are skipped, not added as zeros.
    """
    taps, zero = len(weights), spread(weights.dtype.type(0), 2, 1)
    size = width(zero)
    inside = max(0, pad)  # the outputs whose taps all meet samples, as far as they fill vectors
    stop = min(len(out), len(x) + pad - taps + 1)
    last = stop - size
    for start in range(inside, stop if last >= inside else inside, size):
        j = min(start, last)
        acc = zero
        for k in range(taps):
            acc = fma(item(weights, k), load(x, j + k - pad, zero), acc)
        store(out, j, acc)
    begin = stop if last >= inside else inside
    for j in range(len(out)):
        if j < inside or j >= begin:
            s = weights.dtype.type(0)
            for k in range(max(0, pad - j), min(taps, len(x) + pad - j)):
                s = fma(item(weights, k), item(x, j + k - pad), s)
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
