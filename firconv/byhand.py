"""Convolution as one computes it by hand: every way returns all outputs, and shows what it goes through.

    y[n] = Σₖ x[k]·h[n − k],   n and k of any number of dimensions, all N + K − 1 outputs per axis

These are for small examples and for reading: each is a few lines of NumPy that spell the way out, none is fast. The
engine (`firconv.convolve`) computes the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import reduce
from itertools import product
from typing import Any

import numpy as np

__all__ = ["WAYS", "convolve_by", "dft_matrix", "fourier", "integer_product", "minimal_filtering", "polynomial",
           "shifted_impulses", "shifted_signals", "sliding", "toeplitz", "toeplitz_product"]

Array = np.ndarray


def sliding(x: Any, h: Any) -> Array:
    """Flip and slide: for every output, the samples under the reversed taps, multiplied and added.

    y[n] = Σₖ x[k]·h[n − k], term by term; terms beyond the ends of either are absent.

    Examples
    --------
    >>> sliding([1, 2, 3], [1, 1])
    array([1, 3, 5, 3])
    """
    x, h = _pair(x, h)
    y = np.zeros(_outputs(x, h), np.result_type(x, h))
    for n in np.ndindex(y.shape):
        for k in np.ndindex(x.shape):
            tap = tuple(a - b for a, b in zip(n, k, strict=True))
            if all(0 <= t < size for t, size in zip(tap, h.shape, strict=True)):
                y[n] += x[k] * h[tap]
    return y


def shifted_impulses(x: Any, h: Any) -> Array:
    """The table of shifted impulse responses: row k is x[k]·h[n − k], and the rows add up to y.

    A signal is a sum of impulses, x[n] = Σₖ x[k]·δ[n − k]; each is answered by the taps, starting at k. The shape is
    (number of samples, N + K − 1 per axis).

    Examples
    --------
    >>> table = shifted_impulses([1, 2, 3], [1, 10])
    >>> table
    array([[ 1, 10,  0,  0],
           [ 0,  2, 20,  0],
           [ 0,  0,  3, 30]])
    >>> table.sum(axis=0)
    array([ 1, 12, 23, 30])
    """
    x, h = _pair(x, h)
    table = np.zeros((x.size, *_outputs(x, h)), np.result_type(x, h))
    for row, k in zip(table, np.ndindex(x.shape), strict=True):
        row[tuple(slice(i, i + size) for i, size in zip(k, h.shape, strict=True))] = x[k] * h
    return table


def shifted_signals(x: Any, h: Any) -> Array:
    """The same table, by taps: row k is h[k]·x[n − k], the signal (or image) shifted by k and scaled.

    Examples
    --------
    >>> shifted_signals([1, 2, 3], [1, 10])
    array([[ 1,  2,  3,  0],
           [ 0, 10, 20, 30]])
    """
    return shifted_impulses(h, x)


def toeplitz(h: Any, shape: int | tuple[int, ...]) -> Array:
    """The matrix T of the taps, y = T·x: constant along diagonals; in 2-D its blocks are, too (doubly-block Toeplitz).

    In one dimension T[n, k] = h[n − k]. With further axes T(h) = Σₖ Sₖ ⊗ T(h[k]), Sₖ the shift by k along axis 0.

    Parameters
    ----------
    h : array_like
    shape : int or tuple of int
        Of the signal, which T multiplies as one long column in C order.

    Examples
    --------
    >>> toeplitz([1, 2], 3)
    array([[1, 0, 0],
           [2, 1, 0],
           [0, 2, 1],
           [0, 0, 2]])
    >>> toeplitz([[1, 2], [3, 4]], (2, 2)).shape
    (9, 4)
    """
    h = np.asarray(h)
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    if h.ndim != len(shape):
        raise ValueError(f"toeplitz(h, shape={shape!r}): h has {h.ndim} dimensions; give the signal as many")
    if not shape:
        return h.reshape(1, 1)
    outputs = shape[0] + h.shape[0] - 1
    blocks = (np.kron(np.eye(outputs, shape[0], -k, h.dtype), toeplitz(h[k], shape[1:])) for k in range(h.shape[0]))
    return reduce(np.add, blocks)


def toeplitz_product(x: Any, h: Any) -> Array:
    """The Toeplitz matrix of the taps times the signal as a column.

    >>> toeplitz_product([1, 2, 3], [1, 1])
    array([1, 3, 5, 3])
    """
    x, h = _pair(x, h)
    return (toeplitz(h, x.shape) @ x.ravel()).reshape(_outputs(x, h))


def polynomial(x: Any, h: Any) -> Array:
    """The product of two polynomials: coefficients of equal powers are collected.

    X(z)·H(z) = Σᵢ Σⱼ x[i]·h[j]·zⁱ⁺ʲ, so y[n] is the coefficient of zⁿ; one variable per axis.

    Examples
    --------
    >>> polynomial([1, 2, 3], [1, 1])  # (1 + 2z + 3z²)(1 + z)
    array([1, 3, 5, 3])
    """
    x, h = _pair(x, h)
    y = np.zeros(_outputs(x, h), np.result_type(x, h))
    for (i, a), (j, b) in product(np.ndenumerate(x), np.ndenumerate(h)):
        y[tuple(np.add(i, j))] += a * b
    return y


def integer_product(x: Any, h: Any) -> Array:
    """One multiplication of two long integers: the polynomials at z = 10^d, and the digits of the product.

    d is so large that no coefficient reaches its neighbour; there are no carries. Integers of one dimension.

    Raises
    ------
    TypeError
        Other numbers, or more dimensions.

    Examples
    --------
    >>> 1002003 * 1001  # d = 3
    1003005003
    >>> integer_product([1, 2, 3], [1, 1])
    array([1, 3, 5, 3])
    """
    x, h = _pair(x, h)
    if x.ndim != 1 or not {x.dtype.kind, h.dtype.kind} <= set("iu"):
        raise TypeError(f"integer_product(x, h): {x.dtype} and {h.dtype} in {x.ndim} dimensions; give integers in one")
    largest = sum(abs(int(v)) for v in x) * max(abs(int(v)) for v in h)
    base = 10 ** len(str(2 * largest))
    number, digits = _value(x, base) * _value(h, base), []
    for _ in range(x.size + h.size - 1):
        digit = (number + base // 2) % base - base // 2  # digits may be negative
        number = (number - digit) // base
        digits.append(digit)
    return np.array(digits)


def _value(coefficients: Array, base: int) -> int:
    return sum(int(c) * base**k for k, c in enumerate(coefficients))


def dft_matrix(n: int) -> Array:
    """F[k, m] = exp(−2πj·k·m/n), the discrete Fourier transform of n samples as a matrix.

    >>> dft_matrix(2).real.round(12)
    array([[ 1.,  1.],
           [ 1., -1.]])
    """
    k = np.arange(n)
    return np.exp(-2j * np.pi * np.multiply.outer(k, k) / n)


def fourier(x: Any, h: Any) -> Array:
    """The DFT of both, padded with zeros to N + K − 1 samples; the product; the inverse DFT.

    Y[k] = X[k]·H[k]: the polynomials at the roots of unity. Shorter transforms would wrap the ends around. Results
    are floats.

    Examples
    --------
    >>> fourier([1, 2, 3], [1, 1]).round(12)
    array([1., 3., 5., 3.])
    """
    x, h = _pair(x, h)
    sizes = _outputs(x, h)
    y = _transformed(x, sizes) * _transformed(h, sizes)
    for axis, n in enumerate(sizes):
        y = np.moveaxis(np.tensordot(dft_matrix(n).conj() / n, y, (1, axis)), 0, axis)
    return y if np.iscomplexobj(x) or np.iscomplexobj(h) else y.real


def _transformed(v: Array, sizes: tuple[int, ...]) -> Array:
    """The DFT of every axis: the matrix has as many columns as there are samples, for the rest are zeros."""
    for axis, n in enumerate(sizes):
        v = np.moveaxis(np.tensordot(dft_matrix(n)[:, :v.shape[axis]], v, (1, axis)), 0, axis)
    return v


def minimal_filtering(d: Any, g: Any) -> tuple[Array, Array]:
    """(y, products): m outputs of r taps with m + r − 1 multiplications, Winograd's minimal filtering F(m, r), exactly.

    y[n] = Σₖ g[k]·d[n + k] as Vₘᵀ·((Vᵣ·g) ⊙ (V⁻ᵀ·d)): V holds the powers of m + r − 2 points 0, 1, −1, 2, −2, … and of
    infinity: the product of polynomials at these points, transposed. Only the products of what depends on d with what
    depends on g count; the rest is constants. In fractions it is exact; in floating point it rounds more than the sum.

    Parameters
    ----------
    d : array_like of int, m + r − 1 samples
    g : array_like of int, r taps of a correlation

    Raises
    ------
    ValueError
        Fewer samples than taps, no taps, other numbers or dimensions.

    Examples
    --------
    >>> y, products = minimal_filtering([3, -1, 4, 1, -5, 9], [2, -7, 1])
    >>> y, len(products)
    (array([ 17, -29,  -4,  46]), 6)
    """
    d, g = np.asarray(d), np.asarray(g)
    if d.ndim != 1 or g.ndim != 1 or not d.size >= g.size >= 1 or not {d.dtype.kind, g.dtype.kind} <= set("iu"):
        raise ValueError(f"minimal_filtering(d, g): {d.dtype} {d.shape} and {g.dtype} {g.shape}; give integers in one "
                         "dimension, at least as many samples as taps")
    points = [(k + 1) // 2 * (-1) ** (k + 1) for k in range(d.size - 1)]  # 0, 1, −1, 2, −2, …
    products = _solved(_powers(points, d.size).T, d) * (_powers(points, g.size) @ g)
    y = _powers(points, d.size - g.size + 1).T @ products
    return y.astype(np.int64), products


def _powers(points: list[int], count: int) -> Array:
    """Rows p⁰ … p^(count − 1), and for infinity a one at the highest power."""
    last = [Fraction(int(j == count - 1)) for j in range(count)]
    return np.array([*([Fraction(p) ** j for j in range(count)] for p in points), last], dtype=object)


def _solved(a: Array, b: Array) -> Array:
    """a⁻¹·b in fractions, by elimination."""
    rows: Any = np.column_stack([a, np.array([Fraction(int(v)) for v in b], dtype=object)])
    for k in range(len(rows)):
        pivot = next(i for i in range(k, len(rows)) if rows[i, k])
        rows[[k, pivot]] = rows[[pivot, k]]
        rows[k] = rows[k] / rows[k, k]
        for i in range(len(rows)):
            if i != k:
                rows[i] = rows[i] - rows[i, k] * rows[k]
    return rows[:, -1]


#: The five ways, by name.
WAYS: dict[str, Callable[[Any, Any], Array]] = {
    "flip and slide": sliding,
    "shifted impulses": lambda x, h: shifted_impulses(x, h).sum(axis=0),
    "Toeplitz matrix": toeplitz_product,
    "polynomial product": polynomial,
    "DFT": fourier,
}


def convolve_by(way: str, x: Any, h: Any) -> Array:
    """The convolution by one of `WAYS`.

    Raises
    ------
    ValueError
        For an unknown way, empty operands, or operands of different dimensions.

    Examples
    --------
    >>> {way: convolve_by(way, [1, 2, 3], [1, 1]).round().astype(int).tolist() for way in ("DFT", "polynomial product")}
    {'DFT': [1, 3, 5, 3], 'polynomial product': [1, 3, 5, 3]}
    """
    if way not in WAYS:
        raise ValueError(f"convolve_by(way={way!r}): use one of {', '.join(WAYS)}")
    return WAYS[way](x, h)


def _pair(x: Any, h: Any) -> tuple[Array, Array]:
    x, h = np.asarray(x), np.asarray(h)
    if x.ndim != h.ndim or x.ndim == 0 or 0 in (x.size, h.size):
        raise ValueError(f"convolution of x of shape {x.shape} and h of shape {h.shape}: give both as many dimensions, "
                         "at least one, and no empty one")
    return x, h


def _outputs(x: Array, h: Array) -> tuple[int, ...]:
    return tuple(n + k - 1 for n, k in zip(x.shape, h.shape, strict=True))
