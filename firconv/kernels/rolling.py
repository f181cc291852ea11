"""Sums that roll down a plane: every row of samples, once loaded, serves all rows of outputs that it belongs to.

For square filters of three, five or seven taps a side, at step one down and across. Sum r is of the outputs r rows
above the samples, which meet them with row r of the taps. The last one is complete: it is stored, all move on by one,
and a new one begins. Each output is the chain

    acc = 0;  acc = fma(w[0], x[0], acc);  …;  + bias          taps in the order of memory
"""

from __future__ import annotations

from typing import Any

from firconv.kernels.bunches import bunch, fmas, rows
from firconv.kernels.compiled import compiled
from firconv.kernels.lanes import HELD, fma, lanes, load, spread, store, store_part, width

TWO, THREE, FOUR = 2 * HELD, 3 * HELD, 4 * HELD  # vectors of so many registers


@compiled(references=False)
def turn_taps(w: Any, first: int, k: int, out: Any) -> None:
    """Column after column of a filter's taps: those that meet one vector of samples lie together."""
    for r in range(k):
        for c in range(k):
            out[c * k + r] = w[first + r * k + c]


@compiled(references=False)
def put_within(out: Any, to: int, end: int, n: int, sums: Any) -> None:
    """Store a vector of a row, or what of it belongs to the task where the task ends within it."""
    if to + width(sums) <= end:
        store(out, to, sums)
    else:
        store_part(out, to, sums, n)


@compiled(references=False, inline=False)
def _down(
    x: Any, p: int, pitch: int, count: int, top: int, bottom: int, out: Any, to: int, step: int, n: int, end: int,
    w: Any, dx: int, biased: bool, plus: Any, ones: Any, places: Any, sums: Any,
) -> None:  # fmt: skip
    """As many columns as a sum has, of all rows of outputs; n of them belong to the row where it ends the task.

    Rows of samples before `top` and from `bottom` on add nothing.
    """
    k, zero = len(sums), sums[0]
    for i in range(count + k - 1):
        if top <= i < bottom:
            for c in range(k):
                sums = fmas(w, places, c * k, load(x, p + i * pitch + c * dx, zero), sums)
        if i >= k - 1:
            y = fma(plus, ones, sums[k - 1]) if biased else sums[k - 1]
            put_within(out, to + (i - k + 1) * step, end, n, y)
        sums = (zero,) + sums[:-1]  # noqa: RUF005  numba knows no other


@compiled(references=False)
def _columns(
    x: Any, p: int, pitch: int, count: int, top: int, bottom: int, out: Any, to: int, step: int, n: int, end: int,
    w: Any, k: int, dx: int, biased: bool, plus: Any, ones: Any, zero: Any,
) -> None:  # fmt: skip
    """As many columns as `zero` has, for k × k taps."""
    if k == 3:
        _down(x, p, pitch, count, top, bottom, out, to, step, n, end, w, dx, biased, plus, ones, rows(0, 2, 1, 3),
              bunch(zero, 3))  # fmt: skip
    elif k == 5:
        _down(x, p, pitch, count, top, bottom, out, to, step, n, end, w, dx, biased, plus, ones, rows(0, 4, 1, 5),
              bunch(zero, 5))  # fmt: skip
    else:
        _down(x, p, pitch, count, top, bottom, out, to, step, n, end, w, dx, biased, plus, ones, rows(0, 6, 1, 7),
              bunch(zero, 7))  # fmt: skip


@compiled(references=False)
def rolled(
    x: Any, pitch: int, count: int, top: int, bottom: int, out: Any, to: int, wide: int, end: int, w: Any, k: int,
    dx: int, biased: bool, plus: Any, zero: Any, unit: Any,
) -> None:  # fmt: skip
    """`count` rows of outputs by up to four registers; the last ones end with the row if it is wide enough.

    Parameters
    ----------
    x, pitch : extended rows of samples, and their distance
    top, bottom : rows of samples before and from which on all are zeros
    to, wide, end : where the outputs begin, how many are a row, and where those of the task end
    w, k, dx : taps as `turn_taps` leaves them, their side, and the distance of samples that meet neighbouring columns
    """
    one, j = HELD * lanes(x), 0
    while j < wide:
        left = (wide - j + one - 1) // one
        v = 2 if left <= 2 or (k > 3 and left != 3) else 3 if left in (3, 5, 6) else 4
        v = 1 if HELD > 1 and left == 1 else v
        q = max(0, min(j, wide - v * one))
        n = wide - q
        if v == 4:
            _down(x, q, pitch, count, top, bottom, out, to + q, wide, n, end, w, dx, biased, plus,
                  spread(unit, FOUR, 1), rows(0, 2, 1, 3), bunch(spread(zero, FOUR, 1), 3))  # fmt: skip
        elif v == 3:
            _columns(x, q, pitch, count, top, bottom, out, to + q, wide, n, end, w, k, dx, biased, plus,
                     spread(unit, THREE, 1), spread(zero, THREE, 1))  # fmt: skip
        elif v == 2:
            _columns(x, q, pitch, count, top, bottom, out, to + q, wide, n, end, w, k, dx, biased, plus,
                     spread(unit, TWO, 1), spread(zero, TWO, 1))  # fmt: skip
        else:
            _columns(x, q, pitch, count, top, bottom, out, to + q, wide, n, end, w, k, dx, biased, plus,
                     spread(unit, 2, 1), spread(zero, 2, 1))  # fmt: skip
        j += v * one
