"""Words for some rows of vectors at once, beside those of `lanes`; and the counter from which workers take tasks.

A bunch is a tuple of equal vectors, one for each row: the sums of a few output channels. Its rows lie anywhere in
memory, so places are tuples too. `count` is a literal in the source.

    rows(o, last, step, count)  min(o + r, last)·step for r < count: rows behind the last are the last once more
    listed(table, at, i)        table[at[r]] + i for every r: rows that lie as a table says
    bunch(v, count)             `count` times v
    loads(x, at, i, like)       a vector like `like` from x[at[r] + i] on, for every r
    stores(out, at, i, sums)    the inverse of loads
    fmas(w, at, k, v, sums)     w[at[r] + k]·v + sums[r]: one vector of samples, once loaded, serves all rows
    meet(x, at, i, w, sums)     w·v + sums[r] for the vector v from x[at[r] + i] on: one vector of taps serves all rows
    chosen(marks, a, b)         in every row, lane by lane, a where `marks` is not 0, else b
    take(counter)               counter[0], which then is one more: no two workers get the same, and who gets a number
                                sees what was written by those who took the numbers before
    seen(counter)               counter[0]; who sees a number sees what was written before it was reached
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import lower_builtin, type_callable

from firconv.kernels.lanes import (
    Lanes,
    _address,
    _join,
    _lower_load,
    _lower_store,
    _multiply_add,
    _splat,
    _sums,
    fma,
    load,
    store,
)  # fmt: skip

_turn = threading.Lock()


# --- the words, as they run with the JIT off ------------------------------------------------------------------------


def rows(o: int, last: int, step: int, count: int) -> tuple[int, ...]:
    """Where some rows begin; those behind the last are the last."""
    return tuple(min(o + r, last) * step for r in range(count))


def listed(table: np.ndarray, at: tuple[int, ...], i: int) -> tuple[int, ...]:
    """Where a table says that rows begin, from i on."""
    return tuple(table[a] + i for a in at)


def bunch(v: Any, count: int) -> tuple[Any, ...]:
    """The same vectors in every row."""
    return (v,) * count


def loads(x: np.ndarray, at: tuple[int, ...], i: int, like: Any) -> tuple[Any, ...]:
    """As many vectors as `like` from each row."""
    return tuple(load(x, a + i, like) for a in at)


def stores(out: np.ndarray, at: tuple[int, ...], i: int, sums: tuple[Any, ...]) -> None:
    """Write the vectors of every row."""
    for a, v in zip(at, sums, strict=True):
        store(out, a + i, v)


def fmas(w: np.ndarray, at: tuple[int, ...], k: int, v: Any, sums: tuple[Any, ...]) -> tuple[Any, ...]:
    """The sums w[at[r] + k]·v + sums[r]."""
    return tuple(fma(w[a + k], v, acc) for a, acc in zip(at, sums, strict=True))


def meet(x: np.ndarray, at: tuple[int, ...], i: int, w: Any, sums: tuple[Any, ...]) -> tuple[Any, ...]:
    """The sums w·x[at[r] + i …] + sums[r]."""
    return tuple(fma(w, load(x, a + i, w), acc) for a, acc in zip(at, sums, strict=True))


def chosen(marks: Any, a: tuple[Any, ...], b: tuple[Any, ...]) -> tuple[Any, ...]:
    """Lanes of a where they are marked, else of b."""
    return tuple(np.where(marks != 0, *pair).view(type(marks)) for pair in zip(a, b, strict=True))


def take(counter: np.ndarray) -> int:
    """The next number of a counter."""
    with _turn:
        counter[0] += 1
        return int(counter[0]) - 1


def seen(counter: np.ndarray) -> int:
    """What a counter has reached."""
    with _turn:
        return int(counter[0])


# --- their types ----------------------------------------------------------------------------------------------------


def _rows_type(o: Any, last: Any, step: Any, count: Any) -> Any:
    return types.UniTuple(types.int64, count.literal_value) if isinstance(count, types.IntegerLiteral) else None


def _bunch_type(v: Any, count: Any) -> Any:
    return types.UniTuple(v, count.literal_value) if isinstance(count, types.IntegerLiteral) else None


type_callable(rows)(lambda context: _rows_type)
type_callable(listed)(lambda context: lambda table, at, i: at)
type_callable(bunch)(lambda context: _bunch_type)
type_callable(loads)(lambda context: lambda x, at, i, like: types.UniTuple(like, at.count))
type_callable(stores)(lambda context: lambda out, at, i, sums: types.none)
type_callable(fmas)(lambda context: lambda w, at, k, v, sums: sums)
type_callable(meet)(lambda context: lambda x, at, i, w, sums: sums)
type_callable(chosen)(lambda context: lambda marks, a, b: a)
type_callable(take)(lambda context: lambda counter: types.int64)
type_callable(seen)(lambda context: lambda counter: types.int64)


# --- their machine code ---------------------------------------------------------------------------------------------


@lower_builtin(rows, types.Integer, types.Integer, types.Integer, types.Integer)
def _lower_rows(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    o, last, step = (context.cast(builder, v, t, types.int64) for v, t in zip(args[:3], sig.args[:3], strict=True))
    found = []
    for r in range(sig.return_type.count):
        row = builder.add(o, ir.Constant(o.type, r))
        found.append(builder.mul(builder.select(builder.icmp_signed("<", row, last), row, last), step))
    return context.make_tuple(builder, sig.return_type, found)


@lower_builtin(listed, types.Array, types.UniTuple, types.Integer)
def _lower_listed(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    i = context.cast(builder, args[2], sig.args[2], types.int64)
    starts = (builder.extract_value(args[1], r) for r in range(sig.return_type.count))
    found = [builder.add(builder.load(_address(context, builder, sig.args[0], args[0], at)), i) for at in starts]
    return context.make_tuple(builder, sig.return_type, found)


@lower_builtin(bunch, Lanes, types.Integer)
def _lower_bunch(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return context.make_tuple(builder, sig.return_type, [args[0]] * sig.return_type.count)


def _indices(context: Any, builder: Any, at: Any, i: Any, kind: Any) -> list[Any]:
    """at[r] + i of every row."""
    i = context.cast(builder, i, kind, types.int64)
    return [builder.add(builder.extract_value(at, r), i) for r in range(at.type.count)]


@lower_builtin(loads, types.Array, types.UniTuple, types.Integer, Lanes)
def _lower_loads(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    x, at, i, like = args
    one = sig.args[3](sig.args[0], types.int64, sig.args[3])
    found = [
        _lower_load(context, builder, one, (x, index, like))
        for index in _indices(context, builder, at, i, sig.args[2])
    ]
    return context.make_tuple(builder, sig.return_type, found)


@lower_builtin(stores, types.Array, types.UniTuple, types.Integer, types.UniTuple)
def _lower_stores(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    out, at, i, sums = args
    one = types.none(sig.args[0], types.int64, sig.args[3].dtype)
    for r, index in enumerate(_indices(context, builder, at, i, sig.args[2])):
        _lower_store(context, builder, one, (out, index, builder.extract_value(sums, r)))
    return context.get_dummy_value()


@lower_builtin(fmas, types.Array, types.UniTuple, types.Integer, Lanes, types.UniTuple)
def _lower_fmas(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    w, at, k, v, sums = args
    kind, found = sig.args[3], []
    for r in range(sig.args[4].count):
        start = _address(context, builder, sig.args[0], w, builder.extract_value(at, r))
        value = _splat(builder, builder.load(builder.gep(start, [k])), kind.count)
        found.append(_sums(builder, kind, value, v, builder.extract_value(sums, r)))
    return context.make_tuple(builder, sig.return_type, found)


@lower_builtin(meet, types.Array, types.UniTuple, types.Integer, Lanes, types.UniTuple)
def _lower_meet(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    x, at, i, w, sums = args
    kind, part = sig.args[3], builder.extract_value
    one, found = kind(sig.args[0], types.int64, kind), []
    for r, index in enumerate(_indices(context, builder, at, i, sig.args[2])):
        both = w, _lower_load(context, builder, one, (x, index, w)), part(sums, r)
        parts = [_multiply_add(builder, *(part(a, held) for a in both)) for held in range(kind.held)]
        found.append(_join(builder, w.type, parts))
    return context.make_tuple(builder, sig.return_type, found)


@lower_builtin(chosen, Lanes, types.UniTuple, types.UniTuple)
def _lower_chosen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    marks, *both = args
    part, found = builder.extract_value, []
    v = part(marks, 0)
    whole, zero = isinstance(v.type.element, ir.IntType), ir.Constant(v.type, None)
    marked = builder.icmp_signed("!=", v, zero) if whole else builder.fcmp_unordered("!=", v, zero)
    for r in range(sig.return_type.count):
        a, b = (part(part(sums, r), 0) for sums in both)
        found.append(_join(builder, marks.type, [builder.select(marked, a, b)]))
    return context.make_tuple(builder, sig.return_type, found)


@lower_builtin(take, types.Array)
def _lower_take(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    place = _address(context, builder, sig.args[0], args[0], ir.Constant(ir.IntType(64), 0))
    return builder.atomic_rmw("add", place, ir.Constant(ir.IntType(64), 1), "acq_rel")


@lower_builtin(seen, types.Array)
def _lower_seen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    place = _address(context, builder, sig.args[0], args[0], ir.Constant(ir.IntType(64), 0))
    return builder.load_atomic(place, "acquire", 8)
