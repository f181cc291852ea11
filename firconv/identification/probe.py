"""The questions that are put to a function: signals and taps of its liking, impulses, and sums of signals."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from firconv.identification.calls import BlackBox, Refused, Stop

#: Number types to try, in this order: the first that the function takes is used for most questions.
KINDS = ("float64", "float32", "complex128", "int64", "int32", "int16", "uint8")
SHAPES: dict[int, list[tuple[int, ...]]] = {
    1: [(96,), (384,), (1536,)],
    2: [(36, 40), (100, 104), (260, 264)],
    3: [(17, 18, 19), (40, 41, 42)],
}
TAPS: dict[int, tuple[int, ...]] = {1: (5,), 2: (3, 5), 3: (3, 3, 3)}
#: Relative differences that rounding explains, by the arithmetic that would explain them.
PRECISIONS = {"exact": 0.0, "float64": 1e-10, "float32": 2e-5, "float16": 1e-2}


class Probe:
    """A function with the type and size of signal it takes, and the offset it adds.

    Attributes
    ----------
    box : the guarded function
    kind : dtype of signals and taps
    shape : of the signal
    taps : distinct positive numbers, passed on where the function takes taps
    precision : key of `PRECISIONS`
    """

    def __init__(self, box: BlackBox, ndim: int, seed: int):
        self.box, self.ndim = box, ndim
        self.rng = np.random.default_rng(seed)
        self.kind, self.precision = np.dtype(float), "unknown"
        self.shape = SHAPES[ndim][0]
        self.taps = self.primes(TAPS[ndim])
        self.refusals: dict[str, str] = {}

    @property
    def tolerance(self) -> float:
        return PRECISIONS[self.precision]

    # ---- material ---------------------------------------------------------------------------------------------

    def signal(self, shape: tuple[int, ...] | None = None) -> np.ndarray:
        """Small whole numbers, both signs where the type has them: sums of them are exact in every type."""
        low, high = (0, 5) if self.kind == np.uint8 else (-9, 10)
        return self.rng.integers(low, high, shape or self.shape).astype(self.kind)

    def primes(self, shape: tuple[int, ...]) -> np.ndarray:
        """Taps whose ratios tell them apart: distinct primes in random order."""
        count = prod(shape)
        sieve = [n for n in range(2, 40 + 12 * count) if all(n % d for d in range(2, int(n**0.5) + 1))]
        return self.rng.permutation(np.array(sieve[:count])).reshape(shape).astype(self.kind)

    def impulse(self, at: tuple[int, ...], shape: tuple[int, ...] | None = None) -> np.ndarray:
        x = np.zeros(shape or self.shape, self.kind)
        x[at] = 1
        return x

    # ---- answers ----------------------------------------------------------------------------------------------

    def ask(self, x: np.ndarray, h: np.ndarray) -> np.ndarray:
        """f(x, h), with as many dimensions as the signal and finite."""
        return self.checked(x, self.box(x, h))

    def checked(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """A result, if it is one."""
        if y.ndim != self.ndim:
            raise Refused(
                f"it returned shape {y.shape} for a signal of shape {x.shape}: wrap it so that a {self.ndim}-D "
                "signal gives a result of as many dimensions, or say ndim="
            )
        if y.size == 0:
            raise Refused(f"it returned no samples (shape {y.shape}) for a signal of shape {x.shape}")
        if not np.isfinite(y).any():
            raise Refused(f"it returned NaN or Inf everywhere for a finite signal of shape {x.shape}")
        if self.precision == "unknown":
            self.precision = _precision(y.dtype)
        return y.astype(np.result_type(y.dtype, np.float64))

    def same(self, a: np.ndarray, b: np.ndarray) -> bool:
        """True if two results are equal up to rounding."""
        return a.shape == b.shape and self.difference(a, b) <= self.tolerance

    @staticmethod
    def difference(a: np.ndarray, b: np.ndarray) -> float:
        """The largest difference, relative to the largest value of the second."""
        size = float(np.abs(b).max(initial=0)) or 1.0
        gap = np.abs(a - b).max(initial=0)
        return float(gap) / size if np.isfinite(gap) else float("inf")


def start(probe: Probe) -> np.ndarray:
    """Find the number type that the function takes; its first result.

    Raises
    ------
    Stop
        If it takes none.
    """
    for kind in KINDS:
        probe.kind = np.dtype(kind)
        try:
            return first(probe)
        except Refused as no:
            probe.refusals[kind] = str(no)
    texts = dict.fromkeys(probe.refusals.values())
    raise Stop(f"no call succeeded, with any of {', '.join(KINDS)}: {'; '.join(list(texts)[:3])}")


def first(probe: Probe) -> np.ndarray:
    """The result of one call, whose type says how precise the function may be expected to be."""
    x, h = probe.signal(), probe.primes(TAPS[probe.ndim])
    y = probe.checked(x, probe.box(x, h))
    probe.taps = h
    return y


def _precision(dtype: np.dtype) -> str:
    if dtype.kind in "iub":
        return "exact"
    return {2: "float16", 4: "float32"}.get(np.zeros(0, dtype).real.dtype.itemsize, "float64")


def largest(a: np.ndarray, b: np.ndarray) -> tuple[Any, Any, Any]:
    """(index, a there, b there) of the largest difference."""
    at = np.unravel_index(int(np.argmax(np.nan_to_num(np.abs(a - b), nan=np.inf))), a.shape)
    where = tuple(map(int, at))
    return (where[0] if len(where) == 1 else where), a[at], b[at]
