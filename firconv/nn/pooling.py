"""Pooling: the largest sample of every window, or the mean.

Padding holds no samples: it is −∞ to `max_pool`, and 0 to `avg_pool`, which counts it unless told otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from math import prod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from firconv import describe, threads
from firconv.nn import words
from firconv.nn.words import Windows, Words
from firconv.problem import Ints

#: Samples in one task, the most tasks of a call, and samples that are worth a worker of their own, who has to wake up.
TASK, MOST, WORTH = 1 << 13, 32, 1 << 17
#: The type that the compiled loops work in, for types that they do not know; every value of these is exact in it.
LARGEST = {"b1": "f4", "i1": "f4", "u1": "f4", "i2": "f4", "u2": "f4", "f2": "f4", "i4": "f8", "u4": "f8"}
MEANS = {"f2": "f4", "b1": "f8", "i1": "f8", "u1": "f8", "i2": "f8", "u2": "f8", "i4": "f8", "u4": "f8", "i8": "f8"}


def max_pool(
    x: ArrayLike,
    size: Any,
    *,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    workers: int | None = None,
) -> np.ndarray:
    """The largest sample of every window: y[n, c, t] = max_k x[n, c, t·stride + k·dilation − lo].

    Parameters
    ----------
    x : array_like, shape (N, C, *lengths)
        Real numbers.
    size : int or one per axis
        Of the window.
    stride : int or one per axis, optional
        Default: the size.
    padding : int, one per axis, one (lo, hi) pair per axis, or a word
        As `conv`; padding holds no samples.
    dilation : int or one per axis
    ceil_mode : bool
        Keep a last window, or the only one, that begins in x or in the padding before it and ends beyond the padding.
    workers : int, optional
        Threads to use; never changes the result.

    Returns
    -------
    ndarray, shape (N, C, *outputs)
        Of the dtype of x; NaN where a window holds NaN, −∞ where it holds no sample.

    Raises
    ------
    ValueError, TypeError
        For arguments that cannot mean anything, for complex numbers, and for a window that holds no sample where there
        is no −∞: of integers, and of means of samples.

    Examples
    --------
    >>> import numpy as np
    >>> from firconv import nn
    >>> nn.max_pool(np.array([[[3.0, 1, 4, 1, 5, 9]]]), 2)
    array([[[3., 4., 9.]]])
    >>> nn.max_pool(np.array([[[3.0, 1, 4, 1, 5, 9]]]), 3, stride=2, padding="same")
    array([[[4., 5., 9.]]])
    """
    x = _checked("max_pool", x)
    return _recalled(Words("max_pool", stride, padding, dilation), x, size, ceil_mode, False)(x, workers)


def avg_pool(
    x: ArrayLike,
    size: Any,
    *,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    workers: int | None = None,
) -> np.ndarray:
    """The mean of every window: y[n, c, t] = Σ_k x[n, c, t·stride + k·dilation − lo] / count[t].

    Parameters
    ----------
    x : array_like, shape (N, C, *lengths)
    count_include_pad : bool
        Count the places of a window in the padding, as zeros; else only the samples. What a window of `ceil_mode` has
        beyond the padding never counts.
    others : as `max_pool`

    Returns
    -------
    ndarray, shape (N, C, *outputs)
        Of the dtype of x; float64 for integers.

    Raises
    ------
    ValueError, TypeError
        As `max_pool`.

    Examples
    --------
    >>> import numpy as np
    >>> from firconv import nn
    >>> x = np.array([[[2.0, 4, 6, 8]]])
    >>> nn.avg_pool(x, 3, stride=1, padding=1)
    array([[[2.        , 4.        , 6.        , 4.66666667]]])
    >>> nn.avg_pool(x, 3, stride=1, padding=1, count_include_pad=False)
    array([[[3., 4., 6., 7.]]])
    """
    x = _checked("avg_pool", x)
    call = Words("avg_pool", stride, padding, dilation)
    counted = "all" if words.truth(call, "count_include_pad", count_include_pad) else "samples"
    return _recalled(call, x, size, ceil_mode, counted)(x, workers)


def global_max_pool(x: ArrayLike, *, workers: int | None = None) -> np.ndarray:
    """The largest sample of every channel.

    Parameters
    ----------
    x : array_like, shape (N, C, *lengths)

    Returns
    -------
    ndarray, shape (N, C, 1, …)

    Raises
    ------
    ValueError, TypeError
        As `max_pool`.

    Examples
    --------
    >>> import numpy as np
    >>> from firconv import nn
    >>> nn.global_max_pool(np.arange(12.0).reshape(1, 2, 2, 3)).ravel()
    array([ 5., 11.])
    """
    x = _checked("global_max_pool", x)
    return _recalled(Words("global_max_pool"), x, x.shape[2:], False, False)(x, workers)


def global_avg_pool(x: ArrayLike, *, workers: int | None = None) -> np.ndarray:
    """The mean of every channel.

    Parameters
    ----------
    x : array_like, shape (N, C, *lengths)

    Returns
    -------
    ndarray, shape (N, C, 1, …)

    Raises
    ------
    ValueError, TypeError
        As `max_pool`.

    Examples
    --------
    >>> import numpy as np
    >>> from firconv import nn
    >>> nn.global_avg_pool(np.arange(12.0).reshape(1, 2, 2, 3)).ravel()
    array([2.5, 8.5])
    """
    x = _checked("global_avg_pool", x)
    return _recalled(Words("global_avg_pool"), x, x.shape[2:], False, "all")(x, workers)


def _checked(op: str, x: Any) -> np.ndarray:
    if type(x) is not np.ndarray or x.dtype.kind not in "biufc" or x.size == 0:
        x = describe.operands(op, x, _ONE, ("x", "…" if "global" in op else "size"))[0]
    return x


_ONE = np.ones(1, np.int8)
_pools: dict[Any, tuple[Any, Pool]] = {}


def _recalled(call: Words, x: np.ndarray, size: Any, ceil_mode: bool, counted: str | bool) -> Pool:
    """The pool for these words, shape and dtype, from an earlier call if there was one."""
    given = (call.op, call.stride, call.padding, call.dilation, size, ceil_mode, counted)
    try:
        before, found = _pools.get((given, x.shape, x.dtype), (given, None))
    except TypeError:  # a keyword was a list or an array
        again, size = words.hashable(call), words.tuples(size)
        if words.is_hashable(again, size):
            return _recalled(again, x, size, words.truth(again, "ceil_mode", ceil_mode), counted)
        return Pool(again, x.shape, x.dtype, size, ceil_mode, counted)
    if found is None or not describe.alike(given, before):
        found = Pool(call, x.shape, x.dtype, size, ceil_mode, counted)
        if len(_pools) >= 256:
            _pools.clear()
        _pools[given, x.shape, x.dtype] = given, found
    return found


class Pool:
    """A pool for inputs of one shape and dtype, its tables made.

    Attributes
    ----------
    shape, dtype : of the result
    windows : where the windows lie, or None of whole planes
    """

    def __init__(
        self, call: Words, x_shape: Ints, kind: np.dtype, size: Any, ceil_mode: bool, counted: str | bool = False
    ):
        if kind.kind == "c" and not counted:
            raise TypeError(f"{call}: x is complex, and complex numbers have no order: pool np.abs(x), or its parts")
        self._counted = counted
        self._every = w = words.windows(call, x_shape, size, ceil_mode)
        self.windows = None if w.kernel == w.lengths and not any(map(any, w.pads)) and max(w.dilation) == 1 else w
        self.shape = (*x_shape[:2], *w.outputs)
        self.dtype, self._work = _types(kind, bool(counted))
        self._planes, self._plane = prod(x_shape[:2]), prod(x_shape[2:])
        if self.windows is not None:
            self._tables = _tables(call, w, counted, counted == "samples" or kind.kind in "biu")
            step = w.stride[-1] if w.outputs[-1] > 1 else 1
            self._along = np.array([w.lengths[-1], w.pads[-1][0], w.outputs[-1], step, w.kernel[-1], w.dilation[-1]])
        self._boxes = np.array(self._cut(1 if self.windows is None else len(self._tables[1])))
        self._kernel: Callable[..., None] | None = None

    def _cut(self, rows: int) -> list[np.ndarray]:
        """Planes, and rows of outputs where there are few planes, as tasks of some 2¹³ samples."""
        count = max(1, min(MOST, self._planes * self._plane // TASK))
        if self._planes >= MOST or self._planes >= count:
            ends = np.linspace(0, self._planes, min(count, self._planes) + 1).astype(np.int64)
            return [np.array([a, b, 0, rows]) for a, b in zip(ends[:-1], ends[1:], strict=True)]
        ends = np.linspace(0, rows, min(-(-count // self._planes), rows) + 1).astype(np.int64)
        return [np.array([p, p + 1, a, b]) for p in range(self._planes)
                for a, b in zip(ends[:-1], ends[1:], strict=True)]  # fmt: skip

    def __call__(self, x: np.ndarray, workers: int | None = None) -> np.ndarray:
        """Pool an array of the shape and dtype that this was made for."""
        count = threads.resolve(workers)
        if self._work is None:
            return self._shifted(x)
        if x.dtype.kind == "c":
            out = np.empty(self.shape, self.dtype)
            out.real, out.imag = (self._real(part, count) for part in (x.real, x.imag))
            return out
        if x.dtype.kind == "u" and self._work == np.int64:  # they order as signed ones with the top bit turned
            x = x.astype(np.uint64, order="C").view(np.int64) ^ _TOP
            return self._real(x, count).view(np.uint64) ^ np.uint64(1 << 63)
        return self._real(x, count).astype(self.dtype, copy=False)

    def _real(self, x: np.ndarray, workers: int) -> np.ndarray:
        kind = self._work
        if x.dtype != kind or not x.flags.c_contiguous or not x.flags.aligned:
            x = np.require(x, kind, ("C", "A"))
        out = np.empty(self.shape, kind)
        kernel = self._kernel or self._compiled()
        flat, target = x.reshape(-1), out.reshape(-1)
        workers = max(1, min(workers, x.size // WORTH))
        threads.share(lambda number, counter: kernel(flat, target, counter, number), workers, len(self._boxes))
        return out

    def _compiled(self) -> Callable[..., None]:
        """The compiled loop for this pool, as a function of memory, target and counter of tasks."""
        from firconv.kernels import pooling

        kind: Any = self._work
        empty = kind.type(0 if self._counted else -np.inf if kind.kind == "f" else np.iinfo(kind).min)
        if self.windows is None:
            whole = (pooling.average if self._counted else pooling.largest).version(kind)
            self._kernel = lambda x, out, *turns: whole(x, out, self._boxes, *turns, self._plane, empty)
            return self._kernel
        at, first, last, counts, rows = self._tables
        counts, rows = counts.astype(kind), rows.astype(kind)
        some = (pooling.means if self._counted else pooling.maxima).version(kind)
        self._kernel = lambda x, out, *turns: some(x, out, self._boxes, *turns, self._plane, at, first, last,
                                                    self._along, counts, rows, empty)  # fmt: skip
        return self._kernel

    def _shifted(self, x: np.ndarray) -> np.ndarray:
        """Tap by tap in NumPy: for long doubles."""
        w = self._every
        out, before = np.full(self.shape, 0 if self._counted else -np.inf, self.dtype), (slice(None),) * 2
        with np.errstate(invalid="ignore"):  # ∞ − ∞
            for taps in product(*map(range, w.kernel)):
                cuts = [_cut(w, axis, k) for axis, k in enumerate(taps)]
                to, at = ((*before, *(cut[i] for cut in cuts)) for i in (0, 1))
                out[to] = (np.add if self._counted else np.maximum)(out[to], x[at])
        if self._counted:
            for axis in range(len(w.kernel)):
                count = _count(w, axis, self._counted).astype(self.dtype)
                out /= count.reshape((-1,) + (1,) * (len(w.kernel) - 1 - axis))
        return out


_TOP = np.int64(np.iinfo(np.int64).min)


def _types(kind: np.dtype, mean: bool) -> tuple[np.dtype, np.dtype | None]:
    """The result's dtype, and the real one that the compiled loops work in; None for long doubles."""
    native = kind.newbyteorder("=")
    result = np.dtype(np.float64) if mean and native.kind in "biu" else native
    if native.kind == "c":
        native = np.zeros(0, native).real.dtype
    name = native.str[1:]
    if name in ("f4", "f8"):
        return result, native
    if not mean and name in ("i8", "u8"):
        return result, np.dtype(np.int64)
    work = (MEANS if mean else LARGEST).get(name, "f8" if name == "u8" else None)
    return result, None if work is None else np.dtype(work)


def _count(w: Windows, axis: int, counted: str | bool) -> np.ndarray:
    """How many places of each window along an axis count."""
    first, end = w.met(axis)
    return w.met(axis, w.pads[axis][1])[1] if counted == "all" else end - first


def _cut(w: Windows, axis: int, k: int) -> tuple[slice, slice]:
    """The outputs whose tap k meets a sample, and these samples."""
    at = w.starts(axis) + k * w.dilation[axis]
    here = np.flatnonzero((at >= 0) & (at < w.lengths[axis]))
    if here.size == 0:
        return slice(0, 0), slice(0, 0)
    lo, hi = int(here[0]), int(here[-1])
    return slice(lo, hi + 1), slice(int(at[lo]), int(at[hi]) + 1, w.stride[axis])


def _tables(
    call: Words, w: Windows, counted: str | bool, full: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(starts of rows, first, last, counts per column, counts per row) for the rows of outputs; see `kernels.pooling`.

    Raises
    ------
    ValueError
        For a window that holds no sample, where every window must be `full`.
    """
    axes, last = range(len(w.kernel) - 1), len(w.kernel) - 1
    pitch = [prod(w.lengths[a + 1 :]) for a in axes]
    starts = [[[p * pitch[a] for p in row] for row in w.samples(a)] for a in axes]
    rows = [[sum(at) for at in product(*choice)] for choice in product(*starts)]
    ends = np.cumsum([len(row) for row in rows], dtype=np.int64)
    counts = [_count(w, a, counted or "samples") for a in range(last + 1)]
    if full and min(int(c.min()) for c in counts) == 0:
        raise ValueError(
            f"{call}: padding={call.padding!r} leaves a window without any sample: use at most "
            f"{tuple(min(k * d, n) - 1 for k, d, n in zip(w.kernel, w.dilation, w.lengths, strict=True))}"
        )
    per_row: Any = np.ones(1)
    for c in counts[:-1]:
        per_row = np.multiply.outer(per_row, c).ravel()
    flat = np.array([at for row in rows for at in row], np.int64)
    return flat, np.concatenate([[0], ends[:-1]]), ends, np.append(counts[last], np.ones(16)), per_row
