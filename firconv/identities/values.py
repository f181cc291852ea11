"""Numbers that know how wrong they may be: an array and one bound on the error of its elements.

A law compares two computations, each with roundings of its own. Every call of an implementation under test is granted

    13·log₂N·u·‖x̃‖₂·‖h‖₂

(what an FFT of N points may lose; u is the unit roundoff of the result's type, 0 for integers), and a `Value` carries
that bound through whatever the law does next. The law's own arithmetic runs in extended precision and on inputs that
are short binary fractions, so that it adds nothing that matters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray
PI = np.longdouble("3.14159265358979323846264338327950288")


@dataclass(frozen=True, eq=False)
class Value:
    """An array and a bound on the absolute error of each of its elements.

    Examples
    --------
    >>> v = Value(np.array([1.0, 2.0]), 1e-16)
    >>> (v + v).error
    2e-16
    """

    array: Array
    error: float = 0.0

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the array."""
        return self.array.shape

    @property
    def ndim(self) -> int:
        """Of the array."""
        return self.array.ndim

    def __add__(self, other: Value) -> Value:
        return Value(wide(self.array) + wide(other.array), self.error + other.error)

    def __sub__(self, other: Value) -> Value:
        return self + other * -1

    def __mul__(self, factor: Any) -> Value:
        """By a number that is exact."""
        return Value(wide(self.array) * factor, self.error * abs(factor))

    __rmul__ = __mul__

    def __getitem__(self, index: Any) -> Value:
        return Value(self.array[index], self.error)

    def flip(self) -> Value:
        """Reversed along every axis."""
        return Value(np.flip(self.array), self.error)

    def conj(self) -> Value:
        """The complex conjugate."""
        return Value(self.array.conj(), self.error)

    def pad(self, before: Sequence[int], after: Sequence[int]) -> Value:
        """With zeros around, per axis."""
        return Value(np.pad(self.array, list(zip(before, after, strict=True))), self.error)

    def sum(self, weights: Any = 1) -> Value:
        """Σ weights·array, over everything."""
        terms = wide(self.array) * weights
        return Value(np.asarray(terms.sum()), self.error * float(np.abs(np.broadcast_to(weights, self.shape)).sum()))

    def energy(self) -> Value:
        """Σ |array|²."""
        size = np.abs(wide(self.array))
        return Value(np.asarray((size**2).sum()), 2 * self.error * float(size.sum()) + size.size * self.error**2)

    def dft(self, shape: Sequence[int]) -> Value:
        """Σ_n array[n]·e^(−2πi·mn/shape) for every m of `shape`, in extended precision."""
        y = wide(self.array)
        for axis, n in enumerate(shape):
            grid = np.multiply.outer(np.arange(n), np.arange(y.shape[axis])) % n
            wave = np.exp(-2j * PI * grid / np.longdouble(n))
            y = np.moveaxis(np.tensordot(wave, y, (1, axis)), 0, axis)
        return Value(y, self.error * self.array.size)


def inner(a: Value, b: Value) -> Value:
    """Σ conj(a)·b."""
    x, y = wide(a.array), wide(b.array)
    error = a.error * float(np.abs(y).sum()) + b.error * float(np.abs(x).sum()) + a.error * b.error * x.size
    return Value(np.asarray((x.conj() * y).sum()), error)


def joined(parts: Sequence[Value], axis: int = 0) -> Value:
    """One after the other."""
    return Value(np.concatenate([wide(p.array) for p in parts], axis), max(p.error for p in parts))


def total(parts: Sequence[Value]) -> Value:
    """The sum of values of one shape."""
    first, *rest = parts
    for part in rest:
        first = first + part
    return first


def wide(a: Array) -> Array:
    """Integers as int64, floats and complex numbers in extended precision; Python integers stay."""
    if a.dtype.kind in "biu":
        return a.astype(np.int64)
    if a.dtype.kind == "O":
        return a
    return a.astype(np.clongdouble if a.dtype.kind == "c" else np.longdouble)


def roundoff(dtype: np.dtype) -> float:
    """u of a type, 0 for integers."""
    return 0.0 if dtype.kind in "biuO" else float(np.finfo(dtype).eps) / 2


def granted(x: Array, h: Array, reach: float) -> float:
    """13·log₂N·u·‖x‖₂·‖h‖₂ for one convolution of these arrays, whose transform would have N points."""
    if x.dtype.kind in "biu" and h.dtype.kind in "biu":
        return 0.0
    u = max(roundoff(np.result_type(x, h)), 0.0)
    return float(13 * np.log2(max(reach, 2)) * u * np.linalg.norm(wide(x).ravel()) * np.linalg.norm(wide(h).ravel()))


# ── comparison ────────────────────────────────────────────────────────────────────────────────────────────────────────


def distance(left: Value | Array, right: Value | Array) -> float:
    """The largest difference in units of the bounds of both sides; infinite for other shapes, 0 for equal numbers."""
    a, b = (v if isinstance(v, Value) else Value(np.asarray(v)) for v in (left, right))
    if a.shape != b.shape:
        return np.inf
    x, y, bound = wide(a.array), wide(b.array), a.error + b.error
    if np.array_equal(x, y):
        return 0.0
    with np.errstate(invalid="ignore", over="ignore"):
        worst = float(np.abs(x - y).max())
    return worst / bound if bound and worst == worst else np.inf
