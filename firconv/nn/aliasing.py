"""What a stride folds: the energy at every frequency of the decimated output, wanted and aliased.

White noise of one per sample comes out of a layer with the energy ‖H(f)‖² (Frobenius) at frequency f. A stride s folds
the frequencies f + k/s onto f: the output at |f| < 1/2s holds ‖H(f)‖² that was there, and Σ_{k≠0} ‖H(f + k/s)‖² that
was not. A binomial filter before the stride multiplies H by cosᵐ(πf). Source: Zhang, "Making Convolutional Networks
Shift-Invariant Again", ICML 2019.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from firconv.nn import bank, words

if TYPE_CHECKING:
    from firconv.nn.layers import Conv

__all__ = ["Aliasing", "aliasing"]


@dataclass(frozen=True, eq=False)
class Aliasing:
    """Energy by frequency of the decimated output, without and with a binomial filter before the stride.

    Attributes
    ----------
    f : per axis, frequencies −1/2s ≤ f < 1/2s in cycles per sample of the input
    wanted, folded : energy that belongs there and that came from elsewhere, arrays over f
    blurred_wanted, blurred_folded : the same with the filter
    stride : per axis
    blur : taps of the filter per axis
    """

    f: tuple[np.ndarray, ...]
    wanted: np.ndarray
    folded: np.ndarray
    blurred_wanted: np.ndarray
    blurred_folded: np.ndarray
    stride: tuple[int, ...]
    blur: int

    @property
    def share(self) -> np.ndarray:
        """Part of the output's energy that is aliased, per frequency (NaN where there is none at all)."""
        return _share(self.wanted, self.folded)

    @property
    def blurred_share(self) -> np.ndarray:
        """The same with the filter."""
        return _share(self.blurred_wanted, self.blurred_folded)

    @property
    def total(self) -> float:
        """Part of all of the output's energy that is aliased, 1 − 1/∏s for a layer that passes everything."""
        return float(self.folded.sum() / (self.wanted.sum() + self.folded.sum()))

    @property
    def blurred_total(self) -> float:
        """The same with the filter."""
        return float(self.blurred_folded.sum() / (self.blurred_wanted.sum() + self.blurred_folded.sum()))

    def __str__(self) -> str:
        size = "×".join(map(str, self.stride))
        return (f"stride {size} folds {100 * self.total:.3g} % of the output's energy, with a binomial filter of "
                f"{self.blur} taps before it {100 * self.blurred_total:.3g} %")


def _share(wanted: np.ndarray, folded: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return folded / (wanted + folded)


def aliasing(layer: Conv, stride: Any = None, *, blur: int = 3, n: int = 64) -> Aliasing:
    """The energy that a stride folds; see `Conv.aliasing`."""
    steps = words.per_axis("aliasing(stride)", "stride", layer.stride if stride is None else stride, layer.ndim)
    if prod(steps) == 1:
        raise ValueError(f"aliasing(stride={stride!r}): a stride of 1 folds nothing; give one of 2 or more")
    count = words.integer("aliasing(stride)", "n", n, 1)
    order = words.integer("aliasing(stride)", "blur", blur, 1) - 1
    f = tuple((np.arange(count) - count // 2) / (count * s) for s in steps)
    grids = [a.ravel() for a in np.meshgrid(*f, indexing="ij")]
    folds = np.indices(steps).reshape(len(steps), -1)  # the first one is no fold
    energy = np.empty((2, folds.shape[1], count ** layer.ndim))
    for at, k in enumerate(folds.T):
        points = [g + a / s for g, a, s in zip(grids, k, steps, strict=True)]
        energy[0, at] = (np.abs(bank.response_at(layer, points)) ** 2).sum((1, 2, 3))
        energy[1, at] = energy[0, at] * prod(np.cos(np.pi * p) ** (2 * order) for p in points)
    shape = (count,) * layer.ndim
    plain, blurred = ((e[0].reshape(shape), e[1:].sum(0).reshape(shape)) for e in energy)
    return Aliasing(f, *plain, *blurred, steps, order + 1)
