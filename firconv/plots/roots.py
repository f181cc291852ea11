"""Zeros and poles with their multiplicities."""

from __future__ import annotations

from typing import Any

import numpy as np

from firconv.systems import FIR, IIR

#: Longest FIR whose zeros are computed: the eigenvalues of a companion matrix, time ∝ K³.
LONGEST = 512
_MOST = 32  # multiplicity that is looked for


def zeros_and_poles(system: FIR | IIR) -> tuple[list[tuple[complex, int]], list[tuple[complex, int]]]:
    """(zeros, poles), each a list of (place, multiplicity), also those at z = 0; up to about twenty-fold are found.

    H(z) = z^(c − K + 1)·Σₖ h[k]·z^(K − 1 − k) for the taps without outer zeros: K − 1 zeros, and K − 1 − c poles at 0.

    Raises
    ------
    ValueError
        More than 512 taps, or taps that are all zero.

    Examples
    --------
    >>> zeros, poles = zeros_and_poles(FIR([1, 4, 6, 4, 1]))
    >>> [(complex(z).real.__round__(6), m) for z, m in zeros], poles
    ([(-1.0, 4)], [(0j, 4)])
    """
    if isinstance(system, IIR):
        return _near(system.zeros), _near(system.poles)
    fir = system.crop()
    if fir.taps.size > LONGEST:
        raise ValueError(f"zeros of {fir.taps.size} taps: more than {LONGEST} are not computed")
    if not fir.taps.any():
        raise ValueError("zeros of taps that are all zero: every z is one")
    zeros = _multiple(fir.taps)
    excess = fir.taps.size - 1 - fir.origin
    if excess < 0:
        zeros.append((0j, -excess))
    return zeros, [(0j, excess)] if excess > 0 else []


def _multiple(taps: np.ndarray) -> list[tuple[complex, int]]:
    """Roots of a polynomial; an m-fold one comes out as m roots ε^(1/m) apart, and their mean is good to rounding."""
    left = np.roots(taps)
    found = []
    while left.size:
        near = np.argsort(np.abs(left - left[0]))[:_MOST + 1]
        sizes = range(min(near.size, _MOST), 1, -1)
        group = next((near[:m] for m in sizes if _apart(left[near], m) and _is_one(taps, left[near[:m]])), near[:1])
        mean = complex(left[group].mean())
        found.append((complex(mean.real) if abs(mean.imag) < 1e-9 and group.size > 1 else mean, int(group.size)))
        left = np.delete(left, group)
    return found


def _apart(roots: np.ndarray, m: int) -> bool:
    """True if the first m roots are as close as rounding puts those of one m-fold root, and the next one is farther."""
    away = np.abs(roots[:m + 1] - roots[:m].mean())
    spread = away[:m].max()
    return spread < min(8 * np.finfo(float).eps ** (1 / m), 0.5) and (away.size == m or away[m] > 1.5 * spread)


def _is_one(taps: np.ndarray, roots: np.ndarray) -> bool:
    """True if the polynomial and its first m − 1 derivatives are zero, to rounding, at the mean of these m roots."""
    m, z = roots.size, roots.mean()
    if abs(z) > 1:  # powers would overflow: 1/z is as many times a root of the reversed polynomial
        taps, z = taps[::-1], 1 / z
    for _ in range(m):
        powers = z ** np.arange(taps.size - 1, -1, -1)
        if abs(taps @ powers) > 1e-8 * (np.abs(taps) @ np.abs(powers)):
            return False
        taps = np.polyder(taps)
    return True


def _near(roots: Any) -> list[tuple[complex, int]]:
    """Roots of second-order sections: equal ones differ by √ε at most."""
    left, found = np.asarray(roots, complex), []
    while left.size:
        same = np.abs(left - left[0]) < 1e-6
        found.append((complex(left[same].mean()), int(same.sum())))
        left = left[~same]
    return found
