"""Laws of up, down and dilation: the noble identities, polyphase parts, overlap-save, streams; and exactness."""

from __future__ import annotations

import numpy as np

from firconv.identities.algebra import OPS, any_mode
from firconv.identities.calls import Calls
from firconv.identities.draws import Draw
from firconv.identities.law import Sides, register
from firconv.identities.values import Value, joined, total


def every(v: Value, step: int, start: int = 0) -> Value:
    """Every step-th along all axes: ↓step."""
    return v[(slice(start, None, step),) * v.ndim]


def stuffed(v: Value, step: int) -> Value:
    """step − 1 zeros between neighbours, along all axes: ↑step."""
    y = np.zeros([(n - 1) * step + 1 for n in v.shape], v.array.dtype)
    y[(slice(None, None, step),) * v.ndim] = v.array
    return Value(y, v.error)


@register("stride decimates", "conv(x,h; down M) = ↓M(x*h)", r"\downarrow_M (x * h)",
          "every mode and boundary; needs down")
def stride(f: Calls, p: Draw) -> Sides:
    f.need("down")
    x, h, op, rule = p.signal(), p.taps(), p.choice("op", OPS), p.choice("boundary", f.rules("omit"))
    mode, down = any_mode(p, x, h), p.size("down", 2, 4)
    left = f.call(op, x, h, mode, boundary=rule, down=down)
    yield left, every(f.call(op, x, h, mode, boundary=rule), down)


@register("up is zero-stuffing", "conv(x,h; up L) = ↑Lx * h", r"(\uparrow_L x) * h", "all outputs; needs up")
def up(f: Calls, p: Draw) -> Sides:
    f.need("up")
    x, h, op, step = p.signal(), p.taps(), p.choice("op", OPS), p.size("up", 2, 4)
    yield f.call(op, x, h, up=step), f.call(op, stuffed(x, step), h)


@register("up and down", "conv(x,h; ↑L, ↓M) = ↓M(↑Lx*h)", r"\downarrow_M ((\uparrow_L x) * h)",
          "all outputs, also equal and common factors; needs up and down")
def up_down(f: Calls, p: Draw) -> Sides:
    f.need("up", "down")
    x, h, op, step, down = p.signal(), p.taps(), p.choice("op", OPS), p.size("up", 2, 4), p.size("down", 2, 4)
    yield f.call(op, x, h, up=step, down=down), every(f.call(op, stuffed(x, step), h), down)


@register("dilation is stuffed taps", "conv(x,h; dilation d) = x*↑dh", r"x * (\uparrow_d h)",
          "all outputs and those of valid; needs dilation")
def dilation(f: Calls, p: Draw) -> Sides:
    f.need("dilation")
    x, h, op, step = p.signal(), p.taps(longest=6), p.choice("op", OPS), p.size("dilation", 2, 4)
    mode, wide_taps = p.choice("mode", ("full", "valid")), stuffed(h, step)
    p.need(mode == "full" or all(k <= n for k, n in zip(wide_taps.shape, x.shape, strict=True)))
    yield f.call(op, x, h, mode, dilation=step), f.call(op, x, wide_taps, mode)


@register("noble identity of down", "↓Mx * h = ↓M(x * ↑Mh)",
          r"(\downarrow_M x) * h = \downarrow_M (x * \uparrow_M h)",
          "all outputs; dilation where there is one, else stuffed taps")
def noble_down(f: Calls, p: Draw) -> Sides:
    x, h, step = p.signal(), p.taps(longest=6), p.size("down", 2, 4)
    yield f.convolve(every(x, step), h), every(_dilated(f, x, h, step), step)


@register("noble identity of up", "↑L(x * h) = ↑Lx * ↑Lh", r"\uparrow_L (x * h) = (\uparrow_L x) * (\uparrow_L h)",
          "all outputs; up and dilation where there are, else stuffed signal and taps")
def noble_up(f: Calls, p: Draw) -> Sides:
    x, h, step = p.signal(), p.taps(longest=6), p.size("up", 2, 4)
    keywords = {"up": step, "dilation": step} if f.has("up") and f.has("dilation") else {}
    right = f.convolve(x, h, **keywords) if keywords else f.convolve(stuffed(x, step), stuffed(h, step))
    yield stuffed(f.convolve(x, h), step), right


def _dilated(f: Calls, x: Value, h: Value, step: int) -> Value:
    return f.convolve(x, h, dilation=step) if f.has("dilation") else f.convolve(x, stuffed(h, step))


@register("polyphase", "↓M(x*h) = Σ h[mM+r] * x[mM−r]",
          r"\downarrow_M (x * h) = \sum_{r<M} h_r * x_r,\ h_r[m] = h[mM + r],\ x_r[m] = x[mM - r]",
          "one dimension, all outputs, the sum over r < M; and the parts of an interpolator")
def polyphase(f: Calls, p: Draw) -> Sides:
    x, h, step = p.signal(ndim=1), p.taps(ndim=1), p.size("M", 2, 4)
    length, parts = -(-(x.shape[0] + h.shape[0] - 1) // step), []
    for r in range(min(step, h.shape[0])):
        y = f.convolve(every(x.pad([r], [0]), step), every(h, step, r))
        parts.append(y.pad([0], [max(0, length - y.shape[0])])[:length])
    yield every(f.convolve(x, h), step), total(parts)
    whole = f.convolve(stuffed(x, step), h)
    for r in range(min(step, h.shape[0])):
        yield every(whole, step, r), f.convolve(x, every(h, step, r))


@register("overlap-save", "valid(block*h), joined = x*h",
          r"[\,x_b \ast_{\mathrm{valid}} h\,]_b = x * h",
          "all outputs, the signal cut along its first axis into blocks that overlap by K − 1")
def overlap_save(f: Calls, p: Draw) -> Sides:
    x, h, step = p.signal(), p.taps(), p.size("block", 1, 40)
    lap = [k - 1 for k in h.shape]
    padded = x.pad(lap, lap)
    outputs = x.shape[0] + h.shape[0] - 1
    parts = [f.convolve(padded[a:min(a + step, outputs) + lap[0]], h, "valid") for a in range(0, outputs, step)]
    yield joined(parts), f.convolve(x, h)


@register("a stream is the whole", "push(…)|push(…)|flush() = x*h", r"[\,y_0, y_1, \dots\,] = x * h",
          "one dimension, any cuts, the same bits; needs plan(x, h).stream()")
def stream(f: Calls, p: Draw) -> Sides:
    if f.subject.plan is None:
        raise NotImplementedError(f"{f.subject.name} has no plan(x, h).stream()")
    x, h, mode = p.signal(ndim=1), p.taps(ndim=1), p.choice("mode", ("full", "same"))
    piece, method = p.size("piece", 1, 50), p.method if p.method in ("auto", "direct") else "overlap_save"
    p.need(method != "overlap_save" or np.result_type(x.array, h.array) not in (np.longdouble, np.clongdouble))
    filtered = f.subject.plan(x.array, h.array, mode, method).stream()
    starts = range(0, x.shape[0], piece)
    got = [*(filtered.push(x.array[a:a + piece]) for a in starts), filtered.flush()]
    yield np.concatenate(got), f.subject.plan(x.array, h.array, mode, method)(x.array)


@register("exact integers", "y = Σ h[k]·x[n − k] in ℤ", r"y = \sum_k h[k]\,x[n - k] \in \mathbb{Z}",
          "whole-range samples of narrow types, and 64-bit sums beyond 2⁵³", "iu")
def exact_integers(f: Calls, p: Draw) -> Sides:
    missing = "narrow integers" if p.dtype.itemsize < 8 else "wide integers"
    f.subject.demand(missing)
    x, h = p.large("x", 12), p.large("h", 6)
    y = f.convolve(x, h).array
    yield np.array([int(v) for v in y], object), np.convolve(x.array.astype(object), h.array.astype(object))


@register("non-finite footprint", "x[m] NaN ⇒ y[m…m+K−1] NaN",
          r"x[m] = \mathrm{NaN} \Rightarrow (y[n] = \mathrm{NaN} \iff 0 \le n - m < K)",
          "real samples, one NaN, nonzero taps; all outputs, also of signals long enough for an FFT", "f")
def footprint(f: Calls, p: Draw) -> Sides:
    f.subject.demand("non-finite samples")
    x, h = p.signal(longest=400 if p.ndim == 1 else 12), p.signal("h", longest=90 if p.ndim == 1 else 6)
    h = Value(np.where(h.array == 0, p.dtype.type(1), h.array))
    at = tuple(p.size(f"at{a}", 0, n - 1) for a, n in enumerate(x.shape))
    broken, clean = x.array.copy(), x.array.copy()
    broken[at], clean[at] = np.nan, 0
    y, z = f.convolve(Value(broken), h), f.convolve(Value(clean), h)
    lost = np.zeros(z.shape, int)
    lost[tuple(slice(a, a + k) for a, k in zip(at, h.shape, strict=True))] = 1
    yield np.isnan(y.array).astype(int), lost
    yield Value(np.where(lost, 0, y.array), z.error), Value(np.where(lost, 0, z.array), z.error)


@register("arguments stay", "x → x, h → h", r"x \mapsto x,\ h \mapsto h", "every call leaves its arrays alone")
def arguments_stay(f: Calls, p: Draw) -> Sides:
    x, h, op = p.signal(), p.taps(), p.choice("op", [op for op in OPS if f.subject.has(op)])
    a, b = x.array.copy(), h.array.copy()
    f.subject.apply(op, a, b)
    yield a, x.array
    yield b, h.array
