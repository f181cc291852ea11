"""What every torch module is as a layer; torch itself is not loaded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from firconv.nn.convert import row
from firconv.nn.layer import Layer
from firconv.nn.layers import Conv
from firconv.nn.networks import Identity
from firconv.nn.pointwise import Affine, Dense, Flatten, Pad, Pointwise, ReLU
from firconv.nn.pools import AvgPool, GlobalAvgPool, GlobalMaxPool, MaxPool
from firconv.nn.transposed import ConvTranspose

BOUNDARIES = {"zeros": "zero", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def layer_of(module: Any) -> Layer:
    """The layer of a module; see `firconv.nn.from_torch`."""
    if not hasattr(module, "named_children") or not hasattr(module, "forward"):
        raise TypeError(f"from_torch(module): a {type(module).__name__} is no torch module; pass a torch.nn.Module")
    name = type(module).__name__
    if name == "Sequential":
        return row([layer_of(child) for child in module])
    if type(module).__module__.startswith("torch.nn"):
        return _known(module, name)
    from firconv.nn.torch_trace import traced

    return traced(module)


def _known(module: Any, name: str) -> Layer:
    for word in ("1d", "2d", "3d"):
        name = name.removesuffix(word)
    make = MODULES.get(name)
    if make is None:
        raise ValueError(f"from_torch(module): {type(module).__name__} has no layer here; known are "
                         f"{', '.join(sorted(MODULES))}, and modules made of these")
    return make(module)


def numbers(tensor: Any) -> Any:
    """A parameter as an array, or None."""
    return None if tensor is None else tensor.detach().cpu().numpy()


def refuse(module: Any, what: str, hint: str) -> ValueError:
    """The error for a module that is known, but not like this."""
    return ValueError(f"from_torch(module): {type(module).__name__} with {what} has no layer here; {hint}")


# ── modules ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _conv(m: Any) -> Layer:
    return Conv(numbers(m.weight), numbers(m.bias), stride=m.stride, padding=m.padding, dilation=m.dilation,
                groups=m.groups, boundary=BOUNDARIES[m.padding_mode])


def _conv_transpose(m: Any) -> Layer:
    return ConvTranspose(numbers(m.weight), numbers(m.bias), stride=m.stride, padding=m.padding, dilation=m.dilation,
                         groups=m.groups, output_padding=m.output_padding)


def _linear(m: Any) -> Layer:
    return Dense(numbers(m.weight), numbers(m.bias))


def _batch_norm(m: Any) -> Layer:
    if m.training or m.running_mean is None:
        raise refuse(m, "statistics of the batch", "call module.eval(), with running statistics")
    mean, variance = (numbers(t).astype(float) for t in (m.running_mean, m.running_var))
    weight, bias = numbers(m.weight), numbers(m.bias)
    scale = (1.0 if weight is None else weight) / np.sqrt(variance + m.eps)
    shift = (0.0 if bias is None else bias) - mean * scale
    kind = numbers(m.running_mean).dtype
    return Affine(scale.astype(kind), shift.astype(kind))


def max_pool(m: Any) -> Layer:
    """A module, or the arguments of a call, that pools the largest samples."""
    if m.return_indices:
        raise refuse(m, "return_indices=True", "pool without indices")
    return MaxPool(m.kernel_size, stride=m.stride, padding=m.padding, dilation=m.dilation, ceil_mode=m.ceil_mode)


def avg_pool(m: Any) -> Layer:
    """A module, or the arguments of a call, that averages."""
    if getattr(m, "divisor_override", None) is not None:
        raise refuse(m, "divisor_override", "scale the next layer instead")
    return AvgPool(m.kernel_size, stride=m.stride, padding=m.padding, ceil_mode=m.ceil_mode,
                   count_include_pad=m.count_include_pad)


def _adaptive(kind: Callable[[], Layer]) -> Callable[[Any], Layer]:
    def make(m: Any) -> Layer:
        if set(np.atleast_1d(m.output_size).tolist()) != {1}:
            raise refuse(m, f"output_size={m.output_size}", "its windows depend on the input; only size 1 is global")
        return kind()

    return make


def _flatten(m: Any) -> Layer:
    if (m.start_dim, m.end_dim) != (1, -1):
        raise refuse(m, f"start_dim={m.start_dim}, end_dim={m.end_dim}", "flatten all but the batch")
    return Flatten()


def _dropout(m: Any) -> Layer:
    if m.training and m.p > 0:
        raise refuse(m, "training=True", "call module.eval()")
    return Identity()


def _pad(boundary: str) -> Callable[[Any], Layer]:
    def make(m: Any) -> Layer:
        flat = list(m.padding)
        if min(flat) < 0:
            raise refuse(m, f"padding={m.padding}", "slice the input instead of padding by less than nothing")
        pairs = tuple(zip(flat[::2], flat[1::2], strict=True))[::-1]  # torch counts from the last axis
        value = float(getattr(m, "value", 0.0))
        return Pad(pairs, ("constant", value) if value else boundary)

    return make


def _softmax(m: Any) -> Layer:
    if m.dim not in (1, -1):
        raise refuse(m, f"dim={m.dim}", "only channels, dim=1")
    return Pointwise("softmax")


def _plain(name: str, **usual: Any) -> Callable[[Any], Layer]:
    """An activation that is known with its usual arguments only."""
    def make(m: Any) -> Layer:
        for word, value in usual.items():
            if getattr(m, word, value) != value:
                raise refuse(m, f"{word}={getattr(m, word)!r}", f"only {value!r}")
        return Pointwise(name)

    return make


MODULES: dict[str, Callable[[Any], Layer]] = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "Linear": _linear,
    "BatchNorm": _batch_norm,
    "MaxPool": max_pool,
    "AvgPool": avg_pool,
    "AdaptiveAvgPool": _adaptive(GlobalAvgPool),
    "AdaptiveMaxPool": _adaptive(GlobalMaxPool),
    "Flatten": _flatten,
    "Identity": lambda m: Identity(),
    "Dropout": _dropout,
    "ZeroPad": _pad("zero"),
    "ConstantPad": _pad("zero"),
    "ReflectionPad": _pad("reflect"),
    "ReplicationPad": _pad("edge"),
    "CircularPad": _pad("wrap"),
    "ReLU": lambda m: ReLU(),
    "ReLU6": lambda m: ReLU(top=6.0),
    "LeakyReLU": lambda m: ReLU(float(m.negative_slope)),
    "Sigmoid": _plain("sigmoid"),
    "Tanh": _plain("tanh"),
    "SiLU": _plain("silu"),
    "GELU": _plain("gelu", approximate="none"),
    "Hardsigmoid": _plain("hard_sigmoid"),
    "Hardswish": _plain("hard_swish"),
    "ELU": _plain("elu", alpha=1.0),
    "Softplus": _plain("softplus", beta=1.0, threshold=20.0),
    "Softmax": _softmax,
}
