"""Models of torch and ONNX as layers: read, then simplified (batch normalisation and padding go into convolutions)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from firconv.nn.graph import Graph, Node
from firconv.nn.layer import Layer
from firconv.nn.layers import Conv, Convolution
from firconv.nn.networks import Identity, Sequential
from firconv.nn.pointwise import Affine, Dense, Pad
from firconv.nn.transposed import ConvTranspose

__all__ = ["from_onnx", "from_torch"]


def from_torch(module: Any) -> Layer:
    """The layers of a torch module in evaluation mode, with its weights copied.

    Rows of layers (`torch.nn.Sequential`) become a `Sequential`; a module with a ``forward`` of its own is traced by
    `torch.fx` and becomes a `Graph`. Known are convolutions and their transposes in every padding mode, pools, linear
    layers, batch normalisation, padding, flattening and activations. Outputs agree to rounding.

    Parameters
    ----------
    module : torch.nn.Module

    Raises
    ------
    ValueError
        A module, function or argument that has no layer here, and batch normalisation or dropout in training mode.
    TypeError
        What is not a module.

    Examples
    --------
    >>> import torch                                                                                 # doctest: +SKIP
    >>> from firconv import nn                                                                       # doctest: +SKIP
    >>> net = nn.from_torch(torch.nn.Sequential(torch.nn.Conv2d(1, 8, 3), torch.nn.ReLU()).eval())   # doctest: +SKIP
    >>> print(net.summary((1, 28, 28)))                                                              # doctest: +SKIP
    """
    from firconv.nn.torch_modules import layer_of

    return layer_of(module)


def from_onnx(model: Any) -> Layer:
    """The layers of an ONNX model of one input and one output: a `Sequential`, or a `Graph` where it branches.

    Parameters
    ----------
    model : path, bytes or onnx.ModelProto

    Raises
    ------
    ValueError
        A node, attribute or shape that has no layer here; the message names the node.
    ModuleNotFoundError
        If the package onnx is not installed.

    Examples
    --------
    >>> from firconv import nn                                                                       # doctest: +SKIP
    >>> net = nn.from_onnx("model.onnx")                                                             # doctest: +SKIP
    """
    from firconv.nn.onnx_model import layer_of

    return layer_of(model)


# ── simplification ────────────────────────────────────────────────────────────────────────────────────────────────────


def simplified(nodes: Sequence[Node], output: str) -> Layer:
    """The graph without identities and nodes that nothing reads, merged where two layers are one; a row if it is one.

    Parameters
    ----------
    output : name of the node (or `Graph.INPUT`) whose value is wanted
    """
    alias: dict[str, str] = {}
    kept: dict[str, Node] = {}
    for node in nodes:
        inputs = tuple(alias.get(name, name) for name in node.inputs)
        if isinstance(node.layer, Identity):
            alias[node.name] = inputs[0]
        else:
            kept[node.name] = Node(node.name, node.layer, inputs)
    output = alias.get(output, output)
    if output == Graph.INPUT:
        return Identity()
    kept = _merged(_reached(kept, output), output)
    row = list(kept.values())
    chain = [Graph.INPUT, *kept]
    if all(node.inputs == (before,) for node, before in zip(row, chain, strict=False)):
        return Sequential(*(node.layer for node in row))
    return Graph(*row)


def _reached(kept: dict[str, Node], output: str) -> dict[str, Node]:
    """The nodes that the output depends on, in their order."""
    needed = {output}
    for name in reversed(kept):
        if name in needed:
            needed |= set(kept[name].inputs)
    return {name: node for name, node in kept.items() if name in needed}


def _merged(kept: dict[str, Node], output: str) -> dict[str, Node]:
    """Pairs of layers of which the first has no other reader, merged where they can be."""
    readers = Counter(name for node in kept.values() for name in node.inputs)
    readers[output] += 1
    for name, node in list(kept.items()):
        before = kept.get(node.inputs[0])
        if before is None or readers[before.name] > 1 or len(node.inputs) > 1:
            continue
        both = merged(before.layer, node.layer)
        if both is not None:
            kept[name] = Node(name, both, before.inputs)
            del kept[before.name]
    return kept


def row(layers: Sequence[Layer]) -> Layer:
    """Layers in a row, merged where two are one."""
    names = [str(i) for i in range(len(layers))]
    nodes = [Node(name, layer, (before,)) for name, layer, before in
             zip(names, layers, [Graph.INPUT, *names], strict=False)]
    found = simplified(nodes, names[-1]) if names else Identity()
    return found if isinstance(found, Sequential) else Sequential(found)


def merged(first: Layer, second: Layer) -> Layer | None:
    """One layer that is both in a row, or None.

    >>> merged(Conv([[[1.0, 2.0]]]), Affine([3.0], [4.0])).bias
    array([4.])
    >>> merged(Pad(1, "edge"), Conv([[[1.0, 2.0, 1.0]]]))
    Conv(w: 1×1×3 float64, padding=((1, 1),), boundary='edge')
    """
    if isinstance(second, Affine) and isinstance(first, (Convolution, Dense)):
        return _scaled(first, second)
    if isinstance(first, Pad) and isinstance(second, Conv) and _unpadded(second.padding):
        pads = tuple((r.low, r.high) for r in first.reaches(second.ndim))
        return replace(second, padding=pads, boundary=first.boundary)
    return None


def _unpadded(padding: Any) -> bool:
    return padding == "valid" if isinstance(padding, str) else not np.any(padding)


def _scaled(layer: Any, affine: Affine) -> Any:
    """A layer whose outputs are scaled and shifted, computed in float64 and kept in the layer's type."""
    kind = np.result_type(layer.w.dtype, np.float32) if layer.w.dtype.kind == "f" else np.dtype(float)
    outs = layer.w.shape[0] if isinstance(layer, Dense) else layer.channels[0]
    scale, shift = (np.broadcast_to(v.astype(float), (outs,)) for v in (affine.scale, affine.shift))
    if isinstance(layer, ConvTranspose):
        shape = (layer.groups, -1, *layer.w.shape[1:])
        w = layer.w.reshape(shape) * scale.reshape(layer.groups, 1, -1, *(1,) * layer.ndim)
        w = w.reshape(layer.w.shape)
    else:
        w = layer.w * scale.reshape(-1, *(1,) * (layer.w.ndim - 1))
    bias = shift if layer.bias is None else layer.bias * scale + shift
    return replace(layer, w=w.astype(kind), bias=bias.astype(kind))
