"""Responses: the eigenfunction law, scipy.signal, exact linear phase, and every way to compute them."""

import warnings

import numpy as np
import pytest
import scipy.signal as ss
from hypothesis import given
from hypothesis import strategies as st

from firconv import filters, spectrum
from firconv.response import (
    amplitude_response,
    frequency_response,
    group_delay,
    impulse_response,
    linear_phase,
    magnitude_db,
    phase_delay,
    phase_response,
    step_response,
)
from firconv.systems import FIR, IIR

RNG = np.random.default_rng(7)
BUTTER = ss.butter(4, 0.3)
TYPES = {"I": [1.0, 2, 3, 2, 1], "II": [1.0, 3, 3, 1], "III": [1.0, 2, 0, -2, -1], "IV": [1.0, -2, 2, -1]}


def defining(taps, origin, f):
    """Σ h[k]·exp(−2πj·f·(k − c)) in extended precision, f in cycles per sample."""
    n = np.arange(len(taps)) - origin
    turns = np.multiply.outer(np.asarray(f, np.longdouble), n.astype(np.longdouble)) % 1
    angle = -2 * np.longdouble("3.14159265358979323846264338327950288") * turns
    return ((np.cos(angle) * taps.real).sum(-1) - (np.sin(angle) * taps.imag).sum(-1)
            + 1j * ((np.sin(angle) * taps.real).sum(-1) + (np.cos(angle) * taps.imag).sum(-1))).astype(complex)


# ---- the eigenvalue ----------------------------------------------------------------------------------------------

@given(st.lists(st.floats(-5, 5), min_size=1, max_size=12), st.integers(-3, 9), st.floats(-1, 1),
       st.sampled_from([1.0, 8.0]))
def test_exponentials_are_eigenfunctions(taps, origin, f, fs):
    fir = FIR(taps, origin, fs)
    t = np.arange(40)
    _, H = frequency_response(fir, f * fs)
    y = fir(np.exp(2j * np.pi * f * t), "valid")
    lag = len(taps) - 1 - origin  # position of the first valid output
    np.testing.assert_allclose(y, H * np.exp(2j * np.pi * f * (lag + np.arange(y.size))), atol=1e-10)


def test_exponentials_of_the_plane_and_of_an_iir():
    fir = FIR(RNG.normal(size=(3, 4)), (1, 2), 10.0)
    (f0, f1), H = frequency_response(fir, ([1.0, -3.0], [0.7, 4.9, 0.0]))
    n0, n1 = np.ogrid[:9, :9]
    for i, a in enumerate(f0):
        for j, b in enumerate(f1):
            wave = np.exp(2j * np.pi * (a * n0 + b * n1) / 10)
            np.testing.assert_allclose(fir(wave)[4, 4], H[i, j] * wave[4, 4], atol=1e-12)
    iir = IIR(*BUTTER, fs=10.0).delay(3)
    t = np.arange(600)
    wave = np.exp(2j * np.pi * 0.11 * t)
    np.testing.assert_allclose(iir(wave)[-5:], frequency_response(iir, 1.1)[1] * wave[-5:], atol=1e-12)


# ---- the arithmetic ----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("j", [0, 1j])
@pytest.mark.parametrize(("k", "origin"), [(1, 0), (2, 5), (7, 3), (100, -4), (1001, 500), (3000, 2)])
def test_every_way_is_the_defining_sum(k, origin, j):
    taps = RNG.normal(size=k) + j * RNG.normal(size=k)
    if not j:
        taps = taps.real
    size = np.abs(taps).sum()
    pick = RNG.integers(0, 40_000, 12)

    def check(found, f):
        assert np.abs(found - defining(taps, origin, f)).max() < 4e-15 * size

    for count in (80_000, 40_000, 40_001):
        H = spectrum.circle(taps, origin, 80_000, count, 2)
        assert H.size == count
        check(H[pick], pick.astype(np.longdouble) / 80_000)
        check(H[-1:], np.array([count - 1], np.longdouble) / 80_000)
    for n in (1, 2, 5, 64, 999):
        i = np.unique(RNG.integers(0, n, 20))
        check(spectrum.circle(taps, origin, n, n)[i], i.astype(np.longdouble) / n)
    for start, step, n in ((0.1, 2.0**-18, 9000), (0.0, 2.0**-10, 1000), (-0.25, 0.375, 5), (0.4375, 2.0**-30, 7),
                           (0.2, 0.0, 1)):
        H = spectrum.zoom(taps, origin, start, step, n, 2)
        i = RNG.integers(0, n, 8)
        check(H[i], start + i * np.float64(step))
    f = RNG.uniform(-3, 3, 40)
    check(spectrum.points(taps, origin, f), f)
    reach = max(abs(origin), abs(k - 1 - origin), 1)
    check(spectrum._taylor(taps, origin, reach, 1 << int(np.ceil(np.log2(64 * reach))))(f), f)
    check(spectrum._horner(taps, origin)(f), f)


def test_many_points_take_the_table_and_agree():
    taps, f = RNG.normal(size=33), RNG.uniform(0, 1, 200_000)
    few = RNG.integers(0, f.size, 50)
    assert np.abs(spectrum.points(taps, 16, f, 2)[few] - defining(taps, 16, f[few])).max() < 4e-15 * np.abs(taps).sum()


def test_values_do_not_depend_on_workers():
    fir = FIR(RNG.normal(size=301), 7)
    kernel = filters.gaussian(1.0, 2)
    for system, where in ((fir, {"n": 40_000}), (fir, {"band": (0.1, 0.2), "n": 30_000}),
                          (fir, {"freqs": RNG.uniform(0, 1, 9000)}), (kernel, {"n": 200})):
        one, two = (frequency_response(system, workers=w, **where)[1] for w in (1, 2))
        assert np.array_equal(one, two)


# ---- agreement with scipy ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("k", [1, 2, 16, 33, 300])
@pytest.mark.parametrize("where", [{}, {"n": 7}, {"n": 8, "whole": True}, {"n": 9, "whole": True}, {"n": 20_000},
                                   {"n": 16_384, "whole": True}, {"n": 16_385, "whole": True}])
def test_grids_are_those_of_freqz(k, where):
    taps = RNG.normal(size=k)
    f, H = frequency_response(taps, fs=100.0, **where)
    w, expected = ss.freqz(taps, worN=where.get("n", 512), whole=where.get("whole", False), fs=100.0)
    np.testing.assert_allclose(f, w, atol=1e-12)
    np.testing.assert_allclose(H, expected, atol=1e-12 * max(1, k))


def test_bands_and_points_are_those_of_freqz():
    taps = RNG.normal(size=50)
    band = np.linspace(10, 20, 300)
    f, H = frequency_response(FIR(taps, 3, 48.0), band=(10, 20), n=300)
    np.testing.assert_allclose(f, band)
    expected = ss.freqz(taps, worN=band, fs=48)[1] * np.exp(2j * np.pi * band / 48 * 3)
    np.testing.assert_allclose(H, expected, atol=1e-12)
    points = RNG.uniform(-30, 70, (4, 5))
    f, H = frequency_response(taps, points, fs=48)
    assert f.shape == H.shape == (4, 5)
    np.testing.assert_allclose(H.ravel(), ss.freqz(taps, worN=points.ravel(), fs=48)[1], atol=1e-12)
    assert frequency_response(taps, 3.0, fs=48)[1].shape == ()
    assert frequency_response([1, 2], n=1, band=(0.1, 0.2))[0] == [0.1]


def test_plane_is_the_transform_of_the_padded_kernel():
    kernel = FIR(RNG.normal(size=(5, 4)), (2, 1))
    (f0, f1), H = frequency_response(kernel, n=(16, 13))
    padded = np.zeros((16, 13))
    padded[:5, :4] = kernel.taps
    expected = np.fft.fftshift(np.fft.fft2(np.roll(padded, (-2, -1), (0, 1))))
    np.testing.assert_allclose(H, expected, atol=1e-12)
    np.testing.assert_allclose(f0, np.fft.fftshift(np.fft.fftfreq(16)))
    large = FIR(RNG.normal(size=(45, 90)), (20, 100))  # by FFT, and longer than one of the grids
    for n in ((64, 81), (33, 128)):
        (f0, f1), H = frequency_response(large, n=n)
        np.testing.assert_allclose(H, frequency_response(large, (f0, f1))[1], atol=1e-10)
    solid = FIR(RNG.normal(size=(2, 3, 2)) * 1j, (0, 1, 1), 5.0)
    (_, _, f2), H = frequency_response(solid, n=6, band=[(0, 1), (0, 2), (1, 2)])
    assert H.shape == (6, 6, 6) and f2[-1] == 2


@pytest.mark.filterwarnings("ignore::scipy.signal.BadCoefficients")
@pytest.mark.parametrize("iir", [IIR(*BUTTER), IIR([1.0, -2.5, 1.0], [1.0, 0.4]), IIR([0.0, -1.0, 3.0], [1.0, -0.9])])
def test_iir_responses(iir):
    b, a = np.concatenate([np.zeros(iir.lag), iir.b]), iir.a
    f, H = frequency_response(iir, n=200)
    w, expected = ss.freqz(b, a, 200)
    np.testing.assert_allclose(H, expected, atol=1e-11)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.testing.assert_allclose(group_delay(iir, f[1:])[1], ss.group_delay((b, a), w[1:])[1], atol=1e-6)
    phi = phase_response(iir, n=200)[1]
    np.testing.assert_allclose(np.exp(1j * phi), H / np.abs(H), atol=1e-9)
    assert np.abs(np.diff(phi)).max() < 1
    t, h = impulse_response(iir, 30)
    np.testing.assert_allclose(h, ss.dimpulse((np.r_[b, np.zeros(max(len(a) - len(b), 0))], np.r_[a, np.zeros(
        max(len(b) - len(a), 0))], 1), n=30 + iir.lag)[1][0][iir.lag:, 0], atol=1e-12)
    assert t[0] == iir.lag
    np.testing.assert_allclose(step_response(iir, 30)[1], np.cumsum(h))


def test_unstable_iir_shows_its_beginning():
    assert impulse_response(IIR([1.0], [1.0, -2.0]))[1].tolist() == [2.0**n for n in range(100)]
    assert impulse_response(IIR([1.0], [1.0, -0.5]))[1].size == 20


def test_group_delay_is_scipys_where_that_is_defined():
    for taps in (RNG.normal(size=6), [1.0, 0.5], [1.0, -0.9, 0.4], RNG.normal(size=31)):
        w, expected = ss.group_delay((taps, 1), 64)
        np.testing.assert_allclose(group_delay(taps, n=64)[1], expected, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(group_delay(FIR(taps, 2), n=64)[1], expected - 2, rtol=1e-9, atol=1e-9)


# ---- linear phase ------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("outer", [0, 2])
@pytest.mark.parametrize("origin", [0, 2, -3])
def test_types(kind, outer, origin):
    fir = FIR(np.pad(TYPES[kind], (outer, 0)), origin, 10.0)
    phase = linear_phase(fir)
    middle = (len(TYPES[kind]) - 1) / 2 + outer - origin
    assert (phase.type, phase.delay, phase.symmetric) == (kind, middle, kind in ("I", "II"))
    f, tau = group_delay(fir, n=50)
    assert np.all(tau == middle)
    f, A = amplitude_response(fir, n=50)
    assert A.dtype == float
    turn = np.exp(-2j * np.pi * f / 10 * middle) * (1 if phase.symmetric else 1j)
    np.testing.assert_allclose(A * turn, frequency_response(fir, n=50)[1], atol=1e-13)
    f, phi = phase_response(fir, n=50)
    np.testing.assert_allclose(np.abs(A) * np.exp(1j * phi), A * turn, atol=1e-13)
    f, delay = phase_delay(fir, n=50)
    expected = middle - (0 if phase.symmetric else np.pi / 2) / np.maximum(2 * np.pi * f / 10, 1e-300)
    np.testing.assert_allclose(delay[1:], expected[1:], rtol=1e-12)


def test_the_issue_s_example():
    """scipy.signal.group_delay warns and gives 4 at the zero of 1 + z⁻⁴; the truth is 2."""
    assert group_delay([1, 0, 0, 0, 1], [0.125])[1].tolist() == [2.0]
    with pytest.warns(UserWarning, match="singular"):
        ss.group_delay(([1, 0, 0, 0, 1], 1), [np.pi / 4])


def test_complex_and_n_dimensional_linear_phase():
    taps = np.array([1 + 2j, 3, 1 - 2j])
    assert linear_phase(taps).type == "I"
    f, A = amplitude_response(FIR(taps, 0), n=16, whole=True)
    np.testing.assert_allclose(A * np.exp(-2j * np.pi * f), frequency_response(taps, n=16, whole=True)[1], atol=1e-13)
    kernel = filters.gaussian(1.0, 2).delay((1, 2))
    assert linear_phase(kernel).delays == (1.0, 2.0) and linear_phase(kernel).type == ""
    (f0, f1), A = amplitude_response(kernel, n=8)
    turn = np.exp(-2j * np.pi * (f0[:, None] + 2 * f1))
    np.testing.assert_allclose(A * turn, frequency_response(kernel, n=8)[1], atol=1e-14)
    assert A.dtype == float
    _, tau = group_delay(kernel, n=4)
    assert tau.shape == (2, 4, 4) and np.all(tau[0] == 1) and np.all(tau[1] == 2)
    (f0, f1), phi = phase_response(kernel, n=8)
    np.testing.assert_allclose(np.exp(1j * phi), np.sign(A) * turn, atol=1e-13)
    skew = FIR(RNG.normal(size=(3, 2)))
    (f0, f1), tau = group_delay(skew, ([0.1], [0.2, 0.3]))
    step = 1e-6
    for axis, moved in enumerate((([0.1 + step], [0.2, 0.3]), ([0.1], [0.2 + step, 0.3 + step]))):
        turned = np.angle(frequency_response(skew, moved)[1] / frequency_response(skew, ([0.1], [0.2, 0.3]))[1])
        np.testing.assert_allclose(tau[axis], -turned / (2 * np.pi * step), atol=1e-4)


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=7))
def test_detection_is_exact(taps):
    stripped = np.trim_zeros(np.array(taps))
    phase = linear_phase(taps)
    if stripped.size == 0:
        assert phase is None
        return
    even, odd = np.array_equal(stripped, stripped[::-1]), np.array_equal(stripped, -stripped[::-1])
    assert (phase is not None) == (even or odd)
    assert phase is None or phase.symmetric == even


def test_detection_within_a_tolerance():
    taps = ss.firwin(21, 0.3) * (1 + 1e-12 * RNG.normal(size=21))
    assert linear_phase(taps) is None and linear_phase(taps, 1e-10).type == "I"
    assert linear_phase(IIR(*BUTTER)) is None


# ---- phase and delay of the others -------------------------------------------------------------------------------

@pytest.mark.parametrize("radius", [0.9, 0.999, 0.999999, 1.00001])
@pytest.mark.parametrize("multiplicity", [1, 2])
def test_phase_sees_turns_between_the_points(radius, multiplicity):
    """A pair of zeros next to the circle turns the phase by π in a band of its distance; a double one by 2π."""
    pair = np.array([1.0, -2 * radius * np.cos(2 * np.pi * 0.2), radius**2])
    taps = np.r_[1.0, 0.3]
    for _ in range(multiplicity):
        taps = np.convolve(taps, pair)
    f = np.array([0.0, 0.19, 0.21, 0.5])
    np.testing.assert_allclose(phase_response(FIR(taps), f)[1], phase_response(IIR(taps), f)[1], atol=1e-6)


@pytest.mark.parametrize("taps", [
    RNG.normal(size=5), RNG.normal(size=200), np.r_[1.0, 0.5], np.r_[np.zeros(50), -1, 0.4],
    ss.minimum_phase(ss.remez(61, [0, 0.1, 0.14, 0.5], [1, 0]))])
def test_phase_is_continuous_and_right(taps):
    fir = FIR(taps, 3)
    f, phi = phase_response(fir, n=2000)
    H = frequency_response(fir, n=2000)[1]
    np.testing.assert_allclose(np.exp(1j * phi) * np.abs(H), H, atol=1e-10)
    some = [0.31, 0.02, 0.49]  # sparse and out of order: the same branch
    every = phase_response(fir, np.r_[np.linspace(0, 0.5, 9001), some])[1]
    np.testing.assert_allclose(phase_response(fir, some)[1], every[-3:], atol=1e-9)
    np.testing.assert_allclose(phase_response(fir, f, unwrap=False)[1], np.angle(H), atol=1e-12)


def test_phase_delay_at_zero_frequency():
    f, delay = phase_delay([1.0, 0.5, 0.2], [0.0, 1e-6, 0.1])
    assert delay[0] == pytest.approx(group_delay([1.0, 0.5, 0.2], [0.0])[1][0])
    assert delay[1] == pytest.approx(delay[0], abs=1e-6)
    assert phase_delay([-1.0, -0.5, -0.2], [0.0])[1][0] == -np.inf
    f, delay = phase_delay(IIR([1.0], [1.0, -0.5], 4.0), [0.0, 1.0])
    assert delay == pytest.approx([1.0, np.arctan2(0.5, 1) / (np.pi / 2)])


@pytest.mark.parametrize("zeros", [1, 2, 3])
def test_group_delay_at_a_zero_is_its_limit(zeros):
    taps = np.r_[1.0, 0.4, 0.1]  # not symmetric
    for _ in range(zeros):
        taps = np.convolve(taps, [1.0, -2 * np.cos(2 * np.pi * 0.2), 1.0])
    near = group_delay(taps, [0.2 - 1e-2, 0.2 + 1e-2])[1].mean()
    assert group_delay(taps, [0.2])[1][0] == pytest.approx(near, abs=2e-3)
    exact = group_delay([1.0, 0.4, 0.1], [0.2])[1][0] + zeros  # every pair on the circle delays by one sample
    assert group_delay(taps, [0.2])[1][0] == pytest.approx(exact, abs=1e-6)


def test_magnitude_of_an_exact_zero():
    f, db = magnitude_db([1.0, 1.0], [0.0, 0.5])
    assert db[0] == pytest.approx(6.0206, abs=1e-4) and db[1] < -300
    assert magnitude_db([1.0, -1.0], [0.0])[1][0] == -np.inf


# ---- time --------------------------------------------------------------------------------------------------------

def test_impulse_and_step():
    fir = FIR([1, 2, 3], 1, 10.0)
    assert [v.tolist() for v in impulse_response(fir, 5)] == [[-1, 0, 1, 2, 3], [1, 2, 3, 0, 0]]
    assert [v.tolist() for v in step_response(fir)] == [[-1, 0, 1], [1, 3, 6]]
    x = np.r_[np.zeros(5), np.ones(10)]
    np.testing.assert_array_equal(fir(x)[4:9], step_response(fir, 5)[1])
    (t0, t1), s = step_response(filters.box((3, 3)))
    assert t0.tolist() == [-1, 0, 1] and s[-1, -1] == pytest.approx(1)
    assert impulse_response(filters.box((3, 3)), 4)[1].shape == (4, 4)


def test_matlab_freqz2_examples():
    """freqz2's documentation: the 16 × 16 ring under a Bartlett window on 32 points, and its range ±1 (here ±fs/2)."""
    from firconv.design import window_2d

    wanted = np.zeros((16, 16))
    wanted[4:12, 4:12] = 1
    wanted[6:10, 6:10] = 0
    fir = window_2d(wanted, np.bartlett(16))
    (f0, f1), H = frequency_response(fir, n=32)
    assert f0[0] == -0.5 and f1[16] == 0 and H.shape == (32, 32)
    A = np.abs(H)
    assert A[16 + 6, 16] > 0.4 and A[16, 16] < 0.35 and A[2, 2] < 0.05


# ---- bad input ---------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("call", "match"), [
    (lambda: frequency_response([1], [0.1], n=5), "give the points once"),
    (lambda: frequency_response([1], [0.1], band=(0, 1)), "give the points once"),
    (lambda: frequency_response([1], band=(0, 1), whole=True), "give the points once"),
    (lambda: frequency_response([1], n=0), r"n=0\): the number of points"),
    (lambda: frequency_response([1], n=2.5), r"n=2.5\): the number of points"),
    (lambda: frequency_response([1], band=(0.2, 0.1)), r"give \(lo, hi\) with lo < hi"),
    (lambda: frequency_response([1], band=3), r"give \(lo, hi\)"),
    (lambda: frequency_response(FIR([1]), fs=3), "the system has its own rate, fs=1"),
    (lambda: frequency_response(np.ones((2, 2)), ([1.0],)), "1 entries for 2 dimensions"),
    (lambda: frequency_response(np.ones((2, 2)), n=(3, 3, 3)), "give one number for each of the 2 axes"),
    (lambda: frequency_response(np.ones((2, 2)), whole=True), "always the whole plane"),
    (lambda: frequency_response(np.ones((2, 2)), band=[(0, 1)] * 3), "one for each of the 2 axes"),
    (lambda: amplitude_response([1, 2]), "not symmetric or antisymmetric"),
    (lambda: amplitude_response(IIR([1.0])), "not symmetric or antisymmetric"),
    (lambda: phase_response([[1, 2], [3, 5]]), "unwrapping is ambiguous in 2 dimensions"),
    (lambda: phase_delay(np.ones((2, 2))), "2 dimensions have no single delay"),
    (lambda: impulse_response([]), "holds no taps"),
    (lambda: impulse_response([1], n=0), r"n=0\): the number of samples"),
    (lambda: frequency_response([1, 2], [np.nan]), "frequencies are finite real numbers"),
    (lambda: frequency_response([1, 2], 1j), "frequencies are finite real numbers"),
    (lambda: frequency_response(np.ones((2, 2)), 3.0), "1 entries for 2 dimensions"),
])
def test_bad_input(call, match):
    with pytest.raises(ValueError, match=match):
        call()
