"""Layers as values: what they compute, count and print; immutable, equal by content, shared by threads."""

import copy
import dataclasses
import pickle
import threading

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from firconv import nn
from firconv.nn.values import KEPT


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def worked():
    """The worked network of the notes: 28×28×1, two convolutions and pools, three classes."""
    return nn.Sequential(nn.Conv(numbers(10, 1, 3, 3), numbers(10), padding=1), nn.MaxPool(2),
                         nn.Conv(numbers(10, 10, 3, 3), numbers(10), padding=1), nn.MaxPool(2), nn.Flatten(),
                         nn.Dense(numbers(3, 490), numbers(3)))


TABLE = """\
layer       output  activations  parameters  multiplications  field
───────────────────────────────────────────────────────────────────
INPUT      28×28×1          784                                   1
CONV3-10  28×28×10        7,840         100           70,560      3
POOL2     14×14×10        1,960           0                0      4
CONV3-10  14×14×10        1,960         910          176,400      8
POOL2       7×7×10          490           0                0     10
FLATTEN        490          490           0                0     10
FC-3             3            3       1,473            1,470    all
───────────────────────────────────────────────────────────────────
sum                                   2,483          248,430"""


# ── tables ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_worked_network_prints_its_table():
    table = worked().summary((1, 28, 28))
    assert str(table) == TABLE
    assert [row.output for row in table.rows] == [(10, 28, 28), (10, 14, 14), (10, 14, 14), (10, 7, 7), (490,), (3,)]
    assert [row.parameters for row in table.rows] == [100, 0, 910, 0, 0, 1473]
    assert table.parameters == worked().parameters == 2483
    assert worked()(numbers(2, 1, 28, 28)).shape == (2, 3)


def test_tables_hold_branches_and_fit_a_terminal():
    block = nn.Add([nn.Conv(numbers(64, 64, 3, 3), padding=1), nn.ReLU()], [])
    net = nn.Sequential(nn.Conv(numbers(64, 3, 7, 7), stride=2, padding=3), block, nn.Concat([], []), nn.BlurPool(5),
                        nn.Multiply([], [nn.GlobalAvgPool()]))
    lines = str(net.summary((3, 224, 224))).splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert any(line.startswith("  CONV3-64 ") for line in lines)
    rows = {row.label: row for row in net.summary((3, 224, 224)).rows}
    assert rows["CONCAT"].output == (128, 112, 112) and rows["BLURPOOL5/2"].output == (128, 56, 56)
    assert rows["CONV7-64/2"].multiplications == 112 * 112 * 64 * 3 * 49
    assert rows["BLURPOOL5/2"].multiplications == 128 * 56 * 56 * 25


@pytest.mark.parametrize("size, stride, padding", [(3, 1, 0), (5, 2, 2), (4, 3, 1), (7, 2, 3)])
def test_counts_of_a_layer_are_the_formulas(size, stride, padding):
    layer = nn.Conv(numbers(6, 2, size, size), numbers(6), stride=stride, padding=padding)
    side = (20 - size + 2 * padding) // stride + 1
    assert layer.output_shape((2, 20, 20)) == (6, side, side)
    assert layer.parameters == size**2 * 2 * 6 + 6
    assert layer.multiplications((2, 20, 20)) == side**2 * size**2 * 2 * 6


def test_transposed_layers_count_no_stuffed_zeros():
    up = nn.ConvTranspose(numbers(4, 2, 2, 2), stride=2)
    assert up.output_shape((4, 5, 6)) == (2, 10, 12)
    assert up.multiplications((4, 5, 6)) == 5 * 6 * 4 * 2 * 4


# ── what they compute ─────────────────────────────────────────────────────────────────────────────────────────────────

WORDS = {"stride": (2, 1), "padding": ((1, 2), (0, 1)), "dilation": (1, 2), "groups": 2}


@pytest.mark.parametrize("boundary", ["zero", "edge", "reflect", "wrap", "symmetric", ("constant", 2.0)])
def test_conv_is_the_operation(boundary):
    x, w, bias = numbers(2, 4, 9, 8), numbers(6, 2, 3, 2), numbers(6)
    layer = nn.Conv(w, bias, boundary=boundary, **WORDS)
    assert_array_equal(layer(x), nn.conv(x, w, bias, boundary=boundary, **WORDS))


def test_transposed_conv_is_the_operation():
    x, w, bias = numbers(2, 6, 5, 8), numbers(6, 2, 3, 2), numbers(4)
    layer = nn.ConvTranspose(w, bias, output_padding=(1, 0), **WORDS)
    assert_array_equal(layer(x), nn.conv_transpose(x, w, bias, output_padding=(1, 0), **WORDS))
    assert layer.output_shape((6, 5, 8)) == layer(x).shape[1:]


@pytest.mark.parametrize("words", [{}, {"stride": 1, "padding": 1}, {"ceil_mode": True},
                                   {"padding": "same", "stride": 2},
                                   {"padding": ((1, 0), (0, 1)), "dilation": 2, "stride": 3}])
def test_pools_are_the_operations(words):
    x = numbers(2, 3, 11, 10)
    for layer, operation in ((nn.MaxPool(3, **words), nn.max_pool), (nn.AvgPool(3, **words), nn.avg_pool)):
        y = layer(x)
        assert_array_equal(y, operation(x, 3, **words))
        assert layer.output_shape(x.shape[1:]) == y.shape[1:]


@pytest.mark.parametrize("size, stride, n", [(3, 2, 9), (4, 2, 8), (5, 3, 10), (1, 2, 7)])
def test_blurpool_is_a_depthwise_layer_of_binomial_weights(size, stride, n):
    x, pool = numbers(2, 3, n, n + 1), nn.BlurPool(size, stride=stride)
    taps = pool.fir(2).taps
    low = (size - 1) // 2
    expected = nn.conv(x, np.broadcast_to(taps, (3, 1, *taps.shape)), stride=stride, groups=3, boundary="reflect",
                       padding=((low, size - 1 - low),) * 2)
    assert_allclose(pool(x), expected[:, :, :pool(x).shape[2], :pool(x).shape[3]], atol=1e-14)
    assert pool.output_shape(x.shape[1:]) == pool(x).shape[1:] == (3, -(-n // stride), -(-(n + 1) // stride))


def test_average_pooling_is_a_box_filter_and_a_decimator():
    x = numbers(1, 1, 12)
    box = nn.Conv(np.full((1, 1, 3), 1 / 3), stride=3)
    assert_allclose(nn.AvgPool(3)(x), box(x), atol=1e-15)


def test_max_pooling_is_not_linear_and_commutes_with_rectification():
    x, y, pool = numbers(1, 1, 8), numbers(1, 1, 8, seed=1), nn.MaxPool(2)
    assert np.abs(pool(x + y) - pool(x) - pool(y)).max() > 0.1
    assert_array_equal(pool(nn.ReLU()(x)), nn.ReLU()(pool(x)))


@pytest.mark.parametrize("shift", [(1, 0), (3, 5), (-2, 7)])
def test_global_averages_of_circular_layers_do_not_see_a_shift(shift):
    net = nn.Sequential(nn.Conv(numbers(4, 2, 3, 3), numbers(4), padding=1, boundary="wrap"), nn.ReLU(),
                        nn.Conv(numbers(3, 4, 3, 3, seed=1), padding=1, boundary="wrap"), nn.GlobalAvgPool())
    x = numbers(1, 2, 8, 9)
    assert_allclose(net(np.roll(x, shift, (2, 3))), net(x), atol=1e-13)


def test_dense_layers_keep_integers_exact():
    big = 2**53 + 1
    assert nn.Dense([[1, 1]], [1])(np.array([[big, 1]])).tolist() == [[big + 2]]
    w, b, x = numbers(3, 5), numbers(3), numbers(4, 5)
    assert_allclose(nn.Dense(w, b)(x), x @ w.T + b, atol=1e-14)
    with pytest.raises(ValueError, match=r"FC-3: takes 5 features, the input has shape \(6,\)"):
        nn.Dense(w)(numbers(4, 6))


def test_activations_keep_the_type_and_nan():
    x = np.array([[[-1.0, np.nan, 3.0, 9.0]]], np.float32)
    for layer in (nn.ReLU(), nn.ReLU(0.1), nn.ReLU(top=6.0), nn.Pointwise("gelu"), nn.Pointwise("softplus")):
        y = layer(x)
        assert y.dtype == np.float32 and np.isnan(y[0, 0, 1]) and np.isfinite(y[0, 0, [0, 2, 3]]).all()
    assert np.isfinite(nn.Pointwise("sigmoid")(np.array([[[-1e4, 1e4]]]))).all()
    assert_allclose(nn.Pointwise("softmax")(numbers(2, 3, 4)).sum(1), 1)


def test_pad_reads_any_boundary():
    x = np.arange(6.0).reshape(1, 1, 2, 3)
    assert_array_equal(nn.Pad(((1, 0), (2, 1)), "wrap")(x)[0, 0], np.pad(x[0, 0], ((1, 0), (2, 1)), mode="wrap"))
    pad = nn.Pad((1, 2))
    assert pad.output_shape((1, 2, 3)) == (1, 4, 7) == pad(x).shape[1:]


def test_graphs_compute_in_order_and_join():
    graph = nn.Graph(nn.Node("a", nn.Conv(numbers(2, 2, 3), padding=1), ("input",)),
                     nn.Node("b", nn.Concat(), ("a", "input")), nn.Node("c", nn.Multiply(), ("b", "b")))
    x = numbers(1, 2, 5)
    assert_allclose(graph(x), np.concatenate([graph.nodes[0].layer(x), x], 1) ** 2)
    assert graph.output_shape((2, 5)) == (4, 5)
    renamed = nn.Graph(nn.Node("p", graph.nodes[0].layer, ("input",)), nn.Node("q", nn.Concat(), ("p", "input")),
                       nn.Node("r", nn.Multiply(), ("q", "q")))
    assert graph == renamed and hash(graph) == hash(renamed)  # names are not part of what it is


# ── values ────────────────────────────────────────────────────────────────────────────────────────────────────────────

LAYERS = [nn.Conv(numbers(2, 1, 3), numbers(2), padding=1), nn.ConvTranspose(numbers(2, 1, 3), stride=2),
          nn.Dense(numbers(2, 3)), nn.Affine([1.0], [2.0]), nn.MaxPool(2), nn.AvgPool(3, stride=1), nn.BlurPool(),
          nn.ReLU(top=6.0), nn.Flatten(), nn.Identity(), nn.Pad(1, "edge"), nn.GlobalAvgPool(), nn.Pointwise("tanh"),
          nn.Window(3), worked(), nn.Add([nn.ReLU()], []), nn.Concat([nn.ReLU()], []),
          nn.Graph(nn.Node("a", nn.ReLU(), ("input",)))]


@pytest.mark.parametrize("layer", LAYERS, ids=lambda v: type(v).__name__)
def test_layers_are_values(layer):
    other = pickle.loads(pickle.dumps(layer))
    assert other == layer and hash(other) == hash(layer) and copy.deepcopy(layer) == layer
    assert layer != nn.Conv(numbers(1, 1, 1)) and layer != 3
    assert type(layer).__name__ in repr(layer) and layer.label
    assert len({layer, other}) == 1


def test_content_decides_equality():
    w = numbers(2, 1, 3)
    assert nn.Conv(w) == nn.Conv(w.copy()) and nn.Conv(w) != nn.Conv(w.astype(np.float32))
    assert nn.Conv(w) != nn.Conv(w, padding=1) and nn.Conv(w) != nn.Conv(-w)


def test_layers_are_immutable_and_copy_their_weights():
    w = numbers(2, 1, 3)
    layer, x = nn.Conv(w), numbers(1, 1, 6)
    before = layer(x)
    w[:] = 0
    assert_array_equal(layer(x), before)
    with pytest.raises(dataclasses.FrozenInstanceError):
        layer.stride = 2
    with pytest.raises(ValueError, match="read-only"):
        layer.w[0] = 1
    with pytest.raises(AttributeError, match="layers are immutable"):
        worked().parts = ()


def test_weights_are_prepared_once_per_shape_and_a_few_are_kept():
    layer = nn.Conv(numbers(2, 1, 3))
    for n in range(3, 3 + KEPT + 4):
        layer(numbers(1, 1, n))
    assert len(layer._plans) == KEPT
    plan = layer._plans.get(numbers(1, 1, n), None)
    layer(numbers(1, 1, n))
    assert layer._plans.get(numbers(1, 1, n), None) is plan


def test_threads_share_a_layer():
    layer, inputs = nn.Conv(numbers(4, 2, 3, 3), padding=1), [numbers(1, 2, 16, 8 + i % 3, seed=i) for i in range(12)]
    expected, found = [nn.conv(x, layer.w, padding=1) for x in inputs], [None] * len(inputs)

    def run(i):
        found[i] = layer(inputs[i])

    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(inputs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for y, z in zip(found, expected, strict=True):
        assert_array_equal(y, z)


def test_sequences_are_indexed_and_iterated():
    net = worked()
    assert len(net) == 6 and net[0].label == "CONV3-10" and isinstance(net[:2], nn.Sequential)
    assert [layer.label for layer in net][-1] == "FC-3" and net[:2].parameters == 100
    assert "Conv(w: 10×1×3×3 float64, bias: 10 float64, padding=1)" in repr(net)


# ── errors ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("make, error, words", [
    (lambda: nn.Conv(numbers(2, 3)), ValueError, r"Conv\(w, …\): w has shape \(2, 3\).*at least 3 dimensions"),
    (lambda: nn.Conv([[["a"]]]), ValueError, "dtype <U1; give numbers"),
    (lambda: nn.Conv(numbers(3, 1, 3), groups=2), ValueError,
     "3 channels .* do not divide into groups=2: groups may be 1, 3"),
    (lambda: nn.Conv(numbers(3, 1, 3), [1.0]), ValueError, r"bias has shape \(1,\) for 3 output channels"),
    (lambda: nn.Conv(numbers(3, 1, 3), stride=0), ValueError, "stride=0 must be at least 1"),
    (lambda: nn.Conv(numbers(3, 1, 3), stride=(1, 1)), ValueError, "stride=.* has 2 entries for 1"),
    (lambda: nn.Conv(numbers(3, 1, 3), padding=((1, 1), (1, 1))), ValueError, "has 2 pairs for 1 spatial axes"),
    (lambda: nn.Conv(numbers(3, 1, 3), boundary="mirror"), ValueError, "mirror"),
    (lambda: nn.Dense(numbers(3, 1, 3)), ValueError, "give a matrix"),
    (lambda: nn.Affine([1.0], [1.0, 2.0]), ValueError, "shift has shape"),
    (lambda: nn.Pointwise("sine"), ValueError, r"Pointwise\('sine'\): no such function; use sigmoid"),
    (lambda: nn.Pad("same"), ValueError, r"Pad\('same', 'zero'\): give numbers"),
    (lambda: nn.Pad(1, "omit"), ValueError, "not 'omit'"),
    (lambda: nn.MaxPool((2, 2), stride=(1, 1, 1)), ValueError, "entries for 2 and 3 axes"),
    (lambda: nn.BlurPool(0), ValueError, "size=0 must be at least 1"),
    (lambda: nn.Sequential(3), TypeError, r"Sequential\(layers\): 3 is no layer"),
    (lambda: nn.Graph(), ValueError, "it has no nodes"),
    (lambda: nn.Graph(nn.Node("a", nn.ReLU(), ("b",))), ValueError, r"node 'a' reads \['b'\]"),
    (lambda: nn.Concat([nn.MaxPool(2)], []).output_shape((1, 4)), ValueError, "differ beyond the channels"),
    (lambda: nn.networks.Join([nn.ReLU()], [])(numbers(1, 1, 1)), NotImplementedError, "says how it combines"),
    (lambda: nn.layers.Convolution(numbers(1, 1, 1)), NotImplementedError, "says which"),
    (lambda: nn.Conv(np.ma.ones((1, 1, 3))), TypeError, r"Conv\(w, …\): w is a masked array.*w.filled\(0\)"),
    (lambda: nn.Affine([1.0], None), TypeError, "shift=None is no number per channel: give zeros"),
    (lambda: nn.ConvTranspose(numbers(1, 1, 3), output_padding=1), ValueError,
     r"ConvTranspose\(w, …\): output_padding=1 is too large .* at most 0"),
    (lambda: nn.MaxPool(()), ValueError, r"MaxPool\(…\): size=\(\) is empty: give a whole number"),
    (lambda: nn.BlurPool(3, boundary="foo"), ValueError, r"^BlurPool\(…\): boundary='foo' is unknown"),
    (lambda: nn.GlobalAvgPool("x"), TypeError, "keepdims='x' is neither True nor False"),
    (lambda: nn.ReLU()(None), TypeError, r"ReLU\(…\)\(x\): x has dtype object, which holds no numbers"),
    (lambda: nn.ReLU()(np.ma.ones((1, 1, 3))), TypeError, r"ReLU\(…\)\(x\): x is a masked array.*x.filled\(0\)"),
    (lambda: nn.ReLU()([[1.0], [2.0, 3.0]]), ValueError, r"is no array .*: give numbers \(N, C, \*spatial\)"),
    (lambda: nn.BlurPool(3)(numbers(3)), ValueError, r"x has shape \(3,\): give a batch"),
    (lambda: nn.Graph(3), TypeError, r"Graph\(…\): 3 is no Node of a layer; give Node"),
    (lambda: worked().summary("abc"), TypeError, "input_shape='abc' is not a tuple of ints"),
    (lambda: worked().summary((2, 1, 28, 28)), ValueError, r"input_shape=\(2, 1, 28, 28\).*without the batch"),
    (lambda: worked()(numbers(1, 2, 28, 28)), ValueError, "x has 2 channels and w takes 1"),
])
def test_bad_layers(make, error, words):
    with pytest.raises(error, match=words):
        make()
