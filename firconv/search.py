"""The shortest FIR that meets a list of bands: designs of growing length, each measured."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from typing import Any

import numpy as np

from firconv.specification import Achieved, Band, evened, gauge_of, measured, rise
from firconv.systems import FIR

METHODS = ("equiripple", "least-squares", "window")
#: Longest filter that the search tries; remez loses its footing somewhere beyond.
LONGEST = 8191
#: Largest gain between the bands, in units of the largest that is asked for.
OVERSHOOT = 1.5


def design(kind: str, bands: list[Band], fs: float, *, odd_symmetry: float = 0.0, method: str = "equiripple",
            taps: int | None = None, parity: str = "any", window: Any = None, longest: int = LONGEST) -> FIR:
    """The shortest design that meets the bands, or the one of `taps` taps if that does."""
    if method not in METHODS:
        raise ValueError(f"{kind}(…, method={method!r}): use one of {', '.join(METHODS)}")
    parities = {"any": (1, 0), "odd": (1,), "even": (0,)}.get(parity)
    if parities is None:
        raise ValueError(f"{kind}(…, parity={parity!r}): use 'any', 'odd' or 'even'")
    if taps is not None and (not isinstance(taps, (int, np.integer)) or taps < 3):
        raise ValueError(f"{kind}(…, taps={taps!r}): give an integer of at least 3")
    if method == "window" and window is not None:
        _check_window(kind, window)
    search = _Search(kind, bands, fs, odd_symmetry, method, window)
    if taps is not None:
        possible = search.possible((taps % 2,))
        return search.accept(search.attempt(int(taps))) if possible else search.refuse(taps % 2)
    possible = search.possible(parities)
    found = [fir for p in possible if (fir := search.shortest(p, longest)) is not None]
    if not possible:
        search.refuse(parities[0])
    return search.accept(min(found, key=lambda fir: fir.taps.size) if found else None)


class _Search:
    """Designs of growing length for one specification; remembers the best one for the error message."""

    def __init__(self, kind: str, bands: list[Band], fs: float, odd_symmetry: float, method: str, window: Any):
        self.kind, self.bands, self.fs, self.odd = kind, bands, fs, odd_symmetry
        self.method, self.window = method, window
        self.tried: dict[int, FIR | None] = {}
        self.trouble = ""

    def possible(self, parities: tuple[int, ...]) -> tuple[int, ...]:
        """Parities whose forced zeros (type II at fs/2; III at 0 and fs/2; IV at 0) are not where gain is wanted."""
        top = self.bands[-1]
        at_top = top.hi >= self.fs / 2 and top.gain[1] != 0
        even = not at_top if not self.odd else True
        if self.method == "least-squares" and not self.odd:
            even = False  # firls designs type I only
        return tuple(p for p in parities if (p == 1 and not (self.odd and at_top)) or (p == 0 and even))

    def refuse(self, parity: int) -> FIR:
        odd = "odd" if parity else "even"
        raise ValueError(f"{self.kind}: no filter of {odd} length can do this by {self.method!r} (symmetry forces a "
                         "zero at fs/2, or firls takes odd lengths only); ask for the other parity, a lower edge, or "
                         "another method")

    def attempt(self, k: int) -> FIR | None:
        """The design of k taps, measured; None if it failed."""
        if k not in self.tried:
            try:
                fir = self._calm(k)
                gauge = gauge_of(fir, self.odd)
                bands = tuple(measured(fir, b, gauge) for b in self.bands)
                report = Achieved(self.kind, self.method, k, (k - 1) / 2 - (k - 1) // 2, bands, len(self.tried) + 1)
                self.tried[k] = replace(fir, report=report)
            except (ValueError, RuntimeError, np.linalg.LinAlgError) as error:
                self.trouble, self.tried[k] = str(error).splitlines()[0], None
        return self.tried[k]

    def _calm(self, k: int) -> FIR:
        """The design; where it rises between the bands, that with all gaps as narrow as the narrowest.

        What lies between the bands is free. Equiripple and least-squares designs use that in a gap much wider than
        another: the gain there may be thousands.
        """
        fir = self._once(k)
        if rise(fir, self.bands) > OVERSHOOT:
            other = copy(self)
            other.bands = evened(self.bands, self.fs, bool(self.odd), k)
            fir = other._once(k)
        if (peak := rise(fir, self.bands)) > OVERSHOOT:
            raise ValueError(f"between the bands the gain rises to {peak:.3g} times the largest asked for")
        return fir

    def _once(self, k: int) -> FIR:
        taps = _antisymmetric(self, k) if self.odd else _symmetric(self, k)
        taps = (taps - taps[::-1] if self.odd else taps + taps[::-1]) / 2  # to the last bit: exact linear phase
        return FIR(taps, (k - 1) // 2, self.fs)

    def margin(self, k: int) -> float:
        """Margin of the design of k taps in dB, −inf if it failed."""
        fir = self.attempt(k)
        return -np.inf if fir is None else fir.report.margin_db

    def shortest(self, parity: int, longest: int) -> FIR | None:
        """Secant steps on the margin, which grows by 14.6 dB per unit of length × transition, until neighbours differ.

        The margin of windowed and least-squares designs is not quite monotone: a few lengths below are tried as well.
        """
        def fit(k: float) -> int:
            return max(int(k) // 2 * 2 + parity, 4 - parity)

        last = fit(longest - 1)
        k, low, high, failures, count = min(fit(self._estimate()), last), fit(0) - 2, 0, 0, 0
        while not high or high - low > 2:
            margin, count = self.margin(k), count + 1
            if margin >= 0:
                high = k
            else:
                low, failures = k, failures + 1 if np.isinf(margin) else 0
                if low >= last or failures > 4:
                    return None
            k = fit(self._next(k, margin, low, high, count))
            k = min(max(k, low + 2), high - 2 if high else last)
        if self.method != "equiripple":
            high = next((k for k in range(max(high - 8, fit(0)), high, 2) if self.margin(k) >= 0), high)
        return self.attempt(high)

    def _next(self, k: int, margin: float, low: int, high: int, count: int) -> float:
        if high and count > 6:  # the secant does not close in: halve
            return (low + high) / 2
        step = abs(margin) / (14.6 * self._width()) if np.isfinite(margin) else 0.1 * k
        step = min(max(step, 2 if count < 4 else 0.1 * k), 0.5 * k + 2)
        return k - step if margin >= 0 else k + step

    def _width(self) -> float:
        """The narrowest transition, as a part of fs."""
        gaps = [b.lo - a.hi for a, b in zip(self.bands, self.bands[1:], strict=False)]
        if self.odd:
            gaps += [2 * self.bands[0].lo, self.fs - 2 * self.bands[-1].hi]
        return min((g for g in gaps if g > 0), default=self.fs / 10) / self.fs

    def _estimate(self) -> float:
        deltas = [b.deviation / (b.unit if b.stop or b.relative else max(map(abs, b.gain))) for b in self.bands]
        equiripple = self.method == "equiripple"
        delta = float(np.exp(np.mean(np.log(deltas)))) if equiripple else min(deltas)
        return (-20 * np.log10(delta) - (13 if equiripple else 8)) / (14.6 * self._width()) + 1

    def accept(self, fir: FIR | None) -> FIR:
        """The filter if it meets the specification; else RuntimeError with what was reached."""
        if fir is not None and fir.report.meets:
            return fir
        best = max((f for f in self.tried.values() if f is not None), key=lambda f: f.report.margin_db, default=None)
        if best is None:
            raise RuntimeError(f"{self.kind}(…, method={self.method!r}) did not converge at {max(self.tried)} taps: "
                               f"{self.trouble}; widen a transition, lower the attenuation, or use another method")
        raise RuntimeError(f"{self.kind}(…, method={self.method!r}) missed the specification; the best of "
                           f"{len(self.tried)} lengths reached\n{best.report}\nwiden a transition, relax a band, or "
                           "allow more taps")


# ---- one design --------------------------------------------------------------------------------------------------

def _symmetric(search: _Search, k: int) -> np.ndarray:
    from scipy import signal

    bands, fs = search.bands, search.fs
    edges = [e for b in bands for e in (b.lo, b.hi)]
    if search.method == "equiripple":
        weight = [1 / b.deviation for b in bands]
        return signal.remez(k, edges, [b.gain[0] for b in bands], weight=_scaled(weight), fs=fs, maxiter=100)
    if search.method == "least-squares":
        weight = [1 / b.deviation**2 for b in bands]
        return signal.firls(k, edges, [g for b in bands for g in b.gain], weight=_scaled(weight), fs=fs)
    delta = min(b.deviation for b in bands)
    window = _window(search.window, delta)
    middles = [(a.hi + b.lo) / 2 for a, b in zip(bands, bands[1:], strict=False)]
    if all(b.gain[0] == b.gain[1] for b in bands):  # a sum of low-passes, one per step of gain between two bands
        taps = bands[-1].gain[1] * np.eye(1, k, (k - 1) // 2)[0]
        for edge, left, right in zip(middles, bands, bands[1:], strict=False):
            taps += (left.gain[1] - right.gain[0]) * signal.firwin(k, edge, window=window, scale=False, fs=fs)
        return taps
    grid = np.linspace(0, fs / 2, 1 << int(np.ceil(np.log2(max(16 * k, 4096)))) | 1)
    points = [(0.0, bands[0].gain[0])] * (bands[0].lo > 0)
    points += [(e, g) for b in bands for e, g in zip((b.lo, b.hi), b.gain, strict=True)]
    at, gains = zip(*points, strict=True)
    gain = np.interp(grid, at, gains)
    if k % 2 == 0:
        gain[-1] = 0.0
    return signal.firwin2(k, grid, gain, window=window, nfreqs=len(grid), fs=fs)


def _antisymmetric(search: _Search, k: int) -> np.ndarray:
    """Hilbert transformer or differentiator, A = odd·gain."""
    from scipy import signal

    bands, fs, slope = search.bands, search.fs, search.bands[0].relative
    if search.method == "window":
        # a ripple of the window that is harmless elsewhere is a large part of 2πf near f = 0: 30 dB more
        delta = min(b.deviation * (0.03 if b.relative else 1.0) / b.unit for b in bands)
        return search.odd * _ideal(search, k) * signal.get_window(_window(search.window, delta), k, fftbins=False)
    if search.method == "least-squares":
        return search.odd * _least_squares(search, k)
    edges = [e for b in bands for e in (b.lo, b.hi)]
    if not slope:
        return search.odd * signal.remez(k, edges, [1], type="hilbert", fs=fs, maxiter=100)
    # remez: gain f/fs, weighted by fs/f where it is not zero; ours is 2πf
    scale = 2 * np.pi * fs
    weight = [1 / b.deviation if b.relative else scale / b.deviation for b in bands]
    desired = [0 if b.stop else 1 for b in bands]
    taps = signal.remez(k, edges, desired, weight=_scaled(weight), type="differentiator", fs=fs, maxiter=100)
    return search.odd * scale * taps


def _ideal(search: _Search, k: int) -> np.ndarray:
    """The ideal response +j, or 2πjf up to the middle of the transition, sampled about the centre of k taps."""
    bands, t = search.bands, np.arange(k) - (k - 1) / 2
    at = np.where(t == 0, 1.0, t)
    if not bands[0].relative:
        return np.where(t == 0, 0.0, (np.cos(np.pi * at) - 1) / (np.pi * at))
    cut = (bands[0].hi + bands[1].lo) / 2 if len(bands) > 1 else search.fs / 2
    w = 2 * np.pi * cut / search.fs
    return search.fs * np.where(t == 0, 0.0, w * np.cos(w * at) / (np.pi * at) - np.sin(w * at) / (np.pi * at**2))


def _least_squares(search: _Search, k: int) -> np.ndarray:
    """Weighted least squares on a grid, A = 2·Σ b[n]·sin(ω·n), n = half, 3/2, … or 1, 2, …"""
    n = np.arange(k // 2) + (1.0 if k % 2 else 0.5)
    rows, wanted = [], []
    for b in search.bands:
        f = np.linspace(b.lo, b.hi, max(16, int(8 * k * (b.hi - b.lo) / search.fs)) + 1)[1 if b.relative else 0:]
        gain = np.interp(f, (b.lo, b.hi), b.gain)
        weight = 1 / (b.deviation * (gain if b.relative else 1.0)) * np.ones(f.size)
        rows.append(2 * np.sin(2 * np.pi / search.fs * np.multiply.outer(f, n)) * weight[:, None])
        wanted.append(gain * weight)
    half = np.linalg.lstsq(np.concatenate(rows), np.concatenate(wanted), rcond=None)[0]
    return np.concatenate([half[::-1], [0.0] * (k % 2), -half])


def _scaled(weight: list[float]) -> list[float]:
    """Weights as remez likes them: the smallest one is 1."""
    return [w / min(weight) for w in weight]


def _check_window(kind: str, window: Any) -> None:
    from scipy.signal import get_window

    try:
        get_window(window, 8)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{kind}(…, window={window!r}): scipy.signal.get_window refuses it: {error}") from error


def _window(window: Any, delta: float) -> Any:
    if window is not None:
        return window
    from scipy.signal import kaiser_beta

    return ("kaiser", float(kaiser_beta(-20 * np.log10(delta))))
