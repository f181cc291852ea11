"""Lines of code that several systems share: names of lengths, padded and stuffed signals, turned and dilated taps."""

from __future__ import annotations

import re
from textwrap import wrap

from firconv.conventions import Axis, Rule, Size
from firconv.translation.source import Impossible, Source, always

NUMPY_PAD = {
    "zero": "constant",
    "constant": "constant",
    "edge": "edge",
    "symmetric": "symmetric",
    "reflect": "reflect",
    "wrap": "wrap",
    "antireflect": "reflect",
}


class Code:
    """Lines that grow from top to bottom, for a signal x and taps h."""

    def __init__(self, source: Source, *imports: str):
        self.source, self.imports, self.lines = source, list(imports), list[str]()
        self.head: list[str] = []  # before the lengths are taken
        self.notes: list[str] = []

    @property
    def ndim(self) -> int:
        return self.source.ndim

    def k(self, axis: int) -> str:
        """The name of the number of taps of an axis."""
        return "K" if self.ndim == 1 else f"K{axis}"

    def n(self, axis: int) -> str:
        return "N" if self.ndim == 1 else f"N{axis}"

    def size(self, size: Size, axis: int) -> str:
        """A form in N and K as an expression; a number where it is one."""
        return size.text(self.k(axis), self.n(axis))

    def need(self, module: str) -> None:
        if module not in self.imports:
            self.imports.append(module)

    def lengths(self) -> list[str]:
        """Lines that name the lengths which are used, before signal and taps change."""
        body, lines = "\n".join(self.lines), []
        for name, array in (("K", "h"), ("N", "x")):
            names = [name] if self.ndim == 1 else [f"{name}{a}" for a in range(self.ndim)]
            if any(re.search(rf"\b{v}\b", body) for v in names):
                lines.append(f"{', '.join(names)} = {f'len({array})' if self.ndim == 1 else f'{array}.shape'}")
        return lines

    def text(self) -> str:
        """Imports, lengths where they are used, and the lines."""
        return "\n".join([*self.imports, *self.head, *self.lengths(), *self.lines])


def slices(parts: list[str]) -> str:
    """``[a, b]``, or nothing if every part is ``:``."""
    return "" if set(parts) == {":"} else f"[{', '.join(parts)}]"


def kept(source: Source) -> str:
    """Every down-th output."""
    return slices([":" if a.down == 1 else f"::{a.down}" for a in source.axes])


def flipped(source: Source, name: str = "h") -> str:
    """The taps turned round along all axes."""
    return f"{name}[{', '.join(['::-1'] * source.ndim)}]"


def conjugate(source: Source, does: str) -> str:
    """``.conj()`` on the taps if the system's operation conjugates `does` ("taps" or "none") and this one differs."""
    wanted = source.convention.conjugated
    if wanted == "any" or wanted == does:
        return ""
    return "" if wanted == "signal" and does == "none" else ".conj()"


def signal(source: Source) -> str:
    """The signal, conjugated where the operation does so."""
    return "x.conj()" if source.convention.conjugated == "signal" else "x"


def prepare(code: Code) -> None:
    """First lines, for taps of fewer dimensions than the signal, for normalised taps, and for a conjugated signal."""
    source = code.source
    if source.taps is not None:
        code.need("import numpy as np")
        code.head += (
            wrap(f"h = np.array({source.taps.tolist()!r})", 80, subsequent_indent="    ", break_long_words=False)
            if source.taps.size <= 64
            else ["# h: the taps, found.fir.taps"]
        )
    if source.reshape is not None:
        code.head.append(f"h = h.reshape({source.reshape})")
    if source.normalised:
        call = {
            "sum(h)": "h.sum()",
            "sum(abs(h))": "abs(h).sum()",
            "K": "h.size",
            "norm(h)": "(abs(h)**2).sum()**0.5",
            "max(abs(h))": "abs(h).max()",
        }[source.normalised]
        code.head.append(f"h = h / {call}")
    if signal(source) != "x":
        code.head.append("x = x.conj()")


def scaled(source: Source, expression: str) -> str:
    """The expression times the gain."""
    gain = complex(source.gain)
    return expression if gain == 1 else f"{gain.real if gain.imag == 0 else gain!r} * {expression}"


def dilated(code: Code, taps: str) -> str:
    """The taps with zeros between them, as a new name where there are any."""
    axes = code.source.axes
    if all(a.dilation == 1 for a in axes):
        return taps
    code.need("import numpy as np")
    shape = [code.k(i) if a.dilation == 1 else f"({code.k(i)} - 1)*{a.dilation} + 1" for i, a in enumerate(axes)]
    places = [":" if a.dilation == 1 else f"::{a.dilation}" for a in axes]
    code.lines += [
        f"w = np.zeros(({', '.join(shape)}{',' if len(shape) == 1 else ''}), h.dtype)",
        f"w[{', '.join(places)}] = {taps}",
    ]
    return "w"


def inside(code: Code) -> bool:
    """True if the centre of every output lies among the taps, as anchors must; from how many taps on, as a note."""
    for i, a in enumerate(code.source.axes):
        fits = [all(0 <= a.lead.at(n, k) <= a.reach.at(n, k) for n in (1, 9, 40)) for k in range(1, 41)]
        if a.up > 1 or a.room != Size() or not all(fits[12:]):
            return False
        if not all(fits):
            least = 41 - fits[::-1].index(False)
            code.notes.append(f"for {least} taps or more" + (f" along axis {i}" if code.ndim > 1 else ""))
    return True


def positive(size: Size, text: str) -> str:
    """max(size, 0), written as short as can be."""
    if always(size, least=0):
        return text
    return "0" if always(size, most=Size()) else f"max({text}, 0)"


def numpy_padded(code: Code) -> None:
    """Lines that turn x into exactly the samples that the outputs read: extended, stuffed, cut."""
    axes = code.source.axes
    code.need("import numpy as np")
    stuffed = any(a.up > 1 for a in axes)
    low = [_pad(code, i, a, a.lead) for i, a in enumerate(axes)]
    high = [_pad(code, i, a, a.tail) for i, a in enumerate(axes)]
    _pad_lines(code, low, high)
    if stuffed:
        shape = [f"(x.shape[{i}] - 1)*{a.up} + 1" if a.up > 1 else f"x.shape[{i}]" for i, a in enumerate(axes)]
        code.lines += [
            f"xs = np.zeros(({', '.join(shape)}{',' if len(shape) == 1 else ''}), x.dtype)",
            f"xs[{', '.join('::' + str(a.up) if a.up > 1 else ':' for a in axes)}] = x",
            "x = xs",
        ]
    cut = [_cut(code, i, a, low[i], high[i]) for i, a in enumerate(axes)]
    if slices(cut):
        code.lines.append(f"x = x{slices(cut)}")


def _pad(code: Code, i: int, a: Axis, size: Size) -> str:
    text = code.size(size, i)
    if a.up > 1 and not always(size, most=Size()):
        text = f"-(-({text})//{a.up})"
        return text if always(size, least=0) else f"max({text}, 0)"
    return positive(size, text)


def _cut(code: Code, i: int, a: Axis, low: str, high: str) -> str:
    lead, tail = code.size(a.lead, i), code.size(a.tail, i)
    if a.up == 1 and low == lead and high == tail:
        return ":"
    first = _difference(low, lead, a.up)
    last = _difference(high, tail, a.up)
    return f"{'' if first == '0' else first}:" + ("" if last == "0" else f"x.shape[{i}] - ({last})")


def _difference(pad: str, size: str, up: int) -> str:
    if pad == size and up == 1:
        return "0"
    if pad == "0":
        return "0" if size == "0" else f"-({size})"
    return f"{pad}*{up} - ({size})" if up > 1 else f"{pad} - ({size})"


def _pad_lines(code: Code, low: list[str], high: list[str]) -> None:
    """np.pad once if one rule serves all ends, else end by end."""
    axes = code.source.axes
    ends = [
        (i, side, pads[i], rule)
        for i, a in enumerate(axes)
        for side, pads, rule in (("low", low, a.low), ("high", high, a.high))
        if pads[i] != "0"
    ]
    rules = {rule for *_, rule in ends}
    if len(rules) <= 1:
        groups = [ends] if ends else []
    else:
        groups = [
            [e for e in ends if e[0] == i and e[3] == r] for i in range(len(axes)) for r in sorted(rules, key=str)
        ]
        _mixed(code, groups)
    for group in filter(None, groups):
        widths = [["0", "0"] for _ in axes]
        for i, side, text, _ in group:
            widths[i][side == "high"] = text
        pads = ", ".join(f"({a}, {b})" for a, b in widths)
        code.lines.append(f"x = np.pad(x, {pads if len(axes) == 1 else f'({pads})'}{numpy_words(group[0][3])})")


def _mixed(code: Code, groups: list[list[tuple[int, str, str, Rule]]]) -> None:
    for i in range(code.ndim):
        rules = {e[3].name for group in groups for e in group if e[0] == i}
        if len(rules) > 1 and "wrap" in rules:
            raise Impossible(
                "'wrap' at one end only reads from the other end, which padding end by end would have changed"
            )
        if len(rules) > 1:
            code.notes.append("two rules on one axis: right for taps that reach less than a signal's length beyond it")


def numpy_words(rule: Rule) -> str:
    """The keywords of np.pad for a rule."""
    if rule.name not in NUMPY_PAD:
        raise Impossible(f"numpy.pad has no {rule.name!r} extension")
    if rule.name == "zero":
        return ""
    extra = {"constant": f", constant_values={rule.value!r}", "antireflect": ', reflect_type="odd"'}.get(rule.name, "")
    return f', mode="{NUMPY_PAD[rule.name]}"{extra}'


def renormalised(source: Source) -> bool:
    """True if the weights are renormalised inside; refuse mixtures with other rules."""
    rules = {
        rule.name
        for a in source.axes
        for rule, size in ((a.low, a.lead), (a.high, a.tail))
        if not always(size, most=Size())
    }
    if "omit" in rules and rules != {"omit"}:
        raise Impossible("'omit' together with another rule has no counterpart: renormalise by a second call on ones")
    return "omit" in rules
