"""The signals of ``firconv demo``, from matplotlib's own samples, and the filter for each.

A brain's electrical activity (EEG, 4 channels), a slice of a head (MRI) and a photograph.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import firconv
from firconv import filters
from firconv.files import sample
from firconv.systems import FIR

Array = np.ndarray
EEG_RATE = 80.0  # samples per second: 800 in the ten seconds that matplotlib's own example shows


@dataclass(frozen=True, eq=False)
class Case:
    """One signal, the filter chosen for it, and what came out.

    Attributes
    ----------
    name, title, doing : of the figure, of the signal, of the filter
    x, y : before and after
    fir : the filter
    boundary : what lies beyond the ends
    """

    name: str
    title: str
    doing: str
    x: Array
    y: Array
    fir: FIR
    boundary: str

    @property
    def axes(self) -> tuple[int, ...]:
        return tuple(range(self.fir.ndim))


def cases() -> list[Case]:
    """The three signals, filtered."""
    from scipy.signal import firwin

    eeg, mri, photo = (sample(name).array for name in ("eeg", "mri", "photo"))
    alpha = FIR(firwin(81, (8, 13), pass_zero="bandpass", fs=EEG_RATE), "center", fs=EEG_RATE)
    blur, sharp = filters.gaussian(2.0, 2), filters.unsharp(2.0, 1.0)
    sharp = FIR(sharp.taps.astype(np.float32), sharp.origin)  # 8-bit pixels need no more
    return [
        _case("eeg", "EEG, 4 channels", "alpha band-pass, 8–13 Hz, 81 taps", eeg, alpha, "symmetric"),
        _case("mri", "MRI, 256 × 256", "Gaussian, σ = 2 pixels, 17 × 17 taps", mri.astype(float), blur, "reflect"),
        _case("photo", "Photo, 600 × 512 × 3", "unsharp mask, σ = 2 pixels, amount 1", photo, sharp, "reflect"),
    ]


def _case(name: str, title: str, doing: str, x: Array, fir: FIR, boundary: str) -> Case:
    axes = tuple(range(fir.ndim))
    y = firconv.convolve(x, fir.taps, "same", boundary=boundary, axes=axes, origin=fir.origins)
    return Case(name, title, doing, x, y, fir, boundary)
