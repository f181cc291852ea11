"""The taps' side of minimal filtering: G·g·Gᵀ, prepared once, or on the way where a call brings its weights.

    G·g of F(2, 3): g₀, (g₀ + g₁ + g₂)/2, (g₀ − g₁ + g₂)/2, g₂

F(2, 3) has the same bits either way. F(4, 3), whose matrix has sixths, is always prepared, in double precision.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from firconv.kernels.compiled import compiled
from firconv.kernels.lanes import HELD, clear, fma, lanes, load, loudest, spread, store, turn, width
from firconv.kernels.minimal import PANEL
from firconv.kernels.strips import turned

f4 = np.float32
TAPS = 9
SOME = 8  # channels whose taps are turned together
CHUNK = 64  # channels that are transformed before they are multiplied: they stay in the second-level cache
PITCH = CHUNK * PANEL + PANEL  # numbers of a point of a chunk, not a multiple of the page
OWN = SOME * TAPS * PANEL + 16 * PITCH  # room for both

SPREAD = 8.0  # of `firconv.nn.winograd`, which says why

#: G of F(1, 1), F(2, 3) and F(4, 3).
FILTERS: dict[int, list[list[float]]] = {
    1: [[1]],
    2: [[1, 0, 0], [1 / 2, 1 / 2, 1 / 2], [1 / 2, -1 / 2, 1 / 2], [0, 0, 1]],
    4: [[1 / 4, 0, 0], [-1 / 6, -1 / 6, -1 / 6], [-1 / 6, 1 / 6, -1 / 6], [1 / 24, 1 / 12, 1 / 6],
        [1 / 24, -1 / 12, 1 / 6], [0, 0, 1]],
}  # fmt: skip


# --- prepared -------------------------------------------------------------------------------------------------------


def weights(w: np.ndarray, down: int, across: int) -> np.ndarray:
    """G·g·Gᵀ of w (O, C, K₁, K₂) in panels of 16 outputs: (O/16, points, channels filled up to 8, 16)."""
    outs, count = w.shape[:2]
    panels, wide = -(-outs // PANEL), -(-count // 8) * 8
    points = len(FILTERS[down]) * len(FILTERS[across])
    u = np.zeros((panels, points, wide, PANEL), np.float32)
    for o in range(panels):
        part = w[o * PANEL : (o + 1) * PANEL]
        if down == 4 or across == 4:
            matrix = np.kron(FILTERS[down], FILTERS[across]).T
            transformed = (part.reshape(-1, matrix.shape[0]).astype(np.float64) @ matrix).T
        else:
            rows = _halved(part.transpose(2, 3, 0, 1), down)
            transformed = _halved(rows.swapaxes(0, 1), across).swapaxes(0, 1)
        u[o, :, :count, : len(part)] = transformed.reshape(points, len(part), count).swapaxes(1, 2)
    return u.reshape(-1)


def _halved(g: np.ndarray, m: int) -> np.ndarray:
    """G·g along the first axis, rounded as the kernel rounds."""
    if m == 1:
        return g
    half, outer = np.float32(0.5), g[0] + g[2]
    return np.stack([g[0], half * (outer + g[1]), half * (outer - g[1]), g[2]])


# --- on the way -----------------------------------------------------------------------------------------------------


@compiled()
def _middle(a: Any, b: Any, c: Any) -> Any:
    """(a + b + c)/2 and (a − b + c)/2."""
    zero, s = spread(f4(0), HELD, 1), fma(f4(1), c, a)
    return fma(f4(0.5), fma(f4(1), b, s), zero), fma(f4(0.5), fma(f4(-1), b, s), zero)


@compiled()
def _row(x: Any, i: int, like: Any) -> Any:
    """Three taps of some outputs."""
    return load(x, i, like), load(x, i + PANEL, like), load(x, i + 2 * PANEL, like)


@compiled()
def _across(a: Any, b: Any, c: Any, u: Any, to: int) -> None:
    """G·g of three vectors: four points."""
    p, q = _middle(a, b, c)
    store(u, to, a)
    store(u, to + PITCH, p)
    store(u, to + 2 * PITCH, q)
    store(u, to + 3 * PITCH, c)


@compiled()
def _largest(w: Any, at: int, gap: int, outs: int, count: int, tops: Any, to: int) -> None:
    """tops[to + j] = the largest |w[at + o·gap + j]| of `outs` rows of `count` numbers, and what was there."""
    size, like = lanes(w), spread(f4(0), 1, 1)
    for start in range(0, count, size):
        j = min(start, count - size)
        m = load(tops, to + j, like)
        for o in range(outs):
            m = loudest(load(w, at + o * gap + j, like), m)
        store(tops, to + j, m)


@compiled()
def _square(w: Any, at: int, gap: int, own: Any, j: int, tops: Any, to: int) -> None:
    """Turn a square, of which the rows, once loaded, are looked at too."""
    like = spread(f4(0), 1, 1)
    m = load(tops, to, like)
    for o in range(8):
        m = loudest(load(w, at + o * gap, like), m)
    turn(w, at, gap, own, j, PANEL)
    store(tops, to, m)


@compiled()
def transform(w: Any, at: int, channels: int, outs: int, first: int, count: int, tops: Any, low: int, own: Any) -> int:
    """Transform the taps of some channels, for up to 16 outputs: own[returned + f·PITCH + c·16 + o].

    Parameters
    ----------
    w, at, channels : weights (O, channels, 3, 3), and where those of the first output begin
    outs : how many there are
    first, count : the channels; those beyond the last one are zeros
    tops, low : from `low` on, the largest |w| of every channel and tap
    """
    here, gap = min(count, channels - first), channels * TAPS
    room, like = SOME * TAPS * PANEL, spread(f4(0), HELD, 1)
    for c in range(0, count, SOME):
        some, i, to = min(SOME, here - c), at + (first + c) * TAPS, low + (first + c) * TAPS
        if outs == PANEL and some == SOME:
            for j in range(0, SOME * TAPS, 8):
                _square(w, i + j, gap, own, j * PANEL, tops, to + j)
                _square(w, i + 8 * gap + j, gap, own, j * PANEL + 8, tops, to + j)
        else:
            clear(own, 0, room)
            if some > 0:
                turned(w, i, gap, outs, some * TAPS, own, 0, PANEL)
                _largest(w, i, gap, outs, some * TAPS, tops, to)
        for k in range(SOME):
            for o in range(0, PANEL, width(like)):
                j, t = k * TAPS * PANEL + o, room + (c + k) * PANEL + o
                a, b, d = _row(own, j, like)
                e, f, g = _row(own, j + 3 * PANEL, like)
                p, q, r = _row(own, j + 6 * PANEL, like)
                _across(a, b, d, own, t)
                _across(p, q, r, own, t + 12 * PITCH)
                a, p = _middle(a, e, p)
                b, q = _middle(b, f, q)
                d, r = _middle(d, g, r)
                _across(a, b, d, own, t + 4 * PITCH)
                _across(p, q, r, own, t + 8 * PITCH)
    return room


@compiled()
def uneven(tops: Any) -> bool:
    """Whether a weight is not finite, or the largest of some tap is small beside another's of its channel.

    The largest of every channel and tap are those of all rows of `tops` together.
    """
    for c in range(0, tops.shape[1], TAPS):
        low, high = f4(np.inf), f4(0)
        for k in range(c, c + TAPS):
            top = tops[0, k]
            for row in range(1, len(tops)):
                top = top if top > tops[row, k] or top != top else tops[row, k]
            if not top < f4(np.inf):
                return True
            low, high = min(low, top), max(high, top)
        if low * f4(SPREAD) < high:
            return True
    return False
