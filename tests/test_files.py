"""Reading and writing: what goes in comes out, at its own depth, whole or not at all."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import png
import pytest
import soundfile
import tifffile
from numpy.testing import assert_array_equal
from PIL import Image

from firconv import files
from firconv.files import Signal, images, read, saturated, whole, write
from firconv.files.sound import SoundInfo, sound_blocks, sound_info, sound_writer

RNG = np.random.default_rng(7)


def picture(dtype, colours, rows=37, columns=53):
    shape = (rows, columns, colours) if colours > 1 else (rows, columns)
    if np.dtype(dtype).kind == "f":
        return RNG.standard_normal(shape).astype(dtype)
    info = np.iinfo(dtype)
    return RNG.integers(info.min, info.max, shape, dtype, endpoint=True)


# ── arrays ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
@pytest.mark.parametrize("dtype", ["bool", "int8", "uint64", "float16", "float32", "complex128", ">f8"])
def test_arrays_keep_their_type(tmp_path, suffix, dtype):
    array = RNG.standard_normal((3, 4, 5)).astype(dtype)
    write(tmp_path / f"a{suffix}", array)
    back = read(tmp_path / f"a{suffix}")
    assert_array_equal(back.array, array)
    assert back.array.dtype == array.dtype and back.kind == "array" and back.axes == (0, 1, 2)


def test_npz_chooses_by_name_and_keeps_the_name(tmp_path):
    np.savez(tmp_path / "two.npz", left=np.arange(3), right=np.arange(4))
    with pytest.raises(ValueError, match=r"holds 2 arrays; choose one of \['left', 'right'\] with --key"):
        read(tmp_path / "two.npz")
    with pytest.raises(ValueError, match="no array is called 'middle'"):
        read(tmp_path / "two.npz", key="middle")
    write(tmp_path / "one.npz", read(tmp_path / "two.npz", key="right"))
    assert list(np.load(tmp_path / "one.npz")) == ["right"]


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64"])
@pytest.mark.parametrize("shape", [(5,), (1, 4), (6, 3)])
def test_csv_reads_back_the_same_numbers(tmp_path, dtype, shape):
    array = (1000 * RNG.standard_normal(shape)).astype(dtype)
    write(tmp_path / "a.csv", array)
    assert_array_equal(read(tmp_path / "a.csv").array.astype(dtype), array.reshape(-1) if 1 in shape else array)


@pytest.mark.parametrize(
    "text", ["t;a\n1;2\n3;4\n", "t\ta\n1\t2\n3\t4\n", "t,a\n1.0,2.0\n3.0,4.0\n", "t a\n1 2\n3 4\n"]
)
def test_csv_keeps_delimiter_and_header(tmp_path, text):
    (tmp_path / "in.csv").write_text(text)
    signal = read(tmp_path / "in.csv")
    assert_array_equal(signal.array, [[1, 2], [3, 4]])
    assert signal.axes == (0,)
    write(tmp_path / "out.csv", signal)
    assert (tmp_path / "out.csv").read_text().replace(".0", "") == text.replace(".0", "")


def test_csv_of_one_row_stays_a_row(tmp_path):
    (tmp_path / "in.csv").write_text("1,2,3\n")
    write(tmp_path / "out.csv", read(tmp_path / "in.csv"))
    assert (tmp_path / "out.csv").read_text() == "1.0,2.0,3.0\n"


@pytest.mark.parametrize("text", ["", "a,b\n", "1,2\n3\n", "1,2\nx,y\n", "\x00\x01"])
def test_csv_that_is_no_table_is_refused(tmp_path, text):
    (tmp_path / "in.csv").write_text(text)
    with pytest.raises(ValueError, match="cannot read .*(not a table of numbers|it holds no numbers)"):
        read(tmp_path / "in.csv")


def test_csv_refuses_what_it_cannot_hold(tmp_path):
    for array in (np.zeros((2, 2, 2)), np.zeros(3, complex)):
        with pytest.raises(ValueError, match=r"\.csv holds one or two dimensions of real numbers"):
            write(tmp_path / "a.csv", array)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("keep", [0, 5, 60, 200])
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_truncated_arrays_are_refused(tmp_path, suffix, keep):
    write(tmp_path / f"a{suffix}", np.arange(100.0))
    data = (tmp_path / f"a{suffix}").read_bytes()
    (tmp_path / f"a{suffix}").write_bytes(data[:keep])
    with pytest.raises(ValueError, match="not a whole .np"):
        read(tmp_path / f"a{suffix}")


def test_a_header_that_claims_terabytes_is_refused_at_once(tmp_path):
    with open(tmp_path / "a.npy", "wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": (10**12,)})
        file.write(b"\0" * 64)
    with pytest.raises(ValueError, match="not a whole .npy"):
        read(tmp_path / "a.npy")


def test_objects_and_text_are_refused(tmp_path):
    np.save(tmp_path / "objects.npy", np.array([{}, []], object), allow_pickle=True)
    with pytest.raises(ValueError, match=r"not a whole .npy file \(it holds Python objects; numbers are needed\)"):
        read(tmp_path / "objects.npy")
    (tmp_path / "text.npy").write_text("1 2 3")
    with pytest.raises(ValueError, match=r"not a whole .npy file \(it does not begin as one\)"):
        read(tmp_path / "text.npy")
    (tmp_path / "empty.npy").touch()
    with pytest.raises(ValueError, match=r"not a whole .npy file \(it is empty\)"):
        read(tmp_path / "empty.npy")
    np.savez(tmp_path / "none.npz")
    with pytest.raises(ValueError, match="it holds no arrays"):
        read(tmp_path / "none.npz")
    np.save(tmp_path / "text.npy", np.array(["a", "b"]))
    with pytest.raises(ValueError, match="it holds <U1 data; numbers are needed"):
        read(tmp_path / "text.npy")


# ── images ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("colours", [1, 3])
@pytest.mark.parametrize(
    ("suffix", "dtype"),
    [
        (".png", "uint8"),
        (".png", "uint16"),
        (".tif", "uint8"),
        (".tif", "uint16"),
        (".tiff", "float32"),
        (".tif", "float64"),
        (".tif", "int16"),
    ],
)
def test_images_keep_depth_colour_and_alpha(tmp_path, suffix, dtype, colours, alpha):
    array = picture(dtype, colours)
    plane = picture(dtype, 1) if alpha else None
    write(tmp_path / f"a{suffix}", Signal(array, "image", alpha=plane))
    back = read(tmp_path / f"a{suffix}")
    assert_array_equal(back.array, array)
    assert back.array.dtype == array.dtype and back.kind == "image" and back.axes == (0, 1)
    assert back.white == (np.iinfo(dtype).max if np.dtype(dtype).kind == "u" else None)
    if alpha:
        assert_array_equal(back.alpha, plane)
    else:
        assert back.alpha is None


@pytest.mark.parametrize("colours", [1, 3])
def test_sixteen_bit_png_agrees_with_opencv(tmp_path, colours):
    cv2 = pytest.importorskip("cv2")
    array = picture("uint16", colours)
    cv2.imwrite(str(tmp_path / "a.png"), array[..., ::-1] if colours == 3 else array)
    assert_array_equal(read(tmp_path / "a.png").array, array)
    write(tmp_path / "b.png", Signal(array, "image"))
    back = cv2.imread(str(tmp_path / "b.png"), cv2.IMREAD_UNCHANGED)
    assert_array_equal(back[..., ::-1] if colours == 3 else back, array)


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("colours", [1, 2, 3, 4])
def test_sixteen_bit_png_agrees_with_pypng(tmp_path, colours, interlaced):
    array = picture("uint16", colours)
    writer = png.Writer(53, 37, greyscale=colours < 3, alpha=colours in (2, 4), bitdepth=16, interlace=interlaced)
    with open(tmp_path / "a.png", "wb") as file:
        writer.write(file, array.reshape(37, -1))
    signal = read(tmp_path / "a.png")
    back = signal.array if signal.alpha is None else np.dstack([signal.array, signal.alpha])
    assert_array_equal(back, array)
    assert_array_equal(images._read_pypng(tmp_path / "a.png", {}).array.squeeze(), array)


def test_sixteen_bit_png_with_a_transparent_colour_is_refused(tmp_path):
    with open(tmp_path / "a.png", "wb") as file:
        png.Writer(2, 1, greyscale=False, bitdepth=16, transparent=(1, 2, 3)).write(file, [[1, 2, 3, 4, 5, 6]])
    with pytest.raises(ValueError, match="16-bit PNG with a transparent colour; save it with an alpha channel"):
        read(tmp_path / "a.png")


@pytest.mark.parametrize("colours", [1, 3])
def test_jpeg_is_close(tmp_path, colours):
    smooth = (
        np.linspace(0, 255, 64 * 48 * colours).reshape((64, 48, colours) if colours > 1 else (64, 48)).astype("uint8")
    )
    write(tmp_path / "a.jpg", Signal(smooth, "image"), quality=95)
    assert np.abs(read(tmp_path / "a.jpg").array.astype(int) - smooth).max() <= 6


def test_palette_one_bit_and_transparent_colour_become_plain(tmp_path):
    colour = Image.fromarray(picture("uint8", 3))
    colour.quantize(16).save(tmp_path / "palette.png")
    assert_array_equal(read(tmp_path / "palette.png").array, np.asarray(colour.quantize(16).convert("RGB")))
    bits = Image.fromarray(picture("uint8", 1)).convert("1")
    bits.save(tmp_path / "bits.png")
    assert_array_equal(read(tmp_path / "bits.png").array, 255 * np.asarray(bits).astype("uint8"))
    Image.fromarray(np.array([[5, 9]], "uint8")).save(tmp_path / "key.png", transparency=9)
    assert_array_equal(read(tmp_path / "key.png").alpha, [[255, 0]])


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["a.png", "a.tif", "deep.tif"])
def test_orientation_is_applied_and_then_gone(tmp_path, orientation, name):
    array = picture("uint16" if name == "deep.tif" else "uint8", 3)
    if name == "deep.tif":
        tifffile.imwrite(tmp_path / name, array, photometric="rgb", extratags=[(274, "H", 1, orientation, True)])
    else:
        exif = Image.Exif()
        exif[274] = orientation
        Image.fromarray(array).save(tmp_path / name, exif=exif)
    turns = {
        1: array,
        2: array[:, ::-1],
        3: array[::-1, ::-1],
        4: array[::-1],
        5: array.swapaxes(0, 1),
        6: np.rot90(array, -1),
        7: np.rot90(array, 2).swapaxes(0, 1),
        8: np.rot90(array),
    }
    upright = read(tmp_path / name)
    assert_array_equal(upright.array, turns[orientation])
    write(tmp_path / "again.png", upright)
    assert_array_equal(read(tmp_path / "again.png").array, turns[orientation])


@pytest.mark.parametrize(
    ("name", "dtype"), [("a.png", "uint8"), ("b.png", "uint16"), ("c.tif", "uint16"), ("d.jpg", "uint8")]
)
def test_colour_profile_is_kept(tmp_path, name, dtype):
    profile = bytes(range(256)) * 2
    write(tmp_path / name, Signal(picture(dtype, 3), "image", notes={"profile": profile}))
    assert read(tmp_path / name).notes["profile"] == profile
    if name.endswith("png"):
        assert Image.open(tmp_path / name).info["icc_profile"] == profile


def test_exif_and_resolution_are_kept(tmp_path):
    exif = Image.Exif()
    exif[271], exif[274] = "Maker", 6
    Image.fromarray(picture("uint8", 3)).save(tmp_path / "a.jpg", exif=exif, dpi=(300, 300))
    write(tmp_path / "b.jpg", read(tmp_path / "a.jpg"))
    back = Image.open(tmp_path / "b.jpg")
    assert dict(back.getexif()) == {271: "Maker"} and back.info["dpi"] == (300, 300)


def test_white_is_zero_tiff_is_inverted(tmp_path):
    array = picture("uint16", 1)
    tifffile.imwrite(tmp_path / "a.tif", 65535 - array, photometric="miniswhite")
    assert_array_equal(read(tmp_path / "a.tif").array, array)


def test_planes_apart_in_tiff(tmp_path):
    array = picture("uint16", 3)
    tifffile.imwrite(tmp_path / "a.tif", np.moveaxis(array, -1, 0), photometric="rgb", planarconfig="separate")
    assert_array_equal(read(tmp_path / "a.tif").array, array)


def test_alpha_goes_into_arrays_as_the_last_colour(tmp_path):
    for colours in (1, 3):
        array, alpha = picture("uint8", colours), picture("uint8", 1)
        write(tmp_path / "a.npy", Signal(array, "image", alpha=alpha))
        assert_array_equal(read(tmp_path / "a.npy").array, np.dstack([array, alpha]))


def test_alpha_follows_the_depth(tmp_path):
    write(tmp_path / "a.png", Signal(picture("uint16", 3), "image", alpha=np.full((37, 53), 255, "uint8")))
    assert (read(tmp_path / "a.png").alpha == 65_535).all()


def test_deep_tiff_of_other_colours_is_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", picture("uint16", 4), photometric="separated")
    with pytest.raises(ValueError, match="its colours are SEPARATED; convert it to RGB or grey"):
        read(tmp_path / "a.tif")
    tifffile.imwrite(tmp_path / "a.tif", picture("uint16", 5), photometric="rgb")
    with pytest.raises(ValueError, match="it has 2 channels besides its colours"):
        read(tmp_path / "a.tif")
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((3, 9, 9), "uint16"), photometric="minisblack")
    with pytest.raises(ValueError, match="it holds 3 pages; extract one of them"):
        read(tmp_path / "a.tif")


def test_deep_tiff_that_claims_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "MAX_PIXELS", 100)
    tifffile.imwrite(tmp_path / "a.tif", picture("uint16", 1))
    with pytest.raises(ValueError, match=r"it claims too many pixels \(53 x 37\)"):
        read(tmp_path / "a.tif")


def bomb(columns=100_000, rows=100_000, depth=8):
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", columns, rows, depth, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    )


def saved(kind, image, **options):
    data = io.BytesIO()
    image.save(data, kind, **options)
    return data.getvalue()


REFUSED = {
    "bomb.png": (lambda: bomb(), "claims too many pixels"),
    "deep-bomb.png": (lambda: bomb(depth=16), "claims too many pixels"),
    "large.png": (lambda: bomb(14_000, 14_000), "claims too many pixels"),
    "cut.png": (lambda: saved("PNG", Image.fromarray(picture("uint8", 3)))[:900], "damaged, truncated"),
    "cut16.png": (lambda: bomb(50, 50, 16), "damaged, truncated"),
    "cut.jpg": (lambda: saved("JPEG", Image.fromarray(picture("uint8", 3)))[:1500], "damaged, truncated"),
    "cut.tif": (lambda: saved("TIFF", Image.fromarray(picture("uint8", 3)))[:1500], "damaged, truncated"),
    "empty.png": (lambda: b"", "damaged, truncated, or not an image"),
    "text.jpg": (lambda: b"not an image at all", "damaged, truncated, or not an image"),
    "cmyk.jpg": (
        lambda: saved("JPEG", Image.fromarray(picture("uint8", 4), "CMYK")),
        "its colours are CMYK; convert it",
    ),
    "pages.tif": (
        lambda: saved("TIFF", Image.new("L", (9, 9)), save_all=True, append_images=[Image.new("L", (9, 9))]),
        "holds 2 pages; extract one",
    ),
    "animated.png": (
        lambda: saved("PNG", Image.new("L", (9, 9)), save_all=True, append_images=[Image.new("L", (9, 9), 5)]),
        "holds 2 images; extract one",
    ),
    "lzw.tif": (
        lambda: saved("TIFF", Image.fromarray(picture("uint16", 1)), compression="tiff_lzw"),
        "compression LZW needs a codec: python -m pip install imagecodecs",
    ),
}


@pytest.mark.filterwarnings("ignore:'mode' parameter:DeprecationWarning")
@pytest.mark.parametrize("name", REFUSED)
def test_images_that_cannot_be_kept_are_refused(tmp_path, name):
    if name == "lzw.tif":
        try:
            import imagecodecs  # noqa: F401
        except ImportError:
            pass
        else:
            pytest.skip("imagecodecs reads it")
    make, match = REFUSED[name]
    (tmp_path / name).write_bytes(make())
    with pytest.raises(ValueError, match=f"cannot read .*{name}.*{match}"):
        read(tmp_path / name)


@pytest.mark.parametrize("stored", ["none", "zlib"])
def test_truncated_deep_tiff_is_refused(tmp_path, stored):
    tifffile.imwrite(
        tmp_path / "a.tif", picture("uint16", 3), photometric="rgb", compression=None if stored == "none" else stored
    )
    data = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(ValueError, match="damaged, truncated"):
        read(tmp_path / "a.tif")


def test_images_refuse_what_the_format_cannot_hold(tmp_path):
    cases = [
        ("a.png", Signal(picture("float32", 3)), r"\.png holds uint8, uint16, not float32"),
        ("a.jpg", Signal(picture("uint16", 3)), r"\.jpg holds uint8, not uint16"),
        ("a.jpg", Signal(picture("uint8", 3), alpha=picture("uint8", 1)), "JPEG holds no transparency"),
        ("a.jpg", Signal(np.zeros((1, 65_600), "uint8")), "JPEG holds at most 65500 pixels a side"),
        ("a.png", Signal(picture("uint8", 5)), r"an image is \(rows, columns\)"),
        ("a.tif", Signal(picture("uint8", 3), alpha=np.zeros((2, 2), "uint8")), "its alpha"),
    ]
    for name, signal, match in cases:
        with pytest.raises(ValueError, match=match):
            write(tmp_path / name, signal)
    assert not list(tmp_path.iterdir())


# ── sound ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


SOUNDS = [
    (".wav", "PCM_U8"),
    (".wav", "PCM_16"),
    (".wav", "PCM_24"),
    (".wav", "PCM_32"),
    (".wav", "FLOAT"),
    (".wav", "DOUBLE"),
    (".flac", "PCM_16"),
    (".flac", "PCM_24"),
    (".aiff", "PCM_16"),
    (".w64", "PCM_24"),
    (".rf64", "FLOAT"),
]


@pytest.mark.parametrize("channels", [1, 2, 5])
@pytest.mark.parametrize(("suffix", "subtype"), SOUNDS)
def test_sound_keeps_every_bit(tmp_path, suffix, subtype, channels):
    path, again = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    stored = RNG.integers(-(2**31), 2**31, (300, channels)).astype("int32")
    exact = subtype not in ("FLOAT", "DOUBLE")
    soundfile.write(path, stored if exact else stored / 2**31, 11_025, subtype)
    signal = read(path)
    assert (signal.rate, signal.subtype, signal.axes) == (11_025, subtype, (0,))
    write(again, signal)
    kind = "int32" if exact else "float64"
    assert_array_equal(soundfile.read(again, dtype=kind)[0], soundfile.read(path, dtype=kind)[0])
    assert soundfile.info(again).subtype == subtype


def test_ogg_is_close_and_keeps_its_coding(tmp_path):
    x = 0.5 * np.sin(np.arange(20_000) / 20)
    soundfile.write(tmp_path / "a.ogg", x, 44_100)
    write(tmp_path / "b.ogg", read(tmp_path / "a.ogg"))
    assert soundfile.info(tmp_path / "b.ogg").subtype == "VORBIS"
    assert np.abs(read(tmp_path / "b.ogg").array - x).max() < 0.05


def test_integers_round_and_saturate(tmp_path):
    x = np.array([2.0, -2.0, 0.5 / 32768, 1.5 / 32768, -2.6 / 32768, 0.99999999])
    write(tmp_path / "a.wav", Signal(x, "sound", rate=8000, subtype="PCM_16"))
    assert_array_equal(soundfile.read(tmp_path / "a.wav", dtype="int16")[0], [32767, -32768, 0, 2, -3, 32767])


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_32"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_full_scale_never_wraps(tmp_path, dtype, subtype):
    x = np.array([1.0, 0.9999999999, -1.0, 1e30, -np.inf], dtype)
    write(tmp_path / "a.wav", Signal(x, "sound", rate=8000, subtype=subtype))
    back = soundfile.read(tmp_path / "a.wav", dtype="float64")[0]
    assert_array_equal(np.sign(back), [1, 1, -1, 1, -1])
    assert np.abs(np.abs(back) - 1).max() < 1e-4


def test_integer_sound_holds_no_nan(tmp_path):
    with pytest.raises(ValueError, match="sound coded as PCM_16 holds no NaN: replace the NaN samples, or write FLOAT"):
        write(tmp_path / "a.wav", Signal(np.array([0, np.nan]), "sound", rate=8000, subtype="PCM_16"))
    assert not list(tmp_path.iterdir())


def test_sound_that_ends_early_is_refused(tmp_path, monkeypatch):
    soundfile.write(tmp_path / "a.wav", np.zeros(100), 8000)
    monkeypatch.setattr(soundfile.SoundFile, "frames", 120)
    with pytest.raises(ValueError, match="truncated, 20 of 120 frames are missing"):
        read(tmp_path / "a.wav")


def test_a_rate_makes_an_array_sound(tmp_path):
    write(tmp_path / "a.wav", np.linspace(-1, 1, 9, dtype="float32"), rate=8000)
    assert (read(tmp_path / "a.wav").rate, read(tmp_path / "a.wav").subtype) == (8000, "FLOAT")


def test_blocks_are_the_whole_and_titles_are_kept(tmp_path):
    x = RNG.uniform(-1, 1, (1000, 2)).astype("float32")
    with sound_writer(tmp_path / "a.wav", SoundInfo(1000, 2, 8000, "FLOAT", "float32", {"title": "Noise"})) as put:
        put(x[:1])
        put(x[1:])
    info = sound_info(tmp_path / "a.wav")
    assert (info.frames, info.channels, info.rate, info.notes["title"]) == (1000, 2, 8000, "Noise")
    assert_array_equal(np.concatenate(list(sound_blocks(tmp_path / "a.wav", 77))), x)


@pytest.mark.parametrize(("suffix", "subtype"), [*SOUNDS, (".ogg", "VORBIS")])
def test_truncated_sound_is_refused(tmp_path, suffix, subtype):
    path = tmp_path / f"a{suffix}"
    soundfile.write(path, RNG.uniform(-1, 1, 20_000), 8000, subtype)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with pytest.raises(ValueError, match="cannot read .*(truncated|damaged)"):
        read(path)


@pytest.mark.parametrize("data", [b"", b"RIFF", b"not a sound at all, not at all"])
def test_what_is_no_sound_is_refused(tmp_path, data):
    (tmp_path / "a.wav").write_bytes(data)
    with pytest.raises(ValueError, match="damaged, or not a sound file"):
        read(tmp_path / "a.wav")


def test_sound_without_samples_is_refused(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(0), 8000)
    with pytest.raises(ValueError, match="it holds no samples"):
        read(tmp_path / "a.wav")


def test_sound_of_unknown_length_is_read(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(100), 8000)
    data = bytearray((tmp_path / "a.wav").read_bytes())
    data[4:8] = data[40:44] = b"\xff\xff\xff\xff"  # as programs write that pipe their output
    (tmp_path / "a.wav").write_bytes(data)
    assert read(tmp_path / "a.wav").array.shape == (100,)


def test_sound_refuses_what_it_cannot_hold(tmp_path):
    cases = [
        (Signal(np.zeros(9)), "sound needs a sample rate; give --rate HZ"),
        (Signal(np.zeros((2, 2, 2)), rate=8000), r"sound is \(frames,\) or \(frames, channels\)"),
        (Signal(np.zeros(9, int), rate=8000), "in floating point, not int64"),
        (Signal(np.zeros(9), rate=8000.5), "whole sample rates, not 8000.5"),
        (Signal(np.zeros((9, 2000)), rate=8000), "2000 channels at 8000 Hz as WAV DOUBLE"),
    ]
    for signal, match in cases:
        with pytest.raises(ValueError, match=match):
            write(tmp_path / "a.wav", signal)
    huge = SoundInfo(2**31, 2, 48_000, "PCM_16", "float32")
    with pytest.raises(ValueError, match="WAV holds at most 4 GiB; write .w64"), sound_writer(tmp_path / "a.wav", huge):
        pass
    assert not list(tmp_path.iterdir())


# ── any format ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_unknown_formats_are_named(tmp_path):
    for name in ("a.xyz", "noending"):
        with pytest.raises(ValueError, match="unknown format .*: use one of .wav"):
            read(tmp_path / name)
        with pytest.raises(ValueError, match="unknown format"):
            write(tmp_path / name, np.zeros(3))
    assert files.kind_of("A.FLAC") == "sound"


@pytest.mark.parametrize("suffix", files.KINDS)
def test_missing_files_and_folders_are_os_errors(tmp_path, suffix):
    with pytest.raises(FileNotFoundError, match="No such file"):
        read(tmp_path / f"a{suffix}")
    (tmp_path / f"folder{suffix}").mkdir()
    with pytest.raises(IsADirectoryError):
        read(tmp_path / f"folder{suffix}")


def test_targets_that_cannot_be_written_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="cannot write .*the folder .* does not exist; make it first"):
        write(tmp_path / "no" / "a.npy", np.zeros(3))
    (tmp_path / "folder.npy").mkdir()
    with pytest.raises(IsADirectoryError, match="it is a folder; name a file in it"):
        write(tmp_path / "folder.npy", np.zeros(3))
    os.mkfifo(tmp_path / "pipe.npy")
    with pytest.raises(ValueError, match="it is not a regular file"):
        write(tmp_path / "pipe.npy", np.zeros(3))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_permissions_are_respected(tmp_path):
    (tmp_path / "a.npy").touch(0o444)
    with pytest.raises(PermissionError, match="write-protected"):
        write(tmp_path / "a.npy", np.zeros(3))
    tmp_path.chmod(0o555)
    with pytest.raises(PermissionError, match="no permission in"):
        write(tmp_path / "b.npy", np.zeros(3))


def test_permissions_are_respected_whoever_asks(tmp_path, monkeypatch):
    (tmp_path / "a.npy").touch()
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path / "a.npy")
    with pytest.raises(PermissionError, match="the file is write-protected; choose another name"):
        write(tmp_path / "a.npy", np.zeros(3))
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
    with pytest.raises(PermissionError, match="no permission in .*; choose another folder"):
        write(tmp_path / "b.npy", np.zeros(3))


def test_a_folder_that_takes_no_files_is_named(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(OSError, match="cannot write .*Read-only file system; choose another folder"):
        write(tmp_path / "b.npy", np.zeros(3))


@pytest.mark.parametrize("stop", [ValueError, KeyboardInterrupt, SystemExit])
def test_whatever_stops_a_writer_leaves_the_old_file(tmp_path, stop):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(stop), whole(target) as part:
        part.write_text("half of the n")
        raise stop
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"] and target.read_text() == "old"


def test_a_replaced_file_keeps_mode_and_link(tmp_path):
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "real.txt").chmod(0o640)
    (tmp_path / "link.txt").symlink_to("real.txt")
    with whole(tmp_path / "link.txt") as part:
        part.write_text("new")
    assert (tmp_path / "link.txt").is_symlink() and (tmp_path / "real.txt").read_text() == "new"
    assert (tmp_path / "real.txt").stat().st_mode & 0o777 == 0o640
    umask = os.umask(0)
    os.umask(umask)
    with whole(tmp_path / "fresh.txt"):
        pass
    assert (tmp_path / "fresh.txt").stat().st_mode & 0o777 == 0o666 & ~umask


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int32", "int64", "uint64"])
def test_saturated_rounds_half_to_even_and_keeps_the_range(dtype):
    info = np.iinfo(dtype)
    values = np.array([0.5, 1.5, 2.5, float(info.max) * 4, -1e30, np.inf, -np.inf])
    array, lost = saturated(values, dtype)
    assert_array_equal(array, np.array([0, 2, 2, info.max, info.min, info.max, info.min], dtype))
    assert lost == 4
    assert_array_equal(
        saturated(np.array([-(2**62), 5, 2**62]), dtype)[0],
        np.clip([-(2**62), 5, 2**62], info.min, info.max).astype(dtype),
    )


def test_saturated_refuses_what_has_no_integer():
    with pytest.raises(ValueError, match="NaN has no integer value"):
        saturated([1.0, np.nan], "uint8")
    with pytest.raises(ValueError, match="complex samples have no order"):
        saturated([1j], "uint8")
