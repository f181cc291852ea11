"""Step 6, deliver: the result's type, casts that round and saturate, exact integers, and `out=`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from firconv import execution, planner, tiles
from firconv.planner import Decision
from firconv.problem import Problem

if TYPE_CHECKING:
    from firconv.plans import Plan


def result_type(op: str, problem: Problem, dtype: Any) -> np.dtype:
    """The dtype of the result: the sum's own, or the one asked for.

    Raises
    ------
    TypeError
        For a dtype that holds no numbers, and for a real one where the sum is complex.
    """
    if dtype is None:
        return problem.dtype
    try:
        asked = np.dtype(dtype)
    except TypeError:
        raise TypeError(f"{op}(x, h): dtype={dtype!r} is no NumPy dtype") from None
    if asked.kind not in "iufc":
        raise TypeError(f"{op}(x, h): dtype={dtype!r} holds no sums: use an integer, float or complex dtype")
    if problem.dtype.kind == "c" and asked.kind != "c":
        raise TypeError(
            f"{op}(x, h): dtype={dtype!r} cannot hold the complex result: take .real or .imag of it yourself"
        )
    return asked.newbyteorder("=")


def target(plan: Plan, x: np.ndarray, out: np.ndarray | None) -> np.ndarray:
    """The array that the tasks fill: `out` itself where that is safe, else a new one."""
    wanted = sum_type(plan)
    if out is None:
        return np.empty(plan.shape, wanted)
    op = plan.call.op
    if not isinstance(out, np.ndarray) or out.shape != plan.shape:
        raise ValueError(
            f"{op}(x, h): out has shape {np.shape(out)}, the result has {plan.shape}: pass an array of that shape"
        )
    if not out.flags.writeable:
        raise ValueError(f"{op}(x, h): out is read-only: pass a writable array")
    if not np.can_cast(plan.dtype, out.dtype, "same_kind"):
        raise TypeError(
            f"{op}(x, h): out has dtype {out.dtype}, which cannot take a {plan.dtype} result (same-kind casts only)"
        )
    if np.may_share_memory(out, x) or np.may_share_memory(out, plan._h) or out.dtype != wanted:
        return np.empty(plan.shape, wanted)
    return out


def sum_type(plan: Plan) -> np.dtype:
    """What the tasks write: the result's type, or 64 bits for integers that must be checked for overflow first."""
    return plan.problem.dtype if plan.problem.dtype.kind in "iu" and plan.decision.work == "exact" else plan.dtype


def finish(plan: Plan, y: np.ndarray, out: np.ndarray | None) -> np.ndarray:
    """The caller's result: `y`, cast and copied where it has to be."""
    if y.dtype != plan.dtype:
        narrow = np.empty(y.shape, plan.dtype)
        cast(y, narrow)
        y = narrow
    if out is None or out is y:
        return y if out is not None or y.ndim else y[()]
    np.copyto(out, y, casting="same_kind")
    return out


def cast(raw: np.ndarray, target: np.ndarray) -> None:
    """Put computed values into the target's type: once for floats, rounded and saturated for integers.

    Raises
    ------
    ValueError
        For NaN that should become an integer.
    """
    if target.dtype.kind not in "iu":
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            np.copyto(target, raw, casting="unsafe")
        return
    limits = np.iinfo(target.dtype)
    if raw.dtype.kind in "fc":
        if np.isnan(raw).any():
            raise ValueError(
                f"the result holds NaN, which {target.dtype} cannot: leave dtype= a float, or clean the signal"
            )
        raw = np.rint(raw)
        below, above = raw <= limits.min, raw >= limits.max
        with np.errstate(invalid="ignore"):
            np.copyto(target, raw, casting="unsafe")
        target[below], target[above] = limits.min, limits.max
        return
    if np.can_cast(raw.dtype, target.dtype, "safe"):
        np.copyto(target, raw)
        return
    own = np.iinfo(raw.dtype)
    np.copyto(
        target, np.clip(raw, max(int(limits.min), int(own.min)), min(int(limits.max), int(own.max))), casting="unsafe"
    )


# ── integers ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def peak(plan: Plan, x: np.ndarray) -> float:
    """The largest |x̃| (an upper bound): of the samples and the boundary's constants."""
    low, high = (int(x.min()), int(x.max())) if x.dtype.kind != "b" else (0, 1)
    found = float(max(-low, high))
    rules = [rule for ends in plan.problem.boundary for rule in ends]
    if any(rule.name == "antireflect" for rule in rules):
        turns = max(
            2 + 2 * -(-k * d // max(1, n - 1))
            for k, d, n in zip(plan.problem.taps, plan.problem.dilation, plan.problem.signal, strict=True)
        )
        found *= (1 + 2 * turns) ** len(plan.problem.signal)
    return max([found, *(abs(rule.value) for rule in rules if rule.name == "constant")])


def exact_work(plan: Plan, x: np.ndarray) -> str:
    """Arithmetic that is exact for these integers: doubles below 2⁵³, else 64-bit integers.

    An FFT stays "exact", its rounding checked block by block, as long as doubles hold samples and taps.
    """
    largest, norm = peak(plan, x), plan.facts.norm1
    if plan.decision.method in ("fft", "overlap_save"):
        return "exact" if max(largest, norm) < 2.0**53 else "int64"
    return "float64" if largest * norm < 2.0**53 else "int64"


def check_overflow(plan: Plan, x: np.ndarray, y: np.ndarray, grid: tiles.Grid | None = None) -> None:
    """Raise if any output of an integer problem does not fit; y holds the outputs modulo 2⁶⁴.

    Proofs, cheapest first: dtype range × ‖h‖₁ (`planner.exact`), max|x|·‖h‖₁, a sum in doubles with its error bound,
    and Python integers where that leaves doubt.

    Raises
    ------
    OverflowError
        If and only if a requested output lies outside the result's range.
    """
    if plan.decision.work != "exact":
        return
    limits = np.iinfo(plan.problem.dtype)
    bound = peak(plan, x) * plan.facts.norm1
    if bound < 2.0**63 and not (limits.min == 0 and negative(plan, x)):
        return
    approximate = _again(plan, x, "float64", y.shape, grid).astype(np.longdouble)
    slack = planner.gamma(planner.terms(plan.problem) + 3, 2.0**-53) * bound + 1
    if np.any(approximate > limits.max + slack) or np.any(approximate < limits.min - slack):
        _overflow(plan)
    if np.any(approximate > limits.max - slack) or np.any(approximate < limits.min + slack):
        exact = _again(plan, x, "object", y.shape, grid)
        if any(not limits.min <= int(v) <= limits.max for v in exact.ravel()):
            _overflow(plan)


def negative(plan: Plan, x: np.ndarray) -> bool:
    """True where a negative term is possible: in the samples, the taps, or beyond the ends."""
    for rule in (rule for ends in plan.problem.boundary for rule in ends):
        if rule.name in ("antisymmetric", "antireflect") or (rule.name == "constant" and rule.value.real < 0):
            return True
    return bool((x < 0).any() or (plan._weights < 0).any())


def _overflow(plan: Plan) -> None:
    raise OverflowError(
        f"{plan.call.op}(x, h): an output does not fit {plan.problem.dtype}, and integers are never wrapped: "
        "convert x to float64, or scale it down"
    )


def _again(plan: Plan, x: np.ndarray, work: str, shape: tuple[int, ...], grid: tiles.Grid | None) -> np.ndarray:
    """The same sums in another arithmetic, directly."""
    grid = grid or tiles.Grid(plan.problem, plan.problem.lattices)
    method = "shifted" if work == "object" else "direct"
    decision = Decision(method, work, (), None, "none", ())
    y = np.empty(shape, object if work == "object" else work)
    weights = plan._weights.astype(object) if work == "object" else plan._weights
    lasts = plan.shape[plan.layout.outs[-1]] if plan.layout.outs else 1
    for (at, outs), (signal, result) in zip(plan._index(), plan._pairs(x, y), strict=True):
        flat = int(np.ravel_multi_index(at, [plan.shape[d] for d in plan.layout.groups])) if at else 0
        o = int(np.ravel_multi_index(outs, [plan.shape[d] for d in plan.layout.outs[:-1]])) * lasts if outs else 0
        run = execution.runner(plan.problem, decision, weights[flat, o : o + lasts][:, None], work)
        for box in run.boxes(grid):
            run.fill(grid, box, signal, result[(slice(None), *grid.outputs(box))])
    return y
