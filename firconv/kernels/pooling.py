"""Pooling: the largest sample of every window, or the mean, over planes of rows.

A window is reduced first over its rows, into one row of a workspace that holds what padding stands for at both ends,
then along that row. So a window of K × K takes 2·(K − 1) steps, whole vectors at a time. A vector of outputs that
reaches beyond its row is stored whole all the same: the next row writes over it, and the last row of a task stops.
A worker takes task after task, without Python between them. The usual windows, of two or three samples, have loops of
their own, which the compiler unrolls.

The largest of a window that holds NaN is NaN. Sums run over the rows, then along them; none slides, so a NaN or an
infinity stays among the windows that hold it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import int64

from firconv.kernels.bunches import take
from firconv.kernels.compiled import compiled, const, mutable
from firconv.kernels.lanes import evens, fma, item, lanes, load, load_part, ratio, spread, store, store_part, top, width
from firconv.kernels.turns import ended, settled

INDEX, BOXES = const(int64), const(int64, 2)


@compiled(references=False)
def _both(v: Any, m: Any, unit: Any, mean: bool) -> Any:
    """The sum of both, or the larger."""
    return fma(unit, v, m) if mean else top(v, m)


# --- over the rows --------------------------------------------------------------------------------------------------


@compiled(references=False)
def _over(x: Any, p: int, q: int, r: int, count: int, zero: Any, unit: Any, mean: bool) -> Any:
    """One vector of two or three rows, reduced."""
    m = _both(load(x, q, zero), load(x, p, zero), unit, mean)
    return _both(load(x, r, zero), m, unit, mean) if count == 3 else m


@compiled(references=False)
def _some(
    x: Any, row: Any, lo: int, base: int, at: Any, first: int, count: int, n: int, zero: Any, unit: Any, mean: bool
) -> None:
    """Two or three rows of at least a vector: their places are read once."""
    size = width(zero)
    p, q, r = base + item(at, first), base + item(at, first + 1), base + item(at, first + count - 1)
    for j in range(0, n - size + 1, size):
        store(row, lo + j, _over(x, p + j, q + j, r + j, count, zero, unit, mean))
    j = n - size
    store(row, lo + j, _over(x, p + j, q + j, r + j, count, zero, unit, mean))


@compiled(references=False)
def _many(
    x: Any, row: Any, lo: int, base: int, at: Any, first: int, last: int, n: int, empty: Any, unit: Any, mean: bool
) -> None:
    """Any number of rows."""
    zero = spread(empty, 1, 1)
    size = width(zero)
    for start in range(0, n, size):
        j = max(0, min(start, n - size))
        if n >= size or base + item(at, last - 1) + size <= len(x):
            m = load(x, base + item(at, first) + j, zero)
            for i in range(first + 1, last):
                m = _both(load(x, base + item(at, i) + j, zero), m, unit, mean)
            store(row, lo + j, m)
        else:
            m = load_part(x, base + item(at, first), zero, n)
            for i in range(first + 1, last):
                m = _both(load_part(x, base + item(at, i), zero, n), m, unit, mean)
            store(row, lo, m)


@compiled(references=False)
def _rows(
    x: Any, row: Any, lo: int, base: int, at: Any, first: int, last: int, n: int, empty: Any, unit: Any, mean: bool
) -> None:
    """Reduce n columns of some rows into row[lo …], and put `empty` behind fewer columns than a vector holds."""
    zero = spread(empty, 1, 1)
    size = width(zero)
    if first == last:
        for j in range(n):
            row[lo + j] = empty
        return
    if n >= size and last - first == 3:
        _some(x, row, lo, base, at, first, 3, n, zero, unit, mean)
    elif n >= size and last - first == 2:
        _some(x, row, lo, base, at, first, 2, n, zero, unit, mean)
    else:
        _many(x, row, lo, base, at, first, last, n, empty, unit, mean)
    for j in range(n, size):
        row[lo + j] = empty


# --- along a row ----------------------------------------------------------------------------------------------------


@compiled(references=False)
def _block(row: Any, j: int, stride: int, taps: int, dilation: int, zero: Any, unit: Any, mean: bool) -> Any:
    """A vector of outputs from j on, of stride 1 or 2."""
    if stride == 1:
        m = load(row, j, zero)
        for k in range(1, taps):
            m = _both(load(row, j + k * dilation, zero), m, unit, mean)
        return m
    p, one = 2 * j, width(zero)
    m = evens(load(row, p, zero), load(row, p + one, zero))
    for k in range(1, taps):
        q = p + k * dilation
        m = _both(evens(load(row, q, zero), load(row, q + one, zero)), m, unit, mean)
    return m


@compiled(references=False)
def _samples(
    row: Any, j: int, stride: int, taps: int, dilation: int, spare: int, zero: Any, unit: Any, mean: bool
) -> Any:
    """A vector of outputs from j on, of any stride, one by one."""
    for i in range(width(zero)):
        p = (j + i) * stride
        s = item(row, p)
        for k in range(1, taps):
            s = _both(item(row, p + k * dilation), s, unit, mean)
        row[spare + i] = s
    return load(row, spare, zero)


@compiled(references=False)
def _usual(
    row: Any, out: Any, to: int, n: int, stride: int, taps: int, counts: Any, rows: Any, zero: Any, unit: Any,
    mean: bool,
) -> int:  # fmt: skip
    """The whole vectors of a row of n outputs; stride and taps are literals. Return how many outputs these are."""
    size, nothing = width(zero), spread(unit - unit, 1, 1)
    for j in range(0, n - size + 1, size):
        m = _block(row, j, stride, taps, 1, zero, unit, mean)
        if mean:
            m = ratio(m, fma(rows, load(counts, j, zero), nothing))
        store(out, to + j, m)
    return n // size * size


@compiled(references=False)
def _along(
    row: Any, out: Any, to: int, end: int, n: int, stride: int, taps: int, dilation: int, spare: int,
    counts: Any, rows: Any, zero: Any, unit: Any, mean: bool,
) -> None:  # fmt: skip
    """n outputs along a row; the task's part of `out` ends at `end`."""
    size, done = width(zero), 0
    if dilation == 1 and stride == 1 and taps == 3:
        done = _usual(row, out, to, n, 1, 3, counts, rows, zero, unit, mean)
    elif dilation == 1 and stride == 2 and taps == 3:
        done = _usual(row, out, to, n, 2, 3, counts, rows, zero, unit, mean)
    elif dilation == 1 and stride == 2 and taps == 2:
        done = _usual(row, out, to, n, 2, 2, counts, rows, zero, unit, mean)
    for j in range(done, n, size):
        if stride <= 2:
            m = _block(row, j, stride, taps, dilation, zero, unit, mean)
        else:
            m = _samples(row, j, stride, taps, dilation, spare, zero, unit, mean)
        if mean:
            m = ratio(m, fma(rows, load(counts, j, zero), spread(unit - unit, 1, 1)))
        if to + j + size <= end:
            store(out, to + j, m)
        else:
            store_part(out, to + j, m, min(size, n - j))


@compiled(references=False)
def _windows(
    x: Any, out: Any, row: Any, box: Any, plane: int, at: Any, first: Any, last: Any, along: Any, counts: Any,
    rows: Any, empty: Any, unit: Any, mean: bool,
) -> None:  # fmt: skip
    """All windows of some rows of some planes."""
    n, lo, n_out, stride, taps, dilation = along[0], along[1], along[2], along[3], along[4], along[5]
    zero = spread(empty, 1, 1)
    spare = len(row) - width(zero)
    begin, stop, r_begin, r_stop = box[0], box[1], box[2], box[3]
    per = len(first) * n_out
    for p in range(begin, stop):
        end = p * per + r_stop * n_out if r_stop < len(first) else stop * per
        for r in range(r_begin, r_stop):
            _rows(x, row, lo, p * plane, at, first[r], last[r], n, empty, unit, mean)
            _along(row, out, p * per + r * n_out, end, n_out, stride, taps, dilation, spare, counts, item(rows, r),
                   zero, unit, mean)  # fmt: skip


@compiled(references=False)
def _length(along: Any, size: int) -> int:
    """Samples of the workspace: the row with its padding, what vectors may read behind it, and one vector to spare."""
    return max(along[0] + along[1], (along[2] + size) * along[3] + along[4] * along[5]) + 3 * size


@compiled(
    lambda t: (
        const(t), mutable(t), BOXES, mutable(int64), int64, int64, INDEX, INDEX, INDEX, INDEX, const(t), const(t), t
    ),
)
def maxima(
    x: Any, out: Any, boxes: Any, counter: Any, number: int, plane: int, at: Any, first: Any, last: Any, along: Any,
    counts: Any, rows: Any, empty: Any,
) -> None:  # fmt: skip
    """The largest sample of each window.

    x is flat memory of planes of `plane` samples; a row of boxes is a task: planes begin … end − 1 and their rows of
    outputs begin … end − 1. Counter and number are those of ``kernels.turns``. Row r of outputs is reduced
    from the rows that start at[first[r] … last[r] − 1] in the plane, each of n samples; along = (n, lo, outputs,
    stride, taps, dilation), with lo places of padding in front. Padding stands for `empty`. `counts` and `rows` are
    those of `means`.
    """
    row = np.full(_length(along, lanes(x)), empty)
    b, over = take(counter), False
    while b < len(boxes):
        _windows(x, out, row, boxes[b], plane, at, first, last, along, counts, rows, empty, x.dtype.type(1), False)
        over = ended(counter, len(boxes))
        b = take(counter)
    settled(counter, len(boxes), number, over)


@compiled(
    lambda t: (
        const(t), mutable(t), BOXES, mutable(int64), int64, int64, INDEX, INDEX, INDEX, INDEX, const(t), const(t), t
    ),
    ("float32", "float64"),
)
def means(
    x: Any, out: Any, boxes: Any, counter: Any, number: int, plane: int, at: Any, first: Any, last: Any, along: Any,
    counts: Any, rows: Any, empty: Any,
) -> None:  # fmt: skip
    """The sum of each window divided by counts[j]·rows[r]; arguments as `maxima`, `empty` is 0."""
    row = np.full(_length(along, lanes(x)), empty)
    b, over = take(counter), False
    while b < len(boxes):
        _windows(x, out, row, boxes[b], plane, at, first, last, along, counts, rows, empty, x.dtype.type(1), True)
        over = ended(counter, len(boxes))
        b = take(counter)
    settled(counter, len(boxes), number, over)


# --- whole planes ---------------------------------------------------------------------------------------------------


@compiled(references=False)
def _whole(x: Any, p: int, n: int, part: Any, wide: Any, zero: Any, unit: Any, mean: bool) -> Any:
    """n samples from p on, reduced: eight vectors at a time, then single ones, then samples."""
    size, many = width(zero), width(wide)
    acc = zero
    done = 0
    if n >= many:
        sums = load(x, p, wide)
        for j in range(many, n - many + 1, many):
            sums = _both(load(x, p + j, wide), sums, unit, mean)
        done = n - n % many
        store(part, 0, sums)
        for i in range(0, many, size):
            acc = _both(load(part, i, zero), acc, unit, mean)
    for j in range(done, n - size + 1, size):
        acc = _both(load(x, p + j, zero), acc, unit, mean)
    rest = n % size
    store(part, 0, acc)
    s = item(part, 0)
    for i in range(1, size):
        s = _both(item(part, i), s, unit, mean)
    for j in range(n - rest, n):
        s = _both(item(x, p + j), s, unit, mean)
    return s


@compiled(references=False)
def _planes(
    x: Any, out: Any, part: Any, boxes: Any, counter: Any, number: int, n: int, empty: Any, unit: Any, mean: bool
) -> None:
    """One result for every plane of n samples."""
    wide, zero = spread(empty, 8, 1), spread(empty, 1, 1)
    b, over = take(counter), False
    while b < len(boxes):
        for p in range(boxes[b, 0], boxes[b, 1]):
            s = _whole(x, p * n, n, part, wide, zero, unit, mean)
            out[p] = s / n if mean else s
        over = ended(counter, len(boxes))
        b = take(counter)
    settled(counter, len(boxes), number, over)


@compiled(lambda t: (const(t), mutable(t), BOXES, mutable(int64), int64, int64, t))
def largest(x: Any, out: Any, boxes: Any, counter: Any, number: int, n: int, empty: Any) -> None:
    """The largest of the n samples of each plane; boxes and counter as for `maxima`."""
    _planes(x, out, np.empty(8 * lanes(x), x.dtype), boxes, counter, number, n, empty, x.dtype.type(1), False)


@compiled(lambda t: (const(t), mutable(t), BOXES, mutable(int64), int64, int64, t), ("float32", "float64"))
def average(x: Any, out: Any, boxes: Any, counter: Any, number: int, n: int, empty: Any) -> None:
    """The mean of the n samples of each plane; `empty` is 0."""
    _planes(x, out, np.empty(8 * lanes(x), x.dtype), boxes, counter, number, n, empty, x.dtype.type(1), True)
