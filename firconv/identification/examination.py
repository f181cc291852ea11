"""The order of the questions: each stage rests on the one before, and whatever stops it becomes evidence."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from firconv.conventions import LAST, Axis, Convention, Size
from firconv.identification import ends, lattice, properties, types
from firconv.identification.calls import BlackBox, Refused, Stop, takes_taps
from firconv.identification.found import NORMALISERS, Found, exchanged
from firconv.identification.probe import TAPS, Probe, largest, start
from firconv.systems import FIR

#: Long enough taps to see three samples beyond each end.
WIDE = {1: (7,), 2: (5, 7), 3: (3, 3, 7)}


def examine(f: Callable[..., Any], ndim: int, taps: bool | None, limit: float, seed: int) -> Found:
    """Everything that can be found out about `f` within `limit` seconds."""
    known = takes_taps(f) if taps is None else taps
    forms = [known] if known is not None else [True, False]
    for with_taps in forms:
        exam = Examination(BlackBox(f, with_taps, limit), ndim, seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = exam.run()
        if exam.started:
            break
    return found


class Examination:
    """One run of all stages; `facts` fills up as they succeed."""

    def __init__(self, box: BlackBox, ndim: int, seed: int):
        self.box, self.probe = box, Probe(box, ndim, seed)
        self.facts: dict[str, Any] = {}
        self.evidence: list[str] = []
        self.started = False
        self.gain: complex = 1.0
        self.inside: np.ndarray | None = None

    def run(self) -> Found:
        """All stages, until one of them shows that there is no filter here or the time is over."""
        try:
            for stage in (
                self._start,
                self._repeatable,
                self._linear,
                self._responses,
                self._ends,
                self._types,
                self._short,
                self._verify,
            ):
                if self.evidence:
                    break
                stage()
        except Refused as no:
            self.evidence.append(f"it fails for some signals: {no}")
        except Stop as why:
            self.evidence.append(str(why))
        probe = self.probe
        return Found(
            probe.ndim,
            self.box.with_taps,
            precision=probe.precision,
            evidence=tuple(self.evidence),
            findings=tuple(self.box.findings),
            calls=self.box.calls,
            seconds=self.box.seconds,
            **self.facts,
        )

    # ---- is it a filter? --------------------------------------------------------------------------------------

    def _start(self) -> None:
        start(self.probe)
        self.started = True
        refused = list(self.probe.refusals)
        if refused:
            self.box.note(f"refuses {', '.join(refused)}: {self.probe.refusals[refused[0]]}")

    def _repeatable(self) -> None:
        self.facts["repeatable"], no = properties.repeatable(self.probe)
        self.evidence += [no] if no else []

    def _linear(self) -> None:
        zero, no = properties.linear(self.probe)
        offset = bool(np.abs(np.nan_to_num(zero)).any())
        self.facts["affine"] = no is None
        self.facts["linear"] = no is None and not offset
        self.evidence += [f"not linear: {no}"] if no else []

    def _responses(self) -> None:
        probe = self.probe
        found = properties.responses(probe, probe.taps)
        periods, varies = properties.steps(probe, found)
        if varies:
            self.facts["shift_invariant"] = False
            self.evidence.append(f"varies with time: {varies}")
            return
        self.facts["shift_invariant"] = all(step == (1, 1) for step in periods)
        if self.box.with_taps:
            self._outer(found, periods)
        else:
            self._inner(periods)

    # ---- which filter? ----------------------------------------------------------------------------------------

    def _outer(self, found: lattice.Responses, periods: list[tuple[int, int]]) -> None:
        probe, h = self.probe, self.probe.taps
        self.gain = lattice.scale_of(probe, found, h)
        met = lattice.meetings(found, h, self.gain)
        grids = [lattice.solve(met, a, periods[a], h.shape[a]) for a in range(probe.ndim)]
        flips = {g.flipped for g in grids} - {None}
        if len(flips) > 1:
            raise Stop(
                "it turns the taps round along some axes only: "
                f"{[a for a, g in enumerate(grids) if g.flipped]} of {probe.ndim}"
            )
        op = "convolve" if True in flips else "correlate"
        seen, gains = lattice.sights(probe, grids, self.gain)
        axes = tuple(lattice.axis_of(g, seen, a) for a, g in enumerate(grids))
        self._state(Convention(op, axes), {"convolve": "convolution", "correlate": "correlation"}[op])
        self._normalised(gains)

    def _inner(self, periods: list[tuple[int, int]]) -> None:
        probe = self.probe
        w, lead = lattice.inner_taps(probe, properties.centre(probe.shape), periods)
        grids = [lattice.Grid(q, p, 1, True, v) for (p, q), v in zip(periods, lead, strict=True)]
        seen = lattice.inner_sights(probe, grids, w.shape)
        axes = tuple(_settled(lattice.axis_of(g, seen, a), w.shape[a]) for a, g in enumerate(grids))
        self.inside = np.ascontiguousarray(w[(slice(None, None, -1),) * w.ndim])
        self._state(Convention("convolve", axes), "filter")
        origin = [k - 1 - v for k, v in zip(w.shape, lead, strict=True)]
        self.facts["fir"] = FIR(self.inside, origin=origin[0] if probe.ndim == 1 else tuple(origin))
        if probe.kind.kind in "fc":
            self._turned()

    def _turned(self) -> None:
        """Whether a filter with fixed taps conjugates its signal: f(jx) = ±j·f(x)."""
        x, h = self.probe.signal().astype(complex), self.probe.taps
        try:
            a, b = self.box(x, h), self.box(1j * x, h)
        except Refused:
            self.facts["conjugated"] = None
            return
        names = {1: "none", -1: "signal"}
        self.facts["conjugated"] = next(
            (n for s, n in names.items() if self.probe.difference(b, s * 1j * a) < 1e-4), "dropped"
        )

    def _state(self, convention: Convention, operation: str) -> None:
        self.model = convention
        self.facts.update(convention=convention, operation=operation)

    def _normalised(self, gains: list[tuple[np.ndarray, complex]]) -> None:
        """Gain by the rule that fits all taps: a constant, or one over a norm of them."""
        if self.probe.kind.kind in "fc":
            h = self.probe.taps.copy()
            h.flat[0] *= -1
            gains = [*gains, (h, self._gain_for(h))]
        for name, norm in (("", lambda h: 1.0), *NORMALISERS.items()):
            scaled = np.array([g * norm(h.astype(float)) for h, g in gains])
            if np.abs(scaled - scaled[0]).max() <= max(self.probe.tolerance, 1e-9) * abs(scaled[0]):
                self.gain = lattice._plain(scaled[0])
                self.facts.update(gain=self.gain, normalised=name or None)
                return
        self.evidence.append(
            "its gain depends on the taps in a way that this library does not know: "
            + ", ".join(f"{g:.5g} for taps of sum {h.sum():g}" for h, g in gains[:3])
        )

    def _gain_for(self, h: np.ndarray) -> complex:
        probe = self.probe
        zero, c = probe.ask(np.zeros(probe.shape, probe.kind), h), properties.centre(probe.shape)
        found = {}
        for phase in np.ndindex(*(a.down for a in self.model.axes)):
            at = tuple(a + b for a, b in zip(c, phase, strict=True))
            found[at] = lattice._cut(probe, probe.ask(probe.impulse(at), h) - zero)
        return lattice.scale_of(probe, found, h, self.gain)

    def _scale(self, h: np.ndarray) -> complex:
        name = self.facts.get("normalised")
        return (
            self.gain / NORMALISERS[name](h.astype(complex).real if h.dtype.kind != "c" else h) if name else self.gain
        )

    # ---- the rest ---------------------------------------------------------------------------------------------

    def _ends(self) -> None:
        probe = self.probe
        h = self.inside
        if h is None:
            h = probe.primes(WIDE[probe.ndim])
        seen = ends.find(probe, self.model, self._scale(h), h)
        self.facts["ends"] = seen
        if seen.evidence:
            self.evidence += seen.evidence
        self._state(seen.applied(self.model), self.facts["operation"])
        if self.inside is None and not self.facts.get("normalised"):
            self.facts["pattern"] = ends.pattern(probe, self.model, self.gain, WIDE[probe.ndim])
        if not self.facts["linear"] and seen.value == 0:
            self.evidence.append("not linear: it adds something of its own to the result: f(0) is not 0")

    def _types(self) -> None:
        probe = self.probe
        if self.inside is None:
            self.facts["conjugated"] = types.conjugation(probe, self.model, self._scale)
        found = types.table(probe)
        self.facts.update(types=found, type_rule=types.rule(found))
        self.facts["nan"], self.facts["nan_count"] = types.nan_reach(probe, self.model, self.inside)
        how = types.casting(probe, found, self.model, self.gain, self.inside)
        self.facts["casting"] = how
        if how == "unknown":
            self.box.note("small integers are rounded or wrapped by no rule that this library knows: use floats")
        c = self.facts.get("conjugated")
        conjugated = c if c in ("taps", "signal", "none") else "none"
        self._state(Convention(self.model.op, self.model.axes, conjugated), self.facts["operation"])

    def _short(self) -> None:
        """What happens where the taps are longer than the signal."""
        if self.inside is not None:
            return
        answers = []
        for n, k in ((4, 7), (3, 8), (2, 11)):
            x, h = self.probe.signal((n,) * self.probe.ndim), self.probe.primes((k,) * self.probe.ndim)
            answers.append(self._answer(x, h))
        self.facts["short"] = answers[0] if len(set(answers)) == 1 else "differs"

    def _answer(self, x: np.ndarray, h: np.ndarray) -> str:
        try:
            y = self.probe.ask(x, h)
        except Refused:
            return "refused"
        for name, model in (("same", self.model), ("exchanged", lambda x, h: exchanged(self.model, x, h))):
            try:
                if self.probe.same(y, model(x, h) * self._scale(h)):
                    return name
            except ValueError:
                continue
        return "differs"

    def _verify(self) -> None:
        """New random signals of random lengths: what was found must give the same numbers."""
        worst, compared = 0.0, 0
        for trial in range(8):
            x, h = self._random(trial)
            try:
                y = self.probe.ask(x, h)
            except Refused as no:
                self.box.note(
                    f"with {_by(h.shape)} taps it fails: {no}"
                    if self.inside is None
                    else f"for a signal of {_by(x.shape)} samples it fails: {no}"
                )
                continue
            z = self.model(x, self.inside if self.inside is not None else h) * self._scale(h)
            unequal = self._unequal(x, h, y, z)
            if unequal:
                self.evidence.append(f"not explained: {unequal}")
                return
            worst, compared = max(worst, self.probe.difference(y, z)), compared + 1
        self.facts["error"] = worst if compared else None
        if compared < 3:
            self.evidence.append("not confirmed: it fails for most lengths of signal and taps")

    def _unequal(self, x: np.ndarray, h: np.ndarray, y: np.ndarray, z: np.ndarray) -> str:
        """How a result differs from the prediction, or nothing."""
        what = f"for a signal of {_by(x.shape)} samples" + (f" and {_by(h.shape)} taps" if self.inside is None else "")
        if y.shape != z.shape:
            return f"{what} the result has shape {y.shape}, and what was found predicts {z.shape}"
        if self.probe.difference(y, z) <= max(self.probe.tolerance, 1e-10):
            return ""
        at, v, w = largest(y, z)
        return f"{what} output {at} is {v:.6g}, and what was found predicts {w:.6g}"

    def _random(self, trial: int) -> tuple[np.ndarray, np.ndarray]:
        probe, rng = self.probe, self.probe.rng
        k = tuple(int(v) + trial % 2 * 2 for v in TAPS[probe.ndim])
        if trial > 1 and not any("taps it fails" in s for s in self.box.findings):
            k = tuple(int(v) for v in rng.integers(1, 8, probe.ndim))
        inner = k if self.inside is None else self.inside.shape
        n = tuple(
            max(9, 2 * a.reach.at(0, v)) + int(rng.integers(2, 40 // probe.ndim))
            for a, v in zip(self.model.axes, inner, strict=True)
        )
        if probe.kind.kind in "iu":
            return probe.signal(n), probe.primes(k) if probe.kind == np.uint8 else probe.signal(k)
        return rng.standard_normal(n).astype(probe.kind), rng.standard_normal(k).astype(probe.kind)


def _by(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))


def _settled(axis: Axis, taps: int) -> Axis:
    """Lead and room as numbers, full and valid aside: for one length of taps other forms in K would be made up."""
    lead, room, width = axis.lead.at(0, taps), Size(one=axis.room.at(0, taps), n=axis.room.n), taps - 1
    full, valid = (lead, room) == (width, Size(width)), (lead, room) == (0, Size(-width))
    if width and (full or valid):
        return Axis(LAST * full, LAST * (1 if full else -1), axis.up, axis.down)
    return Axis(Size(lead), room, axis.up, axis.down)
