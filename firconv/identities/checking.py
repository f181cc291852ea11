"""`check`: the laws on random problems, and the report."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from firconv.identities import shrinking
from firconv.identities.draws import DTYPES
from firconv.identities.implementation import Implementation, of
from firconv.identities.law import Law, Outcome, every, law
from firconv.identities.limits import within


@dataclass(frozen=True)
class Result:
    """What was found about one law.

    Attributes
    ----------
    law : Law
    cases : int
        Problems on which it was checked.
    worst : float
        Largest error in units of the bound; integers and equal bits count 0.
    failure : Outcome or None
        The smallest problem found on which it fails.
    lacking : str
        Why the implementation does not support it, if there were no cases.

    Examples
    --------
    >>> from firconv import identities
    >>> found = identities.check("commutes", np.convolve, trials=2)["commutes"]
    >>> found.verdict, found.failure
    ('holds', None)
    """

    law: Law
    cases: int
    worst: float
    failure: Outcome | None = None
    lacking: str = ""

    @property
    def verdict(self) -> str:
        """holds, FAILS or not supported."""
        return "FAILS" if self.failure else "holds" if self.cases else "not supported"


@dataclass(frozen=True)
class Report:
    """The results of `check`; prints as a table, true if all laws were asked and none fails.

    Attributes
    ----------
    implementation : Implementation
    results : tuple of Result
    trials, seed : as asked
    seconds : float
    stopped : str
        Why not all laws were asked.

    Examples
    --------
    >>> from firconv import identities
    >>> report = identities.check("exact integers", np.convolve, trials=2)  # NumPy sums int8 in int8
    >>> report.ok, [found.law.name for found in report.failures]
    (False, ['exact integers'])
    """

    implementation: Implementation
    results: tuple[Result, ...]
    trials: int
    seed: int
    seconds: float
    stopped: str = ""

    @property
    def ok(self) -> bool:
        """True if no law fails, and all were asked."""
        return not self.failures and not self.stopped

    @property
    def failures(self) -> tuple[Result, ...]:
        """The results of laws that fail."""
        return tuple(result for result in self.results if result.failure)

    def __bool__(self) -> bool:
        return self.ok

    def __getitem__(self, name: str) -> Result:
        """The result of the law of this name."""
        for result in self.results:
            if result.law.name == name:
                return result
        raise KeyError(f"report[{name!r}]: no such law was checked; report.results lists them")

    def __str__(self) -> str:
        from firconv.identities.tables import text

        return text(self)


def check(laws: Iterable[str | Law] | str | None = None, implementation: Any = None, dtypes: Sequence[str] = DTYPES,
          trials: int = 25, seed: int = 0, timeout: float = 60.0, limit: float = 600.0,
          progress: Callable[[str], None] | None = None) -> Report:
    """Check laws on random problems: sizes, dimensions, types, boundaries, modes and methods.

    Integers must agree exactly; each call on floats is granted an error of 13·log₂N·u·‖x̃‖₂·‖h‖₂.

    Parameters
    ----------
    laws : names or `Law` objects, optional
        Which; default, and ``"all"``: all.
    implementation : optional
        firconv (default), an `Implementation`, a function of (signal, taps), or an object with convolve or correlate.
    dtypes : sequence of str
        From which problems are drawn, where the implementation supports them.
    trials : int
        Problems per law.
    seed : int
        The same seed gives the same problems.
    timeout : float
        Seconds that one problem may take; a call that takes longer is left behind in its thread, and nothing more is
        asked.
    limit : float
        Seconds for everything; laws that it leaves unasked are named, and the report is not ok.
    progress : callable, optional
        Called with the name of each law before it is checked.

    Returns
    -------
    Report

    Raises
    ------
    ValueError
        For unknown laws and types, trials below one, and times that are not positive.
    TypeError
        For an implementation that is none, or stands where laws belong.

    Examples
    --------
    >>> from firconv import identities
    >>> report = identities.check(["commutes", "exact integers"], np.convolve, trials=5)
    >>> report.ok, report["exact integers"].verdict  # NumPy sums int8 in int8
    (False, 'FAILS')
    """
    chosen = _chosen(laws)
    subject = _subject(implementation)
    _check_arguments(dtypes, trials, {"timeout": timeout, "limit": limit})
    start, results = time.perf_counter(), []
    asking = _Asking(timeout, limit)
    for each in chosen:
        if progress:
            progress(each.name)
        results.append(_result(each, subject, dtypes, trials, seed, asking))
    return Report(subject, tuple(results), trials, seed, time.perf_counter() - start, asking.lost)


def _chosen(laws: Any) -> tuple[Law, ...]:
    if laws is None or laws is all or (isinstance(laws, str) and laws == "all"):
        return every()
    if callable(laws) and not isinstance(laws, Law):
        raise TypeError(f"check(laws={laws!r}): laws are names; give the function as implementation=")
    wanted = [laws] if isinstance(laws, (str, Law)) else list(laws)
    if not wanted:
        raise ValueError("check(laws=[]): there is nothing to check; leave laws= out for all")
    return tuple(each if isinstance(each, Law) else law(each) for each in wanted)


def _subject(implementation: Any) -> Implementation:
    if implementation is None:
        import firconv

        implementation = firconv
    return of(implementation)


def _check_arguments(dtypes: Sequence[str], trials: int, times: dict[str, float]) -> None:
    if trials < 1:
        raise ValueError(f"check(trials={trials!r}): give at least one problem per law")
    for word, seconds in times.items():
        if not seconds > 0:
            what = {"timeout": "one problem", "limit": "everything"}[word]
            raise ValueError(f"check({word}={seconds!r}): give the seconds that {what} may take, more than 0")
    for name in dtypes:
        try:
            known = np.dtype(name).kind in "iufc"
        except TypeError:
            known = False
        if not known:
            raise ValueError(f"check(dtypes={list(dtypes)!r}): {name!r} is no type of numbers; use {', '.join(DTYPES)}")


class _Asking:
    """Runs trials, each in a thread that is left behind when it does not come back; then nothing more is asked."""

    def __init__(self, timeout: float, limit: float):
        self.timeout, self.limit, self.lost = timeout, limit, ""
        self._until = time.perf_counter() + limit

    def __call__(self, trial: Callable[[], Outcome | None]) -> Outcome | None:
        if not self.lost and time.perf_counter() > self._until:
            self.lost = f"not asked, after the limit of {self.limit:g} s for all laws"
        if self.lost:
            raise NotImplementedError(self.lost)
        try:
            outcome: Outcome | None = within(self.timeout, trial)
        except TimeoutError as error:
            self.lost = f"not asked, after a call that did not come back within {self.timeout:g} s"
            return Outcome(np.inf, None, None, {}, str(error))
        return outcome


def _result(each: Law, subject: Implementation, dtypes: Sequence[str], trials: int, seed: int,
            asking: _Asking) -> Result:
    """One law until it fails, or until it was tried often enough."""
    rng = np.random.default_rng([seed, zlib.crc32(each.name.encode())])
    cases, worst, lacking = 0, 0.0, ""
    for _ in range(6 * trials):
        try:
            outcome = asking(partial(each.trial, subject, rng, dtypes))
        except NotImplementedError as reason:
            lacking = lacking or str(reason)
            continue
        if outcome is None:
            continue
        cases += 1
        worst = max(worst, outcome.error)
        if not outcome.holds:
            return Result(each, cases, worst, _smallest(each, subject, dtypes, outcome, asking))
        if cases == trials:
            break
    return Result(each, cases, worst, lacking="" if cases else lacking or "no problem of its domain was found")


def _smallest(each: Law, subject: Implementation, dtypes: Sequence[str], failure: Outcome,
              asking: _Asking) -> Outcome:
    if asking.lost:
        return failure

    def trial(values: Any) -> Outcome | None:
        try:
            outcome = asking(partial(each.trial, subject, np.random.default_rng(0), dtypes, values))
        except NotImplementedError:
            return None
        return None if asking.lost else outcome

    return shrinking.smallest(failure, trial)
