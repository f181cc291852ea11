"""One transform for a real signal and taps that are both long, by the remainders of `kernels.tree`.

    y[n] = Σ_k w[k] · x̃[n + k − lead]        x̃ = x between zeros

With the taps turned round, v[k] = w[K − 1 − k], y[n] is coefficient n + K − 1 − lead of x(t)·v(t). Both polynomials are
split modulo t^M − i as a block of 2M samples is, see there. Nodes of more than `BRANCH` coefficients are split by
strips of coefficients, one level at a time; a smaller one is a task by itself, down to its leaves, their products and
back. A strip and a branch are the same whoever computes them.

A leaf of the taps t^L − c is spread out into the window that slides over it, c·h before h. The four leaves of the last
split have c, −c, ic and −ic of its twiddle c. Rounding is as in `kernels.tree`, equation (1).
"""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import Any

import numpy as np
from numba import boolean, int64
from numpy.typing import NDArray

from firconv.kernels.compiled import compiled, const, loops, mutable
from firconv.kernels.guard import Parallel, Transform
from firconv.kernels.lanes import BYTES, clear, copy, fma, fnma, item, lanes, load, put, spread, store
from firconv.kernels.splits import ascend, descend, gather, halve, multiply, quarter, roots, unite

MOST = 1 << 24  # samples of the longest line
BRANCH = 1 << 13  # coefficients of the largest node that is a task by itself
STRIP = 1 << 13  # coefficients of each part of a node that are split at once
GROUP = 64  # leaves multiplied at once
KEPT = 1 << 25  # bytes of work arrays that stay for the next call
_spare: list[tuple[NDArray[Any], NDArray[Any]]] = []


def transform(points: int, dtype: np.dtype[Any]) -> Transform | None:
    """`correlate` for lines of so many points, or None for those that this module does not serve.

    `points` is at least lead + len(x) and len(out) + len(w) − 1 − lead, and 4096. As plain Python loops this is slower
    than any other transform.
    """
    length = 1 << (points - 1).bit_length()
    return partial(correlate, length) if dtype.char in "fd" and length <= MOST and not loops() else None


def correlate(
    length: int, x: NDArray[Any], w: NDArray[Any], lead: int, out: NDArray[Any], parallel: Parallel
) -> None:
    """Correlate x behind `lead` zeros with taps w into `out`, by polynomials of `length` samples, a power of two."""
    line = _Line(length, out.dtype)
    signal, taps = pair = _room(length, out.dtype)
    target = out if out.flags.c_contiguous else np.empty(out.shape, out.dtype)
    line.split(((np.ascontiguousarray(x), signal, False), (np.ascontiguousarray(w), taps, True)), parallel)
    line.multiply(signal, taps, parallel)
    line.join(signal, target, len(w) - 1 - lead, parallel)
    if target is not out:
        out[...] = target
    if not _spare and 2 * signal.nbytes <= KEPT:
        _spare.append(pair)


def _room(length: int, dtype: np.dtype[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Two lines to work in, those of the last call if they fit: new memory costs as much as the splits."""
    try:
        pair = _spare.pop()
    except IndexError:
        pair = (np.empty(0), np.empty(0))
    if pair[0].size != length or pair[0].dtype != dtype:
        pair = (np.empty(length, dtype), np.empty(length, dtype))
    return pair


class _Line:
    """The tasks of one length: strips of the large nodes, level by level, and branches."""

    def __init__(self, length: int, dtype: np.dtype[Any]):
        leaf = BYTES // dtype.itemsize
        self.half, self.roots = length // 2, roots(length, dtype.char, leaf)
        levels = (self.half // leaf).bit_length() - 1
        self.parts = 2 if levels % 2 else 4
        m, t = self.half // self.parts, self.parts
        self.first, self.sweeps = range(0, m, STRIP), []
        while m > BRANCH:
            m //= 4
            nodes = range(self.half // (4 * m))
            self.sweeps.append([(4 * m * k, left, m, t + 4 * k) for k in nodes for left in range(0, m, STRIP)])
            t += self.half // m
        self.size, self.place = m, t

    def split(self, lines: tuple[tuple[NDArray[Any], NDArray[Any], bool], ...], parallel: Parallel) -> None:
        """Lay lines into work arrays, from behind where so marked, and split them down to the branches."""

        def root(item: Any) -> None:
            (x, work, back), left = item
            enter(x, work, back, left, self._end(left, self.half // self.parts), self.parts, self.half, self.roots)

        def strip(item: Any) -> None:
            (_, work, _), (at, left, m, t) = item
            down(work, at, left, self._end(left, m), m, self.half, self.roots, t)

        parallel(root, product(lines, self.first))
        for sweep in self.sweeps:
            parallel(strip, product(lines, sweep))

    def multiply(self, signal: NDArray[Any], taps: NDArray[Any], parallel: Parallel) -> None:
        """Finish the branches."""

        def one(at: int) -> None:
            branch(signal, taps, at, self.size, self.half, self.roots, self.place)

        parallel(one, range(0, self.half, self.size))

    def join(self, work: NDArray[Any], out: NDArray[Any], skip: int, parallel: Parallel) -> None:
        """Undo `split`, and write the coefficients from `skip` on."""

        def strip(item: tuple[int, int, int, int]) -> None:
            at, left, m, t = item
            up(work, at, left, self._end(left, m), m, self.half, self.roots, t)

        def root(left: int) -> None:
            end = self._end(left, self.half // self.parts)
            leave(work, left, end, self.parts, self.half, self.roots, out, skip)

        for sweep in self.sweeps[::-1]:
            parallel(strip, sweep)
        parallel(root, self.first)

    @staticmethod
    def _end(left: int, m: int) -> int:
        return min(left + STRIP, m)


@compiled(lambda t: (const(t), mutable(t), boolean, *(int64,) * 4, const(t)), ("float32", "float64"))
def enter(x: Any, work: Any, back: bool, begin: int, end: int, parts: int, half: int, twiddles: Any) -> None:
    """Lay a strip of x, from behind where `back`, into each part of the root, zeros after it, and split it."""
    zero, m = spread(x.dtype.type(0), 1, 1), half // parts
    for part in range(2 * parts):
        to = part * m
        last = max(begin, min(end, x.size - to))
        if back:
            for j in range(begin, last):
                put(work, to + j, item(x, x.size - 1 - to - j))
        else:
            copy(x, to + begin, last - begin, work, to + begin)
        clear(work, to + last, end - last)
    if parts == 2:
        halve(work, 0, begin, end, m, half, twiddles[0], twiddles[1], zero)
    else:
        quarter(work, 0, begin, end, m, half, twiddles, 0, zero)


@compiled(lambda t: (mutable(t), *(int64,) * 5, const(t), int64), ("float32", "float64"))
def down(work: Any, at: int, begin: int, end: int, m: int, half: int, twiddles: Any, t: int) -> None:
    """Split a strip of a node of 4m coefficients."""
    quarter(work, at, begin, end, m, half, twiddles, t, spread(work.dtype.type(0), 1, 1))


@compiled(lambda t: (mutable(t), *(int64,) * 5, const(t), int64), ("float32", "float64"))
def up(work: Any, at: int, begin: int, end: int, m: int, half: int, twiddles: Any, t: int) -> None:
    """Undo `down`."""
    gather(work, at, begin, end, m, half, twiddles, t, spread(work.dtype.type(0), 1, 1))


@compiled(lambda t: (mutable(t), *(int64,) * 4, const(t), mutable(t), int64), ("float32", "float64"))
def leave(work: Any, begin: int, end: int, parts: int, half: int, twiddles: Any, out: Any, skip: int) -> None:
    """Undo `enter`, and write what is wanted of the strip: out[n] is coefficient n + skip."""
    zero, m = spread(work.dtype.type(0), 1, 1), half // parts
    if parts == 2:
        unite(work, 0, begin, end, m, half, twiddles[0], twiddles[1], zero)
    else:
        gather(work, 0, begin, end, m, half, twiddles, 0, zero)
    for part in range(2 * parts):
        to = part * m - skip
        lo, hi = max(begin, -to), min(end, out.size - to)
        if lo < hi:
            copy(work, part * m + lo, hi - lo, out, to + lo)


@compiled()
def _window(x: Any, p: int, half: int, cr: Any, ci: Any, scale: Any, window: Any, h: int, zero: Any) -> None:
    """Spread a leaf of the taps at x[p …] out into re c·h, re h, im c·h, im h at window[h …], all times `scale`."""
    size = lanes(x)
    re, im = fma(scale, load(x, p, zero), zero), fma(scale, load(x, p + half, zero), zero)
    store(window, h, fnma(ci, im, fma(cr, re, zero)))
    store(window, h + size, re)
    store(window, h + 2 * size, fma(ci, re, fma(cr, im, zero)))
    store(window, h + 3 * size, im)


@compiled(lambda t: (mutable(t), mutable(t), *(int64,) * 3, const(t), int64), ("float32", "float64"))
def branch(x: Any, taps: Any, at: int, count: int, half: int, twiddles: Any, t: int) -> None:
    """Split the node of `count` coefficients at x[at …] and at taps[at …] into leaves, multiply, and undo it in x."""
    size, zero = lanes(x), spread(x.dtype.type(0), 1, 1)
    level = descend(x, at, count, size, half, half, twiddles, t, at // count)
    descend(taps, at, count, size, half, half, twiddles, t, at // count)
    place = level - half // size
    scale = x.dtype.type(size / half)
    window = np.empty(4 * size * GROUP, x.dtype)
    group = min(GROUP * size, count)
    for left in range(at, at + count, group):
        for p in range(left, left + group, 4 * size):
            cr, ci = twiddles[place + p // size], twiddles[place + p // size + 1]
            h = 4 * (p - left)
            _window(taps, p, half, cr, ci, scale, window, h, zero)
            _window(taps, p + size, half, -cr, -ci, scale, window, h + 4 * size, zero)
            _window(taps, p + 2 * size, half, -ci, cr, scale, window, h + 8 * size, zero)
            _window(taps, p + 3 * size, half, ci, -cr, scale, window, h + 12 * size, zero)
        for p in range(left, left + group, size):
            multiply(x, p, half, window, 4 * (p - left) + size, zero)
    ascend(x, at, count, size, half, half, twiddles, level, at // count)
