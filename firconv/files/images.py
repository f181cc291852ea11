"""Images in PNG, JPEG and TIFF files, at the depth they are stored in.

Pillow opens 16-bit colour as 8-bit without a word. So it is left alone only with what has at most 8 bits per sample;
16-bit PNG is taken from it in two halves or goes through pypng, deeper TIFF through tifffile, and what none of them
can keep is refused. Values are as stored (gamma-coded).
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from firconv.files.common import Signal, saturated, unreadable, unwritable, whole

MAX_PIXELS = 178_956_970  # Pillow's own limit; more than that is taken for a decompression bomb
_MODES = {"1": "L", "L": "L", "LA": "LA", "P": "RGB", "PA": "RGBA", "RGB": "RGB", "RGBA": "RGBA", "I;16": "I;16"}
_ORIENTATION, _PROFILE = 274, 34675  # tags of TIFF and EXIF
_JPEG_SIDE = 65_500


class _Pixels(NamedTuple):
    """What a reader returns: samples with alpha still inside, whether it is there, and what else the file says."""

    array: NDArray[Any]
    has_alpha: bool
    notes: dict[str, Any]


def read_image(path: Path, key: str | None = None) -> Signal:
    """An upright image: grey (rows, columns) or colour (rows, columns, 3), alpha apart, in the stored depth.

    Palettes become colour, one bit becomes 0 and 255, EXIF orientation is applied.

    Raises
    ------
    ValueError
        Damaged, truncated, more than 178,956,970 pixels, several pages, CMYK, YCbCr or Lab.
    """
    with open(path, "rb") as file:
        head = file.read(32)
    try:
        pixels = _reader(head)(path)
    except _Refused as error:
        raise unreadable(path, f"{error}") from error
    except Exception as error:  # decoders of damaged files raise anything: OSError, SyntaxError, KeyError, zlib.error …
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise unreadable(path, f"damaged, truncated, or not an image ({reason})") from error
    upright = _upright(pixels.array, pixels.notes.pop("orientation", 1))
    colour, alpha = (upright[..., :-1], upright[..., -1]) if pixels.has_alpha else (upright, None)
    if colour.ndim == 3 and colour.shape[-1] == 1:
        colour = colour[..., 0]
    white = int(np.iinfo(colour.dtype).max) if colour.dtype.kind == "u" else None
    return Signal(np.ascontiguousarray(colour), "image", (0, 1), alpha=alpha, white=white, notes=pixels.notes)


class _Refused(Exception):
    """The file is fine, but this library cannot keep what is in it."""


def _reader(head: bytes) -> Callable[[Path], _Pixels]:
    """Chosen by the first bytes, not by the name: bit depth stands in byte 24 of a PNG file."""
    if head.startswith(b"\x89PNG\r\n\x1a\n") and head[24:25] == b"\x10":
        return _read_png16
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return _read_tiff
    return _read_pillow


def _opened(path: Path, formats: tuple[str, ...]) -> Any:
    """Pillow's view of a file, of which it has read the header only."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # comes at half of its limit
        try:
            return Image.open(path, formats=formats)
        except Image.DecompressionBombError as error:
            raise _Refused(f"it claims too many pixels ({error}); cut it into tiles, or convert it to .npy") from error


def _read_pillow(path: Path) -> _Pixels:
    with _opened(path, ("PNG", "JPEG", "TIFF")) as image:
        if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
            raise _Refused(f"it holds {image.n_frames} images; extract one of them")
        if image.mode not in _MODES:
            raise _Refused(f"its colours are {image.mode}; convert it to RGB or grey")
        mode = _MODES[image.mode]
        if "transparency" in image.info and mode in ("L", "RGB"):
            mode = {"L": "LA", "RGB": "RGBA"}[mode]
        array = np.asarray(image.convert(mode) if mode != image.mode else image)
        return _Pixels(array, mode.endswith("A"), _pillow_notes(image))


def _pillow_notes(image: Any) -> dict[str, Any]:
    """Colour profile, resolution and EXIF, the latter without the orientation that the pixels now have."""
    exif = image.getexif()
    notes = {"orientation": exif.pop(_ORIENTATION, 1)}
    notes |= {"profile": image.info.get("icc_profile"), "dpi": image.info.get("dpi")}
    if image.format in ("JPEG", "MPO", "PNG") and len(exif):
        notes["exif"] = exif.tobytes()
    return {name: value for name, value in notes.items() if value}


def _read_png16(path: Path) -> _Pixels:
    with _opened(path, ("PNG",)) as image:
        if "transparency" in image.info:
            raise _Refused("it is a 16-bit PNG with a transparent colour; save it with an alpha channel")
        mode, layouts = image.mode, [tile.args for tile in image.tile]
        notes = _pillow_notes(image)  # last: to look for EXIF behind the pixels, Pillow decodes them
    if mode in ("RGB", "RGBA") and layouts == [f"{mode};16B"]:
        high, low = (_unpacked(path, f"{mode};16{order}") for order in "BL")
        return _Pixels(np.left_shift(high, 8, dtype=np.uint16) | low, mode == "RGBA", notes)
    return _read_pypng(path, notes)


def _unpacked(path: Path, layout: str) -> NDArray[np.uint8]:
    """One byte of every sample. Pillow decodes 16-bit colour without loss and then keeps one byte: we say which."""
    with _opened(path, ("PNG",)) as image:
        image.tile = [image.tile[0]._replace(args=layout)]
        return np.asarray(image)


def _read_pypng(path: Path, notes: dict[str, Any]) -> _Pixels:
    """Any 16-bit PNG, ten times slower."""
    import png

    columns, rows, lines, info = png.Reader(filename=str(path)).read()
    array = np.empty((rows, columns * info["planes"]), np.uint16)
    for row, line in zip(array, lines, strict=True):
        row[:] = line
    return _Pixels(array.reshape(rows, columns, info["planes"]), info["alpha"], notes)


def _read_tiff(path: Path) -> _Pixels:
    import tifffile

    with tifffile.TiffFile(path) as file:
        page: Any = file.pages[0]
        if page.imagewidth * page.imagelength > MAX_PIXELS:
            size = f"{page.imagewidth} x {page.imagelength}"
            raise _Refused(f"it claims too many pixels ({size}); cut it into tiles, or convert it to .npy")
        if len(file.pages) > 1 or page.imagedepth > 1:
            raise _Refused(f"it holds {len(file.pages)} pages; extract one of them, or convert the stack to .npy")
        if np.max(page.bitspersample) <= 8 and page.sampleformat == 1:
            return _read_pillow(path)
        if page.photometric.name not in ("MINISBLACK", "MINISWHITE", "RGB"):
            raise _Refused(f"its colours are {page.photometric.name}; convert it to RGB or grey")
        array = _tiff_samples(page)
        notes = {"orientation": _tag(page, _ORIENTATION) or 1, "profile": _tag(page, _PROFILE)}
    colours = 3 if page.photometric.name == "RGB" else 1
    extra = (array.shape[-1] if array.ndim == 3 else 1) - colours
    if extra not in (0, 1):
        raise _Refused(f"it has {extra} channels besides its colours; save it without them, or convert it to .npy")
    return _Pixels(array, extra == 1, {name: value for name, value in notes.items() if value})


def _tiff_samples(page: Any) -> NDArray[Any]:
    try:
        array: NDArray[Any] = page.asarray()
    except ValueError as error:
        if "imagecodecs" in str(error):
            name = page.compression.name
            raise _Refused(f"its compression {name} needs a codec: python -m pip install imagecodecs") from error
        raise
    if page.planarconfig == 2 and array.ndim == 3:
        array = np.moveaxis(array, 0, -1)
    if page.photometric.name == "MINISWHITE" and array.dtype.kind == "u":
        array = np.iinfo(array.dtype).max - array
    return array


def _tag(page: Any, code: int) -> Any:
    tag = page.tags.get(code)
    return None if tag is None else tag.value


def _upright(array: NDArray[Any], orientation: int) -> NDArray[Any]:
    """The stored rows and columns turned and mirrored as EXIF's orientation 1 … 8 says."""
    if orientation >= 5:
        array = array.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    return array[:, ::-1] if orientation in (2, 3, 6, 7) else array


def write_png(path: Path, signal: Signal, quality: int = 95) -> None:
    """Lossless; 8 or 16 bits per sample; colour profile, resolution and EXIF kept (16 bits: the profile)."""
    array = _joined(signal, path, ("uint8", "uint16"))
    with whole(path) as part, open(part, "wb") as file:
        if array.dtype == np.uint16:
            _write_png16(file, array, signal.notes.get("profile"))
        else:
            _save(array, file, "PNG", signal.notes)


def write_jpeg(path: Path, signal: Signal, quality: int = 95) -> None:
    """8 bits, lossy, at `quality` 1 … 100 without colour subsampling; no alpha."""
    if signal.alpha is not None:
        raise unwritable(path, "JPEG holds no transparency; write .png or .tif")
    array = _joined(signal, path, ("uint8",))
    if max(array.shape) > _JPEG_SIDE:
        raise unwritable(path, f"JPEG holds at most {_JPEG_SIDE} pixels a side, not {array.shape}; write .png")
    with whole(path) as part, open(part, "wb") as file:
        _save(array, file, "JPEG", signal.notes, quality=quality, subsampling=0)


def write_tiff(path: Path, signal: Signal, quality: int = 95) -> None:
    """Lossless (deflate); integers of 8 to 32 bits and float32 or float64."""
    import tifffile

    kinds = ("uint8", "uint16", "uint32", "int8", "int16", "int32", "float16", "float32", "float64")
    array = _joined(signal, path, kinds)
    colours = 3 if signal.array.ndim == 3 else 1
    with whole(path) as part, open(part, "wb") as file:
        tifffile.imwrite(
            file,
            array,
            photometric="rgb" if colours == 3 else "minisblack",
            planarconfig="contig" if array.ndim == 3 else None,
            extrasamples=("unassalpha",) if signal.alpha is not None else None,
            compression="zlib",
            iccprofile=signal.notes.get("profile"),
            resolution=signal.notes.get("dpi"),
            metadata=None,
        )


def _joined(signal: Signal, path: Path, kinds: tuple[str, ...]) -> NDArray[Any]:
    """Colours and alpha in one array of a type that the format holds."""
    array, alpha = signal.array, signal.alpha
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[-1] != 3) or array.size == 0:
        raise unwritable(path, f"an image is (rows, columns) or (rows, columns, 3), not {array.shape}; write .npy")
    if array.dtype.name not in kinds:
        raise unwritable(path, f"{path.suffix} holds {', '.join(kinds)}, not {array.dtype}; convert, or write .npy")
    if alpha is None:
        return array
    if alpha.shape != array.shape[:2]:
        raise unwritable(path, f"the image is {array.shape[:2]}, its alpha {alpha.shape}; use mode 'same'")
    return np.concatenate([array.reshape(*array.shape[:2], -1), _alpha_as(alpha, array.dtype)[..., None]], axis=-1)


def _alpha_as(alpha: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Transparency on the scale of another depth; beside floating point it keeps the numbers it had."""
    if alpha.dtype == dtype or dtype.kind != "u" or alpha.dtype.kind != "u":
        return alpha.astype(dtype)
    return saturated(alpha, dtype, np.iinfo(dtype).max / np.iinfo(alpha.dtype).max)[0]


def _save(array: NDArray[Any], file: BinaryIO, kind: str, notes: Any, **options: Any) -> None:
    from PIL import Image

    names = {"profile": "icc_profile", "dpi": "dpi", "exif": "exif"}
    kept = {names[name]: value for name, value in notes.items() if name in names}
    Image.fromarray(array).save(file, kind, **kept, **options)


def _write_png16(file: BinaryIO, array: NDArray[np.uint16], profile: bytes | None) -> None:
    """Through pypng, with the colour profile put in after the header."""
    import zlib

    import png

    rows, columns = array.shape[:2]
    planes = array.shape[2] if array.ndim == 3 else 1
    writer = png.Writer(columns, rows, greyscale=planes < 3, alpha=planes in (2, 4), bitdepth=16, compression=6)
    stored = io.BytesIO()
    writer.write_packed(stored, array.astype(">u2").reshape(rows, -1).view(np.uint8))
    stored.seek(0)
    chunks = list(png.Reader(file=stored).chunks())
    if profile:
        chunks.insert(1, (b"iCCP", b"ICC profile\0\0" + zlib.compress(profile)))
    png.write_chunks(file, chunks)
