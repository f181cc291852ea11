"""``python -m benchmarks.responses``: frequency responses and operators against what they replace.

Entrants take turns and the minimum of each is kept. Ours run on the library's own threads (``--workers``), the others
on what they use by themselves.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.signal

import firconv
from firconv.response import frequency_response
from firconv.systems import FIR

Runner = Callable[[], Any]


@dataclass(frozen=True)
class Row:
    """One comparison: ours must be at least `asked` times as fast as the other."""

    title: str
    ours: Runner
    other: Runner
    asked: float
    rounds: int


def rows(workers: int, points: int = 1_000_000) -> list[Row]:
    """The comparisons."""
    rng = np.random.default_rng(1)
    taps, kernel = rng.normal(size=1001), rng.normal(size=(15, 15))
    anywhere, band = rng.uniform(0, 0.5, points), np.linspace(0.1, 0.2, points)

    def ours(h: np.ndarray, **where: Any) -> Runner:
        return lambda: frequency_response(h, workers=workers, **where)[1]

    def freqz(where: Any) -> Runner:
        return lambda: scipy.signal.freqz(taps, worN=where, fs=1)[1]

    def transform() -> np.ndarray:
        return np.fft.fft2(kernel, (1024, 1024))

    return [
        Row("1,001 taps, uniform points: freqz", ours(taps, n=points), freqz(points), 1.5, 15),
        Row("1,001 taps, explicit points: freqz", ours(taps, freqs=anywhere), freqz(anywhere), 20, 3),
        Row("1,001 taps, a fifth of the band: freqz", ours(taps, band=(0.1, 0.2), n=points), freqz(band), 20, 3),
        Row("15² kernel on 1024²: numpy.fft.fft2", ours(kernel, n=1024), transform, 1, 15),
        *operators(rng, workers),
    ]


def operators(rng: np.random.Generator, workers: int) -> list[Row]:
    """`.operator` against calling the engine on the same data."""
    result = []
    cases = (((1_000_000,), (31,), "zero"), ((1024, 1024), (7, 7), "reflect"), ((256, 256), (3, 3), "wrap"))
    for shape, k, boundary in cases:
        fir, x = FIR(rng.normal(size=k), [n // 2 for n in k]), rng.normal(size=shape)
        A, flat = fir.operator(shape, boundary=boundary, workers=workers), x.ravel()

        def call(fir: FIR = fir, x: np.ndarray = x, boundary: str = boundary) -> np.ndarray:
            return fir(x, boundary=boundary, workers=workers).ravel()

        def back(fir: FIR = fir.H, x: np.ndarray = x) -> np.ndarray:
            return fir(x, workers=workers).ravel()

        size = "×".join(map(str, shape)) + ", " + "×".join(map(str, k)) + f" taps, {boundary}"
        result.append(Row(f"operator, {size}: engine", lambda A=A, flat=flat: A.matvec(flat), call, 1 / 1.2, 40))
        result.append(Row(f"adjoint, {size}: engine", lambda A=A, flat=flat: A.rmatvec(flat), back, 1 / 1.2, 40))
    return result


def measure(row: Row) -> tuple[float, float]:
    """Best seconds of ours and of the other, in turns."""
    best = [float("inf")] * 2
    for run in (row.ours, row.other):
        run()  # caches, compiled kernels
    for _ in range(row.rounds):
        for i, run in enumerate((row.ours, row.other)):
            start = time.perf_counter()
            result = run()
            best[i] = min(best[i], time.perf_counter() - start)
            del result
    return best[0], best[1]


def main(arguments: list[str] | None = None) -> int:
    """Print a line per comparison."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.responses", description=__doc__)
    parser.add_argument("--workers", type=int, default=firconv.get_workers())
    parser.add_argument("--points", type=int, default=1_000_000)
    options = parser.parse_args(arguments)
    print(f"{options.points:,} points; ours on {options.workers} threads")
    for row in rows(options.workers, options.points):
        ours, other = measure(row)
        ratio, verdict = other / ours, "" if other / ours >= row.asked else "  MISSED"
        print(
            f"{row.title:60s} {ours * 1e3:9.2f} ms {other * 1e3:9.2f} ms {ratio:7.2f} ×  "
            f"(asked {row.asked:.2f}){verdict}",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
