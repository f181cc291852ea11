"""The report that an identification prints: a few lines, none of them empty."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

import numpy as np

from firconv.conventions import Axis, boundary_text
from firconv.identification import ends, types

if TYPE_CHECKING:
    from firconv.identification.found import Found


TIED = "\u00a0"  # a space at which no line ends


def text(found: Found) -> str:
    """The whole report, 80 columns wide."""
    rows = [(name, line) for name, line in _rows(found) if line]
    rows += [("evidence", line) for line in found.evidence] + [("finding", line) for line in found.findings]
    return "\n".join([_title(found), *(_row(name, line) for name, line in rows)])


def _row(name: str, text: str) -> str:
    """A name, and lines beside it."""
    lines = [part for line in text.split("\n") for part in _folded(line)]
    return f"  {name:<13}" + f"\n{'':15}".join(lines)


def _folded(line: str) -> list[str]:
    parts = wrap(line, 65, break_long_words=False, break_on_hyphens=False) if len(line) > 65 else [line]
    return [part.replace(TIED, " ") for part in parts]


def _title(found: Found) -> str:
    if found.evidence:
        return "not identified"
    names = {
        "convolution": "convolution of the signal with the taps",
        "correlation": "correlation of the signal with the taps",
        "filter": "filter with fixed taps",
    }
    return names.get(str(found.operation), "not identified")


def _rows(f: Found) -> list[tuple[str, str]]:
    return [
        ("linear", _linear(f)),
        ("shifts", _shifts(f)),
        ("equation", _equation(f)),
        ("taps", _taps(f)),
        ("window", _window(f)),
        ("boundary", _boundary(f)),
        ("strides", _strides(f)),
        ("conjugates", _conjugates(f)),
        ("gain", _gain(f)),
        ("types", _types(f)),
        ("NaN", f"one NaN reaches {f.nan}" if f.convention else ""),
        ("long taps", _long(f)),
        ("repeatable", f.repeatable or ""),
        ("precision", "" if f.precision == "unknown" else types.precision_text(f.precision)),
        ("reproduced", "" if f.error is None else f"to {f.error:.1e} of the largest output, on new random signals"),
        ("spent", f"{f.calls} calls, {f.seconds:.2g} s"),
    ]


def _linear(f: Found) -> str:
    if f.linear is None:
        return ""
    return "yes" if f.linear else "no, affine: it adds the response of what lies beyond the ends" if f.affine else "no"


def _shifts(f: Found) -> str:
    if f.shift_invariant is None:
        return ""
    return (
        "invariant"
        if f.shift_invariant
        else "with a period (decimation or interpolation)"
        if f.convention
        else "varies"
    )


def _equation(f: Found) -> str:
    c = f.convention
    if c is None:
        return ""
    if f.operation == "filter":
        return "y[t] = Σ h[k]·x̃[t + c − k]"
    tap = "conj(h[k])" if f.conjugated == "taps" else "h[k]"
    sample = "conj(x̃[{}])" if f.conjugated == "signal" else "x̃[{}]"
    sign = "(c − k)" if c.op == "convolve" else "(k − c)"
    step = "" if f.dilation == 1 else "·dilation"
    return f"y[t] = Σ {tap}·{sample.format('t + ' + (sign + step if step else sign.strip('()')))}"


def _taps(f: Found) -> str:
    if f.fir is None:
        return ""
    line = np.array2string(f.fir.taps, precision=5, threshold=12, edgeitems=3, separator=", ", max_line_width=65)
    return f"{'×'.join(map(str, f.fir.shape))}: {line}"


def _window(f: Found) -> str:
    c = f.convention
    if c is None:
        return ""
    if f.fir is not None:
        return ", ".join(
            dict.fromkeys("as many outputs as samples" if a.mode == "same" else _counted(a) for a in c.axes)
        ) + (f", origin c = {f.fir.origin}" + (" (the centre)" if f.fir.origins == _middle(f) else ""))
    parts = []
    for axis, origin in zip(c.axes, f.origins, strict=True):
        plain = axis.mode if axis.mode != "same" else f"same, origin c = {origin}"
        parts.append(_counted(axis) if axis.mode == "other" or (axis.mode == "same" and origin is None) else plain)
    whole = parts[0] if len(set(parts)) == 1 else "; ".join(f"axis {i}: {p}" for i, p in enumerate(parts))
    return whole + (f"  ({', '.join(f.presets)})" if f.presets else "")


def _counted(axis: Axis) -> str:
    return f"reads from {axis.lead} before the first sample to {axis.tail} after the last"


def _middle(f: Found) -> tuple[int, ...] | None:
    return tuple((k - 1) // 2 for k in f.fir.shape) if f.fir and all(k % 2 for k in f.fir.shape) else None


def _boundary(f: Found) -> str:
    if f.ends is None:
        return ""
    text = ends.describe(f.ends)
    picture = f.pattern or ends.picture(f.ends)
    if picture:
        text += f"   {picture}"
    rule = f.boundary[0] if isinstance(f.boundary, tuple) and f.boundary and f.boundary[0] == "constant" else f.boundary
    if isinstance(rule, str) and boundary_text(rule):
        text += "\n" + boundary_text(rule).replace(" ", TIED).replace(f",{TIED}", ", ")
    return text + (
        f"\nso short a reach cannot tell {' from '.join(f.ends.fits)}" if len(f.ends.fits) > 1 else ""
    )


def _strides(f: Found) -> str:
    if f.convention is None or f.up == f.down == f.dilation == 1:
        return ""
    return f"up {f.up}, down {f.down}, dilation {f.dilation}"


def _conjugates(f: Found) -> str:
    if f.convention is None:
        return ""
    return {
        "taps": "the taps",
        "signal": "the signal",
        "none": "nothing",
        "dropped": "nothing; imaginary parts are dropped",
    }.get(f.conjugated or "", "complex numbers are refused")


def _gain(f: Found) -> str:
    if f.convention is None or (f.gain == 1 and not f.normalised):
        return ""
    return f"{f.gain:.6g}" + (f", divided by {f.normalised}" if f.normalised else "")


def _types(f: Found) -> str:
    if not f.types:
        return ""
    refused = [x if x == h else f"{x}·{h}" for (x, h), out in f.types.items() if out == "refused"]
    line = f.type_rule if f.type_rule != "by table" else types.grouped(f.types)
    line += f"; integers {f.casting}" if f.casting and f.casting != "unknown" else ""
    return line + (f"; refused: {', '.join(refused)}" if refused else "")


def _long(f: Found) -> str:
    return {
        "same": "the same rule where taps are longer than the signal",
        "refused": "taps longer than the signal are refused",
        "exchanged": "signal and taps are exchanged where taps are longer",
        "differs": "another rule where taps are longer than the signal",
    }.get(f.short or "", "")
