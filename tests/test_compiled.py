"""The kernels' disk cache: it helps where it can, and nothing that happens to it is ever felt but as time."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numba
import numpy as np
import pytest

import firconv
from firconv.kernels import compiled, pipelines
from firconv.kernels.compiled import cache_folder, cache_state, const, mutable

JIT_OFF = numba.config.DISABLE_JIT
needs_jit = pytest.mark.skipif(JIT_OFF, reason="nothing is compiled with the JIT off")

SCRIPT = """
import numba, numpy as np
before = dict(vars(numba.config))
from firconv.kernels import compiled, direct
out = np.empty(3)
direct.points(np.arange(5.0), np.arange(3), np.ones(2), np.array([0, 2]), out)
assert out.tolist() == [2, 4, 6], out
assert dict(vars(numba.config)) == before
print(compiled.compilations(), compiled.cache_state())
"""


def run(folder=None, script=SCRIPT, **environment):
    """Run a script in a new process; return what it printed: compilations and state of the cache."""
    variables = {**os.environ, "PYTHONPATH": str(Path(firconv.__file__).parents[1]), **environment}
    if folder is not None:
        variables["FIRCONV_CACHE_DIR"] = str(folder)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script)],
        env=variables, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.split()


BITS = """
import hashlib
import numpy as np
from firconv.kernels import lanes
if OTHER:
    lanes.HELD = 3 - lanes.HELD  # registers of 32 bytes instead of 64, or the other way round
import firconv
from firconv import nn
rng = np.random.default_rng(8)
total = hashlib.sha256()
def noise(*shape):
    return rng.standard_normal(shape).astype(np.float32)
x, w, b = noise(2, 19, 21, 43), noise(21, 19, 3, 3), noise(21)
found = [nn.conv(x, w, b, padding=1, method=m) for m in ("gemm", "winograd")]
found += [nn.conv(x.astype(float), w.astype(float), method="gemm")]
found += [nn.conv(x[:, :16], noise(32, 1, k, k), padding=k // 2, groups=16, method="depthwise") for k in (3, 7, 9)]
gy = noise(2, 21, 21, 43)
found += [nn.conv_weight_gradient(gy, x, w.shape, padding=1)]
found += [nn.conv_weight_gradient(gy[:, :, ::2, ::2], x, w.shape, padding=1, stride=2)]
found += [firconv.convolve(noise(90, 101), noise(5, 4), boundary="reflect")]
found += [firconv.convolve(noise(3001), noise(n), mode="same", method="direct") for n in (2, 40)]
for y in found:
    total.update(np.ascontiguousarray(y).tobytes())
print(lanes.HELD, total.hexdigest())
"""


def stored(folder):
    return sorted(Path(folder).rglob("*.bin"))


@needs_jit
def test_a_second_process_loads_what_the_first_compiled(tmp_path):
    folder = tmp_path / "not" / "there" / "yet"
    assert run(folder) == ["1", "writable"]
    assert run(folder) == ["0", "writable"]
    assert len(stored(folder)) == 1
    assert not list(folder.rglob("*.tmp"))


DAMAGE = {
    "empty": lambda data: b"",
    "truncated": lambda data: data[: len(data) // 2],
    "head only": lambda data: data[:20],
    "one bit": lambda data: data[:-100] + bytes([data[-100] ^ 1]) + data[-99:],
    "other contents": lambda data: b"no kernel at all",
    "longer": lambda data: data + b"x",
}


@needs_jit
def test_damaged_files_are_compiled_again_and_replaced(tmp_path):
    run(tmp_path)
    (file,) = stored(tmp_path)
    data = file.read_bytes()
    for name, damage in DAMAGE.items():
        file.write_bytes(damage(data))
        assert compiled._read(file) is None, name
    assert run(tmp_path) == ["1", "writable"]
    assert compiled._read(file) is not None
    assert run(tmp_path) == ["0", "writable"]


@needs_jit
def test_a_valid_file_that_is_no_kernel_is_compiled_again(tmp_path):
    run(tmp_path)
    (file,) = stored(tmp_path)
    compiled._write(file, b"the checksum of this agrees")
    assert run(tmp_path) == ["1", "writable"]
    file.unlink()
    file.mkdir()  # cannot be read and cannot be replaced
    assert run(tmp_path) == ["1", "writable"]


@needs_jit
def test_a_folder_that_cannot_be_made_costs_only_time(tmp_path):
    (tmp_path / "file").write_text("in the way")
    assert run(tmp_path / "file" / "below") == ["1", "off"]


@needs_jit
@pytest.mark.skipif(sys.platform == "win32", reason="LOCALAPPDATA is always there")
def test_no_home_is_no_error(tmp_path):
    nowhere = tmp_path / "file"
    nowhere.write_text("in the way")
    homeless = "import pathlib\npathlib.Path.home = lambda: (_ for _ in ()).throw(RuntimeError('no home'))\n" + SCRIPT
    homeless += "assert str(compiled.cache_folder()).startswith('~')"
    assert run("", homeless, XDG_CACHE_HOME="", HOME="", LOCALAPPDATA="") == ["1", "off"]
    assert run("", XDG_CACHE_HOME=str(nowhere), HOME=str(nowhere), LOCALAPPDATA=str(nowhere)) == ["1", "off"]


@needs_jit
def test_processes_share_a_folder(tmp_path):
    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(lambda _: run(tmp_path), range(3)))
    assert {state for _, state in results} == {"writable"}
    assert len(stored(tmp_path)) == 1
    assert run(tmp_path) == ["0", "writable"]


@needs_jit
def test_an_edited_kernel_is_compiled_again(tmp_path):
    source = """
        from firconv.kernels.compiled import compiled, const, mutable
        @compiled(lambda t: (const(t), mutable(t)), ["float64"])
        def scale(x, out):
            for i in range(len(x)):
                out[i] = {factor} * x[i]
        """
    use = """
        import sys; sys.path.insert(0, {folder!r})
        import numpy as np, edited
        from firconv.kernels import compiled
        out = np.empty(2); edited.scale(np.ones(2), out)
        print(compiled.compilations(), out[1])
        """
    module = tmp_path / "edited.py"
    counts = []
    for factor in (2.0, 2.0, 3.0):
        module.write_text(textwrap.dedent(source.format(factor=factor)))
        counts.append(run(tmp_path / "cache", use.format(folder=str(tmp_path)), PYTHONDONTWRITEBYTECODE="1"))
    assert counts == [["1", "2.0"], ["0", "2.0"], ["1", "3.0"]]


def test_jit_off_runs_the_same_source(tmp_path):
    assert run(tmp_path, NUMBA_DISABLE_JIT="1") == ["0", "writable"]
    assert stored(tmp_path) == []


# --- within this process --------------------------------------------------------------------------------------------


def _twice(x, out):
    for i in range(len(x)):
        out[i] = 2 * x[i]


@pytest.fixture
def kernel(tmp_path, monkeypatch):
    """A kernel of its own, in an empty folder and outside the register."""
    monkeypatch.setenv("FIRCONV_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(compiled, "_registry", [])
    return compiled.compiled(lambda t: (const(t), mutable(t)), ["float32", "int64"])(_twice)


def test_one_version_serves_readable_and_writable_arrays(kernel):
    out = np.empty(3, np.float32)
    for writable in (True, False):
        x = np.arange(3, dtype=np.float32)
        x.flags.writeable = writable
        kernel(x, out)
        assert out.tolist() == [0, 2, 4]
    assert JIT_OFF or len(kernel.version("float32").signatures) == 1


def test_versions_are_refused_by_name(kernel):
    with pytest.raises(TypeError, match="_twice: no version for 'float64'; cast the arrays to one of float32, int64"):
        kernel(np.ones(2), np.ones(2))


@needs_jit
def test_a_version_does_not_convert_other_types(kernel):
    with pytest.raises(TypeError):
        kernel(np.ones(2, np.float32), np.ones(2))


def test_warmup_makes_every_version_and_reports_them(kernel):
    lines, before = [], compiled.compilations()
    compiled.warmup(lambda *line: lines.append(line))
    compiled.warmup()
    assert lines == [("_twice float32", 1, 2), ("_twice int64", 2, 2)]
    assert compiled.compilations() - before == (0 if JIT_OFF else 2)


def with_part():
    """A kernel that calls a part: the sum of twelve fused products, so that bits depend on how it is compiled."""

    @compiled.compiled()
    def part(x, i):
        return 1.25 * x[i] + x[11 - i]

    def whole(x, out):
        total = x[0] - x[0]
        for i in range(12):
            total = part(x, i) * total + x[i]
        out[0] = total

    return part, compiled.compiled(lambda t: (const(t), mutable(t)), ["float64"])(whole)


@needs_jit
def test_parts_have_no_machine_code_of_their_own(kernel):
    part, whole = with_part()
    whole(np.ones(12), np.empty(1))
    (result,) = part.overloads.values()
    assert result.library.get_pointer_to_function(result.fndesc.llvm_func_name) == 0
    assert result.library._compiled_object is None


@needs_jit
def test_numba_without_its_private_names_compiles_the_same(kernel, monkeypatch, tmp_path):
    x, ours, numbas = np.random.default_rng(3).standard_normal(12), np.empty(1), np.empty(1)
    with_part()[1](x, ours)
    monkeypatch.setattr(pipelines, "_compilers", ())
    monkeypatch.setenv("FIRCONV_CACHE_DIR", str(tmp_path / "other"))
    part, whole = with_part()
    whole(x, numbas)
    (result,) = part.overloads.values()
    assert result.library.get_pointer_to_function(result.fndesc.llvm_func_name)
    assert ours.tobytes() == numbas.tobytes()


@pytest.mark.parametrize("on", [True, False])
def test_the_garbage_collector_is_as_it_was(kernel, on):
    was = gc.isenabled()
    try:
        (gc.enable if on else gc.disable)()
        kernel(np.ones(2, np.int64), np.ones(2, np.int64))
        assert gc.isenabled() == on
    finally:
        (gc.enable if was else gc.disable)()


def test_threads_that_meet_compile_once(kernel):
    before = compiled.compilations()
    with ThreadPoolExecutor(4) as pool:
        versions = list(pool.map(lambda _: kernel.version("int64"), range(8)))
    assert len(set(map(id, versions))) == 1
    assert compiled.compilations() - before == (0 if JIT_OFF else 1)


@needs_jit
def test_a_source_that_cannot_be_read_goes_uncached(kernel, tmp_path):
    space = {}
    exec(compile("def ghost(x, out):\n    out[0] = x[0]", "<nowhere>", "exec"), space)
    ghost = compiled.compiled(lambda t: (const(t), mutable(t)), ["float64"])(space["ghost"])
    out = np.zeros(1)
    ghost(np.array([3.0]), out)
    assert out[0] == 3
    assert stored(tmp_path) == []


@needs_jit
def test_numba_without_the_place_for_a_cache_goes_uncached(kernel, tmp_path, monkeypatch):
    class Bare:
        pass

    assert compiled._attach_cache(Bare(), _twice) is None

    def missing(*_):
        raise AttributeError("another numba")

    monkeypatch.setattr(compiled, "_dump", missing)
    monkeypatch.setattr(compiled, "_rebuild", missing)
    out = np.empty(2, np.float32)
    kernel(np.ones(2, np.float32), out)
    assert out.tolist() == [2, 2]
    assert stored(tmp_path) == []


def test_a_failed_write_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="no space"):
        compiled._write(tmp_path / "kernel.bin", b"payload")
    assert list(tmp_path.iterdir()) == []


# --- the folder -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("platform", "variables", "folder"),
    [
        ("linux", {"XDG_CACHE_HOME": "/cache"}, "/cache/firconv"),
        ("linux", {"XDG_CACHE_HOME": "relative/is/ignored"}, "/home/me/.cache/firconv"),
        ("linux", {}, "/home/me/.cache/firconv"),
        ("darwin", {}, "/home/me/Library/Caches/firconv"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/firconv"),
        ("win32", {}, "/home/me/AppData/Local/firconv"),
        ("linux", {"FIRCONV_CACHE_DIR": "/own"}, "/own"),
    ],
)
def test_the_folder_is_the_platforms(monkeypatch, platform, variables, folder):
    for name in ("FIRCONV_CACHE_DIR", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(Path, "home", lambda: Path("/home/me"))
    assert cache_folder().parent == Path(folder).absolute()
    assert numba.__version__ in cache_folder().name


def test_the_state_tells_what_the_folder_allows(tmp_path, monkeypatch):
    monkeypatch.setenv("FIRCONV_CACHE_DIR", str(tmp_path / "new"))
    assert cache_state() == "writable"

    def refuse(*_, **__):
        raise PermissionError("read-only")

    monkeypatch.setattr(compiled.tempfile, "TemporaryFile", refuse)
    assert cache_state() == "read-only"
    (tmp_path / "file").touch()
    monkeypatch.setenv("FIRCONV_CACHE_DIR", str(tmp_path / "file"))
    assert cache_state() == "off"
    monkeypatch.setenv("FIRCONV_CACHE_DIR", str(tmp_path / "file" / "below"))
    assert cache_state() == "off"


@needs_jit
@pytest.mark.slow
def test_bits_do_not_depend_on_the_width_of_registers(tmp_path):
    """A processor with AVX-512 gives what one without it gives: vectors are paired, sums and their order stay."""
    own = run(script=BITS.replace("OTHER", "False"))
    other = run(tmp_path, BITS.replace("OTHER", "True"))
    assert {own[0], other[0]} == {"1", "2"}
    assert own[1] == other[1]
