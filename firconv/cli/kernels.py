"""The filter that the options name: taps with their origin, for as many axes as it will run along."""

from __future__ import annotations

import argparse
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from firconv.systems import FIR

#: Options that name a kernel: (flag, what follows, help). Exactly one is given.
NAMED: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("gaussian", ("SIGMA",), "Gaussian of standard deviation SIGMA samples"),
    ("box", ("N",), "mean of N samples per axis"),
    ("binomial", ("M",), "binomial of order M: M + 1 taps per axis"),
    ("unsharp", ("SIGMA", "AMOUNT"), "add AMOUNT times what a Gaussian of SIGMA removes"),
    ("sharpen", ("AMOUNT",), "subtract AMOUNT times the Laplacian"),
    ("laplacian", (), "second differences summed over the axes"),
    ("log", ("SIGMA",), "Laplacian of a Gaussian of SIGMA"),
    ("sobel", ("x|y",), "derivative to the right or downwards, integer taps as in OpenCV"),
    ("prewitt", ("x|y",), "the same, averaged across"),
    ("scharr", ("x|y",), "the same, most isotropic"),
    ("disk", ("R",), "mean over a disk of radius R pixels"),
    ("motion", ("LENGTH", "ANGLE"), "mean along a segment, ANGLE in degrees counter-clockwise"),
    ("lowpass", ("HZ",), "pass what lies below HZ (along one axis)"),
    ("highpass", ("HZ",), "pass what lies above HZ"),
    ("bandpass", ("LO", "HI"), "pass what lies between LO and HI"),
    ("bandstop", ("LO", "HI"), "stop what lies between LO and HI"),
)
_BANDS = ("lowpass", "highpass", "bandpass", "bandstop")
_SLOPES = ("sobel", "prewitt", "scharr")


def number(text: str) -> float:
    """A finite number, for argparse."""
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
    if not np.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not a finite number")
    return value


def positive(text: str) -> float:
    """A finite number above zero, for argparse."""
    value = number(text)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return value


def chosen(options: argparse.Namespace) -> str:
    """The name of the kernel option that was given."""
    names = [*(name for name, *_ in NAMED), "taps"]
    return next(name for name in names if getattr(options, name) is not None and getattr(options, name) is not False)


def title(options: argparse.Namespace) -> str:
    """The kernel in the user's words: ``gaussian 2``."""
    name = chosen(options)
    values = getattr(options, name)
    values = () if values is True else values if isinstance(values, list) else (values,)
    return " ".join([name, *(f"{v:g}" if isinstance(v, float) else str(v) for v in values)])


def kernel(options: argparse.Namespace, ndim: int, rate: float) -> FIR:
    """The FIR filter that the options name, along `ndim` axes of a signal sampled at `rate`.

    Raises
    ------
    ValueError
        A value the kernel cannot have, or a kernel that does not exist in `ndim` dimensions.
    """
    from firconv import filters
    from firconv.systems import FIR

    name = chosen(options)
    value = getattr(options, name)
    if name == "taps":
        from firconv.cli.tapfiles import taps_at

        return taps_at(options, rate)
    if name in _BANDS:
        return FIR(_windowed_sinc(options, name, np.atleast_1d(value), ndim, rate), "center")
    if name in _SLOPES:
        return _slope(getattr(filters, name), name, value, ndim)
    if name in ("disk", "motion", "sharpen") and ndim != 2:
        raise ValueError(f"--{name}: needs two axes, not {ndim}; choose them with --axes, such as --axes 0,1")
    makers = {
        "gaussian": lambda: filters.gaussian(value, ndim),
        "box": lambda: filters.box(_whole("box", value), ndim),
        "binomial": lambda: filters.binomial(_whole("binomial", value), ndim),
        "unsharp": lambda: filters.unsharp(value[0], value[1], ndim),
        "sharpen": lambda: filters.sharpen(value),
        "laplacian": lambda: filters.laplacian(ndim),
        "log": lambda: filters.laplacian_of_gaussian(value, ndim),
        "disk": lambda: filters.disk(value),
        "motion": lambda: filters.motion_blur(value[0], value[1]),
    }
    try:
        return makers[name]()
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"--{title(options)}: {error}") from error


def _whole(name: str, value: float) -> int:
    if value != int(value):
        raise ValueError(f"{value:g} is not a whole number")
    return int(value)


def _slope(make: Any, name: str, value: str, ndim: int) -> FIR:
    if value not in ("x", "y"):
        raise ValueError(f"--{name}: no direction is called {value!r}; use x (to the right) or y (downwards)")
    if ndim < 2:
        raise ValueError(f"--{name}: needs at least two axes, not {ndim}; for one, use --taps 1,0,-1")
    kernel: FIR = make(axis=ndim - (1 if value == "x" else 2), ndim=ndim, integer=True)
    return kernel


def _windowed_sinc(options: argparse.Namespace, name: str, edges: Any, ndim: int, rate: float) -> Any:
    """Linear-phase taps of odd length from a Kaiser-windowed sinc: `attenuation` dB, `transition` Hz wide."""
    from scipy.signal import firwin, kaiser_beta, kaiserord

    if ndim != 1:
        raise ValueError(f"--{name}: filters along one axis; choose it with --axes, such as --axes 0")
    if not (0 < edges[0] <= edges[-1] < rate / 2) or (len(edges) == 2 and edges[0] == edges[1]):
        wanted = "HZ" if len(edges) == 1 else "LO < HI"
        found = f"{_joined(edges)} Hz at {rate:g} samples per second"
        raise ValueError(f"--{name}: {found}; give 0 < {wanted} < {rate / 2:g}")
    room = min(edges[0], rate / 2 - edges[-1], *np.diff(edges))
    width = options.transition or min(0.25 * edges[0], 2 * room)
    if not 0 < width <= rate / 2:
        raise ValueError(f"--transition: {width:g} Hz; give more than 0 and at most {rate / 2:g}")
    if options.attenuation < 8:
        raise ValueError(f"--attenuation: {options.attenuation:g} dB; give at least 8")
    count, beta = kaiserord(options.attenuation, width / (rate / 2))
    if options.taps_count is not None:
        count, beta = options.taps_count, kaiser_beta(options.attenuation)
        if count < 1 or count % 2 == 0:
            raise ValueError(f"--taps-count: {count}; give an odd number, so that the filter adds no delay")
    return firwin(int(count) | 1, edges, window=("kaiser", beta), pass_zero=name, fs=rate)


def _joined(values: Any) -> str:
    return " to ".join(f"{value:g}" for value in values)


def parse_taps(text: str, key: str | None = None) -> np.ndarray:
    """Taps from text (``1,2,1``; rows end with ``;``; fractions such as ``1/4``) or from a .npy, .npz or .csv file.

    Raises
    ------
    ValueError
        Not numbers, not finite, rows of unequal length.
    OSError
        No such file.

    Examples
    --------
    >>> parse_taps("1/4, 1/2, 1/4")
    array([0.25, 0.5 , 0.25])
    >>> parse_taps("1,0,-1; 2,0,-2; 1,0,-1").shape
    (3, 3)
    """
    if Path(text).suffix.lower() in (".npy", ".npz", ".csv"):
        from firconv.files import read

        try:
            taps = read(text, key).array
        except ValueError as error:  # in a command, --key is for the signal
            raise ValueError(str(error).replace(" with --key", " with --taps-key")) from error
    else:
        rows = [[_entry(text, word) for word in row.split(",")] for row in text.strip("; ").split(";")]
        if len({len(row) for row in rows}) > 1:
            lengths = [len(row) for row in rows]
            raise ValueError(f"--taps {text}: rows of unequal length {lengths}; give the same number in each")
        taps = np.array(rows if ";" in text else rows[0])
    if taps.size == 0 or not np.isfinite(taps).all():
        raise ValueError(f"--taps {text}: taps must be finite numbers, and at least one")
    return taps


def _entry(text: str, word: str) -> int | float:
    try:
        return int(word)
    except ValueError:
        pass
    try:
        return float(Fraction(word.strip())) if "/" in word else float(word)
    except (ValueError, ZeroDivisionError):
        wrong = f"{word.strip()!r} is not a number"
        raise ValueError(f"--taps {text}: {wrong}; give 1,2,1 or 1,0,-1;2,0,-2;1,0,-1 or a .npy file") from None
