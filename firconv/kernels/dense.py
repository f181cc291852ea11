"""Dense layers: many output channels over the same samples, as matrix products without the matrix (implicit im2col).

    out[o, p] = Σ_c w[o, c]·x[p + offset[c]] + bias[o]      c runs over channels and taps, p over positions

What a block of outputs reads is copied once (``kernels.strips``), or read in place where there is one tap. Three
registers of positions are a tile, also across the ends of rows. For some taps at a time the samples of a tile are
gathered into a panel, one line for every tap, and each line, once loaded, serves the sums of four output channels. A
worker takes block after block, without Python between them.

Every output is the chain acc = fma(w[c], x[c], acc) in the order of the table, then the bias, as in ``kernels.direct``:
the same bits, whatever the blocks. Absent samples are zeros here, so weights that are not finite are not this kernel's
business.
"""

from __future__ import annotations

from typing import Any

from numba import int64

from firconv.kernels.bunches import bunch, fmas, loads, rows, stores, take
from firconv.kernels.compiled import compiled, const, mutable
from firconv.kernels.lanes import HELD, item, lanes, load, put, spread, store, width
from firconv.kernels.strips import copied
from firconv.kernels.turns import ended, settled

INDEX = const(int64)
FLOATS = ("float32", "float64")
ONE, TWO, THREE = HELD, 2 * HELD, 3 * HELD  # vectors of as many registers
VECTORS = THREE  # of a tile; with four output channels: 12 sums, three registers of samples and one weight are 16
CHUNK = 256  # taps of a panel, which stays in the first-level cache
TILES = 4  # tiles whose panels are filled together
OUTS = 24  # output channels whose weights of a chunk stay in the first-level cache

# numbers of a block: arguments of the copy, then the range of its parts
COPY, BOX, PARTS, BLOCK = 13, 23, 23, 25
# numbers of a part: its offsets, taps and weights; output channels of the group, and where their bias begins;
# images, planes, rows and columns of positions; steps of the samples along these, and of the outputs; and the step
# of the outputs along channels
OFFSETS, TAPS, WEIGHTS, FIRST, LAST, BIAS, COUNT, SOURCE, TARGET, CHANNEL, PART = 0, 1, 2, 3, 4, 5, 6, 10, 14, 19, 20

# numbers of a tile: positions, pieces, moves of a vector, whether its outputs follow each other; then of each piece the
# lane where it begins and its first output, and of each move its lane and its first sample
POSITIONS, PIECES, MOVED, STRAIGHT, HEAD, MOVES, TILE = 0, 1, 2, 3, 4, 104, 208


# --- gathering ------------------------------------------------------------------------------------------------------


@compiled(references=False)
def _pieces(part: Any, p: int, size: int, lane: int, tiles: Any, at: int) -> None:
    """Cut the tile of `size` positions from p on, or those that are left, into pieces of rows; vectors of `lane`."""
    planes, deep, wide = part[COUNT + 1], part[COUNT + 2], part[COUNT + 3]
    count = min(size, part[COUNT] * planes * deep * wide - p)
    q, t, m, straight = 0, at + HEAD, at + MOVES, count % lane == 0 and part[TARGET + 4] == 1
    while q < count:
        row, column = (p + q) // wide, (p + q) % wide
        plane, j = row // deep, row % deep
        image, i = plane // planes, plane % planes
        source = part[SOURCE] + image * part[SOURCE + 1] + i * part[SOURCE + 2] + j * part[SOURCE + 3] + column
        target = part[TARGET] + image * part[TARGET + 1] + i * part[TARGET + 2] + j * part[TARGET + 3]
        tiles[t], tiles[t + 1] = q, target + column * part[TARGET + 4]
        straight = straight and tiles[t + 1] == tiles[at + HEAD + 1] + q
        some = min(wide - column, count - q)
        for k in range(0, some, lane):
            tiles[m], tiles[m + 1] = q + k, source + k
            m += 2
        q += some
        t += 2
    tiles[t] = count
    tiles[at + POSITIONS], tiles[at + STRAIGHT] = count, straight
    tiles[at + PIECES], tiles[at + MOVED] = (t - at - HEAD) // 2, (m - at - MOVES) // 2


@compiled(references=False)
def _moved(
    x: Any, offsets: Any, first: int, last: int, tiles: Any, start: int, final: int, like: Any, panels: Any, to: int,
    size: int,
) -> None:  # fmt: skip
    """Up to four moves of a vector for every tap; those behind the final one are the final one once more."""
    t1, t2, t3 = min(start + 2, final), min(start + 4, final), min(start + 6, final)
    q0, q1, q2, q3 = to + tiles[start], to + tiles[t1], to + tiles[t2], to + tiles[t3]
    i0, i1, i2, i3 = tiles[start + 1], tiles[t1 + 1], tiles[t2 + 1], tiles[t3 + 1]
    for k in range(first, last):
        line, i = (k - first) * size, item(offsets, k)
        store(panels, line + q0, load(x, i0 + i, like))
        store(panels, line + q1, load(x, i1 + i, like))
        store(panels, line + q2, load(x, i2 + i, like))
        store(panels, line + q3, load(x, i3 + i, like))


@compiled(references=False)
def _gather(x: Any, offsets: Any, first: int, last: int, tiles: Any, at: int, panels: Any, to: int) -> None:
    """panels[to + (k − first)·size + q] = x[offset[k] + …] for the positions of one tile, filled up to whole vectors.

    Vectors overrun a piece; the next piece, or line, is written over that.
    """
    whole, one = spread(panels.dtype.type(0), THREE, 1), spread(panels.dtype.type(0), ONE, 1)
    size, lane, moves = width(whole), width(one), tiles[at + MOVED]
    count = (tiles[at + POSITIONS] + lane - 1) // lane * lane
    start, end = at + MOVES, at + MOVES + 2 * moves
    if tiles[end - 1] + lane > len(x) - offsets[last - 1]:  # the end of x itself
        for k in range(first, last):
            for t in range(start, end, 2):
                for j in range(min(lane, tiles[at + POSITIONS] - tiles[t])):
                    panels[to + (k - first) * count + tiles[t] + j] = x[tiles[t + 1] + offsets[k] + j]
    elif tiles[at + PIECES] == 1 and count == size:
        for k in range(first, last):
            store(panels, to + (k - first) * size, load(x, item(tiles, start + 1) + item(offsets, k), whole))
    elif moves <= 4:
        _moved(x, offsets, first, last, tiles, start, end - 2, one, panels, to, count)
    else:
        for k in range(first, last):
            line, i = to + (k - first) * count, item(offsets, k)
            for t in range(start, end, 2):
                store(panels, line + item(tiles, t), load(x, item(tiles, t + 1) + i, one))


@compiled(references=False)
def _scatter(sums: Any, at: int, part: Any, tiles: Any, tile: int, out: Any, to: int) -> None:
    """Write one channel's sums of a tile piece by piece."""
    step = part[TARGET + 4]
    for t in range(tile + HEAD, tile + HEAD + 2 * tiles[tile + PIECES], 2):
        i, source = to + tiles[t + 1], at + tiles[t]
        for j in range(tiles[t + 2] - tiles[t]):
            put(out, i + j * step, item(sums, source + j))


# --- summing --------------------------------------------------------------------------------------------------------


@compiled(references=False)
def _rows(
    panels: Any, line: int, w: Any, part: Any, o: int, first: int, last: int, tiles: Any, tile: int, bias: Any,
    sums: Any, room: int, row: int, zero: Any, one: Any, start: Any, out: Any,
) -> None:  # fmt: skip
    """Taps first … last − 1 of one tile for as many output channels as `start` has rows, from o on.

    Between the chunks of taps the sums rest in `sums`, of channel c at room + c·row.
    """
    taps, end, size, acc = part[TAPS], part[LAST] - 1, width(zero), start
    places = rows(o, end, row, len(start))
    if first > 0:
        acc = loads(sums, places, room, zero)
    weights = rows(o, end, taps, len(start))
    at = part[WEIGHTS] + first
    for k in range(last - first):
        acc = fmas(w, weights, at + k, load(panels, line + k * size, zero), acc)
    if last < taps:
        stores(sums, places, room, acc)
        return
    acc = fmas(bias, rows(o, end, 1, len(start)), part[BIAS], one, acc)
    if tiles[tile + STRAIGHT]:
        stores(out, rows(o, end, part[CHANNEL], len(start)), tiles[tile + HEAD + 1], acc)
        return
    stores(sums, places, room, acc)
    for c in range(o, min(o + len(start), end + 1)):
        _scatter(sums, room + c * row, part, tiles, tile, out, c * part[CHANNEL])


@compiled(references=False)
def _tile(
    panels: Any, line: int, w: Any, part: Any, low: int, high: int, first: int, last: int, tiles: Any, tile: int,
    bias: Any, sums: Any, room: int, row: int, out: Any,
) -> None:  # fmt: skip
    """Channels low … high − 1 of one tile: four at a time with two or three registers, eight with one."""
    zero, one = spread(w.dtype.type(0), THREE, 1), spread(w.dtype.type(1), THREE, 1)
    two, ones = spread(w.dtype.type(0), TWO, 1), spread(w.dtype.type(1), TWO, 1)
    half, unit = spread(w.dtype.type(0), ONE, 1), spread(w.dtype.type(1), ONE, 1)
    registers = (tiles[tile + POSITIONS] + width(half) - 1) // width(half)
    if registers == 3:
        for o in range(low, high, 4):
            _rows(
                panels, line, w, part, o, first, last, tiles, tile, bias, sums, room, row, zero, one, bunch(zero, 4),
                out,
            )  # fmt: skip
    elif registers == 2:
        for o in range(low, high, 4):
            _rows(
                panels, line, w, part, o, first, last, tiles, tile, bias, sums, room, row, two, ones, bunch(two, 4),
                out,
            )  # fmt: skip
    else:
        for o in range(low, high, 8):
            _rows(
                panels, line, w, part, o, first, last, tiles, tile, bias, sums, room, row, half, unit, bunch(half, 8),
                out,
            )  # fmt: skip


@compiled()
def _part(
    source: Any, offsets: Any, w: Any, part: Any, bias: Any, panels: Any, sums: Any, tiles: Any, out: Any
) -> None:  # fmt: skip
    """All positions and channels of one part of the outputs of a block."""
    size, taps, table = VECTORS * lanes(w), part[TAPS], offsets[part[OFFSETS] :]
    count = part[COUNT] * part[COUNT + 1] * part[COUNT + 2] * part[COUNT + 3]
    for p in range(0, count, TILES * size):
        some = min(TILES, (count - p + size - 1) // size)
        for t in range(some):
            _pieces(part, p + t * size, size, ONE * lanes(w), tiles, t * TILE)
        for first in range(0, max(taps, 1), CHUNK):
            last = min(first + CHUNK, taps)
            for t in range(some if taps > 0 else 0):
                _gather(source, table, first, last, tiles, t * TILE, panels, t * CHUNK * size)
            for low in range(part[FIRST], part[LAST], OUTS):
                high = min(low + OUTS, part[LAST])
                for t in range(some):
                    _tile(
                        panels, t * CHUNK * size, w, part, low, high, first, last, tiles, t * TILE, bias, sums,
                        t * size, TILES * size, out,
                    )  # fmt: skip


@compiled(
    lambda t: (
        const(t), const(t), const(t), *(INDEX,) * 5, const(int64, 2), const(int64, 2),
        mutable(int64), int64, const(t), mutable(t), mutable(t), mutable(t), mutable(int64), mutable(t),
    ),
    FLOATS,
)  # fmt: skip
def fill(
    x: Any, w: Any, bias: Any, planes: Any, lines: Any, columns: Any, plain: Any, offsets: Any, blocks: Any,
    parts: Any, counter: Any, number: int, source: Any, samples: Any, panels: Any, sums: Any, tiles: Any, out: Any,
) -> None:  # fmt: skip
    """Fill blocks of outputs, from the counter on until there is none left.

    Parameters
    ----------
    planes, lines, columns, plain : as for ``kernels.strips``
    offsets : where taps lie in the samples of a block
    blocks, parts : the numbers named above, a row for each
    counter, number : of ``kernels.turns``, and of this worker
    source : `samples`, or x itself where it holds the samples as the offsets expect them
    samples : room for what a block reads and two vectors more; empty where the source is x
    panels, sums, tiles : room for `TILES`·`CHUNK` lines of three registers and one more, for three registers of
        every channel of a group and `TILES`, and for `TILES`·`TILE` numbers
    """
    b, last = take(counter), False
    while b < len(blocks):
        block = blocks[b]
        if len(samples) > 0:
            copied(x, planes, lines, columns, plain, block[:COPY], block[COPY:BOX], samples)
        for p in range(block[PARTS], block[PARTS + 1]):
            _part(source, offsets, w, parts[p], bias, panels, sums, tiles, out)
        last = ended(counter, len(blocks))
        b = take(counter)
    settled(counter, len(blocks), number, last)
