"""The weights' gradient of 3 × 3 taps by minimal filtering: 16 products of a tile's sums instead of 36; float32.

    gw = Gᵀ·[Σ_t (A·g_t·Aᵀ) ⊙ (Bᵀ·d_t·B)]·G        g_t: 2 × 2 output gradients, d_t: 4 × 4 samples of tile t

This is the transposed of ``kernels.winograd`` in the taps, with the matrices of F(2, 3). Each of the 16 products is a
matrix product: channels of g times tiles times channels of x. A 17th, of the norms of some tiles together, bounds the
error. The channels lie innermost. A task is some channels of g, some of x, and a part of the tiles, through which it
walks block by block. A worker takes task after task; who ends the last part of some channels adds the parts, in their
order, so the bits do not depend on who that is.
"""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np
from numba import float64, int64

from firconv.kernels.bunches import bunch, fmas, meet, rows, stores, take
from firconv.kernels.compiled import compiled, const, mutable
from firconv.kernels.lanes import HELD, clear, fma, lanes, load, spread, store
from firconv.kernels.minimal import (
    CHANNELS,
    GAP,
    HEIGHT,
    LINES,
    LOW_GAP,
    OUTS,
    PANEL,
    TILES,
    WIDTH,
    clear_rest,
    first_of,
    gather,
    into,
)
from firconv.kernels.strips import added, delivered
from firconv.kernels.turns import ended, settled

f4 = np.float32
INDEX = const(int64)
ROWS = 6 if HELD == 1 else 16  # channels of x that a micro-kernel holds at once, with two vectors of channels of g
POINTS, TAPS = 16, 9
NARROW = 8  # channels that are turned at once: their rows lie together in memory
NEAR = 4  # tiles, one after the other, of which the norm is taken together
SCRATCH = POINTS * PANEL

# numbers of a side, x or g: those of ``kernels.winograd`` where they are named alike, EVERY channels of an image
EVERY = OUTS
# numbers of a task: its first channel of g and of x, and how many; its first and last line of tiles, the lines and the
# columns of a block; its share of all channels, the part of the tiles, and how many parts there are; its first sum in
# the totals and in the result, and the step in the result from one channel of g to the next; all images
LOW_OUT, SOME, LOW_IN, INS, BEGIN, END, DEEP, BROAD, SHARE, PART, PARTS, TOTAL, TARGET, ALONG, IMAGES, TASK = range(16)


# --- one axis -------------------------------------------------------------------------------------------------------


@compiled()
def apart(x: Any, i: int, gap: int, out: Any, j: int, step: int, like: Any) -> None:
    """A·g for two vectors `gap` apart in x: four of them, written `step` apart."""
    a, b = load(x, i, like), load(x, i + gap, like)
    store(out, j, a)
    store(out, j + step, fma(f4(1), b, a))
    store(out, j + 2 * step, fma(f4(-1), b, a))
    store(out, j + 3 * step, b)


@compiled()
def back(x: Any, i: int, gap: int, out: Any, j: int, step: int, zero: Any) -> None:
    """Gᵀ·p for four vectors of sums: three of them."""
    a, b, c, d = load(x, i, zero), load(x, i + gap, zero), load(x, i + 2 * gap, zero), load(x, i + 3 * gap, zero)
    s = fma(f4(1), c, b)
    store(out, j, fma(f4(0.5), s, a))
    store(out, j + step, fma(f4(0.5), fma(f4(-1), c, b), zero))
    store(out, j + 2 * step, fma(f4(0.5), s, d))


# --- a block of tiles -----------------------------------------------------------------------------------------------


@compiled()
def _samples(strip: Any, span: int, wide: int, gap: int, tiles: int, scratch: Any, v: Any, to: int, step: int,
             pitch: int) -> None:  # fmt: skip
    """Transform the samples of a line of tiles: v[f·pitch + to + t·step + c]."""
    size, like = lanes(v), spread(f4(0), 1, 1)
    for t in range(tiles):
        first = first_of(t, 2, gap) * wide
        for c in range(0, wide, size):
            for b in range(4):
                into(2, strip, first + c + b * gap * wide, span * wide, scratch, b * size, 4 * size,
                     (12 + b) * size, like)
            for a in range(4):
                into(2, scratch, 4 * a * size, size, v, 4 * a * pitch + to + t * step + c, pitch,
                     (4 * a + 3) * pitch + to + t * step + c, like)


@compiled()
def _gradients(strip: Any, span: int, wide: int, gap: int, tiles: int, scratch: Any, u: Any, to: int, step: int,
               pitch: int) -> None:  # fmt: skip
    """Transform the output gradients of a line of tiles likewise."""
    size, like = lanes(u), spread(f4(0), 1, 1)
    for t in range(tiles):
        first = first_of(t, 2, gap) * wide
        for c in range(0, wide, size):
            for b in range(2):
                apart(strip, first + c + b * gap * wide, span * wide, scratch, b * size, 2 * size, like)
            for a in range(4):
                apart(scratch, 2 * a * size, size, u, 4 * a * pitch + to + t * step + c, pitch, like)


@compiled()
def _norms(strip: Any, rows: int, span: int, wide: int, count: int, every: int, reach: int, out: Any, to: int,
           step: int) -> None:  # fmt: skip
    """out[to + n·step + c] = the norm of `reach` columns from n·every on, over all rows, for n < count: all even."""
    size, zero, one = lanes(strip), spread(f4(0), 1, 1), f4(1)
    for n in range(count):
        for c in range(0, wide, size):
            a = b = d = e = zero
            for p in range(n * every, min(n * every + reach, span), 2):
                i = p * wide + c
                for r in range(0, rows, 2):
                    j = i + r * span * wide
                    k = j + span * wide
                    q, s, t = load(strip, j, a), load(strip, j + wide, a), load(strip, k, a)
                    u = load(strip, k + wide, a)
                    a, b, d, e = fma(q, q, a), fma(s, s, b), fma(t, t, d), fma(u, u, e)
            store(out, to + n * step + c, fma(one, fma(one, a, b), fma(one, d, e)))
        for k in range(to + n * step, to + n * step + wide):
            out[k] = sqrt(out[k])


@compiled()
def _product(v: Any, at: int, step: int, u: Any, low: int, wide: int, sixes: int, outs: int, tiles: int, total: Any,
             to: int) -> None:  # fmt: skip
    """total[to + panel, i, :] += Σ_t v[at + t·step + i]·u[low + t·wide + panel + :]: tiles one after the other."""
    zero, one = spread(f4(0), 2, 1), spread(f4(1), 2, 1)
    for o in range(0, outs, PANEL):
        for i in range(0, sixes, ROWS):
            places, sums = rows(at + i, at + i + ROWS - 1, 1, ROWS), bunch(zero, ROWS)
            for t in range(tiles):
                sums = fmas(v, places, t * step, load(u, low + o + t * wide, zero), sums)
            targets = rows(0, ROWS - 1, PANEL, ROWS)
            j = to + o * sixes + i * PANEL
            stores(total, targets, j, meet(total, targets, j, one, sums))


@compiled()
def _line(x: Any, n: int, rows: Any, columns: Any, first: int, high: int, span: int, shape: Any, strip: Any,
          wide: int) -> None:  # fmt: skip
    """Turn what line n of tiles reads: `high` rows, `span` places of each from the first on, channels innermost."""
    image, low = n // shape[LINES], first_of(n % shape[LINES], 2, shape[LOW_GAP])
    one = shape[HEIGHT] * shape[WIDTH]
    for c in range(0, shape[CHANNELS], NARROW):
        count, at = min(NARROW, shape[CHANNELS] - c), (image * shape[EVERY] + c) * one
        for a in range(high):
            row = rows[low + a * shape[LOW_GAP]]
            start = at + row * shape[WIDTH] if row >= 0 else -1
            gather(x, start, columns, first, first + span, shape, count, strip, a * span * wide + c, wide)


# --- the sums of a task ---------------------------------------------------------------------------------------------


@compiled()
def _taps(total: Any, sixes: int, ins: int, outs: int, scratch: Any, out: Any, to: int) -> None:
    """out[to + panel, i·9 + k, :] = Gᵀ·total[:, panel, i, :]·G; behind these the norms."""
    zero, pitch = spread(f4(0), 2, 1), sixes * outs
    for o in range(0, outs, PANEL):
        for i in range(ins):
            at, j = o * sixes + i * PANEL, to + (o * ins + i * PANEL) * TAPS
            for b in range(4):
                back(total, at + b * pitch, 4 * pitch, scratch, b * PANEL, 4 * PANEL, zero)
            for k in range(3):
                back(scratch, 4 * k * PANEL, PANEL, out, j + 3 * k * PANEL, PANEL, zero)
            store(out, to + outs * ins * TAPS + o * ins + i * PANEL, load(total, POINTS * pitch + at, zero))


@compiled()
def _loudest(total: Any, at: int, ins: int, outs: int) -> tuple[Any, int, int]:
    """The largest product of norms, or one that is not finite, and its channels of g and of x."""
    best, o, i = total[at], 0, 0
    for n in range(outs):
        for c in range(ins):
            value = total[at + n // PANEL * PANEL * ins + c * PANEL + n % PANEL]
            if not value <= best and best == best:
                best, o, i = value, n, c
    return best, o, i


@compiled()
def _terms(x: Any, g: Any, images: int, rows: Any, columns: Any, own: Any, other: Any) -> Any:
    """The largest Σ|g·x| under the taps of the middle row, for one channel of each."""
    a = b = c = 0.0
    step, low, gap = own[EVERY] * own[HEIGHT] * own[WIDTH], own[LOW_GAP], own[GAP]
    high, wide = other[HEIGHT], other[WIDTH]
    for n in range(images):
        for r in range(high):
            row = rows[r + low]
            if row >= 0:
                at, to = n * step + row * own[WIDTH], n * other[EVERY] * high * wide + r * wide
                for j in range(wide):
                    v, p, q, s = float(g[to + j]), columns[j], columns[j + gap], columns[j + 2 * gap]
                    a += abs(v * float(x[at + p])) if p >= 0 else 0.0
                    b += abs(v * float(x[at + q])) if q >= 0 else 0.0
                    c += abs(v * float(x[at + s])) if s >= 0 else 0.0
    return max(a, b, c)


@compiled()
def _widths(ins: int, size: int) -> tuple[int, int, int]:
    """Channels of x filled up to vectors, to rows of the micro-kernel, and their step: odd, for the cache's sake."""
    wide, sixes = (ins + size - 1) // size * size, (ins + ROWS - 1) // ROWS * ROWS
    return wide, sixes, (max(wide, sixes) + size - 1) // size // 2 * 2 * size + size


@compiled(
    lambda t: (
        const(t), const(t), *(INDEX,) * 4, const(int64, 2), const(int64, 2), mutable(int64), int64, mutable(int64),
        mutable(t), mutable(t), mutable(float64, 2), mutable(t),
    ),
    ["float32"],
)  # fmt: skip
def fill(
    x: Any, g: Any, rows: Any, columns: Any, out_rows: Any, out_columns: Any, sides: Any, tasks: Any, counter: Any,
    number: int, parted: Any, work: Any, totals: Any, found: Any, out: Any,
) -> None:  # fmt: skip
    """Fill the gradient: tasks from the counter on until there is none left.

    Parameters
    ----------
    rows, columns, out_rows, out_columns : for each row and column that the tiles read, which of x and of g; −1 where it
        is absent
    sides : the numbers of x and of g with the channels of a share, two rows for each
    tasks : the numbers named above
    counter, number : of ``kernels.turns``, and of this worker
    parted : parts of each share that have ended, shared by the workers
    work : room for `room(…)` numbers
    totals : room for the sums of all tasks, shared
    found : for every share the largest product of the norms of two channels, and for these two the largest Σ|g·x|
    """
    size, b, over = lanes(x), take(counter), False
    while b < len(tasks):
        task = tasks[b]
        own, other = sides[2 * task[SHARE]], sides[2 * task[SHARE] + 1]
        ins, outs, gap = task[INS], (task[SOME] + PANEL - 1) // PANEL * PANEL, own[GAP]
        wide, sixes, step = _widths(ins, size)
        low, most, near = outs + size, task[DEEP] * task[BROAD] * gap, (task[BROAD] + NEAR - 1) // NEAR
        pitch, lower = most * step + PANEL, most * low + PANEL
        v, u = work[SCRATCH:], work[SCRATCH + POINTS * pitch + task[DEEP] * near * step :]
        total = u[POINTS * lower + task[DEEP] * near * low :]
        strip = total[(POINTS + 1) * sixes * outs :]
        xs, gs = x[task[LOW_IN] * own[HEIGHT] * own[WIDTH] :], g[task[LOW_OUT] * other[HEIGHT] * other[WIDTH] :]
        clear(total, 0, (POINTS + 1) * sixes * outs)
        for begin in range(task[BEGIN], task[END], task[DEEP]):
            lines = min(task[DEEP], task[END] - begin)
            for left in range(0, own[TILES], task[BROAD] * gap):
                tiles = min(task[BROAD] * gap, own[TILES] - left)
                broad = (tiles + gap - 1) // gap * 2 * gap
                span, every, count = broad + 2 * gap, 2 * NEAR * gap, (broad // (2 * gap) + NEAR - 1) // NEAR
                clear_rest(strip, 4 * span, ins, wide)
                for n in range(lines):
                    _line(xs, begin + n, rows, columns, 2 * left, 4, span, own, strip, wide)
                    _samples(strip, span, wide, gap, tiles, work, v, n * tiles * step, step, pitch)
                    to = POINTS * pitch + n * count * step
                    _norms(strip, 4, span, wide, count, every, every + 2 * gap, v, to, step)
                clear_rest(strip, 2 * broad, task[SOME], outs)
                for n in range(lines):
                    _line(gs, begin + n, out_rows, out_columns, 2 * left, 2, broad, other, strip, outs)
                    _gradients(strip, broad, outs, gap, tiles, work, u, n * tiles * low, low, lower)
                    _norms(strip, 2, broad, outs, count, every, every, u, POINTS * lower + n * count * low, low)
                for f in range(POINTS + 1):
                    terms = lines * (tiles if f < POINTS else count)
                    _product(v, f * pitch, step, u, f * lower, low, sixes, outs, terms, total, f * sixes * outs)
        whole = (TAPS + 1) * ins * outs
        _taps(total, sixes, ins, outs, work, totals, task[TOTAL])
        if take(parted[task[SHARE] :]) == task[PARTS] - 1:
            sums = totals[task[TOTAL] - task[PART] * whole :]
            added(sums, whole, task[PARTS])
            delivered(sums, task[SOME], ins * TAPS, task[ALONG], 1, out, task[TARGET])
            best, o, i = _loudest(sums, TAPS * ins * outs, ins, task[SOME])
            xs, gs = xs[i * own[HEIGHT] * own[WIDTH] :], gs[o * other[HEIGHT] * other[WIDTH] :]
            found[task[SHARE], 0] = best
            found[task[SHARE], 1] = _terms(xs, gs, task[IMAGES], rows, columns, own, other)
        over = ended(counter, len(tasks))
        b = take(counter)
    settled(counter, len(tasks), number, over)


def room(lines: int, columns: int, gap: int, ins: int, outs: int) -> int:
    """Numbers of `work` for blocks of some lines and columns of `gap` tiles each."""
    sixes, step, outs = -(-ins // ROWS) * ROWS, -(-ins // 8) * 8 + 16, -(-outs // PANEL) * PANEL
    tiles, near = lines * columns * gap, lines * -(-columns // NEAR)
    sides = (POINTS * tiles + near) * (step + outs + 8) + 2 * POINTS * PANEL
    strip = max(4 * (columns + 1) * 2 * gap * step, 2 * columns * 2 * gap * outs)
    return SCRATCH + sides + (POINTS + 1) * sixes * outs + strip
