"""Plans that are remembered from call to call: the public functions of layers find theirs here.

A result never depends on what was called before.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from firconv import cost
from firconv.nn import words
from firconv.nn.plans import LayerPlan, make
from firconv.nn.words import Words

_plans: dict[Any, LayerPlan] = {}
#: Bytes of weights that remembered plans may keep together.
KEPT = 32 << 20
#: Bytes of weights, above which they are lent to a plan rather than compared.
LARGE = 1 << 16


def recalled(call: Words, x: np.ndarray, w: np.ndarray, method: str, rtol: float | None) -> LayerPlan:
    """The plan for this layer, from an earlier call if that had the same words, shapes and weights."""
    key = (call, x.shape, x.dtype, w.shape, w.dtype, method, rtol, type(rtol), cost.machine())
    try:
        found = _plans.get(key)
    except TypeError:  # a keyword was a list or an array
        again = words.hashable(call)
        if words.is_hashable(again, method, rtol):
            return recalled(again, x, w, method, rtol)
        return make(again, x.shape, x.dtype, w, method, rtol)
    lent = found.lent(w) if found is not None and w.nbytes > LARGE else None
    if lent is not None:
        return lent
    if found is not None and _same(found.weights, w):
        return found
    found = make(call, x.shape, x.dtype, w.copy(), method, rtol)
    if len(_plans) >= 32 or sum(p.weights.nbytes for p in _plans.values()) + w.nbytes > KEPT:
        _plans.clear()
    if w.nbytes <= KEPT:
        _plans[key] = found
    return found


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    """True if two arrays of one shape and dtype hold the same bits."""
    if a.nbytes % 8 or not (a.flags.c_contiguous and b.flags.c_contiguous):
        return a.tobytes() == b.tobytes()
    from firconv.kernels import bits

    return bool(bits.same(a.reshape(-1).view(np.uint64), b.reshape(-1).view(np.uint64)))
