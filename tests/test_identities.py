"""The laws hold for this library, and every wrong implementation is caught by the law that names its mistake."""

import threading
import time
from dataclasses import replace
from functools import partial
from importlib.util import find_spec

import numpy as np
import pytest
from scipy import ndimage

import firconv
from firconv import identities, interop
from firconv.identities import Implementation, Value, check, extensions, law, laws, shrinking, strangers, tables, values

# ---- this library ------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """Search by tries only: the seconds of a busy machine decide nothing here."""
    monkeypatch.setattr(shrinking, "smallest", partial(shrinking.smallest, seconds=120))


@pytest.fixture(scope="module")
def report():
    return check()


def test_every_law_holds(report):
    assert report.ok, str(report)
    assert all(result.cases == 25 for result in report.results), str(report)
    assert report.seconds < 60


def test_other_types_and_seeds():
    found = check(dtypes=["uint16", "uint32", "uint64", "float16", "longdouble", "clongdouble"], trials=6, seed=3)
    assert found.ok, str(found)


def test_the_laws_of_the_list_are_there():
    names = {each.name for each in laws()}
    assert names >= {
        "commutes", "associates", "distributes", "scaling", "identity", "shift invariance", "linearity", "causality",
        "correlation is convolution", "symmetry of correlation", "convolution theorem", "circular convolution",
        "Parseval", "area", "moments", "derivative", "separable", "stride decimates", "noble identity of down",
        "noble identity of up", "dilation is stuffed taps", "transposed is adjoint", "adjoint problem",
        "gradient of the signal", "gradient of the taps", "polyphase", "overlap-save", "blocks are the whole",
        "a stream is the whole", "average pool is a box", "layer is correlation", "eigenfunction",
        "max pooling is not linear", "non-finite footprint", "exact integers"}  # fmt: skip
    rules = ("zero", "edge", "symmetric", "reflect", "wrap", "antisymmetric", "antireflect", "constant", "omit")
    assert names >= {f"boundary {rule}" for rule in rules}


@pytest.mark.parametrize("each", laws(), ids=lambda each: each.name)
def test_a_law_says_what_it_is(each):
    assert each.text and each.domain and each.latex.count("{") == each.latex.count("}")
    assert len(each.text) <= 30, "the table is 80 columns wide"
    assert "," not in each.name, "names are separated by commas on the command line"


def test_problems_vary_and_repeat(report):
    again = check(["linearity", "defining sum"], seed=0)
    assert [again["linearity"].worst, again["defining sum"].worst] == [
        report["linearity"].worst, report["defining sum"].worst]
    trials = [law("linearity").trial(identities.of(firconv), np.random.default_rng(i)) for i in range(80)]
    seen = [outcome.problem for outcome in trials if outcome is not None]
    for word, count in (("dtype", 9), ("method", 5), ("mode", 3), ("boundary", 6), ("ndim", 3)):
        assert len({problem[word] for problem in seen}) >= count, word


# ---- wrong implementations ---------------------------------------------------------------------------------------


def shifted(x, h, mode="full"):
    """Origin one too far."""
    return np.roll(firconv.convolve(x, h, mode), 1, 0) if mode == "same" else firconv.convolve(x, h, mode)


def unflipped(x, h):
    return firconv.correlate(x, h, "full")


def unconjugated(x, h):
    return firconv.correlate(x, np.conj(h))


def wrapping(x, h):
    return np.convolve(x, h)


def smearing(x, h):
    n = len(x) + len(h) - 1
    return np.fft.irfft(np.fft.rfft(x, n) * np.fft.rfft(h, n), n)


def circular(x, h):
    """An FFT without the zeros: the tail wraps onto the beginning."""
    n = max(len(x), len(h))
    y = np.fft.ifft(np.fft.fft(x, n) * np.fft.fft(h, n))
    y = y if np.iscomplexobj(x) or np.iscomplexobj(h) else y.real
    return np.concatenate([y, np.zeros(min(len(x), len(h)) - 1)])


def swapped(x, h, mode="full", boundary="zero"):
    """Half-sample and whole-sample mirrors exchanged."""
    other = {"symmetric": "reflect", "reflect": "symmetric"}
    return firconv.convolve(x, h, mode, boundary=other.get(boundary, boundary))


def clamped_wrap(x, h, mode="full", boundary="zero"):
    return firconv.convolve(x, h, mode, boundary="edge" if boundary == "wrap" else boundary)


def clipping(x, h):
    return np.clip(firconv.convolve(x, h), -50, 50)


def fading(x, h):
    y = firconv.convolve(x, h)
    return y * np.arange(1, len(y) + 1)


def anticausal(x, h):
    """A block normalised by its own mean."""
    return firconv.convolve(x - np.mean(x).astype(x.dtype), h)


def late_stride(x, h, down=1):
    return firconv.convolve(x, h)[down - 1 :: down]


def eager_stuffing(x, h, up=1):
    """A zero too many between samples."""
    return firconv.convolve(x, h, up=up + (up > 1))


def dense_dilation(x, h, dilation=1):
    return firconv.convolve(x, h)


def half_precision(x, h):
    kind = np.result_type(x, h)
    low = np.complex64 if kind.kind == "c" else np.float32
    return firconv.convolve(x.astype(low), h.astype(low)).astype(kind)


def greedy(x, h):
    y = firconv.convolve(x, h)
    x[...] = 0
    return y


def lossy_valid(x, h, mode="full"):
    y = firconv.convolve(x, h, mode)
    return y[:-1] if mode == "valid" and len(y) > 1 else y


def failing(x, h):
    if len(x) > 2 and len(h) > 2 and x.dtype.kind == "i":
        raise RuntimeError("device lost")
    return firconv.convolve(x, h)


MISTAKES = [
    (shifted, "convolve", {"identity", "defining sum", "modes are one line"}),
    (unflipped, "convolve", {"commutes", "defining sum", "layer is correlation"}),
    (unconjugated, "correlate", {"symmetry of correlation", "energy", "defining sum"}),
    (wrapping, "convolve", {"exact integers"}),
    (smearing, "convolve", {"non-finite footprint"}),
    (circular, "convolve", {"convolution theorem", "defining sum"}),
    (swapped, "convolve", {"boundary symmetric", "boundary reflect"}),
    (clamped_wrap, "convolve", {"boundary wrap", "circular convolution", "shift invariance"}),
    (clipping, "convolve", {"linearity", "scaling", "distributes"}),
    (fading, "convolve", {"shift invariance", "associates"}),
    (anticausal, "convolve", {"causality"}),
    (late_stride, "convolve", {"stride decimates"}),
    (eager_stuffing, "convolve", {"up is zero-stuffing"}),
    (dense_dilation, "convolve", {"dilation is stuffed taps"}),
    (half_precision, "convolve", {"defining sum"}),
    (greedy, "convolve", {"arguments stay"}),
    (lossy_valid, "convolve", {"modes are one line", "overlap-save"}),
    (failing, "convolve", {"defining sum"}),
]


@pytest.mark.parametrize("wrong, op, names", MISTAKES, ids=[row[0].__name__ for row in MISTAKES])
def test_mistakes_are_caught_by_name(wrong, op, names):
    found = check(names, identities.of(wrong, op))
    assert {result.law.name for result in found.failures} == names, str(found)
    for result in found.failures:
        sizes = [v.size for v in result.failure.problem.values() if isinstance(v, np.ndarray)]
        assert max(sizes) <= 8, str(found)
        assert result.failure.error > 1


def test_conjugation_is_caught_where_both_operations_are_given():
    class Wrong:
        convolve = staticmethod(firconv.convolve)

        @staticmethod
        def correlate(x, h, mode="full"):
            return firconv.correlate(x, np.conj(h), mode)

    found = check(["correlation is convolution", "commutes"], Wrong)
    assert not found["correlation is convolution"].failure.holds and found["commutes"].verdict == "holds"


@pytest.mark.parametrize("name", ["adjoint problem", "gradient of the signal", "gradient of the taps", "polyphase",
                                  "transposed is adjoint", "average pool is a box", "boundaries per end"])
def test_a_wrong_step_breaks_the_laws_of_layers(name):
    def convolve(x, h, mode="full", **words):
        words = {word: value for word, value in words.items() if word != "method"}
        y = firconv.convolve(x, h, mode, **words)
        return y + 1 if y.size > 2 else y

    def correlate(x, h, mode="full", **words):
        words = {word: value for word, value in words.items() if word != "method"}
        y = firconv.correlate(x, h, mode, **words)
        return y + (np.arange(y.size).reshape(y.shape) == 1).astype(y.dtype)

    words = frozenset({"mode", "boundary", "origin", "up", "down", "dilation", "window"})
    wrong = Implementation("wrong", convolve, correlate, boundaries=identities.of(firconv).boundaries, keywords=words)
    assert check([name], wrong).failures


class Layers:
    """firconv.nn with one function replaced."""

    def __init__(self, name, wrong):
        for each in ("conv", "conv_transpose", "conv_input_gradient", "conv_weight_gradient"):
            setattr(self, each, getattr(firconv.nn, each))
        self.avg_pool, self.max_pool = mean_pool, top_pool
        setattr(self, name, wrong)


def pool(reduce):
    def run(x, size, *, stride):
        k = x.ndim - 2
        found = np.lib.stride_tricks.sliding_window_view(x, (size,) * k, tuple(range(2, x.ndim)))
        return reduce(found[(slice(None), slice(None), *[slice(None, None, stride)] * k)], tuple(range(-k, 0)))

    return run


mean_pool, top_pool = pool(np.mean), pool(np.max)


def flipped_weights(x, w, **words):
    return firconv.nn.conv(x, np.flip(w, tuple(range(2, w.ndim))), **words)


def one_group(x, w, groups=1, **words):
    return firconv.nn.conv(x, np.tile(w, (1, groups) + (1,) * (w.ndim - 2)) / groups, **words)


def no_stride(gy, w, x_shape, **words):
    y = firconv.nn.conv_input_gradient(gy, w, x_shape, **words)
    return np.roll(y, 1, -1)


def conjugated(x, w, **words):
    return firconv.nn.conv_transpose(x, w.conj(), **words)


def summed_taps(gy, x, w_shape, **words):
    return np.broadcast_to(firconv.nn.conv_weight_gradient(gy, x, w_shape, **words).mean(0), w_shape)


@pytest.mark.parametrize("name, wrong, law_name", [
    ("conv", flipped_weights, "layer is correlation"), ("conv", one_group, "layer is correlation"),
    ("conv_transpose", conjugated, "transposed is adjoint"),
    ("conv_input_gradient", no_stride, "gradient of the signal"),
    ("conv_weight_gradient", summed_taps, "gradient of the taps"),
    ("avg_pool", top_pool, "average pool is a box"), ("max_pool", mean_pool, "max pooling is not linear")])
def test_wrong_layers_are_caught(name, wrong, law_name):
    good = replace(identities.of(firconv), layers=Layers(name, wrong))
    found = check([law_name], good, trials=40)
    assert found.failures, str(found)
    sizes = [v.size for v in found[law_name].failure.problem.values() if isinstance(v, np.ndarray)]
    assert max(sizes) <= 8, str(found)


def test_layers_of_this_library_and_of_torch_are_asked():
    assert identities.of(firconv).layers is firconv.nn
    subjects = [identities.of(firconv)]
    if find_spec("torch"):
        subjects.append(interop.load("torch"))
    for subject in subjects:
        asked = set()

        class Watched:
            def __getattr__(self, name, layers=subject.layers, asked=asked):
                asked.add(name)
                return getattr(layers, name)

        assert check(LAYERED, replace(subject, layers=Watched()), trials=12).ok
        assert asked >= {"conv", "conv_transpose", "conv_input_gradient", "conv_weight_gradient", "avg_pool",
                         "max_pool"}


LAYERED = ["layer is correlation", "transposed is adjoint", "gradient of the signal", "gradient of the taps",
           "average pool is a box", "max pooling is not linear"]


def test_right_layers_pass():
    good = replace(identities.of(firconv), layers=Layers("max_pool", top_pool))
    assert check(LAYERED, good).ok


def test_max_pooling_is_judged_by_the_sum_it_is_compared_with():
    found = check(["max pooling is not linear"], lambda x, h: np.maximum(firconv.convolve(x, h), 0))
    assert found.failures


# ---- the report --------------------------------------------------------------------------------------------------


def test_the_report_shows_the_smallest_case_and_how_to_repeat_it():
    found = check(["commutes"], unflipped)
    failure = found["commutes"].failure
    assert failure.problem["x"].size + failure.problem["h"].size <= 3
    text = str(found)
    assert "commutes FAILS: x * h = h * x" in text and "smallest case: dtype = " in text and not found
    code = text.split("to reproduce:\n")[1].split("\n\nnot supported")[0]
    space = {"unflipped": unflipped}
    exec("\n".join(line[4:] for line in code.splitlines()).replace("f = ...", "f = unflipped"), space)
    assert space["shown"].error > 1


def test_the_table_is_readable_at_80_columns(report):
    lines = str(report).splitlines()
    assert max(map(len, lines)) <= 80
    assert sum(line.rstrip().endswith("holds") for line in lines) == len(laws())  # one line per law
    assert any(line.split()[-3:-1] == ["25", "0"] for line in lines)


def test_numbers_of_the_table():
    assert [tables.number(v) for v in (0, 0.02, 1e-5, 3e7, np.inf)] == ["0", "0.02", "1e-05", "3e+07", "∞"]


def test_the_smallest_case_has_one_of_the_types_asked_for():
    for dtype in ("int64", "float32"):
        found = check(["commutes", "energy"], unflipped, dtypes=[dtype])
        assert found["commutes"].failure.problem["dtype"] == dtype


def test_what_is_missing_is_no_failure():
    def full_only(x, h):
        return firconv.convolve(x, h)

    found = check(["boundary wrap", "commutes", "stride decimates", "correlation is convolution"], full_only)
    assert found.ok and found["boundary wrap"].verdict == "not supported"
    assert "full_only has no such boundary (boundary wrap)" in str(found)
    assert "full_only has no down (stride decimates)" in str(found)
    assert "full_only has no correlate; it is derived from convolve" in str(found)


def test_functions_of_images_only_are_checked_on_images():
    def image(x, h):
        if x.ndim != 2:
            raise ValueError("an image, please")
        return firconv.convolve(x, h, "same")

    found = identities.of(image)
    assert found.ndims == (2,) and found.modes == ("same",)
    report = check(["defining sum", "commutes", "separable", "polyphase"], image, trials=4)
    assert report.ok and report["separable"].cases == 4
    assert "has no 1-D form" in report["polyphase"].lacking


@pytest.mark.parametrize("op", ["convolve", "correlate"])
@pytest.mark.parametrize("mode", ["reflect", "constant"])
def test_functions_with_ends_and_an_origin_of_their_own(op, mode):
    """scipy.ndimage as a stranger: another "mode", another origin for even taps, other ends."""
    function = getattr(ndimage, op)
    if mode != "reflect":
        def function(x, h, f=function):
            return f(x.astype(np.result_type(x, h)), h, mode=mode)

    found = identities.of(function, op)
    assert (found.modes, found.ndims) == (("same",), (1, 2, 3))
    assert found.origins == {"convolve": "ndimage", "correlate": "scipy"}[op]  # of which correlate is the same
    assert found.boundaries == (("zero",) if mode == "constant" else ()) and not found.keywords
    report = check(implementation=found, dtypes=["float64", "int64"], trials=4)
    assert {r.law.name for r in report.failures} <= {"exact integers"}, str(report)  # it sums in float64
    assert ("inside padded signals" in " ".join(str(report).split())) == (mode != "constant")


def test_an_origin_beside_the_centre_of_odd_taps_is_a_fault():
    def late(x, h):
        return np.roll(firconv.convolve(x, h, "same"), 1, 0)

    assert identities.of(late).origins == "scipy"
    assert {r.law.name for r in check(["identity", "defining sum"], late).failures} == {"identity", "defining sum"}


def test_padding_by_hand_for_every_mode():
    x, h = np.arange(1, 10), np.array([2, 3, 5, 7])
    for native in ("full", "same", "valid"):
        def ends_of_its_own(x, h, native=native):
            return firconv.convolve(x, h, native, boundary="reflect")

        f = Implementation("ends", ends_of_its_own, modes=(native,), boundaries=())
        for mode in ("full", "same", "valid"):
            np.testing.assert_array_equal(f.apply("convolve", x, h, mode), firconv.convolve(x, h, mode))


def test_what_a_function_says_it_does_not_do_is_skipped():
    def short(x, h):
        if h.size > 8:
            raise NotImplementedError("eight taps at most")
        return firconv.convolve(x, h)

    report = check(["area", "defining sum"], short, trials=5)
    assert report.ok and report["area"].cases == 5


def test_all_laws_by_name():
    assert len(check("all", trials=1, dtypes=["int64"]).results) == len(check(all, trials=1).results) == len(laws())


def test_exceptions_and_shapes_are_findings():
    found = check(["defining sum"], failing)["defining sum"].failure
    assert found.trouble == "RuntimeError: device lost"
    assert found.problem["x"].size == found.problem["h"].size == 3
    found = check(["modes are one line"], lossy_valid)["modes are one line"].failure
    assert "the sides have shapes" in found.trouble and found.error == np.inf


def test_a_call_that_hangs_is_left_behind():
    gate = threading.Event()

    def stuck(x, h):
        if len(x) not in (4, 8):
            gate.wait(20)
        return firconv.convolve(x, h)

    found = check(["commutes", "area"], stuck, timeout=0.3)
    gate.set()
    assert found["commutes"].failure.trouble == "no answer within 0.3 s"
    assert found["area"].lacking == "not asked, after a call that did not come back within 0.3 s"
    assert "no answer within" in str(found)


def test_the_search_for_a_smaller_case_may_hang_too():
    gate = threading.Event()

    def wrong(x, h):
        if len(x) == 1 and len(h) == 1:
            gate.wait(20)
        return -firconv.convolve(x, h)

    began = time.perf_counter()
    found = check(["defining sum"], wrong, timeout=0.5, dtypes=["int64"], seed=1)
    gate.set()
    assert found.failures and time.perf_counter() - began < 6
    assert found["defining sum"].failure.problem["x"].size > 0


def test_a_slow_function_is_stopped_in_time():
    began = time.perf_counter()
    found = check(["commutes", "area", "scaling"], lambda x, h: time.sleep(0.05) or firconv.convolve(x, h), limit=1.0)
    assert time.perf_counter() - began < 3 and not found and not found.failures
    assert found.stopped == "not asked, after the limit of 1 s for all laws"
    assert found["scaling"].verdict == "not supported" and "STOPPED: laws were not asked" in str(found)


@pytest.mark.parametrize("answer", [None, "text", b"", object(), [1, [2]], np.zeros((2, 2)), np.array(["a"]), {}, 3,
                                    np.zeros(0), [None] * 5], ids=repr)
def test_nonsense_is_a_finding(answer):
    f = Implementation("nonsense", lambda x, h: answer, modes=("full",))
    found = check(["defining sum", "commutes", "area", "Parseval", "linearity"], f, trials=2)
    assert found["defining sum"].failure and str(found)


def leaving(x, h):
    raise SystemExit(3) if len(x) > 8 else KeyboardInterrupt


def test_a_function_that_ends_the_program_does_not():
    found = check(["defining sum"], Implementation("leaving", leaving, modes=("full",)), trials=2)
    assert found["defining sum"].failure.trouble in ("SystemExit: 3", "KeyboardInterrupt: ")
    with pytest.raises(ValueError, match="8 samples and 3 taps raised RuntimeError: KeyboardInterrupt"):
        identities.of(leaving)


def test_nan_for_everything_is_wrong():
    found = check(["defining sum", "area"], lambda x, h: np.full(len(x) + len(h) - 1, np.nan))
    assert len(found.failures) == 2


def test_progress_names_the_laws():
    names = []
    check(["area", "commutes"], trials=1, progress=names.append)
    assert names == ["area", "commutes"]


def test_replay_takes_the_numbers_of_a_report():
    outcome = law("commutes").replay(unflipped, x=[0, 1], h=[1], dtype="int64")
    assert not outcome.holds and outcome.left.tolist() == [0, 1] and outcome.right.tolist() == [1, 0]
    assert law("area").replay(firconv, x=[[1.0, 2.0]], h=[[3.0]], dtype="float64").holds


# ---- mistakes of the caller --------------------------------------------------------------------------------------


@pytest.mark.parametrize("call, message", [
    (lambda: law("commute"), "did you mean 'commutes'"),
    (lambda: law("qqqq"), r"identities.laws\(\) lists them"),
    (lambda: check([]), "there is nothing to check"),
    (lambda: check(trials=0), "at least one problem per law"),
    (lambda: check(timeout=0), "timeout=0.*one problem may take, more than 0"),
    (lambda: check(limit=-1), "limit=-1.*everything may take, more than 0"),
    (lambda: check(dtypes=["float63"]), "'float63' is no type of numbers"),
    (lambda: check(dtypes=["bool"]), "'bool' is no type of numbers"),
    (lambda: check("area", lambda x, h: x[:3]), "the length of no mode"),
    (lambda: check("area", lambda x: x), "8 samples and 3 taps raised TypeError"),
    (lambda: law("overlap-save").replay(firconv, x=[1.0], h=[1.0], dtype="no"), "data type 'no' not understood"),
    (lambda: law("average pool is a box").replay(firconv, x=[1.0], size=4), "outside the domain"),
])
def test_arguments_that_mean_nothing(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()


def test_a_function_that_never_returns_is_a_sentence(monkeypatch):
    monkeypatch.setattr(strangers, "PATIENCE", 0.2)
    gate = threading.Event()
    began = time.perf_counter()
    with pytest.raises(ValueError, match="no answer within 0.2 s for 8 samples and 3 taps: give a function that ret"):
        identities.of(lambda x, h, mode="full": gate.wait(20))
    gate.set()
    assert time.perf_counter() - began < 2


def test_an_implementation_must_be_callable():
    with pytest.raises(TypeError, match="neither a function of"):
        check(implementation=3)
    with pytest.raises(TypeError, match="laws are names; give the function as implementation="):
        check(np.convolve)
    with pytest.raises(TypeError, match=r"pass interop.load\('torch'\)"):
        check(implementation="torch")
    with pytest.raises(KeyError, match="no such law was checked"):
        _ = check("area", trials=1)["commutes"]


# ---- parts -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule, wanted", [
    ("zero", [0, 0, 1, 2, 3, 0, 0]), ("edge", [1, 1, 1, 2, 3, 3, 3]), ("reflect", [3, 2, 1, 2, 3, 2, 1]),
    ("wrap", [2, 3, 1, 2, 3, 1, 2]), ("antisymmetric", [-2, -1, 1, 2, 3, -3, -2]),
    ("antireflect", [-1, 0, 1, 2, 3, 4, 5]), (("constant", 7.0), [7, 7, 1, 2, 3, 7, 7]),
    (("edge", "zero"), [1, 1, 1, 2, 3, 0, 0])])
def test_extensions_by_hand(rule, wanted):
    assert extensions.extended(np.array([1, 2, 3], np.uint8), [2], rule).tolist() == wanted


def test_values_carry_their_error():
    v = Value(np.array([1.0, 2.0]), 0.5)
    assert (v + v).error == 1 and (v * -3).error == 1.5 and (v - v).error == 1
    assert v.sum([1, 10]).error == 5.5 and values.inner(v, v).error == 0.5 * 3 + 0.5 * 3 + 0.5
    assert v.energy().error == 2 * 0.5 * 3 + 2 * 0.25
    np.testing.assert_allclose(v.dft([2]).array.astype(complex), np.fft.fft([1, 2]), atol=1e-15)
    assert values.distance(v, np.array([1.25, 2.0])) == 0.5
    assert values.distance(np.arange(2), np.arange(3)) == np.inf
    assert values.distance(np.array([1]), np.array([2])) == np.inf


def test_the_bound_is_that_of_a_transform():
    x, h = np.full(4, 2.0), np.array([3.0])
    assert values.granted(x, h, 16) == 13 * 4 * 2.0**-53 * 4 * 3
    assert values.granted(x.astype("f4"), h.astype("f4"), 16) == 13 * 4 * 2.0**-24 * 4 * 3
    assert values.granted(x.astype(int), h.astype(int), 16) == 0


def test_the_search_goes_to_the_smallest():
    """A problem that fails whenever a sample exceeds 3 ends at one sample of 4."""
    from firconv.identities import Outcome

    def trial(problem):
        bad = bool((np.abs(problem["x"]) > 3).any())
        return Outcome(2.0 if bad else 0.0, None, None, problem, simpler={"n": list(range(problem["n"]))})

    start = trial({"x": np.array([[1, 60, -7], [5, 8, 9]]), "n": 9})
    found = shrinking.smallest(start, trial).problem
    assert found["n"] == 0 and found["x"].size == 1 and 3 < abs(found["x"].item()) < 8


def test_modes_are_derived_from_the_one_there_is():
    for mode in ("full", "same", "valid"):
        only = Implementation("one", lambda x, h, m=mode: firconv.convolve(x, h, m), modes=(mode,))
        for op in ("convolve", "correlate"):
            for wanted in ("full", "same", "valid"):
                for x, h in (((9,), (4,)), ((9,), (5,)), ((6,), (6,))):
                    x, h = np.arange(*x), np.arange(*h) + 2
                    got = only.apply(op, x, h, wanted)
                    origin = only.origin(op, h.size)
                    np.testing.assert_array_equal(got, getattr(firconv, op)(x, h, wanted, origin=origin))


def test_unsigned_sums_of_negated_samples():
    """Once failed: −1 from an antisymmetric boundary became 0 or 2⁶⁴ − 1."""
    x, h = np.array([1], np.uint64), np.array([0, 1], np.uint64)
    for method in ("auto", "direct", "fft", "reference"):
        with pytest.raises(OverflowError, match="does not fit uint64"):
            firconv.convolve(x, h, "same", boundary="antisymmetric", method=method)
    assert firconv.convolve(x, h, "full", boundary="edge").tolist() == [1, 1]


def test_equal_steps_on_images():
    """Once failed: up = down = 2 in two dimensions read taps that meet only zeros."""
    x, h = np.outer(np.arange(9.0), np.arange(9.0)), np.outer(np.arange(4.0), np.arange(4.0))
    wanted = firconv.convolve(x, h, up=2, down=2, method="reference")
    np.testing.assert_array_equal(firconv.convolve(x, h, up=2, down=2), wanted)
