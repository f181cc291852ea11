"""One table of named problems, and the only tolerances, for tests and benchmarks.

A problem is small enough for the oracle's loops; `large` holds the sizes of the benchmarks. Its operands follow from
its name, so that a failure is reproduced by naming it:

    from problems import PROBLEMS
    p = PROBLEMS["odd taps, reflect"]
    firconv.convolve(p.signal(), p.taps(), **p.keywords)
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass, field

import numpy as np

METHODS = ("reference", "direct", "separable", "fft", "overlap_save", "auto")
LINE_METHODS = ("reference", "direct", "fft", "overlap_save", "auto")  # one axis has nothing to separate
EXACT_METHODS = ("reference", "direct", "auto")  # those that take long doubles and taps that are not finite
OPS = ("convolve", "correlate")
BOUNDARIES = ("zero", ("constant", 1.5), "edge", "symmetric", "reflect", "wrap", "antisymmetric", "antireflect", "omit")
FLOATS = ("float16", "float32", "float64", "longdouble", "complex64", "complex128")
INTEGERS = ("bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")


@dataclass(frozen=True)
class Named:
    """A named problem: shapes, dtypes and keywords; the operands are drawn from a generator seeded by the name."""

    name: str
    shape: tuple[int, ...]
    taps_shape: tuple[int, ...]
    dtype: str = "float64"
    taps_dtype: str = ""
    separable: bool = False
    keywords: dict = field(default_factory=dict)

    def signal(self):
        return draw(self.shape, self.dtype, self._generator(b"signal"))

    def taps(self):
        generator, dtype = self._generator(b"taps"), self.taps_dtype or self.dtype
        if not self.separable:
            return offset(draw(self.taps_shape, dtype, generator))
        vectors = [draw((k,), dtype, generator) for k in self.taps_shape]
        if vectors[0].dtype.kind in "iu":
            vectors = [v // 10 for v in vectors]  # their products still fit the smallest type
        product = vectors[0]
        for v in vectors[1:]:
            product = np.multiply.outer(product, v)
        return product

    @property
    def products(self):
        """How many products the defining sum has, roughly."""
        steps = self.keywords.get("up", 1)
        return math.prod(self.shape) * math.prod(self.taps_shape) * int(np.prod(steps))

    def _generator(self, salt):
        return np.random.default_rng(zlib.crc32(self.name.encode() + salt))

    def __str__(self):
        return self.name


def draw(shape, dtype, generator):
    """Normal numbers, or small integers, of any dtype."""
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return generator.integers(0, 2, shape).astype(bool)
    if dtype.kind in "iu":
        low = 0 if dtype.kind == "u" else -100
        return generator.integers(low, 100, shape).astype(dtype)
    values = generator.standard_normal(shape)
    if dtype.kind == "c":
        values = values + 1j * generator.standard_normal(shape)
    return values.astype(dtype)


def offset(taps):
    """The same taps with a sum that is clearly not zero, as omit needs it."""
    return taps + taps.dtype.type(1) if taps.dtype.kind in "fc" else taps


def _one_dimension():
    for n, k in [(1, 1), (1, 5), (2, 2), (5, 1), (17, 3), (16, 4), (64, 9), (100, 32), (100, 33), (3, 17), (257, 65)]:
        for mode in ("full", "same"):
            yield Named(f"{n} samples, {k} taps, {mode}", (n,), (k,), keywords={"mode": mode})
    for n, k in [(17, 3), (16, 4), (64, 64), (3, 8), (300, 129)]:
        yield Named(f"{n} samples, {k} taps, valid", (n,), (k,), keywords={"mode": "valid"})
    yield Named("long signal, short taps", (5000,), (7,), keywords={"mode": "same"})
    yield Named("long signal, many taps", (3000,), (400,))
    yield Named("many more taps than samples", (20,), (700,), keywords={"mode": "same"})
    for window in [(-4, 9), (30, 60), (-50, -20), (5, 6)]:
        yield Named(f"window {window}", (24,), (5,), keywords={"mode": window})
    for origin in [-7, 0, 3, 11, "numpy", "scipy", "scipy2d", "ndimage", "opencv", "torch", "matlab", "causal"]:
        for k in (4, 5):
            yield Named(f"origin {origin}, {k} taps", (19,), (k,), keywords={"mode": "same", "origin": origin})


def _boundaries():
    for rule in BOUNDARIES:
        for n, k in [(12, 5), (12, 4), (4, 15), (1, 6), (2, 9)]:
            for mode in ("same", "full"):
                yield Named(f"{rule}, {n} samples, {k} taps, {mode}", (n,), (k,),
                            keywords={"mode": mode, "boundary": rule})
        if rule != "omit":  # which refuses outputs that meet no sample
            yield Named(f"{rule}, window far outside", (6,), (4,), keywords={"mode": (-20, 30), "boundary": rule})
        yield Named(f"{rule}, image", (7, 9), (3, 4), keywords={"mode": "same", "boundary": rule})
        yield Named(f"{rule}, image, rank one", (8, 6), (3, 5), separable=True,
                    keywords={"mode": "same", "boundary": rule})
        yield Named(f"{rule}, image smaller than the taps", (3, 2), (7, 6), keywords={"mode": "same", "boundary": rule})
    yield Named("two ends", (9,), (7,), keywords={"mode": "same", "boundary": ("reflect", ("constant", -2.0))})
    yield Named("wrap and antireflect", (3,), (8,), keywords={"mode": "full", "boundary": ("wrap", "antireflect")})
    yield Named("omit at one end", (9,), (6,), keywords={"mode": "same", "boundary": ("omit", "edge")})
    yield Named("a rule per axis", (6, 7), (5, 4),
                keywords={"mode": "same", "boundary": ["reflect", ("zero", "wrap")]})
    yield Named("rules and ends, 3-D", (5, 6, 4), (3, 2, 5), keywords={
        "mode": "full", "boundary": [("edge", "symmetric"), "antisymmetric", ("constant", 0.5)]})
    yield Named("omit, stuffed", (9,), (7,), keywords={"mode": "same", "boundary": "omit", "up": 2, "down": 3})
    yield Named("omit, integers", (9,), (4,), dtype="int16", taps_dtype="uint8",
                keywords={"mode": "same", "boundary": "omit"})
    yield Named("omit on one axis only", (6, 7), (3, 4), keywords={"mode": "same", "boundary": ["omit", "reflect"]})
    yield Named("zero on one axis only", (6, 7), (3, 4), keywords={"mode": "same", "boundary": ["zero", "wrap"]})
    yield Named("long taps, reflect", (150,), (401,), keywords={"mode": "same", "boundary": "reflect"})


def _steps():
    for up, down, dilation in [(2, 1, 1), (1, 2, 1), (1, 1, 3), (3, 2, 1), (2, 3, 2), (5, 7, 1), (4, 4, 3), (1, 8, 2)]:
        for mode in ("full", "same", "valid", (-5, 40)):
            yield Named(f"up {up}, down {down}, dilation {dilation}, {mode}", (23,), (6,),
                        keywords={"mode": mode, "up": up, "down": down, "dilation": dilation})
        yield Named(f"up {up}, down {down}, dilation {dilation}, reflect", (9,), (7,), keywords={
            "mode": "same", "up": up, "down": down, "dilation": dilation, "boundary": "reflect", "origin": 1})
    yield Named("decimate by 8", (1000,), (161,), keywords={"mode": "same", "down": 8})
    yield Named("resample 147/160", (500,), (300,), keywords={"up": 147, "down": 160})
    yield Named("steps per axis", (11, 12), (3, 4), keywords={"up": (2, 1), "down": (3, 2), "dilation": (1, 3)})
    yield Named("steps per axis, valid, wrap", (11, 12), (3, 4), keywords={
        "mode": ["valid", "same"], "boundary": "wrap", "up": [1, 2], "down": [2, 3], "dilation": [2, 1]})
    yield Named("down beyond the signal", (5,), (3,), keywords={"down": 50})
    yield Named("up beyond the taps", (5,), (3,), keywords={"up": 7})


def _dimensions():
    for mode in ("full", "same", "valid"):
        yield Named(f"image, {mode}", (13, 17), (4, 3), keywords={"mode": mode})
        yield Named(f"image, rank one, {mode}", (13, 17), (4, 3), separable=True, keywords={"mode": mode})
        yield Named(f"volume, {mode}", (6, 5, 7), (2, 3, 4), keywords={"mode": mode})
        yield Named(f"one filter for all rows, {mode}", (3, 40), (5,), keywords={"mode": mode, "axes": -1})
        yield Named(f"one filter for all columns, {mode}", (40, 3), (5,), keywords={"mode": mode, "axes": 0})
        yield Named(f"a filter per channel, {mode}", (3, 40), (3, 6), keywords={"mode": mode, "axes": 1})
        yield Named(f"a bank on one signal, {mode}", (1, 40), (4, 6), keywords={"mode": mode, "axes": 1})
    yield Named("four dimensions", (3, 4, 2, 5), (2, 2, 2, 3))
    yield Named("five dimensions, two filtered", (2, 5, 3, 6, 2), (3, 2), keywords={"axes": (3, 1), "mode": "same"})
    yield Named("a bank in the middle", (4, 1, 9), (4, 3, 5), keywords={"axes": 2, "mode": "same"})
    yield Named("image in a batch, boundary per axis", (2, 8, 9, 3), (3, 4), keywords={
        "axes": (1, 2), "mode": "same", "boundary": ["wrap", "reflect"]})
    yield Named("axes exchanged", (6, 7), (3, 2), keywords={
        "axes": (1, 0), "mode": "same", "boundary": ["wrap", "edge"]})
    yield Named("no dimensions", (), ())
    yield Named("1x1 image taps", (6, 6), (1, 1))
    yield Named("row taps", (6, 9), (1, 5), keywords={"mode": "same"})
    yield Named("column taps", (6, 9), (5, 1), keywords={"mode": "same"})
    yield Named("11x11 image", (40, 37), (11, 11), keywords={"mode": "same", "boundary": "reflect"})
    yield Named("volume, rank one", (9, 8, 7), (3, 4, 5), separable=True, keywords={"mode": "same"})


def _dtypes():
    for dtype in FLOATS + INTEGERS:
        yield Named(f"{dtype}", (50,), (7,), dtype=dtype)
        yield Named(f"{dtype}, image, edge", (9, 8), (3, 4), dtype=dtype, keywords={"mode": "same", "boundary": "edge"})
        yield Named(f"{dtype}, stepped", (30,), (5,), dtype=dtype, keywords={"up": 2, "down": 3})
        yield Named(f"{dtype}, many taps", (600,), (100,), dtype=dtype, keywords={"mode": "same"})
    for a, b in [("float32", "complex64"), ("complex64", "float32"), ("float64", "complex64"), ("float32", "float64"),
                 ("uint8", "float32"), ("int64", "float32"), ("uint8", "int16"), ("uint64", "uint8"),
                 ("uint64", "int8"), ("bool", "float16"), ("int16", "complex64"), ("complex128", "float32"),
                 ("float16", "float32"), ("longdouble", "complex128"), ("bool", "uint64"), ("int32", "float64")]:
        yield Named(f"{a} signal, {b} taps", (40,), (9,), dtype=a, taps_dtype=b, keywords={"mode": "same"})
    for dtype in ("float32", "complex64", "int32", "uint8"):
        yield Named(f"{dtype}, rank one image", (20, 21), (5, 3), dtype=dtype, separable=True,
                    keywords={"mode": "same"})


def _once_failed():
    """Problems that some version of the library, or of another one, got wrong. Nothing is ever removed from here."""
    yield Named("scipy ndimage reads zeros here", (2,), (47,),
                keywords={"mode": "same", "boundary": "symmetric", "origin": "ndimage"})
    yield Named("complex signal, real taps, stepped image", (9, 8), (3, 2), dtype="complex64", taps_dtype="float32",
                keywords={"down": (2, 1), "up": (1, 3), "boundary": "antireflect", "mode": "same"})


SECTIONS = {
    "one dimension": _one_dimension, "boundaries": _boundaries, "steps": _steps, "dimensions": _dimensions,
    "dtypes": _dtypes, "once failed": _once_failed,
}
PROBLEMS = {p.name: p for section in SECTIONS.values() for p in section()}


# ---- tolerances ----------------------------------------------------------------------------------------------------


def unit_roundoff(dtype):
    """u of the arithmetic: half the spacing at one; float16 is computed in float32 and rounded once."""
    dtype = np.dtype(dtype)
    if dtype.kind in "biu":
        return 0.0
    return float(np.finfo(np.float32 if dtype == np.float16 else dtype).eps) / 2


def tolerance(dtype, length, method):
    """The factor of the error bound of a method: zero for integers.

    direct, reference, separable: gamma of `length` terms, to be multiplied by the output's sum of |h| |x|. Complex
    products cost two roundings more, and sqrt 2. fft, overlap_save: 13 log2(length) u, to be multiplied by
    the norms of signal and taps. auto: its promise per output, 1e-10 or 1e-4, times the norm of the taps and
    that of the signal on the output's footprint.
    """
    u = unit_roundoff(dtype)
    if method in ("fft", "overlap_save"):
        return 13 * u * math.log2(max(length, 2))
    if method == "auto":
        return 0.0 if u == 0 else 1e-4 if u > 1e-10 else 1e-10 if u > 1e-18 else gamma(length, u)
    return gamma(length + 2, u) * (math.sqrt(2) if np.dtype(dtype).kind == "c" else 1)


def gamma(length, u):
    """Higham's gamma: relative error bound of a sum of `length` products."""
    return (length + 2) * u / (1 - (length + 2) * u)


def allowed(answer, x, h, dtype, method):
    """The largest error that every single output may have under a method, for the oracle's `Answer`.

    Integers have none: the tolerance is zero.
    """
    if np.dtype(dtype).kind in "biu":
        return np.zeros(answer.values.shape)
    norm, reach = size(h), size(x) + size(answer.energy[np.isfinite(answer.energy)].max(initial=0))
    direct = tolerance(dtype, answer.terms, "direct") * answer.magnitude
    if np.dtype(dtype) == np.float16:
        direct = direct + np.abs(answer.values) * 2.0**-11 + 2.0**-25
    if method == "auto":
        loose = tolerance(dtype, answer.terms, method) * norm * answer.energy
        return np.maximum(direct, loose)
    if method in ("fft", "overlap_save"):
        length = 2 * answer.terms + answer.values.size + np.size(x)
        return direct + tolerance(dtype, length, method) * norm * reach
    return direct


def size(a):
    """The 2-norm of the finite entries, in extended precision."""
    a = np.abs(np.asarray(a, dtype=np.clongdouble)).ravel()
    return np.sqrt(np.sum(a[np.isfinite(a)] ** 2))
