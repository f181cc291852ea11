"""Calling a function nobody vouches for: on copies, in a thread, against the clock, and never with a traceback."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from firconv.threads import within


class Refused(Exception):
    """One call gave no usable result; the text says why. Other arguments may fare better."""


class Stop(Exception):
    """No further call is worth making; the text says why."""


class BlackBox:
    """A function of (signal, taps), or of the signal alone, whose every call is a new experiment.

    Attributes
    ----------
    with_taps : whether the taps are an argument
    calls : number made
    findings : what was noticed on the way, each sentence once, in order
    """

    def __init__(self, f: Callable[..., Any], with_taps: bool, limit: float):
        self.f, self.with_taps, self.limit = f, with_taps, limit
        self.calls, self.began = 0, time.perf_counter()
        self.findings: dict[str, None] = {}

    @property
    def seconds(self) -> float:
        """Time since the first call."""
        return time.perf_counter() - self.began

    def note(self, sentence: str) -> None:
        """Remember a finding."""
        self.findings[sentence] = None

    def __call__(self, x: np.ndarray, h: np.ndarray) -> np.ndarray:
        """The result for copies of x and h as an array of numbers.

        Raises
        ------
        Refused
            If the function raised, or returned no array of numbers.
        Stop
            If the time is over.
        """
        left = self.limit - self.seconds
        if left <= 0:
            raise Stop(
                f"the limit of {self.limit:g} s was reached after {self.calls} calls; what is not stated was not tried"
            )
        self.calls += 1
        given = (x.copy(), h.copy()) if self.with_taps else (x.copy(),)
        outcome = _in_thread(self.f, given, left)
        if outcome is None:
            raise Stop(
                f"call {self.calls}, for a signal of shape {x.shape}, had not returned after {left:.3g} s, when the "
                f"limit of {self.limit:g} s for everything was reached: it was abandoned in its thread"
            )
        for name, before, after in zip(("signal", "taps"), (x, h), given, strict=False):
            if before.tobytes() != after.tobytes():
                self.note(f"it changes its {name} in place: pass a copy")
        if isinstance(outcome, BaseException):
            raise Refused(f"{type(outcome).__name__}: {_one_line(outcome)}")
        if not isinstance(outcome, np.ndarray) or outcome.dtype.kind not in "biufc":
            raise Refused(f"it returned {_what(outcome)} instead of an array of numbers")
        return outcome


def _in_thread(f: Callable[..., Any], given: tuple[Any, ...], seconds: float) -> Any:
    """The result as a copied array, an exception that the function raised, or None if it has not returned in time."""

    def call() -> Any:
        with np.errstate(all="ignore"):
            return _array(f(*given))

    found = within(seconds, call, "firconv.identify")
    return None if found is None else found[0] if found[1] is None else found[1]


def _array(value: Any) -> Any:
    """A copy of the result, so that a function may reuse its buffer; tensors leave their graph and device."""
    if value is None:
        return "None"
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    array = np.array(value)
    return value if array.dtype.kind == "O" else array


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 160 else f"{text[:157]}…"


def _what(value: Any) -> str:
    return (
        "None"
        if isinstance(value, str) and value == "None"
        else f"an array of {value.dtype}"
        if isinstance(value, np.ndarray)
        else f"a {type(value).__name__}"
    )


def takes_taps(f: Callable[..., Any]) -> bool | None:
    """True for two required arguments and more, False for one, None where the signature does not say."""
    try:
        parameters = inspect.signature(f).parameters.values()
    except (TypeError, ValueError):
        return None
    places = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if any(p.kind == p.VAR_POSITIONAL for p in parameters):
        return None
    return sum(p.default is p.empty for p in places) >= 2
