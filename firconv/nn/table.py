"""A layer's plan as a table: what was decided, and what else was considered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from firconv import report

if TYPE_CHECKING:
    from firconv.nn.plans import LayerPlan


def text(plan: LayerPlan) -> str:
    """The text of ``print(plan)``."""
    p, call = plan.problem, plan.call
    layer = plan._task.forward or p
    rows = [
        ("input", f"{report.lengths(plan.x_shape)} {p.signal_dtype}"),
        ("weights", f"{report.lengths(plan.weights.shape)} {plan.weights.dtype}, {_groups(layer.groups, plan)}"),
        ("output", f"{report.lengths(plan.shape)} {plan.dtype}"),
        ("stride", f"{report.lengths(layer.down[1:])}, dilation {report.lengths(layer.dilation[1:])}"),
        ("padding", f"{call.padding!r}, boundary {_boundary(plan)}"),
        ("method", f"{plan.method} in {_arithmetic(plan)}"),
        ("blocks", f"FFT of {report.lengths(plan.decision.lengths)}" if _by_fft(plan) else ""),
        ("multiplications", f"{p.multiplications:,} in the defining sum"),
        ("fallback", plan.decision.fallback if _by_fft(plan) else ""),
    ]
    body = [line for name, value in rows if value for line in report.wrapped(f"  {name:<16}", value, 18)]
    return "\n".join(line.rstrip() for line in [_title(call.op), *body, "", *_candidates(plan)])


def _title(op: str) -> str:
    return {"conv": "conv: y = w ⋆ x + b", "conv_transpose": "conv_transpose: y = wᵀ ⋆ x + b"}.get(op, op)


def _groups(groups: int, plan: LayerPlan) -> str:
    return "1 group" if groups == 1 else f"{groups} groups"


def _boundary(plan: LayerPlan) -> str:
    layer = plan._task.forward or plan.problem
    return ", ".join(dict.fromkeys(" | ".join(dict.fromkeys(map(str, ends))) for ends in layer.boundary[1:]))


def _by_fft(plan: LayerPlan) -> bool:
    return plan.method in ("fft", "overlap_save")


def _arithmetic(plan: LayerPlan) -> str:
    work = plan.decision.work
    return "float32, float64 or int64, whichever is exact" if work == "exact" else work


def _candidates(plan: LayerPlan) -> list[str]:
    note = "predicted on one core; 'error at most' is the promise"
    return [*report.candidates(plan.candidates, plan.method), "", *report.wrapped("  ", note, 2)]
