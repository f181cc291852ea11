"""Named kernels: agreement with scipy.ndimage and MATLAB's documentation, and the responses their docstrings state."""

import numpy as np
import pytest
import scipy.ndimage as ndi
from scipy.special import j1

from firconv import filters
from firconv.systems import FIR

RNG = np.random.default_rng(3)
IMAGE = RNG.normal(size=(24, 31))


def at(fir: FIR, *w: np.ndarray) -> np.ndarray:
    """H(ω) about the origin by the defining sum."""
    total = np.zeros(np.broadcast_shapes(*map(np.shape, w)), complex)
    for index in np.ndindex(*fir.shape):
        phase = sum((k - c) * v for k, c, v in zip(index, fir.origins, w, strict=True))
        total += fir.taps[index] * np.exp(-1j * phase)
    return total


W = np.linspace(-3, 3, 13)[:, None], np.linspace(-3.1, 2.9, 11)


@pytest.mark.parametrize("order", [0, 1, 2, 3, (1, 0), (0, 2)])
@pytest.mark.parametrize("sigma", [0.7, 2.0])
def test_gaussian_is_ndimage(sigma, order):
    ours = filters.gaussian(sigma, 2, order=order)(IMAGE, boundary="ndimage:reflect")
    np.testing.assert_allclose(ours, ndi.gaussian_filter(IMAGE, sigma, order=order), atol=1e-13)


@pytest.mark.parametrize("name", ["sobel", "prewitt"])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_integer_derivatives_are_ndimage(name, axis):
    ours = getattr(filters, name)(axis, integer=True)(IMAGE, boundary="ndimage:reflect")
    np.testing.assert_allclose(ours, getattr(ndi, name)(IMAGE, axis), atol=1e-13)


@pytest.mark.parametrize("name", ["sobel", "prewitt", "scharr"])
@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_derivatives_measure_the_slope(name, ndim):
    ramp = 2.5 * np.arange(6.0).reshape((-1,) + (1,) * (ndim - 1)) + np.zeros((6,) * ndim)
    slope = getattr(filters, name)(0, ndim)(ramp, "valid")
    np.testing.assert_allclose(slope, 2.5, atol=1e-12)


@pytest.mark.parametrize(("kernel", "response"), [
    (filters.sobel(0), lambda u, v: 1j * np.sin(u) * np.cos(v / 2) ** 2),
    (filters.scharr(1), lambda u, v: 1j * np.sin(v) * (10 + 6 * np.cos(u)) / 16),
    (filters.prewitt(0), lambda u, v: 1j * np.sin(u) * (1 + 2 * np.cos(v)) / 3),
    (filters.laplacian(), lambda u, v: -4 * np.sin(u / 2) ** 2 - 4 * np.sin(v / 2) ** 2),
    (filters.sharpen(0.5), lambda u, v: 1 + 2 * np.sin(u / 2) ** 2 + 2 * np.sin(v / 2) ** 2),
    (filters.binomial(4, 2), lambda u, v: np.cos(u / 2) ** 4 * np.cos(v / 2) ** 4),
    (filters.box((5, 3)), lambda u, v: np.sin(2.5 * u) / (5 * np.sin(u / 2)) * (1 + 2 * np.cos(v)) / 3),
])
def test_stated_responses_are_exact(kernel, response):
    u, v = W[0] + 0.01, W[1] + 0.01
    np.testing.assert_allclose(at(kernel, u, v), response(u, v) + 0j, atol=1e-13)


@pytest.mark.parametrize(("kernel", "response", "atol"), [
    (filters.gaussian(2.0, 2), lambda u, v: np.exp(-2 * (u * u + v * v)), 1e-3),
    (filters.gaussian(2.0, 2, order=(1, 0)), lambda u, v: 1j * u * np.exp(-2 * (u * u + v * v)), 1e-3),
    (filters.laplacian_of_gaussian(2.0), lambda u, v: -(u * u + v * v) * np.exp(-2 * (u * u + v * v)), 2e-3),
    (filters.difference_of_gaussians(1.5, 3.0), lambda u, v: np.exp(-1.125 * (u * u + v * v))
     - np.exp(-4.5 * (u * u + v * v)), 1e-3),
    (filters.unsharp(2.0, 0.5), lambda u, v: 1.5 - 0.5 * np.exp(-2 * (u * u + v * v)), 1e-3),
    (filters.disk(6.0), lambda u, v: 2 * j1(6 * np.hypot(u, v)) / (6 * np.hypot(u, v)), 0.02),
    (filters.motion_blur(15, 0), lambda u, v: np.sinc(15 * v / (2 * np.pi)) + 0 * u, 0.02),
    (filters.motion_blur(15, 90), lambda u, v: np.sinc(15 * u / (2 * np.pi)) + 0 * v, 0.02),
])
def test_stated_responses_are_approximate(kernel, response, atol):
    u, v = W[0] / 4 + 0.01, W[1] / 4 + 0.01
    np.testing.assert_allclose(at(kernel, u, v), response(u, v) + 0j, atol=atol)


@pytest.mark.parametrize("angle", [0, 30, 90, 200])
def test_gabor_passes_its_wave(angle):
    wavelength, theta = 6.0, np.deg2rad(angle)
    u, v = -np.sin(theta) * 2 * np.pi / wavelength, np.cos(theta) * 2 * np.pi / wavelength
    assert abs(at(filters.gabor(wavelength, angle, phase=None), u, v) - 1) < 1e-12
    assert abs(at(filters.gabor(wavelength, angle), u, v) - 1) < 1e-3
    assert abs(at(filters.gabor(wavelength, angle), v, -u)) < 0.01
    assert abs(filters.gabor(wavelength, angle).taps.sum() - 2 * np.exp(-2 * (np.pi * 0.56) ** 2)) < 3e-3


def test_matlab_documented_kernels():
    """The values that MATLAB's documentation of fspecial prints or defines."""
    np.testing.assert_allclose(filters.laplacian(alpha=0.2).taps * 6, [[1, 4, 1], [4, -20, 4], [1, 4, 1]], atol=1e-14)
    np.testing.assert_allclose(filters.motion_blur(9).taps, np.full((1, 9), 1 / 9))
    n0, n1 = np.ogrid[-2:3, -2:3]
    g = np.exp(-(n0**2 + n1**2) / (2 * 0.5**2))
    g = g / g.sum() * (n0**2 + n1**2 - 2 * 0.5**2) / 0.5**4
    np.testing.assert_allclose(filters.laplacian_of_gaussian(0.5).taps, g - g.mean(), atol=1e-12)
    np.testing.assert_array_equal(filters.sobel(0, integer=True).H.taps, [[-1, -2, -1], [0, 0, 0], [1, 2, 1]])


def test_angles_turn_counter_clockwise_as_seen():
    up = -np.arange(7.0)[:, None] + np.zeros((7, 7))  # brighter towards the top
    for kind in filters.DERIVATIVES:
        assert filters.edge(90, kind)(up, "valid") == pytest.approx(1.0)
        assert filters.edge(30, kind)(up, "valid") == pytest.approx(0.5)
    line = filters.motion_blur(9, 45).taps
    assert line[0, -1] > 0 and line[0, 0] == 0


def test_emboss_lights_the_upper_left():
    np.testing.assert_allclose(filters.emboss(135, 2**0.5).H.taps, [[-2, -1, 0], [-1, 1, 1], [0, 1, 2]], atol=1e-12)
    assert filters.emboss(20)(np.ones((5, 5)), "valid") == pytest.approx(1.0)


@pytest.mark.parametrize("radius", [0.3, 0.5, 1.0, 2.7, 5.0])
def test_disk_weighs_covered_area(radius):
    taps, r = filters.disk(radius).taps, filters.disk(radius).origin[0]
    fine = (np.arange((2 * r + 1) * 100) + 0.5) / 100 - r - 0.5
    inside = fine[:, None] ** 2 + fine**2 <= radius**2
    area = inside.reshape(2 * r + 1, 100, 2 * r + 1, 100).mean(axis=(1, 3))
    np.testing.assert_allclose(taps, area / area.sum(), atol=2e-2 / max(1.0, radius**2))
    assert taps.sum() == pytest.approx(1)


@pytest.mark.parametrize("kernel", [
    filters.gaussian(1.3, 2), filters.box(4, 2), filters.binomial(3, 2), filters.disk(2.5),
    filters.motion_blur(7.5, 20), filters.sharpen(), filters.unsharp(), filters.emboss()])
def test_the_mean_stays(kernel):
    assert kernel.taps.sum() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("kernel", [
    filters.sobel(), filters.scharr(), filters.prewitt(), filters.edge(33), filters.laplacian(), filters.laplacian(3),
    filters.laplacian(alpha=0.4), filters.laplacian_of_gaussian(1.2), filters.difference_of_gaussians(1.0),
    filters.gaussian(1.5, 2, order=(0, 1))])
def test_a_constant_gives_zero(kernel):
    assert kernel.taps.sum() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("name", filters.__all__)
def test_every_kernel_documents_its_response(name):
    doc = getattr(filters, name).__doc__
    assert "H" in doc or "A(ω)" in doc
    assert ">>>" in doc


@pytest.mark.parametrize(("call", "match"), [
    (lambda: filters.box(0), r"box\(0\): give a positive length"),
    (lambda: filters.box(2.5), r"box\(2.5\): give a positive length, a whole number"),
    (lambda: filters.gaussian(np.inf), r"the widths finite"),
    (lambda: filters.gaussian(1.0, 0), r"both must be positive"),
    (lambda: filters.gaussian(1.0, order=1.5), r"order=1.5\): the order of a derivative is an integer"),
    (lambda: filters.binomial(2.5), r"binomial\(2.5\): the order is an integer"),
    (lambda: filters.disk(np.inf), r"the radius is positive and finite"),
    (lambda: filters.motion_blur(5, np.nan), r"angle=nan: give degrees"),
    (lambda: filters.emboss("x"), r"angle='x': give degrees"),
    (lambda: filters.sobel("x"), r"sobel\(axis='x', ndim=2\): no such axis"),
    (lambda: filters.laplacian(0), r"laplacian\(0\): give at least one dimension"),
    (lambda: filters.gaussian(0.0), r"both must be positive"),
    (lambda: filters.gaussian(1.0, order=-1), r"order of a derivative"),
    (lambda: filters.binomial(-1), r"binomial\(-1\)"),
    (lambda: filters.disk(0), r"the radius is positive"),
    (lambda: filters.motion_blur(0.5), r"at least 1 pixel"),
    (lambda: filters.sobel(2), r"sobel\(axis=2, ndim=2\): no such axis"),
    (lambda: filters.edge(0, "canny"), r"use one of prewitt, sobel, scharr"),
    (lambda: filters.laplacian(alpha=2), r"alpha lies in \[0, 1\]"),
    (lambda: filters.laplacian(3, alpha=0.2), r"unless there are 2 axes"),
    (lambda: filters.difference_of_gaussians(2.0, 1.0), r"the second must be the wider"),
    (lambda: filters.gabor(-1.0), r"all must be positive"),
])
def test_bad_input(call, match):
    with pytest.raises(ValueError, match=match):
        call()
