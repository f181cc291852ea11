"""A report for people: a table within 80 columns, the failures, and Python that reproduces them."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from rich.table import Table

    from firconv.identities.checking import Report, Result

_STYLE = {"FAILS": "bold red", "holds": "green", "not supported": "dim"}


def text(report: Report) -> str:
    """The report without colours, 80 columns wide."""
    from rich.console import Console

    page = io.StringIO()
    console = Console(file=page, width=80, highlight=False, color_system=None)
    console.print(table(report))
    return "\n".join([*(line.rstrip() for line in page.getvalue().splitlines()), *notes(report)])


def table(report: Report) -> Table:
    """One row per law: name, equation, cases, worst error in units of the bound, verdict."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(title=f"Laws of convolution: {report.implementation.name}", title_justify="left", title_style="bold",
                 box=box.SIMPLE_HEAD, pad_edge=False, padding=0)
    made.add_column("law", no_wrap=True, min_width=27)
    made.add_column("equation", ratio=1)
    made.add_column("cases", justify="right", no_wrap=True)
    made.add_column("worst", justify="right", no_wrap=True)
    made.add_column("", no_wrap=True)
    for result in report.results:
        verdict = Text({"not supported": "–"}.get(result.verdict, result.verdict), _STYLE[result.verdict])
        made.add_row(result.law.name, Text(result.law.text, "dim" if not result.cases else ""), str(result.cases),
                     number(result.worst) if result.cases else "–", verdict)
    return made


def number(error: float) -> str:
    """An error in units of the bound."""
    if error == 0:
        return "0"
    if not np.isfinite(error):
        return "∞"
    return f"{error:.2g}" if 1e-3 <= error < 1e4 else f"{error:.0e}"


def notes(report: Report) -> list[str]:
    """The lines below the table."""
    held = sum(result.verdict == "holds" for result in report.results)
    lacking = [result for result in report.results if result.verdict == "not supported"]
    lines = [f"laws: {held} hold, {len(report.failures)} fail, {len(lacking)} not supported; "
             f"{sum(r.cases for r in report.results):,} problems in {report.seconds:.1f} s, seed {report.seed}",
             *(part for note in report.implementation.notes for part in wrap(f"note: {note}", 78)),
             *([f"STOPPED: laws were {report.stopped}"] if report.stopped else []),
             "worst: largest error in units of 13·log₂N·u·‖x‖₂‖h‖₂ per call (0: exact);",
             "* convolution, ⋆ correlation, ⊛ circular; –: not supported, reasons below"]
    for result in report.failures:
        lines += ["", *_failure(result, report.implementation.source)]
    if lacking:
        lines += ["", "not supported:"]
        lines += [line for reason, names in _reasons(lacking) for line in _lacking(reason, names)]
    return lines


def _reasons(lacking: list[Result]) -> Iterator[tuple[str, list[str]]]:
    found: dict[str, list[str]] = {}
    for result in lacking:
        found.setdefault(result.lacking, []).append(result.law.name)
    yield from found.items()


def _lacking(reason: str, names: list[str]) -> list[str]:
    return wrap(f"{reason} ({', '.join(names)})", 78, initial_indent="  ", subsequent_indent="    ")


def _failure(result: Result, source: str) -> list[str]:
    """What fails, the smallest case, both sides, and the code."""
    failure = result.failure
    assert failure is not None
    lines = [f"{result.law.name} FAILS: {result.law.text}"]
    lines += wrap(result.law.domain, 78, initial_indent="  where ", subsequent_indent="    ")
    lines += wrap(_words(failure.problem), 78, initial_indent="  smallest case: ", subsequent_indent="    ")
    if failure.trouble:
        lines += wrap(failure.trouble, 78, initial_indent="  ", subsequent_indent="    ")
    if failure.left is not None:
        for side, values in (("left ", failure.left), ("right", failure.right)):
            lines += wrap(f"{_shown(values)}", 78, initial_indent=f"  {side}  ", subsequent_indent="    ")
    return [*lines, "  to reproduce:", *(f"    {line}" for line in snippet(result, source).splitlines())]


def _words(problem: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = {_shown(value)}" for name, value in problem.items())


def _shown(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return np.array2string(value, separator=", ", threshold=24, max_line_width=10_000)
    return str(value)


def snippet(result: Result, source: str) -> str:
    """Python that shows the failure again."""
    failure = result.failure
    assert failure is not None
    values = [f"{name}={_literal(value)}" for name, value in failure.problem.items()]
    call = f"identities.law({result.law.name!r}).replay(f, {', '.join(values)})"
    lines = wrap(f"shown = {call}", 74, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
    return "\n".join(["from firconv import identities", source or "f = ...  # the implementation", *lines,
                      "print(shown.error, shown.left, shown.right, shown.trouble)"])


def _literal(value: Any) -> str:
    """A value as Python reads it; arrays as lists, which take the type of the problem."""
    if isinstance(value, np.ndarray):
        return repr(value.tolist()).replace("nan", "float('nan')")
    return repr(value)
