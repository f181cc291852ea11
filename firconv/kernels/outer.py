"""Sums over positions: the gradient of the weights of dense layers.

    out[o, c] = Σ_p g[o, p]·x[p + offset[c]]            c runs over channels and taps, p over positions

A task is some channels of g, some of x, and a part of the positions. Its samples are those of ``kernels.strips``. For a
chain of positions g is turned so that sixteen of its channels lie innermost: these are the vectors, and every sample
of x is multiplied by them. A worker takes task after task; who ends the last part of some channels adds the parts, in
their order, so the bits do not depend on who that is.
"""

from __future__ import annotations

from typing import Any

from numba import int64

from firconv.kernels.bunches import bunch, fmas, listed, meet, rows, stores, take
from firconv.kernels.compiled import compiled, const, mutable
from firconv.kernels.lanes import HELD, clear, item, lanes, load, spread, width
from firconv.kernels.strips import added, copied, delivered, turned
from firconv.kernels.turns import ended, settled

INDEX = const(int64)
FLOATS = ("float32", "float64")
ROWS = 5 * HELD  # taps that are summed at once: ten sums, two vectors and one sample are 13 of 16 registers
CHAIN = 256  # positions of one sum: their panel stays in the first-level cache

# numbers of a block: arguments of the copy, then its first position in g and its first sample; where its offsets and
# its runs begin, how many runs there are and how many positions each has
COPY, BOX, FIRST, SOURCE, OFFSETS, RUNS, COUNT, LENGTH, BLOCK = 13, 23, 23, 24, 25, 26, 27, 28, 29
# numbers of a task: its blocks; its first channel of g, in samples, and their number; the taps of its channels of x;
# its share of all channels, the part of the positions, and how many parts there are; its first sum in the totals and in
# the result
BLOCKS, LOW, OUTS, TAPS, SHARE, PART, PARTS, TOTAL, TARGET, TASK = 0, 2, 3, 4, 5, 6, 7, 8, 9, 10
# numbers of a layer: steps between the channels of g, and in the result along channels of g and along taps
GAP, ALONG, ACROSS = 0, 1, 2


@compiled(references=False)
def _summed(
    x: Any, first: int, g: Any, table: Any, offsets: int, taps: int, runs: int, count: int, some: int, out: Any,
    to: int,
) -> None:  # fmt: skip
    """out[to + c, :] += Σ_r Σ_k g[r·count + k, :]·x[first + base[r] + offset[c] + k] for k < count, r < some."""
    zero, one = spread(x.dtype.type(0), 2, 1), spread(x.dtype.type(1), 2, 1)
    size = width(zero)
    for c in range(0, taps, ROWS):
        places, sums = rows(offsets + c, offsets + taps - 1, 1, ROWS), bunch(zero, ROWS)
        for r in range(some):
            j, i = r * count * size, item(table, runs + 2 * r) + first
            starts = listed(table, places, i)
            for k in range(count):
                sums = fmas(x, starts, k, load(g, j + k * size, zero), sums)
        targets = rows(to + c, to + taps - 1, size, ROWS)
        stores(out, targets, 0, meet(out, targets, 0, one, sums))


@compiled(references=False)
def _turned(
    g: Any, first: int, gap: int, outs: int, table: Any, runs: int, count: int, some: int, panel: Any, size: int
) -> None:  # fmt: skip
    """panel[r·count + k, o] = g[first + start[r] + k + o·gap]: runs that follow each other in g are turned as one."""
    r = 0
    while r < some:
        at, n = first + table[runs + 2 * r + 1], 1
        while r + n < some and first + table[runs + 2 * (r + n) + 1] == at + n * count:
            n += 1
        turned(g, at, gap, outs, n * count, panel, r * count * size, size)
        r += n


@compiled()
def _block(
    x: Any, g: Any, gap: int, table: Any, block: Any, low: int, outs: int, taps: int, panel: Any, total: Any, to: int
) -> None:  # fmt: skip
    """total[to + panel, c, :] += the sums of a block.

    A sum of about CHAIN positions is added at a time: long chains would lose digits.
    """
    size, count = width(spread(x.dtype.type(0), 2, 1)), block[LENGTH]
    several = max(1, CHAIN // count)
    for o in range(0, outs, size):
        for r in range(0, block[COUNT], several):
            some, runs = min(several, block[COUNT] - r), block[RUNS] + 2 * r
            for k in range(0, count, CHAIN):
                most = min(CHAIN, count - k)
                at = block[FIRST] + low + o * gap + k
                _turned(g, at, gap, min(size, outs - o), table, runs, most, some, panel, size)
                _summed(
                    x, block[SOURCE] + k, panel, table, block[OFFSETS], taps, runs, most, some, total,
                    to // size + o // size * taps,
                )  # fmt: skip


@compiled(
    lambda t: (
        const(t), const(t), *(INDEX,) * 6, const(int64, 2), const(int64, 2), mutable(int64), int64, mutable(int64),
        const(t), mutable(t), mutable(t), mutable(t), mutable(t),
    ),
    FLOATS,
)  # fmt: skip
def fill(
    x: Any, g: Any, planes: Any, lines: Any, columns: Any, plain: Any, shape: Any, table: Any, blocks: Any,
    tasks: Any, counter: Any, number: int, parted: Any, source: Any, samples: Any, panel: Any, totals: Any, out: Any,
) -> None:  # fmt: skip
    """Fill the gradient: tasks from the counter on until there is none left.

    Parameters
    ----------
    planes, lines, columns, plain : as for ``kernels.strips``
    shape, blocks, tasks : the numbers named above, a row for each
    table : offsets; and for every run where it begins in the samples and in g
    counter, number : of ``kernels.turns``, and of this worker
    parted : parts of each share that have ended, shared by the workers
    source : `samples`, or x itself where it holds the samples as the offsets expect them
    samples : room for what a block reads and two vectors more; empty where the source is x
    panel : room for 2 vectors of CHAIN positions
    totals : room for the sums of all tasks, shared; or for those of one task, where no share has several parts
    """
    size, b, over = 2 * lanes(x), take(counter), False
    while b < len(tasks):
        task = tasks[b]
        taps, outs, to = task[TAPS], task[OUTS], task[TOTAL]
        whole = (outs + size - 1) // size * taps * size
        clear(totals, to, whole)
        for n in range(task[BLOCKS], task[BLOCKS + 1]):
            block = blocks[n]
            if len(samples) > 0:
                copied(x, planes, lines, columns, plain, block[:COPY], block[COPY:BOX], samples)
            _block(source, g, shape[GAP], table, block, task[LOW], outs, taps, panel, totals, to)
        if take(parted[task[SHARE] :]) == task[PARTS] - 1:
            first = totals[to - task[PART] * whole :]
            added(first, whole, task[PARTS])
            delivered(first, outs, taps, shape[ALONG], shape[ACROSS], out, task[TARGET])
        over = ended(counter, len(tasks))
        b = take(counter)
    settled(counter, len(tasks), number, over)
