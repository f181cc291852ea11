"""Overlap-save on batches of blocks: valid correlation at unit stride through `scipy.fft`.

    y[…, o, n] = Σ_i Σ_k w[o, i, k] · x[…, i, n + k]         n, k multi-indices over the trailing spatial axes

A block of N samples per axis gives N − K + 1 outputs: those of the circular correlation that do not wrap around.
`prepare` transforms the taps once; `correlate` filters any number of blocks and says which outputs it cannot vouch for.
A block is computed the same way in any batch. Where `prepare` is given a transform of our own for lines and images of
real numbers (`kernels.tree`), that takes the place of `scipy.fft`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import scipy
from numpy.typing import DTypeLike, NDArray

from firconv.kernels import guard

CHUNK = 16  # blocks whose footprints are summed in one go
PIECES = 64  # runs of taps in a block, up to which `guard.judge_near` sums them run by run


def good_size(n: int) -> int:
    """Smallest even product of 2, 3 and 5 that is at least n: the lengths that `scipy.fft` is fast at.

    Examples
    --------
    >>> good_size(1013), good_size(2048), good_size(7)
    (1024, 2048, 8)
    """
    best = 1 << max(1, (n - 1).bit_length())
    five = 1
    while five < best:
        three = five
        while three < best:
            size = three << max(1, (-(-n // three) - 1).bit_length())
            best = min(best, size)
            three *= 3
        five *= 5
    return best


class Line(Protocol):
    """Taps (*K,) made ready by a transform of our own, 1/N included."""

    def correlate(self, x: NDArray[Any], out: NDArray[Any] | None, wanted: tuple[int, ...]) -> NDArray[Any]:
        """Filter blocks (…, *N), any strided view, into out (…, *wanted), or into a new array, which is returned."""

    def survey(
        self, x: NDArray[Any], out: NDArray[Any], taps: tuple[int, ...], limits: guard.Limits
    ) -> guard.Survey | None:
        """Filter blocks (…, 1, *N) and measure them in one pass; None, and nothing done, where `out` forbids it."""


@dataclass(frozen=True, slots=True, eq=False)
class Spectrum:
    """Taps made ready for blocks of one size.

    Attributes
    ----------
    values
        Spectrum of the taps times 2^−exponents / ∏N, (O, I, *frequencies).
    weights, support
        The taps (O, I, *K), and which of them are stored (None: all).
    lengths
        FFT length N of each spatial axis.
    dtype
        Of the arithmetic: float32, float64, complex64 or complex128.
    exponents
        Power of two taken out of the taps of each output channel.
    norms
        ‖w[o]‖₂ in double precision.
    spread
        Log2 of the largest C(w[o]); see `guard`.
    axes
        Spatial axes of blocks and outputs, counted from the end.
    line
        The taps in the form of a transform of our own for one channel, or None; `values` is empty then.
    """

    values: NDArray[Any]
    weights: NDArray[Any]
    support: NDArray[np.bool_] | None
    lengths: tuple[int, ...]
    dtype: np.dtype[Any]
    exponents: NDArray[np.int64]
    norms: NDArray[np.float64]
    spread: float
    axes: tuple[int, ...]
    line: Line | None = None

    @property
    def taps(self) -> tuple[int, ...]:
        """Number of taps K of each spatial axis."""
        return self.weights.shape[2:]

    @property
    def outputs(self) -> tuple[int, ...]:
        """Number of outputs N − K + 1 of each spatial axis."""
        return tuple(n - k + 1 for n, k in zip(self.lengths, self.taps, strict=True))

    @property
    def levels(self) -> float:
        """Log2 of the points of a block."""
        return math.log2(math.prod(self.lengths))

    def footprints(self, wanted: tuple[int, ...]) -> guard.Footprints:
        """Return the sums over the stored taps of `wanted` outputs per axis."""
        support = np.ones((1, 1, *self.taps), bool) if self.support is None else self.support
        return guard.Footprints(support, guard.lattice(self.support, self.taps), wanted)


def prepare(
    weights: NDArray[Any],
    support: NDArray[np.bool_] | None,
    lengths: tuple[int, ...],
    dtype: DTypeLike,
    line: Callable[[NDArray[Any], tuple[int, ...], np.dtype[Any]], Line] | None = None,
) -> Spectrum:
    """Transform taps (O, I, *K) for blocks of `lengths` ≥ K; H[f] = Σ_k w[k] · exp(2πi f·k/N).

    Parameters
    ----------
    weights
        Finite real or complex taps, in the order of a correlation.
    support
        Which of them are stored (same shape), None for all: a stored 0 is a term of the sum, a hole is not.
    lengths
        FFT length of each spatial axis; `good_size` gives fast ones.
    dtype
        Of the arithmetic. Complex taps or blocks need a complex one.
    line
        Makes real taps of one channel ready for another transform than that of `scipy.fft`.
    """
    dtype = np.dtype(dtype)
    axes = tuple(range(2, weights.ndim))
    wide = np.complex128 if weights.dtype.kind == "c" else np.float64
    w = weights.astype(wide)
    parts = np.maximum(np.abs(w.real), np.abs(w.imag)).reshape(len(w), -1).max(axis=1)
    exponents = np.frexp(parts)[1].astype(np.int64)
    exponents[np.abs(exponents) <= 20] = 0
    scaled = _ldexp(w, -exponents.reshape(-1, *[1] * (w.ndim - 1)))
    own = None if line is None else line(scaled[0, 0], lengths, dtype)
    if own is not None:
        values = np.empty(0)
    else:
        transform = scipy.fft.fftn if dtype.kind == "c" else scipy.fft.rfftn
        values = np.conj(transform(np.conj(scaled), lengths, axes=axes, norm="forward"))
    norms = np.sqrt(np.square(np.abs(scaled)).reshape(len(w), -1).sum(axis=1))
    with np.errstate(over="ignore"):
        norms = np.ldexp(norms, exponents)
    return Spectrum(
        np.ascontiguousarray(values, np.result_type(dtype, np.complex64)),
        weights,
        None if support is None or support.all() else support,
        tuple(lengths),
        dtype,
        exponents,
        norms,
        max(guard.spread(v) for v in w),
        tuple(range(2 - weights.ndim, 0)),
        own,
    )


def correlate(
    spectrum: Spectrum, blocks: NDArray[Any], out: NDArray[Any], *, tau: float | None = None
) -> NDArray[np.bool_] | None:
    """Filter blocks (…, I, *N) into out (…, O, *L), L ≤ N − K + 1, with NaN and Inf where the direct sum has them.

    Parameters
    ----------
    spectrum
        From `prepare`.
    blocks
        Any strided view, only read; cast to the dtype of the spectrum.
    out
        Any strided view of at most N − K + 1 outputs per axis.
    tau
        Promise |ŷ − y|[n] ≤ τ · ‖w[o]‖₂ · S[n], S[n] the 2-norm of the samples under the taps. None promises nothing.

    Returns
    -------
    None if the promise holds for all outputs, else a mask that broadcasts to `out` of those for which it may not.
    """
    blocks = np.asarray(blocks, spectrum.dtype)
    wanted = out.shape[-len(spectrum.lengths) :]
    limits = guard.ORDINARY if tau is None else _limits(spectrum, tau)
    own = None if spectrum.line is None or spectrum.exponents.any() else spectrum.line
    filtered = None if own is None else own.survey(blocks, out, spectrum.taps, limits)
    found = filtered or guard.survey(blocks, spectrum.taps, wanted, limits)
    if not found.odd:
        if filtered is None:
            _filter(spectrum, blocks, out, None)
        return None
    work, found, exponents, broken = _condition(spectrum, blocks, wanted, found, limits)
    if filtered is None or work is not blocks:
        _filter(spectrum, work, out, exponents)
    unsure = None if tau is None else _judge(spectrum, blocks, work, found, out, tau)
    for place in broken:
        guard.overlay(blocks[place], spectrum.weights, spectrum.support, out[place])
    return unsure


def _limits(spectrum: Spectrum, tau: float) -> guard.Limits:
    """What a block must keep for all its outputs to be vouched for without a closer look."""
    share = 1.001 * guard.factor(spectrum.dtype, spectrum.levels, tau) ** 2 if spectrum.support is None else math.inf
    return guard.Limits(share, (guard.RANGE - spectrum.spread) / guard.SUBNORMAL)


def _places(batch: tuple[int, ...], flat: NDArray[np.bool_]) -> list[tuple[int, ...]]:
    return [tuple(int(i) for i in p) for p in np.argwhere(flat.reshape(batch))]


def _condition(
    spectrum: Spectrum, blocks: NDArray[Any], wanted: tuple[int, ...], found: guard.Survey, limits: guard.Limits
) -> tuple[NDArray[Any], guard.Survey, NDArray[np.int64] | None, list[tuple[int, ...]]]:
    """Replace samples that are not finite by 0, and scale by powers of two the blocks that need it."""
    low, high = guard.SAFE[blocks.real.itemsize]
    odd = ~((found.peak >= low) & (found.peak <= high)) & (found.peak != 0)
    if not odd.any():
        return blocks, found, None, []
    batch = blocks.shape[: -len(spectrum.lengths) - 1]
    work = np.array(blocks, order="C")
    exponents = np.zeros(batch, np.int64)
    for place in _places(batch, odd):
        block = np.where(np.isfinite(blocks[place]), blocks[place], 0)
        exponents[place] = np.frexp(max(np.abs(block.real).max(), np.abs(block.imag).max()))[1]
        work[place] = _ldexp(block, -exponents[place])
    broken = _places(batch, ~np.isfinite(found.peak))
    return work, guard.survey(work, spectrum.taps, wanted, limits), exponents, broken


def _ldexp(x: NDArray[Any], exponent: Any) -> NDArray[Any]:
    """x · 2^exponent, exact where the result is a normal number."""
    if x.dtype.kind != "c":
        return np.ldexp(x, exponent)
    scaled = np.empty_like(x)
    scaled.real, scaled.imag = np.ldexp(x.real, exponent), np.ldexp(x.imag, exponent)
    return scaled


def _filter(spectrum: Spectrum, x: NDArray[Any], out: NDArray[Any], exponents: NDArray[np.int64] | None) -> None:
    """Transform, multiply, transform back, crop and scale back."""
    wanted, scaled = out.shape[-len(spectrum.lengths) :], exponents is not None or spectrum.exponents.any()
    if spectrum.line is not None:
        y = spectrum.line.correlate(x, None if scaled else out, wanted)
    else:
        y = _inverse(spectrum, _multiply(_forward(spectrum, x), spectrum.values))[guard.crop(wanted)]
    if not scaled:
        if y is not out:
            out[...] = y
        return
    ones = (1,) * len(wanted)
    scale = spectrum.exponents.reshape(-1, *ones)
    if exponents is not None:
        scale = scale + exponents.reshape(*exponents.shape, 1, *ones)
    with np.errstate(over="ignore", under="ignore"):
        out[...] = _ldexp(y, scale)


def _forward(spectrum: Spectrum, x: NDArray[Any]) -> NDArray[Any]:
    if spectrum.dtype.kind == "c":
        return scipy.fft.fftn(x, axes=spectrum.axes)
    return scipy.fft.rfft(x) if len(spectrum.axes) == 1 else scipy.fft.rfftn(x, axes=spectrum.axes)


def _inverse(spectrum: Spectrum, x: NDArray[Any]) -> NDArray[Any]:
    """Transform back without 1/N, which is part of the taps."""
    if spectrum.dtype.kind == "c":
        return scipy.fft.ifftn(x, axes=spectrum.axes, norm="forward", overwrite_x=True)
    if len(spectrum.axes) == 1:
        return scipy.fft.irfft(x, spectrum.lengths[0], norm="forward", overwrite_x=True)
    return scipy.fft.irfftn(x, spectrum.lengths, axes=spectrum.axes, norm="forward", overwrite_x=True)


def _multiply(x: NDArray[Any], h: NDArray[Any]) -> NDArray[Any]:
    """Sum over input channels of the products of spectra, (…, I, *F) × (O, I, *F) → (…, O, *F)."""
    if h.shape[:2] == (1, 1):
        return np.multiply(x, h[0], out=x)
    channels = np.split(x, h.shape[1], axis=1 - h.ndim)
    total = channels[0] * h[:, 0]
    for i in range(1, len(channels)):
        total += channels[i] * h[:, i]
    return total


def _judge(
    spectrum: Spectrum, blocks: NDArray[Any], x: NDArray[Any], found: guard.Survey, out: NDArray[Any], tau: float
) -> NDArray[np.bool_] | None:
    """Mark the outputs that the guard does not vouch for, and write the exact zeros of silent footprints.

    Energies are those of the scaled blocks x; what is silent is read from the samples as they came, because small ones
    next to very large ones vanish when they are scaled.
    """
    batch, wanted = x.shape[: -len(spectrum.lengths) - 1], out.shape[-len(spectrum.lengths) :]
    limits = _limits(spectrum, tau)
    with np.errstate(invalid="ignore"):
        suspect = (found.low < limits.share * found.energy) | (found.spread > limits.room)
    wild = found.spread > limits.room
    factor = guard.factor(spectrum.dtype, spectrum.levels, tau)
    unsure = np.zeros(out.shape, bool)
    if _long(spectrum) and not wild.any():
        for place in _places(batch, suspect):
            box, failed, zero = guard.judge_near(x[place], blocks[place], spectrum.taps, wanted, factor)
            unsure[place][:, *box] = failed
            out[place][:, *box][:, zero] = 0
        return unsure if unsure.any() else None
    places = _places(batch, suspect)
    for some in (places[i : i + CHUNK] for i in range(0, len(places), CHUNK)):
        index = tuple(np.array(axis) for axis in zip(*some, strict=True))
        rows = np.flatnonzero(suspect)[places.index(some[0]) :][: len(some)]
        some_x, given = (x[index], blocks[index]) if batch else (x[None], blocks[None])
        present = np.isfinite(given) & (given != 0)
        failed, zero = spectrum.footprints(wanted).judge(some_x, present, factor, wild[rows], spectrum.spread)
        shape = (len(some), *out.shape[len(batch) :])
        for place, f, z in zip(some, np.broadcast_to(failed, shape), np.broadcast_to(zero, shape), strict=True):
            unsure[place] = f
            out[place][z] = 0
    return unsure if unsure.any() else None


def _long(spectrum: Spectrum) -> bool:
    """All taps stored, and so many along each axis that `guard.judge_near` makes few passes."""
    few = any(k * PIECES < n for k, n in zip(spectrum.taps, spectrum.lengths, strict=True))
    return spectrum.support is None and not few


def correlate_integers(
    spectrum: Spectrum, blocks: NDArray[Any], out: NDArray[np.int64]
) -> NDArray[np.bool_] | None:
    """Filter blocks of integers held as doubles into int64, exactly; return the blocks where that is not proven.

    The FFT's error is at most c·u·log₂N·‖x‖₂·‖w[o]‖₂ with the proven c of `guard`; below 1/2, rounding to the nearest
    integer is exact. The proof covers lengths with no prime factor above 5; other lengths prove nothing. The
    mask broadcasts to `out`: all outputs of a channel of a block, or none.
    """
    dims = len(spectrum.lengths)
    blocks = np.asarray(blocks, np.float64)
    found = guard.survey(blocks, spectrum.taps, out.shape[-dims:])
    y = np.empty(out.shape)
    _filter(spectrum, blocks, y, None)
    levels = guard.PROVEN * spectrum.levels + spectrum.weights.shape[1] + 3
    reach = 1.001 * levels * 2.0**-53 * np.sqrt(found.energy)
    if any(30**64 % n for n in spectrum.lengths):
        reach[:] = np.inf
    with np.errstate(invalid="ignore"):
        unsure = ~(reach[:, None] * spectrum.norms < 0.5)
    unsure = unsure.reshape(*out.shape[:-dims], *[1] * dims)
    np.copyto(out, np.where(unsure, 0, np.rint(y)), casting="unsafe")
    return unsure if unsure.any() else None
