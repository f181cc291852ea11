"""NumPy, scipy.signal and scipy.ndimage: libraries on NumPy arrays."""

from __future__ import annotations

from firconv.conventions import LAST, LOWER, UPPER, Size, boundary_names
from firconv.translation import pieces
from firconv.translation.pieces import Code
from firconv.translation.source import Impossible, Source, always, plain, rule_of, without_down

LONGER = "for taps no longer than the signal; NumPy exchanges the two otherwise"


def _origin_is(source: Source, convolve: Size, correlate: Size) -> bool:
    """True if every axis is the whole signal at this origin."""
    op = source.convention.op
    return all(a.mode == "same" and a.origin(op) == (convolve if op == "convolve" else correlate) for a in source.axes)


def _window(source: Source, convolve: Size, correlate: Size) -> str | None:
    """full, same (at these origins) or valid, or None."""
    modes = {a.mode for a in source.axes}
    if modes == {"same"} and not _origin_is(source, convolve, correlate):
        return None
    return modes.pop() if len(modes) == 1 and modes <= {"full", "same", "valid"} else None


# ── NumPy ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def numpy(source: Source) -> Code:
    """np.convolve and np.correlate in one dimension; windows of the padded signal in more."""
    code = Code(source, "import numpy as np")
    pieces.prepare(code)
    if source.ndim > 1:
        return _windows(code)
    op, whole, rule = source.convention.op, without_down(source), rule_of(source)
    mode = _window(whole, LOWER, UPPER) if plain(whole) and rule and rule.name == "zero" else None
    taps = f"h{pieces.conjugate(source, 'taps' if op == 'correlate' else 'none')}"
    if mode is None:
        pieces.numpy_padded(code)
        taps = pieces.dilated(code, taps)
    elif mode != "full":
        code.notes.append(LONGER)
    call = f'np.{op}(x, {taps}, "{mode or "valid"}"){pieces.kept(source)}'
    code.lines.append(f"y = {pieces.scaled(source, call)}")
    return code


def _windows(code: Code) -> Code:
    source = code.source
    op = source.convention.op
    pieces.numpy_padded(code)
    taps = "h" if op == "correlate" else pieces.flipped(source)
    taps = pieces.dilated(code, f"{taps}{pieces.conjugate(source, 'none')}")
    code.need("from numpy.lib.stride_tricks import sliding_window_view")
    shape = "w.shape" if taps == "w" else "h.shape"
    view = f"sliding_window_view(x, {shape}){pieces.kept(source)}"
    code.lines.append(f"y = {pieces.scaled(source, f'np.tensordot({view}, {taps}, {source.ndim})')}")
    return code


# ── scipy.signal ──────────────────────────────────────────────────────────────────────────────────────────────────────

FLAT = {"zero": "fill", "constant": "fill", "wrap": "wrap", "symmetric": "symm"}
UPFIRDN = {
    "zero": "constant",
    "constant": "constant",
    "edge": "edge",
    "symmetric": "symmetric",
    "reflect": "reflect",
    "wrap": "wrap",
    "antisymmetric": "antisymmetric",
    "antireflect": "antireflect",
}


def scipy_signal(source: Source) -> Code:
    """convolve, correlate, their 2-D forms with boundaries, and upfirdn."""
    code = Code(source, "from scipy import signal")
    pieces.prepare(code)
    done = _lfilter(code) or _named(code) or _flat(code) or _upfirdn(code)
    if done is None:
        if any(r.name == "antisymmetric" for a in source.axes for r in (a.low, a.high)):
            raise Impossible("scipy.signal has 'antisymmetric' in upfirdn only, for one axis and windows within full")
        pieces.numpy_padded(code)
        op = source.convention.op
        taps = pieces.dilated(code, f"h{pieces.conjugate(source, 'taps' if op == 'correlate' else 'none')}")
        done = f'signal.{op}(x, {taps}, "valid"){pieces.kept(source)}'
    code.lines.append(f"y = {pieces.scaled(source, done)}")
    return code


def _zero(source: Source) -> bool:
    rule = rule_of(source)
    return rule is not None and rule.name == "zero"


def _lfilter(code: Code) -> str | None:
    source = code.source
    a, causal = source.axes[0], source.convention.op == "convolve" and source.axes[0].lead == LAST
    if source.ndim > 1 or not plain(source) or not _zero(source) or not causal or a.mode != "same":
        return None
    return f"signal.lfilter(h{pieces.conjugate(source, 'none')}, [1.0], x)"


def _named(code: Code) -> str | None:
    source, whole = code.source, without_down(code.source)
    if not plain(whole) or not _zero(source):
        return None
    mode, op = _window(whole, LOWER, UPPER), source.convention.op
    taps = f"h{pieces.conjugate(source, 'taps' if op == 'correlate' else 'none')}"
    return f'signal.{op}(x, {taps}, "{mode}"){pieces.kept(source)}' if mode else None


def _flat(code: Code) -> str | None:
    source, whole, rule = code.source, without_down(code.source), rule_of(code.source)
    if source.ndim != 2 or not plain(whole) or rule is None or rule.name not in FLAT:
        return None
    mode, op = _window(whole, LOWER, LOWER), source.convention.op
    taps = f"h{pieces.conjugate(source, 'taps' if op == 'correlate' else 'none')}"
    value = f", fillvalue={rule.value!r}" if rule.name == "constant" else ""
    return f'signal.{op}2d(x, {taps}, "{mode}", "{FLAT[rule.name]}"{value}){pieces.kept(source)}' if mode else None


def _upfirdn(code: Code) -> str | None:
    """upfirdn gives the full result of an extended, stuffed signal: the outputs wanted are a slice of it."""
    source, rule = code.source, rule_of(code.source)
    a = source.axes[0]
    if source.ndim > 1 or rule is None or rule.name not in UPFIRDN or (a.up == 1 and rule.name in pieces.NUMPY_PAD):
        return None
    if not (always(a.lead, most=a.reach) and always(a.tail, most=a.reach)):
        return None
    taps = "h" if source.convention.op == "convolve" else "h[::-1]"
    taps = pieces.dilated(code, f"{taps}{pieces.conjugate(source, 'none')}")
    words = "" if rule.name == "zero" else f', mode="{UPFIRDN[rule.name]}"'
    words += f", cval={rule.value!r}" if rule.name == "constant" else ""
    if a.mode == "full":
        return f"signal.upfirdn({taps}, x, {a.up}, {a.down}{words})"
    first = a.reach - a.lead
    stop = first + Size(n=a.up, one=1 - a.up) + a.room
    step = f":{a.down}" if a.down > 1 else ""
    return f"signal.upfirdn({taps}, x, {a.up}, 1{words})[{code.size(first, 0)}:{code.size(stop, 0)}{step}]"


# ── scipy.ndimage ─────────────────────────────────────────────────────────────────────────────────────────────────────


def ndimage(source: Source) -> Code:
    """convolve and correlate with mode and origin; other windows through a padded signal."""
    code = Code(source, "from scipy import ndimage")
    pieces.prepare(code)
    code.notes.append("ndimage returns the signal's type: make integer signals float first")
    rule, op = rule_of(source), source.convention.op
    word = boundary_names(rule.name).get("ndimage") if rule else None
    if word is None or not pieces.inside(code):
        return _padded(code)
    if rule and rule.name not in ("zero", "constant"):
        code.notes.append("taps longer than the signal: scipy 1.17 reads zeros in places")
    taps = pieces.dilated(code, f"h{pieces.conjugate(source, 'taps' if op == 'correlate' else 'none')}")
    value = f", cval={rule.value!r}" if rule and rule.name == "constant" else ""
    call = f'ndimage.{op}(x, {taps}, mode="{word}"{value}{_ndimage_origin(code)}){pieces.kept(source)}'
    code.lines.append(f"y = {pieces.scaled(source, call)}")
    return code


def _ndimage_origin(code: Code) -> str:
    """ndimage counts its origin from K//2, of the dilated taps."""
    source, texts = code.source, []
    for i, a in enumerate(source.axes):
        place = a.lead if source.convention.op == "correlate" else a.reach - a.lead
        if a.dilation == 1:
            texts.append(code.size(place - UPPER, i))
        else:
            texts.append(f"{code.size(place, i)} - w.shape[{i}]//2")
    if set(texts) == {"0"}:
        return ""
    return f", origin={texts[0]}" if len(texts) == 1 else f", origin=({', '.join(texts)})"


def _padded(code: Code) -> Code:
    source = code.source
    rules = {r.name for a in source.axes for r in (a.low, a.high)}
    if "antisymmetric" in rules:
        raise Impossible("scipy.ndimage has no 'antisymmetric' extension, and numpy.pad neither")
    pieces.numpy_padded(code)
    taps = "h" if source.convention.op == "correlate" else pieces.flipped(source)
    conj = pieces.conjugate(source, "taps")
    taps = pieces.dilated(code, f"{taps}{conj}")
    base = "w" if taps == "w" else "h"
    first = [f"-({base}.shape[{i}]//2)" for i in range(source.ndim)]
    parts = [
        f":x.shape[{i}] - {base}.shape[{i}] + 1" + (f":{a.down}" if a.down > 1 else "")
        for i, a in enumerate(source.axes)
    ]
    origin = first[0] if source.ndim == 1 else f"({', '.join(first)})"
    call = f'ndimage.correlate(x, {taps}, mode="constant", origin={origin}){pieces.slices(parts)}'
    code.lines.append(f"y = {pieces.scaled(source, call)}")
    return code
