"""A layer seen as a bank of filters: one FIR from every input channel to every output channel.

A layer of weights w, padding p and dilation d computes y_o[n] = Σ_i Σ_k w[o, i, k]·x̃_i[n·s + k·d − p]. That is the
convolution with the flipped weights, h_oi[j] = w[o, i, K−1−j], whose origin is (K−1)·d − p, decimated by s. Before the
decimation an exponential e^{2πj·f·t} in the channels x comes out as H(f)·x, with the matrix

    H_oi(f) = Σ_k w[o, i, k]·exp(2πj·f·(k·d − p))
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from firconv.frequencies import grid_of, units
from firconv.nn import words
from firconv.nn.windows import unpadded
from firconv.operators import terms
from firconv.problem import Problem
from firconv.systems import FIR

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from firconv.nn.layers import Conv

__all__ = ["fir", "frequency_response", "matrix", "response_at"]


def fir(layer: Conv, o: int, i: int) -> FIR:
    """The system from input channel i to output channel o; see `Conv.fir`."""
    outs, ins = layer.channels
    if not (0 <= o < outs and 0 <= i < ins):
        raise ValueError(f"fir(o={o!r}, i={i!r}): the layer goes from {ins} channels to {outs}; count from 0")
    own = ins // layer.groups
    group = o // (outs // layer.groups)
    taps = layer.w[o, i % own] if i // own == group else np.zeros_like(layer.w[0, 0])
    reach = layer.reaches(layer.ndim)
    system = FIR(np.flip(taps), [r.taps - 1 for r in reach]).dilate([r.dilation for r in reach])
    return system.delay([r.low for r in reach])


def frequency_response(layer: Conv, freqs: Any = None, *, n: Any = None, band: Any = None,
                       whole: bool = False) -> tuple[Any, np.ndarray]:
    """(f, H): the matrix of responses; see `Conv.frequency_response`."""
    system = fir(layer, 0, 0)
    grid = grid_of(system, freqs, n, band, whole)
    outs, ins = layer.channels
    H = np.zeros((outs, ins, *(f.size for f in grid.f)), complex)
    own_outs, own_ins = outs // layer.groups, ins // layer.groups
    for g in range(layer.groups):
        rows = slice(g * own_outs, (g + 1) * own_outs)
        H[rows, g * own_ins:(g + 1) * own_ins] = _over_grid(layer.w[rows], layer, grid.f)
    return units(grid, system), H


def _over_grid(w: np.ndarray, layer: Conv, f: tuple[np.ndarray, ...]) -> np.ndarray:
    """H on a grid: one axis of taps after the other becomes an axis of frequencies."""
    H = w.astype(complex)
    for freqs, reach in zip(f, layer.reaches(layer.ndim), strict=True):
        H = np.tensordot(H, _waves(freqs, reach), axes=(2, 1))  # the next axis of taps, its frequencies go last
    return H


def _waves(f: np.ndarray, reach: Any) -> np.ndarray:
    """exp(2πj·f·(k·d − p)), one row per frequency; the angle is reduced to one turn first."""
    turns = np.multiply.outer(f, np.arange(reach.taps) * reach.dilation - reach.low)
    return np.exp(2j * np.pi * (turns - np.round(turns)))


def response_at(layer: Conv, points: Sequence[np.ndarray]) -> np.ndarray:
    """H without the phase of the padding at scattered frequencies, shape (points, groups, outs, ins per group).

    `points` holds one array per axis, all of one length, in cycles per sample.
    """
    waves = np.ones((len(points[0]), 1), complex)
    for f, r in zip(points, unpadded(layer), strict=True):
        waves = (waves[:, :, None] * _waves(f, r)[:, None, :]).reshape(len(f), -1)
    outs, ins = layer.channels
    w = layer.w.reshape(outs * ins // layer.groups, -1)
    H = waves @ w.T.astype(complex)
    return H.reshape(len(waves), layer.groups, outs // layer.groups, ins // layer.groups)


def problem_of(layer: Conv, lengths: Sequence[int], boundary: Any = None) -> Problem:
    """The engine's description of the layer on one map of these lengths."""
    rules = layer.boundary if boundary is None else boundary
    call = words.Words("Conv", layer.stride, layer.padding, layer.dilation, layer.groups, rules)
    shape = (1, layer.channels[1], *lengths)
    kind = layer.w.dtype
    return words.forward(call, shape, layer.w.shape, (kind, kind))


def matrix(layer: Conv, lengths: Sequence[int], boundary: Any = None) -> csr_array:
    """The sparse matrix of the layer without bias; see `Conv.matrix`."""
    from scipy.sparse import coo_array

    problem = problem_of(layer, lengths, boundary)
    if any(rule.name == "omit" for ends in problem.boundary for rule in ends):
        raise ValueError("matrix(…, boundary='omit'): a layer that renormalises has another matrix for every filter; "
                         "use 'zero' or FIR.matrix of its filters")
    outputs, taps, samples, factors = terms(problem, range(1, len(problem.signal)))
    outs, ins = layer.channels
    own_outs, own_ins = outs // layer.groups, ins // layer.groups
    o, i = np.divmod(np.arange(outs * own_ins), own_ins)  # pairs of an output channel and a channel of its group
    weights = layer.w.reshape(outs * own_ins, -1)
    factors = factors.astype(weights.dtype) if weights.dtype.kind in "iu" else factors
    many, few = int(np.prod(problem.outputs)), int(np.prod(problem.signal))
    rows = o[:, None] * many + outputs
    columns = (i + o // own_outs * own_ins)[:, None] * few + samples
    values = weights[:, taps] * factors
    return coo_array((values.ravel(), (rows.ravel(), columns.ravel())), shape=(outs * many, ins * few)).tocsr()
