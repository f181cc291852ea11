"""The rows of the table: sizes, dtypes, and the ratios wanted."""

from __future__ import annotations

from functools import partial

from benchmarks import images, layers, lines, responses
from benchmarks.bench import Case

TAPS = (9, 33, 65, 129, 257, 1025, 4097, 16385)
SHORT = {"float32": "f32", "float64": "f64"}
WIDTHS = (3, 5, 7, 11, 15, 31, 63)
SIGMAS = (1, 2, 3, 5, 10)
MEANS = {"dense": 1.5, "gaussian": 1.2, **layers.MEANS}  # wanted geometric means over a group


def all_cases(tiny: bool = False) -> list[Case]:
    """Every row; `tiny` keeps what is computed and shrinks the sizes, for tests."""
    return [*_line_cases(tiny), *_rate_cases(tiny), *_image_cases(tiny), *_other_cases(tiny),
            *responses.cases(tiny), *layers.cases(tiny)]  # fmt: skip


def _line_cases(tiny: bool) -> list[Case]:
    n = 40_001 if tiny else 4_000_000
    rows = [
        Case(f"line/{taps}/{dtype}", f"4 M, {taps:,} taps, {SHORT[dtype]}", "line",
             partial(lines.line, n, taps, dtype), 2.0 if taps == 9 else 3.0, 1.0,
             ("np.convolve",) if taps == 9 else ("oaconvolve",))
        for taps in (TAPS[:5] if tiny else TAPS) for dtype in ("float32", "float64")
    ]  # fmt: skip
    long = 3000 if tiny else 1_000_000
    return rows + [
        Case(f"long/{dtype}", f"1 M, 1 M taps, {SHORT[dtype]}", "long", partial(lines.line, long, long, dtype), 2.0,
             usual=("fftconvolve",))
        for dtype in ("float32", "float64")
    ]  # fmt: skip


def _rate_cases(tiny: bool) -> list[Case]:
    rows, n, shrink = (4, 1500, 400) if tiny else (64, 65_536, 1)
    cases = [Case("channels/float32", "64 × 65,536, 65 taps, f32", "channels",
                  partial(lines.channels, rows, n, 65, "float32"), 3.0, 1.0,
                  ("oaconvolve", "ndimage.convolve1d"))]  # fmt: skip
    for dtype in ("float32", "float64"):
        down = partial(lines.rates, 4_000_000 // shrink, 161, 1, 8, dtype)
        ratio = partial(lines.rates, 1_000_000 // shrink, 3201, 147, 160, dtype)
        cases += [
            Case(f"decimate/{dtype}", f"4 M × 1/8, 161 taps, {SHORT[dtype]}", "rates", down, 2.0, 1.0,
                 ("upfirdn",)),
            Case(f"resample/{dtype}", f"1 M × 147/160, 3,201, {SHORT[dtype]}", "rates", ratio, 2.0, 1.0,
                 ("upfirdn",)),
        ]  # fmt: skip
    return cases


def _image_cases(tiny: bool) -> list[Case]:
    size, cases = (150 if tiny else 2048), []
    for dtype in ("float32", "float64"):
        for width in WIDTHS:
            build = partial(images.dense, size, width, dtype)
            cases.append(Case(f"dense/{width}/{dtype}", f"2048², dense {width}², {SHORT[dtype]}", "dense", build, 1.2,
                              usual=("cv2.filter2D",)))  # fmt: skip
        for sigma in SIGMAS:
            build = partial(images.gaussian, size, sigma, dtype)
            cases.append(Case(f"gaussian/{sigma}/{dtype}", f"2048², Gaussian σ {sigma}, {SHORT[dtype]}",
                              "gaussian", build, 1.0, usual=("cv2.GaussianBlur",)))  # fmt: skip
        for width in (3, 5, 7, 11, 15):
            build = partial(images.dense_valid, size, width, dtype)
            cases.append(Case(f"valid/{width}/{dtype}", f"2048², {width}², no edges, {SHORT[dtype]}",
                              "valid", build, None, 1.0, ("cv2.filter2D",)))  # fmt: skip
    return cases


def _other_cases(tiny: bool) -> list[Case]:
    size = 20 if tiny else 160
    volume, named = partial(images.volume, size, 5, "float32"), ("ndimage.convolve",)
    return [
        Case("volume/ndimage", "160³, 5³, f32 (ndimage)", "volume", partial(volume, named), 10.0, usual=named),
        Case("volume/all", "160³, 5³, f32", "volume", volume, None, usual=named),
        Case("small/scipy", "64, 9 taps, f64", "small",
             partial(lines.small, 64, 9, "float64", "signal.convolve"), 2.0, usual=("signal.convolve",)),
        Case("small/numpy", "64, 9 taps, f64", "small",
             partial(lines.small, 64, 9, "float64", "np.convolve"), 1 / 3, usual=("np.convolve",)),
    ]  # fmt: skip
