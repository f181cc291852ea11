"""A plan is a value: it prints, hashes, pickles, knows its lags, and any number of threads may call it."""

import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from oracle import exact
from problems import METHODS, OPS, PROBLEMS

import firconv
from firconv import plans

RNG = np.random.default_rng(9)
X, H = RNG.standard_normal(300), RNG.standard_normal(31)
NAMED = list(PROBLEMS)[::9]


@pytest.mark.parametrize("method", METHODS)
def test_prints_a_table_that_holds_the_facts(method):
    image, taps = np.ones((40, 50), "f4"), np.outer(np.hanning(9), np.hanning(7)).astype("f4")
    plan = firconv.plan(image, taps, "same", method, boundary="reflect")
    text = str(plan)
    for fact in ("40", "50", "float32", "reflect", plan.method, "multiplications", "why not"):
        assert fact in text
    assert max(map(len, text.splitlines())) <= 140
    if method == "auto":
        for candidate in ("direct", "separable", "fft", "overlap_save"):
            assert candidate in text
    assert repr(plan).startswith("<") and "\n" not in repr(plan)


@pytest.mark.parametrize("keywords", [
    {}, {"mode": "same", "boundary": ["reflect", ("zero", "wrap")]}, {"down": (2, 1), "origin": "ndimage"},
    {"axes": (1, 0), "mode": [(0, 5), "same"]}, {"boundary": ("constant", 2.0), "up": 2, "dilation": 2},
    {"dtype": "uint8"}, {"rtol": 1e-15}, {"dtype": "float32", "rtol": 1e-6, "mode": "valid"},
])
@pytest.mark.parametrize("op", OPS)
def test_the_call_that_forces_it_is_shown_and_works(op, keywords):
    x, h = RNG.standard_normal((12, 11)), RNG.standard_normal((4, 3))
    plan = firconv.plan(x, h, op=op, **keywords)
    call = next(line for line in str(plan).splitlines() if f"{op}(x, h" in line)
    call = call[call.index(f"{op}(x, h") :]
    assert f"method='{plan.method}'" in call
    forced = eval(call, {op: getattr(firconv, op), "x": x, "h": h})  # noqa: S307 - our own text
    assert_array_equal(forced, plan(x), strict=True)


def test_a_tolerance_prints_the_bound_that_keeps_it():
    plan = firconv.plan(((1000,), "f4"), np.ones(65, "f4"), rtol=1e-6)
    assert "float64" in str(plan) and "6.0e-08·(|h|*|x|)" in str(plan)


def test_columns_stay_apart_for_large_workspaces():
    text = str(firconv.plan(((2048, 2048), float), np.outer(np.hanning(9), np.hanning(9)), "same"))
    assert re.search(r"^  fft +[\d.]+ ms +\S+e\+\d\d +\d{3} MiB ", text, re.M)


def test_shape_and_dtype_are_enough():
    plan = firconv.plan((X.shape, X.dtype), H, "same")
    assert_array_equal(plan(X), firconv.convolve(X, H, "same"))
    assert plan == firconv.plan(X, H, "same")


@pytest.mark.parametrize("x", [X[:-1], X.astype("f4"), X[None], X.astype(complex), X.tolist()[:5]])
def test_calling_it_demands_its_shape_and_dtype(x):
    plan = firconv.plan(X, H)
    with pytest.raises((ValueError, TypeError), match=r"300.*float64|float64.*300"):
        plan(x)


def test_hash_and_equality():
    plan, same, other = firconv.plan(X, H), firconv.plan(X + 1, H), firconv.plan(X, H + 1)
    assert plan == same and hash(plan) == hash(same)
    assert plan != other and plan != firconv.plan(X, H, "same") and plan != 3
    assert len({plan, same, other}) == 2


def test_later_changes_of_the_taps_do_not_reach_it():
    taps = H.copy()
    plan = firconv.plan(X, taps)
    expected, key = plan(X), hash(plan)
    taps[:] = 0
    assert_array_equal(plan(X), expected)
    assert hash(plan) == key


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("op", OPS)
def test_pickles_with_the_same_bits(name, op):
    p = PROBLEMS[name]
    plan = firconv.plan(p.signal(), p.taps(), op=op, **p.keywords)
    again = pickle.loads(pickle.dumps(plan))
    assert again == plan and hash(again) == hash(plan)
    assert str(again) == str(plan)
    assert_array_equal(again(p.signal()), plan(p.signal()))


def test_pickle_is_small_and_works_in_another_process(tmp_path):
    plan = firconv.plan(((1_000_000,), "f4"), H.astype("f4"), "same")
    plan(np.zeros(1_000_000, "f4"))
    data = pickle.dumps(plan)
    assert len(data) < 20_000, "raw taps and a decision, not what was prepared from them"
    path = tmp_path / "plan.pickle"
    path.write_bytes(data)
    code = f"import pickle; p = pickle.load(open({str(path)!r}, 'rb')); print(p.method, p.shape[0])"
    paths = os.pathsep.join([str(Path(firconv.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": paths}, capture_output=True,
                          text=True, timeout=120)
    assert done.stdout.split() == [plan.method, "1000000"], done.stderr


@pytest.mark.parametrize("name", list(PROBLEMS))
@pytest.mark.parametrize("op", OPS)
def test_lags_are_the_oracles(name, op):
    p = PROBLEMS[name]
    plan = firconv.plan(p.signal(), p.taps(), op=op, **p.keywords)
    answer = exact(op, p.signal(), p.taps(), **p.keywords)
    assert len(plan.lags) == len(answer.lags)
    for lags, expected in zip(plan.lags, answer.lags, strict=True):
        assert list(lags) == expected.tolist()
    assert plan.shape == answer.values.shape


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("n, k", [(9, 4), (9, 5), (4, 9)])
def test_lags_of_a_correlation_are_correlation_lags(mode, n, k):
    """scipy numbers lags from tap 0, a plan from its origin: K // 2 unless it is given, and then valid may not swap."""
    plan = firconv.plan(((n,), float), np.ones(k), mode, op="correlate")
    assert [t - k // 2 for t in plan.lags[0]] == firconv.correlation_lags(n, k, mode).tolist()
    if n > k:
        plan = firconv.plan(((n,), float), np.ones(k), mode, op="correlate", origin=0)
        assert list(plan.lags[0]) == firconv.correlation_lags(n, k, mode).tolist() or mode == "same"


# ---- out= ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [m for m in METHODS if m != "separable"])
def test_out(method):
    plan = firconv.plan(X, H, "same", method)
    out = np.full(X.shape, 3.0)
    assert plan(X, out=out) is out
    assert_array_equal(out, plan(X))


def test_out_allocates_nothing_large():
    import tracemalloc

    x = np.zeros(100_000 if numba.config.DISABLE_JIT else 4_000_000, "f4")  # plain loops
    plan, out = firconv.plan(x, H.astype("f4"), "same"), np.empty_like(x)
    plan(x, out=out, workers=1)
    tracemalloc.start()
    plan(x, out=out, workers=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < x.nbytes / 4


@pytest.mark.parametrize("out, message", [
    (np.empty(299), "out.*shape"), (np.empty(300, "i4"), "out.*dtype"), ([0.0] * 300, "out"),
    (np.empty((300, 1)), "out.*shape"),
])
def test_impossible_out(out, message):
    for call in (lambda: firconv.plan(X, H, "same")(X, out=out), lambda: firconv.convolve(X, H, "same", out=out)):
        with pytest.raises((ValueError, TypeError), match=message):
            call()


def test_read_only_out_is_refused():
    out = np.empty(300)
    out.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        firconv.convolve(X, H, "same", out=out)


def test_out_takes_same_kind_casts_only():
    out = np.empty(300, "f4")
    firconv.convolve(X, H, "same", out=out)
    assert_array_equal(out, firconv.convolve(X, H, "same").astype("f4"))
    with pytest.raises(TypeError, match="same-kind"):
        firconv.convolve(X + 0j, H, "same", out=np.empty(300))


# ---- facts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_method_is_the_one_asked_for(method):
    taps = np.outer([1.0, 2, 1], [1.0, 3, 1])
    plan = firconv.plan(((30, 30), float), taps, method=method)
    assert plan.method == method or (method == "auto" and plan.method in METHODS)


def test_large_problems_are_planned_fast_ways():
    assert firconv.plan(((4_000_000,), "f4"), np.ones(4097, "f4")).method in ("overlap_save", "fft")
    assert firconv.plan(((4_000_000,), "f4"), np.ones(9, "f4")).method == "direct"
    gauss = np.exp(-np.linspace(-3, 3, 21) ** 2)
    assert firconv.plan(((2048, 2048), "f4"), np.outer(gauss, gauss).astype("f4")).method == "separable"
    colours = firconv.plan(((600, 512, 3), "u1"), np.outer(gauss, gauss).astype("f4"), axes=(0, 1))
    assert colours.method == "separable"  # once failed: each pixel was charged as a row of three colours


def test_separable_terms_under_a_tolerance_state_their_bound():
    generator = np.random.default_rng(1)
    h = np.outer(*generator.standard_normal((2, 15))) + 1e-9 * generator.standard_normal((15, 15))
    x = generator.standard_normal((60, 50))
    with pytest.raises(ValueError, match="separable"):
        firconv.plan(x, h, method="separable")
    plan = firconv.plan(x, h, method="separable", rtol=1e-6)
    error = np.abs(plan(x) - firconv.convolve(x, h, method="direct"))
    assert 0 < error.max() <= 1e-6 * np.abs(x).max() * np.abs(h).sum()
    assert "max|x|" in str(plan)


def test_integer_kernels_factor_exactly_or_not_at_all():
    h = np.outer([1, 2, 3], [4, 0, 5])
    assert firconv.plan(((30, 30), int), h, method="separable").method == "separable"
    h[1, 1] += 1
    with pytest.raises(ValueError, match="separable"):
        firconv.plan(((30, 30), int), h, method="separable")


def test_the_same_call_gives_the_same_plan():
    first = [str(firconv.plan(p.signal(), p.taps(), **p.keywords)) for p in map(PROBLEMS.get, NAMED)]
    assert first == [str(firconv.plan(p.signal(), p.taps(), **p.keywords)) for p in map(PROBLEMS.get, NAMED)]


def test_the_last_plans_are_remembered_as_far_as_their_taps_go():
    x, long = X[:9], RNG.standard_normal(plans.LONGEST)
    plans._plans.clear()
    for shift in range(2 * plans.TAPS // plans.LONGEST):
        firconv.convolve(x, long + shift)
        assert sum(p._h.size for p in plans._plans.values()) <= plans.TAPS
    kept = dict(plans._plans)
    before = firconv.convolve(x, long + shift)
    assert plans._plans == kept and len(kept) > 1
    long[0] += 1  # the caller's array, not the plan's
    assert firconv.convolve(x, long + shift)[0] != before[0]
    firconv.convolve(x, np.ones(plans.LONGEST + 1))
    assert all(p._h.size <= plans.LONGEST for p in plans._plans.values())
