"""Running the rows: check that all agree, race them, race again before a loss is believed."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from benchmarks.bench import Array, Bench, Case, Peer
from benchmarks.cases import MEANS
from benchmarks.timing import Race, race

OURS = "firconv"
TRUST = 3  # races before a row that misses its ratio is reported as missing it
CLEAR = 1.15  # a ratio this far above what is wanted is believed at once
SLOW = 6.0  # a peer this many times slower than the fastest in its first call is not raced


@dataclass
class Row:
    """One measured row; times in seconds, `first` is our first call (compilation or loading included)."""

    name: str
    title: str
    group: str
    ours: float
    first: float
    method: str
    peer: str
    peer_time: float
    wanted: float | None
    aim: float | None
    reference: str | None
    reference_time: float | None
    dtype: str
    gflops: float
    gbs: float
    others: dict[str, float] = field(default_factory=dict)
    disagreements: dict[str, str] = field(default_factory=dict)
    usual: str | None = None
    usual_time: float | None = None

    @property
    def ratio(self) -> float:
        """Time of the fastest peer over ours: above 1 we are faster."""
        return self.peer_time / self.ours

    @property
    def reference_ratio(self) -> float | None:
        """The same against the reference."""
        return None if self.reference_time is None else self.reference_time / self.ours

    @property
    def usual_ratio(self) -> float | None:
        """The same against the peer that this work is usually done with."""
        return None if self.usual_time is None else self.usual_time / self.ours

    @property
    def passed(self) -> bool | None:
        """Whether the wanted ratio is reached; None when none is asked."""
        return None if self.wanted is None else self.ratio >= self.wanted

    def better(self, other: Row) -> Row:
        """This row measured twice: of us, of every peer and of the reference the shorter time."""
        names = {**self.others, **other.others}
        others = {name: min(row.others.get(name, math.inf) for row in (self, other)) for name in names}
        fast, peer = min((self.peer_time, self.peer), (other.peer_time, other.peer))
        found = [(row.reference_time, row.reference) for row in (self, other) if row.reference_time is not None]
        time, reference = min(found) if found else (None, None)
        known = [(row.usual_time, row.usual) for row in (self, other) if row.usual_time is not None]
        usual_time, usual = min(known) if known else (None, None)
        ours, scale = min(self.ours, other.ours), other.ours / min(self.ours, other.ours)
        return replace(
            other, ours=ours, peer=peer, peer_time=fast, reference=reference, reference_time=time, others=others,
            usual=usual, usual_time=usual_time, gflops=other.gflops * scale, gbs=other.gbs * scale,
            first=min(self.first, other.first),
        )  # fmt: skip

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        derived = {name: getattr(self, name) for name in ("ratio", "reference_ratio", "usual_ratio", "passed")}
        return asdict(self) | derived


def run_case(case: Case, seconds: float) -> Row:
    """Check, race, and race again while the ratio is below or close to what is wanted."""
    bench = case.build()
    peers, references = bench.affordable(), bench.references
    first, firsts, problems = _first_calls(bench, [*peers, *references])
    runners = {OURS: bench.ours} | {
        peer.name: peer.run for peer in _contenders(peers, references, firsts, case.usual)
    }
    refs = [peer.name for peer in references if peer.name in runners]
    names = [name for name in runners if name != OURS and name not in refs]
    result = Race()
    for _ in range(TRUST):
        race(runners, seconds, keep=(OURS,), into=result)
        if _believed(case, result, names, refs):
            break
    return _row(case, bench, result, first, names, refs, firsts, problems)


def _first_calls(bench: Bench, peers: list[Peer]) -> tuple[float, dict[str, float], dict[str, str]]:
    """Our first call and everyone's; whoever computes something else is named, and will not be raced."""
    first, ours = _timed(bench.ours)
    times, problems = {}, {}
    for peer in peers:
        seconds, result = _timed(peer.run)
        trouble = bench.disagreement(result, ours)
        if trouble:
            problems[peer.name] = trouble
        else:
            times[peer.name] = seconds
    return first, times, problems


def _timed(run: Callable[[], Array]) -> tuple[float, Array]:
    start = time.perf_counter()
    result = run()
    return time.perf_counter() - start, result


def _contenders(
    peers: list[Peer], references: list[Peer], firsts: dict[str, float], usual: tuple[str, ...]
) -> list[Peer]:
    """Those that agree and are not hopelessly slow, and the usual ones; first calls under 20 ms may be all warm-up."""
    agreed = [peer for peer in peers if peer.name in firsts]
    limit = max(0.02, SLOW * min((firsts[peer.name] for peer in agreed), default=0.0))
    fast = [peer for peer in agreed if firsts[peer.name] <= limit or peer.name in usual]
    return fast + [peer for peer in references if peer.name in firsts]


def _believed(case: Case, result: Race, names: list[str], refs: list[str]) -> bool:
    ours = result.best[OURS]
    pairs = [(names, case.wanted), (refs, case.aim)]
    return all(result.best[result.fastest(some)] / ours >= CLEAR * target for some, target in pairs if some and target)


def _row(
    case: Case,
    bench: Bench,
    result: Race,
    first: float,
    names: list[str],
    refs: list[str],
    firsts: dict[str, float],
    problems: dict[str, str],
) -> Row:
    if not names:
        raise RuntimeError(f"{case.name}: no peer agrees with firconv ({problems}); find out who is wrong")
    ours, peer = result.best[OURS], result.fastest(names)
    reference = result.fastest(refs) if refs else None
    known = [name for name in names if name in case.usual]
    usual = result.fastest(known) if known else None
    others = {name: min(seconds, result.best.get(name, math.inf)) for name, seconds in firsts.items()}
    return Row(
        case.name, case.title, case.group, ours, first, bench.method(), peer,
        result.best[peer], case.wanted, case.aim, reference, result.best[reference] if reference else None,
        bench.dtype, 2 * bench.macs / ours / 1e9, bench.traffic / ours / 1e9, others, problems,
        usual, result.best[usual] if usual else None,
    )  # fmt: skip


def geometric_mean(values: Iterable[float]) -> float:
    """exp of the mean logarithm."""
    logs = [math.log(value) for value in values]
    return math.exp(sum(logs) / len(logs))


def group_means(rows: list[Row]) -> list[tuple[str, float, float]]:
    """(group, geometric mean of its ratios, wanted) for the groups that have a wanted mean."""
    found = {group: [row.ratio for row in rows if row.group == group] for group in MEANS}
    return [(group, geometric_mean(ratios), MEANS[group]) for group, ratios in found.items() if ratios]
