"""FIR filters designed to a specification, of the shortest length that meets it; what was achieved comes with the filter.

A specification is a list of bands with a desired gain and the largest deviation from it. scipy.signal does the arithmetic
("equiripple": remez, "least-squares": firls, "window": firwin with Kaiser's or any window); this module finds the length,
measures the result between the grid points too, and raises where the result misses. Filters come centred, origin
(K − 1)//2, so that "same" has no delay, or half a sample of it for even lengths. Edges are in the unit of `fs`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from firconv.design2d import frequency_sampling_2d, frequency_transformation, separable, window_2d
from firconv.response import amplitude_response, linear_phase, magnitude_db
from firconv.systems import FIR

__all__ = ["Achieved", "Band", "arbitrary", "bandpass", "bandstop", "differentiator", "frequency_sampling_2d",
           "frequency_transformation", "highpass", "hilbert", "lowpass", "minimum_phase", "separable", "window_2d"]

METHODS = ("equiripple", "least-squares", "window")
#: Longest filter that the search tries; remez loses its footing somewhere beyond.
LONGEST = 8191


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
        return float(20 * np.log10(self.highest / self.lowest)) if self.lowest else float("inf")

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
        head = f"{self.kind}, {self.method}, {self.taps} taps, {delay}: {'meets' if self.meets else 'MISSES'} the specification"
        title = f"  {'band':<18} {'asked':<24} {'achieved':<14} margin"
        return "\n".join([head, title, *map(str, self.bands)])


# ---- the usual filters -------------------------------------------------------------------------------------------

def lowpass(pass_edge: float, stop_edge: float, ripple_db: float = 0.1, atten_db: float = 60.0, fs: float = 1.0,
            **how: Any) -> FIR:
    """The shortest low-pass that is flat to `ripple_db` up to `pass_edge` and `atten_db` down from `stop_edge` on.

    Parameters
    ----------
    ripple_db : highest to lowest gain in the pass band: 1 ± δ with 20·log₁₀((1 + δ)/(1 − δ)) = ripple_db
    atten_db : 20·log₁₀(1/δ) in the stop band
    method : {"equiripple", "least-squares", "window"}
    taps : int, optional
        This length instead of the shortest.
    parity : {"any", "odd", "even"}
        Odd lengths delay by whole samples, so that the centred filter has none.
    window : str or tuple, optional
        For "window": any of `scipy.signal.get_window` instead of Kaiser's.
    longest : int
        Where the search ends, default 8191.

    Returns
    -------
    FIR
        With an `Achieved` in ``.report``; ``print(fir)`` shows it.

    Raises
    ------
    ValueError
        Edges out of order or beyond fs/2, ripple or attenuation not positive, an unknown method.
    RuntimeError
        The specification was missed or the design did not converge; the message says what was reached.

    Examples
    --------
    >>> fir = lowpass(3000, 3400, 0.1, 60, fs=44100)
    >>> fir.shape, fir.report.meets, fir.report.atten_db >= 60
    ((297,), True, True)
    >>> print(lowpass(0.1, 0.2, 0.5, 40, parity="odd").report)
    lowpass, equiripple, 19 taps, delay 0 samples: meets the specification
      band               asked                    achieved       margin
      0 … 0.1            ripple ≤ 0.5 dB          0.4479 dB      +0.95 dB
      0.2 … 0.5          ≥ 40.00 dB down          40.95 dB       +0.95 dB
    """
    p, s = _edges("lowpass", fs, pass_edge, stop_edge)
    return _design("lowpass", [_pass(0.0, p, ripple_db), _stop(s, fs / 2, atten_db)], fs, **how)


def highpass(pass_edge: float, stop_edge: float, ripple_db: float = 0.1, atten_db: float = 60.0, fs: float = 1.0,
             **how: Any) -> FIR:
    """The shortest high-pass; `stop_edge` lies below `pass_edge`, everything else is as in `lowpass`. Odd lengths only.

    Examples
    --------
    >>> highpass(0.3, 0.2, 0.5, 40).report.meets
    True
    """
    s, p = _edges("highpass", fs, stop_edge, pass_edge)
    return _design("highpass", [_stop(0.0, s, atten_db), _pass(p, fs / 2, ripple_db)], fs, **how)


def bandpass(pass_edges: tuple[float, float], stop_edges: tuple[float, float], ripple_db: float = 0.1,
             atten_db: float = 60.0, fs: float = 1.0, **how: Any) -> FIR:
    """The shortest band-pass, flat between `pass_edges`, down outside `stop_edges`, which enclose them; see `lowpass`.

    Examples
    --------
    >>> bandpass((0.2, 0.3), (0.1, 0.4), 0.5, 40).report.meets
    True
    """
    (p1, p2), (s1, s2) = _pair("bandpass", pass_edges), _pair("bandpass", stop_edges)
    s1, p1, p2, s2 = _edges("bandpass", fs, s1, p1, p2, s2)
    return _design("bandpass", [_stop(0.0, s1, atten_db), _pass(p1, p2, ripple_db), _stop(s2, fs / 2, atten_db)], fs, **how)


def bandstop(pass_edges: tuple[float, float], stop_edges: tuple[float, float], ripple_db: float = 0.1,
             atten_db: float = 60.0, fs: float = 1.0, **how: Any) -> FIR:
    """The shortest band-stop, down between `stop_edges`, flat outside `pass_edges`, which enclose them. Odd lengths only.

    Examples
    --------
    >>> bandstop((0.1, 0.4), (0.2, 0.3), 0.5, 40).report.meets
    True
    """
    (p1, p2), (s1, s2) = _pair("bandstop", pass_edges), _pair("bandstop", stop_edges)
    p1, s1, s2, p2 = _edges("bandstop", fs, p1, s1, s2, p2)
    return _design("bandstop", [_pass(0.0, p1, ripple_db), _stop(s1, s2, atten_db), _pass(p2, fs / 2, ripple_db)], fs, **how)


def hilbert(low: float, high: float, ripple_db: float = 0.1, fs: float = 1.0, **how: Any) -> FIR:
    """The shortest Hilbert transformer, H = −j for positive frequencies, of gain one within `ripple_db` from `low` to `high`.

    Odd lengths (the default) need high < fs/2 and have whole delays; even ones may go up to fs/2.

    Examples
    --------
    >>> fir = hilbert(0.05, 0.45)
    >>> bool(abs(fir(np.cos(0.2 * np.pi * np.arange(99)))[50] - np.sin(0.2 * np.pi * 50)) < 0.02)
    True
    """
    low, high = _edges("hilbert", fs, low, high)
    return _design("hilbert", [_pass(low, high, ripple_db)], fs, odd_symmetry=-1.0, **{"parity": "odd", **how})


def differentiator(pass_edge: float, stop_edge: float | None = None, ripple_db: float = 0.1, atten_db: float = 60.0,
                   fs: float = 1.0, **how: Any) -> FIR:
    """The shortest differentiator, H = 2πj·f up to `pass_edge`, the derivative per unit of time 1/[fs].

    The error is relative to 2πf: `ripple_db` as for a gain of one. From `stop_edge` on, if given, it is `atten_db` below the
    gain at `pass_edge`. Odd lengths (the default) need pass_edge < fs/2; even ones differentiate between the samples.

    Examples
    --------
    >>> fir = differentiator(0.4, ripple_db=0.05)
    >>> slope = fir(np.sin(0.3 * np.arange(99)), "valid")
    >>> fir.report.meets and float(abs(slope).max().round(2)) == 0.3
    True
    """
    edges = _edges("differentiator", fs, pass_edge, *([] if stop_edge is None else [stop_edge]))
    top = 2 * np.pi * edges[0]
    delta = _delta(ripple_db, "differentiator")
    bands = [Band(0.0, edges[0], (0.0, top), delta, relative=True)]
    if stop_edge is not None:
        bands.append(Band(edges[1], fs / 2, (0.0, 0.0), top * _stop(0, 1, atten_db).deviation, unit=top))
    return _design("differentiator", bands, fs, odd_symmetry=1.0, **{"parity": "odd", **how})


def arbitrary(edges: Any, gains: Any, deviation: Any, fs: float = 1.0, *, method: str = "least-squares", **how: Any) -> FIR:
    """The shortest filter whose gain follows straight lines in bands, within `deviation`.

    Parameters
    ----------
    edges : 2·m increasing frequencies
        Band i from edges[2i] to edges[2i + 1]; what lies between the bands is free.
    gains : 2·m numbers
        Desired gain at every edge, linear between.
    deviation : float or m floats
        Largest |A − D|, not in dB.
    method : {"least-squares", "window", "equiripple"}
        Equiripple takes bands of constant gain only.

    Examples
    --------
    >>> fir = arbitrary([0, 0.2, 0.25, 0.5], [1, 0.5, 0, 0], 0.01)
    >>> fir.report.meets, fir.report.bands[0].reached < 0.01
    (True, True)
    """
    edges, gains = np.asarray(edges, float), np.asarray(gains, float)
    if edges.ndim != 1 or edges.size % 2 or edges.size == 0 or gains.shape != edges.shape:
        raise ValueError(f"arbitrary(edges, gains, …): {edges.size} edges and {gains.size} gains; give two of each per band")
    _increasing("arbitrary", edges, fs)
    limits = np.broadcast_to(np.asarray(deviation, float), (edges.size // 2,))
    if not (limits > 0).all():
        raise ValueError(f"arbitrary(…, deviation={deviation!r}): give positive numbers, one or one per band")
    bands = [Band(float(lo), float(hi), (float(a), float(b)), float(d))
             for lo, hi, a, b, d in zip(edges[::2], edges[1::2], gains[::2], gains[1::2], limits, strict=True)]
    if method == "equiripple" and any(b.gain[0] != b.gain[1] for b in bands):
        raise ValueError("arbitrary(…, method='equiripple'): scipy's remez takes bands of constant gain; use 'least-squares' "
                         "or 'window' for slopes")
    return _design("arbitrary", bands, fs, method=method, **how)


def minimum_phase(fir: FIR, tol: float = 1e-4) -> FIR:
    """The causal filter of the same length and magnitude, |H_min| = |H|, with all its zeros inside or on the unit circle.

    By the cepstrum (`scipy.signal.minimum_phase`, half=False) on a grid so fine that zeros on the circle do little harm.
    A specification in ``fir.report`` is measured again.

    Parameters
    ----------
    tol : largest difference of the magnitudes, relative to the peak

    Raises
    ------
    ValueError
        For n-D or complex taps, or taps that are not symmetric or antisymmetric.
    RuntimeError
        If the magnitudes differ by more than `tol`.

    Examples
    --------
    >>> linear = lowpass(0.1, 0.2, 0.5, 40, parity="odd")
    >>> fast = minimum_phase(linear)
    >>> fast.shape == linear.shape, fast.origin, fast.report.meets
    (True, 0, True)
    """
    from scipy.signal import minimum_phase as cepstral

    if fir.ndim != 1 or fir.taps.dtype.kind == "c" or linear_phase(fir, 1e-9) is None:
        raise ValueError("minimum_phase(fir): needs real, 1-D taps that are symmetric or antisymmetric")
    taps = np.asarray(fir.taps, float)
    if taps.size > 2:
        taps = cepstral(taps, method="homomorphic", half=False, n_fft=max(1 << 20, 1 << (64 * taps.size).bit_length()))
    fast = FIR(taps, 0, fir.fs)
    n = 16 * taps.size
    was, now = (np.abs(np.fft.rfft(h, n)) for h in (fir.taps, taps))
    error = float(np.abs(was - now).max() / was.max())
    if error > tol:
        raise RuntimeError(f"minimum_phase(fir): the magnitude differs by {error:.2e} of the peak, more than tol={tol:g}")
    if not isinstance(fir.report, Achieved):
        return fast
    bands = tuple(_measured(fast, b, _magnitude) for b in fir.report.bands)
    report = replace(fir.report, method=f"{fir.report.method}, minimum phase", delay=None, bands=bands)
    return replace(fast, report=report)


# ---- the specification -------------------------------------------------------------------------------------------

def _ripple(delta: float) -> float:
    return float(20 * np.log10((1 + delta) / (1 - delta))) if delta < 1 else float("inf")


def _delta(ripple_db: float, name: str = "design") -> float:
    if not ripple_db > 0:
        raise ValueError(f"{name}(…, ripple_db={ripple_db!r}): the ripple is positive, in dB from lowest to highest gain")
    g = 10 ** (ripple_db / 20)
    return (g - 1) / (g + 1)


def _pass(lo: float, hi: float, ripple_db: float) -> Band:
    return Band(lo, hi, (1.0, 1.0), _delta(ripple_db))


def _stop(lo: float, hi: float, atten_db: float) -> Band:
    if not atten_db > 0:
        raise ValueError(f"design(…, atten_db={atten_db!r}): the attenuation is positive, in dB below a gain of one")
    return Band(lo, hi, (0.0, 0.0), 10 ** (-atten_db / 20))


def _pair(name: str, edges: Any) -> tuple[float, float]:
    if np.shape(edges) != (2,):
        raise ValueError(f"{name}(pass_edges, stop_edges, …): {edges!r} is not a pair of edges")
    return edges[0], edges[1]


def _edges(name: str, fs: float, *edges: float) -> tuple[float, ...]:
    if np.iscomplexobj(edges) or not np.isfinite(np.asarray(edges, float)).all():
        raise ValueError(f"{name}: edges {edges!r} must be finite real numbers")
    _increasing(name, np.asarray(edges, float), fs)
    low = edges[0]
    if len(edges) > 1 and low <= 0 or low < 0:
        raise ValueError(f"{name}: edges {edges!r} must be above 0")
    return tuple(map(float, edges))


def _increasing(name: str, edges: np.ndarray, fs: float) -> None:
    shown = ", ".join(f"{e:g}" for e in edges)
    if not (np.isfinite(fs) and fs > 0):
        raise ValueError(f"{name}(…, fs={fs!r}): the rate is a positive number")
    if (np.diff(edges) <= 0).any():
        raise ValueError(f"{name}: edges {shown} are out of order; from low to high they must increase")
    if edges[-1] > fs / 2 or (name not in ("arbitrary", "hilbert", "differentiator") and edges[-1] >= fs / 2):
        raise ValueError(f"{name}: edge {edges[-1]:g} lies beyond half the rate, fs/2 = {fs / 2:g}")


# ---- the search --------------------------------------------------------------------------------------------------

def _design(kind: str, bands: list[Band], fs: float, *, odd_symmetry: float = 0.0, method: str = "equiripple",
            taps: int | None = None, parity: str = "any", window: Any = None, longest: int = LONGEST) -> FIR:
    """The shortest design that meets the bands, or the one of `taps` taps if that does."""
    if method not in METHODS:
        raise ValueError(f"{kind}(…, method={method!r}): use one of {', '.join(METHODS)}")
    parities = {"any": (1, 0), "odd": (1,), "even": (0,)}.get(parity)
    if parities is None:
        raise ValueError(f"{kind}(…, parity={parity!r}): use 'any', 'odd' or 'even'")
    if taps is not None and (not isinstance(taps, (int, np.integer)) or taps < 3):
        raise ValueError(f"{kind}(…, taps={taps!r}): give an integer of at least 3")
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
        self.kind, self.bands, self.fs, self.odd, self.method, self.window = kind, bands, fs, odd_symmetry, method, window
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
        raise ValueError(f"{self.kind}: no filter of {odd} length can do this by {self.method!r} (symmetry forces a zero at fs/2, "
                         "or firls takes odd lengths only); ask for the other parity, a lower edge, or another method")

    def attempt(self, k: int) -> FIR | None:
        """The design of k taps, measured; None if it failed."""
        if k not in self.tried:
            try:
                taps = _antisymmetric(self, k) if self.odd else _symmetric(self, k)
                fir = FIR(taps, (k - 1) // 2, self.fs)
                gauge = _gauge(fir, self.odd)
                bands = tuple(_measured(fir, b, gauge) for b in self.bands)
                report = Achieved(self.kind, self.method, k, (k - 1) / 2 - (k - 1) // 2, bands, len(self.tried) + 1)
                self.tried[k] = replace(fir, report=report)
            except (ValueError, RuntimeError, np.linalg.LinAlgError) as error:
                self.trouble, self.tried[k] = str(error).splitlines()[0], None
        return self.tried[k]

    def margin(self, k: int) -> float:
        """Margin of the design of k taps in dB, −inf if it failed."""
        fir = self.attempt(k)
        return -np.inf if fir is None else fir.report.margin_db

    def shortest(self, parity: int, longest: int) -> FIR | None:
        """Secant steps on the margin, which grows by about 14.6 dB per unit of length × transition, until neighbours differ.

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
        raise RuntimeError(f"{self.kind}(…, method={self.method!r}) missed the specification; the best of {len(self.tried)} "
                           f"lengths reached\n{best.report}\nwiden a transition, relax a band, or allow more taps")


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
    if all(b.gain[0] == b.gain[1] for b in bands):  # a sum of low-passes, one step of gain at the middle of each transition
        taps = bands[-1].gain[1] * np.eye(1, k, (k - 1) // 2)[0]
        for edge, left, right in zip(middles, bands, bands[1:], strict=False):
            taps += (left.gain[1] - right.gain[0]) * signal.firwin(k, edge, window=window, scale=False, fs=fs)
        return taps
    grid = np.linspace(0, fs / 2, 1 << int(np.ceil(np.log2(max(16 * k, 4096)))) | 1)
    points = [(0.0, bands[0].gain[0])] * (bands[0].lo > 0)
    points += [(e, g) for b in bands for e, g in zip((b.lo, b.hi), b.gain, strict=True)]
    gain = np.interp(grid, *zip(*points, strict=True))
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
    return search.odd * scale * signal.remez(k, edges, desired, weight=_scaled(weight), type="differentiator", fs=fs, maxiter=100)


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


def _window(window: Any, delta: float) -> Any:
    if window is not None:
        return window
    from scipy.signal import kaiser_beta

    return ("kaiser", float(kaiser_beta(-20 * np.log10(delta))))


# ---- measuring ---------------------------------------------------------------------------------------------------

def _magnitude(fir: FIR, lo: float, hi: float, n: int) -> tuple[np.ndarray, np.ndarray]:
    f, db = magnitude_db(fir, band=(lo, hi), n=n)
    return f, 10 ** (db / 20)


def _gauge(fir: FIR, odd: float) -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """The signed amplitude, positive where the design wants it, of taps symmetric to rounding."""
    mirror = np.flip(fir.taps)
    exact = FIR((fir.taps - mirror if odd else fir.taps + mirror) / 2, fir.origin, fir.fs)
    if not exact.taps.any():
        raise ValueError("all taps are zero")

    def gauge(_: FIR, lo: float, hi: float, n: int) -> tuple[np.ndarray, np.ndarray]:
        f, amplitude = amplitude_response(exact, band=(lo, hi), n=n)
        return f, amplitude * (odd or 1.0)

    return gauge


def _measured(fir: FIR, band: Band, gauge: Callable[..., tuple[np.ndarray, np.ndarray]]) -> Band:
    """The band with its largest deviation, on 32 points a lobe and at parabolas through the extremes between them."""
    n = max(64, int(32 * fir.taps.size * (band.hi - band.lo) / fir.fs)) + 1
    lo = band.lo + (band.hi - band.lo) / n if band.relative and band.lo == 0 else band.lo  # 0/0 at f = 0
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
