"""``firconv design`` and ``firconv plot``: what they print and write, how a filter travels, and what they refuse."""

import io
import re

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from firconv import FIR, convolve, correlate, design
from firconv.cli import main
from firconv.cli.tapfiles import read_filter, write_filter
from firconv.files import Signal, read, write

RNG = np.random.default_rng(3)
SOUND = (RNG.integers(-8000, 8000, 2000) / 32768).astype("float32")
LOWPASS = "lowpass --pass 1000 --stop 1500 --ripple 0.5 --atten 40 --fs 8000"


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write("sound.wav", Signal(SOUND, "sound", rate=8000, subtype="FLOAT"))
    write("line.npy", RNG.standard_normal(100))
    write("h.npy", np.array([1.0, 2.0, 1.0]))
    return tmp_path


def run(words, capsys):
    code = main(words if isinstance(words, list) else words.split())
    return code, *capsys.readouterr()


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# ── design ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_design_prints_what_it_achieved_and_keeps_the_filter(here, capsys):
    code, out, err = run(f"design {LOWPASS} -o new.npy", capsys)
    wanted = design.lowpass(1000, 1500, 0.5, 40, fs=8000, parity="odd")
    assert code == 0 and err == ""
    assert out.splitlines()[:4] == str(wanted.report).splitlines()
    assert re.search(r"1500 … 4000 +≥ 40\.00 dB down +4\d\.\d\d dB +\+", out)
    assert out.splitlines()[4] == f"new.npy: {wanted.taps.size} taps, origin {wanted.origin}, fs 8000"
    assert_array_equal(np.load("new.npy"), wanted.taps)


@pytest.mark.parametrize("words, wanted", [
    ("highpass --pass .3 --stop .2 --atten 40", lambda: design.highpass(0.3, 0.2, atten_db=40)),
    ("bandpass --pass .2 .3 --stop .1 .4 --atten 40 --method window --parity any",
     lambda: design.bandpass((0.2, 0.3), (0.1, 0.4), atten_db=40, method="window")),
    ("bandstop --pass 100 400 --stop 200 300 --fs 1000 --ripple 1 --atten 30",
     lambda: design.bandstop((100, 400), (200, 300), 1, 30, fs=1000)),
    ("hilbert --pass .05 .45 --method least_squares", lambda: design.hilbert(0.05, 0.45, method="least-squares")),
    ("hilbert --pass .05 .5 --parity even", lambda: design.hilbert(0.05, 0.5, parity="even")),
    ("differentiator --pass .3", lambda: design.differentiator(0.3)),
    ("differentiator --pass .2 --stop .3 --atten 30", lambda: design.differentiator(0.2, 0.3, atten_db=30)),
    ("lowpass --pass .1 --stop .2 --atten 40 --taps-count 41", lambda: design.lowpass(0.1, 0.2, 0.1, 40, taps=41)),
    ("lowpass --pass .1 --stop .2 --atten 40 --minimum-phase",
     lambda: design.minimum_phase(design.lowpass(0.1, 0.2, 0.1, 40, parity="odd"))),
])
def test_every_kind_and_option(here, capsys, words, wanted):
    code, out, _ = run(f"design {words} -o new.npz", capsys)
    assert code == 0 and "meets the specification" in out
    fir = read_filter("new.npz")
    assert fir == wanted() and str(fir.report) == str(wanted().report)


def test_design_without_a_file_only_prints(here, capsys):
    before = files(here)
    code, out, _ = run(f"design {LOWPASS}", capsys)
    assert code == 0 and out.startswith("lowpass, equiripple, ") and files(here) == before


def test_design_draws_what_it_designed(here, capsys):
    assert run(f"design {LOWPASS} --plot new.png", capsys)[0] == 0
    assert Image.open("new.png").format == "PNG"


def test_a_lost_origin_is_said(here, capsys):
    _, out, err = run(f"design {LOWPASS} --minimum-phase -o new.npy", capsys)
    assert "origin 0" in out
    advice = r"apply it with --origin 0, or write \.npz\n"
    assert re.fullmatch(r"note: new\.npy holds no origin, .* middle tap, \d+; " + advice, err)
    assert run(f"design {LOWPASS} --minimum-phase -o new.npz", capsys)[2] == ""


# ── the filter on its way ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("extra", ["", " --minimum-phase"])
def test_filter_applies_a_designed_filter_with_its_origin(here, capsys, extra):
    run(f"design {LOWPASS}{extra} -o new.npz", capsys)
    assert run("filter sound.wav -o out.wav --taps new.npz", capsys)[0] == 0
    fir = read_filter("new.npz")
    assert fir.origin == (0 if extra else fir.taps.size // 2)
    assert_allclose(read("out.wav").array, fir(SOUND.astype(float)), atol=1e-6)


def test_filter_leaves_no_delay_with_bare_taps(here, capsys):
    run(f"design {LOWPASS} -o new.npy", capsys)
    t = np.arange(2000) / 8000
    tone = np.sin(2 * np.pi * 500 * t).astype("float32")
    write("tone.wav", Signal(tone, "sound", rate=8000, subtype="FLOAT"))
    assert run("filter tone.wav -o out.wav --taps new.npy", capsys)[0] == 0
    assert_allclose(read("out.wav").array[100:-100], tone[100:-100], atol=0.04)


def test_the_origin_can_still_be_chosen(here, capsys):
    write_filter("late.npz", FIR([1.0, 2.0], origin=-3))
    x = np.load("line.npy")
    run("filter line.npy -o a.npy --taps late.npz", capsys)
    assert_allclose(np.load("a.npy"), convolve(x, [1.0, 2.0], "same", origin=-3))
    run("filter line.npy -o b.npy --taps late.npz --origin 0", capsys)
    assert_allclose(np.load("b.npy"), convolve(x, [1.0, 2.0], "same", origin=0))


def test_bare_even_taps_follow_the_library_in_both_operations(here, capsys):
    x, taps = np.load("line.npy"), [1.0, 2.0, 4.0, 8.0]
    for option, call in (("", convolve), (" --correlate", correlate)):
        run(f"filter line.npy -o a.npy --taps 1,2,4,8{option}", capsys)
        assert_allclose(np.load("a.npy"), call(x, taps, "same"))


def test_a_filter_survives_its_file(here):
    slope = design.arbitrary([0, 0.2, 0.3, 0.5], [1, 0.5, 0, 0], 0.05)
    derivative = design.differentiator(0.2, 0.3, atten_db=30)
    plain = FIR([1, 2, 3], origin=-7, fs=44100), FIR([[1j, 2]], origin=(0, 1))
    for fir in (*plain, design.hilbert(0.05, 0.45), derivative, slope):
        write_filter("f.npz", fir)
        again = read_filter("f.npz")
        assert again == fir and again.report == fir.report
    np.savez("other.npz", b=np.ones(3), c=np.ones(2))
    assert read_filter("other.npz", "c") == FIR([1.0, 1.0])
    assert read_filter("1,2,1,4", correlate=True).origin == 2


@pytest.mark.parametrize("arrays, words", [
    ({"taps": [1, 2], "origin": [0, 1]}, "do not fit its taps"), ({"taps": [1, 2], "origin": 0.5}, "do not fit"),
    ({"taps": [1, 2], "origin": 0, "fs": -1.0}, "do not fit"), ({"taps": [1, np.nan], "origin": 0}, "must be finite"),
    ({"taps": [1, 2], "origin": 0, "bands": np.ones((1, 3))}, "do not fit"),
    ({"taps": [], "origin": 0}, "at least one"),
])
def test_damaged_filters_are_refused(here, capsys, arrays, words):
    np.savez("bad.npz", **{name: np.array(value) for name, value in arrays.items()})
    code, _, err = run("filter line.npy -o out.npy --taps bad.npz", capsys)
    assert code == 2 and words in err and err.count("\n") == 1 and not (here / "out.npy").exists()


def test_another_rate_is_refused(here, capsys):
    run(f"design {LOWPASS} -o new.npz", capsys)
    write("fast.wav", Signal(SOUND, "sound", rate=48000, subtype="FLOAT"))
    code, _, err = run("filter fast.wav -o out.wav --taps new.npz", capsys)
    assert code == 2 and "designed for 8000 samples per second, and the signal has 48000" in err
    assert run("filter line.npy -o out.npy --taps new.npz", capsys)[0] == 0  # an array says no rate


# ── plot ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("words, said", [
    ("h.npy", "h.npy"), ("1,2,1", "1,2,1"), ("--taps -1,2,-1", "taps -1,2,-1"), ("--sobel x", "sobel x"),
    ("--gaussian 2 --dims 2", "gaussian 2"), ("--gaussian 2", "gaussian 2"), (LOWPASS, "lowpass"),
    ("h.npy 1,1 --box 3", "h.npy, 1,1, box 3"), ("--lowpass 1500 --fs 8000", "lowpass 1500"),
])
def test_plot_draws_files_kernels_and_designs(here, capsys, words, said):
    code, out, err = run(f"plot {words} -o out.png --dpi 30", capsys)
    assert (code, out, err) == (0, f"out.png: {said}\n", "")
    picture = np.asarray(Image.open("out.png").convert("L"))
    assert picture.min() < 60 and picture.max() == 255 and min(picture.shape) > 200


@pytest.mark.parametrize("suffix, start", [("svg", b"<?xml"), ("pdf", b"%PDF"), ("PNG", b"\x89PNG")])
def test_plot_writes_the_formats_that_names_say(here, capsys, suffix, start):
    assert run(f"plot h.npy -o out.{suffix}", capsys)[0] == 0
    assert (here / f"out.{suffix}").read_bytes().startswith(start)


def test_plot_gives_bare_taps_the_rate_of_the_others(here, capsys, monkeypatch):
    from firconv import plots

    seen = []
    monkeypatch.setattr(plots, "compare", lambda systems, labels: seen.extend(systems) or plots.overview([1]))
    run(f"design {LOWPASS} -o new.npz", capsys)
    run("plot new.npz h.npy -o out.png --dpi 20", capsys)
    assert [fir.fs for fir in seen] == [8000, 8000] and seen[1].taps.tolist() == [1, 2, 1]


# ── mistakes ──────────────────────────────────────────────────────────────────────────────────────────────────────────

MISTAKES = {
    "design lowpass --pass 3400 --stop 3000 --fs 44100 -o e.npy": "out of order",
    "design lowpass --pass 3000 --stop 34000 --fs 44100 -o e.npy": "fs/2 = 22050",
    "design lowpass --pass 3000 --stop 3400 -o e.npy": "if the edges are in Hz, say the rate with --fs",
    "design highpass --pass 100 --stop 200 --fs 1000 -o e.npy": "out of order",
    "design lowpass --pass 3000 -o e.npy": "--stop takes one frequency, not 0",
    "design bandpass --pass 1 --stop 2 3 -o e.npy": "--pass takes two frequencies, LO HI, not 1",
    "design hilbert --pass .1 .2 --stop .3 -o e.npy": "--stop takes no frequency, not 1",
    "design differentiator --pass .1 --stop .2 .3 -o e.npy": "--stop takes one frequency, or none, not 2",
    "design lowpass --pass .1 --stop .2 --taps-count 0 -o e.npy": "at least 3",
    "design lowpass --pass .1 --stop .2 --taps-count 9 -o e.npy": r"0\.2 … 0\.5: asked ≥ 60\.00 dB down, got 2\d",
    "design lowpas --pass 1 -o e.npy": "invalid choice: 'lowpas'",
    "design lowpass --pass x --stop .2 -o e.npy": "'x' is not a number",
    "design lowpass --pass .1 --stop nan -o e.npy": "not a finite number",
    "design lowpass --pass .1 --stop .2 --method remez -o e.npy": "invalid choice: 'remez'",
    "design lowpass --pass .1 --stop .2 -o nowhere/e.npy": "does not exist",
    "design lowpass --pass .1 --stop .2 -o e.wav": "a filter is kept as .npy .npz .csv",
    "design lowpass --pass .1 --stop .2 -o e.npy --plot e.bmp": "a figure is one of .png .svg .pdf",
    "design lowpass --pass .1 --stop .2 -o e.npy --plot nowhere/e.png": "does not exist",
    "design lowpass --pass .1 --stop .2 --atten -3 -o e.npy": "attenuation is positive",
    "design lowpass --pass .1 --stop .2 --ripple 0 -o e.npy": "ripple is positive",
    "design lowpass --pass .1 --stop .2 --fs 0 -o e.npy": "rate is a positive number",
    "design hilbert --pass .05 .5 -o e.npy": "no filter of odd length",
    "plot -o e.png": "nothing to draw",
    "plot none.npy -o e.png": "No such file",
    "plot sobel -o e.png": "a named kernel is an option, --sobel",
    "plot nosuch -o e.png": "'nosuch' is no taps: give 1,2,1, a .npy, .npz or .csv file, or one of lowpass, ",
    "plot h.npy -o e.gif": "a figure is one of .png .svg .pdf",
    "plot h.npy -o nowhere/e.png": "does not exist",
    "plot h.npy -o e.png --dpi 3": "give 20 to 1200",
    "plot 0,0,0 -o e.png": "all taps are zero",
    "plot --disk 2 --dims 1 -o e.png": "--disk --dims 1: this kernel needs --dims 2",
    "plot --lowpass .1 --dims 2 -o e.png": "needs --dims 1",
    "plot h.npy --sobel x -o e.png": "sobel x: filters of two dimensions are drawn one at a time",
    "plot --gaussian -1 -o e.png": "must be positive",
    "plot lowpass -o e.png": "--pass takes one frequency, not 0",
}


@pytest.mark.parametrize("words", MISTAKES)
def test_a_mistake_is_one_line_and_writes_nothing(here, capsys, words):
    before = files(here)
    code, out, err = run(words, capsys)
    assert code == 2 and out == "" and re.search(MISTAKES[words], err)
    assert err.count("\n") == 1 and err.startswith(f"firconv {words.split()[0]}: ")
    assert files(here) == before


def test_a_rate_that_contradicts_the_file(here, capsys):
    run(f"design {LOWPASS} -o new.npz", capsys)
    code, _, err = run("plot new.npz --fs 44100 -o e.png", capsys)
    assert code == 2 and "new.npz says fs 8000 itself" in err and not (here / "e.png").exists()


def test_an_interrupted_figure_leaves_the_old_one(here, capsys, monkeypatch):
    from matplotlib.figure import Figure

    def broken(self, path, **how):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device", str(path))

    (here / "old.png").write_bytes(b"old")
    before = files(here)
    monkeypatch.setattr(Figure, "savefig", broken)
    code, _, err = run("plot h.npy -o old.png", capsys)
    assert code == 2 and "No space left" in err and files(here) == before


def test_help_is_complete(capsys):
    for command in ("design", "plot"):
        assert main([command, "--help"]) == 0
        text = capsys.readouterr().out
        assert "examples:" in text and "--pass" in text and "%(" not in text
    assert io.StringIO(text).readline().startswith("usage: firconv plot")
