"""A pytest plugin: scipy's own tests of filtering, with firconv.signal standing in for scipy.signal.

    python -m pytest -p scipy_standin --pyargs scipy.signal.tests.test_signaltools scipy.signal.tests.test_upfirdn

The test modules are scipy's files, untouched; after collection every name of firconv.signal replaces scipy's function
in the module's globals and in the parameters of its tests, and `signal` is the module firconv.signal itself.
SCIPY_STANDIN_SHARD="i/n" runs every n-th test, beginning with the i-th.
"""

import os
import re

import pytest
import scipy.signal

MODULES = ("scipy.signal.tests.test_signaltools", "scipy.signal.tests.test_upfirdn")

# Tests of what firconv replaces; the other tests of these files are about other functions.
CHOSEN = re.compile(
    r"TestConvolve|TestFFTConvolve|TestOAConvolve|TestAllFreqConvolves|TestCorrelate|test_correlation_lags"
    r"|test_convolve_longdtype_input|LinearFilter|test_lfilter|TestUpfirdn|test_output_len"
)

# Where firconv differs on purpose: (pattern on the test's name, reason). Each must fail; a pass is an error too.
DIFFERENCES = (
    (r"TestConvolve::test_convolve_method_large_input",
     "2**62 * 2**62 does not fit 64 bits: OverflowError, where scipy wraps"),
    (r"TestFFTConvolve::test_fft_nan",
     "NaN and Inf stay in their footprint by every method, so nothing is spoiled and no warning is due"),
    (r"TestCorrelateReal::.*numpy-u?int(8|16|32)\]",
     "integers are summed and returned in 64 bits, never wrapped to the type of a small integer input"),
    (r"LinearFilter\w+::test_invalid_params",
     "lfilter with a single denominator coefficient takes integers; scipy raises NotImplementedError"),
    (r"test_correlation_lags_invalid_mode",
     "still a ValueError, in this library's words: the call, the value, and what to write instead"),
)


def replacements():
    """{scipy's function: ours}, for every name that both modules define themselves."""
    import firconv.signal as ours

    names = [n for n in vars(ours) if not n.startswith("_") and callable(vars(ours)[n]) and hasattr(scipy.signal, n)]
    return {getattr(scipy.signal, n): vars(ours)[n] for n in names if vars(ours)[n] is not getattr(scipy.signal, n)}


def pytest_collection_modifyitems(config, items):
    shard, shards = map(int, os.environ.get("SCIPY_STANDIN_SHARD", "0/1").split("/"))
    chosen = [item for item in items if CHOSEN.search(item.nodeid)]
    mine = chosen[shard::shards]
    kept = {id(item) for item in mine}
    config.hook.pytest_deselected(items=[item for item in items if id(item) not in kept])
    items[:] = mine
    table = replacements()
    for module in {item.module for item in items}:
        stand_in(module, table)
    for item in items:
        replace_parameters(item, table)
        for pattern, reason in DIFFERENCES:
            if re.search(pattern, item.nodeid):
                item.add_marker(pytest.mark.xfail(strict=True, reason=reason))


def stand_in(module, table):
    """Our functions under scipy's names in one test module."""
    import firconv.signal

    for name, value in list(vars(module).items()):
        if callable(value) and is_known(value, table):
            setattr(module, name, table[value])
    if getattr(module, "signal", None) is scipy.signal:
        module.signal = firconv.signal


def replace_parameters(item, table):
    """Functions also arrive as parameters of a test."""
    for name, value in getattr(getattr(item, "callspec", None), "params", {}).items():
        if callable(value) and is_known(value, table):
            item.callspec.params[name] = table[value]


def is_known(value, table):
    try:
        return value in table
    except TypeError:
        return False
