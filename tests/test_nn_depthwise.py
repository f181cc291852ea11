"""Depthwise layers: the same bits as the direct sum, whatever the shapes, ends and workers."""

import numpy as np
import pytest

from firconv import nn

BOUNDARIES = ("zero", "edge", "symmetric", "reflect", "wrap", "antisymmetric", ("zero", "wrap"), ["edge", "zero"])


def layer(rng):
    rank, channels, many, batch = (int(rng.integers(lo, hi)) for lo, hi in ((1, 3), (1, 5), (1, 3), (1, 3)))
    kernel, stride, dilation, lengths = (
        tuple(map(int, rng.integers(1, hi, rank))) for hi in (6, 4, 4, 70)
    )
    short = [max(0, (k - 1) * d + 1 - n) for k, d, n in zip(kernel, dilation, lengths, strict=True)]
    padding = tuple((lo + int(rng.integers(0, 4)), int(rng.integers(0, 4))) for lo in short)
    words = {"stride": stride, "padding": padding, "dilation": dilation, "groups": channels}
    return (batch, channels, *lengths), (channels * many, 1, *kernel), words


@pytest.mark.parametrize("seed", range(60))
def test_the_bits_of_the_direct_sum(seed):
    rng = np.random.default_rng(seed)
    x_shape, w_shape, words = layer(rng)
    boundary = BOUNDARIES[seed % 8] if len(w_shape) == 4 else BOUNDARIES[seed % 7]
    kind = ("f4", "f8")[seed % 2]
    x, w, bias = (rng.standard_normal(s).astype(kind) for s in (x_shape, w_shape, w_shape[0]))
    x[rng.random(x_shape) < 0.01] = np.nan
    plus = bias if seed % 3 else None
    y = nn.conv(x, w, plus, method="depthwise", boundary=boundary, **words)
    z = nn.conv(x, w, plus, method="direct", boundary=boundary, **words)
    assert np.array_equal(y, z, equal_nan=True)


@pytest.mark.parametrize(("length", "kernel", "stride"), [((300, 220), 3, 1), ((40, 3000), 5, 2), ((7, 7), 3, 1),
                                                          ((1, 9000), (1, 9), 1), ((200, 14), 7, 3)])  # fmt: skip
@pytest.mark.parametrize("channels", [1, 24])
def test_tasks_do_not_change_the_bits(length, kernel, stride, channels):
    rng = np.random.default_rng(1)
    k = np.broadcast_to(kernel, 2)
    x = rng.standard_normal((1, channels, *length)).astype("f4")
    w, before = rng.standard_normal((channels, 1, *k)).astype("f4"), x.copy()
    words = {"padding": tuple(map(int, k // 2)), "stride": stride, "groups": channels}
    one, two = (nn.conv(x, w, method="depthwise", workers=n, **words) for n in (1, 2))
    assert one.tobytes() == two.tobytes() and np.array_equal(x, before)
    assert np.array_equal(one, nn.conv(x, w, method="direct", **words))


@pytest.mark.parametrize("seed", range(24))
def test_rows_beyond_the_plane_are_left_out_of_the_sums(seed):
    rng = np.random.default_rng([3, seed])
    rows, columns, dilation = int(rng.integers(1, 30)), int(rng.integers(40, 125)), 1 + seed % 2
    kernel, stride = (int(rng.integers(9, 33)), int(rng.integers(5, 14))), (dilation, 1)
    lo, hi = (int(rng.integers(0, kernel[0] * dilation + 3)) for _ in range(2))
    lo += max(0, (kernel[0] - 1) * dilation + 4 - lo - hi - rows)
    x, w = (rng.standard_normal(s).astype("f4") for s in ((1, 2, rows, columns), (2, 1, *kernel)))
    x[rng.random(x.shape) < 0.001] = np.inf
    words = {"padding": ((lo, hi), (kernel[1] // 2, 3)), "stride": stride, "dilation": (dilation, 1), "groups": 2,
             "boundary": ["zero", ("zero", "edge"), ("edge", "zero")][seed % 3]}  # fmt: skip
    y, z = (nn.conv(x, w, method=method, **words) for method in ("depthwise", "direct"))
    assert np.array_equal(y, z, equal_nan=True)


@pytest.mark.parametrize("seed", range(24))
def test_columns_beyond_the_plane_are_left_out_of_the_sums(seed):
    rng = np.random.default_rng([4, seed])
    kind, most = (("f4", 56), ("f8", 28))[seed % 2]
    dilation, columns = int(rng.integers(1, 3)), int(rng.integers(9 if seed % 5 else 1, most + 1))
    kernel = (int(rng.integers(2, 6)), int(rng.integers(12, 40)))
    reach = (kernel[1] - 1) * dilation
    both = reach + int(rng.integers(most - most // 7 + 1, most + 1)) - columns
    lo = int(rng.integers(0, both + 1))
    x, w = (rng.standard_normal(s).astype(kind) for s in ((2, 2, 7, columns), (4, 1, *kernel)))
    x[rng.random(x.shape) < 0.01] = np.inf
    bias = rng.standard_normal(4).astype(kind) if seed % 3 else None
    words = {"padding": ((2, 2), (lo, both - lo)), "dilation": (1, dilation), "groups": 2,
             "boundary": ["zero", ("zero", "edge"), ("edge", "zero"), "antisymmetric"][seed % 4]}  # fmt: skip
    y, z = (nn.conv(x, w, bias, method=method, **words) for method in ("depthwise", "direct"))
    assert np.array_equal(y, z, equal_nan=True)


@pytest.mark.parametrize("k", [3, 5, 7])
@pytest.mark.parametrize("seed", range(32))
def test_sums_that_roll_down_have_the_bits_of_the_direct_sum(k, seed):
    """Every number of vectors across, planes of several bands, rows and columns beyond the ends, filters by twos."""
    rng = np.random.default_rng([5, k, seed])
    kind, lane = (("f4", 8), ("f8", 4))[seed % 2]
    columns, rows = max(1, lane * (seed // 2) - int(rng.integers(0, lane))), int(rng.integers(1, 90))
    (lo, hi), (left, right) = rng.integers(0, 2 * k, (2, 2)).tolist()
    lo, left = lo + max(0, k - rows), left + max(0, 2 * k - columns)
    x, w = (rng.standard_normal(s).astype(kind) for s in ((2, 3, rows, columns), (6, 1, k, k)))
    x[rng.random(x.shape) < 0.01] = np.nan
    bias = rng.standard_normal(6).astype(kind) if seed % 3 else None
    words = {"padding": ((lo, hi), (left, right)), "dilation": (1, 1 + seed % 4 // 2), "groups": 3,
             "boundary": BOUNDARIES[seed % 8] if min(rows, columns) > 3 * k else "zero"}  # fmt: skip
    y, z = (nn.conv(x, w, bias, method=method, **words) for method in ("depthwise", "direct"))
    assert np.array_equal(y, z, equal_nan=True)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("k", [1, 2, 3, 5])
@pytest.mark.parametrize("rank", [1, 2])
def test_more_padding_than_taps_crops_the_transposed_layer(rank, k, stride):
    """The transposed of padding is a crop: the first samples are read by nobody."""
    rng = np.random.default_rng([10, rank, k, stride])
    words = {"padding": ((k + 1, k + 2), (k, 2 * k))[:rank], "groups": 3, "stride": stride}
    x, w = rng.standard_normal((2, 3, *(9, 21)[-rank:])), rng.standard_normal((3, 1, *(k,) * rank))
    gy = rng.standard_normal(nn.conv(x, w, **words).shape)
    found = {m: nn.conv_input_gradient(gy, w, x.shape, method=m, **words) for m in ("auto", "direct")}
    assert np.array_equal(found["auto"], found["direct"])
    if stride == 1:
        assert np.array_equal(nn.conv_input_gradient(gy, w, x.shape, method="depthwise", **words), found["direct"])
    exact = nn.conv_input_gradient(gy, w, x.shape, method="reference", **words)
    assert np.abs(found["direct"] - exact).max() < 1e-12


@pytest.mark.parametrize("columns", [3, 10, 37])
def test_a_band_leaves_the_rows_of_the_next_plane_alone(columns):
    """Two filters for a plane of many rows: the vectors of its last row reach into rows that are complete."""
    rng = np.random.default_rng(9)
    x, w = rng.standard_normal((1, 2, 700, columns), dtype=np.float32), rng.standard_normal((4, 1, 3, 3)).astype("f4")
    y, z = (nn.conv(x, w, padding=1, groups=2, method=method, workers=1) for method in ("depthwise", "direct"))
    assert np.array_equal(y, z)


@pytest.mark.parametrize("rank", [1, 2])
def test_samples_that_do_not_lie_together(rank):
    rng = np.random.default_rng(6)
    x, w = rng.standard_normal((1, 4, *(24,) * rank)), rng.standard_normal((2, 1, *(3,) * rank))
    for view in (x[:, ::2], x[:, :2, ..., ::3], x[:, 2:, ..., ::-1]):
        y, z = (nn.conv(view, w, groups=2, method=method) for method in ("depthwise", "direct"))
        assert np.array_equal(y, z)


def test_it_is_chosen_for_layers_of_networks():
    for channels, n, k in ((96, 112, 3), (96, 56, 7), (96, 56, 31), (512, 7, 3)):
        w = np.ones((channels, 1, k, k), np.float32)
        layer = nn.plan(((1, channels, n, n), np.float32), w, padding=k // 2, groups=channels)
        assert layer.method == "depthwise", str(layer)
        assert "→ depthwise" in str(layer)


def test_what_it_does_not_serve():
    x, w = np.ones((1, 2, 9)), np.ones((2, 1, 3))
    for x_, w_, words in ((x, np.ones((2, 2, 3)), {}), (x.astype("c16"), w, {"groups": 2}),
                          (x, w, {"groups": 2, "boundary": "antireflect"}), (x.astype("f4"), w, {"groups": 2})):
        with pytest.raises(ValueError, match="method='depthwise' cannot serve this layer: use method='auto'"):
            nn.conv(x_, w_, method="depthwise", **words)
    assert nn.conv(x, w * np.inf, groups=2, padding=1)[0, 0, 0] == np.inf  # absent terms stay absent


def test_the_transposed_layer_of_stride_one_takes_it_too():
    rng = np.random.default_rng(2)
    x, w = rng.standard_normal((1, 32, 40, 40)).astype("f4"), rng.standard_normal((32, 1, 5, 5)).astype("f4")
    y = nn.conv_transpose(x, w, padding=2, groups=32, method="depthwise")
    assert np.array_equal(y, nn.conv(x, w[..., ::-1, ::-1], padding=2, groups=32, method="direct"))
