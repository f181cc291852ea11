"""Neural-network layers as correlation FIR systems: the same engine in the words of layers.

>>> import numpy as np
>>> from firconv import nn
>>> nn.conv(np.ones((1, 1, 4)), np.ones((2, 1, 3)), padding="same").shape
(1, 2, 4)
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOME = {
    "conv": "operations",
    "conv_transpose": "operations",
    "conv_input_gradient": "operations",
    "conv_weight_gradient": "operations",
    "conv_bias_gradient": "operations",
    "max_pool": "pooling",
    "avg_pool": "pooling",
    "global_max_pool": "pooling",
    "global_avg_pool": "pooling",
    "plan": "plans",
    "LayerPlan": "plans",
    # layers as values
    "Conv": "layers",
    "ConvTranspose": "transposed",
    "MaxPool": "pools",
    "AvgPool": "pools",
    "BlurPool": "pools",
    "GlobalAvgPool": "pools",
    "GlobalMaxPool": "pools",
    "Dense": "pointwise",
    "ReLU": "pointwise",
    "Pointwise": "pointwise",
    "Affine": "pointwise",
    "Flatten": "pointwise",
    "Pad": "pointwise",
    "Sequential": "networks",
    "Add": "networks",
    "Multiply": "networks",
    "Concat": "networks",
    "Identity": "networks",
    "Graph": "graph",
    "Node": "graph",
    "Window": "windows",
    "receptive_field": "receptive",
    "effective_field": "effective",
    # learning, and networks to look at
    "Fit": "training",
    "FlippedConv": "flipped",
    "Gradients": "training",
    "accuracy": "training",
    "alexnet": "known",
    "fit": "training",
    "initial": "training",
    "loss_gradients": "training",
    "resnet": "known",
    "vgg": "known",
    "from_torch": "convert",
    "from_onnx": "convert",
}

__all__ = sorted(_HOME)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    """Load a public name from the room it lives in on first use."""
    if name in _HOME:
        value = getattr(import_module(f"firconv.nn.{_HOME[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'firconv.nn' has no attribute {name!r}; public names are {', '.join(__all__)}")


def __dir__() -> list[str]:
    return __all__
