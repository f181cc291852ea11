"""From responses to numbers: which tap met which sample at which output, and the integers that explain it.

Distinct taps leave their fingerprint in every output that one impulse reaches. With correlation taps each meeting says

    n·down + k·dilation − lead = p·up          (convolution: K − 1 − k in place of k)

and a few of them settle up, down, dilation, the direction of the taps and the lead, by exact fractions.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import gcd

import numpy as np

from firconv.conventions import LAST, LOWER, UPPER, Axis, Size
from firconv.identification.calls import Refused, Stop
from firconv.identification.probe import TAPS, Probe

Meeting = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
Responses = dict[tuple[int, ...], np.ndarray]


@dataclass(frozen=True)
class Grid:
    """Strides and direction of one axis, and the lead that was seen with the taps at hand."""

    up: int
    down: int
    dilation: int
    flipped: bool | None
    lead: int


# ── taps that are an argument ─────────────────────────────────────────────────────────────────────────────────────────


def scale_of(probe: Probe, found: Responses, h: np.ndarray, likely: complex = 1.0) -> complex:
    """The factor g such that every value of the responses is g times a tap; `likely` if it fits.

    Raises
    ------
    Stop
        If there is none.
    """
    values = np.concatenate([y[y != 0] for y in found.values()])
    top = values[int(np.argmax(np.abs(values)))]
    near = max(probe.tolerance, 1e-9) * float(np.abs(h).max())
    for gain in (likely, *(top / tap for tap in sorted(h.ravel().tolist(), key=abs, reverse=True))):
        if np.abs(values[:, None] / gain - h.ravel()[None, :]).min(axis=1).max() <= near:
            return _plain(gain)
    seen = ", ".join(f"{v:.5g}" for v in list(dict.fromkeys(values.tolist()))[:6])
    raise Stop(
        f"the response to one impulse with taps {h.ravel().tolist()} holds {seen}, which are no common multiple of the "
        "taps: they do not enter as the taps of a filter"
    )


def _plain(value: complex) -> complex:
    value = complex(value)
    if abs(value.imag) > 1e-12 * abs(value):
        return value
    near = round(value.real)
    return float(near) if near and abs(value.real - near) < 1e-6 * abs(near) else value.real


def meetings(found: Responses, h: np.ndarray, gain: complex) -> list[Meeting]:
    """(output, sample, tap) for every value of the responses."""
    result = []
    for at, y in found.items():
        for n in zip(*np.nonzero(y), strict=True):
            k = np.unravel_index(int(np.argmin(np.abs(h - y[n] / gain))), h.shape)
            result.append((tuple(map(int, n)), at, tuple(map(int, k))))
    return result


def solve(met: list[Meeting], axis: int, period: tuple[int, int], taps: int) -> Grid:
    """The integers of one axis.

    Raises
    ------
    Stop
        If no integers explain all meetings.
    """
    p, q = period
    seen = sorted({(k[axis], s[axis] * q - n[axis] * p) for n, s, k in met})
    (k0, v0), (k1, v1) = seen[0], seen[-1]
    slope = Fraction(v1 - v0, k1 - k0) if k1 != k0 else Fraction(1)
    offset = v0 - slope * k0
    if any(slope * k + offset != v for k, v in seen) or slope == 0:
        raise Stop(
            f"along axis {axis} the taps do not lie at equal steps: tap {k0} meets sample {v0} and tap {k1} "
            f"sample {v1} of the same output"
        )
    unit = slope.denominator * offset.denominator // gcd(slope.denominator, offset.denominator)
    step, start = int(slope * unit), int(offset * unit)
    flipped = None if taps == 1 else step < 0
    lead = -start if step > 0 else -(start + step * (taps - 1))
    return Grid(q * unit, p * unit, abs(step), flipped, lead)


# ── taps inside ───────────────────────────────────────────────────────────────────────────────────────────────────────


def inner_taps(probe: Probe, c: tuple[int, ...], periods: list[tuple[int, int]]) -> tuple[np.ndarray, tuple[int, ...]]:
    """(correlation taps, lead per axis) of a function that holds its taps, from one impulse of every phase."""
    zero = probe.ask(np.zeros(probe.shape, probe.kind), probe.taps)
    parts: dict[tuple[int, ...], complex] = {}
    for phase in np.ndindex(*(p for p, _ in periods)):
        at = tuple(a + b for a, b in zip(c, phase, strict=True))
        y = probe.ask(probe.impulse(at), probe.taps) - zero
        y = (
            np.where(np.abs(y) > 1e-15 * np.abs(y).max(initial=0), y, 0)
            if probe.precision == "exact"
            else _cut(probe, y)
        )
        for n in zip(*np.nonzero(y), strict=True):
            place = tuple(s * q - int(m) * p for s, m, (p, q) in zip(at, n, periods, strict=True))
            parts[place] = y[n]
    places = np.array(list(parts))
    low = places.min(axis=0)
    values = np.array(list(parts.values()))
    taps = np.zeros(tuple(places.max(axis=0) - low + 1), values.dtype)
    taps[tuple((places - low).T)] = values
    return taps, tuple(int(-v) for v in low)


def _cut(probe: Probe, y: np.ndarray) -> np.ndarray:
    floor = 1e-14 if probe.precision == "float64" else probe.tolerance / 10
    return np.where(np.abs(y) > floor * np.abs(y).max(initial=0), y, 0)


# ── laws: the same for every length ───────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Sight:
    """What one pair of lengths showed: per axis samples, taps, lead (or None) and outputs."""

    n: tuple[int, ...]
    k: tuple[int, ...]
    lead: tuple[int, ...] | None
    outputs: tuple[int, ...]


def axis_of(grid: Grid, sights: list[Sight], axis: int) -> Axis:
    """The axis with its lead and its number of outputs as forms in N and K.

    Raises
    ------
    Stop
        If no form of the kinds known fits all lengths.
    """
    leads = [(s.n[axis], s.k[axis], s.lead[axis]) for s in sights if s.lead is not None]
    lead = _form(_lead_forms(grid.dilation), [(n, k, v, v) for n, k, v in leads], [0])
    if lead is None:
        raise Stop(
            f"along axis {axis} the first output reads {[v for *_, v in leads]} samples before the signal for "
            f"{[k for _, k, _ in leads]} taps, which follows no rule that this library knows"
        )
    room = _room(grid, lead, sights, axis)
    if room is None:
        counts = [(s.n[axis], s.k[axis], s.outputs[axis]) for s in sights]
        raise Stop(
            f"along axis {axis} the number of outputs follows no rule that this library knows: (samples, taps, "
            "outputs) "
            f"= {counts[:6]}"
        )
    return Axis(lead, room, grid.up, grid.down, grid.dilation)


def _lead_forms(d: int) -> list[Size]:
    centre = Size(centre=1, spacing=d)
    split = [] if d == 1 else [centre, LAST * d - centre]
    return [Size(), LAST * d, UPPER * d, LOWER * d, *split]


def _room(grid: Grid, lead: Size, sights: list[Sight], axis: int) -> Size | None:
    width = LAST * grid.dilation
    forms = [width * -1, Size(), width, lead * 2 - width, lead - width, width - lead]
    data = []
    for s in sights:
        m = (s.n[axis] - 1) * grid.up
        data.append((s.n[axis], s.k[axis], (s.outputs[axis] - 1) * grid.down - m, s.outputs[axis] * grid.down - m - 1))
    return _form(forms, data, [0, grid.up - 1])


def _form(forms: list[Size], data: list[tuple[int, int, int, int]], liked: list[int]) -> Size | None:
    """The form plus a constant that lies in [lo, hi] for every (N, K, lo, hi), the constant as small as can be."""
    fits = []
    for place, form in enumerate(forms):
        low = max(lo - form.at(n, k) for n, k, lo, _ in data)
        high = min(hi - form.at(n, k) for n, k, _, hi in data)
        if low <= high:
            nice = [c for c in liked if low <= c <= high]
            constant = nice[0] if nice else min(range(low, high + 1), key=abs)
            fits.append((0 if nice else abs(constant), place, form + constant))
    return min(fits, key=lambda f: f[:2])[2] if fits else None


def sights(probe: Probe, grids: list[Grid], gain: complex) -> tuple[list[Sight], list[tuple[np.ndarray, complex]]]:
    """Leads and lengths for odd and even taps and for neighbouring lengths of signals; and the gain for every taps."""
    result, gains = [], []
    for i, k in enumerate(_tap_sizes(probe.ndim)):
        try:
            h = probe.primes(k)
            for step in range(min(5, max(g.down for g in grids) + 1)):
                n = tuple(v + step + i for v in probe.shape)
                lead = None
                if step == 0:
                    lead, seen = _lead(probe, grids, n, h, gain)
                    gains.append((h, seen))
                result.append(Sight(n, k, lead, probe.ask(np.ones(n, probe.kind), h).shape))
        except Refused as no:
            probe.box.note(f"with {'×'.join(map(str, k))} taps it fails: {no}")
    return result, gains


def inner_sights(probe: Probe, grids: list[Grid], taps: tuple[int, ...]) -> list[Sight]:
    """Lengths of results for neighbouring lengths of signals, where the taps are inside."""
    lead = tuple(g.lead for g in grids)
    sizes = [tuple(v + step for v in probe.shape) for step in range(min(6, max(g.down for g in grids) + 2))]
    return [Sight(n, taps, lead, probe.ask(np.ones(n, probe.kind), probe.taps).shape) for n in sizes]


def _tap_sizes(ndim: int) -> list[tuple[int, ...]]:
    start = TAPS[ndim]
    return [tuple(max(1, v + d + (a % 2 if d in (1, 2) else 0)) for a, v in enumerate(start)) for d in (0, 1, -1, 2, 3)]


def _lead(
    probe: Probe, grids: list[Grid], n: tuple[int, ...], h: np.ndarray, gain: complex
) -> tuple[tuple[int, ...] | None, complex]:
    """Lead per axis and gain for these lengths, from impulses of every phase near the middle."""
    zero, found = probe.ask(np.zeros(n, probe.kind), h), {}
    for phase in np.ndindex(*(g.down for g in grids)):
        at = tuple(v // 2 + s for v, s in zip(n, phase, strict=True))
        found[at] = _cut(probe, probe.ask(probe.impulse(at, n), h) - zero)
    gain = scale_of(probe, found, h, gain)
    first = meetings(found, h, gain)[0]
    return tuple(_lead_of(g, h.shape[a], *(part[a] for part in first)) for a, g in enumerate(grids)), gain


def _lead_of(grid: Grid, taps: int, n: int, p: int, k: int) -> int:
    k = taps - 1 - k if grid.flipped else k
    return n * grid.down + k * grid.dilation - p * grid.up
