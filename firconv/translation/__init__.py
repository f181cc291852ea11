"""The same operation in another system's words: arguments and code that can be pasted, or the reason why there is none.

`translate` takes a call of firconv, a plan, or what `firconv.identify` found. The table in docs/conventions-table.md is
written by ``python -m firconv.translation``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from firconv.conventions import Rule, boundary_names
from firconv.translation import arrays, images, nets, pieces
from firconv.translation.pieces import Code
from firconv.translation.source import Impossible, Source, rule_of, source_of

__all__ = ["SYSTEMS", "Translation", "translate"]

SYSTEMS: dict[str, Callable[[Source], Code]] = {
    "numpy": arrays.numpy,
    "scipy.signal": arrays.scipy_signal,
    "scipy.ndimage": arrays.ndimage,
    "torch": nets.torch,
    "opencv": images.opencv,
    "matlab": images.matlab,
    "onnx": nets.onnx,
}
ALIASES = {
    "np": "numpy",
    "scipy": "scipy.signal",
    "signal": "scipy.signal",
    "ndimage": "scipy.ndimage",
    "cv2": "opencv",
    "pytorch": "torch",
}


@dataclass(frozen=True)
class Translation:
    """How another system computes the same; prints as code, or as the reason why it cannot.

    Attributes
    ----------
    to : the system
    code : lines that compute y from x and h; empty if the system cannot
    call : the one line of it that filters
    arguments : function; flip (of the taps); boundary (its word); before, after (samples read beyond each end);
        stride, up, dilation; for reading, the code is complete without them
    reason : why the system cannot; empty if it can
    notes : what to know before pasting
    """

    to: str
    code: str = ""
    call: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)
    reason: str = ""
    notes: tuple[str, ...] = ()

    @property
    def possible(self) -> bool:
        """True if there is code."""
        return bool(self.code)

    def __bool__(self) -> bool:
        return self.possible

    def __str__(self) -> str:
        if not self.possible:
            return f"{self.to} cannot: {self.reason}"
        mark = "%" if self.to == "matlab" else "#"
        return "\n".join([*(f"{mark} {note}" for note in self.notes), self.code])


def translate(call: Any, to: str, *, ndim: int | None = None) -> Translation:
    """Write an operation in the words of another system: flip, origin or anchor, padding, boundary and strides.

    Parameters
    ----------
    call : str, functools.partial, Plan or Found
        A call of firconv as text, ``'convolve(x, h, "same", boundary="edge")'``, or as a partial of
        `firconv.convolve` or `firconv.correlate`; a plan; or what `firconv.identify` found.
    to : {"numpy", "scipy.signal", "scipy.ndimage", "torch", "opencv", "matlab", "onnx"}
    ndim : int, optional
        Dimensions of signal and taps, for a call; default as many as its lists have, else 1.

    Returns
    -------
    Translation
        Its `code` computes ``y`` from ``x`` and ``h`` (tensors for torch, arrays else).

    Raises
    ------
    ValueError
        For an unknown system, a call that means nothing, or a function that was not identified.
    TypeError
        For something that is no call.

    Examples
    --------
    >>> print(translate('correlate(x, h, "same", boundary="reflect")', "scipy.ndimage").code)
    from scipy import ndimage
    y = ndimage.correlate(x, h, mode="mirror")
    >>> print(translate('convolve(x, h, "same", boundary="symmetric")', "torch").reason)
    torch pads with zeros, 'reflect' (dcb│abcd│cba), 'replicate' or 'circular': it has no 'symmetric'
    """
    system = named(to)
    try:
        source = source_of(call, ndim)
        return _renormalised(source, system) if pieces.renormalised(source) else _written(source, system)
    except Impossible as why:
        return Translation(system, reason=str(why))


def named(to: str) -> str:
    """The name of a system in `SYSTEMS`, from that or an alias.

    Raises
    ------
    ValueError
        If it is none.
    """
    system = ALIASES.get(str(to).lower(), str(to).lower())
    if system not in SYSTEMS:
        raise ValueError(f"translate(call, to): to={to!r} is unknown: use one of {', '.join(SYSTEMS)}")
    return system


def _written(source: Source, system: str) -> Translation:
    code = SYSTEMS[system](source)
    call = next(line for line in reversed(code.lines) if line.startswith(("y = ", "node = ")))
    return Translation(
        system, code.text(), call, _arguments(source, system, call), "", tuple(dict.fromkeys(code.notes))
    )


#: What each boundary is called by the function that a system pads or filters with.
_WORDS = {
    "numpy": "numpy",
    "scipy.signal": "scipy",
    "scipy.ndimage": "ndimage",
    "torch": "torch",
    "opencv": "cv2",
    "matlab": "matlab",
    "onnx": "numpy",
}
_FUNCTION = re.compile(r"(?:np|signal|ndimage|cv2|F)\.\w+|imfilter|conv2?|upfirdn|(?<=\")Conv\w*")


def _arguments(source: Source, system: str, call: str) -> dict[str, Any]:
    names = _FUNCTION.findall(call)
    rule, code = rule_of(source), Code(source)
    word = boundary_names(rule.name).get(_WORDS[system]) if rule else None
    axes = list(enumerate(source.axes))
    return {
        "function": next((n for n in names if "pad" not in n), "") or "sliding_window_view",
        "flip": "::-1" in call
        or "flip(" in call
        or "rot90" in call
        or (system == "onnx" and source.convention.op == "convolve"),
        "boundary": word,
        "before": tuple(code.size(a.lead, i) for i, a in axes),
        "after": tuple(code.size(a.tail, i) for i, a in axes),
        "stride": tuple(a.down for _, a in axes),
        "up": tuple(a.up for _, a in axes),
        "dilation": tuple(a.dilation for _, a in axes),
    }


def _renormalised(source: Source, system: str) -> Translation:
    """omit: the result with zeros, divided by what ones give, times the sum of the taps."""
    if system in ("matlab", "onnx"):
        raise Impossible(
            "there is no boundary that renormalises the weights: divide by the same call on ones, times the sum of h"
        )
    if any(a.up > 1 for a in source.axes):
        raise Impossible("'omit' with zeros between the samples has no counterpart")
    zero = Rule("zero")
    axes = tuple(replace(a, low=zero, high=zero) for a in source.axes)
    bare = replace(source, convention=replace(source.convention, axes=axes), gain=1.0)
    inner = SYSTEMS[system](bare)
    lines = [f"    {line.replace('y = ', 'return ', 1) if line.startswith('y = ') else line}" for line in inner.lines]
    ones = "x.new_ones(x.shape)" if system == "torch" else "np.ones(x.shape)"
    total = "h.conj().sum()" if source.convention.conjugated == "taps" else "h.sum()"
    inner.lines = [
        "def zeros_outside(x, h):",
        *lines,
        "",
        f"y = {pieces.scaled(source, f'zeros_outside(x, h) * {total} / zeros_outside({ones}, h)')}",
    ]
    if system != "torch":
        inner.need("import numpy as np")
    arguments = _arguments(source, system, " ".join(inner.lines))
    return Translation(system, inner.text(), inner.lines[-1], arguments, "", tuple(dict.fromkeys(inner.notes)))
