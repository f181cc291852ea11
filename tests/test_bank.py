"""A layer as a filter bank: FIR per pair of channels, responses, matrix, gains and their bounds, aliasing."""

import math
import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from firconv import FIR, convolve, correlate, filters, nn, response
from firconv.nn.gains import DENSE

LAPLACIAN = nn.Conv([[[[0.0, -1, 0], [-1, 4, -1], [0, -1, 0]]]], padding=1)
BINOMIAL = nn.Conv([[[0.25, 0.5, 0.25]]], padding="same")
BOUNDARIES = ["zero", "edge", "reflect", "wrap", "symmetric", "antireflect", "antisymmetric"]


def drawn(seed):
    """A layer of random words in one to three dimensions, and the lengths of a map."""
    rng = np.random.default_rng(seed)
    ndim, groups = int(rng.integers(1, 4)), int(rng.integers(1, 3))
    stride, dilation, size = (tuple(map(int, rng.integers(1, hi, ndim))) for hi in (4, 3, 4))
    padding = tuple((int(a), int(b)) for a, b in rng.integers(0, 4 if ndim < 3 else 2, (ndim, 2)))
    size = tuple(min(k, 2) for k in size) if ndim == 3 else size
    lengths = tuple(map(int, rng.integers(5, 8, ndim) if ndim < 3 else rng.integers(3, 5, ndim)))
    w = rng.standard_normal((2 * groups, 2, *size))
    layer = nn.Conv(w, stride=stride, padding=padding, dilation=dilation, groups=groups,
                    boundary=str(rng.choice(BOUNDARIES)))
    return layer, lengths, rng


def periodic(layer, lengths):
    """The same weights on a ring whose lengths the strides divide."""
    pads = tuple(((k - 1) * d - (k - 1) * d // 2, (k - 1) * d // 2)
                 for k, d in zip(layer.size, layer.dilation, strict=True))
    ring = nn.Conv(layer.w, stride=layer.stride, padding=pads, dilation=layer.dilation, groups=layer.groups,
                   boundary="wrap")
    return ring, tuple(-(-n // s) * s for n, s in zip(lengths, layer.stride, strict=True))


# ── one FIR from channel to channel ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("seed", range(25))
def test_a_layer_is_the_sum_of_its_filters(seed):
    layer, lengths, rng = drawn(seed)
    x = rng.standard_normal((1, layer.channels[1], *lengths))
    y = layer(x)
    windows = [(0, (m - 1) * s + 1) for m, s in zip(y.shape[2:], layer.stride, strict=True)]
    for o in range(layer.channels[0]):
        parts = [layer.fir(o, i)(x[0, i], windows, layer.boundary, down=layer.stride) for i in range(x.shape[1])]
        assert_allclose(sum(parts), y[0, o], atol=1e-12)


def test_correlating_with_the_weights_is_convolving_with_the_flipped_ones_is_the_layer():
    rng = np.random.default_rng(0)
    x, w = rng.integers(-9, 9, (1, 1, 9, 8)), rng.integers(-9, 9, (1, 1, 3, 4))
    layer = nn.Conv(w, padding=((1, 1), (2, 1)))
    y = layer(x)[0, 0]
    correlated = correlate(x[0, 0], w[0, 0], "same", origin=(1, 2))
    convolved = convolve(x[0, 0], w[0, 0, ::-1, ::-1], "same", origin=(1, 1))
    assert_array_equal(y, correlated)
    assert_array_equal(y, convolved)
    assert_array_equal(y, layer.fir(0, 0)(x[0, 0]))
    assert layer.fir(0, 0) == FIR(w[0, 0, ::-1, ::-1], (1, 1))


@pytest.mark.parametrize("seed", range(12))
def test_the_gradients_are_those_of_the_flipped_convolution(seed):
    """⟨gy, layer(x)⟩ has the gradients Σ fir.H(gy) by x, and by w the correlation of x with gy, flipped back."""
    rng = np.random.default_rng(seed)
    x, w, gy = (rng.standard_normal(s) for s in ((1, 2, 7, 6), (3, 2, 3, 2), (1, 3, 7, 6)))
    layer = nn.Conv(w, padding=((1, 1), (1, 0)))
    words = {"padding": layer.padding}
    by_x = nn.conv_input_gradient(gy, w, x.shape, **words)
    by_w = nn.conv_weight_gradient(gy, x, w.shape, **words)
    for i in range(2):
        assert_allclose(by_x[0, i], sum(layer.fir(o, i).H(gy[0, o]) for o in range(3)), atol=1e-12)
        for o in range(3):
            correlated = correlate(x[0, i], gy[0, o], [(-1, 2), (-1, 1)], origin=(0, 0))
            assert_allclose(by_w[o, i], correlated, atol=1e-12)
            flipped = FIR(np.flip(layer.fir(o, i).taps))
            assert_allclose(np.vdot(by_w[o, i], flipped.taps), np.vdot(gy[0, o], layer.fir(o, i)(x[0, i])), rtol=1e-10)


def test_filters_of_different_groups_are_zero_and_channels_are_counted():
    layer = nn.Conv(np.ones((4, 2, 3)), groups=2)
    assert not layer.fir(0, 3).taps.any() and layer.fir(0, 1).taps.all()
    with pytest.raises(ValueError, match=r"fir\(o=4, i=0\): the layer goes from 4 channels to 4"):
        layer.fir(4, 0)


def test_a_filter_needs_a_padding_that_does_not_depend_on_the_length():
    with pytest.raises(ValueError, match="padding='same' with stride 2 depends on the length"):
        nn.Conv(np.ones((1, 1, 3)), stride=2, padding="same").fir(0, 0)


# ── frequency ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("seed", range(6))
def test_the_response_is_that_of_every_filter(seed):
    layer, _, _ = drawn(seed)
    f, H = layer.frequency_response(n=5)
    for o, i in np.ndindex(*layer.channels):
        g, h = response.frequency_response(layer.fir(o, i), n=5)
        assert_allclose(H[o, i], h, atol=1e-12)
        assert_allclose(np.ravel(f), np.ravel(g))


def test_an_exponential_comes_out_multiplied_by_the_matrix():
    rng = np.random.default_rng(3)
    layer = nn.Conv(rng.standard_normal((3, 2, 3, 3)), padding=1, boundary="wrap")
    a, f = rng.standard_normal(2) + 1j, (3 / 8, -2 / 10)
    wave = np.exp(2j * np.pi * (f[0] * np.arange(8)[:, None] + f[1] * np.arange(10)))
    y = nn.Conv(layer.w.astype(complex), padding=1, boundary="wrap")((a[:, None, None] * wave)[None])
    _, H = layer.frequency_response(([f[0]], [f[1]]))
    assert_allclose(y[0], (H[:, :, 0, 0] @ a)[:, None, None] * wave, atol=1e-12)


# ── matrix and operator ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("seed", range(25))
def test_matrix_and_operator_are_the_layer_and_its_adjoint(seed):
    layer, lengths, rng = drawn(seed)
    x = rng.standard_normal((1, layer.channels[1], *lengths))
    y, A, M = layer(x), layer.operator(lengths), layer.matrix(lengths)
    assert layer.output_shape(x.shape[1:]) == y.shape[1:]
    assert_allclose(M @ x.ravel(), y.ravel(), atol=1e-12)
    assert_allclose(A @ x.ravel(), y.ravel(), atol=1e-12)
    v = rng.standard_normal(y.size)
    assert_allclose(A.H @ v, M.T @ v, atol=1e-12)


def test_the_operator_of_complex_weights_has_the_conjugate_adjoint():
    rng = np.random.default_rng(1)
    layer = nn.Conv(rng.standard_normal((2, 2, 3)) + 1j * rng.standard_normal((2, 2, 3)), padding=1, boundary="edge")
    A, M = layer.operator([6]), layer.matrix([6])
    v = rng.standard_normal(12) + 1j * rng.standard_normal(12)
    assert_allclose(A @ v, M @ v, atol=1e-12)
    assert_allclose(A.H @ v, M.conj().T @ v, atol=1e-12)


def test_rows_of_the_matrix_share_their_weights():
    layer = nn.Conv(np.arange(1, 7).reshape(2, 1, 3), padding=1)
    M = layer.matrix([5]).toarray()
    assert M.dtype == np.int64
    for row in range(1, 4):
        assert_array_equal(M[row, row - 1:row + 2], [1, 2, 3])
        assert_array_equal(M[5 + row, row - 1:row + 2], [4, 5, 6])
    with pytest.raises(ValueError, match="renormalises"):
        layer.matrix([5], "omit")


# ── singular values ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("n", [4, 8, 10])
def test_the_laplacian_on_an_even_ring_doubles_twice(n):
    gains = LAPLACIAN.singular_values((n, n), "wrap")
    assert gains.exact and gains.method == "frequencies" and gains.values.size == n * n
    assert gains.largest == pytest.approx(8, abs=1e-14)
    k = np.arange(n)
    closed = 4 - 2 * np.cos(2 * np.pi * k / n)[:, None] - 2 * np.cos(2 * np.pi * k / n)
    assert_allclose(gains.values, np.sort(np.abs(closed).ravel())[::-1], atol=1e-14)


def test_the_zero_padded_laplacian():
    gains = LAPLACIAN.singular_values((8, 8))
    assert gains.largest == pytest.approx(7.758770483143634, abs=2e-14)
    assert gains.smallest == pytest.approx(0.2412295168563663, abs=2e-14)
    assert not gains.exact and gains.bound >= gains.largest


@pytest.mark.parametrize("n", [1, 2, 7, 16])
def test_the_zero_padded_binomial_has_squared_cosines(n):
    k = np.arange(1, n + 1)
    assert_allclose(BINOMIAL.singular_values([n]).values, np.cos(np.pi * k / (2 * (n + 1))) ** 2, atol=1e-14)


@pytest.mark.parametrize("n", [4, 8])
def test_the_separable_binomial_on_a_ring(n):
    taps = np.outer([1, 2, 1], [1, 2, 1]) / 16
    c = np.cos(np.pi * np.arange(n) / n) ** 2
    gains = nn.Conv(taps[None, None], padding=1).singular_values((n, n), "wrap")
    assert_allclose(gains.values, np.sort(np.outer(c, c).ravel())[::-1], atol=1e-15)


@pytest.mark.parametrize("seed", range(30))
def test_gains_are_the_matrix_s_and_no_bound_is_exceeded(seed):
    layer, lengths, _ = drawn(seed)
    true = np.linalg.svd(layer.matrix(lengths).toarray(), compute_uv=False)
    gains = layer.singular_values(lengths)
    assert_allclose(gains.values, true, atol=1e-12)
    assert gains.bound >= true[0]
    assert layer.lipschitz(lengths) == gains.bound
    if layer.boundary == "zero":
        assert layer.lipschitz() >= true[0]


@pytest.mark.parametrize("seed", range(20))
def test_gains_on_a_ring_are_exact_with_strides_dilations_and_groups(seed):
    layer, lengths = periodic(*drawn(seed)[:2])
    gains = layer.singular_values(lengths)
    assert gains.method == "frequencies"
    assert_allclose(gains.values, np.linalg.svd(layer.matrix(lengths).toarray(), compute_uv=False), atol=1e-12)
    assert gains.largest <= layer.lipschitz() * (1 + 1e-14)


def test_the_ring_of_the_map_s_own_size_is_no_bound_of_the_zero_padded_layer():
    above = 0
    for seed in range(50):
        layer = nn.Conv(np.random.default_rng(seed).standard_normal((1, 1, 3, 3)), padding=1)
        zero, ring = layer.singular_values((3, 3)), layer.singular_values((3, 3), "wrap")
        above += zero.largest > ring.largest * (1 + 1e-12)
        assert zero.largest <= zero.bound
    assert above > 0


def test_complex_weights_on_a_ring():
    rng = np.random.default_rng(5)
    layer = nn.Conv(rng.standard_normal((2, 1, 3)) + 1j * rng.standard_normal((2, 1, 3)), padding=1, boundary="wrap")
    true = np.linalg.svd(layer.matrix([7]).toarray(), compute_uv=False)
    assert_allclose(layer.singular_values([7]).values, true, atol=1e-13)


def test_large_maps_converge_under_the_bound():
    n = 40
    assert n * n > DENSE
    gains = LAPLACIAN.singular_values((n, n), count=3)
    exact = 4 + 4 * math.cos(math.pi / (n + 1))
    assert gains.method == "iteration" and gains.values.size == 3
    assert abs(gains.largest - exact) <= gains.error + 1e-12 and gains.error < 1e-6
    assert gains.largest <= gains.bound < 8.001
    assert "converged" in str(gains) and "none above" in str(gains)
    with pytest.raises(ValueError, match="only the 3 largest"):
        _ = gains.smallest


def test_many_channels_on_a_ring_take_the_gram_matrix_for_the_bound():
    rng = np.random.default_rng(2)
    layer = nn.Conv(rng.standard_normal((16, 12, 3, 3)), padding=1)
    ring = nn.Conv(layer.w, padding=1, boundary="wrap")
    assert layer.singular_values((4, 4)).bound == pytest.approx(ring.singular_values((6, 6)).largest, rel=1e-10)


@pytest.mark.parametrize("boundary", ["omit", ("constant", 1.0)])
def test_gains_need_a_linear_map(boundary):
    with pytest.raises(ValueError, match="gains are those of a linear map"):
        BINOMIAL.singular_values([5], boundary)


def test_lipschitz_without_a_shape():
    assert 8 <= LAPLACIAN.lipschitz() <= 8 * 1.01
    assert LAPLACIAN.lipschitz(tol=1e-4) <= 8 * 1.0001
    for layer, boundary in ((LAPLACIAN, "reflect"), (nn.Conv(LAPLACIAN.w, padding=2), "wrap")):
        with pytest.raises(ValueError, match="depends on the length; give a shape"):
            layer.lipschitz(boundary=boundary)


# ── transposed ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("seed", range(15))
def test_a_transposed_layer_is_a_bank_too(seed):
    conv, lengths, rng = drawn(seed)
    extra = tuple(int(s > 1) for s in conv.stride)
    up = nn.ConvTranspose(conv.w, stride=conv.stride, padding=tuple((k - 1) // 2 for k in conv.size),
                          dilation=conv.dilation, groups=conv.groups, output_padding=extra)
    x = rng.standard_normal((1, up.channels[1], *lengths))
    y, M = up(x), up.matrix(lengths)
    assert up.output_shape(x.shape[1:]) == y.shape[1:]
    assert_allclose(M @ x.ravel(), y.ravel(), atol=1e-12)
    windows = [(0, n) for n in y.shape[2:]]
    for o in range(up.channels[0]):
        parts = [up.fir(o, i)(x[0, i], windows, up=conv.stride) for i in range(x.shape[1])]
        assert_allclose(sum(parts), y[0, o], atol=1e-12)
    true = np.linalg.svd(M.toarray(), compute_uv=False)
    gains = up.singular_values(lengths)
    assert_allclose(gains.values, true, atol=1e-12)
    assert gains.bound >= true[0]


# ── aliasing ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("m", range(7))
def test_blurpool_is_a_power_of_the_cosine(m):
    f, H = response.frequency_response(nn.BlurPool(m + 1).fir(), n=64)
    assert_allclose(np.abs(H), np.cos(np.pi * f) ** m, atol=1e-14)
    assert_allclose(nn.BlurPool(m + 1).fir(2).taps, filters.binomial(m, 2).taps)


@pytest.mark.parametrize("seed", range(8))
def test_aliasing_is_the_energy_of_white_noise_after_the_stride(seed):
    """On a ring, the covariance of the strided output is diagonal in frequency, with wanted + folded there."""
    layer, lengths = periodic(*drawn(seed)[:2])
    stride = tuple(max(s, 2) for s in layer.stride)
    few = 4
    lengths = tuple(few * s for s in stride)
    pads = layer.padding
    strided = nn.Conv(layer.w, stride=stride, padding=pads, dilation=layer.dilation, groups=layer.groups,
                      boundary="wrap")
    fold = layer.aliasing(stride, n=few)
    M = strided.matrix(lengths).toarray()
    outs = M.reshape(layer.channels[0], *(few,) * layer.ndim, -1)
    axes = tuple(range(1, layer.ndim + 1))
    spectrum = np.fft.fftshift(np.fft.fftn(outs, axes=axes, norm="ortho"), axes=axes)
    energy = (np.abs(spectrum) ** 2).sum((0, -1)) * math.prod(stride)
    assert_allclose(fold.wanted + fold.folded, energy, rtol=1e-10)


def test_aliasing_of_nothing_but_a_stride():
    fold = nn.Conv([[[1.0]]]).aliasing(2, n=8)
    assert_allclose(fold.wanted, 1)
    assert_allclose(fold.share, 0.5)
    assert fold.f[0][0] == -0.25 and fold.f[0].size == 8
    expected = np.cos(np.pi * (fold.f[0] + 0.5)) ** 4
    assert_allclose(fold.blurred_folded, expected, atol=1e-15)
    assert_allclose(fold.blurred_share, expected / (expected + np.cos(np.pi * fold.f[0]) ** 4), atol=1e-15)
    assert fold.total == pytest.approx(0.5) and fold.blurred_total < 0.1
    assert "stride 2 folds 50 %" in str(fold)


def test_a_blur_of_more_taps_folds_less():
    layer = nn.Conv(np.random.default_rng(0).standard_normal((4, 3, 3, 3)))
    totals = [layer.aliasing(2, blur=k, n=16).blurred_total for k in range(1, 8)]
    assert totals[0] == pytest.approx(layer.aliasing(2, n=16).total)
    assert all(b < a for a, b in zip(totals, totals[1:], strict=False))


def test_a_stride_of_one_folds_nothing():
    with pytest.raises(ValueError, match=r"aliasing\(stride=None\): a stride of 1 folds nothing"):
        BINOMIAL.aliasing()


def test_layers_and_their_results_survive_pickling():
    layer = pickle.loads(pickle.dumps(LAPLACIAN))
    assert layer == LAPLACIAN and layer.fir(0, 0) == LAPLACIAN.fir(0, 0)
