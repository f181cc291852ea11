"""What happens once per process: importing, the first call, compilations, and how much memory a long call takes.

Each is measured in a process of its own, with a cache folder of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
HEAVY = ("numba", "matplotlib", "scipy.signal", "llvmlite")

FIRST_CALLS = {
    "1-D, 33 taps, f64": "rng.standard_normal(100_000), rng.standard_normal(33)",
    "1-D, 1,025 taps, f32": "rng.standard_normal(100_000, 'f'), rng.standard_normal(1025, 'f')",
    "2-D, 5² taps, f32": "rng.standard_normal((512, 512), 'f'), rng.standard_normal((5, 5), 'f')",
}

IMPORT = """
import json, sys, time
import numpy
before, start = set(sys.modules), time.perf_counter()
import firconv
seconds = time.perf_counter() - start
print(json.dumps({"seconds": seconds, "modules": sorted(set(sys.modules) - before)}))
"""

FIRST = """
import json, time
import numpy as np
rng = np.random.default_rng(0)
x, h = ARRAYS
start = time.perf_counter()
import firconv
firconv.convolve
imported = time.perf_counter()
firconv.convolve(x, h)
print(json.dumps({"imported": imported - start, "called": time.perf_counter() - imported}))
"""

COMPILE = """
import json
import numpy as np
from numba.core import event
rng = np.random.default_rng(0)
x, h = ARRAYS
import firconv
with event.install_recorder("numba:compile") as recorder:
    firconv.convolve(x, h)
depth = kernels = parts = 0
for _, e in recorder.buffer:
    kernels += e.is_start and depth == 0
    parts += e.is_start and depth > 0
    depth += 1 if e.is_start else -1
print(json.dumps({"kernels": kernels, "parts": parts}))
"""

MEMORY = """
import json, resource, sys
import numpy as np
import CALLER
def status(field):
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))
def peak():
    try:
        return status("VmHWM")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
n, taps = SIZES
x = np.ones(n, np.float32)
h = np.full(taps, 1 / taps, np.float32)
CALLER.FUNCTION(x[: 1 << 16], h)
try:
    with open("/proc/self/clear_refs", "w") as lever:
        lever.write("5")  # the peak starts again from here
    before = status("VmRSS")
except OSError:
    before = peak()
y = CALLER.FUNCTION(x, h)
print(json.dumps({"peak": peak() - before, "output": y.nbytes}))
"""


@dataclass(frozen=True)
class Fact:
    """A number that is wanted small."""

    name: str
    value: float
    unit: str
    wanted: float | None
    note: str = ""

    @property
    def passed(self) -> bool | None:
        """Whether it is small enough; None when nothing is asked."""
        return None if self.wanted is None else self.value <= self.wanted

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**asdict(self), "passed": self.passed}


def run_fresh(repeats: int = 5, memory: bool = True) -> list[Fact]:
    """All of them; the memory row takes some seconds and a gigabyte."""
    facts = [import_time(repeats)]
    for title, arrays in FIRST_CALLS.items():
        facts += first_calls(title, arrays, repeats)
    return facts + (memory_rows() if memory else [])


def import_time(repeats: int) -> Fact:
    """Importing firconv after numpy, and what it drags in."""
    results = [_child(IMPORT) for _ in range(repeats)]
    loaded = [name for name in HEAVY if name in results[0]["modules"]]
    note = f"loads {', '.join(loaded)}" if loaded else "no numba, matplotlib, scipy.signal"
    return Fact("import firconv, beyond numpy", min(r["seconds"] for r in results), "s", 0.0 if loaded else 0.15, note)


def first_calls(title: str, arrays: str, repeats: int) -> list[Fact]:
    """Import and first call together: from nothing, then from the cache that was left; and the compilations."""
    code = FIRST.replace("ARRAYS", arrays)
    with tempfile.TemporaryDirectory() as folder:
        nothing = _child(code, folder)
        cached = [_child(code, folder) for _ in range(repeats)]
    with tempfile.TemporaryDirectory() as folder:
        count = _child(COMPILE.replace("ARRAYS", arrays), folder)
    best = min(cached, key=_total)
    return [
        Fact(f"first call, cached: {title}", _total(best), "s", 1.0, f"of which import {best['imported']:.2f} s"),
        Fact(f"first call, from nothing: {title}", _total(nothing), "s", 3.0),
        Fact(f"kernels compiled: {title}", count["kernels"], "", 2, f"made of {count['parts']} inlined parts"),
    ]


def memory_rows(n: int = 60_000_000, taps: int = 1001) -> list[Fact]:
    """Peak during a long call above what a small call left, without the output; a peer's beside it."""
    title, mib = f"memory, {n // 1_000_000} M f32, {taps:,} taps", 1 << 20
    rows = []
    for module, function, wanted in (("firconv", "convolve", 64.0), ("scipy.signal", "oaconvolve", None)):
        code = MEMORY.replace("CALLER", module).replace("FUNCTION", function).replace("SIZES", f"{n}, {taps}")
        result = _child(code)
        excess = (result["peak"] - result["output"]) / mib
        rows.append(Fact(f"{title}, {module}", excess, "MiB", wanted, "peak of the call beyond the output"))
    return rows


def _total(result: dict[str, float]) -> float:
    return result["imported"] + result["called"]


def _child(code: str, cache: str | None = None) -> dict[str, Any]:
    """Run code in a new interpreter that sees this checkout; it prints one line of JSON."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    if cache is not None:
        environment["FIRCONV_CACHE_DIR"] = cache
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"a measuring process failed:\n{done.stderr}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result
