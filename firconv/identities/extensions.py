"""Signals extended by hand, from the pictures in `firconv.boundary` and numpy.pad, independently of the engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray
_PAD: dict[str, dict[str, Any]] = {
    "zero": {"mode": "constant"}, "edge": {"mode": "edge"}, "symmetric": {"mode": "symmetric"},
    "reflect": {"mode": "reflect"}, "wrap": {"mode": "wrap"}, "antireflect": {"mode": "reflect", "reflect_type": "odd"}}


def extended(x: Array, reach: Sequence[int], boundary: Any) -> Array:
    """x with reach[a] samples more at both ends of axis a, by a rule, a pair of rules, or a list of these per axis.

    Examples
    --------
    >>> extended(np.array([1, 2, 3]), [2], "symmetric")
    array([2, 1, 1, 2, 3, 3, 2])
    """
    if x.dtype.kind in "biu":
        x = x.astype(np.int64)  # negated and doubled samples fit
    per_axis = boundary if isinstance(boundary, list) else [boundary] * x.ndim
    for axis, (count, rule) in enumerate(zip(reach, per_axis, strict=True)):
        x = _along(x, axis, count, *_ends(rule))
    return x


def _ends(rule: Any) -> tuple[Any, Any]:
    pair = isinstance(rule, tuple) and not (rule[0] == "constant" and not isinstance(rule[1], str))
    return rule if pair else (rule, rule)


def _along(x: Array, axis: int, count: int, low: Any, high: Any) -> Array:
    if not count:
        return x
    n = x.shape[axis]
    before = np.take(_both(x, axis, count, low), range(count), axis)
    after = np.take(_both(x, axis, count, high), range(count + n, 2 * count + n), axis)
    return np.concatenate([before, x, after], axis)


def _both(x: Array, axis: int, count: int, rule: Any) -> Array:
    pads = [(count, count) if a == axis else (0, 0) for a in range(x.ndim)]
    if isinstance(rule, tuple):
        return np.pad(x, pads, constant_values=rule[1])
    if rule == "antisymmetric":
        return _negated(np.pad(x, pads, mode="symmetric"), axis, count, x.shape[axis])
    if rule == "antireflect" and x.shape[axis] == 1:  # constant, as its neighbours' rule is
        rule = "edge"
    return np.pad(x, pads, **_PAD[rule])


def _negated(y: Array, axis: int, count: int, n: int) -> Array:
    """Every second mirror image with its sign changed."""
    sign = 1 - 2 * ((np.arange(-count, n + count) // n) % 2)
    return y * sign.astype(y.dtype).reshape((-1,) + (1,) * (y.ndim - 1 - axis))
