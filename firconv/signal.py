"""The names of scipy.signal that this library replaces, with its signatures: change the import and keep the code.

``from scipy import signal`` becomes ``from firconv import signal``; every other name comes from scipy.signal itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from firconv import convolution
from firconv.lags import correlation_lags

__all__ = [
    "convolve",
    "correlate",
    "correlation_lags",
    "fftconvolve",
    "oaconvolve",
    "convolve2d",
    "correlate2d",
    "upfirdn",
    "lfilter",
]

_METHODS = {"auto": "auto", "direct": "direct", "fft": "fft"}


def __getattr__(name: str) -> Any:
    """Every other name: scipy.signal's own."""
    import scipy.signal

    try:
        return getattr(scipy.signal, name)
    except AttributeError:
        raise AttributeError(f"neither firconv.signal nor scipy.signal has {name!r}") from None


def __dir__() -> list[str]:
    import scipy.signal

    return sorted({*__all__, *dir(scipy.signal)})


def _checked(mode: Any, method: Any = "auto") -> str:
    if mode not in ("full", "same", "valid"):
        raise ValueError("acceptable mode flags are 'valid', 'same', or 'full'")
    if method not in _METHODS:
        raise ValueError("Acceptable method flags are 'auto', 'direct', or 'fft'.")
    return _METHODS[method]


def convolve(in1: Any, in2: Any, mode: str = "full", method: str = "auto") -> np.ndarray:
    """`firconv.convolve` with the signature of scipy.signal.convolve.

    Raises
    ------
    ValueError
        For unknown flags, other dimensions, and "valid" where neither input is at least as large as the other.

    Examples
    --------
    >>> from firconv import signal
    >>> signal.convolve([1, 2, 3], [0, 1, 0.5], "same")
    array([1. , 2.5, 4. ])
    """
    chosen = _checked(mode, method)
    a, b = np.asarray(in1), np.asarray(in2)
    if a.ndim == b.ndim == 0:
        return a * b
    _same_rank(a, b)
    if a.size == 0 or b.size == 0:
        return np.array([])
    return convolution.convolve(*_ordered(a, b, mode), mode=mode, method=chosen)


def correlate(in1: Any, in2: Any, mode: str = "full", method: str = "auto") -> np.ndarray:
    """`firconv.correlate` with the signature of scipy.signal.correlate.

    Raises
    ------
    ValueError
        As `convolve`.

    Examples
    --------
    >>> from firconv import signal
    >>> signal.correlate([1, 2, 3], [0, 1, 0.5], "valid")
    array([3.5])
    """
    chosen = _checked(mode, method)
    a, b = np.asarray(in1), np.asarray(in2)
    if a.ndim == b.ndim == 0:
        return a * b.conj()
    _same_rank(a, b)
    if a.size == 0 or b.size == 0:
        return np.array([])
    if mode == "valid" and _swap(a, b):
        back = convolution.correlate(b, a, "valid", chosen)
        return back[(slice(None, None, -1),) * back.ndim].conj()
    return convolution.correlate(a, b, mode, chosen)


def _same_rank(a: np.ndarray, b: np.ndarray) -> None:
    if a.ndim != b.ndim:
        raise ValueError("in1 and in2 should have the same dimensionality")


def _swap(a: np.ndarray, b: np.ndarray) -> bool:
    """True where "valid" exchanges the inputs, as SciPy does."""
    if all(n >= k for n, k in zip(a.shape, b.shape, strict=True)):
        return False
    if all(k >= n for n, k in zip(a.shape, b.shape, strict=True)):
        return True
    raise ValueError("For 'valid' mode, one must be at least as large as the other in every dimension")


def _ordered(a: np.ndarray, b: np.ndarray, mode: str) -> tuple[np.ndarray, np.ndarray]:
    return (b, a) if mode == "valid" and _swap(a, b) else (a, b)


def fftconvolve(in1: Any, in2: Any, mode: str = "full", axes: Any = None) -> np.ndarray:
    """Convolution along `axes` with broadcasting, as scipy.signal.fftconvolve; the planner chooses the method.

    Raises
    ------
    ValueError
        As `convolve`, and for shapes that do not broadcast.

    Examples
    --------
    >>> from firconv import signal
    >>> signal.fftconvolve([1.0, 2, 3], [1.0, 1])
    array([1., 3., 5., 3.])
    """
    return _along(in1, in2, mode, axes)


def oaconvolve(in1: Any, in2: Any, mode: str = "full", axes: Any = None) -> np.ndarray:
    """Convolution along `axes` with broadcasting, as scipy.signal.oaconvolve; the planner chooses the method.

    Raises
    ------
    ValueError
        As `fftconvolve`.

    Examples
    --------
    >>> from firconv import signal
    >>> signal.oaconvolve([1.0, 2, 3], [1.0, 1], "valid")
    array([3., 5.])
    """
    return _along(in1, in2, mode, axes)


def _along(in1: Any, in2: Any, mode: str, axes: Any) -> np.ndarray:
    _checked(mode)
    a, b = np.asarray(in1), np.asarray(in2)
    if a.ndim == b.ndim == 0:
        return a * b
    _same_rank(a, b)
    if a.size == 0 or b.size == 0:
        return np.array([])
    named = tuple(range(a.ndim)) if axes is None else _axes(axes, a.ndim)
    where = tuple(d for d in named if a.shape[d] != 1 and b.shape[d] != 1)  # a length of one multiplies, as in SciPy
    for d in set(range(a.ndim)) - set(where):
        if a.shape[d] != b.shape[d] and 1 not in (a.shape[d], b.shape[d]):
            raise ValueError(f"incompatible shapes for in1 and in2: {a.shape} and {b.shape}")
    filtered = tuple(slice(None) if d in where else 0 for d in range(a.ndim))
    if mode == "valid" and _swap(a[filtered], b[filtered]):
        a, b = b, a
    y = a * b if not where else convolution.convolve(_inexact(a), _inexact(b), mode, axes=where)
    return _centred(y, a.shape) if mode == "same" else y


def _inexact(a: np.ndarray) -> np.ndarray:
    return a.astype(float) if a.dtype.kind in "biu" else a


def _centred(y: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The middle of y of another shape: "same" crops dimensions that broadcasting made longer, too."""
    starts = [(m - n) // 2 for m, n in zip(y.shape, shape, strict=True)]
    return y[tuple(slice(i, i + n) for i, n in zip(starts, shape, strict=True))]


def _axes(axes: Any, rank: int) -> tuple[int, ...]:
    """Axes as SciPy takes them: any order, which means nothing."""
    found = np.atleast_1d(np.asarray(axes))
    if not found.size:
        raise ValueError("when provided, axes cannot be empty")
    if found.dtype.kind not in "iu" or found.ndim > 1:
        raise ValueError("axes must be a scalar or iterable of integers")
    if any(not -rank <= a < rank for a in found):
        raise ValueError("axes exceeds dimensionality of input")
    where = sorted({int(a) % rank for a in found})
    if len(where) != found.size:
        raise ValueError("all axes must be unique")
    return tuple(where)


_BOUNDARIES = {
    "fill": "zero",
    "pad": "zero",
    "wrap": "wrap",
    "circular": "wrap",
    "symm": "symmetric",
    "symmetric": "symmetric",
}


def convolve2d(in1: Any, in2: Any, mode: str = "full", boundary: str = "fill", fillvalue: Any = 0) -> np.ndarray:
    """Two-dimensional convolution, as scipy.signal.convolve2d.

    Raises
    ------
    ValueError
        For unknown flags and inputs that are not two-dimensional.

    Examples
    --------
    >>> from firconv import signal
    >>> signal.convolve2d([[1, 2], [3, 4]], [[1, 1]], "same", "symm").tolist()
    [[2, 3], [6, 7]]
    """
    a, b = np.asarray(in1), np.asarray(in2)
    rule = _rule(a, b, mode, boundary, fillvalue, "convolve2d")
    if mode == "valid":
        a, b = _ordered(a, b, mode)
    return convolution.convolve(a, b, mode, boundary=rule)


def correlate2d(in1: Any, in2: Any, mode: str = "full", boundary: str = "fill", fillvalue: Any = 0) -> np.ndarray:
    """Two-dimensional correlation, as scipy.signal.correlate2d (origin (K−1)//2 also for "same").

    Raises
    ------
    ValueError
        As `convolve2d`.

    Examples
    --------
    >>> from firconv import signal
    >>> signal.correlate2d([[1, 2], [3, 4]], [[1, 1]], "valid").tolist()
    [[3], [7]]
    """
    a, b = np.asarray(in1), np.asarray(in2)
    rule = _rule(a, b, mode, boundary, fillvalue, "correlate2d")
    if mode == "valid" and _swap(a, b):
        return convolution.correlate(b, a, "valid", boundary=rule)[::-1, ::-1].conj()
    return convolution.correlate(a, b, mode, boundary=rule, origin="scipy2d")


def _rule(a: np.ndarray, b: np.ndarray, mode: str, boundary: str, fillvalue: Any, name: str) -> Any:
    if not a.ndim == b.ndim == 2:
        raise ValueError(f"{name} inputs must both be 2-D arrays")
    _checked(mode)
    if boundary not in _BOUNDARIES:
        raise ValueError("Acceptable boundary flags are 'fill', 'circular' (or 'wrap'), and 'symmetric' (or 'symm').")
    rule = _BOUNDARIES[boundary]
    fill = np.asarray(fillvalue)
    if fill.size != 1:
        raise ValueError("`fillvalue` must be scalar or an array with one element.")
    if fill.dtype.kind == "c" and "c" not in (a.dtype.kind, b.dtype.kind):
        raise ValueError("could not cast `fillvalue` directly to the output type: it is complex")
    return ("constant", fill.item()) if rule == "zero" and fill.item() != 0 else rule


_PADS = {
    "constant": "zero",
    "symmetric": "symmetric",
    "reflect": "reflect",
    "edge": "edge",
    "wrap": "wrap",
    "antisymmetric": "antisymmetric",
    "antireflect": "antireflect",
}


def upfirdn(
    h: Any, x: Any, up: int = 1, down: int = 1, axis: int = -1, mode: str = "constant", cval: float = 0
) -> np.ndarray:
    """Upsample, filter and downsample along one axis, as scipy.signal.upfirdn (mode "smooth" and "line" fall to SciPy).

    Raises
    ------
    ValueError
        For taps that are not one-dimensional, factors below one, and unknown modes.

    Examples
    --------
    >>> from firconv import signal
    >>> signal.upfirdn([1, 1, 1], [1, 2, 3], up=3)
    array([1., 1., 1., 2., 2., 2., 3., 3., 3.])
    """
    import scipy.signal

    x, h = np.asarray(x), np.asarray(h)
    if mode not in _PADS or h.ndim != 1 or h.size == 0 or x.size == 0 or up < 1 or down < 1:
        return scipy.signal.upfirdn(h, x, up, down, axis, mode, cval)
    kind = np.result_type(h.dtype, x.dtype, np.float32)
    rule = ("constant", cval) if mode == "constant" and cval != 0 else _PADS[mode]
    return convolution.convolve(
        x.astype(kind, copy=False), h.astype(kind), "full", axes=axis, up=int(up), down=int(down), boundary=rule
    )


def lfilter(b: Any, a: Any, x: Any, axis: int = -1, zi: Any = None) -> Any:
    """Filter along one axis; an FIR filter (a of one coefficient) here, a recursive one in SciPy.

    Raises
    ------
    ValueError
        As scipy.signal.lfilter.

    Examples
    --------
    >>> from firconv import signal
    >>> signal.lfilter([0.5, 0.5], 1, [1.0, 1, 1])
    array([0.5, 1. , 1. ])
    """
    import scipy.signal

    a_, b_, x_ = np.atleast_1d(a), np.atleast_1d(b), np.asarray(x)
    plain = a_.size == 1 and b_.ndim == a_.ndim == 1 and a_[0] != 0 and b_.size and x_.ndim and x_.size
    if not plain or any(v.dtype.kind not in "biufc" or v.dtype == np.longdouble for v in (a_, b_, x_)):
        return scipy.signal.lfilter(b, a, x, axis, zi)
    kinds = [v.dtype for v in (b_, a_, x_)] + ([] if zi is None else [np.asarray(zi).dtype])
    kind = np.result_type(*kinds, np.float32)
    b_, x_ = (b_ / a_[0]).astype(kind), x_.astype(kind, copy=False)
    n, k = x_.shape[axis], b_.size
    if zi is None:
        return convolution.convolve(x_, b_, axes=axis, mode=(0, n), origin="causal")
    state = _state(zi, x_.shape, axis, k, kind)
    full = np.moveaxis(convolution.convolve(x_, b_, axes=axis), axis, -1)
    full[..., : k - 1] += state
    return np.moveaxis(full[..., :n], -1, axis), np.moveaxis(full[..., n:].copy(), -1, axis)


def _state(zi: Any, shape: tuple[int, ...], axis: int, k: int, kind: np.dtype) -> np.ndarray:
    """Initial conditions with time last, broadcast as SciPy does."""
    state = np.asarray(zi, kind)
    wanted = list(shape)
    wanted[axis] = k - 1
    if state.ndim != len(shape):
        raise ValueError(f"The number of dimensions of x and zi must match: expected {len(shape)}, found {state.ndim}.")
    if state.shape[axis] != k - 1 or any(n not in (1, m) for n, m in zip(state.shape, wanted, strict=True)):
        raise ValueError(f"Unexpected shape for zi: expected {tuple(wanted)}, found {state.shape}.")
    return np.moveaxis(np.broadcast_to(state, wanted), axis, -1)
