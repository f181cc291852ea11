"""The words of layers: stride, padding, dilation and groups become one validated `Problem`.

A layer is the correlation, per spatial axis,

    y[n, o, t] = b[o] + Σ_i Σ_k w[o, i, k] · x̃[n, i, t·stride + k·dilation − lo]

of x (N, C, *lengths) with w (O, C/groups, *K), lo and hi the padding of the two ends.
The batch is an axis in front along which nothing is filtered.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from firconv import boundary as bd
from firconv import describe
from firconv.problem import Ints, Problem, extent

#: The largest number that a word may be, and the most outputs of a channel.
MOST = 2**31 - 1
PADDINGS = ("valid", "same", "same_lower", "causal")
Pads = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Words:
    """The keywords of one call, as the user wrote them.

    `shape` is ``output_shape`` of a transposed layer, ``x_shape`` and ``w_shape`` of the gradients.
    """

    op: str
    stride: Any = 1
    padding: Any = 0
    dilation: Any = 1
    groups: Any = 1
    boundary: Any = "zero"
    output_padding: Any = 0
    shape: Any = None

    def __str__(self) -> str:
        return f"{self.op}({_OPERANDS.get(self.op, 'x, w')})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Words) and describe.alike(self.__dict__.values(), other.__dict__.values())


_OPERANDS = {
    "conv_input_gradient": "gy, w, x_shape",
    "conv_weight_gradient": "gy, x, w_shape",
    "ConvTranspose": "w, …",
    "global_max_pool": "x",
    "global_avg_pool": "x",
    "max_pool": "x, size",
    "avg_pool": "x, size",
}


def hashable(call: Words) -> Words:
    """Lists as tuples wherever both mean the same, that is, everywhere but in the boundary."""
    names = ("stride", "padding", "dilation", "output_padding", "shape")
    return replace(call, **{name: tuples(getattr(call, name)) for name in names})


def tuples(value: Any) -> Any:
    """Lists and arrays, and those in them, as tuples."""
    value = value.tolist() if isinstance(value, np.ndarray) else value
    return tuple(map(tuples, value)) if isinstance(value, (list, tuple)) else value


def is_hashable(*values: Any) -> bool:
    """True if these words can be remembered; otherwise one is wrong, or the boundary is a list."""
    try:
        hash(values)
    except TypeError:
        return False
    return True


# ── numbers per axis ──────────────────────────────────────────────────────────────────────────────────────────────────


def integer(call: Any, name: str, value: Any, least: int) -> int:
    """One whole number of at least `least`.

    Raises
    ------
    TypeError, ValueError
        For anything else.
    """
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{call}: {name}={value!r} is not an int: give a whole number of at least {least}") from None
    if number < least:
        raise ValueError(f"{call}: {name}={value!r} must be at least {least}")
    if number > MOST:
        raise ValueError(f"{call}: {name}={value!r} must be at most {MOST}: no array is so long")
    return number


def truth(call: Any, name: str, value: Any) -> bool:
    """True or False, and no word or array that might mean either.

    Raises
    ------
    TypeError
        For anything else.
    """
    if not isinstance(value, (bool, np.bool_)) and not (isinstance(value, int) and value in (0, 1)):
        raise TypeError(f"{call}: {name}={value!r} is neither True nor False: give one of them")
    return bool(value)


def per_axis(call: Any, name: str, value: Any, count: int, least: int = 1) -> Ints:
    """One whole number for each spatial axis, from one for all or one per axis.

    Raises
    ------
    TypeError, ValueError
        For values that are no whole numbers of at least `least`, and for another count.
    """
    if not isinstance(value, (tuple, list)) and not (isinstance(value, np.ndarray) and value.ndim):
        return (integer(call, name, value, least),) * count
    if len(value) != count:
        raise ValueError(
            f"{call}: {name}={value!r} has {len(value)} entries for {count} spatial axes: give one number for all, "
            f"or {count}"
        )
    return tuple(integer(call, name, entry, least) for entry in value)


# ── padding ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def pads(call: Any, padding: Any, lengths: Ints, extents: Ints, stride: Ints) -> Pads:
    """(lo, hi) for each spatial axis: how far output 0 reads before the first sample, the last beyond the last one.

    Parameters
    ----------
    padding : int, one per axis, one (lo, hi) pair per axis, or a word
        "same": ⌈length/stride⌉ outputs, an odd sample at the end (SAME_UPPER), with "same_lower" at the start;
        "causal": everything at the start, so that an output reads no later sample; "valid": none.
    extents : (K−1)·dilation + 1

    Raises
    ------
    TypeError, ValueError
        For unknown words, and for numbers that are not one per axis.
    """
    if isinstance(padding, str):
        if padding not in PADDINGS:
            raise ValueError(
                f"{call}: padding={padding!r} is unknown: use {', '.join(map(repr, PADDINGS))}, an int, one int per "
                "axis, or one (lo, hi) pair per axis"
            )
        return tuple(_named(padding, n, e, s) for n, e, s in zip(lengths, extents, stride, strict=True))
    count = len(lengths)
    padding = padding.tolist() if isinstance(padding, np.ndarray) else padding
    if _has_pairs(padding):
        if len(padding) != count:
            raise ValueError(
                f"{call}: padding={padding!r} has {len(padding)} pairs for {count} spatial axes: give one (lo, hi) "
                "pair per axis"
            )
        return tuple(_pair(call, entry) for entry in padding)
    if count == 1 and isinstance(padding, (tuple, list)) and len(padding) == 2:
        return (_pair(call, padding),)
    return tuple((p, p) for p in per_axis(call, "padding", padding, count, 0))


def _has_pairs(padding: Any) -> bool:
    return isinstance(padding, (tuple, list)) and any(isinstance(entry, (tuple, list)) for entry in padding)


def _pair(call: Any, entry: Any) -> tuple[int, int]:
    if not isinstance(entry, (tuple, list)) or len(entry) != 2:
        raise ValueError(f"{call}: padding entry {entry!r} is no (lo, hi) pair: give two ints for every axis")
    return integer(call, "padding", entry[0], 0), integer(call, "padding", entry[1], 0)


def _named(word: str, n: int, e: int, stride: int) -> tuple[int, int]:
    return _shared(word, max(0, (-(-n // stride) - 1) * stride + e - n), e)


def _shared(word: str, total: int, e: int) -> tuple[int, int]:
    """A total of padding divided between the two ends."""
    if word == "causal":
        return e - 1, max(0, total - e + 1)
    if word == "same":
        return total // 2, total - total // 2
    return (total - total // 2, total // 2) if word == "same_lower" else (0, 0)


def outputs(call: Any, lengths: Ints, extents: Ints, stride: Ints, padded: Pads, kernel: Ints, dilation: Ints) -> Ints:
    """⌊(length + lo + hi − extent)/stride⌋ + 1 per axis.

    Raises
    ------
    ValueError
        Where a kernel is larger than the padded input.
    """
    for axis, (n, e, (lo, hi)) in enumerate(zip(lengths, extents, padded, strict=True)):
        if e > n + lo + hi:
            raise ValueError(
                f"{call}: the kernel is larger than the padded input along spatial axis {axis}: it spans {e} samples "
                f"({kernel[axis]} taps, dilation {dilation[axis]}), the input has {n} + padding {lo} + {hi} = "
                f"{n + lo + hi}: use a padding of {e - n} in all, or a kernel that spans at most {n + lo + hi}"
            )
    found = tuple(
        (n + lo + hi - e) // s + 1 for n, e, s, (lo, hi) in zip(lengths, extents, stride, padded, strict=True)
    )
    if prod(found) > max(MOST, prod(lengths)):
        raise ValueError(
            f"{call}: padding={call.padding!r} makes {prod(found)} outputs of {prod(lengths)} samples: use less padding"
        )
    return found


@dataclass(frozen=True)
class Windows:
    """Where the windows of a pool lie, per spatial axis: window t holds t·stride + k·dilation − lo for k < kernel."""

    lengths: Ints
    kernel: Ints
    stride: Ints
    dilation: Ints
    pads: Pads
    outputs: Ints

    def starts(self, axis: int) -> np.ndarray:
        """Where each window begins along an axis; below 0 and beyond the length is the padding."""
        return np.arange(self.outputs[axis], dtype=np.int64) * self.stride[axis] - self.pads[axis][0]

    def met(self, axis: int, more: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Of each window the taps first … end − 1 that meet samples, or up to `more` places beyond the last one."""
        starts, d = self.starts(axis), self.dilation[axis]
        first, end = -(starts // d), -((starts - self.lengths[axis] - more) // d)
        return np.clip(first, 0, self.kernel[axis]), np.clip(end, 0, self.kernel[axis])

    def samples(self, axis: int) -> list[range]:
        """Which samples each window holds along an axis."""
        d = self.dilation[axis]
        ends = zip(self.starts(axis).tolist(), *(taps.tolist() for taps in self.met(axis)), strict=True)
        return [range(start + first * d, start + end * d, d) for start, first, end in ends]


def windows(call: Words, x_shape: Ints, size: Any, ceil_mode: bool) -> Windows:
    """The windows of a pool over x (N, C, *lengths); with `ceil_mode` also those that begin in x and end beyond.

    Raises
    ------
    TypeError, ValueError
        For every argument that cannot mean anything.
    """
    if len(x_shape) < 3:
        raise ValueError(
            f"{call}: x has shape {x_shape}, {len(x_shape)} dimensions: a pool needs at least 3 (batch, channels, one "
            "spatial axis)"
        )
    lengths, count = x_shape[2:], len(x_shape) - 2
    kernel = per_axis(call, "size", size, count)
    stride = kernel if call.stride is None else per_axis(call, "stride", call.stride, count)
    dilation = per_axis(call, "dilation", call.dilation, count)
    extents = tuple(map(extent, kernel, dilation))
    padded = pads(call, call.padding, lengths, extents, stride)
    reach = padded
    if truth(call, "ceil_mode", ceil_mode):
        reach = tuple(map(_stretched, lengths, extents, stride, padded))
    found = outputs(call, lengths, extents, stride, reach, kernel, dilation)
    return Windows(lengths, kernel, stride, dilation, padded, found)


def _stretched(n: int, e: int, stride: int, pair: tuple[int, int]) -> tuple[int, int]:
    """The padding with the places that a last window needs which begins before the end of x."""
    lo, hi = pair
    room = n + lo + hi - e
    start = room + -room % stride
    return (lo, hi + start - room) if 0 <= start < n + lo else pair


# ── the problem of a layer ────────────────────────────────────────────────────────────────────────────────────────────


def _ranks(call: Any, first: str, x_shape: Ints, w_shape: Ints) -> None:
    """One rank of at least three for both.

    Raises
    ------
    ValueError
        For mixed ranks, and where there is no spatial axis.
    """
    if len(w_shape) < 3:
        raise ValueError(
            f"{call}: w has shape {w_shape}, {len(w_shape)} dimensions: a layer has at least 3 "
            "(out channels, in channels per group, one spatial axis)"
        )
    if len(x_shape) != len(w_shape):
        hint = f"add the batch axis, {first}[None]" if len(x_shape) == len(w_shape) - 1 else "give both the same rank"
        raise ValueError(
            f"{call}: {first} has {len(x_shape)} dimensions {x_shape} and w has {len(w_shape)} {w_shape}: "
            f"{first} needs {len(w_shape)} (batch, channels, then as many spatial axes as w has): {hint}"
        )


def _channels(call: Any, groups: Any, channels: int, w_shape: Ints) -> int:
    """The number of groups, after the channels were checked against it.

    Raises
    ------
    ValueError
        Where channels do not divide into the groups, or w does not have as many as x.
    """
    count = integer(call, "groups", groups, 1)
    for name, number in (("input channels", channels), ("output channels (w.shape[0])", w_shape[0])):
        if number % count:
            fits = ", ".join(str(g) for g in range(1, number + 1) if number % g == 0)
            raise ValueError(f"{call}: {number} {name} do not divide into groups={count}: groups may be {fits}")
    if channels // count != w_shape[1]:
        raise ValueError(
            f"{call}: x has {channels} channels and w takes {w_shape[1]} per group in groups={count}, "
            f"{w_shape[1] * count} in all: give x {w_shape[1] * count} channels, or w the shape "
            f"{(w_shape[0], channels // count, *w_shape[2:])}"
        )
    return count


def forward(call: Words, x_shape: Ints, w_shape: Ints, kinds: tuple[np.dtype, np.dtype]) -> Problem:
    """The problem of a layer on x of this shape.

    Raises
    ------
    TypeError, ValueError
        For every argument that cannot mean anything.
    """
    _ranks(call, "x", x_shape, w_shape)
    groups = _channels(call, call.groups, x_shape[1], w_shape)
    count = len(w_shape) - 2
    stride, dilation = (per_axis(call, name, getattr(call, name), count) for name in ("stride", "dilation"))
    extents = tuple(map(extent, w_shape[2:], dilation))
    padded = pads(call, call.padding, x_shape[2:], extents, stride)
    lengths = outputs(call, x_shape[2:], extents, stride, padded, w_shape[2:], dilation)
    return _problem(call, x_shape, w_shape, kinds, groups, (stride, dilation, padded, lengths))


def _problem(
    call: Words, x_shape: Ints, w_shape: Ints, kinds: tuple[np.dtype, np.dtype], groups: int, geometry: Any
) -> Problem:
    stride, dilation, padded, lengths = geometry
    rules = bd.parse(call.boundary, len(w_shape) - 2, call)
    renormalised = any(rule.name == "omit" for ends in rules for rule in ends)
    return Problem(
        signal=(x_shape[0], *x_shape[2:]),
        taps=(1, *w_shape[2:]),
        outputs=(x_shape[0], *lengths),
        pad=(0, *(lo for lo, _ in padded)),
        up=(1,) * len(w_shape[1:]),
        down=(1, *stride),
        dilation=(1, *dilation),
        boundary=((bd.Rule("zero"), bd.Rule("zero")), *rules),
        groups=groups,
        channels_in=w_shape[1],
        channels_out=w_shape[0] // groups,
        signal_dtype=kinds[0],
        taps_dtype=kinds[1],
        dtype=describe.result_dtype(*kinds, renormalised),
    )


# ── transposed: which input lengths give these outputs ────────────────────────────────────────────────────────────────


def transposed(call: Words, x_shape: Ints, w_shape: Ints, kinds: tuple[np.dtype, np.dtype]) -> Problem:
    """The layer whose adjoint is asked for: from the transposed layer's output lengths to those of x.

    Raises
    ------
    TypeError, ValueError
        As `forward`, and for an output padding or output shape that no layer fits.
    """
    _ranks(call, "x", x_shape, w_shape)
    groups = integer(call, "groups", call.groups, 1)
    if x_shape[1] != w_shape[0] or w_shape[0] % groups:
        fits = ", ".join(str(g) for g in range(1, w_shape[0] + 1) if w_shape[0] % g == 0)
        raise ValueError(
            f"{call}: x has {x_shape[1]} channels, w takes {w_shape[0]} (w.shape[0]) in groups={groups}: x and w must "
            f"agree, and groups divide them ({fits})"
        )
    count = len(w_shape) - 2
    stride, dilation = (per_axis(call, name, getattr(call, name), count) for name in ("stride", "dilation"))
    more = output_padding(call, stride, dilation)
    extents = tuple(map(extent, w_shape[2:], dilation))
    lengths, padded = _unpadded(call, x_shape[2:], extents, stride, more)
    shape = (x_shape[0], groups * w_shape[1], *lengths)
    return _problem(call, shape, w_shape, kinds, groups, (stride, dilation, padded, x_shape[2:]))


def output_padding(call: Words, stride: Ints, dilation: Ints) -> Ints:
    """Per axis, less than the stride or the dilation.

    Raises
    ------
    TypeError, ValueError
        For anything else.
    """
    more = per_axis(call, "output_padding", call.output_padding, len(stride), 0)
    for axis, (p, s, d) in enumerate(zip(more, stride, dilation, strict=True)):
        if p >= max(s, d):
            raise ValueError(
                f"{call}: output_padding={call.output_padding!r} is too large along spatial axis {axis}: it must be "
                f"smaller than the stride ({s}) or the dilation ({d}), so at most {max(s, d) - 1}"
            )
    return more


def _unpadded(call: Words, n: Ints, extents: Ints, stride: Ints, more: Ints) -> tuple[Ints, Pads]:
    """Lengths of the transposed layer's output and the padding that it takes away."""
    count = len(n)
    wanted = None if call.shape is None else _output_shape(call, call.shape, count)
    widest = tuple((m - 1) * s + e + p for m, s, e, p in zip(n, stride, extents, more, strict=True))
    if isinstance(call.padding, str) and call.padding in ("same", "same_lower", "causal"):
        lengths = wanted or tuple(m * s for m, s in zip(n, stride, strict=True))
        word = call.padding
        padded = tuple(
            _shared(word, max(0, w - length), e) for w, length, e in zip(widest, lengths, extents, strict=True)
        )
    else:
        padded = pads(call, call.padding, n, extents, stride)
        lengths = tuple(w - lo - hi for w, (lo, hi) in zip(widest, padded, strict=True))
    _fits(call, wanted or lengths, widest, padded, stride, more)
    return wanted or lengths, padded


def _output_shape(call: Words, value: Any, count: int) -> Ints:
    """The spatial lengths asked for; batch and channels may stand in front."""
    if isinstance(value, (tuple, list)) and len(value) == count + 2:
        value = value[2:]
    return per_axis(call, "output_shape", value, count)


def _fits(call: Words, lengths: Ints, widest: Ints, padded: Pads, stride: Ints, more: Ints) -> None:
    for axis, (length, w, (lo, hi), s, p) in enumerate(zip(lengths, widest, padded, stride, more, strict=True)):
        least = w - lo - hi
        if least < 1 and length < 1:
            raise ValueError(
                f"{call}: padding={call.padding!r} takes {lo} + {hi} samples of {w} along spatial axis {axis} and "
                f"leaves none: use at most {w - 1} in all"
            )
        last = max(least, w - p - lo - hi + s - 1)
        if not max(1, least) <= length <= last:
            raise ValueError(
                f"{call}: output_shape={call.shape!r} does not fit along spatial axis {axis}: with this stride ({s}), "
                f"kernel and padding the output has {max(1, least)} to {last} samples"
            )


# ── gradients ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def of_gradient(call: Words, gy: Ints, x_shape: Ints, w_shape: Ints, kinds: tuple[np.dtype, np.dtype]) -> Problem:
    """The problem of the layer whose gradient is asked for, after gy was checked to have the shape of its output.

    Raises
    ------
    ValueError
        Where gy has another shape, and as `forward`.
    """
    problem = forward(call, x_shape, w_shape, kinds)
    shape = (problem.outputs[0], w_shape[0], *problem.outputs[1:])
    if gy != shape:
        raise ValueError(f"{call}: gy has shape {gy}, the layer's output has {shape}: pass the output's gradient")
    return problem


def shape(call: Any, name: str, value: Any) -> Ints:
    """A shape given as a tuple of whole numbers.

    Raises
    ------
    TypeError, ValueError
        For anything else.
    """
    if not isinstance(value, (tuple, list)):
        raise TypeError(f"{call}: {name}={value!r} is not a tuple of ints: pass the array's shape")
    return tuple(integer(call, name, entry, 1) for entry in value)
