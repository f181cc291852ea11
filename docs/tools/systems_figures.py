"""The figures of docs/systems.md: ``python docs/tools/systems_figures.py`` writes them into docs/figures/."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from firconv import design, filters, plots

FIGURES = Path(__file__).resolve().parent.parent / "figures"


def main() -> None:
    """Draw and write them all."""
    low = design.lowpass(3000, 3400, ripple_db=0.1, atten_db=60, fs=44100, parity="odd")
    write("systems-overview", plots.overview(low))
    how: dict[str, Any] = {"ripple_db": 0.5, "atten_db": 40, "fs": 16000, "parity": "odd"}
    three = {"equiripple": design.lowpass(3000, 4000, **how)}
    three["Kaiser window"] = design.lowpass(3000, 4000, method="window", **how)
    three["minimum phase"] = design.minimum_phase(three["equiripple"])
    write("systems-compare", plots.compare(three))
    write("systems-kernel", plots.kernel2d(filters.laplacian_of_gaussian(1.5)))
    write("systems-sliding", plots.flip_and_slide_frames([1, 2, 3, 2, 1], [3, 1, -1]))
    write("systems-before-after", plots.before_after(*sweep(), 8000))


def sweep() -> tuple[np.ndarray, np.ndarray]:
    """A tone that rises through all frequencies, in noise, and what a low-pass leaves of it."""
    t = np.arange(4 * 8000) / 8000
    x = np.sin(np.pi * 970 * t**2) + 0.1 * np.random.default_rng(0).normal(size=t.size)
    return x, design.lowpass(1000, 1200, 0.5, 60, fs=8000, parity="odd")(x)


def write(name: str, figure: Any) -> None:
    """One figure as a PNG; the same input gives the same bytes."""
    figure.savefig(FIGURES / f"{name}.png", dpi=80, metadata={"Software": None})


if __name__ == "__main__":
    main()
