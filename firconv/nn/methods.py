"""The algorithms of layers beside the general engine's: a table that `plans` asks.

Each names two functions. ``candidate(problem)`` says from the problem alone what the algorithm would cost, or None
where it does not apply; it must not load compiled code. ``runner(problem, weights)`` prepares the weights
(groups, O/groups, I/groups, *K) once and returns what runs it:

    run(x, out, bias, workers)      x (N, C, *lengths) any strides, out (N, O, *outputs) C-contiguous,
                                    both of the problem's dtype; bias (O,) of that dtype, or None

Where ``run.reads``, other weights of the same shape can be used as they lie, C-contiguous: ``run(…, workers, weights)``
returns whether they are such as the choice of the method asks for; if not, `out` is not the result.

The bits of the result may not depend on `workers`, NaN and Inf stay in the footprint of the defining sum, and neither
x nor the weights are written. The problem's first axis is the batch (one tap).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from firconv.nn import dense, depthwise, winograd
from firconv.planner import Candidate
from firconv.problem import Problem

Run = Callable[..., bool | None]


@dataclass(frozen=True)
class Method:
    """One algorithm: its name, what it would cost, how it is prepared, and why some weights are not for it."""

    name: str
    candidate: Callable[[Problem], Candidate | None]
    runner: Callable[[Problem, np.ndarray], Run]
    objection: Callable[[np.ndarray], str] = lambda weights: ""


#: In addition to the engine's direct, overlap_save, fft and reference.
METHODS: tuple[Method, ...] = (
    Method("winograd", winograd.candidate, winograd.Winograd, winograd.objection),
    Method("gemm", dense.candidate, dense.Dense),
    Method("depthwise", depthwise.candidate, depthwise.Depthwise),
)
