"""The planner's regret: time of the method that `auto` chose over time of the best method."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import firconv
from benchmarks.grid import Question
from benchmarks.table import geometric_mean
from benchmarks.timing import Race, race

METHODS = ("direct", "separable", "fft", "overlap_save")
SMALLEST = 100e-6  # seconds: below, the call itself weighs more than the method
HOPELESS = 50.0  # a method predicted this many times slower than auto's first call is not run
RATE = 30e9  # multiply-adds per second that a direct sum may at best reach: for that prediction only
AUTO = "auto"


@dataclass(frozen=True)
class Regret:
    """One problem: the choice, the seconds of every method, as predicted, and of the plain call."""

    question: str
    chosen: str
    times: dict[str, float]
    predicted: dict[str, float]
    auto: float
    details: dict[str, Any]

    @property
    def best(self) -> str:
        """The fastest method."""
        return min(self.times, key=lambda method: self.times[method])

    @property
    def regret(self) -> float:
        """1 when the choice was the best."""
        return self.times[self.chosen] / self.times[self.best]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**asdict(self), "best": self.best, "regret": self.regret}


def run_regret(questions: Sequence[Question], seconds: float, told: Callable[[Regret], None]) -> list[Regret]:
    """Ask each; those that take less than 100 µs with the best method are left out."""
    results = []
    for question in questions:
        answer = ask(question, seconds)
        if answer.times[answer.best] >= SMALLEST:
            results.append(answer)
            told(answer)
    return results


def ask(question: Question, seconds: float) -> Regret:
    """Race all methods that can do it; again when the choice looks bad, since noise looks like a bad choice."""
    x, h = question.arrays()
    plan = firconv.plan(x, h, **question.keywords)
    chosen, predicted = str(plan.method), {c.method: c.seconds for c in plan.decision.candidates}
    runners = {AUTO: lambda: firconv.convolve(x, h, **question.keywords)}
    start = time.perf_counter()
    runners[AUTO]()
    patience = HOPELESS * (time.perf_counter() - start)
    for method in METHODS:
        if method == chosen or not (method == "direct" and _direct_seconds(question) > patience):
            _admit(runners, method, x, h, question.keywords)
    result = race(runners, seconds, keep=(AUTO, chosen), rounds=(3, 40))
    if _looks_bad(result, chosen):
        race(runners, 3 * seconds, keep=(AUTO, chosen), rounds=(5, 60), into=result)
    auto = result.best.pop(AUTO)
    return Regret(str(question), chosen, dict(result.best), predicted, auto, asdict(question))


def _admit(runners: dict[str, Callable[[], Any]], method: str, x: Any, h: Any, keywords: dict[str, Any]) -> None:
    """Add the method if it accepts the problem (a first call, with its compilation, finds out)."""

    def run() -> Any:
        return firconv.convolve(x, h, method=method, **keywords)

    try:
        run()
    except (ValueError, OverflowError):
        return
    runners[method] = run


def _direct_seconds(question: Question) -> float:
    work = 1.0
    for width in (*question.shape, *question.taps):
        work *= width
    return work / RATE


def _looks_bad(result: Race, chosen: str) -> bool:
    fastest = min(seconds for name, seconds in result.best.items() if name != AUTO)
    return result.best[chosen] > 1.2 * fastest


@dataclass(frozen=True)
class Summary:
    """Over all problems; `overhead` is the geometric mean of the `auto` call over the same method forced."""

    problems: int
    mean: float
    worst: float
    overhead: float
    worst_ten: list[Regret]


def summarise(results: Sequence[Regret]) -> Summary:
    """Wanted: mean ≤ 1.15, worst ≤ 2, at least 200 problems."""
    ordered = sorted(results, key=lambda item: -item.regret)
    overhead = geometric_mean(item.auto / item.times[item.chosen] for item in results)
    mean = geometric_mean(item.regret for item in results)
    return Summary(len(results), mean, ordered[0].regret, overhead, ordered[:10])
