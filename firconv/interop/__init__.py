"""Other libraries' convolution and correlation behind one signature: NumPy, SciPy, torch and OpenCV.

Each is an `Implementation`: native functions with the words of `firconv.convolve`, and what they support. They are thin
on purpose: what a library computes by itself is what `firconv verify` should see.

>>> import numpy as np
>>> from firconv import interop
>>> numpy = interop.load("numpy")
>>> numpy.convolve(np.array([1, 2, 3]), np.array([1, 1]), mode="same")
array([1, 3, 5])
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import numpy as np

from firconv.identities.implementation import Implementation, of
from firconv.interop.layers import TorchLayers

__all__ = ["NAMES", "Implementation", "function", "installed", "load"]

Array = np.ndarray
FLOATS = ("float32", "float64")
COMPLEX = ("complex64", "complex128")
ALL_MODES = ("full", "same", "valid")
_SOURCE = 'from firconv import interop; f = interop.load("{}")'


def load(name: str, op: str = "convolve") -> Implementation:
    """The implementation called `name`: one of `NAMES`, ``module`` or ``module:function``.

    Parameters
    ----------
    op : {"convolve", "correlate"}
        Which operation a single function is.

    Raises
    ------
    ImportError
        If the library or module is not installed.
    ValueError
        For a name that is none, or a module without such a function.

    Examples
    --------
    >>> load("scipy.ndimage:correlate", "correlate").name
    'scipy.ndimage:correlate'
    """
    if name in _MAKERS:
        return _MAKERS[name]()
    if ":" not in name and find_spec_of(name) is None:
        raise ValueError(f"{name!r} is no implementation: use {', '.join(NAMES)}, or your own as module:function")
    if ":" not in name:
        found = of(_imported(name))
    else:
        found = replace(of(function(name), op), name=name)
    words = f"{name!r}" if op == "convolve" else f"{name!r}, {op!r}"
    return replace(found, source=f"from firconv import interop; f = interop.load({words})")


def function(name: str) -> Callable[..., Any]:
    """The Python function that ``module:function`` names.

    Raises
    ------
    ValueError, ImportError
        If there is none.

    Examples
    --------
    >>> function("numpy:convolve") is np.convolve
    True
    """
    module, _, path = name.partition(":")
    if not module or not path:
        raise ValueError(f"{name!r} names no function: write module:function, such as scipy.ndimage:correlate")
    value = _imported(module)
    for part in path.split("."):
        if not hasattr(value, part):
            raise ValueError(f"{name!r}: {module} has no {path!r}")
        value = getattr(value, part)
    if not callable(value):
        raise ValueError(f"{name!r} is no function but {type(value).__name__}: name one that can be called")
    return value


def installed() -> tuple[str, ...]:
    """Those of `NAMES` whose library is installed.

    Examples
    --------
    >>> {"numpy", "scipy"} <= set(installed())
    True
    """
    return tuple(name for name in NAMES if find_spec_of(_PACKAGES[name]) is not None)


def find_spec_of(module: str) -> Any:
    """The import specification, None also for what cannot be a module."""
    try:
        return find_spec(module)
    except (ImportError, ValueError, AttributeError):
        return None


def _imported(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        if module.endswith(".py"):
            raise ImportError(f"cannot import {module!r}: write the module's name, {module[:-3].replace('/', '.')!r}, "
                              "without .py") from error
        raise ImportError(f"cannot import {module!r} ({error}): install it, or run where Python finds it") from error


# ── NumPy ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

_WRAPS = "sums int8 … int32 in their own type, and wraps"


def _numpy() -> Implementation:
    def checked(name: str) -> Callable[..., Array]:
        def run(x: Array, h: Array, mode: str = "full") -> Array:
            if h.size > x.size and mode != "full":
                raise NotImplementedError(f"np.{name} exchanges signal and taps when there are more taps than samples")
            return getattr(np, name)(x, h, mode)

        return run

    return Implementation("numpy", checked("convolve"), checked("correlate"), ALL_MODES, keywords=frozenset({"mode"}),
                          dtypes=("int64", "uint64", *FLOATS, *COMPLEX), lacks={"narrow integers": _WRAPS},
                          source=_SOURCE.format("numpy"))


# ── SciPy ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

_UPFIRDN = {"zero": "constant", "edge": "edge", "symmetric": "symmetric", "reflect": "reflect", "wrap": "wrap",
            "antisymmetric": "antisymmetric", "antireflect": "antireflect"}
_PLANE = {"zero": "fill", "wrap": "wrap", "symmetric": "symm"}


def _scipy() -> Implementation:
    """convolve and correlate; in one dimension boundaries and steps by upfirdn, in two boundaries by convolve2d."""
    from scipy import signal

    def run(op: str, x: Array, h: Array, mode: str, method: str, boundary: str, up: int, down: int) -> Array:
        if mode != "full" and any(k > n for k, n in zip(h.shape, x.shape, strict=True)):
            raise NotImplementedError("scipy.signal takes more taps than samples in mode 'full' only")
        if method == "fft" and np.result_type(x, h).kind in "iu":
            raise NotImplementedError("scipy.signal's method='fft' rounds sums of integers that need more than 53 bits")
        if boundary == "zero" and up == down == 1:
            return getattr(signal, op)(x, h, mode, method)
        taps = h if op == "convolve" else np.flip(h).conj()
        if method == "auto" and x.ndim == 1:
            return _upfirdn(x, taps, mode, boundary, up, down)
        if method == "auto" and x.ndim == 2 and up == down == 1:
            return _plane(x, taps, mode, boundary)
        raise NotImplementedError(f"scipy.signal has no {x.ndim}-D {op} with method={method!r}, boundary={boundary!r}, "
                                  f"up={up}, down={down}")

    def make(op: str) -> Callable[..., Array]:
        def call(x: Array, h: Array, mode: str = "full", method: str = "auto", boundary: str = "zero", up: int = 1,
                 down: int = 1) -> Array:
            return run(op, x, h, mode, method, boundary, up, down)

        return call

    lacks = {"narrow integers": _WRAPS, "non-finite samples": "long signals take an FFT, which spreads NaN everywhere"}
    return Implementation("scipy.signal", make("convolve"), make("correlate"), ALL_MODES, tuple(_UPFIRDN), (1, 2, 3),
                          ("int64", "uint64", *FLOATS, *COMPLEX),
                          frozenset({"mode", "method", "boundary", "up", "down"}),
                          methods=("auto", "direct", "fft"), lacks=lacks, source=_SOURCE.format("scipy"))


def _upfirdn(x: Array, taps: Array, mode: str, boundary: str, up: int, down: int) -> Array:
    from scipy.signal import upfirdn

    if mode != "full" and (up > 1 or down > 1):
        raise NotImplementedError(f"scipy.signal.upfirdn has no mode {mode!r}, only 'full'")
    if x.size == 1 and boundary.endswith("reflect"):  # a division by zero there ends the process
        raise NotImplementedError(f"scipy.signal.upfirdn has no boundary {boundary!r} of a single sample")
    y = upfirdn(taps, x, up, down, mode=_UPFIRDN[boundary])
    k, n = taps.size, x.size
    return {"full": y, "same": y[(k - 1) // 2:(k - 1) // 2 + n], "valid": y[k - 1:n]}[mode]


def _plane(x: Array, taps: Array, mode: str, boundary: str) -> Array:
    from scipy.signal import convolve2d

    if boundary not in _PLANE:
        raise NotImplementedError(f"scipy.signal.convolve2d has no boundary {boundary!r}")
    if any(k > n for k, n in zip(taps.shape, x.shape, strict=True)):
        raise NotImplementedError("scipy.signal.convolve2d extends by one copy of the signal at most")
    return convolve2d(x, taps, mode, _PLANE[boundary])


# ── scipy.ndimage ─────────────────────────────────────────────────────────────────────────────────────────────────────

_NDIMAGE = {"zero": "constant", "edge": "nearest", "symmetric": "reflect", "reflect": "mirror", "wrap": "wrap"}


def _ndimage() -> Implementation:
    from scipy import ndimage

    def make(name: str) -> Callable[..., Array]:
        def run(x: Array, h: Array, boundary: Any = "zero", origin: Any = None) -> Array:
            shifts = [0 if origin is None else c - k // 2 for c, k in zip(origin or h.shape, h.shape, strict=True)]
            if any(not -(k // 2) <= s <= (k - 1) // 2 for s, k in zip(shifts, h.shape, strict=True)):
                raise NotImplementedError(f"scipy.ndimage has no origin={origin}: the origin must be one of the taps")
            rule, value = boundary if isinstance(boundary, tuple) else (boundary, 0.0)
            modes = {**_NDIMAGE, "constant": "constant"}
            kind = np.result_type(x, h)
            words = {"output": kind, "mode": modes[rule], "cval": value, "origin": shifts}
            return getattr(ndimage, name)(x.astype(kind), h, **words)

        return run

    lacks = {"wide integers": "sums in float64, which is exact below 2**53",
             "narrow integers": "sums in float64 and casts to the signal's type"}
    return Implementation("scipy.ndimage", make("convolve"), make("correlate"), ("same",), (*_NDIMAGE, "constant"),
                          (1, 2, 3), ("int64", *FLOATS, *COMPLEX), frozenset({"boundary", "origin"}), "ndimage",
                          lacks=lacks, source=_SOURCE.format("ndimage"))


# ── torch ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

_TORCH = {"zero": "constant", "edge": "replicate", "reflect": "reflect", "wrap": "circular"}


def _torch() -> Implementation:
    """correlate is conv1d … conv3d on conjugated taps, convolve is conv_transpose1d … 3d."""
    torch = _imported("torch")
    layers = torch.nn.functional

    def tensors(x: Array, h: Array) -> Any:
        kind = np.result_type(x, h)
        return (torch.from_numpy(np.array(a, kind))[None, None] for a in (x, h))

    def correlate(x: Array, h: Array, mode: str = "full", boundary: str = "zero", up: int = 1, down: int = 1,
                  dilation: int = 1) -> Array:
        if up > 1:
            raise NotImplementedError("torch's conv has no up; its conv_transpose, which convolves, has")
        pads = [_layer_pads(mode, k, dilation) for k in h.shape]
        for n, k, (low, high) in zip(x.shape, h.shape, pads, strict=True):
            _check_torch(n, (k - 1) * dilation, low, high, boundary)
        signal, taps = tensors(x, h.conj())
        signal = layers.pad(signal, [p for pair in reversed(pads) for p in pair], mode=_TORCH[boundary])
        y = getattr(layers, f"conv{x.ndim}d")(signal, taps, stride=down, dilation=dilation)
        return y[0, 0].numpy()

    def convolve(x: Array, h: Array, mode: str = "full", boundary: str = "zero", up: int = 1, down: int = 1,
                 dilation: int = 1) -> Array:
        if boundary != "zero" or down > 1:
            raise NotImplementedError("torch's conv_transpose has neither boundary nor down; its conv has")
        if mode != "full" and (up > 1 or dilation > 1):
            raise NotImplementedError(f"torch's conv_transpose has no mode {mode!r} with up={up}, dilation={dilation}")
        y = getattr(layers, f"conv_transpose{x.ndim}d")(*tensors(x, h), stride=up, dilation=dilation)[0, 0].numpy()
        ends = zip(y.shape, x.shape, h.shape, strict=True)
        cuts = [{"full": (0, m), "same": (k // 2, k // 2 + n), "valid": (k - 1, n)}[mode] for m, n, k in ends]
        return y[tuple(slice(*cut) for cut in cuts)]

    return Implementation("torch", convolve, correlate, ALL_MODES, tuple(_TORCH), (1, 2, 3),
                          ("int64", *FLOATS, *COMPLEX), frozenset({"mode", "boundary", "up", "down", "dilation"}),
                          "torch", source=_SOURCE.format("torch"), layers=TorchLayers(torch))


def _layer_pads(mode: str, k: int, dilation: int) -> tuple[int, int]:
    reach, low = (k - 1) * dilation, (k - 1) // 2 * dilation
    return {"full": (reach, reach), "same": (low, reach - low), "valid": (0, 0)}[mode]


def _check_torch(n: int, reach: int, low: int, high: int, boundary: str) -> None:
    if n + low + high <= reach:
        raise NotImplementedError("torch refuses taps that are longer than the padded signal")
    if max(low, high) > n - (boundary == "reflect") and boundary in ("reflect", "wrap"):
        raise NotImplementedError(f"torch pads {_TORCH[boundary]!r} by one copy of the signal at most")


# ── OpenCV ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _cv2() -> Implementation:
    """filter2D, which correlates; a signal is an image of one row."""
    cv2 = _imported("cv2")
    borders = {"zero": cv2.BORDER_CONSTANT, "edge": cv2.BORDER_REPLICATE, "symmetric": cv2.BORDER_REFLECT,
               "reflect": cv2.BORDER_REFLECT_101}

    def correlate(x: Array, h: Array, boundary: str = "zero", origin: Any = None) -> Array:
        centre = [k // 2 for k in h.shape] if origin is None else list(origin)
        if any(not 0 <= c < k for c, k in zip(centre, h.shape, strict=True)):
            raise NotImplementedError(f"cv2.filter2D has no anchor {tuple(centre)}: it must be one of the taps")
        image, taps = np.atleast_2d(x), np.atleast_2d(h)
        anchor = (centre[-1], centre[0] if x.ndim == 2 else 0)
        y = cv2.filter2D(image, -1, taps.astype(image.dtype), anchor=anchor, borderType=borders[boundary])
        return np.asarray(y).reshape(x.shape)

    lacks = {"non-finite samples": "large kernels take an FFT, which spreads NaN over its block"}
    return Implementation("OpenCV", None, correlate, ("same",), tuple(borders), (1, 2), FLOATS,
                          frozenset({"boundary", "origin"}), "opencv", lacks=lacks, source=_SOURCE.format("cv2"))


def _firconv() -> Implementation:
    return of(_imported("firconv"))


_MAKERS: dict[str, Callable[[], Implementation]] = {
    "firconv": _firconv, "numpy": _numpy, "scipy": _scipy, "ndimage": _ndimage, "torch": _torch, "cv2": _cv2}
_PACKAGES = {name: {"ndimage": "scipy"}.get(name, name) for name in _MAKERS}

#: What `load` knows by name.
NAMES = tuple(_MAKERS)
