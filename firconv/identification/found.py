"""What an identified function does: a report to read, attributes to ask, and a function that does the same."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from firconv.conventions import Convention, Size, presets
from firconv.identification import types
from firconv.identification.ends import Ends
from firconv.systems import FIR

#: 1/normaliser(h) that a function may apply.
NORMALISERS = {
    "sum(h)": lambda h: h.sum(),
    "sum(abs(h))": lambda h: np.abs(h).sum(),
    "K": lambda h: h.size,
    "norm(h)": lambda h: float(np.sqrt((np.abs(h) ** 2).sum())),
    "max(abs(h))": lambda h: np.abs(h).max(),
}


@dataclass(frozen=True)
class Found:
    """The convention that a function follows, as far as probing could tell; made by `identify`.

    Print it for a report; call it, ``found(x, h)`` or ``found(x)``, to compute through firconv what the function
    computes.

    Attributes
    ----------
    linear, affine, shift_invariant : bool or None
        None where it was not found out. A constant beyond the ends makes a function affine. Decimation and
        interpolation are not shift-invariant, but shift with a period: see `up` and `down`.
    operation : "convolution", "correlation", "filter" (taps inside; stated as a convolution) or None
    convention : Convention or None
        Windows, strides and boundaries as forms in N and K.
    conjugated : "taps", "signal", "none", "dropped" (imaginary parts are lost) or None (complex numbers are refused)
    gain, normalised : the result is gain·(h * x), divided by `normalised` where that is not None
    fir : the taps inside, as `firconv.FIR`
    ends : what lies beyond the ends
    pattern : as read off sample by sample with single taps
    types, type_rule, casting : dtype of the result by (signal, taps) dtype; in one phrase; how integers are made
    nan, nan_count : how far one NaN reaches
    repeatable : "same bits", "to rounding" or "no"
    precision : of its arithmetic: exact, float64, float32, float16
    short : what it does where the taps are longer than the signal: "same", "exchanged", "differs", "refused"
    error : largest difference between `f` and this on new random signals, relative to the largest output
    evidence : why it could not be identified; empty if it was
    findings : what was noticed on the way
    calls, seconds : spent
    """

    ndim: int
    with_taps: bool
    linear: bool | None = None
    affine: bool | None = None
    shift_invariant: bool | None = None
    operation: str | None = None
    convention: Convention | None = None
    conjugated: str | None = None
    gain: complex = 1.0
    normalised: str | None = None
    fir: FIR | None = None
    ends: Ends | None = None
    pattern: str | None = None
    types: dict[tuple[str, str], str] = field(default_factory=dict)
    type_rule: str = "by table"
    casting: str | None = None
    nan: str = "not tried"
    nan_count: int | None = None
    repeatable: str | None = None
    precision: str = "unknown"
    short: str | None = None
    error: float | None = None
    evidence: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    calls: int = 0
    seconds: float = 0.0

    # ---- attributes -------------------------------------------------------------------------------------------

    @property
    def explained(self) -> bool:
        """True if calling this reproduces the function."""
        return self.convention is not None and not self.evidence

    @property
    def mode(self) -> Any:
        """full, same, valid or other; a tuple where axes differ."""
        return self._each("mode")

    @property
    def up(self) -> Any:
        """Zeros stuffed between samples, plus one."""
        return self._each("up")

    @property
    def down(self) -> Any:
        """Every how many-th output is kept."""
        return self._each("down")

    @property
    def dilation(self) -> Any:
        """Distance between neighbouring taps."""
        return self._each("dilation")

    def _each(self, name: str) -> Any:
        return None if self.convention is None else _one(tuple(getattr(a, name) for a in self.convention.axes))

    @property
    def origin(self) -> Any:
        """Index of the tap at displacement zero: a form in K such as "K//2", or an int for taps inside.

        None for full and valid, whose values do not depend on it, and where it is no whole index.
        """
        if self.convention is None:
            return None
        if self.fir is not None:
            return self.fir.origin
        return _one(tuple(None if s is None else str(s) for s in self.origins))

    def origin_of(self, taps: int, axis: int = 0) -> int | None:
        """The origin for a number of taps.

        Examples
        --------
        >>> import numpy as np
        >>> from firconv.identification import identify
        >>> found = identify(lambda x, h: np.convolve(x, h, "same"))
        >>> found.origin, found.origin_of(5), found.origin_of(4)
        ('(K - 1)//2', 2, 1)
        """
        size = self.origins[axis]
        return None if size is None else size.at(0, taps)

    @property
    def origins(self) -> list[Size | None]:
        """The origin per axis as a form in K."""
        c = self.convention
        return [] if c is None else [None if a.mode in ("full", "valid") else a.origin(c.op) for a in c.axes]

    @property
    def presets(self) -> list[str]:
        """The words for this origin in ``firconv.convolve(origin=…)``."""
        c, sizes = self.convention, self.origins
        if c is None or self.fir is not None or None in sizes:
            return []
        lists = [presets(s, c.op) for s in sizes if s is not None]
        return [name for name in lists[0] if all(name in other for other in lists)]

    @property
    def boundary(self) -> Any:
        """The rule beyond the ends; None where nothing is read; ("constant", c); pairs and lists as in ``convolve``."""
        if self.ends is None:
            return None
        rules = [
            tuple(("constant", self.ends.value) if r == "constant" else r for r in pair) for pair in self.ends.rules
        ]
        names = {r for pair in rules for r in pair if r is not None}
        if len(names) <= 1:
            return names.pop() if names else None
        return rules[0] if len(rules) == 1 else rules

    # ---- doing the same ---------------------------------------------------------------------------------------

    def __call__(self, x: Any, h: Any = None) -> np.ndarray:
        """What the function would return, computed by firconv.

        Raises
        ------
        ValueError
            If the function was not identified, or does something of its own for taps longer than the signal.
        TypeError
            If taps are missing, or not wanted.
        """
        if not self.explained or self.convention is None:
            raise ValueError(
                f"found(x, h): the function was not identified, so it cannot be reproduced: "
                f"{(self.evidence or ('unknown',))[0]}"
            )
        if (h is None) is self.with_taps:
            raise TypeError(
                "found(x, h): this function takes taps, and h is missing"
                if self.with_taps
                else "found(x): this function holds its taps; call it with the signal alone"
            )
        x = np.asarray(x)
        taps = np.asarray(h) if self.fir is None else self.fir.taps
        kind = types.result_type(self.types, self.type_rule, x.dtype, x.dtype if self.fir is not None else taps.dtype)
        if self.with_taps and any(k > n for k, n in zip(taps.shape, x.shape, strict=True)):
            return types.cast(self._short(x, taps) * self._scale(taps), kind, self.casting)
        return types.cast(_run(self.convention, x, taps) * self._scale(taps), kind, self.casting)

    def _scale(self, h: np.ndarray) -> Any:
        factor = complex(self.gain)
        gain = 1 if factor == 1 else factor.real if factor.imag == 0 else factor
        return gain / NORMALISERS[self.normalised](h) if self.normalised else gain

    def _short(self, x: np.ndarray, h: np.ndarray) -> np.ndarray:
        if self.convention is None or self.short not in ("same", "exchanged"):
            raise ValueError(
                f"found(x, h): with taps longer than the signal (shapes {h.shape} and {x.shape}) the function "
                f"{'raises' if self.short == 'refused' else 'follows another rule'}; use fewer taps"
            )
        return exchanged(self.convention, x, h) if self.short == "exchanged" else _run(self.convention, x, h)

    # ---- reading ----------------------------------------------------------------------------------------------

    def __str__(self) -> str:
        from firconv.identification import report

        return report.text(self)


def _run(convention: Convention, x: np.ndarray, h: np.ndarray) -> np.ndarray:
    if x.dtype.kind == "b":
        x = x.astype(np.int64)
    return np.asarray(convention(x, h))


def exchanged(convention: Any, x: np.ndarray, h: np.ndarray) -> np.ndarray:
    """The result with signal and taps exchanged; a correlation is turned round again, as NumPy does."""
    y = np.asarray(convention(h, x))
    return y if convention.op == "convolve" else y[(slice(None, None, -1),) * y.ndim].conj()


def _one(values: tuple[Any, ...]) -> Any:
    return values[0] if len(set(values)) == 1 else values
