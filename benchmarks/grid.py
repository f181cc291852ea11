"""The problems that the planner is judged on: sizes, dtypes, dimensions, rates, dilations, boundaries, batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np

from benchmarks.bench import Array

FLOATS = ("float32", "float64")


@dataclass(frozen=True)
class Question:
    """One problem: shapes, dtype, and the keywords of the call; `smooth` taps have rank 1."""

    shape: tuple[int, ...]
    taps: tuple[int, ...]
    dtype: str
    keywords: dict[str, Any] = field(default_factory=dict)
    smooth: bool = False

    def __str__(self) -> str:
        sizes = "×".join(map(str, self.shape)) + " * " + "×".join(map(str, self.taps))
        words = "".join(f" {name}={value}" for name, value in self.keywords.items())
        return f"{sizes} {self.dtype}{' rank 1' if self.smooth else ''}{words}"

    def arrays(self) -> tuple[Array, Array]:
        """The signal and the taps, the same in every run; integers stay small enough for any method."""
        rng = np.random.default_rng(0)
        x, h = rng.standard_normal(self.shape), rng.standard_normal(self.taps)
        if self.smooth:
            h = _rank_one(self.taps)
        dtype = np.dtype(self.dtype)
        if dtype.kind in "iu":
            info = np.iinfo(dtype)
            x = np.clip(np.rint(x * 40 + 60), max(info.min, -120), min(info.max, 200))
            h = np.clip(np.rint(h * 20 + 30), 0, 100)
        if dtype.kind == "c":
            x, h = x + 1j * x[::-1], h + 1j * h[::-1]
        return x.astype(dtype), h.astype(dtype)


def _rank_one(taps: tuple[int, ...]) -> Array:
    """A Gaussian in every direction."""
    result = np.ones((1,) * len(taps))
    for axis, width in enumerate(taps):
        profile = np.exp(-0.5 * ((np.arange(width) - (width - 1) / 2) / (width / 6)) ** 2)
        result = result * profile.reshape([-1 if i == axis else 1 for i in range(len(taps))])
    return result


def questions() -> list[Question]:
    """All of them, some 290."""
    parts = (_lines, _batches, _images, _volumes, _rates, _dilations, _boundaries, _long)
    return [question for part in parts for question in part()]


def _lines() -> Iterator[Question]:
    for n, k, dtype in product((50_000, 300_000, 2_000_000), (5, 17, 33, 65, 129, 257, 1025, 4097), FLOATS):
        yield Question((n,), (k,), dtype)
    for k, dtype in product((9, 33, 65, 129, 513), ("complex64", "complex128")):
        yield Question((200_000,), (k,), dtype)
    for k, dtype in product((9, 65, 513), ("uint8", "int16", "int32", "int64")):
        yield Question((300_000,), (k,), dtype)


def _batches() -> Iterator[Question]:
    for shape, k, dtype in product(((64, 4096), (8, 65_536), (2000, 256)), (9, 33, 65, 129, 513), FLOATS):
        if k < shape[-1]:
            yield Question(shape, (k,), dtype, {"axes": -1})
    for k, dtype in product((9, 65, 257), FLOATS):
        yield Question((4096, 64), (k,), dtype, {"axes": 0})
    for k in (9, 65):
        yield Question((32, 20_000), (32, k), "float32", {"axes": -1})


def _images() -> Iterator[Question]:
    for n, k, dtype in product((256, 1024), (3, 5, 9, 15, 21, 31, 63), FLOATS):
        yield Question((n, n), (k, k), dtype, {"mode": "same"})
    for n, k, dtype in product((512, 1024), (5, 9, 17, 33, 65), FLOATS):
        yield Question((n, n), (k, k), dtype, {"mode": "same"}, smooth=True)
    for k in (3, 9, 21):
        yield Question((512, 512), (k, k), "complex64", {"mode": "same"})
        yield Question((512, 512), (k, k), "uint8", {"mode": "same"})
        yield Question((512, 512), (k, k), "uint8", {"mode": "same"}, smooth=True)
    for taps in ((1, 31), (31, 1), (3, 65), (65, 3)):
        yield Question((1024, 1024), taps, "float32", {"mode": "valid"})
    for k in (5, 15):
        yield Question((12, 224, 224), (k, k), "float32", {"axes": (1, 2), "mode": "same"})


def _volumes() -> Iterator[Question]:
    for n, k, dtype in product((48, 96), (3, 5, 9), FLOATS):
        yield Question((n,) * 3, (k,) * 3, dtype, {"mode": "same"})
    for k in (3, 7, 15):
        yield Question((64,) * 3, (k,) * 3, "float32", {"mode": "same"}, smooth=True)


def _rates() -> Iterator[Question]:
    for (up, down), k, dtype in product(((1, 2), (1, 8), (2, 1), (8, 1), (3, 2), (147, 160)), (33, 161, 1025), FLOATS):
        yield Question((400_000 if up == 1 else 100_000,), (k,), dtype, {"up": up, "down": down})
    for k in (3, 7, 15, 31):
        yield Question((768, 768), (k, k), "float32", {"mode": "same", "down": 2})
    for k in (4, 8):
        yield Question((384, 384), (k, k), "float32", {"mode": "same", "up": 2})


def _dilations() -> Iterator[Question]:
    for dilation, k, dtype in product((2, 8), (9, 65, 513), FLOATS):
        yield Question((200_000,), (k,), dtype, {"dilation": dilation})
    for k, dtype in product((3, 7, 21), FLOATS):
        yield Question((512, 512), (k, k), dtype, {"mode": "same", "dilation": 2})


def _boundaries() -> Iterator[Question]:
    for boundary, k in product(("wrap", "symmetric", "edge"), (65, 1025)):
        yield Question((150_000,), (k,), "float64", {"mode": "same", "boundary": boundary})
    for border, k, dtype in product(("reflect", "wrap", ("constant", 1.0)), (5, 15, 31), FLOATS):
        yield Question((512, 512), (k, k), dtype, {"mode": "same", "boundary": border})


def _long() -> Iterator[Question]:
    for n, dtype in product((10_000, 60_000, 250_000), FLOATS):
        yield Question((n,), (n,), dtype)
    for n, k, dtype in product((1_000_000,), (30_000, 100_000), FLOATS):
        yield Question((n,), (k,), dtype)
    yield Question((512, 512), (511, 511), "float32", {"mode": "same"})
