"""The laws that ``firconv demo`` checks on real data, each with its error and its bound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

import firconv
from firconv import filters
from firconv.cli.samples import Case

Array = np.ndarray


@dataclass(frozen=True)
class Law:
    """A law that held, or not: the largest error, and what rounding can explain."""

    name: str
    data: str
    error: float
    bound: float

    @property
    def holds(self) -> bool:
        return self.error <= self.bound


def laws(done: list[Case]) -> list[Law]:
    """What must hold for convolution and correlation, on the three signals.

    Bounds are normwise, for what a transform of N points may lose, 13·log₂N·u·‖x‖₂·‖h‖₂ for each convolution of the
    equation. A bound of 0 says: the same bits.
    """
    convolve, correlate = firconv.convolve, firconv.correlate
    x, z = np.ascontiguousarray(done[0].x[:, 0]), np.ascontiguousarray(done[0].x[:, 1])
    h, g = done[0].fir.taps, filters.gaussian(1.5).taps
    image, kernel, pixels = done[1].x, done[1].fir.taps, done[2].x[..., 1]
    sobel = filters.sobel(axis=1, integer=True).taps
    long_z = np.concatenate([z, np.zeros(len(h) - 1)])
    eeg, mri = 2 * _rounding(x, h), 2 * _rounding(image, kernel)
    pairs: list[tuple[str, str, Any, Any, float]] = [
        ("x * h = h * x", "EEG", convolve(x, h), convolve(h, x), eeg),
        (
            "(x * g) * h = x * (g * h)",
            "EEG",
            convolve(convolve(x, g), h),
            convolve(x, convolve(g, h)),
            4 * _rounding(x, g, h),
        ),
        ("x ⋆ h = x * reversed conj h", "EEG", correlate(x, h), convolve(x, h[::-1].conj()), 0.0),
        ("(x ⋆ z) at lag l = (z ⋆ x) at −l", "EEG", correlate(x, z), correlate(z, x)[::-1], 2 * _rounding(x, z)),
        (
            "⟨x * h, z⟩ = ⟨x, z ⋆ h⟩",
            "EEG",
            np.vdot(convolve(x, h), long_z),
            np.vdot(x, correlate(long_z, h, "valid")),
            2 * _rounding(x, h, z),
        ),
        ("transform of x * h = X·H", "EEG", np.fft.rfft(convolve(x, h)), _product(x, h), len(x) ** 0.5 * eeg),
        (
            "overlap-save = the defining sum",
            "EEG",
            convolve(x, h, method="overlap_save"),
            convolve(x, h, method="reference"),
            eeg,
        ),
        ("in blocks of any length = at once", "EEG", _streamed(done[0]), _called(done[0]), 0.0),
        (
            "Σ (x * h) = Σx · Σh",
            "MRI",
            convolve(image, kernel).sum(),
            image.sum() * kernel.sum(),
            image.size**0.5 * mri,
        ),
        ("shift, then filter = filter, then shift", "MRI", *_shifted(image, kernel), 0.0),
        (
            "2-D Gaussian = rows, then columns",
            "MRI",
            convolve(image, kernel),
            _by_axes(image, filters.gaussian(2.0).taps),
            mri,
        ),
        ("integers are exact", "photo", convolve(pixels, sobel), _exact(pixels, sobel), 0.0),
        ("1 thread = all threads", "photo", _threads(done[2], 1), _threads(done[2], None), 0.0),
    ]
    return [_law(*pair) for pair in pairs]


def _law(name: str, data: str, left: Any, right: Any, bound: float) -> Law:
    return Law(name, data, float(np.abs(np.subtract(left, right)).max()), bound)


def _rounding(x: Array, *taps: Array) -> float:
    size = np.size(x) + sum(map(np.size, taps))
    norms = [float(np.linalg.norm(values)) for values in (x, *taps)]
    return float(13 * np.log2(size) * np.finfo(float).eps / 2 * np.prod(norms))


def _product(x: Array, h: Array) -> Array:
    n = len(x) + len(h) - 1
    return np.asarray(np.fft.rfft(x, n) * np.fft.rfft(h, n))


def _called(case: Case) -> Array:
    return np.asarray(firconv.convolve(case.x, case.fir.taps, "same", axes=0))


def _streamed(case: Case) -> Array:
    stream = firconv.plan(case.x, case.fir.taps, "same", axes=0).stream()
    cuts = np.cumsum(np.arange(1, 97, 7))  # blocks of 1, 8, 15 … samples
    blocks = np.split(case.x, cuts[cuts < len(case.x)])
    return np.concatenate([*(stream.push(block) for block in blocks), stream.flush()])


def _shifted(image: Array, kernel: Array) -> tuple[Array, Array]:
    def filtered(x: Array) -> Array:
        return np.asarray(firconv.convolve(x, kernel, "same", boundary="wrap", method="direct"))

    return filtered(np.roll(image, (31, 57), (0, 1))), np.roll(filtered(image), (31, 57), (0, 1))


def _by_axes(image: Array, taps: Array) -> Array:
    return np.asarray(firconv.convolve(firconv.convolve(image, taps, axes=0), taps, axes=1))


def _exact(pixels: Array, taps: Array) -> Array:
    from scipy.signal import convolve2d

    return np.asarray(convolve2d(pixels.astype(np.int64), taps.astype(np.int64)))


def _threads(case: Case, workers: int | None) -> Array:
    h, axes = case.fir.taps, case.axes
    return np.asarray(firconv.convolve(case.x, h, "same", axes=axes, boundary=case.boundary, workers=workers))
