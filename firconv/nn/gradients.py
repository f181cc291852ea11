"""The weights' gradient: the adjoint problem in the taps, with the output's gradient as taps.

    gw[o, i, k] = Σ_n Σ_t gy[n, o, t]·x̃[n, i, t·stride + k·dilation − lo]

Every pair of channels (o, i) of a group is a correlation of its own; the batch is an axis of taps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from firconv import cost, planner, threads
from firconv.nn import outer, winograd_gradient, words
from firconv.nn.engine import Bank, Engine, facts, renormalised
from firconv.nn.words import Words
from firconv.planner import Candidate
from firconv.problem import Ints, Problem, taps_adjoint

Runner = Callable[[np.ndarray, np.ndarray, np.ndarray, int], bool]


@dataclass(frozen=True)
class GradientMethod:
    """One algorithm for the weights' gradient of a layer.

    ``candidate(problem)`` costs it for the layer's forward problem, or is None; ``runner(problem)(gy, x, gw, workers)``
    fills gw (O, C/groups, *K), all of the problem's dtype, and says whether gw is known to be finite.
    """

    name: str
    candidate: Callable[[Problem], Candidate | None]
    runner: Callable[[Problem], Runner]


#: In addition to the engine.
METHODS: tuple[GradientMethod, ...] = (
    GradientMethod("winograd", winograd_gradient.candidate, winograd_gradient.Gradient),
    GradientMethod("gemm", outer.candidate, outer.Outer),
)


@lru_cache(maxsize=64)
def _described(
    call: Words, gy: Ints, x: Ints, kinds: tuple[np.dtype, np.dtype], method: str, machine: cost.Machine
) -> tuple[Problem, Runner | None]:
    """The layer's problem and what runs it, None for the engine; kinds are those of x and gy.

    Raises
    ------
    ValueError
        For the boundary "omit", for a method that cannot serve this layer, and as `words.of_gradient`.
    """
    problem = words.of_gradient(call, gy, x, call.shape, kinds)
    if renormalised(problem):
        raise ValueError(
            f"{call}: boundary={call.boundary!r} divides by sums of the weights, so the output is not linear in them "
            "and this gradient is no sum: use another boundary"
        )
    fast = _fast(call, problem, method)
    return problem, None if fast is None else fast.runner(problem)


def of_weights(call: Words, gy: np.ndarray, x: np.ndarray, method: str, workers: int | None) -> np.ndarray:
    """gw for checked arrays; see `firconv.nn.conv_weight_gradient`."""
    count = threads.resolve(workers)
    kinds = x.dtype.newbyteorder("="), gy.dtype.newbyteorder("=")
    described = _described if words.is_hashable(call, method) else _described.__wrapped__
    problem, run = described(call, gy.shape, x.shape, kinds, method, cost.machine())
    gy, x = gy.astype(kinds[1], copy=False), x.astype(kinds[0], copy=False)
    gw = np.empty(call.shape, problem.dtype)
    if run is not None:
        finite = run(np.ascontiguousarray(gy), np.ascontiguousarray(x), gw, count)
        if finite or np.isfinite(gw).all() or np.isfinite(gy).all():
            return gw
        method = "direct"  # absent samples are zeros to the others, and a gradient that is not finite met them
    _through_engine(call, problem, (gy, x, gw), method, count)
    return gw


def _fast(call: Words | str, problem: Problem, method: str) -> GradientMethod | None:
    """The algorithm asked for, or the cheapest that applies, or None for the engine.

    Raises
    ------
    ValueError
        For an unknown method, and one that cannot serve this layer.
    """
    known = {m.name: m for m in METHODS}
    if method not in known and method not in ("auto", "direct", "overlap_save", "fft", "reference"):
        names = ", ".join(["auto", "direct", "overlap_save", "fft", *known, "reference"])
        raise ValueError(f"{call}: method={method!r} is unknown: use one of {names}")
    if method in known:
        if known[method].candidate(problem) is None:
            raise ValueError(f"{call}: method={method!r} cannot serve this layer: use method='auto' or 'direct'")
        return known[method]
    found = [(c.shared, m.name) for m in METHODS if (c := m.candidate(problem)) is not None]
    return known[min(found)[1]] if found and method == "auto" else None


def chosen(problem: Problem) -> str:
    """What ``auto`` takes for the gradient of a layer: a method above, or the engine.

    Examples
    --------
    >>> from firconv import nn
    >>> w = np.ones((64, 64, 3, 3), np.float32)
    >>> [chosen(nn.plan(((1, 64, 56, 56), np.float32), w, stride=s).problem) for s in (1, 2)]
    ['winograd', 'gemm']
    """
    fast = _fast("chosen(problem)", problem, "auto")
    return "engine" if fast is None else fast.name


def _through_engine(call: Words, problem: Problem, arrays: Any, method: str, workers: int) -> None:
    gy, x, gw = arrays
    outs, ins = problem.channels_out, problem.channels_in
    pairs = replace(taps_adjoint(problem), taps_dtype=gy.dtype, channels_in=1)
    taps = gy.swapaxes(0, 1).reshape(problem.groups, outs, 1, *problem.outputs)
    found = facts(pairs, taps)
    engine = Engine(pairs, planner.decide(pairs, found, method, None, call.op), found, taps, str(call))
    target = gw.reshape(problem.groups, outs, ins, 1, *gw.shape[2:])
    banks = [
        Bank(g, x[:, None, g * ins + i].swapaxes(0, 1), target[g, :, i])
        for g in range(problem.groups)
        for i in range(ins)
    ]
    engine.run(x, banks, workers)
