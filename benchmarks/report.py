"""Showing the results: tables for the terminal and the page `docs/benchmarks.md`."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.cases import all_cases
from benchmarks.fresh import Fact
from benchmarks.machine import Machine
from benchmarks.regret import Regret, Summary, summarise
from benchmarks.table import Row, geometric_mean, group_means

MARKS = {True: "✓", False: "✗", None: ""}
STYLES = {True: "green", False: "red", None: ""}
MEAN_WANTED, WORST_WANTED = 1.15, 2.0
WIDE = 140  # columns that no table exceeds
# Columns that may fold.
TEXTS = ("work", "what", "note", "problem", "fastest peer", "usual peer", "reference", "method", "rows")
NARROWEST = 8  # columns that a folded text keeps


@dataclass
class Results:
    """Everything one run measured."""

    machine: Machine
    command: str
    rows: list[Row] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    regrets: list[Regret] = field(default_factory=list)
    date: str = field(default_factory=lambda: datetime.date.today().isoformat())

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        lists = {name: [item.as_dict() for item in getattr(self, name)] for name in ("rows", "facts", "regrets")}
        return {"machine": self.machine.as_dict(), "command": self.command, "date": self.date, **lists}


def join(parts: Sequence[dict[str, Any]]) -> Results:
    """One result from what several runs wrote. Of a row measured more than once the best time of each side counts.

    So do the best measured limits of the machine.
    """
    machines = [part["machine"] for part in parts]
    found = Machine(**machines[-1])
    gflops = {dtype: max(machine["gflops"][dtype] for machine in machines) for dtype in found.gflops}
    found = replace(found, gflops=gflops, copy_gbs=max(machine["copy_gbs"] for machine in machines))
    rows: dict[str, Row] = {}
    for item in (item for part in parts for item in part["rows"]):
        row = _made(Row, item)
        rows[row.name] = rows[row.name].better(row) if row.name in rows else row
    facts = {item["name"]: _made(Fact, item) for part in parts for item in part["facts"]}
    regrets = {item["question"]: _made(Regret, item) for part in parts for item in part["regrets"]}
    order = {case.name: place for place, case in enumerate(all_cases())}
    ordered = sorted(rows.values(), key=lambda row: order.get(row.name, len(order)))
    kept = list(facts.values()), list(regrets.values())
    command = next((part["command"] for part in parts if "--quick" in part["command"]), "python -m benchmarks")
    words = f"python -m benchmarks{' --quick' if '--quick' in command else ''}"
    return Results(found, words, ordered, *kept, max(part["date"] for part in parts))


def _made(kind: Any, item: dict[str, Any]) -> Any:
    """An object from its fields, without the derived values beside them; older runs lack some fields."""
    return kind(**{entry.name: item[entry.name] for entry in fields(kind) if entry.name in item})


@dataclass(frozen=True)
class Sheet:
    """A table before it is drawn: a title, the columns' names, cells as text, and a mark per row."""

    title: str
    columns: tuple[str, ...]
    cells: Sequence[tuple[str, ...]]
    marks: Sequence[bool | None]
    note: str = ""


def sheets(results: Results) -> list[Sheet]:
    """All tables that have something to show."""
    found = [
        _ratios(results.rows, results.machine),
        _means(results.rows),
        _references(results.rows),
        _facts(results.facts),
    ]
    if results.regrets:
        found += [_regret(summarise(results.regrets)), _worst(summarise(results.regrets))]
    return [sheet for sheet in found if sheet.cells]


def _ratios(rows: Sequence[Row], machine: Machine) -> Sheet:
    cells = [
        (row.title, row.method, milli(row.ours), milli(row.peer_time), row.peer, times(row.ratio),
         times(row.wanted), row.usual or "", times(row.usual_ratio), share(row.gflops / machine.gflops[row.dtype]),
         share(row.gbs / machine.copy_gbs))
        for row in rows
    ]  # fmt: skip
    columns = ("work", "method", "ours", "peer", "fastest peer", "ratio", "want", "usual peer", "its", "peak", "copy")
    note = (
        "ours, peer: milliseconds. ratio: time of the fastest peer over time of firconv, and want: what it should be. "
        "usual peer, its: what this work is usually done with, and its ratio. peak: multiply-adds of the "
        "defining sum (of both passes for Gaussians) per second, against the machine's peak; above 100 % an algorithm "
        "did with fewer. "
        "copy: bytes of signal and output per second, against a copy."
    )
    return Sheet("Speed, warm, two threads each (ms)", columns, cells, [row.passed for row in rows], note)


def _means(rows: Sequence[Row]) -> Sheet:
    means = group_means(list(rows))
    cells = [(group, times(mean), times(wanted)) for group, mean, wanted in means]
    marks = [mean >= wanted for _, mean, wanted in means]
    return Sheet("Geometric means of ratios", ("rows", "ratio", "wanted"), cells, marks)


def _references(rows: Sequence[Row]) -> Sheet:
    some = [row for row in rows if row.reference is not None]
    cells = [
        (row.title, milli(row.ours), milli(row.reference_time or 0.0), row.reference or "",
         times(row.reference_ratio), times(row.aim))
        for row in some
    ]  # fmt: skip
    marks: list[bool | None] = [(row.reference_ratio or 0.0) >= (row.aim or 0.0) for row in some]
    if some:
        mean = geometric_mean(row.reference_ratio or 1.0 for row in some)
        cells.append(("geometric mean", "", "", "", times(mean), ""))
        marks.append(None)
    columns = ("work", "ours ms", "its ms", "reference", "ratio", "aim")
    return Sheet("Against hand-tuned references", columns, cells, marks)


def _facts(facts: Sequence[Fact]) -> Sheet:
    cells = [
        (fact.name, f"{fact.value:.3g} {fact.unit}".strip(), "" if fact.wanted is None else f"≤ {fact.wanted:g}",
         fact.note)
        for fact in facts
    ]  # fmt: skip
    return Sheet("Once per process", ("what", "value", "wanted", "note"), cells, [fact.passed for fact in facts])


def _regret(summary: Summary) -> Sheet:
    cells = [
        ("problems over 100 µs", str(summary.problems), "≥ 200"),
        ("geometric mean of the regret", f"{summary.mean:.3f}", f"≤ {MEAN_WANTED}"),
        ("worst regret", f"{summary.worst:.2f}", f"≤ {WORST_WANTED:g}"),
        ("auto over the same method forced", f"{summary.overhead:.3f}", ""),
    ]
    marks = [summary.problems >= 200, summary.mean <= MEAN_WANTED, summary.worst <= WORST_WANTED, None]
    note = "regret: time of the method that auto chose over time of the best method."
    return Sheet("The planner's choices", ("what", "value", "wanted"), cells, marks, note)


def _worst(summary: Summary) -> Sheet:
    def cell(item: Regret, method: str) -> str:
        return f"{method} {milli(item.times[method])}"

    ten = summary.worst_ten
    cells = [(item.question, cell(item, item.chosen), cell(item, item.best), f"{item.regret:.2f}") for item in ten]
    columns = ("problem", "chosen, ms", "best, ms", "regret")
    return Sheet("The ten worst choices", columns, cells, [item.regret <= WORST_WANTED for item in ten])


def milli(seconds: float) -> str:
    """Milliseconds with three digits, tenths of microseconds at the least."""
    value = seconds * 1e3
    return f"{value:.4f}" if value < 0.1 else f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def share(value: float) -> str:
    """A part of a limit in per cent, as a multiple where it is far beyond."""
    return f"{value:.0%}" if value < 9.995 else f"{value:.0f} ×"


def times(value: float | None) -> str:
    """A ratio with two digits after the point below ten."""
    return "" if value is None else f"{value:.2f}" if value < 10 else f"{value:.1f}"


def width(asked: int | None) -> int:
    """Columns of the tables: as asked, the terminal's, and what they need where there is no terminal."""
    console = Console(width=asked)
    return console.width if asked or console.is_terminal or "COLUMNS" in os.environ else WIDE


def show(console: Console, results: Results) -> None:
    """Print every table."""
    console.print(machine_line(results.machine))
    for sheet in sheets(results):
        console.print(drawn(sheet))
        if sheet.note:
            console.print(f"[dim]{sheet.note}[/dim]\n")


def drawn(sheet: Sheet) -> Table:
    """One table for the terminal: text to the left, numbers to the right."""
    table = Table(title=sheet.title, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("")
    for name in sheet.columns:
        folds = name in TEXTS
        table.add_column(
            name, justify="left" if folds else "right", overflow="fold", no_wrap=not folds,
            min_width=NARROWEST if folds else None,
        )  # fmt: skip
    for cells, mark in zip(sheet.cells, sheet.marks, strict=True):
        table.add_row(MARKS[mark], *cells, style=STYLES[mark])
    return table


def machine_line(machine: Machine) -> str:
    """The machine and its measured limits."""
    peaks = ", ".join(f"{dtype} {value:.0f}" for dtype, value in machine.gflops.items())
    return (
        f"{machine.processor}, {machine.cores} cores, vector registers of {machine.registers} bytes; multiply-add peak "
        f"(BLAS or a layer, two threads) {peaks} GFLOP/s; "
        f"copy {machine.copy_gbs:.1f} GB/s (read + written)"
    )


def page(results: Results, note: str = "") -> str:
    """The text of `docs/benchmarks.md`; a note on the circumstances stands with the machine."""
    versions = ", ".join(f"{name} {version}" for name, version in results.machine.versions.items())
    head = [
        "# Benchmarks", "",
        f"Written by `{results.command}` on {results.date}; do not edit. Losses are published too: a row marked ✗ "
        "misses the ratio that this project wants.", "",
        f"- Machine: {machine_line(results.machine)}.",
        *([f"- {note}"] if note else []),
        f"- Versions: Python {results.machine.python}, {versions}.",
        "- Rules: every output is compared before it is timed, and a peer that computes something else does not race; "
        "two threads each; calls alternate in one process (A B, B A, …) and the minimum counts; outputs are allocated "
        "by each as its plain call does; garbage is collected outside the clock; a miss is measured three times. "
        "A page made of several runs (`--json` in shares, then `--join`) takes of every row the best time of each.", "",
    ]  # fmt: skip
    return "\n".join(
        [*head, *(line for sheet in sheets(results) for line in _markdown(sheet)), *_trouble(results.rows)]
    )


def _markdown(sheet: Sheet) -> Iterable[str]:
    yield f"## {sheet.title}"
    yield ""
    if sheet.note:
        yield from (sheet.note, "")
    yield "| " + " | ".join(["", *sheet.columns]) + " |"
    yield "|" + " --- |" * (len(sheet.columns) + 1)
    for cells, mark in zip(sheet.cells, sheet.marks, strict=True):
        yield "| " + " | ".join([MARKS[mark], *cells]) + " |"
    yield ""


def _trouble(rows: Sequence[Row]) -> list[str]:
    """Peers that computed something else; they did not race."""
    lines = [f"- {row.title}: {name} is {what}" for row in rows for name, what in row.disagreements.items()]
    return ["## Peers that disagreed", "", *lines, ""] if lines else []
