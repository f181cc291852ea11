"""Pools: agreement with torch and with windows written out, NaN, every dtype, the contract."""

import warnings
from itertools import product

import numpy as np
import pytest

import firconv
from firconv import nn
from firconv.nn import pooling, words

KINDS = ("f2", "f4", "f8", "g", ">f2", ">f4", "?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", ">i8", ">u8")


def pool(rng, rank):
    """Random shapes and words of one pool, torch's names."""
    size, stride, dilation = (rng.integers(lo, hi, rank) for lo, hi in ((1, 5), (1, 4), (1, 3)))
    padding = rng.integers(0, size // 2 + 1)
    extent = (size - 1) * dilation + 1
    lengths = np.maximum(extent - 2 * padding, 1) + rng.integers(0, 24, rank)
    shape = (*map(int, rng.integers(1, 4, 2)), *map(int, lengths))
    found = {"stride": stride, "padding": padding, "dilation": dilation}
    return shape, tuple(map(int, size)), {name: tuple(map(int, value)) for name, value in found.items()}


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("seed", range(20))
def test_max_pool_agrees_with_torch(rank, seed):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng([rank, seed])
    shape, size, keywords = pool(rng, rank)
    x = rng.standard_normal(shape).astype(rng.choice(["f4", "f8"]))
    x[rng.random(shape) < 0.02] = np.nan
    x[rng.random(shape) < 0.02] = -np.inf
    for ceil_mode in (False, True):
        z = getattr(torch.nn.functional, f"max_pool{rank}d")(torch.tensor(x), size, ceil_mode=ceil_mode, **keywords)
        y = nn.max_pool(x, size, ceil_mode=ceil_mode, **keywords)
        assert y.dtype == x.dtype and np.array_equal(y, z.numpy(), equal_nan=True)


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("seed", range(20))
def test_avg_pool_agrees_with_torch(rank, seed):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng([9, rank, seed])
    shape, size, keywords = pool(rng, rank)
    del keywords["dilation"]
    x = rng.standard_normal([max(n, s) for n, s in zip(shape, (1, 1, *size), strict=True)])
    for ceil_mode, counted in product((False, True), repeat=2):
        options = {"ceil_mode": ceil_mode, "count_include_pad": counted, **keywords}
        z = getattr(torch.nn.functional, f"avg_pool{rank}d")(torch.tensor(x), size, **options).numpy()
        y = nn.avg_pool(x, size, **options)
        assert y.shape == z.shape and np.max(np.abs(y - z)) <= 2.0**-52 * np.prod(size) * np.max(np.abs(x))


@pytest.mark.parametrize("lengths", [(2,), (2, 7)])
def test_a_first_window_may_hang_over_the_end_too(lengths):
    torch = pytest.importorskip("torch")
    x, rank = np.random.default_rng(2).standard_normal((1, 2, *lengths)), len(lengths)
    for run in ("max_pool", "avg_pool"):
        z = getattr(torch.nn.functional, f"{run}{rank}d")(torch.tensor(x), 3, stride=2, ceil_mode=True).numpy()
        y = getattr(nn, run)(x, 3, stride=2, ceil_mode=True)
        assert y.shape == z.shape and np.allclose(y, z, rtol=0, atol=1e-15)
        with pytest.raises(ValueError, match="the kernel is larger than the padded input"):
            getattr(nn, run)(x, 5, stride=2, ceil_mode=True)


def written_out(x, size, keywords, mean, counted=True, ceil_mode=False):
    """Every window, sample by sample, in exact or long arithmetic."""
    w = words.windows(words.Words("pool", **keywords), x.shape, size, ceil_mode)
    y = np.empty((*x.shape[:2], *w.outputs), object)
    for t in product(*map(range, w.outputs)):
        at = [i * s + np.arange(k) * d - lo for i, s, k, d, (lo, _) in
              zip(t, w.stride, w.kernel, w.dilation, w.pads, strict=True)]
        inside = np.ix_(*(p[(p >= 0) & (p < n)] for p, n in zip(at, w.lengths, strict=True)))
        part = x[(slice(None), slice(None), *inside)].reshape(*x.shape[:2], -1)
        if mean:
            wide = part.astype(np.clongdouble if x.dtype.kind == "c" else np.longdouble)
            places = [p < n + hi for p, n, (_, hi) in zip(at, w.lengths, w.pads, strict=True)]
            count = np.prod([p.sum() for p in places]) if counted else part.shape[-1]
            y[(..., *t)] = wide.sum(axis=-1) / count
        else:
            y[(..., *t)] = part.max(axis=-1)
    return y


@pytest.mark.parametrize("kind", KINDS)
def test_every_type(kind):
    rng = np.random.default_rng(3)
    x = (rng.standard_normal((2, 3, 11, 9)) * 100).astype(kind)
    if x.dtype.kind in "iu":
        limits = np.iinfo(x.dtype)
        x = rng.integers(limits.min, limits.max, x.shape, limits.dtype.newbyteorder("="), endpoint=True).astype(kind)
    words_ = {"stride": (2, 3), "padding": 1, "dilation": 1}
    y, z = nn.max_pool(x, 3, **words_), written_out(x, 3, words_, False)
    assert y.dtype == x.dtype.newbyteorder("=") and np.array_equal(y, z.astype(y.dtype))
    y, z = nn.avg_pool(x, 3, **words_), written_out(x, 3, words_, True)
    assert y.dtype == (np.float64 if x.dtype.kind in "biu" else x.dtype.newbyteorder("="))
    unit = 0.5 * float(np.finfo(y.dtype).eps)
    assert np.max(np.abs(y - z.astype(np.longdouble))) <= 12 * unit * float(np.max(np.abs(x.astype("g"))))


@pytest.mark.parametrize("kind", ["c8", "c16"])
def test_complex_numbers_have_means_and_no_order(kind):
    rng = np.random.default_rng(4)
    x = (rng.standard_normal((1, 2, 9, 20)) + 1j * rng.standard_normal((1, 2, 9, 20))).astype(kind)
    keywords = {"stride": 2, "padding": ((1, 0), (0, 2)), "dilation": (2, 1)}
    z = written_out(x, (2, 4), keywords, True, False, True).astype(np.complex128)
    y = nn.avg_pool(x, (2, 4), count_include_pad=False, ceil_mode=True, **keywords)
    assert y.dtype == kind and np.allclose(y, z, rtol=0, atol=10 * np.finfo(kind).eps)
    with pytest.raises(TypeError, match=r"max_pool\(x, size\): x is complex, and complex numbers have no order"):
        nn.max_pool(x, 2)


@pytest.mark.parametrize("dilation", [1, 2, (3, 1, 2, 1)])
def test_more_axes_and_dilated_means(dilation):
    rng = np.random.default_rng(5)
    x = rng.standard_normal((1, 2, 7, 5, 6, 9))
    keywords = {"stride": (2, 1, 3, 2), "padding": (1, 1, 0, 1), "dilation": dilation}
    size = (2, 2, 1, 3)
    assert np.array_equal(nn.max_pool(x, size, **keywords), written_out(x, size, keywords, False).astype(float))
    for counted in (True, False):
        z = written_out(x, size, keywords, True, counted).astype(float)
        assert np.allclose(nn.avg_pool(x, size, count_include_pad=counted, **keywords), z, rtol=0, atol=1e-14)


def test_padding_words_and_whole_planes():
    rng = np.random.default_rng(6)
    x = rng.standard_normal((3, 5, 13, 10)).astype("f4")
    for word, stride in product(("same", "same_lower", "causal", "valid"), (1, 2, 3, 4)):
        keywords = {"stride": stride, "padding": word, "dilation": 1}
        y = nn.max_pool(x, 3, **keywords)
        assert np.array_equal(y, written_out(x, 3, keywords, False).astype("f4"))
    assert np.array_equal(nn.global_max_pool(x), x.max(axis=(2, 3), keepdims=True))
    assert np.allclose(nn.global_avg_pool(x), x.astype(float).mean(axis=(2, 3), keepdims=True), rtol=0, atol=1e-6)
    assert np.array_equal(nn.avg_pool(x, (13, 10)), nn.global_avg_pool(x))


@pytest.mark.parametrize("lengths", [1, 3, 7, 8, 9, 49, 63, 64, 65, 127, 128, 200, (7, 7), (33, 5)])
def test_global_pools_of_any_length(lengths):
    rng = np.random.default_rng(7)
    x = rng.integers(-50, 50, (2, 3, *np.atleast_1d(lengths))).astype("f8")
    axes = tuple(range(2, x.ndim))
    assert np.array_equal(nn.global_max_pool(x), x.max(axis=axes, keepdims=True))
    assert np.array_equal(nn.global_avg_pool(x), x.sum(axis=axes, keepdims=True) / x[0, 0].size)
    x.reshape(6, -1)[2, -1] = np.nan
    assert np.array_equal(np.isnan(nn.global_max_pool(x)).ravel(), np.arange(6) == 2)
    assert np.array_equal(np.isnan(nn.global_avg_pool(x)).ravel(), np.arange(6) == 2)


def test_footprints_workers_and_untouched_inputs(monkeypatch):
    monkeypatch.setattr(pooling, "WORTH", 1)
    rng = np.random.default_rng(8)
    x = rng.standard_normal((2, 40, 50, 60)).astype("f4")
    x[0, 7, 20, 30], x[1, 3, 0, 0], x[1, 39, 49, 59] = np.nan, np.inf, np.nan
    before = x.copy()
    for run in (nn.max_pool, nn.avg_pool):
        one, two, three = (run(x, 3, stride=2, padding=1, workers=n) for n in (1, 2, 3))
        assert one.tobytes() == two.tobytes() == three.tobytes() and np.array_equal(x, before, equal_nan=True)
        bad = np.zeros(one.shape, bool)
        bad[0, 7, 10, 15] = bad[1, 39, -1, -1] = True
        assert np.array_equal(np.isnan(one), bad)
        assert np.array_equal(np.argwhere(np.isinf(one)), [[1, 3, 0, 0]])
    view = np.asfortranarray(x)[:, ::-1, ::2]
    assert np.array_equal(nn.max_pool(view, 2), nn.max_pool(view.copy(), 2), equal_nan=True)


def test_few_large_planes_are_cut_into_rows(monkeypatch):
    monkeypatch.setattr(pooling, "WORTH", 1)
    x = np.random.default_rng(9).standard_normal((1, 1, 400, 300)).astype("f4")
    made = pooling.Pool(words.Words("max_pool", 1, 1, 1), x.shape, x.dtype, 3, False)
    assert len(made._boxes) > 1 and {tuple(box[:2]) for box in made._boxes} == {(0, 1)}
    one, two = made(x, 1), made(x, 2)
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    z = np.max([padded[..., i : i + 400, j : j + 300] for i in range(3) for j in range(3)], axis=0)
    assert np.array_equal(one, z) and np.array_equal(two, z)


def test_pools_are_remembered_and_forgotten():
    for i in range(300):
        assert nn.max_pool(np.arange(float(i + 1)).reshape(1, 1, -1), i + 1).item() == i
    assert len(pooling._pools) <= 256


def test_strides_beyond_the_input_take_no_memory():
    x = np.arange(12.0).reshape(1, 1, 12)
    assert nn.max_pool(x, 2, stride=2**31 - 1).tolist() == [[[1.0]]]
    assert nn.avg_pool(x, 2, stride=2**31 - 1).tolist() == [[[0.5]]]


@pytest.mark.parametrize("boundary", ["zero", "edge", "symmetric", "reflect", "wrap", "antireflect", ("constant", 2.0)])
@pytest.mark.parametrize("lengths", [(9,), (9, 8), (5, 7, 6)])
def test_a_mean_is_a_decimated_box_filter(boundary, lengths):
    x, rank = np.random.default_rng(10).standard_normal((2, 3, *lengths)), len(lengths)
    for size in (2, 3, 4):
        low, box = (size - 1) // 2, np.full((size,) * rank, size**-rank)
        words_ = {"axes": tuple(range(2, rank + 2)), "origin": (low,) * rank, "down": 2}
        y = nn.Sequential([nn.Pad(((low, size // 2),) * rank, boundary), nn.AvgPool(size, stride=2)])(x)
        assert np.allclose(y, firconv.correlate(x, box, "same", boundary=boundary, **words_), rtol=0, atol=1e-13)
        left = nn.avg_pool(x, size, stride=2, padding=((low, size // 2),) * rank, count_include_pad=False)
        assert np.allclose(left, firconv.correlate(x, box, "same", boundary="omit", **words_), rtol=0, atol=1e-13)


@pytest.mark.parametrize("kind", ["f4", "f8", "g"])
def test_opposite_infinities_are_nan_in_their_windows_and_no_warning(kind):
    x = np.zeros((1, 1, 12), kind)
    x[..., 4], x[..., 5] = np.inf, -np.inf
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.argwhere(np.isnan(nn.avg_pool(x, 2)[0, 0])).tolist() == [[2]]
        assert nn.avg_pool(x, 3)[0, 0, 0] == 0
        assert nn.max_pool(x, 2)[0, 0].tolist() == [0, 0, np.inf, 0, 0, 0]


BAD = [
    (lambda: nn.max_pool(np.ones((2, 3)), 2), ValueError, r"max_pool\(x, size\): x has shape \(2, 3\), 2 dimensions"),
    (lambda: nn.avg_pool(np.ones((1, 1, 4)), 5), ValueError, "the kernel is larger than the padded input"),
    (lambda: nn.max_pool(np.ones((1, 1, 4)), (2, 2)), ValueError, r"size=\(2, 2\) has 2 entries for 1 spatial axes"),
    (lambda: nn.max_pool(np.ones((1, 1, 4)), 0), ValueError, "size=0 must be at least 1"),
    (lambda: nn.max_pool(np.ones((1, 1, 4)), 2, stride=0), ValueError, "stride=0 must be at least 1"),
    (lambda: nn.max_pool(np.ones((1, 1, 4)), 2, padding="wrap"), ValueError, "padding='wrap' is unknown"),
    (lambda: nn.max_pool(np.ones((1, 1, 4), int), 2, padding=2), ValueError,
     r"padding=2 leaves a window without any sample: use at most \(1,\)"),
    (lambda: nn.avg_pool(np.ones((1, 1, 4)), 2, padding=3, count_include_pad=False), ValueError, "without any sample"),
    (lambda: nn.max_pool(np.ones((1, 1, 4), object), 2), TypeError, "x has dtype object"),
    (lambda: nn.global_avg_pool(np.ones((0, 1, 4))), ValueError, "x is empty"),
    (lambda: nn.max_pool(np.ones((1, 1, 4)), None), TypeError, r"max_pool\(x, size\): size=None is not an int"),
    (lambda: nn.max_pool(np.ones((1, 1, 4)), {2}), TypeError, r"max_pool\(x, size\): size=\{2\} is not an int"),
    (lambda: nn.avg_pool(np.ones((1, 1, 4)), 2, padding={1}), TypeError, r"padding=\{1\} is not an int"),
    (lambda: nn.max_pool(np.ones((1, 1, 4)), 2, ceil_mode="no"), TypeError, "ceil_mode='no' is neither True nor False"),
    (lambda: nn.max_pool(np.ones((1, 1, 4)), 2, ceil_mode=[]), TypeError, r"ceil_mode=\[\] is neither True nor False"),
    (lambda: nn.AvgPool(2, count_include_pad="no"), TypeError, r"AvgPool\(…\): count_include_pad='no' is neither"),
    (lambda: nn.max_pool(np.ones((1, 1, 4)), 2, stride=10**30), ValueError, "must be at most 2147483647: no array"),
    (lambda: nn.max_pool(np.ones((1, 1, 4, 4)), 2, padding=2**30), ValueError, "outputs of 16 samples: use less"),
    (lambda: nn.max_pool(np.ones((1, 1, 4)), [2], workers=0), ValueError, "workers=0 must be at least 1"),
]  # fmt: skip


@pytest.mark.parametrize(("wrong", "kind", "match"), BAD, ids=range(len(BAD)))
def test_errors_say_what_would_fit(wrong, kind, match):
    with pytest.raises(kind, match=match):
        wrong()


def test_padding_is_minus_infinity_to_the_largest():
    for n in (1, 4, 20):
        y = nn.max_pool(np.zeros((1, 1, n, n)), 2, stride=1, padding=2)
        inside = np.zeros((n + 3, n + 3), bool)
        inside[1:-1, 1:-1] = True
        assert np.array_equal(y[0, 0], np.where(inside, 0, -np.inf))


def test_padding_counts_as_zeros_wherever_it_lies():
    assert nn.avg_pool(np.full((1, 1, 4), 6.0), 2, padding=3).tolist() == [[[0.0, 3.0, 6.0, 3.0, 0.0]]]


def test_windows_longer_than_a_table_of_them_could_be():
    x = np.arange(12.0).reshape(1, 1, 12)
    y = nn.avg_pool(x, 2**20, padding=2**19)  # 13 windows of a million places over 12 samples
    np.testing.assert_array_equal(y, x.sum() / 2**20 * np.ones_like(y))
    assert nn.avg_pool(np.ones((1, 1, 3 * 10**5), np.float32), 3 * 10**4, stride=1).shape[2] == 27 * 10**4 + 1
