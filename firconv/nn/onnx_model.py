"""Reading an ONNX model: constants, one input and one output, and a layer for every node."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from firconv.nn.convert import simplified
from firconv.nn.graph import Graph, Node
from firconv.nn.layer import Layer
from firconv.nn.networks import Join


@dataclass(frozen=True)
class Call:
    """One node: its attributes, its inputs (arrays where they are constant, else names), and the rank of its output."""

    name: str
    op: str
    words: dict[str, Any]
    inputs: list[Any]
    rank: int | None

    def refuse(self, what: str, hint: str) -> ValueError:
        """The error for a node that is known, but not like this."""
        return ValueError(f"from_onnx(path): node {self.name!r} ({self.op}) {what}; {hint}")

    def array(self, index: int, what: str) -> np.ndarray:
        """A constant input."""
        value = self.inputs[index] if index < len(self.inputs) else None
        if not isinstance(value, np.ndarray):
            raise self.refuse(f"computes its {what}", "only constant ones have a layer here")
        return value

    def optional(self, index: int, what: str) -> np.ndarray | None:
        """A constant input that may be left out."""
        missing = index >= len(self.inputs) or self.inputs[index] is None
        return None if missing else self.array(index, what)

    @property
    def values(self) -> list[str]:
        """Names of the inputs that are not constant."""
        return [value for value in self.inputs if isinstance(value, str)]


def layer_of(model: Any) -> Layer:
    """The layer of a model; see `firconv.nn.from_onnx`."""
    model = _loaded(model)
    graph = model.graph
    constants = {tensor.name: _array(tensor) for tensor in graph.initializer}
    inputs = [value.name for value in graph.input if value.name not in constants]
    if len(inputs) != 1 or len(graph.output) != 1:
        raise ValueError(f"from_onnx(path): the model has {len(inputs)} inputs and {len(graph.output)} outputs; only "
                         "one of each has a meaning here")
    ranks = _ranks(model)
    nodes: list[Node] = []
    for node in graph.node:
        call = _call(node, constants, ranks)
        if node.op_type == "Constant":
            constants[node.output[0]] = _constant(call)
            continue
        extra = [name for name in node.output[1:] if name]
        if extra and node.op_type != "Dropout":
            raise call.refuse(f"has further outputs {extra}", "layers have one")
        layer, values = _step(call)
        named = tuple(Graph.INPUT if name == inputs[0] else name for name in values)
        nodes.append(Node(node.output[0], layer, named))
    output = graph.output[0].name
    return simplified(nodes, Graph.INPUT if output == inputs[0] else output)


def _loaded(model: Any) -> Any:
    import onnx

    if isinstance(model, onnx.ModelProto):
        return model
    if not isinstance(model, (str, os.PathLike, bytes)):
        raise TypeError(f"from_onnx(model): {model!r} is no model; give a path, its bytes or an onnx.ModelProto")
    return onnx.load_model_from_string(model) if isinstance(model, bytes) else onnx.load(model)


def _array(tensor: Any) -> np.ndarray:
    from onnx import numpy_helper

    return numpy_helper.to_array(tensor)


def _ranks(model: Any) -> dict[str, int]:
    """Number of dimensions of every value whose shape can be inferred."""
    from onnx import shape_inference

    graph = shape_inference.infer_shapes(model).graph
    known = (*graph.input, *graph.value_info, *graph.output)
    return {v.name: len(v.type.tensor_type.shape.dim) for v in known if v.type.tensor_type.HasField("shape")}


def _call(node: Any, constants: dict[str, np.ndarray], ranks: dict[str, int]) -> Call:
    from onnx import helper

    words = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    words = {name: value.decode() if isinstance(value, bytes) else value for name, value in words.items()}
    inputs = [constants.get(name, name) if name else None for name in node.input]
    return Call(node.name or node.output[0], node.op_type, words, inputs, ranks.get(node.output[0]))


def _constant(call: Call) -> np.ndarray:
    value = next(iter(call.words.values()))
    return np.asarray(value) if isinstance(value, (int, float, list)) else _array(value)


def _step(call: Call) -> tuple[Layer, list[str]]:
    from firconv.nn.onnx_nodes import NODES

    make = NODES.get(call.op)
    if make is None:
        raise call.refuse("has no layer here", f"known nodes are {', '.join(sorted([*NODES, 'Constant']))}")
    found = make(call)
    if not isinstance(found, Join) and len(call.values) != 1:
        raise call.refuse(f"reads {len(call.values)} computed values", "a layer reads one")
    return found, call.values
