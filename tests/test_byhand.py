"""The ways to compute a convolution by hand are the convolution."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from firconv import FIR, byhand, convolve

RNG = np.random.default_rng(3)
SHAPES = [((5,), (3,)), ((1,), (4,)), ((4, 3), (2, 3)), ((2, 3, 2), (2, 1, 3))]


def integers(shape):
    return RNG.integers(-9, 10, shape)


@pytest.mark.parametrize("shape, taps", SHAPES)
@pytest.mark.parametrize("way", byhand.WAYS)
def test_every_way_gives_the_convolution(way, shape, taps):
    x, h = integers(shape), integers(taps)
    y = byhand.convolve_by(way, x, h)
    if way == "DFT":
        assert_allclose(y, convolve(x, h), atol=1e-10)  # 13·log₂N·u·‖x‖‖h‖ is below 1e-12 here
    else:
        assert_array_equal(y, convolve(x, h))
        assert y.dtype == np.int64


@pytest.mark.parametrize("way", byhand.WAYS)
def test_complex_numbers(way):
    x, h = integers(4) + 1j * integers(4), integers(3) - 1j * integers(3)
    assert_allclose(byhand.convolve_by(way, x, h), np.convolve(x, h), atol=1e-10)


@pytest.mark.parametrize("shape, taps", SHAPES)
def test_tables_add_up(shape, taps):
    x, h = integers(shape), integers(taps)
    by_samples, by_taps = byhand.shifted_impulses(x, h), byhand.shifted_signals(x, h)
    assert by_samples.shape[0] == x.size and by_taps.shape[0] == h.size
    assert_array_equal(by_samples.sum(0), by_taps.sum(0))


@pytest.mark.parametrize("shape, taps", SHAPES)
def test_toeplitz_is_the_matrix_of_the_system(shape, taps):
    h = integers(taps)
    assert_array_equal(byhand.toeplitz(h, shape), FIR(h).matrix(shape, "full").toarray())


def test_toeplitz_takes_an_int():
    assert_array_equal(byhand.toeplitz([1, 2], 3), byhand.toeplitz([1, 2], (3,)))


def test_integers_are_multiplied_with_signed_digits():
    for _ in range(20):
        x, h = integers(RNG.integers(1, 9)), integers(RNG.integers(1, 9))
        assert_array_equal(byhand.integer_product(x, h), np.convolve(x, h))
    big = [2**40, -(2**40)]
    assert byhand.integer_product(big, [2**20]).tolist() == [2**60, -(2**60)]


@pytest.mark.parametrize("m, r", [(1, 1), (2, 3), (4, 3), (6, 3), (2, 2), (1, 5), (3, 4)])
def test_minimal_filtering_is_correlation_in_as_many_products_as_samples(m, r):
    d, g = integers(m + r - 1), integers(r)
    y, products = byhand.minimal_filtering(d, g)
    assert_array_equal(y, np.correlate(d, g, "valid"))
    assert len(products) == m + r - 1


def test_dft_matrix_is_numpys():
    v = RNG.standard_normal(7)
    assert_allclose(byhand.dft_matrix(7) @ v, np.fft.fft(v), atol=1e-13)


def test_errors():
    with pytest.raises(ValueError, match=r"convolve_by\(way='magic'\): use one of flip and slide, "):
        byhand.convolve_by("magic", [1], [1])
    with pytest.raises(ValueError, match=r"x of shape \(1,\) and h of shape \(1, 1\): give both as many dimensions"):
        byhand.sliding([1], [[1]])
    with pytest.raises(ValueError, match="no empty one"):
        byhand.polynomial([], [1])
    with pytest.raises(ValueError, match=r"toeplitz\(h, shape=\(2, 2\)\): h has 1 dimensions"):
        byhand.toeplitz([1, 2], (2, 2))
    with pytest.raises(ValueError, match=r"minimal_filtering\(d, g\): int64 \(2,\) and int64 \(3,\); give integers"):
        byhand.minimal_filtering([1, 2], [1, 2, 3])
    with pytest.raises(TypeError, match="float64 and int64 in 1 dimensions; give integers in one"):
        byhand.integer_product([0.5], [1])
