"""What is written: number type, scale and depth of a result, and what the user should know about it."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from firconv.files import Signal, saturated

_INTEGERS = {".png": ("uint8", "uint16"), ".jpg": ("uint8",), ".jpeg": ("uint8",)}
SUBTYPES = {"int8": "PCM_S8", "uint8": "PCM_U8", "int16": "PCM_16", "int24": "PCM_24", "int32": "PCM_32"}
SUBTYPES |= {"float32": "FLOAT", "float64": "DOUBLE"}


def check_dtype(options: argparse.Namespace, target: str) -> None:
    """Refuse, before any work, a --dtype that the output cannot hold."""
    suffix = Path(options.output).suffix.lower()
    if target == "sound":
        if options.dtype not in SUBTYPES:
            raise ValueError(f"--dtype {options.dtype}: sound is one of {', '.join(SUBTYPES)}")
        return
    try:
        name = np.dtype(options.dtype).name
    except TypeError:
        raise ValueError(f"--dtype {options.dtype}: no such number type; use uint8, uint16, float32 …") from None
    if np.dtype(name).kind not in "iufc":
        raise ValueError(f"--dtype {options.dtype}: use an integer, float or complex type")
    if name not in _INTEGERS.get(suffix, (name,)):
        raise ValueError(f"--dtype {name}: {suffix} holds {' or '.join(_INTEGERS[suffix])}; write .tif or .npy")


def stored(
    options: argparse.Namespace, signal: Signal, result: np.ndarray, target: str
) -> tuple[np.ndarray, int | None, list[str]]:
    """The result as the output file holds it, the value of white, and what the user should know about it."""
    dtype = _output_dtype(options, signal, result, target)
    white = int(np.iinfo(dtype).max) if dtype.kind == "u" else None
    result = _scaled(options, signal, result, white)
    if result.dtype.kind == "c" and dtype.kind != "c":
        raise ValueError(f"the result is complex and {dtype} is not: add --absolute, or write .npy without --dtype")
    if dtype.kind not in "iu":
        return result.astype(dtype, copy=False), None, []
    gain = _gain(options, signal, result, white) if target == "image" else 1.0
    array, lost = saturated(result, dtype, gain)
    return array, white, _lost(lost, array) if lost else []


def _output_dtype(options: argparse.Namespace, signal: Signal, result: np.ndarray, target: str) -> np.dtype:
    """As asked; for images the depth of IN where the format holds it, else 8 bits; for arrays the type of the sum."""
    if target == "sound":
        return np.dtype(np.float64 if signal.array.dtype.itemsize > 4 else np.float32)
    if options.dtype is not None:
        return np.dtype(options.dtype)
    if target == "array":
        return np.dtype(result.dtype)
    fits = _INTEGERS.get(Path(options.output).suffix.lower())
    if fits is None:
        return np.dtype(signal.array.dtype if signal.white or result.dtype.kind != "f" else result.dtype)
    return np.dtype(signal.array.dtype.name if signal.array.dtype.name in fits else "uint8")


def _scaled(options: argparse.Namespace, signal: Signal, result: np.ndarray, white: int | None) -> np.ndarray:
    """--offset, --normalize and --range, in the units of the input; the range maps to 0 … white, or 0 … 1."""
    if options.offset is not None:
        middle = ((signal.white or 1) + 1) // 2 if options.offset is True else options.offset
        result = result + result.dtype.type(middle) if result.dtype.kind == "f" else result + middle
    if not (options.normalize or options.range):
        return result
    low, high = options.range or (float(np.nanmin(result)), float(np.nanmax(result)))
    if low == high:
        flag = "--range" if options.range else "--normalize"
        raise ValueError(f"{flag}: black and white are both {low:g}; give --range LO HI")
    return (result - low) * ((white or 1) / (high - low))


def _gain(options: argparse.Namespace, signal: Signal, result: np.ndarray, white: int | None) -> float:
    """From the scale of IN to that of OUT. Integers of an array are taken as they are, unsigned ones have a white."""
    if options.normalize or options.range or not white:
        return 1.0
    if signal.array.dtype.kind == "u":
        return white / np.iinfo(signal.array.dtype).max
    if result.dtype.kind == "f":
        suffix = Path(options.output).suffix
        wanted = "--range LO HI (black and white) or --normalize"
        raise ValueError(f"{result.dtype} samples have no scale for {suffix}: give {wanted}")
    return 1.0


def _lost(lost: int, array: np.ndarray) -> list[str]:
    share, limits = 100 * lost / array.size, np.iinfo(array.dtype)
    seen = "to see them: --absolute, --offset, --normalize, or --dtype float32 into .tif or .npy"
    return [f"{share:.2g} % of the samples lay outside {limits.min} … {limits.max} and were saturated ({seen})"]
