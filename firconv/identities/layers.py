"""Laws of layers, in terms of the sum: weights, strides, gradients, transposes and pools."""

from __future__ import annotations

import numpy as np

from firconv import boundary
from firconv.identities import channels
from firconv.identities.calls import Calls
from firconv.identities.draws import Draw
from firconv.identities.law import Sides, register
from firconv.identities.steps import stuffed
from firconv.identities.values import Value, inner, total, wide
from firconv.problem import Problem, signal_adjoint, taps_adjoint

Array = np.ndarray


def windows(x: Array, size: tuple[int, ...], step: int) -> Array:
    """All windows of a signal, step apart: shape (*positions, *size)."""
    found = np.lib.stride_tricks.sliding_window_view(x, size)
    return found[(slice(None, None, step),) * x.ndim]


@register("layer is correlation", "Σ w[k]·x[ns+k] = ↓s(x * w[−k])",
          r"\sum_i \sum_k w_{o,i,k}\,x_{i,ns+k} = \sum_i x_i \star \overline{w_{o,i}} = \sum_i x_i * w_{o,i}[-k]",
          "channels in and out, groups, stride, padding, dilation: what networks call convolution, by the "
          "implementation's layers if it has any")
def layer(f: Calls, p: Draw) -> Sides:
    if f.layers:
        yield from channels.forward(f, p)
        return
    first, weights = p.signal("x0"), p.taps("w00", longest=4)
    p.need(all(k <= n for k, n in zip(weights.shape, first.shape, strict=True)))
    into, out, step = p.size("in", 1, 3), p.size("out", 1, 2), p.size("stride", 1, 3)
    x = [first, *(p.like(f"x{i}", first) for i in range(1, into))]
    for o in range(out):
        w = [weights if o == i == 0 else p.like(f"w{o}{i}", weights) for i in range(into)]
        maps = sum(channels.products(a, b, step) for a, b in zip(x, w, strict=True))
        yield total([f.strided("correlate", a, b.conj(), "valid", step) for a, b in zip(x, w, strict=True)]), maps
        yield total([f.strided("convolve", a, b.flip(), "valid", step) for a, b in zip(x, w, strict=True)]), maps


@register("transposed is adjoint", "⟨Ax, g⟩ = ⟨x, Aᵀg⟩, stride s",
          r"\langle A x, g \rangle = \langle x, A^{\mathsf H} g \rangle",
          "the dot test: correlation without padding, stride and dilation where there are")
def transposed(f: Calls, p: Draw) -> Sides:
    if _layered(f, p):
        yield from channels.transposed(f, p)
        return
    x, w, down = p.signal(), p.taps("w", longest=5), p.size("stride", 1, 3)
    p.need(all(k <= n for k, n in zip(w.shape, x.shape, strict=True)))
    y = f.strided("correlate", x, w, "valid", down)
    g = p.like("g", y, p.dtype)
    if f.has("up") and down > 1:
        back = f.convolve(g, w, up=down)
    else:
        back = f.convolve(stuffed(g, down), w)
    yield inner(y, g), inner(x, back.pad([0] * x.ndim, [n - m for n, m in zip(x.shape, back.shape, strict=True)]))


@register("adjoint problem", "⟨Ax, g⟩ = ⟨x, Aᴴg⟩, ↑ ↔ ↓",
          r"\langle A x, g \rangle = \langle x, A^{\mathsf H} g \rangle,\ \uparrow\ \leftrightarrow\ \downarrow",
          "any up, down, dilation, pad and length; Aᴴ has up and down exchanged, pad (K − 1)·d − pad, "
          "reversed conj taps; needs windows of positions")
def adjoint_problem(f: Calls, p: Draw) -> Sides:
    problem, x, w, g = _problem(f, p)
    back = _solved(f, signal_adjoint(problem), g, w.conj().flip())
    yield inner(_solved(f, problem, x, w), g), inner(x, back)


@register("gradient of the signal", "∇ ½‖Ax‖² = AᴴAx", r"\nabla_x \tfrac12\|A x\|^2 = A^{\mathsf H} A x",
          "the adjoint problem; as ½‖A(x + v)‖² − ½‖Ax‖² − ½‖Av‖² = Re⟨AᴴAx, v⟩, which is exact")
def gradient_signal(f: Calls, p: Draw) -> Sides:
    if _layered(f, p):
        yield from channels.input_gradient(f, p)
        return
    if not f.has("window"):
        yield from _plain_gradient_signal(f, p)
        return
    problem, x, w, _ = _problem(f, p)
    v = p.like("v", x)
    y = _solved(f, problem, x, w)
    gradient = _solved(f, signal_adjoint(problem), y, w.conj().flip())
    change = _solved(f, problem, x + v, w).energy() - y.energy() - _solved(f, problem, v, w).energy()
    yield change * 0.5, _real(inner(gradient, v))


@register("gradient of the taps", "∇⟨g, x ⋆ w⟩ = x ⋆ g, ↓ ↔ dil.", r"\nabla_w \langle g, x \star w \rangle = x \star g",
          "the other adjoint problem: dilation and down exchanged, the outputs' gradient g as taps")
def gradient_taps(f: Calls, p: Draw) -> Sides:
    if _layered(f, p):
        yield from channels.weight_gradient(f, p)
        return
    if not f.has("window"):
        yield from _plain_gradient_taps(f, p)
        return
    problem, x, w, g = _problem(f, p)
    v = p.like("v", w)
    gradient = _solved(f, taps_adjoint(problem), x, g.conj())
    yield inner(g, _solved(f, problem, x, v)), inner(v.conj(), gradient)


def _layered(f: Calls, p: Draw) -> bool:
    """True for half of the problems of an implementation with layers."""
    return bool(f.layers) and p.choice("by", ("signals", "layers")) == "layers"


def _plain_gradient_taps(f: Calls, p: Draw) -> Sides:
    """Stride 1, no padding: the gradient is the valid correlation of the signal with the outputs' gradient."""
    x, v = p.signal(), p.taps("v", longest=5)
    p.need(all(k <= n for k, n in zip(v.shape, x.shape, strict=True)))
    y = f.correlate(x, v, "valid")
    g = p.like("g", y, p.dtype)
    yield inner(g, y), inner(v, f.correlate(x, g, "valid"))


def _plain_gradient_signal(f: Calls, p: Draw) -> Sides:
    """Stride 1, all outputs: the adjoint is the valid correlation with the taps."""
    x, w = p.signal(), p.taps("w", longest=5)
    v, y = p.like("v", x), f.convolve(x, w)
    change = f.convolve(x + v, w).energy() - y.energy() - f.convolve(v, w).energy()
    yield change * 0.5, _real(inner(f.correlate(y, w, "valid"), v))


def _problem(f: Calls, p: Draw) -> tuple[Problem, Value, Value, Value]:
    """A random problem with its signal, correlation taps and output gradient."""
    f.need("window")
    x, w = p.signal(longest=_SIDE.get(p.ndim)), p.taps("w", longest=5)
    axes = range(x.ndim)
    up, down, dilation = (tuple(p.size(f"{word}{a}", 1, 3) for a in axes) for word in ("up", "down", "dilation"))
    pad = tuple(p.size(f"pad{a}", -2, 6) for a in axes)
    outputs = tuple(p.size(f"outputs{a}", 1, 8) for a in axes)
    zero = (boundary.Rule("zero"),) * 2
    kind = np.result_type(x.array, w.array)
    problem = Problem(x.shape, w.shape, outputs, pad, up, down, dilation, (zero,) * x.ndim, 1, 1, 1, x.array.dtype,
                      w.array.dtype, kind)
    return problem, x, w, p.numbers("g", outputs, p.dtype)


_SIDE = {1: 20, 2: 7, 3: 4}


def _solved(f: Calls, problem: Problem, x: Value, w: Value) -> Value:
    """y[n] = Σ_k w[k]·x̃[n·down + k·dilation − pad] by a correlation in a window of positions."""
    places = [(-pad, -pad + (n - 1) * down + 1)
              for pad, n, down in zip(problem.pad, problem.outputs, problem.down, strict=True)]
    return f.correlate(x, w.conj(), places, origin=(0,) * x.ndim, up=problem.up, down=problem.down,
                       dilation=problem.dilation)


def _real(v: Value) -> Value:
    return Value(v.array.real, v.error)


@register("average pool is a box", "mean of windows = ↓s(x * box)",
          r"\mathrm{avg}_{K,s}(x) = \downarrow_s (x * \tfrac1K 1_K)",
          "no padding, any stride: a moving average and a decimator")
def average_pool(f: Calls, p: Draw) -> Sides:
    x, size, step = p.signal(), p.size("size", 1, 4), p.size("stride", 1, 4)
    p.need(all(size <= n for n in x.shape))
    box = Value(np.ones((size,) * x.ndim, x.array.dtype))
    pooled = wide(windows(x.array, box.shape, step)).sum(tuple(range(x.ndim, 2 * x.ndim)))
    yield f.strided("convolve", x, box, "valid", step), pooled
    if hasattr(f.layers, "avg_pool") and p.dtype.kind == "f":
        mean = channels.pooled(f, "avg_pool", x, size, step)
        yield mean * box.array.size, f.strided("convolve", x, box, "valid", step)


@register("max pooling is not linear", "max(x) + max(−x) ≠ 0",
          r"\max(x) + \max(-x) = \mathrm{range}(x) \neq 0 = 1_K * x + 1_K * (-x)",
          "windows that are not constant: sums over windows add up, x and −x to 0, and maxima do not", "f")
def max_pool(f: Calls, p: Draw) -> Sides:
    x, size = p.signal(), p.size("size", 2, 3)
    p.need(all(size <= n for n in x.shape))
    shape = (size,) * x.ndim
    box = Value(np.ones(shape, x.array.dtype))
    axes = tuple(range(x.ndim, 2 * x.ndim))
    gap = windows(x.array, shape, 1).max(axes) + windows(-x.array, shape, 1).max(axes)
    spread = np.ptp(windows(x.array, shape, 1), axes)
    p.need(bool((spread > 0).any()))
    yield gap, spread
    if hasattr(f.layers, "max_pool"):
        up, down = (channels.pooled(f, "max_pool", side, size, 1) for side in (x, Value(-x.array)))
        yield up + down, spread
    linear = f.convolve(x, box, "valid") + f.convolve(x * -1, box, "valid")
    yield linear, np.zeros(linear.shape)


@register("global average pool", "Σ x[n−s] ⊛ h = Σ x ⊛ h",
          r"\overline{x[n - s] \circledast h} = \overline{x \circledast h}",
          "boundary wrap, mode same: the pooled feature of a shifted image is that of the image")
def global_pool(f: Calls, p: Draw) -> Sides:
    x, h, shift = p.signal(), p.taps(), p.size("shift", 1, 9)
    f.extends("wrap")
    turned = Value(np.roll(x.array, shift, tuple(range(x.ndim))))
    yield f.convolve(turned, h, "same", boundary="wrap").sum(), f.convolve(x, h, "same", boundary="wrap").sum()
