"""Plans: steps 2 to 6 for one problem, decided once, with its taps prepared.

A plan knows the problem, the decision and the taps; it cuts the outputs into tasks and runs them on threads.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from firconv import cost, deliver, describe, execution, omit, planner, threads, tiles
from firconv.describe import Call, Layout
from firconv.planner import Decision, Facts
from firconv.problem import Problem

#: Plans that are remembered, the taps in all of them, and those of the longest.
KEPT, TAPS, LONGEST = 32, 1 << 18, 1 << 16
_plans: dict[Any, Plan] = {}


def recalled(
    call: Call, shape: tuple[int, ...], kind: np.dtype, h: np.ndarray, method: str, dtype: Any, rtol: float | None
) -> Plan:
    """The plan for these taps, from the last few calls if it was made there."""
    if h.size > LONGEST:
        return make(call, shape, kind, h, method, dtype, rtol)
    key = (call, shape, kind, h.shape, h.dtype, h.tobytes(), method, dtype, rtol, type(rtol), cost.machine())
    try:
        found = _plans.get(key)
    except TypeError:  # a keyword was a list or an array
        return make(call, shape, kind, h, method, dtype, rtol)
    if found is None:
        found = make(call, shape, kind, h.copy(), method, dtype, rtol)
        if len(_plans) >= KEPT or h.size + sum(prod(known[3]) for known in tuple(_plans)) > TAPS:
            _plans.clear()
        _plans[key] = found
    return found


def make(
    call: Call, shape: tuple[int, ...], kind: np.dtype, h: np.ndarray, method: str, dtype: Any, rtol: float | None
) -> Plan:
    problem, layout = _described(call, shape, kind, h.shape, h.dtype)
    weights = describe.correlation_taps(call, layout, h)
    factors = _factors(problem, weights, method, rtol)
    facts = _facts(problem, weights, factors)
    decision = planner.decide(problem, facts, method, rtol, call.op)  # 2 plan
    result = deliver.result_type(call.op, problem, dtype)
    return Plan(
        call, problem, layout, decision, facts, result, h, weights, factors[0] if factors else None, method, rtol
    )


_known: dict[Any, tuple[Problem, Layout]] = {}


def _described(
    call: Call, x_shape: tuple[int, ...], x_dtype: np.dtype, h_shape: tuple[int, ...], h_dtype: np.dtype
) -> tuple[Problem, Layout]:
    """Step 1 by memory: validation depends on shapes, types and keywords only."""
    key = (call, x_shape, x_dtype, h_shape, h_dtype)
    try:
        found = _known.get(key)
    except TypeError:  # a keyword was a list or an array
        return describe.describe(call, x_shape, x_dtype, h_shape, h_dtype)
    if found is None:
        found = describe.describe(call, x_shape, x_dtype, h_shape, h_dtype)
        if len(_known) >= 512:
            _known.clear()
        _known[key] = found
    return found


def _factors(problem: Problem, weights: np.ndarray, method: str, rtol: float | None) -> tuple[Any, float] | None:
    """Separable terms of the taps (one set of filters only), and what a tolerance dropped."""
    filtered = [k for k in problem.taps if k > 1]
    if method not in ("auto", "separable") or len(filtered) < 2 or weights.shape[0] * weights.shape[1] > 1:
        return None
    from firconv.kernels import separable

    taps = weights.reshape(filtered)
    if not np.isfinite(taps).all() or taps.dtype == np.longdouble:
        return None
    found = separable.factors(taps.astype(np.float32) if taps.dtype == np.float16 else taps)
    if found is not None:
        return [found], 0.0
    if method == "separable" and rtol is not None and taps.ndim == 2 and taps.dtype.kind in "fc":
        return separable.truncated(taps, rtol)
    return None


def _facts(problem: Problem, weights: np.ndarray, factors: tuple[Any, float] | None) -> Facts:
    norm1 = 0.0
    if problem.dtype.kind in "iu":
        norm1 = float(np.abs(weights.astype(np.float64)).reshape(-1, prod(weights.shape[2:])).sum(axis=1).max())
    finite = weights.dtype.kind not in "fc" or bool(np.isfinite(weights).all())
    return Facts(finite, norm1, len(factors[0]) if factors else 0, factors[1] if factors else 0.0)


class Plan:
    """A decision about one problem with its taps prepared: call it with a signal, print it to see why.

    Made by `plan`. Hashable, picklable (as raw taps and the decision), and safe to call from several threads.

    Attributes
    ----------
    problem : what is computed
    decision : how
    shape : of the result
    dtype : of the result

    Examples
    --------
    >>> import firconv, numpy as np
    >>> p = firconv.plan(((64,), np.float32), np.ones(9), "same")
    >>> p.method, p.shape, p.lags
    ('direct', (64,), (range(0, 64),))
    """

    def __init__(
        self,
        call: Call,
        problem: Problem,
        layout: Layout,
        decision: Decision,
        facts: Facts,
        dtype: np.dtype,
        h: np.ndarray,
        weights: np.ndarray,
        factors: Any,
        method: str,
        rtol: float | None,
    ):
        self.call, self.problem, self.layout, self.decision, self.facts = call, problem, layout, decision, facts
        self.dtype, self._h, self._weights, self._factors = dtype, h, weights, factors
        self._asked = method, rtol
        self._banks: dict[str, list[Any]] = {}
        self._lock = threading.Lock()
        has_omit = any(rule.name == "omit" for ends in problem.boundary for rule in ends)
        self._ratios: list[omit.Ratios] | None = None
        self._grid = tiles.Grid(problem, problem.lattices)
        if has_omit:
            self._ratios = self._renormalised(self._grid)

    # ── what was decided ──

    @property
    def method(self) -> str:
        """The method chosen: direct, separable, fft, overlap_save or reference."""
        return "direct" if self.decision.method == "shifted" else self.decision.method

    @property
    def rtol(self) -> float | None:
        """The tolerance that was asked for."""
        return self._asked[1]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the result."""
        return self.layout.shape

    @property
    def lags(self) -> tuple[range, ...]:
        """Position t, relative to the origin, of every output along each filtered axis."""
        lengths = dict(zip(self.layout.axes, zip(self.problem.outputs, self.problem.down, strict=True), strict=True))
        axes = self._axes()
        return tuple(
            range(t, t + lengths[a][0] * lengths[a][1], lengths[a][1])
            for a, t in zip(axes, self.layout.starts, strict=True)
        )

    def _axes(self) -> tuple[int, ...]:
        rank = len(self.shape)
        axes = self.call.axes
        if axes is None:
            return tuple(range(rank))
        return tuple(int(a) % rank for a in (axes if isinstance(axes, (tuple, list)) else (axes,)))

    def __str__(self) -> str:
        from firconv import report

        return report.table(self)

    def __repr__(self) -> str:
        p = self.problem
        return f"<firconv.Plan {self.call.op} {p.signal} * {p.taps} -> {self.shape} by {self.method}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Plan) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> Any:
        return self.problem, self.layout, self.decision, self.dtype, self._h.tobytes()

    def __reduce__(self) -> Any:
        x = (self._x_shape(), self.problem.signal_dtype)
        return _unpickle, (self.call, *x, self._h, *self._asked, self.dtype, self.decision)

    def _x_shape(self) -> tuple[int, ...]:
        shape = [1 if d in self.layout.outs else n for d, n in enumerate(self.shape)]
        for axis, n in zip(self.layout.axes, self.problem.signal, strict=True):
            shape[axis] = n
        return tuple(shape)

    # ── running it ──

    def __call__(self, x: ArrayLike, out: np.ndarray | None = None, workers: int | None = None) -> np.ndarray:
        """Filter a signal of the planned shape and type.

        Raises
        ------
        ValueError, TypeError
            For another shape or type, or an `out` that cannot hold the result.
        """
        count = threads.resolve(workers)
        x = self._accepted(x)
        try:
            target = deliver.target(self, x, out)
            self._run(x, target, count)
            if self.problem.dtype.kind in "iu":
                deliver.check_overflow(self, x, target)
            return deliver.finish(self, target, out)
        except MemoryError as error:
            raise describe.no_room(self.call, error) from None

    def _accepted(self, x: Any) -> np.ndarray:
        array = np.asarray(x)
        if array.shape != self._x_shape() or array.dtype != self.problem.signal_dtype:
            raise ValueError(
                f"plan(x): x has shape {array.shape} and dtype {array.dtype}; this plan is for shape "
                f"{self._x_shape()} and {self.problem.signal_dtype}: make another plan, or cast x"
            )
        return array.astype(array.dtype.newbyteorder("="), copy=False)

    def _renormalised(self, grid: tiles.Grid) -> list[omit.Ratios]:
        return [omit.ratios(grid, w[:, None], str(self.call)) for w in self._weights]

    def _run(self, x: np.ndarray, y: np.ndarray, workers: int, grid: tiles.Grid | None = None) -> None:
        """Steps 3 to 6 for every bank: y is the caller's array or one like it; `grid` is a stream's window."""
        work = self.decision.work
        if work == "exact" and self.decision.method not in ("shifted", "reference"):
            work = deliver.exact_work(self, x)
        banks = self._prepared(work)  # 3 prepare
        ratios = self._ratios if grid is None or self._ratios is None else self._renormalised(grid)
        window = grid or self._grid
        tasks = []
        boxes = banks[0][1] if grid is None else banks[0][0].boxes(grid)
        for i, ((signal, target), (runner, _)) in enumerate(zip(self._pairs(x, y), banks, strict=True)):
            ratio = None if ratios is None else self._ratios_of(ratios, i)
            tasks += [(runner, ratio, window, box, signal, target) for box in boxes]
        if self._seconds() < 2e-4:
            workers = 1
        if len(tasks) == 1 and workers > 1:
            ((runner, ratio, _, box, signal, target),) = tasks
            tasks = [(runner, ratio, replace(window, workers=workers), box, signal, target)]
        threads.run(_task, tasks, workers)  # 4, 5, 6

    def _window(self, x: np.ndarray, shape: tuple[int, ...], grid: tiles.Grid, workers: int) -> np.ndarray:
        """Outputs of a stream's window, checked and cast as a whole call's."""
        y = np.empty(shape, deliver.sum_type(self))
        self._run(x, y, workers, grid)
        if self.problem.dtype.kind in "iu":
            deliver.check_overflow(self, x, y, grid)
        return deliver.finish(self, y, None)

    def _ratios_of(self, ratios: list[omit.Ratios], bank: int) -> omit.Ratios:
        lasts = self.shape[self.layout.outs[-1]] if self.layout.outs else 1
        g, o = divmod(bank * lasts, self._weights.shape[1])
        return omit.Ratios(ratios[g].table[o : o + lasts], ratios[g].index)

    def _seconds(self) -> float:
        return next((c.seconds or 0.0 for c in self.decision.candidates if c.method == self.decision.method), 0.0)

    def _index(self) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
        groups = [self.shape[d] for d in self.layout.groups]
        outs = [self.shape[d] for d in self.layout.outs[:-1]]
        return [(g, o) for g in np.ndindex(*groups) for o in np.ndindex(*outs)]

    def _pairs(self, x: np.ndarray, y: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """For every bank, its signal (1, *axes) and its outputs (O, *axes), as views."""
        xv, yv = describe.signal_view(self.layout, x), describe.output_view(self.layout, y)
        pairs = []
        for at, outs in self._index():
            here: Any = (*at, ...)
            target = yv[at + outs] if self.layout.outs else yv[here][None]
            pairs.append((xv[here][None], target))
        return pairs

    def _prepared(self, work: str) -> list[Any]:
        if work not in self._banks:
            with self._lock:
                if work not in self._banks:
                    self._banks[work] = self._prepare(work)
        return self._banks[work]

    def _prepare(self, work: str) -> list[Any]:
        """Runners and their tasks, one per set of filters that share a signal."""
        weights = self._weights
        lasts = self.shape[self.layout.outs[-1]] if self.layout.outs else 1
        banks: list[Any] = []
        for g in range(weights.shape[0]):
            for o in range(0, weights.shape[1], lasts):
                w = weights[g, o : o + lasts][:, None]
                target = deliver.sum_type(self) if self._ratios is None else None
                runner = execution.runner(self.problem, self.decision, w, work, self._factors, target)
                banks.append((runner, banks[0][1] if banks else runner.boxes(self._grid)))
        return banks

    def stream(self) -> Any:
        """The same filter for a signal that arrives in pieces; see `firconv.streaming.Stream`.

        Raises
        ------
        ValueError
            For more than one filtered axis, and boundaries that need the end of the signal first.
        """
        from firconv.streaming import Stream

        return Stream(self)


def _task(task: Any) -> None:
    """Fill one box of outputs: compute in the kernel's type, renormalise, cast."""
    runner, ratios, grid, box, x, y = task
    where = grid.outputs(box)
    target = y[(slice(None), *where)]
    if target.dtype == np.uint64 and runner.dtype == np.int64:
        target = target.view(np.int64)  # sums modulo 2⁶⁴ have the same bits
    if target.dtype == runner.dtype and ratios is None:
        runner.fill(grid, box, x, target)
        return
    raw = np.empty(target.shape, runner.dtype)
    runner.fill(grid, box, x, raw)
    if ratios is not None:
        factor = ratios.at(where)
        raw = raw if factor is None else raw * factor.astype(np.result_type(raw.dtype, np.float32), copy=False)
    deliver.cast(raw, target)


def _unpickle(
    call: Call,
    shape: tuple[int, ...],
    kind: np.dtype,
    h: np.ndarray,
    method: str,
    rtol: float | None,
    dtype: np.dtype,
    decision: Decision,
) -> Plan:
    made = make(call, shape, kind, h, method, dtype, rtol)
    made.decision = decision
    return made
