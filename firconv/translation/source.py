"""What is to be translated: a call of firconv, a plan, or what `identify` found, as one description."""

from __future__ import annotations

import ast
import functools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from firconv import describe
from firconv.boundary import Ends, parse
from firconv.conventions import LAST, Axis, Convention, Rule, Size, preset_size
from firconv.convolution import Plan, convolve, correlate
from firconv.describe import Call
from firconv.identification import Found

KEYWORDS = ("mode", "boundary", "axes", "origin", "up", "down", "dilation")
IGNORED = ("method", "dtype", "out", "rtol", "workers")
USE = (
    'translate(call, to): {!r} is no call: give text such as \'convolve(x, h, "same", boundary="edge")\', a '
    "functools.partial of firconv.convolve, a plan, or what identify found"
)


class Impossible(Exception):
    """Why a system cannot do it."""


@dataclass(frozen=True)
class Source:
    """An operation on all dimensions of a signal.

    Attributes
    ----------
    convention : with one axis for each dimension; conjugated is "any" where it is not known or does not matter
    gain, normalised : of the result
    taps : where they are known
    reshape : shape that brings the taps to as many dimensions as the signal, or None
    imaginary : True where signal or taps are known to be complex
    """

    convention: Convention
    gain: complex = 1.0
    normalised: str | None = None
    taps: np.ndarray | None = None
    reshape: tuple[int, ...] | None = None
    imaginary: bool = False

    @property
    def axes(self) -> tuple[Axis, ...]:
        return self.convention.axes

    @property
    def ndim(self) -> int:
        return len(self.axes)


def source_of(what: Any, ndim: int | None) -> Source:
    """The description of a call, plan or finding.

    Raises
    ------
    TypeError
        If it is none of them.
    ValueError
        If the call means nothing, or the function was not identified.
    """
    if isinstance(what, Found):
        return _found(what)
    if isinstance(what, Plan):
        return _plan(what)
    call = what if isinstance(what, Call) else _partial(what) if isinstance(what, functools.partial) else _text(what)
    if call.axes is not None:
        raise ValueError(
            f"translate(call, to): axes={call.axes!r} needs the shapes of signal and taps: give a plan instead"
        )
    return Source(from_call(call, ndim or _dimensions(call)))


def _found(found: Found) -> Source:
    if not found.explained or found.convention is None:
        raise ValueError(
            f"translate(found, to): the function was not identified, so there is nothing to translate: "
            f"{(found.evidence or ('unknown',))[0]}"
        )
    conjugated = found.conjugated if found.conjugated in ("taps", "signal", "none") else "any"
    taps = None if found.fir is None else found.fir.taps
    return Source(
        replace(found.convention, conjugated=conjugated),
        found.gain,
        found.normalised,
        taps,
        imaginary=conjugated == "signal" or (taps is not None and taps.dtype.kind == "c"),
    )


def _plan(plan: Plan) -> Source:
    axes = plan._axes()
    given = from_call(replace(plan.call, axes=None), len(axes))
    rank, h = len(plan.shape), plan._h
    if list(axes) != sorted(axes) and h.ndim == len(axes):
        raise Impossible("the axes of the taps are in another order than those of the signal: transpose the taps first")
    if h.ndim == rank != len(axes):
        if any(n > 1 for d, n in enumerate(h.shape) if d not in axes):
            raise Impossible("every channel has taps of its own: translate the plan of one channel")
        shape = None
    else:
        shape = None if h.ndim == rank else tuple(h.shape[axes.index(d)] if d in axes else 1 for d in range(rank))
    idle = Axis(Size(), Size())
    convention = Convention(
        given.op, tuple(given.axes[axes.index(d)] if d in axes else idle for d in range(rank)), given.conjugated
    )
    real = h.dtype.kind != "c" and plan.problem.signal_dtype.kind != "c"
    return Source(replace(convention, conjugated="any") if real else convention, reshape=shape, imaginary=not real)


def _dimensions(call: Call) -> int:
    """How many axes the lists and tuples of a call speak of; 1 if there are none."""
    lists: list[Any] = [v for v in (call.mode, call.boundary) if isinstance(v, list)]
    lists += [v for v in (call.origin, call.up, call.down, call.dilation) if isinstance(v, (list, tuple))]
    return len(lists[0]) if lists else 1


def _partial(given: functools.partial[Any]) -> Call:
    op = {convolve: "convolve", correlate: "correlate"}.get(given.func)
    if op is None or given.args:
        raise TypeError(USE.format(given))
    return _call(op, dict(given.keywords))


def _call(op: str, keywords: dict[str, Any]) -> Call:
    unknown = [k for k in keywords if k not in KEYWORDS + IGNORED]
    if unknown:
        raise ValueError(
            f"translate(call, to): {op}() has no keyword {unknown[0]!r}; it has {', '.join(KEYWORDS + IGNORED)}"
        )
    kept = {k: v for k, v in keywords.items() if k in KEYWORDS}
    return Call(op, **kept)


def _text(text: Any) -> Call:
    if not isinstance(text, str):
        raise TypeError(USE.format(text))
    try:
        node = ast.parse(text.strip(), mode="eval").body
        if not isinstance(node, ast.Call):
            raise ValueError("no call")
        op = ast.unparse(node.func).removeprefix("firconv.")
        values = [ast.literal_eval(a) for a in node.args[2:]]
        keywords = {str(k.arg): ast.literal_eval(k.value) for k in node.keywords}
    except (SyntaxError, ValueError) as error:
        raise ValueError(USE.format(text)) from error
    if op not in ("convolve", "correlate") or len(node.args) < 2:
        raise ValueError(USE.format(text))
    return _call(op, dict(zip(("mode", "method"), values, strict=False)) | keywords)


# ── a call in forms of N and K ───────────────────────────────────────────────────────────────────────────────────────


def from_call(call: Any, count: int) -> Convention:
    """The convention that a call of firconv follows, on its `count` filtered axes.

    Parameters
    ----------
    call : describe.Call
    count : number of filtered axes

    Raises
    ------
    ValueError, TypeError
        For keywords that mean nothing, as the call itself.
    """
    describe._modes(call, count)
    rules = parse(call.boundary, count, call)
    origins = describe._per_axis(call, "origin", "scipy" if call.origin is None else call.origin, count)
    strides = [describe._positive(call, name, getattr(call, name), count) for name in ("up", "down", "dilation")]
    modes = call.mode if isinstance(call.mode, list) else [call.mode] * count
    axes = []
    for i in range(count):
        up, down, dilation = (s[i] for s in strides)
        describe._origin(call, origins[i], 3)
        origin = preset_size(origins[i], call.op) if isinstance(origins[i], str) else Size(int(origins[i]))
        axes.append(_axis(call.op, modes[i], origin, up, down, dilation, rules[i]))
    return Convention(call.op, tuple(axes), "taps" if call.op == "correlate" else "none")


def _axis(op: str, mode: Any, origin: Size, up: int, down: int, dilation: int, ends: Ends) -> Axis:
    width = LAST * dilation
    reach = (origin if op == "correlate" else LAST - origin) * dilation
    lead, room = {"full": (width, width), "valid": (Size(), width * -1), "same": (reach, Size(up - 1))}.get(
        mode if isinstance(mode, str) else "", (reach, Size())
    )
    if isinstance(mode, tuple):
        start, stop = int(mode[0]), int(mode[1])
        lead, room = reach - start, Size(stop - start - 1 + up, n=-up)
    return Axis(lead, room, up, down, dilation, *ends)


# ── questions that every target asks ──────────────────────────────────────────────────────────────────────────────────


def always(size: Size, least: int | None = None, most: Size | None = None) -> bool:
    """True if least ≤ size ≤ most for all lengths (seen on 1 … 40 taps and samples)."""
    return all(
        (least is None or size.at(n, k) >= least) and (most is None or size.at(n, k) <= most.at(n, k))
        for k in range(1, 41)
        for n in range(1, 41)
    )


def rule_of(source: Source) -> Rule | None:
    """The one rule beyond all ends that are read; zero if none is; None if they differ."""
    rules = {
        rule
        for axis in source.axes
        for rule, size in ((axis.low, axis.lead), (axis.high, axis.tail))
        if not always(size, most=Size())
    }
    return rules.pop() if len(rules) == 1 else Rule("zero") if not rules else None


def plain(source: Source) -> bool:
    """True without up, down and dilation."""
    return all(a.up == a.down == a.dilation == 1 for a in source.axes)


def without_down(source: Source) -> Source:
    """The same before decimation."""
    axes = tuple(replace(a, down=1) for a in source.axes)
    return replace(source, convention=replace(source.convention, axes=axes))
