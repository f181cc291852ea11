"""Models of torch and ONNX become layers with the same outputs."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from firconv import nn

torch = pytest.importorskip("torch")
T = torch.nn
F = torch.nn.functional


def agree(module, shape, seed=0, rtol=2e-5):
    """The layers of a module, after their outputs were compared with the module's, relative to the largest."""
    module = module.eval()
    net = nn.from_torch(module)
    x = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    with torch.no_grad():
        expected = module(torch.from_numpy(x)).numpy()
    y = net(x)
    assert y.dtype == np.float32 and y.shape == expected.shape
    assert_allclose(y, expected, atol=rtol * np.abs(expected).max(), rtol=0)
    return net


def shaken(module):
    """The module with random statistics and scales in its normalisations."""
    generator = torch.Generator().manual_seed(1)
    for m in module.modules():
        if isinstance(m, T.modules.batchnorm._BatchNorm):
            for tensor, low in ((m.running_mean, -1), (m.running_var, 0.5), (m.weight.data, 0.5), (m.bias.data, -1)):
                tensor.copy_(low + torch.rand(tensor.shape, generator=generator))
    return module


# ── torch ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_convolutions_in_every_padding_mode(ndim, mode):
    conv = [T.Conv1d, T.Conv2d, T.Conv3d][ndim - 1]
    words = {"stride": 2, "padding": (2, 1, 2)[:ndim], "groups": 2, "padding_mode": mode}
    net = agree(T.Sequential(conv(4, 6, 3, **words)), (2, 4, 7, 8, 6)[:ndim + 2])
    assert net[0].boundary == {"zeros": "zero", "replicate": "edge", "circular": "wrap"}.get(mode, mode)


@pytest.mark.parametrize("words", [{"padding": "same", "dilation": 3}, {"padding": "valid"}, {"bias": False}])
def test_convolutions_in_other_words(words):
    agree(T.Conv2d(3, 5, 4, **words), (1, 3, 12, 11))


@pytest.mark.parametrize("words", [
    {"stride": 2, "padding": 1, "output_padding": 1}, {"stride": 3, "dilation": 2, "groups": 2}, {"bias": False},
])
def test_transposed_convolutions(words):
    agree(T.ConvTranspose2d(4, 6, 3, **words), (2, 4, 5, 6))
    agree(shaken(T.Sequential(T.ConvTranspose2d(4, 6, 3, **words), T.BatchNorm2d(6))), (2, 4, 5, 6))


@pytest.mark.parametrize("module", [
    T.MaxPool2d(3, 2, padding=1), T.MaxPool2d(2, ceil_mode=True), T.MaxPool2d(3, 1, dilation=2),
    T.AvgPool2d(3, 2, padding=1), T.AvgPool2d((2, 3), count_include_pad=False, padding=1, ceil_mode=True),
    T.AdaptiveAvgPool2d(1), T.AdaptiveMaxPool2d((1, 1)), T.ReLU(), T.ReLU6(), T.LeakyReLU(0.2), T.Sigmoid(), T.Tanh(),
    T.SiLU(), T.GELU(), T.Hardsigmoid(), T.Hardswish(), T.ELU(), T.Softplus(), T.Softmax(1), T.Dropout(0.5),
    T.Identity(), T.Flatten(), T.ZeroPad2d((1, 2, 0, 3)), T.ReflectionPad2d((2, 1, 0, 3)), T.ReplicationPad2d(2),
    T.CircularPad2d((1, 2, 3, 0)), T.ConstantPad2d(1, 2.5), shaken(T.BatchNorm2d(3)),
], ids=lambda m: type(m).__name__)
def test_every_module(module):
    agree(module, (2, 3, 7, 8))


def test_a_classifier_and_what_it_merges():
    net = agree(shaken(T.Sequential(
        T.ReflectionPad2d(1), T.Conv2d(1, 8, 3), T.BatchNorm2d(8), T.ReLU(), T.MaxPool2d(2), T.Dropout(),
        T.Sequential(T.Conv2d(8, 12, 3, padding=1), T.BatchNorm2d(12), T.ReLU()), T.AvgPool2d(2),
        T.Flatten(), T.Linear(12 * 7 * 7, 10), T.BatchNorm1d(10))), (2, 1, 28, 28))
    assert [type(layer).__name__ for layer in net] == ["Conv", "ReLU", "MaxPool", "Sequential", "AvgPool", "Flatten",
                                                       "Dense"]
    assert net[0].boundary == "reflect" and net[0].padding == ((1, 1), (1, 1))
    assert net.parameters == 8 * 10 + 12 * 73 + 10 * 589
    assert nn.receptive_field(net).size == 10


class Block(T.Module):
    """A residual block as torchvision has it: the stride in the first 3×3, a projection where shapes differ."""

    def __init__(self, into, out, stride):
        super().__init__()
        self.conv1 = T.Conv2d(into, out, 3, stride, 1, bias=False)
        self.bn1 = T.BatchNorm2d(out)
        self.conv2 = T.Conv2d(out, out, 3, 1, 1, bias=False)
        self.bn2 = T.BatchNorm2d(out)
        self.relu = T.ReLU(inplace=True)
        self.down = None if stride == 1 else T.Sequential(T.Conv2d(into, out, 1, stride, bias=False),
                                                          T.BatchNorm2d(out))

    def forward(self, x):
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        y += x if self.down is None else self.down(x)
        return self.relu(y)


class ResNet18(T.Module):
    def __init__(self, width=4):
        super().__init__()
        self.stem = T.Sequential(T.Conv2d(3, width, 7, 2, 3, bias=False), T.BatchNorm2d(width), T.ReLU(),
                                 T.MaxPool2d(3, 2, 1))
        rows = [(width << max(i - 1, 0), width << i, 1 + (i > 0)) for i in range(4)]
        self.stages = T.Sequential(*(T.Sequential(Block(a, b, s), Block(b, b, 1)) for a, b, s in rows))
        self.head = T.Linear(width << 3, 7)

    def forward(self, x):
        x = F.adaptive_avg_pool2d(self.stages(self.stem(x)), 1)
        return self.head(torch.flatten(x, 1))


def test_a_residual_network_is_traced():
    net = agree(shaken(ResNet18()), (2, 3, 64, 64), rtol=1e-4)
    field = nn.receptive_field(net)
    assert (field.size, field.stride) == (435, 32)
    table = net.summary((3, 64, 64))
    assert table.rows[0].label == "CONV7-4/2" and table.rows[-1].output == (7,)
    assert not any(row.label == "AFFINE" for row in table.rows)  # normalisation went into the convolutions


class Branches(T.Module):
    """What a forward may say in other words."""

    def __init__(self):
        super().__init__()
        self.a, self.b = T.Conv2d(2, 3, 1), T.Conv2d(2, 3, 3, padding=1)
        self.gate = T.Sequential(T.AdaptiveAvgPool2d(1), T.Conv2d(6, 6, 1), T.Sigmoid())

    def forward(self, x):
        y = torch.cat([F.relu(self.a(x)), self.b(x).tanh()], dim=1)
        y = y * self.gate(y)
        y = F.max_pool2d(y, 2) + F.avg_pool2d(y, 3, stride=2, padding=1)
        y = F.dropout(F.leaky_relu(y, 0.1), training=False)
        return y.mean((2, 3)).view(y.size(0), -1)


def test_branches_gates_and_functions_are_traced():
    net = agree(Branches(), (2, 2, 8, 10))
    assert isinstance(net, nn.Graph) and net.output_shape((2, 8, 10)) == (6,)


def test_a_forward_in_a_row_becomes_a_row():
    class Row(T.Module):
        def __init__(self):
            super().__init__()
            self.conv = T.Conv1d(1, 2, 3)

        def forward(self, x):
            return F.silu(self.conv(x)).flatten(1)

    assert isinstance(agree(Row(), (2, 1, 9)), nn.Sequential)


def forward(function):
    module = T.Module()
    module.forward = function
    kind = type("Own", (T.Module,), {"forward": lambda self, x: function(x)})
    return kind()


@pytest.mark.parametrize("module, words", [
    (T.LSTM(3, 3), "LSTM has no layer here; known are AdaptiveAvgPool"),
    (T.BatchNorm2d(3).train(), "BatchNorm2d with statistics of the batch.*call module.eval"),
    (T.Dropout(0.5).train(), r"Dropout with training=True.*call module.eval\(\)"),
    (T.MaxPool2d(2, return_indices=True), "return_indices=True"),
    (T.AvgPool2d(2, divisor_override=3), "divisor_override"),
    (T.AdaptiveAvgPool2d(7), "only size 1 is global"),
    (T.Flatten(0), "start_dim=0"),
    (T.ZeroPad2d(-1), "slice the input"),
    (T.Softmax(2), "only channels"),
    (T.GELU(approximate="tanh"), "approximate='tanh'"),
    (forward(torch.fft.fft), "fft in Own.forward has no layer here; known calls are"),
    (forward(lambda x: torch.cat([x, x], 2)), "another axis than the channels"),
    (forward(lambda x: x.view(3, 4, -1)), "only flattening all but the batch"),
    (forward(lambda x: x.mean(1)), r"takes the mean over \[1\]"),
    (forward(lambda x: x + 1), "takes 1, which is no value of a layer"),
    (forward(lambda x: x if x.sum() > 0 else -x), "cannot be traced"),
])
def test_what_torch_modules_cannot_be(module, words):
    with pytest.raises(ValueError, match=words):
        nn.from_torch(module)


def test_several_inputs_and_no_module_at_all():
    class Two(T.Module):
        def forward(self, x, y):
            return x + y

    with pytest.raises(ValueError, match="Two has several inputs"):
        nn.from_torch(Two())
    with pytest.raises(TypeError, match="a int is no torch module"):
        nn.from_torch(3)


# ── ONNX ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")


def model(nodes, constants, shape, output=None):
    """An ONNX model of nodes (op, inputs, words) named by their place; the first input is x, the last node's out y."""
    helper, made = onnx.helper, []
    for i, (op, inputs, words) in enumerate(nodes):
        made.append(helper.make_node(op, inputs, [str(i) if i < len(nodes) - 1 else "y"], name=f"{op}_{i}", **words))
    info = helper.make_tensor_value_info
    graph = helper.make_graph(made, "g", [info("x", onnx.TensorProto.FLOAT, shape)],
                              [info("y", onnx.TensorProto.FLOAT, output)],
                              [onnx.numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


def same(model, shape, rtol=2e-5):
    """The layers of a model, after their outputs were compared with onnxruntime's."""
    x = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    expected = runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(
        None, {"x": x})[0]
    net = nn.from_onnx(model)
    assert_allclose(net(x), expected, atol=rtol * np.abs(expected).max(), rtol=0)
    return net


def numbers(*shape, seed=0):
    return (np.random.default_rng(seed).standard_normal(shape) * 0.5).astype(np.float32)


CLASSIFIER = (
    [("Conv", ["x", "w0", "b0"], {"pads": [1, 1, 1, 1], "strides": [2, 2]}),
     ("BatchNormalization", ["0", "g", "b", "m", "v"], {}),
     ("Relu", ["1"], {}),
     ("Conv", ["2", "w1"], {"auto_pad": "SAME_LOWER", "group": 2}),
     ("Add", ["2", "3"], {}),
     ("MaxPool", ["4"], {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}),
     ("ConvTranspose", ["5", "w2"], {"strides": [2, 2], "output_padding": [1, 1]}),
     ("AveragePool", ["6"], {"kernel_shape": [2, 2], "pads": [1, 0, 0, 1]}),
     ("Clip", ["7", "zero", "six"], {}),
     ("Concat", ["8", "8"], {"axis": 1}),
     ("GlobalAveragePool", ["9"], {}),
     ("Flatten", ["10"], {}),
     ("Gemm", ["11", "w3", "b3"], {"transB": 1, "alpha": 0.5, "beta": 2.0}),
     ("Softmax", ["12"], {})],
    {"w0": numbers(4, 3, 3, 3), "b0": numbers(4), "g": numbers(4), "b": numbers(4), "m": numbers(4),
     "v": np.abs(numbers(4)) + 0.5, "w1": numbers(4, 2, 4, 3), "w2": numbers(4, 5, 3, 3), "zero": np.float32(0),
     "six": np.float32(6), "w3": numbers(7, 10), "b3": numbers(7)},
)


def test_a_model_of_many_nodes(tmp_path):
    made = model(*CLASSIFIER, ["n", 3, 20, 22])
    net = same(made, (2, 3, 20, 22))
    assert isinstance(net, nn.Graph) and len(net) == 13  # normalisation went into the convolution
    onnx.save(made, tmp_path / "net.onnx")
    x = numbers(1, 3, 20, 22)
    for form in (tmp_path / "net.onnx", str(tmp_path / "net.onnx"), made.SerializeToString()):
        assert_array_equal(nn.from_onnx(form)(x), net(x))


@pytest.mark.parametrize("nodes, constants", [
    ([("Pad", ["x", "p"], {"mode": "reflect"}), ("Conv", ["0", "w"], {})],
     {"p": np.array([0, 0, 1, 2, 0, 0, 2, 1]), "w": numbers(2, 3, 3, 3)}),
    ([("Pad", ["x", "p", "c"], {})], {"p": np.array([0, 0, 1, 2, 0, 0, 2, 1]), "c": np.float32(1.5)}),
    ([("Conv", ["x", "w"], {"auto_pad": "SAME_UPPER", "strides": [2, 3]})], {"w": numbers(2, 3, 4, 4)}),
    ([("Conv", ["x", "w"], {"auto_pad": "VALID", "dilations": [2, 1]})], {"w": numbers(2, 3, 2, 4)}),
    ([("Conv", ["x", "w"], {}), ("Mul", ["0", "s"], {}), ("Add", ["1", "t"], {})],
     {"w": numbers(2, 3, 3, 3), "s": numbers(2, 1, 1), "t": np.float32(2)}),
    ([("LeakyRelu", ["x"], {"alpha": 0.3}), ("Sigmoid", ["0"], {}), ("Tanh", ["1"], {}), ("Elu", ["2"], {}),
      ("Softplus", ["3"], {}), ("HardSwish", ["4"], {}), ("Identity", ["5"], {}), ("Gelu", ["6"], {})], {}),
    ([("HardSigmoid", ["x"], {"alpha": 1 / 6}), ("Mul", ["0", "x"], {})], {}),
    ([("GlobalMaxPool", ["x"], {}), ("Reshape", ["0", "shape"], {}), ("MatMul", ["1", "w"], {}),
      ("Add", ["2", "b"], {})],
     {"shape": np.array([0, -1]), "w": numbers(3, 4), "b": numbers(4)}),
    ([("ReduceMean", ["x", "axes"], {"keepdims": 0})], {"axes": np.array([2, 3])}),
    ([("AveragePool", ["x"], {"kernel_shape": [3, 3], "auto_pad": "SAME_UPPER", "strides": [2, 2]})], {}),
    ([("Constant", [], {"value_floats": [1.0, 2.0, 3.0]}), ("Reshape", ["0", "s"], {}), ("Sum", ["x", "1"], {})],
     {"s": np.array([3, 1, 1])}),
], ids=lambda v: "+".join(n[0] for n in v) if isinstance(v, list) else "")
def test_models_of_few_nodes(nodes, constants):
    if nodes[0][0] == "Constant":  # what is made of constants only is not folded: it has no layer
        with pytest.raises(ValueError, match=r"node .Reshape_1. .* reshapes to \[3, 1, 1\]"):
            nn.from_onnx(model(nodes, constants, [2, 3, 8, 9]))
        return
    net = same(model(nodes, constants, [2, 3, 8, 9]), (2, 3, 8, 9))
    assert len(net) <= len(nodes)


def test_padding_and_constants_go_into_the_convolution():
    made = model([("Constant", [], {"value": onnx.numpy_helper.from_array(numbers(2, 3, 3, 3))}),
                  ("Pad", ["x", "p"], {"mode": "edge"}), ("Conv", ["1", "0"], {}), ("Mul", ["2", "s"], {})],
                 {"p": np.array([0, 0, 1, 1, 0, 0, 1, 1]), "s": numbers(1, 2, 1, 1)}, [1, 3, 8, 9])
    net = same(made, (1, 3, 8, 9))
    assert len(net) == 1 and net[0].boundary == "edge" and net[0].bias is not None


W = {"w": numbers(2, 3, 3, 3), "w1": numbers(3, 9)}


@pytest.mark.parametrize("nodes, words", [
    ([("Sin", ["x"], {})], r"node 'Sin_0' \(Sin\) has no layer here; known nodes are Add, AveragePool"),
    ([("Relu", ["x"], {}), ("Conv", ["0", "0"], {})], "computes its weights; only constant ones"),
    ([("ConvTranspose", ["x", "wt"], {"output_shape": [9, 9]})], "asks for an output_shape"),
    ([("Gemm", ["x", "w1"], {"transA": 1})], "transposes its input"),
    ([("Concat", ["x", "x"], {"axis": 2})], "joins along axis 2; only the channels"),
    ([("Concat", ["x", "c"], {"axis": 1})], "joins a constant"),
    ([("Flatten", ["x"], {"axis": 2})], "flattens from axis 2"),
    ([("Reshape", ["x", "s"], {})], r"reshapes to \[3, 2, -1\]"),
    ([("ReduceMean", ["x", "a"], {})], r"takes the mean over axes \[1\]"),
    ([("Clip", ["x", "one"], {})], "clips from 1.0; only from 0"),
    ([("Elu", ["x"], {"alpha": 2.0})], "has alpha=2; only 1"),
    ([("HardSigmoid", ["x"], {})], "has alpha=0.2; only 0.166667"),
    ([("Softmax", ["x"], {})], "is along axis -1; only the channels"),
    ([("Gelu", ["x"], {"approximate": "tanh"})], "approximates by tanh"),
    ([("Add", ["x", "row"], {})], r"has a constant of shape \(9,\); only one number per channel"),
    ([("Pad", ["x", "p"], {})], "only spatial axes"),
    ([("Pad", ["x", "p4", "", "axes"], {})], "names axes"),
    ([("MatMul", ["x", "w"], {})], "multiplies by an array of shape"),
])
def test_what_onnx_nodes_cannot_be(nodes, words):
    constants = W | {"wt": numbers(3, 2, 3, 3), "c": numbers(1, 3, 8, 9), "s": np.array([3, 2, -1]),
                     "one": np.float32(1), "a": np.array([1]), "row": numbers(9), "p": np.array([1] + [0] * 7),
                     "p4": np.array([1, 1, 1, 1]), "axes": np.array([2, 3])}
    helper = onnx.helper
    made = [helper.make_node(op, inputs, [str(i) if i < len(nodes) - 1 else "y"], name=f"{op}_{i}", **keywords)
            for i, (op, inputs, keywords) in enumerate(nodes)]
    info = helper.make_tensor_value_info
    used = {name for node in made for name in node.input}
    graph = helper.make_graph(made, "g", [info("x", onnx.TensorProto.FLOAT, [1, 3, 8, 9])],
                              [info("y", onnx.TensorProto.FLOAT, None)],
                              [onnx.numpy_helper.from_array(np.asarray(constants[k]), k) for k in used & {*constants}])
    with pytest.raises(ValueError, match=words):
        nn.from_onnx(helper.make_model(graph))


def test_models_with_several_inputs_outputs_and_training_nodes():
    helper, info = onnx.helper, onnx.helper.make_tensor_value_info
    kind, shape = onnx.TensorProto.FLOAT, [1, 3, 8, 9]
    add = helper.make_node("Add", ["x", "z"], ["y"])
    graph = helper.make_graph([add], "g", [info("x", kind, shape), info("z", kind, shape)], [info("y", kind, shape)])
    with pytest.raises(ValueError, match="the model has 2 inputs and 1 outputs"):
        nn.from_onnx(helper.make_model(graph))
    pool = helper.make_node("MaxPool", ["x"], ["y", "i"], kernel_shape=[2, 2])
    graph = helper.make_graph([pool], "g", [info("x", kind, shape)], [info("y", kind, None)])
    with pytest.raises(ValueError, match=r"has further outputs \['i'\]"):
        nn.from_onnx(helper.make_model(graph))
    constants = [onnx.numpy_helper.from_array(numbers(3), name) for name in "gbmv"]
    norm = helper.make_node("BatchNormalization", ["x", "g", "b", "m", "v"], ["y"], training_mode=1)
    graph = helper.make_graph([norm], "g", [info("x", kind, shape)], [info("y", kind, None)], constants)
    with pytest.raises(ValueError, match="is in training mode"):
        nn.from_onnx(helper.make_model(graph))


def test_an_unknown_rank_of_a_sum_is_an_error():
    helper, info = onnx.helper, onnx.helper.make_tensor_value_info
    add = helper.make_node("Add", ["x", "c"], ["y"])
    graph = helper.make_graph([add], "g", [info("x", onnx.TensorProto.FLOAT, None)],
                              [info("y", onnx.TensorProto.FLOAT, None)],
                              [onnx.numpy_helper.from_array(numbers(3), "c")])
    with pytest.raises(ValueError, match="unknown number of dimensions"):
        nn.from_onnx(helper.make_model(graph))
