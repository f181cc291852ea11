"""Number types: what comes out for what goes in, how results are cast, how far one NaN reaches, what is conjugated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from firconv.conventions import Convention
from firconv.identification.calls import Refused
from firconv.identification.probe import PRECISIONS, TAPS, Probe

ONE = ("bool", "uint8", "int16", "int32", "int64", "float16", "float32", "float64", "complex64", "complex128")
MIXED = (
    ("uint8", "float32"),
    ("uint8", "float64"),
    ("uint8", "int16"),
    ("int16", "float64"),
    ("int64", "float64"),
    ("float32", "float64"),
    ("float64", "float32"),
    ("float32", "int64"),
    ("float64", "complex128"),
    ("complex128", "float64"),
)
Table = dict[tuple[str, str], str]


# ── the type of the result ────────────────────────────────────────────────────────────────────────────────────────────


def table(probe: Probe) -> Table:
    """The dtype of the result for (signal, taps) of many types; "refused" where the function raises."""
    pairs = [(t, t) for t in ONE] + (list(MIXED) if probe.box.with_taps else [])
    found = {}
    x, h = np.arange(int(np.prod(probe.shape))).reshape(probe.shape) % 2, np.ones(TAPS[probe.ndim])
    for pair in pairs:
        try:
            found[pair] = probe.box(x.astype(pair[0]), h.astype(pair[1])).dtype.name
        except Refused:
            found[pair] = "refused"
    return found


def _signal(x: str, h: str) -> str:
    return x


def _lifted(x: str, h: str) -> str:
    return np.result_type(x, "complex64").name if np.dtype(h).kind == "c" and np.dtype(x).kind != "c" else x


def _numpy(x: str, h: str) -> str:
    return np.result_type(x, h).name


def _floating(x: str, h: str) -> str:
    both = np.result_type(x, h)
    return "float64" if both.kind in "biu" else both.name


def _double(x: str, h: str) -> str:
    return "complex128" if "c" in (np.dtype(x).kind, np.dtype(h).kind) else "float64"


RULES = {
    "the signal's type": _signal,
    "the signal's type, complex if the taps are": _lifted,
    "NumPy's result type": _numpy,
    "NumPy's result type, float64 for integers": _floating,
    "always double precision": _double,
}


def rule(found: Table) -> str:
    """The table in one phrase; "by table" where none holds."""
    known = {pair: out for pair, out in found.items() if out != "refused"}
    fits = [name for name, law in RULES.items() if known and all(law(*pair) == out for pair, out in known.items())]
    names = set(known.values())
    return fits[0] if fits else f"always {names.pop()}" if len(names) == 1 else "by table"


def result_type(found: Table, phrase: str, x: np.dtype, h: np.dtype) -> np.dtype:
    """The dtype that the function gives for these, by its table or else its rule."""
    out = found.get((x.name, h.name), "refused")
    if out != "refused":
        return np.dtype(out)
    if phrase in RULES:
        return np.dtype(RULES[phrase](x.name, h.name))
    return np.dtype(phrase.removeprefix("always ")) if phrase.startswith("always ") else np.result_type(x, h)


def grouped(found: Table) -> str:
    """The table by results: "float64 from int16, int32, float64; …"."""
    groups: dict[str, list[str]] = {}
    for (x, h), out in found.items():
        if out != "refused":
            groups.setdefault(out, []).append(x if x == h else f"{x}·{h}")
    return "; ".join(f"{out} from {', '.join(names)}" for out, names in groups.items())


# ── casts to integers ─────────────────────────────────────────────────────────────────────────────────────────────────

CASTS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], bool]] = {
    "truncated toward zero and wrapped": (np.trunc, False),
    "rounded to even and saturated": (np.rint, True),
    "rounded to even and wrapped": (np.rint, False),
    "truncated toward zero and saturated": (np.trunc, True),
    "rounded up at halves and saturated": (lambda y: np.floor(y + 0.5), True),
}
EXACT: dict[str, tuple[Callable[[np.ndarray], np.ndarray], bool]] = {
    "wrapped around": (np.rint, False),
    "saturated": (np.rint, True),
}


def cast(y: np.ndarray, dtype: np.dtype, how: str | None) -> np.ndarray:
    """A result as the function would store it."""
    if y.dtype == dtype or dtype.kind not in "iu" or y.dtype.kind == "c":
        return y.real.astype(dtype) if y.dtype.kind == "c" and dtype.kind != "c" else y.astype(dtype)
    rounded, saturates = (CASTS | EXACT).get(how or "", CASTS["truncated toward zero and wrapped"])
    whole = rounded(y) if y.dtype.kind == "f" else y
    info = np.iinfo(dtype)
    if saturates:
        return np.clip(whole, info.min, info.max).astype(dtype)
    return whole.astype(np.int64).astype(dtype)


def casting(probe: Probe, found: Table, model: Convention, gain: complex, inside: np.ndarray | None) -> str | None:
    """How results become small integers: the name of a cast, "unknown", or None if no result is one."""
    pair = next(
        (
            p
            for p in (("uint8", "float64"), ("uint8", "float32"), ("uint8", "uint8"), ("int16", "int16"))
            if found.get(p, "refused").removeprefix("u").startswith("int")
        ),
        None,
    )
    if pair is None:
        return None
    x = (probe.rng.integers(0, 256, probe.shape)).astype(pair[0])
    h = probe.primes(TAPS[probe.ndim]) / (16 if "float" in pair[1] else 1)  # dyadic: sums are exact
    h = inside if inside is not None else h.astype(pair[1])
    try:
        y = probe.box(x, h)
    except Refused:
        return "unknown"
    exact = np.asarray(model(x.astype(np.float64), h.astype(np.float64)) * gain)
    exact = np.where(np.abs(exact - np.rint(exact)) < 1e-9, np.rint(exact), exact)
    whole = inside is None and pair[1] == pair[0]
    fits = (
        name
        for name in (EXACT if whole else CASTS)
        if exact.shape == y.shape and np.array_equal(cast(exact, y.dtype, name), y)
    )
    return next(fits, "unknown")


# ── conjugation ───────────────────────────────────────────────────────────────────────────────────────────────────────


def conjugation(probe: Probe, model: Convention, scale: Callable[[np.ndarray], complex]) -> str | None:
    """ "taps", "signal" or "none"; "dropped" if imaginary parts are lost, None if complex numbers are refused."""
    h = (probe.primes(TAPS[probe.ndim]) + 1j * probe.primes(TAPS[probe.ndim])).astype(complex)
    x = (probe.signal() + 1j * probe.signal()).astype(complex)
    try:
        y = probe.box(x, h)
    except Refused:
        return None
    for name in ("none", "taps", "signal"):
        if _close(probe, y, replace(model, conjugated=name)(x, h) * scale(h)):
            return name
    return "dropped" if _close(probe, y.real, model(x.real, h.real) * scale(h.real)) else None


def _close(probe: Probe, y: np.ndarray, z: np.ndarray) -> bool:
    return y.shape == z.shape and probe.difference(y, z) <= max(probe.tolerance, 1e-10)


# ── one NaN ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def nan_reach(probe: Probe, model: Convention, inside: np.ndarray | None) -> tuple[str, int | None]:
    """(phrase, number of outputs that one NaN in the middle of the signal spoils)."""
    if probe.kind.kind not in "fc":
        return "not tried: the function takes integers only", None
    h = np.ones(probe.taps.shape if inside is None else inside.shape)
    x = np.abs(probe.signal()) + 1
    c = tuple(n // 2 for n in probe.shape)
    x[c] = np.nan
    y = _raw(probe, x, probe.taps)
    if y is None:
        return "it fails on a signal with a NaN", None
    bad = ~np.isfinite(y)
    mark = np.zeros(probe.shape)
    mark[c] = 1
    expected = model(mark, h) != model(np.zeros(probe.shape), h)
    count = int(bad.sum())
    if bad.shape != expected.shape:
        return f"{count} outputs, in a result of another shape {bad.shape}", count
    return _reach(probe, bad, expected, count), count


def _reach(probe: Probe, bad: np.ndarray, expected: np.ndarray, count: int) -> str:
    n = int(expected.sum())
    if np.array_equal(bad, expected):
        return f"the {n} outputs whose taps meet it" + _zero_taps(probe, n)
    if bad.all():
        return "every output (an FFT, or sums that run on)"
    if not count:
        return "no output: NaN is replaced"
    first = int(np.flatnonzero(bad.ravel())[0])
    if bad.ndim == 1 and bad[first:].all():
        return "every output from there on (recursive, or a running sum)"
    return f"{count} outputs, where {n} have taps that meet it"


def _zero_taps(probe: Probe, n: int) -> str:
    """Whether a tap that is zero passes a NaN on (0·NaN = NaN) or is left out."""
    if not probe.box.with_taps:
        return ""
    h = probe.taps.copy()
    h.flat[h.size // 2] = 0
    x = np.ones(probe.shape, probe.kind)
    x[tuple(v // 2 for v in probe.shape)] = np.nan
    y = _raw(probe, x, h)
    if y is None:
        return ""
    return "" if int((~np.isfinite(y)).sum()) == n else "; taps that are zero are left out"


def _raw(probe: Probe, x: np.ndarray, h: np.ndarray) -> np.ndarray | None:
    try:
        return probe.box(x, h)
    except Refused:
        return None


# ── precision ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def precision_text(name: str) -> str:
    """What differences were taken for rounding."""
    return (
        "integers, exact"
        if name == "exact"
        else f"{name} (differences below {PRECISIONS[name]:.0e} of the largest output)"
    )
