"""What the guard does not vouch for is computed again: the promise of `auto`, on signals short enough for loops."""

import dataclasses

import numpy as np
import pytest
from agreement import same_footprint
from numpy.testing import assert_array_equal
from oracle import exact
from problems import tolerance

import firconv
from firconv import unsure

NAN, INF = float("nan"), float("inf")
TAU = {"f4": 1e-4, "f8": 1e-10, "c8": 1e-4, "c16": 1e-10}
FOURIER = ["fft", "overlap_save"]


def noise(shape, dtype, seed):
    rng = np.random.default_rng(seed)
    parts = rng.standard_normal((2, *np.atleast_1d(shape)))
    return (parts[0] + 1j * parts[1] if dtype[0] == "c" else parts[0]).astype(dtype)


def promised(x, h, mode="full", *, method, dtype, **keywords):
    """The output of a method under the promise that `auto` makes for it."""
    plan = firconv.plan(x, h, mode, method=method, **keywords)
    plan.decision = dataclasses.replace(plan.decision, tau=TAU[dtype])
    result, answer = plan(x), exact("convolve", x, h, mode, **keywords)
    promise = TAU[dtype] * np.linalg.norm(h) * answer.energy
    return np.abs(result - answer.values), np.maximum(promise, tolerance(dtype, h.size, "direct") * answer.magnitude)


@pytest.mark.parametrize("method", FOURIER)
@pytest.mark.parametrize("dtype", TAU)
@pytest.mark.parametrize("keywords", [{}, {"down": 3}, {"up": 2, "down": 3}, {"dilation": 2, "boundary": "reflect"}])
def test_quiet_after_loud_on_a_line(keywords, dtype, method):
    x, h = noise(1500, dtype, 0), noise(150, dtype, 1)
    x[:300] *= 1e12
    x[900:1000] = 0
    error, allowed = promised(x, h, "same", method=method, dtype=dtype, **keywords)
    assert np.all(error <= allowed)


@pytest.mark.parametrize("few", [0, unsure.FEW])
@pytest.mark.parametrize("method", FOURIER)
@pytest.mark.parametrize("dtype", TAU)
def test_quiet_corner_of_an_image_in_double_or_directly(dtype, method, few, monkeypatch):
    monkeypatch.setattr(unsure, "FEW", few)
    x, h = noise((48, 40), dtype, 2), noise((13, 11), dtype, 3)
    x[:20, :30] *= 3e9
    error, allowed = promised(x, h, method=method, dtype=dtype)
    assert np.all(error <= allowed)


@pytest.mark.parametrize("method", FOURIER)
@pytest.mark.parametrize("shape, taps", [(600, 100), ((24, 20), (5, 6))])
def test_integers_whose_rounding_is_not_proven_are_summed(shape, taps, method):
    rng = np.random.default_rng(4)
    x, h = rng.integers(-(2**44), 2**44, shape), rng.integers(-50, 50, taps)
    assert_array_equal(firconv.convolve(x, h, method=method), exact("convolve", x, h).values)


@pytest.mark.parametrize("value", [NAN, INF, -INF])
@pytest.mark.parametrize("keywords", [{}, {"down": 2}, {"up": (1, 2), "boundary": "edge"}])
def test_a_sum_of_separable_terms_keeps_the_footprint(keywords, value):
    a, b = np.hanning(9)[1:-1], np.hanning(7)[1:-1]
    h = np.outer(a, b) + 1e-3 * np.outer(a**2, b[::-1] ** 3)
    x = noise((30, 26), "f8", 5)
    x[12, 11] = value
    plan = firconv.plan(x, h, "same", "separable", rtol=1e-9, **keywords)
    answer = exact("convolve", x, h, "same", **keywords)
    same_footprint(plan(x), answer.values)
