"""Steps 4 and 5 for the Fourier methods: blocks of the extended signal through `kernels.fourier`.

Blocks lie on a grid that starts at output 0 (period 0), so the bits of an output do not depend on how a signal was cut.
What the kernel's guard does not vouch for goes to `unsure`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import nullcontext
from math import ceil, prod
from typing import Any

import numpy as np

from firconv import boundary as bd
from firconv import cost, threads, tiles, unsure
from firconv.spectra import FourierTaps

#: Samples of blocks in one call of the kernel, twice as many where they are not copied (`kernels.tree`), and the fewest
#: blocks that fill SIMD lanes, by size of a sample.
BATCH = 1 << 18
LANES = {4: 4, 8: 2, 16: 2}


def tasks(grid: tiles.Grid, taps: FourierTaps) -> list[tiles.Box]:
    """Boxes of periods made of whole blocks, about `BATCH` samples of blocks to a task."""
    counts = grid.periods
    lanes, size = LANES[taps.work.itemsize], prod(taps.lengths)
    batch = BATCH << cost.by_tree(grid.problem, taps.work.kind == "c", taps.lengths)
    room = lanes * max(1, batch // (lanes * size))
    least = max(lanes, BATCH // (4 * size))
    samples = size * prod(ceil(counts[a] / n) for a, n in zip(taps.axes, taps.steps, strict=True))
    apart = len(taps.axes) == 1 or samples >= 8 * BATCH
    filtered: list[tuple[list[tuple[int, int]], int]] = [([], 1)]
    for axis, step, length in reversed(list(zip(taps.axes, taps.steps, taps.lengths, strict=True))):
        inside = _inside(grid, axis, step, length) if apart else (0, ceil(counts[axis] / step))
        filtered = [
            ([ends, *inner], blocks * ceil((ends[1] - ends[0]) / step))
            for inner, blocks in filtered
            for ends in _runs(counts[axis], step, max(1, room // blocks), max(1, least // blocks), inside)
        ]
    idle = [a for a in range(len(counts)) if a not in taps.axes]
    boxes = [box for ends, blocks in filtered for box in _spread(counts, idle, taps.axes, ends, max(1, room // blocks))]
    return sorted(boxes, key=lambda box: all(0 < box[a][0] and box[a][1] < counts[a] for a in taps.axes))  # ends first


def _inside(grid: tiles.Grid, axis: int, step: int, length: int) -> tuple[int, int]:
    """First block that reads nothing before the signal's begin, and the first after it that reads beyond its end."""
    a, n = grid.lattices[axis], grid.problem.signal[axis]
    return max(0, -(a.base // step)), max(0, (n // a.in_parts - a.base - length) // step + 1)


def _runs(count: int, step: int, batch: int, least: int, inside: tuple[int, int]) -> list[tuple[int, int]]:
    """Runs of at most `batch` blocks along one axis, eight of them where that leaves `least` blocks to each.

    Blocks that reach beyond the ends are runs by themselves: their samples are copied, and beyond the ends is nothing
    but zeros, for which the guard looks at every output. So is the last block, of which not all outputs are wanted.
    """
    whole = count // step
    batch = min(batch, least * ceil(max(1, whole) / (8 * least)))
    stops = sorted({0, whole, *(min(i, whole) for i in inside)})
    runs = [
        (lo * step, min(lo + batch, last) * step)
        for first, last in zip(stops, stops[1:], strict=False)
        for lo in range(first, last, batch)
    ]
    return runs + ([(whole * step, count)] if whole * step < count else [])


def _spread(
    counts: tuple[int, ...], idle: list[int], axes: tuple[int, ...], ends: list[tuple[int, int]], room: int
) -> Iterator[tiles.Box]:
    """The given ends of the filtered axes for every `room` lines along the others."""
    box = [(0, n) for n in counts]
    tile = list(counts)
    for axis, piece in zip(axes, ends, strict=True):
        box[axis] = piece
    for axis in reversed(idle):
        tile[axis] = min(counts[axis], room)
        room = max(1, room // tile[axis])
    return tiles.split(
        tuple(box), tuple(t if a in idle else hi - lo for a, (t, (lo, hi)) in enumerate(zip(tile, box, strict=True)))
    )


def correlate(taps: FourierTaps, grid: tiles.Grid, box: tiles.Box, x: np.ndarray, out: np.ndarray) -> None:
    """Fill out (O, *outputs of the box) from x (I, *signal)."""
    with _one_thread():
        _correlate(taps, grid, box, x, out)


def _one_thread() -> Any:
    """The tasks are the threads: a user's ``scipy.fft.set_workers`` must not start more inside ours."""
    fft: Any = sys.modules.get("scipy.fft")  # loading it takes a fifth of a second, and not all transforms are scipy's
    return fft.set_workers(1) if hasattr(fft, "set_workers") else nullcontext()


def _correlate(taps: FourierTaps, grid: tiles.Grid, box: tiles.Box, x: np.ndarray, out: np.ndarray) -> None:
    blocks = _read(taps, grid, box, x)
    parts = [taps.lattices[a].out_parts for a in taps.axes]
    view = _as_blocks(taps, out, box) if all(p == 1 for p in parts) else None
    if view is not None:
        _filter(taps, blocks, view)
        return
    y = np.empty(
        blocks.shape[: len(blocks.shape) - len(taps.axes) - 1] + (out.shape[0] * int(np.prod(parts)),) + taps.steps,
        _filter_dtype(taps, out),
    )
    _filter(taps, blocks, y)
    _join(taps, y, out)


def _filter_dtype(taps: FourierTaps, out: np.ndarray) -> np.dtype:
    return out.dtype if out.dtype.kind in "iu" else taps.work


def _read(taps: FourierTaps, grid: tiles.Grid, box: tiles.Box, x: np.ndarray) -> np.ndarray:
    """The samples of a box of blocks as (*unfiltered, *blocks, I·parts, *lengths), a view where they lie inside."""
    spans = []
    for axis, (a, (lo, hi)) in enumerate(zip(grid.lattices, box, strict=True)):
        if axis in taps.axes:
            i = taps.axes.index(axis)
            last = lo + (-(-(hi - lo) // taps.steps[i]) - 1) * taps.steps[i]
            spans.append((a.in_parts * (lo + a.base), a.in_parts * (last + a.base + taps.lengths[i])))
        else:
            spans.append(a.span(lo, hi))
    region = bd.read(x, grid.problem.boundary, tuple(spans), taps.work, skip=1)
    idle = [i for i in range(len(box)) if i not in taps.axes]
    lead = [region.shape[1 + i] for i in idle]
    strides = region.strides
    shape, stride, parts, part_strides, inner, inner_strides = [], [], [], [], [], []
    for i, axis in enumerate(taps.axes):
        a, s = taps.lattices[axis], strides[1 + axis]
        shape.append(-(-(box[axis][1] - box[axis][0]) // taps.steps[i]))
        stride.append(taps.steps[i] * a.in_parts * s)
        parts.append(a.in_parts)
        part_strides.append(s)
        inner.append(taps.lengths[i])
        inner_strides.append(a.in_parts * s)
    view = tiles.strided(
        region,
        (*lead, *shape, region.shape[0], *parts, *inner),
        (*(strides[1 + i] for i in idle), *stride, strides[0], *part_strides, *inner_strides),
    )
    channels = region.shape[0] * int(np.prod(parts))
    if view.shape[len(lead) + len(shape) : -len(inner)] == (channels,):
        return view
    return view.reshape((*lead, *shape, channels, *inner))


def _as_blocks(taps: FourierTaps, out: np.ndarray, box: tiles.Box) -> np.ndarray | None:
    """`out` seen as (*unfiltered, *blocks, O, *steps), where it is made of whole blocks of the right type."""
    lengths = [box[a][1] - box[a][0] for a in taps.axes]
    fits = all(length % n == 0 or length < n for length, n in zip(lengths, taps.steps, strict=True))
    if not fits or (out.dtype != taps.work and out.dtype.kind not in "iu"):
        return None
    idle = [i for i in range(len(box)) if i not in taps.axes]
    counts = [-(-(box[a][1] - box[a][0]) // n) for a, n in zip(taps.axes, taps.steps, strict=True)]
    inner = [min(n, box[a][1] - box[a][0]) for a, n in zip(taps.axes, taps.steps, strict=True)]
    s = out.strides
    return tiles.strided(
        out,
        (*(out.shape[1 + i] for i in idle), *counts, out.shape[0], *inner),
        (
            *(s[1 + i] for i in idle),
            *(s[1 + a] * n for a, n in zip(taps.axes, taps.steps, strict=True)),
            s[0],
            *(s[1 + a] for a in taps.axes),
        ),
    )


def _join(taps: FourierTaps, y: np.ndarray, out: np.ndarray) -> None:
    """(*unfiltered, *blocks, O·parts, *steps) put in place in out (O, *outputs), cropped."""
    d, n = len(taps.axes), out.ndim - 1
    idle = [i for i in range(n) if i not in taps.axes]
    parts = [taps.lattices[a].out_parts for a in taps.axes]
    lead = len(idle)
    y = y.reshape(y.shape[: lead + d] + (out.shape[0], *parts) + taps.steps)
    order, shape = [lead + d], [out.shape[0]]
    for axis in range(n):
        if axis in taps.axes:
            i = taps.axes.index(axis)
            group = [lead + i, lead + d + 1 + d + i, lead + d + 1 + i]  # block, step, part
            order += group
            shape.append(int(np.prod([y.shape[g] for g in group])))
        else:
            order.append(idle.index(axis))
            shape.append(y.shape[idle.index(axis)])
    out[...] = y.transpose(order).reshape(shape)[tuple(map(slice, out.shape))]


def _filter(taps: FourierTaps, blocks: np.ndarray, out: np.ndarray) -> None:
    from firconv.kernels import fourier

    if out.dtype.kind in "iu":
        doubt = fourier.correlate_integers(taps.spectrum(np.dtype(np.float64)), blocks, out)
        if doubt is not None:
            unsure.integers(taps, blocks, out, doubt)
        return
    doubt = fourier.correlate(taps.spectrum(taps.work), blocks, out, tau=taps.tau)
    if doubt is None:
        return
    doubt = np.broadcast_to(doubt, out.shape)
    if taps.work in (np.float32, np.complex64):
        doubt = unsure.in_double(taps, blocks, out, doubt)
    unsure.directly(taps, blocks, out, doubt)


def long(grid: tiles.Grid, box: tiles.Box, x: np.ndarray, w: np.ndarray, out: np.ndarray, tau: float | None) -> None:
    """One line by one transform; what the guard does not vouch for again in double precision, then output by output."""
    from firconv.kernels import fourstep, trunk

    line, start = _line(grid, box, x, out.dtype)
    y = out if out.flags.c_contiguous else np.empty(out.shape, out.dtype)

    def transform(kind: np.dtype, target: np.ndarray) -> np.ndarray | None:
        def parallel(function: Any, items: Any) -> None:
            threads.run(function, items, grid.workers)

        signal, taps = line.astype(kind, copy=False), w.astype(kind, copy=False)
        with _one_thread():
            return fourstep.correlate(signal, taps, start, target, tau=tau, parallel=parallel, own=trunk.transform)

    doubt = transform(out.dtype, y)
    single = out.dtype in (np.float32, np.complex64)
    if doubt is not None and single and unsure.products(line.size, w.size, start, doubt) > unsure.FEW << 3:
        again = np.empty(out.shape, np.float64 if out.dtype == np.float32 else np.complex128)
        still = transform(again.dtype, again)
        with np.errstate(over="ignore", under="ignore"):
            np.copyto(y, again, where=doubt, casting="same_kind")
        doubt = None if still is None else doubt & still
    if doubt is not None:
        unsure.line(line, w, start, y, np.flatnonzero(doubt))
    if y is not out:
        out[...] = y


def _line(grid: tiles.Grid, box: tiles.Box, x: np.ndarray, dtype: np.dtype) -> tuple[np.ndarray, int]:
    """The samples of one line that a box may read, and the position of output 0 in them; zeros lie outside."""
    axis = grid.problem.filtered[0]
    if not all(rule.absent for rule in grid.problem.boundary[axis]):
        return grid.read(x, box, dtype).reshape(-1), 0
    here = tuple(slice(None) if a == axis else lo for a, (lo, _) in enumerate(box))
    return x[(0, *here)].astype(dtype, copy=False), grid.span(box)[axis][0]
