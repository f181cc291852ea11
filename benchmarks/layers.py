"""Rows of neural-network layers against torch (oneDNN) and onnxruntime (MLAS): forward, gradients, pools; float32.

Each forward layer runs twice: through the public function, which has to find its plan again, and through a prepared
layer. onnxruntime's threads do not spin between calls: they would take the cores of the others.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from benchmarks.bench import Array, Bench, Case, Peer, Run, has, noise

WAYS = ("call", "plan")
USUAL = ("torch",)


@dataclass(frozen=True)
class Layer:
    """A convolutional layer: x (batch, ins, *lengths), w (outs, ins/groups, *kernel)."""

    name: str
    title: str
    group: str
    wanted: float
    batch: int
    ins: int
    outs: int
    lengths: tuple[int, ...]
    kernel: int
    stride: int = 1
    dilation: int = 1
    groups: int = 1

    @property
    def padding(self) -> int:
        """What keeps the length at stride one."""
        return (self.kernel - 1) * self.dilation // 2

    def arrays(self) -> tuple[Array, Array, Array]:
        """Signal, weights of the size that training leaves, bias."""
        x = noise((self.batch, self.ins, *self.lengths), "float32")
        w = noise((self.outs, self.ins // self.groups, *(self.kernel,) * len(self.lengths)), "float32", 1)
        return x, w / np.float32(np.sqrt(w[0].size)), noise(self.outs, "float32", 2)

    @property
    def words(self) -> dict[str, Any]:
        """Our keywords; torch has the same."""
        return {n: getattr(self, n) for n in ("stride", "padding", "dilation", "groups")}


FORWARD = (
    Layer("3x3/64x56", "64·56², 3×3", "layers 3×3", 1.0, 1, 64, 64, (56, 56), 3),
    Layer("3x3/128x28", "128·28², 3×3", "layers 3×3", 1.0, 1, 128, 128, (28, 28), 3),
    Layer("3x3/256x14", "8 × 256·14², 3×3", "layers 3×3", 1.0, 8, 256, 256, (14, 14), 3),
    Layer("3x3/64x224", "64·224², 3×3", "layers 3×3", 1.0, 1, 64, 64, (224, 224), 3),
    Layer("3x3/512x7", "512·7², 3×3", "layers 3×3", 1.0, 1, 512, 512, (7, 7), 3),
    Layer("1x1/up", "64→256·56², 1×1", "layers other", 0.8, 1, 64, 256, (56, 56), 1),
    Layer("1x1/down", "256→64·56², 1×1", "layers other", 0.8, 1, 256, 64, (56, 56), 1),
    Layer("stem", "3→64·224², 7×7 /2", "layers other", 0.8, 1, 3, 64, (224, 224), 7, 2),
    Layer("3x3/stride", "128·56², 3×3 /2", "layers other", 0.8, 1, 128, 128, (56, 56), 3, 2),
    Layer("3x3/dilated", "64·56², 3×3 dilated", "layers other", 0.8, 1, 64, 64, (56, 56), 3, 1, 2),
    Layer("line", "64·16,000, 9 taps", "layers other", 0.8, 1, 64, 64, (16000,), 9),
    Layer("depthwise/3", "96·112², depthwise 3×3", "layers depthwise", 1.3, 1, 96, 96, (112, 112), 3, groups=96),
    Layer("depthwise/7", "96·56², depthwise 7×7", "layers depthwise", 1.0, 1, 96, 96, (56, 56), 7, groups=96),
    Layer("depthwise/31", "96·56², depthwise 31×31", "layers depthwise", 2.0, 1, 96, 96, (56, 56), 31, groups=96),
)
GRADIENTS = ("3x3/64x56", "3x3/128x28", "3x3/256x14", "1x1/up", "3x3/stride")
POOLS = (
    ("max/3", "64·112², max 3×3 /2", "max", (1, 64, 112, 112), 3, 2, 1),
    ("max/2", "64·224², max 2×2 /2", "max", (1, 64, 224, 224), 2, 2, 0),
    ("avg/2", "64·224², mean 2×2 /2", "avg", (1, 64, 224, 224), 2, 2, 0),
    ("avg/3", "64·56², mean 3×3", "avg", (1, 64, 56, 56), 3, 1, 1),
)
MEANS = {"layers 3×3": 1.4, "layers other": 1.0, "input gradients": 1.0, "weight gradients": 1.0}


def cases(tiny: bool) -> list[Case]:
    """Every row of layers; `tiny` shrinks the maps."""
    rows = [
        Case(f"layer/{a.name}/{way}", f"{a.title}, {way}", a.group, partial(forward, _shrunk(a, tiny), way), a.wanted,
             usual=USUAL)
        for a in FORWARD for way in WAYS
    ]  # fmt: skip
    some = [a for a in FORWARD if a.name in GRADIENTS]
    rows += [
        Case(f"{kind}-gradient/{a.name}", f"{a.title}, d{letter}", f"{kind} gradients",
             partial(build, _shrunk(a, tiny)), None, usual=USUAL)
        for kind, letter, build in (("input", "x", input_gradient), ("weight", "w", weight_gradient)) for a in some
    ]  # fmt: skip
    return rows + [
        Case(f"pool/{name}", title, "pools",
             partial(pool, kind, (*shape[:2], *(n // 8 if tiny else n for n in shape[2:])), window), 1.0,
             usual=USUAL)
        for name, title, kind, shape, *window in POOLS
    ]  # fmt: skip


def _shrunk(layer: Layer, tiny: bool) -> Layer:
    return replace(layer, lengths=tuple(max(7, n // 8) for n in layer.lengths)) if tiny else layer


# ── forward ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def forward(layer: Layer, way: str) -> Bench:
    """A layer with a bias."""
    from firconv import nn
    from firconv.nn.recalled import recalled

    x, w, b = layer.arrays()
    given = ("conv", *(layer.words[n] for n in ("stride", "padding", "dilation", "groups")), "zero")
    prepared = nn.plan(x, w, b, **layer.words)
    ours = (lambda: prepared(x)) if way == "plan" else (lambda: nn.conv(x, w, b, **layer.words))
    peers = [*_torch(layer, x, w, b), *_onnx(layer, x, w, b)]
    y = ours()
    macs = y.size * w[0].size
    scale = float(np.abs(x).max() * np.abs(w).sum(axis=tuple(range(1, w.ndim))).max())
    traffic = x.nbytes + w.nbytes + y.nbytes

    def method() -> str:
        return (prepared if way == "plan" else recalled(given, x, w, "auto", None)[0]).method

    return Bench(ours, method, scale, "float32", peers, macs, traffic)


def _torch(layer: Layer, x: Array, w: Array, b: Array) -> list[Peer]:
    if not has("torch"):
        return []
    import torch

    function = torch.nn.functional.conv1d if x.ndim == 3 else torch.nn.functional.conv2d
    tensors = [torch.from_numpy(a) for a in (x, w, b)]

    def run() -> Array:
        with torch.inference_mode():
            return function(*tensors, **layer.words).numpy()

    return [Peer("torch", run)]


def _onnx(layer: Layer, x: Array, w: Array, b: Array) -> list[Peer]:
    spatial = len(layer.lengths)
    words = {
        "strides": [layer.stride] * spatial, "pads": [layer.padding] * 2 * spatial,
        "dilations": [layer.dilation] * spatial, "group": layer.groups, "kernel_shape": list(w.shape[2:]),
    }  # fmt: skip
    return _session("Conv", words, x, {"w": w, "b": b})


def _session(op: str, words: dict[str, Any], x: Array, constants: dict[str, Array]) -> list[Peer]:
    """One node of onnxruntime on two threads."""
    if not (has("onnxruntime") and has("onnx")):
        return []
    import onnx
    import onnxruntime

    node = onnx.helper.make_node(op, ["x", *constants], ["y"], **words)
    graph = onnx.helper.make_graph(
        [node], "layer",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, x.shape)],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(a, name) for name, a in constants.items()],
    )  # fmt: skip
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = 2, 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return [Peer("onnxruntime", lambda: session.run(None, {"x": x})[0])]


# ── gradients ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def input_gradient(layer: Layer) -> Bench:
    """The gradient of a layer's input."""
    from firconv import nn

    x, w, b = layer.arrays()
    gy = noise(nn.conv(x, w, b, **layer.words).shape, "float32", 3)

    def method() -> str:
        return str(nn.plan(gy, w, op="conv_transpose", output_shape=layer.lengths, **layer.words).method)

    peers = _torch_gradient(layer, gy, x, w, 0)
    scale = float(np.abs(gy).max() * np.abs(w).sum(axis=(0, *range(2, w.ndim))).max())
    macs = gy.size * w[0].size
    ours = partial(nn.conv_input_gradient, gy, w, x.shape, **layer.words)
    return Bench(ours, method, scale, "float32", peers, macs, gy.nbytes + w.nbytes + x.nbytes)


def weight_gradient(layer: Layer) -> Bench:
    """The gradient of a layer's weights."""
    from firconv import nn
    from firconv.nn import gradients

    x, w, b = layer.arrays()
    gy = noise(nn.conv(x, w, b, **layer.words).shape, "float32", 3)
    problem = nn.plan(x, w, **layer.words).problem
    scale = float(np.prod([np.sqrt((a**2).sum(axis=(0, *range(2, a.ndim)))).max() for a in (gy, x)]))
    ours = partial(nn.conv_weight_gradient, gy, x, w.shape, **layer.words)
    peers, macs, traffic = _torch_gradient(layer, gy, x, w, 1), gy.size * w[0].size, gy.nbytes + w.nbytes + x.nbytes
    return Bench(ours, lambda: gradients.chosen(problem), scale, "float32", peers, macs, traffic)


def _torch_gradient(layer: Layer, gy: Array, x: Array, w: Array, which: int) -> list[Peer]:
    if not has("torch"):
        return []
    import torch

    spatial = len(layer.lengths)
    tensors = [torch.from_numpy(a) for a in (gy, x, w)]
    numbers = [[getattr(layer, n)] * spatial for n in ("stride", "padding", "dilation")]
    mask = [number == which for number in range(3)]

    def run() -> Array:
        with torch.inference_mode():
            found = torch.ops.aten.convolution_backward(
                *tensors, None, *numbers, False, [0] * spatial, layer.groups, mask
            )
            return found[which].numpy()

    return [Peer("torch", run)]


# ── pools ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def pool(kind: str, shape: tuple[int, ...], window: list[int]) -> Bench:
    """The largest or the mean of windows (size, stride, padding)."""
    from firconv import nn

    size, stride, padding = window
    x = noise(shape, "float32")
    ours: Run = partial(getattr(nn, f"{kind}_pool"), x, size, stride=stride, padding=padding)
    peers = []
    if has("torch"):
        import torch

        function, tensor = getattr(torch.nn.functional, f"{kind}_pool2d"), torch.from_numpy(x)

        def run() -> Array:
            with torch.inference_mode():
                return function(tensor, size, stride, padding).numpy()

        peers.append(Peer("torch", run))
    words: dict[str, Any] = {"kernel_shape": [size] * 2, "strides": [stride] * 2, "pads": [padding] * 4}
    words |= {"count_include_pad": 1} if kind == "avg" else {}
    peers += _session({"max": "MaxPool", "avg": "AveragePool"}[kind], words, x, {})
    y, scale = ours(), float(np.abs(x).max())
    return Bench(ours, lambda: "windows", scale, "float32", peers, y.size * size**2, x.nbytes + y.nbytes)
