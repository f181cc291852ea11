"""Intel IPP's FIR filters through ctypes: a reference for one dimension. Needs ``pip install --no-deps ipp``.

The wheel's library asks its loader for files under a second name (``.so.12.1``), and the loader reads its search path
only when a process starts: `linked` makes the links and gives the environment that a child process needs.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.metadata
import os
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.bench import Array, Peer

LINKS = "FIRCONV_BENCHMARK_IPP"  # the folder of links, in the environment of the child process
TYPES = {"float32": (13, "32f"), "float64": (19, "64f")}
DIRECT, FFT = 1, 2


@cache
def libraries() -> list[Path]:
    """The shared libraries that the wheel put beside the packages; none where it is not installed."""
    try:
        files = importlib.metadata.distribution("ipp").files or []
    except importlib.metadata.PackageNotFoundError:
        return []
    return [Path(file.locate()).resolve() for file in files if file.name.startswith("libipp") and ".so." in file.name]


def installed() -> bool:
    """Whether the wheel's libraries are there."""
    return any(library.name.startswith("libipps.so.") for library in libraries())


@contextlib.contextmanager
def linked() -> Iterator[dict[str, str]]:
    """The environment of a child process that can load IPP; the links vanish afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        for library in libraries():
            for name in (library.name, library.name + ".1"):
                Path(folder, name).symlink_to(library)
        yield {**os.environ, LINKS: folder, "LD_LIBRARY_PATH": folder}


@cache
def _library() -> Any:
    core = ctypes.CDLL(str(next(Path(os.environ[LINKS]).glob("libippcore.so.*"))), mode=ctypes.RTLD_GLOBAL)
    library = ctypes.CDLL(str(next(Path(os.environ[LINKS]).glob("libipps.so.*"))))
    core.ippInit()
    return library


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(2)


def _ok(status: int) -> None:
    if status:
        raise RuntimeError(f"IPP status {status}")


def _pointer(a: Array | None) -> ctypes.c_void_p | None:
    return None if a is None else ctypes.c_void_p(a.ctypes.data)


class _Aligned:
    """A block of bytes that starts at a multiple of 64."""

    def __init__(self, size: int) -> None:
        self.bytes = np.zeros(size + 64, np.uint8)
        self.pointer = ctypes.c_void_p((self.bytes.ctypes.data + 63) // 64 * 64)


class Filter:
    """y[n] = Σ_k taps[k]·x[n − k] with the samples before x in `history`; one workspace, so one thread at a time."""

    def __init__(self, taps: Array, algorithm: int) -> None:
        code, suffix = TYPES[str(taps.dtype)]
        spec, work = ctypes.c_int(), ctypes.c_int()
        _ok(_library().ippsFIRSRGetSize(len(taps), code, ctypes.byref(spec), ctypes.byref(work)))
        self.taps, self.spec, self.work = taps.copy(), _Aligned(spec.value), _Aligned(work.value)
        init = getattr(_library(), "ippsFIRSRInit_" + suffix)
        _ok(init(_pointer(self.taps), len(taps), algorithm, self.spec.pointer))
        self.run = getattr(_library(), "ippsFIRSR_" + suffix)

    def __call__(self, x: Array, y: Array, history: Array | None = None) -> None:
        """Fill y, which is as long as x."""
        pointers = (_pointer(x), _pointer(y), len(y), self.spec.pointer, _pointer(history), None)
        _ok(self.run(*pointers, self.work.pointer))


class RateFilter:
    """`up` outputs per `down` samples of the zero-stuffed sum; history is ⌈taps/up⌉ samples."""

    def __init__(self, taps: Array, up: int, down: int) -> None:
        code, suffix = TYPES[str(taps.dtype)]
        spec, work = ctypes.c_int(), ctypes.c_int()
        _ok(_library().ippsFIRMRGetSize(len(taps), up, down, code, ctypes.byref(spec), ctypes.byref(work)))
        self.taps, self.spec, self.work = taps.copy(), _Aligned(spec.value), _Aligned(work.value)
        init = getattr(_library(), "ippsFIRMRInit_" + suffix)
        _ok(init(_pointer(self.taps), len(taps), up, 0, down, 0, self.spec.pointer))
        self.run = getattr(_library(), "ippsFIRMR_" + suffix)

    def __call__(self, x: Array, y: Array, groups: int, history: Array | None = None) -> None:
        """Fill y with groups·up outputs from groups·down samples."""
        pointers = (_pointer(x), _pointer(y), groups, self.spec.pointer, _pointer(history), None)
        _ok(self.run(*pointers, self.work.pointer))


def _peers(make: Callable[[int], Callable[[], Array]], taps: int) -> list[Peer]:
    """Direct sum (short taps) and FFT; nothing when this process cannot load IPP."""
    if LINKS not in os.environ:
        return []
    choices = {"IPP direct": DIRECT, "IPP fft": FFT} if taps < 300 else {"IPP fft": FFT}
    return [Peer(name, make(algorithm)) for name, algorithm in choices.items()]


def line(x: Array, h: Array) -> list[Peer]:
    """The full convolution of one signal: two halves on two threads, and a tail of zeros."""
    n, reach = len(x), len(h) - 1
    zeros, half, before = np.zeros(reach, x.dtype), n // 2, slice(max(0, n // 2 - reach), n // 2)

    def make(algorithm: int) -> Callable[[], Array]:
        first, second = Filter(h, algorithm), Filter(h, algorithm)

        def run() -> Array:
            y = np.empty(n + reach, x.dtype)
            job = _pool().submit(first, x[:half], y[:half])
            second(x[half:], y[half:n], np.ascontiguousarray(x[before]))
            second(zeros, y[n:], np.ascontiguousarray(x[n - reach :]))
            job.result()
            return y

        return run

    return _peers(make, len(h)) if half >= reach else []


def channels(x: Array, h: Array) -> list[Peer]:
    """Outputs where the signal is: every row by itself, half of the rows on each thread."""
    rows, n = x.shape
    ahead = len(h) // 2  # the centre of the taps: output i needs samples up to i + ahead
    zeros = np.zeros(ahead, x.dtype)

    def work(filt: Filter, y: Array, some: range) -> None:
        lead = np.empty(ahead, x.dtype)
        for row in some:
            filt(x[row, :ahead], lead)
            filt(x[row, ahead:], y[row, : n - ahead], np.concatenate([zeros, x[row, :ahead]]))
            filt(zeros, y[row, n - ahead :], x[row, n - 2 * ahead :])

    def make(algorithm: int) -> Callable[[], Array]:
        first, second = Filter(h, algorithm), Filter(h, algorithm)

        def run() -> Array:
            y = np.empty_like(x)
            job = _pool().submit(work, first, y, range(rows // 2))
            work(second, y, range(rows // 2, rows))
            job.result()
            return y

        return run

    return _peers(make, len(h)) if n > 2 * ahead and len(h) % 2 else []


def rates(x: Array, h: Array, up: int, down: int) -> list[Peer]:
    """Zero-stuffed by `up`, filtered, every `down`-th kept; two halves on two threads, and a tail of zeros."""
    if LINKS not in os.environ:
        return []
    n, memory = len(x), -(-len(h) // up)
    outputs, whole = (n * up - up + len(h) - 1) // down + 1, n // down
    half, rest = whole // 2, -(-outputs // up) - whole
    first, second = RateFilter(h, up, down), RateFilter(h, up, down)
    tail = np.concatenate([x[whole * down :], np.zeros(rest * down, x.dtype)])[: rest * down]

    def before(start: int) -> Array:
        return np.ascontiguousarray(x[start - memory : start])

    def run() -> Array:
        y = np.empty((whole + rest) * up, x.dtype)
        job = _pool().submit(first, x, y, half)
        second(x[half * down :], y[half * up :], whole - half, before(half * down))
        if rest > 0:
            second(tail, y[whole * up :], rest, before(whole * down))
        job.result()
        return y[:outputs]

    return [Peer("IPP multirate", run)] if half * down >= memory else []
