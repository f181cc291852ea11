"""A plan as a table: what was decided, what else was considered, and the call that forces it."""

from __future__ import annotations

import textwrap
import unicodedata
from typing import TYPE_CHECKING

from firconv import cost
from firconv.planner import Candidate

if TYPE_CHECKING:
    from firconv.plans import Plan


def table(plan: Plan) -> str:
    """The text of ``print(plan)``."""
    lines = [*_head(plan), "", *candidates(plan.decision.candidates, plan.method), "", *_forcing(plan)]
    return "\n".join(line.rstrip() for line in lines)


def _head(plan: Plan) -> list[str]:
    p, d = plan.problem, plan.decision
    rows = [
        ("signal", f"{lengths(p.signal)} {p.signal_dtype}"),
        (
            "taps",
            f"{lengths(p.taps)} {p.taps_dtype}"
            + (f", {p.groups * p.channels_out} filters" if p.groups * p.channels_out > 1 else ""),
        ),
        ("output", f"{lengths(plan.shape)} {plan.dtype}, lags " + ", ".join(f"{r.start}…{r[-1]}" for r in plan.lags)),
        (
            "boundary",
            ", ".join(dict.fromkeys(" | ".join(dict.fromkeys(map(str, p.boundary[i]))) for i in plan.layout.filtered)),
        ),
        ("strides", f"up {lengths(p.up)}, down {lengths(p.down)}, dilation {lengths(p.dilation)}"),
        (
            "method",
            f"{plan.method} in {'float32, float64 or int64, whichever is exact' if d.work == 'exact' else d.work}",
        ),
        ("blocks", _blocks(plan) if d.lengths else ""),
        ("multiplications", f"{p.multiplications:,} in the defining sum"),
        ("fallback", d.fallback),
    ]
    if max(p.up + p.down + p.dilation, default=1) == 1:
        rows = [row for row in rows if row[0] != "strides"]
    title = f"{plan.call.op}: y = {'h * x' if plan.call.op == 'convolve' else 'h ⋆ x'}"
    return [title, *(line for name, text in rows if text for line in wrapped(f"  {name:<16}", text, 18))]


def _blocks(plan: Plan) -> str:
    p, text = plan.problem, lengths(plan.decision.lengths)
    if cost.by_tree(p, p.dtype.kind == "c", plan.decision.lengths):
        return f"{text}, by remainders of polynomials"
    return f"FFT of {text}"


def wrapped(start: str, text: str, indent: int) -> list[str]:
    return textwrap.wrap(start + text, 80, subsequent_indent=" " * indent, drop_whitespace=True)


def lengths(values: tuple[int, ...]) -> str:
    return " × ".join(map(str, values)) if values else "scalar"


def candidates(considered: tuple[Candidate, ...], method: str) -> list[str]:
    """The rows of everything considered, the method taken marked."""
    head = f"  {'method':<13}{'predicted':>9}{'mult-adds':>11}{'bytes':>9}  {'error at most':<18}  why not"
    return [head, *(_row(c, c.method == method) for c in considered)]


def _row(c: Candidate, chosen: bool) -> str:
    time = "–" if c.seconds is None else seconds(c.seconds)
    macs = "–" if c.multiplications is None else f"{c.multiplications:.2e}"
    size = "–" if c.bytes is None else _bytes(c.bytes)
    mark, why = ("→", "chosen") if chosen else (" ", c.why)
    return f"{mark} {c.method:<13}{time:>9}{macs:>11}{size:>9}  {_padded(c.bound, 18)}  {why}"


def _padded(text: str, width: int) -> str:
    """Text filled to a width on screen: combining marks take no place."""
    return text + " " * (width - sum(not unicodedata.combining(mark) for mark in text))


def seconds(value: float) -> str:
    """A duration with its unit."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= scale:
            return f"{value / scale:.3g} {unit}"
    return f"{value * 1e9:.3g} ns"


def _bytes(count: int) -> str:
    for unit, scale in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= scale:
            return f"{count / scale:.0f} {unit}" if count >= 100 * scale else f"{count / scale:.1f} {unit}"
    return f"{count} B"


def _forcing(plan: Plan) -> list[str]:
    call = plan.call
    words = [f"{plan.call.op}(x, h, mode={call.mode!r}, method={plan.method!r}"]
    for name, plain in (
        ("boundary", "zero"),
        ("axes", None),
        ("origin", None),
        ("up", 1),
        ("down", 1),
        ("dilation", 1),
    ):
        if getattr(call, name) != plain:
            words.append(f"{name}={getattr(call, name)!r}")
    if plan.dtype != plan.problem.dtype:
        words.append(f"dtype={plan.dtype.name!r}")
    if plan.rtol is not None:
        words.append(f"rtol={plan.rtol!r}")
    note = "predicted on one core; 'error at most' is the promise, an FFT is usually 10 to 1000 times better"
    return [*wrapped("  ", note, 2), "  the call that forces it: " + ", ".join(words) + ")"]
