"""Layers through the general engine: every group's filters are a bank, and all their tasks lie in one list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from firconv import deliver, execution, omit, threads, tiles
from firconv.planner import Decision, Facts
from firconv.problem import Problem


@dataclass(frozen=True, eq=False)
class Bank:
    """Filters that share a signal: which set of prepared taps, and views of the arrays.

    Attributes
    ----------
    filters : index of the set
    signal : (I, *signal)
    target : (O, *outputs)
    bias : (O, 1, …) or None
    """

    filters: int
    signal: np.ndarray
    target: np.ndarray
    bias: np.ndarray | None = None


class Engine:
    """Prepared taps of some sets of filters for one problem; `run` fills the outputs of banks.

    Parameters
    ----------
    weights : (sets, O, I, *K), correlation taps on every axis of the problem
    """

    def __init__(self, problem: Problem, decision: Decision, facts: Facts, weights: np.ndarray, call: str):
        self.problem, self.decision, self.facts = problem, decision, facts
        self._weights, self._call = weights, call
        self._grid = tiles.Grid(problem, problem.lattices)
        self._runners: dict[str, list[execution.Runner]] = {}
        self._ratios: list[omit.Ratios] | None = None
        if renormalised(problem):
            self._ratios = [ratios(self._grid, w, call) for w in weights]

    def run(self, x: np.ndarray, banks: list[Bank], workers: int) -> None:
        """Fill the targets of all banks; x is the array that holds the signals, for the size of its integers."""
        work = self.decision.work
        if work == "exact" and self.decision.method not in ("shifted", "reference"):
            work = deliver.exact_work(self, x)  # type: ignore[arg-type]
        self._fill(banks, work, workers)
        if self.problem.dtype.kind in "iu":
            self._check(x, banks, workers)

    def _fill(self, banks: list[Bank], work: str, workers: int) -> None:
        runners = self._prepared(work)
        boxes = runners[0].boxes(self._grid)
        tasks = [(self, runners[bank.filters], box, bank) for bank in banks for box in boxes]
        threads.run(_task, tasks, workers)

    def _prepared(self, work: str) -> list[execution.Runner]:
        found = self._runners.get(work)
        if found is None:
            weights = self._weights.astype(object) if work == "object" else self._weights
            decision = self.decision if work != "object" else Decision("shifted", work, (), None, "none", ())
            found = [execution.runner(self.problem, decision, w, work) for w in weights]
            self._runners[work] = found
        return found

    def fill(self, runner: execution.Runner, box: tiles.Box, bank: Bank) -> None:
        """One box of outputs of one bank: compute in the kernel's type, renormalise, add the bias, cast."""
        where = self._grid.outputs(box)
        target = bank.target[(slice(None), *where)]
        if target.dtype == np.uint64 and runner.dtype == np.int64:
            target = target.view(np.int64)  # sums modulo 2⁶⁴ have the same bits
        raw = target if target.dtype == runner.dtype else np.empty(target.shape, runner.dtype)
        bias = bank.bias if bank.bias is None or target.dtype != np.int64 else bank.bias.view(np.int64)
        runner.fill(self._grid, box, bank.signal, raw)
        factor = None if self._ratios is None else self._ratios[bank.filters].at(where)
        if factor is not None:
            raw = raw * factor.astype(np.result_type(raw.dtype, np.float32), copy=False)
        if bias is not None:
            raw = np.add(raw, bias, out=raw if raw.dtype == target.dtype else None)
        if raw is not target:
            deliver.cast(raw, target)

    # ── integers never wrap ──

    def _check(self, x: np.ndarray, banks: list[Bank], workers: int) -> None:
        """Raise OverflowError if and only if an output lies outside 64 bits: bounds first, then exact sums."""
        if self.decision.work != "exact" and all(bank.bias is None for bank in banks):
            return
        limits = np.iinfo(self.problem.dtype)
        bound = deliver.peak(self, x) * self.facts.norm1 + _largest(banks)  # type: ignore[arg-type]
        if bound < 2.0**63 and not (limits.min == 0 and self._negative(x, banks)):
            return
        exact = [Bank(b.filters, b.signal, np.empty(b.target.shape, object), _exact(b.bias)) for b in banks]
        self._fill(exact, "object", workers)
        for bank in exact:
            if any(not limits.min <= int(v) <= limits.max for v in bank.target.ravel()):
                raise OverflowError(
                    f"{self._call}: an output does not fit {self.problem.dtype}, and integers are never wrapped: "
                    "convert the arrays to float64, or scale them down"
                )

    def _negative(self, x: np.ndarray, banks: list[Bank]) -> bool:
        return deliver.negative(self, x) or any(b.bias is not None and bool((b.bias < 0).any()) for b in banks)  # type: ignore[arg-type]


def _task(task: Any) -> None:
    engine, runner, box, bank = task
    engine.fill(runner, box, bank)


def _largest(banks: list[Bank]) -> float:
    return max((float(np.abs(b.bias.astype(np.float64)).max()) for b in banks if b.bias is not None), default=0.0)


def _exact(bias: np.ndarray | None) -> np.ndarray | None:
    return None if bias is None else bias.astype(object)


def renormalised(problem: Problem) -> bool:
    """True where an end has the boundary "omit"."""
    return any(rule.name == "omit" for ends in problem.boundary for rule in ends)


def ratios(grid: tiles.Grid, weights: np.ndarray, call: str) -> omit.Ratios:
    """What "omit" multiplies the outputs of filters (O, I, *K) by; sums run over all input channels."""
    wide = np.clongdouble if weights.dtype.kind == "c" else np.longdouble
    total = weights.sum(axis=1, keepdims=True, dtype=wide)
    kind = weights.dtype if weights.dtype.kind in "fc" else np.dtype(np.float64)
    return omit.ratios(grid, total.astype(kind), call)


def facts(problem: Problem, weights: np.ndarray) -> Facts:
    """What planning needs to know of the taps (sets, O, I, *K)."""
    norm1 = 0.0
    if problem.dtype.kind in "iu":
        axes = tuple(range(2, weights.ndim))
        norm1 = float(np.abs(weights.astype(np.float64)).sum(axis=axes).max())
    finite = weights.dtype.kind not in "fc" or bool(np.isfinite(weights).all())
    return Facts(finite, norm1)
