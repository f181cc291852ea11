"""firconv.signal as a drop-in for scipy.signal: its names, signatures, values and errors."""

import inspect
import pickle

import numpy as np
import pytest
import scipy.signal
from numpy.testing import assert_allclose, assert_array_equal
from scipy_standin import DIFFERENCES

from firconv import signal

RNG = np.random.default_rng(3)
NAMES = ["convolve", "correlate", "correlation_lags", "fftconvolve", "oaconvolve", "convolve2d", "correlate2d",
         "upfirdn", "lfilter"]
UPFIRDN_MODES = ["constant", "symmetric", "reflect", "edge", "wrap", "smooth", "line", "antisymmetric", "antireflect"]


def both(name, *operands, **keywords):
    """Ours and scipy's."""
    return getattr(signal, name)(*operands, **keywords), getattr(scipy.signal, name)(*operands, **keywords)


def same_as_scipy(name, *operands, **keywords):
    ours, theirs = both(name, *operands, **keywords)
    assert ours.shape == theirs.shape
    assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_signature_is_scipys(name):
    ours, theirs = (inspect.signature(getattr(m, name)).parameters.values() for m in (signal, scipy.signal))
    assert [(p.name, p.default, p.kind) for p in ours] == [(p.name, p.default, p.kind) for p in theirs]


@pytest.mark.parametrize("name", NAMES)
def test_names_are_our_own_and_documented(name):
    assert getattr(signal, name) is not getattr(scipy.signal, name)
    assert getattr(signal, name).__doc__
    assert pickle.loads(pickle.dumps(getattr(signal, name))) is getattr(signal, name)


@pytest.mark.parametrize("name", ["butter", "firwin", "filtfilt", "sosfilt", "windows", "get_window", "lfilter_zi"])
def test_other_names_fall_through(name):
    assert getattr(signal, name) is getattr(scipy.signal, name)
    assert name in dir(signal)


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = signal.no_such_name


@pytest.mark.parametrize("name", ["convolve", "correlate"])
@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("method", ["auto", "direct", "fft"])
@pytest.mark.parametrize("n, k", [((30,), (7,)), ((7,), (30,)), ((9, 8), (3, 4)), ((3, 4), (9, 8)), ((1,), (1,))])
def test_convolve_and_correlate(name, mode, method, n, k):
    x, h = RNG.standard_normal(n), RNG.standard_normal(k) + 1j * RNG.standard_normal(k)
    same_as_scipy(name, x, h, mode, method)


@pytest.mark.parametrize("name", ["fftconvolve", "oaconvolve"])
@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("axes", [None, 0, 1, -1, (0, 1), [1]])
@pytest.mark.parametrize("shapes", [((12, 9), (4, 9)), ((4, 9), (12, 9)), ((12, 9), (12, 3)), ((12, 1), (1, 5))])
def test_fft_and_oa_convolve(name, mode, axes, shapes):
    x, h = (RNG.standard_normal(s) for s in shapes)
    try:
        expected = getattr(scipy.signal, name)(x, h, mode, axes)
    except ValueError:
        with pytest.raises(ValueError, match="shapes|valid"):
            getattr(signal, name)(x, h, mode, axes)
        return
    assert_allclose(getattr(signal, name)(x, h, mode, axes), expected, atol=1e-12)


@pytest.mark.parametrize("name", ["convolve2d", "correlate2d"])
@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("boundary, fill", [("fill", 0), ("fill", 2.5), ("wrap", 0), ("symm", 0)])
@pytest.mark.parametrize("shapes", [((9, 8), (3, 4)), ((9, 8), (4, 5)), ((3, 2), (7, 6)), ((8, 8), (1, 1))])
def test_2d(name, mode, boundary, fill, shapes):
    x, h = (RNG.standard_normal(s) for s in shapes)
    same_as_scipy(name, x, h, mode, boundary, fill)


@pytest.mark.parametrize("mode", UPFIRDN_MODES)
@pytest.mark.parametrize("up, down", [(1, 1), (3, 1), (1, 2), (3, 2), (2, 5)])
@pytest.mark.parametrize("n, k", [(9, 4), (4, 13)])
def test_upfirdn(mode, up, down, n, k):
    x, h = RNG.standard_normal((2, n, 3)), RNG.standard_normal(k)
    same_as_scipy("upfirdn", h, x, up, down, 1, mode)


def test_upfirdn_constant_and_dtypes():
    same_as_scipy("upfirdn", [1.0, 2.0], RNG.standard_normal(9), mode="constant", cval=1.5)
    for a in ("int64", "float32", "complex64", "float64"):
        for b in ("int64", "float32", "complex64", "float64"):
            ours, theirs = both("upfirdn", np.ones(3, a), np.ones(5, b), 2)
            assert ours.dtype == theirs.dtype


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("a", [1, [1.0], [2.0], [1.0, -0.5]])
@pytest.mark.parametrize("k", [1, 2, 5, 12])
def test_lfilter(axis, a, k):
    b, x = RNG.standard_normal(k), RNG.standard_normal((6, 7))
    same_as_scipy("lfilter", b, a, x, axis)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("k", [1, 2, 5, 12])
@pytest.mark.parametrize("a", [1, [2.0], [1.0, 0.5]])
def test_lfilter_with_state(axis, k, a):
    b, x = RNG.standard_normal(k), RNG.standard_normal((6, 7))
    order = max(k, np.size(a)) - 1
    zi = RNG.standard_normal([order, 7] if axis == 0 else [6, order])
    ours, theirs = both("lfilter", b, a, x, axis, zi)
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.shape == other.shape
        assert_allclose(mine, other, rtol=1e-9, atol=1e-12)


def test_lfilter_state_carries_over_blocks():
    b, x = RNG.standard_normal(9), RNG.standard_normal(100)
    state, pieces = np.zeros(8), []
    for block in (x[:3], x[3:40], x[40:41], x[41:]):
        piece, state = signal.lfilter(b, 1, block, zi=state)
        pieces.append(piece)
    assert_allclose(np.concatenate(pieces), scipy.signal.lfilter(b, 1, x), atol=1e-12)


def test_inputs_are_left_alone():
    b, x, zi = RNG.standard_normal(4), RNG.standard_normal(9), RNG.standard_normal(3)
    copies = [v.copy() for v in (b, x, zi)]
    signal.lfilter(b, 1, x, zi=zi)
    signal.upfirdn(b, x, 2, 3)
    for v, before in zip((b, x, zi), copies, strict=True):
        assert_array_equal(v, before)


@pytest.mark.parametrize("call, message", [
    (lambda: signal.convolve([1], [2], "middle"), "mode"),
    (lambda: signal.convolve([1], [2], method="magic"), "method"),
    (lambda: signal.convolve([1], [[2]]), "dimensionality"),
    (lambda: signal.correlate(np.ones((2, 3)), np.ones((3, 2)), "valid"), "valid"),
    (lambda: signal.fftconvolve([1], [2], axes=[]), "axes cannot be empty"),
    (lambda: signal.fftconvolve([1], [2], axes=[1]), "axes exceeds"),
    (lambda: signal.fftconvolve([1], [2], axes=[0, 0]), "unique"),
    (lambda: signal.fftconvolve([1], [2], axes=[0.5]), "axes must be"),
    (lambda: signal.convolve2d([1], [2]), "2-D"),
    (lambda: signal.convolve2d([[1]], [[2]], boundary="mirror"), "boundary"),
    (lambda: signal.convolve2d([[1]], [[1, 2]], fillvalue=[1, 2]), "fillvalue"),
    (lambda: signal.upfirdn([1], [1], 0, 1), "up"), (lambda: signal.upfirdn([[1]], [1]), "h"),
    (lambda: signal.lfilter([1, 1], [1], [1.0, 2.0], zi=[1.0, 2.0]), "zi"),
    (lambda: signal.lfilter([1, 1], [1], [1.0, 2.0], zi=[[1.0]]), "zi"),
])
def test_errors_are_those_of_scipy(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_every_deliberate_difference_has_a_reason():
    assert all(pattern and len(reason) > 20 for pattern, reason in DIFFERENCES)
