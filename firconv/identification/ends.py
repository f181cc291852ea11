"""What a function reads beyond the ends of its signal: every rule of the table is tried, end by end."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from firconv.conventions import PICTURES, Convention, Rule
from firconv.identification.calls import Refused, Stop
from firconv.identification.probe import Probe, largest

RULES = ("zero", "edge", "symmetric", "reflect", "wrap", "antisymmetric", "antireflect", "omit")


@dataclass(frozen=True)
class Ends:
    """What was found at both ends of every axis.

    Attributes
    ----------
    rules : (low, high) names per axis; None where nothing is read there; "unknown"
    fits : every rule that explains all ends where anything is read (several where only a sample or two is read)
    value : of a constant boundary
    evidence : for unknown ones
    """

    rules: tuple[tuple[str | None, str | None], ...]
    fits: tuple[str, ...]
    value: complex = 0.0
    evidence: tuple[str, ...] = ()

    def applied(self, convention: Convention) -> Convention:
        """The convention with these rules."""
        axes = []
        for axis, pair in zip(convention.axes, self.rules, strict=True):
            low, high = (Rule(_known(name), self.value if name == "constant" else 0.0) for name in pair)
            if low.name == "zero" and pair[0] is None:
                low = high
            if high.name == "zero" and pair[1] is None:
                high = low
            axes.append(replace(axis, low=low, high=high))
        return replace(convention, axes=tuple(axes))


def _known(name: str | None) -> str:
    return "zero" if name in (None, "unknown") else str(name)


def find(probe: Probe, convention: Convention, gain: complex, h: np.ndarray) -> Ends:
    """The rules of all ends, from one signal with distinct samples."""
    k = h.shape
    n = tuple(
        max(8, 2 * a.reach.at(0, v) // a.up + 6, 2 * abs(a.lead.at(0, v)) // a.up + 4)
        for a, v in zip(convention.axes, k, strict=True)
    )
    x = _letters(probe, n)
    try:
        y = probe.ask(x, h) / gain
        zero = probe.ask(np.zeros_like(x), h) / gain
    except Refused as no:
        raise Stop(f"a signal of shape {n} with taps of shape {k} fails: {no}") from no
    value = _constant(convention, zero, x, h)
    fits: dict[tuple[int, int], list[str]] = {}
    evidence = []
    for axis in range(len(n)):
        for end in (0, 1):
            here = _touched(convention, n, k, axis, end)
            if here is not None:
                fits[axis, end] = [
                    name
                    for name in _candidates(value)
                    if _explains(probe, convention, axis, name, value, x, h, y, here)
                ]
                if not fits[axis, end]:
                    evidence.append(_unknown(probe, convention, axis, end, x, h, y, here))
    common = [name for name in _candidates(value) if all(name in names for names in fits.values())] if fits else []
    rules = tuple(tuple(_choice(fits.get((a, e)), common) for e in (0, 1)) for a in range(len(n)))
    return Ends(rules, tuple(common), value, tuple(evidence))  # type: ignore[arg-type]


def _letters(probe: Probe, n: tuple[int, ...]) -> np.ndarray:
    """A signal without equal neighbours or symmetries."""
    if probe.kind == np.uint8:
        return probe.signal(n)
    return probe.rng.permutation(np.arange(1, 1 + int(np.prod(n)))).reshape(n).astype(probe.kind)


def _candidates(value: complex) -> tuple[str, ...]:
    return ("constant",) if value else RULES


def _choice(fits: list[str] | None, common: list[str]) -> str | None:
    if fits is None:
        return None
    return (common or fits or ["unknown"])[0]


def _touched(convention: Convention, n: tuple[int, ...], k: tuple[int, ...], axis: int, end: int) -> np.ndarray | None:
    """The outputs that read beyond this end and beyond no other, or None if there are none."""
    masks = []
    for a, (rule, length, taps) in enumerate(zip(convention.axes, n, k, strict=True)):
        first = np.arange(rule.outputs(length, taps)) * rule.down - rule.lead.at(length, taps)
        low, high = first < 0, first + rule.reach.at(length, taps) > (length - 1) * rule.up
        masks.append((high & ~low if end else low & ~high) if a == axis else ~low & ~high)
    where = masks[0]
    for mask in masks[1:]:
        where = np.logical_and.outer(where, mask)
    return where if where.any() else None


def _explains(
    probe: Probe,
    convention: Convention,
    axis: int,
    name: str,
    value: complex,
    x: np.ndarray,
    h: np.ndarray,
    y: np.ndarray,
    here: np.ndarray,
) -> bool:
    z = _model(convention, axis, name, value, x, h)
    if z is None or z.shape != y.shape:
        return False
    return bool(np.abs(z[here] - y[here]).max() <= max(probe.tolerance, 1e-12) * (np.abs(y[here]).max() or 1.0))


def _model(
    convention: Convention, axis: int, name: str, value: complex, x: np.ndarray, h: np.ndarray
) -> np.ndarray | None:
    rule = Rule(name, value if name == "constant" else 0.0)
    axes = [replace(a, low=rule, high=rule) if i == axis else a for i, a in enumerate(convention.axes)]
    try:
        return replace(convention, axes=tuple(axes))(x, h)
    except ValueError:  # omit, where no weight is left inside
        return None


def _constant(convention: Convention, zero: np.ndarray, x: np.ndarray, h: np.ndarray) -> complex:
    """The value beyond the ends that explains what the zero signal gives: 0 where it gives zero."""
    if not np.abs(np.nan_to_num(zero)).any():
        return 0.0
    one = Rule("constant", 1.0)
    outside = replace(convention, axes=tuple(replace(a, low=one, high=one) for a in convention.axes))(
        np.zeros_like(x), h
    )
    if outside.shape != zero.shape or not outside.any():
        return 0.0
    at = np.unravel_index(int(np.argmax(np.abs(outside))), outside.shape)
    value = complex(zero[at] / outside[at])
    return round(value.real, 9) if abs(value.imag) < 1e-12 else value


def _unknown(
    probe: Probe,
    convention: Convention,
    axis: int,
    end: int,
    x: np.ndarray,
    h: np.ndarray,
    y: np.ndarray,
    here: np.ndarray,
) -> str:
    z = _model(convention, axis, "zero", 0.0, x, h)
    side = "after the last" if end else "before the first"
    if z is None or z.shape != y.shape:
        return f"what lies {side} sample along axis {axis} is not known: the result has shape {y.shape}"
    at, v, w = largest(np.where(here, y, 0), np.where(here, z, 0))
    return (
        f"what it reads {side} sample along axis {axis} follows none of {', '.join(RULES)}: output {at} is {v:.6g}, "
        "and "
        f"{w:.6g} with zeros there"
    )


# ── the pattern itself, where taps are an argument ────────────────────────────────────────────────────────────────────

LETTERS = dict(zip("abcdwxyz", (3, 11, 29, 61, 131, 239, 401, 577), strict=True))


def pattern(probe: Probe, convention: Convention, gain: complex, k: tuple[int, ...]) -> str | None:
    """What single taps read around the ends of a b c d … w x y z, letter by letter along the last axis.

    None where strides or an error keep it from telling.
    """
    axis, n = convention.axes[-1], max(8, k[-1] + 1)
    if axis.up > 1 or axis.down > 1 or probe.kind == np.uint8:
        return None
    line = np.zeros(n, probe.kind)
    line[[0, 1, 2, 3, -4, -3, -2, -1]] = list(LETTERS.values())
    x = np.broadcast_to(line, (*(2 * v + 8 for v in k[:-1]), n)).astype(probe.kind)
    seen: dict[int, str] = {}
    for tap in (0, k[-1] - 1):
        row = _single(probe, x, k, tap)
        if row is None:
            return None
        place = tap if convention.op == "correlate" else k[-1] - 1 - tap
        for m, v in enumerate(row / gain):
            seen[m + place * axis.dilation - axis.lead.at(n, k[-1])] = _letter(complex(v), max(probe.tolerance, 1e-9))
    low, high = ([seen[m] for m in span if m in seen] for span in (range(-3, 0), range(n, n + 3)))
    return f"{' '.join(low)}│a b c … x y z│{' '.join(high)}".strip() if low or high else None


def _single(probe: Probe, x: np.ndarray, k: tuple[int, ...], tap: int) -> np.ndarray | None:
    """The middle line of the result with one tap along the last axis."""
    h = np.zeros(k, probe.kind)
    h[(*(v // 2 for v in k[:-1]), tap)] = 1
    try:
        y = probe.ask(x, h)
    except Refused:
        return None
    return y[tuple(n // 2 for n in y.shape[:-1])]


def _letter(value: complex, tolerance: float) -> str:
    if not np.isfinite(value):
        return "·"
    known = {0: "0", **{sign * v: mark + name for name, v in LETTERS.items() for sign, mark in ((1, ""), (-1, "-"))}}
    for end in "az":
        known |= {2 * LETTERS[end] - v: f"2{end}-{name}" for name, v in LETTERS.items() if name != end}
    near = min(known, key=lambda v: abs(value - v))
    return known[near] if abs(value - near) <= tolerance * 1000 else f"{value.real:.4g}"


def describe(ends: Ends) -> str:
    """The rules in one phrase: one name if all agree, else per axis and end."""
    names = {name for pair in ends.rules for name in pair if name}
    if not names:
        return "nothing is read beyond the ends"
    if len(names) == 1:
        name = names.pop()
        return f"constant {ends.value:g}" if name == "constant" else name
    return "; ".join(f"axis {a}: {low or '–'} before, {high or '–'} after" for a, (low, high) in enumerate(ends.rules))


def picture(ends: Ends) -> str | None:
    """The picture of a rule that holds at all ends."""
    names = {name for pair in ends.rules for name in pair if name}
    return PICTURES.get(names.pop()) if len(names) == 1 else None
