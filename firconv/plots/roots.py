"""Zeros and poles with their multiplicities."""

from __future__ import annotations

from typing import Any

import numpy as np

from firconv.systems import FIR, IIR

#: Longest FIR whose zeros are computed: the eigenvalues of a companion matrix, time ∝ K³.
LONGEST = 512
_MOST = 32  # multiplicity that is looked for


def zeros_and_poles(system: FIR | IIR) -> tuple[list[tuple[complex, int]], list[tuple[complex, int]]]:
    """(zeros, poles), each a list of (place, multiplicity), also those at z = 0.

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
        group = next((g for m in range(min(left.size, _MOST), 1, -1)
                      if (g := _nearest(left, m)) is not None and _vanishes(taps, left[g].mean(), m)), np.array([0]))
        mean = complex(left[group].mean())
        found.append((complex(mean.real) if abs(mean.imag) < 1e-9 and group.size > 1 else mean, int(group.size)))
        left = np.delete(left, group)
    return found


def _nearest(roots: np.ndarray, m: int) -> np.ndarray | None:
    """The m roots nearest the first one, if they lie as close together as those of one m-fold root."""
    order = np.argsort(np.abs(roots - roots[0]))[:m]
    spread = np.abs(roots[order] - roots[order].mean()).max()
    return order if spread < min(30 * np.finfo(float).eps ** (1 / m), 0.9) else None


def _vanishes(taps: np.ndarray, z: complex, m: int) -> bool:
    """True if the polynomial and its first m − 1 derivatives are zero at z, to rounding."""
    for _ in range(m):
        size = np.polyval(np.abs(taps), abs(z))
        if abs(np.polyval(taps, z)) > 1e-8 * size:
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
