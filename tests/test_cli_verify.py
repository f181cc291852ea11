"""``firconv verify``: exit codes, tables within 80 columns, your own module, and mistakes in one line."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import firconv
from firconv.cli import main

MODULE = """
import numpy as np

def good(x, h):
    return np.convolve(x.astype("O"), h.astype("O")).astype(np.result_type(x, h, "i8" if x.dtype.kind in "iu" else x))

def late(x, h, mode="full"):
    return np.roll(np.convolve(x, h, mode), 1)

def turned(x, h):
    return np.correlate(x, h[::-1].conj() if np.iscomplexobj(h) else h[::-1], "full")

def raising(x, h):
    raise RuntimeError("no device")

number = 3
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "filters_of_mine", raising=False)
    (tmp_path / "filters_of_mine.py").write_text(textwrap.dedent(MODULE))
    return tmp_path


def run(words, capsys):
    code = main(["verify", *words])
    return code, *capsys.readouterr()


def test_this_library_passes(capsys):
    code, out, _ = run(["--trials", "3", "--seed", "5"], capsys)
    assert code == 0 and "Laws of convolution: firconv" in out and "0 fail" in out
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize("name", ["numpy", "scipy", "ndimage", "torch", "cv2"])
def test_other_libraries_pass_or_say_what_they_lack(name, capsys):
    pytest.importorskip(name if name in ("torch", "cv2") else "scipy")
    code, out, _ = run(["--against", name, "--trials", "4"], capsys)
    assert code == 0, out
    assert "not supported:" in out and "0 fail" in out


def test_a_failing_law_is_exit_code_1(here, capsys):
    code, out, _ = run(["--against", "filters_of_mine:late", "--laws", "identity,area", "--dtypes", "int64"], capsys)
    assert code == 1
    assert "identity FAILS: x * δ = x" in out and "area                        Σ (x * h) = Σx · Σh" in out
    assert "to reproduce:" in out and "interop.load('filters_of_mine:late')" in out


def test_time_that_runs_out_is_exit_code_1(capsys):
    code, out, _ = run(["--limit", "0.2", "--laws", "boundary*,noble*"], capsys)
    assert code == 1 and "STOPPED: laws were not asked, after the limit of 0.2 s" in out


def test_the_snippet_runs(here, capsys):
    _, out, _ = run(["--against", "filters_of_mine:late", "--laws", "identity", "--dtypes", "int64"], capsys)
    code = textwrap.dedent(out.split("to reproduce:\n")[1])
    done = subprocess.run([sys.executable, "-c", code], cwd=here, capture_output=True, text=True, timeout=60,
                          env={"PYTHONPATH": str(Path(firconv.__file__).parents[1])})
    assert done.returncode == 0 and done.stdout.startswith("inf"), done.stderr


def test_your_own_function_passes(here, capsys):
    words = ["--laws", "commutes,associates,area", "--dtypes", "int64,float64", "--trials", "5"]
    assert run(["--against", "filters_of_mine:good", *words], capsys)[0] == 0


def test_a_correlation_is_checked_as_one(here, capsys):
    words = ["--laws", "symmetry of correlation", "--dtypes", "int64"]
    assert run(["--against", "numpy:correlate", "--op", "correlate", *words], capsys)[0] == 0
    assert run(["--against", "filters_of_mine:turned", "--op", "correlate", *words], capsys)[0] == 1


def test_patterns_choose_laws(capsys):
    code, out, _ = run(["--laws", "boundary w*, noble*", "--trials", "2"], capsys)
    assert code == 0 and "laws: 3 hold" in out


def test_the_list(capsys):
    code, out, _ = run(["--list"], capsys)
    assert code == 0 and "commutes: x * h = h * x" in out and "boundary reflect" in out


def test_help_shows_examples(capsys):
    code, out, _ = run(["--help"], capsys)
    assert code == 0 and "firconv verify --against scipy" in out


@pytest.mark.parametrize("words, message", [
    (["--against", "julia"], "'julia' is no implementation: use firconv, numpy"),
    (["--against", "filters_of_mine:nothing"], "filters_of_mine has no 'nothing'"),
    (["--against", "filters_of_mine:number"], "is no function but int"),
    (["--against", "filters_of_mine:raising"], "8 samples and 3 taps raised RuntimeError: no device"),
    (["--against", "no_such_module:f"], "cannot import 'no_such_module'"),
    (["--against", "filters_of_mine"], "neither a function of"),
    (["--laws", "commute"], "did you mean 'commutes'"),
    (["--against", "filters_of_mine.py:turned"], "write the module's name, 'filters_of_mine', without .py"),
    (["filters_of_mine:turned"], "unrecognized arguments: filters_of_mine:turned; write --against filters_of_mine:"),
    (["--trials", "x"], "argument --trials: 'x' is not a whole number"),
    (["--timeout", "x"], "argument --timeout: 'x' is not a number"),
    (["--trials", "0"], "at least one problem per law"),
    (["--seed", "-1"], "--seed -1: give a whole number"),
    (["--timeout", "0"], "more than 0"),
    (["--limit", "0"], "more than 0"),
    (["--dtypes", "float7"], "'float7' is no type of numbers"),
])
def test_mistakes_are_one_line(words, message, here, capsys):
    code, out, err = run(words, capsys)
    assert code == 2 and out == ""
    assert err.startswith("firconv verify: ") and message in err and err.count("\n") == 1
