"""What every ONNX node is as a layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from firconv.nn.layer import Layer
from firconv.nn.layers import Conv
from firconv.nn.networks import Add, Concat, Identity, Multiply
from firconv.nn.onnx_model import Call
from firconv.nn.pointwise import Affine, Dense, Flatten, Pad, Pointwise, ReLU
from firconv.nn.pools import AvgPool, GlobalAvgPool, GlobalMaxPool, MaxPool
from firconv.nn.transposed import ConvTranspose

AUTO_PAD = {"SAME_UPPER": "same", "SAME_LOWER": "same_lower", "VALID": "valid"}

# ── convolutions and pools ────────────────────────────────────────────────────────────────────────────────────────────


def _padding(call: Call) -> Any:
    word = call.words.get("auto_pad", "NOTSET")
    if word != "NOTSET":
        return AUTO_PAD[word]
    pads = call.words.get("pads")
    return 0 if pads is None else tuple(zip(pads[:len(pads) // 2], pads[len(pads) // 2:], strict=True))


def _geometry(call: Call, strides: str = "strides") -> dict[str, Any]:
    words: dict[str, Any] = {"padding": _padding(call)}
    for name, theirs in (("stride", strides), ("dilation", "dilations")):
        if theirs in call.words:
            words[name] = tuple(call.words[theirs])
    return words


def _conv(call: Call) -> Layer:
    return Conv(call.array(1, "weights"), call.optional(2, "bias"), groups=call.words.get("group", 1),
                **_geometry(call))


def _conv_transpose(call: Call) -> Layer:
    if "output_shape" in call.words:
        raise call.refuse("asks for an output_shape", "give pads and output_padding, which serve any input")
    return ConvTranspose(call.array(1, "weights"), call.optional(2, "bias"), groups=call.words.get("group", 1),
                         output_padding=tuple(call.words.get("output_padding", ())) or 0, **_geometry(call))


def _pool(kind: Any, **words: Any) -> Callable[[Call], Layer]:
    def make(call: Call) -> Layer:
        more = {name: bool(call.words.get(theirs, 0)) for name, theirs in words.items()}
        size = tuple(call.words["kernel_shape"])
        return kind(size, **{"stride": 1} | _geometry(call), ceil_mode=bool(call.words.get("ceil_mode", 0)), **more)

    return make


def _pad(call: Call) -> Layer:
    pads = call.words.get("pads")
    pads = np.asarray(call.array(1, "pads") if pads is None else pads).tolist()
    if len(call.inputs) > 3 and call.inputs[3] is not None:
        raise call.refuse("names axes", "give pads for all axes")
    value = call.words.get("value", 0.0) if call.optional(2, "value") is None else float(call.array(2, "value"))
    pairs = tuple(zip(pads[:len(pads) // 2], pads[len(pads) // 2:], strict=True))
    if min(pads) < 0 or any(map(any, pairs[:2])):
        raise call.refuse(f"pads by {pads}", "only spatial axes, by no less than zero")
    mode = call.words.get("mode", "constant")
    boundary = {"constant": ("constant", value) if value else "zero"}.get(mode, mode)
    return Pad(pairs[2:], boundary)


# ── channels ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _gemm(call: Call) -> Layer:
    if call.words.get("transA", 0):
        raise call.refuse("transposes its input", "a dense layer does not")
    w = call.array(1, "weights")
    w = (w if call.words.get("transB", 0) else w.T) * w.dtype.type(call.words.get("alpha", 1.0))
    bias = call.optional(2, "bias")
    if bias is not None:
        bias = np.broadcast_to(bias * bias.dtype.type(call.words.get("beta", 1.0)), (1, w.shape[0]))[0]
    return Dense(w, bias)


def _matmul(call: Call) -> Layer:
    w = call.array(1, "second factor")
    if w.ndim != 2:
        raise call.refuse(f"multiplies by an array of shape {w.shape}", "a dense layer has a matrix")
    return Dense(w.T)


def _batch_norm(call: Call) -> Layer:
    if call.words.get("training_mode", 0):
        raise call.refuse("is in training mode", "export the model for inference")
    weight, bias, mean, variance = (call.array(i, "parameters") for i in range(1, 5))
    scale = weight / np.sqrt(variance.astype(float) + call.words.get("epsilon", 1e-5))
    return Affine(scale.astype(weight.dtype), (bias - mean * scale).astype(weight.dtype))


def _by_channel(call: Call) -> np.ndarray | None:
    """The constant operand of an addition or product as one number per channel, or None if both are computed."""
    arrays = [value for value in call.inputs if isinstance(value, np.ndarray)]
    if not arrays:
        return None
    value, rank = arrays[0], call.rank
    if value.size == 1:
        return value.reshape(1)
    if rank is None:
        raise call.refuse("has an unknown number of dimensions", "export the model with shapes")
    shape = (1,) * (rank - value.ndim) + value.shape
    if len(shape) < 2 or shape[1] != value.size:
        raise call.refuse(f"has a constant of shape {value.shape}", "only one number per channel has a layer here")
    return value.reshape(-1)


def _sum(call: Call) -> Layer:
    value = _by_channel(call)
    return Add() if value is None else Affine(np.ones_like(value), value)


def _product(call: Call) -> Layer:
    value = _by_channel(call)
    return Multiply() if value is None else Affine(value, np.zeros_like(value))


def _concat(call: Call) -> Layer:
    if call.words.get("axis") not in (1, None if call.rank is None else 1 - call.rank):
        raise call.refuse(f"joins along axis {call.words.get('axis')}", "only the channels, axis 1")
    if len(call.values) != len(call.inputs):
        raise call.refuse("joins a constant", "only computed values have a layer here")
    return Concat()


# ── shapes and functions ──────────────────────────────────────────────────────────────────────────────────────────────


def _flatten(call: Call) -> Layer:
    if call.words.get("axis", 1) != 1:
        raise call.refuse(f"flattens from axis {call.words['axis']}", "only all but the batch")
    return Flatten()


def _reshape(call: Call) -> Layer:
    shape = call.array(1, "shape").tolist()
    if len(shape) != 2:
        raise call.refuse(f"reshapes to {shape}", "only flattening all but the batch has a layer here")
    return Flatten()


def _mean(call: Call) -> Layer:
    axes = call.words.get("axes") or np.atleast_1d(call.array(1, "axes")).tolist()
    rank = call.rank if call.words.get("keepdims", 1) else None if call.rank is None else call.rank + len(axes)
    if rank is None or sorted(a % rank for a in axes) != list(range(2, rank)):
        raise call.refuse(f"takes the mean over axes {axes}", "only all spatial axes have a layer here")
    return GlobalAvgPool(bool(call.words.get("keepdims", 1)))


def _clip(call: Call) -> Layer:
    low = call.words.get("min", call.optional(1, "limits"))
    high = call.words.get("max", call.optional(2, "limits"))
    if low is None or float(low) != 0:
        raise call.refuse(f"clips from {low}", "only from 0, as ReLU6 does")
    return ReLU(top=None if high is None else float(high))


def _function(name: str, **usual: float) -> Callable[[Call], Layer]:
    """A function that is known with these attributes only; ONNX's defaults are given with them."""
    def make(call: Call) -> Layer:
        for word, value in usual.items():
            if abs(call.words.get(word, _DEFAULTS[call.op, word]) - value) > 1e-6:
                raise call.refuse(f"has {word}={call.words.get(word, _DEFAULTS[call.op, word]):g}", f"only {value:g}")
        return Pointwise(name)

    return make


_DEFAULTS = {("HardSigmoid", "alpha"): 0.2, ("HardSigmoid", "beta"): 0.5, ("Elu", "alpha"): 1.0}


def _softmax(call: Call) -> Layer:
    if call.words.get("axis", -1) != 1 and call.rank != 2:
        raise call.refuse(f"is along axis {call.words.get('axis', -1)}", "only the channels, axis 1")
    return Pointwise("softmax")


def _gelu(call: Call) -> Layer:
    if call.words.get("approximate", "none") != "none":
        raise call.refuse("approximates by tanh", "only the exact function")
    return Pointwise("gelu")


NODES: dict[str, Callable[[Call], Layer]] = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "MaxPool": _pool(MaxPool),
    "AveragePool": _pool(AvgPool, count_include_pad="count_include_pad"),
    "GlobalAveragePool": lambda call: GlobalAvgPool(),
    "GlobalMaxPool": lambda call: GlobalMaxPool(),
    "ReduceMean": _mean,
    "Pad": _pad,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "BatchNormalization": _batch_norm,
    "Add": _sum,
    "Sum": _sum,
    "Mul": _product,
    "Concat": _concat,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Identity": lambda call: Identity(),
    "Dropout": lambda call: Identity(),
    "Relu": lambda call: ReLU(),
    "LeakyRelu": lambda call: ReLU(float(call.words.get("alpha", 0.01))),
    "Clip": _clip,
    "Sigmoid": _function("sigmoid"),
    "Tanh": _function("tanh"),
    "HardSigmoid": _function("hard_sigmoid", alpha=1 / 6, beta=0.5),
    "HardSwish": _function("hard_swish"),
    "Elu": _function("elu", alpha=1.0),
    "Softplus": _function("softplus"),
    "Gelu": _gelu,
    "Softmax": _softmax,
}
