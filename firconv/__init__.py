"""firconv: every convolution is an FIR filter. One operator, one planner, one set of fast kernels.

>>> import firconv
>>> firconv.convolve([1, 2, 3], [1, 1]).tolist()
[1, 3, 5, 3]
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "convolve": "convolution",
    "correlate": "convolution",
    "plan": "convolution",
    "Plan": "convolution",
    "correlation_lags": "lags",
    "set_workers": "threads",
    "get_workers": "threads",
    "show_config": "config",
    "warmup": "config",
    "FIR": "systems",
    "IIR": "systems",
    "identify": "identification",
    "translate": "translation",
    "align": "alignment",
    "normalized_correlate": "matching",
}
_MODULES = (
    "byhand",
    "design",
    "files",
    "filters",
    "identities",
    "interop",
    "nn",
    "plots",
    "response",
    "signal",
    "streaming",
    "systems",
)

__all__ = sorted([*_HOME, *_MODULES, "__version__"])  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    """Load a public name from the room it lives in on first use: importing firconv costs no numba and no SciPy."""
    if name in _HOME:
        value = getattr(import_module(f"firconv.{_HOME[name]}"), name)
        globals()[name] = value
        return value
    if name in _MODULES:
        return import_module(f"firconv.{name}")
    raise AttributeError(f"module 'firconv' has no attribute {name!r}; public names are {', '.join(__all__)}")


def __dir__() -> list[str]:
    return __all__
