"""The direct kernels: agreement with plain loops, the same bits from every kernel and cut, footprints of NaN."""

from __future__ import annotations

from fractions import Fraction

import numba
import numpy as np
import pytest

from firconv.kernels import direct, images, lanes

DTYPES = ["float32", "float64", "int64"]
UNIT = {"float32": 2.0**-24, "float64": 2.0**-53, "int64": 0.0}
SLOW = numba.config.DISABLE_JIT  # the same laws on fewer sizes


def values(rng, dtype, *shape):
    return (10 * rng.standard_normal(shape)).astype(dtype)


def index(*entries):
    return np.array(entries, np.int64)


def table_rows(x, out, x_row, out_row, n, weights, offsets, first, last):
    """The definition of `rows`, one output at a time, with magnitudes for the bound."""
    wide = np.int64 if x.dtype == np.int64 else np.longdouble
    y, size = out.astype(wide), np.zeros(out.shape, wide)
    for r, c_first, c_last in zip(range(len(x_row)), first, last, strict=True):
        for j in range(n):
            terms = [wide(weights[c]) * wide(x[x_row[r] + offsets[c] + j]) for c in range(c_first, c_last)]
            y[out_row[r] + j] = sum(terms, wide(0))
            size[out_row[r] + j] = sum(map(abs, terms), wide(0))
    return y, size


def image_tables(weights, count, pitch, step, x_row=0, out_row=0, out_pitch=0):
    """Arguments of `rows` that say the same as a call of `grid`."""
    ky, kx = weights.shape
    offsets = (np.arange(ky)[:, None] * pitch + np.arange(kx) * step).ravel()
    r = np.arange(count)
    every = np.ones(count, np.int64)
    return x_row + r * pitch, out_row + r * out_pitch, weights.ravel(), offsets, 0 * every, weights.size * every


def one_row(x, weights, offsets, n, at=0):
    out = np.empty(n, x.dtype)
    direct.rows(x, out, index(at), index(0), n, weights, offsets, index(0), index(len(weights)))
    return out


def same_bits(a, b):
    return a.dtype == b.dtype and a.tobytes() == b.tobytes()


TABLES = {
    "no taps": [],
    "one tap": [3],
    "consecutive": list(range(9)),
    "long": list(range(41)),
    "every second": list(range(0, 74, 2)),
    "every fourth": list(range(0, 100, 4)),
    "every third": list(range(0, 60, 3)),
    "same sample": [5] * 6,
    "backwards": list(range(40, 0, -1)),
    "two channels": [*range(35), *range(100, 135)],
    "mixed": [7, 2, *range(10, 50), 3, 1, 90, *range(60, 95, 2), 0],
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("offsets", TABLES.values(), ids=TABLES)
def test_rows_agree_with_the_definition(dtype, offsets):
    rng = np.random.default_rng(len(offsets))
    offsets = np.array(offsets, np.int64)
    taps = len(offsets)
    x, weights = values(rng, dtype, 500), values(rng, dtype, taps)
    for n in (1, 5, 13) if SLOW else (1, 5, 13, 16, 21, 37, 64, 150):
        x_row, out_row = rng.integers(0, 200, 4), 2 + np.arange(4) * (n + 3)
        first = index(0, 0, taps // 3, taps // 2)
        last = index(taps, taps // 2, taps, taps // 2)
        out = np.full(4 * (n + 3) + 2, 77, dtype)
        exact, size = table_rows(x, out, x_row, out_row, n, weights, offsets, first, last)
        direct.rows(x, out, x_row, out_row, n, weights, offsets, first, last)
        assert np.all(np.abs(out - exact) <= (taps + 1) * UNIT[dtype] * size), n


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("accumulate", [False, True])
@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (3, 3), (2, 7), (5, 1), (6, 4)])
def test_grid_agrees_with_the_definition(dtype, accumulate, shape):
    rng = np.random.default_rng(shape)
    weights = values(rng, dtype, *shape)
    for n in (1, 9) if SLOW else (1, 3, 9, 17, 33, 50, 101):
        for count, step in ((1, 1), (2, 3), (5, 2)):
            pitch, low = n + (shape[1] - 1) * step + 1, n + 2
            x = values(rng, dtype, (count + shape[0] - 1) * pitch + 4)
            before = values(rng, dtype, count * low + 3)
            out = before.copy()
            x_row, out_row, flat, offsets, first, last = image_tables(weights, count, pitch, step, 3, 1, low)
            exact, size = table_rows(x, 0 * before, x_row, out_row, n, flat, offsets, first, last)
            spare = np.empty(weights.size, np.int64)
            images.grid(x, out, 3, 1, count, low, n, weights, pitch, step, accumulate, spare)
            untouched = np.ones(len(out), bool)
            untouched[(out_row[:, None] + np.arange(n)).ravel()] = False
            start = before if accumulate else np.where(untouched, before, 0)
            bound = (weights.size + 2) * UNIT[dtype] * (size + np.abs(start))
            assert np.all(np.abs(out - (exact + start)) <= bound), (n, count, step)
            assert same_bits(out[untouched], before[untouched])


@pytest.mark.parametrize("dtype", DTYPES)
def test_line_agrees_with_the_definition(dtype):
    rng = np.random.default_rng(3)
    for _ in range(20 if SLOW else 200):
        n, taps, outputs, pad = rng.integers((1, 1, 1, -9), (90, 30, 140, 40)).tolist()
        x, weights, out = values(rng, dtype, n), values(rng, dtype, taps), np.full(outputs, 77, dtype)
        padded = np.concatenate([np.zeros(200, dtype), x, np.zeros(200, dtype)])
        offsets, every = np.arange(taps), index(taps)
        exact, size = table_rows(padded, out, index(200 - pad), index(0), outputs, weights, offsets, index(0), every)
        direct.line(x, weights, out, pad)
        assert np.all(np.abs(out - exact) <= (taps + 1) * UNIT[dtype] * size)


# --- the same bits, however the work is cut -------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("taps", [1, 2, 5, 9, 17, 40])
def test_every_kernel_and_length_gives_the_same_bits(dtype, taps):
    rng = np.random.default_rng(taps)
    longest = 12 if SLOW else 110
    x, weights = values(rng, dtype, longest + taps - 1), values(rng, dtype, taps)
    offsets = np.arange(taps)
    single = np.concatenate([one_row(x, weights, offsets, 1, at) for at in range(longest)])
    for n in range(1, longest + 1):
        grid, line = np.empty(n, dtype), np.empty(n, dtype)
        images.grid(x, grid, 0, 0, 1, 0, n, weights[None], 0, 1, False, np.empty(weights.size, np.int64))
        direct.line(x, weights, line, 0)
        assert same_bits(one_row(x, weights, offsets, n), single[:n]), n
        assert same_bits(grid, single[:n]), n
        assert same_bits(line, single[:n]), n


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("offsets", TABLES.values(), ids=TABLES)
def test_a_range_may_be_cut_anywhere(dtype, offsets):
    rng = np.random.default_rng(8)
    offsets = np.array(offsets, np.int64)
    n = 30 if SLOW else 230
    x, weights = values(rng, dtype, n + 150), values(rng, dtype, len(offsets))
    whole = one_row(x, weights, offsets, n)
    for cut in rng.integers(1, n, 25):
        parts = one_row(x, weights, offsets, cut), one_row(x, weights, offsets, n - cut, cut)
        assert same_bits(np.concatenate(parts), whole), cut


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("step", [1, 2, 3])
@pytest.mark.parametrize("shape", [(3, 3), (1, 6), (5, 4), (7, 1)])
def test_grid_gives_the_bits_of_rows(dtype, step, shape):
    rng = np.random.default_rng(step)
    weights = values(rng, dtype, *shape)
    for n in (2, 20) if SLOW else range(1, 120, 3):
        count, pitch = 1 + n % 5, n + 20
        x = values(rng, dtype, (count + shape[0] - 1) * pitch)
        grid, rows = np.empty((count, n), dtype), np.empty((count, n), dtype)
        spare = np.empty(weights.size, np.int64)
        images.grid(x, grid.reshape(-1), 0, 0, count, n, n, weights, pitch, step, False, spare)
        x_row, out_row, flat, offsets, first, last = image_tables(weights, count, pitch, step, out_pitch=n)
        direct.rows(x, rows.reshape(-1), x_row, out_row, n, flat, offsets, first, last)
        assert same_bits(grid, rows), (n, count)


@pytest.mark.parametrize("dtype", DTYPES)
def test_accumulation_continues_the_chain(dtype):
    rng = np.random.default_rng(5)
    for n in (3, 18) if SLOW else (1, 3, 15, 18, 40, 47, 64, 100):
        weights, x = values(rng, dtype, 2, 3, 3), values(rng, dtype, 2 * 5 * (n + 2))
        volume = np.empty((3, n), dtype)
        for plane in range(2):
            at = plane * 5 * (n + 2)
            spare = np.empty(weights.size, np.int64)
            images.grid(x, volume.reshape(-1), at, 0, 3, n, n, weights[plane], n + 2, 1, plane > 0, spare)
        x_row, out_row, _, plane, first, last = image_tables(weights[0], 3, n + 2, 1, out_pitch=n)
        offsets, rows = np.concatenate([plane, plane + 5 * (n + 2)]), np.empty((3, n), dtype)
        direct.rows(x, rows.reshape(-1), x_row, out_row, n, weights.ravel(), offsets, first, 2 * last)
        assert same_bits(volume, rows), n


@pytest.mark.skipif(SLOW, reason="wide images by plain Python loops")
def test_strips_of_wide_images_agree_with_rows():
    rng = np.random.default_rng(6)
    for ky, n in ((20, 2500), (300, 250), (3, 7001)):
        x, weights = values(rng, "float64", (ky + 4) * (n + 4)), values(rng, "float64", ky, 5)
        grid, rows = np.empty((5, n)), np.empty((5, n))
        images.grid(x, grid.reshape(-1), 0, 0, 5, n, n, weights, n + 4, 1, False, np.empty(weights.size, np.int64))
        x_row, out_row, flat, offsets, first, last = image_tables(weights, 5, n + 4, 1, out_pitch=n)
        direct.rows(x, rows.reshape(-1), x_row, out_row, n, flat, offsets, first, last)
        assert same_bits(grid, rows)


# --- numbers that are not ordinary ----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_non_finite_samples_stay_in_their_footprint(dtype, bad):
    taps, n = 9, 20 if SLOW else 140
    for at in range(0, n + taps - 1, 7):
        x, weights = np.ones(n + taps - 1, dtype), np.ones(taps, dtype)
        x[at] = bad
        expected = np.full(n, taps, dtype)
        expected[max(0, at - taps + 1) : at + 1] = bad
        grid, line = np.empty(n, dtype), np.empty(n, dtype)
        images.grid(x, grid, 0, 0, 1, 0, n, weights[None], 0, 1, False, np.empty(weights.size, np.int64))
        direct.line(x, weights, line, 0)
        for y in (one_row(x, weights, np.arange(taps), n), grid, line):
            np.testing.assert_array_equal(y, expected)


def test_line_skips_absent_terms_and_keeps_stored_zeros():
    x, out = np.array([np.nan, 1.0, 2.0, 3.0]), np.empty(6)
    direct.line(x, np.array([np.inf, 0.0, 1.0]), out, 2)
    np.testing.assert_array_equal(out, [np.nan, np.nan, np.nan, np.inf, np.inf, np.inf])


def test_one_rounding_for_each_tap():
    if SLOW:
        pytest.skip("NumPy rounds the product as well")
    tiny = 2.0**-30
    x, weights = np.array([1.0, 1 + tiny] * 40), np.array([-1.0, 1 + tiny])
    fused = float(Fraction(1 + tiny) ** 2 - 1)
    rounded = (1 + tiny) ** 2 - 1
    y = one_row(x, weights, np.arange(2), 78)[::2]
    assert set(y) <= {fused, rounded}  # a processor without fused operations rounds twice
    assert len(set(y)) == 1


@pytest.mark.parametrize("n", [1, 12, 70])
def test_integers_wrap_without_a_word(n):
    if SLOW and n > 12:
        pytest.skip("one length is enough")
    x, weights = np.full(n + 2, 2**62, np.int64), index(3, 5, 7)
    expected = np.full(n, (2**62 * 15 + 2**63) % 2**64 - 2**63)
    line = np.empty(n, np.int64)
    with np.errstate(all="raise"):
        direct.line(x, weights, line, 0)
        np.testing.assert_array_equal(one_row(x, weights, np.arange(3), n), expected)
    np.testing.assert_array_equal(line, expected)


# --- single outputs -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_points_are_sums_in_double_precision(dtype):
    rng = np.random.default_rng(4)
    x, weights, offsets = values(rng, dtype, 400), values(rng, "float64", 37), rng.integers(0, 100, 37)
    start, out = rng.integers(0, 300, 25), np.empty(25)
    direct.points(x, start, weights, offsets, out)
    terms = weights * x[start[:, None] + offsets].astype("float64")
    exact = terms.astype(np.longdouble).sum(axis=1)
    assert np.all(np.abs(out - exact) <= 38 * UNIT["float64"] * np.abs(terms).sum(axis=1))


def test_points_are_non_finite_where_their_sums_are():
    x = np.array([1.0, np.inf, 2.0, np.nan, 3.0, 4.0])
    out = np.empty(4)
    direct.points(x, np.arange(4), np.array([1.0, 1.0, 1.0]), index(0, 1, 2), out)
    np.testing.assert_array_equal(out, [np.inf, np.nan, np.nan, np.nan])


# --- arrays ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_read_only_inputs_are_read_by_the_same_version(dtype):
    x, weights, offsets = np.arange(40).astype(dtype), np.arange(1, 4).astype(dtype), np.arange(3)
    writable = one_row(x, weights, offsets, 30)
    for a in (x, weights, offsets):
        a.flags.writeable = False
    assert same_bits(one_row(x, weights, offsets, 30), writable)
    if not SLOW:
        assert len(direct.rows.version(dtype).signatures) == 1


def test_lanes_without_the_jit_are_the_same_words():
    x = np.arange(64.0)
    zero = lanes.spread(x[0], 2, 2)
    v = lanes.load(x, 3, zero)
    np.testing.assert_array_equal(v, [[3, 4, 5, 6], [11, 12, 13, 14]])
    a, b = lanes.fma2(x, 3, 2.0, zero, 1.0, v)
    np.testing.assert_array_equal(a, b)
    out = np.zeros(16)
    lanes.store(out, 1, a)
    np.testing.assert_array_equal(out[[0, 1, 4, 5, 9, 12, 13]], [0, 6, 12, 0, 22, 28, 0])
    part = lanes.load_part(x, 60, lanes.spread(x[0], 2, 1), 3)
    np.testing.assert_array_equal(part.ravel(), [60, 61, 62, 0, 0, 0, 0, 0])
    lanes.store_part(out, 14, part, 2)
    assert (lanes.width(part), lanes.lanes(x), lanes.item(x, 5), *out[13:]) == (8, 4, 5, 0, 60, 61)
