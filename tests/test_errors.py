"""Every error of the engine: its type, and a message that names the call, the value, and what to do instead.

The last test reads the sources: a raise that no case below (or in the modules that it names) provokes turns it red.
"""

import ast
import re
import threading
from pathlib import Path

import numpy as np
import pytest

import firconv
from firconv import boundary, nn, signal

X, H, IMAGE = np.arange(9.0), np.array([1.0, 2.0, 1.0]), np.ones((6, 7))
NONE = np.zeros(0)
HOUSE = Path(firconv.__file__).parent
ENGINE = ["describe", "boundary", "convolution", "deliver", "planner", "streaming", "lags", "threads", "omit", "signal"]


def convolve(x=X, h=H, *args, **keywords):
    return lambda: firconv.convolve(x, h, *args, **keywords)


def plan(x=X, h=H, *args, **keywords):
    return lambda: firconv.plan(x, h, *args, **keywords)


def stream(*blocks, flush=0, **keywords):
    def call():
        it = firconv.plan(((9,), float), H, **keywords).stream()
        for block in blocks:
            it.push(block)
        for _ in range(flush):
            it.flush()
        return it

    return call


def read_only():
    out = np.empty(11)
    out.flags.writeable = False
    return out


class Sparse:
    """What scipy's sparse matrices look like from outside."""

    def todense(self):
        raise AssertionError("never called")


def with_environment(text):
    def call():
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("FIRCONV_WORKERS", text)
            firconv.convolve(X, H, "same", boundary="edge")

    return call


CASES = {
    # mode
    "mode word": (convolve(X, H, "middle"), ValueError, r"convolve\(x, h\).*mode='middle'.*'full', 'same', 'valid'"),
    "mode number": (convolve(X, H, 3), ValueError, r"mode=3 is unknown"),
    "mode of correlate": (lambda: firconv.correlate(X, H, "fu"), ValueError, r"correlate\(x, h\).*mode='fu'"),
    "mode of plan": (plan(X, H, "fu"), ValueError, r"mode='fu'"),
    "mode list": (convolve(IMAGE, IMAGE, ["full"]), ValueError, r"mode=\['full'\] has 1 entries for 2 filtered axes"),
    "empty window": (convolve(X, H, (3, 3)), ValueError, r"mode=\(3, 3\).*empty window.*start < stop"),
    "window of floats": (convolve(X, H, (0.5, 3)), ValueError, r"mode=\(0.5, 3\)"),
    "valid too long": (convolve(X, H, "valid", dilation=9), ValueError, r"valid.*19 samples.*9;.*'same' or 'full'"),
    "valid mixed lengths": (convolve(np.ones((2, 9)), np.ones((3, 3)), "valid"), ValueError, "cover 3 .* has 2"),
    "valid longer, boundary": (convolve(H, X, "valid", boundary="wrap"), ValueError, "cover 9 .* has 3"),
    # operands
    "empty signal": (convolve(NONE, H), ValueError, r"convolve\(x, h\): x is empty \(shape \(0,\)\)"),
    "empty taps": (convolve(X, []), ValueError, r"h is empty"),
    "masked": (convolve(np.ma.masked_array(X, X > 3)), TypeError, r"x is a masked array.*filled"),
    "masked taps": (convolve(X, np.ma.masked_array(H)), TypeError, r"h is a masked array"),
    "system": (convolve(h=firconv.FIR([1, 2])), TypeError, r"h is a system \(FIR\), not an array: filter by h\(x\)"),
    "object": (convolve(np.array([1, None])), TypeError, r"x has dtype object"),
    "strings": (convolve(np.array(["a", "b"])), TypeError, r"x has dtype <U1.*convert"),
    "string": (convolve("signal"), TypeError, r"dtype <U6"),
    "dates": (convolve(np.array(["2020-01-01"], "M8[D]")), TypeError, r"datetime64"),
    "ragged": (convolve([[1, 2], [3]]), ValueError, r"x=\[\[1, 2\], \[3\]\] is no array"),
    "sparse": (convolve(Sparse()), TypeError, r"sparse Sparse.*toarray"),
    "none": (convolve(None), TypeError, r"x has dtype object"),
    # axes
    "mismatched dims": (convolve(IMAGE, H), ValueError, r"x has 2 dimensions and h has 1.*axes="),
    "more dims than x": (convolve(X, IMAGE), ValueError, r"x has 1 dimensions and h has 2"),
    "axes out of range": (convolve(IMAGE, H, axes=2), ValueError, r"axes=2 out of range.*2 dimensions"),
    "axes twice": (convolve(IMAGE, IMAGE, axes=(0, -2)), ValueError, r"axes=\(0, -2\).*only once"),
    "axes of floats": (convolve(IMAGE, H, axes=0.5), TypeError, r"axes=0.5 is not an int"),
    "axes and taps": (convolve(np.ones((3, 4, 5)), IMAGE, axes=1), ValueError, r"h has 2 dimensions.*axes=1.*1.*or 3"),
    "no broadcast": (convolve(np.ones((3, 9)), np.ones((2, 3)), axes=1), ValueError, r"length 3 and h has 2 along.*0"),
    # steps and origin
    "down 0": (convolve(down=0), ValueError, r"down=0 must be at least 1"),
    "up -1": (convolve(up=-1), ValueError, r"up=-1 must be at least 1"),
    "dilation 1.5": (convolve(dilation=1.5), TypeError, r"dilation=1.5 is not an int"),
    "down list": (convolve(down=(1, 2)), ValueError, r"down=\(1, 2\) has 2 entries for 1"),
    "origin word": (convolve(origin="centre"), ValueError, r"origin='centre' is unknown.*scipy2d.*causal"),
    "origin 0.5": (convolve(origin=0.5), TypeError, r"origin=0.5 is not an int"),
    "origin list": (convolve(origin=[1, 2]), ValueError, r"origin=\[1, 2\] has 2 entries"),
    # numbers beyond all machines: refused at once
    "result beyond all addresses": (convolve(up=2**42), ValueError,
                                    r"^convolve\(x, h\): the result would have \d+ samples and take 2.8e\+14 bytes"),
    "window beyond all addresses": (convolve(X, H, (0, 2**50)), ValueError, r"the result would have 1125899906842624"),
    "plane beyond all addresses": (convolve(IMAGE, IMAGE, up=2**25), ValueError, r"the result would have \d+ samples"),
    "reads beyond all addresses": (convolve(X, H, "same", dilation=2**50), ValueError, r"read over \d+ samples of 8"),
    "too many phases": (convolve(up=2**30), ValueError, r"make 1073741824 different outputs.*use a smaller up"),
    "origin beyond indices": (convolve(X, H, "same", origin=2**70), ValueError, r"a step or a position of \d+ exceeds"),
    "down beyond indices": (convolve(down=2**70), ValueError, r"a step or a position of \d+ exceeds"),
    "shape beyond addresses": (plan(((2**55,), float)), ValueError, r"^convolve.*the result would have \d+ samples"),
    "shape of no array": (plan(((2**62,), float)), ValueError, r"^convolve.*no array of x has the shape \(461"),
    "negative shape": (plan(((-2,), float)), ValueError, r"^convolve\(x, h\): no array of x has the shape \(-2,\)"),
    # boundary
    "mirror": (convolve(boundary="mirror"), ValueError, r"cba\|abcd\|dcb.*dcb\|abcd\|cba"),
    "mirror at one end": (convolve(boundary=("edge", "mirror")), ValueError, r"cba\|abcd\|dcb.*dcb\|abcd\|cba"),
    "unknown boundary": (convolve(boundary="nearest"), ValueError,
                         r"^convolve\(x, h\): boundary='nearest' is unknown.*ndimage:nearest"),
    "unknown system": (convolve(boundary="jax:edge"), ValueError, r"'jax:edge'.*no system 'jax'.*ndimage"),
    "unknown word": (convolve(boundary="cv2:mirror"), ValueError, r"cv2 has no boundary 'mirror'; it has .*reflect101"),
    "boundary number": (convolve(boundary=3), ValueError, r"^convolve\(x, h\): boundary=3 is not a rule.*constant"),
    "boundary list": (convolve(boundary=["edge", "wrap"]), ValueError, r"has 2 entries for 1 filtered axes"),
    "omit zero sum": (convolve(X, [1.0, -1.0], "same", boundary="omit"), ValueError, r"omit.*sum.*zero"),
    "omit zero inside": (plan(X, [1.0, -1.0, 3.0], "same", boundary="omit", origin=0), ValueError, r"omit.*inside"),
    "affine matrix": (lambda: boundary.matrix(boundary.parse(("constant", 2.0), 1, "matrix")[0], 9, -2, 11), ValueError,
                      r"affine, not linear.*'zero'"),
    # method, rtol, op
    "method": (convolve(X, H, "full", "magic"), ValueError, r"method='magic' is unknown.*overlap_save"),
    "not separable": (convolve(IMAGE, np.eye(3), method="separable"), ValueError, r"separable.*rank 1.*'auto'"),
    "separable line": (convolve(method="separable"), ValueError, r"method='separable'"),
    "fft of inf taps": (convolve(X, [1.0, np.inf], method="fft"), ValueError, r"method='fft'.*NaN or Inf.*'direct'"),
    "fft of long doubles": (convolve(X.astype("g"), method="fft"), ValueError, r"method='fft'.*long doubles"),
    "rtol 0": (convolve(rtol=0), ValueError, r"rtol=0 must be a positive number"),
    "rtol by fft": (convolve(method="fft", rtol=1e-6), ValueError, r"rtol=1e-06.*method='fft'.*'auto' or 'direct'"),
    "rtol beyond": (convolve(rtol=1e-30), ValueError,
                   r"rtol=1e-30 cannot be reached.*float64.*smallest possible is \d"),
    "rtol beyond long double": (convolve(X.astype("g"), rtol=1e-30), ValueError, r"smallest possible here is \d"),
    "op": (plan(op="deconvolve"), ValueError, r"plan\(x, h\): op='deconvolve' is unknown.*'correlate'"),
    "unknown keyword": (convolve(stride=2), TypeError, r"stride"),
    "positional boundary": (lambda: firconv.convolve(X, H, "full", "auto", "wrap"), TypeError, r"positional"),
    # dtype, out, workers
    "no dtype": (convolve(dtype="float23"), TypeError, r"dtype='float23' is no NumPy dtype"),
    "text dtype": (convolve(dtype="S3"), TypeError, r"dtype='S3' holds no sums"),
    "complex lost": (convolve(X * 1j, dtype=float), TypeError, r"complex result.*\.real or \.imag"),
    "NaN to int": (convolve(X * np.nan, dtype="int8"), ValueError, r"NaN.*int8.*dtype="),
    "out shape": (convolve(out=np.empty(9)), ValueError, r"out has shape \(9,\), the result has \(11,\)"),
    "out dtype": (convolve(X * 1j, out=np.empty(11)), TypeError, r"out has dtype float64.*complex128.*same-kind"),
    "out read-only": (convolve(out=read_only()), ValueError, r"out is read-only"),
    "overflow": (convolve([2**62], [4]), OverflowError, r"convolve\(x, h\).*int64.*never wrapped.*float64"),
    "unsigned overflow": (convolve(np.array([2**63], "u8"), np.array([2], "u8")), OverflowError, r"uint64"),
    "workers 0": (convolve(workers=0), ValueError, r"workers=0 must be at least 1"),
    "workers 1.5": (convolve(workers=1.5), TypeError, r"workers=1.5 is not an int"),
    "set_workers": (lambda: firconv.set_workers(-1), ValueError, r"set_workers: workers=-1"),
    "environment": (with_environment("all"), ValueError, r"FIRCONV_WORKERS='all'.*unset"),
    # plans and streams
    "plan of another shape": (lambda: plan()()(X[:-1]), ValueError, r"shape \(8,\).*this plan is for shape \(9,\)"),
    "plan of another dtype": (lambda: plan()()(X.astype("f4")), ValueError, r"float32.*float64.*cast x"),
    "stream of an image": (lambda: plan(IMAGE, IMAGE)().stream(), ValueError, r"filters 2 axes.*axes="),
    "stream with wrap": (stream(boundary="wrap"), ValueError, r"'wrap' needs the other end"),
    "stream by fft": (stream(method="fft"), ValueError, r"method='fft' needs the whole signal.*overlap_save"),
    "stream of a swap": (lambda: plan(H, X, "valid")().stream(), ValueError,
                        r"'valid' was planned for 3 samples and 9"),
    "push another type": (stream(np.ones(3, "f4")), ValueError, r"block has shape \(3,\) and dtype float32.*float64"),
    "push after flush": (lambda: pushed_after_flush(), ValueError, r"push\(block\): the stream was flushed"),
    "flush twice": (stream(X, flush=2), ValueError, r"flush\(\): the stream has ended.*plan\.stream"),
    "flush of nothing": (stream(flush=1), ValueError, r"no samples were pushed"),
    # lags and the drop-in
    "lags mode": (lambda: firconv.correlation_lags(3, 4, "mid"), ValueError, r"mode='mid' is unknown.*'valid'"),
    "lags length": (lambda: firconv.correlation_lags(0, 4), ValueError, r"lengths 0 and 4 must be at least 1"),
    "signal name": (lambda: signal.no_such_filter, AttributeError, r"neither .* has 'no_such_filter'"),
    "signal mode": (lambda: signal.convolve(X, H, "mid"), ValueError, r"mode flags are 'valid', 'same', or 'full'"),
    "signal method": (lambda: signal.convolve(X, H, method="oa"), ValueError, r"method flags are 'auto'"),
    "signal rank": (lambda: signal.convolve(X, IMAGE), ValueError, r"same dimensionality"),
    "signal valid": (lambda: signal.convolve(IMAGE, np.ones((7, 6)), "valid"), ValueError, r"every dimension"),
    "signal shapes": (lambda: signal.fftconvolve(IMAGE, np.ones((5, 7)), axes=1), ValueError, r"incompatible shapes"),
    "signal no axes": (lambda: signal.fftconvolve(X, H, axes=[]), ValueError, r"axes cannot be empty"),
    "signal float axes": (lambda: signal.fftconvolve(X, H, axes=[0.5]), ValueError, r"iterable of integers"),
    "signal far axes": (lambda: signal.fftconvolve(X, H, axes=[1]), ValueError, r"exceeds dimensionality"),
    "signal axes twice": (lambda: signal.fftconvolve(X, H, axes=[0, -1]), ValueError, r"axes must be unique"),
    "signal 2-D": (lambda: signal.convolve2d(X, H), ValueError, r"convolve2d inputs must both be 2-D"),
    "signal boundary": (lambda: signal.convolve2d(IMAGE, IMAGE, boundary="no"), ValueError,
                       r"boundary flags are 'fill'"),
    "signal fill": (lambda: signal.convolve2d(IMAGE, IMAGE, fillvalue=[1, 2]), ValueError,
                   r"`fillvalue` must be scalar"),
    "signal complex fill": (lambda: signal.convolve2d(IMAGE, IMAGE, fillvalue=1j), ValueError,
                           r"could not cast `fillvalue`"),
    "signal zi rank": (lambda: signal.lfilter(H, 1, X, zi=[[1.0, 2.0]]), ValueError,
                      r"dimensions of x and zi must match"),
    "signal zi shape": (lambda: signal.lfilter(H, 1, X, zi=[1.0]), ValueError,
                       r"Unexpected shape for zi: expected \(2,\)"),
}


def pushed_after_flush():
    it = stream(X, flush=1)()
    it.push(X)


@pytest.fixture(autouse=True)
def default_workers():
    yield
    firconv.set_workers(None)


@pytest.mark.parametrize("name", CASES)
def test_message(name):
    call, kind, pattern = CASES[name]
    with pytest.raises(kind, match=f"(?s){pattern}") as caught:
        call()
    assert type(caught.value) in (ValueError, TypeError, OverflowError, AttributeError)
    assert caught.value.__cause__ is None or name == "ragged"


@pytest.mark.parametrize("name", ["mode word", "down 0", "axes out of range", "method", "dtype", "overflow"])
def test_correlate_and_plan_speak_of_themselves(name):
    if name in CASES:
        with pytest.raises((ValueError, TypeError, OverflowError), match=r"^convolve\(x, h\)"):
            CASES[name][0]()
    with pytest.raises(ValueError, match=r"^correlate\(x, h\)"):
        firconv.correlate(X, H, down=0)


def test_errors_leave_no_trace():
    """A refused call changes nothing for the next one, in this thread or another."""
    for call, kind, _ in CASES.values():
        with pytest.raises(kind):
            call()
    results = []
    thread = threading.Thread(target=lambda: results.append(firconv.convolve(X, H)))
    thread.start()
    thread.join()
    np.testing.assert_array_equal(results[0], np.convolve(X, H))


@pytest.mark.parametrize(("right", "wrong"), [
    ({"down": 2}, {"down": 2.0}), ({"up": 3}, {"up": 3.0}), ({"dilation": (2,)}, {"dilation": (2.0,)}),
    ({"origin": 1}, {"origin": 1.0}), ({"axes": 0}, {"axes": 0.0}), ({"mode": (0, 5)}, {"mode": (0, 5.0)}),
    ({"rtol": 0.5}, {"rtol": np.float32(0.5)}),
])  # fmt: skip
def test_a_refusal_does_not_depend_on_earlier_calls(right, wrong):
    """Python calls 2 and 2.0 equal: what was remembered for one is not found for the other."""
    for function in (firconv.convolve, firconv.correlate, firconv.plan):
        for _ in range(2):
            with pytest.raises((TypeError, ValueError), match=r"^(convolve|correlate)\(x, h\): "):
                function(X, H, **wrong)
            function(X, H, **right)


def test_without_room_the_call_is_named(monkeypatch):
    """What lies between a machine's memory and all addresses is NumPy's to refuse; the call and the advice are ours."""
    def full(*args):
        raise MemoryError("Unable to allocate 64.0 TiB for an array with shape (8796093022272,)")

    monkeypatch.setattr("firconv.deliver.target", full)
    monkeypatch.setattr("firconv.nn.plans.LayerPlan.run", full)
    x, w = X[None, None], H[None, None]
    calls = {"convolve": convolve(X, H, down=2), "correlate": lambda: firconv.correlate(X, H, down=2),
             "conv": lambda: nn.conv(x, w), "conv_transpose": lambda: nn.conv_transpose(x, w),
             "conv_input_gradient": lambda: nn.conv_input_gradient(x[..., 2:], w, x.shape)}  # fmt: skip
    calls["convolve "], calls["conv "] = lambda: firconv.plan(X, H)(X), lambda: nn.plan(x, w)(x)
    for name, call in calls.items():
        with pytest.raises(MemoryError, match=rf"^{name.strip()}\(\w+, .*\): Unable to .*: ask for fewer outputs"):
            call()


def test_far_but_countable_calls_are_served():
    assert firconv.convolve(X, H, (2**50, 2**50 + 4)).tolist() == [0] * 4
    np.testing.assert_array_equal(firconv.convolve(X, H, up=2**40, down=2**40), H[0] * X)


# ---- every raise has a case ----------------------------------------------------------------------------------------


def raised(module):
    """(line, pattern of the message) of every raise in a module of the engine."""
    for node in ast.walk(ast.parse((HOUSE / f"{module}.py").read_text())):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            yield node.lineno, pattern_of(node.exc.args[0])


def pattern_of(message):
    """The constant parts of an f-string, with anything between them."""
    if isinstance(message, ast.Constant):
        return re.escape(message.value)
    if isinstance(message, ast.JoinedStr):
        return ".*".join(re.escape(part.value) if isinstance(part, ast.Constant) else "" for part in message.values)
    return ".*"


@pytest.fixture(scope="module")
def messages():
    texts = []
    for call, _, _ in CASES.values():
        try:
            call()
        except Exception as error:  # noqa: BLE001 - whatever it is, its text counts
            texts.append(str(error))
    return texts


@pytest.mark.parametrize("module", ENGINE)
def test_every_raise_is_provoked(module, messages):
    untested = [line for line, pattern in raised(module)
                if not any(re.search(pattern, text, re.DOTALL) for text in messages)]
    assert not untested, f"firconv/{module}.py: no test provokes the errors of lines {untested}"
