"""The same filter for a signal that arrives in pieces, with the same bits however it is cut.

A stream keeps the samples that later outputs still read, and runs the plan's own tasks on that window as a problem of
its own. FFT blocks lie on the grid of the whole signal (they start at multiples of the block from output 0), and a
block is computed when all its samples are there, so an output never depends on where the pieces ended.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from firconv import describe, threads, tiles

if TYPE_CHECKING:
    from firconv.plans import Plan


class Stream:
    """A filter with memory: push blocks, then flush.

    Made by `Plan.stream`. The lengths along the other dimensions and the type are those of the plan; the total length
    of the signal may be anything.

    Attributes
    ----------
    delay : int
        How many samples beyond its own position the last tap of an output reads, plus the rest of an FFT block.

    Examples
    --------
    >>> import firconv, numpy as np
    >>> x, h = np.arange(10.0), [1, 2, 1]
    >>> stream = firconv.plan(x, h, "same", boundary="edge").stream()
    >>> y = np.concatenate([stream.push(x[:4]), stream.push(x[4:]), stream.flush()])
    >>> np.array_equal(y, firconv.convolve(x, h, "same", boundary="edge"))
    True
    """

    def __init__(self, plan: Plan):
        self._plan, self._at = plan, _time_axis(plan)
        self._axis = plan.layout.axes[self._at]
        a = self._lattice = plan.problem.lattices[self._at]
        length = plan.decision.lengths[self._at] if plan.decision.lengths else 0
        self._step = length - a.reach + 1 if length else 1
        self._span = max(length, a.reach)
        shape = list(plan._x_shape())
        shape[self._axis] = 0
        self._held = np.empty(shape, plan.problem.signal_dtype)
        self._start = 0  # absolute index of the first sample held, a multiple of in_parts
        self._done = 0  # periods delivered, a multiple of the block step
        self._flushed = False

    @property
    def delay(self) -> int:
        """Input samples that must follow position t before its output is delivered, at most."""
        a = self._lattice
        ahead = a.in_parts * (a.base + a.reach) - 1
        return max(0, ahead + (self._step - 1) * a.in_parts)

    @property
    def received(self) -> int:
        """Samples pushed so far."""
        return self._start + self._held.shape[self._axis]

    def push(self, block: ArrayLike, workers: int | None = None) -> np.ndarray:
        """Take the next samples and return the outputs that they complete (perhaps none).

        Raises
        ------
        ValueError
            For a block of another type or with other lengths beside time, and after `flush`.
        """
        self._held = np.concatenate([self._held, self._accepted(block)], axis=self._axis)
        ready = self._ready()
        if ready <= self._done:
            return self._nothing()
        y = self._run(self._done, (ready - self._done) * self._lattice.out_parts, workers)
        self._done = ready
        self._forget()
        return y

    def _ready(self) -> int:
        """Periods that can be delivered: all their samples are there, and no longer signal would change them."""
        a, n = self._lattice, self.received
        if n <= 1 - a.in_parts * a.base:
            return 0  # what the low end mirrors may not be there yet
        blocks = (n // a.in_parts - a.base - self._span) // self._step + 1
        return min(blocks, self._total() // a.out_parts // self._step) * self._step

    def flush(self, workers: int | None = None) -> np.ndarray:
        """The outputs that need the signal's end, which is now known. Nothing can be pushed after it.

        Raises
        ------
        ValueError
            If nothing was pushed, or "valid" has no outputs for so short a signal.
        """
        if self._flushed:
            raise ValueError("stream.flush(): the stream has ended; make another with plan.stream()")
        self._flushed = True
        if not self.received:
            raise ValueError("stream.flush(): no samples were pushed; push at least one block first")
        total = self._total()
        if total <= self._done * self._lattice.out_parts:
            return self._nothing()
        return self._run(self._done, total - self._done * self._lattice.out_parts, workers)

    def _accepted(self, block: ArrayLike) -> np.ndarray:
        if self._flushed:
            raise ValueError("stream.push(block): the stream was flushed; make another with plan.stream()")
        array = np.asarray(block)
        wanted = self._held.shape
        same = array.ndim == len(wanted) and all(
            n == m for d, (n, m) in enumerate(zip(array.shape, wanted, strict=True)) if d != self._axis
        )
        if not same or array.dtype != self._held.dtype:
            shape = tuple("any" if d == self._axis else n for d, n in enumerate(wanted))
            raise ValueError(
                f"stream.push(block): block has shape {array.shape} and dtype {array.dtype}; this stream takes "
                f"{shape} and {self._held.dtype}"
            )
        return array

    def _total(self) -> int:
        """Outputs of the whole signal, by the length law."""
        p, i = self._plan.problem, self._at
        return describe.outputs_of(self._plan.call, self.received, p.taps[i], p.up[i], p.down[i], p.dilation[i])

    def _nothing(self) -> np.ndarray:
        shape = list(self._plan.shape)
        shape[self._axis] = 0
        return np.empty(shape, self._plan.dtype)

    def _run(self, first: int, count: int, workers: int | None) -> np.ndarray:
        """`count` outputs from period `first` on, with the samples held as a signal of its own."""
        plan, i, a = self._plan, self._at, self._lattice

        def swap(values: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
            return (*values[:i], value, *values[i + 1 :])

        p = plan.problem
        part = replace(p, signal=swap(p.signal, self._held.shape[self._axis]), outputs=swap(p.outputs, count))
        shift = first - self._start // a.in_parts
        grid = tiles.Grid(part, swap(p.lattices, replace(a, base=a.first + shift)))
        shape = list(plan.shape)
        shape[self._axis] = count
        return plan._window(self._held, tuple(shape), grid, threads.resolve(workers))

    def _forget(self) -> None:
        """Drop the samples that no later output reads, leaving what a boundary may mirror."""
        a = self._lattice
        needed = a.in_parts * (self._done + a.base) - 2 * a.in_parts * (self._span + 1) - 2
        drop = (needed - self._start) // a.in_parts * a.in_parts
        if drop > self._held.shape[self._axis] // 2 and drop > 0:
            kept = [slice(None)] * self._held.ndim
            kept[self._axis] = slice(drop, None)
            self._held = self._held[tuple(kept)].copy()
            self._start += drop


def _time_axis(plan: Plan) -> int:
    """The engine's axis that is filtered.

    Raises
    ------
    ValueError
        For plans that cannot run on pieces.
    """
    active = [i for i in plan.layout.filtered if i in plan.problem.filtered] or list(plan.layout.filtered[-1:])
    if len(active) != 1:
        raise ValueError(
            f"plan.stream(): the plan filters {len(active)} axes, and a stream runs along one: give axes= when planning"
        )
    taps, signal = plan.problem.taps[active[0]], plan.problem.signal[active[0]]
    if plan.call.mode == "valid" and taps > signal:
        raise ValueError(
            f"plan.stream(): mode='valid' was planned for {signal} samples and {taps} taps, where the two change "
            "places: plan with a signal at least as long as the taps"
        )
    if any(rule.name == "wrap" for rule in plan.problem.boundary[active[0]]):
        raise ValueError("plan.stream(): boundary='wrap' needs the other end of the signal first: filter it whole")
    if plan.method not in ("direct", "overlap_save"):
        raise ValueError(
            f"plan.stream(): method={plan.method!r} needs the whole signal: plan with method='overlap_save' or 'direct'"
        )
    return active[0]
