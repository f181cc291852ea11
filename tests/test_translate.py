"""translate: every translation is executed and gives firconv's numbers, or says why there is none."""

from __future__ import annotations

import functools
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import matlab_standin
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import ndimage, signal

import firconv
from firconv.describe import Call
from firconv.identification import identify
from firconv.translation import SYSTEMS, Translation, translate
from firconv.translation.table import CALLS, PLANES, text

RNG = np.random.default_rng(8)


def arrays(ndim, taps=None, complex_=False):
    shape, k = (17, 15, 13)[:ndim], taps or (4, 3, 2)[:ndim]
    draw = [RNG.standard_normal(s) + (1j * RNG.standard_normal(s) if complex_ else 0) for s in (shape, k)]
    return draw[0], draw[1]


def run(found: Translation, x, h):
    """y of pasted code."""
    if found.to == "matlab":
        return matlab_standin.run(found.code, x, h)
    if found.to == "onnx":
        return run_onnx(found.code, x, h)
    if found.to == "torch":
        torch = pytest.importorskip("torch")
        x, h = torch.from_numpy(x.copy()), torch.from_numpy(h.copy())
    elif found.to == "opencv":
        pytest.importorskip("cv2")
    names = {"x": x if found.to == "torch" else x.copy(), "h": h}
    exec(found.code, names)
    return np.asarray(names["y"])


class Nodes:
    """Stands for onnx.helper: remembers the nodes, and makes them where onnx is installed."""

    def __init__(self):
        self.made = []

    def make_node(self, kind, inputs, outputs, **attributes):
        self.made.append((kind, inputs, outputs, attributes))


def run_onnx(code, x, h):
    """The nodes as the operators' specification has them, on torch's convolutions; onnxruntime must agree."""
    torch = pytest.importorskip("torch")
    names, nodes = {"x": x, "h": h}, Nodes()
    exec(code.replace("from onnx import helper", ""), names | {"helper": nodes}, names)
    values = {"x": x[None, None], "w": names["w"], **{n: names.get(n) for n in ("pads", "cuts", "c")}}
    initial = dict(values)
    for kind, inputs, outputs, options in nodes.made:
        given = [values[name] for name in inputs]
        values[outputs[0]] = onnx_pad(*given, **options) if kind == "Pad" else onnx_conv(torch, kind, *given, **options)
    y = values["y"][0, 0]
    theirs = onnxruntime_of(nodes.made, initial)
    if theirs is not None:
        assert theirs.shape == y.shape, code
        bound = 2.0**-24 * (h.size + 2) * max(np.abs(x).max(), abs(values["c"] or 0)) * np.abs(values["w"]).sum()
        assert_allclose(theirs, y, rtol=0, atol=2 * bound, err_msg=code)
    return y


def onnxruntime_of(made, values):
    """What onnxruntime computes, in float32: the only type of its convolutions."""
    if not (find_spec("onnx") and find_spec("onnxruntime")):
        return None
    import onnx
    import onnxruntime
    from onnx import helper

    kinds = {name: (np.int64 if name in ("pads", "cuts") else np.float32) for name in values}
    nodes = [helper.make_node(kind, inputs, outputs, **options) for kind, inputs, outputs, options in made]
    constants = {name for _, inputs, _, _ in made for name in inputs} & set(values) - {"x"}
    weights = [onnx.numpy_helper.from_array(np.array(values[n], kinds[n]), n) for n in sorted(constants)]
    shapes = {"x": values["x"].shape, "y": [None] * values["x"].ndim}
    ends = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    graph = helper.make_graph(nodes, "translated", ends[:1], ends[1:], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    onnx.checker.check_model(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(["y"], {"x": values["x"].astype(np.float32)})[0][0, 0]


def onnx_pad(x, pads, value=0.0, *, mode):
    half = len(pads) // 2
    ends = zip(x.shape, pads[:half], pads[half:], strict=True)
    cut = tuple(slice(max(0, -lo), n - max(0, -hi)) for n, lo, hi in ends)
    widths = [(max(0, lo), max(0, hi)) for lo, hi in zip(pads[:half], pads[half:], strict=True)]
    return np.pad(x[cut], widths, mode, **({"constant_values": value} if mode == "constant" else {}))


def onnx_conv(torch, kind, x, w, pads=None, strides=None, dilations=None, output_padding=None):
    ndim = x.ndim - 2
    pads, strides, dilations = pads or [0] * 2 * ndim, strides or [1] * ndim, dilations or [1] * ndim
    f = torch.nn.functional
    x, w = torch.from_numpy(x.copy()), torch.from_numpy(w.copy())
    if kind == "Conv":
        widths = [v for i in reversed(range(ndim)) for v in (pads[i], pads[ndim + i])]
        return getattr(f, f"conv{ndim}d")(f.pad(x, widths), w, stride=strides, dilation=dilations).numpy()
    y = getattr(f, f"conv_transpose{ndim}d")(x, w, stride=strides, dilation=dilations)
    for i, more in enumerate(output_padding or [0] * ndim):
        widths = [0] * 2 * ndim
        widths[2 * (ndim - 1 - i) + 1] = more
        y = f.pad(y, widths)
    cut = tuple(slice(pads[i], y.shape[2 + i] - pads[ndim + i]) for i in range(ndim))
    return y[(slice(None), slice(None), *cut)].numpy()


def agrees(call, to, ndim, x, h, reference):
    found = translate(call, to, ndim=ndim)
    least = re.search(r"for (\d+) taps or more", " ".join(found.notes))
    if found and not (least and min(h.shape) < int(least[1])):
        y = run(found, x, h)
        assert y.shape == reference.shape, f"{call} → {to}\n{found.code}\n{y.shape} {reference.shape}"
        assert_allclose(y, reference, rtol=0, atol=1e-11 * np.abs(reference).max(), err_msg=f"{call}\n{found.code}")
    else:
        assert found.reason and not found.code and found.reason in str(found)
    return bool(found)


# ── the table, and calls at random ────────────────────────────────────────────────────────────────────────────────────

@pytest.mark.parametrize("to", SYSTEMS)
@pytest.mark.parametrize("call, ndim", [(c, 1) for c in CALLS] + [(c, 2) for c in PLANES])
def test_calls_of_the_table(call, ndim, to):
    for taps in ((4, 3)[:ndim], (5, 4)[:ndim], (1, 1)[:ndim]):
        x, h = arrays(ndim, taps)
        agrees(call, to, ndim, x, h, eval(f"firconv.{call}"))


BOUNDARIES = ["zero", "edge", "symmetric", "reflect", "wrap", "antisymmetric", "antireflect", "omit", ("constant", 2.5),
              ("edge", "reflect")]


def random_call(rng, ndim):
    def pick(values):
        return values[int(rng.integers(len(values)))]

    def per_axis(values):
        return pick(values) if rng.random() < 0.5 else [pick(values) for _ in range(ndim)]

    keywords = {"mode": pick(["full", "same", "valid", (-2, 7)]), "boundary": per_axis(BOUNDARIES),
                "origin": per_axis(["scipy", "ndimage", "torch", "matlab", "causal", "scipy2d", 1, -1])}
    if rng.random() < 0.6:
        keywords |= {name: per_axis([1, 2, 3]) for name in ("up", "down", "dilation") if rng.random() < 0.7}
    return pick(["convolve", "correlate"]), keywords


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("ndim", [1, 2])
@pytest.mark.parametrize("seed", range(4))
def test_random_calls_in_every_system(ndim, seed):
    rng, done = np.random.default_rng(100 * ndim + seed), 0
    for trial in range(25):
        op, keywords = random_call(rng, ndim)
        x, h = arrays(ndim, tuple(int(v) for v in rng.integers(1, 5, ndim)), complex_=trial % 5 == 0)
        reference = getattr(firconv, op)(x, h, **keywords) if valid(op, x, h, keywords) else None
        if reference is None:
            continue
        call = f"{op}(x, h, {', '.join(f'{k}={v!r}' for k, v in keywords.items())})"
        for to in SYSTEMS:
            if not (trial % 5 == 0 and to in ("opencv", "onnx")):
                done += agrees(call, to, ndim, x, h, reference)
    assert done > 50


def valid(op, x, h, keywords):
    """False for renormalised weights that vanish at an end."""
    try:
        getattr(firconv, op)(x, h, **keywords)
    except ValueError as error:
        assert "omit" in str(error) or "no outputs" in str(error), error
        return False
    return True


def test_three_axes():
    x, h = arrays(3)
    y = firconv.correlate(x, h, "same", boundary="edge")
    done = [agrees('correlate(x, h, "same", boundary="edge")', to, 3, x, h, y) for to in SYSTEMS]
    assert done == [True, True, True, True, False, False, True]


# ── plain words where there are plain words ───────────────────────────────────────────────────────────────────────────

PLAIN = [
    ('convolve(x, h, "same")', "numpy", 'np.convolve(x, h, "same")'),
    ('correlate(x, h, "valid", down=2)', "scipy", 'signal.correlate(x, h, "valid")[::2]'),
    ('convolve(x, h, "same", origin="causal")', "scipy", "signal.lfilter(h, [1.0], x)"),
    ("convolve(x, h, up=3, down=2)", "scipy", "signal.upfirdn(h, x, 3, 2)"),
    ('correlate(x, h, "same", boundary="reflect")', "ndimage", 'ndimage.correlate(x, h, mode="mirror")'),
    ('correlate(x, h, "same", boundary="edge", origin=3)', "ndimage", 'mode="nearest", origin=-(K//2) + 3)'),
    ('correlate(x, h, "same", origin="torch")', "torch", 'h.conj()[None, None], padding="same")[0, 0]'),
    ('correlate(x, h, "same", up=2, origin=0)', "onnx", "strides=[2], output_padding=[1])"),
    ("convolve(x, h, up=2)", "torch", "F.conv_transpose1d(x[None, None], h[None, None], stride=2)[0, 0]"),
    ('convolve(x, h, "same", boundary="edge")', "matlab", "conv(x, h, 'valid')"),
    ('convolve(x, h, "same", origin="matlab")', "matlab", "conv(x, h, 'same')"),
    ('convolve(x, h, "same", origin="matlab", boundary="edge")', "matlab",
     "imfilter(x, h, 'replicate', 'same', 'conv')"),
    ('correlate(x, h, "full")', "onnx", 'helper.make_node("Conv", ["x", "w"], ["y"], pads=[K - 1, K - 1])'),
]


@pytest.mark.parametrize("call, to, words", PLAIN)
def test_native_words(call, to, words):
    assert words in translate(call, to).call


def test_opencv_anchor_is_x_before_y():
    found = translate('correlate(x, h, "same", boundary="edge", origin=(0, 2))', "cv2")
    assert "anchor=(2, 0), borderType=cv2.BORDER_REPLICATE" in found.call and found.to == "opencv"


def test_arguments_of_a_translation():
    found = translate('convolve(x, h, "same", boundary="reflect", down=2)', "torch")
    assert found.arguments == {"function": "F.conv1d", "flip": True, "boundary": "reflect", "before": ("K//2",),
                               "after": ("(K - 1)//2",), "stride": (2,), "up": (1,), "dilation": (1,)}
    assert translate('convolve(x, h, "same", boundary="reflect")', "cv2").arguments["boundary"] == "REFLECT_101"
    assert translate('correlate(x, h, "same", boundary="omit")', "numpy").arguments["function"] == "np.correlate"


def test_onnx_adds_samples_at_the_end():
    for up in (2, 3):
        call = f'correlate(x, h, "same", up={up}, origin=0)'
        for k in (1, 2, 5):
            x, h = arrays(1, (k,))
            assert agrees(call, "onnx", 1, x, h, firconv.correlate(x, h, "same", up=up, origin=0))


def test_reasons():
    for call, to, reason in (
        ('convolve(x, h, "same", boundary="symmetric")', "torch", "it has no 'symmetric'"),
        ('convolve(x, h, "same", boundary="antisymmetric")', "numpy", "numpy.pad has no 'antisymmetric'"),
        ('convolve(x, h, (-9, 99), boundary="antisymmetric")', "scipy", "in upfirdn only"),
        ('convolve(x, h, "same", boundary="antisymmetric")', "ndimage", "scipy.ndimage has no"),
        ('convolve(x, h, "same", boundary="antireflect")', "matlab", "padarray has no"),
        ('convolve(x, h, "same", boundary=("wrap", "edge"))', "matlab", "at one end only"),
        ('convolve(x, h, "same", boundary="antireflect")', "cv2", "no border like"),
        ('convolve(x, h, "same", boundary=("wrap", "edge"))', "numpy", "reads from the other end"),
        ('convolve(x, h, "same", boundary=("wrap", "edge"))', "torch", "mixed with another rule"),
        ('convolve(x, h, "same", boundary=("wrap", "edge"))', "cv2", "mixed with another rule"),
        ('convolve(x, h, "same", boundary=("omit", "edge"))', "numpy", "together with another rule"),
        ('convolve(x, h, "same", boundary="omit", up=2)', "numpy", "zeros between the samples"),
        ('convolve(x, h, "same", boundary="omit")', "onnx", "renormalises the weights"),
        ("convolve(x, h, up=2, down=2)", "onnx", "ConvTranspose only"),
        ('convolve(x, h, (0, 99), up=2)', "onnx", "cannot add so many zeros"),
        ('convolve(x, h, (-9, 9), origin=0, up=2)', "onnx", "before the first tap"),
        ('convolve(x, h, "same", up=2)', "matlab", "another window"),
        ('convolve(x, h, "same", boundary=("edge", "wrap"))', "onnx", "this needs several"),
    ):  # fmt: skip
        found = translate(call, to)
        assert not found and reason in found.reason, (call, to, found.code, found.reason)
    for to in ("torch", "opencv", "matlab"):
        found = translate("convolve(x, h)", to, ndim=4)
        assert not found and "axes" in found.reason or "dimensions" in found.reason


# ── from where ────────────────────────────────────────────────────────────────────────────────────────────────────────

def test_from_calls_partials_plans_and_findings():
    text_ = 'correlate(x, h, "same", boundary="reflect", method="direct")'
    code = 'ndimage.correlate(x, h, mode="mirror")'
    assert code in translate(text_, "ndimage").code and code in translate(f"firconv.{text_}", "ndimage").code
    assert code in translate(functools.partial(firconv.correlate, mode="same", boundary="reflect"), "ndimage").code
    assert code in translate(Call("correlate", "same", "reflect"), "ndimage").code
    plan = firconv.plan(((20,), float), np.ones(3), "same", op="correlate", boundary="reflect")
    assert code in translate(plan, "ndimage").code
    assert code in translate(identify(lambda x, h: ndimage.correlate(x, h, mode="mirror")), "ndimage").code


@pytest.mark.parametrize("axes", [0, 1, (0, 1)])
def test_plans_along_some_axes(axes):
    x, h = arrays(2, (4, 3))
    taps = h if axes == (0, 1) else h[:, 0]
    y = firconv.convolve(x, taps, "same", axes=axes, boundary="edge")
    p = firconv.plan(x, taps, "same", axes=axes, boundary="edge")
    done = [agrees(p, to, None, x, taps, y) for to in ("numpy", "scipy.signal", "ndimage", "torch", "opencv")]
    assert done == [True] * 5
    bank = firconv.plan(x, RNG.standard_normal((17, 3)), "same", axes=1)
    assert "taps of its own" in translate(bank, "numpy").reason
    swapped = firconv.plan(x, h, "same", axes=(1, 0))
    assert "another order" in translate(swapped, "numpy").reason


def test_complex_plans():
    x, h = arrays(1, complex_=True)
    p = firconv.plan(x, h, "same", op="correlate")
    for to in ("numpy", "scipy.signal", "ndimage", "torch", "matlab"):
        assert agrees(p, to, None, x, h, p(x))
    assert "real" in translate(p, "opencv").reason and "real" in translate(p, "onnx").reason


FINDINGS = {
    "np.convolve": (lambda x, h: np.convolve(x, h, "same"), 1),
    "ndimage, origin": (lambda x, h: ndimage.convolve(x, h, mode="mirror", origin=-1), 1),
    "upfirdn": (lambda x, h: signal.upfirdn(h, x, 2, 3), 1),
    "correlate2d": (lambda x, h: signal.correlate2d(x, h, "same", "symm"), 2),
    "normalised": (lambda x, h: 2 * np.convolve(x, h) / np.abs(h).sum(), 1),
    "convolution with conjugated signal": (lambda x, h: np.convolve(x.conj(), h), 1),
    "constant": (lambda x, h: ndimage.correlate(x, h, mode="constant", cval=2.0), 1),
}  # fmt: skip


@pytest.mark.parametrize("name", FINDINGS)
def test_what_identify_found_is_translated_everywhere(name):
    f, ndim = FINDINGS[name]
    found = identify(f, ndim)
    x, h = arrays(ndim, (5, 3)[:ndim])
    assert sum(agrees(found, to, None, x, h, f(x, h)) for to in SYSTEMS) >= 4


@pytest.mark.parametrize("norm", ["h.sum()", "np.abs(h).sum()", "h.size", "np.linalg.norm(h)", "np.abs(h).max()"])
def test_normalised_taps_are_translated_everywhere(norm):
    def f(x, h):
        return np.convolve(x, h) / eval(norm, {"h": h, "np": np})

    x, h = arrays(1)
    assert all(agrees(identify(f), to, None, x, h, f(x, h)) for to in SYSTEMS)


def test_findings_with_taps_inside_write_them():
    found = identify(lambda x: ndimage.gaussian_filter(x, 1.0, mode="nearest"))
    x = RNG.standard_normal(30)
    for to in SYSTEMS:
        assert agrees(found, to, None, x, found.fir.taps, ndimage.gaussian_filter(x, 1.0, mode="nearest")), to
        assert "0.3989" in translate(found, to).code


def test_mistakes_are_sentences():
    with pytest.raises(ValueError, match="to='fortran' is unknown: use one of numpy"):
        translate("convolve(x, h)", "fortran")
    for bad in ("convolve(x", "x + h", "smooth(x, h)", "convolve(x)", "convolve(x, h, mode=m)"):
        with pytest.raises(ValueError, match="is no call"):
            translate(bad, "numpy")
    for bad in (3, functools.partial(np.convolve), functools.partial(firconv.convolve, np.ones(3))):
        with pytest.raises(TypeError, match="is no call"):
            translate(bad, "numpy")
    with pytest.raises(ValueError, match="no keyword 'stride'"):
        translate("convolve(x, h, stride=2)", "numpy")
    with pytest.raises(ValueError, match="give a plan instead"):
        translate("convolve(x, h, axes=0)", "numpy")
    with pytest.raises(ValueError, match="mode='center' is unknown"):
        translate('convolve(x, h, "center")', "numpy")
    with pytest.raises(ValueError, match="boundary='mirror' means two things"):
        translate('convolve(x, h, boundary="mirror")', "numpy")
    with pytest.raises(ValueError, match="origin='left' is unknown"):
        translate('convolve(x, h, "same", origin="left")', "numpy")
    with pytest.raises(ValueError, match="was not identified"):
        translate(identify(np.cumsum), "numpy")


# ── MATLAB's own documented examples ──────────────────────────────────────────────────────────────────────────────────

MAGIC = np.array([[17, 24, 1, 8, 15], [23, 5, 7, 14, 16], [4, 6, 13, 20, 22], [10, 12, 19, 21, 3], [11, 18, 25, 2, 9]])


def test_documented_example_of_conv():
    """conv(u, v, 'same') with u = [-1 2 3 -2 0 1 2], v = [2 4 -1 1]."""
    u, v = np.array([-1, 2, 3, -2, 0, 1, 2]), np.array([2, 4, -1, 1])
    assert translate('convolve(x, h, "same", origin="matlab")', "matlab").code == "y = conv(x, h, 'same');"
    assert_array_equal(firconv.convolve(u, v, "same", origin="matlab"), [15, 5, -9, 7, 6, 7, -1])
    assert_array_equal(matlab_standin.conv2(u[None], v[None], "same")[0], [15, 5, -9, 7, 6, 7, -1])


def test_documented_example_of_imfilter():
    """imfilter(magic(5), [-1 0 1]), and the same with 'conv', which is its negative."""
    wanted = np.array([[24, -16, -16, 14, -8], [5, -16, 9, 9, -14], [6, 9, 14, 9, -20], [12, 9, 9, -16, -21],
                       [18, 14, -16, -16, -2]])
    h = np.array([[-1, 0, 1]])
    assert_array_equal(firconv.correlate(MAGIC, h, "same", origin="matlab"), wanted)
    assert_array_equal(matlab_standin.imfilter(MAGIC, h, 0, "same", "corr"), wanted)
    assert_array_equal(matlab_standin.imfilter(MAGIC, h, 0, "same", "conv"), -wanted)
    edge = translate('correlate(x, h, "same", origin="matlab", boundary="edge")', "matlab", ndim=2)
    assert edge.code == "y = imfilter(x, conj(h), 'replicate', 'same', 'corr');"


def test_documented_example_of_convolution_and_correlation_of_images():
    """The (2, 4) output for magic(5) and h = [8 1 6; 3 5 7; 4 9 2]: 575 by convolution, 585 by correlation."""
    h = np.array([[8, 1, 6], [3, 5, 7], [4, 9, 2]])
    assert firconv.convolve(MAGIC, h, "same", origin="matlab")[1, 3] == 575
    assert firconv.correlate(MAGIC, h, "same", origin="matlab")[1, 3] == 585
    assert matlab_standin.imfilter(MAGIC, h, 0, "same", "conv")[1, 3] == 575


def test_documented_example_of_padarray():
    """padarray([1 2; 3 4], [3 2], 'replicate', 'post')."""
    wanted = [[1, 2, 2, 2], *[[3, 4, 4, 4]] * 4]
    assert_array_equal(matlab_standin.padarray(np.array([[1, 2], [3, 4]]), [3, 2], "replicate", "post"), wanted)


def test_onnx_documented_example_of_conv():
    """The operator's example "conv with padding": a 5 by 5 ramp, ones of 3 by 3."""
    x, h = np.arange(25.0).reshape(5, 5), np.ones((3, 3))
    found = translate('correlate(x, h, "same")', "onnx", ndim=2)
    assert_array_equal(run(found, x, h)[:2], [[12, 21, 27, 33, 24], [33, 54, 63, 72, 51]])


# ── the page ──────────────────────────────────────────────────────────────────────────────────────────────────────────

def test_the_page_is_what_the_command_writes():
    page = Path(firconv.__file__).parents[1] / "docs" / "conventions-table.md"
    if not page.exists():
        pytest.skip("no docs beside the package")
    assert page.read_text(encoding="utf-8") == text(), "run python -m firconv.translation > docs/conventions-table.md"


def test_the_command_prints_the_page():
    done = subprocess.run([sys.executable, "-X", "utf8", "-m", "firconv.translation"], capture_output=True, timeout=60,
                          cwd=Path(firconv.__file__).parents[1], check=True)
    assert done.stdout.decode() == text()
