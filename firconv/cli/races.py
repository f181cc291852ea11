"""The jobs on which ``firconv demo`` races against scipy."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import firconv
from firconv.cli.samples import Case

Array = np.ndarray
Rivals = dict[str, Callable[[Array], Any]]
SECONDS = 1.0  # of racing per job, in which the best time of each counts


@dataclass(frozen=True)
class Race:
    """Best times in seconds of one job."""

    job: str
    shape: str
    ours: float
    method: str
    theirs: float
    rival: str


def races(done: list[Case]) -> list[Race]:
    """The same jobs by scipy's fastest function and by firconv, in turns, on one thread each."""
    from scipy import ndimage, signal

    eeg, mri, photo = done
    h, column, kernel = eeg.fir.taps, eeg.fir.taps[:, None], mri.fir.taps
    hours, trace = np.tile(eeg.x, (500, 1)), np.tile(eeg.x[:, 0], 125)
    pixels, sharp = photo.x.astype(np.float32), photo.fir.taps
    lines: Rivals = {
        "oaconvolve": lambda x: signal.oaconvolve(x, column, "same", axes=0),
        "convolve1d": lambda x: ndimage.convolve1d(x, h, axis=0, mode="constant"),
    }
    images: Rivals = {
        "ndimage.convolve": lambda x: ndimage.convolve(x, kernel, mode="mirror"),
        "gaussian_filter": lambda x: ndimage.gaussian_filter(x, 2.0, mode="mirror"),
    }
    return [
        _race("EEG, 81 taps", eeg.x, h, {"axes": 0}, lines),
        _race("EEG × 500, 81 taps", hours, h, {"axes": 0}, lines),
        _race("EEG, 100,000 taps", trace, trace, {}, {"fftconvolve": lambda x: signal.fftconvolve(x, x, "same")}),
        _race("MRI, 17² taps", mri.x, kernel, {"boundary": "reflect"}, images),
        _race(
            "photo, 17² taps",
            pixels,
            sharp,
            {"boundary": "reflect", "axes": (0, 1)},
            {"ndimage.convolve": lambda x: ndimage.convolve(x, sharp[..., None], mode="mirror")},
        ),
    ]


def _race(job: str, x: Array, h: Array, keywords: dict[str, Any], rivals: Rivals) -> Race:
    plan = firconv.plan(x, h, "same", **keywords)
    runners: Rivals = {"firconv": lambda x: plan(x, workers=1), **rivals}
    best = dict.fromkeys(runners, np.inf)
    for run in runners.values():
        run(x)
    begun = time.perf_counter()
    while time.perf_counter() - begun < SECONDS:
        for name, run in runners.items():
            start = time.perf_counter()
            run(x)
            best[name] = min(best[name], time.perf_counter() - start)
    rival = min(rivals, key=best.__getitem__)
    return Race(job, "×".join(f"{n:,}" for n in x.shape), best["firconv"], plan.method, best[rival], rival)
