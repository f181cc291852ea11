"""Filters of their own for every plane: valid correlation of planes that are extended, one by one, in a workspace.

A task holds some planes, or some rows of one; a worker takes task after task, without Python between them. The rows
that it reads are copied once into a workspace with what lies beyond the ends around them, columns split into `sx` parts
by their remainder; then every tap is an offset, and two rows of outputs at a time stay in registers over all taps. Each
output is the chain

    acc = 0;  acc = fma(w[0], x[0], acc);  …;  + bias          taps in the order of memory

whatever the cut into rows and tasks. Where two rows have many taps beyond the first or last row of samples, these add
nothing and are left out, and so are the columns of taps where the first or last of seven vectors lies beyond a row of
samples. A vector of outputs that reaches beyond a narrow row is stored whole: the next row writes over it, and the last
row of a task stops.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import int64

from firconv.kernels.bunches import take
from firconv.kernels.compiled import compiled, const, mutable
from firconv.kernels.lanes import HELD, evens, fma, fma2, item, lanes, load, spread, store, width
from firconv.kernels.rolling import put_within, rolled, turn_taps
from firconv.kernels.turns import ended, settled

INDEX = const(int64)
FEW = 64  # taps without samples that are not worth a call of their own
NEAR = 1 << 14  # bytes of extended rows that lie in the first-level cache together
TWO, FOUR, SIX = 2 * HELD, 4 * HELD, 6 * HELD  # vectors of so many registers
SQUARE = 64  # room for the taps of a filter of up to 7 x 7
FEWER = 4  # columns of taps without samples that are not worth loops of their own


# --- one plane, extended --------------------------------------------------------------------------------------------


@compiled(references=False)
def _inside(x: Any, p: int, work: Any, to: int, part: int, first: int, last: int, step: int, zero: Any) -> None:
    """Columns first … last − 1 of one part of a row, of which column c is sample p + c·step + part."""
    size, at, j = width(zero), p + part, first
    if step == 1 and last - first >= size:
        four = spread(work.dtype.type(0), 4, 1)
        while j + 4 * size <= last:
            store(work, to + j, load(x, at + j, four))
            j += 4 * size
        while j < last:  # the last vector overlaps others
            j = min(j, last - size)
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
    x: Any, base: int, work: Any, row: int, count: int, rows: int, sizes: Any, row_at: Any, row_sign: Any, col_at: Any,
    col_sign: Any, zero: Any,
) -> None:  # fmt: skip
    """The extended rows from `row` on, `count` of them, into the workspace (parts, rows, pitch).

    Columns that are absent for every row are 0 from the beginning and never written.
    """
    step, begin, end, pitch = sizes[1], sizes[2], sizes[3], sizes[4]
    none = work.dtype.type(0)
    origin = begin - item(col_at, begin) if begin < end else begin  # before it lie samples that a crop leaves out
    for part in range(step):
        start, first, last, stop = (
            max(0, (sizes[17] - part + step - 1) // step), max(0, (begin - part + step - 1) // step),
            max(0, (end - part + step - 1) // step), max(0, (sizes[18] - part + step - 1) // step),
        )  # fmt: skip
        for r in range(count):
            source, to = item(row_at, row + r), (part * rows + r) * pitch
            if source < 0:
                for j in range(start, stop):
                    work[to + j] = none
                continue
            p = base + source
            _beyond(x, p, work, to, part, start, min(first, stop), step, col_at, col_sign)
            _inside(x, p - origin, work, to, part, first, last, step, zero)
            _beyond(x, p, work, to, part, max(start, last), stop, step, col_at, col_sign)
            if item(row_sign, row + r) < 0:
                for j in range(start, stop):
                    work[to + j] = -work[to + j]


# --- two rows of outputs --------------------------------------------------------------------------------------------


@compiled(references=False)
def _pair(
    x: Any, p: int, q: int, w: Any, first: int, offsets: Any, lag: int, low: int, lead: int, both: int, rest: int,
    a: Any, b: Any,
) -> Any:  # fmt: skip
    """Two sums over taps: a reads at p, b at q; 0 < lag says that q meets at a tap what p meets `lag` taps on.

    Then a takes `lead` taps from `low` on alone, the next ones while b takes those `lag` before, and b its last ones
    alone; without a lag both take all taps.
    """
    if lag == 0:
        for c in range(len(offsets)):
            v, o = item(w, first + c), item(offsets, c)
            a = fma(v, load(x, p + o, a), a)
            b = fma(v, load(x, q + o, b), b)
        return a, b
    begin = low + lead
    end = begin + both
    for c in range(low, begin):
        a = fma(item(w, first + c), load(x, p + item(offsets, c), a), a)
    for c in range(begin, end):
        a, b = fma2(x, p + item(offsets, c), item(w, first + c), a, item(w, first + c - lag), b)
    for c in range(end - lag, end - lag + rest):
        b = fma(item(w, first + c), load(x, q + item(offsets, c), b), b)
    return a, b


@compiled(references=False)
def _span(
    x: Any, p: int, shift: int, out: Any, to: int, below: int, n: int, end: int, w: Any, first: int, offsets: Any,
    lag: int, low: int, lead: int, both: int, rest: int, bias: Any, zero: Any, ones: Any,
) -> None:  # fmt: skip
    """n columns of two rows of outputs that lie `below` apart, of one row where it is 0."""
    a, b = _pair(x, p, p + shift, w, first, offsets, lag, low, lead, both, rest, zero, zero)
    if len(bias) > 0:
        plus = item(bias, first // len(offsets))
        a, b = fma(plus, ones, a), fma(plus, ones, b)
    put_within(out, to, end, n, a)
    if below > 0:
        put_within(out, to + below, end, n, b)


@compiled(references=False)
def _two(
    x: Any, p: int, shift: int, out: Any, to: int, below: int, n: int, end: int, w: Any, first: int, offsets: Any,
    lag: int, low: int, lead: int, both: int, rest: int, bias: Any, zero: Any, unit: Any,
) -> None:  # fmt: skip
    """Two rows of n outputs, by blocks of six, four, two and one registers; the last ends with the rows if it fits.

    Seven registers of 32 bytes are a block too.
    """
    one = HELD * lanes(x)
    j = 0
    while j < n:
        left = n - j
        if HELD == 1 and left > 6 * one and left <= 7 * one:
            k = max(0, min(j, n - 7 * one))
            _span(x, p + k, shift, out, to + k, below, n, end, w, first, offsets, lag, low, lead, both,
                  rest, bias, spread(zero, 7, 1), spread(unit, 7, 1))  # fmt: skip
            j += 7 * one
        elif left >= 10 * one or (left > 5 * one and left <= 6 * one and n >= 6 * one):
            k = min(j, n - 6 * one)
            _span(x, p + k, shift, out, to + k, below, n, end, w, first, offsets, lag, low, lead, both,
                  rest, bias, spread(zero, SIX, 1), spread(unit, SIX, 1))  # fmt: skip
            j += 6 * one
        elif left > 2 * one and n > 3 * one:
            k = max(0, min(j, n - 4 * one))
            _span(x, p + k, shift, out, to + k, below, n, end, w, first, offsets, lag, low, lead, both,
                  rest, bias, spread(zero, FOUR, 1), spread(unit, FOUR, 1))  # fmt: skip
            j += 4 * one
        elif left > one or HELD == 1:
            k = max(0, min(j, n - 2 * one))
            _span(x, p + k, shift, out, to + k, below, n, end, w, first, offsets, lag, low, lead, both,
                  rest, bias, spread(zero, TWO, 1), spread(unit, TWO, 1))  # fmt: skip
            j += 2 * one
        else:
            k = max(0, min(j, n - one))
            _span(x, p + k, shift, out, to + k, below, n, end, w, first, offsets, lag, low, lead, both,
                  rest, bias, spread(zero, 2, 1), spread(unit, 2, 1))  # fmt: skip
            j += one


@compiled(references=False, inline=False)
def _ends(
    x: Any, p: int, shift: int, out: Any, to: int, below: int, n: int, end: int, w: Any, first: int, offsets: Any,
    lag: int, low: int, high: int, bias: Any, zero: Any, unit: Any,
) -> None:  # fmt: skip
    """Two rows of which the upper one meets samples from tap `low` to before `high`, or would with `lag` taps more."""
    taps = len(offsets)
    lead, both = max(0, min(lag, high) - low), max(0, min(high, taps) - max(low, lag))
    _two(x, p, shift, out, to, below, n, end, w, first, offsets, lag, low, lead, both, max(0, high - max(low, taps)),
         bias, zero, unit)  # fmt: skip


@compiled(references=False)
def _across(
    x: Any, p: int, w: Any, i: int, lag: int, kx: int, dx: int, left: int, right: int, a: Any, b: Any
) -> Any:  # fmt: skip
    """Two sums of a first, middle and last part over a row of taps; the first from `left` on, the last to `right`."""
    one = width(a[0])
    last = one + width(a[1])
    (f, m, e), (g, n, h) = a, b
    for c in range(left):
        u, v, o = item(w, i + c), item(w, i + c - lag), p + c * dx
        m, n = fma2(x, o + one, u, m, v, n)
        e, h = fma2(x, o + last, u, e, v, h)
    for c in range(left, right):
        u, v, o = item(w, i + c), item(w, i + c - lag), p + c * dx
        f, g = fma2(x, o, u, f, v, g)
        m, n = fma2(x, o + one, u, m, v, n)
        e, h = fma2(x, o + last, u, e, v, h)
    for c in range(right, kx):
        u, v, o = item(w, i + c), item(w, i + c - lag), p + c * dx
        f, g = fma2(x, o, u, f, v, g)
        m, n = fma2(x, o + one, u, m, v, n)
    return (f, m, e), (g, n, h)


@compiled(references=False)
def _alone(x: Any, p: int, w: Any, i: int, kx: int, dx: int, a: Any) -> Any:
    """One sum over a row of taps."""
    one = width(a[0])
    last = one + width(a[1])
    f, m, e = a
    for c in range(kx):
        v, o = item(w, i + c), p + c * dx
        f = fma(v, load(x, o, f), f)
        m = fma(v, load(x, o + one, m), m)
        e = fma(v, load(x, o + last, e), e)
    return f, m, e


@compiled(references=False, inline=False)
def _framed(
    x: Any, p: int, out: Any, to: int, n: int, end: int, w: Any, first: int, sizes: Any, top: int, bottom: int,
    left: int, right: int, bias: Any, zero: Any, unit: Any,
) -> None:  # fmt: skip
    """Two rows of seven vectors that meet rows of samples top … bottom − 1 of the ky + 1 below each other.

    The first vectors meet none before column `left` of the taps, the last ones none from column `right` on.
    """
    one = lanes(x)
    pitch, ky, kx, dy, dx = sizes[4], sizes[5], sizes[6], sizes[8], sizes[9]
    none, many = spread(zero, 1, 1), spread(zero, 5, 1)
    a, b = (none, many, none), (none, many, none)
    if top == 0:
        a = _alone(x, p, w, first, kx, dx, a)
    for t in range(max(top, 1), min(bottom, ky)):
        a, b = _across(x, p + t * dy * pitch, w, first + t * kx, kx, kx, dx, left, right, a, b)
    if bottom > ky:
        b = _alone(x, p + ky * dy * pitch, w, first + (ky - 1) * kx, kx, dx, b)
    ones, more = spread(unit, 1, 1), spread(unit, 5, 1)
    if len(bias) > 0:
        plus = item(bias, first // (ky * kx))
        a = fma(plus, ones, a[0]), fma(plus, more, a[1]), fma(plus, ones, a[2])
        b = fma(plus, ones, b[0]), fma(plus, more, b[1]), fma(plus, ones, b[2])
    for k, v in ((to, a), (to + n, b)):
        store(out, k, v[0])
        store(out, k + one, v[1])
        put_within(out, k + 6 * one, end, n - 6 * one, v[2])


@compiled(references=False)
def _single(
    x: Any, p: int, out: Any, to: int, n: int, end: int, w: Any, first: int, offsets: Any, bias: Any, zero: Any,
    unit: Any,
) -> None:  # fmt: skip
    """One row of outputs: the two sums are neighbouring blocks of it."""
    size = 4 * HELD * lanes(x)
    if n < 2 * size:
        _two(x, p, 0, out, to, 0, n, end, w, first, offsets, 0, 0, 0, 0, 0, bias, zero, unit)
        return
    for j in range(0, n, 2 * size):
        k = min(j, n - 2 * size)
        _span(x, p + k, size, out, to + k, size, n, end, w, first, offsets, 0, 0, 0, 0, 0, bias,
              spread(zero, FOUR, 1), spread(unit, FOUR, 1))  # fmt: skip


# --- planes ---------------------------------------------------------------------------------------------------------


@compiled(references=False)
def _find(offsets: Any, sizes: Any, rows: int) -> None:
    """Where each tap lies in the workspace of a task."""
    step, pitch, kx, dy, dx = sizes[1], sizes[4], sizes[6], sizes[8], sizes[9]
    for c in range(len(offsets)):
        column = c % kx * dx
        offsets[c] = (column % step * rows + c // kx * dy) * pitch + column // step


@compiled(references=False)
def _rolling(
    x: Any, out: Any, work: Any, weights: Any, bias: Any, box: Any, sizes: Any, row_at: Any, row_sign: Any, col_at: Any,
    col_sign: Any,
) -> None:  # fmt: skip
    """One task by sums that roll down: some rows of a plane at a time, as many as the first-level cache holds."""
    zero, unit = weights.dtype.type(0), weights.dtype.type(1)
    pitch, k, dx, many, height, wide = sizes[4], sizes[5], sizes[9], sizes[11], sizes[12], sizes[13]
    turned = work[len(work) - SQUARE :]
    band = max(k, NEAR // (pitch * work.itemsize) - k + 1)
    for p in range(box[0], box[1]):
        for row in range(box[2], box[3], band):
            count = min(band, box[3] - row)
            _extend(x, p * sizes[10], work, row, count + k - 1, count + k - 1, sizes, row_at, row_sign, col_at,
                    col_sign, spread(zero, 1, 1))  # fmt: skip
            for m in range(many):
                plane = p * many + m
                end = (plane * height + box[3]) * wide  # some rows of the next plane are complete
                turn_taps(weights, plane % sizes[14] * k * k, k, turned)
                plus = item(bias, plane % sizes[14]) if len(bias) > 0 else zero
                rolled(work, pitch, count, sizes[15] - row, sizes[16] - row, out, (plane * height + row) * wide, wide,
                       end, turned, k, dx, len(bias) > 0, plus, zero, unit)  # fmt: skip


@compiled(references=False)
def _planes(
    x: Any, out: Any, work: Any, rows: int, weights: Any, bias: Any, box: Any, sizes: Any, offsets: Any, row_at: Any,
    row_sign: Any, col_at: Any, col_sign: Any,
) -> None:  # fmt: skip
    """One task, with a workspace that has room for so many extended rows."""
    zero, unit = weights.dtype.type(0), weights.dtype.type(1)
    pitch, ky, kx, sy, dy, dx, many, height, wide = (
        sizes[4], sizes[5], sizes[6], sizes[7], sizes[8], sizes[9], sizes[11], sizes[12], sizes[13]
    )  # fmt: skip
    begin, end, r_begin, r_end = box[0], box[1], box[2], box[3]
    taps, size = ky * kx, sizes[10]
    lag = kx if sy == dy and ky > 1 else 0
    one = lanes(x)
    left = max(0, min(kx, (sizes[17] - one) // dx + 1))
    right = max(left, min(kx, (sizes[18] - 6 * one + dx - 1) // dx))
    seven = HELD == 1 and wide > 6 * one and wide <= 7 * one
    framed = seven and lag > 0 and sizes[1] == 1 and left + kx - right > FEWER
    above, under = (sizes[15] + dy - 1) // dy, (sizes[16] + dy - 1) // dy
    for p in range(begin, end):
        _extend(x, p * size, work, r_begin * sy, (r_end - r_begin - 1) * sy + (ky - 1) * dy + 1, rows, sizes, row_at,
                row_sign, col_at, col_sign, spread(zero, 1, 1))  # fmt: skip
        for m in range(many):
            plane = p * many + m
            first = plane % sizes[14] * taps
            stop = (plane * height + r_end) * wide if r_end < height else end * many * height * wide
            for r in range(r_begin, r_end, 2):
                to, at = (plane * height + r) * wide, (r - r_begin) * sy * pitch
                low, high = max(0, above - r) * kx, min(ky + 1, under - r) * kx
                if r + 1 == r_end:
                    _single(work, at, out, to, wide, stop, weights, first, offsets, bias, zero, unit)
                elif framed:
                    _framed(work, at, out, to, wide, stop, weights, first, sizes, low // kx, high // kx, left, right,
                            bias, zero, unit)  # fmt: skip
                elif lag == 0 or low + taps + lag - high < FEW:
                    _two(work, at, sy * pitch, out, to, wide, wide, stop, weights, first, offsets, lag, 0, lag,
                         taps - lag, lag, bias, zero, unit)  # fmt: skip
                else:
                    _ends(work, at, sy * pitch, out, to, wide, wide, stop, weights, first, offsets, lag, low, high,
                          bias, zero, unit)  # fmt: skip


@compiled(
    lambda t: (
        const(t), mutable(t), const(t), const(t), const(int64, 2), mutable(int64), int64, INDEX, INDEX, const(t),
        INDEX, const(t),
    ),
    ("float32", "float64"),
)  # fmt: skip
def planes(
    x: Any, out: Any, weights: Any, bias: Any, boxes: Any, counter: Any, number: int, sizes: Any, row_at: Any,
    row_sign: Any, col_at: Any, col_sign: Any,
) -> None:  # fmt: skip
    """Filter the planes of tasks, from the counter on until there is none left.

    A task is planes begin … end − 1, rows r … s − 1 of their outputs, with its box = (begin, end, r, s); none has more
    rows than the first. x, out are flat memory; weights (filters, ky·kx) and bias (filters or none) too. Plane p takes
    filters p·m … p·m + m − 1 modulo their number. sizes = (columns read, sx, first and last column inside, pitch, ky,
    kx, sy, dy, dx, samples in a plane, m, rows and columns of outputs, filters, first and last row, and column, that is
    not absent). row_at is where in a plane each extended row starts, col_at where in a row each extended column lies,
    −1 if it is absent; the signs are those of antisymmetric ends. Counter and number are those of ``kernels.turns``.
    """
    rows = (boxes[0, 3] - boxes[0, 2] - 1) * sizes[7] + (sizes[5] - 1) * sizes[8] + 1
    work = np.zeros(sizes[1] * rows * sizes[4] + 16 * lanes(x) + SQUARE, weights.dtype)
    offsets = np.empty(sizes[5] * sizes[6], np.int64)
    _find(offsets, sizes, rows)
    b, last, square = take(counter), False, sizes[5] == sizes[6] and sizes[5] in (3, 5, 7)
    rolling = square and sizes[1] == sizes[7] == sizes[8] == 1
    while b < len(boxes):
        if rolling:
            _rolling(x, out, work, weights, bias, boxes[b], sizes, row_at, row_sign, col_at, col_sign)
        else:
            _planes(x, out, work, rows, weights, bias, boxes[b], sizes, offsets, row_at, row_sign, col_at, col_sign)
        last = ended(counter, len(boxes))
        b = take(counter)
    settled(counter, len(boxes), number, last)
