"""One long transform in four steps, against the defining sum and at its ends."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy import signal

from firconv.kernels import fourstep, guard, trunk

UNIT = {"f": 2.0**-24, "d": 2.0**-53, "F": 2.0**-24, "D": 2.0**-53}
TAU = {"f": 1e-4, "d": 1e-10, "F": 1e-4, "D": 1e-10}


def values(rng, size, dtype):
    x = rng.standard_normal(size).astype(dtype)
    return x + np.asarray(1j * rng.standard_normal(size), dtype) if dtype in "FD" else x


def exact(x, w, start, size):
    """Σ w[k] x[start + n + k] and S[n] in long double."""
    wide = np.result_type(x, w, np.longdouble)
    line = np.zeros(size + len(w) - 1, wide)
    lo, hi = max(start, 0), min(len(x), start + len(line))
    if lo < hi:
        line[lo - start : hi - start] = x[lo:hi]
    view = np.lib.stride_tricks.sliding_window_view(line, len(w))
    with np.errstate(all="ignore"):
        return view @ w.astype(wide), np.sqrt(np.square(np.abs(view)).sum(axis=1))


@pytest.mark.parametrize("own", [None, trunk.transform], ids=["steps", "trunk"])
@pytest.mark.parametrize("dtype", "fdFD")
@pytest.mark.parametrize(
    "n, k, start, size",
    [
        (3500, 1200, -1199, 4699),
        (3500, 1200, 0, 2301),
        (3500, 1200, -600, 3500),
        (300, 900, -899, 1199),
        (300, 900, -700, 40),
        (4096, 64, 100, 3000),
        (4097, 1, 0, 4097),
        (1, 700, -699, 700),
        (500, 20, -400, 1500),
        (500, 20, 490, 100),
    ],
)
def test_any_window_agrees_with_the_defining_sum(dtype, n, k, start, size, own):
    rng = np.random.default_rng(1)
    x, w = values(rng, n, dtype), values(rng, k, dtype)
    out = np.full(size, 77, dtype)
    unsure = fourstep.correlate(x, w, start, out, tau=TAU[dtype], own=own)
    y, s = exact(x, w, start, size)
    norm = np.linalg.norm(w.astype("D"))
    error = np.abs(out - y)
    assert error.max() <= 13 * 13 * UNIT[dtype] * np.linalg.norm(x.astype("D")) * norm
    mask = np.zeros(size, bool) if unsure is None else unsure
    assert np.all((error <= TAU[dtype] * norm * s) | mask)
    assert np.all(out[s == 0] == 0) and not mask[s == 0].any()
    assert mask.sum() < 100 or k == 1


def test_outside_of_the_signal_all_is_zero():
    out = np.ones(10)
    assert fourstep.correlate(np.ones(5), np.ones(3), 5, out, tau=1e-10) is None
    assert np.all(out == 0)
    assert fourstep.correlate(np.ones(5), np.ones(3), -20, out, tau=1e-10) is None
    assert np.all(out == 0)


@pytest.mark.parametrize("dtype", "fdF")
def test_bits_do_not_depend_on_threads_or_the_layout_of_the_output(dtype):
    rng = np.random.default_rng(2)
    x, w = values(rng, 30000, dtype), values(rng, 20000, dtype)
    x.flags.writeable = w.flags.writeable = False
    one, two = np.empty(49999, dtype), np.empty((49999, 2), dtype)[:, 1]
    first = fourstep.correlate(x, w, -19999, one, tau=TAU[dtype])
    with ThreadPoolExecutor(2) as pool:
        second = fourstep.correlate(
            x, w, -19999, two, tau=TAU[dtype], parallel=lambda f, items: list(pool.map(f, reversed(list(items))))
        )
    assert np.array_equal(one, two)
    assert (first is None and second is None) or np.array_equal(first, second)
    reference = signal.fftconvolve(x.astype("D"), w[::-1].astype("D"))
    assert np.abs(one - reference).max() <= 100 * UNIT[dtype] * np.linalg.norm(x) * np.linalg.norm(w)


@pytest.mark.parametrize("own", [None, trunk.transform], ids=["steps", "trunk"])
@pytest.mark.parametrize("dtype", "fd")
@pytest.mark.parametrize("case", ["gap", "loud then quiet", "click", "decay", "silence"])
def test_the_guard(case, dtype, own):
    rng = np.random.default_rng(3)
    n, k = 6000, 500
    t = np.arange(n)
    envelope = {
        "gap": (t < 1000) | (t > 4000),
        "loud then quiet": np.where(t < 3000, 1, 1e-8),
        "click": np.where(t == 2000, 1e7, 1),
        "decay": np.exp(-t / 50.0),
        "silence": 0 * t,
    }[case]
    x, w = (values(rng, n, "d") * envelope).astype(dtype), values(rng, k, dtype)
    out = np.empty(n + k - 1, dtype)
    unsure = fourstep.correlate(x, w, 1 - k, out, tau=TAU[dtype], own=own)
    mask = np.zeros(len(out), bool) if unsure is None else unsure
    y, s = exact(x, w, 1 - k, len(out))
    tiny = np.finfo(dtype).smallest_subnormal
    assert np.all((np.abs(out - y) <= TAU[dtype] * np.linalg.norm(w.astype("d")) * s + tiny) | mask)
    assert np.all(out[s == 0] == 0) and not mask[s == 0].any()
    assert mask.any() == (case not in ("gap", "silence") or (case == "gap" and dtype == "f"))
    assert not mask[1000:1400].any() or case in ("click", "decay")


def test_wide_range_is_refused():
    a = np.array([0.0] * 10000 + [10.0 ** (9 * i) for i in range(10)])
    out = np.empty(20019)
    unsure = fourstep.correlate(a, a[::-1].copy(), -10009, out, tau=1e-10)
    assert unsure[10000:].all()
    assert np.all(out[:10000] == 0)


@pytest.mark.parametrize("scale", [1e-36, 1e36])
def test_extreme_magnitudes(scale):
    rng = np.random.default_rng(4)
    x = (values(rng, 5000, "d") * scale / 10).astype("f")
    w = (values(rng, 100, "d") / 400).astype("f")
    out = np.empty(4901, "f")
    assert fourstep.correlate(x, w, 0, out, tau=1e-4) is None
    y, s = exact(x, w, 0, 4901)
    assert np.all(np.abs(out - y) <= 1e-4 * np.linalg.norm(w.astype("d")) * s)


@pytest.mark.parametrize("dtype", "fD")
@pytest.mark.parametrize("many", [3, 2000])
def test_samples_that_are_not_finite(dtype, many):
    rng = np.random.default_rng(5)
    x, w = values(rng, 5000, dtype), values(rng, 300, dtype)
    w[7] = 0
    x[rng.integers(0, 5000, many)] = np.inf
    x[2500] = np.nan
    x[4000:4002] = -np.inf
    out = np.empty(5299, dtype)
    fourstep.correlate(x, w, -299, out, tau=TAU[dtype])
    line = np.concatenate((np.zeros(299), x, np.zeros(299))).astype(dtype)
    with np.errstate(all="ignore"):
        y = sum(w[k] * line[k : k + 5299] for k in range(300))
    finite = np.isfinite(y)
    assert np.array_equal(finite, np.isfinite(out))
    if dtype == "f":
        assert np.array_equal(out[~finite], y[~finite], equal_nan=True)
    if finite.any():
        assert np.abs(out[finite] - y[finite]).max() < 1e-2


def test_sizes_hold_the_points_and_are_smooth():
    for points in (1, 4096, 4097, 10**6, 2**21 - 1, 2**21 + 1):
        rows, columns = fourstep.shape_for(points)
        assert points <= rows * columns <= max(1.15 * points, 4096)
        assert rows % 2 == 0
        assert columns % fourstep.WIDE == 0


@pytest.mark.parametrize(
    "n, k, start, size, tau",
    [(3000, 1000, -999, 3999, 3e-13), (2000, 70, 0, 1931, 1e-11), (2500, 1, -100, 2700, 1e-11)],
)
def test_all_outputs_below_the_guard_s_threshold_are_marked_and_no_others(n, k, start, size, tau):
    rng = np.random.default_rng(6)
    x, w = values(rng, n, "d") * 10.0 ** rng.uniform(-1, 2, 20).repeat(n // 20), values(rng, k, "d")
    unsure = fourstep.correlate(x, w, start, np.empty(size), tau=tau)
    _, s = exact(x, w, start, size)
    points = max(max(-start, 0) + n, size + k - 1 - max(-start, 0), 4096)
    need = guard.factor(x.dtype, np.log2(points) + 2, tau) * np.linalg.norm(x[max(start, 0) : start + size + k - 1])
    mask = np.zeros(size, bool) if unsure is None else unsure
    assert mask[(s > 0) & (s < need)].all()
    assert not mask[(s > 1.001 * need) | (s == 0)].any()
    assert 50 < mask.sum() < size - 50
