"""Designs: the specification is met and no shorter length meets it, what is reported is true, and failure is loud."""

import numpy as np
import pytest
import scipy.signal as ss

from firconv import design
from firconv.design import (
    arbitrary,
    bandpass,
    bandstop,
    differentiator,
    frequency_sampling_2d,
    frequency_transformation,
    highpass,
    hilbert,
    lowpass,
    minimum_phase,
    separable,
    window_2d,
)
from firconv.response import amplitude_response, frequency_response, group_delay, linear_phase
from firconv.search import METHODS
from firconv.systems import FIR

RNG = np.random.default_rng(60)

SPECS = {
    "lowpass": (lowpass, (0.1, 0.15, 0.5, 45), 1.0),
    "highpass": (highpass, (14_000, 12_000, 0.2, 60), 48_000.0),
    "bandpass": (bandpass, ((0.15, 0.25), (0.1, 0.3), 0.5, 40), 1.0),
    "bandstop": (bandstop, ((10, 35), (15, 28), 1.0, 35), 100.0),
    "hilbert": (hilbert, (0.05, 0.45, 0.2), 1.0),
    "differentiator": (differentiator, (0.4, None, 0.2), 2.0),
    "differentiator with a stop band": (differentiator, (0.2, 0.3, 0.2, 40), 1.0),
}


def dense(fir, band):
    """Largest deviation from the desired gain and |H| on many points, by scipy."""
    lo = band.lo if not (band.relative and band.lo == 0) else band.hi / 1000
    f = np.linspace(lo, band.hi, 10_000)
    H = ss.freqz(fir.taps, worN=f, fs=fir.fs)[1]
    gain = np.interp(f, (band.lo, band.hi), band.gain)
    return (np.abs(np.abs(H) - gain) / (gain if band.relative else 1.0)).max(), np.abs(H)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", SPECS)
def test_specification_is_met_as_reported(name, method):
    function, spec, fs = SPECS[name]
    fir = function(*spec, fs=fs, method=method)
    report = fir.report
    assert fir.fs == fs and report.meets and report.margin_db >= 0 and report.taps == fir.taps.size
    assert fir.origin == (fir.taps.size - 1) // 2
    assert report.delay == linear_phase(fir).delay  # exactly: the taps are symmetric to the last bit
    for band in report.bands:
        worst, _ = dense(fir, band)
        assert worst <= band.deviation * (1 + 1e-4)
        assert band.reached == pytest.approx(worst, rel=1e-3)
    assert "meets the specification" in str(report) and str(report) in str(fir)


@pytest.mark.parametrize("name", SPECS)
def test_no_shorter_length_meets_it(name):
    function, spec, fs = SPECS[name]
    best = function(*spec, fs=fs)
    parity = 1 if function in (hilbert, differentiator) else None
    for k in range(3, best.taps.size):
        if parity is not None and k % 2 != parity:
            continue
        with pytest.raises((RuntimeError, ValueError)):
            function(*spec, fs=fs, taps=k)
    again = function(*spec, fs=fs, taps=best.taps.size)
    assert again == best


def test_reported_decibels():
    fir = lowpass(0.1, 0.15, 0.5, 45)
    stop, passed = (dense(fir, b)[1] for b in fir.report.bands[::-1])
    assert fir.report.atten_db == pytest.approx(-20 * np.log10(stop.max()), abs=0.05)
    assert fir.report.ripple_db == pytest.approx(20 * np.log10(passed.max() / passed.min()), abs=0.01)
    assert fir.report.atten_db >= 45 and fir.report.ripple_db <= 0.5


def test_the_command_s_example():
    fir = lowpass(3000, 3400, atten_db=60, fs=44100)
    assert fir.report.atten_db >= 60 and 290 < fir.taps.size < 320


def test_agrees_with_remez_and_firwin():
    fir = lowpass(0.1, 0.15, 0.5, 45, taps=41)
    delta = (10 ** (0.5 / 20) - 1) / (10 ** (0.5 / 20) + 1)
    weights = np.array([1 / delta, 10 ** (45 / 20)])
    expected = ss.remez(41, [0, 0.1, 0.15, 0.5], [1, 0], weight=weights / weights.min(), fs=1)
    np.testing.assert_allclose(fir.taps, expected, atol=1e-9)
    windowed = lowpass(0.1, 0.2, 0.5, 40, method="window", window="hamming", taps=51)
    np.testing.assert_allclose(windowed.taps, ss.firwin(51, 0.15, window="hamming", fs=1, scale=False), atol=1e-15)
    kaiser = lowpass(0.1, 0.15, 0.5, 45, method="window")
    expected, beta = ss.kaiserord(45, 0.05 / 0.5)
    assert abs(kaiser.taps.size - expected) <= 6 and beta == ss.kaiser_beta(45)


def test_parity():
    odd, even, shortest = (lowpass(0.1, 0.15, 0.5, 45, parity=p) for p in ("odd", "even", "any"))
    assert odd.taps.size % 2 == 1 and odd.report.delay == 0 and linear_phase(odd, 1e-9).delay == 0
    assert even.taps.size % 2 == 0 and even.report.delay == 0.5
    assert shortest.taps.size == min(odd.taps.size, even.taps.size)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("parity", ["odd", "even"])
def test_hilbert_turns_by_minus_90_degrees(method, parity):
    fir = hilbert(0.06, 0.44, 0.2, method=method, parity=parity)
    f, H = frequency_response(fir, [0.1, 0.3])
    half = fir.report.delay
    np.testing.assert_allclose(H * np.exp(2j * np.pi * f * half), -1j, atol=0.03)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("parity", ["odd", "even"])
def test_differentiator_measures_the_slope(method, parity):
    fir = differentiator(40, fs=100.0, ripple_db=0.1, method=method, parity=parity)
    t = np.arange(200) / 100
    slope = fir(np.sin(2 * np.pi * 7 * t))[80:120]
    expected = 2 * np.pi * 7 * np.cos(2 * np.pi * 7 * (t[80:120] - fir.report.delay / 100))
    np.testing.assert_allclose(slope, expected, atol=0.01 * 2 * np.pi * 7)


@pytest.mark.parametrize("method", ["least-squares", "window"])
def test_arbitrary_slopes(method):
    fir = arbitrary([0, 20, 25, 50], [1, 0.5, 0, 0], [0.02, 0.01], fs=100, method=method)
    f, A = amplitude_response(FIR((fir.taps + fir.taps[::-1]) / 2, fir.origin, 100.0), np.linspace(0, 20, 50))
    np.testing.assert_allclose(A, 1 - f / 40, atol=0.02)


@pytest.mark.parametrize("method", METHODS)
def test_arbitrary_steps(method):
    fir = arbitrary([0, 0.1, 0.15, 0.25, 0.3, 0.5], [1, 1, 0.3, 0.3, 2, 2], 0.02, method=method, parity="odd")
    for lo, hi, gain in ((0, 0.1, 1), (0.15, 0.25, 0.3), (0.3, 0.5, 2)):
        np.testing.assert_allclose(np.abs(ss.freqz(fir.taps, worN=np.linspace(lo, hi, 99), fs=1)[1]), gain, atol=0.0201)


# ---- failure is loud ---------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("call", "match"), [
    (lambda: lowpass(0.1, 0.12, 0.1, 80, taps=21), r"(?s)missed the specification.*\d+\.\d+ dB"),
    (lambda: lowpass(0.1, 0.12, 0.1, 80, longest=50), r"(?s)the best of 2 lengths reached.*MISSES"),
    (lambda: lowpass(0.1, 0.12, method="window", window="boxcar", longest=200), r"(?s)missed.*relax a band"),
    (lambda: minimum_phase(lowpass(0.1, 0.2, 0.5, 40), tol=1e-16), "the magnitude differs by"),
])
def test_missed_specifications_raise_with_what_was_reached(call, match):
    with pytest.raises(RuntimeError, match=match):
        call()


@pytest.mark.parametrize("call", [
    lambda: hilbert(100, 5000, fs=11025), lambda: hilbert(0.02, 0.4, parity="even"),
    lambda: hilbert(100, 5000, fs=11025, method="least-squares"),
    lambda: bandpass((0.2, 0.3), (0.17, 0.46), 0.1, 60), lambda: bandstop((0.05, 0.4), (0.25, 0.38), 0.1, 60),
    lambda: arbitrary([0, 0.1, 0.12, 0.2, 0.45, 0.5], [0, 0, 1, 1, 0, 0], 0.005, method="equiripple"),
])
def test_nothing_rises_between_unequal_gaps(call):
    """remez answers a Hilbert transformer of 147 taps from 100 to 5,000 Hz with a gain of thousands at 5,300 Hz."""
    fir = call()
    H = np.abs(ss.freqz(fir.taps, worN=1 << 14)[1])
    assert fir.report.meets and H.max() < 1.5 * max(max(map(abs, b.gain)) + b.deviation for b in fir.report.bands)


def test_a_gain_that_rises_between_the_bands_is_a_failure(monkeypatch):
    monkeypatch.setattr("firconv.search.OVERSHOOT", 0.5)
    with pytest.raises(RuntimeError, match=r"did not converge .* between the bands the gain rises to 0\.\d* times"):
        lowpass(0.1, 0.15, 0.5, 45)


def test_designs_that_do_not_converge_raise(monkeypatch):
    def fails(*args, **keywords):
        raise ValueError("Failure to converge at iteration 25")

    monkeypatch.setattr(ss, "remez", fails)
    with pytest.raises(RuntimeError, match="did not converge at .* taps: Failure to converge at iteration 25"):
        lowpass(0.1, 0.15)


def test_a_design_that_converged_to_the_wrong_filter_raises(monkeypatch):
    remez = ss.remez
    monkeypatch.setattr(ss, "remez", lambda k, *a, **b: remez(k, *a, **b) * 1.1)
    with pytest.raises(RuntimeError, match="missed the specification"):
        lowpass(0.1, 0.15, longest=300)


@pytest.mark.parametrize(("call", "match"), [
    (lambda: lowpass(0.2, 0.1), "lowpass: edges 0.2, 0.1 are out of order"),
    (lambda: lowpass(0.1, 0.6), "lowpass: edge 0.6 lies beyond half the rate, fs/2 = 0.5"),
    (lambda: lowpass(0.1, 0.5), "lies beyond half the rate"),
    (lambda: lowpass(-0.1, 0.2), "must be above 0"),
    (lambda: lowpass(0.1, np.nan), "must be finite real numbers"),
    (lambda: lowpass("a", 0.2), "edges .* must be finite real numbers"),
    (lambda: lowpass(0.1, 0.2, fs="x"), r"fs='x'\): the rate is a positive number"),
    (lambda: lowpass(0.1, 0.2, method="window", window="foo"), "window='foo'.*get_window refuses it"),
    (lambda: window_2d(np.ones((5, 5)), "foo"), "window='foo'.*get_window refuses it"),
    (lambda: arbitrary([0, 0.1], [1, 1j], 0.1), "arbitrary: gains .* must be finite real numbers"),
    (lambda: arbitrary([0, 0.1], [1, 1], [0.1, 0.1]), "one or one per band"),
    (lambda: minimum_phase([1, 2, 1]), "real, 1-D taps"),
    (lambda: frequency_transformation([1, 2, 1]), "needs real, 1-D taps of odd length"),
    (lambda: lowpass(0.1j, 0.2), "must be finite real numbers"),
    (lambda: lowpass(0.1, 0.2, fs=-1), r"fs=-1\): the rate is a positive number"),
    (lambda: lowpass(0.1, 0.2, ripple_db=0), "the ripple is positive"),
    (lambda: lowpass(0.1, 0.2, atten_db=-60), "the attenuation is positive"),
    (lambda: lowpass(0.1, 0.2, method="magic"), r"method='magic'\): use one of equiripple"),
    (lambda: lowpass(0.1, 0.2, parity="prime"), r"parity='prime'\): use 'any', 'odd' or 'even'"),
    (lambda: lowpass(0.1, 0.2, taps=2), r"taps=2\): give an integer of at least 3"),
    (lambda: highpass(0.1, 0.2), "highpass: edges 0.2, 0.1 are out of order"),
    (lambda: highpass(0.3, 0.2, parity="even"), "no filter of even length can do this"),
    (lambda: highpass(0.3, 0.2, taps=20), "no filter of even length can do this"),
    (lambda: lowpass(0.1, 0.2, method="least-squares", parity="even"), "firls takes odd lengths only"),
    (lambda: hilbert(0.1, 0.5), "no filter of odd length can do this"),
    (lambda: bandpass((0.1, 0.2), (0.15, 0.3)), "bandpass: edges 0.15, 0.1, 0.2, 0.3 are out of order"),
    (lambda: bandpass(0.1, (0.15, 0.3)), "0.1 is not a pair of edges"),
    (lambda: bandstop((0.2, 0.3), (0.1, 0.4)), "bandstop: edges .* are out of order"),
    (lambda: arbitrary([0, 0.1], [1], 0.1), "2 edges and 1 gains; give two of each per band"),
    (lambda: arbitrary([0, 0.1], [1, 1], 0), "deviation=0"),
    (lambda: arbitrary([0, 0.2, 0.1, 0.5], [1, 1, 0, 0], 0.1), "arbitrary: edges .* are out of order"),
    (lambda: arbitrary([0, 0.1, 0.2, 0.5], [1, 0.5, 0, 0], 0.1, method="equiripple"), "bands of constant gain"),
    (lambda: minimum_phase(FIR([1.0, 2.0])), "symmetric or antisymmetric"),
    (lambda: minimum_phase(FIR(np.ones((3, 3)))), "real, 1-D taps"),
    (lambda: frequency_transformation(FIR([1.0, 1.0])), "needs real, 1-D taps of odd length"),
    (lambda: frequency_transformation(FIR([1.0]), [[1.0, 2.0]]), "it must be 2-D, of odd lengths, symmetric"),
    (lambda: frequency_sampling_2d(np.ones(4)), "a desired response is a 2-D array"),
    (lambda: frequency_sampling_2d(lambda f0, f1: f0), "needs shape="),
    (lambda: window_2d(np.ones((4, 4)), np.ones((3, 3))), r"shape \(3, 3\) does not fit the taps' \(4, 4\)"),
])
def test_bad_input(call, match):
    with pytest.raises(ValueError, match=match):
        call()


# ---- minimum phase -----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("parity", ["odd", "even"])
def test_minimum_phase_keeps_the_full_magnitude(parity):
    linear = lowpass(0.1, 0.14, 0.2, 55, parity=parity)
    fast = minimum_phase(linear)
    w = np.linspace(0, np.pi, 3000)
    was, now = (np.abs(ss.freqz(h.taps, worN=w)[1]) for h in (linear, fast))
    assert np.abs(was - now).max() < 1e-5
    assert np.abs(np.roots(fast.taps)).max() < 1 + 1e-3 and fast.origin == 0
    assert group_delay(fast, [0.01])[1][0] < 0.6 * (linear.taps.size - 1) / 2
    assert fast.report.delay is None and fast.report.meets and "minimum phase" in str(fast.report)
    assert np.cumsum(fast.taps**2)[10] > np.cumsum(linear.taps**2)[10]
    assert minimum_phase(FIR([0.25, 0.5, 0.25])).report is None


# ---- two dimensions ----------------------------------------------------------------------------------------------

def ring(n):
    """The band-pass ring of MATLAB's fsamp2 and fwind1 documentation, freqspace(n, 'meshgrid')."""
    f = (np.arange(n) - n // 2) * 2 / n
    r = np.hypot(f[:, None], f)
    return ((r >= 0.1) & (r <= 0.5)).astype(float)


def test_fsamp2_passes_through_its_samples():
    fir = frequency_sampling_2d(ring(21))
    (f0, _), H = frequency_response(fir, n=21)
    np.testing.assert_allclose(H, ring(21), atol=1e-13)
    assert fir.taps.dtype == float and np.allclose(fir.taps, np.rot90(fir.taps, 2))
    same = frequency_sampling_2d(lambda a, b: (np.hypot(a, b) >= 0.05) & (np.hypot(a, b) <= 0.25), 21)
    assert np.array_equal(same.taps, fir.taps)
    even = frequency_sampling_2d(ring(16))
    np.testing.assert_allclose(frequency_response(even, n=16)[1], ring(16), atol=1e-13)
    skew = frequency_sampling_2d(np.where(np.arange(5) > 2, 1.0, 0.0)[:, None] * np.ones(5))
    assert skew.taps.dtype == complex


def test_fwind1_is_the_samples_under_the_rotated_window():
    fir = window_2d(ring(21), "hamming")
    t = np.linspace(-1, 1, 21)
    radius = np.hypot(t[:, None], t)
    hamming = np.hamming(21)
    expected = np.where(radius <= 1 + 1e-12, np.interp(radius, t, hamming), 0)
    np.testing.assert_allclose(fir.taps, frequency_sampling_2d(ring(21)).taps * expected, atol=1e-15)
    pair = window_2d(ring(21), (hamming, np.bartlett(21)))
    outer = np.outer(hamming, np.bartlett(21))
    np.testing.assert_allclose(pair.taps, frequency_sampling_2d(ring(21)).taps * outer, atol=1e-15)
    kaiser = window_2d(ring(21), ss.windows.kaiser(21, 4.0))
    np.testing.assert_allclose(window_2d(ring(21), ("kaiser", 4.0)).taps, kaiser.taps)
    np.testing.assert_allclose(window_2d(ring(21), expected).taps, fir.taps)


def test_ftrans2_of_the_documentation():
    """firpm(10, [0 .05 .15 .55 .65 1], [0 0 1 1 0 0]) rotated: the axes carry the 1-D response."""
    b = FIR(ss.remez(11, np.array([0, 0.05, 0.15, 0.55, 0.65, 1]) / 2, [0, 1, 0], fs=1), "center")
    b = FIR((b.taps + b.taps[::-1]) / 2, 5)
    fir = frequency_transformation(b)
    assert fir.shape == (11, 11) and fir.origin == (5, 5)
    f = np.linspace(-0.5, 0.5, 41)
    _, one = amplitude_response(b, f)
    _, plane = amplitude_response(FIR((fir.taps + np.flip(fir.taps)) / 2, fir.origin), (f, f))
    np.testing.assert_allclose(plane[20], one, atol=1e-13)
    np.testing.assert_allclose(plane[:, 20], one, atol=1e-13)
    u, v = np.cos(2 * np.pi * f)[:, None], np.cos(2 * np.pi * f)
    mapped = np.arccos(np.clip((u + v + u * v - 1) / 2, -1, 1)) / (2 * np.pi)
    np.testing.assert_allclose(plane, amplitude_response(b, mapped)[1], atol=1e-12)


def test_rotational_design_meets_its_specification_all_around():
    fir = frequency_transformation(lowpass(0.1, 0.2, 0.5, 40, parity="odd"))
    angle = np.linspace(0, np.pi / 2, 7)
    for r, low, high in ((0.08, 0.97, 1.03), (0.22, -0.011, 0.011)):
        exact = FIR((fir.taps + np.flip(fir.taps)) / 2, fir.origin)
        A = [amplitude_response(exact, (r * np.cos(a), r * np.sin(a)))[1] for a in angle]
        assert low < np.min(A) and np.max(A) < high


def test_other_transforms_and_separable():
    with pytest.raises(TypeError, match=r"separable\(\[1, 2\], …\): give an FIR"):
        separable([1, 2])
    rows, columns = FIR([1.0, 2, 1], 1), FIR([1.0, 0, -1], 1)
    both = separable(rows, columns)
    (f0, f1), H = frequency_response(both, n=9)
    one, two = frequency_response(rows, f0)[1], frequency_response(columns, f1)[1]
    np.testing.assert_allclose(H, np.multiply.outer(one, two), atol=1e-14)
    assert separable(rows) == rows.outer(rows)
    diagonal = np.array([[0.5, 0, 0], [0, 0, 0], [0, 0, 0.5]])  # cos(ω₀ + ω₁)
    fir = frequency_transformation(FIR([1.0, 2, 1], 1), diagonal)
    (f0, f1), H = frequency_response(fir, n=8)
    np.testing.assert_allclose(H, 2 + 2 * np.cos(2 * np.pi * (f0[:, None] + f1)), atol=1e-13)


def test_public_names():
    assert all(hasattr(design, name) for name in design.__all__)
