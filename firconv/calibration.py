"""Measuring this machine: the constants of `cost` fitted to timed problems.

Opt-in (``firconv calibrate``): from then on plans on this machine may differ from those elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Any

import numpy as np

from firconv import cost, planner, report

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Sample:
    """One problem timed with one method on one core."""

    name: str
    shape: tuple[int, ...]
    taps: tuple[int, ...]
    dtype: str
    method: str
    keywords: tuple[tuple[str, Any], ...] = ()


def samples() -> list[Sample]:
    """The problems that are timed: every method, the types, dimensions and strides that the constants tell apart."""
    found = []
    for dtype in ("float32", "float64"):
        for k in (5, 33, 129, 513):
            found.append(Sample("line", (1 << 18,), (k,), dtype, "direct"))
        for k in (33, 257, 2049, 16385):
            found.append(Sample("line", (1 << 18,), (k,), dtype, "overlap_save"))
        found.append(Sample("lines", (256, 2048), (129,), dtype, "overlap_save", (("axes", 1),)))
        found.append(Sample("long line", (1 << 20,), (1 << 19,), dtype, "fft"))
        found.append(Sample("whole line", (3000,), (800,), dtype, "fft"))
        for k in (3, 9, 21):
            found.append(Sample("image", (512, 512), (k, k), dtype, "direct"))
            found.append(Sample("narrow image", (8192, 24), (k, 5), dtype, "direct"))
        for k in (7, 21, 61):
            found.append(Sample("image", (1024, 1024), (k, k), dtype, "separable"))
        for k in (15, 41):
            found.append(Sample("image", (1024, 1024), (k, k), dtype, "overlap_save"))
        found.append(Sample("volume", (64, 64, 64), (5, 5, 5), dtype, "direct"))
        found.append(Sample("volume", (64, 64, 64), (9, 9, 9), dtype, "overlap_save"))
        found.append(Sample("decimate", (1 << 18,), (161,), dtype, "direct", (("down", 8),)))
        found.append(Sample("decimate", (1 << 18,), (161,), dtype, "overlap_save", (("down", 8),)))
        found.append(Sample("resample", (1 << 16,), (481,), dtype, "direct", (("up", 3), ("down", 2))))
        found.append(Sample("columns", (4096, 256), (33,), dtype, "direct", (("axes", 0),)))
        found.append(Sample("columns", (4096, 256), (333,), dtype, "overlap_save", (("axes", 0),)))
        found.append(Sample("small image", (96, 96), (5, 5), dtype, "direct"))
        found.append(Sample("small image", (96, 96), (15, 15), dtype, "fft"))
    found.append(Sample("complex line", (1 << 17,), (65,), "complex64", "direct"))
    for k, dtype in ((257, "complex64"), (2049, "complex64"), (257, "complex128"), (2049, "complex128")):
        found.append(Sample("complex line", (1 << 17,), (k,), dtype, "overlap_save"))
    found.append(Sample("large integers", (1 << 17,), (33,), "int64", "direct"))
    return found


def calibrate(progress: Progress | None = None, repeats: int = 5) -> cost.Machine:
    """Time about seventy problems, fit the planner's constants, and keep them in the user's cache folder.

    Parameters
    ----------
    progress : callable, optional
        Called with (what, done, total).
    repeats : int
        Runs of each problem, of which the fastest counts.

    Returns
    -------
    Machine
        The constants now in force.

    Raises
    ------
    OSError
        If the cache folder cannot be written.
    """
    chosen, seconds = samples(), []
    for done, sample in enumerate(chosen):
        if progress is not None:
            progress(f"{sample.name} {sample.dtype} {sample.method}", done, len(chosen))
        seconds.append(_time(sample, repeats))
    constants = fit(chosen, seconds)
    cost.save(constants)
    return constants


def prepare(sample: Sample) -> tuple[Any, np.ndarray]:
    """A plan and a signal for it."""
    from firconv.convolution import plan

    rng = np.random.default_rng(0)
    x: np.ndarray = rng.standard_normal(sample.shape)
    h: np.ndarray = rng.standard_normal(sample.taps)
    if sample.method == "separable":
        h = np.outer(h[:, 0], h[0])
    if sample.dtype == "int64":
        x, h = np.rint(x * 2**40), np.rint(h * 2**12)
    if sample.dtype.startswith("complex"):
        x, h = x + 1j * x[::-1], h + 1j
    x = x.astype(sample.dtype)
    return plan(x, h.astype(sample.dtype), "same", sample.method, **dict(sample.keywords)), x


def _time(sample: Sample, repeats: int) -> float:
    p, x = prepare(sample)
    out = p(x, workers=1)
    best = float("inf")
    for _ in range(repeats):
        start = time.thread_time()
        p(x, out=out, workers=1)
        best = min(best, time.thread_time() - start)
    return best


def fit(samples: list[Sample], seconds: list[float]) -> cost.Machine:
    """The constants whose predictions have the least squared log-ratio to what was measured."""
    from scipy.optimize import least_squares

    names = [f.name for f in fields(cost.Machine) if f.name != "provenance"]
    start = np.log([getattr(cost.BUILT_IN, name) for name in names])
    problems = [prepare(s)[0] for s in samples]

    def machine(logs: np.ndarray) -> cost.Machine:
        constants: dict[str, Any] = dict(zip(names, map(float, np.exp(logs)), strict=True))
        return replace(cost.BUILT_IN, **constants)

    def residuals(logs: np.ndarray) -> np.ndarray:
        m = machine(logs)
        ratios = [np.log(predict(p, m) / t) for p, t in zip(problems, seconds, strict=True)]
        return np.array([*ratios, *(0.03 * (logs - start))])

    found = least_squares(residuals, start, loss="soft_l1", diff_step=1e-3)
    return replace(machine(found.x), provenance=f"firconv calibrate, {date.today().isoformat()}")


def predict(plan: Any, m: cost.Machine) -> float:
    """Predicted seconds of a plan's method under some constants."""
    seconds: float = planner.predict(plan.problem, plan.facts, plan.decision, m)
    return seconds


def describe(constants: cost.Machine) -> str:
    """The constants as a table, beside the built-in ones."""
    rows = [f"{'constant':<10}{'here':>12}{'built in':>12}"]
    for f in fields(cost.Machine):
        if f.name != "provenance":
            here, there = getattr(constants, f.name), getattr(cost.BUILT_IN, f.name)
            text = (f"{v:.3g}" if f.name in ("far", "axis") else report.seconds(v) for v in (here, there))
            rows.append(f"{f.name:<10}" + "".join(f"{t:>12}" for t in text))
    return "\n".join(rows)
