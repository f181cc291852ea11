"""convolve, correlate and plan: one sum, computed in six steps.

    y[n] = Σ_k h[k]·x̃[n + (origin − k)·dilation]            convolve
    y[n] = Σ_k conj(h[k])·x̃[n + (k − origin)·dilation]      correlate

with x̃ the signal extended beyond its ends and zero-stuffed by `up`, and every `down`-th n kept.

==================  =======================================================  ==================================
step                does                                                     true from here on
==================  =======================================================  ==================================
1 describe          arrays and keywords → `Problem` and `Layout`             every argument is valid
2 plan              `Problem` + facts of the taps → `Decision`               method, guard, block grid are fixed
3 prepare           taps reversed and conjugated once, then transformed      no kernel knows flip or origin
4 extend,           edge strips of the signal; up, down, dilation → parts    no mode, boundary or stride below
  decompose
5 run               valid correlation into the output, by tasks on threads   one operation, dtype, unit stride
6 deliver           renormalise, check, cast                                 the caller's arrays are untouched
==================  =======================================================  ==================================
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from firconv import describe
from firconv.describe import Call
from firconv.plans import Plan, make, recalled


def convolve(
    x: ArrayLike,
    h: ArrayLike,
    mode: Any = "full",
    method: str = "auto",
    *,
    boundary: Any = "zero",
    axes: Any = None,
    origin: Any = None,
    up: Any = 1,
    down: Any = 1,
    dilation: Any = 1,
    dtype: DTypeLike | None = None,
    out: np.ndarray | None = None,
    rtol: float | None = None,
    workers: int | None = None,
) -> np.ndarray:
    """Filter x with the taps h: y[n] = Σ_k h[k]·x̃[n + (origin − k)·dilation].

    Parameters
    ----------
    x : array_like
        Signal, any number of dimensions.
    h : array_like
        Taps: as many dimensions as there are `axes` (one filter for all the rest) or as x has (the rest broadcast).
        Python numbers and lists of them take the type of x.
    mode : {"full", "same", "valid"}, (start, stop), or a list with one entry per axis
        Which outputs: all that any tap touches, as many as x has, those that never read beyond the signal, or a
        window of positions relative to the origin.
    method : {"auto", "direct", "separable", "fft", "overlap_save", "reference"}
        "auto" takes the one of least predicted time that keeps the accuracy promised.
    boundary : str, ("constant", c), (low, high), or a list with one entry per axis
        What lies beyond the ends: zero, edge, symmetric, reflect, wrap, antisymmetric, antireflect, omit.
    axes : int or tuple of ints, optional
        Dimensions of x along which to filter; default all.
    origin : int, str, or one per axis, optional
        Index of the tap at displacement zero; default (K−1)//2. Names take another system's: "scipy", "numpy",
        "scipy2d", "ndimage", "torch", "opencv", "matlab", "causal".
    up, down, dilation : int or one per axis
        Zeros stuffed between samples, outputs skipped, gaps between taps (each 1 for none).
    dtype : dtype, optional
        Of the result. Integer types round half to even and saturate.
    out : ndarray, optional
        Where to put the result; may overlap x.
    rtol : float, optional
        Promise |ŷ − y| ≤ rtol·(|h| * |x̃|) for each output; chooses the arithmetic.
    workers : int, optional
        Threads to use; default all cores of this process. Never changes the result.

    Returns
    -------
    ndarray
        Shape of x with the filtered axes replaced by the number of outputs.

    Raises
    ------
    ValueError, TypeError
        For arguments that cannot mean anything.
    OverflowError
        Where integers do not fit 64 bits.

    See Also
    --------
    correlate : without the flip, with conjugated taps.
    plan : the same, prepared once for many signals.

    Examples
    --------
    >>> import firconv
    >>> firconv.convolve([1, 2, 3], [1, 10, 100])
    array([  1,  12, 123, 230, 300])
    >>> firconv.convolve([1., 2, 3, 4], [1, 2, 1], "same", boundary="reflect")
    array([ 6.,  8., 12., 14.])
    """
    if (
        boundary is _ZERO
        and axes is None
        and origin is None
        and up is _ONE
        and down is _ONE
        and dilation is _ONE
        and dtype is None
        and out is None
        and rtol is None
        and workers is None
        and method is _AUTO
    ):
        y = _tiny("convolve", x, h, mode)
        if y is not None:
            return y
    return _once("convolve", x, h, mode, method, boundary, axes, origin, up, down, dilation, dtype, out, rtol, workers)


def correlate(
    x: ArrayLike,
    h: ArrayLike,
    mode: Any = "full",
    method: str = "auto",
    *,
    boundary: Any = "zero",
    axes: Any = None,
    origin: Any = None,
    up: Any = 1,
    down: Any = 1,
    dilation: Any = 1,
    dtype: DTypeLike | None = None,
    out: np.ndarray | None = None,
    rtol: float | None = None,
    workers: int | None = None,
) -> np.ndarray:
    """Correlate x with the taps h: y[n] = Σ_k conj(h[k])·x̃[n + (k − origin)·dilation].

    Parameters are those of `convolve`; the default origin is K//2, so that for any K

    >>> import firconv, numpy as np
    >>> x, h = np.arange(5.0), np.array([1.0, 2, 3, 4])
    >>> np.array_equal(firconv.correlate(x, h, "same"), firconv.convolve(x, h[::-1], "same"))
    True

    Returns
    -------
    ndarray

    Raises
    ------
    ValueError, TypeError, OverflowError
        As `convolve`.

    Examples
    --------
    >>> firconv.correlate([1, 2, 3], [0, 1, 0.5], "same")
    array([2. , 3.5, 3. ])
    """
    if (
        boundary is _ZERO
        and axes is None
        and origin is None
        and up is _ONE
        and down is _ONE
        and dilation is _ONE
        and dtype is None
        and out is None
        and rtol is None
        and workers is None
        and method is _AUTO
    ):
        y = _tiny("correlate", x, h, mode)
        if y is not None:
            return y
    return _once("correlate", x, h, mode, method, boundary, axes, origin, up, down, dilation, dtype, out, rtol, workers)


_ZERO, _AUTO, _ONE = "zero", "auto", 1
_ARRAY = np.ndarray
_TINY = 1 << 13
_FLOATS = {np.dtype(np.float32), np.dtype(np.float64)}


def _tiny(op: str, x: Any, h: Any, mode: Any) -> np.ndarray | None:
    """A small plain 1-D call straight through one compiled loop (the same bits as the general path), or None."""
    if type(x) is not _ARRAY or type(h) is not _ARRAY or x.ndim != 1 or h.ndim != 1:
        return None
    n, k, kind = x.size, h.size, x.dtype
    if h.dtype is not kind or kind not in _FLOATS or n * k > _TINY or k > n or k == 0:
        return None
    if mode == "full":
        pad, length = k - 1, n + k - 1
    elif mode == "same":
        pad, length = k // 2, n
    elif mode == "valid":
        pad, length = 0, n - k + 1
    else:
        return None
    if not (x.flags.c_contiguous and x.flags.aligned and h.flags.aligned):
        return None
    y = np.empty(length, kind)
    _line()(x, np.ascontiguousarray(h[::-1] if op == "convolve" else h), y, pad)
    return y


@lru_cache(maxsize=1)
def _line() -> Any:
    """The compiled loop; numba is loaded when it is first needed."""
    from firconv.kernels.direct import line

    return line


def plan(
    x: Any,
    h: ArrayLike,
    mode: Any = "full",
    method: str = "auto",
    *,
    op: str = "convolve",
    boundary: Any = "zero",
    axes: Any = None,
    origin: Any = None,
    up: Any = 1,
    down: Any = 1,
    dilation: Any = 1,
    dtype: DTypeLike | None = None,
    rtol: float | None = None,
) -> Plan:
    """Decide once how to filter signals of one shape and type with the taps h.

    Parameters
    ----------
    x : array_like or (shape, dtype)
        A signal, or only its shape and type.
    op : {"convolve", "correlate"}
    others : as `convolve`

    Returns
    -------
    Plan
        Call it with a signal; print it for what was decided and why.

    Raises
    ------
    ValueError, TypeError
        As `convolve`.

    Examples
    --------
    >>> import firconv, numpy as np
    >>> smooth = firconv.plan(((5,), float), [0.25, 0.5, 0.25], "same", boundary="edge")
    >>> smooth(np.array([0.0, 0, 4, 0, 0]))
    array([0., 1., 2., 1., 0.])
    """
    if op not in ("convolve", "correlate"):
        raise ValueError(f"plan(x, h): op={op!r} is unknown: use 'convolve' or 'correlate'")
    call = _call(op, mode, boundary, axes, origin, up, down, dilation)
    x, h = describe.operands(op, describe.example(call, x), h)
    return make(call, x.shape, x.dtype, np.array(h), method, dtype, rtol)


def _call(op: str, mode: Any, boundary: Any, axes: Any, origin: Any, up: Any, down: Any, dilation: Any) -> Call:
    return Call(op, mode, boundary, axes, origin, up, down, dilation)


def _once(
    op: str,
    x: Any,
    h: Any,
    mode: Any,
    method: str,
    boundary: Any,
    axes: Any,
    origin: Any,
    up: Any,
    down: Any,
    dilation: Any,
    dtype: Any,
    out: Any,
    rtol: Any,
    workers: Any,
) -> np.ndarray:
    x, h = describe.operands(op, x, h)  # 1 describe
    if x.ndim == h.ndim == 0:  # a sample times a tap
        return _once(
            op, x[None], h[None], mode, method, boundary, axes, origin, up, down, dilation, dtype, out, rtol, workers
        )[0]
    call = _call(op, mode, boundary, axes, origin, up, down, dilation)
    return recalled(call, x.shape, x.dtype, h, method, dtype, rtol)(x, out=out, workers=workers)  # 2 … 6
