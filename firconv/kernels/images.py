"""The defining sum on images: two rows of outputs share the samples between them, and workers share an image.

The sums, their order and their bits are those of ``direct``. ``grid`` filters one image whose samples are all there;
``images`` takes bands of many images from a counter, those at the ends with samples by a boundary's rule; ``passes``
does so for taps that are a product of a column and a row.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import boolean, int64

from firconv.kernels.bunches import take
from firconv.kernels.compiled import compiled, const, mutable
from firconv.kernels.direct import INDEX, furthest, pair, row, sample, segments
from firconv.kernels.lanes import clear, copy, lanes, least, load, load_part, most, spread, store, store_part, width
from firconv.kernels.turns import ended, settled

PLACES = mutable(int64)
NEAR = 200_000  # bytes of samples that stay in the second-level cache; strips for the first level gained nothing


# --- one image ------------------------------------------------------------------------------------------------------


@compiled()
def _begin(out: Any, i: int, zero: Any, accumulate: bool) -> Any:
    """What a sum starts from."""
    return load(out, i, zero) if accumulate else zero


@compiled()
def _band(
    x: Any, out: Any, at: int, to: int, n: int, shift: int, low: int,
    weights: Any, offsets: Any, lag: int, accumulate: bool, zero: Any,
) -> None:  # fmt: skip
    """Two rows of n outputs, `low` apart, from samples `shift` apart; the last block ends with the row."""
    size, taps = width(zero), weights.size
    end = n - size
    a_end, b_end = _begin(out, to + end, zero, accumulate), _begin(out, to + low + end, zero, accumulate)
    for start in range(0, n, size):
        j = least(start, end)
        p, a, b = at + j, a_end, b_end
        if j == start:
            a, b = _begin(out, to + j, zero, accumulate), _begin(out, to + low + j, zero, accumulate)
        a, b = pair(x, p, p + shift, weights, offsets, 0, taps, lag, a, b)
        store(out, to + j, a)
        store(out, to + low + j, b)


@compiled()
def _few(
    x: Any, out: Any, at: int, to: int, n: int, shift: int, low: int,
    weights: Any, offsets: Any, lag: int, accumulate: bool, zero: Any,
) -> None:  # fmt: skip
    """A band narrower than `zero`: its sums read and compute on beyond the rows, in memory that must be there."""
    a = load_part(out, to, zero, n) if accumulate else zero
    b = load_part(out, to + low, zero, n) if accumulate else zero
    a, b = pair(x, at, at + shift, weights, offsets, 0, weights.size, lag, a, b)
    store_part(out, to, a, n)
    store_part(out, to + low, b, n)


@compiled()
def _samples(
    x: Any, out: Any, at: int, to: int, n: int, shift: int, low: int, weights: Any, offsets: Any, accumulate: bool
) -> None:
    """A band, or one row where `low` is 0, sample by sample."""
    for _ in range(1 if low == 0 else 2):
        for j in range(n):
            acc = out[to + j] if accumulate else weights.dtype.type(0)
            out[to + j] = sample(x, at + j, weights, offsets, 0, weights.size, acc)
        at += shift
        to += low


@compiled(inline=False)
def _image(
    x: Any, out: Any, x_row: int, out_row: int, count: int, out_pitch: int, n: int,
    weights: Any, pitch: int, step: int, accumulate: bool, offsets: Any,
) -> None:  # fmt: skip
    """An image: out[out_row + r·out_pitch + j] = Σ_ky Σ_kx weights[ky, kx] · x[x_row + (r + ky)·pitch + kx·step + j].

    r runs over 0 … count − 1 and j over 0 … n − 1; step is 1 for grey images, the number of channels for interleaved
    ones. With `accumulate` the sums go on from what `out` holds. Columns are done in strips whose samples stay in the
    second-level cache from one pair of rows to the next; the last of an odd number of rows is a pair of halves.
    `offsets` is memory for a number per tap.
    """
    ky, kx = weights.shape
    one, zero = lanes(x), weights.dtype.type(0)
    wide, narrow = spread(zero, 6, 1), spread(zero, 2, 1)
    for c in range(ky * kx):
        offsets[c] = c // kx * pitch + c % kx * step
    reach = most((ky - 1) * pitch, 0) + most((kx - 1) * step, 0) + 2 * one
    strip = most(NEAR // ((ky + 1) * 6 * one * x.itemsize), 1) * 6 * one
    start = 0
    while start < n:
        m = strip if n - start >= strip + 6 * one else n - start
        for r in range(0, count, 2):
            at, to = x_row + start + r * pitch, out_row + start + r * out_pitch
            size, shift, low, lag = m, pitch, out_pitch, kx
            if r + 1 == count:
                size, shift, low, lag = m // 2, m // 2, m // 2, 0
                if m % 2:
                    _samples(x, out, at + m - 1, to + m - 1, 1, 0, 0, weights, offsets, accumulate)
            if size >= 6 * one:
                _band(x, out, at, to, size, shift, low, weights, offsets, lag, accumulate, wide)
            elif size >= 2 * one:
                _band(x, out, at, to, size, shift, low, weights, offsets, lag, accumulate, narrow)
            elif at + most(shift, 0) + reach <= len(x):
                _few(x, out, at, to, size, shift, low, weights, offsets, lag, accumulate, narrow)
            else:
                _samples(x, out, at, to, size, shift, low, weights, offsets, accumulate)
        start += m


@compiled(lambda t: (const(t), mutable(t), *(int64,) * 5, const(t, 2), int64, int64, boolean, PLACES))
def grid(
    x: Any, out: Any, x_row: int, out_row: int, count: int, out_pitch: int, n: int,
    weights: Any, pitch: int, step: int, accumulate: bool, offsets: Any,
) -> None:  # fmt: skip
    """`_image`, for Python."""
    _image(x, out, x_row, out_row, count, out_pitch, n, weights, pitch, step, accumulate, offsets)


# --- bands of images ------------------------------------------------------------------------------------------------


@compiled()
def _read(
    x: Any, at: int, pitch: int, rows: Any, r: int, count: int, columns: Any, c: int, n: int, lo: int, hi: int, out: Any
) -> None:  # fmt: skip
    """`count` rows of n samples from row r and column c of the maps; the places lo … hi − 1 are neighbours in x."""
    lo = least(n, most(lo - c, 0))
    hi = most(least(n, hi - c), lo)
    for i in range(count):
        row, to = rows[r + i], i * n
        if row < 0:
            clear(out, to, n)
            continue
        source = at + row * pitch
        for j in range(lo):
            out[to + j] = x[source + columns[c + j]] if columns[c + j] >= 0 else 0
        if lo < hi:
            copy(x, source + columns[c + lo], hi - lo, out, to + lo)
        for j in range(hi, n):
            out[to + j] = x[source + columns[c + j]] if columns[c + j] >= 0 else 0


@compiled(
    lambda t: (
        const(t), mutable(t), const(int64, 2), INDEX, INDEX, const(t, 3), INDEX, INDEX, INDEX, INDEX, const(t),
        mutable(t), PLACES, PLACES, int64,
    )
)  # fmt: skip
def images(
    x: Any, out: Any, starts: Any, to: Any, first: Any, weights: Any, rows: Any, columns: Any, bands: Any, shape: Any,
    near: Any, room: Any, places: Any, counter: Any, number: int,
) -> None:  # fmt: skip
    """Correlate bands of images, from the counter on until there is none left.

    Image i is the sum over slices s of the images at ``starts[i, s]`` with the taps ``weights[first[i] + s]``.

    Parameters
    ----------
    starts : where the image of each slice begins in x; negative for one that is absent
    to : where each image begins in out
    first : the first slice of taps of each image
    weights : (slices, ky, kx)
    rows, columns : which row and column each place of an extended image is, −1 for none; the first place is the first
        that the first output reads
    bands : where bands of rows begin, and the number of rows
    shape : lo, hi of the output rows that need no extension, and of the output columns; steps in x along rows and
        columns of taps, in out along rows; outputs in a row
    near, room : the same memory, to read and to write: what the largest part at an end reads, and two vectors
    places : memory for a number per tap of an image
    counter, number : of ``kernels.turns``, and of this worker
    """
    lines = len(bands) - 1
    pitch, step, out_pitch, n = shape[4], shape[5], shape[6], shape[7]
    slices, ky, kx = starts.shape[1], weights.shape[1], weights.shape[2]
    left, right = shape[2], shape[3] + (kx - 1) * step if shape[2] < shape[3] else shape[2]
    t, last, tasks = take(counter), False, len(to) * lines
    while t < tasks:
        i, b = t // lines, t % lines
        r = bands[b]
        count = bands[b + 1] - r
        inside = shape[0] <= r and r + count <= shape[1] and shape[2] < shape[3]
        for part in range(3 if inside else 1):
            lo, hi = 0, n
            if inside:
                lo, hi = (shape[2], shape[3]) if part == 0 else (0, shape[2]) if part == 1 else (shape[3], n)
            target, wide = to[i] + r * out_pitch + lo, hi - lo + (kx - 1) * step
            more = lo > hi  # false
            for s in range(slices if lo < hi else 0):
                at = starts[i, s]
                if at < 0:
                    continue
                there = inside and part == 0
                if not there:
                    _read(x, at, pitch, rows, r, count + ky - 1, columns, lo, wide, left, right, room)
                source = x if there else near
                where, gap = (at + rows[r] * pitch + columns[lo], pitch) if there else (at - at, wide)
                w = weights[first[i] + s]
                _image(source, out, where, target, count, out_pitch, hi - lo, w, gap, step, more, places)
                more = True
            if not more:
                for j in range(count):
                    clear(out, target + j * out_pitch, hi - lo)
        last = ended(counter, tasks)
        t = take(counter)
    settled(counter, tasks, number, last)


@compiled(
    lambda t: (
        const(t), mutable(t), const(int64, 2), INDEX, const(t, 2), const(t), INDEX, INDEX, INDEX, INDEX, const(t),
        mutable(t), PLACES, PLACES, int64,
    )
)  # fmt: skip
def passes(
    x: Any, out: Any, starts: Any, to: Any, down: Any, across: Any, rows: Any, columns: Any, bands: Any, shape: Any,
    near: Any, room: Any, places: Any, counter: Any, number: int,
) -> None:  # fmt: skip
    """Correlate bands of images with the column `down` (ky, 1) and then with the row `across`.

    Columns are extended after the first pass, which then has not to compute what it knows. The other parameters are
    those of `images`, with one slice; some columns need no extension, and the others are found among these.
    """
    lines = len(bands) - 1
    pitch, step, out_pitch, n = shape[4], shape[5], shape[6], shape[7]
    ky, kx = len(down), len(across)
    left = shape[2]
    wide, plain = n + (kx - 1) * step, shape[3] - left + (kx - 1) * step
    offsets = np.arange(kx) * step
    ends, lags = segments(offsets, lanes(x))
    reach = furthest(offsets)
    tall = 0
    for b in range(lines):
        tall = most(bands[b + 1] - bands[b], tall)
    middle = np.empty(tall * wide + 2 * lanes(x), x.dtype)
    t, last, tasks = take(counter), False, len(to) * lines
    while t < tasks:
        i, b = t // lines, t % lines
        r, at = bands[b], starts[i, 0]
        count = bands[b + 1] - r
        there = shape[0] <= r and r + count <= shape[1]
        if not there:
            _read(x, at, pitch, rows, r, count + ky - 1, columns, left, plain, left, left + plain, room)
        source = x if there else near
        where, gap = (at + rows[r] * pitch + columns[left], pitch) if there else (at - at, plain)
        _image(source, middle, where, left, count, wide, plain, down, gap, 1, False, places)
        for j in range(count):
            line = j * wide
            for k in range(left):
                middle[line + k] = middle[line + left + columns[k] - columns[left]] if columns[k] >= 0 else 0
            for k in range(left + plain, wide):
                middle[line + k] = middle[line + left + columns[k] - columns[left]] if columns[k] >= 0 else 0
            row(middle, out, line, to[i] + (r + j) * out_pitch, n, across, offsets, ends, lags, reach, 0, kx)
        last = ended(counter, tasks)
        t = take(counter)
    settled(counter, tasks, number, last)
