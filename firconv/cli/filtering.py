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
from firconv.cli import words
from firconv.cli.kernels import chosen, kernel, title
from firconv.cli.results import SUBTYPES, check_dtype, stored
from firconv.files import KINDS, Signal, check_target, kind_of, read, write

_BEYOND = {"image": "reflect", "sound": "zero", "array": "zero"}
_LONG = 1 << 22  # samples; sound longer than this gets a progress bar


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
        check_dtype(options, target)


def _suffixes(kind: str) -> str:
    return " ".join(suffix for suffix, other in KINDS.items() if other == kind)


# ── arrays and images ─────────────────────────────────────────────────────────────────────────────────────────────────


def _filter_array(options: argparse.Namespace, target: str) -> tuple[str, list[str]]:
    signal = read(options.input, options.key)
    notes = _finite(options, signal.array)
    plan, facts = _plan(options, signal)
    result = _toned(options, plan(signal.array, workers=options.workers))
    array, white, more = stored(options, signal, result, target)
    signal = dataclasses.replace(signal, array=array, white=white, rate=options.rate or signal.rate)
    if options.dtype and target == "sound":
        signal = dataclasses.replace(signal, subtype=SUBTYPES[options.dtype])
    write(options.output, signal, quality=options.quality)
    alpha = ", alpha as it was" if signal.alpha is not None else ""
    return f"{words.times(array.shape)} {array.dtype}{alpha}, {facts}, {plan.method}", notes + more


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
    axes = words.axes(options.axes, signal.array.shape) if options.axes else signal.axes
    fir = kernel(options, len(axes), rate)
    if fir.taps.ndim != len(axes):
        axes = _axes_of_taps(options, signal, axes, fir.taps.ndim)
    plan = _made(options, signal.array, _Filter(fir, _typed_taps(options, fir.taps, signal), axes, signal.kind))
    where = "" if len(axes) == signal.array.ndim or signal.kind != "array" else f" along axis {words.commas(axes)}"
    if signal.kind == "image" and len(axes) == 1:
        where = f" along the {('columns', 'rows')[axes[0]]}" if axes[0] in (0, 1) else f" along axis {axes[0]}"
    return plan, f"{title(options)} ({words.times(fir.taps.shape)} taps){where}, {_beyond(options, signal.kind)}"


def _beyond(options: argparse.Namespace, kind: str) -> str:
    return f"boundary {options.boundary or _BEYOND[kind]}"


class _Filter(NamedTuple):
    """The filter as it will be applied: its taps in their final type, along axes of a kind of signal."""

    fir: Any
    taps: np.ndarray
    axes: tuple[int, ...]
    kind: str

    @property
    def origin(self) -> tuple[int, ...]:
        """The index of the tap at displacement zero, which a named kernel and a file of a designed filter know."""
        return tuple(self.fir.origins)


def _made(options: argparse.Namespace, x: Any, filter_: _Filter, method: str = "") -> Any:
    """A plan with the keywords that the options give; x is an array or (shape, dtype)."""
    op = "correlate" if options.correlate else "convolve"
    return firconv.plan(
        x,
        filter_.taps,
        words.window(options.mode, len(filter_.axes)),
        method or options.method,
        op=op,
        boundary=words.boundary(options.boundary or _BEYOND[filter_.kind]),
        axes=filter_.axes,
        origin=words.origin(options.origin) if options.origin else filter_.origin,
    )


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


# ── sound ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _sound_plan(options: argparse.Namespace, info: Any) -> tuple[Any, str]:
    signal = Signal(np.empty((0, info.channels), info.dtype), "sound", (0,))
    if options.axes not in (None, "0"):
        raise ValueError(f"--axes {options.axes}: sound is filtered along time, which is axis 0")
    fir = kernel(options, 1, info.rate)
    if fir.taps.ndim != 1:
        raise ValueError(f"--{chosen(options)}: sound needs one-dimensional taps, not {words.times(fir.taps.shape)}")
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
    subtype = stored_subtype(options.output, SUBTYPES[options.dtype] if options.dtype else info.subtype)
    notes = [] if subtype == info.subtype or options.dtype else [f"stored as {subtype}, not {info.subtype}"]
    out = dataclasses.replace(info, subtype=subtype)
    try:
        stream, loud = plan.stream(), 0
    except ValueError:  # a boundary or method that needs all of the sound at once
        return _filter_array(options, "sound")
    with sound_writer(options.output, out) as put, _progress(options, info) as advance:
        for block in sound_blocks(options.input):
            if np.isnan(block).any():
                raise ValueError(f"cannot filter {options.input!r}: it holds NaN samples; replace them first")
            loud += put(stream.push(block, workers=options.workers))
            advance(len(block))
        loud += put(stream.flush(workers=options.workers))
    if loud:
        many, were = (f"{loud} samples", "were") if loud > 1 else ("1 sample", "was")
        notes.append(f"{many} {were} beyond full scale and {were} saturated")
    seconds = info.frames / info.rate
    return f"{seconds:.2f} s, {info.channels} × {info.rate:g} Hz {subtype}, {facts}, {plan.method}", notes


def _progress(options: argparse.Namespace, info: Any) -> Any:
    """A context with a function that advances a bar by some frames; no bar for short work, pipes, or --quiet."""
    import contextlib

    if options.quiet or not sys.stderr.isatty() or info.frames * info.channels < _LONG:
        return contextlib.nullcontext(lambda frames: None)
    from firconv.cli.machine import progress

    return progress(f"filtering {options.input}", info.frames)
