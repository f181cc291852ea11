"""A convention as a value: which operation, which outputs, which origin and which boundary, for signals of any length.

Per axis, with w the correlation taps, N samples and K taps,

    y[n] = Σ_k w[k]·x̃[n·down + k·dilation − lead]        0 ≤ n·down < (N − 1)·up + 1 + room

x̃ is extended beyond its ends and then zero-stuffed by `up`. `lead` and `room` are integer forms in N, K and K//2, so
one value holds what a library does for every length, odd or even. `firconv.identification` finds such values,
`firconv.translation` writes them in other systems' words.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from firconv import boundary as bd
from firconv.convolution import convolve, correlate
from firconv.describe import PRESETS

Rule = bd.Rule


@dataclass(frozen=True)
class Size:
    """The integer n·N + k·K + half·(K//2) + centre·((K − 1)·spacing//2) + one.

    Examples
    --------
    >>> print(Size(k=1, one=-1), "|", Size(half=1), "|", Size(k=1, half=-1, one=-1), "|", Size(half=2, one=3))
    K - 1 | K//2 | (K - 1)//2 | 2*(K//2) + 3
    >>> Size(half=1).at(n=100, k=5)
    2
    """

    one: int = 0
    k: int = 0
    half: int = 0
    n: int = 0
    centre: int = 0
    spacing: int = 1

    def at(self, n: int, k: int) -> int:
        """Its value for n samples and k taps."""
        return self.one + self.k * k + self.half * (k // 2) + self.n * n + self.centre * ((k - 1) * self.spacing // 2)

    def __add__(self, other: Size | int) -> Size:
        if isinstance(other, int):
            return replace(self, one=self.one + other)
        spacing = self.spacing if self.centre else other.spacing
        return Size(
            self.one + other.one,
            self.k + other.k,
            self.half + other.half,
            self.n + other.n,
            self.centre + other.centre,
            spacing,
        )

    def __mul__(self, factor: int) -> Size:
        return Size(
            self.one * factor, self.k * factor, self.half * factor, self.n * factor, self.centre * factor, self.spacing
        )

    def __sub__(self, other: Size | int) -> Size:
        return self + other * -1

    def over(self, divisor: int) -> Size | None:
        """The form divided by an integer, or None where that is no integer form."""
        if self.centre and self.spacing == 1:
            return (self + Size(half=-self.centre, k=self.centre, one=-self.centre, centre=-self.centre)).over(divisor)
        parts = (self.one, self.k, self.half, self.n, self.centre)
        if any(p % divisor for p in parts):
            return None
        one, k, half, n, centre = (p // divisor for p in parts)
        return Size(one, k, half, n, centre, self.spacing)

    def text(self, k: str = "K", n: str = "N") -> str:
        """The form as an expression in Python, with the names given for K and N."""
        lower = max(0, min(-self.half, self.k))
        terms = [
            (self.n, n),
            (self.k - lower, k),
            (self.half + lower, f"{k}//2"),
            (lower, f"({k} - 1)//2"),
            (self.centre, f"({k} - 1)*{self.spacing}//2"),
            (self.one + lower, ""),
        ]
        words = " ".join(_term(factor, name) for factor, name in terms if factor)
        return words.removeprefix("+ ").replace("- ", "-", words.startswith("-")) or "0"

    def __str__(self) -> str:
        return self.text()


def _term(factor: int, name: str) -> str:
    sign, size = ("-" if factor < 0 else "+"), abs(factor)
    if not name:
        return f"{sign} {size}"
    if size == 1:
        return f"{sign} {name}" if sign == "+" or "//" not in name else f"- ({name})"
    return f"{sign} {size}*({name})" if "//" in name or "-" in name else f"{sign} {size}*{name}"


UPPER, LOWER, LAST = Size(half=1), Size(k=1, half=-1, one=-1), Size(k=1, one=-1)


@dataclass(frozen=True)
class Axis:
    """One axis: where output 0 reads, how many outputs there are, strides, and the rule beyond each end."""

    lead: Size
    room: Size
    up: int = 1
    down: int = 1
    dilation: int = 1
    low: Rule = Rule("zero")
    high: Rule = Rule("zero")

    @property
    def reach(self) -> Size:
        """(K − 1)·dilation, the width of the footprint less one."""
        return LAST * self.dilation

    @property
    def tail(self) -> Size:
        """How far beyond the last sample the last output reads (in the zero-stuffed signal, before decimation)."""
        return self.room + self.reach - self.lead

    @property
    def mode(self) -> str:
        """full, same, valid, or other."""
        if self.room == self.reach == self.lead:
            return "full"
        if self.room == self.reach * -1 and self.lead == Size():
            return "valid"
        return "same" if self.room == Size(self.up - 1) else "other"

    def outputs(self, n: int, k: int) -> int:
        """Number of outputs for n samples and k taps; not positive where there are none."""
        return ((n - 1) * self.up + self.room.at(n, k)) // self.down + 1

    def origin(self, op: str) -> Size | None:
        """Index of the tap at displacement zero, if output 0 is position 0; None where that is no whole index."""
        lead = self.lead.over(self.dilation)
        return lead if lead is None or op == "correlate" else LAST - lead


@dataclass(frozen=True)
class Convention:
    """An operation on any number of axes; `conjugated` says which operand: taps, signal, or none."""

    op: str
    axes: tuple[Axis, ...]
    conjugated: str = "none"

    def window(self, n: tuple[int, ...], k: tuple[int, ...]) -> list[tuple[int, int]]:
        """Positions (start, stop) relative to tap 0 that `firconv` is asked for, per axis."""
        result = []
        for axis, length, taps in zip(self.axes, n, k, strict=True):
            lead = axis.lead.at(length, taps)
            start = (axis.reach.at(length, taps) if self.op == "convolve" else 0) - lead
            result.append((start, start + (length - 1) * axis.up + 1 + axis.room.at(length, taps)))
        return result

    def __call__(self, x: np.ndarray, h: np.ndarray) -> np.ndarray:
        """The result for a signal and taps of as many dimensions as there are axes, computed by firconv.

        Raises
        ------
        ValueError
            Where there are no outputs.
        """
        window = self.window(x.shape, h.shape)
        if any(stop <= start for start, stop in window):
            raise ValueError(
                f"{self.op}(x, h): no outputs for a signal of shape {x.shape} and taps of shape {h.shape}; "
                "use a longer signal or fewer taps"
            )
        run = convolve if self.op == "convolve" else correlate
        if self.op == "correlate" and self.conjugated != "taps" and h.dtype.kind == "c":
            h = h.conj()
        elif self.op == "convolve" and self.conjugated == "taps":
            h = h.conj()
        x = x.conj() if self.conjugated == "signal" else x
        return run(
            x,
            h,
            list(window),
            origin=0,
            boundary=[(a.low, a.high) for a in self.axes],
            up=[a.up for a in self.axes],
            down=[a.down for a in self.axes],
            dilation=[a.dilation for a in self.axes],
        )


def preset_size(name: str, op: str) -> Size:
    """The origin of a preset as a form in K, for odd and even K alike.

    Examples
    --------
    >>> str(preset_size("scipy", "convolve")), str(preset_size("ndimage", "convolve"))
    ('(K - 1)//2', 'K//2')
    """
    if name == "causal":
        return Size() if op == "convolve" else LAST
    upper = {
        "numpy": "correlate",
        "scipy": "correlate",
        "opencv": "correlate",
        "torch": "convolve",
        "matlab": "convolve",
        "scipy2d": "",
        "ndimage": op,
    }[name]
    return UPPER if op == upper else LOWER


def presets(origin: Size, op: str) -> list[str]:
    """The names of all presets with this origin."""
    return [name for name in PRESETS if preset_size(name, op) == origin]


PICTURES = {
    "zero": "0 0 0│a b c d│0 0 0",
    "constant": "C C C│a b c d│C C C",
    "edge": "a a a│a b c d│d d d",
    "symmetric": "c b a│a b c d│d c b",
    "reflect": "d c b│a b c d│c b a",
    "wrap": "b c d│a b c d│a b c",
    "antisymmetric": "-c -b -a│a b c d│-d -c -b",
    "antireflect": "2a-d 2a-c 2a-b│a b c d│2d-c 2d-b 2d-a",
    "omit": "· · ·│a b c d│· · ·  (weights renormalised)",
}

#: How the systems write their names of boundaries.
_SPELLED = {
    "numpy": "numpy.pad {}",
    "scipy": "scipy.signal.upfirdn {}",
    "ndimage": "ndimage {}",
    "cv2": "cv2 BORDER_{}",
    "torch": "torch {}",
    "matlab": "MATLAB {}",
    "julia": "ImageFiltering.jl {}",
}


def boundary_names(rule: str) -> dict[str, str]:
    """What every system calls a rule of firconv; systems without it are missing.

    Examples
    --------
    >>> boundary_names("symmetric")["ndimage"], boundary_names("symmetric")["cv2"]
    ('reflect', 'REFLECT')
    """
    found = {}
    for system, words in bd.FOREIGN.items():
        word = next((w for w, meaning in words.items() if rule in (meaning, w if meaning == "zero" else "")), None)
        if word is not None:
            found[system] = word.upper().replace("REFLECT101", "REFLECT_101") if system == "cv2" else word
    return found


def boundary_text(rule: str) -> str:
    """The names of a rule everywhere, on one line."""
    return ", ".join(_SPELLED[system].format(word) for system, word in boundary_names(rule).items())
