"""Images whose workers take bands: the bits of the tiles they replace, ends by every map, footprints, any memory."""

from __future__ import annotations

import numba
import numpy as np
import pytest

import firconv
from firconv import execution, run_images, threads, tiles

SLOW = numba.config.DISABLE_JIT  # the same laws on fewer sizes
RULES = ["zero", "edge", "symmetric", "reflect", "wrap", ("wrap", "zero")]
#: signal, taps, axes: images, narrow and flat ones, long taps, volumes, colours, batches, many samples behind.
SHAPES = [
    ((9, 40), (3, 3), None),
    ((21, 11), (4, 5), None),
    ((3, 37), (6, 2), None),
    ((4, 5), (9, 11), None),
    ((5, 6, 19), (3, 2, 3), None),
    ((8, 9, 3), (3, 4), (0, 1)),
    ((3, 7, 20), (3, 3), (1, 2)),
    ((6, 7, 40), (3, 3), (0, 1)),
] + ([] if SLOW else [((70, 1200), (3, 3), None), ((41, 900), (7, 9), None), ((1, 66, 1030), (2, 5), (1, 2))])


def samples(rng, shape, dtype):
    x = 10 * rng.standard_normal(shape)
    return (x + 1j * x[::-1]).astype(dtype) if np.dtype(dtype).kind == "c" else x.astype(dtype)


def taps(rng, shape, method):
    """Taps of small integers, of rank one for two passes."""
    if method == "direct":
        return rng.integers(1, 9, shape) * 0.25 - 1
    return np.multiply.outer(*(rng.integers(1, 9, k) for k in shape)) * 0.25


def both(plan, x):
    """The plan's result by bands and by tiles; the bands must be what is used."""
    ((runner, _),) = plan._prepared(plan.decision.work if plan.decision.work != "exact" else "int64")
    assert type(runner).__name__ == "Images"
    y, z = np.empty(plan.shape, plan.dtype), np.empty(plan.shape, plan.dtype)
    ((signal, by_bands),), ((_, by_tiles),) = plan._pairs(x, y), plan._pairs(x, z)
    runner.fill(tiles.Grid(plan.problem, plan.problem.lattices, 2), plan._grid.everything(), signal, by_bands)
    run_images.by_tiles(runner.tiled, plan._grid, signal, by_tiles)
    return y, z


CASES = [("direct", *shape) for shape in SHAPES] + [("separable", *shape) for shape in SHAPES if len(shape[1]) == 2]


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64"])
@pytest.mark.parametrize(("method", "signal", "size", "axes"), CASES)
def test_bands_have_the_bits_of_tiles(method, dtype, signal, size, axes):
    rng = np.random.default_rng(len(signal) + size[0])
    real = np.dtype(dtype).type(0).real.dtype
    x, h = samples(rng, signal, dtype), taps(rng, size, method).astype(real)
    for boundary in RULES:
        for mode in ("same", "full") if SLOW else ("same", "full", "valid"):
            axis = axes or range(len(size))
            if mode == "valid" and any(signal[a] < k for a, k in zip(axis, size, strict=True)):
                continue
            plan = firconv.plan(x, h, mode, method, boundary=boundary, axes=axes)
            (found,) = {type(runner).__name__ for runner, _ in plan._prepared(plan.decision.work)}
            if found != "Images":  # two passes want both axes in the image
                assert method == "separable" and signal[-1] >= 32 and axes == (0, 1)
                continue
            by_bands, by_tiles = both(plan, x)
            # as numbers: a term that is absent may leave +0 where a tile adds −0
            assert np.array_equal(by_bands, by_tiles), (boundary, mode)
            assert plan(x).tobytes() == plan(x, workers=2).tobytes() == by_bands.tobytes()


@pytest.mark.parametrize("size", [(3, 3), (5, 4)])
def test_bands_of_integers_are_exact(size):
    rng = np.random.default_rng(3)
    x, h = rng.integers(-9, 9, (17, 45)) << 50, rng.integers(-9, 9, size)
    wanted = firconv.convolve(x, h, "same", "reference", boundary="symmetric")
    assert np.array_equal(firconv.convolve(x, h, "same", "direct", boundary="symmetric"), wanted)


@pytest.mark.parametrize("method", ["direct", "separable"])
@pytest.mark.parametrize("where", [(0, 0), (8, 20), (15, 39)])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_sample_that_is_not_finite_stays_in_its_footprint(method, where, value):
    x, h = np.ones((16, 40), np.float32), np.ones((3, 5), np.float32)
    marks = np.zeros(x.shape)
    x[where], marks[where] = value, 1
    for boundary in ("zero", "reflect", "wrap"):
        touched = firconv.convolve(marks, np.ones((3, 5)), "same", "reference", boundary=boundary) > 0
        y = firconv.convolve(x, h, "same", method, boundary=boundary)
        assert np.array_equal(~np.isfinite(y), touched)


@pytest.mark.parametrize("method", ["direct", "separable"])
def test_any_memory_gives_the_same_numbers(method):
    rng = np.random.default_rng(5)
    wide, h = rng.standard_normal((24, 90)), taps(rng, (3, 4), method)
    views = [wide[:, 5:50], wide[::-1, :45], wide[:, 44::-1], wide[::2, ::2], wide.T[:45, :24], np.asfortranarray(wide)]
    for x in views:
        plain = firconv.convolve(np.ascontiguousarray(x), h, "same", method, boundary="reflect")
        assert np.array_equal(firconv.convolve(x, h, "same", method, boundary="reflect"), plain)
        room = np.full((x.shape[0], x.shape[1] + 3), 7.0)
        firconv.convolve(x, h, "same", method, boundary="reflect", out=room[:, : x.shape[1]])
        assert np.array_equal(room[:, :-3], plain) and np.all(room[:, -3:] == 7)


def test_a_plan_that_casts_or_renormalises_has_tiles():
    h = np.ones((3, 3))
    for x, words in [
        (np.ones((20, 50), np.uint8), {}),
        (np.ones((20, 50)), {"dtype": np.float32}),
        (np.ones((20, 50)), {"boundary": "omit"}),
        (np.ones((20, 50)), {"boundary": "antireflect"}),
    ]:
        plan = firconv.plan(x, h.astype(x.dtype), "same", "direct", **words)
        work = "float64" if plan.decision.work == "exact" else plan.decision.work
        assert isinstance(plan._prepared(work)[0][0], execution.Direct)
        assert np.all((plan(x) if "omit" in words.values() else plan(x)[1:-1, 1:-1]) == 9)


def test_bands_are_shared_among_workers():
    x, h = np.ones((300, 400)), np.ones((3, 3))
    seen, share = [], threads.share
    try:
        threads.share = lambda work, workers, tasks: seen.append(workers) or share(work, workers, tasks)
        plan = firconv.plan(x, h, "same", "direct")
        plan._seconds = lambda: 1.0
        plan(x, workers=3)
    finally:
        threads.share = share
    assert seen == [3]  # one task, whose four bands three workers take
