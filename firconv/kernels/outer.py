"""Sums over positions: the gradient of the weights of dense layers.

    out[c, o] = Σ_p g[o, p]·x[p + offset[c]]            c runs over channels and taps, p over positions

Output channels are the vectors: ``channels_last`` turns the output gradients so that these lie innermost, ``outer``
sums, ``channels_first`` turns the sums back. The samples are those of ``kernels.strips``.
"""

from __future__ import annotations

from typing import Any

from numba import int64

from firconv.kernels.bunches import bunch, fmas, loads, rows, stores
from firconv.kernels.compiled import compiled, const, mutable
from firconv.kernels.lanes import fma, item, lanes, load, spread, width
from firconv.kernels.strips import turned

INDEX = const(int64)
FLOATS = ("float32", "float64")
ROWS = 5  # taps that are summed at once: ten sums, two vectors and one sample are 13 of 16 registers
CHAIN = 256  # positions of one sum: their panel stays in the first-level cache


@compiled(lambda t: (const(t), INDEX, INDEX, mutable(t)), FLOATS)
def channels_last(x: Any, shape: Any, box: Any, out: Any) -> None:
    """out[panel, image, plane, row, column, channel] of a block of x, two vectors of channels in a panel.

    Only samples are written: channels that do not exist stay as they are.

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
                turned(x, at, shape[1], min(panel, box[3] - c), box[9], out, to * panel, panel)


@compiled(references=False)
def _summed(
    x: Any, first: int, g: Any, at: int, offsets: Any, bases: Any, s0: int, s1: int, step: int, count: int,
    out: Any, to: int,
) -> None:  # fmt: skip
    """out[to + c, :] += Σ_s Σ_k g[at + (s − s0)·step + k, :]·x[base[s] + first + offset[c] + k] for k < count."""
    zero, one = spread(x.dtype.type(0), 2, 1), x.dtype.type(1)
    size, taps = width(zero), len(offsets)
    for c in range(0, taps, ROWS):
        c1, c2, c3, c4 = min(c + 1, taps - 1), min(c + 2, taps - 1), min(c + 3, taps - 1), min(c + 4, taps - 1)
        p0, p1, p2, p3 = item(offsets, c), item(offsets, c1), item(offsets, c2), item(offsets, c3)
        p4, sums = item(offsets, c4), bunch(zero, 5)
        for s in range(s0, s1):
            j, i = at + (s - s0) * step * size, item(bases, s) + first
            places = (i + p0, i + p1, i + p2, i + p3, i + p4)
            for k in range(count):
                sums = fmas(x, places, k, load(g, j + k * size, zero), sums)
        targets = rows(to + c, to + taps - 1, size, 5)
        (a0, a1, a2, a3, a4), (b0, b1, b2, b3, b4) = sums, loads(out, targets, 0, zero)
        a0, a1, a2, a3, a4 = fma(one, a0, b0), fma(one, a1, b1), fma(one, a2, b2), fma(one, a3, b3), fma(one, a4, b4)
        stores(out, targets, 0, (a0, a1, a2, a3, a4))


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
        turned(x, o * taps, panel, taps, min(panel, outs - o), out, o * step, step)
