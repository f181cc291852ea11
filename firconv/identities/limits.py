"""A time limit for functions of strangers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from firconv import threads


def within(seconds: float, call: Callable[[], Any]) -> Any:
    """What the call returns or raises; one that does not come back in time is abandoned.

    Raises
    ------
    TimeoutError
        When it did not come back.
    RuntimeError
        When it tried to end the program.

    Examples
    --------
    >>> within(10, lambda: 2 + 2)
    4
    """
    found = threads.within(seconds, call)
    if found is None:
        raise TimeoutError(f"no answer within {seconds:g} s")
    value, error = found
    if error is not None and not isinstance(error, Exception):
        raise RuntimeError(f"{type(error).__name__}: {error}") from error
    if error is not None:
        raise error
    return value
