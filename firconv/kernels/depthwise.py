"""Filters of their own for every plane: valid correlation of planes that are extended, one by one, in a workspace.

A task holds some planes, or some rows of one. The rows that it reads are copied once into a workspace with what lies
beyond the ends around them, columns split into `sx` parts by their remainder; then every tap is an offset, and two rows
of outputs at a time stay in registers over all taps. Each output is the chain

    acc = 0;  acc = fma(w[0], x[0], acc);  …;  + bias          taps in the order of memory

whatever the cut into rows and tasks. A vector of outputs that reaches beyond a narrow row is stored whole: the next row
writes over it, and the last row of a task stops.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import int64

from firconv.kernels.compiled import compiled, const, mutable
from firconv.kernels.lanes import evens, fma, fma2, item, lanes, load, spread, store, store_part, width

INDEX = const(int64)


# --- one plane, extended --------------------------------------------------------------------------------------------


@compiled(references=False)
def _inside(x: Any, p: int, work: Any, to: int, part: int, first: int, last: int, step: int, zero: Any) -> None:
    """Columns first … last − 1 of one part of a row, of which column c is sample p + c·step + part."""
    size = width(zero)
    at, j = p + part, first
    if step == 1:
        while j + size <= last:
            store(work, to + j, load(x, at + j, zero))
            j += size
    elif step == 2:
        while j + size < last:  # the second vector may end one sample further
            store(work, to + j, evens(load(x, at + 2 * j, zero), load(x, at + 2 * j + size, zero)))
            j += size
    while j < last:
        work[to + j] = item(x, at + j * step)
        j += 1


@compiled(references=False)
def _beyond(
    x: Any, p: int, work: Any, to: int, part: int, first: int, last: int, step: int, col_at: Any, col_sign: Any
) -> None:
    """Columns first … last − 1 of one part of a row that starts at p, by the tables."""
    for j in range(first, last):
        c = j * step + part
        at = item(col_at, c)
        work[to + j] = work.dtype.type(0) if at < 0 else item(x, p + at) * item(col_sign, c)


@compiled(references=False)
def _extend(
    x: Any, base: int, work: Any, row: int, rows: int, sizes: Any, row_at: Any, row_sign: Any, col_at: Any,
    col_sign: Any, zero: Any,
) -> None:  # fmt: skip
    """The extended rows from `row` on, `rows` of them, into the workspace (parts, rows, pitch)."""
    columns, step, begin, end, pitch = sizes[0], sizes[1], sizes[2], sizes[3], sizes[4]
    none = work.dtype.type(0)
    for part in range(step):
        count = (columns - part + step - 1) // step
        first = min(count, max(0, (begin - part + step - 1) // step))
        last = max(first, min(count, (end - part + step - 1) // step))
        for r in range(rows):
            source, to = item(row_at, row + r), (part * rows + r) * pitch
            if source < 0:
                for j in range(count):
                    work[to + j] = none
                continue
            p = base + source
            _beyond(x, p, work, to, part, 0, first, step, col_at, col_sign)
            _inside(x, p - begin, work, to, part, first, last, step, zero)
            _beyond(x, p, work, to, part, last, count, step, col_at, col_sign)
            if item(row_sign, row + r) < 0:
                for j in range(count):
                    work[to + j] = -work[to + j]


# --- two rows of outputs --------------------------------------------------------------------------------------------


@compiled(references=False)
def _pair(x: Any, p: int, q: int, w: Any, first: int, offsets: Any, lag: int, a: Any, b: Any) -> Any:
    """Two sums over all taps: a reads at p, b at q; 0 < lag says that q meets at a tap what p meets `lag` taps on."""
    taps = len(offsets)
    if lag == 0:
        for c in range(taps):
            v, o = item(w, first + c), item(offsets, c)
            a = fma(v, load(x, p + o, a), a)
            b = fma(v, load(x, q + o, b), b)
        return a, b
    for c in range(lag):
        a = fma(item(w, first + c), load(x, p + item(offsets, c), a), a)
    for c in range(lag, taps):
        a, b = fma2(x, p + item(offsets, c), item(w, first + c), a, item(w, first + c - lag), b)
    for c in range(taps - lag, taps):
        b = fma(item(w, first + c), load(x, q + item(offsets, c), b), b)
    return a, b


@compiled(references=False)
def _put(out: Any, to: int, end: int, n: int, sums: Any) -> None:
    """Store a vector of a row, or what of it belongs to the task where the task ends within it."""
    if to + width(sums) <= end:
        store(out, to, sums)
    else:
        store_part(out, to, sums, n)


@compiled(references=False)
def _span(
    x: Any, p: int, shift: int, out: Any, to: int, low: int, n: int, end: int, w: Any, first: int, offsets: Any,
    lag: int, bias: Any, zero: Any, ones: Any,
) -> None:  # fmt: skip
    """n columns of two rows of outputs that lie `low` apart, of one row where `low` is 0."""
    a, b = _pair(x, p, p + shift, w, first, offsets, lag, zero, zero)
    if len(bias) > 0:
        plus = item(bias, first // len(offsets))
        a, b = fma(plus, ones, a), fma(plus, ones, b)
    _put(out, to, end, n, a)
    if low > 0:
        _put(out, to + low, end, n, b)


@compiled(references=False)
def _two(
    x: Any, p: int, shift: int, out: Any, to: int, low: int, n: int, end: int, w: Any, first: int, offsets: Any,
    lag: int, bias: Any, zero: Any, unit: Any,
) -> None:  # fmt: skip
    """Two rows of n outputs, by blocks of six, four and two vectors; the last one ends with the rows if it fits."""
    one = lanes(x)
    j = 0
    while j < n:
        rest = n - j
        if rest >= 10 * one or (rest > 5 * one and rest <= 6 * one and n >= 6 * one):
            k = min(j, n - 6 * one)
            _span(x, p + k, shift, out, to + k, low, n, end, w, first, offsets, lag, bias, spread(zero, 6, 1),
                  spread(unit, 6, 1))  # fmt: skip
            j += 6 * one
        elif rest > 2 * one and n >= 4 * one:
            k = min(j, n - 4 * one)
            _span(x, p + k, shift, out, to + k, low, n, end, w, first, offsets, lag, bias, spread(zero, 4, 1),
                  spread(unit, 4, 1))  # fmt: skip
            j += 4 * one
        else:
            k = max(0, min(j, n - 2 * one))
            _span(x, p + k, shift, out, to + k, low, n, end, w, first, offsets, lag, bias, spread(zero, 2, 1),
                  spread(unit, 2, 1))  # fmt: skip
            j += 2 * one


@compiled(references=False)
def _single(
    x: Any, p: int, out: Any, to: int, n: int, end: int, w: Any, first: int, offsets: Any, bias: Any, zero: Any,
    unit: Any,
) -> None:  # fmt: skip
    """One row of outputs: the two sums are neighbouring blocks of it."""
    size = 4 * lanes(x)
    if n < 2 * size:
        _two(x, p, 0, out, to, 0, n, end, w, first, offsets, 0, bias, zero, unit)
        return
    for j in range(0, n, 2 * size):
        k = min(j, n - 2 * size)
        _span(x, p + k, size, out, to + k, size, n, end, w, first, offsets, 0, bias, spread(zero, 4, 1),
              spread(unit, 4, 1))  # fmt: skip


# --- planes ---------------------------------------------------------------------------------------------------------


@compiled(references=False)
def _find(offsets: Any, sizes: Any, rows: int) -> None:
    """Where each tap lies in the workspace of a task."""
    step, pitch, kx, dy, dx = sizes[1], sizes[4], sizes[6], sizes[8], sizes[9]
    for c in range(len(offsets)):
        column = c % kx * dx
        offsets[c] = (column % step * rows + c // kx * dy) * pitch + column // step


@compiled(references=False)
def _planes(
    x: Any, out: Any, work: Any, rows: int, weights: Any, bias: Any, box: Any, sizes: Any, offsets: Any, row_at: Any,
    row_sign: Any, col_at: Any, col_sign: Any,
) -> None:  # fmt: skip
    """`planes`, with a workspace that holds the extended rows."""
    zero, unit = weights.dtype.type(0), weights.dtype.type(1)
    pitch, sy, many, height, wide = sizes[4], sizes[7], sizes[11], sizes[12], sizes[13]
    begin, end, r_begin, r_end = box[0], box[1], box[2], box[3]
    taps = len(offsets)
    lag = sizes[6] if sy == sizes[8] and sizes[5] > 1 else 0
    for p in range(begin, end):
        _extend(x, p * sizes[10], work, r_begin * sy, rows, sizes, row_at, row_sign, col_at, col_sign,
                spread(zero, 1, 1))  # fmt: skip
        for m in range(many):
            plane = p * many + m
            first = plane % sizes[14] * taps
            stop = (plane * height + r_end) * wide if r_end < height else end * many * height * wide
            for r in range(0, r_end - r_begin, 2):
                to, at = (plane * height + r_begin + r) * wide, r * sy * pitch
                if r + 1 < r_end - r_begin:
                    _two(work, at, sy * pitch, out, to, wide, wide, stop, weights, first, offsets, lag, bias, zero,
                         unit)  # fmt: skip
                else:
                    _single(work, at, out, to, wide, stop, weights, first, offsets, bias, zero, unit)


@compiled(
    lambda t: (const(t), mutable(t), const(t), const(t), INDEX, INDEX, INDEX, const(t), INDEX, const(t)),
    ("float32", "float64"),
)
def planes(
    x: Any, out: Any, weights: Any, bias: Any, box: Any, sizes: Any, row_at: Any, row_sign: Any, col_at: Any,
    col_sign: Any,
) -> None:  # fmt: skip
    """Filter planes begin … end − 1, rows r … s − 1 of their outputs, with box = (begin, end, r, s).

    x, out are flat memory; weights (filters, ky·kx) and bias (filters or none) too. Plane p takes filters p·m … p·m + m
    − 1 modulo their number. sizes = (columns read, sx, first and last column inside, pitch, ky, kx, sy, dy, dx, samples
    in a plane, m, rows and columns of outputs, filters). row_at is where in a plane each extended row starts, col_at
    where in a row each extended column lies, −1 if it is absent; the signs are those of antisymmetric ends.
    """
    rows = (box[3] - box[2] - 1) * sizes[7] + (sizes[5] - 1) * sizes[8] + 1
    work = np.zeros(sizes[1] * rows * sizes[4] + 16 * lanes(x), weights.dtype)
    offsets = np.empty(sizes[5] * sizes[6], np.int64)
    _find(offsets, sizes, rows)
    _planes(x, out, work, rows, weights, bias, box, sizes, offsets, row_at, row_sign, col_at, col_sign)
