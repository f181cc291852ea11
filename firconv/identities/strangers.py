"""What a function that nobody described does: its words by its signature, the rest by calling it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from firconv.describe import preset
from firconv.identities.limits import within

Array = np.ndarray
Function = Callable[..., Any]
MODES = ("full", "same", "valid")
PATIENCE = 60.0  # seconds for one call, of which the first may compile


def words(function: Function, known: tuple[str, ...]) -> set[str]:
    """Those of the known words that the function takes, and means as they are meant here."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # built in, without a signature
        return set()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return set(known)
    taken = {p.name for p in parameters} & set(known)
    return taken - {"mode", "origin"} if "mode" in taken and _foreign(function) else taken


def _foreign(function: Function) -> bool:
    """True where "mode" has none of our values, as in scipy.ndimage, whose origin is another one too."""
    return all(_answer(function, 1, mode=mode) is None for mode in MODES)


def _answer(function: Function, ndim: int, taps: Array | None = None, **given: Any) -> Array | None:
    """The result for ones and some taps as an array, or None where it raises."""
    h = np.ones((3,) * ndim) if taps is None else taps
    try:
        return np.asarray(within(PATIENCE, lambda: function(np.ones((8,) * ndim), h, **given)))
    except TimeoutError:
        raise
    except Exception:  # whatever else a stranger's function raises
        return None


def takes(function: Function, ndim: int) -> bool:
    """True where a call in this many dimensions gives as many."""
    y = _answer(function, ndim, np.ones((2,) * ndim))
    return y is not None and y.ndim == ndim


def mode_of(name: str, function: Function, ndim: int) -> str:
    """Which mode a function without the word has, by the lengths of one output.

    Raises
    ------
    ValueError
        If it fails, or for the length of no mode.
    """
    what = "8 samples and 3 taps" if ndim == 1 else f"8 samples and 3 taps along {ndim} axes"
    try:
        x, h = np.arange(8.0**ndim).reshape((8,) * ndim), np.ones((3,) * ndim)
        shape = np.shape(within(PATIENCE, lambda: function(x, h)))
    except Exception as error:  # whatever a stranger's function raises
        raise ValueError(f"{name}(x, h): {what} raised {type(error).__name__}: {error}; give a "
                         "function of signal and taps, or an Implementation that says what it takes") from error
    mode = {(10,) * ndim: "full", (8,) * ndim: "same", (6,) * ndim: "valid"}.get(shape)
    if mode is None:
        raise ValueError(f"{name}(x, h): {what} gave shape {shape}, which is the length of no mode "
                         "(full 10, same 8, valid 6): wrap it in an Implementation that says what it computes")
    return mode


def origins_of(op: str, function: Function, ndim: int) -> str:
    """The preset that a function of mode "same" follows for four taps, if it is that of the centre for three."""
    if _tap_at_zero(function, ndim, 3) != 1:
        return "scipy"
    found = _tap_at_zero(function, ndim, 4)
    return next((name for name in ("scipy", "ndimage", "torch", "scipy2d") if preset(name, op, 4) == found), "scipy")


def _tap_at_zero(function: Function, ndim: int, count: int) -> int | None:
    """Which tap an impulse shows at its own place."""
    x = np.zeros((12,) * ndim)
    x[(6,) * ndim] = 1
    h = np.zeros((count,) * ndim)
    h[...] = np.arange(1.0, count + 1)
    try:
        y = np.asarray(within(PATIENCE, lambda: function(x, h)))
        return round(float(y[(6,) * ndim])) - 1
    except Exception:  # whatever a stranger's function raises
        return None


def reads_zeros(function: Function, ndim: int) -> bool:
    """True where a constant fades at the ends of mode "same", as it does between zeros."""
    y = _answer(function, ndim)
    return y is None or not bool(np.all(y == 3**ndim))
