"""align finds what was done to a signal; normalized_correlate is what OpenCV and scikit-image compute."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import ndimage, signal

import firconv
from firconv import align, normalized_correlate
from firconv.alignment import Alignment

RNG = np.random.default_rng(11)


def noise(*shape, dtype=float):
    x = RNG.standard_normal(shape)
    return (x + 1j * RNG.standard_normal(shape) if np.dtype(dtype).kind == "c" else x).astype(dtype)


def moved(a, lag, shape):
    """b[n + lag] = a[n], zeros elsewhere."""
    b = np.zeros(shape, a.dtype)
    spans = [(max(0, -v), min(n, m - v)) for n, m, v in zip(a.shape, shape, lag, strict=True)]
    here = tuple(slice(lo + v, hi + v) for (lo, hi), v in zip(spans, lag, strict=True))
    b[here] = a[tuple(slice(lo, hi) for lo, hi in spans)]
    return b


# ---- lag, sign, gain, reversal -----------------------------------------------------------------------------------


@pytest.mark.parametrize("shape, other", [((60,), (60,)), ((60,), (75,)), ((60,), (41,)), ((19, 23), (19, 23)),
                                          ((19, 23), (25, 18)), ((9, 8, 7), (9, 9, 9))])
@pytest.mark.parametrize("flip", [False, True])
def test_what_was_done_is_found(shape, other, flip):
    for trial in range(6):
        kind = complex if trial % 3 == 2 else float
        a = noise(*shape, dtype=kind)
        lag = tuple(int(v) for v in RNG.integers(-3, 4, len(shape)))
        gain = (2.5, -1.0, 0.5 - 2j)[trial % 3]
        turned = a[(slice(None, None, -1),) * a.ndim] if flip else a
        b = gain * moved(turned, lag, other)
        found = align(a, b)
        assert found.lag == (lag if len(shape) > 1 else lag[0])
        assert found.flip == flip and not found.conjugate and found.sign == (-1 if gain == -1 else 1)
        assert_allclose(found.gain, gain, rtol=1e-13)
        assert found.correlation > 1 - 1e-12 and found.remainder < 1e-13 and found.outside == 0


def test_a_conjugate_is_found():
    a = noise(50, dtype=complex)
    found = align(a, 3 * a.conj())
    assert found.conjugate and not found.flip and found.lag == 0 and found.remainder < 1e-14


def test_the_peak_is_that_of_all_lags_summed_one_by_one():
    for trial in range(20):
        a, b = noise(30 + trial), noise(41)
        found = align(a, b, flip=False)
        scores = {}
        for lag in range(-(len(a) - 1), len(b)):
            lo, hi = max(0, -lag), min(len(a), len(b) - lag)
            if hi - lo >= np.ceil(0.5 * min(len(a), len(b))):
                p, q = a[lo:hi], b[lo + lag : hi + lag]
                scores[lag] = abs(p @ q) / np.linalg.norm(p) / np.linalg.norm(q)
        best = max(scores, key=scores.get)
        assert found.lag == best
        assert_allclose(found.correlation, scores[best], rtol=1e-13)


def test_two_libraries_that_disagree_by_one_sample():
    x, h = noise(40), noise(4)
    a, b = np.convolve(x, h, "same"), ndimage.convolve(x, h, mode="constant")
    found = align(a, b)
    assert (found.lag, found.gain, found.flip) == (-1, pytest.approx(1), False)
    assert found.remainder < 1e-14 < found.outside
    back = align(ndimage.convolve(x, h, mode="constant", origin=-1), a)
    assert back.lag == 0 and back.remainder < 1e-14 and back.outside == 0


def test_a_periodic_signal_takes_the_lag_nearest_to_zero():
    wave = np.tile([1.0, 2, 0, -3], 20)
    assert align(wave, wave).lag == 0
    assert align(wave, np.roll(wave, 1)).lag in (1, -3)
    assert align(wave, -wave).sign == -1


def test_noise_leaves_a_remainder():
    a = noise(4000)
    b = np.roll(a, 5) + 0.1 * noise(4000)
    found = align(a, b)
    assert found.lag == 5 and 0.05 < found.remainder < 0.5 and 0.99 < found.correlation < 0.999


def test_a_quiet_signal_and_a_loud_one():
    a = noise(200)
    found = align(1e-160 * a, 1e140 * moved(a, (2,), (200,)))
    assert found.lag == 2 and found.gain == pytest.approx(1e300) and found.remainder < 1e-14
    found = align(np.full(3, 1e308), np.full(3, 5e-324))
    assert found.lag == 0 and found.remainder == 0


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "float16", "float32"])
def test_other_types(dtype):
    a = (noise(80) * 20).astype(dtype) if dtype != "uint8" else RNG.integers(0, 255, 80).astype("uint8")
    assert align(a, np.concatenate([[0, 0], a])).lag == 2


# ---- below one sample --------------------------------------------------------------------------------------------


def pulse(n, centre, width, cycles):
    t = np.arange(n) - centre
    return np.exp(-0.5 * (t / width) ** 2) * np.cos(2 * np.pi * cycles * t)


@pytest.mark.parametrize("shift", [-7.75, -0.5, -0.03, 0.0, 0.25, 0.499, 0.51, 3.37])
@pytest.mark.parametrize("cycles", [0.0, 0.11])
def test_lags_below_one_sample(shift, cycles):
    a, b = pulse(256, 120.0, 8.0, cycles), -3 * pulse(256, 120.0 + shift, 8.0, cycles)
    found = align(a, b, subsample=True, flip=False)
    assert_allclose(found.lag, shift, atol=1e-9)
    assert_allclose(found.gain, -3, rtol=1e-9)
    assert found.remainder < 1e-8


def test_complex_lags_below_one_sample():
    t = np.arange(256)
    a = pulse(256, 120.0, 9.0, 0) * np.exp(2j * np.pi * 0.08 * t)
    b = 1j * pulse(256, 122.6, 9.0, 0) * np.exp(2j * np.pi * 0.08 * (t - 2.6))
    found = align(a, b, subsample=True, flip=False)
    assert_allclose(found.lag, 2.6, atol=1e-9)
    assert_allclose(found.gain, 1j, atol=1e-8)


def test_the_delay_of_a_resampled_signal():
    """A half-band interpolator, every second sample of which is half a sample late."""
    x = signal.lfilter(signal.firwin(31, 0.4), 1, noise(600))
    late = signal.resample_poly(x, 2, 1)[1::2]
    found = align(x, late, subsample=True, flip=False)
    assert_allclose(found.lag, -0.5, atol=2e-3)


# ---- what it says ------------------------------------------------------------------------------------------------


def test_it_prints_as_two_lines():
    a = np.arange(1.0, 9)
    text = str(align(a, -2 * a[::-1]))
    assert text.startswith("b is a shifted by 0, reversed, times -2\n  correlation 1.000000 on 8 samples")
    assert str(align(a, a)).startswith("b is a shifted by 0\n")
    late = align(pulse(256, 120.0, 8.0, 0), pulse(256, 123.3, 8.0, 0), subsample=True, flip=False)
    assert str(late).startswith("b is a shifted by 3.3")
    assert isinstance(late, Alignment)


@pytest.mark.parametrize("a, b, words, message", [
    (np.ones(3), np.ones((3, 3)), {}, "a has 1 dimensions and b has 2"),
    (np.ones((3, 3)), np.ones((3, 3)), {"subsample": True}, "for 1-D signals"),
    (np.ones(3), np.ones(3), {"overlap": 0}, "0 is no part"),
    (np.ones(3), np.ones(3), {"overlap": 1.5}, "1.5 is no part"),
    (["a"], np.ones(3), {}, "a is no array of numbers"),
    (np.ones(3), [], {}, "b is no array of numbers"),
    (np.ones(3), 4.0, {}, "b is no array of numbers"),
    (np.array([1.0, np.nan]), np.ones(3), {}, "a holds NaN or Inf"),
    (np.zeros(3), np.ones(3), {}, "a is zero everywhere"),
])
def test_arguments_of_align(a, b, words, message):
    with pytest.raises(ValueError, match=message):
        align(a, b, **words)


# ---- template matching -------------------------------------------------------------------------------------------


def by_hand(x, h):
    """Pearson's r of every window."""
    windows = np.lib.stride_tricks.sliding_window_view(x.astype(np.longdouble), h.shape)
    axes = tuple(range(x.ndim, 2 * x.ndim))
    w = windows - windows.mean(axes, keepdims=True)
    t = h.astype(np.longdouble) - h.astype(np.longdouble).mean()
    with np.errstate(invalid="ignore"):
        return ((w * t).sum(axes) / np.sqrt((w**2).sum(axes) * (t**2).sum())).astype(float)


@pytest.mark.parametrize("shape, size", [((90,), (7,)), ((31, 40), (5, 8)), ((31, 40), (1, 6)),
                                         ((9, 10, 11), (3, 4, 2))])
@pytest.mark.parametrize("offset, scale", [(0, 1), (1e3, 1), (-3, 1e-6), (5e5, 2)])
def test_every_window_is_pearsons_r(shape, size, offset, scale):
    x = offset + scale * noise(*shape)
    h = x[tuple(slice(2, 2 + k) for k in size)] * 3 + 40
    r = normalized_correlate(x, h)
    assert_allclose(r, by_hand(x, h), atol=1e-9)
    assert np.unravel_index(r.argmax(), r.shape) == (2,) * x.ndim and r.max() == pytest.approx(1, abs=1e-9)
    assert np.abs(r).max() <= 1


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float32", "float64"])
@pytest.mark.parametrize("size", [(1, 5), (6, 7), (15, 12)])
def test_opencv(dtype, size):
    cv2 = pytest.importorskip("cv2")
    x = RNG.integers(0, 256, (60, 70)).astype(dtype)
    h = x[20 : 20 + size[0], 30 : 30 + size[1]]
    kind = "uint8" if dtype == "uint8" else "float32"
    theirs = cv2.matchTemplate(x.astype(kind), h.astype(kind), cv2.TM_CCOEFF_NORMED)
    ours = normalized_correlate(x, h)
    assert ours.shape == theirs.shape and ours.argmax() == theirs.argmax()
    # OpenCV's sums are those of a float32 transform: 13·log₂N·u·‖x‖‖h‖, over the energies that both are divided by
    spread = np.lib.stride_tricks.sliding_window_view(x.astype(float), h.shape).std((2, 3)).min() * h.std() * h.size
    bound = 13 * np.log2(x.size) * 2.0**-24 * np.linalg.norm(x.astype(float)) * np.linalg.norm(h.astype(float)) / spread
    assert np.abs(ours - theirs).max() < bound < 0.2, bound


@pytest.mark.parametrize("pad", [False, True])
@pytest.mark.parametrize("shape, size", [((40, 50), (6, 9)), ((40, 50), (7, 5)), ((12, 13, 14), (4, 3, 5))])
def test_scikit_image(pad, shape, size):
    feature = pytest.importorskip("skimage.feature")
    x = RNG.random(shape)
    h = x[tuple(slice(3, 3 + k) for k in size)]
    theirs = feature.match_template(x, h, pad_input=pad)
    ours = normalized_correlate(x, h, "same" if pad else "valid")
    assert_allclose(ours, theirs, atol=1e-10)


def test_scikit_image_of_one_dimension_by_an_image_of_one_row():
    feature = pytest.importorskip("skimage.feature")
    x = noise(80)
    assert_allclose(normalized_correlate(x, x[9:20]), feature.match_template(x[None], x[None, 9:20])[0], atol=1e-10)


def test_a_bright_image_is_as_exact_as_a_dark_one():
    x = RNG.integers(0, 3, (40, 50)).astype("uint8")
    h = x[4:9, 5:12]
    np.testing.assert_array_equal(normalized_correlate(x + np.uint8(250), h), normalized_correlate(x, h))


def test_where_nothing_varies_the_score_is_zero():
    x = np.concatenate([np.full(9, 0.1), noise(9), np.full(9, 1e7)])
    r = normalized_correlate(x, [1.0, 2, 4])
    assert (r[:7] == 0).all() and (r[-7:] == 0).all() and (r[9:16] != 0).all()


@pytest.mark.parametrize("rule", ["zero", "edge", "symmetric", "reflect", "wrap", "antisymmetric", ("constant", 2.5),
                                  ("edge", "wrap"), ["zero", "reflect"]])
def test_boundaries_are_those_of_correlate(rule):
    x, h = noise(11, 12), noise(4, 3)
    reach = [(k, k) for k in h.shape]
    box = [(-lo, n + hi) for (lo, hi), n in zip(reach, x.shape, strict=True)]
    extended = firconv.correlate(x, np.ones((1, 1)), box, boundary=rule)
    wanted = by_hand(extended, h)
    got = normalized_correlate(x, h, "same", boundary=rule, origin=(1, 1))
    assert_allclose(got, wanted[3 : 3 + 11, 2 : 2 + 12], atol=1e-10)


def test_windows_beyond_the_signal_are_constant():
    x = np.arange(5.0)
    r = normalized_correlate(x, [1.0, 2, 0], (-8, 8), boundary="edge")
    assert (r[:5] == 0).all() and (r[-2:] == 0).all() and r[8:11].any()


@pytest.mark.parametrize("x, h, words, message", [
    (np.ones(5), np.ones((2, 2)), {}, "x has 1 dimensions and template has 2"),
    (np.ones(5), np.full(3, 2.0), {}, "the template is constant"),
    (np.ones(5), np.full(3, 0.1), {}, "the template is constant"),
    (np.ones(5) * 1j, np.arange(3), {}, "x has dtype complex128"),
    (np.ones(5), [], {}, "template has dtype float64 and shape"),
    (np.ones(5), np.arange(3), {"mode": "same", "boundary": "omit"}, "has no windowed energy"),
    (np.ones(2), np.arange(3), {"mode": "middle"}, "mode='middle' is unknown"),
])
def test_arguments_of_normalized_correlate(x, h, words, message):
    with pytest.raises(ValueError, match=message):
        normalized_correlate(x, h, **words)
