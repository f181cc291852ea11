"""Blocks of real lines through remainders of polynomials: agreement with the defining sum, its error bound, views."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided
from numpy.testing import assert_array_equal

import firconv
from firconv import cost
from firconv.kernels import guard, tree

UNIT = {"f": 2.0**-24, "d": 2.0**-53}
SLOW = numba.config.DISABLE_JIT  # the same laws on fewer sizes
COMPILED = pytest.mark.skipif(SLOW, reason="minutes as plain loops; shorter ones run above")
LENGTHS = (128, 256, 512, 1024)


def filtered(x, w, wanted=None, out=None):
    n = x.shape[-1]
    return tree.prepare(w.astype(float), (n,), x.dtype).correlate(x, out, (wanted or n - len(w) + 1,))


def exact(x, w):
    return np.stack([np.correlate(row, w.astype(np.longdouble), "valid") for row in x.astype(np.longdouble)])


def bound(x, w):
    """Equation (1) of the module, per block."""
    leaves = x.shape[-1] // 2 // (32 // x.itemsize)
    size = np.linalg.norm(x.astype(float), axis=-1, keepdims=True) * np.linalg.norm(w.astype(float))
    return (10.9 * np.log2(leaves) + 14.2) * UNIT[x.dtype.char] * size


@pytest.mark.parametrize("dtype", "fd")
@pytest.mark.parametrize("n", LENGTHS)
def test_agrees_with_the_defining_sum_within_its_bound(n, dtype):
    rng = np.random.default_rng(n)
    for k in (1, 2, 3, 7, 31, n // 2, n // 2 + 1, n - 1, n):
        x, w = rng.standard_normal((2, n)).astype(dtype), rng.standard_normal(k).astype(dtype)
        y, truth = filtered(x, w), exact(x, w)
        assert y.dtype == dtype and y.shape == truth.shape
        assert np.all(np.abs(y - truth) <= bound(x, w))


@pytest.mark.parametrize("dtype", "fd")
def test_a_sample_meets_every_tap_at_its_place(dtype):
    n, k = 256, 100
    w = np.arange(1.0, k + 1).astype(dtype)
    for place in (0, 1, 99, 127, 128, 129, 200, 255):
        x = np.zeros((1, n), dtype)
        x[0, place] = 1
        assert_array_equal(np.rint(filtered(x, w)), exact(x, w))


def hard_cases(rng, n, k):
    """(x, w) whose errors pile up: tones, chirps, steps, taps that match the signal, one loud sample."""
    t = np.arange(n)
    for f in (0.0, 0.25, 0.5, 1 / n, 0.1234):
        yield np.cos(2 * np.pi * f * t), np.cos(2 * np.pi * f * t[:k])
    chirp = np.cos(np.pi * t**2 / n)
    yield chirp, chirp[:k]
    yield np.sign(rng.standard_normal(n)), np.ones(k)
    yield np.where(t < n // 2, 1.0, -1.0), np.where(t[:k] < k // 2, 1.0, -1.0)
    yield np.where(t == 5, 1e6, 1.0), np.hanning(k + 2)[1:-1]
    yield rng.standard_normal(n), rng.standard_normal(k)
    yield np.ones(n), np.ones(k)


@pytest.mark.parametrize("n", (128, 1024))
def test_single_precision_stays_well_below_the_guard_s_margin(n):
    rng = np.random.default_rng(1)
    for k in (5, n // 8, n // 2):
        for x, w in hard_cases(rng, n, k):
            x, w = x.astype("f")[None], w.astype("f")
            error = np.abs(filtered(x, w) - exact(x, w)).max()
            assert error <= 0.5 * guard.MARGIN * UNIT["f"] * np.log2(n) * np.linalg.norm(x) * np.linalg.norm(w)


@pytest.mark.parametrize("dtype", "fd")
def test_views_are_read_and_written_in_place(dtype):
    rng = np.random.default_rng(5)
    k, n, count = 33, 128, 5
    step = n - k + 1
    x, w = rng.standard_normal(count * step + k - 1).astype(dtype), rng.standard_normal(k).astype(dtype)
    blocks = as_strided(x, (count, n), (step * x.itemsize, x.itemsize), writeable=False)
    plain = filtered(blocks.copy(), w)
    store = np.full((2 * count, step + 3), 5, dtype)
    assert filtered(blocks, w, out=store[::2, :step]).base is store
    assert_array_equal(store[::2, :step], plain)
    assert np.all(store[1::2] == 5) and np.all(store[:, step:] == 5)
    assert_array_equal(filtered(np.ascontiguousarray(blocks[:, ::-1])[:, ::-1], w), plain)
    assert_array_equal(filtered(blocks[2:3], w), plain[2:3])
    assert_array_equal(filtered(blocks, w, wanted=7), plain[:, :7])
    backwards = np.zeros((count, step), dtype)[:, ::-1]
    assert_array_equal(filtered(blocks, w, out=backwards), plain)  # cannot be written in place: a new array
    assert not backwards.any()


def test_serves_powers_of_two_of_real_types():
    single, double = np.dtype("f"), np.dtype("d")
    assert tree.serves((128,), single) and tree.serves((1 << 15,), double) and tree.serves((16, 64), double)
    assert not tree.serves((64,), single) and not tree.serves((160,), double) and not tree.serves((128,), np.dtype("F"))
    assert not tree.serves((16, 32), single) and not tree.serves((24, 64), single)
    assert not tree.serves((16, 64, 64), single)
    assert cost.TREE[1][0][0] == tree.LEAST and tuple(least for least, _ in cost.TREE[2]) == tree.PLANE


@pytest.mark.parametrize("dtype", "fd")
def test_is_what_overlap_save_uses_for_lines(dtype, monkeypatch):
    rng = np.random.default_rng(2)
    x, h = rng.standard_normal(40_000).astype(dtype), rng.standard_normal(101).astype(dtype)
    plan = firconv.plan(x, h, method="overlap_save")
    (length,) = plan.decision.lengths
    assert tree.serves((length,), np.dtype(dtype))
    monkeypatch.setattr(tree.Tree, "survey", None)
    with pytest.raises(TypeError, match="NoneType"):
        plan(x)


@pytest.mark.parametrize("dtype", "fd")
@pytest.mark.parametrize("n, k", [(128, 20), (1024, 100)] if SLOW else [(128, 20), (1024, 100), (4096, 900)])
def test_measures_what_the_guard_measures(n, k, dtype):
    """One pass filters and surveys: same numbers, same outputs, also where the root is split in two."""
    rng = np.random.default_rng(n)
    step, count = n - k + 1, 4
    x = rng.standard_normal(count * step + k - 1).astype(dtype)
    x[step : step + k] *= dtype == "f" and 1e-9 or 1e-18
    blocks = as_strided(x, (count, 1, n), (step * x.itemsize, 0, x.itemsize), writeable=False)
    limits = guard.Limits(1e-6, 20.0)
    taps = tree.prepare(rng.standard_normal(k), (n,), x.dtype)
    out = np.empty((count, 1, step), dtype)
    found, alone = taps.survey(blocks, out, (k,), limits), guard.survey(blocks, (k,), (step,), limits)
    assert 0 < found.odd == alone.odd < count
    for name in ("energy", "low", "peak", "spread"):
        np.testing.assert_allclose(getattr(found, name), getattr(alone, name), rtol=1e-5)
    assert_array_equal(out, taps.correlate(blocks, None, (step,)))
    backwards = np.zeros((count, 1, step), dtype)[..., ::-1]
    assert taps.survey(blocks, backwards, (k,), limits) is None and not backwards.any()


@pytest.mark.parametrize("dtype", "fd")
def test_large_blocks_are_finished_branch_by_branch(dtype):
    n = 1 << 14
    assert n // 4 * np.dtype(dtype).itemsize > tree.BRANCH
    rng = np.random.default_rng(3)
    x, w = rng.standard_normal((1, n)).astype(dtype), rng.standard_normal(50).astype(dtype)
    assert np.all(np.abs(filtered(x, w) - exact(x, w)) <= bound(x, w))


# ---- images ----------------------------------------------------------------------------------------------------------

PLANES = ((16, 64), (32, 64)) if SLOW else ((16, 64), (32, 64), (16, 128), (64, 256))


def image(x, w, wanted=None, out=None):
    wanted = wanted or tuple(n - k + 1 for n, k in zip(x.shape[-2:], w.shape, strict=True))
    return tree.prepare(w.astype(float), x.shape[-2:], x.dtype).correlate(x, out, wanted)


@pytest.mark.parametrize("dtype", "fd")
@pytest.mark.parametrize("lengths", PLANES)
def test_images_agree_with_the_defining_sum_within_their_bound(lengths, dtype):
    rng = np.random.default_rng(lengths[1])
    for taps in ((1, 1), (3, 5), (lengths[0] // 2 + 1, 2), (lengths[0], lengths[1]), (2, lengths[1] - 1)):
        x, w = rng.standard_normal((2, *lengths)).astype(dtype), rng.standard_normal(taps).astype(dtype)
        views = np.lib.stride_tricks.sliding_window_view(x.astype(np.longdouble), taps, axis=(1, 2))
        truth = np.einsum("nijkl,kl->nij", views, w.astype(np.longdouble))
        leaves = x[0].size // 2 // (32 // x.itemsize)
        size = np.linalg.norm(x.astype(float), axis=(1, 2)) * np.linalg.norm(w.astype(float))
        limit = (10.9 * np.log2(leaves) + 14.2) * UNIT[dtype] * size
        assert np.all(np.abs(image(x, w) - truth) <= limit[:, None, None])


@pytest.mark.parametrize("dtype", "fd")
def test_a_sample_of_an_image_meets_every_tap_at_its_place(dtype):
    w = np.arange(1.0, 7 * 40 + 1).reshape(7, 40).astype(dtype)
    for place in ((0, 0), (6, 39), (7, 40), (8, 31), (15, 63), (3, 32)):
        x = np.zeros((1, 16, 64), dtype)
        x[(0, *place)] = 1
        views = np.lib.stride_tricks.sliding_window_view(x[0], w.shape)
        assert_array_equal(np.rint(image(x, w))[0], (views * w).sum(axis=(2, 3)))


@pytest.mark.parametrize("dtype", "fd")
def test_tiles_are_read_from_an_image_and_written_into_one(dtype):
    rng = np.random.default_rng(7)
    big, w = rng.standard_normal((60, 200)).astype(dtype), rng.standard_normal((5, 9)).astype(dtype)
    step, (a, b) = (12, 56), big.strides
    shape = (4, 3, 1, 16, 64)
    tiles = as_strided(big, shape, (step[0] * a, step[1] * b, 0, a, b), writeable=False)
    plain = image(tiles.reshape(12, 16, 64), w).reshape(4, 3, 1, *step)
    target = np.full((48, 170), 5, dtype)
    a, b = target.strides
    out = as_strided(target, (*shape[:3], *step), (step[0] * a, step[1] * b, 0, a, b))
    limits = guard.Limits(0.0, 50.0)
    taps = tree.prepare(w.astype(float), (16, 64), big.dtype)
    found, alone = taps.survey(tiles, out, w.shape, limits), guard.survey(tiles, w.shape, step, limits)
    assert_array_equal(target[:, :168].reshape(4, 12, 3, 56).swapaxes(1, 2), plain[:, :, 0])
    assert np.all(target[:, 168:] == 5)
    for name in ("energy", "low", "peak", "spread"):
        np.testing.assert_allclose(getattr(found, name), getattr(alone, name), rtol=1e-5)


@COMPILED
@pytest.mark.parametrize("boundary", ["zero", "reflect", ("constant", 2.0)])
@pytest.mark.parametrize("dtype", "fd")
def test_images_go_that_way_and_agree_with_the_direct_sum(dtype, boundary):
    rng = np.random.default_rng(11)
    x, h = rng.standard_normal((300, 401)).astype(dtype), rng.standard_normal((17, 23)).astype(dtype)
    plan = firconv.plan(x, h, "same", method="overlap_save", boundary=boundary)
    assert tree.serves(plan.decision.lengths, x.dtype)
    direct = firconv.convolve(x, h, "same", method="direct", boundary=boundary)
    scale = np.abs(x).max() * np.abs(h).sum()
    assert np.abs(plan(x) - direct).max() <= 16 * UNIT[dtype] * scale
    assert_array_equal(plan(x, workers=1), plan(x, workers=2))


@COMPILED
def test_the_end_of_an_image_is_as_accurate_as_its_middle():
    """Few and small samples lie under the taps at a corner between zeros: it is summed directly, as promised."""
    rng = np.random.default_rng(12)
    x, h = rng.standard_normal((256, 256)).astype("f"), rng.standard_normal((41, 41)).astype("f")
    x[:10, :10] *= 1e-5
    plan = firconv.plan(x, h, "full")
    assert plan.method == "overlap_save" and tree.serves(plan.decision.lengths, x.dtype)
    y, truth = plan(x), firconv.convolve(x.astype("d"), h.astype("d"), "full", method="direct")
    near = np.sqrt(firconv.convolve(x.astype("d") ** 2, np.ones(h.shape), "full", method="direct"))
    assert np.all(np.abs(y - truth) <= 1e-4 * near * np.linalg.norm(h))


@COMPILED
@pytest.mark.parametrize("boundary", ["zero", "reflect"])
@pytest.mark.parametrize("shape", [(3000, 120), (2, 3000, 250)])
def test_columns_are_split_side_by_side(shape, boundary):
    """A filter along another axis than the last: blocks of 64 columns and more, of which none is turned into a line."""
    rng = np.random.default_rng(13)
    x, h, axis = rng.standard_normal(shape), rng.standard_normal(200), len(shape) - 2
    plan = firconv.plan(x, h, "same", axes=axis, boundary=boundary, method="overlap_save")
    assert tree.serves(plan.decision.lengths[-2:], x.dtype)
    direct = firconv.convolve(x, h, "same", axes=axis, boundary=boundary, method="direct")
    assert np.abs(plan(x) - direct).max() <= 16 * UNIT["d"] * np.abs(x).max() * np.abs(h).sum()


@COMPILED
def test_columns_of_a_stream_have_the_bits_of_the_whole():
    rng = np.random.default_rng(14)
    x, h = rng.standard_normal((5000, 128)), rng.standard_normal(300)
    plan = firconv.plan(x, h, "full", axes=0, method="overlap_save")
    assert tree.serves(plan.decision.lengths, x.dtype)
    stream, parts, at = plan.stream(), [], 0
    for n in (1, 700, 64, 2000, 5000):
        parts.append(stream.push(x[at : at + n]))
        at += n
    assert_array_equal(np.concatenate([*parts, stream.flush()]), plan(x))
