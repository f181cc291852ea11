"""What one row of the table is: our call, every peer that can make the same result, and what it should cost."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Run = Callable[[], Array]

# Multiply-adds above which a peer's plain sum takes seconds and cannot be the fastest: it is not run there.
PLAIN = 2.5e9
SLOW_PLAIN = 3e8  # one multiply-add per nanosecond or worse
TOLERANCE = {"float32": 2e-6, "float64": 2e-13, "complex64": 4e-6, "complex128": 4e-13}


@dataclass(frozen=True)
class Peer:
    """Another library's call for the same result; not run when the defining sum has more than `limit` multiply-adds."""

    name: str
    run: Run
    limit: float = float("inf")


@dataclass(frozen=True)
class Bench:
    """Arrays made, calls ready: `ours()` and every peer return the same array up to rounding; `method()` asks the plan.

    `scale` is the largest value that the sum of magnitudes can reach, max|x|·Σ|h|: errors are judged against it.
    `macs` counts the multiply-adds of the defining sum, `traffic` the bytes of the signal and of the output.
    """

    ours: Run
    method: Callable[[], str]
    scale: float
    dtype: str
    peers: list[Peer]
    macs: int
    traffic: int
    references: list[Peer] = field(default_factory=list)

    def affordable(self) -> list[Peer]:
        """The peers (not the references) worth running at this size."""
        return [peer for peer in self.peers if self.macs <= peer.limit]

    def disagreement(self, result: Array, trusted: Array) -> str:
        """Why `result` is not the trusted one up to rounding; empty when it is."""
        if result.shape != trusted.shape:
            return f"shape {result.shape}, not {trusted.shape}"
        error = float(np.max(np.abs(result - trusted))) / self.scale
        return "" if error <= TOLERANCE[self.dtype] else f"off by {error:.1e} of max|x|·Σ|h|"


@dataclass(frozen=True)
class Case:
    """A row: `build()` makes its arrays; `wanted` is the smallest ratio, `aim` the one against the references.

    `usual` names the peers that this work is usually done with; the faster of them gets a column of its own.
    """

    name: str
    title: str
    group: str
    build: Callable[[], Bench]
    wanted: float | None
    aim: float | None = None
    usual: tuple[str, ...] = ()


def has(module: str) -> bool:
    """Whether a peer's module is installed, without importing it."""
    return importlib.util.find_spec(module) is not None


def noise(shape: int | tuple[int, ...], dtype: str, seed: int = 0) -> Array:
    """Normal samples, the same in every run."""
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def problem(op: str, x: Array, h: Array, mode: str = "full", **keywords: Any) -> dict[str, Any]:
    """The fields of a `Bench` that follow from our call: the call, the method it gets, scale and dtype."""
    import firconv

    function = getattr(firconv, op)

    def method() -> str:
        return str(firconv.plan(x, h, mode, op=op, **keywords).method)

    plain = mode == "full" and not keywords
    run = (lambda: function(x, h)) if plain else (lambda: function(x, h, mode, **keywords))
    scale = float(np.max(np.abs(x)) * np.sum(np.abs(h)))
    return {"ours": run, "method": method, "scale": scale, "dtype": str(x.dtype)}
