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
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from firconv.kernels import guard
from firconv.kernels.guard import Parallel, Transform

WIDE = 64  # columns transformed at once
TALL = 16  # rows transformed at once
STRIP = 1 << 16  # samples measured and outputs judged at once
PIECE = 1 << 6  # samples between running sums that are kept
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
    peaks, spreads = _measure((part.astype(out.dtype, copy=False), weights), parallel)
    clean, broken = part, not math.isfinite(peaks[0])
    if broken:
        clean = np.where(np.isfinite(part), part, 0).astype(out.dtype)
        peaks = max(float(np.abs(clean.real).max()), float(np.abs(clean.imag).max())), peaks[1]
    given = clean  # before scaling, under which small samples next to very large ones vanish
    bend = _exponent(peaks[0]), _exponent(peaks[1])
    clean, taps = _ldexp(clean, -bend[0]), _ldexp(weights, -bend[1])
    if broken or any(bend):
        spreads = _measure((clean, taps), parallel)[1]
    points = max(lead + len(clean), len(out) + len(weights) - 1 - lead, 1 << 12)
    line = None if own is None else own(points, out.dtype)
    if line is not None:
        line(clean, taps, lead, out, parallel)
    elif points < FOUR:  # 5-smooth, as the guard's proof wants
        _at_once(clean, taps, lead, out, scipy.fft.next_fast_len(points, real=True))
    else:
        _transform(clean, taps, lead, out, shape_for(points), parallel)
    if any(bend):
        with np.errstate(over="ignore", under="ignore"):
            out[...] = _ldexp(out, sum(bend))
    unsure = None if tau is None else _judge(clean, given, taps, lead, out, tau, points, spreads, parallel)
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
        spectrum = scipy.fft.fft(line, overwrite_x=True) * np.conj(scipy.fft.fft(np.conj(w), points))
        out[...] = scipy.fft.ifft(spectrum, overwrite_x=True)[: len(out)]
        return
    product, taps = scipy.fft.rfft(line), scipy.fft.rfft(w, points)
    product *= np.conj(taps, out=taps)
    out[...] = scipy.fft.irfft(product, points, overwrite_x=True)[: len(out)]


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
    forward, inverse = (scipy.fft.rfft, scipy.fft.irfft) if real else (scipy.fft.fft, scipy.fft.ifft)

    def down(item: tuple[int, int]) -> None:
        which, left = item
        chosen = slice(left, left + WIDE)
        column = forward(matrices[which][:, chosen], rows, axis=0)
        column *= base[left // WIDE][:, None]
        np.multiply(column, step, out=spectra[which][:, chosen])

    def along(top: int) -> None:
        chosen = slice(top, top + TALL)
        signal, taps = scipy.fft.fft(spectra[0][chosen], axis=1), scipy.fft.fft(spectra[1][chosen], axis=1)
        signal *= np.conj(taps, out=taps)
        spectra[0][chosen] = scipy.fft.ifft(signal, axis=1, norm="forward", overwrite_x=True)

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


def _measure(lines: tuple[NDArray[Any], ...], parallel: Parallel) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Largest magnitude of each line, Inf if any is not finite, and a bound of its log2 C up to `guard.SUBNORMAL`."""
    pieces = [range(0, len(line), STRIP) for line in lines]
    peaks, means = ([np.zeros(len(p)) for p in pieces] for _ in range(2))

    def piece(item: tuple[int, int]) -> None:
        line, begin = item
        x = lines[line][begin : begin + STRIP]
        found = guard.survey(x[None, None], (len(x),), (1,))
        peak = peaks[line][begin // STRIP] = found.peak[0]
        means[line][begin // STRIP] = math.log2(peak) - found.spread[0] if 0 < peak < math.inf else math.inf

    parallel(piece, [(line, begin) for line, starts in enumerate(pieces) for begin in starts])
    tops = tuple(float(p.max()) for p in peaks)
    ranges = (math.log2(top) - m.min() if 0 < top < math.inf else 0.0 for top, m in zip(tops, means, strict=True))
    return tops, tuple(float(r) for r in ranges)


def _judge(
    x: NDArray[Any],
    given: NDArray[Any],
    w: NDArray[Any],
    lead: int,
    out: NDArray[Any],
    tau: float,
    points: int,
    spreads: tuple[float, ...],
    parallel: Parallel,
) -> NDArray[np.bool_] | None:
    """Compare S[n] of every output with the guard's threshold, from running sums whose rounding is allowed for.

    Squares of small samples vanish next to large ones, so what is silent is read from the samples as `given`.
    """
    factor = guard.factor(out.dtype, math.log2(points) + 2, tau)
    energy = _running(lambda part: _power(x[part]), len(x), parallel)
    rounding = 2.0**-52 * len(x) * energy.known[-1]
    need = 1.001 * factor**2 * energy.known[-1] + rounding
    failed, empty = np.zeros((2, len(out)), bool)
    close = _close(energy, need, lead, len(w), len(out))

    def strip(here: slice) -> None:
        seen = energy.window(here, lead, len(w))
        np.less(seen, need, out=failed[here])
        np.less_equal(seen, rounding, out=empty[here])

    parallel(strip, close)
    spread, wild = _spreads(x, w, spreads)
    if wild:
        _mark_wild(x, lead, len(w), guard.RANGE - spread, failed, parallel)
    if empty.any():
        count = _running(lambda part: given[part] != 0, len(x), parallel)
        for here in close:
            silent = np.broadcast_to(count.window(here, lead, len(w)) == 0, failed[here].shape)
            out[here][silent] = 0
            failed[here] &= ~silent
    return failed if failed.any() else None


def _close(energy: _Running, need: float, lead: int, taps: int, size: int) -> list[slice]:
    """Strips of outputs that a closer look has to be taken at: not every S[n]² of whole pieces reaches `need`."""
    begin = np.arange(0, size, PIECE) - lead
    lo, hi = -(-(begin + PIECE - 1) // PIECE), (begin + taps) // PIECE
    whole = len(energy.known) - 1
    least = energy.known[hi.clip(0, whole)] - energy.known[lo.clip(0, whole)]
    unclear = np.concatenate(([False], (least < need) | (least <= 0), [False]))
    ends = np.flatnonzero(unclear[1:] != unclear[:-1]).reshape(-1, 2) * PIECE
    return [slice(n, min(n + STRIP, last, size)) for first, last in ends.tolist() for n in range(first, last, STRIP)]


def _mark_wild(
    x: NDArray[Any], lead: int, taps: int, room: float, failed: NDArray[np.bool_], parallel: Parallel
) -> None:
    """Mark outputs whose samples range too widely: log2 of S[n] over their geometric mean, at least C, above `room`."""
    size = np.abs(x).astype(np.float64)
    kinds = (_power(x), size != 0, np.log2(np.where(size > 0, size, 1)))
    energy, count, logs = (_running(values.__getitem__, len(x), parallel) for values in kinds)
    for begin in range(0, len(failed), STRIP):
        here = slice(begin, min(begin + STRIP, len(failed)))
        seen, many, total = (r.window(here, lead, taps) for r in (energy, count, logs))
        failed[here] |= 0.5 * np.log2(np.maximum(seen, 2.0**-1022)) - total / np.maximum(many, 1) > room


def _spreads(x: NDArray[Any], w: NDArray[Any], quick: tuple[float, ...]) -> tuple[float, bool]:
    """Log2 C(w), and whether C(x)·C(w) is out of range; from the bits alone if they leave no doubt."""
    if guard.SUBNORMAL * sum(quick) <= guard.RANGE:
        return quick[1], False
    spread = guard.spread(w)
    return spread, guard.spread(x) + spread > guard.RANGE


def _power(x: NDArray[Any]) -> NDArray[np.float64]:
    power = np.square(x.real, dtype=np.float64)
    return power + np.square(x.imag, dtype=np.float64) if x.dtype.kind == "c" else power


@dataclass(frozen=True, slots=True)
class _Running:
    """Running sums of `values` of `size` samples, known at every `PIECE`-th of them and behind the last."""

    values: Callable[[slice], NDArray[Any]]
    size: int
    known: NDArray[Any]

    def window(self, outputs: slice, lead: int, taps: int) -> NDArray[Any]:
        """Sums over the taps of some outputs, of which number `lead` begins at sample 0; one value may come as one."""
        begin, count = outputs.start - lead, outputs.stop - outputs.start
        return self._at(begin + taps, count) - self._at(begin, count)

    def _at(self, begin: int, count: int) -> NDArray[Any]:
        """Sums of the first begin … begin + count − 1 samples, none or all beyond the ends."""
        lo, hi = (min(max(n, 0), self.size) for n in (begin, begin + count - 1))
        piece = lo // PIECE if lo < self.size else len(self.known) - 1
        sums = np.empty(1 + max(0, hi - piece * PIECE), self.known.dtype)
        sums[0] = 0
        np.cumsum(self.values(slice(piece * PIECE, hi)), out=sums[1:])
        sums += self.known[piece]
        if lo == hi:
            return sums[-1:]
        return np.pad(sums[lo - piece * PIECE :], (lo - begin, begin + count - 1 - hi), "edge")


def _running(values: Callable[[slice], NDArray[Any]], size: int, parallel: Parallel) -> _Running:
    """Running sums in float64, or in int64 for values that are not floating."""
    known = np.zeros(1 - (-size // PIECE), np.float64 if values(slice(0)).dtype.kind == "f" else np.int64)

    def strip(begin: int) -> None:
        part = values(slice(begin, min(begin + STRIP, size)))
        at = np.arange(0, len(part), PIECE)
        np.add.reduceat(part, at, dtype=known.dtype, out=known[1 + begin // PIECE :][: len(at)])

    parallel(strip, range(0, size, STRIP))
    np.cumsum(known, out=known)
    return _Running(values, size, known)


def _overlay(part: NDArray[Any], weights: NDArray[Any], lead: int, out: NDArray[Any]) -> None:
    line = np.zeros((1, len(out) + len(weights) - 1), part.dtype)
    line[0, lead : lead + len(part)] = part
    guard.overlay(line, weights[None, None], None, out[None])
