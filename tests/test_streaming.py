"""A stream gives the bits of the whole, however the signal was cut."""

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

import firconv

RNG = np.random.default_rng(11)
SHORTER = 10 if numba.config.DISABLE_JIT else 1  # plain loops
RULES = ["zero", "edge", "symmetric", "reflect", "antisymmetric", "antireflect", ("constant", 1.5), ("reflect", "zero"),
         "omit"]
METHODS = ("auto", "direct", "overlap_save")


def streamed(plan, x, cuts, axis=-1):
    """Push the pieces between the cuts, flush, and join what came out."""
    stream = plan.stream()
    pieces = [stream.push(piece) for piece in np.split(x, cuts, axis=axis)]
    return np.concatenate([*pieces, stream.flush()], axis=axis)


def agree(x, h, cuts, axis=-1, **keywords):
    plan = firconv.plan(x, h, **keywords)
    whole = plan(x)
    joined = streamed(plan, x, cuts, axis)
    assert joined.dtype == whole.dtype
    assert_array_equal(joined, whole)


steps = st.integers(1, 4)


@given(st.integers(1, 90), st.integers(1, 20), st.lists(st.integers(0, 90), max_size=6).map(sorted),
       steps, steps, steps,
       st.sampled_from(["full", "same", "valid"]), st.sampled_from(RULES), st.sampled_from(METHODS),
       st.sampled_from(["convolve", "correlate"]))
def test_any_cut_gives_the_same_bits(n, k, cuts, up, down, dilation, mode, boundary, method, op):
    x, h = RNG.standard_normal(n), RNG.random(k) + 0.5
    keywords = dict(mode=mode, boundary=boundary, up=up, down=down, dilation=dilation, method=method, op=op)
    try:
        plan = firconv.plan(x, h, **keywords)
        whole = plan(x)
    except ValueError:  # valid with taps longer than the signal
        return
    if mode == "valid" and k >= n:
        return  # where the two operands change places
    assert_array_equal(streamed(plan, x, [c for c in cuts if c <= n]), whole)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "int16", "uint8"])
@pytest.mark.parametrize("k", [9, 300])
def test_long_signals_in_ragged_pieces(k, dtype, method):
    x, h = (RNG.integers(0, 100, s).astype(dtype) for s in (20_000 // SHORTER, k))
    cuts = np.cumsum([1, 2, 3, 1000, 1, 4096, 0, 7, 5000]) // SHORTER
    agree(x, h, cuts, method=method, mode="same")
    agree(x, h, cuts[::3], method=method, mode="full", boundary="reflect")


@pytest.mark.parametrize("up, down", [(1, 1), (3, 1), (1, 8), (3, 2), (147, 160)])
def test_resampling_in_pieces(up, down):
    x, h = RNG.standard_normal(4000), RNG.standard_normal(200)
    agree(x, h, [1, 1000, 1001, 3000], up=up, down=down)
    agree(x, h, range(100, 4000, 441), up=up, down=down, method="overlap_save")


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_channels(axis):
    shape = [2, 3, 4]
    shape[axis] = 500
    x = RNG.standard_normal(shape)
    agree(x, np.hanning(33), [1, 100, 330], axis, axes=axis, mode="same", boundary="edge")


def test_a_filter_per_channel():
    x, h = RNG.standard_normal((3, 400)), RNG.standard_normal((3, 21))
    agree(x, h, [7, 90], axes=1, mode="same")


def test_sample_by_sample():
    x, h = RNG.standard_normal(60), RNG.standard_normal(7)
    agree(x, h, range(1, 60), mode="same", boundary="symmetric", method="direct")


def test_loud_nan_and_quiet_samples_across_cuts():
    n = 200_000 // SHORTER
    x = RNG.standard_normal(n)
    x[9_000 // SHORTER:12_000 // SHORTER] *= 1e13
    x[20_000 // SHORTER], x[25_000 // SHORTER] = np.nan, np.inf
    agree(x, np.hanning(700 // SHORTER), range(n // 30, n, n // 10 + 1), method="auto")
    agree(x, np.hanning(700 // SHORTER), [1], method="overlap_save")


def test_the_signal_may_be_longer_than_planned():
    plan = firconv.plan(((100,), float), np.hanning(9), "same")
    x = RNG.standard_normal(1234)
    assert_array_equal(streamed(plan, x, [5, 700]), firconv.convolve(x, np.hanning(9), "same", plan.method))


@pytest.mark.parametrize("method", METHODS)
def test_delay_is_kept(method):
    h = np.ones(9) / 9
    plan = firconv.plan(((5000,), float), h, "same", method)
    stream, given_out = plan.stream(), 0
    for sent in range(50, 3000, 50):
        given_out += stream.push(np.ones(50)).size
        assert sent - stream.delay <= given_out <= sent
    assert given_out + stream.flush().size == 2950


def test_direct_delay_is_the_reach_of_the_taps():
    plan = firconv.plan(((100,), float), np.ones(9), "same", "direct")
    assert plan.stream().delay == 4
    causal = firconv.plan(((100,), float), np.ones(9), "same", "direct", origin="causal")
    assert causal.stream().delay == 0
    assert causal.stream().push(np.ones(10)).size == 10


def test_outputs_do_not_alias_what_was_pushed():
    stream = firconv.plan(((100,), float), [1.0], "same").stream()
    block = np.ones(10)
    out = stream.push(block)
    block[:] = 7
    assert_array_equal(out, 1.0)
    rest = firconv.plan(((100,), float), np.ones(3), "same").stream()
    first = rest.push(block)
    block[:] = 0
    assert_array_equal(np.concatenate([first, rest.flush()])[1:-1], 21.0)


def test_memory_is_bounded():
    stream = firconv.plan(((1000,), "f4"), np.ones(101, "f4"), "same").stream()
    import tracemalloc

    tracemalloc.start()
    for _ in range(300 // SHORTER**2):
        stream.push(np.ones(10_000, "f4"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000


def test_overflow_in_a_piece_is_raised():
    stream = firconv.plan(((100,), int), np.full(3, 2**40), "same").stream()
    stream.push(np.ones(50, int))
    with pytest.raises(OverflowError, match="64"):
        stream.push(np.full(50, 2**40))


@pytest.mark.parametrize("plan, message", [
    (lambda: firconv.plan(((9, 9), float), np.ones((3, 3))), "axes"),
    (lambda: firconv.plan(((9,), float), np.ones(3), boundary="wrap"), "wrap"),
    (lambda: firconv.plan(((9000,), float), np.ones(300), method="fft"), "overlap_save"),
])
def test_what_cannot_run_on_pieces_is_refused(plan, message):
    with pytest.raises(ValueError, match=message):
        plan().stream()


def test_misuse():
    stream = firconv.plan(((3, 100), float), np.ones(3), axes=1).stream()
    for block in (np.ones((2, 5)), np.ones(5), np.ones((3, 5), "f4"), np.ones((3, 5, 1))):
        with pytest.raises((ValueError, TypeError), match=r"block.*3.*float64"):
            stream.push(block)
    assert stream.push(np.ones((3, 5))).shape[0] == 3
    stream.flush()
    with pytest.raises(ValueError, match="flush"):
        stream.push(np.ones((3, 5)))
    with pytest.raises(ValueError, match="ended|flush"):
        stream.flush()
    with pytest.raises(ValueError, match="no samples"):
        firconv.plan(((5,), float), np.ones(3)).stream().flush()
