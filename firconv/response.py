"""What a linear shift-invariant system does: impulse, step and frequency response, phase, delays, signed amplitude.

    H(f) = Σₖ h[k]·exp(−2πj·(f/fs)·(k − origin)),   the eigenvalue of exp(2πj·f·t/fs)

Every function takes a system (`FIR`, `IIR`, or bare taps with `fs`), and frequencies in the unit of its `fs`. Delays
are in samples. Points are chosen the same way everywhere:

- 1-D, nothing said: `n` points from 0 up to, not including, fs/2 (``whole=True``: fs), as `scipy.signal.freqz`;
- ``band=(lo, hi)``: `n` points from lo to hi, both included;
- ``freqs=``: these. In n dimensions a tuple of one array per axis, and the response is over their grid;
- n-D, nothing said: `n` points per axis (one number or one per axis) of the centred plane −fs/2 ≤ f < fs/2.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import factorial
from typing import Any, NamedTuple

import numpy as np

from firconv import spectrum, threads
from firconv.rational import IIR
from firconv.systems import FIR

__all__ = ["LinearPhase", "amplitude_response", "frequency_response", "group_delay", "impulse_response", "linear_phase",
           "magnitude_db", "phase_delay", "phase_response", "step_response"]

#: Points per unit of 1/taps on which a phase is first looked at, and the most that it is ever looked at.
FOLLOW, MOST_KNOTS = 8, 1 << 21


class _Grid(NamedTuple):
    """Frequencies per axis in cycles per sample, and how they were asked for."""

    f: tuple[np.ndarray, ...]
    kind: str  # "circle", "band" or "points"
    period: int = 0
    shape: tuple[int, ...] | None = None  # of scalar or n-D freqs in one dimension


# ---- frequency ---------------------------------------------------------------------------------------------------

def frequency_response(system: Any, freqs: Any = None, *, n: Any = None, band: Any = None, whole: bool = False,
                       fs: float | None = None, workers: int | None = None) -> tuple[Any, np.ndarray]:
    """(f, H): the complex response, about the origin of the system.

    Parameters
    ----------
    system : FIR, IIR or array_like
        Bare taps have origin 0 and rate `fs` (default 1).
    freqs, n, band, whole
        Where; see the module. `n` defaults to 512, in n-D to 64 per axis.
    workers : int, optional
        Threads; no value depends on it.

    Returns
    -------
    f : array, or a tuple of one per axis
    H : complex array

    Raises
    ------
    ValueError
        Points asked for in two ways, an empty or reversed band, n < 1, `fs` for a system that has its own.

    Examples
    --------
    >>> f, H = frequency_response([0.5, 0.5], n=4, fs=8)
    >>> f, abs(H).round(3)
    (array([0., 1., 2., 3.]), array([1.   , 0.924, 0.707, 0.383]))
    """
    system = _system(system, fs)
    grid = _grid(system, freqs, n, band, whole)
    return _units(grid, system), _shaped(grid, _respond(system, grid, threads.resolve(workers)))


def magnitude_db(system: Any, freqs: Any = None, **where: Any) -> tuple[Any, np.ndarray]:
    """(f, 20·log₁₀|H|); −inf at exact zeros. Keywords as `frequency_response`.

    Examples
    --------
    >>> magnitude_db([0.5, 0.5], [0.0, 0.25])[1].round(2)
    array([ 0.  , -3.01])
    """
    f, H = frequency_response(system, freqs, **where)
    with np.errstate(divide="ignore"):
        return f, 20 * np.log10(np.abs(H))


def amplitude_response(system: Any, freqs: Any = None, *, n: Any = None, band: Any = None, whole: bool = False,
                       fs: float | None = None, workers: int | None = None) -> tuple[Any, np.ndarray]:
    """(f, A): the real, signed amplitude of a linear-phase FIR, H = A·exp(j(β − ωτ)), β = 0 (I, II) or π/2 (III, IV).

    Raises
    ------
    ValueError
        For taps that are neither symmetric nor antisymmetric, and for an IIR.

    Examples
    --------
    >>> amplitude_response([1, 2, 3, 2, 1], [0, 0.25, 0.5])[1]
    array([9., 1., 1.])
    """
    system = _system(system, fs)
    phase = linear_phase(system) if isinstance(system, FIR) else None
    if phase is None:
        raise ValueError("amplitude_response(system): the taps are not symmetric or antisymmetric, so no real "
                         "amplitude describes them; use frequency_response")
    grid = _grid(system, freqs, n, band, whole)
    return _units(grid, system), _shaped(grid, _amplitude(system, phase, grid, threads.resolve(workers)))


# ---- phase -------------------------------------------------------------------------------------------------------

@dataclass(frozen=True)
class LinearPhase:
    """The exact linear phase of an FIR.

    Attributes
    ----------
    type : "I" (odd, symmetric), "II" (even, symmetric), "III" (odd, antisymmetric), "IV" (even, antisymm.); "" in n-D
    symmetric : h[τ + n] = conj h[τ − n], else the negative
    delays : τ per axis in samples: (K − 1)/2 − origin of the taps without outer zeros
    """

    type: str
    symmetric: bool
    delays: tuple[float, ...]

    @property
    def delay(self) -> float:
        """τ of a 1-D system, samples."""
        return self.delays[0]


def linear_phase(system: Any, tol: float = 0.0) -> LinearPhase | None:
    """The type and delay if the taps are symmetric or antisymmetric about their middle, else None.

    Outer zero taps are stripped first. The test is bitwise unless `tol`, relative to the largest tap, allows more.
    Complex taps count as symmetric if reversing conjugates them. The zero system has no phase: None.

    Examples
    --------
    >>> linear_phase([1, 0, 0, 0, 1])
    LinearPhase(type='I', symmetric=True, delays=(2.0,))
    >>> linear_phase([0, 1, -1, 0]).type, linear_phase([1, 2]) is None
    ('IV', True)
    """
    system = _system(system, None)
    if isinstance(system, IIR):
        return None
    fir = system.crop(tol)
    mirror, limit = np.flip(fir.taps).conj(), tol * float(np.abs(fir.taps).max())
    symmetric, antisymmetric = (bool(np.all(np.abs(fir.taps - s * mirror) <= limit)) for s in (1, -1))
    if symmetric == antisymmetric:
        return None
    delays = tuple((k - 1) / 2 - c for k, c in zip(fir.shape, fir.origins, strict=True))
    kinds = {(1, True): "I", (0, True): "II", (1, False): "III", (0, False): "IV"}
    return LinearPhase(kinds[fir.shape[0] % 2, symmetric] if fir.ndim == 1 else "", symmetric, delays)


def phase_response(system: Any, freqs: Any = None, *, unwrap: bool = True, n: Any = None, band: Any = None,
                   whole: bool = False, fs: float | None = None, workers: int | None = None) -> tuple[Any, np.ndarray]:
    """(f, φ) in radians, continuous from f = 0 except for the jumps by π at zeros of H on the circle.

    Exact for linear phase, β − ωτ + π·[A < 0], and for an IIR, a sum over its roots. Else the angle is followed from
    zero frequency in steps that cannot hide a turn, so the points asked for may be sparse.

    Raises
    ------
    ValueError
        In n dimensions without linear phase, where unwrapping is ambiguous: pass ``unwrap=False``.

    Examples
    --------
    >>> phase_response([1, 1, 1, 1, 1], [0.1, 0.3])[1] / np.pi
    array([-0.4, -0.2])
    """
    system = _system(system, fs)
    grid = _grid(system, freqs, n, band, whole)
    count = threads.resolve(workers)
    phase = linear_phase(system) if isinstance(system, FIR) else None
    if not unwrap:
        values = np.angle(_respond(system, grid, count))
    elif phase is not None:
        values = _straight(phase, grid) + np.pi * (_amplitude(system, phase, grid, count) < 0)
    elif isinstance(system, IIR):
        values = _phase_of_roots(system, grid.f[0])
    elif system.ndim > 1:
        raise ValueError(f"phase_response(system): unwrapping is ambiguous in {system.ndim} dimensions without linear "
                         "phase; pass unwrap=False")
    else:
        values = _followed(system, grid.f[0], count)
    return _units(grid, system), _shaped(grid, values)


def phase_delay(system: Any, freqs: Any = None, **where: Any) -> tuple[np.ndarray, np.ndarray]:
    """(f, −φ/ω) in samples, 1-D; at f = 0 the group delay where φ(0) = 0, else infinite.

    With linear phase the sign of the amplitude is no phase: τ for types I and II, τ − π/(2ω) for III and IV.

    Examples
    --------
    >>> phase_delay([1, 2, 3, 2, 1], [0, 0.25, 0.5])[1]
    array([2., 2., 2.])
    """
    system = _system(system, where.pop("fs", None))
    if system.ndim > 1:
        raise ValueError(f"phase_delay(system): {system.ndim} dimensions have no single delay; use phase_response")
    linear = linear_phase(system)
    if linear is not None and linear.symmetric:
        return group_delay(system, freqs, **where)
    f, phi = phase_response(system, freqs, **where)
    w = 2 * np.pi / system.fs * f
    with np.errstate(divide="ignore", invalid="ignore"):
        delay = -phi / w if linear is None else linear.delay - np.pi / 2 / w
    at_zero = (w == 0) & (np.abs(phi) < 1e-9)
    if at_zero.any():
        delay = np.where(at_zero, group_delay(system, np.zeros(1))[1][0], delay)
    return f, delay


def group_delay(system: Any, freqs: Any = None, *, n: Any = None, band: Any = None, whole: bool = False,
                fs: float | None = None, workers: int | None = None) -> tuple[Any, np.ndarray]:
    """(f, τ = −dφ/dω) in samples; in n-D one delay per axis, first dimension of the result.

    Linear phase: exactly the constant (K − 1)/2 − origin of the taps without outer zeros, also at zeros of H. Else
    τ = Re(Σ n·h·z⁻ⁿ / Σ h·z⁻ⁿ), and where H vanishes in 1-D its limit, from the next derivatives of H.

    Examples
    --------
    >>> group_delay([1, 0, 0, 0, 1], [0.125])[1]
    array([2.])
    >>> group_delay([1, 0.5], [0.0, 0.5])[1].round(6)
    array([ 0.333333, -1.      ])
    """
    system = _system(system, fs)
    grid = _grid(system, freqs, n, band, whole)
    count = threads.resolve(workers)
    if isinstance(system, IIR):
        f = grid.f[0]
        values = np.full(f.shape, float(system.lag))
        for b, a in zip(system.sos[:, :3], system.sos[:, 3:], strict=True):
            values += _delay(b, 0, f, count) - _delay(a, 0, f, count)
        return _units(grid, system), _shaped(grid, values)
    phase = linear_phase(system)
    size = tuple(v.size for v in grid.f)
    if phase is not None:
        values = np.stack([np.full(size, t) for t in phase.delays])
    elif system.ndim == 1:
        values = _delay(system.taps, system.origin, grid.f[0], count, grid)[None]
    else:
        values = _delays(system, grid, count)
    return _units(grid, system), _shaped(grid, values[0]) if system.ndim == 1 else values


# ---- time --------------------------------------------------------------------------------------------------------

def impulse_response(system: Any, n: int | None = None, *, fs: float | None = None) -> tuple[Any, np.ndarray]:
    """(t, h): the response to one sample of one at t = 0, with t in samples (a tuple of arrays in n-D).

    `n` samples from the first that may differ from zero; default all taps of an FIR, and of an IIR all but 1e-12 of the
    energy (100 samples if it is unstable).

    Examples
    --------
    >>> impulse_response(FIR([1, 2, 1], origin=1))
    (array([-1,  0,  1]), array([1, 2, 1]))
    """
    system = _system(system, fs)
    if isinstance(system, IIR):
        if n is None:
            n = min(system.truncate(1e-12).taps.size, 1 << 16) if system.stable else 100
        return np.arange(system.lag, system.lag + n), system(np.eye(1, n)[0], (system.lag, system.lag + n))
    taps, origins = system.taps, system.origins
    if n is not None:
        taps = np.pad(taps, [(0, max(n - k, 0)) for k in taps.shape])[(slice(0, n),) * taps.ndim]
    t = tuple(np.arange(k) - c for k, c in zip(taps.shape, origins, strict=True))
    return (t[0] if len(t) == 1 else t), taps.copy()


def step_response(system: Any, n: int | None = None, *, fs: float | None = None) -> tuple[Any, np.ndarray]:
    """(t, s): the response to ones from t = 0 on (in every axis): the running sum of the impulse response.

    Examples
    --------
    >>> step_response(FIR([1, 2, 1], origin=1), 4)
    (array([-1,  0,  1,  2]), array([1, 3, 4, 4]))
    """
    t, h = impulse_response(system, n, fs=fs)
    for axis in range(h.ndim):
        h = np.cumsum(h, axis=axis)
    return t, h


# ---- where -------------------------------------------------------------------------------------------------------

def _system(system: Any, fs: float | None) -> FIR | IIR:
    if not isinstance(system, (FIR, IIR)):
        return FIR(system, fs=1.0 if fs is None else fs)
    if fs is not None:
        raise ValueError(f"response(system, fs={fs!r}): the system has its own rate, fs={system.fs:g}; leave fs out")
    return system


def _grid(system: FIR | IIR, freqs: Any, n: Any, band: Any, whole: bool) -> _Grid:
    if (freqs is not None) + (band is not None) + bool(whole) > 1 or (freqs is not None and n is not None):
        raise ValueError("response(system, …): give the points once: freqs=, or band= with n, or whole= with n")
    if isinstance(system, FIR) and system.ndim > 1:
        return _plane_grid(system, freqs, n, band, whole)
    if freqs is not None:
        f = np.asarray(freqs, float)
        return _Grid((f.ravel() / system.fs,), "points", shape=f.shape)
    count = _count(512 if n is None else n)
    if band is None:
        period = count if whole else 2 * count
        return _Grid((np.arange(count) / period,), "circle", period)
    lo, hi = _band(band)
    return _Grid((np.linspace(lo, hi, count) / system.fs,), "band")


def _plane_grid(system: FIR, freqs: Any, n: Any, band: Any, whole: bool) -> _Grid:
    ndim = system.ndim
    if whole:
        raise ValueError(f"response(system, whole=True): the grid of {ndim} dimensions is always the whole plane")
    if freqs is not None:
        if len(freqs) != ndim:
            raise ValueError(f"response(system, freqs=…): {len(freqs)} entries for {ndim} dimensions; give a tuple of "
                             "one array per axis")
        return _Grid(tuple(np.atleast_1d(np.asarray(v, float)) / system.fs for v in freqs), "points")
    counts = [_count(v) for v in ((64 if n is None else n,) * ndim if np.ndim(n) == 0 else n)]
    if len(counts) != ndim:
        raise ValueError(f"response(system, n={n!r}): give one number for each of the {ndim} axes")
    if band is None:
        return _Grid(tuple((np.arange(k) - k // 2) / k for k in counts), "circle")
    bands = [band] * ndim if np.ndim(band) == 1 else list(band)
    if len(bands) != ndim:
        raise ValueError(f"response(system, band={band!r}): give one (lo, hi), or one for each of the {ndim} axes")
    return _Grid(tuple(np.linspace(*_band(b), k) / system.fs for b, k in zip(bands, counts, strict=True)), "points")


def _count(n: Any) -> int:
    if not isinstance(n, (int, np.integer)) or n < 1:
        raise ValueError(f"response(system, n={n!r}): the number of points is an integer of at least 1")
    return int(n)


def _band(band: Any) -> tuple[float, float]:
    if np.shape(band) != (2,) or not band[0] < band[1]:
        raise ValueError(f"response(system, band={band!r}): give (lo, hi) with lo < hi, in the unit of fs")
    return float(band[0]), float(band[1])


def _units(grid: _Grid, system: FIR | IIR) -> Any:
    f = tuple(v * system.fs for v in grid.f)
    return f if system.ndim > 1 else _shaped(grid, f[0])


def _shaped(grid: _Grid, values: np.ndarray) -> np.ndarray:
    return values if grid.shape is None else values.reshape(grid.shape)


# ---- values ------------------------------------------------------------------------------------------------------

def _respond(system: FIR | IIR, grid: _Grid, workers: int) -> np.ndarray:
    if isinstance(system, IIR):
        z = spectrum.wave(grid.f[0])
        H = spectrum.wave(system.lag * grid.f[0])
        for b0, b1, b2, _, a1, a2 in system.sos:
            H *= (b0 + z * (b1 + z * b2)) / (1 + z * (a1 + z * a2))
        return H
    taps = system.taps.astype(np.result_type(system.taps.dtype, np.float64), copy=False)
    if system.ndim > 1:
        return spectrum.plane(taps, system.origins, grid.f, workers)
    return _line(taps, system.origin, grid, workers)


def _line(taps: np.ndarray, origin: int, grid: _Grid, workers: int) -> np.ndarray:
    f = grid.f[0]
    if grid.kind == "circle":
        return spectrum.circle(taps, origin, grid.period, f.size, workers)
    if grid.kind == "band" and f.size > 64:
        return spectrum.zoom(taps, origin, float(f[0]), float(f[-1] - f[0]) / (f.size - 1), f.size, workers)
    return spectrum.points(taps, origin, f, workers)


def _straight(phase: LinearPhase, grid: _Grid) -> np.ndarray:
    """β − ωτ on the grid."""
    total = np.zeros((1,) * len(grid.f))
    for axis, (f, t) in enumerate(zip(grid.f, phase.delays, strict=True)):
        total = total - 2 * np.pi * t * f.reshape((-1,) + (1,) * (len(grid.f) - axis - 1))
    return total + (0 if phase.symmetric else np.pi / 2)


def _amplitude(fir: FIR, phase: LinearPhase, grid: _Grid, workers: int) -> np.ndarray:
    """H·exp(jωτ), which is real (or j times real) by symmetry: the other part is rounding and is dropped.

    The origin moves to the middle, so that only half a sample per even axis is left to turn back.
    """
    whole = [int(np.floor(t)) for t in phase.delays]
    H = _respond(FIR(fir.taps, [c + t for c, t in zip(fir.origins, whole, strict=True)]), grid, workers)
    for axis, (t, w) in enumerate(zip(phase.delays, whole, strict=True)):
        if t != w:
            H = H * spectrum.wave(-0.5 * grid.f[axis]).reshape((-1,) + (1,) * (len(grid.f) - axis - 1))
    return np.ascontiguousarray(H.real if phase.symmetric else H.imag)


def _followed(fir: FIR, f: np.ndarray, workers: int) -> np.ndarray:
    """The angle of H without its mean delay, unwrapped from zero along knots between which H cannot turn unseen."""
    energy = np.abs(fir.taps) ** 2
    n = np.arange(fir.taps.size) - fir.origin
    middle = int(np.round((n @ energy) / energy.sum())) if energy.any() else 0
    knots = _knots(fir.taps, n - middle, f, workers)
    turned = np.angle(spectrum.points(fir.taps, fir.origin + middle, knots, workers))
    phi = np.unwrap(turned)
    zero = int(np.searchsorted(knots, 0.0))
    phi += turned[zero] - phi[zero]
    return phi[np.searchsorted(knots, f)] - 2 * np.pi * middle * f


def _knots(taps: np.ndarray, n: np.ndarray, f: np.ndarray, workers: int) -> np.ndarray:
    """The points f, zero, and as many between as it takes to follow the phase, sorted.

    On an interval m ± r, H differs from H(m) + H'(m)·(f − m) by at most r²/2·(2π)²·Σ n²|h|. Where that straight segment
    stays farther from the origin, the angle turns by less than π and unwrapping its ends is right; the others are
    halved, until they are so short that they hold a zero on the circle, or H is rounding noise.
    """
    far, size = max(int(np.abs(n).max()), 1), np.abs(taps)
    bend, noise = (2 * np.pi) ** 2 * float(n**2 @ size) / 2, 1e-13 * float(size.sum())
    step = 1 / (FOLLOW * far)
    ends = np.floor(min(f.min(initial=0), 0) / step), np.ceil(max(f.max(initial=0), 0) / step)
    knots = [np.unique(np.concatenate([np.arange(ends[0], ends[1] + 1) * step, f]))]
    lo, hi, count = knots[0][:-1], knots[0][1:], knots[0].size
    while lo.size and count < MOST_KNOTS:
        m, r = (lo + hi) / 2, (hi - lo) / 2
        H = spectrum.points(taps, -int(n[0]), m, workers)
        u = spectrum.points(-2j * np.pi * n * taps, -int(n[0]), m, workers) * r
        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.clip(np.nan_to_num(-(H * u.conj()).real / np.abs(u) ** 2), -1, 1)
        split = (np.abs(H + t * u) <= bend * r * r) & (r > 1e-8 * step) & (np.abs(H) > noise)
        knots.append(m[split])
        lo, hi = np.concatenate([lo[split], m[split]]), np.concatenate([m[split], hi[split]])
        count += int(split.sum())
    return np.unique(np.concatenate(knots))


def _phase_of_roots(iir: IIR, f: np.ndarray) -> np.ndarray:
    """Σ of the continuous angles of 1 − r/z over zeros minus poles, the delays, and π for a negative gain."""
    z1 = spectrum.wave(f)
    phi = -2 * np.pi * iir.lag * f
    negative = 0
    for rows, side in ((iir.sos[:, :3], 1), (iir.sos[:, 3:], -1)):
        for row in rows:
            lead = np.flatnonzero(row)
            if lead.size == 0:
                return np.full(f.shape, np.nan)
            phi -= side * 2 * np.pi * int(lead[0]) * f
            negative += bool(row[lead[0]] < 0)
            for r in np.roots(np.trim_zeros(row)):
                if abs(r) <= 1:
                    phi += side * np.angle(1 - r * z1)
                else:  # 1 − r/z = −(r/z)·(1 − z/r)
                    phi += side * (np.angle(1 - 1 / (r * z1)) - 2 * np.pi * f)
                    negative += bool(r.real > 0 and r.imag == 0)
    return phi + np.pi * (negative % 2)


def _delay(taps: np.ndarray, origin: int, f: np.ndarray, workers: int, grid: _Grid | None = None) -> np.ndarray:
    """Re(Σ n·h·z⁻ⁿ / H) about the middle of the taps, with limits where H is lost in rounding."""
    grid = _Grid((f,), "points") if grid is None else grid
    middle = (taps.size - 1) // 2
    n = np.arange(taps.size) - middle
    H, D = (_line(v.astype(np.result_type(v.dtype, float)), middle, grid, workers) for v in (taps, n * taps))
    size = float(np.abs(taps).sum())
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        delay = (D / H).real
        # rounding of H moves D/H by eps·size·|D|/|H|²
        lost = np.flatnonzero(~(np.finfo(float).eps * size * np.abs(D) < 1e-4 * np.abs(H) ** 2))
    if lost.size:
        delay[lost] = _limits(taps, n, f[lost])
    return delay + (middle - origin)


def _limits(taps: np.ndarray, n: np.ndarray, f: np.ndarray) -> np.ndarray:
    """The group delay at a zero of order m: Re(S_{m+1}/((m + 1)·S_m)), S_m = Σ nᵐ·h·z⁻ⁿ the first that is not zero."""
    out = np.full(f.shape, np.nan)
    reach = float(max(np.abs(n).max(), 1))
    u, waves = n / reach, spectrum.wave(np.multiply.outer(f, n.astype(float)))
    before = waves @ (taps * u)
    for m in range(1, min(taps.size, 12)):
        after = waves @ (taps * u ** (m + 1))
        found = np.isnan(out) & (np.abs(before) > 1e-6 / factorial(m) * np.abs(taps * u**m).sum())
        out[found] = (after[found] / before[found]).real * reach / (m + 1)
        before = after
    return out


def _delays(fir: FIR, grid: _Grid, workers: int) -> np.ndarray:
    """Per axis, Re(Σ n_axis·h·z⁻ⁿ / H) on the plane; NaN where H is zero."""
    H = _respond(fir, grid, workers)
    out = []
    for axis, (k, c) in enumerate(zip(fir.shape, fir.origins, strict=True)):
        n = (np.arange(k) - c).reshape((-1,) + (1,) * (fir.ndim - axis - 1))
        with np.errstate(divide="ignore", invalid="ignore"):
            out.append((_respond(FIR(fir.taps * n, fir.origin), grid, workers) / H).real)
    return np.stack(out)

