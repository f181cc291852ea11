"""Break every kernel by one index or one sign, and see that the suite turns red.

    python -m tests.mutants              every kernel below, on two processes
    python -m tests.mutants rows grid    some of them

A mutant is the kernel's own source with one change: an index, a bound of a range or of a slice moved by one, or a sum
turned into a difference. Not every change is a fault (a block may be computed twice, a limit of size may move), so a
kernel passes when one of its first mutants is noticed. The tests run without the JIT, in a process forked for each
mutant; an import hook gives that process the changed source, and nothing is written.
"""

from __future__ import annotations

import ast
import copy
import importlib.machinery
import importlib.util
import os
import resource
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
HOUSE = HERE.parent / "firconv"
ATTEMPTS = 6  # mutants of a kernel before it counts as unwatched
PATIENCE = 150  # seconds of computing; a mutant that never ends is noticed
PROCESSES = 2
WHOLE = "test_convolve.py"

# module: (its kernels, or None for every compiled function; the tests that must notice; which of them)
KERNELS = {
    "direct": (None, ["test_kernels_direct.py"], ""),
    "images": (["_begin", "_band", "_few", "_samples", "_image", "_read", "images", "passes"],
               ["test_kernels_direct.py", "test_kernels_images.py"], ""),  # grid: _image
    "bits": (None, ["test_dense.py"], "differ_in_one_bit"),
    "dense": (None, ["test_dense.py"], "bits or gradient or one_tap"),
    "depthwise": (None, ["test_nn_depthwise.py"], "bits_of or left_out"),
    "outer": (None, ["test_dense.py"], "gradient or long"),
    "strips": (["turned", "_picked", "_stepped", "copied", "added", "delivered"],
               ["test_dense.py"], "bits or gradient or one_tap"),
    "fourier": (["prepare", "correlate", "_condition", "_filter", "_multiply", "_judge", "correlate_integers"],
                ["test_kernels_fourier.py", WHOLE], "kernels_fourier or overlap_save"),
    "fourstep": (["correlate", "_transform", "_matrix", "_judge", "_close", "_measure", "_at_once"],
                 ["test_kernels_fourstep.py", WHOLE], "kernels_fourstep or four_steps"),
    "guard": (["measure", "judge_near", "_weak", "_runs", "overlay", "_scatter", "_count", "spread"],
              ["test_guard.py", "test_kernels_fourier.py"], ""),
    "pooling": (["_over", "_some", "_many", "_rows", "_block", "_samples", "_usual", "_along", "_windows", "_length",
                 "_whole", "_planes"], ["test_nn_pooling.py"], "agrees or few_large or whole or global"),
    "rates": (None, ["test_kernels_rates.py"], "bits or around or zero"),
    "rolling": (["turn_taps", "put_within", "_down", "rolled"], ["test_nn_depthwise.py"], "roll_down"),
    "reference": (["correlate"], [WHOLE], "reference"),
    "separable": (["factors", "_cross", "_accepted", "_integer_factors", "truncated"],
                  [WHOLE, "test_plan.py"], "separable or tolerance"),
    "splits": (None, ["test_kernels_tree.py", "test_kernels_trunk.py"], "sum or place"),
    "tree": (["blocks"], ["test_kernels_tree.py"], ""),
    "trunk": (["enter", "leave", "_window", "branch"], ["test_kernels_trunk.py"], "sum or place"),  # down, up: splits
    "shifted": (["correlate", "_overlap", "_add"], [WHOLE], "longdouble"),
    "minimal": (["into", "first_of", "_column", "gather"],
                ["test_winograd.py"], "exactly or hundred or without or published"),
    "minimal_taps": (["_row", "_across", "_largest", "_square", "transform", "uneven", "weights", "_halved"],
                     ["test_winograd.py"], "read or filters_of"),
    "turns": (["ended"], ["test_threads.py"], "count_their_tasks"),
    "winograd": (["out_of", "points", "_silent", "_quiet", "_reaches", "_whole", "_tiles", "_chain", "_by_chunks",
                  "_filled", "_products", "_outputs", "_deliver", "_box", "fill"],
                 ["test_winograd.py"], "exactly or hundred or without or published or read"),
    "winograd_gradient": (None, ["test_winograd_gradient.py"], "exact or loud or ends or workers"),
}


def main(wanted):
    """Try all kernels; the exit code is the number of those whose mutants nobody noticed."""
    os.environ |= {"NUMBA_DISABLE_JIT": "1", "FIRCONV_WORKERS": "1", "HYPOTHESIS_PROFILE": "ci"}
    preload()
    tasks = [(m, k) for m, k in kernels() if not wanted or k in wanted or m in wanted]
    tasks = [*((m, None) for m in dict.fromkeys(m for m, _ in tasks)), *tasks]
    started, unwatched, running = time.monotonic(), [], {}
    while tasks or running:
        while tasks and len(running) < PROCESSES:
            task = tasks.pop(0)
            running[fork(lambda task=task: not (noticed(*task) if task[1] else sound(task[0])))] = task
        child, status = os.wait()
        module, kernel = running.pop(child)
        good = os.waitstatus_to_exitcode(status) == 0
        word = ("noticed" if good else "UNWATCHED") if kernel else ("green" if good else "RED WITHOUT A MUTANT")
        print(f"{word:<10} {module}{'.' + kernel if kernel else ''}", flush=True)
        unwatched += [] if good else [f"{module}.{kernel}"]
    print(f"{len(unwatched)} unwatched kernels in {time.monotonic() - started:.0f} s", *unwatched)
    return len(unwatched)


def preload():
    """What every child needs, imported once; firconv itself stays unimported."""
    for name in ("numpy", "scipy.fft", "scipy.signal", "numba", "numba.extending", "pytest", "hypothesis"):
        importlib.import_module(name)


def kernels():
    """(module, function) of every kernel."""
    for module, (names, _, _) in KERNELS.items():
        functions = {f.name: f for f in tree_of(module).body if isinstance(f, ast.FunctionDef)}
        missing = set(names or ()) - set(functions)
        if missing:
            raise LookupError(f"kernels/{module}.py has no function {sorted(missing)}: bring KERNELS up to date")
        compiled = [n for n, f in functions.items() if any("compiled" in ast.unparse(d) for d in f.decorator_list)]
        yield from ((module, name) for name in names or compiled)


def tree_of(module):
    return ast.parse((HOUSE / "kernels" / f"{module}.py").read_text())


# ---- mutants -------------------------------------------------------------------------------------------------------


def places(function):
    """Where one change could be a fault: [(how, position in the walk)], spread over the function."""
    found = []
    for position, node in enumerate(ast.walk(function)):
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, (ast.Load, ast.Store)):
            index = node.slice
            if isinstance(index, (ast.Slice, ast.Name, ast.BinOp)) and "Any" not in ast.unparse(node):
                found.append(("index", position))
            elif any(is_index(part) for part in getattr(index, "elts", ())):
                found.append(("column", position))
        elif isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)):
            found.append(("sign", position))
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("range", "load", "item", "store"):
            found.append((ast.unparse(node.func), position))
        elif isinstance(node, ast.AugAssign) and isinstance(node.op, (ast.Add, ast.Sub)):
            found.append(("sign", position))
    step = max(1, len(found) // ATTEMPTS)
    return found[::step][:ATTEMPTS]


def is_index(node):
    return isinstance(node, ast.Constant) and isinstance(node.value, int)


def plus_one(node):
    return ast.BinOp(node, ast.Add(), ast.Constant(1))


def mutate(module, kernel, how, position):
    """The tree of a module with one change in one function."""
    tree = copy.deepcopy(tree_of(module))
    function = next(f for f in tree.body if isinstance(f, ast.FunctionDef) and f.name == kernel)
    node = list(ast.walk(function))[position]
    if how == "sign":
        node.op = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
    elif how == "range":
        node.args[0 if len(node.args) == 1 else 1] = ast.BinOp(
            node.args[0 if len(node.args) == 1 else 1], ast.Sub(), ast.Constant(1))
    elif how in ("load", "item", "store"):
        node.args[1] = plus_one(node.args[1])
    elif how == "column":
        part = next(part for part in node.slice.elts if is_index(part))
        part.value = part.value - 1 if part.value else 1
    elif isinstance(node.slice, ast.Slice):
        if node.slice.lower is not None:
            node.slice.lower = plus_one(node.slice.lower)
        elif node.slice.upper is not None:
            node.slice.upper = ast.BinOp(node.slice.upper, ast.Sub(), ast.Constant(1))
    else:
        node.slice = ast.BinOp(node.slice, ast.Sub(), ast.Constant(1))
    return ast.fix_missing_locations(tree)


# ---- running them --------------------------------------------------------------------------------------------------


def sound(module):
    """True if the tests are green without a mutant: otherwise red would mean nothing."""
    return not red(fork(lambda: judged(module, tree_of(module))))


def noticed(module, kernel):
    """True if the tests turn red for one of the kernel's mutants."""
    function = next(f for f in tree_of(module).body if isinstance(f, ast.FunctionDef) and f.name == kernel)
    for how, position in places(function):
        child = fork(lambda how=how, position=position: judged(module, mutate(module, kernel, how, position)))
        if red(child):
            return True
    return False


def fork(work):
    """A child that runs `work` and exits with its result."""
    child = os.fork()
    if child == 0:
        try:
            code = work()
        except BaseException:
            code = 1
        os._exit(int(code))
    return child


def red(child):
    """True if the child's tests failed, or did not end."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0


def judged(module, tree):
    """The exit code of the tests of one module with its source replaced."""
    import pytest

    resource.setrlimit(resource.RLIMIT_CPU, (PATIENCE, PATIENCE))
    sys.meta_path.insert(0, Hook(f"firconv.kernels.{module}", HOUSE / "kernels" / f"{module}.py", tree))
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    _, files, chosen = KERNELS[module]
    options = ["-x", "-q", "-p", "no:cacheprovider", "--override-ini=addopts=", "--import-mode=importlib"]
    return pytest.main([*options, *(["-k", chosen] if chosen else []), *(str(HERE / f) for f in files)])


class Hook:
    """Finds one module and gives it another source."""

    def __init__(self, name, path, tree):
        self.name, self.path, self.tree = name, path, tree

    def find_spec(self, name, path=None, target=None):
        if name != self.name:
            return None
        loader = importlib.machinery.SourceFileLoader(name, str(self.path))
        loader.get_code = lambda fullname: compile(self.tree, str(self.path), "exec")
        return importlib.util.spec_from_file_location(name, self.path, loader=loader)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
