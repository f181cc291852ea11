"""Whether two arrays hold the same bits: of weights that a layer was prepared for, and those of the next call."""

from __future__ import annotations

from typing import Any

from numba import uint64

from firconv.kernels.compiled import compiled, const

PIECE = 1 << 10  # words between two looks at what was found


@compiled(lambda t: (const(t), const(t)), ["uint64"])
def same(a: Any, b: Any) -> bool:
    """True if words of eight bytes, of which both have as many, are equal."""
    for first in range(0, len(a), PIECE):
        u, v, found = a[first : first + PIECE], b[first : first + PIECE], uint64(0)
        for i in range(len(u)):
            found |= u[i] ^ v[i]
        if found != 0:
            return False
    return True
