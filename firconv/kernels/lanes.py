"""Short vectors of samples held in registers: load, fma, store, and nothing else.

A kernel that keeps its sums in registers says so with these words. Compiled, ``load(x, i, 4)`` is four machine vectors
of 32 bytes and ``fma`` one instruction for each of them; with the JIT off the same words are NumPy arrays.
Where registers have 64 bytes, vectors that follow each other in memory, and are even in number, share them in pairs.
The rounding of an element never depends on the width it was computed with: ``fma(w, v, acc)`` is one fused operation in
every lane and for scalars too, or a product and a sum on processors that have no fused operation.

    lanes(x)                    samples in one vector, L = 32 bytes / itemsize
    width(v)                    samples in all the vectors of v
    spread(value, width, gap)   `width` vectors with `value` in every lane; in memory they lie `gap` vectors apart
    load(x, i, like)            as many vectors as `like` has: vector v from x[i + v·gap·L] of flat memory on
    store(out, i, v)            the inverse of load
    load_part, store_part(…, n) the same for the first n samples only; the others are 0 and stay untouched; gap 1
    fma(w, v, acc)              w·v + acc with a scalar w; v, acc vectors or scalars
    fnma(w, v, acc)             acc − w·v
    fma2(x, i, w, a, u, b)      w·v + a and u·v + b for v = load(x, i, a): one load serves two sums
    top(v, m)                   the larger of both, lane by lane; NaN where either is NaN
    loudest(v, m)               the larger of |v| and m ≥ 0, lane by lane; NaN where either is NaN
    least(i, j), most(i, j)     the smaller and the larger of two indices; `min` and `max` are compiled for every kernel
    ratio(a, b)                 the quotient a/b, lane by lane
    evens(a, b)                 every second lane of a single vector a and of b behind it, as one vector
    item(x, i), put(out, i, v)  one sample
    copy(x, i, n, out, j)       out[j:j + n] = x[i:i + n]; they must not overlap
    clear(out, j, n)            out[j:j + n] = 0
    number(bits, like)          the float of these bits, of the type of the samples of `like`
    prefetch(x, i)              bring the line of the cache that holds x[i] near; any i will do
    turn(x, i, gap, out, j, step)    a square of L × L samples of x, rows `gap` apart, into out with its columns as rows

`width` and `gap` are literals in the source. Indices are not checked, and negative ones do not wrap.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.datamodel.models import PrimitiveModel
from numba.core.registry import cpu_target
from numba.extending import lower_builtin, register_model, type_callable

from firconv.kernels.compiled import loops

BYTES = 32  # a register of AVX2; the processor's other sizes split it, or hold two that follow each other


def _register() -> int:
    """Bytes of a register: of AVX-512 where numba compiles for it; with the JIT off the same on every machine."""
    if loops():
        return BYTES
    features = set(cpu_target.target_context.codegen().magic_tuple()[2].split(","))
    return 2 * BYTES if {"+avx512f", "+avx512vl", "+avx512bw", "+avx512dq"} <= features else BYTES


REGISTER = _register()
HELD = REGISTER // BYTES  # vectors that a register holds: 1 or 2


class Lanes(types.Type):
    """Numba's type of `width` vectors of `dtype`, `gap` vectors apart in memory, in `held` registers of `count`."""

    def __init__(self, dtype: Any, width: int, gap: int):
        together = HELD if gap == 1 and width % HELD == 0 else 1
        self.dtype, self.width, self.gap = dtype, width, gap
        self.held, self.count = width // together, together * BYTES * 8 // dtype.bitwidth
        super().__init__(f"Lanes({dtype}, {width}, {gap})")


@register_model(Lanes)
class _LanesModel(PrimitiveModel):
    def __init__(self, manager: Any, kind: Lanes):
        vector = ir.VectorType(manager[kind.dtype].get_value_type(), kind.count)
        super().__init__(manager, kind, ir.ArrayType(vector, kind.held))


# --- the words, as they run with the JIT off ------------------------------------------------------------------------


class _Vectors(np.ndarray):
    """Vectors by lanes, with the distance at which they lie in memory."""

    gap = 1

    def __array_finalize__(self, other: Any) -> None:
        self.gap = getattr(other, "gap", 1)


def lanes(x: np.ndarray) -> int:
    """Samples in one vector."""
    return BYTES // x.itemsize


def spread(value: Any, width: int, gap: int) -> Any:
    """Vectors with `value` in every lane."""
    vectors = np.full((width, BYTES // value.itemsize), value).view(_Vectors)
    vectors.gap = gap
    return vectors


def width(v: Any) -> int:
    """Samples in all the vectors of `v`."""
    return int(v.size)


def _indices(i: int, like: Any) -> np.ndarray:
    width, count = like.shape
    return i + like.gap * count * np.arange(width)[:, None] + np.arange(count)


def load(x: np.ndarray, i: int, like: Any) -> Any:
    """As many vectors as `like` from flat memory at index `i`."""
    vectors = x[_indices(i, like)].view(_Vectors)
    vectors.gap = like.gap
    return vectors


def store(out: np.ndarray, i: int, v: Any) -> None:
    """Write vectors into flat memory from index `i`."""
    out[_indices(i, v)] = v


def load_part(x: np.ndarray, i: int, like: Any, n: int) -> Any:
    """The first n samples of as many vectors as `like`, zeros behind them."""
    vectors = np.zeros_like(like)
    vectors.reshape(-1)[:n] = x[i : i + n]
    return vectors


def store_part(out: np.ndarray, i: int, v: Any, n: int) -> None:
    """Write the first n samples of `v`."""
    out[i : i + n] = v.reshape(-1)[:n]


def fma(w: Any, v: Any, acc: Any) -> Any:
    """The sum w·v + acc, rounded alike for vectors and scalars."""
    with np.errstate(all="ignore"):
        return w * v + acc


def fnma(w: Any, v: Any, acc: Any) -> Any:
    """The sum acc − w·v, rounded as `fma`."""
    with np.errstate(all="ignore"):
        return acc - w * v


def fma2(x: np.ndarray, i: int, w: Any, a: Any, u: Any, b: Any) -> Any:
    """Two sums over the same vectors, one vector after the other so that few are alive at once."""
    v = load(x, i, a)
    return fma(w, v, a), fma(u, v, b)


def top(v: Any, m: Any) -> Any:
    """The larger of both, NaN where either is NaN."""
    with np.errstate(invalid="ignore"):
        if isinstance(m, np.ndarray):
            return np.where((v > m) | (v != v), v, m).view(_Vectors)
        return v if v > m or v != v else m


def loudest(v: Any, m: Any) -> Any:
    """The larger of |v| and m, NaN where either is NaN."""
    with np.errstate(invalid="ignore"):
        return np.maximum(np.abs(v), m)


def least(i: int, j: int) -> int:
    """The smaller of two indices."""
    return min(i, j)


def most(i: int, j: int) -> int:
    """The larger of two indices."""
    return max(i, j)


def ratio(a: Any, b: Any) -> Any:
    """The quotient of two vectors."""
    with np.errstate(all="ignore"):
        return a / b


def evens(a: Any, b: Any) -> Any:
    """Every second lane of two vectors, as one."""
    vectors = np.concatenate([a, b], axis=1)[:, ::2].view(_Vectors)
    vectors.gap = a.gap
    return vectors


def item(x: np.ndarray, i: int) -> Any:
    """One sample of flat memory."""
    return x.flat[i]


def put(out: np.ndarray, i: int, v: Any) -> None:
    """Write one sample of flat memory."""
    out[i] = v


def copy(x: np.ndarray, i: int, n: int, out: np.ndarray, j: int) -> None:
    """Copy n ≥ 0 samples of flat memory."""
    out[j : j + n] = x[i : i + n]


def clear(out: np.ndarray, j: int, n: int) -> None:
    """Set n ≥ 0 samples of flat memory to zero."""
    out[j : j + n] = 0


def number(bits: Any, like: np.ndarray) -> Any:
    """The float that an integer of as many bytes stands for."""
    return np.array(bits, f"i{like.itemsize}").view(like.dtype)[()]


def prefetch(x: np.ndarray, i: int) -> None:
    """Nothing: caches are the processor's business."""


def turn(x: np.ndarray, i: int, gap: int, out: np.ndarray, j: int, step: int) -> None:
    """out[j + a·step + b] = x[i + b·gap + a] for a, b < L."""
    n = np.arange(lanes(x))
    out[j + n[:, None] * step + n] = x[i + n[:, None] + n * gap]


# --- their types ----------------------------------------------------------------------------------------------------


def _spread_type(value: types.Type, width: types.Type, gap: types.Type) -> Lanes | None:
    if not (isinstance(width, types.IntegerLiteral) and isinstance(gap, types.IntegerLiteral)):
        return None  # numba asks again with the literals
    return Lanes(value, width.literal_value, gap.literal_value)


type_callable(lanes)(lambda context: lambda x: types.intp)
type_callable(width)(lambda context: lambda v: types.intp)
type_callable(spread)(lambda context: _spread_type)
type_callable(load)(lambda context: lambda x, i, like: like)
type_callable(store)(lambda context: lambda out, i, v: types.none)
type_callable(load_part)(lambda context: lambda x, i, like, n: like)
type_callable(store_part)(lambda context: lambda out, i, v, n: types.none)
type_callable(fma)(lambda context: lambda w, v, acc: acc)
type_callable(fnma)(lambda context: lambda w, v, acc: acc)
type_callable(fma2)(lambda context: lambda x, i, w, a, u, b: types.UniTuple(a, 2))
type_callable(top)(lambda context: lambda v, m: m)
type_callable(loudest)(lambda context: lambda v, m: m)
type_callable(least)(lambda context: lambda i, j: types.intp)
type_callable(most)(lambda context: lambda i, j: types.intp)
type_callable(ratio)(lambda context: lambda a, b: a)
type_callable(evens)(lambda context: lambda a, b: a if a.width == 1 else None)
type_callable(turn)(lambda context: lambda x, i, gap, out, j, step: types.none)
type_callable(item)(lambda context: lambda x, i: x.dtype)
type_callable(put)(lambda context: lambda out, i, v: types.none if v == out.dtype else None)
type_callable(copy)(lambda context: lambda x, i, n, out, j: types.none if x.dtype == out.dtype else None)
type_callable(clear)(lambda context: lambda out, j, n: types.none)
type_callable(number)(lambda context: lambda bits, like: like.dtype)
type_callable(prefetch)(lambda context: lambda x, i: types.none)


# --- their machine code ---------------------------------------------------------------------------------------------


@lower_builtin(lanes, types.Array)
def _lower_lanes(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return context.get_constant(types.intp, BYTES * 8 // sig.args[0].dtype.bitwidth)


@lower_builtin(width, Lanes)
def _lower_width(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return context.get_constant(types.intp, sig.args[0].held * sig.args[0].count)


def _address(context: Any, builder: Any, kind: types.Array, array: Any, index: Any) -> Any:
    return builder.gep(context.make_array(kind)(context, builder, array).data, [index])


def _parts(builder: Any, address: Any, kind: Lanes, vector: Any) -> list[Any]:
    """Return the addresses of the vectors of one load or store."""
    steps = [ir.Constant(ir.IntType(64), v * kind.gap * kind.count) for v in range(kind.held)]
    return [builder.bitcast(builder.gep(address, [s]), vector.as_pointer()) for s in steps]


def _join(builder: Any, kind: Any, vectors: list[Any]) -> Any:
    whole = ir.Constant(kind, ir.Undefined)
    for v, vector in enumerate(vectors):
        whole = builder.insert_value(whole, vector, v)
    return whole


def _splat(builder: Any, value: Any, count: int) -> Any:
    vector = ir.VectorType(value.type, count)
    undefined, lane = ir.Constant(vector, ir.Undefined), ir.IntType(32)
    first = builder.insert_element(undefined, value, ir.Constant(lane, 0))
    return builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(lane, count), [0] * count))


@lower_builtin(spread, types.Number, types.Integer, types.Integer)
def _lower_spread(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    kind = sig.return_type
    return _join(builder, context.get_value_type(kind), [_splat(builder, args[0], kind.count)] * kind.held)


@lower_builtin(load, types.Array, types.Integer, Lanes)
def _lower_load(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    kind = args[2].type
    address = _address(context, builder, sig.args[0], args[0], args[1])
    parts = _parts(builder, address, sig.args[2], kind.element)
    return _join(builder, kind, [builder.load(p, align=sig.args[2].dtype.bitwidth // 8) for p in parts])


@lower_builtin(store, types.Array, types.Integer, Lanes)
def _lower_store(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    address = _address(context, builder, sig.args[0], args[0], args[1])
    for v, part in enumerate(_parts(builder, address, sig.args[2], args[2].type.element)):
        builder.store(builder.extract_value(args[2], v), part, align=sig.args[2].dtype.bitwidth // 8)
    return context.get_dummy_value()


@lower_builtin(load_part, types.Array, types.Integer, Lanes, types.Integer)
def _lower_load_part(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    address = _address(context, builder, sig.args[0], args[0], args[1])
    whole = cgutils.alloca_once(builder, args[2].type)
    builder.store(ir.Constant(args[2].type, None), whole)
    size = ir.Constant(ir.IntType(64), sig.args[2].dtype.bitwidth // 8)
    cgutils.raw_memcpy(builder, whole, address, args[3], size)
    return builder.load(whole)


@lower_builtin(store_part, types.Array, types.Integer, Lanes, types.Integer)
def _lower_store_part(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    address = _address(context, builder, sig.args[0], args[0], args[1])
    whole = cgutils.alloca_once(builder, args[2].type)
    builder.store(args[2], whole)
    cgutils.raw_memcpy(builder, address, whole, args[3], ir.Constant(ir.IntType(64), sig.args[2].dtype.bitwidth // 8))
    return context.get_dummy_value()


def _larger(builder: Any, v: Any, m: Any) -> Any:
    if isinstance(getattr(v.type, "element", v.type), ir.IntType):
        return builder.select(builder.icmp_signed(">", v, m), v, m)
    more, nan = builder.fcmp_ordered(">", v, m), builder.fcmp_unordered("uno", v, v)
    return builder.select(builder.or_(more, nan), v, m)


@lower_builtin(top, types.Number, types.Number)
def _lower_top_scalar(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return _larger(builder, *args)


@lower_builtin(least, types.Integer, types.Integer)
def _lower_least(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return builder.select(builder.icmp_signed("<", *args), *args)


@lower_builtin(most, types.Integer, types.Integer)
def _lower_most(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return builder.select(builder.icmp_signed(">", *args), *args)


def _lane_by_lane(builder: Any, args: Any, word: Any) -> Any:
    kind, part = args[0].type, builder.extract_value
    return _join(builder, kind, [word(builder, part(args[0], v), part(args[1], v)) for v in range(kind.count)])


@lower_builtin(top, Lanes, Lanes)
def _lower_top(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return _lane_by_lane(builder, args, _larger)


@lower_builtin(loudest, Lanes, Lanes)
def _lower_loudest(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    """Without their sign, floats are ordered as the integers of their bits; NaN comes last."""
    kind = sig.return_type
    whole = ir.VectorType(ir.IntType(kind.dtype.bitwidth), kind.count)
    mask = ir.Constant(whole, [(1 << (kind.dtype.bitwidth - 1)) - 1] * kind.count)

    def larger(build: Any, v: Any, m: Any) -> Any:
        i, j = build.and_(build.bitcast(v, whole), mask), build.bitcast(m, whole)
        return build.bitcast(build.select(build.icmp_signed(">", i, j), i, j), v.type)

    return _lane_by_lane(builder, args, larger)


@lower_builtin(ratio, Lanes, Lanes)
def _lower_ratio(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    word = "sdiv" if isinstance(sig.return_type.dtype, types.Integer) else "fdiv"
    return _lane_by_lane(builder, args, lambda build, a, b: getattr(build, word)(a, b))


@lower_builtin(evens, Lanes, Lanes)
def _lower_evens(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    count = sig.return_type.count
    mask = ir.Constant(ir.VectorType(ir.IntType(32), count), list(range(0, 2 * count, 2)))
    both = (builder.extract_value(a, 0) for a in args)
    return _join(builder, args[0].type, [builder.shuffle_vector(*both, mask)])


@lower_builtin(turn, types.Array, types.Integer, types.Integer, types.Array, types.Integer, types.Integer)
def _lower_turn(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    size = sig.args[0].dtype.bitwidth // 8
    count = BYTES // size
    source = _address(context, builder, sig.args[0], args[0], args[1])
    target = _address(context, builder, sig.args[3], args[3], args[4])

    def row(start: Any, gap: Any, number: int) -> Any:
        pointer = builder.gep(start, [builder.mul(gap, ir.Constant(gap.type, number))])
        return builder.bitcast(pointer, ir.VectorType(pointer.type.pointee, count).as_pointer())

    rows = [builder.load(row(source, args[2], b), align=size) for b in range(count)]
    for a, vector in enumerate(_transposed(builder, rows, count)):
        builder.store(vector, row(target, args[5], a), align=size)
    return context.get_dummy_value()


def _transposed(builder: Any, rows: list[Any], count: int) -> list[Any]:
    """Exchange, for every bit of the indices, the lanes that have it in one row with those that lack it in another."""
    bit = 1
    while bit < count:
        low = [n if not n & bit else n - bit + count for n in range(count)]
        high = [n + bit if not n & bit else n + count for n in range(count)]
        masks = [ir.Constant(ir.VectorType(ir.IntType(32), count), mask) for mask in (low, high)]
        pairs = [(rows[a & ~bit], rows[a | bit], masks[bool(a & bit)]) for a in range(count)]
        rows = [builder.shuffle_vector(*pair) for pair in pairs]
        bit *= 2
    return rows


@lower_builtin(item, types.Array, types.Integer)
def _lower_item(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return builder.load(_address(context, builder, sig.args[0], args[0], args[1]))


@lower_builtin(put, types.Array, types.Integer, types.Number)
def _lower_put(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    builder.store(args[2], _address(context, builder, sig.args[0], args[0], args[1]))
    return context.get_dummy_value()


@lower_builtin(copy, types.Array, types.Integer, types.Integer, types.Array, types.Integer)
def _lower_copy(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    source = _address(context, builder, sig.args[0], args[0], args[1])
    target = _address(context, builder, sig.args[3], args[3], args[4])
    count = context.cast(builder, args[2], sig.args[2], types.intp)
    cgutils.raw_memcpy(builder, target, source, count, ir.Constant(ir.IntType(64), sig.args[0].dtype.bitwidth // 8))
    return context.get_dummy_value()


@lower_builtin(clear, types.Array, types.Integer, types.Integer)
def _lower_clear(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    target = builder.bitcast(_address(context, builder, sig.args[0], args[0], args[1]), ir.IntType(8).as_pointer())
    count = context.cast(builder, args[2], sig.args[2], types.intp)
    size = builder.mul(count, ir.Constant(count.type, sig.args[0].dtype.bitwidth // 8))
    cgutils.memset(builder, target, size, 0)
    return context.get_dummy_value()


@lower_builtin(number, types.Integer, types.Array)
def _lower_number(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    kind = context.get_value_type(sig.return_type)
    return builder.bitcast(context.cast(builder, args[0], sig.args[0], _whole(sig.return_type)), kind)


def _whole(kind: Any) -> Any:
    return types.int32 if kind == types.float32 else types.int64


@lower_builtin(prefetch, types.Array, types.Integer)
def _lower_prefetch(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
    address = builder.bitcast(_address(context, builder, sig.args[0], args[0], args[1]), byte)
    kind = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
    function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
    builder.call(function, [address, ir.Constant(word, 0), ir.Constant(word, 3), ir.Constant(word, 1)])
    return context.get_dummy_value()


def _multiply_add(builder: Any, w: Any, v: Any, acc: Any) -> Any:
    scalar = getattr(v.type, "element", v.type)
    if isinstance(scalar, ir.IntType):
        return builder.add(builder.mul(w, v), acc)
    many = f"v{v.type.count}" if v.type is not scalar else ""
    name = f"llvm.fmuladd.{many}{scalar.intrinsic_name}"
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(v.type, [v.type] * 3), name)
    return builder.call(function, [w, v, acc])


@lower_builtin(fma, types.Number, types.Number, types.Number)
def _lower_fma_scalar(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return _multiply_add(builder, *args)


def _sums(builder: Any, kind: Lanes, w: Any, v: Any, acc: Any) -> Any:
    part = builder.extract_value
    return _join(builder, acc.type, [_multiply_add(builder, w, part(v, i), part(acc, i)) for i in range(kind.held)])


@lower_builtin(fma, types.Number, Lanes, Lanes)
def _lower_fma(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return _sums(builder, sig.return_type, _splat(builder, args[0], sig.return_type.count), *args[1:])


@lower_builtin(fma, Lanes, Lanes, Lanes)
def _lower_fma_vectors(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    (w, v, acc), part = args, builder.extract_value
    sums = [_multiply_add(builder, *(part(a, i) for a in (w, v, acc))) for i in range(sig.return_type.held)]
    return _join(builder, acc.type, sums)


@lower_builtin(fnma, types.Float, Lanes, Lanes)
def _lower_fnma(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    w = builder.fneg(_splat(builder, args[0], sig.return_type.count))
    return _sums(builder, sig.return_type, w, *args[1:])


@lower_builtin(fma2, types.Array, types.Integer, types.Number, Lanes, types.Number, Lanes)
def _lower_fma2(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    lanes_type, kind, part = sig.args[3], args[3].type, builder.extract_value
    w, u = _splat(builder, args[2], lanes_type.count), _splat(builder, args[4], lanes_type.count)
    address = _address(context, builder, sig.args[0], args[0], args[1])
    first, second = [], []
    for i, pointer in enumerate(_parts(builder, address, lanes_type, kind.element)):
        v = builder.load(pointer, align=lanes_type.dtype.bitwidth // 8)
        first.append(_multiply_add(builder, w, v, part(args[3], i)))
        second.append(_multiply_add(builder, u, v, part(args[5], i)))
    return context.make_tuple(builder, sig.return_type, [_join(builder, kind, s) for s in (first, second)])
