"""Arrays in ``.npy``, ``.npz`` and ``.csv`` files."""

from __future__ import annotations

import os
import warnings
import zipfile
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from firconv.files.common import Signal, unreadable, unwritable, whole

_DELIMITERS = (",", ";", "\t")


def read_npy(path: Path, key: str | None = None) -> Signal:
    """The array of a ``.npy`` file."""
    try:  # mapped first: a header that claims more than the file holds fails before anything is allocated
        array = np.array(np.load(path, mmap_mode="r", allow_pickle=False))
    except (ValueError, EOFError) as error:
        raise unreadable(path, f"not a whole .npy file ({_trouble(path, error)})") from error
    return _numeric(array, path)


def _trouble(path: Path, error: Exception) -> str:
    """What is wrong with a file that is not read; NumPy's own words speak of pickles and of mapping."""
    with open(path, "rb") as file:
        start = file.read(6)
    if not start:
        return "it is empty"
    if start != b"\x93NUMPY":
        return "it does not begin as one"
    return "it holds Python objects; numbers are needed" if "Python objects" in str(error) else _first_line(error)


def read_npz(path: Path, key: str | None = None) -> Signal:
    """The array called `key` of a ``.npz`` archive; without a key, the only one."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            names = list(archive.files)
            name = names[0] if key is None and len(names) == 1 else key
            array = archive[name] if name in names else None
    except (ValueError, EOFError, zipfile.BadZipFile, AttributeError) as error:
        raise unreadable(path, f"not a whole .npz archive ({_first_line(error)})") from error
    if array is None:
        if not names:
            raise unreadable(path, "it holds no arrays")
        wrong = f"it holds {len(names)} arrays" if key is None else f"no array is called {key!r}"
        raise unreadable(path, f"{wrong}; choose one of {names} with --key")
    return _numeric(array, path, {"name": name})


def read_csv(path: Path, key: str | None = None) -> Signal:
    """The numbers of a text table. Several columns are channels: a filter runs down the rows.

    The delimiter is a comma, semicolon, tab or blanks; a first line that is not all numbers is a header and is kept.
    """
    try:
        with open(path, encoding="utf-8-sig") as file:
            first = _first_data_line(file)
            delimiter = next((d for d in _DELIMITERS if d in first), None)
            header = first if not _is_numbers(first, delimiter) else None
            file.seek(0)
            lines = (line for line in file if line.rstrip("\r\n") != header)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # an empty table is refused below
                table = np.loadtxt(lines, delimiter=delimiter, ndmin=2, dtype=np.float64)
    except (ValueError, UnicodeDecodeError) as error:
        raise unreadable(path, f"not a table of numbers ({_first_line(error)})") from error
    if table.size == 0:
        raise unreadable(path, "it holds no numbers")
    array = table.reshape(-1) if 1 in table.shape else table
    notes = {"header": header, "delimiter": delimiter or " ", "row": table.shape[0] == 1}
    return Signal(array, "array", (0,), notes=notes)


def write_npy(path: Path, signal: Signal, quality: int = 0) -> None:
    """The samples, alpha as last colour, in a ``.npy`` file."""
    with whole(path) as part, open(part, "wb") as file:
        np.save(file, _with_alpha(signal), allow_pickle=False)


def write_npz(path: Path, signal: Signal, quality: int = 0) -> None:
    """The samples in a compressed ``.npz`` archive, under the name they had (``array`` if none)."""
    with whole(path) as part, open(part, "wb") as file:
        named: dict[str, Any] = {signal.notes.get("name", "array"): _with_alpha(signal)}
        np.savez_compressed(file, **named)


def write_csv(path: Path, signal: Signal, quality: int = 0) -> None:
    """One or two dimensions as text, every number in the fewest digits that read back as the same number."""
    array = signal.array
    if array.ndim not in (1, 2) or array.dtype.kind == "c":
        what = f"{array.dtype} {array.shape}"
        raise unwritable(path, f".csv holds one or two dimensions of real numbers, not {what}; write .npy")
    if array.ndim == 1:
        array = array[None, :] if signal.notes.get("row") else array[:, None]
    delimiter = signal.notes.get("delimiter", ",")
    with whole(path) as part, open(part, "w", encoding="utf-8", newline="\n") as file:
        if signal.notes.get("header"):
            file.write(signal.notes["header"] + "\n")
        for start in range(0, array.shape[0], 4096):  # as text a table is ten times as large
            rows = array[start : start + 4096].astype(np.str_).tolist()
            file.writelines(delimiter.join(row) + "\n" for row in rows)


def _numeric(array: NDArray[Any], path: str | os.PathLike[str], notes: dict[str, Any] | None = None) -> Signal:
    if array.dtype.kind not in "biufc":
        raise unreadable(path, f"it holds {array.dtype} data; numbers are needed")
    return Signal(array, "array", tuple(range(array.ndim)), notes=notes or {})


def _with_alpha(signal: Signal) -> NDArray[Any]:
    if signal.alpha is None:
        return signal.array
    colours = signal.array if signal.array.ndim == 3 else signal.array[..., None]
    return np.concatenate([colours, signal.alpha[..., None].astype(colours.dtype)], axis=-1)


def _first_data_line(file: TextIO) -> str:
    return next((line.rstrip("\r\n") for line in file if line.strip() and not line.startswith("#")), "")


def _is_numbers(line: str, delimiter: str | None) -> bool:
    try:
        [float(word) for word in line.split(delimiter)]
    except ValueError:
        return False
    return True


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(". ")
