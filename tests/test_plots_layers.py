"""Figures of layers: what is drawn, and the labels with their units."""

import io

import matplotlib
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from firconv import nn, plots
from firconv.plots.style import new_figure

SOBEL = np.array([[1.0, 0, -1], [2, 0, -2], [1, 0, -1]])
EDGES = nn.Conv(np.stack([SOBEL, SOBEL.T, np.full((3, 3), 1 / 9)])[:, None], padding=1)
MIXED = nn.Conv(np.random.default_rng(0).standard_normal((4, 3, 5)), padding=2)


@pytest.fixture(autouse=True)
def untouched():
    before = dict(matplotlib.rcParams)
    yield
    assert dict(matplotlib.rcParams) == before


def rendered(figure):
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=30)
    return file.getvalue()


def test_the_bank_of_an_image_layer_shows_weights_and_responses_on_shared_scales():
    figure = plots.layer_bank(EDGES)
    pictures = [ax.images[0] for ax in figure.axes if ax.images]
    weights, planes = pictures[:3], pictures[3:6]
    assert [ax.get_title() for ax in figure.axes[:3]] == ["0 → 0", "0 → 1", "0 → 2"]
    for o in range(3):
        assert_array_equal(weights[o].get_array(), EDGES.w[o, 0])
        f = np.linspace(-0.5, 0.5, 65)
        assert_allclose(planes[o].get_array(), np.abs(EDGES.frequency_response((f, f))[1][o, 0]))
    assert {p.get_clim() for p in weights} == {(-2, 2)} and len({p.get_clim() for p in planes}) == 1
    assert "CONV3-3" in figure.get_suptitle()
    labels = [ax.get_ylabel() for ax in figure.axes]
    assert "weight (− marks negative)" in labels and "down (cycles/sample)" in labels
    minus = sum(len(line.get_xdata()) for line in figure.axes[0].lines)
    assert minus == (SOBEL < 0).sum()  # without colour, too
    rendered(figure)


def test_the_bank_of_a_signal_layer_shows_stems_and_lines():
    figure = plots.layer_bank(MIXED, [(0, 1), (3, 2)])
    stems, line = figure.axes[0].lines[0], figure.axes[2].lines[0]
    assert_array_equal(stems.get_xdata(), [-2, -1, 0, 1, 2])
    assert_array_equal(stems.get_ydata(), MIXED.w[0, 1])
    assert_allclose(line.get_ydata(), np.abs(MIXED.frequency_response(line.get_xdata())[1][0, 1]))
    assert figure.axes[0].get_title() == "1 → 0" and figure.axes[1].get_title() == "2 → 3"
    assert figure.axes[2].get_xlabel() == "frequency\n(cycles/sample)" and figure.axes[0].get_ylabel() == "weight"
    rendered(figure)


def test_the_bank_of_many_channels_shows_the_strongest_input_of_each():
    layer = nn.Conv(np.random.default_rng(0).standard_normal((20, 4, 3, 3)), groups=2, dilation=2)
    figure = plots.layer_bank(layer)
    titles = [ax.get_title() for ax in figure.axes if ax.get_title()]
    assert len(titles) == 12
    i, o = map(int, titles[11].split(" → "))
    assert o == 11 and i == 4 + int((layer.w[11] ** 2).sum((1, 2)).argmax())


@pytest.mark.parametrize("draw, words", [
    (lambda: plots.layer_bank(nn.Conv(np.ones((1, 1, 1, 1, 1)))), "weights in 3 dimensions"),
    (lambda: plots.layer_bank(nn.Conv(np.ones((1, 1, 3)) * 1j)), "complex128 weights"),
    (lambda: plots.layer_bank(MIXED, []), "nothing to draw"),
    (lambda: plots.layer_gain(nn.Conv(np.ones((1, 1, 1, 1, 1)))), "3 spatial axes"),
    (lambda: plots.field_growth({"none": [nn.GlobalAvgPool()]}), "none has no layer with a map"),
])
def test_figures_refuse(draw, words):
    with pytest.raises(ValueError, match=words):
        draw()


def test_the_gain_is_the_largest_singular_value_of_the_response():
    layer = nn.Conv(np.random.default_rng(1).standard_normal((5, 4, 3, 3)), padding=1)
    ax = plots.layer_gain(layer, n=9)
    f = np.linspace(-0.5, 0.5, 9)
    H = np.moveaxis(layer.frequency_response((f, f))[1], (0, 1), (2, 3))
    gain = np.linalg.svd(H, compute_uv=False)[..., 0]
    assert_allclose(ax.images[0].get_array(), gain, rtol=1e-12)
    assert ax.get_xlabel() == "frequency across (cycles/sample)"
    assert ax.get_legend().get_texts()[0].get_text() == f"peak {gain.max():.4g}"
    at = ax.lines[-1].get_xydata()[0]
    assert gain[list(f).index(at[1]), list(f).index(at[0])] == pytest.approx(gain.max())
    rendered(ax.figure)


def test_the_gain_of_a_signal_layer_is_a_line():
    ax = plots.layer_gain(MIXED)
    f, gain = ax.lines[0].get_data()
    assert gain.max() <= MIXED.lipschitz() <= 1.01 * gain.max() * (1 + 1e-3)
    assert f[0] == -0.5 and ax.get_xlabel() == "frequency (cycles/sample)"
    assert ax.get_ylabel() == "largest singular value"


def test_growth_of_fields_and_of_their_energy():
    nets = {"three": [nn.Window(3)] * 4, "strides": [nn.Window(3, 2), nn.Add([nn.Window(3, padding=1)], [])]}
    ax = plots.field_growth(nets)
    assert_array_equal(ax.lines[0].get_ydata(), [1, 3, 5, 7, 9])
    assert_allclose(ax.lines[1].get_ydata(), 4 * np.sqrt(np.arange(1, 5) * 8 / 12))
    assert_array_equal(ax.lines[2].get_ydata(), [1, 3, 7])
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts[0] == "three: 9" and texts[1].startswith("4σ of its energy")
    assert ax.get_ylabel() == "receptive field (samples)" and ax.get_yscale() == "log"
    assert len({(line.get_marker(), line.get_linestyle()) for line in ax.lines}) == 4
    rendered(ax.figure)


def test_aliasing_without_and_with_a_filter():
    ax = new_figure(5, 4).subplots()
    assert plots.layer_aliasing(EDGES, 2, ax, blur=5, n=16) is ax
    fold = EDGES.aliasing(2, blur=5, n=16)
    f, before = ax.lines[0].get_data()
    assert_allclose(f, fold.f[1][8:])
    assert_allclose(before, 100 * (fold.folded.sum(0) / (fold.wanted + fold.folded).sum(0))[8:])
    after = fold.blurred_folded.sum(0) / (fold.blurred_wanted + fold.blurred_folded).sum(0)
    assert_allclose(ax.lines[1].get_ydata(), 100 * after[8:])
    assert ax.get_ylabel() == "aliased share of the energy (%)" and "cycles/sample" in ax.get_xlabel()
    assert ax.lines[0].get_linestyle() != ax.lines[1].get_linestyle()
    rendered(ax.figure)
