"""What this installation is made of, and compiling its kernels ahead of time."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def show_config() -> None:
    """Print versions, processor, threads, the cache of compiled kernels and the planner's constants.

    Examples
    --------
    >>> import firconv
    >>> firconv.show_config()                                                    # doctest: +ELLIPSIS
    firconv ...
    """
    for name, value in configuration().items():
        print(f"{name:<12}{value}")


def configuration() -> dict[str, str]:
    """The rows of `show_config`."""
    from firconv import __version__, cost, threads

    rows = {"firconv": __version__, "python": platform.python_version()}
    rows |= {name: _version(name) for name in ("numpy", "scipy", "numba", "llvmlite", "matplotlib")}
    rows["processor"] = f"{_processor()}, {platform.machine()}, {sys.platform}"
    named = os.environ.get("FIRCONV_WORKERS")
    rows["threads"] = f"{threads.get_workers()} by default, {threads.available()} cores available" + (
        f", FIRCONV_WORKERS={named}" if named else ""
    )
    from firconv.kernels import compiled

    rows["cache"] = f"{compiled.cache_folder()} ({compiled.cache_state()})"
    rows["planner"] = f"constants of {cost.machine().provenance}"
    return rows


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"


def warmup(progress: bool | Callable[[str, int, int], None] = True) -> None:
    """Compile every kernel for every type now, so that no later call waits.

    Parameters
    ----------
    progress : bool or callable
        Print a line for each kernel, or call ``progress(name, done, total)``.

    Examples
    --------
    >>> import firconv
    >>> firconv.warmup(progress=False)
    """
    from firconv.kernels import compiled, direct, guard  # noqa: F401 - importing registers their kernels

    compiled.warmup(_print if progress is True else progress or None)


def _print(name: str, done: int, total: int) -> None:
    print(f"[{done}/{total}] {name}", flush=True)
