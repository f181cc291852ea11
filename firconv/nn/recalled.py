"""Plans that are remembered from call to call: the public functions of layers find theirs here.

A result never depends on what was called before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import is_
from typing import Any

import numpy as np

from firconv import cost
from firconv.nn import words
from firconv.nn.plans import LayerPlan, make
from firconv.nn.words import Words

_plans: dict[Any, LayerPlan] = {}
#: Bytes of weights that remembered plans may keep together.
KEPT = 32 << 20
#: Bytes of weights, above which a plan reads them as they are rather than that they are compared.
LARGE = 1 << 16


@dataclass(frozen=True, slots=True)
class _Entry:
    """A plan that was just called, the very objects that the call was written with, and the bytes of small weights."""

    words: Sequence[Any]
    rest: Sequence[Any]
    plan: LayerPlan
    bytes: bytes | None


_entries: dict[Any, _Entry] = {}


def recalled(
    given: Sequence[Any], x: np.ndarray, w: np.ndarray, method: str, rtol: float | None
) -> tuple[LayerPlan, np.ndarray | None]:
    """The plan for a layer, from an earlier call if that had the same words and shapes; and w, if it has to read it.

    `given` are the fields of `Words`. Words that are the very same objects need not be compared in any other way.
    """
    key, rest = (given[0], x.shape, w.shape), (x.dtype, w.dtype, method, rtol, cost.machine())
    entry = _entries.get(key)
    if entry is not None and all(map(is_, given, entry.words)) and all(map(is_, rest, entry.rest)):
        if entry.bytes is None:
            if entry.plan.reads(w):
                return entry.plan, w
            if _same(entry.plan.weights, w):
                return entry.plan, None
        elif w.tobytes() == entry.bytes:
            return entry.plan, None
    call = Words(*given)
    found = _found(call, x, w, method, rtol)
    if w.nbytes <= KEPT and words.is_hashable(call):
        if len(_entries) >= 32:
            _entries.clear()
        _entries[key] = _Entry(given, rest, found, w.tobytes() if w.nbytes <= LARGE else None)
    return found, w if _read(found, w) else None


def _found(call: Words, x: np.ndarray, w: np.ndarray, method: str, rtol: float | None) -> LayerPlan:
    """A plan for these weights, remembered or new."""
    key = (call, x.shape, x.dtype, w.shape, w.dtype, method, rtol, type(rtol), cost.machine())
    try:
        found = _plans.get(key)
    except TypeError:  # a keyword was a list or an array
        again = words.hashable(call)
        if words.is_hashable(again, method, rtol):
            return _found(again, x, w, method, rtol)
        return make(again, x.shape, x.dtype, w, method, rtol)
    if found is not None and (_read(found, w) or _same(found.weights, w)):
        return found
    found = make(call, x.shape, x.dtype, w.copy(), method, rtol)
    if len(_plans) >= 32 or sum(p.weights.nbytes for p in _plans.values()) + w.nbytes > KEPT:
        _plans.clear()
        _entries.clear()
    if w.nbytes <= KEPT:
        _plans[key] = found
    return found


def _read(plan: LayerPlan, w: np.ndarray) -> bool:
    """Whether large weights are read as they are."""
    return w.nbytes > LARGE and plan.reads(w)


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    """True if two arrays of one shape and dtype hold the same bits."""
    if a.nbytes % 8 or not (a.flags.c_contiguous and b.flags.c_contiguous):
        return a.tobytes() == b.tobytes()
    from firconv.kernels import bits

    return bool(bits.same(a.reshape(-1).view(np.uint64), b.reshape(-1).view(np.uint64)))
