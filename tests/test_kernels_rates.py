"""Decimated, interpolated and resampled lines: the bits of the tiles they replace, footprints, ends, any memory."""

from __future__ import annotations

import numba
import numpy as np
import pytest

import firconv
from firconv import execution, run_images, run_rates, tiles

SLOW = numba.config.DISABLE_JIT  # the same laws on fewer sizes
RATES = [(1, 8), (147, 160), (3, 2)]
if not SLOW:
    RATES += [(1, 2), (1, 3), (1, 70), (2, 1), (8, 1), (2, 3), (160, 147), (7, 50), (50, 7)]
#: signal (lines along the last axis) and taps: shorter than a period, one piece, several, few taps and many.
SIZES = [((40,), 3), ((2, 90), 40)] + (
    [] if SLOW else [((1,), 1), ((1000,), 161), ((3, 700), 9), ((40_000,), 33), ((2, 17_000), 400), ((20_000,), 3000)]
)


def samples(rng, shape, dtype):
    x = 10 * rng.standard_normal(shape)
    return (x + 1j * x[::-1]).astype(dtype) if np.dtype(dtype).kind == "c" else x.astype(dtype)


def planned(x, k, up, down, mode="full", boundary="zero"):
    h = np.random.default_rng(k).standard_normal(k).astype(x.real.dtype)
    return firconv.plan(x, h, mode, up=up, down=down, axes=-1, boundary=boundary, method="direct")


def both(plan, x, workers=2):
    """The plan's result by the kernel and by tiles; the kernel must be what is used."""
    ((runner, _),) = plan._prepared(plan.decision.work)
    assert type(runner).__name__ == "Rates"
    y, z = np.full(plan.shape, 3, plan.dtype), np.full(plan.shape, 4, plan.dtype)
    ((signal, by_lanes),), ((_, by_tiles),) = plan._pairs(x, y), plan._pairs(x, z)
    runner.fill(tiles.Grid(plan.problem, plan.problem.lattices, workers), plan._grid.everything(), signal, by_lanes)
    run_images.by_tiles(runner.tiled, plan._grid, signal, by_tiles)
    return y, z


@pytest.mark.parametrize("dtype", ["float32", "complex64"] + ([] if SLOW else ["float64", "complex128"]))
@pytest.mark.parametrize(("up", "down"), RATES)
def test_vectors_have_the_bits_of_tiles(up, down, dtype):
    rng = np.random.default_rng(up + down)
    for shape, k in SIZES:
        x = samples(rng, shape, dtype)
        for mode, boundary in ("full", "zero"), ("same", "reflect" if shape[-1] > 1 else "edge"):
            y, z = both(planned(x, k, up, down, mode, boundary), x)
            assert y.tobytes() == z.tobytes(), (shape, k, mode)


@pytest.mark.parametrize(("up", "down"), RATES[:3])
def test_pieces_and_their_number_do_not_matter(up, down, monkeypatch):
    x = samples(np.random.default_rng(1), (3, 400 if SLOW else 19_000), "float32")
    monkeypatch.setattr(tiles, "SMALL", 1)
    plan = planned(x, 33, up, down)
    y, z = both(plan, x)
    assert y.tobytes() == z.tobytes()
    for piece, workers in (1, 1), (100, 3), (1 << 20, 2):
        monkeypatch.setattr(run_rates, "PIECE", piece)
        assert both(plan, x, workers)[0].tobytes() == z.tobytes()


@pytest.mark.parametrize(("up", "down"), RATES[:3])
def test_what_lies_around_a_signal_is_not_met(up, down):
    room = np.full((3, 500 if SLOW else 20_000), np.nan)
    x = room[1:2, 40:-40]
    x[:] = samples(np.random.default_rng(2), x.shape, "float64")
    y, z = both(planned(x, 21, up, down), x)
    assert np.isfinite(y).all() and y.tobytes() == z.tobytes()


def test_outputs_that_no_tap_meets_are_zero():
    for n, k, up, dilation in (50, 5, 2, 2), (300 if SLOW else 20_000, 21, 4, 4), (70, 2, 9, 1):
        x, h = samples(np.random.default_rng(n), n, "float64"), np.random.default_rng(k).standard_normal(k)
        y, z = both(firconv.plan(x, h, up=up, dilation=dilation, method="direct"), x)
        assert y.tobytes() == z.tobytes() and (y == 0).any()


@pytest.mark.parametrize(("up", "down"), RATES)
def test_nan_and_infinities_stay_in_their_footprint(up, down):
    x = samples(np.random.default_rng(3), 60 if SLOW else 18_000, "float32")
    x[[5, 30, 31]] = np.nan, np.inf, -np.inf
    plan = planned(x, 19, up, down)
    y, _ = both(plan, x)
    h = np.random.default_rng(19).standard_normal(19).astype("f")
    z = firconv.convolve(x[:60], h, up=up, down=down, method="reference")
    n = 60 * up // down - 19
    if n > 0:
        np.testing.assert_array_equal(np.isfinite(y[:n]), np.isfinite(z[:n]))
        np.testing.assert_array_equal(y[:n][np.isinf(z[:n])], z[:n][np.isinf(z[:n])])
    far = (60 * up + 19) // down + 1
    assert np.isfinite(y[far:]).all()


@pytest.mark.parametrize("dtype", ["float32", "complex64"])
def test_arrays_in_any_order(dtype):
    x = samples(np.random.default_rng(4), (2, 300 if SLOW else 18_000), dtype)
    plan = planned(x, 21, 3, 2)
    expected = plan(x)
    assert plan(x[:, ::-1].copy()[:, ::-1]).tobytes() == expected.tobytes()
    assert plan(np.asfortranarray(x)).tobytes() == expected.tobytes()
    out = np.zeros((*expected.shape, 2), dtype)[..., 0]
    assert plan(x, out=out) is out and out.tobytes() == expected.tobytes()


def test_streams_have_the_bits_of_the_whole():
    x = samples(np.random.default_rng(5), 300 if SLOW else 60_000, "float32")
    for up, down in RATES[:3]:
        plan = planned(x, 161, up, down)
        stream, cuts = plan.stream(), [0, 7, 50, len(x) // 2, len(x)]
        parts = [stream.push(x[a:b]) for a, b in zip(cuts, cuts[1:], strict=False)]
        assert np.concatenate([*parts, stream.flush()]).tobytes() == plan(x).tobytes()


@pytest.mark.parametrize("boundary", ["zero", "symmetric"])
@pytest.mark.parametrize("count", [1, 3])
def test_strides_along_another_axis(count, boundary):
    """Up and down alike make an axis look untouched, of which one tap meets samples, or none."""
    rng = np.random.default_rng(count)
    x, h = rng.standard_normal((8, 9)), rng.standard_normal((count, 3))
    for first in range(4):
        words = {"boundary": boundary, "up": (2, 1), "down": (2, 2), "dilation": (3, 1)}
        got, wanted = (
            firconv.convolve(x, h, [(first, first + 5), "full"], method, **words) for method in ("direct", "reference")
        )
        np.testing.assert_allclose(got, wanted, atol=1e-13)


def test_what_it_does_not_serve():
    x, h = np.ones((40, 40), "f"), np.ones(5, "f")

    def kind(x, h, **keywords):
        plan = firconv.plan(x, h, method="direct", **keywords)
        ((runner, _),) = plan._prepared(plan.decision.work)
        return type(runner)

    assert kind(x, h, axes=1, down=2) is run_rates.Rates
    assert kind(x, h, axes=1, up=2, dilation=2) is run_rates.Rates
    assert kind(x, h, axes=0, down=2) is execution.Direct  # samples are not neighbours
    assert kind(x, h, axes=1, down=2, dilation=3) is execution.Direct  # outputs leave out samples
    assert kind(x, h + 1j, axes=1, down=2) is execution.Direct
    assert kind(x, np.ones((3, 3), "f"), down=2) is execution.Direct
    assert kind(x[0, 0], h[0]) is execution.Direct  # no axis at all
