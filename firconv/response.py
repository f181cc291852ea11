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

from typing import Any

import numpy as np

from firconv import threads
from firconv.evaluation import (
    LinearPhase,
    followed_phase,
    line_delay,
    phase_of_roots,
    plane_delays,
    respond,
    signed_amplitude,
    straight,
)
from firconv.frequencies import as_system, grid_of, shaped, units
from firconv.rational import IIR
from firconv.systems import FIR

__all__ = ["LinearPhase", "amplitude_response", "frequency_response", "group_delay", "impulse_response", "linear_phase",
           "magnitude_db", "phase_delay", "phase_response", "step_response"]


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
    system = as_system(system, fs)
    grid = grid_of(system, freqs, n, band, whole)
    return units(grid, system), shaped(grid, respond(system, grid, threads.resolve(workers)))


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
    system = as_system(system, fs)
    phase = linear_phase(system) if isinstance(system, FIR) else None
    if phase is None:
        raise ValueError("amplitude_response(system): the taps are not symmetric or antisymmetric, so no real "
                         "amplitude describes them; use frequency_response")
    grid = grid_of(system, freqs, n, band, whole)
    return units(grid, system), shaped(grid, signed_amplitude(system, phase, grid, threads.resolve(workers)))


# ---- phase -------------------------------------------------------------------------------------------------------

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
    system = as_system(system, None)
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
    system = as_system(system, fs)
    grid = grid_of(system, freqs, n, band, whole)
    count = threads.resolve(workers)
    phase = linear_phase(system) if isinstance(system, FIR) else None
    if not unwrap:
        values = np.angle(respond(system, grid, count))
    elif phase is not None:
        values = straight(phase, grid) + np.pi * (signed_amplitude(system, phase, grid, count) < 0)
    elif isinstance(system, IIR):
        values = phase_of_roots(system, grid.f[0])
    elif system.ndim > 1:
        raise ValueError(f"phase_response(system): unwrapping is ambiguous in {system.ndim} dimensions without linear "
                         "phase; pass unwrap=False")
    else:
        values = followed_phase(system, grid.f[0], count)
    return units(grid, system), shaped(grid, values)


def phase_delay(system: Any, freqs: Any = None, **where: Any) -> tuple[np.ndarray, np.ndarray]:
    """(f, −φ/ω) in samples, 1-D; at f = 0 the group delay where φ(0) = 0, else infinite.

    With linear phase the sign of the amplitude is no phase: τ for types I and II, τ − π/(2ω) for III and IV.

    Examples
    --------
    >>> phase_delay([1, 2, 3, 2, 1], [0, 0.25, 0.5])[1]
    array([2., 2., 2.])
    """
    system = as_system(system, where.pop("fs", None))
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
    system = as_system(system, fs)
    grid = grid_of(system, freqs, n, band, whole)
    count = threads.resolve(workers)
    if isinstance(system, IIR):
        f = grid.f[0]
        values = np.full(f.shape, float(system.lag))
        for b, a in zip(system.sos[:, :3], system.sos[:, 3:], strict=True):
            values += line_delay(b, 0, f, count) - line_delay(a, 0, f, count)
        return units(grid, system), shaped(grid, values)
    phase = linear_phase(system)
    size = tuple(v.size for v in grid.f)
    if phase is not None:
        values = np.stack([np.full(size, t) for t in phase.delays])
    elif system.ndim == 1:
        values = line_delay(system.taps, system.origin, grid.f[0], count, grid)[None]
    else:
        values = plane_delays(system, grid, count)
    return units(grid, system), shaped(grid, values[0]) if system.ndim == 1 else values


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
    system = as_system(system, fs)
    if n is not None and (not isinstance(n, (int, np.integer)) or n < 1):
        raise ValueError(f"impulse_response(system, n={n!r}): the number of samples is an integer of at least 1")
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
