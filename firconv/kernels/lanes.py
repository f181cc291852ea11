"""Short vectors of samples held in registers: load, fma, store, and nothing else.

A kernel that keeps its sums in registers says so with these words. Compiled, ``load(x, i, 4)`` is four machine
vectors of 32 bytes and ``fma`` one instruction for each; with the JIT off the same words are slices of NumPy arrays.
The rounding of an element never depends on the width it was computed with: ``fma(w, v, acc)`` is one fused operation in
every lane and for scalars too, or a product and a sum on processors that have no fused operation.

    load(x, i, width)    samples i … i + count − 1 of flat memory, count = width · 32 bytes / itemsize
    spread(zero, width)  the same scalar in every lane
    fma(w, v, acc)       w·v + acc, w a scalar, v and acc vectors of equal width (or scalars)
    store(out, i, v)     out[i … i + count − 1] = v
    lanes(x)             samples per unit of width

Indices are not checked.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.datamodel.models import PrimitiveModel
from numba.extending import lower_builtin, register_model, type_callable

BYTES = 32  # one unit of width: a register of AVX2; wider machines join two, narrower ones split it


class Lanes(types.Type):
    """Numba's type of a vector of `count` samples of `dtype`."""

    def __init__(self, dtype: types.Type, count: int):
        self.dtype, self.count = dtype, count
        super().__init__(f"Lanes({dtype}, {count})")


@register_model(Lanes)
class _LanesModel(PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: Lanes):
        super().__init__(manager, kind, ir.VectorType(manager[kind.dtype].get_value_type(), kind.count))


def lanes(x: np.ndarray) -> int:
    """Samples in one unit of width."""
    return BYTES // x.itemsize


def load(x: np.ndarray, i: int, width: int) -> Any:
    """Samples of flat memory from index `i`."""
    return x[i : i + width * BYTES // x.itemsize].copy()


def spread(value: Any, width: int) -> Any:
    """A vector with `value` in every lane."""
    return np.full(width * BYTES // value.itemsize, value)


def fma(w: Any, v: Any, acc: Any) -> Any:
    """The sum w·v + acc, rounded alike for vectors and scalars."""
    return w * v + acc


def store(out: np.ndarray, i: int, v: Any) -> None:
    """Write `v` into flat memory from index `i`."""
    out[i : i + len(v)] = v


def _width(dtype: types.Type, width: types.Type) -> Lanes | None:
    if not isinstance(width, types.IntegerLiteral):
        return None  # numba asks again with the literal
    return Lanes(dtype, width.literal_value * BYTES * 8 // dtype.bitwidth)


@type_callable(lanes)
def _type_lanes(context: Any) -> Any:
    return lambda x: types.intp


@type_callable(load)
def _type_load(context: Any) -> Any:
    return lambda x, i, width: _width(x.dtype, width)


@type_callable(spread)
def _type_spread(context: Any) -> Any:
    return lambda value, width: _width(value, width)


@type_callable(fma)
def _type_fma(context: Any) -> Any:
    return lambda w, v, acc: acc


@type_callable(store)
def _type_store(context: Any) -> Any:
    return lambda out, i, v: types.none


@lower_builtin(lanes, types.Array)
def _lower_lanes(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return context.get_constant(types.intp, BYTES * 8 // sig.args[0].dtype.bitwidth)


def _pointer(context: Any, builder: Any, kind: types.Array, array: Any, index: Any, vector: Any) -> Any:
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), vector.as_pointer())


@lower_builtin(load, types.Array, types.Integer, types.Integer)
def _lower_load(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    vector = context.get_value_type(sig.return_type)
    pointer = _pointer(context, builder, sig.args[0], args[0], args[1], vector)
    return builder.load(pointer, align=sig.args[0].dtype.bitwidth // 8)


@lower_builtin(store, types.Array, types.Integer, Lanes)
def _lower_store(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    pointer = _pointer(context, builder, sig.args[0], args[0], args[1], args[2].type)
    builder.store(args[2], pointer, align=sig.args[0].dtype.bitwidth // 8)
    return context.get_dummy_value()


def _splat(builder: Any, value: Any, count: int) -> Any:
    vector = ir.VectorType(value.type, count)
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    mask = ir.Constant(ir.VectorType(ir.IntType(32), count), [0] * count)
    return builder.shuffle_vector(first, ir.Constant(vector, ir.Undefined), mask)


@lower_builtin(spread, types.Number, types.Integer)
def _lower_spread(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return _splat(builder, args[0], sig.return_type.count)


def _multiply_add(builder: Any, dtype: types.Type, w: Any, v: Any, acc: Any) -> Any:
    if isinstance(dtype, types.Integer):
        return builder.add(builder.mul(w, v), acc)
    many = f"v{v.type.count}" if isinstance(v.type, ir.VectorType) else ""
    kind = ir.FunctionType(v.type, [v.type] * 3)
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fmuladd.{many}f{dtype.bitwidth}")
    return builder.call(function, [w, v, acc])


@lower_builtin(fma, types.Number, Lanes, Lanes)
def _lower_fma(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    w, v, acc = args
    return _multiply_add(builder, sig.args[0], _splat(builder, w, sig.return_type.count), v, acc)


@lower_builtin(fma, types.Number, types.Number, types.Number)
def _lower_fma_scalar(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return _multiply_add(builder, sig.return_type, *args)
