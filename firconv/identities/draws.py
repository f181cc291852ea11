"""Random problems, remembered by name so that they can be replayed and made smaller."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from firconv.identities.implementation import Implementation
from firconv.identities.values import Value

Array = np.ndarray
DTYPES = ("int8", "uint8", "int16", "int32", "int64", "float32", "float64", "complex64", "complex128")
_LONGEST, _SHORT = {1: 40, 2: 9, 3: 5}, {1: 16, 2: 5, 3: 3}
_TWIN = {"float32": "complex64", "float64": "complex128", "complex64": "float32", "complex128": "float64"}


class Unfit(Exception):
    """These numbers are outside the law's domain: draw others."""


class Draw:
    """One problem: what a law asks for, drawn at random, or as `given`.

    Attributes
    ----------
    taken : dict
        Everything that was drawn or given, by name.
    simpler : dict
        For every choice the values that are simpler than the one taken, simplest first.
    """

    def __init__(self, subject: Implementation, rng: np.random.Generator, dtypes: Sequence[str] = DTYPES,
                 kinds: str = "iufc", given: Mapping[str, Any] | None = None):
        self.subject, self._rng, self._given = subject, rng, dict(given or {})
        self.taken: dict[str, Any] = {}
        self.simpler: dict[str, list[Any]] = {}
        known = [d for d in dtypes if np.dtype(d).kind in kinds and (not subject.dtypes or d in subject.dtypes)]
        if not known:
            raise NotImplementedError(f"{subject.name} sums none of the types that this law is about")
        self._dtypes = known
        self.dtype = np.dtype(self.choice("dtype", known))
        self.method = self.choice("method", subject.methods)

    # ---- numbers and words -------------------------------------------------------------------------------------

    def need(self, fits: bool) -> None:
        """Give the problem up unless it fits the domain."""
        if not fits:
            raise Unfit

    def choice(self, name: str, options: Sequence[Any]) -> Any:
        """One of the options, of which the first is the simplest."""
        if name in self._given:
            value = self._given[name]
        else:
            value = options[int(self._rng.integers(len(options)))]
        self.taken[name] = value
        self.simpler[name] = list(options[:options.index(value)]) if value in options else list(options)
        return value

    def size(self, name: str, low: int, high: int) -> int:
        """A whole number in low … high."""
        return int(self.choice(name, range(low, high + 1)))

    @property
    def ndim(self) -> int:
        """The number of dimensions of this problem, drawn when first asked."""
        if "ndim" not in self.taken:
            known = next((np.ndim(v) for v in self._given.values() if np.ndim(v)), 0)
            if known:
                self._given.setdefault("ndim", known)
            self.choice("ndim", [d for d in (1, 2, 3) if d in self.subject.ndims])
        return int(self.taken["ndim"])

    # ---- arrays ------------------------------------------------------------------------------------------------

    def signal(self, name: str = "x", ndim: int | None = None, longest: int | None = None) -> Value:
        """Samples of the problem's type."""
        return self._array(name, ndim or self.ndim, longest or self._longest(), self.dtype)

    def taps(self, name: str = "h", ndim: int | None = None, longest: int | None = None) -> Value:
        """Taps of the problem's type, or of its real or complex twin."""
        twin = _TWIN.get(self.dtype.name, "")
        kinds = [self.dtype.name, *([twin] if twin in self._dtypes else [])]
        longest = longest or max(2, self._longest() * 2 // 3)
        return self._array(name, ndim or self.ndim, longest, np.dtype(self.choice(f"{name}_dtype", kinds)))

    def large(self, name: str, longest: int) -> Value:
        """Integers over the whole range of the problem's type, below 2²⁹, in one dimension."""
        most = min(int(np.iinfo(self.dtype).max), 1 << 29)
        if name not in self._given:
            low = 0 if self.dtype.kind == "u" else -most
            count = int(self._rng.integers(1, longest + 1))
            self._given[name] = self._rng.integers(low, most, count, endpoint=True)
        return self._array(name, 1, longest, self.dtype)

    def like(self, name: str, other: Value, dtype: Any = None) -> Value:
        """Another array of the same shape and type."""
        return self.numbers(name, other.shape, np.dtype(dtype or other.array.dtype))

    def numbers(self, name: str, shape: Sequence[int], dtype: Any = None) -> Value:
        """An array of this shape."""
        kind = self.dtype if dtype is None else np.dtype(dtype)
        if name in self._given:
            array = _as(_fitted(np.asarray(self._given[name]), tuple(shape)), kind)
        else:
            array = self._random(tuple(shape), kind)
        self.taken[name] = array
        return Value(array)

    def _longest(self) -> int:
        if self.method == "reference":  # plain Python
            return _SHORT[self.ndim]
        return 300 if self.ndim == 1 and self._rng.random() < 0.1 else _LONGEST[self.ndim]

    def _array(self, name: str, ndim: int, longest: int, dtype: np.dtype) -> Value:
        if name in self._given:
            shape = _of_rank(np.asarray(self._given[name]), ndim).shape
        else:
            shape = tuple(int(n) for n in self._rng.integers(1, longest + 1, ndim))
        return self.numbers(name, shape, dtype)

    def _random(self, shape: tuple[int, ...], dtype: np.dtype) -> Array:
        """Whole numbers, or binary fractions that are short enough for sums and small multiples of them to be exact."""
        if dtype.kind in "biu":
            low, high = (0, 10) if dtype.kind in "bu" else (-9, 10)
            return self._rng.integers(low, high, shape).astype(dtype)
        bits = 5 if dtype == np.float16 else 10
        scale = 2.0 ** int(self._rng.integers(-bits - 2, -bits + 3))
        values = self._rng.integers(-(1 << bits), (1 << bits) + 1, shape) * scale
        if dtype.kind == "c":
            values = values + 1j * self._rng.integers(-(1 << bits), (1 << bits) + 1, shape) * scale
        return values.astype(dtype)


def _of_rank(a: Array, ndim: int) -> Array:
    """With axes removed from the front, or added there."""
    while a.ndim > ndim:
        a = a[0]
    return a.reshape((1,) * (ndim - a.ndim) + a.shape)


def _fitted(a: Array, shape: tuple[int, ...]) -> Array:
    """Cut, or continued with ones, to a shape."""
    a = _of_rank(a, len(shape))[tuple(map(slice, shape))]
    return np.pad(a, [(0, n - m) for n, m in zip(shape, a.shape, strict=True)], constant_values=1)


def _as(a: Array, dtype: np.dtype) -> Array:
    return (a.real if dtype.kind != "c" else a).astype(dtype)
