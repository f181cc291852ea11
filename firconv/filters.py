"""Named kernels, each an `FIR` with its origin in the middle, to be *convolved* with a signal or an image.

Responses are given with ω = 2πf/fs per axis, about the origin. Images: axis 0 points down, axis 1 to the right; angles
are in degrees, counter-clockwise from the right as one sees the picture, so 90° points up, towards smaller row numbers.
Derivative kernels are scaled to the derivative per sample, positive where the signal grows along the axis (or angle).
Many books print these kernels for correlation: those are the taps here, reversed.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb, cos, hypot, radians, sin

import numpy as np

from firconv.systems import FIR

__all__ = ["box", "gaussian", "binomial", "sobel", "scharr", "prewitt", "laplacian", "laplacian_of_gaussian",
           "difference_of_gaussians", "gabor", "sharpen", "unsharp", "emboss", "motion_blur", "disk", "edge"]

#: Smoothing across and factor of the integer kernel, of the three classic derivative kernels.
DERIVATIVES = {"prewitt": (1, 1, 1), "sobel": (1, 2, 1), "scharr": (3, 10, 3)}


# ---- smoothing ---------------------------------------------------------------------------------------------------

def box(size: int | Sequence[int], ndim: int = 1) -> FIR:
    """The mean of `size` samples per axis; also average pooling, with ``down=size``.

    A(ω) = sin(Kω/2) / (K·sin(ω/2)) per axis: zeros at multiples of fs/K. An even K is centred half a sample early.

    Examples
    --------
    >>> box(4)([4, 4, 4, 4], "valid")
    array([4.])
    >>> box((3, 5)).shape
    (3, 5)
    """
    sizes = _sizes(size, ndim, "box")
    return FIR(np.full(sizes, 1 / np.prod(sizes)), [(k - 1) // 2 for k in sizes])


def gaussian(sigma: float | Sequence[float], ndim: int = 1, *, order: int | Sequence[int] = 0,
             truncate: float = 4.0) -> FIR:
    """A sampled Gaussian of standard deviation `sigma` (samples) per axis, or its derivatives.

    H(ω) ≈ (jω)^order·exp(−σ²ω²/2) per axis, closely for σ ≥ 1. The taps are those of `scipy.ndimage.gaussian_filter`:
    ⌊truncate·σ + ½⌋ on each side, order 0 summing to one.

    Examples
    --------
    >>> gaussian(1.0).shape, gaussian((2.0, 1.0)).shape
    ((9,), (17, 9))
    >>> slope = gaussian(2.0, order=1)(3.0 * np.arange(30), "valid")
    >>> bool(abs(slope - 3).max() < 0.02)
    True
    """
    sigmas = np.broadcast_to(np.asarray(sigma, float), np.shape(sigma) or (ndim,))
    orders = np.broadcast_to(np.asarray(order), sigmas.shape)
    if not (sigmas > 0).all() or not truncate > 0 or not np.isfinite(sigmas * truncate).all() or not sigmas.size:
        raise ValueError(f"gaussian({sigma!r}, truncate={truncate!r}): both must be positive, and the widths finite")
    if orders.dtype.kind not in "iu" or (orders < 0).any():
        raise ValueError(f"gaussian(…, order={order!r}): the order of a derivative is an integer, 0 or more")
    return _separable([_gaussian(float(s), int(q), truncate) for s, q in zip(sigmas, orders, strict=True)])


def _gaussian(sigma: float, order: int, truncate: float) -> np.ndarray:
    n = np.arange(-(r := int(truncate * sigma + 0.5)), r + 1) / sigma
    taps = np.exp(-n * n / 2)
    taps /= taps.sum()
    # dᵐ/dxᵐ exp(−x²/2σ²) = (−1/σ)ᵐ·Heₘ(x/σ)·exp(−x²/2σ²)
    return taps * np.polynomial.hermite_e.hermeval(n, [0] * order + [1]) * (-1 / sigma) ** order


def binomial(order: int, ndim: int = 1) -> FIR:
    """The binomial kernel C(m, k)/2ᵐ of `order` m, with m + 1 taps per axis (anti-aliasing, BlurPool).

    A(ω) = cosᵐ(ω/2) per axis: an m-fold zero at fs/2, no ripple; variance m/4. Odd m is centred half a sample early.

    Examples
    --------
    >>> binomial(4).taps * 16
    array([1., 4., 6., 4., 1.])
    """
    if not isinstance(order, (int, np.integer)) or order < 0:
        raise ValueError(f"binomial({order!r}): the order is an integer, 0 or more")
    return _separable([np.array([comb(order, k) for k in range(order + 1)]) / 2.0**order] * ndim)


def disk(radius: float) -> FIR:
    """The mean over a disk (pillbox, defocus), pixels on the rim weighted by their exact covered area.

    A(ω) ≈ 2·J₁(r|ω|)/(r|ω|) with |ω|² = ω₀² + ω₁².

    Examples
    --------
    >>> disk(0.5).taps, disk(2.0).shape
    (array([[1.]]), (5, 5))
    """
    if not 0 < radius < np.inf:
        raise ValueError(f"disk({radius!r}): the radius is positive and finite, in pixels")
    r = max(int(np.ceil(radius - 0.5)), 0)
    edges = np.arange(-r, r + 2) - 0.5
    corner = _quarter(np.abs(edges)[:, None], np.abs(edges), radius) * np.sign(edges)[:, None] * np.sign(edges)
    taps = np.diff(np.diff(corner, axis=0), axis=1)
    return FIR(taps / taps.sum(), (r, r))


def _quarter(x: np.ndarray, y: np.ndarray, r: float) -> np.ndarray:
    """Area of the quarter disk x² + y² ≤ r² inside [0, x] × [0, y]."""
    def under(t: np.ndarray) -> np.ndarray:  # ∫₀ᵗ √(r² − s²) ds
        return (t * np.sqrt(np.maximum(r * r - t * t, 0)) + r * r * np.arcsin(np.minimum(t / r, 1))) / 2

    x, y = np.minimum(x, r), np.minimum(y, r)
    flat = np.minimum(x, np.sqrt(np.maximum(r * r - y * y, 0)))  # up to here the height is y
    return flat * y + under(x) - under(flat)


def motion_blur(length: float, angle: float = 0.0) -> FIR:
    """The mean along a segment of `length` pixels at `angle`: each pixel weighs 1 − its distance to the segment.

    A(ω) ≈ sinc(length·f) with f the frequency along the segment. As MATLAB's ``fspecial("motion")``.

    Examples
    --------
    >>> motion_blur(3).taps
    array([[0.33333333, 0.33333333, 0.33333333]])
    """
    if not 1 <= length < np.inf:
        raise ValueError(f"motion_blur({length!r}): the length is at least 1 pixel, and finite")
    half, (u_row, u_col) = (length - 1) / 2, _direction(angle)
    reach = [int(half * abs(u) + 1) for u in (u_row, u_col)]
    row, col = np.ogrid[-reach[0]:reach[0] + 1, -reach[1]:reach[1] + 1]
    along, across = row * u_row + col * u_col, row * u_col - col * u_row
    taps = np.maximum(1 - np.hypot(np.maximum(np.abs(along) - half, 0), across), 0)
    taps[taps < 1e-12] = 0
    return FIR(taps / taps.sum(), reach).crop()


# ---- derivatives -------------------------------------------------------------------------------------------------

def sobel(axis: int = 0, ndim: int = 2, *, integer: bool = False) -> FIR:
    """The central difference along `axis`, smoothed by (1, 2, 1)/4 along the others.

    H(ω) = j·sin ω_axis·∏ cos²(ω_other/2): +1 per sample of slope. ``integer=True`` gives the classic integers,
    2·4^(ndim−1) times as large (8 in 2-D): then the result is that of `scipy.ndimage.sobel` and `cv2.Sobel`.

    Examples
    --------
    >>> sobel(axis=1, integer=True).taps
    array([[ 1,  0, -1],
           [ 2,  0, -2],
           [ 1,  0, -1]])
    >>> float(sobel(axis=0)(np.arange(9.0).reshape(3, 3), "valid")[0, 0])
    3.0
    """
    return _derivative("sobel", axis, ndim, integer)


def scharr(axis: int = 0, ndim: int = 2, *, integer: bool = False) -> FIR:
    """The central difference along `axis`, smoothed by (3, 10, 3)/16: the most isotropic gradient of the 3×3 kernels.

    H(ω) = j·sin ω_axis·∏ (10 + 6·cos ω_other)/16. ``integer=True``: 2·16^(ndim−1) times as large (32 in 2-D).

    Examples
    --------
    >>> scharr(axis=0, integer=True).taps
    array([[  3,  10,   3],
           [  0,   0,   0],
           [ -3, -10,  -3]])
    """
    return _derivative("scharr", axis, ndim, integer)


def prewitt(axis: int = 0, ndim: int = 2, *, integer: bool = False) -> FIR:
    """The central difference along `axis`, averaged over 3 samples along the others.

    H(ω) = j·sin ω_axis·∏ (1 + 2·cos ω_other)/3. ``integer=True``: 2·3^(ndim−1) times as large (6 in 2-D).

    Examples
    --------
    >>> prewitt(axis=0, integer=True).taps
    array([[ 1,  1,  1],
           [ 0,  0,  0],
           [-1, -1, -1]])
    """
    return _derivative("prewitt", axis, ndim, integer)


def _derivative(name: str, axis: int, ndim: int, integer: bool) -> FIR:
    if not isinstance(axis, (int, np.integer)) or not -ndim <= axis < ndim:
        raise ValueError(f"{name}(axis={axis!r}, ndim={ndim}): no such axis; 0 is down, 1 is across in an image")
    across = np.array(DERIVATIVES[name])
    kernel = _separable([np.array([1, 0, -1]) if a == axis % ndim else across for a in range(ndim)])
    return kernel if integer else kernel / float(2 * across.sum() ** (ndim - 1))


def edge(angle: float, kind: str = "sobel") -> FIR:
    """The derivative in the direction `angle`: it answers to edges across it, positive where the image brightens.

    H = cos θ·H_right + sin θ·H_up, a steered pair of "sobel", "scharr" or "prewitt" kernels.

    Examples
    --------
    >>> edge(0) == sobel(axis=1)
    True
    >>> edge(90) == -1 * sobel(axis=0)
    True
    """
    if kind not in DERIVATIVES:
        raise ValueError(f"edge(…, kind={kind!r}): use one of {', '.join(DERIVATIVES)}")
    u_row, u_col = _direction(angle)
    return u_row * _derivative(kind, 0, 2, False) + u_col * _derivative(kind, 1, 2, False)


def laplacian(ndim: int = 2, *, alpha: float = 0.0) -> FIR:
    """The second differences summed over the axes, centre negative: an estimate of +∇².

    A(ω) = −Σ 4·sin²(ω_i/2). In 2-D, `alpha` in [0, 1] mixes in the diagonals as MATLAB's ``fspecial("laplacian", α)``
    does: A = (1−α)/(1+α)·A₊ + 2α/(1+α)·A_×, A_× with half the diagonals' sum. α = 1/5 is the isotropic 9-point one.

    Examples
    --------
    >>> laplacian().taps
    array([[ 0.,  1.,  0.],
           [ 1., -4.,  1.],
           [ 0.,  1.,  0.]])
    """
    if ndim < 1:
        raise ValueError(f"laplacian({ndim!r}): give at least one dimension")
    if not 0 <= alpha <= 1 or (alpha and ndim != 2):
        raise ValueError(f"laplacian({ndim}, alpha={alpha!r}): alpha lies in [0, 1], and is 0 unless there are 2 axes")
    if alpha:
        side, corner = (1 - alpha) / (1 + alpha), alpha / (1 + alpha)
        rows = [[corner, side, corner], [side, -4 / (1 + alpha), side], [corner, side, corner]]
        return FIR(np.array(rows), (1, 1))
    taps = np.zeros((3,) * ndim)
    for axis in range(ndim):
        taps[(1,) * axis + (slice(None),) + (1,) * (ndim - axis - 1)] += (1, -2, 1)
    return FIR(taps, (1,) * ndim)


def laplacian_of_gaussian(sigma: float, ndim: int = 2, *, truncate: float = 4.0) -> FIR:
    """∇² of a Gaussian of standard deviation `sigma`, centre negative, summing to zero exactly up to rounding.

    A(ω) ≈ −|ω|²·exp(−σ²|ω|²/2): a band-pass about |ω| = √2/σ. Samples of (r² − ndim·σ²)/σ⁴·G, minus their mean.

    Examples
    --------
    >>> kernel = laplacian_of_gaussian(1.5)
    >>> kernel.shape, bool(abs(kernel.taps.sum()) < 1e-15)
    ((13, 13), True)
    """
    blur = gaussian(sigma, ndim, truncate=truncate)
    r2 = sum(n.astype(float) ** 2 for n in np.ogrid[tuple(slice(-c, k - c) for c, k in
                                                          zip(blur.origins, blur.shape, strict=True))])
    taps = blur.taps * (r2 - ndim * sigma**2) / sigma**4
    return FIR(taps - taps.mean(), blur.origin)


def difference_of_gaussians(sigma: float, wider: float | None = None, ndim: int = 2, *, truncate: float = 4.0) -> FIR:
    """A Gaussian minus a wider one (default 1.6·sigma): a band-pass that sums to zero, centre positive.

    A(ω) ≈ exp(−σ²|ω|²/2) − exp(−σ_w²|ω|²/2); with 1.6 it approximates −∇²G up to scale.

    Examples
    --------
    >>> bool(abs(difference_of_gaussians(1.0).taps.sum()) < 1e-15)
    True
    """
    wider = 1.6 * sigma if wider is None else wider
    if not wider > sigma:
        raise ValueError(f"difference_of_gaussians({sigma!r}, {wider!r}): the second must be the wider one")
    return gaussian(sigma, ndim, truncate=truncate) - gaussian(wider, ndim, truncate=truncate)


def gabor(wavelength: float, angle: float = 0.0, *, sigma: float | None = None, aspect: float = 1.0,
          phase: float | None = 0.0, truncate: float = 3.0) -> FIR:
    """A wave of `wavelength` pixels travelling along `angle` under a Gaussian envelope.

    taps = G·cos(2πu/λ + phase)·2, or G·exp(2πju/λ) for ``phase=None``, G = exp(−(u² + aspect²·v²)/2σ²) / Σ, u along
    and v across the angle. H ≈ exp(−σ²|ω − ω₀|²/2) (and its mirror image when real): gain 1 at 1/λ along the angle.
    σ defaults to 0.56·λ, one octave of bandwidth; an even real kernel (phase 0) passes 2·exp(−2(πσ/λ)²) of the mean,
    0.4 % there.

    Examples
    --------
    >>> gabor(8.0, 45.0).shape, gabor(4.0, phase=None).taps.dtype
    ((27, 27), dtype('complex128'))
    """
    sigma = 0.56 * wavelength if sigma is None else sigma
    if not (wavelength > 0 and sigma > 0 and aspect > 0):
        raise ValueError(f"gabor({wavelength!r}, sigma={sigma!r}, aspect={aspect!r}): all must be positive")
    u_row, u_col = _direction(angle)
    reach = [int(truncate * sigma * hypot(a, b / aspect) + 0.5) for a, b in ((u_row, u_col), (u_col, u_row))]
    row, col = np.ogrid[-reach[0]:reach[0] + 1, -reach[1]:reach[1] + 1]
    u, v = row * u_row + col * u_col, row * u_col - col * u_row
    envelope = np.exp(-(u * u + (aspect * v) ** 2) / (2 * sigma**2))
    envelope /= envelope.sum()
    wave = np.exp(2j * np.pi * u / wavelength) if phase is None else 2 * np.cos(2 * np.pi * u / wavelength + phase)
    return FIR(envelope * wave, reach)


# ---- pictures ----------------------------------------------------------------------------------------------------

def sharpen(amount: float = 1.0) -> FIR:
    """The identity minus `amount` times the 5-point Laplacian.

    A(ω) = 1 + 4·amount·(sin²(ω₀/2) + sin²(ω₁/2)): the mean stays, the highest frequency is amplified by 1 + 8·amount.

    Examples
    --------
    >>> sharpen().taps
    array([[ 0., -1.,  0.],
           [-1.,  5., -1.],
           [ 0., -1.,  0.]])
    """
    return _identity() - amount * laplacian()


def unsharp(sigma: float = 1.0, amount: float = 1.0, ndim: int = 2, *, truncate: float = 4.0) -> FIR:
    """The identity plus `amount` times what a Gaussian blur removes (unsharp masking).

    A(ω) ≈ 1 + amount·(1 − exp(−σ²|ω|²/2)): the mean stays, high frequencies are amplified by 1 + amount.

    Examples
    --------
    >>> round(float(unsharp(2.0, 0.5).taps.sum()), 12)
    1.0
    """
    return (1.0 + amount) * _identity(ndim) - amount * gaussian(sigma, ndim, truncate=truncate)


def emboss(angle: float = 135.0, depth: float = 1.0) -> FIR:
    """The image as a relief lit from `angle` (135°: the upper left), plus itself.

    H = 1 − 6·depth·(cos θ·P_right + sin θ·P_up), P the scaled Prewitt pair: flat areas keep their grey value. At 135°
    and depth √2 these are the usual integers, printed for correlation as (−2 −1 0; −1 1 1; 0 1 2).

    Examples
    --------
    >>> (emboss(135, 2**0.5).H.taps + 1e-9).round(6)
    array([[-2., -1.,  0.],
           [-1.,  1.,  1.],
           [ 0.,  1.,  2.]])
    """
    return _identity() - 6 * depth * edge(angle, "prewitt")


# ---- helpers -----------------------------------------------------------------------------------------------------

def _identity(ndim: int = 2) -> FIR:
    return FIR(np.ones((1,) * ndim), (0,) * ndim)


def _separable(factors: Sequence[np.ndarray]) -> FIR:
    taps = factors[0]
    for factor in factors[1:]:
        taps = np.multiply.outer(taps, factor)
    return FIR(taps, [(len(f) - 1) // 2 for f in factors])


def _sizes(size: int | Sequence[int], ndim: int, name: str) -> tuple[int, ...]:
    sizes: tuple[int, ...] = tuple(size) if isinstance(size, Sequence | np.ndarray) else (size,) * ndim
    if not sizes or not all(isinstance(k, (int, np.integer)) and k >= 1 for k in sizes):
        raise ValueError(f"{name}({size!r}): give a positive length, a whole number, one for all axes or one per axis")
    return sizes


def _direction(angle: float) -> tuple[float, float]:
    """(row, column) components of the unit vector at `angle` degrees; exact at multiples of 90°."""
    if not (isinstance(angle, (int, float, np.number)) and np.isfinite(angle)):
        raise ValueError(f"angle={angle!r}: give degrees, counter-clockwise from the right")
    turn = angle % 360
    if turn % 90 == 0:
        return {0: (0.0, 1.0), 90: (-1.0, 0.0), 180: (0.0, -1.0), 270: (1.0, 0.0)}[int(turn)]
    return -sin(radians(turn)), cos(radians(turn))
