"""Which convention does this black box follow? A filter is examined by its answers alone.

`identify` puts impulses, sums, shifts, NaN and random signals to a function of (signal, taps), or of the signal
alone, and states what it does in the words of every system. What it finds is a function that computes the same
through firconv.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from firconv.identification.examination import examine
from firconv.identification.found import Found

__all__ = ["Found", "identify"]


def identify(
    f: Callable[..., Any], ndim: int = 1, *, taps: bool | None = None, limit: float = 60.0, seed: int = 0
) -> Found:
    """Find out by probing which convolution or correlation, with which conventions, a function computes.

    Parameters
    ----------
    f : callable
        Of (signal, taps), or of the signal alone with its taps inside; arrays of `ndim` dimensions in and out.
    ndim : {1, 2, 3}
    taps : bool, optional
        Whether `f` takes taps; default by its signature (two required arguments), else by trying.
    limit : float
        Seconds for everything. A call that does not return by then is abandoned in its thread; a function that never
        lets go of the interpreter cannot be abandoned.
    seed : int
        Of the random signals; the same seed asks the same questions.

    Returns
    -------
    Found
        Prints as a report. ``found.evidence`` says why a function was not identified: no function makes this raise.

    Raises
    ------
    TypeError
        If `f` cannot be called.
    ValueError
        For other dimensions, or a limit that is not positive.

    Examples
    --------
    >>> import numpy as np
    >>> found = identify(lambda x, h: np.correlate(x, h, "same"))
    >>> found.operation, found.mode, found.origin, found.boundary, found.conjugated
    ('correlation', 'same', 'K//2', 'zero', 'taps')
    >>> found(np.array([1.0, 2, 3]), np.array([1.0, 10]))
    array([10., 21., 32.])
    >>> print(identify(np.sort).evidence[0])
    not linear: f(−x) is not −f(x): at output 0 it is -9 instead of 9
    """
    if not callable(f):
        raise TypeError(
            f"identify(f): {f!r} is no function: pass something that can be called with a signal (and taps)"
        )
    if ndim not in (1, 2, 3):
        raise ValueError(f"identify(f, ndim): ndim={ndim!r} is not supported: give 1, 2 or 3")
    if not limit > 0:
        raise ValueError(f"identify(f, limit=): {limit!r} is no time: give a positive number of seconds")
    return examine(f, ndim, taps, float(limit), seed)
