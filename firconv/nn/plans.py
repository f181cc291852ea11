"""LayerPlan: one layer decided once, its weights prepared; call it with x, print it for what was decided and why."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from firconv import cost, describe, planner, threads
from firconv.nn import adjoint as ad
from firconv.nn import words
from firconv.nn.engine import Bank, Engine, facts, ratios, renormalised
from firconv.nn.methods import METHODS, Run
from firconv.nn.words import Words
from firconv.planner import Candidate, Decision
from firconv.problem import Ints, Problem, signal_adjoint
from firconv.tiles import Grid

Kinds = tuple[np.dtype, np.dtype]


@dataclass(frozen=True, eq=False)
class Task:
    """What a plan runs: the problem, and what comes before and after it where the layer is an adjoint."""

    problem: Problem
    shape: Ints
    forward: Problem | None = None
    adjoint: ad.Adjoint | None = None


@lru_cache(maxsize=512)
def described(call: Words, x_shape: Ints, w_shape: Ints, kinds: Kinds) -> Task:
    """Step 1: every argument is checked, and the layer is a problem.

    Raises
    ------
    TypeError, ValueError
        For every argument that cannot mean anything.
    """
    if call.op == "conv":
        problem = words.forward(call, x_shape, w_shape, kinds)
        describe.refuse_absurd(call, problem)
        return Task(problem, (x_shape[0], w_shape[0], *problem.outputs[1:]))
    if call.op == "conv_transpose":
        forward = words.transposed(call, x_shape, w_shape, kinds)
        _refuse_constants(call, forward)
    else:
        forward = ad.linear(words.of_gradient(call, x_shape, call.shape, w_shape, kinds))
    describe.refuse_absurd(call, signal_adjoint(forward))
    found = ad.adjoint(forward, kinds[0])
    channels = forward.groups * forward.channels_in
    return Task(found.problem, (x_shape[0], channels, *forward.signal[1:]), forward, found)


def _refuse_constants(call: Words, forward: Problem) -> None:
    if any(rule.name == "constant" for ends in forward.boundary for rule in ends):
        raise ValueError(
            f"{call}: boundary={call.boundary!r} is affine, not linear, and has no adjoint: use 'zero', and add the "
            "constant's response yourself"
        )


class LayerPlan:
    """A layer for inputs of one shape and dtype: method chosen, weights prepared.

    Made by `plan`; safe to call from several threads.

    Attributes
    ----------
    problem : what is computed (its first axis is the batch)
    method : the algorithm chosen
    candidates : everything considered, cheapest first
    shape, dtype : of the result
    weights : as given, (O, C/groups, *K)

    Examples
    --------
    >>> from firconv import nn
    >>> edges = nn.plan(np.zeros((1, 1, 5)), [[[1.0, -1.0]]])
    >>> edges.shape, edges(np.array([[[1.0, 4, 9, 16, 25]]]))
    ((1, 1, 4), array([[[-3., -5., -7., -9.]]]))
    """

    def __init__(
        self, call: Words, task: Task, x_shape: Ints, w: np.ndarray, method: str, rtol: float | None, bias: Any = None
    ):
        self.call, self._task, self.problem, self.shape = call, task, task.problem, task.shape
        self.x_shape, self.weights = x_shape, w
        weights = w.reshape(self.problem.groups, -1, *w.shape[1:])
        self._scale = None if task.forward is None else _renormalising(task.forward, weights, str(call))
        taps = weights if task.forward is None else ad.exchanged(weights)
        self.decision, self.candidates, self.method = choose(self.problem, taps, method, rtol, call.op)
        self._taps, self._lock, self._arguments = taps, threading.Lock(), (method, rtol)
        self._run: Run | None = None
        self._reads: bool | None = None
        self._kind = np.dtype(self.problem.dtype.type)  # the very object that arrays of it have
        self._out = (self.shape[0], self.shape[1], *self.problem.outputs[1:])
        self._plain = task.forward is None and task.adjoint is None
        self.bias = None if bias is None else self.checked_bias(bias)
        self.dtype = self._result_type(self.bias)

    # ── running it ──

    def __call__(self, x: ArrayLike, workers: int | None = None) -> np.ndarray:
        """The layer's output for x of the planned shape and dtype.

        Raises
        ------
        ValueError
            For another shape or dtype.
        """
        array = x if type(x) is np.ndarray else np.asarray(x)
        if array.shape != self.x_shape or array.dtype != self.problem.signal_dtype:
            raise ValueError(
                f"plan(x): x has shape {array.shape} and dtype {array.dtype}; this plan is for {self.x_shape} and "
                f"{self.problem.signal_dtype}: make another plan, or cast x"
            )
        try:
            return self.run(array, self.bias, workers)
        except MemoryError as error:
            raise describe.no_room(self.call, error) from None

    def run(
        self, x: np.ndarray, bias: np.ndarray | None, workers: int | None, weights: np.ndarray | None = None
    ) -> np.ndarray:
        """The output for a checked x and a checked bias; with other weights than the plan's if it `reads` them."""
        count = threads.resolve(workers)
        run = self._run or self._prepared()
        if not x.dtype.isnative:
            x = x.astype(x.dtype.newbyteorder("="))
        given = () if weights is None else (weights,)
        if self._plain and (bias is None or bias.dtype is self._kind):  # as few steps as can be: small layers feel them
            out = np.empty(self._out, self._kind)
            allowed = run(x, out, bias, count, *given)
            return out if weights is None or allowed else self._with(weights).run(x, bias, workers)
        if self._scale is not None:
            x = (x * self._scale).astype(self.problem.signal_dtype, copy=False)
        folded = self._task.adjoint is not None and bool(self._task.adjoint.folds)
        late = folded or (bias is not None and self._added_late(bias))
        out = np.empty(self._out, self._kind if late else self._result_type(bias))
        allowed = run(x, out, None if late else bias, count, *given)
        if weights is not None and not allowed:
            return self._with(weights).run(x, bias, workers)
        if folded and self._task.adjoint is not None:
            out = np.ascontiguousarray(self._task.adjoint.fold(out))
        return out + bias.reshape(_column(out)) if late and bias is not None else out

    def _prepared(self) -> Run:
        with self._lock:
            if self._run is None:
                extra = next((m for m in METHODS if m.name == self.method), None)
                if extra is not None:
                    self._run = extra.runner(self.problem, self._taps)
                else:
                    self._run = Grouped(self.problem, self.decision, self._taps, str(self.call))
            return self._run

    # ── other weights ──

    def reads(self, w: np.ndarray) -> bool:
        """Whether `run` takes other weights as they are: they need not be compared, or prepared for one call.

        The choice of a method of layers rests on the problem, on nothing else but that all weights are finite, and on
        what the method itself objects to. When the run says that its weights are not so, the plan is made anew.
        """
        if self._reads is None:
            cheapest = self.method in (self.candidates[0].method, self._arguments[0])  # also of those that may object
            forward = self._task.forward is None and self.method in ("gemm", "winograd")
            self._reads = forward and cheapest and bool((self._run or self._prepared()).reads)  # type: ignore[attr-defined]
        return self._reads and w.flags.c_contiguous and w.dtype.isnative

    def _with(self, weights: np.ndarray) -> LayerPlan:
        """A plan of its own for other weights, chosen by their values."""
        return LayerPlan(self.call, self._task, self.x_shape, weights.copy(), *self._arguments)

    # ── bias ──

    def checked_bias(self, bias: Any) -> np.ndarray:
        """The bias as an array (O,) that can be added to the sums.

        Raises
        ------
        ValueError
            For another shape.
        OverflowError
            For integers that the result's type cannot hold.
        """
        if type(bias) is np.ndarray and bias.dtype is self._kind and bias.shape == self._out[1:2]:
            return bias
        sums = np.empty(1, self.problem.dtype)
        b = describe.operands(self.call.op, sums, bias, ("x", "bias"))[1]
        if b.shape != (self.shape[1],):
            raise ValueError(
                f"{self.call}: bias has shape {b.shape}, the layer has {self.shape[1]} output channels: give it the "
                f"shape ({self.shape[1]},)"
            )
        if self.problem.dtype.kind in "iu" and b.dtype.kind in "biu":
            limits = np.iinfo(self.problem.dtype)
            if int(b.min()) < limits.min or int(b.max()) > limits.max:
                raise OverflowError(f"{self.call}: bias does not fit {self.problem.dtype}: convert the arrays to float")
            return b.astype(self.problem.dtype)
        return b.astype(b.dtype.newbyteorder("="), copy=False)

    def _added_late(self, bias: np.ndarray) -> bool:
        """True for a bias that the sums are not added to by who computes them: another type than theirs."""
        if self.problem.dtype.kind in "iu":
            return bias.dtype.kind in "fc"
        return bias.dtype != self.problem.dtype and self.method in [m.name for m in METHODS]

    def _result_type(self, bias: np.ndarray | None) -> np.dtype:
        return self.problem.dtype if bias is None else np.result_type(self.problem.dtype, bias.dtype)

    def __str__(self) -> str:
        from firconv.nn import table

        return table.text(self)

    def __repr__(self) -> str:
        return f"<firconv.nn.LayerPlan {self.call.op} {self.x_shape} -> {self.shape} by {self.method}>"


def _column(y: np.ndarray) -> Ints:
    return (1, -1) + (1,) * (y.ndim - 2)


def _renormalising(forward: Problem, weights: np.ndarray, call: str) -> np.ndarray | None:
    """Dᵀ, what an adjoint multiplies its input by: (1, O, *outputs), or None."""
    if not renormalised(forward):
        return None
    grid = Grid(forward, forward.lattices)
    every = (slice(0, 1), *(slice(None) for _ in forward.outputs[1:]))
    parts = []
    for w in weights:
        found = ratios(grid, w[:, :, None], call).at(every)
        parts.append(np.ones((len(w), 1, *forward.outputs[1:])) if found is None else found)
    return np.concatenate(parts).swapaxes(0, 1)


class Grouped:
    """The general engine behind the interface of `methods`: one bank for each group."""

    def __init__(self, problem: Problem, decision: Decision, taps: np.ndarray, call: str):
        spread = taps[:, :, :, None]  # the batch axis has one tap
        self.problem = problem
        self.engine = Engine(problem, decision, facts(problem, taps), spread, call)

    def __call__(self, x: np.ndarray, out: np.ndarray, bias: np.ndarray | None, workers: int) -> None:
        ins, outs = self.problem.channels_in, self.problem.channels_out
        xs, ys = x.swapaxes(0, 1), out.swapaxes(0, 1)
        b = None if bias is None else bias.reshape((-1,) + (1,) * (x.ndim - 1))
        banks = []
        for g in range(self.problem.groups):
            to = slice(g * outs, (g + 1) * outs)
            banks.append(Bank(g, xs[g * ins : (g + 1) * ins], ys[to], None if b is None else b[to]))
        self.engine.run(x, banks, workers)


# ── choosing ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def choose(
    problem: Problem, taps: np.ndarray, method: str, rtol: float | None, op: str
) -> tuple[Decision, tuple[Candidate, ...], str]:
    """The engine's decision, everything considered, and the method taken.

    Raises
    ------
    ValueError
        For an unknown method, and one that cannot serve this layer.
    """
    found, names = facts(problem, taps), [m.name for m in METHODS]
    asked = method in names
    if not asked and method not in ("auto", "direct", "overlap_save", "fft", "reference"):
        known = ", ".join(["auto", "direct", "overlap_save", "fft", *names, "reference"])
        raise ValueError(f"{op}(x, w): method={method!r} is unknown: use one of {known}")
    if rtol is not None and not (isinstance(rtol, (int, float)) and rtol > 0):
        raise ValueError(f"{op}(x, w): rtol={rtol!r} must be a positive number")
    decision = planner.decide(problem, found, "auto" if asked else method, rtol, op)
    name = "direct" if decision.method == "shifted" else decision.method
    own = [_by_groups(problem, c) for c in decision.candidates]
    if rtol is not None or not (asked or method == "auto") or not found.finite:
        extra: list[Candidate] = []
    else:
        extra = [
            replace(c, why=m.objection(taps)) for m in METHODS if (c := m.candidate(problem)) is not None
        ]
    if asked:
        if method not in [c.method for c in extra]:
            raise ValueError(f"{op}(x, w): method={method!r} cannot serve this layer: use method='auto' or 'direct'")
        name = method
    elif extra:
        best = next(c for c in own if c.method == name)
        name = min((c for c in (best, *extra) if not c.why or c is best), key=lambda c: (c.shared, c.method)).method
    return decision, _ranked([*own, *extra], name), name


def _by_groups(problem: Problem, c: Candidate) -> Candidate:
    """A Fourier method calls its kernel for every group by itself."""
    if c.method not in ("fft", "overlap_save") or problem.groups == 1 or c.seconds is None:
        return c
    more = cost.machine().call * (problem.groups - 1)
    return replace(c, seconds=c.seconds + more, shared=c.shared + more)


def _ranked(candidates: list[Candidate], name: str) -> tuple[Candidate, ...]:
    """Cheapest first, each with how it compares."""
    best = next(c.shared for c in candidates if c.method == name) or 1.0
    told = [
        replace(c, why="" if c.method == name else _compared(c, best)) if c.shared else c for c in candidates
    ]
    return tuple(sorted(told, key=lambda c: c.shared))


def _compared(c: Candidate, best: float) -> str:
    plain = not c.why or c.why.endswith("the time")
    ratio = c.shared / best
    return f"{ratio:.{1 if ratio < 9.95 else 0}f}× the time" if plain else c.why


# ── making plans ──────────────────────────────────────────────────────────────────────────────────────────────────────


def make(
    call: Words, x_shape: Ints, kind: np.dtype, w: np.ndarray, method: str, rtol: float | None, bias: Any = None
) -> LayerPlan:
    """A new plan; w is kept."""
    kinds = kind.newbyteorder("="), w.dtype.newbyteorder("=")
    task = (described if words.is_hashable(call) else described.__wrapped__)(call, x_shape, w.shape, kinds)
    w = np.ascontiguousarray(w, dtype=kinds[1])
    return LayerPlan(call, task, x_shape, w, method, rtol, bias)


def plan(
    x: Any,
    w: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    op: str = "conv",
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    boundary: Any = "zero",
    output_padding: Any = 0,
    output_shape: Any = None,
    method: str = "auto",
    rtol: float | None = None,
) -> LayerPlan:
    """Decide once how to run a layer on inputs of one shape and dtype, and prepare its weights.

    Parameters
    ----------
    x : array_like or (shape, dtype)
        An input (N, C, *lengths), or only its shape and dtype.
    w, bias, stride, padding, dilation, groups, boundary, method, rtol
        As `conv`; w and bias are copied.
    op : {"conv", "conv_transpose"}
    output_padding, output_shape
        As `conv_transpose`.

    Returns
    -------
    LayerPlan
        Call it with x; print it for the method and why.

    Raises
    ------
    ValueError, TypeError
        As `conv`.

    Examples
    --------
    >>> import numpy as np
    >>> from firconv import nn
    >>> layer = nn.plan(((1, 3, 32, 32), np.float32), np.ones((8, 3, 3, 3), np.float32), padding=1)
    >>> layer.shape, layer(np.ones((1, 3, 32, 32), np.float32))[0, 0, 0, :3].tolist()
    ((1, 8, 32, 32), [12.0, 18.0, 18.0])
    """
    if op not in ("conv", "conv_transpose"):
        raise ValueError(f"plan(x, w): op={op!r} is unknown: use 'conv' or 'conv_transpose'")
    call = Words(op, stride, padding, dilation, groups, boundary, output_padding, output_shape)
    x, w = describe.operands(op, describe.example(call, x), w, ("x", "w"))
    return make(words.hashable(call), x.shape, x.dtype, w.copy(), method, rtol, bias)
