"""The defining sum, written for reading: the judge of every method of the library.

Nothing here is imported from firconv. Per axis, with tap k displaced by (k - c) * dilation,

    convolve    y[t] = sum_k      h[k]  * xt[t + (c - k) * dilation]
    correlate   y[t] = sum_k conj(h[k]) * xt[t + (k - c) * dilation]

where xt is the signal extended beyond its ends by the boundary and then zero-stuffed by `up`. Samples beyond a zero
boundary and stuffed zeros are absent: they are no terms of the sum, so they make no 0 * Inf.

The arithmetic is chosen by `number`: Python integers for integer operands, extended precision for the others, or
`Fraction` on demand. A sum in extended precision is wrong by some 1e-19 of its terms' absolute sum, which every
tolerance used here exceeds a hundredfold; tests of longdouble itself ask for fractions.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

# Which index of K taps sits at displacement zero: (convolve, correlate).
LOWER, UPPER = (lambda k: (k - 1) // 2), (lambda k: k // 2)
ORIGINS = {
    "scipy": (LOWER, UPPER),
    "numpy": (LOWER, UPPER),
    "scipy2d": (LOWER, LOWER),
    "ndimage": (UPPER, UPPER),
    "opencv": (LOWER, UPPER),
    "torch": (UPPER, LOWER),
    "matlab": (UPPER, LOWER),
    "causal": ((lambda k: 0), (lambda k: k - 1)),
}
NAMES = ("zero", "edge", "symmetric", "reflect", "wrap", "antisymmetric", "antireflect", "omit")


@dataclass(frozen=True)
class Answer:
    """What the defining sum gives, and what its error bounds are made of.

    values: the sum, in the arithmetic asked for; magnitude: the sum of |h| |xt|, per output; energy: the norm of xt on
    the footprint, per output; lags: the position t of every output, one array per filtered axis; terms: the largest
    number of taps.
    """

    values: np.ndarray
    magnitude: np.ndarray
    energy: np.ndarray
    lags: tuple[np.ndarray, ...]
    terms: int


def oracle(op, x, h, mode="full", boundary="zero", axes=None, origin=None, up=1, down=1, dilation=1, number=None):
    """The defining sum, cast to the dtype that the library promises for these operands."""
    answer = exact(op, x, h, mode, boundary, axes, origin, up, down, dilation, number)
    return deliver(answer.values, promised_dtype(x, h, boundary))


def exact(op, x, h, mode="full", boundary="zero", axes=None, origin=None, up=1, down=1, dilation=1, number=None):
    """The defining sum before any cast, with its magnitude, footprint energy and lags (an `Answer`)."""
    kind = promised_dtype(np.asarray(x), np.asarray(h), boundary).kind
    x, h, axes = aligned(np.asarray(x), np.asarray(h), axes)
    values, taps = exact_numbers(x, number, kind), exact_numbers(h, number, kind)
    per_axis = [
        Axis(op, x.shape[a], h.shape[a], *each)
        for a, *each in zip(
            axes,
            spread(mode, len(axes), window=True),
            spread_boundary(boundary, len(axes)),
            spread(origin, len(axes)),
            spread(up, len(axes)),
            spread(down, len(axes)),
            spread(dilation, len(axes)),
            strict=True,
        )
    ]
    plain = all(axis.is_plain for axis in per_axis)
    windows = [axis.window(plain and all(a.taps >= a.length for a in per_axis)) for axis in per_axis]
    extended, present = extend(values, axes, per_axis, windows)
    conjugate = op == "correlate" and kind == "c"
    return total(extended, present, np.conj(taps) if conjugate else taps, axes, per_axis, windows)


def deliver(values, dtype):
    """One cast at the end: the exact values as `dtype`; an integer that does not fit raises OverflowError."""
    dtype = np.dtype(dtype)
    if dtype.kind in "iu":
        low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
        if any(not low <= int(v) <= high for v in values.flat):
            raise OverflowError(f"the exact result does not fit {dtype}")
        return values.astype(dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        return values.astype(dtype)


# ---- operands ------------------------------------------------------------------------------------------------------


def is_weak(a):
    """Python numbers, and nested lists and tuples of them."""
    if isinstance(a, (list, tuple)):
        return all(is_weak(v) for v in a)
    return isinstance(a, (bool, int, float, complex)) and not isinstance(a, np.generic)


def promised_dtype(x, h, boundary="zero"):
    """The dtype of the result: semantics 7, 10 and 11."""
    integers = np.asarray(x).dtype.kind in "biu" and np.asarray(h).dtype.kind in "biu"
    return np.dtype(np.float64) if integers and "omit" in flat(boundary) else promised_by_operands(x, h)


def flat(boundary):
    """All rules of a boundary, whatever their nesting."""
    return [r for v in boundary for r in flat(v)] if isinstance(boundary, (list, tuple)) else [boundary]


def promised_by_operands(x, h):
    """Weak operands follow the other one's dtype where their kind allows; integers give 64 bits."""
    a, b = np.asarray(x), np.asarray(h)
    if is_weak(x) != is_weak(h):
        weak, strong = (a, b) if is_weak(x) else (b, a)
        order = "biufc".index
        if weak.dtype.kind in "biu" or order(weak.dtype.kind) <= order(strong.dtype.kind):
            negative = weak.dtype.kind in "bi" and weak.min() < 0
            a, b = strong, np.zeros(1, np.int8) if negative and strong.dtype == np.uint64 else strong
        elif strong.dtype.kind == "f":
            return np.result_type(strong.dtype, np.complex64)
    if a.dtype.kind in "biu" and b.dtype.kind in "biu":
        unsigned = np.uint64 in (a.dtype, b.dtype) and a.dtype.kind in "bu" and b.dtype.kind in "bu"
        return np.dtype(np.uint64 if unsigned else np.int64)
    return np.result_type(a.dtype, b.dtype)


def aligned(x, h, axes):
    """Taps with as many dimensions as the signal, and the filtered axes counted from zero, in the caller's order."""
    axes = tuple(range(h.ndim)) if axes is None else tuple(np.atleast_1d(axes))
    axes = tuple(int(a) % x.ndim for a in axes)
    if h.ndim != len(axes):
        assert h.ndim == x.ndim, "taps need one dimension per axis, or as many as the signal"
        return x, h, axes
    order = np.argsort(axes)
    shape = [1] * x.ndim
    for position in range(len(axes)):
        shape[axes[position]] = h.shape[position]
    return x, np.transpose(h, order).reshape(shape), axes


def exact_numbers(a, number, kind):
    """The same numbers in the arithmetic of the oracle; `kind` is that of the pair of operands."""
    if number is Fraction or kind in "biu":
        convert = as_fraction if number is Fraction else int
        return np.array([*map(convert, a.flat)], dtype=object).reshape(a.shape)
    return a.astype(np.clongdouble if a.dtype.kind == "c" else np.longdouble)


def as_fraction(v):
    """A finite real number as a fraction, exactly (numpy's longdouble has 64 bits of mantissa or 113)."""
    if v.dtype.kind != "f":
        return Fraction(int(v))
    mantissa, exponent = np.frexp(v)
    return Fraction(int(np.ldexp(mantissa, 113))) * Fraction(2) ** (int(exponent) - 113)


def spread(value, count, window=False):
    """One entry per axis: a list is one already, anything else holds for every axis."""
    is_list = isinstance(value, list) or (isinstance(value, tuple) and not window)
    return list(value) if is_list else [value] * count


def spread_boundary(value, count):
    """(low rule, high rule) per axis: a list has one entry per axis, a pair of rules one per end."""
    return [ends(v) for v in (value if isinstance(value, list) else [value] * count)]


def ends(value):
    """("constant", c) is one rule for both ends; any other pair is (low end, high end)."""
    is_pair = isinstance(value, tuple) and not (value[0] == "constant" and not isinstance(value[1], (str, tuple)))
    return value if is_pair else (value, value)


# ---- one axis ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Axis:
    """Everything about one filtered axis, in the user's terms."""

    op: str
    length: int
    taps: int
    mode: object
    rules: tuple
    given_origin: object
    up: int
    down: int
    dilation: int

    @property
    def is_plain(self):
        """No up, down, dilation or origin, and a zero boundary: the calls that scipy knows."""
        steps = (self.up, self.down, self.dilation)
        return steps == (1, 1, 1) and self.given_origin is None and self.rules == ("zero", "zero")

    @property
    def origin(self):
        if self.given_origin is None or isinstance(self.given_origin, str):
            return ORIGINS[self.given_origin or "scipy"][self.op == "correlate"](self.taps)
        return int(self.given_origin)

    def displacement(self, k):
        """Where tap k reads, seen from position t."""
        step = (k - self.origin) * self.dilation
        return step if self.op == "correlate" else -step

    def reach(self):
        """Lowest and highest displacement."""
        return sorted((self.displacement(0), self.displacement(self.taps - 1)))

    def window(self, swap):
        """The positions t of the outputs, after decimation."""
        low, high = self.reach()
        last = (self.length - 1) * self.up
        if self.mode == "full":
            return range(-high, last - low + 1, self.down)
        if self.mode == "same":
            return range(0, self.length * self.up, self.down)
        if self.mode == "valid" and swap:
            return range(last - high, -low + 1)
        if self.mode == "valid":
            if last - high < -low:
                raise ValueError(f"valid: {self.taps} taps on {self.length} samples")
            return range(-low, last - high + 1, self.down)
        start, stop = self.mode
        return range(start, stop, self.down)

    def needed(self, window):
        """First and last sample, on the line of the signal before zero-stuffing, that any output could read."""
        low, high = self.reach()
        first, last = (window[0] + low, window[-1] + high) if len(window) else (0, 0)
        return first // self.up, -(-last // self.up)


def rule_at(rule, n, p):
    """The extended sample p of a signal of n samples as {index: coefficient}, or ("constant", c), or None (absent).

    Every rule is an infinite sequence, so p may lie any number of signal lengths away.
    """
    if 0 <= p < n:
        return {p: 1}
    if rule in ("zero", "omit", ("constant", 0)):
        return None
    if isinstance(rule, tuple):
        return rule
    if rule == "edge" or (n == 1 and rule in ("reflect", "antireflect", "symmetric", "wrap")):
        return {min(max(p, 0), n - 1): 1}
    if rule == "wrap":
        return {p % n: 1}
    if rule in ("symmetric", "antisymmetric"):
        m = p % (2 * n)
        return {m: 1} if m < n else {2 * n - 1 - m: -1 if rule == "antisymmetric" else 1}
    turns, m = divmod(p, 2 * n - 2)
    if rule == "reflect":
        return {m if m < n else 2 * n - 2 - m: 1}
    # antireflect: odd about the end samples, so every period of 2n - 2 climbs by 2 (x[n-1] - x[0])
    terms = [(m, 1)] if m < n else [(n - 1, 2), (2 * n - 2 - m, -1)]
    combined: dict[int, int] = {}
    for index, coefficient in [*terms, (n - 1, 2 * turns), (0, -2 * turns)]:
        combined[index] = combined.get(index, 0) + coefficient
    return {index: c for index, c in combined.items() if c}


# ---- n dimensions --------------------------------------------------------------------------------------------------


def extend(values, axes, per_axis, windows):
    """The extended and zero-stuffed signal over all positions that are read, and which of them are terms of a sum.

    Axis by axis, in the order of the dimensions, as np.pad: where two constants meet, the later dimension wins. What is
    beyond a zero or omit end along any axis is absent, whatever the other axes say.
    """
    present = np.ones(values.shape, bool)
    for axis, rules, window in sorted(zip(axes, per_axis, windows, strict=True), key=lambda each: each[0]):
        first, last = rules.needed(window)
        values, present = np.moveaxis(values, axis, 0), np.moveaxis(present, axis, 0)
        picked = [sample(values, present, rules, p) for p in range(first, last + 1)]
        values, present = (np.concatenate(pieces) for pieces in zip(*picked, strict=True))
        values, present = stuffed(values, present, rules.up)
        values, present = np.moveaxis(values, 0, axis), np.moveaxis(present, 0, axis)
    return values, present


def sample(values, present, axis, p):
    """One extended sample along the first dimension (which it keeps), and whether it is present."""
    n = axis.length
    meaning = rule_at(axis.rules[0] if p < 0 else axis.rules[1], n, p)
    if meaning is None:
        return np.zeros_like(values[:1]), np.zeros_like(present[:1])
    if isinstance(meaning, tuple):
        return np.full_like(values[:1], meaning[1]), present[:1]
    with np.errstate(invalid="ignore"):
        parts = [values[i : i + 1] * c if c != 1 else values[i : i + 1] for i, c in meaning.items()]
        value = parts[0]
        for part in parts[1:]:
            value = value + part
    return value, np.all([present[i : i + 1] for i in meaning], axis=0)


def stuffed(values, present, up):
    """up - 1 absent samples after every sample but the last."""
    length = (len(values) - 1) * up + 1
    wide, mask = np.zeros((length, *values.shape[1:]), values.dtype), np.zeros((length, *present.shape[1:]), bool)
    wide[::up], mask[::up] = values, present
    return wide, mask


def total(extended, present, taps, axes, per_axis, windows):
    """Add the taps one after the other, each times its shifted slice of the extended signal."""
    shape = output_shape(extended.shape, taps.shape, dict(zip(axes, map(len, windows), strict=True)))
    values = np.zeros(shape, np.result_type(extended, taps))
    magnitude, energy = np.zeros(shape, np.longdouble), np.zeros(shape, np.longdouble)
    every_tap = itertools.product(*[range(axis.taps) for axis in per_axis])
    with np.errstate(all="ignore"):
        for k in every_tap if values.size else ():
            where, tap = [slice(None)] * extended.ndim, [slice(None)] * extended.ndim
            for a, axis, window, index in zip(axes, per_axis, windows, k, strict=True):
                where[a], tap[a] = reads(axis, window, index), slice(index, index + 1)
            part, mask, weight = extended[tuple(where)], present[tuple(where)], taps[tuple(tap)]
            values = values + np.where(mask, weight * part, 0)
            size, heft = np.abs(part).astype(np.longdouble), np.abs(weight).astype(np.longdouble)
            magnitude = magnitude + np.where(mask, heft * size, 0)
            energy = energy + np.where(mask, size * size, 0)
        factor = renormalising(taps, axes, per_axis, windows)
        values, magnitude, energy = values * factor, magnitude * np.abs(factor), np.sqrt(energy) * np.abs(factor)
    lags = tuple(np.array(window, dtype=np.int64) for window in windows)
    return Answer(values, magnitude, energy, lags, math.prod(axis.taps for axis in per_axis))


def output_shape(signal, taps, lengths):
    """The lengths of the windows on the filtered axes, broadcasting on the others."""
    rest = [[1 if a in lengths else n for a, n in enumerate(shape)] for shape in (signal, taps)]
    return tuple(lengths.get(a, n) for a, n in enumerate(np.broadcast_shapes(*rest)))


def reads(axis, window, k):
    """The slice of the extended signal that tap k meets, one sample for every output."""
    start = window[0] + axis.displacement(k) - axis.needed(window)[0] * axis.up
    return slice(start, start + axis.down * (len(window) - 1) + 1, axis.down)


def renormalising(taps, axes, per_axis, windows):
    """omit: (sum of h) / (sum inside of h) for every output, over the taps that meet samples of the signal's line.

    A tap that meets a stuffed zero is in neither sum: with `up` every output has its own phase of the taps.
    """
    if not any("omit" in axis.rules for axis in per_axis):
        return 1
    inside = whole = taps
    for a, axis, window in zip(axes, per_axis, windows, strict=True):
        meets = [[meeting(axis, t + axis.displacement(k)) for k in range(axis.taps)] for t in window]
        inside = weigh(inside, np.equal(meets, 2), a)
        whole = weigh(whole, np.greater(meets, 0), a)
    if np.any(inside == 0) or np.any(whole == 0):
        raise ValueError("omit: the taps inside sum to zero")
    return whole / inside


def weigh(sums, keep, axis):
    """Sum over the taps that are kept, for every output along one axis."""
    return np.moveaxis(np.tensordot(keep.astype(float), sums, axes=(1, axis)), 0, axis)


def meeting(axis, position):
    """What a position of the stuffed line is for omit: 0 a stuffed zero, 1 a sample that is omitted, 2 any other."""
    p, between = divmod(position, axis.up)
    if between:
        return 0
    lost = (p < 0 and axis.rules[0] == "omit") or (p >= axis.length and axis.rules[1] == "omit")
    return 1 if lost else 2
