"""What the kernels of minimal filtering share: names of a layer's numbers, Bᵀ, reading with channels innermost."""

from __future__ import annotations

from typing import Any

import numpy as np

from firconv.kernels.compiled import compiled
from firconv.kernels.lanes import clear, fma, lanes, load, store, turn

f4 = np.float32
PANEL = 16  # channels that a micro-kernel holds at once, two vectors

# names of the numbers in `shape`
CHANNELS, HEIGHT, WIDTH, OUTS, OUT_HEIGHT, OUT_WIDTH, DOWN, ACROSS = range(8)
LOW_GAP, GAP, LINES, TILES, INSIDE, BEYOND, GROUPS, LOW_TAPS, TAPS = range(8, 17)


@compiled()
def into(m: int, x: Any, i: int, gap: int, out: Any, j: int, step: int, last: int, like: Any) -> None:
    """Bᵀ·d for m + 2 vectors `gap` apart in x, written `step` apart, but the last of them at `last`."""
    if m == 1:
        store(out, last, load(x, i, like))
        return
    d0, d1, d2, d3 = load(x, i, like), load(x, i + gap, like), load(x, i + 2 * gap, like), load(x, i + 3 * gap, like)
    if m == 2:
        store(out, j, fma(f4(-1), d2, d0))
        store(out, j + step, fma(f4(1), d1, d2))
        store(out, j + 2 * step, fma(f4(-1), d1, d2))
        store(out, last, fma(f4(-1), d1, d3))
        return
    d4, d5 = load(x, i + 4 * gap, like), load(x, i + 5 * gap, like)
    p, q = fma(f4(-4), d2, d4), fma(f4(-4), d1, d3)
    r, s = fma(f4(-1), d2, d4), fma(f4(-1), d1, d3)
    store(out, j, fma(f4(4), d0, fma(f4(-5), d2, d4)))
    store(out, j + step, fma(f4(1), q, p))
    store(out, j + 2 * step, fma(f4(-1), q, p))
    store(out, j + 3 * step, fma(f4(2), s, r))
    store(out, j + 4 * step, fma(f4(-2), s, r))
    store(out, last, fma(f4(4), d1, fma(f4(-5), d3, d5)))


@compiled()
def first_of(t: int, m: int, gap: int) -> int:
    """The first output of tile t of an axis: `gap` tiles lie interleaved, and reach over m·gap outputs."""
    return t // gap * m * gap + t % gap


@compiled()
def _column(x: Any, at: int, gap: int, count: int, strip: Any, to: int, present: bool) -> None:
    """All channels of one sample."""
    if not present:
        clear(strip, to, count)
        return
    for c in range(count):
        strip[to + c] = x[at + c * gap]


@compiled()
def gather(
    x: Any, row: int, columns: Any, p0: int, p1: int, shape: Any, count: int, strip: Any, to: int, wide: int
) -> None:  # fmt: skip
    """Samples p0 … p1 − 1 of one row, channels innermost; row < 0 or columns[p] < 0 says that they are absent."""
    gap = shape[HEIGHT] * shape[WIDTH]
    lo, hi, size = max(p0, shape[INSIDE]), min(p1, shape[BEYOND]), lanes(x)
    one = lo < hi and lo + size <= p1 and row + columns[lo] + (count - 1) * gap + size <= len(x)
    if row < 0 or hi - lo < (1 if one else size):  # one vector may overrun: what lies behind is written over it
        lo = hi = p1
    whole = count // size * size
    for p in range(p0, lo):
        _column(x, row + columns[p], gap, count, strip, to + (p - p0) * wide, row >= 0 and columns[p] >= 0)
    for c in range(0, whole, size):
        for start in range(lo, hi, size):
            p = max(lo, min(start, hi - size))
            turn(x, row + columns[p] + c * gap, gap, strip, to + (p - p0) * wide + c, wide)
    for p in range(lo, hi):
        _column(x, row + columns[p] + whole * gap, gap, count - whole, strip, to + (p - p0) * wide + whole, True)
    for p in range(hi, p1):
        _column(x, row + columns[p], gap, count, strip, to + (p - p0) * wide, row >= 0 and columns[p] >= 0)


@compiled()
def clear_rest(strip: Any, places: int, count: int, wide: int) -> None:
    """Zero the channels that fill up the vectors: the memory may hold NaN of another block, and NaN·0 is NaN."""
    for p in range(places):
        for c in range(p * wide + count, (p + 1) * wide):
            strip[c] = 0
