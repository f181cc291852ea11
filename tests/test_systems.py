"""FIR and IIR systems: the algebra's laws, linear maps and their adjoints, scipy's filters, bad input."""

import copy
import pickle

import numpy as np
import pytest
import scipy.signal as ss
from hypothesis import given
from hypothesis import strategies as st

import firconv
from firconv.response import frequency_response
from firconv.systems import FIR, IIR, delta

RNG = np.random.default_rng(25)


@st.composite
def firs(draw, ndim=None, dtype=None):
    """A small FIR with any origin, also outside its taps; integer taps make every law exact."""
    ndim = draw(st.integers(1, 2)) if ndim is None else ndim
    shape = [draw(st.integers(1, 5)) for _ in range(ndim)]
    taps = np.array(draw(st.lists(st.integers(-9, 9), min_size=int(np.prod(shape)), max_size=int(np.prod(shape)))))
    if draw(st.booleans()) and dtype is None:
        taps = taps * (1 + 2j)
    return FIR(taps.reshape(shape), [draw(st.integers(-6, 8)) for _ in range(ndim)])


def test_the_plan_of_a_system_is_that_of_its_call():
    x, smooth = RNG.standard_normal((40, 30)), FIR(RNG.standard_normal((3, 4)), (1, 2))
    found = smooth.plan(x, boundary="reflect", down=2)
    np.testing.assert_array_equal(found(x), smooth(x, boundary="reflect", down=2))
    assert smooth.plan(((40, 30), "f4"), "valid").shape == (38, 27)


def pairs(count=2):
    """Systems of equal dimension."""
    return st.integers(1, 2).flatmap(lambda d: st.tuples(*[firs(d)] * count))


def signal_for(fir):
    return RNG.integers(-9, 9, size=(7, 6)[:fir.ndim])


REACH = 30


def everywhere(fir, x, reach=REACH, **keywords):
    """The output at all positions where small systems make anything of the signal."""
    return fir(x, [(-reach, reach)] * fir.ndim, **keywords)


def same(y, z):
    """Integers equal; complex ones, which the engine may sum in another order, to rounding."""
    return np.array_equal(y, z) if y.dtype.kind == z.dtype.kind == "i" else np.allclose(y, z, rtol=0, atol=1e-9)


# ---- value -------------------------------------------------------------------------------------------------------

def test_is_immutable_and_hashable():
    source = np.array([1.0, 2.0])
    fir = FIR(source, 1)
    source[0] = 5
    assert fir.taps[0] == 1
    with pytest.raises(ValueError, match="read-only"):
        fir.taps[0] = 3
    with pytest.raises(AttributeError):
        fir.origin = 0
    assert len({fir, FIR([1.0, 2.0], 1), FIR([1.0, 2.0], 0), FIR([1.0, 2.0], 1, fs=2.0)}) == 3
    assert fir != FIR([1, 2], 1) and fir != "fir"
    assert FIR([0.0, 1.0]) == FIR([-0.0, 1.0]) and hash(FIR([0.0, 1.0])) == hash(FIR([-0.0, 1.0]))


@pytest.mark.parametrize("system", [FIR([1, 2, 3], 1, 2.0), FIR(np.ones((2, 3)), (0, 1)), IIR([1.0], [1.0, -0.5], 3.0)])
def test_copies_and_pickles(system):
    for twin in (pickle.loads(pickle.dumps(system)), copy.deepcopy(system)):
        assert twin == system and hash(twin) == hash(system)


def test_shows_itself():
    assert repr(FIR([1, 2], 1)) == "FIR([1, 2], origin=1, fs=1)"
    assert str(FIR(np.ones((3, 5)), (1, 2), 8.0)) == "FIR, 3×5 taps (float64), origin (1, 2), fs 8"
    assert "stable" in str(IIR([1.0], [1.0, -0.5])) and "UNSTABLE" in str(IIR([1.0], [1.0, -1.5]))
    assert eval(repr(IIR([1.0, 0.3], [1.0, -0.5]))) == IIR([1.0, 0.3], [1.0, -0.5])


def test_bool_taps_count_as_integers():
    assert FIR([True, False]).taps.dtype == np.int64


@pytest.mark.parametrize(("preset", "even", "odd"), [
    ("numpy", 1, 1), ("scipy", 1, 1), ("scipy2d", 1, 1), ("opencv", 1, 1), ("ndimage", 2, 1), ("torch", 2, 1),
    ("matlab", 2, 1), ("causal", 0, 0)])
def test_origin_presets(preset, even, odd):
    assert FIR(np.ones(4), preset).origin == even
    assert FIR(np.ones((4, 3)), preset).origin == (even, odd)
    x = RNG.normal(size=9)
    taps = RNG.normal(size=4)
    assert np.array_equal(FIR(taps, preset)(x), firconv.convolve(x, taps, "same", origin=preset))


# ---- laws --------------------------------------------------------------------------------------------------------

@given(pairs())
def test_series_is_one_after_the_other(ab):
    a, b = ab
    x = signal_for(a)
    inner = everywhere(b, x)  # position t of it is sample t + REACH
    assert same(a(inner, [(10, 50)] * a.ndim), (a @ b)(x, [(10 - REACH, 50 - REACH)] * a.ndim))


@given(pairs(3))
def test_algebra(abc):
    a, b, c = abc
    assert a @ b == b @ a and (a @ b) @ c == a @ (b @ c)
    assert (a + b).crop() == (b + a).crop() and ((a + b) + c).crop() == (a + (b + c)).crop()
    assert (a @ (b + c)).crop() == (a @ b + a @ c).crop()
    assert (2 * a).crop() == (a + a).crop() == (a * 2).crop() and not (a - a).taps.any()
    assert -a == -1 * a and (a / 1).taps.dtype.kind in "fc"
    one = delta(a.ndim)
    assert (one @ a).crop() == a.crop() and a**0 == a**0 @ one and a**3 == a @ a @ a and a**1 == a


@given(pairs())
def test_parallel_is_the_sum_of_outputs(ab):
    a, b = ab
    x = signal_for(a)
    assert same(everywhere(a + b, x), everywhere(a, x) + everywhere(b, x))
    assert same(everywhere(a - b, x), everywhere(a, x) - everywhere(b, x))


@given(pairs())
def test_adjoint_and_flip(ab):
    a, b = ab
    assert a.H.H == a and a.flip().flip() == a and (a @ b).H == a.H @ b.H
    x, y = signal_for(a), signal_for(a) * (1 - 1j)
    assert abs(np.vdot(a(x), y) - np.vdot(x, a.H(y))) < 1e-9
    assert same(a.H(x), firconv.correlate(x, a.taps, "same", origin=a.origins))


@given(firs(), st.integers(-5, 5))
def test_delay_is_a_shift(a, n):
    x = signal_for(a)
    later = a.delay(n)(x, [(n - REACH, n + REACH)] * a.ndim)
    assert same(later, everywhere(a, x))
    assert a.delay(n).delay(-n) == a and a.delay(n) == a @ delta(a.ndim).delay(n)


@given(firs(), st.integers(1, 4))
def test_polyphase_is_by_displacement(a, m):
    phases = a.polyphase(m)
    assert len(phases) == m**a.ndim
    total = None
    for p, e in zip(np.ndindex(*(m,) * a.ndim), phases, strict=True):
        part = e.dilate(m).delay(p)
        total = part if total is None else total + part
    assert total.crop() == a.crop()


@given(firs(1), st.integers(1, 4))
def test_decimator_is_the_sum_of_its_phases(a, m):
    """y[m·n] = Σₚ (eₚ ∗ x[m·n − p]): every phase runs at the low rate."""
    x = signal_for(a)
    padded = np.pad(x, 10 * m)  # sample t of x is sample t + 10·m
    parts = [e(padded[m - p:][::m], (9, 13)) for p, e in enumerate(a.polyphase(m))]
    assert same(sum(parts), a(x, (0, 4 * m), down=m))


@given(pairs(), st.integers(1, 3))
def test_dilate_is_the_keyword(ab, d):
    a, b = ab
    x = signal_for(a)
    assert same(everywhere(a.dilate(d), x), everywhere(a, x, dilation=d))
    assert (a @ b).dilate(d) == a.dilate(d) @ b.dilate(d)


@given(firs(1), firs(1), firs(1), firs(1))
def test_outer_is_separable(a, b, c, d):
    x = RNG.integers(-9, 9, size=(5, 6))
    both = a.outer(b)
    assert same(both(x), b(a(x, axes=0), axes=1))
    assert both.H == a.H.outer(b.H) and (a @ c).outer(b @ d) == a.outer(b) @ c.outer(d)


@given(firs(), st.sampled_from([0.0, 0.1, 0.5]))
def test_crop_drops_little(a, tol):
    small = a.crop(tol)
    dropped = (a - small).taps
    assert np.abs(dropped).max() <= tol * np.abs(a.taps).max()
    assert a.crop(0) == a.crop(0).crop(0)


def test_same_is_exact_for_even_lengths():
    x = RNG.normal(size=12)
    fir = FIR(RNG.normal(size=4), 2)
    assert np.array_equal(fir(x), fir(x, "full")[2:14])
    assert fir.H.origin == 1


def test_results_keep_their_type():
    assert (FIR([1, 2]) @ FIR([3, 4])).taps.dtype == np.int64
    assert (np.float64(2) * FIR([1, 2])).taps.dtype == np.float64
    assert FIR(np.array([1, 2], np.float32))(np.ones(4, np.float32)).dtype == np.float32


# ---- zero phase --------------------------------------------------------------------------------------------------

def test_zero_phase_by_the_origin():
    x = RNG.normal(size=64)
    lowpass = ss.firwin(21, 0.3)
    for origin in (0, 3, 10, 25):
        y = FIR(lowpass, origin).zero_phase(x)
        np.testing.assert_allclose(y, firconv.convolve(x, lowpass, "same"), atol=1e-14)


@pytest.mark.parametrize("taps", [
    RNG.normal(size=6), RNG.normal(size=5), np.ones(4), [1.0, 0, -1], RNG.normal(size=(3, 4))])
def test_zero_phase_forward_and_back(taps):
    fir = FIR(taps)
    x = RNG.normal(size=(40,) * fir.ndim)
    back = fir.H(fir(x, "full"), [(0, n) for n in x.shape])  # origin 0: "full" starts at position 0
    np.testing.assert_allclose(fir.zero_phase(x), back, atol=1e-12)
    np.testing.assert_allclose(fir.zero_phase(x), fir.zero_phase(x, method="twice"), atol=0)


def test_zero_phase_can_be_forced():
    fir, x = FIR([1.0, 2, 1]), RNG.normal(size=20)
    np.testing.assert_allclose(fir.zero_phase(x, method="twice"), (fir.H @ fir)(x), atol=1e-13)
    np.testing.assert_allclose(fir.zero_phase(x, "wrap"), FIR([1.0, 2, 1], 1)(x, "same", "wrap"), atol=1e-13)
    np.testing.assert_allclose(FIR(np.zeros(3)).zero_phase(x), 0)


# ---- linear maps -------------------------------------------------------------------------------------------------

BOUNDARIES = ["zero", "edge", "symmetric", "reflect", "wrap", "antisymmetric", "antireflect", "omit", ("edge", "wrap"),
              ("omit", "reflect")]


def agree(fir, shape, mode, boundary, **keywords):
    """Matrix, operator and call agree, and both adjoints pass the dot test; None where the call is refused."""
    try:
        A = fir.operator(shape, mode, boundary, **keywords)
    except ValueError as error:
        assert "valid" in str(error) or "omit" in str(error)
        return None
    x, y = (RNG.normal(size=n) + 1j * RNG.normal(size=n) for n in A.shape[::-1])
    M = fir.matrix(shape, mode, boundary, **keywords)
    direct = fir(x.reshape(shape), mode, boundary, **keywords).ravel()
    scale = 50 * np.abs(fir.taps).sum() + np.abs(direct).max()
    np.testing.assert_allclose(M @ x, direct, atol=1e-13 * scale)
    np.testing.assert_allclose(A @ x, direct, atol=1e-13 * scale)
    np.testing.assert_allclose(A.H @ y, M.conj().T @ y, atol=1e-12 * scale)
    assert abs(np.vdot(A @ x, y) - np.vdot(x, A.H @ y)) < 1e-12 * scale * y.size
    return A


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("mode", ["full", "same", "valid", (-3, 6)])
def test_dot_test_of_every_combination(mode, boundary):
    done = 0
    for n, k, origin in ((5, 3, 1), (4, 7, 2), (1, 4, 0), (9, 4, -3)):
        for up, down, dilation in ((1, 1, 1), (1, 2, 1), (2, 1, 1), (3, 2, 1), (1, 1, 3), (2, 3, 2)):
            for j in (0, 1j):
                fir = FIR(RNG.uniform(0.5, 1.5, k) + j * RNG.normal(size=k) / 3, origin)
                done += agree(fir, (n,), mode, boundary, up=up, down=down, dilation=dilation) is not None
    assert done >= 4


@pytest.mark.parametrize("mode", ["full", "same", "valid", [(-1, 4), "same"]])
@pytest.mark.parametrize("boundary", [
    "zero", "omit", ["wrap", "antireflect"], [("edge", "zero"), "symmetric"], "reflect"])
def test_dot_test_in_two_dimensions(mode, boundary):
    for keywords in ({}, {"up": (1, 2), "down": (2, 1)}, {"dilation": (1, 2)}):
        agree(FIR(RNG.uniform(0.5, 1.5, (3, 4)), (1, 3)), (6, 7), mode, boundary, **keywords)
    agree(FIR(RNG.uniform(0.5, 1.5, (2, 3, 2)), (0, 1, 1)), (3, 4, 5), mode if isinstance(mode, str) else "same",
          boundary if isinstance(boundary, (str, tuple)) else "wrap")


def test_adjoint_of_large_signals_takes_strips(monkeypatch):
    monkeypatch.setattr("firconv.operators.SMALL", 0)
    for boundary in ("reflect", ["wrap", "antireflect"], [("edge", "zero"), "symmetric"], "omit"):
        for keywords in ({}, {"down": 2, "dilation": (1, 2)}, {} if boundary == "omit" else {"up": 2, "down": 3}):
            assert agree(FIR(RNG.uniform(0.5, 1.5, (3, 4)), (1, 3)), (6, 7), "same", boundary, **keywords) is not None
    assert agree(FIR(RNG.uniform(0.5, 1.5, (2, 3, 2)), (0, 1, 1)), (3, 4, 5), "same", "symmetric") is not None
    for origin in ((-3, 9), (40, -30)):  # taps far away from the samples: some ends are never read, others always
        for boundary in ("wrap", "reflect", ("edge", "zero")):
            for mode in ("same", [(-9, 4), (2, 30)]):
                assert agree(FIR(RNG.uniform(0.5, 1.5, (3, 4)), origin), (6, 7), mode, boundary) is not None


def test_the_adjoint_of_a_circular_filter_is_one():
    fir, y = FIR(RNG.normal(size=(3, 4)), (1, 3)), RNG.normal(size=(6, 7))
    np.testing.assert_array_equal(fir.operator((6, 7), boundary="wrap").rmatvec(y.ravel()).reshape(6, 7),
                                  fir.H(y, boundary="wrap"))


def test_matrix_is_toeplitz_or_circulant():
    fir = FIR([1, 2, 3], 1)
    from scipy.linalg import circulant, toeplitz

    np.testing.assert_array_equal(fir.matrix(5).toarray(), toeplitz([2, 3, 0, 0, 0], [2, 1, 0, 0, 0]))
    np.testing.assert_array_equal(fir.matrix(5, boundary="wrap").toarray(), circulant([2, 3, 0, 0, 1]))
    np.testing.assert_array_equal(fir.matrix(5, "full").toarray(), ss.convolve(np.eye(5), [[1], [2], [3]]).round())
    assert fir.matrix(5).dtype.kind == "i" and fir.matrix(3, boundary="omit").dtype.kind == "f"
    assert fir.matrix(3, (40, 44)).nnz == 0


def test_matrix_singular_values_of_the_literature():
    """Sedghi, Gupta, Long, ICLR 2019, as recomputed in the syllabus."""
    laplace = firconv.filters.laplacian()
    assert np.linalg.norm(laplace.matrix((8, 8), boundary="wrap").toarray(), 2) == pytest.approx(8)
    s = np.linalg.svd(laplace.matrix((8, 8)).toarray(), compute_uv=False)
    assert s[0] == pytest.approx(7.758770483143634) and s[-1] == pytest.approx(0.2412295168563663)


def test_operator_solves_with_scipy():
    from scipy.sparse.linalg import lsqr

    blur = firconv.filters.gaussian(0.6, 2)
    x = RNG.normal(size=(12, 13))
    A = blur.operator(x.shape, boundary="symmetric")
    assert A.dtype == float and A.shape == (156, 156)
    found = lsqr(A, A @ x.ravel(), atol=1e-14, btol=1e-14, iter_lim=2000)[0]
    np.testing.assert_allclose(found.reshape(x.shape), x, atol=1e-6)
    columns = blur.matrix(x.shape, boundary="symmetric").toarray()[:, :3]
    np.testing.assert_allclose(A @ np.eye(156)[:, :3], columns, atol=1e-15)
    assert blur.operator(x.shape, dtype=np.float32).dtype == float
    single = FIR(np.ones(2, np.float32)).operator(5, dtype=np.float32)
    assert single.dtype == np.float32 and (single @ x[0, :5]).dtype == np.float32


# ---- IIR ---------------------------------------------------------------------------------------------------------

SYSTEMS = {
    "one pole": ([1.0], [1.0, -0.5]),
    "resonance": ([1.0, 0.2], [1.0, -1.2, 0.81]),
    "delayed": ([0.0, 0.0, 1.0, 3.0], [1.0, 0.3]),
    "unnormalised": ([2.0, 1.0, 0.5, 0.25], [4.0, 1.0, 0.0, -0.5]),
    "FIR": ([1.0, -2.0, 0.5], [1.0]),
    "butter": ss.butter(4, 0.3),
    "ellip": ss.ellip(5, 1, 40, 0.4),
}


@pytest.mark.parametrize("name", SYSTEMS)
def test_iir_is_lfilter(name):
    b, a = SYSTEMS[name]
    iir, x = IIR(b, a), RNG.normal(size=(3, 80))
    np.testing.assert_allclose(iir(x), ss.lfilter(b, a, x), atol=1e-10)
    np.testing.assert_allclose(iir(x.T, axis=0).T, ss.lfilter(b, a, x), atol=1e-10)
    whole = ss.lfilter(b, a, np.pad(x, ((0, 0), (5, 20))))
    np.testing.assert_allclose(iir(x, (-5, 100)), whole, atol=1e-10)
    np.testing.assert_allclose(iir(x, (90, 95)), whole[:, 95:100], atol=1e-10)


def test_iir_of_sections_and_roots():
    z, p, k = ss.butter(5, 0.2, output="zpk")
    x = RNG.normal(size=60)
    expected = ss.lfilter(*ss.butter(5, 0.2), x)
    for iir in (IIR.from_zpk(z, p, k), IIR.from_sos(ss.butter(5, 0.2, output="sos"))):
        np.testing.assert_allclose(iir(x), expected, atol=1e-11)
        np.testing.assert_allclose(np.sort(np.abs(iir.poles)), np.sort(np.abs(p)), atol=1e-8)
        np.testing.assert_allclose(iir.zeros, -np.ones(5), atol=2e-2)  # a five-fold root
        assert iir.stable and iir.causal
    _, y = ss.dlsim(ss.dlti([0.5], [0.3, -0.2], 2.0, dt=True), x)
    np.testing.assert_allclose(IIR.from_zpk([0.5], [0.3, -0.2], 2.0)(x), y[:, 0], atol=1e-12)


@pytest.mark.parametrize(("z", "p"), [
    ([], [0.5]), ([0.2], []), ([0, 0.1], [0.5, -0.3]), ([0.0], [0.5, 0.0, 0.2]), ([], [])])
def test_iir_keeps_the_roots_at_zero(z, p):
    iir = IIR.from_zpk(z, p, 3.0)
    cancelled = min(list(z).count(0), list(p).count(0))
    assert len(iir.zeros) == len(z) - cancelled and len(iir.poles) == len(p) - cancelled
    f, H = frequency_response(iir, n=7)
    np.testing.assert_allclose(H, ss.freqz_zpk(z, p, 3.0, worN=2 * np.pi * f)[1], atol=1e-13)


def test_iir_that_is_not_causal():
    iir = IIR([1.0, 0.5], [0.0, 1.0])  # y[n − 1] = x[n] + x[n − 1]/2
    assert not iir.causal and iir.lag == -1
    np.testing.assert_allclose(iir([1.0, 2.0, 4.0]), [2.5, 5.0, 2.0])
    assert iir.truncate().origin == 1


def test_iir_algebra():
    a, b = IIR([1.0, 0.3], [1.0, -0.5]), IIR([2.0], [1.0, 0.1, 0.4]).delay(2)
    f = FIR([1.0, 2.0, 1.0], 1)
    x, w = RNG.normal(size=50), (-3, 60)
    np.testing.assert_allclose((a @ b)(x, w), a(b(x, (-3, 60)), (0, 63)), atol=1e-12)
    np.testing.assert_allclose((a + b)(x, w), a(x, w) + b(x, w), atol=1e-12)
    np.testing.assert_allclose((a - b)(x, w), a(x, w) - b(x, w), atol=1e-12)
    np.testing.assert_allclose((-2 * a)(x, w), -2 * a(x, w), atol=1e-12)
    np.testing.assert_allclose((f @ a)(x, w), (a @ f)(x, w), atol=1e-12)
    np.testing.assert_allclose((f @ a)(x, w), a(f(x, (-3, 60)), (0, 63)), atol=1e-12)
    np.testing.assert_allclose((f + a)(x, w), f(x, w) + a(x, w), atol=1e-12)
    np.testing.assert_allclose((a + f)(x, w), f(x, w) + a(x, w), atol=1e-12)
    np.testing.assert_allclose((f - a)(x, w), f(x, w) - a(x, w), atol=1e-12)
    np.testing.assert_allclose((a - f)(x, w), a(x, w) - f(x, w), atol=1e-12)
    np.testing.assert_allclose((b**2)(x, w), (b @ b)(x, w), atol=1e-12)
    np.testing.assert_allclose((a / 4)(x, w), a(x, w) / 4, atol=1e-12)
    np.testing.assert_array_equal((a**0)(x), x)


def test_iir_zero_phase():
    sos, x = ss.butter(3, 0.2, output="sos"), RNG.normal(size=90)
    np.testing.assert_allclose(IIR.from_sos(sos).delay(3).zero_phase(x), ss.sosfiltfilt(sos, x), atol=1e-12)


@pytest.mark.parametrize("name", SYSTEMS)
@pytest.mark.parametrize("tol", [1e-3, 1e-8, 1e-14])
def test_truncation_keeps_its_bound(name, tol):
    iir = IIR(*SYSTEMS[name])
    fir = iir.truncate(tol)
    long = iir(np.eye(1, 4000)[0], (iir.lag, iir.lag + 4000))
    energy = np.sum(long**2)
    missing = np.sum(long[fir.taps.size:] ** 2) / energy
    assert missing <= tol and missing <= fir.report.missing * (1 + 1e-6) + 1e-17 and fir.report.missing <= tol
    shorter = np.sum(long[fir.taps.size - 1:] ** 2) / energy
    assert fir.taps.size == 1 or shorter > tol * (1 - 1e-6), "a shorter one would do"
    np.testing.assert_allclose(fir.taps, long[:fir.taps.size], atol=1e-13)
    assert fir.origin == -iir.lag


def test_the_worked_problem():
    """The boxcar through (1/2)ⁿ: values of the syllabus, exactly."""
    y = IIR([1.0], [1.0, -0.5])(np.ones(7), (-6, 13))
    assert y[:6].tolist() == [0.0] * 6
    assert y[6:].tolist() == [1, 1.5, 1.75, 1.875, 1.9375, 1.96875, 1.984375, 0.9921875, 0.49609375, 0.248046875,
                              0.1240234375, 0.06201171875, 0.031005859375]


# ---- bad input ---------------------------------------------------------------------------------------------------

ONE, TWO = FIR([1.0, 2.0]), FIR(np.ones((2, 2)))


@pytest.mark.parametrize(("call", "error", "match"), [
    (lambda: FIR([]), ValueError, r"shape \(0,\) holds no taps"),
    (lambda: FIR(3.0), ValueError, r"shape \(\) holds no taps"),
    (lambda: FIR([1.0, np.nan]), ValueError, "taps must be finite"),
    (lambda: FIR(["a"]), TypeError, "is not a number type"),
    (lambda: FIR([1], fs=0), ValueError, "0 is not a rate"),
    (lambda: FIR([1], fs="8"), ValueError, "'8' is not a rate"),
    (lambda: FIR([1], "middle"), ValueError, "no such preset; use 'center' or one of numpy"),
    (lambda: FIR([1, 2], "center"), ValueError, "have no middle tap"),
    (lambda: FIR([1, 2], 0.5), ValueError, r"origin=0.5: give one integer for each of the 1 axes"),
    (lambda: FIR(np.ones((2, 2)), 1), ValueError, "origin=1: give one integer for each of the 2 axes"),
    (lambda: ONE @ FIR([1.0], fs=2), ValueError, r"a @ b: the systems run at fs=1 and fs=2"),
    (lambda: ONE + FIR([1.0], fs=2), ValueError, r"a \+ b: the systems run at fs=1 and fs=2"),
    (lambda: ONE @ TWO, ValueError, "have 1 and 2 dimensions"),
    (lambda: ONE.outer(FIR([1.0], fs=2)), ValueError, r"a.outer\(b\): fs=1 and fs=2 differ"),
    (lambda: ONE ** -1, ValueError, r"fir \*\* -1: the power"),
    (lambda: ONE ** 0.5, ValueError, r"fir \*\* 0.5: the power"),
    (lambda: ONE / 0, ValueError, "fir / 0: the gain is zero"),
    (lambda: ONE.outer([1]), TypeError, r"a.outer\(\[1\]\): give an FIR"),
    (lambda: ONE.matrix(4.5), ValueError, r"matrix\(shape=4.5\): give one positive length"),
    (lambda: ONE.matrix("a"), ValueError, r"matrix\(shape='a'\): give one positive length"),
    (lambda: IIR([1.0]) / 0, ValueError, "iir / 0: the gain is zero"),
    (lambda: IIR([1.0]) ** -1, ValueError, r"iir \*\* -1: the power"),
    (lambda: IIR([1.0])([]), ValueError, r"iir\(x\): float64 of shape \(0,\) holds no samples"),
    (lambda: IIR([1.0])("abc"), ValueError, r"iir\(x\): .* holds no samples"),
    (lambda: IIR([1.0]) - 3, TypeError, "unsupported operand"),
    (lambda: ONE.dilate(0), ValueError, r"dilate\(0\): the factor is at least 1"),
    (lambda: ONE.polyphase(0), ValueError, r"polyphase\(0\): the factor is at least 1"),
    (lambda: TWO.delay([1]), ValueError, r"delay=\[1\]: give one integer for each of the 2 axes"),
    (lambda: ONE.crop(1.0), ValueError, r"crop\(1.0\): the tolerance is relative"),
    (lambda: ONE.zero_phase([1.0], method="best"), ValueError, r"zero_phase\(method='best'\)"),
    (lambda: ONE.zero_phase([1.0], method="origin"), ValueError, "not symmetric about a tap"),
    (lambda: ONE.matrix((3, 3)), ValueError, r"matrix\(shape=\(3, 3\)\): give one positive length"),
    (lambda: ONE.operator(0), ValueError, r"operator\(shape=0\): give one positive length"),
    (lambda: ONE.matrix(3, boundary=("constant", 2.0)), ValueError, "affine, not linear"),
    (lambda: ONE.operator(3, boundary=("constant", 2.0)), ValueError, "affine, not linear"),
    (lambda: ONE.operator(3, dtype=int), ValueError, "a linear operator works on floats"),
    (lambda: ONE @ 2, TypeError, "unsupported operand"),
    (lambda: ONE * [1, 2], TypeError, "multiply"),
    (lambda: IIR([]), ValueError, r"IIR\(b, a\): b=\[\]; give real, finite"),
    (lambda: IIR([0.0]), ValueError, "not all zero"),
    (lambda: IIR([1.0], [0.0]), ValueError, r"IIR\(b, a\): a=\[0.0\]"),
    (lambda: IIR([1j]), ValueError, "give real, finite"),
    (lambda: IIR([1.0], fs=-1), ValueError, "-1 is not a rate"),
    (lambda: IIR.from_zpk([1j], [], 1.0), ValueError, "come in conjugate pairs"),
    (lambda: IIR.from_zpk([], [0.5], 0.0), ValueError, "the gain is a real number, not zero"),
    (lambda: IIR.from_sos([1, 2, 3]), ValueError, "give real, finite rows of six"),
    (lambda: IIR.from_sos([[1, 0, 0, 0, 1, 0]]), ValueError, "a section has a₀ = 0"),
    (lambda: IIR.from_fir(FIR(np.ones(65))), ValueError, "up to 64 taps"),
    (lambda: IIR([1.0])([1.0], "full"), ValueError, "a full response never ends"),
    (lambda: IIR([1.0])([1.0], boundary="wrap"), ValueError, "only 'zero' is defined"),
    (lambda: IIR([1.0], [1.0, -1.0]).truncate(), ValueError, "truncate: the system is unstable"),
    (lambda: IIR([1.0], [1.0, -1.5]).zero_phase([1.0]), ValueError, "zero_phase: the system is unstable"),
    (lambda: IIR([1.0]).truncate(0), ValueError, r"truncate\(0\): the tolerance"),
    (lambda: IIR([1.0], [1.0, -1 + 1e-9]).truncate(), ValueError, "more than 4,194,304 taps"),
    (lambda: IIR([1.0]) @ IIR([1.0], fs=3), ValueError, "a @ b: the systems run at fs=1 and fs=3"),
])
def test_bad_input(call, error, match):
    with pytest.raises(error, match=match):
        call()


def test_iir_is_immutable():
    iir = IIR([1.0], [1.0, -0.5])
    with pytest.raises(AttributeError, match="IIR is immutable"):
        iir.fs = 2.0
    with pytest.raises(ValueError, match="read-only"):
        iir.sos[0, 0] = 2
