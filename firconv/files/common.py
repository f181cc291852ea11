"""What every file format shares: the description of a signal, whole-file writing, rounding into integers."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Signal:
    """The samples of a file, and what the file says about them.

    Attributes
    ----------
    array : ndarray
        Sound: (frames,) or (frames, channels), in units of full scale. Image: (rows, columns) or (rows, columns, 3),
        without alpha, upright. Anything else: as stored.
    kind : {"array", "sound", "image"}
    axes : tuple of int
        The axes that a filter runs along unless the user says otherwise: time; rows and columns; all; a table's rows.
    rate : float, optional
        Samples per second.
    subtype : str, optional
        How sound is coded, in soundfile's words: ``"PCM_16"``, ``"FLOAT"``.
    alpha : ndarray, optional
        The transparency of an image, (rows, columns).
    white : int, optional
        The value of full intensity of an integer image: 255, 65535.
    notes : mapping
        What is written back unchanged: colour profile, title, header line, name in the archive.

    Examples
    --------
    >>> Signal(np.zeros((480, 2)), "sound", (0,), rate=48000.0).rate
    48000.0
    """

    array: NDArray[Any]
    kind: str = "array"
    axes: tuple[int, ...] = ()
    rate: float | None = None
    subtype: str | None = None
    alpha: NDArray[Any] | None = None
    white: int | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)


def unreadable(path: str | os.PathLike[str], reason: str) -> ValueError:
    """The error to raise about a file whose contents cannot be used."""
    return ValueError(f"cannot read {str(path)!r}: {reason}")


def unwritable(path: str | os.PathLike[str], reason: str, kind: type[Exception] = ValueError) -> Exception:
    """The error to raise about a file that cannot be written."""
    return kind(f"cannot write {str(path)!r}: {reason}")


def check_target(path: str | os.PathLike[str]) -> Path:
    """The real path that will be written, once it is certain that a file may stand there.

    Raises
    ------
    FileNotFoundError, IsADirectoryError, PermissionError, ValueError
        The folder is missing; the target is a folder, is write-protected, or is a device.

    Examples
    --------
    >>> import tempfile
    >>> check_target(Path(tempfile.mkdtemp()) / "result.wav").name
    'result.wav'
    """
    target = Path(os.path.realpath(path))
    if not target.parent.is_dir():
        raise unwritable(path, f"the folder {str(target.parent)!r} does not exist; make it first", FileNotFoundError)
    if target.is_dir():
        raise unwritable(path, "it is a folder; name a file in it", IsADirectoryError)
    if target.exists() and not target.is_file():
        raise unwritable(path, "it is not a regular file; name one")
    if target.exists() and not os.access(target, os.W_OK):
        raise unwritable(path, "the file is write-protected; choose another name", PermissionError)
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise unwritable(path, f"no permission in {str(target.parent)!r}; choose another folder", PermissionError)
    return target


@contextlib.contextmanager
def whole(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary path beside `path`, which takes its place only when the block ends well.

    Whatever else ends the block (an error, Ctrl-C, SystemExit) removes the temporary file and leaves `path` as it was.
    A file that is replaced keeps its permissions; a symbolic link stays, what it points to is replaced.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> with whole(folder / "a.txt") as part:
    ...     _ = part.write_text("all of it")
    >>> [p.name for p in folder.iterdir()]
    ['a.txt']
    """
    target = check_target(path)
    part = target.with_name(f".firconv-{secrets.token_hex(6)}.part")
    try:
        try:  # not tempfile: its files are private (0600), this one has the permissions that any new file gets
            os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        except OSError as error:
            raise unwritable(path, f"{error.strerror}; choose another folder", type(error)) from error
        yield part
        _sync(part)
        if target.exists():
            os.chmod(part, target.stat().st_mode & 0o7777)
        os.replace(part, target)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part)


def _sync(path: Path) -> None:
    """The file's bytes are on the disk: a crash after the move must not leave an empty file in the target's place."""
    handle = os.open(path, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def saturated(array: NDArray[Any], dtype: Any, gain: float = 1.0) -> tuple[NDArray[Any], int]:
    """``gain * array`` rounded half to even and saturated into an integer type, and how many samples were saturated.

    A value that rounds into the range does not count as saturated.

    Raises
    ------
    ValueError
        NaN has no integer; complex numbers have no order.

    Examples
    --------
    >>> saturated([-3.0, 0.5, 1.5, 254.6, 300.0], "uint8")
    (array([  0,   0,   2, 255, 255], dtype=uint8), 2)
    """
    source, target = np.asarray(array), np.dtype(dtype)
    if source.dtype == target and gain == 1:
        return source, 0
    if source.dtype.kind == "c":
        raise ValueError(f"saturated(array, {target.name}): complex samples have no order; take the magnitude first")
    low, high = np.iinfo(target).min, np.iinfo(target).max
    if source.dtype.kind in "biu" and gain == 1:
        count = np.count_nonzero(source < low) + np.count_nonzero(source > high)
        return np.clip(source, low, high).astype(target), int(count)
    if np.isnan(source).any():
        raise ValueError(f"saturated(array, {target.name}): NaN has no integer value; write floating point instead")
    scaled = np.rint(source * source.dtype.type(gain) if source.dtype.kind == "f" else source * float(gain))
    count = np.count_nonzero(scaled < low) + np.count_nonzero(scaled > high)
    return _cast(np.clip(scaled, low, high, out=scaled), target), int(count)


def _cast(rounded: NDArray[Any], target: np.dtype[Any]) -> NDArray[Any]:
    """Whole numbers inside the range, as integers; the largest float can lie one above the largest 64-bit integer."""
    high = np.iinfo(target).max
    with np.errstate(invalid="ignore"):
        return np.where(rounded >= float(high), high, rounded.astype(target)).astype(target)
