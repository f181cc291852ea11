"""``firconv filter`` and ``firconv plan``: a file, the filter that the options name, and the plan that joins them."""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import firconv
from firconv.cli.kernels import chosen, kernel, title
from firconv.files import KINDS, Signal, check_target, kind_of, read, saturated, write

_BEYOND = {"image": "reflect", "sound": "zero", "array": "zero"}
_LONG = 1 << 22  # samples; sound longer than this gets a progress bar
_INTEGERS = {".png": ("uint8", "uint16"), ".jpg": ("uint8",), ".jpeg": ("uint8",)}
_SUBTYPES = {"int8": "PCM_S8", "uint8": "PCM_U8", "int16": "PCM_16", "int24": "PCM_24", "int32": "PCM_32"}
_SUBTYPES |= {"float32": "FLOAT", "float64": "DOUBLE"}


def run_filter(options: argparse.Namespace) -> None:
    """Filter one file into another."""
    kinds = kind_of(options.input), kind_of(options.output)
    check_target(options.output)
    _check(options, *kinds)
    begun = time.perf_counter()
    if kinds == ("sound", "sound"):
        what, notes = _filter_sound(options)
    else:
        what, notes = _filter_array(options, kinds[1])
    if not options.quiet:
        for note in notes:
            print(f"note: {note}", file=sys.stderr)
        print(f"{options.input} → {options.output}: {what}, {time.perf_counter() - begun:.2f} s")


def run_plan(options: argparse.Namespace) -> None:
    """Print what filtering a file would do."""
    if kind_of(options.input) == "sound":
        from firconv.files.sound import sound_info

        info = sound_info(options.input)
        print(_sound_plan(options, info)[0])
        return
    signal = read(options.input, options.key)
    print(_plan(options, signal)[0])


def _check(options: argparse.Namespace, source: str, target: str) -> None:
    """What can be refused before any work is done."""
    if {source, target} == {"sound", "image"}:
        raise ValueError(f"cannot turn {source} into {target}: write {options.output!r} as {_suffixes(source)} or .npy")
    if target == "sound" and (options.absolute or options.offset is not None or options.normalize or options.range):
        raise ValueError("--absolute, --offset, --normalize and --range are for images and arrays, not for sound")
    if target == "sound" and source != "sound" and options.rate is None:
        raise ValueError(f"{options.output!r} needs a sample rate: give --rate HZ")
    if not 1 <= options.quality <= 100:
        raise ValueError(f"--quality {options.quality}: give 1 to 100")
    if options.dtype is not None:
        _check_dtype(options, target)


def _check_dtype(options: argparse.Namespace, target: str) -> None:
    suffix = Path(options.output).suffix.lower()
    if target == "sound":
        if options.dtype not in _SUBTYPES:
            raise ValueError(f"--dtype {options.dtype}: sound is one of {', '.join(_SUBTYPES)}")
        return
    try:
        name = np.dtype(options.dtype).name
    except TypeError:
        raise ValueError(f"--dtype {options.dtype}: no such number type; use uint8, uint16, float32 …") from None
    if np.dtype(name).kind not in "iufc":
        raise ValueError(f"--dtype {options.dtype}: use an integer, float or complex type")
    if name not in _INTEGERS.get(suffix, (name,)):
        raise ValueError(f"--dtype {name}: {suffix} holds {' or '.join(_INTEGERS[suffix])}; write .tif or .npy")


def _suffixes(kind: str) -> str:
    return " ".join(suffix for suffix, other in KINDS.items() if other == kind)


# ── arrays and images ─────────────────────────────────────────────────────────────────────────────────────────────────


def _filter_array(options: argparse.Namespace, target: str) -> tuple[str, list[str]]:
    signal = read(options.input, options.key)
    notes = _finite(options, signal.array)
    plan, facts = _plan(options, signal)
    result = _toned(options, plan(signal.array, workers=options.workers))
    array, white, more = _stored(options, signal, result, target)
    signal = dataclasses.replace(signal, array=array, white=white, rate=options.rate or signal.rate)
    if options.dtype and target == "sound":
        signal = dataclasses.replace(signal, subtype=_SUBTYPES[options.dtype])
    write(options.output, signal, quality=options.quality)
    alpha = ", alpha as it was" if signal.alpha is not None else ""
    return f"{_times(array.shape)} {array.dtype}{alpha}, {facts}, {plan.method}", notes + more


def _finite(options: argparse.Namespace, array: np.ndarray) -> list[str]:
    """Nothing to filter when no sample is a number; some that are not stay in their footprint, and that is said."""
    if array.dtype.kind not in "fc":
        return []
    bad = array.size - int(np.count_nonzero(np.isfinite(array)))
    if bad == array.size:
        raise ValueError(f"cannot filter {options.input!r}: none of its {array.size} samples is a finite number")
    return [f"{bad} of {array.size} samples are NaN or infinite, and so is every output they reach"] if bad else []


def _plan(options: argparse.Namespace, signal: Signal) -> tuple[Any, str]:
    """The plan for a whole array, and how the filter is applied in words."""
    rate = options.rate or signal.rate or 1.0
    axes = _axes(options, signal)
    fir = kernel(options, len(axes), rate)
    if fir.taps.ndim != len(axes):
        axes = _axes_of_taps(options, signal, axes, fir.taps.ndim)
    plan = _made(options, signal.array, _Filter(fir, _typed_taps(options, fir.taps, signal), axes, signal.kind))
    where = "" if len(axes) == signal.array.ndim or signal.kind != "array" else f" along axis {_commas(axes)}"
    if signal.kind == "image" and len(axes) == 1:
        where = f" along the {('columns', 'rows')[axes[0]]}" if axes[0] in (0, 1) else f" along axis {axes[0]}"
    return plan, f"{title(options)} ({_times(fir.taps.shape)} taps){where}, {_beyond(options, signal.kind)}"


class _Filter(NamedTuple):
    """The filter as it will be applied: its taps in their final type, along axes of a kind of signal."""

    fir: Any
    taps: np.ndarray
    axes: tuple[int, ...]
    kind: str


def _made(options: argparse.Namespace, x: Any, filter_: _Filter, method: str = "") -> Any:
    """A plan with the keywords that the options give; x is an array or (shape, dtype)."""
    op = "correlate" if options.correlate else "convolve"
    return firconv.plan(
        x,
        filter_.taps,
        _window(options.mode, len(filter_.axes)),
        method or options.method,
        op=op,
        boundary=_boundary(options.boundary or _BEYOND[filter_.kind]),
        axes=filter_.axes,
        origin=_origin(options, filter_.fir, op),
    )


def _axes(options: argparse.Namespace, signal: Signal) -> tuple[int, ...]:
    if options.axes is None:
        return signal.axes
    try:
        axes = tuple(int(word) for word in options.axes.split(","))
        return tuple(range(signal.array.ndim)[axis] for axis in axes)
    except (ValueError, IndexError):
        shape = signal.array.shape
        raise ValueError(f"--axes {options.axes}: give axes of shape {shape}, such as 0 or 0,1") from None


def _axes_of_taps(options: argparse.Namespace, signal: Signal, axes: tuple[int, ...], ndim: int) -> tuple[int, ...]:
    """Taps of their own dimension run along the last axes: rows of an image, as in scipy.ndimage."""
    available = axes if ndim < len(axes) else tuple(range(signal.array.ndim))
    if options.axes is not None or ndim > len(available):
        wanted = "axis" if ndim == 1 else f"{ndim} axes"
        shape = signal.array.shape
        found = f"{len(axes)} of shape {shape}"
        raise ValueError(f"--{chosen(options)}: {ndim}-dimensional taps need {wanted}, not {found}; choose with --axes")
    return available[-ndim:]


def _typed_taps(options: argparse.Namespace, taps: np.ndarray, signal: Signal) -> np.ndarray:
    """Named kernels and typed taps never widen floating-point samples; 8-bit images are computed in float32."""
    own_file = chosen(options) == "taps" and Path(options.taps).suffix and signal.kind == "array"
    kind = signal.array.dtype.kind
    if own_file or taps.dtype.kind == "c":
        return taps
    if kind == "f":
        return taps.astype(signal.array.dtype)
    if signal.kind == "image" and signal.array.dtype.itemsize == 1 and taps.dtype.kind == "f":
        return taps.astype(np.float32)
    return taps


def _toned(options: argparse.Namespace, result: np.ndarray) -> np.ndarray:
    return np.abs(result) if options.absolute else result


def _stored(
    options: argparse.Namespace, signal: Signal, result: np.ndarray, target: str
) -> tuple[np.ndarray, int | None, list[str]]:
    """The result as the output file holds it, the value of white, and what the user should know about it."""
    dtype = _output_dtype(options, signal, result, target)
    white = int(np.iinfo(dtype).max) if dtype.kind == "u" else None
    result = _scaled(options, signal, result, white)
    if dtype.kind not in "iu":
        return result.astype(dtype, copy=False), None, []
    gain = _gain(options, signal, result, white) if target == "image" else 1.0
    array, lost = saturated(result, dtype, gain)
    return array, white, _lost(lost, array, gain) if lost else []


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
        middle = ((signal.white or 1) + 1) // 2 if options.offset == "middle" else options.offset
        result = result + result.dtype.type(middle) if result.dtype.kind == "f" else result + middle
    if not (options.normalize or options.range):
        return result
    low, high = options.range or (float(np.nanmin(result)), float(np.nanmax(result)))
    if low == high:
        flag = "--range" if options.range else "--normalize"
        raise ValueError(f"{flag}: black and white are both {low:g}; give --range LO HI")
    return (result - low) * ((white or 1) / (high - low))


def _gain(options: argparse.Namespace, signal: Signal, result: np.ndarray, white: int | None) -> float:
    """From the scale of IN to that of OUT."""
    if options.normalize or options.range:
        return 1.0
    if signal.white is None and result.dtype.kind == "f":
        suffix = Path(options.output).suffix
        wanted = "--range LO HI (black and white) or --normalize"
        raise ValueError(f"{result.dtype} samples have no scale for {suffix}: give {wanted}")
    return 1.0 if signal.kind != "image" or not (white and signal.white) else white / signal.white


def _lost(lost: int, array: np.ndarray, gain: float) -> list[str]:
    share, limits = 100 * lost / array.size, np.iinfo(array.dtype)
    seen = "to see them: --absolute, --offset, --normalize, or --dtype float32 into .tif or .npy"
    return [f"{share:.2g} % of the samples lay outside {limits.min} … {limits.max} and were saturated ({seen})"]


# ── sound ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _sound_plan(options: argparse.Namespace, info: Any) -> tuple[Any, str]:
    signal = Signal(np.empty((0, info.channels), info.dtype), "sound", (0,))
    if options.axes not in (None, "0"):
        raise ValueError(f"--axes {options.axes}: sound is filtered along time, which is axis 0")
    fir = kernel(options, 1, info.rate)
    if fir.taps.ndim != 1:
        raise ValueError(f"--{chosen(options)}: sound needs one-dimensional taps, not {_times(fir.taps.shape)}")
    filter_ = _Filter(fir, _typed_taps(options, fir.taps, signal), (0,), "sound")
    x = ((info.frames, info.channels), np.dtype(info.dtype))
    plan = _made(options, x, filter_)
    if options.method == "auto" and plan.method not in ("direct", "overlap_save"):  # these run in blocks
        plan = _made(options, x, filter_, "overlap_save")
    return plan, f"{title(options)} ({len(fir.taps)} taps), {_beyond(options, 'sound')}"


def _filter_sound(options: argparse.Namespace) -> tuple[str, list[str]]:
    """Block by block: memory does not grow with the length of the sound."""
    from firconv.files.sound import sound_blocks, sound_info, sound_writer, stored_subtype

    info = sound_info(options.input)
    plan, facts = _sound_plan(options, info)
    if options.rate is not None:
        raise ValueError(f"--rate {options.rate:g}: the sample rate of {options.input!r} is its own, {info.rate:g} Hz")
    subtype = stored_subtype(options.output, _SUBTYPES[options.dtype] if options.dtype else info.subtype)
    notes = [] if subtype == info.subtype or options.dtype else [f"stored as {subtype}, not {info.subtype}"]
    out = dataclasses.replace(info, subtype=subtype)
    try:
        stream, loud = plan.stream(), 0
    except ValueError:  # a boundary or method that needs all of the sound at once
        return _filter_array(options, "sound")
    with sound_writer(options.output, out) as put, _progress(options, info) as advance:
        for block in sound_blocks(options.input):
            loud += put(stream.push(block, workers=options.workers))
            advance(len(block))
        loud += put(stream.flush(workers=options.workers))
    if loud:
        notes.append(f"{loud} samples were beyond full scale and were saturated")
    seconds = info.frames / info.rate
    return f"{seconds:.2f} s, {info.channels} × {info.rate:g} Hz {subtype}, {facts}, {plan.method}", notes


def _progress(options: argparse.Namespace, info: Any) -> Any:
    """A context with a function that advances a bar by some frames; no bar for short work, pipes, or --quiet."""
    import contextlib

    if options.quiet or not sys.stderr.isatty() or info.frames * info.channels < _LONG:
        return contextlib.nullcontext(lambda frames: None)
    from firconv.cli.machine import progress

    return progress(f"filtering {options.input}", info.frames)


# ── words of the options ──────────────────────────────────────────────────────────────────────────────────────────────


def _beyond(options: argparse.Namespace, kind: str) -> str:
    return f"boundary {options.boundary or _BEYOND[kind]}"


def _boundary(text: str) -> Any:
    """``reflect``, ``constant=3``, ``zero/edge`` (low and high end), ``reflect,wrap`` (per axis)."""
    if "," in text:
        return [_boundary(part) for part in text.split(",")]
    if "/" in text:
        return tuple(_boundary(part) for part in text.split("/"))
    name, _, value = text.partition("=")
    if not value:
        return text
    try:
        return (name, float(value))
    except ValueError:
        raise ValueError(f"--boundary {text}: {value!r} is not a number; write constant=0.5") from None


def _window(text: str, ndim: int) -> Any:
    """``same``, or ``START:STOP`` per axis as positions."""
    if ":" not in text:
        return text
    try:
        windows = [(int(start), int(stop)) for start, stop in (part.split(":") for part in text.split(","))]
    except ValueError:
        raise ValueError(f"--mode {text}: give full, same, valid, or whole numbers as START:STOP") from None
    return windows if len(windows) > 1 else windows * ndim if ndim > 1 else windows[0]


def _origin(options: argparse.Namespace, fir: Any, op: str) -> Any:
    if options.origin is None:
        return tuple(fir.origins) if op == "convolve" else tuple(k // 2 for k in fir.taps.shape)
    try:
        return tuple(int(word) for word in options.origin.split(","))
    except ValueError:
        return options.origin


def _times(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))


def _commas(values: tuple[int, ...]) -> str:
    return ", ".join(map(str, values))
