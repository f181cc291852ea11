"""Laws of the transform: the convolution theorem on a line and on a circle, Parseval, energy, eigenfunctions."""

from __future__ import annotations

import numpy as np

from firconv.identities.calls import Calls
from firconv.identities.draws import Draw
from firconv.identities.law import Sides, register
from firconv.identities.values import PI, Value, roundoff, wide


@register("convolution theorem", "F(x * h) = F(x)·F(h)",
          r"\mathcal{F}_M(x * h) = \mathcal{F}_M x \cdot \mathcal{F}_M h,\ M = N + K - 1",
          "all outputs, transforms of N + K − 1 points per axis", "fc")
def theorem(f: Calls, p: Draw) -> Sides:
    x, h = p.signal(longest=_most(p)), p.taps(longest=_most(p))
    y = f.convolve(x, h)
    yield y.dft(y.shape), x.dft(y.shape).array * h.dft(y.shape).array


@register("circular convolution", "F(x ⊛ h) = F(x)·F(h)",
          r"\mathcal{F}_N(x \circledast h) = \mathcal{F}_N x \cdot \mathcal{F}_N h",
          "boundary wrap, mode same; taps beyond N samples wrap too", "fc")
def circular(f: Calls, p: Draw) -> Sides:
    f.extends("wrap")
    x, h = p.signal(longest=_most(p)), p.taps(longest=_most(p))
    y = f.convolve(x, h, "same", boundary="wrap")
    taps, centre = wide(h.array), f.centre("convolve", h)
    folded = np.zeros(x.shape, taps.dtype)
    for k in np.ndindex(h.shape):
        folded[tuple((i - c) % n for i, c, n in zip(k, centre, x.shape, strict=True))] += taps[k]
    yield y.dft(x.shape), x.dft(x.shape).array * Value(folded).dft(x.shape).array


@register("Parseval", "Σ |x * h|² = 1/M · Σ |X·H|²", r"\sum |x * h|^2 = \frac{1}{M} \sum |X H|^2", "all outputs", "fc")
def parseval(f: Calls, p: Draw) -> Sides:
    x, h = p.signal(longest=_most(p)), p.taps(longest=_most(p))
    y = f.convolve(x, h)
    spectrum = x.dft(y.shape).array * h.dft(y.shape).array
    yield y.energy(), (np.abs(spectrum) ** 2).sum() / y.array.size


@register("energy", "(x ⋆ x)[0] = Σ |x|²", r"(x \star x)[0] = \sum |x|^2", "lag 0 of all lags")
def energy(f: Calls, p: Draw) -> Sides:
    x = p.signal()
    yield f.correlate(x, x)[tuple(n - 1 for n in x.shape)], x.energy().array


@register("eigenfunction", "e^{jωn} * h = H(ω)·e^{jωn}",
          r"e^{j\omega n} * h = H(\omega)\,e^{j\omega n}",
          "one dimension, outputs that see the whole wave; real implementations take cos and sin", "f")
def eigenfunction(f: Calls, p: Draw) -> Sides:
    h, n = p.taps(ndim=1, longest=12), p.size("n", 1, 60)
    turns, k = p.size("turns", 0, 64), h.shape[0]
    wave = np.exp(2j * PI * (turns * np.arange(n + k) % 64) / np.longdouble(64))
    gain = (wide(h.array) * np.exp(-2j * PI * (turns * np.arange(k) % 64) / np.longdouble(64))).sum()
    real, imaginary = (Value(part.astype(p.dtype), roundoff(p.dtype)) for part in (wave.real, wave.imag))
    yield f.convolve(real, h, "valid") + f.convolve(imaginary, h, "valid") * 1j, gain * wave[k - 1:]


def _most(p: Draw) -> int | None:
    """Transforms by hand are slow: shorter lines."""
    return {1: 60, 2: 8, 3: 4}.get(p.ndim)
