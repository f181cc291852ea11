"""Dense layers by tiled products: the bits of the direct method, whatever the layer, blocks and workers."""

import tracemalloc

import numba
import numpy as np
import pytest

from firconv import nn
from firconv.kernels import strips
from firconv.nn import costs, dense, geometry, outer, plans, recalled
from firconv.nn.words import Words

RNG = np.random.default_rng
SLOW = numba.config.DISABLE_JIT  # the same on fewer and smaller layers
whole = pytest.mark.skipif(SLOW, reason="compiled loops only")
RULES = ("zero", "edge", "reflect", "symmetric", "wrap", "antireflect", "antisymmetric", ("constant", 2.0))


def draw(seed):
    """A random layer: x, w, bias and keywords."""
    rng = RNG(seed)
    rank, groups = int(rng.integers(1, 4)), int(rng.choice([1, 1, 2, 3]))
    ins, outs = groups * int(rng.integers(1, 5)), groups * int(rng.choice([1, 2, 5, 6, 7, 13]))
    kernel, stride, dilation = (tuple(map(int, rng.integers(1, n, rank))) for n in (5, 4, 3))
    lengths = [max(int(rng.integers(6, 10 if rank > 2 or SLOW else 28)), (k - 1) * d + 1)
               for k, d in zip(kernel, dilation, strict=True)]
    dtype, rule = (np.float32, np.float64)[seed % 2], RULES[int(rng.integers(len(RULES)))]
    x = rng.standard_normal((int(rng.integers(1, 4)), ins, *lengths)).astype(dtype)
    w = rng.standard_normal((outs, ins // groups, *kernel)).astype(dtype)
    padding = [tuple(map(int, pair)) for pair in rng.integers(0, 4, (rank, 2))]
    words = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups, "boundary": rule}
    return x, w, rng.standard_normal(outs).astype(dtype), words


@pytest.mark.parametrize("seed", range(6 if SLOW else 40))
def test_the_bits_of_the_direct_method(seed):
    x, w, bias, words = draw(seed)
    assert np.array_equal(nn.conv(x, w, bias, method="gemm", **words), nn.conv(x, w, bias, method="direct", **words))


@pytest.mark.parametrize("seed", range(40, 44 if SLOW else 70))
def test_the_bits_of_the_direct_method_in_the_gradient(seed):
    x, w, _, words = draw(seed)
    if words["boundary"] == ("constant", 2.0):
        words["boundary"] = "zero"
    gy = RNG(seed).standard_normal(nn.conv(x, w, **words).shape).astype(x.dtype)
    fast, direct = (nn.conv_input_gradient(gy, w, x.shape, method=m, **words) for m in ("gemm", "direct"))
    assert np.array_equal(fast, direct)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape, kernel, groups", [
    ((2, 5, 9, 11), (7, 5, 1, 1), 1),
    ((1, 12, 131), (20, 6, 1), 2),
    ((3, 4, 3, 4, 5), (6, 4, 1, 1, 1), 1),
    ((1, 3, 2, 3), (4, 3, 1, 1), 1),
    ((1, 2, 16, 16), (6, 2, 1, 1), 1),
])
def test_layers_with_one_tap_read_and_write_in_place(shape, kernel, groups, dtype):
    rng = RNG(9)
    x, w, b = (rng.standard_normal(s).astype(dtype) for s in (shape, kernel, kernel[:1]))
    fast, direct = (nn.conv(x, w, b, groups=groups, method=m) for m in ("gemm", "direct"))
    assert np.array_equal(fast, direct)
    assert np.array_equal(fast, nn.conv(x, w, b, groups=groups, method="gemm", workers=3))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", [(0, 0, 0, 0), (1, 2, 7, 9), (0, 3, 15, 18)])
def test_nan_and_inf_stay_in_their_footprint(value, where):
    x, w = RNG(1).standard_normal((2, 4, 16, 19)), RNG(2).standard_normal((9, 4, 3, 3))
    x[where] = value
    fast, direct = (nn.conv(x, w, padding=1, method=m) for m in ("gemm", "direct"))
    assert np.array_equal(fast, direct, equal_nan=True)
    assert 0 < (~np.isfinite(fast)).sum() <= 9 * 9


def test_taps_that_are_not_finite_make_no_nan_of_absent_samples():
    x, w = np.ones((1, 2, 8, 8), np.float32), np.ones((6, 2, 3, 3), np.float32)
    w[0, 0, 0, 0] = np.nan
    y = nn.conv(x, w, padding=1)
    assert nn.plan(x, w, padding=1).method == "direct"
    assert not np.isnan(y[0, 0, 0]).any() and not np.isnan(y[0, 0, :, 0]).any() and np.isnan(y[0, 0, 1:, 1:]).all()


@whole
@pytest.mark.parametrize("shape, kernel, words", [
    ((3, 4, 40, 40), (13, 4, 3, 3), {"padding": 1}),
    ((2, 6, 700), (8, 6, 5), {"padding": 2}),
    ((1, 40, 5, 5), (90, 40, 3, 3), {"padding": 1}),
    ((1, 8, 32, 32), (70, 8, 1, 1), {}),
    ((2, 4, 6, 12, 12), (5, 4, 3, 3, 3), {"stride": 2}),
])
def test_bits_do_not_depend_on_workers(shape, kernel, words):
    x, w = RNG(3).standard_normal(shape, dtype=np.float32), RNG(4).standard_normal(kernel, dtype=np.float32)
    one, two, five = (nn.conv(x, w, method="gemm", workers=n, **words) for n in (1, 2, 5))
    assert np.array_equal(one, two) and np.array_equal(one, five)


def layer(shape, kernel, dtype=np.float32, **words):
    """The problem of a layer."""
    kinds = (np.dtype(dtype),) * 2
    return plans.described(Words("conv", **words), shape, kernel, kinds).problem


@pytest.mark.parametrize("shape, kernel, words", [
    ((1, 64, 224, 224), (64, 64, 3, 3), {"padding": 1}),
    ((1, 64, 16000), (64, 64, 9), {"padding": 4}),
    ((8, 512, 7, 7), (512, 512, 3, 3), {"padding": 1}),
    ((1, 2048, 14, 14), (512, 2048, 1, 1), {}),
    ((1, 3, 300, 300), (64, 3, 7, 7), {"stride": 2, "padding": 3}),
    ((2, 8, 20, 20, 20), (12, 8, 3, 3, 3), {"stride": (1, 2, 1)}),
    ((2, 24, 20, 20), (12, 8, 3, 3), {"groups": 3}),
])
def test_blocks_cover_every_output_once_and_fit_the_cache(shape, kernel, words):
    problem = layer(shape, kernel, **words)
    shaped = geometry.Geometry(problem)
    periods = tuple(a.periods for a in shaped.axes)
    for workers in (1, 2, 8):
        seen = np.zeros((problem.groups, problem.channels_out, shape[0], *periods), int)
        for b in geometry.blocks(shaped, workers):
            inside = tuple(slice(lo, lo + n) for lo, n in zip(b.first, b.count, strict=True))
            seen[(b.group, slice(*b.channels), slice(*b.images), *inside)] += 1
            strip = (b.images[1] - b.images[0]) * problem.channels_in * shaped.phases * np.prod(shaped.places(b))
            assert strip * 4 <= 2 << 20 or not shaped.busy
        assert (seen == 1).all()


@numba.njit
def copied(x, planes, rows, columns, plain, shape, box, out):
    """The part of the kernels, as a function that can be called."""
    strips.copied(x, planes, rows, columns, plain, shape, box, out)


@pytest.mark.parametrize("step", [1, 2, 3])
@pytest.mark.parametrize("wide", [1, 2, 7, 8, 9, 17])
def test_rows_are_copied_without_a_trace_of_the_vectors_that_overrun_them(wide, step):
    """Rows of every length, with absent samples around them, and a signal that ends with the last of them."""
    channels, high, places = 3, 4, wide + 3
    x = RNG(wide).standard_normal((channels, high, (wide - 1) * step + 1)).astype(np.float32)
    columns = np.concatenate([[-1], np.arange(wide) * step, [-1, -1]])
    rows = np.array([-1, 0, 2, 3, -1])
    size = len(rows) * places
    shape = [x.size, x[0].size, x[0].size, x.shape[2], 1, 1, 1, step, channels * size, size, 1, len(rows), places]
    out = np.full(channels * size + 16, np.nan, np.float32)
    copied(x.reshape(-1), np.zeros(1, np.int64), rows, columns, np.array([1, wide + 1]), np.array(shape),
           np.array([0, 1, 0, channels, 1, len(rows), places, 0, 0, 0]), out)  # fmt: skip
    wanted = np.where((rows[:, None] < 0) | (columns < 0), 0, x[:, rows][:, :, columns])
    assert np.array_equal(out[: channels * size], wanted.reshape(-1)) and np.isnan(out[-8:]).all()


def test_only_real_floating_point_layers():
    assert dense.candidate(layer((1, 8, 8, 8), (8, 8, 3, 3))).method == "gemm"
    assert dense.candidate(layer((1, 8, 8, 8), (8, 8, 3, 3), np.int64)) is None
    assert dense.candidate(layer((1, 8, 8, 8), (8, 8, 3, 3), np.complex64)) is None
    assert dense.candidate(layer((1, 1, 4, 4, 4, 4), (1, 1, 2, 2, 2, 2))) is None
    assert dense.candidate(layer((1, 8, 8, 8), (8, 8, 3, 3), padding=1, boundary="omit")) is None
    with pytest.raises(ValueError, match="method='gemm' cannot serve this layer"):
        nn.conv(np.ones((1, 1, 8), int), np.ones((1, 1, 3), int), method="gemm")


def test_dense_layers_are_charged_by_their_multiplications():
    small, large = (costs.dense(layer((1, c, 56, 56), (64, c, 3, 3), padding=1)) for c in (32, 64))
    assert large[1] == 2 * small[1] and 1.5 * small[0] < large[0] < 2 * small[0]


def test_x_and_weights_stay_as_they_were_and_views_are_read():
    x, w = RNG(5).standard_normal((1, 8, 20, 44)), RNG(6).standard_normal((7, 4, 3, 3))
    kept = x.copy(), w.copy()
    y = nn.conv(x[:, ::2, :, 4:], w, padding=1, method="gemm")
    assert np.array_equal(x, kept[0]) and np.array_equal(w, kept[1])
    assert np.array_equal(y, nn.conv(x[:, ::2, :, 4:].copy(), w, padding=1, method="direct"))


# ── the weights' gradient ─────────────────────────────────────────────────────────────────────────────────────────────


def wide(seed):
    """A random layer with enough output channels, and the gradient of its output."""
    x, w, _, words = draw(seed)
    w = np.concatenate([w] * 4) if w.shape[0] // words["groups"] < 4 else w
    return x, w, RNG(seed).standard_normal(nn.conv(x, w, **words).shape).astype(x.dtype), words


@pytest.mark.parametrize("seed", range(100, 104 if SLOW else 140))
def test_the_weight_gradient_is_the_engines(seed):
    x, w, gy, words = wide(seed)
    fast, direct = (nn.conv_weight_gradient(gy, x, w.shape, method=m, **words) for m in ("gemm", "direct"))
    terms = gy[0, 0].size * len(x)
    scale = np.linalg.norm(x) * np.linalg.norm(gy) * (4 if words["boundary"] == "antireflect" else 1)
    assert np.abs(fast - direct).max() <= 2 * terms * np.finfo(x.dtype).eps * scale
    assert np.abs(fast - direct).max() <= 1e-4 * np.abs(direct).max()


@pytest.mark.parametrize("seed", range(140, 141 if SLOW else 150))
def test_bits_of_the_weight_gradient_do_not_depend_on_workers(seed):
    x, w, gy, words = wide(seed)
    one, two, five = (nn.conv_weight_gradient(gy, x, w.shape, method="gemm", workers=n, **words) for n in (1, 2, 5))
    assert np.array_equal(one, two) and np.array_equal(one, five)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape, kernel, words", [
    ((5, 3, 4, 9), (9, 3, 2, 3), {"padding": 1}),  # rows follow each other in gy, images do not
    ((1, 6, 9, 10), (20, 6, 3, 3), {"groups": 1, "stride": 2}),
    ((2, 8, 6, 5), (12, 4, 3, 1), {"groups": 2}),  # nothing lies between rows
    ((3, 16, 70), (24, 16, 1), {}),  # x is turned instead of gy
    ((2, 32, 9, 9), (72, 16, 1, 1), {"groups": 2}),
])
def test_the_gradient_of_whole_numbers_is_exact(shape, kernel, words, dtype):
    x = RNG(1).integers(-9, 9, shape).astype(dtype)
    gy = RNG(2).integers(-9, 9, nn.conv(x, np.zeros(kernel, dtype), **words).shape).astype(dtype)
    fast, direct = (nn.conv_weight_gradient(gy, x, kernel, method=m, **words) for m in ("gemm", "direct"))
    assert np.array_equal(fast, direct)


def test_a_layer_is_cut_alike_for_every_number_of_workers_and_evenly():
    cut = outer.Outer(layer((1, 64, 56, 56), (64, 64, 3, 3), padding=1))
    assert len(cut.tasks) >= 8 and len(set(map(tuple, cut.blocks[:, -3:]))) == 1
    small = outer.Outer(layer((1, 256, 7, 7), (256, 256, 3, 3), padding=1))  # its sums outweigh its samples
    assert small.shares.parts == 1 and len(small.tasks) >= 8


@pytest.mark.parametrize("where", [(0, 1, 0, 0), (1, 2, 6, 9), (0, 3, 11, 12)])
def test_nan_stays_with_the_weights_that_meet_it(where):
    """Between two rows of a block lie samples that no output meets: zero times these may not become NaN."""
    x, gy = RNG(1).standard_normal((2, 4, 12, 13)), RNG(2).standard_normal((2, 8, 4, 4))
    x[where] = np.nan
    words = {"stride": (3, 3), "groups": 2}
    fast, direct = (nn.conv_weight_gradient(gy, x, (8, 2, 3, 2), method=m, **words) for m in ("gemm", "direct"))
    assert np.array_equal(np.isnan(fast), np.isnan(direct))
    assert np.allclose(fast, direct, rtol=1e-12, atol=1e-12, equal_nan=True)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_output_gradients_that_are_not_finite_make_no_nan_of_absent_samples(value):
    """gy[0] meets x[−1], which the zero boundary makes absent, under the first tap and x[0], x[1] under the others."""
    x, gy = np.abs(RNG(1).standard_normal((1, 2, 6))) + 1, np.ones((1, 8, 6))
    gy[0, 3, 0] = value
    gw = nn.conv_weight_gradient(gy, x, (8, 2, 3), method="gemm", padding=1)
    finite = np.ones((8, 2, 3), bool)
    finite[3, :, 1:] = False
    assert np.array_equal(np.isfinite(gw), finite) and np.array_equal(gw[3, :, 1:], np.full((2, 2), value), True)


@whole
def test_long_sums_are_taken_block_by_block():
    """A chain of 400,000 additions of ones in float32 would be exact here; of 0.1 it would lose three digits."""
    x, gy = np.ones((1, 4, 400_000), np.float32), np.full((1, 4, 400_000), 0.1, np.float32)
    gw = nn.conv_weight_gradient(gy, x, (4, 4, 1), method="gemm")
    assert np.abs(gw / (400_000 * float(np.float32(0.1))) - 1).max() < 1e-5


def test_gradient_of_few_channels_is_left_to_the_engine():
    assert outer.candidate(layer((1, 8, 20, 20), (3, 8, 3, 3))) is None
    assert outer.candidate(layer((1, 8, 20, 20), (4, 8, 3, 3))).method == "gemm"
    with pytest.raises(ValueError, match="method='gemm' cannot serve this layer"):
        nn.conv_weight_gradient(np.ones((1, 1, 6)), np.ones((1, 1, 8)), (1, 1, 3), method="gemm")


# ── memory ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@whole
@pytest.mark.parametrize("shape, kernel, words", [
    ((1, 64, 224, 224), (64, 64, 3, 3), {"padding": 1}),
    ((1, 512, 14, 14), (512, 512, 3, 3), {"padding": 1}),
    ((1, 64, 112, 112), (256, 64, 1, 1), {}),
    ((1, 3, 224, 224), (64, 3, 7, 7), {"stride": 2, "padding": 3}),
    ((1, 64, 16000), (64, 64, 9), {"padding": 4}),
])
def test_a_layer_takes_32_mib_at_most_beside_its_arrays(shape, kernel, words):
    """Beyond input, output and (transformed) weights; of the weights' gradient too."""
    x, w = np.ones(shape, np.float32), RNG(1).standard_normal(kernel, dtype=np.float32)
    layer = nn.plan(x, w, **words)
    nn.conv_weight_gradient(layer(x, workers=1), x, kernel, **words)  # transforms the weights, compiles the kernels
    tracemalloc.start()
    y = layer(x, workers=2)
    forward = tracemalloc.get_traced_memory()[1] - y.nbytes
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    gw = nn.conv_weight_gradient(y, x, kernel, workers=2, **words)
    backward = tracemalloc.get_traced_memory()[1] - before - gw.nbytes
    tracemalloc.stop()
    assert forward <= 32 << 20 and backward <= 32 << 20


# ── weights that are read ─────────────────────────────────────────────────────────────────────────────────────────────


def test_large_weights_are_read_where_they_are_whatever_was_called_before():
    x, w = RNG(1).standard_normal((1, 64, 6, 6)), RNG(2).standard_normal((48, 64, 3, 3))
    words = {"stride": 2, "padding": 1}
    for change in (0, 1, 0):
        w[3, 5, 1, 2] += change
        again = nn.plan(x, w, **words)
        assert again.method == "gemm" and np.array_equal(nn.conv(x, w, **words), again(x))
    backwards = w[:, :, ::-1]
    assert np.array_equal(nn.conv(x, backwards, **words), nn.plan(x, backwards, **words)(x))


@pytest.mark.parametrize("size", [2, 6, 2048, 2050, 5002, 7])
def test_weights_that_differ_in_one_bit_are_noticed_wherever_it_is(size):
    """Also a sign of zero and a NaN's payload; 7 samples are no whole words of eight bytes."""
    w = RNG(2).standard_normal(size, dtype=np.float32)
    assert recalled._same(w, w.copy())
    for i in {0, 1, size // 2, 2046, 2047, 2048, size - 2, size - 1} & set(range(size)):
        other = w.copy()
        other.view(np.uint32)[i] ^= np.uint32(1) << (i % 32)
        assert not recalled._same(w, other) and not recalled._same(other, w)
    w[0], other = 0.0, w.copy()
    other[0] = -0.0
    assert not recalled._same(w, other)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_read_weights_that_are_not_finite_are_noticed(value):
    """The first output meets the first tap with an absent sample only, which is no sample times that tap."""
    x, w = RNG(1).standard_normal((1, 64, 6, 6)), RNG(2).standard_normal((48, 64, 3, 3))
    first = nn.conv(x, w, stride=2, padding=1)
    w[3, 5, 0, 0] = value
    y = nn.conv(x, w, stride=2, padding=1)
    assert np.array_equal(y, nn.plan(x, w, stride=2, padding=1)(x), equal_nan=True)
    assert np.isfinite(y[0, 3, 0]).all() and np.isfinite(y[0, 3, :, 0]).all() and not np.isfinite(y[0, 3, 1:, 1:]).any()
    with pytest.raises(ValueError, match="method='gemm' cannot serve this layer"):
        nn.conv(x, w, stride=2, padding=1, method="gemm")
    w[3, 5, 0, 0] = 0
    x[0, 0, 0, 0] = value
    assert not np.array_equal(nn.conv(x, w, stride=2, padding=1), first)
    assert np.array_equal(
        nn.conv(x, w, stride=2, padding=1), nn.plan(x, w, stride=2, padding=1)(x), equal_nan=True
    )


@pytest.mark.parametrize("dtype, outs", [("float32", 17), ("float64", 9)])
def test_the_gradient_of_one_channel_behind_whole_panels(dtype, outs):
    rng = np.random.default_rng(21)
    x, gy = rng.standard_normal((1, 3, 6, 7)).astype(dtype), rng.standard_normal((1, outs, 4, 5)).astype(dtype)
    views = np.lib.stride_tricks.sliding_window_view(x[0].astype(float), (3, 3), axis=(1, 2))
    truth = np.einsum("ohw,ihwkl->oikl", gy[0].astype(float), views)
    found = nn.conv_weight_gradient(gy, x, truth.shape, method="gemm")
    assert np.abs(found - truth).max() <= 1e-5 * np.abs(truth).max()
