"""Laws of the boundaries: each extension is filtering the signal that was extended by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from firconv.identities.algebra import cut
from firconv.identities.calls import Calls
from firconv.identities.draws import Draw
from firconv.identities.extensions import extended
from firconv.identities.law import Sides, register
from firconv.identities.values import Value, wide

PICTURES = {"zero": "000|abcd|000", "edge": "aaa|abcd|ddd", "symmetric": "cba|abcd|dcb", "reflect": "dcb|abcd|cba",
            "wrap": "bcd|abcd|abc", "antisymmetric": "−c−b−a|abcd|−d−c−b", "antireflect": "…2a−b|abcd|2d−c…"}


def by_hand(f: Calls, p: Draw, rule: Any) -> Sides:
    """Left: the implementation's boundary. Right: the valid outputs of the extended signal."""
    x, h, op = p.signal(), p.taps(longest=14 if p.ndim == 1 else 6), p.choice("op", ("convolve", "correlate"))
    mode = p.choice("mode", ("same", "full"))
    padded = Value(extended(x.array, [k - 1 for k in h.shape], rule))
    left = f.call(op, x, h, mode, boundary=rule)
    yield left, cut(f, op, f.call(op, padded, h, "valid"), x, h, mode)


def _law(rule: str, picture: str) -> None:
    @register(f"boundary {rule}", f"x̃ = {picture}", rf"\tilde{{x}} = \mathtt{{{picture}}}",
              "modes same and full, also more taps than samples: the boundary is the valid part of the padded signal")
    def boundary(f: Calls, p: Draw) -> Sides:
        f.extends(rule)
        p.need(p.dtype != np.uint64 or not rule.startswith("anti"))
        yield from by_hand(f, p, rule)


for _rule, _picture in PICTURES.items():
    _law(_rule, _picture)


@register("boundary constant", "x̃ = ccc|abcd|ccc", r"\tilde{x} = \mathtt{ccc|abcd|ccc}",
          "modes same and full, constants −3 … 3")
def constant(f: Calls, p: Draw) -> Sides:
    f.extends("constant")
    low = 1 if p.dtype.kind == "u" else -3
    yield from by_hand(f, p, ("constant", float(p.size("c", low, 3))))


@register("boundary omit", "x = 1  ⇒  y = Σh", r"x = 1 \Rightarrow y = \sum h",
          "mode same, positive taps: a constant stays constant up to the ends", "f")
def omit(f: Calls, p: Draw) -> Sides:
    f.extends("omit")
    x, h = p.signal(), p.taps(longest=8)
    p.need(h.array.dtype.kind == "f")
    ones = Value(np.ones(x.shape, p.dtype))
    taps = Value((np.abs(h.array) + np.abs(h.array).max() / 8 + 1).astype(h.array.dtype))
    p.need(all(k <= n for k, n in zip(h.shape, x.shape, strict=True)))
    y = f.convolve(ones, taps, "same", boundary="omit")
    inside = float(wide(taps.array).sum() / wide(taps.array).min())
    yield Value(y.array, 2 * y.error * inside), np.full(x.shape, wide(taps.array).sum())


@register("boundaries per end", "x̃ = low | x | high, per axis",
          r"\tilde{x} = \mathrm{low}\,|\,x\,|\,\mathrm{high}",
          "two rules per axis, each end its own; for implementations with windows of positions")
def ends(f: Calls, p: Draw) -> Sides:
    f.need("window")
    names, n = [rule for rule in PICTURES if rule in f.rules()], p.ndim
    yield from by_hand(f, p, [(p.choice(f"low{a}", names), p.choice(f"high{a}", names)) for a in range(n)])
