"""Names and grammar of boundaries; what they do to the sample is in test_convolve and test_laws."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import firconv

X, H = np.arange(1.0, 8.0), np.array([1.0, -2.0, 4.0, 0.5])
PICTURES = {  # three samples beyond each end of a, b, c, d = 1, 2, 3, 4
    "zero": [0, 0, 0, 1, 2, 3, 4, 0, 0, 0], "edge": [1, 1, 1, 1, 2, 3, 4, 4, 4, 4],
    "symmetric": [3, 2, 1, 1, 2, 3, 4, 4, 3, 2], "reflect": [4, 3, 2, 1, 2, 3, 4, 3, 2, 1],
    "wrap": [2, 3, 4, 1, 2, 3, 4, 1, 2, 3], "antisymmetric": [-3, -2, -1, 1, 2, 3, 4, -4, -3, -2],
    "antireflect": [-2, -1, 0, 1, 2, 3, 4, 5, 6, 7],
}
FOREIGN = [
    ("ndimage:mirror", "reflect"), ("ndimage:reflect", "symmetric"), ("ndimage:nearest", "edge"),
    ("ndimage:wrap", "wrap"), ("ndimage:constant", "zero"), ("cv2:reflect101", "reflect"), ("cv2:reflect", "symmetric"),
    ("cv2:replicate", "edge"), ("cv2:constant", "zero"), ("torch:replicate", "edge"), ("torch:circular", "wrap"),
    ("torch:reflect", "reflect"), ("torch:zeros", "zero"), ("numpy:symmetric", "symmetric"),
]


def same(boundary, x=X, h=H, **keywords):
    return firconv.convolve(x, h, "same", boundary=boundary, **keywords)


@pytest.mark.parametrize("name", PICTURES)
def test_picture(name):
    line = firconv.convolve([1.0, 2.0, 3.0, 4.0], [1.0], (-3, 7), boundary=name)
    assert line.tolist() == PICTURES[name]


@pytest.mark.parametrize("theirs, ours", FOREIGN)
def test_other_systems_words_are_accepted_qualified(theirs, ours):
    assert_array_equal(same(theirs), same(ours))


@pytest.mark.parametrize("op", ["convolve", "plan"])
def test_bare_mirror_shows_both_pictures(op):
    with pytest.raises(ValueError, match=r"(?s)cba.abcd.dcb.*dcb.abcd.cba"):
        getattr(firconv, op)(X, H, boundary="mirror")


@pytest.mark.parametrize("name", ["nearest", "circular", "reflect101", "cv2:mirror", "nowhere:edge", "Zero?"])
def test_unknown_words_are_refused_by_value(name):
    with pytest.raises(ValueError, match=f"boundary.*{name.split(':')[0].strip('?')}"):
        same(name)


@pytest.mark.parametrize("value", [3, 2.5, ["edge", "wrap"], ("edge", "wrap", "zero"), [], None, ("constant", "x")])
def test_malformed_values_are_refused(value):
    with pytest.raises((ValueError, TypeError), match="boundary"):
        same(value)


def test_pair_is_low_and_high_end():
    both = same(("edge", "wrap"))
    assert_array_equal(both[:3], same("edge")[:3])
    assert_array_equal(both[-3:], same("wrap")[-3:])


def test_list_follows_axes():
    image = np.arange(30.0).reshape(5, 6)
    taps = np.ones((3, 2))
    by_position = same(["edge", "wrap"], image, taps, axes=(0, 1))
    assert_array_equal(by_position, same(["wrap", "edge"], image, taps.T, axes=(1, 0)))


def test_constant_is_one_rule_and_a_pair_may_hold_two():
    assert_array_equal(same(("constant", 0.0)), same("zero"))
    both = same((("constant", 1.0), ("constant", 2.0)))
    assert_array_equal(both[:3], same(("constant", 1.0))[:3])
    assert_array_equal(both[-3:], same(("constant", 2.0))[-3:])
    assert_array_equal(same((("constant", 1.0), "edge"))[-3:], same("edge")[-3:])


@pytest.mark.parametrize("name", ["edge", "symmetric", "reflect", "wrap", "antisymmetric", "antireflect"])
def test_valid_reads_nothing_beyond_the_signal(name):
    assert_array_equal(firconv.convolve(X, H, "valid", boundary=name), firconv.convolve(X, H, "valid"))


@pytest.mark.parametrize("method", ["reference", "direct", "fft", "overlap_save", "auto"])
def test_omit_needs_taps_with_a_sum(method):
    with pytest.raises(ValueError, match="omit"):
        firconv.convolve(X, [1.0, -1.0], "same", method, boundary="omit")
    with pytest.raises(ValueError, match="omit"):  # the whole sum is fine, the part inside at the end is not
        firconv.plan(X, [1.0, -1.0, 3.0], "same", method, boundary="omit", origin=0)


def test_omit_gives_float_for_integers_and_keeps_nan():
    assert same("omit", np.arange(5), [1, 2, 1]).dtype == np.float64
    x = np.array([1.0, np.nan, 1.0, 1.0, 1.0])
    assert_array_equal(np.isnan(same("omit", x, np.ones(3))), [True, True, True, False, False])


def test_corners_follow_pad():
    image, taps = np.arange(1.0, 7.0).reshape(2, 3), np.array([[1.0, 2, 3], [4, 5, 6], [7, 8, 9]])
    rules = [("constant", 2.0), ("constant", -3.0)]
    padded = np.pad(np.pad(image, [(1, 1), (0, 0)], constant_values=2.0), [(0, 0), (1, 1)], constant_values=-3.0)
    assert_array_equal(same(rules, image, taps), firconv.convolve(padded, taps, "valid"))
