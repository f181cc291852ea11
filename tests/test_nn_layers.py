"""Layers: agreement with torch and with the defining sum, exact adjoints for every boundary, the contract."""

import itertools

import numpy as np
import pytest

from firconv import nn

BOUNDARIES = ["zero", "edge", "symmetric", "reflect", "wrap", "antisymmetric", "antireflect", "omit",
              ("zero", "reflect"), ["edge", "omit"], ["wrap", ("antireflect", "zero")]]  # fmt: skip


def layer(rng, rank):
    """Random shapes and words of one layer, torch's names."""
    groups, ins, outs = (int(v) for v in rng.integers(1, 4, 3))
    kernel, stride, dilation, padding = (rng.integers(lo, hi, rank) for lo, hi in ((1, 5), (1, 4), (1, 4), (0, 4)))
    size = np.maximum(1, (kernel - 1) * dilation + 1 - 2 * padding) + rng.integers(0, 6, rank)
    x = (int(rng.integers(1, 4)), groups * ins, *map(int, size))
    words = {"stride": stride, "padding": padding, "dilation": dilation}
    words = {name: tuple(map(int, value)) for name, value in words.items()}
    return x, (groups * outs, ins, *map(int, kernel)), {**words, "groups": groups}


def close(y, z, terms, unit=2.0**-53):
    """Agreement of two sums of so many products of numbers of size 1."""
    assert y.shape == z.shape
    assert np.max(np.abs(y - z), initial=0) <= 8 * terms * unit * max(1.0, np.max(np.abs(z), initial=0))


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("seed", range(12))
def test_layers_and_gradients_agree_with_torch(rank, seed):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng([rank, seed])
    x_shape, w_shape, words = layer(rng, rank)
    x, w, bias = (rng.standard_normal(s) for s in (x_shape, w_shape, w_shape[0]))
    tx, tw, tb = (torch.tensor(v, requires_grad=True) for v in (x, w, bias))
    ty = getattr(torch.nn.functional, f"conv{rank}d")(tx, tw, tb, **words)
    y = nn.conv(x, w, bias, **words)
    close(y, ty.detach().numpy(), w[0].size + 1)
    gy = rng.standard_normal(y.shape)
    ty.backward(torch.tensor(gy))
    close(nn.conv_input_gradient(gy, w, x_shape, **words), tx.grad.numpy(), w.size)
    close(nn.conv_weight_gradient(gy, x, w_shape, **words), tw.grad.numpy(), gy.size)
    close(nn.conv_bias_gradient(gy), tb.grad.numpy(), gy.size)


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("seed", range(12))
def test_transposed_layers_agree_with_torch(rank, seed):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng([7, rank, seed])
    _, w_shape, words = layer(rng, rank)
    room = np.multiply(2, words["padding"]) + 1
    least = -(-np.maximum(0, room - (np.array(w_shape[2:]) - 1) * words["dilation"] - 1) // words["stride"]) + 1
    x = rng.standard_normal((2, w_shape[0], *(least + rng.integers(0, 4, rank))))
    w, bias = rng.standard_normal(w_shape), rng.standard_normal(w_shape[1] * words["groups"])
    more = tuple(int(rng.integers(0, max(s, d))) for s, d in zip(words["stride"], words["dilation"], strict=True))
    transposed = getattr(torch.nn.functional, f"conv_transpose{rank}d")
    z = transposed(*map(torch.tensor, (x, w, bias)), output_padding=more, **words).numpy()
    close(nn.conv_transpose(x, w, bias, output_padding=more, **words), z, w.size + 1)


@pytest.mark.filterwarnings("ignore:Using padding:UserWarning")
def test_padding_same_agrees_with_torch():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(3)
    x = rng.standard_normal((1, 2, 11, 12))
    for kernel, dilation in itertools.product((1, 2, 3, 4), (1, 2, 3)):
        w = rng.standard_normal((3, 2, kernel, 3))
        z = torch.nn.functional.conv2d(torch.tensor(x), torch.tensor(w), padding="same", dilation=dilation)
        close(nn.conv(x, w, padding="same", dilation=dilation), z.numpy(), w[0].size)


@pytest.mark.parametrize(("boundary", "mode"), [("edge", "replicate"), ("reflect", "reflect"), ("wrap", "circular")])
def test_boundaries_agree_with_torch(boundary, mode):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(4)
    x, w = rng.standard_normal((2, 3, 9, 7)), rng.standard_normal((4, 3, 5, 3))
    padded = torch.nn.functional.pad(torch.tensor(x), (1, 2, 3, 2), mode=mode)
    z = torch.nn.functional.conv2d(padded, torch.tensor(w), stride=2)
    close(nn.conv(x, w, stride=2, padding=((3, 2), (1, 2)), boundary=boundary), z.numpy(), w[0].size)


@pytest.mark.parametrize("boundary", BOUNDARIES, ids=str)
@pytest.mark.parametrize("kind", [np.float64, np.complex128])
def test_every_adjoint_of_every_boundary(boundary, kind):
    rng = np.random.default_rng(5)

    def draw(shape):
        part = rng.standard_normal(shape)
        return part if kind is np.float64 else part + 1j * rng.standard_normal(shape)

    words = {"stride": (2, 1), "padding": ((2, 3), (3, 1)), "dilation": (2, 1), "groups": 2, "boundary": boundary}
    x, w = draw((2, 4, 6, 5)), draw((6, 2, 3, 4)) + 2 * ("omit" in str(boundary))
    y = nn.conv(x, w, **words)
    gy = draw(y.shape)
    gx = nn.conv_input_gradient(gy, w, x.shape, **words)
    product, size = np.sum(y * gy), np.sum(np.abs(y * gy))  # nothing is conjugated
    assert abs(np.sum(x * gx) - product) <= 1e-13 * size
    assert np.array_equal(nn.conv_transpose(gy, w, output_shape=x.shape[2:], **words), gx)
    if "omit" not in str(boundary):
        gw = nn.conv_weight_gradient(gy, x, w.shape, **words)
        assert abs(np.sum(w * gw) - product) <= 1e-13 * size


def test_constants_beyond_the_ends_have_gradients():
    rng = np.random.default_rng(6)
    x, w, d = rng.standard_normal((1, 2, 6)), rng.standard_normal((3, 2, 4)), rng.standard_normal((1, 2, 6))
    words = {"padding": 3, "boundary": ("constant", 1.5)}
    y = nn.conv(x, w, **words)
    gy = rng.standard_normal(y.shape)
    close(y, nn.conv(np.pad(x, ((0, 0), (0, 0), (3, 3)), constant_values=1.5), w), 8)
    change = np.sum((nn.conv(x + d, w, **words) - y) * gy)
    assert np.isclose(change, np.sum(d * nn.conv_input_gradient(gy, w, x.shape, **words)), rtol=1e-12)
    assert np.isclose(np.sum(y * gy), np.sum(w * nn.conv_weight_gradient(gy, x, w.shape, **words)), rtol=1e-12)


@pytest.mark.parametrize("op", ["conv", "conv_transpose"])
def test_four_axes_against_the_defining_sum(op):
    rng = np.random.default_rng(8)
    x, w = rng.standard_normal((2, 2, 4, 5, 3, 4)), rng.standard_normal((2, 2, 2, 3, 2, 1))
    words = {"stride": (1, 2, 1, 3), "padding": (1, 1, 0, 0), "dilation": (2, 1, 1, 1)}
    run = getattr(nn, op)
    z = run(x, w, method="reference", **words)
    for method in ("auto", "direct", "overlap_save", "fft"):
        close(run(x, w, method=method, **words), z, 8 * w.size)


def test_integers_are_exact():
    rng = np.random.default_rng(9)
    x = rng.integers(-(2**40), 2**40, (2, 3, 20)).astype(object)
    w = rng.integers(-(2**19), 2**19, (4, 3, 5)).astype(object)
    bias = np.array([2**62, -(2**62), 1, 0], object)
    z = nn.conv(x.astype(np.int64), w.astype(np.int64), bias.astype(np.int64), padding=2)
    assert z.dtype == np.int64
    padded = np.pad(x, ((0, 0), (0, 0), (2, 2)))
    for n, o, t in itertools.product(range(2), range(4), range(20)):
        assert int(z[n, o, t]) == bias[o] + (w[o] * padded[n, :, t : t + 5]).sum()
    assert nn.conv(np.ones((1, 1, 4), np.uint8), np.ones((1, 1, 2), np.int8)).dtype == np.int64
    large = nn.conv(np.full((1, 1, 2), 2**63, np.uint64), np.ones((1, 1, 1), bool), np.array([5], np.uint64))
    assert large.tolist() == [[[2**63 + 5] * 2]]
    assert nn.conv(np.ones((1, 1, 4), int), np.ones((1, 1, 2), int), [0.5]).tolist() == [[[2.5] * 3]]


def test_types_of_results():
    x, w = np.ones((1, 1, 4)), np.ones((1, 1, 2))
    for a, b, kind in (("f4", "f4", "f4"), ("f4", "f8", "f8"), ("f2", "f2", "f2"), ("f4", "c8", "c8"),
                       (">f4", "f4", "f4"), ("i2", "f4", "f4"), ("i4", "f4", "f8")):  # fmt: skip
        assert nn.conv(x.astype(a), w.astype(b)).dtype == kind
    assert nn.conv(x.astype("f4"), [[[1.0, 2.0]]], [1.0]).dtype == "f4"
    assert nn.conv(x.astype("f2") * 300, w.astype("f2") * 100, padding=1).max() == np.float16(60000)


@pytest.mark.parametrize("method", ["direct", "overlap_save"])
def test_footprints_of_nan_workers_and_untouched_inputs(method):
    rng = np.random.default_rng(10)
    x, w = rng.standard_normal((2, 4, 40, 60)).astype("f4"), rng.standard_normal((4, 2, 5, 5)).astype("f4")
    x[0, 1, 20, 30] = np.nan
    x[1, 3, 0, 0] = np.inf
    before = x.copy(), w.copy()
    words = {"padding": 2, "groups": 2, "method": method}
    with np.errstate(invalid="ignore"):
        one = nn.conv(x, w, workers=1, **words)
        two = nn.conv(x, w, workers=2, **words)
    assert one.tobytes() == two.tobytes()
    assert np.array_equal(x, before[0], equal_nan=True) and np.array_equal(w, before[1])
    bad = np.zeros(one.shape, bool)
    bad[0, :2, 18:23, 28:33] = True
    bad[1, 2:, :3, :3] = True
    assert np.array_equal(~np.isfinite(one), bad)


def test_plans_keep_their_weights():
    rng = np.random.default_rng(11)
    x, w = rng.standard_normal((1, 3, 12)), rng.standard_normal((2, 3, 3))
    y = nn.conv(x, w, padding=1)
    layer = nn.plan(x, w, [1.0, 2.0], padding=1)
    up = nn.plan((y.shape, float), w, op="conv_transpose", padding=1, boundary="edge")
    z = up(y)
    w[...] = 0
    assert np.array_equal(layer(x), y + np.array([[[1.0], [2.0]]]))
    assert np.array_equal(up(y), z) and not nn.conv(x, w, padding=1).any()


def test_plans_print_what_was_decided():
    layer = nn.plan(((1, 8, 20, 20), np.float32), np.ones((8, 1, 5, 5), np.float32), padding=2, groups=8,
                    boundary="reflect")  # fmt: skip
    text = str(layer)
    for words in ("conv: y = w ⋆ x + b", "8 groups", "boundary reflect", "→ " + layer.method, "error at most"):
        assert words in text
    assert max(map(len, text.splitlines())) <= 80
    assert "8 × 1" in text and "overlap_save" in text and repr(layer).startswith("<firconv.nn.LayerPlan conv")


def test_remembered_plans_forget_in_time():
    from firconv.nn import recalled

    x = np.ones((1, 1, 50))
    for i in range(70):
        assert nn.conv(x, np.full((1, 1, 1), float(i)))[0, 0, 0] == i
        assert nn.conv(x, np.full((1, 1, 1 + i % 40), 1.0)).max() == 1 + i % 40
    assert len(recalled._plans) <= 33


@pytest.mark.parametrize("kind, other", [(np.float32, np.float64), (np.float64, np.float32)])
@pytest.mark.parametrize("method", ["gemm", "direct", "auto"])
def test_a_bias_of_another_type_is_added_in_the_wider_one(kind, other, method):
    shapes = (1, 8, 9, 9), (6, 8, 3, 3)
    x, w = (np.random.default_rng(n).standard_normal(s).astype(kind) for n, s in enumerate(shapes))
    b = np.random.default_rng(3).standard_normal(6).astype(other)
    y = nn.conv(x, w, b, method=method)
    assert y.dtype == np.float64
    assert np.array_equal(y, nn.conv(x, w, method=method).astype(float) + b[:, None, None].astype(float))
