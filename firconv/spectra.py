"""Step 3 for the Fourier methods: taps between polyphase parts, and their spectra, made once.

`up`, `down` and dilation are gone: output parts and input parts are channels of a correlation at unit stride.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from firconv.problem import Lattice


@dataclass(frozen=True, eq=False)
class Dense:
    """Polyphase parts as channels: taps (O·out_parts, I·in_parts, *reach), and which of them are stored."""

    weights: np.ndarray
    support: np.ndarray | None


def dense(weights: np.ndarray, lattices: tuple[Lattice, ...]) -> Dense:
    """Correlation taps (O, I, *K) as unit-stride taps between parts; dilation leaves holes."""
    d = len(lattices)
    outs, ins = [a.out_parts for a in lattices], [a.in_parts for a in lattices]
    lead = (weights.shape[0], *outs, weights.shape[1], *ins)
    full = np.zeros(lead + tuple(a.reach for a in lattices), weights.dtype)
    support = np.zeros(full.shape[1 : 1 + d] + full.shape[2 + d :], bool)
    for r in np.ndindex(*outs):
        entries = [a.entries(i) for a, i in zip(lattices, r, strict=True)]
        k, s, a = ([e[j] for e in entries] for j in range(3))
        for i in range(weights.shape[1]):
            picked: Any = (slice(None), i, *np.ix_(*k))
            full[(slice(None), *r, i, *_open(s), *_open(a))] = weights[picked]
        support[(*r, *_open(s), *_open(a))] = True
    reach = full.shape[2 + 2 * d :]
    full = full.reshape((weights.shape[0] * int(np.prod(outs)), weights.shape[1] * int(np.prod(ins)), *reach))
    if support.all():
        return Dense(full, None)
    shape = (weights.shape[0], *outs, weights.shape[1], *ins, *reach)
    stored = np.broadcast_to(support.reshape((1, *outs, 1, *ins, *reach)), shape)
    return Dense(full, np.ascontiguousarray(stored.reshape(full.shape)))


def _open(arrays: list[np.ndarray]) -> tuple[np.ndarray, ...]:
    return np.ix_(*arrays)


class FourierTaps:
    """Taps (O, I, *K) ready for blocks of given FFT lengths; spectra are made on first use, once.

    Parameters
    ----------
    lengths : FFT length per axis, 1 on unfiltered ones
    work : dtype of the blocks' arithmetic
    tau : the accuracy promised (semantics 17), or None
    """

    def __init__(
        self,
        weights: np.ndarray,
        lattices: tuple[Lattice, ...],
        lengths: tuple[int, ...],
        work: np.dtype,
        tau: float | None,
    ):
        self.lattices, self.work, self.tau = lattices, work, tau
        self.axes = tuple(i for i, n in enumerate(lengths) if n > 1) or (len(lengths) - 1,)
        self.lengths = tuple(lengths[a] for a in self.axes)
        self._weights, self._lock = weights, threading.Lock()
        self._cache: dict[Any, Any] = {}
        self.steps = tuple(n - lattices[a].reach + 1 for a, n in zip(self.axes, self.lengths, strict=True))

    def dense(self) -> Dense:
        """Taps between parts, with only the filtered axes."""
        return self._once("dense", self._dense)

    def _dense(self) -> Dense:
        found = dense(self._weights, self.lattices)
        drop = tuple(2 + i for i in range(len(self.lattices)) if i not in self.axes)
        return Dense(found.weights.squeeze(drop), None if found.support is None else found.support.squeeze(drop))

    def spectrum(self, dtype: np.dtype) -> Any:
        """The transformed taps for blocks of `dtype`."""
        from firconv.kernels import compiled, fourier, tree

        taps = self.dense()
        single = taps.weights.shape[:2] == (1, 1) and taps.weights.dtype.kind != "c"
        slow = compiled.loops() and len(self.lengths) > 1  # plain loops
        line = tree.prepare if single and not slow and tree.serves(self.lengths, dtype) else None
        return self._once(
            dtype, lambda: fourier.prepare(taps.weights, taps.support, self.lengths, dtype, line)
        )

    def _once(self, key: Any, make: Callable[[], Any]) -> Any:
        if key not in self._cache:
            with self._lock:
                if key not in self._cache:
                    self._cache[key] = make()
        return self._cache[key]


def overlay(found: Dense, lattices: tuple[Lattice, ...], block: np.ndarray, out: np.ndarray) -> None:
    """Put the NaN and Inf that the direct sum gives into out (1, *outputs), from a block of `tiles.Grid.read`."""
    from firconv.kernels import guard

    shape: list[int] = []
    for a, n in zip(lattices, block.shape[1:], strict=True):
        shape += [n // a.in_parts, a.in_parts]
    d = len(lattices)
    parts = block.reshape(block.shape[:1] + tuple(shape)).transpose(0, *range(2, 2 * d + 1, 2), *range(1, 2 * d + 1, 2))
    channels = parts.reshape((-1, *parts.shape[d + 1 :]))
    counts = [-(-n // a.out_parts) for n, a in zip(out.shape[1:], lattices, strict=True)]
    y = np.zeros((found.weights.shape[0], *counts), out.dtype)
    guard.overlay(channels, found.weights, found.support, y)
    order, joined = [0], [1]
    y = y.reshape((1, *(a.out_parts for a in lattices), *counts))
    for i, a in enumerate(lattices):
        order += [d + 1 + i, 1 + i]
        joined.append(counts[i] * a.out_parts)
    y = y.transpose(order).reshape(joined)[tuple(map(slice, out.shape))]
    np.copyto(out, y, where=~np.isfinite(y))
