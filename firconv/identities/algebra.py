"""Laws of the sum itself: the ring of convolution, shifts, causality, and what correlation is to convolution."""

from __future__ import annotations

import numpy as np

from firconv.identities.calls import Calls
from firconv.identities.draws import Draw
from firconv.identities.law import Sides, register
from firconv.identities.values import Value, joined, total, wide

MODES = ("full", "same", "valid")
OPS = ("convolve", "correlate")


def defined(op: str, x: Value, h: Value) -> Value:
    """The defining sum over all outputs, one product after the other, in extended precision."""
    samples, taps = wide(x.array), wide(h.array)
    if op == "correlate":
        taps = np.flip(taps).conj()
    y = np.zeros([n + k - 1 for n, k in zip(x.shape, h.shape, strict=True)], np.result_type(samples, taps))
    for k in np.ndindex(taps.shape):
        y[tuple(slice(i, i + n) for i, n in zip(k, x.shape, strict=True))] += taps[k] * samples
    return Value(y)


def cut(f: Calls, op: str, full: Value, x: Value, h: Value, mode: str) -> Value:
    """The outputs of a mode out of all outputs."""
    starts = {"full": (0,) * x.ndim, "same": f.first(op, h), "valid": [k - 1 for k in h.shape]}[mode]
    sizes = {"full": full.shape, "same": x.shape, "valid": [n - k + 1 for n, k in zip(x.shape, h.shape, strict=True)]}
    return full[tuple(slice(a, a + n) for a, n in zip(starts, sizes[mode], strict=True))]


def any_mode(p: Draw, x: Value, h: Value) -> str:
    """A mode in which this problem has outputs, and in which signal and taps do not change places."""
    mode = str(p.choice("mode", MODES))
    p.need(mode == "full" or all(k <= n for k, n in zip(h.shape, x.shape, strict=True)))
    return mode


@register("defining sum", "y[n] = Σ h[k]·x[n + c − k]", r"y[n] = \sum_k h[k]\,x[n + c - k]",
          "zero boundary, every mode, the implementation's own origin c; correlation likewise")
def defining_sum(f: Calls, p: Draw) -> Sides:
    x, h, op = p.signal(), p.taps(), p.choice("op", OPS)
    mode = any_mode(p, x, h)
    yield f.call(op, x, h, mode), cut(f, op, defined(op, x, h), x, h, mode)


@register("commutes", "x * h = h * x", r"x * h = h * x", "all outputs")
def commutes(f: Calls, p: Draw) -> Sides:
    x, h = p.signal(), p.taps()
    yield f.convolve(x, h), f.convolve(h, x)


@register("associates", "(x * g) * h = x * (g * h)", r"(x * g) * h = x * (g * h)", "all outputs")
def associates(f: Calls, p: Draw) -> Sides:
    x, g, h = p.signal(), p.taps("g"), p.taps()
    yield f.convolve(f.convolve(x, g), h), f.convolve(x, f.convolve(g, h))


@register("distributes", "x * (g + h) = x * g + x * h", r"x * (g + h) = x * g + x * h",
          "all outputs, taps of one length")
def distributes(f: Calls, p: Draw) -> Sides:
    x, g = p.signal(), p.taps("g")
    h = p.like("h", g)
    yield f.convolve(x, g + h), f.convolve(x, g) + f.convolve(x, h)


@register("scaling", "ax * h = a(x * h) = x * ah", r"(a x) * h = a\,(x * h) = x * (a h)", "whole numbers a")
def scaling(f: Calls, p: Draw) -> Sides:
    x, h, a = p.signal(), p.taps(), p.size("a", -4, 4)
    y = a * f.convolve(x, h)
    yield f.convolve(a * x, h), y
    yield f.convolve(x, a * h), y


@register("linearity", "(ax+bz)*h = a(x*h) + b(z*h)", r"(a x + b z) * h = a\,(x * h) + b\,(z * h)",
          "convolution and correlation, every mode, every linear boundary")
def linearity(f: Calls, p: Draw) -> Sides:
    x, h, op, rule = p.signal(), p.taps(), p.choice("op", OPS), p.choice("boundary", f.rules("omit"))
    z, a, b, mode = p.like("z", x), p.size("a", -3, 3), p.size("b", -3, 3), any_mode(p, x, h)
    left = f.call(op, a * x + b * z, h, mode, boundary=rule)
    yield left, a * f.call(op, x, h, mode, boundary=rule) + b * f.call(op, z, h, mode, boundary=rule)


@register("identity", "x * δ = x", r"x * \delta = x",
          "δ among zeros shifts all outputs; at the origin it changes nothing")
def identity(f: Calls, p: Draw) -> Sides:
    x = p.signal()
    op, shape = p.choice("op", OPS), [p.size(f"taps{a}", 1, 6) for a in range(x.ndim)]
    at = [p.size(f"at{a}", 0, k - 1) for a, k in enumerate(shape)]
    late = at if op == "convolve" else [k - 1 - i for i, k in zip(at, shape, strict=True)]
    yield f.call(op, x, _delta(shape, at, p)), x.pad(late, [k - 1 - i for i, k in zip(late, shape, strict=True)])
    h = _delta(shape, [f.subject.origin(op, k) for k in shape], p)
    p.need(all(k <= n for k, n in zip(shape, x.shape, strict=True)))
    yield f.call(op, x, h, "same"), x


def _delta(shape: list[int], at: list[int], p: Draw) -> Value:
    h = np.zeros(shape, p.dtype)
    h[tuple(at)] = 1
    return Value(h)


@register("shift invariance", "x[n−s] * h = (x * h)[n−s]", r"x[n - s] * h = (x * h)[n - s]",
          "all outputs, along any axis; with boundary wrap the outputs turn with the samples")
def shift_invariance(f: Calls, p: Draw) -> Sides:
    x, h, op = p.signal(), p.taps(), p.choice("op", OPS)
    shift, axis = p.size("shift", 1, 9), p.choice("axis", range(x.ndim))
    before, after = [0] * x.ndim, [0] * x.ndim
    before[axis] = shift
    yield f.call(op, x.pad(before, after), h), f.call(op, x, h).pad(before, after)
    if "wrap" in f.rules() and all(k <= n for k, n in zip(h.shape, x.shape, strict=True)):
        y = f.call(op, x, h, "same", boundary="wrap")
        turned = Value(np.roll(x.array, shift, axis))
        yield f.call(op, turned, h, "same", boundary="wrap"), Value(np.roll(y.array, shift, axis), y.error)


@register("causality", "x = z ⇒ x*h = z*h for n < m",
          r"x[n] = z[n]\ (n < m) \Rightarrow (x * h)[n] = (z * h)[n]\ (n < m)", "taps at n ≥ 0: all outputs")
def causality(f: Calls, p: Draw) -> Sides:
    x, h = p.signal(), p.taps()
    when = p.size("m", 0, x.shape[0])
    late = p.like("late", x)
    z = joined([x[:when], late[when:]])
    yield f.convolve(z, h)[:when], f.convolve(x, h)[:when]


@register("correlation is convolution", "x ⋆ h = x * conj h[−n]", r"x \star h = x * \overline{h[-n]}",
          "every mode and boundary, the origin reversed too; both operations native")
def correlation_is_convolution(f: Calls, p: Draw) -> Sides:
    f.native("convolve", "correlate")
    x, h, rule = p.signal(), p.taps(), p.choice("boundary", f.rules("omit"))
    mode = any_mode(p, x, h)
    centre = f.centre("convolve", h)
    mirrored = tuple(k - 1 - c for c, k in zip(centre, h.shape, strict=True))
    right = f.convolve(x, h.flip().conj(), mode, boundary=rule, origin=centre)
    yield f.correlate(x, h, mode, boundary=rule, origin=mirrored), right


@register("symmetry of correlation", "(x ⋆ h)[l] = conj (h ⋆ x)[−l]", r"(x \star h)[l] = \overline{(h \star x)[-l]}",
          "all lags")
def symmetry(f: Calls, p: Draw) -> Sides:
    x, h = p.signal(), p.taps()
    yield f.correlate(x, h), f.correlate(h, x).flip().conj()


@register("reversal", "x[−n] * h[−n] = (x * h)[−n]", r"x[-n] * h[-n] = (x * h)[-n]", "all outputs")
def reversal(f: Calls, p: Draw) -> Sides:
    x, h = p.signal(), p.taps()
    yield f.convolve(x.flip(), h.flip()), f.convolve(x, h).flip()


@register("modes are one line", "same, valid ⊂ full",
          r"y_{\mathrm{same}},\,y_{\mathrm{valid}} \subset y_{\mathrm{full}}",
          "at most as many taps as samples; more than one native mode")
def modes(f: Calls, p: Draw) -> Sides:
    x, h, op = p.signal(), p.taps(), p.choice("op", OPS)
    if len(f.subject.modes) == 1:
        raise NotImplementedError(f"{f.subject.name} has one mode, {f.subject.modes[0]}")
    p.need(all(k <= n for k, n in zip(h.shape, x.shape, strict=True)))
    full = f.call(op, x, h)
    for mode in f.subject.modes:
        yield f.call(op, x, h, mode), cut(f, op, full, x, h, mode)


@register("area", "Σ (x * h) = Σx · Σh", r"\sum (x * h) = \sum x \cdot \sum h", "all outputs")
def area(f: Calls, p: Draw) -> Sides:
    x, h = p.signal(), p.taps()
    yield f.convolve(x, h).sum(), x.sum().array * h.sum().array


@register("moments", "Σn(x*h) = Σnx·Σh + Σx·Σnh",
          r"\sum n\,(x * h) = \sum n\,x \sum h + \sum x \sum n\,h", "all outputs, the first moment of any axis")
def moments(f: Calls, p: Draw) -> Sides:
    x, h = p.signal(), p.taps()
    axis = p.choice("axis", range(x.ndim))
    both = _moment(x, axis) * h.sum().array + x.sum().array * _moment(h, axis)
    y = f.convolve(x, h)
    yield y.sum(_ramp(y, axis)), both


def _ramp(v: Value, axis: int) -> np.ndarray:
    return np.arange(v.shape[axis]).reshape((-1,) + (1,) * (v.ndim - 1 - axis))


def _moment(v: Value, axis: int) -> np.ndarray:
    return v.sum(_ramp(v, axis)).array


@register("derivative", "Δ(x * h) = Δx * h = x * Δh",
          r"\Delta(x * h) = \Delta x * h = x * \Delta h", "all outputs, along any axis; Δx[n] = x[n] − x[n − 1]")
def derivative(f: Calls, p: Draw) -> Sides:
    x, h = p.signal(), p.taps()
    axis = p.choice("axis", range(x.ndim))
    y = _difference(f.convolve(x, h), axis)
    yield f.convolve(_difference(x, axis), h), y
    yield f.convolve(x, _difference(h, axis)), y


def _difference(v: Value, axis: int) -> Value:
    one, none = [int(a == axis) for a in range(v.ndim)], [0] * v.ndim
    return v.pad(none, one) - v.pad(one, none)


@register("separable", "x * (u ⊗ v) = (x * u) * v", r"x * (u \otimes v) = (x * u) * v",
          "two dimensions, the taps an outer product, u along one axis and v along the other")
def separable(f: Calls, p: Draw) -> Sides:
    x, u, v = p.signal("x", 2), p.taps("u", 1, 6), p.taps("v", 1, 6)
    outer = Value(np.multiply.outer(wide(u.array), wide(v.array)))
    yield f.convolve(x, outer), f.convolve(f.convolve(x, u[:, None]), v[None])


@register("blocks are the whole", "Σ (block * h) = x * h", r"\sum_b x_b * h = x * h",
          "all outputs, the signal cut along its first axis (overlap-add)")
def blocks(f: Calls, p: Draw) -> Sides:
    x, h = p.signal(), p.taps()
    length, n = p.size("block", 1, 40), x.shape[0]
    rest, parts = [0] * (x.ndim - 1), []
    for start in range(0, n, length):
        y = f.convolve(x[start:start + length], h)
        parts.append(y.pad([start, *rest], [n + h.shape[0] - 1 - start - y.shape[0], *rest]))
    yield total(parts), f.convolve(x, h)
