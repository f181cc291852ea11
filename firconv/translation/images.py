"""OpenCV and MATLAB: systems of images, with an anchor and with 1-based indices."""

from __future__ import annotations

import re
from textwrap import wrap

from firconv.conventions import LOWER, UPPER, Axis, Rule, Size, boundary_names
from firconv.translation import pieces
from firconv.translation.pieces import Code
from firconv.translation.source import Impossible, Source, always, plain, rule_of, without_down

# ── OpenCV ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def opencv(source: Source) -> Code:
    """filter2D with anchor and border; after copyMakeBorder where that is not enough. A 1-D signal is one row."""
    if source.ndim > 2:
        raise Impossible("cv2.filter2D filters images: at most two axes")
    if source.imaginary:
        raise Impossible("cv2.filter2D takes real numbers only: filter real and imaginary part each")
    code = Code(source, "import cv2")
    pieces.prepare(code)
    code.notes.append(
        "integers are rounded and saturated to the signal's type: make them float first; no complex numbers"
    )
    taps = pieces.dilated(code, "h" if source.convention.op == "correlate" else pieces.flipped(source))
    rule = rule_of(source)
    if rule is None or rule.name not in ("zero", "edge", "symmetric", "reflect") or not pieces.inside(code):
        return _bordered(code, taps)
    border = f", borderType=cv2.BORDER_{boundary_names(rule.name)['cv2']}" if rule.name != "reflect" else ""
    call = f"{_filter(code, taps, _anchor(code) + border)}{pieces.kept(source)}"
    code.lines.append(f"y = {pieces.scaled(source, call)}")
    return code


def _filter(code: Code, taps: str, words: str) -> str:
    if code.ndim == 2:
        return f"cv2.filter2D(x, -1, {taps}{words})"
    return f"cv2.filter2D(x[None, :], -1, {taps}[None, :]{words})[0]"


def _anchor(code: Code) -> str:
    """(x, y) order; nothing for the centre that OpenCV takes by itself, K//2."""
    axes = code.source.axes
    if all(a.lead == UPPER * a.dilation and a.dilation == 1 for a in axes):
        return ""
    places = [code.size(a.lead, i) for i, a in reversed(list(enumerate(axes)))]
    return f", anchor=({', '.join([*places, '0'] if code.ndim == 1 else places)})"


def _bordered(code: Code, taps: str) -> Code:
    source = code.source
    if any(a.up > 1 for a in source.axes):
        pieces.numpy_padded(code)
    else:
        _make_border(code)
    base = "w" if taps == "w" else "h"
    parts = [
        f":x.shape[{i}] - {base}.shape[{i}] + 1" + (f":{a.down}" if a.down > 1 else "")
        for i, a in enumerate(source.axes)
    ]
    words = ", anchor=(0, 0), borderType=cv2.BORDER_CONSTANT"
    call = f"{_filter(code, taps, words)}{pieces.slices(parts)}"
    code.lines.append(f"y = {pieces.scaled(source, call)}")
    return code


def _make_border(code: Code) -> None:
    axes = code.source.axes
    low = [pieces._pad(code, i, a, a.lead) for i, a in enumerate(axes)]
    high = [pieces._pad(code, i, a, a.tail) for i, a in enumerate(axes)]
    ends = [
        (i, s, t, r) for i, a in enumerate(axes) for s, t, r in ((0, low[i], a.low), (1, high[i], a.high)) if t != "0"
    ]
    if len({e[3].name for e in ends}) > 1 and any(e[3].name == "wrap" for e in ends):
        raise Impossible("'wrap' mixed with another rule would read what copyMakeBorder had added")
    for rule in dict.fromkeys(e[3] for e in ends):
        widths = [["0", "0"], ["0", "0"]]
        for i, side, text, r in ends:
            if r == rule:
                widths[i if code.ndim == 2 else 1][side] = text
        code.lines.append(_border(code, rule, ", ".join(widths[0] + widths[1])))
    cut = [pieces._cut(code, i, a, low[i], high[i]) for i, a in enumerate(axes)]
    if pieces.slices(cut):
        code.lines.append(f"x = x{pieces.slices(cut)}")


def _border(code: Code, rule: Rule, widths: str) -> str:
    word = boundary_names(rule.name).get("cv2")
    if word is None:
        raise Impossible(f"OpenCV has no border like {rule.name!r}")
    value = f", value={rule.value!r}" if rule.name == "constant" else ""
    inner = "x" if code.ndim == 2 else "x[None, :]"
    return f"x = cv2.copyMakeBorder({inner}, {widths}, cv2.BORDER_{word}{value})" + ("" if code.ndim == 2 else "[0]")


# ── MATLAB ────────────────────────────────────────────────────────────────────────────────────────────────────────────


class Lines(Code):
    """Lines of MATLAB, whose axes count from 1."""

    def lengths(self) -> list[str]:
        """Lines that name the lengths which are used, before signal and taps change."""
        body, lines = "\n".join(self.lines), []
        for name, array in (("K", "h"), ("N", "x")):
            for i in range(1, self.ndim + 1):
                label, value = (name, f"numel({array})") if self.ndim == 1 else (f"{name}{i}", f"size({array}, {i})")
                lines += [f"{label} = {value};"] if re.search(rf"\b{label}\b", body) else []
        return lines


def matlab(source: Source) -> Code:
    """conv, conv2 and imfilter; padarray or indices before a valid conv where they do not do."""
    if source.ndim > 2:
        raise Impossible("this writes MATLAB for vectors and matrices; use convn and padarray for more dimensions")
    code = Lines(source)
    code.notes.append("text for MATLAB with row vectors; imfilter and padarray are in the Image Processing Toolbox")
    whole, rule = without_down(source), rule_of(source)
    _matlab_taps(code)
    if any(a.up > 1 for a in source.axes):
        call = _matlab_upfirdn(code, rule)
    else:
        call = _matlab_conv(code, whole, rule) or _imfilter(code, whole, rule) or _matlab_padded(code)
    code.lines.append(f"y = {pieces.scaled(source, call)};")
    _matlab_down(code)
    return code


def _matlab_taps(code: Code) -> None:
    source = code.source
    if source.taps is not None:
        rows = source.taps.reshape(-1, source.taps.shape[-1]).tolist()
        whole = f"h = [{'; '.join(' '.join(repr(v) for v in row) for row in rows)}];"
        code.head.append(" ...\n".join(wrap(whole, 76, subsequent_indent="    ", break_long_words=False)))
    if source.normalised:
        norm = {
            "sum(h)": "sum(h(:))",
            "sum(abs(h))": "sum(abs(h(:)))",
            "K": "numel(h)",
            "norm(h)": "norm(h(:))",
            "max(abs(h))": "max(abs(h(:)))",
        }[source.normalised]
        code.head.append(f"h = h / {norm};")
    if source.convention.conjugated == "signal":
        code.head.append("x = conj(x);")
    dilations = [a.dilation for a in source.axes]
    if set(dilations) != {1}:
        rows_, columns = dilations if source.ndim == 2 else (1, dilations[0])
        code.lines += [
            f"w = zeros((size(h, 1) - 1)*{rows_} + 1, (size(h, 2) - 1)*{columns} + 1);",
            f"w(1:{rows_}:end, 1:{columns}:end) = h;",
            "h = w;",
        ]


def _turned(source: Source) -> str:
    """Taps for conv: turned round for a correlation, conjugated where wanted (conv never conjugates)."""
    taps = "h" if source.convention.conjugated != "taps" else "conj(h)"
    return taps if source.convention.op == "convolve" else f"rot90({taps}, 2)"


def _conv(source: Source) -> str:
    return "conv2" if source.ndim == 2 else "conv"


def _origins(source: Source, size: Size) -> bool:
    """True if every axis is the whole signal with this origin, counted on the dilated taps."""
    op = source.convention.op
    return all(a.mode == "same" and (a.origin(op) == size if a.dilation == 1 else False) for a in source.axes)


def _matlab_conv(code: Code, whole: Source, rule: Rule | None) -> str | None:
    modes = {a.mode for a in whole.axes}
    if rule is None or rule.name != "zero" or len(modes) > 1:
        return None
    mode = modes.pop()
    turned = Size(k=1, one=-1) - UPPER  # conv's K//2 seen from taps that are turned round
    if mode == "same" and not _origins(whole, UPPER if whole.convention.op == "convolve" else turned):
        return None
    if mode not in ("full", "same", "valid"):
        return None
    return f"{_conv(whole)}(x, {_turned(whole)}, '{mode}')"


def _imfilter(code: Code, whole: Source, rule: Rule | None) -> str | None:
    op = whole.convention.op
    words = {
        "constant": f"{rule.value:g}" if rule and rule.name == "constant" else "",
        "zero": "0",
        "edge": "'replicate'",
        "symmetric": "'symmetric'",
        "wrap": "'circular'",
    }
    if rule is None or rule.name not in words or not plain(whole):
        return None
    if not _origins(whole, UPPER if op == "convolve" else LOWER) or whole.convention.conjugated == "signal":
        return None
    taps = "conj(h)" if whole.convention.conjugated == "taps" else "h"
    return f"imfilter(x, {taps}, {words[rule.name]}, 'same', '{'conv' if op == 'convolve' else 'corr'}')"


def _matlab_padded(code: Code) -> str:
    source = code.source
    for i, a in enumerate(source.axes):
        low, high = (_matlab_size(code, s, i) for s in (a.lead, a.tail))
        for rule, size, width, side in ((a.low, a.lead, low, "pre"), (a.high, a.tail, high, "post")):
            if not always(size, most=Size()):
                _matlab_pad(code, i, a, rule, width if always(size, least=0) else f"max({width}, 0)", side)
        _matlab_cut(code, i, a, low, high)
    return f"{_conv(source)}(x, {_turned(source)}, 'valid')"


def _matlab_pad(code: Code, i: int, a: Axis, rule: Rule, width: str, side: str) -> None:
    if a.low != a.high and rule.name == "wrap":
        raise Impossible("'wrap' at one end only would read what padarray had added at the other")
    if rule.name in ("reflect", "wrap"):  # by indices, both ends at once
        if side == "post" and a.low == a.high and not always(a.lead, most=Size()):
            return
        _matlab_index(code, i, a, rule.name)
        return
    words = {"zero": "0", "constant": f"{rule.value:g}", "edge": "'replicate'", "symmetric": "'symmetric'"}.get(
        rule.name
    )
    if words is None:
        raise Impossible(f"MATLAB's padarray has no {rule.name!r} extension")
    amount = f"[{width}, 0]" if code.ndim == 2 and i == 0 else f"[0, {width}]"
    code.lines.append(f"x = padarray(x, {amount}, {words}, '{side}');")


def _matlab_index(code: Code, i: int, a: Axis, name: str) -> None:
    low = _matlab_size(code, a.lead, i) if a.low.name == name else "0"
    high = _matlab_size(code, a.tail, i) if a.high.name == name else "0"
    parts = {
        "reflect": (f"{low} + 1:-1:2", "1:end", f"end - 1:-1:end - ({high})"),
        "wrap": (f"end - ({low}) + 1:end", "1:end", f"1:{high}"),
    }[name]
    chosen = [p for p, size in zip(parts, (low, "1", high), strict=True) if size != "0"]
    places = f"[{', '.join(chosen)}]"
    code.lines.append(f"x = x({places if code.ndim == 1 else f'{places}, :' if i == 0 else f':, {places}'});")


def _matlab_cut(code: Code, i: int, a: Axis, low: str, high: str) -> None:
    first = "1" if always(a.lead, least=0) else f"1 + max(-({low}), 0)"
    last = "end" if always(a.tail, least=0) else f"end - max(-({high}), 0)"
    if (first, last) != ("1", "end"):
        place = f"{first}:{last}"
        code.lines.append(f"x = x({place if code.ndim == 1 else f'{place}, :' if i == 0 else f':, {place}'});")


def _matlab_upfirdn(code: Code, rule: Rule | None) -> str:
    source = code.source
    a = source.axes[0]
    if source.ndim > 1 or rule is None or rule.name != "zero" or a.mode != "full":
        raise Impossible(
            "MATLAB's upfirdn gives the full result of vectors with zeros beyond their ends; this is another window"
        )
    return f"upfirdn(x, {_turned(source)}, {a.up}, {a.down})"


def _matlab_down(code: Code) -> None:
    axes = code.source.axes
    if all(a.down == 1 for a in axes) or any(a.up > 1 for a in axes):
        return
    code.lines.append(f"y = y({', '.join(f'1:{a.down}:end' for a in axes)});")


def _matlab_size(code: Code, size: Size, i: int) -> str:
    """A form in MATLAB's words: lengths by name, floor instead of //."""
    names = ("K", "N") if code.ndim == 1 else (f"K{i + 1}", f"N{i + 1}")
    return re.sub(r"((?:\([^()]*\)|\w+)(?:\*\d+)?)//2", r"floor(\1/2)", size.text(*names))
