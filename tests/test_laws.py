"""Laws that hold whatever the numbers: hypothesis draws the calls.

Small integers stored as floats make most laws exact: every product and sum is representable, by every method.
"""

import numpy as np
import pytest
from agreement import assert_agrees
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from oracle import exact
from problems import LINE_METHODS, METHODS, OPS

import firconv

RULES = ["zero", "edge", "symmetric", "reflect", "wrap", "antisymmetric", "antireflect", ("constant", 2.0)]
LINEAR = RULES[:-1]
PAD = {"zero": {"mode": "constant"}, "edge": {"mode": "edge"}, "symmetric": {"mode": "symmetric"},
       "reflect": {"mode": "reflect"}, "wrap": {"mode": "wrap"},
       "antireflect": {"mode": "reflect", "reflect_type": "odd"}}
rules = st.sampled_from(RULES)
linear_rules = st.sampled_from(LINEAR)
ops = st.sampled_from(OPS)
steps = st.integers(1, 4)
exact_methods = st.sampled_from(["reference", "direct", "auto"])


def arrays(low=1, high=30):
    return st.lists(st.integers(-9, 9), min_size=low, max_size=high).map(lambda v: np.array(v, float))


signals, taps = arrays(1, 40), arrays(1, 12)


@st.composite
def calls(draw, rule=rules):
    """Keywords of a one-dimensional call that is valid for every signal."""
    return dict(mode=draw(st.sampled_from(["full", "same", (-7, 25)])), boundary=draw(rule),
                origin=draw(st.none() | st.integers(-4, 9)), up=draw(steps), down=draw(steps), dilation=draw(steps))


def run(op, x, h, **keywords):
    return getattr(firconv, op)(x, h, **keywords)


def direct(op, x, h, **keywords):
    return run(op, x, h, method="direct", **keywords)


# ---- any call against the oracle -----------------------------------------------------------------------------------


@given(ops, signals, taps, calls(), st.sampled_from(LINE_METHODS))
def test_any_call_is_the_defining_sum(op, x, h, keywords, method):
    answer = exact(op, x, h, **keywords)
    assert_agrees(run(op, x, h, method=method, **keywords), answer, x, h, method)


@given(st.data(), ops, st.sampled_from(METHODS))
def test_any_image_call_is_the_defining_sum(data, op, method):
    shape = data.draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    size = data.draw(st.tuples(st.integers(2, 5), st.integers(2, 5)))
    generator = np.random.default_rng(data.draw(st.integers(0, 99)))
    dtype = data.draw(st.sampled_from(["f4", "f8", "c8", "i4"]))
    x = generator.integers(-9, 9, shape).astype(dtype)
    u, v = generator.integers(1, 5, size[0]), generator.integers(1, 5, size[1])
    h = np.multiply.outer(u, v).astype(dtype)
    pairs = st.tuples(steps, steps)
    rule = st.sampled_from([r for r in RULES if r != ("constant", 2.0) or dtype != "i4"])
    keywords = dict(mode=data.draw(st.sampled_from(["full", "same", (-3, 12)])), up=data.draw(pairs),
                    down=data.draw(pairs), dilation=data.draw(pairs),
                    boundary=[data.draw(rule), data.draw(st.tuples(rule, rule))])
    answer = exact(op, x, h, **keywords)
    assert_agrees(run(op, x, h, method=method, **keywords), answer, x, h, method, keywords["boundary"])


# ---- algebra -------------------------------------------------------------------------------------------------------


@given(signals, taps)
def test_commutes(x, h):
    assert_array_equal(firconv.convolve(x, h), firconv.convolve(h, x))


@given(signals, taps, taps)
def test_associates(x, g, h):
    assert_array_equal(direct("convolve", direct("convolve", x, g), h), direct("convolve", x, direct("convolve", g, h)))


@given(ops, signals, taps, calls(linear_rules), st.integers(-3, 3), st.integers(0, 99))
def test_linear_in_the_signal(op, x, h, keywords, a, seed):
    other = np.random.default_rng(seed).integers(-9, 9, x.size).astype(float)
    left = direct(op, a * x + other, h, **keywords)
    assert_array_equal(left, a * direct(op, x, h, **keywords) + direct(op, other, h, **keywords))


@given(ops, signals, taps, calls(), st.integers(0, 99))
def test_linear_in_the_taps(op, x, h, keywords, seed):
    other = np.random.default_rng(seed).integers(-9, 9, h.size).astype(float)
    left = direct(op, x, 2 * h + other, **keywords)
    assert_array_equal(left, 2 * direct(op, x, h, **keywords) + direct(op, x, other, **keywords))


@given(ops, signals, taps, st.integers(0, 9))
def test_commutes_with_shifts(op, x, h, shift):
    moved = direct(op, np.concatenate([np.zeros(shift), x]), h, mode=(-20, 70))
    assert_array_equal(moved[shift:], direct(op, x, h, mode=(-20, 70 - shift)))


@given(ops, signals, taps, st.integers(-50, 50))
def test_wrap_commutes_with_rotation(op, x, h, turn):
    rotated = direct(op, np.roll(x, turn), h, mode="same", boundary="wrap")
    assert_array_equal(rotated, np.roll(direct(op, x, h, mode="same", boundary="wrap"), turn))


@given(signals, taps, calls(), st.booleans())
def test_correlate_is_convolve_with_reversed_conjugate_taps(x, h, keywords, is_complex):
    if is_complex:
        x, h = x + 1j * x[::-1], h - 2j * np.roll(h, 1)
    if keywords["origin"] is not None:
        mirrored = {**keywords, "origin": h.size - 1 - keywords["origin"]}
    else:
        mirrored = keywords
    assert_array_equal(direct("convolve", x, h, **keywords), direct("correlate", x, h[::-1].conj(), **mirrored))


@given(ops, signals, taps, linear_rules, st.integers(-20, 20))
def test_reversal(op, x, h, rule, shift):
    """Reversing the signal and the taps reverses the output."""
    forward = direct(op, x, h, mode=(shift, shift + 30), boundary=rule, origin=0)
    start = x.size - 1 - (shift + 29)
    backward = direct(op, x[::-1], h[::-1], mode=(start, start + 30), boundary=rule, origin=h.size - 1)
    assert_array_equal(forward, backward[::-1])


# ---- steps ---------------------------------------------------------------------------------------------------------


@given(ops, signals, taps, calls(), steps)
def test_down_is_filter_then_keep_every_nth(op, x, h, keywords, down):
    whole = direct(op, x, h, **{**keywords, "down": 1})
    assert_array_equal(direct(op, x, h, **{**keywords, "down": down}), whole[::down])


def stuff(a, step):
    stuffed = np.zeros((a.size - 1) * step + 1)
    stuffed[::step] = a
    return stuffed


@given(ops, signals, taps, steps, steps, steps, st.sampled_from(["full", (-9, 40)]))
def test_up_is_zero_stuffing(op, x, h, up, down, dilation, mode):
    keywords = dict(mode=mode, down=down, dilation=dilation)
    assert_array_equal(direct(op, x, h, up=up, **keywords), direct(op, stuff(x, up), h, **keywords))


@given(ops, signals, taps, calls(), steps)
def test_dilation_is_stuffed_taps(op, x, h, keywords, dilation):
    origin = keywords.pop("origin") or 0
    keywords.pop("dilation")
    left = direct(op, x, h, origin=origin, dilation=dilation, **keywords)
    assert_array_equal(left, direct(op, x, stuff(h, dilation), origin=origin * dilation, **keywords))


# ---- boundaries ----------------------------------------------------------------------------------------------------


@given(ops, signals, taps, st.sampled_from(list(PAD)), st.sampled_from([1, 2, 3]), st.sampled_from([1, 2]))
def test_boundary_is_the_filter_of_the_padded_signal(op, x, h, rule, down, dilation):
    reach = (h.size - 1) * dilation
    padded = np.pad(x, reach, **PAD[rule]) if x.size > 1 or rule != "antireflect" else np.pad(x, reach, mode="edge")
    left = direct(op, x, h, mode="full", boundary=rule, down=down, dilation=dilation)
    assert_array_equal(left, direct(op, padded, h, mode="valid", down=down, dilation=dilation))


@given(ops, signals, taps)
def test_constant_is_the_filter_of_the_padded_signal(op, x, h):
    padded = np.pad(x, h.size - 1, constant_values=2.0)
    left = direct(op, x, h, mode="full", boundary=("constant", 2.0))
    assert_array_equal(left, direct(op, padded, h, mode="valid"))


@given(ops, signals, taps, calls())
def test_two_equal_ends_are_one_rule(op, x, h, keywords):
    rule = keywords.pop("boundary")
    whole = direct(op, x, h, boundary=rule, **keywords)
    assert_array_equal(direct(op, x, h, boundary=(rule, rule), **keywords), whole)
    assert_array_equal(direct(op, x, h, boundary=[rule], **keywords), whole)


@given(ops, signals, taps.map(lambda h: np.abs(h) + 1))
def test_omit_keeps_constants(op, x, h):
    level = np.full(x.size, 3.0)
    total = 3.0 * h.sum()
    np.testing.assert_allclose(direct(op, level, h, mode="same", boundary="omit"), np.full(x.size, total), rtol=1e-14)


# ---- batches and blocks --------------------------------------------------------------------------------------------


@given(ops, st.integers(1, 5), st.integers(1, 20), taps, calls(), exact_methods)
def test_batch_is_a_loop(op, rows, n, h, keywords, method):
    x = np.random.default_rng(n).integers(-9, 9, (rows, n)).astype(float)
    together = run(op, x, h, axes=-1, method=method, **keywords)
    assert_array_equal(together, np.stack([run(op, row, h, method=method, **keywords) for row in x]))
    columns = run(op, x.T, h, axes=0, method=method, **keywords)
    assert_array_equal(columns, together.T)


@given(ops, st.integers(1, 4), st.integers(1, 20), st.integers(1, 6), calls(), exact_methods)
def test_bank_is_a_loop(op, filters, n, k, keywords, method):
    generator = np.random.default_rng(n)
    x, bank = generator.integers(-9, 9, (1, n)) * 1.0, generator.integers(-9, 9, (filters, k)) * 1.0
    together = run(op, x, bank, axes=1, method=method, **keywords)
    assert_array_equal(together, np.stack([run(op, x[0], h, method=method, **keywords) for h in bank]))


@given(ops, signals, taps, st.integers(1, 40))
def test_overlap_add_of_blocks_is_the_whole(op, x, h, block):
    window = (-15, x.size + 15)
    starts = range(0, x.size, block)
    pieces = [direct(op, x[i : i + block], h, mode=(window[0] - i, window[1] - i)) for i in starts]
    assert_array_equal(np.sum(pieces, axis=0), direct(op, x, h, mode=window))


@given(ops, signals, taps, calls(), st.integers(0, 9), st.integers(1, 9))
def test_windows_are_cut_from_one_line(op, x, h, keywords, skip, length):
    down = keywords["down"]
    line = direct(op, x, h, **{**keywords, "mode": (-7, -7 + 20 * down)})
    start = -7 + skip * down
    part = direct(op, x, h, **{**keywords, "mode": (start, start + length * down)})
    assert_array_equal(part, line[skip : skip + length])


# ---- adjoints ------------------------------------------------------------------------------------------------------


@given(signals, taps, steps, steps, st.integers(0, 99))
def test_signal_adjoint_swaps_up_and_down(x, h, step, dilation, seed):
    """<A x, y> = <x, A* y>: the adjoint of filter-and-decimate is stuff-and-filter with the opposite operation."""
    forward = direct("correlate", x, h, mode=(-30, 60), origin=0, down=step, dilation=dilation)
    y = np.random.default_rng(seed).integers(-9, 9, forward.size).astype(float)
    # output number j sits at -30 + j step; the adjoint's line starts there
    backward = direct("convolve", y, h, mode=(30, 30 + x.size), origin=0, up=step, dilation=dilation)
    assert forward @ y == x @ backward


@given(signals, taps, steps, steps, st.integers(0, 99))
def test_taps_adjoint_swaps_dilation_and_down(x, h, step, dilation, seed):
    """The gradient in the taps: the output gradient becomes the taps, and the steps change places."""
    forward = direct("correlate", x, h, mode=(-30, 60), origin=0, down=step, dilation=dilation)
    y = np.random.default_rng(seed).integers(-9, 9, forward.size).astype(float)
    window = (-30, -30 + (h.size - 1) * dilation + 1)
    gradient = direct("correlate", x, y, mode=window, origin=0, down=dilation, dilation=step)
    assert forward @ y == h @ gradient


# ---- methods and each other ----------------------------------------------------------------------------------------


@given(ops, signals, taps, calls())
def test_reference_direct_and_auto_agree_exactly_on_small_integers(op, x, h, keywords):
    plain = run(op, x, h, method="reference", **keywords)
    assert_array_equal(direct(op, x, h, **keywords), plain)
    assert_array_equal(run(op, x.astype(int), h.astype(int), method="fft", **{**keywords, "boundary": "wrap"}),
                       direct(op, x, h, **{**keywords, "boundary": "wrap"}))


@pytest.mark.parametrize("method", LINE_METHODS)
@pytest.mark.parametrize("dtype", ["float32", "complex128"])
def test_power_of_two_scaling_changes_nothing(method, dtype):
    generator = np.random.default_rng(5)
    x, h = generator.standard_normal(500).astype(dtype), generator.standard_normal(31).astype(dtype)
    scaled = firconv.convolve(x * dtype_of(dtype, 2.0**20), h * dtype_of(dtype, 2.0**-7), method=method)
    assert_array_equal(scaled, firconv.convolve(x, h, method=method) * dtype_of(dtype, 2.0**13))


def dtype_of(dtype, value):
    return np.dtype(dtype).type(value)
