"""The contract: the fast path never changes the answer. Every clause with data that breaks a naive fast path."""

import dataclasses
import functools

import numpy as np
import pytest
from agreement import assert_agrees, same_footprint
from numpy.testing import assert_array_equal
from oracle import exact
from problems import EXACT_METHODS, LINE_METHODS, METHODS, gamma, tolerance, unit_roundoff

import firconv

FAST = ("direct", "fft", "overlap_save", "auto")
NAN, INF = float("nan"), float("inf")


def generator(seed):
    return np.random.default_rng(seed)


# ---- 1. NaN and Inf stay in their footprint ------------------------------------------------------------------------

LINES = {  # samples, taps, keywords
    "short taps": (300, 5, {}), "long taps": (900, 301, {"mode": "same"}), "more taps than samples": (40, 90, {}),
    "reflect": (200, 31, {"mode": "same", "boundary": "reflect"}), "wrap": (200, 64, {"boundary": "wrap"}),
    "antireflect": (50, 21, {"mode": "same", "boundary": "antireflect"}),
    "decimated": (400, 33, {"down": 3}), "stuffed and dilated": (120, 17, {"up": 4, "down": 3, "dilation": 2}),
}
SPOTS = {"nan": {0.4: NAN}, "inf": {0.5: INF}, "minus inf": {0.3: -INF}, "first": {0.0: NAN}, "last": {1.0: INF},
         "inf and minus inf": {0.40: INF, 0.41: -INF}, "many": {0.1: NAN, 0.35: INF, 0.7: -INF, 0.72: NAN}}


def spoil(x, spots):
    """The signal with some samples replaced, at fractions of its flat length."""
    for where, value in spots.items():
        x.reshape(-1)[round(where * (x.size - 1))] = value
    return x


@functools.cache
def spoiled_line(line, spots, dtype, op):
    n, k, keywords = LINES[line]
    x, h = generator(n).standard_normal(n).astype(dtype), generator(k).standard_normal(k).astype(dtype)
    h[k // 3] = 0.0  # a stored zero is a term: 0 * Inf = NaN
    x = spoil(x, SPOTS[spots])
    return x, h, exact(op, x, h, **keywords)


@pytest.mark.parametrize("method", LINE_METHODS)
@pytest.mark.parametrize("spots", SPOTS)
@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_footprints_on_a_line(line, spots, dtype, method):
    x, h, answer = spoiled_line(line, spots, dtype, "convolve")
    result = firconv.convolve(x, h, method=method, **LINES[line][2])
    assert_agrees(result, answer, x, h, method)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("spots", SPOTS)
@pytest.mark.parametrize("shape, size, keywords", [
    ((24, 30), (3, 3), {"mode": "same"}), ((40, 30), (15, 9), {"mode": "full"}),
    ((24, 30), (5, 4), {"mode": "same", "boundary": ["reflect", "wrap"], "down": (2, 1)}),
    ((9, 8, 10), (3, 4, 2), {"mode": "same"}),
])
def test_footprints_in_images_and_volumes(shape, size, keywords, spots, method):
    taps = functools.reduce(np.multiply.outer, [generator(k).standard_normal(k) for k in size])
    x = spoil(generator(1).standard_normal(shape), SPOTS[spots])
    result = firconv.correlate(x, taps, method=method, **keywords)
    assert_agrees(result, exact("correlate", x, taps, **keywords), x, taps, method)


@pytest.mark.parametrize("method", LINE_METHODS)
@pytest.mark.parametrize("value", [NAN, INF, complex(INF, 1), complex(0, NAN)])
def test_complex_footprints_promise_only_non_finiteness(value, method):
    x = generator(2).standard_normal(300) + 1j * generator(3).standard_normal(300)
    h = generator(4).standard_normal(40) + 1j * generator(5).standard_normal(40)
    x[137] = value
    result = firconv.convolve(x, h, method=method)
    assert_agrees(result, exact("convolve", x, h), x, h, method)


@pytest.mark.parametrize("method", EXACT_METHODS)
@pytest.mark.parametrize("value", [NAN, INF, -INF])
@pytest.mark.parametrize("size", [7, 80])
def test_non_finite_taps(size, value, method):
    x, h = generator(6).standard_normal(200), generator(7).standard_normal(size)
    x[50], h[size // 2] = 0.0, value
    result = firconv.convolve(x, h, method=method)
    assert_agrees(result, exact("convolve", x, h), x, h, method)


@pytest.mark.parametrize("method", EXACT_METHODS)
def test_zero_beyond_the_ends_makes_no_nan(method):
    x, h = np.ones(64), np.ones(9)
    h[0] = INF
    assert not np.isnan(firconv.convolve(x, h, "same", method)).any()
    assert not np.isnan(firconv.convolve(x, h, "full", method, up=3)).any()


@pytest.mark.parametrize("method", FAST)
def test_all_nan_and_every_block_spoiled(method):
    x = generator(8).standard_normal(20_000)
    x[::1000] = NAN
    result = firconv.convolve(x, np.ones(129), "same", method)
    expected = np.convolve(np.isnan(x), np.ones(129), "same") > 0.5
    assert_array_equal(np.isnan(result), expected)
    assert np.isnan(firconv.convolve(np.full(500, NAN), np.ones(65), "same", method)).all()


@pytest.mark.parametrize("method", LINE_METHODS)
def test_finite_data_near_the_top_do_not_overflow(method):
    """A float32 transform of 3e37 overflows where the defining sum does not."""
    x = np.full(800, 3e37, np.float32) * generator(9).choice([-1, 1], 800).astype("f4")
    h = np.full(65, 1 / 65, np.float32)
    result = firconv.convolve(x, h, "same", method)
    assert_agrees(result, exact("convolve", x, h, "same"), x, h, method)


@pytest.mark.parametrize("method", LINE_METHODS)
@pytest.mark.parametrize("scale", [1e-38, 1e-30])
def test_tiny_data_do_not_vanish(method, scale):
    x = (generator(9).standard_normal(800) * scale).astype("f4")
    h = np.full(65, 1 / 65, np.float32)
    result = firconv.convolve(x, h, "same", method)
    error = np.abs(result - exact("convolve", x, h, "same").values)
    assert error.max() <= tolerance("f4", 1024, "fft") * np.linalg.norm(x.astype("f8")) + 65 * 2.0**-149


# ---- 2. integers are exact -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", FAST)
def test_5000_by_5000_large_values(method):
    x = generator(10).integers(880_000, 900_000, 5000)
    h = generator(11).integers(880_000, 900_000, 5000)
    assert_array_equal(firconv.convolve(x, h, method=method), np.convolve(x, h))


@pytest.mark.parametrize("method", FAST)
@pytest.mark.parametrize("k", [3, 100, 2000])
def test_2_to_the_40_signals_with_small_taps(k, method):
    x = generator(12).integers(-(2**40), 2**40, 6000)
    h = generator(13).integers(-50, 50, k)
    assert_array_equal(firconv.convolve(x, h, "same", method), np.convolve(x, h, "same"))


@pytest.mark.parametrize("method", METHODS)
def test_2d_integers_beyond_float64(method):
    x = generator(14).integers(2**52, 2**53, (30, 31))
    h = np.multiply.outer(generator(15).integers(1, 9, 7), generator(16).integers(-9, 9, 6))
    result = firconv.convolve(x, h, "same", method)
    assert_agrees(result, exact("convolve", x, h, "same"), x, h, method)


@pytest.mark.parametrize("method", FAST)
def test_uint8_images_are_exact(method):
    image = generator(17).integers(0, 256, (90, 80), dtype=np.uint8)
    taps = generator(18).integers(0, 256, (17, 21), dtype=np.uint8)
    result = firconv.correlate(image, taps, "same", method, boundary="reflect")
    padded = np.pad(image.astype(np.int64), [(8, 8), (10, 10)], "reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (17, 21))
    assert_array_equal(result, np.einsum("ijkl,kl->ij", windows, taps.astype(np.int64)))


@pytest.mark.parametrize("method", FAST)
def test_overflow_is_raised_and_never_wrapped(method):
    x, h = np.full(4000, 2**40), np.full(600, 2**20)
    with pytest.raises(OverflowError, match="64"):
        firconv.convolve(x, h, method=method)
    assert firconv.convolve(x, h // 600, "valid", method).max() == 600 * (2**20 // 600) * 2**40


# ---- 3. accuracy is stated -----------------------------------------------------------------------------------------


def test_wide_range_example():
    a = np.array([0.0] * 10_000 + [10.0 ** (9 * i) for i in range(10)])
    expected = [(min(i, 18 - i) + 1) * 10.0 ** (9 * i) for i in range(19)]
    np.testing.assert_allclose(firconv.convolve(a, a)[-19:], expected, rtol=gamma(20, unit_roundoff("f8")))
    assert_array_equal(firconv.convolve(a, a)[:20_000], 0.0)


def extended(x, h, start, stop):
    """Outputs start ... stop of the full convolution in extended precision, with the footprints' energies."""
    wide = np.concatenate([np.zeros(h.size - 1), x, np.zeros(h.size - 1)]).astype(np.longdouble)
    windows = np.lib.stride_tricks.sliding_window_view(wide, h.size)[start:stop]
    taps = h[::-1].astype(np.longdouble)
    return windows @ taps, np.sqrt(np.sum(windows**2, axis=1)), np.abs(windows) @ np.abs(taps)


@pytest.mark.parametrize("dtype, loud", [("float64", 1e9), ("float64", 1e160), ("float32", 1e5), ("float32", 1e30)])
@pytest.mark.parametrize("k", [65, 1025])
def test_quiet_after_loud(dtype, loud, k):
    x = generator(19).standard_normal(30_000)
    x[:10_000] *= loud
    x[20_000:] /= 1e3
    x, h = x.astype(dtype), generator(20).standard_normal(k).astype(dtype)
    result = firconv.convolve(x, h)
    for start in (9_900 + k, 10_000 + k // 2, 15_000, 20_000 + k, 29_000 + k):
        values, energy, magnitude = extended(x, h, start, start + 60)
        error = np.abs(result[start : start + 60] - values)
        promise = tolerance(dtype, k, "auto") * np.linalg.norm(h.astype("f8")) * energy
        assert np.all(error <= np.maximum(promise, tolerance(dtype, k, "direct") * magnitude))


@pytest.mark.parametrize("method", ["overlap_save", "fft"])
@pytest.mark.parametrize("dtype, loud, quiet", [("float64", 1e300, 1e-20), ("float32", 1e36, 1e-12)])
def test_the_guard_sees_samples_that_vanish_beside_the_loudest(method, dtype, loud, quiet):
    """Scaled by the loudest, the quiet samples and their squares are zero; the outputs over them are not."""
    noise = generator(19).standard_normal(30_000)
    x = np.where(np.arange(30_000) < 100, loud * noise, quiet * noise).astype(dtype)
    h = generator(20).standard_normal(1025).astype(dtype)
    plan = firconv.plan(x, h)
    tau = {"float32": 1e-4, "float64": 1e-10}[dtype]
    forced = firconv.plan(x, h, method=method)
    forced.decision = dataclasses.replace(forced.decision, tau=tau)
    for result in (plan(x), forced(x)):
        values, energy, magnitude = extended(x, h, 5000, 5060)
        promise = tau * np.linalg.norm(h.astype("f8")) * energy
        allowed = np.maximum(promise, tolerance(dtype, 1025, "direct") * magnitude)
        assert np.all(np.abs(result[5000:5060] - values) <= allowed)


@pytest.mark.parametrize("method", ["auto", "direct"])
def test_silence_after_loud_is_silence(method):
    x = np.zeros(50_000)
    x[:2000] = 1e12 * generator(21).standard_normal(2000)
    result = firconv.convolve(x, generator(22).standard_normal(700), method=method)
    assert_array_equal(result[2700:], 0.0)


def test_quiet_corner_of_a_loud_image():
    x = generator(23).standard_normal((150, 160))
    x[:70] *= 1e11
    h = generator(24).standard_normal((31, 33))
    result = firconv.convolve(x, h, "valid")
    answer = exact("convolve", x[100:], h, "valid")
    promise = tolerance("f8", h.size, "auto") * np.linalg.norm(h) * answer.energy
    assert np.all(np.abs(result[100:] - answer.values) <= promise)


@pytest.mark.parametrize("dtype, rtol", [
    ("float64", 1e-10), ("float64", 1e-13), ("float64", 1e-15), ("float32", 1e-4), ("float32", 1e-5), ("float32", 2e-7),
    ("complex128", 1e-14), ("complex64", 1e-6),
])
@pytest.mark.parametrize("n, k", [(500, 7), (3000, 400)])
def test_rtol_is_componentwise(n, k, dtype, rtol):
    x, h = generator(25).standard_normal(n), generator(26).standard_normal(k)
    x[n // 2 :] *= 1e-6
    x, h = x.astype(dtype), h.astype(dtype)
    answer = exact("convolve", x, h)
    error = np.abs(firconv.convolve(x, h, rtol=rtol) - answer.values)
    assert np.all(error <= rtol * answer.magnitude)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_impossible_rtol_names_the_smallest(dtype):
    with pytest.raises(ValueError, match=r"rtol.*\d"):
        firconv.convolve(np.ones(9, dtype), np.ones(3, dtype), rtol=1e-30)


@pytest.mark.parametrize("rtol", [-1, 0.0, NAN, "tiny"])
def test_meaningless_rtol(rtol):
    with pytest.raises((ValueError, TypeError), match="rtol"):
        firconv.convolve(np.ones(9), np.ones(3), rtol=rtol)


# ---- 4. same method, same bits -------------------------------------------------------------------------------------

BULK = {
    "line": ((300_000,), (65,), {}), "long line": ((300_000,), (3001,), {"mode": "same"}),
    "decimated": ((200_000,), (161,), {"down": 8}), "resampled": ((50_000,), (200,), {"up": 3, "down": 2}),
    "image": ((700, 650), (9, 9), {"mode": "same", "boundary": "reflect"}),
    "large taps": ((500, 600), (45, 41), {"mode": "same", "boundary": "wrap"}),
    "channels": ((40, 9000), (65,), {"axes": 1}), "volume": ((60, 50, 40), (5, 5, 5), {"mode": "same"}),
}


@pytest.mark.parametrize("method", FAST)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", BULK)
def test_same_bits_for_any_number_of_workers(name, dtype, method):
    shape, size, keywords = BULK[name]
    x, h = generator(27).standard_normal(shape).astype(dtype), generator(28).standard_normal(size).astype(dtype)
    one, *others = (firconv.convolve(x, h, method=method, workers=n, **keywords) for n in (1, 2, 3))
    for other in others:
        assert_array_equal(other, one)


@pytest.mark.parametrize("dtype", ["complex64", "int16"])
@pytest.mark.parametrize("method", FAST)
def test_same_bits_complex_and_integers(dtype, method):
    x = (100 * generator(29).standard_normal((3, 60_000))).astype(dtype)
    h = (100 * generator(30).standard_normal(300)).astype(dtype)
    one, two = (firconv.correlate(x, h, method=method, axes=1, workers=n) for n in (1, 2))
    assert_array_equal(one, two)


def test_same_bits_where_blocks_fall_back():
    x = generator(31).standard_normal(200_000)
    x[60_000:90_000] *= 1e14
    x[150_000] = NAN
    one, two = (firconv.convolve(x, np.hanning(1500), workers=n) for n in (1, 2))
    assert_array_equal(one, two)


def test_method_does_not_depend_on_workers():
    plans = []
    for workers in (1, 2, 3):
        firconv.set_workers(workers)
        plans.append(firconv.plan(((100_000,), "f4"), np.ones(500, "f4")))
    firconv.set_workers(None)
    assert plans[0] == plans[1] == plans[2]
    assert len({str(p) for p in plans}) == 1


# ---- 5. the caller's arrays ----------------------------------------------------------------------------------------


def layouts():
    base = generator(32).standard_normal((20, 26))
    yield "contiguous", base.copy()
    yield "Fortran", np.asfortranarray(base)
    yield "transposed", np.ascontiguousarray(base.T).T
    yield "sliced", np.repeat(np.repeat(base, 2, axis=0), 3, axis=1)[::2, ::3]
    yield "negative strides", np.ascontiguousarray(base[::-1, ::-1])[::-1, ::-1]
    yield "broadcast", np.broadcast_to(base[:1], base.shape)
    yield "unaligned", unaligned(base)
    read_only = base.copy()
    read_only.flags.writeable = False
    yield "read-only", read_only


def unaligned(base):
    room = np.zeros(base.nbytes + 1, np.uint8)[1:].view(base.dtype).reshape(base.shape)
    room[...] = base
    assert not room.flags.aligned
    return room


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name, x", list(layouts()), ids=[name for name, _ in layouts()])
def test_any_layout_is_accepted_and_left_alone(name, x, method):
    taps = np.multiply.outer(np.hanning(7)[1:-1], np.hanning(6)[1:-1])
    taps.flags.writeable = False
    before, flags = x.copy(), (x.flags.writeable, x.strides)
    keywords = dict(mode="same", boundary="reflect", method=method)
    result = firconv.convolve(x, taps, **keywords)
    np.testing.assert_allclose(result, firconv.convolve(before, taps, **keywords), rtol=1e-12, atol=1e-12)
    assert_array_equal(x, before)
    assert (x.flags.writeable, x.strides) == flags
    assert not np.shares_memory(result, x)
    assert result.flags.writeable and result.flags.c_contiguous


@pytest.mark.parametrize("method", LINE_METHODS)
def test_identity_is_a_copy(method):
    x = np.arange(9.0)
    result = firconv.convolve(x, [1.0], method=method)
    assert_array_equal(result, x)
    assert not np.shares_memory(result, x)


@pytest.mark.parametrize("method", LINE_METHODS)
def test_spoiled_inputs_are_left_alone_by_the_repair(method):
    x = spoil(generator(33).standard_normal(400), SPOTS["many"])
    before = x.copy()
    firconv.convolve(x, np.ones(50), method=method)
    assert_array_equal(x, before)


@pytest.mark.parametrize("method", LINE_METHODS)
def test_out_receives_the_result(method):
    x, h = generator(34).standard_normal(100), np.hanning(9)
    expected = firconv.convolve(x, h, "same", method)
    out = np.full(100, 7.0)
    assert firconv.convolve(x, h, "same", method, out=out) is out
    assert_array_equal(out, expected)
    wide = np.zeros(200)
    firconv.convolve(x, h, "same", method, out=wide[::-2])
    assert_array_equal(wide[::-2], expected)
    assert_array_equal(wide[::2], 0.0)


@pytest.mark.parametrize("method", LINE_METHODS)
def test_out_may_be_the_signal(method):
    x, h = generator(35).standard_normal(300), generator(36).standard_normal(40)
    expected = firconv.convolve(x, h, "same", method)
    for out, source in overlapping(x):
        assert firconv.convolve(source, h, "same", method, out=out) is out
        assert_array_equal(out, expected)


def overlapping(x):
    yield (room := x.copy()), room
    room = np.concatenate([np.zeros(3), x])
    yield room[:-3], room[3:]
    room = np.concatenate([x, np.zeros(3)])
    yield room[3:], room[:-3]


def test_same_footprint_notices():
    with pytest.raises(AssertionError):
        same_footprint(np.array([1.0, NAN]), np.array([1.0, INF]))
