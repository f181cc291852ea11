"""Halide with a hand-tuned schedule for dense 2-D correlation: what an expert gets. Needs ``pip install halide``."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.bench import Array, Peer, has

TILES = {3: (4, 2), 5: (2, 4), 7: (2, 6), 11: (2, 4), 15: (4, 2)}  # rows, vectors: best found on AVX2
LARGEST = 15  # the schedule is a direct sum; beyond, it is not what an expert would write


def dense(x: Array, h: Array) -> list[Peer]:
    """The "valid" correlation of one image, compiled here, outside the clock."""
    if not has("halide") or h.shape[0] > LARGEST:
        return []
    import halide as hl

    image, kernel, result = _compiled(h.shape[0], x.dtype)
    image.set(hl.Buffer(x))
    kernel.set(hl.Buffer(h))
    shape = (x.shape[0] - h.shape[0] + 1, x.shape[1] - h.shape[1] + 1)

    def run() -> Array:
        y = np.empty(shape, x.dtype)
        result.realize(hl.Buffer(y))
        return y

    return [Peer("Halide", run)]


def _compiled(width: int, dtype: np.dtype[Any]) -> tuple[Any, Any, Any]:
    """(image, kernel, result): a register tile of rows × vectors, unrolled over the taps, rows in parallel."""
    import halide as hl

    number, vector = (hl.Float(32), 8) if dtype == np.float32 else (hl.Float(64), 4)
    rows, columns = TILES.get(width, (2, 4))
    x, y, xo, yo, xi, yi = (hl.Var(name) for name in ("x", "y", "xo", "yo", "xi", "yi"))
    image, kernel = hl.ImageParam(number, 2), hl.ImageParam(number, 2)
    total, result, tap = hl.Func("total"), hl.Func("result"), hl.RDom([(0, width), (0, width)])
    total[x, y] = hl.cast(number, 0.0)
    total[x, y] += image[x + tap.x, y + tap.y] * kernel[tap.x, tap.y]
    result[x, y] = total[x, y]
    tiled = result.tile(x, y, xo, yo, xi, yi, vector * columns, rows)
    tiled.vectorize(xi, vector).unroll(xi).unroll(yi).parallel(yo)
    total.compute_at(result, xo).vectorize(x, vector).unroll(x).unroll(y)
    total.update().reorder(x, y, tap.x, tap.y).vectorize(x, vector).unroll(x).unroll(y).unroll(tap.x)
    if width <= 5:
        total.update().unroll(tap.y)
    result.compile_jit(hl.get_jit_target_from_environment())
    return image, kernel, result
