"""How much a layer can amplify: singular values of its linear map, exact, bounded, or converged.

On a ring (boundary "wrap", as many outputs as samples) the map is diagonal in frequency: its singular values are those
of the matrices H(θ), or with stride s of [H(θ/s + k/s)]ₖ/√s, over the frequencies θ of the output. Every other layer is
a part of such a ring: with the extension x̃ = E·x of n samples to M = n + lo + hi, y = P·C_M·E·x with a selection P, so

    σ_max ≤ σ_max(C_M)·∏‖E_axis‖        ‖E‖ = 1 for zeros

is certain, also for the zero-padded layer, whose M is n + K − 1 (a ring of n is no bound). Source: Sedghi, Gupta, Long,
"The Singular Values of Convolutional Layers", ICLR 2019.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, prod
from typing import TYPE_CHECKING, Any

import numpy as np

from firconv import boundary as bd
from firconv.nn import bank
from firconv.nn.windows import unpadded
from firconv.problem import Problem

if TYPE_CHECKING:
    from firconv.nn.layers import Conv

__all__ = ["SingularValues", "gain", "lipschitz", "singular_values"]

#: Entries of H held at once; rows or columns up to which a map is decomposed as a dense matrix; vectors of Lanczos.
CHUNK, DENSE, BASIS = 1 << 21, 1200, 96


@dataclass(frozen=True, eq=False)
class SingularValues:
    """The gains of a layer's map, largest first.

    Attributes
    ----------
    values : all of them, or the largest few where `method` is "iteration"
    bound : no gain is larger, with certainty; equal to the largest where `exact`
    exact : True if the values follow from the frequencies of a ring
    method : "frequencies", "dense" (of the matrix), "iteration" (of the operator)
    error : how far a value may be from a true one, from the residual of the iteration; else 0
    """

    values: np.ndarray
    bound: float
    exact: bool
    method: str
    error: float = 0.0

    @property
    def largest(self) -> float:
        """The spectral norm of the map."""
        return float(self.values[0])

    @property
    def smallest(self) -> float:
        """The smallest gain.

        Raises
        ------
        ValueError
            Where only the largest were computed.
        """
        if self.method == "iteration":
            raise ValueError(f"SingularValues.smallest: only the {self.values.size} largest were computed; ask for a "
                             "smaller shape, or for boundary='wrap'")
        return float(self.values[-1])

    def __str__(self) -> str:
        kind = {"frequencies": "exact, from the frequencies of the ring", "dense": "from the matrix",
                "iteration": f"converged to ±{self.error:.1e}"}[self.method]
        rest = "" if self.method == "iteration" else f" … {self.values[-1]:.6g}"
        return f"{self.values.size} singular values {self.values[0]:.6g}{rest} ({kind}); none above {self.bound:.6g}"


def singular_values(layer: Conv, lengths: Sequence[int], boundary: Any = None, count: int = 6) -> SingularValues:
    """The singular values on maps of these lengths; see `Conv.singular_values`."""
    problem = bank.problem_of(layer, lengths, boundary)
    for ends in problem.boundary:
        if any(rule.name in ("omit", "constant") for rule in ends):
            raise ValueError(f"singular_values(…, boundary={layer.boundary if boundary is None else boundary!r}): "
                             "gains are those of a linear map; use zeros, wrap, edge, reflect or symmetric")
    if _ring(problem):
        values = ring(layer, problem.signal[1:])
        return SingularValues(values, float(values[0]), True, "frequencies")
    limit = bound(layer, problem)
    outs, ins = layer.channels
    if min(outs * prod(problem.outputs), ins * prod(problem.signal)) <= DENSE:
        A = bank.matrix(layer, lengths, boundary).toarray()
        return SingularValues(np.linalg.svd(A, compute_uv=False), limit, False, "dense")
    return _iterated(layer, lengths, boundary, count, limit)


def _ring(problem: Problem) -> bool:
    """True where every axis is periodic, with outputs on the whole of it."""
    axes = zip(problem.boundary[1:], problem.signal[1:], problem.outputs[1:], problem.down[1:], strict=True)
    return all(all(rule.name == "wrap" for rule in ends) and n % s == 0 and m == n // s for ends, n, m, s in axes)


def ring(layer: Conv, lengths: Sequence[int], largest: bool = False) -> np.ndarray:
    """All singular values on a ring of these lengths (multiples of the stride), largest first, or the largest only."""
    strides = [reach.stride for reach in unpadded(layer)]
    few = [n // s for n, s in zip(lengths, strides, strict=True)]
    at = np.indices(few).reshape(len(few), -1)
    mirrored = np.ravel_multi_index([-k % m for k, m in zip(at, few, strict=True)], few)
    number = np.arange(mirrored.size)
    kept = number <= mirrored if not np.iscomplexobj(layer.w) else np.full(number.size, True)
    twice = (kept & (number < mirrored)) if not np.iscomplexobj(layer.w) else ~kept
    found = _gains(layer, [k[kept] / m for k, m in zip(at, few, strict=True)], strides, largest)
    if largest:
        return np.array([found.max()])
    found = np.concatenate([found, found[twice[kept]]])  # H(−f) is conj H(f): the same gains
    return np.sort(found.ravel())[::-1]


def _gains(layer: Conv, theta: list[np.ndarray], strides: Sequence[int], largest: bool) -> np.ndarray:
    """Singular values at frequencies θ of the output, one row per frequency."""
    aliases = np.indices(strides).reshape(len(strides), -1)
    per = prod(layer.channels) // layer.groups * aliases.shape[1]
    rows = []
    for start in range(0, len(theta[0]), max(CHUNK // per, 1)):
        part = [t[start:start + max(CHUNK // per, 1)] for t in theta]
        points = [((t[:, None] + k) / s).ravel() for t, k, s in zip(part, aliases, strides, strict=True)]
        H = bank.response_at(layer, points)
        H = H.reshape(len(part[0]), aliases.shape[1], *H.shape[1:])  # (θ, alias, group, out, in)
        H = np.moveaxis(H, 1, 3).reshape(len(part[0]), layer.groups, H.shape[3], -1) / np.sqrt(prod(strides))
        rows.append((_largest(H) if largest else np.linalg.svd(H, compute_uv=False)).reshape(len(H), -1))
    return np.concatenate(rows)


def _largest(H: np.ndarray) -> np.ndarray:
    """The largest singular value of every matrix, from the smaller Gram matrix: as exact as by SVD, and faster."""
    outs, ins = H.shape[-2:]
    if min(outs, ins) == 1:
        return np.sqrt((H.real**2 + H.imag**2).sum((-2, -1)))
    side = H if outs <= ins else H.swapaxes(-1, -2)
    gram = side @ side.conj().swapaxes(-1, -2)
    return np.sqrt(np.maximum(np.linalg.eigvalsh(gram)[..., -1], 0))


def gain(layer: Conv, points: Sequence[np.ndarray]) -> np.ndarray:
    """The largest singular value of H at scattered frequencies in cycles per sample, before any decimation."""
    H = bank.response_at(layer, points)
    return _largest(H).max(axis=1)


# ── bounds ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def bound(layer: Conv, problem: Problem) -> float:
    """σ_max of the ring that holds the extended map, times the norm of the extension, and the rounding of both."""
    spread, lengths = 1.0, []
    reaches = layer.reaches(layer.ndim, problem.signal[1:])
    for ends, n, outputs, r in zip(problem.boundary[1:], problem.signal[1:], problem.outputs[1:], reaches, strict=True):
        high = max((outputs - 1) * r.stride + r.extent - r.low - n, 0)  # what is read beyond the end
        spread *= extension_norm(ends, n, r.low, high)
        lengths.append(ceil((n + r.low + high) / r.stride) * r.stride)
    return float(ring(layer, lengths, largest=True)[0]) * spread + rounding(layer) * spread


def extension_norm(ends: bd.Ends, n: int, low: int, high: int) -> float:
    """‖E‖ of the extension of n samples by low and high: √(1 + λ_max(BᵀB)) with B the rows beyond the ends."""
    row, column, factor = bd.matrix(ends, n, -low, n + high)
    beyond = (row < low) | (row >= low + n)
    if not beyond.any():
        return 1.0
    rows, i = np.unique(row[beyond], return_inverse=True)
    columns, j = np.unique(column[beyond], return_inverse=True)
    B = np.zeros((rows.size, columns.size))
    np.add.at(B, (i, j), factor[beyond])
    return float(np.sqrt(1 + np.linalg.norm(B, 2) ** 2))


def rounding(layer: Conv) -> float:
    """What rounding can hide: every entry of H is a sum of K terms, off by at most (K + 8)·u·Σ|w|."""
    outs, ins = layer.channels
    sums = np.abs(layer.w).reshape(outs * ins // layer.groups, -1).sum(1)
    return float((layer.w[0, 0].size + 8 + outs + ins) * np.finfo(float).eps * np.sqrt((sums.astype(float) ** 2).sum()))


def lipschitz(layer: Conv, lengths: Sequence[int] | None = None, boundary: Any = None, tol: float = 1e-2) -> float:
    """A certain bound of ‖y₁ − y₂‖/‖x₁ − x₂‖; see `Conv.lipschitz`."""
    if lengths is not None:
        return singular_values(layer, lengths, boundary, 1).bound
    rules = bd.parse(layer.boundary if boundary is None else boundary, layer.ndim, "lipschitz(…)")
    rings = [any(rule.name == "wrap" for rule in ends) for ends in rules]
    known = all(rule.name in ("zero", "wrap", "constant") for ends in rules for rule in ends)
    if not known or not all(_once(layer, axis) for axis, ring in enumerate(rings) if ring):
        raise ValueError(f"lipschitz(boundary={layer.boundary if boundary is None else boundary!r}): the gain of this "
                         "extension and padding depends on the length; give a shape, or use 'zero'")
    reaches = [r._replace(stride=1) if ring else r for r, ring in zip(unpadded(layer), rings, strict=True)]
    degrees = [ceil((r.extent - 1) / r.stride) if r.stride > 1 else r.taps - 1 for r in reaches]
    few = [_enough(degree, tol / len(reaches)) for degree in degrees]
    spacing = [1 if r.stride > 1 else r.dilation for r in reaches]
    strides = [r.stride for r in reaches]
    largest = float(_gains(layer, _half_plane(layer, few, spacing), strides, True).max())
    between = prod(np.cos(np.pi * degree / (2 * m)) for degree, m in zip(degrees, few, strict=True))
    return float(largest / between) + rounding(layer)


def _once(layer: Conv, axis: int) -> bool:
    """True if the padding of a ring lets no output come twice, whatever the length."""
    if isinstance(layer.padding, str):
        return True
    reach = layer.reaches(layer.ndim)[axis]
    return reach.low + reach.high <= reach.extent - 1


def _enough(degree: int, tol: float) -> int:
    """Points M so that a trigonometric polynomial of this degree exceeds its samples at most by 1/cos(π·degree/2M)."""
    return max(ceil(np.pi * degree / (2 * np.sqrt(2 * tol))), degree + 1)


def _half_plane(layer: Conv, few: Sequence[int], spacing: Sequence[int]) -> list[np.ndarray]:
    """A grid of frequencies over one period, without the half that conjugation mirrors."""
    counts = list(few)
    if not np.iscomplexobj(layer.w):
        counts[0] = few[0] // 2 + 1
    at = np.indices(counts).reshape(len(counts), -1)
    return [k / m / d for k, m, d in zip(at, few, spacing, strict=True)]


# ── converged values ──────────────────────────────────────────────────────────────────────────────────────────────────


def _iterated(layer: Conv, lengths: Sequence[int], boundary: Any, count: int, limit: float) -> SingularValues:
    from scipy.sparse.linalg import svds

    A = layer.operator(lengths, boundary)
    start = np.random.default_rng(0).standard_normal(min(A.shape))  # the same numbers every time
    few = min(count, min(A.shape) - 1)
    _, s, vh = svds(A, k=few, v0=start, tol=1e-9, ncv=min(max(4 * few, BASIS), min(A.shape)), maxiter=5000)
    order = np.argsort(s)[::-1]
    error = max(float(np.linalg.norm(A.rmatvec(A.matvec(v.conj())) - g * g * v.conj())) / g if g else 0.0
                for g, v in zip(s[order], vh[order], strict=True))
    return SingularValues(s[order], limit, False, "iteration", error)
