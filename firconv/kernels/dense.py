"""Dense layers: many output channels over the same samples, as matrix products without the matrix (implicit im2col).

    out[o, p] = Σ_c w[o, c]·x[p + offset[c]]            c runs over channels and taps, p over positions

``strip`` copies what a block of outputs reads into rows that follow each other in memory, a stride split into its
parts, so that every tap is an offset into it; ``products`` sums six output channels at two vectors of positions: each
vector of samples, once loaded, serves six sums, each weight two vectors. ``deliver`` drops the positions between rows.
``outer`` sums over positions instead, for the gradient of the weights; there the output channels are the vectors.

Every output is the chain acc = fma(w[c], x[c], acc) in the order of the table, as in ``kernels.direct``: the same bits,
whatever the block. Absent samples are zeros here, so weights that are not finite are not this kernel's business.
"""

from __future__ import annotations

from typing import Any

from numba import int64

from firconv.kernels.compiled import compiled, const, mutable
from firconv.kernels.lanes import evens, fma, item, lanes, load, spread, store, turn, width

INDEX = const(int64)
FLOATS = ("float32", "float64")
ROWS = 6  # 12 sums, two vectors of samples and one weight make 15 of 16 registers
CHUNK = 288  # taps whose weights and samples stay in the first-level cache
CHAIN = 256  # positions of one sum of the gradient: their panel stays in the first-level cache


# --- reading --------------------------------------------------------------------------------------------------------


@compiled()
def _picked(x: Any, at: int, columns: Any, first: int, lo: int, hi: int, out: Any, to: int) -> None:
    """out[to + j] = x[at + columns[first + j]] for j from lo to hi, zero where that is negative."""
    for j in range(lo, hi):
        source = columns[first + j]
        out[to + j] = x[at + source] if source >= 0 else 0


@compiled()
def _stepped(x: Any, i: int, step: int, n: int, out: Any, to: int, like: Any) -> None:
    """out[to + j] = x[i + j·step] for n samples: vectors for steps of one and two, if they end inside x."""
    size = lanes(x)
    if step == 1 and n >= size:
        for start in range(0, n, size):
            j = min(start, n - size)
            store(out, to + j, load(x, i + j, like))
    elif step == 2 and n >= size and i + 2 * n <= len(x):
        for start in range(0, n, size):
            j = min(start, n - size)
            store(out, to + j, evens(load(x, i + 2 * j, like), load(x, i + 2 * j + size, like)))
    else:
        for j in range(n):
            out[to + j] = x[i + j * step]


@compiled(lambda t: (const(t), INDEX, INDEX, INDEX, INDEX, INDEX, INDEX, mutable(t)), FLOATS)
def strip(x: Any, planes: Any, rows: Any, columns: Any, plain: Any, shape: Any, box: Any, out: Any) -> None:
    """out[image, channel, part, plane, row, column] of the samples at these planes, rows and columns.

    Parameters
    ----------
    planes, rows, columns : for each part of the axis and each place, which sample; −1 is absent
    plain : lo, hi for each part of the columns: there `columns` grows by a constant step
    shape : elements of x per image, channel, plane, row; parts of the three axes; the step; elements of out per image,
        channel; places per part of the three axes
    box : images n0, n1; channels c0, c1; places of the three axes; the first of them
    """
    like = spread(x.dtype.type(0), 1, 1)
    deep, wide = box[5], box[6]
    for n in range(box[0], box[1]):
        for c in range(box[2], box[3]):
            to = (n - box[0]) * shape[8] + (c - box[2]) * shape[9]
            for sp in range(shape[4]):
                for sr in range(shape[5]):
                    for sc in range(shape[6]):
                        first = sc * shape[12] + box[9]
                        lo = min(wide, max(0, plain[sc * 2] - box[9]))
                        hi = max(lo, min(wide, plain[sc * 2 + 1] - box[9]))
                        for i in range(box[4]):
                            plane = planes[sp * shape[10] + box[7] + i]
                            for j in range(deep):
                                row = rows[sr * shape[11] + box[8] + j]
                                if plane < 0 or row < 0:
                                    for k in range(wide):
                                        out[to + k] = 0
                                else:
                                    at = n * shape[0] + c * shape[1] + plane * shape[2] + row * shape[3]
                                    _picked(x, at, columns, first, 0, lo, out, to)
                                    if lo < hi:
                                        start = at + columns[first + lo]
                                        _stepped(x, start, shape[7], hi - lo, out, to + lo, like)
                                    _picked(x, at, columns, first, hi, wide, out, to)
                                to += wide


# --- summing over taps ----------------------------------------------------------------------------------------------


@compiled()
def _chain(
    x: Any, p: int, offsets: Any, w: Any, first: int, last: int,
    i0: int, i1: int, i2: int, i3: int, i4: int, i5: int, a: Any, b: Any, c: Any, d: Any, e: Any, f: Any,
) -> Any:  # fmt: skip
    """Add taps first … last − 1 to six output channels, whose weights begin at i0 … i5."""
    for k in range(first, last):
        v = load(x, p + item(offsets, k), a)
        a = fma(item(w, i0 + k), v, a)
        b = fma(item(w, i1 + k), v, b)
        c = fma(item(w, i2 + k), v, c)
        d = fma(item(w, i3 + k), v, d)
        e = fma(item(w, i4 + k), v, e)
        f = fma(item(w, i5 + k), v, f)
    return a, b, c, d, e, f


@compiled(lambda t: (const(t), const(t), INDEX, INDEX, int64, int64, int64, mutable(t)), FLOATS)
def products(x: Any, w: Any, offsets: Any, bases: Any, count: int, o0: int, o1: int, out: Any) -> None:
    """out[o − o0, base, p] = Σ_c w[o, c]·x[base + p + offset[c]] for `count` positions, filled up to whole vectors."""
    zero = spread(x.dtype.type(0), 2, 1)
    size, taps = width(zero), len(offsets)
    filled = (count + size - 1) // size * size
    row = len(bases) * filled
    for first in range(0, taps, CHUNK):
        last = min(first + CHUNK, taps)
        for o in range(o0, o1, ROWS):
            r1, r2, r3 = min(o + 1, o1 - 1), min(o + 2, o1 - 1), min(o + 3, o1 - 1)
            r4, r5 = min(o + 4, o1 - 1), min(o + 5, o1 - 1)
            t0, t1, t2, t3 = (o - o0) * row, (r1 - o0) * row, (r2 - o0) * row, (r3 - o0) * row
            t4, t5 = (r4 - o0) * row, (r5 - o0) * row
            for s in range(len(bases)):
                for p in range(0, filled, size):
                    at = s * filled + p
                    a = b = c = d = e = f = zero
                    if first > 0:
                        a, b, c = load(out, t0 + at, zero), load(out, t1 + at, zero), load(out, t2 + at, zero)
                        d, e, f = load(out, t3 + at, zero), load(out, t4 + at, zero), load(out, t5 + at, zero)
                    a, b, c, d, e, f = _chain(
                        x, bases[s] + p, offsets, w, first, last,
                        o * taps, r1 * taps, r2 * taps, r3 * taps, r4 * taps, r5 * taps, a, b, c, d, e, f,
                    )  # fmt: skip
                    store(out, t0 + at, a)
                    store(out, t1 + at, b)
                    store(out, t2 + at, c)
                    store(out, t3 + at, d)
                    store(out, t4 + at, e)
                    store(out, t5 + at, f)


@compiled(lambda t: (const(t), const(t), INDEX, const(t), int64, int64, int64, int64, int64, mutable(t)), FLOATS)
def pointwise(
    x: Any, w: Any, offsets: Any, bias: Any, at: int, count: int, row: int, o0: int, o1: int, out: Any
) -> None:
    """out[o·row + p] = Σ_c w[o, c]·x[at + p + offset[c]] + bias[o] for a layer with one tap; row is one channel.

    Nothing is copied: x is read, and out written, where it is. At least two vectors of positions.
    """
    zero = spread(x.dtype.type(0), 2, 1)
    one, size, taps = x.dtype.type(1), width(zero), len(offsets)
    for o in range(o0, o1, ROWS):
        r1, r2, r3 = min(o + 1, o1 - 1), min(o + 2, o1 - 1), min(o + 3, o1 - 1)
        r4, r5 = min(o + 4, o1 - 1), min(o + 5, o1 - 1)
        for start in range(0, count, size):
            p = min(start, count - size)
            a, b, c, d, e, f = _chain(
                x, at + p, offsets, w, 0, taps,
                o * taps, r1 * taps, r2 * taps, r3 * taps, r4 * taps, r5 * taps, zero, zero, zero, zero, zero, zero,
            )  # fmt: skip
            store(out, o * row + p, fma(one, a, spread(item(bias, o), 2, 1)))
            store(out, r1 * row + p, fma(one, b, spread(item(bias, r1), 2, 1)))
            store(out, r2 * row + p, fma(one, c, spread(item(bias, r2), 2, 1)))
            store(out, r3 * row + p, fma(one, d, spread(item(bias, r3), 2, 1)))
            store(out, r4 * row + p, fma(one, e, spread(item(bias, r4), 2, 1)))
            store(out, r5 * row + p, fma(one, f, spread(item(bias, r5), 2, 1)))


@compiled(lambda t: (const(t), const(t), INDEX, INDEX, mutable(t)), FLOATS)
def deliver(sums: Any, bias: Any, shape: Any, box: Any, out: Any) -> None:
    """out[image, o, plane, row, column] = sums + bias without the positions between the rows.

    Parameters
    ----------
    shape : elements of out per image, channel, plane, row; steps of out along planes, rows, columns;
        elements of sums per channel, image, plane, row
    box : images n0, n1, channels o0, o1, then the first output and the number of outputs, per axis
    """
    planes, rows, columns = box[5], box[7], box[9]
    for o in range(box[2], box[3]):
        b = bias[o]
        for n in range(box[0], box[1]):
            for i in range(planes):
                to = n * shape[0] + o * shape[1] + (box[4] + i * shape[4]) * shape[2] + box[8]
                at = (o - box[2]) * shape[7] + (n - box[0]) * shape[8] + i * shape[9]
                for j in range(rows):
                    target, source = to + (box[6] + j * shape[5]) * shape[3], at + j * shape[10]
                    row, sum = out[target:], sums[source : source + columns]
                    if shape[6] == 1:
                        for k in range(len(sum)):
                            row[k] = sum[k] + b
                    else:
                        for k in range(len(sum)):
                            row[k * shape[6]] = sum[k] + b


# --- summing over positions -----------------------------------------------------------------------------------------


@compiled()
def _turned(x: Any, at: int, gap: int, rows: int, count: int, out: Any, to: int, step: int) -> None:
    """out[j·step + r] = x[r·gap + j] for `rows` rows of `count` samples."""
    size = lanes(x)
    for r in range(0, rows, size):
        if count >= size and r + size <= rows:
            for start in range(0, count, size):
                j = min(start, count - size)
                turn(x, at + r * gap + j, gap, out, to + j * step + r, step)
        else:
            for k in range(r, min(r + size, rows)):
                for j in range(count):
                    out[to + j * step + k] = x[at + k * gap + j]


@compiled(lambda t: (const(t), INDEX, INDEX, mutable(t)), FLOATS)
def channels_last(x: Any, shape: Any, box: Any, out: Any) -> None:
    """out[panel, image, plane, row, column, channel] of a block of x, two vectors of channels in a panel.

    Only samples are written: what lies between the rows of a block, and channels that do not exist, stay as they are.

    Parameters
    ----------
    shape : elements of x per image, channel, plane, row; places of out per panel, image, plane, row
    box : images n0, n1; channels c0, c1; the first and the number of planes, rows, columns
    """
    panel = 2 * lanes(x)
    for c in range(box[2], box[3], panel):
        for n in range(box[0], box[1]):
            for i in range(box[5] * box[7]):
                plane, row = i // box[7], i % box[7]
                at = n * shape[0] + c * shape[1] + (box[4] + plane) * shape[2] + (box[6] + row) * shape[3] + box[8]
                to = (c - box[2]) // panel * shape[4] + (n - box[0]) * shape[5] + plane * shape[6] + row * shape[7]
                _turned(x, at, shape[1], min(panel, box[3] - c), box[9], out, to * panel, panel)


@compiled()
def _total(out: Any, at: int, more: Any) -> Any:
    return fma(out.dtype.type(1), load(out, at, more), more)


@compiled()
def _summed(
    x: Any, first: int, g: Any, at: int, offsets: Any, bases: Any, s0: int, s1: int, step: int, count: int,
    out: Any, to: int,
) -> None:  # fmt: skip
    """out[to + c, :] += Σ_s Σ_k g[at + (s − s0)·step + k, :]·x[base[s] + first + offset[c] + k] for k < count."""
    zero = spread(x.dtype.type(0), 2, 1)
    size, taps = width(zero), len(offsets)
    for c in range(0, taps, ROWS):
        c1, c2, c3 = min(c + 1, taps - 1), min(c + 2, taps - 1), min(c + 3, taps - 1)
        c4, c5 = min(c + 4, taps - 1), min(c + 5, taps - 1)
        p0, p1, p2, p3 = item(offsets, c), item(offsets, c1), item(offsets, c2), item(offsets, c3)
        p4, p5 = item(offsets, c4), item(offsets, c5)
        a0 = a1 = a2 = a3 = a4 = a5 = zero
        for s in range(s0, s1):
            j, i = at + (s - s0) * step * size, item(bases, s) + first
            i0, i1, i2, i3, i4, i5 = i + p0, i + p1, i + p2, i + p3, i + p4, i + p5
            for k in range(count):
                v = load(g, j + k * size, zero)
                a0 = fma(item(x, i0 + k), v, a0)
                a1 = fma(item(x, i1 + k), v, a1)
                a2 = fma(item(x, i2 + k), v, a2)
                a3 = fma(item(x, i3 + k), v, a3)
                a4 = fma(item(x, i4 + k), v, a4)
                a5 = fma(item(x, i5 + k), v, a5)
        a0, a1, a2 = (_total(out, (to + c) * size, a0), _total(out, (to + c1) * size, a1),
                      _total(out, (to + c2) * size, a2))  # fmt: skip
        a3, a4, a5 = (_total(out, (to + c3) * size, a3), _total(out, (to + c4) * size, a4),
                      _total(out, (to + c5) * size, a5))  # fmt: skip
        store(out, (to + c) * size, a0)
        store(out, (to + c1) * size, a1)
        store(out, (to + c2) * size, a2)
        store(out, (to + c3) * size, a3)
        store(out, (to + c4) * size, a4)
        store(out, (to + c5) * size, a5)


@compiled(lambda t: (const(t), const(t), INDEX, INDEX, int64, int64, mutable(t)), FLOATS)
def outer(x: Any, g: Any, offsets: Any, bases: Any, count: int, panels: int, out: Any) -> None:
    """out[panel, c, :] += Σ_base Σ_p g[panel, base, p, :]·x[base + offset[c] + p] for runs of `count` positions.

    A sum of about CHAIN positions is added at a time: long chains would lose digits.
    """
    size, runs = width(spread(x.dtype.type(0), 2, 1)), len(bases)
    some = max(1, CHAIN // count)
    for panel in range(panels):
        for s in range(0, runs, some):
            for k in range(0, count, CHAIN):
                at = ((panel * runs + s) * count + k) * size
                most = min(CHAIN, count - k)
                _summed(x, k, g, at, offsets, bases, s, min(s + some, runs), count, most, out, panel * len(offsets))


@compiled(lambda t: (const(t), int64, int64, int64, mutable(t)), FLOATS)
def channels_first(x: Any, taps: int, outs: int, step: int, out: Any) -> None:
    """out[o·step + c] = x[panel, c, o] for `outs` channels in panels."""
    panel = 2 * lanes(x)
    for o in range(0, outs, panel):
        size = lanes(x)
        for r in range(0, min(panel, outs - o), size):
            at, to = o * taps + r, (o + r) * step
            if taps >= size and o + r + size <= outs:
                for start in range(0, taps, size):
                    c = min(start, taps - size)
                    turn(x, at + c * panel, panel, out, to + c, step)
            else:
                for k in range(min(size, outs - o - r)):
                    for c in range(taps):
                        out[to + k * step + c] = x[at + c * panel + k]
