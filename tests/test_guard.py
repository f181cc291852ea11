"""The guard and the repair of the Fourier kernel, on data made to break them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from firconv.kernels import fourier, guard

TAU = {"f": 1e-4, "d": 1e-10, "F": 1e-4, "D": 1e-10}
rng = np.random.default_rng(20)


def direct(x, w, support=None):
    """Valid correlation of (..., I, *N) with (O, I, *K) in long double, and S[n] of each output."""
    wide = np.result_type(x, w, np.longdouble)
    dims = w.ndim - 2
    size = [n - k + 1 for n, k in zip(x.shape[-dims:], w.shape[2:], strict=True)]
    support = np.ones(w.shape, bool) if support is None else support
    shape = (*x.shape[: -dims - 1], len(w), *size)
    y, s = np.zeros(shape, wide), np.zeros(shape, np.longdouble)
    for o, i, *k in zip(*np.nonzero(support), strict=True):
        part = x[(..., i, *(slice(a, a + n) for a, n in zip(k, size, strict=True)))].astype(wide)
        at = (..., o, *[slice(None)] * dims)
        with np.errstate(all="ignore"):
            y[at] += w[(o, i, *k)] * part
            s[at] += np.square(np.abs(part))
    return y, np.sqrt(s)


def run(x, w, tau=None, support=None, lengths=None):
    dims = w.ndim - 2
    spectrum = fourier.prepare(w, support, lengths or x.shape[-dims:], np.result_type(x, w))
    out = np.empty((*x.shape[: -dims - 1], len(w), *spectrum.outputs), spectrum.dtype)
    out[...] = 77
    unsure = fourier.correlate(spectrum, x, out, tau=tau)
    return out, np.zeros(out.shape, bool) if unsure is None else np.broadcast_to(unsure, out.shape)


def promise(x, w, support=None):
    """Check the promise on all outputs that are vouched for; return the share of the others."""
    tau = TAU[np.result_type(x, w).char]
    y, unsure = run(x, w, tau, support)
    exact, s = direct(x, w, support)
    norm = np.sqrt(np.square(np.abs(w.astype(np.clongdouble))).sum(axis=tuple(range(1, w.ndim))))
    allowed = tau * norm.reshape(-1, *[1] * (w.ndim - 2)) * s
    tiny = np.finfo(y.real.dtype).smallest_subnormal
    error = np.abs(y.astype(exact.dtype) - exact)
    assert np.all((error <= allowed + tiny) | unsure)
    assert np.all(y[s == 0] == 0) and not unsure[s == 0].any()
    return unsure.mean()


def taps(k, dtype="d", channels=(1, 1)):
    shape = k if isinstance(k, tuple) else (k,)
    w = rng.standard_normal((*channels, *shape)).astype(dtype)
    return w + np.asarray(1j * rng.standard_normal(w.shape), dtype) if dtype in "FD" else w


def noise(shape, dtype):
    return taps(shape[1:], dtype, (shape[0], 1))


@pytest.mark.parametrize("dtype", "fdFD")
@pytest.mark.parametrize(
    "lengths, k", [((512,), (33,)), ((512,), (7,)), ((2048,), (400,)), ((64, 60), (9, 11)), ((20, 24, 18), (4, 5, 3))]
)
def test_the_guard_lets_ordinary_signals_pass(dtype, lengths, k):
    assert promise(noise((3, *lengths), dtype), taps(k, dtype)) == 0


ENVELOPES = {
    "loud then quiet": lambda t: np.where(t < 0.5, 1, 1e-8),
    "quiet then loud": lambda t: np.where(t < 0.6, 1e-8, 1),
    "silence then tone": lambda t: np.where(t < 0.5, 0, 1),
    "one impulse": lambda t: np.where(t == t[len(t) // 2], 1, 0),
    "impulse at the end": lambda t: np.where(t == t[-1], 1, 0),
    "exponential decay": lambda t: np.exp(-200 * t),
    "fade-out": lambda t: np.maximum(0, 0.8 - t) ** 3,
    "a gap": lambda t: np.where((t > 0.4) & (t < 0.6), 0, 1),
    "a click of one sample in quiet": lambda t: np.where(t == t[5], 1e6, 1),
    "denormal tail": lambda t: np.where(t < 0.5, 1, 1e-42),
    "all silent": lambda t: 0 * t,
}


@pytest.mark.parametrize("dtype", "fdFD")
@pytest.mark.parametrize("name", ENVELOPES)
def test_quiet_next_to_loud_in_one_dimension(name, dtype):
    n = 1500
    shape = ENVELOPES[name](np.arange(n) / n)
    x = (noise((2, n), dtype) * shape).astype(dtype)
    for k in (5, 40, 333):
        share = promise(x, taps(k, dtype))
        assert share < 0.7 or name in ("exponential decay", "a click of one sample in quiet")
        assert share > 0 or name not in ("loud then quiet", "quiet then loud", "exponential decay")


def test_the_loud_part_of_a_block_is_vouched_for():
    x = noise((1, 2048), "f") * np.where(np.arange(2048) < 1024, 1, 1e-8).astype("f")
    _, unsure = run(x, taps(65, "f"), 1e-4)
    assert not unsure[0, 0, :980].any()
    assert unsure[0, 0, 1030:].all()
    _, again = run(x.astype("d"), taps(65), 1e-4)
    assert 0 < again.sum() < 65  # footprints of both: their range is too wide beside that of the taps


@pytest.mark.parametrize("dtype", "fdF")
def test_images_with_dark_parts(dtype):
    for bright in (1, 1e7):
        image = rng.uniform(1, 2, (60, 64))
        image[20:50, 10:40] = 0
        image[25, 15] = 1e-11
        image[55, 60] = bright
        w = taps((7, 5), dtype)
        assert 0 < promise(image.astype(dtype)[None, None], w) < 1
    image = np.zeros((64, 64), dtype)
    image[30, 31] = 3
    y, unsure = run(image[None, None], taps((9, 9), dtype), TAU[dtype])
    assert not unsure.any()
    assert np.count_nonzero(y) == 81


def test_channels_add_their_energies():
    x = noise((1, 600), "f").reshape(1, 1, 600).repeat(3, axis=1)
    x[:, 1, 300:] = 1e-9
    assert promise(x, taps(31, "f", (2, 3))) == 0
    x[:, :, 300:] = 1e-9
    assert 0.3 < promise(x, taps(31, "f", (2, 3))) < 0.6


def test_holes_are_not_part_of_the_footprint():
    support = np.zeros((1, 1, 61), bool)
    support[..., ::4] = True
    w = taps(61, "f") * support
    x = noise((2, 700), "f")
    x[..., ::4] = 0  # outputs at multiples of four see silence only
    y, _ = run(x, w, 1e-4, support)
    assert np.all(y[..., ::4] == 0)
    assert promise(x, w, support) == 0
    x[..., ::4] = 1e-9
    assert 0.2 < promise(x, w, support) < 0.3


def test_the_wide_range_example_is_refused():
    a = np.array([0.0] * 10000 + [10.0 ** (9 * i) for i in range(10)])
    padded = np.concatenate((np.zeros(9), a, np.zeros(9)))[None, None]
    _, unsure = run(padded, a[None, None, :9:-1][..., :10].copy(), 1e-10)
    assert unsure[..., -19:].all()
    assert not unsure[..., :9000].any()


@pytest.mark.parametrize("scale", [3e37, 1e-30, 1e-40])
def test_extreme_single_precision(scale):
    x = (noise((2, 800), "d") / 6 * scale).astype("f")
    w = taps(50)
    w = (w / np.abs(w).sum()).astype("f")
    y, unsure = run(x, w, 1e-4)
    assert not unsure.any()
    assert np.isfinite(y).all()
    exact, s = direct(x, w)
    tiny = np.finfo("f").smallest_subnormal
    assert np.all(np.abs(y - exact) <= 1e-4 * np.linalg.norm(w.astype("d")) * s + tiny)


@pytest.mark.parametrize("scale", [1e300, 1e-290, 1e-310])
@pytest.mark.parametrize("other", [1.0, 1e-200, 1e-300])
def test_extreme_double_precision(scale, other):
    x = noise((1, 500), "d") / 6 * scale
    w = taps(50) / 50 * other
    y, unsure = run(x, w, 1e-10)
    exact, s = direct(x, w)
    norm = np.sqrt(np.square(w.astype(np.longdouble)).sum())
    assert not unsure.any()
    assert np.all(np.abs(y - exact) <= 1e-10 * norm * s + 5e-324)


@pytest.mark.parametrize("dtype", "fd")
def test_taps_of_wide_range_are_refused(dtype):
    w = np.exp(-np.arange(300) / 3.0).astype(dtype)[None, None]
    x = noise((1, 900), dtype)
    x[..., 700:] = 0
    _, unsure = run(x, w, TAU[dtype])
    assert unsure[..., :700].all()
    assert not unsure[..., 700:].any()


def plain(x, w, support):
    """The direct sum, term by term, in the order of the taps."""
    size = [n - k + 1 for n, k in zip(x.shape[1:], w.shape[2:], strict=True)]
    y = np.zeros((len(w), *size), np.result_type(x, w))
    with np.errstate(all="ignore"):
        for o, i, *k in zip(*np.nonzero(support), strict=True):
            y[o] += w[(o, i, *k)] * x[(i, *(slice(a, a + n) for a, n in zip(k, size, strict=True)))]
    return y


def same(a, b):
    if a.dtype.kind == "c":
        return np.array_equal(np.isfinite(a), np.isfinite(b))
    finite = np.isfinite(b)
    return np.array_equal(np.isfinite(a), finite) and np.array_equal(a[~finite], b[~finite], equal_nan=True)


@pytest.mark.parametrize("dtype", "fdFD")
@pytest.mark.parametrize("lengths, k", [((90,), (13,)), ((30, 28), (5, 6)), ((12, 10, 9), (3, 2, 4))])
@pytest.mark.parametrize("share", [0.002, 0.05, 0.9, 1.0])
def test_samples_that_are_not_finite_keep_their_footprint(dtype, lengths, k, share):
    for channels in ((1, 1), (2, 3)):
        x = rng.standard_normal((2, channels[1], *lengths)).astype(dtype)
        bad = rng.uniform(size=x.shape) < share
        bad.flat[5] = True
        values = np.array([np.nan, np.inf, -np.inf, np.inf])
        x[bad] = rng.choice(values[rng.integers(0, 2) :], bad.sum())
        w = taps(k, dtype, channels)
        w[rng.uniform(size=w.shape) < 0.2] = 0
        support = rng.uniform(size=w.shape) < 0.8
        w = w * support
        for held in (np.ones(w.shape, bool), support):
            y, _ = run(x, w, None, None if held.all() else held)
            for b in range(2):
                expected = plain(x[b], w, held)
                assert same(y[b], expected)
            clean, _ = run(np.where(np.isfinite(x), x, 0), w, None, held)
            finite = np.isfinite(y)
            assert np.allclose(y[finite], clean[finite], atol=1e-3 if dtype in "fF" else 1e-9)


def test_repaired_blocks_are_guarded_too():
    x = noise((2, 1000), "f")
    x[0, 0, 500:] *= 1e-8
    x[0, 0, 100] = np.inf
    x[1, 0, 100] = np.nan
    y, unsure = run(x, taps(20, "f"), 1e-4)
    assert np.isinf(y[0, 0, 81:101]).all()
    assert unsure[0, 0, 520:].all()
    assert not unsure[0, 0, :480].any()
    assert not unsure[1].any()


def test_the_lower_bound_is_one():
    for k in (1, 2, 3, 5, 8, 16, 30, 31, 47, 64, 100, 127):
        n = 300
        x = noise((6, n), "d") * np.exp(rng.uniform(-30, 0, (6, 1, n)))
        for wanted in (n - k + 1, 100):
            low = guard.survey(x, (k,), (wanted,)).low
            _, s = direct(x, np.ones((1, 1, k)))
            assert np.all(low <= 1.0001 * np.square(s[:, 0, :wanted]).min(axis=1))
            assert k < 8 or np.all(low > 0)


@pytest.mark.parametrize("k", [(3, 9), (8, 5), (15, 40)])
@pytest.mark.parametrize("dtype", "fD")
def test_the_lower_bound_is_one_in_two_dimensions(k, dtype):
    x = noise((4, 50, 70), dtype) * np.exp(rng.uniform(-20, 0, (4, 1, 50, 70))).astype(dtype)
    wanted = (51 - k[0], 71 - k[1])
    found = guard.survey(x, k, wanted)
    _, s = direct(x, np.ones((1, 1, *k)))
    assert np.all(found.low <= 1.0001 * np.square(s[:, 0]).min(axis=(1, 2)))
    assert np.all(found.low > 0)
    assert np.allclose(found.energy, np.square(np.abs(x)).sum(axis=(1, 2, 3), dtype="d"), rtol=1e-5)


@pytest.mark.parametrize("dtype", "fdF")
def test_the_spread_errs_on_the_safe_side(dtype):
    for spread in (0.1, 5, 40):
        x = noise((3, 400), dtype) * np.exp2(rng.uniform(-spread, 0, (3, 1, 400))).astype(dtype)
        x.real[..., ::7] = 0
        found = guard.survey(x, (9,), (392,)).spread
        for b in range(3):
            assert guard.spread(x[b]) - 0.01 <= found[b] <= guard.spread(x[b]) + 0.2
    x = np.full((1, 1, 100), 1e-40, "f")
    x[..., 0] = 1
    assert guard.SUBNORMAL * guard.survey(x, (9,), (92,)).spread[0] >= guard.spread(x)


@pytest.mark.parametrize("dtype", "fdFD")
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    "lengths, taps",
    [((2048,), (130,)), ((2048,), (500,)), ((2048,), (1999,)), ((64, 96), (9, 20)), ((64, 96), (40, 6))],
)
def test_the_short_way_judges_as_the_long_one(lengths, taps, channels, dtype):
    """It looks at fewer outputs, and says the same of all of them."""
    rng = np.random.default_rng(5)
    wanted = tuple(n - k + 1 for n, k in zip(lengths, taps, strict=True))
    loud = rng.standard_normal((channels, *lengths)) * (1 + 1j if dtype in "FD" else 1)
    n = lengths[-1]
    for begin, end, quiet in ((0, 3 * n // 4, 0.0), (n // 3, n, 1e-9), (9, n - 9, 0.0), (0, n, 1e-6), (n, n, 0.0)):
        x = loud.copy()
        x[..., begin:end] *= quiet
        x[:, : lengths[0] // 4] *= quiet if len(lengths) > 1 else 1.0
        x = x.astype(dtype)
        given = x.copy()
        given[0, ..., begin : begin + 3] = np.nan
        factor = guard.factor(x.dtype, 11.0, 1e-5 if dtype in "fF" else 1e-13)
        footprints = guard.Footprints(np.ones((1, channels, *taps), bool), (1,) * len(taps), wanted)
        present = np.isfinite(given) & (given != 0)
        slow = footprints.judge(x[None], present[None], factor, np.zeros(1, bool), 0.0)
        box, failed, silent = guard.judge_near(x, given, taps, wanted, factor)
        whole = np.zeros((2, *wanted), bool)
        whole[0][box], whole[1][box] = failed, silent
        assert_array_equal(whole[0], slow[0][0, 0])
        assert_array_equal(whole[1], slow[1][0, 0])
