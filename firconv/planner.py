"""Step 2, plan: a problem and facts of its taps become a decision that can be printed, hashed and kept.

The decision fixes method, arithmetic, block grid and fallback. Only the guard, block by block at run time, may turn to
the printed fallback. Nothing here depends on the number of workers or on the samples.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from math import log2, prod

import numpy as np

from firconv import cost
from firconv.problem import Problem

METHODS = ("auto", "reference", "direct", "separable", "fft", "overlap_save")
TAU = {"float32": 1e-4, "float64": 1e-10}
#: The guard's safety factor on the FFT's error (`kernels.guard.MARGIN`), and room for a signal whose level varies.
MARGIN, ROOM = {"float32": 4.0, "float64": 4.0}, 1.85
UNIT = {
    "float16": 2.0**-11,
    "float32": 2.0**-24,
    "float64": 2.0**-53,
    "longdouble": float(np.finfo(np.longdouble).eps) / 2,
}


@dataclass(frozen=True)
class Facts:
    """What planning needs to know of the taps.

    Attributes
    ----------
    finite : no NaN or Inf among them
    norm1 : the largest ‖h‖₁ of any filter; 0 where it does not matter
    terms : number of separable terms found (1 at rank 1), 0 if none
    truncation : Σ σᵢ‖uᵢ‖₁‖vᵢ‖₁ of what a tolerance dropped
    """

    finite: bool = True
    norm1: float = 0.0
    terms: int = 0
    truncation: float = 0.0


@dataclass(frozen=True)
class Candidate:
    """One method considered: what it would do and cost, and why it was not chosen.

    `seconds` on one core; `shared` are the seconds that were compared, more where work comes in few tasks.
    """

    method: str
    seconds: float | None
    multiplications: float | None
    bytes: int | None
    bound: str
    why: str = ""
    shared: float = 0.0


@dataclass(frozen=True)
class Decision:
    """How a problem will be computed.

    Attributes
    ----------
    method : the kernel family
    work : real dtype of the arithmetic; "exact" picks float32, float64 or int64 for integers by their size
    lengths : FFT length per axis, or () for other methods
    tau : accuracy that the guard holds an FFT to (semantics 17), or None
    fallback : what the guard may turn to, in words
    candidates : everything considered, cheapest first
    """

    method: str
    work: str
    lengths: tuple[int, ...]
    tau: float | None
    fallback: str
    candidates: tuple[Candidate, ...]


def real_name(dtype: np.dtype) -> str:
    """The real dtype of a dtype's parts, by name; 'longdouble' on every platform."""
    real = np.zeros(0, dtype).real.dtype
    return "longdouble" if real == np.longdouble and real.itemsize > 8 else real.name


def working(problem: Problem, facts: Facts) -> str:
    """The real dtype to compute in: float32 for halves, exact arithmetic for integers, else the result's own."""
    name = real_name(problem.dtype)
    if problem.dtype.kind in "iu":
        return exact(problem, facts)
    return "float32" if name == "float16" else name


def exact(problem: Problem, facts: Facts) -> str:
    """Arithmetic that is exact for integers by dtype range × ‖h‖₁ alone, or 'exact': decided by the samples' size."""
    kind = problem.signal_dtype
    peak = 1.0 if kind.kind == "b" else float(max(-int(np.iinfo(kind).min), int(np.iinfo(kind).max)))
    if any(rule.name == "constant" for ends in problem.boundary for rule in ends):
        return "exact"
    peak *= 1.0 if not any(r.name == "antireflect" for e in problem.boundary for r in e) else np.inf
    bound = peak * facts.norm1
    return "float32" if bound < 2.0**24 else "float64" if bound < 2.0**53 else "exact"


def decide(problem: Problem, facts: Facts, method: str, rtol: float | None, op: str) -> Decision:
    """The decision for one call.

    Raises
    ------
    ValueError
        For an unknown method, a method that cannot serve this problem, or an rtol that nothing reaches.
    """
    if method not in METHODS:
        raise ValueError(f"{op}(x, h): method={method!r} is unknown: use one of {', '.join(METHODS)}")
    if rtol is not None and not (isinstance(rtol, (int, float)) and rtol > 0):
        raise ValueError(f"{op}(x, h): rtol={rtol!r} must be a positive number")
    return _decide(problem, facts, method, None if rtol is None else float(rtol), op, cost.machine())


@lru_cache(maxsize=512)
def _decide(problem: Problem, facts: Facts, method: str, rtol: float | None, op: str, m: cost.Machine) -> Decision:
    work = working(problem, facts)
    if method == "reference":
        kind = "exact" if problem.dtype.kind in "iu" else real_name(problem.dtype)
        return Decision("reference", kind, (), None, "none", (Candidate("reference", None, None, None, "γ_K"),))
    if not facts.finite or work == "longdouble":
        return _shifted(problem, facts, method, work, rtol, op)
    considered = _Considered(problem, facts, work, m)
    if rtol is not None and method in ("auto", "direct"):
        return _to_rtol(problem, work, rtol, op, considered)
    if method == "separable" and not facts.terms:
        raise ValueError(
            f"{op}(x, h): method='separable', but h is no outer product of one factor per axis (rank 1, to two "
            "units in the last place): use method='auto', or give rtol= for a truncated SVD of a 2-D h"
        )
    if rtol is not None and method != "separable":
        raise ValueError(
            f"{op}(x, h): rtol={rtol!r} cannot be promised by method={method!r} before it has run: use "
            "method='auto' or 'direct'"
        )
    if method == "auto":
        chosen = min((c for c in considered.all if not c.why), key=lambda c: (c.shared, c.method))
        tau = TAU.get(work) if problem.dtype.kind not in "iu" else None
    else:
        chosen, tau = considered.named(method), None
    return considered.decision(chosen.method, tau)


def _shifted(problem: Problem, facts: Facts, method: str, work: str, rtol: float | None, op: str) -> Decision:
    if method not in ("auto", "direct"):
        reason = "h holds NaN or Inf" if not facts.finite else "long doubles are summed directly"
        raise ValueError(f"{op}(x, h): method={method!r} cannot be used because {reason}: use 'auto' or 'direct'")
    work = "exact" if problem.dtype.kind in "iu" else work
    least = gamma(terms(problem), UNIT.get(work, 0.0))
    if rtol is not None and least > rtol:
        raise ValueError(f"{op}(x, h): rtol={rtol!r} cannot be reached; the smallest possible here is {least:.2g}")
    macs = float(problem.multiplications)
    only = Candidate("direct", macs * 2e-9, macs, 0, _gamma_text(problem, work))
    return Decision("shifted", work, (), None, "none", (only,))


def terms(problem: Problem) -> int:
    """Number of products in one output."""
    return prod(problem.taps) * problem.channels_in


def gamma(k: int, unit: float) -> float:
    """γ_k = k·u/(1 − k·u), Higham's bound for a sum of k products.

    Examples
    --------
    >>> gamma(100, 2.0**-24) < 6e-6
    True
    """
    return k * unit / (1 - k * unit) if k * unit < 1 else float("inf")


def _gamma_text(problem: Problem, work: str) -> str:
    if problem.dtype.kind in "iu":
        return "exact"
    return f"{gamma(terms(problem), UNIT[work]):.1e}·(|h|*|x|)"


def _to_rtol(problem: Problem, work: str, rtol: float, op: str, considered: _Considered) -> Decision:
    """Direct in the narrowest arithmetic whose componentwise bound, with the final rounding, is below rtol."""
    if problem.dtype.kind in "iu":
        return considered.decision("direct", None)
    final, least = UNIT[real_name(problem.dtype)], float("inf")
    for name in ("float32", "float64", "longdouble"):
        if UNIT[name] > UNIT[work]:
            continue
        least = gamma(terms(problem), UNIT[name]) + (final if UNIT[name] < final else 0.0)
        if least <= rtol:
            bound = f"{least:.1e}·(|h|*|x|)"
            chosen = replace(considered.named("direct"), bound=bound)
            return Decision("shifted" if name == "longdouble" else "direct", name, (), None, "none", (chosen,))
    raise ValueError(
        f"{op}(x, h): rtol={rtol!r} cannot be reached for {terms(problem)} taps and a {problem.dtype} result; "
        f"the smallest possible is {least:.2g}"
    )


#: From these FFT lengths on, a line, or each of several, is transformed by itself between zeros.
LINE, LINES = 1 << 11, 1 << 17


def is_long(problem: Problem, lengths: tuple[int, ...]) -> bool:
    """True for plain floating lines whose single transform is worth the line's own, of linear length."""
    if len(problem.filtered) != 1 or problem.dtype.kind in "iu":
        return False
    axis = problem.filtered[0]
    a, single = problem.lattices[axis], prod(problem.outputs) == problem.outputs[axis] and problem.groups == 1
    return a.plain and a.dilation == 1 and lengths[axis] >= (LINE if single else LINES)


def predict(problem: Problem, facts: Facts, decision: Decision, m: cost.Machine) -> float:
    """Predicted seconds on one core of a decision under the constants of some machine."""
    considered = _Considered(problem, facts, decision.work, m)
    considered.lengths[decision.method] = decision.lengths
    candidate = considered.candidate(decision.method)
    return (candidate.seconds or 0.0) if candidate else 0.0


class _Considered:
    """Every method for a problem, with its predicted cost and what speaks against it."""

    def __init__(self, problem: Problem, facts: Facts, work: str, m: cost.Machine):
        self.problem, self.facts, self.work, self.machine = problem, facts, work, m
        self.complex = problem.dtype.kind == "c"
        self.planes = (2 if problem.signal_dtype.kind == "c" else 1) * (2 if problem.taps_dtype.kind == "c" else 1)
        self.real = work if work in ("float32", "float64") else "float64" if work == "exact" else work
        self.lengths = {"overlap_save": self._blocks(), "fft": self._whole()}
        found = map(self.candidate, ("direct", "separable", "overlap_save", "fft"))
        self.all = sorted((c for c in found if c), key=lambda c: c.shared)

    def candidate(self, method: str) -> Candidate | None:
        """One method, or None where it does not apply."""
        if method == "direct":
            return self._direct()
        return self._separable() if method == "separable" else self._fourier(method)

    def named(self, method: str) -> Candidate:
        return next(c for c in self.all if c.method == method)

    def decision(self, method: str, tau: float | None) -> Decision:
        best = self.named(method).shared or 1.0
        others = tuple(
            c if c.why or c.method == method else replace(c, why=f"{c.shared / best:.1f}× the time") for c in self.all
        )
        fourier = method in ("fft", "overlap_save")
        return Decision(
            method,
            self.work,
            self.lengths[method] if fourier else (),
            tau if fourier else None,
            self._fallback(tau) if fourier else "none",
            others,
        )

    def _fallback(self, tau: float | None) -> str:
        if self.problem.dtype.kind in "iu":
            return "blocks whose rounding is not proven below 1/2: direct in int64"
        if tau is None:
            return "none (forced)"
        again = "the block in float64, then " if self.real == "float32" else ""
        return f"outputs beyond the promise: {again}single outputs directly"

    def _direct(self) -> Candidate:
        w = cost.direct(self.problem, self.real, self.planes, self.machine)
        return Candidate(
            "direct", w.seconds, w.multiplications, w.bytes, _gamma_text(self.problem, self.work), "", w.shared
        )

    def _separable(self) -> Candidate | None:
        if not self.facts.terms:
            return None
        w = cost.separable(self.problem, self.real, self.planes, self.facts.terms, self.machine)
        bound = _gamma_text(self.problem, self.work)
        if self.facts.truncation:
            bound = f"{self.facts.truncation:.1e}·max|x|"
        return Candidate("separable", w.seconds, w.multiplications, w.bytes, bound, "", w.shared)

    def _fourier(self, method: str) -> Candidate:
        lengths = self.lengths[method]
        if method == "fft" and is_long(self.problem, lengths):
            w = cost.long_fourier(self.problem, self.real, self.complex, self.machine)
        else:
            w = cost.fourier(self.problem, self.real, self.complex, lengths, self.machine)
        why = self._why_not(method, lengths)
        return Candidate(method, w.seconds, w.multiplications, w.bytes, self._promise(), why, w.shared)

    def _vouched(self, lengths: tuple[int, ...]) -> bool:
        """True if the guard will pass blocks of an even signal: margin·u·log₂N·√(N/K)·room ≤ τ (semantics 17 a)."""
        if self.problem.dtype.kind in "iu":
            return True
        n, taps = prod(lengths), prod(a.reach * a.in_parts for a in self.problem.lattices)
        unit = UNIT[self.real] * MARGIN[self.real]
        return (
            ROOM * unit * log2(max(2, n)) * (n * prod(a.in_parts for a in self.problem.lattices) / taps) ** 0.5
            <= TAU[self.real]
        )

    def _promise(self) -> str:
        if self.problem.dtype.kind in "iu":
            return "exact or direct"
        return f"{TAU[self.real]:.0e}·‖h‖₂·‖x̃‖₂"

    def _why_not(self, method: str, lengths: tuple[int, ...]) -> str:
        if self.problem.dtype.kind in "iu" and self.work != "float32":
            return "unproven rounding"
        if not self._vouched(lengths):
            return "beyond the promise"
        if method == "fft" and prod(lengths) > 1 << 25:
            return "too much memory"
        return ""

    def _whole(self) -> tuple[int, ...]:
        """One block per axis that holds everything."""
        return tuple(
            _even_smooth(-(-n // a.out_parts) + a.reach - 1) if axis in self.problem.filtered else 1
            for axis, (n, a) in enumerate(zip(self.problem.outputs, self.problem.lattices, strict=True))
        )

    def _blocks(self) -> tuple[int, ...]:
        """The block lengths of least predicted time, the same growth on every axis."""
        filtered, lattices = self.problem.filtered, self.problem.lattices
        whole = self._whole()
        smooth = [
            tuple(
                min(whole[a], _even_smooth(max(lat.reach * (1 + 2 ** (grow / 2 - 1.5)), 16))) if a in filtered else 1
                for a, lat in enumerate(lattices)
            )
            for grow in range(16)
        ]
        return self._best(self._powers(whole), whole) or self._best(smooth, whole)

    def _best(self, choices: list[tuple[int, ...]], whole: tuple[int, ...]) -> tuple[int, ...]:
        """The lengths of least predicted time that the guard will pass, or the whole; () where there are none."""
        best: tuple[float, tuple[int, ...]] = (float("inf"), ())
        for lengths in choices:
            if not self._vouched(lengths) and lengths != whole:
                continue
            seconds = cost.fourier(self.problem, self.real, self.complex, lengths, self.machine).shared
            best = min(best, (seconds, lengths))
        return best[1]

    def _powers(self, whole: tuple[int, ...]) -> list[tuple[int, ...]]:
        """Powers of two for blocks that `kernels.tree` can split, from the taps' length to that of everything."""
        if self.real not in ("float32", "float64") or not cost.plain(self.problem, self.complex):
            return []
        filtered, reach = tuple(self.problem.filtered), [a.reach for a in self.problem.lattices]
        if len(filtered) == 1 and 8 * reach[filtered[0]] > self.problem.outputs[filtered[0]]:
            return []  # the ends, where the guard looks closely, are much of it
        last = len(whole) - 1
        beside = () if len(filtered) > 1 or last in filtered else (last,)  # columns are split side by side
        found: list[tuple[int, ...]] = []
        for some in {filtered, filtered + beside}:
            sizes: dict[int, tuple[int, ...]] = {a: (1,) for a in range(len(whole))}
            for a, ends in zip(some, cost.TREE[len(some)], strict=True):
                room = min(2 * whole[a], 64 * reach[a]) if a in filtered else 2 * self.problem.outputs[a]
                sizes[a] = tuple(n for n in _powers(*ends) if 2 * reach[a] <= n < room)
            found += product(*(sizes[a] for a in range(len(whole))))
        return found


def _powers(least: int, most: int) -> list[int]:
    return [1 << e for e in range(least.bit_length() - 1, most.bit_length())]


@lru_cache(maxsize=1024)
def _even_smooth(n: float) -> int:
    """Smallest even product of 2, 3 and 5 that is at least n."""
    n = max(2, int(np.ceil(n)))
    best = 1 << (n - 1).bit_length()
    five = 1
    while five < best:
        three = five
        while three < best:
            best = min(best, three << max(1, (-(-n // three) - 1).bit_length()))
            three *= 3
        five *= 5
    return best
