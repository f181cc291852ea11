"""What lies beyond the ends of a signal: names, index maps, and reading an extended block.

A boundary defines an infinite sequence x̃ from the samples x[0 … N−1] of one axis. Every rule of the table is linear in
the samples (a constant is affine), so one sample of x̃ is at most three terms:

    x̃[m] = sign[m]·x[index[m]] + first[m]·x[0] + last[m]·x[N−1]        or absent (zero, omit), or the constant

========================  ===================  =========================================================
name                      picture              x̃ beyond the end
========================  ===================  =========================================================
zero, ("constant", c)     ``000|abcd|000``     absent terms; the value c
edge                      ``aaa|abcd|ddd``     the last sample again
symmetric                 ``cba|abcd|dcb``     mirrored about the edge of the sample (half-sample)
reflect                   ``dcb|abcd|cba``     mirrored about the sample (whole-sample)
wrap                      ``bcd|abcd|abc``     periodic
antisymmetric             ``-c-b-a|abcd|-d…``  mirrored about the edge, negated
antireflect               ``2a-d 2a-c 2a-b|…`` mirrored through the end point, odd
omit                      ``   |abcd|   ``     absent, and the weights inside are renormalised
========================  ===================  =========================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

NAMES = ("zero", "constant", "edge", "symmetric", "reflect", "wrap", "antisymmetric", "antireflect", "omit")

#: What other systems call these rules; accepted qualified, because the bare words contradict each other.
FOREIGN = {
    "numpy": {"constant": "zero", "edge": "edge", "symmetric": "symmetric", "reflect": "reflect", "wrap": "wrap"},
    "scipy": {
        "constant": "zero",
        "fill": "zero",
        "edge": "edge",
        "symmetric": "symmetric",
        "symm": "symmetric",
        "reflect": "reflect",
        "wrap": "wrap",
        "antisymmetric": "antisymmetric",
        "antireflect": "antireflect",
    },
    "ndimage": {
        "constant": "zero",
        "grid-constant": "zero",
        "nearest": "edge",
        "reflect": "symmetric",
        "grid-mirror": "symmetric",
        "mirror": "reflect",
        "wrap": "wrap",
        "grid-wrap": "wrap",
    },
    "cv2": {
        "constant": "zero",
        "replicate": "edge",
        "reflect": "symmetric",
        "reflect101": "reflect",
        "reflect_101": "reflect",
        "default": "reflect",
        "wrap": "wrap",
    },
    "torch": {"zeros": "zero", "constant": "zero", "replicate": "edge", "reflect": "reflect", "circular": "wrap"},
    "matlab": {"zero": "zero", "replicate": "edge", "symmetric": "symmetric", "circular": "wrap"},
    "julia": {"replicate": "edge", "symmetric": "symmetric", "reflect": "reflect", "circular": "wrap", "na": "omit"},
}


@dataclass(frozen=True)
class Rule:
    """One end's rule: a canonical name, and the value of a constant."""

    name: str
    value: complex = 0.0

    def __str__(self) -> str:
        return f"constant {self.value:g}" if self.name == "constant" else self.name

    @property
    def absent(self) -> bool:
        """True where samples beyond the end are absent terms of the sum."""
        return self.name in ("zero", "omit")


Ends = tuple[Rule, Rule]

MIRRORS = (
    "boundary='mirror' means two things: 'symmetric' (cba|abcd|dcb, half-sample; scipy.ndimage calls it 'reflect', "
    "OpenCV 'REFLECT') and 'reflect' (dcb|abcd|cba, whole-sample; scipy.ndimage calls it 'mirror', OpenCV "
    "'REFLECT_101'). Write one of these, or 'ndimage:mirror'."
)


def parse(boundary: Any, count: int, call: Any) -> tuple[Ends, ...]:
    """One (low, high) pair of rules for each of `count` axes, from the user's value.

    A value is a name or ``("constant", c)``; a tuple of two values is (low end, high end); a list has one entry per
    axis. `call` is what errors begin with.

    Raises
    ------
    ValueError
        For a word that is unknown or ambiguous, and for a list of the wrong length.
    """
    try:
        return _parsed(boundary, count)
    except ValueError as error:
        raise ValueError(f"{call}: {error}") from None


def _parsed(boundary: Any, count: int) -> tuple[Ends, ...]:
    if isinstance(boundary, list):
        if len(boundary) != count:
            raise ValueError(
                f"boundary={boundary!r} has {len(boundary)} entries for {count} filtered axes: "
                "a list holds one entry per axis, in the order of axes"
            )
        return tuple(_ends(entry) for entry in boundary)
    return (_ends(boundary),) * count


def _ends(value: Any) -> Ends:
    if isinstance(value, Rule):
        return value, value
    if isinstance(value, tuple) and len(value) == 2 and not _is_constant(value):
        return _rule(value[0]), _rule(value[1])
    rule = _rule(value)
    return rule, rule


def _is_constant(value: Any) -> bool:
    return value[0] == "constant" and isinstance(value[1], (int, float, complex, np.number))


def _rule(value: Any) -> Rule:
    if isinstance(value, Rule):
        return value
    if isinstance(value, tuple) and len(value) == 2 and _is_constant(value):
        number = complex(value[1])
        number = number.real if number.imag == 0 else number
        return Rule("constant", number) if number != 0 else Rule("zero")
    if not isinstance(value, str):
        raise ValueError(
            f"boundary={value!r} is not a rule: give a name ({', '.join(NAMES)}), ('constant', c), "
            "a tuple (low end, high end), or a list with one entry per axis"
        )
    return Rule(_canonical(value))


def _canonical(word: str) -> str:
    system, _, name = word.rpartition(":")
    if system:
        known = FOREIGN.get(system.lower())
        if known is None:
            raise ValueError(f"boundary={word!r}: no system {system!r}; known systems are {', '.join(FOREIGN)}")
        if name.lower() not in known:
            raise ValueError(f"boundary={word!r}: {system} has no boundary {name!r}; it has {', '.join(known)}")
        return known[name.lower()]
    if word == "mirror":
        raise ValueError(MIRRORS)
    if word == "constant":
        return "zero"
    if word not in NAMES:
        raise ValueError(
            f"boundary={word!r} is unknown: use one of {', '.join(NAMES)}, or another system's word "
            "qualified, such as 'ndimage:nearest' or 'cv2:reflect101'"
        )
    return word


@dataclass(frozen=True, eq=False)
class Extension:
    """x̃[lo … hi) of one axis as terms of the samples; None stands for a column of ones or zeros.

    Attributes
    ----------
    index : intp array, which sample
    sign : int8 array or None (all +1)
    first, last : int64 arrays or None, multiples of x[0] and x[N−1] to add (antireflect)
    absent : bool array or None, where the term is absent
    value : number that stands at absent places (a constant boundary), per place, or None for zero
    """

    index: np.ndarray
    sign: np.ndarray | None = None
    first: np.ndarray | None = None
    last: np.ndarray | None = None
    absent: np.ndarray | None = None
    value: np.ndarray | None = None

    def part(self, part: slice) -> Extension:
        """The terms of some places in a row."""
        columns = (self.sign, self.first, self.last, self.absent, self.value)
        return Extension(self.index[part], *(_cut(column, part) for column in columns))


def _cut(array: np.ndarray | None, part: slice) -> np.ndarray | None:
    return None if array is None else array[part]


def extension(ends: Ends, n: int, lo: int, hi: int) -> Extension:
    """The terms of x̃[lo … hi) for a signal of n samples; short ones are remembered."""
    return (_remembered if hi - lo <= 1 << 12 else _extension)(ends, n, lo, hi)


def _extension(ends: Ends, n: int, lo: int, hi: int) -> Extension:
    m = np.arange(lo, hi, dtype=np.int64)
    index, sign = m.copy(), np.ones(m.size, np.int8)
    first, last = np.zeros(m.size, np.int64), np.zeros(m.size, np.int64)
    absent, value = np.zeros(m.size, bool), np.zeros(m.size, complex)
    for rule, beyond in zip(ends, (m < 0, m >= n), strict=True):
        if beyond.any():
            _fill(rule, n, m, beyond, index, sign, first, last, absent, value)
    keep = [array if array.any() else None for array in (first, last, absent, value)]
    if keep[3] is not None and not np.iscomplex(value).any():
        keep[3] = value.real.copy()
    return Extension(index.astype(np.intp), sign if (sign < 0).any() else None, *keep)


_remembered = lru_cache(maxsize=256)(_extension)


def _fill(
    rule: Rule,
    n: int,
    m: np.ndarray,
    beyond: np.ndarray,
    index: np.ndarray,
    sign: np.ndarray,
    first: np.ndarray,
    last: np.ndarray,
    absent: np.ndarray,
    value: np.ndarray,
) -> None:
    """Write the terms of one end's rule where `beyond` is true."""
    p = m[beyond]
    if rule.name in ("zero", "omit", "constant"):
        index[beyond], absent[beyond], value[beyond] = 0, True, rule.value
    elif rule.name == "edge":
        index[beyond] = np.clip(p, 0, n - 1)
    elif rule.name == "wrap":
        index[beyond] = p % n
    elif rule.name in ("symmetric", "antisymmetric"):
        q = p % (2 * n)
        index[beyond] = np.where(q < n, q, 2 * n - 1 - q)
        if rule.name == "antisymmetric":
            sign[beyond] = np.where(q < n, 1, -1)
    elif n == 1:
        index[beyond] = 0
    else:
        turn, q = np.divmod(p, 2 * (n - 1))
        back = q > n - 1
        index[beyond] = np.where(back, 2 * (n - 1) - q, q)
        if rule.name == "antireflect":
            sign[beyond] = np.where(back, -1, 1)
            first[beyond], last[beyond] = -2 * turn, 2 * turn + 2 * back


def read(
    x: np.ndarray,
    rules: tuple[Ends, ...],
    box: tuple[tuple[int, int], ...],
    dtype: np.dtype | None = None,
    skip: int = 0,
) -> np.ndarray:
    """x̃ over the box [lo, hi) per axis, as a view when it lies inside and needs no cast, else a new array.

    Parameters
    ----------
    x : array, shape (*skipped, N₀, N₁, …)
    rules : (low, high) per axis after the first `skip`
    box : (lo, hi) per axis after the first `skip`
    dtype : of the result, default that of `x`
    """
    dtype = x.dtype if dtype is None else dtype
    view, gather, pads = x, [], [(0, 0)] * x.ndim
    for axis, (ends, (lo, hi)) in enumerate(zip(rules, box, strict=True), start=skip):
        n = x.shape[axis]
        low, high = max(0, -lo), max(0, hi - n)
        if all(rule.absent or not reach for rule, reach in zip(ends, (low, high), strict=True)) and lo < n and hi > 0:
            view = view[(slice(None),) * axis + (slice(max(lo, 0), min(hi, n)),)]
            pads[axis] = (low, high)
        else:
            gather.append((axis, extension(ends, n, lo, hi)))
    for axis, terms in gather:
        view = _extended(terms, view, axis, box[axis - skip], dtype)
    for axis, terms in gather if len(gather) > 1 else ():  # absent along one axis is absent, whatever another axis says
        if terms.absent is not None:
            blank = terms.absent if terms.value is None else terms.absent & (terms.value == 0)
            view[(slice(None),) * axis + (blank,)] = 0
    if any(low or high for low, high in pads):
        return _zero_padded(view, pads, dtype)
    return view if view.dtype == dtype else view.astype(dtype)


def _extended(terms: Extension, x: np.ndarray, axis: int, ends: tuple[int, int], dtype: np.dtype) -> np.ndarray:
    """x̃ along one axis from lo to hi: what lies inside is copied, only the strips beyond are gathered."""
    lo, hi = ends
    first, last = max(lo, 0), min(hi, x.shape[axis])
    if last - first < (hi - lo) // 2:
        return apply(terms, x, axis, dtype)
    shape = list(x.shape)
    shape[axis] = hi - lo
    y: np.ndarray = np.empty(shape, dtype)
    before = (slice(None),) * axis
    y[(*before, slice(first - lo, last - lo))] = x[(*before, slice(first, last))]
    for part in (slice(0, first - lo), slice(last - lo, hi - lo)):
        if part.start < part.stop:
            y[(*before, part)] = apply(terms.part(part), x, axis, dtype)
    return y


def _zero_padded(view: np.ndarray, pads: list[tuple[int, int]], dtype: np.dtype) -> np.ndarray:
    """A copy of `view` with (low, high) zeros on each axis."""
    out = np.zeros([low + n + high for n, (low, high) in zip(view.shape, pads, strict=True)], dtype)
    out[tuple(slice(low, low + n) for n, (low, _) in zip(view.shape, pads, strict=True))] = view
    return out


def _taken(x: np.ndarray, index: np.ndarray, axis: int) -> np.ndarray:
    """``np.take`` from the least to the largest index: it would copy the whole of a view with gaps."""
    if index.size == 0 or x.flags.c_contiguous:
        return np.take(x, index, axis=axis)
    lo, hi = int(index.min()), int(index.max()) + 1
    return np.take(x[(slice(None),) * axis + (slice(lo, hi),)], index - lo, axis=axis)


def apply(terms: Extension, x: np.ndarray, axis: int, dtype: np.dtype | None = None) -> np.ndarray:
    """x̃ along one axis: gather, sign, the antireflect terms, then the absent places."""
    dtype = x.dtype if dtype is None else np.dtype(dtype)
    y = _taken(x, terms.index, axis).astype(dtype, copy=False)

    def column(a: np.ndarray) -> np.ndarray:
        return a.reshape((-1,) + (1,) * (x.ndim - 1 - axis))

    if terms.sign is not None:
        np.negative(y, out=y, where=np.broadcast_to(column(terms.sign < 0), y.shape))
    for factor, sample in ((terms.first, 0), (terms.last, -1)):
        if factor is not None:
            here = (slice(None),) * axis + (factor != 0,)
            with np.errstate(invalid="ignore", over="ignore"):
                y[here] += column(factor[factor != 0]).astype(dtype) * np.take(x, [sample], axis=axis).astype(dtype)
    if terms.absent is not None:
        here = (slice(None),) * axis + (terms.absent,)
        y[here] = 0 if terms.value is None else column(terms.value[terms.absent]).astype(dtype)
    return y


def matrix(ends: Ends, n: int, lo: int, hi: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The extension as sparse triplets (row, column, coefficient): x̃[lo + row] = Σ coefficient·x[column].

    Its transpose folds what was read beyond the ends back onto the samples: the adjoint of the boundary.

    Raises
    ------
    ValueError
        For a constant other than zero, which is affine and has no matrix.
    """
    if any(rule.name == "constant" for rule in ends):
        raise ValueError(
            f"boundary {tuple(map(str, ends))} is affine, not linear: it has no matrix and no adjoint; "
            "use 'zero' and add the constant's response"
        )
    terms, rows = extension(ends, n, lo, hi), np.arange(hi - lo)
    sign = np.ones(hi - lo) if terms.sign is None else terms.sign.astype(float)
    here = slice(None) if terms.absent is None else ~terms.absent
    parts = [(rows[here], terms.index[here], sign[here])]
    for factor, sample in ((terms.first, 0), (terms.last, n - 1)):
        if factor is not None:
            at = np.flatnonzero(factor)
            parts.append((at, np.full(at.size, sample), factor[at].astype(float)))
    row, column, coefficient = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return row, column, coefficient
