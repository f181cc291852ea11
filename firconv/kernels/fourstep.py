"""One transform for a signal and taps that are both long, in four steps and without a transposition.

    y[n] = Σ_k w[k] · x̃[start + n + k]        x̃ = x between zeros

The P = N₁·N₂ points lie row by row in an N₁ × N₂ matrix, t = N₂·t₁ + t₂. Transforms down the columns, a twiddle
exp(−2πi f₁t₂/P) and transforms along the rows give frequency f₁ + N₁·f₂ at place (f₁, f₂). The product of two spectra
does not care about their order, and the way back undoes the steps. A real matrix needs the rows f₁ ≤ N₁/2 only. Where
`correlate` is given a transform of our own for real lines (`kernels.trunk`), that takes the place of the steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from firconv.kernels import guard

Parallel = Callable[[Callable[[Any], None], Iterable[Any]], None]
Transform = Callable[[NDArray[Any], NDArray[Any], int, NDArray[Any], Parallel], None]
WIDE = 64  # columns transformed at once
TALL = 16  # rows transformed at once
STRIP = 1 << 16  # outputs judged at once
FOUR = 1 << 16  # points from which four steps are faster


def serial(function: Callable[[Any], None], items: Iterable[Any]) -> None:
    """Run a function on every item, one after the other."""
    for item in items:
        function(item)


def shape_for(points: int) -> tuple[int, int]:
    """Rows and columns, products of 2, 3 and 5, of a matrix that holds at least so many points."""
    columns = 1 << max(6, (points.bit_length() - 1) // 2)
    return _even_smooth(-(-points // columns)), columns


@lru_cache(maxsize=256)
def _even_smooth(n: int) -> int:
    sizes = (2**a * 3**b * 5**c for a in range(1, 32) for b in range(8) for c in range(5))
    return min(s for s in sizes if s >= n)


def correlate(
    x: NDArray[Any],
    weights: NDArray[Any],
    start: int,
    out: NDArray[Any],
    *,
    tau: float | None = None,
    parallel: Parallel = serial,
    own: Callable[[int, np.dtype[Any]], Transform | None] | None = None,
) -> NDArray[np.bool_] | None:
    """Correlate a signal (N,) with taps (K,) into `out` (L,), of which element n is at lag start + n.

    Parameters
    ----------
    x, weights
        Of the dtype of `out`: float32, float64, complex64 or complex128 (real taps for a real `out`).
    start
        Any integer; the signal is zero outside.
    tau
        Promise |ŷ − y|[n] ≤ τ · ‖w‖₂ · S[n], S[n] the 2-norm of the samples under the taps. None promises nothing.
    parallel
        ``parallel(function, items)`` runs the function on all items, in any order. The items never depend on it.
    own
        From the points of a line and a dtype to a transform of our own that takes the place of the four steps, or None.

    Returns
    -------
    None if the promise holds for all outputs, else a mask (L,) of those for which it may not.
    """
    first, last = max(start, 0), min(len(x), start + len(out) + len(weights) - 1)
    if first >= last:
        out[...] = 0
        return None
    part, lead = x[first:last], max(-start, 0)
    found = _measure(part.astype(out.dtype, copy=False))
    peak = float(found.peak[0])
    clean, broken = part, not math.isfinite(peak)
    if broken:
        clean = np.where(np.isfinite(part), part, 0).astype(out.dtype)
        peak = max(float(np.abs(clean.real).max()), float(np.abs(clean.imag).max()))
    present = clean != 0  # before scaling, under which small samples next to very large ones vanish
    bend = _exponent(peak), _exponent(max(np.abs(weights.real).max(), np.abs(weights.imag).max()))
    clean, taps = _ldexp(clean, -bend[0]), _ldexp(weights, -bend[1])
    points = max(lead + len(clean), len(out) + len(weights) - 1 - lead, 1 << 12)
    line = None if own is None else own(points, out.dtype)
    if line is not None:
        line(clean, taps, lead, out, parallel)
    elif points < FOUR:
        _at_once(clean, taps, lead, out, fft.next_fast_len(points, real=True))  # 5-smooth, as the guard's proof wants
    else:
        _transform(clean, taps, lead, out, shape_for(points), parallel)
    if any(bend):
        with np.errstate(over="ignore", under="ignore"):
            out[...] = _ldexp(out, sum(bend))
    unsure = None if tau is None else _judge(clean, present, taps, lead, out, tau, points, parallel)
    if broken:
        _overlay(part, weights, lead, out)
    return unsure


def _exponent(peak: float) -> int:
    """Power of two to take out of data of this size; 0 where it does no harm."""
    exponent = math.frexp(peak)[1]
    return 0 if abs(exponent) < 25 else exponent


def _ldexp(x: NDArray[Any], exponent: int) -> NDArray[Any]:
    if exponent == 0:
        return x
    if x.dtype.kind != "c":
        return np.ldexp(x, exponent)
    return (np.ldexp(x.real, exponent) + 1j * np.ldexp(x.imag, exponent)).astype(x.dtype)


def _at_once(x: NDArray[Any], w: NDArray[Any], lead: int, out: NDArray[Any], points: int) -> None:
    """The same by transforms of the whole line, which fits the caches."""
    line = np.zeros(points, out.dtype)
    line[lead : lead + len(x)] = x
    if out.dtype.kind == "c":
        spectrum = fft.fft(line, overwrite_x=True) * np.conj(fft.fft(np.conj(w), points))
        out[...] = fft.ifft(spectrum, overwrite_x=True)[: len(out)]
        return
    product, taps = fft.rfft(line), fft.rfft(w, points)
    product *= np.conj(taps, out=taps)
    out[...] = fft.irfft(product, points, overwrite_x=True)[: len(out)]


def _transform(
    x: NDArray[Any], w: NDArray[Any], lead: int, out: NDArray[Any], shape: tuple[int, int], parallel: Parallel
) -> None:
    """Four steps there, product, four steps back."""
    rows, columns = shape
    real = out.dtype.kind != "c"
    half = rows // 2 + 1 if real else rows
    wide = np.result_type(out.dtype, np.complex64)
    spectra = [np.empty((half, columns), wide) for _ in range(2)]
    matrices = [_matrix(x, lead, columns, out.dtype), _matrix(w if real else np.conj(w), 0, columns, out.dtype)]
    step, base = _twiddles(half, rows, columns, wide)
    forward, inverse = (fft.rfft, fft.irfft) if real else (fft.fft, fft.ifft)

    def down(item: tuple[int, int]) -> None:
        which, left = item
        chosen = slice(left, left + WIDE)
        column = forward(matrices[which][:, chosen], rows, axis=0)
        column *= base[left // WIDE][:, None]
        np.multiply(column, step, out=spectra[which][:, chosen])

    def along(top: int) -> None:
        chosen = slice(top, top + TALL)
        signal, taps = fft.fft(spectra[0][chosen], axis=1), fft.fft(spectra[1][chosen], axis=1)
        signal *= np.conj(taps, out=taps)
        spectra[0][chosen] = fft.ifft(signal, axis=1, norm="forward", overwrite_x=True)

    target = out if out.flags.c_contiguous else np.empty(out.shape, out.dtype)
    whole = len(out) // columns
    grid, rest = target[: whole * columns].reshape(whole, columns), target[whole * columns :]

    def up(left: int) -> None:
        chosen = slice(left, left + WIDE)
        column = spectra[0][:, chosen] * np.conj(step)
        column *= np.conj(base[left // WIDE] / (rows * columns)).astype(wide)[:, None]
        column = inverse(column, rows, axis=0, norm="forward", overwrite_x=True)
        grid[:, chosen] = column[:whole]
        if left < len(rest):
            rest[chosen] = column[whole, : len(rest) - left]

    parallel(down, [(which, left) for which in (0, 1) for left in range(0, columns, WIDE)])
    parallel(along, range(0, half, TALL))
    parallel(up, range(0, columns, WIDE))
    if target is not out:
        out[...] = target


def _matrix(x: NDArray[Any], lead: int, columns: int, dtype: Any) -> NDArray[Any]:
    """Lay a line after `lead` zeros into rows; a view where it fits."""
    rows = -(-(lead + len(x)) // columns)
    if lead == 0 and len(x) == rows * columns and x.dtype == dtype:
        return np.ascontiguousarray(x).reshape(rows, columns)
    line = np.zeros(rows * columns, dtype)
    line[lead : lead + len(x)] = x
    return line.reshape(rows, columns)


@lru_cache(maxsize=4)
def _twiddles(half: int, rows: int, columns: int, dtype: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """exp(−2πi f₁t₂/P) in two factors: for t₂ within a strip of columns, and for the first column of each strip."""
    f = np.arange(half)[:, None]
    turn = -2j * np.pi / (rows * columns)
    step = np.exp(turn * (f * np.arange(WIDE)))
    base = np.exp(turn * (f.T * np.arange(0, columns, WIDE)[:, None]))
    return step.astype(dtype), base.astype(dtype)


def _measure(x: NDArray[Any]) -> guard.Survey:
    return guard.survey(x[None, None], (len(x),), (1,))


def _judge(
    x: NDArray[Any],
    present: NDArray[np.bool_],
    w: NDArray[Any],
    lead: int,
    out: NDArray[Any],
    tau: float,
    points: int,
    parallel: Parallel,
) -> NDArray[np.bool_] | None:
    """Compare S[n] of every output with the guard's threshold, from running sums whose rounding is allowed for.

    Squares of small samples vanish next to large ones, so what is silent is read from the samples `present`.
    """
    factor = guard.factor(out.dtype, math.log2(points) + 2, tau)
    energy = _running(_power(x))
    need = (1.001 * factor**2 + 2.0**-52 * len(x)) * energy[-1]
    failed, empty = np.zeros((2, len(out)), bool)

    def strip(begin: int) -> None:
        seen = _window(energy, begin - lead, len(w), failed[begin : begin + STRIP])
        np.less(seen, need, out=failed[begin : begin + STRIP])
        np.equal(seen, 0, out=empty[begin : begin + STRIP])

    parallel(strip, range(0, len(out), STRIP))
    spread, wild = _spreads(x, w)
    if wild:
        _mark_wild(x, lead, len(w), guard.RANGE - spread, failed)
    if empty.any():
        count = _running(present)
        for begin in range(0, len(out), STRIP):
            here = slice(begin, begin + STRIP)
            silent = np.broadcast_to(_window(count, begin - lead, len(w), failed[here]) == 0, failed[here].shape)
            out[here][silent] = 0
            failed[here] &= ~silent
    return failed if failed.any() else None


def _mark_wild(x: NDArray[Any], lead: int, taps: int, room: float, failed: NDArray[np.bool_]) -> None:
    """Mark outputs whose samples range too widely: log2 of S[n] over their geometric mean, at least C, above `room`."""
    size = np.abs(x).astype(np.float64)
    energy, count, logs = _running(_power(x)), _running(size != 0), _running(np.log2(np.where(size > 0, size, 1)))
    for begin in range(0, len(failed), STRIP):
        bad = failed[begin : begin + STRIP]
        seen, many, total = (_window(r, begin - lead, taps, bad) for r in (energy, count, logs))
        bad |= 0.5 * np.log2(np.maximum(seen, 2.0**-1022)) - total / np.maximum(many, 1) > room


def _spreads(x: NDArray[Any], w: NDArray[Any]) -> tuple[float, bool]:
    """Log2 C(w), and whether C(x)·C(w) is out of range; from the bits alone if they leave no doubt."""
    quick = [float(_measure(v).spread[0]) for v in (w, x)]
    if guard.SUBNORMAL * sum(quick) <= guard.RANGE:
        return quick[0], False
    spread = guard.spread(w)
    return spread, guard.spread(x) + spread > guard.RANGE


def _power(x: NDArray[Any]) -> NDArray[np.float64]:
    power = np.square(x.real, dtype=np.float64)
    return power + np.square(x.imag, dtype=np.float64) if x.dtype.kind == "c" else power


def _window(running: NDArray[Any], begin: int, taps: int, like: NDArray[Any]) -> NDArray[Any]:
    """Differences of running sums over `taps` places, from place begin on; those of one value may come as one."""
    return _at(running, begin + taps, len(like)) - _at(running, begin, len(like))


def _running(x: NDArray[Any]) -> NDArray[Any]:
    total = np.zeros(len(x) + 1, np.float64 if x.dtype.kind == "f" else np.int64)
    np.cumsum(x, out=total[1:])
    return total


def _at(running: NDArray[Any], begin: int, size: int) -> NDArray[Any]:
    """Elements begin … begin + size − 1, the first and the last one repeated beyond the ends."""
    if begin + size <= 1:
        return running[:1]
    if begin >= len(running) - 1:
        return running[-1:]
    if begin >= 0 and begin + size <= len(running):
        return running[begin : begin + size]
    return running.take(np.arange(begin, begin + size), mode="clip")


def _overlay(part: NDArray[Any], weights: NDArray[Any], lead: int, out: NDArray[Any]) -> None:
    line = np.zeros((1, len(out) + len(weights) - 1), part.dtype)
    line[0, lead : lead + len(part)] = part
    guard.overlay(line, weights[None, None], None, out[None])
