"""Step 1, describe: arrays and keywords become a `Problem` and a `Layout`; after it every argument is valid.

The layout says how the caller's arrays map to the engine's: signal (group…, axes…), taps (group…, out…, axes…) with one
tap on every unfiltered axis, output (group…, out…, axes…). All of it views.
"""

from __future__ import annotations

import operator
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import gcd, prod
from typing import Any

import numpy as np

from firconv import boundary as bd
from firconv.problem import Ints, Problem, extent, size, stuffed, window

MODES = ("full", "same", "valid")
#: Bytes that a process can address, up to where indices cannot overflow, and outputs between which taps differ.
ADDRESSES, FARTHEST, PHASES = 1 << 47, 1 << 61, 1 << 24
PRESETS = ("numpy", "scipy", "scipy2d", "ndimage", "opencv", "torch", "matlab", "causal")


@dataclass(frozen=True)
class Layout:
    """Where the engine's axes lie in the caller's arrays.

    Attributes
    ----------
    shape : of the result
    groups, outs, axes : dimensions of the result that select a filter and a part of the signal; a filter only; the rest
    taps_at : for each of `axes`, the dimension of h, or −1
    filtered : which of `axes` the taps lie along
    starts : position t of output 0 along each filtered axis, in the order of the caller's `axes`
    """

    shape: Ints
    groups: Ints
    outs: Ints
    axes: Ints
    taps_at: Ints
    filtered: Ints
    starts: Ints


@dataclass(frozen=True)
class Call:
    """The keywords of one call as the user wrote them (hashable)."""

    op: str
    mode: Any = "full"
    boundary: Any = "zero"
    axes: Any = None
    origin: Any = None
    up: Any = 1
    down: Any = 1
    dilation: Any = 1

    def __str__(self) -> str:
        return f"{self.op}(x, h)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Call) and alike(self.__dict__.values(), other.__dict__.values())


def alike(a: Collection[Any], b: Collection[Any]) -> bool:
    """True if the words of two calls are equal and of the same types, also inside tuples.

    What was remembered for 2 is never found for 2.0, which Python calls equal: whether a call is refused must not
    depend on the calls before it.
    """
    if len(a) == len(b) and all(map(operator.is_, a, b)):  # small numbers and words are
        return True
    a, b = tuple(a), tuple(b)
    kinds = [*map(type, a)]
    if a != b or kinds != [*map(type, b)]:
        return False
    return tuple not in kinds or all(alike(v, w) for v, w in zip(a, b, strict=True) if type(v) is tuple)


# ── arrays ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def operands(op: str, x: Any, h: Any, names: tuple[str, str] = ("x", "h")) -> tuple[np.ndarray, np.ndarray]:
    """The two operands as plain arrays; Python numbers and nested lists of them take the other's type.

    `names` are what the call's errors say.

    Raises
    ------
    TypeError
        For masked, object, string and other arrays that hold no numbers.
    ValueError
        For empty ones.
    """
    if type(x) is np.ndarray and type(h) is np.ndarray:
        if x.dtype.kind in "biufc" and h.dtype.kind in "biufc" and x.size > 0 and h.size > 0:
            return x, h
        weak = False, False
    else:
        weak = _is_weak(x), _is_weak(h)
    call = f"{op}({', '.join(names)})"
    a, b = _array(call, names[0], x), _array(call, names[1], h)
    if weak == (False, True):
        b = _weaken(b, a.dtype)
    elif weak == (True, False):
        a = _weaken(a, b.dtype)
    for name, array in zip(names, (a, b), strict=True):
        if array.dtype.kind not in "biufc":
            raise TypeError(
                f"{call}: {name} has dtype {array.dtype}, which holds no numbers this library filters: "
                "convert it to an integer, float or complex array"
            )
        if array.size == 0:
            raise ValueError(f"{call}: {name} is empty (shape {array.shape}): give at least one sample")
    return a, b


def example(call: Any, x: Any) -> Any:
    """An array of the given (shape, dtype) that takes no memory, or x itself.

    Raises
    ------
    ValueError
        For a shape that no array has.
    """
    if isinstance(x, tuple) and len(x) == 2 and isinstance(x[0], (tuple, list)) and not isinstance(x[1], (tuple, list)):
        try:
            kind = np.dtype(x[1])
        except TypeError:
            return x
        try:
            return np.broadcast_to(np.zeros((), kind), tuple(x[0]))
        except (ValueError, TypeError) as error:
            raise ValueError(f"{call}: no array of x has the shape {x[0]!r} ({error}): give lengths that fit") from None
    return x


def refuse_masks(call: str, name: str, value: Any) -> None:
    """Masked arrays are nobody's operand.

    Raises
    ------
    TypeError
        For one.
    """
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(
            f"{call}: {name} is a masked array, and a sum over masked samples is not defined: fill it "
            f"({name}.filled(0)) or pass {name}.data"
        )


def _array(call: str, name: str, value: Any) -> np.ndarray:
    if hasattr(value, "taps") and hasattr(value, "origin"):
        raise TypeError(
            f"{call}: {name} is a system ({type(value).__name__}), not an array: filter by {name}(x), plan by "
            f"{name}.plan(x), or give {name}.taps and origin={name}.origin"
        )
    refuse_masks(call, name, value)
    if hasattr(value, "todense") and not isinstance(value, np.ndarray):
        raise TypeError(f"{call}: {name} is a sparse {type(value).__name__}: pass {name}.toarray()")
    try:
        return np.asarray(value)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"{call}: {name}={value!r} is no array ({error}): give numbers of one regular shape"
        ) from error


def _is_weak(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(map(_is_weak, value))
    return type(value) in (int, float, complex, bool)


def _weaken(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Python numbers as the other operand's type, or the smallest step up in kind that holds them."""
    kind = "biufc".index(array.dtype.kind) if array.dtype.kind in "biufc" else -1
    if kind < 0 or dtype.kind not in "biufc":
        return array
    if kind <= 2:
        unsigned = dtype == np.uint64 and array.size > 0 and array.min() >= 0
        return array.astype(dtype) if dtype.kind in "fc" or unsigned else array
    if kind == 3:
        return array.astype(dtype if dtype.kind in "fc" else np.float64)
    return array.astype(np.result_type(dtype, np.complex64 if dtype.kind in "fc" else np.complex128))


def result_dtype(x: np.dtype, h: np.dtype, renormalised: bool = False) -> np.dtype:
    """The type of the defining sum: NumPy's for floats, 64 bits for integers and bools.

    uint64 only where one operand is uint64 and the other cannot be negative.
    """
    if x.kind in "biu" and h.kind in "biu":
        if renormalised:
            return np.dtype(np.float64)
        unsigned = np.dtype(np.uint64) in (x, h) and "i" not in (x.kind, h.kind)
        return np.dtype(np.uint64 if unsigned else np.int64)
    return np.result_type(x, h).newbyteorder("=")


# ── keywords ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def describe(call: Call, x_shape: Ints, x_dtype: np.dtype, h_shape: Ints, h_dtype: np.dtype) -> tuple[Problem, Layout]:
    """The problem that a call states, and where its axes lie.

    Raises
    ------
    ValueError, TypeError
        For every argument that cannot mean anything, naming the argument, its value, and what to write instead.
    """
    axes = _axes(call, x_shape, h_shape)
    count = len(axes)
    k = [h_shape[i] for i in range(count)] if len(h_shape) == count else [h_shape[a] for a in axes]
    n = [x_shape[a] for a in axes]
    up, down, dilation = (_positive(call, name, getattr(call, name), count) for name in ("up", "down", "dilation"))
    origins = _origins(call, k)
    modes = _modes(call, count)
    pads, starts, outputs = [], [], []
    swap = _scipy_swap(call, modes, n, k, origins)
    for i in range(count):
        reach = ((k[i] - 1 - origins[i]) if call.op == "convolve" else origins[i]) * dilation[i]
        start, length = _window(call, modes[i], n[i], k[i], reach, up[i], down[i], dilation[i], swap)
        starts.append(start)
        outputs.append(length)
        pads.append(reach - start)
    rules = bd.parse(call.boundary, count, call)
    layout, groups, channels_out = _layout(call, x_shape, h_shape, axes, outputs, starts)
    spread = _Spread(layout, axes)
    renormalised = any(rule.name == "omit" for ends in rules for rule in ends)
    problem = Problem(
        signal=tuple(x_shape[a] for a in layout.axes),
        taps=spread(k, 1),
        outputs=tuple(layout.shape[a] for a in layout.axes),
        pad=spread(pads, 0),
        up=spread(up, 1),
        down=spread(down, 1),
        dilation=spread(dilation, 1),
        boundary=spread(rules, (bd.Rule("zero"),) * 2),
        groups=groups,
        channels_in=1,
        channels_out=channels_out,
        signal_dtype=x_dtype,
        taps_dtype=h_dtype,
        dtype=result_dtype(x_dtype, h_dtype, renormalised),
    )
    refuse_absurd(call, problem)
    return problem, layout


def refuse_absurd(call: Any, problem: Problem) -> None:
    """Refuse what no machine can hold or count, before anything is made for it.

    Raises
    ------
    ValueError
        Where the outputs, or the samples from the first to the last that they read, exceed all addresses, and for more
        than `PHASES` phases.
    """
    p, item = problem, problem.dtype.itemsize
    count = size(p.outputs) * p.groups * p.channels_out
    if count * item > ADDRESSES:
        raise ValueError(
            f"{call}: the result would have {count} samples and take {count * item:.1e} bytes, more than a machine can "
            "address: ask for fewer outputs"
        )
    for n, k, up, down, dilation, pad in zip(p.outputs, p.taps, p.up, p.down, p.dilation, p.pad, strict=True):
        span = ((n - 1) * down + extent(k, dilation)) // up + 1
        if span * item > ADDRESSES:
            raise ValueError(
                f"{call}: {n} outputs, each {down} after the last, of {k} taps with dilation {dilation} read over "
                f"{span} samples of {item} bytes, more than a machine can address: use smaller numbers"
            )
        if (farthest := max(up, down, abs(pad))) > FARTHEST:
            raise ValueError(f"{call}: a step or a position of {farthest} exceeds {FARTHEST}: use smaller numbers")
        if up // gcd(up, down) > PHASES:
            raise ValueError(
                f"{call}: zeros between the samples ({up - 1} of them) make {up // gcd(up, down)} different outputs, "
                f"more than {PHASES}, and the result would take {count * item:.1e} bytes: use a smaller "
                f"{'up' if isinstance(call, Call) else 'stride'}"
            )


def no_room(call: Any, error: MemoryError) -> MemoryError:
    """The error with the call that it ended, and what to do."""
    what = str(error) or "out of memory"
    return MemoryError(f"{call}: {what}: ask for fewer outputs, or a smaller up, stride, padding or dilation")


class _Spread:
    """Values per filtered axis, in the caller's order, spread over the engine's axes."""

    def __init__(self, layout: Layout, axes: Ints):
        self.where = [axes.index(a) if a in axes else -1 for a in layout.axes]

    def __call__(self, values: Sequence[Any], fill: Any) -> tuple[Any, ...]:
        return tuple(values[i] if i >= 0 else fill for i in self.where)


def _axes(call: Call, x_shape: Ints, h_shape: Ints) -> Ints:
    rank = len(x_shape)
    if call.axes is None:
        if len(h_shape) != rank:
            raise ValueError(
                f"{call}: x has {rank} dimensions and h has {len(h_shape)}: give axes= (as many as h has "
                "dimensions) to filter along some of x's, or reshape h"
            )
        return tuple(range(rank))
    try:
        axes = tuple(operator.index(a) for a in (call.axes if isinstance(call.axes, (tuple, list)) else (call.axes,)))
    except TypeError:
        raise TypeError(f"{call}: axes={call.axes!r} is not an int or a tuple of ints") from None
    if any(not -rank <= a < rank for a in axes):
        raise ValueError(f"{call}: axes={call.axes!r} out of range for x with {rank} dimensions")
    axes = tuple(a % rank for a in axes)
    if len(set(axes)) != len(axes) or not axes:
        raise ValueError(f"{call}: axes={call.axes!r} must name at least one axis, and each only once")
    if len(h_shape) not in (len(axes), rank):
        raise ValueError(
            f"{call}: h has {len(h_shape)} dimensions; with axes={call.axes!r} it needs {len(axes)} (one "
            f"filter for all the rest) or {rank} (broadcast against x)"
        )
    return axes


def _per_axis(call: Call, name: str, value: Any, count: int) -> tuple[Any, ...]:
    if isinstance(value, (list, tuple)) or (isinstance(value, np.ndarray) and value.ndim):
        if len(value) != count:
            raise ValueError(f"{call}: {name}={value!r} has {len(value)} entries for {count} filtered axes")
        return tuple(value)
    return (value,) * count


def _positive(call: Call, name: str, value: Any, count: int) -> Ints:
    entries = _per_axis(call, name, value, count)
    try:
        numbers = tuple(operator.index(v) for v in entries)
    except TypeError:
        raise TypeError(f"{call}: {name}={value!r} is not an int or one int per filtered axis") from None
    if min(numbers, default=1) < 1:
        raise ValueError(f"{call}: {name}={value!r} must be at least 1")
    return numbers


def preset(name: str, op: str, k: int) -> int:
    """The index of the tap at displacement zero that another system uses for k taps.

    Examples
    --------
    >>> preset("ndimage", "convolve", 4), preset("scipy", "convolve", 4)
    (2, 1)
    """
    if name == "causal":
        return 0 if op == "convolve" else k - 1
    upper = {
        "numpy": "correlate",
        "scipy": "correlate",
        "opencv": "correlate",
        "torch": "convolve",
        "matlab": "convolve",
        "scipy2d": None,
        "ndimage": op,
    }[name]
    return k // 2 if op == upper else (k - 1) // 2


def _origins(call: Call, k: Sequence[int]) -> Ints:
    value = "scipy" if call.origin is None else call.origin
    return tuple(
        _origin(call, v, length) for v, length in zip(_per_axis(call, "origin", value, len(k)), k, strict=True)
    )


def _origin(call: Call, value: Any, k: int) -> int:
    if isinstance(value, str):
        if value not in PRESETS:
            raise ValueError(f"{call}: origin={value!r} is unknown: give an index or one of {', '.join(PRESETS)}")
        return preset(value, call.op, k)
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(
            f"{call}: origin={value!r} is not an int, one int per axis, or one of {', '.join(PRESETS)}"
        ) from None


def _modes(call: Call, count: int) -> tuple[Any, ...]:
    modes = _per_axis(call, "mode", call.mode, count) if isinstance(call.mode, list) else (call.mode,) * count
    for mode in modes:
        if isinstance(mode, tuple) and len(mode) == 2 and all(hasattr(v, "__index__") for v in mode):
            if mode[1] <= mode[0]:
                raise ValueError(f"{call}: mode={mode!r} is an empty window: give (start, stop) with start < stop")
        elif not (isinstance(mode, str) and mode in MODES):
            raise ValueError(
                f"{call}: mode={mode!r} is unknown: use 'full', 'same', 'valid', or a window (start, stop)"
            )
    return modes


def _scipy_swap(call: Call, modes: Sequence[Any], n: Sequence[int], k: Sequence[int], origins: Ints) -> bool:
    """True for the plain valid call with taps longer than the signal on every axis, where scipy exchanges the two."""
    plain = (
        call.boundary == "zero"
        and call.origin is None
        and all(np.all(np.equal(getattr(call, name), 1)) for name in ("up", "down", "dilation"))
    )
    return plain and all(m == "valid" for m in modes) and all(a <= b for a, b in zip(n, k, strict=True))


def _window(
    call: Call, mode: Any, n: int, k: int, reach: int, up: int, down: int, dilation: int, swap: bool
) -> tuple[int, int]:
    if isinstance(mode, tuple):
        return operator.index(mode[0]), -(-(operator.index(mode[1]) - operator.index(mode[0])) // down)
    e, m = extent(k, dilation), stuffed(n, up)
    if mode == "valid" and e > m:
        if not swap:
            raise ValueError(
                f"{call}: mode='valid' has no outputs: the taps cover {e} samples and the signal has {m}; "
                "use 'same' or 'full', or exchange the two"
            )
        return reach - e + m, k - n + 1
    return window(mode, n, k, reach, up, down, dilation)


def outputs_of(call: Call, n: int, k: int, up: int, down: int, dilation: int) -> int:
    """Number of outputs of a one-axis call for a signal of n samples; not positive where "valid" has none."""
    mode = call.mode[0] if isinstance(call.mode, list) else call.mode
    if isinstance(mode, tuple):
        return _window(call, mode, n, k, 0, up, down, dilation, False)[1]
    return window(mode, n, k, 0, up, down, dilation)[1]


def _layout(
    call: Call, x_shape: Ints, h_shape: Ints, axes: Ints, outputs: Sequence[int], starts: Sequence[int]
) -> tuple[Layout, int, int]:
    shape = list(x_shape)
    groups: list[int] = []
    outs: list[int] = []
    for a, length in zip(axes, outputs, strict=True):
        shape[a] = length
    broadcast = len(h_shape) == len(x_shape) != len(axes)
    for d in range(len(x_shape)) if broadcast else ():
        if d in axes or h_shape[d] == 1:
            continue
        if x_shape[d] not in (1, h_shape[d]):
            raise ValueError(
                f"{call}: x has length {x_shape[d]} and h has {h_shape[d]} along dimension {d}, which is not "
                f"in axes={axes}: they broadcast only if equal or 1"
            )
        (outs if x_shape[d] == 1 else groups).append(d)
        shape[d] = h_shape[d]
    rest = tuple(d for d in range(len(x_shape)) if d not in groups and d not in outs)
    at = tuple((d if broadcast else axes.index(d) if d in axes else -1) for d in rest)
    layout = Layout(
        tuple(shape),
        tuple(groups),
        tuple(outs),
        rest,
        at,
        tuple(i for i, d in enumerate(rest) if d in axes),
        tuple(starts),
    )
    return layout, prod(h_shape[d] for d in groups), prod(h_shape[d] for d in outs)


# ── the caller's arrays as the engine's ───────────────────────────────────────────────────────────────────────────────


def correlation_taps(call: Call, layout: Layout, h: np.ndarray) -> np.ndarray:
    """h as correlation taps (groups, outs, axes…): reversed for convolve, conjugated for correlate; the only place."""
    if -1 in layout.taps_at:
        order = [d for d in layout.taps_at if d >= 0]
        w = h.transpose(order).reshape([h.shape[d] if d >= 0 else 1 for d in layout.taps_at])
    else:
        w = h.transpose(layout.groups + layout.outs + layout.taps_at)
    lead = len(layout.groups) + len(layout.outs)
    if call.op == "convolve":
        w = w[(Ellipsis,) + (slice(None, None, -1),) * (w.ndim - lead)]
    elif w.dtype.kind == "c":
        w = w.conj()
    groups, outs = prod(w.shape[: len(layout.groups)]), prod(w.shape[len(layout.groups) : lead])
    return np.ascontiguousarray(w).reshape((groups, outs) + w.shape[lead:])


def signal_view(layout: Layout, x: np.ndarray) -> np.ndarray:
    """x as (group…, axes…)."""
    index = tuple(0 if d in layout.outs else slice(None) for d in range(x.ndim))
    kept = [d for d in range(x.ndim) if d not in layout.outs]
    return x[index].transpose([kept.index(d) for d in layout.groups + layout.axes])


def output_view(layout: Layout, y: np.ndarray) -> np.ndarray:
    """y as (group…, out…, axes…)."""
    return y.transpose(layout.groups + layout.outs + layout.axes)
