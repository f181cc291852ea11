"""ONNX's own test cases of convolutions and pools, as the package `onnx` ships them.

All pass by value. Two cases of MaxPool ask in a second output where the largest sample stood, one of them in column
order (`storage_order`); firconv's pools do not say that, so only their values are compared:
test_maxpool_with_argmax_2d_precomputed_pads and test_maxpool_with_argmax_2d_precomputed_strides.
"""

from importlib import import_module

import numpy as np
import pytest

from firconv import nn

onnx = pytest.importorskip("onnx")
OPERATORS = ("Conv", "ConvTranspose", "AveragePool", "MaxPool", "GlobalAveragePool", "GlobalMaxPool")


def cases():
    """Every case of these operators: importing a module of them registers its cases."""
    node = import_module("onnx.backend.test.case.node")
    for operator in OPERATORS:
        import_module(f"onnx.backend.test.case.node.{operator.lower()}")
    found = [case for case in node._NodeTestCases if case.model.graph.node[0].op_type in OPERATORS]
    return {f"{case.model.graph.node[0].op_type} {case.name}": case for case in found}


CASES = cases()


def words(attributes):
    """ONNX's attributes as the words of layers."""
    automatic = attributes.get("auto_pad", b"NOTSET").decode()
    pads = attributes.get("pads", [])
    named = {"SAME_UPPER": "same", "SAME_LOWER": "same_lower", "VALID": "valid"}
    half = len(pads) // 2
    padding = named.get(automatic) or (list(zip(pads[:half], pads[half:], strict=True)) if pads else 0)
    found = {"stride": attributes.get("strides", 1), "padding": padding, "dilation": attributes.get("dilations", 1)}
    return {**found, "ceil_mode": bool(attributes.get("ceil_mode", 0))}


def run(operator, attributes, x, *weights):
    common = words(attributes)
    ceil_mode = common.pop("ceil_mode")
    if operator == "Conv":
        return nn.conv(x, *weights, groups=attributes.get("group", 1), **common)
    if operator == "ConvTranspose":
        more = {"output_padding": attributes.get("output_padding", 0), "output_shape": attributes.get("output_shape")}
        return nn.conv_transpose(x, *weights, groups=attributes.get("group", 1), **more, **common)
    if operator == "MaxPool":
        return nn.max_pool(x, attributes["kernel_shape"], ceil_mode=ceil_mode, **common)
    if operator == "AveragePool":
        counted = bool(attributes.get("count_include_pad", 0))
        return nn.avg_pool(x, attributes["kernel_shape"], ceil_mode=ceil_mode, count_include_pad=counted, **common)
    return nn.global_max_pool(x) if operator == "GlobalMaxPool" else nn.global_avg_pool(x)


@pytest.mark.parametrize("name", CASES)
def test_onnx_case(name):
    case = CASES[name]
    node = case.model.graph.node[0]
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    for inputs, results in case.data_sets:
        y = run(node.op_type, attributes, *inputs)
        assert y.dtype == results[0].dtype and y.shape == results[0].shape
        np.testing.assert_allclose(y, results[0], rtol=case.rtol, atol=case.atol)


def test_every_operator_has_its_cases():
    counts = [sum(name.startswith(operator + " ") for name in CASES) for operator in OPERATORS]
    assert all(count >= least for count, least in zip(counts, (6, 11, 18, 18, 2, 2), strict=True)), counts
