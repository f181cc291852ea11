"""FIR filters designed to a specification, of the shortest length that meets it, with what was achieved.

A specification is a list of bands with a desired gain and the largest deviation from it. scipy.signal does the
arithmetic ("equiripple": remez, "least-squares": firls, "window": firwin with Kaiser's or any window); the search finds
the length, measures the result between the grid points too, and raises where it misses. Filters come centred, origin
(K − 1)//2, so that "same" has no delay, or half a sample of it for even lengths. Edges are in the unit of `fs`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from firconv.design2d import frequency_sampling_2d, frequency_transformation, separable, window_2d
from firconv.response import linear_phase
from firconv.search import design
from firconv.specification import Achieved, Band, magnitude, measured, ripple_to_deviation
from firconv.systems import FIR

__all__ = ["Achieved", "Band", "arbitrary", "bandpass", "bandstop", "differentiator", "frequency_sampling_2d",
           "frequency_transformation", "highpass", "hilbert", "lowpass", "minimum_phase", "separable", "window_2d"]


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
    ((306,), True, True)
    >>> print(lowpass(0.1, 0.2, 0.5, 40, parity="odd").report)
    lowpass, equiripple, 19 taps, delay 0 samples: meets the specification
      band               asked                    achieved       margin
      0 … 0.1            ripple ≤ 0.5 dB          0.3921 dB      +2.11 dB
      0.2 … 0.5          ≥ 40.00 dB down          42.07 dB       +2.07 dB
    """
    p, s = _edges("lowpass", fs, pass_edge, stop_edge)
    return design("lowpass", [_pass(0.0, p, ripple_db), _stop(s, fs / 2, atten_db)], fs, **how)


def highpass(pass_edge: float, stop_edge: float, ripple_db: float = 0.1, atten_db: float = 60.0, fs: float = 1.0,
             **how: Any) -> FIR:
    """The shortest high-pass; `stop_edge` lies below `pass_edge`, everything else is as in `lowpass`. Odd lengths only.

    Examples
    --------
    >>> highpass(0.3, 0.2, 0.5, 40).report.meets
    True
    """
    s, p = _edges("highpass", fs, stop_edge, pass_edge)
    return design("highpass", [_stop(0.0, s, atten_db), _pass(p, fs / 2, ripple_db)], fs, **how)


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
    bands = [_stop(0.0, s1, atten_db), _pass(p1, p2, ripple_db), _stop(s2, fs / 2, atten_db)]
    return design("bandpass", bands, fs, **how)


def bandstop(pass_edges: tuple[float, float], stop_edges: tuple[float, float], ripple_db: float = 0.1,
             atten_db: float = 60.0, fs: float = 1.0, **how: Any) -> FIR:
    """The shortest band-stop, down between `stop_edges`, flat outside `pass_edges`, which enclose them. Odd lengths.

    Examples
    --------
    >>> bandstop((0.1, 0.4), (0.2, 0.3), 0.5, 40).report.meets
    True
    """
    (p1, p2), (s1, s2) = _pair("bandstop", pass_edges), _pair("bandstop", stop_edges)
    p1, s1, s2, p2 = _edges("bandstop", fs, p1, s1, s2, p2)
    bands = [_pass(0.0, p1, ripple_db), _stop(s1, s2, atten_db), _pass(p2, fs / 2, ripple_db)]
    return design("bandstop", bands, fs, **how)


def hilbert(low: float, high: float, ripple_db: float = 0.1, fs: float = 1.0, **how: Any) -> FIR:
    """The shortest Hilbert transformer: H = −j for positive f, of gain one within `ripple_db` from `low` to `high`.

    Odd lengths (the default) need high < fs/2 and have whole delays; even ones may go up to fs/2.

    Examples
    --------
    >>> fir = hilbert(0.05, 0.45)
    >>> bool(abs(fir(np.cos(0.2 * np.pi * np.arange(99)))[50] - np.sin(0.2 * np.pi * 50)) < 0.02)
    True
    """
    low, high = _edges("hilbert", fs, low, high)
    return design("hilbert", [_pass(low, high, ripple_db)], fs, odd_symmetry=-1.0, **{"parity": "odd", **how})


def differentiator(pass_edge: float, stop_edge: float | None = None, ripple_db: float = 0.1, atten_db: float = 60.0,
                   fs: float = 1.0, **how: Any) -> FIR:
    """The shortest differentiator, H = 2πj·f up to `pass_edge`, the derivative per unit of time 1/[fs].

    The error is relative to 2πf: `ripple_db` as for a gain of one. From `stop_edge` on, if given, it is `atten_db`
    below the gain at `pass_edge`. Odd lengths (the default) need pass_edge < fs/2; even ones differentiate between the
    samples.

    Examples
    --------
    >>> fir = differentiator(0.4, ripple_db=0.05)
    >>> slope = fir(np.sin(0.3 * np.arange(99)), "valid")
    >>> fir.report.meets and float(abs(slope).max().round(2)) == 0.3
    True
    """
    edges = _edges("differentiator", fs, pass_edge, *([] if stop_edge is None else [stop_edge]))
    top = 2 * np.pi * edges[0]
    delta = ripple_to_deviation(ripple_db, "differentiator")
    bands = [Band(0.0, edges[0], (0.0, top), delta, relative=True)]
    if stop_edge is not None:
        bands.append(Band(edges[1], fs / 2, (0.0, 0.0), top * _stop(0, 1, atten_db).deviation, unit=top))
    return design("differentiator", bands, fs, odd_symmetry=1.0, **{"parity": "odd", **how})


def arbitrary(edges: Any, gains: Any, deviation: Any, fs: float = 1.0, *, method: str = "least-squares",
              **how: Any) -> FIR:
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
    edges, gains, limits = (_real("arbitrary", v, name) for v, name in
                            ((edges, "edges"), (gains, "gains"), (deviation, "deviation")))
    if edges.ndim != 1 or edges.size % 2 or edges.size == 0 or gains.shape != edges.shape:
        raise ValueError(f"arbitrary(edges, gains, …): {edges.size} edges and {gains.size} gains; give two of each per "
                         "band")
    _increasing("arbitrary", edges, fs)
    if limits.shape not in ((), (1,), (edges.size // 2,)) or not (limits > 0).all():
        raise ValueError(f"arbitrary(…, deviation={deviation!r}): give positive numbers, one or one per band")
    limits = np.broadcast_to(limits, (edges.size // 2,))
    bands = [Band(float(lo), float(hi), (float(a), float(b)), float(d))
             for lo, hi, a, b, d in zip(edges[::2], edges[1::2], gains[::2], gains[1::2], limits, strict=True)]
    if method == "equiripple" and any(b.gain[0] != b.gain[1] for b in bands):
        raise ValueError("arbitrary(…, method='equiripple'): scipy's remez takes bands of constant gain; use "
                         "'least-squares' or 'window' for slopes")
    return design("arbitrary", bands, fs, method=method, **how)


def minimum_phase(fir: FIR, tol: float = 1e-4) -> FIR:
    """The causal filter of the same length and magnitude, |H_min| = |H|, with all zeros inside or on the unit circle.

    By the cepstrum (`scipy.signal.minimum_phase`, half=False) on a grid so fine that zeros on the circle do little
    harm. A specification in ``fir.report`` is measured again.

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

    if not isinstance(fir, FIR) or fir.ndim != 1 or fir.taps.dtype.kind == "c" or linear_phase(fir, 1e-9) is None:
        raise ValueError("minimum_phase(fir): needs real, 1-D taps that are symmetric or antisymmetric")
    taps = np.asarray(fir.taps, float)
    if taps.size > 2:
        taps = cepstral(taps, method="homomorphic", half=False, n_fft=max(1 << 20, 1 << (64 * taps.size).bit_length()))
    fast = FIR(taps, 0, fir.fs)
    n = 16 * taps.size
    was, now = (np.abs(np.fft.rfft(h, n)) for h in (fir.taps, taps))
    error = float(np.abs(was - now).max() / was.max())
    if error > tol:
        raise RuntimeError(f"minimum_phase(fir): the magnitude differs by {error:.2e} of the peak, more than "
                           f"tol={tol:g}")
    if not isinstance(fir.report, Achieved):
        return fast
    bands = tuple(measured(fast, b, magnitude) for b in fir.report.bands)
    report = replace(fir.report, delay=None, bands=bands)
    return replace(fast, report=report)


# ---- the bands --------------------------------------------------------------------------------------------------

def _pass(lo: float, hi: float, ripple_db: float) -> Band:
    return Band(lo, hi, (1.0, 1.0), ripple_to_deviation(ripple_db))


def _stop(lo: float, hi: float, atten_db: float) -> Band:
    if not atten_db > 0:
        raise ValueError(f"design(…, atten_db={atten_db!r}): the attenuation is positive, in dB below a gain of one")
    return Band(lo, hi, (0.0, 0.0), 10 ** (-atten_db / 20))


def _pair(name: str, edges: Any) -> tuple[float, float]:
    if np.shape(edges) != (2,):
        raise ValueError(f"{name}(pass_edges, stop_edges, …): {edges!r} is not a pair of edges")
    return edges[0], edges[1]


def _edges(name: str, fs: float, *edges: float) -> tuple[float, ...]:
    _increasing(name, _real(name, edges, "edges"), fs)
    low = edges[0]
    if len(edges) > 1 and low <= 0 or low < 0:
        raise ValueError(f"{name}: edges {edges!r} must be above 0")
    return tuple(map(float, edges))


def _real(name: str, values: Any, what: str) -> np.ndarray:
    array = np.asarray(values)
    if array.dtype.kind not in "buif" or not np.isfinite(array).all():
        raise ValueError(f"{name}: {what} {values!r} must be finite real numbers")
    return array.astype(float)


def _increasing(name: str, edges: np.ndarray, fs: float) -> None:
    shown = ", ".join(f"{e:g}" for e in edges)
    if not (isinstance(fs, (int, float, np.number)) and np.isfinite(fs) and fs > 0):
        raise ValueError(f"{name}(…, fs={fs!r}): the rate is a positive number")
    if (np.diff(edges) <= 0).any():
        raise ValueError(f"{name}: edges {shown} are out of order; from low to high they must increase")
    if edges[-1] > fs / 2 or (name not in ("arbitrary", "hilbert", "differentiator") and edges[-1] >= fs / 2):
        raise ValueError(f"{name}: edge {edges[-1]:g} lies beyond half the rate, fs/2 = {fs / 2:g}")
