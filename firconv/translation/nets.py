"""torch and ONNX: layers, which correlate and never conjugate."""

from __future__ import annotations

from firconv.conventions import Axis, Rule, Size, boundary_names
from firconv.translation import pieces
from firconv.translation.pieces import Code, positive
from firconv.translation.source import Impossible, Source, always, rule_of

NO_HALF = "torch pads with zeros, 'reflect' (dcb│abcd│cba), 'replicate' or 'circular': it has no {!r}"


# ── torch ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def torch(source: Source) -> Code:
    """F.conv1d … conv3d, after F.pad where padding= does not do; F.conv_transpose for a stuffed signal."""
    if source.ndim > 3:
        raise Impossible("torch convolves along at most three axes")
    code = Code(source, "import torch.nn.functional as F")
    code.notes.append("x and h are tensors of one floating type")
    if source.taps is not None:
        code.need("import torch")
    _torch_taps(code)
    stuffed = any(a.up > 1 for a in source.axes)
    rule = rule_of(source)
    call = _transposed(code) if stuffed and rule and rule.name == "zero" else _convolved(code, stuffed)
    code.lines.append(f"y = {pieces.scaled(source, call)}")
    return code


def _torch_taps(code: Code) -> None:
    pieces.prepare(code)
    source = code.source
    code.head = [line.replace("h.size", "h.numel()") for line in code.head]
    if source.taps is not None:
        code.imports.remove("import numpy as np")
        code.head = [
            line.replace("np.array(", "torch.tensor(").replace("])", "], dtype=x.dtype)") for line in code.head
        ]


def _turned(source: Source, flip: bool) -> str:
    dims = tuple(range(source.ndim))
    return (f"h.flip({dims if source.ndim > 1 else 0})" if flip else "h") + pieces.conjugate(source, "none")


def _lifted(name: str) -> str:
    return f"{name}[None, None]"


def _words(name: str, values: list[str], plain: str) -> str:
    if set(values) == {plain}:
        return ""
    return f", {name}={values[0] if len(set(values)) == 1 else '(' + ', '.join(values) + ')'}"


def _convolved(code: Code, stuffed: bool) -> str:
    source = code.source
    axes, taps = source.axes, _turned(source, source.convention.op == "convolve")
    options = _words("stride", [str(a.down) for a in axes], "1") + _words(
        "dilation", [str(a.dilation) for a in axes], "1"
    )
    rule = rule_of(source)
    native = None if stuffed or rule is None or rule.name != "zero" else _padding(code)
    if native is None:
        _torch_padded(code, stuffed)
    return f"F.conv{source.ndim}d({_lifted('x')}, {_lifted(taps)}{native or ''}{options})[0, 0]"


def _padding(code: Code) -> str | None:
    """The argument padding=, if both ends of every axis are padded alike."""
    axes = code.source.axes
    if all(a.room == Size() and a.down == 1 and _split_in_two(a) for a in axes) and not all(
        a.lead == Size() for a in axes
    ):
        return ', padding="same"'
    if all(a.lead == a.tail and always(a.lead, least=0) for a in axes):
        return _words("padding", [code.size(a.lead, i) for i, a in enumerate(axes)], "0")
    return None


def _split_in_two(a: Axis) -> bool:
    """True if the lead is (K − 1)·dilation//2, as padding="same" has it."""
    half = Size(centre=1, spacing=a.dilation)
    return all(a.lead.at(0, k) == half.at(0, k) for k in range(1, 20))


def _torch_padded(code: Code, stuffed: bool) -> None:
    axes = code.source.axes
    low, high = (
        [_samples(code, i, a, size) for i, (a, size) in enumerate(zip(axes, sizes, strict=True))]
        for sizes in ([a.lead for a in axes], [a.tail for a in axes])
    )
    _pad_calls(code, low, high)
    if stuffed:
        shape = [f"(x.shape[{i}] - 1)*{a.up} + 1" if a.up > 1 else f"x.shape[{i}]" for i, a in enumerate(axes)]
        code.lines += [
            f"xs = x.new_zeros({', '.join(shape)})",
            f"xs[{', '.join('::' + str(a.up) if a.up > 1 else ':' for a in axes)}] = x",
            "x = xs",
        ]
    cut = [pieces._cut(code, i, a, low[i], high[i]) for i, a in enumerate(axes)]
    if pieces.slices(cut):
        code.lines.append(f"x = x{pieces.slices(cut)}")


def _samples(code: Code, i: int, a: Axis, size: Size) -> str:
    return pieces._pad(code, i, a, size) if a.up > 1 else positive(size, code.size(size, i))


def _pad_calls(code: Code, low: list[str], high: list[str]) -> None:
    ends = [
        (i, side, text, rule)
        for i, a in enumerate(code.source.axes)
        for side, text, rule in ((0, low[i], a.low), (1, high[i], a.high))
        if text != "0"
    ]
    for rule in dict.fromkeys(e[3] for e in ends):
        widths = ["0"] * (2 * code.ndim)
        for i, side, text, r in ends:
            if r == rule:
                widths[2 * (code.ndim - 1 - i) + side] = text  # F.pad counts from the last axis
        code.lines.append(f"x = F.pad({_lifted('x')}, ({', '.join(widths)}){_mode(rule)})[0, 0]")
        if rule.name in ("reflect", "wrap"):
            code.notes.append("torch refuses to pad by more than the signal is long")
    if len({e[3].name for e in ends}) > 1 and any(e[3].name == "wrap" for e in ends):
        raise Impossible("'wrap' mixed with another rule would read what padding had added")


def _mode(rule: Rule) -> str:
    if rule.name == "zero":
        return ""
    if rule.name == "constant":
        return f", value={rule.value!r}"
    word = boundary_names(rule.name).get("torch")
    if word is None:
        raise Impossible(NO_HALF.format(rule.name))
    return f', mode="{word}"'


def _transposed(code: Code) -> str:
    """The full result of the transposed layer, then the outputs wanted of it."""
    source = code.source
    axes, taps = source.axes, _turned(source, source.convention.op == "correlate")
    options = _words("stride", [str(a.up) for a in axes], "1")
    margins = [(a.lead - a.reach, a.tail - a.reach) for a in axes]
    even = all(first == last and always(first, most=Size()) for first, last in margins)
    if even:
        options += _words("padding", [code.size(first * -1, i) for i, (first, _) in enumerate(margins)], "0")
    options += _words("dilation", [str(a.dilation) for a in axes], "1")
    call = f"F.conv_transpose{source.ndim}d({_lifted('x')}, {_lifted(taps)}{options})"
    if not even:
        widths = [code.size(m, i) for i, pair in reversed(list(enumerate(margins))) for m in pair]
        call = f"F.pad({call}, ({', '.join(widths)}))"
        code.notes.append("a negative width of F.pad cuts")
    parts = ["0", "0", *(":" if a.down == 1 else f"::{a.down}" for a in axes)]
    return f"{call}[{', '.join(parts if any(a.down > 1 for a in axes) else ['0', '0'])}]"


# ── ONNX ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

ONNX_PAD = {"edge": "edge", "reflect": "reflect", "wrap": "wrap", "constant": "constant", "zero": "constant"}


def onnx(source: Source) -> Code:
    """Conv with pads, after a Pad node for other extensions; ConvTranspose for a stuffed signal."""
    code = Code(source, "from onnx import helper")
    code.notes.append("x has shape (1, 1, …), w is the initializer (1, 1, …) of the taps")
    pieces.prepare(code)
    if source.imaginary or complex(source.gain).imag:
        raise Impossible("Conv takes real numbers only: filter real and imaginary part each")
    op, rule = source.convention.op, rule_of(source)
    if rule is None or rule.name not in ONNX_PAD:
        raise Impossible(
            "ONNX Pad knows constant, edge, reflect and wrap, one of them for all ends; this needs "
            + (repr(rule.name) if rule else "several")
        )
    if any(a.up > 1 for a in source.axes):
        return _onnx_transposed(code, rule)
    taps = "h" if op == "correlate" else pieces.flipped(source)
    code.lines.append(f"w = {pieces.scaled(source, taps)}[None, None]")
    pads = [
        [code.size(s, i) for i, s in enumerate(sizes)]
        for sizes in ([a.lead for a in source.axes], [a.tail for a in source.axes])
    ]
    least = all(always(s, least=0) for a in source.axes for s in (a.lead, a.tail))
    inside = rule.name == "zero" and least
    if not inside:
        _onnx_padded(code, rule, pads, least or rule.name in ("zero", "constant"))
    code.lines.append(_conv(code, "Conv", "x" if inside else "xp", pads[0] + pads[1] if inside else []))
    return code


def _onnx_padded(code: Code, rule: Rule, pads: list[list[str]], once: bool) -> None:
    """A Pad node; a second one cuts where that must not change what the first reads (a negative width cuts)."""
    value = ', "c"' if rule.name == "constant" else ""
    widths = ["0", "0", *pads[0], "0", "0", *pads[1]]
    add, cut = (["0" if p == "0" else f"{f}({p}, 0)" for p in widths] for f in ("max", "min"))
    code.lines += [f"c = {rule.value!r}"] if value else []
    code.lines.append(f"pads = [{', '.join(widths if once else add)}]")
    code.lines.append(
        f'pad = helper.make_node("Pad", ["x", "pads"{value}], ["{"xp" if once else "xa"}"], '
        f'mode="{ONNX_PAD[rule.name]}")'
    )
    if not once:
        code.lines.append(f"cuts = [{', '.join(cut)}]")
        code.lines.append('cut = helper.make_node("Pad", ["xa", "cuts"], ["xp"], mode="constant")')
    if rule.name == "wrap":
        code.notes.append("Pad with mode wrap needs opset 19")


def _conv(code: Code, kind: str, name: str, pads: list[str], more: str = "") -> str:
    axes = code.source.axes
    strides = [a.up if kind == "ConvTranspose" else a.down for a in axes]
    dilations = [a.dilation for a in axes]
    words = f", pads=[{', '.join(pads)}]" if set(pads) - {"0"} else ""
    words += f", strides={strides}" if set(strides) != {1} else ""
    words += f", dilations={dilations}" if set(dilations) != {1} else ""
    return f'node = helper.make_node("{kind}", ["{name}", "w"], ["y"]{words}{more})'


def _onnx_transposed(code: Code, rule: Rule) -> Code:
    source = code.source
    if rule.name != "zero" or any(a.down > 1 for a in source.axes):
        raise Impossible(
            "ONNX stuffs zeros in ConvTranspose only, which has neither another boundary nor a stride down"
        )
    first = [a.reach - a.lead for a in source.axes]
    last = [a.reach - a.tail for a in source.axes]
    if not all(always(s, least=0) for s in first):
        raise Impossible("ConvTranspose cannot start before the first tap meets the first sample")
    extra = [0] * source.ndim
    for i, size in enumerate(last):
        if not always(size, least=0):
            if any((size.n, size.k, size.half, size.centre)) or size.one <= -source.axes[i].up:
                raise Impossible(
                    "ConvTranspose cannot add so many zeros at the end: output_padding is less than the stride"
                )
            extra[i], last[i] = -size.one, Size()
    taps = "h" if source.convention.op == "convolve" else pieces.flipped(source)
    code.lines.append(f"w = {pieces.scaled(source, taps)}[None, None]")
    pads = [code.size(s, i) for sizes in (first, last) for i, s in enumerate(sizes)]
    more = f", output_padding={extra}" if any(extra) else ""
    code.lines.append(_conv(code, "ConvTranspose", "x", pads, more))
    return code
