"""Is it a filter at all? Repeatable, linear, and shifting its result with its signal; each with the evidence."""

from __future__ import annotations

import numpy as np

from firconv.identification.calls import Stop
from firconv.identification.probe import PRECISIONS, SHAPES, Probe, largest

STEPS = 17


def repeatable(probe: Probe) -> tuple[str, str | None]:
    """("same bits" | "to rounding" | "no", evidence): the same call three times, with another one between."""
    h, x = probe.taps, probe.signal()
    a, b = probe.ask(x, h), probe.ask(x, h)
    probe.ask(probe.signal(), h)
    c = probe.ask(x, h)
    if a.shape != b.shape or a.shape != c.shape:
        return "no", f"the same call returned shapes {a.shape}, {b.shape} and {c.shape}"
    if np.array_equal(a, b, equal_nan=True) and np.array_equal(a, c, equal_nan=True):
        return "same bits", None
    other, which = (
        (b, "at once again") if probe.difference(b, a) > probe.difference(c, a) else (c, "after another call")
    )
    if probe.same(b, a) and probe.same(c, a):
        return "to rounding", None
    at, v, w = largest(other, a)
    return "no", f"the same call {which} gave {v:.6g} instead of {w:.6g} at output {at}"


def linear(probe: Probe) -> tuple[np.ndarray, str | None]:
    """(f(0), evidence against f(αx + βz) − f(0) = α(f(x) − f(0)) + β(f(z) − f(0)), or None).

    The precision of the probe is lowered to float32 if that explains all differences.
    """
    h, x, z = probe.taps, probe.signal(), probe.signal()
    zero = probe.ask(np.zeros_like(x), h)
    fx, fz = (probe.ask(v, h) - zero for v in (x, z))
    worst = (-1.0, "")
    for text, signal, expected in _sums(probe, x, z, fx, fz):
        y = probe.ask(signal, h) - zero
        if y.shape != expected.shape:
            return zero, f"{text} has shape {y.shape}, and f(x) has {expected.shape}: the length depends on the values"
        gap = probe.difference(y, expected)
        if gap > worst[0]:
            at, v, w = largest(y, expected)
            worst = gap, f"{text}: at output {at} it is {v:.6g} instead of {w:.6g}"
    for name in ("exact", "float64", "float32", "float16"):
        if PRECISIONS[name] >= max(worst[0], probe.tolerance) and (name != "float16" or probe.precision == name):
            probe.precision = name
            return zero, None
    return zero, worst[1]


def _sums(
    probe: Probe, x: np.ndarray, z: np.ndarray, fx: np.ndarray, fz: np.ndarray
) -> list[tuple[str, np.ndarray, np.ndarray]]:
    tests = [("f(x + z) is not f(x) + f(z)", x + z, fx + fz)]
    if probe.kind.kind != "u":
        tests = [("f(−x) is not −f(x)", -x, -fx), ("f(3x) is not 3·f(x)", 3 * x, 3 * fx), *tests]
    if probe.kind.kind in "fc":
        tests += [("f(1000x) is not 1000·f(x)", 1000 * x, 1000 * fx), ("f(x/64) is not f(x)/64", x / 64, fx / 64)]
    return tests


# ── shifts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def centre(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A place far from all ends, with room for a few steps along each axis."""
    return tuple(n // 2 - min(STEPS, n // 3) // 2 for n in shape)


def columns(probe: Probe, h: np.ndarray) -> dict[tuple[int, ...], np.ndarray]:
    """Responses to impulses at the centre and some steps from it along each axis, less the response to zero."""
    zero = probe.ask(np.zeros(probe.shape, probe.kind), h)
    c = centre(probe.shape)
    found = {}
    for axis, n in enumerate(probe.shape):
        for step in range(min(STEPS, n // 3)):
            at = tuple(v + step * (a == axis) for a, v in enumerate(c))
            if at not in found:
                found[at] = _cleaned(probe, probe.ask(probe.impulse(at), h) - zero)
    return found


def _cleaned(probe: Probe, y: np.ndarray) -> np.ndarray:
    """The response without what rounding leaves where nothing is."""
    y = np.where(np.isfinite(y), y, 0)
    floor = 1e-14 if probe.precision in ("exact", "float64") else probe.tolerance / 10
    return np.where(np.abs(y) > floor * np.abs(y).max(initial=0), y, 0)


def responses(probe: Probe, h: np.ndarray) -> dict[tuple[int, ...], np.ndarray]:
    """`columns` for a signal long enough to hold the response; the probe keeps that size.

    Raises
    ------
    Stop
        If an impulse reaches the ends of the result at every size, or nothing comes out.
    """
    for shape in SHAPES[probe.ndim]:
        probe.shape = shape
        found = columns(probe, h)
        if not any(y.any() for y in found.values()):
            raise Stop(f"impulses in the middle of a signal of shape {shape} leave the result zero")
        if not any(_touches(y) for y in found.values()):
            return found
    y = next(y for y in found.values() if _touches(y))
    raise Stop(
        f"one impulse in the middle of {'×'.join(map(str, shape))} samples changes the result to its end "
        f"({np.count_nonzero(y)} of {y.size} outputs): recursive, circular, or of the whole signal (a mean, a "
        "spectrum); "
        "no FIR filter of this size"
    )


def _touches(y: np.ndarray) -> bool:
    return any(y.take(i, axis).any() for axis in range(y.ndim) for i in ((0, -1) if y.shape[axis] > 2 else ()))


def steps(probe: Probe, found: dict[tuple[int, ...], np.ndarray]) -> tuple[list[tuple[int, int]], str | None]:
    """Per axis the least (P, Q) such that an impulse P samples later gives the same response Q outputs later.

    (1, 1) is shift invariance; (D, 1) decimation, (1, U) interpolation. With evidence where there is none.
    """
    c, result = centre(probe.shape), []
    for axis in range(probe.ndim):
        line = [found[at] for at in sorted(found) if all(v == c[a] for a, v in enumerate(at) if a != axis)]
        step = _period(probe, line, axis)
        if step is None:
            return [], _varying(line, axis, c[axis])
        result.append(step)
    return result, _far(probe, found[c], c, result)


def _period(probe: Probe, line: list[np.ndarray], axis: int) -> tuple[int, int] | None:
    most = len(line) // 2
    size = max(float(np.abs(y).max()) for y in line)
    for total in range(2, 2 * most + 1):
        for p in range(1, min(total, most + 1)):
            q = total - p
            if q <= most and all(
                np.abs(_moved(a, q, axis) - b).max() <= probe.tolerance * size
                for a, b in zip(line, line[p:], strict=False)
            ):
                return p, q
    return None


def _moved(y: np.ndarray, q: int, axis: int) -> np.ndarray:
    z = np.roll(y, q, axis)
    z[(slice(None),) * axis + (slice(0, q),)] = 0
    return z


def _varying(line: list[np.ndarray], axis: int, at: int) -> str:
    first, second = line[0], line[1]
    where = "" if first.ndim == 1 else f" along axis {axis}"
    return (
        f"an impulse at sample {at}{where} and one a sample later give responses that are no shifted copies: their "
        "largest "
        f"values are {_peak(first):.6g} and {_peak(second):.6g}"
    )


def _peak(y: np.ndarray) -> complex:
    return y.flat[int(np.argmax(np.abs(y)))]


def _far(probe: Probe, here: np.ndarray, c: tuple[int, ...], periods: list[tuple[int, int]]) -> str | None:
    """Evidence that the response far from the centre is another one."""
    h = probe.taps
    zero = probe.ask(np.zeros(probe.shape, probe.kind), h)
    for part in (-1, 1, -2, 2):
        turns = [part * (n // 6 // p) for n, (p, _) in zip(probe.shape, periods, strict=True)]
        at = tuple(v + t * p for v, t, (p, _) in zip(c, turns, periods, strict=True))
        moved = here
        for axis, (t, (_, q)) in enumerate(zip(turns, periods, strict=True)):
            moved = np.roll(moved, t * q, axis)
        y = _cleaned(probe, probe.ask(probe.impulse(at), h) - zero)
        if _touches(y) or _touches(moved):
            continue
        if not probe.same(y, moved):
            i, v, w = largest(y, moved)
            return (
                f"an impulse at {at} gives {v:.6g} at output {i} where the shifted response to one at {c} has {w:.6g}"
            )
    return None
