"""Every named problem by every method and both operations, against the oracle."""

import numpy as np
import pytest
from agreement import assert_agrees, known_answer, refusal
from problems import METHODS, OPS, PROBLEMS, draw, tolerance

import firconv

SLOW = 40_000  # products: beyond it the plain loops of `reference` take too long
CASES = [(name, method) for name, p in PROBLEMS.items() for method in METHODS
         if not (method == "reference" and p.products > SLOW)]


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("name, method", CASES, ids=[f"{n}-{m}" for n, m in CASES])
def test_agrees_with_the_defining_sum(name, method, op):
    p = PROBLEMS[name]
    x, h = p.signal(), p.taps()
    refused = refusal(method, x, h, p.separable)
    if refused:
        with pytest.raises(ValueError, match=refused):
            getattr(firconv, op)(x, h, method=method, **p.keywords)
        return
    actual = getattr(firconv, op)(x, h, method=method, **p.keywords)
    boundary = p.keywords.get("boundary", "zero")
    assert_agrees(actual, known_answer(name, op), x, h, method, boundary)


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("name", list(PROBLEMS)[::5])
def test_plan_gives_the_same_bits(name, op):
    p = PROBLEMS[name]
    x, h = p.signal(), p.taps()
    direct = getattr(firconv, op)(x, h, **p.keywords)
    planned = firconv.plan(x, h, op=op, **p.keywords)(x)
    assert planned.dtype == direct.dtype
    np.testing.assert_array_equal(planned, direct)


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("mode", ["full", "same"])
@pytest.mark.parametrize("n, k", [(90_000, 70_000), (150_001, 40_003)])
def test_long_lines_in_four_steps(n, k, mode, dtype):
    """One transform of a long line: taps that are mostly zero have an answer that needs no transform."""
    generator = np.random.default_rng(n)
    x, h = draw((n,), dtype, generator), np.zeros(k, dtype)
    spots = [0, 1, k // 3, k // 2, k - 1]
    h[spots] = draw((5,), dtype, generator)
    expected = np.zeros(n + k - 1, np.result_type(dtype, np.float64))
    for spot in spots:
        expected[spot : spot + n] += h[spot] * x.astype(expected.dtype)
    start = (k - 1) // 2 if mode == "same" else 0
    result = firconv.convolve(x, h, mode, "fft")
    error = np.abs(result - expected[start : start + result.size])
    assert result.dtype == dtype
    assert error.max() <= tolerance(dtype, 2 * (n + k), "fft") * np.linalg.norm(x) * np.linalg.norm(h)


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
def test_plain_calls_are_numpys(mode):
    x, h = np.arange(9.0) - 3, np.array([1.0, -2.0, 0.5])
    np.testing.assert_array_equal(firconv.convolve(x, h, mode), np.convolve(x, h, mode))
    np.testing.assert_array_equal(firconv.correlate(x, h, mode), np.correlate(x, h, mode))


def test_lists_and_scalars_are_operands():
    assert firconv.convolve([1, 2, 3], [1, 1]).tolist() == [1, 3, 5, 3]
    assert firconv.convolve([1, 2, 3], [1, 1]).dtype == np.int64


@pytest.mark.parametrize("n, k", [(5, 3), (3, 5), (6, 4), (4, 4)])
@pytest.mark.parametrize("mode", ["full", "same", "valid"])
def test_correlation_lags(n, k, mode):
    scipy_signal = pytest.importorskip("scipy.signal")
    lags = firconv.correlation_lags(n, k, mode)
    np.testing.assert_array_equal(lags, scipy_signal.correlation_lags(n, k, mode))
    assert len(lags) == len(firconv.correlate(np.ones(n), np.ones(k), mode))


def test_worked_examples_of_the_notes():
    image = np.arange(1, 26).reshape(5, 5)
    taps = [[-1, -2, -1], [0, 0, 0], [1, 2, 1]]
    assert firconv.convolve(image, taps, "valid").tolist() == [[-40] * 3] * 3
    assert firconv.correlate(image, taps, "valid").tolist() == [[40] * 3] * 3
    same = firconv.convolve(image, taps, "same")
    assert same[0].tolist() == [-19, -28, -32, -36, -29] and same[4].tolist() == [49, 68, 72, 76, 59]
    strided = firconv.convolve(image, taps, "same", down=2)
    assert strided.tolist() == [[-19, -32, -29], [-30, -40, -30], [49, 72, 59]]


@pytest.mark.parametrize("method", ["separable", "direct", "auto"])
@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("step, taps", [(2, 2), (3, 3), (4, 3)])
def test_equal_steps_that_leave_one_tap_of_every_axis(step, taps, mode, method):
    x, h = np.arange(1.0, 31).reshape(5, 6), np.outer(np.arange(1.0, 1 + taps), np.arange(2.0, 2 + taps))
    words = {"up": step, "down": step}
    y, exact = (firconv.convolve(x, h, mode, m, **words) for m in (method, "reference"))
    assert y.shape == exact.shape and np.allclose(y, exact, rtol=1e-12)
