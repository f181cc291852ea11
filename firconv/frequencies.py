"""Which frequencies a response is asked for, the same words for every function of `response`."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from firconv.rational import IIR
from firconv.systems import FIR


class Grid(NamedTuple):
    """Frequencies per axis in cycles per sample, and how they were asked for."""

    f: tuple[np.ndarray, ...]
    kind: str  # "circle", "band" or "points"
    period: int = 0
    shape: tuple[int, ...] | None = None  # of scalar or n-D freqs in one dimension


def as_system(system: Any, fs: float | None) -> FIR | IIR:
    """A system as it is, bare taps as an FIR of origin 0 and rate `fs`."""
    if not isinstance(system, (FIR, IIR)):
        return FIR(system, fs=1.0 if fs is None else fs)
    if fs is not None:
        raise ValueError(f"response(system, fs={fs!r}): the system has its own rate, fs={system.fs:g}; leave fs out")
    return system


def grid_of(system: FIR | IIR, freqs: Any, n: Any, band: Any, whole: bool) -> Grid:
    """The frequencies of one call, checked."""
    if (freqs is not None) + (band is not None) + bool(whole) > 1 or (freqs is not None and n is not None):
        raise ValueError("response(system, …): give the points once: freqs=, or band= with n, or whole= with n")
    if isinstance(system, FIR) and system.ndim > 1:
        return _plane_grid(system, freqs, n, band, whole)
    if freqs is not None:
        f = _real(freqs)
        return Grid((f.ravel() / system.fs,), "points", shape=f.shape)
    count = _count(512 if n is None else n)
    if band is None:
        period = count if whole else 2 * count
        return Grid((np.arange(count) / period,), "circle", period)
    lo, hi = _band(band)
    return Grid((np.linspace(lo, hi, count) / system.fs,), "band")


def _plane_grid(system: FIR, freqs: Any, n: Any, band: Any, whole: bool) -> Grid:
    ndim = system.ndim
    if whole:
        raise ValueError(f"response(system, whole=True): the grid of {ndim} dimensions is always the whole plane")
    if freqs is not None:
        axes = list(freqs) if isinstance(freqs, (tuple, list)) or np.ndim(freqs) else [freqs]
        if len(axes) != ndim:
            raise ValueError(f"response(system, freqs=…): {len(axes)} entries for {ndim} dimensions; give a tuple of "
                             "one array per axis")
        return Grid(tuple(np.atleast_1d(_real(v)) / system.fs for v in axes), "points")
    counts = [_count(v) for v in ((64 if n is None else n,) * ndim if np.ndim(n) == 0 else n)]
    if len(counts) != ndim:
        raise ValueError(f"response(system, n={n!r}): give one number for each of the {ndim} axes")
    if band is None:
        return Grid(tuple((np.arange(k) - k // 2) / k for k in counts), "circle")
    bands = [band] * ndim if np.ndim(band) == 1 else list(band)
    if len(bands) != ndim:
        raise ValueError(f"response(system, band={band!r}): give one (lo, hi), or one for each of the {ndim} axes")
    return Grid(tuple(np.linspace(*_band(b), k) / system.fs for b, k in zip(bands, counts, strict=True)), "points")


def _real(freqs: Any) -> np.ndarray:
    f = np.asarray(freqs)
    if f.dtype.kind not in "buif" or not np.isfinite(f).all():
        raise ValueError(f"response(system, freqs={freqs!r}): frequencies are finite real numbers, in the unit of fs")
    return f.astype(float)


def _count(n: Any) -> int:
    if not isinstance(n, (int, np.integer)) or n < 1:
        raise ValueError(f"response(system, n={n!r}): the number of points is an integer of at least 1")
    return int(n)


def _band(band: Any) -> tuple[float, float]:
    if np.shape(band) != (2,) or not band[0] < band[1]:
        raise ValueError(f"response(system, band={band!r}): give (lo, hi) with lo < hi, in the unit of fs")
    return float(band[0]), float(band[1])


def units(grid: Grid, system: FIR | IIR) -> Any:
    """The frequencies in the unit of fs, as the caller gets them."""
    f = tuple(v * system.fs for v in grid.f)
    return f if system.ndim > 1 else shaped(grid, f[0])


def shaped(grid: Grid, values: np.ndarray) -> np.ndarray:
    """Values in the shape of the frequencies asked for."""
    return values if grid.shape is None else values.reshape(grid.shape)
