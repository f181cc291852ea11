"""What this machine is and can do: its name, its multiply-add peak, its copy bandwidth."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.timing import race

PACKAGES = (
    "firconv", "numpy", "scipy", "numba", "opencv-python-headless", "opencv-python", "torch", "onnxruntime", "onnx",
    "halide", "ipp",
)  # fmt: skip


@dataclass(frozen=True)
class Machine:
    """GFLOP/s count a multiply-add as two; bandwidth counts bytes read and bytes written; registers are in bytes."""

    processor: str
    registers: int
    cores: int
    python: str
    versions: dict[str, str]
    gflops: dict[str, float]
    copy_gbs: float

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def measure(seconds: float = 1.0) -> Machine:
    """Look and measure, on two threads."""
    gflops = {dtype: _gemm(dtype, seconds) for dtype in ("float32", "float64")}
    return Machine(processor(), registers(), _cores(), platform.python_version(), versions(), gflops, _copy(seconds))


def again(machine: Machine, seconds: float = 1.0) -> Machine:
    """The better of what was measured and of what is measured now: limits are what can be reached."""
    now = measure(seconds)
    gflops = {dtype: max(value, now.gflops[dtype]) for dtype, value in machine.gflops.items()}
    return replace(machine, gflops=gflops, copy_gbs=max(machine.copy_gbs, now.copy_gbs))


def processor() -> str:
    """The processor's own name."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def registers() -> int:
    """Bytes of a vector register that kernels are compiled for."""
    from firconv.kernels import lanes

    return lanes.REGISTER


def versions() -> dict[str, str]:
    """The versions of everything that takes part, as far as installed."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _gemm(dtype: str, seconds: float) -> float:
    """The better of BLAS and a layer of one tap: NumPy's BLAS does not use the widest registers of every processor."""
    from firconv import nn

    n = 1536
    a = np.random.default_rng(0).standard_normal((n, n)).astype(dtype)
    result, x = np.empty_like(a), np.ascontiguousarray(a[None, : n // 6])
    layer = nn.plan(x, np.ascontiguousarray(a[: n // 6, : n // 6, None]), method="gemm")
    layer(x)
    best = race({"BLAS": lambda: np.matmul(a, a, out=result), "layer": lambda: layer(x, workers=2)}, seconds).best
    return max(2 * n**3 / best["BLAS"], 2 * n**3 / 36 / best["layer"]) / 1e9


def _copy(seconds: float) -> float:
    """Two halves of 128 MiB on two threads, memory to memory."""
    source = np.ones((2, 1 << 24), np.float32)
    target = np.zeros_like(source)
    with ThreadPoolExecutor(2) as pool:
        best = race({"copy": lambda: list(pool.map(np.copyto, target, source))}, seconds).best["copy"]
    return 2 * source.nbytes / best / 1e9
