"""The defining sum in plain loops: for reading, and as the oracle of every other kernel. Never fast."""

from __future__ import annotations

from itertools import product

import numpy as np

from firconv.problem import Problem


def correlate(
    problem: Problem, weights: np.ndarray, x: np.ndarray, present: np.ndarray, start: tuple[int, ...], out: np.ndarray
) -> None:
    """y[o, n] = Σ_i Σ_k w[o, i, k]·x̃[i, n·down + k·dilation − pad], term by term.

    Parameters
    ----------
    weights : (O, I, *K)
    x : (I, *M), samples start … start + M − 1 of the extended signal x̃ before stuffing
    present : (*M), False where a sample is an absent term
    out : (O, *outputs), overwritten
    """
    axes = range(len(problem.signal))
    for n in product(*map(range, out.shape[1:])):
        for o in range(weights.shape[0]):
            total = out.dtype.type(0)
            for i in range(weights.shape[1]):
                for k in product(*map(range, problem.taps)):
                    at = [n[a] * problem.down[a] + k[a] * problem.dilation[a] - problem.pad[a] for a in axes]
                    if any(at[a] % problem.up[a] for a in axes):
                        continue  # a stuffed zero is an absent term
                    m = tuple(at[a] // problem.up[a] - start[a] for a in axes)
                    if present[m]:
                        total = total + weights[(o, i, *k)] * x[(i, *m)]
            out[(o, *n)] = total
