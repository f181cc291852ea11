"""Timing side by side: A B A B, the minimum of each, garbage collected outside the clock."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Runner = Callable[[], Any]

PAUSE = 0.002  # seconds between calls: thread pools of other libraries spin for a while after their work
HOPELESS = 4.0  # entrants this many times slower than the leader after two rounds leave the race


@dataclass
class Race:
    """Best seconds per entrant, and how often each ran."""

    best: dict[str, float] = field(default_factory=dict)
    runs: dict[str, int] = field(default_factory=dict)

    def record(self, name: str, seconds: float) -> None:
        """Keep the minimum of all runs."""
        self.best[name] = min(seconds, self.best.get(name, float("inf")))
        self.runs[name] = self.runs.get(name, 0) + 1

    def fastest(self, names: list[str]) -> str:
        """The name with the smallest time."""
        return min(names, key=lambda name: self.best[name])


def sample(run: Runner, number: int = 1) -> float:
    """Seconds per call over `number` calls; results are freed after the clock stops (the last one) or by the call."""
    start = time.perf_counter()
    for _ in range(number - 1):
        run()
    result = run()
    stop = time.perf_counter()
    del result
    return (stop - start) / number


def race(
    runners: dict[str, Runner],
    seconds: float,
    keep: tuple[str, ...] = (),
    rounds: tuple[int, int] = (3, 60),
    into: Race | None = None,
) -> Race:
    """Run all in turn, forwards then backwards, until `seconds` are spent; names in `keep` never leave.

    Every runner must have been called once before (the first call is not this function's business).
    """
    result = Race() if into is None else into
    active, clock = list(runners), time.perf_counter()
    numbers = {name: _calls_per_sample(run) for name, run in runners.items()}
    gc.collect()
    enabled = gc.isenabled()
    gc.disable()
    try:
        for count in range(rounds[1]):
            for name in active if count % 2 == 0 else active[::-1]:
                time.sleep(PAUSE)
                result.record(name, sample(runners[name], numbers[name]))
            if count >= 1:
                active = _still_racing(active, result, keep)
            if count + 1 >= rounds[0] and time.perf_counter() - clock > seconds:
                break
    finally:
        if enabled:
            gc.enable()
    return result


def _calls_per_sample(run: Runner) -> int:
    """How many calls make at least a millisecond: the clock and the pause must not weigh."""
    return max(1, int(1e-3 / max(sample(run), 1e-8)))


def _still_racing(active: list[str], result: Race, keep: tuple[str, ...]) -> list[str]:
    """Drop what cannot win; the leader is the fastest of those not kept, so that losers to us still race each other."""
    others = [name for name in active if name not in keep]
    if not others:
        return active
    leader = min(result.best[name] for name in others)
    return [name for name in active if name in keep or result.best[name] <= HOPELESS * leader]
