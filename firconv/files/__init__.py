"""Reading and writing sound, images and arrays: the formats of the command line.

>>> import pathlib, tempfile
>>> import numpy as np
>>> from firconv.files import read, write
>>> path = pathlib.Path(tempfile.mkdtemp()) / "ramp.csv"
>>> write(path, np.array([0.0, 0.1, 0.2]))
>>> read(path).array
array([0. , 0.1, 0.2])

`sample` has a recording, a slice of a head and a photograph to try things on.
"""

from __future__ import annotations

import dataclasses
import importlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from firconv.files.common import Signal, check_target, saturated, whole
from firconv.files.samples import SAMPLES, sample

__all__ = ["KINDS", "SAMPLES", "Signal", "check_target", "kind_of", "read", "sample", "saturated", "whole", "write"]

# suffix -> (kind, module, end of the names of its reader and writer); a module is imported when its format is met
_ROUTES = {
    **dict.fromkeys((".wav", ".flac", ".ogg", ".oga", ".aif", ".aiff", ".w64", ".rf64"), ("sound",) * 4),
    ".png": ("image", "images", "image", "png"),
    **dict.fromkeys((".jpg", ".jpeg"), ("image", "images", "image", "jpeg")),
    **dict.fromkeys((".tif", ".tiff"), ("image", "images", "image", "tiff")),
    ".npy": ("array", "arrays", "npy", "npy"),
    ".npz": ("array", "arrays", "npz", "npz"),
    ".csv": ("array", "arrays", "csv", "csv"),
}
KINDS = {suffix: route[0] for suffix, route in _ROUTES.items()}


def kind_of(path: str | os.PathLike[str]) -> str:
    """``"sound"``, ``"image"`` or ``"array"``, by the end of the name.

    Raises
    ------
    ValueError
        No such format.

    Examples
    --------
    >>> kind_of("photo.JPG")
    'image'
    """
    return _route(path)[0]


def read(path: str | os.PathLike[str], key: str | None = None) -> Signal:
    """The contents of a sound, image or array file.

    Parameters
    ----------
    path : path
        ``.wav .flac .ogg .aiff .w64 .rf64``, ``.png .jpg .tif`` or ``.npy .npz .csv``, in any case.
    key : str, optional
        Which array of a ``.npz`` archive that holds several.

    Raises
    ------
    OSError
        Missing, a folder, or not readable.
    ValueError
        Unknown format, damaged or truncated, more than a reader can keep (see `firconv.files.images`).

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "dot.png"
    >>> write(path, np.eye(3, dtype=np.uint8))
    >>> found = read(path)
    >>> found.kind, found.axes, found.array.dtype
    ('image', (0, 1), dtype('uint8'))
    """
    _, module, name, _ = _route(path)
    reader: Callable[..., Signal] = getattr(importlib.import_module(f"firconv.files.{module}"), f"read_{name}")
    return reader(Path(path), key)


def write(
    path: str | os.PathLike[str], signal: Signal | ArrayLike, *, rate: float | None = None, quality: int = 95
) -> None:
    """A new file that is in place only when it is whole, in the format that the end of the name says.

    Parameters
    ----------
    path : path
        As in `read`.
    signal : Signal or array
        Integers go into images as they are; floating point is never rounded behind your back (see `saturated`).
    rate : float, optional
        Samples per second, for sound that does not say.
    quality : int
        Of JPEG, 1 … 100.

    Raises
    ------
    OSError
        The folder is missing or closed to you.
    ValueError
        Unknown format, or one that does not hold these samples.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "tone.wav"
    >>> write(path, np.sin(0.1 * np.arange(800)), rate=8000)
    >>> read(path).rate, read(path).array.shape
    (8000, (800,))
    """
    _, module, _, name = _route(path)
    signal = signal if isinstance(signal, Signal) else Signal(np.asarray(signal))
    if rate is not None:
        signal = dataclasses.replace(signal, rate=rate)
    writer: Callable[..., None] = getattr(importlib.import_module(f"firconv.files.{module}"), f"write_{name}")
    writer(Path(path), signal, quality)


def _route(path: str | os.PathLike[str]) -> tuple[str, str, str, str]:
    suffix = Path(path).suffix.lower()
    if suffix not in _ROUTES and os.path.isdir(path):
        raise ValueError(f"{str(path)!r} is a folder: name a file in it")
    if suffix not in _ROUTES:
        raise ValueError(f"unknown format {suffix!r} of {str(path)!r}: use one of {' '.join(_ROUTES)}")
    return _ROUTES[suffix]
