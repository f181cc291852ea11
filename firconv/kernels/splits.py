"""Butterflies and leaves of remainders of polynomials, the parts that `kernels.tree` and `kernels.trunk` share.

A node is a polynomial of so many complex coefficients, real parts at x[at …] and imaginary ones at x[at + half …]; the
mathematics are explained in `kernels.tree`. Each part works on coefficients begin … end − 1 of the smaller nodes.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firconv.kernels.compiled import compiled
from firconv.kernels.lanes import fma, fnma, item, lanes, load, spread, store

EVEN = 0x5555555555555555  # bits of the powers of four


@lru_cache(maxsize=64)
def roots(length: int, char: str, leaf: int, angle: float = np.pi / 2) -> NDArray[Any]:
    """Re c, Im c, Re c², Im c² of every node that is split in four, from the root t^(length/2) = exp(i·angle) down;
    where the number of levels is odd the root is split in two, and its c² comes first. Leaves have `leaf` coefficients.
    """
    found = []
    for upper, lower in pairwise(levels(length // 2 // leaf, angle)):
        found.append(_parts(upper / 2))
        if lower.size == 4 * upper.size:
            found[-1] = np.concatenate([_parts(upper / 4), found[-1]], axis=1)
    flat = np.concatenate([f.ravel() for f in found] or [np.zeros(1)]).astype(char)
    flat.flags.writeable = False
    return flat


def levels(leaves: int, angle: float) -> list[NDArray[Any]]:
    """Angles of all nodes, level by level in the order of the splits: first the root's, last those of the leaves."""
    found = [np.array([angle])]
    if (leaves.bit_length() - 1) % 2:
        found.append(found[0] / 2 + np.pi * np.array([0, 1]))
    while found[-1].size < leaves:
        found.append((found[-1][:, None] / 4 + np.pi * np.array([0, 1, 0.5, 1.5])).ravel())
    return found


def _parts(angles: NDArray[Any]) -> NDArray[Any]:
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


# --- splitting ------------------------------------------------------------------------------------------------------


@compiled()
def halve(x: Any, at: int, begin: int, end: int, m: int, half: int, cr: Any, ci: Any, zero: Any) -> None:
    """Split one node of 2m coefficients at x[at …] into two, in place, coefficients begin … end − 1 of each."""
    for j in range(begin, end, lanes(x)):
        p, q = at + j, at + j + half
        ar, ai = load(x, p, zero), load(x, q, zero)
        br, bi = load(x, p + m, zero), load(x, q + m, zero)
        store(x, p, fnma(ci, bi, fma(cr, br, ar)))
        store(x, q, fma(ci, br, fma(cr, bi, ai)))
        store(x, p + m, fma(ci, bi, fnma(cr, br, ar)))
        store(x, q + m, fnma(ci, br, fnma(cr, bi, ai)))


@compiled()
def quarter(x: Any, at: int, begin: int, end: int, m: int, half: int, twiddles: Any, t: int, zero: Any) -> None:
    """Split one node of 4m coefficients at x[at …] into four, in place, coefficients begin … end − 1 of each."""
    cr, ci = item(twiddles, t), item(twiddles, t + 1)
    dr, di = item(twiddles, t + 2), item(twiddles, t + 3)
    for j in range(begin, end, lanes(x)):
        p, q = at + j, at + j + half
        ar, ai = load(x, p, zero), load(x, q, zero)
        br, bi = load(x, p + 2 * m, zero), load(x, q + 2 * m, zero)
        ur, ui = fnma(di, bi, fma(dr, br, ar)), fma(di, br, fma(dr, bi, ai))
        vr, vi = fma(di, bi, fnma(dr, br, ar)), fnma(di, br, fnma(dr, bi, ai))
        ar, ai = load(x, p + m, zero), load(x, q + m, zero)
        br, bi = load(x, p + 3 * m, zero), load(x, q + 3 * m, zero)
        sr, si = fnma(di, bi, fma(dr, br, ar)), fma(di, br, fma(dr, bi, ai))
        wr, wi = fma(di, bi, fnma(dr, br, ar)), fnma(di, br, fnma(dr, bi, ai))
        store(x, p, fnma(ci, si, fma(cr, sr, ur)))
        store(x, q, fma(ci, sr, fma(cr, si, ui)))
        store(x, p + m, fma(ci, si, fnma(cr, sr, ur)))
        store(x, q + m, fnma(ci, sr, fnma(cr, si, ui)))
        store(x, p + 2 * m, fnma(cr, wi, fnma(ci, wr, vr)))
        store(x, q + 2 * m, fma(cr, wr, fnma(ci, wi, vi)))
        store(x, p + 3 * m, fma(cr, wi, fma(ci, wr, vr)))
        store(x, q + 3 * m, fnma(cr, wr, fma(ci, wi, vi)))


@compiled(references=False, inline=False)
def descend(x: Any, at: int, count: int, least: int, whole: int, half: int, twiddles: Any, t: int, node: int) -> int:
    """Split the node of `count` coefficients at x[at …], level by level, into nodes of `least`, in place.

    It is number `node` of those that `whole` coefficients, the root, have been split into. t is where the twiddles of
    this level begin, and those of nodes of `least` where the return value says.
    """
    zero, m = spread(x.dtype.type(0), 1, 1), count
    if count // least & EVEN == 0:  # an odd number of levels: only the root has that
        m = count // 2
        halve(x, at, 0, m, m, half, item(twiddles, t), item(twiddles, t + 1), zero)
        t += 2
    while m > least:
        first = t + 4 * node * (count // m)
        for k in range(count // m):
            quarter(x, at + k * m, 0, m // 4, m // 4, half, twiddles, first + 4 * k, zero)
        t += 4 * (whole // m)
        m //= 4
    return t


# --- leaves -----------------------------------------------------------------------------------------------------------


@compiled()
def multiply(x: Any, p: int, half: int, leaves: Any, h: int, zero: Any) -> None:
    """Multiply one leaf at x[p …] by the window whose upper half begins at leaves[h]."""
    size = lanes(x)
    one = x.dtype.type(1)
    rr = ii = ri = ir = zero
    for j in range(size):
        re, im = item(x, p + j), item(x, p + half + j)
        hr, hi = load(leaves, h - j, zero), load(leaves, h + 2 * size - j, zero)
        rr, ii = fma(re, hr, rr), fma(im, hi, ii)
        ri, ir = fma(re, hi, ri), fma(im, hr, ir)
    store(x, p, fnma(one, ii, rr))
    store(x, p + half, fma(one, ri, ir))


# --- and back ---------------------------------------------------------------------------------------------------------


@compiled()
def unite(x: Any, at: int, begin: int, end: int, m: int, half: int, cr: Any, ci: Any, zero: Any) -> None:
    """Two nodes of m coefficients become one, in place: a = p + q, b = c̄·(p − q), from coefficients begin … end − 1."""
    one = x.dtype.type(1)
    for j in range(begin, end, lanes(x)):
        p, q = at + j, at + j + half
        ar, ai, br, bi = load(x, p, zero), load(x, q, zero), load(x, p + m, zero), load(x, q + m, zero)
        dr, di = fnma(one, br, ar), fnma(one, bi, ai)
        store(x, p, fma(one, br, ar))
        store(x, q, fma(one, bi, ai))
        store(x, p + m, fma(cr, dr, fma(ci, di, zero)))
        store(x, q + m, fma(cr, di, fnma(ci, dr, zero)))


@compiled()
def gather(x: Any, at: int, begin: int, end: int, m: int, half: int, twiddles: Any, t: int, zero: Any) -> None:
    """Four nodes of m coefficients become one, in place, from coefficients begin … end − 1 of each."""
    one = x.dtype.type(1)
    cr, ci = item(twiddles, t), item(twiddles, t + 1)
    dr, di = item(twiddles, t + 2), item(twiddles, t + 3)
    for j in range(begin, end, lanes(x)):
        p, q = at + j, at + j + half
        ar, ai, br, bi = load(x, p, zero), load(x, q, zero), load(x, p + m, zero), load(x, q + m, zero)
        ur, ui, er, ei = fma(one, br, ar), fma(one, bi, ai), fnma(one, br, ar), fnma(one, bi, ai)
        sr, si = fma(cr, er, fma(ci, ei, zero)), fma(cr, ei, fnma(ci, er, zero))
        ar, ai = load(x, p + 2 * m, zero), load(x, q + 2 * m, zero)
        br, bi = load(x, p + 3 * m, zero), load(x, q + 3 * m, zero)
        vr, vi, er, ei = fma(one, br, ar), fma(one, bi, ai), fnma(one, br, ar), fnma(one, bi, ai)
        wr, wi = fma(cr, ei, fnma(ci, er, zero)), fnma(cr, er, fnma(ci, ei, zero))
        store(x, p, fma(one, vr, ur))
        store(x, q, fma(one, vi, ui))
        store(x, p + m, fma(one, wr, sr))
        store(x, q + m, fma(one, wi, si))
        er, ei = fnma(one, vr, ur), fnma(one, vi, ui)
        store(x, p + 2 * m, fma(dr, er, fma(di, ei, zero)))
        store(x, q + 2 * m, fma(dr, ei, fnma(di, er, zero)))
        er, ei = fnma(one, wr, sr), fnma(one, wi, si)
        store(x, p + 3 * m, fma(dr, er, fma(di, ei, zero)))
        store(x, q + 3 * m, fma(dr, ei, fnma(di, er, zero)))


@compiled(references=False, inline=False)
def ascend(x: Any, at: int, count: int, least: int, whole: int, half: int, twiddles: Any, t: int, node: int) -> None:
    """Undo `descend`; t is what that returned."""
    zero, m, odd = spread(x.dtype.type(0), 1, 1), least, count // least & EVEN == 0
    while m < (count // 2 if odd else count):
        t -= whole // m
        for k in range(count // (4 * m)):
            gather(x, at + 4 * m * k, 0, m, m, half, twiddles, t + 4 * (node * (count // (4 * m)) + k), zero)
        m *= 4
    if odd:
        unite(x, at, 0, m, m, half, item(twiddles, t - 2), item(twiddles, t - 1), zero)
