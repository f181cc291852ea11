"""The smallest failing problem, by a plain search over sizes, words and small integers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from firconv.identities.law import Outcome

Array = np.ndarray
Trial = Callable[[Mapping[str, Any]], Outcome | None]


def smallest(failure: Outcome, trial: Trial, tries: int = 500, seconds: float = 1.5) -> Outcome:
    """Go to any simpler problem that fails too, until none does.

    Parameters
    ----------
    trial : what the law shows for given values, None where it says nothing
    tries, seconds : when to be content
    """
    until = time.perf_counter() + seconds
    found = True
    while found:
        found = False
        for values in _simpler(failure):
            tries -= 1
            if tries < 0 or time.perf_counter() > until:
                return failure
            outcome = trial(values)
            if outcome is not None and not outcome.holds:
                failure, found = outcome, True
                break
    return failure


def _simpler(failure: Outcome) -> Iterator[dict[str, Any]]:
    """Problems one step simpler, those that remove most first."""
    problem = dict(failure.problem)
    arrays = [name for name, value in problem.items() if isinstance(value, np.ndarray)]
    if any(_busy(problem[name]) for name in arrays):
        yield {**problem, **{name: _whole(problem[name]) for name in arrays}}
    for name, options in failure.simpler.items():
        for value in _fewer(options):
            yield {**problem, name: value}
    for name in arrays:
        twins = [other for other in arrays if problem[other].shape == problem[name].shape]
        for group in [twins, [name]] if len(twins) > 1 else [[name]]:
            for cut in _cuts(problem[name].shape):
                yield {**problem, **{each: problem[each][cut] for each in group}}
    for name in arrays:
        for array in _plainer(problem[name]):
            yield {**problem, name: array}


def _fewer(options: list[Any]) -> list[Any]:
    """The simplest, the middle and the next simpler of the options."""
    if not options:
        return []
    return list(dict.fromkeys([options[0], options[len(options) // 2], options[-1]]))


def _cuts(shape: tuple[int, ...]) -> Iterator[tuple[slice, ...]]:
    """One sample, half of them, or all but one, from either end of any axis."""
    for axis, n in enumerate(shape):
        for keep in dict.fromkeys((1, n // 2, n - 1)):
            for kept in (slice(keep), slice(n - keep, n)) if 0 < keep < n else ():
                yield (slice(None),) * axis + (kept,)


def _busy(a: Array) -> bool:
    return bool(np.any(a != _whole(a)))


def _whole(a: Array) -> Array:
    """Small whole numbers in the place of any others; what is not zero stays so."""
    if a.dtype.kind == "c":
        return (_whole(a.real) + 1j * _whole(a.imag)).astype(a.dtype)
    if a.dtype.kind == "f":
        return np.where(np.isfinite(a), np.sign(a) * np.clip(np.ceil(np.abs(a)), 0, 9), a)
    return a


def _plainer(a: Array) -> Iterator[Array]:
    """With one number replaced by 0, 1, or half of it, for arrays short enough to read."""
    for at in np.ndindex(a.shape) if a.size <= 40 else ():
        value = a[at]
        for simple in (0, 1, 1j) if a.dtype.kind == "c" else (0, 1):
            if _weight(simple) < _weight(value):
                yield _with(a, at, simple)
        if a.dtype.kind in "iu" and abs(int(value)) > 2:
            yield _with(a, at, int(value) // 2)


def _weight(value: Any) -> float:
    """What a number costs to read."""
    size = abs(value)
    return float(size) + 0.5 * (size > 1 and np.iscomplexobj(value))


def _with(a: Array, at: tuple[int, ...], value: Any) -> Array:
    changed = a.copy()
    changed[at] = value
    return changed
