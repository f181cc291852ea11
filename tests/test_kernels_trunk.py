"""One long transform of a real line by remainders of polynomials: agreement, its error bound, strips and branches."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import signal

import firconv
from firconv.kernels import fourstep, guard, trunk

SLOW = numba.config.DISABLE_JIT  # the same on shorter lines
CHOSEN = pytest.mark.skipif(SLOW, reason="without the JIT the four steps are taken")
UNIT = {"f": 2.0**-24, "d": 2.0**-53}
# both parities of the number of levels, with branches as deep as the line and with nodes above them
CASES = [(300, 200, 199, 499, 1 << 9), (700, 300, 100, 800, 1 << 10), (1500, 500, 0, 1001, 1 << 11),
         (20, 900, 899, 919, 1 << 11), (1, 1000, 999, 1000, 1 << 12), (3000, 1, 0, 3000, 1 << 12)]  # fmt: skip


@pytest.fixture(params=["as they are", "small"])
def branches(request, monkeypatch):
    """Nodes that are tasks by themselves, and strips, small enough for several levels above them."""
    if request.param == "small":
        monkeypatch.setattr(trunk, "BRANCH", 1 << 5)
        monkeypatch.setattr(trunk, "STRIP", 1 << 4)


def filtered(length, x, w, lead, size):
    out = np.full(size, 77, x.dtype)
    trunk.correlate(length, x, w, lead, out, fourstep.serial)
    return out


def exact(x, w, lead, size):
    line = np.zeros(size + len(w) - 1, np.longdouble)
    part = x[: len(line) - lead]
    line[lead : lead + len(part)] = part
    return np.correlate(line, w.astype(np.longdouble), "valid")


@pytest.mark.parametrize("dtype", "fd")
@pytest.mark.parametrize("n, k, lead, size, length", CASES)
def test_agrees_with_the_defining_sum_within_its_bound(n, k, lead, size, length, dtype, branches):
    rng = np.random.default_rng(n)
    x, w = rng.standard_normal(n).astype(dtype), rng.standard_normal(k).astype(dtype)
    leaves = length // 2 // (32 // x.itemsize)
    bound = (10.9 * np.log2(leaves) + 14.2) * UNIT[dtype] * np.linalg.norm(x) * np.linalg.norm(w)
    assert np.abs(filtered(length, x, w, lead, size) - exact(x, w, lead, size)).max() <= bound


@pytest.mark.parametrize("dtype", "fd")
def test_a_sample_meets_every_tap_at_its_place(dtype, branches):
    w = np.arange(1.0, 301).astype(dtype)
    for place in (0, 1, 15, 16, 127, 128, 255, 256, 500, 699):
        x = np.zeros(700, dtype)
        x[place] = 1
        assert_array_equal(np.rint(filtered(1 << 10, x, w, 299, 999)), exact(x, w, 299, 999))


@pytest.mark.parametrize("dtype", "fd")
def test_long_lines_agree_with_another_transform_and_bits_do_not_depend_on_threads(dtype):
    rng = np.random.default_rng(2)
    n, k, length = (1500, 500, 1 << 11) if SLOW else (50_000, 30_000, 1 << 17)
    x, w = rng.standard_normal(n).astype(dtype), rng.standard_normal(k).astype(dtype)
    x.flags.writeable = w.flags.writeable = False
    one, two = np.empty(n + k - 1, dtype), np.empty((n + k - 1, 2), dtype)[:, 1]
    trunk.correlate(length, x, w, k - 1, one, fourstep.serial)
    with ThreadPoolExecutor(2) as pool:
        trunk.correlate(length, x, w, k - 1, two, lambda f, items: list(pool.map(f, reversed(list(items)))))
    assert_array_equal(one, two)
    truth = signal.fftconvolve(x.astype("d"), w[::-1].astype("d"))
    assert np.abs(one - truth).max() <= 20 * UNIT[dtype] * np.linalg.norm(x) * np.linalg.norm(w)


@pytest.mark.parametrize("n", (512, 4096))
def test_single_precision_stays_well_below_the_guard_s_margin(n):
    t = np.arange(n // 2)
    chirp = np.cos(np.pi * t**2 / n)
    for x in (chirp, np.ones(n // 2), np.where(t == 5, 1e6, 1.0), np.cos(2 * np.pi * t / n), np.where(t < 99, 1, -1)):
        x = x.astype("f")
        error = np.abs(filtered(n, x, x, n // 2 - 1, n - 1) - exact(x, x, n // 2 - 1, n - 1)).max()
        assert error <= 0.5 * guard.MARGIN * UNIT["f"] * np.log2(n) * np.linalg.norm(x) ** 2


@CHOSEN
def test_serves_real_lines():
    single, double = np.dtype("f"), np.dtype("d")
    assert trunk.transform(4096, single).args == (4096,) and trunk.transform(4097, double).args == (8192,)
    assert trunk.transform(4096, np.dtype("F")) is None and trunk.transform(trunk.MOST + 1, single) is None


@CHOSEN
@pytest.mark.parametrize("dtype", "fd")
def test_is_what_one_transform_of_a_line_uses(dtype, monkeypatch):
    x = np.random.default_rng(2).standard_normal(5000).astype(dtype)
    expected = firconv.convolve(x, x, method="fft")
    monkeypatch.setattr(trunk, "branch", None)
    with pytest.raises(TypeError, match="NoneType"):
        firconv.convolve(x, x, method="fft")
    monkeypatch.setattr(trunk, "transform", lambda points, dtype: None)
    size = np.linalg.norm(x.astype("d")) ** 2
    assert np.abs(firconv.convolve(x, x, method="fft") - expected).max() <= 100 * UNIT[dtype] * size


def test_work_arrays_of_an_earlier_call_do_not_show():
    """The arrays that stay for the next call hold its leftovers, whatever its length and type."""
    rng = np.random.default_rng(9)
    for n, dtype in ((40_000, "f"), (50_000, "f"), (20_000, "d"), (40_000, "f")):
        x, w = rng.standard_normal(n).astype(dtype), rng.standard_normal(n // 2).astype(dtype)
        length = 1 << (n + n // 2).bit_length()
        results = []
        for fill in (np.nan, 0.0):
            trunk._spare[:] = [tuple(np.full(length, fill, dtype) for _ in range(2))]
            out = np.empty(n - n // 2 + 1, dtype)
            trunk.correlate(length, x, w, 0, out, lambda function, items: [function(i) for i in items])
            results.append(out)
        assert_array_equal(*results)
        assert len(trunk._spare) == 1 and trunk._spare[0][0].size == length
