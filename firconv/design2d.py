"""2-D filters from 1-D ones, from windows, and from samples of the wanted response; all centred.

Desired responses are arrays over the plane −fs/2 ≤ f < fs/2 of both axes, as `frequency_response` gives it (MATLAB's
freqspace), or functions of the two frequencies.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from firconv.response import linear_phase
from firconv.systems import FIR

__all__ = ["frequency_sampling_2d", "frequency_transformation", "separable", "window_2d"]

#: McClellan's transformation: cos ω → (cos ω₀ + cos ω₁ + cos ω₀·cos ω₁ − 1)/2, nearly circular near zero.
MCCLELLAN = np.array([[1, 2, 1], [2, -4, 2], [1, 2, 1]]) / 8


def separable(rows: FIR, columns: FIR | None = None) -> FIR:
    """The 2-D filter H(f₀, f₁) = H_rows(f₀)·H_columns(f₁); with one filter, the same along both axes.

    Its pass region is a rectangle; the ripples of the two add up.

    Examples
    --------
    >>> separable(FIR([1, 2, 1], origin=1)).taps
    array([[1, 2, 1],
           [2, 4, 2],
           [1, 2, 1]])
    """
    if not isinstance(rows, FIR):
        raise TypeError(f"separable({rows!r}, …): give an FIR; FIR(taps, origin) makes one of taps")
    return rows.outer(rows if columns is None else columns)


def frequency_transformation(fir: FIR, transform: Any = None) -> FIR:
    """The rotational 2-D filter whose response is that of `fir` along the contours of a transformation (ftrans2).

    A(ω) = Σ a[n]·cos(nω) becomes Σ a[n]·Tₙ(F(ω₀, ω₁)) with Chebyshev's Tₙ, where F replaces cos ω. With McClellan's F
    the axes carry the 1-D response exactly: H(f, 0) = H(0, f) = H(f), contours are nearly circular for low f.

    Parameters
    ----------
    fir : FIR, 1-D, real, symmetric, of odd length
    transform : array, optional
        Taps of F, centred; default McClellan's 3×3.

    Raises
    ------
    ValueError
        For other taps, or a transform that is not symmetric about its middle.

    Examples
    --------
    >>> frequency_transformation(FIR([1, 2, 1], origin=1) / 4).taps * 16
    array([[1., 2., 1.],
           [2., 4., 2.],
           [1., 2., 1.]])
    """
    phase = linear_phase(fir) if isinstance(fir, FIR) and fir.ndim == 1 else None
    if phase is None or phase.type != "I" or fir.taps.dtype.kind == "c":
        raise ValueError("frequency_transformation(fir): needs real, 1-D taps of odd length, symmetric about the "
                         "middle")
    f = MCCLELLAN if transform is None else np.asarray(transform, float)
    if f.ndim != 2 or f.shape[0] % 2 == 0 or f.shape[1] % 2 == 0 or not np.array_equal(f, np.flip(f)):
        raise ValueError(f"frequency_transformation(…, transform): shape {f.shape}; it must be 2-D, of odd "
                         "lengths, symmetric")
    F = FIR(f, [k // 2 for k in f.shape], fir.fs)
    taps = fir.crop().taps.astype(float)
    half = taps[taps.size // 2:] * np.where(np.arange(taps.size // 2 + 1) == 0, 1.0, 2.0)
    before, now = None, FIR(np.ones((1, 1)), (0, 0), fir.fs)
    total = half[0] * now
    for a in half[1:]:  # Tₙ₊₁ = 2F·Tₙ − Tₙ₋₁
        before, now = now, (F if before is None else 2 * (F @ now) - before)
        total = total + a * now
    return total


def frequency_sampling_2d(response: Any, shape: int | Sequence[int] | None = None, fs: float = 1.0) -> FIR:
    """The filter that takes the desired values exactly at the points of the plane (fsamp2); between them it ripples.

    Parameters
    ----------
    response : array (n₀, n₁), or function of (f₀, f₁) with `shape`
        Real and the same at f and −f for real taps. Odd lengths make the taps symmetric.

    Examples
    --------
    >>> fir = frequency_sampling_2d(lambda f0, f1: np.hypot(f0, f1) < 0.25, 11)
    >>> fir.shape, fir.origin
    ((11, 11), (5, 5))
    """
    wanted = _wanted(response, shape, fs)
    origin = [k // 2 for k in wanted.shape]
    taps: np.ndarray = np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(wanted)))
    if wanted.dtype.kind != "c" and np.abs(taps.imag).max() <= 1e-12 * np.abs(taps).max(initial=1e-300):
        taps = taps.real
    return FIR(np.ascontiguousarray(taps), origin, fs)


def window_2d(response: Any, window: Any, shape: int | Sequence[int] | None = None, fs: float = 1.0) -> FIR:
    """The desired response's taps under a 2-D window (fwind1, fwind2).

    Parameters
    ----------
    response : array (n₀, n₁), or function of (f₀, f₁) with `shape`
    window : str or tuple (`scipy.signal.get_window`), 1-D array, pair of 1-D arrays, or 2-D array
        One 1-D window is rotated (Huang's method), a pair makes an outer product, a 2-D one is taken as it is.

    Examples
    --------
    >>> fir = window_2d(lambda f0, f1: np.hypot(f0, f1) < 0.25, "hamming", 21)
    >>> fir.shape, bool(np.allclose(fir.taps, np.rot90(fir.taps)))
    ((21, 21), True)
    """
    ideal = frequency_sampling_2d(response, shape, fs)
    return FIR(ideal.taps * _window(window, ideal.shape), ideal.origin, fs)


def _wanted(response: Any, shape: int | Sequence[int] | None, fs: float) -> np.ndarray:
    if not callable(response):
        wanted = np.asarray(response)
    elif shape is None:
        raise ValueError("a response given as a function needs shape=, the number of taps per axis")
    else:
        counts = (shape, shape) if isinstance(shape, (int, np.integer)) else tuple(shape)
        wanted = _sampled(response, counts, fs)
    if wanted.ndim != 2 or wanted.size == 0 or wanted.dtype.kind not in "biufc":
        raise ValueError(f"a desired response is a 2-D array of numbers, not {wanted.dtype} of shape {wanted.shape}")
    return wanted if wanted.dtype.kind == "c" else wanted.astype(float)


def _sampled(response: Callable[..., Any], counts: Sequence[int], fs: float) -> np.ndarray:
    f0, f1 = ((np.arange(k) - k // 2) / k * fs for k in counts)
    return np.asarray(np.broadcast_to(response(f0[:, None], f1), (f0.size, f1.size)))


def _window(window: Any, shape: tuple[int, ...]) -> np.ndarray:
    if isinstance(window, str) or (isinstance(window, tuple) and window and isinstance(window[0], str)):
        from scipy.signal import get_window

        try:
            window = get_window(window, max(shape), fftbins=False)
        except ValueError as error:
            raise ValueError(f"window_2d(…, window={window!r}): scipy.signal.get_window refuses it: {error}") from error
    if not isinstance(window, np.ndarray) and len(window) == 2 and np.ndim(window[0]) == 1:
        window = np.multiply.outer(*map(np.asarray, window))
    window = np.asarray(window, float)
    if window.ndim == 1:
        return _rotated(window, shape)
    if window.shape != shape:
        raise ValueError(f"window_2d(…, window): shape {window.shape} does not fit the taps' {shape}")
    return window


def _rotated(window: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """w(√(t₀² + t₁²)), t from −1 to 1 along each axis, zero outside the circle."""
    t0, t1 = (np.linspace(-1, 1, k) if k > 1 else np.zeros(1) for k in shape)
    radius = np.hypot(t0[:, None], t1)
    inside = radius <= 1 + 1e-12
    return np.where(inside, np.interp(np.minimum(radius, 1), np.linspace(-1, 1, window.size), window), 0.0)
