"""Winograd's minimal filtering: the matrices exactly, the promise on the error, zeros and NaN, and the choice."""

from fractions import Fraction

import numba
import numpy as np
import pytest

from firconv import nn
from firconv.kernels import minimal_taps
from firconv.kernels import winograd as kernel
from firconv.kernels.compiled import compiled, const, mutable
from firconv.kernels.lanes import spread
from firconv.nn import costs, plans, winograd
from firconv.nn.geometry import Geometry
from firconv.nn.words import Words

RNG = np.random.default_rng
SLOW = numba.config.DISABLE_JIT  # the same on fewer and smaller layers
whole = pytest.mark.skipif(SLOW, reason="compiled loops only")


def noise(seed, *shape):
    return RNG(seed).standard_normal(shape, dtype=np.float32)


POINTS = {2: (0, 1, -1), 4: (0, 1, -1, 2, -2)}  # and infinity


@compiled(lambda t: (const(t), mutable(t), mutable(t)), ["float32"])
def steps(x, into, out):
    """Both transforms of eight columns, for m = 2 and m = 4: vectors eight apart in memory."""
    zero = spread(x.dtype.type(0), 1, 1)
    kernel.into(2, x, 0, 8, into, 0, 8, 24, zero)
    kernel.into(4, x, 0, 8, into, 32, 8, 72, zero)
    kernel.out_of(2, x, 0, 8, 24, out, 0, 8, zero)
    kernel.out_of(4, x, 0, 8, 40, out, 16, 8, zero)


def matrices(m):
    """(Bᵀ, G, Aᵀ) of the compiled transforms: their values on unit vectors, and the filters' matrix as fractions."""
    n = m + 2
    b, a = np.zeros((n, n), np.float32), np.zeros((m, n), np.float32)
    for i in range(n):
        x, into, out = np.zeros((6, 8), np.float32), np.zeros((10, 8), np.float32), np.zeros((6, 8), np.float32)
        x[i] = 1
        steps(x.reshape(-1), into.reshape(-1), out.reshape(-1))
        b[:, i] = (into[:4] if m == 2 else into[4:])[:, 0]
        a[:, i] = (out[:2] if m == 2 else out[2:])[:, 0]
    g = [[Fraction(v).limit_denominator(24) for v in row] for row in minimal_taps.FILTERS[m]]
    return [[[Fraction(float(v)) for v in row] for row in b], g, [[Fraction(float(v)) for v in row] for row in a]]


def times(matrix, vector):
    return [sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix]


@pytest.mark.parametrize("m", [2, 4])
def test_the_transforms_are_minimal_filtering_exactly(m):
    """Aᵀ·[(G·g) ⊙ (Bᵀ·d)] is the correlation for every d and g: it is bilinear, so for unit vectors."""
    b, g, a = matrices(m)
    for i in range(m + 2):
        for k in range(3):
            d, taps = [int(j == i) for j in range(m + 2)], [int(j == k) for j in range(3)]
            products = [p * q for p, q in zip(times(b, d), times(g, taps), strict=True)]
            assert times(a, products) == [sum(taps[j] * d[n + j] for j in range(3)) for n in range(m)]


@pytest.mark.parametrize("m", [2, 4])
def test_the_filters_are_polynomials_at_the_points(m):
    """A row of G is (1, t, t²) at a point t over the product of its differences to the others, up to the sign."""
    _, g, _ = matrices(m)
    for row, t in zip(g, POINTS[m], strict=False):
        scale = row[0]
        assert row == [scale, scale * t, scale * t * t]
        rest = np.prod([Fraction(t - s) for s in POINTS[m] if s != t])
        assert abs(scale) == 1 / abs(rest)
    assert g[-1] == [0, 0, 1]


def test_the_published_example():
    b, g, a = matrices(4)
    products = [p * q for p, q in zip(times(b, (3, -1, 4, 1, -5, 9)), times(g, (2, -7, 1)), strict=True)]
    assert times(a, products) == [17, -29, -4, 46]
    x, w = np.array([[[3, -1, 4, 1, -5, 9]]], np.float32), np.array([[[2, -7, 1]]], np.float32)
    assert np.allclose(nn.conv(x, w, method="winograd"), [[[17, -29, -4, 46]]], rtol=1e-6)


@pytest.mark.parametrize("down, across", [(1, 2), (2, 2), (1, 4), (4, 4)])
def test_prepared_weights_are_the_filters_of_the_taps(down, across):
    """For unit taps, of which no value needs rounding but sixths."""
    rows = 1 if down == 1 else 3
    w = np.eye(3 * rows, dtype=np.float32).reshape(1, -1, rows, 3)
    u = minimal_taps.weights(w, down, across).reshape(-1, -(-w.shape[1] // 8) * 8, 16)
    wanted = np.kron(minimal_taps.FILTERS[down], minimal_taps.FILTERS[across])
    assert np.array_equal(u[:, : 3 * rows, 0], wanted.astype(np.float32)) and not u[:, :, 1:].any()


# ── layers ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def layer(shape, kernel, **words):
    """The problem of a float32 layer."""
    return plans.described(Words("conv", **words), shape, kernel, (np.dtype(np.float32),) * 2).problem


def largest(x, w, m, **words):
    """For every output the largest (|w| * |x|) of its tile, over the tile's outputs and all channels.

    The outputs of a tile are `dilation` apart: it is a tile of one phase.
    """
    y = nn.conv(np.abs(x).astype(float), np.abs(w).astype(float), method="direct", **words).max(axis=1, keepdims=True)
    shape, gaps = y.shape, np.broadcast_to(words.get("dilation", 1), w.ndim - 2)
    for axis, (k, d) in enumerate(zip(w.shape[2:], gaps, strict=True), start=2):
        if k > 1:
            n = y.shape[axis]
            y = np.pad(y, [(0, -n % (m * d) if a == axis else 0) for a in range(y.ndim)])
            tiles = y.reshape(*y.shape[:axis], -1, m, d, *y.shape[axis + 1 :])
            tiles = np.broadcast_to(tiles.max(axis=axis + 1, keepdims=True), tiles.shape)
            y = tiles.reshape(y.shape).take(range(n), axis=axis)
    assert y.shape == shape
    return y


def run(x, w, bias, m, **words):
    """The layer by F(m, 3), whatever the planner thinks."""
    problem = layer(x.shape, w.shape, **words)
    out = np.empty((x.shape[0], w.shape[0], *problem.outputs[1:]), np.float32)
    winograd.Winograd(problem, w.reshape(problem.groups, -1, *w.shape[1:]), m)(x, out, bias, 2)
    return out


LAYERS = [
    ((1, 16, 30, 29), (20, 16, 3, 3), {"padding": 1}),
    ((3, 19, 7, 7), (33, 19, 3, 3), {"padding": 1}),
    ((2, 8, 5, 41), (6, 8, 1, 3), {"padding": (0, 2)}),
    ((2, 9, 100), (17, 9, 3), {"padding": "causal"}),
    ((1, 12, 14, 14), (24, 6, 3, 3), {"padding": 1, "groups": 2, "boundary": "reflect"}),
    ((1, 8, 9, 9), (16, 8, 3, 3), {"padding": 2, "boundary": "edge"}),
    ((1, 8, 10, 60), (16, 8, 3, 3), {"padding": 3, "boundary": ("wrap", "symmetric")}),
    ((4, 64, 8, 8), (32, 64, 3, 3), {}),
    ((1, 16, 30, 29), (20, 16, 3, 3), {"padding": 2, "dilation": 2}),
    ((2, 9, 23, 31), (17, 9, 3, 3), {"padding": (3, 4), "dilation": (3, 4), "boundary": ("reflect", "wrap")}),
    ((1, 16, 11, 90), (16, 8, 3, 3), {"padding": 1, "dilation": (1, 5), "groups": 2, "boundary": "edge"}),
    ((2, 8, 40, 9), (33, 8, 3, 3), {"padding": (12, 0), "dilation": (12, 2), "boundary": "symmetric"}),
    ((1, 8, 6, 50), (6, 8, 1, 3), {"padding": (0, 7), "dilation": (4, 7)}),
    ((2, 9, 700), (17, 9, 3), {"padding": "causal", "dilation": 64}),
    ((2, 9, 130), (17, 9, 9), {"padding": 4, "boundary": "reflect"}),
    ((1, 8, 100), (6, 8, 4), {}),
    ((1, 11, 97), (16, 11, 5), {"padding": "causal", "dilation": 3}),
    ((1, 8, 5, 41), (6, 8, 1, 7), {"padding": (0, 3), "boundary": "edge"}),
    ((1, 16, 20, 21), (20, 8, 5, 5), {"padding": 2, "groups": 2}),
    ((1, 5, 19, 30), (7, 5, 4, 3), {"padding": (3, 1), "dilation": (2, 1), "boundary": "wrap"}),
    ((1, 6, 14, 15), (8, 6, 3, 7), {"padding": (1, 6), "dilation": (1, 2)}),
]
if SLOW:
    LAYERS = [((2, 9, 7, 19), (17, 9, 3, 3), {"padding": 1}), ((1, 8, 3, 13), (6, 8, 1, 3), {"padding": (0, 2)}),
              ((1, 9, 21), (17, 9, 3), {"padding": "causal", "boundary": "edge"}),
              ((1, 9, 11, 23), (17, 9, 3, 3), {"padding": (3, 2), "dilation": (3, 2)}),
              ((1, 9, 8, 9), (3, 9, 4, 5), {"padding": (1, 2)})]


@pytest.mark.parametrize("shape, kernel, words", LAYERS)
@pytest.mark.parametrize("m", [2, 4])
def test_the_error_is_within_a_hundred_thousandth_of_the_largest_of_the_tile(shape, kernel, words, m):
    x, w = noise(1, *shape), noise(2, *kernel)
    bias = noise(3, kernel[0])
    exact = nn.conv(x.astype(float), w.astype(float), bias.astype(float), method="direct", **words)
    limit = 1e-5 * largest(x, w, m, **words) + 2**-22 * np.abs(exact)  # and the rounding of the sum with the bias
    assert (np.abs(run(x, w, bias, m, **words) - exact) <= limit).all()


@whole
@pytest.mark.parametrize("m", [2, 4])
def test_the_promise_holds_where_the_samples_of_a_tile_differ_by_ten_orders(m):
    rng, w = RNG(4), noise(5, 32, 8, 3, 3)
    x = rng.standard_normal((6, 8, 20, 20)) * 10.0 ** rng.uniform(-5, 5, (6, 1, 20, 20))
    x = x.astype(np.float32)
    exact = nn.conv(x.astype(float), w.astype(float), padding=1, method="direct")
    assert (np.abs(run(x, w, None, m, padding=1) - exact) <= 1e-5 * largest(x, w, m, padding=1)).all()


@pytest.mark.parametrize("m", [2, 4])
def test_single_samples_anywhere_in_a_tile(m):
    """What lies at a tile's corner meets one tap only, and the errors of its neighbours' taps."""
    w = noise(6, 16 if SLOW else 48, 4, 3, 3)
    for at in [(0, 0), (1, m + 1), (m + 1, 2)] if SLOW else np.ndindex(m + 2, m + 2):
        x = np.zeros((1, 4, 3 * m, 3 * m), np.float32)
        x[0, at[0] % 4, m + at[0] - 1, m + at[1] - 1] = 3.7
        exact = nn.conv(x.astype(float), w.astype(float), padding=1, method="direct")
        y = run(x, w, None, m, padding=1)
        assert (np.abs(y - exact) <= 1e-5 * largest(x, w, m, padding=1)).all()
        assert np.array_equal(y != 0, exact != 0)


VARIANTS = [
    ({"padding": (2, 3), "dilation": (1, 2)}, (5, 4)),
    ({"padding": 1}, (3, 3)),
    ({"padding": (3, 2), "dilation": (3, 2)}, (3, 3)),
]


@pytest.mark.parametrize("words, taps", VARIANTS[: 2 if SLOW else 3])
def test_outputs_without_any_sample_are_the_bias(words, taps):
    n = 12 if SLOW else 40
    x, w = noise(7, 2, 16, n, n), noise(8, 20, 16, *taps)
    x[0, :, 1 : n - 1, 1 : n - 1], x[1, :, :2], x[1, :, n - 1, n - 1] = 0, -0.0, 0
    bias = noise(9, 20)
    dark = nn.conv(np.abs(x), np.ones_like(w), method="direct", **words)[:, :1] == 0
    assert n < dark.sum() < dark.size
    for b in (None, bias):
        y = nn.conv(x, w, b, method="winograd", **words)
        wanted = np.zeros((1, 20, 1, 1), np.float32) if b is None else b.reshape(1, -1, 1, 1)
        assert np.array_equal((y == wanted), np.broadcast_to(dark, y.shape))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
@pytest.mark.parametrize("where", [(0, 0, 0, 0), (1, 3, 13, 17), (1, 7, 27, 25)][: 1 if SLOW else 3])
@pytest.mark.parametrize("words, taps", VARIANTS[: 1 if SLOW else 3])
def test_nan_inf_and_overflow_stay_where_the_sum_has_them(value, where, words, taps):
    x, w = noise(10, 2, 8, 28, 26)[:, :, : 14 if SLOW else 28], noise(11, 6 if SLOW else 18, 8, *taps)
    x[where] = value
    fast, direct = (nn.conv(x, w / 16, method=m, **words) for m in ("winograd", "direct"))
    assert np.array_equal(np.isnan(fast), np.isnan(direct))
    finite = np.isfinite(direct)
    assert np.array_equal(fast[~finite], direct[~finite], equal_nan=True)
    assert np.abs(fast[finite] - direct[finite]).max() <= 1e-5 * np.abs(direct[finite]).max()


@whole
@pytest.mark.parametrize("d", [1, 4])
def test_the_repair_is_the_same_for_any_workers_and_groups(d):
    x, w = noise(12, 3, 16, 30, 30), noise(13, 40, 8, 3, 3)
    x[1, 11, 20, 20] = np.nan
    words = {"groups": 2, "padding": d, "dilation": d, "method": "winograd"}
    one, two, five = (nn.conv(x, w, workers=n, **words) for n in (1, 2, 5))
    assert np.array_equal(one, two, equal_nan=True) and np.array_equal(one, five, equal_nan=True)
    bad = np.isnan(one)
    assert bad.sum() == 9 * 20 and bad[1, 20:, 20 - d : 21 + d : d, 20 - d : 21 + d : d].all()


@whole
@pytest.mark.parametrize("rule", ["zero", "edge", "wrap"])
def test_a_dilated_layer_is_a_plain_one_on_every_phase(rule):
    """Bit by bit: the tiles of a phase are those of its own samples."""
    x, w = noise(30, 2, 12, 24, 40), noise(31, 17, 12, 3, 3)
    words = {"boundary": rule, "method": "winograd"}
    y = nn.conv(x, w, padding=(3, 2), dilation=(3, 2), **words)
    for p, q in np.ndindex(3, 2):
        if rule == "edge":  # its phases are extended by samples of each other
            whole, pads = np.pad(x, ((0, 0), (0, 0), (3, 3), (2, 2)), mode="edge"), 0
        else:
            whole, pads = x, 1
        own = nn.conv(np.ascontiguousarray(whole[:, :, p::3, q::2]), w, padding=pads, **words)
        assert np.array_equal(y[:, :, p::3, q::2], own)


def test_a_block_does_not_depend_on_what_its_memory_held():
    """Five channels are filled up to eight: what stands there for a moment may be the NaN of another block."""
    x, w = noise(5, 2, 5, 9, 10), noise(6, 1, 5, 3, 3)
    layer = nn.plan(x, w, method="winograd", padding=1)
    before = layer(x, workers=1)
    for work, *_ in layer._run._rooms:
        work[:] = np.nan
    assert np.array_equal(layer(x, workers=1), before)


def test_vectors_of_the_sums_do_not_cross_lines_of_the_cache():
    layer = nn.plan(noise(5, 2, 5, 9, 10), noise(6, 1, 5, 3, 3), method="winograd", padding=1)
    layer(noise(5, 2, 5, 9, 10))
    kept = [layer._run._prepared(), *(work for work, _ in layer._run._rooms)]
    assert len(kept) > 1 and all(a.ctypes.data % 64 == 0 for a in kept)


@pytest.mark.parametrize("m", [2, 4])
def test_shares_of_one_block_that_keep_its_transformed_samples_have_the_same_bits(m):
    """Also the zeros that are found with the samples, and only as long as these are the samples of this call."""
    problem, w = layer((1, 3, 7, 7), (50, 3, 3, 3), padding=1), noise(35, 1, 50, 3, 3, 3)
    shared = winograd.Winograd(problem, w, m)
    assert len(shared.blocks.boxes(1)) == 1 < len(shared.blocks.boxes(3))
    for seed in range(2):
        x, one, two = noise(36 + seed, 1, 3, 7, 7), *np.empty((2, 1, 50, 7, 7), np.float32)
        x[..., :4, 2:] = 0
        shared(x, one, None, 1)
        shared(x, two, None, 3)
        assert np.array_equal(one, two) and not two[..., :3, 3:].any()


@pytest.mark.parametrize("shape, kernel, words", LAYERS)
def test_bits_do_not_depend_on_workers(shape, kernel, words):
    x, w = noise(14, *shape), noise(15, *kernel)
    one, two, five = (nn.conv(x, w, method="winograd", workers=n, **words) for n in (1, 2, 5))
    assert np.array_equal(one, two) and np.array_equal(one, five)


# ── weights that are read ─────────────────────────────────────────────────────────────────────────────────────────────

LENT = [
    ((1, 72, 7, 7), (35, 72, 3, 3), {"padding": 1}),  # chunks of 64 and of 8 channels, panels of 16 outputs and of 3
    ((2, 70, 5, 6), (36, 35, 3, 3), {"padding": 2, "dilation": 2, "groups": 2, "boundary": "reflect"}),
]
if not SLOW:
    LENT += [((1, 512, 7, 7), (512, 512, 3, 3), {"padding": 1}),
             ((1, 131, 7, 7), (64, 131, 3, 3), {"boundary": "edge", "padding": 1})]


@pytest.mark.parametrize("shape, taps, words", LENT)
def test_read_weights_have_the_bits_of_prepared_ones(shape, taps, words):
    x, w = noise(50, *shape), noise(51, *taps)
    problem = layer(shape, taps, **words)
    prepared = winograd.Winograd(problem, w.reshape(problem.groups, -1, *w.shape[1:]), 2)
    outs = np.full((4, shape[0], taps[0], *problem.outputs[1:]), np.nan, np.float32)
    prepared(x, outs[0], None, 2)
    for workers in (1, 2) if SLOW else (1, 2, 5):
        for room, _ in prepared._rooms:
            room[:] = np.nan
        assert prepared.reads and prepared(x, outs[workers % 4], None, workers, w)
    assert all(np.array_equal(outs[0], y) for y in outs[1:3])
    exact = nn.conv(x.astype(float), w.astype(float), method="direct", **words)
    assert np.abs(outs[0] - exact).max() <= 1e-6 * largest(x, w, 2, **words).max()


@pytest.mark.parametrize("o, i, tap", [(0, 0, 0), (34, 71, 8), (16, 64, 4), (3, 7, 2)])
def test_read_weights_are_looked_at(o, i, tap):
    """A tap that is small for all outputs, and one that is not finite, of any channel: prepared, they would be seen."""
    shape, taps, words = LENT[0]
    x, w = noise(52, *shape), noise(53, *taps)
    prepared = winograd.Winograd(layer(shape, taps, **words), w[None], 2)
    out = np.empty((1, 35, 7, 7), np.float32)
    for value in (np.nan, -np.inf):
        other = w.copy()
        other.reshape(35, 72, 9)[o, i, tap] = value
        for workers in (1, 2):
            assert not prepared(x, out, None, workers, other)
        assert not prepared(x, out, None, 2, other)
    other = w.copy()
    other.reshape(35, 72, 9)[:, i, tap] *= 1e-4
    assert winograd.objection(other[None]) and not prepared(x, out, None, 2, other)
    other.reshape(35, 72, 9)[o, i, tap] = -2.0  # one output is enough
    assert not winograd.objection(other[None]) and prepared(x, out, None, 2, other)


def test_both_ways_object_to_the_same():
    assert minimal_taps.SPREAD == winograd.SPREAD


def test_read_weights_and_samples_that_are_not_finite():
    shape, taps, words = LENT[0]
    x, w = noise(54, *shape), noise(55, *taps) / 16
    prepared = winograd.Winograd(layer(shape, taps, **words), w[None], 2)
    x[0, 70, 2, 3] = np.nan
    out = np.empty((1, 35, 7, 7), np.float32)
    assert prepared(x, out, None, 2, 2 * w)
    assert np.isnan(out).sum() == 35 * 9 and np.isnan(out[:, :, 1:4, 2:5]).all()


@whole
def test_large_weights_of_one_block_are_used_as_they_are_whatever_was_called_before():
    shape, taps, words = LENT[2]
    x, w = noise(56, *shape), noise(57, *taps)
    assert nn.plan(x, w, **words).method == "winograd"
    for change in (0, 1, 1e-6, np.nan, 0):
        w[3, 5, 1, 2] += change
        w[:, 7, 0, 0] *= 1 if change == 0 else 1e-3  # auto leaves it
        assert np.array_equal(nn.conv(x, w, **words), nn.plan(x, w, **words)(x), equal_nan=True)
    backwards = noise(58, *taps)[:, ::-1]
    assert np.array_equal(nn.conv(x, backwards, **words), nn.plan(x, backwards, **words)(x))


# ── the choice ────────────────────────────────────────────────────────────────────────────────────────────────────────


@whole
def test_auto_takes_it_for_dense_maps_and_says_what_it_promises():
    w = noise(16, 64, 64, 3, 3)
    found = nn.plan(((1, 64, 56, 56), np.float32), w, padding=1)
    assert found.method == "winograd"
    text = str(found)
    assert "winograd" in text and winograd.BOUND in text and "gemm" in text
    own = next(c for c in found.candidates if c.method == "winograd")
    assert own.multiplications < found.problem.multiplications / 3 and own.bytes <= 8 << 20


def test_method_direct_and_rtol_avoid_it():
    x, w = noise(17, 1, 64, 56, 56), noise(18, 64, 64, 3, 3)
    assert nn.plan(x, w, padding=1, method="direct").method == "direct"
    assert nn.plan(x, w, padding=1, rtol=1e-4).method != "winograd"


@pytest.mark.parametrize("change", [{"stride": 2}, {"boundary": "antireflect"}, {"boundary": "omit"}])
def test_what_it_does_not_serve(change):
    assert winograd.candidate(layer((1, 8, 20, 20), (16, 8, 3, 3), padding=1, **change)) is None
    with pytest.raises(ValueError, match="method='winograd' cannot serve this layer"):
        nn.conv(np.ones((1, 8, 20, 20), np.float32), np.ones((16, 8, 3, 3), np.float32), padding=1,
                method="winograd", **change)


def uneven(ratio):
    """Weights whose taps differ by `ratio`, between the corner and the rest: the most that the error can grow with."""
    rng = RNG(18)
    w = rng.uniform(0.5, 1, (64, 64, 3, 3)) * rng.choice([-1, 1], (64, 64, 3, 3))
    return (w * np.maximum.outer([1, 1, ratio], [1, 1, ratio])).astype(np.float32)


@whole
def test_the_promise_holds_for_taps_as_uneven_as_auto_takes():
    w, x = uneven(winograd.SPREAD * 0.9), np.zeros((1, 64, 56, 56), np.float32)
    x[:, :, 1::8, 1::8] = noise(17, 1, 64, 7, 7)
    found = nn.plan(x, w)
    assert found.method == "winograd"
    exact = nn.conv(x.astype(float), w.astype(float), method="direct")
    for m in (2, 4):
        assert (np.abs(run(x, w, None, m) - exact) <= 1e-5 * largest(x, w, m)).all()


@whole
def test_auto_takes_it_for_more_than_three_taps():
    assert nn.plan(((1, 64, 16000), np.float32), noise(46, 64, 64, 9), padding=4).method == "winograd"
    assert nn.plan(((1, 64, 56, 56), np.float32), noise(47, 64, 64, 5, 5), padding=2).method == "winograd"
    assert winograd.candidate(layer((1, 64, 1600), (64, 64, winograd.MOST + 1))) is None


@whole
def test_auto_takes_it_for_dilated_layers():
    w = noise(16, 64, 64, 3, 3)
    for d in (2, 3, 4):
        assert nn.plan(((1, 64, 56, 56), np.float32), w, padding=d, dilation=d).method == "winograd"
    far = nn.plan(((1, 64, 28, 28), np.float32), w, padding=24, dilation=24)  # four outputs of a tile, and one exists
    assert far.method != "winograd"


@whole
@pytest.mark.parametrize("taps", [(6,), (9,), (5, 5), (6, 6), (7, 4)])
@pytest.mark.parametrize("m", [2, 4])
def test_the_promise_holds_for_segments_as_uneven_as_auto_takes(taps, m):
    """Random taps are large or small; every sample lies alone and meets each place of a tile somewhere."""
    rng = RNG(40)
    n = (4 * 13 + 8,) * len(taps)
    x = np.zeros((1, 32, *n), np.float32)
    at = (slice(None), slice(None), *(slice(4, None, 13),) * len(taps))
    x[at] = rng.standard_normal(x[at].shape)
    for _ in range(8 // len(taps)):
        size = rng.choice([1, winograd.SPREAD * 0.9], taps)
        w = rng.uniform(0.95, 1, (32, 32, *taps)) * rng.choice([-1, 1], (32, 32, *taps)) * size
        w = w.astype(np.float32)
        assert winograd.objection(w[None]) == ""
        exact = nn.conv(x.astype(float), w.astype(float), method="direct")
        assert (np.abs(run(x, w, None, m) - exact) <= 1e-5 * largest(x, w, m)).all()


@pytest.mark.parametrize("taps", [4] if SLOW else [4, 5, 7, 8])
@pytest.mark.parametrize("m", [2, 4])
def test_a_sample_that_meets_filled_up_taps_only_leaves_nothing(taps, m):
    """Two taps are filled up to three by a zero: a tile reads one sample more than its outputs have."""
    w, x = noise(41, 5, 8, taps), noise(42, 1, 8, 7 * m + taps - 1)
    plain = run(x, w, None, m)
    for at in range(2 * m, 4 * m, 3 if SLOW else 1):
        loud = x.copy()
        loud[0, :, at] = 1e30
        others = [t for t in range(7) if not t * m <= at < (t + 1) * m + taps - 1]
        same = np.concatenate([np.arange(t * m, (t + 1) * m) for t in others])
        assert np.array_equal(run(loud, w, None, m)[..., same], plain[..., same])


@pytest.mark.parametrize("m", [2, 4])
def test_segments_much_smaller_than_others_keep_the_promise(m):
    """A sample carries no rounding of a segment that none of its taps belong to."""
    w = RNG(43).uniform(0.5, 1, (16, 8, 9)).astype(np.float32)
    w[..., :3] *= 1e-6
    w[..., 6:] *= 1e-3
    assert winograd.objection(w[None]) == ""
    for at in range(12, 12 + m):
        x = np.zeros((1, 8, 40), np.float32)
        x[..., at] = noise(44, 8)
        exact = nn.conv(x.astype(float), w.astype(float), method="direct")
        y = run(x, w, None, m)
        assert (np.abs(y - exact) <= 1e-5 * largest(x, w, m)).all()
        assert np.array_equal(y != 0, exact != 0)


def test_taps_are_compared_with_those_of_their_segment():
    w = noise(45, 1, 64, 8, 8)
    w[..., 6:] *= 1e-5
    assert winograd.objection(w) == ""
    w[..., 4] *= 1e-5
    assert winograd.objection(w) == "some taps are small"


def test_segments_have_three_taps_or_two_where_these_do_not_come_out():
    for taps in range(3, 40):
        found = winograd.segments(taps)
        assert [n for a, n in found for n in range(a, a + n)] == list(range(taps))
        assert {n for _, n in found} <= {2, 3} and sum(n == 2 for _, n in found) < 3
    assert winograd.segments(7) == [(0, 3), (3, 2), (5, 2)] and winograd.segments(1) == [(0, 1)]


@whole
def test_uneven_taps_are_left_to_other_methods():
    assert nn.plan(((1, 64, 56, 56), np.float32), uneven(2 * winograd.SPREAD)).method != "winograd"


@whole
def test_weights_with_tiny_taps_are_left_to_other_methods():
    w = noise(19, 64, 64, 3, 3)
    w[:, 5, 2, 2] *= 1e-4
    found = nn.plan(((1, 64, 56, 56), np.float32), w, padding=1)
    assert found.method != "winograd"
    assert next(c for c in found.candidates if c.method == "winograd").why == "some taps are small"


@pytest.mark.parametrize("shape, kernel, words", LAYERS)
@pytest.mark.parametrize("m", [2, 4])
def test_blocks_cover_every_tile_once(shape, kernel, words, m):
    blocks = winograd.Blocks(layer(shape, kernel, **words), m)
    for workers in (1, 2, 3, 8):
        seen = np.zeros((blocks.groups, blocks.every, blocks.wide, blocks.all_panels), int)
        for group, i0, i1, j0, j1, o0, o1 in blocks.boxes(workers):
            seen[group, i0:i1, j0:j1, o0:o1] += 1
        assert (seen == 1).all()


@pytest.mark.parametrize("tiles", range(1, 14))
def test_any_number_of_tiles_has_the_same_bits_and_is_filled_as_the_costs_say(tiles):
    """They are multiplied three units or two at a time; on a line of its own each tile is the only one."""
    filled, unit = getattr(kernel._filled, "py_func", kernel._filled)(tiles), kernel.UNIT
    assert kernel.THREE == 3 * unit and kernel.TWO == 2 * unit and unit in (2, 4)
    assert max(tiles, 2 * unit) <= filled < max(tiles + unit, 2 * unit + 1) and filled % unit == 0
    assert filled == costs.filled(tiles) or unit == 4  # the costs are the same on every machine
    x, w = noise(50, 1, 9, 4 * tiles + 2), noise(51, 17, 9, 3)
    alone = [run(x[..., 4 * t : 4 * t + 6], w, None, 4) for t in range(tiles)]
    assert np.array_equal(run(x, w, None, 4), np.concatenate(alone, axis=-1))


@pytest.mark.parametrize("n, m, gap", [(56, 4, 2), (7, 4, 3), (3, 2, 5), (25, 4, 3), (24, 4, 3), (13, 1, 1)])
def test_tiles_without_outputs_are_left_out(n, m, gap):
    """Tile t of an axis begins at output t // gap·m·gap + t % gap: as many as lie within."""
    axis = Geometry(layer((1, 1, n), (1, 1, 3 if m > 1 else 1), dilation=gap, padding=gap if m > 1 else 0)).axes[-1]
    assert axis.outputs == n
    firsts = [t // gap * m * gap + t % gap for t in range(n)]
    assert winograd._tiles(axis, m, gap) == sum(first < n for first in firsts)
    assert winograd._whole(axis, m, gap) == sum(first + (m - 1) * gap < n for first in firsts)


@whole
@pytest.mark.parametrize(
    "words",
    [{"padding": 1}, {"padding": 2, "dilation": 2}, {"padding": (3, 2), "dilation": (3, 2), "boundary": "edge"}],
)
@pytest.mark.parametrize("taps", [3, 5])
def test_the_input_gradient_of_a_dense_layer_takes_it_too(words, taps):
    w = noise(20, 64, 48, 3, taps)
    across = np.broadcast_to(words["padding"], 2)[1], np.broadcast_to(words.get("dilation", 1), 2)[1]
    gy = noise(21, 2, 64, 30, 30 + 2 * across[0] - (taps - 1) * across[1])
    fast = nn.conv_input_gradient(gy, w, (2, 48, 30, 30), method="winograd", **words)
    exact = nn.conv_input_gradient(gy.astype(float), w.astype(float), (2, 48, 30, 30), method="direct", **words)
    assert np.abs(fast - exact).max() <= 1e-5 * np.abs(exact).max()
