"""Figures: what is on the lines, in the pictures and on the labels; not their pixels."""

import io
import math

import matplotlib
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from firconv import FIR, IIR, convolve, design, filters, plots, response
from firconv.plots.roots import zeros_and_poles

LOWPASS = design.lowpass(3000, 4000, 0.5, 40, fs=16000, parity="odd")
SOBEL = filters.sobel(axis=1, integer=True)
LEAKY = IIR([1.0], [1.0, -0.5])


def title(ax):
    return ax.get_title("left")


def curve(ax, index=0):
    return ax.lines[index].get_xdata(), ax.lines[index].get_ydata()


def rendered(figure, **how):
    file = io.BytesIO()
    figure.savefig(file, format="png", **({"dpi": 40} | how))
    return Image.open(file)


@pytest.fixture(autouse=True)
def untouched():
    """No test may change matplotlib's settings: the figures must not."""
    before = dict(matplotlib.rcParams)
    yield
    assert dict(matplotlib.rcParams) == before


# ── panels ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_impulse_shows_every_tap_at_its_displacement():
    ax = plots.impulse(FIR([3, 1, -2], origin=1))
    t, h = curve(ax)
    assert_array_equal(t, [-1, 0, 1])
    assert_array_equal(h, [3, 1, -2])
    assert ax.get_xlabel() == "displacement (samples)"
    stems = ax.collections[0].get_segments()
    assert_array_equal([s[1] for s in stems], [[-1, 3], [0, 1], [1, -2]])


def test_impulse_of_complex_taps_has_two_families_that_differ_in_marker():
    ax = plots.impulse([1 + 2j, -1j])
    assert_array_equal(curve(ax, 0)[1], [1, 0])
    assert_array_equal(curve(ax, 1)[1], [2, -1])
    assert [entry.get_text() for entry in ax.get_legend().get_texts()] == ["real", "imaginary"]
    assert len({ax.lines[i].get_marker() for i in (0, 1)}) == 2


def test_impulse_of_an_iir_holds_its_energy():
    h = curve(plots.impulse(LEAKY))[1]
    assert_allclose(h, 0.5 ** np.arange(h.size))
    assert sum(h**2) > (1 - 1e-5) * 4 / 3
    assert curve(plots.impulse(IIR([1.0], [1.0, -1.5])))[1].size == 64


def test_step_is_the_running_sum():
    t, s = curve(plots.step(FIR([1, 2, 1], origin=1)))
    assert_array_equal(t, [-2, -1, 0, 1, 2, 3])
    assert_array_equal(s, [0, 1, 3, 4, 4, 4])
    assert_array_equal(curve(plots.step([1j, 1]), 1)[1], [0, 1, 1, 1, 1])


@pytest.mark.parametrize("system", [LOWPASS, LEAKY, FIR([1, 2j, -1], fs=8)])
def test_magnitude_is_in_decibels_over_all_frequencies(system):
    ax = plots.magnitude(system)
    f, db = curve(ax)
    complex_taps = isinstance(system, FIR) and np.iscomplexobj(system.taps)
    assert_allclose(f[[0, -1]], [-system.fs / 2 if complex_taps else 0, system.fs / 2])
    H = np.abs(response.frequency_response(system, f)[1])
    assert_allclose(10 ** (db / 20), H, atol=1e-12 * H.max())
    assert ax.get_ylabel() == "magnitude (dB)"
    assert ax.get_xlabel() == ("frequency (cycles/sample)" if system.fs == 1 else "frequency (Hz)")


def test_magnitude_shows_the_mask_of_the_specification():
    ax = plots.magnitude(LOWPASS)
    upper, lower, stop = (curve(ax, i) for i in (1, 2, 3))
    g = 10 ** (0.5 / 20)
    delta = (g - 1) / (g + 1)
    assert_allclose(upper, ([0, 3000], [20 * math.log10(1 + delta)] * 2))
    assert_allclose(lower, ([0, 3000], [20 * math.log10(1 - delta)] * 2))
    assert_allclose(stop, ([4000, 8000], [-40, -40]))
    assert len(ax.collections) == 3 and all(area.get_hatch() for area in ax.collections)
    assert ax.get_ylim()[0] == -80
    assert len(plots.magnitude(LOWPASS, mask=False).lines) == 1
    assert plots.magnitude(LOWPASS, floor=-55).get_ylim()[0] == -55


def test_magnitude_of_exact_zeros_leaves_the_frame_without_a_warning():
    f, db = curve(plots.magnitude([1, 1]))
    assert f[-1] == 0.5 and db[-1] < -290


def test_pass_band_is_relative_to_the_asked_gain():
    ax = plots.pass_band(design.differentiator(0.3, ripple_db=0.2))
    f, error = curve(ax)
    assert f.min() > 0 and f.max() == pytest.approx(0.3)
    assert np.abs(error).max() <= 0.1001
    assert ax.get_ylabel() == "gain / asked gain (dB)" and title(ax) == "Pass band"
    assert title(plots.pass_band(design.bandstop((0.1, 0.4), (0.2, 0.3), 0.5, 40))) == "Pass bands"
    with pytest.raises(ValueError, match="no specification with a pass band"):
        plots.pass_band(FIR([1, 2, 1]))


def test_pass_band_of_a_slope_has_limits_that_widen_where_less_is_asked():
    """A deviation of 0.01 is 0.17 dB of a gain of one half; the gain of a filter that meets it stays between."""
    ax = plots.pass_band(design.arbitrary([0, 0.2, 0.25, 0.5], [1, 0.5, 0, 0], 0.01))
    (f, gain), (_, low), (_, high) = (curve(ax, i) for i in range(3))
    asked = 1 - 2.5 * f
    assert_allclose([low, high], 20 * np.log10([1 - 0.01 / asked, 1 + 0.01 / asked]), atol=1e-12)
    assert (low - 1e-3 < gain).all() and (gain < high + 1e-3).all()


def test_phase_is_the_response_up_to_whole_turns():
    ax = plots.phase(LEAKY)
    f, phi = curve(ax)
    assert_allclose(phi, response.phase_response(LEAKY, f)[1], atol=1e-12)
    assert ax.get_ylabel() == "phase (rad)" and title(ax) == "Phase"
    quadrature = plots.phase(design.hilbert(0.05, 0.45))
    assert title(quadrature) == "Phase: linear, type III"
    assert_allclose(curve(quadrature)[1][512], -np.pi / 2)
    assert "−π/2" in [quadrature.yaxis.get_major_formatter()(t) for t in quadrature.get_yticks()]


def test_delay_names_the_exact_constant():
    ax = plots.delay(FIR(LOWPASS.taps, 0, 16000))
    exact = (LOWPASS.taps.size - 1) / 2
    assert set(curve(ax)[1]) == {exact}
    assert title(ax) == f"Group delay: exactly {exact:g} samples ({exact / 16:.4g} ms)"
    assert title(plots.delay(FIR([1, 2, 1], origin=2))) == "Group delay: exactly −1 sample"
    assert ax.get_ylabel() == "group delay (samples)"


def test_delay_is_framed_by_what_is_heard():
    fast = design.minimum_phase(LOWPASS)
    ax = plots.delay(fast)
    f, tau = curve(ax)
    loud = curve(ax, 1)[1]
    assert_allclose(tau, response.group_delay(fast, band=(0, 8000), n=f.size)[1])
    assert np.isnan(loud[f > 4000]).all() and np.isfinite(loud[f < 3000]).all()
    low, high = ax.get_ylim()
    assert low < np.nanmin(loud) and np.nanmax(loud) < high


# ── zeros and poles ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_zeros_and_poles_are_on_the_plane_with_multiplicities():
    ax = plots.zeros_poles(FIR([1, 4, 6, 4, 1], origin=1))
    circle, zeros, poles = (np.column_stack(curve(ax, i)) for i in range(3))
    assert_allclose(np.hypot(*circle.T), 1)
    assert_allclose(zeros, [[-1, 0]], atol=1e-6)
    assert_allclose(poles, [[0, 0]])
    assert [text.get_text() for text in ax.texts] == ["4", "3"]
    assert title(ax) == "4 zeros (○), 3 poles (×)"
    assert ax.lines[1].get_marker() != ax.lines[2].get_marker() and ax.get_aspect() == 1


@pytest.mark.parametrize("roots", [
    [0.5, 0.5, 0.5], [1, 1, -1, -1, -1, -1], [0.9, 0.9001], [0.3 + 0.4j, 0.3 - 0.4j] * 2, [-1] * 12, [2, 0.5, 1j, -1j],
])
def test_multiple_roots_are_found(roots):
    zeros, _ = zeros_and_poles(FIR(np.poly(roots).real))
    values, counts = np.unique(np.round(np.array(roots, complex), 9), return_counts=True)
    assert sum(m for _, m in zeros) == len(roots)
    for value, count in zip(values, counts, strict=True):
        place, m = min(zeros, key=lambda zero: abs(zero[0] - value))
        assert m == count and abs(place - value) < 1e-5


def test_zeros_at_the_origin_and_of_an_iir():
    assert zeros_and_poles(FIR([0, 1, 2, 0], origin=3)) == ([(-2, 1), (0, 1)], [])
    zeros, poles = zeros_and_poles(IIR([1, 2, 1], [1, -1.2, 0.36]))
    assert [m for _, m in zeros] == [2] and [m for _, m in poles] == [2]
    assert poles[0][0] == pytest.approx(0.6, abs=1e-6)


def test_far_zeros_are_counted_and_long_filters_are_not_factored():
    assert title(plots.zeros_poles([1, -10])) == "1 zero (○), 1 pole (×), 1 out of view"
    ax = plots.zeros_poles(np.hanning(700))
    assert "not computed" in ax.texts[0].get_text()
    with pytest.raises(ValueError, match="more than 512"):
        zeros_and_poles(FIR(np.ones(600)))
    with pytest.raises(ValueError, match="all zero"):
        zeros_and_poles(FIR([0, 0]))


# ── one figure of a filter, and of several ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("system", [LOWPASS, LEAKY, FIR([1]), [1, 1j, 2], IIR([1.0], [1.0, -1.5])])
def test_overview_holds_six_panels_with_units(system):
    figure = plots.overview(system)
    assert len(figure.axes) == 6 and all(title(ax) and ax.get_xlabel() and ax.get_ylabel() for ax in figure.axes)
    assert rendered(figure).size == (520, 296)


def test_overview_says_what_the_filter_is():
    assert plots.overview(LOWPASS).get_suptitle().startswith("lowpass, equiripple, ")
    assert "meets its specification, margin +" in plots.overview(LOWPASS).get_suptitle()
    assert "UNSTABLE" in plots.overview(IIR([1.0], [1.0, -1.5])).get_suptitle()
    assert plots.overview(FIR([1])).get_suptitle() == "FIR, 1 tap, origin 0, fs 1"
    assert title(plots.overview(SOBEL).axes[0]) == "Taps (convolution)"


def test_overview_refuses_what_it_cannot_show():
    with pytest.raises(ValueError, match="all taps are zero"):
        plots.overview([0, 0])
    with pytest.raises(ValueError, match="3 dimensions; give one or two"):
        plots.overview(np.ones((2, 2, 2)))
    with pytest.raises(ValueError, match="2 dimensions; draw them with kernel2d"):
        plots.magnitude(SOBEL)


def test_compare_gives_every_filter_its_own_dash_and_marker():
    systems = [filters.box(k) for k in range(2, 9)]
    figure = plots.compare(systems)
    lines = figure.axes[1].lines
    assert len(lines) == 7
    assert len({(str(line.get_linestyle()), line.get_marker()) for line in lines}) == 7
    for line, system in zip(lines, systems, strict=True):
        f, db = line.get_data()
        H = np.abs(response.frequency_response(system, f)[1])
        assert_allclose(10 ** (db / 20), H, atol=1e-12)
    labels = [ax.get_ylabel() for ax in figure.axes]
    assert labels == ["value", "magnitude (dB)", "phase (rad)", "group delay (samples)"]
    assert [t.get_text() for t in figure.legends[0].get_texts()][0] == "1: FIR, 2 taps"
    rendered(figure)


def test_compare_draws_a_mask_that_all_share():
    again = design.lowpass(3000, 4000, 0.5, 40, fs=16000, method="window", parity="odd")
    figure = plots.compare({"equiripple": LOWPASS, "window": again})
    assert len(figure.axes[1].collections) == 3
    assert not plots.compare([LOWPASS, FIR([1], fs=16000)]).axes[1].collections


def test_compare_refuses_what_does_not_belong_together():
    with pytest.raises(ValueError, match="no filter"):
        plots.compare([])
    with pytest.raises(ValueError, match="fs=1 and fs=16000"):
        plots.compare([LOWPASS, FIR([1, 2])])
    with pytest.raises(ValueError, match="1 labels for 2 filters"):
        plots.compare([[1], [2]], labels=["one"])
    with pytest.raises(ValueError, match="2 dimensions"):
        plots.compare([SOBEL])


# ── planes ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_taps_image_centres_its_colours_and_writes_the_numbers():
    ax = plots.taps_image(SOBEL)
    picture = ax.images[0]
    assert_array_equal(picture.get_array(), SOBEL.taps)
    assert picture.get_clim() == (-2, 2)
    assert [text.get_text() for text in ax.texts] == ["1", "0", "−1", "2", "0", "−2", "1", "0", "−1"]
    assert ax.get_xlabel() == "displacement across (samples)"
    assert picture.get_extent() == [-1.5, 1.5, 1.5, -1.5]


def test_taps_image_of_a_large_kernel_marks_negative_taps_without_colour():
    fir = filters.laplacian_of_gaussian(1.6)
    ax = plots.taps_image(fir)
    marked = np.concatenate([np.column_stack(curve(ax, i)[::-1]) for i in (0, 1)])
    assert not ax.texts and [ax.lines[i].get_marker() for i in (0, 1)] == ["_", "_"]
    assert [ax.lines[i].get_color() for i in (0, 1)] == ["black", "white"]  # on pale and on dark cells
    negative = np.argwhere(fir.taps < -5e-3 * np.abs(fir.taps).max()) - np.array(fir.origin)
    assert sorted(map(tuple, marked)) == sorted(map(tuple, negative))


@pytest.mark.parametrize("values, words", [
    ([[0.25, 0.5]], [".250", ".500"]), ([[1e-4, -1]], ["·", "−1"]), ([[12.5, 300]], ["12", "300"]),
    ([[0.0, -0.0625]], ["0", "−.0625"]), ([[1e-17, -1]], ["0", "−1"]), ([[1e-9, 2e-9]], ["1.0e−09", "2.0e−09"]),
])
def test_numbers_in_cells_are_short(values, words):
    assert [text.get_text() for text in plots.taps_image(np.array(values)).texts] == words


def test_magnitude_plane_is_the_response_over_both_frequencies():
    fir = FIR(SOBEL.taps, (1, 1), fs=10.0)
    ax = plots.magnitude_plane(fir, n=33)
    f = np.linspace(-5, 5, 33)
    assert_allclose(ax.images[0].get_array(), np.abs(response.frequency_response(fir, (f, f))[1]))
    assert ax.get_xlabel() == "frequency across (Hz)" and ax.get_ylabel() == "frequency down (Hz)"
    assert ax.yaxis_inverted()


def test_radial_profile_follows_the_axes():
    fir = filters.gaussian((2.0, 1.0))
    ax = plots.radial_profile(fir)
    lines = {line.get_label(): line.get_data() for line in ax.lines}
    r = lines["across"][0]
    H = np.abs(response.frequency_response(fir, (np.zeros(1), r))[1])[0]
    assert_allclose(lines["across"][1], H, atol=1e-12)
    H = np.abs(response.frequency_response(fir, (r, np.zeros(1)))[1])[:, 0]
    assert_allclose(lines["down"][1], H, atol=1e-12)
    assert (lines["mean"][1] <= lines["across"][1] + 1e-12).all()
    assert ax.get_xlabel() == "radial frequency (cycles/sample)"


def test_angles_are_counter_clockwise_from_the_right():
    ax = plots.angular_profile(filters.gabor(8, 30))
    degrees, gain = curve(ax, 1)
    assert degrees[np.argmax(gain)] == 30
    assert "0.125 cycles/sample" in ax.lines[1].get_label()
    assert "anisotropy 0 %" in plots.angular_profile(FIR([[2.0]])).lines[0].get_label()


def test_kernel2d_refuses_other_taps():
    with pytest.raises(ValueError, match="kernel2d.*in 1 dimensions"):
        plots.kernel2d([1, 2, 1])
    with pytest.raises(ValueError, match="complex128 taps"):
        plots.kernel2d([[1j]])
    assert rendered(plots.kernel2d(SOBEL)).size == (460, 360)


# ── before and after ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_before_after_of_a_signal():
    fs, t = 1000, np.arange(3000) / 1000
    x = np.sin(2 * np.pi * 50 * t) + np.sin(2 * np.pi * 300 * t)
    y = design.lowpass(100, 200, fs=fs, parity="odd")(x)
    figure = plots.before_after(x, y, fs)
    axes = {title(ax): ax for ax in figure.axes if title(ax)}
    assert_allclose(curve(axes["Signal"], 0), (t, x))
    assert_allclose(curve(axes["Signal"], 1), (t, y))
    f, before = curve(axes["Spectra"], 0)
    after = curve(axes["Spectra"], 1)[1]
    assert before.max() == pytest.approx(0)
    tone = np.argmin(abs(f - 300))
    assert before[tone] > -3 and after[tone] < -50
    assert axes["Signal"].get_xlabel() == "time (s)" and axes["Spectra"].get_ylabel().startswith("level (dB")
    pictures = [axes[f"Spectrogram {name}"].images[0] for name in ("before", "after")]
    assert pictures[0].get_clim() == pictures[1].get_clim()
    assert pictures[0].get_extent() == [0, 3, 0, 500]
    rendered(figure)


def test_before_after_of_different_lengths_and_of_long_signals():
    x = np.ones(20)
    figure = plots.before_after(x, convolve(x, [1, 1, 1]), start=-1)
    assert_array_equal(curve(figure.axes[0], 1)[0], np.arange(-1, 21))
    assert figure.axes[0].get_xlabel() == "time (samples)"
    long = np.zeros(50_000)
    long[31_234] = 7.0
    figure = plots.before_after(long, long)
    assert figure.axes[0].collections[0].get_paths()[0].vertices[:, 1].max() == 7.0  # a peak is never lost


def test_before_after_of_images():
    photo = np.random.default_rng(0).integers(0, 256, (30, 40), "uint8")
    figure = plots.before_after(photo, photo // 2)
    pictures = [ax.images[0] for ax in figure.axes if ax.images and "Image" in title(ax)]
    assert_array_equal(pictures[1].get_array(), photo // 2)
    assert [p.get_clim() for p in pictures] == [(0, 255)] * 2
    edges = SOBEL(photo.astype(float))
    figure = plots.before_after(photo, edges)
    after = next(ax for ax in figure.axes if title(ax) == "Image after (its own scale)")
    assert after.images[0].get_clim() == (-np.abs(edges).max(), np.abs(edges).max())
    spectra = [ax for ax in figure.axes if title(ax).startswith("Spectrum")]
    assert spectra[0].images[0].get_array().max() == 0 and spectra[0].get_xlabel() == "frequency across (cycles/sample)"
    rendered(plots.before_after(np.zeros((8, 9, 3)), np.ones((8, 9, 3))))


@pytest.mark.parametrize("x, y, words", [
    (np.ones(9), np.ones((9, 9)), "1 and 2 dimensions"), (np.ones(9) * 1j, np.ones(9), "complex128"),
    (np.ones((9, 9, 2)), np.ones((9, 9, 2)), "colours last"), (np.ones(1), np.ones(1), "at least 2 samples"),
    (np.array([1, np.nan]), np.ones(2), "finite"),
])
def test_before_after_refuses(x, y, words):
    with pytest.raises(ValueError, match=words):
        plots.before_after(x, y)


def test_before_after_needs_a_rate():
    with pytest.raises(ValueError, match="rate is a positive number"):
        plots.before_after([1, 2], [1, 2], fs=0)


# ── flip and slide ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_frame_computes_its_output():
    x, h = [1, 2, -3, 4], [2, -1, 0.5]
    film = plots.flip_and_slide(x, h)
    assert len(film) == 7
    assert_array_equal(film.y, np.convolve(x, h))
    for n in range(6):
        top, middle, bottom = film.frame(n + 1).axes
        assert_array_equal(np.round(curve(top, 2)[0]), n - np.arange(3))  # line 1 is the axis
        assert_array_equal(curve(top, 2)[1], h)
        assert curve(middle)[1].sum() == pytest.approx(film.y[n])
        assert_array_equal(curve(bottom)[1], film.y[: n + 1])
    assert top.get_legend().get_texts()[1].get_text() == "h[5 − k]"
    assert middle.get_xlabel() == "k (samples)" and bottom.get_xlabel() == "n (samples)"


def test_the_first_frame_shows_the_taps_before_the_flip():
    top, middle, bottom = plots.flip_and_slide([1, 2], [3, 4]).frame(0).axes
    assert_array_equal(np.round(curve(top, 2)[0]), [0, 1])
    assert top.get_legend().get_texts()[1].get_text() == "h[k], before the flip"
    assert curve(bottom)[0].size == 0


def test_the_film_is_saved_as_gif_and_html(tmp_path):
    film = plots.flip_and_slide([1, 2], [1, 1], interval=500)
    film.save(tmp_path / "film.gif", dpi=30)
    gif = Image.open(tmp_path / "film.gif")
    assert gif.n_frames == 4 and gif.info["duration"] == 500
    film.save(tmp_path / "film.html")
    text = (tmp_path / "film.html").read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>") and text.count("data:image/png;base64") == 4
    assert "http" not in text and '<i class="fa' not in text  # readable without a network
    assert sorted(p.name for p in tmp_path.iterdir()) == ["film.gif", "film.html"]
    with pytest.raises(ValueError, match="write .gif or .html"):
        film.save(tmp_path / "film.mp4")
    with pytest.raises(OSError):
        film.save(tmp_path / "nowhere" / "film.gif", dpi=30)


def test_frames_side_by_side():
    figure = plots.flip_and_slide_frames([1, 2, 3], [1, -1], outputs=[0, 1, 3])
    assert len(figure.axes) == 9
    assert [title(ax) for ax in figure.axes[3:6]] == ["y[0] = 1·1 = 1", "y[1] = 1·(−1) + 2·1 = 1", "y[3] = 3·(−1) = −3"]
    assert len(plots.flip_and_slide_frames(np.ones(9), np.ones(7)).axes) == 12
    assert "sum of 7 products" in title(plots.flip_and_slide_frames(np.ones(9), np.ones(7), [8]).axes[1])
    rendered(figure)


def test_two_dimensions_step_over_an_image():
    x, h = np.arange(1, 26).reshape(5, 5), np.array([[-1, -2, -1], [0, 0, 0], [1, 2, 1]])
    film = plots.flip_and_slide(x, h, mode="valid")
    assert len(film) == 10 and film.outputs[0] == (2, 2) and film.y[2, 2] == -40
    image, products, output = film.frame(5).axes  # output (3, 3), the fourth after frame 0 is (3, 2)
    assert title(output) == "output y[3, 3] = −40" and title(products) == "flip, multiply, add: −40"
    assert [t.get_text() for t in products.texts] == ["7·1", "8·2", "9·1", "12·0", "13·0", "14·0", "17·(−1)", "18·(−2)",
                                                      "19·(−1)"]
    assert [t.get_text() for t in image.texts] == [str(k) for k in range(1, 26)]
    assert [t.get_text() for t in output.texts] == ["−40"] * 5
    assert len(plots.flip_and_slide(x, h)) == 50
    figure = plots.flip_and_slide_frames(x, h, [(0, 0), (6, 6)])
    assert len(figure.axes) == 6 and [t.get_text() for t in figure.axes[1].texts] == ["1·(−1)"]
    assert title(film.frame(0).axes[1]) == "taps h, before the flip"
    rendered(figure)


@pytest.mark.parametrize("x, h, words", [
    ([1, 2], [[1]], "1 and 2 dimensions"), (np.ones((13, 2)), [[1]], "12 × 12"),
    (np.ones((2, 2)), np.ones((6, 1)), "5 × 5"),
    (np.ones((2, 2, 2)), np.ones((1, 1, 1)), "one or two dimensions"),
])
def test_stepping_refuses_what_no_frame_can_hold(x, h, words):
    with pytest.raises(ValueError, match=words):
        plots.flip_and_slide(x, h)


def test_valid_outputs_only():
    assert plots.flip_and_slide([1, 2, 3, 4], [1, 1, 1], mode="valid").outputs == [(2,), (3,)]
    with pytest.raises(ValueError, match="use 'full' or 'valid'"):
        plots.flip_and_slide([1], [1], mode="same")
    with pytest.raises(ValueError, match="no valid output"):
        plots.flip_and_slide([1], [1, 2], mode="valid")


@pytest.mark.parametrize("x, h, words", [
    ([], [1], "x is float64 of shape"), ([1], [1j], "h is complex128"),
    ([1, np.inf], [1], "x has NaN or infinite"), (np.ones(65), [1], "1 to 64"),
])
def test_flip_and_slide_refuses(x, h, words):
    with pytest.raises(ValueError, match=words):
        plots.flip_and_slide(x, h)


def test_flip_and_slide_refuses_outputs_and_intervals_that_do_not_exist():
    for outputs in ([], [3], [-1], list(range(2)) * 5):
        with pytest.raises(ValueError, match="one to eight of its outputs"):
            plots.flip_and_slide_frames([1, 2], [1, 1], outputs)
    with pytest.raises(ValueError, match="milliseconds per frame"):
        plots.flip_and_slide([1], [1], interval=0)


def test_panels_draw_where_they_are_told():
    from matplotlib.figure import Figure

    ax = Figure().subplots()
    assert plots.magnitude([1, 1], ax) is ax and plots.impulse([1, 1], ax) is ax
