"""Sound in WAV, FLAC, OGG, AIFF and their large-file relatives, read and written block by block.

Samples are floating point in units of full scale: float32 where that holds every stored value (up to 16 bits, and lossy
codecs), float64 beyond.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firconv.files.common import Signal, unreadable, unwritable, whole

BLOCK = 1 << 16  # frames; 0.5 MB of stereo float32
FORMATS = {".wav": "WAV", ".flac": "FLAC", ".ogg": "OGG", ".oga": "OGG"}
FORMATS |= {".aif": "AIFF", ".aiff": "AIFF", ".w64": "W64", ".rf64": "RF64"}
_STREAMED = (0, 0x7FFFFFFF, 0xFFFFFFFF)  # sizes in headers of files that were piped: unknown
_OGG_PAGE = 65_536  # bytes; no page is longer
_PRECISE = ("PCM_24", "PCM_32", "DOUBLE")
_BYTES = {"PCM_S8": 1, "PCM_U8": 1, "PCM_16": 2, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4, "DOUBLE": 8}
_INSTEAD = {"FLAC": {"FLOAT": "PCM_24", "DOUBLE": "PCM_24", "PCM_32": "PCM_24", "PCM_U8": "PCM_S8"}}


@dataclass(frozen=True)
class SoundInfo:
    """What the header of a sound file says."""

    frames: int
    channels: int
    rate: float
    subtype: str
    dtype: str
    notes: Mapping[str, Any] = field(default_factory=dict)


def sound_info(path: str | os.PathLike[str]) -> SoundInfo:
    """Length, channels, rate and coding of a sound file, without reading its samples."""
    with _opened(path) as file:
        return _info(file)


def sound_blocks(path: str | os.PathLike[str], frames: int = BLOCK) -> Iterator[NDArray[Any]]:
    """The samples in blocks (frames, channels), in order.

    Raises
    ------
    ValueError
        The file ends before the length that its header gives.
    """
    with _opened(path) as file:
        dtype, left = _info(file).dtype, file.frames
        while left:
            with _damage(path):
                block = file.read(min(frames, left), dtype=dtype, always_2d=True)
            if not len(block):
                raise unreadable(path, f"truncated, {left} of {file.frames} frames are missing; get a whole copy")
            left -= len(block)
            yield block


def read_sound(path: Path, key: str | None = None) -> Signal:
    """A whole sound file: (frames,) for one channel, else (frames, channels)."""
    info = sound_info(path)
    array = np.concatenate([np.empty((0, info.channels), info.dtype), *sound_blocks(path)])
    array = array[:, 0] if info.channels == 1 else array
    return Signal(array, "sound", (0,), rate=info.rate, subtype=info.subtype, notes=info.notes)


def write_sound(path: Path, signal: Signal, quality: int = 0) -> None:
    """A whole sound file; see `sound_writer` for the coding."""
    array = signal.array if signal.array.ndim == 2 else signal.array[:, None]
    if array.ndim != 2 or array.dtype.kind != "f":
        what = f"{signal.array.dtype} {signal.array.shape}"
        raise unwritable(path, f"sound is (frames,) or (frames, channels) in floating point, not {what}")
    if signal.rate is None:
        raise unwritable(path, "sound needs a sample rate; give --rate HZ")
    dtype = "float64" if array.dtype.itemsize > 4 else "float32"
    subtype = signal.subtype or {"float32": "FLOAT", "float64": "DOUBLE"}[dtype]
    info = SoundInfo(len(array), array.shape[1], signal.rate, subtype, dtype, signal.notes)
    with sound_writer(path, info) as write:
        for start in range(0, len(array), BLOCK):
            write(array[start : start + BLOCK].astype(dtype, copy=False))


def stored_subtype(path: str | os.PathLike[str], subtype: str) -> str:
    """The coding that the format of `path` uses for samples that were coded as `subtype`: the same where it can."""
    import soundfile

    kind = FORMATS[Path(path).suffix.lower()]
    if soundfile.check_format(kind, subtype):
        return subtype
    return _INSTEAD.get(kind, {}).get(subtype, soundfile.default_subtype(kind))


@contextlib.contextmanager
def sound_writer(path: str | os.PathLike[str], info: SoundInfo) -> Iterator[Any]:
    """A function that appends blocks (frames, channels) to a new file, which is in place once the `with` ends well.

    It rounds half to even and saturates for integer codings, and returns how many samples were saturated.

    Raises
    ------
    ValueError
        The format holds no such rate, number of channels, or size (WAV and AIFF: 4 GiB).
    """
    import soundfile

    kind, subtype = FORMATS[Path(path).suffix.lower()], stored_subtype(path, info.subtype)
    if info.rate != int(info.rate):
        raise unwritable(path, f"sound files hold whole sample rates, not {info.rate}; give --rate HZ")
    if kind in ("WAV", "AIFF") and info.frames * info.channels * _BYTES.get(subtype, 1) > 2**32 - 4096:
        raise unwritable(path, f"{kind} holds at most 4 GiB; write .w64, .rf64 or .flac")
    with whole(path) as part:
        try:
            file = soundfile.SoundFile(part, "w", int(info.rate), info.channels, subtype, format=kind)
        except (soundfile.LibsndfileError, ValueError) as error:
            what = f"{info.channels} channels at {info.rate:g} Hz as {kind} {subtype}"
            raise unwritable(path, f"{what}: {error}") from error
        with file:
            for name, value in info.notes.items():
                setattr(file, name, value)
            yield lambda block: _append(file, block)


def _append(file: Any, block: NDArray[Any]) -> int:
    """Write a block; left to itself, libsndfile rounds integers down."""
    bits = 8 * _BYTES.get(file.subtype, 0)
    if not file.subtype.startswith("PCM") or block.dtype.kind != "f":
        file.write(block)
        return 0
    limit = 2 ** (bits - 1)
    scaled = np.rint(block * np.float64(limit))  # float32 would round 2³¹ − 1 up
    if np.isnan(scaled).any():
        raise ValueError(f"sound coded as {file.subtype} holds no NaN: replace the NaN samples, or write FLOAT")
    lost = int(np.count_nonzero(scaled > limit - 1) + np.count_nonzero(scaled < -limit))
    whole_numbers = np.clip(scaled, -limit, limit - 1).astype(np.int64)
    file.write((whole_numbers << (32 - bits)).astype(np.int32))  # libsndfile takes the upper bits
    return lost


@contextlib.contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[Any]:
    import soundfile

    with open(path, "rb"):  # so that a missing or unreadable file is an OSError like any other, not "System error"
        pass
    with _damage(path):
        file = soundfile.SoundFile(path)
    with file:
        if _is_cut(path, file):
            raise unreadable(path, "truncated, shorter than its header says; get a whole copy")
        if file.frames == 0:
            raise unreadable(path, "it holds no samples")
        yield file


def _is_cut(path: str | os.PathLike[str], file: Any) -> bool:
    """Whether samples are missing at the end, which libsndfile forgives in silence.

    Its log gives the size that a header claims beside the one that is there. An Ogg stream marks its last page.
    """
    if file.format == "OGG":
        with open(path, "rb") as stream:
            stream.seek(-min(os.path.getsize(path), _OGG_PAGE), os.SEEK_END)
            tail = stream.read()
        page = tail[tail.rfind(b"OggS") :]
        segments = page[26] if len(page) > 26 else 0
        return not (page[5:6] and page[5] & 4 and len(page) >= 27 + segments + sum(page[27 : 27 + segments]))
    sizes = re.findall(r"(?:data|SSND|riff|Riff size)\s*: (\d+) \(should be (\d+)\)", file.extra_info)
    return any(int(there) < int(claimed) and int(claimed) not in _STREAMED for claimed, there in sizes)


@contextlib.contextmanager
def _damage(path: str | os.PathLike[str]) -> Iterator[None]:
    import soundfile

    try:
        yield
    except soundfile.SoundFileError as error:
        reason = str(getattr(error, "error_string", error)).rstrip(". ")
        raise unreadable(path, f"damaged, or not a sound file ({reason})") from error


def _info(file: Any) -> SoundInfo:
    dtype = "float64" if file.subtype in _PRECISE else "float32"
    return SoundInfo(file.frames, file.channels, file.samplerate, file.subtype, dtype, file.copy_metadata())
