"""Winograd's minimal filtering F(m, 3): m outputs of a filter with 3 taps from m + 2 multiplications; float32.

    y = Aᵀ·[(G·g) ⊙ (Bᵀ·d)]            d: m + 2 samples, g: 3 taps, ⊙: products of single numbers

nested along the last two axes (m₁ × m₂ tiles) and summed over channels between the two transforms, so each of the
(m₁ + 2)·(m₂ + 2) products is a matrix product: tiles × channels times channels × outputs. An axis without taps has
m = 1 and no transform. The points are 0, ±1 (m = 2), ±2 (m = 4) and ∞. Taps of a dilated axis lie `gap` samples apart,
and so do the samples and outputs of a tile: it is a tile of one phase, with the tiles of the others in between. More
than three taps are cut into segments of three, each of which has its own samples and is summed like a further channel.

The channels lie innermost (samples are turned on reading and outputs on writing), so vectors run along channels
whatever the size of the map. Every sum is one chain in the order of the channels, so the bits of a tile depend on
nothing but the tile. What a transform cannot keep is kept otherwise: outputs whose samples are all zero are set to zero
here, and `fill` says whether an output is not finite, for the caller to sum these tiles directly.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import boolean, int64

from firconv.kernels.bunches import bunch, fmas, loads, rows, stores, take
from firconv.kernels.compiled import compiled, const, mutable
from firconv.kernels.lanes import HELD, fma, lanes, least, load, loudest, prefetch, spread, store, width
from firconv.kernels.minimal import (
    ACROSS,
    CHANNELS,
    DOWN,
    GAP,
    GROUPS,
    HEIGHT,
    LINES,
    LOW_GAP,
    LOW_TAPS,
    OUT_HEIGHT,
    OUT_WIDTH,
    OUTS,
    PANEL,
    TAPS,
    TILES,
    WIDTH,
    clear_rest,
    first_of,
    gather,
    into,
)
from firconv.kernels.minimal_taps import CHUNK, OWN, PITCH, transform, uneven
from firconv.kernels.strips import turned
from firconv.kernels.turns import ended, settled

f4 = np.float32
INDEX = const(int64)
UNIT = 2 * HELD  # a micro-kernel takes three times or two times so many tiles: sums that hide their latency
THREE, TWO = 3 * UNIT, 2 * UNIT
SCRATCH = 36 * PANEL


# --- one axis -------------------------------------------------------------------------------------------------------


@compiled()
def out_of(m: int, x: Any, i: int, gap: int, last: int, out: Any, j: int, step: int, bias: Any) -> None:
    """Aᵀ·p + bias for m + 2 vectors of products, `gap` apart, but the last of them at `last`."""
    if m == 1:
        store(out, j, fma(f4(1), load(x, i, bias), bias))
        return
    m0, m1, m2 = load(x, i, bias), load(x, i + gap, bias), load(x, i + 2 * gap, bias)
    s, d = fma(f4(1), m2, m1), fma(f4(-1), m2, m1)
    if m == 2:
        store(out, j, fma(f4(1), fma(f4(1), s, m0), bias))
        store(out, j + step, fma(f4(1), fma(f4(1), d, load(x, last, bias)), bias))
        return
    m3, m4, m5 = load(x, i + 3 * gap, bias), load(x, i + 4 * gap, bias), load(x, last, bias)
    t, e = fma(f4(1), m4, m3), fma(f4(-1), m4, m3)
    store(out, j, fma(f4(1), fma(f4(1), m0, fma(f4(1), s, t)), bias))
    store(out, j + step, fma(f4(1), fma(f4(2), e, d), bias))
    store(out, j + 2 * step, fma(f4(1), fma(f4(4), t, s), bias))
    store(out, j + 3 * step, fma(f4(1), fma(f4(1), m5, fma(f4(8), e, d)), bias))


@compiled()
def points(m: int) -> int:
    """Products for m outputs of a filter with 3 taps; 1 without taps."""
    return m + 2 if m > 1 else 1


@compiled()
def _silent(strip: Any, at: int, wide: int, scratch: Any) -> bool:
    """True where all channels of a sample, filled up to vectors, are zero."""
    if strip[at] != 0:
        return False
    loud = spread(f4(0), 1, 1)
    for c in range(0, wide, lanes(strip)):
        loud = loudest(load(strip, at + c, loud), loud)
    store(scratch, 0, loud)
    for c in range(lanes(strip)):
        if scratch[c] != 0:
            return False
    return True


@compiled()
def _quiet(
    strip: Any, columns: int, wide: int, down: int, shape: Any, width: int, first: int, scratch: Any, quiet: Any,
    found: int,
) -> int:  # fmt: skip
    """Append the outputs of a line of tiles whose samples are all zero: index in the block's rows of outputs."""
    high, broad, gap = shape[LOW_TAPS], shape[TAPS], shape[GAP]
    for r in range(down):
        for phase in range(gap):
            run = 0
            for p in range(phase, columns, gap):
                silent = True
                for k in range(high):
                    silent = silent and _silent(strip, ((r + k) * columns + p) * wide, wide, scratch)
                run = run + 1 if silent else 0
                j = p - (broad - 1) * gap
                if run >= broad and j < width:
                    quiet[found] = (first + r) * width + j
                    found += 1
    return found


# --- a block of tiles -----------------------------------------------------------------------------------------------


@compiled()
def _reaches(line: int, shape: Any) -> bool:
    """Whether a line of tiles has its last row of outputs."""
    down, gap = shape[DOWN], shape[LOW_GAP]
    return first_of(line % shape[LINES], down, gap) + (down - 1) * gap < shape[OUT_HEIGHT]


@compiled()
def _whole(tiles: int, first: int, shape: Any) -> int:
    """Of some tiles of a line, the first ones, which have their last column of outputs."""
    across, gap = shape[ACROSS], shape[GAP]
    while tiles > 0 and first_of(first + tiles - 1, across, gap) + (across - 1) * gap >= shape[OUT_WIDTH]:
        tiles -= 1
    return tiles


@compiled()
def _tiles(
    strip: Any, columns: int, wide: int, down: int, across: int, gap: int, line: int, tall: int, tiles: int, whole: int,
    pitch: int, segments: Any, scratch: Any, v: Any, like: Any,
) -> None:  # fmt: skip
    """Transform a line of tiles: v[f·pitch + (t·segments + s)·wide + c].

    Tile t is column `line`·tiles + t of a point. The last point across serves the last output of a tile alone, and is
    left out where that does not exist: of `whole` tiles of a line, those behind are written over by the next line. So
    are the last points down of lines that lack their last row; those that have it are counted by `tall`.
    """
    size, a1, a2, n = width(like), points(down), points(across), len(segments) // 2
    for k in range(tiles * n):
        j, s = k // n, k % n
        first = (segments[2 * s] * columns + segments[2 * s + 1] * gap + first_of(j, across, gap)) * wide
        for start in range(0, wide, size):
            c = least(start, wide - size)
            at = first + c
            for b in range(a2):
                place = b * size
                into(
                    down, strip, at + b * gap * wide, columns * wide, scratch, place, a2 * size,
                    place + (a1 - 1) * a2 * size, like,
                )  # fmt: skip
            for a in range(a1):
                row = tall if a == a1 - 1 else line
                to = a * a2 * pitch + ((row * tiles + j) * n + s) * wide + c
                last = ((a + 1) * a2 - 1) * pitch + ((row * whole + min(j, whole)) * n + s) * wide + c
                into(across, scratch, a * a2 * size, size, v, to, pitch, last, like)


@compiled()
def _filled(tiles: int) -> int:
    """Tiles with those that fill up the last micro-kernel."""
    return max(TWO, (tiles + UNIT - 1) // UNIT * UNIT)


@compiled()
def _chain(
    x: Any, i: int, gap: int, u: Any, at: int, n: int, more: bool, out: Any, to: int, zero: Any, start: Any
) -> None:  # fmt: skip
    """Some tiles times sixteen outputs, summed over channels; meanwhile the next product's weights are brought near."""
    sums, end = start, len(start) - 1
    places, targets = rows(0, end, gap, len(start)), rows(0, end, PANEL, len(start))
    if more:
        sums = loads(out, targets, to, zero)
    for k in range(n):
        prefetch(u, at + PANEL * (k + n))
        sums = fmas(x, places, i + k, load(u, at + PANEL * k, zero), sums)
    stores(out, targets, to, sums)


@compiled()
def _products(
    v: Any, i: int, pitch: int, wide: int, u: Any, at: int, step: int, n: int, down: int, across: int, counts: Any,
    more: bool, near: Any, ahead: int, gap: int, some: int, out: Any,
) -> None:  # fmt: skip
    """out[f, t, :] = Σ_c v[i + f·pitch + t·wide + c]·u[at + f·step + c·16 + :] for sixteen outputs and n channels.

    Channels one after the other; `more` adds them to the sums of others. Of the tiles only those count that a point
    serves: counts = all of them, those with a last column of outputs, with a last row, and with both. Meanwhile
    near[ahead + f·gap …] is brought near, `some` numbers for every point f.
    """
    zero, a2 = spread(f4(0), 2, 1), points(across)
    for f in range(points(down) * a2):
        tiles = counts[2 * (f // a2 == points(down) - 1) + (f % a2 == a2 - 1)]
        units = _filled(tiles) // UNIT if tiles > 0 else 0
        whole = (units - 2 * (-units % 3)) * UNIT
        for j in range(0, some, 16):
            prefetch(near, ahead + f * gap + j)
        for t in range(0, whole, THREE):
            to = (f * counts[0] + t) * PANEL
            _chain(v, i + f * pitch + t * wide, wide, u, at + f * step, n, more, out, to, zero, bunch(zero, THREE))
        for t in range(whole, units * UNIT, TWO):
            to = (f * counts[0] + t) * PANEL
            _chain(v, i + f * pitch + t * wide, wide, u, at + f * step, n, more, out, to, zero, bunch(zero, TWO))


@compiled()
def _by_chunks(
    v: Any, pitch: int, wide: int, w: Any, at: int, channels: int, outs: int, tops: Any, low: int, own: Any,
    counts: Any, out: Any,
) -> None:  # fmt: skip
    """The products with weights (O, channels, 3, 3), from w[at] on, that are transformed some channels at a time."""
    for c in range(0, wide, CHUNK):
        n = min(CHUNK, wide - c)
        u = transform(w, at, channels, outs, c, n, tops, low, own)
        gap = channels * 9
        ahead = at + (c + CHUNK) * 9 if c + CHUNK < wide else at + PANEL * gap
        _products(
            v, c, pitch, wide, own, u, PITCH, n, 2, 2, counts, c > 0, w, ahead, gap, CHUNK * 9, out
        )  # fmt: skip


@compiled()
def _outputs(
    m: Any, tiles: int, whole: int, padded: int, box: Any, shape: Any, wide: int, scratch: Any, bias: Any, y: Any
) -> Any:  # fmt: skip
    """Transform products back: y[row of outputs, column, :]; the sum of 0·y, which is NaN if any is not finite.

    An output that does not exist is given another product instead of the one it lacks.
    """
    down, across, gap = shape[DOWN], shape[ACROSS], shape[GAP]
    a1, a2, tall = points(down), points(across), 0
    zero = check = spread(f4(0), 2, 1)
    for line in range(box[1] - box[0]):
        last = _reaches(box[0] + line, shape)
        for t in range(tiles):
            for b in range(a2):
                e = b if b < a2 - 1 or t < whole else 0
                n = tiles if e < a2 - 1 else whole
                at = (e * padded + line * n + t) * PANEL
                end = (((a1 - 1) * a2 + e) * padded + tall * n + t) * PANEL if last else at
                out_of(down, m, at, a2 * padded * PANEL, end, scratch, b * PANEL, a2 * PANEL, zero)
            for r in range(down):
                to = ((line * down + r) * wide + first_of(t, across, gap)) * PANEL
                row = r * a2 * PANEL
                out_of(across, scratch, row, PANEL, row + (a2 - 1) * PANEL, y, to, gap * PANEL, bias)
                for s in range(across):
                    check = fma(f4(0), load(y, to + s * gap * PANEL, zero), check)
        tall += last
    return check


@compiled()
def _deliver(y: Any, box: Any, shape: Any, o: int, width: int, out: Any, start: int) -> None:
    """The outputs of one panel that exist."""
    down, gap, step = shape[DOWN], shape[LOW_GAP], shape[OUT_HEIGHT] * shape[OUT_WIDTH]
    first, outs = box[2] * shape[ACROSS] * shape[GAP], min(PANEL, shape[OUTS] - o * PANEL)
    n = min(width, shape[OUT_WIDTH] - first)
    for g in range(box[0], box[1]):
        image, low = g // shape[LINES], first_of(g % shape[LINES], down, gap)
        for r in range(down):
            if low + r * gap < shape[OUT_HEIGHT]:
                to = start + (image * shape[GROUPS] * shape[OUTS] + o * PANEL) * step
                to += (low + r * gap) * shape[OUT_WIDTH] + first
                turned(y, ((g - box[0]) * down + r) * width * PANEL, PANEL, n, outs, out, to, step)


@compiled()
def _box(
    x: Any, group: int, w: Any, tops: Any, own: Any, u: Any, bias: Any, rows: Any, columns: Any, segments: Any,
    shape: Any, box: Any, found: int, work: Any, quiet: Any, out: Any,
) -> tuple[bool, int]:  # fmt: skip
    """Fill a block of tiles: whether an output of them is not finite, and how many outputs have no samples but zeros.

    `found` is below zero, or what the last call with the same samples gave: then they are still in `work`, transformed.
    """
    down, across, gap = shape[DOWN], shape[ACROSS], shape[GAP]
    first = group * shape[CHANNELS] * shape[HEIGHT] * shape[WIDTH]
    start = group * shape[OUTS] * shape[OUT_HEIGHT] * shape[OUT_WIDTH]
    wide = (shape[CHANNELS] + lanes(x) - 1) // lanes(x) * lanes(x)
    broad, length = min(box[3] * gap, shape[TILES]) - box[2] * gap, (box[3] - box[2]) * across * gap
    whole, tall = _whole(broad, box[2] * gap, shape), 0
    for g in range(box[0], box[1]):
        tall += _reaches(g, shape)
    padded = _filled((box[1] - box[0]) * broad)
    counts = padded, (box[1] - box[0]) * whole, tall * broad, tall * whole
    last = len(segments) - 2
    span = length + (segments[last + 1] + points(across) - across) * gap
    high, count = segments[last] + points(down), points(down) * points(across)
    deep = (last // 2 + 1) * wide
    pitch = padded * deep + PANEL  # not a multiple of the page: 36 streams would share a line of the cache
    v = work[SCRATCH:]
    m = v[count * pitch :]
    y = m[count * padded * PANEL :]
    strip = y[(box[1] - box[0]) * down * length * PANEL :]
    like = spread(f4(0), HELD, 1)
    step = shape[GROUPS] * shape[CHANNELS] * shape[HEIGHT] * shape[WIDTH]
    if found < 0:
        found = tall = 0
        clear_rest(strip, high * span, shape[CHANNELS], wide)
        for g in range(box[0], box[1]):
            image, low = g // shape[LINES], first_of(g % shape[LINES], down, shape[LOW_GAP])
            for a in range(high):
                row = rows[low + a * shape[LOW_GAP]]
                at = first + image * step + row * shape[WIDTH] if row >= 0 else -1
                p0 = box[2] * across * gap
                gather(x, at, columns, p0, p0 + span, shape, shape[CHANNELS], strip, a * span * wide, wide)
            found = _quiet(strip, span, wide, down, shape, length, (g - box[0]) * down, work, quiet, found)
            if wide < width(like):
                _tiles(
                    strip, span, wide, down, across, gap, g - box[0], tall, broad, whole, pitch, segments, work, v,
                    spread(f4(0), 1, 1),
                )  # fmt: skip
            else:
                _tiles(
                    strip, span, wide, down, across, gap, g - box[0], tall, broad, whole, pitch, segments, work, v, like
                )  # fmt: skip
            tall += _reaches(g, shape)
    bad = False
    for o in range(box[4], box[5]):
        if len(w) > 0:
            at, outs = (group * shape[OUTS] + o * PANEL) * shape[CHANNELS] * 9, min(PANEL, shape[OUTS] - o * PANEL)
            _by_chunks(v, pitch, wide, w, at, shape[CHANNELS], outs, tops, group * shape[CHANNELS] * 9, own, counts, m)
        else:
            _products(
                v, 0, pitch, deep, u, o * count * deep * PANEL, deep * PANEL, deep, down, across, counts, False, u, 0,
                0, 0, m,
            )  # fmt: skip
        b = load(bias, o * PANEL, spread(f4(0), 2, 1))
        store(work, 0, _outputs(m, broad, whole, padded, box, shape, length, work, b, y))
        for k in range(PANEL):
            bad = bad or work[k] != 0
        for k in range(found):
            store(y, quiet[k] * PANEL, b)
        _deliver(y, box, shape, o, length, out, start)
    return bad, found


@compiled(
    lambda t: (
        const(t), const(t), mutable(t, 2), int64, const(t, 2), const(t, 2), *(INDEX,) * 4, const(int64, 2),
        mutable(int64), mutable(boolean), mutable(t), mutable(int64), mutable(t),
    ),
    ["float32"],
)  # fmt: skip
def fill(
    x: Any, w: Any, tops: Any, number: int, u: Any, bias: Any, rows: Any, columns: Any, segments: Any, shape: Any,
    boxes: Any, counter: Any, bad: Any, work: Any, quiet: Any, out: Any,
) -> None:  # fmt: skip
    """Fill blocks of tiles, from the counter on until there is none left.

    Parameters
    ----------
    x : (N·groups·C·H·W,)
    w : weights (groups·O, C, 3, 3) of F(2, 3) that are transformed on the way, or nothing
    tops, number : then the largest |w| of every channel and tap that each worker met, (workers, groups·C·9), and whose
        row is this one's
    u : otherwise transformed weights of each group by panels of 16 outputs, (O/16, points, segments, channels, 16),
        channels a multiple of 8
    bias : (groups, O) filled up to panels
    rows, columns : for each row and column that the tiles read, which of the image; −1 where it is absent
    segments : the first tap of each, down and across
    shape : the numbers named above
    boxes : group, lines of tiles g0, g1 (all images in one count), columns j0, j1 of `GAP` tiles each, panels o0, o1
    counter : of ``kernels.turns``; its own number counts the blocks that are filled
    bad : set for the blocks with an output of their tiles that is not finite, and behind them for uneven weights
    work, quiet : room for `room(…)` numbers, and for a block's outputs of one channel
    out : (N·groups·O·OH·OW,)
    """
    own, rest = work[:OWN], work[OWN:]
    before, found, mine, last = -1, -1, tops[number], False
    b = take(counter)
    while b < len(boxes):
        box, group = boxes[b, 1:], boxes[b, 0]
        same = before >= 0
        for k in range(5):  # of the samples; shares of the outputs have the same
            same = same and boxes[before, k] == boxes[b, k]
        bad[b], found = _box(
            x, group, w, mine, own, u[group], bias[group], rows, columns, segments, shape, box, found if same else -1,
            rest, quiet, out,
        )  # fmt: skip
        if take(counter[3:]) == len(boxes) - 1 and len(w) > 0:
            bad[len(boxes)] = uneven(tops)
        last = ended(counter, len(boxes))
        before, b = b, take(counter)
    settled(counter, len(boxes), number, last)


def room(rows: int, columns: int, channels: int, down: int, across: int, gap: int, segments: Any) -> int:
    """Numbers of `work` for a block of some lines and columns of `gap` tiles each."""
    wide = -(-channels // 8) * 8
    padded = max(TWO, -(-rows * columns * gap // UNIT) * UNIT)
    a1, a2 = (m + 2 if m > 1 else 1 for m in (down, across))
    low, last = segments[-1]
    width = columns * across * gap
    strip = (a1 + low) * (width + (last + a2 - across) * gap) * wide
    deep = len(segments) * wide
    return OWN + SCRATCH + a1 * a2 * (padded * deep + PANEL + padded * PANEL) + rows * down * width * PANEL + strip
