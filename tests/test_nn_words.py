"""The words of layers: lengths and padding, and an error for whatever cannot mean anything."""

import numpy as np
import pytest

from firconv import nn

X, W = np.ones((2, 4, 9, 8)), np.ones((6, 2, 3, 3))
LINE, TAPS = np.ones((1, 1, 12), np.float32), np.ones((1, 1, 3), np.float32)


def lengths(padding, **words):
    return nn.conv(X, W, groups=2, padding=padding, **words).shape[2:]


def test_padding_words():
    assert lengths("valid") == lengths(0) == (7, 6)
    assert lengths(1) == lengths((1, 1)) == lengths(((1, 1), (1, 1))) == lengths([[1, 1], (1, 1)]) == (9, 8)
    assert lengths((0, 2)) == (7, 10)
    assert lengths(np.array([2, 1])) == (11, 8)
    for word in ("same", "same_lower", "causal"):
        for stride in (1, 2, 3, (2, 5)):
            for dilation in (1, 2, (3, 1)):
                s = np.broadcast_to(stride, 2)
                assert lengths(word, stride=stride, dilation=dilation) == tuple(-(-np.array([9, 8]) // s))


def test_the_odd_sample_of_padding_goes_where_the_word_says():
    x, w = np.arange(1.0, 5).reshape(1, 1, 4), np.array([[[1.0, 10.0]]])
    assert nn.conv(x, w, padding="same").ravel().tolist() == [21, 32, 43, 4]
    assert nn.conv(x, w, padding="same_lower").ravel().tolist() == [10, 21, 32, 43]
    assert nn.conv(x, w, padding="causal").ravel().tolist() == [10, 21, 32, 43]
    assert nn.conv(x, w, padding=((1, 0),)).ravel().tolist() == [10, 21, 32, 43]
    assert nn.conv(x, w, padding=(0, 1)).ravel().tolist() == [21, 32, 43, 4]


def test_causal_outputs_read_no_later_sample():
    rng = np.random.default_rng(1)
    x, w = rng.standard_normal((1, 2, 20)), rng.standard_normal((3, 2, 4))
    later = x.copy()
    later[..., 11:] = 99
    y, z = (nn.conv(v, w, padding="causal", dilation=2) for v in (x, later))
    assert np.array_equal(y[..., :11], z[..., :11]) and not np.array_equal(y[..., 11], z[..., 11])


def test_transposed_lengths():
    x, w = np.ones((1, 2, 5)), np.ones((2, 3, 4))

    def length(**words):
        return nn.conv_transpose(x, w, **words).shape[2]

    assert length() == 8 and length(stride=3) == 16 and length(stride=3, output_padding=2) == 18
    assert length(stride=3, output_shape=17) == 17 == length(stride=3, output_shape=(1, 3, 17))
    assert [length(stride=s, padding=p) for s in (1, 2, 3, 6) for p in ("same", "same_lower", "causal")] == [
        5, 5, 5, 10, 10, 10, 15, 15, 15, 30, 30, 30]  # fmt: skip
    assert length(stride=2, padding="same", output_shape=9) == 9
    assert length(dilation=3, output_padding=2) == 16


def test_transposed_outputs_of_every_padding_word_are_the_adjoint():
    rng = np.random.default_rng(2)
    w = rng.standard_normal((2, 3, 4))
    for word in ("same", "same_lower", "causal", "valid", 1):
        for stride in (1, 2, 3):
            v = rng.standard_normal((1, 2, 5))
            up = nn.conv_transpose(v, w, stride=stride, padding=word)
            u = rng.standard_normal(up.shape)
            down = nn.conv(u, w, stride=stride, padding=word)
            assert down.shape == v.shape, (word, stride)
            assert np.isclose(np.vdot(down, v), np.vdot(u, up), rtol=1e-12), (word, stride)


def call(op="conv", x=X, w=W, **words):
    return lambda: getattr(nn, op)(x, w, **{"groups": 2, **words})


BAD = [
    (call(groups=3), ValueError, r"conv\(x, w\): 4 input channels do not divide into groups=3: groups may be 1, 2, 4"),
    (call(w=np.ones((5, 2, 3, 3))), ValueError, r"5 output channels \(w.shape\[0\]\) do not divide.*may be 1, 5"),
    (call(groups=1), ValueError, "x has 4 channels and w takes 2 per group in groups=1, 2 in all: give x 2 channels"),
    (call(groups=0), ValueError, "groups=0 must be at least 1"),
    (call(groups=1.5), TypeError, "groups=1.5 is not an int"),
    (call(w=np.ones((6, 2, 10, 3))), ValueError,
     r"along spatial axis 0: it spans 10 samples \(10 taps, dilation 1\), the input has 9 \+ padding 0 \+ 0 = 9"),
    (call(dilation=(1, 5)), ValueError, "use a padding of 3 in all, or a kernel that spans at most 8"),
    (call(padding="full"), ValueError, "padding='full' is unknown: use 'valid', 'same', 'same_lower', 'causal'"),
    (call(padding=-1), ValueError, "padding=-1 must be at least 0"),
    (call(padding=(1, 2, 3)), ValueError, r"padding=\(1, 2, 3\) has 3 entries for 2 spatial axes"),
    (call(padding=((1, 2),)), ValueError, "has 1 pairs for 2 spatial axes: give one"),
    (call(padding=((1, 2), 3)), ValueError, r"padding entry 3 is no \(lo, hi\) pair"),
    (call(padding=((1, 2, 3), (1, 1))), ValueError, r"padding entry \(1, 2, 3\) is no"),
    (call(stride=0), ValueError, "stride=0 must be at least 1"),
    (call(stride="2"), TypeError, "stride='2' is not an int"),
    (call(stride={2}), TypeError, r"conv\(x, w\): stride=\{2\} is not an int"),
    (call(groups=[1]), TypeError, r"groups=\[1\] is not an int"),
    (call(boundary={2}), ValueError, r"^conv\(x, w\): boundary=\{2\} is not a rule"),
    (call(method=[]), ValueError, r"method=\[\] is unknown"),
    (call(padding=10**18), ValueError, "must be at most 2147483647: no array is so long"),
    (lambda: nn.conv_transpose(LINE, TAPS, stride=2**30), ValueError,
     r"^conv_transpose\(x, w\): .* make 1073741824 different outputs, .* 4.7e\+10 bytes: use a smaller stride"),
    (lambda: nn.conv_transpose(LINE, np.ones((1, 2**16, 1), np.float32), stride=2**30), ValueError,
     r"^conv_transpose\(x, w\): the result would have \d+ samples and take 3.1e\+15 bytes"),
    (lambda: nn.conv_input_gradient(LINE, TAPS, (1, 1, 2**31 - 1), stride=2**27), ValueError,
     r"^conv_input_gradient\(gy, w, x_shape\): .*"),
    (lambda: nn.plan(((1, 1, 2**55), "float32"), TAPS), ValueError, r"^conv\(x, w\): the result would have"),
    (lambda: nn.plan(((1, 1, 2**62), "float32"), TAPS), ValueError, r"^conv\(x, w\): no array of x has the shape"),
    (call(dilation=(1, 2, 3)), ValueError, r"dilation=\(1, 2, 3\) has 3 entries for 2 spatial axes: give one number"),
    (call(x=X[0]), ValueError, r"x has 3 dimensions.*and w has 4.*add the batch axis, x\[None\]"),
    (call(w=np.ones((6, 2, 3))), ValueError, "x has 4 dimensions.*and w has 3.*give both the same rank"),
    (call(x=np.ones((2, 4)), w=np.ones((6, 2))), ValueError, "w has shape .* 2 dimensions: a layer has at least 3"),
    (call(boundary="mirror"), ValueError, r"^conv\(x, w\): boundary='mirror' means two"),
    (call("conv_transpose", w=np.ones((4, 2, 3, 3)), boundary="torch:edge"), ValueError,
     r"^conv_transpose\(x, w\): boundary='torch:edge': torch has no boundary 'edge'"),
    (lambda: nn.conv_input_gradient(X, W, (2, 4, 9, 8), boundary="foo", groups=2), ValueError,
     r"^conv_input_gradient\(gy, w, x_shape\): boundary='foo' is unknown"),
    (lambda: nn.conv_weight_gradient(X, X, (6, 2, 3, 3), boundary="foo", groups=2), ValueError,
     r"^conv_weight_gradient\(gy, x, w_shape\): boundary='foo' is unknown"),
    (lambda: nn.Conv(W, groups=2, boundary="foo"), ValueError, r"^Conv\(w, …\): boundary='foo' is unknown"),
    (lambda: nn.Pad(2, "foo"), ValueError, r"^Pad\(…\): boundary='foo' is unknown"),
    (call(boundary=["zero"]), ValueError, r"^conv\(x, w\): .*has 1 entries for 2 filtered axes"),
    (call(bias=np.ones(4)), ValueError, r"bias has shape \(4,\), the layer has 6 output channels"),
    (call(method="gemmini"), ValueError, "method='gemmini' is unknown: use one of auto, direct"),
    (call(rtol="x"), ValueError, r"conv\(x, w\): rtol='x' must be a positive number"),
    (call(rtol=1e-40), ValueError, "rtol=1e-40 cannot be reached"),
    (call(x=np.ones((0, 4, 9, 8))), ValueError, r"conv\(x, w\): x is empty"),
    (call(w=np.ones(W.shape, object)), TypeError, r"conv\(x, w\): w has dtype object"),
    (call(x=X.astype(int), w=W.astype(int), bias=[2**64 - 1] * 6), OverflowError, "bias does not fit int64"),
    (call(x=np.full(X.shape, 2**62), w=W.astype(int)), OverflowError, "an output does not fit int64"),
    (call("conv_transpose"), ValueError, r"conv_transpose\(x, w\): x has 4 channels, w takes 6"),
    (call("conv_transpose", w=np.ones((4, 2, 3, 3)), groups=3), ValueError,
     r"groups=3.*groups divide them \(1, 2, 4\)"),
    (call("conv_transpose", w=np.ones((4, 2, 3, 3)), stride=2, output_padding=2), ValueError,
     r"output_padding=2 is too large along spatial axis 0: it must be smaller than the stride \(2\) or the dilation"),
    (call("conv_transpose", w=np.ones((4, 2, 3, 3)), stride=2, output_shape=30), ValueError,
     r"output_shape=30 does not fit along spatial axis 0: with this stride \(2\).*has 19 to 20 samples"),
    (call("conv_transpose", w=np.ones((4, 2, 3, 3)), padding=6), ValueError, r"takes 6 \+ 6 samples of 11.*at most 10"),
    (call("conv_transpose", w=np.ones((4, 2, 3, 3)), padding=1, boundary=("constant", 1)), ValueError,
     r"boundary=\('constant', 1\) is affine, not linear, and has no adjoint"),
    (lambda: nn.conv_input_gradient(X, W, (2, 4, 9, 8), groups=2), ValueError,
     r"gy has shape \(2, 4, 9, 8\), the layer's output has \(2, 6, 7, 6\)"),
    (lambda: nn.conv_input_gradient(X, W, 9), TypeError, "x_shape=9 is not a tuple of ints"),
    (lambda: nn.conv_weight_gradient(X, X, (1, 4, 0, 1)), ValueError, "w_shape=0 must be at least 1"),
    (lambda: nn.conv_weight_gradient(np.ones((1, 1, 4)), np.ones((1, 1, 4)), (1, 1, 3), padding=1, boundary="omit"),
     ValueError, "boundary='omit' divides by sums of the weights"),
    (lambda: nn.conv_weight_gradient(np.ones((1, 1, 4)), np.ones((1, 1, 4)), (1, 1, 1), method="x"),
     ValueError, "method='x' is unknown"),
    (lambda: nn.conv_bias_gradient(np.ones((2, 3))), ValueError,
     r"gy has shape \(2, 3\); a layer's output has at least"),
    (lambda: nn.plan(X, W, op="convolve"), ValueError, "op='convolve' is unknown: use 'conv' or 'conv_transpose'"),
    (lambda: nn.plan(X, W, groups=2)(X[:1]), ValueError, r"x has shape \(1, 4, 9, 8\) .*; this plan is for"),
    (lambda: nn.convolve, AttributeError, "module 'firconv.nn' has no attribute 'convolve'"),
]  # fmt: skip


@pytest.mark.parametrize(("wrong", "kind", "match"), BAD, ids=range(len(BAD)))
def test_errors_say_what_would_fit(wrong, kind, match):
    with pytest.raises(kind, match=match):
        wrong()


AFTER = {  # a call that is right, and words that Python calls equal to its own and the library does not take
    "conv stride": (lambda v: nn.conv(LINE, TAPS, stride=v), 2, 2.0, TypeError),
    "conv stride per axis": (lambda v: nn.conv(X, W, groups=2, stride=v), (2, 2), (2, 2.0), TypeError),
    "conv list of strides": (lambda v: nn.conv(X, W, groups=2, stride=v), [2, 2], [2.0, 2], TypeError),
    "conv padding pairs": (lambda v: nn.conv(LINE, TAPS, padding=v), ((1, 2),), ((1, 2.0),), TypeError),
    "conv groups": (lambda v: nn.conv(LINE, TAPS, groups=v), 1, 1.0, TypeError),
    "conv rtol": (lambda v: nn.conv(LINE, TAPS, rtol=v), 0.5, np.float32(0.5), ValueError),
    "conv_transpose output_padding":
        (lambda v: nn.conv_transpose(LINE, TAPS, stride=2, output_padding=v), 1, 1.0, TypeError),
    "plan dilation": (lambda v: nn.plan(LINE, TAPS, dilation=v), 2, 2.0, TypeError),
    "weight gradient stride": (
        lambda v: nn.conv_weight_gradient(LINE[..., :5], LINE, (1, 1, 3), stride=v), 2, 2.0, TypeError),
    "max_pool size": (lambda v: nn.max_pool(LINE, v), 2, 2.0, TypeError),
    "max_pool stride": (lambda v: nn.max_pool(LINE, 2, stride=v), (2,), (2.0,), TypeError),
    "max_pool ceil_mode": (lambda v: nn.max_pool(LINE, 2, ceil_mode=v), True, 1.0, TypeError),
}  # fmt: skip


@pytest.mark.parametrize("name", AFTER)
def test_what_is_refused_does_not_depend_on_earlier_calls(name):
    call, right, wrong, kind = AFTER[name]
    for value in (wrong, right, wrong):
        if value is right:
            call(right)
            continue
        with pytest.raises(kind, match=r"^\w+\(.*\): "):
            call(value)
