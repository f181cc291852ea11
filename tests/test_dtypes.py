"""Which dtype comes out, and that integers are exact or refused."""

import itertools

import numpy as np
import pytest
from agreement import assert_agrees
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from oracle import exact, oracle, promised_dtype
from problems import EXACT_METHODS, FLOATS, INTEGERS, LINE_METHODS

import firconv

ALL = FLOATS + INTEGERS
WIDE = st.integers(-(2**63), 2**63 - 1)
HUGE = st.integers(0, 2**64 - 1)


@pytest.mark.parametrize("a, b", list(itertools.product(ALL, ALL)))
def test_result_dtype(a, b):
    x, h = np.ones(3, a), np.ones(2, b)
    for result in (firconv.convolve(x, h), firconv.correlate(x, h), firconv.plan(x, h)(x)):
        assert result.dtype == promised_dtype(x, h)
        assert result.tolist() == [1, 2, 2, 1]


@pytest.mark.parametrize("dtype", ALL)
@pytest.mark.parametrize("weak", [[1, 2], [0.5, 2.0], [1j, 2], (True, False), [[1, 2]], 3, 2.5])
def test_python_numbers_are_weak(dtype, weak):
    shape = {0: (), 1: (4,), 2: (2, 4)}[np.ndim(weak)]
    x = np.ones(shape, dtype)
    expected = promised_dtype(x, weak)
    assert firconv.convolve(x, weak).dtype == expected
    assert firconv.convolve(weak, x).dtype == expected


@pytest.mark.parametrize("strong", [np.float64(2), np.array(2.0), np.array([2.0]), [np.float64(2)]])
def test_numpy_scalars_are_not_weak(strong):
    x = np.ones(np.shape(strong), "f4")
    assert firconv.convolve(x, strong).dtype == np.float64


@pytest.mark.parametrize("dtype", [">f4", ">f8", ">i4", ">c8"])
def test_foreign_byte_order_is_read(dtype):
    x, h = np.arange(5).astype(dtype), np.array([1, 2]).astype(dtype)
    result = firconv.convolve(x, h)
    assert result.dtype.isnative
    assert result.tolist() == [0, 1, 4, 7, 10, 8]


# ---- integers ------------------------------------------------------------------------------------------------------


def expect(op, x, h, method="auto", **keywords):
    """The exact integers, or the OverflowError that the oracle says."""
    try:
        expected = oracle(op, x, h, **keywords)
    except OverflowError:
        with pytest.raises(OverflowError, match="64"):
            getattr(firconv, op)(x, h, method=method, **keywords)
        return None
    actual = getattr(firconv, op)(x, h, method=method, **keywords)
    assert actual.dtype == expected.dtype
    assert_array_equal(actual, expected)
    return actual


@pytest.mark.parametrize("method", LINE_METHODS)
@pytest.mark.parametrize("op", ["convolve", "correlate"])
def test_wrapping_partial_sums_are_fine_and_wrapped_outputs_are_not(op, method):
    big = 2**62
    x, h = np.array([big, big, -big, 7]), np.array([1, 1, 1])
    assert expect(op, x, h, method, mode="valid") is not None  # the partial sum 2^63 wraps, the outputs fit
    assert expect(op, x, h, method) is None
    assert expect(op, x, h, method, mode=(3, 5), origin=0) is not None


@pytest.mark.parametrize("method", LINE_METHODS)
@pytest.mark.parametrize("x, h", [
    ([2**63 - 1], [1]), ([-(2**63)], [1]), ([-(2**63)], [-1]), ([2**63 - 1, 1], [1, 1]), ([2**40] * 9, [2**22, 1]),
    ([2**40] * 9, [2**23, 0]), ([2**32, -(2**32)], [2**31, 2**31]), ([3037000500], [3037000500]),
    ([3037000499] * 2, [3037000499]),
])
def test_the_edge_of_64_bits(x, h, method):
    expect("convolve", np.array(x), np.array(h), method)
    expect("correlate", np.array(x), np.array(h), method, mode="same")


@pytest.mark.parametrize("method", LINE_METHODS)
def test_uint64(method):
    top = 2**64 - 1
    x = np.array([top, 2**63, 5], np.uint64)
    assert expect("convolve", x, np.array([1], np.uint8), method) is not None
    assert expect("convolve", x, np.array([1, 1], np.uint64), method) is None
    assert expect("convolve", x, np.array([True, False]), method) is not None
    assert expect("convolve", x[1:], np.array([1, -1]), method, mode="valid").tolist() == [5 - 2**63]
    assert expect("convolve", x, np.array([1, -1]), method, mode="full") is None


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32"])
@pytest.mark.parametrize("method", LINE_METHODS)
def test_extremes_of_small_types(dtype, method):
    info = np.iinfo(dtype)
    x = np.array([info.min, info.max] * 40, dtype)
    expect("convolve", x, np.array([info.max, info.min, info.max], dtype), method)
    expect("correlate", x, np.full(33, info.max, dtype), method, mode="same", boundary="reflect")


def test_bools_count():
    assert firconv.convolve([True, True], [True, True]).tolist() == [1, 2, 1]
    assert firconv.convolve(np.ones(300, bool), np.ones(300, bool)).max() == 300


@given(st.lists(WIDE, min_size=1, max_size=9), st.lists(st.integers(-3, 3), min_size=1, max_size=4),
       st.sampled_from(["full", "same", (-2, 5)]), st.sampled_from(["zero", "edge", "antireflect", "antisymmetric"]))
def test_overflow_iff_an_output_does_not_fit(x, h, mode, boundary):
    expect("convolve", np.array(x, np.int64), np.array(h), mode=mode, boundary=boundary)


@given(st.lists(HUGE, min_size=1, max_size=9), st.lists(st.integers(0, 3), min_size=1, max_size=4))
def test_overflow_iff_an_unsigned_output_does_not_fit(x, h):
    expect("convolve", np.array(x, np.uint64), np.array(h, np.uint16))
    expect("correlate", np.array(x, np.uint64), np.array(h, np.int8) - np.int8(1), mode="same")


@given(st.lists(st.integers(-(2**40), 2**40), min_size=60, max_size=90), st.lists(WIDE, min_size=30, max_size=60),
       st.sampled_from(["direct", "fft", "overlap_save", "auto"]))
def test_overflow_iff_with_many_large_taps(x, h, method):
    expect("convolve", np.array(x), np.array([v >> 25 for v in h]), method)


@pytest.mark.parametrize("method", LINE_METHODS)
def test_integer_constant_beyond_the_ends(method):
    expect("convolve", np.arange(9), np.array([1, 2, 3]), method, mode="same", boundary=("constant", 4))


# ---- dtype= and out= -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", LINE_METHODS)
def test_integer_dtype_rounds_half_to_even_and_saturates(method):
    x = np.array([0.5, 1.5, 2.5, -0.5, -7.0, 254.5, 255.5, 1e9, -np.inf, np.inf])
    result = firconv.convolve(x, [1.0], method=method, dtype="uint8")
    assert result.dtype == np.uint8
    assert result.tolist() == [0, 2, 2, 0, 0, 254, 255, 255, 0, 255]


def test_integer_dtype_saturates_integers():
    assert firconv.convolve(np.array([200, -200], "i4"), [1], dtype="int8").tolist() == [127, -128]
    image = np.full((5, 5), 250, np.uint8)
    assert firconv.convolve(image, np.ones((3, 3), int), "same", dtype="uint8").max() == 255


@pytest.mark.parametrize("dtype", ["int64", "uint64"])
def test_saturation_at_64_bits(dtype):
    x = np.array([1e30, -1e30, 2.0**63, 9.2e18])
    info = np.iinfo(dtype)
    expected = [min(max(int(v), info.min), info.max) for v in x]
    assert firconv.convolve(x, [1.0], dtype=dtype).tolist() == expected


@pytest.mark.parametrize("method", LINE_METHODS)
def test_integer_dtype_refuses_nan(method):
    with pytest.raises(ValueError, match="NaN"):
        firconv.convolve(np.array([1.0, np.nan]), [1.0], method=method, dtype="int16")


@pytest.mark.parametrize("method", LINE_METHODS)
def test_float_dtype_is_one_cast_at_the_end(method):
    x, h = np.random.default_rng(1).standard_normal((2, 80))
    wide = firconv.convolve(x, h, method=method)
    assert_array_equal(firconv.convolve(x, h, method=method, dtype="f4"), wide.astype("f4"))
    assert_array_equal(firconv.convolve(x, h, method=method, dtype="c16"), wide.astype("c16"))


@pytest.mark.parametrize("bad", ["float23", "S4", object])
def test_impossible_dtype(bad):
    with pytest.raises((TypeError, ValueError), match="dtype"):
        firconv.convolve([1.0], [1.0], dtype=bad)


def test_complex_result_does_not_lose_its_imaginary_part():
    with pytest.raises((TypeError, ValueError), match="complex"):
        firconv.convolve([1j], [1.0], dtype="f8")


# ---- floats --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", LINE_METHODS)
def test_float16_accumulates_in_float32(method):
    x = np.full(3100, 0.1, np.float16)
    result = firconv.convolve(x, np.ones(3000, np.float16), "valid", method)
    assert result.dtype == np.float16
    assert_array_equal(result, np.float16(float(x[0]) * 3000))


@pytest.mark.parametrize("method", EXACT_METHODS)
@pytest.mark.parametrize("dtype", ["longdouble", "clongdouble"])
def test_longdouble_keeps_its_digits(dtype, method):
    x = np.array([1, 2, 3], dtype) / 3
    h = np.array([1, 0, 2], dtype) / 7
    result = firconv.convolve(x, h, method=method)
    assert_array_equal(result[2:3], x[2:3] * h[0] + x[0:1] * h[2])
    assert result.dtype == np.dtype(dtype)


@pytest.mark.parametrize("method", EXACT_METHODS)
def test_longdouble_image(method):
    generator = np.random.default_rng(8)
    x, h = generator.standard_normal((9, 8)).astype("g"), np.ones((3, 4), "g")
    keywords = dict(mode="same", boundary="reflect", down=(2, 1), dilation=(1, 2))
    answer = exact("correlate", x, h, **keywords)
    assert_agrees(firconv.correlate(x, h, method=method, **keywords), answer, x, h, "direct")


@pytest.mark.parametrize("method", LINE_METHODS)
@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_correlate_conjugates_the_taps(dtype, method):
    x, h = np.array([1 + 2j, 3 - 1j], dtype), np.array([1j, 2 - 2j], dtype)
    expected = [x[0] * np.conj(h[1]), x[0] * np.conj(h[0]) + x[1] * np.conj(h[1]), x[1] * np.conj(h[0])]
    np.testing.assert_allclose(firconv.correlate(x, h, method=method), expected, rtol=1e-5)
