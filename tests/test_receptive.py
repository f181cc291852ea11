"""Receptive fields: published networks, from lists of their layers; laws against the Jacobian; the energy field."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from firconv import nn
from firconv.nn import Add, Concat, Window, effective_field, receptive_field


def conv(size, stride=1, padding=None):
    """A centred window, as "SAME" is at even alignment."""
    half = size // 2 if np.ndim(size) == 0 else tuple(k // 2 for k in size)
    return Window(size, stride, half if padding is None else padding)


def valid(size, stride=1):
    return Window(size, stride)


# ── published networks ────────────────────────────────────────────────────────────────────────────────────────────────

ALEXNET = [valid(11, 4), valid(3, 2), conv(5), valid(3, 2), conv(3), conv(3), conv(3), valid(3, 2)]
VGG16 = [layer for count in (2, 2, 3, 3, 3) for layer in [conv(3)] * count + [valid(2, 2)]]


def inception_v3():
    one, three = conv(1), conv(3)
    wide, high = conv((1, 7)), conv((7, 1))
    a = Concat([one], [one, conv(5)], [one, three, three], [three, one])
    b = Concat([one], [one, wide, high], [one, high, wide, high, wide], [three, one])
    split = Concat([conv((1, 3))], [conv((3, 1))])
    c = Concat([one], [one, split], [one, three, split], [three, one])
    return [valid(3, 2), valid(3), three, valid(3, 2), one, valid(3), valid(3, 2), a, a, a,
            Concat([valid(3, 2)], [one, three, valid(3, 2)], [valid(3, 2)]), b, b, b, b,
            Concat([one, valid(3, 2)], [one, wide, high, valid(3, 2)], [valid(3, 2)]), c, c]


def resnet(*blocks, bottleneck=True, stride_last=True):
    """Stages of residual blocks; the stride is in the last block of a stage (the paper's code), or in the first."""
    net = [conv(7, 2), conv(3, 2)]
    for stage, count in enumerate(blocks):
        for block in range(count):
            here = block == count - 1 and stage < len(blocks) - 1 if stride_last else block == 0 and stage > 0
            stride = 2 if here else 1
            main = [conv(1), conv(3, stride), conv(1)] if bottleneck else [conv(3, stride), conv(3)]
            net.append(Add(main, [conv(1, stride)] if stride > 1 else []))
    return net


@pytest.mark.parametrize("net, expected", [
    (ALEXNET, (195, 32, 64)), (VGG16, (212, 32, 90)), (inception_v3(), (1311, 32, 618)),
], ids=["AlexNet", "VGG-16", "Inception-v3"])
def test_size_stride_and_padding_are_the_published_ones(net, expected):
    field = receptive_field(net)
    assert (field.size, field.stride, field.padding) == expected
    assert field.offset == (field.size - 1) / 2 - field.padding


@pytest.mark.parametrize("blocks, last, first", [((3, 4, 6, 3), 483, 427), ((3, 4, 23, 3), 1027, 971),
                                                 ((3, 8, 36, 3), 1507, 1451)])
def test_bottleneck_resnets(blocks, last, first):
    field = receptive_field(resnet(*blocks))
    assert (field.size, field.stride, field.offset) == (last, 32, 0)
    assert receptive_field(resnet(*blocks, stride_last=False)).size == first


@pytest.mark.parametrize("blocks, size", [((2, 2, 2, 2), 435), ((3, 4, 6, 3), 899)])
def test_basic_resnets(blocks, size):
    assert receptive_field(resnet(*blocks, bottleneck=False, stride_last=False)).size == size


@pytest.mark.parametrize("layers, taps", [(1, 3), (5, 3), (4, 7), (3, 2)])
def test_stacked_filters_grow_linearly(layers, taps):
    assert receptive_field([Window(taps)] * layers).size == layers * (taps - 1) + 1


def test_a_pool_doubles_the_growth_of_later_layers():
    sizes = [row.size for row in receptive_field([conv(3), valid(2, 2), conv(3), conv(3)]).layers]
    assert sizes == [3, 4, 8, 12]


# ── laws ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def seen(net, length, output):
    """The first and last sample that an output of a network in one dimension depends on, from its Jacobian."""
    eye = np.eye(length)[:, None]
    moved = np.flatnonzero(net(eye)[:, 0, output] - net(np.zeros((1, 1, length)))[0, 0, output])
    return int(moved[0]), int(moved[-1])


def ones(size, stride=1, padding=0, dilation=1):
    return nn.Conv(np.ones((1, 1, size)), stride=stride, padding=padding, dilation=dilation)


@pytest.mark.parametrize("seed", range(20))
def test_the_field_is_where_the_jacobian_is_not_zero(seed):
    rng = np.random.default_rng(seed)
    net = nn.Sequential(*(ones(*map(int, rng.integers(1, 4, 2)), padding=tuple(map(int, rng.integers(0, 3, 2))),
                               dilation=int(rng.integers(1, 3))) for _ in range(3)))
    field, length = receptive_field(net), 120
    count = net.output_shape((1, length))[-1]
    n = count // 2
    first = n * field.stride - field.padding
    assert seen(net, length, n) == (first, first + field.size - 1)
    assert field.offset + n * field.stride == first + (field.size - 1) / 2


@pytest.mark.parametrize("seed", range(12))
def test_the_fields_behind_transposed_layers(seed):
    rng = np.random.default_rng(seed)
    up, size = int(rng.integers(2, 4)), int(rng.integers(4, 6))
    net = nn.Sequential(ones(3, 2, 1), nn.ConvTranspose(np.ones((1, 1, size)), stride=up, padding=1), ones(2))
    field, length = receptive_field(net), 60
    n0 = net.output_shape((1, length))[-1] // 2 // up * up
    spans = [seen(net, length, n) for n in range(n0, n0 + up)]
    assert field.size == max(b - a + 1 for a, b in spans)
    assert field.stride == pytest.approx(2 / up)
    assert spans[0][0] == n0 * 2 // up - field.padding


def test_a_network_with_skips_across_scales_is_aligned():
    """U-Net: two outputs of the transposed layer stand around the centre of the sample that they come from."""
    down, up = nn.MaxPool(2), nn.ConvTranspose(np.ones((1, 1, 2, 2)), stride=2)
    field = receptive_field([Add([conv(3), conv(3)], [down, conv(3), up])])
    assert (field.size, field.stride) == (6, 1)


@pytest.mark.parametrize("branches, words", [
    (([conv(3)], [conv(3, 2)]), r"branches of ADD are misaligned.*centred at 0 \+ 1·n, of branch 1 at 0 \+ 2·n"),
    (([valid(3)], []), r"centred at 1 \+ 1·n, of branch 1 at 0 \+ 1·n; change strides or paddings"),
])
def test_misaligned_branches_raise(branches, words):
    with pytest.raises(ValueError, match=words):
        receptive_field([Add(*branches)])


def test_same_with_a_stride_asks_for_the_length():
    net = [Window(3, stride=2, padding="same")]
    with pytest.raises(ValueError, match="depends on the length"):
        receptive_field(net)
    assert receptive_field(net, (1, 224)).padding == 0  # one sample, at the end
    assert receptive_field(net, (1, 225)).padding == 1


def test_windows_follow_the_lengths():
    assert Window(3, 2, "same").output_shape((1, 225, 224)) == (1, 113, 112)
    assert Window(4, padding=2, up=2).output_shape((1, 5)) == nn.ConvTranspose(
        np.ones((1, 1, 4)), stride=2, padding=1).output_shape((1, 5))
    field = receptive_field([Window(3, 2, "same")] * 2, (1, 225))  # 225, 113, 57: one sample on each side, twice
    assert field.padding == 3


def test_axes_may_differ():
    field = receptive_field([conv((1, 7)), Window(3, stride=(1, 2))])
    assert field.size == (3, 9) and field.stride == (1, 2) and field.padding == (0, 3)


def test_layers_that_read_the_whole_map_stand_in_the_rows_only():
    net = [conv(3), nn.GlobalAvgPool(), nn.Flatten()]
    field = receptive_field(net)
    assert field.size == 3 and [row.whole for row in field.layers] == [False, True, True]
    assert "all" in str(field)
    gate = receptive_field([conv(3), nn.Multiply([], nn.GlobalAvgPool())])
    assert gate.layers[-1].whole


def test_the_table_indents_branches():
    lines = str(receptive_field([conv(7, 2), Add([conv(3)], [])])).splitlines()
    assert lines[0].split() == ["layer", "size", "stride", "padding", "offset"]
    assert lines[2].startswith("  WINDOW3") and lines[3].split() == ["ADD", "11", "2", "5", "0"]
    assert all(len(line) <= 80 for line in lines)


def test_only_layers_have_fields():
    with pytest.raises(TypeError, match="3 is no layer; give layers of firconv.nn"):
        receptive_field(3)


# ── windows ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("words, error, message", [
    ({"size": 0}, ValueError, r"Window\(…\): size=0 must be at least 1"),
    ({"size": 1.5}, TypeError, "size=1.5 is not an int"),
    ({"size": 3, "padding": "some"}, ValueError, "padding='some' is unknown"),
    ({"size": (3, 3), "stride": (1, 1, 1)}, ValueError, "entries for 2 and 3 axes"),
    ({"size": 3, "padding": ((1, 2, 3),)}, ValueError, r"is no \(lo, hi\) pair"),
])
def test_windows_refuse(words, error, message):
    with pytest.raises(error, match=message):
        Window(**words)


def test_windows_have_no_numbers():
    with pytest.raises(TypeError, match="has no numbers to compute with"):
        Window(3)(np.ones((1, 1, 5)))
    assert repr(Window(3, stride=2)) == "Window(3, stride=2)"


# ── the effective field ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("layers, taps", [(1, 3), (6, 3), (20, 3), (4, 5), (10, 2)])
def test_uniform_layers_spread_as_the_square_root(layers, taps):
    field = effective_field([Window(taps)] * layers)
    assert field.deviation == pytest.approx(math.sqrt(layers * (taps**2 - 1) / 12), rel=1e-12)
    assert field.share.size == receptive_field([Window(taps)] * layers).size


@pytest.mark.parametrize("seed", range(8))
def test_the_energy_field_is_the_expected_square_of_the_derivative(seed):
    """Over all signs of all weights of two layers, exactly."""
    rng = np.random.default_rng(seed)
    v, w = rng.standard_normal(3), rng.standard_normal(2)
    words = {"stride": 2, "padding": 1}, {"padding": 1, "dilation": 2}
    total = np.zeros(9)
    for signs in np.ndindex(*(2,) * 5):
        s = 1 - 2 * np.array(signs)
        net = nn.Sequential(nn.Conv((v * s[:3])[None, None], **words[0]), nn.Conv((w * s[3:])[None, None], **words[1]))
        total += net(np.eye(9)[:, None])[:, 0, 1] ** 2
    field = effective_field([nn.Conv(v[None, None], **words[0]), nn.Conv(w[None, None], **words[1])])
    at = field.positions[0] + receptive_field(net).stride
    inside = (at >= 0) & (at < 9)
    assert_allclose(total[at[inside]] / 32, field.share[inside] * (v**2).sum() * (w**2).sum(), atol=1e-12)


def test_branches_add_their_energy():
    field = effective_field([Add([Window(3, padding=1)], [])])
    assert_allclose(field.share, [1 / 6, 4 / 6, 1 / 6])
    assert field.positions[0].tolist() == [-1, 0, 1] and field.centres == (0.0,)


def test_the_energy_field_of_a_deep_network_is_smaller_than_its_field():
    field = effective_field(VGG16, ndim=2)
    assert field.share.shape == (212, 212) and field.share.sum() == pytest.approx(1)
    assert field.deviation < 212 / 6
    assert_allclose(field.marginals[0], effective_field(VGG16).share, atol=1e-15)


def test_the_energy_field_stops_at_the_last_map():
    assert effective_field([Window(3), nn.GlobalAvgPool(), nn.Flatten()]).share.size == 3


@pytest.mark.parametrize("net, words", [
    ([nn.ConvTranspose(np.ones((1, 1, 3)), stride=2)], "outputs of UPCONV3-1/2 have different fields"),
    ([Add([conv(3)], [conv(3, 2)])], "branches of ADD are misaligned, with strides 1 and 2"),
])
def test_the_energy_field_refuses(net, words):
    with pytest.raises(ValueError, match=words):
        effective_field(net)
