"""How a law asks the implementation under test: results are `Value`s, with the error that each call is granted."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from firconv.identities.draws import Draw
from firconv.identities.extensions import extended
from firconv.identities.implementation import OTHER, Implementation
from firconv.identities.values import Value, granted, roundoff, wide

Array = np.ndarray


class Calls:
    """The implementation under test, with the method of the problem at hand."""

    def __init__(self, subject: Implementation, problem: Draw):
        self.subject, self._problem = subject, problem

    def convolve(self, x: Value, h: Value, mode: Any = "full", **words: Any) -> Value:
        """Σ_k h[k]·x̃[n + c − k]."""
        return self.call("convolve", x, h, mode, **words)

    def correlate(self, x: Value, h: Value, mode: Any = "full", **words: Any) -> Value:
        """Σ_k conj(h[k])·x̃[n + k − c]."""
        return self.call("correlate", x, h, mode, **words)

    def call(self, op: str, x: Value, h: Value, mode: Any = "full", **words: Any) -> Value:
        """Either of the two."""
        x, h = self._cast(x), self._cast(h)
        words.setdefault("method", self._problem.method)
        y = np.asarray(self.subject.apply(op, x.array.copy(), h.array.copy(), mode, **words))
        return Value(y, self._error(x, h, words))

    @property
    def layers(self) -> Any:
        """The implementation's layer functions, or None."""
        return self.subject.layers

    def native(self, *ops: str) -> None:
        """Give up unless these operations are the implementation's own."""
        for op in ops:
            if not self.subject.has(op):
                raise NotImplementedError(f"{self.subject.name} has no {op}; it is derived from {OTHER[op]}")

    def need(self, *words: str) -> None:
        """Give up unless the implementation takes these words."""
        for word in words:
            if not self.has(word):
                what = "windows of positions, mode=(start, stop)" if word == "window" else word
                raise NotImplementedError(f"{self.subject.name} has no {what}")

    def extends(self, rule: str) -> None:
        """Give up unless the implementation has this boundary."""
        if rule not in self.subject.boundaries:
            raise NotImplementedError(f"{self.subject.name} has no such boundary")

    def has(self, word: str) -> bool:
        """True where the implementation takes this word."""
        return word in self.subject.keywords

    def rules(self, *without: str) -> list[str]:
        """Its boundaries by name."""
        signed = self._problem.dtype != np.uint64  # whose sums cannot be negative
        rules = [rule for rule in self.subject.boundaries
                 if rule not in ("constant", *without) and (signed or not rule.startswith("anti"))]
        return rules or ["zero"]

    def centre(self, op: str, h: Value) -> tuple[int, ...]:
        """The implementation's own origin for these taps."""
        return tuple(self.subject.origin(op, k) for k in h.shape)

    def first(self, op: str, h: Value) -> tuple[int, ...]:
        """Where the outputs of "same" begin in those of "full"."""
        centre = self.centre(op, h)
        return centre if op == "convolve" else tuple(k - 1 - c for c, k in zip(centre, h.shape, strict=True))

    def strided(self, op: str, x: Value, h: Value, mode: str, down: int) -> Value:
        """With `down` where the implementation has it, else every down-th of all outputs."""
        if self.has("down"):
            return self.call(op, x, h, mode, down=down)
        return self.call(op, x, h, mode)[(slice(None, None, down),) * x.ndim]

    def _cast(self, value: Value) -> Value:
        """Extended precision back to the type of the problem, with one rounding."""
        a = value.array
        if a.dtype not in (np.longdouble, np.clongdouble):
            return value
        real = np.dtype(np.float32) if self._problem.dtype.name in ("float32", "complex64") else np.dtype(np.float64)
        kind = np.result_type(real, np.complex64) if a.dtype.kind == "c" else real
        return Value(a.astype(kind), value.error + roundoff(real) * float(np.abs(a).max(initial=0)))

    def _error(self, x: Value, h: Value, words: dict[str, Any]) -> float:
        """What the sum is granted, and what the operands' own errors become in it."""
        rule, taps = words.get("boundary", "zero"), np.abs(wide(h.array))
        inside = x.array if rule in ("zero", "omit") else extended(x.array, [k * _step(words) for k in h.shape], rule)
        steps = _step(words) * max(np.ravel(words.get("up", 1)))
        points = prod(n * steps + k * steps for n, k in zip(x.shape, h.shape, strict=True))
        error = granted(inside, h.array, points) + x.error * float(taps.sum())
        return error + h.error * float(np.abs(wide(inside)).sum()) + x.error * h.error * min(inside.size, taps.size)


def _step(words: dict[str, Any]) -> int:
    return int(max(np.ravel(words.get("dilation", 1))))
