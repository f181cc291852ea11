"""The oracle against every library whose definition it claims to include. No firconv here."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracle import NAMES, exact, oracle, promised_dtype, rule_at
from scipy import ndimage, signal

RNG = np.random.default_rng(20240607)
SIZES = [(1, 1), (7, 1), (7, 3), (7, 4), (3, 7), (4, 4), (1, 5)]
PAD = {"edge": "edge", "symmetric": "symmetric", "reflect": "reflect", "wrap": "wrap"}


def pair(n, k, complex_=False):
    x, h = RNG.standard_normal(n), RNG.standard_normal(k)
    return (x + 1j * RNG.standard_normal(n), h + 1j * RNG.standard_normal(k)) if complex_ else (x, h)


@pytest.mark.parametrize("complex_", [False, True])
@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("n, k", SIZES)
@pytest.mark.parametrize("op", ["convolve", "correlate"])
def test_scipy_1d(op, n, k, mode, complex_):
    x, h = pair(n, k, complex_)
    assert_allclose(oracle(op, x, h, mode), getattr(signal, op)(x, h, mode), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("n, k", [(7, 3), (7, 4), (4, 4)])
def test_numpy_swaps_but_full_and_long_signals_agree(n, k):
    x, h = pair(n, k, True)
    for mode in ("full", "same", "valid"):
        assert_allclose(oracle("convolve", x, h, mode, origin="numpy" if mode == "same" else None),
                        np.convolve(x, h, mode), atol=1e-13)
        assert_allclose(oracle("correlate", x, h, mode), np.correlate(x, h, mode), atol=1e-13)


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("op", ["convolve", "correlate"])
def test_scipy_3d(op, mode):
    x, h = RNG.standard_normal((5, 4, 6)), RNG.standard_normal((2, 3, 4))
    assert_allclose(oracle(op, x, h, mode), getattr(signal, op)(x, h, mode), atol=1e-12)


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
def test_axes_and_broadcast(mode):
    x, h = RNG.standard_normal((3, 8, 5)), RNG.standard_normal((3, 4, 1))
    expected = signal.fftconvolve(x, np.broadcast_to(h, (3, 4, 5)), mode, axes=1)
    assert_allclose(oracle("convolve", x, h, mode, axes=1), expected, atol=1e-12)
    one = oracle("convolve", x, h[0, :, 0], mode, axes=[-2])
    assert_allclose(one, signal.fftconvolve(x, np.broadcast_to(h[:1], (3, 4, 5)), mode, axes=1), atol=1e-12)


def test_axes_in_any_order():
    x, h = RNG.standard_normal((6, 3, 7)), RNG.standard_normal((2, 3))
    swapped = oracle("convolve", x, h.T, "same", axes=(2, 0), boundary=["wrap", "edge"])
    assert_array_equal(oracle("convolve", x, h, "same", axes=(0, 2), boundary=["edge", "wrap"]), swapped)


@pytest.mark.parametrize("op", ["convolve2d", "correlate2d"])
@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("theirs, ours", [("fill", "zero"), ("wrap", "wrap"), ("symm", "symmetric")])
@pytest.mark.parametrize("shape", [(3, 4), (2, 5), (4, 4)])
def test_convolve2d(op, mode, theirs, ours, shape):
    x, h = RNG.standard_normal((6, 7)), RNG.standard_normal(shape)
    expected = getattr(signal, op)(x, h, mode, boundary=theirs)
    assert_allclose(oracle(op[:-2], x, h, mode, ours, origin="scipy2d"), expected, atol=1e-12)


def test_convolve2d_fill_value_and_taps_longer_than_the_signal():
    x, h = RNG.standard_normal((2, 3)), RNG.standard_normal((5, 9))
    for theirs, ours in [("wrap", "wrap"), ("symm", "symmetric")]:
        assert_allclose(oracle("convolve", x, h, "full", ours), signal.convolve2d(x, h, "full", theirs), atol=1e-12)
    expected = signal.convolve2d(x, h, "full", "fill", 2.5)
    assert_allclose(oracle("convolve", x, h, "full", ("constant", 2.5)), expected, atol=1e-12)


@pytest.mark.parametrize("theirs, ours", [
    ("constant", "zero"), ("nearest", "edge"), ("reflect", "symmetric"), ("mirror", "reflect"), ("wrap", "wrap"),
])
@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 5)])
def test_ndimage(theirs, ours, shape):
    x, h = RNG.standard_normal((6, 7)), RNG.standard_normal(shape)
    for op in ("convolve", "correlate"):
        expected = getattr(ndimage, op)(x, h, mode=theirs)
        assert_allclose(oracle(op, x, h, "same", ours, origin="ndimage"), expected, atol=1e-12)


@pytest.mark.parametrize("k", [3, 4, 5])
def test_ndimage_origin_counts_from_the_centre(k):
    x, h = pair(9, k)
    for shift in range(-(k // 2), (k - 1) // 2 + 1):
        expected = ndimage.correlate1d(x, h, mode="mirror", origin=shift)
        assert_allclose(oracle("correlate", x, h, "same", "reflect", origin=k // 2 + shift), expected, atol=1e-13)
        expected = ndimage.convolve1d(x, h, mode="mirror", origin=shift)
        assert_allclose(oracle("convolve", x, h, "same", "reflect", origin=k // 2 + shift), expected, atol=1e-13)


def test_ndimage_constant():
    x, h = pair(6, 4)
    expected = ndimage.correlate1d(x, h, mode="constant", cval=-3.0)
    assert_allclose(oracle("correlate", x, h, "same", ("constant", -3.0), origin="ndimage"), expected, atol=1e-13)


@pytest.mark.parametrize("mode", ["constant", "wrap", "edge", "symmetric", "reflect", "antisymmetric", "antireflect"])
@pytest.mark.parametrize("up, down", [(1, 1), (3, 1), (1, 2), (2, 3), (3, 2)])
@pytest.mark.parametrize("n, k", [(8, 5), (8, 4), (8, 26), (3, 2), (4, 31)])
def test_upfirdn_in_all_its_modes(mode, up, down, n, k):
    x, h = pair(n, k)
    ours = oracle("convolve", x, h, "full", "zero" if mode == "constant" else mode, up=up, down=down)
    assert_allclose(ours, signal.upfirdn(h, x, up, down, mode=mode), atol=1e-12)


@pytest.mark.parametrize("rule", list(PAD))
@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_rules_against_pad(rule, n):
    x = RNG.standard_normal(n)
    ours = [x[next(iter(rule_at(rule, n, p)))] for p in range(-13, n + 13)]
    assert_array_equal(ours, np.pad(x, 13, PAD[rule]))


@pytest.mark.parametrize("n", [2, 3, 5])
def test_antireflect_is_pads_odd_reflection(n):
    x = RNG.integers(-9, 9, n)
    ours = [sum(x[i] * c for i, c in rule_at("antireflect", n, p).items()) for p in range(-13, n + 13)]
    assert_array_equal(ours, np.pad(x, 13, "reflect", reflect_type="odd"))


def test_single_sample_rules():
    for rule, expected in [("reflect", 1), ("symmetric", 1), ("antireflect", 1), ("wrap", 1), ("edge", 1)]:
        assert all(rule_at(rule, 1, p) == {0: expected} for p in range(-4, 5)), rule
    assert [rule_at("antisymmetric", 1, p)[0] for p in range(-3, 4)] == [-1, 1, -1, 1, -1, 1, -1]


@pytest.mark.parametrize("rule", ["edge", "reflect", "wrap", "symmetric"])
def test_n_dimensional_boundary_is_pad_then_valid(rule):
    x, h = RNG.standard_normal((5, 6, 4)), RNG.standard_normal((3, 3, 5))
    padded = np.pad(x, [(1, 1), (1, 1), (2, 2)], PAD[rule])
    assert_allclose(oracle("correlate", x, h, "same", rule), signal.correlate(padded, h, "valid"), atol=1e-12)


def test_two_ends_and_constants_in_corners_follow_pad():
    x, h = RNG.standard_normal((4, 5)), RNG.standard_normal((3, 5))
    padded = np.pad(np.pad(x, [(1, 0), (0, 0)], "edge"), [(0, 1), (0, 0)], constant_values=2.0)
    padded = np.pad(padded, [(0, 0), (2, 2)], constant_values=[(0, 0), (3.0, 4.0)])
    rules = [("edge", ("constant", 2.0)), (("constant", 3.0), ("constant", 4.0))]
    assert_allclose(oracle("correlate", x, h, "same", rules), signal.correlate(padded, h, "valid"), atol=1e-12)


@pytest.mark.filterwarnings("ignore:Using padding='same'")
def test_torch_strides_dilation_and_transpose():
    torch = pytest.importorskip("torch")
    x, h = RNG.standard_normal((9, 8)), RNG.standard_normal((3, 2))
    tx, th = torch.tensor(x)[None, None], torch.tensor(h)[None, None]
    for down, dilation in itertools.product([1, 2, (3, 1)], [1, 2, (1, 3)]):
        expected = torch.nn.functional.conv2d(tx, th, stride=down, dilation=dilation).numpy()[0, 0]
        assert_allclose(oracle("correlate", x, h, "valid", down=down, dilation=dilation), expected, atol=1e-12)
    for up in (1, 2, (3, 2)):
        expected = torch.nn.functional.conv_transpose2d(tx, th, stride=up).numpy()[0, 0]
        assert_allclose(oracle("convolve", x, h, "full", up=up), expected, atol=1e-12)
    same = torch.nn.functional.conv2d(tx, th, padding="same").numpy()[0, 0]
    assert_allclose(oracle("correlate", x, h, "same", origin="torch"), same, atol=1e-12)


def test_origin_moves_the_window_only_in_same_and_explicit():
    x, h = pair(9, 4)
    full = oracle("convolve", x, h)
    for origin in (-3, 0, 2, 7):
        moved = exact("convolve", x, h, origin=origin)
        assert_array_equal(moved.values.astype(float), full)
        assert moved.lags[0][0] == -origin
    padded = np.concatenate([np.zeros(20), full, np.zeros(20)])
    window = oracle("convolve", x, h, (-6, 15), origin=2)
    assert_array_equal(window, padded[20 + 2 - 6 : 20 + 2 + 15])


def test_correlation_lags_are_the_positions():
    for n, k, mode in itertools.product([5, 8], [3, 4, 5], ["full", "valid", "same"]):
        x, h = pair(n, k)
        lags = exact("correlate", x, h, mode, origin=0 if mode != "same" else None).lags[0]
        if mode != "same":
            assert_array_equal(lags, signal.correlation_lags(n, k, mode))


def test_absent_terms_and_stored_zeros():
    x = np.array([1.0, 2.0, 3.0])
    assert_array_equal(oracle("convolve", x, [np.inf, 1.0], "full"), [np.inf, np.inf, np.inf, 3.0])
    assert_array_equal(oracle("convolve", x, [np.inf], "full", up=2), [np.inf, 0, np.inf, 0, np.inf])
    assert_array_equal(oracle("convolve", [np.nan, 1.0, 1.0], [0.0, 1.0], "full"), [np.nan, np.nan, 1, 1])


def test_omit_keeps_constants_and_divides_by_what_is_inside():
    h = np.array([1.0, 2.0, 5.0])
    assert_allclose(oracle("convolve", np.full(6, 3.0), h, "same", "omit"), np.full(6, 24.0), rtol=1e-15)
    x = np.array([1.0, 2.0, 4.0])
    expected = [(2 * 1 + 1 * 2) * 8 / 3, 5 * 1 + 2 * 2 + 1 * 4, (5 * 2 + 2 * 4) * 8 / 7]
    assert_allclose(oracle("convolve", x, h, "same", "omit"), expected, rtol=1e-15)
    one_end = oracle("convolve", x, h, "same", ("omit", "edge"))
    assert_allclose(one_end, [expected[0], expected[1], 5 * 2 + 2 * 4 + 1 * 4], rtol=1e-15)


def test_exact_fractions_and_big_integers():
    x, h = np.array([2**62, 2**62, 5]), np.array([1, -1])
    assert oracle("convolve", x, h).tolist() == [2**62, 0, 5 - 2**62, -5]
    with pytest.raises(OverflowError):
        oracle("convolve", x, np.array([1, 1]))
    thirds = exact("convolve", np.array([0.1, 0.2]), np.array([0.3]), number=Fraction).values
    assert thirds[0] == Fraction(0.1) * Fraction(0.3)


@pytest.mark.parametrize("x, h, expected", [
    (np.float32(1) * np.ones(2, "f4"), [1, 2.5], "f4"), (np.ones(2, "f4"), [1j], "c8"), (np.ones(2, "i2"), [1], "i8"),
    (np.ones(2, "i2"), [0.5], "f8"), (np.ones(2, "u8"), np.ones(2, "u1"), "u8"), (np.ones(2, "u8"), [1], "u8"),
    (np.ones(2, "u8"), np.ones(2, "i1"), "i8"), (np.ones(2, "?"), np.ones(2, "?"), "i8"), ([1, 2], [1, 2], "i8"),
    (np.ones(2, "f2"), [0.5], "f2"), (np.ones(2, "f2"), np.ones(2, "i4"), "f8"), ([1.0], np.ones(2, "f4"), "f4"),
    (np.ones(2, "f4"), np.float64(2) * np.ones(1), "f8"), (np.ones(2, "g"), [1], "g"), (np.ones(2, "?"), [2], "i8"),
])
def test_promised_dtype(x, h, expected):
    assert promised_dtype(x, h) == np.dtype(expected)


def test_names_are_complete():
    assert set(NAMES) >= set(PAD)
