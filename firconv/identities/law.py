"""A law: a name, an equation, a domain, and a check on one problem."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from threading import current_thread, main_thread
from typing import Any

import numpy as np

from firconv.identities.calls import Calls
from firconv.identities.draws import DTYPES, Draw, Unfit
from firconv.identities.implementation import Implementation, of
from firconv.identities.values import Value, distance

Sides = Iterator[tuple[Any, Any]]


@dataclass(frozen=True)
class Outcome:
    """What one problem showed.

    Attributes
    ----------
    error : float
        The largest difference of the two sides in units of their bound: at most 1 where the law holds.
    left, right : array or None
        The two sides that differ most.
    problem : dict
        Everything that `Law.replay` needs to do it again.
    trouble : str
        What went wrong, when it was not a number: an exception, another shape.
    simpler : dict
        For every choice in the problem, the simpler ones.

    Examples
    --------
    >>> import numpy as np
    >>> from firconv import identities
    >>> found = identities.law("commutes").replay(np.convolve)
    >>> found.holds, found.error <= 1
    (True, True)
    """

    error: float
    left: Any
    right: Any
    problem: Mapping[str, Any]
    trouble: str = ""
    simpler: Mapping[str, list[Any]] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """True where the sides agree."""
        return self.error <= 1


@dataclass(frozen=True)
class Law:
    """An equation between two computations, which `check` tries on random problems.

    Attributes
    ----------
    name : str
    text, latex : str
        The equation; * is convolution, ⋆ correlation, ↓ and ↑ are decimation and zero-stuffing.
    domain : str
        For which signals, taps and calls it holds.
    run : callable
        ``run(f, p)`` draws a problem from p, calls the implementation f, and yields pairs of sides.
    kinds : str
        Kinds of dtypes it is about.

    Examples
    --------
    >>> from firconv import identities
    >>> print(identities.law("commutes").text)
    x * h = h * x
    """

    name: str
    text: str
    latex: str
    domain: str
    run: Callable[[Calls, Draw], Sides] = field(repr=False)
    kinds: str = "iufc"

    def __str__(self) -> str:
        return f"{self.name}: {self.text} ({self.domain})"

    def replay(self, implementation: Any, **problem: Any) -> Outcome:
        """The law on a given problem; what is not given is drawn with a fixed seed.

        Parameters
        ----------
        implementation : anything that `identities.check` takes
        **problem : values by the names that a report prints

        Raises
        ------
        NotImplementedError
            Where the implementation does not support what the problem needs.
        ValueError
            For a problem outside the law's domain.

        Examples
        --------
        >>> from firconv import identities
        >>> identities.law("commutes").replay(np.convolve, x=[1, 2], h=[0, 1], dtype="int64").holds
        True
        """
        outcome = self.trial(of(implementation), np.random.default_rng(0), given=problem)
        if outcome is None:
            raise ValueError(f"{self.name}: the problem {problem!r} is outside the domain: {self.domain}")
        return outcome

    def trial(self, subject: Implementation, rng: np.random.Generator, dtypes: Sequence[str] = DTYPES,
              given: Mapping[str, Any] | None = None) -> Outcome | None:
        """One problem, or None where the numbers drawn are outside the domain.

        Raises
        ------
        NotImplementedError
            Where the implementation does not support the problem.
        """
        p = Draw(subject, rng, dtypes, self.kinds, given)
        worst = Outcome(-1.0, None, None, p.taken, simpler=p.simpler)
        try:
            for left, right in self.run(Calls(subject, p), p):
                error = distance(left, right)
                if error > worst.error:
                    worst = Outcome(error, _array(left), _array(right), p.taken, _shapes(left, right), p.simpler)
        except NotImplementedError:
            raise
        except Unfit:
            return None
        except BaseException as error:  # whatever a stranger's function does is a finding, unless the user stopped it
            if isinstance(error, KeyboardInterrupt) and current_thread() is main_thread():
                raise
            trouble = f"{type(error).__name__}: {' '.join(str(error).split())}"
            return Outcome(np.inf, None, None, p.taken, trouble, p.simpler)
        return worst if worst.error >= 0 else None


def _array(side: Any) -> np.ndarray:
    return side.array if isinstance(side, Value) else np.asarray(side)


def _shapes(left: Any, right: Any) -> str:
    a, b = _array(left).shape, _array(right).shape
    return "" if a == b else f"the sides have shapes {a} and {b}"


# ── the list of all laws ──────────────────────────────────────────────────────────────────────────────────────────────

_LAWS: dict[str, Law] = {}


def register(name: str, text: str, latex: str, domain: str, kinds: str = "iufc") -> Callable[[Any], Any]:
    """Make a law of the function below and add it to the list."""

    def made(run: Callable[[Calls, Draw], Sides]) -> Callable[[Calls, Draw], Sides]:
        _LAWS[name] = Law(name, text, latex, domain, run, kinds)
        return run

    return made


def every() -> tuple[Law, ...]:
    """All laws, in the order in which they were written.

    Examples
    --------
    >>> from firconv import identities
    >>> "commutes" in [law.name for law in identities.laws()], len(identities.laws()) > 50
    (True, True)
    """
    from firconv.identities import algebra, boundaries, layers, spectrum, steps  # noqa: F401

    return tuple(_LAWS.values())


def law(name: str) -> Law:
    """The law of this name.

    Raises
    ------
    ValueError
        If there is none.

    Examples
    --------
    >>> law("commutes").text
    'x * h = h * x'
    """
    found = {each.name: each for each in every()}
    if name not in found:
        near = get_close_matches(name, found, 3, 0.4)
        hint = f"did you mean {', '.join(map(repr, near))}?" if near else "identities.laws() lists them"
        raise ValueError(f"law({name!r}): there is no such law; {hint}")
    return found[name]
