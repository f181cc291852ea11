"""A specification as bands, and what a filter reaches in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from firconv.response import amplitude_response, magnitude_db
from firconv.systems import FIR

Gauge = Callable[..., tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Band:
    """One band of a specification and what was reached there.

    Attributes
    ----------
    lo, hi : edges, in the unit of fs
    gain : desired gain at the two edges, linear between
    deviation : largest |A − gain| allowed; relative to the gain if `relative`
    unit : the gain that attenuation is counted from
    reached : largest deviation measured, None before
    lowest, highest : of |A| / gain in a pass band, of |A| in a stop band
    """

    lo: float
    hi: float
    gain: tuple[float, float]
    deviation: float
    relative: bool = False
    unit: float = 1.0
    reached: float | None = None
    lowest: float | None = None
    highest: float | None = None

    @property
    def stop(self) -> bool:
        """True where the desired gain is zero."""
        return self.gain == (0.0, 0.0)

    @property
    def ripple_db(self) -> float:
        """20·log₁₀ of highest to lowest gain relative to the desired one (pass bands)."""
        return float(20 * np.log10(self.highest / self.lowest)) if self.lowest and self.highest else float("inf")

    @property
    def atten_db(self) -> float:
        """−20·log₁₀ of the highest gain over `unit` (stop bands)."""
        return float(-20 * np.log10(self.highest / self.unit)) if self.highest else float("inf")

    @property
    def margin_db(self) -> float:
        """20·log₁₀(allowed deviation / reached): negative where the specification is missed."""
        return float(20 * np.log10(self.deviation / self.reached)) if self.reached else float("inf")

    def __str__(self) -> str:
        where = f"{self.lo:g} … {self.hi:g}"
        if self.stop:
            asked, got = f"≥ {-20 * np.log10(self.deviation / self.unit):.2f} dB down", f"{self.atten_db:.2f} dB"
        elif self.gain[0] == self.gain[1] or self.relative:
            asked, got = f"ripple ≤ {_ripple(self.deviation / self._scale):.4g} dB", f"{self.ripple_db:.4g} dB"
        else:
            asked, got = f"|A − D| ≤ {self.deviation:.3g}", f"{self.reached:.3g}"
        return f"  {where:<18} {asked:<24} {got:<14} {self.margin_db:+.2f} dB"

    @property
    def _scale(self) -> float:
        return 1.0 if self.relative else abs(self.gain[0]) or 1.0


@dataclass(frozen=True)
class Achieved:
    """The specification of a designed filter and how well it is met; ``fir.report``, printed with the filter.

    Attributes
    ----------
    kind, method : of filter and design
    taps : length
    delay : left by the origin, samples; None for minimum phase
    bands : with what was reached
    tried : lengths that were designed before this one
    """

    kind: str
    method: str
    taps: int
    delay: float | None
    bands: tuple[Band, ...]
    tried: int = field(default=1, compare=False)

    @property
    def ripple_db(self) -> float:
        """Largest ripple of the pass bands, highest to lowest gain."""
        return max((b.ripple_db for b in self.bands if not b.stop), default=0.0)

    @property
    def atten_db(self) -> float:
        """Smallest attenuation of the stop bands."""
        return min((b.atten_db for b in self.bands if b.stop), default=float("inf"))

    @property
    def margin_db(self) -> float:
        """Smallest margin of any band: what the deviation could still grow by."""
        return min(b.margin_db for b in self.bands)

    @property
    def meets(self) -> bool:
        """True if no band exceeds its deviation."""
        return self.margin_db >= 0

    def __str__(self) -> str:
        delay = "minimum phase" if self.delay is None else f"delay {self.delay:g} samples"
        verdict = "meets" if self.meets else "MISSES"
        head = f"{self.kind}, {self.method}, {self.taps} taps, {delay}: {verdict} the specification"
        title = f"  {'band':<18} {'asked':<24} {'achieved':<14} margin"
        return "\n".join([head, title, *map(str, self.bands)])


def _ripple(delta: float) -> float:
    return float(20 * np.log10((1 + delta) / (1 - delta))) if delta < 1 else float("inf")


def ripple_to_deviation(ripple_db: float, name: str = "design") -> float:
    if not ripple_db > 0:
        raise ValueError(f"{name}(…, ripple_db={ripple_db!r}): the ripple is positive, in dB from lowest to highest "
                         "gain")
    g = 10 ** (ripple_db / 20)
    return (g - 1) / (g + 1)


# ---- measuring ---------------------------------------------------------------------------------------------------

def magnitude(fir: FIR, lo: float, hi: float, n: int) -> tuple[np.ndarray, np.ndarray]:
    f, db = magnitude_db(fir, band=(lo, hi), n=n)
    return f, 10 ** (db / 20)


def gauge_of(fir: FIR, odd: float) -> Gauge:
    """The signed amplitude, positive where the design wants it, of taps symmetric to rounding."""
    mirror = np.flip(fir.taps)
    exact = FIR((fir.taps - mirror if odd else fir.taps + mirror) / 2, fir.origin, fir.fs)
    if not exact.taps.any():
        raise ValueError("all taps are zero")

    def gauge(_: FIR, lo: float, hi: float, n: int) -> tuple[np.ndarray, np.ndarray]:
        f, amplitude = amplitude_response(exact, band=(lo, hi), n=n)
        return f, amplitude * (odd or 1.0)

    return gauge


def measured(fir: FIR, band: Band, gauge: Gauge) -> Band:
    """The band with its largest deviation, on 32 points a lobe and at parabolas through the extremes between them."""
    n = max(64, int(32 * fir.taps.size * (band.hi - band.lo) / fir.fs)) + 1
    lo = 1e-4 * band.hi if band.relative and band.lo == 0 else band.lo  # 0/0 at f = 0
    f, a = gauge(fir, lo, band.hi, n)
    gain = np.interp(f, (band.lo, band.hi), band.gain)
    error = a - gain
    if band.relative:
        error = error / gain
    low, high = _extremes(error)
    reached = max(abs(low), abs(high))
    if band.stop:
        return replace(band, reached=reached, lowest=0.0, highest=reached)
    scale = 1.0 if band.relative else max(abs(band.gain[0]), 1e-300)
    return replace(band, reached=reached, lowest=max(1 + low / scale, 0.0), highest=1 + high / scale)


def _extremes(e: np.ndarray) -> tuple[float, float]:
    """Smallest and largest value, between samples too."""
    left, middle, right = e[:-2], e[1:-1], e[2:]
    bend = left - 2 * middle + right
    turns = (middle - left) * (right - middle) <= 0
    turns &= bend != 0
    peaks = middle[turns] - (right - left)[turns] ** 2 / (8 * bend[turns])
    every = np.concatenate([e, peaks])
    return float(every.min()), float(every.max())


def rise(fir: FIR, bands: list[Band]) -> float:
    """The largest |H| between and beside the bands, in units of the largest gain that they ask for."""
    ends = [0.0, *(e for b in bands for e in (b.lo, b.hi)), fir.fs / 2]
    asked = max(max(map(abs, b.gain)) + (0.0 if b.relative else b.deviation) for b in bands)
    gaps = [(lo, hi) for lo, hi in zip(ends[::2], ends[1::2], strict=True) if lo < hi]
    return max((float(magnitude(fir, *gap, 8 * fir.taps.size)[1].max()) for gap in gaps), default=0.0) / asked


def evened(bands: list[Band], fs: float, odd: bool, taps: int) -> list[Band]:
    """Bands of constant gain, widened until no gap is wider than the narrowest; stop bands first."""
    bands = list(bands)
    if odd and not bands[0].relative:  # Hilbert: zeros at 0 and, for odd lengths, fs/2 stand in gaps
        b = bands[0]
        gap = min(b.lo, fs / 2 - b.hi) if taps % 2 else b.lo
        return [replace(b, lo=gap, hi=fs / 2 - gap * (taps % 2))]
    gaps = [b.lo - a.hi for a, b in zip(bands, bands[1:], strict=False)]
    for i, gap in enumerate(gaps):
        flat = [j for j in (i, i + 1) if bands[j].gain[0] == bands[j].gain[1]]
        if flat and gap > min(gaps):
            j = min(flat, key=lambda j: not bands[j].stop)
            b, more = bands[j], gap - min(gaps)
            bands[j] = replace(b, hi=b.hi + more) if j == i else replace(b, lo=b.lo - more)
    return bands
