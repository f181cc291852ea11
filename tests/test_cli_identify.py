"""``firconv identify`` and ``firconv translate``: reports within 80 columns, exit codes, mistakes in one line."""

import sys
import textwrap

import numpy as np
import pytest

from firconv.cli import main

MODULE = """
import numpy as np

def smooth(x):
    return np.convolve(x, [0.25, 0.5, 0.25], "same")

def swapped(h, x):
    return np.convolve(x, h, "valid"), "and more"

def lost(x, h):
    raise RuntimeError("no device")

def rectified(x, h):
    return np.maximum(np.convolve(x, h), 0)

def stuck(x, h):
    while True:
        pass
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "boxes_of_mine", raising=False)
    (tmp_path / "boxes_of_mine.py").write_text(textwrap.dedent(MODULE))
    return tmp_path


def run(command, words, capsys):
    code = main([command, *words])
    return code, *capsys.readouterr()


FOUND = [
    (["scipy.ndimage:correlate"], ["correlation of the signal", "ndimage reflect, cv2 BORDER_REFLECT"]),
    (["scipy.ndimage:convolve", "--ndim", "2", "--keyword", "mode=mirror", "--keyword", "origin=(0, -1)"],
     ["(mode=mirror, origin=(0, -1)): convolution", "axis 0: same, origin c = K//2; axis 1: same, origin c ="]),
    (["scipy.signal:upfirdn", "--keyword", "up=3", "--keyword", "down=2"], ["up 3, down 2, dilation 1"]),
    (["scipy.signal:lfilter"], ["origin c = 0 (causal)"]),
    (["scipy.ndimage:uniform_filter", "--keyword", "size=4"], ["taps 4: [0.25, 0.25, 0.25, 0.25]"]),
    (["numpy:convolve", "--keyword", "mode=same", "--to", "torch"],
     ["the same in torch:", "y = F.conv1d(x[None, None], h.flip(0)"]),
    (["boxes_of_mine:smooth"], ["filter with fixed taps", "[0.25, 0.5 , 0.25]"]),
    (["boxes_of_mine:swapped", "--call", "f(h, x)[0]"], ["convolution of the signal", "window valid"]),
    (["numpy:convolve", "--call", "f(x, np.flip(h))"], ["correlation of the signal"]),
]


@pytest.mark.parametrize("words, lines", FOUND, ids=lambda v: v[0] if isinstance(v, list) else None)
def test_what_is_found(words, lines, here, capsys):
    code, out, _ = run("identify", words, capsys)
    assert code == 0, out
    for line in lines:
        assert line in " ".join(out.split()), out
    report = out.split("\n\nthe same")[0].splitlines()[1:]
    assert max(map(len, report)) <= 80


def test_other_packages(capsys):
    pytest.importorskip("cv2")
    words = ["cv2:filter2D", "--ndim", "2", "--keyword", "borderType=BORDER_REFLECT_101"]
    code, out, _ = run("identify", words, capsys)
    assert code == 0 and "boundary     reflect" in out and "rounded to even and saturated" in " ".join(out.split())


def test_torch_layers_are_lifted(capsys):
    pytest.importorskip("torch")
    code, out, _ = run("identify", ["torch.nn.functional:conv2d", "--keyword", "dilation=2"], capsys)
    assert code == 0 and "up 1, down 1, dilation 2" in out and "window       valid" in out


REFUSED = [
    (["boxes_of_mine:lost"], "RuntimeError: no device"),
    (["boxes_of_mine:rectified"], "not linear: f(−x) is not −f(x)"),
    (["boxes_of_mine:stuck", "--limit", "0.5"], "the limit of 0.5 s for everything was reached: it was abandoned"),
    (["scipy.ndimage:median_filter", "--keyword", "size=3"], "not linear"),
    (["numpy:convolve", "--ndim", "2"], "no call succeeded"),
]


@pytest.mark.parametrize("words, reason", REFUSED, ids=lambda v: v[0] if isinstance(v, list) else None)
def test_what_is_not_identified_is_exit_code_1(words, reason, here, capsys):
    code, out, err = run("identify", words, capsys)
    assert code == 1 and err == ""
    assert "not identified" in out and reason in " ".join(out.split())


@pytest.mark.parametrize("words, message", [
    (["numpy:no_such"], "numpy has no 'no_such'"),
    (["numpy"], "'numpy' names no function"),
    (["no_such_module:f"], "cannot import 'no_such_module'"),
    (["numpy:convolve", "--keyword", "mode"], "--keyword mode: write NAME=VALUE"),
    (["numpy:convolve", "--call", "f(h"], "--call 'f(h' is no expression"),
    (["numpy:convolve", "--call", "g(x, h)"], "must use f and x"),
    (["numpy:convolve", "--to", "julia"], "to='julia' is unknown"),
    (["numpy:convolve", "--limit", "0"], "is no time"),
    (["numpy:convolve", "--ndim", "5"], "invalid choice: 5"),
])
def test_mistakes_are_one_line(words, message, here, capsys):
    code, out, err = run("identify", words, capsys)
    assert code == 2 and out == ""
    assert message in err and err.count("\n") == 1


def test_a_translation_can_be_pasted(capsys):
    code, out, _ = run("translate", ['correlate(x, h, "same", boundary="edge")', "--to", "ndimage"], capsys)
    space = {"x": np.arange(6.0), "h": np.array([1.0, 2, 0])}
    exec(out, space)
    assert code == 0 and space["y"].tolist() == [0.0, 2, 5, 8, 11, 14]


def test_all_systems(capsys):
    code, out, _ = run("translate", ['convolve(x, h, "same", boundary="symmetric")', "--ndim", "2"], capsys)
    heads = [line for line in out.splitlines() if line.endswith(":") and " " not in line]
    assert code == 0
    assert heads == ["numpy:", "scipy.signal:", "scipy.ndimage:", "torch:", "opencv:", "matlab:", "onnx:"]
    assert "torch cannot: torch pads with zeros" in out


def test_what_a_system_cannot_is_exit_code_1(capsys):
    code, out, _ = run("translate", ["convolve(x, h, up=2, down=3)", "--to", "onnx"], capsys)
    assert code == 1 and out.startswith("onnx cannot: ONNX stuffs zeros in ConvTranspose only")


@pytest.mark.parametrize("words, message", [
    (["smooth(x, h)"], "is no call"),
    (["convolve(x, h)", "--to", "julia"], "to='julia' is unknown"),
    (["convolve(x, h, boundary='mirror')"], "boundary='mirror' means two things"),
    (["convolve(x, h, stride=2)"], "no keyword 'stride'"),
])
def test_mistakes_of_translate(words, message, capsys):
    code, out, err = run("translate", words, capsys)
    assert code == 2 and out == "" and message in err and err.count("\n") == 1
