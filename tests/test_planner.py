"""The planner's constants: where they come from, what happens to a bad calibration, and that fitting finds them."""

from __future__ import annotations

import json

import numpy as np
import pytest

import firconv
from firconv import calibration, cost, planner


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A cache folder of its own, and no memory of another one."""
    monkeypatch.setenv("FIRCONV_CACHE_DIR", str(tmp_path))
    cost.machine.cache_clear()
    yield tmp_path
    cost.machine.cache_clear()


def test_without_a_calibration_the_constants_are_the_built_in_ones(folder):
    assert cost.machine() is cost.BUILT_IN
    assert "2026" in cost.BUILT_IN.provenance


def test_a_calibration_is_kept_and_found_again(folder):
    path = cost.save(cost.Machine(mac32=1e-9, provenance="a test"))
    assert path.parent == folder and cost.machine().mac32 == 1e-9
    cost.machine.cache_clear()
    assert cost.machine().provenance == "a test"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"mac32": "fast"}', '{"mac32": -1.0}', '{"mac32": 1e9}', "\x00\xff"])
def test_a_bad_calibration_is_ignored(folder, text):
    cost.store().write_text(text)
    assert cost.machine() == cost.BUILT_IN


def test_unknown_constants_are_ignored(folder):
    cost.store().write_text(json.dumps({"mac32": 2e-11, "of_a_later_version": 1.0}))
    assert cost.machine().mac32 == 2e-11


def test_a_calibration_moves_the_choice(folder):
    x, h = np.ones(1 << 16, np.float32), np.ones(301, np.float32)
    before = firconv.plan(x, h, "same").decision
    slow = {"direct": ["mac32"], "overlap_save": ["leaf32", "block32"]}[before.method]
    cost.save(cost.Machine(**dict.fromkeys(slow, 1e-6)))
    assert firconv.plan(x, h, "same").decision.method != before.method


def test_fitting_recovers_the_constants_that_made_the_times():
    samples = calibration.samples()
    made = cost.Machine(mac32=5e-11, mac64=9e-11, fft32=8e-10, fft64=9e-10, block32=6e-9, block64=6e-9, tile=6e-5,
                        tree32=3e-10, leaf64=5e-9)
    seconds = [calibration.predict(calibration.prepare(s)[0], made) for s in samples]
    found = calibration.fit(samples, seconds)
    for sample, t in zip(samples, seconds, strict=True):
        assert calibration.predict(calibration.prepare(sample)[0], found) == pytest.approx(t, rel=0.25), sample


def test_calibrating_reports_progress_and_saves(folder, monkeypatch):
    few = calibration.samples()[:3]
    monkeypatch.setattr(calibration, "samples", lambda: few)
    seen = []
    constants = calibration.calibrate(lambda what, done, total: seen.append((done, total)), repeats=1)
    assert seen == [(0, 3), (1, 3), (2, 3)]
    assert cost.machine() == constants and "calibrate" in constants.provenance
    assert "mac32" in calibration.describe(constants)


def test_the_planner_knows_the_guard_s_margin():
    from firconv.kernels import guard

    assert planner.MARGIN["float32"] == guard.MARGIN


@pytest.mark.parametrize("taps", [9, 65, 1025])
def test_the_cheapest_admissible_method_is_chosen(taps):
    decision = firconv.plan(((100_000,), np.float32), np.ones(taps, np.float32), "same").decision
    open_ = [c for c in decision.candidates if c.method == decision.method or "×" in c.why]
    assert decision.method == min(open_, key=lambda c: c.shared).method


def test_long_float32_transforms_are_left_out_where_the_guard_would_refuse_them():
    decision = firconv.plan(((2048, 2048), np.float32), np.random.default_rng(0).random((31, 31), np.float32)).decision
    assert next(c for c in decision.candidates if c.method == "fft").why == "beyond the promise"


@pytest.mark.parametrize(
    ("shape", "dtype", "taps", "keywords", "method"),
    [
        ((1024, 1024), "float32", (15, 15), {}, "direct"),  # many blocks have an end of the image in them
        ((1024, 1024), "float32", (31, 31), {}, "overlap_save"),
        ((4096, 64), "float64", 257, {"axes": 0}, "overlap_save"),  # the taps of a column leave the first cache
        ((4096, 64), "float32", 65, {"axes": 0}, "direct"),
        ((1_000_000,), "float32", 1025, {"down": 8}, "direct"),
        ((1_000_000,), "float32", 1025, {}, "overlap_save"),
    ],
)
def test_choices_that_were_measured(shape, dtype, taps, keywords, method):
    h = np.random.default_rng(0).standard_normal(taps).astype(dtype)
    assert firconv.plan((shape, dtype), h, "same", **keywords).method == method
