"""Factors of taps: h = u ⊗ v ⊗ … exactly at rank 1, or Σ σᵢ uᵢ ⊗ vᵢ under a tolerance that the user gave.

Rank 1 is found by the cross through the largest tap, u = H[:, j], v = H[i, :]/H[i, j], whose relative errors are then
averaged over rows and columns (a table of rounded products holds them with fewer errors than any one row). A
*componentwise* test decides: every product within two units (of 2⁻²³ or 2⁻⁵² of the tap) of the tap. An SVD would be
off by thousands of them in the tails of a Gaussian. Integers factor exactly or not at all.
"""

from __future__ import annotations

from math import gcd

import numpy as np

ULPS = 2.0


def factors(taps: np.ndarray) -> list[np.ndarray] | None:
    """One factor per axis whose outer product is `taps` to the last two units, or None.

    Parameters
    ----------
    taps : (K₀, K₁, …), finite

    Returns
    -------
    list of 1-D arrays of the same dtype; all but the last are scaled by a power of two to ‖u‖₁ ≤ 1, so that a partial
    sum overflows only where the whole sum does.

    Examples
    --------
    >>> u, v = factors(np.outer([1, 2, 1], [1, 0, -1]))
    >>> np.outer(u, v).tolist()
    [[1, 0, -1], [2, 0, -2], [1, 0, -1]]
    >>> factors(np.eye(2)) is None
    True
    """
    if not taps.any():
        return None
    if taps.dtype.kind in "biu":
        return _integer_factors(taps)
    if not _plausible(taps.reshape(taps.shape[0], -1)):
        return None
    wide = np.result_type(
        taps.dtype, np.longdouble if taps.dtype.itemsize >= 8 and taps.dtype != np.complex64 else np.float64
    )
    rest, found = taps.astype(wide), []
    for _ in range(taps.ndim - 1):
        table = rest.reshape(rest.shape[0], -1)
        u, v = _cross(table)
        found.append(u)
        rest = v.reshape(rest.shape[1:])
    return _accepted([*found, rest], taps)


def _plausible(table: np.ndarray) -> bool:
    """False where a few minors through the largest entry already show that the rank is not 1; costs one pass."""
    i, j = np.unravel_index(np.argmax(np.abs(table)), table.shape)
    some = np.ix_(np.linspace(0, table.shape[0] - 1, 8, dtype=int), np.linspace(0, table.shape[1] - 1, 8, dtype=int))
    column, row = table[some[0], j], table[i, some[1]] / table[i, j]
    product = column * row
    return bool(np.all(np.abs(product - table[some]) <= 1e-3 * np.abs(product) + 1e-30 * abs(table[i, j])))


def _cross(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """u, v with table ≈ u ⊗ v: the cross through the largest entry, then relative errors averaged out."""
    i, j = np.unravel_index(np.argmax(np.abs(table)), table.shape)
    u, v = table[:, j].copy(), table[i, :] / table[i, j]
    rows, columns = np.flatnonzero(u), np.flatnonzero(v)
    ratio = table[np.ix_(rows, columns)] / np.outer(u[rows], v[columns]) - 1
    if ratio.any() and np.all(np.abs(ratio) < 1e-3):
        of_row = ratio.mean(axis=1)
        u[rows] *= 1 + of_row
        v[columns] *= 1 + (ratio - of_row[:, None]).mean(axis=0)
    return u, v


def _accepted(found: list[np.ndarray], taps: np.ndarray) -> list[np.ndarray] | None:
    scale = 0
    for i, u in enumerate(found[:-1]):
        power = int(np.ceil(np.log2(float(np.abs(u).sum()))))
        found[i], scale = u * 2.0**-power, scale + power
    found[-1] = found[-1] * 2.0**scale
    if not all(np.isfinite(u.astype(taps.dtype)).all() for u in found):
        return None
    rounded = [u.astype(taps.dtype) for u in found]
    product = rounded[0].astype(found[0].dtype)
    for u in rounded[1:]:
        product = np.multiply.outer(product, u.astype(found[0].dtype))
    info = np.finfo(taps.dtype)
    slack = (ULPS + taps.ndim - 2) * np.maximum(info.eps * np.abs(taps).astype(float), float(info.smallest_subnormal))
    return rounded if np.all(np.abs(product - taps) <= slack) else None


def _integer_factors(taps: np.ndarray) -> list[np.ndarray] | None:
    rest, found = taps.astype(object), []
    for _ in range(taps.ndim - 1):
        table = rest.reshape(rest.shape[0], -1)
        i, j = next(zip(*np.nonzero(table), strict=True))
        v = table[i] // gcd(*map(int, table[i]))
        u = table[:, j] // v[j]
        if not np.array_equal(np.multiply.outer(u, v), table):
            return None
        found.append(u)
        rest = v.reshape(rest.shape[1:])
    return [np.array(u, dtype=np.int64) for u in (*found, rest)]


def truncated(taps: np.ndarray, tolerance: float) -> tuple[list[list[np.ndarray]], float]:
    """The fewest terms of the SVD whose rest is at most tolerance·‖h‖₁, and the bound that holds.

    |Δy| ≤ max|x| · Σ_{i dropped} σᵢ‖uᵢ‖₁‖vᵢ‖₁. Two-dimensional taps only.

    Returns
    -------
    terms : list of [u, v] pairs
    bound : Σ σᵢ‖uᵢ‖₁‖vᵢ‖₁ over the dropped terms

    Examples
    --------
    >>> terms, bound = truncated(np.add.outer(np.arange(4.0), np.arange(4.0)), 1e-9)
    >>> len(terms), bound < 1e-12
    (2, True)
    """
    wide = taps.astype(np.result_type(taps.dtype, np.float64))
    u, s, v = np.linalg.svd(wide, full_matrices=False)
    weight = s * np.abs(u).sum(axis=0) * np.abs(v).sum(axis=1)
    dropped = np.append(np.cumsum(weight[::-1])[::-1], 0.0)
    rank = max(1, int(np.argmax(dropped <= tolerance * np.abs(wide).sum())))
    terms = [
        [(u[:, i] * np.sqrt(s[i])).astype(taps.dtype), (v[i] * np.sqrt(s[i])).astype(taps.dtype)] for i in range(rank)
    ]
    return terms, float(dropped[rank])
