"""Layers in any graph without loops: what a traced or an ONNX model is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

from firconv.nn.layer import Layer, Shape
from firconv.nn.networks import Composite, Join, joined, shaped

__all__ = ["Graph", "Node"]

Value = TypeVar("Value")


class Node(NamedTuple):
    """One step of a graph: a layer, or a join without branches, on the values of these names.

    Examples
    --------
    >>> from firconv import nn
    >>> nn.Node("sum", nn.Add(), ("a", "input")).inputs
    ('a', 'input')
    """

    name: str
    layer: Layer
    inputs: tuple[str, ...]


class Graph(Composite):
    """Layers in the order of their computation, each reading values by name: what a traced or an ONNX model is.

    Parameters
    ----------
    *nodes : Node
        Inputs are names of earlier nodes, or `Graph.INPUT`; the last node is the output.

    Raises
    ------
    TypeError
        Anything that is no `Node` of a layer.
    ValueError
        No nodes, or a name that is not there yet.

    Examples
    --------
    >>> import numpy as np
    >>> from firconv import nn
    >>> graph = nn.Graph(nn.Node("a", nn.ReLU(), ("input",)), nn.Node("b", nn.Add(), ("a", "input")))
    >>> graph(np.array([[[-1.0, 2.0]]]))
    array([[[-1.,  4.]]])
    """

    INPUT = "input"

    nodes: tuple[Node, ...]

    def __init__(self, *nodes: Node) -> None:
        known = {self.INPUT}
        for node in nodes:
            if not isinstance(node, Node) or not isinstance(node.layer, Layer):
                raise TypeError(f"Graph(…): {node!r} is no Node of a layer; give Node(name, layer, inputs), one each")
            missing = [name for name in node.inputs if name not in known]
            if missing or not node.inputs:
                raise ValueError(f"Graph(…): node {node.name!r} reads {missing or 'nothing'}; nodes come in the order "
                                 f"of computation and read earlier ones or {self.INPUT!r}")
            known.add(node.name)
        if not nodes:
            raise ValueError("Graph(): it has no nodes; give at least one")
        self._hold(nodes=tuple(nodes), parts=tuple(node.layer for node in nodes))

    def __reduce__(self) -> Any:
        return Graph, self.nodes

    def _key(self) -> Any:
        order = {self.INPUT: -1} | {node.name: i for i, node in enumerate(self.nodes)}
        return tuple((node.layer, tuple(order[name] for name in node.inputs)) for node in self.nodes)

    @property
    def rows(self) -> int:  # type: ignore[override]
        """Rows in a table."""
        return sum(layer.rows for layer in self.parts)

    def fold(self, step: Callable[[Layer, Value], Value], join: Callable[[Layer, list[Value]], Value],
             value: Value) -> Value:
        """Node by node; a value is dropped after its last use."""
        last = {name: i for i, node in enumerate(self.nodes) for name in node.inputs}
        values = {self.INPUT: value}
        for i, node in enumerate(self.nodes):
            inputs = [values[name] for name in node.inputs]
            for name in set(node.inputs):
                if last[name] == i:
                    del values[name]
            if isinstance(node.layer, Join) and not node.layer.parts:
                value = join(node.layer, inputs)
            else:
                value = node.layer.fold(step, join, inputs[0])
            values[node.name] = value
        return value

    def output_shape(self, shape: Sequence[int]) -> Shape:
        """(C, *spatial) of the output, for an input of that form."""
        return self.fold(shaped, joined, tuple(shape))
