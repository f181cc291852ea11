"""Modules with a forward of their own, traced by torch.fx: every call is a node of a graph of layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from firconv.nn import torch_modules as modules
from firconv.nn.convert import simplified
from firconv.nn.graph import Graph, Node
from firconv.nn.layer import Layer
from firconv.nn.networks import Add, Concat, Identity, Multiply
from firconv.nn.pointwise import Flatten, Pointwise, ReLU
from firconv.nn.pools import GlobalAvgPool


def traced(module: Any) -> Layer:
    """The graph of a module.

    Raises
    ------
    ValueError
        A forward that cannot be traced, has several inputs, or calls what has no layer here.
    """
    from torch import fx

    try:
        graph = fx.symbolic_trace(module).graph
    except Exception as error:  # fx raises whatever the forward raises on its proxies
        raise ValueError(f"from_torch(module): {type(module).__name__}.forward cannot be traced ({error}); it branches "
                         "on values, or is no function of one tensor") from error
    nodes: list[Node] = []
    names: dict[Any, str] = {}
    for node in graph.nodes:
        if node.op == "placeholder":
            if names:
                raise ValueError(f"from_torch(module): {type(module).__name__} has several inputs; give a module of "
                                 "one tensor")
            names[node] = Graph.INPUT
        elif node.op == "output":
            return simplified(nodes, _named(node, node.args[0], names))
        elif not _is_number(node):
            layer, inputs = _step(module, node)
            nodes.append(Node(node.name, layer, tuple(_named(node, value, names) for value in inputs)))
            names[node] = node.name
    raise ValueError(f"from_torch(module): {type(module).__name__} gives no output; return a tensor")


def _named(node: Any, value: Any, names: dict[Any, str]) -> str:
    if value not in names:
        raise ValueError(f"from_torch(module): {node} takes {value!r}, which is no value of a layer; only tensors that "
                         "come from the input are known")
    return names[value]


def _is_number(node: Any) -> bool:
    """True for sizes of tensors, which only reshapes read."""
    return (node.op == "call_method" and node.target in ("size", "dim")) or \
        (node.op == "call_function" and getattr(node.target, "__name__", "") in ("getattr", "getitem"))


def _step(module: Any, node: Any) -> tuple[Layer, list[Any]]:
    """The layer of one traced call, and the values that it reads."""
    if node.op == "call_module":
        return modules.layer_of(module.get_submodule(node.target)), list(node.args)
    name = node.target if node.op == "call_method" else getattr(node.target, "__name__", str(node.target))
    name = name.removesuffix("_")
    make = CALLS.get(name)
    if make is None:
        raise ValueError(f"from_torch(module): {name} in {type(module).__name__}.forward has no layer here; known "
                         f"calls are {', '.join(sorted(CALLS))}")
    return make(node, list(node.args), dict(node.kwargs))


def _joined(kind: Callable[[], Layer]) -> Callable[..., tuple[Layer, list[Any]]]:
    return lambda node, args, words: (kind(), args[:2])


def _concatenated(node: Any, args: list[Any], words: dict[str, Any]) -> tuple[Layer, list[Any]]:
    if words.get("dim", args[1] if len(args) > 1 else 0) != 1:
        raise ValueError(f"from_torch(module): {node} joins along another axis than the channels; only dim=1 has a "
                         "layer here")
    return Concat(), list(args[0])


def _pointwise(layer: Layer) -> Callable[..., tuple[Layer, list[Any]]]:
    return lambda node, args, words: (layer, args[:1])


def _flattened(node: Any, args: list[Any], words: dict[str, Any]) -> tuple[Layer, list[Any]]:
    rest = args[1:] or list(words.values())
    shape = rest[0] if len(rest) == 1 and isinstance(rest[0], (tuple, list)) else rest
    flat = shape in ([1], [1, -1]) if "flatten" in str(node.target) else len(shape) == 2 and shape[1] == -1
    if not flat:
        raise ValueError(f"from_torch(module): {node} reshapes to {shape}; only flattening all but the batch has a "
                         "layer here")
    return Flatten(), args[:1]


def _mean(node: Any, args: list[Any], words: dict[str, Any]) -> tuple[Layer, list[Any]]:
    axes = words.get("dim", args[1] if len(args) > 1 else None)
    axes = list(axes) if isinstance(axes, (tuple, list)) else [axes]
    if axes not in ([2], [2, 3], [2, 3, 4], [-1], [-2, -1], [-3, -2, -1]):
        raise ValueError(f"from_torch(module): {node} takes the mean over {axes}; only all spatial axes have a layer "
                         "here")
    return GlobalAvgPool(bool(words.get("keepdim", args[2] if len(args) > 2 else False))), args[:1]


class _Words:
    """Arguments of a functional call under the names of the module's attributes."""

    training = False

    def __init__(self, names: str, args: list[Any], words: dict[str, Any], usual: dict[str, Any]) -> None:
        self.__dict__.update(usual | dict(zip(names.split(), args, strict=False)) | words)


def _functional(names: str, make: Callable[[Any], Layer], **usual: Any) -> Callable[..., tuple[Layer, list[Any]]]:
    def call(node: Any, args: list[Any], words: dict[str, Any]) -> tuple[Layer, list[Any]]:
        m = _Words(names, args[1:], words, usual)
        return make(m), args[:1] or [words["input"]]

    return call


_POOL = {"stride": None, "padding": 0, "dilation": 1, "ceil_mode": False, "return_indices": False,
         "count_include_pad": True, "divisor_override": None}
_MAX = _functional("kernel_size stride padding dilation ceil_mode return_indices", modules.max_pool, **_POOL)
_AVG = _functional("kernel_size stride padding ceil_mode count_include_pad divisor_override", modules.avg_pool, **_POOL)

CALLS: dict[str, Callable[..., tuple[Layer, list[Any]]]] = {
    "add": _joined(Add),
    "iadd": _joined(Add),
    "mul": _joined(Multiply),
    "imul": _joined(Multiply),
    "cat": _concatenated,
    "relu": _pointwise(ReLU()),
    "relu6": _pointwise(ReLU(top=6.0)),
    "sigmoid": _pointwise(Pointwise("sigmoid")),
    "tanh": _pointwise(Pointwise("tanh")),
    "silu": _pointwise(Pointwise("silu")),
    "gelu": _pointwise(Pointwise("gelu")),
    "hardswish": _pointwise(Pointwise("hard_swish")),
    "hardsigmoid": _pointwise(Pointwise("hard_sigmoid")),
    "leaky_relu": _functional("negative_slope", modules.MODULES["LeakyReLU"], negative_slope=0.01),
    "dropout": lambda node, args, words: (Identity(), args[:1]),
    "contiguous": lambda node, args, words: (Identity(), args[:1]),
    "flatten": _flattened,
    "view": _flattened,
    "reshape": _flattened,
    "mean": _mean,
    **{f"max_pool{n}d": _MAX for n in (1, 2, 3)},
    **{f"_max_pool{n}d": _MAX for n in (1, 2, 3)},
    **{f"avg_pool{n}d": _AVG for n in (1, 2, 3)},
    **{f"adaptive_avg_pool{n}d": _functional("output_size", modules.MODULES["AdaptiveAvgPool"]) for n in (1, 2, 3)},
    **{f"adaptive_max_pool{n}d": _functional("output_size", modules.MODULES["AdaptiveMaxPool"]) for n in (1, 2, 3)},
}
