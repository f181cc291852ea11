"""``firconv demo``: filter real data, check the laws on it, time it against scipy, and draw it.

A brain's electrical activity (EEG, 4 channels), a slice of a head (MRI) and a photograph, from matplotlib's samples.
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
Rivals = dict[str, Callable[[Array], Any]]
SECONDS = 1.0  # of racing per job, in which the best time of each counts
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
    shape: str
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
    with whole(folder / "tables.txt") as part, open(part, "w", encoding="utf-8") as file:
        report(Console(file=file, width=100, highlight=False), done, checked, raced)
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
    blur, sharp = filters.gaussian(2.0, 2), filters.unsharp(2.0, 1.5)
    sharp = FIR(sharp.taps.astype(np.float32), sharp.origin)  # 8-bit pixels need no more
    return [
        _case("eeg", "EEG, 4 channels", "alpha band-pass, 8–13 Hz, 81 taps", eeg, alpha, "symmetric"),
        _case("mri", "MRI, 256 × 256", "Gaussian, σ = 2 pixels, 17 × 17 taps", mri.astype(float), blur, "reflect"),
        _case("photo", "Photo, 600 × 512 × 3", "unsharp mask, σ = 2 pixels, amount 1.5", photo, sharp, "reflect"),
    ]


def _case(name: str, title: str, doing: str, x: Array, fir: FIR, boundary: str) -> Case:
    axes = tuple(range(fir.ndim))
    y = firconv.convolve(x, fir.taps, "same", boundary=boundary, axes=axes, origin=fir.origins)
    return Case(name, title, doing, x, y, fir, boundary)


def _sample(name: str) -> bytes:
    from matplotlib.cbook import get_sample_data

    return Path(str(get_sample_data(name, asfileobj=False))).read_bytes()


# ── the laws ──────────────────────────────────────────────────────────────────────────────────────────────────────────


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
        ("(x * g) * h = x * (g * h)", "EEG", convolve(convolve(x, g), h), convolve(x, convolve(g, h)),
         4 * _rounding(x, g, h)),
        ("x ⋆ h = x * reversed conj h", "EEG", correlate(x, h), convolve(x, h[::-1].conj()), 0.0),
        ("(x ⋆ z) at lag l = (z ⋆ x) at −l", "EEG", correlate(x, z), correlate(z, x)[::-1], 2 * _rounding(x, z)),
        ("⟨x * h, z⟩ = ⟨x, z ⋆ h⟩", "EEG", np.vdot(convolve(x, h), long_z),
         np.vdot(x, correlate(long_z, h, "valid")), 2 * _rounding(x, h, z)),
        ("transform of x * h = X·H", "EEG", np.fft.rfft(convolve(x, h)), _product(x, h), len(x) ** 0.5 * eeg),
        ("overlap-save = the defining sum", "EEG", convolve(x, h, method="overlap_save"),
         convolve(x, h, method="reference"), eeg),
        ("in blocks of any length = at once", "EEG", _streamed(done[0]), _called(done[0]), 0.0),
        ("Σ (x * h) = Σx · Σh", "MRI", convolve(image, kernel).sum(), image.sum() * kernel.sum(),
         image.size**0.5 * mri),
        ("shift, then filter = filter, then shift", "MRI", *_shifted(image, kernel), 0.0),
        ("2-D Gaussian = rows, then columns", "MRI", convolve(image, kernel),
         _by_axes(image, filters.gaussian(2.0).taps), mri),
        ("integers are exact", "photo", convolve(pixels, sobel), _exact(pixels, sobel), 0.0),
        ("1 thread = all threads", "photo", _threads(done[2], 1), _threads(done[2], None), 0.0),
    ]  # fmt: skip
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


# ── the race ──────────────────────────────────────────────────────────────────────────────────────────────────────────


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
        _race("EEG, 100,000 taps", trace, trace, {},
              {"fftconvolve": lambda x: signal.fftconvolve(x, x, "same")}),
        _race("MRI, 17 × 17 taps", mri.x, kernel, {"boundary": "reflect"}, images),
        _race("photo, 17 × 17 taps", pixels, sharp, {"boundary": "reflect", "axes": (0, 1)},
              {"ndimage.convolve": lambda x: ndimage.convolve(x, sharp[..., None], mode="mirror")}),
    ]  # fmt: skip


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
    return Race(job, " × ".join(f"{n:,}" for n in x.shape), best["firconv"], plan.method, best[rival], rival)


# ── the report ────────────────────────────────────────────────────────────────────────────────────────────────────────


def report(console: Any, done: list[Case], checked: list[Law], raced: list[Race]) -> None:
    """The three tables."""
    from rich import box
    from rich.table import Table

    def table(title: str, *columns: tuple[str, str]) -> Table:
        made = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
        for column, side in columns:
            made.add_column(column, justify="right" if side == "right" else "left", no_wrap=side == "right")
        return made

    what = table("What was filtered", ("signal", "left"), ("filter", "left"), ("boundary", "left"))
    for case in done:
        what.add_row(case.title, case.doing, case.boundary)
    held = table("Laws, on these data", ("law", "left"), ("data", "left"), ("error", "right"), ("bound", "right"),
                 ("", "left"))  # fmt: skip
    for law in checked:
        verdict = "holds" if law.holds else "[bold red]FAILS[/]"
        held.add_row(law.name, law.data, _size(law.error), _size(law.bound), verdict)
    times = table("Best times, one thread each, in turns", ("job", "left"), ("signal", "right"), ("firconv", "right"),
                  ("scipy", "right"), ("by", "left"), ("ratio", "right"))  # fmt: skip
    for race in raced:
        ratio = f"{race.theirs / race.ours:.1f}"
        times.add_row(race.job, race.shape, _duration(race.ours), _duration(race.theirs), race.rival, ratio)
    for made in (what, held, times):
        console.print(made)


def _size(value: float) -> str:
    return f"{value:.0e}" if value else "0"


def _duration(seconds: float) -> str:
    return f"{seconds * 1e6:.0f} µs" if seconds < 1e-3 else f"{seconds * 1e3:.1f} ms"
