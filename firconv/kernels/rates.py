"""Decimated, interpolated and resampled rows: neighbouring outputs side by side, each lane with taps of its own.

    out[n·e + c] = Σ_k w_r[k] · x[(q·D + p_r + k)·e + c]         n = q·U + r,   0 ≤ r < U,   0 ≤ c < e

A sample is e numbers. Output r of a period has its own taps w_r and begins p_r samples behind the first of its period.
Lane l of a vector of outputs meets the sample s places behind its own first one when the whole vector has moved on by
s + (something of l): a vector that slides over x meets, lane by lane, the taps of each lane in their order. Nothing is
copied and no sum runs across lanes. At both ends of the slide some lanes have no tap: there, sums are kept as they are.

So an output is the same chain of operations as in `kernels.direct`. Eight periods share every vector of taps.
"""

from __future__ import annotations

from typing import Any

from numba import int64

from firconv.kernels.bunches import bunch, chosen, meet, rows, stores, take
from firconv.kernels.compiled import compiled, const, mutable
from firconv.kernels.lanes import fma, item, lanes, load, prefetch, put, spread

INDEX = const(int64)
FIELDS = 6  # numbers that describe a vector of outputs


@compiled()
def _slide(
    x: Any, at: Any, i: int, step: int, weights: Any, marks: Any, w: int, head: int, tail: int, last: int, sums: Any
) -> Any:
    """Add the taps of one vector of outputs in every row; only steps head … tail − 1 have taps for all lanes."""
    size, zero = lanes(x), spread(x.dtype.type(0), 1, 1)
    for s in range(head):
        v, m = load(weights, w + s * size, zero), load(marks, w + s * size, zero)
        sums = chosen(m, meet(x, at, i + s * step, v, sums), sums)
    for s in range(head, tail):
        sums = meet(x, at, i + s * step, load(weights, w + s * size, zero), sums)
    for s in range(tail, last):
        v, m = load(weights, w + s * size, zero), load(marks, w + s * size, zero)
        sums = chosen(m, meet(x, at, i + s * step, v, sums), sums)
    return sums


@compiled()
def _periods(
    x: Any, out: Any, at: int, to: int, begin: int, end: int, far: int, wide: int, step: int, weights: Any, marks: Any,
    vectors: Any,
) -> None:  # fmt: skip
    """Periods begin … end − 1 of a row, `far` numbers of x and `wide` of out apart, eight at a time."""
    zero, line = spread(x.dtype.type(0), 1, 1), 2 * lanes(x)
    groups = vectors.size // FIELDS
    share, part = (8 * far + groups - 1) // groups, (8 * wide + groups - 1) // groups
    if groups == 1:  # neighbouring periods are read at once, and caches see that
        share = part = 0
    for q in range(begin, end, 8):
        here, there = rows(q, end - 1, far, 8), rows(q, end - 1, wide, 8)
        then, later = at + (q + 8) * far, to + (q + 8) * wide
        for g in range(0, vectors.size, FIELDS):
            for i in range(0, share, line):
                prefetch(x, then + i)
            for i in range(0, part, line):
                prefetch(out, later + i)
            then += share
            later += part
            first, place, w = item(vectors, g), item(vectors, g + 1), item(vectors, g + 2)
            head, tail, last = item(vectors, g + 3), item(vectors, g + 4), item(vectors, g + 5)
            sums = _slide(x, here, at + first, step, weights, marks, w, head, tail, last, bunch(zero, 8))
            stores(out, there, to + place, sums)


@compiled()
def _single(x: Any, out: Any, at: int, to: int, n: int, step: int, taps: Any, singles: Any) -> None:
    """The first n outputs of one period, one by one."""
    for j in range(n):
        first, w, count = item(singles, 3 * j), item(singles, 3 * j + 1), item(singles, 3 * j + 2)
        acc = taps.dtype.type(0)
        for k in range(count):
            acc = fma(item(taps, w + k), item(x, at + first + k * step), acc)
        put(out, to + j, acc)


@compiled(
    lambda t: (
        const(t), mutable(t), INDEX, INDEX, const(t), const(t), INDEX, const(t), INDEX, INDEX, mutable(int64)
    ),
    ("float32", "float64"),
)  # fmt: skip
def resample(
    x: Any, out: Any, x_row: Any, out_row: Any, weights: Any, marks: Any, vectors: Any, taps: Any, singles: Any,
    sizes: Any, counter: Any,
) -> None:  # fmt: skip
    """Tasks from `counter` on: pieces of rows that begin at x[x_row[r]] and out[out_row[r]].

    vectors : for each vector of a period where it reads and writes, its taps, and `head`, `tail`, `last` of `_slide`
    singles : for each output of a period where it reads, its taps and their number
    sizes : outputs of a row, periods of a piece, numbers of x and of out from one period to the next, e, and from where
        to where vectors read in a period; reads beyond x are left to single outputs
    """
    n, piece, far, wide, step, low, high = sizes
    pieces = (n + wide * piece - 1) // (wide * piece)
    t = take(counter)
    while t < x_row.size * pieces:
        r = t // pieces
        at, to, q = x_row[r], out_row[r], (t - r * pieces) * piece
        end = min(q + piece, (n + wide - 1) // wide)
        while q < end:
            begin = q
            while q < end and at + q * far + low >= 0 and at + q * far + high <= x.size and (q + 1) * wide <= n:
                q += 1
            if step == 1:  # a literal: steps are parts of addresses then
                _periods(x, out, at, to, begin, q, far, wide, 1, weights, marks, vectors)
            else:
                _periods(x, out, at, to, begin, q, far, wide, 2, weights, marks, vectors)
            if q < end:
                count = min(wide, n - q * wide)
                _single(x, out, at + q * far, to + q * wide, count, step, taps, singles)
                q += 1
        t = take(counter)
