"""Values of a response on a grid of frequencies: H, amplitude, phase and group delay of one system."""

from __future__ import annotations

from dataclasses import dataclass
from math import factorial

import numpy as np

from firconv import spectrum
from firconv.frequencies import Grid
from firconv.rational import IIR
from firconv.systems import FIR

#: Points per unit of 1/taps on which a phase is first looked at, and the most that it is ever looked at.
FOLLOW, MOST_KNOTS = 8, 1 << 21


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


def respond(system: FIR | IIR, grid: Grid, workers: int) -> np.ndarray:
    """H on the grid."""
    if isinstance(system, IIR):
        z = spectrum.wave(grid.f[0])
        H = spectrum.wave(system.lag * grid.f[0])
        for b0, b1, b2, _, a1, a2 in system.sos:
            H *= (b0 + z * (b1 + z * b2)) / (1 + z * (a1 + z * a2))
        return H
    taps = system.taps.astype(np.result_type(system.taps.dtype, np.float64), copy=False)
    if system.ndim > 1:
        return spectrum.plane(taps, system.origins, grid.f, workers, grid.kind == "circle")
    return _line(taps, system.origin, grid, workers)


def _line(taps: np.ndarray, origin: int, grid: Grid, workers: int) -> np.ndarray:
    f = grid.f[0]
    if grid.kind == "circle":
        return spectrum.circle(taps, origin, grid.period, f.size, workers)
    if grid.kind == "band" and f.size > 64:
        return spectrum.zoom(taps, origin, float(f[0]), float(f[-1] - f[0]) / (f.size - 1), f.size, workers)
    return spectrum.points(taps, origin, f, workers)


def straight(phase: LinearPhase, grid: Grid) -> np.ndarray:
    """β − ωτ on the grid."""
    total = np.zeros((1,) * len(grid.f))
    for axis, (f, t) in enumerate(zip(grid.f, phase.delays, strict=True)):
        total = total - 2 * np.pi * t * f.reshape((-1,) + (1,) * (len(grid.f) - axis - 1))
    return total + (0 if phase.symmetric else np.pi / 2)


def signed_amplitude(fir: FIR, phase: LinearPhase, grid: Grid, workers: int) -> np.ndarray:
    """H·exp(jωτ), which is real (or j times real) by symmetry: the other part is rounding and is dropped.

    The origin moves to the middle, so that only half a sample per even axis is left to turn back.
    """
    whole = [int(np.floor(t)) for t in phase.delays]
    H = respond(FIR(fir.taps, [c + t for c, t in zip(fir.origins, whole, strict=True)]), grid, workers)
    for axis, (t, w) in enumerate(zip(phase.delays, whole, strict=True)):
        if t != w:
            H = H * spectrum.wave(-0.5 * grid.f[axis]).reshape((-1,) + (1,) * (len(grid.f) - axis - 1))
    return np.ascontiguousarray(H.real if phase.symmetric else H.imag)


def followed_phase(fir: FIR, f: np.ndarray, workers: int) -> np.ndarray:
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


def phase_of_roots(iir: IIR, f: np.ndarray) -> np.ndarray:
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


def line_delay(taps: np.ndarray, origin: int, f: np.ndarray, workers: int, grid: Grid | None = None) -> np.ndarray:
    """Re(Σ n·h·z⁻ⁿ / H) about the middle of the taps, with limits where H is lost in rounding."""
    grid = Grid((f,), "points") if grid is None else grid
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


def plane_delays(fir: FIR, grid: Grid, workers: int) -> np.ndarray:
    """Per axis, Re(Σ n_axis·h·z⁻ⁿ / H) on the plane; NaN where H is zero."""
    H = respond(fir, grid, workers)
    out = []
    for axis, (k, c) in enumerate(zip(fir.shape, fir.origins, strict=True)):
        n = (np.arange(k) - c).reshape((-1,) + (1,) * (fir.ndim - axis - 1))
        with np.errstate(divide="ignore", invalid="ignore"):
            out.append((respond(FIR(fir.taps * n, fir.origin), grid, workers) / H).real)
    return np.stack(out)
