"""The weights' gradient by minimal filtering: the matrices exactly, the promise, what falls back, and the choice."""

import numba
import numpy as np
import pytest

from firconv import nn
from firconv.kernels import winograd as forward
from firconv.kernels import winograd_gradient as kernel
from firconv.kernels.compiled import compiled, const, mutable
from firconv.kernels.lanes import spread
from firconv.nn import gradients, winograd_gradient

SLOW = numba.config.DISABLE_JIT  # the same on fewer and smaller layers
whole = pytest.mark.skipif(SLOW, reason="compiled loops only")
LAYERS = [
    ((1, 8, 8, 8), (16, 8, 3, 3), {"padding": 1}),
    ((3, 10, 7, 9), (14, 5, 3, 3), {"padding": (2, 1), "groups": 2}),  # neither even outputs nor whole vectors
    ((2, 3, 12, 11), (17, 3, 3, 3), {"padding": 2, "dilation": 2, "boundary": "edge"}),
    ((1, 7, 9, 124), (5, 7, 3, 3), {"boundary": "wrap", "padding": (0, 3), "dilation": (1, 3)}),  # two blocks across
    ((9, 4, 3, 3), (4, 4, 3, 3), {}),  # one output each
]
if not SLOW:
    LAYERS += [
        ((2, 140, 14, 14), (150, 140, 3, 3), {"padding": 1}),  # shares of both channels
        ((1, 16, 40, 600), (16, 16, 3, 3), {"padding": 1, "boundary": "reflect"}),
        ((40, 16, 20, 20), (20, 16, 3, 3), {"padding": 1}),
    ]


def noise(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


@compiled(lambda t: (const(t), const(t), mutable(t), mutable(t), mutable(t), mutable(t)), ["float32"])
def steps(g, x, p, apart, into, out):
    """All transforms of sixteen columns: of output gradients g, of samples x, and of sums p, sixteen apart."""
    zero = spread(g.dtype.type(0), 2, 1)
    kernel.apart(g, 0, 16, apart, 0, 16, zero)
    forward.into(2, x, 0, 16, into, 0, 16, 48, zero)
    kernel.back(p, 0, 16, out, 0, 16, zero)


def transforms(g, x, p):
    arrays = [np.repeat(np.asarray(v, np.float32), 16) for v in (g, x, p)]
    found = [np.zeros(16 * n, np.float32) for n in (4, 4, 3)]
    steps(*arrays, *found)
    return [v[::16] for v in found]


def test_the_transforms_are_minimal_filtering_exactly():
    """Gᵀ·[(A·g) ⊙ (Bᵀ·d)] is the correlation of d with g, for unit vectors: no value is rounded."""
    for i in range(2):
        for j in range(4):
            g, x = np.eye(2)[i], np.eye(4)[j]
            p = np.multiply(*transforms(g, x, np.zeros(4))[:2])
            assert np.array_equal(transforms(g, x, p)[2], [x[k + i] for k in range(3)])


def arrays(shape, taps, words, seed=0):
    """x and gy."""
    x, w = noise(seed, *shape), np.zeros(taps, np.float32)
    gy = noise(seed + 1, *nn.conv(x, w, **words).shape)
    return x, gy


def exact(gy, x, taps, **words):
    return nn.conv_weight_gradient(gy.astype(float), x.astype(float), taps, method="direct", **words)


def held(layer, gy, x):
    """Whether the kernel's own sums are kept."""
    return winograd_gradient.Gradient(layer)(gy, x, np.zeros((gy.shape[1], layer.channels_in, 3, 3), np.float32), 1)


def problem(shape, taps, **words):
    return nn.plan((shape, np.float32), np.ones(taps, np.float32), **words).problem


@pytest.mark.parametrize("shape, taps, words", LAYERS)
def test_the_promise(shape, taps, words):
    x, gy = arrays(shape, taps, words)
    assert held(problem(shape, taps, **words), gy, x)
    fast = nn.conv_weight_gradient(gy, x, taps, method="winograd", **words)
    largest = exact(np.abs(gy), np.abs(x), taps, **words).max()
    assert np.abs(fast - exact(gy, x, taps, **words)).max() <= 1e-6 * largest


@pytest.mark.parametrize("shape, taps, words", LAYERS)
def test_the_gradient_of_whole_numbers_is_exact(shape, taps, words):
    x, gy = (np.rint(2 * a) for a in arrays(shape, taps, words, 5))
    fast = nn.conv_weight_gradient(gy, x, taps, method="winograd", **words)
    assert np.array_equal(fast, exact(gy, x, taps, **words))


@pytest.mark.parametrize("shape, taps, words", LAYERS)
def test_bits_do_not_depend_on_workers(shape, taps, words):
    x, gy = arrays(shape, taps, words, 9)
    one, two, five = (nn.conv_weight_gradient(gy, x, taps, method="winograd", workers=n, **words) for n in (1, 2, 5))
    assert np.array_equal(one, two) and np.array_equal(one, five)


def test_a_gradient_does_not_depend_on_what_its_memory_held():
    x, gy = noise(0, 2, 5, 9, 10), noise(1, 2, 7, 9, 10)
    run = winograd_gradient.Gradient(problem(x.shape, (7, 5, 3, 3), padding=1))
    found = [np.zeros((7, 5, 3, 3), np.float32) for _ in range(2)]
    assert run(gy, x, found[0], 1)
    for room in (*run._rooms, *run._totals):
        room[:] = np.nan
    assert run(gy, x, found[1], 1) and np.array_equal(*found)


# ── what falls back ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("quiet", [0.0, 1e-6, 1e-4])
@pytest.mark.parametrize("axis", [2, 3])
def test_loud_samples_that_meet_quiet_gradients_only(quiet, axis):
    """They lie in the same tiles and meet under no tap: what is left of their products is rounding."""
    x, gy = noise(2, 1, 8, 18, 18), noise(3, 1, 16, 16, 16)
    loud = np.arange(18) >= 9  # of sample 9 on, while tiles begin with even ones
    x *= np.where(loud, 1, quiet).astype(np.float32).reshape([-1 if n == axis else 1 for n in range(4)])
    near = np.arange(16) < 7
    gy *= np.where(near, 1, quiet).astype(np.float32).reshape([-1 if n == axis else 1 for n in range(4)])
    taps = (16, 8, 3, 3)
    assert not held(problem(x.shape, taps), gy, x)
    fast, gemm = (nn.conv_weight_gradient(gy, x, taps, method=m) for m in ("winograd", "gemm"))
    assert np.array_equal(fast, gemm)
    assert np.abs(fast - exact(gy, x, taps)).max() <= 1e-5 * exact(np.abs(gy), np.abs(x), taps).max()


@pytest.mark.parametrize("o, i", [(0, 0), (2, 1), (15, 6), (16, 2), (20, 5)])
def test_the_bound_is_that_of_the_loudest_channels(monkeypatch, o, i):
    """Σ|g·x| is taken for the two channels whose norms are largest, in any panel of them, under the loudest tap."""
    x, gy = noise(10, 2, 7, 9, 11), noise(11, 2, 21, 7, 9)
    x[:, i] *= 100
    gy[:, o] *= 10
    seen = []
    monkeypatch.setattr(winograd_gradient, "reliable", lambda found: seen.append(found.copy()) or True)
    held(problem(x.shape, (21, 7, 3, 3)), gy, x)
    norms, terms = max(seen[0].tolist())  # of all shares
    under = exact(np.abs(gy), np.abs(x), (21, 7, 3, 3))[:, :, 1].max(-1)
    assert terms == pytest.approx(under[o, i], rel=1e-5) and under.max() == under[o, i]
    assert terms <= norms <= 10 * terms


@whole
@pytest.mark.parametrize("kept", [0.5, 0.1])
def test_gradients_and_samples_that_are_mostly_zero_are_kept(kept):
    """As rectified maps have them, and channels of very different sizes."""
    rng = np.random.default_rng(4)
    x, gy = np.maximum(noise(4, 2, 32, 28, 28), 0), noise(5, 2, 48, 28, 28)
    gy *= rng.random(gy.shape) < kept
    x, gy = (a * np.exp(2 * noise(6, 1, a.shape[1], 1, 1)) for a in (x, gy))
    taps = (48, 32, 3, 3)
    assert held(problem(x.shape, taps, padding=1), gy, x)


@whole
@pytest.mark.parametrize("values", [(0.1, 0.1), (1 / 3, 0.7), (1.0, 0.3)])
def test_long_sums_of_equal_terms_keep_the_promise(values):
    """Every addition rounds alike: chains of 100,000 positions would lose two digits more."""
    x, gy = np.full((32, 4, 58, 58), values[0], np.float32), np.full((32, 16, 56, 56), values[1], np.float32)
    gw = nn.conv_weight_gradient(gy, x, (16, 4, 3, 3), method="winograd")
    assert held(problem(x.shape, (16, 4, 3, 3)), gy, x)
    truth = float(x[0, 0, 0, 0]) * float(gy[0, 0, 0, 0]) * gy[:, 0].size
    assert np.abs(gw / truth - 1).max() <= 1e-5


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name, where", [
    ("x", (0, 3, 0, 0)), ("x", (1, 7, 8, 9)), ("gy", (0, 2, 0, 0)), ("gy", (1, 4, 5, 5)),
])
def test_what_is_not_finite_stays_in_its_footprint(value, name, where):
    x, gy = noise(6, 2, 8, 9, 10), noise(7, 2, 5, 9, 10)
    {"x": x, "gy": gy}[name][where] = value
    fast, direct = (nn.conv_weight_gradient(gy, x, (5, 8, 3, 3), padding=1, method=m) for m in ("winograd", "direct"))
    assert np.array_equal(np.isnan(fast), np.isnan(direct)) and np.array_equal(np.isinf(fast), np.isinf(direct))
    finite = np.isfinite(direct)
    assert np.array_equal(fast[~finite], direct[~finite], equal_nan=True)
    assert np.abs(fast[finite] - direct[finite]).max() <= 1e-5 * np.abs(direct[finite]).max()


@pytest.mark.parametrize("sizes", [(1e30, 1e6), (1e-25, 1e-8), (1e19, 1e19), (1e-30, 1e30)])
def test_samples_at_the_ends_of_the_type(sizes):
    x, gy = noise(8, 1, 4, 8, 8) * np.float32(sizes[0]), noise(9, 1, 4, 8, 8) * np.float32(sizes[1])
    gemm, fast = (nn.conv_weight_gradient(gy, x, (4, 4, 3, 3), padding=1, method=m) for m in ("gemm", "winograd"))
    assert np.array_equal(fast, gemm, equal_nan=True)


def test_zeros_give_zeros():
    x, gy = noise(8, 1, 4, 8, 8), noise(9, 1, 4, 8, 8)
    x[:, 2] = 0
    gy[:, 3] = 0
    gw = nn.conv_weight_gradient(gy, x, (4, 4, 3, 3), padding=1, method="winograd")
    assert (gw[3] == 0).all() and (gw[:, 2] == 0).all() and (gw[:3, :2] != 0).all()
    assert held(problem(x.shape, (4, 4, 3, 3), padding=1), gy, 0 * x)


# ── the choice ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("shape, taps, words", [*LAYERS, ((8, 256, 14, 14), (256, 256, 3, 3), {"padding": 1})])
def test_every_line_of_tiles_and_every_pair_of_channels_is_summed_once(shape, taps, words):
    run = winograd_gradient.Gradient(problem(shape, taps, **words))
    cut = run.cut
    seen = np.zeros((words.get("groups", 1) * cut.channels[0], words.get("groups", 1) * cut.channels[1],
                     cut.tiles.every), int)
    for o, some, i, few, first, last, *_ in run.tasks.tolist():
        seen[o : o + some, i : i + few, first:last] += 1
    assert (seen.sum((1, 2)) == cut.channels[1] * cut.tiles.every).all() and seen.max() == 1
    assert cut.tasks >= 4 or cut.tiles.every < 4
    assert cut.chain <= winograd_gradient.CHAIN


@whole
def test_auto_takes_it_for_dense_layers_of_three_taps():
    assert gradients.chosen(problem((1, 64, 56, 56), (64, 64, 3, 3), padding=1)) == "winograd"
    assert gradients.chosen(problem((1, 64, 56, 56), (64, 64, 3, 3), padding=1, stride=2)) == "gemm"
    assert gradients.chosen(problem((1, 64, 56, 56), (64, 64, 5, 5), padding=2)) == "gemm"
    assert gradients.chosen(problem((1, 256, 7, 7), (256, 256, 3, 3), padding=1)) == "gemm"  # sums outweigh products
    assert gradients.chosen(problem((1, 2, 20, 20), (2, 2, 3, 3), padding=1)) == "engine"


def test_method_direct_avoids_it():
    x, gy = noise(17, 1, 16, 24, 24), noise(18, 1, 16, 24, 24)
    found = [nn.conv_weight_gradient(gy, x, (16, 16, 3, 3), padding=1, method=m) for m in ("winograd", "direct")]
    assert not np.array_equal(*found)


@pytest.mark.parametrize("change", [{"stride": 2}, {"boundary": "antireflect", "padding": 1}])
def test_what_it_does_not_serve(change):
    x = np.ones((1, 8, 20, 20), np.float32)
    gy = np.ones(nn.conv(x, np.ones((16, 8, 3, 3), np.float32), **change).shape, np.float32)
    with pytest.raises(ValueError, match="method='winograd' cannot serve this layer"):
        nn.conv_weight_gradient(gy, x, (16, 8, 3, 3), method="winograd", **change)
    assert winograd_gradient.candidate(nn.plan(x.astype(float), np.ones((16, 8, 3, 3))).problem) is None


def test_sums_that_would_be_too_long_are_left_to_others(monkeypatch):
    monkeypatch.setattr(winograd_gradient, "CHAIN", 2)
    monkeypatch.setattr(winograd_gradient.outer, "TOTALS", 1)
    assert winograd_gradient.candidate(problem((8, 16, 56, 56), (16, 16, 3, 3))) is None
