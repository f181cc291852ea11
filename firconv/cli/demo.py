"""``firconv demo``: filter real data, check the laws on it, time it against scipy, and draw it.

A brain's electrical activity (EEG, 4 channels), a slice of a head (MRI) and a photograph, all from matplotlib's samples.
"""

from __future__ import annotations

import argparse
import gzip
import io
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import firconv
from firconv import filters
from firconv.files import whole
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


@dataclass(frozen=True)
class Race:
    """Best times in seconds of one job."""

    job: str
    ours: float
    method: str
    theirs: float
    rival: str


def run_demo(options: argparse.Namespace) -> None:
    """Filter, check, time and draw; a folder with figures and the tables as text."""
    from rich.console import Console

    folder = Path(options.folder)
    os.makedirs(folder, exist_ok=True)
    console = Console(highlight=False)
    with console.status("compiling and filtering", spinner="line"):
        done = cases()
    with console.status("checking the laws", spinner="line"):
        checked = laws(done)
    with console.status("timing", spinner="line"):
        raced = races(done)
    with console.status("drawing", spinner="line"):
        from firconv.cli.figures import draw

        drawn = draw(done, folder)
    report(console, done, checked, raced)
    text = Console(file=io.StringIO(), width=100, highlight=False)
    report(text, done, checked, raced)
    with whole(folder / "tables.txt") as part:
        part.write_text(text.file.getvalue(), encoding="utf-8")
    console.print(f"\n{len(drawn)} figures and tables.txt are in [bold]{folder.resolve()}[/]", soft_wrap=True)
    if not all(law.holds for law in checked):
        raise ArithmeticError("a law failed; please report the table above")


# ── the data ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def cases() -> list[Case]:
    """The three signals, filtered."""
    from PIL import Image
    from scipy.signal import firwin

    eeg = np.frombuffer(_sample("eeg.dat"), "<f8").reshape(-1, 4).astype(float)
    mri = np.frombuffer(gzip.decompress(_sample("s1045.ima.gz")), ">u2").reshape(256, 256).astype(np.uint16)
    photo = np.asarray(Image.open(io.BytesIO(_sample("grace_hopper.jpg"))))
    alpha = FIR(firwin(81, (8, 13), pass_zero="bandpass", fs=EEG_RATE), "center", fs=EEG_RATE)
    return [
        _case("eeg", "EEG, 4 channels", "alpha rhythm: 8–13 Hz band-pass, 81 taps", eeg, alpha, "symmetric"),
        _case("mri", "MRI, 256 × 256", "Gaussian, σ = 2 pixels, 17 × 17 taps", mri.astype(float), filters.gaussian(2.0, 2), "reflect"),
        _case("photo", "Photo, 600 × 512 × 3", "unsharp mask, σ = 2, amount 1.5", photo, _single(filters.unsharp(2.0, 1.5)), "reflect"),
    ]


def _case(name: str, title: str, doing: str, x: Array, fir: FIR, boundary: str) -> Case:
    axes = tuple(range(fir.ndim))
    y = firconv.convolve(x, fir.taps, "same", boundary=boundary, axes=axes, origin=fir.origins)
    return Case(name, title, doing, x, y, fir, boundary)


def _single(fir: FIR) -> FIR:
    return FIR(fir.taps.astype(np.float32), fir.origin)


def _sample(name: str) -> bytes:
    from matplotlib.cbook import get_sample_data

    return Path(str(get_sample_data(name, asfileobj=False))).read_bytes()


# ── the laws ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def laws(done: list[Case]) -> list[Law]:
    """What must hold for convolution and correlation, on the three signals.

    Bounds are normwise, for what a transform of N points may lose: 13·log₂N·u·‖x‖₂·‖h‖₂ for each side of the equation.
    A bound of 0 says: the same bits.
    """
    eeg, mri, photo = done
    x, h = np.ascontiguousarray(eeg.x[:, 0]), eeg.fir.taps
    g = filters.gaussian(1.5).taps
    image, kernel = mri.x, mri.fir.taps
    pixels, sobel = photo.x[..., 1], filters.sobel(axis=1, integer=True).taps
    convolve, correlate = firconv.convolve, firconv.correlate
    other = np.ascontiguousarray(eeg.x[:, 1])
    return [
        _law("x * h = h * x", "EEG", convolve(x, h), convolve(h, x), _rounding(x, h)),
        _law("(x * g) * h = x * (g * h)", "EEG", convolve(convolve(x, g), h), convolve(x, convolve(g, h)), 2 * _rounding(x, g, h)),
        _law("x ⋆ h = x * reversed conj h", "EEG", correlate(x, h), convolve(x, h[::-1].conj()), 0.0),
        _law("correlation of x and z at lag −l = that of z and x at l", "EEG", correlate(x, other), correlate(other, x)[::-1],
             2 * _rounding(x, other)),
        _law("⟨x * h, z⟩ = ⟨x, z ⋆ h⟩", "EEG", np.vdot(convolve(x, h), _padded(other, h)),
             np.vdot(x, correlate(_padded(other, h), h, "valid")), 2 * _rounding(x, h) * float(np.linalg.norm(_padded(other, h)))),
        _law("transform of x * h = X·H", "EEG", np.fft.rfft(convolve(x, h)), _product(x, h), 2 * len(x) ** 0.5 * _rounding(x, h)),
        _law("blocks of 1 … 97 samples = one call", "EEG", _streamed(eeg), _called(eeg), 0.0),
        _law("Σ (x * h) = Σx · Σh", "MRI", convolve(image, kernel).sum(), image.sum() * kernel.sum(),
             _rounding(image, kernel) * image.size**0.5),
        _law("shift, then filter = filter, then shift", "MRI", *_shifted(image, kernel), 0.0),
        _law("2-D Gaussian = rows, then columns", "MRI", convolve(image, kernel), _by_axes(image, filters.gaussian(2.0).taps),
             2 * _rounding(image, kernel)),
        _law("overlap-save = the defining sum", "MRI", convolve(image, kernel, method="overlap_save"),
             convolve(image, kernel, method="reference"), 2 * _rounding(image, kernel)),
        _law("Sobel of integers = exact integers", "photo", convolve(pixels, sobel), _exact(pixels, sobel), 0.0),
        _law("1 thread = all threads", "photo", _threads(photo, 1), _threads(photo, None), 0.0),
    ]


def _law(name: str, data: str, left: Any, right: Any, bound: float) -> Law:
    return Law(name, data, float(np.abs(np.subtract(left, right)).max()), bound)


def _rounding(x: Array, *taps: Array) -> float:
    size = np.size(x) + sum(map(np.size, taps))
    unit = np.finfo(float).eps / 2
    return float(2 * 13 * np.log2(size) * unit * np.linalg.norm(x) * np.prod([np.linalg.norm(h) for h in taps]))


def _padded(z: Array, h: Array) -> Array:
    return np.concatenate([z, np.zeros(len(h) - 1)])


def _product(x: Array, h: Array) -> Array:
    n = len(x) + len(h) - 1
    return np.asarray(np.fft.rfft(x, n) * np.fft.rfft(h, n))


def _called(case: Case) -> Array:
    return np.asarray(firconv.convolve(case.x, case.fir.taps, "same", axes=0))


def _streamed(case: Case) -> Array:
    stream = firconv.plan(case.x, case.fir.taps, "same", axes=0).stream()
    cuts = np.cumsum(np.arange(1, 97, 7))
    return np.concatenate([*(stream.push(block) for block in np.split(case.x, cuts[cuts < len(case.x)])), stream.flush()])


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
    return np.asarray(firconv.convolve(case.x, case.fir.taps, "same", axes=case.axes, boundary=case.boundary, workers=workers))


# ── the race ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def races(done: list[Case]) -> list[Race]:
    """The same jobs by scipy's fastest function and by firconv, in turns, on one thread each."""
    from scipy import ndimage, signal

    eeg, mri, photo = done
    long = np.tile(eeg.x, (500, 1))
    h, column = eeg.fir.taps, eeg.fir.taps[:, None]
    trace = np.ascontiguousarray(long[:100_000, 0])
    cube = photo.fir.taps[..., None]
    return [
        _race("EEG, 800 × 4, 81 taps", eeg.x, h, {"axes": 0}, {
            "signal.oaconvolve": lambda: signal.oaconvolve(eeg.x, column, "same", axes=0),
            "ndimage.convolve1d": lambda: ndimage.convolve1d(eeg.x, h, axis=0, mode="constant")}),
        _race("EEG × 500, 400,000 × 4, 81 taps", long, h, {"axes": 0}, {
            "signal.oaconvolve": lambda: signal.oaconvolve(long, column, "same", axes=0),
            "ndimage.convolve1d": lambda: ndimage.convolve1d(long, h, axis=0, mode="constant")}),
        _race("EEG with itself, 100,000 × 100,000", trace, trace, {}, {
            "signal.fftconvolve": lambda: signal.fftconvolve(trace, trace, "same")}),
        _race("MRI, 256², 17 × 17 taps", mri.x, mri.fir.taps, {"boundary": "reflect"}, {
            "ndimage.convolve": lambda: ndimage.convolve(mri.x, mri.fir.taps, mode="mirror"),
            "ndimage.gaussian_filter": lambda: ndimage.gaussian_filter(mri.x, 2.0, mode="mirror")}),
        _race("Photo, 600 × 512 × 3, 17 × 17 taps", photo.x.astype(np.float32), photo.fir.taps, {"boundary": "reflect", "axes": (0, 1)}, {
            "ndimage.convolve": lambda: ndimage.convolve(photo.x.astype(np.float32), cube, mode="mirror")}),
    ]  # fmt: skip


def _race(job: str, x: Array, h: Array, keywords: dict[str, Any], rivals: dict[str, Callable[[], Any]]) -> Race:
    plan = firconv.plan(x, h, "same", **keywords)
    runners: dict[str, Callable[[], Any]] = {"firconv": lambda: plan(x, workers=1), **rivals}
    best = dict.fromkeys(runners, np.inf)
    for run in runners.values():
        run()
    begun = time.perf_counter()
    for turn in range(50):
        for name, run in runners.items():
            start = time.perf_counter()
            run()
            best[name] = min(best[name], time.perf_counter() - start)
        if turn >= 2 and time.perf_counter() - begun > 1.0:
            break
    rival = min(rivals, key=best.__getitem__)
    return Race(job, best["firconv"], plan.method, best[rival], rival)


# ── the report ────────────────────────────────────────────────────────────────────────────────────────────────────────


def report(console: Any, done: list[Case], checked: list[Law], raced: list[Race]) -> None:
    """The three tables."""
    from rich import box
    from rich.table import Table

    def table(title: str, *columns: str, numbers: tuple[str, ...]) -> Table:
        made = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
        for column in columns:
            made.add_column(column, justify="right" if column in numbers else "left", no_wrap=column in numbers)
        return made

    what = table("What was filtered", "signal", "filter", "boundary", numbers=())
    for case in done:
        what.add_row(case.title, case.doing, case.boundary)
    held = table("Laws, on these data", "law", "data", "error", "bound", "holds", numbers=("error", "bound"))
    for law in checked:
        held.add_row(law.name, law.data, f"{law.error:.1e}" if law.error else "0", f"{law.bound:.1e}" if law.bound else "0",
                     "yes" if law.holds else "[bold red]NO[/]")
    times = table("Best times, one thread each, in turns", "job", "firconv", "scipy's fastest", "", "ratio",
                  numbers=("firconv", "scipy's fastest", "ratio"))
    for race in raced:
        times.add_row(race.job, _duration(race.ours), _duration(race.theirs), race.rival, f"{race.theirs / race.ours:.1f} ×")
    for made in (what, held, times):
        console.print(made)


def _duration(seconds: float) -> str:
    return f"{seconds * 1e6:.0f} µs" if seconds < 1e-3 else f"{seconds * 1e3:.1f} ms"
