"""The command line: real files through it, and one line with exit code 2 for everything that can be wrong."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

import firconv
from firconv import cost, filters
from firconv.cli import main
from firconv.cli.kernels import parse_taps
from firconv.files import Signal, read, write

RNG = np.random.default_rng(11)
PHOTO = RNG.integers(0, 256, (40, 50, 3), "uint8")
SOUND = (RNG.integers(-8000, 8000, (3000, 2)) / 32768).astype("float32")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write("photo.png", Signal(PHOTO, "image"))
    write("sound.wav", Signal(SOUND, "sound", rate=8000, subtype="PCM_16"))
    write("line.npy", RNG.standard_normal(100))
    write("plane.npy", RNG.standard_normal((20, 30)))
    return tmp_path


def run(words, capsys):
    """Exit code, standard output and standard error of one command."""
    code = main(words if isinstance(words, list) else words.split())
    return code, *capsys.readouterr()


def listing(folder):
    return {path.name: (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*")}


def process(words, **options):
    environment = {**os.environ, "PYTHONPATH": str(Path(firconv.__file__).parents[1])}
    command = [sys.executable, "-m", "firconv", *words]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


# ── filters ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def rounded(y):
    return np.clip(np.rint(y), 0, 255).astype("uint8")


def on_photo(fir):
    return firconv.convolve(PHOTO, fir.taps, "same", boundary="reflect", axes=(0, 1), origin=fir.origins)


KERNELS = {
    "--gaussian 1.5": lambda: filters.gaussian(1.5, 2),
    "--box 3": lambda: filters.box(3, 2),
    "--binomial 4": lambda: filters.binomial(4, 2),
    "--unsharp 2 0.5": lambda: filters.unsharp(2.0, 0.5),
    "--sharpen 1": lambda: filters.sharpen(1.0),
    "--laplacian": lambda: filters.laplacian(),
    "--log 1": lambda: filters.laplacian_of_gaussian(1.0),
    "--sobel x": lambda: filters.sobel(axis=1, integer=True),
    "--sobel y": lambda: filters.sobel(axis=0, integer=True),
    "--prewitt x": lambda: filters.prewitt(axis=1, integer=True),
    "--scharr y": lambda: filters.scharr(axis=0, integer=True),
    "--disk 2": lambda: filters.disk(2.0),
    "--motion 5 30": lambda: filters.motion_blur(5.0, 30.0),
    "--taps 1,0,-1;2,0,-2;1,0,-1": lambda: filters.sobel(axis=1, integer=True),
}


@pytest.mark.parametrize("option", KERNELS)
def test_every_named_kernel_on_an_image(here, capsys, option):
    code, out, _ = run(f"filter photo.png -o out.png {option}", capsys)
    assert code == 0 and out.startswith("photo.png → out.png: 40 × 50 × 3 uint8")
    difference = read("out.png").array.astype(int) - rounded(on_photo(KERNELS[option]()))
    assert np.abs(difference).max() <= 1 and np.mean(difference != 0) < 0.01  # float32 against float64, at halves


def test_sobel_brightens_to_the_right(here, capsys):
    write("ramp.png", np.tile(np.arange(0, 100, 2, dtype="uint8"), (9, 1)))
    run("filter ramp.png -o out.npy --sobel x", capsys)
    assert np.load("out.npy")[4, 10] == 16 and np.load("out.npy").dtype == np.int64


@pytest.mark.parametrize(
    ("option", "passed", "stopped"),
    [
        ("--lowpass 1000", (100, 700), (1400, 3900)),
        ("--highpass 1000", (1300, 3800), (100, 700)),
        ("--bandpass 500 1500", (700, 1300), (100, 2200)),
        ("--bandstop 500 1500", (100, 2500), (800, 1200)),
    ],
)
def test_bands_on_sound(here, capsys, option, passed, stopped):
    seconds = np.arange(16_000) / 8000
    for frequencies, gain in ((passed, 1), (stopped, 0)):
        for f in frequencies:
            tone = 0.5 * np.sin(2 * np.pi * f * seconds)
            write("tone.wav", Signal(tone, "sound", rate=8000, subtype="DOUBLE"))
            assert run(f"filter tone.wav -o out.wav {option}", capsys)[0] == 0
            assert_allclose(read("out.wav").array[2000:-2000], gain * tone[2000:-2000], atol=0.002)


def test_sharper_transition_and_number_of_taps(here, capsys):
    _, out, _ = run("filter sound.wav -o out.wav --lowpass 1000 --transition 50", capsys)
    assert "(583 taps)" in out
    _, out, _ = run("filter sound.wav -o out.wav --lowpass 1000 --taps-count 31 --attenuation 40", capsys)
    assert "(31 taps)" in out


@pytest.mark.parametrize("name", ["h.npy", "h.csv", "h.npz"])
def test_taps_from_a_file(here, capsys, name):
    write(name, np.array([0.25, 0.5, 0.25]))
    assert run(f"filter line.npy -o out.npy --taps {name}", capsys)[0] == 0
    assert_array_equal(np.load("out.npy"), firconv.convolve(np.load("line.npy"), [0.25, 0.5, 0.25], "same"))


def test_taps_as_text():
    assert_array_equal(parse_taps("1,2,1"), [1, 2, 1])
    assert parse_taps("1,2,1").dtype == np.int64 and parse_taps("1,2.0").dtype == float
    assert_array_equal(parse_taps("-1/4, .5,1e-1"), [-0.25, 0.5, 0.1])
    assert_array_equal(parse_taps("1;2"), [[1], [2]])


def test_taps_may_begin_with_a_minus_sign(here, capsys):
    assert run("filter line.npy -o out.npy --taps -1,2,-1", capsys)[0] == 0
    assert_array_equal(np.load("out.npy"), firconv.convolve(np.load("line.npy"), [-1.0, 2, -1], "same"))


def test_one_dimensional_taps_run_along_rows(here, capsys):
    _, out, _ = run("filter photo.png -o out.npy --taps 1/2,0,-1/2", capsys)
    assert "along the rows" in out
    expected = firconv.convolve(PHOTO, np.array([0.5, 0, -0.5], "float32"), "same", boundary="reflect", axes=1)
    assert_allclose(np.load("out.npy"), expected, atol=1e-4)
    _, out, _ = run("filter photo.png -o down.npy --taps 1/2,0,-1/2 --axes 0", capsys)
    assert "along the columns" in out


# ── keywords ──────────────────────────────────────────────────────────────────────────────────────────────────────────


CALLS = {
    "--boundary edge": {"boundary": "edge"},
    "--boundary constant=2.5": {"boundary": ("constant", 2.5)},
    "--boundary zero/edge": {"boundary": ("zero", "edge")},
    "--boundary reflect,wrap": {"boundary": ["reflect", "wrap"]},
    "--boundary ndimage:mirror": {"boundary": "ndimage:mirror"},
    "--mode full": {"mode": "full"},
    "--mode valid": {"mode": "valid"},
    "--mode -2:5": {"mode": [(-2, 5), (-2, 5)]},
    "--mode 1:5,2:9": {"mode": [(1, 5), (2, 9)]},
    "--origin 0": {"origin": (0, 0)},
    "--origin 0,2": {"origin": (0, 2)},
    "--origin causal": {"origin": "causal"},
    "--method direct": {"method": "direct"},
    "--method fft": {"method": "fft"},
    "--workers 1": {},
}


@pytest.mark.parametrize("option", CALLS)
def test_keywords_reach_the_library(here, capsys, option):
    h = np.array([[1, 2.5, -1], [0, 3, 1]])
    assert run(f"filter plane.npy -o out.npy --taps 1,2.5,-1;0,3,1 {option}", capsys)[:1] == (0,)
    expected = firconv.convolve(np.load("plane.npy"), h, **{"mode": "same", **CALLS[option]})
    assert_allclose(np.load("out.npy"), expected, rtol=1e-9, atol=1e-9)


def test_correlate_does_not_flip(here, capsys):
    run("filter line.npy -o out.npy --taps 1,2,3,4 --correlate", capsys)
    assert_allclose(np.load("out.npy"), firconv.correlate(np.load("line.npy"), [1.0, 2, 3, 4], "same"), rtol=1e-12)


def test_floats_are_not_widened_and_integers_stay_exact(here, capsys):
    write("single.npy", np.arange(9, dtype="float32"))
    run("filter single.npy -o out.npy --gaussian 1", capsys)
    assert np.load("out.npy").dtype == np.float32
    write("whole.npy", np.array([2**40, 1, 3]))
    run("filter whole.npy -o out.npy --taps 1,2,1", capsys)
    assert_array_equal(np.load("out.npy"), [2**41 + 1, 2**40 + 5, 7])
    run("filter whole.npy -o out.npy --taps 1,2,1 --dtype uint8", capsys)
    assert_array_equal(np.load("out.npy"), [255, 255, 7])


def test_tables_are_filtered_down_their_rows(here, capsys):
    Path("in.csv").write_text("a,b\n1,10\n2,20\n4,40\n")
    assert run("filter in.csv -o out.csv --taps 1,1,1", capsys)[0] == 0
    assert Path("out.csv").read_text() == "a,b\n3.0,30.0\n7.0,70.0\n6.0,60.0\n"
    assert run("filter in.csv -o out.csv --taps 1,1,1;1,1,1;1,1,1", capsys)[0] == 0
    assert Path("out.csv").read_text() == "a,b\n33.0,33.0\n77.0,77.0\n66.0,66.0\n"


# ── images ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "dtype"), [("a.png", "uint8"), ("a.png", "uint16"), ("a.tif", "uint16"), ("a.tif", "float32")]
)
def test_an_image_keeps_depth_and_alpha(here, capsys, name, dtype):
    array = (RNG.random((20, 30, 3)) * (np.iinfo(dtype).max if dtype[0] == "u" else 1)).astype(dtype)
    alpha = array[..., 0].copy()
    write(name, Signal(array, "image", alpha=alpha))
    code, out, _ = run(f"filter {name} -o {name} --gaussian 1", capsys)  # onto itself
    back = read(name)
    assert code == 0 and "alpha as it was" in out and back.array.dtype == dtype
    assert_array_equal(back.alpha, alpha)
    expected = firconv.convolve(
        array.astype(float), filters.gaussian(1.0, 2).taps, "same", boundary="reflect", axes=(0, 1)
    )
    assert_allclose(back.array, expected, atol=0.51 if dtype[0] == "u" else 1e-6)


def test_depth_changes_with_the_format(here, capsys):
    deep = RNG.integers(0, 65536, (9, 9), "uint16")
    write("deep.png", deep)
    run("filter deep.png -o out.jpg --box 1 --quality 100", capsys)
    assert np.abs(read("out.jpg").array.astype(float) - deep / 257).max() < 4
    run("filter deep.png -o out.png --box 1 --dtype uint8", capsys)
    assert_array_equal(read("out.png").array, np.rint(deep / 257))
    run("filter photo.png -o out.png --box 1 --dtype uint16", capsys)
    assert_array_equal(read("out.png").array, PHOTO.astype("uint16") * 257)
    run("filter photo.png -o out.tif --sobel x --dtype float32", capsys)
    assert read("out.tif").array.min() < 0


def test_signed_results_are_saturated_and_said(here, capsys):
    code, _, err = run("filter photo.png -o out.png --sobel x", capsys)
    assert code == 0 and re.fullmatch(
        r"note: \d+ % of the samples lay outside 0 … 255 and were saturated \(.*--absolute.*\)\n", err
    )
    assert run("filter photo.png -o out.png --sobel x --quiet", capsys) == (0, "", "")


def test_signed_results_made_visible(here, capsys):
    y = on_photo(filters.sobel(axis=1, integer=True))
    run("filter photo.png -o out.png --sobel x --absolute", capsys)
    assert_array_equal(read("out.png").array, rounded(np.abs(y)))
    run("filter photo.png -o out.png --sobel x --offset", capsys)
    assert_array_equal(read("out.png").array, rounded(y + 128))
    run("filter photo.png -o out.png --sobel x --offset 5.5", capsys)
    assert_array_equal(read("out.png").array, rounded(y + 5.5))
    _, _, err = run("filter photo.png -o out.png --sobel x --normalize", capsys)
    assert_array_equal(read("out.png").array, rounded((y - y.min()) * (255 / (y.max() - y.min()))))
    assert err == ""
    run("filter photo.png -o out.png --sobel x --range -1020 1020", capsys)
    assert_array_equal(read("out.png").array, rounded((y + 1020) * (255 / 2040)))


def test_arrays_become_images_on_a_stated_scale(here, capsys):
    code, _, err = run("filter plane.npy -o out.png --box 3", capsys)
    assert code == 2 and "float64 samples have no scale for .png: give --range LO HI" in err
    assert run("filter plane.npy -o out.png --box 3 --normalize", capsys)[0] == 0
    assert (read("out.png").array.min(), read("out.png").array.max()) == (0, 255)
    assert run("filter photo.png -o out.npy --box 3", capsys)[0] == 0
    assert np.load("out.npy").shape == PHOTO.shape
    deep = RNG.integers(0, 65536, (9, 9), "uint16")
    write("deep.npy", deep)
    assert run("filter deep.npy -o out.png --taps 0.5,0,0.5 --mode valid", capsys)[0] == 0
    assert_array_equal(read("out.png").array, np.rint((deep[:, :-2].astype(float) + deep[:, 2:]) / 2))


def test_named_kernels_keep_their_centre_in_correlation(here, capsys):
    run("filter plane.npy -o out.npy --box 4 --correlate", capsys)
    box = filters.box(4, 2)
    assert_allclose(np.load("out.npy"), firconv.correlate(np.load("plane.npy"), box.taps, "same", origin=box.origins))


# ── sound ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "option",
    [
        "--gaussian 3",
        "--lowpass 900 --transition 20",
        "--taps 1,2,-1 --boundary reflect",
        "--box 4",
        "--taps 1,2 --boundary wrap",
        "--gaussian 3 --method fft",
        "--gaussian 3 --mode full",
    ],
)
@pytest.mark.parametrize("channels", [1, 2])
def test_sound_in_blocks_is_the_whole(here, capsys, monkeypatch, option, channels):
    monkeypatch.setattr("firconv.files.sound.BLOCK", 700)
    monkeypatch.setattr("firconv.files.sound.sound_blocks.__defaults__", (700,))
    sound = SOUND[:, :channels] if channels == 2 else SOUND[:, 0]
    write("in.wav", Signal(sound, "sound", rate=8000, subtype="FLOAT"))
    write("in.npy", sound)
    axes = "--axes 0 --rate 8000"
    assert run(f"filter in.wav -o out.wav {option}", capsys)[0] == 0
    assert run(f"filter in.npy -o out.npy {option} {axes}", capsys)[0] == 0
    assert_allclose(read("out.wav").array, np.load("out.npy"), atol=2e-6)
    assert soundfile.info("out.wav").subtype == "FLOAT"


def test_sound_keeps_rate_channels_and_coding(here, capsys):
    for name, subtype in (("a.wav", "PCM_24"), ("a.flac", "PCM_16"), ("a.ogg", "VORBIS")):
        soundfile.write(name, SOUND[:, :1], 11_025, subtype)
        assert run(f"filter {name} -o b{name} --box 3", capsys)[0] == 0
        info = soundfile.info(f"b{name}")
        assert (info.samplerate, info.channels, info.subtype, info.frames) == (11_025, 1, subtype, 3000)
    _, _, err = run("filter a.ogg -o c.wav --box 3", capsys)
    assert err == "note: stored as PCM_16, not VORBIS\n"
    assert run("filter a.wav -o c.flac --box 3 --dtype int16", capsys)[2] == ""
    assert soundfile.info("c.flac").subtype == "PCM_16"


def test_loud_sound_is_saturated_and_said(here, capsys):
    _, _, err = run("filter sound.wav -o out.wav --taps 9", capsys)
    expected = np.clip(9 * np.rint(SOUND * 32768), -32768, 32767)
    assert_array_equal(soundfile.read("out.wav", dtype="int16")[0], expected)
    assert re.fullmatch(r"note: \d+ samples were beyond full scale and were saturated\n", err)


def test_arrays_become_sound_at_a_stated_rate(here, capsys):
    assert "needs a sample rate: give --rate HZ" in run("filter line.npy -o out.wav --box 3", capsys)[2]
    assert run("filter line.npy -o out.wav --box 3 --rate 8000", capsys)[0] == 0
    assert (read("out.wav").rate, read("out.wav").subtype) == (8000, "DOUBLE")
    assert run("filter line.npy -o out.wav --box 3 --rate 8000 --dtype int16", capsys)[0] == 0
    assert read("out.wav").subtype == "PCM_16"
    assert run("filter sound.wav -o out.npy --box 3", capsys)[0] == 0
    assert np.load("out.npy").shape == (3000, 2)


def test_memory_does_not_grow_with_the_length_of_the_sound(tmp_path):
    """Ten times the sound (106 MB as float32, 53 MB as stored) may not add 10 MB to the peak."""
    code = (
        "import resource, sys; from firconv.cli import main; assert main(sys.argv[1:]) == 0; "
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    peaks = []
    for seconds in (30, 300):
        with soundfile.SoundFile(tmp_path / f"{seconds}.wav", "w", 44_100, 2, "PCM_16") as file:
            for _ in range(seconds):
                file.write(np.zeros((44_100, 2), "int16"))
        words = [
            "filter",
            str(tmp_path / f"{seconds}.wav"),
            "-o",
            str(tmp_path / "out.wav"),
            "--gaussian",
            "20",
            "--quiet",
        ]
        environment = {**os.environ, "PYTHONPATH": str(Path(firconv.__file__).parents[1])}
        done = subprocess.run(
            [sys.executable, "-c", code, *words], env=environment, capture_output=True, text=True, check=True
        )
        peaks.append(int(done.stdout.split()[-1]) / 1024)
        (tmp_path / f"{seconds}.wav").unlink()
    assert peaks[1] < peaks[0] + 10


# ── mistakes ──────────────────────────────────────────────────────────────────────────────────────────────────────────


MISTAKES = {
    "filter none.png -o out.png --box 3": "cannot open 'none.png': No such file or directory",
    "filter folder.png -o out.png --box 3": "cannot open 'folder.png': Is a directory",
    "filter cut.png -o out.png --box 3": "cannot read 'cut.png': damaged, truncated",
    "filter cut.wav -o out.wav --box 3": "cannot read 'cut.wav': truncated",
    "filter cut.npy -o out.npy --box 3": "cannot read 'cut.npy': not a whole .npy file",
    "filter text.png -o out.png --box 3": "cannot read 'text.png': damaged, truncated, or not an image",
    "filter text.wav -o out.wav --box 3": "cannot read 'text.wav': damaged, or not a sound file",
    "filter text.csv -o out.csv --box 3": "cannot read 'text.csv': not a table of numbers",
    "filter photo.xyz -o out.png --box 3": "unknown format '.xyz' of 'photo.xyz'",
    "filter photo.png -o out.xyz --box 3": "unknown format '.xyz' of 'out.xyz'",
    "filter photo.png -o no/out.png --box 3": "the folder .* does not exist; make it first",
    "filter photo.png -o folder.png --box 3": "it is a folder; name a file in it",
    "filter nan.npy -o out.npy --box 3": "none of its 9 samples is a finite number",
    "filter nan.npy -o out.png --box 3": "none of its 9 samples is a finite number",
    "filter some.npy -o out.npy --box 3 --dtype uint8": "NaN",
    "filter nan.wav -o out.wav --box 3": "NaN",
    "filter empty.npy -o out.npy --box 3": "empty",
    "filter photo.png -o out.wav --box 3": "cannot turn image into sound",
    "filter sound.wav -o out.png --box 3": "cannot turn sound into image",
    "filter sound.wav -o out.wav --box 3 --absolute": "are for images and arrays, not for sound",
    "filter sound.wav -o out.wav --box 3 --axes 1": "--axes 1: sound is filtered along time",
    "filter sound.wav -o out.wav --box 3 --rate 9000": "the sample rate of 'sound.wav' is its own, 8000 Hz",
    "filter sound.wav -o out.wav --sobel x": "--sobel: needs at least two axes, not 1",
    "filter sound.wav -o out.wav --sharpen 1": "--sharpen: needs two axes, not 1",
    "filter sound.wav -o out.wav --taps 1,2;3,4": "sound needs one-dimensional taps, not 2 × 2",
    "filter sound.wav -o out.wav --lowpass 4000": "--lowpass: 4000 Hz at 8000 samples per second; give 0 < HZ < 4000",
    "filter sound.wav -o out.wav --bandpass 900 300": "give 0 < LO < HI < 4000",
    "filter sound.wav -o out.wav --lowpass 900 --taps-count 10": "--taps-count: 10; give an odd number",
    "filter sound.wav -o out.wav --lowpass 900 --transition 9000": "--transition: 9000 Hz",
    "filter sound.wav -o out.wav --box 3 --dtype uint64": "--dtype uint64: sound is one of",
    "filter photo.png -o out.png --lowpass 0.1": "--lowpass: filters along one axis",
    "filter photo.png -o out.png --gaussian -1": "--gaussian -1: .*must be positive",
    "filter photo.png -o out.png --gaussian 0": "--gaussian 0: .*must be positive",
    "filter photo.png -o out.png --gaussian nan": "'nan' is not a finite number",
    "filter photo.png -o out.png --gaussian wide": "'wide' is not a number",
    "filter photo.png -o out.png --box 2.5": "--box 2.5: 2.5 is not a whole number",
    "filter photo.png -o out.png --box 0": "--box 0: .*positive length",
    "filter photo.png -o out.png --sobel z": "no direction is called 'z'; use x",
    "filter photo.png -o out.png --taps 1,two,1": "'two' is not a number; give 1,2,1 or",
    "filter photo.png -o out.png --taps 1,1/0": "'1/0' is not a number",
    "filter photo.png -o out.png --taps 1,2;3": r"rows of unequal length \[2, 1\]",
    "filter photo.png -o out.png --taps 1,inf": "taps must be finite numbers",
    "filter photo.png -o out.png --taps none.npy": "cannot open 'none.npy'",
    "filter line.npy -o out.npy --taps 1,2;3,4": "2-dimensional taps need 2 axes",
    "filter photo.png -o out.png --taps 1,2 --axes 0,1": "1-dimensional taps need axis, not 2",
    "filter photo.png -o out.png --taps two.npz": r"holds 2 arrays; choose one of \['a', 'b'\] with --taps-key",
    "filter sound.wav -o out.wav --lowpass 900 --attenuation -5": "--attenuation: -5 dB; give at least 8",
    "filter line.npy -o out.npy --box 3 --rate -5": "argument --rate: '-5' is not a positive number",
    "plan line.npy --box 3 --rate 0": "argument --rate: '0' is not a positive number",
    "filter . -o out.npy --box 3": "'.' is a folder: name a file in it",
    "filter photo.png -o out.png --box 3 --axes 5": r"--axes 5: give axes of shape \(40, 50, 3\)",
    "filter photo.png -o out.png --box 3 --axes x": "--axes x: give axes",
    "filter photo.png -o out.png --box 3 --boundary mirror": "mirror",
    "filter photo.png -o out.png --box 3 --boundary bounce": "bounce",
    "filter photo.png -o out.png --box 3 --boundary constant=x": "'x' is not a number",
    "filter photo.png -o out.png --box 3 --mode most": "most",
    "filter photo.png -o out.png --box 3 --mode 1:x": "--mode 1:x: give full, same, valid",
    "filter photo.png -o out.png --box 99 --mode valid": "valid",
    "filter photo.png -o out.png --box 3 --origin middle": "middle",
    "filter photo.png -o out.png --box 3 --method magic": "magic",
    "filter photo.png -o out.png --box 3 --workers 0": "workers",
    "filter photo.png -o out.png --box 3 --dtype uint7": "--dtype uint7: no such number type",
    "filter photo.png -o out.png --box 3 --dtype str": "--dtype str: use an integer, float or complex type",
    "filter photo.png -o out.png --box 3 --dtype float32": "--dtype float32: .png holds uint8 or uint16; write .tif",
    "filter photo.png -o out.jpg --box 3 --quality 0": "--quality 0: give 1 to 100",
    "filter photo.png -o out.png --box 3 --range 5 5": "--range: black and white are both 5",
    "filter alpha.png -o out.jpg --box 3": "JPEG holds no transparency",
    "filter alpha.png -o out.png --box 3 --mode full": "its alpha",
    "filter photo.png -o out.png": "one of the arguments --gaussian .* is required",
    "filter photo.png -o out.png --box 3 --gaussian 2": "not allowed with argument",
    "filter photo.png --box 3": "the following arguments are required: -o/--output",
    "filter photo.png -o out.png --box 3 --boxx 3": "unrecognized arguments: --boxx",
    "filter photo.png -o out.png --box": "expected one argument",
    "filter two.npz -o out.npy --box 3": r"holds 2 arrays; choose one of \['a', 'b'\] with --key",
    "filter complex.npy -o out.csv --box 3": r"\.csv holds one or two dimensions of real numbers",
    "filter complex.npy -o out.npy --box 3 --dtype float32": "the result is complex and float32 is not: add --absolute",
    "plan none.png --box 3": "cannot open 'none.png'",
    "blur photo.png": "invalid choice: 'blur'",
    "": "the following arguments are required: COMMAND",
    "demo photo.png": "cannot write into 'photo.png': it is a file; name a folder",
}


@pytest.fixture(scope="module")
def mess(tmp_path_factory):
    """A folder of good and bad files, which no mistake may change."""
    folder = tmp_path_factory.mktemp("mess")
    write(folder / "photo.png", PHOTO)
    write(folder / "alpha.png", Signal(PHOTO, alpha=PHOTO[..., 0].copy()))
    write(folder / "sound.wav", Signal(SOUND, rate=8000, subtype="PCM_16"))
    write(folder / "line.npy", np.arange(9.0))
    for name in ("photo.png", "sound.wav", "line.npy"):
        data = (folder / name).read_bytes()
        (folder / f"cut{name[-4:]}").write_bytes(data[: len(data) * 2 // 3])
    for name in ("text.png", "text.wav", "text.csv", "photo.xyz"):
        (folder / name).write_text("this is,\nno such file\n")
    (folder / "folder.png").mkdir()
    write(folder / "nan.npy", np.full(9, np.nan))
    write(folder / "some.npy", np.array([1, np.nan, 3, 4, 5, 6]))
    write(folder / "empty.npy", np.zeros(0))
    write(folder / "complex.npy", np.zeros(9, complex))
    write(folder / "nan.wav", Signal(np.full(99, np.nan), rate=8000, subtype="FLOAT"))
    np.savez(folder / "two.npz", a=np.zeros(3), b=np.zeros(3))
    return folder


@pytest.mark.parametrize("words", MISTAKES)
def test_mistakes_are_one_line_exit_code_two_and_nothing_written(mess, monkeypatch, capsys, words):
    monkeypatch.chdir(mess)
    before = listing(mess)
    code, out, err = run(words, capsys)
    assert code == 2 and out == ""
    assert re.fullmatch(r"firconv[^\n]*\n", err), err
    assert re.search(MISTAKES[words], err), err
    assert listing(mess) == before


def test_a_full_disk_is_one_line(here, capsys, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    code, _, err = run("filter line.npy -o out.npy --box 3", capsys)
    assert code == 2 and err == "firconv filter: [Errno 28] No space left on device\n"
    assert not Path("out.npy").exists() and not list(here.glob(".*"))


def test_too_little_memory_is_one_line(here, capsys, monkeypatch):
    def short(*_, **__):
        raise MemoryError

    monkeypatch.setattr(firconv, "plan", short, raising=False)
    code, _, err = run("filter line.npy -o out.npy --box 3", capsys)
    what = "not enough memory (no details); use a smaller file, fewer taps or float32"
    assert code == 2 and err == f"firconv filter: {what}\n"


def test_a_bug_is_one_line_too_and_can_be_seen(here, capsys, monkeypatch):
    def broken(*_, **__):
        raise KeyError("x")

    monkeypatch.setattr(firconv, "plan", broken, raising=False)
    code, _, err = run("filter line.npy -o out.npy --box 3", capsys)
    assert code == 1 and err == "firconv filter: bug: KeyError: 'x'; FIRCONV_TRACEBACK=1 shows where\n"
    monkeypatch.setenv("FIRCONV_TRACEBACK", "1")
    with pytest.raises(KeyError):
        main(["filter", "line.npy", "-o", "out.npy", "--box", "3"])
    with pytest.raises(FileNotFoundError):
        main(["filter", "none.npy", "-o", "out.npy", "--box", "3"])


def test_some_samples_that_are_no_numbers_are_kept_and_said(here, capsys):
    write("some.npy", np.array([1, np.nan, 3, 4, 5, 6]))
    code, _, err = run("filter some.npy -o out.npy --box 3", capsys)
    assert code == 0 and err.startswith("note: 1 of 6 samples are NaN or infinite")
    assert_array_equal(np.isnan(np.load("out.npy")), [1, 1, 1, 0, 0, 0])


# ── being stopped ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_in_the_middle_nothing_is_left(tmp_path, number, code):
    """A shell starts what runs in the background deaf to Ctrl-C, and the tests with it."""
    with soundfile.SoundFile(tmp_path / "in.wav", "w", 44_100, 2, "PCM_16") as file:
        for _ in range(600):
            file.write(np.zeros((44_100, 2), "int16"))
    (tmp_path / "out.wav").write_text("old")
    words = ["filter", "in.wav", "-o", "out.wav", "--lowpass", "30", "--workers", "1"]
    running = process(words, cwd=tmp_path, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(".firconv-*")) and time.monotonic() < deadline:
        time.sleep(0.01)
    running.send_signal(number)
    out, err = running.communicate(timeout=30)
    assert running.returncode == code and out == ""
    assert err == ("firconv filter: interrupted; nothing was written\n" if number == signal.SIGINT else "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.wav", "out.wav"]
    assert (tmp_path / "out.wav").read_text() == "old"


def test_a_closed_pipe_is_no_error(here):
    running = process(["plan", "photo.png", "--gaussian", "2"], cwd=here)
    running.stdout.close()
    assert (running.wait(60), running.stderr.read()) == (0, "")
    running.stderr.close()


def test_output_that_cannot_encode_is_no_error(here):
    environment = {**os.environ, "PYTHONPATH": str(Path(firconv.__file__).parents[1]), "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "firconv", "filter", "photo.png", "-o", "out.png", "--box", "3"]
    done = subprocess.run(command, env=environment, cwd=here, capture_output=True, text=True)
    assert done.returncode == 0 and "40" in done.stdout, done.stderr


# ── other commands ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_help_is_quick_and_complete():
    begun = time.perf_counter()
    running = process(["--help"])
    out, _ = running.communicate(timeout=30)
    assert running.returncode == 0 and time.perf_counter() - begun < 3  # 0.3 s where nothing else runs
    assert all(word in out for word in ("filter", "plan", "demo", "calibrate", "warmup", "config"))


def test_help_imports_nothing_slow():
    code = (
        "import sys, firconv.cli as c; c.main(['filter', '--help']); "
        "slow = {'scipy', 'numba', 'matplotlib', 'soundfile', 'PIL', 'rich', 'tifffile'} & set(sys.modules); "
        "assert not slow, slow"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(firconv.__file__).parents[1])}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True)


@pytest.mark.parametrize("name", ["photo.png", "sound.wav", "line.npy"])
def test_plans_are_printed(here, capsys, name):
    code, out, err = run(f"plan {name} --gaussian 2", capsys)
    assert code == 0 and err == "" and "method" in out and "predicted" in out


def test_version_and_configuration(capsys):
    assert run("--version", capsys)[:2] == (0, f"firconv {firconv.__version__}\n")
    code, out, _ = run("config", capsys)
    assert code == 0 and "numpy" in out and "threads" in out


def test_calibration_and_warmup_report(capsys, monkeypatch):
    def calibrate(show):
        show("line", 0, 2)
        show("image", 1, 2)
        return cost.machine()

    monkeypatch.setattr("firconv.calibration.calibrate", calibrate)
    code, out, _ = run("calibrate", capsys)
    assert code == 0 and out.startswith("plans now use constants of") and str(cost.store()) in out
    monkeypatch.setattr(firconv, "warmup", lambda: None, raising=False)
    assert run("warmup", capsys) == (0, "every kernel is compiled\n", "")


def test_progress_is_shown_on_terminals_only(here, capsys, monkeypatch):
    monkeypatch.setattr("firconv.cli.filtering._LONG", 1)
    assert run("filter sound.wav -o out.wav --box 3", capsys)[2] == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert run("filter sound.wav -o out.wav --box 3", capsys)[0] == 0


def test_demo(here, capsys, monkeypatch):
    monkeypatch.setattr("firconv.cli.races.SECONDS", 0.01)
    code, out, err = run("demo shown", capsys)
    assert code == 0 and err == ""
    assert sorted(path.name for path in Path("shown").iterdir()) == [
        "eeg.png",
        "mri.png",
        "overview.png",
        "photo.png",
        "tables.txt",
    ]
    assert str(here / "shown") in out
    assert out.count("holds") == 13 and "FAILS" not in out
    assert "gaussian_filter" in Path("shown/tables.txt").read_text()
    with Image.open("shown/overview.png") as image:
        assert image.size == (1800, 1845)


def test_a_law_that_fails_is_said(here, capsys, monkeypatch):
    monkeypatch.setattr("firconv.cli.laws._rounding", lambda *_: 0.0)
    monkeypatch.setattr("firconv.cli.demo.races", lambda done: [])
    monkeypatch.setattr("firconv.cli.figures.draw", lambda done, folder: [])
    code, out, err = run("demo shown", capsys)
    assert code == 2 and "FAILS" in out and err == "firconv demo: a law failed; please report the table above\n"
