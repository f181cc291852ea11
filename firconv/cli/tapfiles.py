"""Filters in files. A ``.npz`` keeps taps, origin, fs and the specification; ``.npy`` and ``.csv`` keep the taps only.

Arrays of the archive: ``taps``; ``origin``, one integer per axis; ``fs``; and of a designed filter ``kind``,
``method``, ``delay`` (NaN for minimum phase) and ``bands``, one row per band: its edges, the gains there, deviation,
relative (0 or 1), unit, and what was reached, lowest, highest. Taps that come without an origin are centred, which
leaves no delay if they are symmetric and of odd length.
"""

from __future__ import annotations

import argparse
import dataclasses
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from firconv.cli.kernels import parse_taps
from firconv.files import whole, write

if TYPE_CHECKING:
    from firconv.systems import FIR


def taps_at(options: argparse.Namespace, rate: float) -> FIR:
    """What ``--taps`` names, for a signal of this rate (1 if nobody knows it).

    Raises
    ------
    ValueError
        Taps designed for another rate, and everything of `read_filter`.
    """
    fir = read_filter(options.taps, options.taps_key, correlate=options.correlate)
    if fir.fs != 1 and rate != 1 and fir.fs != rate:
        wrong = f"designed for {fir.fs:g} samples per second, and the signal has {rate:g}"
        raise ValueError(f"--taps {options.taps}: {wrong}; design the filter for that rate")
    return fir


def read_filter(text: str, key: str | None = None, *, correlate: bool = False) -> FIR:
    """The filter in a file, or typed as numbers; without a stored origin it is centred, as in convolve or correlate.

    Raises
    ------
    OSError
        No such file.
    ValueError
        Not taps, or an archive whose parts do not fit together.

    Examples
    --------
    >>> read_filter("1,2,1")
    FIR([1, 2, 1], origin=1, fs=1)
    """
    from firconv.systems import FIR

    if key is not None or not _is_filter(text):
        taps = parse_taps(text, key)
        return FIR(taps, [k // 2 if correlate else (k - 1) // 2 for k in taps.shape])
    taps = parse_taps(text, "taps")
    with np.load(text, allow_pickle=False) as archive:
        parts = {name: archive[name] for name in archive.files if name != "taps"}
    try:
        fir = FIR(taps, np.atleast_1d(parts["origin"]).tolist(), float(parts.get("fs", 1.0)))
        return dataclasses.replace(fir, report=_report(parts, taps.size))
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise ValueError(f"cannot read {text!r}: its origin, fs or bands do not fit its taps ({error})") from error


def write_filter(path: str, fir: FIR) -> None:
    """The filter in a new file, in place only when it is whole."""
    if Path(path).suffix.lower() != ".npz":
        write(path, fir.taps)
        return
    with whole(path) as part, open(part, "wb") as file:
        np.savez(file, taps=fir.taps, origin=np.array(fir.origins), fs=np.array(fir.fs), **_described(fir.report))


def _is_filter(text: str) -> bool:
    """True for an archive with taps and their origin."""
    if Path(text).suffix.lower() != ".npz":
        return False
    try:
        with np.load(text, allow_pickle=False) as archive:
            return {"taps", "origin"} <= set(archive.files)
    except (ValueError, EOFError, zipfile.BadZipFile, AttributeError):
        return False  # the ordinary reader says what is wrong with it


def _described(report: Any) -> dict[str, Any]:
    if not getattr(report, "bands", ()):
        return {}
    rows = [(b.lo, b.hi, *b.gain, b.deviation, b.relative, b.unit, b.reached, b.lowest, b.highest)
            for b in report.bands]
    delay = np.nan if report.delay is None else report.delay
    return {"kind": np.array(report.kind), "method": np.array(report.method), "delay": np.array(delay),
            "bands": np.array(rows, float)}


def _report(parts: dict[str, Any], taps: int) -> Any:
    if "bands" not in parts:
        return None
    from firconv.design import Achieved, Band

    bands = tuple(Band(lo, hi, (a, b), deviation, bool(relative), unit, *reached)
                  for lo, hi, a, b, deviation, relative, unit, *reached in parts["bands"].tolist())
    delay = float(parts["delay"])
    return Achieved(str(parts["kind"]), str(parts["method"]), taps, None if np.isnan(delay) else delay, bands)
