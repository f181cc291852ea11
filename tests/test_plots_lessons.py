"""Figures for learning: sequences, extensions, galleries, ways by hand; what is on them, not their pixels."""

import re

import matplotlib
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from firconv import FIR, IIR, byhand, convolve, files, filters, plan, plots, response
from firconv.plots import frames, lessons


@pytest.fixture(autouse=True)
def untouched():
    """No test may change matplotlib's settings: the figures must not."""
    before = dict(matplotlib.rcParams)
    yield
    assert dict(matplotlib.rcParams) == before


def title(ax):
    return ax.get_title("left")


X, H = [1, 2, 3, -1], [2, 1, -1]


# ---- by hand -----------------------------------------------------------------------------------------------------


def test_five_ways_hold_the_products_and_the_sums():
    figure = plots.five_ways(X, H)
    rows, table, matrix, diagonals, spectra, results = figure.axes
    y = np.convolve(X, H)
    words = [text.get_text().replace("−", "-") for text in rows.texts]
    assert words.count("6") == 1 and len(words) == len(X) * len(H) + y.size
    assert sorted(words) == sorted(text.get_text().replace("−", "-") for text in table.texts)
    assert len(matrix.texts) == len(X) * len(H)
    assert [text.get_text() for text in diagonals.texts][-y.size:] == [f"y[{n}]" for n in range(y.size)]
    assert_allclose(spectra.lines[2].get_ydata(), abs(np.fft.fft(y)), atol=1e-12)
    assert len(results.lines) == 6  # five ways, and the line at zero
    for line in results.lines[:5]:
        assert_allclose(line.get_ydata(), y, atol=1e-12)
    assert len({line.get_marker() for line in results.lines[:5]}) == 5


def test_shifted_impulses_are_the_rows_of_the_table():
    figure = plots.shifted_impulses(X, H)
    table = byhand.shifted_impulses(X, H)
    for k, ax in enumerate(figure.axes[:-1]):
        assert_array_equal(ax.lines[0].get_xdata(), k + np.arange(3))
        assert_array_equal(ax.lines[0].get_ydata(), table[k, k:k + 3])
    assert figure.axes[3].get_ylabel() == "−1·h[n − 3]"
    assert_array_equal(figure.axes[-1].lines[0].get_ydata(), np.convolve(X, H))


def test_shifted_images_are_the_parts_and_the_sum():
    x, h = np.arange(12.0).reshape(3, 4), np.array([[1, -2], [0, 3]])
    figure = plots.shifted_images(x, h)
    assert len(figure.axes) == 5 and title(figure.axes[1]) == "−2 · x shifted by (0, 1)"
    for ax, part in zip(figure.axes, [*byhand.shifted_signals(x, h), convolve(x, h)], strict=True):
        assert_array_equal(ax.images[0].get_array(), part)


def test_matrix_shows_numbers_or_signs():
    small = plots.matrix(byhand.toeplitz([1, -2], 3), blocks=(2, 3), title="T")
    assert [text.get_text() for text in small.texts] == ["1", "−2", "1", "−2", "1", "−2"] and title(small) == "T"
    assert len(small.collections) == 2
    large = plots.matrix(FIR([1, -2, 1], 1).matrix(40))
    assert not large.texts and large.lines[0].get_xdata().size == 40
    assert not plots.matrix(np.zeros((2, 2))).texts


def test_matrices_stand_beside_each_other():
    assert [title(ax) for ax in plots.matrices({"a": np.eye(2), "b": np.eye(3)}).axes] == ["a", "b"]


# ---- sequences ---------------------------------------------------------------------------------------------------


def test_lines_share_an_axis_in_units_of_fs():
    ax = plots.lines({"x": [1, 2], "y": [3, 4, 5]}, start={"y": -2}, fs=4, title="t", xlabel="time (s)").axes[0]
    assert_array_equal(ax.lines[1].get_xdata(), [-0.5, -0.25, 0])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["x", "y"]
    assert ax.get_xlabel() == "time (s)" and title(ax) == "t"
    assert ax.lines[0].get_linestyle() != ax.lines[1].get_linestyle()


@pytest.mark.parametrize("system", [FIR([0.25, 0.5, 0.25]), IIR([1.0], [1.0, -0.5])])
def test_exponential_shows_the_eigenvalue(system):
    figure = plots.exponential(system, 0.07, 30)
    gain = response.frequency_response(system, [0.07])[1][0]
    real, imaginary = figure.axes[2:]
    wave = np.exp(2j * np.pi * 0.07 * np.arange(30))
    assert_allclose(real.lines[0].get_ydata(), (gain * wave).real)
    assert_allclose(imaginary.lines[1].get_ydata()[10:], (gain * wave).imag[10:], atol=2e-3)
    assert f"{abs(gain):.4g}" in title(real)


@pytest.mark.parametrize("rule", ["edge", "symmetric", "reflect", "wrap"])
def test_extensions_are_what_numpy_pads(rule):
    ax = plots.extensions(X, 3, [rule]).axes[0]
    assert_array_equal(ax.lines[0].get_ydata(), np.pad(X, 3, rule)) and title(ax) == rule
    plane = np.arange(12.0).reshape(3, 4)
    picture = plots.extensions(plane, 2, [rule]).axes[0].images[0]
    assert_array_equal(picture.get_array(), np.pad(plane, 2, rule))
    assert picture.get_extent() == [-2.5, 5.5, 4.5, -2.5]


def test_extensions_have_every_rule_and_a_visible_constant():
    figure = plots.extensions(X, 2)
    assert [title(ax) for ax in figure.axes] == ["zero", "constant 1.5", "edge", "symmetric", "reflect", "wrap",
                                                 "antisymmetric", "antireflect", "omit"]
    assert np.isnan(lessons.extended(X, 1, "omit")[[0, -1]]).all()
    assert title(plots.extensions(X, 2, [("edge", "wrap")]).axes[0]) == "edge | wrap"


def test_sequences_can_share_a_scale():
    own, same = (plots.sequences({"x": [0, 9], "y": [0, 1]}, shared=shared).axes for shared in (False, True))
    assert own[0].get_ylim() != own[1].get_ylim() and same[0].get_ylim() == same[1].get_ylim()


# ---- pictures ----------------------------------------------------------------------------------------------------


def test_gallery_scales():
    signed, bright = np.array([[-2.0, 1.0]]), np.array([[3, 200]], np.uint8)
    figure = plots.gallery({"signed": signed, "bytes": bright, "colour": np.zeros((2, 2, 3))}, columns=2)
    assert figure.axes[1].images[0].get_clim() == (0, 255)
    low, high = figure.axes[0].images[0].get_clim()
    assert low == -high and high == pytest.approx(2, rel=1e-2)
    shared = plots.gallery({"a": np.array([[0.0, 9.0]]), "b": np.array([[1.0, 2.0]])}, shared=True)
    assert shared.axes[1].images[0].get_clim() == (0, 9)


def test_filtered_shows_taps_result_and_response():
    image = np.random.default_rng(0).random((20, 24))
    sobel = filters.sobel(1)
    figure = plots.filtered(image, {"box": filters.box((3, 3)), "sobel": sobel}, "edge")
    result = figure.axes[3].images[0]
    assert_allclose(result.get_array(), sobel(image, boundary="edge"))
    assert result.get_clim()[0] == -result.get_clim()[1]
    assert figure.axes[2].images[0].get_clim() == (image.min(), image.max())
    f = np.linspace(-0.5, 0.5, 97)
    assert_allclose(figure.axes[5].images[0].get_array(), abs(response.frequency_response(sobel, (f, f))[1]))
    assert figure.axes[5].get_xlabel() == "largest 1"
    assert figure.axes[1].lines[0].get_xdata().size == 2  # pale negative taps
    assert figure.axes[1].lines[1].get_xdata().size == 1  # dark ones


def test_frames_of_an_animation_are_small_and_whole():
    film = plots.flip_and_slide([1, 2], [1, 1])
    html = film.to_html()
    assert html.count("data:image/png;base64,") == len(film)
    assert len(html) < 0.7 * len(film.animation().to_jshtml())
    assert frames.smaller("no picture") == "no picture"
    assert not re.search(r"base64,[A-Za-z0-9+/=]*\\", html)


# ---- errors ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call, message", [
    (lambda: plots.five_ways([1] * 9, [1]), r"five_ways\(x, h\): shapes \(9,\) and \(1,\); give two sequences"),
    (lambda: plots.shifted_impulses([1] * 17, [1]), r"shifted_impulses\(x, h\): shapes \(17,\)"),
    (lambda: plots.shifted_images([1], [1]), r"shifted_images\(x, h\): shapes \(1,\) and \(1,\); give two planes"),
    (lambda: plots.matrix([1, 2]), r"matrix\(a\): int64 of shape \(2,\); give a real matrix"),
    (lambda: plots.sequences({}), r"sequences\(named\): {}; give at least one real sequence"),
    (lambda: plots.lines({"x": [1j]}), r"lines\(named\): {'x': 'complex128 \(1,\)'}"),
    (lambda: plots.exponential(FIR([1, 1], 1), 0.1), r"origin 1 needs later samples; delay\(1\)"),
    (lambda: plots.extensions([1, 2], 0), r"extensions\(x, 0\): int64 of shape \(2,\); give a real signal or plane"),
    (lambda: plots.gallery({"a": [1, 2]}), r"gallery\(images\): {'a': \(2,\)}; give at least one image"),
    (lambda: plots.filtered(np.eye(4), {}), r"filtered\(image, filters\): image of shape \(4, 4\), 0 filters"),
    (lambda: files.sample("lena"), r"sample\('lena'\): no such sample; use one of eeg, mri, photo"),
])
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_samples():
    shapes = {name: files.sample(name).array.shape for name in files.SAMPLES}
    assert shapes == {"eeg": (800, 4), "mri": (256, 256), "photo": (600, 512, 3)}
    assert files.sample("eeg").rate == 80 and files.sample("photo").white == 255
    assert all(files.sample(name).array.flags.writeable for name in files.SAMPLES)


# ---- fast convolution --------------------------------------------------------------------------------------------


def test_costs_are_those_of_the_plans():
    plans = {k: plan(((1 << 16,), "f4"), np.ones(k, "f4"), "same") for k in (4, 64, 2048)}
    ax = plots.costs(plans, "K").axes[0]
    named = {line.get_label(): line for line in ax.lines}
    direct = [next(c.seconds for c in p.decision.candidates if c.method == "direct") for p in plans.values()]
    assert_allclose(named["direct"].get_ydata(), direct)
    chosen = [next(c.seconds for c in p.decision.candidates if c.method == p.method) for p in plans.values()]
    assert_allclose(named["chosen"].get_ydata(), chosen)
    assert ax.get_xlabel() == "K" and ax.get_xscale() == ax.get_yscale() == "log"


def test_overlap_save_keeps_every_output_once():
    ax = plots.overlap_save(200, 9, 32).axes[0]
    kept = sorted((bar.get_x(), bar.get_width()) for bar in ax.patches if bar.get_hatch() is None)
    assert kept == [(24 * k, 24) for k in range(6)]
    thrown = sorted((bar.get_x(), bar.get_width()) for bar in ax.patches if bar.get_hatch())
    assert thrown == [(24 * k - 8, 8) for k in range(6)]


def test_footprint_marks_what_is_not_finite():
    ax = plots.footprint({"a": [0, np.inf], "b": [np.nan, 1]}, title="t").axes[0]
    assert ax.images[0].get_array().tolist() == [[0, 1], [1, 0]] and title(ax) == "t"
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b"]


@pytest.mark.parametrize("call, message", [
    (lambda: plots.costs({}), r"costs\(plans\): 0 plans make no line; give at least two"),
    (lambda: plots.overlap_save(100, 33, 32), r"overlap_save\(100, 33, 32\): a block holds no output that is right"),
])
def test_errors_of_fast_convolution(call, message):
    with pytest.raises(ValueError, match=message):
        call()
