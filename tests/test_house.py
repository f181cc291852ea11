"""The shape of the house: which room may import which, what `import firconv` loads, and words that mean one thing."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import firconv

HOUSE = Path(firconv.__file__).parent
FILES = sorted(HOUSE.rglob("*.py"))

# Rooms from the roof to the foundation: a file may import its own floor and those below. A room that is not named here
# is theory: it may use the engine, and the engine may not use it.
FLOORS = [
    ["cli"],
    ["plots", "files", "interop"],  # edges
    ["theory"],
    ["convolution", "calibration", "config", "lags"],
    ["plans", "streaming", "report"],
    ["execution", "deliver", "run_direct", "run_images", "run_rates", "run_fourier"]
    + ["unsure", "spectra", "omit", "tiles", "threads"],
    ["planner"],
    ["cost"],
    ["describe"],
    ["kernels"],
    ["problem"],
    ["boundary"],
]
FENCED = {"plots", "files", "interop"}  # edges do not see each other
FACADE = {"", "__init__", "__main__"}  # names only; what they load is tested below
PLANNING = ("planner", "cost", "describe", "problem", "boundary")


def room(path):
    """The first part of a module's name inside firconv: the file, or the drawer that holds it."""
    return path.relative_to(HOUSE).with_suffix("").parts[0]


def running(tree):
    """All nodes but those below `if TYPE_CHECKING:`, which never run."""
    for node in ast.iter_child_nodes(tree):
        if not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)):
            yield node
            yield from running(node)


def imports(path):
    """(module, line) of every import in a file, wherever it stands, with `from firconv import x` as firconv.x."""
    for node in running(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}:{node.lineno}: relative import"
            module = node.module or ""
            deeper = [f"{module}.{alias.name}" for alias in node.names]
            yield from ((name, node.lineno) for name in (deeper if module.startswith("firconv") else [module]))


def rooms_used(path):
    """(room, line) of every import from this package; `from firconv import convolve` counts as the facade."""
    known = {room(p) for p in FILES}
    for name, line in imports(path):
        parts = name.split(".")
        if parts[0] == "firconv":
            yield (parts[1] if len(parts) > 1 and parts[1] in known else ""), line


def floor(name):
    return next((i for i, rooms in enumerate(FLOORS) if name in rooms), FLOORS.index(["theory"]))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(HOUSE)))
def test_imports_go_one_way(path):
    here = room(path)
    if here in FACADE:
        return
    for used, line in rooms_used(path):
        where = f"{path.name}:{line} imports firconv.{used}"
        if used in FACADE:
            assert floor(here) <= floor("convolution"), f"{where}: the facade is for the floors above the engine"
            continue
        assert floor(used) >= floor(here), f"{where}, which is above it"
        assert not ({here, used} <= FENCED and here != used), f"{where}: edges do not see each other"


@pytest.mark.parametrize("path", sorted((HOUSE / "kernels").glob("*.py")), ids=lambda p: p.name)
def test_kernels_do_not_know_each_other_or_the_planner(path):
    shared = {"compiled", "pipelines", "lanes", "bunches", "direct", "guard", "splits", "strips", "minimal",
              "minimal_taps", "rolling", "turns", "__init__", path.stem}
    for name, line in imports(path):
        if name.startswith("firconv.kernels."):
            assert name.split(".")[2] in shared, f"{path.name}:{line} imports {name}"


@pytest.mark.parametrize("name", PLANNING)
def test_planning_never_imports_numba(name):
    assert not [m for m, _ in imports(HOUSE / f"{name}.py") if m.split(".")[0] in ("numba", "llvmlite")]


def loaded(code):
    """Names of all modules that a fresh interpreter holds after running `code`."""
    script = f"import sys\n{code}\nprint('\\n'.join(sys.modules))"
    paths = os.pathsep.join([str(HOUSE.parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run([sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": paths},
                          capture_output=True, text=True, check=True, timeout=120)
    return set(done.stdout.split())


HEAVY = {"numba", "llvmlite", "matplotlib", "scipy.signal", "scipy.fft", "rich", "soundfile", "PIL"}


def test_import_is_lazy():
    assert not loaded("import firconv") & HEAVY


def test_planning_is_lazy():
    code = "import numpy as np, firconv\nstr(firconv.plan(((10_000,), 'f4'), [1.0] * 500))"
    assert not loaded(code) & {"numba", "llvmlite", "matplotlib", "scipy.signal"}


def test_filtering_loads_neither_figures_nor_scipy_signal():
    code = "import numpy as np, firconv\nfirconv.convolve(np.ones(5000), np.ones(600), method='overlap_save')"
    assert not loaded(code) & {"matplotlib", "scipy.signal"}


def test_public_names_exist_and_have_a_docstring():
    assert set(firconv.__all__) >= {"convolve", "correlate", "correlation_lags", "plan", "set_workers", "get_workers",
                                    "show_config", "warmup"}
    for name in firconv.__all__:
        assert getattr(firconv, name).__doc__, name
    assert set(firconv.__all__) <= set(dir(firconv))


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = firconv.no_such_name


def functions(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


def lines_of_code(node):
    """Statement lines of a function without its docstring."""
    body = node.body[1:] if ast.get_docstring(node) else node.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def test_functions_are_short():
    lengths = sorted(lines_of_code(f) for p in FILES if room(p) != "kernels" for f in functions(p))
    assert lengths[len(lengths) // 2] <= 12, "the median function is too long"
    assert lengths[int(0.9 * len(lengths))] <= 25, "one in ten functions has more than 25 lines"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(HOUSE)))
def test_no_bare_assert_and_no_fast_math(path):
    text = path.read_text()
    asserts = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Assert)]
    narrowing = [n for n in asserts if ast.unparse(n.test).endswith("is not None")]  # for the type checker
    assert asserts == narrowing, "errors of users are raised"
    for flag in ("fastmath=True", '"nnan"', '"ninf"', '"fast"'):
        assert flag not in text, f"{flag} assumes finite numbers"


def test_one_word_per_thing():
    """filter size, stride and padding are words of nn.py; the engine says taps, down and boundary."""
    engine = [p for p in FILES if room(p) in ("convolution", "streaming", "problem", "boundary", "describe")]
    for path in engine:
        for function in functions(path):
            names = {a.arg for a in (*function.args.args, *function.args.kwonlyargs)}
            assert not names & {"kernel", "filter", "stride", "padding", "filt"}, (path.name, function.name)


def test_raises_say_something():
    """No raise without a message, and none that names only its type."""
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                assert node.exc.args, f"{path.name}:{node.lineno}: an error without a message"


def test_no_traces_of_a_machine():
    trace = re.compile(r"(?<![\w.])/(?:home|work|opt|root|Users)/\w")
    for path in FILES:
        assert not trace.search(path.read_text()), path
