"""Overlap-save blocks: agreement with the defining sum, views, batches, integers, one long transform."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided

from firconv.kernels import fourier

UNIT = {"f": 2.0**-24, "d": 2.0**-53, "F": 2.0**-24, "D": 2.0**-53}


def values(rng, shape, dtype):
    x = rng.standard_normal(shape).astype(dtype)
    return x + np.asarray(1j * rng.standard_normal(shape), dtype) if dtype in "FD" else x


def direct(x, w, wanted):
    """Valid correlation of (..., I, *N) with (O, I, *K) in long double."""
    dims = w.ndim - 2
    wide = np.result_type(x, w, np.longdouble)
    y = np.zeros((*x.shape[: -dims - 1], len(w), *wanted), wide)
    for o, i, *k in np.ndindex(*w.shape):
        part = x[(..., i, *(slice(a, a + n) for a, n in zip(k, wanted, strict=True)))]
        y[(..., o, *[slice(None)] * dims)] += w[(o, i, *k)].astype(wide) * part
    return y


def close(y, exact, x, w, dtype):
    reach = 13 * np.log2(max(2, x[0, 0].size)) * UNIT[dtype]
    return np.abs(y - exact).max() <= reach * np.linalg.norm(x.astype("D")) * np.linalg.norm(w.astype("D"))


def test_good_size_is_the_smallest_even_product_of_small_primes():
    def smooth(n):
        for p in (2, 3, 5):
            while n % p == 0:
                n //= p
        return n == 1

    even = [n for n in range(2, 3000, 2) if smooth(n)]
    for n in range(1, 2900):
        assert fourier.good_size(n) == min(m for m in even if m >= n)
    assert fourier.good_size(2**20 + 1) == 1049760


CASES = {
    "one channel": ((3, 1, 64), (1, 1, 9)),
    "one tap": ((2, 1, 16), (1, 1, 1)),
    "as many taps as samples": ((2, 1, 30), (1, 1, 30)),
    "odd length": ((2, 1, 45), (1, 1, 4)),
    "channels": ((2, 3, 90), (4, 3, 31)),
    "one to many": ((2, 1, 60), (3, 1, 7)),
    "image": ((2, 1, 40, 36), (1, 1, 7, 8)),
    "image channels": ((2, 2, 27, 20), (3, 2, 5, 2)),
    "volume": ((1, 2, 12, 10, 16), (2, 2, 3, 4, 5)),
    "four axes": ((1, 1, 6, 5, 8, 4), (1, 1, 3, 2, 3, 2)),
}


@pytest.mark.parametrize("dtype", "fdFD")
@pytest.mark.parametrize("case", CASES)
def test_agrees_with_the_defining_sum(case, dtype):
    shape, k = CASES[case]
    rng = np.random.default_rng(3)
    x, w = values(rng, shape, dtype), values(rng, k, dtype)
    spectrum = fourier.prepare(w, None, shape[2:], dtype)
    assert spectrum.outputs == tuple(n - m + 1 for n, m in zip(shape[2:], k[2:], strict=True))
    for cut in (0, 1):
        wanted = tuple(max(1, n - cut) for n in spectrum.outputs)
        out = np.full((shape[0], k[0], *wanted), 77, dtype)
        fourier.correlate(spectrum, x, out)
        assert close(out, direct(x, w, wanted), x, w, dtype)


def test_real_and_complex_mix():
    rng = np.random.default_rng(4)
    for a, b in ("FD", "Df", "fD", "dF"):
        x, w = values(rng, (2, 1, 50), a), values(rng, (1, 1, 8), b)
        spectrum = fourier.prepare(w, None, (50,), "D")
        out = np.empty((2, 1, 43), "D")
        assert fourier.correlate(spectrum, x, out, tau=1e-10) is None
        assert close(out, direct(x, w, (43,)), x, w, "D")


@pytest.mark.parametrize("dtype", "fd")
def test_overlapping_read_only_blocks_into_a_strided_output(dtype):
    rng = np.random.default_rng(5)
    k, n, count = 33, 128, 7
    step = n - k + 1
    x = values(rng, (2, count * step + k - 1), dtype)
    x.flags.writeable = False
    size = x.itemsize
    blocks = as_strided(x, (2, count, 1, n), (x.strides[0], step * size, 0, size), writeable=False)
    w = values(rng, (1, 1, k), dtype)
    store = np.full((2, 2 * count, 1, step), 5, dtype)
    spectrum = fourier.prepare(w, None, (n,), dtype)
    fourier.correlate(spectrum, blocks, store[:, ::2], tau=1e-4)
    exact = direct(x[:, None], w, (count * step,)).reshape(2, count, 1, step)
    assert close(store[:, ::2], exact, x[:, None], w, dtype)
    assert np.all(store[:, 1::2] == 5)
    flipped = np.ascontiguousarray(blocks[..., ::-1])[..., ::-1]
    again = np.empty((2, count, 1, step), dtype)
    fourier.correlate(spectrum, flipped, again, tau=1e-4)
    assert np.array_equal(again, store[:, ::2])


@pytest.mark.parametrize("dtype", "fdF")
@pytest.mark.parametrize("dims", [1, 2])
def test_bits_and_verdicts_do_not_depend_on_the_batch(dtype, dims):
    rng = np.random.default_rng(6)
    n, k = ((120,), (17,)) if dims == 1 else ((20, 24), (5, 3))
    x = values(rng, (23, 2, *n), dtype)
    x[3, 0, ..., 7] = np.nan
    x[5, ..., : n[-1] // 2] = 0
    x[6] = 0
    x[7] *= 1e-18
    x[8, ..., 10:] *= 1e-9
    x[9, ..., 9] = np.inf
    w = values(rng, (2, 2, *k), dtype)
    spectrum = fourier.prepare(w, None, n, dtype)
    out = np.empty((23, 2, *spectrum.outputs), dtype)
    mask = fourier.correlate(spectrum, x, out, tau=1e-4)
    assert mask is not None
    assert mask.any(axis=tuple(range(1, mask.ndim))).nonzero()[0].tolist() == [8]
    for cut in (1, 2, 5, 7):
        for lo in range(0, 23, cut):
            some = np.empty_like(out[lo : lo + cut])
            verdict = fourier.correlate(spectrum, x[lo : lo + cut], some, tau=1e-4)
            assert np.array_equal(some, out[lo : lo + cut], equal_nan=True)
            assert np.array_equal(np.zeros(some.shape, bool) if verdict is None else verdict, mask[lo : lo + cut])
    single = np.empty_like(out[0])
    fourier.correlate(spectrum, x[0], single, tau=1e-4)
    assert np.array_equal(single, out[0])


def test_integers_are_exact_or_refused():
    rng = np.random.default_rng(7)
    for top, proven in ((1000, True), (2**19, True), (2**27, False)):
        x = rng.integers(-top, top, (3, 2, 200))
        w = rng.integers(-top, top, (2, 2, 30))
        spectrum = fourier.prepare(w, None, (200,), "d")
        out = np.empty((3, 2, 171), np.int64)
        unsure = fourier.correlate_integers(spectrum, x.astype("d"), out)
        assert (unsure is None) == proven
        exact = direct(x, w, (171,)).astype(np.int64)
        if proven:
            assert np.array_equal(out, exact)
        else:
            assert unsure.shape == (3, 2, 1)
            assert unsure.all()


def test_integer_blocks_are_judged_one_by_one():
    rng = np.random.default_rng(8)
    x = rng.integers(0, 900, (4, 1, 40, 40))
    x[2, 0, 5, 5] = 2**52
    w = rng.integers(0, 900, (2, 1, 7, 7))
    w[1] = 0
    spectrum = fourier.prepare(w, None, (40, 40), "d")
    out = np.empty((4, 2, 34, 34), np.int64)
    unsure = fourier.correlate_integers(spectrum, x.astype("d"), out)
    assert unsure[:, :, 0, 0].tolist() == [[False, False], [False, False], [True, False], [False, False]]
    exact = direct(x, w, (34, 34)).astype(np.int64)
    good = ~np.broadcast_to(unsure, out.shape)
    assert np.array_equal(out[good], exact[good])


def test_lengths_outside_of_the_proof_prove_nothing():
    spectrum = fourier.prepare(np.ones((1, 1, 3)), None, (77,), "d")
    out = np.empty((1, 75), np.int64)
    assert fourier.correlate_integers(spectrum, np.ones((1, 77)), out).all()
