"""Other libraries behind one signature: what they compute is what firconv computes under the same words."""

import numpy as np
import pytest

import firconv
from firconv import interop
from firconv.identities import Implementation

OTHERS = ("numpy", "scipy", "ndimage", "torch", "cv2")
MODES = ("full", "same", "valid")
RULES = ("zero", "edge", "symmetric", "reflect", "wrap", "antisymmetric", "antireflect")


def loaded(name):
    if name not in interop.installed():
        pytest.skip(f"{name} is not installed")
    return interop.load(name)


def numbers(rng, shape, dtype):
    values = rng.integers(-5, 6, shape).astype(dtype)
    return values + 1j * values[::-1] if values.dtype.kind == "c" else values


def random_call(rng):
    """Operands and words of a random call, small integers in any type so that sums are exact."""
    ndim, dtype = int(rng.integers(1, 4)), rng.choice(["int64", "float32", "float64", "complex64", "complex128"])
    x = numbers(rng, rng.integers(1, 10, ndim), dtype)
    h = numbers(rng, rng.integers(1, 6, ndim), dtype)
    plain = rng.random() < 0.5
    step = (lambda: 1) if plain else (lambda: int(rng.integers(1, 4)))
    words = dict(boundary=str(rng.choice(RULES)), up=step(), down=step(), dilation=step())
    return str(rng.choice(["convolve", "correlate"])), x, h, str(rng.choice(MODES)), words


@pytest.mark.parametrize("name", OTHERS)
def test_every_supported_call_is_what_firconv_computes(name):
    f, done = loaded(name), 0
    rng = np.random.default_rng(7)
    for _ in range(700):
        op, x, h, mode, words = random_call(rng)
        if mode == "valid" and any((k - 1) * words["dilation"] >= n for n, k in zip(x.shape, h.shape, strict=True)):
            continue
        origin = tuple(int(rng.integers(0, k)) for k in h.shape) if rng.random() < 0.3 else None
        try:
            got = f.apply(op, x, h, mode, origin=origin, **words)
        except NotImplementedError:
            continue
        origin = origin or tuple(f.origin(op, k) for k in h.shape)
        wanted = getattr(firconv, op)(x, h, mode, origin=origin, method="direct", workers=1, **words)
        assert got.shape == wanted.shape, (op, x.shape, h.shape, mode, words)
        np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-4, err_msg=str((op, x.shape, h.shape, mode, words)))
        done += 1
    assert done > 8, done


@pytest.mark.parametrize("name, call, message", [
    ("numpy", dict(x=np.ones((3, 3)), h=np.ones((2, 2))), "numpy has no 2-D form"),
    ("numpy", dict(x=np.ones(3, np.int8), h=np.ones(2, np.int8)), "numpy does not sum int8"),
    ("numpy", dict(x=np.ones(3), h=np.ones(2), boundary="edge"), "numpy has no boundary='edge'"),
    ("numpy", dict(x=np.ones(3), h=np.ones(2), origin=0, mode="same"), r"numpy has no origin=\(1,\)|origin=\(0,\)"),
    ("numpy", dict(x=np.ones(2), h=np.ones(3), mode="same"), "exchanges signal and taps"),
    ("numpy", dict(x=np.ones(3), h=np.ones(2), mode=(0, 2)), "numpy has no window of positions"),
    ("scipy", dict(x=np.ones(2), h=np.ones(3), mode="same"), "more taps than samples in mode 'full' only"),
    ("scipy", dict(x=np.ones(3, int), h=np.ones(2, int), method="fft"), "rounds sums of integers"),
    ("scipy", dict(x=np.ones(5), h=np.ones(2), mode="same", down=2), "upfirdn has no mode 'same'"),
    ("scipy", dict(x=np.ones((5, 5)), h=np.ones((2, 2)), boundary="edge"), "convolve2d has no boundary 'edge'"),
    ("scipy", dict(x=np.ones((2, 2)), h=np.ones((3, 3)), boundary="wrap"), "one copy of the signal at most"),
    ("scipy", dict(x=np.ones((5, 5, 5)), h=np.ones((2, 2, 2)), boundary="wrap"), "has no 3-D convolve|correlate"),
    ("ndimage", dict(x=np.ones(5), h=np.ones(3), mode="same", origin=4), "the origin must be one of the taps"),
    ("ndimage", dict(x=np.ones(5), h=np.ones(3), boundary="wrap", mode="full"), "has no mode='full' with boundary"),
    ("ndimage", dict(x=np.ones(5), h=np.ones(3), boundary="antireflect", mode="same"), "has no boundary antireflect"),
    ("torch", dict(x=np.ones(2), h=np.ones(3), mode="same", boundary="wrap", down=2, up=2), "conv has no up"),
    ("torch", dict(x=np.ones(2), h=np.ones(5), mode="full", boundary="wrap"), "one copy of the signal at most"),
    ("cv2", dict(x=np.ones(5), h=np.ones(3), mode="same", origin=5), "it must be one of the taps"),
    ("cv2", dict(x=np.ones(5, int), h=np.ones(3, int)), "OpenCV does not sum int64"),
])
def test_what_is_not_supported_is_a_sentence(name, call, message):
    with pytest.raises(NotImplementedError, match=message):
        loaded(name).apply("correlate", **call)


def test_torch_refuses_what_it_cannot_pad():
    f = loaded("torch")
    with pytest.raises(NotImplementedError, match="longer than the padded signal"):
        f.correlate(np.ones(2), np.ones(4), "valid")
    with pytest.raises(NotImplementedError, match="neither boundary nor down"):
        f.convolve(np.ones(4), np.ones(2), "full", "wrap")
    with pytest.raises(NotImplementedError, match="conv_transpose has no mode 'same'"):
        f.convolve(np.ones(4), np.ones(2), "same", up=2)


def test_abilities_are_declared():
    with pytest.raises(NotImplementedError, match="numpy: sums int8 … int32 in their own type"):
        interop.load("numpy").demand("narrow integers")
    interop.load("numpy").demand("wide integers")


def test_origins_are_each_systems_own():
    for name, wanted in {"numpy": (1, 2), "scipy": (1, 2), "ndimage": (2, 2), "torch": (2, 1), "cv2": (1, 2)}.items():
        f = loaded(name)
        assert (f.origin("convolve", 4), f.origin("correlate", 4)) == wanted, name


def test_derived_modes_need_an_origin_among_the_taps():
    f = Implementation("mine", np.convolve, modes=("full",))
    with pytest.raises(NotImplementedError, match=r"has no mode='same' with origin=\(9,\)"):
        f.apply("convolve", np.ones(5), np.ones(3), "same", origin=9)


def test_names():
    assert interop.load("firconv").convolve is firconv.convolve
    assert interop.load("scipy.ndimage:correlate", "correlate").correlate is interop.function("scipy.ndimage:correlate")
    assert interop.load("firconv.signal").has("correlate")
    assert set(interop.installed()) >= {"firconv", "numpy", "scipy", "ndimage"}


@pytest.mark.parametrize("name, error, message", [
    ("julia", ValueError, "'julia' is no implementation"),
    ("a:b:c", ImportError, "cannot import 'a'"),
    ("numpy:", ValueError, "names no function"),
    (":f", ValueError, "names no function"),
    ("numpy:fft.no", ValueError, "numpy has no 'fft.no'"),
    ("numpy:pi", ValueError, "is no function but float"),
    ("math", TypeError, "neither a function of"),
])
def test_wrong_names(name, error, message):
    with pytest.raises(error, match=message):
        interop.load(name)
