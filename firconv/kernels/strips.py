"""Reading what a block of outputs reads: rows that follow each other in memory, a stride split into its parts.

Then every tap of a dense layer is an offset into the copy, and absent samples are zeros. `turned` exchanges the rows
and columns of a copy, for kernels whose vectors run along channels.
"""

from __future__ import annotations

from typing import Any

from firconv.kernels.compiled import compiled
from firconv.kernels.lanes import evens, fma, item, lanes, load, prefetch, put, spread, store, turn, width


@compiled()
def turned(x: Any, at: int, gap: int, rows: int, count: int, out: Any, to: int, step: int) -> None:
    """out[to + j·step + r] = x[at + r·gap + j] for `rows` rows of `count` samples: the last squares overlap others."""
    size = lanes(x)
    if rows >= size and count >= size:
        for row in range(0, rows, size):
            for column in range(0, count, size):
                r, j = min(row, rows - size), min(column, count - size)
                turn(x, at + r * gap + j, gap, out, to + j * step + r, step)
    else:
        for r in range(rows):
            for j in range(count):
                out[to + j * step + r] = x[at + r * gap + j]


@compiled()
def _picked(x: Any, at: int, columns: Any, first: int, lo: int, hi: int, out: Any, to: int) -> None:
    """out[to + j] = x[at + columns[first + j]] for j from lo to hi, zero where that is negative."""
    for j in range(lo, hi):
        source = item(columns, first + j)
        put(out, to + j, item(x, at + source) if source >= 0 else x.dtype.type(0))


@compiled()
def _stepped(x: Any, i: int, step: int, n: int, then: int, out: Any, to: int, like: Any) -> None:
    """out[to + j] = x[i + j·step] for n samples; vectors, for steps of one and two, overrun the row's end.

    Meanwhile the samples `then` behind these, the next channel's, are brought near.
    """
    size = lanes(x)
    whole = (n + size - 1) // size * size
    if step == 1 and i + whole <= len(x):
        for j in range(0, whole, size):
            prefetch(x, i + j + then)
            store(out, to + j, load(x, i + j, like))
    elif step == 2 and i + 2 * whole <= len(x):
        for j in range(0, whole, size):
            prefetch(x, i + 2 * j + then)
            store(out, to + j, evens(load(x, i + 2 * j, like), load(x, i + 2 * j + size, like)))
    else:
        for j in range(n):
            put(out, to + j, item(x, i + j * step))


@compiled()
def copied(x: Any, planes: Any, rows: Any, columns: Any, plain: Any, shape: Any, box: Any, out: Any) -> None:
    """out[image, channel, part, plane, row, column] of the samples at these planes, rows and columns.

    Vectors overrun a row; the next row is written over that, and behind the last one `out` has room for a vector more.

    Parameters
    ----------
    planes, rows, columns : for each part of the axis and each place, which sample; −1 is absent
    plain : lo, hi for each part of the columns: there `columns` grows by a constant step
    shape : elements of x per image, channel, plane, row; parts of the three axes; the step; elements of out per image,
        channel; places per part of the three axes
    box : images n0, n1; channels c0, c1; places of the three axes; the first of them
    """
    like = spread(x.dtype.type(0), 1, 1)
    step, high, deep, wide = shape[7], box[4], box[5], box[6]
    for n in range(box[0], box[1]):
        for c in range(box[2], box[3]):
            to = (n - box[0]) * shape[8] + (c - box[2]) * shape[9]
            for sp in range(shape[4]):
                for sr in range(shape[5]):
                    for sc in range(shape[6]):
                        first = sc * shape[12] + box[9]
                        lo = min(wide, max(0, plain[sc * 2] - box[9]))
                        hi = max(lo, min(wide, plain[sc * 2 + 1] - box[9]))
                        start = columns[first + lo] if lo < hi else 0
                        for i in range(high):
                            plane = planes[sp * shape[10] + box[7] + i]
                            whole = n * shape[0] + c * shape[1] + plane * shape[2]
                            line = sr * shape[11] + box[8]
                            for j in range(deep):
                                row = item(rows, line + j)
                                if plane < 0 or row < 0:
                                    for k in range(0, wide, width(like)):
                                        store(out, to + k, like)
                                else:
                                    at = whole + row * shape[3]
                                    _picked(x, at, columns, first, 0, lo, out, to)
                                    if lo < hi:
                                        _stepped(x, at + start, step, hi - lo, shape[1], out, to + lo, like)
                                    _picked(x, at, columns, first, hi, wide, out, to)
                                to += wide


@compiled()
def added(total: Any, size: int, parts: int) -> None:
    """total[0] = Σ total[part], part after part."""
    one, like = total.dtype.type(1), spread(total.dtype.type(0), 2, 1)
    for i in range(0, size, width(like)):
        sums = load(total, i, like)
        for part in range(1, parts):
            sums = fma(one, load(total, part * size + i, like), sums)
        store(total, i, sums)


@compiled()
def delivered(total: Any, outs: int, taps: int, along: int, across: int, out: Any, to: int) -> None:
    """out[to + o·along + c·across] = total[panel, c, o]."""
    panel = 2 * lanes(total)
    for o in range(0, outs, panel):
        some = min(panel, outs - o)
        if across == 1:
            turned(total, o * taps, panel, taps, some, out, to + o * along, along)
        else:
            for c in range(taps):
                for k in range(some):
                    out[to + (o + k) * along + c * across] = total[o * taps + c * panel + k]
