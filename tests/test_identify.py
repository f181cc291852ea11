"""identify: what is found in known functions is what they do, and nothing makes it fail."""

from __future__ import annotations

import sys
import threading
import time

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import ndimage, signal

from firconv.conventions import LAST, LOWER, UPPER, Axis, Convention, Size, boundary_names, preset_size
from firconv.describe import preset
from firconv.identification import Found, identify
from firconv.identification.calls import takes_taps

RNG = np.random.default_rng(5)


def reproduced(f, found, ndim=1, kinds=("float64", "float32"), taps=(4, 5), odd=0):
    """`found` gives what `f` gives, shape, type and numbers, on signals and taps that identify has not seen."""
    for kind in kinds:
        for k in taps:
            x = RNG.standard_normal((23 + k + odd, 27, 19)[:ndim]).astype(kind)
            h = (RNG.standard_normal((k, 5, 3)[:ndim])).astype(kind)
            given = (x, h) if found.with_taps else (x,)
            y, z = np.asarray(f(*given)), found(*given)
            assert y.shape == z.shape and y.dtype == z.dtype, (k, y.shape, z.shape, y.dtype, z.dtype)
            assert_allclose(z, y, rtol=0, atol=(1e-11 if kind == "float64" else 3e-5) * np.abs(y).max())


def check(f, ndim=1, operation=None, **attributes):
    found = identify(f, ndim)
    assert found.explained, found.evidence
    for name, value in {"operation": operation, **attributes}.items():
        if value is not None or name != "operation":
            assert getattr(found, name) == value, (name, getattr(found, name), value)
    return found


# ── NumPy and scipy.signal ────────────────────────────────────────────────────────────────────────────────────────────

CONV = {"full": None, "same": "(K - 1)//2", "valid": None}
CORR = {"full": None, "same": "K//2", "valid": None}


@pytest.mark.parametrize("mode", CONV)
@pytest.mark.parametrize("module", [np, signal], ids=["numpy", "scipy"])
def test_convolve_and_correlate(module, mode):
    rest = {"mode": mode, "linear": True, "shift_invariant": True, "up": 1, "down": 1, "dilation": 1, "gain": 1}
    rest |= {"boundary": None if mode == "valid" else "zero", "repeatable": "same bits"}
    f = check(lambda x, h: module.convolve(x, h, mode), 1, "convolution", origin=CONV[mode], conjugated="none", **rest)
    g = check(lambda x, h: module.correlate(x, h, mode), 1, "correlation", origin=CORR[mode], conjugated="taps", **rest)
    reproduced(lambda x, h: module.convolve(x, h, mode), f)
    reproduced(lambda x, h: module.correlate(x, h, mode), g, kinds=("float64", "complex128", "int32"))


def test_origin_for_odd_and_even_taps():
    found = identify(lambda x, h: np.convolve(x, h, "same"))
    assert (found.origin_of(5), found.origin_of(4)) == (2, 1)
    assert found.presets == ["numpy", "scipy", "scipy2d", "opencv"]


def test_taps_longer_than_the_signal():
    x, h = np.arange(3.0), np.arange(1.0, 8)
    for mode in ("full", "same", "valid"):
        for f in (lambda x, h, m=mode: np.convolve(x, h, m), lambda x, h, m=mode: np.correlate(x, h, m)):
            found = identify(f)
            assert_allclose(found(x, h), f(x, h))
    assert identify(lambda x, h: np.convolve(x, h, "same")).short == "exchanged"
    assert identify(lambda x, h: signal.convolve(x, h, "same")).short == "same"
    circular = identify(lambda x, h: np.fft.ifft(np.fft.fft(x) * np.fft.fft(h, len(x))).real)
    assert circular.boundary == "wrap"
    with pytest.raises(ValueError, match="taps longer than the signal"):
        circular(x, h)


@pytest.mark.parametrize("boundary, name", [("fill", "zero"), ("wrap", "wrap"), ("symm", "symmetric")])
@pytest.mark.parametrize("mode", ["full", "same", "valid"])
def test_convolve2d_and_correlate2d(mode, boundary, name):
    for f, op in ((signal.convolve2d, "convolution"), (signal.correlate2d, "correlation")):
        def called(x, h, f=f):
            return f(x, h, mode, boundary)
        found = check(called, 2, op, mode=mode, boundary=None if mode == "valid" else name,
                      origin="(K - 1)//2" if mode == "same" else None)
        reproduced(called, found, 2)


def test_constant_boundary_is_affine():
    found = check(lambda x, h: signal.convolve2d(x, h, "full", "fill", 3.0), 2, "convolution",
                  boundary=("constant", 3.0))
    assert (found.linear, found.affine) == (False, True)
    reproduced(lambda x, h: signal.convolve2d(x, h, "full", "fill", 3.0), found, 2, kinds=("float64",))


@pytest.mark.parametrize("mode", ["constant", "symmetric", "edge", "wrap", "reflect", "antisymmetric", "antireflect"])
def test_upfirdn(mode):
    def f(x, h):
        return signal.upfirdn(h, x, 2, 3, mode=mode)
    found = check(f, 1, "convolution", mode="full", up=2, down=3, shift_invariant=False, linear=True,
                  boundary="zero" if mode == "constant" else mode)
    reproduced(f, found)


def test_lfilter_is_causal():
    found = check(lambda x, h: signal.lfilter(h, [1.0], x), 1, "convolution", mode="same", origin="0", boundary="zero",
                  presets=["causal"], type_rule="always double precision")
    reproduced(lambda x, h: signal.lfilter(h, [1.0], x), found, kinds=("float64",))


def test_fft_method_shows_in_the_nan_reach():
    assert "every output" in identify(signal.fftconvolve).nan
    found = identify(np.convolve)
    assert found.nan_count == 5 and "whose taps meet it" in found.nan


# ── scipy.ndimage ─────────────────────────────────────────────────────────────────────────────────────────────────────

MODES = {"reflect": "symmetric", "constant": "zero", "nearest": "edge", "mirror": "reflect", "wrap": "wrap",
         "grid-mirror": "symmetric", "grid-constant": "zero", "grid-wrap": "wrap"}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("ndim", [1, 2])
def test_ndimage_in_every_mode(mode, ndim):
    for f, op in ((ndimage.convolve, "convolution"), (ndimage.correlate, "correlation")):
        def called(x, h, f=f):
            return f(x, h, mode=mode)
        found = check(called, ndim, op, mode="same", origin="K//2", boundary=MODES[mode])
        assert "left out" in found.nan and found.type_rule.startswith("the signal's type")
        reproduced(called, found, ndim)


@pytest.mark.parametrize("origin", [-1, 1])
def test_ndimage_origin(origin):
    for f, op in ((ndimage.convolve, "convolution"), (ndimage.correlate, "correlation")):
        def called(x, h, f=f):
            return f(x, h, mode="mirror", origin=origin)
        found = check(called, 1, op, origin=f"K//2 {'+-'[origin < 0]} 1", boundary="reflect")
        reproduced(called, found)
    assert any("it fails" in s for s in identify(called).findings) == (origin == 1)


def test_ndimage_casts_like_c():
    found = check(ndimage.correlate, 1, casting="truncated toward zero and wrapped")
    x, h = RNG.integers(0, 256, 40).astype("uint8"), np.array([0.25, 0.5, 0.75])
    assert (found(x, h) == ndimage.correlate(x, h)).all() and found(x, h).dtype == np.uint8


def test_three_dimensions():
    found = check(ndimage.convolve, 3, "convolution", boundary="symmetric", origin="K//2")
    reproduced(ndimage.convolve, found, 3, taps=(3,))


def test_taps_inside_are_recovered():
    found = check(lambda x: ndimage.gaussian_filter(x, 2.0), 1, "filter", boundary="symmetric", origin=8)
    exact = np.exp(-np.arange(-8, 9) ** 2 / 8)
    assert_allclose(found.fir.taps, exact / exact.sum(), rtol=1e-12)
    reproduced(lambda x: ndimage.gaussian_filter(x, 2.0), found)
    plane = check(lambda x: ndimage.gaussian_filter(x, (1, 2), mode="nearest"), 2, "filter", boundary="edge")
    assert plane.fir.shape == (9, 17) and plane.origin == (4, 8)
    for size in (4, 5):
        found = check(lambda x, size=size: ndimage.uniform_filter(x, size), 1, "filter", mode="same",
                      boundary="symmetric")
        assert_allclose(found.fir.taps, np.full(size, 1 / size), rtol=1e-12)
        assert found.origin == (size - 1) // 2
    assert "running sum" in found.nan


@pytest.mark.parametrize("mode", MODES)
def test_smoothing_in_every_mode(mode):
    rule = MODES[mode]
    for f in (lambda x: ndimage.gaussian_filter(x, 1.0, mode=mode, truncate=3.0),
              lambda x: ndimage.uniform_filter(x, 6, mode=mode, origin=1)):
        reproduced(f, check(f, 1, "filter", boundary=rule, mode="same"))


def test_one_sample_of_reach_cannot_tell_edge_from_symmetric():
    found = identify(lambda x: ndimage.uniform_filter(x, 3))
    assert found.ends.fits == ("edge", "symmetric") and "cannot tell edge from symmetric" in str(found)


def test_other_filters_with_taps_inside():
    check(np.diff, 1, "filter", mode="valid")
    check(lambda x: x[: len(x) // 2 * 2].reshape(-1, 2).mean(axis=1), 1, "filter", mode="valid", down=2)
    check(lambda x: np.repeat(x, 2), 1, "filter", up=2)
    found = check(lambda x: signal.filtfilt([0.25, 0.5, 0.25], [1.0], x), 1, "filter", boundary="antireflect")
    assert_allclose(found.fir.taps, np.array([1, 4, 6, 4, 1]) / 16, rtol=1e-9)
    found = check(lambda x: signal.resample_poly(x, 3, 2), 1, "filter", up=3, down=2)
    reproduced(lambda x: signal.resample_poly(x, 3, 2), found, kinds=("float64",))
    assert check(lambda x: 1j * np.conj(x), 1, "filter", conjugated="signal").fir.taps == [1j]


# ── gain and normalisation ────────────────────────────────────────────────────────────────────────────────────────────

@pytest.mark.parametrize("norm", ["sum(h)", "sum(abs(h))", "K", "norm(h)", "max(abs(h))"])
def test_normalised_taps(norm):
    value = {"sum(h)": np.sum, "sum(abs(h))": lambda h: np.abs(h).sum(), "K": len, "norm(h)": np.linalg.norm,
             "max(abs(h))": lambda h: np.abs(h).max()}[norm]
    found = check(lambda x, h: 3 * np.convolve(x, h) / value(h), 1, normalised=norm)
    assert found.gain == pytest.approx(3)
    reproduced(lambda x, h: 3 * np.convolve(x, h) / value(h), found, kinds=("float64",))


def test_gain_and_renormalised_weights():
    assert check(lambda x, h: -2 * np.convolve(x, h)).gain == -2

    def omit(x, h):
        return np.convolve(x, h, "same") / np.convolve(np.ones_like(x), h, "same") * h.sum()

    assert check(omit, 1, boundary="omit").mode == "same"


# ── OpenCV and torch ──────────────────────────────────────────────────────────────────────────────────────────────────

@pytest.mark.parametrize("border", ["CONSTANT", "REPLICATE", "REFLECT", "REFLECT_101"])
def test_opencv_borders(border):
    cv2 = pytest.importorskip("cv2")

    def f(x, h):
        return cv2.filter2D(x, -1, h, borderType=getattr(cv2, f"BORDER_{border}"))

    name = {"CONSTANT": "zero", "REPLICATE": "edge", "REFLECT": "symmetric", "REFLECT_101": "reflect"}[border]
    found = check(f, 2, "correlation", mode="same", origin="K//2", boundary=name, conjugated=None,
                  casting="rounded to even and saturated")
    reproduced(f, found, 2)
    x, h = RNG.integers(0, 256, (20, 30)).astype("uint8"), np.array([[0.5, 1.0, -0.25]])
    assert (found(x, h) == f(x, h)).all()


def test_opencv_in_one_dimension_with_an_anchor():
    cv2 = pytest.importorskip("cv2")

    def f(x, h):
        return cv2.filter2D(x[None], -1, h[None], anchor=(1, 0), borderType=cv2.BORDER_REPLICATE)[0]

    reproduced(f, check(f, 1, "correlation", origin="1", boundary="edge", mode="same"))
    default = check(lambda x, h: cv2.filter2D(x, -1, h), 2, "correlation", boundary="reflect")
    assert default.presets == ["numpy", "scipy", "ndimage", "opencv"]


def test_a_border_that_opencv_refuses_is_a_finding():
    cv2 = pytest.importorskip("cv2")
    found = identify(lambda x, h: cv2.filter2D(x, -1, h, borderType=cv2.BORDER_WRAP), 2)
    assert not found.explained and "no call succeeded" in found.evidence[0] and "BORDER_WRAP" in found.evidence[0]


def test_filters_of_opencv():
    cv2 = pytest.importorskip("cv2")
    found = check(lambda x: cv2.GaussianBlur(x, (5, 3), 1.5), 2, "filter", boundary="reflect", mode="same")
    wanted = np.outer(cv2.getGaussianKernel(3, 1.5), cv2.getGaussianKernel(5, 1.5))
    assert_allclose(found.fir.taps, wanted, rtol=1e-9)
    found = check(lambda x: cv2.blur(x, (5, 4)), 2, "filter", mode="same", boundary="reflect")
    assert_allclose(found.fir.taps, np.full((4, 5), 1 / 20), rtol=1e-9)
    found = check(lambda x: cv2.Sobel(x, -1, 1, 0, borderType=cv2.BORDER_REPLICATE), 2, "filter", mode="same")
    assert_allclose(found.fir.taps, np.outer([1, 2, 1], [1, 0, -1]), rtol=1e-9)


def layer(name, mode=None, pad=None, **options):
    """A torch layer of one channel as a function of arrays."""
    functional = pytest.importorskip("torch").nn.functional
    import torch

    def f(x, h):
        lifted, taps = (torch.from_numpy(np.ascontiguousarray(v))[None, None] for v in (x, h))
        if mode:
            lifted = functional.pad(lifted, pad, mode=mode)
        return getattr(functional, name)(lifted, taps, **options)[0, 0].numpy()

    return f


LAYERS = [
    (layer("conv1d"), {"operation": "correlation", "mode": "valid", "conjugated": "none"}),
    (layer("conv1d", padding="same"), {"mode": "same", "origin": "(K - 1)//2", "boundary": "zero"}),
    (layer("conv1d", padding=2), {"mode": "other", "boundary": "zero"}),
    (layer("conv1d", stride=2, padding=1), {"down": 2, "shift_invariant": False}),
    (layer("conv1d", stride=3, dilation=2), {"down": 3, "dilation": 2, "mode": "valid"}),
    (layer("conv1d", dilation=2, padding="same"), {"dilation": 2, "mode": "same"}),
    (layer("conv1d", "reflect", (3, 3)), {"boundary": "reflect"}),
    (layer("conv1d", "circular", (2, 3)), {"boundary": "wrap"}),
    (layer("conv1d", "replicate", (3, 1), stride=2), {"boundary": "edge", "down": 2}),
    (layer("conv_transpose1d"), {"operation": "convolution", "mode": "full"}),
    (layer("conv_transpose1d", stride=2), {"operation": "convolution", "mode": "full", "up": 2}),
    (layer("conv_transpose1d", stride=2, padding=1, output_padding=1), {"up": 2, "mode": "other"}),
    (layer("conv_transpose1d", stride=3, dilation=2), {"up": 3, "dilation": 2, "mode": "full"}),
]


@pytest.mark.parametrize("f, attributes", LAYERS)
def test_torch_layers(f, attributes):
    reproduced(f, check(f, 1, **attributes))


def test_torch_layers_in_two_dimensions():
    f = layer("conv2d", stride=(2, 1), dilation=(1, 2), padding=(1, 2))
    reproduced(f, check(f, 2, "correlation", down=(2, 1), dilation=(1, 2)), 2)
    g = layer("conv_transpose2d", stride=2, padding=1)
    reproduced(g, check(g, 2, "convolution", up=2), 2)


def module(ndim, mode, **options):
    """A torch.nn.Conv of one channel without bias, with the padding mode of its constructor."""
    torch = pytest.importorskip("torch")

    def f(x, h):
        made = getattr(torch.nn, f"Conv{ndim}d")(1, 1, h.shape, padding_mode=mode, bias=False, **options)
        made.weight = torch.nn.Parameter(torch.from_numpy(h.copy())[None, None], requires_grad=False)
        return made(torch.from_numpy(x.copy())[None, None])[0, 0]

    return f


PADDING = {"zeros": "zero", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


@pytest.mark.parametrize("mode", PADDING)
@pytest.mark.parametrize("ndim", [1, 2])
def test_padding_modes_of_torch_modules(mode, ndim):
    f = module(ndim, mode, padding=2, stride=1 + (ndim == 1))
    found = check(f, ndim, "correlation", boundary=PADDING[mode], down=1 + (ndim == 1), mode="other")
    reproduced(f, found, ndim)
    same = module(ndim, mode, padding="same", dilation=2)
    found = check(same, ndim, "correlation", boundary=PADDING[mode], dilation=2, mode="same")
    reproduced(same, found, ndim)


def test_torch_layers_in_three_dimensions():
    f = layer("conv3d", padding=1, stride=(1, 2, 1))
    reproduced(f, check(f, 3, "correlation", down=(1, 2, 1), boundary="zero"), 3, taps=(3,))
    g = layer("conv_transpose3d", stride=2)
    reproduced(g, check(g, 3, "convolution", up=2, mode="full"), 3, taps=(3,), kinds=("float64",))


# ── what is refused, with evidence ────────────────────────────────────────────────────────────────────────────────────

REFUSED = {
    "median": (lambda x: ndimage.median_filter(x, 5), "not linear: f(x + z)"),
    "squarer": (lambda x: x**2, "not linear: f("),
    "absolute": (np.abs, "not linear: f(−x)"),
    "clip": (lambda x: np.clip(x, -100, 100), "f(1000x) is not 1000·f(x)"),
    "time-varying gain": (lambda x: x * np.linspace(1, 2, len(x)), "varies with time"),
    "slow drift": (lambda x: x * (1 + 1e-4 * np.arange(len(x))), "varies with time"),
    "switched halfway": (lambda x: np.where(np.arange(len(x)) < len(x) * 0.7, x, 2 * x), "where the shifted response"),
    "mean removal": (lambda x: x - x.mean(), "to its end"),
    "running sum": (np.cumsum, "to its end"),
    "offset": (lambda x: x + 1, "f(0) is not 0"),
    "noise": (lambda x: x + RNG.normal(size=x.shape), "the same call"),
    "nothing": (lambda x: 0 * x, "leave the result zero"),
    "taps squared": (lambda x, h: np.convolve(x, h**2), "no common multiple"),
    "taps in another order": (lambda x, h: np.convolve(x, h[np.argsort(np.arange(len(h)) % 2)]), "equal steps"),
    "half flipped": (lambda x, h: signal.correlate2d(x, h[::-1]), "some axes only", 2),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_evidence(name):
    f, text, *ndim = REFUSED[name]
    found = identify(f, *ndim)
    assert not found.explained and text in found.evidence[0], found.evidence
    assert str(found).startswith("not identified")
    with pytest.raises(ValueError, match="was not identified"):
        found(np.ones(9))


def test_what_is_known_of_a_refused_function_stays():
    assert identify(lambda x: ndimage.median_filter(x, 5)).linear is False
    assert identify(lambda x: x * np.arange(len(x))).shift_invariant is False
    assert identify(lambda x: x * np.arange(len(x))).linear is True


def test_recursive_filters_are_seen_by_a_nan():
    assert "recursive" in identify(lambda x: signal.lfilter([1.0], [1, -0.5], x)).nan


# ── bad functions become findings ─────────────────────────────────────────────────────────────────────────────────────

def raises(x, h):
    raise RuntimeError("no licence\nfor this")


def leaves(x, h):
    sys.exit(3)


def deep(x, h):
    return deep(x, h)


def spoils(x, h):
    y = np.convolve(x, h)
    x[:] = 0
    return y


def wants_floats_only(x, h):
    if x.dtype.kind != "f" or x.dtype.itemsize != 4:
        raise TypeError("float32, please")
    return np.convolve(x, h)


def whole_numbers(x, h):
    if x.dtype != np.int16 or h.dtype != np.int16:
        raise TypeError("int16 only")
    return np.convolve(x.astype(int), h.astype(int)).astype(np.int16)


def test_functions_that_raise_or_return_nonsense():
    for f, text in ((raises, "RuntimeError: no licence for this"), (leaves, "SystemExit: 3"), (deep, "RecursionError"),
                    (lambda x, h: None, "returned None"), (lambda x, h: "text", "instead of an array of numbers"),
                    (lambda x, h: [1, [2]], "ValueError"), (lambda x, h: object(), "a object instead"),
                    (lambda x, h: x[None, None], "shape (1, 1, 96)"), (lambda x, h: x[:0], "no samples"),
                    (lambda x, h: x * np.nan, "NaN or Inf everywhere"), (lambda a, b, c: a, "missing 1 required")):
        found = identify(f)
        assert not found.explained and text in found.evidence[0], (text, found.evidence)


def test_a_function_that_changes_its_input():
    found = identify(spoils)
    assert found.explained and "changes its signal in place" in found.findings[0]


def test_functions_of_one_type_only():
    found = identify(wants_floats_only)
    assert found.explained and found.precision == "float32" and "refuses float64" in found.findings[0]
    found = identify(whole_numbers)
    assert found.explained and found.precision == "exact" and found.conjugated is None
    assert (found(np.arange(5, dtype="int16"), np.ones(2, "int16")) == [0, 1, 3, 5, 7, 4]).all()


def test_odd_taps_only():
    def f(x, h):
        if len(h) % 2 == 0:
            raise ValueError("odd lengths only")
        return ndimage.correlate(x, h)

    found = identify(f)
    assert found.explained and any("odd lengths only" in s for s in found.findings)


def test_a_slow_function_is_reported_in_time():
    began = time.perf_counter()
    found = identify(lambda x, h: time.sleep(0.1) or np.convolve(x, h), limit=1.0)
    assert time.perf_counter() - began < 10  # some hundred calls otherwise
    assert "the limit of 1 s" in found.evidence[0] and "was reached" in found.evidence[0]
    assert found.repeatable == "same bits"


def test_a_call_that_cannot_be_interrupted_is_abandoned():
    def hangs(x, h):
        while True:
            pass

    began = time.perf_counter()
    found = identify(hangs, limit=0.5)
    assert time.perf_counter() - began < 20
    assert "abandoned in its thread" in found.evidence[0]
    for thread in threading.enumerate():
        if thread.name == "firconv.identify":  # once it went on beside everything that followed
            thread.join(20)
            assert not thread.is_alive()


def test_a_function_that_hangs_for_some_signals():
    def f(x, h):
        time.sleep(60 if np.isnan(x).any() else 0)
        return np.convolve(x, h)

    found = identify(f, limit=8.0)
    assert found.operation == "convolution" and found.boundary == "zero" and not found.explained


def test_a_function_with_a_memory():
    seen = []

    def f(x):
        seen.append(1)
        return x * len(seen)

    assert "the same call" in identify(f).evidence[0]


def test_arguments():
    with pytest.raises(TypeError, match="is no function"):
        identify(np.ones(3))
    with pytest.raises(ValueError, match="ndim=4 is not supported"):
        identify(np.convolve, 4)
    with pytest.raises(ValueError, match="is no time"):
        identify(np.convolve, limit=0)
    found = identify(np.convolve)
    with pytest.raises(TypeError, match="h is missing"):
        found(np.ones(5))
    with pytest.raises(TypeError, match="holds its taps"):
        identify(np.diff)(np.ones(5), np.ones(2))


def test_signature_or_trial_says_whether_taps_are_given():
    assert takes_taps(np.diff) is False and takes_taps(np.convolve) is True
    assert takes_taps(lambda *given: given) is None
    assert identify(lambda *given: np.convolve(*given)).with_taps
    assert not identify(lambda *given: np.diff(*given) if len(given) == 1 else 1 / 0).with_taps
    assert not identify(ndimage.uniform_filter1d, taps=False).explained


def test_the_same_seed_asks_the_same():
    a, b = (identify(np.convolve, seed=3) for _ in range(2))
    assert a.error == b.error and a.calls == b.calls


# ── the report ────────────────────────────────────────────────────────────────────────────────────────────────────────

def test_report_of_a_known_function():
    text = str(identify(ndimage.correlate))
    for line in ("correlation of the signal with the taps", "same, origin c = K//2",
                 "ndimage reflect, cv2 BORDER_REFLECT",
                 "c b a│a b c … x y z│z y x", "conjugates the taps", "taps that are zero are left out"):
        assert line in " ".join(text.split()), text
    assert len(text.splitlines()) < 22 and max(map(len, text.splitlines())) <= 80


def test_pattern_of_a_rule_that_nobody_has():
    def f(x, h):
        return np.correlate(np.concatenate([x[[2, 0, 1]], x, x[[-2, -1, -3]]]), h, "valid")

    found = identify(f)
    assert not found.explained and "follows none of zero, edge" in found.evidence[0]
    assert found.pattern == "c a b│a b c … x y z│y z x" and found.pattern in str(found)


def test_different_rules_at_the_two_ends():
    def f(x, h):
        return np.correlate(np.pad(np.pad(x, (3, 0), "edge"), (0, 4), "reflect"), h, "valid")

    found = check(f, 1, boundary=("edge", "reflect"))
    reproduced(f, found)
    assert "edge before, reflect after" in str(found)


# ── conventions as values ─────────────────────────────────────────────────────────────────────────────────────────────

@pytest.mark.parametrize("name", ["numpy", "scipy", "scipy2d", "ndimage", "opencv", "torch", "matlab", "causal"])
def test_presets_as_forms(name):
    for op in ("convolve", "correlate"):
        for k in range(1, 9):
            assert preset_size(name, op).at(0, k) == preset(name, op, k)


def test_forms_print_what_they_are():
    rng = np.random.default_rng(0)
    for _ in range(200):
        form = Size(*(int(v) for v in rng.integers(-3, 4, 5)), spacing=2)
        for K, N in ((4, 9), (5, 12), (1, 1)):
            assert eval(str(form), {"K": K, "N": N}) == form.at(N, K), form
    assert str(UPPER - LAST + LOWER) == "0" and (UPPER * 2).over(2) == UPPER and UPPER.over(2) is None
    assert Size(centre=1).over(1) == LOWER


def test_convention_without_outputs():
    c = Convention("convolve", (Axis(Size(), LAST * -1),))
    with pytest.raises(ValueError, match="no outputs for a signal of shape"):
        c(np.ones(2), np.ones(5))


def test_names_of_boundaries():
    assert boundary_names("reflect")["ndimage"] == "mirror" and boundary_names("symmetric")["cv2"] == "REFLECT"
    assert boundary_names("constant")["torch"] == "constant" and "torch" not in boundary_names("symmetric")
    assert isinstance(identify(np.convolve), Found)
