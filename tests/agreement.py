"""Comparing a result with the oracle, sample by sample."""

import functools

import numpy as np
from oracle import deliver, exact, promised_dtype
from problems import PROBLEMS, allowed


@functools.cache
def known_answer(name, op):
    """The oracle's answer to a named problem, computed once per session."""
    p = PROBLEMS[name]
    return exact(op, p.signal(), p.taps(), **p.keywords)


def refusal(method, x, h, rank_one=False):
    """The words in which a forced method refuses these operands, or None if it must serve them."""
    if method in ("separable", "fft", "overlap_save"):
        if np.result_type(x, h) in (np.longdouble, np.clongdouble) or not np.all(np.isfinite(h)):
            return f"method='{method}' cannot be used"
    return "method='separable'" if method == "separable" and not rank_one else None


def assert_agrees(actual, answer, x, h, method, boundary="zero", dtype=None):
    """The promised dtype and shape, NaN and Inf where the defining sum has them, and errors within the bound."""
    dtype = dtype or promised_dtype(x, h, boundary)
    assert isinstance(actual, np.ndarray if answer.values.ndim else np.generic)
    actual = np.asarray(actual)
    assert (actual.dtype, actual.shape) == (dtype, answer.values.shape)
    if dtype.kind in "iu":
        np.testing.assert_array_equal(actual, deliver(answer.values, dtype))
        return
    expected = answer.values.astype(np.clongdouble if dtype.kind == "c" else np.longdouble)
    same_footprint(actual, expected)
    finite = np.isfinite(expected)
    error = np.abs(actual[finite].astype(expected.dtype) - expected[finite])
    bound = allowed(answer, x, h, dtype, method)[finite].astype(np.longdouble)
    worst = np.max(error - bound, initial=-1)
    assert np.all(error <= bound), f"{method}: an error exceeds its bound by {worst} (largest error {error.max()})"


def same_footprint(actual, expected):
    """NaN exactly where expected and signed infinities; complex numbers promise only that they are not finite."""
    np.testing.assert_array_equal(np.isfinite(actual), np.isfinite(expected))
    if expected.dtype.kind == "f":
        np.testing.assert_array_equal(np.isnan(actual), np.isnan(expected))
        infinite = np.isinf(expected)
        np.testing.assert_array_equal(actual[infinite] > 0, expected[infinite] > 0)
